//! The host's clock, its time zone, and the clock sources in `/sys/devices/system/clocksource/clocksource0`:
//!
//! ```text
//! available_clocksource:  tsc hpet acpi_pm
//! current_clocksource:    tsc
//! ```

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use openmetrics::model::{Descriptor, Labels};
use tz::TimeZone;

use super::{NodeCollector, Spec};
use crate::families::{INFO, gauge, info};
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;

pub(super) static SPEC: Spec = Spec {
    name: "time",
    enabled: true,
    about: "system time, time zone, clock sources",
    flags: &[],
    build: |_| Ok(Box::new(Time::default())),
};

static SECONDS: Descriptor = gauge("node_time_seconds", "The host's clock, as Unix time.");
static ZONE_OFFSET: Descriptor =
    gauge("node_time_zone_offset_seconds", "How far local time is ahead of UTC, by the name of the zone.");
static AVAILABLE: Descriptor =
    info("node_time_clocksource_available_info", "Clock sources that the kernel could use.");
static CURRENT: Descriptor = info("node_time_clocksource_current_info", "The clock source that the kernel uses.");

#[derive(Default)]
struct Time {
    now: f64,
    /// `None` until it was looked for; the zone of a running process does not change.
    zone: Option<TimeZone>,
    offset: i32,
    designation: String,
    sources: Vec<Clocksource>,
}

struct Clocksource {
    folder: PathBuf,
    files: [KeptFile; 2],
    available: Vec<String>,
    current: Option<String>,
}

impl Clocksource {
    fn new(folder: PathBuf) -> Self {
        let files = ["available_clocksource", "current_clocksource"].map(|name| KeptFile::new(folder.join(name)));
        Self { folder, files, available: Vec::new(), current: None }
    }

    fn update(&mut self) -> Result<(), Error> {
        self.available.clear();
        self.current = None;
        let [available, current] = &mut self.files;
        self.available.extend(available.text()?.split_ascii_whitespace().map(str::to_owned));
        self.current = Some(current.text()?.trim().to_owned());
        Ok(())
    }
}

impl NodeCollector for Time {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        // A clock before 1970 is told as such.
        let nanos = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        self.now = nanos as f64 / 1e9;
        let zone = self.zone.get_or_insert_with(|| TimeZone::local().unwrap_or_else(|_| TimeZone::utc()));
        if let Ok(local) = zone.find_local_time_type((nanos / 1_000_000_000) as i64) {
            self.offset = local.ut_offset();
            local.time_zone_designation().clone_into(&mut self.designation);
        }
        let folder = host.sys("devices/system/clocksource");
        let names = host.list(&folder).unwrap_or_default();
        let numbered = |name: &String| {
            name.strip_prefix("clocksource").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
        };
        let folders: Vec<PathBuf> =
            names.into_iter().filter(numbered).map(|name| folder.join(name)).collect();
        if !self.sources.iter().map(|source| &source.folder).eq(&folders) {
            self.sources = folders.into_iter().map(Clocksource::new).collect();
        }
        for source in &mut self.sources {
            if let Err(error) = source.update() {
                host.note(error);
            }
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        out.value(&SECONDS, self.now);
        out.family(&ZONE_OFFSET).point(Labels::new(&[("time_zone", &self.designation)]), self.offset);
        let mut family = out.family(&AVAILABLE);
        for (i, source) in self.sources.iter().enumerate() {
            for name in &source.available {
                family.point(Labels::new(&[("device", &i.to_string()), ("clocksource", name)]), INFO);
            }
        }
        let mut family = out.family(&CURRENT);
        for (i, source) in self.sources.iter().enumerate() {
            if let Some(current) = &source.current {
                family.point(Labels::new(&[("device", &i.to_string()), ("clocksource", current)]), INFO);
            }
        }
    }
}
