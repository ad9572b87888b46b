//! The host as collectors see it: four roots, and reads that carry their path, are bounded and never wait on a pipe.

mod absence;
mod error;
mod file;
mod folder;
#[cfg(test)]
pub(crate) mod for_tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rustix::fs::{FileType, Mode, OFlags, SeekFrom};

use crate::netlink::{self, LinkHead, Route};
use absence::{Absence, Absences};
pub use error::Error;
pub use file::{KeptFile, KeptFiles, Stamp};
use file::{Made, Place, made, open, read_whole, trim};
use folder::names;

/// Where the host's file systems are found; a container sees them under folders of their own.
#[derive(Debug, Clone)]
pub struct Roots {
    /// procfs, usually `/proc`.
    pub proc: PathBuf,
    /// sysfs, usually `/sys`.
    pub sys: PathBuf,
    /// The root of all mount points, usually `/`.
    pub rootfs: PathBuf,
    /// What udev knows of devices, usually `/run/udev/data`.
    pub udev: PathBuf,
}

/// What a collector reads the host through, and where it notes what it could not make sense of.
#[derive(Debug)]
pub struct Host {
    roots: Arc<Roots>,
    scratch: Vec<u8>,
    /// Folders of sysfs that are kept open.
    folders: RefCell<HashMap<PathBuf, (Place, OwnedFd)>>,
    absences: RefCell<Absences>,
    shared: Arc<Shared>,
    problems: Problems,
}

/// What several collectors ask for in one scrape and the kernel has to tell only once.
#[derive(Debug, Default)]
pub struct Shared {
    /// The number of the scrape; 0 where nothing is shared.
    scrape: AtomicU64,
    /// All network interfaces, as netlink tells them.
    links: Mutex<Links>,
    /// `/proc/stat`, and the scrape that it was read in.
    stat: Mutex<(u64, Option<KeptFile>)>,
}

/// The answer to a dump of interfaces, and the scrape that it is of.
#[derive(Debug, Default)]
struct Links {
    scrape: u64,
    messages: Vec<(LinkHead, Vec<u8>)>,
}

impl Shared {
    /// Begins a scrape: what was shared is asked for anew.
    pub fn begin(&self) {
        self.scrape.fetch_add(1, Ordering::Relaxed);
    }
}

/// What was noted in one reading.
#[derive(Debug, Default)]
pub struct Problems {
    /// What made it fail in part, the first few.
    pub notes: Vec<Error>,
    /// What was wrong and does not make it fail, the first few.
    pub asides: Vec<Error>,
    /// How many there were of both.
    pub count: u64,
}

/// How many problems of one scrape are kept in words; the rest are counted.
const PROBLEMS_KEPT: usize = 8;

impl Host {
    /// A view of the host under these roots.
    pub fn new(roots: Arc<Roots>) -> Self {
        Self {
            roots,
            scratch: Vec::new(),
            folders: RefCell::default(),
            absences: RefCell::default(),
            shared: Arc::default(),
            problems: Problems::default(),
        }
    }

    /// The same view, which shares what it asks of the kernel with others.
    #[must_use]
    pub fn sharing(mut self, shared: Arc<Shared>) -> Self {
        self.shared = shared;
        self
    }

    /// All network interfaces, from netlink, or from a collector that asked for them in this scrape.
    pub fn links(&self, route: &mut Route, mut each: impl FnMut(LinkHead, &[u8])) -> Result<(), Error> {
        let scrape = self.shared.scrape.load(Ordering::Relaxed);
        if scrape == 0 {
            return netlink::links(route, each);
        }
        // Nobody holds the lock while asking the kernel, which could take long.
        if let Ok(links) = self.shared.links.lock()
            && links.scrape == scrape
        {
            links.messages.iter().for_each(|(head, attributes)| each(*head, attributes));
            return Ok(());
        }
        let mut messages = Vec::new();
        netlink::links(route, |head, attributes| {
            each(head, attributes);
            messages.push((head, attributes.to_owned()));
        })?;
        if let Ok(mut links) = self.shared.links.lock() {
            *links = Links { scrape, messages };
        }
        Ok(())
    }

    /// Looks at the text of `/proc/stat`, which is read once a scrape; large machines take their time to make it.
    pub fn stat(&mut self, look: impl FnOnce(&mut Self, &Path, &str)) -> Result<(), Error> {
        let scrape = self.shared.scrape.load(Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        // Who comes while another reads waits for the same file.
        let (of, file) = &mut *shared.stat.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file.get_or_insert_with(|| KeptFile::single(self.proc("stat")));
        if *of != scrape || scrape == 0 {
            *of = 0;
            file.text()?;
            *of = scrape;
        }
        look(self, file.path(), file.valid()?);
        Ok(())
    }

    /// A path in procfs.
    pub fn proc(&self, path: impl AsRef<Path>) -> PathBuf {
        self.roots.proc.join(path)
    }

    /// A path in sysfs.
    pub fn sys(&self, path: impl AsRef<Path>) -> PathBuf {
        self.roots.sys.join(path)
    }

    /// The four roots.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// A path of the host, such as a mount point, under the root we see it at.
    pub fn rootfs(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.roots.rootfs.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A path in udev's data.
    pub fn udev(&self, path: impl AsRef<Path>) -> PathBuf {
        self.roots.udev.join(path)
    }

    /// Notes a line or a file that had to be left out; the rest goes on. The scrape then counts as not
    /// successful for this collector, and `node_scrape_collector_errors_total` rises.
    pub fn note(&mut self, problem: Error) {
        self.problems.count += 1;
        if self.problems.notes.len() < PROBLEMS_KEPT {
            self.problems.notes.push(problem);
        }
    }

    /// Notes something that is wrong and that the collector tells of in metrics of its own; it still succeeds.
    pub fn aside(&mut self, problem: Error) {
        self.problems.count += 1;
        if self.problems.asides.len() < PROBLEMS_KEPT {
            self.problems.asides.push(problem);
        }
    }

    /// What was noted since the last call.
    pub fn take_problems(&mut self) -> Problems {
        std::mem::take(&mut self.problems)
    }

    /// The text of a file that is read too seldom to be kept open. Bytes that are not UTF-8 become `U+FFFD`.
    pub fn text(&mut self, path: &Path) -> Result<String, Error> {
        trim(&mut self.scratch);
        let file = self.unless_absent(path, || open(path))?;
        read_whole(&file, 0, path, &mut self.scratch)?;
        Ok(crate::text::valid(&self.scratch).into_owned())
    }

    /// The text of a file of one line, without white space around it.
    pub fn line(&mut self, path: &Path) -> Result<String, Error> {
        self.text(path).map(|text| text.trim().to_owned())
    }

    /// A file that holds one unsigned integer.
    pub fn unsigned(&mut self, path: &Path) -> Result<u64, Error> {
        let text = self.text(path)?;
        crate::text::unsigned(text.trim())
            .ok_or_else(|| Error::parse(path, "an unsigned integer", text.trim()))
    }

    /// The names in a folder, sorted. Names that are not UTF-8 are left out: no file of the kernel has one.
    pub fn list(&self, path: &Path) -> Result<Vec<String>, Error> {
        self.names(path, |_| true)
    }

    /// The names of all but plain files in a folder, sorted: folders, and links, which sysfs has many of.
    pub fn folders(&self, path: &Path) -> Result<Vec<String>, Error> {
        self.names(path, |kind| kind != FileType::RegularFile)
    }

    /// Whether there is a folder of this name.
    pub fn has_folder(&self, path: &Path) -> bool {
        let about = self.unless_absent(path, || rustix::fs::stat(path).map_err(|e| Error::io(path, e)));
        about.is_ok_and(|about| FileType::from_raw_mode(about.st_mode).is_dir())
    }

    /// What `look` finds at `path`; it does not look where there was nothing a moment ago.
    fn unless_absent<T>(&self, path: &Path, look: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let now = Instant::now();
        if let Some(error) = self.absences.borrow().get(path, now).and_then(|absence| absence.error(path)) {
            return Err(error);
        }
        let found = look();
        if let Some(absence) = found.as_ref().err().and_then(|error| Absence::of(path, error, now)) {
            self.absences.borrow_mut().remember(path, absence);
        }
        found
    }

    fn names(&self, path: &Path, wanted: impl Fn(FileType) -> bool) -> Result<Vec<String>, Error> {
        let mut kept = self.folders.borrow_mut();
        if let Some((_, folder)) = kept.get(path) {
            let listed = rustix::fs::seek(folder, SeekFrom::Start(0));
            let listed = listed.and_then(|_| names(folder, Made::Sysfs, &wanted));
            match listed {
                Ok(names) if !names.is_empty() => return Ok(names),
                // The folder of a device that went away lists nothing; there may be a new one of the same name.
                _ => drop(kept.remove(path)),
            }
        }
        let now = Instant::now();
        if self.absences.borrow().get(path, now).is_some_and(Absence::is_empty_folder) {
            return Ok(Vec::new());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let open = || rustix::fs::open(path, flags, Mode::empty()).map_err(|e| Error::io(path, e));
        let folder = self.unless_absent(path, open)?;
        let made = made(&folder);
        let mut bare = true;
        let names = names(&folder, made, |kind| {
            bare = false;
            wanted(kind)
        });
        let names = names.map_err(|e| Error::io(path, e))?;
        // An empty one would be opened anew each time all the same.
        if made == Made::Sysfs {
            if bare {
                self.absences.borrow_mut().remember(path, Absence::empty_folder(now));
            } else if !names.is_empty()
                && let Some(place) = Place::take()
            {
                kept.insert(path.to_owned(), (place, folder));
            }
        }
        Ok(names)
    }
}
