//! The end: SIGTERM while scrapes are under way.

use std::thread;
use std::time::{Duration, Instant};

use super::Scale;
use super::client::{Connection, SCRAPE};
use super::subject::Subject;

/// Eight scrapes that are under way when the program is told to stop.
pub(super) fn stop(subject: &Subject, scale: Scale) -> Result<String, String> {
    const SCRAPES: usize = 8;
    let running = subject.start();
    let mut connections = Vec::new();
    for _ in 0..SCRAPES {
        let mut connection = Connection::open(running.address()).map_err(|e| e.to_string())?;
        // A first page each, so that these connections are known to the program and not only to the kernel.
        connection.send(SCRAPE.as_bytes()).map_err(|e| e.to_string())?;
        connection.answer(false).map_err(|e| e.to_string())?.expect_page()?;
        connections.push(connection);
    }
    for connection in &mut connections {
        connection.send(SCRAPE.as_bytes()).map_err(|e| e.to_string())?;
    }
    let start = Instant::now();
    let (lost, exited_well, took) = thread::scope(|scope| {
        let ending = scope.spawn(|| {
            let exited_well = running.0.stop();
            (exited_well, start.elapsed())
        });
        let readers: Vec<_> = connections
            .iter_mut()
            .map(|connection| {
                scope.spawn(|| connection.answer(false).map_err(|e| e.to_string())?.expect_page())
            })
            .collect();
        let lost = readers.into_iter().filter_map(|t| t.join().ok()).filter(Result::is_err).count();
        let (exited_well, took) = ending.join().unwrap_or((false, Duration::MAX));
        (lost, exited_well, took)
    });
    let exit = if exited_well { "exit 0" } else { "exit by a signal or with an error" };
    let figures = format!("{lost} of {SCRAPES} lost, {exit} after {:.1} s", took.as_secs_f64());
    if lost == 0 && exited_well && took <= scale.patience(Duration::from_secs(5)) {
        Ok(figures)
    } else {
        Err(figures)
    }
}
