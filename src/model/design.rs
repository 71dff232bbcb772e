//! How do all rows of a model pass by, a block at a time?
//!
//! The expanded matrix is never whole in memory: columns are made for a tile of rows that stays in
//! the processor's cache. Blocks have a constant number of rows and their sums are combined in order,
//! so that threads cannot show in the result.

use std::ops::Range;

use fearless_simd::Simd;
use rayon::prelude::*;

use super::gram::{Gram, mirror};
use crate::math::{Kernel, LANES, dot, exp_of_negative, ln_1p, sum_of, wide};

/// Rows of standardised columns, made a tile at a time.
pub(crate) trait Design: Sync {
    fn rows(&self) -> usize;
    fn width(&self) -> usize;
    /// Fills `out` with these rows, column after column; a column begins every `stride` values.
    fn fill(&self, rows: Range<usize>, stride: usize, out: &mut [f64]);
}

/// Rows whose partial sums are combined in order; a constant, so that threads cannot show.
pub(super) const ROWS_PER_BLOCK: usize = 1 << 12;
/// Rows expanded at a time; so many of so many columns stay in the processor's cache.
pub(crate) const ROWS_PER_TILE: usize = 1 << 8;

/// What one pass over all rows adds up.
pub(super) struct Sums {
    pub(super) objective: f64,
    pub(super) gradient: Vec<f64>,
    /// The whole symmetric matrix, row by row, once finished; its lower part while adding.
    pub(super) hessian: Vec<f64>,
    pub(super) lowest_positive: f64,
    pub(super) highest_negative: f64,
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

    pub(super) fn largest_gradient(&self) -> f64 {
        self.gradient.iter().fold(0.0, |largest, value| largest.max(value.abs()))
    }

    fn add(&mut self, other: &Sums) {
        self.objective += other.objective;
        add_each(&mut self.gradient, &other.gradient);
        add_each(&mut self.hessian, &other.hessian);
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
        mirror(&mut self.hessian, width);
    }
}

/// Adds one slice to another.
pub(super) fn add_each(sums: &mut [f64], values: &[f64]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

/// Objective, gradient and Hessian at `beta`.
pub(super) fn pass(design: &dyn Design, labels: &[bool], beta: &[f64], l2: f64) -> Sums {
    let blocks: Vec<Sums> = blocks(design.rows())
        .map(|rows| {
            let mut sums = Sums::new(beta.len());
            let mut gram = Gram::new(beta.len());
            let mut tile = Tile::new(beta.len());
            for rows in tiles(rows) {
                tile.load(design, rows.clone(), &labels[rows], beta);
                tile.add_to(&mut sums, &mut gram);
            }
            gram.add_to(&mut sums.hessian);
            sums
        })
        .collect();
    let mut all = Sums::new(beta.len());
    blocks.iter().for_each(|block| all.add(block));
    all.penalise(beta, l2);
    all
}

/// The blocks of so many rows.
fn blocks(rows: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
    (0..rows.div_ceil(ROWS_PER_BLOCK))
        .into_par_iter()
        .map(move |block| block * ROWS_PER_BLOCK..rows.min((block + 1) * ROWS_PER_BLOCK))
}

/// The tiles of a block.
pub(super) fn tiles(rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = rows.end;
    rows.step_by(ROWS_PER_TILE).map(move |start| start..end.min(start + ROWS_PER_TILE))
}

/// A few rows with everything that is computed of them.
///
/// Rows up to the next multiple of eight are there too, and weigh nothing.
pub(super) struct Tile {
    /// A column begins every [`ROWS_PER_TILE`] values; the first is 1.
    pub(super) columns: Vec<f64>,
    pub(super) rows: usize,
    pub(super) residual: Vec<f64>,
    root_weight: Vec<f64>,
    loss: f64,
    lowest_positive: f64,
    highest_negative: f64,
    log_odds: Vec<f64>,
    losses: Vec<f64>,
}

impl Tile {
    pub(super) fn new(width: usize) -> Self {
        let one_each = || vec![0.0; ROWS_PER_TILE];
        Tile {
            columns: vec![0.0; width * ROWS_PER_TILE],
            rows: 0,
            residual: one_each(),
            root_weight: one_each(),
            loss: 0.0,
            lowest_positive: f64::INFINITY,
            highest_negative: f64::NEG_INFINITY,
            log_odds: one_each(),
            losses: one_each(),
        }
    }

    pub(super) fn load(&mut self, design: &dyn Design, rows: Range<usize>, labels: &[bool], beta: &[f64]) {
        self.rows = rows.len();
        let (ones, others) = self.columns.split_at_mut(ROWS_PER_TILE);
        ones.fill(1.0);
        design.fill(rows, ROWS_PER_TILE, others);
        // What an earlier, fuller tile left there must not count.
        let padded = self.rows.next_multiple_of(LANES);
        for values in others.chunks_exact_mut(ROWS_PER_TILE).chain([
            &mut self.residual[..],
            &mut self.root_weight,
            &mut self.losses,
        ]) {
            values[self.rows..padded].fill(0.0);
        }
        wide(Load { tile: self, labels, beta });
    }

    fn add_to(&mut self, sums: &mut Sums, gram: &mut Gram) {
        sums.objective += self.loss;
        sums.lowest_positive = sums.lowest_positive.min(self.lowest_positive);
        sums.highest_negative = sums.highest_negative.max(self.highest_negative);
        let rows = self.rows.next_multiple_of(LANES);
        wide(AddGradient { tile: self, rows, gradient: &mut sums.gradient });
        gram.add(&self.columns, ROWS_PER_TILE, rows);
    }
}

/// Log-odds, losses, residuals and weights of a tile.
struct Load<'a> {
    tile: &'a mut Tile,
    labels: &'a [bool],
    beta: &'a [f64],
}

impl Kernel for Load<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Load { tile, labels, beta } = self;
        let rows = tile.rows;
        let eta = &mut tile.log_odds[..rows];
        let columns = &tile.columns[ROWS_PER_TILE..];
        add_log_odds(|j| &columns[j * ROWS_PER_TILE..(j + 1) * ROWS_PER_TILE], beta, eta);
        let (residual, root) = (&mut tile.residual[..rows], &mut tile.root_weight[..rows]);
        let (losses, labels) = (&mut tile.losses[..rows], &labels[..rows]);
        for i in 0..rows {
            let small = exp_of_negative(-eta[i].abs());
            let share = 1.0 / (1.0 + small);
            let probability = if eta[i] < 0.0 { small * share } else { share };
            let target = if labels[i] { 1.0 } else { 0.0 };
            let positive = if eta[i] > 0.0 { eta[i] } else { 0.0 };
            residual[i] = probability - target;
            root[i] = small.sqrt() * share;
            losses[i] = positive + ln_1p(small) - target * eta[i];
        }
        tile.loss = sum_of(losses);
        let (mut lowest, mut highest) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        let mut see = |lane: usize, eta: f64, label: bool| {
            let (low, high) = if label { (eta, f64::NEG_INFINITY) } else { (f64::INFINITY, eta) };
            lowest[lane] = if low < lowest[lane] { low } else { lowest[lane] };
            highest[lane] = if high > highest[lane] { high } else { highest[lane] };
        };
        let ((etas, etas_rest), (flags, flags_rest)) =
            (eta.as_chunks::<LANES>(), labels.as_chunks::<LANES>());
        for (eta, label) in etas.iter().zip(flags) {
            (0..LANES).for_each(|lane| see(lane, eta[lane], label[lane]));
        }
        for (lane, (eta, label)) in etas_rest.iter().zip(flags_rest).enumerate() {
            see(lane, *eta, *label);
        }
        tile.lowest_positive = lowest.into_iter().fold(f64::INFINITY, f64::min);
        tile.highest_negative = highest.into_iter().fold(f64::NEG_INFINITY, f64::max);
    }
}

/// Adds a tile's gradient, and scales its columns by the roots of the weights.
struct AddGradient<'a> {
    tile: &'a mut Tile,
    rows: usize,
    gradient: &'a mut [f64],
}

impl Kernel for AddGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let AddGradient { tile, rows, gradient } = self;
        let (residual, root) = (&tile.residual[..rows], &tile.root_weight[..rows]);
        for (column, sum) in tile.columns.chunks_exact_mut(ROWS_PER_TILE).zip(gradient) {
            let column = &mut column[..rows];
            *sum += dot(column, residual);
            column.iter_mut().zip(root).for_each(|(x, root)| *x *= root);
        }
    }
}

/// β₀ + Σ β x of every row.
///
/// The order of the sum is that of the columns: fit and score come to the same bits.
#[inline(always)]
pub(super) fn add_log_odds<'a>(column: impl Fn(usize) -> &'a [f64], beta: &[f64], eta: &mut [f64]) {
    /// Columns added while a row's sum is at hand.
    const TOGETHER: usize = 4;
    let rows = eta.len();
    eta.fill(beta[0]);
    let groups = beta[1..].chunks_exact(TOGETHER);
    let rest = groups.remainder();
    let first_of_rest = beta.len() - 1 - rest.len();
    for (group, b) in groups.enumerate() {
        let [x0, x1, x2, x3] = std::array::from_fn(|place| &column(TOGETHER * group + place)[..rows]);
        for i in 0..rows {
            eta[i] = (((eta[i] + b[0] * x0[i]) + b[1] * x1[i]) + b[2] * x2[i]) + b[3] * x3[i];
        }
    }
    for (place, b) in rest.iter().enumerate() {
        let x = column(first_of_rest + place);
        eta.iter_mut().zip(x).for_each(|(eta, x)| *eta += b * x);
    }
}

/// Mean products of every two columns, row by row: the correlations, as columns are standardised.
pub(crate) fn correlations(design: &dyn Design) -> Vec<f64> {
    let width = design.width();
    let blocks: Vec<Gram> = blocks(design.rows())
        .map(|rows| {
            let mut gram = Gram::new(width);
            let mut columns = vec![0.0; width * ROWS_PER_TILE];
            for rows in tiles(rows) {
                let (filled, padded) = (rows.len(), rows.len().next_multiple_of(LANES));
                design.fill(rows, ROWS_PER_TILE, &mut columns);
                columns.chunks_exact_mut(ROWS_PER_TILE).for_each(|column| column[filled..padded].fill(0.0));
                gram.add(&columns, ROWS_PER_TILE, padded);
            }
            gram
        })
        .collect();
    let mut all = vec![0.0; width * width];
    blocks.iter().for_each(|block| block.add_to(&mut all));
    all.iter_mut().for_each(|sum| *sum /= design.rows() as f64);
    mirror(&mut all, width);
    all
}
