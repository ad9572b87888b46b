//! Patterns of file names: `*` and `?` within one component, `[a-z]` sets.

use std::path::{Path, PathBuf};

/// The files that a pattern names, sorted; a path without wildcards names itself if it exists.
pub(super) fn matching(pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![if pattern.starts_with('/') { PathBuf::from("/") } else { PathBuf::new() }];
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        let mut next = Vec::new();
        for folder in found {
            if !component.contains(['*', '?', '[']) {
                let path = folder.join(component);
                if path.exists() {
                    next.push(path);
                }
                continue;
            }
            let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            // What is no folder, or may not be read, has nothing that matches.
            let Ok(entries) = std::fs::read_dir(shown) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                if name.to_str().is_some_and(|name| fits(component, name)) {
                    next.push(folder.join(name));
                }
            }
        }
        next.sort();
        found = next;
    }
    found
}

/// Whether a name fits a pattern. A star that was tried too short is tried longer; only the last one has to be,
/// so this takes the product of both lengths at most.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => name.get(n).and_then(|c| set(pattern.get(p..).unwrap_or_default(), *c)),
            Some(c) => (name.get(n) == Some(c)).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((at, from))) => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == '*')
}

/// The length of the set that `pattern` begins with, if `c` is in it: `[a-z_]`, `[^0-9]`.
fn set(pattern: &[char], c: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let mut items = pattern.get(1..end)?;
    let negated = items.first() == Some(&'^');
    if negated {
        items = items.get(1..)?;
    }
    let mut found = false;
    while let [first, rest @ ..] = items {
        items = match rest {
            ['-', last, rest @ ..] => {
                found |= (*first..=*last).contains(&c);
                rest
            }
            rest => {
                found |= *first == c;
                rest
            }
        };
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, fit) in [
            ("*", "", true),
            ("*.yml", "snmp.yml", true),
            ("*.yml", "snmp.yaml", false),
            ("a*b*c", "a--b-bc", true),
            ("a*b*c", "a--b-b", false),
            ("?.yml", "é.yml", true),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[", "[", false),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern, name), fit, "{pattern} {name}");
        }
        let long = "a".repeat(2000);
        assert!(!fits(&"a*".repeat(500), &format!("{long}b").replace('a', "b")));
    }

    #[test]
    fn files_are_found_in_order() {
        let here = env!("CARGO_MANIFEST_DIR");
        let found = matching(&format!("{here}/src/config/[fm]*.rs"));
        let names: Vec<_> = found.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        assert_eq!(names, ["files.rs", "mod.rs", "module.rs"]);
        assert_eq!(matching(&format!("{here}/Cargo.toml")).len(), 1);
        assert!(matching(&format!("{here}/no/*/such")).is_empty());
        assert!(matching("no-such-file.yml").is_empty());
    }
}
