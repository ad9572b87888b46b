//! Where to listen: addresses as flags have them, virtual machines' sockets, and sockets that systemd opened.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use openmetrics::http::connection::Stream;
use openmetrics::http::gate::Gate;
use openmetrics::http::{Accept, into_tokio, listen};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;

use crate::guarded::{self, Guarded};

/// A listener of any kind.
pub(crate) enum Listener {
    Tcp(tokio::net::TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
    #[cfg(target_os = "linux")]
    Vsock(tokio_vsock::VsockListener, u32),
}

impl Listener {
    /// Listens at `:9100` (every address, IPv6 and IPv4), `127.0.0.1:9100`, `[::1]:9100`, `name:9100` or
    /// `vsock://:9100`.
    pub(crate) fn bind(address: &str) -> io::Result<Self> {
        if let Some(rest) = address.strip_prefix("vsock://") {
            return bind_vsock(address, rest);
        }
        let listener = into_tokio(bind_tcp(address)?)?;
        let bound = listener.local_addr()?;
        Ok(Self::Tcp(listener, bound))
    }

    /// The sockets that systemd opened for this process.
    #[cfg(target_os = "linux")]
    pub(crate) fn from_systemd() -> io::Result<Vec<Self>> {
        let mut sockets = listenfd::ListenFd::from_env();
        let mut listeners = Vec::new();
        for at in 0..sockets.len() {
            if let Ok(Some(tcp)) = sockets.take_tcp_listener(at) {
                let listener = into_tokio(tcp)?;
                let bound = listener.local_addr()?;
                listeners.push(Self::Tcp(listener, bound));
            } else if let Some(unix) = sockets.take_unix_listener(at)? {
                unix.set_nonblocking(true)?;
                listeners.push(Self::Unix(tokio::net::UnixListener::from_std(unix)?));
            }
        }
        Ok(listeners)
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn from_systemd() -> io::Result<Vec<Self>> {
        Ok(Vec::new())
    }

    /// The address, where it is one of TCP.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, address) => Some(*address),
            #[cfg(unix)]
            _ => None,
        }
    }

    /// Accepts connections in a task of its own until the gate drains.
    pub(crate) fn accept(self, gate: Gate, site: Arc<Guarded>) -> JoinHandle<()> {
        fn spawn<A: Accept + 'static>(listener: A, gate: Gate, site: Arc<Guarded>) -> JoinHandle<()> {
            tokio::spawn(listen(listener, gate, move |io, peer, slot| {
                guarded::serve(io, peer, site.clone(), slot)
            }))
        }
        match self {
            Self::Tcp(listener, _) => spawn(listener, gate, site),
            #[cfg(unix)]
            Self::Unix(listener) => spawn(listener, gate, site),
            #[cfg(target_os = "linux")]
            Self::Vsock(listener, _) => spawn(Vsock(listener), gate, site),
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(_, address) => write!(f, "{address}"),
            #[cfg(unix)]
            Self::Unix(_) => f.write_str("a Unix socket"),
            #[cfg(target_os = "linux")]
            Self::Vsock(_, port) => write!(f, "vsock://:{port}"),
        }
    }
}

fn bind_tcp(address: &str) -> io::Result<TcpListener> {
    if let Some(port) = address.strip_prefix(':') {
        let port: u16 = port.parse().map_err(|_| not_an_address(address))?;
        // A host without IPv6 refuses the first; on others it takes IPv4 as well.
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
            .or_else(|first| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map_err(|_| first))
    } else {
        let addresses = address.to_socket_addrs().map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => not_an_address(address),
            _ => error,
        })?;
        TcpListener::bind(addresses.collect::<Vec<SocketAddr>>().as_slice())
    }
}

#[cfg(target_os = "linux")]
fn bind_vsock(address: &str, rest: &str) -> io::Result<Listener> {
    // What stands before the colon is not looked at: a socket of this kind listens for all of them.
    let port = rest.trim_end_matches('/').rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let port = port.ok_or_else(|| not_an_address(address))?;
    let any = tokio_vsock::VsockAddr::new(tokio_vsock::VMADDR_CID_ANY, port);
    tokio_vsock::VsockListener::bind(any).map(|listener| Listener::Vsock(listener, port))
}

#[cfg(not(target_os = "linux"))]
fn bind_vsock(_: &str, _: &str) -> io::Result<Listener> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "vsock is there on Linux only"))
}

fn not_an_address(address: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "{address:?} is no address to listen at: host:port was expected, :port for every address, or vsock://:port"
        ),
    )
}

/// An address that a person on this machine can open.
pub(crate) fn for_people(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

#[cfg(target_os = "linux")]
struct Vsock(tokio_vsock::VsockListener);

/// A connection between a virtual machine and its host.
#[cfg(target_os = "linux")]
struct VsockStream(tokio_vsock::VsockStream);

#[cfg(target_os = "linux")]
impl Accept for Vsock {
    type Io = VsockStream;

    async fn accept(&mut self) -> io::Result<(VsockStream, Option<IpAddr>)> {
        self.0.accept().await.map(|(io, _)| (VsockStream(io), None))
    }
}

#[cfg(target_os = "linux")]
impl Stream for VsockStream {
    fn reset_on_close(&self) {}
}

#[cfg(target_os = "linux")]
impl AsyncRead for VsockStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

#[cfg(target_os = "linux")]
impl AsyncWrite for VsockStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_are_those_of_the_flags() {
        for address in ["127.0.0.1:0", "localhost:0", ":0"] {
            assert!(Listener::bind(address).unwrap().address().unwrap().port() > 0, "{address}");
        }
        for address in ["", "9100", ":http", "127.0.0.1", ":70000", "127.0.0.1:x", "vsock://", "vsock://:x"] {
            let error = Listener::bind(address).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}: {error}");
        }
        assert_eq!(for_people("0.0.0.0:9100".parse().unwrap()), "localhost:9100");
        assert_eq!(for_people("[::1]:9100".parse().unwrap()), "[::1]:9100");
    }
}
