//! `omtool explain` and `omtool rules`.

use std::io::{self, Write};

use crate::cli::{Failure, Outcome};
use crate::config::unknown_rule;
use crate::render::printable;
use crate::rule::{Check, Example, Level, Rule, Scope};
use crate::rules;

/// Which rule to explain.
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// Id or name of a rule, such as OM1-CNT-03 or counter-nan.
    #[arg(required = true)]
    rules: Vec<String>,
}

/// Which rules to list.
#[derive(Debug, clap::Args)]
pub(crate) struct RulesArguments {
    /// Only rules of this level.
    #[arg(long)]
    level: Option<Level>,
    /// Only rules whose id begins so, such as OM2 or OM1-HIS.
    #[arg(value_name = "PREFIX")]
    prefix: Option<String>,
    /// Only what is not checked, and why.
    #[arg(long)]
    unchecked: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &ExplainArguments) -> Result<Outcome, Failure> {
    let mut out = io::stdout().lock();
    for (at, name) in arguments.rules.iter().enumerate() {
        let rule = rules::find(name).ok_or_else(|| Failure::new(unknown_rule(name)))?;
        if at > 0 {
            writeln!(out)?;
        }
        explain(rule, &mut out)?;
    }
    Ok(Outcome::Clean)
}

fn explain(rule: &Rule, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} {} ({})", rule.id, rule.name, rule.level)?;
    writeln!(out, "\n  {}\n", rule.summary)?;
    for line in wrap(rule.explain, 96) {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\n  Found by: {}", found_by(rule))?;
    writeln!(out, "  Specification: {}", rule.section)?;
    for (title, examples) in [("Right", rule.good), ("Wrong", rule.bad)] {
        for example in examples {
            writeln!(out, "\n  {title}, {}:", example.spec.title())?;
            show(example, out)?;
        }
    }
    Ok(())
}

fn show(example: &Example, out: &mut dyn Write) -> io::Result<()> {
    for (at, text) in example.texts.iter().enumerate() {
        if at > 0 {
            writeln!(out, "    ... and then")?;
        }
        for line in String::from_utf8_lossy(text).split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, "  (no line feed)"), |line| (line, ""));
            writeln!(out, "    {}{end}", shorten(&printable(line)))?;
        }
        if text.is_empty() {
            writeln!(out, "    (nothing)")?;
        }
    }
    Ok(())
}

fn shorten(line: &str) -> String {
    if line.chars().count() <= 110 {
        return line.to_owned();
    }
    format!(
        "{}\u{2026}{}",
        line.chars().take(60).collect::<String>(),
        line.chars().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<String>()
    )
}

const fn found_by(rule: &Rule) -> &'static str {
    match (rule.check, rule.scope) {
        (Check::Ledger(reason), _) => reason,
        (Check::Reader | Check::Exposition, _) => "omtool check",
        (Check::Sequence, _) => "omtool check --sequence, omtool probe",
        (Check::Response | Check::Http, _) => "omtool probe",
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines.last().is_some_and(|line| !line.is_empty() && line.len() + 1 + word.len() > width);
        if full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

pub(crate) fn list(arguments: &RulesArguments) -> Result<Outcome, Failure> {
    let prefix = arguments.prefix.as_deref().unwrap_or_default().to_ascii_uppercase();
    let wanted: Vec<&Rule> = rules::all()
        .filter(|rule| rule.id.starts_with(&prefix))
        .filter(|rule| arguments.level.is_none_or(|level| rule.level == level))
        .filter(|rule| !arguments.unchecked || matches!(rule.check, Check::Ledger(_)))
        .collect();
    if wanted.is_empty() {
        return Err(Failure::new("no rule is like that; `omtool rules` lists all"));
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        let all: Vec<_> = wanted.iter().map(|rule| as_json(rule)).collect();
        serde_json::to_writer_pretty(&mut out, &all).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(Outcome::Clean);
    }
    for rule in wanted {
        match rule.check {
            Check::Ledger(reason) if arguments.unchecked => {
                writeln!(out, "{:12} {:28} {reason}", rule.id, rule.name)?;
            }
            _ => writeln!(out, "{:12} {:6} {:32} {}", rule.id, rule.level, rule.name, rule.summary)?,
        }
    }
    Ok(Outcome::Clean)
}

fn as_json(rule: &Rule) -> serde_json::Value {
    let scope = match rule.scope {
        Scope::File => "file",
        Scope::Response => "response",
        Scope::Http => "http",
        Scope::Sequence => "sequence",
        Scope::Reader => "reader",
        Scope::Writer => "writer",
    };
    serde_json::json!({
        "id": rule.id, "name": rule.name, "level": rule.level.as_str(), "scope": scope, "section": rule.section,
        "summary": rule.summary, "explanation": rule.explain, "found_by": found_by(rule),
        "checked": !matches!(rule.check, Check::Ledger(_)),
    })
}
