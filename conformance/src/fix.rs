//! Repairs that cannot change what an exposition means.
//!
//! Line ends, blanks, a byte order mark, blank lines and comments where a format has none, the order of metadata,
//! backslashes that escape nothing. Never a value, a name or a label; and never the end marker, since what lacks one may
//! have been cut off.

use openmetrics::model::{MetricSet, MetricType};

use crate::judge;
use crate::subject::Spec;

/// The repaired text, or `None` if there is nothing to repair or no repair is safe.
pub(crate) fn fix(bytes: &[u8], spec: Spec) -> Option<Vec<u8>> {
    judge::dialect(spec)?;
    let text = std::str::from_utf8(bytes).ok()?;
    let mut fixed = once(text, spec);
    // One repair may lay bare another, of which there is an end: a second look has to find nothing.
    for _ in 0..4 {
        let again = once(&fixed, spec);
        if again == fixed {
            let keeps =
                fixed != text && keeps(&judge::read(bytes, spec), &judge::read(fixed.as_bytes(), spec));
            return keeps.then(|| fixed.into_bytes());
        }
        fixed = again;
    }
    None
}

fn once(text: &str, spec: Spec) -> String {
    let text = text.trim_start_matches('\u{feff}');
    let is_openmetrics = spec != Spec::Prometheus;
    let mut lines: Vec<String> = Vec::new();
    let mut ended = false;
    for line in text.lines() {
        let line = line.trim_end_matches('\r');
        let line =
            if line.starts_with('#') { metadata(line, is_openmetrics) } else { sample(line, is_openmetrics) };
        if line.is_empty() && (is_openmetrics || ended) {
            continue;
        }
        ended |= line == "# EOF";
        if is_openmetrics && is_comment(&line) {
            continue;
        }
        lines.push(line);
    }
    if is_openmetrics {
        sort_metadata(&mut lines);
    }
    let mut fixed = lines.join("\n");
    if !fixed.is_empty() {
        fixed.push('\n');
    }
    fixed
}

/// Whether all that could be read before can be read now, and is the same.
fn keeps(before: &MetricSet, after: &MetricSet) -> bool {
    before.families.iter().all(|family| {
        after.family(family.descriptor.name().as_str()).is_some_and(|now| {
            let (was, is) = (family.descriptor.metric_type(), now.descriptor.metric_type());
            // A TYPE line that could not be read may be readable now.
            (was == is || was == MetricType::Unknown)
                && family.metrics.iter().all(|metric| now.metrics.contains(metric))
        })
    })
}

/// Single blanks between the parts of a `TYPE` or `UNIT` line, and none after a help text's keyword but one. The text of
/// help is left alone, but for backslashes.
fn metadata(line: &str, is_openmetrics: bool) -> String {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words.as_slice() {
        ["#", "TYPE" | "UNIT", ..] | ["#", "EOF"] => words.join(" "),
        ["#", "HELP", ..] if is_openmetrics => double_backslashes(line),
        _ => line.to_owned(),
    }
}

/// Single blanks outside quotes, none at the ends or within braces.
fn sample(line: &str, is_openmetrics: bool) -> String {
    let line = line.trim_matches([' ', '\t']);
    let mut out = String::with_capacity(line.len());
    let (mut quoted, mut escaped, mut in_braces) = (false, false, false);
    for c in line.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            out.push(c);
            continue;
        }
        match c {
            ' ' | '\t' if in_braces || out.ends_with(' ') => {}
            ' ' | '\t' => out.push(' '),
            _ => {
                match c {
                    '"' => quoted = true,
                    '{' => {
                        in_braces = true;
                        // `a {x="1"}`, but an exemplar's braces and a composite value's stay apart from what is before.
                        let is_first = !out.trim_end().contains([' ', '}']);
                        if is_first
                            && out.ends_with(' ')
                            && !line.contains("{count:")
                            && !line.contains("{gcount:")
                        {
                            out.pop();
                        }
                    }
                    '}' => in_braces = false,
                    _ => {}
                }
                out.push(c);
            }
        }
    }
    if is_openmetrics { double_backslashes(&out) } else { out }
}

/// A backslash before other than `n`, a quote or a backslash means itself; written twice it says so.
fn double_backslashes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '\\' {
            match chars.peek() {
                Some('n' | '"' | '\\') => out.extend(chars.next()),
                Some(_) => out.push('\\'),
                None => {}
            }
        }
    }
    out
}

fn is_comment(line: &str) -> bool {
    line.starts_with('#') && keyword(line).is_none() && line != "# EOF"
}

fn keyword(line: &str) -> Option<(u8, &str)> {
    let rest = line.strip_prefix("# ")?;
    let (keyword, rest) = rest.split_once(' ')?;
    let rank = match keyword {
        "TYPE" => 0,
        "UNIT" => 1,
        "HELP" => 2,
        _ => return None,
    };
    Some((rank, rest.split(' ').next().unwrap_or(rest)))
}

/// TYPE, UNIT, HELP: in neighbouring lines of one family.
fn sort_metadata(lines: &mut [String]) {
    let mut at = 0;
    while at < lines.len() {
        let name = lines.get(at).and_then(|line| keyword(line)).map(|(_, name)| name.to_owned());
        let rest = lines.get(at..).unwrap_or_default();
        let same = rest
            .iter()
            .take_while(|line| name.is_some() && keyword(line).map(|(_, name)| name.to_owned()) == name);
        let count = same.count();
        if let Some(group) = lines.get_mut(at..at + count) {
            group.sort_by_key(|line| keyword(line).map(|(rank, _)| rank));
        }
        at += count.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn becomes(spec: Spec, before: &str, after: &str) {
        let fixed = fix(before.as_bytes(), spec).map(|fixed| String::from_utf8(fixed).unwrap());
        assert_eq!(fixed.as_deref(), Some(after));
        assert_eq!(fix(after.as_bytes(), spec), None, "once is enough");
    }

    #[test]
    fn what_says_nothing_is_put_right() {
        becomes(
            Spec::OpenMetrics1,
            "\u{feff}# a comment\r\n# HELP a_seconds It \\d \"x\"  y.\r\n# UNIT a_seconds seconds\r\n# TYPE  a_seconds\tgauge \r\n\r\n \
             a_seconds { b = \"c  d\" , e=\"\\d\" }  1 \r\n# EOF",
            "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds It \\\\d \"x\"  y.\n\
             a_seconds{b=\"c  d\",e=\"\\\\d\"} 1\n# EOF\n",
        );
        becomes(
            Spec::OpenMetrics2,
            "# TYPE a histogram\na{x=\"1\"}  {count:1,sum:1,bucket:[+Inf:1]} st@1 # {t=\"1\"} 1  2\n# EOF\n",
            "# TYPE a histogram\na{x=\"1\"} {count:1,sum:1,bucket:[+Inf:1]} st@1 # {t=\"1\"} 1 2\n# EOF\n",
        );
        becomes(Spec::Prometheus, "a 1\r\n# note\n\nb   2", "a 1\n# note\n\nb 2\n");
    }

    #[test]
    fn what_may_mean_something_is_left_alone() {
        for (spec, text) in [
            // Without its end it may have been cut off.
            (Spec::OpenMetrics1, "a 1\n"),
            (Spec::OpenMetrics1, "# TYPE a counter\na_total -1\n# EOF\n"),
            (
                Spec::OpenMetrics1,
                "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\n# EOF\n",
            ),
            (Spec::Prometheus, "# HELP a  two  blanks\na 1\n"),
        ] {
            assert_eq!(fix(text.as_bytes(), spec), None, "{text}");
        }
        assert_eq!(fix(b"\xff", Spec::OpenMetrics1), None);
    }
}
