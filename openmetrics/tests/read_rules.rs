//! Every rule that the readers judge, with an exposition that breaks it: the rule has to be among the findings, and
//! strict reading has to fail, but where a case says that readers let it pass. And expositions that break none.
#![cfg(feature = "parse")]

use openmetrics::format::assemble;
use openmetrics::format::entries::Dialect;

/// The rules broken by a text, each once, and whether strict reading fails.
fn broken(text: &str, dialect: Dialect) -> (Vec<&'static str>, bool) {
    let findings = assemble::check(text.as_bytes(), dialect);
    let mut rules: Vec<_> = findings.iter().map(|f| f.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    (rules, assemble::decode(text.as_bytes(), dialect).is_err())
}

/// Checks cases of bad text; a rule with a `~` before it passes strict reading.
fn bad(dialect: Dialect, end: &str, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (rules, text) in cases {
        let text = format!("{text}{end}");
        let (found, fails) = broken(&text, dialect);
        let passes = rules.starts_with('~');
        let mut expected: Vec<_> = rules.trim_start_matches('~').split(' ').collect();
        expected.sort_unstable();
        if found != expected || fails == passes {
            wrong.push(format!("{text:?}: expected {expected:?}, found {found:?}, fails: {fails}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn good(dialect: Dialect, end: &str, cases: &[&str]) {
    let mut wrong = Vec::new();
    for text in cases {
        let text = format!("{text}{end}");
        let (found, fails) = broken(&text, dialect);
        if !found.is_empty() || fails {
            wrong.push(format!("{text:?}: found {found:?}, fails: {fails}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

const EOF: &str = "# EOF\n";

#[test]
fn openmetrics_1_documents() {
    bad(
        Dialect::OpenMetrics1,
        "",
        &[
            ("OM1-DOC-02 OM1-DOC-05", "\u{feff}# EOF\n"),
            ("OM1-DOC-04", "a 1\r\n# EOF\n"),
            ("OM1-DOC-04", "# TYPE a gauge\r\n# EOF\n"),
            ("OM1-DOC-04", "# HELP a b\r\n# EOF\n"),
            ("OM1-DOC-04 OM1-DOC-05", "# EOF\r\n"),
            ("OM1-DOC-03 OM1-DOC-05", "a 1\ra 2\r# EOF\r"),
            ("OM1-DOC-05", "a 1\n"),
            ("OM1-DOC-05", "a 1"),
            ("OM1-DOC-05", ""),
            ("OM1-DOC-05", "# EOF \n"),
            ("OM1-DOC-05", "#EOF\n"),
            ("OM1-DOC-05", "# eof\n"),
            ("OM1-DOC-05", "#  EOF\n"),
            ("OM1-DOC-07", "# EOF\n\n"),
            ("OM1-DOC-07", "# EOF\na 1\n"),
            ("OM1-DOC-08", "# a comment\n# EOF\n"),
            ("OM1-DOC-08", "#a\n# EOF\n"),
            ("OM1-DOC-08", "#\n# EOF\n"),
            ("OM1-DOC-09", "a 1\n\nb 1\n# EOF\n"),
            ("OM1-DOC-09", "\n# EOF\n"),
        ],
    );
    good(
        Dialect::OpenMetrics1,
        "",
        &["# EOF", "# EOF\n", "a{b=\"\r\"} 1\n# EOF\n", "# HELP a \0\r b\n# EOF\n"],
    );
    let findings =
        assemble::check(b"a 1\nb\xff 1\nc{x=\"\xed\xa0\x80\"} 1\nd 1\n# EOF\n", Dialect::OpenMetrics1);
    let places: Vec<_> = findings.iter().map(|f| (f.rule, f.position.line, f.position.column)).collect();
    assert_eq!(places, [("OM1-DOC-01", 2, 2), ("OM1-DOC-01", 3, 6)]);
}

#[test]
fn openmetrics_1_grammar() {
    bad(
        Dialect::OpenMetrics1,
        EOF,
        &[
            ("OM1-SYN-01", "a\t1\n"),
            ("OM1-SYN-01", "a  1\n"),
            ("OM1-SYN-01", " a 1\n"),
            ("OM1-SYN-01", "a 1 \n"),
            ("OM1-SYN-01", "a 1 2 \n"),
            ("OM1-SYN-01", "a 1\t\n"),
            ("OM1-SYN-01", "a{b=\"c\"}1\n"),
            ("OM1-SYN-01", "a{b=\"c\"}\t1\n"),
            ("OM1-SYN-01", "# TYPE a\tgauge\n"),
            ("OM1-SYN-01", "# TYPE  a gauge\n"),
            ("OM1-SYN-01", "#  TYPE a gauge\n"),
            ("OM1-SYN-01", "# TYPE a  gauge\n"),
            ("OM1-SYN-01", "# TYPE a gauge \n"),
            ("OM1-SYN-02", "a {b=\"c\"} 1\n"),
            ("OM1-SYN-02", "a{ b=\"c\"} 1\n"),
            ("OM1-SYN-02", "a{b =\"c\"} 1\n"),
            ("OM1-SYN-02", "a{b= \"c\"} 1\n"),
            ("OM1-SYN-02", "a{b=\"c\" } 1\n"),
            ("OM1-SYN-02", "a{b=\"c\", d=\"e\"} 1\n"),
            ("OM1-SYN-03", "a{b=\"c\",} 1\n"),
            ("OM1-SYN-03", "a{,b=\"c\"} 1\n"),
            ("OM1-SYN-03", "a{b=\"c\",,d=\"e\"} 1\n"),
            ("OM1-SYN-03", "a{b=\"c\"d=\"e\"} 1\n"),
            ("OM1-SYN-03", "a{b=\"c\"\n"),
            ("OM1-SYN-04", "a{b=c} 1\n"),
            ("OM1-SYN-04", "a{b='c'} 1\n"),
            ("OM1-SYN-04", "a{b=\"c} 1\n"),
            ("OM1-SYN-04", "a{b=\"c\n"),
            ("OM1-SYN-04", "a{b} 1\n"),
            ("OM1-SYN-04", "a{b=\"c\"\"} 1\n"),
            ("OM1-SYN-04", "a{b=\"say \"hi\" now\"} 1\n"),
            ("OM1-SYN-05", "a{b=\"c\\\n"),
            ("OM1-SYN-05", "# HELP a b\\\n"),
            ("~OM1-SYN-05", "# HELP a b\"c\n"),
            ("OM1-SYN-07", "0a 1\n"),
            ("OM1-SYN-07", "a.b 1\n"),
            ("OM1-SYN-07", "a-b{c=\"d\"} 1\n"),
            ("OM1-SYN-07", "é 1\n"),
            ("OM1-SYN-07", "{b=\"c\"} 1\n"),
            ("OM1-SYN-07", "# TYPE a.b gauge\n"),
            ("OM1-SYN-07", "# HELP 0 b\n"),
            ("OM1-SYN-07", "# TYPE \"a\" gauge\n"),
            ("OM1-SYN-08", "a{0=\"c\"} 1\n"),
            ("OM1-SYN-08", "a{b:c=\"c\"} 1\n"),
            ("OM1-SYN-08", "a{b-c=\"c\"} 1\n"),
            ("OM1-SYN-08", "a{\"b\"=\"c\"} 1\n"),
            ("OM1-SYN-09", "# type a gauge\n"),
            ("OM1-SYN-09", "# Help a gauge\n"),
            ("OM1-SYN-09", "# TYPE a Gauge\n"),
            ("OM1-SYN-09", "# TYPE a untyped\n"),
            ("OM1-SYN-10", "# TYPE a\n"),
            ("OM1-SYN-10", "# TYPE a \n"),
            ("OM1-SYN-10", "# HELP a\n"),
            ("OM1-SYN-10", "# UNIT a\n"),
            ("OM1-SYN-10", "# HELP\n"),
            ("OM1-SYN-11", "# UNIT a_s s/\n"),
            ("OM1-SYN-12", "a\n"),
            ("OM1-SYN-12", "a \n"),
            ("OM1-SYN-12", "a one\n"),
            ("OM1-SYN-12", "a 0x1\n"),
            ("OM1-SYN-12", "a 1_000\n"),
            ("OM1-SYN-12", "a 1e\n"),
            ("OM1-SYN-12", "a .\n"),
            ("OM1-SYN-12", "a 1,5\n"),
            ("OM1-SYN-13", "a +NaN\n"),
            ("OM1-SYN-13", "a -nan\n"),
            ("OM1-SYN-13", "a Infinit\n"),
            ("OM1-SYN-14", "a 1 NaN\n"),
            ("OM1-SYN-14", "a 1 +Inf\n"),
            ("OM1-SYN-14", "# TYPE a counter\na_total 1 # {} 1 NaN\n"),
            ("OM1-SYN-15", "# TYPE a counter\na_total 1 #{} 1\n"),
            ("OM1-SYN-15", "# TYPE a counter\na_total 1# {} 1\n"),
            ("OM1-SYN-15", "# TYPE a counter\na_total 1 # {} 1 # {} 2\n"),
            ("OM1-SYN-15", "a 1 2 3\n"),
            ("OM1-SYN-16", "a ١\n"),
            ("OM1-SYN-16", "a 1٢\n"),
            ("OM1-SYN-16", "a 1 ٢\n"),
        ],
    );
    good(
        Dialect::OpenMetrics1,
        EOF,
        &[
            "a{} 1\n",
            "a{b=\"\"} 1\n",
            "a{b=\"\\x\\\\\\\"\\n,} # {\"} 5.\n",
            "a .5\n",
            "a 007E+05\n",
            "a iNf\nb -INFINITY\nc nAn\n",
            "a 1 -1.5e-3\n",
            ":a:b 1\n",
            "# HELP a \n# UNIT a \n",
            "# TYPE a counter\na_total 1 # {} nan\n",
        ],
    );
}

#[test]
fn openmetrics_1_families() {
    bad(
        Dialect::OpenMetrics1,
        EOF,
        &[
            ("OM1-NUM-05", "a 1e999\n"),
            ("OM1-NUM-08", "# TYPE a histogram\na_bucket{le=\"inf\"} 1\n"),
            ("OM1-TS-04", "# TYPE a gauge\na 1 2\na 1 1\n"),
            ("OM1-TS-05", "# TYPE a gauge\na 1\na 1 1\n"),
            ("OM1-TS-05", "# TYPE a gauge\na 1 1\na 1\n"),
            ("OM1-LAB-01", "a{_b=\"c\"} 1\n"),
            ("OM1-LAB-02", "a{b=\"c\",b=\"d\"} 1\n"),
            ("OM1-LAB-04", "a{b=\"c\"} 1\na{b=\"c\"} 1\n"),
            ("OM1-LAB-04", "a{b=\"c\",d=\"e\"} 1\na{d=\"e\",b=\"c\"} 1\n"),
            ("OM1-LAB-04", "a{b=\"c\"} 1\na{b=\"d\"} 1\na{b=\"c\"} 1\n"),
            ("OM1-LAB-04", "a{b=\"2\"} 1\na{b=\"1\"} 1\na{b=\"2\"} 1\n"),
            ("OM1-LAB-04", "a{b=\"\\z\"} 1\na{b=\"\\\\z\"} 1\n"),
            ("OM1-LAB-04", "a 1\na{} 1\n"),
            ("OM1-FAM-01", "# TYPE a gauge\na 1\n# TYPE b gauge\n# HELP a x\n"),
            ("OM1-FAM-08", "# TYPE a gauge\n# TYPE b gauge\n# TYPE a gauge\n"),
            ("OM1-FAM-02", "_a 1\n"),
            ("OM1-FAM-04", "# TYPE a counter\n# TYPE a_created gauge\n"),
            ("OM1-FAM-04", "# TYPE a_bucket gauge\n# TYPE a histogram\n"),
            ("OM1-FAM-04", "# TYPE a_total unknown\n# TYPE a counter\n"),
            ("OM1-FAM-07", "a 1\n# TYPE a gauge\n"),
            ("OM1-FAM-07", "# TYPE a gauge\na 1\n# HELP a x\n"),
            ("OM1-FAM-08", "# TYPE a gauge\n# TYPE a gauge\n"),
            ("OM1-FAM-08", "# HELP a x\n# HELP a y\n"),
            ("OM1-FAM-08", "# HELP a \n# HELP a \n"),
            ("OM1-FAM-08", "# UNIT a_s s\n# UNIT a_s s\n"),
            ("OM1-FAM-11", "# TYPE a gauge\n# UNIT a seconds\n"),
            ("OM1-FAM-11", "# UNIT aseconds seconds\n"),
            ("OM1-FAM-16", "a 1\nb 1\na{c=\"d\"} 1\n"),
            ("OM1-FAM-16", "# TYPE a counter\na_total 1\nb 1\na_created 1\n"),
            ("OM1-FAM-17", "# TYPE a summary\na_sum{b=\"1\"} 1\na_sum{b=\"2\"} 1\na_count{b=\"1\"} 1\n"),
            (
                "OM1-FAM-17",
                "# TYPE a counter\na_total{b=\"1\"} 1\na_total{b=\"2\"} 1\na_created{b=\"1\"} 1\n",
            ),
            ("OM1-FAM-18", "# TYPE a summary\na_count 0 1\na_count 0 2\na_sum 0 1\na_sum 0 2\n"),
            ("OM1-FAM-19", "# TYPE a histogram\na 1\n"),
            ("~OM1-FAM-19", "# TYPE a counter\na_total 1\na_sum 1\n"),
            ("~OM1-GAU-01", "# TYPE a gauge\na_total 1\n"),
            ("~OM1-UNK-01", "# TYPE a unknown\na 1\na_created 1\n"),
            ("~OM1-SUM-01", "# TYPE a summary\na_count 1\na_total 1\n"),
            ("OM1-FAM-04 OM1-FAM-07", "a_total 1\n# TYPE a counter\n"),
        ],
    );
    good(
        Dialect::OpenMetrics1,
        EOF,
        &[
            "# TYPE a gauge\n",
            "# TYPE a gauge\na 1\nb_total 1\na_x 1\n",
            "a 1\na_total 1\n",
            "# HELP a_s x\n# UNIT a_s s\n# TYPE a_s gauge\na_s 1\n",
            "# TYPE a gauge\na 1 1\na 1 1\na 1 1.5\n",
            "# TYPE a counter\na_created 1\na_total 1\n",
            "# TYPE a counter\na_total{b=\"1\",c=\"2\"} 1\na_created{c=\"2\",b=\"1\"} 1\na_total{b=\"0\",c=\"2\"} 1\n",
            "# TYPE a summary\na_count 0 1\na_sum 0 1\na_count 0 2\na_sum 0 2\n",
            "a{b=\"1\"} 1\na{b=\"\"} 1\na 1\na{c=\"1\"} 1\na{b=\"1\",c=\"1\"} 1\n",
            "a{b=\"1\",c=\"2\"} 1\na{b=\"2\",c=\"1\"} 1\na{c=\"1\",b=\"1\"} 1\na{c=\"3\",b=\"1\"} 1\n",
            "a{b=\"x\\\"\"} 1\na{b=\"x\"} 1\na{b=\"y\"} 1\na{b=\"a\"} 1\n",
        ],
    );
}

#[test]
fn openmetrics_1_types() {
    bad(
        Dialect::OpenMetrics1,
        EOF,
        &[
            ("OM1-CNT-01", "# TYPE a counter\na 1\n"),
            ("OM1-CNT-01 OM1-CNT-02", "# TYPE a counter\na_created 1\n"),
            ("OM1-CNT-01 OM1-CNT-02", "# TYPE a counter\na_total{b=\"1\"} 1\na_created{b=\"2\"} 1\n"),
            ("OM1-CNT-03", "# TYPE a counter\na_total NaN\n"),
            ("OM1-CNT-04", "# TYPE a counter\na_total -1\n"),
            ("OM1-LAB-04", "# TYPE a counter\na_total 1\na_total 1\n"),
            ("OM1-SS-01", "# TYPE a stateset\na{b=\"x\"} 1\n"),
            ("OM1-SS-02", "# TYPE a stateset\na{a=\"x\"} 0.5\n"),
            ("OM1-SS-03", "# TYPE a stateset\na{a=\"x\"} 0\na{a=\"y\"} 0\na{a=\"x\"} 1\n"),
            ("OM1-SS-06", "# TYPE a_u stateset\n# UNIT a_u u\n"),
            ("OM1-SS-06", "# UNIT a_u u\n# TYPE a_u stateset\n"),
            ("~OM1-SS-07", "# TYPE a stateset\na_state{a=\"x\"} 1\n"),
            ("OM1-INF-01", "# TYPE a info\na 1\n"),
            ("OM1-INF-02", "# TYPE a info\na_info 2\n"),
            ("OM1-INF-03", "# TYPE a_u info\n# UNIT a_u u\n"),
            ("OM1-HIS-01", "# TYPE a histogram\na_count 1\na_sum 1\n"),
            ("OM1-HIS-02", "# TYPE a histogram\na_bucket{le=\"1\"} 1\n"),
            ("OM1-HIS-03", "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n"),
            (
                "OM1-HIS-04",
                "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"1.0\"} 1\na_bucket{le=\"+Inf\"} 1\n",
            ),
            (
                "OM1-HIS-05",
                "# TYPE a histogram\na_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\n",
            ),
            ("OM1-HIS-06 OM1-HIS-02", "# TYPE a histogram\na_bucket 1\n"),
            ("OM1-HIS-06 OM1-HIS-02", "# TYPE a histogram\na_bucket{le=\"x\"} 1\n"),
            ("OM1-HIS-07 OM1-HIS-02", "# TYPE a histogram\na_bucket{le=\"NaN\"} 1\n"),
            ("OM1-HIS-08", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1.5\n"),
            ("OM1-HIS-08", "# TYPE a histogram\na_bucket{le=\"+Inf\"} -1\n"),
            ("OM1-HIS-09", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum -1\n"),
            ("OM1-HIS-09", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum NaN\n"),
            (
                "OM1-HIS-10",
                "# TYPE a histogram\na_bucket{le=\"-1\"} 0\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n",
            ),
            ("OM1-HIS-11", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\n"),
            ("OM1-HIS-11", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\n"),
            ("OM1-HIS-11", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\na_count 1\na_sum 1\n"),
            ("OM1-HIS-12", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\na_sum 1\n"),
            ("OM1-HIS-12", "# TYPE a histogram\na_count 2\na_sum 1\na_bucket{le=\"+Inf\"} 1\n"),
            ("OM1-HIS-13", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1.5\na_sum 1\n"),
            ("OM1-HIS-14", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count{le=\"1\"} 1\na_sum 1\n"),
            ("OM1-GHI-01", "# TYPE a gaugehistogram\na_gcount 1\na_gsum 1\n"),
            ("OM1-GHI-01", "# TYPE a gaugehistogram\na_bucket{le=\"1\"} 1\n"),
            (
                "OM1-GHI-02",
                "# TYPE a gaugehistogram\na_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\n",
            ),
            ("OM1-GHI-02", "# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} NaN\n"),
            ("OM1-GHI-04", "# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_gcount 1\na_gsum NaN\n"),
            ("OM1-GHI-05", "# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_gcount 1\na_gsum -1\n"),
            ("OM1-GHI-06", "# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_gcount 1\n"),
            ("OM1-GHI-06", "# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_gcount 2\na_gsum 1\n"),
            (
                "OM1-GHI-07",
                "# TYPE a gaugehistogram\na_bucket{le=\"+Inf\"} 1\na_gcount 1\na_gsum{le=\"1\"} 1\n",
            ),
            ("OM1-SUM-02", "# TYPE a summary\na_sum -1\n"),
            ("OM1-SUM-02", "# TYPE a summary\na_count NaN\n"),
            ("OM1-SUM-03", "# TYPE a summary\na_count 1.5\n"),
            ("OM1-SUM-04", "# TYPE a summary\na 1\n"),
            ("OM1-SUM-05", "# TYPE a summary\na{quantile=\"1.5\"} 1\n"),
            ("OM1-SUM-05", "# TYPE a summary\na{quantile=\"x\"} 1\n"),
            ("OM1-SUM-06", "# TYPE a summary\na{quantile=\"0.5\"} -1\n"),
            ("OM1-SUM-07", "# TYPE a summary\na_count{quantile=\"0.5\"} 1\n"),
            ("OM1-LAB-04", "# TYPE a summary\na{quantile=\"0.5\"} 1\na{quantile=\"0.50\"} 1\n"),
            ("OM1-EX-01", "# TYPE a gauge\na 1 # {} 1\n"),
            ("OM1-EX-01", "# TYPE a counter\na_total 1\na_created 1 # {} 1\n"),
            ("OM1-EX-02", "# TYPE a counter\na_total 1 # 1\n"),
            ("OM1-EX-02", "# TYPE a counter\na_total 1 # {}\n"),
            ("OM1-EX-04", "# TYPE a counter\na_total 1 # {b=\"1\",b=\"1\"} 1\n"),
            ("OM1-EX-05", "# TYPE a histogram\na_bucket{le=\"1\"} 1 # {} 2\na_bucket{le=\"+Inf\"} 1\n"),
            (
                "OM1-EX-06 OM1-HIS-01",
                "# TYPE a histogram\na_sum 1\na_count 0\na_bucket{le=\"+Inf\"} 1 # {} 2 # {} 1\n",
            ),
        ],
    );
    let long = format!("# TYPE a counter\na_total 1 # {{e=\"{}\"}} 1\n", "é".repeat(128));
    bad(Dialect::OpenMetrics1, EOF, &[("OM1-EX-03", &long)]);
    good(
        Dialect::OpenMetrics1,
        EOF,
        &[
            "# TYPE a histogram\na_bucket{le=\"-1\"} 0\na_bucket{le=\"+Inf\"} 1\n",
            "# TYPE a histogram\na_bucket{b=\"1\",le=\"1\"} 0\na_bucket{b=\"1\",le=\"+Inf\"} 1\na_sum{b=\"1\"} 3\na_count{b=\"1\"} 1\na_created{b=\"1\"} 1\na_bucket{b=\"2\",le=\"+Inf\"} 1\n",
            "# TYPE a gaugehistogram\na_bucket{le=\"-1\"} 0\na_bucket{le=\"+Inf\"} 1\na_gsum -3\na_gcount 1\n",
            "# TYPE a summary\na{quantile=\"0.9\"} NaN\na{quantile=\"0.5\"} 1\na_sum 1\n",
            "# TYPE a stateset\na{b=\"1\",a=\"x\"} 0\na{b=\"1\",a=\"y\"} 1\na{b=\"2\",a=\"x\"} 1\n",
            "# TYPE a info\na_info{b=\"c\"} 1.0\na_info{b=\"d\"} 1\n",
        ],
    );
}

#[test]
fn openmetrics_2() {
    bad(
        Dialect::OpenMetrics2,
        EOF,
        &[
            ("~OM2-NAME-01", "# TYPE a counter\na_total 1\n"),
            ("OM2-NAME-03", "_a 1\n"),
            ("OM2-NAME-03", "a{_b=\"c\"} 1\n"),
            ("OM2-UTF-03", "{\"\"} 1\n"),
            ("OM2-UTF-03", "a{\"\"=\"b\"} 1\n"),
            ("OM2-UTF-04", "\"a\"{b=\"c\"} 1\n"),
            ("OM2-UTF-04", "a{\"b\"} 1\n"),
            ("OM2-UTF-04", "{b=\"c\",\"a\"} 1\n"),
            ("OM2-UTF-01", "a.b 1\n"),
            ("OM2-UTF-05", "# TYPE a.b gauge\n"),
            ("OM2-UTF-06", "a{b.c=\"d\"} 1\n"),
            ("OM1-SYN-03", "{\"a\",} 1\n"),
            ("OM1-SYN-02", "{\"a\", b=\"c\"} 1\n"),
            ("OM2-FAM-01", "a 1\nb 1\na{c=\"d\"} 1\n"),
            ("OM2-FAM-01", "a 1\n# TYPE a gauge\n"),
            ("OM2-FAM-03", "# TYPE a gauge\n# TYPE \"a\" gauge\n"),
            ("OM2-FAM-07", "# TYPE a_info info\n# UNIT a_info info\n"),
            ("OM2-VAL-01", "# TYPE a histogram\na 1\n"),
            ("OM2-VAL-01", "# TYPE a summary\na 1\n"),
            ("OM2-VAL-02", "# TYPE a gauge\na {count:1,sum:1,bucket:[+Inf:1]}\n"),
            ("OM2-VAL-03", "a 1 2\na 1 1\n"),
            ("OM2-VAL-03", "a 1 2\na 1 2\n"),
            ("OM1-LAB-04", "a 1\na 1\n"),
            ("OM1-LAB-04", "a{b=\"c\"} 1\n{\"a\",\"b\"=\"c\"} 1\n"),
            ("OM2-VAL-04", "# TYPE a histogram\na {count:1, sum:1,bucket:[+Inf:1]}\n"),
            ("OM2-VAL-04", "# TYPE a histogram\na { count:1,sum:1,bucket:[+Inf:1]}\n"),
            ("OM2-CNT-02", "# TYPE a counter\na -1\n"),
            ("OM2-CNT-02", "# TYPE a counter\na NaN\n"),
            ("OM2-ST-01", "# TYPE a counter\na 1 st@1 2\n"),
            ("OM2-ST-01", "# TYPE a counter\na st@1 1\n"),
            ("OM2-UTF-02", "{\"a\\\"} 1\n"),
            ("OM2-HIS-01", "# TYPE a histogram\na {count:1,sum:1,other:[+Inf:1]}\n"),
            ("OM2-ST-02", "# TYPE a counter\na 1 # {} 1 1 st@1\n"),
            ("~OM2-EX-01", "# TYPE a counter\na 1 # {} 1\n"),
            ("~OM2-EX-01", "# TYPE a counter\na 1 # {}\n"),
            ("~OM1-EX-04", "# TYPE a counter\na 1 # {b=\"1\",b=\"1\"} 1 1\n"),
            ("OM2-SS-01", "# TYPE a stateset\na{b=\"c\"} 1\n"),
            ("OM2-SS-01", "# TYPE a stateset\na{a=\"c\"} 2\n"),
            (
                "OM2-SS-02",
                "# TYPE a stateset\na{b=\"1\",a=\"x\"} 1\na{b=\"2\",a=\"x\"} 1\na{b=\"1\",a=\"y\"} 1\n",
            ),
            ("OM2-SS-02", "# TYPE a stateset\na{a=\"x\"} 1 1\na{a=\"y\"} 1 1\na{a=\"x\"} 1 2\n"),
            ("OM2-SS-01", "# TYPE a stateset\na{a=\"x\"} 1\na{a=\"y\"} 1\na{a=\"x\"} 1\n"),
            ("OM2-INF-01", "# TYPE a info\na{b=\"c\"} 1\n"),
            ("OM2-INF-02", "# TYPE a_info info\na_info 2\n"),
            ("OM2-SUM-01", "# TYPE a summary\na {count:1,sum:1,bucket:[+Inf:1]}\n"),
            ("OM2-SUM-01", "# TYPE a summary\na {count:1,sum:1,quantile:[0.5]}\n"),
            ("OM2-SUM-02", "# TYPE a summary\na {count:1,sum:1,quantile:[0.9:1,0.5:1]}\n"),
            ("OM2-SUM-03", "# TYPE a summary\na {count:1,sum:1,quantile:[1.5:1]}\n"),
            ("OM2-SUM-03", "# TYPE a summary\na {count:1,sum:1,quantile:[0.5:-1]}\n"),
            ("OM2-SUM-04", "# TYPE a summary\na {count:1.5,sum:1,quantile:[]}\n"),
            ("OM2-SUM-04", "# TYPE a summary\na {count:1,sum:NaN,quantile:[]}\n"),
            ("OM2-SUM-05", "# TYPE a summary\na{quantile=\"1\"} {count:1,sum:1,quantile:[]}\n"),
            ("OM2-HIS-01", "# TYPE a histogram\na {count:1,sum:1}\n"),
            ("OM2-HIS-02", "# TYPE a histogram\na {count:1,bucket:[+Inf:1]}\n"),
            ("OM2-HIS-02", "# TYPE a histogram\na {sum:1,bucket:[+Inf:1]}\n"),
            ("~OM2-HIS-04", "# TYPE a histogram\na {count:1.5,sum:1,bucket:[+Inf:1.5]}\n"),
            ("OM2-HIS-05", "# TYPE a histogram\na {count:1,sum:1,bucket:[1:1]}\n"),
            ("OM2-HIS-05", "# TYPE a histogram\na {count:1,sum:1,bucket:[+Inf:2]}\n"),
            ("OM2-HIS-06", "# TYPE a histogram\na {count:1,sum:1,bucket:[2:1,1:1,+Inf:1]}\n"),
            ("OM2-HIS-06", "# TYPE a histogram\na {count:1,sum:1,bucket:[NaN:1,+Inf:1]}\n"),
            ("OM2-HIS-07", "# TYPE a histogram\na {count:1,sum:1,bucket:[1:2,+Inf:1]}\n"),
            ("OM2-HIS-07", "# TYPE a histogram\na {count:-1,sum:1,bucket:[+Inf:-1]}\n"),
            ("OM2-HIS-08", "# TYPE a histogram\na{le=\"1\"} {count:1,sum:1,bucket:[+Inf:1]}\n"),
            ("OM2-NH-01", "# TYPE a histogram\na {count:1,sum:1,schema:0,zero_count:1}\n"),
            (
                "OM2-NH-02",
                "# TYPE a histogram\na {count:1,sum:1,bucket:[+Inf:1],schema:0,zero_threshold:0,zero_count:1}\n",
            ),
            ("OM2-NH-04", "# TYPE a histogram\na {count:1,sum:1,schema:9,zero_threshold:0,zero_count:1}\n"),
            ("OM2-NH-04", "# TYPE a histogram\na {count:1,sum:1,schema:0.5,zero_threshold:0,zero_count:1}\n"),
            (
                "OM2-NH-05",
                "# TYPE a histogram\na {count:1,sum:1,schema:0,zero_threshold:0,zero_count:0,positive_spans:[0:2],positive_buckets:[1]}\n",
            ),
            (
                "OM2-NH-06",
                "# TYPE a histogram\na {count:2,sum:1,schema:0,zero_threshold:0,zero_count:0,positive_spans:[0:1,-2:1],positive_buckets:[1,1]}\n",
            ),
            (
                "OM2-NH-07",
                "# TYPE a histogram\na {count:1,sum:1,schema:0,zero_threshold:0,zero_count:1,positive_spans:[0:1]}\n",
            ),
            (
                "OM2-NH-07",
                "# TYPE a histogram\na {count:1,sum:1,schema:0,zero_threshold:0,zero_count:1,positive_buckets:[1]}\n",
            ),
            ("OM2-NH-08", "# TYPE a histogram\na {count:1,sum:1,schema:0,zero_threshold:-1,zero_count:1}\n"),
            ("OM2-NH-09", "# TYPE a histogram\na {count:2,sum:1,schema:0,zero_threshold:0,zero_count:1}\n"),
            (
                "OM2-NH-10",
                "# TYPE a histogram\na {count:1,sum:1,schema:0,zero_threshold:0,zero_count:0,positive_spans:[1026:1],positive_buckets:[1]}\n",
            ),
            ("OM2-GHI-01", "# TYPE a gaugehistogram\na {count:1,sum:1,bucket:[+Inf:1]}\n"),
            ("OM2-GHI-01", "# TYPE a gaugehistogram\na {gcount:1,sum:1,bucket:[+Inf:1]}\n"),
            ("~OM2-GHI-02", "# TYPE a gaugehistogram\na {gcount:-1,gsum:1,bucket:[+Inf:-1]}\n"),
        ],
    );
    good(
        Dialect::OpenMetrics2,
        EOF,
        &[
            "# TYPE a_seconds_total counter\na_seconds_total 1\na_milliseconds_total 2\na_count 3\n",
            "# TYPE a counter\na 1 2 st@1 # {} 1 1 # {b=\"c\"} 1 1\n",
            "{\"\\\"a\\\".b\",\"c\\\\\"=\"d\"} 0\n",
            "# TYPE \"a.b\" gauge\n{\"a.b\"} 1\n",
            "# TYPE a histogram\na {count:0,sum:0,schema:3,zero_threshold:1e-4,zero_count:0}\n",
            "# TYPE a histogram\na {count:2,sum:NaN,schema:0,zero_threshold:0,zero_count:1}\n",
            "# TYPE a histogram\na {count:59,sum:1.2e2,schema:7,zero_threshold:1e-4,zero_count:0,negative_spans:[1:2],negative_buckets:[5,7],positive_spans:[-1:2,3:4],positive_buckets:[5,7,10,9,8,8]} st@1.5\n",
            "# TYPE a histogram\na {count:1,sum:1,schema:0,zero_threshold:0,zero_count:0,positive_spans:[1025:1],positive_buckets:[1],bucket:[-Inf:0,1:1,+Inf:1]}\n",
            "# TYPE a gaugehistogram\na {gcount:42,gsum:3289.3,bucket:[0.01:20,0.1:25,1:34,+Inf:42]}\n",
            "# TYPE a summary\na {count:0,sum:0.0,quantile:[0.95:NaN,0.99:150]}\n",
            "# TYPE a stateset\na{b=\"1\",a=\"x\"} 1 1\na{b=\"1\",a=\"x\"} 0 2\na{b=\"1\",a=\"y\"} 0 1\na{b=\"1\",a=\"y\"} 1 2\na{b=\"2\",a=\"x\"} 0 1\n",
            "# TYPE a_total counter\n# UNIT a_total seconds\na_total 1\n",
            "a {count:0,sum:0.0,quantile:[]}\n",
        ],
    );
}

#[test]
fn prometheus_text() {
    bad(
        Dialect::Prometheus,
        "",
        &[
            ("P4-01", "\u{feff}a 1\n"),
            ("P4-01", "a 1\r\n"),
            ("P4-01", "# HELP a b\r\n"),
            ("P4-02", "a 1"),
            ("~P4-06", "# HELP\n"),
            ("P4-06", "# HELP a \\x\n"),
            ("P4-07", "# HELP a x\n# HELP a y\n"),
            ("P4-08", "# TYPE a\n"),
            ("P4-08", "# TYPE a gauge more\n"),
            ("P4-09", "# TYPE a info\n"),
            ("P4-10", "# TYPE a gauge\n# TYPE a gauge\n"),
            ("P4-11", "a 1\n# TYPE a gauge\n"),
            ("P4-11", "a 1\nb 1\n# TYPE a gauge\n"),
            ("P4-13", "a{b=\"c\"d=\"e\"} 1\n"),
            ("P4-13", "a{b=\"c\",,} 1\n"),
            ("P4-13", "a 1 2 3\n"),
            ("P4-13", "a{b=\"c\",b=\"d\"} 1\n"),
            ("P4-13", "a{__name__=\"c\"} 1\n"),
            ("P4-15", "a{b=\"\\t\"} 1\n"),
            ("P4-15", "a{b=\"c} 1\n"),
            ("P4-15", "a{b=c} 1\n"),
            ("P4-13", "a\n"),
            ("P4-16", "a one\n"),
            ("P4-16", "a 0x1p4\n"),
            ("P4-16", "a 1e999\n"),
            ("P4-17", "a 1 1.5\n"),
            ("P4-17", "a 1 99999999999999999999\n"),
            ("~P4-18", "a 1\nb 1\na{c=\"d\"} 1\n"),
            ("~P4-18", "a 1\n# HELP a x\n"),
            ("P4-19", "a 1\na 1\n"),
            ("P4-19", "a{b=\"c\", d=\"e\"} 1\na{d=\"e\",b=\"c\"} 1 5\n"),
            ("P4-18 P4-19", "a 1\nb 1\na 1\n"),
            (
                "P4-19",
                "# TYPE a histogram\na_bucket{le=\"1\"} 1 5\na_bucket{le=\"+Inf\"} 1 5\na_bucket{le=\"1\"} 2 6\na_bucket{le=\"+Inf\"} 2 6\n",
            ),
            ("P4-20", "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_count 1\na_sum 1\n"),
            ("P4-21", "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\na_sum 1\n"),
            (
                "P4-22",
                "# TYPE a histogram\na_bucket{le=\"2\"} 1\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\n",
            ),
            ("P4-20 P4-22", "# TYPE a histogram\na_bucket{le=\"x\"} 1\n"),
            ("P4-23", "# TYPE a summary\na{quantile=\"0.9\"} 1\na{quantile=\"0.5\"} 1\n"),
            ("P4-23", "# TYPE a summary\na{quantile=\"x\"} 1\n"),
            ("P4-24", "a.b 1\n"),
            ("P4-24", "{b=\"c\"} 1\n"),
            ("P4-24", "a{b.c=\"d\"} 1\n"),
            ("P4-27", "a 1 # {} 1\n"),
        ],
    );
    good(
        Dialect::Prometheus,
        "",
        &[
            "",
            "\n \n\t\n# a comment\n#\n# EOF\n# UNIT a b\na 1\n",
            " \ta { b = \"c\" , d=\"\\\\\\\"\\n\" , } -Inf -5 \n",
            "a{}0\n",
            "# HELP a say \"x\" \\\\ \\n\n# TYPE  a\tcounter \na NaN\n",
            "# TYPE \"a.b\" gauge\n{\"a.b\",\"c.d\"=\"e\"} 1\n{ \"a.b\" , } 1\n",
            "# TYPE a histogram\na_sum{b=\"1\"} 1\na_sum{b=\"2\"} 1\na_count{b=\"1\"} 1\na_bucket{b=\"1\",le=\"+Inf\"} 1\na_bucket{b=\"2\",le=\"+Inf\"} 1\na_count{b=\"2\"} 1\n",
            "# TYPE a summary\na{quantile=\"0.5\"} 1\na_sum 1\na_count 1\n",
            "# TYPE a_count gauge\na_count 1\n# TYPE a summary\na_sum 1\n",
        ],
    );
}

#[test]
fn findings_point_at_two_places() {
    let text = b"# TYPE a gauge\na{b=\"2\"} 1\na{b=\"1\"} 1\na{b=\"2\"} 3\n# EOF\n";
    let findings = assemble::check(text, Dialect::OpenMetrics1);
    let finding = findings.iter().next().unwrap();
    assert_eq!((finding.rule, finding.position.line, finding.length), ("OM1-LAB-04", 4, 8));
    let related = finding.related.as_ref().unwrap();
    assert_eq!((related.position.line, related.position.column, related.length), (2, 1, 8));
    assert_eq!(related.label, "it is first here");
}

#[test]
fn only_so_many_findings_of_a_rule_are_kept() {
    let text = "\n".repeat(1_000) + "# EOF\n";
    let findings = assemble::check(text.as_bytes(), Dialect::OpenMetrics1);
    assert_eq!(findings.iter().count(), 100);
    assert_eq!(findings.counts(), [("OM1-DOC-09", 1_000)]);
}

/// Tables of names are ordered differently in every process and reading; findings are not.
#[test]
fn the_same_is_found_each_time() {
    let text = "q_sum 1\nq_count 1\n# TYPE q summary\nq{quantile=\"0.5\"} 1\n";
    let found = || assemble::check(text.as_bytes(), Dialect::Prometheus).iter().cloned().collect::<Vec<_>>();
    let first = found();
    assert!(first.iter().any(|finding| finding.message.contains("q_sum")), "{first:?}");
    for _ in 0..100 {
        assert_eq!(found(), first);
    }
}
