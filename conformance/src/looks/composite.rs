//! The looks on composite values of OpenMetrics 2.0.

use openmetrics::format::entries::{Composite, CompositeKind};
use openmetrics::model::Number;

use super::Findings;
use crate::finding::Place;
use crate::subject::Spec;

pub(super) fn look(spec: Spec, family: &str, composite: &Composite, at: Place, findings: &mut Findings) {
    if spec != Spec::OpenMetrics2 {
        return;
    }
    let counts = || {
        let buckets = composite.buckets.iter().flatten().map(|(_, count)| count.value);
        std::iter::once(composite.count.value).chain(buckets)
    };
    let odd = |n: Number| n.is_nan() || n.as_f64().is_infinite();
    if composite.kind == CompositeKind::Histogram && counts().any(|n| odd(n) || n.as_f64().fract() != 0.0) {
        findings.push("OM2-HIS-04", "count and buckets should be whole numbers".to_owned(), at, family);
    }
    if composite.kind == CompositeKind::GaugeHistogram && counts().any(|n| odd(n) || n.is_negative()) {
        let message = "gcount and buckets should be neither negative nor NaN nor infinite".to_owned();
        findings.push("OM2-GHI-02", message, at, family);
    }
    if let Some(native) = &composite.native {
        let sides = || native.negative.iter().chain(&native.positive);
        let empty = sides().any(|side| side.spans.is_empty() && side.buckets.is_empty());
        let zero = sides().any(|side| side.buckets.iter().any(|count| count.value.as_f64() == 0.0));
        if empty || zero {
            let what = if empty { "empty spans" } else { "buckets of zero" };
            findings.push("OM2-NH-03", format!("{what} can be left out"), at, family);
        }
    }
}
