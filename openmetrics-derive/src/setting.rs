//! The settings of one metric beyond its name: numbers and times that are looked at here where they are literals, and expressions
//! for the library where they are not.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitBool, LitStr, Token, token};

use crate::attr::{literal_number, set, unknown};

/// `exemplars` or `exemplars = false`.
pub(crate) struct Flag {
    pub(crate) on: bool,
    pub(crate) span: Span,
}

impl Flag {
    pub(crate) fn read(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let span = meta.path.span();
        let on = if meta.input.peek(Token![=]) { meta.value()?.parse::<LitBool>()?.value } else { true };
        Ok(Self { on, span })
    }
}

/// A length of time: `"15m"`, or an expression that is a `Duration`.
pub(crate) enum Time {
    Millis(u64, Span),
    Expr(Expr),
}

impl Time {
    pub(crate) fn read(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let value = meta.value()?;
        if value.peek(LitStr) {
            let lit: LitStr = value.parse()?;
            return match millis(&lit.value()) {
                Some(0) => Err(syn::Error::new(lit.span(), "no time at all; leave it out")),
                Some(millis) => Ok(Self::Millis(millis, lit.span())),
                None => Err(syn::Error::new(
                    lit.span(),
                    "write a number and `ms`, `s`, `m`, `h` or `d`, such as `\"15m\"`, or an expression that is a `Duration`",
                )),
            };
        }
        let expr: Expr = value.parse()?;
        if literal_number(&expr).is_some() {
            return Err(syn::Error::new_spanned(
                &expr,
                format!("of what? write `\"{}s\"` for seconds", expr.to_token_stream()),
            ));
        }
        Ok(Self::Expr(expr))
    }

    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Millis(_, span) => *span,
            Self::Expr(expr) => expr.span(),
        }
    }
}

impl ToTokens for Time {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Millis(millis, _) => quote!(::core::time::Duration::from_millis(#millis)),
            Self::Expr(expr) => quote!(#expr),
        });
    }
}

fn millis(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// `native`, `native = false`, or `native(factor = 1.1, max_buckets = 160, ..)`.
pub(crate) struct Native {
    pub(crate) span: Span,
    pub(crate) on: bool,
    pub(crate) factor: Option<Expr>,
    pub(crate) max_buckets: Option<Expr>,
    pub(crate) zero_threshold: Option<Expr>,
    pub(crate) max_zero_threshold: Option<Expr>,
    pub(crate) min_reset: Option<Time>,
}

impl Native {
    /// Mistakes in its parts go to `mistake`, so that the parts after them are read as well.
    pub(crate) fn read(meta: &ParseNestedMeta<'_>, mistake: &mut dyn FnMut(syn::Error)) -> syn::Result<Self> {
        let mut this = Self {
            span: meta.path.span(),
            on: true,
            factor: None,
            max_buckets: None,
            zero_threshold: None,
            max_zero_threshold: None,
            min_reset: None,
        };
        if !meta.input.peek(token::Paren) {
            this.on = Flag::read(meta)?.on;
            return Ok(this);
        }
        meta.parse_nested_meta(|part| crate::attr::recover(&part, mistake, |part| this.read_part(part)))?;
        Ok(this)
    }

    fn read_part(&mut self, part: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if part.path.is_ident("factor") {
            let value = number(
                part,
                |factor| factor > 1.0,
                "each bucket is wider than the one before, so the factor is above 1 [NH-26]",
            )?;
            set(&mut self.factor, value, part)
        } else if part.path.is_ident("max_buckets") {
            let value = number(
                part,
                |max| max >= 1.0 && max.fract() == 0.0,
                "how many buckets there may be is a whole number from 1 on",
            )?;
            set(&mut self.max_buckets, value, part)
        } else if part.path.is_ident("zero_threshold") {
            let value = number(
                part,
                |threshold| threshold >= 0.0,
                "the zero bucket reaches as far as this on both sides, so it is not negative",
            )?;
            set(&mut self.zero_threshold, value, part)
        } else if part.path.is_ident("max_zero_threshold") {
            let value = number(
                part,
                |threshold| threshold >= 0.0,
                "the zero bucket reaches as far as this on both sides, so it is not negative",
            )?;
            set(&mut self.max_zero_threshold, value, part)
        } else if part.path.is_ident("min_reset") {
            set(&mut self.min_reset, Time::read(part)?, part)
        } else {
            Err(unknown(
                part,
                "`factor`, `max_buckets`, `zero_threshold`, `max_zero_threshold` and `min_reset`",
            ))
        }
    }

    /// The call that hands it to a definition.
    pub(crate) fn call(&self, path: &TokenStream) -> TokenStream {
        let native = quote_spanned!(self.span=> #path::instrument::Native);
        if !self.on {
            return quote!(.native(::core::option::Option::<#native>::None));
        }
        let float =
            |expr: &Expr| literal_number(expr).map_or_else(|| quote!(#expr), |number| quote!(#number));
        let factor = self.factor.as_ref().map(|e| {
            let e = float(e);
            quote!(.with_factor(#e))
        });
        let max_buckets = self.max_buckets.as_ref().map(|e| quote!(.with_max_buckets(#e)));
        let zero = self.zero_threshold.as_ref().map(|e| {
            let e = float(e);
            quote!(.with_zero_threshold(#e))
        });
        let max_zero = self.max_zero_threshold.as_ref().map(|e| {
            let e = float(e);
            quote!(.with_max_zero_threshold(#e))
        });
        let min_reset = self.min_reset.as_ref().map(|time| quote!(.with_min_reset(#time)));
        quote!(.native(#native::new() #factor #max_buckets #zero #max_zero #min_reset))
    }
}

/// The value of an entry; if it is a number in figures, one that fits.
pub(crate) fn number(
    meta: &ParseNestedMeta<'_>,
    fits: impl Fn(f64) -> bool,
    message: &str,
) -> syn::Result<Expr> {
    let expr: Expr = meta.value()?.parse()?;
    let is_text =
        matches!(&expr, Expr::Lit(ExprLit { lit, .. }) if !matches!(lit, Lit::Int(_) | Lit::Float(_)));
    if is_text || literal_number(&expr).is_some_and(|number| !fits(number)) {
        return Err(syn::Error::new_spanned(&expr, message));
    }
    Ok(expr)
}

#[cfg(test)]
mod tests {
    use super::millis;

    #[test]
    fn times() {
        for (text, expected) in [
            ("250ms", Some(250)),
            ("15m", Some(900_000)),
            ("1d", Some(86_400_000)),
            ("0s", Some(0)),
            ("5", None),
            ("m", None),
            ("", None),
            ("1w", None),
            ("99999999999999999999s", None),
            ("9999999999999999999d", None),
        ] {
            assert_eq!(millis(text), expected, "{text}");
        }
    }
}
