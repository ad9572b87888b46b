//! Interrupts, context switches, forks and tasks, from `/proc/stat`:
//!
//! ```text
//! intr 8885917 17 0 0
//! ctxt 38014093
//! btime 1418183276
//! processes 26442
//! procs_running 2
//! procs_blocked 1
//! softirq 5057579 250191 1481983 1647 211099 186066 0 1783454 622196 12499 508444
//! ```

use openmetrics::model::{Descriptor, Labels};

use super::{NodeCollector, Setup, Spec};
use crate::families::{counter, gauge};
use crate::flags::Flag;
use crate::host::{Error, Host};
use crate::page::Page;
use crate::text;

const SOFTIRQ: Flag =
    Flag::switch("collector.stat.softirq", false, "Tell soft interrupts by vector as well");

pub(super) static SPEC: Spec = Spec {
    name: "stat",
    enabled: true,
    about: "interrupts, context switches, forks, boot time",
    flags: &[SOFTIRQ],
    build: |setup| Ok(Box::new(Stat::new(setup))),
};

static INTERRUPTS: Descriptor = counter("node_intr_total", "Interrupts serviced since boot.");
static SWITCHES: Descriptor = counter("node_context_switches_total", "Context switches since boot.");
static FORKS: Descriptor = counter("node_forks_total", "Tasks created since boot.");
static BOOT_TIME: Descriptor = gauge("node_boot_time_seconds", "When the host was booted, as Unix time.");
static RUNNING: Descriptor = gauge("node_procs_running", "Tasks that run or could run.");
static BLOCKED: Descriptor = gauge("node_procs_blocked", "Tasks that wait for IO to complete.");
static SOFTIRQS: Descriptor = counter("node_softirqs_total", "Soft interrupts since boot, by vector.");

/// The columns of the line `softirq`, after the total.
const VECTORS: [&str; 10] =
    ["hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"];

struct Stat {
    with_softirq: bool,
    facts: Option<Facts>,
}

/// What the file says; a line that is not there counts as zero, as node_exporter has it.
#[derive(Debug, Default, PartialEq)]
struct Facts {
    interrupts: u64,
    switches: u64,
    boot_time: u64,
    forks: u64,
    running: u64,
    blocked: u64,
    softirq: [u64; 10],
}

impl Stat {
    fn new(setup: &Setup<'_>) -> Self {
        Self {
            with_softirq: setup.options.switch(&SOFTIRQ),
            facts: None,
        }
    }
}

impl NodeCollector for Stat {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        self.facts = None;
        host.stat(|host, path, text| {
            self.facts = Some(parse(text, |line| host.note(Error::parse(path, "a name and numbers", line))));
        })
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        let Some(facts) = &self.facts else { return };
        out.value(&INTERRUPTS, facts.interrupts);
        out.value(&SWITCHES, facts.switches);
        out.value(&FORKS, facts.forks);
        out.value(&BOOT_TIME, facts.boot_time);
        out.value(&RUNNING, facts.running);
        out.value(&BLOCKED, facts.blocked);
        if self.with_softirq {
            let mut family = out.family(&SOFTIRQS);
            for (vector, count) in VECTORS.iter().zip(facts.softirq) {
                family.point(Labels::new(&[("vector", vector)]), count);
            }
        }
    }
}

fn parse<'t>(text: &'t str, mut bad: impl FnMut(&'t str)) -> Facts {
    let mut facts = Facts::default();
    for line in text.lines() {
        let Some((key, rest)) = line.split_once(' ') else { continue };
        let field = match key {
            "intr" => &mut facts.interrupts,
            "ctxt" => &mut facts.switches,
            "btime" => &mut facts.boot_time,
            "processes" => &mut facts.forks,
            "procs_running" => &mut facts.running,
            "procs_blocked" => &mut facts.blocked,
            "softirq" => {
                let mut counts = text::words(rest).skip(1).map(text::unsigned);
                match std::array::from_fn(|_| counts.next().flatten()) {
                    all if all.iter().all(Option::is_some) => facts.softirq = all.map(Option::unwrap_or_default),
                    _ => bad(line),
                }
                continue;
            }
            _ => continue,
        };
        match text::words(rest).next().and_then(text::unsigned) {
            Some(value) => *field = value,
            None => bad(line),
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_line_costs_only_itself() {
        let text = "cpu 1 2\nintr 8885917 17 0\nctxt x\nbtime 1418183276\nprocesses 26442\nprocs_running 2\nprocs_blocked 1\n\
                    softirq 5057579 250191 1481983 1647 211099 186066 0 1783454 622196 12499 508444\n";
        let mut bad = Vec::new();
        let facts = parse(text, |line| bad.push(line));
        assert_eq!(bad, ["ctxt x"]);
        assert_eq!(
            facts,
            Facts {
                interrupts: 8_885_917,
                switches: 0,
                boot_time: 1_418_183_276,
                forks: 26_442,
                running: 2,
                blocked: 1,
                softirq: [250_191, 1_481_983, 1_647, 211_099, 186_066, 0, 1_783_454, 622_196, 12_499, 508_444],
            }
        );
        let mut bad = Vec::new();
        parse("softirq 5 1 2\n", |line| bad.push(line));
        assert_eq!(bad, ["softirq 5 1 2"], "a cut line");
    }
}
