//! All of it: from a Parquet file to everybody's probability, beside merely reading the file.

use std::fs::File;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use polars::prelude::*;
use winback::{ChurnModel, FeatureSet, Snapshots};

use super::logs::{Log, Sorting, customers};
use super::{HORIZON_DAYS, history};

pub fn pipeline(criterion: &mut Criterion) {
    let mut log = Log::seeded(customers()).sorted(Sorting::Time).frame();
    let file = std::env::temp_dir().join(format!("winback-pipeline-{}.parquet", std::process::id()));
    let written = File::create(&file).expect("a temporary file");
    ParquetWriter::new(written).finish(&mut log).expect("a Parquet file");
    let history = history(&log);
    let snapshots =
        Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &[])).build(&history).expect("a panel");
    let model = ChurnModel::params().with_l2(1.0).fit(&snapshots).expect("a model");
    let score = || {
        let history = model.reading().read_parquet([&file]).expect("a history");
        model.score(&history, history.observed_until()).expect("scores")
    };
    let read = || ParquetReader::new(File::open(&file).expect("the file")).finish().expect("a frame");
    let of_frame = model.score(&history, history.observed_until()).expect("scores");
    assert_eq!(score().probabilities(), of_frame.probabilities());
    assert_eq!(read().height(), log.height());
    let mut bench = criterion.benchmark_group("pipeline");
    bench.sample_size(20);
    bench.throughput(Throughput::Elements(log.height() as u64));
    bench.bench_function("Parquet to scores", |b| b.iter_with_large_drop(|| black_box(score())));
    bench.bench_function("bare read", |b| b.iter_with_large_drop(|| black_box(read())));
    bench.finish();
    std::fs::remove_file(file).expect("the file goes");
}
