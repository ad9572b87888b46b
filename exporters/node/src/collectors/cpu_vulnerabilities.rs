//! Known faults of the CPU, from `/sys/devices/system/cpu/vulnerabilities/`, a sentence in each file:
//!
//! ```text
//! Mitigation: usercopy/swapgs barriers and __user pointer sanitization
//! ```

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::info;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "cpu_vulnerabilities",
    enabled: false,
    about: "known faults of the CPU and what is done about them",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static FAULT: Descriptor =
    info("node_cpu_vulnerabilities_info", "Known faults of the CPU and what is done about them.");

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let folder = host.sys("devices/system/cpu/vulnerabilities");
    for name in host.list(&folder).unwrap_or_default() {
        match host.line(&folder.join(&name)) {
            Ok(line) => {
                let (state, mitigation) = parse(&line);
                out.point(&FAULT, &[("codename", &name), ("state", state), ("mitigation", &mitigation)], 1_u64);
            }
            Err(error) => host.note(error),
        }
    }
    Ok(())
}

/// The state, and the words after the first; all of them if the state is not known.
fn parse(line: &str) -> (&'static str, String) {
    let lower = line.to_lowercase();
    let after_first = || text::words(line).skip(1).collect::<Vec<_>>().join(" ");
    if lower.starts_with("not affected") {
        return ("not affected", String::new());
    }
    match ["vulnerable", "mitigation", "unknown"].into_iter().find(|state| lower.starts_with(state)) {
        Some(state) => (state, after_first()),
        None => ("unknown", line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        assert_eq!(parse("Not affected"), ("not affected", String::new()));
        assert_eq!(parse("Vulnerable"), ("vulnerable", String::new()));
        assert_eq!(parse("Mitigation: a; SMT  b"), ("mitigation", "a; SMT b".into()));
        assert_eq!(parse("KVM: x"), ("unknown", "KVM: x".into()));
    }
}
