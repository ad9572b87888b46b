//! `#[derive(Metrics)]`.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, Type};

use crate::ast::{MetricField, MetricsInput};
use crate::attr::{Bounds, Buckets, MetricAttr, Text, literal_number};
use crate::ctxt::Ctxt;
use crate::setting::{Flag, Time};
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

    refuse_twins(cx, &read.fields);
    for field in &read.fields {
        let given = field
            .attr
            .labels
            .iter()
            .flatten()
            .filter(|label| group.labels.iter().any(|(name, _)| name.value == label.value));
        for label in given {
            cx.error(
                label,
                format!("every metric of the group has the label `{}` already [OM1-LAB-02]", label.value),
            );
        }
    }

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
    let label_checks = label_checks(read, path);
    quote! {
        #label_checks
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

/// Two groups of one type under one prefix would have the same names.
fn refuse_twins(cx: &mut Ctxt, fields: &[MetricField<'_>]) {
    let mut seen = HashSet::new();
    for field in fields.iter().filter(|field| field.attr.flatten.is_some()) {
        let prefix = field.attr.prefix.as_ref().map(|prefix| prefix.value.as_str());
        if !seen.insert((prefix, field.ty.to_token_stream().to_string())) {
            let name = field.ident.to_string();
            let name = name.trim_start_matches("r#");
            let message = format!(
                "its metrics have the names of a group before it; write `#[metrics(flatten, prefix = \"{name}\")]` [OM1-FAM-01]"
            );
            cx.error(field.ident, message);
        }
    }
}

/// Label sets of derived types are known to the compiler, though not here: it holds them against the labels of the group.
fn label_checks(read: &MetricsInput<'_>, path: &TokenStream) -> TokenStream {
    // Parameters cannot be used in a constant beside the struct; then registration finds it.
    if !read.input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let families =
        read.fields.iter().filter(|field| field.attr.skip.is_none() && field.attr.flatten.is_none());
    let families = families.filter_map(|field| family_labels(field.ty));
    let checks = families.flat_map(|labels| {
        read.group.labels.iter().map(move |(name, _)| {
            let message = format!(
                "every metric of the group has the label `{}` already, so its label sets cannot [OM1-LAB-02]",
                name.value
            );
            quote_spanned! {labels.span()=>
                const _: () = ::core::assert!(
                    !#path::instrument::has_label(<#labels as #path::instrument::LabelSet>::NAMES, #name),
                    #message
                );
            }
        })
    });
    checks.collect()
}

/// `L` of `Family<L, M>`.
fn family_labels(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Family")?;
    let PathArguments::AngleBracketed(list) = &last.arguments else { return None };
    list.args.iter().find_map(|arg| if let GenericArgument::Type(ty) = arg { Some(ty) } else { None })
}

/// A prefix is the beginning of names: the same grammar, with no suffix to forbid.
pub(super) fn check_prefix(cx: &mut Ctxt, prefix: &Text) {
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
    for (name, span) in settings(attr) {
        cx.error_at(span, format!("`{name}` has no meaning beside `{what}`"));
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
    let settings = check_settings(cx, field, path);
    let name = &name.value;
    let ty = field.ty;
    quote_spanned!(ty.span()=> registry.metric(#name, #help)#unit #buckets #settings.register::<#ty>()?)
}

/// The settings that are given, by name and place.
fn settings(attr: &MetricAttr) -> impl Iterator<Item = (&'static str, Span)> {
    let labels =
        attr.labels.as_deref().map(|names| names.first().map_or_else(Span::call_site, |name| name.span));
    [
        ("labels", labels),
        ("native", attr.native.as_ref().map(|native| native.span)),
        ("max_series", attr.max_series.as_ref().map(Spanned::span)),
        ("idle_expiry", attr.idle_expiry.as_ref().map(Time::span)),
        ("exemplars", attr.exemplars.as_ref().map(|flag| flag.span)),
        ("compact", attr.compact.as_ref().map(|flag| flag.span)),
        ("thread_owned", attr.thread_owned.as_ref().map(|flag| flag.span)),
    ]
    .into_iter()
    .filter_map(|(name, span)| Some((name, span?)))
}

/// The calls that hand the settings to the definition. What makes no sense for the type of the field, as far as its name
/// tells, is a mistake.
fn check_settings(cx: &mut Ctxt, field: &MetricField<'_>, path: &TokenStream) -> TokenStream {
    let (attr, types) = (&field.attr, Types::of(field.ty));
    for (name, span) in settings(attr) {
        let only = match name {
            "native" if types.metric_is(&["Counter", "Gauge", "StateSet", "Summary"]) => {
                "histograms have buckets"
            }
            "exemplars" if types.metric_is(&["Gauge", "StateSet", "Summary"]) => {
                "counters and histograms have exemplars [OM1-EX-01]"
            }
            "labels" | "max_series" | "idle_expiry" | "compact" if types.alone => {
                "families have series; make it a `Family<[&'static str; 1], ..>`"
            }
            _ => continue,
        };
        cx.error_at(span, format!("`{name}` has no meaning here: only {only}"));
    }
    if let Some(labels) = &attr.labels {
        for label in labels {
            if let Err(message) = valid::label_name(&label.value) {
                cx.error(label, message);
            }
        }
        super::refuse_duplicates(cx, "label", labels);
        match types.labels {
            Some(length) if length != labels.len() => {
                let span = labels.first().map_or_else(|| field.ty.span(), |label| label.span);
                cx.error_at(span, format!("{} names for {length} labels", labels.len()));
            }
            _ => {}
        }
    } else if types.labels.is_some() {
        cx.error(
            field.ty,
            "an array does not know the names of its labels; write `#[metric(labels = [\"method\", ..])]`",
        );
    }
    let labels = attr.labels.as_ref().map(|labels| quote!(.labels([#(#labels),*])));
    let native = attr.native.as_ref().map(|native| native.call(path));
    let max_series = attr.max_series.as_ref().map(|max| quote!(.max_series(#max)));
    let idle_expiry = attr.idle_expiry.as_ref().map(|time| quote!(.idle_expiry(#time)));
    let exemplars = attr.exemplars.as_ref().map(|Flag { on, .. }| quote!(.exemplars(#on)));
    let thread_owned = attr.thread_owned.as_ref().map(|Flag { on, .. }| quote!(.thread_owned(#on)));
    let compact = attr.compact.as_ref().map(|Flag { on, .. }| quote!(.compact(#on)));
    quote!(#labels #native #max_series #idle_expiry #exemplars #compact #thread_owned)
}

/// What a field's type says by its names; types may be called otherwise, then it says nothing.
struct Types {
    /// It is a metric, not a family of them.
    alone: bool,
    /// The metric, also that of a family.
    metric: Option<String>,
    /// How many labels there are, if they are an array.
    labels: Option<usize>,
}

impl Types {
    fn of(ty: &Type) -> Self {
        let Type::Path(path) = ty else { return Self { alone: false, metric: None, labels: None } };
        let Some(last) = path.path.segments.last() else {
            return Self { alone: false, metric: None, labels: None };
        };
        let name = last.ident.to_string();
        let arguments: Vec<_> = match &last.arguments {
            PathArguments::AngleBracketed(list) => list
                .args
                .iter()
                .filter_map(|arg| if let GenericArgument::Type(ty) = arg { Some(ty) } else { None })
                .collect(),
            _ => Vec::new(),
        };
        if name != "Family" && name != "DynamicFamily" {
            let alone = ["Counter", "Gauge", "Histogram", "Summary", "StateSet"].contains(&&*name);
            return Self { alone, metric: Some(name), labels: None };
        }
        let labels = match family_labels(ty) {
            Some(Type::Array(array)) => literal_number(&array.len).map(|length| length as usize),
            _ => None,
        };
        Self { alone: false, metric: arguments.last().and_then(|ty| last_segment(ty)), labels }
    }

    fn metric_is(&self, names: &[&str]) -> bool {
        self.metric.as_deref().is_some_and(|metric| names.contains(&metric))
    }
}

/// The bounds, checked where they are numbers; whole numbers may be written without a point.
fn buckets_of(cx: &mut Ctxt, field: &MetricField<'_>, buckets: &Buckets) -> TokenStream {
    if Types::of(field.ty).metric_is(&["Counter", "Gauge", "StateSet", "Summary"]) {
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
