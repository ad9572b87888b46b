//! Metrics of one or several modules, read from the columns that were found for them, one family after the other:
//! nothing but the rows of one family is held beside the columns and the page.

#[cfg(test)]
mod formats;
mod tell;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use openmetrics::model::{
    Collected, Collector, Descriptor, Emitter, MetricName, MetricType as FamilyType, Naming as FamilyNaming,
    Number, Text,
};

use crate::config::{Extract, Metric, MetricType, Module, Naming, TextType};
use crate::labels::{RowLabels, Table, combined};
use crate::message::Value;
use crate::naming;
use crate::oid::Oid;
use crate::rows::{Column, column_of};
use crate::value;
use tell::{Point, tell};

/// Why a row, or a part of it, became no metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// A value that is none of its kind on the wire.
    Malformed,
    /// A name that is none.
    Name,
    /// A text or nothing where a number should be, which is told as 0.
    Number,
    /// An index that cannot be.
    Index,
    /// A date that cannot be read.
    Date,
    /// Bits that are no octets.
    Bits,
    /// Labels that another row of the metric has, or that no metric may have.
    Duplicate,
}

impl Dropped {
    /// The word for it in labels.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Name => "name",
            Self::Number => "number",
            Self::Index => "index",
            Self::Date => "date",
            Self::Bits => "bits",
            Self::Duplicate => "duplicate",
        }
    }

    /// Whether a page tells it: a row is missing, and not for the configuration alone.
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Date | Self::Number)
    }
}

/// Counts of what was dropped.
pub type DroppedRows = BTreeMap<Dropped, u64>;

/// Metrics of one or several modules. Families that several modules have are one.
#[derive(Debug, Default)]
pub struct Metrics<'f> {
    /// Let 64-bit counters wrap where doubles stop being exact.
    wrap: bool,
    families: Vec<Family<'f>>,
    /// The family that has a name, or samples of that name.
    by_name: HashMap<String, usize>,
    /// For each table of labels a metric that makes them.
    tables: Vec<&'f Metric>,
    dropped: RefCell<DroppedRows>,
}

#[derive(Debug)]
struct Family<'f> {
    descriptor: Descriptor,
    sources: Vec<Source<'f>>,
}

impl Family<'_> {
    /// Whether a metric of another module that is described like this is the same.
    fn takes(&self, source: &Source<'_>, descriptor: &Descriptor) -> bool {
        let is_same =
            |first: &Source<'_>| first.metric.name == source.metric.name && first.naming == source.naming;
        let known = &self.descriptor;
        known.name() == descriptor.name()
            && known.metric_type() == descriptor.metric_type()
            && self.sources.first().is_some_and(is_same)
    }
}

/// A metric of one module, or a part of it, that goes into a family.
#[derive(Clone, Copy, Debug)]
struct Source<'f> {
    metric: &'f Metric,
    naming: Naming,
    columns: &'f [Arc<Column>],
    /// Which of [`Metrics::tables`] has its rows' labels.
    table: usize,
    /// Of an extracted number: the end of its name, and how it is extracted.
    extracts: Option<(&'f str, &'f [Extract])>,
    /// Whether its dropped rows count; of several sources of one metric, those of one.
    counts_drops: bool,
}

impl<'f> Metrics<'f> {
    /// No metrics. With `wrap`, 64-bit counters wrap where doubles stop being exact.
    pub fn new(wrap: bool) -> Self {
        Self { wrap, ..Self::default() }
    }

    /// Adds the metrics of `module` from columns that are sorted, and none of which is within another.
    pub fn add(&mut self, module: &'f Module, naming: Naming, columns: &'f [Arc<Column>]) {
        let first = self.tables.len();
        for metric in effective(&module.metrics) {
            let like = |other: &&Metric| other.indexes == metric.indexes && other.lookups == metric.lookups;
            let known = self.tables.iter().skip(first).position(like).map(|at| first + at);
            let table = known.unwrap_or_else(|| {
                self.tables.push(metric);
                self.tables.len() - 1
            });
            let source = Source { metric, naming, columns, table, extracts: None, counts_drops: true };
            if matches!(metric.metric_type, MetricType::Text(_)) && !metric.regex_extracts.is_empty() {
                let mut source = source;
                for (suffix, extracts) in &metric.regex_extracts {
                    source.extracts = Some((suffix, extracts));
                    self.source(source);
                    source.counts_drops = false;
                }
            } else {
                self.source(source);
            }
        }
    }

    /// Adds to the family of its name; the first metric of a name says what the family is.
    fn source(&mut self, source: Source<'f>) {
        let descriptor = match source.naming {
            Naming::SnmpExporter => upstream(&source),
            Naming::OpenMetrics => self.openmetrics(&source),
        };
        if let Some(family) = self.family_mut(descriptor.name().as_str()) {
            family.sources.push(source);
            return;
        }
        for name in naming::sample_names(&descriptor) {
            self.by_name.entry(name).or_insert(self.families.len());
        }
        self.families.push(Family { descriptor, sources: vec![source] });
    }

    fn family_mut(&mut self, name: &str) -> Option<&mut Family<'f>> {
        let family = self.families.get_mut(*self.by_name.get(name)?)?;
        (family.descriptor.name() == name).then_some(family)
    }

    /// The family under a name that no other one has, nor samples of one.
    fn openmetrics(&self, source: &Source<'f>) -> Descriptor {
        let first = naming::family(source.metric, source.extracts.map(|(suffix, _)| suffix));
        let is_free = |descriptor: &Descriptor| {
            let mut owners = naming::sample_names(descriptor).filter_map(|name| self.by_name.get(&*name));
            owners.all(|at| self.families.get(*at).is_some_and(|family| family.takes(source, descriptor)))
        };
        let mut descriptor = first.clone();
        for count in 1.. {
            if is_free(&descriptor) {
                break;
            }
            descriptor = naming::renamed(&first, count);
        }
        descriptor
    }

    fn drop_many(&self, why: Dropped, count: u64) {
        if count > 0 {
            *self.dropped.borrow_mut().entry(why).or_default() += count;
        }
    }

    /// What was dropped of the metrics told so far.
    pub fn dropped(&self) -> DroppedRows {
        self.dropped.borrow().clone()
    }
}

/// What `snmp_exporter` makes of a metric. Its names are written as they are in every format.
fn upstream(source: &Source<'_>) -> Descriptor {
    let metric = source.metric;
    let (suffix, help_suffix) = match (&metric.metric_type, source.extracts) {
        (_, Some((suffix, _))) => (suffix, " (regex extracted)"),
        (MetricType::EnumAsInfo, _) => ("_info", " (EnumAsInfo)"),
        (MetricType::EnumAsStateSet, _) => ("", " (EnumAsStateSet)"),
        (MetricType::Bits, _) => ("", " (Bits)"),
        _ => ("", ""),
    };
    let (name, help) = if help_suffix.is_empty() {
        (metric.name.clone(), metric.help.clone())
    } else {
        (format!("{}{suffix}", metric.name).into(), format!("{}{help_suffix}", metric.help).into())
    };
    // The configuration has no empty names, so this one is valid.
    let name = MetricName::utf8(name).unwrap_or(MetricName::from_static("snmp_unnamed"));
    let family_type =
        if metric.metric_type == MetricType::Counter { FamilyType::Counter } else { FamilyType::Gauge };
    Descriptor::new(name, family_type).with_help(help).with_naming(FamilyNaming::Verbatim)
}

/// The metrics that rows can belong to: of those with one name the last, and none within another.
fn effective(metrics: &[Metric]) -> Vec<&Metric> {
    let sorted: BTreeMap<&Oid, &Metric> = metrics.iter().map(|metric| (&metric.oid, metric)).collect();
    let mut chosen: Vec<&Metric> = Vec::with_capacity(sorted.len());
    for metric in sorted.into_values() {
        if !chosen.last().is_some_and(|before| metric.oid.starts_with(&before.oid)) {
            chosen.push(metric);
        }
    }
    chosen
}

impl Collector for Metrics<'_> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let mut tables: Vec<Table<'_>> = self.tables.iter().map(|metric| Table::new(metric)).collect();
        let mut points: Vec<Point> = Vec::new();
        for family in &self.families {
            points.clear();
            for source in &family.sources {
                if let Some(table) = tables.get_mut(source.table) {
                    Rows { wrap: self.wrap, source, table, points: &mut points, dropped: &self.dropped }
                        .read();
                }
            }
            if points.is_empty() {
                continue;
            }
            let before = out.points();
            let told = tell(&points, &tables, family, out.family(&family.descriptor));
            self.drop_many(Dropped::Duplicate, told - (out.points() - before));
        }
        Ok(())
    }
}

/// Reads the rows of one metric.
struct Rows<'r, 'f> {
    wrap: bool,
    source: &'r Source<'f>,
    table: &'r mut Table<'f>,
    points: &'r mut Vec<Point>,
    dropped: &'r RefCell<DroppedRows>,
}

impl Rows<'_, '_> {
    fn read(&mut self) {
        let Source { metric, columns, .. } = *self.source;
        let begin = columns.partition_point(|column| column.prefix()[..] < metric.oid[..]);
        let below = columns.iter().skip(begin).take_while(|column| column.prefix().starts_with(&metric.oid));
        for column in below {
            let before = column.prefix().get(metric.oid.len()..).unwrap_or_default();
            self.drop_many(Dropped::Name, column.unreadable());
            for row in 0..column.len() {
                if before.is_empty() {
                    self.row(column.arcs(row), &column.value(row));
                } else {
                    self.row(&[before, column.arcs(row)].concat(), &column.value(row));
                }
            }
        }
        // Or the column is larger than the metric.
        if let Some(column) =
            column_of(columns, &metric.oid).filter(|column| column.prefix().len() < metric.oid.len())
        {
            let within = metric.oid.get(column.prefix().len()..).unwrap_or_default();
            for row in 0..column.len() {
                if let Some(index) = column.arcs(row).strip_prefix(within) {
                    self.row(index, &column.value(row));
                }
            }
        }
    }

    fn drop(&self, why: Dropped) {
        self.drop_many(why, 1);
    }

    fn drop_many(&self, why: Dropped, count: u64) {
        if self.source.counts_drops && count > 0 {
            *self.dropped.borrow_mut().entry(why).or_default() += count;
        }
    }

    fn push(&mut self, labels: RowLabels, more: Option<(Text, Box<str>)>, value: Number) {
        self.points.push(Point { table: self.source.table, labels, more, value });
    }

    fn row(&mut self, index: &[u32], value: &Value<'_>) {
        let Source { metric, columns, .. } = *self.source;
        if let Value::Malformed(_) = value {
            return self.drop(Dropped::Malformed);
        }
        let Some(labels) = self.table.row(index, columns) else { return self.drop(Dropped::Index) };
        let name = &metric.name;
        // What OpenMetrics tells is exact; whoever reads it as doubles loses what upstream loses.
        let wrap = self.wrap && self.source.naming == Naming::SnmpExporter;
        match metric.metric_type {
            MetricType::Gauge | MetricType::Counter | MetricType::Float | MetricType::Double => {
                if !value::is_number(value) {
                    self.drop(Dropped::Number);
                }
                let number = scaled(metric, value::number(value, wrap));
                self.push(labels, None, number);
            }
            MetricType::DateAndTime | MetricType::ParseDateAndTime | MetricType::NtpTimeStamp => {
                let Some(seconds) = seconds(metric, value) else { return self.drop(Dropped::Date) };
                self.push(labels, None, scaled(metric, Number::from(seconds)));
            }
            MetricType::EnumAsInfo if self.table.has_label(name) => {} // the index says it already
            MetricType::EnumAsInfo => {
                let state = state(metric, value).1;
                self.push(labels, Some((name.clone(), state)), 1_u64.into());
            }
            MetricType::EnumAsStateSet => {
                let (number, state) = state(metric, value);
                let labels = self.without(labels, name);
                self.push(labels.clone(), Some((name.clone(), state)), 1_u64.into());
                for (_, other) in metric.enum_values.iter().filter(|(known, _)| **known != number) {
                    self.push(labels.clone(), Some((name.clone(), other.clone())), 0_u64.into());
                }
            }
            MetricType::Bits => {
                let Value::Octets(octets) = value else { return self.drop(Dropped::Bits) };
                let labels = self.without(labels, name);
                for (bit, meaning) in metric.enum_values.iter() {
                    let octet =
                        usize::try_from(bit / 8).ok().and_then(|at| octets.get(at)).filter(|_| *bit >= 0);
                    let set = octet.is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0);
                    let more = Some((name.clone(), meaning.clone()));
                    self.push(labels.clone(), more, u64::from(set).into());
                }
            }
            MetricType::Text(_) => self.text(index, labels, value),
        }
    }

    fn text(&mut self, index: &[u32], labels: RowLabels, value: &Value<'_>) {
        let Source { metric, columns, extracts, .. } = *self.source;
        let mut text_type = metric.metric_type.text_type();
        if let Some(told) = combined(&text_type, &metric.oid, index, columns) {
            text_type = told.unwrap_or(TextType::OctetString);
        }
        let text = value::text(value, Some(&text_type), metric.display_hint.as_deref());
        let Some((_, extracts)) = extracts else {
            let labelled = self.table.has_label(&metric.name);
            let more = (!labelled).then(|| (metric.name.clone(), text.into_boxed_str()));
            return self.push(labels, more, scaled(metric, 1_u64.into()));
        };
        // The release of snmp_exporter that this follows neither scales what is extracted nor adds to it.
        let number = extracts
            .iter()
            .find_map(|extract| extract.regex.extract(&text, &extract.value)?.parse::<f64>().ok());
        if let Some(number) = number {
            self.push(labels, None, number.into());
        }
    }

    /// Labels without one of this name, which is to be given again.
    fn without(&self, labels: RowLabels, name: &str) -> RowLabels {
        if !self.table.has_label(name) {
            return labels;
        }
        let mut pairs = self.table.pairs(&labels);
        pairs.retain(|(label, _)| **label != *name);
        RowLabels::Odd(pairs.into())
    }
}

fn seconds(metric: &Metric, value: &Value<'_>) -> Option<i64> {
    match (&metric.metric_type, value) {
        (MetricType::DateAndTime, Value::Octets(octets)) => value::date_and_time(octets),
        (MetricType::NtpTimeStamp, Value::Octets(octets)) => value::ntp_timestamp(octets),
        (MetricType::ParseDateAndTime, value) => {
            let text = value::text(value, Some(&TextType::DisplayString), None);
            value::parse_date(&text, metric.datetime_pattern.as_deref().unwrap_or_default())
        }
        _ => None,
    }
}

fn state(metric: &Metric, value: &Value<'_>) -> (i64, Box<str>) {
    let number = value::number(value, true).as_f64() as i64;
    (number, metric.enum_values.get(&number).cloned().unwrap_or_else(|| number.to_string().into()))
}

fn scaled(metric: &Metric, number: Number) -> Number {
    if metric.scale == 0.0 && metric.offset == 0.0 {
        return number;
    }
    let factor = if metric.scale == 0.0 { 1.0 } else { metric.scale };
    Number::from(number.as_f64() * factor + metric.offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use openmetrics::format::{Format, encode};

    fn module(metrics: &str) -> Module {
        let text = format!("modules: {{m: {{walk: [1.3.6], metrics: [{metrics}]}}}}\n");
        Config::parse(&text).unwrap().modules.remove("m").unwrap()
    }

    fn column(oid: &str, rows: &[(&[u32], Value<'_>)]) -> Arc<Column> {
        let mut column = Column::new(oid.parse().unwrap());
        for (index, value) in rows {
            column.push(index, *value);
        }
        Arc::new(column)
    }

    /// The samples of a module, without comments.
    fn samples(module: &Module, columns: &[Arc<Column>]) -> (String, DroppedRows) {
        let mut metrics = Metrics::new(true);
        metrics.add(module, Naming::SnmpExporter, columns);
        let mut page = Vec::new();
        encode(&metrics, Format::TEXT_0_0_4, &mut page);
        let page = String::from_utf8(page).unwrap();
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        (lines.join("\n"), metrics.dropped())
    }

    #[test]
    fn an_interface_with_its_name() {
        let module = module(
            "{name: octets, oid: 1.3.6.10, type: counter, indexes: [{labelname: ifIndex, type: gauge}], \
             lookups: [{labels: [ifIndex], labelname: ifDescr, oid: 1.3.6.2, type: DisplayString}]}",
        );
        let columns = [
            column("1.3.6.2", &[(&[1], Value::Octets(b"lo")), (&[2], Value::Octets(b"eth0"))]),
            column(
                "1.3.6.10",
                &[(&[1], Value::Unsigned(5)), (&[2], Value::Counter64((1 << 53) + 7)), (&[3], Value::Null)],
            ),
        ];
        let (text, dropped) = samples(&module, &columns);
        assert_eq!(
            text,
            "octets{ifIndex=\"1\",ifDescr=\"lo\"} 5\noctets{ifIndex=\"2\",ifDescr=\"eth0\"} 7\noctets{ifIndex=\"3\"} 0"
        );
        assert_eq!(dropped, DroppedRows::from([(Dropped::Number, 1)]), "nothing is 0, but no number");
    }

    #[test]
    fn one_bad_row_costs_that_row() {
        let module =
            module("{name: n, oid: 1.3.6.1, type: gauge, indexes: [{labelname: i, type: DisplayString}]}");
        let rows: [(&[u32], Value<'_>); 3] = [
            (&[1, 97], Value::Integer(1)),
            (&[1, 98], Value::Malformed(2)),
            (&[20_000_000], Value::Integer(3)),
        ];
        let (text, dropped) = samples(&module, &[column("1.3.6.1", &rows)]);
        assert_eq!(text, "n{i=\"a\"} 1");
        assert_eq!(dropped, DroppedRows::from([(Dropped::Malformed, 1), (Dropped::Index, 1)]));
    }

    #[test]
    fn every_kind_of_metric() {
        for (metric, value, expected) in [
            ("type: gauge, scale: 0.1, offset: 1", Value::Integer(5), "n 1.5"),
            ("type: DisplayString", Value::Octets(b"x\ny"), "n{n=\"x\\ny\"} 1"),
            ("type: PhysAddress48", Value::Octets(&[1, 2, 3, 4, 5, 255]), "n{n=\"01:02:03:04:05:FF\"} 1"),
            ("type: EnumAsInfo, enum_values: {1: up}", Value::Integer(1), "n_info{n=\"up\"} 1"),
            ("type: EnumAsInfo", Value::Integer(9), "n_info{n=\"9\"} 1"),
            (
                "type: EnumAsStateSet, enum_values: {1: up, 2: down}",
                Value::Integer(2),
                "n{n=\"down\"} 1\nn{n=\"up\"} 0",
            ),
            (
                "type: Bits, enum_values: {0: a, 9: b}",
                Value::Octets(&[0x80, 0x00]),
                "n{n=\"a\"} 1\nn{n=\"b\"} 0",
            ),
            ("type: Bits, enum_values: {0: a}", Value::Integer(1), ""),
            ("type: DateAndTime", Value::Octets(&[7, 232, 2, 29, 13, 30, 15, 0]), "n 1709213415"),
            ("type: DateAndTime", Value::Octets(&[7]), ""),
            (
                "type: DisplayString, regex_extracts: {Temp: [{regex: 'temp=(.*)C'}, {regex: '.*', value: '-1'}]}",
                Value::Octets(b"temp=41.5C"),
                "nTemp 41.5",
            ),
        ] {
            let module = module(&format!("{{name: n, oid: 1.3.6.1, {metric}}}"));
            let (text, _) = samples(&module, &[column("1.3.6.1", &[(&[0], value)])]);
            assert_eq!(text, expected, "{metric}");
        }
    }
}
