//! What fuzz targets call: everything that meets bytes from outside.

use crate::config::Config;
use crate::render::{self, Output};
use crate::subject::{Spec, Subject};
use crate::{fix, flat, judge};

const SPECS: [Spec; 5] = [
    Spec::OpenMetrics1,
    Spec::OpenMetrics2,
    Spec::Prometheus,
    Spec::PrometheusProtobuf,
    Spec::OpenMetricsProtobuf,
];

const OUTPUTS: [Output; 7] = [
    Output::Human,
    Output::Concise,
    Output::Json,
    Output::Jsonl,
    Output::Sarif,
    Output::Junit,
    Output::Github,
];

/// The first byte chooses a specification, or to find it out.
fn subject(name: &str, choice: u8, bytes: &[u8]) -> Option<Subject> {
    Subject::new(name, bytes.to_vec(), SPECS.get(usize::from(choice)).copied()).ok()
}

/// Judges an exposition, writes the verdict in every way, counts it, repairs it.
pub fn judge(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let Some(subject) = subject("fuzz", *choice, bytes) else { return };
    let (bytes, spec) = (subject.bytes.clone(), subject.spec);
    let judged = [judge::one(subject, &Config::default(), 20)];
    for output in OUTPUTS {
        for colour in [false, true] {
            render::write(output, colour, &judged, &mut std::io::sink()).expect("a sink takes everything");
        }
    }
    flat::samples(&judge::read(&bytes, spec));
    if let Some(fixed) = fix::fix(&bytes, spec) {
        let again = fix::fix(&fixed, spec);
        assert!(again.is_none(), "repaired twice: {}", String::from_utf8_lossy(&fixed));
    }
}

/// Compares two expositions, which a zero byte parts.
pub fn sequence(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let parts = bytes.split(|&byte| byte == 0).take(3);
    let subjects: Vec<Subject> = parts.filter_map(|part| subject("fuzz", choice % 3, part)).collect();
    judge::sequence(subjects, &Config::default(), 20);
}
