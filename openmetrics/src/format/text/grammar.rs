//! The reference grammar: what one line may look like, in each dialect, and the words for what is wrong with it.
//!
//! This alone decides what is valid. It follows the ABNF of
//! [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/#abnf) and
//! [2.0](https://prometheus.io/docs/specs/om/open_metrics_spec_2_0/#abnf) rule by rule, and the prose of the
//! [Prometheus text format](https://prometheus.io/docs/instrumenting/exposition_formats/#prometheus-text-format), where
//! blanks and tabs may stand between all tokens. The grammars need no backtracking: the next character decides.
//!
//! Where it says more than the ABNF: a fault names the most specific rule that the place and the character found
//! there suggest, so a tab after a name breaks the rule about blanks and not the one about names.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while};
use nom::character::complete::{char, digit0, digit1, one_of, satisfy};
use nom::combinator::opt;
use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Parser};

use super::Dialect;
use super::entries::ByteSpan;
use super::entries::{
    Composite, CompositeKind, ExemplarParts, Fault, Found, LabelParts, LineSpan, Located, Metadata,
    MetadataKind, Part, RawNative, RawSide, Sample, Written,
};
use super::numeral;
use crate::model::{MetricType, Number, Timestamp};

mod composite;
mod prometheus;

/// What a line is; a sample's parts are in the buffers handed in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line<'a> {
    Sample,
    Metadata(Metadata<'a>),
    /// Its text, from the number sign on.
    Comment(&'a str),
    Blank,
    Eof,
}

/// Parses one line, which has no line feed in it.
pub(super) fn line<'a>(
    dialect: Dialect,
    quoted_names: bool,
    text: &'a str,
    place: LineSpan,
    out: &mut Sample<'a>,
) -> Result<Line<'a>, Fault> {
    let cx = Cx { dialect, quoted_names, ids: ids(dialect), text, base: place.span.start };
    let parsed = match dialect {
        Dialect::Prometheus => cx.prometheus_line(out),
        _ => cx.openmetrics_line(out),
    };
    match parsed {
        Ok((_, line)) => {
            if let Some(fault) = &mut out.exemplar_fault {
                // Made without knowing the line's number.
                *fault = fault.at_line(place);
            }
            Ok(line)
        }
        Err(nom::Err::Error(want) | nom::Err::Failure(want)) => Err(cx.fault(want).at_line(place)),
        // Not reached: these parsers are complete, they never ask for more input.
        Err(nom::Err::Incomplete(_)) => Err(cx.fault(Want::new("", "OM1-SYN-01", "more")).at_line(place)),
    }
}

/// The ids of the rules about the same thing in each dialect.
struct Ids {
    blank: &'static str,
    blank_in_braces: &'static str,
    line_end: &'static str,
    carriage_return: &'static str,
    comma: &'static str,
    quotes: &'static str,
    escape: &'static str,
    metric_name: &'static str,
    /// Where a sample begins; the names of metadata lines have a rule of their own in OpenMetrics 2.0.
    sample_name: &'static str,
    label_name: &'static str,
    metric_type: &'static str,
    metadata: &'static str,
    number: &'static str,
    /// A line that ends before its value.
    no_value: &'static str,
    word: &'static str,
    digit: &'static str,
    timestamp: &'static str,
    exemplar: &'static str,
    exemplar_parts: &'static str,
}

fn ids(dialect: Dialect) -> &'static Ids {
    const OM1: Ids = Ids {
        blank: "OM1-SYN-01",
        blank_in_braces: "OM1-SYN-02",
        line_end: "OM1-DOC-03",
        carriage_return: "OM1-DOC-04",
        comma: "OM1-SYN-03",
        quotes: "OM1-SYN-04",
        escape: "OM1-SYN-05",
        metric_name: "OM1-SYN-07",
        sample_name: "OM1-SYN-07",
        label_name: "OM1-SYN-08",
        metric_type: "OM1-SYN-09",
        metadata: "OM1-SYN-10",
        number: "OM1-SYN-12",
        no_value: "OM1-SYN-12",
        word: "OM1-SYN-13",
        digit: "OM1-SYN-16",
        timestamp: "OM1-SYN-14",
        exemplar: "OM1-SYN-15",
        exemplar_parts: "OM1-EX-02",
    };
    const OM2: Ids = Ids {
        metric_name: "OM2-UTF-05",
        sample_name: "OM2-UTF-01",
        label_name: "OM2-UTF-06",
        exemplar_parts: "OM2-EX-01",
        ..OM1
    };
    const P4: Ids = Ids {
        blank: "P4-13",
        blank_in_braces: "P4-13",
        line_end: "P4-01",
        carriage_return: "P4-01",
        comma: "P4-13",
        quotes: "P4-15",
        escape: "P4-15",
        metric_name: "P4-24",
        sample_name: "P4-24",
        label_name: "P4-24",
        metric_type: "P4-09",
        metadata: "P4-08",
        number: "P4-16",
        no_value: "P4-13",
        word: "P4-16",
        digit: "P4-16",
        timestamp: "P4-17",
        exemplar: "P4-27",
        exemplar_parts: "P4-27",
    };
    static TABLE: [Ids; 3] = [P4, OM1, OM2];
    match dialect {
        Dialect::Prometheus => &TABLE[0],
        Dialect::OpenMetrics1 => &TABLE[1],
        Dialect::OpenMetrics2 => &TABLE[2],
    }
}

/// What was expected where `rest` begins.
#[derive(Clone, Copy, Debug)]
struct Want<'a> {
    rest: &'a str,
    rule: &'static str,
    expected: &'static str,
}

impl<'a> Want<'a> {
    fn new(rest: &'a str, rule: &'static str, expected: &'static str) -> Self {
        Self { rest, rule, expected }
    }
}

impl<'a> ParseError<&'a str> for Want<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        // Every parser that can fail is wrapped in `want` or asked for with `opt` or `ok`.
        Self { rest, rule: "OM1-SYN-01", expected: "something else" }
    }
    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Want<'a>>;

fn fail<'a, T>(rest: &'a str, rule: &'static str, expected: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Failure(Want::new(rest, rule, expected)))
}

/// Runs a parser; where it does not match, this is what was expected.
fn want<'a, T>(
    mut parser: impl Parser<&'a str, Output = T, Error = Want<'a>>,
    input: &'a str,
    rule: &'static str,
    expected: &'static str,
) -> Parsed<'a, T> {
    match parser.parse(input) {
        Err(nom::Err::Error(_)) => fail(input, rule, expected),
        other => other,
    }
}

/// The text that a parser takes. (nom's own `recognize` goes by where the rest points to, and `digit0` at the end of the
/// input leaves a rest that points elsewhere; lengths are always right.)
fn text_of<'a, T>(
    mut parser: impl Parser<&'a str, Output = T, Error = Want<'a>>,
) -> impl FnMut(&'a str) -> Parsed<'a, &'a str> {
    move |input| {
        let (rest, _) = parser.parse(input)?;
        let (taken, rest) = input.split_at_checked(input.len() - rest.len()).unwrap_or((input, rest));
        Ok((rest, taken))
    }
}

// -- tokens, named as in the ABNF

/// `metricname`
fn metricname(i: &str) -> Parsed<'_, &str> {
    text_of((
        satisfy(|c| c.is_ascii_alphabetic() || c == '_' || c == ':'),
        take_while(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':'),
    ))
    .parse(i)
}

/// `label-name`
fn label_name(i: &str) -> Parsed<'_, &str> {
    text_of((
        satisfy(|c| c.is_ascii_alphabetic() || c == '_'),
        take_while(|c: char| c.is_ascii_alphanumeric() || c == '_'),
    ))
    .parse(i)
}

/// `realnumber`
fn realnumber(i: &str) -> Parsed<'_, &str> {
    text_of((
        opt(one_of("+-")),
        alt((text_of((digit1, opt((char('.'), digit0)))), text_of((char('.'), digit1)))),
        opt((one_of("eE"), opt(one_of("+-")), digit1)),
    ))
    .parse(i)
}

/// `number`
fn number(i: &str) -> Parsed<'_, &str> {
    alt((
        realnumber,
        text_of((opt(one_of("+-")), alt((tag_no_case("infinity"), tag_no_case("inf"))))),
        tag_no_case("nan"),
    ))
    .parse(i)
}

/// Whether all of the text is a `number`.
pub(super) fn is_number(text: &str) -> bool {
    number(text).is_ok_and(|(rest, _)| rest.is_empty())
}

/// `integer`
fn integer(i: &str) -> Parsed<'_, &str> {
    text_of((opt(one_of("+-")), digit1)).parse(i)
}

/// `non-negative-integer`
fn non_negative_integer(i: &str) -> Parsed<'_, &str> {
    text_of((opt(char('+')), digit1)).parse(i)
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// The type that a dialect calls so.
pub(super) fn type_of_word(dialect: Dialect, word: &str) -> Option<MetricType> {
    if dialect != Dialect::Prometheus {
        return MetricType::from_word(word);
    }
    match word {
        "counter" => Some(MetricType::Counter),
        "gauge" => Some(MetricType::Gauge),
        "histogram" => Some(MetricType::Histogram),
        "summary" => Some(MetricType::Summary),
        "untyped" => Some(MetricType::Unknown),
        _ => None,
    }
}

struct Cx<'a> {
    dialect: Dialect,
    /// Whether names may stand in quotes.
    quoted_names: bool,
    ids: &'static Ids,
    text: &'a str,
    base: usize,
}

impl<'a> Cx<'a> {
    /// The offset in the input where `rest`, an end of the line, begins.
    fn at(&self, rest: &str) -> usize {
        self.base + (self.text.len() - rest.len())
    }

    /// From where `from` begins to where `to` begins.
    fn span(&self, from: &str, to: &str) -> ByteSpan {
        ByteSpan::new(self.at(from), self.at(to))
    }

    fn fault(&self, want: Want<'_>) -> Fault {
        let found = want.rest.chars().next().map_or(Found::EndOfLine, Found::Char);
        Fault::unplaced(want.rule, want.expected, found, self.at(want.rest))
    }

    /// The rule that is broken where something else than `rule`'s matter stands between tokens: blanks and carriage
    /// returns have rules of their own.
    fn rule_at(&self, rest: &str, rule: &'static str) -> &'static str {
        match rest.chars().next() {
            Some('\r') if rest.len() == 1 => self.ids.carriage_return,
            Some('\r') => self.ids.line_end,
            Some(' ' | '\t') => self.ids.blank,
            _ => rule,
        }
    }

    fn rule_in_braces(&self, rest: &str, rule: &'static str) -> &'static str {
        if rest.starts_with(is_blank) { self.ids.blank_in_braces } else { rule }
    }

    fn is_prometheus(&self) -> bool {
        self.dialect == Dialect::Prometheus
    }

    /// Blanks and tabs, where the dialect lets them stand between tokens.
    fn blanks(&self, i: &'a str) -> &'a str {
        if self.is_prometheus() { i.trim_start_matches(is_blank) } else { i }
    }

    // -- lines

    /// One line of an OpenMetrics exposition.
    fn openmetrics_line(&self, out: &mut Sample<'a>) -> Parsed<'a, Line<'a>> {
        let i = self.text;
        match i.chars().next() {
            None => fail(i, "OM1-DOC-09", "metadata, a sample or `# EOF`"),
            Some('#') => self.descriptor(i),
            Some('\u{feff}') => fail(i, "OM1-DOC-02", "no byte order mark"),
            Some(_) => {
                let (i, ()) = self.sample(i, out)?;
                Ok((i, Line::Sample))
            }
        }
    }

    /// `metric-descriptor`, `HASH SP eof`
    fn descriptor(&self, i: &'a str) -> Parsed<'a, Line<'a>> {
        const EXPECTED: &str = "`# TYPE`, `# HELP`, `# UNIT` or `# EOF`";
        let after_hash = i.strip_prefix('#').unwrap_or(i);
        let rest = after_hash.trim_start_matches(is_blank);
        let word_length = rest.find(is_blank).unwrap_or(rest.len());
        let (word, _) = rest.split_at_checked(word_length).unwrap_or((rest, ""));
        let known = ["TYPE", "HELP", "UNIT"].into_iter().find(|k| word.eq_ignore_ascii_case(k));
        let is_eof = word.get(..3).is_some_and(|w| w.eq_ignore_ascii_case("EOF"));
        if known.is_none() && !is_eof {
            return fail(i, "OM1-DOC-08", EXPECTED);
        }
        let rule = if is_eof { "OM1-DOC-05" } else { "OM1-SYN-01" };
        let (i, _) = want(char(' '), after_hash, rule, "one space")?;
        if i.starts_with(is_blank) {
            return fail(i, rule, "one space");
        }
        if is_eof {
            let (i, _) = want(tag("EOF"), i, "OM1-DOC-05", "`EOF`")?;
            return match i {
                "" => Ok((i, Line::Eof)),
                "\r" => fail(i, "OM1-DOC-04", "a line feed alone after `# EOF`"),
                _ if i.trim_matches(is_blank).is_empty() => fail(i, "OM1-DOC-05", "the end of the line"),
                _ => fail(i, "OM1-DOC-07", "nothing after `# EOF`"),
            };
        }
        let (i, keyword) =
            want(alt((tag("TYPE"), tag("HELP"), tag("UNIT"))), i, "OM1-SYN-09", "the keyword in upper case")?;
        let (i, _) = want(char(' '), i, self.rule_at(i, "OM1-SYN-10"), "one space and a metric name")?;
        let (i, name) = self.descriptor_name(i)?;
        let (i, _) = want(char(' '), i, self.rule_at(i, self.after_name_rule(i, "OM1-SYN-10")), "one space")?;
        match keyword {
            "TYPE" => self.type_value(i, name),
            "HELP" => self.help_value(i, name),
            _ => self.unit_value(i, name),
        }
    }

    /// What is broken when a name is not followed by what should follow: the name, if a foreign character stands
    /// there, else `otherwise`.
    fn after_name_rule(&self, rest: &str, otherwise: &'static str) -> &'static str {
        if rest.is_empty() { otherwise } else { self.ids.metric_name }
    }

    /// `metricname / metricname-utf8`
    fn descriptor_name(&self, i: &'a str) -> Parsed<'a, Written<'a>> {
        if i.starts_with('"') && self.quoted_names {
            let (i, part) = self.quoted_name(i)?;
            return Ok((i, self.written(part)));
        }
        let rule = if i.is_empty() { self.ids.metadata } else { self.ids.metric_name };
        let (rest, raw) = want(metricname, i, self.rule_at(i, rule), "a metric name")?;
        Ok((rest, Written::new(raw, Part { start: self.at(i), end: self.at(rest), ..Part::default() })))
    }

    fn written(&self, part: Part) -> Written<'a> {
        Written::new(
            self.text
                .get(part.start.wrapping_sub(self.base)..part.end.wrapping_sub(self.base))
                .unwrap_or_default(),
            part,
        )
    }

    fn type_value(&self, i: &'a str, name: Written<'a>) -> Parsed<'a, Line<'a>> {
        let word_length = i.find(|c: char| c.is_whitespace()).unwrap_or(i.len());
        let (word, rest) = i.split_at_checked(word_length).unwrap_or((i, ""));
        if word.is_empty() {
            let rule = if i.is_empty() { self.ids.metadata } else { self.rule_at(i, self.ids.metadata) };
            return fail(i, rule, "a metric type");
        }
        let Some(metric_type) = type_of_word(self.dialect, word) else {
            let expected = if self.is_prometheus() {
                "one of counter, gauge, histogram, summary, untyped"
            } else {
                "one of gauge, counter, stateset, info, histogram, gaugehistogram, summary, unknown"
            };
            return fail(i, self.ids.metric_type, expected);
        };
        let rest = self.blanks(rest);
        if !rest.is_empty() {
            let more = rest.trim_matches([' ', '\t', '\r']);
            let rule =
                if more.is_empty() { self.rule_at(rest, self.ids.metadata) } else { self.ids.metadata };
            return fail(rest, rule, "the end of the line");
        }
        let part = Part { start: self.at(i), end: self.at(i) + word.len(), ..Part::default() };
        let text = Written::new(word, part);
        Ok((rest, Line::Metadata(Metadata { kind: MetadataKind::Type(metric_type), name, text })))
    }

    /// `escaped-string LF`. The ABNF wants quotes escaped; the public corpus has one that is not, so a help text with
    /// raw quotes is taken, and [`assemble`](super::assemble) tells of it (OM1-SYN-05).
    fn help_value(&self, i: &'a str, name: Written<'a>) -> Parsed<'a, Line<'a>> {
        let (mut rest, mut part) = self.escaped_string(i)?;
        while let Some(after) = rest.strip_prefix('"') {
            let (end, more) = self.escaped_string(after)?;
            part.escaped |= more.escaped;
            rest = end;
        }
        part.end = self.at(rest);
        Ok((rest, Line::Metadata(Metadata { kind: MetadataKind::Help, name, text: self.written(part) })))
    }

    /// `*metricname-char LF`
    fn unit_value(&self, i: &'a str, name: Written<'a>) -> Parsed<'a, Line<'a>> {
        let (rest, raw) = take_while(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':').parse(i)?;
        if !rest.is_empty() {
            return fail(rest, self.rule_at(rest, "OM1-SYN-11"), "a unit of letters, digits, '_' and ':'");
        }
        let text = Written::new(raw, Part { start: self.at(i), end: self.at(rest), ..Part::default() });
        Ok((rest, Line::Metadata(Metadata { kind: MetadataKind::Unit, name, text })))
    }

    /// `escaped-string`: up to a quote or the end of the line.
    fn escaped_string(&self, i: &'a str) -> Parsed<'a, Part> {
        let mut rest = i;
        let mut escaped = false;
        loop {
            let (after, _) = take_while(|c| c != '"' && c != '\\').parse(rest)?;
            let Some(escape) = after.strip_prefix('\\') else {
                return Ok((after, Part { start: self.at(i), end: self.at(after), quoted: false, escaped }));
            };
            escaped = true;
            let mut chars = escape.chars();
            match chars.next() {
                None => return fail(escape, self.ids.escape, "a character after the backslash"),
                Some(c) if self.is_prometheus() && !matches!(c, 'n' | '"' | '\\') => {
                    return fail(after, self.ids.escape, "`\\\\`, `\\\"` or `\\n`");
                }
                Some(_) => rest = chars.as_str(),
            }
        }
    }

    /// `DQUOTE escaped-string DQUOTE`, the first quote being there.
    fn quoted(&self, i: &'a str, unclosed: &'static str) -> Parsed<'a, Part> {
        let (i, _) = want(char('"'), i, self.ids.quotes, "a double quote")?;
        let (i, part) = self.escaped_string(i)?;
        let (i, _) = want(char('"'), i, unclosed, "a closing double quote")?;
        Ok((i, Part { quoted: true, ..part }))
    }

    /// `DQUOTE escaped-string-non-empty DQUOTE`
    fn quoted_name(&self, i: &'a str) -> Parsed<'a, Part> {
        // A line feed or quote inside would have needed a backslash.
        let (rest, part) = self.quoted(i, if self.is_prometheus() { "P4-24" } else { "OM2-UTF-02" })?;
        if part.start == part.end {
            return fail(i, self.ids.empty_name(), "a name that is not empty");
        }
        Ok((rest, part))
    }

    // -- samples

    /// `sample`, without its line feed.
    fn sample(&self, i: &'a str, out: &mut Sample<'a>) -> Parsed<'a, ()> {
        out.labels.clear();
        out.exemplars.clear();
        out.exemplar_labels.clear();
        (out.timestamp, out.start, out.exemplar_fault, out.is_composite) = (None, None, None, false);
        let (after_series, ()) = self.series(i, out)?;
        out.series = self.span(i, after_series);
        let i = if self.is_prometheus() {
            // Braces end by themselves; a name has to be told from the value.
            let value = self.blanks(after_series);
            if value.len() == after_series.len() && !self.after_brace(after_series) {
                return fail(after_series, self.after_name_in_sample(after_series), "a blank and a value");
            }
            value
        } else {
            self.space(after_series, self.after_series_rule(after_series), "one space and a value")?.0
        };
        let i = self.value(i, out)?.0;
        if self.is_prometheus() { self.prometheus_tail(i, out) } else { self.openmetrics_tail(i, out) }
    }

    fn space(&self, i: &'a str, rule: &'static str, expected: &'static str) -> Parsed<'a, ()> {
        let (i, _) = want(char(' '), i, self.rule_at(i, rule), expected)?;
        Ok((i, ()))
    }

    fn after_series_rule(&self, rest: &str) -> &'static str {
        match rest.chars().next() {
            None => self.ids.no_value,
            Some(_) if self.after_brace(rest) => self.ids.blank,
            Some(_) => self.ids.sample_name,
        }
    }

    /// Whether the series that ends where `rest` begins has braces.
    fn after_brace(&self, rest: &str) -> bool {
        self.text.get(..self.text.len() - rest.len()).is_some_and(|series| series.ends_with('}'))
    }

    fn after_name_in_sample(&self, rest: &str) -> &'static str {
        match rest.chars().next() {
            None => self.ids.no_value,
            Some('\r') => self.rule_at(rest, self.ids.sample_name),
            Some(_) => self.ids.sample_name,
        }
    }

    /// `metricname-and-labels`
    fn series(&self, i: &'a str, out: &mut Sample<'a>) -> Parsed<'a, ()> {
        if i.starts_with('{') && self.quoted_names {
            return self.name_and_labels_in_braces(i, out);
        }
        if i.starts_with('"') && self.dialect == Dialect::OpenMetrics2 {
            return fail(i, "OM2-UTF-04", "a quoted name inside the braces");
        }
        let (rest, _) = want(metricname, i, self.rule_at(i, self.ids.sample_name), "a metric name")?;
        out.name = Part { start: self.at(i), end: self.at(rest), ..Part::default() };
        let braces = self.blanks(rest);
        if let Some(labels) = braces.strip_prefix('{') {
            return self.labels(labels, &mut out.labels, Braces::Series);
        }
        if rest.trim_start_matches(is_blank).starts_with('{') && self.dialect == Dialect::OpenMetrics1 {
            return fail(rest, self.ids.blank_in_braces, "labels right after the name, or a value");
        }
        Ok((rest, ()))
    }

    /// `"{" metricname-utf8 *(COMMA label) "}"`
    fn name_and_labels_in_braces(&self, i: &'a str, out: &mut Sample<'a>) -> Parsed<'a, ()> {
        let rule = if self.is_prometheus() { "P4-24" } else { "OM2-UTF-04" };
        let i = self.blanks(i.strip_prefix('{').unwrap_or(i));
        if !i.starts_with('"') {
            return fail(i, self.rule_in_braces(i, rule), "a metric name in double quotes");
        }
        let (after, part) = self.quoted_name(i)?;
        let i = self.blanks(after);
        if i.starts_with('=') {
            return fail(i, rule, "a metric name before the labels");
        }
        out.name = part;
        match i.chars().next() {
            Some('}') => Ok((i.strip_prefix('}').unwrap_or(i), ())),
            Some(',') => {
                let labels = i.strip_prefix(',').unwrap_or(i);
                self.labels(labels, &mut out.labels, Braces::AfterName)
            }
            // A quote inside the name would have needed a backslash.
            Some(c) if !is_blank(c) && !self.is_prometheus() => fail(i, "OM2-UTF-02", "',' or '}'"),
            _ => fail(i, self.rule_in_braces(i, self.ids.comma), "',' or '}'"),
        }
    }

    /// `[label *(COMMA label)] "}"`; the Prometheus formats allow a comma before the brace.
    fn labels(&self, i: &'a str, out: &mut Vec<LabelParts>, braces: Braces) -> Parsed<'a, ()> {
        let mut i = self.blanks(i);
        if braces != Braces::AfterName || self.is_prometheus() {
            if let Some(after) = i.strip_prefix('}') {
                return Ok((after, ()));
            }
        }
        loop {
            let (after, label) = self.label(i, braces)?;
            out.push(label);
            i = self.blanks(after);
            if let Some(after) = i.strip_prefix('}') {
                return Ok((after, ()));
            }
            let (after, _) = want(char(','), i, self.after_value_rule(i), "',' or '}'")?;
            i = self.blanks(after);
            if self.is_prometheus() {
                if let Some(after) = i.strip_prefix('}') {
                    return Ok((after, ()));
                }
            }
        }
    }

    /// After a label value: a blank, a quote that the value should have escaped, or a missing comma.
    fn after_value_rule(&self, rest: &str) -> &'static str {
        let looks_like_label = label_name(rest).is_ok_and(|(after, _)| after.starts_with('='));
        match rest.chars().next() {
            Some(' ' | '\t') => self.ids.blank_in_braces,
            Some('"') => self.ids.quotes,
            Some(c) if c.is_alphanumeric() && !looks_like_label => self.ids.quotes,
            _ => self.ids.comma,
        }
    }

    /// `label`
    fn label(&self, i: &'a str, braces: Braces) -> Parsed<'a, LabelParts> {
        let (rest, name) = if i.starts_with('"') && self.quoted_names {
            let (rest, part) = self.quoted_name(i)?;
            let after = self.blanks(rest);
            if matches!(after.chars().next(), Some(',' | '}')) && braces != Braces::Exemplar {
                let rule = if self.is_prometheus() { "P4-24" } else { "OM2-UTF-04" };
                return fail(i, rule, "a label; only the metric name, first of all, stands alone");
            }
            (rest, part)
        } else {
            let rule = match i.chars().next() {
                Some(',' | '}') | None => self.ids.comma,
                _ => self.rule_in_braces(i, self.ids.label_name),
            };
            let (rest, _) = want(label_name, i, rule, "a label name")?;
            (rest, Part { start: self.at(i), end: self.at(rest), ..Part::default() })
        };
        if self.is_prometheus() && self.written(name).raw() == "__name__" {
            return fail(i, "P4-13", "a label name other than `__name__`, which is the metric name's");
        }
        let rest = self.blanks(rest);
        let rule = match rest.chars().next() {
            Some(',' | '}' | '"') | None => self.ids.quotes,
            _ => self.rule_in_braces(rest, self.ids.label_name),
        };
        let (rest, _) = want(char('='), rest, rule, "'=' and a label value")?;
        let rest = self.blanks(rest);
        if !rest.starts_with('"') {
            return fail(rest, self.rule_in_braces(rest, self.ids.quotes), "a label value in double quotes");
        }
        let (rest, value) = self.quoted(rest, self.ids.quotes)?;
        Ok((rest, LabelParts { name, value }))
    }

    /// `value`
    fn value(&self, i: &'a str, out: &mut Sample<'a>) -> Parsed<'a, ()> {
        if i.starts_with('{') && self.dialect == Dialect::OpenMetrics2 {
            let (rest, composite) = self.composite_value(i)?;
            out.composite = composite;
            out.is_composite = true;
            out.value = Located { value: Number::ZERO, span: self.span(i, rest) };
            return Ok((rest, ()));
        }
        if i.starts_with("st@") && self.dialect == Dialect::OpenMetrics2 {
            return fail(i, "OM2-ST-01", "the value before `st@`");
        }
        let (rest, value) = self.number(i, None)?;
        out.value = value;
        Ok((rest, ()))
    }

    /// A `number` up to a blank or the end of the line. `missing` is the rule when there is none at all.
    fn number(&self, i: &'a str, missing: Option<&'static str>) -> Parsed<'a, Located<Number>> {
        let (rest, raw) = want(number, i, self.number_rule(i, missing), "a number")?;
        if !(rest.is_empty() || rest.starts_with(' ') || self.is_prometheus() && rest.starts_with('\t')) {
            return fail(rest, self.after_number_rule(i, rest), "a space or the end of the line");
        }
        Ok((rest, Located { value: numeral::number(raw), span: self.span(i, rest) }))
    }

    fn number_rule(&self, rest: &str, missing: Option<&'static str>) -> &'static str {
        let mut chars = rest.chars();
        match chars.next() {
            None => missing.unwrap_or(self.ids.no_value),
            Some(' ' | '\t' | '\r') => {
                if missing.is_some() && rest.trim_matches(is_blank).is_empty() {
                    return missing.unwrap_or(self.ids.number);
                }
                self.rule_at(rest, self.ids.number)
            }
            Some('+' | '-') if chars.as_str().starts_with(|c: char| c.is_ascii_alphabetic()) => self.ids.word,
            Some(c) if c.is_numeric() && !c.is_ascii() => self.ids.digit,
            Some(_) => self.ids.number,
        }
    }

    fn after_number_rule(&self, number: &str, rest: &str) -> &'static str {
        match rest.chars().next() {
            Some('#') => self.ids.exemplar,
            Some(c) if c.is_numeric() && !c.is_ascii() => self.ids.digit,
            Some('\t' | '\r') => self.rule_at(rest, self.ids.number),
            _ if number.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_alphabetic()) => {
                self.ids.word
            }
            _ => self.ids.number,
        }
    }

    /// `timestamp`, up to a blank or the end of the line.
    fn timestamp(&self, i: &'a str) -> Parsed<'a, Located<Timestamp>> {
        let rule = match i.chars().next() {
            Some(c) if c.is_numeric() && !c.is_ascii() => self.ids.digit,
            None => self.ids.blank, // the one before it ends the line
            _ => self.rule_at(i, self.ids.timestamp),
        };
        let (rest, raw) = want(realnumber, i, rule, "a timestamp in seconds")?;
        if !rest.is_empty() && !rest.starts_with(' ') {
            let rule = match rest.chars().next() {
                Some('#') => self.ids.exemplar,
                Some(c) if c.is_numeric() && !c.is_ascii() => self.ids.digit,
                _ => self.rule_at(rest, self.ids.timestamp),
            };
            return fail(rest, rule, "a space or the end of the line");
        }
        Ok((rest, Located { value: numeral::seconds(raw), span: self.span(i, rest) }))
    }

    /// `[SP timestamp] [SP start-timestamp] *exemplar`
    fn openmetrics_tail(&self, i: &'a str, out: &mut Sample<'a>) -> Parsed<'a, ()> {
        let mut i = i;
        let is_om2 = self.dialect == Dialect::OpenMetrics2;
        if let Some(after) = i.strip_prefix(' ') {
            if after.is_empty() {
                return fail(i, self.ids.blank, "the end of the line");
            }
            if !(after.starts_with('#') || is_om2 && after.starts_with("st@")) {
                let (rest, timestamp) = self.timestamp(after)?;
                out.timestamp = Some(timestamp);
                i = rest;
            }
        }
        if is_om2 {
            if let Some(after) = i.strip_prefix(" st@") {
                let of_start =
                    |error: nom::Err<Want<'a>>| error.map(|want| Want { rule: "OM2-ST-01", ..want });
                let (rest, start) = self.timestamp(after).map_err(of_start)?;
                out.start = Some(start);
                i = rest;
                if i.strip_prefix(' ').is_some_and(|after| realnumber(after).is_ok()) {
                    return fail(i, "OM2-ST-01", "the timestamp before `st@`");
                }
                if i.starts_with(" st@") {
                    return fail(i, "OM2-ST-01", "one start timestamp at most");
                }
            }
        }
        if i.is_empty() {
            return Ok((i, ()));
        }
        match self.exemplars(i, out) {
            Err(nom::Err::Error(want) | nom::Err::Failure(want)) if is_om2 && want.rule != "OM2-ST-02" => {
                out.exemplars.clear();
                out.exemplar_labels.clear();
                if !i.starts_with(" #") {
                    return Err(nom::Err::Failure(want));
                }
                out.exemplar_fault = Some(self.fault(want));
                Ok(("", ()))
            }
            other => other,
        }
    }

    /// `exemplar`, at most once before OpenMetrics 2.0.
    fn exemplars(&self, i: &'a str, out: &mut Sample<'a>) -> Parsed<'a, ()> {
        let mut i = i;
        while !i.is_empty() {
            let (hash, ()) = self.space(i, self.ids.exemplar, "a space")?;
            if self.dialect == Dialect::OpenMetrics2 && hash.starts_with("st@") {
                return fail(hash, "OM2-ST-02", "`st@` before the exemplars");
            }
            if !out.exemplars.is_empty() && hash.starts_with('#') && self.dialect == Dialect::OpenMetrics1 {
                let bucket = self.written(out.name).raw().ends_with("_bucket");
                let rule = if bucket { "OM1-EX-06" } else { self.ids.exemplar };
                return fail(hash, rule, "one exemplar at most");
            }
            let rule = if hash.is_empty() { self.ids.blank } else { self.rule_at(hash, self.ids.exemplar) };
            let (rest, _) =
                want(char('#'), hash, rule, "an exemplar, ` # {labels} value`, or the end of the line")?;
            let (rest, ()) = self.space(rest, self.ids.exemplar, "one space")?;
            let rule = self.rule_at(rest, self.ids.exemplar_parts);
            let (rest, _) = want(char('{'), rest, rule, "the exemplar's labels in braces")?;
            let (rest, ()) = self.labels(rest, &mut out.exemplar_labels, Braces::Exemplar)?;
            let rule = if rest.is_empty() { self.ids.exemplar_parts } else { self.ids.exemplar };
            let (rest, ()) = self.space(rest, rule, "one space and the exemplar's value")?;
            let (rest, value) = self.number(rest, Some(self.ids.exemplar_parts))?;
            let (rest, timestamp) = match rest.strip_prefix(' ') {
                Some(after) if !after.starts_with('#') => {
                    let (rest, timestamp) = self.timestamp(after)?;
                    (rest, Some(timestamp))
                }
                _ if self.dialect == Dialect::OpenMetrics2 => {
                    return fail(rest, "OM2-EX-01", "a space and the exemplar's timestamp");
                }
                _ => (rest, None),
            };
            out.exemplars.push(ExemplarParts {
                span: self.span(hash, rest),
                labels_end: out.exemplar_labels.len(),
                value,
                timestamp,
            });
            i = rest;
        }
        Ok((i, ()))
    }

    // -- the Prometheus text format

    // -- composite values
}

/// Whose labels stand in the braces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Braces {
    /// A sample's, after its name.
    Series,
    /// A sample's, after its name and a comma, in the same braces.
    AfterName,
    /// An exemplar's.
    Exemplar,
}

impl Ids {
    fn empty_name(&self) -> &'static str {
        if self.number == "P4-16" { "P4-24" } else { "OM2-UTF-03" }
    }
}

impl Fault {
    /// A fault at this offset; [`at_line`](Fault::at_line) says the rest.
    fn unplaced(rule: &'static str, expected: &'static str, found: Found, offset: usize) -> Self {
        Self::new(rule, expected, found, crate::error::Position::new(0, 0, offset as u64))
    }

    fn at_line(self, line: LineSpan) -> Self {
        self.moved(line.position(self.position().offset as usize))
    }
}
