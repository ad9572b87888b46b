//! Metrics that other programs leave in files: every `*.prom` in the folders given, in Prometheus' text format, or in
//! OpenMetrics if the file ends in `# EOF`.
//!
//! A line or a file that cannot be read costs only itself; `node_textfile_scrape_error` says that there was one. Families of the
//! same name in several files become one. A file is read anew only when it changed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openmetrics::format::assemble::read;
use openmetrics::format::entries::Dialect;
use openmetrics::model::{Descriptor, Labels, MetricFamily, MetricSet};

use super::{NodeCollector, Setup, Spec};
use crate::families::gauge;
use crate::flags::Flag;
use crate::host::{Error, Host, Stamp};
use crate::page::Page;

const DIRECTORY: Flag =
    Flag::texts("collector.textfile.directory", "Folder of *.prom files; may be a pattern such as /srv/*/metrics");
const MAX_AGE: Flag = Flag::duration(
    "collector.textfile.max-age",
    Duration::ZERO,
    "Leave out files that were not written for so long; 0 for never",
);

pub(super) static SPEC: Spec = Spec {
    name: "textfile",
    enabled: true,
    about: "metrics that other programs leave in files",
    flags: &[DIRECTORY, MAX_AGE],
    build: |setup| Ok(Box::new(Textfile::new(setup)?)),
};

static MTIME: Descriptor = gauge("node_textfile_mtime_seconds", "When the file was written, as Unix time.");
static ERROR: Descriptor = gauge("node_textfile_scrape_error", "Whether a file or folder could not be read.");

struct Textfile {
    patterns: Vec<String>,
    max_age: Duration,
    known: HashMap<PathBuf, Known>,
    /// The files that were read well, in order, and when each was written.
    told: Vec<(PathBuf, i64)>,
    families: Vec<MetricFamily>,
    failed: bool,
}

/// What is kept of a file until it changes.
struct Known {
    stamp: Stamp,
    content: Result<Content, String>,
    seen: bool,
}

/// What is good of a file, and the first thing that is not.
struct Content {
    set: MetricSet,
    wrong: Option<String>,
}

impl Textfile {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        Ok(Self {
            patterns: setup.options.texts(&DIRECTORY).iter().filter(|p| !p.is_empty()).cloned().collect(),
            max_age: setup.options.duration(&MAX_AGE)?,
            known: HashMap::new(),
            told: Vec::new(),
            families: Vec::new(),
            failed: false,
        })
    }

    fn fail(&mut self, host: &mut Host, error: Error) {
        self.failed = true;
        host.aside(error);
    }

    /// Reads the file if it changed; whether it did.
    fn update_file(&mut self, host: &mut Host, path: &Path, now: i64) -> bool {
        let stamp = match Stamp::of(path) {
            Ok(stamp) => stamp,
            Err(error) => {
                self.fail(host, error);
                return false;
            }
        };
        let written = stamp.modified();
        if !self.max_age.is_zero() && now.saturating_sub(written) > self.max_age.as_secs() as i64 {
            self.fail(host, Error::failed(path, "was not written for longer than --collector.textfile.max-age"));
            return self.known.remove(path).is_some();
        }
        let changed = self.known.get(path).is_none_or(|known| known.stamp != stamp);
        if changed {
            let content = host.text(path).map_err(|error| error.to_string()).and_then(|text| parse(&text));
            self.known.insert(path.to_owned(), Known { stamp, content, seen: true });
        }
        let Some(known) = self.known.get_mut(path) else { return changed };
        known.seen = true;
        if known.content.is_ok() {
            self.told.push((path.to_owned(), written));
        }
        let wrong = known.content.as_ref().map_or_else(Some, |content| content.wrong.as_ref());
        if let Some(reason) = wrong.cloned() {
            self.fail(host, Error::failed(path, reason));
        }
        changed
    }

    /// Brings families of one name together; those that contradict the first of their name are left out.
    fn merge(&mut self, host: &mut Host) {
        self.families.clear();
        let mut sources: HashMap<String, (usize, Vec<&Path>)> = HashMap::new();
        for (path, _) in &self.told {
            let Some(Known { content: Ok(content), .. }) = self.known.get(path) else { continue };
            for family in &content.set.families {
                let name = family.descriptor.name().as_str();
                match sources.get_mut(name).and_then(|(at, files)| Some((self.families.get_mut(*at)?, files))) {
                    None => {
                        sources.insert(name.to_owned(), (self.families.len(), vec![path]));
                        self.families.push(family.clone());
                    }
                    Some((first, files)) => match contradiction(&first.descriptor, &family.descriptor) {
                        None => {
                            files.push(path);
                            first.metrics.extend(family.metrics.iter().cloned());
                        }
                        Some(what) => {
                            self.failed = true;
                            host.aside(Error::failed(path, format!("{name} has another {what} than in another file")));
                        }
                    },
                }
            }
        }
        for (at, files) in sources.values() {
            let Some(family) = self.families.get_mut(*at).filter(|family| family.descriptor.help().is_empty()) else {
                continue;
            };
            let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            family.descriptor =
                family.descriptor.clone().with_help(format!("From the text file {}", files.join(", ")));
        }
    }
}

/// What a second family says otherwise; saying nothing contradicts nothing.
fn contradiction(first: &Descriptor, second: &Descriptor) -> Option<&'static str> {
    if first.metric_type() != second.metric_type() {
        Some("type")
    } else if !second.help().is_empty() && first.help() != second.help() {
        Some("help")
    } else {
        None
    }
}

/// The families of a file; an error is why none of it can be used.
fn parse(text: &str) -> Result<Content, String> {
    let is_openmetrics = text.trim_end().ends_with("# EOF");
    let dialect = if is_openmetrics { Dialect::OpenMetrics1 } else { Dialect::Prometheus };
    // A last line without its end may be half of one, and a number in it half a number. (`# EOF` is an end.)
    let half = if is_openmetrics { "" } else { text.rsplit('\n').next().unwrap_or_default() };
    let (set, findings) = read(text.strip_suffix(half).unwrap_or(text).as_bytes(), dialect);
    let wrong = findings.first_fatal().map(|finding| openmetrics::Error::from(finding.clone()).to_string());
    let wrong = wrong.or_else(|| (!half.is_empty()).then(|| "the last line has no end, and may be half of one".to_owned()));
    let mut points = set.families.iter().flat_map(|family| &family.metrics).flat_map(|metric| &metric.points);
    if points.any(|point| point.timestamp.is_some()) {
        return Err("has timestamps, which would make old values look new".to_owned());
    }
    match wrong {
        Some(wrong) if set.families.is_empty() => Err(wrong),
        wrong => Ok(Content { set, wrong }),
    }
}

impl NodeCollector for Textfile {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.failed = false;
        let before = std::mem::take(&mut self.told);
        for known in self.known.values_mut() {
            known.seen = false;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() as i64);
        let mut changed = false;
        for pattern in self.patterns.clone() {
            for folder in expand(&pattern) {
                let names = match host.list(&folder) {
                    Ok(names) => names,
                    Err(error) => {
                        self.fail(host, error);
                        continue;
                    }
                };
                for name in names.iter().filter(|name| name.strip_suffix(".prom").is_some()) {
                    changed |= self.update_file(host, &folder.join(name), now);
                }
            }
        }
        self.known.retain(|_, known| known.seen);
        if changed || before != self.told || self.failed {
            self.merge(host);
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for family in &self.families {
            let mut rows = out.family(&family.descriptor);
            for metric in &family.metrics {
                for point in &metric.points {
                    point.with_borrowed(|point| rows.point(Labels::from(&metric.labels), point));
                }
            }
        }
        let mut family = out.family(&MTIME);
        for (path, written) in &self.told {
            family.point(Labels::new(&[("file", &path.display().to_string())]), *written);
        }
        out.value(&ERROR, self.failed);
    }
}

/// The folders that a pattern stands for; one that fits nothing stands for itself, so that its absence is noticed.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let found: Vec<PathBuf> =
        glob::glob(pattern).map(|paths| paths.filter_map(Result::ok).collect()).unwrap_or_default();
    if found.is_empty() { vec![PathBuf::from(pattern)] } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;
    use openmetrics::model::{Collected, Collector, Emitter};

    struct Told<'a>(&'a Textfile);
    impl Collector for Told<'_> {
        fn collect(&self, out: &mut Emitter<'_>) -> Collected {
            self.0.emit(&mut Page::new(out));
            Ok(())
        }
    }

    fn page(name: &str, files: &[(&str, &str)], max_age: Duration) -> (String, Vec<String>) {
        let files: Vec<(String, &str)> = files.iter().map(|(file, text)| (format!("root/{file}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), *text)).collect();
        let tree = Tree::new(name, &files);
        let mut host = tree.host();
        let root = host.roots().rootfs.clone();
        let mut textfile = Textfile {
            patterns: vec![format!("{}/d*", root.display())],
            max_age,
            known: HashMap::new(),
            told: Vec::new(),
            families: Vec::new(),
            failed: false,
        };
        textfile.update(&mut host).unwrap();
        textfile.update(&mut host).unwrap();
        let mut page = Vec::new();
        openmetrics::format::encode(&Told(&textfile), openmetrics::format::Format::TEXT_0_0_4, &mut page);
        let lines = String::from_utf8(page).unwrap().replace(&root.display().to_string(), "/tree");
        let asides = host.take_problems().asides;
        let asides = asides.iter().map(|aside| aside.to_string().replace(&root.display().to_string(), "/tree"));
        (lines.lines().filter(|line| !line.starts_with("node_textfile_mtime")).collect::<Vec<_>>().join("\n"), asides.collect())
    }

    #[test]
    fn families_of_several_files_become_one() {
        let (page, problems) = page(
            "textfile-merge",
            &[
                ("d1/a.prom", "# HELP jobs Jobs.\n# TYPE jobs gauge\njobs{q=\"a\"} 1\n"),
                ("d2/b.prom", "# TYPE jobs gauge\njobs{q=\"b\"} 2\nplain 3\n"),
                ("d2/c.prom", "# TYPE up counter\nup_total 4\n# EOF\n"),
                ("d2/notes.txt", "not a metric"),
            ],
            Duration::ZERO,
        );
        assert!(problems.is_empty(), "{problems:?}");
        for line in ["# HELP jobs Jobs.", "jobs{q=\"a\"} 1\njobs{q=\"b\"} 2", "plain 3", "up_total 4", "node_textfile_scrape_error 0"] {
            assert!(page.contains(line), "{line} in {page}");
        }
        assert!(page.contains("# HELP plain From the text file /tree/d2/b.prom"), "{page}");
    }

    #[test]
    fn bad_files_cost_only_themselves() {
        let (page, problems) = page(
            "textfile-bad",
            &[
                ("d1/a.prom", "good 1\n"),
                ("d1/b.prom", "bad{ 1\n"),
                ("d1/c.prom", "old 1 1700000000000\n"),
                ("d1/d.prom", "# TYPE good counter\ngood 2\n"),
                ("d1/e.prom", "first 1\nbad{ 1\nlast 2\ntwice 1\ntwice 2\n"),
                ("d1/f.prom", "written 12\nhalf_written 12"),
            ],
            Duration::ZERO,
        );
        assert!(page.contains("good 1") && !page.contains("\nold") && page.contains("node_textfile_scrape_error 1"));
        assert!(page.contains("\nfirst 1\n") && page.contains("\nlast 2\n"), "{page}");
        assert_eq!(page.lines().filter(|line| line.starts_with("twice ")).count(), 1, "{page}");
        assert!(page.contains("\nwritten 12\n") && !page.contains("half_written"), "{page}");
        for file in ["b.prom", "e.prom", "f.prom"] {
            assert!(problems.iter().any(|p| p.starts_with(&format!("/tree/d1/{file}: "))), "{problems:?}");
        }
        assert!(problems.iter().any(|p| p == "/tree/d1/c.prom: has timestamps, which would make old values look new"));
    }
}
