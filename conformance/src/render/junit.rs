//! JUnit XML: a file is a suite, a finding that fails a failed case.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Judged;

pub(super) fn write(all: &[Judged], to: &mut dyn Write) -> io::Result<()> {
    let total: usize = all.iter().map(|judged| judged.verdict.findings.len()).sum();
    writeln!(to, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(to, r#"<testsuites name="omtool" failures="{total}">"#)?;
    for judged in all {
        let findings = &judged.verdict.findings;
        let name = escape(&judged.file);
        let cases = findings.len().max(1);
        writeln!(to, r#"  <testsuite name="{name}" tests="{cases}" failures="{}">"#, findings.len())?;
        if findings.is_empty() {
            writeln!(to, r#"    <testcase classname="{name}" name="no finding"/>"#)?;
        }
        for finding in findings {
            let rule = finding.rule;
            let mut at = judged.file.clone();
            if let Some(place) = finding.place.filter(|place| place.line > 0) {
                let _ = write!(at, ":{}:{}", place.line, place.column);
            }
            writeln!(
                to,
                r#"    <testcase classname="{name}" name="{} {} at {}">"#,
                rule.id,
                rule.name,
                escape(&at)
            )?;
            writeln!(
                to,
                r#"      <failure type="{}" message="{}">{}</failure>"#,
                finding.level,
                escape(&finding.message),
                escape(&format!("{}\n{}", rule.explain, rule.section))
            )?;
            writeln!(to, "    </testcase>")?;
        }
        writeln!(to, "  </testsuite>")?;
    }
    writeln!(to, "</testsuites>")
}

/// Characters that XML cannot hold become the replacement character.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
