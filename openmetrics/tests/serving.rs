//! The server of applications over real sockets.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use openmetrics::http::{Ask, Gatherer, Limits, Scrape, Serving, Source, Unavailable, serve_with};
use openmetrics::model::{Collected, Collector, Descriptor, Emitter, Labels, MetricType};

/// One family of `series` gauges, after an action of the test's own.
struct Page<F> {
    series: usize,
    before: F,
}

static FAMILY: Descriptor = Descriptor::literal("test_value", MetricType::Gauge, "A value.");

impl<F: Fn()> Collector for Page<F> {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        (self.before)();
        let mut family = out.family(&FAMILY);
        for n in 0..self.series {
            family.point(Labels::new(&[("n", &n.to_string())]), n as u64);
        }
        Ok(())
    }
}

fn page(series: usize) -> Page<fn()> {
    Page { series, before: || {} }
}

fn serve(collector: impl Collector + Send + Sync + 'static, change: impl FnOnce(&mut Limits)) -> Serving {
    let mut limits = Limits::default();
    change(&mut limits);
    serve_with("127.0.0.1:0", collector, limits).unwrap()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (n, value) = line.split_once(": ")?;
            n.eq_ignore_ascii_case(name).then_some(value)
        })
    }
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// Reads one answer; `None` when the connection ends before it.
fn read_answer(stream: &mut TcpStream, has_body: bool) -> Option<Answer> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    let mut answer = Answer { head: String::from_utf8(head).unwrap(), body: Vec::new() };
    if has_body {
        let length = answer.header("content-length").map_or(0, |text| text.parse().unwrap());
        answer.body.resize(length, 0);
        stream.read_exact(&mut answer.body).ok()?;
    }
    Some(answer)
}

fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    read_answer(&mut stream, !request.starts_with("HEAD")).unwrap()
}

fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

#[test]
fn a_page_is_served_in_the_format_and_coding_asked_for() {
    let server = serve(page(100), |_| {});
    let plain = ask(server.address(), &get("/metrics", ""));
    assert_eq!(plain.status(), 200);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(plain.header("vary"), Some("Accept, Accept-Encoding"));
    assert!(plain.header("content-encoding").is_none());
    assert!(plain.text().contains("test_value{n=\"99\"} 99\n"));

    let open =
        ask(server.address(), &get("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n"));
    assert!(open.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(open.text().ends_with("# EOF\n"));

    let zipped = ask(server.address(), &get("/metrics", "Accept-Encoding: gzip\r\n"));
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    let mut unzipped = String::new();
    flate2::read::GzDecoder::new(zipped.body.as_slice()).read_to_string(&mut unzipped).unwrap();
    assert_eq!(unzipped, plain.text());

    let refused = ask(server.address(), &get("/metrics", "Accept-Encoding: gzip;q=0\r\n"));
    assert_eq!(refused.body, plain.body);
    server.stop();
}

#[test]
fn small_pages_are_not_compressed() {
    let server = serve(page(1), |_| {});
    let answer = ask(server.address(), &get("/metrics", "Accept-Encoding: gzip\r\n"));
    assert!(answer.header("content-encoding").is_none());
    server.stop();
}

#[test]
fn methods_and_paths_get_their_answers() {
    let gathered = Arc::new(AtomicUsize::new(0));
    let count = gathered.clone();
    let before = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    let server = serve(Page { series: 3, before }, |_| {});
    let address = server.address();
    let head = ask(address, "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    let full = ask(address, &get("/metrics", ""));
    assert_eq!(head.header("content-length"), full.header("content-length"));
    assert_eq!(head.status(), 200);
    // A scrape that comes before the last gathering has put its things away may still share it.
    let pages = gathered.load(Ordering::SeqCst);
    assert!((1..=2).contains(&pages), "{pages}");

    let options = ask(address, "OPTIONS /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((options.status(), options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    for method in ["POST", "PUT", "DELETE", "TRACE", "PATCH", "get", "BREW"] {
        let answer = ask(address, &format!("{method} /metrics HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")), "{method}");
    }
    let connect = ask(address, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(connect.status(), 405);
    assert_eq!(ask(address, &get("/nothing", "")).status(), 404);
    assert_eq!(ask(address, &get("/metrics/", "")).status(), 404);
    assert_eq!(ask(address, "GET http://other:80/metrics HTTP/1.1\r\nHost: a\r\n\r\n").status(), 200);
    assert_eq!(ask(address, &get("/", "")).status(), 200);
    assert!(gathered.load(Ordering::SeqCst) <= pages + 1, "only pages are gathered for");
    server.stop();
}

#[test]
fn bad_heads_are_answered_and_the_connection_closed() {
    let server = serve(page(1), |_| {});
    for (request, status) in [
        ("GET /metrics HTTP/1.1\r\n\r\n".to_owned(), 400),
        (get("/metrics", "Host: b\r\n"), 400),
        (get("/metrics", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400),
        (get("/metrics", "Content-Length: 5\r\n") + "hello", 413),
        (get("/metrics", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", 413),
        (get(&format!("/{}", "a".repeat(9000)), ""), 414),
        (get("/metrics", &"X: y\r\n".repeat(100)), 431),
        (get("/metrics", &format!("X: {}\r\n", "y".repeat(40_000))), 431),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}".to_owned(), 400),
    ] {
        let mut stream = connect(server.address());
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_answer(&mut stream, true).unwrap();
        assert_eq!(answer.status(), status, "{request:.60}");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "closed after {status}");
    }
    server.stop();
}

#[test]
fn connections_are_kept_and_requests_may_be_pipelined() {
    let server = serve(page(1), |_| {});
    let mut stream = connect(server.address());
    for _ in 0..3 {
        stream.write_all(get("/metrics", "").as_bytes()).unwrap();
        assert_eq!(read_answer(&mut stream, true).unwrap().status(), 200);
    }
    stream.write_all(get("/metrics", "").repeat(3).as_bytes()).unwrap();
    for _ in 0..3 {
        assert_eq!(read_answer(&mut stream, true).unwrap().status(), 200);
    }
    stream.write_all(get("/metrics", "Connection: close\r\n").as_bytes()).unwrap();
    assert_eq!(read_answer(&mut stream, true).unwrap().header("connection"), Some("close"));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    server.stop();
}

#[test]
fn a_head_that_takes_too_long_is_cut_however_it_dribbles() {
    let server = serve(page(1), |limits| limits.head = Duration::from_millis(300));
    let began = Instant::now();
    let mut silent = connect(server.address());
    let mut dribbling = connect(server.address());
    let writing = std::thread::spawn({
        let mut stream = dribbling.try_clone().unwrap();
        move || {
            for byte in b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
                if stream.write_all(&[*byte]).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    });
    assert!(read_answer(&mut silent, true).is_none(), "nothing said, nothing answered");
    assert_eq!(read_answer(&mut dribbling, true).unwrap().status(), 408);
    assert!(began.elapsed() < Duration::from_secs(5));
    writing.join().unwrap();
    server.stop();
}

#[test]
fn idle_connections_are_closed() {
    let server = serve(page(1), |limits| limits.idle = Duration::from_millis(200));
    let mut stream = connect(server.address());
    stream.write_all(get("/metrics", "").as_bytes()).unwrap();
    assert!(read_answer(&mut stream, true).is_some());
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    server.stop();
}

#[test]
fn a_client_that_takes_nothing_is_cut() {
    // 30 MB do not fit into the buffers of the kernel.
    let server = serve(page(1_000_000), |limits| limits.write_stall = Duration::from_millis(300));
    let mut stream = connect(server.address());
    stream.write_all(get("/metrics", "").as_bytes()).unwrap();
    let mut first = [0; 16];
    stream.read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 25_000_000, "{} bytes came", rest.len());
    server.stop();
}

#[test]
fn a_client_that_takes_a_little_again_and_again_is_cut_as_well() {
    // It never stalls, and would need minutes for all of it.
    let server = serve(page(1_000_000), |limits| limits.write = Duration::from_millis(500));
    let mut stream = connect(server.address());
    stream.write_all(get("/metrics", "").as_bytes()).unwrap();
    let (mut part, mut taken) = (vec![0; 64 << 10], 0);
    while let Ok(read @ 1..) = stream.read(&mut part) {
        taken += read;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(taken < 25_000_000, "{taken} bytes came");
    server.stop();
}

#[test]
fn more_requests_at_once_than_are_answered_are_told_to_come_again() {
    let inside = Arc::new(Barrier::new(2));
    let leave = Arc::new(Barrier::new(2));
    let (i, l) = (inside.clone(), leave.clone());
    let before = move || {
        i.wait();
        l.wait();
    };
    let server = serve(Page { series: 1, before }, |limits| limits.in_flight = 1);
    let mut first = connect(server.address());
    first.write_all(get("/metrics", "").as_bytes()).unwrap();
    inside.wait();
    let mut second = connect(server.address());
    second.write_all(get("/", "").as_bytes()).unwrap();
    let answer = read_answer(&mut second, true).unwrap();
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
    leave.wait();
    assert_eq!(read_answer(&mut first, true).unwrap().status(), 200);
    // The connection of the second is kept, and answered now.
    second.write_all(get("/", "").as_bytes()).unwrap();
    assert_eq!(read_answer(&mut second, true).unwrap().status(), 200);
    server.stop();
}

#[test]
fn codings_that_a_client_refuses_are_not_sent() {
    let server = serve(page(1000), |_| {});
    for (accept, coding) in [
        ("", None),
        ("Accept-Encoding: gzip\r\n", Some("gzip")),
        ("Accept-Encoding: gzip;q=0\r\n", None),
        ("Accept-Encoding: *;q=0\r\n", None),
        ("Accept-Encoding: br, gzip;q=0.5\r\n", Some("gzip")),
        ("Accept-Encoding: identity, gzip;q=0\r\n", None),
    ] {
        let mut stream = connect(server.address());
        stream.write_all(get("/metrics", accept).as_bytes()).unwrap();
        let answer = read_answer(&mut stream, true).unwrap();
        assert_eq!((answer.status(), answer.header("content-encoding")), (200, coding), "{accept}");
        let vary = answer.header("vary").unwrap_or_default().to_ascii_lowercase();
        assert!(vary.contains("accept") && vary.contains("accept-encoding"), "{vary}");
    }
    server.stop();
    let small = serve(page(1), |_| {});
    let mut stream = connect(small.address());
    stream.write_all(get("/metrics", "Accept-Encoding: gzip\r\n").as_bytes()).unwrap();
    assert_eq!(
        read_answer(&mut stream, true).unwrap().header("content-encoding"),
        None,
        "it fits a packet anyway"
    );
    small.stop();
}

#[test]
fn a_crowd_of_half_open_connections_locks_nobody_out() {
    let server = serve(page(1), |limits| limits.connections = 8);
    let mut crowd: Vec<_> = (0..40).map(|_| connect(server.address())).collect();
    for stream in &mut crowd {
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n");
    }
    for _ in 0..5 {
        assert_eq!(ask(server.address(), &get("/metrics", "Connection: close\r\n")).status(), 200);
    }
    server.stop();
}

#[test]
fn when_all_connections_are_busy_a_newcomer_is_told_to_come_again() {
    let inside = Arc::new(Barrier::new(2));
    let leave = Arc::new(Barrier::new(2));
    let (i, l) = (inside.clone(), leave.clone());
    let before = move || {
        i.wait();
        l.wait();
    };
    let server = serve(Page { series: 1, before }, |limits| limits.connections = 1);
    let mut busy = connect(server.address());
    busy.write_all(get("/metrics", "").as_bytes()).unwrap();
    inside.wait();
    let answer = ask(server.address(), &get("/metrics", ""));
    assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")));
    leave.wait();
    assert_eq!(read_answer(&mut busy, true).unwrap().status(), 200);
    server.stop();
}

#[test]
fn concurrent_scrapes_share_one_gathering() {
    let gathered = Arc::new(AtomicUsize::new(0));
    let count = gathered.clone();
    let before = move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(500));
    };
    let server = serve(Page { series: 1, before }, |_| {});
    let address = server.address();
    let scrapes: Vec<_> =
        (0..20).map(|_| std::thread::spawn(move || ask(address, &get("/metrics", "")).status())).collect();
    for scrape in scrapes {
        assert_eq!(scrape.join().unwrap(), 200);
    }
    assert!(gathered.load(Ordering::SeqCst) <= 3, "{gathered:?} gatherings for 20 scrapes at once");
    server.stop();
}

#[test]
fn a_gathering_that_hangs_is_given_up_on_and_costs_one_thread() {
    let (release, hold) = std::sync::mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let before = move || {
        let _ = hold.lock().unwrap().recv();
    };
    let server = serve(Page { series: 1, before }, |_| {});
    let timeout = "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n";
    let began = Instant::now();
    assert_eq!(ask(server.address(), &get("/metrics", timeout)).status(), 503);
    assert!(began.elapsed() < Duration::from_secs(2));
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..10 {
        let began = Instant::now();
        let answer = ask(server.address(), &get("/metrics", timeout));
        assert_eq!(answer.status(), 503);
        assert!(answer.text().contains("has not come back"), "{}", answer.text());
        assert!(began.elapsed() < Duration::from_secs(1));
    }
    drop(release);
    let recovered = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        ask(server.address(), &get("/metrics", timeout)).status() == 200
    });
    assert!(recovered, "served again once it has come back");
    server.stop();
}

/// Hangs the first time, which another thread makes up for with a smaller page.
struct Replaceable {
    hold: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
    hangs: std::sync::atomic::AtomicBool,
}

impl Source for Replaceable {
    fn gather<'a>(&'a self, _: &'a Ask) -> Result<Box<dyn Collector + 'a>, Unavailable> {
        if self.hangs.swap(false, Ordering::SeqCst) {
            let _ = self.hold.lock().unwrap().recv();
            return Err(Unavailable::taken_over());
        }
        Ok(Box::new(Page { series: 2, before: || () }))
    }

    fn take_over<'a>(&'a self, _: &'a Ask) -> Option<Result<Box<dyn Collector + 'a>, Unavailable>> {
        Some(Ok(Box::new(Page { series: 1, before: || () })))
    }
}

#[test]
fn another_thread_takes_over_from_one_that_hangs_and_the_next_scrape_waits_for_neither() {
    let (release, hold) = std::sync::mpsc::channel();
    let source = Replaceable { hold: hold.into(), hangs: true.into() };
    let server = serve_with("127.0.0.1:0", source, Limits::default()).unwrap();
    let scrape = || ask(server.address(), &get("/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 20\r\n"));
    let smaller = scrape();
    assert_eq!(smaller.status(), 200);
    drop(release);
    // The one that was let go finds that its page is made, and disturbs nobody's.
    let larger = (0..50).map(|_| scrape().body.len()).max();
    assert!(larger > Some(smaller.body.len()));
    server.stop();
}

#[test]
fn a_panic_while_gathering_is_an_error_of_that_scrape_alone() {
    let bad = Arc::new(AtomicUsize::new(1));
    let once = bad.clone();
    let server =
        serve(Page { series: 1, before: move || assert_eq!(once.swap(0, Ordering::SeqCst), 0) }, |_| {});
    let answer = ask(server.address(), &get("/metrics", ""));
    assert_eq!(answer.status(), 500);
    assert!(!answer.text().contains("assert"), "panics are for the log");
    assert_eq!(ask(server.address(), &get("/metrics", "")).status(), 200);
    server.stop();
}

#[test]
fn a_stop_loses_no_answer_on_its_way() {
    let inside = Arc::new(Barrier::new(2));
    let i = inside.clone();
    let before = move || {
        i.wait();
        std::thread::sleep(Duration::from_millis(300));
    };
    let server = serve(Page { series: 50_000, before }, |_| {});
    let address = server.address();
    let mut scrapes: Vec<_> = (0..8).map(|_| connect(address)).collect();
    for stream in &mut scrapes {
        stream.write_all(get("/metrics", "").as_bytes()).unwrap();
    }
    inside.wait();
    let stopping = std::thread::spawn(move || server.stop());
    for stream in &mut scrapes {
        let answer = read_answer(stream, true).unwrap();
        assert_eq!((answer.status(), answer.header("connection")), (200, Some("close")));
        assert!(answer.text().contains("n=\"49999\""));
    }
    stopping.join().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_taken_port_is_an_error_at_once() {
    let server = serve(page(1), |_| {});
    assert_eq!(openmetrics::serve(server.address()).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    server.stop();
}

#[test]
fn one_line_serves_the_process_from_within_a_runtime_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    openmetrics::registry::default_registry().counter("app_jobs", "Jobs done.").unwrap().inc();
    let server = runtime.block_on(async { openmetrics::serve("127.0.0.1:0") }).unwrap();
    let text = ask(server.address(), &get("/metrics", "")).text();
    assert!(text.contains("app_jobs_total 1\n"), "{text}");
    assert!(text.contains("openmetrics_sdk_build_info"), "{text}");
    #[cfg(target_os = "linux")]
    assert!(text.contains("process_start_time_seconds"), "{text}");
    server.stop();
}

#[test]
fn what_a_client_left_behind_is_taken_over_all_the_same() {
    let (release, hold) = std::sync::mpsc::channel();
    let gatherer = Gatherer::new(Replaceable { hold: hold.into(), hangs: true.into() });
    let limits = Limits::default();
    let scrape = |seconds: &'static str| {
        let mut headers = http::HeaderMap::new();
        headers.insert("x-prometheus-scrape-timeout-seconds", http::HeaderValue::from_static(seconds));
        Scrape::new(&headers, &limits)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answered = runtime.block_on(async {
        let left = scrape("20");
        {
            let mut page = std::pin::pin!(gatherer.page(&left, Vec::new()));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(page.as_mut().poll(&mut context).is_pending());
        }
        // It gathers something else, so that it has to wait for the turn of the first.
        gatherer.page(&scrape("20"), vec![("other".to_owned(), String::new())]).await
    });
    assert!(answered.is_ok(), "{answered:?}");
    drop(release);
}
