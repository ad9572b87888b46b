//! What we write, read by the parsers of `prometheus/client_python`. `CLIENT_PYTHON` names the folder or wheel of the
//! package `prometheus_client`; without it there is nothing to compare with, and the test says so.
#![cfg(feature = "parse")]

use std::io::Write;
use std::process::{Command, Stdio};

use openmetrics::format::{Format, Options, decode, encode_with};

/// One family of each type, with all that samples may have.
const PAGE: &[u8] = br#"# TYPE requests counter
# HELP requests Served "requests",\nby\\path.
requests_total{path="C:\\\"a\"\n",code="200"} 17 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.789
requests_created{path="C:\\\"a\"\n",code="200"} 1520430000.123
# TYPE room_celsius gauge
# UNIT room_celsius celsius
room_celsius{room="cellar"} -1.5e-07 1520879607.789
room_celsius NaN
# TYPE mode stateset
mode{mode="half"} 0
mode{mode="full"} 1
# TYPE build info
build_info{version="1.2"} 1
# TYPE wait_seconds histogram
wait_seconds_bucket{le="0.01"} 0
wait_seconds_bucket{le="1.0"} 8 # {} 0.67
wait_seconds_bucket{le="+Inf"} 17 # {trace_id="1"} 9.8 1520879607.789
wait_seconds_count 17
wait_seconds_sum 324789.3
wait_seconds_created 1520430000.123
# TYPE queue gaugehistogram
queue_bucket{le="1.0"} 4
queue_bucket{le="+Inf"} 5
queue_gcount 5
queue_gsum 7.25
# TYPE rpc summary
rpc{quantile="0.5"} 2.0
rpc_count 4
rpc_sum 8.25
rpc_created 1520430000.123
# TYPE foreign unknown
foreign 18446744073709551615
# EOF
"#;

/// Reads a page and prints how many samples it has; another end than 0 says that it cannot be read.
const READ: &str = "import sys
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text
reader = openmetrics if sys.argv[1] == 'openmetrics' else text
page = sys.stdin.buffer.read().decode()
print(sum(len(f.samples) for f in reader.text_string_to_metric_families(page)))
";

#[test]
fn client_python_reads_every_sample() {
    let Some(package) = std::env::var_os("CLIENT_PYTHON") else {
        return eprintln!("skipped: CLIENT_PYTHON does not name the package prometheus_client");
    };
    let set = decode(PAGE, Format::OPENMETRICS_1_0).expect("the page is right");
    for (format, reader) in [(Format::OPENMETRICS_1_0, "openmetrics"), (Format::TEXT_0_0_4, "text")] {
        for created in [false, true] {
            let mut page = Vec::new();
            let options = Options::default().with_created_samples(created);
            let report = encode_with(&set, format, options, &mut page);
            assert!(report.is_clean(), "{report:?}");
            let mut python = Command::new("python3")
                .args(["-c", READ, reader])
                .env("PYTHONPATH", &package)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("python3 starts");
            python.stdin.take().expect("it is a pipe").write_all(&page).expect("it reads all");
            let read = python.wait_with_output().expect("it ends");
            let page = String::from_utf8_lossy(&page);
            assert!(read.status.success(), "{format}: client_python does not read\n{page}");
            let samples = page.lines().filter(|line| !line.starts_with('#')).count();
            let said = String::from_utf8_lossy(&read.stdout);
            assert_eq!(said.trim(), samples.to_string(), "{format}\n{page}");
        }
    }
}
