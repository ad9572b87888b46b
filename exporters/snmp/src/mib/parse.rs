//! A file of MIB text to the definitions in it.
//!
//! Reading never fails: what is no definition is passed over until one begins again, so that a mistake costs the
//! definition it stands in. Names are resolved later, in [`tree`](super::tree), in the order they stand here.

use std::collections::BTreeMap;

use super::lex::{Lexer, Token};
use super::words::{is_base, is_reserved};

/// A module's text, read.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub name: Box<str>,
    pub imports: Vec<Import>,
    pub items: Vec<Item>,
}

impl Text {
    /// The places that it defines.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.items.iter().filter_map(|item| if let Item::Node(node) = item { Some(node) } else { None })
    }
}

/// A name that a module takes from another.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub name: Box<str>,
    pub from: Box<str>,
}

/// A definition.
#[derive(Debug)]
pub(super) enum Item {
    Type(Type),
    Node(Node),
}

/// A name for a syntax: a textual convention, or a plain assignment.
#[derive(Debug)]
pub(super) struct Type {
    pub name: Box<str>,
    pub syntax: Syntax,
    pub hint: Option<Box<str>>,
}

/// What values are.
#[derive(Debug, Default)]
pub(super) struct Syntax {
    /// A base type or the name of a [`Type`].
    pub word: Box<str>,
    pub enums: Option<Enums>,
    /// The one size or value that can be.
    pub fixed: Option<u32>,
}

/// What numbers mean, in the text's order.
pub(super) type Enums = BTreeMap<i64, Box<str>>;

/// A place in the tree.
#[derive(Debug)]
pub(super) struct Node {
    pub label: Box<str>,
    pub parent: Box<str>,
    /// Beneath the parent; one without is another name of the parent.
    pub arc: Option<u32>,
    pub object: Option<Box<Object>>,
}

/// What an OBJECT-TYPE says.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub syntax: Syntax,
    pub access: Box<str>,
    pub indexes: Vec<Box<str>>,
    pub implied: bool,
    pub augments: Option<Box<str>>,
    /// The description's first sentence, in one line.
    pub description: Box<str>,
    /// What its UNITS clause says.
    pub units: Option<Box<str>>,
}

/// How much of a description is read; the first sentence is kept.
const MAX_DESCRIPTION: usize = 4095;
/// How many indexes are kept: every one takes an arc at least, and there are no more arcs.
const MAX_INDEXES: usize = 128;
/// How many arcs one definition may have.
const MAX_ARCS: usize = 32;
/// Names for arcs that have none; no name in a MIB has this sign.
pub(super) const NAMELESS: &str = "#";

/// Reads all modules of a text.
pub(super) fn parse(text: &[u8]) -> Vec<Text> {
    let mut reader = Reader::new(text);
    let mut modules = Vec::new();
    let mut module = Text::default();
    let mut inside = false;
    let mut name: Option<&str> = None;
    loop {
        let token = reader.lexer.next();
        let Token::Word(word) = token else {
            match (token, name.take()) {
                (Token::End, _) => break,
                (Token::Assign, Some(named)) => reader.assignment(named, &mut module.items),
                // NAME { iso 1 2 } DEFINITIONS ::= BEGIN
                (Token::Sign(b'{'), Some(named)) if !inside => {
                    reader.pass_braces();
                    name = Some(named);
                }
                _ => {}
            }
            continue;
        };
        match (word, name.take()) {
            ("DEFINITIONS", Some(named)) => {
                if inside {
                    modules.push(std::mem::take(&mut module));
                }
                inside = true;
                module.name = named.into();
                reader.module = named;
                reader.pass_to("BEGIN");
            }
            ("END", _) if inside => {
                inside = false;
                modules.push(std::mem::take(&mut module));
            }
            ("IMPORTS", _) => reader.imports(&mut module.imports),
            ("EXPORTS", _) => while !matches!(reader.lexer.next(), Token::Sign(b';') | Token::End) {},
            ("MACRO", _) => reader.pass_to("END"),
            ("OBJECT-TYPE", Some(named)) => reader.object(named, &mut module.items),
            (
                "MODULE-IDENTITY" | "OBJECT-IDENTITY" | "OBJECT-GROUP" | "NOTIFICATION-GROUP"
                | "NOTIFICATION-TYPE" | "MODULE-COMPLIANCE" | "AGENT-CAPABILITIES",
                Some(named),
            ) => reader.identity(named, &mut module.items),
            ("IDENTIFIER", Some(named)) if reader.is(Token::Assign) => {
                reader.node(named, None, &mut module.items);
            }
            // The name of what is defined stands before these two words.
            ("OBJECT", named @ Some(_)) if reader.is_ahead("IDENTIFIER") => name = named,
            (word, _) => name = Some(word),
        }
    }
    if inside {
        modules.push(module);
    }
    modules
}

/// Reads the head of a text: what its first module is called and imports, and whether all of the head was there.
pub(super) fn head(text: &[u8]) -> (Option<Text>, bool) {
    let mut reader = Reader::new(text);
    let name = match reader.lexer.next() {
        Token::Word(name) => name,
        token => return (None, token != Token::End),
    };
    let mut token = reader.lexer.next();
    if token == Token::Sign(b'{') {
        reader.pass_braces();
        token = reader.lexer.next();
    }
    if token != Token::Word("DEFINITIONS") {
        return (None, token != Token::End);
    }
    let mut module = Text { name: name.into(), ..Text::default() };
    loop {
        match reader.lexer.next() {
            Token::Word("IMPORTS") => {
                reader.imports(&mut module.imports);
                return (Some(module), reader.lexer.next() != Token::End);
            }
            Token::Word("OBJECT-TYPE" | "MODULE-IDENTITY" | "IDENTIFIER" | "MACRO" | "END") => {
                return (Some(module), true);
            }
            Token::End => return (Some(module), false),
            _ => {}
        }
    }
}

/// Whether an object is defined by the name between these octets.
pub(super) fn is_definition(text: &[u8], start: usize, end: usize) -> bool {
    let before = start.checked_sub(1).and_then(|at| text.get(at));
    if before.is_some_and(|octet| !octet.is_ascii_whitespace()) {
        return false;
    }
    let after = text.get(end..).unwrap_or_default();
    let next = Lexer::new(after.get(..200).unwrap_or(after)).next();
    after.first().is_some_and(u8::is_ascii_whitespace)
        && matches!(next, Token::Word("OBJECT-TYPE" | "OBJECT" | "MODULE-IDENTITY" | "OBJECT-IDENTITY"))
}

/// What the definitions of a text are beneath: of each `::= { parent 1 }` the parent, and the arc after it if there is
/// one.
pub(super) fn parents(text: &[u8]) -> impl Iterator<Item = (&str, Option<u32>)> {
    memchr::memmem::find_iter(text, b"::=").filter_map(|at| {
        let mut reader = Reader::new(text.get(at + 3..)?);
        if !reader.is(Token::Sign(b'{')) {
            return None;
        }
        let parent = match reader.lexer.next() {
            Token::Word(label) => label,
            Token::Number(number) => ROOTS.get(usize::try_from(number).ok()?)?,
            _ => return None,
        };
        let own = reader.arc();
        let arc = match reader.lexer.next() {
            Token::Number(number) => Some(number as u32),
            Token::Word(_) => reader.arc(),
            _ => own,
        };
        Some((parent, arc))
    })
}

/// Above everything, by their arcs.
pub(super) const ROOTS: [&str; 3] = ["ccitt", "iso", "joint-iso-ccitt"];

struct Reader<'a> {
    lexer: Lexer<'a>,
    /// The module that is being read.
    module: &'a str,
    nameless: u32,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { lexer: Lexer::new(text), module: "", nameless: 0 }
    }

    /// Takes the next token if it is this one.
    fn is(&mut self, token: Token<'_>) -> bool {
        let mut ahead = self.lexer.clone();
        let found = ahead.next() == token;
        if found {
            self.lexer = ahead;
        }
        found
    }

    fn is_ahead(&self, word: &str) -> bool {
        self.lexer.clone().next() == Token::Word(word)
    }

    fn pass_to(&mut self, word: &str) {
        loop {
            let token = self.lexer.next();
            if token == Token::End || token == Token::Word(word) {
                return;
            }
        }
    }

    /// Passes braces whose first one has been read.
    fn pass_braces(&mut self) {
        let mut depth = 1_u32;
        while depth > 0 {
            match self.lexer.next() {
                Token::Sign(b'{') => depth += 1,
                Token::Sign(b'}') => depth -= 1,
                Token::End => return,
                _ => {}
            }
        }
    }

    /// `a, b FROM X c FROM Y;`
    fn imports(&mut self, imports: &mut Vec<Import>) {
        imports.clear();
        let mut names: Vec<&str> = Vec::new();
        loop {
            match self.lexer.next() {
                Token::Word("FROM") => {
                    let Token::Word(from) = self.lexer.next() else { continue };
                    let named = names.drain(..).filter(|name| !is_reserved(name));
                    imports.extend(named.map(|name| Import { name: name.into(), from: from.into() }));
                }
                Token::Word(name) => names.push(name),
                // Where the semicolon is forgotten, a definition follows.
                Token::Sign(b';') | Token::Assign | Token::End => return,
                _ => {}
            }
        }
    }

    /// What follows `Name ::=`.
    fn assignment(&mut self, name: &'a str, items: &mut Vec<Item>) {
        let mut hint = None;
        let mut before = self.lexer.clone();
        let word = match self.lexer.next() {
            Token::Word("SEQUENCE" | "CHOICE") => {
                if self.is(Token::Sign(b'{')) {
                    self.pass_braces();
                }
                return;
            }
            Token::Sign(b'{') => {
                self.lexer = before;
                self.node(name, None, items);
                return;
            }
            Token::Word("TEXTUAL-CONVENTION") => loop {
                before = self.lexer.clone();
                match self.lexer.next() {
                    Token::Word("DISPLAY-HINT") => {
                        if let Token::Text(text) = self.lexer.next() {
                            hint = Some(String::from_utf8_lossy(text).into());
                        }
                    }
                    Token::Word("SYNTAX") => match self.lexer.next() {
                        Token::Word(word) => break word,
                        _ => return,
                    },
                    Token::End => return,
                    // The syntax was forgotten, and another definition begins.
                    Token::Assign => {
                        self.lexer = before;
                        return;
                    }
                    _ => {}
                }
            },
            Token::Word(word) => word,
            _ => return,
        };
        let syntax = self.syntax(word);
        items.push(Item::Type(Type { name: name.into(), syntax, hint }));
    }

    /// A syntax whose first word has been read.
    fn syntax(&mut self, word: &'a str) -> Syntax {
        let mut syntax = Syntax { word: word.into(), ..Syntax::default() };
        match word {
            "OBJECT" => drop(self.is(Token::Word("IDENTIFIER"))),
            "SEQUENCE" => {
                if self.is(Token::Word("OF")) {
                    self.lexer.next();
                }
                return syntax;
            }
            _ => {}
        }
        if self.is(Token::Sign(b'{')) {
            syntax.enums = Some(self.enums());
        } else if self.is(Token::Sign(b'(')) {
            syntax.fixed = self.range();
        }
        syntax
    }

    /// `up(1), down(2) }`
    fn enums(&mut self) -> Enums {
        let mut enums = Enums::new();
        loop {
            match self.lexer.next() {
                Token::Word(label) if !is_reserved(label) || label == "deprecated" => {
                    if self.is(Token::Sign(b'('))
                        && let Token::Number(number) = self.lexer.next()
                    {
                        enums.insert(i64::from(number as i32), label.into());
                        self.is(Token::Sign(b')'));
                    }
                }
                Token::Sign(b'}') | Token::Assign | Token::End => return enums,
                _ => {}
            }
        }
    }

    /// `SIZE (0..5 | 7))` or `1..10)`: the one number that can be, if there is only one.
    fn range(&mut self) -> Option<u32> {
        let mut depth = 1_u32;
        let mut ends: Vec<(i64, i64)> = Vec::new();
        let mut to = false;
        loop {
            match self.lexer.next() {
                Token::Sign(b'(') => depth += 1,
                Token::Sign(b')') => depth -= 1,
                Token::Range => to = true,
                Token::Number(number) => {
                    if std::mem::take(&mut to) {
                        if let Some((_, high)) = ends.last_mut() {
                            *high = number;
                        }
                    } else if ends.len() < 2 {
                        ends.push((number, number));
                    }
                }
                Token::Assign | Token::End => return None,
                _ => {}
            }
            if depth == 0 {
                let [(low, high)] = ends.as_slice() else { return None };
                return if low == high { u32::try_from(*low).ok() } else { None };
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// What follows `name OBJECT-TYPE`.
    fn object(&mut self, name: &'a str, items: &mut Vec<Item>) {
        let mut object = Object::default();
        loop {
            match self.lexer.next() {
                Token::Word("SYNTAX") => {
                    if let Token::Word(word) = self.lexer.next() {
                        object.syntax = self.syntax(word);
                    }
                }
                Token::Word("ACCESS" | "MAX-ACCESS") => {
                    if let Token::Word(access) = self.lexer.next() {
                        object.access = access.into();
                    }
                }
                Token::Word("DESCRIPTION") => {
                    if let Token::Text(text) = self.lexer.next() {
                        object.description = first_sentence(text);
                    }
                }
                Token::Word("UNITS") => {
                    if let Token::Text(text) = self.lexer.next() {
                        object.units = std::str::from_utf8(text).ok().map(Box::from);
                    }
                }
                Token::Word("INDEX") => (object.indexes, object.implied) = self.indexes(),
                Token::Word("AUGMENTS") => object.augments = self.indexes().0.into_iter().next(),
                Token::Word("DEFVAL") if self.is(Token::Sign(b'{')) => self.pass_braces(),
                Token::Assign => break,
                // The end of this definition is not there, and another begins.
                Token::Word("OBJECT-TYPE" | "END") | Token::End => return,
                _ => {}
            }
        }
        self.node(name, Some(Box::new(object)), items);
    }

    /// `{ a, IMPLIED b }`
    fn indexes(&mut self) -> (Vec<Box<str>>, bool) {
        let (mut names, mut implied) = (Vec::new(), false);
        if !self.is(Token::Sign(b'{')) {
            return (names, implied);
        }
        loop {
            match self.lexer.next() {
                Token::Word("IMPLIED") => implied = true,
                Token::Word(name) if names.len() < MAX_INDEXES && (!is_reserved(name) || is_base(name)) => {
                    names.push(name.into());
                }
                Token::Sign(b'}') | Token::Assign | Token::End => return (names, implied),
                _ => {}
            }
        }
    }

    /// A definition of which only the place is of interest.
    fn identity(&mut self, name: &'a str, items: &mut Vec<Item>) {
        loop {
            match self.lexer.next() {
                Token::Assign => return self.node(name, None, items),
                Token::Word("OBJECT-TYPE" | "END") | Token::End => return,
                _ => {}
            }
        }
    }

    /// The number in `org(3)`, whose word has been read.
    fn arc(&mut self) -> Option<u32> {
        if !self.is(Token::Sign(b'(')) {
            return None;
        }
        let arc = if let Token::Number(number) = self.lexer.next() { Some(number as u32) } else { None };
        self.is(Token::Sign(b')'));
        arc
    }

    /// `{ parent 1 }`, `{ iso org(3) 6 }`, `{ 1 3 6 }`: a node for each step.
    fn node(&mut self, name: &str, object: Option<Box<Object>>, items: &mut Vec<Item>) {
        if !self.is(Token::Sign(b'{')) {
            return;
        }
        let mut steps: Vec<(Option<Box<str>>, Option<u32>)> = Vec::new();
        loop {
            let step = match self.lexer.next() {
                Token::Word(label) => (Some(label.into()), self.arc()),
                Token::Number(number) => (None, Some(number as u32)),
                Token::Sign(b'}') => break,
                Token::Assign | Token::End => return,
                _ => continue,
            };
            if steps.len() >= MAX_ARCS {
                return;
            }
            steps.push(step);
        }
        let mut steps = steps.into_iter();
        let Some((first, arc)) = steps.next() else { return };
        let root = |arc| ROOTS.get(arc as usize).map(|root| (*root).into());
        let Some(mut parent): Option<Box<str>> = first.or_else(|| arc.and_then(root)) else { return };
        let Some(mut step) = steps.next() else {
            items.push(Item::Node(Node { label: name.into(), parent, arc, object }));
            return;
        };
        for next in steps {
            let label = step.0.unwrap_or_else(|| {
                self.nameless += 1;
                format!("{NAMELESS}{}.{}", self.module, self.nameless).into()
            });
            items.push(Item::Node(Node { label: label.clone(), parent, arc: step.1, object: None }));
            (parent, step) = (label, next);
        }
        if step.1.is_some() {
            items.push(Item::Node(Node { label: name.into(), parent, arc: step.1, object }));
        }
    }
}

/// The first sentence of a description, in one line.
fn first_sentence(text: &[u8]) -> Box<str> {
    let read = text.iter().copied().filter(|octet| *octet != b'\r').take(MAX_DESCRIPTION);
    let mut line = Vec::with_capacity(256);
    let mut between = false;
    for octet in read.clone() {
        if !octet.is_ascii() {
            // What is between words, and what is no character, is not for octets to say.
            let text: Vec<u8> = read.collect();
            return sentence(&String::from_utf8_lossy(&text)).into();
        }
        if octet.is_ascii_whitespace() || octet == 0x0b {
            between = !line.is_empty();
            continue;
        }
        if std::mem::take(&mut between) {
            if line.ends_with(b".") {
                line.pop();
                break;
            }
            line.push(b' ');
        }
        line.push(octet);
    }
    String::from_utf8(line).unwrap_or_default().into()
}

/// The first sentence of a text, in one line.
fn sentence(text: &str) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            if line.ends_with('.') {
                line.pop();
                break;
            }
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        SMALL-MIB DEFINITIONS ::= BEGIN
        IMPORTS enterprises, Counter32, OBJECT-TYPE FROM SNMPv2-SMI DisplayString FROM SNMPv2-TC;
        small OBJECT IDENTIFIER ::= { enterprises acme(7) 0 1 }
        State ::= TEXTUAL-CONVENTION DISPLAY-HINT "d" STATUS current DESCRIPTION "x" SYNTAX INTEGER { up(1), current(2), down(-3) }
        Address ::= TEXTUAL-CONVENTION DISPLAY-HINT "1x:" STATUS current DESCRIPTION "x" SYNTAX OCTET STRING (SIZE (6))
        Row ::= SEQUENCE { a Counter32, b State }
        rowTable OBJECT-TYPE SYNTAX SEQUENCE OF Row MAX-ACCESS not-accessible STATUS current
            DESCRIPTION "Rows." ::= { small 1 }
        row OBJECT-TYPE SYNTAX Row MAX-ACCESS not-accessible STATUS current DESCRIPTION "A row."
            INDEX { first, IMPLIED second } ::= { rowTable 1 }
        a OBJECT-TYPE SYNTAX Counter32 UNITS "octets" MAX-ACCESS read-only STATUS current
            DESCRIPTION "What is
                counted.  Not more." DEFVAL { { a, b } } ::= { row 1 }
        END
    "#;

    fn nodes(text: &str) -> Vec<String> {
        let modules = parse(text.as_bytes());
        let items = modules.iter().flat_map(|module| &module.items);
        items
            .filter_map(|item| match item {
                Item::Node(Node { label, parent, arc, object }) => {
                    let object = object.as_ref().map_or_else(String::new, |object| {
                        format!(" {} {} {:?}", object.syntax.word, object.access, object.description)
                    });
                    Some(format!(
                        "{label}={parent}.{}{object}",
                        arc.map_or_else(String::new, |arc| arc.to_string())
                    ))
                }
                Item::Type(_) => None,
            })
            .collect()
    }

    #[test]
    fn a_module() {
        let modules = parse(SMALL.as_bytes());
        let [module] = modules.as_slice() else { panic!("one module, not {modules:?}") };
        assert_eq!(&*module.name, "SMALL-MIB");
        assert_eq!(
            module.imports,
            [("enterprises", "SNMPv2-SMI"), ("DisplayString", "SNMPv2-TC")]
                .map(|(name, from)| Import { name: name.into(), from: from.into() })
        );
        assert_eq!(
            nodes(SMALL),
            [
                "acme=enterprises.7",
                "#SMALL-MIB.1=acme.0",
                "small=#SMALL-MIB.1.1",
                "rowTable=small.1 SEQUENCE not-accessible \"Rows.\"",
                "row=rowTable.1 Row not-accessible \"A row.\"",
                "a=row.1 Counter32 read-only \"What is counted\"",
            ]
        );
        let types: Vec<_> = module
            .items
            .iter()
            .filter_map(|item| if let Item::Type(item) = item { Some(item) } else { None })
            .collect();
        let [state, address] = types.as_slice() else { panic!("two types, not {types:?}") };
        assert_eq!((state.hint.as_deref(), &*state.syntax.word), (Some("d"), "INTEGER"));
        // "current" has a meaning of its own, and so names no number.
        let enums = state.syntax.enums.as_ref().unwrap();
        assert_eq!(
            enums.iter().map(|(n, name)| (*n, &**name)).collect::<Vec<_>>(),
            [(-3, "down"), (1, "up")]
        );
        assert_eq!((&*address.syntax.word, address.syntax.fixed), ("OCTETSTRING", Some(6)));
        let Some(Item::Node(row)) =
            module.items.iter().find(|item| matches!(item, Item::Node(n) if &*n.label == "row"))
        else {
            panic!("no row")
        };
        let row = row.object.as_ref().unwrap();
        assert_eq!(
            (row.indexes.as_slice(), row.implied),
            (["first".into(), "second".into()].as_slice(), true)
        );
    }

    #[test]
    fn a_mistake_costs_the_definition_it_is_in() {
        let with = |middle: &str| {
            nodes(&format!(
                "M DEFINITIONS ::= BEGIN a OBJECT IDENTIFIER ::= {{ b 1 }} {middle} c OBJECT IDENTIFIER ::= {{ a 2 }} END"
            ))
        };
        for middle in
            ["", ", ;", "x OBJECT-TYPE END", "Y ::= 5", "z OBJECT IDENTIFIER ::= 4", "Z ::= [5] FOO (", "}}}"]
        {
            let found = with(middle);
            assert_eq!(found.first().map(String::as_str), Some("a=b.1"), "{middle}");
            if !middle.contains("END") {
                assert_eq!(found.last().map(String::as_str), Some("c=a.2"), "{middle}");
            }
        }
    }

    #[test]
    fn roots_may_be_numbers() {
        assert_eq!(nodes("M DEFINITIONS ::= BEGIN a OBJECT IDENTIFIER ::= { 1 3 } END"), ["a=iso.3"]);
        assert!(nodes("M DEFINITIONS ::= BEGIN a OBJECT IDENTIFIER ::= { 3 3 } END").is_empty());
        assert_eq!(nodes("M DEFINITIONS ::= BEGIN a OBJECT IDENTIFIER ::= { b } END"), ["a=b."]);
    }

    #[test]
    fn heads() {
        let (head, whole) = super::head(SMALL.as_bytes());
        let head = head.unwrap();
        assert_eq!((&*head.name, head.imports.len(), whole), ("SMALL-MIB", 2, true));
        assert!(!super::head(SMALL.get(..80).unwrap().as_bytes()).1);
        assert!(super::head(b"no mib").0.is_none());
        assert!(super::head(b"").0.is_none());
    }

    quickcheck::quickcheck! {
        fn sentences_of_octets_are_those_of_characters(text: Vec<u8>) -> bool {
            // Few different characters, so that sentences end.
            let text: String = text.iter().map(|octet| char::from(b"ab. \n\t\x0b\x0c.1"[usize::from(*octet % 10)])).collect();
            *first_sentence(text.as_bytes()) == sentence(&text)
        }
    }
}
