//! Pages: the rendered labels of neighbouring metrics of a family, and copies of what they say for a scrape.

use super::{Cell, Metric};
use crate::model::{self, Image, Labels, Timestamp};

/// How many neighbouring entries share a page: what a scrape copies in one go.
pub(crate) const PAGE: u32 = 64;

/// The rendered labels of [`PAGE`] neighbouring entries, one after the other.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) text: String,
    pub(crate) places: Vec<Place>,
    /// Bytes of `text` that belong to nobody.
    pub(crate) garbage: usize,
    /// The labels once more as protobuf has them: made when it is first asked for, and made anew after a change.
    pub(crate) protobuf: Option<Box<Protobuf>>,
    /// What the last scrape made of the page, see [`Image`].
    pub(crate) image: Option<Box<Image>>,
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
    pub(crate) fn of(page: &Page) -> Self {
        let mut all = Self::default();
        let mut places = page.places.iter();
        for end in &mut all.ends {
            if let Some(place) = places.next().filter(|place| place.birth != 0) {
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

#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) from: u32,
    pub(crate) len: u32,
    /// 0 if there is no series here.
    pub(crate) birth: u64,
}

impl Place {
    pub(crate) fn text<'a>(&self, page: &'a str) -> &'a str {
        let from = self.from as usize;
        page.get(from..from + self.len as usize).unwrap_or_default()
    }
}

impl Page {
    pub(crate) fn set(&mut self, within: usize, text: &str, birth: u64) {
        if self.places.len() <= within {
            self.places.resize(within + 1, Place::default());
        }
        self.forget();
        self.places[within] = Place { from: self.text.len() as u32, len: text.len() as u32, birth };
        self.text.push_str(text);
        if self.places.len() == PAGE as usize {
            self.text.shrink_to_fit();
        }
    }

    /// Drops what was made of the labels.
    pub(crate) fn forget(&mut self) {
        self.protobuf = None;
        self.image = None;
    }

    pub(crate) fn unset(&mut self, within: usize) {
        self.forget();
        let Some(place) = self.places.get_mut(within) else { return };
        self.garbage += place.len as usize;
        *place = Place::default();
        if self.garbage > self.text.len() / 2 {
            let mut text = String::with_capacity(self.text.len() - self.garbage);
            for place in &mut self.places {
                let from = text.len() as u32;
                text.push_str(place.text(&self.text));
                place.from = from;
            }
            (self.text, self.garbage) = (text, 0);
        }
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
