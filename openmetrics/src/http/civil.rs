//! Dates as people and protocols write them.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment in UTC by the calendar; displayed as `2023-11-14T22:13:20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    year: u64,
    /// In [1, 12].
    month: u64,
    /// In [1, 31].
    day: u64,
    second_of_day: u64,
    /// From Thursday, the first day of the epoch; in [0, 6].
    weekday: u64,
}

impl CivilTime {
    /// The moment so many seconds after the Unix epoch.
    pub fn from_seconds(seconds: u64) -> Self {
        let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
        // Days are counted from 1 March of year 0, so that leap days end a year and months follow a pattern of five.
        let shifted = days + 719_468;
        let (era, of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        Self {
            year: 400 * era + year_of_era + u64::from(month_from_march >= 10),
            month: (month_from_march + 2) % 12 + 1,
            day: of_year - (153 * month_from_march + 2) / 5 + 1,
            second_of_day,
            weekday: days % 7,
        }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, as HTTP has it ([RFC 9110, 5.6.7](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7)).
    pub fn http_date(self) -> String {
        const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let weekday = WEEKDAYS.get(self.weekday as usize).copied().unwrap_or_default();
        let month = MONTHS.get(self.month as usize - 1).copied().unwrap_or_default();
        let (hour, minute, second) = self.clock();
        format!("{weekday}, {:02} {month} {:04} {hour:02}:{minute:02}:{second:02} GMT", self.day, self.year)
    }

    fn clock(self) -> (u64, u64, u64) {
        (self.second_of_day / 3600, self.second_of_day / 60 % 60, self.second_of_day % 60)
    }
}

impl From<SystemTime> for CivilTime {
    /// Moments before the epoch become the epoch.
    fn from(time: SystemTime) -> Self {
        Self::from_seconds(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

impl fmt::Display for CivilTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = self.clock();
        write!(f, "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right_around_leap_days() {
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
        ] {
            assert_eq!(CivilTime::from_seconds(seconds).http_date(), text);
        }
        assert_eq!(CivilTime::from_seconds(1_700_000_000).to_string(), "2023-11-14T22:13:20");
    }
}
