//! `#[derive(Metrics)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use crate::ast::{MetricField, MetricsInput};
use crate::attr::{Bounds, Buckets, Text};
use crate::ctxt::Ctxt;
use crate::valid;

pub(super) fn expand(cx: &mut Ctxt, read: &MetricsInput<'_>, path: &TokenStream) -> TokenStream {
    let group = &read.group;
    if let Some(prefix) = &group.prefix {
        check_prefix(cx, prefix);
    }
    for (name, _) in &group.labels {
        if let Err(message) = valid::label_name(&name.value) {
            cx.error(name, message);
        }
    }
    super::refuse_duplicates(cx, "label", group.labels.iter().map(|(name, _)| name));

    let names: Vec<_> = read.fields.iter().filter_map(|field| metric_name(cx, field)).collect();
    super::refuse_duplicates(cx, "metric", &names);

    let mut names = names.into_iter();
    let mut fields = Vec::new();
    for field in &read.fields {
        let ident = field.ident;
        let value = if field.attr.skip.is_some() {
            refuse_beside(cx, field, "skip");
            quote_spanned!(field.ty.span()=> ::core::default::Default::default())
        } else if field.attr.flatten.is_some() {
            refuse_beside(cx, field, "flatten");
            nested(cx, field, path)
        } else if let Some(name) = names.next() {
            metric(cx, field, &name, path)
        } else {
            continue;
        };
        fields.push(quote!(#ident: #value));
    }

    let ident = &read.input.ident;
    let (impl_generics, type_generics, where_clause) = read.input.generics.split_for_impl();
    let prefix = group.prefix.as_ref().map(|prefix| quote!(let registry = &registry.scope(#prefix);));
    let labels = (!group.labels.is_empty()).then(|| {
        let pairs = group.labels.iter().map(|(name, value)| quote!((#name, #value)));
        quote!(let registry = &registry.with_labels([#(#pairs),*])?;)
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #path::registry::Metrics for #ident #type_generics #where_clause {
            fn register(
                registry: &#path::registry::Registry,
            ) -> ::core::result::Result<Self, #path::Error> {
                #prefix
                #labels
                ::core::result::Result::Ok(Self { #(#fields),* })
            }
        }
    }
}

/// A prefix is the beginning of names: the same grammar, with no suffix to forbid.
fn check_prefix(cx: &mut Ctxt, prefix: &Text) {
    if let Err(message) = valid::metric_name(&prefix.value) {
        cx.error(prefix, message);
    } else if prefix.value.ends_with('_') {
        let instead = prefix.value.trim_end_matches('_');
        cx.error(prefix, format!("the underscore after the prefix is added; write `{instead}`"));
    }
}

/// The family's name in the group, checked. A unit that is given is the end of it.
fn metric_name(cx: &mut Ctxt, field: &MetricField<'_>) -> Option<Text> {
    let attr = &field.attr;
    if attr.skip.is_some() || attr.flatten.is_some() {
        return None;
    }
    let unit = attr.unit.as_ref().filter(|unit| match valid::unit(&unit.value) {
        Ok(()) => true,
        Err(message) => {
            cx.error(unit, message);
            false
        }
    });
    let mut name = attr.name.clone().unwrap_or_else(|| Text {
        value: field.ident.to_string().trim_start_matches("r#").to_owned(),
        span: field.ident.span(),
    });
    if let Err(message) = valid::metric_name(&name.value).and_then(|()| valid::metric_suffix(&name.value)) {
        cx.error(&name, message);
        return Some(name);
    }
    if let Some(unit) = unit {
        let ends = name.value.strip_suffix(unit.value.as_str()).is_some_and(|rest| rest.ends_with('_'));
        if !ends && attr.name.is_some() {
            let message =
                format!("a name ends in its unit; write `{}_{}` [OM1-FAM-11]", name.value, unit.value);
            cx.error(&name, message);
        } else if !ends {
            name.value = format!("{}_{}", name.value, unit.value);
        }
    }
    Some(name)
}

/// A group says nothing about a metric.
fn refuse_beside(cx: &mut Ctxt, field: &MetricField<'_>, what: &str) {
    let attr = &field.attr;
    let texts = [("name", &attr.name), ("help", &attr.help), ("unit", &attr.unit)];
    for (name, text) in texts {
        if let Some(text) = text {
            cx.error(text, format!("`{name}` has no meaning beside `{what}`"));
        }
    }
    if let Some(buckets) = &attr.buckets {
        cx.error_at(buckets.span, format!("`buckets` have no meaning beside `{what}`"));
    }
    if what == "skip" {
        if let Some(prefix) = &attr.prefix {
            cx.error(prefix, "`prefix` has no meaning beside `skip`");
        }
    }
}

/// A group of its own, under a prefix if there is one.
fn nested(cx: &mut Ctxt, field: &MetricField<'_>, path: &TokenStream) -> TokenStream {
    let ty = field.ty;
    let mut scope = quote!(registry);
    if let Some(prefix) = &field.attr.prefix {
        check_prefix(cx, prefix);
        scope = quote!(&registry.scope(#prefix));
    }
    quote_spanned!(ty.span()=> <#ty as #path::registry::Metrics>::register(#scope)?)
}

fn metric(cx: &mut Ctxt, field: &MetricField<'_>, name: &Text, path: &TokenStream) -> TokenStream {
    let attr = &field.attr;
    if let Some(prefix) = &attr.prefix {
        cx.error(prefix, "`prefix` is for groups, beside `flatten`; put it into the name");
    }
    if let Some(known) = last_segment(field.ty).filter(|segment| *segment == "Info") {
        cx.error(
            field.ty,
            format!("an `{known}` has its facts when it is made; use `registry.metric(..).info(facts)` and `#[metrics(skip)]`"),
        );
    }
    let help = match (&attr.help, &field.doc) {
        (Some(help), _) | (None, Some(help)) => help.value.as_str(),
        (None, None) => {
            cx.error(field.ident, "a metric needs a help text; write a doc comment above it [OM1-FAM-14]");
            ""
        }
    };
    let unit = attr.unit.as_ref().map(|unit| quote!(.unit(const { #path::model::Unit::from_static(#unit) })));
    let buckets = attr.buckets.as_ref().map(|buckets| {
        let bounds = buckets_of(cx, field, buckets);
        quote!(.buckets(#bounds))
    });
    let name = &name.value;
    let ty = field.ty;
    quote_spanned!(ty.span()=> registry.metric(#name, #help)#unit #buckets.register::<#ty>()?)
}

/// The bounds, checked where they are numbers; whole numbers may be written without a point.
fn buckets_of(cx: &mut Ctxt, field: &MetricField<'_>, buckets: &Buckets) -> TokenStream {
    if last_segment(field.ty).is_some_and(|segment| segment == "Counter" || segment == "Gauge") {
        cx.error_at(buckets.span, "only histograms have buckets");
    }
    let Some(bounds) = buckets.literals() else { return quote!(#buckets) };
    if bounds.is_empty() {
        cx.error_at(buckets.span, "no bounds are no buckets; leave `buckets` out for the default ones");
    }
    if let (Err((at, message)), Bounds::List(elements)) = (valid::bounds(&bounds), &buckets.bounds) {
        cx.error(elements.get(at), message);
    }
    quote!([#(#bounds),*])
}

/// The last name of a type's path, for advice that goes by names; types may be called otherwise.
fn last_segment(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}
