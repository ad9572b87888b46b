//! Files that are read in each scrape: whole, bounded, kept open where that is as good, and never a pipe.

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Mode, OFlags, StatFs};
use rustix::io::Errno;
use rustix::process::Resource;

use super::Error;
use super::absence::Absence;

/// More than any file of procfs and sysfs holds on the largest machines, and what one file may cost us at most.
const SIZE_LIMIT: usize = 64 << 20;
/// What most files fit in, so that one read gets them whole.
pub(super) const FIRST_READ: usize = 4096;
/// What a buffer may keep between scrapes; one huge file once must not stay in memory.
const KEPT_CAPACITY: usize = 256 << 10;

/// A file that stays open between scrapes and is read anew each time, where the kernel makes its content anew on
/// each read (procfs, sysfs). Other files are opened each time, since they may be replaced.
#[derive(Debug)]
pub struct KeptFile {
    path: PathBuf,
    file: Option<(Place, OwnedFd, Made)>,
    absence: Option<Absence>,
    /// procfs hands out at most this much of the file in one piece; what is shorter than a page less this is whole.
    longest_piece: usize,
    data: Vec<u8>,
}

/// How many files are kept open.
static KEPT_OPEN: AtomicUsize = AtomicUsize::new(0);

/// A place among the files kept open. There are half as many as the process may open, so that no number of sensors
/// leaves it without files for anything else.
#[derive(Debug)]
pub(super) struct Place(());

impl Place {
    pub(super) fn take() -> Option<Self> {
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
pub(super) enum Made {
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
        Self { path, file: None, absence: None, longest_piece: longest, data: Vec::new() }
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
    pub(super) fn valid(&self) -> Result<&str, Error> {
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

    /// Whether it is a file of procfs, and open since an earlier reading.
    pub fn is_open_in_procfs(&self) -> bool {
        matches!(self.file, Some((_, _, Made::Proc)))
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
        let file = self.open()?;
        let made = made(&file);
        let read = read_whole(&file, made.whole_below(self.longest_piece), &self.path, &mut self.data);
        if made != Made::Before {
            // Also if reading failed: it may go well next time.
            self.file = Place::take().map(|place| (place, file, made));
        }
        read
    }

    /// Opens the file, unless it was not there a moment ago.
    fn open(&mut self) -> Result<OwnedFd, Error> {
        let now = Instant::now();
        let absence = self.absence.as_ref().filter(|absence| absence.holds(now));
        if let Some(error) = absence.and_then(|absence| absence.error(&self.path)) {
            return Err(error);
        }
        let opened = open(&self.path);
        self.absence = opened.as_ref().err().and_then(|error| Absence::of(&self.path, error, now));
        opened
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
        let line = file.text().map(|text| text.trim().to_owned());
        self.files.insert(path.to_owned(), (file, true)); // also one that is not there remembers that
        line
    }

    /// The unsigned integer in the file at `path`.
    pub fn unsigned(&mut self, path: &Path) -> Result<u64, Error> {
        let line = self.line(path)?;
        crate::text::unsigned(&line).ok_or_else(|| Error::parse(path, "an unsigned integer", &line))
    }
}

/// Gives memory back that a large file took; small buffers are kept for the next read.
pub(super) fn trim(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(KEPT_CAPACITY);
}

/// Opens a file for reading. Only plain files: a pipe or a device could block or never end.
pub(super) fn open(path: &Path) -> Result<OwnedFd, Error> {
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

pub(super) fn made(file: &OwnedFd) -> Made {
    rustix::fs::fstatfs(file).map_or(Made::Before, |fs| made_by(&fs))
}

/// Who makes the files of a file system.
pub(super) fn made_by(fs: &StatFs) -> Made {
    match fs.f_type as u32 {
        0x9fa0 => Made::Proc,       // PROC_SUPER_MAGIC
        0x6265_6572 => Made::Sysfs, // SYSFS_MAGIC
        _ => Made::Before,
    }
}

/// Reads from the start to the end, into an empty buffer. A read of less than `whole_below` bytes may be the last.
///
/// Where the buffer is small the first piece goes over the stack: most files hold a number, many are kept, and a buffer
/// with room for a page each would be most of the heap.
pub(super) fn read_whole(
    file: &OwnedFd,
    whole_below: usize,
    path: &Path,
    data: &mut Vec<u8>,
) -> Result<(), Error> {
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
