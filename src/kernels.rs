//! What do the hot paths cost by themselves? Slices in, slices out, for benches and instruction counts.
//!
//! No part of the API: anything here may change in any version.

use std::ops::Range;

use fearless_simd::Simd;
use rayon::prelude::*;

use crate::day::Day;
use crate::error::Result;
use crate::features::{FeatureSet, Population, walk as walk_history};
use crate::history::History;
use crate::math::{Kernel, wide};
use crate::model::{ChurnModel, Design, fit_logistic, linear};

/// Rows, grouped by customer.
#[derive(Clone, Debug)]
pub struct Grouped(History);

impl Grouped {
    /// How many customers there are.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.0.customers()
    }

    /// How many purchases they made.
    #[must_use]
    pub fn purchases(&self) -> usize {
        self.0.purchases()
    }
}

/// Groups clean rows: ids, days since 1970-01-01, amounts. `None` without rows.
#[must_use]
pub fn group(ids: &[i64], days: &[i32], amounts: &[f64]) -> Option<Grouped> {
    History::from_slices(ids, days, amounts).map(Grouped)
}

/// The features that every log has, for everyone at every cutoff (ascending): how many rows, and the sum of
/// all values that are not null.
///
/// # Errors
/// As [`FeatureSet::features_at_each`].
pub fn walk(grouped: &Grouped, horizon_days: i32, cutoffs: &[i32]) -> Result<(usize, f64)> {
    let features = FeatureSet::standard(horizon_days, &[]).resolve(&grouped.0)?;
    let cutoffs: Vec<Day> = cutoffs.iter().map(|&day| Day::from_days_since_epoch(day)).collect();
    let panel = walk_history(&grouped.0, &features, &cutoffs, (Population::All, horizon_days))?;
    let values = panel.columns.iter().flatten().filter(|value| !value.is_nan());
    Ok((panel.ranks.len(), values.sum()))
}

/// Columns as they are: nothing to expand.
struct Columns<'a> {
    columns: &'a [&'a [f64]],
    rows: usize,
}

impl Design for Columns<'_> {
    fn rows(&self) -> usize {
        self.rows
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn fill(&self, rows: Range<usize>, stride: usize, out: &mut [f64]) {
        for (column, out) in self.columns.iter().zip(out.chunks_mut(stride)) {
            out[..rows.len()].copy_from_slice(&column[rows.clone()]);
        }
    }
}

/// The intercept and one coefficient per column of a logistic regression, minimising
/// Σ ln(1 + e^η) − yη + ½ λ ‖β‖² with the intercept free, and the number of Newton iterations. Columns have
/// about unit variance.
///
/// # Errors
/// As [`ChurnModelParams::fit`](crate::model::ChurnModelParams::fit).
pub fn logistic(columns: &[&[f64]], labels: &[bool], l2: f64) -> Result<(Vec<f64>, usize)> {
    let fit = fit_logistic(&Columns { columns, rows: labels.len() }, labels, l2, None)?;
    Ok((fit.beta, fit.iterations))
}

/// Writes 1 / (1 + e^−η) of every row, η = β₀ + Σ β x.
pub fn probabilities(columns: &[&[f64]], beta: &[f64], out: &mut [f64]) {
    linear(columns, beta, out);
}

/// The probabilities of rows of raw features, one column per feature of the model, in order; the
/// season left out.
#[must_use]
pub fn score(model: &ChurnModel, columns: &[&[f64]]) -> Vec<f64> {
    model.scorer().probabilities(columns, 0.0)
}

/// The sum of all columns, in no order to rely on: what merely reading the numbers costs.
#[must_use]
pub fn sum(columns: &[&[f64]]) -> f64 {
    const ROWS_PER_BLOCK: usize = 1 << 14;
    let blocks = columns.par_iter().flat_map(|column| column.par_chunks(ROWS_PER_BLOCK));
    blocks.map(|values| wide(Sum(values))).sum()
}

struct Sum<'a>(&'a [f64]);

impl Kernel for Sum<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f64 {
        /// Enough to keep every adder busy.
        const LANES: usize = 32;
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for chunk in chunks {
            (0..LANES).for_each(|lane| lanes[lane] += chunk[lane]);
        }
        lanes.iter().chain(rest).sum()
    }
}
