//! Does cost grow with the log, and no faster? Grouping and one cutoff's features, from ten thousand orders up.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use winback::FeatureSet;

use super::logs::{Log, ORDERS_PER_CUSTOMER};
use super::{HORIZON_DAYS, history, is_measured, medians};

const TURNS: usize = 7;
/// Beyond the cache an order costs more than within it; but no order costs more for those beside it.
const LARGEST_GROWTH: f64 = 2.0;

pub fn size(criterion: &mut Criterion) {
    let sizes: &[usize] =
        if is_measured() { &[10_000, 100_000, 1_000_000, 10_000_000] } else { &[1_000, 10_000] };
    let set = FeatureSet::standard(HORIZON_DAYS, &[]);
    let mut bench = criterion.benchmark_group("size");
    bench.sample_size(10);
    let mut told = Vec::new();
    for &size in sizes {
        let log = Log::seeded(size / ORDERS_PER_CUSTOMER);
        let frame = log.frame();
        let grouped = history(&frame);
        let last = grouped.observed_until();
        let features = || set.features_at(&grouped, last).expect("features");
        assert_eq!(features().height(), grouped.customers());
        let orders = frame.height() as u64;
        bench.throughput(Throughput::Elements(orders));
        bench.bench_function(BenchmarkId::new("group", size), |b| {
            b.iter_with_large_drop(|| black_box(history(&frame)));
        });
        bench.bench_function(BenchmarkId::new("walk", size), |b| {
            b.iter_with_large_drop(|| black_box(features()));
        });
        if size <= 1_000_000 {
            bench.bench_function(BenchmarkId::new("group, naive", size), |b| {
                b.iter_with_large_drop(|| black_box(log.group_naively(&log.ids)));
            });
        }
        let (group, walk) = medians(TURNS, || history(&frame), features);
        let per_order = |seconds: f64| 1e9 * seconds / orders as f64;
        told.push((size, per_order(group), per_order(walk)));
    }
    bench.finish();
    if is_measured() {
        for (size, group, walk) in &told {
            println!("{size} orders: {group:.1} ns per order grouped, {walk:.1} ns per order walked");
        }
        let (_, group, walk) = told[told.len() - 1];
        let (_, group_before, walk_before) = told[told.len() - 2];
        assert!(group <= LARGEST_GROWTH * group_before && walk <= LARGEST_GROWTH * walk_before);
    }
}
