//! Exemplars from the spans of `tracing` (feature `tracing`).
//!
//! A span that has the fields `trace_id` and `span_id` is what its events' exemplars refer to, and those of the spans within it that
//! have none of their own:
//!
//! ```
//! use openmetrics::{Counter, Registry, spans::SpanLayer};
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let registry = Registry::new();
//! let requests: Counter = registry.metric("requests", "Requests served.").exemplars(true).register()?;
//!
//! let subscriber = tracing_subscriber::registry().with(SpanLayer::new());
//! tracing::subscriber::with_default(subscriber, || {
//!     let span = tracing::info_span!(
//!         "request",
//!         trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
//!         span_id = "00f067aa0ba902b7",
//!     );
//!     span.in_scope(|| requests.inc()); // with an exemplar
//! });
//! # Ok::<(), openmetrics::Error>(())
//! ```
//!
//! Where spans get their ids from OpenTelemetry, no layer is needed: [`set_span_source`](crate::instrument::set_span_source) takes a
//! function that asks `opentelemetry::Context::current()`.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::instrument::SpanContext;
use crate::instrument::exemplar::set_current;

/// A layer that makes the span a thread is in its [current span](SpanContext), by the span's fields `trace_id` and `span_id`: 32 and
/// 16 hexadecimal digits, recorded when the span is made or later.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanLayer;

impl SpanLayer {
    /// A layer to add to a subscriber that keeps spans, such as `tracing_subscriber::registry()`.
    pub fn new() -> Self {
        Self
    }
}

thread_local! {
    /// The spans that this thread is in, the innermost last, and what each made current.
    static ENTERED: RefCell<Vec<(tracing::span::Id, Option<SpanContext>)>> = const { RefCell::new(Vec::new()) };
}

/// What a span's fields said, kept with the span.
#[derive(Default)]
struct Ids {
    trace_id: Digits<32>,
    span_id: Digits<16>,
}

impl Ids {
    fn context(&self) -> Option<SpanContext> {
        SpanContext::from_hex(self.trace_id.as_str()?, self.span_id.as_str()?)
    }
}

/// Exactly `N` bytes of text; what is longer is no id, and takes no memory.
struct Digits<const N: usize> {
    text: [u8; N],
    len: usize,
}

impl<const N: usize> Default for Digits<N> {
    fn default() -> Self {
        Self { text: [0; N], len: 0 }
    }
}

impl<const N: usize> Digits<N> {
    fn as_str(&self) -> Option<&str> {
        if self.len == N { std::str::from_utf8(&self.text).ok() } else { None }
    }
}

impl<const N: usize> fmt::Write for Digits<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.text.get_mut(self.len..self.len + text.len());
        // One too many makes the length another one than N, for good.
        let Some(room) = room else {
            self.len = N + 1;
            return Err(fmt::Error);
        };
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

impl tracing::field::Visit for Ids {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        // `%id` and `?id` of ids that are a type of their own; what does not fit is noticed by its length.
        match field.name() {
            "trace_id" => {
                self.trace_id = Digits::default();
                let _ = write!(self.trace_id, "{value:?}");
            }
            "span_id" => {
                self.span_id = Digits::default();
                let _ = write!(self.span_id, "{value:?}");
            }
            _ => {}
        }
    }

    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<S> Layer<S> for SpanLayer
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(
        &self,
        attributes: &tracing::span::Attributes<'_>,
        id: &tracing::span::Id,
        context: Context<'_, S>,
    ) {
        let mut ids = Ids::default();
        attributes.record(&mut ids);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(ids);
        }
    }

    fn on_record(&self, id: &tracing::span::Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            if let Some(ids) = span.extensions_mut().get_mut::<Ids>() {
                values.record(ids);
            }
        }
    }

    fn on_enter(&self, id: &tracing::span::Id, context: Context<'_, S>) {
        let of_span = context.span(id).and_then(|span| {
            span.scope().find_map(|span| span.extensions().get::<Ids>().and_then(Ids::context))
        });
        // While a thread ends its locals are gone; then it has no current span either.
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push((id.clone(), of_span)));
        set_current(of_span);
    }

    fn on_exit(&self, id: &tracing::span::Id, _: Context<'_, S>) {
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            // Usually the last one; spans may be left in any order.
            if let Some(at) = entered.iter().rposition(|(other, _)| other == id) {
                entered.remove(at);
            }
            set_current(entered.last().and_then(|(_, of_span)| *of_span));
        });
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn current() -> String {
        SpanContext::current().map_or("none".into(), |span| format!("{span:?}"))
    }

    #[test]
    fn the_span_that_a_thread_is_in_is_current() {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(SpanLayer::new()), || {
            let outer = tracing::info_span!("outer", trace_id = TRACE, span_id = "00f067aa0ba902b7");
            let inner = outer.in_scope(
                || tracing::info_span!("inner", span_id = tracing::field::Empty, trace_id = %TRACE),
            );
            assert_eq!(current(), "none");
            outer.in_scope(|| {
                assert_eq!(current(), format!("{TRACE}-00f067aa0ba902b7"));
                inner.in_scope(|| {
                    assert_eq!(current(), format!("{TRACE}-00f067aa0ba902b7"), "it has no id yet");
                });
                inner.record("span_id", "00000000000000ff");
                inner.in_scope(|| assert_eq!(current(), format!("{TRACE}-00000000000000ff")));
                assert_eq!(current(), format!("{TRACE}-00f067aa0ba902b7"));
            });
            assert_eq!(current(), "none");
        });
    }

    #[test]
    fn spans_are_left_in_any_order() {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(SpanLayer::new()), || {
            let first = tracing::info_span!("first", trace_id = TRACE, span_id = "0000000000000001");
            let second =
                tracing::info_span!(parent: None, "second", trace_id = TRACE, span_id = "0000000000000002");
            let first = first.entered();
            let second = second.entered();
            drop(first);
            assert_eq!(current(), format!("{TRACE}-0000000000000002"));
            drop(second);
            assert_eq!(current(), "none");
        });
    }

    #[test]
    fn what_is_no_id_is_none() {
        tracing::subscriber::with_default(tracing_subscriber::registry().with(SpanLayer::new()), || {
            let long = "f".repeat(1000);
            for (trace, span) in [
                ("x", "00f067aa0ba902b7"),
                (TRACE, "0"),
                (&long, "00f067aa0ba902b7"),
                (TRACE, "0000000000000000"),
            ] {
                tracing::info_span!("odd", trace_id = trace, span_id = span)
                    .in_scope(|| assert_eq!(current(), "none"));
            }
        });
    }
}
