//! Errors of memory, from `/sys/devices/system/edac/mc/mcN/`: `ce_count` and the like for a controller, in `csrowN/` for
//! a row, and there in `chN_ce_count` for a channel.

use openmetrics::model::Descriptor;

use super::Spec;
use crate::families::counter;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "edac",
    enabled: true,
    about: "errors of memory, corrected and not",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static CORRECTABLE: Descriptor = counter("node_edac_correctable_errors_total", "Errors that were corrected.");
static UNCORRECTABLE: Descriptor =
    counter("node_edac_uncorrectable_errors_total", "Errors that could not be corrected.");
static ROW_CORRECTABLE: Descriptor =
    counter("node_edac_csrow_correctable_errors_total", "Errors that were corrected, by row.");
static ROW_UNCORRECTABLE: Descriptor =
    counter("node_edac_csrow_uncorrectable_errors_total", "Errors that could not be corrected, by row.");
static CHANNEL_CORRECTABLE: Descriptor =
    counter("node_edac_channel_correctable_errors_total", "Errors that were corrected, by channel.");
static CHANNEL_UNCORRECTABLE: Descriptor =
    counter("node_edac_channel_uncorrectable_errors_total", "Errors that could not be corrected, by channel.");

/// The number in `mc0` and the like.
fn number<'n>(name: &'n str, prefix: &str) -> Option<&'n str> {
    name.strip_prefix(prefix).filter(|number| text::unsigned(number).is_some())
}

/// `mc#0csrow#0channel#0` as `mc0_csrow0_channel0`.
fn dimm_label(label: &str) -> String {
    label.replace('#', "").replace("csrow", "_csrow").replace("channel", "_channel")
}

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let all = host.sys("devices/system/edac/mc");
    for name in host.list(&all).unwrap_or_default() {
        let Some(controller) = number(&name, "mc") else { continue };
        let folder = all.join(&name);
        let unknown = [("controller", controller), ("csrow", "unknown")];
        for (file, family, labels) in [
            ("ce_count", &CORRECTABLE, &unknown[..1]),
            ("ce_noinfo_count", &ROW_CORRECTABLE, &unknown),
            ("ue_count", &UNCORRECTABLE, &unknown[..1]),
            ("ue_noinfo_count", &ROW_UNCORRECTABLE, &unknown),
        ] {
            match host.unsigned(&folder.join(file)) {
                Ok(count) => out.point(family, labels, count),
                Err(error) => host.note(error),
            }
        }
        for name in host.list(&folder).unwrap_or_default() {
            let Some(row) = number(&name, "csrow") else { continue };
            let folder = folder.join(&name);
            let labels = [("controller", controller), ("csrow", row)];
            for (file, family) in [("ce_count", &ROW_CORRECTABLE), ("ue_count", &ROW_UNCORRECTABLE)] {
                match host.unsigned(&folder.join(file)) {
                    Ok(count) => out.point(family, &labels, count),
                    Err(error) => host.note(error),
                }
            }
            for file in host.list(&folder).unwrap_or_default() {
                let Some(channel) = file.strip_suffix("_ce_count").and_then(|name| number(name, "ch")) else {
                    continue;
                };
                let dimm = host.line(&folder.join(format!("ch{channel}_dimm_label")));
                let dimm = dimm.map_or_else(|_| "unknown".to_owned(), |label| dimm_label(&label));
                let [controller, row] = labels;
                let labels = [controller, row, ("channel", channel), ("dimm_label", &dimm)];
                match host.unsigned(&folder.join(&file)) {
                    Ok(count) => out.point(&CHANNEL_CORRECTABLE, &labels, count),
                    Err(error) => host.note(error),
                }
                if let Ok(count) = host.unsigned(&folder.join(format!("ch{channel}_ue_count"))) {
                    out.point(&CHANNEL_UNCORRECTABLE, &labels, count);
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
    fn controllers_rows_and_channels() {
        let mc = "sys/devices/system/edac/mc/mc0";
        let files = ["ce_count", "ce_noinfo_count", "ue_count", "csrow0/ce_count", "csrow0/ue_count", "csrow0/ch0_ce_count"];
        let files: Vec<String> = files.iter().map(|file| format!("{mc}/{file}")).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|file| (file.as_str(), "3\n")).collect();
        let (told, problems) = Tree::new("edac", &files).read(read);
        assert_eq!(told.len(), 6);
        assert!(told.contains(&r#"node_edac_csrow_correctable_errors{controller="0",csrow="unknown"} 3"#.to_owned()));
        assert_eq!(problems.len(), 1, "one file is missing");
    }
}
