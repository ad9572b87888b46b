//! Many at once: the slow, the greedy, and the merely numerous.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Scale;
use super::client::{Connection, SCRAPE};
use super::subject::{Running, Subject};

/// Stack of a thread that only waits at a socket; there are hundreds of them.
const STACK: usize = 128 * 1024;

/// 500 connections that never finish their request.
pub(super) fn half_open(subject: &Subject, scale: Scale) -> Result<String, String> {
    const CUT: Duration = Duration::from_secs(12);
    let connections = scale.of(500, 300); // both more than there is room for
    let cut_in = scale.patience(CUT);
    let running = subject.start();
    running.scrape()?;
    let before = running.memory_kib();
    let scrapes = Healthy::default();
    let (uncut, peak) = thread::scope(|scope| {
        let watch = scope.spawn(|| scrapes.keep(&running, Duration::from_millis(250)));
        let crowd: Vec<_> = (0..connections)
            .filter_map(|_| {
                let address = running.address();
                let wait = move || -> io::Result<bool> {
                    let mut connection = Connection::open(address)?;
                    connection.send(b"GET /metrics HTTP/1.1\r\nHost: local")?;
                    Ok(connection.is_cut_within(cut_in))
                };
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, wait).ok()
            })
            .collect();
        thread::sleep(Duration::from_secs(2));
        let peak = running.memory_kib();
        // Refused or cut while it was being opened is cut as well.
        let uncut =
            crowd.into_iter().filter_map(|t| t.join().ok()).filter(|cut| matches!(cut, Ok(false))).count();
        scrapes.end();
        let _ = watch.join();
        (uncut, peak)
    });
    let each = peak.saturating_sub(before) as f64 / f64::from(connections);
    let figures = format!("{uncut} of {connections} left after 12 s, {scrapes}, {each:.1} KiB a connection");
    if uncut == 0 && scrapes.are_well() && each <= scale.of(8.0, 80.0) { Ok(figures) } else { Err(figures) }
}

/// 200 connections that scrape as fast as they can.
pub(super) fn crowd(subject: &Subject, scale: Scale) -> Result<String, String> {
    const CONNECTIONS: usize = 200;
    let time = Duration::from_secs(scale.of(10, 2));
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n";
    let running = subject.start();
    running.scrape()?;
    let before = running.memory_kib();
    let end = Instant::now() + time;
    let (mut times, errors) = thread::scope(|scope| {
        let crowd: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let address = running.address();
                let work = move || -> (Vec<Duration>, usize) {
                    let (mut times, mut errors) = (Vec::new(), 0);
                    let mut connection = None;
                    while Instant::now() < end {
                        let start = Instant::now();
                        let mut ask = || -> io::Result<u16> {
                            let open = match &mut connection {
                                Some(open) => open,
                                none => none.insert(Connection::open(address)?),
                            };
                            open.send(request)?;
                            Ok(open.answer(false)?.status)
                        };
                        if let Ok(200) = ask() {
                            times.push(start.elapsed());
                        } else {
                            errors += 1;
                            connection = None;
                            thread::sleep(Duration::from_millis(10)); // no tighter loop than a client's
                        }
                    }
                    (times, errors)
                };
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work)
            })
            .collect();
        let mut all = (Vec::new(), 0);
        for (times, errors) in crowd.into_iter().flatten().filter_map(|t| t.join().ok()) {
            all.0.extend(times);
            all.1 += errors;
        }
        all
    });
    times.sort_unstable();
    let grown = running.memory_kib().saturating_sub(before) as f64 / 1024.0;
    let a_second = times.len() as f64 / time.as_secs_f64();
    let p99 = times.get(times.len() * 99 / 100).map_or(f64::INFINITY, |t| t.as_secs_f64() * 1e3);
    let figures = format!("{a_second:.0} answers/s, {errors} errors, p99 {p99:.0} ms, {grown:+.1} MiB");
    let fast = scale.brief || (a_second >= 2000.0 && p99 <= 250.0);
    if fast && !times.is_empty() && errors == 0 && grown <= scale.of(16.0, 160.0) {
        Ok(figures)
    } else {
        Err(figures)
    }
}

/// 60 readers that take a byte a second, half of them of a connection that is to be kept. What counts is what is held
/// for them: descriptors of the program, and connections of the kernel, which delivers for it what fits its buffers.
pub(super) fn slow_readers(subject: &Subject) -> Result<String, String> {
    const READERS: usize = 60;
    const CUT: Duration = Duration::from_secs(60);
    const BESIDES: usize = 2; // a scrape of our own may be under way when we look
    let running = subject.start();
    running.scrape()?;
    let before = running.files();
    let scrapes = Healthy::default();
    let (cut, most) = thread::scope(|scope| {
        let watch = scope.spawn(|| scrapes.keep(&running, Duration::from_secs(1)));
        let start = Instant::now();
        for number in 0..READERS {
            let address = running.address();
            let close = if number % 2 == 0 { "Connection: close\r\n" } else { "" };
            let request = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{close}\r\n");
            let read = move || super::slow::read(address, request.as_bytes(), CUT + Duration::from_secs(4));
            // A reader that cannot be started or is cut has nothing to say; the other side tells.
            drop(thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read));
        }
        let (mut cut, mut most) = (None, 0);
        while start.elapsed() < CUT + Duration::from_secs(2) {
            thread::sleep(Duration::from_millis(100));
            let held = running.files().saturating_sub(before).max(running.connections());
            most = most.max(held);
            cut = if held <= BESIDES { cut.or(Some(start.elapsed())) } else { None };
        }
        scrapes.end();
        let _ = watch.join();
        (cut, most)
    });
    let when =
        cut.map_or("some not at all".to_owned(), |cut| format!("the last after {:.1} s", cut.as_secs_f64()));
    let figures = format!("at most {most} held at a time, let go: {when}; {scrapes}");
    if most > READERS / 2 && cut.is_some_and(|cut| cut <= CUT) && scrapes.are_well() {
        Ok(figures)
    } else {
        Err(figures)
    }
}

/// A process with few file descriptors, and more connections than it can have.
pub(super) fn few_files(subject: &Subject, scale: Scale) -> Result<String, String> {
    const FILES: u32 = 64;
    const CONNECTIONS: usize = 200;
    const SCRAPES: u32 = 20;
    let running = subject.start_with_files(FILES);
    let mut established = Connection::open(running.address()).map_err(|e| e.to_string())?;
    let mut scrape = || {
        established
            .send(SCRAPE.as_bytes())
            .and_then(|()| established.answer(false))
            .map_err(|e| e.to_string())
    };
    let whole = scrape()?.expect_page()?.body.len();

    let crowd: Vec<Connection> =
        (0..CONNECTIONS).filter_map(|_| Connection::open(running.address()).ok()).collect();
    let (start, processor) = (Instant::now(), running.processor_seconds());
    thread::sleep(Duration::from_secs(scale.of(3, 1)));
    let processor = (running.processor_seconds() - processor) / start.elapsed().as_secs_f64() * 100.0;
    for number in 1..=SCRAPES {
        let page = scrape().map_err(|e| format!("scrape {number} of the established scraper: {e}"))?;
        let length = page.expect_page()?.body.len();
        if length < whole * 9 / 10 {
            return Err(format!("scrape {number} had {length} bytes, the first one {whole}"));
        }
    }
    drop(crowd);
    let start = Instant::now();
    let recovered = loop {
        match running.scrape() {
            Ok(_) => break start.elapsed(),
            Err(e) if start.elapsed() > Duration::from_secs(20) => return Err(format!("no recovery: {e}")),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    };
    let figures = format!(
        "{SCRAPES} whole bodies, {processor:.1} % of a core meanwhile, recovered after {} ms",
        recovered.as_millis()
    );
    let calm = scale.brief || processor < 5.0;
    if calm && recovered <= scale.patience(Duration::from_secs(1)) { Ok(figures) } else { Err(figures) }
}

/// Scrapes that go on beside the abuse and have to succeed.
#[derive(Default)]
struct Healthy {
    good: AtomicU64,
    bad: AtomicU64,
    ended: AtomicBool,
}

impl Healthy {
    fn keep(&self, running: &Running, every: Duration) {
        while !self.ended.load(Ordering::Relaxed) {
            let counter = if running.scrape().is_ok() { &self.good } else { &self.bad };
            counter.fetch_add(1, Ordering::Relaxed);
            thread::sleep(every);
        }
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    fn are_well(&self) -> bool {
        self.good.load(Ordering::Relaxed) > 0 && self.bad.load(Ordering::Relaxed) == 0
    }
}

impl std::fmt::Display for Healthy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (good, bad) = (self.good.load(Ordering::Relaxed), self.bad.load(Ordering::Relaxed));
        write!(f, "{good} of {} scrapes beside it succeeded", good + bad)
    }
}
