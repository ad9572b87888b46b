//! The few system calls that rustix has no safe front for: `adjtimex`, `perf_event_open`, and the ioctls of ethtool and
//! Btrfs; and what the process does about its own memory. This is the one place of the exporter with unsafe code; each
//! function is safe to call with any arguments.

#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// Has all threads share one heap. glibc gives each a heap of its own, to be quick where many allocate at once; here they
/// take turns, and each would keep the memory of its largest page.
pub fn share_one_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes two numbers, may be made at any time, and changes nothing but where memory comes from.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Gives back what only the start needed, and has the kernel map less from then on: free memory of the heap, and code and
/// constants, which are most of a process as small as this one.
///
/// Around each page of code that runs, the kernel maps what it has of the file, 64 KiB or more, and counts it as ours. What
/// a scrape needs is all over the program, a page here and two there, so most of that never runs. A mapping in pieces of
/// `PIECE` bounds it; what keeps pieces apart is a flag on every second one that is about core dumps, which leave out
/// pages of files anyway. What was given back and is used again is mapped again. All this is harmless at any time, and
/// worth it once.
pub fn give_back_what_the_start_took() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: the call takes a number, and touches nothing but memory that nobody has.
    unsafe {
        libc::malloc_trim(0);
    }
    // Without the list all stays as it is.
    let list = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let advise = |range: Range<usize>, advice| {
        // SAFETY: the range is of a file's pages that cannot be written and are as in the file, so what is given back is
        // read again as it was, and nothing depends on the flag. An error of the kernel's changes nothing.
        unsafe {
            libc::madvise(range.start as *mut libc::c_void, range.len(), advice);
        }
    };
    for mapping in unchanged_mappings(&list) {
        advise(mapping.clone(), libc::MADV_DONTNEED);
        for piece in mapping.clone().step_by(2 * PIECE) {
            advise(piece..mapping.end.min(piece + PIECE), libc::MADV_DONTDUMP);
        }
    }
}

/// The largest part of a file that is mapped at once. Smaller pieces save less and less, and each is an entry in the kernel's
/// list of our mappings.
const PIECE: usize = 16 << 10;

/// Each private mapping in `/proc/PID/smaps` that cannot be written and is as in its file throughout. Constants that hold
/// addresses are not: the loader has written them, before it locked them.
fn unchanged_mappings(smaps: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut open = None;
    for line in smaps.lines() {
        // 55d0c8a00000-55d0c8b77000 r--p 00000000 fe:00 1234   /usr/bin/node-exporter
        // Anonymous:             0 kB
        let mut words = line.split_ascii_whitespace();
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            ("Anonymous:" | "Swap:", "0") => {}
            // Pages of our own, or what was one.
            ("Anonymous:" | "Swap:", _) => open = None,
            // The last line of a mapping.
            ("VmFlags:", _) => found.extend(open.take()),
            (range, "r--p" | "r-xp") => {
                let is_file = words.nth(3).is_some_and(|path| path.starts_with('/'));
                open = range.split_once('-').filter(|_| is_file).and_then(|(start, end)| {
                    let address = |digits| usize::from_str_radix(digits, 16).ok();
                    Some(address(start)?..address(end)?)
                });
            }
            _ => {}
        }
    }
    found
}

/// Reads the kernel's clock discipline: its state (`TIME_OK` to `TIME_ERROR`) and the record.
pub(crate) fn clock() -> io::Result<(i32, libc::timex)> {
    // SAFETY: `timex` is a plain C structure of integers, for which all zeros is a valid value; padding included.
    let mut record: libc::timex = unsafe { std::mem::zeroed() };
    // `modes` is 0 in it, which asks the kernel to change nothing.
    // SAFETY: the pointer is to a record of the type that the call expects, valid for writes, and not kept by it.
    let state = unsafe { libc::adjtimex(&raw mut record) };
    if state < 0 { Err(io::Error::last_os_error()) } else { Ok((state, record)) }
}

/// Begins to count an event of `perf` on one CPU, over all processes. `kind` and `config` are those of
/// `struct perf_event_attr`; reading the file gives the count, and the times it was enabled and ran.
pub(crate) fn count_event(kind: u32, config: u64, cpu: u32) -> io::Result<OwnedFd> {
    const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
    const TIMES: u64 = 1 | 2; // PERF_FORMAT_TOTAL_TIME_ENABLED, PERF_FORMAT_TOTAL_TIME_RUNNING
    const CLOSE_ON_EXEC: libc::c_ulong = 8;
    // The first version of the structure: type and size, config, period, sample_type, read_format, bits, and zeros.
    const SIZE: u64 = 64;
    let kind_and_size = if cfg!(target_endian = "little") {
        u64::from(kind) | SIZE << 32
    } else {
        u64::from(kind) << 32 | SIZE
    };
    let attr: [u64; 8] = [kind_and_size, config, 0, 0, TIMES, EXCLUDE_HYPERVISOR, 0, 0];
    let (every_process, no_group) = (-1 as libc::c_long, -1 as libc::c_long);
    let cpu = libc::c_long::from(i32::try_from(cpu).map_err(|_| io::ErrorKind::InvalidInput)?);
    // SAFETY: the kernel reads the 64 bytes that the structure says it has, writes nothing, and keeps no pointer.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw const attr, every_process, cpu, no_group, CLOSE_ON_EXEC)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just made this descriptor, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The buffer of an ethtool command: room for as many statistics as any driver may have, so that what the kernel
/// writes fits whatever number it has grown to meanwhile. Pages that are not touched cost nothing.
pub(crate) struct EthtoolBuffer(Vec<u64>);

impl EthtoolBuffer {
    /// Drivers have some thousands at most.
    pub(crate) const MOST_STATISTICS: usize = 1 << 15;
    const BYTES: usize = 64 + Self::MOST_STATISTICS * 32; // a name has 32 bytes, a value 8

    pub(crate) fn new() -> Self {
        Self(vec![0; Self::BYTES / size_of::<u64>()])
    }

    /// A word of the structure, in the order of the kernel's header.
    pub(crate) fn set(&mut self, word: usize, value: u32) {
        let (at, high) = (word / 2, (word % 2 == 1) == cfg!(target_endian = "little"));
        if let Some(slot) = self.0.get_mut(at) {
            let shift = if high { 32 } else { 0 };
            *slot = *slot & !(u64::from(u32::MAX) << shift) | u64::from(value) << shift;
        }
    }

    /// The first bytes of the structure.
    pub(crate) fn bytes(&self, length: usize) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_ne_bytes()).take(length).collect()
    }
}

/// Commands of ethtool that only read, and write no more than an [`EthtoolBuffer`] has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ethtool {
    Settings = 1,      // ETHTOOL_GSET
    Driver = 3,        // ETHTOOL_GDRVINFO
    Names = 0x1b,      // ETHTOOL_GSTRINGS
    Statistics = 0x1d, // ETHTOOL_GSTATS
}

/// Asks the driver of a network interface. The command is put into the buffer's first word.
pub(crate) fn ethtool(
    socket: BorrowedFd<'_>,
    device: &str,
    command: Ethtool,
    buffer: &mut EthtoolBuffer,
) -> io::Result<()> {
    /// `struct ifreq`: a name, and here a pointer.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        data: *mut u64,
        rest: [usize; 2],
    }
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    let mut name = [0; 16];
    if device.len() >= name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    name.iter_mut().zip(device.bytes()).for_each(|(slot, byte)| *slot = byte);
    buffer.set(0, command as u32);
    let mut request = Request { name, data: buffer.0.as_mut_ptr(), rest: [0; 2] };
    // SAFETY: the request is laid out as the call expects, and its pointer is to a buffer that is borrowed for the call
    // and larger than what any of the commands above makes the kernel write.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// An ioctl of Btrfs with the number `number`, which reads and writes a structure of `N` bytes and changes nothing.
pub(crate) fn btrfs<const N: usize>(
    folder: impl AsFd,
    number: BtrfsQuestion,
    record: &mut [u8; N],
) -> io::Result<()> {
    const MAGIC: libc::Ioctl = 0x94;
    let direction: libc::Ioctl = if number == BtrfsQuestion::FileSystem { 2 } else { 3 }; // read, or both ways
    if N != number.size() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let request = direction << 30 | (N as libc::Ioctl) << 16 | MAGIC << 8 | number as libc::Ioctl;
    // SAFETY: the kernel reads and writes as many bytes as the request says, which is what the record has; it keeps no
    // pointer, and other file systems refuse the number.
    let result = unsafe { libc::ioctl(folder.as_fd().as_raw_fd(), request, record.as_mut_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Questions that Btrfs answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BtrfsQuestion {
    Device = 30,     // BTRFS_IOC_DEV_INFO
    FileSystem = 31, // BTRFS_IOC_FS_INFO
    Errors = 52,     // BTRFS_IOC_GET_DEV_STATS
}

impl BtrfsQuestion {
    /// The size of the kernel's structure.
    const fn size(self) -> usize {
        match self {
            Self::Device => 4096,
            Self::FileSystem => 1024,
            Self::Errors => 1032,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_answers() {
        match clock() {
            Ok((state, record)) => {
                assert!((0..=5).contains(&state));
                assert!(record.tick > 0, "a tick takes some microseconds");
            }
            Err(error) => println!("note: this machine does not let us ask: {error}"),
        }
    }

    #[test]
    fn only_what_is_as_in_its_file_is_given_back() {
        let mapping = |head: &str, anonymous: u32, swap: u32| {
            format!(
                "{head}\nRss: 8 kB\nPrivate_Dirty: 4 kB\nAnonymous: {anonymous} kB\nSwap: {swap} kB\nVmFlags: rd mr\n"
            )
        };
        let smaps = [
            mapping("1000-3000 r--p 00000000 fe:00 12   /usr/bin/node-exporter", 0, 0),
            mapping("3000-8000 r-xp 00002000 fe:00 12   /usr/bin/a name with blanks (deleted)", 0, 0),
            mapping("8000-9000 r--p 00007000 fe:00 12   /usr/bin/node-exporter", 4, 0),
            mapping("9000-a000 r--p 00007000 fe:00 12   /usr/bin/node-exporter", 0, 4),
            mapping("a000-b000 rw-p 00008000 fe:00 12   /usr/bin/node-exporter", 0, 0),
            mapping("b000-c000 r--s 00000000 fe:00 13   /etc/ld.so.cache", 0, 0),
            mapping("c000-d000 r-xp 00000000 00:00 0    [vdso]", 0, 0),
            mapping("d000-e000 r--p 00000000 00:00 0", 0, 0),
            mapping("f000-zzz r--p 00000000 fe:00 14   /lib/libc.so.6", 0, 0),
        ];
        assert_eq!(unchanged_mappings(&smaps.concat()), [0x1000..0x3000, 0x3000..0x8000]);
        assert!(unchanged_mappings("1000-3000 r--p 0 fe:00 12 /cut/off\nAnonymous: 0 kB\n").is_empty());
    }

    #[test]
    fn all_goes_on_after_memory_was_given_back() {
        for _ in 0..3 {
            give_back_what_the_start_took();
            words_of_the_buffer();
            let thread = std::thread::spawn(|| format!("{:?}", Some(1.5)));
            assert_eq!(thread.join().unwrap(), "Some(1.5)");
        }
    }

    #[test]
    fn words_of_the_buffer() {
        let mut buffer = EthtoolBuffer::new();
        buffer.set(0, 3);
        buffer.set(1, 7);
        buffer.set(0, 4);
        assert_eq!(buffer.bytes(12), [4_u32, 7, 0].map(u32::to_ne_bytes).concat());
        buffer.set(usize::MAX, 1); // nowhere
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        assert!(btrfs(&file, BtrfsQuestion::FileSystem, &mut [0; 1024]).is_err());
        assert_eq!(
            btrfs(&file, BtrfsQuestion::Device, &mut [0; 8]).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        let mut buffer = EthtoolBuffer::new();
        assert!(ethtool(file.as_fd(), "lo", Ethtool::Driver, &mut buffer).is_err(), "no socket");
        let error = ethtool(file.as_fd(), "a name of more than 16 bytes", Ethtool::Driver, &mut buffer);
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(count_event(u32::MAX, 0, 0).is_err());
    }
}
