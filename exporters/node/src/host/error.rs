//! What goes wrong while the host is read, with the path that it is about.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why a collector has less to tell, with the path it is about.
#[derive(Debug)]
pub struct Error {
    path: Option<PathBuf>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Io(io::Error),
    Failed(Cow<'static, str>),
    /// The host has nothing of the sort: no such hardware, no such kernel option.
    NoData(Cow<'static, str>),
}

impl Error {
    /// A failed system call on `path`.
    pub fn io(path: &Path, error: impl Into<io::Error>) -> Self {
        Self { path: Some(path.to_owned()), kind: Kind::Io(error.into()) }
    }

    /// Something else that is wrong with `path`.
    pub fn failed(path: &Path, what: impl Into<Cow<'static, str>>) -> Self {
        Self { path: Some(path.to_owned()), kind: Kind::Failed(what.into()) }
    }

    /// Text in `path` that is not what it should be.
    #[cold]
    pub fn parse(path: &Path, expected: &str, found: &str) -> Self {
        let mut short: String = found.chars().take(80).collect();
        if short.len() < found.len() {
            short.push('…');
        }
        Self::failed(path, format!("expected {expected}, found {short:?}"))
    }

    /// Something that failed and has no path.
    pub fn other(what: impl Into<Cow<'static, str>>) -> Self {
        Self { path: None, kind: Kind::Failed(what.into()) }
    }

    /// The host has nothing of the sort; not a fault.
    pub fn no_data(what: impl Into<Cow<'static, str>>) -> Self {
        Self { path: None, kind: Kind::NoData(what.into()) }
    }

    /// Whether the host just has nothing of the sort.
    pub fn is_no_data(&self) -> bool {
        matches!(self.kind, Kind::NoData(_))
    }

    /// Whether the file is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(&self.kind, Kind::Io(e) if e.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the system call failed with this number.
    pub fn is_errno(&self, errno: Errno) -> bool {
        matches!(&self.kind, Kind::Io(e) if e.raw_os_error() == Some(errno.raw_os_error()))
    }

    /// Whether the open file lost what was behind it.
    pub(super) fn is_gone(&self) -> bool {
        self.is_errno(Errno::NODEV) || self.is_errno(Errno::STALE) || self.is_errno(Errno::SRCH)
    }

    /// Whether we may not read the file.
    pub fn is_denied(&self) -> bool {
        self.is_errno(Errno::ACCESS) || self.is_errno(Errno::PERM)
    }

    /// For a file that need not be there: turns "not found" into "no data, because".
    #[must_use]
    pub fn or_no_data(self, why: &'static str) -> Self {
        if self.is_not_found() { Self { path: self.path, kind: Kind::NoData(why.into()) } } else { self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", path.display())?;
        }
        match &self.kind {
            Kind::Io(error) => write!(f, "{error}"),
            Kind::Failed(what) | Kind::NoData(what) => f.write_str(what),
        }
    }
}
impl std::error::Error for Error {}
