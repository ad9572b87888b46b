//! The grammar of names and the rules about them, on text that is known at compile time.
//!
//! The library checks the same at registration (`openmetrics::model`); a proc-macro crate cannot use it, because the
//! library uses this crate. `tests/` holds both against each other.

use std::fmt::Write as _;

/// Why `name` cannot name a metric family, and what to write instead.
pub(crate) fn metric_name(name: &str) -> Result<(), String> {
    grammar("metric name", name, |c| c == ':', "OM1-SYN-07")?;
    if name.starts_with('_') {
        return Err(format!(
            "metric names beginning with `_` are reserved; write `{}` [OM1-FAM-02]",
            name.trim_start_matches('_')
        ));
    }
    if name.contains(':') {
        return Err(format!(
            "colons are for the results of recording rules; write `{}` [OM1-FAM-03]",
            name.replace(':', "_")
        ));
    }
    Ok(())
}

/// Suffixes that formats add, longest first where one ends in another.
const SUFFIXES: [(&str, &str); 8] = [
    ("_total", "formats add it to counters"),
    ("_created", "formats add it to start timestamps"),
    ("_info", "formats add it to infos"),
    ("_bucket", "it clashes with the buckets of a histogram"),
    ("_gcount", "it clashes with the count of a gauge histogram"),
    ("_gsum", "it clashes with the sum of a gauge histogram"),
    ("_count", "it clashes with the count of a histogram or summary"),
    ("_sum", "it clashes with the sum of a histogram or summary"),
];

/// Why a name may not end as it does (OM1-FAM-05), and what to write instead.
pub(crate) fn metric_suffix(name: &str) -> Result<(), String> {
    match SUFFIXES.iter().find(|(suffix, _)| name.ends_with(suffix)) {
        Some((suffix, reason)) => {
            let instead = name.strip_suffix(suffix).filter(|rest| !rest.is_empty()).unwrap_or("another name");
            Err(format!("leave `{suffix}` out of the name: {reason}; write `{instead}` [OM1-FAM-05]"))
        }
        None => Ok(()),
    }
}

/// Why `unit` is not a unit.
pub(crate) fn unit(unit: &str) -> Result<(), String> {
    if unit.is_empty() {
        return Err("an empty unit is none; leave `unit` out".to_owned());
    }
    match unit.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':'))) {
        Some(c) => Err(format!("{c:?} cannot stand in a unit; use letters, digits and `_` [OM1-SYN-11]")),
        None => Ok(()),
    }
}

/// Why `name` cannot name a label, and what to write instead.
pub(crate) fn label_name(name: &str) -> Result<(), String> {
    grammar("label name", name, |_| false, "OM1-SYN-08")?;
    if name.starts_with('_') {
        return Err(format!(
            "label names beginning with `_` are reserved; write `{}` [OM1-LAB-01]",
            name.trim_matches('_')
        ));
    }
    match name {
        "le" => Err(
            "label `le` is reserved for the buckets of histograms; write `bound` or the like [OM2-HIS-08]"
                .to_owned(),
        ),
        "quantile" => {
            Err("label `quantile` is reserved for summaries; write `percentile` or the like [OM2-SUM-05]"
                .to_owned())
        }
        _ => Ok(()),
    }
}

fn grammar(what: &str, name: &str, extra: impl Fn(char) -> bool, rule: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("a {what} cannot be empty [{rule}]"));
    }
    let fits =
        |at: usize, c: char| c.is_ascii_alphabetic() || c == '_' || at > 0 && c.is_ascii_digit() || extra(c);
    let Some((at, c)) = name.char_indices().find(|&(at, c)| !fits(at, c)) else { return Ok(()) };
    let mut instead = String::new();
    if c.is_ascii_digit() && at == 0 {
        instead.push('n');
    }
    for c in name.chars() {
        let ok = c.is_ascii_alphanumeric() || c == '_' || extra(c);
        instead.push(if ok { c } else { '_' });
    }
    let mut message = if at == 0 {
        format!("a {what} cannot begin with {c:?}")
    } else {
        format!("a {what} cannot hold {c:?}")
    };
    // A suggestion is only worth something when it reads like the original.
    if name.is_ascii() {
        let _ = write!(message, "; write `{instead}`");
    }
    let _ = write!(message, " [{rule}]");
    Err(message)
}

/// Why `bounds` are not the upper bounds of classic buckets; the place of the first bad one.
pub(crate) fn bounds(bounds: &[f64]) -> Result<(), (usize, String)> {
    for (at, &bound) in bounds.iter().enumerate() {
        if bound.is_nan() {
            return Err((at, "a bucket cannot end at NaN".to_owned()));
        }
        if bound.is_infinite() {
            return Err((at, "leave the infinite bucket out: every histogram has it".to_owned()));
        }
        if at > 0 && bounds.get(at - 1).is_some_and(|before| *before >= bound) {
            return Err((
                at,
                format!("bucket bounds have to rise: {bound} follows {} [OM2-HIS-06]", bounds[at - 1]),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_to_write_instead() {
        for (name, message) in [
            ("http requests", "a metric name cannot hold ' '; write `http_requests` [OM1-SYN-07]"),
            ("1st", "a metric name cannot begin with '1'; write `n1st` [OM1-SYN-07]"),
            ("", "a metric name cannot be empty [OM1-SYN-07]"),
            ("größe", "a metric name cannot hold 'ö' [OM1-SYN-07]"),
            ("_x", "metric names beginning with `_` are reserved; write `x` [OM1-FAM-02]"),
            ("a:b", "colons are for the results of recording rules; write `a_b` [OM1-FAM-03]"),
        ] {
            assert_eq!(metric_name(name).unwrap_err(), message);
        }
        assert!(metric_name("app_requests").is_ok());
        assert_eq!(
            metric_suffix("requests_total").unwrap_err(),
            "leave `_total` out of the name: formats add it to counters; write `requests` [OM1-FAM-05]"
        );
        assert!(metric_suffix("_total").is_err());
    }

    #[test]
    fn labels() {
        assert!(label_name("method").is_ok());
        for name in ["le", "quantile", "__name__", "_x", "a-b", "a:b", ""] {
            assert!(label_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn bounds_rise() {
        assert!(bounds(&[0.1, 1.0]).is_ok());
        assert_eq!(bounds(&[0.1, 0.1]).unwrap_err().0, 1);
        assert_eq!(bounds(&[f64::INFINITY]).unwrap_err().0, 0);
    }
}
