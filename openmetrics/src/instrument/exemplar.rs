//! Exemplars: from a number to one event that it counted.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::model::{ExemplarRef, Labels, Number, Timestamp, is_classic_label_name, render};
use crate::sync::{Mutex, OnceLock};

/// The most code points that names and values of an exemplar's labels may have together
/// ([OM1-EX-03](https://prometheus.io/docs/specs/om/open_metrics_spec/#exemplars)).
pub(crate) const CODE_POINTS_MAX: usize = 128;

/// Which span an event belongs to: the ids of [W3C trace context](https://www.w3.org/TR/trace-context/), which become
/// the exemplar labels `trace_id` and `span_id`, in lower case.
///
/// Counters and histograms that are registered with
/// [`exemplars(true)`](crate::registry::Definition::exemplars) take the current span of the thread as their exemplar.
/// The current span is the one that was [entered](SpanContext::enter), or else what the program's
/// [source](set_span_source) says.
///
/// ```
/// use openmetrics::instrument::SpanContext;
/// use openmetrics::{Counter, Registry, format::{Format, encode}};
///
/// let registry = Registry::new();
/// let requests: Counter = registry.metric("requests", "Requests served.").exemplars(true).register()?;
///
/// let span = SpanContext::from_hex("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7").unwrap();
/// let _entered = span.enter();
/// requests.inc();
///
/// let mut page = Vec::new();
/// encode(&registry, Format::OPENMETRICS_1_0, &mut page);
/// let page = String::from_utf8(page).unwrap();
/// assert!(page.contains("# {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\",span_id=\"00f067aa0ba902b7\"} 1 "));
/// # Ok::<(), openmetrics::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanContext {
    trace: u128,
    span: u64,
}

thread_local! {
    static CURRENT: Cell<Option<SpanContext>> = const { Cell::new(None) };
}

type Source = Box<dyn Fn() -> Option<SpanContext> + Send + Sync>;
static SOURCE: OnceLock<Source> = OnceLock::new();

impl SpanContext {
    /// A span from its ids; `None` if one of them is zero, which is no id.
    pub const fn new(trace_id: [u8; 16], span_id: [u8; 8]) -> Option<Self> {
        let (trace, span) = (u128::from_be_bytes(trace_id), u64::from_be_bytes(span_id));
        if trace == 0 || span == 0 { None } else { Some(Self { trace, span }) }
    }

    /// A span from its ids as text, 32 and 16 hexadecimal digits; `None` if they are not.
    pub fn from_hex(trace_id: &str, span_id: &str) -> Option<Self> {
        let is_hex = |id: &str| id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if trace_id.len() != 32 || span_id.len() != 16 || !is_hex(trace_id) || !is_hex(span_id) {
            return None;
        }
        let trace = u128::from_str_radix(trace_id, 16).ok()?;
        let span = u64::from_str_radix(span_id, 16).ok()?;
        Self::new(trace.to_be_bytes(), span.to_be_bytes())
    }

    /// Makes it the current span of this thread, until the guard is dropped; then it is again the one before.
    ///
    /// Guards are dropped in the reverse order. In async code, enter in each poll and not across an `await`: the thread
    /// does something else meanwhile.
    pub fn enter(self) -> Entered {
        Entered { before: CURRENT.replace(Some(self)), not_send: PhantomData }
    }

    /// The current span of this thread.
    #[inline]
    pub fn current() -> Option<Self> {
        CURRENT.get().or_else(|| SOURCE.get().and_then(|source| source()))
    }

    fn render(self, out: &mut String) {
        out.push_str("trace_id=\"");
        push_hex(&self.trace.to_be_bytes(), out);
        out.push_str("\",span_id=\"");
        push_hex(&self.span.to_be_bytes(), out);
        out.push('"');
    }
}

/// Makes a span the current one of this thread; for those who cannot keep a guard.
#[cfg(feature = "tracing")]
pub(crate) fn set_current(span: Option<SpanContext>) {
    CURRENT.set(span);
}

pub(crate) fn push_hex(bytes: &[u8], out: &mut String) {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

impl fmt::Debug for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{:016x}", self.trace, self.span)
    }
}

/// Keeps a span current; made by [`SpanContext::enter`].
#[must_use = "the span is current until this is dropped"]
#[derive(Debug)]
pub struct Entered {
    before: Option<SpanContext>,
    /// It belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before);
    }
}

/// Says where the current span of a thread is found if none was [entered](SpanContext::enter): once in a program, by
/// what connects it to its tracing library.
///
/// `source` is asked while something is counted, and seldom: once for each exemplar that is wanted. It must not count
/// with exemplars itself.
///
/// `false`, and nothing changes, if there is a source already: exemplars of one program lead to one tracing system.
pub fn set_span_source(source: impl Fn() -> Option<SpanContext> + Send + Sync + 'static) -> bool {
    SOURCE.set(Box::new(source)).is_ok()
}

/// Room for the exemplar of a counter, or of one bucket.
///
/// Takes the first event after each time that it was read, so that counting asks a clock and a span once a scrape and
/// not once an event; what was read is shown until then.
pub(crate) struct Place {
    /// Whether there is one that nobody has read.
    is_fresh: AtomicBool,
    kept: Mutex<Kept>,
}

/// An exemplar, or none; its text stays allocated for the next one.
pub(crate) struct Kept {
    /// As [`render`] has it; empty is none.
    labels: String,
    value: Number,
    timestamp: Option<Timestamp>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { labels: String::new(), value: Number::Float(0.0), timestamp: None }
    }
}

impl Kept {
    /// What it is in the model.
    pub(crate) fn borrow(&self) -> Option<ExemplarRef<'_>> {
        (!self.labels.is_empty()).then(|| ExemplarRef {
            labels: Labels::rendered(&self.labels, &[]),
            value: self.value,
            timestamp: self.timestamp,
        })
    }

    pub(crate) fn clear(&mut self) {
        self.labels.clear();
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        // Room for a span's ids, so that taking them allocates nothing.
        let kept = Kept { labels: String::with_capacity(72), ..Kept::default() };
        Self { is_fresh: AtomicBool::new(false), kept: Mutex::new(kept) }
    }

    /// Takes the current span, if there is one and an exemplar is wanted.
    #[inline]
    pub(crate) fn take_span(&self, value: impl Into<Number>) {
        if !self.is_fresh.load(Ordering::Relaxed) {
            self.take(value.into(), || {
                SpanContext::current().map(|span| move |out: &mut String| span.render(out))
            });
        }
    }

    /// Takes these labels, if an exemplar is wanted and they are ones that an exemplar may have.
    #[inline]
    pub(crate) fn take_labels(&self, value: impl Into<Number>, labels: &[(&str, &str)]) {
        if !self.is_fresh.load(Ordering::Relaxed) {
            self.take(value.into(), || {
                is_sayable(labels).then_some(|out: &mut String| render(&Labels::new(labels), out))
            });
        }
    }

    #[cold]
    #[inline(never)]
    fn take<F: FnOnce(&mut String)>(&self, value: Number, labels: impl FnOnce() -> Option<F>) {
        let Some(write) = labels() else { return };
        // Who counts waits for nobody: somebody else is taking one, or reads it.
        let Ok(mut kept) = self.kept.try_lock() else { return };
        kept.labels.clear();
        write(&mut kept.labels);
        kept.value = value;
        kept.timestamp = Some(Timestamp::now());
        self.is_fresh.store(true, Ordering::Relaxed);
    }

    /// Copies what there is, and wants another one from now on.
    pub(crate) fn read(&self, into: &mut Kept) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        into.labels.clone_from(&kept.labels);
        (into.value, into.timestamp) = (kept.value, kept.timestamp);
        self.is_fresh.store(false, Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.is_fresh.store(false, Ordering::Relaxed);
    }
}

/// Whether every format that has exemplars can say these labels (OM1-EX-03, OM1-EX-04); no labels are no exemplar.
fn is_sayable(labels: &[(&str, &str)]) -> bool {
    let length: usize = labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    let is_repeated = |at: usize, name| labels.iter().skip(at + 1).any(|(other, _)| *other == name);
    !labels.is_empty()
        && length <= CODE_POINTS_MAX
        && labels
            .iter()
            .enumerate()
            .all(|(at, (name, _))| is_classic_label_name(name) && !is_repeated(at, *name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(place: &Place) -> Option<String> {
        let mut kept = Kept::default();
        place.read(&mut kept);
        kept.borrow().map(|exemplar| format!("{} {}", exemplar.labels, exemplar.value.as_f64()))
    }

    #[test]
    fn ids_are_text_in_lower_case() {
        let span = SpanContext::from_hex("0AF7651916CD43DD8448EB211C80319C", "00F067AA0BA902B7").unwrap();
        let mut text = String::new();
        span.render(&mut text);
        assert_eq!(text, r#"trace_id="0af7651916cd43dd8448eb211c80319c",span_id="00f067aa0ba902b7""#);
        assert_eq!(format!("{span:?}"), "0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7");
        for (trace, span) in
            [("0", "1"), (&"0".repeat(32), "00f067aa0ba902b7"), (&"+".repeat(32), "00f067aa0ba902b7")]
        {
            assert_eq!(SpanContext::from_hex(trace, span), None);
        }
    }

    #[test]
    fn spans_are_left_in_the_order_they_were_entered() {
        let [outer, inner] = [1, 2].map(|id| SpanContext::new([id; 16], [id; 8]).unwrap());
        assert_eq!(SpanContext::current(), None);
        let first = outer.enter();
        let second = inner.enter();
        assert_eq!(SpanContext::current(), Some(inner));
        drop(second);
        assert_eq!(SpanContext::current(), Some(outer));
        drop(first);
        assert_eq!(SpanContext::current(), None);
    }

    #[test]
    fn the_first_after_each_reading_is_kept() {
        let place = Place::new();
        assert_eq!(kept(&place), None);
        place.take_labels(1_u64, &[("id", "a")]);
        place.take_labels(2_u64, &[("id", "b")]);
        assert_eq!(kept(&place).as_deref(), Some(r#"{id="a"} 1"#));
        assert_eq!(kept(&place).as_deref(), Some(r#"{id="a"} 1"#), "it stays until there is another one");
        place.take_labels(3_u64, &[("id", "c")]);
        assert_eq!(kept(&place).as_deref(), Some(r#"{id="c"} 3"#));
        place.clear();
        assert_eq!(kept(&place), None);
    }

    #[test]
    fn what_no_format_can_say_is_not_kept() {
        let place = Place::new();
        let long = "x".repeat(127);
        for labels in
            [&[][..], &[("id", long.as_str())], &[("a", "1"), ("a", "2")], &[("a.b", "1")], &[("", "1")]]
        {
            place.take_labels(1_u64, labels);
            assert_eq!(kept(&place), None, "{labels:?}");
        }
        place.take_labels(1_u64, &[("i", &long)]);
        assert!(kept(&place).is_some(), "128 code points are not too many");
    }
}
