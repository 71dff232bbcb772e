//! How strongly to shrink a model of few events? As the data themselves say.

use serde::{Deserialize, Serialize};

use super::design::Design;
use super::logistic;
use crate::day::Day;
use crate::error::Result;

/// Where the iteration starts, and between which strengths it stays.
const START: f64 = 30.0;
const RANGE: (f64, f64) = (10.0, 100.0);
const MOST_ROUNDS: usize = 12;
/// A change of the strength's logarithm that is too small to matter.
const STEADY: f64 = 0.05;

/// How the L2 strength was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum StrengthChoice {
    /// By the caller.
    Given,
    /// By the number of events, rows of the rarer class; no other did better forward in time by more than two standard errors.
    Events,
    /// It did better forward in time, by more than two standard errors, than what the number of events says.
    ForwardInTime,
    /// Below 1,000 events: by the evidence of the data.
    ///
    /// # Formula
    /// ```text
    /// λ = o γ / ‖β‖²,  γ = Σ hᵢ / (hᵢ + λ)
    /// where β is fitted with λ, hᵢ are the eigenvalues of the loss's second derivative with the intercept
    /// projected out, and o = max(1, H / mean days between cutoffs), at most the number of cutoffs: as many
    /// labels tell of every day, so that the loss counts what is known as often
    /// ```
    /// Iterated from 30 until λ moves by less than 5 %, at most 12 times, within 10 to 100, on at most about
    /// 12,000 rows.
    ///
    /// # References
    /// MacKay (1992), The evidence framework applied to classification networks, Neural Computation
    /// 4:720–736.
    Evidence {
        /// γ: as many columns do the data determine; the others the shrinkage does.
        determined_columns: f64,
    },
}

/// How many of the label windows at these cutoffs (ascending) cover a day, on average: 2 where they stand half a
/// horizon apart, 1 where they do not overlap.
pub(super) fn overlap(cutoffs: &[Day], horizon_days: i32) -> f64 {
    let (&[first, ..], &[.., last]) = (cutoffs, cutoffs) else { return 1.0 };
    let steps = (cutoffs.len() - 1) as f64;
    let mean_step = f64::from(last.days_since(first)) / steps;
    // One cutoff has no step (0 over 0), and no overlap.
    (f64::from(horizon_days) / mean_step).min(steps + 1.0).max(1.0)
}

/// The strength at which the coefficients are as large as its prior expects, and how many of them the
/// data determine.
///
/// With H⁻¹ the inverse of the penalised Hessian and C its block without the intercept, C has the
/// eigenvalues 1 / (hᵢ + λ), so that γ = p − λ tr C.
pub(super) fn by_evidence(design: &dyn Design, labels: &[bool], overlap: f64) -> Result<(f64, f64)> {
    let width = design.width() + 1;
    let (mut l2, mut determined) = (START, 0.0);
    let mut start: Option<Vec<f64>> = None;
    for _ in 0..MOST_ROUNDS {
        let fit = logistic::fit(design, labels, l2, start.as_deref())?;
        let trace: f64 = (1..width).map(|j| fit.inverse_hessian[j * width + j]).sum();
        determined = design.width() as f64 - l2 * trace;
        let size: f64 = fit.beta[1..].iter().map(|b| b * b).sum();
        let (least, most) = RANGE;
        // Nothing learned (0 over 0) is as small as coefficients can be.
        let wanted = (overlap * determined / size.max(f64::MIN_POSITIVE)).max(least).min(most);
        let moved = (wanted / l2).ln().abs();
        l2 = wanted;
        if moved < STEADY {
            break;
        }
        start = Some(fit.beta);
    }
    Ok((l2, determined))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::model::linear::{cholesky, eigen, invert};

    const WIDTH: usize = 40;
    /// Every row is there twice.
    const OVERLAP: f64 = 2.0;

    /// Rows of standard normal columns, each row twice; labels drawn once per pair.
    struct Pairs {
        x: Vec<[f64; WIDTH]>,
    }

    impl Design for Pairs {
        fn rows(&self) -> usize {
            2 * self.x.len()
        }

        fn width(&self) -> usize {
            WIDTH
        }

        fn fill(&self, rows: Range<usize>, stride: usize, out: &mut [f64]) {
            for (j, column) in out.chunks_mut(stride).enumerate().take(WIDTH) {
                rows.clone().zip(column).for_each(|(row, out)| *out = self.x[row / 2][j]);
            }
        }
    }

    struct Draws(u64);

    impl Draws {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        }

        fn normal(&mut self) -> f64 {
            (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
        }
    }

    fn simulated(precision: f64, seed: u64) -> (Pairs, Vec<bool>) {
        let mut draws = Draws(seed);
        let beta: [f64; WIDTH] = std::array::from_fn(|_| draws.normal() / precision.sqrt());
        let x: Vec<[f64; WIDTH]> = (0..3_000).map(|_| std::array::from_fn(|_| draws.normal())).collect();
        let labels = x.iter().flat_map(|row| {
            let eta: f64 = 0.3 + row.iter().zip(&beta).map(|(x, b)| x * b).sum::<f64>();
            [draws.uniform() < 1.0 / (1.0 + (-eta).exp()); 2]
        });
        let labels = labels.collect();
        (Pairs { x }, labels)
    }

    /// Every row is there twice: λ is twice the precision of the coefficients' prior.
    #[test]
    fn the_precision_of_the_coefficients_is_recovered() {
        for (precision, seed) in [(8.0, 1), (20.0, 2), (35.0, 3)] {
            let (design, labels) = simulated(precision, seed);
            let (l2, determined) = by_evidence(&design, &labels, OVERLAP).unwrap();
            // A variance of 40 draws has a relative standard error of .22.
            assert!((l2 / (2.0 * precision)).ln().abs() < 0.5, "{l2} for {precision}");
            assert!(determined > 30.0 && determined < 40.0, "{determined}");
        }
    }

    #[test]
    fn overlap_is_told_by_the_cutoffs() {
        let days = |days: &[i32]| days.iter().map(|&day| Day::from_days_since_epoch(day)).collect::<Vec<_>>();
        assert_eq!(overlap(&days(&[0, 30, 60, 90]), 60), 2.0);
        assert_eq!(overlap(&days(&[0, 20, 60]), 90), 3.0);
        assert_eq!(overlap(&days(&[0, 3, 6, 9]), 7), 7.0 / 3.0);
        // Far apart, alone, and more than there are.
        assert_eq!(overlap(&days(&[0, 100]), 60), 1.0);
        assert_eq!(overlap(&days(&[7]), 60), 1.0);
        assert_eq!(overlap(&[], 60), 1.0);
        assert_eq!(overlap(&days(&[0, 1]), 60), 2.0);
    }

    #[test]
    fn it_stays_in_its_range() {
        let (design, labels) = simulated(1.0, 4);
        assert_eq!(by_evidence(&design, &labels, OVERLAP).unwrap().0, RANGE.0);
        let (design, labels) = simulated(1e6, 5);
        assert_eq!(by_evidence(&design, &labels, OVERLAP).unwrap().0, RANGE.1);
    }

    /// At what comes out, λ ‖β‖² = 2 Σ hᵢ / (hᵢ + λ), by eigenvalues.
    #[test]
    fn what_comes_out_is_a_fixed_point() {
        let (design, labels) = simulated(15.0, 6);
        let (l2, _) = by_evidence(&design, &labels, OVERLAP).unwrap();
        let fit = logistic::fit(&design, &labels, l2, None).unwrap();
        let width = WIDTH + 1;
        let factor = cholesky(&fit.inverse_hessian, width).unwrap();
        let mut hessian = invert(&factor, width);
        (1..width).for_each(|j| hessian[j * width + j] -= l2);
        let mut projected = vec![0.0; WIDTH * WIDTH];
        for i in 1..width {
            for j in 1..width {
                projected[(i - 1) * WIDTH + j - 1] =
                    hessian[i * width + j] - hessian[i * width] * hessian[j] / hessian[0];
            }
        }
        let determined: f64 = eigen(&projected, WIDTH).0.iter().map(|h| h / (h + l2)).sum();
        let size: f64 = fit.beta[1..].iter().map(|b| b * b).sum();
        assert!((OVERLAP * determined / (l2 * size)).ln().abs() < STEADY);
    }
}
