//! A large file in parts that are read side by side, so that two megabytes of modules do not hold up the start.
//!
//! Parts are cut where a line begins a module. If the cut is wrong after all (an alias to an anchor in another part, a
//! name given twice), reading them fails, and the whole file, which has the last word and the right places, is read.

use super::Config;

/// Files below this are read at once.
const LARGE: usize = 128 << 10;
/// More parts gain nothing.
const MOST: usize = 8;

/// Reads a large file in parts; `None` where that cannot be done.
pub(super) fn parse(text: &str) -> Option<Config> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
    if text.len() < LARGE || threads < 2 {
        return None;
    }
    let parts = cut(text, threads)?;
    let read = std::thread::scope(|scope| {
        let (first, others) = parts.split_first()?;
        let others: Vec<_> = others
            .iter()
            .map(|part| scope.spawn(move || Config::parse_whole(&format!("modules:\n{part}"))))
            .collect();
        let mut read = vec![Config::parse_whole(first).ok()?];
        for other in others {
            read.push(other.join().ok()?.ok()?);
        }
        Some(read)
    })?;
    let mut whole = Config::default();
    for part in read {
        if part.modules.keys().any(|name| whole.modules.contains_key(name)) {
            return None;
        }
        whole.auths.extend(part.auths);
        whole.modules.extend(part.modules);
        whole.naming = part.naming.or(whole.naming);
        whole.version = part.version.or(whole.version);
    }
    Some(whole)
}

/// Cuts a file whose `modules` come last: all up to some module, then the others, about equally long.
fn cut(text: &str, parts: usize) -> Option<Vec<&str>> {
    let begin = text.find("\nmodules:\n")? + "\nmodules:\n".len();
    let modules = text.get(begin..)?;
    // What is not indented is another key, or a document's end.
    if modules.lines().any(|line| !line.is_empty() && !line.starts_with([' ', '#'])) {
        return None;
    }
    let mut cuts = vec![0];
    for part in 1..parts {
        let about = begin + modules.len() / parts * part;
        let about = (about..text.len()).find(|at| text.is_char_boundary(*at))?;
        let mut lines = text.get(about..)?.match_indices('\n');
        let found = lines.find(|(at, _)| text.get(about + at + 1..).is_some_and(begins_a_module));
        if let Some((at, _)) = found {
            cuts.push(about + at + 1);
        }
    }
    cuts.dedup();
    cuts.push(text.len());
    cuts.windows(2).map(|ends| if let [from, to] = *ends { text.get(from..to) } else { None }).collect()
}

fn begins_a_module(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let name = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')).unwrap_or_default();
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(modules: usize) -> String {
        let metric = |module: usize, metric: usize| {
            format!(
                "    - name: n{metric}\n      oid: 1.3.6.{module}.{metric}\n      type: gauge\n      help: A help,\n        in two lines.\n"
            )
        };
        let module = |module: usize| {
            let metrics: Vec<String> = (0..20).map(|at| metric(module, at)).collect();
            format!("  m{module}:\n    walk: [1.3.6.{module}]\n    metrics:\n{}", metrics.concat())
        };
        let modules: Vec<String> = (0..modules).map(module).collect();
        format!("auths:\n  a: {{version: 1}}\nmodules:\n{}", modules.concat())
    }

    #[test]
    fn parts_are_the_whole() {
        let text = file(200);
        let whole = Config::parse_whole(&text).unwrap();
        for parts in 1..=MOST {
            let parts = cut(&text, parts).unwrap();
            assert_eq!(parts.concat(), text);
        }
        assert_eq!(Config::parse(&text).unwrap().to_yaml(), whole.to_yaml());
        assert_eq!((whole.modules.len(), whole.auths.len()), (200, 1));
    }

    #[test]
    fn the_whole_has_the_last_word() {
        let twice = file(200) + "  m0:\n    walk: [1.3.6]\n";
        assert!(Config::parse(&twice).unwrap_err().to_string().contains("duplicate"));
        let after = file(200) + "version: 2\n";
        assert!(cut(&after, 2).is_none());
        assert_eq!(Config::parse(&after).unwrap().version, Some(2));
        let wrong = file(200) + "  x:\n    wlak: []\n";
        assert!(Config::parse(&wrong).unwrap_err().place().is_some_and(|(line, _)| line > 20_000));
    }
}
