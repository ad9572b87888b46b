//! From what was read to code, or to the list of all mistakes.

mod label_set;
mod label_value;
mod measured;
mod metrics;

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

use crate::ast::{LabelSetInput, LabelValueInput, MetricsInput};
use crate::attr::Text;
use crate::ctxt::Ctxt;
use crate::fallback;

pub(crate) use measured::expand as measured;

pub(crate) fn metrics(input: &DeriveInput) -> TokenStream {
    let mut cx = Ctxt::default();
    let read = MetricsInput::read(&mut cx, input);
    let path = path(read.group.path.as_ref());
    let code = metrics::expand(&mut cx, &read, &path);
    finish(cx, code, || fallback::metrics(input, &path))
}

pub(crate) fn label_set(input: &DeriveInput) -> TokenStream {
    let mut cx = Ctxt::default();
    let read = LabelSetInput::read(&mut cx, input);
    let path = path(read.attr.path.as_ref());
    let code = label_set::expand(&mut cx, &read, &path);
    finish(cx, code, || fallback::label_set(input, &path))
}

pub(crate) fn label_value(input: &DeriveInput) -> TokenStream {
    let mut cx = Ctxt::default();
    let read = LabelValueInput::read(&mut cx, input);
    let path = path(read.attr.path.as_ref());
    let code = label_value::expand(&mut cx, &read, &path);
    finish(cx, code, || fallback::label_value(input, &path))
}

/// The code, or the mistakes and a stand-in that keeps the compiler from complaining about what is missing.
fn finish(cx: Ctxt, code: TokenStream, stand_in: impl FnOnce() -> TokenStream) -> TokenStream {
    match cx.into_errors() {
        Some(errors) => {
            let stand_in = stand_in();
            quote!(#errors #stand_in)
        }
        None => code,
    }
}

/// Where the library is: `::openmetrics`, unless `crate = path` says otherwise.
fn path(given: Option<&syn::Path>) -> TokenStream {
    given.map_or_else(|| quote!(::openmetrics), |path| quote!(#path))
}

/// Notes every name that one before it has as well.
fn refuse_duplicates<'a>(cx: &mut Ctxt, what: &str, names: impl IntoIterator<Item = &'a Text>) {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(name.value.as_str()) {
            cx.error(name, format!("there is a {what} `{}` already", name.value));
        }
    }
}
