//! What a folder holds.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, RawDir};
use rustix::io::Errno;

use super::file::{FIRST_READ, Made};

/// What a folder's entry takes at most: its numbers and its name, filled up.
const LONGEST_ENTRY: usize = 32 + LONGEST_NAME;
const LONGEST_NAME: usize = 256;

/// The names of what is wanted in an open folder, sorted.
pub(super) fn names(
    folder: &OwnedFd,
    made: Made,
    mut wanted: impl FnMut(FileType) -> bool,
) -> Result<Vec<String>, Errno> {
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
