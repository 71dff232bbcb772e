//! What do the hot paths cost by themselves? Slices in, slices out, for benches and instruction counts.
//!
//! No part of the API: anything here may change in any version.

use std::ops::Range;

use crate::error::Result;
use crate::model::{ChurnModel, Design, fit_logistic, linear};

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
