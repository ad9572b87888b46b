//! Frequencies of CPUs, from `/sys/devices/system/cpu/cpuN/cpufreq/`, in kilohertz, and how they are governed.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host, KeptFiles};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "cpufreq",
    enabled: true,
    about: "frequencies of CPUs and their governors",
    flags: &[],
    build: |_| {
        let mut files = KeptFiles::default();
        Ok(Reader::boxed(move |host, out| read(host, &mut files, out)))
    },
};

static FREQUENCIES: [(&str, Descriptor); 7] = [
    ("cpuinfo_cur_freq", gauge("node_cpu_frequency_hertz", "Frequency of the CPU.")),
    ("cpuinfo_avg_freq", gauge("node_cpu_frequency_avg_hertz", "Average frequency of the CPU.")),
    ("cpuinfo_min_freq", gauge("node_cpu_frequency_min_hertz", "Lowest frequency of the CPU.")),
    ("cpuinfo_max_freq", gauge("node_cpu_frequency_max_hertz", "Highest frequency of the CPU.")),
    ("scaling_cur_freq", gauge("node_cpu_scaling_frequency_hertz", "Frequency that the governor chose.")),
    ("scaling_min_freq", gauge("node_cpu_scaling_frequency_min_hertz", "Lowest frequency that it may choose.")),
    ("scaling_max_freq", gauge("node_cpu_scaling_frequency_max_hertz", "Highest frequency that it may choose.")),
];
static GOVERNOR: Descriptor = gauge("node_cpu_scaling_governor", "Which governor chooses the frequency.");

fn read(host: &mut Host, files: &mut KeptFiles, out: &mut Gathered) -> Result<(), Error> {
    files.begin();
    let all = host.sys("devices/system/cpu");
    let path = all.join("offline");
    let offline = files.line(&path)?;
    let offline = text::ranges(&offline).ok_or_else(|| Error::parse(&path, "a list of CPUs", &offline))?;
    for name in host.list(&all)? {
        let Some(cpu) = name.strip_prefix("cpu").filter(|n| n.starts_with(|c: char| c.is_ascii_digit())) else {
            continue;
        };
        let folder = all.join(&name).join("cpufreq");
        let is_offline = text::unsigned(cpu).is_some_and(|cpu| offline.contains(&cpu));
        if is_offline || !host.has_folder(&folder) {
            continue;
        }
        for (file, family) in &FREQUENCIES {
            match files.unsigned(&folder.join(file)) {
                Ok(kilohertz) => out.point(family, &[("cpu", cpu)], kilohertz as f64 * 1000.0),
                Err(error) if error.is_not_found() || error.is_denied() => {}
                Err(error) => host.note(error),
            }
        }
        let mut words = |file: &str| files.line(&folder.join(file));
        match (words("scaling_governor"), words("scaling_available_governors")) {
            (Ok(governor), Ok(available)) if !governor.is_empty() => {
                for known in available.split(' ') {
                    out.point(&GOVERNOR, &[("cpu", cpu), ("governor", known)], known == governor);
                }
            }
            (Ok(_), Ok(_)) => {}
            (Err(error), _) | (_, Err(error)) => host.note(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::for_tests::Tree;

    #[test]
    fn frequencies_and_governors() {
        let cpu = "sys/devices/system/cpu";
        let files = [
            ("offline", "2-3\n"),
            ("cpu0/cpufreq/cpuinfo_cur_freq", "1699981\n"),
            ("cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("cpu0/cpufreq/scaling_available_governors", "performance powersave\n"),
            ("cpu2/cpufreq/cpuinfo_cur_freq", "1\n"),
        ];
        let files: Vec<(String, &str)> = files.iter().map(|(file, text)| (format!("{cpu}/{file}"), *text)).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), *text)).collect();
        let mut kept = KeptFiles::default();
        let (told, problems) = Tree::new("cpufreq", &files).read(|host, out| read(host, &mut kept, out));
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(
            told,
            [
                r#"node_cpu_frequency_hertz{cpu="0"} 1699981000"#,
                r#"node_cpu_scaling_governor{cpu="0",governor="performance"} 0"#,
                r#"node_cpu_scaling_governor{cpu="0",governor="powersave"} 1"#,
            ]
        );
    }
}
