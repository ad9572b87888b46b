//! What pages are in each format, under either naming.

use openmetrics::format::{Format, decode, encode};
use openmetrics::model::{LabelSet, MetricSet, MetricType, MetricValue};

use super::*;
use crate::config::Config;

const METRICS: &str = "
modules:
  m:
    walk: [1.3.6]
    metrics:
    - {name: ifHCInOctets, oid: 1.3.6.1, type: counter, help: In., indexes: [{labelname: ifIndex, type: gauge}]}
    - {name: ifMtu, oid: 1.3.6.2, type: gauge, help: Largest., indexes: [{labelname: ifIndex, type: gauge}]}
    - {name: ifOperStatus, oid: 1.3.6.3, type: EnumAsStateSet, help: Now., enum_values: {1: up, 2: down},
       indexes: [{labelname: ifIndex, type: gauge}]}
    - {name: ifType, oid: 1.3.6.4, type: EnumAsInfo, help: Kind., enum_values: {6: ethernetCsmacd},
       indexes: [{labelname: ifIndex, type: gauge}]}
    - {name: sysName, oid: 1.3.6.5, type: DisplayString, help: Name.}
    - {name: alarms, oid: 1.3.6.6, type: Bits, help: On., enum_values: {0: fan, 1: power}}
    - {name: hrSystemDate, oid: 1.3.6.7, type: DateAndTime, help: Date.}
";

fn columns() -> Vec<Arc<Column>> {
    let rows: [(&[u32], Value<'_>); 8] = [
        (&[1, 1], Value::Counter64(u64::MAX)),
        (&[1, 2], Value::Counter64((1 << 53) + 1)),
        (&[2, 1], Value::Integer(1500)),
        (&[3, 1], Value::Integer(1)),
        (&[4, 1], Value::Integer(6)),
        (&[5, 0], Value::Octets(b"core")),
        (&[6, 0], Value::Octets(&[0x40])),
        (&[7, 0], Value::Octets(&[7, 232, 2, 29, 13, 30, 15, 0])),
    ];
    let mut columns: Vec<Column> = Vec::new();
    for (arcs, value) in rows {
        let prefix = Oid::from(&[1, 3, 6, arcs[0]][..]);
        if columns.last().is_none_or(|column| *column.prefix() != prefix) {
            columns.push(Column::new(prefix));
        }
        columns.last_mut().unwrap().push(&arcs[1..], value);
    }
    columns.into_iter().map(Arc::new).collect()
}

fn page(config: &str, columns: &[Arc<Column>], format: Format) -> Vec<u8> {
    let config = Config::parse(config).unwrap();
    let mut metrics = Metrics::new(true);
    for module in config.modules.values() {
        metrics.add(module, config.naming_of(module), columns);
    }
    let mut page = Vec::new();
    let report = encode(&metrics, format, &mut page);
    assert!(
        report.is_clean() && metrics.dropped().is_empty(),
        "{:?} {:?}",
        report.refusals(),
        metrics.dropped()
    );
    page
}

fn text(config: &str, format: Format) -> String {
    String::from_utf8(page(config, &columns(), format)).unwrap()
}

const OPENMETRICS: &str = "naming: openmetrics";

/// Upstream's page, comments aside.
const UPSTREAM: [&str; 11] = [
    "ifHCInOctets{ifIndex=\"1\"} 2047",
    "ifHCInOctets{ifIndex=\"2\"} 1",
    "ifMtu{ifIndex=\"1\"} 1500",
    "ifOperStatus{ifIndex=\"1\",ifOperStatus=\"up\"} 1",
    "ifOperStatus{ifIndex=\"1\",ifOperStatus=\"down\"} 0",
    "ifType_info{ifIndex=\"1\",ifType=\"ethernetCsmacd\"} 1",
    "sysName{sysName=\"core\"} 1",
    "alarms{alarms=\"fan\"} 0",
    "alarms{alarms=\"power\"} 1",
    "hrSystemDate 1709213415",
    "# EOF",
];

#[test]
fn by_default_names_are_upstreams_in_every_text() {
    let expected = |wrapped: u64| UPSTREAM.map(|line| line.replace("2047", &wrapped.to_string()));
    let wrapped = u64::MAX % (1 << 53);
    for format in Format::SERVED.into_iter().take(4) {
        let page = text(METRICS, format);
        let is_open = page.ends_with("# EOF\n");
        let lines: Vec<&str> =
            page.lines().filter(|line| !line.starts_with("# ") || *line == "# EOF").collect();
        assert_eq!(lines, expected(wrapped)[..lines.len()], "{format}");
        assert_eq!(lines.len(), if is_open { 11 } else { 10 }, "{format}");
        let says = |line: &str| page.lines().any(|found| found == line);
        // OpenMetrics 1.0 has no word for a counter whose name does not say so.
        let counter = if format == Format::OPENMETRICS_1_0 { "unknown" } else { "counter" };
        assert!(says(&format!("# TYPE ifHCInOctets {counter}")), "{page}");
        assert!(says("# TYPE ifOperStatus gauge") && says("# TYPE ifType_info gauge"), "{page}");
        assert!(says("# HELP ifOperStatus Now. (EnumAsStateSet)") && !page.contains("# UNIT"), "{page}");
    }
}

#[test]
fn by_default_names_are_upstreams_in_protobuf() {
    for format in Format::SERVED.into_iter().skip(4) {
        let set = decode(&page(METRICS, &columns(), format), format).unwrap();
        let names: Vec<&str> = set.families.iter().map(|family| family.descriptor.name().as_str()).collect();
        let upstream =
            ["ifHCInOctets", "ifMtu", "ifOperStatus", "ifType_info", "sysName", "alarms", "hrSystemDate"];
        assert_eq!(names, upstream, "{format}");
    }
}

/// The whole page that is OpenMetrics' own.
const OWN: &str = r#"# TYPE ifHCInOctets_bytes counter
# UNIT ifHCInOctets_bytes bytes
# HELP ifHCInOctets_bytes In.
ifHCInOctets_bytes_total{ifIndex="1"} 18446744073709551615
ifHCInOctets_bytes_total{ifIndex="2"} 9007199254740993
# TYPE ifMtu gauge
# HELP ifMtu Largest.
ifMtu{ifIndex="1"} 1500
# TYPE ifOperStatus stateset
# HELP ifOperStatus Now.
ifOperStatus{ifIndex="1",ifOperStatus="up"} 1
ifOperStatus{ifIndex="1",ifOperStatus="down"} 0
# TYPE ifType info
# HELP ifType Kind.
ifType_info{ifIndex="1",ifType="ethernetCsmacd"} 1
# TYPE sysName info
# HELP sysName Name.
sysName_info{sysName="core"} 1
# TYPE alarms stateset
# HELP alarms On.
alarms{alarms="fan"} 0
alarms{alarms="power"} 1
# TYPE hrSystemDate_timestamp_seconds gauge
# UNIT hrSystemDate_timestamp_seconds seconds
# HELP hrSystemDate_timestamp_seconds Date.
hrSystemDate_timestamp_seconds 1709213415
# EOF
"#;

#[test]
fn openmetrics_when_asked_for() {
    assert_eq!(text(&format!("{OPENMETRICS}{METRICS}"), Format::OPENMETRICS_1_0), OWN);
    let in_module = METRICS.replace("    walk", "    naming: openmetrics\n    walk");
    assert_eq!(text(&in_module, Format::OPENMETRICS_1_0), OWN);
    let but_not_in_module = METRICS.replace("    walk", "    naming: snmp_exporter\n    walk");
    let page = text(&format!("{OPENMETRICS}{but_not_in_module}"), Format::TEXT_0_0_4);
    assert_eq!(page, text(METRICS, Format::TEXT_0_0_4));
}

#[test]
fn openmetrics_in_every_format() {
    let config = format!("{OPENMETRICS}{METRICS}");
    let own = decode(OWN.as_bytes(), Format::OPENMETRICS_1_0).unwrap();
    for format in Format::SERVED {
        let set = decode(&page(&config, &columns(), format), format).unwrap();
        let kinds: Vec<(&str, MetricType)> = kinds(&set);
        // What a format has no type for is told as what comes nearest, and under the same names.
        let is_open =
            ![Format::TEXT_0_0_4, Format::TEXT_1_0_0, Format::PROMETHEUS_PROTOBUF].contains(&format);
        let info = |family| if is_open { (family, MetricType::Info) } else { (family, MetricType::Gauge) };
        let states =
            |family| if is_open { (family, MetricType::StateSet) } else { (family, MetricType::Gauge) };
        assert_eq!(
            kinds,
            [
                ("ifHCInOctets_bytes", MetricType::Counter),
                ("ifMtu", MetricType::Gauge),
                states("ifOperStatus"),
                info(if is_open { "ifType" } else { "ifType_info" }),
                info(if is_open { "sysName" } else { "sysName_info" }),
                states("alarms"),
                ("hrSystemDate_timestamp_seconds", MetricType::Gauge),
            ],
            "{format}"
        );
        for (family, expected) in set.families.iter().zip(&own.families) {
            assert_eq!(family.descriptor.help(), expected.descriptor.help(), "{format}");
        }
    }
}

fn kinds(set: &MetricSet) -> Vec<(&str, MetricType)> {
    let kinds = set.families.iter().map(|family| &family.descriptor);
    kinds.map(|descriptor| (descriptor.name().as_str(), descriptor.metric_type())).collect()
}

#[test]
fn names_that_clash_are_told_apart() {
    let config = "
naming: openmetrics
modules:
  m:
    walk: [1.3.6]
    metrics:
    - {name: sent, oid: 1.3.6.1, type: counter}
    - {name: sent_total, oid: 1.3.6.2, type: gauge}
    - {name: sent, oid: 1.3.6.3, type: gauge}
    - {name: 'sent.total', oid: 1.3.6.4, type: gauge}
    - {name: state, oid: 1.3.6.5, type: gauge}
    - {name: state, oid: 1.3.6.6, type: EnumAsInfo}
    - {name: state_info, oid: 1.3.6.7, type: EnumAsStateSet, enum_values: {1: a, 2: a, 3: ''}}
    - {name: a-b, oid: 1.3.6.8, type: counter, indexes: [{labelname: i, type: gauge}]}
    - {name: a_b, oid: 1.3.6.9, type: counter, indexes: [{labelname: j, type: gauge}]}
";
    let columns: Vec<Arc<Column>> = (1..10)
        .map(|arc| {
            let mut column = Column::new(Oid::from(&[1, 3, 6, arc][..]));
            column.push(&[0], Value::Integer(1));
            Arc::new(column)
        })
        .collect();
    let own = page(config, &columns, Format::OPENMETRICS_1_0);
    let own = String::from_utf8(own).unwrap();
    let samples: Vec<&str> = own.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "sent_total 1",
        "sent_total_gauge 1",
        "sent_gauge 1",
        "sent_total_gauge_2 1",
        "state 1",
        "state_info_info{state=\"1\"} 1",
        "state_info_stateset{state_info_stateset=\"a\"} 1",
        "a_b_total{i=\"0\"} 1",
        "a_b_counter_total{j=\"0\"} 1",
    ];
    assert_eq!(samples, expected, "{own}");
    for format in Format::SERVED {
        decode(&page(config, &columns, format), format).unwrap();
    }
}

#[test]
fn rows_that_two_modules_tell_alike_stay_one_each() {
    let module =
        "{walk: [1.3.6], metrics: [{name: n, oid: 1.3.6.3, type: EnumAsStateSet, enum_values: {1: on}}]}";
    let config =
        Config::parse(&format!("naming: openmetrics\nmodules: {{a: {module}, b: {module}}}\n")).unwrap();
    let (columns, mut metrics) = (columns(), Metrics::new(true));
    for module in config.modules.values() {
        metrics.add(module, config.naming_of(module), &columns);
    }
    let (set, report) = MetricSet::collect_from(&metrics);
    assert_eq!(kinds(&set), [("n", MetricType::StateSet)]);
    assert_eq!(set.families[0].metrics.len(), 1);
    assert!(set.families[0].metrics[0].labels == LabelSet::default(), "{report:?}");
    let MetricValue::StateSet(states) = &set.families[0].metrics[0].points[0].value else {
        panic!("{set:?}")
    };
    assert_eq!(states.len(), 1);
}
