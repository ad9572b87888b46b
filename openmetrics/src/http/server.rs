//! Accepting connections, and the server that an application starts with one line.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::connection::{self, Stream};
use super::gate::{Gate, Slot};
use super::handler::Handler;
use super::reply;
use super::{Limits, Request, Response, Service, Source};
use crate::model::{Collected, Collector, Emitter};
use crate::process::{Build, Process};
use crate::registry::default_registry;

/// Where connections come from. Open, for transports that tokio does not have.
pub trait Accept: Send {
    /// One connection.
    type Io: Stream + 'static;

    /// The next connection, and the address of who makes it.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Option<IpAddr>)>> + Send;

    /// Prepares an accepted connection for these limits.
    fn prepare(io: &Self::Io, limits: &Limits) {
        let _ = (io, limits);
    }
}

impl Accept for tokio::net::TcpListener {
    type Io = tokio::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<IpAddr>)> {
        let (io, address) = tokio::net::TcpListener::accept(self).await?;
        Ok((io, Some(address.ip())))
    }

    fn prepare(io: &Self::Io, limits: &Limits) {
        // A connection that is gone already shows it at the first read.
        let _ = io.set_nodelay(true);
        // Small answers fit into the kernel's buffer whole, where our own timers do not see a client that takes
        // nothing; the kernel's do.
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_user_timeout(io, limits.write_stall.as_millis() as u32);
        #[cfg(not(target_os = "linux"))]
        let _ = limits;
    }
}

#[cfg(unix)]
impl Accept for tokio::net::UnixListener {
    type Io = tokio::net::UnixStream;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<IpAddr>)> {
        tokio::net::UnixListener::accept(self).await.map(|(io, _)| (io, None))
    }
}

/// How many connections the kernel holds ready for us. The standard library's 128 are full within milliseconds of a
/// crowd, and who comes then is heard a second later, when its kernel tries again.
const BACKLOG: i32 = 1024;

/// Hands a listener to the event loop that this is called in.
pub fn into_tokio(listener: TcpListener) -> io::Result<tokio::net::TcpListener> {
    listener.set_nonblocking(true)?;
    #[cfg(unix)]
    rustix::net::listen(&listener, BACKLOG)?;
    tokio::net::TcpListener::from_std(listener)
}

/// How many clients at a time are told that there is no room; the rest is just closed.
const TURNED_AWAY: usize = 4;
/// The wait after a failed accept, doubled up to the second figure: when files have run out, trying at once would
/// only burn the processor.
const RETRY: Duration = Duration::from_millis(10);
const RETRY_MAX: Duration = Duration::from_millis(500);

/// Accepts connections and hands each to `connect` with its slot, until the gate drains. What waits in the backlog
/// then is still taken.
///
/// Has to be called within a tokio runtime; every connection becomes a task there.
pub async fn listen<A, F, Connection>(mut listener: A, gate: Gate, connect: F)
where
    A: Accept,
    F: Fn(A::Io, Option<IpAddr>, Slot) -> Connection,
    Connection: Future<Output = ()> + Send + 'static,
{
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
    let admit = |io: A::Io, peer| {
        A::prepare(&io, gate.limits());
        if let Some(slot) = gate.enter() {
            tokio::spawn(connect(io, peer, slot));
        } else if let Ok(place) = turned_away.clone().try_acquire_owned() {
            tokio::spawn(async move {
                connection::turn_away(io).await;
                drop(place);
            });
        }
    };
    let mut wait = RETRY;
    loop {
        let accepted = tokio::select! {
            biased;
            () = gate.draining() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((io, peer)) => {
                wait = RETRY;
                admit(io, peer);
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                if wait == RETRY {
                    tracing::warn!(%error, "accepting a connection failed");
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_MAX);
            }
        }
    }
    // A task that is polled with nothing to wait for: whoever is in the backlog is there already.
    while let Ok(Ok((io, peer))) = tokio::time::timeout(Duration::ZERO, listener.accept()).await {
        admit(io, peer);
    }
}

/// Whether a failed accept says something about that one connection only.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Serves `collector` at `/metrics` of `address` from a thread of its own, which has its own event loop: the program
/// needs none, and may have one. [`openmetrics::serve`](crate::serve) does so for the default registry.
///
/// Binding happens before this returns, so a taken port is an error here. Dropping what is returned leaves the server
/// running as long as the process; [`Serving::stop`] ends it.
///
/// ```
/// use openmetrics::model::MetricSet;
///
/// let server = openmetrics::http::serve_collector("127.0.0.1:0", MetricSet::default())?;
/// assert_ne!(server.address().port(), 0);
/// server.stop();
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve_collector(address: impl ToSocketAddrs, source: impl Source) -> io::Result<Serving> {
    serve_with(address, source, Limits::default())
}

/// Serves the default registry, the figures of this process and the library's version at `/metrics` of `address`.
///
/// This is the first scrape of an application in one line; [`serve_collector`] says how it works and how it ends.
///
/// ```
/// use openmetrics::registry::default_registry;
///
/// let jobs = default_registry().counter("app_jobs", "Jobs done.")?;
/// openmetrics::serve("127.0.0.1:0")?; // as a rule at a port that the scraper knows
/// jobs.inc();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve(address: impl ToSocketAddrs) -> io::Result<Serving> {
    serve_collector(address, Everything { process: Process::current(), library: Build::of_library() })
}

/// The same as [`serve_collector`] with limits of one's own.
pub fn serve_with(address: impl ToSocketAddrs, source: impl Source, limits: Limits) -> io::Result<Serving> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .thread_name("openmetrics-gather")
        .build()?;
    let gate = Gate::new(limits.clone());
    let service = Arc::new(Application { handler: Handler::with_limits(source, limits) });
    let of_thread = gate.clone();
    let thread = std::thread::Builder::new().name("openmetrics-http".into()).spawn(move || {
        runtime.block_on(async {
            match into_tokio(listener) {
                Ok(listener) => run(listener, of_thread, service).await,
                Err(error) => tracing::error!(%error, "the metrics endpoint could not start"),
            }
        });
        // A gathering that hangs must not hold up the stop.
        runtime.shutdown_background();
    })?;
    Ok(Serving { address, gate, thread })
}

async fn run(listener: tokio::net::TcpListener, gate: Gate, service: Arc<Application>) {
    let accepting = listen(listener, gate.clone(), |io, peer, slot| {
        let service = service.clone();
        async move { connection::serve(io, peer, &*service, &slot).await }
    });
    accepting.await;
    gate.emptied(gate.limits().drain).await;
}

/// A server that runs on a thread of its own.
pub struct Serving {
    address: SocketAddr,
    gate: Gate,
    thread: JoinHandle<()>,
}

impl Serving {
    /// The address that is listened at, with the port that port 0 became.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, lets answers on their way be finished (for [`Limits::drain`] at most), and ends the thread.
    pub fn stop(self) {
        self.gate.drain();
        self.wait();
    }

    /// Blocks while the server runs; for programs that have nothing else to do.
    pub fn wait(self) {
        // The thread's own panics were reported when they happened.
        let _ = self.thread.join();
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What an application tells: the default registry, its process, and the library's version.
struct Everything {
    process: Process,
    library: Option<Build>,
}

impl Collector for Everything {
    fn collect(&self, out: &mut Emitter<'_>) -> Collected {
        let registered = default_registry().collect(out);
        if let Some(library) = &self.library {
            library.collect(out)?;
        }
        registered.and(self.process.collect(out))
    }
}

/// The pages of an application: metrics, and where they are.
struct Application {
    handler: Handler,
}

impl Service for Application {
    async fn call(&self, request: Request) -> Response {
        match request.head.uri.path() {
            "/metrics" | "*" => self.handler.respond(&request.head.method, &request.head.headers).await,
            "/" => reply::text(http::StatusCode::OK, "metrics are at /metrics"),
            _ => reply::not_found("/metrics"),
        }
    }
}
