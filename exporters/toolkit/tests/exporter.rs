//! An exporter over real sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use openmetrics::http::{Ask, Source, Unavailable};
use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricType};
use openmetrics_exporter_toolkit::{CollectorState, Condition, Endpoint, Exporter, Web};

static SEEN: Descriptor = Descriptor::literal("demo_seen", MetricType::Gauge, "Parameters of the scrape.");

/// Tells what was asked for.
struct Echo;
struct Parameters(Vec<(String, String)>);

impl Source for Echo {
    fn gather<'a>(&'a self, ask: &'a Ask) -> Result<Box<dyn Collector + 'a>, Unavailable> {
        if ask.values("collect[]").any(|name| name == "nonsense") {
            return Err(Unavailable::bad_request("collect[]=nonsense: there is no such collector"));
        }
        assert!(ask.time_left() <= Duration::from_secs(120));
        Ok(Box::new(Parameters(ask.parameters.clone())))
    }
}

impl Collector for Parameters {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let mut family = out.family(&SEEN);
        for (name, value) in &self.0 {
            family.point(Labels::new(&[("name", name), ("value", value)]), 1_u64);
        }
        Ok(())
    }
}

/// Runs `test` against an exporter on a thread, and stops it.
fn with_exporter(exporter: Exporter, test: impl FnOnce(SocketAddr) + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let running = exporter.start(&Web::at("127.0.0.1:0")).unwrap();
        let address = running.addresses()[0];
        tokio::task::spawn_blocking(move || test(address)).await.unwrap();
        running.stop().await;
    });
}

fn demo() -> Exporter {
    Exporter::new("demo_exporter", "1.2.3").about("Shows <b>things</b>.").metrics(Echo)
}

fn get(address: SocketAddr, target: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_owned(), body.to_owned())
}

#[test]
fn the_page_has_what_was_gathered_and_the_exporter_itself() {
    with_exporter(demo().build_label("revision", "abc"), |address| {
        let (status, _, text) = get(address, "/metrics?collect[]=cpu&collect%5B%5D=stat");
        assert_eq!(status, 200);
        assert!(text.contains("demo_seen{name=\"collect[]\",value=\"cpu\"} 1\n"), "{text}");
        assert!(text.contains("demo_seen{name=\"collect[]\",value=\"stat\"} 1\n"));
        assert!(text.contains("demo_exporter_build_info{revision=\"abc\",version=\"1.2.3\"} 1\n"), "{text}");
        assert!(text.contains("demo_exporter_http_connections 1\n"));
        let (status, _, text) = get(address, "/metrics?collect[]=nonsense");
        assert_eq!((status, text.as_str()), (400, "collect[]=nonsense: there is no such collector\n"));
    });
}

#[test]
fn pages_for_people_and_for_supervisors() {
    let states = || {
        vec![CollectorState {
            name: "cpu".into(),
            condition: Condition::Failed("<no> such file".into()),
            duration: Some(Duration::from_millis(2)),
        }]
    };
    let exporter = demo()
        .states(states)
        .endpoint(Endpoint::with_targets("/probe", "a target", 4, Echo).example("target=a"));
    with_exporter(exporter, |address| {
        let (status, head, page) = get(address, "/");
        assert_eq!(status, 200);
        assert!(head.contains("content-security-policy: default-src 'none'"));
        assert!(head.contains("x-content-type-options: nosniff"));
        assert!(
            page.contains("Shows &lt;b&gt;things&lt;/b&gt;.")
                && page.contains("failed: &lt;no&gt; such file")
        );
        assert!(page.contains("href=\"/probe?target=a\""));
        assert_eq!(get(address, "/-/healthy").0, 200);
        assert_eq!(get(address, "/-/ready").0, 200);
        assert!(get(address, "/probe?target=b").2.contains("name=\"target\",value=\"b\""));
        assert!(!get(address, "/probe?target=b").2.contains("build_info"), "a target's page is the target's");
        let (status, head, page) = get(address, "/metrics?format=html&collect[]=cpu");
        assert_eq!(status, 200);
        assert!(head.contains("content-type: text/html") && head.contains("script-src 'sha256-"), "{head}");
        assert!(page.contains("<code>demo_seen</code>") && page.contains("cpu"));
        assert!(get(address, "/metrics?format=json").2.starts_with('{'));
        assert!(get(address, "/metrics?format=openmetrics").2.ends_with("# EOF\n"));
        assert!(get(address, "/metrics?format=protobuf-text").2.contains("type: GAUGE\n"));
        let (status, _, text) = get(address, "/metrics?format=xml");
        assert_eq!(status, 400);
        assert!(text.contains("text, openmetrics, protobuf-text, json, html"), "{text}");
        for path in ["/debug/pprof/", "/debug", "/metric", "/-/reload", "/-/quit"] {
            assert_eq!(get(address, path).0, 404, "{path}");
        }
    });
}

#[test]
fn the_first_screen_says_where_to_look_and_what_to_configure() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let running = demo().note("skipped: zfs (no such file)").start(&Web::at("127.0.0.1:0")).unwrap();
    let address = running.addresses()[0];
    assert_eq!(
        running.first_screen(),
        format!(
            "demo_exporter 1.2.3\n  http://{address}/metrics\n  skipped: zfs (no such file)\n\nFor prometheus.yml:\n\n\
             scrape_configs:\n  - job_name: demo\n    static_configs:\n      - targets: [\"{address}\"]\n\n"
        )
    );
}

#[test]
fn a_taken_port_is_explained() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let running = demo().start(&Web::at("127.0.0.1:0")).unwrap();
    let error = demo().start(&Web::at(running.addresses()[0].to_string())).unwrap_err().to_string();
    assert!(error.contains("another process does") && error.contains("--web.listen-address"), "{error}");
    let error = demo().start(&Web::at("nonsense")).unwrap_err().to_string();
    assert!(error.contains("host:port was expected"), "{error}");
}
