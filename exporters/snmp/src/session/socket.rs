//! The sockets: over UDP a message is a packet, over TCP it tells its length.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::SessionError;
use crate::ber::SEQUENCE;

/// The most octets of one message.
pub(super) const LARGEST_MESSAGE: usize = 65_535;
/// How a device is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Over UDP.
    Udp,
    /// Over TCP.
    Tcp,
}

pub(super) enum Socket {
    Udp(UdpSocket),
    /// Replies from any address are taken.
    AnySource(UdpSocket, SocketAddr),
    Tcp(Box<TcpStream>, Vec<u8>),
}

impl Socket {
    /// A socket to this address.
    pub(super) async fn open(
        transport: Transport,
        address: SocketAddr,
        any_source: bool,
        source: Option<SocketAddr>,
        deadline: Instant,
    ) -> Result<Self, SessionError> {
        Ok(match transport {
            Transport::Udp => {
                let any: SocketAddr =
                    if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
                let socket = UdpSocket::bind(source.unwrap_or(any)).await?;
                if any_source {
                    Self::AnySource(socket, address)
                } else {
                    socket.connect(address).await?;
                    Self::Udp(socket)
                }
            }
            Transport::Tcp => {
                let connect = TcpStream::connect(address);
                let stream = tokio::time::timeout_at(deadline.into(), connect).await;
                let stream = stream.map_err(|_| SessionError::Late("the connection".into(), 0))??;
                stream.set_nodelay(true)?;
                Self::Tcp(Box::new(stream), Vec::new())
            }
        })
    }

    /// Sends one message.
    pub(super) async fn send(&mut self, octets: &[u8]) -> Result<(), SessionError> {
        match self {
            Self::Udp(socket) => drop(socket.send(octets).await?),
            Self::AnySource(socket, address) => drop(socket.send_to(octets, *address).await?),
            Self::Tcp(stream, _) => stream.write_all(octets).await?,
        }
        Ok(())
    }

    /// Receives one message and says how long it is; nothing of one from another port. The buffer is as large as a
    /// message can be.
    pub(super) async fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, SessionError> {
        match self {
            Self::Udp(socket) => Ok(Some(socket.recv(buffer).await?)),
            Self::AnySource(socket, address) => {
                let (length, from) = socket.recv_from(buffer).await?;
                Ok((from.port() == address.port()).then_some(length))
            }
            Self::Tcp(stream, pending) => loop {
                if let Some(length) = framed(pending)? {
                    if let Some(place) = buffer.get_mut(..length) {
                        place.copy_from_slice(pending.get(..length).unwrap_or_default());
                    }
                    pending.drain(..length);
                    return Ok(Some(length));
                }
                if stream.read_buf(pending).await? == 0 {
                    return Err(SessionError::Ended);
                }
            },
        }
    }
}

/// The length of the message that a stream begins with, once it is whole. What claims to be longer than a message can
/// be, or is none, is not waited for.
fn framed(pending: &[u8]) -> Result<Option<usize>, SessionError> {
    let Some((&[tag, first], rest)) = pending.split_first_chunk() else { return Ok(None) };
    // From 0x81 on, the low bits say how many octets the length takes.
    let digits = usize::from(first).saturating_sub(0x80);
    if tag != SEQUENCE || first == 0x80 || digits > size_of::<usize>() {
        return Err(SessionError::NoMessage("it is none".into()));
    }
    let Some(octets) = rest.get(..digits) else { return Ok(None) };
    let claimed = octets.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
    let length = if digits == 0 { usize::from(first) } else { claimed };
    let whole = length.saturating_add(2 + digits);
    if whole > LARGEST_MESSAGE {
        return Err(SessionError::NoMessage(format!("it claims {length} octets, more than one can have")));
    }
    Ok((pending.len() >= whole).then_some(whole))
}
