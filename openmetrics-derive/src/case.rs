//! Spellings of names: `rename_all`.

/// How the words of an identifier are spelled as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Case {
    #[default]
    Snake,
    ScreamingSnake,
    Kebab,
    Lower,
    Upper,
    Camel,
    Pascal,
}

impl Case {
    const ALL: [(&'static str, Self); 7] = [
        ("snake_case", Self::Snake),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("kebab-case", Self::Kebab),
        ("lowercase", Self::Lower),
        ("UPPERCASE", Self::Upper),
        ("camelCase", Self::Camel),
        ("PascalCase", Self::Pascal),
    ];

    /// The case with this spelling, or a message that lists them.
    pub(crate) fn from_spelling(spelling: &str) -> Result<Self, String> {
        Self::ALL.iter().find(|(name, _)| *name == spelling).map(|&(_, case)| case).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            format!("no such case; there are {}", all.join(", "))
        })
    }

    /// An identifier in `PascalCase` or `snake_case`, spelled in this case.
    pub(crate) fn apply(self, ident: &str) -> String {
        let words = words(ident);
        let lower = || words.iter().map(|w| w.to_lowercase());
        match self {
            Self::Snake => lower().collect::<Vec<_>>().join("_"),
            Self::ScreamingSnake => lower().collect::<Vec<_>>().join("_").to_uppercase(),
            Self::Kebab => lower().collect::<Vec<_>>().join("-"),
            Self::Lower => lower().collect(),
            Self::Upper => lower().collect::<String>().to_uppercase(),
            Self::Pascal => lower().map(|w| capital(&w)).collect(),
            Self::Camel => lower().enumerate().map(|(i, w)| if i == 0 { w } else { capital(&w) }).collect(),
        }
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Splits at underscores, before a capital after a small letter or digit, and before the last capital of a run
/// that goes on in small letters: `HTTPServer2Up` is `HTTP`, `Server2`, `Up`.
fn words(ident: &str) -> Vec<String> {
    let chars: Vec<char> = ident.trim_start_matches("r#").chars().collect();
    let mut words = vec![String::new()];
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|j| chars.get(j)).copied().unwrap_or('_');
        let next_is_small = chars.get(i + 1).is_some_and(|n| n.is_lowercase());
        let begins = c.is_uppercase()
            && (before.is_lowercase() || before.is_ascii_digit() || before.is_uppercase() && next_is_small);
        if c == '_' || begins {
            words.push(String::new());
        }
        if c != '_' {
            if let Some(word) = words.last_mut() {
                word.push(c);
            }
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        for (ident, snake) in [
            ("Get", "get"),
            ("NotFound", "not_found"),
            ("HTTPServer2Up", "http_server2_up"),
            ("not_found", "not_found"),
            ("r#Type", "type"),
        ] {
            assert_eq!(Case::Snake.apply(ident), snake);
        }
        let all: Vec<_> = Case::ALL.iter().map(|(_, case)| case.apply("NotFound")).collect();
        assert_eq!(
            all,
            ["not_found", "NOT_FOUND", "not-found", "notfound", "NOTFOUND", "notFound", "NotFound"]
        );
        assert!(Case::from_spelling("snake").unwrap_err().contains("\"snake_case\""));
    }
}
