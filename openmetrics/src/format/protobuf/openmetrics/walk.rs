//! Reading a `MetricSet`: a walk over the bytes that borrows from them and builds no tree.

use super::super::parts::{self, ExemplarKeys, ExemplarRules, Exemplars, Owner, Pair, Stamp};
use super::super::visit::{Family, Finding, Place, Visitor};
use super::super::wire::{BYTES, FIXED64, Fault, Message, VARINT, key};
use super::schema::{
    self, bucket, counter, exemplar, gauge, histogram, info, metric, metric_family, metric_point, metric_set,
    quantile, state, state_set, summary,
};
use crate::Error;
use crate::format::text::{Dialect, check_classic, check_counter, check_summary};
use crate::model::{
    ClassicBucket, HistogramValue, Labels, MetricType, Naming, Number, Point, Quantile, Refusal, State,
    SummaryValue, Timestamp, Value, is_classic_label_name, is_classic_metric_name, unit_is_suffix,
};

/// Walks over a whole `MetricSet` and hands what it finds to `visitor`, as
/// [`prometheus::walk`](super::super::prometheus::walk) does.
///
/// Checked are lengths, UTF-8, and the rules of a single point (OM1-PB-02 to OM1-PB-07 and those for the data model);
/// that families and label sets are unique is for the visitor.
pub fn walk<V: Visitor + ?Sized>(bytes: &[u8], visitor: &mut V) -> Result<(), Error> {
    walk_with(bytes, false, visitor)
}

/// The same; names beyond the classic grammar, which OpenMetrics 1.0 does not have, are findings unless they are
/// allowed.
pub(super) fn walk_with<V: Visitor + ?Sized>(
    bytes: &[u8],
    utf8_names: bool,
    visitor: &mut V,
) -> Result<(), Error> {
    const FAMILIES: u32 = key(metric_set::FAMILIES, BYTES);
    let mut walker = Walker { visitor, utf8_names, buffers: Buffers::default() };
    let mut input = Message::new(bytes);
    loop {
        let offset = input.offset();
        let key = match input.key() {
            Ok(Some(key)) => key,
            Ok(None) => return Ok(()),
            Err(fault) => return walker.visitor.finding(fault_finding(fault)),
        };
        let body = if key == FAMILIES {
            input.message()
        } else {
            match input.skip(key, metric_set::KNOWN) {
                Ok(()) => continue,
                Err(fault) => Err(fault),
            }
        };
        match body {
            Ok(body) => walker.family(body, offset)?,
            // Without this length there is no next one.
            Err(fault) => return walker.visitor.finding(fault_finding(fault)),
        }
    }
}

const EXEMPLAR: ExemplarKeys =
    parts::exemplar_keys(exemplar::LABEL, exemplar::VALUE, exemplar::TIMESTAMP, exemplar::KNOWN);
const EXEMPLAR_RULES: ExemplarRules =
    ExemplarRules { timestamp: "OM1-PB-04", labels: "OM1-EX-04", length: Some("OM1-EX-03") };

fn fault_finding(fault: Fault) -> Finding {
    Finding::from_fault(fault, "OM1-PB-02", "OM1-PB-03")
}

struct Walker<'a, 'v, V: ?Sized> {
    visitor: &'v mut V,
    utf8_names: bool,
    buffers: Buffers<'a>,
}

impl<'a, V: Visitor + ?Sized> Walker<'a, '_, V> {
    fn family(&mut self, body: Message<'a>, offset: usize) -> Result<(), Error> {
        const METRICS: u32 = key(metric_family::METRICS, BYTES);
        let (family, type_number) = match read_head(body, offset) {
            Ok(head) => head,
            Err(fault) => return self.visitor.finding(fault_finding(fault)),
        };
        let is_named = !family.name.is_empty();
        if is_named {
            self.check_family(&family, type_number)?;
            self.visitor.family(&family)?;
        } else {
            self.visitor.finding(Finding::new("OM1-PB-06", offset, "a family has no name"))?;
        }
        let mut rest = body;
        // Its keys and lengths have been seen to be right.
        while let Ok(Some(key)) = rest.key() {
            let place = rest.offset();
            if key != METRICS {
                if rest.skip(key, 0).is_err() {
                    break;
                }
            } else if let Ok(message) = rest.message() {
                self.metric(&family, is_named, message, place)?;
            }
        }
        Ok(())
    }

    fn check_family(&mut self, family: &Family<'_>, type_number: i32) -> Result<(), Error> {
        let Family { name, unit, metric_type, offset, .. } = *family;
        let mut find = |rule, message| self.visitor.finding(Finding::new(rule, offset, message));
        if schema::type_of(type_number).is_none() {
            find("OM1-PB-05", format!("family {name:?} has type {type_number}, which is not defined"))?;
        }
        if !self.utf8_names && !is_classic_metric_name(name) {
            find("OM1-SYN-07", format!("{name:?} is not a metric name"))?;
        }
        if name.starts_with('_') {
            find("OM1-FAM-02", format!("names that begin with an underscore, as {name:?}, are reserved"))?;
        }
        if !unit.is_empty() {
            match metric_type {
                MetricType::Info => find("OM1-INF-03", format!("info {name:?} has a unit"))?,
                MetricType::StateSet => find("OM1-SS-06", format!("stateset {name:?} has a unit"))?,
                _ if !unit_is_suffix(name, unit) => {
                    find("OM1-FAM-11", format!("the name {name:?} does not end in its unit {unit:?}"))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn metric(
        &mut self,
        family: &Family<'_>,
        is_named: bool,
        message: Message<'a>,
        offset: usize,
    ) -> Result<(), Error> {
        const POINTS: u32 = key(metric::POINTS, BYTES);
        let points = match self.buffers.labels(message) {
            Ok(points) => points,
            Err(fault) => return self.visitor.finding(fault_finding(fault)),
        };
        if is_named {
            self.check_labels(family, offset)?;
            if points == 0 {
                self.visitor.finding(Finding::new("OM1-PB-06", offset, "a metric has no points"))?;
            }
        }
        let mut rest = message;
        let mut continues = false;
        while let Ok(Some(key)) = rest.key() {
            if key != POINTS {
                if rest.skip(key, 0).is_err() {
                    break;
                }
                continue;
            }
            let Ok(message) = rest.message() else { break };
            let at = message.offset();
            match self.buffers.point(message) {
                Ok(raw) if is_named => {
                    let place = Place { offset, continues };
                    continues |= self.point(family, &raw, place, at)?;
                }
                Ok(_) => {}
                Err(fault) => self.visitor.finding(fault_finding(fault))?,
            }
        }
        Ok(())
    }

    fn check_labels(&mut self, family: &Family<'_>, offset: usize) -> Result<(), Error> {
        let Self { visitor, utf8_names, buffers: Buffers { labels, names, .. } } = self;
        let mut find = |rule, message| visitor.finding(Finding::new(rule, offset, message));
        if labels.iter().any(|(name, _)| name.is_empty()) {
            find("OM1-PB-06", "a label has no name".to_owned())?;
        }
        for (name, _) in labels.iter().filter(|(name, _)| !name.is_empty()) {
            if !*utf8_names && !is_classic_label_name(name) {
                find("OM1-SYN-08", format!("{name:?} is not a label name"))?;
            }
            if family.metric_type == MetricType::StateSet && *name == family.name {
                find("OM1-SS-05", format!("label {name:?} is called as the states are"))?;
            }
            let rule = match (*name, family.metric_type) {
                ("le", MetricType::Histogram) => "OM1-HIS-14",
                ("le", MetricType::GaugeHistogram) => "OM1-GHI-07",
                ("quantile", MetricType::Summary) => "OM1-SUM-07",
                (name, _) if name.starts_with('_') => "OM1-LAB-01",
                _ => continue,
            };
            find(rule, format!("label name {name:?} is reserved"))?;
        }
        match parts::repeated_name(labels, names) {
            Some(name) => find("OM1-LAB-02", format!("label {name:?} is given twice")),
            None => Ok(()),
        }
    }

    /// Judges a point and hands it out; says whether it did.
    fn point(&mut self, family: &Family<'_>, raw: &RawPoint, place: Place, at: usize) -> Result<bool, Error> {
        let Self { visitor, buffers, .. } = self;
        let Buffers { labels, names, facts, exemplars, states, quantiles, classic } = buffers;
        let find = |rule, message: String| Finding::new(rule, at, message);
        let expected = schema::value_field(family.metric_type);
        if raw.variant == 0 {
            visitor.finding(find("OM1-PB-06", "a point has no value".to_owned()))?;
            return Ok(false);
        }
        if raw.variant != expected {
            let message = format!("a point of a {} has the value of another type", family.metric_type);
            visitor.finding(find("OM1-PB-05", message))?;
            return Ok(false);
        }
        let mut time = |stamp: Option<Stamp>| match stamp.map(|stamp| stamp.timestamp("OM1-PB-04")) {
            Some(Err(finding)) => visitor.finding(finding).map(|()| None),
            Some(Ok(time)) => Ok(Some(time)),
            None => Ok::<Option<Timestamp>, Error>(None),
        };
        let (timestamp, start) = (time(raw.timestamp)?, time(raw.created)?);
        exemplars.findings(&EXEMPLAR_RULES, names, |finding| visitor.finding(finding))?;
        if let Some(at) = raw.misplaced_exemplar {
            let message = "an exemplar's value is above the bound of its bucket";
            visitor.finding(Finding::new("OM1-EX-05", at, message))?;
        }
        let (histogram, summary);
        let mut refused: Result<(), Refusal> = Ok(());
        let value = match family.metric_type {
            MetricType::Gauge | MetricType::Unknown | MetricType::Counter => {
                let Some(number) = raw.number else {
                    visitor.finding(find("OM1-PB-06", "a value has no number".to_owned()))?;
                    return Ok(false);
                };
                if family.metric_type == MetricType::Counter {
                    refused = check_counter(number, Dialect::OpenMetrics1);
                }
                Value::Number(number)
            }
            MetricType::StateSet => {
                names.clear();
                names.extend(states.iter().map(|state| state.name));
                names.sort_unstable();
                if let Some(&[name, _]) = names.windows(2).find(|pair| pair.first() == pair.last()) {
                    refused = Err(Refusal::new("OM1-SS-03", format!("state {name:?} is given twice")));
                } else if names.first().is_some_and(|name| name.is_empty()) {
                    refused = Err(Refusal::new("OM1-PB-06", "a state has no name"));
                }
                Value::StateSet(states)
            }
            MetricType::Info => {
                let is_label = |name: &&str| labels.iter().any(|(label, _)| label == name);
                if let Some(name) = parts::repeated_name(facts, names) {
                    refused = Err(Refusal::new("OM1-LAB-02", format!("label {name:?} is given twice")));
                } else if let Some(name) = facts.iter().map(|(name, _)| *name).find(is_label) {
                    let message = format!("{name:?} is a label of the info and of its metric");
                    refused = Err(Refusal::new("OM1-INF-04", message));
                } else if facts.iter().any(|(name, _)| name.is_empty()) {
                    refused = Err(Refusal::new("OM1-PB-06", "a label has no name"));
                }
                Value::Info(Labels::new(facts))
            }
            MetricType::Histogram | MetricType::GaugeHistogram => {
                let gauge = family.metric_type == MetricType::GaugeHistogram;
                let value = HistogramValue::new(raw.infinite.unwrap_or(raw.count), raw.number);
                histogram = value.with_classic(classic);
                refused = raw.check_histogram(gauge, classic, &histogram);
                Value::Histogram(&histogram)
            }
            MetricType::Summary => {
                // The third version of protobuf cannot tell no count from none counted.
                let count = (raw.count > 0 || raw.number.is_some()).then_some(raw.count);
                summary = SummaryValue::new(count.map(Number::Unsigned), raw.number, quantiles);
                refused = check_summary(Dialect::OpenMetrics1, &summary);
                Value::Summary(&summary)
            }
        };
        if let Err(refusal) = refused {
            visitor.finding(find(refusal.rule(), refusal.message().to_owned()))?;
        }
        let labels = Labels::new(labels);
        let point = Point::new(value).at(timestamp).started(start);
        exemplars.with_refs(|refs| visitor.point(&labels, &point.with_exemplars(refs), place))?;
        Ok(true)
    }
}

/// What a family says of itself, and the number of its type. The metrics are passed over.
fn read_head(mut body: Message<'_>, offset: usize) -> Result<(Family<'_>, i32), Fault> {
    const NAME: u32 = key(metric_family::NAME, BYTES);
    const TYPE: u32 = key(metric_family::TYPE, VARINT);
    const UNIT: u32 = key(metric_family::UNIT, BYTES);
    const HELP: u32 = key(metric_family::HELP, BYTES);
    const METRICS: u32 = key(metric_family::METRICS, BYTES);
    let mut family = Family {
        name: "",
        metric_type: MetricType::Unknown,
        naming: Naming::Standard,
        help: "",
        unit: "",
        offset,
    };
    let mut type_number = 0;
    while let Some(key) = body.key()? {
        match key {
            METRICS => drop(body.message()?),
            NAME => family.name = body.string()?,
            TYPE => type_number = body.varint()? as i32,
            UNIT => family.unit = body.string()?,
            HELP => family.help = body.string()?,
            other => body.skip(other, metric_family::KNOWN)?,
        }
    }
    family.metric_type = schema::type_of(type_number).unwrap_or_default();
    Ok((family, type_number))
}

/// What the parts of a metric and one point are collected in; used again for the next.
#[derive(Default)]
struct Buffers<'a> {
    labels: Vec<Pair<'a>>,
    names: Vec<&'a str>,
    facts: Vec<Pair<'a>>,
    exemplars: Exemplars<'a>,
    states: Vec<State<'a>>,
    quantiles: Vec<Quantile>,
    classic: Vec<ClassicBucket>,
}

/// The single values of one point, before they are judged.
#[derive(Default)]
struct RawPoint {
    /// The number of the field that has the value; the last one given counts.
    variant: u32,
    /// The value, or the sum.
    number: Option<Number>,
    count: u64,
    created: Option<Stamp>,
    timestamp: Option<Stamp>,
    has_buckets: bool,
    /// The count of the bucket `+Inf`.
    infinite: Option<u64>,
    /// A bucket follows that of `+Inf`.
    beyond: bool,
    /// Where an exemplar lies above its bucket's bound.
    misplaced_exemplar: Option<usize>,
}

impl<'a> Buffers<'a> {
    /// Reads the labels of a metric, and counts its points.
    fn labels(&mut self, mut message: Message<'a>) -> Result<usize, Fault> {
        const LABELS: u32 = key(metric::LABELS, BYTES);
        const POINTS: u32 = key(metric::POINTS, BYTES);
        self.labels.clear();
        parts::label_row(&mut message, &mut self.labels);
        let mut points = 0;
        while let Some(key) = message.key()? {
            match key {
                LABELS => self.labels.push(parts::label(message.message()?)?),
                POINTS => {
                    message.message()?;
                    points += 1;
                }
                other => message.skip(other, metric::KNOWN)?,
            }
        }
        Ok(points)
    }

    fn clear_values(&mut self) {
        self.facts.clear();
        self.exemplars.clear();
        self.states.clear();
        self.quantiles.clear();
        self.classic.clear();
    }

    fn point(&mut self, mut message: Message<'a>) -> Result<RawPoint, Fault> {
        const FIRST: u32 = key(metric_point::UNKNOWN, BYTES);
        const LAST: u32 = key(metric_point::SUMMARY, BYTES);
        const TIMESTAMP: u32 = key(metric_point::TIMESTAMP, BYTES);
        self.clear_values();
        let mut raw = RawPoint::default();
        while let Some(key) = message.key()? {
            if key == TIMESTAMP {
                Stamp::read(message.message()?, &mut raw.timestamp)?;
                continue;
            }
            if key & 7 != BYTES || !(FIRST..=LAST).contains(&key) {
                message.skip(key, metric_point::KNOWN)?;
                continue;
            }
            let variant = key >> 3;
            // One of several values: another one replaces it, the same one again is merged.
            if raw.variant != variant {
                self.clear_values();
                raw = RawPoint { variant, timestamp: raw.timestamp, ..RawPoint::default() };
            }
            let value = message.message()?;
            match variant {
                metric_point::UNKNOWN | metric_point::GAUGE => read_gauge(value, &mut raw)?,
                metric_point::COUNTER => self.counter(value, &mut raw)?,
                metric_point::HISTOGRAM => self.histogram(value, &mut raw)?,
                metric_point::STATE_SET => self.state_set(value)?,
                metric_point::INFO => self.info(value)?,
                _ => self.summary(value, &mut raw)?,
            }
        }
        Ok(raw)
    }

    fn counter(&mut self, mut message: Message<'a>, raw: &mut RawPoint) -> Result<(), Fault> {
        const DOUBLE: u32 = key(counter::DOUBLE, FIXED64);
        const INT: u32 = key(counter::INT, VARINT);
        const CREATED: u32 = key(counter::CREATED, BYTES);
        const EXEMPLAR_FIELD: u32 = key(counter::EXEMPLAR, BYTES);
        while let Some(key) = message.key()? {
            match key {
                DOUBLE => raw.number = Some(message.double()?.into()),
                INT => raw.number = Some(message.varint()?.into()),
                CREATED => Stamp::read(message.message()?, &mut raw.created)?,
                EXEMPLAR_FIELD => {
                    let merge = !self.exemplars.is_empty();
                    self.exemplars.read(message.message()?, &EXEMPLAR, Owner::Value, merge)?;
                }
                other => message.skip(other, counter::KNOWN)?,
            }
        }
        Ok(())
    }

    fn histogram(&mut self, mut message: Message<'a>, raw: &mut RawPoint) -> Result<(), Fault> {
        const SUM_DOUBLE: u32 = key(histogram::SUM_DOUBLE, FIXED64);
        const SUM_INT: u32 = key(histogram::SUM_INT, VARINT);
        const COUNT: u32 = key(histogram::COUNT, VARINT);
        const CREATED: u32 = key(histogram::CREATED, BYTES);
        const BUCKETS: u32 = key(histogram::BUCKETS, BYTES);
        while let Some(key) = message.key()? {
            match key {
                BUCKETS => self.bucket(message.message()?, raw)?,
                SUM_DOUBLE => raw.number = Some(message.double()?.into()),
                SUM_INT => raw.number = Some((message.varint()? as i64).into()),
                COUNT => raw.count = message.varint()?,
                CREATED => Stamp::read(message.message()?, &mut raw.created)?,
                other => message.skip(other, histogram::KNOWN)?,
            }
        }
        Ok(())
    }

    fn bucket(&mut self, mut message: Message<'a>, raw: &mut RawPoint) -> Result<(), Fault> {
        const COUNT: u32 = key(bucket::COUNT, VARINT);
        const UPPER_BOUND: u32 = key(bucket::UPPER_BOUND, FIXED64);
        const EXEMPLAR_FIELD: u32 = key(bucket::EXEMPLAR, BYTES);
        let offset = message.offset();
        let (mut count, mut upper_bound, mut merge) = (0, 0.0, false);
        while let Some(key) = message.key()? {
            match key {
                COUNT => count = message.varint()?,
                UPPER_BOUND => upper_bound = message.double()?,
                EXEMPLAR_FIELD => {
                    self.exemplars.read(message.message()?, &EXEMPLAR, Owner::Value, merge)?;
                    merge = true;
                }
                other => message.skip(other, bucket::KNOWN)?,
            }
        }
        raw.has_buckets = true;
        raw.beyond |= raw.infinite.is_some();
        if merge && self.exemplars.last_value() > Some(upper_bound) {
            raw.misplaced_exemplar.get_or_insert(offset);
        }
        if upper_bound == f64::INFINITY {
            raw.infinite = Some(count);
        } else {
            self.classic.push(ClassicBucket { upper_bound, count: Number::Unsigned(count) });
        }
        Ok(())
    }

    fn state_set(&mut self, mut message: Message<'a>) -> Result<(), Fault> {
        const STATES: u32 = key(state_set::STATES, BYTES);
        while let Some(key) = message.key()? {
            match key {
                STATES => self.states.push(read_state(message.message()?)?),
                other => message.skip(other, state_set::KNOWN)?,
            }
        }
        Ok(())
    }

    fn info(&mut self, mut message: Message<'a>) -> Result<(), Fault> {
        const INFO: u32 = key(info::INFO, BYTES);
        while let Some(key) = message.key()? {
            match key {
                INFO => self.facts.push(parts::label(message.message()?)?),
                other => message.skip(other, info::KNOWN)?,
            }
        }
        Ok(())
    }

    fn summary(&mut self, mut message: Message<'a>, raw: &mut RawPoint) -> Result<(), Fault> {
        const SUM_DOUBLE: u32 = key(summary::SUM_DOUBLE, FIXED64);
        const SUM_INT: u32 = key(summary::SUM_INT, VARINT);
        const COUNT: u32 = key(summary::COUNT, VARINT);
        const CREATED: u32 = key(summary::CREATED, BYTES);
        const QUANTILE: u32 = key(summary::QUANTILE, BYTES);
        while let Some(key) = message.key()? {
            match key {
                SUM_DOUBLE => raw.number = Some(message.double()?.into()),
                SUM_INT => raw.number = Some((message.varint()? as i64).into()),
                COUNT => raw.count = message.varint()?,
                CREATED => Stamp::read(message.message()?, &mut raw.created)?,
                QUANTILE => self.quantiles.push(read_quantile(message.message()?)?),
                other => message.skip(other, summary::KNOWN)?,
            }
        }
        Ok(())
    }
}

/// `GaugeValue` and `UnknownValue`.
fn read_gauge(mut message: Message<'_>, raw: &mut RawPoint) -> Result<(), Fault> {
    const DOUBLE: u32 = key(gauge::DOUBLE, FIXED64);
    const INT: u32 = key(gauge::INT, VARINT);
    while let Some(key) = message.key()? {
        match key {
            DOUBLE => raw.number = Some(message.double()?.into()),
            INT => raw.number = Some((message.varint()? as i64).into()),
            other => message.skip(other, gauge::KNOWN)?,
        }
    }
    Ok(())
}

fn read_state(mut message: Message<'_>) -> Result<State<'_>, Fault> {
    const ENABLED: u32 = key(state::ENABLED, VARINT);
    const NAME: u32 = key(state::NAME, BYTES);
    let mut state = State { name: "", enabled: false };
    while let Some(key) = message.key()? {
        match key {
            ENABLED => state.enabled = message.varint()? != 0,
            NAME => state.name = message.string()?,
            other => message.skip(other, state::KNOWN)?,
        }
    }
    Ok(state)
}

fn read_quantile(mut message: Message<'_>) -> Result<Quantile, Fault> {
    const QUANTILE: u32 = key(quantile::QUANTILE, FIXED64);
    const VALUE: u32 = key(quantile::VALUE, FIXED64);
    let (mut quantile, mut value) = (0.0, 0.0);
    while let Some(key) = message.key()? {
        match key {
            QUANTILE => quantile = message.double()?,
            VALUE => value = message.double()?,
            other => message.skip(other, quantile::KNOWN)?,
        }
    }
    Ok(Quantile { quantile, value: Number::Float(value) })
}

impl RawPoint {
    /// The rules of buckets that the shared check does not see, then that.
    fn check_histogram(
        &self,
        gauge: bool,
        classic: &[ClassicBucket],
        histogram: &HistogramValue<'_>,
    ) -> Result<(), Refusal> {
        let broken = |histogram, gauge_histogram, message: &'static str| {
            Err(Refusal::new(if gauge { gauge_histogram } else { histogram }, message))
        };
        let Some(infinite) = self.infinite else {
            return if self.has_buckets {
                broken("OM1-HIS-02", "OM1-GHI-01", "there is no bucket for +Inf")
            } else {
                broken("OM1-HIS-01", "OM1-GHI-01", "there are no buckets")
            };
        };
        if self.beyond {
            return broken("OM1-HIS-05", "OM1-GHI-02", "a bucket follows that for +Inf");
        }
        // Without a sum the count may be left out, and then it is zero on the wire.
        if self.count != infinite && (self.count > 0 || self.number.is_some()) {
            return broken("OM1-HIS-12", "OM1-GHI-06", "the count is not that of bucket +Inf");
        }
        check_classic(Dialect::OpenMetrics1, gauge, classic, histogram)?;
        let below_zero = classic.first().is_some_and(|bucket| bucket.upper_bound < 0.0);
        if below_zero && self.number.is_some() && !gauge {
            return broken("OM1-HIS-10", "", "there are bounds below zero, and a sum");
        }
        Ok(())
    }
}
