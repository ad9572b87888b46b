//! A device in a thread: answers over UDP from a table, and as wrongly as a test wants.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

pub(crate) use openmetrics_snmp_bridge::ber::COUNTER32;
use openmetrics_snmp_bridge::ber::{self, Reader, Writer};

pub(crate) const GET: u8 = 0xa0;
pub(crate) const GET_BULK: u8 = 0xa5;
pub(crate) const RESPONSE: u8 = 0xa2;
pub(crate) const END_OF_MIB_VIEW: u8 = 0x82;
pub(crate) const NO_SUCH_INSTANCE: u8 = 0x81;

/// A request as the device reads it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) version: i64,
    pub(crate) community: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) id: i64,
    pub(crate) repetitions: i64,
    pub(crate) names: Vec<Vec<u32>>,
}

impl Asked {
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let mut message = Reader::new(octets).value(ber::SEQUENCE, "a message").ok()?;
        let version = message.integer("a version").ok()?;
        let community = message.octets("a community").ok()?.to_vec();
        let (kind, mut pdu) = message.any().ok()?;
        let id = pdu.integer("an id").ok()?;
        pdu.integer("non-repeaters").ok()?;
        let repetitions = pdu.integer("repetitions").ok()?;
        let mut variables = pdu.value(ber::SEQUENCE, "variables").ok()?;
        let mut names = Vec::new();
        while !variables.is_empty() {
            let mut variable = variables.value(ber::SEQUENCE, "a variable").ok()?;
            let name = variable.value(ber::OBJECT_IDENTIFIER, "a name").ok()?;
            let mut arcs = Vec::new();
            ber::arcs(name.rest(), &mut arcs)?;
            names.push(arcs);
        }
        Some(Self { version, community, kind, id, repetitions, names })
    }

    /// The response with this error, or these variables.
    pub(crate) fn response(&self, status: i64, index: i64, variables: &[Variable]) -> Vec<u8> {
        self.response_with(RESPONSE, status, index, |out| {
            for (name, (tag, content)) in variables.iter().rev() {
                out.within(ber::SEQUENCE, |out| {
                    out.value(*tag, content);
                    out.oid(name);
                });
            }
        })
    }

    /// A response of another kind, with variables written by hand, last ones first.
    pub(crate) fn response_with(
        &self,
        kind: u8,
        status: i64,
        index: i64,
        variables: impl Fn(&mut Writer),
    ) -> Vec<u8> {
        let mut out = Writer::new();
        out.within(ber::SEQUENCE, |out| {
            out.within(kind, |out| {
                out.within(ber::SEQUENCE, &variables);
                out.integer(index);
                out.integer(status);
                out.integer(self.id);
            });
            out.octets(&self.community);
            out.integer(self.version);
        });
        out.finish()
    }
}

/// A name, and a value as its tag and content.
pub(crate) type Variable = (Vec<u32>, (u8, Vec<u8>));

/// What a device has.
#[derive(Clone, Default)]
pub(crate) struct Table(pub BTreeMap<Vec<u32>, (u8, Vec<u8>)>);

impl Table {
    /// Columns 1 to `columns` of [`ENTRY`], each with rows 1 to `rows`; the value tells both.
    pub(crate) fn new(columns: u32, rows: u32) -> Self {
        let mut table = Self::default();
        for column in 1..=columns {
            for row in 1..=rows {
                let value = (column * 100_000 + row).to_be_bytes().to_vec();
                table.0.insert([&ENTRY[..], &[column, row]].concat(), (COUNTER32, value));
            }
        }
        table
    }

    pub(crate) fn after(&self, name: &[u32]) -> Option<Variable> {
        let mut rest = self.0.range::<[u32], _>((Bound::Excluded(name), Bound::Unbounded));
        rest.next().map(|(name, value)| (name.clone(), value.clone()))
    }

    /// What a sound device answers, in at most `room` variables.
    pub(crate) fn variables(&self, asked: &Asked, room: usize) -> Vec<Variable> {
        if asked.kind == GET {
            let missing = (NO_SUCH_INSTANCE, Vec::new());
            let get = |name: &Vec<u32>| (name.clone(), self.0.get(name).cloned().unwrap_or(missing.clone()));
            return asked.names.iter().map(get).collect();
        }
        let mut cursors = asked.names.clone();
        let mut found = Vec::new();
        let repetitions = if asked.kind == GET_BULK { asked.repetitions } else { 1 };
        for _ in 0..repetitions {
            for cursor in &mut cursors {
                let end = (cursor.clone(), (END_OF_MIB_VIEW, Vec::new()));
                found.push(self.after(cursor).unwrap_or(end));
                cursor.clone_from(&found[found.len() - 1].0);
            }
        }
        found.truncate(room);
        found
    }
}

/// A table's entry, below which its columns are.
pub(crate) const ENTRY: [u32; 9] = [1, 3, 6, 1, 4, 1, 99_999, 1, 1];

/// A device that serves until it is dropped.
pub(crate) struct Agent {
    pub(crate) address: SocketAddr,
    received: Arc<AtomicUsize>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Agent {
    /// A device that answers a request with these messages.
    pub(crate) fn new(mut answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Self::with_socket(move |socket, octets, from| {
            for message in answer(octets) {
                // The other side may be gone already.
                let _ = socket.send_to(&message, from);
            }
        })
    }

    /// A device that sends what it wants.
    pub(crate) fn with_socket(mut serve: impl FnMut(&UdpSocket, &[u8], SocketAddr) + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (received, end) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, ended) = (received.clone(), end.clone());
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 65_535];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                counted.fetch_add(1, Ordering::Relaxed);
                serve(&socket, &buffer[..length], from);
            }
        });
        Self { address, received, end, thread: Some(thread) }
    }

    /// How many packets came.
    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        let woken = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(&[], self.address));
        if woken.is_ok()
            && let Some(thread) = self.thread.take()
        {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the device panicked");
        }
    }
}
