//! What is told of scrapes: their page, and the bridge's own metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use openmetrics::model::{
    ClassicBucket, Collected, Collector, Descriptor, Emitter, HistogramValue, Labels, MetricType, Number,
    Unit, Value,
};

use crate::bridge::{Bridge, DURATIONS, FoundModule, Own, lock};
use crate::metrics::Metrics;
use crate::session::Figures;

/// The answer to a scrape.
#[derive(Debug)]
pub struct Page<'a> {
    pub(crate) own: &'a Own,
    pub(crate) metrics: Metrics<'a>,
    pub(crate) modules: &'a [FoundModule],
    pub(crate) failed: &'a [String],
}

static WALKED: Descriptor = Descriptor::literal_with_unit(
    "snmp_scrape_walk_duration_seconds",
    MetricType::Gauge,
    Unit::SECONDS,
    "Time that walking and getting took.",
);
static PACKETS: Descriptor = Descriptor::literal(
    "snmp_scrape_packets_sent",
    MetricType::Gauge,
    "Packets sent to the device, those sent again included.",
);
static RETRIES: Descriptor = Descriptor::literal(
    "snmp_scrape_packets_retried",
    MetricType::Gauge,
    "Packets sent to the device again.",
);
static ROWS: Descriptor =
    Descriptor::literal("snmp_scrape_pdus_returned", MetricType::Gauge, "Variables that the device told.");
static DURATION: Descriptor = Descriptor::literal_with_unit(
    "snmp_scrape_duration_seconds",
    MetricType::Gauge,
    Unit::SECONDS,
    "Time that walking took, and reading what was found.",
);
static FAILED: Descriptor = Descriptor::literal(
    "snmp_scrape_error",
    MetricType::Gauge,
    "Modules that failed and of which nothing is here; the log says why.",
);
static ERRORS: Descriptor = Descriptor::literal(
    "snmp_scrape_errors",
    MetricType::Gauge,
    "Rows that were left out: malformed on the wire, an impossible name or index, bits that are none, labels that another row has.",
);

/// A number told for each module.
type Figure<'f> = &'f dyn Fn(&FoundModule) -> Number;

impl Collector for Page<'_> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let begin = Instant::now();
        self.metrics.collect(out)?;
        let read = begin.elapsed();
        let figures: [(&Descriptor, Figure<'_>); 5] = [
            (&WALKED, &|module| module.walked.as_secs_f64().into()),
            (&PACKETS, &|module| module.effort.packets.into()),
            (&RETRIES, &|module| module.effort.retries.into()),
            (&ROWS, &|module| module.rows().into()),
            (&DURATION, &|module| (module.walked + read).as_secs_f64().into()),
        ];
        for (descriptor, figure) in figures {
            let mut family = out.family(descriptor);
            for module in self.modules {
                family.point(Labels::new(&[("module", &module.name)]), figure(module));
            }
        }
        if !self.failed.is_empty() {
            let mut family = out.family(&FAILED);
            for module in self.failed {
                family.point(Labels::new(&[("module", module)]), 1_u64);
            }
        }
        let dropped = self.metrics.dropped();
        if dropped.keys().any(|why| why.is_fault()) {
            let mut family = out.family(&ERRORS);
            for (why, count) in dropped.iter().filter(|(why, _)| why.is_fault()) {
                family.point(Labels::new(&[("reason", why.word())]), *count);
            }
        }
        let mut in_all = lock(&self.own.dropped);
        for (why, count) in dropped {
            *in_all.entry(why.word()).or_default() += count;
        }
        Ok(())
    }
}

static REQUEST_ERRORS: Descriptor =
    Descriptor::literal("snmp_request_errors", MetricType::Counter, "Requests that could not be understood.");
static UNEXPECTED: Descriptor = Descriptor::literal(
    "snmp_unexpected_pdu_type",
    MetricType::Counter,
    "Values that are none of their type.",
);
static ALL_PACKETS: Descriptor =
    Descriptor::literal("snmp_packets", MetricType::Counter, "Packets sent, those sent again included.");
static ALL_RETRIES: Descriptor =
    Descriptor::literal("snmp_packet_retries", MetricType::Counter, "Packets sent again.");
static FOREIGN: Descriptor = Descriptor::literal(
    "snmp_packets_dropped",
    MetricType::Counter,
    "Packets that could not be read or answered nothing that was asked.",
);
static DROPPED: Descriptor = Descriptor::literal(
    "snmp_rows_dropped",
    MetricType::Counter,
    "Rows that became no metric, or 0 where a number should be, by reason.",
);
static IN_FLIGHT: Descriptor =
    Descriptor::literal("snmp_request_in_flight", MetricType::Gauge, "Walks that run.");
static TRIPS: Descriptor = Descriptor::literal_with_unit(
    "snmp_packet_duration_seconds",
    MetricType::Histogram,
    Unit::SECONDS,
    "From sending a packet to its answer.",
);
static COLLECTIONS: Descriptor = Descriptor::literal_with_unit(
    "snmp_collection_duration_seconds",
    MetricType::Histogram,
    Unit::SECONDS,
    "How long modules take.",
);

impl Collector for Bridge {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let count = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let dropped = lock(&self.own.dropped).clone();
        out.value(&REQUEST_ERRORS, count(&self.own.errors));
        out.value(&UNEXPECTED, dropped.get("malformed").copied().unwrap_or(0));
        out.value(&ALL_PACKETS, count(&self.figures.packets));
        out.value(&ALL_RETRIES, count(&self.figures.retries));
        out.value(&FOREIGN, count(&self.figures.foreign));
        out.value(&IN_FLIGHT, self.own.in_flight.load(Ordering::Relaxed));
        let mut family = out.family(&DROPPED);
        for (reason, count) in &dropped {
            family.point(Labels::new(&[("reason", reason)]), *count);
        }
        let trips: Vec<u64> = self.figures.trips.iter().map(count).collect();
        let sum = count(&self.figures.trip_nanos) as f64 / 1e9;
        histogram(&mut out.family(&TRIPS), Labels::EMPTY, &Figures::BOUNDS, &trips, sum);
        let mut family = out.family(&COLLECTIONS);
        for (module, distribution) in &*lock(&self.own.durations) {
            let labels = [("module", module.as_str())];
            histogram(&mut family, Labels::new(&labels), &DURATIONS, &distribution.counts, distribution.sum);
        }
        Ok(())
    }
}

fn histogram(
    family: &mut openmetrics::model::FamilyEmitter<'_>,
    labels: Labels<'_>,
    bounds: &[f64],
    counts: &[u64],
    sum: f64,
) {
    let mut total = 0;
    let mut buckets = Vec::with_capacity(bounds.len());
    for (upper_bound, count) in bounds.iter().zip(counts) {
        total += count;
        buckets.push(ClassicBucket { upper_bound: *upper_bound, count: total.into() });
    }
    let all: u64 = counts.iter().sum();
    let value = HistogramValue::new(all, Some(sum.into())).with_classic(&buckets);
    family.point(labels, Value::Histogram(&value));
}
