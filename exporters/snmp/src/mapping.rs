//! From rows to metrics: what has to be asked of a device for a module, and what its answers mean.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use openmetrics::model::{
    Collected, Collector, Descriptor, Emitter, FamilyEmitter, Labels, MetricName, MetricType as FamilyType,
    Naming, Number, Text,
};

use crate::config::{Filter, Index, IndexType, Lookup, Metric, MetricType, Module, TextType};
use crate::index::{kind_of, read};
use crate::message::Value;
use crate::oid::Oid;
use crate::rows::{Column, column_of};
use crate::value;
use crate::walk::{Target, TargetKind};

/// What has to be asked of a device for `module`: the columns that metrics and lookups need, as far as they are within
/// `walk`, and the variables of `get` that are not within those.
pub fn targets(module: &Module, walk: &[Oid], get: &[Oid]) -> Vec<Target> {
    let mut columns: BTreeMap<Oid, TargetKind> = BTreeMap::new();
    for (need, scalar) in needs(module) {
        for root in walk {
            // What is needed may be larger than what is walked, or smaller.
            let exact = TargetKind::Column { exact: true };
            if need.starts_with(root) {
                let kind =
                    if scalar { TargetKind::Scalar } else { TargetKind::Column { exact: need == *root } };
                columns.entry(need.clone()).or_insert(kind);
            } else if root.starts_with(&need) {
                columns.entry(root.clone()).or_insert(exact);
            }
        }
    }
    let mut chosen: Vec<Target> = Vec::new();
    for (oid, kind) in columns {
        // In the order of names, what is within a column comes after it.
        if !chosen.last().is_some_and(|before| oid.starts_with(&before.oid)) {
            chosen.push(Target { oid, kind });
        }
    }
    let variables: std::collections::BTreeSet<&Oid> = get.iter().collect();
    let within = |oid: &Oid| {
        let after = chosen.partition_point(|target| target.oid <= *oid);
        after.checked_sub(1).and_then(|at| chosen.get(at)).is_some_and(|target| oid.starts_with(&target.oid))
    };
    let variables: Vec<Target> = variables
        .into_iter()
        .filter(|oid| !within(oid))
        .map(|oid| Target { oid: oid.clone(), kind: TargetKind::Variable })
        .collect();
    chosen.extend(variables);
    chosen
}

/// Everything a module reads, and whether one row is all that is expected of it.
fn needs(module: &Module) -> Vec<(Oid, bool)> {
    let mut needs = Vec::new();
    let before = |oid: &Oid, text_type: Option<&TextType>| match text_type {
        Some(TextType::InetAddress | TextType::InetAddressMissingSize | TextType::LldpPortId) => {
            previous(oid)
        }
        _ => None,
    };
    for metric in &module.metrics {
        needs.push((metric.oid.clone(), metric.indexes.is_empty()));
        if let MetricType::Text(_) = metric.metric_type {
            needs.extend(before(&metric.oid, Some(&metric.metric_type.text_type())).map(|oid| (oid, false)));
        }
        for lookup in &metric.lookups {
            let Some(oid) = &lookup.oid else { continue };
            needs.push((oid.clone(), false));
            needs.extend(before(oid, lookup.text_type.as_ref()).map(|oid| (oid, false)));
        }
    }
    needs
}

/// The column before, which says of what kind the values of this one are.
fn previous(oid: &Oid) -> Option<Oid> {
    let (last, parent) = oid.split_last()?;
    Some(Oid::from(parent).child(&[last.checked_sub(1)?]))
}

/// What is left to walk and to get after filters: rows of filtered columns are got one by one.
///
/// `allowed` has, for each filter that could be evaluated, the indexes it lets through.
pub fn filtered(module: &Module, allowed: &[(&Filter, Vec<u32>)]) -> (Vec<Oid>, Vec<Oid>) {
    let mut of_target: BTreeMap<&Oid, Vec<u32>> = BTreeMap::new();
    for (filter, indexes) in allowed {
        for target in &filter.targets {
            // Several filters of one column all have to let a row through.
            let known = of_target.get(target).map(|before| {
                let here: HashSet<&u32> = indexes.iter().collect();
                before.iter().filter(|index| here.contains(index)).copied().collect()
            });
            of_target.insert(target, known.unwrap_or_else(|| indexes.clone()));
        }
    }
    let walk = module.walk.iter().filter(|oid| !of_target.contains_key(oid)).cloned().collect();
    let kept =
        module.get.iter().filter(|oid| !of_target.keys().any(|target| oid.starts_with(target))).cloned();
    let rows =
        of_target.iter().flat_map(|(target, indexes)| indexes.iter().map(|index| target.child(&[*index])));
    (walk, kept.chain(rows).collect())
}

/// The last arcs of the rows whose value a filter lets through.
pub fn allowed(filter: &Filter, column: &Column) -> Vec<u32> {
    (0..column.len())
        .filter(|row| {
            let text = value::text(&column.value(*row), Some(&TextType::DisplayString), None);
            filter.values.iter().any(|pattern| pattern.is_in(&text))
        })
        .filter_map(|row| column.arcs(row).last().copied())
        .collect()
}

/// Why a row, or a part of it, became no metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dropped {
    /// A value that is none of its kind on the wire.
    Malformed,
    /// An index that cannot be.
    Index,
    /// A date that cannot be read.
    Date,
    /// Bits that are no octets.
    Bits,
}

impl Dropped {
    /// The word for it in labels.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Index => "index",
            Self::Date => "date",
            Self::Bits => "bits",
        }
    }

    /// Whether it says something about the device, not only about the configuration.
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Date)
    }
}

/// Counts of what was dropped.
pub type DroppedRows = BTreeMap<Dropped, u64>;

/// Metrics of one or several modules, read from the columns that were found for them. Families that several modules
/// have are one.
#[derive(Debug, Default)]
pub struct Metrics {
    families: Vec<Family>,
    by_name: HashMap<String, usize>,
    /// What was dropped.
    pub dropped: DroppedRows,
}

/// A family with its points, labels shared by the rows of a table.
#[derive(Debug)]
struct Family {
    descriptor: Descriptor,
    points: Vec<Point>,
}

#[derive(Debug)]
struct Point {
    labels: Arc<[(Text, Box<str>)]>,
    /// One more label, such as a state.
    more: Option<(Text, Box<str>)>,
    value: Number,
}

impl Metrics {
    /// Adds the metrics of `module` from columns that are sorted, and none of which is within another.
    pub fn add(&mut self, module: &Module, columns: &[Arc<Column>], wrap: bool) {
        let mut reader = Reader { columns, wrap, metrics: self };
        let mut tables: Vec<Table<'_>> = Vec::new();
        for metric in effective(&module.metrics) {
            let at = tables.iter().position(|table| table.fits(metric)).unwrap_or(tables.len());
            if at == tables.len() {
                tables.push(Table::new(metric));
            }
            if let Some(table) = tables.get_mut(at) {
                reader.metric(metric, table);
            }
        }
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.families.iter().map(|family| family.points.len()).sum()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
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

/// The labels of rows, for all metrics that make them the same way.
struct Table<'m> {
    indexes: &'m [Index],
    lookups: &'m [Lookup],
    /// By index, in the order of the metric that had them first.
    labels: Vec<(Box<[u32]>, Option<RowLabels>)>,
    hint: usize,
    /// Where each lookup's row was found last.
    lookup_hints: Vec<usize>,
    /// The labels' names, made once.
    names: Vec<Text>,
}

type RowLabels = Arc<[(Text, Box<str>)]>;

impl<'m> Table<'m> {
    fn new(metric: &'m Metric) -> Self {
        let names = metric.indexes.iter().map(|index| &*index.labelname);
        let names =
            names.chain(metric.lookups.iter().map(|lookup| &*lookup.labelname)).map(Text::from).collect();
        Self {
            indexes: &metric.indexes,
            lookups: &metric.lookups,
            labels: Vec::new(),
            hint: 0,
            lookup_hints: vec![0; metric.lookups.len()],
            names,
        }
    }

    fn fits(&self, metric: &Metric) -> bool {
        self.indexes == metric.indexes && self.lookups == metric.lookups
    }

    /// The labels of a row; `None` if its index cannot be.
    fn labels(&mut self, index: &[u32], columns: &[Arc<Column>]) -> Option<RowLabels> {
        let next = self.hint + 1;
        for at in [self.hint, next, 0] {
            if let Some((known, labels)) = self.labels.get(at)
                && known[..] == *index
            {
                self.hint = at;
                return labels.clone();
            }
        }
        let at = self.labels.partition_point(|(known, _)| known[..] < *index);
        if let Some((known, labels)) = self.labels.get(at)
            && known[..] == *index
        {
            self.hint = at;
            return labels.clone();
        }
        let labels = self.make(index, columns);
        self.hint = at;
        self.labels.insert(at, (index.into(), labels.clone()));
        labels
    }

    fn make(&mut self, index: &[u32], columns: &[Arc<Column>]) -> Option<RowLabels> {
        let mut labels: Vec<(&str, String)> = Vec::with_capacity(self.indexes.len() + self.lookups.len());
        let mut arcs: Vec<(&str, Vec<u32>)> = Vec::with_capacity(labels.capacity());
        let mut rest = index;
        for part in self.indexes {
            let found =
                read(rest, &part.index_type, part.fixed_size as usize, part.implied, &part.enum_values)
                    .ok()?;
            rest = rest.get(found.used..).unwrap_or_default();
            set(&mut labels, &part.labelname, found.text);
            set(&mut arcs, &part.labelname, found.arcs);
        }
        for (lookup, hint) in self.lookups.iter().zip(&mut self.lookup_hints) {
            let Some(oid) = lookup.oid.as_ref().filter(|_| !lookup.labels.is_empty()) else {
                labels.retain(|(name, _)| *name != &*lookup.labelname);
                continue;
            };
            let mut row = Vec::new();
            for label in &lookup.labels {
                let of_label = arcs.iter().find(|(name, _)| *name == &**label);
                row.extend(of_label.map(|(_, arcs)| &arcs[..]).unwrap_or_default());
            }
            let found = find(columns, oid, &row, hint);
            let text =
                found.map_or_else(String::new, |value| lookup_text(lookup, oid, &row, &value, columns));
            set(&mut labels, &lookup.labelname, text);
            if let Some(value) = found {
                let integer = u32::try_from(value::integer(&value)).unwrap_or(u32::MAX);
                set(&mut arcs, &lookup.labelname, vec![integer]);
            }
        }
        let names = &self.names;
        let known =
            |name: &str| names.iter().find(|known| ***known == *name).cloned().unwrap_or_else(|| name.into());
        Some(labels.into_iter().map(|(name, text)| (known(name), text.into_boxed_str())).collect())
    }
}

fn set<'n, T>(list: &mut Vec<(&'n str, T)>, name: &'n str, value: T) {
    match list.iter_mut().find(|(known, _)| *known == name) {
        Some((_, place)) => *place = value,
        None => list.push((name, value)),
    }
}

/// The value of a column's row.
fn find<'c>(columns: &'c [Arc<Column>], oid: &Oid, row: &[u32], hint: &mut usize) -> Option<Value<'c>> {
    let name = oid.child(row);
    let column = column_of(columns, &name)?;
    let at = column.find(name.get(column.prefix().len()..)?, hint)?;
    Some(column.value(at))
}

fn lookup_text(
    lookup: &Lookup,
    oid: &Oid,
    row: &[u32],
    value: &Value<'_>,
    columns: &[Arc<Column>],
) -> String {
    if lookup.text_type == Some(TextType::EnumAsInfo) && !lookup.enum_values.is_empty() {
        let number = value::integer(value);
        return lookup.enum_values.get(&number).map_or_else(|| number.to_string(), ToString::to_string);
    }
    let known = lookup.text_type.as_ref().and_then(|text_type| combined(text_type, oid, row, columns));
    let text_type = match known {
        Some(Some(found)) => Some(found),
        _ => lookup.text_type.clone(),
    };
    value::text(value, text_type.as_ref(), lookup.display_hint.as_deref())
}

/// For a type that the column before decides: the type, if that column has one that is known.
#[allow(clippy::option_option)] // not such a type; such a type, but not told; told
fn combined(
    text_type: &TextType,
    oid: &Oid,
    row: &[u32],
    columns: &[Arc<Column>],
) -> Option<Option<TextType>> {
    let index_type = match text_type {
        TextType::InetAddress => IndexType::InetAddress,
        TextType::InetAddressMissingSize => IndexType::InetAddressMissingSize,
        TextType::LldpPortId => IndexType::LldpPortId,
        _ => return None,
    };
    let kind = previous(oid)
        .and_then(|before| find(columns, &before, row, &mut 0).map(|kind| value::integer(&kind)));
    Some(match kind.and_then(|kind| kind_of(&index_type, kind)) {
        Some(IndexType::InetAddressIPv4) => Some(TextType::InetAddressIPv4),
        Some(IndexType::InetAddressIPv6) => Some(TextType::InetAddressIPv6),
        Some(IndexType::DisplayString) => Some(TextType::DisplayString),
        Some(IndexType::PhysAddress48) => Some(TextType::PhysAddress48),
        _ => None,
    })
}

struct Reader<'c> {
    columns: &'c [Arc<Column>],
    wrap: bool,
    metrics: &'c mut Metrics,
}

impl Reader<'_> {
    /// Reads all rows of a metric.
    fn metric(&mut self, metric: &Metric, table: &mut Table<'_>) {
        let columns = self.columns;
        let begin = columns.partition_point(|column| column.prefix()[..] < metric.oid[..]);
        let below = columns.iter().skip(begin).take_while(|column| column.prefix().starts_with(&metric.oid));
        for column in below {
            let before = column.prefix().get(metric.oid.len()..).unwrap_or_default();
            for row in 0..column.len() {
                if before.is_empty() {
                    self.row(metric, table, column.arcs(row), &column.value(row));
                } else {
                    self.row(metric, table, &[before, column.arcs(row)].concat(), &column.value(row));
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
                    self.row(metric, table, index, &column.value(row));
                }
            }
        }
    }

    fn drop(&mut self, why: Dropped) {
        *self.metrics.dropped.entry(why).or_default() += 1;
    }

    fn row(&mut self, metric: &Metric, table: &mut Table<'_>, index: &[u32], value: &Value<'_>) {
        if let Value::Malformed(_) = value {
            return self.drop(Dropped::Malformed);
        }
        let Some(labels) = table.labels(index, self.columns) else { return self.drop(Dropped::Index) };
        let name = &metric.name;
        let labelled = labels.iter().any(|(label, _)| **label == **name);
        match metric.metric_type {
            MetricType::Gauge | MetricType::Counter | MetricType::Float | MetricType::Double => {
                let counts = metric.metric_type == MetricType::Counter;
                let number = scaled(metric, value::number(value, self.wrap));
                self.metrics.family(metric, "", "", counts).push(Point { labels, more: None, value: number });
            }
            MetricType::DateAndTime | MetricType::ParseDateAndTime | MetricType::NtpTimeStamp => {
                let seconds = match (&metric.metric_type, value) {
                    (MetricType::DateAndTime, Value::Octets(octets)) => value::date_and_time(octets),
                    (MetricType::NtpTimeStamp, Value::Octets(octets)) => value::ntp_timestamp(octets),
                    (MetricType::ParseDateAndTime, value) => {
                        let text = value::text(value, Some(&TextType::DisplayString), None);
                        value::parse_date(&text, metric.datetime_pattern.as_deref().unwrap_or_default())
                    }
                    _ => None,
                };
                let Some(seconds) = seconds else { return self.drop(Dropped::Date) };
                let number = scaled(metric, Number::from(seconds));
                self.metrics.family(metric, "", "", false).push(Point { labels, more: None, value: number });
            }
            MetricType::EnumAsInfo => {
                if labelled {
                    return; // the index says it already
                }
                let state = state(metric, value);
                let more = Some((name.clone(), state.1));
                self.metrics.family(metric, "_info", " (EnumAsInfo)", false).push(Point {
                    labels,
                    more,
                    value: 1_u64.into(),
                });
            }
            MetricType::EnumAsStateSet => {
                let (number, state) = state(metric, value);
                let labels = without(labels, name, labelled);
                let family = self.metrics.family(metric, "", " (EnumAsStateSet)", false);
                family.push(Point {
                    labels: labels.clone(),
                    more: Some((name.clone(), state)),
                    value: 1_u64.into(),
                });
                for (_, other) in metric.enum_values.iter().filter(|(known, _)| **known != number) {
                    let more = Some((name.clone(), other.clone()));
                    family.push(Point { labels: labels.clone(), more, value: 0_u64.into() });
                }
            }
            MetricType::Bits => {
                let Value::Octets(octets) = value else { return self.drop(Dropped::Bits) };
                let labels = without(labels, name, labelled);
                let family = self.metrics.family(metric, "", " (Bits)", false);
                for (bit, meaning) in metric.enum_values.iter() {
                    let octet =
                        usize::try_from(bit / 8).ok().and_then(|at| octets.get(at)).filter(|_| *bit >= 0);
                    let set = octet.is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0);
                    let more = Some((name.clone(), meaning.clone()));
                    family.push(Point { labels: labels.clone(), more, value: u64::from(set).into() });
                }
            }
            MetricType::Text(_) => self.text(metric, index, labels, labelled, value),
        }
    }

    fn text(&mut self, metric: &Metric, index: &[u32], labels: RowLabels, labelled: bool, value: &Value<'_>) {
        let mut text_type = metric.metric_type.text_type();
        if let Some(told) = combined(&text_type, &metric.oid, index, self.columns) {
            text_type = told.unwrap_or(TextType::OctetString);
        }
        let text = value::text(value, Some(&text_type), metric.display_hint.as_deref());
        if metric.regex_extracts.is_empty() {
            let more = (!labelled).then(|| (metric.name.clone(), text.into_boxed_str()));
            let number = scaled(metric, 1_u64.into());
            self.metrics.family(metric, "", "", false).push(Point { labels, more, value: number });
            return;
        }
        // The release of snmp_exporter that this follows neither scales what is extracted nor adds to it.
        for (suffix, extracts) in &metric.regex_extracts {
            let number = extracts
                .iter()
                .find_map(|extract| extract.regex.extract(&text, &extract.value)?.parse::<f64>().ok());
            if let Some(number) = number {
                let family = self.metrics.family(metric, suffix, " (regex extracted)", false);
                family.push(Point { labels: labels.clone(), more: None, value: number.into() });
            }
        }
    }
}

fn state(metric: &Metric, value: &Value<'_>) -> (i64, Box<str>) {
    let number = value::number(value, true).as_f64() as i64;
    (number, metric.enum_values.get(&number).cloned().unwrap_or_else(|| number.to_string().into()))
}

impl Metrics {
    /// The points of the family that a metric's rows go into; the first metric of a name says what the family is.
    fn family(&mut self, metric: &Metric, suffix: &str, help_suffix: &str, counts: bool) -> &mut Vec<Point> {
        let known = if suffix.is_empty() {
            self.by_name.get(&*metric.name)
        } else {
            self.by_name.get(&format!("{}{suffix}", metric.name))
        };
        let at = known.copied().unwrap_or(self.families.len());
        if at == self.families.len() {
            let (name, help) = if suffix.is_empty() && help_suffix.is_empty() {
                (metric.name.clone(), metric.help.clone())
            } else {
                (format!("{}{suffix}", metric.name).into(), format!("{}{help_suffix}", metric.help).into())
            };
            // The configuration has no empty names, so this one is valid.
            let valid = MetricName::utf8(name.clone()).unwrap_or(MetricName::from_static("snmp_unnamed"));
            let family_type = if counts { FamilyType::Counter } else { FamilyType::Gauge };
            let descriptor =
                Descriptor::new(valid, family_type).with_help(help).with_naming(Naming::Verbatim);
            self.by_name.insert(name.to_string(), at);
            self.families.push(Family { descriptor, points: Vec::new() });
        }
        let family = self.families.get_mut(at);
        &mut family.expect("families are never taken away, and one was pushed if the name was new").points
    }
}

/// The labels without one of this name, which is to be given again.
fn without(labels: RowLabels, name: &str, present: bool) -> RowLabels {
    if present { labels.iter().filter(|(label, _)| **label != *name).cloned().collect() } else { labels }
}

fn scaled(metric: &Metric, number: Number) -> Number {
    if metric.scale == 0.0 && metric.offset == 0.0 {
        return number;
    }
    let factor = if metric.scale == 0.0 { 1.0 } else { metric.scale };
    Number::from(number.as_f64() * factor + metric.offset)
}

impl Collector for Metrics {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for family in &self.families {
            let mut to: FamilyEmitter<'_> = out.family(&family.descriptor);
            for point in &family.points {
                pairs.clear();
                let own = point.labels.iter().chain(&point.more).filter(|(_, text)| !text.is_empty());
                pairs.extend(own.map(|(name, text)| (name.as_str(), &**text)));
                to.point(Labels::new(&pairs), point.value);
            }
        }
        Ok(())
    }
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
        let mut metrics = Metrics::default();
        metrics.add(module, columns, true);
        let mut page = Vec::new();
        encode(&metrics, Format::TEXT_0_0_4, &mut page);
        let page = String::from_utf8(page).unwrap();
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        (lines.join("\n"), metrics.dropped)
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
        assert!(dropped.is_empty());
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

    #[test]
    fn only_what_is_needed_is_asked_for() {
        let text = "modules: {m: {walk: [1.3.6.1, 1.3.6.2.5], get: [1.3.6.1.1.7, 1.3.6.9.0], metrics: [\
            {name: a, oid: 1.3.6.1.1, type: gauge, indexes: [{labelname: i, type: gauge}], \
             lookups: [{labels: [i], labelname: l, oid: 1.3.6.7, type: gauge}]}, \
            {name: b, oid: 1.3.6.1.1.2, type: gauge}, {name: c, oid: 1.3.6.2, type: gauge}, \
            {name: d, oid: 1.3.6.1.4, type: InetAddress}]}}\n";
        let module = Config::parse(text).unwrap().modules.remove("m").unwrap();
        let found: Vec<String> =
            targets(&module, &module.walk, &module.get).iter().map(|target| target.oid.to_string()).collect();
        assert_eq!(found, ["1.3.6.1.1", "1.3.6.1.3", "1.3.6.1.4", "1.3.6.2.5", "1.3.6.9.0"]);
    }

    #[test]
    fn filters_let_rows_through_that_all_of_them_do() {
        let text = "modules: {m: {walk: [1.3.6.1, 1.3.6.2], get: [1.3.6.1.9], metrics: [], filters: [\
            {oid: 1.3.6.5, targets: [1.3.6.1], values: ['^up']}, {oid: 1.3.6.6, targets: [1.3.6.1], values: ['1']}]}}\n";
        let module = Config::parse(text).unwrap().modules.remove("m").unwrap();
        let names = column(
            "1.3.6.5",
            &[(&[1], Value::Octets(b"uplink")), (&[2], Value::Octets(b"up2")), (&[3], Value::Octets(b"x"))],
        );
        let states = column(
            "1.3.6.6",
            &[(&[1], Value::Integer(2)), (&[2], Value::Integer(1)), (&[3], Value::Integer(1))],
        );
        let [first, second] = &module.filters[..] else { panic!("two filters") };
        let let_through = [(first, allowed(first, &names)), (second, allowed(second, &states))];
        assert_eq!(let_through[0].1, [1, 2]);
        let (walk, get) = filtered(&module, &let_through);
        assert_eq!(walk, ["1.3.6.2".parse().unwrap()]);
        assert_eq!(get, ["1.3.6.1.2".parse().unwrap()]);
    }
}
