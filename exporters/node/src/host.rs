//! The host as collectors see it: four roots, and reads that carry their path, are bounded and never wait on a pipe.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;
use rustix::process::Resource;

use crate::netlink::{self, LinkHead, Route};

/// More than any file of procfs and sysfs holds on the largest machines, and what one file may cost us at most.
const SIZE_LIMIT: usize = 64 << 20;
/// What most files fit in, so that one read gets them whole.
const FIRST_READ: usize = 4096;
/// What a buffer may keep between scrapes; one huge file once must not stay in memory.
const KEPT_CAPACITY: usize = 256 << 10;

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
        look(self, &file.path, file.valid()?);
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
        let file = open(path)?;
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
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let folder = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| Error::io(path, e))?;
        let made = made(&folder);
        let names = names(&folder, made, &wanted).map_err(|e| Error::io(path, e))?;
        // An empty one would be opened anew each time all the same.
        if !names.is_empty()
            && made == Made::Sysfs
            && let Some(place) = Place::take()
        {
            kept.insert(path.to_owned(), (place, folder));
        }
        Ok(names)
    }
}

/// What a folder's entry takes at most: its numbers and its name, filled up.
const LONGEST_ENTRY: usize = 32 + LONGEST_NAME;
const LONGEST_NAME: usize = 256;

/// The names of what is wanted in an open folder, sorted.
fn names(folder: &OwnedFd, made: Made, wanted: impl Fn(FileType) -> bool) -> Result<Vec<String>, Errno> {
    let mut buffer = Vec::with_capacity(FIRST_READ);
    let mut entries = RawDir::new(folder, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    let mut used = 0;
    // sysfs hands out as many entries as there is room for, so where there is room left those were all.
    while !(made == Made::Sysfs && used > 0 && entries.is_buffer_empty() && used + LONGEST_ENTRY < FIRST_READ)
    {
        let Some(entry) = entries.next() else { break };
        let entry = entry?;
        used += LONGEST_ENTRY - LONGEST_NAME + entry.file_name().count_bytes();
        let Some(name) = entry.file_name().to_str().ok().filter(|name| !matches!(*name, "." | "..")) else {
            continue;
        };
        let kind = match entry.file_type() {
            FileType::Unknown => match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(about) => FileType::from_raw_mode(about.st_mode),
                Err(_) => continue, // it just went away
            },
            known => known,
        };
        if wanted(kind) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// A file that stays open between scrapes and is read anew each time, where the kernel makes its content anew on
/// each read (procfs, sysfs). Other files are opened each time, since they may be replaced.
#[derive(Debug)]
pub struct KeptFile {
    path: PathBuf,
    file: Option<(Place, OwnedFd, Made)>,
    /// procfs hands out at most this much of the file in one piece; what is shorter than a page less this is whole.
    longest_piece: usize,
    data: Vec<u8>,
}

/// How many files are kept open.
static KEPT_OPEN: AtomicUsize = AtomicUsize::new(0);

/// A place among the files kept open. There are half as many as the process may open, so that no number of sensors
/// leaves it without files for anything else.
#[derive(Debug)]
struct Place(());

impl Place {
    fn take() -> Option<Self> {
        static PLACES: OnceLock<usize> = OnceLock::new();
        let places = *PLACES.get_or_init(|| {
            let limit = rustix::process::getrlimit(Resource::Nofile).current;
            limit.map_or(usize::MAX, |limit| (limit / 2) as usize)
        });
        let place = Self(());
        (KEPT_OPEN.fetch_add(1, Ordering::Relaxed) < places).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        KEPT_OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who makes the content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// procfs, on each read from the start.
    Proc,
    /// sysfs, on each read from the start, and never more than a page.
    Sysfs,
    /// Somebody before us; the file may be replaced.
    Before,
}

impl Made {
    /// A read that gets less than this, and less than it had room for, got all.
    fn whole_below(self, longest_piece: usize) -> usize {
        match (self, longest_piece) {
            (Self::Proc, 0) => usize::MAX,
            (Self::Proc, longest) => FIRST_READ.saturating_sub(longest),
            (Self::Sysfs, _) => FIRST_READ,
            (Self::Before, _) => 0,
        }
    }
}

impl KeptFile {
    /// The file at `path`; nothing is opened yet.
    pub fn new(path: PathBuf) -> Self {
        Self::of_records(path, FIRST_READ)
    }

    /// The same for a file of procfs that consists of records none of which is longer than `longest` bytes. The
    /// kernel hands out as many as fit into a page, so a shorter read is the end and nothing is read to see it.
    pub fn of_records(path: PathBuf, longest: usize) -> Self {
        Self { path, file: None, longest_piece: longest, data: Vec::new() }
    }

    /// The same for a file of procfs that the kernel makes at once (`single_open` in its source, and numbers in
    /// `/proc/sys`).
    pub fn single(path: PathBuf) -> Self {
        Self::of_records(path, 0)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file whole. Bytes that are not UTF-8 become `U+FFFD`.
    pub fn text(&mut self) -> Result<&str, Error> {
        self.refresh()?;
        if let Cow::Owned(valid) = crate::text::valid(&self.data) {
            self.data = valid.into_bytes();
        }
        self.valid()
    }

    /// What was read last, which was made valid.
    fn valid(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.data).map_err(|_| Error::failed(&self.path, "not UTF-8"))
    }

    /// Reads the file whole, as bytes: paths in it may be anything.
    pub fn bytes(&mut self) -> Result<&[u8], Error> {
        self.refresh()?;
        Ok(&self.data)
    }

    /// Whether the kernel, which announces changes of this file (`/proc/PID/mountinfo`, `/proc/mdstat`), has announced
    /// none since the last call, or since it was opened.
    pub fn is_unchanged(&self) -> bool {
        let Some((_, file, _)) = &self.file else { return false };
        let mut asked = [PollFd::new(file, PollFlags::PRI)];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut asked, Some(&at_once)) == Ok(0)
    }

    /// Reads the file, which holds one unsigned integer.
    pub fn unsigned(&mut self) -> Result<u64, Error> {
        self.refresh()?;
        let found = std::str::from_utf8(&self.data).ok().map(str::trim).and_then(crate::text::unsigned);
        found.ok_or_else(|| {
            Error::parse(&self.path, "an unsigned integer", &String::from_utf8_lossy(&self.data))
        })
    }

    fn refresh(&mut self) -> Result<(), Error> {
        trim(&mut self.data);
        if let Some((_, file, made)) = &self.file {
            match read_whole(file, made.whole_below(self.longest_piece), &self.path, &mut self.data) {
                // The device behind it went away; there may be a new one of the same name.
                Err(error) if error.is_gone() => self.file = None,
                other => return other,
            }
        }
        let file = open(&self.path)?;
        let made = made(&file);
        let read = read_whole(&file, made.whole_below(self.longest_piece), &self.path, &mut self.data);
        if made != Made::Before {
            // Also if reading failed: it may go well next time.
            self.file = Place::take().map(|place| (place, file, made));
        }
        read
    }
}

/// Files that are kept open by path, for collectors whose devices come and go.
#[derive(Debug, Default)]
pub struct KeptFiles {
    files: HashMap<PathBuf, (KeptFile, bool)>,
}

impl KeptFiles {
    /// Begins a reading: closes the files that the last one did not ask for.
    pub fn begin(&mut self) {
        self.files.retain(|_, (_, asked)| std::mem::take(asked));
    }

    /// The text of the file at `path`, without white space around it.
    pub fn line(&mut self, path: &Path) -> Result<String, Error> {
        if let Some((file, asked)) = self.files.get_mut(path) {
            *asked = true;
            return file.text().map(|text| text.trim().to_owned());
        }
        let mut file = KeptFile::new(path.to_owned());
        let line = file.text()?.trim().to_owned();
        self.files.insert(path.to_owned(), (file, true));
        Ok(line)
    }

    /// The unsigned integer in the file at `path`.
    pub fn unsigned(&mut self, path: &Path) -> Result<u64, Error> {
        let line = self.line(path)?;
        crate::text::unsigned(&line).ok_or_else(|| Error::parse(path, "an unsigned integer", &line))
    }
}

/// Gives memory back that a large file took; small buffers are kept for the next read.
fn trim(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(KEPT_CAPACITY);
}

/// Opens a file for reading. Only plain files: a pipe or a device could block or never end.
fn open(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| Error::io(path, e))?;
    let stat = rustix::fs::fstat(&file).map_err(|e| Error::io(path, e))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(file),
        FileType::Directory => Err(Error::failed(path, "is a folder, not a file")),
        FileType::Fifo => Err(Error::failed(path, "is a pipe, not a file")),
        _ => Err(Error::failed(path, "is not a plain file")),
    }
}

fn made(file: &OwnedFd) -> Made {
    const PROC: u32 = 0x9fa0; // PROC_SUPER_MAGIC
    const SYSFS: u32 = 0x6265_6572; // SYSFS_MAGIC
    match rustix::fs::fstatfs(file) {
        Ok(fs) if fs.f_type as u32 == PROC => Made::Proc,
        Ok(fs) if fs.f_type as u32 == SYSFS => Made::Sysfs,
        _ => Made::Before,
    }
}

/// Reads from the start to the end, into an empty buffer. A read of less than `whole_below` bytes may be the last.
///
/// Where the buffer is small the first piece goes over the stack: most files hold a number, many are kept, and a buffer
/// with room for a page each would be most of the heap.
fn read_whole(file: &OwnedFd, whole_below: usize, path: &Path, data: &mut Vec<u8>) -> Result<(), Error> {
    loop {
        let offset = data.len() as u64;
        let (read, room) = if data.capacity() < FIRST_READ {
            let mut piece = [MaybeUninit::uninit(); FIRST_READ];
            let read = rustix::io::pread(file, &mut piece, offset).map(|(read, _)| {
                data.extend_from_slice(read);
                read.len()
            });
            (read, FIRST_READ)
        } else {
            if data.capacity() - data.len() < FIRST_READ / 2 {
                data.reserve(data.len());
            }
            let room = data.capacity() - data.len();
            (rustix::io::pread(file, rustix::buffer::spare_capacity(data), offset), room)
        };
        match read {
            Ok(0) => return Ok(()),
            Ok(read) if read < whole_below && read < room => return Ok(()),
            Ok(_) if data.len() > SIZE_LIMIT => {
                data.clear();
                return Err(Error::failed(path, "is larger than 64 MiB"));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                data.clear();
                return Err(Error::io(path, error));
            }
        }
    }
}

/// What tells one version of a file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: i64,
    modified: (i64, i64),
}

impl Stamp {
    /// The stamp of a file now; what was read under an equal stamp need not be read again.
    pub fn of(path: &Path) -> Result<Self, Error> {
        let stat = rustix::fs::stat(path).map_err(|e| Error::io(path, e))?;
        let modified = (stat.st_mtime as i64, stat.st_mtime_nsec as i64);
        Ok(Self { inode: stat.st_ino, size: stat.st_size as i64, modified })
    }

    /// When the file was written, in seconds since the Unix epoch.
    pub fn modified(&self) -> i64 {
        self.modified.0
    }
}

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
    fn is_gone(&self) -> bool {
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

/// A host made of files, for the tests of collectors.
#[cfg(test)]
pub(crate) mod for_tests {
    use super::*;
    use crate::gathered::Gathered;

    /// A folder with `proc`, `sys`, `udev` and `root` in it, removed at the end.
    pub(crate) struct Tree(PathBuf);

    impl Tree {
        /// Files and what is in them. A path that ends in ` -> TARGET` is a link.
        pub(crate) fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("node-exporter-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&root); // of a run that was killed
            std::fs::create_dir_all(&root).unwrap();
            for (path, content) in files {
                let (path, target) = path.split_once(" -> ").map_or((*path, None), |(p, t)| (p, Some(t)));
                let path = root.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                match target {
                    Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
                    None => std::fs::write(path, content).unwrap(),
                }
            }
            Self(root)
        }

        pub(crate) fn host(&self) -> Host {
            let [proc, sys, rootfs, udev] = ["proc", "sys", "root", "udev"].map(|name| self.0.join(name));
            Host::new(Arc::new(Roots { proc, sys, rootfs, udev }))
        }

        /// What a reader tells, and its problems, with paths within the tree.
        pub(crate) fn read(
            &self,
            mut read: impl FnMut(&mut Host, &mut Gathered) -> Result<(), Error>,
        ) -> (Vec<String>, Vec<String>) {
            let (mut host, mut gathered) = (self.host(), Gathered::default());
            let ended = read(&mut host, &mut gathered).err();
            let problems = host.take_problems().notes.into_iter().chain(ended);
            let root = format!("{}/", self.0.display());
            (gathered.told(), problems.map(|problem| problem.to_string().replace(&root, "")).collect())
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
