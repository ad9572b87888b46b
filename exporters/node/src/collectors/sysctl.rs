//! Any value below `/proc/sys`, by name: `kernel.threads-max`, and `fs.file-nr:total,current,max` for one with several
//! numbers.

use openmetrics::model::{Descriptor, MetricType};

use super::{Setup, Spec};
use crate::families::{info, sanitize};
use crate::flags::Flag;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

const INCLUDE: Flag =
    Flag::texts("collector.sysctl.include", "A number to tell, such as kernel.threads-max or fs.file-nr:a,b,c");
const INCLUDE_INFO: Flag = Flag::texts("collector.sysctl.include-info", "A text to tell as a label");

pub(super) static SPEC: Spec = Spec {
    name: "sysctl",
    enabled: false,
    about: "values below /proc/sys that are asked for",
    flags: &[INCLUDE, INCLUDE_INFO],
    build: |setup| {
        let wanted = wanted(setup);
        Ok(Reader::boxed(move |host, out| {
            for one in &wanted {
                if let Err(error) = read(host, one, out) {
                    host.note(error);
                }
            }
            Ok(())
        }))
    },
};

static TEXTS: Descriptor = info("node_sysctl_info", "Texts below /proc/sys.");

/// What was asked for.
#[derive(Debug)]
struct Wanted {
    name: String,
    keys: Vec<String>,
    is_number: bool,
}

impl Wanted {
    fn new(text: &str, is_number: bool) -> Self {
        let (name, keys) = text.split_once(':').map_or((text, None), |(name, keys)| (name, Some(keys)));
        let keys = keys.map(|keys| keys.split(',').map(str::to_owned).collect()).unwrap_or_default();
        Self { name: name.to_owned(), keys, is_number }
    }
}

fn wanted(setup: &Setup<'_>) -> Vec<Wanted> {
    let numbers = setup.options.texts(&INCLUDE).iter().map(|text| Wanted::new(text, true));
    numbers.chain(setup.options.texts(&INCLUDE_INFO).iter().map(|text| Wanted::new(text, false))).collect()
}

fn read(host: &mut Host, wanted: &Wanted, out: &mut Gathered) -> Result<(), Error> {
    let path = host.proc("sys").join(wanted.name.replace('.', "/"));
    let line = host.line(&path)?;
    let words: Vec<&str> = text::words(&line).collect();
    let Wanted { name, keys, is_number } = wanted;
    let fits = match words.len() {
        0 => return Err(Error::failed(&path, "has no value")),
        1 => keys.is_empty(),
        values => keys.is_empty() || *is_number && keys.len() == values,
    };
    if !fits {
        let what = format!("has {} values, which does not fit the keys {}", words.len(), keys.join(","));
        return Err(Error::failed(&path, what));
    }
    let family = format!("node_sysctl_{}", sanitize(name));
    let help = || format!("The value of {name} below /proc/sys.");
    for (i, word) in words.iter().enumerate() {
        let index = i.to_string();
        if !is_number {
            out.point(&TEXTS, &[("name", name), ("value", word), ("index", &index)], 1_u64);
            continue;
        }
        let value = text::based(word).ok_or_else(|| Error::parse(&path, "integers", &line))?;
        match keys.get(i) {
            Some(key) => out.named(&format!("{family}_{key}"), MetricType::Unknown, help, &[], value),
            None if words.len() == 1 => out.named(&family, MetricType::Unknown, help, &[], value),
            None => out.named(&family, MetricType::Unknown, help, &[("index", &index)], value),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn one_value_several_and_texts() {
        let tree = Tree::new("sysctl", &[
            ("proc/sys/fs/file-nr", "1024\t0\t1631329\n"),
            ("proc/sys/kernel/threads-max", "7801\n"),
            ("proc/sys/kernel/seccomp/actions_avail", "kill trap\n"),
        ]);
        let told = |text, number| tree.read(|host, out| read(host, &Wanted::new(text, number), out));
        assert_eq!(told("kernel.threads-max", true).0, ["node_sysctl_kernel_threads_max 7801"]);
        assert_eq!(told("fs.file-nr", true).0[2], r#"node_sysctl_fs_file_nr{index="2"} 1631329"#);
        assert_eq!(told("fs.file-nr:total,current,max", true).0[2], "node_sysctl_fs_file_nr_max 1631329");
        assert_eq!(told("kernel.seccomp.actions_avail", false).0[1], r#"node_sysctl{name="kernel.seccomp.actions_avail",value="trap",index="1"} 1"#);
        assert_eq!(told("fs.file-nr:total", true).1.len(), 1);
        assert_eq!(told("kernel.seccomp.actions_avail", true).1.len(), 1);
        assert_eq!(told("no.such", true).1.len(), 1);
    }
}
