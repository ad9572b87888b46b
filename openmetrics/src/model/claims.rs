//! Which family owns which sample names.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::family::{Descriptor, MetricType, Naming};
use super::report::Refusal;

/// The sample names that families have taken, over all formats: counter `a` takes `a`, `a_total` and `a_created`,
/// so gauge `a_total` cannot stand beside it (OM1-FAM-01, OM1-FAM-04). Registries and emitters ask the same table.
///
/// Most pages have the families of the page before, in the same order. None of those clashed, so as long as they come
/// again they are only compared with it; names are entered and looked up from the first one on that is another.
#[derive(Default)]
pub(crate) struct Claims {
    hasher: RandomState,
    /// Of the families that are claimed; empty as long as [`is_repeated`](Self::is_repeated).
    names: HashTable<Claim>,
    /// All names one after the other.
    text: String,
    /// In the order of their claims: those that are claimed, then those of the page before that did not come yet.
    families: Vec<Owner>,
    /// How many families are claimed.
    claimed: usize,
    /// Whether the families that are claimed are, one by one, those of the page before.
    is_repeated: bool,
}

struct Claim {
    hash: u64,
    name: Range<usize>,
    owner: Range<usize>,
}

/// A family that owns names: its own with each of these suffixes, one after the other in the text.
struct Owner {
    name: Range<usize>,
    suffixes: &'static [&'static str],
}

impl Claims {
    /// Gives all names free, and remembers the families for the next page. The room for names is kept, unless there was
    /// far too much of it.
    pub(crate) fn clear(&mut self) {
        if self.names.capacity() > 8 * self.names.len().max(128) {
            self.names = HashTable::new();
        }
        self.names.clear();
        self.forget_unclaimed();
        self.claimed = 0;
        self.is_repeated = true;
    }

    /// Takes all sample names of a family; if one is taken already, takes none and says whose it is.
    pub(crate) fn claim(&mut self, descriptor: &Descriptor) -> Result<(), Refusal> {
        self.claim_names(descriptor.name().as_str(), suffixes(descriptor))
    }

    /// The same for names that are spelled out: the family's, and what may follow it. The first suffix is empty.
    pub(crate) fn claim_names(
        &mut self,
        family: &str,
        suffixes: &'static [&'static str],
    ) -> Result<(), Refusal> {
        if self.is_repeated {
            let next = self.families.get(self.claimed);
            if next.is_some_and(|next| next.is(family, suffixes, &self.text)) {
                self.claimed += 1;
                return Ok(());
            }
            self.is_repeated = false;
            self.forget_unclaimed();
            for family in &self.families {
                for name in family.names() {
                    let hash = self.hasher.hash_one(self.text.get(name.clone()).unwrap_or_default());
                    let claim = Claim { hash, name, owner: family.name.clone() };
                    self.names.insert_unique(hash, claim, |claim| claim.hash);
                }
            }
        }
        self.enter(family, suffixes)
    }

    /// Enters the names of a family; if one is there already, enters none and says whose it is.
    fn enter(&mut self, family: &str, suffixes: &'static [&'static str]) -> Result<(), Refusal> {
        debug_assert!(suffixes.len() <= LONGEST, "there is room for the hashes of all");
        let from = self.text.len();
        let owner = Owner { name: from..from + family.len(), suffixes };
        for suffix in suffixes {
            self.text.push_str(family);
            self.text.push_str(suffix);
        }
        let mut hashes = [0; LONGEST];
        for (name, hash) in owner.names().zip(&mut hashes) {
            let name = self.text.get(name).unwrap_or_default();
            *hash = self.hasher.hash_one(name);
            if let Some(taken) = self.find(*hash, name) {
                let owner = self.text.get(taken.owner.clone()).unwrap_or_default();
                let refusal = if owner == family {
                    Refusal::new("OM1-FAM-01", format!("there is a family {family:?} already"))
                } else {
                    Refusal::new(
                        "OM1-FAM-04",
                        format!("its sample name {name:?} clashes with family {owner:?}"),
                    )
                };
                self.text.truncate(from);
                return Err(refusal);
            }
        }
        for (name, hash) in owner.names().zip(hashes) {
            let claim = Claim { hash, name, owner: owner.name.clone() };
            self.names.insert_unique(hash, claim, |claim| claim.hash);
        }
        self.families.push(owner);
        self.claimed += 1;
        Ok(())
    }

    fn find(&self, hash: u64, name: &str) -> Option<&Claim> {
        self.names.find(hash, |claim| self.text.get(claim.name.clone()) == Some(name))
    }

    /// Drops what is left of the page before.
    fn forget_unclaimed(&mut self) {
        self.families.truncate(self.claimed);
        self.text
            .truncate(self.families.last().and_then(|last| last.names().last()).map_or(0, |name| name.end));
    }
}

/// No family has more suffixes than this.
const LONGEST: usize = 5;

impl Owner {
    #[inline]
    fn is(&self, family: &str, suffixes: &[&str], text: &str) -> bool {
        text.get(self.name.clone()) == Some(family)
            && (std::ptr::eq(self.suffixes, suffixes) || self.suffixes == suffixes)
    }

    /// Where its names stand in the text.
    fn names(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let mut end = self.name.start;
        let family = self.name.len();
        self.suffixes.iter().map(move |suffix| {
            let start = end;
            end += family + suffix.len();
            start..end
        })
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
    use quickcheck::quickcheck;

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

    #[test]
    fn a_page_like_the_one_before_enters_nothing_and_a_clash_in_it_is_found() {
        let [a, b, a_total] =
            [("a", MetricType::Counter), ("b", MetricType::Gauge), ("a_total", MetricType::Gauge)]
                .map(|(name, metric_type)| Descriptor::literal(name, metric_type, ""));
        let mut claims = Claims::default();
        for _ in 0..2 {
            claims.clear();
            assert!(claims.claim(&a).is_ok() && claims.claim(&b).is_ok());
        }
        assert!(claims.names.is_empty());
        assert_eq!(claims.claim(&a_total).unwrap_err().rule(), "OM1-FAM-04");
        assert_eq!(claims.claim(&b).unwrap_err().rule(), "OM1-FAM-01");
        claims.clear();
        assert!(claims.claim(&b).is_ok());
        claims.clear();
        assert_eq!((claims.families.len(), &*claims.text), (1, "b"), "what is gone is forgotten");
    }

    quickcheck! {
        /// Page after page, all is refused that a table of its own would refuse.
        fn what_is_remembered_changes_nothing(pages: Vec<(bool, Vec<(u8, u8)>)>) -> bool {
            let mut claims = Claims::default();
            let mut page: Vec<Descriptor> = Vec::new();
            pages.iter().all(|(is_new, families)| {
                let families = families.iter().map(|(name, metric_type)| {
                    let name = ["a", "a_total", "a_sum", "a_info", "b", "b_created"][usize::from(*name % 6)];
                    Descriptor::literal(name, MetricType::ALL[usize::from(*metric_type % 8)], "")
                });
                if *is_new {
                    page.clear();
                }
                page.extend(families);
                let mut fresh = Claims::default();
                claims.clear();
                page.iter().all(|family| {
                    let said = |claims: &mut Claims| claims.claim(family).map_err(|refusal| refusal.to_string());
                    said(&mut claims) == said(&mut fresh)
                })
            })
        }
    }
}
