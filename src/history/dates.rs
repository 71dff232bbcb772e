//! Which date does this text or timestamp show?

use std::fmt::Write;

use chrono::format::{Item, Parsed, StrftimeItems, parse_and_remainder};
use chrono::{DateTime, FixedOffset, Offset, TimeZone};
use chrono_tz::Tz;
use polars::prelude::TimeUnit;

use crate::day::Day;
use crate::error::{Error, Result};

/// How dates are written in text.
pub(crate) enum DateText<'a> {
    /// `YYYY-MM-DD`, alone or followed by a time of day, alone or followed by an offset.
    Iso,
    /// A strftime format, alone or followed by a time of day.
    Format(Vec<Item<'a>>),
}

impl<'a> DateText<'a> {
    pub(crate) fn new(format: Option<&'a str>) -> Result<Self> {
        let Some(format) = format else { return Ok(DateText::Iso) };
        let items: Vec<Item> = StrftimeItems::new(format).collect();
        let date_text = DateText::Format(items.clone());
        // A format that cannot read back a date it wrote would fault every row.
        let sample = DateTime::from_timestamp(1_000_000_000, 0).filter(|_| !items.contains(&Item::Error));
        let reads_back = sample.is_some_and(|sample| {
            let mut written = String::new();
            // Some codes can only be read, not written.
            let can_write = write!(written, "{}", sample.format_with_items(items.iter())).is_ok();
            can_write && date_text.day(&written) == Some(Day::from_naive(sample.date_naive()))
        });
        if !reads_back {
            return Err(Error::parameter(
                "date format",
                format!("`{format}`"),
                "strftime codes for a day, month and year, such as %d.%m.%Y",
            ));
        }
        Ok(date_text)
    }

    /// The date that the text shows; an offset does not move it.
    pub(crate) fn day(&self, text: &str) -> Option<Day> {
        let text = text.trim();
        match self {
            DateText::Iso => {
                let day = Day::parse_iso(text.get(..10)?)?;
                is_time_of_day(&text[10..]).then_some(day)
            }
            DateText::Format(items) => {
                let mut parsed = Parsed::new();
                // A time of day after the date is read over, as it is without a format.
                let rest = parse_and_remainder(&mut parsed, text, items.iter()).ok()?;
                if !is_time_of_day(rest) {
                    return None;
                }
                let date = parsed
                    .to_naive_date()
                    .ok()
                    .or_else(|| Some(parsed.to_datetime_with_timezone(&chrono::Utc).ok()?.date_naive()))?;
                Some(Day::from_naive(date))
            }
        }
    }
}

/// Whether this is nothing, or `T` or a space and a time such as `08:26`, `08:26:00.5+02:00`, `23:59:60Z`.
fn is_time_of_day(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['T', 't', ' ']) else { return text.is_empty() };
    let mut rest = rest.trim_start();
    let mut two_digits = |limit: u32| {
        let value = rest.get(..2).filter(|two| two.bytes().all(|b| b.is_ascii_digit()))?;
        rest = &rest[2..];
        value.parse::<u32>().ok().filter(|&value| value <= limit)
    };
    if two_digits(24).is_none() {
        return false;
    }
    for limit in [59, 60] {
        let Some(after) = rest.strip_prefix(':') else { break };
        // `parse` alone would take the `+5` of `10:+5`.
        let digits = after.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_digit()));
        match digits.and_then(|two| two.parse::<u32>().ok()) {
            Some(value) if value <= limit => rest = &after[2..],
            _ => return false,
        }
    }
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    is_offset(rest.trim_start())
}

fn is_offset(text: &str) -> bool {
    if matches!(text, "" | "Z" | "z" | "UTC" | "GMT") {
        return true;
    }
    let Some(digits) = text.strip_prefix(['+', '-']) else { return false };
    let digits: Vec<u8> = digits.bytes().filter(|&byte| byte != b':').collect();
    matches!(digits.len(), 2 | 4 | 6) && digits.iter().all(u8::is_ascii_digit)
}

/// The zone in which timestamps show their date.
#[derive(Clone, Copy)]
pub(crate) enum Zone {
    None,
    Named(Tz),
    Fixed(FixedOffset),
}

impl Zone {
    /// The zone of that name: an IANA name or a fixed offset such as `+02:00`.
    pub(crate) fn parse(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Zone::None) };
        name.parse().map(Zone::Named).ok().or_else(|| name.parse().map(Zone::Fixed).ok())
    }
}

/// The date that a timestamp shows in its zone, or `None` where no calendar reaches it.
pub(crate) fn day_of_timestamp(timestamp: i64, unit: TimeUnit, zone: Zone) -> Option<Day> {
    let per_second = match unit {
        TimeUnit::Nanoseconds => 1_000_000_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Milliseconds => 1_000,
    };
    let seconds = timestamp.div_euclid(per_second);
    let offset_seconds = match zone {
        Zone::None => 0,
        Zone::Fixed(offset) => offset.local_minus_utc(),
        Zone::Named(zone) => {
            let utc = DateTime::from_timestamp(seconds, 0)?.naive_utc();
            zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
        }
    };
    const SECONDS_PER_DAY: i64 = 86_400;
    let days = seconds.saturating_add(i64::from(offset_seconds)).div_euclid(SECONDS_PER_DAY);
    i32::try_from(days).ok().map(Day::from_days_since_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: Option<&str>, text: &str, expected: Option<&str>) {
        let day = DateText::new(format).unwrap().day(text).map(|day| day.to_string());
        assert_eq!(day.as_deref(), expected, "{text}");
    }

    #[test]
    fn iso_text_counts_as_the_date_it_shows() {
        for text in [
            "2011-12-31",
            "2011-12-31 23:59",
            "2011-12-31T23:59:59Z",
            "2011-12-31T23:59:59.123456-11:00",
            "2011-12-31 23:59:59 +0200",
            " 2011-12-31 ",
        ] {
            check(None, text, Some("2011-12-31"));
        }
        for text in [
            "2011-12-31x",
            "2011-12-31 25:00",
            "2011-12-31 10:+5",
            "2011-12-31T",
            "31.12.2011",
            "2011-12-31 10:00 nonsense",
            "日本語日本語",
        ] {
            check(None, text, None);
        }
    }

    #[test]
    fn a_format_reads_what_it_says() {
        check(Some("%d.%m.%Y"), "31.12.2011", Some("2011-12-31"));
        check(Some("%m/%d/%Y %H:%M"), "12/31/2011 8:26", Some("2011-12-31"));
        check(Some("%Y-%m-%dT%H:%M:%S%z"), "2011-12-31T23:00:00+1100", Some("2011-12-31"));
        check(Some("%s"), "86400", Some("1970-01-02"));
        check(Some("%d.%m.%Y"), "12/31/2011", None);
        check(Some("%d.%m.%Y"), "31.12.2011 08:26", Some("2011-12-31"));
        check(Some("%d.%m.%Y"), "31.12.2011T08:26:00+02:00", Some("2011-12-31"));
        check(Some("%d.%m.%Y"), "31.12.2011 8 o'clock", None);
        check(Some("%d.%m.%y"), "31.12.2011", None);
        assert!(DateText::new(Some("%Q")).is_err());
        assert!(DateText::new(Some("day")).is_err());
        assert!(DateText::new(Some("%m/%Y")).is_err());
    }

    #[test]
    fn timestamps_show_the_date_of_their_zone() {
        let just_before_midnight_utc = 1_325_375_999; // 2011-12-31T23:59:59Z
        let day = |zone| {
            day_of_timestamp(
                just_before_midnight_utc * 1_000,
                TimeUnit::Milliseconds,
                Zone::parse(zone).unwrap(),
            )
            .unwrap()
            .to_string()
        };
        assert_eq!(day(None), "2011-12-31");
        assert_eq!(day(Some("Europe/Berlin")), "2012-01-01");
        assert_eq!(day(Some("America/New_York")), "2011-12-31");
        assert_eq!(day(Some("+02:00")), "2012-01-01");
        assert!(Zone::parse(Some("Mars/Olympus")).is_none());
        assert_eq!(day_of_timestamp(i64::MIN, TimeUnit::Milliseconds, Zone::Named(Tz::UTC)), None);
    }
}
