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

use crate::error::{Error, Result};

/// Rows of standardised columns, made a block at a time.
pub(crate) trait Design: Sync {
    fn rows(&self) -> usize;
    fn width(&self) -> usize;
    /// Fills `out`, column after column, with these rows.
    fn fill(&self, rows: Range<usize>, out: &mut [f64]);
}

/// Rows whose partial sums are combined in order; a constant, so that threads cannot show.
const ROWS_PER_BLOCK: usize = 1 << 12;
/// Rows expanded at a time; so many of so many columns stay in the processor's cache.
const ROWS_PER_TILE: usize = 1 << 8;
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
pub(crate) fn fit(design: &dyn Design, labels: &[bool], l2: f64, start: Option<&[f64]>) -> Result<LogisticFit> {
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
        reason: "its columns repeat each other and nothing shrinks them; give an L2 strength above 0".to_owned(),
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

/// What one pass over all rows adds up.
struct Sums {
    objective: f64,
    gradient: Vec<f64>,
    /// The whole symmetric matrix, row by row, once finished; its lower part while adding.
    hessian: Vec<f64>,
    lowest_positive: f64,
    highest_negative: f64,
}

impl Sums {
    fn new(width: usize) -> Self {
        Sums {
            objective: 0.0,
            gradient: vec![0.0; width],
            hessian: vec![0.0; width * width],
            lowest_positive: f64::INFINITY,
            highest_negative: f64::NEG_INFINITY,
        }
    }

    fn largest_gradient(&self) -> f64 {
        self.gradient.iter().fold(0.0, |largest, value| largest.max(value.abs()))
    }

    fn add(&mut self, other: &Sums) {
        self.objective += other.objective;
        self.gradient.iter_mut().zip(&other.gradient).for_each(|(sum, value)| *sum += value);
        self.hessian.iter_mut().zip(&other.hessian).for_each(|(sum, value)| *sum += value);
        self.lowest_positive = self.lowest_positive.min(other.lowest_positive);
        self.highest_negative = self.highest_negative.max(other.highest_negative);
    }

    fn penalise(&mut self, beta: &[f64], l2: f64) {
        let width = beta.len();
        for (j, b) in beta.iter().enumerate().skip(1) {
            self.objective += 0.5 * l2 * b * b;
            self.gradient[j] += l2 * b;
            self.hessian[j * width + j] += l2;
        }
        for j in 0..width {
            for k in 0..j {
                self.hessian[k * width + j] = self.hessian[j * width + k];
            }
        }
    }
}

/// Objective, gradient and Hessian at `beta`.
fn pass(design: &dyn Design, labels: &[bool], beta: &[f64], l2: f64) -> Sums {
    let blocks: Vec<Sums> = (0..labels.len().div_ceil(ROWS_PER_BLOCK))
        .into_par_iter()
        .map(|block| {
            let rows = block * ROWS_PER_BLOCK..labels.len().min((block + 1) * ROWS_PER_BLOCK);
            let mut sums = Sums::new(beta.len());
            let mut tile = Tile::new(beta.len());
            for start in rows.clone().step_by(ROWS_PER_TILE) {
                let end = rows.end.min(start + ROWS_PER_TILE);
                tile.load(design, start..end, &labels[start..end], beta);
                tile.add_to(&mut sums);
            }
            sums
        })
        .collect();
    let mut all = Sums::new(beta.len());
    blocks.iter().for_each(|block| all.add(block));
    all.penalise(beta, l2);
    all
}

/// A few rows with everything that is computed of them.
struct Tile {
    /// Column after column; the first is 1.
    columns: Vec<f64>,
    rows: usize,
    residual: Vec<f64>,
    weight: Vec<f64>,
    weighted: Vec<f64>,
    loss: f64,
    lowest_positive: f64,
    highest_negative: f64,
}

impl Tile {
    fn new(width: usize) -> Self {
        Tile {
            columns: vec![1.0; width * ROWS_PER_TILE],
            rows: 0,
            residual: vec![0.0; ROWS_PER_TILE],
            weight: vec![0.0; ROWS_PER_TILE],
            weighted: vec![0.0; ROWS_PER_TILE],
            loss: 0.0,
            lowest_positive: f64::INFINITY,
            highest_negative: f64::NEG_INFINITY,
        }
    }

    fn column(&self, j: usize) -> &[f64] {
        &self.columns[j * self.rows..(j + 1) * self.rows]
    }

    fn load(&mut self, design: &dyn Design, rows: Range<usize>, labels: &[bool], beta: &[f64]) {
        self.rows = rows.len();
        self.columns[..self.rows].fill(1.0);
        design.fill(rows, &mut self.columns[self.rows..beta.len() * self.rows]);
        let mut eta = vec![0.0; self.rows];
        for (j, b) in beta.iter().enumerate() {
            eta.iter_mut().zip(self.column(j)).for_each(|(eta, x)| *eta += b * x);
        }
        (self.loss, self.lowest_positive, self.highest_negative) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
        for (i, (&eta, &label)) in eta.iter().zip(labels).enumerate() {
            let probability = sigmoid(eta);
            let small = (-eta.abs()).exp();
            let target = f64::from(u8::from(label));
            self.loss += eta.max(0.0) + small.ln_1p() - target * eta;
            self.residual[i] = probability - target;
            self.weight[i] = small / ((1.0 + small) * (1.0 + small));
            if label {
                self.lowest_positive = self.lowest_positive.min(eta);
            } else {
                self.highest_negative = self.highest_negative.max(eta);
            }
        }
    }

    fn add_to(&mut self, sums: &mut Sums) {
        let width = sums.gradient.len();
        sums.objective += self.loss;
        sums.lowest_positive = sums.lowest_positive.min(self.lowest_positive);
        sums.highest_negative = sums.highest_negative.max(self.highest_negative);
        for j in 0..width {
            let column = &self.columns[j * self.rows..(j + 1) * self.rows];
            sums.gradient[j] += dot(column, &self.residual[..self.rows]);
            self.weighted[..self.rows]
                .iter_mut()
                .zip(column.iter().zip(&self.weight))
                .for_each(|(out, (x, w))| *out = x * w);
            for k in 0..=j {
                sums.hessian[j * width + k] += dot(&self.weighted[..self.rows], self.column(k));
            }
        }
    }
}

/// 1 / (1 + e^−x), without overflow.
pub(crate) fn sigmoid(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
}

/// A dot product in eight lanes, which the compiler turns into vectors.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
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
        for row in start..end {
            if group != Some(groups[row]) {
                group = Some(groups[row]);
                scores.resize(scores.len() + width, 0.0);
            }
            let at = scores.len() - width;
            for (j, sum) in scores[at..].iter_mut().enumerate() {
                *sum -= tile.columns[j * tile.rows + row - start] * tile.residual[row - start];
            }
        }
    }
    scores
}

/// Mean products of every two columns, row by row: the correlations, as columns are standardised.
pub(crate) fn correlations(design: &dyn Design) -> Vec<f64> {
    let width = design.width();
    let blocks: Vec<Vec<f64>> = (0..design.rows().div_ceil(ROWS_PER_BLOCK))
        .into_par_iter()
        .map(|block| {
            let end = design.rows().min((block + 1) * ROWS_PER_BLOCK);
            let mut sums = vec![0.0; width * width];
            let mut columns = vec![0.0; width * ROWS_PER_TILE];
            for start in (block * ROWS_PER_BLOCK..end).step_by(ROWS_PER_TILE) {
                let rows = start..end.min(start + ROWS_PER_TILE);
                let tile = &mut columns[..width * rows.len()];
                design.fill(rows.clone(), tile);
                let column = |j: usize| &tile[j * rows.len()..(j + 1) * rows.len()];
                for j in 0..width {
                    for k in 0..=j {
                        sums[j * width + k] += dot(column(j), column(k));
                    }
                }
            }
            sums
        })
        .collect();
    let mut all = vec![0.0; width * width];
    blocks.iter().for_each(|block| all.iter_mut().zip(block).for_each(|(sum, value)| *sum += value));
    for j in 0..width {
        for k in 0..=j {
            all[j * width + k] /= design.rows() as f64;
            all[k * width + j] = all[j * width + k];
        }
    }
    all
}

/// The lower Cholesky factor, row by row; `None` where the matrix is not positive definite.
pub(super) fn cholesky(matrix: &[f64], width: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; width * width];
    for j in 0..width {
        for i in j..width {
            let (row_i, row_j) = (&factor[i * width..][..j], &factor[j * width..][..j]);
            let sum = matrix[i * width + j] - row_i.iter().zip(row_j).map(|(a, b)| a * b).sum::<f64>();
            if i > j {
                factor[i * width + j] = sum / factor[j * width + j];
                continue;
            }
            // A pivot lost to rounding means that a column repeats others.
            if sum.is_nan() || sum <= f64::EPSILON * matrix[j * width + j].abs() {
                return None;
            }
            factor[j * width + j] = sum.sqrt();
        }
    }
    Some(factor)
}

/// Solves L Lᵀ x = b.
pub(super) fn solve(factor: &[f64], b: &[f64]) -> Vec<f64> {
    let width = b.len();
    let mut x = b.to_vec();
    for i in 0..width {
        let known: f64 = (0..i).map(|k| factor[i * width + k] * x[k]).sum();
        x[i] = (x[i] - known) / factor[i * width + i];
    }
    for i in (0..width).rev() {
        let known: f64 = (i + 1..width).map(|k| factor[k * width + i] * x[k]).sum();
        x[i] = (x[i] - known) / factor[i * width + i];
    }
    x
}

fn invert(factor: &[f64], width: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; width * width];
    for j in 0..width {
        let mut unit = vec![0.0; width];
        unit[j] = 1.0;
        solve(factor, &unit).into_iter().enumerate().for_each(|(i, value)| inverse[i * width + j] = value);
    }
    inverse
}

fn multiply(a: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let mut product = vec![0.0; width * width];
    for i in 0..width {
        for k in 0..width {
            let scale = a[i * width + k];
            product[i * width..][..width]
                .iter_mut()
                .zip(&b[k * width..][..width])
                .for_each(|(sum, value)| *sum += scale * value);
        }
    }
    product
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
    let beta: Vec<f64> =
        std::iter::once(fitted.intercept()).chain(fitted.params().iter().copied()).map(|b| sign * b).collect();
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
