//! What a derive input says, before anything is judged.

use syn::{Data, DeriveInput, Fields};

use crate::attr::{Group, LabelAttr, MetricAttr, Text, doc};
use crate::ctxt::Ctxt;

/// A struct that derives `Metrics`.
pub(crate) struct MetricsInput<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) group: Group,
    pub(crate) fields: Vec<MetricField<'a>>,
}

/// One field of it.
pub(crate) struct MetricField<'a> {
    pub(crate) ident: &'a syn::Ident,
    pub(crate) ty: &'a syn::Type,
    pub(crate) attr: MetricAttr,
    pub(crate) doc: Option<Text>,
}

/// A struct that derives `LabelSet`.
pub(crate) struct LabelSetInput<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) attr: LabelAttr,
    pub(crate) fields: Vec<LabelField<'a>>,
}

/// One field of it.
pub(crate) struct LabelField<'a> {
    pub(crate) ident: &'a syn::Ident,
    pub(crate) ty: &'a syn::Type,
    /// The label's name.
    pub(crate) name: Text,
}

/// An enum that derives `LabelValue`.
pub(crate) struct LabelValueInput<'a> {
    pub(crate) input: &'a DeriveInput,
    pub(crate) attr: LabelAttr,
    pub(crate) variants: Vec<LabelVariant<'a>>,
}

/// One variant of it.
pub(crate) struct LabelVariant<'a> {
    pub(crate) ident: &'a syn::Ident,
    /// The label's value.
    pub(crate) value: Text,
}

impl<'a> MetricsInput<'a> {
    pub(crate) fn read(cx: &mut Ctxt, input: &'a DeriveInput) -> Self {
        let group = Group::read(cx, &input.attrs);
        let fields = named_fields(cx, input, "Metrics")
            .into_iter()
            .map(|(ident, field)| MetricField {
                ident,
                ty: &field.ty,
                attr: MetricAttr::read(cx, &field.attrs),
                doc: doc(&field.attrs),
            })
            .collect();
        Self { input, group, fields }
    }
}

impl<'a> LabelSetInput<'a> {
    pub(crate) fn read(cx: &mut Ctxt, input: &'a DeriveInput) -> Self {
        let attr = LabelAttr::read(cx, &input.attrs, true);
        let fields = named_fields(cx, input, "LabelSet")
            .into_iter()
            .map(|(ident, field)| {
                let own = LabelAttr::read(cx, &field.attrs, false);
                let name = own.rename.unwrap_or_else(|| Text {
                    value: attr.rename_all.unwrap_or_default().apply(&ident.to_string()),
                    span: ident.span(),
                });
                LabelField { ident, ty: &field.ty, name }
            })
            .collect();
        Self { input, attr, fields }
    }
}

impl<'a> LabelValueInput<'a> {
    pub(crate) fn read(cx: &mut Ctxt, input: &'a DeriveInput) -> Self {
        let attr = LabelAttr::read(cx, &input.attrs, true);
        let mut variants = Vec::new();
        match &input.data {
            Data::Enum(data) => {
                for variant in &data.variants {
                    if !matches!(variant.fields, Fields::Unit) {
                        cx.error(
                            &variant.fields,
                            "a label value is one of a fixed list, so its variants have no fields; \
                             put the text into a label of type `&str` instead",
                        );
                    }
                    let own = LabelAttr::read(cx, &variant.attrs, false);
                    let value = own.rename.unwrap_or_else(|| Text {
                        value: attr.rename_all.unwrap_or_default().apply(&variant.ident.to_string()),
                        span: variant.ident.span(),
                    });
                    variants.push(LabelVariant { ident: &variant.ident, value });
                }
                if data.variants.is_empty() {
                    cx.error(&input.ident, "an enum without variants has no label value");
                }
            }
            _ => cx
                .error(&input.ident, "`LabelValue` is derived for enums, such as `enum Method { Get, Put }`"),
        }
        Self { input, attr, variants }
    }
}

fn named_fields<'a>(
    cx: &mut Ctxt,
    input: &'a DeriveInput,
    derive: &str,
) -> Vec<(&'a syn::Ident, &'a syn::Field)> {
    match &input.data {
        Data::Struct(data) if !matches!(data.fields, Fields::Unnamed(_)) => {
            data.fields.iter().filter_map(|field| field.ident.as_ref().map(|ident| (ident, field))).collect()
        }
        _ => {
            let what = if derive == "Metrics" { "metrics" } else { "labels" };
            cx.error(&input.ident, format!("`{derive}` is derived for structs whose fields are named: the names are those of the {what}"));
            Vec::new()
        }
    }
}
