//! How good is a score? Pure functions on slices.
//!
//! The positive class is `true`: churned. Scores and labels have one length.

use serde::Serialize;

/// Area under the ROC curve: the chance that a random positive scores above a random negative, a tie
/// counting one half. `None` where either class is missing.
///
/// # Formula
/// ```text
/// AUC = (R⁺ − n⁺(n⁺ + 1)/2) / (n⁺ n⁻)    where R⁺ is the sum of the positives' midranks
/// ```
/// # References
/// Hanley and McNeil (1982), Radiology 143:29–36.
///
/// ```
/// let auc = winback::metrics::roc_auc(&[0.1, 0.4, 0.4, 0.8], &[false, true, false, true]);
/// assert_eq!(auc, Some(0.875));
/// ```
#[must_use]
pub fn roc_auc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    let positives = labels.iter().filter(|&&label| label).count();
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let order = descending(scores);
    // Twice the midranks, counted from the highest score, are integers, so that the sum is exact.
    let mut doubled_ranks = 0_u128;
    let mut before = 0;
    for tie in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let positive = tie.iter().filter(|&&row| labels[row]).count();
        doubled_ranks += (positive * (2 * before + tie.len() + 1)) as u128;
        before += tie.len();
    }
    let doubled_least = (positives as u128) * (positives as u128 + 1);
    let doubled_pairs = 2.0 * positives as f64 * negatives as f64;
    Some(1.0 - (doubled_ranks - doubled_least) as f64 / doubled_pairs)
}

/// Mean negative log-likelihood of the labels, probabilities kept 2⁻⁵² away from 0 and 1, as
/// scikit-learn does. NaN for no rows.
#[must_use]
pub fn log_loss(probabilities: &[f64], labels: &[bool]) -> f64 {
    let loss = |(p, &label): (&f64, &bool)| {
        let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        -(if label { p } else { 1.0 - p }).ln()
    };
    let sum: f64 = probabilities.iter().zip(labels).map(loss).sum();
    sum / labels.len() as f64
}

/// Mean squared difference between probability and label (Brier 1950). NaN for no rows.
#[must_use]
pub fn brier(probabilities: &[f64], labels: &[bool]) -> f64 {
    let sum: f64 =
        probabilities.iter().zip(labels).map(|(&p, &label)| (p - f64::from(u8::from(label))).powi(2)).sum();
    sum / labels.len() as f64
}

/// One group of customers of like probability: what was said and what came.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CalibrationRow {
    /// Customers.
    pub rows: usize,
    /// Their mean predicted probability.
    pub predicted: f64,
    /// The share of them that churned.
    pub observed: f64,
}

/// Predicted against observed in groups of equal size, by ascending probability; equal probabilities
/// stay together.
#[must_use]
pub fn calibration(probabilities: &[f64], labels: &[bool], groups: usize) -> Vec<CalibrationRow> {
    let mut order = descending(probabilities);
    order.reverse();
    let mut rows = Vec::new();
    let mut group: Vec<usize> = Vec::new();
    let mut done = 0;
    for tie in order.chunk_by(|&a, &b| probabilities[a] == probabilities[b]) {
        group.extend(tie);
        done += tie.len();
        // The group ends with the tie that reaches its share of all rows.
        if done * groups >= (rows.len() + 1) * order.len() {
            rows.push(calibration_row(&group, probabilities, labels));
            group.clear();
        }
    }
    rows
}

fn calibration_row(group: &[usize], probabilities: &[f64], labels: &[bool]) -> CalibrationRow {
    let rows = group.len();
    let predicted = group.iter().map(|&row| probabilities[row]).sum::<f64>() / rows as f64;
    let churned = group.iter().filter(|&&row| labels[row]).count();
    CalibrationRow { rows, predicted, observed: churned as f64 / rows as f64 }
}

/// What the customers of the highest scores hold of all churned ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GainRow {
    /// Share of all customers taken, from the highest score down, 0 to 1.
    pub taken_fraction: f64,
    /// Customers taken.
    pub rows: usize,
    /// Churned among them; ties at the edge count by their share.
    pub churned: f64,
    /// Share of all churned customers that they hold, 0 to 1.
    pub captured_fraction: f64,
    /// Their churn rate over that of everyone.
    pub lift: f64,
}

/// Cumulative gains and lift by tenths of the customers. Empty where nobody churned.
#[must_use]
pub fn gains(scores: &[f64], labels: &[bool]) -> Vec<GainRow> {
    const STEPS: usize = 10;
    let churned = labels.iter().filter(|&&label| label).count() as f64;
    if churned == 0.0 {
        return Vec::new();
    }
    let order = descending(scores);
    // The expected number of churned among the first k, ties in random order.
    let mut expected = vec![0.0];
    for tie in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let of_tie = tie.iter().filter(|&&row| labels[row]).count() as f64;
        let before = expected[expected.len() - 1];
        expected.extend((1..=tie.len()).map(|taken| before + of_tie * taken as f64 / tie.len() as f64));
    }
    (1..=STEPS)
        .map(|step| {
            let rows = (labels.len() * step).div_ceil(STEPS);
            let captured_fraction = expected[rows] / churned;
            let taken_fraction = rows as f64 / labels.len() as f64;
            GainRow {
                taken_fraction,
                rows,
                churned: expected[rows],
                captured_fraction,
                lift: captured_fraction / taken_fraction,
            }
        })
        .collect()
}

/// Rows by descending score; equal scores in order of row.
fn descending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_of_ties_and_constants() {
        assert_eq!(roc_auc(&[0.5; 4], &[true, false, true, false]), Some(0.5));
        assert_eq!(roc_auc(&[0.0, -0.0], &[true, false]), Some(0.5));
        assert_eq!(roc_auc(&[0.9, 0.1], &[true, false]), Some(1.0));
        assert_eq!(roc_auc(&[0.9, 0.1], &[true, true]), None);
        assert_eq!(roc_auc(&[], &[]), None);
    }

    #[test]
    fn calibration_keeps_ties_together_and_loses_nobody() {
        let probabilities = [0.1, 0.1, 0.1, 0.2, 0.9];
        let rows = calibration(&probabilities, &[false, true, false, false, true], 5);
        assert_eq!(rows.iter().map(|row| row.rows).collect::<Vec<_>>(), [3, 1, 1]);
    }

    #[test]
    fn gains_end_with_everyone() {
        let rows = gains(&[0.9, 0.8, 0.7, 0.1], &[true, false, true, false]);
        let last = rows[rows.len() - 1];
        assert_eq!((last.rows, last.captured_fraction, last.lift), (4, 1.0, 1.0));
        assert_eq!(rows[2].lift, 1.0); // two of four customers hold one of two churned
    }
}
