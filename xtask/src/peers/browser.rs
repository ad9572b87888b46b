//! A real browser without a window, for the pages that people see.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How long a page may take to be shown.
const SHOWN: Duration = Duration::from_secs(120);

/// Chromium, with a profile of its own that goes when this is dropped.
#[derive(Debug)]
pub struct Browser {
    program: PathBuf,
    profile: PathBuf,
}

impl Browser {
    /// The browser, or `None` after saying that the test is skipped.
    ///
    /// # Panics
    ///
    /// When there is none and [`REQUIRE`](super::REQUIRE) says that there must be.
    pub fn find() -> Option<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let program = super::find("chromium")?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let profile = std::env::temp_dir().join(format!("browser-{}-{number}", std::process::id()));
        Some(Self { program, profile })
    }

    /// The page at `url` as HTML, after its script has run.
    ///
    /// # Panics
    ///
    /// When it cannot be shown.
    pub fn page(&self, url: &str) -> String {
        self.run(&["--dump-dom", url])
    }

    /// A picture of the page at `url`, kept as `target/screenshots/NAME.png` for people to look at.
    ///
    /// # Panics
    ///
    /// When it cannot be taken.
    pub fn picture(&self, url: &str, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
        fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let file = folder.join(format!("{name}.png"));
        let _ = fs::remove_file(&file);
        self.run(&[
            "--hide-scrollbars",
            "--window-size=1280,1600",
            &format!("--screenshot={}", file.display()),
            url,
        ]);
        let size = fs::metadata(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).len();
        assert!(size > 10_000, "{} has {size} bytes: a blank page", file.display());
        file
    }

    fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        // Without a sandbox, since CI is root in a container that has none to offer; the pages are our own.
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ]);
        command.arg(format!("--user-data-dir={}", self.profile.display())).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("chromium did not start: {e}"));
        let stdout = child.stdout.take();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            stdout.map(|mut out| out.read_to_string(&mut text)).transpose().map(|_| text)
        });
        let status = super::program::wait(&mut child, SHOWN);
        if status.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        assert!(
            status.is_some_and(|status| status.success()),
            "chromium {arguments:?} ended with {status:?}"
        );
        let text = reader.join().unwrap_or_else(|_| panic!("the reader of chromium's output panicked"));
        text.unwrap_or_else(|e| panic!("chromium's output: {e}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.profile);
    }
}
