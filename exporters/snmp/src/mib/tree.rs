//! The tree of object identifiers that modules' definitions make together.
//!
//! Modules are linked one after the other, and what the first one says of a place stays: the order decides, and
//! [`store`](super::store) gives it as net-snmp has it. Within a module a name means what it imports under it, or
//! what it has defined above.

use std::collections::HashMap;
use std::sync::Arc;

use super::parse::{self, Enums, Item, NAMELESS, Node, Object, Syntax, Text, Type};
use super::words::{self, Base};

/// The tree.
#[derive(Debug)]
pub(super) struct Tree {
    pub places: Vec<Place>,
    /// Names of modules, by number.
    pub modules: Vec<Box<str>>,
    module_numbers: HashMap<Box<str>, ModuleNumber>,
    /// Places by label, newest last.
    labels: HashMap<Box<str>, Vec<usize>>,
    types: HashMap<(ModuleNumber, Box<str>), Arc<Meaning>>,
    /// The first type of each name, for imports from modules that are not there.
    any_types: HashMap<Box<str>, Arc<Meaning>>,
    orphans: Vec<(ModuleNumber, Node, Option<Box<Variable>>)>,
}

pub(super) type ModuleNumber = u32;

/// The place of `iso`, which all that devices tell is beneath.
pub(super) const ISO: usize = 1;

/// A node of the tree.
#[derive(Debug)]
pub(super) struct Place {
    pub label: Box<str>,
    pub arc: u32,
    /// The place above; roots have none.
    pub parent: Option<usize>,
    pub depth: u16,
    /// In the order they are looked through; the last of several with one arc is the oldest.
    pub children: Vec<usize>,
    /// Who defines it, the first one first.
    pub modules: Vec<ModuleNumber>,
    pub variable: Option<Box<Variable>>,
}

/// What is known of a variable, a table or a row.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub meaning: Arc<Meaning>,
    pub access: Box<str>,
    pub enums: Option<Arc<Enums>>,
    pub indexes: Vec<Box<str>>,
    pub implied: bool,
    pub augments: Option<Box<str>>,
    pub description: Box<str>,
    pub units: Option<Box<str>>,
}

/// What a syntax means.
#[derive(Debug)]
pub(super) struct Meaning {
    pub base: Base,
    /// The type's name, if it is not a base type's.
    pub name: Option<Box<str>>,
    /// The base type's word.
    pub word: Box<str>,
    pub hint: Option<Box<str>>,
    pub fixed: u32,
    pub enums: Option<Arc<Enums>>,
}

/// Object identifiers have 128 arcs at most.
const MAX_DEPTH: u16 = 128;

impl Tree {
    /// A tree of which only the roots are known.
    pub(super) fn new() -> Self {
        let mut tree = Self {
            places: Vec::new(),
            modules: Vec::new(),
            module_numbers: HashMap::new(),
            labels: HashMap::new(),
            types: HashMap::new(),
            any_types: HashMap::new(),
            orphans: Vec::new(),
        };
        for (arc, label) in parse::ROOTS.into_iter().enumerate() {
            tree.labels.insert(label.into(), vec![arc]);
            tree.places.push(Place {
                label: label.into(),
                arc: arc as u32,
                parent: None,
                depth: 1,
                children: Vec::new(),
                modules: Vec::new(),
                variable: None,
            });
        }
        tree
    }

    /// The number of a module, given on first sight.
    fn module(&mut self, name: &str) -> ModuleNumber {
        if let Some(number) = self.module_numbers.get(name) {
            return *number;
        }
        let number = self.modules.len() as ModuleNumber;
        self.modules.push(name.into());
        self.module_numbers.insert(name.into(), number);
        number
    }

    /// Puts a module's definitions into the tree. Modules it imports from come before it.
    pub(super) fn link(&mut self, text: Text) {
        let own = self.module(&text.name);
        let from: HashMap<Box<str>, Option<ModuleNumber>> = text
            .imports
            .iter()
            .rev()
            .map(|import| (import.name.clone(), self.module_numbers.get(&import.from).copied()))
            .collect();
        let mut pool = Pool::default();
        let mut nodes = Vec::new();
        for item in text.items {
            match item {
                Item::Type(item) => self.define(own, &from, item),
                Item::Node(mut node) => {
                    let variable =
                        node.object.take().map(|object| Box::new(self.variable(own, &from, *object)));
                    nodes.push((own, node, variable));
                }
            }
        }
        pool.fill(nodes);
        for import in &text.imports {
            let module = from.get(&import.name).copied().flatten();
            if self.type_of(&import.name, module).is_none()
                && let Some(place) = self.find(&import.name, module)
            {
                self.attach(place, &mut pool);
            }
        }
        for root in 0..3 {
            self.attach(root, &mut pool);
        }
        self.orphans.extend(pool.rest());
    }

    /// Gives definitions whose parents were not imported a place under any parent of that name.
    pub(super) fn adopt(&mut self) {
        let mut pool = Pool::default();
        pool.fill(std::mem::take(&mut self.orphans));
        loop {
            let parents = pool.parents();
            let found: Vec<usize> = parents.iter().filter_map(|parent| self.find(parent, None)).collect();
            if found.is_empty() {
                return;
            }
            for place in found {
                self.attach(place, &mut pool);
            }
        }
    }
}

/// Types and names.
impl Tree {
    /// The newest place of a label, or that of a module.
    fn find(&self, label: &str, module: Option<ModuleNumber>) -> Option<usize> {
        let places = self.labels.get(label)?;
        let is_in = |place: &&usize| {
            let place = self.places.get(**place);
            module.is_none_or(|module| place.is_some_and(|place| place.modules.contains(&module)))
        };
        places.iter().rev().find(is_in).copied()
    }

    fn type_of(&self, name: &str, module: Option<ModuleNumber>) -> Option<&Arc<Meaning>> {
        match module {
            Some(module) => self.types.get(&(module, name.into())),
            None => self.any_types.get(name),
        }
    }

    fn meaning(
        &self,
        own: ModuleNumber,
        from: &HashMap<Box<str>, Option<ModuleNumber>>,
        word: &str,
    ) -> Option<Arc<Meaning>> {
        if let Some(base) = words::base(word) {
            let meaning = Meaning { base, name: None, word: word.into(), hint: None, fixed: 0, enums: None };
            return Some(Arc::new(meaning));
        }
        let module = from.get(word).copied().unwrap_or(Some(own));
        self.type_of(word, module).cloned()
    }

    fn define(&mut self, own: ModuleNumber, from: &HashMap<Box<str>, Option<ModuleNumber>>, item: Type) {
        let Type { name, syntax: Syntax { word, enums, fixed }, hint } = item;
        // What it is made of gives its base, and nothing else.
        let Some(of) = self.meaning(own, from, &word) else { return };
        let meaning = Arc::new(Meaning {
            base: of.base,
            name: Some(name.clone()),
            word: of.word.clone(),
            hint,
            fixed: fixed.unwrap_or_default(),
            enums: enums.map(Arc::new),
        });
        self.any_types.entry(name.clone()).or_insert_with(|| meaning.clone());
        self.types.entry((own, name)).or_insert(meaning);
    }

    fn variable(
        &self,
        own: ModuleNumber,
        from: &HashMap<Box<str>, Option<ModuleNumber>>,
        object: Object,
    ) -> Variable {
        let Object { syntax, access, indexes, implied, augments, description, units } = object;
        let meaning = self.meaning(own, from, &syntax.word).unwrap_or_else(|| {
            let word = syntax.word.clone();
            Arc::new(Meaning { base: Base::Other, name: None, word, hint: None, fixed: 0, enums: None })
        });
        let enums = syntax.enums.map(Arc::new).or_else(|| meaning.enums.clone());
        Variable { meaning, access, enums, indexes, implied, augments, description, units }
    }
}

/// Definitions that have no place yet, by the label of their parent.
#[derive(Default)]
struct Pool(HashMap<Box<str>, Vec<Waiting>>);

type Waiting = (ModuleNumber, Node, Option<Box<Variable>>);

impl Pool {
    /// Takes definitions in; of one parent, the last is the first to be given a place.
    fn fill(&mut self, nodes: Vec<Waiting>) {
        for node in nodes.into_iter().rev() {
            self.0.entry(node.1.parent.clone()).or_default().push(node);
        }
    }

    fn rest(self) -> impl Iterator<Item = Waiting> {
        // Sorted, so that what becomes of them is the same every time.
        let mut rest: Vec<_> = self.0.into_iter().collect();
        rest.sort_by(|a, b| a.0.cmp(&b.0));
        rest.into_iter().flat_map(|(_, nodes)| nodes.into_iter().rev())
    }

    fn parents(&self) -> Vec<Box<str>> {
        let mut parents: Vec<_> = self.0.keys().cloned().collect();
        parents.sort();
        parents
    }
}

/// Places.
impl Tree {
    /// Gives all definitions of the pool beneath a place their places, and those beneath them.
    fn attach(&mut self, place: usize, pool: &mut Pool) {
        let Some(label) = self.places.get(place).map(|place| place.label.clone()) else { return };
        let mut open = Vec::new();
        let mut enter = Some((place, label));
        loop {
            if let Some((place, label)) = enter.take()
                && let Some(nodes) = pool.0.remove(&label)
            {
                open.push((self.last_of_arc(place), nodes.into_iter()));
            }
            let Some((above, nodes)) = open.last_mut() else { return };
            let Some(node) = nodes.next() else {
                open.pop();
                continue;
            };
            let label = node.1.label.clone();
            let above = *above;
            enter = self.put(above, node).map(|place| (place, label));
        }
    }

    /// Of places with one arc, the oldest: what is beneath any of them is beneath it.
    fn last_of_arc(&self, place: usize) -> usize {
        let siblings =
            self.places.get(place).and_then(|here| Some((here.arc, self.places.get(here.parent?)?)));
        let Some((arc, parent)) = siblings else { return place };
        let after = parent.children.iter().skip_while(|child| **child != place);
        let same = after.take_while(|child| self.places.get(**child).is_some_and(|child| child.arc == arc));
        same.last().copied().unwrap_or(place)
    }

    /// Gives a definition its place beneath another.
    fn put(&mut self, mut above: usize, (module, node, variable): Waiting) -> Option<usize> {
        let Node { label, arc, .. } = node;
        let arc = if let Some(arc) = arc {
            arc
        } else {
            // Another name of the place above.
            let here = self.places.get(above)?;
            let arc = here.arc;
            if *here.label == *label {
                return Some(above);
            }
            above = here.parent?;
            arc
        };
        let parent = self.places.get(above)?;
        let depth = parent.depth + 1;
        if depth > MAX_DEPTH {
            return None;
        }
        let is_arc = |child: &usize| self.places.get(*child).is_some_and(|child| child.arc == arc);
        let found = parent.children.iter().position(is_arc);
        let there = found.and_then(|at| Some((at, *parent.children.get(at)?)));
        if let Some((_, there)) = there {
            let place = self.places.get_mut(there)?;
            if place.label == label || label.starts_with(NAMELESS) {
                place.modules.push(module);
                return Some(there);
            }
            if place.label.starts_with(NAMELESS) {
                place.label = label.clone();
                place.variable = variable;
                place.modules = vec![module];
                self.labels.entry(label).or_default().push(there);
                return Some(there);
            }
        }
        let new = self.places.len();
        let modules = vec![module];
        self.labels.entry(label.clone()).or_default().push(new);
        self.places.push(Place {
            label,
            arc,
            parent: Some(above),
            depth,
            children: Vec::new(),
            modules,
            variable,
        });
        let children = &mut self.places.get_mut(above)?.children;
        children.insert(there.map_or(children.len(), |(at, _)| at), new);
        Some(new)
    }
}
