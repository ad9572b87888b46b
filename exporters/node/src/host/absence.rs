//! What the kernel had nothing of a moment ago, so that it is not looked for again at once.
//!
//! Most collectors are for hardware that most hosts lack, and to look for it in vain is a good part of what a scrape
//! costs. What is plugged in is found by the first scrape that comes [`HOLDS`] later.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::Error;
use super::file::{Made, made_by};

/// How long nothing is taken to be still there: less than from one scrape to the next, as scrapers are mostly set up,
/// so that it is felt only where they come in crowds.
const HOLDS: Duration = Duration::from_secs(5);
/// How many absences are remembered; names may come and go.
const REMEMBERED: usize = 1000;

/// That there was nothing.
#[derive(Debug)]
pub(super) struct Absence {
    seen: Instant,
    /// What the kernel said; nothing if a folder was there and empty.
    error: Option<Errno>,
}

impl Absence {
    /// An absence, if `error` is one. Only procfs and sysfs count: elsewhere it is people who put files in place, and
    /// they want to see them told.
    pub(super) fn of(path: &Path, error: &Error, now: Instant) -> Option<Self> {
        let error = [Errno::NOENT, Errno::NOTDIR].into_iter().find(|errno| error.is_errno(*errno))?;
        let mut above = path.ancestors().skip(1);
        let kernels = above.find_map(|folder| rustix::fs::statfs(folder).ok());
        let kernels = kernels.is_some_and(|fs| made_by(&fs) != Made::Before);
        kernels.then_some(Self { seen: now, error: Some(error) })
    }

    /// An empty folder, which is the kernel's.
    pub(super) fn empty_folder(now: Instant) -> Self {
        Self { seen: now, error: None }
    }

    pub(super) fn holds(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.seen) < HOLDS
    }

    pub(super) fn is_empty_folder(&self) -> bool {
        self.error.is_none()
    }

    /// What is to be said of `path`, again; nothing of an empty folder.
    pub(super) fn error(&self, path: &Path) -> Option<Error> {
        self.error.map(|errno| Error::io(path, errno))
    }
}

/// Absences by path.
#[derive(Debug, Default)]
pub(super) struct Absences(HashMap<PathBuf, Absence>);

impl Absences {
    pub(super) fn get(&self, path: &Path, now: Instant) -> Option<&Absence> {
        self.0.get(path).filter(|absence| absence.holds(now))
    }

    pub(super) fn remember(&mut self, path: &Path, absence: Absence) {
        let now = absence.seen;
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, absence| absence.holds(now));
        }
        if self.0.len() < REMEMBERED {
            self.0.insert(path.to_owned(), absence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_lacks_is_remembered_for_a_while_and_no_longer() {
        let (now, path) = (Instant::now(), Path::new("/proc/sys/no/such/thing"));
        let error = Error::io(path, Errno::NOENT);
        let mut absences = Absences::default();
        absences.remember(path, Absence::of(path, &error, now).unwrap());
        let found = absences.get(path, now + HOLDS / 2).unwrap();
        assert_eq!(found.error(path).unwrap().to_string(), error.to_string());
        assert!(absences.get(path, now + HOLDS).is_none());
        assert!(absences.get(Path::new("/proc/sys/no/such"), now).is_none());

        absences.remember(path, Absence::empty_folder(now + HOLDS));
        assert!(absences.get(path, now + HOLDS).unwrap().is_empty_folder());
    }

    #[test]
    fn only_what_the_kernel_says_is_not_there_is_absent() {
        let (now, path) = (Instant::now(), Path::new("/proc/sys/no/such/thing"));
        assert!(Absence::of(path, &Error::io(path, Errno::ACCESS), now).is_none());
        let ours = std::env::temp_dir().join("no/such/thing");
        assert!(Absence::of(&ours, &Error::io(&ours, Errno::NOENT), now).is_none());
    }

    #[test]
    fn names_that_come_and_go_do_not_pile_up() {
        let (now, mut absences) = (Instant::now(), Absences::default());
        for n in 0..2 * REMEMBERED {
            absences.remember(Path::new(&n.to_string()), Absence::empty_folder(now));
        }
        assert_eq!(absences.0.len(), REMEMBERED);
        absences.remember(Path::new("later"), Absence::empty_folder(now + HOLDS));
        assert_eq!(absences.0.len(), 1);
    }
}
