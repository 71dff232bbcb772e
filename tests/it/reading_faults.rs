//! Which rows cannot be used, and does the report say so row by row?

use winback::error::{Fault, FaultExample, FaultKind, InputReport, Notice};
use winback::history::{HistoryParams, InvalidRows, Refunds};
use winback::{Columns, Error, History};

use crate::support::{TempDir, lines, orders};

/// Reads under both policies: rejecting lists every fault, dropping keeps these purchases, and the
/// two reports agree.
#[track_caller]
fn check(params: &HistoryParams, csv: impl AsRef<[u8]>, faults: &[Fault], purchases: &[&str]) -> InputReport {
    let dir = TempDir::new();
    let path = dir.write("log.csv", csv);
    let rejected = match params.clone().with_invalid_rows(InvalidRows::Reject).read_csv([&path]) {
        Err(Error::InvalidRows { report }) => *report,
        other => panic!("expected invalid rows, found {other:?}"),
    };
    let short = |report: &InputReport| {
        let mut found = report.faults.clone();
        found.iter_mut().flat_map(|fault| &mut fault.examples).for_each(|example| {
            example.source = dir.short(&example.source);
        });
        found
    };
    assert_eq!(short(&rejected), faults);
    assert_eq!(rejected.rows_read, rejected.rows_kept + rejected.rows_dropped);

    let dropping = params.clone().with_invalid_rows(InvalidRows::Drop).read_csv([&path]);
    let dropped = match dropping {
        Ok(history) => {
            assert_eq!(lines(&history), purchases);
            history.report().clone()
        }
        Err(Error::NoOrders { report }) if purchases.is_empty() => *report,
        Err(other) => panic!("expected the other rows, found {other}"),
    };
    assert_eq!(short(&dropped), faults);
    assert_eq!(
        (dropped.rows_read, dropped.rows_kept, dropped.rows_dropped),
        (rejected.rows_read, rejected.rows_kept, rejected.rows_dropped)
    );
    dropped
}

/// A fault of that many rows, with the rows and values of its examples.
fn fault(kind: FaultKind, column: &str, rows: u64, examples: &[(u64, &str)]) -> Fault {
    let examples = examples
        .iter()
        .map(|&(row, value)| FaultExample { source: "log.csv".to_owned(), row, value: value.to_owned() })
        .collect();
    Fault { kind, column: column.to_owned(), rows, examples, words: Vec::new() }
}

/// Every fault a CSV row can have, one row each; rows 1 and 15 are fine.
const ONE_OF_EACH: &[u8] = b"customer_id,ordered_on,amount,discount\n\
    1,2024-01-01,10,1\n\
    2,2024-01-02\n\
    \xff,2024-01-03,1,0\n\
    ,2024-01-04,1,0\n\
    17850.0,2024-01-05,1,0\n\
    7,,1,0\n\
    7,soon,1,0\n\
    7,1899-12-31,1,0\n\
    7,2024-01-09,,0\n\
    7,2024-01-10,ten,0\n\
    7,2024-01-11,inf,0\n\
    7,2024-01-12,-2e100,0\n\
    7,2024-01-13,-5.50,0\n\
    7,2024-01-14,5,NaN\n\
    1,2024-01-15,20,\n";

fn strict() -> HistoryParams {
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount").with_discount("discount");
    History::params(columns).with_refunds(Refunds::Reject)
}

#[test]
fn every_fault_is_counted_with_its_row_and_value() {
    let report = check(
        &strict(),
        ONE_OF_EACH,
        &[
            fault(FaultKind::WrongFieldCount, "", 1, &[(2, "2 fields instead of 4")]),
            fault(FaultKind::NotUtf8, "", 1, &[(3, "`\u{fffd}`")]),
            fault(FaultKind::MissingId, "customer_id", 1, &[(4, "null")]),
            fault(FaultKind::FloatId, "customer_id", 1, &[(5, "`17850.0`")]),
            fault(FaultKind::MissingDate, "ordered_on", 1, &[(6, "null")]),
            fault(FaultKind::UnparseableDate, "ordered_on", 1, &[(7, "`soon`")]),
            fault(FaultKind::DateOutOfRange, "ordered_on", 1, &[(8, "`1899-12-31`")]),
            fault(FaultKind::MissingAmount, "amount", 1, &[(9, "null")]),
            fault(FaultKind::UnparseableAmount, "amount", 1, &[(10, "`ten`")]),
            fault(FaultKind::NonFiniteAmount, "amount", 1, &[(11, "`inf`")]),
            fault(FaultKind::AmountOutOfRange, "amount", 1, &[(12, "`-2e100`")]),
            fault(FaultKind::RejectedRefund, "amount", 1, &[(13, "`-5.50`")]),
            fault(FaultKind::InvalidDiscount, "discount", 1, &[(14, "`NaN`")]),
        ],
        &["1 2024-01-01 10 0", "1 2024-01-15 20 0"],
    );
    assert_eq!((report.rows_read, report.rows_kept, report.rows_dropped), (15, 2, 13));
    assert!(report.notices.contains(&Notice::MissingDiscounts { rows: 1 }));
}

#[test]
fn all_faults_come_in_one_message() {
    let dir = TempDir::new();
    let error = strict().read_csv([dir.write("log.csv", ONE_OF_EACH)]).expect_err("faults");
    assert_eq!(
        dir.short(error),
        "some rows cannot be used: correct them, or drop invalid rows
15 rows read from log.csv, 2 without faults, 13 with
  1 row: the number of fields differs from the header's
    log.csv row 2: 2 fields instead of 4
    check the separator and quoting of these lines
  1 row: text is not UTF-8
    log.csv row 3: `\u{fffd}`
    save the file as UTF-8
  1 row: customer id is missing (column `customer_id`)
    log.csv row 4: null
    fill the id in, or drop invalid rows
  1 row: customer id is a number with a decimal point (column `customer_id`)
    log.csv row 5: `17850.0`
    write ids as text or integers (17850, not 17850.0): a float column cannot hold every id
  1 row: date is missing (column `ordered_on`)
    log.csv row 6: null
    fill the date in, or drop invalid rows
  1 row: date cannot be read (column `ordered_on`)
    log.csv row 7: `soon`
    write dates as YYYY-MM-DD, or give the date format
  1 row: date lies outside 1900-01-01 to 2200-12-31 (column `ordered_on`)
    log.csv row 8: `1899-12-31`
    correct the date, or drop invalid rows
  1 row: amount is missing (column `amount`)
    log.csv row 9: null
    fill the amount in (0 for a free order), or drop invalid rows
  1 row: amount is not a number (column `amount`)
    log.csv row 10: `ten`
    write plain numbers such as 1234.56 without thousands signs, and say whether the decimal sign is a comma
  1 row: amount is NaN or infinite (column `amount`)
    log.csv row 11: `inf`
    correct the amount, or drop invalid rows
  1 row: amount is larger than 1e100 (column `amount`)
    log.csv row 12: `-2e100`
    correct the amount, or drop invalid rows
  1 row: amount is negative and refunds are rejected (column `amount`)
    log.csv row 13: `-5.50`
    read the refunds as net or drop them, or correct the amount
  1 row: discount is not a number or is larger than 1e100 (column `discount`)
    log.csv row 14: `NaN`
    write plain numbers such as 12.50; an empty field is no discount
  note: 1 row has no discount; read as 0"
    );
}

#[test]
fn five_examples_and_the_count_of_all() {
    let rows: String = (1..=8).map(|row| format!("7,day {row},1\n")).collect();
    let dir = TempDir::new();
    let path = dir.write("log.csv", format!("customer_id,ordered_on,amount\n7,2024-01-01,1\n{rows}"));
    let error = orders().read_csv([path]).expect_err("faults");
    assert_eq!(
        dir.short(error),
        "some rows cannot be used: correct them, or drop invalid rows
9 rows read from log.csv, 1 without faults, 8 with
  8 rows: date cannot be read (column `ordered_on`)
    log.csv row 2: `day 1`
    log.csv row 3: `day 2`
    log.csv row 4: `day 3`
    log.csv row 5: `day 4`
    log.csv row 6: `day 5`
    and 3 more
    write dates as YYYY-MM-DD, or give the date format"
    );
}

#[test]
fn examples_are_the_first_rows_whatever_was_wrong_with_them() {
    let discounts = ["inf", "x", "1e101", "y", "-inf", "z", "NaN"];
    let rows: String =
        (1..).zip(discounts).map(|(day, text)| format!("7,2024-01-0{day},1,{text}\n")).collect();
    check(
        &strict(),
        format!("customer_id,ordered_on,amount,discount\n{rows}"),
        &[fault(
            FaultKind::InvalidDiscount,
            "discount",
            7,
            &[(1, "`inf`"), (2, "`x`"), (3, "`1e101`"), (4, "`y`"), (5, "`-inf`")],
        )],
        &[],
    );
}

#[test]
fn a_row_with_two_faults_counts_in_both_and_is_dropped_once() {
    let report = check(
        &orders(),
        "customer_id,ordered_on,amount\n7,2024-01-01,1\n,2024-13-01,x\n",
        &[
            fault(FaultKind::MissingId, "customer_id", 1, &[(2, "null")]),
            fault(FaultKind::UnparseableDate, "ordered_on", 1, &[(2, "`2024-13-01`")]),
            fault(FaultKind::UnparseableAmount, "amount", 1, &[(2, "`x`")]),
        ],
        &["7 2024-01-01 1 0"],
    );
    assert_eq!((report.rows_kept, report.rows_dropped), (1, 1));
}

#[test]
fn a_line_that_cannot_be_taken_apart_has_one_fault() {
    // Its fields are unknown, so nothing is said of a missing id, date or amount.
    check(
        &orders(),
        b"customer_id,ordered_on,amount\n7,2024-01-01,1,\n7\n7,2024-01-01,\xe9\n7,2024-01-01,1\n",
        &[
            fault(
                FaultKind::WrongFieldCount,
                "",
                2,
                &[(1, "4 fields instead of 3"), (2, "1 fields instead of 3")],
            ),
            fault(FaultKind::NotUtf8, "", 1, &[(3, "`\u{fffd}`")]),
        ],
        &["7 2024-01-01 1 0"],
    );
}

#[test]
fn text_that_is_not_utf8_matters_only_where_it_is_read() {
    let dir = TempDir::new();
    let path = dir.write("log.csv", b"customer_id,ordered_on,amount,caf\xe9\n7,2024-01-01,1,\xff\n");
    assert_eq!(lines(&orders().read_csv([path]).unwrap()), ["7 2024-01-01 1 0"]);
}

#[test]
fn ids_that_went_through_a_float() {
    check(
        &orders(),
        "customer_id,ordered_on,amount\n17850.0,2024-01-01,1\n-3.00,2024-01-01,1\n17850,2024-01-01,1\n1.5,2024-01-01,1\n\
         .0,2024-01-01,1\n1.,2024-01-01,1\nv1.0,2024-01-01,1\n",
        &[fault(FaultKind::FloatId, "customer_id", 2, &[(1, "`17850.0`"), (2, "`-3.00`")])],
        &[
            ".0 2024-01-01 1 0",
            "1. 2024-01-01 1 0",
            "1.5 2024-01-01 1 0",
            "17850 2024-01-01 1 0",
            "v1.0 2024-01-01 1 0",
        ],
    );
}

#[test]
fn dates_the_calendar_does_not_have() {
    let bad = [
        "2023-02-29",
        "1900-02-29",
        "2024-02-30",
        "2024-00-10",
        "2024-1-1",
        "01.02.2024",
        "20240101",
        "2024-01-01x",
        "2024-01-01 25:00",
        "2024-01-01 10:60",
        "2024-01-01 10:+5",
        "2024-01-01 10:00 CET",
        "２０２４-01-01",
        "45292",
        "now",
    ];
    let examples: Vec<(u64, String)> =
        (1..).zip(&bad).take(5).map(|(row, text)| (row, format!("`{text}`"))).collect();
    let examples: Vec<(u64, &str)> = examples.iter().map(|(row, text)| (*row, text.as_str())).collect();
    check(
        &orders(),
        format!("customer_id,ordered_on,amount\n{}", bad.map(|text| format!("7,{text},1\n")).concat()),
        &[fault(FaultKind::UnparseableDate, "ordered_on", bad.len() as u64, &examples)],
        &[],
    );
}

#[test]
fn dates_outside_the_calendar_of_trade() {
    check(
        &orders(),
        "customer_id,ordered_on,amount\n7,1900-01-01,1\n7,1899-12-31,1\n7,2200-12-31,1\n7,2201-01-01,1\n7,0000-01-01,1\n\
         7,9999-12-31,1\n",
        &[fault(
            FaultKind::DateOutOfRange,
            "ordered_on",
            4,
            &[(2, "`1899-12-31`"), (4, "`2201-01-01`"), (5, "`0000-01-01`"), (6, "`9999-12-31`")],
        )],
        &["7 1900-01-01 1 0", "7 2200-12-31 1 0"],
    );
}

#[test]
fn amounts_that_are_no_numbers() {
    check(
        &orders(),
        "customer_id,ordered_on,amount\n7,2024-01-01,\"1,234.56\"\n7,2024-01-01,12 EUR\n7,2024-01-01,\"12,50\"\n\
         7,2024-01-01,--1\n7,2024-01-01,-\n7,2024-01-01, 1.25 \n7,2024-01-02,+2\n7,2024-01-03,1E2\n7,2024-01-04,.5\n",
        &[fault(
            FaultKind::UnparseableAmount,
            "amount",
            5,
            &[(1, "`1,234.56`"), (2, "`12 EUR`"), (3, "`12,50`"), (4, "`--1`"), (5, "`-`")],
        )],
        &["7 2024-01-01 1.25 0", "7 2024-01-02 2 0", "7 2024-01-03 100 0", "7 2024-01-04 0.5 0"],
    );
}

#[test]
fn amounts_that_sums_cannot_carry() {
    check(
        &orders(),
        "customer_id,ordered_on,amount\n7,2024-01-01,1e100\n7,2024-01-02,1.1e100\n7,2024-01-03,1e400\n7,2024-01-04,NaN\n\
         7,2024-01-05,-inf\n7,2024-01-06,1e-400\n",
        &[
            fault(FaultKind::NonFiniteAmount, "amount", 2, &[(4, "`NaN`"), (5, "`-inf`")]),
            fault(FaultKind::AmountOutOfRange, "amount", 2, &[(2, "`1.1e100`"), (3, "`1e400`")]),
        ],
        &[&format!("7 2024-01-01 1{} 0", "0".repeat(100)), "7 2024-01-06 0 0"],
    );
}

#[test]
fn numbers_too_large_for_a_float_are_shown_as_they_are_written() {
    let (digits, cut) = ("7".repeat(400), format!("`{}…`", "7".repeat(60)));
    let negative = format!("`-{}…`", "7".repeat(59));
    check(
        &strict(),
        format!(
            "customer_id,ordered_on,amount,discount\n7,2024-01-01,{digits},0\n7,2024-01-01,-{digits},0\n\
             7,2024-01-01,Infinity,0\n7,2024-01-01,-5.50,0\n7,2024-01-01,1,{digits}\n"
        ),
        &[
            fault(FaultKind::NonFiniteAmount, "amount", 1, &[(3, "`Infinity`")]),
            fault(FaultKind::AmountOutOfRange, "amount", 2, &[(1, &cut), (2, &negative)]),
            fault(FaultKind::RejectedRefund, "amount", 1, &[(4, "`-5.50`")]),
            fault(FaultKind::InvalidDiscount, "discount", 1, &[(5, &cut)]),
        ],
        &[],
    );
}

#[test]
fn nothing_left_after_dropping_is_an_error_with_the_report() {
    let dir = TempDir::new();
    let path = dir.write("log.csv", "customer_id,ordered_on,amount\n,2024-01-01,1\n7,,1\n");
    let error = orders().with_invalid_rows(InvalidRows::Drop).read_csv([path]).expect_err("nothing left");
    assert_eq!(
        dir.short(error),
        "no orders to work with: expected at least one usable row
2 rows read from log.csv, 0 without faults, 2 with
  1 row: customer id is missing (column `customer_id`)
    log.csv row 1: null
    fill the id in, or drop invalid rows
  1 row: date is missing (column `ordered_on`)
    log.csv row 2: null
    fill the date in, or drop invalid rows"
    );
}
