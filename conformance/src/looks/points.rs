//! The points of one counter in one exposition, where they have timestamps: a total does not fall from one to the next.

use openmetrics::model::{Number, Timestamp};

use crate::finding::Place;

/// Two successive points of a metric, the later one perhaps not read to its end.
#[derive(Default)]
pub(super) struct Points {
    before: Option<Point>,
    now: Option<Point>,
}

#[derive(Clone, Copy)]
struct Point {
    time: Timestamp,
    total: Option<(Number, Place)>,
    start: Option<Timestamp>,
}

/// A total that fell.
pub(super) struct Fall {
    pub(super) at: Place,
    pub(super) message: String,
    /// Whether both points have a start, and it did not move.
    pub(super) start_stays: bool,
}

impl Points {
    /// Takes a total, or with `total` unset the start that goes with one. Gives the fall that the point before has shown.
    pub(super) fn take(
        &mut self,
        time: Timestamp,
        total: Option<(Number, Place)>,
        start: Option<Timestamp>,
    ) -> Option<Fall> {
        let fall = match self.now {
            Some(now) if now.time == time => None,
            _ => self.end_point(Some(Point { time, total: None, start: None })),
        };
        if let Some(now) = &mut self.now {
            now.total = total.or(now.total);
            now.start = start.or(now.start);
        }
        fall
    }

    /// The metric is over.
    pub(super) fn end(&mut self) -> Option<Fall> {
        let fall = self.end_point(None);
        self.before = None;
        fall
    }

    fn end_point(&mut self, next: Option<Point>) -> Option<Fall> {
        let ended = std::mem::replace(&mut self.now, next)?;
        let before = self.before.replace(ended)?;
        let ((was, _), (is, at)) = (before.total?, ended.total?);
        if is.as_f64() >= was.as_f64() || is.is_nan() || was.is_nan() {
            return None;
        }
        let start_stays = match (before.start, ended.start) {
            (Some(was), Some(is)) if is > was => return None,
            (Some(_), Some(_)) => true,
            _ => false,
        };
        let why = if start_stays { "its start does not move" } else { "no start says that it was reset" };
        let message = format!("the counter falls from {} to {}, and {why}", was.as_f64(), is.as_f64());
        Some(Fall { at, message, start_stays })
    }
}
