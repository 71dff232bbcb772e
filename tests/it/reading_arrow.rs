//! Do Parquet files by pyarrow read the same, whatever Arrow type, compression or layout holds the log?
//!
//! `fixtures/arrow.py` writes them: one small log many times, and columns that cannot serve.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use polars::prelude::DataType;
use winback::error::{FaultKind, Notice};
use winback::history::{HistoryParams, InvalidRows};
use winback::{Columns, Error, History};

use crate::support::{assert_same, lines, orders};

/// The log that every accepted file holds.
const LOG: [&str; 4] = ["7 2024-02-29 12 0", "7 2024-03-31 100 0", "8 2024-03-01 3 0", "9 2023-12-31 0 0"];

/// Ids of each type, and the type they go out as.
const IDS: [(&str, DataType); 13] = [
    ("id_int8", DataType::Int8),
    ("id_int16", DataType::Int16),
    ("id_int32", DataType::Int32),
    ("id_int64", DataType::Int64),
    ("id_uint8", DataType::UInt8),
    ("id_uint16", DataType::UInt16),
    ("id_uint32", DataType::UInt32),
    ("id_uint64", DataType::UInt64),
    ("id_string", DataType::String),
    ("id_large_string", DataType::String),
    ("id_string_view", DataType::String),
    ("id_dictionary", DataType::String),
    ("id_dictionary_int64", DataType::Int64),
];

/// Dates, amounts, compressions and layouts; all ids are 64-bit integers.
const SAME: [&str; 47] = [
    "date_string",
    "date_large_string",
    "date_string_view",
    "date_dictionary",
    "date_date64",
    "date_timestamp_s",
    "date_timestamp_ms",
    "date_timestamp_us",
    "date_timestamp_ns",
    "date_timestamp_plain",
    "date_utc",
    "date_utc_plain",
    "date_berlin",
    "date_offset",
    "date_int96",
    "date_int96_plain",
    "amount_int8",
    "amount_int16",
    "amount_int32",
    "amount_int64",
    "amount_uint8",
    "amount_uint16",
    "amount_uint32",
    "amount_uint64",
    "amount_float32",
    "amount_decimal32",
    "amount_decimal64",
    "amount_decimal128",
    "amount_decimal256",
    "amount_decimal_integer",
    "amount_string",
    "amount_large_string",
    "amount_string_view",
    "amount_dictionary",
    "compression_snappy",
    "compression_gzip",
    "compression_zstd",
    "compression_lz4",
    "compression_brotli",
    "row_groups",
    "data_page_v2",
    "statistics",
    "delta",
    "unnamed",
    // Read for their other columns, and without their `x`.
    "x_float16",
    "x_map",
    "x_null",
];

/// Files whose date, id or amount cannot serve, and what is said of it.
const REFUSED: [(&str, &str); 7] = [
    (
        "date_half_hours",
        "column `ordered_on` is a datetime in zone `+05:30`, expected a date, a datetime in a known time zone, or \
         text; convert it to UTC or to a named zone such as Europe/Berlin first",
    ),
    (
        "date_nowhere",
        "column `ordered_on` is a datetime in zone `Mars/Olympus`, expected a date, a datetime in a known time zone, \
         or text; convert it to UTC or to a named zone such as Europe/Berlin first",
    ),
    (
        "date_bool",
        "column `ordered_on` is bool, expected a date, a datetime in a known time zone, or text; cast it first, or \
         name another column",
    ),
    (
        "date_int64",
        "column `ordered_on` is i64, expected a date, a datetime in a known time zone, or text; write real dates, or \
         text with a date format",
    ),
    (
        "id_float",
        "column `customer_id` is f64, expected text or integers; write ids as integers or text (17850, not 17850.0): \
         a float cannot hold every id",
    ),
    (
        "amount_decimal_76_digits",
        "column `amount` is decimal[76,2], expected integers, floats of 32 or 64 bits, decimals or text; cast it to a \
         decimal of at most 38 digits, or to floats of 64 bits, first",
    ),
    (
        "amount_decimal_39_digits",
        "column `amount` is decimal[39,2], expected integers, floats of 32 or 64 bits, decimals or text; cast it to a \
         decimal of at most 38 digits, or to floats of 64 bits, first",
    ),
];

/// Columns that serve in no role, and what they are called.
const UNSUITED: [(&str, &str); 11] = [
    ("x_time32", "time"),
    ("x_time64", "time"),
    ("x_duration", "duration[ms]"),
    ("x_list", "list[i64]"),
    ("x_large_list", "list[i64]"),
    ("x_fixed_size_list", "array[i64, 2]"),
    ("x_struct", "struct[1]"),
    ("x_map", "list[struct[2]]"),
    ("x_binary", "binary"),
    ("x_large_binary", "binary"),
    ("x_fixed_size_binary", "binary"),
];

/// Columns that serve in some role: tests of their own.
const OTHERS: [&str; 3] = ["x_bool", "x_float16", "x_null"];

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "it", "fixtures", "arrow"].iter().collect()
}

fn fixture(name: &str) -> PathBuf {
    folder().join(format!("{name}.parquet"))
}

#[track_caller]
fn read(name: &str) -> History {
    let history = orders().read_parquet([fixture(name)]);
    history.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The file's column is refused, before a row is read.
#[track_caller]
fn refused(params: &HistoryParams, name: &str, expected: &str) {
    let error = params.read_parquet([fixture(name)]).expect_err("a type that cannot serve");
    assert!(matches!(error, Error::ColumnType { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("{}: {expected}", fixture(name).display()));
}

/// A log whose column `x` is read in each role, and the types that could serve there.
fn roles() -> [(HistoryParams, &'static str); 5] {
    let log = || Columns::new("customer_id", "ordered_on");
    let money = "integers, floats of 32 or 64 bits, decimals or text";
    [
        (Columns::new("x", "ordered_on"), "text or integers"),
        (Columns::new("customer_id", "x"), "a date, a datetime in a known time zone, or text"),
        (log().with_amount("x"), money),
        (log().with_discount("x"), money),
        (log().with_segments(["x"]), "text, integers or booleans"),
    ]
    .map(|(columns, expected)| (History::params(columns), expected))
}

#[test]
fn every_file_is_read_by_a_test() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let names = IDS.iter().map(|(name, _)| *name).chain(SAME).chain(OTHERS);
    let names = names.chain(REFUSED.iter().chain(&UNSUITED).map(|(name, _)| *name));
    assert_eq!(files, names.map(str::to_owned).collect());
}

#[test]
fn ids_of_every_type_are_the_same_customers_and_go_out_as_they_came_in() {
    for (name, dtype) in IDS {
        let history = read(name);
        assert_eq!(lines(&history), LOG, "{name}");
        let frame = history.to_frame().unwrap();
        assert_eq!(frame.column("customer_id").unwrap().dtype(), &dtype, "{name}");
    }
}

#[test]
fn types_compressions_and_layouts_change_nothing() {
    let expected = read("id_int64");
    assert_eq!(lines(&expected), LOG);
    for name in SAME {
        let history = read(name);
        assert_same(&history, &expected);
        assert_eq!(history.report().notices, expected.report().notices, "{name}");
    }
}

#[test]
fn types_that_cannot_serve_are_refused_by_name() {
    for (name, expected) in REFUSED {
        refused(&orders(), name, expected);
    }
    for (name, found) in UNSUITED {
        for (params, expected) in roles() {
            let advice = "cast it first, or name another column";
            refused(&params, name, &format!("column `x` is {found}, expected {expected}; {advice}"));
        }
    }
}

#[test]
fn refusals_come_without_a_panic_of_polars() {
    // A caught panic still prints its message; only another process can be listened to.
    let again = Command::new(env::current_exe().unwrap())
        .args(["reading_arrow::types_that_cannot_serve_are_refused_by_name", "--exact", "--nocapture"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success(), "{printed}");
    assert!(String::from_utf8_lossy(&again.stdout).contains("1 passed"));
    assert!(!printed.contains("panicked"), "{printed}");
}

#[test]
fn half_floats_hold_neither_ids_nor_cents() {
    let advice = [
        "write ids as integers or text (17850, not 17850.0): a float cannot hold every id",
        "write real dates, or text with a date format",
        "cast it first, or name another column",
        "cast it first, or name another column",
        "group the numbers into a few named values first",
    ];
    for ((params, expected), advice) in roles().iter().zip(advice) {
        refused(params, "x_float16", &format!("column `x` is f16, expected {expected}; {advice}"));
    }
}

#[test]
fn booleans_are_segments_and_nothing_else() {
    let [money @ .., (as_segment, _)] = roles();
    for (params, expected) in money {
        let advice = "cast it first, or name another column";
        refused(&params, "x_bool", &format!("column `x` is bool, expected {expected}; {advice}"));
    }
    let history = as_segment.read_parquet([fixture("x_bool")]).unwrap();
    assert_eq!(history.segment_values("x").unwrap(), ["false", "true"]);
}

#[test]
fn a_column_of_the_null_type_is_a_column_of_nulls() {
    let [as_id, as_date, as_amount, as_discount, as_segment] = roles().map(|(params, _)| params);
    for (params, kind) in [
        (as_id, FaultKind::MissingId),
        (as_date, FaultKind::MissingDate),
        (as_amount, FaultKind::MissingAmount),
    ] {
        let params = params.with_invalid_rows(InvalidRows::Drop);
        let error = params.read_parquet([fixture("x_null")]).expect_err("nothing but nulls");
        let Error::NoOrders { report } = error else { panic!("{error:?}") };
        let found: Vec<_> = report.faults.iter().map(|fault| (fault.kind, fault.rows)).collect();
        assert_eq!(found, [(kind, 4)]);
    }
    for (params, notice) in [
        (as_discount, Notice::MissingDiscounts { rows: 4 }),
        (as_segment, Notice::MissingSegments { column: "x".to_owned(), rows: 4 }),
    ] {
        let history = params.read_parquet([fixture("x_null")]).unwrap();
        assert!(history.report().notices.contains(&notice), "{:?}", history.report().notices);
    }
}
