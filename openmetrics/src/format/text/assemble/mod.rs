//! Expositions as a whole: which lines belong together, and whether they make sense.
//!
//! | to get | call |
//! |---|---|
//! | the families, or the first thing that is wrong | [`decode`](crate::format::decode), or [`decode`] here |
//! | the families and all that is wrong | [`read`] |
//! | all that is wrong, in little memory and time | [`check`] |
//! | the same with a look at every line on the way | [`Checker`] |
//!
//! A [`Finding`] has the id of the rule, the place, words, and often a second place ("it is first here"). Reading
//! recovers at the next line, so a file gives all its findings at once.
//!
//! What is checked: one group of lines a family, metadata before samples and once, names that clash, suffixes by type,
//! one group of samples a metric, duplicates whatever the order of labels, timestamps in order, label names, values by
//! type, buckets, counts and sums, quantiles, states, composite values, exemplars.
//!
//! What passes strict reading though the text of a specification forbids it, since all readers let it pass: in the
//! Prometheus formats, families in several groups (P4-18) and `# HELP` without a name (P4-06).

mod build;
mod composite;
mod findings;
mod judge;
mod metric;
mod names;
mod seen;

pub use findings::{Finding, Findings, Related};

use super::entries::{Dialect, Entries, Entry, Fault, LineSpan};
use super::grammar::Line;
use crate::error::Error;
use crate::model::{MetricSet, MetricType};
use build::Builder;
use judge::{Judge, Placed};

/// Finds all that is wrong with an exposition.
///
/// ```
/// use openmetrics::format::{assemble::check, entries::Dialect};
///
/// let text = b"# TYPE a counter\na_total -1\na_total{b=1} 2\n# EOF\n";
/// let findings: Vec<String> = check(text, Dialect::OpenMetrics1)
///     .iter()
///     .map(|f| format!("{}:{}: {f}", f.position.line, f.position.column))
///     .collect();
/// assert_eq!(
///     findings,
///     [
///         "2:9: a counter is not negative [OM1-CNT-04]",
///         "3:11: expected a label value in double quotes, found '1' [OM1-SYN-04]",
///     ]
/// );
/// ```
pub fn check(input: &[u8], dialect: Dialect) -> Findings {
    Checker::new(input, dialect).finish()
}

/// The families of an exposition, and all that is wrong with it. What is wrong may be missing from the families.
///
/// ```
/// use openmetrics::format::{assemble::read, entries::Dialect};
///
/// let (set, findings) = read(b"a 1\nb one\n# EOF\n", Dialect::OpenMetrics1);
/// assert_eq!(set.families.len(), 1);
/// assert_eq!(findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["OM1-SYN-12"]);
/// ```
pub fn read(input: &[u8], dialect: Dialect) -> (MetricSet, Findings) {
    Checker::new(input, dialect).read()
}

/// The families of an exposition, if nothing is wrong with it that strict reading minds.
///
/// # Errors
///
/// The first such thing, with its rule and position.
pub fn decode(input: &[u8], dialect: Dialect) -> Result<MetricSet, Error> {
    Checker::with_findings(input, dialect, Findings::keeping(1)).decode()
}

/// Finds what is wrong, and lends each line on the way to whoever wants to look further.
pub struct Checker<'a> {
    entries: Entries<'a>,
    judge: Judge<'a>,
}

impl std::fmt::Debug for Checker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checker").field("findings", &self.judge.findings).finish_non_exhaustive()
    }
}

impl<'a> Checker<'a> {
    /// A checker of this input.
    pub fn new(input: &'a [u8], dialect: Dialect) -> Self {
        Self::with_findings(input, dialect, Findings::default())
    }

    /// A checker that adds to these findings; they say how many of a rule are kept.
    pub fn with_findings(input: &'a [u8], dialect: Dialect, findings: Findings) -> Self {
        Self { entries: Entries::new(input, dialect), judge: Judge::new(input, dialect, findings) }
    }

    /// A checker that asks the reference grammar about every line, see [`Entries::reference`], and looks at every sample
    /// as if none had been before: slow, and for those who test.
    pub fn reference(input: &'a [u8], dialect: Dialect) -> Self {
        Self { entries: Entries::reference(input, dialect), ..Self::new(input, dialect) }
    }

    /// Takes names in quotes whatever the dialect, see [`Entries::with_quoted_names`].
    #[must_use]
    pub fn with_quoted_names(mut self) -> Self {
        self.entries = self.entries.with_quoted_names();
        self.judge.allow_quoted_names();
        self
    }

    /// Reads and checks the next line. A fault is among the findings already.
    pub fn next_entry(&mut self) -> Option<Result<Entry<'a, '_>, Fault>> {
        match self.step()? {
            Ok((line, _)) => Some(Ok(self.entries.entry(line))),
            Err(fault) => Some(Err(fault)),
        }
    }

    /// Reads the next line into the buffers and judges it.
    fn step(&mut self) -> Option<Result<(Line<'a>, Placing), Fault>> {
        let step = self.entries.step()?;
        let at = self.entries.line();
        Some(match step {
            Ok(line) => {
                let placing = match &line {
                    Line::Sample => {
                        Placing::Sample(self.judge.sample(self.entries.before(), self.entries.sample(), at))
                    }
                    Line::Metadata(metadata) => Placing::Metadata(self.judge.metadata(metadata, at)),
                    Line::Comment(text) => {
                        self.judge.comment(text, at);
                        Placing::None
                    }
                    Line::Blank | Line::Eof => Placing::None,
                };
                Ok((line, placing))
            }
            Err(fault) => {
                self.judge.fault(&fault);
                Err(fault)
            }
        })
    }

    /// The families, and all findings; see [`read`].
    pub fn read(mut self) -> (MetricSet, Findings) {
        let mut builder = Builder::default();
        while self.build_next(&mut builder) {}
        self.judge.finish();
        let set = builder.finish(&self.judge, self.entries.dialect());
        (set, self.judge.findings)
    }

    /// The families, or the first thing that strict reading minds; see [`decode`].
    pub fn decode(mut self) -> Result<MetricSet, Error> {
        let mut builder = Builder::default();
        while !self.judge.findings.is_fatal() && self.build_next(&mut builder) {}
        if !self.judge.findings.is_fatal() {
            self.judge.finish();
        }
        match self.judge.findings.first_fatal() {
            Some(finding) => Err(finding.clone().into()),
            None => Ok(builder.finish(&self.judge, self.entries.dialect())),
        }
    }

    /// Reads, judges and builds with the next line; `false` after the last.
    fn build_next(&mut self, builder: &mut Builder) -> bool {
        if self.entries.plain_sample() {
            let placed = self.judge.sample(self.entries.before(), self.entries.sample(), self.entries.line());
            self.build(builder, &Line::Sample, &Placing::Sample(placed));
            return true;
        }
        match self.step() {
            Some(Ok((line, placing))) => self.build(builder, &line, &placing),
            Some(Err(_)) => {}
            None => return false,
        }
        true
    }

    fn build(&self, builder: &mut Builder, line: &Line<'a>, placing: &Placing) {
        match (line, placing) {
            (_, Placing::Sample(placed)) => {
                let metric_type =
                    self.judge.open.as_ref().map_or(MetricType::Unknown, |open| open.metric_type);
                builder.sample(self.entries.sample(), placed, metric_type);
            }
            (Line::Metadata(metadata), Placing::Metadata(Some(id))) => builder.metadata(*id, metadata),
            _ => {}
        }
    }

    /// The line of the last entry or fault.
    pub fn line(&self) -> LineSpan {
        self.entries.line()
    }

    /// What was found so far.
    pub fn findings(&self) -> &Findings {
        &self.judge.findings
    }

    /// All findings, in the order of their places; reads what was not read yet.
    pub fn finish(mut self) -> Findings {
        loop {
            if self.entries.plain_sample() {
                self.judge.sample(self.entries.before(), self.entries.sample(), self.entries.line());
            } else if self.step().is_none() {
                break;
            }
        }
        self.judge.finish();
        self.judge.findings
    }
}

/// Where the judge put a line.
enum Placing {
    Sample(Placed),
    /// The number of the family, unless the line counts as absent.
    Metadata(Option<u32>),
    None,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::arbitrary::ValidSet;
    use crate::format::{Format, decode, encode};
    use quickcheck::quickcheck;

    fn written(set: &MetricSet, format: Format) -> Vec<u8> {
        let mut text = Vec::new();
        encode(set, format, &mut text);
        text
    }

    fn read_again(text: &[u8], format: Format) -> MetricSet {
        decode(text, format)
            .unwrap_or_else(|error| panic!("{format}: {error}\n{}", String::from_utf8_lossy(text)))
    }

    /// What a format can say of a set is read without a finding, and is the same when it is said and read again. (The
    /// set itself may say more: facts of an info stand among its labels in text.)
    fn is_stable(set: &MetricSet, format: Format) -> bool {
        let first = read_again(&written(set, format), format);
        let text = written(&first, format);
        let second = read_again(&text, format);
        first == second && written(&second, format) == text
    }

    /// What text can say of a set so that reading can give it back: the facts of an info are labels there, so points
    /// with other facts are other metrics.
    fn sayable(set: ValidSet) -> MetricSet {
        let mut set = set.0;
        for family in &mut set.families {
            if family.descriptor.metric_type() == MetricType::Info {
                family.metrics.iter_mut().for_each(|metric| metric.points.truncate(1));
            }
        }
        set
    }

    quickcheck! {
        fn written_and_read_again_openmetrics_1(set: ValidSet) -> bool {
            is_stable(&sayable(set), Format::OPENMETRICS_1_0)
        }
        fn written_and_read_again_openmetrics_1_quoted(set: ValidSet) -> bool {
            let format = Format::OPENMETRICS_1_0.with_escaping(crate::format::Escaping::AllowUtf8);
            is_stable(&sayable(set), format)
        }
        fn written_and_read_again_openmetrics_2(set: ValidSet) -> bool {
            is_stable(&sayable(set), Format::OPENMETRICS_2_0)
        }
        fn written_and_read_again_text_0(set: ValidSet) -> bool {
            is_stable(&sayable(set), Format::TEXT_0_0_4)
        }
        fn written_and_read_again_text_1(set: ValidSet) -> bool {
            is_stable(&sayable(set), Format::TEXT_1_0_0)
        }
    }
}
