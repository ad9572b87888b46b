//! A small client of D-Bus: calls that ask and change nothing, over one connection that is kept.
//!
//! Written for what systemd and logind are asked here: arguments are strings, many calls are under way at once, and
//! answers are read by the signature that they must have. A peer that is silent is given up on, and its connection with
//! it. The protocol is that of the D-Bus specification, "Message Protocol" and "Authentication Protocol".

mod connection;
#[cfg(test)]
pub(crate) mod for_tests;
mod message;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::host::Error;
use connection::Connection;
pub use message::{Property, Reader, Reply};

/// Where the system's bus is, unless `DBUS_SYSTEM_BUS_ADDRESS` says otherwise.
const SYSTEM_BUS: &str = "unix:path=/var/run/dbus/system_bus_socket";
/// Where systemd answers root without a bus.
const SYSTEMD: &str = "unix:path=/run/systemd/private";
/// How long a peer may take for all that is asked in one scrape.
const PATIENCE: Duration = Duration::from_secs(4);

/// A connection, made when it is first needed, kept, and made anew after it broke.
#[derive(Debug)]
pub struct Bus {
    address: String,
    /// Whether there is a bus between us and who answers.
    by_broker: bool,
    patience: Duration,
    open: Option<Connection>,
}

/// A method of an object, and arguments, which are strings.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Who is asked, such as `org.freedesktop.systemd1`.
    pub destination: &'a str,
    /// The object.
    pub path: &'a str,
    /// The interface of the method.
    pub interface: &'a str,
    /// The method.
    pub member: &'a str,
    /// What it is given.
    pub arguments: &'a [&'a str],
}

impl<'a> Call<'a> {
    /// Asks for one property; `[interface, name]`.
    pub fn property(destination: &'a str, path: &'a str, interface_and_name: &'a [&'a str; 2]) -> Self {
        let interface = "org.freedesktop.DBus.Properties";
        Self { destination, path, interface, member: "Get", arguments: interface_and_name }
    }
}

impl Bus {
    /// The system's bus.
    pub fn system() -> Self {
        let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").ok().filter(|address| !address.is_empty());
        Self::at(address.as_deref().unwrap_or(SYSTEM_BUS))
    }

    /// A bus at an address such as `unix:path=/run/bus`.
    pub fn at(address: &str) -> Self {
        Self { address: address.to_owned(), by_broker: true, patience: PATIENCE, open: None }
    }

    /// systemd itself, which answers only to root.
    pub fn of_systemd() -> Self {
        Self { by_broker: false, ..Self::at(SYSTEMD) }
    }

    /// Begins what is asked in one scrape; all of it together has to be answered in a few seconds.
    pub fn talk(&mut self) -> Result<Talk<'_>, Error> {
        let deadline = Instant::now() + self.patience;
        if let Some(connection) = &mut self.open {
            // The peer may have gone since; a new connection finds out whether it is back.
            if connection.is_quiet() {
                connection.deadline = deadline;
            } else {
                self.open = None;
            }
        }
        if self.open.is_none() {
            let connection = Connection::open(&self.address, self.by_broker, deadline);
            self.open =
                Some(connection.map_err(|error| Error::io(Path::new(&self.address), readable(error)))?);
        }
        Ok(Talk(self))
    }
}

/// "Resource temporarily unavailable" is what a timeout looks like.
fn readable(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
        _ => error,
    }
}

/// A conversation over an open connection.
#[derive(Debug)]
pub struct Talk<'b>(&'b mut Bus);

impl Talk<'_> {
    /// One call. The inner error is the peer's answer to this call; after the outer one there is no connection.
    pub fn call(&mut self, call: Call<'_>) -> Result<Result<Reply, Refusal>, Error> {
        let mut answer = Err(Refusal("no answer".into()));
        self.calls(&[call], |_, reply| answer = reply)?;
        Ok(answer)
    }

    /// Many calls, of which many are under way at once. `each` has the answer of each one, with its place.
    pub fn calls(
        &mut self,
        calls: &[Call<'_>],
        mut each: impl FnMut(usize, Result<Reply, Refusal>),
    ) -> Result<(), Error> {
        let Some(connection) = &mut self.0.open else {
            return Err(Error::failed(Path::new(&self.0.address), "the connection is lost"));
        };
        let result = connection.exchange(calls, &mut each);
        if result.is_err() {
            self.0.open = None; // late answers must not be taken for answers to the next calls
        }
        result.map_err(|error| Error::io(Path::new(&self.0.address), readable(error)))
    }
}

/// Why a call had no result: the peer's words, or an answer that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::for_tests::{Value, play};
    use super::*;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};

    fn get<'a>(path: &'a str, what: &'a [&'a str; 2]) -> Call<'a> {
        Call::property("org.example", path, what)
    }

    #[test]
    fn many_calls_at_once_have_their_own_answers() {
        let address = play("calls", |path, member, arguments| match (path, member) {
            ("/org/none", _) => None,
            (path, "Get") => {
                assert_eq!(arguments, ["org.example.I", "P"]);
                Some(Value::Variant(Box::new(Value::U64(path.len() as u64))))
            }
            _ => Some(Value::Array(
                "su",
                vec![vec![Value::Text("a"), Value::U32(1)], vec![Value::Text(""), Value::U32(2)]],
            )),
        });
        let mut bus = Bus::at(&address);
        for _ in 0..2 {
            let mut talk = bus.talk().unwrap();
            let paths: Vec<String> = (0..200).map(|n| format!("/org/{}", "x".repeat(n))).collect();
            let mut calls: Vec<Call<'_>> =
                paths.iter().map(|path| get(path, &["org.example.I", "P"])).collect();
            calls.push(get("/org/none", &["org.example.I", "P"]));
            let mut found = vec![None; calls.len()];
            talk.calls(&calls, |place, reply| {
                found[place] = Some(reply.map(|reply| reply.property().unwrap().number().unwrap()));
            })
            .unwrap();
            let refused = found.pop().unwrap();
            assert_eq!(refused, Some(Err(Refusal("org.example.NotThere".into()))));
            assert!(found.iter().enumerate().all(|(n, value)| *value == Some(Ok(n as u64 + 5))), "{found:?}");
            let list = Call { member: "List", arguments: &[], ..get("/org/list", &["", ""]) };
            let reply = talk.call(list).unwrap().unwrap();
            let read = reply
                .read("a(su)")
                .unwrap()
                .structures(|item| Some((item.string()?.to_owned(), item.u32()?)));
            assert_eq!(read, Some(vec![("a".to_owned(), 1), (String::new(), 2)]));
            assert!(reply.read("a(so)").is_err(), "another type");
        }
    }

    #[test]
    fn a_silent_peer_is_given_up_on_and_a_new_connection_made() {
        let name = format!("node-exporter-silent-{}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let mut bus = Bus::at(&format!("unix:abstract={name}"));
        bus.patience = Duration::from_millis(100);
        let error = bus.talk().unwrap_err().to_string();
        assert!(error.ends_with("no answer in time"), "{error}");
        drop(listener);
        assert!(bus.talk().unwrap_err().to_string().contains("refused"));
    }
}
