//! Protocol counters, from `/proc/net/netstat` and `/proc/net/snmp`, two lines for each protocol,
//!
//! ```text
//! Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens
//! Tcp: 1 200 120000 -1 3556 230
//! ```
//!
//! and from `/proc/net/snmp6`, where IPv6 is on:
//!
//! ```text
//! Ip6InReceives                       7
//! ```

use openmetrics::model::{Descriptor, MetricType};

use super::{NodeCollector, Setup, Spec};
use crate::families::{self, NamedLines, Singles};
use crate::flags::{Filter, Flag};
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

const FIELDS: Flag = Flag::text(
    "collector.netstat.fields",
    "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*\
     |Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts\
     |PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
    "Regular expression of the fields to tell, such as Tcp_InErrs",
);

pub(super) static SPEC: Spec = Spec {
    name: "netstat",
    enabled: true,
    about: "counters of IP, ICMP, TCP and UDP",
    flags: &[FIELDS],
    build: |setup| Ok(Box::new(Netstat::new(setup)?)),
};

struct Netstat {
    tables: [KeptFile; 2],
    list: KeptFile,
    names: NamedLines,
    filter: Filter,
    layouts: Vec<Layout>,
    values: Singles,
}

/// What a line of names says. The names do not change while the kernel runs, so they are looked at once.
struct Layout {
    header: String,
    /// Columns that are told, and where.
    kept: Vec<(usize, usize)>,
    columns: usize,
}

impl Netstat {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let file = |name: &str| KeptFile::single(setup.host.proc("net").join(name));
        Ok(Self {
            tables: [file("netstat"), file("snmp")],
            list: file("snmp6"),
            names: NamedLines::default(),
            filter: Filter::including(setup.options, &FIELDS)?,
            layouts: Vec::new(),
            values: Singles::default(),
        })
    }
}

fn family(key: &str) -> Option<Descriptor> {
    let (protocol, name) = key.split_once('_')?;
    let help = format!("Counter {name} of the protocol {protocol}.");
    families::named(&format!("node_netstat_{key}"), MetricType::Unknown, help)
}

/// Where the value of a name as in `snmp6` goes, if it is told.
fn place(name: &str, filter: &mut Filter, values: &mut Singles) -> Option<usize> {
    let (protocol, name) = name.split_once('6')?;
    let key = format!("{protocol}6_{name}");
    filter.keeps(&key).then(|| values.place(&key, family))
}

impl Layout {
    fn new(header: &str, filter: &mut Filter, values: &mut Singles) -> Option<Self> {
        let mut names = header.split(' ');
        let protocol = names.next()?.strip_suffix(':')?;
        let mut kept = Vec::new();
        let mut columns = 0;
        for (column, name) in names.enumerate() {
            columns += 1;
            let key = format!("{protocol}_{name}");
            if filter.keeps(&key) {
                kept.push((column, values.place(&key, family)));
            }
        }
        Some(Self { header: header.to_owned(), kept, columns })
    }

    /// Takes the values of a line; `false` if it does not fit the names.
    fn read(&self, line: &str, values: &mut Singles) -> bool {
        let protocol = self.header.split(' ').next().unwrap_or_default();
        let Some(rest) = line.strip_prefix(protocol).and_then(|rest| rest.strip_prefix(' ')) else {
            return false;
        };
        let mut kept = self.kept.iter().peekable();
        let (mut columns, mut good) = (0, true);
        // The words are many and short, mostly one digit: they are found faster one byte after the other than by search.
        for word in rest.as_bytes().split(|byte| *byte == b' ') {
            if let Some((_, place)) = kept.next_if(|(wanted, _)| *wanted == columns) {
                match std::str::from_utf8(word).ok().and_then(text::number) {
                    Some(value) => values.set(*place, value),
                    None => good = false,
                }
            }
            columns += 1;
        }
        good && columns == self.columns
    }
}

/// Reads the pairs of lines in `text`; hands on lines that do not fit.
fn read_table<'t>(
    text: &'t str,
    layouts: &mut Vec<Layout>,
    filter: &mut Filter,
    values: &mut Singles,
    mut bad: impl FnMut(&'t str),
) {
    let mut lines = text::lines(text);
    while let Some(header) = lines.next() {
        let line = lines.next().unwrap_or_default();
        let known = layouts.iter().position(|l| l.header == header && l.kept.iter().all(|k| values.holds(k.1)));
        let layout = match known {
            Some(at) => layouts.get(at),
            None => match Layout::new(header, filter, values) {
                Some(layout) => {
                    layouts.retain(|other| other.header != header);
                    layouts.push(layout);
                    layouts.last()
                }
                None => None,
            },
        };
        if !layout.is_some_and(|layout| layout.read(line, values)) {
            bad(header);
        }
    }
}

impl NodeCollector for Netstat {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        let Self { tables, list, names, filter, layouts, values } = self;
        values.begin();
        if layouts.len() > 1000 {
            layouts.clear(); // names that change with every reading are nobody's
        }
        for file in tables {
            let path = file.path().to_owned();
            match file.text() {
                Ok(text) => read_table(text, layouts, filter, values, |line| {
                    host.note(Error::parse(&path, "a line of names and one of as many numbers", line));
                }),
                Err(error) => host.note(error),
            }
        }
        let path = list.path().to_owned();
        let text = match list.text() {
            Err(error) if error.is_not_found() => return Ok(()), // no IPv6
            other => other?,
        };
        for (at, line) in text::lines(text).enumerate() {
            let known = names.split(at, line.trim_start(), values, |name, values| place(name, filter, values));
            let Some((Some(place), rest)) = known else { continue };
            let Some(value) = text::words(rest).next() else { continue };
            match text::number(value) {
                Some(value) => values.set(place, value),
                None => host.note(Error::parse(&path, "a number", line)),
            }
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        self.values.emit(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Options;

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let mut options = Options::default();
        options.set(FIELDS.name, vec!["^(Tcp|Udp)_".into()]);
        let (mut filter, mut values) = (Filter::including(&options, &FIELDS).unwrap(), Singles::default());
        let mut bad = Vec::new();
        let mut layouts = Vec::new();
        for _ in 0..2 {
            bad.clear();
            values.begin();
            read_table(text, &mut layouts, &mut filter, &mut values, |line| bad.push(line.to_owned()));
        }
        (values.told(), bad)
    }

    #[test]
    fn pairs_of_lines() {
        let (told, bad) = read("Tcp: MaxConn InSegs\nTcp: -1 57252008\nIp: X\nIp: 1\nUdp: A B\nUdp: 1\n");
        assert_eq!(told, ["node_netstat_Tcp_MaxConn -1", "node_netstat_Tcp_InSegs 57252008", "node_netstat_Udp_A 1"]);
        assert_eq!(bad, ["Udp: A B"]);
        let (told, bad) = read("Tcp: A\nUdp: 1\nTcp: B\n");
        assert!(told.is_empty(), "{told:?}");
        assert_eq!(bad, ["Tcp: A", "Tcp: B"]);
    }
}
