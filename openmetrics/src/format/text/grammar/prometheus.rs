//! Lines of Prometheus' text formats.

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag;

use super::{
    Cx, Line, Located, Metadata, MetadataKind, Parsed, Part, Sample, Want, Written, fail, integer, want,
};
use crate::model::Timestamp;

impl<'a> Cx<'a> {
    /// One line of a Prometheus exposition; blanks around it are ignored.
    pub(super) fn prometheus_line(&self, out: &mut Sample<'a>) -> Parsed<'a, Line<'a>> {
        let i = self.blanks(self.text);
        match i.chars().next() {
            None => Ok((i, Line::Blank)),
            Some('\u{feff}') if self.base == 0 => fail(i, "P4-01", "no byte order mark"),
            Some('#') => self.comment(i),
            Some(_) => {
                let (i, ()) = self.sample(i, out)?;
                Ok((i, Line::Sample))
            }
        }
    }

    /// `# HELP name text`, `# TYPE name type`, or any other comment. A keyword with nothing after it is a comment too.
    pub(super) fn comment(&self, i: &'a str) -> Parsed<'a, Line<'a>> {
        let comment = i;
        let i = self.blanks(i.strip_prefix('#').unwrap_or(i));
        let Ok((rest, keyword)) = alt((tag::<_, _, Want<'a>>("HELP"), tag("TYPE"))).parse(i) else {
            return Ok(("", Line::Comment(comment)));
        };
        let name = self.blanks(rest);
        if name.is_empty() || name.len() == rest.len() {
            return Ok(("", Line::Comment(comment)));
        }
        let is_help = keyword == "HELP";
        let (rest, name) = self.descriptor_name(name)?;
        let value = self.blanks(rest);
        if value.len() == rest.len() && !rest.is_empty() {
            return fail(rest, self.rule_at(rest, self.ids.metric_name), "a blank after the metric name");
        }
        if is_help { self.prometheus_help(value, name) } else { self.type_value(value, name) }
    }

    /// A help text, where quotes stand for themselves and only backslash and line feed are escaped.
    pub(super) fn prometheus_help(&self, i: &'a str, name: Written<'a>) -> Parsed<'a, Line<'a>> {
        if i.ends_with('\r') {
            let end = i.get(i.len() - 1..).unwrap_or_default();
            return fail(end, "P4-01", "a line feed alone at the end of the line");
        }
        let mut rest = i;
        let mut escaped = false;
        while let Some(at) = rest.find('\\') {
            escaped = true;
            let escape = rest.get(at..).unwrap_or_default();
            let Some(after) = escape.strip_prefix("\\n").or_else(|| escape.strip_prefix("\\\\")) else {
                return fail(escape, "P4-06", "`\\\\` or `\\n`");
            };
            rest = after;
        }
        let part = Part { start: self.at(i), end: self.at(i) + i.len(), quoted: false, escaped };
        Ok(("", Line::Metadata(Metadata { kind: MetadataKind::Help, name, text: self.written(part) })))
    }

    /// `[ timestamp ]`, whole milliseconds.
    pub(super) fn prometheus_tail(&self, i: &'a str, out: &mut Sample<'a>) -> Parsed<'a, ()> {
        let i = self.blanks(i);
        if i.is_empty() {
            return Ok((i, ()));
        }
        if i.starts_with('#') {
            return fail(
                i,
                self.ids.exemplar,
                "a timestamp or the end of the line; exemplars do not exist here",
            );
        }
        let (rest, raw) = want(integer, i, self.rule_at(i, "P4-17"), "a timestamp in whole milliseconds")?;
        let span = self.span(i, rest);
        let end = self.blanks(rest);
        if end.len() == rest.len() && !rest.is_empty() {
            return fail(rest, self.rule_at(rest, "P4-17"), "a blank or the end of the line");
        }
        let Ok(millis) = raw.parse() else {
            return fail(i, "P4-17", "a timestamp of at most 64 bits");
        };
        if !end.is_empty() {
            let rule = if end.starts_with('#') { self.ids.exemplar } else { self.rule_at(end, "P4-13") };
            return fail(end, rule, "the end of the line");
        }
        out.timestamp = Some(Located { value: Timestamp::from_millis(millis), span });
        Ok((end, ()))
    }
}
