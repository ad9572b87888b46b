//! Caches of the network stack, from the files in `/proc/net/stat/`: names, and a line of hexadecimal numbers for each
//! CPU.
//!
//! ```text
//! entries  allocs   destroys hash_grows
//! 00000014 00000001 00000002 00000003
//! ```

use openmetrics::model::MetricType;

use super::Spec;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "lnstat",
    enabled: false,
    about: "caches of the network stack by CPU",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let folder = host.proc("net/stat");
    for file in host.list(&folder).unwrap_or_default() {
        let path = folder.join(&file);
        let text = match host.text(&path) {
            Ok(text) => text,
            Err(error) => {
                host.note(error);
                continue;
            }
        };
        let mut lines = text.lines();
        let names: Vec<&str> = text::words(lines.next().unwrap_or_default()).collect();
        for (cpu, line) in lines.enumerate() {
            let mut names = names.iter();
            for word in text::words(line) {
                match (names.next(), text::hex(word)) {
                    (Some(name), Some(value)) => {
                        let labels = [("subsystem", file.as_str()), ("cpu", &cpu.to_string())];
                        let help = || format!("Counter {name} of a cache of the network stack.");
                        out.named(&format!("node_lnstat_{name}_total"), MetricType::Counter, help, &labels, value);
                    }
                    _ => {
                        host.note(Error::parse(&path, "a hexadecimal number for each name", line));
                        break;
                    }
                }
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
    fn a_line_for_each_cpu() {
        let text = "entries  allocs\n00000014 0000000a\n00000015 x\n";
        let (told, problems) = Tree::new("lnstat", &[("proc/net/stat/arp_cache", text)]).read(read);
        assert_eq!(
            told,
            [
                r#"node_lnstat_entries{subsystem="arp_cache",cpu="0"} 20"#,
                r#"node_lnstat_entries{subsystem="arp_cache",cpu="1"} 21"#,
                r#"node_lnstat_allocs{subsystem="arp_cache",cpu="0"} 10"#,
            ]
        );
        assert_eq!(problems.len(), 1);
    }
}
