//! Pages: the rendered labels of neighbouring metrics of a family.

use crate::model::{self, Image, Labels, Place};

/// How many neighbouring entries share a page: what a scrape copies in one go.
pub(crate) const PAGE: u32 = 64;

/// Texts of up to [`PAGE`] neighbours, one after the other. Where each stands is said by its [`Place`].
#[derive(Default)]
pub(crate) struct Texts {
    pub(crate) text: String,
    /// Bytes of `text` that belong to nobody.
    garbage: usize,
}

impl Texts {
    pub(crate) fn add(&mut self, text: &str) -> Place {
        let place = Place { from: self.text.len() as u32, len: text.len() as u32 };
        self.text.push_str(text);
        place
    }

    /// Takes a text out. The places are those of all neighbours.
    pub(crate) fn remove(&mut self, places: &mut [Place], within: usize) {
        let Some(place) = places.get_mut(within) else { return };
        self.garbage += std::mem::take(place).len as usize;
        if self.garbage > self.text.len() / 2 {
            let mut text = String::with_capacity(self.text.len() - self.garbage);
            for place in places {
                let from = text.len() as u32;
                text.push_str(place.text(&self.text));
                place.from = from;
            }
            (self.text, self.garbage) = (text, 0);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.garbage = 0;
    }
}

/// The rendered labels of neighbouring entries, and what was made of them.
#[derive(Default)]
pub(crate) struct Page {
    pub(crate) labels: Texts,
    /// The labels once more as protobuf has them: made when it is first asked for, and made anew after a change.
    pub(crate) protobuf: Option<Box<Protobuf>>,
    /// What the last scrape made of the page, see [`Image`].
    pub(crate) image: Image,
}

impl Page {
    /// Drops what was made of the labels.
    pub(crate) fn forget(&mut self) {
        self.protobuf = None;
        self.image = Image::default();
    }
}

/// The pages of a family. The places are in one list and not in the pages: a scrape walks through it from one end to the
/// other, as the processor expects, and so waits less for memory.
#[derive(Default)]
pub(crate) struct Pages {
    pages: Vec<Page>,
    places: Vec<Place>,
}

impl Pages {
    /// Enters the labels of the metric at a place.
    pub(crate) fn set(&mut self, at: u32, labels: &str) {
        let (at, page) = (at as usize, (at / PAGE) as usize);
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, Page::default);
        }
        if self.places.len() <= at {
            if self.places.capacity() <= at {
                // By an eighth each time, so that little is unused.
                self.places.reserve_exact(at + 1 - self.places.len() + at / 8);
            }
            self.places.resize(at + 1, Place::default());
        }
        if let (Some(page), Some(place)) = (self.pages.get_mut(page), self.places.get_mut(at)) {
            page.forget();
            *place = page.labels.add(labels);
            if at % PAGE as usize == PAGE as usize - 1 {
                page.labels.text.shrink_to_fit();
            }
        }
    }

    /// Takes the labels of the metric at a place out.
    pub(crate) fn unset(&mut self, at: u32) {
        let (number, within) = (at / PAGE, (at % PAGE) as usize);
        let places = self.places.get_mut((number * PAGE) as usize..).unwrap_or_default();
        let of_page = places.len().min(PAGE as usize);
        if let (Some(page), Some(places)) = (self.pages.get_mut(number as usize), places.get_mut(..of_page)) {
            page.forget();
            page.labels.remove(places, within);
        }
    }

    /// A page and the places of its metrics; `None` after the last one.
    pub(crate) fn get(&mut self, number: u32) -> Option<(&mut Page, &[Place])> {
        let places = self.places.get((number * PAGE) as usize..).unwrap_or_default();
        let places = places.get(..PAGE as usize).unwrap_or(places);
        Some((self.pages.get_mut(number as usize)?, places))
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
                let labels = Labels::rendered(place.text(&page.labels.text), &[]);
                model::render_protobuf(&labels, &mut all.bytes);
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
