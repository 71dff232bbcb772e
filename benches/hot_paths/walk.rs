//! Hot path 2: features at several cutoffs.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use polars::prelude::*;
use winback::{Day, FeatureSet, kernels};

use super::logs::{Log, customers};
use super::{HORIZON_DAYS, history};

/// Days from one cutoff to the next.
const STEP_DAYS: i32 = 15;
/// The features that the naive rival has.
const NAIVE: [&str; 4] = ["days_since_last", "n_purchases", "amount_mean", "spend_amount_last_90_days"];

/// Four of the features, each from the first purchase on at every cutoff; by customer and cutoff.
fn walk_naively(customers: &BTreeMap<i64, BTreeMap<i32, f64>>, cutoffs: &[Day]) -> Vec<[f64; 4]> {
    let mut rows = Vec::new();
    for purchases in customers.values() {
        for cutoff in cutoffs.iter().map(|cutoff| cutoff.days_since_epoch()) {
            let known: Vec<(i32, f64)> =
                purchases.iter().map(|(&day, &net)| (day, net)).filter(|(day, _)| *day <= cutoff).collect();
            let Some((last, _)) = known.last() else { continue };
            let spent: f64 = known.iter().map(|(_, net)| net).sum();
            let lately = known.iter().filter(|(day, _)| *day > cutoff - 90).map(|(_, net)| net).sum();
            let purchases = known.len() as f64;
            rows.push([f64::from(cutoff - last), purchases, spent / purchases, lately]);
        }
    }
    rows
}

pub fn walk(criterion: &mut Criterion) {
    let log = Log::seeded(customers());
    let naive = log.group_naively(&log.ids);
    let bare = kernels::group(&log.ids, &log.days, &log.amounts).expect("rows");
    let history = history(&log.frame());
    let last = history.observed_until();
    let set = FeatureSet::standard(HORIZON_DAYS, &[]);
    let mut bench = criterion.benchmark_group("walk");
    bench.sample_size(20);
    for cutoffs in [1, 12, 24] {
        let days: Vec<Day> = (0..cutoffs).rev().map(|back| last.plus_days(-STEP_DAYS * back)).collect();
        let panel = set.features_at_each(&history, &days).expect("features");
        let (rows, _) = kernels::walk(&bare, HORIZON_DAYS, &raw(&days)).expect("a walk");
        assert_eq!(rows, panel.height());
        assert_same(&panel, &walk_naively(&naive, &days));
        bench.throughput(Throughput::Elements(panel.height() as u64));
        bench.bench_function(BenchmarkId::new("features", cutoffs), |b| {
            b.iter_with_large_drop(|| black_box(set.features_at_each(&history, &days)));
        });
        bench.bench_function(BenchmarkId::new("naive, four of them", cutoffs), |b| {
            b.iter_with_large_drop(|| black_box(walk_naively(&naive, &days)));
        });
    }
    bench.finish();
}

fn raw(days: &[Day]) -> Vec<i32> {
    days.iter().map(|day| day.days_since_epoch()).collect()
}

fn assert_same(panel: &DataFrame, naive: &[[f64; 4]]) {
    assert_eq!(panel.height(), naive.len());
    for (place, name) in NAIVE.iter().enumerate() {
        let column = panel.column(name).and_then(|column| column.f64().cloned()).expect("a feature");
        for (value, row) in column.iter().zip(naive) {
            let value = value.expect("defined for all");
            assert!((value - row[place]).abs() <= 1e-9 * row[place].abs(), "{name}: {value} {}", row[place]);
        }
    }
}
