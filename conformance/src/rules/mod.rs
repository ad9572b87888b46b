//! The rules of the specifications, one file a section, and our own lints.
//!
//! Ids are for ever: a rule that goes leaves its id unused. To add a rule, add a constant to a file here, with
//! examples of both kinds; `check` says who finds it.

mod lint;
mod negotiation;
mod om1_distributions;
mod om1_document;
mod om1_families;
mod om1_transport;
mod om1_values;
mod om2_document;
mod om2_values;
mod prometheus_text;
mod protobuf;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::rule::Rule;

/// All rules, in the order of the specifications, lints last.
pub(crate) fn all() -> impl Iterator<Item = &'static Rule> {
    [
        om1_document::RULES,
        om1_values::RULES,
        om1_families::RULES,
        om1_distributions::RULES,
        om1_transport::RULES,
        prometheus_text::RULES,
        protobuf::RULES,
        negotiation::RULES,
        om2_document::RULES,
        om2_values::RULES,
        lint::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The rule with this id or name, in any case.
pub(crate) fn find(id_or_name: &str) -> Option<&'static Rule> {
    static BY_KEY: LazyLock<HashMap<String, &'static Rule>> = LazyLock::new(|| {
        all().flat_map(|rule| [(rule.id.to_ascii_lowercase(), rule), (rule.name.to_owned(), rule)]).collect()
    });
    BY_KEY.get(&id_or_name.to_ascii_lowercase()).copied()
}

/// Ids that are close to a misspelt one.
pub(crate) fn similar(id_or_name: &str) -> Vec<&'static str> {
    let wanted = id_or_name.to_ascii_lowercase();
    let mut near: Vec<(usize, &'static str)> = all()
        .flat_map(|rule| [rule.id, rule.name])
        .map(|key| (distance(&wanted, &key.to_ascii_lowercase()), key))
        .filter(|(distance, key)| *distance <= key.len() / 3)
        .collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, key)| key).collect()
}

/// How many letters have to be changed, added or taken to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cb, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let change = diagonal + usize::from(ca != *cb);
            diagonal = *cell;
            left = change.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Check, Scope};

    #[test]
    fn ids_and_names_are_unique() {
        let mut seen = std::collections::HashSet::new();
        for rule in all() {
            assert!(seen.insert(rule.id), "{} twice", rule.id);
            assert!(seen.insert(rule.name), "{} twice", rule.name);
            assert!(
                rule.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{}",
                rule.name
            );
            assert!(!rule.summary.is_empty() && !rule.explain.is_empty(), "{}", rule.id);
            assert!(rule.section.starts_with("https://"), "{}", rule.id);
        }
        assert_eq!(
            all().filter(|rule| !rule.id.starts_with("LINT")).count(),
            340,
            "the inventory has 340 rules"
        );
    }

    #[test]
    fn every_rule_is_checked_or_says_why_not() {
        for rule in all() {
            let visible = rule.scope != Scope::Reader;
            if let Check::Ledger(reason) = rule.check {
                assert!(!reason.is_empty(), "{}", rule.id);
            } else {
                assert!(visible, "{} has a check that its scope cannot feed", rule.id);
            }
        }
    }

    #[test]
    fn misspelt_ids_get_suggestions() {
        assert_eq!(find("om1-cnt-03").map(|r| r.id), Some("OM1-CNT-03"));
        assert_eq!(find("counter-nan").map(|r| r.id), Some("OM1-CNT-03"));
        assert!(similar("counter-nam").contains(&"counter-nan"));
        assert!(similar("zzzzzzzz").is_empty());
    }
}
