//! File systems: the mounts in `/proc/1/mountinfo` (or `/proc/self/mountinfo`, where the first is hidden)
//!
//! ```text
//! 29 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/root rw,errors=remount-ro
//! ```
//!
//! and what `statfs` says of each. That call waits for the server of a network mount as long as it takes, so it is
//! made where it can be given up on; a mount that does not answer is told as such and left alone until it does.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openmetrics::model::{Descriptor, Labels};
use openmetrics_exporter_toolkit::{State, Supervisor, Task};
use rustix::fs::StatFs;
use rustix::io::Errno;

use super::{NodeCollector, Setup, Spec};
use crate::families::{INFO, gauge, info};
use crate::flags::{Filter, Flag};
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;
use crate::text;

const MOUNTS_EXCLUDE: Flag = Flag::text(
    "collector.filesystem.mount-points-exclude",
    "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
    "Regular expression of mount points to leave out",
)
.formerly(&["collector.filesystem.ignored-mount-points"]);
const MOUNTS_INCLUDE: Flag = Flag::text(
    "collector.filesystem.mount-points-include",
    "",
    "Regular expression of mount points to tell, and no others",
);
const TYPES_EXCLUDE: Flag = Flag::text(
    "collector.filesystem.fs-types-exclude",
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay\
     |proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$",
    "Regular expression of file system types to leave out",
)
.formerly(&["collector.filesystem.ignored-fs-types"]);
const TYPES_INCLUDE: Flag = Flag::text(
    "collector.filesystem.fs-types-include",
    "",
    "Regular expression of file system types to tell, and no others",
);
const MOUNT_TIMEOUT: Flag = Flag::duration(
    "collector.filesystem.mount-timeout",
    Duration::from_secs(5),
    "How long a mount may take to answer",
)
.hidden();
const STAT_WORKERS: Flag = Flag::number(
    "collector.filesystem.stat-workers",
    4,
    "Taken for node_exporter's sake; here one worker suffices and more come when it is stuck",
)
.hidden();

pub(super) static SPEC: Spec = Spec {
    name: "filesystem",
    enabled: true,
    about: "size and free space of mounted file systems",
    flags: &[MOUNTS_EXCLUDE, MOUNTS_INCLUDE, TYPES_EXCLUDE, TYPES_INCLUDE, MOUNT_TIMEOUT, STAT_WORKERS],
    build: |setup| Ok(Box::new(Filesystem::new(setup)?)),
};

static DEVICE_ERROR: Descriptor =
    gauge("node_filesystem_device_error", "Whether the file system could not be asked for its size.");
static READONLY: Descriptor = gauge("node_filesystem_readonly", "Whether the file system is read-only.");
static MOUNT: Descriptor = info("node_filesystem_mount_info", "Mounts and the numbers of their devices.");
static SIZE: Descriptor = gauge("node_filesystem_size_bytes", "Size of the file system.");
static FREE: Descriptor = gauge("node_filesystem_free_bytes", "Free space, what is kept for root included.");
static AVAILABLE: Descriptor = gauge("node_filesystem_avail_bytes", "Free space that everybody may use.");
static FILES: Descriptor = gauge("node_filesystem_files", "Files that the file system can hold.");
static FILES_FREE: Descriptor = gauge("node_filesystem_files_free", "Files that it can hold beyond those it has.");
static PURGEABLE: Descriptor =
    gauge("node_filesystem_purgeable_bytes", "Always 0 on Linux; there because node_exporter has it.");

/// File systems that answer from memory. (Others may ask a server, or a disk that does not answer any more.)
const ANSWER_AT_ONCE: [&[u8]; 10] =
    [b"ext2", b"ext3", b"ext4", b"xfs", b"vfat", b"tmpfs", b"ramfs", b"devtmpfs", b"overlay", b"squashfs"];

/// What `device_error` says of a mount that does not answer.
const TIMEOUT: &str = "mountpoint timeout";

/// The kernel announces mounts that come, go and change. What it does not, such as another first device of a btrfs, is
/// seen this late at most.
const AT_LEAST_EVERY: Duration = Duration::from_secs(30);

struct Filesystem {
    files: [KeptFile; 2],
    mount_filter: Filter,
    type_filter: Filter,
    timeout: Duration,
    supervisor: Supervisor,
    /// When the mounts were read last.
    read: Instant,
    /// The text that `mounts` was read from; it hardly ever changes.
    text: Vec<u8>,
    mounts: Vec<Mount>,
}

/// A mount that is told, and how it answered last.
struct Mount {
    line: Line,
    answer: Arc<Mutex<Option<Result<StatFs, Errno>>>>,
    /// Asks it; `None` if that is done at once.
    task: Option<Arc<Task>>,
    path: PathBuf,
    /// Whether it did not answer in time.
    late: bool,
    /// The flags that it answered with last.
    flags: Option<u64>,
}

/// What is told of a line in mountinfo.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Line {
    device: String,
    mount_point: String,
    fs_type: String,
    major: u32,
    minor: u32,
    read_only: bool,
}

impl Filesystem {
    fn new(setup: &Setup<'_>) -> Result<Self, String> {
        setup.options.number(&STAT_WORKERS)?;
        Ok(Self {
            files: ["1/mountinfo", "self/mountinfo"].map(|path| KeptFile::new(setup.host.proc(path))),
            mount_filter: Filter::new(setup.options, &MOUNTS_EXCLUDE, &MOUNTS_INCLUDE)?,
            type_filter: Filter::new(setup.options, &TYPES_EXCLUDE, &TYPES_INCLUDE)?,
            timeout: setup.options.duration(&MOUNT_TIMEOUT)?,
            supervisor: Supervisor::new(),
            read: Instant::now(),
            text: Vec::new(),
            mounts: Vec::new(),
        })
    }

    /// Whether the mounts are to be read again: the kernel says when they change.
    fn is_outdated(&self) -> bool {
        self.text.is_empty()
            || self.read.elapsed() >= AT_LEAST_EVERY
            || !self.files.iter().any(KeptFile::is_unchanged)
    }

    /// Reads the mounts, and looks at them if they changed.
    fn update_mounts(&mut self, host: &mut Host) -> Result<(), Error> {
        self.read = Instant::now();
        let [first, second] = &mut self.files;
        let (path, text) = match first.bytes() {
            Err(error) if error.is_not_found() => (second.path().to_owned(), second.bytes()?),
            other => (PathBuf::from("mountinfo of process 1"), other?),
        };
        if text == self.text && !text.is_empty() {
            return Ok(());
        }
        text.clone_into(&mut self.text);
        let mut before = std::mem::take(&mut self.mounts);
        let mut waits: Vec<Vec<u8>> = Vec::new();
        let mut seen = HashSet::new();
        let mut bad = false;
        for line in self.text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let Some(parsed) = parse(line) else {
                host.note(Error::parse(&path, "a mount", &text::valid(line)));
                bad = true;
                continue;
            };
            // What is below a mount that may not answer may not answer either.
            let may_hang = !ANSWER_AT_ONCE.contains(&parsed.fs_type)
                || waits.iter().any(|above| is_below(&parsed.mount_point, above));
            if may_hang {
                waits.push(parsed.mount_point.clone().into_owned());
            }
            let (inner_point, line) = parsed.told(&host.roots().rootfs);
            if !self.mount_filter.keeps(&line.mount_point)
                || !self.type_filter.keeps(&line.fs_type)
                || !seen.insert((line.device.clone(), line.mount_point.clone(), line.fs_type.clone()))
            {
                continue;
            }
            match before.iter().position(|mount| mount.line == line) {
                Some(at) => self.mounts.push(before.swap_remove(at)),
                None => self.mounts.push(Mount::new(line, host.rootfs(inner_point), may_hang)),
            }
        }
        if bad {
            self.text.clear(); // to be told of each time
        }
        Ok(())
    }
    /// Asks all mounts, and says whether one has other flags than before.
    fn ask(&mut self) -> bool {
        for mount in self.mounts.iter_mut().filter(|mount| mount.task.is_none()) {
            let found = rustix::fs::statfs(&mount.path);
            *mount.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        }
        let slow = || self.mounts.iter().filter_map(|mount| mount.task.clone());
        let tasks: Vec<Arc<Task>> = slow().collect();
        if !tasks.is_empty() {
            let outcomes = self.supervisor.run(tasks, Instant::now() + self.timeout);
            let slow = self.mounts.iter_mut().filter(|mount| mount.task.is_some());
            for (mount, outcome) in slow.zip(outcomes) {
                mount.late = outcome.state == State::Late;
            }
        }
        let mut changed = false;
        for mount in &mut self.mounts {
            if let Ok(answer) = mount.answer() {
                let flags = answer.f_flags as u64;
                changed |= mount.flags.replace(flags).is_some_and(|before| before != flags);
            }
        }
        changed
    }
}

impl Mount {
    fn new(line: Line, path: PathBuf, may_hang: bool) -> Self {
        let answer = Arc::new(Mutex::new(None));
        let task = may_hang.then(|| {
            let (path, answer) = (path.clone(), Arc::clone(&answer));
            Task::new(path.display().to_string(), move || {
                let found = rustix::fs::statfs(&path);
                *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                Ok(())
            })
        });
        Self { line, answer, task, path, late: false, flags: None }
    }

    /// What it answered; an error is for the label `device_error`.
    fn answer(&self) -> Result<StatFs, Cow<'static, str>> {
        if self.late {
            return Err(TIMEOUT.into());
        }
        match *self.answer.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(errno)) => Err(reason(errno)),
            None => Err(TIMEOUT.into()),
        }
    }
}

impl NodeCollector for Filesystem {
    fn update(&mut self, host: &mut Host) -> Result<(), Error> {
        if self.is_outdated()
            && let Err(error) = self.update_mounts(host)
        {
            self.mounts.clear();
            self.text.clear();
            return Err(error);
        }
        // A file system whose disk fails may turn read-only, which is announced by nothing but the flags.
        if self.ask() {
            self.update_mounts(host)?;
            self.ask();
        }
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        type Size = fn(&StatFs) -> f64;
        let answers: Vec<_> = self.mounts.iter().map(|mount| (&mount.line, mount.answer())).collect();
        let mut family = out.family(&DEVICE_ERROR);
        for (line, answer) in &answers {
            let error = answer.as_ref().err().map_or("", |error| error);
            family.point(Labels::new(&line.labels(error)), answer.is_err());
        }
        let mut family = out.family(&READONLY);
        for (line, answer) in &answers {
            let error = answer.as_ref().err().map_or("", |error| error);
            family.point(Labels::new(&line.labels(error)), line.read_only);
        }
        let sizes: [(_, Size); 6] = [
            (&SIZE, |fs| fs.f_blocks as f64 * fs.f_bsize as f64),
            (&FREE, |fs| fs.f_bfree as f64 * fs.f_bsize as f64),
            (&AVAILABLE, |fs| fs.f_bavail as f64 * fs.f_bsize as f64),
            (&FILES, |fs| fs.f_files as f64),
            (&FILES_FREE, |fs| fs.f_ffree as f64),
            (&PURGEABLE, |_| 0.0),
        ];
        for (family, value) in sizes {
            let mut family = out.family(family);
            for (line, answer) in &answers {
                if let Ok(answer) = answer {
                    family.point(Labels::new(&line.labels("")), value(answer));
                }
            }
        }
        let mut family = out.family(&MOUNT);
        for (line, answer) in &answers {
            if answer.is_ok() {
                let labels = [
                    ("device", line.device.as_str()),
                    ("major", &line.major.to_string()),
                    ("minor", &line.minor.to_string()),
                    ("mountpoint", &line.mount_point),
                ];
                family.point(Labels::new(&labels), INFO);
            }
        }
    }
}

impl Line {
    fn labels<'a>(&'a self, error: &'a str) -> [(&'static str, &'a str); 4] {
        [
            ("device", &self.device),
            ("mountpoint", &self.mount_point),
            ("fstype", &self.fs_type),
            ("device_error", error),
        ]
    }
}

/// A line of mountinfo, in bytes, since paths may be anything.
#[derive(Debug, PartialEq)]
pub(super) struct Parsed<'t> {
    major: u32,
    minor: u32,
    pub(super) mount_point: Cow<'t, [u8]>,
    pub(super) fs_type: &'t [u8],
    pub(super) source: &'t [u8],
    read_only: bool,
}

impl Parsed<'_> {
    /// The mount point within `rootfs`, and what is told.
    fn told(&self, rootfs: &Path) -> (PathBuf, Line) {
        let point = match self.mount_point.strip_prefix(rootfs.as_os_str().as_bytes()) {
            Some(b"") => b"/",
            Some(rest) if rootfs != Path::new("/") => rest,
            _ => &*self.mount_point,
        };
        let line = Line {
            device: text::valid(self.source).into_owned(),
            mount_point: text::valid(point).into_owned(),
            fs_type: text::valid(self.fs_type).into_owned(),
            major: self.major,
            minor: self.minor,
            read_only: self.read_only,
        };
        (PathBuf::from(OsStr::from_bytes(point)), line)
    }
}

/// Number, parent, device, root, mount point, options, any number of other fields, a dash, type, source, options of
/// the file system.
pub(super) fn parse(line: &[u8]) -> Option<Parsed<'_>> {
    let mut fields = line.split(|b| *b == b' ');
    for _ in ["number", "parent"] {
        text::unsigned(std::str::from_utf8(fields.next()?).ok()?)?;
    }
    let (major, minor) = std::str::from_utf8(fields.next()?).ok()?.split_once(':')?;
    let (major, minor) = (major.parse().ok()?, minor.parse().ok()?);
    fields.next()?; // the root of the mount within its file system
    let mount_point = unescape(fields.next()?);
    let options = fields.next()?;
    let mut last = fields.by_ref().rev();
    let (super_options, source, fs_type, dash) = (last.next()?, last.next()?, last.next()?, last.next()?);
    let has = |options: &[u8], option: &[u8]| options.split(|b| *b == b',').any(|o| o == option);
    let read_only = has(options, b"ro") || has(super_options, b"ro") || has(super_options, b"emergency_ro");
    (dash == b"-").then_some(Parsed { major, minor, mount_point, fs_type, source, read_only })
}

/// The kernel writes white space, `#` and `\` in paths as three octal digits after a backslash.
fn unescape(field: &[u8]) -> Cow<'_, [u8]> {
    if !field.contains(&b'\\') {
        return Cow::Borrowed(field);
    }
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) = (first, tail) {
            bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = after;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Cow::Owned(bytes)
}

/// Whether a path is another one or below it.
fn is_below(path: &[u8], above: &[u8]) -> bool {
    match path.strip_prefix(above) {
        Some(rest) => rest.is_empty() || rest.starts_with(b"/") || above.ends_with(b"/"),
        None => false,
    }
}

/// Why `statfs` failed, in the words that node_exporter's users filter by.
fn reason(errno: Errno) -> Cow<'static, str> {
    match errno {
        Errno::ACCESS => "permission denied".into(),
        Errno::PERM => "operation not permitted".into(),
        Errno::NOENT => "no such file or directory".into(),
        Errno::IO => "input/output error".into(),
        Errno::STALE => "stale NFS file handle".into(),
        Errno::NOTCONN => "transport endpoint is not connected".into(),
        Errno::TIMEDOUT => "connection timed out".into(),
        Errno::HOSTDOWN => "host is down".into(),
        Errno::NODEV => "no such device".into(),
        Errno::NOTDIR => "not a directory".into(),
        Errno::LOOP => "too many levels of symbolic links".into(),
        Errno::NAMETOOLONG => "file name too long".into(),
        other => format!("errno {}", other.raw_os_error()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_any_number_of_fields() {
        let line = b"29 1 253:0 / /data\\040one rw,relatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=remount-ro";
        assert_eq!(
            parse(line),
            Some(Parsed {
                major: 253,
                minor: 0,
                mount_point: b"/data one".into(),
                fs_type: b"ext4",
                source: b"/dev/sda1",
                read_only: false,
            })
        );
        assert!(parse(b"29 1 0:5 / / rw - nfs server:/x ro").unwrap().read_only);
        assert!(parse(b"29 1 0:5 / / rw,ro - nfs server:/x rw").unwrap().read_only);
        assert!(parse(b"29 1 0:5 / / rw - ext4 /dev/x rw,emergency_ro").unwrap().read_only);
        for bad in ["", "29 1 0:5", "29 1 0 / / rw - nfs x ro", "29 1 0:5 / / rw x nfs x ro", "x 1 0:5 / / rw - nfs x ro"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn all_escapes_of_paths() {
        assert_eq!(*unescape(br"/a\040b\011c\012d\134e\043f"), b"/a b\tc\nd\\e#f"[..]);
        assert_eq!(*unescape(br"/a\08\4"), br"/a\08\4"[..]);
    }

    #[test]
    fn mount_points_are_told_as_the_host_sees_them() {
        let line = b"29 1 253:0 / /host/var rw - ext4 /dev/sda1 rw";
        let told = |root: &str| parse(line).unwrap().told(Path::new(root)).1.mount_point;
        assert_eq!((told("/host"), told("/"), told("/host/var")), ("/var".into(), "/host/var".into(), "/".into()));
    }

    #[test]
    fn paths_below_others() {
        assert!(is_below(b"/a/b", b"/a") && is_below(b"/a", b"/a") && is_below(b"/a", b"/"));
        assert!(!is_below(b"/ab", b"/a"));
    }
}
