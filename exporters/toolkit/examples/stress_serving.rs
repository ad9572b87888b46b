//! The server core under everything at once, for the sanitizers: scrapes in every format that share gatherings, series
//! that come and go meanwhile, clients that vanish, a collector that panics, and servers that stop under load.
//!
//! `cargo xtask sanitize` runs it. It ends by itself, and fails if an answer is lost or not whole.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use openmetrics::http::{Handler, serve_collector};
use openmetrics::model::{Collected, Collector, Emitter};
use openmetrics::{Counter, Family, Registry};

/// How many servers are started and stopped, one after the other.
const SERVERS: usize = 3;
const CLIENTS: usize = 6;
/// What each client asks of a server.
const REQUESTS: usize = 60;
/// How many series there are, of which some come and go all the time.
const SERIES: usize = 200;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Panics once in a while, as collectors do.
struct Moody(AtomicUsize);

impl Collector for Moody {
    fn collect(&self, _: &mut Emitter<'_>) -> Collected {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) % 7 != 6, "out of mood");
        Ok(())
    }
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {})); // panics are part of it
    match run() {
        Ok(answers) => {
            println!("{answers} whole answers");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<usize> {
    let registry = Registry::new();
    registry.register_collector("moody", Moody(AtomicUsize::new(0)))?;
    let series: Family<[&'static str; 1], Counter> =
        registry.metric("stress_events", "Events.").labels(["series"]).register()?;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| change(&series, &ended));
        let answers = servers(&registry).and_then(|of_servers| Ok(of_servers + handler(&registry)?));
        ended.store(true, Ordering::Relaxed);
        answers
    })
}

/// Counts, and has series come and go, until the end.
fn change(series: &Family<[&'static str; 1], Counter>, ended: &AtomicBool) {
    let mut number = 0_usize;
    while !ended.load(Ordering::Relaxed) {
        number += 1;
        let name = (number % SERIES).to_string();
        series.with([name.as_str()]).inc();
        if number.is_multiple_of(3) {
            series.remove([name.as_str()]);
        }
    }
}

/// Servers of their own, each stopped while clients are at it: what was asked before is answered.
fn servers(registry: &Registry) -> Result<usize> {
    let mut answers = 0;
    for _ in 0..SERVERS {
        let server = serve_collector("127.0.0.1:0", registry.clone())?;
        let address = server.address();
        answers += thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| scope.spawn(move || ask_again_and_again(address, client)))
                .collect();
            scope.spawn(move || vanish(address));
            let answers: Result<Vec<usize>> =
                clients.into_iter().map(|client| client.join().map_err(|_| "a client panicked")?).collect();
            answers
        })?
        .into_iter()
        .sum::<usize>();
        // One that is on its way when the server is told to stop.
        let mut last = TcpStream::connect(address)?;
        last.write_all(request(0).as_bytes())?;
        server.stop();
        read_answer(&mut last)?;
        answers += 1;
    }
    Ok(answers)
}

fn ask_again_and_again(address: SocketAddr, client: usize) -> Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    for number in 0..REQUESTS {
        stream.write_all(request(client + number).as_bytes())?;
        read_answer(&mut stream)?;
        if number % 20 == 19 {
            stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        }
    }
    Ok(REQUESTS)
}

fn request(number: usize) -> String {
    const ACCEPT: [&str; 4] = [
        "text/plain;version=0.0.4",
        "application/openmetrics-text;version=1.0.0",
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        "*/*",
    ];
    let accept = ACCEPT.get(number % ACCEPT.len()).unwrap_or(&"*/*");
    let coding = if number.is_multiple_of(3) { "gzip" } else { "identity" };
    format!("GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\nAccept-Encoding: {coding}\r\n\r\n")
}

fn read_answer(stream: &mut TcpStream) -> Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("not a page: {head}").into());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.ok_or("no length")?.parse()?];
    stream.read_exact(&mut body)?;
    Ok(())
}

/// Clients that go in the middle of a request, or of its answer.
fn vanish(address: SocketAddr) -> io::Result<()> {
    for number in 0..REQUESTS {
        let mut stream = TcpStream::connect(address)?;
        let request = request(number);
        let part = if number.is_multiple_of(2) { request.len() } else { request.len() / 2 };
        stream.write_all(request.as_bytes().get(..part).unwrap_or_default())?;
    }
    Ok(())
}

/// A handler that is asked by all threads of a runtime at once.
fn handler(registry: &Registry) -> Result<usize> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let handler = Handler::new(registry.clone());
    runtime.block_on(async {
        let tasks: Vec<_> = (0..CLIENTS * REQUESTS)
            .map(|number| {
                let handler = handler.clone();
                tokio::spawn(async move {
                    let mut headers = http::HeaderMap::new();
                    let openmetrics = "application/openmetrics-text";
                    let accept = if number.is_multiple_of(2) { openmetrics } else { "*/*" };
                    headers.insert("accept", http::HeaderValue::from_static(accept));
                    handler.respond(&http::Method::GET, &headers).await.status()
                })
            })
            .collect();
        let mut answers = 0;
        for task in tasks {
            // A crowd beyond the limit is told to come again.
            answers += usize::from(task.await?.is_success());
        }
        if answers == 0 { Err("the handler answered nobody".into()) } else { Ok(answers) }
    })
}
