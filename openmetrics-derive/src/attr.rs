//! Reads `#[metrics(..)]`, `#[metric(..)]` and `#[label(..)]`; every mistake goes to the [`Ctxt`].

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::token::Bracket;
use syn::{Attribute, Expr, ExprLit, ExprUnary, Lit, LitStr, Token, UnOp, bracketed};

use crate::case::Case;
use crate::ctxt::Ctxt;
use crate::setting::{Flag, Native, Time, number};

/// A text and where it was written, for errors.
#[derive(Clone)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) span: Span,
}

impl From<LitStr> for Text {
    fn from(lit: LitStr) -> Self {
        Self { value: lit.value(), span: lit.span() }
    }
}

impl ToTokens for Text {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        LitStr::new(&self.value, self.span).to_tokens(tokens);
    }
}

/// `#[metrics(..)]` on a struct.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) prefix: Option<Text>,
    pub(crate) labels: Vec<(Text, Text)>,
    pub(crate) path: Option<syn::Path>,
}

/// `#[metric(..)]` or `#[metrics(flatten, ..)]` on a field.
#[derive(Default)]
pub(crate) struct MetricAttr {
    pub(crate) name: Option<Text>,
    pub(crate) help: Option<Text>,
    pub(crate) unit: Option<Text>,
    pub(crate) buckets: Option<Buckets>,
    pub(crate) native: Option<Native>,
    pub(crate) labels: Option<Vec<Text>>,
    pub(crate) max_series: Option<Expr>,
    pub(crate) idle_expiry: Option<Time>,
    pub(crate) exemplars: Option<Flag>,
    pub(crate) thread_owned: Option<Flag>,
    pub(crate) compact: Option<Flag>,
    pub(crate) flatten: Option<Span>,
    pub(crate) skip: Option<Span>,
    pub(crate) prefix: Option<Text>,
}

/// `#[label(..)]` on a struct, an enum, a field or a variant.
#[derive(Default)]
pub(crate) struct LabelAttr {
    pub(crate) rename: Option<Text>,
    pub(crate) rename_all: Option<Case>,
    pub(crate) path: Option<syn::Path>,
}

/// A value given twice keeps the first and is an error.
pub(crate) fn set<T>(slot: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if slot.is_some() {
        let name = meta.path.to_token_stream();
        return Err(meta.error(format!("`{name}` is given twice")));
    }
    *slot = Some(value);
    Ok(())
}

/// Runs `read` for every entry of every attribute called `name`. An entry that fails is noted, and the next one is read.
fn each(
    cx: &mut Ctxt,
    attrs: &[Attribute],
    name: &str,
    mut read: impl FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    each_with(cx, attrs, name, |meta, _| read(meta));
}

/// The same for entries that have parts of their own, whose mistakes `read` hands on.
fn each_with(
    cx: &mut Ctxt,
    attrs: &[Attribute],
    name: &str,
    mut read: impl FnMut(&ParseNestedMeta<'_>, &mut dyn FnMut(syn::Error)) -> syn::Result<()>,
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident(name)) {
        let mut parts = Vec::new();
        let all = attr.parse_nested_meta(|meta| {
            let result = read(&meta, &mut |error| parts.push(error));
            skip_after(&meta, result, &mut |error| cx.push(error))
        });
        parts.into_iter().chain(all.err()).for_each(|error| cx.push(error));
    }
}

/// Reads an entry; if that fails, notes it and goes on behind the comma.
pub(crate) fn recover(
    meta: &ParseNestedMeta<'_>,
    mistake: &mut dyn FnMut(syn::Error),
    read: impl FnOnce(&ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    let result = read(meta);
    skip_after(meta, result, mistake)
}

fn skip_after(
    meta: &ParseNestedMeta<'_>,
    result: syn::Result<()>,
    mistake: &mut dyn FnMut(syn::Error),
) -> syn::Result<()> {
    if let Err(error) = result {
        mistake(error);
        while !meta.input.is_empty() && !meta.input.peek(Token![,]) {
            meta.input.parse::<TokenTree>()?;
        }
    }
    Ok(())
}

pub(crate) fn unknown(meta: &ParseNestedMeta<'_>, known: &str) -> syn::Error {
    let name = meta.path.to_token_stream();
    meta.error(format!("`{name}` is not known here; there are {known}"))
}

impl Group {
    pub(crate) fn read(cx: &mut Ctxt, attrs: &[Attribute]) -> Self {
        let mut this = Self::default();
        each(cx, attrs, "metrics", |meta| {
            if meta.path.is_ident("prefix") {
                let lit: LitStr = meta.value()?.parse()?;
                set(&mut this.prefix, lit.into(), meta)
            } else if meta.path.is_ident("labels") {
                meta.parse_nested_meta(|label| {
                    let name = label.path.require_ident()?;
                    let name = Text {
                        value: name.to_string().trim_start_matches("r#").to_owned(),
                        span: name.span(),
                    };
                    let value: LitStr = label.value()?.parse()?;
                    this.labels.push((name, value.into()));
                    Ok(())
                })
            } else if meta.path.is_ident("crate") {
                let path = meta.value()?.call(syn::Path::parse_mod_style)?;
                set(&mut this.path, path, meta)
            } else {
                Err(unknown(meta, "`prefix = \"app\"`, `labels(zone = \"eu\")` and `crate = path`"))
            }
        });
        this
    }
}

impl MetricAttr {
    pub(crate) fn read(cx: &mut Ctxt, attrs: &[Attribute]) -> Self {
        let mut this = Self::default();
        each_with(cx, attrs, "metric", |meta, mistake| {
            if meta.path.is_ident("name") {
                let lit: LitStr = meta.value()?.parse()?;
                set(&mut this.name, lit.into(), meta)
            } else if meta.path.is_ident("help") {
                let lit: LitStr = meta.value()?.parse()?;
                set(&mut this.help, lit.into(), meta)
            } else if meta.path.is_ident("unit") {
                let lit: LitStr = meta.value()?.parse()?;
                set(&mut this.unit, lit.into(), meta)
            } else if meta.path.is_ident("buckets") {
                let buckets: Buckets = meta.value()?.parse()?;
                set(&mut this.buckets, buckets, meta)
            } else if meta.path.is_ident("native") {
                set(&mut this.native, Native::read(meta, mistake)?, meta)
            } else if meta.path.is_ident("labels") {
                set(&mut this.labels, texts(meta)?, meta)
            } else if meta.path.is_ident("max_series") {
                let fits = |max: f64| max >= 1.0 && max.fract() == 0.0;
                let max = number(meta, fits, "how many series there may be is a whole number from 1 on")?;
                set(&mut this.max_series, max, meta)
            } else if meta.path.is_ident("idle_expiry") {
                set(&mut this.idle_expiry, Time::read(meta)?, meta)
            } else if meta.path.is_ident("exemplars") {
                set(&mut this.exemplars, Flag::read(meta)?, meta)
            } else if meta.path.is_ident("thread_owned") {
                set(&mut this.thread_owned, Flag::read(meta)?, meta)
            } else if meta.path.is_ident("compact") {
                set(&mut this.compact, Flag::read(meta)?, meta)
            } else if meta.path.is_ident("flatten") || meta.path.is_ident("skip") {
                // Taken for what is meant, so that nothing else is said of the field.
                this.skip = Some(meta.path.span());
                let name = meta.path.to_token_stream();
                Err(meta.error(format!("write `#[metrics({name})]`: it is about a group, not a metric")))
            } else {
                Err(unknown(
                    meta,
                    "`name`, `help`, `unit`, `labels`, `buckets`, `native`, `exemplars`, `max_series`, `idle_expiry`, \
                     `compact` and `thread_owned`",
                ))
            }
        });
        each(cx, attrs, "metrics", |meta| {
            if meta.path.is_ident("flatten") {
                set(&mut this.flatten, meta.path.span(), meta)
            } else if meta.path.is_ident("skip") {
                set(&mut this.skip, meta.path.span(), meta)
            } else if meta.path.is_ident("prefix") {
                let lit: LitStr = meta.value()?.parse()?;
                set(&mut this.prefix, lit.into(), meta)
            } else {
                Err(unknown(
                    meta,
                    "`flatten`, `prefix = \"db\"` and `skip`; what describes one metric goes into `#[metric(..)]`",
                ))
            }
        });
        this
    }
}

impl LabelAttr {
    pub(crate) fn read(cx: &mut Ctxt, attrs: &[Attribute], container: bool) -> Self {
        let mut this = Self::default();
        each(cx, attrs, "label", |meta| {
            if !container && meta.path.is_ident("rename") {
                let lit: LitStr = meta.value()?.parse()?;
                set(&mut this.rename, lit.into(), meta)
            } else if container && meta.path.is_ident("rename_all") {
                let lit: LitStr = meta.value()?.parse()?;
                let case = Case::from_spelling(&lit.value())
                    .map_err(|message| syn::Error::new(lit.span(), message))?;
                set(&mut this.rename_all, case, meta)
            } else if container && meta.path.is_ident("crate") {
                let path = meta.value()?.call(syn::Path::parse_mod_style)?;
                set(&mut this.path, path, meta)
            } else if container {
                Err(unknown(meta, "`rename_all = \"snake_case\"` and `crate = path`"))
            } else {
                Err(unknown(meta, "`rename = \"name\"`"))
            }
        });
        this
    }
}

/// `= ["method", "path"]`.
fn texts(meta: &ParseNestedMeta<'_>) -> syn::Result<Vec<Text>> {
    let value = meta.value()?;
    let list;
    bracketed!(list in value);
    let texts = Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?;
    Ok(texts.into_iter().map(Text::from).collect())
}

/// The doc comment as a help text: its first paragraph on one line.
pub(crate) fn doc(attrs: &[Attribute]) -> Option<Text> {
    let mut lines: Vec<(String, Span)> = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("doc")) {
        let syn::Meta::NameValue(meta) = &attr.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(lit), .. }) = &meta.value else { continue };
        // An empty doc line has no lines at all, and ends the paragraph.
        lines.extend(lit.value().split('\n').map(|line| (line.trim().to_owned(), attr.span())));
    }
    let paragraph: Vec<_> = lines
        .into_iter()
        .skip_while(|(line, _)| line.is_empty())
        .take_while(|(line, _)| !line.is_empty())
        .collect();
    let span = paragraph.first()?.1;
    Some(Text { value: paragraph.into_iter().map(|(line, _)| line).collect::<Vec<_>>().join(" "), span })
}

/// What `buckets` is given: a list that is looked at here, or an expression for later.
pub(crate) struct Buckets {
    pub(crate) bounds: Bounds,
    pub(crate) span: Span,
}

pub(crate) enum Bounds {
    List(Vec<Expr>),
    Expr(Expr),
}

impl Parse for Buckets {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Bracket) {
            let list;
            let bracket = bracketed!(list in input);
            let elements = Punctuated::<Expr, Token![,]>::parse_terminated(&list)?;
            Ok(Self { bounds: Bounds::List(elements.into_iter().collect()), span: bracket.span.join() })
        } else {
            let expr: Expr = input.parse()?;
            Ok(Self { span: expr.span(), bounds: Bounds::Expr(expr) })
        }
    }
}

impl Buckets {
    /// The bounds, if all are plain numbers.
    pub(crate) fn literals(&self) -> Option<Vec<f64>> {
        match &self.bounds {
            Bounds::List(elements) => elements.iter().map(literal_number).collect(),
            Bounds::Expr(_) => None,
        }
    }
}

impl ToTokens for Buckets {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.bounds {
            Bounds::List(elements) => quote!([#(#elements),*]).to_tokens(tokens),
            Bounds::Expr(expr) => expr.to_tokens(tokens),
        }
    }
}

pub(crate) fn literal_number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Float(lit), .. }) => lit.base10_parse().ok(),
        Expr::Lit(ExprLit { lit: Lit::Int(lit), .. }) => lit.base10_parse().ok(),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) if matches!(**expr, Expr::Lit(_)) => {
            literal_number(expr).map(|number| -number)
        }
        _ => None,
    }
}
