//! `omtool.toml`: what to ignore, and why.

use std::path::Path;

use serde::Deserialize;

use crate::finding::Finding;
use crate::rule::Rule;
use crate::rules;

/// Settings from a file; the command line adds to them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Findings that are accepted.
    pub(crate) ignore: Vec<Ignore>,
}

/// A rule, everywhere or of some metrics, that is accepted for a reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ignore {
    /// Id or name of the rule.
    pub(crate) rule: String,
    /// The family, `*` standing for any characters; all families if left out.
    pub(crate) metric: Option<String>,
    /// Why, for the next reader of the file; nothing is done with it.
    #[serde(default, rename = "reason")]
    _reason: String,
}

/// The file that is read when there is no `--config`.
pub(crate) const DEFAULT_FILE: &str = "omtool.toml";

impl Config {
    /// Reads a file. Every mistake says where it is.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for ignore in &config.ignore {
            ignore.check()?;
        }
        Ok(config)
    }

    /// Whether a finding is accepted.
    pub(crate) fn ignores(&self, finding: &Finding) -> bool {
        self.ignore.iter().any(|ignore| ignore.covers(finding))
    }

    /// Whether all findings of a rule are accepted, whatever metric they are about.
    pub(crate) fn ignores_all_of(&self, rule: &Rule) -> bool {
        self.ignore.iter().any(|ignore| ignore.metric.is_none() && ignore.is_of(rule))
    }
}

impl Ignore {
    /// From the command line: `RULE` or `RULE:METRIC`.
    pub(crate) fn from_option(option: &str) -> Result<Self, String> {
        let (rule, metric) = match option.split_once(':') {
            Some((rule, metric)) => (rule, Some(metric.to_owned())),
            None => (option, None),
        };
        let ignore = Self { rule: rule.to_owned(), metric, _reason: String::new() };
        ignore.check()?;
        Ok(ignore)
    }

    fn check(&self) -> Result<(), String> {
        if rules::find(&self.rule).is_some() {
            return Ok(());
        }
        Err(unknown_rule(&self.rule))
    }

    fn is_of(&self, rule: &Rule) -> bool {
        self.rule.eq_ignore_ascii_case(rule.id) || self.rule.eq_ignore_ascii_case(rule.name)
    }

    fn covers(&self, finding: &Finding) -> bool {
        self.is_of(finding.rule)
            && match (&self.metric, &finding.metric) {
                (None, _) => true,
                (Some(pattern), Some(metric)) => matches(pattern, metric),
                (Some(_), None) => false,
            }
    }
}

/// What to say of a rule that is not there.
pub(crate) fn unknown_rule(name: &str) -> String {
    match rules::similar(name).as_slice() {
        [] => format!("there is no rule {name:?}; `omtool rules` lists them"),
        near => format!("there is no rule {name:?}; did you mean {}?", near.join(" or ")),
    }
}

/// Whether `pattern`, in which `*` stands for any characters, is all of `text`. Linear: after a star the first place
/// where the next piece fits is as good as any.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abc", true),
            ("*", "", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn files() {
        let config = Config::parse(
            "ignore = [{ rule = \"OM1-CNT-07\", metric = \"go_*\", reason = \"the library writes none\" }]",
        )
        .unwrap();
        let rule = rules::find("OM1-CNT-07").unwrap();
        assert!(config.ignores(&Finding::new(rule, "").of("go_gc")));
        assert!(!config.ignores(&Finding::new(rule, "").of("up")));
        assert!(Config::parse("ignore = [{ rule = \"OM1-CNT-70\" }]").unwrap_err().contains("did you mean"));
        assert!(Config::parse("ignroe = []").unwrap_err().contains("line 1"));
    }
}
