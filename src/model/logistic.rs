//! A logistic regression that is finished: linfa-logistic starts it, Newton ends it.
//!
//! The only file that names ndarray and linfa, and a generic one: rows come from a [`Design`].
//! linfa-logistic calls the larger class positive, ignores weights and does not say whether it
//! converged, so it only provides the start, on a bounded sample; Newton's method on all rows decides.

use std::ops::Range;

use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::design::{Design, ROWS_PER_BLOCK, ROWS_PER_TILE, Sums, Tile, pass};
use super::linear::{cholesky, invert, multiply, solve};
use crate::error::{Error, Result};

/// Newton ends when no mean gradient exceeds this (columns have unit variance).
const GRADIENT_TOLERANCE: f64 = 1e-10;
const MOST_ITERATIONS: usize = 60;
const MOST_HALVINGS: usize = 30;
/// Rows that linfa-logistic starts on.
const START_ROWS: usize = 5_000;
const START_ITERATIONS: u64 = 30;

/// A fitted logistic regression on standardised columns.
#[derive(Clone, Debug)]
pub(crate) struct LogisticFit {
    /// Intercept, then one coefficient per column: log-odds per standard deviation.
    pub(crate) beta: Vec<f64>,
    /// Inverse of the penalised Hessian, row by row.
    pub(crate) inverse_hessian: Vec<f64>,
    pub(crate) converged: bool,
    pub(crate) iterations: usize,
    /// Whether the score parts the classes without a single error.
    pub(crate) separated: bool,
}

/// Minimises Σ ln(1 + e^η) − yη + ½ λ ‖β‖², the intercept free, from `start` or from linfa-logistic.
pub(crate) fn fit(
    design: &dyn Design,
    labels: &[bool],
    l2: f64,
    start: Option<&[f64]>,
) -> Result<LogisticFit> {
    let width = design.width() + 1;
    let mut beta = match start {
        Some(start) => start.to_vec(),
        None => start_with_linfa(design, labels, l2).unwrap_or_else(|| base_rate(labels, width)),
    };
    let mut now = pass(design, labels, &beta, l2);
    if !now.objective.is_finite() {
        beta = base_rate(labels, width);
        now = pass(design, labels, &beta, l2);
    }
    let limit = GRADIENT_TOLERANCE * labels.len() as f64;
    let mut iterations = 0;
    while now.largest_gradient() > limit && iterations < MOST_ITERATIONS {
        iterations += 1;
        let factor = cholesky(&now.hessian, width).ok_or_else(singular)?;
        let step = solve(&factor, &now.gradient);
        let Some((next_beta, next)) = descend(design, labels, l2, &beta, &step, &now) else { break };
        (beta, now) = (next_beta, next);
    }
    let factor = cholesky(&now.hessian, width).ok_or_else(singular)?;
    Ok(LogisticFit {
        converged: now.largest_gradient() <= limit,
        iterations,
        separated: now.highest_negative < now.lowest_positive,
        inverse_hessian: invert(&factor, width),
        beta,
    })
}

fn singular() -> Error {
    Error::NotFitted {
        reason: "its columns repeat each other and nothing shrinks them; give an L2 strength above 0"
            .to_owned(),
    }
}

/// The first step of 1, ½, ¼ … that does not raise the objective.
fn descend(
    design: &dyn Design,
    labels: &[bool],
    l2: f64,
    beta: &[f64],
    step: &[f64],
    now: &Sums,
) -> Option<(Vec<f64>, Sums)> {
    // Near the optimum the objective only changes within its rounding.
    let ceiling = now.objective + 1e-12 * now.objective.abs();
    let mut scale = 1.0;
    for _ in 0..MOST_HALVINGS {
        let candidate: Vec<f64> = beta.iter().zip(step).map(|(b, s)| b - scale * s).collect();
        let next = pass(design, labels, &candidate, l2);
        if next.objective <= ceiling {
            return Some((candidate, next));
        }
        scale /= 2.0;
    }
    None
}

/// Intercept at the log-odds of the base rate, everything else 0.
fn base_rate(labels: &[bool], width: usize) -> Vec<f64> {
    let positive = labels.iter().filter(|&&label| label).count() as f64 + 0.5;
    let negative = labels.len() as f64 + 1.0 - positive;
    let mut beta = vec![0.0; width];
    beta[0] = (positive / negative).ln();
    beta
}

/// The covariance of the estimate when rows of one group belong together:
/// H⁻¹ (Σ s_g s_gᵀ) H⁻¹ with the scores centred and the penalty in H. Row by row.
///
/// Groups must be contiguous.
pub(crate) fn clustered_covariance(
    design: &dyn Design,
    labels: &[bool],
    groups: &[u32],
    fit: &LogisticFit,
) -> Vec<f64> {
    let width = fit.beta.len();
    let scores = |rows: Range<usize>| group_scores(design, labels, groups, &fit.beta, rows);
    let cuts = group_cuts(groups);
    let blocks: Vec<Vec<f64>> = cuts.par_windows(2).map(|cut| scores(cut[0]..cut[1])).collect();
    let n_groups = blocks.iter().map(|block| block.len() / width).sum::<usize>() as f64;
    let mut mean = vec![0.0; width];
    for score in blocks.iter().flat_map(|block| block.chunks_exact(width)) {
        mean.iter_mut().zip(score).for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|sum| *sum /= n_groups);
    let parts: Vec<Vec<f64>> = blocks
        .par_iter()
        .map(|block| {
            let mut meat = vec![0.0; width * width];
            let mut centred = vec![0.0; width];
            for score in block.chunks_exact(width) {
                centred.iter_mut().zip(score.iter().zip(&mean)).for_each(|(out, (s, m))| *out = s - m);
                for (j, s) in centred.iter().enumerate() {
                    meat[j * width..][..width].iter_mut().zip(&centred).for_each(|(sum, t)| *sum += s * t);
                }
            }
            meat
        })
        .collect();
    let mut meat = vec![0.0; width * width];
    parts.iter().for_each(|part| meat.iter_mut().zip(part).for_each(|(sum, value)| *sum += value));
    let half = multiply(&fit.inverse_hessian, &meat, width);
    multiply(&half, &fit.inverse_hessian, width)
}

/// Where blocks of about [`ROWS_PER_BLOCK`] rows may be cut without parting a group.
fn group_cuts(groups: &[u32]) -> Vec<usize> {
    let mut cuts = vec![0];
    let mut row = ROWS_PER_BLOCK;
    while row < groups.len() {
        while row < groups.len() && groups[row] == groups[row - 1] {
            row += 1;
        }
        cuts.push(row);
        row += ROWS_PER_BLOCK;
    }
    if cuts[cuts.len() - 1] < groups.len() {
        cuts.push(groups.len());
    }
    cuts
}

/// The score of every group in these rows: Σ x (y − p), one after another.
fn group_scores(
    design: &dyn Design,
    labels: &[bool],
    groups: &[u32],
    beta: &[f64],
    rows: Range<usize>,
) -> Vec<f64> {
    let width = beta.len();
    let mut scores: Vec<f64> = Vec::new();
    let mut tile = Tile::new(width);
    let mut group = None;
    for start in rows.clone().step_by(ROWS_PER_TILE) {
        let end = rows.end.min(start + ROWS_PER_TILE);
        tile.load(design, start..end, &labels[start..end], beta);
        for (row, &own) in groups[start..end].iter().enumerate() {
            if group != Some(own) {
                group = Some(own);
                scores.resize(scores.len() + width, 0.0);
            }
            let at = scores.len() - width;
            for (j, sum) in scores[at..].iter_mut().enumerate() {
                *sum -= tile.columns[j * tile.rows + row] * tile.residual[row];
            }
        }
    }
    scores
}

/// linfa-logistic's solution on a sample of both classes, turned towards `true`; `None` where it fails.
fn start_with_linfa(design: &dyn Design, labels: &[bool], l2: f64) -> Option<Vec<f64>> {
    let rows = sample(labels);
    let width = design.width();
    let mut matrix = Array2::zeros((rows.len(), width));
    let mut row_values = vec![0.0; width];
    for (i, &row) in rows.iter().enumerate() {
        design.fill(row..row + 1, &mut row_values);
        matrix.row_mut(i).iter_mut().zip(&row_values).for_each(|(out, value)| *out = *value);
    }
    let targets: Array1<bool> = rows.iter().map(|&row| labels[row]).collect();
    // linfa adds ½ α ‖w‖² to the sum over the sample.
    let alpha = l2 * rows.len() as f64 / labels.len() as f64;
    let fitted = LogisticRegression::default()
        .alpha(alpha)
        .max_iterations(START_ITERATIONS)
        .gradient_tolerance(GRADIENT_TOLERANCE.sqrt() * rows.len() as f64)
        .fit(&Dataset::new(matrix, targets))
        .ok()?;
    // Its positive class is the larger one.
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let beta: Vec<f64> = std::iter::once(fitted.intercept())
        .chain(fitted.params().iter().copied())
        .map(|b| sign * b)
        .collect();
    beta.iter().all(|b| b.is_finite()).then_some(beta)
}

/// Up to [`START_ROWS`] rows, each class by its share, spread evenly by a hash of the row.
fn sample(labels: &[bool]) -> Vec<usize> {
    let mut chosen = Vec::new();
    for class in [false, true] {
        let mut rows: Vec<usize> = (0..labels.len()).filter(|&row| labels[row] == class).collect();
        let share = (rows.len() * START_ROWS).div_ceil(labels.len()).max(1);
        if rows.len() > share {
            // A multiplicative hash (Knuth 1998, section 6.4) scatters neighbours.
            rows.sort_by_key(|&row| (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            rows.truncate(share);
            rows.sort_unstable();
        }
        chosen.extend(rows);
    }
    chosen.sort_unstable();
    chosen
}
