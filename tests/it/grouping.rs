//! When do a customer's orders make a purchase, and does anything but the orders decide it?

use polars::prelude::*;
use winback::error::Notice;
use winback::history::{HistoryParams, Refunds};
use winback::{Columns, Error, History};

use crate::support::{assert_same, day, lines, orders};

type Order<'a> = (i64, &'a str, f64);

fn frame(rows: &[Order]) -> DataFrame {
    df![
        "customer_id" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "ordered_on" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "amount" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
    ]
    .unwrap()
}

/// These orders make these purchases, with these notices beside the one that every short log has.
#[track_caller]
fn check(params: &HistoryParams, rows: &[Order], purchases: &[&str], notices: &[Notice]) -> History {
    let history = params.from_frame(&frame(rows)).expect("a log that can be read");
    assert_eq!(lines(&history), purchases);
    let found = history.report().notices.iter();
    let found: Vec<_> =
        found.filter(|notice| !matches!(notice, Notice::FirstOrderAtLogStart { .. })).collect();
    assert_eq!(found, notices.iter().collect::<Vec<_>>());
    history
}

#[test]
fn orders_of_one_day_are_one_purchase() {
    check(
        &orders(),
        &[(7, "2024-01-02", 2.5), (7, "2024-01-01", 1.0), (8, "2024-01-02", 4.0), (7, "2024-01-02", 3.0)],
        &["7 2024-01-01 1 0", "7 2024-01-02 5.5 0", "8 2024-01-02 4 0"],
        &[Notice::DaysMerged { orders: 1 }],
    );
}

#[test]
fn a_day_belongs_to_what_the_date_shows_not_to_the_time() {
    check(
        &orders(),
        &[(7, "2024-01-01 00:00", 1.0), (7, "2024-01-01 23:59:59", 2.0), (7, "2024-01-02T00:00:00Z", 4.0)],
        &["7 2024-01-01 3 0", "7 2024-01-02 4 0"],
        &[Notice::DaysMerged { orders: 1 }],
    );
}

#[test]
fn free_orders_are_purchases() {
    check(
        &orders(),
        &[(7, "2024-01-01", 0.0), (7, "2024-01-02", -0.0), (7, "2024-01-03", 0.0), (7, "2024-01-03", 2.0)],
        &["7 2024-01-01 0 0", "7 2024-01-02 0 0", "7 2024-01-03 2 0"],
        &[Notice::ZeroAmounts { rows: 3 }, Notice::DaysMerged { orders: 1 }],
    );
}

#[test]
fn a_refund_lowers_the_purchase_of_its_day() {
    check(
        &orders(),
        &[(7, "2024-01-01", 10.0), (7, "2024-01-01", -2.5), (7, "2024-01-01", -1.5), (7, "2024-01-02", 1.0)],
        &["7 2024-01-01 6 4", "7 2024-01-02 1 0"],
        &[Notice::Refunds { rows: 2 }, Notice::DaysMerged { orders: 2 }],
    );
}

#[test]
fn a_day_that_nets_to_nothing_or_less_is_no_purchase() {
    let history = check(
        &orders(),
        &[
            (7, "2024-01-01", 1.0),
            (7, "2024-01-02", -3.0),
            (7, "2024-01-03", 2.0),
            (7, "2024-01-03", -5.0),
            (7, "2024-01-04", 5.0),
            (7, "2024-01-04", -5.0),
            (7, "2024-01-05", 0.0),
            (7, "2024-01-05", -1.0),
        ],
        &["7 2024-01-01 1 0"],
        &[Notice::Refunds { rows: 4 }, Notice::ZeroAmounts { rows: 1 }, Notice::DaysMerged { orders: 3 }],
    );
    // The days without a purchase are still days the log covers.
    assert_eq!(history.observed_until(), day("2024-01-05"));
    assert_eq!((history.customers(), history.purchases()), (1, 1));
}

#[test]
fn what_is_left_must_exceed_the_noise_of_the_sum() {
    // 1e-9 of absolute amounts of about 2e9 is about 2.
    let of_day = |refund: f64| [(7, "2024-01-01", 1.0), (7, "2024-01-02", 1e9), (7, "2024-01-02", refund)];
    let notices = [Notice::Refunds { rows: 1 }, Notice::DaysMerged { orders: 1 }];
    check(&orders(), &of_day(-999_999_999.0), &["7 2024-01-01 1 0"], &notices);
    check(&orders(), &of_day(-999_999_997.0), &["7 2024-01-01 1 0", "7 2024-01-02 3 999999997"], &notices);
    // Without a refund there is nothing to exceed.
    check(&orders(), &[(7, "2024-01-01", 1e-300)], &[&format!("7 2024-01-01 {} 0", 1e-300)], &[]);
}

#[test]
fn amounts_that_cancel_out_leave_no_purchase_in_any_order() {
    let amounts = [192.40, 17.40, -192.40, -17.40];
    let mut first: Option<History> = None;
    let mut permutations = 0;
    for code in 0..4_usize.pow(4) {
        let places = [code % 4, code / 4 % 4, code / 16 % 4, code / 64];
        if (0..4).any(|place| !places.contains(&place)) {
            continue;
        }
        permutations += 1;
        let mut rows: Vec<Order> = places.iter().map(|&place| (7, "2024-01-02", amounts[place])).collect();
        rows.push((8, "2024-01-01", 1.0));
        let history = check(
            &orders(),
            &rows,
            &["8 2024-01-01 1 0"],
            &[
                Notice::Refunds { rows: 2 },
                Notice::DaysMerged { orders: 3 },
                Notice::RefundOnlyCustomers { customers: 1 },
            ],
        );
        assert_same(&history, first.get_or_insert_with(|| history.clone()));
    }
    assert_eq!(permutations, 24);
}

#[test]
fn sums_do_not_depend_on_the_order_of_rows() {
    // Added as they come, these give three different sums.
    let amounts = [1e16, 1.0, 1.0, 0.1, 0.2, 0.3];
    let rows =
        |order: &[usize]| -> Vec<Order> { order.iter().map(|&at| (7, "2024-01-01", amounts[at])).collect() };
    let read = |order: &[usize]| orders().from_frame(&frame(&rows(order))).unwrap();
    let expected = read(&[0, 1, 2, 3, 4, 5]);
    for order in [[5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2], [1, 2, 0, 5, 3, 4]] {
        assert_same(&read(&order), &expected);
    }
}

#[test]
fn refunds_set_aside_leave_the_rest_of_their_day() {
    let rows = [(7, "2024-01-01", 10.0), (7, "2024-01-01", -10.0), (8, "2024-01-02", -1.0)];
    let history = check(
        &orders().with_refunds(Refunds::Drop),
        &rows,
        &["7 2024-01-01 10 0"],
        &[Notice::RefundsSetAside { rows: 2 }],
    );
    // A customer of whom nothing is left is no customer, and a day neither.
    assert_eq!((history.customers(), history.observed_until()), (1, day("2024-01-01")));
    let report = history.report();
    assert_eq!((report.rows_read, report.rows_kept, report.rows_dropped), (3, 3, 0));
}

#[test]
fn refunds_rejected_are_faults() {
    let rows = [(7, "2024-01-01", 10.0), (7, "2024-01-01", -10.0), (8, "2024-01-02", -1.0)];
    let error = orders().with_refunds(Refunds::Reject).from_frame(&frame(&rows)).expect_err("refunds");
    assert_eq!(
        error.to_string(),
        "some rows cannot be used: correct them, or drop invalid rows
3 rows read, 1 without faults, 2 with
  2 rows: amount is negative and refunds are rejected (column `amount`)
    row 2: `-10`
    row 3: `-1`
    read the refunds as net or drop them, or correct the amount"
    );
}

#[test]
fn nothing_but_refunds_and_all_set_aside_is_no_log() {
    let error = orders().with_refunds(Refunds::Drop).from_frame(&frame(&[(7, "2024-01-01", -1.0)]));
    assert_eq!(
        error.expect_err("no orders").to_string(),
        "no orders to work with: expected at least one usable row\n1 row read, 1 without faults, 0 with\n  note: 1 \
         refund row set aside"
    );
}

#[test]
fn customers_who_only_sent_back_are_counted() {
    let rows =
        [(7, "2024-01-01", -1.0), (8, "2024-01-02", 1.0), (9, "2024-01-03", -1.0), (9, "2024-01-03", 1.0)];
    let history = check(
        &orders(),
        &rows,
        &["8 2024-01-02 1 0"],
        &[
            Notice::Refunds { rows: 2 },
            Notice::DaysMerged { orders: 1 },
            Notice::RefundOnlyCustomers { customers: 2 },
        ],
    );
    assert_eq!((history.customers(), history.observed_from()), (3, day("2024-01-01")));
}

#[test]
fn equal_rows_are_kept_and_counted() {
    check(
        &orders(),
        &[
            (7, "2024-01-01", 1.0),
            (7, "2024-01-01", 1.0),
            (7, "2024-01-01", 2.0),
            (7, "2024-01-02", 1.0),
            (8, "2024-01-01", 1.0),
            (7, "2024-01-01", 1.0),
        ],
        &["7 2024-01-01 5 0", "7 2024-01-02 1 0", "8 2024-01-01 1 0"],
        &[Notice::DuplicateRows { rows: 2, of: 6 }, Notice::DaysMerged { orders: 3 }],
    );
    // Rows that differ in a column that is read are no duplicates.
    let columns =
        Columns::new("id", "day").with_amount("total").with_discount("off").with_segments(["store"]);
    let frame = df![
        "id" => [7, 7, 7, 7],
        "day" => ["2024-01-01"; 4],
        "total" => [1.0; 4],
        "off" => [None, Some(0.5), Some(-0.5), Some(0.5)],
        "store" => [Some("a"), Some("a"), Some("a"), None],
    ]
    .unwrap();
    let history = History::params(columns).from_frame(&frame).unwrap();
    let found = &history.report().notices;
    assert_eq!(
        found[..4],
        [
            Notice::MissingDiscounts { rows: 1 },
            Notice::MissingSegments { column: "store".to_owned(), rows: 1 },
            // A discount of -0.5 is written by some shops for 0.5, so the third row equals the second.
            Notice::DuplicateRows { rows: 1, of: 4 },
            Notice::DaysMerged { orders: 3 },
        ]
    );
}

#[test]
fn without_amounts_every_order_is_a_purchase() {
    let params = History::params(Columns::new("customer_id", "ordered_on"));
    let history = params.from_frame(&frame(&[(7, "2024-01-01", -1.0), (7, "2024-01-01", f64::NAN)])).unwrap();
    assert_eq!(lines(&history), ["7 2024-01-01"]);
    assert_eq!(
        history.report().notices,
        [
            Notice::NoAmounts,
            Notice::DuplicateRows { rows: 1, of: 2 },
            Notice::DaysMerged { orders: 1 },
            Notice::FirstOrderAtLogStart { fraction: 1.0, days: 90 },
        ]
    );
}

#[test]
fn segment_values_are_those_of_kept_rows_in_order_of_text() {
    let columns = Columns::new("id", "day").with_amount("total").with_segments(["store", "line"]);
    let frame = df![
        "id" => [1, 2, 3, 4],
        "day" => ["2024-01-01", "2024-01-02", "2024-01-03", "2024-02-01"],
        "total" => [1.0, 1.0, -1.0, 1.0],
        "store" => [Some("9"), Some("10"), Some("refunded"), Some("later")],
        "line" => [None, Some(""), Some("x"), Some("y")],
    ]
    .unwrap();
    let params = History::params(columns).with_refunds(Refunds::Drop).with_observed_until(day("2024-01-31"));
    let history = params.from_frame(&frame).unwrap();
    assert_eq!(history.segment_values("store").unwrap(), ["10", "9"]);
    assert_eq!(history.segment_values("line").unwrap(), [""; 0]);
    assert_eq!(history.segment_values("total"), None);
    assert!(
        history.report().notices.contains(&Notice::MissingSegments { column: "line".to_owned(), rows: 2 })
    );
}

#[test]
fn orders_after_the_observed_days_are_set_aside() {
    let rows =
        [(7, "2024-01-01", 1.0), (7, "2024-01-31", 2.0), (7, "2024-02-01", 4.0), (8, "2024-03-01", -8.0)];
    let history = check(
        &orders().with_observed_until(day("2024-01-31")),
        &rows,
        &["7 2024-01-01 1 0", "7 2024-01-31 2 0"],
        &[Notice::AfterObservedUntil { rows: 2, observed_until: day("2024-01-31") }],
    );
    assert_eq!((history.customers(), history.observed_until()), (1, day("2024-01-31")));
    assert_eq!((history.report().rows_read, history.report().rows_kept), (4, 4));
    assert_same(&history, &orders().from_frame(&frame(&rows[..2])).unwrap());
    let error =
        orders().with_observed_until(day("2023-12-31")).from_frame(&frame(&rows)).expect_err("nothing left");
    assert!(matches!(error, Error::NoOrders { .. }), "{error:?}");
}

#[test]
fn the_log_may_be_declared_complete_beyond_its_last_order() {
    let rows = [(7, "2024-01-01", 1.0), (7, "2024-01-02", 2.0)];
    let read = |params: HistoryParams| params.from_frame(&frame(&rows)).unwrap();
    let plain = read(orders());
    assert_eq!(plain.observed_until(), day("2024-01-02"));
    for (params, until) in [
        (orders().with_observed_until(day("2024-02-29")), "2024-02-29"),
        (orders().with_observed_at_least_until(day("2024-02-29")), "2024-02-29"),
        (orders().with_observed_at_least_until(day("2023-01-01")), "2024-01-02"),
        // A day far beyond the last order costs nothing.
        (orders().with_observed_until(winback::Day::LAST), "2200-12-31"),
    ] {
        let history = read(params);
        assert_eq!(history.observed_until().to_string(), until);
        assert_same(&history, &plain);
    }
}
