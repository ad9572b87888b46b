//! What UNITS clauses tell for sure. They are texts for people (`"0.1 RMS Volts"`, `"hundredths of a second"`), so most are
//! left alone: a unit that is wrong is worse than none.

use openmetrics::model::Unit;

/// Words for base units, and for what is a part or a multiple of one. Of octets, thousands are sometimes 1,024.
const WORDS: [(&[&str], &str, f64); 19] = [
    (&["second", "seconds", "sec", "secs", "s"], "seconds", 1.0),
    (&["millisecond", "milliseconds", "milli-seconds", "msec", "msecs", "ms"], "seconds", 1e-3),
    (&["microsecond", "microseconds", "micro-seconds", "usec", "usecs"], "seconds", 1e-6),
    (&["nanosecond", "nanoseconds", "nsec"], "seconds", 1e-9),
    (&["centisecond", "centiseconds", "centi-seconds"], "seconds", 1e-2),
    (&["minute", "minutes"], "seconds", 60.0),
    (&["hour", "hours"], "seconds", 3600.0),
    (&["octet", "octets", "byte", "bytes"], "bytes", 1.0),
    (&["percent", "percentage", "%"], "ratio", 1e-2),
    (&["celsius", "centigrade"], "celsius", 1.0),
    (&["volt", "volts", "v"], "volts", 1.0),
    (&["millivolt", "millivolts", "milli-volts", "mv"], "volts", 1e-3),
    (&["ampere", "amperes", "amp", "amps"], "amperes", 1.0),
    (&["milliampere", "milliamperes", "milliamp", "milliamps", "ma"], "amperes", 1e-3),
    (&["watt", "watts"], "watts", 1.0),
    (&["milliwatt", "milliwatts", "milli-watts", "mw"], "watts", 1e-3),
    (&["hertz", "hz"], "hertz", 1.0),
    (&["meter", "meters", "metre", "metres"], "meters", 1.0),
    (&["joule", "joules"], "joules", 1.0),
];
/// Words that say how something is measured, and leave its unit what it is.
const ASIDE: [&str; 8] = ["rms", "dc", "ac", "degrees", "degree", "deg", "of", "a"];
/// Parts of a unit in words.
const PARTS: [(&[&str], f64); 3] = [
    (&["tenth", "tenths"], 1e-1),
    (&["hundredth", "hundredths"], 1e-2),
    (&["thousandth", "thousandths"], 1e-3),
];

/// The base unit that a clause tells, and what values have to be multiplied with to be in it.
pub(super) fn unit(clause: &str) -> Option<(Unit, f64)> {
    let clause = clause.to_ascii_lowercase();
    let mut words = clause.split_whitespace().filter(|word| !ASIDE.contains(word)).peekable();
    let first = words.peek()?;
    let part = PARTS.iter().find(|(parts, _)| parts.contains(first)).map(|(_, part)| *part);
    let part = part.or_else(|| first.parse().ok().filter(|part: &f64| (1e-9..1.0).contains(part)));
    if part.is_some() {
        words.next();
    }
    let word = words.next()?;
    let (_, unit, factor) = WORDS.iter().find(|(known, ..)| known.contains(&word))?;
    if words.next().is_some() {
        return None; // something else as well: a rate, a list
    }
    Some((Unit::new(*unit).ok()?, part.map_or(*factor, |part| part * factor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sure_is_told() {
        for (clause, name, factor) in [
            ("seconds", "seconds", 1.0),
            ("Octets", "bytes", 1.0),
            ("milliseconds", "seconds", 0.001),
            ("hundredths of a second", "seconds", 0.01),
            ("0.1 RMS Volts", "volts", 0.1),
            ("0.1 Volt DC", "volts", 0.1),
            ("tenths of degrees Celsius", "celsius", 0.1),
            ("degrees Celsius", "celsius", 1.0),
            ("percent", "ratio", 0.01),
            ("0.1 Hertz", "hertz", 0.1),
            ("minutes", "seconds", 60.0),
        ] {
            let (unit, found) = unit(clause).unwrap();
            assert_eq!((unit.as_str(), found), (name, factor), "{clause}");
        }
    }

    #[test]
    fn what_is_not_sure_is_not_told() {
        for clause in [
            "",
            "0.1",
            "packets",
            "octets per second",
            "kilobytes",
            "KB",
            "seconds or minutes",
            "seconds since boot",
            "64 octets",
            "0 seconds",
            "degrees",
            "inf seconds",
            "degrees Celsius or Fahrenheit",
        ] {
            assert!(unit(clause).is_none(), "{clause}");
        }
    }
}
