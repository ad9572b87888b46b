//! What is measured with OpenTelemetry, on a registry's page (feature `opentelemetry`).
//!
//! ```
//! use openmetrics::{Registry, otel::Bridge};
//! use opentelemetry::metrics::MeterProvider as _;
//! use opentelemetry_sdk::metrics::SdkMeterProvider;
//!
//! let registry = Registry::new();
//! let bridge = Bridge::new();
//! let provider = SdkMeterProvider::builder().with_reader(bridge.clone()).build();
//! bridge.without_scopes().register(&registry)?;
//!
//! let requests = provider.meter("shop").u64_counter("http.requests").with_description("Requests served.").build();
//! requests.add(2, &[opentelemetry::KeyValue::new("http.route", "/orders")]);
//! # #[cfg(feature = "testing")]
//! openmetrics::assert_metric!(registry, "http_requests_total{http_route=\"/orders\"}" == 2);
//! # Ok::<(), openmetrics::Error>(())
//! ```

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::{
    self, AggregatedMetrics, ExponentialBucket, ExponentialHistogramDataPoint, HistogramDataPoint,
    MetricData, ResourceMetrics,
};
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};

use crate::error::Error;
use crate::format::Escaping;
use crate::instrument::exemplar::{CODE_POINTS_MAX, push_hex};
use crate::model::{
    ClassicBucket, Collected, Collector, CountsBuf, Descriptor, Emitter, Exemplar, Histogram, Label,
    LabelName, LabelSet, Metric, MetricFamily, MetricName, MetricPoint, MetricSet, MetricType, MetricValue,
    NativeBuckets, Number, Schema, Side, Span, Timestamp, Unit, merged_bucket,
};
use crate::registry::{CollectorId, Registry};

/// A reader of a meter provider that a registry collects: what the provider aggregates is read at each scrape.
///
/// Follows [OpenTelemetry's rules for Prometheus](https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/):
///
/// * **Names** get underscores for what is no letter or digit, and the unit in full at the end: `http.server.duration` in `s` is
///   `http_server_duration_seconds`. So do attributes, which become labels; two that become the same are joined with `;`.
/// * **Sums** that only rise are counters, others gauges. **Histograms** have classic buckets, exponential ones native buckets.
/// * **The scope** is in the labels `otel_scope_name` and `otel_scope_version`, see [`without_scopes`](Bridge::without_scopes).
/// * **The resource** is the info `target`, see [`without_target`](Bridge::without_target).
/// * **Exemplars** refer to their span with `trace_id` and `span_id`.
///
/// Points of delta temporality are not shown, for want of what they add to; the bridge asks for cumulative ones.
#[derive(Clone, Debug)]
pub struct Bridge {
    reader: Arc<ManualReader>,
    has_scopes: bool,
    has_target: bool,
}

impl Bridge {
    /// A bridge to give to a provider, `with_reader(bridge.clone())`, and to a registry, [`register`](Bridge::register).
    pub fn new() -> Self {
        Self { reader: Arc::new(ManualReader::builder().build()), has_scopes: true, has_target: true }
    }

    /// Leaves out the labels of the scope, which is the library that made the meter. Metrics of one name in two scopes then must not
    /// have the same attributes.
    #[must_use]
    pub fn without_scopes(mut self) -> Self {
        self.has_scopes = false;
        self
    }

    /// Leaves out `target_info`.
    #[must_use]
    pub fn without_target(mut self) -> Self {
        self.has_target = false;
        self
    }

    /// Has a registry show what the provider aggregates.
    ///
    /// # Errors
    ///
    /// None as yet; a registry may refuse a collector.
    pub fn register(self, registry: &Registry) -> Result<CollectorId, Error> {
        registry.register_collector("OpenTelemetry", self)
    }
}

impl Default for Bridge {
    fn default() -> Self {
        Self::new()
    }
}

impl MetricReader for Bridge {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.reader.register_pipeline(pipeline);
    }
    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.reader.collect(metrics)
    }
    fn force_flush(&self) -> OTelSdkResult {
        self.reader.force_flush()
    }
    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.reader.shutdown_with_timeout(timeout)
    }
    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.reader.temporality(kind)
    }
}

impl Collector for Bridge {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let mut metrics = ResourceMetrics::default();
        self.reader.collect(&mut metrics)?;
        let mut families = Families::default();
        if self.has_target {
            families.target(metrics.resource());
        }
        let mut scopes: Vec<_> = metrics.scope_metrics().collect();
        scopes.sort_by_key(|metrics| (metrics.scope().name(), metrics.scope().version()));
        for scope in scopes {
            let labels = if self.has_scopes { scope_labels(scope.scope()) } else { BTreeMap::new() };
            for metric in scope.metrics() {
                families.metric(metric, &labels);
            }
        }
        // The provider has no order, and a page that keeps its own is cheaper for scrapers and shorter in a diff.
        families.set.families.sort_by(|a, b| a.descriptor.name().as_str().cmp(b.descriptor.name().as_str()));
        for family in &mut families.set.families {
            family.metrics.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        Collector::collect(&families.set, out)
    }
}

/// The families of a page: metrics of one name in several scopes are one family.
#[derive(Default)]
struct Families {
    set: MetricSet,
    places: HashMap<String, usize>,
}

impl Families {
    fn target(&mut self, resource: &Resource) {
        let mut labels = BTreeMap::new();
        for (key, value) in resource {
            add_label(&mut labels, key.as_str(), &value.as_str());
        }
        if let Some(facts) = label_set(&labels).filter(|facts| !facts.is_empty()) {
            let descriptor =
                Descriptor::literal("target", MetricType::Info, "What this is, as its resource says.");
            self.add(descriptor, LabelSet::default(), MetricPoint::new(MetricValue::Info(facts)));
        }
    }

    fn metric(&mut self, metric: &data::Metric, scope: &BTreeMap<String, String>) {
        match metric.data() {
            AggregatedMetrics::F64(data) => self.data(metric, data, scope),
            AggregatedMetrics::U64(data) => self.data(metric, data, scope),
            AggregatedMetrics::I64(data) => self.data(metric, data, scope),
        }
    }

    fn data<T: Copy + Into<Number>>(
        &mut self,
        metric: &data::Metric,
        data: &MetricData<T>,
        scope: &BTreeMap<String, String>,
    ) {
        match data {
            MetricData::Gauge(gauge) => {
                let Some(descriptor) = descriptor(metric, MetricType::Gauge) else { return };
                for point in gauge.data_points() {
                    let value = MetricPoint::new(MetricValue::Number(point.value().into()));
                    self.point(&descriptor, scope, point.attributes(), value);
                }
            }
            MetricData::Sum(sum) if sum.temporality() == Temporality::Cumulative => {
                let rises = sum.is_monotonic();
                let metric_type = if rises { MetricType::Counter } else { MetricType::Gauge };
                let Some(descriptor) = descriptor(metric, metric_type) else { return };
                for point in sum.data_points() {
                    let mut value = MetricPoint::new(MetricValue::Number(point.value().into()));
                    if rises {
                        value.start = Some(timestamp(sum.start_time()));
                        value.exemplars = point.exemplars().last().and_then(exemplar).into_iter().collect();
                    }
                    self.point(&descriptor, scope, point.attributes(), value);
                }
            }
            MetricData::Histogram(histogram) if histogram.temporality() == Temporality::Cumulative => {
                let Some(descriptor) = descriptor(metric, MetricType::Histogram) else { return };
                for point in histogram.data_points() {
                    let mut value = MetricPoint::new(MetricValue::Histogram(Box::new(classic(point))));
                    value.start = Some(timestamp(histogram.start_time()));
                    value.exemplars = point.exemplars().filter_map(exemplar).collect();
                    self.point(&descriptor, scope, point.attributes(), value);
                }
            }
            MetricData::ExponentialHistogram(histogram)
                if histogram.temporality() == Temporality::Cumulative =>
            {
                let Some(descriptor) = descriptor(metric, MetricType::Histogram) else { return };
                for point in histogram.data_points() {
                    let mut value = MetricPoint::new(MetricValue::Histogram(Box::new(native(point))));
                    value.start = Some(timestamp(histogram.start_time()));
                    value.exemplars = point.exemplars().filter_map(exemplar).collect();
                    self.point(&descriptor, scope, point.attributes(), value);
                }
            }
            _ => {}
        }
    }

    fn point<'a>(
        &mut self,
        descriptor: &Descriptor,
        scope: &BTreeMap<String, String>,
        attributes: impl Iterator<Item = &'a KeyValue>,
        point: MetricPoint,
    ) {
        let mut labels = scope.clone();
        for attribute in attributes {
            add_label(&mut labels, attribute.key.as_str(), &attribute.value.as_str());
        }
        if let Some(labels) = label_set(&labels) {
            self.add(descriptor.clone(), labels, point);
        }
    }

    /// Adds a point to its family. A family that two types want stays the first one's, and the emitter says so of the other.
    fn add(&mut self, descriptor: Descriptor, labels: LabelSet, point: MetricPoint) {
        let families = &mut self.set.families;
        let place = self.places.get(descriptor.name().as_str()).copied();
        let place = place.filter(|&at| {
            families.get(at).is_some_and(|family| family.descriptor.metric_type() == descriptor.metric_type())
        });
        let place = place.unwrap_or_else(|| {
            self.places.entry(descriptor.name().to_string()).or_insert(families.len());
            families.push(MetricFamily { descriptor, metrics: Vec::new() });
            families.len() - 1
        });
        if let Some(family) = families.get_mut(place) {
            family.metrics.push(Metric { labels, points: vec![point] });
        }
    }
}

fn scope_labels(scope: &InstrumentationScope) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    if !scope.name().is_empty() {
        labels.insert("otel_scope_name".to_owned(), scope.name().to_owned());
    }
    if let Some(version) = scope.version() {
        labels.insert("otel_scope_version".to_owned(), version.to_owned());
    }
    for attribute in scope.attributes() {
        add_label(&mut labels, &format!("otel_scope_{}", attribute.key.as_str()), &attribute.value.as_str());
    }
    labels
}

fn add_label(labels: &mut BTreeMap<String, String>, key: &str, value: &str) {
    let name = Escaping::Underscores.label_name(key);
    // Underscores at the beginning are reserved.
    let name = if name.starts_with("__") { Cow::Owned(format!("key{name}")) } else { name };
    labels
        .entry(name.into_owned())
        .and_modify(|there| {
            there.push(';');
            there.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

fn label_set(labels: &BTreeMap<String, String>) -> Option<LabelSet> {
    let labels: Result<Vec<_>, Error> = labels
        .iter()
        .map(|(name, value)| Ok(Label::new(LabelName::new(name.clone())?, value.clone())))
        .collect();
    LabelSet::new(labels.ok()?).ok()
}

/// What a metric is called and is; `None` if it has no name that could be written.
fn descriptor(metric: &data::Metric, metric_type: MetricType) -> Option<Descriptor> {
    let unit = unit_in_full(metric.unit(), metric_type);
    let name = Escaping::Underscores.metric_name(metric.name());
    let name = name.trim_matches('_');
    let stem = name.strip_suffix("_total").filter(|_| metric_type == MetricType::Counter);
    let mut name = stem.unwrap_or(name).to_owned();
    if let Some(unit) = &unit {
        if !name.ends_with(&**unit) {
            name = format!("{name}_{unit}");
        }
    }
    let ends_in_unit =
        unit.as_ref().is_some_and(|unit| name.strip_suffix(&**unit).is_some_and(|n| n.ends_with('_')));
    let descriptor =
        Descriptor::new(MetricName::new(name).ok()?, metric_type).with_help(metric.description().to_owned());
    match unit.filter(|_| ends_in_unit).and_then(|unit| Unit::new(unit.into_owned()).ok()) {
        Some(unit) => Some(descriptor.with_unit(unit)),
        None => Some(descriptor),
    }
}

/// Units of UCUM and what Prometheus calls them.
const UNITS: [(&str, &str); 33] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tebibytes"),
    ("kBy", "kilobytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("bit", "bits"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("%", "percent"),
    ("K", "kelvins"),
    ("Pa", "pascals"),
    ("N", "newtons"),
    ("mol", "moles"),
    ("cd", "candelas"),
    ("lm", "lumens"),
];

/// The unit as it stands in a name: `By/s` is `bytes_per_second`, an annotation such as `{request}` is none, and `1` is a ratio where
/// something is measured and nothing where it is counted.
fn unit_in_full(unit: &str, metric_type: MetricType) -> Option<Cow<'static, str>> {
    let word = |part: &str| -> Option<Cow<'static, str>> {
        let part = part.split('{').next().unwrap_or_default().trim();
        if part.is_empty() || part == "1" {
            return None;
        }
        Some(match UNITS.iter().find(|(short, _)| *short == part) {
            Some((_, full)) => Cow::Borrowed(*full),
            None => Cow::Owned(Escaping::Underscores.label_name(part).trim_matches('_').to_owned()),
        })
    };
    if unit == "1" {
        return (metric_type == MetricType::Gauge).then_some(Cow::Borrowed("ratio"));
    }
    match unit.split_once('/') {
        Some((over, under)) => {
            let under = word(under)?;
            let under = under.strip_suffix('s').unwrap_or(&under);
            Some(match word(over) {
                Some(over) => Cow::Owned(format!("{over}_per_{under}")),
                None => Cow::Owned(format!("per_{under}")),
            })
        }
        None => word(unit).filter(|word| !word.is_empty()),
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    time.into()
}

fn classic<T: Copy + Into<Number>>(point: &HistogramDataPoint<T>) -> Histogram {
    let mut count = 0_u64;
    let buckets = point.bounds().zip(point.bucket_counts()).map(|(upper_bound, in_bucket)| {
        count += in_bucket;
        ClassicBucket { upper_bound, count: count.into() }
    });
    Histogram {
        classic: Some(buckets.filter(|bucket| bucket.upper_bound.is_finite()).collect()),
        count: point.count().into(),
        sum: Some(point.sum().into()),
        native: None,
    }
}

fn native<T: Copy + Into<Number>>(point: &ExponentialHistogramDataPoint<T>) -> Histogram {
    let scale = i32::from(point.scale());
    // Finer than any schema: neighbours are merged. Coarser than any: there are no buckets that could say it.
    let halvings = (scale - Schema::MAX.number()).max(0);
    let native = Schema::exponential(scale - halvings).map(|schema| NativeBuckets {
        schema,
        zero_threshold: point.zero_threshold(),
        zero_count: point.zero_count().into(),
        positive: side(point.positive_bucket(), halvings.unsigned_abs()),
        negative: side(point.negative_bucket(), halvings.unsigned_abs()),
        custom_bounds: Vec::new(),
    });
    Histogram { count: (point.count() as u64).into(), sum: Some(point.sum().into()), classic: None, native }
}

/// The buckets that are not empty. OpenTelemetry's bucket 0 begins at 1; the one of Prometheus that does has index 1.
fn side(buckets: &ExponentialBucket, halvings: u32) -> Side {
    let mut merged: BTreeMap<i32, u64> = BTreeMap::new();
    for (index, count) in (buckets.offset().saturating_add(1)..).zip(buckets.counts()) {
        if count > 0 {
            *merged.entry(merged_bucket(index, halvings)).or_default() += count;
        }
    }
    let (mut spans, mut counts): (Vec<Span>, Vec<u64>) = Default::default();
    let mut next = 0_i32;
    for (index, count) in merged {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(Span { offset: index.wrapping_sub(next), length: 1 }),
        }
        counts.push(count);
        next = index.saturating_add(1);
    }
    Side { spans, counts: CountsBuf::Integer(counts) }
}

/// An exemplar, without the attributes that would make it too long (OM1-EX-03); `None` if it refers to nothing.
fn exemplar<T: Copy + Into<Number>>(of: &data::Exemplar<T>) -> Option<Exemplar> {
    let mut labels = BTreeMap::new();
    let hex = |bytes: &[u8]| {
        let mut text = String::new();
        push_hex(bytes, &mut text);
        text
    };
    if of.trace_id().iter().any(|&byte| byte != 0) {
        labels.insert("trace_id".to_owned(), hex(of.trace_id()));
    }
    if of.span_id().iter().any(|&byte| byte != 0) {
        labels.insert("span_id".to_owned(), hex(of.span_id()));
    }
    for attribute in of.filtered_attributes() {
        let mut more = labels.clone();
        add_label(&mut more, attribute.key.as_str(), &attribute.value.as_str());
        let length: usize =
            more.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if length <= CODE_POINTS_MAX {
            labels = more;
        }
    }
    let labels = label_set(&labels).filter(|labels| !labels.is_empty())?;
    Some(Exemplar { labels, value: of.value.into(), timestamp: Some(timestamp(of.time())) })
}

#[cfg(test)]
mod tests {
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::{Aggregation, Instrument, SdkMeterProvider, Stream};

    use super::*;
    use crate::format::{Format, encode};

    fn provider(bridge: &Bridge) -> SdkMeterProvider {
        let exponential = |instrument: &Instrument| {
            let aggregation = Aggregation::Base2ExponentialHistogram {
                max_size: 160,
                max_scale: 20,
                record_min_max: false,
            };
            (instrument.name() == "exponential")
                .then(|| Stream::builder().with_aggregation(aggregation).build().unwrap())
        };
        SdkMeterProvider::builder()
            .with_reader(bridge.clone())
            .with_view(exponential)
            .with_resource(
                Resource::builder_empty().with_attribute(KeyValue::new("service.name", "shop")).build(),
            )
            .build()
    }

    fn page(registry: &Registry) -> String {
        let mut page = Vec::new();
        encode(registry, Format::OPENMETRICS_1_0, &mut page);
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn every_instrument_has_a_type_here() {
        let registry = Registry::new();
        let bridge = Bridge::new();
        let provider = provider(&bridge);
        bridge.register(&registry).unwrap();
        let meter =
            provider.meter_with_scope(InstrumentationScope::builder("lib").with_version("1.2").build());
        meter
            .u64_counter("http.requests")
            .with_description("Requests.")
            .build()
            .add(2, &[KeyValue::new("http.route", "/")]);
        meter.f64_up_down_counter("queue").with_unit("By").build().add(-1.5, &[]);
        meter.i64_gauge("level").with_unit("1").build().record(7, &[]);
        let took = meter.f64_histogram("took").with_unit("s").with_boundaries(vec![1.0, 2.0]).build();
        took.record(1.5, &[]);
        took.record(9.0, &[]);
        provider.meter("other").u64_counter("http.requests").build().add(1, &[]);
        assert_eq!(
            page(&registry),
            "# TYPE http_requests counter\n\
             # HELP http_requests Requests.\n\
             http_requests_total{http_route=\"/\",otel_scope_name=\"lib\",otel_scope_version=\"1.2\"} 2\n\
             http_requests_total{otel_scope_name=\"other\"} 1\n\
             # TYPE level_ratio gauge\n\
             # UNIT level_ratio ratio\n\
             level_ratio{otel_scope_name=\"lib\",otel_scope_version=\"1.2\"} 7\n\
             # TYPE queue_bytes gauge\n\
             # UNIT queue_bytes bytes\n\
             queue_bytes{otel_scope_name=\"lib\",otel_scope_version=\"1.2\"} -1.5\n\
             # TYPE target info\n\
             # HELP target What this is, as its resource says.\n\
             target_info{service_name=\"shop\"} 1\n\
             # TYPE took_seconds histogram\n\
             # UNIT took_seconds seconds\n\
             took_seconds_bucket{otel_scope_name=\"lib\",otel_scope_version=\"1.2\",le=\"1.0\"} 0\n\
             took_seconds_bucket{otel_scope_name=\"lib\",otel_scope_version=\"1.2\",le=\"2.0\"} 1\n\
             took_seconds_bucket{otel_scope_name=\"lib\",otel_scope_version=\"1.2\",le=\"+Inf\"} 2\n\
             took_seconds_count{otel_scope_name=\"lib\",otel_scope_version=\"1.2\"} 2\n\
             took_seconds_sum{otel_scope_name=\"lib\",otel_scope_version=\"1.2\"} 10.5\n\
             # EOF\n"
        );
    }

    /// Beside our own histogram of the same observations: the same buckets.
    #[test]
    fn exponential_buckets_are_native_ones() {
        let registry = Registry::new();
        let bridge = Bridge::new().without_scopes().without_target();
        let provider = provider(&bridge);
        bridge.register(&registry).unwrap();
        let theirs = provider.meter("m").f64_histogram("exponential").build();
        let finest = crate::instrument::Native::new().with_factor(1.002).with_max_buckets(None);
        let ours: crate::Histogram = registry.metric("ours", "").native(finest).register().unwrap();
        for n in 1..400 {
            let value = f64::from(n) * 0.731;
            theirs.record(value, &[]);
            ours.observe(value);
        }
        let (set, report) = MetricSet::collect_from(&registry);
        assert!(report.is_clean(), "{report:?}");
        let native = |name: &str| {
            let family = set.family(name).expect("it is there");
            let Some(MetricValue::Histogram(histogram)) =
                family.metrics.first().map(|metric| &metric.points[0].value)
            else {
                panic!("{name} is no histogram")
            };
            histogram.native.clone().expect("it has native buckets")
        };
        let (theirs, ours) = (native("exponential"), native("ours"));
        let halvings = (ours.schema.number() - theirs.schema.number()).unsigned_abs();
        let merged = |buckets: &NativeBuckets, halvings| {
            let mut merged: BTreeMap<i32, f64> = BTreeMap::new();
            for (index, count) in
                buckets.positive.borrow().buckets().filter(|(_, count)| count.as_f64() > 0.0)
            {
                *merged.entry(merged_bucket(index, halvings)).or_default() += count.as_f64();
            }
            merged
        };
        assert_eq!(merged(&theirs, 0), merged(&ours, halvings));
        assert_eq!(merged(&theirs, 0).values().sum::<f64>(), 399.0);
    }

    #[test]
    fn units_in_names() {
        let full = |unit| unit_in_full(unit, MetricType::Gauge).map(Cow::into_owned);
        for (unit, expected) in [
            ("s", Some("seconds")),
            ("By/s", Some("bytes_per_second")),
            ("{request}", None),
            ("{packet}/s", Some("per_second")),
            ("1", Some("ratio")),
            ("", None),
            ("furlong", Some("furlong")),
        ] {
            assert_eq!(full(unit).as_deref(), expected, "{unit}");
        }
        assert_eq!(unit_in_full("1", MetricType::Counter), None);
    }

    #[test]
    fn attributes_that_become_the_same_label_are_joined() {
        let mut labels = BTreeMap::new();
        for (key, value) in [("a.b", "1"), ("a_b", "2"), ("__name", "x"), ("1st", "y")] {
            add_label(&mut labels, key, value);
        }
        let labels = label_set(&labels).expect("all of them are label names");
        assert_eq!(labels.to_string(), r#"{_st="y",a_b="1;2",key__name="x"}"#);
    }

    #[test]
    fn a_provider_that_is_gone_is_a_collector_that_fails() {
        let registry = Registry::new();
        let bridge = Bridge::new();
        let provider = provider(&bridge);
        bridge.register(&registry).unwrap();
        provider.shutdown().unwrap();
        let (_, report) = MetricSet::collect_from(&registry);
        assert_eq!(report.failures().count(), 1);
    }
}
