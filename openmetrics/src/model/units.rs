//! Words for units at the end of names: the base units that practice and the specifications ask for, and what is written
//! instead of them. <https://prometheus.io/docs/practices/naming/#base-units>

/// Base units, as names end in them.
pub const BASE: [&str; 9] =
    ["seconds", "bytes", "ratio", "celsius", "meters", "volts", "amperes", "joules", "grams"];

/// Units that are multiples or parts of a base unit, and that one.
const DERIVED: [(&str, &str); 36] = [
    ("nanoseconds", "seconds"),
    ("microseconds", "seconds"),
    ("milliseconds", "seconds"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("bits", "bytes"),
    ("kilobytes", "bytes"),
    ("megabytes", "bytes"),
    ("gigabytes", "bytes"),
    ("terabytes", "bytes"),
    ("kibibytes", "bytes"),
    ("mebibytes", "bytes"),
    ("gibibytes", "bytes"),
    ("percent", "ratio"),
    ("percentage", "ratio"),
    ("fahrenheit", "celsius"),
    ("kelvin", "celsius"),
    ("millimeters", "meters"),
    ("centimeters", "meters"),
    ("kilometers", "meters"),
    ("miles", "meters"),
    ("millivolts", "volts"),
    ("milliamperes", "amperes"),
    ("kilojoules", "joules"),
    ("kilowatthours", "joules"),
    ("kilograms", "grams"),
    ("milligrams", "grams"),
    ("pounds", "grams"),
    ("inches", "meters"),
    ("feet", "meters"),
    ("kilovolts", "volts"),
    ("kilobits", "bytes"),
    ("megabits", "bytes"),
    ("years", "seconds"),
];

/// Abbreviations of units that stand in names, and the unit.
const SHORT: [(&str, &str); 21] = [
    ("s", "seconds"),
    ("sec", "seconds"),
    ("secs", "seconds"),
    ("ms", "seconds"),
    ("msec", "seconds"),
    ("us", "seconds"),
    ("usec", "seconds"),
    ("ns", "seconds"),
    ("nsec", "seconds"),
    ("mins", "seconds"),
    ("kb", "bytes"),
    ("mb", "bytes"),
    ("gb", "bytes"),
    ("kib", "bytes"),
    ("mib", "bytes"),
    ("gib", "bytes"),
    ("pct", "ratio"),
    ("millis", "seconds"),
    ("micros", "seconds"),
    ("nanos", "seconds"),
    ("hrs", "seconds"),
];

/// The base unit for one that is a multiple or a part of it, as `seconds` for `milliseconds`.
///
/// ```
/// use openmetrics::model::units;
///
/// assert_eq!(units::base_of("milliseconds"), Some("seconds"));
/// assert_eq!(units::base_of("seconds"), None);
/// ```
pub fn base_of(unit: &str) -> Option<&'static str> {
    look_up(&DERIVED, unit)
}

/// The base unit that a short word stands for, whatever multiple of it: `seconds` for `ms` and for `s`.
///
/// ```
/// assert_eq!(openmetrics::model::units::base_of_short("ms"), Some("seconds"));
/// ```
pub fn base_of_short(word: &str) -> Option<&'static str> {
    look_up(&SHORT, word)
}

fn look_up(table: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == word).map(|(_, base)| *base)
}
