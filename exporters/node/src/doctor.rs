//! What `node-exporter doctor` says: how each collector fares on this host, what to look at first.

use std::fmt;

use crate::collectors;
use crate::scrape::Outcome;

/// How the collectors fare, for a person. Shown by [`Display`](fmt::Display).
#[derive(Debug)]
pub struct Findings<'a> {
    outcomes: Vec<&'a Outcome>,
    samples: u64,
}

impl<'a> Findings<'a> {
    /// From how the collectors that are on fared, and how many samples they gave.
    pub fn new(outcomes: impl IntoIterator<Item = &'a Outcome>, samples: u64) -> Self {
        Self { outcomes: outcomes.into_iter().collect(), samples }
    }

    /// Whether all that is asked for and is here can be read.
    pub fn is_healthy(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.errors == 0)
    }

    /// Lines of collectors and reasons, of those that had errors or of the others.
    fn reasons(&self, errors: bool) -> Vec<(&str, &str)> {
        let chosen = self.outcomes.iter().filter(|outcome| (outcome.errors > 0) == errors);
        chosen.flat_map(|outcome| outcome.reasons().map(|why| (outcome.name, why))).collect()
    }
}

impl fmt::Display for Findings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or_default();
        let ill = self.reasons(true);
        let denied = ill.iter().any(|(_, why)| why.contains("denied") || why.contains("not permitted"));
        for (title, lines) in
            [("Cannot be read, in whole or in part:", ill), ("Not on this host:", self.reasons(false))]
        {
            if !lines.is_empty() {
                writeln!(f, "{title}")?;
                lines.iter().try_for_each(|(name, why)| writeln!(f, "  {name:width$}  {why}"))?;
                writeln!(f)?;
            }
        }
        if denied {
            writeln!(f, "What is denied to you, root can read, and a service with CAP_DAC_READ_SEARCH.\n")?;
        }
        let is_on = |name: &&str| self.outcomes.iter().any(|outcome| outcome.name == *name);
        let off = collectors::ALL.iter().map(|spec| spec.name).filter(|name| !is_on(name));
        let fine = self.outcomes.iter().filter(|outcome| outcome.reasons().next().is_none());
        for (title, names) in [
            ("Off; --collector.NAME turns one on:", off.collect::<Vec<_>>()),
            ("Fine:", fine.map(|outcome| outcome.name).collect()),
        ] {
            if !names.is_empty() {
                writeln!(f, "{title}\n  {}\n", names.join(" "))?;
            }
        }
        writeln!(f, "{} samples; --dry-run prints them.", self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_wrong_comes_first() {
        let mut outcomes: Vec<Outcome> = collectors::ALL
            .iter()
            .map(|spec| spec.name)
            .filter(|name| *name != "drm")
            .map(|name| Outcome {
                name,
                duration: Duration::ZERO,
                problems: Vec::new(),
                asides: Vec::new(),
                errors: 0,
                late: false,
            })
            .collect();
        assert!(Findings::new(&outcomes, 1).is_healthy());
        for (name, problem, aside, errors) in [
            ("rapl", "/sys/x: Permission denied (os error 13)", "", 1),
            ("textfile", "", "/t: No such file or directory", 1),
            ("zfs", "/proc/y: ZFS is not loaded", "", 0),
        ] {
            let outcome = outcomes.iter_mut().find(|outcome| outcome.name == name).unwrap();
            outcome.problems.extend((!problem.is_empty()).then(|| problem.to_owned()));
            outcome.asides.extend((!aside.is_empty()).then(|| aside.to_owned()));
            outcome.errors = errors;
        }
        let found = Findings::new(&outcomes, 12);
        assert!(!found.is_healthy());
        let text = found.to_string();
        let expected = "\
Cannot be read, in whole or in part:
  rapl                 /sys/x: Permission denied (os error 13)
  textfile             /t: No such file or directory

Not on this host:
  zfs                  /proc/y: ZFS is not loaded

What is denied to you, root can read, and a service with CAP_DAC_READ_SEARCH.

Off; --collector.NAME turns one on:
  drm

Fine:
  arp bcache";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with(" zoneinfo\n\n12 samples; --dry-run prints them.\n"), "{text}");
    }
}
