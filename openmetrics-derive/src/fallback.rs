//! Stand-ins after a mistake: they satisfy the trait, so that the compiler does not complain about it being missing
//! at every use besides the mistake itself.

use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

pub(crate) fn metrics(input: &DeriveInput, path: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        impl #impl_generics #path::registry::Metrics for #ident #type_generics #where_clause {
            fn register(_: &#path::registry::Registry) -> ::core::result::Result<Self, #path::Error> {
                ::core::unreachable!()
            }
        }
    }
}

pub(crate) fn label_set(input: &DeriveInput, path: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    // The right owner needs the generics to be right; any type will do where nothing is compiled to run.
    quote! {
        impl #impl_generics #path::instrument::LabelSet for #ident #type_generics #where_clause {
            type Owner = ();
            const NAMES: &'static [&'static str] = &[];
            fn write(&self, _: &mut #path::instrument::LabelWriter) {}
        }
    }
}

pub(crate) fn label_value(input: &DeriveInput, path: &TokenStream) -> TokenStream {
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        impl #impl_generics #path::instrument::LabelValue for #ident #type_generics #where_clause {
            fn write(&self, _: &mut #path::instrument::LabelWriter) {}
        }
    }
}
