//! The reference grammar against the published ABNFs, run by a small interpreter of ABNF: on sentences made at random
//! from the grammars, and on those with mistakes put in, both say the same of every text.
//!
//! One difference is wanted: a help text with raw quotes is read, as the public corpus has it, though the ABNF has none.
#![cfg(feature = "parse")]

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use openmetrics::format::entries::{Dialect, Entries, Entry, MetadataKind};

const OPENMETRICS_1: &str = include_str!("data/openmetrics-1.abnf");
const OPENMETRICS_2: &str = include_str!("data/openmetrics-2.abnf");
/// The rules that RFC 5234 has for all grammars, as far as these use them.
const CORE: &str = "ALPHA = %x41-5A / %x61-7A\nDIGIT = %x30-39\nSP = %x20\nLF = %x0A\nDQUOTE = %x22\n";

#[derive(Clone, Debug)]
enum Node {
    /// One of several.
    Any(Vec<Node>),
    /// One after the other.
    All(Vec<Node>),
    /// At least so often, at most so often.
    Repeat(usize, usize, Box<Node>),
    Rule(String),
    Text(Vec<char>, bool),
    Range(char, char),
}

struct Grammar {
    rules: HashMap<String, Node>,
}

impl Grammar {
    fn new(text: &str) -> Self {
        let mut rules: HashMap<String, Node> = HashMap::new();
        for line in CORE.lines().chain(text.lines()) {
            let (name, more, body) = if let Some((name, body)) = line.split_once(" =/ ") {
                (name, true, body)
            } else {
                let (name, body) = line.split_once(" = ").unwrap();
                (name, false, body)
            };
            let mut reader = Reader { text: body.chars().collect(), at: 0 };
            let node = reader.any();
            assert_eq!(reader.at, reader.text.len(), "{line}");
            let name = name.trim().to_ascii_lowercase();
            match rules.remove(&name) {
                Some(old) if more => rules.insert(name, Node::Any(vec![old, node])),
                None => rules.insert(name, node),
                Some(_) => panic!("{name} twice"),
            };
        }
        Self { rules }
    }

    fn matches(&self, text: &str) -> bool {
        let matcher =
            Matcher { grammar: self, text: text.chars().collect(), known: RefCell::new(HashMap::new()) };
        let length = matcher.text.len();
        matcher.rule("exposition", 0).contains(&length)
    }

    /// A sentence of the grammar.
    fn sentence(&self, random: &mut Random) -> String {
        let mut out = String::new();
        self.write(&self.rules["exposition"], random, &mut out);
        out
    }

    fn write(&self, node: &Node, random: &mut Random, out: &mut String) {
        match node {
            Node::Any(nodes) => self.write(&nodes[random.below(nodes.len())], random, out),
            Node::All(nodes) => nodes.iter().for_each(|node| self.write(node, random, out)),
            Node::Repeat(least, most, node) => {
                let times = least + random.below((most - least).min(3) + 1);
                (0..times).for_each(|_| self.write(node, random, out));
            }
            Node::Rule(name) => self.write(&self.rules[name], random, out),
            Node::Text(text, cased) => out.extend(
                text.iter().map(|c| if !cased && random.below(2) == 0 { c.to_ascii_uppercase() } else { *c }),
            ),
            Node::Range(first, last) => {
                let (first, last) = (u32::from(*first), u32::from(*last));
                // Often near the ends, and mostly ASCII.
                let width = (last - first).min([0, 3, 90, u32::MAX][random.below(4)]);
                out.extend(char::from_u32(first + random.below(width as usize + 1) as u32));
            }
        }
    }
}

/// Reads the right side of an ABNF rule.
struct Reader {
    text: Vec<char>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek() == Some(' ') {
            self.at += 1;
        }
    }

    fn any(&mut self) -> Node {
        let mut nodes = vec![self.all()];
        loop {
            self.blanks();
            if self.peek() != Some('/') {
                return if nodes.len() == 1 { nodes.remove(0) } else { Node::Any(nodes) };
            }
            self.at += 1;
            nodes.push(self.all());
        }
    }

    fn all(&mut self) -> Node {
        let mut nodes = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                None | Some('/' | ')' | ']') => return Node::All(nodes),
                Some(_) => nodes.push(self.repetition()),
            }
        }
    }

    fn digits(&mut self) -> String {
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_hexdigit) {
            digits.push(c);
            self.at += 1;
        }
        digits
    }

    fn repetition(&mut self) -> Node {
        let least =
            if self.peek().is_some_and(|c| c.is_ascii_digit()) { self.digits() } else { String::new() };
        if self.peek() != Some('*') {
            assert!(least.is_empty(), "counts without a star are not used");
            return self.element();
        }
        self.at += 1;
        Node::Repeat(least.parse().unwrap_or(0), usize::MAX, Box::new(self.element()))
    }

    fn element(&mut self) -> Node {
        let c = self.peek().unwrap();
        self.at += 1;
        match c {
            '(' => {
                let node = self.any();
                assert_eq!(self.peek(), Some(')'));
                self.at += 1;
                node
            }
            '[' => {
                let node = self.any();
                assert_eq!(self.peek(), Some(']'));
                self.at += 1;
                Node::Repeat(0, 1, Box::new(node))
            }
            '"' => self.quoted(false),
            '%' => {
                let kind = self.peek().unwrap();
                self.at += 1;
                match kind {
                    's' | 'i' => {
                        self.at += 1;
                        self.quoted(kind == 's')
                    }
                    _ => self.numeric(if kind == 'x' { 16 } else { 10 }),
                }
            }
            _ => {
                let mut name = String::from(c);
                while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '-') {
                    name.push(c);
                    self.at += 1;
                }
                Node::Rule(name.to_ascii_lowercase())
            }
        }
    }

    fn quoted(&mut self, cased: bool) -> Node {
        let mut text = Vec::new();
        loop {
            let c = self.peek().unwrap();
            self.at += 1;
            if c == '"' {
                return Node::Text(text, cased);
            }
            text.push(c);
        }
    }

    fn numeric(&mut self, radix: u32) -> Node {
        let mut chars = vec![self.code(radix)];
        match self.peek() {
            Some('-') => {
                self.at += 1;
                return Node::Range(chars[0], self.code(radix));
            }
            Some('.') => {
                while self.peek() == Some('.') {
                    self.at += 1;
                    chars.push(self.code(radix));
                }
            }
            _ => {}
        }
        Node::Text(chars, true)
    }

    fn code(&mut self, radix: u32) -> char {
        char::from_u32(u32::from_str_radix(&self.digits(), radix).unwrap()).unwrap()
    }
}

struct Matcher<'g> {
    grammar: &'g Grammar,
    text: Vec<char>,
    /// Where rules end that begin at a place.
    known: RefCell<HashMap<(String, usize), BTreeSet<usize>>>,
}

impl Matcher<'_> {
    fn rule(&self, name: &str, from: usize) -> BTreeSet<usize> {
        let key = (name.to_owned(), from);
        if let Some(ends) = self.known.borrow().get(&key) {
            return ends.clone();
        }
        let ends = self.ends(&self.grammar.rules[name], from);
        self.known.borrow_mut().insert(key, ends.clone());
        ends
    }

    /// Everywhere that a node may end that begins at `from`.
    fn ends(&self, node: &Node, from: usize) -> BTreeSet<usize> {
        match node {
            Node::Any(nodes) => nodes.iter().flat_map(|node| self.ends(node, from)).collect(),
            Node::All(nodes) => nodes.iter().fold(BTreeSet::from([from]), |starts, node| {
                starts.into_iter().flat_map(|start| self.ends(node, start)).collect()
            }),
            Node::Repeat(least, most, node) => {
                let mut ends = BTreeSet::new();
                let mut front = BTreeSet::from([from]);
                for times in 0.. {
                    if times >= *least {
                        front = front.difference(&ends).copied().collect();
                        ends.extend(&front);
                    }
                    if times == *most || front.is_empty() {
                        break;
                    }
                    front = front.into_iter().flat_map(|start| self.ends(node, start)).collect();
                }
                ends
            }
            Node::Rule(name) => self.rule(name, from),
            Node::Text(text, cased) => {
                let fits = self.text.get(from..from + text.len()).is_some_and(|found| {
                    found.iter().zip(text).all(|(a, b)| a == b || !cased && a.eq_ignore_ascii_case(b))
                });
                fits.then_some(from + text.len()).into_iter().collect()
            }
            Node::Range(first, last) => {
                let fits = self.text.get(from).is_some_and(|c| (first..=last).contains(&c));
                fits.then_some(from + 1).into_iter().collect()
            }
        }
    }
}

/// Whether the reader takes a text, or why not.
fn is_read(text: &str, dialect: Dialect) -> Result<(), String> {
    let mut entries = Entries::new(text.as_bytes(), dialect);
    while let Some(entry) = entries.next_entry() {
        match entry {
            Err(fault) => return Err(fault.to_string()),
            Ok(Entry::Sample(sample)) => {
                if let Some(fault) = sample.exemplar_fault() {
                    return Err(fault.to_string());
                }
            }
            Ok(Entry::Metadata(line)) if line.kind == MetadataKind::Help => {
                let unescaped = line.text.raw().replace("\\\\", "").replace("\\\"", "");
                if unescaped.contains('"') {
                    return Err("a raw quote, which the ABNF does not take".to_owned());
                }
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn mutate(random: &mut Random, text: &str) -> String {
    const INTERESTING: &str = "\"\\\n{}=,# \t:._-+eE019naINFst@\ré[]xTYPEHUL";
    let interesting: Vec<char> = INTERESTING.chars().collect();
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(2) {
        let at = random.below(chars.len() + 1);
        let c = interesting[random.below(interesting.len())];
        match random.below(4) {
            0 => chars.insert(at, c),
            1 if at < chars.len() => chars[at] = c,
            2 if at < chars.len() => {
                chars.remove(at);
            }
            _ => {
                let end = (at + random.below(8)).min(chars.len());
                let piece = chars[at..end].to_vec();
                let to = random.below(chars.len() + 1);
                chars.splice(to..to, piece);
            }
        }
    }
    chars.into_iter().collect()
}

fn agree(dialect: Dialect, abnf: &str) {
    let rounds: usize = std::env::var("ABNF_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let grammar = Grammar::new(abnf);
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut valid = 0;
    for _ in 0..rounds {
        let sentence = grammar.sentence(&mut random);
        assert!(grammar.matches(&sentence), "the interpreter refuses what it made: {sentence:?}");
        assert_eq!(is_read(&sentence, dialect), Ok(()), "{sentence:?}");
        for _ in 0..4 {
            let text = mutate(&mut random, &sentence);
            let matches = grammar.matches(&text);
            let read = is_read(&text, dialect);
            assert_eq!(read.is_ok(), matches, "{text:?}: {read:?}");
            valid += usize::from(matches);
        }
    }
    assert!(valid > rounds / 10, "too few mutated texts were valid to tell anything: {valid}");
}

#[test]
fn openmetrics_1() {
    agree(Dialect::OpenMetrics1, OPENMETRICS_1);
}

#[test]
fn openmetrics_2() {
    agree(Dialect::OpenMetrics2, OPENMETRICS_2);
}
