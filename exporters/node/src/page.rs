//! What collectors tell through: an [`Emitter`] that leaves out families without points.
//!
//! Most hosts have no use for most families, and `node_exporter` does not show them either.

use openmetrics::model::{Descriptor, Emitter, FamilyEmitter, Labels, Point};

/// The page that is being written.
#[derive(Debug)]
pub struct Page<'a, 's> {
    out: &'a mut Emitter<'s>,
}

impl<'a, 's> Page<'a, 's> {
    /// A page that goes to this emitter.
    pub fn new(out: &'a mut Emitter<'s>) -> Self {
        Self { out }
    }

    /// A family; it begins with its first point.
    pub fn family<'e>(&'e mut self, descriptor: &'e Descriptor) -> Rows<'e, 's> {
        Rows(Begun::No(self.out, descriptor))
    }

    /// A family with one point and no labels.
    pub fn value<'p>(&mut self, descriptor: &Descriptor, point: impl Into<Point<'p>>) {
        self.out.value(descriptor, point);
    }
}

/// Takes the points of one family.
#[derive(Debug)]
pub struct Rows<'e, 's>(Begun<'e, 's>);

#[derive(Debug)]
enum Begun<'e, 's> {
    No(&'e mut Emitter<'s>, &'e Descriptor),
    Yes(FamilyEmitter<'e>),
    /// Only for the moment between the two.
    Never,
}

impl Rows<'_, '_> {
    /// Hands on one point.
    pub fn point<'p>(&mut self, labels: Labels<'_>, point: impl Into<Point<'p>>) {
        if let Begun::No(..) = self.0
            && let Begun::No(out, descriptor) = std::mem::replace(&mut self.0, Begun::Never)
        {
            self.0 = Begun::Yes(out.family(descriptor));
        }
        if let Begun::Yes(family) = &mut self.0 {
            family.point(labels, point);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::gauge;
    use openmetrics::model::{Collected, Collector, MetricSet};

    #[test]
    fn families_without_points_are_left_out() {
        static A: Descriptor = gauge("a", "");
        static B: Descriptor = gauge("b", "");
        struct Two;
        impl Collector for Two {
            fn collect(&self, out: &mut Emitter<'_>) -> Collected {
                let mut page = Page::new(out);
                page.family(&A);
                let mut b = page.family(&B);
                b.point(Labels::new(&[("x", "1")]), 1_u64);
                b.point(Labels::new(&[("x", "2")]), 2_u64);
                Ok(())
            }
        }
        let (set, report) = MetricSet::collect_from(&Two);
        assert!(report.is_clean());
        assert_eq!(set.families.len(), 1);
        assert_eq!(set.families[0].metrics.len(), 2);
    }
}
