//! Pages: the rendered labels of neighbouring metrics of a family, and copies of what they say for a scrape.

use super::{Cell, Metric};
use crate::model::{self, Image, Labels, Place, Timestamp};

/// How many neighbouring entries share a page: what a scrape copies in one go.
pub(crate) const PAGE: u32 = 64;

/// The rendered labels of [`PAGE`] neighbouring entries, one after the other. Where they stand is in [`Places`].
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) text: String,
    /// The entries that have a series, a bit each.
    alive: u64,
    /// The last of their births.
    latest: u64,
    /// Bytes of `text` that belong to nobody.
    garbage: usize,
    /// The labels once more as protobuf has them: made when it is first asked for, and made anew after a change.
    pub(crate) protobuf: Option<Box<Protobuf>>,
    /// What the last scrape made of the page, see [`Image`].
    pub(crate) image: Image,
}

/// Where the labels of all entries stand in their pages, and since when. Not in the pages: a scrape walks through each
/// of these lists from one end to the other, as the processor expects, and so waits less for memory.
#[derive(Default)]
pub(crate) struct Places {
    labels: Vec<Place>,
    /// When each series began, counted in series; 0 if there is none.
    births: Vec<u64>,
}

impl Places {
    /// Those of a page.
    pub(crate) fn of(&self, page: u32) -> &[Place] {
        let from = (page * PAGE) as usize;
        let rest = self.labels.get(from..).unwrap_or_default();
        rest.get(..PAGE as usize).unwrap_or(rest)
    }

    /// When the series at this place began, counted in series; `None` if there is none.
    pub(crate) fn birth(&self, at: u32) -> Option<u64> {
        self.births.get(at as usize).copied().filter(|&birth| birth != 0)
    }
}

/// The labels of a page in protobuf, one series after the other.
#[derive(Clone)]
pub(crate) struct Protobuf {
    pub(crate) bytes: Vec<u8>,
    /// Where each series ends.
    pub(crate) ends: [u32; PAGE as usize],
}

impl Default for Protobuf {
    fn default() -> Self {
        Self { bytes: Vec::new(), ends: [0; PAGE as usize] }
    }
}

impl Protobuf {
    pub(crate) fn of(page: &Page, places: &[Place]) -> Self {
        let mut all = Self::default();
        let mut places = places.iter();
        for end in &mut all.ends {
            if let Some(place) = places.next() {
                model::render_protobuf(&Labels::rendered(place.text(&page.text), &[]), &mut all.bytes);
            }
            *end = all.bytes.len() as u32;
        }
        all.bytes.shrink_to_fit();
        all
    }

    /// The labels of the series at this place.
    pub(crate) fn series(&self, within: usize) -> &[u8] {
        let end = |within: usize| self.ends.get(within).map_or(0, |&end| end as usize);
        let from = within.checked_sub(1).map_or(0, end);
        self.bytes.get(from..end(within)).unwrap_or_default()
    }
}

impl Page {
    /// Enters a series.
    pub(crate) fn set(&mut self, places: &mut Places, at: u32, text: &str, birth: u64) {
        let Places { labels, births } = places;
        let (at, within) = (at as usize, at % PAGE);
        if labels.len() <= at {
            // By an eighth each time, so that little is unused.
            if labels.capacity() <= at {
                let more = at + 1 - labels.len() + at / 8;
                labels.reserve_exact(more);
                births.reserve_exact(more);
            }
            labels.resize(at + 1, Place::default());
            births.resize(at + 1, 0);
        }
        self.forget();
        labels[at] = Place { from: self.text.len() as u32, len: text.len() as u32 };
        births[at] = birth;
        self.alive |= 1 << within;
        self.latest = birth;
        self.text.push_str(text);
        if within == PAGE - 1 {
            self.text.shrink_to_fit();
        }
    }

    /// Drops what was made of the labels.
    pub(crate) fn forget(&mut self) {
        self.protobuf = None;
        self.image = Image::default();
    }

    /// Takes a series out.
    pub(crate) fn unset(&mut self, places: &mut Places, at: u32) {
        self.forget();
        let (first, within) = ((at / PAGE * PAGE) as usize, (at % PAGE) as usize);
        let mut labels = places.labels.iter_mut().skip(first).take(PAGE as usize);
        let Some(place) = labels.nth(within) else { return };
        self.garbage += place.len as usize;
        *place = Place::default();
        places.births[at as usize] = 0;
        self.alive &= !(1 << within);
        if self.garbage > self.text.len() / 2 {
            let mut text = String::with_capacity(self.text.len() - self.garbage);
            for place in places.labels.iter_mut().skip(first).take(PAGE as usize) {
                let from = text.len() as u32;
                text.push_str(place.text(&self.text));
                place.from = from;
            }
            (self.text, self.garbage) = (text, 0);
        }
    }

    /// The series not born after `latest`, a bit each. `number` is the page's.
    pub(crate) fn born_until(&self, latest: u64, places: &Places, number: u32) -> u64 {
        if self.latest <= latest {
            return self.alive;
        }
        let births = places.births.iter().skip((number * PAGE) as usize).take(PAGE as usize);
        let later = births.enumerate().filter(|(_, birth)| **birth > latest);
        later.fold(self.alive, |alive, (within, _)| alive & !(1 << within))
    }
}

/// What one page was at one moment; reused from page to page.
pub(crate) struct PageCopy<M: Metric> {
    pub(crate) text: String,
    /// Empty unless asked for.
    pub(crate) protobuf: Protobuf,
    pub(crate) series: Vec<Series<M>>,
    pub(crate) len: usize,
}

pub(crate) struct Series<M: Metric> {
    pub(crate) at: u32,
    pub(crate) birth: u64,
    pub(crate) place: Place,
    pub(crate) start: Option<Timestamp>,
    pub(crate) reading: <M::Cell as Cell>::Reading,
}

impl<M: Metric> Default for PageCopy<M> {
    fn default() -> Self {
        Self { text: String::new(), protobuf: Protobuf::default(), series: Vec::new(), len: 0 }
    }
}

impl<M: Metric> PageCopy<M> {
    pub(crate) fn series(&self) -> impl Iterator<Item = (&Series<M>, &str)> {
        self.series.iter().take(self.len).map(|series| (series, series.place.text(&self.text)))
    }
}
