//! Why a conversation with a device came to nothing.

use std::fmt;
use std::io;

use crate::walk::Fault;

/// Why nothing, or not everything, came of a device.
#[derive(Debug)]
pub enum SessionError {
    /// The socket failed.
    Io(io::Error),
    /// Nobody listens at the device's port.
    Closed,
    /// The device closed the connection.
    Ended,
    /// What the device sends over TCP is no message, and where the next one begins cannot be told.
    NoMessage(String),
    /// No answer to a request about a name.
    Silent(Unanswered),
    /// The time of the scrape is over.
    Late(String, usize),
    /// The device said or did something that ends the walk.
    Fault(Fault),
    /// What the device reports of our messages.
    Report(&'static str),
    /// More packets than a scrape may send.
    TooManyPackets,
}

/// A request that was not answered.
#[derive(Debug)]
pub struct Unanswered {
    /// What it was about.
    pub(super) subject: String,
    /// How many rows had been told before.
    pub(super) rows: usize,
    /// How often it was sent.
    pub(super) times: u32,
    /// How many messages came meanwhile that were no answers.
    pub(super) foreign: u64,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, rows, times, foreign } = self;
        if *rows > 0 {
            write!(f, "after {rows} rows ")?;
        }
        write!(f, "no answer about {subject}, asked {times} times; ")?;
        if *foreign > 0 {
            write!(
                f,
                "{foreign} messages came that were none: unreadable, or of another request, version, community or engine"
            )
        } else if *rows > 0 {
            f.write_str("a smaller max_repetitions or a longer timeout in the module may help")
        } else {
            f.write_str("is it reachable, and are version and community or user right?")
        }
    }
}

impl SessionError {
    /// Whether it means that nothing came from the device at all.
    pub fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Io(_)
                | Self::Closed
                | Self::Ended
                | Self::NoMessage(_)
                | Self::Silent(Unanswered { rows: 0, .. })
                | Self::Late(_, 0)
        )
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the socket failed: {error}"),
            Self::Closed => f.write_str("nobody listens at its port"),
            Self::NoMessage(why) => write!(f, "the device sends no message of SNMP: {why}"),
            Self::Ended => f.write_str(
                "the device closed the connection without an answer; does it take SNMP over TCP, and is it the right port?",
            ),
            Self::Silent(unanswered) => unanswered.fmt(f),
            Self::Late(subject, rows) => write!(
                f,
                "the time of the scrape was over after {rows} rows, at {subject}; a longer scrape_timeout or fewer columns may help"
            ),
            Self::Fault(fault) => fault.fmt(f),
            Self::Report(what) => f.write_str(what),
            Self::TooManyPackets => {
                f.write_str("the walk took more packets than a scrape may send (--snmp.max-packets)")
            }
        }
    }
}
impl std::error::Error for SessionError {}

impl From<io::Error> for SessionError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Closed,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Ended,
            _ => Self::Io(error),
        }
    }
}
