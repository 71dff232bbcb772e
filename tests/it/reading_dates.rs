//! Which date does a column of dates, timestamps or text show?

use polars::prelude::*;
use winback::error::FaultKind;
use winback::history::InvalidRows;

use crate::reading_types::{log, read, series};
use crate::support::{lines, orders};

#[track_caller]
fn check_dates(dates: impl IntoColumn, expected: &[&str]) {
    let history = read(&orders(), &log("ordered_on", dates));
    let found: Vec<String> = lines(&history).iter().map(|line| line[2..12].to_owned()).collect();
    assert_eq!(found, expected);
}

/// Instants close to midnight, in seconds: 1969-12-31T23:59:59Z, 2024-03-30T23:30:00Z (winter in
/// Berlin, 00:30 there), 2024-03-31T22:00:00Z (summer, 00:00 there) and 21:59:59Z.
const NEAR_MIDNIGHT: [i64; 4] = [-1, 1_711_841_400, 1_711_922_400, 1_711_922_399];

#[test]
fn a_timestamp_shows_the_date_of_its_own_zone() {
    for (zone, expected) in [
        (None, ["1969-12-31", "2024-03-30", "2024-03-31", "2024-03-31"]),
        (Some("UTC"), ["1969-12-31", "2024-03-30", "2024-03-31", "2024-03-31"]),
        (Some("Europe/Berlin"), ["1970-01-01", "2024-03-31", "2024-04-01", "2024-03-31"]),
        (Some("America/New_York"), ["1969-12-31", "2024-03-30", "2024-03-31", "2024-03-31"]),
        // polars spells a fixed offset as a zone of the same offset.
        (Some("+02:00"), ["1970-01-01", "2024-03-31", "2024-04-01", "2024-03-31"]),
        // A zone is not one offset: the island crossed the date line in 1995, from -10:40 to +14.
        (Some("Pacific/Kiritimati"), ["1969-12-31", "2024-03-31", "2024-04-01", "2024-04-01"]),
    ] {
        for (unit, per_second) in [
            (TimeUnit::Milliseconds, 1_000),
            (TimeUnit::Microseconds, 1_000_000),
            (TimeUnit::Nanoseconds, 1_000_000_000),
        ] {
            let times = NEAR_MIDNIGHT.map(|seconds| seconds * per_second).to_vec();
            let zone = TimeZone::opt_try_new(zone).unwrap();
            check_dates(Int64Chunked::from_vec("values".into(), times).into_datetime(unit, zone), &expected);
        }
    }
}

#[test]
fn the_last_instant_before_midnight_belongs_to_its_day() {
    for (unit, day) in [
        (TimeUnit::Milliseconds, 86_400_000_i64),
        (TimeUnit::Microseconds, 86_400_000_000),
        (TimeUnit::Nanoseconds, 86_400_000_000_000),
    ] {
        let times = vec![-day - 1, -day, -1, 0, day - 1, day];
        check_dates(
            Int64Chunked::from_vec("values".into(), times).into_datetime(unit, None),
            &["1969-12-30", "1969-12-31", "1969-12-31", "1970-01-01", "1970-01-01", "1970-01-02"],
        );
    }
}

#[test]
fn dates_and_text_that_shows_dates() {
    check_dates(
        Int32Chunked::from_vec("values".into(), vec![-25_567, 0, 19_782, 84_370]).into_date(),
        &["1900-01-01", "1970-01-01", "2024-02-29", "2200-12-31"],
    );
    let text = series(["2024-02-29", "2024-02-29T23:59:59-11:00"]);
    check_dates(text.clone(), &["2024-02-29"; 2]);
    check_dates(text.cast(&DataType::from_categories(Categories::global())).unwrap(), &["2024-02-29"; 2]);
}

#[test]
fn timestamps_no_calendar_reaches_are_faults() {
    let times = vec![Some(i64::MIN), None, Some(i64::MAX), Some(0), Some(7_289_654_400_000)];
    let times = Int64Chunked::from_iter_options("values".into(), times.into_iter());
    let frame = log("ordered_on", times.into_datetime(TimeUnit::Milliseconds, None));
    let error = orders().from_frame(&frame).expect_err("faults");
    assert_eq!(
        error.to_string(),
        "some rows cannot be used: correct them, or drop invalid rows
5 rows read, 1 without faults, 4 with
  1 row: date is missing (column `ordered_on`)
    row 2: null
    fill the date in, or drop invalid rows
  2 rows: date cannot be read (column `ordered_on`)
    row 1: timestamp -9223372036854775808
    row 3: timestamp 9223372036854775807
    write dates as YYYY-MM-DD, or give the date format
  1 row: date lies outside 1900-01-01 to 2200-12-31 (column `ordered_on`)
    row 5: `2201-01-01`
    correct the date, or drop invalid rows"
    );
    let history = read(&orders().with_invalid_rows(InvalidRows::Drop), &frame);
    assert_eq!(lines(&history), ["4 1970-01-01 1 0"]);
    let extremes = Int32Chunked::from_vec("values".into(), vec![i32::MIN, i32::MAX, 0]).into_date();
    let history = read(&orders().with_invalid_rows(InvalidRows::Drop), &log("ordered_on", extremes));
    assert_eq!(lines(&history), ["3 1970-01-01 1 0"]);
    assert_eq!(history.report().faults[0].kind, FaultKind::DateOutOfRange);
}
