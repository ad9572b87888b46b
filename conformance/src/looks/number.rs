//! Canonical numbers: how thresholds and quantiles should be spelled.
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/#considerations-canonical-numbers>

/// What is odd about the spelling of a threshold or quantile: the rules and how to write it. Where a canonical spelling
/// is recommended, that comes first.
pub(super) fn odd_spelling(written: &str) -> impl Iterator<Item = (&'static str, String)> {
    let value: f64 = written.parse().unwrap_or(f64::NAN);
    let wanted = canonical(value);
    let is_odd = value.is_finite() && written != wanted;
    let recommended = match () {
        () if is_thousandth(value) => Some("OM1-NUM-09"),
        () if is_power_of_ten(value) => Some("OM1-NUM-10"),
        () => None,
    };
    // Everywhere the specification asks that the spelling is not arbitrary. Digits that say nothing make it so.
    let arbitrary = padded(written).then_some("OM1-NUM-07");
    let rules = recommended.into_iter().chain(arbitrary).filter(move |_| is_odd);
    rules.map(move |rule| (rule, wanted.clone()))
}

fn is_power_of_ten(value: f64) -> bool {
    (-10..=10).any(|exponent| format!("1e{exponent}").parse() == Ok(value))
}

fn is_thousandth(value: f64) -> bool {
    let thousandths = (value * 1000.0).round();
    (0.0..=10_000.0).contains(&thousandths) && format!("{thousandths}e-3").parse() == Ok(value)
}

/// Whether a zero before or after adds nothing.
fn padded(written: &str) -> bool {
    let digits = written.trim_start_matches(['+', '-']);
    let (mantissa, _) = digits.split_once(['e', 'E']).unwrap_or((digits, ""));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    whole.len() > 1 && whole.starts_with('0')
        || fraction.len() > 1 && fraction.ends_with('0')
        || written.starts_with('+')
}

/// As `%g` with the fewest digits, and `.0` after a whole number.
pub(super) fn canonical(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if value != 0.0 && !(-4..=5).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_numbers() {
        // The examples of the specification.
        for (value, text) in [
            (0.0, "0.0"),
            (0.001, "0.001"),
            (0.25, "0.25"),
            (1.0, "1.0"),
            (10.0, "10.0"),
            (0.0001, "0.0001"),
            (1e-5, "1e-05"),
            (1e-10, "1e-10"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1e10, "1e+10"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(canonical(value), text);
            assert_eq!(odd_spelling(text).next(), None);
        }
    }

    #[test]
    fn odd_spellings() {
        for (written, rule) in [
            ("1", Some("OM1-NUM-09")),
            ("1e6", Some("OM1-NUM-10")),
            ("0.50", Some("OM1-NUM-09")),
            ("2", Some("OM1-NUM-09")),
            ("00.5", Some("OM1-NUM-09")),
            ("12.50", Some("OM1-NUM-07")),
            ("12", None),
            ("+Inf", None),
            ("x", None),
            ("123456.75", None),
        ] {
            assert_eq!(odd_spelling(written).next().map(|(rule, _)| rule), rule, "{written}");
        }
    }
}
