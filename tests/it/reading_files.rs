//! Which files does a path or pattern lead to, and do several make one log?

use std::fs::{self, File};
use std::path::PathBuf;

use polars::prelude::*;
use winback::Error;
use winback::history::InvalidRows;

use crate::support::{TempDir, assert_same, day, lines, orders};

fn csv(rows: &str) -> String {
    format!("customer_id,ordered_on,amount\n{rows}")
}

fn write_parquet(dir: &TempDir, name: &str, mut frame: DataFrame) -> PathBuf {
    let path = dir.path(name);
    ParquetWriter::new(File::create(&path).unwrap()).finish(&mut frame).unwrap();
    path
}

/// One order of each id on one day, the first of amount 1, the second of amount 2.
fn with_ids(ids: Series) -> DataFrame {
    df!["customer_id" => ids, "ordered_on" => ["2024-01-01"; 2], "amount" => [1.0, 2.0]].unwrap()
}

#[test]
fn several_files_are_one_log() {
    let dir = TempDir::new();
    let january = dir.write("2024-01.csv", csv("7,2024-01-01,1\n8,2024-01-02,2\n"));
    let february = dir.write("2024-02.csv", csv("7,2024-02-01,4\n7,2024-01-01,8\n"));
    let whole = dir.write("all.csv", csv("7,2024-01-01,1\n8,2024-01-02,2\n7,2024-02-01,4\n7,2024-01-01,8\n"));
    let history = orders().read_csv([&january, &february]).unwrap();
    assert_eq!(lines(&history), ["7 2024-01-01 9 0", "7 2024-02-01 4 0", "8 2024-01-02 2 0"]);
    assert_same(&history, &orders().read_csv([whole]).unwrap());
    // The order of the files is no fact about the customers.
    assert_same(&history, &orders().read_csv([&february, &january]).unwrap());
    assert_eq!(history.report().sources, [january.display().to_string(), february.display().to_string()]);
    assert_eq!(history.report().rows_read, 4);
}

#[test]
fn columns_may_stand_in_another_order_in_each_file() {
    let dir = TempDir::new();
    let paths = [
        dir.write("a.csv", csv("7,2024-01-01,1\n")),
        dir.write("b.csv", "amount,extra,customer_id,ordered_on\n2,x,7,2024-01-02\n"),
    ];
    assert_eq!(lines(&orders().read_csv(paths).unwrap()), ["7 2024-01-01 1 0", "7 2024-01-02 2 0"]);
}

#[test]
fn patterns_lead_to_files_in_order_of_name() {
    let dir = TempDir::new();
    dir.write("logs/b.csv", csv("7,2024-01-02,2\n"));
    dir.write("logs/a.csv", csv("7,2024-01-01,1\n"));
    dir.write("logs/deep/c.csv", csv("7,2024-01-03,3\n"));
    dir.write("logs/notes.txt", "not a log");
    let read = |pattern: &str| orders().read_csv([dir.path(pattern)]);
    let history = read("logs/*.csv").unwrap();
    assert_eq!(lines(&history), ["7 2024-01-01 1 0", "7 2024-01-02 2 0"]);
    assert_eq!(
        history.report().sources.iter().map(|name| dir.short(name)).collect::<Vec<_>>(),
        ["logs/a.csv", "logs/b.csv"]
    );
    assert_eq!(read("logs/[b].csv").unwrap().observed_until(), day("2024-01-02"));
    assert_eq!(read("logs/?.csv").unwrap().purchases(), 2);
    assert_eq!(read("logs/**/*.csv").unwrap().purchases(), 3);
}

#[test]
fn a_file_whose_name_looks_like_a_pattern_is_that_file() {
    let dir = TempDir::new();
    let odd = dir.write("log[1].csv", csv("7,2024-01-01,1\n"));
    dir.write("log1.csv", csv("8,2024-01-01,1\n"));
    assert_eq!(lines(&orders().read_csv([odd]).unwrap()), ["7 2024-01-01 1 0"]);
}

#[test]
fn what_leads_nowhere_is_named() {
    let dir = TempDir::new();
    let there = dir.write("there.csv", csv("7,2024-01-01,1\n"));
    let words = |path: &str| {
        let error = orders().read_csv([there.clone(), dir.path(path)]).expect_err("no such file");
        dir.short(error)
    };
    assert_eq!(words("missing.csv"), "missing.csv: no such file; check the path or the pattern");
    assert_eq!(words("missing-*.csv"), "missing-*.csv: no such file; check the path or the pattern");
    let pattern = words("a***b");
    assert!(pattern.starts_with("a***b: cannot be read: Pattern syntax error"), "{pattern}");
    fs::create_dir(dir.path("folder")).unwrap();
    assert_eq!(
        words("folder"),
        "folder: cannot be read: it is a folder; name its files, or use a pattern such as folder/*.csv"
    );
    let nothing: [&str; 0] = [];
    assert_eq!(
        orders().read_csv(nothing).unwrap_err().to_string(),
        "paths is empty, expected at least one file"
    );
}

#[test]
fn what_is_not_parquet_says_so() {
    let dir = TempDir::new();
    for content in [csv("7,2024-01-01,1\n"), String::new(), "PAR".to_owned()] {
        let path = dir.write("log.parquet", content);
        for error in [
            orders().read_parquet([&path]).expect_err("no Parquet file"),
            orders().any_parquet_has([&path], "amount").expect_err("no Parquet file"),
        ] {
            assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
            assert_eq!(dir.short(error), "log.parquet: cannot be read: this is not a Parquet file");
        }
    }
    // What starts like Parquet and is cut short is left to polars.
    let whole = write_parquet(&dir, "whole.parquet", with_ids(Series::new("".into(), [1, 2])));
    let whole = fs::read(whole).unwrap();
    for length in [4, 5, 12, whole.len() / 2, whole.len() - 1] {
        let cut = dir.write("cut.parquet", &whole[..length]);
        let words = dir.short(orders().read_parquet([cut]).expect_err("half a file"));
        assert!(words.starts_with("cut.parquet: cannot be read: "), "{words}");
        assert!(!words.contains("panicked"), "{words}");
    }
}

#[test]
fn what_is_not_csv_says_what_it_is() {
    let dir = TempDir::new();
    let text = csv("7,2024-01-01,1\n");
    let utf16 = |mark: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("{mark}{text}").encode_utf16().flat_map(bytes).collect()
    };
    let parquet = write_parquet(&dir, "log.parquet", with_ids(Series::new("".into(), [1, 2])));
    let save = "this is UTF-16 text; save it as UTF-8";
    for (content, reason) in [
        (utf16("\u{feff}", u16::to_le_bytes), save),
        (utf16("\u{feff}", u16::to_be_bytes), save),
        (utf16("", u16::to_le_bytes), save),
        (utf16("", u16::to_be_bytes), save),
        (fs::read(parquet).unwrap(), "this is a Parquet file; read it as Parquet"),
        (vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "this is gzip-compressed; unpack it first"),
        (
            b"PK\x03\x04\x14\x00".to_vec(),
            "this is a zip archive or a spreadsheet; unpack it, or save it as CSV",
        ),
    ] {
        let path = dir.write("log.csv", content);
        for error in [
            orders().read_csv([&path]).expect_err("no CSV file"),
            orders().any_csv_has([&path], "amount").expect_err("no CSV file"),
        ] {
            assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
            assert_eq!(dir.short(error), format!("log.csv: cannot be read: {reason}"));
        }
    }
}

#[test]
fn a_header_may_start_like_another_kind_of_file() {
    let dir = TempDir::new();
    let rest = "customer_id,ordered_on,amount\nx,7,2024-01-01,1\n";
    for first in ["PAR1", "PAR1 code", "PARE", "PK", "P", ""] {
        let path = dir.write("log.csv", format!("{first},{rest}"));
        assert_eq!(lines(&orders().read_csv([path]).unwrap()), ["7 2024-01-01 1 0"], "{first}");
    }
}

#[test]
fn a_fault_names_its_file_and_the_row_within_it() {
    let dir = TempDir::new();
    let paths = [
        dir.write("a.csv", csv("7,2024-01-01,1\n7,never,1\n")),
        dir.write("b.csv", csv("7,2024-01-01,1\n7,2024-01-01,1\n7,nor ever,1\n")),
    ];
    let error = orders().read_csv(&paths).expect_err("faults");
    assert_eq!(
        dir.short(error),
        "some rows cannot be used: correct them, or drop invalid rows
5 rows read from 2 files, 3 without faults, 2 with
  2 rows: date cannot be read (column `ordered_on`)
    a.csv row 2: `never`
    b.csv row 3: `nor ever`
    write dates as YYYY-MM-DD, or give the date format"
    );
    let history = orders().with_invalid_rows(InvalidRows::Drop).read_csv(&paths).unwrap();
    assert_eq!(lines(&history), ["7 2024-01-01 3 0"]);
}

#[test]
fn an_empty_file_among_others_is_refused_and_a_header_alone_is_not() {
    let dir = TempDir::new();
    let full = dir.write("full.csv", csv("7,2024-01-01,1\n"));
    let header = dir.write("header.csv", csv(""));
    assert_eq!(lines(&orders().read_csv([&header, &full, &header]).unwrap()), ["7 2024-01-01 1 0"]);
    let empty = dir.write("empty.csv", "");
    let error = orders().read_csv([&full, &empty]).expect_err("no header");
    assert_eq!(
        dir.short(error),
        "empty.csv: cannot be read: it is empty; expected a line of column names and rows below it"
    );
}

#[test]
fn ids_of_integers_and_text_meet_by_their_text() {
    let dir = TempDir::new();
    let paths = [
        write_parquet(&dir, "int32.parquet", with_ids(Series::new("".into(), [7_i32, 10]))),
        write_parquet(&dir, "text.parquet", with_ids(Series::new("".into(), ["10", "07"]))),
        write_parquet(&dir, "wide.parquet", with_ids(Series::new("".into(), [u64::MAX, 7]))),
    ];
    // Text from the first file on, or only from the second: the customers are the same.
    for order in [[0, 1, 2], [1, 0, 2], [2, 0, 1], [2, 1, 0]] {
        let history = orders().read_parquet(order.map(|file| &paths[file])).unwrap();
        assert_eq!(
            lines(&history),
            [
                "07 2024-01-01 2 0",
                "10 2024-01-01 3 0",
                "18446744073709551615 2024-01-01 1 0",
                "7 2024-01-01 3 0",
            ]
        );
        assert_eq!(history.to_frame().unwrap().column("customer_id").unwrap().dtype(), &DataType::String);
    }
}

#[test]
fn integer_ids_of_several_files_keep_their_order_of_numbers() {
    #[track_caller]
    fn check(parts: [&Series; 2], dtype: &DataType, expected: &[&str]) {
        let dir = TempDir::new();
        let paths = [("1.parquet", parts[0]), ("2.parquet", parts[1])]
            .map(|(name, ids)| write_parquet(&dir, name, with_ids(ids.clone())));
        let history = orders().read_parquet(paths).unwrap();
        assert_eq!(lines(&history), expected);
        assert_eq!(history.to_frame().unwrap().column("customer_id").unwrap().dtype(), dtype);
    }
    let ids = |values: [i64; 2], dtype: &DataType| Series::new("".into(), values).cast(dtype).unwrap();
    let (narrow, unsigned) = (DataType::Int32, DataType::UInt64);
    let met = ["9 2024-01-01 3 0", "10 2024-01-01 3 0"];
    check([&ids([9, 10], &narrow), &ids([10, 9], &narrow)], &narrow, &met);
    check([&ids([9, 10], &narrow), &ids([10, 9], &DataType::Int64)], &DataType::Int64, &met);
    check([&ids([9, 10], &DataType::UInt8), &ids([10, 9], &DataType::Int16)], &DataType::Int64, &met);

    // One type in all files is the type that comes out, however large the numbers in each.
    let (small, large) = (ids([10, 9], &unsigned), Series::new("".into(), [u64::MAX, 8]));
    let all =
        ["8 2024-01-01 2 0", "9 2024-01-01 2 0", "10 2024-01-01 1 0", "18446744073709551615 2024-01-01 1 0"];
    check([&small, &large], &unsigned, &all);
    check([&large, &small], &unsigned, &all);
    check([&large, &large], &unsigned, &["8 2024-01-01 4 0", "18446744073709551615 2024-01-01 2 0"]);
    let signed = ids([-1, 8], &DataType::Int64);
    let both = ["-1 2024-01-01 1 0", "8 2024-01-01 4 0", "18446744073709551615 2024-01-01 1 0"];
    check([&signed, &large], &DataType::Int128, &both);
}
