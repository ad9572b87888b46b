//! Models of the lock-free parts, every interleaving of them, each beside a mistake that has to be found.

use loom::sync::Arc;
use loom::thread;

use super::buckets::add;
use super::distribution::Shape;
use super::lifetime::Lifetime;
use super::own::Stripe;
use super::part::{Layout, Part, PartCopy};
use super::slot::{Entry, KeptKey};
use super::store::Inner;
use super::sync::{AtomicBool, AtomicU64, Mutex, Ordering};
use super::{Gauge, Options};
use crate::model::LabelName;

/// Values that each writer observes; of one native bucket at the coarsest resolution.
const VALUES: [f64; 2] = [2.0, 16.0];

/// A part that has its bucket already, as `OnceLock`s are none of loom's.
fn part() -> Part {
    let part = Part::new(2);
    part.conform(Layout { generation: 0, halvings: 12, threshold: 0.0 }, 1, 10);
    record(&part, VALUES[0]);
    part
}

fn record(part: &Part, value: f64) {
    part.add_sum(value);
    if let Some(cell) = part.classic_cell(usize::from(value > 2.0)) {
        add(cell, 1);
    }
    part.add_native(value);
}

fn two_share_a_part(begin: fn(&Part) -> bool) {
    loom::model(move || {
        let part = Arc::new(part());
        let write = move |part: &Part| {
            while !begin(part) {
                thread::yield_now();
            }
            record(part, VALUES[1]);
            part.end();
        };
        let writer = {
            let part = Arc::clone(&part);
            thread::spawn(move || write(&part))
        };
        write(&part);
        writer.join().unwrap();
        let mut copy = PartCopy::default();
        assert!(part.try_read(&mut copy));
        assert_eq!(copy.classic, [1, 2], "both are counted in buckets");
    });
}

#[test]
fn nothing_is_lost_in_parts_that_are_shared() {
    two_share_a_part(Part::try_begin);
}

/// The planted mistake: to look whether somebody writes, and to begin only then.
#[test]
#[should_panic(expected = "buckets")]
fn looking_before_beginning_is_too_late() {
    two_share_a_part(|part| part.is_quiet() && part.begin_owned() & 1 == 0);
}

/// A thread that counts in a part of its own, and a scrape that reads it meanwhile.
fn a_part_is_read(read: fn(&Part, &mut PartCopy) -> bool) {
    loom::model(move || {
        let part = Arc::new(part());
        let reader = {
            let part = Arc::clone(&part);
            thread::spawn(move || {
                let mut copy = PartCopy::default();
                if read(&part, &mut copy) {
                    let classic: u64 = copy.classic.iter().sum();
                    let sum = VALUES.iter().take(classic as usize).sum::<f64>();
                    assert!(copy.sum == sum, "of one piece");
                }
            })
        };
        let begun = part.begin_owned();
        part.add_sum(VALUES[1]);
        add(part.classic_cell(1).unwrap(), 1);
        part.end_owned(begun);
        reader.join().unwrap();
    });
}

#[test]
fn a_reading_is_of_one_piece() {
    a_part_is_read(Part::try_read);
}

/// The planted mistake: not to look at the number again after reading.
#[test]
#[should_panic(expected = "of one piece")]
fn a_reading_that_is_not_looked_at_again_is_torn() {
    a_part_is_read(|part, copy| {
        let is_quiet = part.is_quiet();
        part.read(copy);
        is_quiet
    });
}

/// What the arenas of threads do: cells with plain loads and stores, handed on from thread to thread.
fn a_cell_is_handed_on(give_back: fn(&Handed), take: fn(&Handed) -> bool) {
    loom::model(move || {
        let handed = Arc::new(Handed::default());
        let first = {
            let handed = Arc::clone(&handed);
            thread::spawn(move || {
                handed.count();
                give_back(&handed);
            })
        };
        if take(&handed) {
            handed.count();
            assert_eq!(handed.cell.load(Ordering::Relaxed), 2, "counted on");
        }
        first.join().unwrap();
    });
}

struct Handed {
    cell: AtomicU64,
    is_idle: Mutex<bool>,
    flag: AtomicBool,
}

impl Default for Handed {
    fn default() -> Self {
        Self { cell: AtomicU64::new(0), is_idle: Mutex::new(false), flag: AtomicBool::new(false) }
    }
}

impl Handed {
    fn count(&self) {
        self.cell.store(self.cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

#[test]
fn who_takes_over_a_cell_counts_on() {
    a_cell_is_handed_on(
        |handed| *handed.is_idle.lock().unwrap() = true,
        |handed| *handed.is_idle.lock().unwrap(),
    );
}

/// The planted mistake: a flag without an order instead of the lock.
#[test]
#[should_panic(expected = "counted on")]
fn a_cell_handed_on_without_order_loses() {
    a_cell_is_handed_on(
        |handed| handed.flag.store(true, Ordering::Relaxed),
        |handed| handed.flag.load(Ordering::Relaxed),
    );
}

/// An entry that goes from one series to another while somebody holds on to what he found.
fn an_entry_changes_hands(hold: fn(&Entry<super::CounterCell<u64>>) -> bool) {
    loom::model(move || {
        let shape = <super::CounterCell<u64> as super::Cell>::shape(&Options::new()).unwrap();
        let entry = Entry::dead(<super::CounterCell<u64> as super::Cell>::new(&shape));
        let key = KeptKey::new();
        key.words[0].store(1, Ordering::Relaxed);
        entry.revive(0);
        let both = Arc::new((entry, key));
        let remover = {
            let both = Arc::clone(&both);
            thread::spawn(move || {
                let (entry, key) = &*both;
                entry.bury();
                if entry.is_free() {
                    key.words[0].store(2, Ordering::Relaxed);
                    key.words[1].store(2, Ordering::Relaxed);
                    entry.revive(0);
                }
            })
        };
        let (entry, key) = &*both;
        if hold(entry) {
            let first = key.words[0].load(Ordering::Relaxed);
            let second = key.words[1].load(Ordering::Relaxed);
            assert!((first, second) == (1, 0) || (first, second) == (2, 2), "a key of one series");
            entry.release();
        }
        remover.join().unwrap();
    });
}

#[test]
fn who_holds_an_entry_sees_its_series() {
    an_entry_changes_hands(Entry::hold);
}

/// The planted mistake: to look at the key without being counted.
#[test]
#[should_panic(expected = "a key of one series")]
fn who_is_not_counted_sees_half_a_key() {
    an_entry_changes_hands(|entry| {
        entry.hold_again();
        true
    });
}

/// A thread that counts without pause, and a scrape that turns it to its second part.
fn a_thread_is_turned(try_read: fn(&Part, &mut PartCopy) -> bool) {
    loom::model(move || {
        let options = Options { is_hot: true, ..Options::default() };
        let shape = Shape::new(&options, Some(&[2.0]), None).unwrap();
        let stripe = Arc::new(Stripe::new(&std::sync::Arc::new(shape)));
        let conform =
            |part: &Part| part.conform(Layout { generation: 0, halvings: 0, threshold: 0.0 }, 1, 10);
        conform(&stripe.first);
        let writer = {
            let stripe = Arc::clone(&stripe);
            thread::spawn(move || {
                for value in VALUES {
                    // As a thread does: on with the first part while that conforms.
                    let part = if stripe.first.conforms_to(1) { &stripe.first } else { stripe.part() };
                    let begun = part.begin_owned();
                    if !part.conforms_to(1) {
                        conform(part);
                    }
                    part.add_sum(value);
                    add(part.classic_cell(usize::from(value > 2.0)).unwrap(), 1);
                    part.end_owned(begun);
                }
            })
        };
        let mut first = PartCopy::default();
        stripe.read_turned(|part| try_read(part, &mut first));
        let is_whole = |copy: &PartCopy| {
            let sums = copy.classic.iter().zip(VALUES).map(|(&count, value)| count as f64 * value);
            copy.sum == sums.sum::<f64>()
        };
        assert!(is_whole(&first), "of one piece");
        writer.join().unwrap();
        let mut second = PartCopy::default();
        stripe.read(&mut first, &mut second);
        assert!(is_whole(&first) && is_whole(&second), "of one piece");
        let counted: u64 = first.classic.iter().chain(&second.classic).sum();
        assert_eq!(counted, 2, "nothing is lost");
    });
}

#[test]
fn a_thread_that_is_turned_loses_nothing() {
    a_thread_is_turned(Part::try_read);
}

/// The planted mistake: to rely on the thread's having turned.
#[test]
#[should_panic(expected = "of one piece")]
fn a_thread_turns_when_it_comes_to_it() {
    a_thread_is_turned(|part, copy| {
        part.read(copy);
        true
    });
}

/// A whole family: one thread finds or makes a series, while another removes it and makes one that gets its place.
fn a_place_changes_hands(count: fn(&Inner<Gauge>)) {
    loom::model(move || {
        let mut family = family();
        family.seed = [3, 5]; // the same in every run
        let family = Arc::new(family);
        // From the first removal on, places are used again.
        family.with(&["x"]);
        remove(&family, "x");
        family.with(&["a"]);
        let other = {
            let family = Arc::clone(&family);
            thread::spawn(move || {
                remove(&family, "a");
                assert_eq!(family.with(&["b"]).get(), 0, "of nobody else");
            })
        };
        count(&family);
        other.join().unwrap();
        assert_eq!(family.with(&["b"]).get(), 0, "of nobody else");
        assert!(family.with(&["a"]).get() <= 1);
        let len = family.lock().len;
        assert_eq!(len, 2, "each once");
    });
}

fn family() -> Inner<Gauge> {
    let names = [LabelName::new("label").unwrap()];
    let lifetime = Lifetime::new(&Options::new(), false);
    Inner::new(names.into(), String::new(), (), None, lifetime, false)
}

fn remove(family: &Inner<Gauge>, label: &str) {
    family.with_key(&[label], |key| {
        let mut state = family.lock();
        if let Some(at) = family.find(&mut state, key).map(|found| found.at) {
            family.remove(&mut state, at);
        }
    });
}

#[test]
fn a_family_gives_to_each_series_what_is_its_own() {
    a_place_changes_hands(|family| family.with(&["a"]).inc());
}

/// The planted mistake: to count in what was found after having counted oneself out.
#[test]
#[should_panic(expected = "of nobody else")]
fn who_does_not_hold_what_he_found_mixes_series_up() {
    a_place_changes_hands(|family| {
        let at = family.with(&["a"]).at;
        thread::yield_now();
        family.entry(at).unwrap().cell.inc();
    });
}

#[test]
fn two_threads_make_a_series_once() {
    loom::model(|| {
        let mut family = family();
        family.seed = [3, 5];
        let family = Arc::new(family);
        let other = {
            let family = Arc::clone(&family);
            thread::spawn(move || family.with(&["a"]).inc())
        };
        family.with(&["a"]).inc();
        other.join().unwrap();
        let len = family.lock().len;
        assert_eq!((family.with(&["a"]).get(), len), (2, 1));
    });
}
