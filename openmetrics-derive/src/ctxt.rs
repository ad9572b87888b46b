//! Collects every mistake of an input, so that all are shown at once.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Ctxt {
    error: Option<syn::Error>,
}

impl Ctxt {
    /// Notes a mistake at the tokens that cause it.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Notes a mistake at a place.
    pub(crate) fn error_at(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Notes a mistake that was found elsewhere.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.error {
            Some(all) => all.combine(error),
            None => self.error = Some(error),
        }
    }

    /// The `compile_error!`s, if there was a mistake.
    pub(crate) fn into_errors(self) -> Option<TokenStream> {
        self.error.map(|error| error.to_compile_error())
    }
}
