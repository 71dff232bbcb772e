//! What does winback say when something is wrong? Every message, word for word.

use std::path::PathBuf;

use winback::Error;
use winback::error::{Fault, FaultExample, FaultKind, InputReport, Notice};

use crate::support::day;

fn text(text: &str) -> String {
    text.to_owned()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().copied().map(text).collect()
}

/// Every variant of [`Error`] with its message.
fn errors() -> Vec<(Error, &'static str)> {
    let path = || PathBuf::from("logs/2024.csv");
    let origin = || text("logs/2024.csv");
    vec![
        (Error::NoSuchFile { path: path() }, "logs/2024.csv: no such file; check the path or the pattern"),
        (
            Error::Unreadable { path: path(), reason: text("permission denied") },
            "logs/2024.csv: cannot be read: permission denied",
        ),
        (
            Error::Unwritable { path: path(), reason: text("no space left on device") },
            "logs/2024.csv: cannot be written: no space left on device; an older file of that name, if there is one, is unchanged",
        ),
        (
            Error::InvalidDocument {
                origin: text("offers.json"),
                faults: vec![winback::error::DocumentFault {
                    place: text("offers[0].name"),
                    found: text("5"),
                    expected: text("text"),
                    advice: text("put it in quotes"),
                }],
            },
            "offers.json: 1 fault\n  offers[0].name: found 5, expected text; put it in quotes",
        ),
        (
            Error::MissingColumns {
                origin: origin(),
                missing: texts(&["day", "total"]),
                found: texts(&["id;day;total"]),
                advice: text("; the header holds a semicolon: try ';' as the separator"),
            },
            "logs/2024.csv: no column `day`, `total`; found `id;day;total`; the header holds a semicolon: try ';' as \
             the separator",
        ),
        (
            Error::DuplicateColumn { origin: origin(), column: text("total"), times: 3 },
            "logs/2024.csv: column `total` stands 3 times; rename all but one",
        ),
        (
            Error::ColumnType {
                origin: text("frame"),
                column: text("day"),
                found: text("i64"),
                expected: "a date",
                advice: "write real dates",
            },
            "frame: column `day` is i64, expected a date; write real dates",
        ),
        (
            Error::InvalidRows { report: Box::new(InputReport::default()) },
            "some rows cannot be used: correct them, or drop invalid rows\n0 rows read, 0 without faults, 0 with",
        ),
        (
            Error::NoOrders { report: Box::new(InputReport::default()) },
            "no orders to work with: expected at least one usable row\n0 rows read, 0 without faults, 0 with",
        ),
        (
            Error::TooManyRows { rows: 5_000_000_000, most: 4_294_967_294 },
            "5000000000 rows in one log, at most 4294967294 can be read at once; split the log by customer",
        ),
        (
            Error::Parameter { name: "horizon days", found: text("0"), expected: "at least 1" },
            "horizon days is 0, expected at least 1",
        ),
        (
            Error::FeatureNeedsColumn {
                feature: text("spend_last_90_days"),
                column: text("an amount column"),
            },
            "feature `spend_last_90_days` needs an amount column, which this history was read without; name it in \
             the columns or leave the feature out",
        ),
        (
            Error::NotInSql { what: text("feature `moon`"), reason: text("it is a closure") },
            "feature `moon` cannot be said in SQL: it is a closure; leave it out, or compute it with this crate",
        ),
        (
            Error::DuplicateFeature { feature: text("tenure_days") },
            "feature `tenure_days` stands twice in the set; leave one out",
        ),
        (
            Error::NotFinite {
                feature: text("visits"),
                customer: text("17850"),
                cutoff: text("2024-02-29"),
                value: f64::INFINITY,
            },
            "feature `visits` is inf for customer 17850 at 2024-02-29, expected a finite number or null",
        ),
        (
            Error::HorizonNotObserved {
                cutoff: day("2024-02-29"),
                needed: day("2024-05-29"),
                had: day("2024-03-31"),
                latest: day("2024-01-01"),
            },
            "cutoff 2024-02-29: its label window ends on 2024-05-29, but the log is observed until 2024-03-31; \
             choose a cutoff on or before 2024-01-01",
        ),
        (
            Error::NoCutoffs {
                observed_from: day("2024-01-01"),
                observed_until: day("2024-03-31"),
                lead_days: 7,
                horizon_days: 90,
                history_days: 180,
            },
            "the log covers 2024-01-01 to 2024-03-31: too short for a cutoff with a label window of 7 + 90 days after \
             it and 180 days before it; shorten the horizon or bring a longer log",
        ),
        (
            Error::EmptySplit {
                test_cutoff: day("2024-06-01"),
                side: "training",
                first: day("2024-05-01"),
                last: day("2024-07-01"),
                label_days: 90,
            },
            "splitting at 2024-06-01 leaves no training cutoff: there are snapshots from 2024-05-01 to 2024-07-01 and \
             labels take 90 days; choose another test cutoff, shorten the horizon, or bring a \
             longer log",
        ),
        (
            Error::SingleClass { rows: 12, class: "churned" },
            "all 12 training rows are churned: a model needs customers who churned and customers who did not; choose \
             another horizon or more cutoffs",
        ),
        (
            Error::NotFitted { reason: text("the matrix is singular") },
            "the model cannot be fitted: the matrix is singular",
        ),
        (
            Error::InvalidSummary {
                row: 3,
                of: 10,
                name: "recency",
                found: 40.0,
                expected: "above 0, as there are repeat purchases, and at most the age",
            },
            "summary 3 of 10: recency is 40, expected above 0, as there are repeat purchases, and at most the age",
        ),
        (
            Error::TestOverlapsTraining { test_cutoff: day("2024-01-01"), trained_until: day("2024-02-29") },
            "the test's first cutoff is 2024-01-01, but training labels reach to 2024-02-29; test on cutoffs from \
             2024-02-29 on",
        ),
        (
            Error::AfterObserved { as_of: day("2024-03-01"), observed_until: day("2024-02-29") },
            "2024-03-01 lies after 2024-02-29, the last day the log is observed; choose an earlier day, or declare \
             the log observed until then",
        ),
        (
            Error::SilentSince { as_of: day("2024-07-10"), last_order: day("2024-02-29"), horizon_days: 60 },
            "2024-07-10 lies 132 days after the last order, on 2024-02-29: more than the horizon of 60 days, so that \
             everybody would look lost; bring the orders since then, or choose a day no later than 2024-04-29",
        ),
        (
            Error::BeforeFirstPurchase {
                as_of: day("2023-12-31"),
                first_purchase: text("the first purchase is on 2024-01-01"),
            },
            "no customer had bought by 2023-12-31: the first purchase is on 2024-01-01; choose a later day",
        ),
        (
            Error::PolicyMismatch { trained: text("with amounts"), found: text("without amounts") },
            "the model was trained on orders with amounts, but these were read without amounts; read them the same way",
        ),
        (
            Error::FeatureMismatch {
                origin: text("model.json"),
                problem: text("feature `visits` is missing"),
            },
            "model.json: feature `visits` is missing",
        ),
        (
            Error::ModelFormat {
                origin: text("model.json"),
                found: 9,
                expected: 1,
                written_by: text("3.0.0"),
            },
            "model.json: model format 9, this version reads format 1; it was written by winback 3.0.0; train again \
             or use that version",
        ),
        (
            Error::ModelDamaged { origin: text("model.json"), reason: text("it ends too early") },
            "model.json: not a usable model file: it ends too early; train and save the model again",
        ),
        (
            Error::Table { doing: "running the query", reason: text("out of memory") },
            "running the query: out of memory",
        ),
        (
            Error::NobodyMatched { list: "the list of suppressions", report: text("2 rows read") },
            "the list of suppressions matches no customer of the log: write ids as they stand there, or leave it out\n2 rows read",
        ),
        (
            Error::NotADate { text: text("29.02.2024") },
            "`29.02.2024` is not a date; expected YYYY-MM-DD, such as 2024-02-29",
        ),
    ]
}

#[test]
fn every_error_word_for_word() {
    for (error, message) in errors() {
        assert_eq!(error.to_string(), message, "{error:?}");
        // Where, found, expected, advice: a clause each, not sentences.
        assert!(!message.ends_with('.'), "{message}");
    }
}

#[test]
fn no_error_is_left_out() {
    // The enum may grow without notice, so the count is taken from its source.
    let source = include_str!("../../src/error.rs");
    assert_eq!(errors().len(), source.matches("#[error(").count());
}

#[test]
fn text_that_is_no_day_is_an_error_with_the_text() {
    let error = "2024-02-30".parse::<winback::Day>().expect_err("no such date");
    assert_eq!(error.to_string(), "`2024-02-30` is not a date; expected YYYY-MM-DD, such as 2024-02-29");
}

/// Every kind of fault: its name in JSON, what it says, and what to do.
const FAULTS: &[(FaultKind, &str, &str, &str)] = &[
    (
        FaultKind::WrongFieldCount,
        "wrong_field_count",
        "the number of fields differs from the header's",
        "check the separator and quoting of these lines",
    ),
    (FaultKind::NotUtf8, "not_utf8", "text is not UTF-8", "save the file as UTF-8"),
    (FaultKind::MissingId, "missing_id", "customer id is missing", "fill the id in, or drop invalid rows"),
    (
        FaultKind::FloatId,
        "float_id",
        "customer id is a number with a decimal point",
        "write ids as text or integers (17850, not 17850.0): a float column cannot hold every id",
    ),
    (FaultKind::IdOutOfRange, "id_out_of_range", "customer id is above 2^127 - 1", "write such ids as text"),
    (FaultKind::MissingDate, "missing_date", "date is missing", "fill the date in, or drop invalid rows"),
    (
        FaultKind::UnparseableDate,
        "unparseable_date",
        "date cannot be read",
        "write dates as YYYY-MM-DD, or give the date format",
    ),
    (
        FaultKind::DateOutOfRange,
        "date_out_of_range",
        "date lies outside 1900-01-01 to 2200-12-31",
        "correct the date, or drop invalid rows",
    ),
    (
        FaultKind::MissingAmount,
        "missing_amount",
        "amount is missing",
        "fill the amount in (0 for a free order), or drop invalid rows",
    ),
    (
        FaultKind::UnparseableAmount,
        "unparseable_amount",
        "amount is not a number",
        "write plain numbers such as 1234.56 without thousands signs, and say whether the decimal sign is a comma",
    ),
    (
        FaultKind::NonFiniteAmount,
        "non_finite_amount",
        "amount is NaN or infinite",
        "correct the amount, or drop invalid rows",
    ),
    (
        FaultKind::AmountOutOfRange,
        "amount_out_of_range",
        "amount is larger than 1e100",
        "correct the amount, or drop invalid rows",
    ),
    (
        FaultKind::RejectedRefund,
        "rejected_refund",
        "amount is negative and refunds are rejected",
        "read the refunds as net or drop them, or correct the amount",
    ),
    (
        FaultKind::InvalidDiscount,
        "invalid_discount",
        "discount is not a number or is larger than 1e100",
        "write plain numbers such as 12.50; an empty field is no discount",
    ),
    (FaultKind::MissingText, "missing_text", "field is empty", "fill it in, or drop invalid rows"),
    (
        FaultKind::InvalidNumber,
        "invalid_number",
        "not a number, or larger than 1e100",
        "write plain numbers such as 1234.56 without thousands signs, and say whether the decimal sign is a comma",
    ),
    (
        FaultKind::NegativeNumber,
        "negative_number",
        "number is below 0",
        "correct the number, or drop invalid rows",
    ),
    (
        FaultKind::InvalidProbability,
        "invalid_probability",
        "probability is not a number above 0 and at most 1",
        "write the chance of being asked, such as 0.05; leave it empty for who was not drawn",
    ),
    (
        FaultKind::BeforeFirstPurchase,
        "before_first_purchase",
        "date lies before the customer's first purchase",
        "correct the date or the customer, or drop invalid rows",
    ),
    (
        FaultKind::UnknownWord,
        "unknown_word",
        "none of the words that can stand here",
        "see the documentation of this table for the words, or drop invalid rows",
    ),
    (FaultKind::DuplicateId, "duplicate_id", "customer id stands twice", "keep one row per customer"),
    (
        FaultKind::NotAShare,
        "not_a_share",
        "number is not between 0 and 1",
        "write a share such as 0.25, not per cent",
    ),
    (
        FaultKind::DatesOutOfOrder,
        "dates_out_of_order",
        "date lies before one that it must follow",
        "correct one of the two dates",
    ),
];

#[test]
fn every_fault_word_for_word() {
    for &(kind, name, describe, advice) in FAULTS {
        assert_eq!(kind.describe(), describe, "{kind:?}");
        assert_eq!(kind.advice(), advice, "{kind:?}");
        // Reports are stored as JSON, where the name is what other programs look for.
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{name}\""));
    }
    assert!(FAULTS.is_sorted_by_key(|row| row.0), "the table stands in the order of reports");
}

#[test]
fn no_fault_is_left_out() {
    let source = include_str!("../../src/error/fault.rs");
    let body = source.split("pub enum FaultKind {").nth(1).and_then(|rest| rest.split("\n}").next());
    let variants =
        body.expect("the enum").lines().filter(|line| line.ends_with(',') && !line.contains("///"));
    assert_eq!(FAULTS.len(), variants.count());
}

#[test]
fn a_fault_shows_its_column_its_rows_and_what_to_do() {
    let example = |source: &str, row| FaultExample { source: text(source), row, value: text("`x`") };
    let mut fault = Fault {
        kind: FaultKind::UnparseableAmount,
        column: text("total"),
        rows: 1,
        examples: vec![example("", 4)],
        words: Vec::new(),
    };
    let advice = "write plain numbers such as 1234.56 without thousands signs, and say whether the decimal sign is a comma";
    assert_eq!(
        fault.to_string(),
        format!("1 row: amount is not a number (column `total`)\n    row 4: `x`\n    {advice}")
    );
    fault = Fault {
        column: String::new(),
        rows: 3,
        examples: vec![example("a.csv", 4), example("b.csv", 1)],
        ..fault
    };
    assert_eq!(
        fault.to_string(),
        format!(
            "3 rows: amount is not a number\n    a.csv row 4: `x`\n    b.csv row 1: `x`\n    and 1 more\n    {advice}"
        )
    );
}

#[test]
fn every_notice_in_singular_and_plural() {
    let observed_until = day("2024-02-29");
    let store = |rows| Notice::MissingSegments { column: text("store"), rows };
    let hole = |holes| Notice::Hole { after: day("2023-12-24"), until: day("2024-01-07"), holes };
    let expected = [
        (
            Notice::NoAmounts,
            "no amount column: features about money are left out, and a refund counts as a purchase",
        ),
        (Notice::DuplicateRows { rows: 1, of: 9 }, "1 row equals an earlier one in every column read; kept"),
        (
            Notice::DuplicateRows { rows: 2, of: 8 },
            "2 rows equal an earlier one in every column read; kept, but so many \
             suggest that a file was read twice",
        ),
        (Notice::RepeatedRows { rows: 1 }, "1 row equals an earlier one in every column read; counted once"),
        (Notice::RepeatedRows { rows: 2 }, "2 rows equal an earlier one in every column read; counted once"),
        (
            Notice::BeforeObservedFrom { rows: 2, observed_from: observed_until },
            "2 rows before 2024-02-29, the log's first day: nothing is known of what was there then",
        ),
        (
            Notice::DatesReadAs { format: text("%d.%m.%Y") },
            "dates are read as %d.%m.%Y, here and in every other table; write these alike",
        ),
        (Notice::ZeroAmounts { rows: 1 }, "1 row has an amount of 0; kept as free"),
        (Notice::ZeroAmounts { rows: 2 }, "2 rows have an amount of 0; kept as free"),
        (Notice::Refunds { rows: 1 }, "1 row is a refund, netted against the purchases of their day"),
        (Notice::Refunds { rows: 2 }, "2 rows are refunds, netted against the purchases of their day"),
        (Notice::RefundsSetAside { rows: 1 }, "1 refund row set aside"),
        (Notice::RefundsSetAside { rows: 2 }, "2 refund rows set aside"),
        (Notice::AfterObservedUntil { rows: 1, observed_until }, "1 row after 2024-02-29 set aside"),
        (Notice::AfterObservedUntil { rows: 2, observed_until }, "2 rows after 2024-02-29 set aside"),
        (Notice::MissingDiscounts { rows: 1 }, "1 row has no discount; read as 0"),
        (Notice::MissingDiscounts { rows: 2 }, "2 rows have no discount; read as 0"),
        (store(1), "1 row has no value in `store`"),
        (store(2), "2 rows have no value in `store`"),
        (Notice::RefundOnlyCustomers { customers: 1 }, "1 customer has only refunds and no purchase"),
        (Notice::RefundOnlyCustomers { customers: 2 }, "2 customers have only refunds and no purchase"),
        (
            Notice::DaysMerged { orders: 1 },
            "1 order was merged with another order of the same customer and day",
        ),
        (
            Notice::DaysMerged { orders: 2 },
            "2 orders were merged with another order of the same customer and day",
        ),
        (hole(1), "nobody bought between 2023-12-24 and 2024-01-07; check that no orders are missing there"),
        (
            hole(3),
            "nobody bought between 2023-12-24 and 2024-01-07 (the longest of 3 such holes); check that no orders are \
             missing there",
        ),
        (
            Notice::FirstOrderAtLogStart { fraction: 0.256, days: 90 },
            "26 % of customers first bought in the log's first 90 days and may be older than the log",
        ),
    ];
    for (notice, message) in expected {
        assert_eq!(notice.to_string(), message);
    }
}
