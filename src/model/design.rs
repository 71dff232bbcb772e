//! How do all rows of a model pass by, a block at a time?
//!
//! The expanded matrix is never whole in memory: columns are made for a tile of rows that stays in
//! the processor's cache. Blocks have a constant number of rows and their sums are combined in order,
//! so that threads cannot show in the result.

use std::ops::Range;

use rayon::prelude::*;

/// Rows of standardised columns, made a block at a time.
pub(crate) trait Design: Sync {
    fn rows(&self) -> usize;
    fn width(&self) -> usize;
    /// Fills `out`, column after column, with these rows.
    fn fill(&self, rows: Range<usize>, out: &mut [f64]);
}

/// Rows whose partial sums are combined in order; a constant, so that threads cannot show.
pub(super) const ROWS_PER_BLOCK: usize = 1 << 12;
/// Rows expanded at a time; so many of so many columns stay in the processor's cache.
pub(super) const ROWS_PER_TILE: usize = 1 << 8;
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
pub(super) fn pass(design: &dyn Design, labels: &[bool], beta: &[f64], l2: f64) -> Sums {
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
pub(super) struct Tile {
    /// Column after column; the first is 1.
    pub(super) columns: Vec<f64>,
    pub(super) rows: usize,
    pub(super) residual: Vec<f64>,
    weight: Vec<f64>,
    weighted: Vec<f64>,
    loss: f64,
    lowest_positive: f64,
    highest_negative: f64,
}

impl Tile {
    pub(super) fn new(width: usize) -> Self {
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

    pub(super) fn load(&mut self, design: &dyn Design, rows: Range<usize>, labels: &[bool], beta: &[f64]) {
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
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
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
