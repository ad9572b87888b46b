//! What a metric is in OpenMetrics: its family's name, type and unit.
//!
//! A name stays what it is as far as it can, so that whoever knows the MIB finds it: what OpenMetrics asks for comes after
//! it (`ifHCInOctets_bytes_total`).

use openmetrics::model::{Descriptor, MetricName, MetricType as FamilyType, Naming, Unit, units};

use crate::config::{Metric, MetricType};

/// The family of a metric, or of what is extracted from it under the name that ends in `extracted`.
///
/// A configuration says nothing about units, so they are told of what is sure to have one: dates, what a `unit` key or
/// the end of a name (`_seconds`) says, and counters of octets.
pub(crate) fn family(metric: &Metric, extracted: Option<&str>) -> Descriptor {
    let given = format!("{}{}", metric.name, extracted.unwrap_or_default());
    let (family_type, suffix) = match metric.metric_type {
        _ if extracted.is_some() => (FamilyType::Gauge, ""),
        MetricType::Counter => (FamilyType::Counter, "_total"),
        MetricType::EnumAsInfo | MetricType::Text(_) => (FamilyType::Info, "_info"),
        MetricType::EnumAsStateSet | MetricType::Bits => (FamilyType::StateSet, ""),
        _ => (FamilyType::Gauge, ""),
    };
    let mut name = classic(&given);
    if let Some(length @ 1..) = name.strip_suffix(suffix).map(str::len) {
        name.truncate(length);
    }
    let is_number = matches!(family_type, FamilyType::Gauge | FamilyType::Counter);
    let unit = if is_number { unit_of(metric, &name, extracted.is_some()) } else { None };
    if let Some(unit) = &unit {
        end_in(&mut name, metric, unit.as_str());
    }
    let descriptor = Descriptor::new(valid(name), family_type).with_help(metric.help.clone());
    unit.into_iter().fold(descriptor, Descriptor::with_unit)
}

/// The same family under the `count`th other name, for when what it would be called is taken.
pub(crate) fn renamed(descriptor: &Descriptor, count: u32) -> Descriptor {
    let unit = descriptor.unit().map(|unit| format!("_{unit}")).unwrap_or_default();
    let name = descriptor.name().as_str();
    let name = name.strip_suffix(&*unit).unwrap_or(name);
    let number = if count > 1 { format!("_{count}") } else { String::new() };
    let name = format!("{name}_{}{number}{unit}", descriptor.metric_type());
    descriptor.clone().with_name(valid(name))
}

/// The names that samples of a family have in one format or another.
pub(crate) fn sample_names(descriptor: &Descriptor) -> impl Iterator<Item = String> {
    let suffixes: &[&str] = match (descriptor.metric_type(), descriptor.naming()) {
        (FamilyType::Counter, Naming::Standard) => &["", "_total", "_created"],
        (FamilyType::Info, Naming::Standard) => &["", "_info"],
        _ => &[""],
    };
    suffixes.iter().map(|suffix| format!("{}{suffix}", descriptor.name()))
}

fn is_date(metric: &Metric) -> bool {
    matches!(
        metric.metric_type,
        MetricType::DateAndTime | MetricType::ParseDateAndTime | MetricType::NtpTimeStamp
    )
}

fn unit_of(metric: &Metric, name: &str, extracted: bool) -> Option<Unit> {
    let is_scaled = metric.scale != 0.0 || metric.offset != 0.0;
    if is_date(metric) && !is_scaled {
        return Some(Unit::SECONDS);
    }
    if metric.unit.is_some() && !extracted {
        return metric.unit.clone();
    }
    let last = name.rsplit_once('_').map(|(_, last)| last);
    if let Some(base) = units::BASE.into_iter().find(|base| last == Some(*base)) {
        return Unit::new(base).ok();
    }
    let octets = metric.metric_type == MetricType::Counter && !is_scaled && counts_octets(name);
    octets.then_some(Unit::BYTES)
}

/// Whether a counter of this name counts octets: `ifHCInOctets`, but not packets by their length
/// (`etherStatsPkts65to127Octets`), the upper half of a number (`rptrMonitorPortUpper32Octets`), nor how often one ran over
/// (`dsmonStatsInOvflOctets`). Names that end in `Bytes` are not that sure: some of them count thousands.
fn counts_octets(name: &str) -> bool {
    const OTHERS: [&str; 7] = ["Pkts", "Packets", "Frames", "Overflow", "Ovfl", "Upper", "Low"];
    name.strip_suffix("Octets").is_some_and(|before| {
        before.ends_with(|c: char| c.is_ascii_alphabetic())
            && !["High", "Hi", "Lo", "Kilo", "Mega", "Of", "Per"].iter().any(|end| before.ends_with(end))
            && !OTHERS.iter().any(|other| before.contains(other))
    })
}

fn end_in(name: &mut String, metric: &Metric, unit: &str) {
    if name.strip_suffix(unit).is_some_and(|before| before.ends_with('_')) {
        return;
    }
    if is_date(metric) && !name.ends_with("_timestamp") {
        name.push_str("_timestamp");
    }
    name.push('_');
    name.push_str(unit);
}

/// A name of letters, digits and underscores that begins with a letter: one that nothing has to be escaped in, and that
/// a stateset's label may have.
fn classic(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let clean = clean.trim_start_matches('_');
    if clean.starts_with(|c: char| c.is_ascii_alphabetic()) { clean.into() } else { format!("snmp_{clean}") }
}

fn valid(name: String) -> MetricName {
    MetricName::new(name).unwrap_or(MetricName::from_static("snmp_unnamed")) // not reached: it is classic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn told(metric: &str, extracted: Option<&str>) -> String {
        let text = format!("modules: {{m: {{walk: [1.3.6], metrics: [{{oid: 1.3.6.1, {metric}}}]}}}}\n");
        let module = Config::parse(&text).unwrap().modules.remove("m").unwrap();
        let family = family(&module.metrics[0], extracted);
        let unit = family.unit().map_or("", Unit::as_str);
        format!("{} {} {unit}", family.name(), family.metric_type()).trim_end().to_owned()
    }

    #[test]
    fn types_and_names() {
        for (metric, expected) in [
            ("name: ifInErrors, type: counter", "ifInErrors counter"),
            ("name: app_errors_total, type: counter", "app_errors counter"),
            ("name: _total, type: counter", "total counter"),
            ("name: ifMtu, type: gauge", "ifMtu gauge"),
            ("name: laLoadFloat, type: Float", "laLoadFloat gauge"),
            ("name: ifType, type: EnumAsInfo", "ifType info"),
            ("name: sysName, type: DisplayString", "sysName info"),
            ("name: chassis_info, type: PhysAddress48", "chassis info"),
            ("name: ifOperStatus, type: EnumAsStateSet", "ifOperStatus stateset"),
            ("name: alarms, type: Bits", "alarms stateset"),
            ("name: 'disk.1-used', type: gauge", "disk_1_used gauge"),
            ("name: '1:é', type: gauge", "snmp_1__ gauge"),
            ("name: __name, type: gauge", "name gauge"),
        ] {
            assert_eq!(told(metric, None), expected, "{metric}");
        }
    }

    #[test]
    fn units_where_they_are_sure() {
        for (metric, expected) in [
            ("name: ifHCInOctets, type: counter", "ifHCInOctets_bytes counter bytes"),
            ("name: sent_bytes_total, type: counter", "sent_bytes counter bytes"),
            ("name: ifHCInOctets, type: counter, scale: 8", "ifHCInOctets counter"),
            ("name: etherStatsPkts65to127Octets, type: counter", "etherStatsPkts65to127Octets counter"),
            ("name: flowLogOctets, type: counter", "flowLogOctets_bytes counter bytes"),
            ("name: statsLowOctets, type: counter", "statsLowOctets counter"),
            ("name: txBytes, type: counter", "txBytes counter"),
            (
                "name: etherStatsHighCapacityOverflowOctets, type: counter",
                "etherStatsHighCapacityOverflowOctets counter",
            ),
            // A size, and nobody says of what multiple of octets.
            ("name: blockSizeBytes, type: gauge", "blockSizeBytes gauge"),
            ("name: cpuLoadLast5Seconds, type: gauge", "cpuLoadLast5Seconds gauge"),
            ("name: battery_seconds, type: gauge, scale: 0.01", "battery_seconds gauge seconds"),
            ("name: sysUpTime, type: gauge, scale: 0.01, unit: seconds", "sysUpTime_seconds gauge seconds"),
            ("name: outputVoltage, type: gauge, unit: volts", "outputVoltage_volts gauge volts"),
            ("name: ifType, type: EnumAsInfo, unit: seconds", "ifType info"),
            ("name: hrSystemDate, type: DateAndTime", "hrSystemDate_timestamp_seconds gauge seconds"),
            ("name: boot_timestamp_seconds, type: NTPTimeStamp", "boot_timestamp_seconds gauge seconds"),
        ] {
            assert_eq!(told(metric, None), expected, "{metric}");
        }
        let text = "name: state, type: DisplayString, unit: volts";
        assert_eq!(told(text, Some("_celsius")), "state_celsius gauge celsius");
        assert_eq!(told(text, Some("Temp")), "stateTemp gauge");
    }

    #[test]
    fn another_name_keeps_what_has_to_be_at_the_end() {
        let other = |name: &'static str, unit: Option<Unit>, count| {
            let descriptor = Descriptor::literal(name, FamilyType::Counter, "");
            renamed(&unit.into_iter().fold(descriptor, Descriptor::with_unit), count).name().to_string()
        };
        assert_eq!(other("sent", None, 1), "sent_counter");
        assert_eq!(other("sent", None, 2), "sent_counter_2");
        assert_eq!(other("sent_bytes", Some(Unit::BYTES), 1), "sent_counter_bytes");
    }
}
