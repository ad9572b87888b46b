//! `omtool corpus`: what a reader makes of inputs whose verdict is known.
//!
//! A corpus is a folder. Each case is a folder in it with a `test.json` that names the input and says whether it
//! should parse, as the public OpenMetrics corpus has it: `{"type": "text", "file": "metrics", "shouldParse": false}`.
//! Where there is none, each file is a case, and one with `error` in its name should not parse, as in Prometheus' expfmt
//! corpus. A manifest, which is a file, has a line for each case: the path, a tab, and `parses` or `fails`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::cli::{Failure, Outcome};
use crate::config::Config;
use crate::judge;
use crate::rule::Level;
use crate::subject::{Spec, Subject};

/// Which corpus, and who is tried.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A folder with cases, at any depth, or a manifest: lines of a path, a tab, and `parses` or `fails`.
    corpus: PathBuf,
    /// Try omtool itself.
    #[arg(long = "self", conflicts_with = "command", required_unless_present = "command")]
    own: bool,
    /// The format of the cases; om1 where they have a test.json, else found out for each.
    #[arg(long)]
    spec: Option<Spec>,
    /// Also list every case that is judged rightly.
    #[arg(long)]
    verbose: bool,
    /// The program to try, after `--`: it gets each input on standard input, and status 0 means that it parses.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestJson {
    file: String,
    should_parse: bool,
}

/// One case of the corpus.
struct Case {
    name: String,
    input: PathBuf,
    should_parse: bool,
    spec: Option<Spec>,
}

/// The deepest folder that is looked into.
const MAX_DEPTH: usize = 8;

pub(crate) fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let mut cases =
        if arguments.corpus.is_file() { manifest(&arguments.corpus)? } else { cases(&arguments.corpus)? };
    if cases.is_empty() {
        let message = format!("{}: there is no case in it", arguments.corpus.display());
        return Err(Failure::new(message));
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut groups: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let (mut right, mut named) = (0, 0);
    for case in &cases {
        let (parses, rule) = verdict(arguments, case)?;
        let is_right = parses == case.should_parse;
        right += usize::from(is_right);
        named += usize::from(!case.should_parse && rule.is_some());
        let group = groups.entry(group_of(&case.name)).or_default();
        group.0 += u32::from(is_right);
        group.1 += 1;
        if !is_right || arguments.verbose {
            let word = |parses| if parses { "parses" } else { "does not parse" };
            let mark = if is_right { "right" } else { "WRONG" };
            let rule = rule.map(|rule| format!(" [{rule}]")).unwrap_or_default();
            let should =
                if is_right { String::new() } else { format!(", should: {}", word(case.should_parse)) };
            writeln!(out, "{mark}  {}: {}{rule}{should}", case.name, word(parses))?;
        }
    }
    writeln!(out, "\n{:48} right   of", "group")?;
    for (group, (right, of)) in &groups {
        writeln!(out, "{group:48} {right:5} {of:4}")?;
    }
    writeln!(out, "\n{right} of {} verdicts are right", cases.len())?;
    if arguments.own {
        let bad = cases.iter().filter(|case| !case.should_parse).count();
        writeln!(out, "{named} of {bad} bad cases name the rule that they break")?;
    }
    out.flush()?;
    Ok(if right == cases.len() { Outcome::Clean } else { Outcome::Findings })
}

/// Every folder below `root` that has a test.json.
fn cases(root: &Path) -> Result<Vec<Case>, Failure> {
    let at = |path: &Path, error: io::Error| Failure::new(format!("{}: {error}", path.display()));
    let (mut found, mut files) = (Vec::new(), Vec::new());
    let mut folders = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let manifest = folder.join("test.json");
        if manifest.is_file() {
            let text = fs::read_to_string(&manifest).map_err(|error| at(&manifest, error))?;
            let test: TestJson = serde_json::from_str(&text)
                .map_err(|error| Failure::new(format!("{}: {error}", manifest.display())))?;
            let name = folder.strip_prefix(root).unwrap_or(&folder).display().to_string();
            let (input, should_parse) = (folder.join(test.file), test.should_parse);
            found.push(Case { name, input, should_parse, spec: Some(Spec::OpenMetrics1) });
        }
        for entry in fs::read_dir(&folder).map_err(|error| at(&folder, error))? {
            let entry = entry.map_err(|error| at(&folder, error))?;
            // A link may lead back up.
            let kind = entry.file_type().map_err(|error| at(&folder, error))?;
            if kind.is_file() {
                files.push(entry.path());
            } else if depth < MAX_DEPTH && kind.is_dir() {
                folders.push((entry.path(), depth + 1));
            }
        }
    }
    if found.is_empty() {
        found.extend(files.into_iter().filter_map(|input| by_name(root, input)));
    }
    Ok(found)
}

/// A case that says by its name what becomes of it. Notes of where a corpus is from are none.
fn by_name(root: &Path, input: PathBuf) -> Option<Case> {
    let name = input.strip_prefix(root).unwrap_or(&input).display().to_string();
    let is_note = ["SOURCE", "README", "README.md", "LICENSE"].contains(&input.file_name()?.to_str()?);
    let should_parse = !name.contains("error");
    (!is_note).then_some(Case { name, input, should_parse, spec: None })
}

/// The cases of a manifest; paths are relative to it.
fn manifest(path: &Path) -> Result<Vec<Case>, Failure> {
    let failed = |what: &str| Failure::new(format!("{}: {what}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| match line.split_once('\t') {
            Some((name, verdict @ ("parses" | "fails"))) => Ok(Case {
                name: name.to_owned(),
                input: folder.join(name),
                should_parse: verdict == "parses",
                spec: None,
            }),
            _ => Err(failed(&format!("line {}: a path, a tab, and `parses` or `fails`", number + 1))),
        })
        .collect()
}

/// The name of the folder without the number at its end.
fn group_of(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_').to_owned()
}

/// Whether the one who is tried takes the input, and the rule that it names.
fn verdict(arguments: &Arguments, case: &Case) -> Result<(bool, Option<&'static str>), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{}: {error}", case.input.display()));
    if arguments.own {
        let spec = arguments.spec.or(case.spec);
        let subject = Subject::read(&case.input.display().to_string(), spec);
        let judged = judge::one(subject.map_err(|error| failed(&error))?, &Config::default(), 1);
        let spec = judged.verdict.spec;
        let mut findings = judged.verdict.findings.iter();
        let broken = findings.find(|finding| finding.level == Level::Must && !finding.is_tolerated(spec));
        return Ok((broken.is_none(), broken.map(|finding| finding.rule.id)));
    }
    let Some((program, rest)) = arguments.command.split_first() else { return Ok((false, None)) };
    let input = File::open(&case.input).map_err(|error| failed(&error))?;
    let status = Command::new(program)
        .args(rest)
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| Failure::new(format!("{program}: {error}")))?;
    Ok((status.success(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_grouped_by_their_name() {
        assert_eq!(group_of("parsers/bad_value_10"), "bad_value");
        assert_eq!(group_of("no_metadata"), "no_metadata");
    }

    #[test]
    fn three_kinds_of_corpora() {
        let folder = std::env::temp_dir().join(format!("omtool-corpus-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("om/bad_1/metrics", "a -\n# EOF\n");
        write("om/bad_1/test.json", r#"{"type": "text", "file": "metrics", "shouldParse": false}"#);
        write("expfmt/parse_error_1", "a -\n");
        write("expfmt/parse_1", "a 1\n");
        write("expfmt/SOURCE", "from elsewhere");
        write("manifest", "# two\nexpfmt/parse_1\tparses\nexpfmt/parse_error_1\tfails\n");
        let list = |cases: Result<Vec<Case>, Failure>| {
            let mut cases: Vec<_> = cases.unwrap().into_iter().map(|c| (c.name, c.should_parse)).collect();
            cases.sort();
            cases
        };
        assert_eq!(list(cases(&folder.join("om"))), [("bad_1".to_owned(), false)]);
        let two = [("parse_1".to_owned(), true), ("parse_error_1".to_owned(), false)];
        assert_eq!(list(cases(&folder.join("expfmt"))), two);
        let named = two.map(|(name, parses)| (format!("expfmt/{name}"), parses));
        assert_eq!(list(manifest(&folder.join("manifest"))), named);
        fs::remove_dir_all(&folder).unwrap();
    }
}
