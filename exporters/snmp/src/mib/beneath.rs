//! Which files can matter to an object identifier: told by what stands between the braces of definitions, so that the
//! rest need not be read. A file that names a parent of the same label elsewhere is read for nothing; none is missed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::parse::{self, Node};
use super::store::Store;

/// The parents of all files' definitions: of each the hash of its label, the arc beneath it, and the file.
pub(super) struct Parents(Vec<(u64, Option<u32>, u32)>);

fn hash(label: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    label.hash(&mut hasher);
    hasher.finish()
}

impl Parents {
    /// Looks through all files.
    pub(super) fn of(store: &Store) -> Self {
        let mut parents = Vec::new();
        for file in 0..store.files.len() {
            // A file that cannot be read is as good as none.
            let Ok(text) = store.text(file) else { continue };
            let before = parents.len();
            parents.extend(parse::parents(&text).map(|(label, arc)| (hash(label), arc, file as u32)));
            // Many definitions have one parent and follow each other.
            parents.get_mut(before..).unwrap_or_default().sort_unstable();
        }
        parents.sort_unstable();
        parents.dedup();
        Self(parents)
    }

    /// The files that define something at, above or beneath these identifiers, as far as `nodes` tell which labels
    /// are there.
    pub(super) fn files<'n>(
        &self,
        oids: &[Box<[u32]>],
        nodes: impl Iterator<Item = &'n Node>,
    ) -> BTreeSet<usize> {
        let mut files = BTreeSet::new();
        for (label, place) in reached(oids, nodes) {
            let hash = hash(label);
            let begin = self.0.partition_point(|(other, ..)| *other < hash);
            let same = self.0.iter().skip(begin).take_while(|(other, ..)| *other == hash);
            let matter = same.filter(|(_, arc, _)| place.below(oids, *arc).is_some());
            files.extend(matter.map(|(_, _, file)| *file as usize));
        }
        files
    }
}

/// Where a label stands to what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    /// On the way to an identifier.
    Above(Vec<u32>),
    /// At one, or beneath it.
    Within,
}

impl Place {
    /// The place of an arc beneath, if it matters. Without an arc it is another name of the same place.
    fn below(&self, oids: &[Box<[u32]>], arc: Option<u32>) -> Option<Self> {
        let (Self::Above(here), Some(arc)) = (self, arc) else { return Some(self.clone()) };
        let there = [&here[..], &[arc]].concat();
        if oids.iter().any(|oid| there.starts_with(oid)) {
            return Some(Self::Within);
        }
        oids.iter().any(|oid| oid.starts_with(&there)).then_some(Self::Above(there))
    }
}

/// All labels that matter, and where they are; one label can be at several places.
fn reached<'n>(oids: &[Box<[u32]>], nodes: impl Iterator<Item = &'n Node>) -> HashSet<(&'n str, Place)> {
    let mut beneath: HashMap<&str, Vec<&Node>> = HashMap::new();
    for node in nodes {
        beneath.entry(&node.parent).or_default().push(node);
    }
    let roots = parse::ROOTS.into_iter().zip(0..);
    let nowhere = Place::Above(Vec::new());
    let mut next: Vec<(&str, Place)> =
        roots.filter_map(|(root, arc)| Some((root, nowhere.below(oids, Some(arc))?))).collect();
    let mut reached = HashSet::new();
    while let Some((label, place)) = next.pop() {
        if !reached.insert((label, place.clone())) {
            continue;
        }
        let nodes = beneath.get(label).into_iter().flatten();
        next.extend(nodes.filter_map(|node| Some((&*node.label, place.below(oids, node.arc)?))));
    }
    reached
}
