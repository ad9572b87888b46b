//! A host made of files, for the tests of collectors.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Error, Host, Roots};
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
