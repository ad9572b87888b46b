//! What one server lets its clients do to it.

use std::time::Duration;

/// Every limit of a server, with defaults that hold a public port.
///
/// ```
/// use openmetrics::http::Limits;
/// use std::time::Duration;
///
/// let mut limits = Limits::default();
/// limits.idle = Duration::from_secs(30);
/// assert_eq!(limits.connections, Limits::CONNECTIONS);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// From the first moment of a connection, or the first byte of a later request, to the end of its head.
    pub head: Duration,
    /// Between two requests of one connection.
    pub idle: Duration,
    /// How long a client may take nothing of an answer.
    pub write_stall: Duration,
    /// How long a whole answer may take to be written.
    pub write: Duration,
    /// How many connections are open at once; fewer where the limit on open files asks for it.
    pub connections: usize,
    /// How many file descriptors are left to the process beside the half that is its collectors'.
    pub spare_files: usize,
    /// Bytes of a request line: 414 beyond.
    pub request_line: usize,
    /// Bytes of all header lines of a request: 431 beyond.
    pub header_bytes: usize,
    /// Header lines of a request: 431 beyond.
    pub headers: usize,
    /// How many requests are answered at once: 503 beyond.
    pub in_flight: usize,
    /// How long a server that stops waits for answers on their way.
    pub drain: Duration,
    /// A scrape's time when its client states none.
    pub scrape: Duration,
    /// The most that a scrape gets, whatever its client states.
    pub scrape_max: Duration,
}

impl Limits {
    /// Ten seconds are plenty for a few hundred bytes, and short enough that half-open connections do not pile up.
    pub const HEAD: Duration = Duration::from_secs(10);
    /// Two of the usual scrape intervals of a minute, so a scraper keeps its connection.
    pub const IDLE: Duration = Duration::from_secs(120);
    /// A stalled network recovers in less; who takes nothing for so long has gone.
    pub const WRITE_STALL: Duration = Duration::from_secs(30);
    /// Scrapers give up after ten seconds as a rule; a minute is for the slowest of them.
    pub const WRITE: Duration = Duration::from_secs(60);
    /// Far above what a set of scrapers needs, at a few KiB each.
    pub const CONNECTIONS: usize = 256;
    /// The standard streams, listeners, the event loop, clients that are turned away, and some for a moment.
    pub const SPARE_FILES: usize = 24;
    /// However few files there are, so many scrapers are let in.
    pub const CONNECTIONS_MIN: usize = 4;
    /// The usual limit of web servers.
    pub const REQUEST_LINE: usize = 8 << 10;
    /// Four times the largest head that a browser with cookies sends.
    pub const HEADER_BYTES: usize = 32 << 10;
    /// Scrapers send about eight.
    pub const HEADERS: usize = 64;
    /// One for each connection: concurrent scrapes share one gathering, so they cost little.
    pub const IN_FLIGHT: usize = Self::CONNECTIONS;
    /// Below the five seconds after which impatient supervisors kill.
    pub const DRAIN: Duration = Duration::from_millis(4500);
    /// The scrape timeout that Prometheus has unless it is told otherwise.
    pub const SCRAPE: Duration = Duration::from_secs(10);
    /// Beyond this no scraper waits.
    pub const SCRAPE_MAX: Duration = Duration::from_secs(120);
    /// The least time that a scrape gets, so a client cannot starve those that share its gathering.
    pub const SCRAPE_MIN: Duration = Duration::from_millis(500);
    /// What is taken off a scraper's own timeout for the way back.
    pub const SCRAPE_MARGIN: Duration = Duration::from_millis(500);

    /// The time that a scrape has, from what its client states in `X-Prometheus-Scrape-Timeout-Seconds`.
    pub fn scrape_time(&self, stated: Option<&str>) -> Duration {
        stated
            .and_then(|text| text.trim().parse::<f64>().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .filter(|time| !time.is_zero())
            .map_or(self.scrape, |time| time.min(self.scrape_max))
            .saturating_sub(Self::SCRAPE_MARGIN)
            .max(Self::SCRAPE_MIN)
    }

    /// How many connections fit under the process's limit on open files.
    pub(crate) fn connections_that_fit(&self) -> usize {
        self.connections_beside(open_files_limit().unwrap_or(usize::MAX))
    }

    /// How many connections fit when `files` may be open: half of them are the collectors', which keep theirs.
    fn connections_beside(&self, files: usize) -> usize {
        let fit = (files / 2).saturating_sub(self.spare_files).max(Self::CONNECTIONS_MIN);
        self.connections.min(fit).max(1)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Self::HEAD,
            idle: Self::IDLE,
            write_stall: Self::WRITE_STALL,
            write: Self::WRITE,
            connections: Self::CONNECTIONS,
            spare_files: Self::SPARE_FILES,
            request_line: Self::REQUEST_LINE,
            header_bytes: Self::HEADER_BYTES,
            headers: Self::HEADERS,
            in_flight: Self::IN_FLIGHT,
            drain: Self::DRAIN,
            scrape: Self::SCRAPE,
            scrape_max: Self::SCRAPE_MAX,
        }
    }
}

#[cfg(unix)]
fn open_files_limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    usize::try_from(limit).ok()
}

#[cfg(not(unix))]
fn open_files_limit() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_leave_room_for_collectors() {
        for (files, connections) in [(64, 8), (40, 4), (256, 104), (1024, 256), (usize::MAX, 256)] {
            assert_eq!(Limits::default().connections_beside(files), connections, "{files}");
        }
        let one = Limits { connections: 1, ..Limits::default() };
        assert_eq!(one.connections_beside(64), 1);
    }

    #[test]
    fn the_scrapers_timeout_is_clamped_and_leaves_time_for_the_way_back() {
        let limits = Limits::default();
        for (stated, millis) in [
            (None, 9_500),
            (Some("10"), 9_500),
            (Some(" 2.5 "), 2_000),
            (Some("0.6"), 500),
            (Some("1e9"), 119_500),
            (Some("0"), 9_500),
            (Some("-1"), 9_500),
            (Some("NaN"), 9_500),
            (Some("inf"), 9_500),
            (Some("soon"), 9_500),
        ] {
            assert_eq!(limits.scrape_time(stated), Duration::from_millis(millis), "{stated:?}");
        }
    }
}
