//! The readers against corpora that others have published. They are not in this repository; each test takes the folder
//! of a corpus from an environment variable, and says so if that is not set.
#![cfg(feature = "parse")]

use std::fs;
use std::path::{Path, PathBuf};

use openmetrics::format::entries::{Dialect, Entries};
use openmetrics::format::{Format, assemble, decode};

fn folder(variable: &str, what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        println!("note: {variable} is not set, so {what} is not read; set it to the folder");
    }
    folder
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What is wrong with a text, all of it.
fn findings(text: &[u8], dialect: Dialect) -> Vec<String> {
    let (_, read) = assemble::read(text, dialect);
    let checked = assemble::check(text, dialect);
    let list = |findings: &assemble::Findings| -> Vec<String> {
        findings.iter().map(|f| format!("{}:{}: {f}", f.position.line, f.position.column)).collect()
    };
    assert_eq!(list(&read), list(&checked), "reading and checking say the same");
    list(&read)
}

/// prometheus/OpenMetrics, tests/testdata/parsers: folders with an exposition and whether it should parse.
#[test]
fn openmetrics_corpus() {
    let Some(folder) = folder("OPENMETRICS_CORPUS", "the public OpenMetrics corpus") else { return };
    let mut wrong = Vec::new();
    let mut cases = 0;
    for case in files(&folder.join("parsers")) {
        let text = fs::read(case.join("metrics")).unwrap();
        let should_parse =
            fs::read_to_string(case.join("test.json")).unwrap().contains("\"shouldParse\": true");
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        cases += 1;
        let parsed = decode(&text, Format::OPENMETRICS_1_0);
        let findings = findings(&text, Dialect::OpenMetrics1);
        // Raw quotes in a help text are the one thing that is told of and passes (OM1-SYN-05).
        let passes = findings.iter().all(|f| name == "help_escaping" && f.ends_with("[OM1-SYN-05]"));
        if parsed.is_ok() != should_parse || passes != should_parse {
            wrong.push(format!("{name}: {parsed:?} {findings:?}"));
        }
        println!("{name}: {findings:?}");
    }
    assert!(wrong.is_empty(), "{} of {cases}: {wrong:#?}", wrong.len());
    assert_eq!(cases, 211);
}

/// prometheus/common, expfmt: what a reader of 0.0.4 must take and must refuse.
#[test]
fn expfmt_corpus() {
    let Some(folder) = folder("EXPFMT_CORPUS", "the corpus of Prometheus' expfmt") else { return };
    let mut wrong = Vec::new();
    let mut cases = 0;
    for case in files(&folder) {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let should_parse = match &*name {
            _ if name.starts_with("from_test_parse_error") => false,
            "minimal" | "text" => true,
            _ if name.starts_with("from_test_parse") => true,
            _ => continue,
        };
        let text = fs::read(&case).unwrap();
        cases += 1;
        let parsed = decode(&text, Format::TEXT_0_0_4);
        println!("{name}: {:?}", findings(&text, Dialect::Prometheus));
        if parsed.is_ok() != should_parse {
            wrong.push(format!("{name}: {parsed:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(cases, 27);
}

/// prometheus/prometheus, model/textparse/testdata: pages that are in their format's grammar. One has negative sums in
/// summaries, which the grammar cannot know.
#[test]
fn textparse_corpus() {
    let Some(folder) = folder("TEXTPARSE_CORPUS", "the pages of Prometheus' textparse") else { return };
    let mut cases = 0;
    for case in files(&folder) {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let dialect = match &*name {
            _ if name.ends_with(".om.txt") => Dialect::OpenMetrics1,
            _ if name.ends_with(".om2.txt") => Dialect::OpenMetrics2,
            _ if name.ends_with(".prom.txt") => Dialect::Prometheus,
            _ => continue,
        };
        let text = fs::read(&case).unwrap();
        cases += 1;
        let mut entries = Entries::new(&text, dialect);
        while let Some(entry) = entries.next_entry() {
            if let Err(fault) = entry {
                panic!("{name}: {}: {fault}", fault.position().line);
            }
        }
        let findings = findings(&text, dialect);
        if name == "alltypes.5mfs.om.txt" {
            assert!(findings.iter().any(|f| f.ends_with("[OM1-SUM-02]")), "{findings:#?}");
        } else {
            // A native histogram of floats is there to be read, though counts should be whole.
            let passes = findings.iter().all(|f| name == "alltypes.om2.txt" && f.ends_with("[OM2-HIS-04]"));
            assert!(passes, "{name}: {findings:#?}");
        }
    }
    assert_eq!(cases, 7);
}
