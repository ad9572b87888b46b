//! One answer and its headers.

use std::time::Duration;

use super::finding;
use super::media::{Kind, MediaType};
use crate::exchange::{Answer, Ask};
use crate::finding::Finding;

/// An answer that takes longer is slow (OM1-HTTP-07).
const SLOW: Duration = Duration::from_secs(1);
/// Pages of more bytes are worth packing.
const LARGE: usize = 256 << 10;
/// Words in requests that no endpoint has a reason to say again.
pub(super) const MARK: &str = "omtool-echo";

/// What is wrong with a scrape, headers only, and the format that it names.
pub(super) fn judge(ask: &Ask, answer: &Answer, found: &mut Vec<Finding>) -> Option<Kind> {
    transport(ask, answer, found);
    if answer.status != 200 {
        let message = format!("the answer to {} is status {}", ask.who, answer.status);
        found.push(finding("OM1-HTTP-01", message));
        return None;
    }
    let mut types = answer.headers.iter().filter(|(name, _)| name == "content-type");
    let Some((_, header)) = types.next() else {
        found.push(finding("CN-11", format!("the answer to {} has no Content-Type", ask.who)));
        return None;
    };
    let said = |rule, what: &str| finding(rule, format!("{what}: `{header}`, in the answer to {}", ask.who));
    if types.next().is_some() {
        found.push(said("CN-12", "Content-Type is there twice"));
    }
    if is_list(header) {
        found.push(said("CN-12", "Content-Type is a list; it has to be one format"));
        return None;
    }
    let Some(media) = MediaType::parse(header) else {
        found.push(said("CN-11", "Content-Type is no media type"));
        return None;
    };
    if media.parameter("q").is_some() {
        found.push(said("CN-12", "Content-Type has a q value, which is for Accept"));
    }
    match media.essence.as_str() {
        "text/plain" => match media.parameter("version") {
            None => found.push(said("CN-05", "Content-Type has no version")),
            Some("0.0.4" | "1.0.0") => {}
            Some(_) => found.push(said("P4-25", "the version of text/plain is 0.0.4 or 1.0.0")),
        },
        "application/openmetrics-text" => openmetrics_text(ask, &media, &said, found),
        "application/vnd.google.protobuf" => {
            if media.parameter("encoding") != Some("delimited") {
                found.push(said("CN-08", "protobuf has to say encoding=delimited"));
            }
            if media.parameter("proto") != Some("io.prometheus.client.MetricFamily") {
                found.push(said("PPB-01", "protobuf has to say proto=io.prometheus.client.MetricFamily"));
            }
        }
        "application/openmetrics-protobuf" => {
            if media.parameter("version") != Some("1.0.0") {
                found.push(said("OM1-PB-01", "the version has to be 1.0.0"));
            }
        }
        _ => found.push(said("CN-04", "no scraper knows this Content-Type")),
    }
    let kind = media.kind();
    escaping(ask, &media, kind, &said, found);
    kind
}

fn openmetrics_text(
    ask: &Ask,
    media: &MediaType,
    said: &dyn Fn(&'static str, &str) -> Finding,
    found: &mut Vec<Finding>,
) {
    let asked = ask.accept.as_deref().unwrap_or_default();
    match media.parameter("version") {
        None => found.push(said("CN-05", "Content-Type has no version")),
        Some("1.0.0" | "0.0.1") => {}
        Some("2.0.0") if asked.contains("version=2.0.0") => {}
        Some("2.0.0") => {
            found.push(said("OM2-DOC-02", "OpenMetrics 2.0 comes only when it is asked for by its version"));
        }
        Some(version) if version.starts_with('2') => {
            found.push(said("OM2-DOC-01", "the version of OpenMetrics 2.0 is written 2.0.0"));
        }
        Some(_) => found.push(said("OM1-DOC-12", "the version of OpenMetrics text is 1.0.0")),
    }
    if !media.parameter("charset").is_some_and(|charset| charset.eq_ignore_ascii_case("utf-8")) {
        found.push(said("OM1-DOC-12", "Content-Type has to say charset=utf-8"));
    }
}

/// How names are escaped, as the header says it.
fn escaping(
    ask: &Ask,
    media: &MediaType,
    kind: Option<Kind>,
    said: &dyn Fn(&'static str, &str) -> Finding,
    found: &mut Vec<Finding>,
) {
    let asked = ask.accept.as_deref().unwrap_or_default();
    match media.parameter("escaping") {
        // A scraper that asks for no scheme may not know of any: then nothing has to be said.
        None if kind.is_some_and(Kind::has_escaping) && asked.contains("escaping=") => {
            found.push(said("CN-06", "Content-Type does not say how names are escaped"));
        }
        Some("allow-utf-8") if !asked.contains("escaping=allow-utf-8") && kind.is_some_and(Kind::is_text) => {
            found.push(said("ESC-02", "allow-utf-8 was not asked for"));
        }
        Some("dots" | "values") if !asked.contains("escaping=") => {
            found.push(said("CN-13", "without a scheme asked for, names are escaped with underscores"));
        }
        None | Some("allow-utf-8" | "underscores" | "dots" | "values") => {}
        Some(_) => found.push(said("CN-09", "there is no such escaping scheme")),
    }
}

/// What holds for every answer, whatever its format.
fn transport(ask: &Ask, answer: &Answer, found: &mut Vec<Finding>) {
    if let Some((name, value)) = answer.headers.iter().find(|(_, value)| value.contains(MARK)) {
        found.push(finding("CN-10", format!("a word of Accept came back unchecked in `{name}: {value}`")));
    }
    if answer.took > SLOW {
        let message = format!("the answer to {} took {:.1} s", ask.who, answer.took.as_secs_f64());
        found.push(finding("OM1-HTTP-07", message));
    }
    if let Some(age) = answer.header("age").filter(|age| age.trim() != "0") {
        found.push(finding("OM1-HTTP-13", format!("the answer comes from a cache: `age: {age}`")));
    }
    if answer.old_http || answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    {
        let message = "the connection is closed after each answer";
        found.push(finding("LINT-15", message.to_owned()));
    }
    coding(ask, answer, found);
}

/// Compression: only what was asked for, and such that it can be undone.
fn coding(ask: &Ask, answer: &Answer, found: &mut Vec<Finding>) {
    let gzip_asked = ask.coding.is_some_and(|coding| coding.starts_with("gzip") && !coding.contains("q=0"));
    match answer.header("content-encoding").map(str::trim) {
        None | Some("" | "identity") => {
            if ask.coding == Some("gzip") && answer.body.len() > LARGE {
                let message = format!("a page of {} bytes is not packed with gzip", answer.body.len());
                found.push(finding("LINT-17", message));
            }
        }
        Some(coding) if coding.eq_ignore_ascii_case("gzip") && gzip_asked => {
            if let Err(error) = answer.plain_body() {
                found.push(finding("OM1-HTTP-01", format!("the body in the answer to {}: {error}", ask.who)));
            }
        }
        Some(coding) => {
            let asked = ask.coding.unwrap_or("nothing");
            let message =
                format!("`content-encoding: {coding}` in the answer to {}, which accepts {asked}", ask.who);
            found.push(finding("CN-16", message));
        }
    }
}

/// Whether a comma outside quotes makes it a list.
fn is_list(header: &str) -> bool {
    let mut quoted = false;
    header.bytes().any(|b| {
        quoted ^= b == b'"';
        b == b',' && !quoted
    })
}
