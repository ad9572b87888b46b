//! MIBs: text that says what object identifiers mean, so that modules can name what they want.
//!
//! `walk: [IF-MIB::ifTable]` becomes metrics as `snmp_exporter`'s generator would write them into `snmp.yml`, when
//! the program starts. Names mean what they mean to net-snmp with all the MIBs of some folders loaded; only the
//! modules that can matter are read.

mod beneath;
mod lex;
mod parse;
mod resolve;
mod scope;
mod store;
mod tree;
mod units;
mod words;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::config::{Config, Module, Named, Naming};
use crate::oid::Oid;
use beneath::Parents;
use parse::{Node, Text};
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
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Labels tell what numbers mean, where a MIB says so, as with `snmp_exporter` after 0.30.
    pub enum_labels: bool,
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
        complete(config, &link(parse::parse(text).into_iter()), options)
    }

    /// Reads the MIBs that can matter to what is named.
    ///
    /// Those are the modules named, those that define a name given without its module or something at an identifier,
    /// those that add to a subtree that is walked, and what all these import from.
    fn scope(&self, named: &[&Named]) -> Result<Scope, MibError> {
        let names: BTreeSet<&str> = named.iter().flat_map(|named| named.names()).collect();
        let oids: BTreeSet<Box<[u32]>> =
            names.iter().filter_map(|name| Some(name.parse::<Oid>().ok()?[..].into())).collect();
        let oids: Vec<Box<[u32]>> = oids.into_iter().collect();
        if oids.iter().any(|oid| ENTERPRISES.starts_with(oid)) {
            return self.everything();
        }
        let names: Vec<&str> = names.into_iter().filter(|name| name.parse::<Oid>().is_err()).collect();
        let mut read = Read { store: &self.store, texts: BTreeMap::new() };
        let modules = names.iter().filter_map(|name| Some(name.split_once("::")?.0));
        // Old and new standard MIBs define the same objects: which one counts is a matter of their order.
        read.add(modules.chain(["RFC1213-MIB"]).filter_map(|module| self.store.find(module)))?;
        if !oids.is_empty() {
            let parents = Parents::of(&self.store);
            read.all(|read| parents.files(&oids, read.nodes()))?;
        }
        let labels = read.labels();
        let is_unknown = |name: &&str| !name.contains("::") && !labels.contains(name);
        let unknown: Vec<&str> = names.iter().copied().filter(is_unknown).collect();
        if !unknown.is_empty() {
            read.add(self.store.defining(&unknown).into_iter())?;
        }
        let walked: Vec<&str> = named.iter().flat_map(|named| &named.walk).map(|name| label(name)).collect();
        read.all(|read| self.store.importing(&read.open_labels(&walked)))?;
        Ok(link(read.texts.into_values().flatten()))
    }

    fn everything(&self) -> Result<Scope, MibError> {
        let mut tree = Tree::new();
        for file in 0..self.store.files.len() {
            // One after the other: all at once would take hundreds of MiB.
            self.store.read(file).map_err(MibError::file)?.into_iter().for_each(|text| tree.link(text));
        }
        Ok(scope_of(tree))
    }
}

/// Beneath is what vendors define: whoever wants this, or what it is beneath, wants about everything.
const ENTERPRISES: [u32; 6] = [1, 3, 6, 1, 4, 1];

/// Modules that have been read, by their files in the order they are linked in.
struct Read<'a> {
    store: &'a Store,
    texts: BTreeMap<usize, Vec<Text>>,
}

impl Read<'_> {
    /// Reads files and those that they import from, each once.
    fn add(&mut self, files: impl Iterator<Item = usize>) -> Result<(), MibError> {
        for file in self.store.with_imports(files) {
            if let Entry::Vacant(entry) = self.texts.entry(file) {
                entry.insert(self.store.read(file).map_err(MibError::file)?);
            }
        }
        Ok(())
    }

    /// Reads the files that `wanted` names until it names no further ones.
    fn all<F: IntoIterator<Item = usize>>(&mut self, wanted: impl Fn(&Self) -> F) -> Result<(), MibError> {
        loop {
            let known = self.texts.len();
            let files = wanted(self);
            self.add(files.into_iter())?;
            if self.texts.len() == known {
                return Ok(());
            }
        }
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.texts.values().flatten().flat_map(Text::nodes)
    }

    fn labels(&self) -> HashSet<&str> {
        self.nodes().map(|node| &*node.label).collect()
    }

    /// The labels at and beneath walked ones that other modules may add to: those of which nothing but the place is
    /// known. What has one label in several modules counts as one.
    fn open_labels<'l>(&'l self, walked: &[&'l str]) -> HashSet<&'l str> {
        let mut beneath: HashMap<&str, Vec<&Node>> = HashMap::new();
        let mut open = HashSet::new();
        for node in self.nodes() {
            beneath.entry(&node.parent).or_default().push(node);
            if node.object.is_none() && walked.contains(&&*node.label) {
                open.insert(&*node.label);
            }
        }
        let mut next = walked.to_vec();
        while let Some(label) = next.pop() {
            for node in beneath.remove(label).unwrap_or_default() {
                if node.object.is_none() {
                    open.insert(&*node.label);
                }
                next.push(&*node.label);
            }
        }
        open
    }
}

/// A name without its module.
fn label(name: &str) -> &str {
    name.split_once("::").map_or(name, |(_, label)| label)
}

/// Makes one tree of modules that come in the order they are linked in.
fn link(texts: impl Iterator<Item = Text>) -> Scope {
    let mut tree = Tree::new();
    texts.for_each(|text| tree.link(text));
    scope_of(tree)
}

fn scope_of(mut tree: Tree) -> Scope {
    tree.adopt();
    Scope::new(&tree)
}

/// Finds what the modules of a configuration name.
fn complete(config: &mut Config, scope: &Scope, options: Options) -> Result<Vec<Warning>, MibError> {
    let mut warnings = Vec::new();
    let naming_of_others = config.naming.unwrap_or_default();
    for (name, module) in &mut config.modules {
        let Some(named) = module.named.take() else { continue };
        let with_units = module.naming.unwrap_or(naming_of_others) == Naming::OpenMetrics;
        let found = resolve::resolve(&named, scope, options.enum_labels, with_units)
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
