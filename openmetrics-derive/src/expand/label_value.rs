//! `#[derive(LabelValue)]`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::LabelValueInput;
use crate::ctxt::Ctxt;

pub(super) fn expand(cx: &mut Ctxt, read: &LabelValueInput<'_>, path: &TokenStream) -> TokenStream {
    for variant in &read.variants {
        if variant.value.value.is_empty() {
            cx.error(&variant.value, "an empty value counts as no label; give it a text [OM1-LAB-03]");
        }
    }
    super::refuse_duplicates(cx, "value", read.variants.iter().map(|variant| &variant.value));
    if !read.input.generics.params.is_empty() {
        cx.error(&read.input.generics, "an enum without fields needs no generic parameters");
    }

    let ident = &read.input.ident;
    let names = read.variants.iter().map(|variant| &variant.value.value);
    let variants = read.variants.iter().map(|variant| variant.ident);
    let indices = 0..read.variants.len();
    quote! {
        #[automatically_derived]
        impl #path::instrument::LabelEnum for #ident {
            const NAMES: &'static [&'static str] = &[#(#names),*];

            #[inline]
            fn index(self) -> usize {
                match self {
                    #(Self::#variants => #indices,)*
                }
            }
        }
        #path::label_value_from_enum!(#ident);
    }
}
