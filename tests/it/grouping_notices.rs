//! What does a read say of the log as a whole?

use polars::prelude::*;
use winback::Day;
use winback::error::Notice;

use crate::support::{day, orders};

/// The notices of a log in which customer k buys on the k-th of these days.
fn notices(days: &[Day]) -> Vec<Notice> {
    let frame = df![
        "customer_id" => (0..days.len() as i64).collect::<Vec<_>>(),
        "ordered_on" => days.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "amount" => vec![1.0; days.len()],
    ]
    .unwrap();
    orders().from_frame(&frame).expect("a log").report().notices.clone()
}

/// The hole found when one selling day follows the other after so many days.
#[track_caller]
fn check_hole(steps: &[i32], expected: Option<Notice>) {
    let mut days = vec![day("2024-01-01")];
    steps.iter().for_each(|&step| days.push(days[days.len() - 1].plus_days(step)));
    let found = notices(&days).into_iter().find(|notice| matches!(notice, Notice::Hole { .. }));
    assert_eq!(found, expected);
}

fn hole(after: &str, until: &str, holes: u64) -> Option<Notice> {
    Some(Notice::Hole { after: day(after), until: day(until), holes })
}

#[test]
fn a_hole_is_longer_than_a_week_and_than_five_usual_steps() {
    check_hole(&[], None);
    check_hole(&[1, 1, 7, 1, 1], None);
    check_hole(&[1, 1, 8, 1, 1], hole("2024-01-03", "2024-01-11", 1));
    check_hole(&[2, 2, 10, 2], None);
    check_hole(&[2, 2, 11, 2], hole("2024-01-05", "2024-01-16", 1));
    // A shop that sells once a month has no holes of a month.
    check_hole(&[30, 31, 29, 30], None);
}

#[test]
fn of_several_holes_the_first_of_the_longest_is_named() {
    check_hole(&[1, 9, 1, 12, 1, 1, 12, 1, 1], hole("2024-01-12", "2024-01-24", 3));
}

#[test]
fn a_hole_is_a_stretch_without_purchases_not_without_rows() {
    let day = |number: i32| day("2024-01-01").plus_days(number).to_string();
    let frame = df![
        "customer_id" => vec![7; 6],
        "ordered_on" => [day(0), day(1), day(2), day(8), day(14), day(15)],
        "amount" => [1.0, 1.0, 1.0, -1.0, 1.0, 1.0],
    ]
    .unwrap();
    let history = orders().from_frame(&frame).unwrap();
    assert!(history.report().notices.contains(&hole("2024-01-03", "2024-01-15", 1).expect("a hole")));
}

#[test]
fn customers_of_the_first_90_days_may_be_older_than_the_log() {
    let start = day("2024-01-01");
    let check = |days: &[i32], fraction: f64| {
        let days: Vec<Day> = days.iter().map(|&days| start.plus_days(days)).collect();
        let found = notices(&days);
        assert_eq!(found.last(), Some(&Notice::FirstOrderAtLogStart { fraction, days: 90 }));
    };
    check(&[0], 1.0);
    check(&[0, 89], 1.0);
    check(&[0, 90], 0.5);
    check(&[0, 89, 90, 500], 0.5);
    check(&[0, 90, 91, 500], 0.25);
}

#[test]
fn customers_without_a_purchase_have_no_share_in_the_first_days() {
    let frame = df![
        "customer_id" => [1, 2, 3, 4],
        "ordered_on" => ["2024-01-01", "2024-01-02", "2024-12-01", "2024-01-03"],
        "amount" => [-1.0, 1.0, 1.0, -1.0],
    ]
    .unwrap();
    let history = orders().from_frame(&frame).unwrap();
    let notices = &history.report().notices;
    assert!(notices.contains(&Notice::FirstOrderAtLogStart { fraction: 0.5, days: 90 }), "{notices:?}");
    assert!(notices.contains(&Notice::RefundOnlyCustomers { customers: 2 }), "{notices:?}");
}
