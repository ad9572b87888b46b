//! A whole endpoint as a function, right in every way, and what is said when one thing about it is wrong.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};

use openmetrics::format::{self, Coding, Escaping, Format, negotiate, negotiate_coding};

use super::*;
use crate::client::{Client, ConnectArguments};

const PAGE: &str = "# TYPE app_requests counter\n# HELP app_requests Requests answered so far.\n\
    app_requests_total{method=\"GET\"} 17\napp_requests_created{method=\"GET\"} 1700000000.5\n\
    # TYPE app_latency_seconds histogram\n# UNIT app_latency_seconds seconds\n\
    # HELP app_latency_seconds Time until the answer was there.\napp_latency_seconds_bucket{le=\"0.1\"} 8\n\
    app_latency_seconds_bucket{le=\"+Inf\"} 17\napp_latency_seconds_count 17\napp_latency_seconds_sum 3.5\n\
    app_latency_seconds_created 1700000000.5\n# TYPE app_build info\n# HELP app_build What runs here.\n\
    app_build_info{version=\"1.0\"} 1\n# EOF\n";

/// What an endpoint without a mistake answers.
fn right(ask: &Ask) -> Answer {
    page(ask, PAGE)
}

fn page(ask: &Ask, page: &str) -> Answer {
    if !matches!(ask.method, "GET" | "HEAD") {
        return Answer { status: 405, ..Answer::default() };
    }
    let set = format::decode(page.as_bytes(), Format::OPENMETRICS_1_0).unwrap();
    let format = negotiate(ask.accept.as_deref());
    let mut body = Vec::new();
    let options = format::Options::default().with_created_samples(true);
    format::encode_with(&set, format, options, &mut body);
    let mut headers = vec![("content-type".to_owned(), format.content_type())];
    if negotiate_coding(ask.coding) == Coding::Gzip {
        body = gzip(&body);
        headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
    }
    Answer { status: 200, headers, body, ..Answer::default() }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn plan(address: &str) -> Plan<'_> {
    Plan {
        address,
        count: 2,
        interval: Duration::from_secs(15),
        parallel: 4,
        tls13: None,
        wait: &|_| {},
        progress: &|_| {},
    }
}

/// The rules that a probe names, of the endpoint and of all its pages.
fn broken_at(address: &str, endpoint: impl Fn(&Ask) -> Answer + Sync) -> Vec<&'static str> {
    let transport = |ask: &Ask| Ok(endpoint(ask));
    let probed = run(&transport, &plan(address), &Config::default(), 20).unwrap();
    let findings = probed.judged.iter().flat_map(|judged| &judged.verdict.findings);
    findings.map(|finding| finding.rule.id).collect()
}

fn broken(endpoint: impl Fn(&Ask) -> Answer + Sync) -> Vec<&'static str> {
    broken_at("http://localhost:9100/metrics", endpoint)
}

/// The answer of the right endpoint, changed where `ask` is such.
fn changed(
    when: impl Fn(&Ask) -> bool + Sync,
    change: impl Fn(&Ask, &mut Answer) + Sync,
) -> Vec<&'static str> {
    broken(|ask| {
        let mut answer = right(ask);
        if answer.status == 200 && when(ask) {
            change(ask, &mut answer);
        }
        answer
    })
}

fn content_type(answer: &mut Answer, to: &str) {
    answer.headers.retain(|(name, _)| name != "content-type");
    answer.headers.push(("content-type".to_owned(), to.to_owned()));
}

fn said(answer: &Answer) -> String {
    answer.header("content-type").unwrap_or_default().to_owned()
}

/// Another page than was asked for, with its own Content-Type.
fn instead(answer: &mut Answer, accept: &'static str) {
    *answer = right(&Ask::get("").accepting(accept));
}

const TEXT: &str = "text/plain;version=0.0.4";
const OM1: &str = "application/openmetrics-text;version=1.0.0";
const OM2: &str = "application/openmetrics-text;version=2.0.0;escaping=allow-utf-8";
const PROTOBUF: &str =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

#[test]
fn nothing_is_said_of_an_endpoint_without_a_mistake() {
    assert_eq!(broken(right), [""; 0]);
}

#[test]
fn each_mistake_of_an_endpoint_is_named() {
    let accepts =
        |part: &'static str| move |ask: &Ask| ask.accept.as_deref().is_some_and(|a| a.contains(part));
    let always = |_: &Ask| true;
    let cases: Vec<(&str, Vec<&'static str>)> = vec![
        ("OM1-HTTP-01", changed(always, |_, answer| answer.status = 500)),
        ("OM1-HTTP-01", changed(|ask| ask.coding == Some("gzip"), |_, answer| answer.body.truncate(30))),
        ("OM1-HTTP-03", changed(|ask| ask.accept.is_none(), |_, answer| instead(answer, PROTOBUF))),
        ("OM1-HTTP-04", changed(|ask| ask.accept.is_none(), |_, answer| instead(answer, PROTOBUF))),
        ("OM1-HTTP-05", changed(|ask| ask.accept.is_none(), |_, answer| instead(answer, OM2))),
        ("OM2-DOC-02", changed(|ask| ask.accept.is_none(), |_, answer| instead(answer, OM2))),
        ("OM1-HTTP-07", changed(always, |_, answer| answer.took = Duration::from_secs(2))),
        ("OM1-HTTP-13", changed(always, |_, answer| answer.headers.push(("age".into(), "30".into())))),
        ("CN-01", changed(accepts("q=0.6"), |_, answer| instead(answer, TEXT))),
        ("CN-07", changed(|ask| ask.who == "VictoriaMetrics", |_, answer| instead(answer, OM1))),
        ("CN-02", changed(accepts("vnd.example"), |_, answer| answer.status = 406)),
        ("CN-02", changed(accepts("vnd.example"), |_, answer| instead(answer, OM1))),
        ("CN-04", changed(always, |_, answer| content_type(answer, "text/html"))),
        ("CN-05", changed(always, |_, answer| content_type(answer, "text/plain"))),
        (
            "CN-06",
            changed(accepts("1.0.0;escaping"), |_, answer| {
                content_type(answer, "application/openmetrics-text; version=1.0.0; charset=utf-8");
            }),
        ),
        (
            "CN-08",
            changed(accepts("delimited"), |_, answer| {
                let content_type_now = said(answer).replace("; encoding=delimited", "");
                content_type(answer, &content_type_now);
            }),
        ),
        (
            "PPB-01",
            changed(accepts("delimited"), |_, answer| {
                content_type(answer, "application/vnd.google.protobuf");
            }),
        ),
        (
            "CN-09",
            changed(accepts(response::MARK), |_, answer| {
                content_type(
                    answer,
                    "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=mine",
                );
            }),
        ),
        (
            "CN-10",
            changed(always, |ask, answer| {
                let accept = ask.accept.as_deref().unwrap_or_default();
                if accept.contains(response::MARK) {
                    content_type(answer, accept);
                }
            }),
        ),
        ("CN-11", changed(always, |_, answer| answer.headers.clear())),
        ("CN-11", changed(always, |_, answer| content_type(answer, "nonsense"))),
        ("CN-12", changed(always, |_, answer| content_type(answer, "text/plain; version=0.0.4, text/html"))),
        ("CN-12", changed(always, |_, answer| content_type(answer, "text/plain; version=0.0.4; q=0.5"))),
        (
            "CN-13",
            changed(
                |ask| ask.accept.as_deref() == Some(OM1),
                |_, answer| {
                    content_type(
                        answer,
                        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=dots",
                    );
                },
            ),
        ),
        ("CN-15", changed(accepts("q=0,"), |_, answer| instead(answer, OM1))),
        ("CN-15", changed(|ask| ask.who.contains("which is 1"), |_, answer| instead(answer, TEXT))),
        (
            "CN-16",
            changed(
                |ask| ask.coding.is_none(),
                |_, answer| {
                    answer.body = gzip(&answer.body);
                    answer.headers.push(("content-encoding".into(), "gzip".into()));
                },
            ),
        ),
        (
            "ESC-02",
            changed(
                |ask| ask.accept.as_deref() == Some(OM1),
                |_, answer| {
                    content_type(
                        answer,
                        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
                    );
                },
            ),
        ),
        (
            "OM1-DOC-12",
            changed(accepts("openmetrics-text;version=1.0.0"), |_, answer| {
                let changed = said(answer).replace("; charset=utf-8", "");
                content_type(answer, &changed);
            }),
        ),
        (
            "OM2-DOC-01",
            changed(accepts("version=2.0.0"), |_, answer| {
                let changed = said(answer).replace("2.0.0", "2.0");
                content_type(answer, &changed);
            }),
        ),
        (
            "OM1-PB-01",
            changed(accepts("openmetrics-protobuf"), |_, answer| {
                content_type(answer, "application/openmetrics-protobuf");
            }),
        ),
        ("P4-25", changed(always, |_, answer| content_type(answer, "text/plain; version=0.0.5"))),
        // What the body says is judged as what the header says it is.
        (
            "OM1-DOC-05",
            changed(accepts("openmetrics-text;version=1.0.0"), |_, answer| {
                let keep = answer.body.len() - "# EOF\n".len();
                answer.body.truncate(keep);
            }),
        ),
        (
            "OM1-HTTP-09",
            changed(accepts("delimited"), |ask, answer| {
                let short =
                    PAGE.replace("app_requests_total{method=\"GET\"}", "app_requests_total{method=\"PUT\"}");
                *answer = page(ask, &short.replace("_created{method=\"GET\"}", "_created{method=\"PUT\"}"));
            }),
        ),
        ("LINT-13", changed(|ask| ask.method == "HEAD", |_, answer| answer.status = 405)),
        ("LINT-14", broken(|ask| if ask.method == "POST" { right(&Ask::get("")) } else { right(ask) })),
        ("LINT-15", changed(always, |_, answer| answer.old_http = true)),
        ("LINT-15", changed(always, |_, answer| answer.headers.push(("connection".into(), "close".into())))),
        (
            "LINT-16",
            broken(|ask| {
                page(
                    ask,
                    &PAGE.replace(
                        " 17\napp_requests_created",
                        " 17 # {t=\"1\"} 1 9000000000\napp_requests_created",
                    ),
                )
            }),
        ),
        ("LINT-18", changed(accepts("Application"), |_, answer| instead(answer, TEXT))),
        ("OM1-HTTP-02", broken_at("http://localhost:9100/stats", right)),
        ("OM1-HTTP-06", broken_at("http://example.org/metrics", right)),
    ];
    for (rule, found) in &cases {
        assert!(found.contains(rule), "{rule} is not among {found:?}");
    }
}

#[test]
fn large_pages_are_packed() {
    let mut large = String::from("# TYPE app_x gauge\n# HELP app_x Many.\n");
    for number in 0..20_000 {
        writeln!(large, "app_x{{n=\"{number}\"}} 1").unwrap();
    }
    large.push_str("# EOF\n");
    let found = broken(|ask| page(&Ask { coding: None, ..ask.clone() }, &large));
    assert!(found.contains(&"LINT-17"), "{found:?}");
}

#[test]
fn values_that_fall_between_scrapes_are_found() {
    let asked = AtomicU64::new(0);
    let found = broken(|ask| {
        let falls = PAGE.replace(
            " 17\napp_requests_created",
            &format!(" {}\napp_requests_created", 1000 - asked.fetch_add(1, Ordering::Relaxed)),
        );
        page(ask, &falls)
    });
    assert!(found.contains(&"OM2-CNT-03"), "{found:?}");
}

#[test]
fn of_several_scrapers_at_once_each_gets_a_page() {
    let busy = |ask: &Ask| {
        let mut answer = right(ask);
        if ask.who.contains("at once") {
            answer.status = 503;
        }
        answer
    };
    assert!(broken(busy).contains(&"OM1-HTTP-08"));
    let lost = |ask: &Ask| {
        if ask.who.contains("at once") { Err("reset".to_owned()) } else { Ok(right(ask)) }
    };
    let probed = run(&lost, &plan("http://localhost/metrics"), &Config::default(), 20).unwrap();
    let findings = probed.judged.iter().flat_map(|judged| &judged.verdict.findings);
    assert_eq!(findings.map(|finding| finding.rule.id).collect::<Vec<_>>(), ["OM1-HTTP-08"]);
}

#[test]
fn whoever_is_not_let_in_is_told_how() {
    let closed = |_: &Ask| Ok(Answer { status: 401, ..Answer::default() });
    let error = run(&closed, &plan("http://localhost/metrics"), &Config::default(), 20).err().unwrap();
    assert!(error.contains("--password-file"), "{error}");
}

/// The endpoint behind a socket, a connection for each request: as much HTTP as these few need.
fn serve(listener: &TcpListener, requests: usize) {
    for _ in 0..requests {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut lines: Vec<String> = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            let mut found = lines.iter().filter_map(|line| line.split_once(": "));
            found.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        assert_eq!(header("authorization").as_deref(), Some("Basic bWU6cGFzcw=="));
        let method = lines.first().and_then(|line| line.split(' ').next()).unwrap_or_default();
        let method = ["GET", "HEAD"].into_iter().find(|known| *known == method).unwrap_or("OTHER");
        let mut ask = Ask::method("", method);
        ask.accept = header("accept").map(Into::into);
        ask.coding = header("accept-encoding").filter(|coding| coding == "gzip").map(|_| "gzip");
        let answer = right(&ask);
        let mut out = format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n", answer.status, answer.body.len());
        for (name, value) in &answer.headers {
            write!(out, "{name}: {value}\r\n").unwrap();
        }
        out.push_str("connection: close\r\n\r\n");
        let stream = reader.get_mut();
        stream.write_all(out.as_bytes()).unwrap();
        if method != "HEAD" {
            stream.write_all(&answer.body).unwrap();
        }
    }
}

#[test]
fn an_endpoint_behind_a_socket() {
    use clap::Parser;
    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        connect: ConnectArguments,
    }
    let folder = std::env::temp_dir().join(format!("omtool-probe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let password = folder.join("password");
    std::fs::write(&password, "pass\n").unwrap();
    let password = password.to_str().unwrap();
    let options = ["omtool", "--username", "me", "--password-file", password, "--timeout", "60"];
    let client = Client::new(&Options::parse_from(options).connect).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/metrics", listener.local_addr().unwrap());
    let asks = [
        Ask::get("").accepting(OM1),
        Ask::get("").accepting(OM1).coding("gzip"),
        Ask::method("", "HEAD"),
        Ask::method("", "POST"),
        Ask::method("", "OMTOOL"),
    ];
    let server = std::thread::spawn(move || serve(&listener, 5));
    let transport = client.at(&address);
    let answers: Vec<Answer> = asks.iter().map(|ask| transport.send(ask).unwrap()).collect();
    server.join().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 200, 405, 405]);
    let [first, packed, ..] = answers.as_slice() else { panic!("five answers") };
    assert_eq!(
        first.header("content-type"),
        Some(Format::OPENMETRICS_1_0.with_escaping(Escaping::Underscores).content_type().as_str())
    );
    assert!(packed.is_gzip());
    assert_eq!(packed.plain_body().unwrap(), first.body);
}
