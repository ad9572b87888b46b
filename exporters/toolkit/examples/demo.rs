//! An exporter in a few lines: how many files are in each folder below one, and how much they hold.
//!
//! `cargo run --release -p openmetrics-exporter-toolkit --example demo -- --folder /var/log`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, Command, value_parser};
use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricType, Unit};
use openmetrics_exporter_toolkit::{Exporter, Log, Web};

static FILES: Descriptor = Descriptor::literal("folder_files", MetricType::Gauge, "Files in the folder.");
static BYTES: Descriptor = Descriptor::literal_with_unit(
    "folder_bytes",
    MetricType::Gauge,
    Unit::BYTES,
    "Sizes of the files in it.",
);

struct Folders(PathBuf);

impl Collector for Folders {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        // Read first, which may fail; tell after, which cannot.
        let mut rows = Vec::new();
        for folder in std::fs::read_dir(&self.0)?.filter_map(Result::ok) {
            let Ok(entries) = std::fs::read_dir(folder.path()) else { continue };
            let sizes: Vec<u64> = entries
                .filter_map(|entry| entry.ok()?.metadata().ok())
                .filter(std::fs::Metadata::is_file)
                .map(|file| file.len())
                .collect();
            rows.push((folder.file_name().to_string_lossy().into_owned(), sizes));
        }
        let mut files = out.family(&FILES);
        for (name, sizes) in &rows {
            files.point(Labels::new(&[("folder", name)]), sizes.len());
        }
        let mut bytes = out.family(&BYTES);
        for (name, sizes) in &rows {
            bytes.point(Labels::new(&[("folder", name)]), sizes.iter().sum::<u64>());
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    let folder = Arg::new("folder").long("folder").value_parser(value_parser!(PathBuf)).default_value("/usr");
    let command = Log::add_flags(Web::add_flags(Command::new("demo").arg(folder), "127.0.0.1:9999"));
    let matches = command.get_matches();
    Log::from_matches(&matches).init();
    let folder = matches.get_one::<PathBuf>("folder").cloned().unwrap_or_default();
    Exporter::new("folder_exporter", env!("CARGO_PKG_VERSION"))
        .about("Counts files.")
        .metrics(Folders(folder))
        .run(&Web::from_matches(&matches))
}
