//! What is a date, a span, a window?
//!
//! Everything that counts days counts them here: a [`Day`] is a calendar date, a [`Window`] the
//! half-open span `(after, until]`. Nothing in this file can fail.

use std::fmt;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A calendar date, held as days since 1970-01-01.
///
/// winback knows no time of day: an order belongs to the date it shows.
///
/// ```
/// use winback::day::Day;
///
/// let day = Day::from_ymd(2011, 12, 9).ok_or("no such date")?;
/// assert_eq!(day.to_string(), "2011-12-09");
/// assert_eq!(day.plus_days(30).to_string(), "2012-01-08");
/// assert_eq!(Day::parse_iso("2011-12-09"), Some(day));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The first date an order may have, 1900-01-01.
    pub const FIRST: Day = Day(-25_567);
    /// The last date an order may have, 2200-12-31.
    pub const LAST: Day = Day(84_370);

    /// The date of a year, month (1–12) and day of the month (1–31), or `None` where the calendar
    /// has no such date.
    #[must_use]
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).map(Self::from_naive)
    }

    /// The date that lies `days` after 1970-01-01 (before it, where negative).
    #[must_use]
    pub const fn from_days_since_epoch(days: i32) -> Self {
        Day(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn days_since_epoch(self) -> i32 {
        self.0
    }

    /// Reads `YYYY-MM-DD`, and nothing else.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0_u32, |sum, digit| {
                digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0'))
            })
        };
        let year = i32::try_from(number(&bytes[..4])?).ok()?;
        Self::from_ymd(year, number(&bytes[5..7])?, number(&bytes[8..])?)
    }

    /// The date `days` later (earlier, where negative); stays within what 32 bits can hold.
    #[must_use]
    pub const fn plus_days(self, days: i32) -> Self {
        Day(self.0.saturating_add(days))
    }

    /// Days from `earlier` to this date; negative when `earlier` is the later one.
    #[must_use]
    pub const fn days_since(self, earlier: Day) -> i32 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whether an order may carry this date: 1900-01-01 to 2200-12-31.
    #[must_use]
    pub fn is_plausible(self) -> bool {
        (Self::FIRST..=Self::LAST).contains(&self)
    }

    /// The date of a chrono date.
    pub(crate) fn from_naive(date: NaiveDate) -> Self {
        Day(date.num_days_from_ce() - EPOCH_FROM_CE)
    }
}

/// Days from 0001-01-01 (day 1) to 1970-01-01, as chrono counts them.
const EPOCH_FROM_CE: i32 = 719_163;

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NaiveDate::from_num_days_from_ce_opt(self.0.saturating_add(EPOCH_FROM_CE)) {
            Some(date) => f.pad(&format!("{date}")),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Day::parse_iso(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a date (expected YYYY-MM-DD)")))
    }
}

/// The days after one date up to and including another: `(after, until]`.
///
/// ```
/// use winback::day::{Day, Window};
///
/// let cutoff = Day::parse_iso("2011-06-30").ok_or("date")?;
/// let known = Window::back_from(cutoff, 30);
/// assert!(known.contains(cutoff) && !known.contains(cutoff.plus_days(1)));
/// let label = Window::label(cutoff, 0, 30);
/// assert!(!label.contains(cutoff) && label.contains(cutoff.plus_days(30)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The last day before the window; not part of it.
    pub after: Day,
    /// The last day of the window; part of it.
    pub until: Day,
}

impl Window {
    /// The `days` days that end with `cutoff`: `(cutoff − days, cutoff]`.
    #[must_use]
    pub const fn back_from(cutoff: Day, days: i32) -> Self {
        Window { after: cutoff.plus_days(days.saturating_neg()), until: cutoff }
    }

    /// The label window of a cutoff: `(cutoff + lead, cutoff + lead + horizon]`.
    #[must_use]
    pub const fn label(cutoff: Day, lead_days: i32, horizon_days: i32) -> Self {
        let after = cutoff.plus_days(lead_days);
        Window { after, until: after.plus_days(horizon_days) }
    }

    /// Whether the day lies in the window.
    #[must_use]
    pub fn contains(self, day: Day) -> bool {
        self.after < day && day <= self.until
    }

    /// Where the window begins and ends in ascending days: the index range of those inside.
    pub(crate) fn range_in(self, days: &[i32]) -> std::ops::Range<usize> {
        let end = days.partition_point(|&day| day <= self.until.0);
        let start = days[..end].partition_point(|&day| day <= self.after.0);
        start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_dates_they_claim() {
        assert_eq!(Day::from_ymd(1900, 1, 1), Some(Day::FIRST));
        assert_eq!(Day::from_ymd(2200, 12, 31), Some(Day::LAST));
        assert_eq!(Day::from_ymd(1970, 1, 1), Some(Day::from_days_since_epoch(0)));
    }

    #[test]
    fn iso_dates_only() {
        for bad in ["2011-2-03", "2011-02-30", "20110203", "2011-02-03 ", "", "２011-02-0", "+011-02-03"] {
            assert_eq!(Day::parse_iso(bad), None, "{bad}");
        }
        assert_eq!(Day::parse_iso("2012-02-29").map(|d| d.to_string()).as_deref(), Some("2012-02-29"));
    }

    #[test]
    fn windows_are_open_on_the_left() {
        let days = [1, 5, 5 + 30, 36];
        let window = Window { after: Day(5), until: Day(35) };
        assert_eq!(window.range_in(&days), 2..3);
    }
}
