//! Devices over TCP whose stream is no row of messages, or never gets to the end of one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use openmetrics_snmp_bridge::ber::Reader;

use super::agent::{Asked, Table};
use super::cases::{Case, Outcome, judge};

/// A device over TCP that serves until it is dropped.
struct Server {
    address: SocketAddr,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a device writes in place of an answer; the connection is closed if that fails.
type Writing = fn(&mut TcpStream, Vec<u8>) -> std::io::Result<()>;

impl Server {
    fn new(write: Writing) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                // It ends when the other side has gone.
                let _ = converse(&mut stream, write);
            }
        });
        Self { address, end, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            thread.join().unwrap();
        }
    }
}

fn converse(stream: &mut TcpStream, write: Writing) -> std::io::Result<()> {
    let table = Table::new(2, 30);
    let (mut pending, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let mut reader = Reader::new(&pending);
        if reader.any().is_ok() {
            let asked = Asked::read(&pending).unwrap();
            pending.drain(..reader.position());
            write(stream, asked.response(0, 0, &table.variables(&asked, 100)))?;
            continue;
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => pending.extend_from_slice(&buffer[..length]),
        }
    }
}

fn closed<T>() -> std::io::Result<T> {
    Err(std::io::ErrorKind::ConnectionAborted.into())
}

#[test]
fn streams_that_are_no_messages() {
    use Outcome::{Fails, Silent, Told};
    let (silent, none) = (Silent(""), Fails("no message of SNMP"));
    let cases: [(&'static str, Writing, Outcome); 13] = [
        ("sound", |stream, answer| stream.write_all(&answer), Told(60)),
        (
            "in small pieces",
            |stream, answer| answer.chunks(7).try_for_each(|piece| stream.write_all(piece)),
            Told(60),
        ),
        ("glued a hundred times", |stream, answer| stream.write_all(&answer.repeat(100)), Told(60)),
        (
            "an empty message before",
            |stream, answer| stream.write_all(&[&[0x30, 0], &answer[..]].concat()),
            Told(60),
        ),
        ("no answer", |_, _| Ok(()), silent),
        ("a length that lies", |stream, answer| stream.write_all(&answer[..answer.len() - 1]), none),
        (
            "an octet now and then",
            |stream, answer| {
                answer.iter().try_for_each(|octet| {
                    std::thread::sleep(Duration::from_millis(30));
                    stream.write_all(&[*octet])
                })
            },
            silent,
        ),
        (
            "4 GiB claimed",
            |stream, _| stream.write_all(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
            Fails("more than one can have"),
        ),
        (
            "2^64 octets claimed",
            |stream, _| stream.write_all(&[&[0x30, 0x88], &[0xff; 8][..]].concat()),
            Fails("more than one can have"),
        ),
        ("no definite length", |stream, _| stream.write_all(&[0x30, 0x80, 0, 0]), none),
        (
            "an endless message",
            |stream, _| {
                stream.write_all(&[0x30, 0x82, 0xff, 0x00])?;
                (0..1_000).try_for_each(|_| stream.write_all(&[0; 60]))
            },
            none,
        ),
        (
            "closed in the middle",
            |stream, answer| {
                stream.write_all(&answer[..20])?;
                closed()
            },
            Fails("the device closed the connection"),
        ),
        ("closed at once", |_, _| closed(), Fails("the device closed the connection")),
    ];
    let mut all: Vec<Case> = cases
        .into_iter()
        .map(|(name, write, outcome)| {
            let server = Server::new(write);
            Case::new(name, format!("tcp://{}", server.address), server, outcome)
        })
        .collect();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    all.push(Case::new("refused", format!("tcp://{nobody}"), (), Fails("nobody listens at its port")));
    judge(&all);
}
