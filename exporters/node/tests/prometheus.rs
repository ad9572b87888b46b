//! A real Prometheus scrapes this host through the exporter, and promtool reads its text.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use xtask::peers::{Options, Program, Prometheus, Protocol, check_metrics};

fn exporter() -> Program {
    Program::start(Path::new(env!("CARGO_BIN_EXE_node-exporter")), &["--web.listen-address=127.0.0.1:0"])
}

/// `MemTotal:       24689764 kB`
fn memory_bytes() -> f64 {
    let meminfo = fs::read_to_string("/proc/meminfo").expect("Linux has /proc/meminfo");
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    1024.0 * kib.expect("there is a total").parse::<f64>().expect("it is a number")
}

/// Lines such as `cpu0 1393280 32966 ...`, but not the sum in `cpu  ...`.
fn processors() -> usize {
    let stat = fs::read_to_string("/proc/stat").expect("Linux has /proc/stat");
    stat.lines().filter_map(|line| line.strip_prefix("cpu")).filter(|rest| !rest.starts_with(' ')).count()
}

fn prometheus_scrapes_this_host(protocol: Protocol) {
    let exporter = exporter();
    let options = Options { protocol, ..Options::default() };
    let Some(prometheus) = Prometheus::scraping(exporter.address(), options) else { return };
    assert_eq!(prometheus.scrape(), Ok(()));

    let memory: f64 = prometheus.value("node_memory_MemTotal_bytes").parse().expect("a value is a number");
    assert_eq!(memory, memory_bytes());
    assert_eq!(prometheus.query(r#"node_cpu_seconds_total{mode="idle"}"#).len(), processors());
    for collector in ["cpu", "meminfo", "loadavg", "stat", "time", "uname"] {
        let success = format!("node_scrape_collector_success{{collector={collector:?}}}");
        assert_eq!(prometheus.value(&success), "1", "{success}");
    }
    assert_eq!(prometheus.value("node_exporter_build_info"), "1");

    let metadata = prometheus.metadata();
    let of = |name: &str| metadata.get(name).unwrap_or_else(|| panic!("no metadata of {name}"));
    // Text 0.0.4 calls a counter by its sample's name.
    let counter = if protocol == Protocol::Text { "node_cpu_seconds_total" } else { "node_cpu_seconds" };
    assert_eq!(of(counter)[0], "counter");
    assert_eq!(of("node_load1")[0], "gauge");
    let without_help: Vec<&String> =
        metadata.iter().filter(|(_, m)| m[1].is_empty()).map(|(name, _)| name).collect();
    assert!(without_help.is_empty(), "no help: {without_help:?}");
}

#[test]
fn prometheus_scrapes_this_host_as_openmetrics() {
    prometheus_scrapes_this_host(Protocol::OpenMetrics);
}

#[test]
fn prometheus_scrapes_this_host_as_text() {
    prometheus_scrapes_this_host(Protocol::Text);
}

#[test]
fn promtool_reads_its_text() {
    let exporter = exporter();
    let page = exporter.get("/metrics", &[]);
    let Some(said) = check_metrics(page.text()) else { return };
    // The names are node_exporter's, which promtool finds fault with here and there; what it must not find is a page
    // that it cannot read.
    assert!(!said.contains("error while linting"), "{said}");
}

#[test]
fn it_ends_well_when_told_to() {
    assert!(exporter().stop());
}

#[test]
fn what_is_left_out_is_told_once_it_serves() {
    let mut exporter = Command::new(env!("CARGO_BIN_EXE_node-exporter"))
        .args(["--web.listen-address=127.0.0.1:0", "--path.procfs=/nowhere"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(exporter.stdout.take().expect("it is piped")).lines();
    let said: Vec<String> =
        lines.map_while(Result::ok).take_while(|line| !line.contains("meminfo")).collect();
    exporter.kill().and_then(|()| exporter.wait()).expect("it ends");
    let at = |start: &str| said.iter().position(|line| line.trim_start().starts_with(start));
    let (screen, left_out) = (at("http://127.0.0.1:"), at("Left out here"));
    assert!(screen.is_some() && screen < left_out, "{said:#?}");
}
