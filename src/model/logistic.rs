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

use super::design::{Design, ROWS_PER_BLOCK, ROWS_PER_TILE, Sums, Tile, add_each, pass, tiles};
use super::gram::{Gram, mirror};
use super::linear::{cholesky, invert, multiply, solve};
use crate::error::{Error, Result};
use crate::math::LANES;

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
    let cuts = group_cuts(groups);
    let blocks: Vec<Scores> = cuts
        .par_windows(2)
        .map(|cut| group_scores(design, labels, groups, &fit.beta, cut[0]..cut[1]))
        .collect();
    let mut all = Scores::new(width);
    for block in &blocks {
        all.groups += block.groups;
        add_each(&mut all.sums, &block.sums);
        add_each(&mut all.products, &block.products);
    }
    mirror(&mut all.products, width);
    // Centred: Σ (s − s̄)(s − s̄)ᵀ = Σ s sᵀ − Σs Σsᵀ / G. At the optimum Σs is only the penalty's pull, so
    // that little is taken away.
    for (j, row) in all.products.chunks_exact_mut(width).enumerate() {
        let share = all.sums[j] / all.groups as f64;
        row.iter_mut().zip(&all.sums).for_each(|(sum, other)| *sum -= share * other);
    }
    let half = multiply(&fit.inverse_hessian, &all.products, width);
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

/// Sums over the scores of groups, Σ x (y − p) each.
struct Scores {
    groups: usize,
    sums: Vec<f64>,
    products: Vec<f64>,
}

impl Scores {
    fn new(width: usize) -> Self {
        Scores { groups: 0, sums: vec![0.0; width], products: vec![0.0; width * width] }
    }
}

/// The scores of the groups in these rows, summed.
fn group_scores(
    design: &dyn Design,
    labels: &[bool],
    groups: &[u32],
    beta: &[f64],
    rows: Range<usize>,
) -> Scores {
    /// Room for the tile's groups and the one carried over.
    const STRIDE: usize = ROWS_PER_TILE + LANES;
    let width = beta.len();
    let mut scores = Scores::new(width);
    let mut gram = Gram::new(width);
    let mut tile = Tile::new(width);
    let mut columns = vec![0.0; width * STRIDE];
    // The group that the tile before ended in may go on: its sums stand first in each column.
    let mut carried = 0;
    let end = rows.end;
    for rows in tiles(rows) {
        tile.load(design, rows.clone(), &labels[rows.clone()], beta);
        let own = &groups[rows.clone()];
        let places = places(own);
        let found = places[places.len() - 1] + 1;
        let complete =
            if rows.end == end || groups[rows.end] != own[own.len() - 1] { found } else { found - 1 };
        for (column, values) in columns.chunks_exact_mut(STRIDE).zip(tile.columns.chunks_exact(ROWS_PER_TILE))
        {
            column[carried..].fill(0.0);
            for ((&place, x), residual) in places.iter().zip(values).zip(&tile.residual) {
                column[place] -= x * residual;
            }
        }
        scores.groups += complete;
        let padded = complete.next_multiple_of(LANES);
        let unfinished: Vec<f64> = columns
            .chunks_exact_mut(STRIDE)
            .map(|column| {
                let unfinished = column[complete];
                column[complete..padded].fill(0.0);
                unfinished
            })
            .collect();
        columns
            .chunks_exact(STRIDE)
            .zip(&mut scores.sums)
            .for_each(|(column, sum)| *sum += column[..complete].iter().sum::<f64>());
        gram.add(&columns, STRIDE, padded);
        carried = found - complete;
        columns.chunks_exact_mut(STRIDE).zip(unfinished).for_each(|(column, value)| column[0] = value);
    }
    gram.add_to(&mut scores.products);
    scores
}

/// The place of each row's group among these.
fn places(groups: &[u32]) -> Vec<usize> {
    let mut place = 0;
    let mut places = Vec::with_capacity(groups.len());
    for (row, group) in groups.iter().enumerate() {
        if row > 0 && groups[row - 1] != *group {
            place += 1;
        }
        places.push(place);
    }
    places
}

/// linfa-logistic's solution on a sample of both classes, turned towards `true`; `None` where it fails.
fn start_with_linfa(design: &dyn Design, labels: &[bool], l2: f64) -> Option<Vec<f64>> {
    let rows = sample(labels);
    let width = design.width();
    let mut matrix = Array2::zeros((rows.len(), width));
    let mut row_values = vec![0.0; width];
    for (i, &row) in rows.iter().enumerate() {
        design.fill(row..row + 1, 1, &mut row_values);
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
    // A multiplicative hash (Knuth 1998, section 6.4) scatters neighbours.
    let hash = |row: usize| (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let positive = labels.iter().filter(|&&label| label).count();
    let mut chosen = Vec::new();
    for (class, count) in [(false, labels.len() - positive), (true, positive)] {
        let share = (count * START_ROWS).div_ceil(labels.len()).max(1).min(count);
        // The lowest `share` hashes. Nearly all rows are above twice what is expected, and need no sorting.
        let limit = (u64::MAX / count.max(1) as u64).saturating_mul(2 * share as u64 + LANES as u64);
        let below = |limit: u64| {
            let rows = (0..labels.len()).filter(|&row| labels[row] == class && hash(row) <= limit);
            rows.collect::<Vec<usize>>()
        };
        let mut rows = below(limit);
        if rows.len() < share {
            rows = below(u64::MAX);
        }
        rows.sort_unstable_by_key(|&row| hash(row));
        rows.truncate(share);
        chosen.extend(rows);
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One column of plain values.
    struct Column(Vec<f64>);

    impl Design for Column {
        fn rows(&self) -> usize {
            self.0.len()
        }

        fn width(&self) -> usize {
            1
        }

        fn fill(&self, rows: Range<usize>, _: usize, out: &mut [f64]) {
            out[..rows.len()].copy_from_slice(&self.0[rows]);
        }
    }

    /// Groups of 1, 2, 3 … rows, some longer than a tile, against sums group by group.
    #[test]
    fn the_covariance_knows_groups_of_any_length() {
        const ROWS: usize = 2 * ROWS_PER_BLOCK + 777;
        let column = Column((0..ROWS).map(|row| ((row * 7919) % 1_009) as f64 / 500.0 - 1.0).collect());
        let labels: Vec<bool> = (0..ROWS).map(|row| (row * 31) % 7 < 3).collect();
        for longest in [1, 5, 700] {
            let mut groups = Vec::new();
            for group in 0.. {
                let left = ROWS - groups.len();
                if left == 0 {
                    break;
                }
                groups.extend(std::iter::repeat_n(group, left.min(1 + (group as usize * 37) % longest)));
            }
            let fit = fit(&column, &labels, 0.5, None).unwrap();
            let mut scores: Vec<[f64; 2]> = vec![[0.0; 2]; groups[ROWS - 1] as usize + 1];
            for row in 0..ROWS {
                let x = [1.0, column.0[row]];
                let eta = fit.beta[0] + fit.beta[1] * x[1];
                let residual = f64::from(u8::from(labels[row])) - 1.0 / (1.0 + (-eta).exp());
                let score = &mut scores[groups[row] as usize];
                (0..2).for_each(|j| score[j] += x[j] * residual);
            }
            let mean = [0, 1].map(|j| scores.iter().map(|score| score[j]).sum::<f64>() / scores.len() as f64);
            let mut meat = [0.0; 4];
            for score in &scores {
                for (at, sum) in meat.iter_mut().enumerate() {
                    *sum += (score[at / 2] - mean[at / 2]) * (score[at % 2] - mean[at % 2]);
                }
            }
            let half = multiply(&fit.inverse_hessian, &meat, 2);
            let expected = multiply(&half, &fit.inverse_hessian, 2);
            let found = clustered_covariance(&column, &labels, &groups, &fit);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn the_start_knows_both_classes_and_its_share() {
        let labels: Vec<bool> = (0..100_000).map(|row| row % 1_000 == 0).collect();
        let rows = sample(&labels);
        assert_eq!(rows.len(), START_ROWS);
        assert_eq!(rows.iter().filter(|&&row| labels[row]).count(), 5);
        assert_eq!(sample(&labels[..40]), (0..40).collect::<Vec<_>>());
    }
}
