//! How many notifications there were.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricType, Unit};

use super::Receiver;
use super::notification::name;
use crate::oid::Oid;

/// Counts, no more different ones than set at the start.
#[derive(Debug)]
pub(super) struct Counts {
    most: usize,
    series: BTreeMap<(Oid, IpAddr), Series>,
    /// Everything beyond.
    others: Series,
    dropped: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Series {
    count: u64,
    /// Seconds of the Unix clock.
    last: f64,
}

impl Series {
    fn count(&mut self, now: SystemTime) {
        self.count += 1;
        self.last = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    }
}

impl Counts {
    pub(super) const fn new(most: usize) -> Self {
        let others = Series { count: 0, last: 0.0 };
        Self { most, series: BTreeMap::new(), others, dropped: BTreeMap::new() }
    }

    pub(super) fn count(&mut self, notification: Oid, source: IpAddr, now: SystemTime) {
        let key = (notification, source);
        if let Some(series) = self.series.get_mut(&key) {
            series.count(now);
        } else if self.series.len() < self.most {
            self.series.entry(key).or_default().count(now);
        } else {
            self.others.count(now);
        }
    }

    pub(super) fn dropped(&mut self, why: &'static str) {
        *self.dropped.entry(why).or_default() += 1;
    }
}

static RECEIVED: Descriptor = Descriptor::literal(
    "snmp_traps_received",
    MetricType::Counter,
    "Traps and informs, by the notification's identifier and where they came from.",
);
static LAST: Descriptor = Descriptor::literal_with_unit(
    "snmp_traps_last_received_timestamp_seconds",
    MetricType::Gauge,
    Unit::SECONDS,
    "When the last one came, in seconds of the Unix clock.",
);
static DROPPED: Descriptor = Descriptor::literal(
    "snmp_traps_dropped",
    MetricType::Counter,
    "Packets at the traps' port that were not counted as one, by reason.",
);

/// The labels of what is counted together.
const OTHERS: [(&str, &str); 3] = [("trap", "other"), ("source", "other"), ("name", "other")];

impl Collector for Receiver {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let rows: Vec<(String, String, &str, Series)> = counts
            .series
            .iter()
            .map(|((oid, source), series)| (oid.to_string(), source.to_string(), name(oid), *series))
            .collect();
        let (others, dropped) = (counts.others, counts.dropped.clone());
        drop(counts);
        for (descriptor, is_time) in [(&RECEIVED, false), (&LAST, true)] {
            let mut family = out.family(descriptor);
            let mut point = |labels: &[(&str, &str)], series: &Series| {
                if is_time {
                    family.point(Labels::new(labels), series.last);
                } else {
                    family.point(Labels::new(labels), series.count);
                }
            };
            for (oid, source, name, series) in &rows {
                point(&[("trap", oid), ("source", source), ("name", name)], series);
            }
            if others.count > 0 {
                point(&OTHERS, &others);
            }
        }
        let mut family = out.family(&DROPPED);
        for (reason, count) in &dropped {
            family.point(Labels::new(&[("reason", reason)]), *count);
        }
        Ok(())
    }
}
