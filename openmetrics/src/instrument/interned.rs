//! What families that are to take little memory know their metrics by: every label value once, and numbers.

use hashbrown::HashTable;

use super::keys::hash;
use super::labels::{LabelWriter, is_text, split, values};
use super::page::{PAGE, Page, Texts};
use crate::model::{self, LabelName, Labels, Place};

/// The keys of a family's metrics: for each label the number of its value.
///
/// All of it is under the family's lock, so tables grow in place and nothing is kept for readers. Labels are rendered
/// when they are shown.
pub(crate) struct Interned {
    seed: [u64; 2],
    /// For each label its values.
    values: Box<[Values]>,
    /// The places of the metrics, by their numbers.
    places: HashTable<u32>,
    /// The numbers of [`PAGE`] neighbours each, those of one metric after those of another.
    numbers: Vec<Numbers>,
    /// The numbers that are looked for.
    wanted: Vec<u32>,
    /// The page that was rendered last.
    page: Page,
    shown: Vec<Place>,
}

struct Numbers {
    of: Box<[u32]>,
    /// A bit for each neighbour that has some.
    used: u64,
}

impl Interned {
    pub(crate) fn new(seed: [u64; 2], labels: usize) -> Self {
        Self {
            seed,
            values: (0..labels).map(|_| Values::default()).collect(),
            places: HashTable::new(),
            numbers: Vec::new(),
            wanted: Vec::with_capacity(labels),
            page: Page::default(),
            shown: Vec::new(),
        }
    }

    /// The place of the metric with these label values.
    pub(crate) fn find(&mut self, words: &[u64]) -> Option<u32> {
        self.wanted.clear();
        for (values, words) in self.values.iter().zip(split(words)) {
            self.wanted.push(values.find(self.seed, words)?);
        }
        let hash = hash_of(self.seed, &self.wanted);
        let is_it = |at: &u32| numbers_of(&self.numbers, self.values.len(), *at) == self.wanted;
        self.places.find(hash, is_it).copied()
    }

    /// Gives the metric at a place, which has none, these label values.
    pub(crate) fn set(&mut self, at: u32, words: &[u64]) {
        let (block, within) = ((at / PAGE) as usize, (at % PAGE) as usize);
        let labels = self.values.len();
        if self.numbers.len() <= block {
            let none = || Numbers { of: vec![0; labels * PAGE as usize].into(), used: 0 };
            self.numbers.resize_with(block + 1, none);
        }
        let Some(numbers) = self.numbers.get_mut(block) else { return };
        numbers.used |= 1 << within;
        let numbers = numbers.of.iter_mut().skip(within * labels);
        for ((values, number), words) in self.values.iter_mut().zip(numbers).zip(split(words)) {
            *number = values.take(self.seed, words);
        }
    }

    /// Has the metric at a place found from now on.
    pub(crate) fn publish(&mut self, at: u32) {
        let (seed, labels, numbers) = (self.seed, self.values.len(), &self.numbers);
        let hash = |at: &u32| hash_of(seed, numbers_of(numbers, labels, *at));
        self.places.insert_unique(hash(&at), at, hash);
    }

    /// Takes the metric at a place out.
    pub(crate) fn unset(&mut self, at: u32) {
        let numbers = numbers_of(&self.numbers, self.values.len(), at);
        if let Ok(place) = self.places.find_entry(hash_of(self.seed, numbers), |place| *place == at) {
            place.remove();
        }
        for (values, &number) in self.values.iter_mut().zip(numbers) {
            values.give_back(self.seed, number);
        }
        if let Some(numbers) = self.numbers.get_mut((at / PAGE) as usize) {
            numbers.used &= !(1 << (at % PAGE));
        }
    }

    /// The labels of the metrics of a page, after these constant ones; `None` after the last page.
    pub(crate) fn render(
        &mut self,
        number: u32,
        names: &[LabelName],
        consts: &str,
    ) -> Option<(&mut Page, &[Place])> {
        let numbers = self.numbers.get(number as usize)?;
        self.page.forget();
        self.page.labels.clear();
        self.shown.clear();
        self.shown.resize(PAGE as usize, Place::default());
        let (mut pairs, mut text) = (Vec::with_capacity(names.len()), String::new());
        for (within, place) in
            self.shown.iter_mut().enumerate().filter(|(within, _)| numbers.used >> within & 1 == 1)
        {
            let numbers = numbers.of.iter().skip(within * names.len());
            let values = self.values.iter().zip(numbers).map(|(values, &number)| values.get(number));
            pairs.clear();
            pairs.extend(names.iter().map(LabelName::as_str).zip(values));
            text.clear();
            text.push_str(consts);
            model::render(&Labels::new(&pairs), &mut text);
            *place = self.page.labels.add(&text);
        }
        Some((&mut self.page, &self.shown))
    }
}

/// The numbers of the metric at a place.
fn numbers_of(numbers: &[Numbers], labels: usize, at: u32) -> &[u32] {
    let from = (at % PAGE) as usize * labels;
    let block = numbers.get((at / PAGE) as usize);
    block.and_then(|numbers| numbers.of.get(from..from + labels)).unwrap_or_default()
}

fn hash_of(seed: [u64; 2], numbers: &[u32]) -> u64 {
    numbers.iter().fold(seed[0], |so_far, &number| hash(seed, &[so_far ^ u64::from(number)]))
}

/// The values of one label, numbered; each as long as a metric has it.
#[derive(Default)]
struct Values {
    by_text: HashTable<u32>,
    /// Of [`PAGE`] values each.
    blocks: Vec<Block>,
    /// How many numbers were ever given out, and those of them that are free again.
    used: u32,
    free: Vec<u32>,
}

struct Block {
    texts: Texts,
    places: [Place; PAGE as usize],
    /// How many metrics have each.
    uses: [u32; PAGE as usize],
}

impl Values {
    fn get(&self, number: u32) -> &str {
        text_of(&self.blocks, number)
    }

    fn find(&self, seed: [u64; 2], words: &[u64]) -> Option<u32> {
        self.by_text.find(hash(seed, words), |&number| is_text(words, self.get(number))).copied()
    }

    /// The number of a value, for one more metric.
    fn take(&mut self, seed: [u64; 2], words: &[u64]) -> u32 {
        let number = self.find(seed, words).unwrap_or_else(|| self.add(seed, words));
        if let Some(uses) = self.uses(number) {
            *uses += 1;
        }
        number
    }

    fn add(&mut self, seed: [u64; 2], words: &[u64]) -> u32 {
        let number = self.free.pop().unwrap_or(self.used);
        self.used = self.used.max(number + 1);
        let (block, within) = ((number / PAGE) as usize, (number % PAGE) as usize);
        if self.blocks.len() <= block {
            let (places, uses) = ([Place::default(); PAGE as usize], [0; PAGE as usize]);
            self.blocks.push(Block { texts: Texts::default(), places, uses });
        }
        if let Some(Block { texts, places, .. }) = self.blocks.get_mut(block) {
            let place = texts.add(&values(words).concat());
            if let Some(here) = places.get_mut(within) {
                *here = place;
            }
            if within == PAGE as usize - 1 {
                texts.text.shrink_to_fit();
            }
        }
        let blocks = &self.blocks;
        self.by_text
            .insert_unique(hash(seed, words), number, |&number| hash_of_text(seed, text_of(blocks, number)));
        number
    }

    /// One metric less has this value.
    fn give_back(&mut self, seed: [u64; 2], number: u32) {
        let Some(uses) = self.uses(number) else { return };
        *uses -= 1;
        if *uses > 0 {
            return;
        }
        let hash = hash_of_text(seed, self.get(number));
        if let Ok(found) = self.by_text.find_entry(hash, |&found| found == number) {
            found.remove();
        }
        if let Some(Block { texts, places, .. }) = self.blocks.get_mut((number / PAGE) as usize) {
            texts.remove(places, (number % PAGE) as usize);
        }
        self.free.push(number);
    }

    fn uses(&mut self, number: u32) -> Option<&mut u32> {
        self.blocks.get_mut((number / PAGE) as usize)?.uses.get_mut((number % PAGE) as usize)
    }
}

fn text_of(blocks: &[Block], number: u32) -> &str {
    let Some(Block { texts, places, .. }) = blocks.get((number / PAGE) as usize) else { return "" };
    places.get((number % PAGE) as usize).map_or("", |place| place.text(&texts.text))
}

fn hash_of_text(seed: [u64; 2], text: &str) -> u64 {
    let mut words = LabelWriter::new();
    words.text(text);
    hash(seed, words.words())
}
