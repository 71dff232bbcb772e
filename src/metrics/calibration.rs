//! Do as many churn as was said?

use std::f64::consts::PI;

use serde::Serialize;

use super::interval::wilson;
use super::probability::brier;
use super::ranking::descending;

/// Level of the intervals in a calibration table.
const LEVEL: f64 = 0.95;
/// Up to this variance of the number of churned in a group, its mean absolute deviation is computed
/// exactly; above it the normal approximation is good to 0.2 %.
const EXACT_VARIANCE: f64 = 100.0;
/// Chances below this are left out of the exact computation.
const NEGLIGIBLE: f64 = 1e-20;

/// One group of customers of like probability: what was said and what came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CalibrationRow {
    /// Customers.
    pub rows: usize,
    /// Their mean predicted probability.
    pub predicted: f64,
    /// The share of them that churned.
    pub observed: f64,
    /// Lower end of the 95 % interval of `observed` (Wilson), each row taken for another customer.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Predicted against observed in groups of equal size, by ascending probability; equal probabilities
/// stay together, so that there may be fewer groups, of unlike size. Empty for no rows, no groups, or other
/// lengths.
///
/// ```
/// let rows = winback::metrics::calibration(&[0.1, 0.2, 0.7, 0.8], &[false, false, true, false], 2);
/// assert_eq!((rows[1].rows, rows[1].predicted, rows[1].observed), (2, 0.75, 0.5));
/// ```
#[must_use]
pub fn calibration(probabilities: &[f64], labels: &[bool], groups: usize) -> Vec<CalibrationRow> {
    CalibrationGroups::new(probabilities, labels, groups).map_or_else(Vec::new, |groups| groups.table())
}

/// Expected calibration error of a [`calibration`] table: how far predicted and observed are apart, on
/// average over customers. 0 to 1; NaN for an empty table.
///
/// It is above 0 even for perfect probabilities, because shares vary: read it beside
/// [`expected_ece_if_calibrated`].
///
/// # Formula
/// ```text
/// ECE = Σ (nₖ/n) |predictedₖ − observedₖ|    over the groups k
/// ```
/// # References
/// Naeini, Cooper and Hauskrecht (2015), AAAI 29:2901–2907, there with groups of equal width.
#[must_use]
pub fn expected_calibration_error(table: &[CalibrationRow]) -> f64 {
    let rows: usize = table.iter().map(|row| row.rows).sum();
    let sum: f64 = table.iter().map(|row| row.rows as f64 * (row.predicted - row.observed).abs()).sum();
    sum / rows as f64
}

/// What [`expected_calibration_error`] would be on average if every probability were true: an error that
/// large says nothing against the model. NaN for no rows or no groups.
///
/// Rows are taken to be independent; with the same customers at several cutoffs it is too small.
///
/// # Formula
/// ```text
/// Σ (1/n) E|Sₖ|    where Sₖ = Σ (Y − p) over the rows of group k, Y churning with probability p
/// ```
/// Where the variance V of the sum exceeds 100, E|S| = √(2V/π), the mean of a folded normal; else it is
/// exact, from the distribution of a sum of unlike coins. Nothing is simulated.
///
/// # References
/// Bröcker and Smith (2007), Weather and Forecasting 22:651–661 (consistency under perfect reliability);
/// Hong (2013), Computational Statistics & Data Analysis 59:41–51 (the Poisson binomial distribution).
///
/// ```
/// let chance = winback::metrics::expected_ece_if_calibrated(&[0.5, 0.5], 1);
/// assert_eq!(chance, 0.25); // half the time both do the same, and the share is off by one half
/// ```
#[must_use]
pub fn expected_ece_if_calibrated(probabilities: &[f64], groups: usize) -> f64 {
    if groups == 0 {
        return f64::NAN;
    }
    let deviations = grouped(probabilities, groups)
        .iter()
        .map(|rows| mean_absolute_deviation(rows.iter().map(|&row| probabilities[row])))
        .sum::<f64>();
    deviations / probabilities.len() as f64
}

/// What the Brier score is made of. `brier = reliability − resolution + uncertainty + within`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BrierDecomposition {
    /// The Brier score of these rows; 0 is best.
    pub brier: f64,
    /// How far predicted and observed are apart in the groups, squared; 0 is best.
    pub reliability: f64,
    /// How far the groups' observed shares lie from the overall one, squared; the more the better.
    pub resolution: f64,
    /// What the overall share alone costs: ȳ(1 − ȳ). Not the model's doing.
    pub uncertainty: f64,
    /// What probabilities that differ inside a group cost (above 0) or bring (below 0).
    pub within: f64,
}

/// Parts the Brier score over the groups of the [`calibration`] table. `None` for no rows, no groups,
/// or other lengths.
///
/// # Formula
/// ```text
/// reliability = Σ (nₖ/n)(p̄ₖ − ȳₖ)²     resolution = Σ (nₖ/n)(ȳₖ − ȳ)²     uncertainty = ȳ(1 − ȳ)
/// within      = (1/n) Σ [(p − p̄ₖ)² − 2 (p − p̄ₖ)(y − ȳₖ)]    over all rows, k the row's group
/// ```
/// # References
/// Murphy (1973), Journal of Applied Meteorology 12:595–600, for groups of one probability;
/// Stephenson, Coelho and Jolliffe (2008), Weather and Forecasting 23:752–757, for the rest within groups.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// use winback::metrics::brier_decomposition;
/// let parts = brier_decomposition(&[0.2, 0.4, 0.6, 0.8], &[false, false, false, true], 2).ok_or("no rows")?;
/// let sum = parts.reliability - parts.resolution + parts.uncertainty + parts.within;
/// assert!((sum - parts.brier).abs() < 1e-15);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn brier_decomposition(
    probabilities: &[f64],
    labels: &[bool],
    groups: usize,
) -> Option<BrierDecomposition> {
    let grouped = CalibrationGroups::new(probabilities, labels, groups)?;
    let number = |label: bool| f64::from(u8::from(label));
    let n = labels.len() as f64;
    let overall = labels.iter().filter(|&&label| label).count() as f64 / n;
    let mut parts = BrierDecomposition {
        brier: brier(probabilities, labels),
        reliability: 0.0,
        resolution: 0.0,
        uncertainty: overall * (1.0 - overall),
        within: 0.0,
    };
    for (rows, group) in grouped.members.iter().zip(grouped.table()) {
        let share = group.rows as f64 / n;
        parts.reliability += share * (group.predicted - group.observed).powi(2);
        parts.resolution += share * (group.observed - overall).powi(2);
        for &row in rows {
            let off = probabilities[row] - group.predicted;
            parts.within += off * (off - 2.0 * (number(labels[row]) - group.observed)) / n;
        }
    }
    Some(parts)
}

/// The groups of a calibration table, made once: any weighting of the rows then costs one pass.
#[derive(Clone, Debug)]
pub struct CalibrationGroups<'a> {
    probabilities: &'a [f64],
    labels: &'a [bool],
    /// The rows of each group, groups by ascending probability.
    members: Vec<Vec<usize>>,
}

impl<'a> CalibrationGroups<'a> {
    /// Groups the rows as [`calibration`] does. `None` for no rows, no groups, or other lengths.
    #[must_use]
    pub fn new(probabilities: &'a [f64], labels: &'a [bool], groups: usize) -> Option<Self> {
        if labels.is_empty() || groups == 0 || probabilities.len() != labels.len() {
            return None;
        }
        Some(Self { probabilities, labels, members: grouped(probabilities, groups) })
    }

    /// What [`calibration`] gives.
    #[must_use]
    pub fn table(&self) -> Vec<CalibrationRow> {
        self.members.iter().filter_map(|rows| self.row(rows)).collect()
    }

    /// [`expected_calibration_error`] with every row counted as often as its weight says, the groups as
    /// they are. NaN for no weight, or where there are not as many weights as rows.
    ///
    /// Resampled errors lie above the error itself, as that lies above 0: their mean is no estimate of it.
    #[must_use]
    pub fn expected_calibration_error(&self, weights: &[u32]) -> f64 {
        if weights.len() != self.labels.len() {
            return f64::NAN;
        }
        let total: u64 = weights.iter().map(|&weight| u64::from(weight)).sum();
        let gap = |&row: &usize| {
            f64::from(weights[row]) * (self.probabilities[row] - f64::from(u8::from(self.labels[row])))
        };
        let gaps = self.members.iter().map(|rows| rows.iter().map(gap).sum::<f64>().abs());
        gaps.sum::<f64>() / total as f64
    }

    fn row(&self, rows: &[usize]) -> Option<CalibrationRow> {
        let predicted = rows.iter().map(|&row| self.probabilities[row]).sum::<f64>() / rows.len() as f64;
        let churned = rows.iter().filter(|&&row| self.labels[row]).count();
        let observed = wilson(churned, rows.len(), LEVEL)?;
        let (low, high) = (observed.low, observed.high);
        Some(CalibrationRow { rows: rows.len(), predicted, observed: observed.estimate, low, high })
    }
}

/// Rows in groups by ascending probability. A group ends with the tie that reaches the next whole share of
/// all rows, counted from the share at which the group before it ended, rounded: a large tie uses up
/// several shares rather than leave groups of single rows behind it.
fn grouped(probabilities: &[f64], groups: usize) -> Vec<Vec<usize>> {
    let n = probabilities.len();
    let mut order = descending(probabilities);
    order.reverse();
    let mut members = Vec::new();
    let mut group: Vec<usize> = Vec::new();
    let mut done = 0;
    let mut share = 1;
    for tie in order.chunk_by(|&a, &b| probabilities[a] == probabilities[b]) {
        group.extend(tie);
        done += tie.len();
        if done * groups >= share * n {
            members.push(std::mem::take(&mut group));
            share = groups.min((2 * done * groups + n) / (2 * n) + 1);
        }
    }
    members
}

/// E|Σ (Y − p)| of independent Y that are 1 with probability p.
fn mean_absolute_deviation(probabilities: impl Iterator<Item = f64> + Clone) -> f64 {
    let probabilities = probabilities.map(|p| p.clamp(0.0, 1.0));
    let variance: f64 = probabilities.clone().map(|p| p * (1.0 - p)).sum();
    if variance.is_nan() || variance > EXACT_VARIANCE {
        return (2.0 * variance / PI).sqrt();
    }
    // The chances of `first`, `first` + 1 … churned; what is negligible at either end is cut off.
    let mut chances = vec![1.0];
    let mut first = 0;
    let mut mean = 0.0;
    for p in probabilities {
        mean += p;
        chances.push(0.0);
        for k in (1..chances.len()).rev() {
            chances[k] = chances[k] * (1.0 - p) + chances[k - 1] * p;
        }
        chances[0] *= 1.0 - p;
        chances.truncate(chances.iter().rposition(|&chance| chance >= NEGLIGIBLE).map_or(1, |last| last + 1));
        let lead = chances.iter().position(|&chance| chance >= NEGLIGIBLE).unwrap_or(0);
        chances.drain(..lead);
        first += lead;
    }
    chances.iter().enumerate().map(|(k, chance)| chance * ((first + k) as f64 - mean).abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_keeps_ties_together_and_loses_nobody() {
        let probabilities = [0.1, 0.1, 0.1, 0.2, 0.9];
        let rows = calibration(&probabilities, &[false, true, false, false, true], 5);
        assert_eq!(rows.iter().map(|row| row.rows).collect::<Vec<_>>(), [3, 1, 1]);
    }

    #[test]
    fn a_large_tie_uses_up_its_shares() {
        let sizes = |tied: usize| {
            let probabilities: Vec<f64> =
                (0..1000).map(|i| if i < tied { 0.0 } else { i as f64 / 1e3 }).collect();
            grouped(&probabilities, 10).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes(1), [100; 10]);
        assert_eq!(sizes(501), [501, 99, 100, 100, 100, 100]);
        assert_eq!(sizes(899), [899, 101]);
        assert_eq!(sizes(1000), [1000]);
    }

    #[test]
    fn nothing_to_group() {
        assert!(calibration(&[], &[], 10).is_empty() && calibration(&[0.5], &[true], 0).is_empty());
        assert!(calibration(&[0.5], &[], 10).is_empty());
        assert!(expected_calibration_error(&[]).is_nan());
        assert!(
            expected_ece_if_calibrated(&[], 10).is_nan() && expected_ece_if_calibrated(&[0.5], 0).is_nan()
        );
        assert!(brier_decomposition(&[], &[], 10).is_none());
    }

    /// By hand: groups {.1, .3} with shares 0 and {.6, .8} with one of two; overall 1/4.
    #[test]
    fn murphy_by_hand() {
        let parts = brier_decomposition(&[0.1, 0.3, 0.6, 0.8], &[false, false, false, true], 2).unwrap();
        let expected = [
            (parts.brier, (0.01 + 0.09 + 0.36 + 0.04) / 4.0),
            (parts.reliability, (0.2_f64.powi(2) + 0.2_f64.powi(2)) / 2.0),
            (parts.resolution, (0.25_f64.powi(2) + 0.25_f64.powi(2)) / 2.0),
            (parts.uncertainty, 0.25 * 0.75),
            // (p − p̄)² is .01 four times; −2 (p − p̄)(y − ȳ) is 0, 0, −.1, −.1.
            (parts.within, (4.0 * 0.01 - 0.2) / 4.0),
        ];
        for (found, expected) in expected {
            assert!((found - expected).abs() < 1e-15, "{found} is not {expected}");
        }
    }

    /// De Moivre (1730): E|X − np| = 2 ν C(n, ν) p^ν (1 − p)^(n−ν+1) with ν = ⌊np⌋ + 1.
    fn de_moivre(n: usize, p: f64) -> f64 {
        let v = (n as f64 * p).floor() as usize + 1;
        let log_choose: f64 = (1..=v).map(|i| ((n - v + i) as f64 / i as f64).ln()).sum();
        2.0 * v as f64 * (log_choose + v as f64 * p.ln() + (n - v + 1) as f64 * (1.0 - p).ln()).exp()
    }

    #[test]
    fn the_deviation_of_equal_coins_is_de_moivres() {
        for (n, p, tolerance) in
            [(1, 0.3, 1e-12), (7, 0.5, 1e-12), (390, 0.45, 1e-12), (90_000, 0.001, 1e-10), (420, 0.4, 2e-3)]
        {
            let found = mean_absolute_deviation(std::iter::repeat_n(p, n));
            assert!((found / de_moivre(n, p) - 1.0).abs() < tolerance, "{n}, {p}: {found}");
        }
        // Certain rows add nothing, wherever they push the count.
        let mixed = [1.0, 0.5, 0.0, 1.0, 0.5, 1.0];
        assert!((mean_absolute_deviation(mixed.into_iter()) - 0.5).abs() < 1e-15);
    }

    #[test]
    fn weights_of_one_change_nothing() {
        let (probabilities, labels) = ([0.1, 0.3, 0.6, 0.8], [false, true, false, true]);
        let groups = CalibrationGroups::new(&probabilities, &labels, 2).unwrap();
        let plain = expected_calibration_error(&groups.table());
        assert!((groups.expected_calibration_error(&[1; 4]) - plain).abs() < 1e-15);
        assert!(groups.expected_calibration_error(&[1]).is_nan());
    }
}
