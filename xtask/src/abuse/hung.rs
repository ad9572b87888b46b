//! What never comes back: a pipe where a file should be, a mount whose server is gone, a sensor, a device.

use std::fs::File;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Answer, Connection};
use super::subject::{Running, Subject};
use super::{Kind, Scale, Verdict};
use crate::Folder;
use crate::peers::say_skipped;

/// What a scraper says it will wait.
const TIMEOUT: Duration = Duration::from_secs(5);
/// When the second answer has to be there.
const SECOND: Duration = Duration::from_secs(1);
const SCRAPES: usize = 50;

pub(super) fn run(subject: &Subject, scale: Scale) -> Verdict {
    let cases = match subject.kind {
        Kind::Node => vec![Some(pipe(subject, scale)), mount(subject, scale), sensor(subject, scale)],
        Kind::Snmp => vec![Some(device(subject, scale))],
        Kind::Application | Kind::Churn => return None,
    };
    let figures: Result<Vec<String>, String> = cases.into_iter().flatten().collect();
    Some(figures.map(|figures| figures.join("; ")))
}

/// A pipe without a writer among the text files of the node exporter, beside a file that is well.
fn pipe(subject: &Subject, scale: Scale) -> Result<String, String> {
    let folder = Folder::new("pipe");
    folder.write("good.prom", "abuse_good 1\n");
    let pipe = folder.path().join("pipe.prom");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o644.into()).map_err(|e| format!("mkfifo: {e}"))?;
    let of_folder = format!("--collector.textfile.directory={}", folder.path().display());
    let running = subject.start_with(&[&of_folder]);
    let is_well = |page: &str| page.contains("\nabuse_good 1\n") && page.contains("\nnode_load1 ");
    watch("a pipe", &running, "/metrics", is_well, scale)
}

/// A file system whose server never answers. It exists in the exporter's own view of the mounts only, and ends with it:
/// the exporter holds the server's side, which is a descriptor of `/dev/fuse` that nobody reads from.
fn hanging_mount(subject: &Subject, at: &Path, more: &[&str]) -> Option<Running> {
    let may = File::options().read(true).write(true).open("/dev/fuse").is_ok()
        && Command::new("unshare")
            .args(["-m", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success());
    if !may {
        say_skipped("a mount that hangs needs root and /dev/fuse");
        return None;
    }
    let script = format!(
        "exec 9<>/dev/fuse && mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 hung '{}' && exec \"$0\" \"$@\"",
        at.display()
    );
    Some(subject.start_by(&["unshare", "-m", "sh"], &script, more))
}

/// A mount that hangs, in the list of mounts that the exporter reads: that of process 1, which is not in its view.
fn mount(subject: &Subject, scale: Scale) -> Verdict {
    let folder = Folder::new("mount");
    let at = match procfs_with_a_mount(&folder) {
        Ok(at) => at,
        Err(why) => return Some(Err(why)),
    };
    let of_proc = format!("--path.procfs={}", folder.path().display());
    let running = hanging_mount(subject, &at, &[&of_proc])?;
    let of_it = format!("mountpoint=\"{}\"", at.display());
    let is_told = |page: &str| {
        let of_it = |line: &str| line.contains(&of_it) && line.ends_with(" 1");
        page.lines().any(|line| line.starts_with("node_filesystem_device_error{") && of_it(line))
    };
    // Until the time of its own that a mount has is over, all that is known is that file systems are late.
    let is_late = |page: &str| page.contains("\nnode_scrape_collector_success{collector=\"filesystem\"} 0\n");
    let is_well = |page: &str| (is_told(page) || is_late(page)) && page.contains("\nnode_load1 ");
    let figures = match watch("a mount", &running, "/metrics", is_well, scale) {
        Ok(figures) => figures,
        Err(why) => return Some(Err(why)),
    };
    let start = Instant::now();
    while start.elapsed() < scale.patience(2 * TIMEOUT) {
        if running.scrape().is_ok_and(|answer| is_told(&String::from_utf8_lossy(&answer.body))) {
            return Some(Ok(figures));
        }
        thread::sleep(Duration::from_millis(100));
    }
    Some(Err("a mount that hangs is not told of".to_owned()))
}

/// Makes `folder` a procfs of links to the real one, where process 1 has one mount; answers where that is to be.
fn procfs_with_a_mount(folder: &Folder) -> Result<PathBuf, String> {
    let of_process = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
    for entry in std::fs::read_dir("/proc").map_err(|e| e.to_string())?.filter_map(Result::ok) {
        if !entry.file_name().to_str().is_none_or(of_process) {
            std::os::unix::fs::symlink(entry.path(), folder.path().join(entry.file_name()))
                .map_err(|e| e.to_string())?;
        }
    }
    let at = folder.folder("hung");
    folder.folder("1");
    for list in ["1/mounts", "1/mountinfo"] {
        let line = match list {
            "1/mounts" => format!("hung {} fuse rw 0 0\n", at.display()),
            _ => format!("99 1 0:99 / {} rw - fuse hung rw\n", at.display()),
        };
        folder.write(list, &line);
    }
    Ok(at)
}

fn sensor(subject: &Subject, scale: Scale) -> Verdict {
    let folder = Folder::new("sensor");
    let sensors = folder.folder("class/hwmon");
    let of_sys = format!("--path.sysfs={}", folder.path().display());
    let running = hanging_mount(subject, &sensors, &[&of_sys])?;
    let is_well = |page: &str| {
        page.contains("\nnode_scrape_collector_success{collector=\"hwmon\"} 0\n")
            && page.contains("\nnode_scrape_collector_success{collector=\"loadavg\"} 1\n")
    };
    Some(watch("a sensor", &running, "/metrics", is_well, scale))
}

/// A device that is silent. Asking it takes the time there is; the bridge's own metrics do not wait for it.
fn device(subject: &Subject, scale: Scale) -> Result<String, String> {
    let silent = UdpSocket::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    let at = silent.local_addr().map_err(|e| e.to_string())?;
    let running = subject.start();
    let target = format!("/snmp?target={at}&module=if_mib");
    let start = Instant::now();
    let mut asked = Connection::open(running.address()).map_err(|e| e.to_string())?;
    let headers = format!("X-Prometheus-Scrape-Timeout-Seconds: {}\r\n", TIMEOUT.as_secs());
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    asked.send(request.as_bytes()).map_err(|e| e.to_string())?;
    let beside = watch("a device", &running, "/metrics", |_| true, scale)?;
    asked.answer(false).map_err(|e| format!("the scrape of a silent device: {e}"))?;
    let took = start.elapsed();
    if took > scale.patience(TIMEOUT) {
        return Err(format!("a silent device was answered for after {:.1} s", took.as_secs_f64()));
    }
    Ok(beside)
}

/// Scrapes again and again: the first may take its time, the others may not, and nothing piles up.
fn watch(
    what: &str,
    running: &Running,
    path: &str,
    is_well: impl Fn(&str) -> bool,
    scale: Scale,
) -> Result<String, String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Prometheus-Scrape-Timeout-Seconds: {}\r\n\r\n",
        TIMEOUT.as_secs()
    );
    let scrape = || -> Result<Duration, String> {
        let start = Instant::now();
        let answer = ask(running.address(), &request)
            .and_then(Answer::expect_page)
            .map_err(|e| format!("{what}: {e}"))?;
        let page = String::from_utf8_lossy(&answer.body);
        if is_well(&page) {
            Ok(start.elapsed())
        } else {
            Err(format!("{what}: the page lacks what was to be on it"))
        }
    };
    let first = scrape()?;
    let second = scrape()?;
    let threads = running.threads();
    let mut slowest = second;
    for _ in 0..SCRAPES {
        slowest = slowest.max(scrape()?);
    }
    let after = running.threads();
    let figures = format!(
        "{what}: first after {:.2} s, second {:.3} s, slowest then {:.3} s, threads {threads} -> {after}",
        first.as_secs_f64(),
        second.as_secs_f64(),
        slowest.as_secs_f64()
    );
    let good = first <= scale.patience(TIMEOUT) && slowest <= scale.patience(SECOND) && after <= threads;
    if good { Ok(figures) } else { Err(figures) }
}

fn ask(address: &str, request: &str) -> Result<Answer, String> {
    let ask = || {
        let mut connection = Connection::open(address)?;
        connection.send(request.as_bytes())?;
        connection.answer(false)
    };
    ask().map_err(|e: std::io::Error| format!("a scrape failed: {e}"))
}
