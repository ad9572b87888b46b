//! Derives for the OpenMetrics SDK; the library re-exports and documents them.
//!
//! Use them through `openmetrics`, not from here.

mod ast;
mod attr;
mod case;
mod ctxt;
mod expand;
mod fallback;
mod setting;
mod valid;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct a group of metrics: every field is a family, its doc comment the HELP text.
#[proc_macro_derive(Metrics, attributes(metrics, metric))]
pub fn derive_metrics(input: TokenStream) -> TokenStream {
    expand::metrics(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes a struct a label set: every field is a label.
#[proc_macro_derive(LabelSet, attributes(label))]
pub fn derive_label_set(input: TokenStream) -> TokenStream {
    expand::label_set(&parse_macro_input!(input as DeriveInput)).into()
}

/// Makes an enum a label value and the states of a stateset: every variant is a text.
#[proc_macro_derive(LabelValue, attributes(label))]
pub fn derive_label_value(input: TokenStream) -> TokenStream {
    expand::label_value(&parse_macro_input!(input as DeriveInput)).into()
}
