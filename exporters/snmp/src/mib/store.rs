//! Where MIBs are: folders of files, of which only the heads are read until a module is needed.
//!
//! The order in which modules are linked decides what a name means where several define it. It is net-snmp's: of
//! the modules in sorted order the last comes first, and before each come those it imports from.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::parse::{self, Text};

/// The files of some folders.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// One for each name of a module, in the order they are linked in.
    pub files: Vec<MibFile>,
    names: HashMap<Box<str>, usize>,
}

/// A file with a module.
#[derive(Debug)]
pub(super) struct MibFile {
    pub path: PathBuf,
    pub module: Box<str>,
    /// The names it imports and the modules they are from.
    pub imports: Vec<parse::Import>,
}

/// What is read of a file at first: nearly every head is in it.
const HEAD: usize = 16 << 10;
/// The largest file that is read.
const MAX_FILE: u64 = 64 << 20;
/// The most files that are looked at.
const MAX_FILES: usize = 200_000;

impl Store {
    /// Looks at all files in folders, and the folders in them. Of several files with one module the last counts.
    pub(super) fn open(folders: &[PathBuf]) -> Result<Self, (PathBuf, io::Error)> {
        let mut files: Vec<MibFile> = Vec::new();
        let mut names: HashMap<Box<str>, usize> = HashMap::new();
        for path in list(folders)? {
            // A file that cannot be read is as good as none; that of a module that is asked for is told then.
            let Ok(Some(head)) = head(&path) else { continue };
            if let Some(file) = names.get(&head.name).and_then(|at| files.get_mut(*at)) {
                (file.path, file.imports) = (path, head.imports);
            } else {
                names.insert(head.name.clone(), files.len());
                files.push(MibFile { path, module: head.name, imports: head.imports });
            }
        }
        let mut store = Self { files, names };
        store.sort();
        Ok(store)
    }

    /// Puts the files in the order they are linked in.
    fn sort(&mut self) {
        let count = self.files.len();
        let order = self.with_imports((0..count).rev());
        let mut places = vec![0; count];
        for (place, file) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(*file) {
                *slot = place;
            }
        }
        let mut files: Vec<(usize, MibFile)> =
            places.iter().copied().zip(std::mem::take(&mut self.files)).collect();
        files.sort_by_key(|(place, _)| *place);
        self.files = files.into_iter().map(|(_, file)| file).collect();
        for (at, file) in self.files.iter().enumerate() {
            self.names.insert(file.module.clone(), at);
        }
    }

    /// These files, and before each those it imports from.
    pub(super) fn with_imports(&self, wanted: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut order = Vec::new();
        let mut begun = HashSet::new();
        for first in wanted {
            if !begun.insert(first) {
                continue;
            }
            let mut open = vec![(first, self.sources(first).into_iter())];
            while let Some((file, sources)) = open.last_mut() {
                match sources.next() {
                    Some(source) if begun.insert(source) => {
                        let further = self.sources(source).into_iter();
                        open.push((source, further));
                    }
                    Some(_) => {}
                    None => {
                        order.push(*file);
                        open.pop();
                    }
                }
            }
        }
        order
    }

    /// The files that a file imports from, in its order.
    fn sources(&self, file: usize) -> Vec<usize> {
        let imports = self.files.get(file).map(|file| file.imports.as_slice()).unwrap_or_default();
        let mut sources: Vec<usize> = Vec::new();
        for import in imports {
            if let Some((source, _)) = self.source(import)
                && !sources.contains(&source)
            {
                sources.push(source);
            }
        }
        sources
    }

    /// The file that an import is from, and whether it is a replacement that has the name.
    fn source(&self, import: &parse::Import) -> Option<(usize, bool)> {
        if let Some(file) = self.names.get(&import.from) {
            return Some((*file, true));
        }
        let mut named =
            replacements(&import.from).filter(|(_, part)| part.is_some_and(|part| part.has(&import.name)));
        let newer = named.next().or_else(|| replacements(&import.from).find(|(_, part)| part.is_none()));
        if let Some((newer, _)) = newer {
            return Some((*self.names.get(newer)?, true));
        }
        let (first, _) = replacements(&import.from).next()?;
        Some((*self.names.get(first)?, false))
    }

    /// The files that define one of these names.
    pub(super) fn defining(&self, names: &[&str]) -> Vec<usize> {
        let finders: Vec<_> =
            names.iter().map(|name| (memchr::memmem::Finder::new(*name), name.len())).collect();
        let defines = |file: &usize| {
            let Ok(text) = self.text(*file) else { return false };
            finders.iter().any(|(finder, length)| {
                finder.find_iter(&text).any(|at| parse::is_definition(&text, at, at + length))
            })
        };
        (0..self.files.len()).filter(defines).collect()
    }

    /// The files that import one of these names.
    pub(super) fn importing(&self, names: &HashSet<&str>) -> Vec<usize> {
        let imports = |file: &MibFile| file.imports.iter().any(|import| names.contains(&*import.name));
        let files = self.files.iter().enumerate();
        files.filter(|(_, file)| imports(file)).map(|(at, _)| at).collect()
    }

    /// The file of a module.
    pub(super) fn find(&self, module: &str) -> Option<usize> {
        self.names.get(module).copied()
    }

    /// Reads a file.
    pub(super) fn text(&self, file: usize) -> io::Result<Vec<u8>> {
        self.files.get(file).map_or_else(|| Ok(Vec::new()), |file| read(&file.path))
    }

    /// Reads the modules of a file.
    pub(super) fn read(&self, file: usize) -> Result<Vec<Text>, (PathBuf, io::Error)> {
        let Some(file) = self.files.get(file) else { return Ok(Vec::new()) };
        let text = read(&file.path).map_err(|error| (file.path.clone(), error))?;
        let mut modules = parse::parse(&text);
        for module in &mut modules {
            for import in &mut module.imports {
                if let Some((source, true)) = self.source(import)
                    && let Some(source) = self.files.get(source)
                    && source.module != import.from
                {
                    import.from.clone_from(&source.module);
                }
            }
        }
        Ok(modules)
    }
}

/// Part of a module's names.
#[derive(Clone, Copy)]
enum Part {
    Name(&'static str),
    BeginsWith(&'static str),
}

impl Part {
    fn has(self, name: &str) -> bool {
        match self {
            Self::Name(this) => name == this,
            Self::BeginsWith(this) => name.starts_with(this),
        }
    }
}

/// The modules that have taken the place of an old one, each for a part of its names or for all.
fn replacements(old: &str) -> impl Iterator<Item = (&'static str, Option<Part>)> + use<> {
    use Part::{BeginsWith, Name};
    let newer: &[(&str, Option<Part>)] = match old {
        "RFC1065-SMI" => &[("RFC1155-SMI", None)],
        "RFC1066-MIB" => &[("RFC1156-MIB", None)],
        "RFC1156-MIB" => &[("RFC1158-MIB", None)],
        "RFC1158-MIB" | "RFC-1213" => &[("RFC1213-MIB", None)],
        "RFC1155-SMI" => &[("SNMPv2-SMI", None)],
        "RFC1213-MIB" => &[
            ("SNMPv2-SMI", Some(Name("mib-2"))),
            ("SNMPv2-MIB", Some(BeginsWith("sys"))),
            ("IF-MIB", Some(BeginsWith("if"))),
            ("IP-MIB", Some(BeginsWith("ip"))),
            ("IP-MIB", Some(BeginsWith("icmp"))),
            ("TCP-MIB", Some(BeginsWith("tcp"))),
            ("UDP-MIB", Some(BeginsWith("udp"))),
            ("SNMPv2-SMI", Some(Name("transmission"))),
            ("SNMPv2-MIB", Some(BeginsWith("snmp"))),
        ],
        "RFC1231-MIB" => &[("TOKENRING-MIB", None)],
        "RFC1271-MIB" => &[("RMON-MIB", None)],
        "RFC1286-MIB" => &[("SOURCE-ROUTING-MIB", Some(BeginsWith("dot1dSr"))), ("BRIDGE-MIB", None)],
        "RFC1315-MIB" => &[("FRAME-RELAY-DTE-MIB", None)],
        "RFC1316-MIB" => &[("CHARACTER-MIB", None)],
        "RFC1406-MIB" => &[("DS1-MIB", None)],
        _ => &[],
    };
    newer.iter().copied()
}

/// All files in folders and the folders in them, sorted within each.
fn list(folders: &[PathBuf]) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut files = Vec::new();
    // The last comes out first.
    let mut open: Vec<(PathBuf, u32)> = folders.iter().rev().map(|folder| (folder.clone(), 0)).collect();
    while let Some((folder, depth)) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err((folder, error)),
            // What is below and may not be read is left out.
            Err(_) => continue,
        };
        let mut paths: Vec<(PathBuf, bool)> = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(['.', '#']) || name.ends_with(['~', '#']) {
                continue;
            }
            let path = entry.path();
            // A link to a folder is not followed: it may lead back.
            let is_folder = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => {
                    if !path.is_file() {
                        continue;
                    }
                    false
                }
                Ok(kind) if kind.is_dir() || kind.is_file() => kind.is_dir(),
                // Reading a pipe or a device could wait for ever.
                _ => continue,
            };
            paths.push((path, is_folder));
        }
        paths.sort();
        for (path, is_folder) in paths.iter().rev() {
            if *is_folder && depth < 16 {
                open.push((path.clone(), depth + 1));
            }
        }
        files.extend(paths.into_iter().filter(|(_, is_folder)| !is_folder).map(|(path, _)| path));
        if files.len() > MAX_FILES {
            return Err((folder, io::Error::other(format!("there are more than {MAX_FILES} files"))));
        }
    }
    Ok(files)
}

/// The head of a file's first module; nothing if it has none.
fn head(path: &Path) -> io::Result<Option<Text>> {
    let mut file = File::open(path)?;
    let mut text = Vec::with_capacity(HEAD);
    (&mut file).take(HEAD as u64).read_to_end(&mut text)?;
    let (head, whole) = parse::head(&text);
    if whole || text.len() < HEAD {
        return Ok(head);
    }
    // It goes on behind what was read.
    Ok(parse::head(&read(path)?).0)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_FILE {
        return Err(io::Error::other(format!("is no file of at most {} MiB", MAX_FILE >> 20)));
    }
    let mut text = Vec::with_capacity(metadata.len() as usize);
    file.take(MAX_FILE).read_to_end(&mut text)?;
    Ok(text)
}
