//! Odd files, one kind after the other, through every reader of tables.

use std::path::Path;

use polars::prelude::*;
use winback::campaign::Experiment;
use winback::evidence::{
    Changes, Contacts, CustomerTable, Incidents, Reasons, Suppressions, TableParams, TableReport,
};
use winback::history::InvalidRows;
use winback::losses::Contracts;
use winback::winback::{Offers, PlanSheet, Returns};
use winback::{ChurnModel, Columns, Error, History};

use super::world::World;
use crate::logs::SplitMix;
use crate::support::{TempDir, day, orders};

fn history() -> History {
    let log = df![
        "customer_id" => ["1", "2", "a\nb", "é"],
        "ordered_on" => ["2024-01-01", "2024-02-29", "2024-01-03", "2024-03-01"],
        "amount" => [1.0, 2.0, 3.0, 4.0],
        "store" => ["Cork", "Cork", "Delft", "Delft"],
    ];
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount").with_segments(["store"]);
    History::params(columns).from_frame(&log.unwrap()).unwrap()
}

type Read = fn(&Path, &TableParams, &History) -> Result<TableReport, Error>;

/// Every table of customers: name, header, a good row for customer 1, and its reader.
const TABLES: [(&str, &str, &str, Read); 5] = [
    ("reasons", "customer_id,reason,lost_on", "ID,price,2024-06-01", |path, table, history| {
        let read = Reasons::params().with_table(table.clone()).read(path, history)?;
        Ok(read.report().clone())
    }),
    ("incidents", "customer_id,occurred_on,kind", "ID,2024-06-01,complaint", |path, table, history| {
        Ok(Incidents::read(path, table, history)?.report().clone())
    }),
    ("contacts", "customer_id,on,answer", "ID,2024-06-01,none", |path, table, history| {
        Ok(Contacts::read(path, table, history)?.report().clone())
    }),
    ("suppressions", "customer_id,reason,until", "ID,legal,2024-06-01", |path, table, history| {
        Ok(Suppressions::read(path, table, history)?.report().clone())
    }),
    ("customers", "customer_id,household_id,persona", "ID,H1,family", |path, table, history| {
        Ok(CustomerTable::read(path, table, history)?.report().clone())
    }),
];

#[test]
fn empty_files_say_so() {
    let (dir, history) = (TempDir::new(), history());
    for content in ["", "\u{feff}", "\n\n", "\r\n"] {
        let path = dir.write("empty.csv", content);
        let refused = |error: Error| {
            let words = dir.short(error);
            assert!(words.starts_with("empty.csv: cannot be read: it is empty"), "{content:?}: {words}");
        };
        for (_, _, _, read) in TABLES {
            refused(read(&path, &TableParams::default(), &history).unwrap_err());
        }
        refused(Changes::read(&path, &TableParams::default(), &Reasons::params(), &history).unwrap_err());
        refused(PlanSheet::read(&path).unwrap_err());
        refused(Experiment::params("arm", "none", "returned").read(&path).unwrap_err());
        refused(Returns::params("returned").with_numeric(["x"]).read(&path).unwrap_err());
        refused(Contracts::params("lost").with_segments(["city"]).read(&path).unwrap_err());
        assert!(matches!(Offers::read(&path).unwrap_err(), Error::InvalidDocument { .. }));
        assert!(matches!(ChurnModel::load(&path).unwrap_err(), Error::ModelDamaged { .. }));
    }
}

/// The way a table is written changes nothing that it says.
#[test]
fn marks_line_ends_and_quotes_change_nothing() {
    let (dir, history) = (TempDir::new(), history());
    for (name, header, row, read) in TABLES {
        let rows = |id: &str| row.replace("ID", id);
        let forms = [
            format!("{header}\n{}\n", rows("1")),
            format!("\u{feff}{header}\n{}\n", rows("1")),
            format!("{header}\r\n{}\r\n", rows("1")),
            format!("{header}\r\n{}", rows("\"1\"")),
            format!("{header}\n\n{}\n\n\n", rows("1")),
            format!("{header}\n{}\n", rows("\"a\nb\"")),
            format!("{header}\n{}\n", rows("é")),
            format!("{header}\n{}\n", rows("'1")),
        ];
        for form in forms {
            let path = dir.write("table.csv", &form);
            let report = read(&path, &TableParams::default(), &history)
                .unwrap_or_else(|error| panic!("{name}: {form:?}: {error}"));
            assert_eq!((report.input.rows_read, report.input.rows_kept), (1, 1), "{name}: {form:?}");
            assert_eq!(report.ids.unwrap().matched, 1, "{name}: {form:?}");
        }
    }
}

/// Bytes that are no UTF-8, NUL, and ids of another encoding: told by row, or an id that nobody has.
#[test]
fn encodings_that_do_not_fit_are_told() {
    let (dir, history) = (TempDir::new(), history());
    let dropping = TableParams::default().with_invalid_rows(InvalidRows::Drop);
    for (name, header, row, read) in TABLES {
        let latin = [header.as_bytes(), b"\n", row.replace("ID", "1").as_bytes(), b"\n\xe9,"].concat();
        let latin = [latin.as_slice(), row.replace("ID,", "").as_bytes(), b"\n"].concat();
        let path = dir.write("latin.csv", latin);
        let error = read(&path, &TableParams::default(), &history).unwrap_err().to_string();
        assert!(error.contains("row 2") && error.contains("UTF-8"), "{name}: {error}");
        if name != "suppressions" {
            let report = read(&path, &dropping, &history).unwrap();
            assert_eq!((report.input.rows_kept, report.input.rows_dropped), (1, 1), "{name}");
        }
        let path = dir.write(
            "nul.csv",
            format!("{header}\n{}\n{}\n", row.replace("ID", "1"), row.replace("ID", "2\0")),
        );
        let ids = read(&path, &TableParams::default(), &history).unwrap().ids.unwrap();
        assert_eq!((ids.matched, ids.unmatched[0].id.as_str()), (1, "2\0"), "{name}");
        assert!(!ids.to_string().contains('\0'), "{name}: {ids}");
        let utf16: Vec<u8> =
            format!("\u{feff}{header}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let path = dir.write("utf16.csv", utf16);
        let error = read(&path, &dropping, &history).unwrap_err().to_string();
        assert!(error.contains("UTF-16"), "{name}: {error}");
    }
}

#[test]
fn columns_that_are_missing_or_stand_twice_are_named() {
    let (dir, history) = (TempDir::new(), history());
    for (name, header, row, read) in TABLES {
        let path = dir.write("missing.csv", "id,x\n1,2\n");
        let error = read(&path, &TableParams::default(), &history).unwrap_err();
        assert!(
            matches!(&error, Error::MissingColumns { missing, .. } if missing[0] == "customer_id"),
            "{name}: {error}"
        );
        let path = dir.write("twice.csv", format!("{header},customer_id\n{row},1\n"));
        let error = read(&path, &TableParams::default(), &history).unwrap_err();
        assert!(
            matches!(&error, Error::DuplicateColumn { column, times: 2, .. } if column == "customer_id"),
            "{name}: {error}"
        );
    }
}

/// Dates that no business has, and those that only look odd.
#[test]
fn dates_off_the_calendar_are_told_by_row() {
    let (dir, history) = (TempDir::new(), history());
    let read = |date: &str| {
        let path = dir.write("contacts.csv", format!("customer_id,on\n1,{date}\n"));
        Contacts::read(&path, &TableParams::default(), &history).map(|contacts| contacts.rows()[0].on)
    };
    for bad in [
        "0001-01-01",
        "9999-12-31",
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-04-31",
        "0000-00-00",
        "now",
    ] {
        let error = read(bad).unwrap_err().to_string();
        assert!(error.contains("row 1") && error.contains(bad), "{bad}: {error}");
    }
    for (odd, shown) in [
        ("2024-02-29", "2024-02-29"),
        ("2024-02-29T23:59:59+14:00", "2024-02-29"),
        ("2024-03-01T00:00:00-12:00", "2024-03-01"),
        ("2024-12-31 23:59:59.999999999", "2024-12-31"),
    ] {
        assert_eq!(read(odd).unwrap(), day(shown), "{odd}");
    }
    let path = dir.write("orders.csv", "customer_id,ordered_on,amount\n1,0001-01-01,1\n1,2024-02-29,1\n");
    let error = orders().read_csv([path]).unwrap_err().to_string();
    assert!(error.contains("row 1") && error.contains("0001-01-01"), "{error}");
}

/// Numbers that no sum can carry are told by row; those that sums can carry stay finite.
#[test]
fn numbers_at_the_ends_of_floats_are_told_or_carried() {
    let (dir, history) = (TempDir::new(), history());
    let read = |cost: &str| {
        let path = dir.write(
            "incidents.csv",
            format!("customer_id,occurred_on,kind,cost\n1,2024-06-01,unpaid,{cost}\n"),
        );
        Incidents::read(&path, &TableParams::default(), &history).map(|incidents| incidents.rows()[0].cost)
    };
    for bad in ["NaN", "inf", "-inf", "1e308", "1e309", "-1", "-9223372036854775808", "1e999999999", "x"] {
        let error = read(bad).unwrap_err().to_string();
        assert!(error.contains("row 1"), "{bad}: {error}");
    }
    for (good, value) in [
        ("9223372036854775807", 9_223_372_036_854_775_807_i64 as f64),
        ("5e-324", 5e-324),
        ("-0", 0.0),
        ("0", 0.0),
    ] {
        assert_eq!(read(good).unwrap(), Some(value), "{good}");
    }
    assert_eq!(read("").unwrap(), None);
    for amount in ["1e308", "-1e308", "NaN", "inf"] {
        let path = dir.write(
            "orders.csv",
            format!("customer_id,ordered_on,amount\n1,2024-01-01,1\n1,2024-01-02,{amount}\n"),
        );
        let error = orders().read_csv([path]).unwrap_err().to_string();
        assert!(error.contains("row 2"), "{amount}: {error}");
    }
}

/// A Parquet file that ends anywhere before its end is no Parquet file.
#[test]
fn parquet_cut_at_any_byte_is_refused() {
    let dir = TempDir::new();
    let mut frame = df!["customer_id" => ["1", "2"], "on" => ["2024-06-01", "2024-06-02"]].unwrap();
    let mut whole = Vec::new();
    ParquetWriter::new(&mut whole).finish(&mut frame).unwrap();
    let history = history();
    for length in 0..whole.len() {
        let path = dir.write("contacts.parquet", &whole[..length]);
        let error = Contacts::read(&path, &TableParams::default(), &history).unwrap_err();
        let words = dir.short(&error);
        assert!(matches!(error, Error::Unreadable { .. }), "{length}: {error:?}");
        assert!(
            words.starts_with("contacts.parquet: cannot be read: ") && !words.contains("panicked"),
            "{words}"
        );
    }
    let path = dir.write("contacts.parquet", &whole);
    assert_eq!(Contacts::read(&path, &TableParams::default(), &history).unwrap().rows().len(), 2);
}

/// A model file with any one byte changed is refused, or is a model.
#[test]
fn a_model_with_a_changed_byte_is_refused_or_a_model() {
    let (dir, world) = (TempDir::new(), World::shared());
    let whole = world.model.to_json().unwrap().into_bytes();
    let mut random = SplitMix(11);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        let at = random.next() as usize % bytes.len();
        bytes[at] ^= 1 << (random.next() % 8);
        let path = dir.write("model.json", bytes);
        if let Ok(model) = ChurnModel::load(path) {
            assert!(!model.to_string().is_empty());
        }
    }
}
