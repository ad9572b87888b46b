//! `#[derive(LabelSet)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{GenericParam, Lifetime};

use crate::ast::LabelSetInput;
use crate::ctxt::Ctxt;
use crate::valid;

pub(super) fn expand(cx: &mut Ctxt, read: &LabelSetInput<'_>, path: &TokenStream) -> TokenStream {
    for field in &read.fields {
        if let Err(message) = valid::label_name(&field.name.value) {
            cx.error(&field.name, message);
        }
    }
    super::refuse_duplicates(cx, "label", read.fields.iter().map(|field| &field.name));
    if read.fields.is_empty() && has_named_fields(&read.input.data) {
        cx.error(&read.input.ident, "a label set without labels; use the metric itself instead of a family");
    }

    let ident = &read.input.ident;
    let (impl_generics, type_generics, where_clause) = read.input.generics.split_for_impl();
    let predicates = where_clause.map(|clause| &clause.predicates);
    let owner = owner_arguments(&read.input.generics);
    let names = read.fields.iter().map(|field| &field.name.value);
    let fields: Vec<_> = read.fields.iter().map(|field| field.ident).collect();
    let types: Vec<_> = read.fields.iter().map(|field| field.ty).collect();
    let parameters = read.input.generics.type_params().map(|parameter| &parameter.ident);
    let value = quote!(#path::instrument::LabelValue);
    quote! {
        #[automatically_derived]
        impl #impl_generics #path::instrument::LabelSet for #ident #type_generics
        where #(#parameters: #value + 'static,)* #predicates
        {
            type Owner = #ident #owner;

            const NAMES: &'static [&'static str] = &[#(#names),*];

            const CARDINALITY: ::core::option::Option<usize> = {
                let all = ::core::option::Option::Some(1_usize);
                #(let all = match (all, <#types as #value>::CARDINALITY) {
                    (::core::option::Option::Some(all), ::core::option::Option::Some(one)) => all.checked_mul(one),
                    _ => ::core::option::Option::None,
                };)*
                all
            };

            #[inline]
            fn ordinal(&self) -> usize {
                let at = 0_usize;
                #(let at = match <#types as #value>::CARDINALITY {
                    ::core::option::Option::Some(one) => {
                        at.wrapping_mul(one).wrapping_add(#value::ordinal(&self.#fields))
                    }
                    ::core::option::Option::None => at,
                };)*
                at
            }

            #[inline]
            fn write(&self, to: &mut #path::instrument::LabelWriter) {
                #(#value::write(&self.#fields, to);)*
            }
        }
    }
}

/// Other structs are a mistake that is noted already.
fn has_named_fields(data: &syn::Data) -> bool {
    matches!(data, syn::Data::Struct(data) if !matches!(data.fields, syn::Fields::Unnamed(_)))
}

/// The generic arguments with `'static` for every lifetime.
fn owner_arguments(generics: &syn::Generics) -> TokenStream {
    let arguments = generics.params.iter().map(|parameter| match parameter {
        GenericParam::Lifetime(parameter) => {
            let lifetime = Lifetime::new("'static", parameter.lifetime.span());
            quote!(#lifetime)
        }
        GenericParam::Type(parameter) => {
            let ident = &parameter.ident;
            quote!(#ident)
        }
        GenericParam::Const(parameter) => {
            let ident = &parameter.ident;
            quote!(#ident)
        }
    });
    quote!(<#(#arguments),*>)
}
