//! The examples of the rules, judged: they are the documentation and the test.

use std::fmt::Write as _;

use crate::config::Config;
use crate::finding::Finding;
use crate::judge;
use crate::rule::{Check, Example, Rule};
use crate::rules;
use crate::subject::Subject;

fn findings(example: &Example) -> Vec<Finding> {
    let subjects = example
        .texts
        .iter()
        .map(|text| Subject::new("example", text.to_vec(), Some(example.spec)).unwrap())
        .collect();
    judge::sequence(subjects, &Config::default(), 100)
        .into_iter()
        .flat_map(|judged| judged.verdict.findings)
        .collect()
}

fn show(rule: &Rule, example: &Example) -> String {
    let texts: Vec<String> = example.texts.iter().map(|text| text.escape_ascii().to_string()).collect();
    format!("{} {}\n    {}\n", rule.id, rule.name, texts.join("\n    then "))
}

#[test]
fn every_bad_example_breaks_its_rule() {
    let mut wrong = String::new();
    for rule in rules::all().filter(|rule| !matches!(rule.check, Check::Ledger(_))) {
        for example in rule.bad {
            let found: Vec<&str> = findings(example).iter().map(|finding| finding.rule.id).collect();
            if !found.contains(&rule.id) {
                let _ = writeln!(wrong, "{}    found {found:?}", show(rule, example));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_good_example_keeps_all_that_is_a_must() {
    let mut wrong = String::new();
    for rule in rules::all() {
        for example in rule.good {
            for finding in findings(example) {
                if finding.rule.id == rule.id || finding.level() == crate::rule::Level::Must {
                    let (example, id) = (show(rule, example), finding.rule.id);
                    let _ = writeln!(wrong, "{example}    {id}: {}", finding.message);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_that_a_file_can_break_has_an_example_of_it() {
    let without: Vec<&str> = rules::all()
        .filter(|rule| matches!(rule.check, Check::Reader | Check::Exposition | Check::Sequence))
        .filter(|rule| rule.bad.is_empty() && rule.scope == crate::rule::Scope::File)
        // Protobuf is no text: its examples stand in the tests of the library's decoders.
        .filter(|rule| {
            !["PPB", "NH-", "OM1-PB", "LINT-06", "LINT-09", "LINT-12"].iter().any(|p| rule.id.starts_with(p))
        })
        .map(|rule| rule.id)
        .collect();
    assert!(without.is_empty(), "{without:?}");
}
