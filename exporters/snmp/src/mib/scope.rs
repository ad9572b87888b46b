//! What can be named: every object of a tree with its type, its indexes and what else metrics are made from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::parse::Enums;
use super::tree::{self, Tree, Variable};
use super::words::Base;

/// The objects of a tree, each before those beneath it.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub objects: Vec<Object>,
    modules: Vec<Box<str>>,
    /// By object identifier, and by label; of several the last. Identifiers that modules have given twice are those
    /// of the object that the others are beneath.
    oids: HashMap<Box<str>, usize>,
    labels: HashMap<Box<str>, Vec<usize>>,
}

/// An object.
#[derive(Debug)]
pub(super) struct Object {
    pub oid: Box<str>,
    pub label: Box<str>,
    /// The module that first defined it, and the others.
    modules: Vec<u32>,
    /// Behind the last object beneath it.
    pub end: usize,
    /// What metrics call its type; nothing if no metric can be made of it.
    pub metric_type: Option<Cow<'static, str>>,
    /// Whether it can be asked for.
    pub readable: bool,
    /// The name of its type.
    pub convention: Box<str>,
    pub hint: Option<Box<str>>,
    pub fixed: u32,
    pub enums: Option<Arc<Enums>>,
    pub description: Box<str>,
    /// What it says that its numbers count, see [`units`](super::units).
    pub units: Option<Cow<'static, str>>,
    pub indexes: Arc<[Box<str>]>,
    pub implied: bool,
    augments: Option<Box<str>>,
}

impl Scope {
    /// Looks at a tree from its top.
    pub(super) fn new(tree: &Tree) -> Self {
        let mut scope = Self { modules: tree.modules.clone(), ..Self::default() };
        scope.collect(tree);
        let is_above = |at: usize| scope.objects.get(at).is_some_and(|object| object.end > at + 1);
        for (at, object) in scope.objects.iter().enumerate() {
            let known = scope.oids.get(&object.oid);
            if !known.is_some_and(|known| is_above(*known) && !is_above(at)) {
                scope.oids.insert(object.oid.clone(), at);
            }
            scope.labels.entry(object.label.clone()).or_default().push(at);
        }
        scope.augment();
        scope.inherit();
        scope
    }

    /// The names of all modules that are in it.
    #[cfg(test)]
    pub(super) fn modules(&self) -> impl Iterator<Item = &str> {
        self.modules.iter().map(|module| &**module)
    }

    /// Depth first, by arcs; where two objects have one identifier, the older one first.
    fn collect(&mut self, tree: &Tree) {
        let none: Arc<[Box<str>]> = Arc::new([]);
        let mut open: Vec<(usize, Option<usize>)> = vec![(tree::ISO, None)];
        // A place is met twice: before what is beneath it, and after.
        let mut after: Vec<usize> = Vec::new();
        while let Some((at, above)) = open.pop() {
            while after.last().is_some_and(|last| Some(*last) != above) {
                self.close(&mut after);
            }
            let Some(place) = tree.places.get(at) else { continue };
            let oid = match above.and_then(|above| self.objects.get(above)) {
                Some(above) => format!("{}.{}", above.oid, place.arc),
                None => place.arc.to_string(),
            };
            let number = self.objects.len();
            let mut object = Object {
                oid: oid.into(),
                label: place.label.clone(),
                modules: place.modules.clone(),
                end: number + 1,
                metric_type: None,
                readable: false,
                convention: "".into(),
                hint: None,
                fixed: 0,
                enums: None,
                description: "".into(),
                units: None,
                indexes: none.clone(),
                implied: false,
                augments: None,
            };
            if let Some(variable) = &place.variable {
                object.describe(variable);
            }
            self.objects.push(object);
            after.push(number);
            let mut children = place.children.clone();
            children.reverse();
            children.sort_by_key(|child| tree.places.get(*child).map(|child| child.arc));
            open.extend(children.into_iter().rev().map(|child| (child, Some(number))));
        }
        while !after.is_empty() {
            self.close(&mut after);
        }
    }

    fn close(&mut self, after: &mut Vec<usize>) {
        let end = self.objects.len();
        if let Some(object) = after.pop().and_then(|at| self.objects.get_mut(at)) {
            object.end = end;
        }
    }

    /// Rows that belong to others have the indexes of those.
    fn augment(&mut self) {
        for at in 0..self.objects.len() {
            let Some(name) = self.objects.get(at).and_then(|object| object.augments.clone()) else {
                continue;
            };
            let augmented = self.named(&name).and_then(|at| self.objects.get(at));
            let Some((indexes, implied)) = augmented.map(|object| (object.indexes.clone(), object.implied))
            else {
                continue;
            };
            self.give(at, &indexes, implied);
            if let Some(object) = self.objects.get_mut(at) {
                (object.indexes, object.implied) = (indexes, implied);
            }
        }
    }

    /// Columns have the indexes of their rows.
    fn inherit(&mut self) {
        for at in 0..self.objects.len() {
            let Some(object) = self.objects.get(at).filter(|object| !object.indexes.is_empty()) else {
                continue;
            };
            let (indexes, implied) = (object.indexes.clone(), object.implied);
            self.give(at, &indexes, implied);
        }
    }

    fn give(&mut self, at: usize, indexes: &Arc<[Box<str>]>, implied: bool) {
        let Some(end) = self.objects.get(at).map(|object| object.end) else { return };
        let mut child = at + 1;
        while child < end {
            let Some(object) = self.objects.get_mut(child) else { return };
            (object.indexes, object.implied) = (indexes.clone(), implied);
            child = object.end;
        }
    }
}

/// Names.
impl Scope {
    /// The object of a name: a label, `MODULE::label`, or a whole object identifier.
    pub(super) fn named(&self, name: &str) -> Option<usize> {
        if let Some((module, label)) = name.split_once("::") {
            let is_in = |at: &&usize, rank: fn(&[u32], u32) -> bool| {
                let object = self.objects.get(**at);
                object.is_some_and(|object| {
                    self.modules
                        .iter()
                        .position(|known| **known == *module)
                        .is_some_and(|number| rank(&object.modules, number as u32))
                })
            };
            let objects = self.labels.get(label)?;
            let mut newest = objects.iter().rev();
            let first = |modules: &[u32], number: u32| modules.first() == Some(&number);
            let any = |modules: &[u32], number: u32| modules.contains(&number);
            let found = newest.clone().find(|at| is_in(at, first));
            return found.or_else(|| newest.find(|at| is_in(at, any))).copied();
        }
        self.labels.get(name).and_then(|objects| objects.last()).or_else(|| self.oids.get(name)).copied()
    }

    /// All objects of a label.
    pub(super) fn labelled(&self, label: &str) -> &[usize] {
        self.labels.get(label).map(Vec::as_slice).unwrap_or_default()
    }

    /// The object that an identifier is beneath, the nearest one.
    pub(super) fn above(&self, oid: &str) -> Option<usize> {
        let mut oid = oid;
        loop {
            if let Some(at) = self.oids.get(oid) {
                return Some(*at);
            }
            oid = oid.rsplit_once('.')?.0;
        }
    }
}

impl Object {
    fn describe(&mut self, variable: &Variable) {
        let meaning = &variable.meaning;
        self.convention = meaning.name.clone().unwrap_or_default();
        self.hint.clone_from(&meaning.hint);
        self.fixed = meaning.fixed;
        self.metric_type = metric_type(meaning.base, &self.convention, self.hint.as_deref(), self.fixed);
        self.readable =
            matches!(&*variable.access, "read-only" | "read-write" | "read-create" | "not-accessible");
        self.enums.clone_from(&variable.enums);
        self.description.clone_from(&variable.description);
        // RFC 2578, section 7.1.8, and RFC 2579, section 2.
        let in_hundredths = &*meaning.word == "TimeTicks" || &*self.convention == "TimeInterval";
        self.units = if in_hundredths {
            Some("hundredths of a second".into())
        } else {
            variable.units.as_deref().map(|units| units.to_owned().into())
        };
        // Early MIBs say what the index is, and not which one.
        let label = &self.label;
        let named = |index: &str| if index == "INTEGER" { label.clone() } else { index.into() };
        self.indexes = variable.indexes.iter().map(|index| named(index)).collect();
        self.implied = variable.implied;
        self.augments.clone_from(&variable.augments);
    }
}

/// What metrics call a type.
fn metric_type(base: Base, convention: &str, hint: Option<&str>, fixed: u32) -> Option<Cow<'static, str>> {
    Some(Cow::Borrowed(match convention {
        "LldpPortId" => "LldpPortId",
        "InetAddressIPv4" => "InetAddressIPv4",
        "InetAddressIPv6" => "InetAddressIPv6",
        "InetAddress" => "InetAddress",
        "NTPTimeStamp" => "NTPTimeStamp",
        "ParseDateAndTime" => "ParseDateAndTime",
        "DateAndTime" => "DateAndTime",
        "Double" => "Double",
        "Float" => "Float",
        "PhysAddress" => "PhysAddress48",
        "DisplayString" => "DisplayString",
        _ => match hint {
            Some(hint) if is_text(hint) => "DisplayString",
            Some("1x:") if matches!(fixed, 0 | 6) => "PhysAddress48",
            _ => match base {
                Base::Number => "gauge",
                Base::Counter => "counter",
                Base::Octets => "OctetString",
                Base::Bits => "Bits",
                Base::Address => "InetAddressIPv4",
                Base::Other => return None,
            },
        },
    }))
}

/// `255a` or `255t`: octets are characters.
fn is_text(hint: &str) -> bool {
    let digits = hint.strip_suffix(['a', 't']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit())
}
