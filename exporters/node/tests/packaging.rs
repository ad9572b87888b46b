//! What is packaged beside the program: the alert rules hold, and rules, dashboard and node_exporter's mixin ask for
//! metrics that the exporter has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::peers::find;

fn packaging(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(file)
}

/// Runs promtool on a file of the packaging; nothing if there is no promtool.
fn promtool(arguments: &[&str], file: &str) {
    let Some(promtool) = find("promtool") else { return };
    let output = Command::new(promtool).args(arguments).arg(packaging(file)).output().expect("promtool runs");
    let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
}

#[test]
fn the_alert_rules_are_valid() {
    promtool(&["check", "rules"], "alerts.yml");
}

#[test]
fn alerts_fire_when_they_should() {
    promtool(&["test", "rules"], "alerts_test.yml");
}

#[test]
fn the_units_are_valid() {
    let folder = std::env::temp_dir().join(format!("node-exporter-units-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let service = fs::read_to_string(packaging("systemd/node-exporter.service")).unwrap();
    let service = service.replace("/usr/bin/node-exporter", env!("CARGO_BIN_EXE_node-exporter"));
    let units = ["node-exporter.service", "node-exporter.socket"].map(|name| folder.join(name));
    fs::write(&units[0], service).unwrap();
    fs::copy(packaging("node-exporter.socket"), &units[1]).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output();
    fs::remove_dir_all(&folder).unwrap();
    match verified {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            // Of other units of this machine it may say what it likes.
            assert!(!said.contains("node-exporter."), "{said}");
        }
        Err(error) => println!("note: there is no systemd-analyze here: {error}"),
    }
}

/// The samples that upstream's node-mixin asks for, as of node_exporter 1.12, on Linux; its recorded series are its own.
const MIXIN: &str = "
    node_bonding_active node_bonding_slaves node_cpu_seconds_total node_disk_io_time_seconds_total
    node_disk_io_time_weighted_seconds_total node_disk_read_bytes_total node_disk_written_bytes_total
    node_exporter_build_info node_filefd_allocated node_filefd_maximum node_filesystem_avail_bytes
    node_filesystem_files node_filesystem_files_free node_filesystem_readonly node_filesystem_size_bytes node_load1
    node_load5 node_load15 node_md_disks node_md_disks_required node_memory_Buffers_bytes node_memory_Cached_bytes
    node_memory_MemAvailable_bytes node_memory_MemFree_bytes node_memory_MemTotal_bytes node_memory_Slab_bytes
    node_network_receive_bytes_total node_network_receive_drop_total node_network_receive_errs_total
    node_network_receive_packets_total node_network_transmit_bytes_total node_network_transmit_drop_total
    node_network_transmit_errs_total node_network_transmit_packets_total node_nf_conntrack_entries
    node_nf_conntrack_entries_limit node_textfile_scrape_error node_time_seconds node_timex_maxerror_seconds
    node_timex_offset_seconds node_timex_sync_status node_uname_info node_vmstat_pgmajfault
";

#[test]
fn the_metrics_asked_for_are_here() {
    let page =
        Command::new(env!("CARGO_BIN_EXE_node-exporter")).arg("--dry-run").output().expect("it runs").stdout;
    let page = String::from_utf8(page).expect("a page is UTF-8");
    let here: BTreeSet<&str> = names(&page).collect();
    // What this host has no hardware for is looked up where its descriptor is made.
    let mut sources =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collectors/mod.rs")).unwrap();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/collectors")).unwrap() {
        sources.push_str(&fs::read_to_string(file.unwrap().path()).unwrap_or_default());
    }
    let mut asked = MIXIN.to_owned();
    for file in ["alerts.yml", "dashboard.json"] {
        asked.push_str(&fs::read_to_string(packaging(file)).unwrap());
    }
    let missing: BTreeSet<&str> = names(&asked)
        .filter(|name| {
            let family = name.strip_suffix("_total").unwrap_or(name);
            !here.contains(name) && !sources.contains(&format!("\"{family}\""))
        })
        // It is made by the server core from the program's name.
        .filter(|name| *name != "node_exporter_build_info")
        .collect();
    assert!(missing.is_empty(), "asked for and not here: {missing:?}");
}

/// The words that are names of this exporter's metrics.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("node_") && *word != "node_exporter")
}
