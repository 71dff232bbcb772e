//! Hot path 1, later: one per cent of new orders join a history, beside reading all of it again.

use std::hint::black_box;

use criterion::{Criterion, Throughput};

use super::logs::{Log, ORDERS_PER_CUSTOMER, random};
use super::{SEED, history, is_measured, medians};

/// Of 512 partitions so many hold the customers of the confined orders: about one per cent.
const CONFINED_PARTITIONS: u64 = 5;
/// At most such a share of the time of reading all again; a machine that is busy gets some slack.
const BARS: [(&str, f64); 2] = [("confined", 0.1), ("spread", 0.5)];
const SLACK: f64 = 1.5;
const TURNS: usize = 7;

/// As many orders, in the last days of the log, of customers known or new.
fn later(log: &Log, orders: usize, is_chosen: impl Fn(i64) -> bool) -> Log {
    let mut state = SEED + 1;
    let known = log.ids.len() / ORDERS_PER_CUSTOMER;
    // One customer in fifty has no order yet.
    let chosen: Vec<i64> = (0..(known + known / 50) as i64).filter(|&id| is_chosen(id)).collect();
    let last = log.days.iter().max().expect("rows");
    let mut new = Log::default();
    for _ in 0..orders {
        new.ids.push(chosen[(random(&mut state) % chosen.len() as u64) as usize]);
        new.days.push(last - 6 + (random(&mut state) % 14) as i32);
        new.amounts.push((random(&mut state) % 10_000) as f64 / 100.0);
    }
    new
}

/// The partition of an integer id: the top nine bits of SplitMix64, started from it.
fn partition(id: i64) -> u64 {
    random(&mut (id as u64)) >> 55
}

pub fn append(criterion: &mut Criterion) {
    let log = Log::seeded(if is_measured() { 1_000_000 } else { 2_000 });
    let before = history(&log.frame());
    let orders = log.ids.len() / 100;
    let mut bench = criterion.benchmark_group("append");
    bench.sample_size(10);
    bench.throughput(Throughput::Elements(orders as u64));
    for (name, bar) in BARS {
        let new = later(&log, orders, |id| name == "spread" || partition(id) < CONFINED_PARTITIONS);
        let all = log.joined(&new).frame();
        let new = new.frame();
        let append = || before.append(&new).expect("a clean log");
        let again = || history(&all);
        assert_eq!(append().fingerprint(), again().fingerprint());
        bench.bench_function(name, |b| b.iter_with_large_drop(|| black_box(append())));
        bench.bench_function(format!("{name}, all read again"), |b| {
            b.iter_with_large_drop(|| black_box(again()));
        });
        if is_measured() {
            let (appended, read) = medians(TURNS, append, again);
            let share = appended / read;
            let verdict = if share <= bar { "met" } else { "missed" };
            println!("append, {name}: {appended:.4} s of {read:.4} s, {share:.3}; at most {bar}: {verdict}");
            assert!(share <= SLACK * bar);
        }
    }
    bench.finish();
}
