//! MIBs: text that says what object identifiers mean, so that modules can name what they want.
//!
//! `walk: [IF-MIB::ifTable]` becomes metrics as `snmp_exporter`'s generator would write them into `snmp.yml`, when
//! the program starts. Names mean what they mean to net-snmp with all the MIBs of some folders loaded; only the
//! modules that can matter are read.

mod lex;
mod parse;
mod resolve;
mod scope;
mod store;
mod tree;
mod words;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::config::{Config, Module, Named};
use scope::Scope;
use store::Store;
use tree::Tree;

/// MIBs in folders.
#[derive(Debug)]
pub struct Mibs {
    store: Store,
    options: Options,
}

/// How modules are made from what they name.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Labels tell what numbers mean, where a MIB says so. `snmp_exporter` 0.30 has numbers there.
    pub enum_labels: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { enum_labels: true }
    }
}

/// What a module names that could not be used, though the rest could.
#[derive(Debug, PartialEq, Eq)]
pub struct Warning {
    /// The module.
    pub module: String,
    /// What it is about.
    pub message: String,
}

impl Mibs {
    /// Looks at the files in folders, and in the folders within.
    pub fn open(folders: &[PathBuf], options: Options) -> Result<Self, MibError> {
        let store = Store::open(folders).map_err(MibError::file)?;
        Ok(Self { store, options })
    }

    /// How many modules there are.
    pub fn len(&self) -> usize {
        self.store.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds all that the modules of a configuration name, and says what could not be used.
    pub fn complete(&self, config: &mut Config) -> Result<Vec<Warning>, MibError> {
        let named: Vec<&Named> =
            config.modules.values().filter_map(|module| module.named.as_deref()).collect();
        let scope = self.scope(&named)?;
        complete(config, &scope, self.options)
    }

    /// The same with MIBs that are in no folder: all the modules of a text, in its order.
    pub fn complete_from(
        text: &[u8],
        config: &mut Config,
        options: Options,
    ) -> Result<Vec<Warning>, MibError> {
        let mut tree = Tree::new();
        for module in parse::parse(text) {
            tree.link(module);
        }
        tree.adopt();
        complete(config, &Scope::new(&tree), options)
    }

    /// Reads the MIBs that can matter to what is named.
    ///
    /// Those are the modules named, those that define a name given without its module, those that add to a subtree
    /// that is walked, and what all these import from. Beneath a bare identifier anything may be, so then it is all.
    fn scope(&self, named: &[&Named]) -> Result<Scope, MibError> {
        let names: BTreeSet<&str> = named.iter().flat_map(|named| named.names()).collect();
        let is_oid = |name: &&str| name.starts_with(|c: char| c.is_ascii_digit());
        if names.iter().any(is_oid) {
            return self.read((0..self.store.files.len()).collect());
        }
        // Old and new standard MIBs define the same objects: which one counts is a matter of their order.
        let mut files: BTreeSet<usize> = self.store.find("RFC1213-MIB").into_iter().collect();
        let modules = names.iter().filter_map(|name| Some(name.split_once("::")?.0));
        files.extend(modules.filter_map(|module| self.store.find(module)));
        let mut scope = self.read(self.store.with_imports(files.iter().copied()))?;
        let unknown: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| !name.contains("::") && scope.named(name).is_none())
            .collect();
        if !unknown.is_empty() {
            files.extend(self.store.defining(&unknown));
            scope = self.read(self.store.with_imports(files.iter().copied()))?;
        }
        let walked: BTreeSet<&str> = named.iter().flat_map(|named| &named.walk).map(|name| &**name).collect();
        loop {
            let labels = scope.open_labels(walked.iter().copied());
            let known = files.len();
            files.extend(self.store.importing(&labels));
            if files.len() == known {
                return Ok(scope);
            }
            scope = self.read(self.store.with_imports(files.iter().copied()))?;
        }
    }

    fn read(&self, mut files: Vec<usize>) -> Result<Scope, MibError> {
        files.sort_unstable();
        let mut tree = Tree::new();
        for file in files {
            for text in self.store.read(file).map_err(MibError::file)? {
                tree.link(text);
            }
        }
        tree.adopt();
        Ok(Scope::new(&tree))
    }
}

/// Finds what the modules of a configuration name.
fn complete(config: &mut Config, scope: &Scope, options: Options) -> Result<Vec<Warning>, MibError> {
    let mut warnings = Vec::new();
    for (name, module) in &mut config.modules {
        let Some(named) = module.named.take() else { continue };
        let found = resolve::resolve(&named, scope, options.enum_labels)
            .map_err(|message| MibError::Module(name.clone(), message))?;
        module.take(found.module);
        let mut messages = found.warnings;
        messages.sort();
        messages.dedup();
        warnings.extend(messages.into_iter().map(|message| Warning { module: name.clone(), message }));
    }
    Ok(warnings)
}

impl Module {
    /// Takes what was found, before what was written by hand.
    fn take(&mut self, found: Self) {
        self.walk = found.walk;
        self.get.splice(0..0, found.get);
        self.metrics.splice(0..0, found.metrics);
        self.filters = found.filters;
    }
}

/// Why names could not be looked up.
#[derive(Debug)]
pub enum MibError {
    /// A folder or a file could not be read.
    File(PathBuf, io::Error),
    /// A module names what is not there.
    Module(String, String),
}

impl MibError {
    fn file((path, error): (PathBuf, io::Error)) -> Self {
        Self::File(path, error)
    }
}

impl fmt::Display for MibError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Module(module, message) => write!(f, "module {module}: {message}"),
        }
    }
}

impl std::error::Error for MibError {}

#[cfg(test)]
mod tests;
