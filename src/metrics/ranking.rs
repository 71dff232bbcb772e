//! How well does a score order customers?

use serde::Serialize;

/// Area under the ROC curve: the chance that a random positive scores above a random negative, a tie
/// counting one half. 0 to 1, one half for chance. `None` where either class is missing.
///
/// # Formula
/// ```text
/// AUC = Σ (1 if s⁺ > s⁻, ½ if s⁺ = s⁻, else 0) / (n⁺ n⁻)    over all pairs of a positive and a negative
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
    Ranking::new(scores, labels)?.auc_by(|_| 1)
}

/// Average precision: the precision at each score, weighted by the recall gained there; equal scores
/// enter together. From about the positive share (chance) to 1. `None` where no label is positive.
///
/// # Formula
/// ```text
/// AP = Σ (Rₖ − Rₖ₋₁) Pₖ    over the distinct scores from the highest; P precision, R recall down to there
/// ```
/// Not interpolated, and so equal to scikit-learn's `average_precision_score`.
///
/// # References
/// Zhu (2004), Recall, precision and average precision, University of Waterloo.
///
/// ```
/// let found = winback::metrics::average_precision(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]);
/// assert_eq!(found, Some((1.0 + 2.0 / 3.0) / 2.0));
/// ```
#[must_use]
pub fn average_precision(scores: &[f64], labels: &[bool]) -> Option<f64> {
    Ranking::new(scores, labels)?.precision_by(|_| 1)
}

/// Rows in order of score, made once: any weighting of them then costs one pass, no sorting.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// From the highest score.
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    row: usize,
    churned: bool,
    /// Whether the next score is another one.
    ends_tie: bool,
}

impl Ranking {
    /// Sorts the rows by score; O(n log n). `None` where the lengths differ.
    #[must_use]
    pub fn new(scores: &[f64], labels: &[bool]) -> Option<Self> {
        if scores.len() != labels.len() {
            return None;
        }
        let order = descending(scores);
        let ends =
            |place: usize| order.get(place + 1).is_none_or(|&next| scores[next] != scores[order[place]]);
        let place =
            |(place, &row): (usize, &usize)| Place { row, churned: labels[row], ends_tie: ends(place) };
        Some(Self { places: order.iter().enumerate().map(place).collect() })
    }

    /// [`roc_auc`] with every row counted as often as its weight says. `None` where either class has no
    /// weight, or where there are not as many weights as rows.
    ///
    /// ```
    /// # fn main() -> Result<(), &'static str> {
    /// use winback::metrics::{Ranking, roc_auc};
    /// let ranking = Ranking::new(&[0.1, 0.4, 0.8], &[false, true, false]).ok_or("lengths")?;
    /// let twice = roc_auc(&[0.1, 0.1, 0.4, 0.8], &[false, false, true, false]);
    /// assert_eq!(ranking.roc_auc(&[2, 1, 1]), twice);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn roc_auc(&self, weights: &[u32]) -> Option<f64> {
        self.fits(weights)?.auc_by(|row| u64::from(weights[row]))
    }

    /// [`average_precision`] with every row counted as often as its weight says. `None` where no positive
    /// has weight, or where there are not as many weights as rows.
    #[must_use]
    pub fn average_precision(&self, weights: &[u32]) -> Option<f64> {
        self.fits(weights)?.precision_by(|row| u64::from(weights[row]))
    }

    fn fits(&self, weights: &[u32]) -> Option<&Self> {
        (weights.len() == self.places.len()).then_some(self)
    }

    fn auc_by(&self, weight: impl Fn(usize) -> u64) -> Option<f64> {
        // Twice the pairs won are integers, so that the sum is exact.
        let mut doubled_wins = 0_u128;
        let (mut positives, mut negatives) = (0_u64, 0_u64);
        self.each_tie(weight, |churned, stayed| {
            doubled_wins += u128::from(stayed) * u128::from(2 * positives + churned);
            positives += churned;
            negatives += stayed;
        });
        let pairs = positives as f64 * negatives as f64;
        (pairs > 0.0).then(|| doubled_wins as f64 / (2.0 * pairs))
    }

    fn precision_by(&self, weight: impl Fn(usize) -> u64) -> Option<f64> {
        let (mut positives, mut taken, mut sum) = (0_u64, 0_u64, 0.0);
        self.each_tie(weight, |churned, stayed| {
            positives += churned;
            taken += churned + stayed;
            if churned > 0 {
                sum += churned as f64 * (positives as f64 / taken as f64);
            }
        });
        (positives > 0).then(|| sum / positives as f64)
    }

    /// Calls with the weight of the churned and of the others, tie by tie from the highest score.
    fn each_tie(&self, weight: impl Fn(usize) -> u64, mut call: impl FnMut(u64, u64)) {
        let mut tie = [0_u64; 2];
        for place in &self.places {
            tie[usize::from(place.churned)] += weight(place.row);
            if place.ends_tie {
                call(tie[1], tie[0]);
                tie = [0; 2];
            }
        }
    }
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
    if churned == 0.0 || scores.len() != labels.len() {
        return Vec::new();
    }
    let expected = cumulative(scores, |row| f64::from(u8::from(labels[row])));
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

/// The expected sum of a quantity over the k rows of the highest scores, for k from 0 to all, where ties
/// stand in random order.
pub(super) fn cumulative(scores: &[f64], quantity: impl Fn(usize) -> f64) -> Vec<f64> {
    let order = descending(scores);
    let mut sums = vec![0.0];
    for tie in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let of_tie: f64 = tie.iter().map(|&row| quantity(row)).sum();
        let before = sums[sums.len() - 1];
        sums.extend((1..=tie.len()).map(|taken| before + of_tie * taken as f64 / tie.len() as f64));
    }
    sums
}

/// Rows by descending score; equal scores in order of row.
pub(super) fn descending(scores: &[f64]) -> Vec<usize> {
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
        assert_eq!(roc_auc(&[0.1], &[true, false]), None);
    }

    #[test]
    fn average_precision_of_one_class_and_constants() {
        assert_eq!(average_precision(&[0.5; 4], &[true, false, true, false]), Some(0.5));
        assert_eq!(average_precision(&[0.9, 0.1], &[true, true]), Some(1.0));
        assert_eq!(average_precision(&[0.9, 0.1], &[false, false]), None);
        assert_eq!(average_precision(&[], &[]), None);
    }

    #[test]
    fn weights_of_zero_leave_rows_out() {
        let ranking = Ranking::new(&[0.9, 0.8, 0.3, 0.2], &[false, true, true, false]).unwrap();
        assert_eq!(ranking.roc_auc(&[0, 1, 0, 1]), Some(1.0));
        assert_eq!(ranking.average_precision(&[0, 1, 0, 1]), Some(1.0));
        assert_eq!(ranking.roc_auc(&[1, 0, 0, 1]), None);
        assert_eq!(ranking.roc_auc(&[1]), None);
    }

    #[test]
    fn gains_end_with_everyone() {
        let rows = gains(&[0.9, 0.8, 0.7, 0.1], &[true, false, true, false]);
        let last = rows[rows.len() - 1];
        assert_eq!((last.rows, last.captured_fraction, last.lift), (4, 1.0, 1.0));
        assert_eq!(rows[2].lift, 1.0); // two of four customers hold one of two churned
        assert!(gains(&[], &[]).is_empty() && gains(&[0.5], &[false]).is_empty());
    }
}
