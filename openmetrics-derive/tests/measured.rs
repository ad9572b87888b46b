//! What `#[measured]` counts of functions of every kind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

use openmetrics::format::{Format, encode};
use openmetrics::registry::default_registry;
use openmetrics::{Calls, Metrics, Registry, measured};

fn calls() -> Calls {
    Calls::register(&Registry::new()).expect("nobody else is in it")
}

/// What the three ways to end have counted.
fn counted(calls: &Calls) -> (u64, u64, u64) {
    (calls.ok(), calls.errors(), calls.abandoned())
}

struct Store {
    calls: Calls,
    items: Vec<String>,
}

type IoResult<T> = Result<T, String>;

impl Store {
    #[measured(calls = self.calls)]
    fn borrowed(&mut self, at: usize) -> &mut String {
        if at == 0 {
            return &mut self.items[0];
        }
        &mut self.items[at]
    }

    #[measured(calls = self.calls)]
    pub(crate) fn find<F>(&self, wanted: F) -> IoResult<impl Iterator<Item = &str>>
    where
        F: Fn(&str) -> bool,
    {
        let missing = || Err::<(), _>("nothing like it".to_owned());
        if !self.items.iter().any(|item| wanted(item)) {
            missing()?;
        }
        Ok(self.items.iter().map(String::as_str).filter(move |item| wanted(item)))
    }

    #[measured(calls = self.calls)]
    async fn wait(&mut self, (number, fails): (u32, bool)) -> IoResult<u32> {
        std::future::ready(()).await;
        if fails {
            return Err("as asked".to_owned());
        }
        self.items.push(number.to_string());
        Ok(number)
    }

    #[measured(calls = self.calls)]
    async fn endless(&self) {
        std::future::pending::<()>().await;
    }

    /// Its type is called a result and is none.
    #[measured(calls = self.calls, fallible = false)]
    fn odd(&self) -> SearchResult {
        SearchResult
    }
}

struct SearchResult;

#[test]
fn functions_of_every_kind() {
    let mut store = Store { calls: calls(), items: vec!["a".to_owned()] };
    store.borrowed(0).push('b');
    assert_eq!(counted(&store.calls), (1, 0, 0));
    assert!(catch_unwind(AssertUnwindSafe(|| store.borrowed(9).clear())).is_err());
    assert_eq!(counted(&store.calls), (1, 0, 1));
    assert_eq!(store.find(|item| item == "ab").map(Iterator::count), Ok(1));
    assert!(store.find(|item| item == "z").is_err());
    assert_eq!(counted(&store.calls), (2, 1, 1));
    let SearchResult = store.odd();
    assert_eq!(counted(&store.calls), (3, 1, 1));
}

#[test]
fn futures_count_from_when_they_are_polled() {
    let mut store = Store { calls: calls(), items: Vec::new() };
    let mut context = Context::from_waker(Waker::noop());
    drop(store.wait((1, false)));
    assert_eq!(counted(&store.calls), (0, 0, 0), "nobody polled it");
    assert!(pin!(store.wait((1, false))).poll(&mut context).is_ready());
    assert!(pin!(store.wait((1, true))).poll(&mut context).is_ready());
    assert_eq!(counted(&store.calls), (1, 1, 0));
    assert!(pin!(store.endless()).poll(&mut context).is_pending());
    assert_eq!(counted(&store.calls), (1, 1, 1));
}

fn is_send<T: Send>(_: &T) {}

#[measured(prefix = "shared")]
async fn sent(text: &str) -> usize {
    std::future::ready(text.len()).await
}

#[measured(prefix = "shared")]
fn counted_together<T>(value: T) -> T {
    value
}

#[measured]
fn r#loop(mut left: u32) {
    while left > 0 {
        left -= 1;
    }
}

#[test]
fn functions_of_one_prefix_are_counted_together() {
    let mut context = Context::from_waker(Waker::noop());
    let future = sent("four");
    is_send(&future);
    assert!(pin!(future).poll(&mut context).is_ready());
    assert_eq!((counted_together(7), counted_together("x")), (7, "x"));
    r#loop(3);
    let mut page = Vec::new();
    assert!(encode(default_registry(), Format::TEXT_0_0_4, &mut page).is_clean());
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("\nshared_calls_total{outcome=\"ok\"} 3\n"), "{page}");
    assert!(page.contains("\nshared_call_duration_seconds_count 3\n"), "{page}");
    assert!(page.contains("\nloop_calls_in_flight 0\n"), "{page}");
}
