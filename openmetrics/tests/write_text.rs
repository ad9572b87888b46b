//! Every metric type as every text format writes it: text against text.

use openmetrics::format::{Escaping, Format, Options, encode, encode_with};
use openmetrics::model::{
    ClassicBucket, Collected, Collector, Counts, Descriptor, Emitter, ExemplarRef, HistogramValue, Labels,
    MetricName, MetricType, Naming, NativeBucketsRef, Point, Quantile, Refusal, Report, Schema, SideRef,
    Span, State, SummaryValue, Timestamp, Unit, Value,
};

/// A collector made of a function.
struct From<F>(F);
impl<F: Fn(&mut Emitter<'_>)> Collector for From<F> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        (self.0)(out);
        Ok(())
    }
}

fn write(format: Format, options: Options, emit: impl Fn(&mut Emitter<'_>)) -> (String, Report) {
    let mut out = Vec::new();
    let report = encode_with(&From(emit), format, options, &mut out);
    (String::from_utf8(out).unwrap(), report)
}

/// The text, which has to have taken everything.
fn text(format: Format, emit: impl Fn(&mut Emitter<'_>)) -> String {
    let (text, report) = write(format, Options::default(), emit);
    assert!(report.is_clean(), "{report:?}");
    text
}

/// The ids of the rules by which points were refused, and what was written all the same.
fn refused(format: Format, emit: impl Fn(&mut Emitter<'_>)) -> (Vec<&'static str>, String) {
    let (text, report) = write(format, Options::default(), emit);
    (report.refusals().iter().map(Refusal::rule).collect(), text)
}

const START: Timestamp = Timestamp::from_millis(1_520_430_000_123);
const TIME: Timestamp = Timestamp::from_millis(1_520_879_607_789);

const fn family(name: &'static str, metric_type: MetricType) -> Descriptor {
    Descriptor::literal(name, metric_type, "")
}

/// One family of each type.
fn all_types(out: &mut Emitter<'_>) {
    let trace = [("trace_id", "KOO5S4vxi0o")];
    let exemplars = [
        ExemplarRef { labels: Labels::new(&trace), value: 0.67.into(), timestamp: Some(TIME) },
        ExemplarRef { labels: Labels::EMPTY, value: 9.8.into(), timestamp: None },
    ];
    let buckets = [
        ClassicBucket { upper_bound: 0.01, count: 0_u64.into() },
        ClassicBucket { upper_bound: 1.0, count: 8_u64.into() },
        ClassicBucket { upper_bound: 1e6, count: 11_u64.into() },
    ];
    let requests = Descriptor::literal("requests", MetricType::Counter, "Served \"requests\",\nby\\path.");
    out.family(&requests).point(
        Labels::new(&[("path", "C:\\\"a\"\n"), ("code", "200")]),
        Point::from(17_u64).started(START).with_exemplars(&exemplars),
    );
    let temperature =
        Descriptor::literal_with_unit("room_celsius", MetricType::Gauge, Unit::CELSIUS, "Air temperature.");
    let mut rooms = out.family(&temperature);
    rooms.point(Labels::new(&[("room", "cellar")]), Point::from(11.0).at(TIME));
    rooms.point(Labels::EMPTY, -1.5e-7);
    out.family(&family("mode", MetricType::StateSet)).point(
        Labels::new(&[("device", "eth0")]),
        Value::StateSet(&[
            State { name: "half", enabled: false },
            State { name: "full \"duplex\"", enabled: true },
        ]),
    );
    out.family(&family("build", MetricType::Info))
        .point(Labels::new(&[("arch", "x86")]), Value::Info(Labels::new(&[("version", "1.2")])));
    let latency =
        Descriptor::literal_with_unit("latency_seconds", MetricType::Histogram, Unit::SECONDS, "Latency.");
    let histogram = HistogramValue::new(17_u64, Some(3.5.into())).with_classic(&buckets);
    out.family(&latency).point(
        Labels::new(&[("path", "/")]),
        Point::from(Value::Histogram(&histogram)).started(START).with_exemplars(&exemplars),
    );
    let queue = Descriptor::literal("queue", MetricType::GaugeHistogram, "Items.");
    let mut queues = out.family(&queue);
    for name in ["a", "b"] {
        queues.point(Labels::new(&[("name", name)]), Value::Histogram(&histogram));
    }
    let quantiles =
        [Quantile { quantile: 0.5, value: 2.0.into() }, Quantile { quantile: 1.0, value: f64::NAN.into() }];
    let summary = SummaryValue::new(Some(4_u64.into()), Some(8.25.into()), &quantiles);
    out.family(&family("rpc", MetricType::Summary))
        .point(Labels::EMPTY, Point::from(Value::Summary(&summary)).started(START).at(TIME));
    out.family(&family("foreign", MetricType::Unknown)).point(Labels::EMPTY, f64::NEG_INFINITY);
    let verbatim = |name| family(name, MetricType::Counter).with_naming(Naming::Verbatim);
    out.family(&verbatim("ifHCInOctets")).point(Labels::EMPTY, 5_u64);
    out.family(&verbatim("cpu_seconds_total")).point(Labels::EMPTY, 5.5);
}

#[test]
fn prometheus_text() {
    let expected = r#"# HELP requests_total Served "requests",\nby\\path.
# TYPE requests_total counter
requests_total{path="C:\\\"a\"\n",code="200"} 17
# HELP room_celsius Air temperature.
# TYPE room_celsius gauge
room_celsius{room="cellar"} 11 1520879607789
room_celsius -1.5e-07
# TYPE mode gauge
mode{device="eth0",mode="half"} 0
mode{device="eth0",mode="full \"duplex\""} 1
# TYPE build_info gauge
build_info{arch="x86",version="1.2"} 1
# HELP latency_seconds Latency.
# TYPE latency_seconds histogram
latency_seconds_bucket{path="/",le="0.01"} 0
latency_seconds_bucket{path="/",le="1"} 8
latency_seconds_bucket{path="/",le="1e+06"} 11
latency_seconds_bucket{path="/",le="+Inf"} 17
latency_seconds_sum{path="/"} 3.5
latency_seconds_count{path="/"} 17
# HELP queue Items.
# TYPE queue histogram
queue_bucket{name="a",le="0.01"} 0
queue_bucket{name="a",le="1"} 8
queue_bucket{name="a",le="1e+06"} 11
queue_bucket{name="a",le="+Inf"} 17
queue_bucket{name="b",le="0.01"} 0
queue_bucket{name="b",le="1"} 8
queue_bucket{name="b",le="1e+06"} 11
queue_bucket{name="b",le="+Inf"} 17
# HELP queue_gcount Items.
# TYPE queue_gcount gauge
queue_gcount{name="a"} 17
queue_gcount{name="b"} 17
# HELP queue_gsum Items.
# TYPE queue_gsum gauge
queue_gsum{name="a"} 3.5
queue_gsum{name="b"} 3.5
# TYPE rpc summary
rpc{quantile="0.5"} 2 1520879607789
rpc{quantile="1"} NaN 1520879607789
rpc_sum 8.25 1520879607789
rpc_count 4 1520879607789
# TYPE foreign untyped
foreign -Inf
# TYPE ifHCInOctets counter
ifHCInOctets 5
# TYPE cpu_seconds_total counter
cpu_seconds_total 5.5
"#;
    assert_eq!(text(Format::TEXT_0_0_4, all_types), expected);
    assert_eq!(text(Format::TEXT_1_0_0, all_types), expected, "1.0.0 differs in its quoted names only");
}

#[test]
fn open_metrics_1_0() {
    let expected = r#"# TYPE requests counter
# HELP requests Served \"requests\",\nby\\path.
requests_total{path="C:\\\"a\"\n",code="200"} 17 # {} 9.8
# TYPE room_celsius gauge
# UNIT room_celsius celsius
# HELP room_celsius Air temperature.
room_celsius{room="cellar"} 11.0 1520879607.789
room_celsius -1.5e-07
# TYPE mode stateset
mode{device="eth0",mode="half"} 0
mode{device="eth0",mode="full \"duplex\""} 1
# TYPE build info
build_info{arch="x86",version="1.2"} 1
# TYPE latency_seconds histogram
# UNIT latency_seconds seconds
# HELP latency_seconds Latency.
latency_seconds_bucket{path="/",le="0.01"} 0
latency_seconds_bucket{path="/",le="1.0"} 8 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.789
latency_seconds_bucket{path="/",le="1e+06"} 11 # {} 9.8
latency_seconds_bucket{path="/",le="+Inf"} 17
latency_seconds_count{path="/"} 17
latency_seconds_sum{path="/"} 3.5
# TYPE queue gaugehistogram
# HELP queue Items.
queue_bucket{name="a",le="0.01"} 0
queue_bucket{name="a",le="1.0"} 8
queue_bucket{name="a",le="1e+06"} 11
queue_bucket{name="a",le="+Inf"} 17
queue_gcount{name="a"} 17
queue_gsum{name="a"} 3.5
queue_bucket{name="b",le="0.01"} 0
queue_bucket{name="b",le="1.0"} 8
queue_bucket{name="b",le="1e+06"} 11
queue_bucket{name="b",le="+Inf"} 17
queue_gcount{name="b"} 17
queue_gsum{name="b"} 3.5
# TYPE rpc summary
rpc{quantile="0.5"} 2.0 1520879607.789
rpc{quantile="1.0"} NaN 1520879607.789
rpc_sum 8.25 1520879607.789
rpc_count 4 1520879607.789
# TYPE foreign unknown
foreign -Inf
# TYPE ifHCInOctets unknown
ifHCInOctets 5
# TYPE cpu_seconds counter
cpu_seconds_total 5.5
# EOF
"#;
    assert_eq!(text(Format::OPENMETRICS_1_0, all_types), expected);
}

#[test]
fn open_metrics_2_0() {
    let expected = r#"# TYPE requests_total counter
# HELP requests_total Served \"requests\",\nby\\path.
requests_total{path="C:\\\"a\"\n",code="200"} 17 st@1520430000.123 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.789
# TYPE room_celsius gauge
# UNIT room_celsius celsius
# HELP room_celsius Air temperature.
room_celsius{room="cellar"} 11.0 1520879607.789
room_celsius -1.5e-07
# TYPE mode stateset
mode{device="eth0",mode="half"} 0
mode{device="eth0",mode="full \"duplex\""} 1
# TYPE build_info info
build_info{arch="x86",version="1.2"} 1
# TYPE latency_seconds histogram
# UNIT latency_seconds seconds
# HELP latency_seconds Latency.
latency_seconds{path="/"} {count:17,sum:3.5,bucket:[0.01:0,1.0:8,1e+06:11,+Inf:17]} st@1520430000.123 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.789
# TYPE queue gaugehistogram
# HELP queue Items.
queue{name="a"} {gcount:17,gsum:3.5,bucket:[0.01:0,1.0:8,1e+06:11,+Inf:17]}
queue{name="b"} {gcount:17,gsum:3.5,bucket:[0.01:0,1.0:8,1e+06:11,+Inf:17]}
# TYPE rpc summary
rpc {count:4,sum:8.25,quantile:[0.5:2.0,1.0:NaN]} 1520879607.789 st@1520430000.123
# TYPE foreign unknown
foreign -Inf
# TYPE ifHCInOctets counter
ifHCInOctets 5
# TYPE cpu_seconds_total counter
cpu_seconds_total 5.5
# EOF
"#;
    assert_eq!(text(Format::OPENMETRICS_2_0, all_types), expected);
}

#[test]
fn created_samples_are_an_option() {
    let emit = |out: &mut Emitter<'_>| {
        let requests = Descriptor::literal("requests", MetricType::Counter, "Served.");
        let mut requests = out.family(&requests);
        for code in ["200", "500"] {
            requests.point(Labels::new(&[("code", code)]), Point::from(1_u64).started(START));
        }
        let histogram = HistogramValue::new(0_u64, Some(0.0.into()));
        out.family(&family("latency", MetricType::Histogram)).point(
            Labels::EMPTY,
            Point::from(Value::Histogram(&histogram)).started(Timestamp::from_seconds(7)),
        );
    };
    let options = Options::default().with_created_samples(true);
    assert_eq!(
        write(Format::OPENMETRICS_1_0, options, emit).0,
        r#"# TYPE requests counter
# HELP requests Served.
requests_total{code="200"} 1
requests_created{code="200"} 1520430000.123
requests_total{code="500"} 1
requests_created{code="500"} 1520430000.123
# TYPE latency histogram
latency_bucket{le="+Inf"} 0
latency_count 0
latency_sum 0.0
latency_created 7
# EOF
"#
    );
    assert_eq!(
        write(Format::TEXT_0_0_4, options, emit).0,
        r#"# HELP requests_total Served.
# TYPE requests_total counter
requests_total{code="200"} 1
requests_total{code="500"} 1
# HELP requests_created Served.
# TYPE requests_created gauge
requests_created{code="200"} 1520430000.123
requests_created{code="500"} 1520430000.123
# TYPE latency histogram
latency_bucket{le="+Inf"} 0
latency_sum 0
latency_count 0
# TYPE latency_created gauge
latency_created 7
"#
    );
}

fn native_histogram(out: &mut Emitter<'_>) {
    // Schema 1: bounds are 2^(i/2). Positive buckets 0, 1, 2 and 5; negative bucket 3, which ends at -2.
    let spans = [Span { offset: 0, length: 3 }, Span { offset: 2, length: 1 }];
    let native = NativeBucketsRef {
        schema: Schema::exponential(1).unwrap(),
        zero_threshold: 0.001,
        zero_count: 2_u64.into(),
        positive: SideRef { spans: &spans, counts: Counts::Integer(&[1, 2, 3, 4]) },
        negative: SideRef { spans: &[Span { offset: 3, length: 1 }], counts: Counts::Integer(&[5]) },
        custom_bounds: &[],
    };
    let histogram = HistogramValue::new(17_u64, Some(3.5.into())).with_native(native);
    out.family(&family("latency", MetricType::Histogram)).point(Labels::EMPTY, Value::Histogram(&histogram));
}

#[test]
fn native_histograms_fall_back_to_powers_of_two() {
    assert_eq!(
        text(Format::TEXT_0_0_4, native_histogram),
        r#"# TYPE latency histogram
latency_bucket{le="-2"} 5
latency_bucket{le="0.001"} 7
latency_bucket{le="1"} 8
latency_bucket{le="2"} 13
latency_bucket{le="4"} 13
latency_bucket{le="8"} 17
latency_bucket{le="+Inf"} 17
latency_sum 3.5
latency_count 17
"#
    );
    assert_eq!(
        text(Format::OPENMETRICS_1_0, native_histogram),
        r#"# TYPE latency histogram
latency_bucket{le="-2.0"} 5
latency_bucket{le="0.001"} 7
latency_bucket{le="1.0"} 8
latency_bucket{le="2.0"} 13
latency_bucket{le="4.0"} 13
latency_bucket{le="8.0"} 17
latency_bucket{le="+Inf"} 17
# EOF
"#,
        "no sum beside bounds below zero"
    );
    assert_eq!(
        text(Format::OPENMETRICS_2_0, native_histogram),
        "# TYPE latency histogram\nlatency {count:17,sum:3.5,schema:1,zero_threshold:0.001,zero_count:2,\
         negative_spans:[3:1],negative_buckets:[5],positive_spans:[0:3,2:1],positive_buckets:[1,2,3,4]}\n# EOF\n"
    );
}

/// A counter, a histogram and a stateset that need quotes or escaping.
fn utf8_names(out: &mut Emitter<'_>) {
    let utf8 = |name, t| Descriptor::new(MetricName::utf8(name).unwrap(), t);
    out.family(&utf8("http.requests", MetricType::Counter))
        .point(Labels::new(&[("service.name", "a"), ("code", "200")]), 1_u64);
    let histogram = HistogramValue::new(2_u64, Some(3_u64.into()));
    out.family(&utf8("a\"b", MetricType::Histogram)).point(Labels::EMPTY, Value::Histogram(&histogram));
    out.family(&utf8("on.off", MetricType::StateSet))
        .point(Labels::EMPTY, Value::StateSet(&[State { name: "on", enabled: true }]));
}

#[test]
fn names_outside_the_classic_grammar_are_quoted() {
    assert_eq!(
        text(Format::TEXT_1_0_0, utf8_names),
        r#"# TYPE "http.requests_total" counter
{"http.requests_total","service.name"="a",code="200"} 1
# TYPE "a\"b" histogram
{"a\"b_bucket",le="+Inf"} 2
{"a\"b_sum"} 3
{"a\"b_count"} 2
# TYPE "on.off" gauge
{"on.off","on.off"="on"} 1
"#
    );
    assert_eq!(
        text(Format::OPENMETRICS_2_0, utf8_names),
        r#"# TYPE "http.requests_total" counter
{"http.requests_total","service.name"="a",code="200"} 1
# TYPE "a\"b" histogram
{"a\"b"} {count:2,sum:3,bucket:[+Inf:2]}
# TYPE "on.off" stateset
{"on.off","on.off"="on"} 1
# EOF
"#
    );
}

#[test]
fn names_outside_the_classic_grammar_are_escaped() {
    assert_eq!(
        text(Format::OPENMETRICS_1_0, utf8_names),
        r#"# TYPE http_requests counter
http_requests_total{service_name="a",code="200"} 1
# TYPE a_b histogram
a_b_bucket{le="+Inf"} 2
a_b_count 2
a_b_sum 3
# TYPE on_off stateset
on_off{on_off="on"} 1
# EOF
"#
    );
    assert_eq!(
        text(Format::TEXT_0_0_4.with_escaping(Escaping::Values), utf8_names),
        r#"# TYPE U__http_2E_requests__total counter
U__http_2E_requests__total{U__service_2E_name="a",code="200"} 1
# TYPE U__a_22_b histogram
U__a_22_b_bucket{le="+Inf"} 2
U__a_22_b_sum 3
U__a_22_b_count 2
# TYPE U__on_2E_off gauge
U__on_2E_off{U__on_2E_off="on"} 1
"#
    );
    assert_eq!(
        text(Format::OPENMETRICS_1_0.with_escaping(Escaping::Dots), utf8_names),
        r#"# TYPE http_dot_requests_ counter
http_dot_requests__total{service_dot_name="a",code="200"} 1
# TYPE a_b histogram
a_b_bucket{le="+Inf"} 2
a_b_count 2
a_b_sum 3
# TYPE on_dot_off stateset
on_dot_off{on_dot_off="on"} 1
# EOF
"#
    );
}

#[test]
fn families_that_clash_after_escaping_are_refused() {
    let emit = |out: &mut Emitter<'_>| {
        let utf8 = |name| Descriptor::new(MetricName::utf8(name).unwrap(), MetricType::Gauge);
        out.value(&utf8("a.b"), 1_u64);
        out.value(&utf8("a_b"), 2_u64);
    };
    let (rules, page) = refused(Format::TEXT_0_0_4, emit);
    assert_eq!(rules, ["ESC-07"]);
    assert_eq!(page, "# TYPE a_b gauge\na_b 1\n");
    assert_eq!(
        text(Format::TEXT_1_0_0, emit),
        "# TYPE \"a.b\" gauge\n{\"a.b\"} 1\n# TYPE a_b gauge\na_b 2\n"
    );
}

#[test]
fn labels_that_clash_after_escaping_are_refused() {
    let emit = |out: &mut Emitter<'_>| {
        let x = family("x", MetricType::Gauge);
        let mut to = out.family(&x);
        to.point(Labels::new(&[("a.b", "1"), ("a_b", "2")]), 1_u64);
        to.point(Labels::new(&[("a_b", "=\"}{\\")]), 2_u64);
        to.point(Labels::new(&[("a.b", "=\"}{\\")]), 3_u64);
        to.point(Labels::new(&[("a.b", "2")]), 4_u64);
        to.point(Labels::new(&[("a:b", "2")]), 5_u64);
        to.point(Labels::new(&[("a_b", "2")]), 6_u64);
    };
    let (rules, page) = refused(Format::OPENMETRICS_1_0, emit);
    assert_eq!(rules, ["ESC-07"; 4], "one name in the output is one name in the model, throughout a family");
    assert_eq!(page, "# TYPE x gauge\nx{a_b=\"=\\\"}{\\\\\"} 2\nx{a_b=\"2\"} 6\n# EOF\n");
    assert_eq!(refused(Format::OPENMETRICS_2_0, emit).0.len(), 0);
}

#[test]
fn names_that_openmetrics_keeps_for_itself_are_refused() {
    let emit = |out: &mut Emitter<'_>| {
        out.value(&family("_a", MetricType::Gauge), 1_u64);
        let b = family("b", MetricType::Counter);
        let mut to = out.family(&b);
        to.point(Labels::new(&[("_c", "d")]), 1_u64);
        to.point(Labels::new(&[("c", "_d")]), 2_u64);
        out.value(&family("i", MetricType::Info), Value::Info(Labels::new(&[("_c", "d")])));
    };
    let (rules, page) = refused(Format::OPENMETRICS_1_0, emit);
    assert_eq!(rules, ["OM1-FAM-02", "OM1-LAB-01", "OM1-LAB-01"]);
    assert_eq!(page, "# TYPE b counter\nb_total{c=\"_d\"} 2\n# TYPE i info\n# EOF\n");
    assert_eq!(refused(Format::OPENMETRICS_2_0, emit).0, ["OM2-NAME-03"; 3]);
    assert_eq!(refused(Format::OPENMETRICS_PROTOBUF, emit).0, ["OM1-FAM-02", "OM1-LAB-01", "OM1-LAB-01"]);
    assert_eq!(
        text(Format::TEXT_0_0_4, emit),
        "# TYPE _a gauge\n_a 1\n# TYPE b_total counter\nb_total{_c=\"d\"} 1\nb_total{c=\"_d\"} 2\n\
         # TYPE i_info gauge\ni_info{_c=\"d\"} 1\n"
    );
    // What counts is the name as it is written.
    let dotted = |out: &mut Emitter<'_>| {
        out.value(&Descriptor::new(MetricName::utf8(".a").unwrap(), MetricType::Gauge), 1_u64);
    };
    assert_eq!(refused(Format::OPENMETRICS_1_0, dotted).0, ["OM1-FAM-02"]);
    assert_eq!(text(Format::OPENMETRICS_2_0, dotted), "# TYPE \".a\" gauge\n{\".a\"} 1\n# EOF\n");
}

#[test]
fn names_kept_by_openmetrics_are_refused_from_a_registry_too() {
    let registry = openmetrics::Registry::new();
    let requests: openmetrics::Family<[&str; 1], openmetrics::Counter> =
        registry.metric("requests", "").labels(["_shard"]).register().unwrap();
    requests.with(["1"]).inc();
    requests.with(["2"]).inc();
    for format in [Format::OPENMETRICS_1_0, Format::OPENMETRICS_PROTOBUF] {
        let report = openmetrics::format::encode(&registry, format, &mut Vec::new());
        assert_eq!(report.refusals().iter().map(Refusal::rule).collect::<Vec<_>>(), ["OM1-LAB-01"; 2]);
    }
}

#[test]
fn a_stateset_whose_name_is_no_label_name_is_refused() {
    let emit = |out: &mut Emitter<'_>| {
        out.value(
            &family("a:b", MetricType::StateSet),
            Value::StateSet(&[State { name: "x", enabled: true }]),
        );
    };
    assert_eq!(refused(Format::OPENMETRICS_1_0, emit), (vec!["OM1-SS-01"], "# EOF\n".to_owned()));
    assert_eq!(text(Format::OPENMETRICS_2_0, emit), "# TYPE a:b stateset\na:b{\"a:b\"=\"x\"} 1\n# EOF\n");
    assert_eq!(text(Format::TEXT_0_0_4, emit), "# TYPE a:b gauge\na:b{a_b=\"x\"} 1\n");
}

#[test]
fn a_series_has_one_line_in_prometheus_text() {
    let emit = |out: &mut Emitter<'_>| {
        let at = |seconds| Point::from(1_u64).at(Timestamp::from_seconds(seconds));
        let a = family("a", MetricType::Gauge);
        let mut to = out.family(&a);
        to.point(Labels::new(&[("b", "1"), ("c", "1")]), at(1));
        to.point(Labels::new(&[("c", "1"), ("b", "1")]), at(2));
        to.point(Labels::new(&[("b", "2")]), at(1));
    };
    let (rules, page) = refused(Format::TEXT_0_0_4, emit);
    assert_eq!(rules, ["P4-19"]);
    assert_eq!(page, "# TYPE a gauge\na{b=\"1\",c=\"1\"} 1 1000\na{b=\"2\"} 1 1000\n");
    assert_eq!(refused(Format::OPENMETRICS_1_0, emit).0, [""; 0]);
}

#[test]
fn the_times_of_a_state_stand_together_in_openmetrics_2() {
    let emit = |out: &mut Emitter<'_>| {
        let light = family("light", MetricType::StateSet);
        let mut to = out.family(&light);
        let point = |on, at| {
            [State { name: "on", enabled: on }, State { name: "off", enabled: !on }]
                .map(|state| (state, Timestamp::from_seconds(at)))
        };
        for (room, on, at) in [("1", true, 1), ("1", false, 2), ("2", true, 1)] {
            let [(first, at), (second, _)] = point(on, at);
            let states = [first, second];
            to.point(Labels::new(&[("room", room)]), Point::from(Value::StateSet(&states)).at(at));
        }
        out.value(&family("b", MetricType::Gauge), 1_u64);
    };
    let page = text(Format::OPENMETRICS_2_0, emit);
    assert_eq!(
        page,
        "# TYPE light stateset\n\
         light{room=\"1\",light=\"on\"} 1 1\n\
         light{room=\"1\",light=\"on\"} 0 2\n\
         light{room=\"1\",light=\"off\"} 0 1\n\
         light{room=\"1\",light=\"off\"} 1 2\n\
         light{room=\"2\",light=\"on\"} 1 1\n\
         light{room=\"2\",light=\"off\"} 0 1\n\
         # TYPE b gauge\nb 1\n# EOF\n"
    );
    #[cfg(feature = "parse")]
    {
        let set = openmetrics::format::decode(page.as_bytes(), Format::OPENMETRICS_2_0).unwrap();
        assert_eq!(set.family("light").unwrap().metrics[0].points.len(), 2);
    }
}

#[test]
fn a_refused_point_leaves_nothing_behind() {
    let emit = |out: &mut Emitter<'_>| {
        let x = family("x", MetricType::Counter);
        let mut to = out.family(&x);
        to.point(Labels::new(&[("a", "1")]), f64::NAN);
        to.point(Labels::new(&[("a", "2")]), 1_u64);
    };
    let (rules, page) = refused(Format::OPENMETRICS_1_0, emit);
    assert_eq!(rules, ["OM1-CNT-03"]);
    assert_eq!(page, "# TYPE x counter\nx_total{a=\"2\"} 1\n# EOF\n");
}

#[test]
fn an_exemplar_that_does_not_fit_is_left_out_and_the_sample_stays() {
    let long = "é".repeat(129 - "trace_id".len());
    let emit = |out: &mut Emitter<'_>| {
        let fits = [("trace_id", &long[2..])];
        let exemplar = |labels| ExemplarRef { labels, value: 1_u64.into(), timestamp: None };
        let exemplars = [
            exemplar(Labels::new(&fits)),
            exemplar(Labels::new(&[("a", "1"), ("a", "2")])),
            exemplar(Labels::new(&[("a_b", "1"), ("a.b", "2")])),
        ];
        let x = family("x", MetricType::Counter);
        let mut to = out.family(&x);
        to.point(Labels::EMPTY, Point::from(1_u64).with_exemplars(&exemplars));
        let too_long = [("trace_id", long.as_str())];
        let exemplars = [exemplar(Labels::new(&too_long))];
        to.point(Labels::new(&[("a", "b")]), Point::from(1_u64).with_exemplars(&exemplars));
    };
    assert_eq!(
        text(Format::OPENMETRICS_1_0, emit),
        format!(
            "# TYPE x counter\nx_total 1 # {{trace_id=\"{}\"}} 1\nx_total{{a=\"b\"}} 1\n# EOF\n",
            &long[2..]
        )
    );
}

#[test]
fn units_that_the_name_does_not_end_in_are_left_out_of_open_metrics_1_0() {
    let emit = |out: &mut Emitter<'_>| {
        out.value(&family("a_bytes", MetricType::Counter).with_unit(Unit::BYTES), 1_u64);
        out.value(&family("b", MetricType::Gauge).with_unit(Unit::BYTES), 1_u64);
    };
    assert_eq!(
        text(Format::OPENMETRICS_1_0, emit),
        "# TYPE a_bytes counter\n# UNIT a_bytes bytes\na_bytes_total 1\n# TYPE b gauge\nb 1\n# EOF\n"
    );
    assert_eq!(
        text(Format::OPENMETRICS_2_0, emit),
        "# TYPE a_bytes_total counter\n# UNIT a_bytes_total bytes\na_bytes_total 1\n\
         # TYPE b gauge\n# UNIT b bytes\nb 1\n# EOF\n"
    );
}

#[test]
fn a_help_cannot_end_in_half_a_line_end() {
    let emit =
        |out: &mut Emitter<'_>| out.value(&Descriptor::literal("x", MetricType::Gauge, "a\rb\r\r"), 1_u64);
    assert_eq!(text(Format::TEXT_0_0_4, emit), "# HELP x a\rb\n# TYPE x gauge\nx 1\n");
}

#[test]
fn nothing_is_an_exposition_too() {
    let mut out = b"before\n".to_vec();
    let _ = encode(&From(|_: &mut Emitter<'_>| {}), Format::OPENMETRICS_1_0, &mut out);
    assert_eq!(out, b"before\n# EOF\n");
    assert_eq!(text(Format::TEXT_0_0_4, |_| {}), "");
}
