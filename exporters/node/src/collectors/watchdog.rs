//! Watchdogs, from `/sys/class/watchdog/watchdogN/`: a number or a word in each file.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::{gauge, info};
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "watchdog",
    enabled: true,
    about: "watchdogs and their timeouts",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static NUMBERS: [(&str, Descriptor); 7] = [
    ("bootstatus", gauge("node_watchdog_bootstatus", "Status of the watchdog at boot.")),
    ("fw_version", gauge("node_watchdog_fw_version", "Version of the watchdog's firmware.")),
    ("nowayout", gauge("node_watchdog_nowayout", "Whether the watchdog cannot be stopped.")),
    ("timeleft", gauge("node_watchdog_timeleft_seconds", "Time until the watchdog resets the machine.")),
    ("timeout", gauge("node_watchdog_timeout_seconds", "Time after which the watchdog resets the machine.")),
    ("pretimeout", gauge("node_watchdog_pretimeout_seconds", "How long before a reset the watchdog warns.")),
    ("access_cs0", gauge("node_watchdog_access_cs0", "Whether the watchdog booted from the other chip.")),
];
static FACTS: Descriptor = info("node_watchdog_info", "What the watchdog says of itself.");
const WORDS: [&str; 5] = ["options", "identity", "state", "status", "pretimeout_governor"];

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("class/watchdog");
    let names = host.list(&all).map_err(|error| error.or_no_data("there are no watchdogs"))?;
    for name in names {
        let folder = all.join(&name);
        let mut line = |host: &mut Host, file: &str| match files.line(&folder.join(file)) {
            Ok(line) => Some(line),
            Err(error) => {
                if !error.is_not_found() {
                    host.note(error);
                }
                None
            }
        };
        for (file, family) in &NUMBERS {
            let Some(line) = line(host, file) else { continue };
            match text::based(&line) {
                Some(value) => out.point(family, &[("name", &name)], value),
                None => host.note(Error::parse(&folder.join(file), "an integer", &line)),
            }
        }
        let words = WORDS.map(|file| line(host, file).unwrap_or_default());
        let mut labels = vec![("name", name.as_str())];
        labels.extend(WORDS.iter().zip(&words).map(|(label, word)| (*label, word.as_str())));
        out.point(&FACTS, &labels, 1_u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn a_watchdog() {
        let tree = Tree::new("watchdog", &[
            ("sys/class/watchdog/watchdog0/timeout", "60\n"),
            ("sys/class/watchdog/watchdog0/identity", "Software Watchdog\n"),
        ]);
        let mut files = KeptFiles::default();
        let (told, problems) = tree.read(|host, out| read(host, &mut files, out));
        assert_eq!(told[0], r#"node_watchdog_timeout_seconds{name="watchdog0"} 60"#);
        assert!(told[1].contains(r#"identity="Software Watchdog""#));
        assert!(problems.is_empty());
    }
}
