//! How sure are we of sums of coefficients, and of several at once?

use rayon::prelude::*;
use statrs::function::gamma::checked_gamma_ur;

use super::ChurnModel;
use super::linear::eigen;
use super::season::Season;
use super::terms::transform;
use crate::day::Day;
use crate::math::sigmoid;

/// The normal quantile of 97.5 %: intervals reach so many standard errors to both sides, for 95 %.
pub(crate) const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;
/// Directions whose variance is below this share of the largest (columns scaled to variance 1) are not
/// tested: what is left of them is rounding.
const LEAST_RELATIVE_VARIANCE: f64 = 1e-8;

/// Whether several coefficients could all be 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct WaldTest {
    pub(super) chi2: f64,
    pub(super) degrees_of_freedom: usize,
}

impl WaldTest {
    /// βᵀ V⁺ β; V⁺ inverts V on the directions that have a variance worth the name.
    pub(super) fn new(beta: &[f64], covariance: &[f64]) -> Self {
        let width = beta.len();
        let sd: Vec<f64> = (0..width).map(|j| covariance[j * width + j].max(0.0).sqrt()).collect();
        // In units of standard errors, so that the scale of a column does not decide what is small.
        let known: Vec<usize> = (0..width).filter(|&j| sd[j] > 0.0).collect();
        let scaled: Vec<f64> = known
            .iter()
            .flat_map(|&j| known.iter().map(move |&k| (j, k)))
            .map(|(j, k)| covariance[j * width + k] / (sd[j] * sd[k]))
            .collect();
        let (variances, directions) = eigen(&scaled, known.len());
        let least = LEAST_RELATIVE_VARIANCE * variances.iter().copied().fold(0.0, f64::max);
        let mut test = WaldTest { chi2: 0.0, degrees_of_freedom: 0 };
        for (&variance, direction) in variances.iter().zip(directions.chunks_exact(known.len().max(1))) {
            if variance > least {
                let along: f64 = known.iter().zip(direction).map(|(&j, share)| share * beta[j] / sd[j]).sum();
                test.chi2 += along * along / variance;
                test.degrees_of_freedom += 1;
            }
        }
        test
    }

    /// How often χ² is at least so large where all are 0; NaN where nothing could be tested.
    pub(super) fn p_value(self) -> f64 {
        if self.degrees_of_freedom == 0 {
            return f64::NAN;
        }
        // Q(k/2, x/2); the function knows no tail beyond x = 0 and infinity.
        match self.chi2 {
            chi2 if chi2 <= 0.0 => 1.0,
            chi2 => checked_gamma_ur(self.degrees_of_freedom as f64 / 2.0, chi2 / 2.0)
                .unwrap_or(f64::NAN)
                .clamp(0.0, 1.0),
        }
    }
}

impl ChurnModel {
    /// The standard error of `intercept` × β₀ + Σ `row` × β, clustered by customer.
    pub(crate) fn error_of(&self, intercept: f64, row: &[f64]) -> f64 {
        let width = self.beta.len();
        let at = |j: usize| if j == 0 { intercept } else { row[j - 1] };
        let variance: f64 = (0..width)
            .map(|j| at(j) * (0..width).map(|k| self.covariance[j * width + k] * at(k)).sum::<f64>())
            .sum();
        variance.max(0.0).sqrt()
    }

    /// Ends of the 95 % intervals of the probabilities of rows of features, given column by column, on that
    /// day.
    pub(crate) fn intervals(&self, columns: &[Vec<f64>], as_of: Day) -> Vec<(f64, f64)> {
        if let Some(rhythm) = &self.rhythm {
            let errors = rhythm.errors(&self.features, self.label, columns);
            let ends = self.log_odds(columns).into_iter().zip(errors);
            let end = |log_odds: f64, reach: f64| sigmoid(log_odds + NORMAL_QUANTILE * reach);
            let (most_low, least_high) = rhythm.bounds().unwrap_or((1.0, 0.0));
            return ends
                .map(|(log_odds, error)| {
                    (end(log_odds, -error).min(most_low), end(log_odds, error).max(least_high))
                })
                .collect();
        }
        let transformed = transform(&self.features, columns);
        let season = self.season_offset(as_of);
        let unknown = self.season.as_ref().filter(|season| !season.is_known(as_of));
        let spread = unknown.map_or(0.0, Season::spread);
        (0..columns.first().map_or(0, Vec::len))
            .into_par_iter()
            .map(|row| {
                let value = |feature: usize| transformed[feature][row];
                let row: Vec<f64> = self.terms.iter().map(|term| term.standardised(&value)).collect();
                let log_odds = row.iter().zip(&self.beta[1..]).fold(self.beta[0], |sum, (x, b)| sum + b * x);
                let reach = NORMAL_QUANTILE * self.error_of(1.0, &row).hypot(spread);
                (sigmoid(log_odds + season - reach), sigmoid(log_odds + season + reach))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: f64 = 1e-12;

    /// By hand: V = [[4, 1], [1, 1]], V⁻¹ = ⅓ [[1, −1], [−1, 4]], β = (2, −1):
    /// βᵀ V⁻¹ β = ⅓ (4 + 2·2 + 4) = 4; with two degrees of freedom p = e⁻².
    #[test]
    fn a_wald_test_of_two_by_hand() {
        let test = WaldTest::new(&[2.0, -1.0], &[4.0, 1.0, 1.0, 1.0]);
        assert!((test.chi2 - 4.0).abs() < TOLERANCE, "{test:?}");
        assert_eq!(test.degrees_of_freedom, 2);
        assert!((test.p_value() - (-2.0_f64).exp()).abs() < TOLERANCE);
    }

    /// Columns that repeat each other count once: β = (1, 1), V = [[¼, ¼], [¼, ¼]] is z = 2 once.
    #[test]
    fn what_repeats_counts_once() {
        let test = WaldTest::new(&[1.0, 1.0], &[0.25; 4]);
        assert!((test.chi2 - 4.0).abs() < TOLERANCE && test.degrees_of_freedom == 1, "{test:?}");
        // Python 3.11: math.erfc(math.sqrt(2))
        assert!((test.p_value() - 0.04550026389635842).abs() < TOLERANCE, "{}", test.p_value());
    }

    #[test]
    fn nothing_to_test_has_no_p_value() {
        assert!(WaldTest::new(&[0.0], &[0.0]).p_value().is_nan());
        assert!(WaldTest::new(&[], &[]).p_value().is_nan());
        let far = WaldTest { chi2: 1e6, degrees_of_freedom: 40 }.p_value();
        assert_eq!(WaldTest { chi2: 0.0, degrees_of_freedom: 3 }.p_value(), 1.0);
        assert!((0.0..1e-300).contains(&far), "{far}");
    }
}
