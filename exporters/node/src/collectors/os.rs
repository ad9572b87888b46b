//! The distribution, from `/etc/os-release` or `/usr/lib/os-release`:
//!
//! ```text
//! NAME="Ubuntu"
//! VERSION_ID="20.04"
//! SUPPORT_END=2025-05-29
//! ```

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, Stamp};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "os",
    enabled: true,
    about: "distribution and its version",
    flags: &[],
    build: |_| {
        let mut os = Os::default();
        Ok(Reader::boxed(move |host, out| os.read(host, out)))
    },
};

static RELEASE: Descriptor = info("node_os_info", "What the distribution says of itself.");
static VERSION: Descriptor = gauge("node_os_version", "Version of the distribution, as far as it is a number.");
static SUPPORT_END: Descriptor =
    gauge("node_os_support_end_timestamp_seconds", "When support of the distribution ends, as Unix time.");

const LABELS: [(&str, &str); 12] = [
    ("build_id", "BUILD_ID"),
    ("id", "ID"),
    ("id_like", "ID_LIKE"),
    ("image_id", "IMAGE_ID"),
    ("image_version", "IMAGE_VERSION"),
    ("name", "NAME"),
    ("pretty_name", "PRETTY_NAME"),
    ("variant", "VARIANT"),
    ("variant_id", "VARIANT_ID"),
    ("version", "VERSION"),
    ("version_codename", "VERSION_CODENAME"),
    ("version_id", "VERSION_ID"),
];

/// What the file said, and which file that was.
#[derive(Default)]
struct Os {
    read: Option<(Stamp, Vec<(String, String)>)>,
}

impl Os {
    fn read(&mut self, host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
        let paths = ["etc/os-release", "usr/lib/os-release"].map(|path| host.rootfs(path));
        let Some((path, stamp)) = paths.iter().find_map(|path| Some((path, Stamp::of(path).ok()?))) else {
            return Err(Error::no_data("the distribution says nothing of itself"));
        };
        if self.read.as_ref().is_none_or(|(before, _)| *before != stamp) {
            self.read = Some((stamp, parse(&host.text(path)?)));
        }
        let Some((_, values)) = &self.read else { return Ok(()) };
        let value = |key: &str| values.iter().rev().find(|(k, _)| k == key).map_or("", |(_, value)| value);
        out.point(&RELEASE, &LABELS.map(|(label, key)| (label, value(key))), 1_u64);
        if let Some(version) = version(value("VERSION_ID")).filter(|version| *version > 0.0) {
            let labels = [("id", value("ID")), ("id_like", value("ID_LIKE")), ("name", value("NAME"))];
            out.point(&VERSION, &labels, version);
        }
        match value("SUPPORT_END") {
            "" => {}
            date => match seconds_of(date) {
                Some(seconds) => out.point(&SUPPORT_END, &[], seconds),
                None => host.note(Error::parse(path, "a date", date)),
            },
        }
        Ok(())
    }
}

/// `KEY=value` with quotes and backslashes as a shell has them.
fn parse(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), unquote(value.trim()))).collect()
}

fn unquote(value: &str) -> String {
    let single = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    if let Some(inside) = single {
        return inside.to_owned();
    }
    let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
    let mut out = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        // A backslash at the end stands for itself.
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

/// The number that a version begins with, of at most two parts: `20.04.2` is 20.04.
fn version(text: &str) -> Option<f64> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(text);
    let rest = text.get(whole..)?;
    let end = rest.strip_prefix('.').map_or(whole, |minor| whole + 1 + digits(minor));
    if whole == 0 { None } else { text::float(text.get(..end)?) }
}

/// Unix time of the beginning of a day, `2025-05-29`.
fn seconds_of(date: &str) -> Option<i64> {
    let mut parts = date.split('-').map(text::unsigned);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = date.len() == 10 && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !valid || parts.next().is_some() {
        return None;
    }
    // Years begin in March here, so that the leap day is the last one.
    let (year, month) = (year as i64 - i64::from(month < 3), (month as i64 + 9) % 12);
    let day_of_year = (153 * month + 2) / 5 + day as i64 - 1;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year;
    Some((days - 719_468) * 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn what_a_distribution_says() {
        let text = "# comment\nNAME=\"Fedora \\\"Linux\\\"\"\nID='fedora'\nVERSION_ID=40\nSUPPORT_END=2025-05-13\n";
        let tree = Tree::new("os", &[("root/usr/lib/os-release", text)]);
        let mut os = Os::default();
        let (told, problems) = tree.read(|host, out| os.read(host, out));
        assert!(problems.is_empty());
        assert!(told[0].contains(r#"name="Fedora \"Linux\"""#), "{told:?}");
        assert_eq!(told[1], r#"node_os_version{id="fedora",id_like="",name="Fedora \"Linux\""} 40"#);
        assert_eq!(told[2], "node_os_support_end_timestamp_seconds 1747094400");
    }

    #[test]
    fn versions_and_dates() {
        assert_eq!(["20.04.2", "22.", "rolling", "9"].map(version), [Some(20.04), Some(22.0), None, Some(9.0)]);
        assert_eq!(["1970-01-01", "2000-02-29", "2025-13-01", "2025-5-1"].map(seconds_of), [Some(0), Some(951_782_400), None, None]);
    }
}
