//! A module that names what it wants, to one that says where it is.
//!
//! What comes out is what `snmp_exporter`'s generator makes of the same words and MIBs.

use std::collections::{BTreeMap, BTreeSet};

use openmetrics::model::Text;

use super::scope::{Object, Scope};
use super::units;
use crate::config::{
    EnumValues, Index, IndexType, Lookup, Metric, MetricType, Module, Named, NamedLookup, Override,
    StaticFilter, TextType,
};

/// What became of a module, and what in it could not be used.
#[derive(Debug)]
pub(super) struct Resolved {
    pub module: Module,
    pub warnings: Vec<String>,
}

/// How a walk's target is to be asked for.
enum Found {
    Scalar(usize),
    /// A cell of a table, with the rest of its identifier.
    Instance(usize, String),
    Subtree(usize),
}

/// Finds everything that a module names.
///
/// `with_units` has numbers told in base units, where MIBs say for sure what they count.
pub(super) fn resolve(
    named: &Named,
    scope: &Scope,
    enum_labels: bool,
    with_units: bool,
) -> Result<Resolved, String> {
    let mut resolver = Resolver::new(named, scope, enum_labels);
    let tops = resolver.walk()?;
    let mut metrics = Vec::new();
    for top in tops {
        resolver.metrics(top, &mut metrics)?;
    }
    for metric in &mut metrics {
        resolver.lookups(metric)?;
    }
    for (metric, at) in &mut metrics {
        for index in &mut metric.indexes {
            index.labelname = label(&index.labelname);
        }
        resolver.address(metric);
        resolver.adjust(metric);
        if with_units {
            resolver.measure(metric, *at);
        }
    }
    resolver.filter();
    let mut module = Module { filters: named.filters.dynamic.clone(), ..Module::default() };
    for oid in minimal(resolver.wanted.iter().map(String::as_str)) {
        let (list, oid) = match oid.strip_suffix('.') {
            Some(oid) => (&mut module.get, oid),
            None => (&mut module.walk, oid),
        };
        list.push(oid.parse().map_err(|error| format!("{oid}: {error}"))?);
    }
    module.metrics = metrics.into_iter().map(|(metric, _)| metric).collect();
    Ok(Resolved { module, warnings: resolver.warnings })
}

struct Resolver<'a> {
    named: &'a Named,
    scope: &'a Scope,
    /// Whether labels tell what numbers mean.
    enum_labels: bool,
    /// Types that the module gives to objects.
    types: BTreeMap<usize, &'a str>,
    /// Identifiers to walk, and with a dot at the end to get.
    wanted: BTreeSet<String>,
    /// By the identifier of a column, the cells that are asked for.
    instances: BTreeMap<String, Vec<String>>,
    warnings: Vec<String>,
}

impl<'a> Resolver<'a> {
    fn new(named: &'a Named, scope: &'a Scope, enum_labels: bool) -> Self {
        let mut types = BTreeMap::new();
        let mut warnings = Vec::new();
        for (name, Override { metric_type, .. }) in &named.overrides {
            let Some(metric_type) = metric_type else { continue };
            match scope.named(name) {
                Some(at) => drop(types.insert(at, &**metric_type)),
                None => warnings.push(format!("overrides: {name}: no MIB defines it")),
            }
        }
        Self {
            named,
            scope,
            enum_labels,
            types,
            wanted: BTreeSet::new(),
            instances: BTreeMap::new(),
            warnings,
        }
    }

    fn object(&self, at: usize) -> Result<&'a Object, String> {
        self.scope.objects.get(at).ok_or_else(|| "an object was lost".to_owned())
    }

    /// What metrics call an object's type here, if one can be made of it.
    fn type_of(&self, at: usize) -> Option<&'a str> {
        let given = self.types.get(&at).copied();
        given.or_else(|| self.scope.objects.get(at)?.metric_type.as_deref())
    }

    /// The type of an index or a lookup: numbers that mean something are told by their meaning.
    fn label_type(&self, at: usize, type_name: &'a str) -> &'a str {
        let has_meaning = self.scope.objects.get(at).is_some_and(|object| object.enums.is_some());
        let as_number = self.types.get(&at) == Some(&"gauge");
        if has_meaning && !as_number && type_name != "EnumAsStateSet" && self.enum_labels {
            "EnumAsInfo"
        } else {
            type_name
        }
    }

    /// An identifier, of a name or as it is.
    fn oid<'b>(&self, name: &'b str) -> &'b str
    where
        'a: 'b,
    {
        self.scope.named(name).and_then(|at| self.scope.objects.get(at)).map_or(name, |object| &object.oid)
    }

    /// Finds what is to be walked.
    fn walk(&mut self) -> Result<BTreeSet<(&'a str, usize)>, String> {
        let mut oids = BTreeSet::new();
        for name in &self.named.walk {
            if name.starts_with('.') {
                return Err(format!("walk: {name}: identifiers begin with a number, not with a dot"));
            }
            oids.insert(self.oid(name));
        }
        let mut tops = BTreeSet::new();
        for oid in minimal(oids.into_iter()) {
            let top = match self.find(oid) {
                None => return Err(format!("walk: no MIB defines {oid:?}")),
                Some(Found::Subtree(at)) => {
                    self.wanted.insert(oid.to_owned());
                    at
                }
                Some(Found::Instance(at, rest)) => {
                    self.wanted.insert(format!("{oid}."));
                    let column = self.object(at)?.oid.to_string();
                    self.instances.entry(column).or_default().push(rest);
                    at
                }
                Some(Found::Scalar(at)) => {
                    self.wanted.insert(format!("{oid}.0."));
                    at
                }
            };
            tops.insert((&*self.object(top)?.oid, top));
        }
        Ok(tops)
    }

    fn find(&self, oid: &str) -> Option<Found> {
        let is_metric = |at: usize| {
            let object = self.scope.objects.get(at).filter(|object| object.readable)?;
            self.type_of(at).map(|_| object)
        };
        if let Some(at) = self.scope.named(oid) {
            let scalar = is_metric(at).is_some_and(|object| object.indexes.is_empty());
            return Some(if scalar { Found::Scalar(at) } else { Found::Subtree(at) });
        }
        let at = self.scope.above(oid)?;
        let object = is_metric(at).filter(|object| !object.indexes.is_empty())?;
        Some(Found::Instance(at, oid.strip_prefix(&*object.oid)?.to_owned()))
    }
}

/// Metrics and their labels.
impl<'a> Resolver<'a> {
    /// Makes a metric of every object at and beneath a place.
    fn metrics(&mut self, (_, top): (&str, usize), metrics: &mut Vec<(Metric, usize)>) -> Result<(), String> {
        let end = self.object(top)?.end;
        for at in top..end {
            let object = self.object(at)?;
            let Some(type_name) = self.type_of(at).filter(|_| object.readable) else { continue };
            let name = label(&object.label);
            if self.named.overrides.get(&*name).is_some_and(|given| given.ignore) {
                continue;
            }
            let Some(indexes) = self.indexes(object) else { continue };
            let metric = Metric {
                name: Text::from(String::from(name)),
                oid: object.oid.parse().map_err(|error| format!("{}: {error}", object.oid))?,
                metric_type: metric_type(type_name),
                help: Text::from(format!("{} - {}", object.description, object.oid)),
                indexes,
                lookups: Vec::new(),
                regex_extracts: BTreeMap::new(),
                datetime_pattern: None,
                enum_values: enum_values(object),
                offset: 0.0,
                scale: 0.0,
                display_hint: None,
                unit: None,
            };
            metrics.push((metric, at));
        }
        Ok(())
    }

    /// The indexes of an object's table; nothing if they cannot be read, which costs the object.
    fn indexes(&mut self, object: &'a Object) -> Option<Vec<Index>> {
        let mut indexes: Vec<Index> = Vec::new();
        // The conventions of the indexes before: addresses follow their kind.
        let (mut before, mut before_that) = ("", "");
        for (count, name) in object.indexes.iter().enumerate() {
            let found = self.scope.named(name).and_then(|at| Some((at, self.scope.objects.get(at)?)));
            let Some((at, index)) = found else {
                self.warnings.push(format!("index {name}: no MIB defines it; what has it is left out"));
                return None;
            };
            let Some(type_name) = self.type_of(at) else {
                self.warnings
                    .push(format!("index {name}: its type cannot be a label; what has it is left out"));
                return None;
            };
            let type_name = self.label_type(at, type_name);
            let Some(index_type) = IndexType::from_name(type_name) else {
                self.warnings
                    .push(format!("index {name}: a {type_name} cannot be a label; what has it is left out"));
                return None;
            };
            if let Some(kind) = kind_before(type_name) {
                let passed = match kind {
                    kind if kind == before => 1,
                    kind if kind == before_that => 2,
                    _ => {
                        self.warnings
                            .push(format!("index {name}: no {kind} is before it; what has it is left out"));
                        return None;
                    }
                };
                indexes.truncate(indexes.len().saturating_sub(passed));
            }
            (before_that, before) = (before, &index.convention);
            indexes.push(Index {
                labelname: name.clone(),
                index_type,
                fixed_size: index.fixed,
                implied: object.implied && count + 1 == object.indexes.len(),
                enum_values: enum_values(index),
            });
        }
        Some(indexes)
    }

    /// Adds the labels that come from other columns.
    fn lookups(&mut self, (metric, at): &mut (Metric, usize)) -> Result<(), String> {
        let oid = &*self.object(*at)?.oid;
        let mut without = Vec::new();
        for lookup in &self.named.lookups {
            let sources = &lookup.source_indexes;
            let has = |index: &Index| sources.iter().filter(|source| ***source == *index.labelname).count();
            if metric.indexes.iter().map(has).sum::<usize>() != sources.len() {
                continue;
            }
            let name = &lookup.lookup;
            let Some(first) = self.scope.named(name) else {
                return Err(format!("lookups: no MIB defines {name}"));
            };
            let from = self.column_near(name, oid).unwrap_or(first);
            let column = self.object(from)?;
            let Some(type_name) = self.type_of(from) else {
                return Err(format!("lookups: {name} is of a type that is no label"));
            };
            let type_name = self.label_type(from, type_name);
            // The released snmp_exporter reads no file with words for a lookup's numbers: they are there if wanted.
            let has_words = self.enum_labels || type_name == "EnumAsInfo";
            let enum_values = if has_words { enum_values(column) } else { EnumValues::default() };
            let labelname = label(&column.label);
            let display_hint = match lookup.display_hint.as_deref() {
                Some("@mib") => column.hint.clone(),
                other => other.map(Into::into),
            };
            metric.lookups.push(Lookup {
                labels: sources.iter().map(|source| label(source)).collect(),
                labelname: labelname.clone(),
                oid: Some(column.oid.parse().map_err(|error| format!("{}: {error}", column.oid))?),
                text_type: TextType::from_name(type_name),
                enum_values: enum_values.clone(),
                display_hint,
            });
            let further =
                |lookup: &NamedLookup| lookup.source_indexes.iter().any(|source| **source == *labelname);
            if self.named.lookups.iter().any(further) {
                let Some(index_type) = IndexType::from_name(type_name) else {
                    return Err(format!("lookups: {name} is of type {type_name}, which cannot be an index"));
                };
                metric.indexes.push(Index {
                    labelname,
                    index_type,
                    fixed_size: 0,
                    implied: false,
                    enum_values,
                });
            }
            self.want_beside(oid, &column.oid);
            self.filter_like(&column.oid, oid);
            if lookup.drop_source_indexes {
                without.extend(sources.iter().map(|source| label(source)));
            }
        }
        metric.lookups.extend(without.into_iter().map(Lookup::without));
        Ok(())
    }

    /// Of several objects of a label, the one in the metric's own table.
    fn column_near(&self, name: &str, oid: &str) -> Option<usize> {
        let (table, _) = oid.rsplit_once('.')?;
        let objects = &self.scope.objects;
        let near = |at: &&usize| objects.get(**at).is_some_and(|object| object.oid.starts_with(table));
        self.scope.labelled(name).iter().find(near).copied()
    }

    /// Asks for a column, or for its cells where only those of the metric are asked for.
    fn want_beside(&mut self, oid: &str, column: &str) {
        match self.instances.get(oid) {
            Some(cells) => self.wanted.extend(cells.iter().map(|cell| format!("{column}{cell}."))),
            None => drop(self.wanted.insert(column.to_owned())),
        }
    }

    /// Where the column of a lookup is filtered, so is the metric.
    fn filter_like(&mut self, column: &str, oid: &str) {
        // Of several filters of one column the last counts.
        let targets = |filter: &&StaticFilter| filter.targets.iter().any(|target| self.oid(target) == column);
        let Some(filter) = self.named.filters.fixed.iter().rev().find(targets) else { return };
        self.wanted.remove(oid);
        self.wanted.extend(filter.indices.iter().map(|index| format!("{oid}.{index}.")));
    }
}

/// What is said about metrics by hand.
impl Resolver<'_> {
    /// An address is one if the column before tells its kind, and octets if not.
    fn address(&mut self, metric: &mut Metric) {
        let type_name = metric.metric_type.to_string();
        if !matches!(&*type_name, "InetAddress" | "InetAddressMissingSize") {
            return;
        }
        let oid = metric.oid.to_string();
        let before = oid.rsplit_once('.').and_then(|(above, arc)| {
            let arc = arc.parse::<u32>().ok()?.checked_sub(1)?;
            Some(format!("{above}.{arc}"))
        });
        let kind = before.as_deref().and_then(|before| self.scope.objects.get(self.scope.named(before)?));
        match kind {
            Some(kind) if &*kind.convention == "InetAddressType" => self.want_beside(&oid, &kind.oid),
            _ => metric.metric_type = metric_type("OctetString"),
        }
    }

    /// Applies what the module says about a metric.
    fn adjust(&mut self, metric: &mut Metric) {
        let oid = metric.oid.to_string();
        for (name, given) in &self.named.overrides {
            if **name != *metric.name && **name != oid {
                continue;
            }
            metric.regex_extracts.clone_from(&given.regex_extracts);
            metric.datetime_pattern.clone_from(&given.datetime_pattern);
            metric.offset = given.offset;
            metric.scale = given.scale;
            metric.unit.clone_from(&given.unit);
            if let Some(help) = &given.help {
                metric.help = Text::from(help.clone());
            }
            match given.display_hint.as_deref() {
                Some("@mib") => {
                    let object = self.scope.named(&oid).and_then(|at| self.scope.objects.get(at));
                    metric.display_hint = object.and_then(|object| object.hint.clone());
                    if metric.display_hint.is_none() {
                        self.warnings.push(format!("overrides: {name}: its MIB has no display hint"));
                    }
                }
                Some(hint) => metric.display_hint = Some(hint.into()),
                None => {}
            }
            if let Some(name) = &given.name {
                metric.name = Text::from(name.clone());
            }
        }
    }

    /// Numbers in the base unit that the MIB tells, unless something was said about them by hand.
    fn measure(&self, metric: &mut Metric, at: usize) {
        let is_number = matches!(metric.metric_type, MetricType::Gauge | MetricType::Counter);
        let by_hand = metric.unit.is_some() || metric.scale != 0.0 || metric.offset != 0.0;
        let object = self.scope.objects.get(at).filter(|_| is_number && !by_hand);
        // A hint such as d-1 moves the point, and clauses do not tell whether they mean the number before or after.
        let object =
            object.filter(|object| !object.hint.as_deref().is_some_and(|hint| hint.starts_with("d-")));
        let Some((unit, factor)) = object.and_then(|object| units::unit(object.units.as_deref()?)) else {
            return;
        };
        metric.unit = Some(unit);
        if factor != 1.0 {
            metric.scale = factor;
        }
    }

    /// Of filtered columns only some rows are asked for.
    fn filter(&mut self) {
        for filter in &self.named.filters.fixed {
            for target in &filter.targets {
                let oid = self.oid(target);
                self.wanted.remove(oid);
                self.wanted.extend(filter.indices.iter().map(|index| format!("{oid}.{index}.")));
            }
        }
    }
}

/// Identifiers without those beneath others. They come sorted as texts are.
fn minimal<'b>(oids: impl Iterator<Item = &'b str>) -> Vec<&'b str> {
    let mut minimal: Vec<&str> = Vec::new();
    for oid in oids {
        let beneath = minimal.last().is_some_and(|above| {
            let rest = oid.strip_prefix(above);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        });
        if !beneath {
            minimal.push(oid);
        }
    }
    minimal
}

fn metric_type(name: &str) -> MetricType {
    MetricType::from_name(name).unwrap_or_else(|| MetricType::Text(name.into()))
}

/// The convention that has to stand before an index of this type.
fn kind_before(type_name: &str) -> Option<&'static str> {
    match type_name {
        "InetAddress" | "InetAddressMissingSize" => Some("InetAddressType"),
        "LldpPortId" => Some("LldpPortIdSubtype"),
        _ => None,
    }
}

fn enum_values(object: &Object) -> EnumValues {
    object.enums.clone().map(EnumValues::from).unwrap_or_default()
}

/// A name that a label may have.
fn label(name: &str) -> Box<str> {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect::<String>().into()
}
