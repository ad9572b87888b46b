//! A reader that takes a byte a second and leaves the kernel no room to take more for it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, connect, socket, sockopt};

/// The smallest receive buffer that the kernel gives.
const BUFFER: usize = 2048;

/// Sends a request and reads the answer, a byte a second, until it ends or `patience` does.
pub(super) fn read(address: &str, request: &[u8], patience: Duration) -> io::Result<()> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket: OwnedFd = socket(family, SocketType::STREAM, None)?;
    sockopt::set_socket_recv_buffer_size(&socket, BUFFER)?; // before connecting, so that the other side is told
    connect(&socket, &address)?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(request)?;
    let start = Instant::now();
    while start.elapsed() < patience {
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        match stream.read(&mut [0]) {
            Ok(0) => return Ok(()),
            Ok(_) => thread::sleep(Duration::from_secs(1)),
            Err(e) if super::client::is_timeout(&e) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
