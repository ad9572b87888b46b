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

/// Measures a function: its calls by how they end, their time, and how many are under way; the metrics of
/// `openmetrics::Calls`.
///
/// ```
/// use openmetrics::measured;
///
/// #[measured] // parse_calls_total{outcome}, parse_call_duration_seconds, parse_calls_in_flight
/// fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
///     text.trim().parse()
/// }
///
/// #[measured(prefix = "store_load")]
/// async fn load(key: &str) -> std::io::Result<Vec<u8>> {
///     std::fs::read(key)
/// }
///
/// assert!(parse("12").is_ok() && parse("twelve").is_err());
///
/// let mut page = Vec::new();
/// openmetrics::format::encode(
///     openmetrics::registry::default_registry(),
///     openmetrics::format::Format::TEXT_0_0_4,
///     &mut page,
/// );
/// let page = String::from_utf8_lossy(&page);
/// assert!(page.contains("parse_calls_total{outcome=\"ok\"} 1\n"));
/// assert!(page.contains("parse_calls_total{outcome=\"error\"} 1\n"));
/// ```
///
/// A function whose return type is called `Result`, or ends so, ends with `ok` or `error`; another one with `ok`; a panic, or a
/// future that is dropped, is `abandoned`. A future counts from when it is first polled.
///
/// # Arguments
///
/// * `prefix = "store_load"`: what the names begin with, instead of the function's name; functions of one prefix are counted
///   together. The metrics are in the default registry, registered by the first call.
/// * `calls = self.calls`: an expression that is a `Calls`, in whatever registry that is, instead;
/// * `fallible = false`, or `fallible`: whether it gives a `Result`, where the name of its type misleads;
/// * `crate = path`: where the library is.
///
/// ```
/// use openmetrics::{Calls, Metrics, Registry, measured};
///
/// struct Store { calls: Calls, keys: Vec<String> }
///
/// impl Store {
///     #[measured(calls = self.calls)]
///     fn put(&mut self, key: &str) -> Result<&mut String, String> {
///         if key.is_empty() {
///             return Err("a key has a name".into());
///         }
///         self.keys.push(key.to_owned());
///         self.keys.last_mut().ok_or_else(|| "it is there".into())
///     }
/// }
///
/// let registry = Registry::new();
/// let mut store = Store { calls: Calls::register(&registry.scope("store"))?, keys: Vec::new() };
/// assert!(store.put("a").is_ok() && store.put("").is_err());
/// assert_eq!((store.calls.ok(), store.calls.errors()), (1, 1));
/// # Ok::<(), openmetrics::Error>(())
/// ```
///
/// With a macro that rewrites the function, such as `async_trait`, this one stands above it or below; below, it sees
/// an `async fn`, which is what it should see.
#[proc_macro_attribute]
pub fn measured(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::measured(args.into(), &item.into()).into()
}
