//! What is wrong with an exposition: rules, places, words.

use std::borrow::Cow;
use std::fmt;

use super::super::entries::{ByteSpan, Fault, LineSpan};
use crate::error::{Error, Kind, Position};

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The id of the rule.
    pub rule: &'static str,
    /// Where it is broken.
    pub position: Position,
    /// How many bytes from there on are meant; zero at the end of a line.
    pub length: usize,
    /// What is wrong, in words.
    pub message: Cow<'static, str>,
    /// A second place that explains the first, such as the line it repeats.
    pub related: Option<Related>,
    /// Whether strict reading fails on it. Not so where established readers are known to let it pass, or where the
    /// format says to drop the part and go on.
    pub fatal: bool,
}

/// The second place of a [`Finding`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Related {
    /// Where.
    pub position: Position,
    /// How many bytes from there on are meant.
    pub length: usize,
    /// What is there, in words, such as "declared here".
    pub label: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.rule)
    }
}

impl From<Finding> for Error {
    fn from(finding: Finding) -> Self {
        Self::new(Kind::Finding {
            message: finding.message.into_owned(),
            rule: finding.rule,
            position: finding.position,
        })
    }
}

/// All that is wrong with an exposition, in the order it was found.
///
/// Of each rule only the first findings are kept, so that hostile input cannot fill the memory; all are counted.
#[derive(Clone, Debug)]
pub struct Findings {
    list: Vec<Finding>,
    counts: Vec<(&'static str, u64)>,
    per_rule: u64,
    fatal: bool,
}

/// A place by line and bytes, cheap to keep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) line: LineSpan,
    pub(super) span: ByteSpan,
}

impl Place {
    pub(super) const fn new(line: LineSpan, span: ByteSpan) -> Self {
        Self { line, span }
    }
}

impl Default for Findings {
    fn default() -> Self {
        Self::keeping(100)
    }
}

impl Findings {
    /// No findings yet; the first `per_rule` of each rule will be kept.
    pub const fn keeping(per_rule: u64) -> Self {
        Self { list: Vec::new(), counts: Vec::new(), per_rule, fatal: false }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether strict reading fails.
    pub fn is_fatal(&self) -> bool {
        self.fatal
    }

    /// The findings that were kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.list.iter()
    }

    /// How often each rule was broken, kept or not.
    pub fn counts(&self) -> &[(&'static str, u64)] {
        &self.counts
    }

    /// The first finding on which strict reading fails.
    pub fn first_fatal(&self) -> Option<&Finding> {
        self.list.iter().find(|finding| finding.fatal)
    }

    /// Sorts by place; what was found at one place stays in order.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|finding| finding.position.offset);
    }

    /// Adds a finding of whoever looks further than this crate does.
    pub fn push(&mut self, finding: Finding) {
        let rule = finding.rule;
        let fatal = finding.fatal;
        self.note(rule, fatal, || finding);
    }

    /// Counts a finding, and makes and keeps it while there is room for its rule.
    #[cold]
    fn note(&mut self, rule: &'static str, fatal: bool, make: impl FnOnce() -> Finding) {
        // Strict reading tells the first that is fatal, however many of its rule were let pass before.
        let is_first_fatal = fatal && !self.fatal;
        self.fatal |= fatal;
        let at = self.counts.iter().position(|(r, _)| *r == rule).unwrap_or_else(|| {
            self.counts.push((rule, 0));
            self.counts.len() - 1
        });
        let Some((_, count)) = self.counts.get_mut(at) else { return };
        *count += 1;
        if *count <= self.per_rule || is_first_fatal {
            self.list.push(make());
        }
    }

    #[cold]
    pub(super) fn add<M: Into<Cow<'static, str>>>(
        &mut self,
        rule: &'static str,
        place: Place,
        message: impl FnOnce() -> M,
    ) {
        self.note(rule, true, || finding(rule, place, message().into(), None, true));
    }

    /// A finding that strict reading lets pass.
    #[cold]
    pub(super) fn tolerate<M: Into<Cow<'static, str>>>(
        &mut self,
        rule: &'static str,
        place: Place,
        message: impl FnOnce() -> M,
    ) {
        self.note(rule, false, || finding(rule, place, message().into(), None, false));
    }

    #[cold]
    pub(super) fn add_related<M: Into<Cow<'static, str>>>(
        &mut self,
        rule: &'static str,
        place: Place,
        related: (Place, &'static str),
        fatal: bool,
        message: impl FnOnce() -> M,
    ) {
        self.note(rule, fatal, || finding(rule, place, message().into(), Some(related), fatal));
    }

    #[cold]
    pub(super) fn fault(&mut self, fault: &Fault, fatal: bool) {
        self.note(fault.rule(), fatal, || Finding {
            rule: fault.rule(),
            position: fault.position(),
            length: fault.len(),
            message: fault.message().into(),
            related: None,
            fatal,
        });
    }
}

fn finding(
    rule: &'static str,
    place: Place,
    message: Cow<'static, str>,
    related: Option<(Place, &'static str)>,
    fatal: bool,
) -> Finding {
    Finding {
        rule,
        position: place.line.position(place.span.start),
        length: place.span.len(),
        message,
        related: related.map(|(place, label)| Related {
            position: place.line.position(place.span.start),
            length: place.span.len(),
            label,
        }),
        fatal,
    }
}

impl<'f> IntoIterator for &'f Findings {
    type Item = &'f Finding;
    type IntoIter = std::slice::Iter<'f, Finding>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fatal_finding_is_kept_beside_those_let_pass() {
        let span = ByteSpan::new(0, 1);
        let place = Place::new(LineSpan { number: 1, span }, span);
        let mut findings = Findings::keeping(1);
        findings.tolerate("OM1-SYN-05", place, || "let pass");
        findings.tolerate("OM1-SYN-05", place, || "let pass again");
        assert!(findings.first_fatal().is_none());
        findings.add("OM1-SYN-05", place, || "not let pass");
        findings.add("OM1-SYN-05", place, || "nor this");
        assert_eq!(findings.first_fatal().map(|finding| &*finding.message), Some("not let pass"));
        assert_eq!((findings.iter().count(), findings.counts()), (2, &[("OM1-SYN-05", 4)][..]));
    }
}
