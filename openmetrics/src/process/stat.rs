//! The files of `/proc`, as text.

/// What `/proc/PID/stat` says, as far as it is of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) user_ticks: u64,
    pub(super) system_ticks: u64,
    pub(super) threads: u64,
    pub(super) start_ticks: u64,
    pub(super) virtual_bytes: u64,
    pub(super) resident_pages: u64,
}

impl Stat {
    /// `26231 (vim) R 5392 7446 5392 34835 ...`: the name is whatever the process calls itself, parentheses and spaces
    /// included, so the fields are counted after the last closing one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        // `fields` begins with field 3 of proc_pid_stat(5).
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            user_ticks: field(14)?,
            system_ticks: field(15)?,
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// `btime 1418183276` in `/proc/stat`: when the system started, in seconds since the Unix epoch.
pub(super) fn boot_time(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

/// The soft limit of this name in `/proc/PID/limits`; `unlimited` is the largest number.
///
/// `Max open files            1024                 4096                 files`
pub(super) fn limit(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    match rest.split_ascii_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// The sums over all interfaces in `/proc/PID/net/dev`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NetDev {
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl NetDev {
    /// `  eth0: 10437 126 0 0 0 0 0 0  5423 64 0 0 0 0 0 0`: the first and the ninth number are bytes.
    pub(super) fn parse(text: &str) -> Self {
        let mut sum = Self::default();
        for (_, numbers) in text.lines().filter_map(|line| line.split_once(':')) {
            let mut numbers = numbers.split_ascii_whitespace().map_while(|word| word.parse::<u64>().ok());
            sum.received = sum.received.wrapping_add(numbers.next().unwrap_or(0));
            sum.sent = sum.sent.wrapping_add(numbers.nth(7).unwrap_or(0));
        }
        sum
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const STAT: &str = "26231 (a) b (c) R 5392 7446 5392 34835 7446 4218880 32533 309516 26 82 1677 58 \
        158 99 20 0 3 0 82029 56274944 1981 18446744073709551615 4194304 6294284 140736914091744 0 0 0 0 12288 0\n";
    pub(crate) const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
        Max open files            1024                 4096                 files     \n\
        Max address space         unlimited            unlimited            bytes     \n";
    pub(crate) const NET_DEV: &str = "Inter-|   Receive                    |  Transmit\n \
        face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n    \
        lo: 1000 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n  eth0:2000 2 0 0 0 0 0 0 40 2 0 0 0 0 0 0\n";

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = Stat::parse(STAT).unwrap();
        assert_eq!(
            stat,
            Stat {
                user_ticks: 1677,
                system_ticks: 58,
                threads: 3,
                start_ticks: 82029,
                virtual_bytes: 56_274_944,
                resident_pages: 1981
            }
        );
        for text in ["", "1 (a", "1 (a) R 1 2 3", ")"] {
            assert_eq!(Stat::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn limits_and_interfaces_are_found_by_name() {
        assert_eq!(limit(LIMITS, "Max open files"), Some(1024));
        assert_eq!(limit(LIMITS, "Max address space"), Some(u64::MAX));
        assert_eq!(limit(LIMITS, "Max nonsense"), None);
        assert_eq!(NetDev::parse(NET_DEV), NetDev { received: 3000, sent: 60 });
        assert_eq!(boot_time("cpu 1\nbtime 17\n"), Some(17));
        assert_eq!(boot_time("cpu 1\n"), None);
    }
}
