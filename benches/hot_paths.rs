//! The hot paths on a seeded log, each beside a naive rival or with its result asserted.
//!
//! `cargo bench` measures; `cargo test --bench hot_paths` only checks the results, on a small log.

#[path = "hot_paths/fit_score.rs"]
mod fit_score;

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use polars::prelude::*;
use winback::{Columns, Cutoffs, Day, FeatureSet, History, Snapshots};

const SEED: u64 = 1;
const DAYS: i32 = 720;
const HORIZON_DAYS: i32 = 90;
const ORDERS_PER_CUSTOMER: usize = 12;

/// In test mode the shape matters, not the size.
fn is_measured() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

fn customers() -> usize {
    if is_measured() { 100_000 } else { 500 }
}

/// SplitMix64 (Steele, Lea and Flood 2014).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A log in random order: every customer buys twelve times on average, some stop early.
fn log() -> DataFrame {
    let mut state = SEED;
    let (mut ids, mut days, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..customers() * ORDERS_PER_CUSTOMER {
        let customer = (random(&mut state) % customers() as u64) as i64;
        let stays = DAYS as u64 / (1 + customer as u64 % 3);
        ids.push(customer);
        days.push(18_000 + (random(&mut state) % stays) as i32);
        amounts.push((random(&mut state) % 10_000) as f64 / 100.0);
    }
    DataFrame::new_infer_height(vec![
        Column::new("customer_id".into(), ids),
        Int32Chunked::from_vec("ordered_on".into(), days).into_date().into_column(),
        Column::new("amount".into(), amounts),
    ])
    .expect("columns of one length")
}

fn history(log: &DataFrame) -> History {
    History::params(Columns::new("customer_id", "ordered_on").with_amount("amount"))
        .from_frame(log)
        .expect("a clean log")
}

/// Purchases per customer, the way one writes it first.
fn group_naively(log: &DataFrame) -> BTreeMap<i64, BTreeMap<i32, f64>> {
    let ids = log.column("customer_id").and_then(|column| column.i64().cloned()).expect("ids");
    let days = log.column("ordered_on").expect("days").to_physical_repr();
    let days = days.i32().expect("days");
    let amounts = log.column("amount").and_then(|column| column.f64().cloned()).expect("amounts");
    let mut customers: BTreeMap<i64, BTreeMap<i32, f64>> = BTreeMap::new();
    for ((id, day), amount) in ids.iter().zip(days.iter()).zip(amounts.iter()) {
        let (Some(id), Some(day), Some(amount)) = (id, day, amount) else { continue };
        *customers.entry(id).or_default().entry(day).or_default() += amount;
    }
    customers
}

fn group(criterion: &mut Criterion) {
    let log = log();
    let naive: usize = group_naively(&log).values().map(BTreeMap::len).sum();
    assert_eq!(history(&log).purchases(), naive);
    let mut bench = criterion.benchmark_group("group");
    bench.throughput(Throughput::Elements(log.height() as u64));
    bench.bench_function("winback", |b| b.iter(|| black_box(history(&log))));
    bench.bench_function("naive", |b| b.iter(|| black_box(group_naively(&log))));
    bench.finish();
}

fn walk(criterion: &mut Criterion) {
    let history = history(&log());
    let last = history.observed_until().plus_days(-HORIZON_DAYS);
    let panel = |cutoffs: i32| {
        let days: Vec<Day> = (0..cutoffs).map(|back| last.plus_days(-15 * back)).collect();
        Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &[])).with_cutoffs(Cutoffs::explicit(days))
    };
    let alone = FeatureSet::standard(HORIZON_DAYS, &[]).features_at(&history, last).expect("features");
    let mut bench = criterion.benchmark_group("walk");
    for cutoffs in [1, 12, 24] {
        let params = panel(cutoffs);
        assert!(params.build(&history).expect("a panel").rows() >= alone.height());
        bench.throughput(Throughput::Elements(history.purchases() as u64 * cutoffs as u64));
        bench.bench_function(format!("{cutoffs} cutoffs"), |b| b.iter(|| black_box(params.build(&history))));
    }
    bench.finish();
}

criterion_group!(benches, group, walk, fit_score::fit, fit_score::score);
criterion_main!(benches);
