//! Large in one direction: one customer with everything, everybody with one order, ids of megabytes.

use std::time::Instant;

use polars::prelude::*;
use winback::evidence::{Contacts, Suppressions, TableParams};
use winback::history::InvalidRows;
use winback::losses::Losses;
use winback::{ChurnModel, Cutoffs, FeatureSet, History, Snapshots};

use crate::logs::{first_day, params, standard};
use crate::support::{TempDir, orders};

#[test]
fn an_id_of_ten_megabytes_is_an_id_everywhere() {
    let dir = TempDir::new();
    let long = "7".repeat(10 << 20);
    let log = dir
        .write("orders.csv", format!("customer_id,ordered_on,amount\n{long},2024-01-01,1\n8,2024-01-02,1\n"));
    let history = orders().read_csv([log]).unwrap();
    assert_eq!(history.customers(), 2);
    let table = TableParams::default();
    let list = dir.write("list.csv", format!("customer_id\n{long}\n"));
    assert_eq!(Suppressions::read(&list, &table, &history).unwrap().rows().len(), 1);
    // Where it cannot serve, it is told in part.
    let bad =
        dir.write("contacts.csv", format!("customer_id,on,answer\n{long}0,{long},{long}\n8,2024-01-01,\n"));
    let error = Contacts::read(&bad, &table, &history).unwrap_err().to_string();
    assert!(error.len() < 2_000, "{} bytes", error.len());
    let read = Contacts::read(&bad, &table.with_invalid_rows(InvalidRows::Drop), &history).unwrap();
    assert_eq!(read.rows().len(), 1);
    assert!(read.report().to_string().len() < 2_000);
    let other = dir.write("other.csv", format!("customer_id\n{long}0\n"));
    let error = Suppressions::read(&other, &TableParams::default(), &history).unwrap_err().to_string();
    assert!(error.len() < 2_000, "{} bytes", error.len());
    let wide = dir.write("wide.csv", format!("customer_id,{long}\n8,1\n"));
    let error = Contacts::read(&wide, &TableParams::default(), &history).unwrap_err().to_string();
    assert!(error.len() < 2_000, "{} bytes", error.len());
}

const MANY: usize = 10_000_000;

fn log(customers: impl Fn(usize) -> i64, day: impl Fn(usize) -> i32) -> History {
    let first = first_day().days_since_epoch();
    let days: Vec<i32> = (0..MANY).map(|row| first + day(row)).collect();
    let frame = DataFrame::new_infer_height(vec![
        Column::new("customer".into(), (0..MANY).map(customers).collect::<Vec<_>>()),
        Int32Chunked::from_vec("day".into(), days).into_date().into_column(),
        Column::new("amount".into(), (0..MANY).map(|row| (row % 97) as f64).collect::<Vec<_>>()),
        Column::new("discount".into(), vec![0.0; MANY]),
        Column::new("store".into(), vec!["Cork"; MANY]),
    ]);
    params().from_frame(&frame.unwrap()).unwrap()
}

fn to_the_end(history: &History) {
    let started = Instant::now();
    let features = standard(60).features_at(history, history.observed_until()).unwrap();
    println!("{} rows of features after {:.1} s", features.height(), started.elapsed().as_secs_f64());
    let set = FeatureSet::standard(60, &["store"]);
    let params = Snapshots::params(set).with_horizon_days(60).with_cutoffs(Cutoffs::rolling().at_most(2));
    let snapshots = params.build(history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    println!("fitted after {:.1} s", started.elapsed().as_secs_f64());
    let scores = model.score(history, history.observed_until()).unwrap();
    assert!(scores.probabilities().iter().all(|p| (0.0..=1.0).contains(p)));
    println!("{} scored after {:.1} s", scores.len(), started.elapsed().as_secs_f64());
    let losses = Losses::params().analyse(history, &model, &winback::evidence::Evidence::default()).unwrap();
    println!("examined after {:.1} s", started.elapsed().as_secs_f64());
    assert!(!losses.to_string().is_empty());
}

#[test]
#[ignore = "takes gigabytes"]
fn one_customer_with_ten_million_orders() {
    // On a thousand days, so that most of them are merged.
    let history = log(|_| 1, |row| (row % 1_000) as i32);
    assert_eq!((history.customers(), history.purchases()), (1, 1_000));
    to_the_end(&history);
}

#[test]
#[ignore = "takes gigabytes"]
fn ten_million_customers_with_one_order() {
    let history = log(|row| row as i64, |row| (row % 700) as i32);
    assert_eq!((history.customers(), history.purchases()), (MANY, MANY));
    to_the_end(&history);
}
