//! What has to be asked of a device for a module.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::config::{Filter, MetricType, Module, TextType};
use crate::labels::previous;
use crate::oid::Oid;
use crate::rows::Column;
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
    let variables: BTreeSet<&Oid> = get.iter().collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::message::Value;

    fn column(oid: &str, rows: &[(&[u32], Value<'_>)]) -> Column {
        let mut column = Column::new(oid.parse().unwrap());
        for (index, value) in rows {
            column.push(index, *value);
        }
        column
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
