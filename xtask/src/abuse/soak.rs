//! Watching a program for a while: what it holds must not grow.

use std::thread;
use std::time::{Duration, Instant};

use super::Scale;
use super::subject::Subject;

/// So long things may still settle; a quarter of a shorter soak.
const SETTLES: Duration = Duration::from_secs(120);
/// What memory may grow by from then on, in KiB.
const GROWTH: f64 = 1024.0;

/// Scrapes every second, and sees whether memory, threads and file descriptors grow once things have settled.
pub(super) fn run(subject: &Subject, scale: Scale) -> Result<String, String> {
    let time = scale.soak;
    let settles = SETTLES.min(time / 4);
    let running = subject.start();
    let start = Instant::now();
    let mut memory = Vec::new();
    let mut first = None;
    let mut series = 0;
    while start.elapsed() < time {
        let second = Instant::now();
        let page = running.scrape()?;
        series = String::from_utf8_lossy(&page.body).lines().count();
        if start.elapsed() >= settles {
            memory.push((start.elapsed().as_secs_f64() / 60.0, running.memory_kib() as f64));
            first.get_or_insert((running.files(), running.threads()));
        }
        thread::sleep(Duration::from_secs(1).saturating_sub(second.elapsed()));
    }
    let (files, threads) = (running.files(), running.threads());
    let (files_before, threads_before) = first.unwrap_or((files, threads));
    let slope = slope(&memory);
    let growth = slope * time.saturating_sub(settles).as_secs_f64() / 60.0;
    let figures = format!(
        "{slope:+.0} KiB a minute, {growth:+.0} KiB in all, files {files_before} -> {files}, \
         threads {threads_before} -> {threads}, over {} s, {series} lines a page",
        time.as_secs()
    );
    let flat = files <= files_before + 2 && threads <= threads_before + 2;
    if growth <= scale.of(GROWTH, 16.0 * GROWTH) && flat { Ok(figures) } else { Err(figures) }
}

/// How much y grows with x, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    if spread == 0.0 { 0.0 } else { points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread }
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn slopes() {
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), 2.0);
        assert_eq!(slope(&[(1.0, 1.0)]), 0.0);
    }
}
