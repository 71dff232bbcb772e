//! Hot path 1: rows become a ragged history.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use winback::kernels;

use super::history;
use super::logs::{Log, Sorting, customers};

pub fn group(criterion: &mut Criterion) {
    let shuffled = Log::seeded(customers());
    let purchases: usize = shuffled.group_naively(&shuffled.ids).values().map(|days| days.len()).sum();
    let bare = kernels::group(&shuffled.ids, &shuffled.days, &shuffled.amounts).expect("rows");
    assert_eq!(bare.purchases(), purchases);
    let mut bench = criterion.benchmark_group("group");
    bench.sample_size(20);
    bench.throughput(Throughput::Elements(shuffled.ids.len() as u64));
    for (sorting, name) in
        [(Sorting::Shuffled, "shuffled"), (Sorting::Time, "by time"), (Sorting::Customer, "by customer")]
    {
        let log = shuffled.sorted(sorting);
        for (ids, frame) in [("integer ids", log.frame()), ("string ids", log.frame_with_texts())] {
            let grouped = history(&frame);
            assert_eq!((grouped.purchases(), grouped.customers()), (purchases, bare.customers()));
            bench.bench_function(format!("{ids}, {name}"), |b| {
                b.iter_with_large_drop(|| black_box(history(&frame)));
            });
        }
    }
    bench.bench_function("integer ids, shuffled, naive", |b| {
        b.iter_with_large_drop(|| black_box(shuffled.group_naively(&shuffled.ids)));
    });
    let texts = shuffled.texts();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    bench.bench_function("string ids, shuffled, naive", |b| {
        b.iter_with_large_drop(|| black_box(shuffled.group_naively(&texts)));
    });
    bench.finish();
}
