//! A folder for one test.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that nobody else has, removed at its end.
///
/// # Panics
///
/// All methods do, with the path, when something cannot be made or written: a test cannot go on then.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new one, with `name` in its path, so that one that was left behind tells whose it was.
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("openmetrics-{name}-{}-{number}", std::process::id()));
        done(fs::create_dir_all(&path), &path);
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A folder in it, made if it is not there.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        done(fs::create_dir_all(&path), &path);
        path
    }

    /// A file in it with this text. Who reads it meanwhile sees the old file or the new one, as with good tools.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.0.join(name), self.0.join(format!("{name}.new")));
        if let Some(folder) = path.parent() {
            done(fs::create_dir_all(folder), folder);
        }
        done(fs::write(&new, text).and_then(|()| fs::rename(&new, &path)), &path);
        path
    }
}

fn done(result: io::Result<()>, path: &Path) {
    result.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
