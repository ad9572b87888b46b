//! Which family owns which sample names.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::family::{Descriptor, MetricType, Naming};
use super::report::Refusal;

/// The sample names that families have taken, over all formats: counter `a` takes `a`, `a_total` and `a_created`,
/// so gauge `a_total` cannot stand beside it (OM1-FAM-01, OM1-FAM-04). Registries and emitters ask the same table.
#[derive(Default)]
pub(crate) struct Claims {
    hasher: RandomState,
    names: HashTable<Claim>,
    /// All names one after the other.
    text: String,
}

struct Claim {
    hash: u64,
    name: Range<usize>,
    /// The family's own name.
    owner: Range<usize>,
}

impl Claims {
    /// Gives all names free. The room for them is kept, unless there was far too much of it.
    pub(crate) fn clear(&mut self) {
        if self.names.capacity() > 8 * self.names.len().max(128) {
            self.names = HashTable::new();
        }
        self.names.clear();
        self.text.clear();
    }

    /// Takes all sample names of a family; if one is taken already, takes none and says whose it is.
    pub(crate) fn claim(&mut self, descriptor: &Descriptor) -> Result<(), Refusal> {
        self.claim_names(descriptor.name().as_str(), suffixes(descriptor))
    }

    /// The same for names that are spelled out: the family's, and what may follow it. The first suffix is empty.
    pub(crate) fn claim_names(&mut self, family: &str, suffixes: &[&str]) -> Result<(), Refusal> {
        let before = self.text.len();
        for suffix in suffixes {
            let start = self.text.len();
            self.text.push_str(family);
            self.text.push_str(suffix);
            let name = self.text.get(start..).unwrap_or_default();
            let hash = self.hasher.hash_one(name);
            if let Some(taken) = self.find(hash, name) {
                let owner = self.text.get(taken.owner.clone()).unwrap_or_default();
                let refusal = if owner == family {
                    Refusal::new("OM1-FAM-01", format!("there is a family {family:?} already"))
                } else {
                    Refusal::new(
                        "OM1-FAM-04",
                        format!("its sample name {name:?} clashes with family {owner:?}"),
                    )
                };
                self.text.truncate(before);
                return Err(refusal);
            }
        }
        let owner = before..before + family.len();
        let mut start = before;
        for suffix in suffixes {
            let name = start..start + family.len() + suffix.len();
            start = name.end;
            let hash = self.hasher.hash_one(self.text.get(name.clone()).unwrap_or_default());
            self.names.insert_unique(hash, Claim { hash, name, owner: owner.clone() }, |claim| claim.hash);
        }
        Ok(())
    }

    fn find(&self, hash: u64, name: &str) -> Option<&Claim> {
        self.names.find(hash, |claim| self.text.get(claim.name.clone()) == Some(name))
    }
}

/// What may follow the family's name in its samples, over all formats. A suffix with nothing before it is the
/// family's own name, which metadata lines carry.
fn suffixes(descriptor: &Descriptor) -> &'static [&'static str] {
    match (descriptor.metric_type(), descriptor.naming()) {
        (MetricType::Counter, Naming::Standard) => &["", "_total", "_created"],
        (MetricType::Info, Naming::Standard) => &["", "_info"],
        (MetricType::Histogram, _) => &["", "_bucket", "_count", "_sum", "_created"],
        (MetricType::GaugeHistogram, _) => &["", "_bucket", "_gcount", "_gsum"],
        (MetricType::Summary, _) => &["", "_count", "_sum", "_created"],
        _ => &[""],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_names_clash() {
        use MetricType::{Counter, Gauge, GaugeHistogram, Histogram, Info, Summary};
        for (a, ta, b, tb, rule) in [
            ("a", Counter, "a_total", Gauge, Some("OM1-FAM-04")),
            ("a", Counter, "a_created", Gauge, Some("OM1-FAM-04")),
            ("a", Counter, "a", Gauge, Some("OM1-FAM-01")),
            ("a", Histogram, "a_bucket", Counter, Some("OM1-FAM-04")),
            ("a", Histogram, "a_count", Gauge, Some("OM1-FAM-04")),
            ("a", Summary, "a_sum", Gauge, Some("OM1-FAM-04")),
            ("a", GaugeHistogram, "a_gsum", Gauge, Some("OM1-FAM-04")),
            ("a", GaugeHistogram, "a_sum", Gauge, None),
            ("a", Info, "a_info", Gauge, Some("OM1-FAM-04")),
            ("a", Gauge, "a_total", Gauge, None),
            ("a", Counter, "ab", Counter, None),
        ] {
            for ((first, tf), (second, ts)) in [((a, ta), (b, tb)), ((b, tb), (a, ta))] {
                let mut claims = Claims::default();
                claims.claim(&Descriptor::literal(first, tf, "")).unwrap();
                let found = claims.claim(&Descriptor::literal(second, ts, "")).map_err(|r| r.rule()).err();
                assert_eq!(found, rule, "{first} then {second}");
            }
        }
    }

    #[test]
    fn a_refused_family_takes_nothing() {
        let mut claims = Claims::default();
        claims.claim(&Descriptor::literal("a_total", MetricType::Gauge, "")).unwrap();
        let refusal = claims.claim(&Descriptor::literal("a", MetricType::Counter, "")).unwrap_err();
        assert_eq!(refusal.message(), r#"its sample name "a_total" clashes with family "a_total""#);
        claims.claim(&Descriptor::literal("a", MetricType::Gauge, "")).unwrap();
    }
}
