//! Sockets in use, from `/proc/net/sockstat` and `/proc/net/sockstat6`:
//!
//! ```text
//! sockets: used 229
//! TCP: inuse 4 orphan 0 tw 4 alloc 17 mem 1
//! FRAG6: inuse 0 memory 0
//! ```

use openmetrics::model::{Descriptor, MetricType};

use super::{NodeCollector, Setup, Spec};
use crate::families::{self, Singles, gauge};
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "sockstat",
    enabled: true,
    about: "sockets in use by protocol",
    flags: &[],
    build: |setup| Ok(Box::new(Sockstat::new(setup))),
};

static USED: Descriptor = gauge("node_sockstat_sockets_used", "Sockets in use, of all kinds.");

/// What a protocol's line may say, and what that is.
const FIELDS: [(&str, &str); 6] = [
    ("inuse", "sockets in use"),
    ("orphan", "sockets that belong to no process"),
    ("tw", "sockets that wait for late packets"),
    ("alloc", "sockets allocated"),
    ("mem", "pages of memory in buffers"),
    ("memory", "bytes of memory in buffers"),
];

struct Sockstat {
    files: [KeptFile; 2],
    used: Option<i64>,
    values: Singles,
}

impl Sockstat {
    fn new(setup: &Setup<'_>) -> Self {
        let file = |name: &str| KeptFile::single(setup.host.proc("net").join(name));
        Self { files: [file("sockstat"), file("sockstat6")], used: None, values: Singles::default() }
    }

    fn take(values: &mut Singles, line: &Line<'_>) {
        let protocol = line.protocol;
        let mut set = |suffix: &str, what: &str, value: i64| {
            let place = values.place(&format!("{protocol}_{suffix}"), |key| {
                families::named(&format!("node_sockstat_{key}"), MetricType::Gauge, format!("{protocol}: {what}."))
            });
            values.set(place, value);
        };
        for (field, what) in FIELDS {
            let found = line.value(field);
            // Every protocol has this one, with or without the word.
            let value = if field == "inuse" { Some(found.unwrap_or(0)) } else { found };
            if let Some(value) = value {
                set(field, what, value);
            }
            if let (Some(pages), "mem") = (value, field) {
                let page = i64::try_from(rustix::param::page_size()).unwrap_or_default();
                set("mem_bytes", "bytes of memory in buffers", pages.wrapping_mul(page));
            }
        }
    }
}

impl NodeCollector for Sockstat {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.used = None;
        self.values.begin();
        for (i, file) in self.files.iter_mut().enumerate() {
            let path = file.path().to_owned();
            let text = match file.text() {
                Ok(text) => text,
                Err(error) if error.is_not_found() => continue, // this IP is off
                Err(error) => {
                    host.note(error);
                    continue;
                }
            };
            for line in text.lines() {
                match parse(line) {
                    Some(line) if line.protocol == "sockets" => {
                        if i == 0 {
                            self.used = Some(line.value("used").unwrap_or(0));
                        }
                    }
                    Some(line) => Self::take(&mut self.values, &line),
                    None => host.note(Error::parse(&path, "a protocol and pairs of name and number", line)),
                }
            }
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        if let Some(used) = self.used {
            out.value(&USED, used);
        }
        self.values.emit(out);
    }
}

#[derive(Debug, PartialEq)]
struct Line<'t> {
    protocol: &'t str,
    values: Vec<(&'t str, i64)>,
}

impl Line<'_> {
    fn value(&self, name: &str) -> Option<i64> {
        self.values.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }
}

fn parse(line: &str) -> Option<Line<'_>> {
    let mut words = line.split(' ');
    let protocol = words.next()?;
    let protocol = protocol.strip_suffix(':').unwrap_or(protocol);
    let mut values = Vec::with_capacity(6);
    while let Some(name) = words.next() {
        values.push((name, text::based(words.next()?)?));
    }
    (!values.is_empty()).then_some(Line { protocol, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_and_its_numbers() {
        let line = parse("TCP: inuse 4 orphan 0").unwrap();
        assert_eq!((line.protocol, line.value("inuse"), line.value("orphan"), line.value("tw")), ("TCP", Some(4), Some(0), None));
        for bad in ["", "TCP:", "TCP: inuse", "TCP: inuse x", "TCP: inuse 1 tw"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_told_of_a_line() {
        let mut values = Singles::default();
        Sockstat::take(&mut values, &parse("FRAG6: memory 7").unwrap());
        assert_eq!(values.told(), ["node_sockstat_FRAG6_inuse 0", "node_sockstat_FRAG6_memory 7"]);
    }
}
