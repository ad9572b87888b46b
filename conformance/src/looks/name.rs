//! Words in names: suffixes, units, spelling.

/// Suffixes that formats add to the samples of some type, and what they belong to.
pub(super) const TYPE_SUFFIXES: [(&str, &str); 8] = [
    ("_total", "a counter"),
    ("_created", "a start timestamp"),
    ("_bucket", "a histogram's bucket"),
    ("_count", "a histogram's or summary's count"),
    ("_sum", "a histogram's or summary's sum"),
    ("_gcount", "a gauge histogram's count"),
    ("_gsum", "a gauge histogram's sum"),
    ("_info", "an info"),
];

/// The last word of a name.
pub(super) fn last_word(name: &str) -> &str {
    name.rsplit('_').next().unwrap_or(name)
}

/// Small letters, digits, single underscores (and dots or colons, which other rules judge).
pub(super) fn is_snake_case(name: &str) -> bool {
    !name.chars().any(char::is_uppercase)
        && !name.contains("__")
        && !name.contains('-')
        && !name.contains(' ')
}

/// Whether a value looks made for one event: a UUID, a long hexadecimal or decimal number, an e-mail address.
pub(super) fn looks_unbounded(value: &str) -> bool {
    let hex = value.bytes().filter(u8::is_ascii_hexdigit).count();
    let uuid = value.len() == 36
        && hex == 32
        && value.bytes().enumerate().all(|(at, b)| (b == b'-') == matches!(at, 8 | 13 | 18 | 23));
    let digest = value.len() >= 32 && hex == value.len() && value.bytes().any(|b| b.is_ascii_digit());
    let address = value.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && host.contains('.') && !value.contains('/') && !value.contains(' ')
    });
    uuid || digest || address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(last_word("a_seconds"), "seconds");
        assert!(is_snake_case("http_requests") && !is_snake_case("httpRequests") && !is_snake_case("a__b"));
    }

    #[test]
    fn values_of_single_events() {
        for value in [
            "123e4567-e89b-12d3-a456-426614174000",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "me@example.org",
        ] {
            assert!(looks_unbounded(value), "{value}");
        }
        for value in ["GET", "/api/v1/users", "eth0", "unit@1.service/x", "deadbeef", "200"] {
            assert!(!looks_unbounded(value), "{value}");
        }
    }
}
