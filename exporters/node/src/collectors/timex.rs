//! How the kernel's clock is disciplined, from the system call `adjtimex`.

use std::path::Path;

use openmetrics::model::{Descriptor, Number};
use rustix::io::Errno;

use super::{NodeCollector, Spec};
use crate::families::{counter, gauge};
use crate::host::{Error, Host};
use crate::kernel;
use crate::page::Page;

pub(super) static SPEC: Spec = Spec {
    name: "timex",
    enabled: true,
    about: "synchronisation of the clock",
    flags: &[],
    build: |_| Ok(Box::new(Timex { values: None })),
};

static FAMILIES: [Descriptor; 17] = [
    gauge("node_timex_sync_status", "Whether the clock is synchronised to a reliable server."),
    gauge("node_timex_offset_seconds", "How far the clock is off, before it is corrected."),
    gauge("node_timex_frequency_adjustment_ratio", "By what the clock's frequency is corrected."),
    gauge("node_timex_maxerror_seconds", "How far the clock may be off at most."),
    gauge("node_timex_estimated_error_seconds", "How far the clock is thought to be off."),
    gauge("node_timex_status", "The bits of the clock's status (STA_...)."),
    gauge("node_timex_loop_time_constant", "Time constant of the phase-locked loop."),
    gauge("node_timex_tick_seconds", "Time between two ticks."),
    gauge("node_timex_pps_frequency_hertz", "Frequency by the pulses of a reference clock."),
    gauge("node_timex_pps_jitter_seconds", "Jitter of the pulses."),
    gauge("node_timex_pps_shift_seconds", "Interval in which pulses are measured."),
    gauge("node_timex_pps_stability_hertz", "Stability of the frequency by pulses."),
    counter("node_timex_pps_jitter_total", "Pulses with too much jitter."),
    counter("node_timex_pps_calibration_total", "Intervals in which pulses were measured."),
    counter("node_timex_pps_error_total", "Intervals in which pulses could not be measured."),
    counter("node_timex_pps_stability_exceeded_total", "Intervals in which the frequency was not stable."),
    gauge("node_timex_tai_offset_seconds", "How far international atomic time is ahead of UTC."),
];

/// The clock is not synchronised.
const TIME_ERROR: i32 = 5;
const MICROS: f64 = 1_000_000.0;
const NANOS: f64 = 1_000_000_000.0;
/// Parts per million with 16 binary places.
const SCALED_PPM: f64 = 1_000_000.0 * 65_536.0;

struct Timex {
    /// In the order of `FAMILIES`.
    values: Option<[Number; 17]>,
}

impl NodeCollector for Timex {
    fn update(&mut self, _: &mut Host) -> Result<(), Error> {
        self.values = None;
        let (state, timex) = kernel::clock().map_err(|error| {
            let error = Error::io(Path::new("adjtimex"), error);
            if error.is_errno(Errno::PERM) || error.is_errno(Errno::ACCESS) {
                Error::no_data("we may not ask for the clock's discipline")
            } else {
                error
            }
        })?;
        let unit = if timex.status & libc::STA_NANO == 0 { MICROS } else { NANOS };
        let integer = |value: i64| Number::from(value);
        self.values = Some([
            Number::from(state != TIME_ERROR),
            (timex.offset as f64 / unit).into(),
            (1.0 + timex.freq as f64 / SCALED_PPM).into(),
            (timex.maxerror as f64 / MICROS).into(),
            (timex.esterror as f64 / MICROS).into(),
            integer(timex.status.into()),
            integer(timex.constant),
            (timex.tick as f64 / MICROS).into(),
            (timex.ppsfreq as f64 / SCALED_PPM).into(),
            (timex.jitter as f64 / unit).into(),
            integer(timex.shift.into()),
            (timex.stabil as f64 / SCALED_PPM).into(),
            integer(timex.jitcnt),
            integer(timex.calcnt),
            integer(timex.errcnt),
            integer(timex.stbcnt),
            integer(timex.tai.into()),
        ]);
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        for (family, value) in FAMILIES.iter().zip(self.values.iter().flatten()) {
            out.value(family, *value);
        }
    }
}
