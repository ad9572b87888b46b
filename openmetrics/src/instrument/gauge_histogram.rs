//! Gauge histograms: how the things that are here now are distributed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bounds::Bounds;
use super::distribution::{Custom, SideReading};
use super::histogram::{DEFAULT_BUCKETS, check_bounds};
use super::options::refused;
use super::slot::Slot;
use super::{Cell, Options, handle};
use crate::error::Error;
use crate::model::{
    ClassicBucket, FamilyEmitter, HistogramValue, Labels, MetricType, NativeBucketsRef, Number, Point,
    Schema, Timestamp, Value,
};

/// How the things that are here now are distributed: sizes of the files in a cache, ages of the jobs in a queue
/// ([gauge histogram](https://prometheus.io/docs/specs/om/open_metrics_spec/#gaugehistogram)).
///
/// Unlike those of a [`Histogram`](super::Histogram), its counts go down: what leaves is [removed](GaugeHistogramCell::remove). It has the
/// same buckets, classic and native.
///
/// ```
/// use openmetrics::instrument::GaugeHistogram;
/// use openmetrics::registry::Registry;
///
/// let registry = Registry::new();
/// let cached: GaugeHistogram =
///     registry.metric("cache_files_bytes", "Sizes of the files that are cached.").buckets([1e3, 1e6]).register()?;
/// cached.add(500.0);
/// cached.add(2e6);
/// cached.remove(500.0);
/// assert_eq!((cached.count(), cached.sum()), (1, 2e6));
///
/// cached.set([10.0, 20.0, 30.0]); // or all at once, as they were found
/// assert_eq!(cached.count(), 3);
/// # Ok::<(), openmetrics::Error>(())
/// ```
pub struct GaugeHistogram(Slot<GaugeHistogramCell>);

handle!(GaugeHistogram, GaugeHistogramCell, MetricType::GaugeHistogram);

impl fmt::Debug for GaugeHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GaugeHistogram").field("count", &self.count()).field("sum", &self.sum()).finish()
    }
}

/// What a [`GaugeHistogram`] counts in. Changes take a lock: things come and go less often than events happen.
pub struct GaugeHistogramCell {
    shape: Arc<Shape>,
    here: Mutex<Here>,
}

/// What all gauge histograms of a family have in common.
pub struct Shape {
    bounds: Bounds,
    native: Option<(Schema, f64)>,
    /// Whether the classic buckets are shown as native ones, too.
    is_custom: bool,
}

#[derive(Default)]
struct Here {
    count: u64,
    sum: f64,
    /// How many are in each classic bucket, that of `+Inf` among them.
    classic: Vec<u64>,
    zero: u64,
    /// Whether below zero, and the index.
    native: BTreeMap<(bool, i32), u64>,
}

impl Here {
    fn change(&mut self, shape: &Shape, value: f64, comes: bool) {
        let step = |count: u64| if comes { count + 1 } else { count.saturating_sub(1) };
        let Some(bucket) = self.classic.get_mut(shape.bounds.index_of(value)) else { return };
        if !comes && *bucket == 0 {
            return; // it was never here
        }
        *bucket = step(*bucket);
        self.count = step(self.count);
        // An empty place weighs nothing, whatever rounding has left.
        self.sum = match (self.count, comes) {
            (0, _) => 0.0,
            (_, true) => self.sum + value,
            (_, false) => self.sum - value,
        };
        let Some((schema, threshold)) = shape.native else { return };
        if value.is_nan() {
            return; // no native bucket has it (NH-22)
        }
        if value.abs() <= threshold {
            self.zero = step(self.zero);
            return;
        }
        let place = (value < 0.0, schema.index_of(value.abs()));
        let bucket = self.native.entry(place).or_default();
        *bucket = step(*bucket);
        if *bucket == 0 {
            self.native.remove(&place);
        }
    }

    fn empty(shape: &Shape) -> Self {
        Self { classic: vec![0; shape.bounds.upper().len() + 1], ..Self::default() }
    }
}

impl GaugeHistogramCell {
    /// Something of this size is here now.
    pub fn add(&self, value: f64) {
        self.here().change(&self.shape, value, true);
    }

    /// Something of this size is here no more. It has to be the size that it was added with; what was never added is ignored.
    pub fn remove(&self, value: f64) {
        self.here().change(&self.shape, value, false);
    }

    /// These are here, and nothing else.
    pub fn set(&self, values: impl IntoIterator<Item = f64>) {
        let mut here = Here::empty(&self.shape);
        for value in values {
            here.change(&self.shape, value, true);
        }
        *self.here() = here;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.here().count
    }

    /// Their sum.
    pub fn sum(&self) -> f64 {
        self.here().sum
    }

    fn here(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a gauge histogram said at one moment.
#[derive(Default)]
pub struct GaugeHistogramReading {
    count: u64,
    sum: f64,
    zero: u64,
    classic: Vec<ClassicBucket>,
    native: Option<(Schema, f64)>,
    positive: SideReading,
    negative: SideReading,
    custom: Option<Custom>,
}

impl Cell for GaugeHistogramCell {
    type Shape = Arc<Shape>;
    type Reading = GaugeHistogramReading;
    type Near = ();

    fn shape(options: &Options) -> Result<Arc<Shape>, Error> {
        let bounds = options.buckets.as_deref().unwrap_or(&DEFAULT_BUCKETS);
        check_bounds(bounds)?;
        let native = options.native.clone().or_else(|| (!options.without_native).then(Default::default));
        let native = native.map(|native| {
            let schema = Schema::for_factor(native.factor).ok_or_else(|| {
                refused("NH-26", format!("buckets cannot grow by a factor of {}", native.factor))
            })?;
            Ok::<_, Error>((schema, native.zero_threshold))
        });
        Ok(Arc::new(Shape {
            bounds: Bounds::new(bounds),
            native: native.transpose()?,
            is_custom: options.custom_buckets,
        }))
    }

    fn new(shape: &Arc<Shape>) -> Self {
        Self { shape: Arc::clone(shape), here: Mutex::new(Here::empty(shape)) }
    }

    fn clear(&self) {
        self.set([]);
    }

    fn near(&self) {}

    fn read(&self, into: &mut GaugeHistogramReading) {
        let here = self.here();
        (into.count, into.sum, into.zero) = (here.count, here.sum, here.zero);
        into.classic.clear();
        let mut count = 0;
        for (&upper_bound, in_bucket) in self.shape.bounds.upper().iter().zip(&here.classic) {
            count += in_bucket;
            into.classic.push(ClassicBucket { upper_bound, count: count.into() });
        }
        into.native = self.shape.native;
        if self.shape.is_custom {
            let custom = into.custom.get_or_insert_default();
            custom.read(self.shape.bounds.upper(), here.classic.iter().copied());
        } else {
            into.custom = None;
        }
        into.positive.clear();
        into.negative.clear();
        let (mut above, mut below) = (0, 0);
        for (&(is_negative, index), &count) in &here.native {
            if is_negative {
                into.negative.push(index, count, &mut below);
            } else {
                into.positive.push(index, count, &mut above);
            }
        }
    }

    fn emit(
        reading: &GaugeHistogramReading,
        _: Option<Timestamp>,
        labels: &Labels<'_>,
        out: &mut FamilyEmitter<'_>,
    ) {
        let mut histogram = HistogramValue::new(reading.count, Some(Number::Float(reading.sum)))
            .with_classic(&reading.classic);
        if let Some((schema, zero_threshold)) = reading.native {
            histogram = histogram.with_native(NativeBucketsRef {
                schema,
                zero_threshold,
                zero_count: reading.zero.into(),
                positive: reading.positive.borrow(),
                negative: reading.negative.borrow(),
                custom_bounds: &[],
            });
        } else if let Some(custom) = &reading.custom {
            histogram = histogram.with_native(custom.borrow());
        }
        out.point(*labels, Point::from(Value::Histogram(&histogram)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, encode};
    use crate::registry::Registry;

    fn page(registry: &Registry, format: Format) -> String {
        let mut page = Vec::new();
        let report = encode(registry, format, &mut page);
        assert!(report.is_clean(), "{report:?}");
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn things_come_and_go() {
        let registry = Registry::new();
        let sizes: GaugeHistogram =
            registry.metric("sizes", "Sizes.").buckets([1.0, 8.0]).register().unwrap();
        for value in [0.5, 4.0, 4.0, 9.0, -2.0, 0.0] {
            sizes.add(value);
        }
        for value in [4.0, 9.0, 100.0] {
            sizes.remove(value); // there is no third above 8
        }
        assert_eq!((sizes.count(), sizes.sum()), (4, 2.5));
        assert_eq!(
            page(&registry, Format::OPENMETRICS_1_0),
            "# TYPE sizes gaugehistogram\n\
             # HELP sizes Sizes.\n\
             sizes_bucket{le=\"1.0\"} 3\n\
             sizes_bucket{le=\"8.0\"} 4\n\
             sizes_bucket{le=\"+Inf\"} 4\n\
             sizes_gcount 4\n\
             sizes_gsum 2.5\n\
             # EOF\n"
        );
        let native = page(&registry, Format::OPENMETRICS_2_0);
        assert!(native.contains("zero_count:1"), "{native}");
        sizes.set([]);
        assert_eq!((sizes.count(), sizes.sum()), (0, 0.0));
    }

    #[test]
    fn what_was_never_here_does_not_leave() {
        let registry = Registry::new();
        let sizes: GaugeHistogram = registry.metric("sizes", "Sizes.").register().unwrap();
        sizes.remove(3.0);
        assert_eq!((sizes.count(), sizes.sum()), (0, 0.0));
        sizes.add(f64::NAN);
        assert_eq!(sizes.count(), 1);
        sizes.remove(f64::NAN);
        assert_eq!((sizes.count(), sizes.sum()), (0, 0.0));
    }
}
