//! The socket that notifications come in at.

use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::Receiver;
use crate::bridge::Bridge;

/// The most octets of one packet.
const LARGEST: usize = 65_535;

/// Takes what comes in at a socket until the process ends. Answers go to where the question was from.
///
/// It wants a thread of its own: a flood of notifications must not hold up the scrapes.
pub fn listen(receiver: &Receiver, socket: &UdpSocket, bridge: &Bridge) -> ! {
    let begin = Instant::now();
    let mut octets = vec![0; LARGEST];
    loop {
        let came: io::Result<_> = socket.recv_from(&mut octets);
        let (length, from) = match came {
            Ok(came) => came,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                tracing::error!(%error, "traps cannot be received; trying again");
                std::thread::sleep(Duration::from_secs(1));
                continue;
            }
        };
        let message = octets.get(..length).unwrap_or_default();
        let answer = receiver.take(message, from.ip(), &bridge.config(), begin.elapsed());
        if let Some(answer) = answer
            && let Err(error) = socket.send_to(&answer, from)
        {
            tracing::debug!(%error, %from, "an inform was not answered");
        }
    }
}
