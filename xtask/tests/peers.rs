//! The peers are judges, so they are shown good and bad pages first, to see that they tell them apart.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use xtask::peers::{Options, Prometheus, check_metrics};

/// Serves one page for ever, on a thread that ends with the test; returns where.
fn serve(content_type: &'static str, page: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free loopback port");
    let address = listener.local_addr().expect("a bound socket has an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let length = page.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
            );
        }
    });
    address
}

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[test]
fn prometheus_takes_a_good_page() {
    let page = "# HELP jobs Jobs done.\n# TYPE jobs counter\njobs_total{queue=\"a\"} 7\n# EOF\n";
    let Some(prometheus) = Prometheus::scraping(&serve(OPENMETRICS, page), Options::default()) else {
        return;
    };
    assert_eq!(prometheus.scrape(), Ok(()));
    assert_eq!(prometheus.value("jobs_total{queue=\"a\"}"), "7");
    let metadata = prometheus.metadata();
    let jobs = metadata.get("jobs").or(metadata.get("jobs_total")).expect("the family is known");
    assert_eq!(jobs, &["counter", "Jobs done.", ""].map(str::to_owned));
}

#[test]
fn prometheus_refuses_a_bad_page() {
    let page = "# TYPE jobs counter\njobs_total 7\n"; // no end marker
    let Some(prometheus) = Prometheus::scraping(&serve(OPENMETRICS, page), Options::default()) else {
        return;
    };
    let error = prometheus.scrape().expect_err("a page without its end is no page");
    assert!(error.contains("EOF"), "{error}");
}

#[test]
fn promtool_tells_good_from_bad() {
    let good = "# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total 7\n";
    let Some(said) = check_metrics(good) else { return };
    assert_eq!(said, "");
    let said = check_metrics("# HELP jobs Jobs done.\n# TYPE jobs counter\njobs 7\n").unwrap_or_default();
    assert!(said.contains("_total"), "{said}");
    let said = check_metrics("jobs{ 7\n").unwrap_or_default();
    assert!(said.contains("error"), "{said}");
}
