//! How are the products of every two columns summed?
//!
//! The lower half of XᵀX, by small blocks of its entries: a few columns against a few others, whose sums
//! stay in registers while a tile's rows pass by. Row i is added in lane i mod 8, and the lanes are put
//! together at the end, so that neither the width of the processor's vectors nor the blocks show in a
//! result.

use fearless_simd::prelude::*;
use fearless_simd::{Simd, f64x8};

use crate::math::{Kernel, LANES, add_lanes, wide};

/// Entries at a time: so many columns against so many others, as many as sums stay in registers.
const HIGH: usize = 2;
const BROAD: usize = 2;

/// Σ x_j x_k of columns j ≥ k, in lanes.
pub(super) struct Gram {
    width: usize,
    /// Entry (j, k) stands at j (j + 1) / 2 + k.
    lanes: Vec<[f64; LANES]>,
}

impl Gram {
    pub(super) fn new(width: usize) -> Self {
        Gram { width, lanes: vec![[0.0; LANES]; width * (width + 1) / 2] }
    }

    /// Adds rows. Columns begin every `stride` values; `rows` is a multiple of [`LANES`].
    pub(super) fn add(&mut self, columns: &[f64], stride: usize, rows: usize) {
        wide(Add { gram: self, columns, stride, rows });
    }

    /// Adds the lower half to a matrix, row by row.
    pub(super) fn add_to(&self, matrix: &mut [f64]) {
        let mut lanes = self.lanes.iter();
        for (j, row) in matrix.chunks_exact_mut(self.width.max(1)).enumerate() {
            row[..=j].iter_mut().zip(&mut lanes).for_each(|(sum, lanes)| *sum += add_lanes(*lanes));
        }
    }
}

/// Fills the upper half of a symmetric matrix.
pub(super) fn mirror(matrix: &mut [f64], width: usize) {
    for j in 0..width {
        for k in 0..j {
            matrix[k * width + j] = matrix[j * width + k];
        }
    }
}

struct Add<'a> {
    gram: &'a mut Gram,
    columns: &'a [f64],
    stride: usize,
    rows: usize,
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let Add { gram: Gram { width, lanes }, columns, stride, rows } = self;
        let width = *width;
        if width == 0 {
            return;
        }
        // Beyond the last column it repeats; what comes of that is not kept.
        let column = |j: usize| {
            let at = j.min(width - 1) * stride;
            columns[at..at + rows].as_chunks::<LANES>().0
        };
        for j in (0..width).step_by(HIGH) {
            let high: [_; HIGH] = std::array::from_fn(|place| column(j + place));
            for k in (0..width.min(j + HIGH)).step_by(BROAD) {
                let broad: [_; BROAD] = std::array::from_fn(|place| column(k + place));
                let block = block(simd, rows / LANES, high, broad);
                for (j, block) in (j..width).zip(block) {
                    for (k, sum) in (k..=j).zip(block) {
                        let lanes = &mut lanes[j * (j + 1) / 2 + k];
                        *lanes = (f64x8::simd_from(simd, *lanes) + sum).into();
                    }
                }
            }
        }
    }
}

/// The products of a few columns with a few others.
#[inline(always)]
fn block<S: Simd>(
    simd: S,
    chunks: usize,
    high: [&[[f64; LANES]]; HIGH],
    broad: [&[[f64; LANES]]; BROAD],
) -> [[f64x8<S>; BROAD]; HIGH] {
    let high = high.map(|column| &column[..chunks]);
    let broad = broad.map(|column| &column[..chunks]);
    let mut sums = [[f64x8::splat(simd, 0.0); BROAD]; HIGH];
    for chunk in 0..chunks {
        let b = broad.map(|column| f64x8::simd_from(simd, column[chunk]));
        for (sums, column) in sums.iter_mut().zip(high) {
            let a = f64x8::simd_from(simd, column[chunk]);
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers, so that every order of summation gives the same.
    #[test]
    fn products_are_those_of_two_plain_loops() {
        const STRIDE: usize = 24;
        for (width, rows) in [(0, 8), (1, 8), (2, 24), (5, 16), (7, 24)] {
            let columns: Vec<f64> =
                (0..width * STRIDE).map(|i| f64::from((i as u32 * 7919) % 101) - 50.0).collect();
            let mut gram = Gram::new(width);
            gram.add(&columns, STRIDE, rows);
            gram.add(&columns, STRIDE, LANES);
            let mut found = vec![0.0; width * width];
            gram.add_to(&mut found);
            mirror(&mut found, width);
            for j in 0..width {
                for k in 0..width {
                    let product = |i: usize| columns[j * STRIDE + i] * columns[k * STRIDE + i];
                    let expected = (0..rows).map(product).sum::<f64>() + (0..LANES).map(product).sum::<f64>();
                    assert_eq!(found[j * width + k], expected, "{j}, {k} of {width}");
                }
            }
        }
    }
}
