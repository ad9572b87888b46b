//! Labels that come again from page to page.

use super::family::MetricType;
use super::label::{LabelSet, Labels, render, render_protobuf, strip_protobuf_label};
use super::name::is_classic_label_name;

/// The label sets of a page, remembered for the next one: most likely its families tell of the same metrics, in the same
/// order. Labels that come again need not be checked again, and are there rendered.
///
/// Only labels told one by one are here, not those of families that tell them apart themselves.
#[derive(Default)]
pub(super) struct Recall {
    /// Those of this page, then those of the page before that did not come yet.
    families: Vec<Known>,
    /// How many have begun on this page; the last of them is open.
    begun: usize,
    /// How many bytes the labels of this page take.
    bytes: usize,
}

/// Label sets of one family, in the order they came: all different, of the same names, which are classic and allowed by
/// the family's type and scope.
#[derive(Default)]
struct Known {
    metric_type: MetricType,
    scope: LabelSet,
    text: String,
    protobuf: Vec<u8>,
    /// Where each set ends in the text, and where in protobuf.
    ends: Vec<(usize, usize)>,
    /// How many came on this page.
    came: usize,
    /// Whether the ones that come are, one by one, those of the page before.
    is_repeated: bool,
    /// Whether others are added.
    is_learning: bool,
}

/// So many bytes of labels are remembered; those that follow are checked each time.
const REMEMBERED: usize = 1 << 20;

impl Recall {
    /// Begins the next family that has labels to be checked.
    pub(super) fn begin_family(&mut self, metric_type: MetricType, scope: &LabelSet) {
        self.end_family();
        if self.families.len() == self.begun {
            self.families.push(Known::default());
        }
        if let Some(known) = self.families.get_mut(self.begun) {
            if known.metric_type != metric_type || known.scope != *scope {
                (known.metric_type, known.scope) = (metric_type, scope.clone());
                known.forget_others();
            }
            (known.is_repeated, known.is_learning) = (true, true);
        }
        self.begun += 1;
    }

    fn end_family(&mut self) {
        if let Some(known) = self.open() {
            known.forget_others();
            known.came = 0;
        }
    }

    /// Ends a page and forgets what was not on it.
    pub(super) fn end_page(&mut self) {
        self.end_family();
        self.families.truncate(self.begun);
        (self.begun, self.bytes) = (0, 0);
    }

    fn open(&mut self) -> Option<&mut Known> {
        self.families.get_mut(self.begun.checked_sub(1)?)
    }

    /// Which label set of the open family this is, if all that came so far came on the page before, in this order.
    #[inline]
    pub(super) fn recognize(&mut self, labels: &Labels<'_>) -> Option<usize> {
        let has_room = self.bytes < REMEMBERED;
        let known = self.open().filter(|known| known.is_repeated && has_room)?;
        let at = known.came;
        let mut rest = known.protobuf.get(known.end(at).1..known.ends.get(at)?.1)?;
        for (name, value) in labels {
            rest = strip_protobuf_label(rest, name, &value)?;
        }
        if !rest.is_empty() {
            return None;
        }
        known.came += 1;
        self.bytes += known.end(known.came).1 - known.end(at).1;
        Some(at)
    }

    /// Stops to recognize labels of the open family, and tells those that were recognized so far.
    pub(super) fn diverge(&mut self, mut tell: impl FnMut(Labels<'_>)) {
        if let Some(known) = self.open().filter(|known| known.is_repeated) {
            known.is_repeated = false;
            known.forget_others();
            (0..known.came).filter_map(|at| known.labels(at)).for_each(&mut tell);
        }
    }

    /// Remembers labels that were not recognized and were found to be good, unless some before them were left out.
    pub(super) fn learn(&mut self, labels: &Labels<'_>, is_timed: bool) {
        let has_room = self.bytes < REMEMBERED;
        let Some(known) = self.open().filter(|known| known.is_learning) else { return };
        let names = || labels.iter().map(|(name, _)| name);
        known.is_learning = !is_timed
            && has_room
            && names().all(is_classic_label_name)
            && known.labels(0).is_none_or(|first| first.iter().map(|(name, _)| name).eq(names()));
        if known.is_learning {
            let before = known.protobuf.len();
            render_protobuf(labels, &mut known.protobuf);
            let more = known.protobuf.len() - before;
            let mut text = String::new();
            render(labels, &mut text);
            known.text.push_str(&text);
            known.ends.push((known.text.len(), known.protobuf.len()));
            known.came += 1;
            self.bytes += more;
        }
    }

    /// The labels of the open family that were recognized as these.
    #[inline]
    pub(super) fn labels(&self, at: usize) -> Option<Labels<'_>> {
        self.families.get(self.begun.checked_sub(1)?)?.labels(at)
    }
}

impl Known {
    /// Where so many sets end.
    fn end(&self, count: usize) -> (usize, usize) {
        count.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or_default()
    }

    fn labels(&self, at: usize) -> Option<Labels<'_>> {
        let (from, end) = (self.end(at), self.ends.get(at)?);
        Some(Labels::rendered(self.text.get(from.0..end.0)?, self.protobuf.get(from.1..end.1)?))
    }

    /// Forgets the sets that did not come on this page.
    fn forget_others(&mut self) {
        let (text, protobuf) = self.end(self.came);
        self.ends.truncate(self.came);
        self.text.truncate(text);
        self.protobuf.truncate(protobuf);
    }
}
