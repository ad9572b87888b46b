//! The wider rules that a finding breaks as well: a state of 2 breaks the rule of states and that of booleans.

use crate::finding::{Finding, Place};
use crate::rule::Rule;
use crate::rules;
use crate::subject::Spec;

/// How much of a line is looked at; what decides stands near its beginning.
const ENOUGH: usize = 4096;

/// The wider rules that the finding breaks, after its own.
pub(crate) fn of(finding: &Finding, spec: Spec, bytes: &[u8]) -> Vec<&'static Rule> {
    let ids: &[&str] = match spec {
        Spec::OpenMetricsProtobuf if finding.rule.id.starts_with("OM1-PB-") => &[],
        Spec::OpenMetricsProtobuf if finding.rule.level == crate::rule::Level::Must => &["OM1-PB-07"],
        Spec::OpenMetricsProtobuf | Spec::PrometheusProtobuf => &[],
        _ => {
            let line = finding.place.map(|place| Line::of(place, bytes)).unwrap_or_default();
            in_text(finding.rule.id, &line)
        }
    };
    ids.iter().filter_map(|id| rules::find(id)).collect()
}

fn in_text(id: &str, line: &Line<'_>) -> &'static [&'static str] {
    match id {
        "OM1-SS-02" => &["OM1-NUM-06"],
        "OM1-EX-02" | "OM1-EX-06" => &["OM1-SYN-15"],
        "OM1-DOC-01" if line.is_in_value() => &["OM1-LAB-07"],
        "OM1-SYN-01" if line.all.trim_ascii().is_empty() => &["OM1-DOC-09"],
        "OM1-SYN-01" | "OM1-SYN-09" if line.is_no_metadata() => &["OM1-DOC-08"],
        "OM1-SYN-04" if line.escapes_quote() => &["OM1-SYN-05"],
        "OM1-LAB-02" if line.label() == line.name() => &["OM1-SS-05"],
        "OM1-LAB-02" if line.name().ends_with(b"_info") => &["OM1-INF-04"],
        "OM1-GAU-01" | "OM1-UNK-01" | "OM1-SUM-01" | "OM1-SS-07" | "OM1-INF-01" => &["OM1-FAM-19"],
        "OM2-UNK-01" => &["OM1-SYN-12"],
        "OM2-UTF-01" => &["OM2-UTF-05"],
        "OM2-UTF-05" => &["OM2-UTF-01"],
        "P4-01" | "P4-13" | "P4-15" | "P4-24" if line.is_in_quoted_name() => &["ESC-01"],
        "P4-24" if line.name().first().is_some_and(u8::is_ascii_digit) => &["ESC-04", "P4-13"],
        "P4-15" | "P4-24" => &["P4-13"],
        _ => &[],
    }
}

/// A line, or as much of its beginning as is looked at, and where in it the finding begins.
#[derive(Default)]
struct Line<'a> {
    all: &'a [u8],
    before: &'a [u8],
    after: &'a [u8],
}

impl<'a> Line<'a> {
    fn of(place: Place, bytes: &'a [u8]) -> Self {
        let column = usize::try_from(place.column).unwrap_or_default().saturating_sub(1);
        let start = place.offset.saturating_sub(column);
        let rest = bytes.get(start..).unwrap_or_default();
        let near = rest.get(..ENOUGH).unwrap_or(rest);
        let all = near.split(|&b| b == b'\n').next().unwrap_or_default();
        let (before, after) = all.split_at_checked(column).unwrap_or((all, b""));
        Self { all, before, after }
    }

    /// The name of the metric, if the line is a sample's and the name stands before its labels.
    fn name(&self) -> &'a [u8] {
        self.all.split(|b| matches!(b, b'{' | b' ')).next().unwrap_or_default()
    }

    /// The name of the label that the finding is about.
    fn label(&self) -> &'a [u8] {
        self.after.split(|&b| b == b'=').next().unwrap_or_default()
    }

    /// Whether the finding is in the value of a label.
    fn is_in_value(&self) -> bool {
        !self.all.starts_with(b"#") && self.before.windows(2).any(|two| two == b"=\"")
    }

    /// Whether the finding is in a name in quotes that stands in the braces.
    fn is_in_quoted_name(&self) -> bool {
        let name = self.all.trim_ascii_start().strip_prefix(b"{").unwrap_or_default();
        name.trim_ascii_start().starts_with(b"\"") && !self.before.contains(&b'=')
    }

    /// Whether it begins with `#` and no keyword, as `# type` and `#TYPE`.
    fn is_no_metadata(&self) -> bool {
        let keywords = [&b"TYPE"[..], b"HELP", b"UNIT", b"EOF"];
        let Some(rest) = self.all.strip_prefix(b"#") else { return false };
        let word = rest.strip_prefix(b" ").map(|rest| rest.split(|&b| b == b' ').next().unwrap_or_default());
        !word.is_some_and(|word| word.is_empty() || keywords.contains(&word))
    }

    /// Whether a quote that was meant to end a value is escaped, as the last one of `path="C:\"`.
    fn escapes_quote(&self) -> bool {
        self.all.windows(2).any(|two| two == b"\\\"")
    }
}
