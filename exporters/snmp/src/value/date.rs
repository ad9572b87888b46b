//! Dates to seconds since 1970.

/// Days from 1970-01-01 to a day of the proleptic Gregorian calendar; months beyond 1 to 12 count on.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (year + (month - 1).div_euclid(12), (month - 1).rem_euclid(12));
    // Years begin in March here, so that a leap day is the last one.
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The eight or eleven octets of `DateAndTime`
/// ([RFC 2579](https://www.rfc-editor.org/rfc/rfc2579#page-18)). Without a zone it is UTC; parts that are too large
/// count on.
pub fn date_and_time(octets: &[u8]) -> Option<i64> {
    let (&[y1, y2, month, day, hour, minute, second, tenths], zone) = octets.split_first_chunk::<8>()?;
    let east = match *zone {
        [] => 0,
        [sign @ (b'+' | b'-'), hours, minutes] if hours <= 24 && minutes <= 60 => {
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            if sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let days = days(i64::from(u16::from_be_bytes([y1, y2])), month.into(), day.into());
    let time = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second) + i64::from(tenths) / 10;
    Some(days * 86_400 + time - east)
}

/// The eight octets of an NTP timestamp, seconds since 1900 first.
pub fn ntp_timestamp(octets: &[u8]) -> Option<i64> {
    /// The seconds from 1900 to 1970.
    const EPOCHS: i64 = 2_208_988_800;
    let seconds = octets.first_chunk::<8>()?.first_chunk::<4>()?;
    Some(i64::from(u32::from_be_bytes(*seconds)) - EPOCHS)
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// What has been read of a date.
struct Date {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    afternoon: Option<bool>,
    day_of_year: Option<i64>,
    epoch: Option<i64>,
    east: i64,
}

/// A date in text, read as a pattern says, with the directives of `strptime`. `None` if it does not fit.
pub fn parse_date(text: &str, pattern: &str) -> Option<i64> {
    let mut date = Date {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        afternoon: None,
        day_of_year: None,
        epoch: None,
        east: 0,
    };
    // Compounds are spelled out first, which needs no recursion.
    let mut spelled = pattern.to_owned();
    for (short, long) in [
        ("%c", "%a %b %e %H:%M:%S %Y"),
        ("%v", "%e-%b-%Y"),
        ("%D", "%m/%d/%y"),
        ("%x", "%m/%d/%y"),
        ("%F", "%Y-%m-%d"),
        ("%T", "%H:%M:%S"),
        ("%X", "%H:%M:%S"),
        ("%r", "%I:%M:%S %p"),
        ("%R", "%H:%M"),
        ("%h", "%b"),
    ] {
        spelled = spelled.replace(short, long);
    }
    let mut rest = text;
    let mut pattern = spelled.chars();
    while let Some(c) = pattern.next() {
        rest = match c {
            '%' => directive(&mut date, pattern.next()?, rest)?,
            c if c.is_whitespace() => rest.trim_start(),
            c => rest.strip_prefix(c)?,
        };
    }
    if !rest.is_empty() {
        return None;
    }
    date.seconds()
}

impl Date {
    fn seconds(&self) -> Option<i64> {
        if let Some(epoch) = self.epoch {
            return Some(epoch);
        }
        let hour = match self.afternoon {
            Some(true) => self.hour % 12 + 12,
            Some(false) => self.hour % 12,
            None => self.hour,
        };
        let (month, day) = self.day_of_year.map_or((self.month, self.day), |day| (1, day));
        let last = days(self.year, self.month + 1, 1) - days(self.year, self.month, 1);
        if self.day_of_year.is_none() && self.day > last {
            return None;
        }
        Some(days(self.year, month, day) * 86_400 + hour * 3600 + self.minute * 60 + self.second - self.east)
    }
}

/// Reads one directive from the front of a text, and returns the rest.
fn directive<'t>(date: &mut Date, directive: char, text: &'t str) -> Option<&'t str> {
    let mut place = 0;
    let (field, digits, range) = match directive {
        'Y' => (&mut date.year, 4, 0..=9999),
        'm' => (&mut date.month, 2, 1..=12),
        'd' | 'e' => (&mut date.day, 2, 1..=31),
        'H' | 'k' => (&mut date.hour, 2, 0..=23),
        'I' | 'l' => (&mut date.hour, 2, 1..=12),
        'M' => (&mut date.minute, 2, 0..=59),
        'S' => (&mut date.second, 2, 0..=60),
        'f' => (&mut place, 9, 0..=999_999_999),
        'y' => {
            let (year, rest) = number(text, 2)?;
            date.year = if year < 69 { 2000 + year } else { 1900 + year };
            return Some(rest);
        }
        'j' => {
            let (day, rest) = number(text, 3)?;
            date.day_of_year = Some(day).filter(|day| (1..=366).contains(day));
            return date.day_of_year.map(|_| rest);
        }
        's' => {
            let (epoch, rest) = number(text, 18)?;
            date.epoch = Some(epoch);
            return Some(rest);
        }
        'b' | 'B' => {
            let (month, rest) = name(text, &MONTHS)?;
            date.month = month + 1;
            return Some(rest);
        }
        'a' | 'A' => return name(text, &WEEKDAYS).map(|(_, rest)| rest),
        'p' | 'P' => {
            let (half, rest) = name(text, &["am", "pm"])?;
            date.afternoon = Some(half == 1);
            return Some(rest);
        }
        'z' => return zone(date, text),
        'Z' => {
            let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
            return (end > 0).then(|| text.get(end..))?;
        }
        'n' | 't' => return Some(text.trim_start()),
        '%' => return text.strip_prefix('%'),
        _ => return None,
    };
    let padded = matches!(directive, 'e' | 'k' | 'l');
    let (value, rest) = number(if padded { text.trim_start() } else { text }, digits)?;
    if !range.contains(&value) {
        return None;
    }
    *field = value;
    Some(rest)
}

fn number(text: &str, digits: usize) -> Option<(i64, &str)> {
    let end = text.bytes().take(digits).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, rest))
}

/// A name in whatever case, whole or its first three letters.
fn name<'t>(text: &'t str, names: &[&str]) -> Option<(i64, &'t str)> {
    let begins = |name: &str| text.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    for (at, name) in names.iter().enumerate() {
        let short = name.get(..3).unwrap_or(name);
        for candidate in [*name, short] {
            if begins(candidate) {
                return Some((at as i64, text.get(candidate.len()..)?));
            }
        }
    }
    None
}

/// `+0130`, `-01:30` or `Z`.
fn zone<'t>(date: &mut Date, text: &'t str) -> Option<&'t str> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some(rest);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = number(rest, 2)?;
    let (minutes, rest) = number(rest.strip_prefix(':').unwrap_or(rest), 2)?;
    date.east = sign * (hours * 3600 + minutes * 60);
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_octets() {
        let leap = [0x07, 0xe8, 2, 29, 13, 30, 15, 0];
        assert_eq!(date_and_time(&leap), Some(1_709_213_415));
        assert_eq!(date_and_time(&[&leap[..], b"+\x02\x00"].concat()), Some(1_709_206_215));
        assert_eq!(date_and_time(&[&leap[..], b"-\x05\x1e"].concat()), Some(1_709_233_215));
        assert_eq!(date_and_time(&[0; 8]), Some(-62_169_984_000), "as upstream has it");
        assert_eq!(date_and_time(&[&leap[..], b"x\x02\x00"].concat()), None);
        assert_eq!(date_and_time(&[0; 9]), None);
        assert_eq!(ntp_timestamp(&[0x83, 0xaa, 0x7e, 0x80, 0xff, 0, 0, 0]), Some(0));
        assert_eq!(ntp_timestamp(&[1; 7]), None);
    }

    #[test]
    fn dates_in_text() {
        for (text, pattern, seconds) in [
            ("2024-02-29 13:30:15", "%Y-%m-%d %H:%M:%S", Some(1_709_213_415)),
            ("Feb 29 2024 01:30:15 PM", "%b %d %Y %I:%M:%S %p", Some(1_709_213_415)),
            ("02/29/24", "%D", Some(1_709_164_800)),
            ("2024-02-29T13:30:15+0200", "%FT%T%z", Some(1_709_206_215)),
            ("2024-02-30", "%Y-%m-%d", None),
            ("2024-02-29x", "%Y-%m-%d", None),
            ("", "%Y", None),
            ("060", "%j", Some(59 * 86_400)),
            ("1709213415", "%s", Some(1_709_213_415)),
        ] {
            assert_eq!(parse_date(text, pattern), seconds, "{text} {pattern}");
        }
    }

    quickcheck::quickcheck! {
        fn any_text_ends(text: String, pattern: String) -> bool {
            let _ = parse_date(&text, &pattern);
            true
        }
    }
}
