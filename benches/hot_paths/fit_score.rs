//! Hot path 3: fitting a logistic regression and turning rows into probabilities, beside what one writes
//! first and beside merely reading the numbers.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use polars::prelude::DataFrame;
use winback::{ChurnModel, Cutoffs, FeatureSet, History, Snapshots, kernels};

use super::{HORIZON_DAYS, SEED, history, is_measured, log, random};

pub const WIDTH: usize = 20;
/// scikit-learn's default, C = 1.
pub const L2: f64 = 1.0;
/// How far two ways to the same optimum may end apart.
const TOLERANCE: f64 = 1e-6;

/// Columns of about unit variance, and labels drawn from a logistic model of them.
pub fn problem(rows: usize) -> (Vec<Vec<f64>>, Vec<bool>) {
    let mut state = SEED;
    let mut uniform = move || (random(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
    let mut column = || (0..rows).map(|_| 3_f64.sqrt() * (2.0 * uniform() - 1.0)).collect::<Vec<f64>>();
    let columns: Vec<Vec<f64>> = (0..WIDTH).map(|_| column()).collect();
    let noise = column();
    let labels = (0..rows)
        .map(|row| {
            let eta: f64 = columns.iter().enumerate().map(|(j, x)| x[row] * truth(j)).sum::<f64>() - 0.5;
            let uniform = (noise[row] / 3_f64.sqrt() + 1.0) / 2.0;
            uniform < 1.0 / (1.0 + (-eta).exp())
        })
        .collect();
    (columns, labels)
}

pub fn truth(column: usize) -> f64 {
    (column as f64 - 9.5) / 20.0
}

pub fn slices(columns: &[Vec<f64>]) -> Vec<&[f64]> {
    columns.iter().map(Vec::as_slice).collect()
}

/// Newton's method, row by row.
fn fit_naively(columns: &[Vec<f64>], labels: &[bool]) -> Vec<f64> {
    let width = columns.len() + 1;
    let mut beta = vec![0.0; width];
    for _ in 0..25 {
        let (mut gradient, mut hessian) = (vec![0.0; width], vec![vec![0.0; width]; width]);
        for row in 0..labels.len() {
            let x: Vec<f64> = std::iter::once(1.0).chain(columns.iter().map(|column| column[row])).collect();
            let eta: f64 = x.iter().zip(&beta).map(|(x, b)| x * b).sum();
            let p = 1.0 / (1.0 + (-eta).exp());
            for j in 0..width {
                gradient[j] += x[j] * (p - f64::from(u8::from(labels[row])));
                (0..width).for_each(|k| hessian[j][k] += x[j] * x[k] * p * (1.0 - p));
            }
        }
        for j in 1..width {
            gradient[j] += L2 * beta[j];
            hessian[j][j] += L2;
        }
        let step = eliminate(hessian, gradient);
        beta.iter_mut().zip(&step).for_each(|(b, s)| *b -= s);
        if step.iter().all(|s| s.abs() < TOLERANCE / 10.0) {
            break;
        }
    }
    beta
}

/// Gauss's elimination of a positive definite system.
fn eliminate(mut matrix: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let width = b.len();
    for j in 0..width {
        for i in j + 1..width {
            let factor = matrix[i][j] / matrix[j][j];
            let pivot = matrix[j].clone();
            matrix[i].iter_mut().zip(&pivot).for_each(|(value, above)| *value -= factor * above);
            b[i] -= factor * b[j];
        }
    }
    for j in (0..width).rev() {
        let known: f64 = (j + 1..width).map(|k| matrix[j][k] * b[k]).sum();
        b[j] = (b[j] - known) / matrix[j][j];
    }
    b
}

pub fn fit(criterion: &mut Criterion) {
    let mut bench = criterion.benchmark_group("fit");
    bench.sample_size(10);
    for rows in if is_measured() { [100_000, 1_000_000] } else { [1_000, 5_000] } {
        let (columns, labels) = problem(rows);
        let columns_of = slices(&columns);
        let fitted = kernels::logistic(&columns_of, &labels, L2).expect("a fit").0;
        let naive = fit_naively(&columns, &labels);
        assert!(fitted.iter().zip(&naive).all(|(a, b)| (a - b).abs() < TOLERANCE), "{fitted:?} {naive:?}");
        bench.throughput(Throughput::Elements(rows as u64));
        bench.bench_function(BenchmarkId::new("kernel", rows), |b| {
            b.iter(|| black_box(kernels::logistic(&columns_of, &labels, L2)));
        });
        if rows <= 100_000 {
            bench.bench_function(BenchmarkId::new("naive", rows), |b| {
                b.iter(|| black_box(fit_naively(&columns, &labels)));
            });
        }
    }
    let history = history(&log());
    let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &[]))
        .with_cutoffs(Cutoffs::rolling().at_most(2))
        .build(&history)
        .expect("a panel");
    bench.throughput(Throughput::Elements(snapshots.rows() as u64));
    for (name, params) in [
        ("model, strength given", ChurnModel::params().with_l2(1.0)),
        ("model, strength chosen", ChurnModel::params()),
    ] {
        assert!(params.fit(&snapshots).expect("a model").fit_summary().converged);
        bench.bench_function(name, |b| b.iter(|| black_box(params.fit(&snapshots))));
    }
    bench.finish();
}

/// Row by row.
fn probabilities_naively(columns: &[Vec<f64>], beta: &[f64]) -> Vec<f64> {
    (0..columns[0].len())
        .map(|row| {
            let x = columns.iter().zip(&beta[1..]).map(|(column, b)| column[row] * b);
            1.0 / (1.0 + (-x.fold(beta[0], |sum, x| sum + x)).exp())
        })
        .collect()
}

fn differ(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// A model of the log, and its customers' features.
pub struct Scored {
    history: History,
    pub model: ChurnModel,
    features: DataFrame,
    /// The features column by column, customers several times over.
    pub raw: Vec<Vec<f64>>,
}

impl Scored {
    pub fn new(rows: usize) -> Self {
        let history = history(&log());
        let set = FeatureSet::standard(HORIZON_DAYS, &[]);
        let snapshots = Snapshots::params(set.clone()).build(&history).expect("a panel");
        let model = ChurnModel::params().with_l2(1.0).fit(&snapshots).expect("a model");
        let features = set.features_at(&history, history.observed_until()).expect("features");
        let column = |name: &str| -> Vec<f64> {
            let column = features.column(name).and_then(|column| column.f64().cloned());
            let column = column.expect("a feature");
            let values: Vec<f64> = column.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
            values.into_iter().cycle().take(rows).collect()
        };
        let raw = model.features().iter().map(|feature| column(&feature.name())).collect();
        Scored { history, model, features, raw }
    }
}

pub fn score(criterion: &mut Criterion) {
    let rows = if is_measured() { 1_000_000 } else { 5_000 };
    let mut bench = criterion.benchmark_group("score");
    bench.throughput(Throughput::Elements(rows as u64));
    let (columns, _) = problem(rows);
    let columns_of = slices(&columns);
    let beta: Vec<f64> = std::iter::once(-0.5).chain((0..WIDTH).map(truth)).collect();
    let mut out = vec![0.0; rows];
    kernels::probabilities(&columns_of, &beta, &mut out);
    assert!(differ(&out, &probabilities_naively(&columns, &beta)) < 1e-14);
    bench.bench_function("linear kernel", |b| {
        b.iter(|| kernels::probabilities(&columns_of, &beta, black_box(&mut out)));
    });
    bench.bench_function("linear, summing only", |b| b.iter(|| black_box(kernels::sum(&columns_of))));
    bench.bench_function("linear, naive", |b| b.iter(|| black_box(probabilities_naively(&columns, &beta))));
    drop(columns);

    let Scored { history, model, features, raw } = Scored::new(rows);
    let last = history.observed_until();
    let scores = model.score(&history, last).expect("scores");
    assert_eq!(scores.probabilities(), model.score_frame(&features).expect("scores").probabilities());
    let raw_of = slices(&raw);
    assert_eq!(
        kernels::score(&model, &raw_of)[..scores.len().min(rows)],
        scores.probabilities()[..scores.len().min(rows)]
    );
    bench.bench_function("raw features", |b| b.iter(|| black_box(kernels::score(&model, &raw_of))));
    let few: Vec<Vec<f64>> = raw.iter().map(|column| column[..rows / 10].to_vec()).collect();
    bench.throughput(Throughput::Elements(few[0].len() as u64));
    bench.bench_function("raw features, logarithms only, naive", |b| {
        b.iter(|| few.iter().flatten().map(|value| value.ln_1p()).fold(0.0, f64::max));
    });
    bench.throughput(Throughput::Elements(scores.len() as u64));
    bench.bench_function("frame of features", |b| b.iter(|| black_box(model.score_frame(&features))));
    bench.bench_function("history", |b| b.iter(|| black_box(model.score(&history, last))));
    bench.bench_function("table with drivers", |b| b.iter(|| black_box(scores.to_frame())));
    bench.finish();
}
