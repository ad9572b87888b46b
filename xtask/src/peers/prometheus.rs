//! A real Prometheus that scrapes one target for a test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::program::{self, get};

/// How long it may take to start, and then to scrape.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it lives at most, should the test be killed before it ends it.
const LIFETIME: &str = "300";

/// What a target is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OpenMetrics 1.0 text.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Text,
    /// Prometheus protobuf, native histograms included.
    Protobuf,
}

/// How a target is scraped.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// What it is asked for.
    pub protocol: Protocol,
    /// The path of its metrics.
    pub path: &'a str,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { protocol: Protocol::OpenMetrics, path: "/metrics" }
    }
}

/// Major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// The first version with `scrape_protocols` in its configuration.
const CHOOSES_PROTOCOL: Version = Version(2, 49);
/// The first version that stores native histograms without a feature flag, when its configuration says so.
const NATIVE_BY_CONFIGURATION: Version = Version(3, 8);

/// One answer of a query: labels and value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Labels, the metric's name among them as `__name__`.
    pub labels: BTreeMap<String, String>,
    /// The value, as Prometheus prints it.
    pub value: String,
}

/// A Prometheus on a free loopback port with a throw-away database, scraping one target every second; it is ended and
/// removed when this is dropped.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: String,
    folder: PathBuf,
    version: Version,
}

impl Prometheus {
    /// Starts one that scrapes `target` (host and port). `None` when there is no Prometheus, or none that can be
    /// told the protocol; why is printed.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn scraping(target: &str, options: Options<'_>) -> Option<Self> {
        let program = super::find("prometheus")?;
        let version = version(&program);
        if options.protocol == Protocol::Text && version < CHOOSES_PROTOCOL {
            super::say_skipped(&format!(
                "Prometheus {}.{} cannot be told to ask for text",
                version.0, version.1
            ));
            return None;
        }
        for attempt in 1.. {
            let started = Self::start(&program, version, target, options);
            match started.ready() {
                Ok(()) => return Some(started),
                // Its port may have been taken by somebody else between our choice and its start.
                Err(why) => assert!(attempt < 3, "Prometheus did not start: {why}\n{}", started.log()),
            }
        }
        None
    }

    fn start(program: &Path, version: Version, target: &str, options: Options<'_>) -> Self {
        let port = free_port();
        let folder = temporary_folder();
        let configuration = configuration(version, target, options);
        let file = folder.join("prometheus.yml");
        fs::write(&file, configuration).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let log = File::create(folder.join("log")).expect("a file can be made in a new folder");
        let errors = log.try_clone().expect("a file can be opened twice");
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", LIFETIME])
            .arg(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        if options.protocol == Protocol::Protobuf && version < NATIVE_BY_CONFIGURATION {
            command.arg("--enable-feature=native-histograms");
        }
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let child = command.spawn().expect("coreutils' timeout starts");
        Self { child, address, folder, version }
    }

    fn ready(&self) -> Result<(), String> {
        until("it is ready", || match get(&self.address, "/-/ready", &[]) {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("status {}", answer.status)),
            Err(e) => Err(e.to_string()),
        })
    }

    /// Which version it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Waits for the first whole scrape.
    ///
    /// # Errors
    ///
    /// What Prometheus says is wrong with the target or with what it served.
    pub fn scrape(&self) -> Result<(), String> {
        until("a scrape", || {
            let targets = self.api("/api/v1/targets")?;
            let target = &targets["activeTargets"][0];
            match (target["health"].as_str(), target["lastError"].as_str()) {
                (Some("up"), Some("")) => Ok(Ok(())),
                (Some("down"), Some(error)) => Ok(Err(error.to_owned())),
                _ => Err(format!("the target is {}", target["health"])),
            }
        })
        .and_then(|verdict| verdict)?;
        until("the samples of the scrape", || match self.query("up").as_slice() {
            [up] if up.value == "1" => Ok(()),
            other => Err(format!("up is {other:?}")),
        })?;
        self.complaints()
    }

    /// What it complained about in its log and its own metrics: samples it dropped, exemplars it could not take.
    fn complaints(&self) -> Result<(), String> {
        let own = get(&self.address, "/metrics", &[]).map_err(|e| e.to_string())?;
        let dropped = own.text().lines().filter(|line| {
            let (name, value) = line.split_once(' ').unwrap_or_default();
            (name.starts_with("prometheus_target_scrapes_sample_")
                || name.starts_with("prometheus_target_scrapes_exemplar_"))
                && value != "0"
        });
        let log = self.log();
        let warned = log.lines().filter(|line| {
            let line = line.to_ascii_lowercase();
            ["level=warn", "level=error"].iter().any(|level| line.contains(level)) && line.contains("scrape")
        });
        let all: Vec<&str> = dropped.chain(warned).collect();
        if all.is_empty() { Ok(()) } else { Err(all.join("\n")) }
    }

    /// Answers of an instant query.
    ///
    /// # Panics
    ///
    /// When Prometheus does not answer, or refuses the query.
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        let answer = self
            .api(&format!("/api/v1/query?query={}", percent_encoded(expression)))
            .unwrap_or_else(|e| panic!("query {expression:?}: {e}"));
        let samples = answer["result"].as_array().into_iter().flatten().map(|one| Sample {
            labels: one["metric"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect(),
            value: match (&one["value"][1], &one["histogram"][1]) {
                (Value::String(value), _) => value.clone(),
                (_, histogram) => histogram.to_string(),
            },
        });
        samples.collect()
    }

    /// The value of the one series that a query finds.
    ///
    /// # Panics
    ///
    /// When it finds none, or several.
    pub fn value(&self, expression: &str) -> String {
        match self.query(expression).as_slice() {
            [one] => one.value.clone(),
            other => panic!("{expression:?} should find one series, but finds {other:#?}"),
        }
    }

    /// Type, help and unit of every family of the target, by the name that Prometheus gives it.
    ///
    /// # Panics
    ///
    /// When Prometheus does not answer.
    pub fn metadata(&self) -> BTreeMap<String, [String; 3]> {
        let answer =
            self.api("/api/v1/targets/metadata?limit=100000").unwrap_or_else(|e| panic!("metadata: {e}"));
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let families = answer.as_array().into_iter().flatten();
        families
            .map(|f| (word(&f["metric"]), [word(&f["type"]), word(&f["help"]), word(&f["unit"])]))
            .collect()
    }

    /// The `data` of an answer of its API.
    ///
    /// # Errors
    ///
    /// What it or the connection complains about.
    pub fn api(&self, path: &str) -> Result<Value, String> {
        let answer = get(&self.address, path, &[]).map_err(|e| e.to_string())?;
        let mut json: Value = serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
        if json["status"] == "success" { Ok(json["data"].take()) } else { Err(json.to_string()) }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("Prometheus {}.{} said:\n{}", self.version.0, self.version.1, self.log());
        }
        program::terminate(&self.child);
        if program::wait(&mut self.child, Duration::from_secs(10)).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Asks again and again until it is so, or patience ends.
fn until<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(why) if Instant::now() > end => {
                return Err(format!("waited {} s until {what}: {why}", PATIENCE.as_secs()));
            }
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn configuration(version: Version, target: &str, options: Options<'_>) -> String {
    let Options { protocol, path } = options;
    let mut text = String::from("global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n");
    let _ = writeln!(text, "- job_name: peer\n  metrics_path: {path}\n  static_configs:");
    let _ = writeln!(text, "  - targets: [\"{target}\"]");
    if version >= CHOOSES_PROTOCOL {
        let name = match protocol {
            Protocol::OpenMetrics => "OpenMetricsText1.0.0",
            Protocol::Text => "PrometheusText0.0.4",
            Protocol::Protobuf => "PrometheusProto",
        };
        let _ = writeln!(text, "  scrape_protocols: [{name}]");
    }
    if protocol == Protocol::Protobuf && version >= NATIVE_BY_CONFIGURATION {
        text.push_str("  scrape_native_histograms: true\n");
    }
    text
}

/// `prometheus, version 2.42.0+ds (branch: ...)`
fn version(program: &Path) -> Version {
    let output = Command::new(program).arg("--version").output().expect("prometheus --version runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    parse_version(&text).unwrap_or_else(|| panic!("prometheus --version says {text:?}"))
}

fn parse_version(text: &str) -> Option<Version> {
    let (_, rest) = text.split_once("version ")?;
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit());
    Some(Version(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free loopback port");
    listener.local_addr().expect("a bound socket has an address").port()
}

fn temporary_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("openmetrics-prometheus-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    folder
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_several_ages() {
        assert_eq!(parse_version("prometheus, version 2.42.0+ds (branch: x)"), Some(Version(2, 42)));
        assert_eq!(parse_version("prometheus, version 3.5.3+ds1, build"), Some(Version(3, 5)));
        assert_eq!(parse_version("no such thing"), None);
        assert!(Version(2, 42) < CHOOSES_PROTOCOL && CHOOSES_PROTOCOL < Version(3, 5));
    }

    #[test]
    fn configuration_says_what_each_version_understands() {
        let options = Options { protocol: Protocol::Protobuf, path: "/metrics" };
        assert_eq!(
            configuration(Version(3, 8), "127.0.0.1:9", options),
            "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n\
             - job_name: peer\n  metrics_path: /metrics\n  static_configs:\n  - targets: [\"127.0.0.1:9\"]\n  \
             scrape_protocols: [PrometheusProto]\n  scrape_native_histograms: true\n"
        );
        assert!(!configuration(Version(2, 42), "127.0.0.1:9", options).contains("scrape_protocols"));
    }

    #[test]
    fn queries_travel_in_a_url() {
        assert_eq!(percent_encoded(r#"a_total{b="c d"}"#), "a_total%7Bb%3D%22c%20d%22%7D");
    }
}
