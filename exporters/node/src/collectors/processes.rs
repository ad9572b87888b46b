//! Processes and threads by state, from `/proc/PID/stat` and `/proc/PID/task/TID/stat`:
//!
//! ```text
//! 26231 (vim) R 5392 7446 5392 34835 7446 4218880 32533 309516 26 82 1677 44 158 99 20 0 1 0 82375 ...
//! ```
//!
//! The third field is the state, the twentieth the number of threads.

use std::collections::BTreeMap;
use std::path::Path;

use openmetrics::model::Descriptor;
use rustix::io::Errno;

use super::Spec;
use crate::families::gauge;
use crate::gathered::{Gathered, Reader};
use crate::host::{Error, Host};
use crate::text;

pub(super) static SPEC: Spec = Spec {
    name: "processes",
    enabled: false,
    about: "processes and threads by state",
    flags: &[],
    build: |_| Ok(Reader::boxed(read)),
};

static THREADS: Descriptor = gauge("node_processes_threads", "Threads of all processes.");
static MAX_THREADS: Descriptor = gauge("node_processes_max_threads", "Threads that there may be.");
static STATES: Descriptor = gauge("node_processes_state", "Processes by state.");
static THREAD_STATES: Descriptor = gauge("node_processes_threads_state", "Threads by state.");
static PIDS: Descriptor = gauge("node_processes_pids", "Processes.");
static MAX_PIDS: Descriptor = gauge("node_processes_max_processes", "Processes and threads that can have a number.");

fn read(host: &mut Host, out: &mut Gathered) -> Result<(), Error> {
    let (mut pids, mut threads) = (0_u64, 0_i64);
    let (mut states, mut thread_states) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new());
    let proc = host.proc("");
    for pid in numbered(host, &proc)? {
        let Some((state, count)) = stat(host, &proc.join(&pid).join("stat")) else { continue };
        pids += 1;
        threads = threads.saturating_add(count);
        *states.entry(state.clone()).or_default() += 1;
        let tasks = proc.join(&pid).join("task");
        // It may be gone by now.
        for tid in numbered(host, &tasks).unwrap_or_default() {
            let found = if tid == pid { Some(state.clone()) } else { stat(host, &tasks.join(&tid).join("stat")).map(|s| s.0) };
            if let Some(state) = found {
                *thread_states.entry(state).or_default() += 1;
            }
        }
    }
    out.point(&THREADS, &[], threads);
    for (state, count) in states {
        out.point(&STATES, &[("state", &state)], count);
    }
    for (state, count) in thread_states {
        out.point(&THREAD_STATES, &[("thread_state", &state)], count);
    }
    out.point(&PIDS, &[], pids);
    out.point(&MAX_THREADS, &[], host.unsigned(&host.proc("sys/kernel/threads-max"))?);
    out.point(&MAX_PIDS, &[], host.unsigned(&host.proc("sys/kernel/pid_max"))?);
    Ok(())
}

fn numbered(host: &Host, folder: &Path) -> Result<Vec<String>, Error> {
    Ok(host.list(folder)?.into_iter().filter(|name| text::unsigned(name).is_some()).collect())
}

/// State and number of threads; `None` if it just ended.
fn stat(host: &mut Host, path: &Path) -> Option<(String, i64)> {
    match host.text(path) {
        Ok(text) => {
            let found = parse(&text);
            if found.is_none() {
                host.note(Error::parse(path, "the state of a process", &text));
            }
            found
        }
        Err(error) => {
            if !error.is_not_found() && !error.is_errno(Errno::SRCH) {
                host.note(error);
            }
            None
        }
    }
}

/// The name may be anything, parentheses included, so the fields are counted from the last one.
fn parse(text: &str) -> Option<(String, i64)> {
    let mut words = text::words(text.rsplit_once(')')?.1);
    let state = words.next()?.to_owned();
    Some((state, text::signed(words.nth(16)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_anything() {
        let text = "26231 (a) b (c) R 5392 7446 5392 34835 7446 4218880 32533 309516 26 82 1677 44 158 99 20 0 3 0 82375";
        assert_eq!(parse(text), Some(("R".into(), 3)));
        assert_eq!(parse("26231 (vim) R 5392"), None);
        assert_eq!(parse(""), None);
    }
}
