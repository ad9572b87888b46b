//! The examples of the rules and those of the specifications, judged.
//!
//! The ones of the rules are their documentation and their test. `om1.txt` and `om2.txt` hold every fenced example of a
//! specification: after `===` stand its line there and the verdict, `valid`, or a level and the rule that it breaks.
//! Some of them are called wrong by the text around them; others are wrong by mistake: `om1.txt` 773 has two blanks
//! where the grammar has one, and `om2.txt` 1362, 1370 and 1378 still have the counters of OpenMetrics 1.0.

use std::fmt::Write as _;

use crate::config::Config;
use crate::finding::Finding;
use crate::judge;
use crate::rule::{Check, Example, Level, Rule};
use crate::rules;
use crate::subject::{Spec, Subject};

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
            let all = findings(example);
            let of_level = all.iter().filter(|finding| finding.level == rule.level);
            let found: Vec<&str> = of_level.clone().map(|finding| finding.rule.id).collect();
            let wider =
                of_level.clone().next().is_some_and(|first| first.also.iter().any(|also| also.id == rule.id));
            let is_named = match rule.level {
                Level::Must => found.first() == Some(&rule.id) || wider,
                _ => found.contains(&rule.id),
            };
            if !is_named {
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
                if finding.rule.id == rule.id || finding.level == Level::Must {
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
        // What is long or much is no example.
        .filter(|rule| !["LINT-06", "LINT-09", "LINT-12"].contains(&rule.id))
        .map(|rule| rule.id)
        .collect();
    assert!(without.is_empty(), "{without:?}");
}

/// What is wrong with the judgement on an example of a specification, if anything.
fn misjudged(spec: Spec, verdict: &str, text: &str) -> Option<String> {
    let subject = Subject::new("example", text.as_bytes().to_vec(), Some(spec)).unwrap();
    let judged = judge::one(subject, &Config::default(), 100);
    let of = |level| -> Vec<&str> {
        let found = judged.verdict.findings.iter().filter(|finding| finding.level == level);
        found.map(|finding| finding.rule.id).collect()
    };
    let (musts, shoulds) = (of(Level::Must), of(Level::Should));
    let is_right = match verdict.split_once(' ') {
        Some(("must", rule)) => musts.first() == Some(&rule),
        Some(("should", rule)) => musts.is_empty() && shoulds.contains(&rule),
        _ => verdict == "valid" && musts.is_empty(),
    };
    (!is_right).then(|| format!("must {musts:?}, should {shoulds:?}"))
}

#[test]
fn the_examples_of_the_specifications_are_judged_rightly() {
    let mut wrong = String::new();
    for (spec, examples, count) in
        [(Spec::OpenMetrics1, include_str!("om1.txt"), 40), (Spec::OpenMetrics2, include_str!("om2.txt"), 53)]
    {
        let examples: Vec<&str> = examples.split("=== ").skip(1).collect();
        assert_eq!(examples.len(), count, "{spec:?}");
        for example in examples {
            let (head, text) = example.split_once('\n').unwrap();
            let (line, verdict) = head.split_once(' ').unwrap();
            if let Some(found) = misjudged(spec, verdict, text) {
                let _ = writeln!(wrong, "{} line {line}, {verdict}: found {found}", spec.title());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
