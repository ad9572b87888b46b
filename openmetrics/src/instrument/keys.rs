//! How the metrics of a family are found: by ordinal, by hash, or by the numbers of their label values.

use super::Metric;
use super::labels::{LabelSet, LabelWriter};
use super::slot::{KEY_WORDS, KeptKey};
use super::store::{Borrowed, Inner, State};
use super::sync::{AtomicU64, Ordering};

/// What is looked for: a label set in words.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) words: &'a [u64],
    pub(crate) way: Way,
}

/// How it is found.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// By the ordinal of a label set that the array has room for.
    Ordinal(u32),
    Hash(u64),
    /// Not at all: of what is beyond the limit.
    Unsought,
}

/// The hash of a label set, or of a value of one, under a secret seed: two words at a time, each step a multiplication whose
/// halves are folded together.
#[inline]
pub(crate) fn hash(seed: [u64; 2], words: &[u64]) -> u64 {
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        product as u64 ^ (product >> 64) as u64
    };
    let mut hash = seed[0];
    let pairs = words.chunks_exact(2);
    let last = pairs.remainder().first().copied().unwrap_or(words.len() as u64);
    for pair in pairs {
        if let [a, b] = *pair {
            hash = fold(a ^ hash, b ^ seed[1]);
        }
    }
    fold(last ^ hash, seed[1])
}

/// Stands for the length of the key where the key is an ordinal.
const IS_ORDINAL: u32 = u32::MAX;

/// Stands for the length of a key that nobody seeks.
const IS_UNSOUGHT: u32 = u32::MAX - 1;

impl<M: Metric> Inner<M> {
    #[inline(always)]
    pub(crate) fn with(&self, labels: &impl LabelSet) -> Borrowed<'_, M> {
        if !self.dense.is_empty() {
            let ordinal = labels.ordinal();
            return match self.find_dense(ordinal) {
                Some(found) => found,
                None => self.make(labels),
            };
        }
        if self.is_compact {
            return self.make(labels);
        }
        let mut to = LabelWriter::new();
        labels.write(&mut to);
        match self.find_hashed(hash(self.seed, to.words()), to.words()) {
            Some(found) => found,
            None => self.make(labels),
        }
    }

    /// Calls `look` with the key of these labels.
    pub(crate) fn with_key<R>(&self, labels: &impl LabelSet, look: impl FnOnce(Key<'_>) -> R) -> R {
        let mut to = LabelWriter::new();
        labels.write(&mut to);
        let words = to.words();
        let ordinal = labels.ordinal();
        let way = if ordinal < self.dense.len() {
            Way::Ordinal(ordinal as u32)
        } else {
            Way::Hash(hash(self.seed, words))
        };
        look(Key { words, way })
    }

    /// The metric with this key.
    pub(crate) fn find(&self, state: &mut State, key: Key<'_>) -> Option<Borrowed<'_, M>> {
        match key.way {
            Way::Ordinal(ordinal) => self.find_dense(ordinal as usize),
            Way::Unsought => None,
            Way::Hash(hash) => match &mut state.interned {
                Some(interned) => Some(self.count_in(self.borrow(interned.find(key.words)?)?)),
                None => self.find_hashed(hash, key.words),
            },
        }
    }

    #[inline(always)]
    fn find_dense(&self, ordinal: usize) -> Option<Borrowed<'_, M>> {
        let at = self.dense.get(ordinal)?.load(Ordering::Acquire).checked_sub(1)?;
        let is_its = |kept: &KeptKey| {
            kept.len.load(Ordering::Relaxed) == IS_ORDINAL
                && kept.words[0].load(Ordering::Relaxed) == ordinal as u64
        };
        self.confirm(at, |entries, within, is_reusable| {
            // Places that are never given to others need no second look.
            !is_reusable || entries.key(within).is_some_and(is_its)
        })
    }

    #[inline(always)]
    fn find_hashed(&self, hash: u64, words: &[u64]) -> Option<Borrowed<'_, M>> {
        self.table.find(hash, |at| {
            self.confirm(at, |entries, within, _| {
                entries.key(within).is_some_and(|kept| self.has_key(kept, words))
            })
        })
    }

    #[inline(always)]
    fn has_key(&self, kept: &KeptKey, words: &[u64]) -> bool {
        if kept.len.load(Ordering::Relaxed) as usize != words.len() {
            return false;
        }
        let here = words.iter().zip(&kept.words).all(|(&word, own)| word == own.load(Ordering::Relaxed));
        here && (words.len() <= KEY_WORDS
            || words.iter().skip(KEY_WORDS).copied().eq(self.spilled(kept).take(words.len() - KEY_WORDS)))
    }

    /// The words of a key that stand in the spill area, and after them whatever stands there.
    fn spilled<'a>(&'a self, kept: &'a KeptKey) -> impl Iterator<Item = u64> + 'a {
        (kept.spill.load(Ordering::Relaxed)..).map_while(|at| {
            let (words, within) = self.spill.get(at)?;
            Some(words.get(within)?.load(Ordering::Relaxed))
        })
    }

    /// Has an entry found by its key from now on, except that [`publish`](Inner::publish) makes it so. Under the lock.
    pub(crate) fn write_key(&self, state: &mut State, at: u32, key: Key<'_>) -> Option<()> {
        if let Some(interned) = &mut state.interned {
            interned.set(at, key.words);
            return Some(());
        }
        let (entries, within) = self.entries.get(at)?;
        let kept = entries.key(within)?;
        match key.way {
            Way::Ordinal(ordinal) => {
                kept.len.store(IS_ORDINAL, Ordering::Relaxed);
                kept.words[0].store(u64::from(ordinal), Ordering::Relaxed);
            }
            Way::Unsought => kept.len.store(IS_UNSOUGHT, Ordering::Relaxed),
            Way::Hash(_) => self.write_words(state, kept, key.words)?,
        }
        let text = self.render(key.words);
        state.pages.set(at, &text);
        Some(())
    }

    fn write_words(&self, state: &mut State, kept: &KeptKey, words: &[u64]) -> Option<()> {
        let len = words.len();
        let beyond = len.saturating_sub(KEY_WORDS) as u32;
        let capacity = kept.spill_capacity.load(Ordering::Relaxed);
        if beyond > capacity {
            // Twice as much each time, so what long keys leave behind is less than what they have.
            let capacity = beyond.max(capacity.saturating_mul(2));
            kept.spill.store(state.spilled, Ordering::Relaxed);
            kept.spill_capacity.store(capacity, Ordering::Relaxed);
            state.spilled = state.spilled.checked_add(capacity)?;
        }
        let from = kept.spill.load(Ordering::Relaxed);
        for (n, &word) in words.iter().enumerate() {
            if let Some(here) = kept.words.get(n) {
                here.store(word, Ordering::Relaxed);
                continue;
            }
            let at = from + (n - KEY_WORDS) as u32;
            let make = |len| (0..len).map(|_| AtomicU64::new(0)).collect();
            let (words, within) = self.spill.get_or_make(at, make)?;
            words.get(within)?.store(word, Ordering::Relaxed);
        }
        kept.len.store(len as u32, Ordering::Relaxed);
        Some(())
    }

    /// Has the entry found by its key, which was [written](Inner::write_key). Under the lock.
    pub(crate) fn publish(&self, state: &mut State, at: u32, key: Key<'_>) {
        match key.way {
            Way::Ordinal(ordinal) => {
                if let Some(place) = self.dense.get(ordinal as usize) {
                    place.store(at + 1, Ordering::Release);
                }
            }
            Way::Unsought => {}
            Way::Hash(hash) => match &mut state.interned {
                Some(interned) => interned.publish(at),
                None => {
                    self.table.insert(hash, at, state.len);
                }
            },
        }
    }

    /// Has the entry not found any more, and its key forgotten. Under the lock.
    pub(crate) fn forget_key(&self, state: &mut State, at: u32) {
        if let Some(interned) = &mut state.interned {
            return interned.unset(at);
        }
        state.pages.unset(at);
        let Some((entries, within)) = self.entries.get(at) else { return };
        let Some(kept) = entries.key(within) else { return };
        match kept.len.load(Ordering::Relaxed) {
            IS_UNSOUGHT => {}
            IS_ORDINAL => {
                let ordinal = kept.words[0].load(Ordering::Relaxed) as usize;
                if let Some(place) = self.dense.get(ordinal) {
                    place.store(0, Ordering::Release);
                }
            }
            len => {
                let here = kept.words.iter().map(|word| word.load(Ordering::Relaxed));
                let key: Vec<u64> = here.chain(self.spilled(kept)).take(len as usize).collect();
                self.table.remove(hash(self.seed, &key), at);
            }
        }
    }
}
