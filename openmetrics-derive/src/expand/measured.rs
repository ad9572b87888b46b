//! `#[measured]`.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, Expr, Generics, Ident, LitStr, ReturnType, Token, Type, Visibility, token};

use crate::attr::{Text, recover, set, unknown};
use crate::ctxt::Ctxt;
use crate::setting::Flag;
use crate::valid;

/// A function as far as it matters here. (syn's own would need its whole grammar of Rust, which takes long to build.)
struct Function {
    attrs: Vec<Attribute>,
    vis: Visibility,
    /// What stands before `fn`, such as `async`.
    modifiers: Vec<TokenTree>,
    name: Ident,
    generics: Generics,
    inputs: Group,
    output: ReturnType,
    body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let mut modifiers = Vec::new();
        while !input.peek(Token![fn]) {
            if input.is_empty() || input.peek(token::Brace) {
                return Err(
                    input.error("`measured` is for functions, such as `async fn query(..) -> Result<..>`")
                );
            }
            modifiers.push(input.parse()?);
        }
        input.parse::<Token![fn]>()?;
        let name = input.parse()?;
        let mut generics: Generics = input.parse()?;
        let inputs = input.parse()?;
        let output = input.parse()?;
        generics.where_clause = input.parse()?;
        if input.peek(Token![;]) {
            return Err(input.error("a function without a body runs nowhere; measure what implements it"));
        }
        Ok(Self { attrs, vis, modifiers, name, generics, inputs, output, body: input.parse()? })
    }
}

impl Function {
    fn modifier(&self, word: &str) -> Option<&TokenTree> {
        self.modifiers.iter().find(|token| matches!(token, TokenTree::Ident(ident) if ident == word))
    }

    /// Whether it says that it gives a `Result`, by the name of its type.
    fn gives_result(&self) -> bool {
        let ReturnType::Type(_, ty) = &self.output else { return false };
        let Type::Path(path) = &**ty else { return false };
        path.path.segments.last().is_some_and(|last| last.ident.to_string().ends_with("Result"))
    }

    fn with_body(&self, body: &TokenStream) -> TokenStream {
        let Self { attrs, vis, modifiers, name, generics, inputs, output, .. } = self;
        let clause = &generics.where_clause;
        quote!(#(#attrs)* #vis #(#modifiers)* fn #name #generics #inputs #output #clause { #body })
    }
}

/// What the attribute says.
#[derive(Default)]
struct Args {
    prefix: Option<Text>,
    calls: Option<Expr>,
    fallible: Option<Flag>,
    path: Option<syn::Path>,
}

impl Args {
    fn read(cx: &mut Ctxt, tokens: TokenStream) -> Self {
        let mut this = Self::default();
        let parser = syn::meta::parser(|meta| {
            recover(&meta, &mut |error| cx.push(error), |meta| this.read_part(meta))
        });
        let parsed = parser.parse2(tokens);
        if let Err(error) = parsed {
            cx.push(error);
        }
        this
    }

    fn read_part(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("prefix") {
            let lit: LitStr = meta.value()?.parse()?;
            set(&mut self.prefix, lit.into(), meta)
        } else if meta.path.is_ident("calls") {
            let calls = meta.value()?.parse()?;
            set(&mut self.calls, calls, meta)
        } else if meta.path.is_ident("fallible") {
            set(&mut self.fallible, Flag::read(meta)?, meta)
        } else if meta.path.is_ident("crate") {
            let path = meta.value()?.call(syn::Path::parse_mod_style)?;
            set(&mut self.path, path, meta)
        } else {
            Err(unknown(
                meta,
                "`prefix = \"db\"`, `calls = self.calls`, `fallible = false` and `crate = path`",
            ))
        }
    }
}

pub(crate) fn expand(args: TokenStream, item: &TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(#error #item);
        }
    };
    let mut cx = Ctxt::default();
    let args = Args::read(&mut cx, args);
    check(&mut cx, &args, &function);
    // The function as it was, so that who calls it has no mistake to be told.
    super::finish(cx, measured(&args, &function), || item.clone())
}

fn check(cx: &mut Ctxt, args: &Args, function: &Function) {
    if let Some(word) = function.modifier("const") {
        cx.error(
            word,
            "a `const fn` may run when this is compiled, where nothing is counted; measure who calls it",
        );
    }
    if let (Some(prefix), Some(_)) = (&args.prefix, &args.calls) {
        cx.error(prefix, "`calls` have their names already; leave `prefix` out");
    }
    if let Some(prefix) = &args.prefix {
        super::metrics::check_prefix(cx, prefix);
    } else if args.calls.is_none() {
        if let Err(message) = valid::metric_name(&name_of(function)) {
            cx.error(&function.name, format!("{message}, or give a `prefix = \"..\"`"));
        }
    }
}

fn name_of(function: &Function) -> String {
    function.name.to_string().trim_start_matches("r#").to_owned()
}

fn measured(args: &Args, function: &Function) -> TokenStream {
    let path = super::path(args.path.as_ref());
    let calls = if let Some(calls) = &args.calls {
        // A clone, since a body may want all of `self` for itself.
        quote!(let calls = &::core::clone::Clone::clone(&#calls);)
    } else {
        let prefix = args.prefix.as_ref().map_or_else(|| name_of(function), |prefix| prefix.value.clone());
        quote! {
            static CALLS: ::std::sync::LazyLock<#path::Calls> = ::std::sync::LazyLock::new(|| {
                #path::Calls::at_first_use(::core::concat!(::core::file!(), ":", ::core::line!()), #prefix)
            });
            let calls = &*CALLS;
        }
    };
    let fallible = args.fallible.as_ref().map_or_else(|| function.gives_result(), |flag| flag.on);
    let is_async = function.modifier("async").is_some();
    let body = &function.body;
    // Where nothing has to be awaited or looked at, the body stays as it is: it may give back what it borrows.
    if !is_async && !fallible {
        let rest = body.stream();
        return function.with_body(&quote! {
            let __openmetrics_calls = { #calls ::core::clone::Clone::clone(calls) };
            let __openmetrics_call = __openmetrics_calls.begin_infallible();
            #rest
        });
    }
    let ty = match &function.output {
        ReturnType::Default => Some(quote!(())),
        ReturnType::Type(_, ty) => Some(ty.to_token_stream()).filter(|ty| !mentions_impl(ty.clone())),
    };
    if !fallible {
        let of_type = ty.map(|ty| quote!(: #ty));
        return function.with_body(&quote! {
            #calls
            let call = calls.begin();
            #[allow(clippy::redundant_async_block)]
            let result #of_type = async move #body.await;
            call.end_ok();
            result
        });
    }
    if is_async {
        // Said first, so that `?` knows what it gives.
        let of_type = ty.map(|ty| quote!(: #ty));
        return function.with_body(&quote! {
            #calls
            #[allow(clippy::redundant_async_block)]
            let result #of_type = calls.count_async(async move #body).await;
            result
        });
    }
    let gives = ty.map(|ty| quote!(-> #ty));
    function.with_body(&quote!(#calls calls.count(move || #gives #body)))
}

/// Whether a type cannot be written again, because each `impl Trait` is one of its own.
fn mentions_impl(tokens: TokenStream) -> bool {
    let mut left: Vec<TokenTree> = tokens.into_iter().collect();
    while let Some(token) = left.pop() {
        match token {
            TokenTree::Ident(ident) if ident == "impl" => return true,
            TokenTree::Group(group) => left.extend(group.stream()),
            _ => {}
        }
    }
    false
}
