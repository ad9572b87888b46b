//! Soft interrupts by CPU, from `/proc/softirqs`:
//!
//! ```text
//!                     CPU0       CPU1
//!           HI:          7          1
//! ```

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::counter;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "softirqs",
    enabled: false,
    about: "soft interrupts by CPU",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static SOFTIRQS: Descriptor = counter("node_softirqs_functions_total", "Soft interrupts since boot, by CPU.");

const TYPES: [&str; 10] =
    ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("softirqs");
    let text = host.text(&path)?;
    if text.is_empty() {
        return Err(Error::failed(&path, "is empty"));
    }
    for line in text.lines().skip(1) {
        let mut words = text::words(line);
        let name = words.next().and_then(|word| word.strip_suffix(':'));
        let Some(kind) = TYPES.iter().find(|kind| Some(**kind) == name) else { continue };
        for (cpu, word) in words.enumerate() {
            match text::unsigned(word) {
                Some(value) => out.point(&SOFTIRQS, &[("cpu", &cpu.to_string()), ("type", kind)], value),
                None => host.note(Error::parse(&path, "numbers", line)),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn a_number_for_each_cpu() {
        let text = "        CPU0       CPU1\n HI:  7  x\nNEW: 1 2\n";
        let (told, problems) = Tree::new("softirqs", &[("proc/softirqs", text)]).read(read);
        assert_eq!(told, [r#"node_softirqs_functions{cpu="0",type="HI"} 7"#]);
        assert_eq!(problems.len(), 1);
    }
}
