//! Whom nobody may contact, and what is known of customers beside their orders.

use polars::prelude::*;
use winback::evidence::{CustomerTable, Suppressions, TableParams};
use winback::history::InvalidRows;
use winback::{Columns, Error, History};

fn history() -> History {
    let orders =
        df!["customer_id" => ["a", "b", "c"], "ordered_on" => ["2024-01-05", "2024-02-01", "2024-02-02"]];
    History::params(Columns::new("customer_id", "ordered_on")).from_frame(&orders.unwrap()).unwrap()
}

#[test]
fn a_list_that_matches_nobody_is_refused_with_the_ids_it_should_look_like() {
    let list = df!["customer_id" => ["A", "B"], "reason" => ["opted out", "deceased"]].unwrap();
    let error = Suppressions::from_frame(&list, &TableParams::default(), &history()).unwrap_err();
    assert!(matches!(error, Error::NobodyMatched { .. }));
    let said = error.to_string();
    assert!(said.contains("matches no customer of the log") && said.contains("`a`"), "{said}");
}

/// Nobody has opted out yet.
#[test]
fn an_empty_list_suppresses_nobody_and_is_told() {
    let folder = crate::support::TempDir::new();
    let file = folder.write("suppress.csv", "customer_id,reason\n");
    let found = Suppressions::read(file, &TableParams::default(), &history()).unwrap();
    assert!(found.rows().is_empty());
    assert!(found.report().to_string().contains("the table is empty"), "{}", found.report());
}

/// Plans write a `'` before an id that a spreadsheet would run; a list copied from one means the same customer.
#[test]
fn ids_as_a_plan_writes_them_are_suppressed() {
    let orders =
        df!["customer_id" => ["=a", "'b", "c"], "ordered_on" => ["2024-01-05", "2024-02-01", "2024-02-02"]];
    let history =
        History::params(Columns::new("customer_id", "ordered_on")).from_frame(&orders.unwrap()).unwrap();
    let list = df!["customer_id" => ["'=a", "''b", "c"]].unwrap();
    let table = TableParams::default();
    let found = Suppressions::from_frame(&list, &table, &history).unwrap();
    let ids: Vec<&str> = found.rows().iter().map(|row| row.customer_id.as_str()).collect();
    assert_eq!(ids, ["=a", "'b", "c"]);
    assert_eq!(found.report().ids.as_ref().unwrap().matched, 3);
    let customers = CustomerTable::from_frame(&list, &table, &history).unwrap();
    assert_eq!(customers.rows()[0].customer_id, "=a");
    let twice = df!["customer_id" => ["=a", "'=a"]].unwrap();
    assert!(CustomerTable::from_frame(&twice, &table, &history).is_err());
}

/// A row left out would be a customer contacted.
#[test]
fn faulty_suppressions_are_never_dropped() {
    let list = df!["customer_id" => ["a", "b"], "until" => ["2024-05-01", "soon"]].unwrap();
    let table = TableParams::default().with_invalid_rows(InvalidRows::Drop);
    let said = Suppressions::from_frame(&list, &table, &history()).unwrap_err().to_string();
    assert!(said.contains("date cannot be read") && said.contains("soon"), "{said}");
}

#[test]
fn a_customer_stands_in_one_row() {
    let table = df!["customer_id" => ["a", "b", "a"], "persona" => ["x", "y", "z"]].unwrap();
    let said =
        CustomerTable::from_frame(&table, &TableParams::default(), &history()).unwrap_err().to_string();
    assert!(said.contains("a, already in row 1"), "{said}");
    let lenient = TableParams::default().with_invalid_rows(InvalidRows::Drop);
    let customers = CustomerTable::from_frame(&table, &lenient, &history()).unwrap();
    assert_eq!((customers.rows().len(), customers.report().input.rows_dropped), (2, 1));
}
