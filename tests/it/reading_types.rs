//! Which column types serve, and do file, frame and query read the same from them?

use std::fs::File;

use polars::prelude::*;
use winback::error::FaultKind;
use winback::history::{HistoryParams, InvalidRows};
use winback::{Columns, Error, History};

use crate::support::{TempDir, assert_same, lines, orders};

/// Reads a frame as it is, through a query and through a Parquet file; all three must agree.
#[track_caller]
pub(crate) fn read(params: &HistoryParams, frame: &DataFrame) -> History {
    let history = params.from_frame(frame).expect("a frame that can be read");
    assert_same(&history, &params.from_lazy(frame.clone().lazy()).expect("a query that can be read"));
    let dir = TempDir::new();
    let path = dir.path("log.parquet");
    ParquetWriter::new(File::create(&path).unwrap()).finish(&mut frame.clone()).unwrap();
    let from_file = params.read_parquet([path]).expect("a file that can be read");
    assert_same(&history, &from_file);
    assert_eq!(history.report().notices, from_file.report().notices);
    history
}

/// Each way of reading refuses the column before it reads a row, under the name it knows.
#[track_caller]
fn refused(params: &HistoryParams, frame: &DataFrame, expected: &str) {
    let dir = TempDir::new();
    let path = dir.path("log.parquet");
    ParquetWriter::new(File::create(&path).unwrap()).finish(&mut frame.clone()).unwrap();
    for (origin, result) in [
        ("frame", params.from_frame(frame)),
        ("query", params.from_lazy(frame.clone().lazy())),
        ("log.parquet", params.read_parquet([path])),
    ] {
        let error = result.expect_err("a type that cannot serve");
        assert!(matches!(error, Error::ColumnType { .. }), "{error:?}");
        assert_eq!(dir.short(error), format!("{origin}: {expected}"));
    }
}

/// A log with this column in place of the one of its name.
pub(crate) fn log(name: &str, column: impl IntoColumn) -> DataFrame {
    let column = column.into_column().with_name(name.into());
    let rows = column.len();
    let mut frame = df![
        "customer_id" => (1..=rows as i64).collect::<Vec<_>>(),
        "ordered_on" => vec!["2024-01-01"; rows],
        "amount" => vec![1.0; rows],
    ]
    .unwrap();
    frame.with_column(column).unwrap();
    frame
}

pub(crate) fn series<T, P: ?Sized>(values: T) -> Series
where
    Series: NamedFrom<T, P>,
{
    Series::new("values".into(), values)
}

fn signed_types() -> [DataType; 5] {
    [DataType::Int8, DataType::Int16, DataType::Int32, DataType::Int64, DataType::Int128]
}

fn unsigned_types() -> [DataType; 5] {
    [DataType::UInt8, DataType::UInt16, DataType::UInt32, DataType::UInt64, DataType::UInt128]
}

#[track_caller]
fn check_ids(ids: Series, dtype: &DataType, expected: &[&str]) {
    let history = read(&orders(), &log("customer_id", ids));
    let frame = history.to_frame().unwrap();
    assert_eq!(frame.column("customer_id").unwrap().dtype(), dtype);
    let found: Vec<String> =
        lines(&history).iter().map(|line| line.trim_end_matches(" 2024-01-01 1 0").to_owned()).collect();
    assert_eq!(found, expected);
}

#[test]
fn integer_ids_of_every_width_go_out_as_they_came_in() {
    for dtype in unsigned_types() {
        check_ids(series([10_i64, 100, 9]).cast(&dtype).unwrap(), &dtype, &["9", "10", "100"]);
    }
    for dtype in signed_types() {
        check_ids(series([10_i64, -1, 9, -10]).cast(&dtype).unwrap(), &dtype, &["-10", "-1", "9", "10"]);
    }
}

#[test]
fn ids_at_the_ends_of_their_types() {
    check_ids(
        series([i64::MAX, i64::MIN]),
        &DataType::Int64,
        &["-9223372036854775808", "9223372036854775807"],
    );
    check_ids(
        series([u64::MAX, 0, i64::MAX as u64 + 1]),
        &DataType::UInt64,
        &["0", "9223372036854775808", "18446744073709551615"],
    );
    let limits = [i128::MAX, i128::MIN, 0];
    let shown = limits.map(|limit| limit.to_string());
    check_ids(series(limits), &DataType::Int128, &[&shown[1], "0", &shown[0]]);
    check_ids(series([i128::MAX as u128, 7]), &DataType::UInt128, &["7", &shown[0]]);
}

#[test]
fn ids_above_128_signed_bits_are_a_fault() {
    let frame = log("customer_id", series([u128::MAX, 7, i128::MAX as u128 + 1, i128::MAX as u128]));
    let error = orders().from_frame(&frame).expect_err("ids out of range");
    assert_eq!(
        error.to_string(),
        "some rows cannot be used: correct them, or drop invalid rows
4 rows read, 2 without faults, 2 with
  2 rows: customer id is above 2^127 - 1 (column `customer_id`)
    row 1: above 2^127 - 1
    row 3: above 2^127 - 1
    write such ids as text"
    );
    let history = read(&orders().with_invalid_rows(InvalidRows::Drop), &frame);
    assert_eq!(
        lines(&history),
        ["7 2024-01-01 1 0", "170141183460469231731687303715884105727 2024-01-01 1 0"]
    );
    assert_eq!(history.report().faults[0].kind, FaultKind::IdOutOfRange);
    assert_eq!(history.to_frame().unwrap().column("customer_id").unwrap().dtype(), &DataType::UInt128);
}

#[test]
fn text_ids_are_ordered_by_their_bytes_whatever_holds_them() {
    let text = series(["b", "10", "9", "B"]);
    let expected = ["10", "9", "B", "b"];
    check_ids(text.clone(), &DataType::String, &expected);
    // A category is a way to store text: the text goes out, and its order is not the category's.
    let categorical = DataType::from_categories(Categories::global());
    check_ids(text.cast(&categorical).unwrap(), &DataType::String, &expected);
    let ranked = DataType::from_frozen_categories(FrozenCategories::new(["b", "B", "9", "10"]).unwrap());
    check_ids(text.cast(&ranked).unwrap(), &DataType::String, &expected);
}

#[test]
fn missing_ids_of_every_kind_are_one_fault() {
    let params = orders().with_invalid_rows(InvalidRows::Drop);
    let check = |ids: Series, rows: &[(u64, &str)]| {
        let history = read(&params, &log("customer_id", ids));
        let [fault] = history.report().faults.as_slice() else { panic!("expected one fault") };
        assert_eq!((fault.kind, fault.rows), (FaultKind::MissingId, rows.len() as u64));
        let found: Vec<_> = fault.examples.iter().map(|found| (found.row, found.value.as_str())).collect();
        assert_eq!(found, rows);
    };
    check(series([None, Some(7_i32), None]), &[(1, "null"), (3, "null")]);
    check(series([Some(u64::MAX), None]), &[(2, "null")]);
    check(series([None, Some("7"), Some("")]), &[(1, "null"), (3, "``")]);
    let categorical = DataType::from_categories(Categories::global());
    check(series([None, Some("7")]).cast(&categorical).unwrap(), &[(1, "null")]);
    let nothing = log("customer_id", Series::full_null("values".into(), 2, &DataType::Null));
    assert!(matches!(params.from_frame(&nothing), Err(Error::NoOrders { .. })));
}

#[track_caller]
fn check_amounts(amounts: Series, expected: &[&str]) {
    let history = read(&orders(), &log("amount", amounts));
    let found: Vec<String> =
        lines(&history).iter().map(|line| line.split(' ').nth(2).unwrap_or_default().to_owned()).collect();
    assert_eq!(found, expected);
}

#[test]
fn amounts_of_every_numeric_type() {
    for dtype in unsigned_types().into_iter().chain(signed_types()) {
        check_amounts(series([12_i64, 0, 100]).cast(&dtype).unwrap(), &["12", "0", "100"]);
    }
    check_amounts(series([12.5_f64, 1e100, -0.0]), &["12.5", &format!("1{}", "0".repeat(100)), "0"]);
    // A float of 32 bits is widened, not rounded to what it was meant to be.
    check_amounts(series([0.1_f32, 0.5]), &["0.10000000149011612", "0.5"]);
    check_amounts(series(["12.34", " 5 ", "1e2"]), &["12.34", "5", "100"]);
    let text = series(["12.34", "0.07"]);
    check_amounts(text.cast(&DataType::from_categories(Categories::global())).unwrap(), &["12.34", "0.07"]);
    check_amounts(text.cast(&DataType::Decimal(38, 2)).unwrap(), &["12.34", "0.07"]);
}

#[test]
fn decimals_are_the_floats_nearest_to_their_text() {
    // A log exported once as decimals and once as text is one log, to the last bit.
    let cents: Vec<String> =
        (0..20_000).map(|n: u64| n * 7_919).map(|n| format!("{}.{:02}", n / 100, n % 100)).collect();
    let text = series(cents);
    let decimals = text.cast(&DataType::Decimal(18, 2)).unwrap();
    assert_same(&read(&orders(), &log("amount", decimals)), &read(&orders(), &log("amount", text)));
}

#[test]
fn missing_and_odd_amounts_are_faults() {
    let params = orders().with_invalid_rows(InvalidRows::Drop);
    let check = |amounts: Series, expected: &[(FaultKind, u64)]| {
        let history = read(&params, &log("amount", amounts));
        let found: Vec<_> = history.report().faults.iter().map(|fault| (fault.kind, fault.rows)).collect();
        assert_eq!(found, expected);
    };
    check(series([Some(1_i32), None]), &[(FaultKind::MissingAmount, 1)]);
    check(
        series([Some(1.0), None, Some(f64::NAN), Some(f64::NEG_INFINITY), Some(1e101)]),
        &[(FaultKind::MissingAmount, 1), (FaultKind::NonFiniteAmount, 2), (FaultKind::AmountOutOfRange, 1)],
    );
    check(
        series([Some("1"), None, Some(""), Some("one")]),
        &[(FaultKind::MissingAmount, 2), (FaultKind::UnparseableAmount, 1)],
    );
}

#[test]
fn segments_are_read_by_their_text() {
    let params = History::params(Columns::new("customer_id", "ordered_on").with_segments(["store"]));
    let check = |store: Series, expected: &[&str]| {
        let history = read(&params, &log("store", store));
        assert_eq!(history.segment_values("store").unwrap(), expected);
    };
    let text = series([Some("north"), None, Some("east"), Some("")]);
    check(text.clone(), &["east", "north"]);
    let ranked = DataType::from_frozen_categories(FrozenCategories::new(["north", "east", ""]).unwrap());
    check(text.cast(&ranked).unwrap(), &["east", "north"]);
    check(series([10_i64, 9, -1]), &["-1", "10", "9"]);
    check(series([true, false]), &["false", "true"]);
}

#[test]
fn types_that_cannot_serve_are_refused_by_name() {
    let cast = |dtype: &DataType| log("x", series([1_i64, 2]).cast(dtype).unwrap());
    let pairs = || Series::new("x".into(), [series([1_i64, 2]), series([3_i64, 4])]);
    let lists = log("x", pairs());
    let arrays = log("x", pairs().cast(&DataType::Array(Box::new(DataType::Int64), 2)).unwrap());
    let structs = log("x", series([1_i64, 2]))
        .lazy()
        .with_column(as_struct(vec![col("x")]).alias("x"))
        .collect()
        .unwrap();
    let bytes = log("x", series(["a", "b"]).cast(&DataType::Binary).unwrap());
    let never = [
        (cast(&DataType::Time), "time"),
        (cast(&DataType::Duration(TimeUnit::Milliseconds)), "duration[ms]"),
        (bytes, "binary"),
        (lists, "list[i64]"),
        (arrays, "array[i64, 2]"),
        (structs, "struct[1]"),
    ];
    let general = "cast it first, or name another column";
    let as_id = History::params(Columns::new("x", "ordered_on"));
    let as_date = History::params(Columns::new("customer_id", "x"));
    let as_amount = orders_with(|columns| columns.with_amount("x"));
    let as_discount = orders_with(|columns| columns.with_discount("x"));
    let as_segment = orders_with(|columns| columns.with_segments(["x"]));
    let money = "integers, floats of 32 or 64 bits, decimals or text";
    for (params, expected) in [
        (&as_id, "text or integers"),
        (&as_date, "a date, a datetime in a known time zone, or text"),
        (&as_amount, money),
        (&as_discount, money),
        (&as_segment, "text, integers or booleans"),
    ] {
        for (frame, found) in &never {
            refused(params, frame, &format!("column `x` is {found}, expected {expected}; {general}"));
        }
    }

    let floats = cast(&DataType::Float64);
    let date = "a date, a datetime in a known time zone, or text";
    refused(
        &as_id,
        &floats,
        "column `x` is f64, expected text or integers; write ids as integers or text (17850, not 17850.0): a float \
         cannot hold every id",
    );
    let real_dates = "write real dates, or text with a date format";
    refused(&as_date, &floats, &format!("column `x` is f64, expected {date}; {real_dates}"));
    refused(&as_date, &cast(&DataType::Int64), &format!("column `x` is i64, expected {date}; {real_dates}"));
    refused(&as_date, &cast(&DataType::Boolean), &format!("column `x` is bool, expected {date}; {general}"));
    refused(
        &as_id,
        &cast(&DataType::Boolean),
        &format!("column `x` is bool, expected text or integers; {general}"),
    );
    refused(
        &as_id,
        &cast(&DataType::Date),
        &format!("column `x` is date, expected text or integers; {general}"),
    );
    refused(
        &as_amount,
        &cast(&DataType::Boolean),
        &format!("column `x` is bool, expected {money}; {general}"),
    );
    refused(
        &as_segment,
        &floats,
        "column `x` is f64, expected text, integers or booleans; group the numbers into a few named values first",
    );
}

fn orders_with(add: impl FnOnce(Columns) -> Columns) -> HistoryParams {
    History::params(add(Columns::new("customer_id", "ordered_on")))
}

#[test]
fn columns_missing_from_a_frame_query_or_file_are_named() {
    let frame = df!["customer_id" => [1], "day" => ["2024-01-01"]].unwrap();
    let dir = TempDir::new();
    let path = dir.path("log.parquet");
    ParquetWriter::new(File::create(&path).unwrap()).finish(&mut frame.clone()).unwrap();
    for (origin, result) in [
        ("frame", orders().from_frame(&frame)),
        ("query", orders().from_lazy(frame.clone().lazy())),
        ("log.parquet", orders().read_parquet([path])),
    ] {
        assert_eq!(
            dir.short(result.expect_err("missing columns")),
            format!("{origin}: no column `ordered_on`, `amount`; found `customer_id`, `day`")
        );
    }
}

#[test]
fn a_query_that_fails_says_why() {
    let query =
        df!["customer_id" => [1], "ordered_on" => ["x"]].unwrap().lazy().filter(col("nowhere").eq(lit(1)));
    let error = History::params(Columns::new("customer_id", "ordered_on"))
        .from_lazy(query)
        .expect_err("no such column");
    assert!(matches!(error, Error::Table { .. }), "{error:?}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn chunks_and_slices_of_a_frame_change_nothing() {
    let whole = df![
        "customer_id" => [7_i64, 8, 7, 9],
        "ordered_on" => ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"],
        "amount" => [1.0, 2.0, 3.0, 4.0],
    ]
    .unwrap();
    let stacked = whole.slice(0, 1).vstack(&whole.slice(1, 2)).unwrap().vstack(&whole.slice(3, 1)).unwrap();
    assert_same(&read(&orders(), &stacked), &read(&orders(), &whole));
}
