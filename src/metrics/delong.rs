//! How sure is an area under the ROC curve, where each customer appears once?

use serde::Serialize;

use super::interval::{Interval, IntervalMethod};
use super::ranking::{descending, roc_auc};

/// Two areas under the ROC curve on the same rows, with their variances.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AucCovariance {
    /// Area of the first score.
    pub auc_a: f64,
    /// Area of the second score.
    pub auc_b: f64,
    /// Variance of the first.
    pub variance_a: f64,
    /// Variance of the second.
    pub variance_b: f64,
    /// Their covariance.
    pub covariance: f64,
}

/// Variances and covariance of two areas on the same rows, in O(n log n). For one score, give it twice.
///
/// Each row has to be another customer: with rows of one customer at several cutoffs the variances are
/// too small, and [`clustered_bootstrap`](super::clustered_bootstrap) is for that. `None` with fewer
/// than two rows of either class, or other lengths.
///
/// # Formula
/// ```text
/// V⁺ᵢ = (negatives below sᵢ + ½ tied)/n⁻      V⁻ⱼ = (positives above sⱼ + ½ tied)/n⁺
/// cov(AUCₐ, AUC_b) = cov(V⁺ₐ, V⁺_b)/n⁺ + cov(V⁻ₐ, V⁻_b)/n⁻    with n − 1 in the sample covariances
/// ```
/// # References
/// DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44:837–845; Sun and Xu (2014), IEEE Signal
/// Processing Letters 21:1389–1393 (the placements from one sorting).
#[must_use]
pub fn delong(a: &[f64], b: &[f64], labels: &[bool]) -> Option<AucCovariance> {
    let (first, second) = (Placements::of(a, labels)?, Placements::of(b, labels)?);
    Some(AucCovariance {
        auc_a: first.auc,
        auc_b: second.auc,
        variance_a: covariance(&first, &first),
        variance_b: covariance(&second, &second),
        covariance: covariance(&first, &second),
    })
}

/// DeLong's interval of one area, its ends kept within 0 and 1. `None` as [`delong`], or where `level`
/// does not lie between 0 and 1.
///
/// Without an error in the order (area 1) the standard error is 0 and the interval a point: too sure.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// let (scores, labels) = ([0.1, 0.4, 0.4, 0.8, 0.3], [false, true, false, true, false]);
/// let auc = winback::metrics::delong_interval(&scores, &labels, 0.95).ok_or("one class")?;
/// assert!((auc.estimate - 11.0 / 12.0).abs() < 1e-15);
/// assert!(auc.low < auc.estimate && auc.high == 1.0);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn delong_interval(scores: &[f64], labels: &[bool], level: f64) -> Option<Interval> {
    let own = Placements::of(scores, labels)?;
    let error = covariance(&own, &own).sqrt();
    Some(Interval::wald(own.auc, error, level, IntervalMethod::DeLong)?.within(0.0, 1.0))
}

/// DeLong's interval of the first area minus the second, on the same rows, its ends kept within −1 and
/// 1. `None` as [`delong_interval`].
#[must_use]
pub fn delong_difference(a: &[f64], b: &[f64], labels: &[bool], level: f64) -> Option<Interval> {
    let (first, second) = (Placements::of(a, labels)?, Placements::of(b, labels)?);
    let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
    // The variance of differences, rather than a difference of variances: nothing cancels.
    let both = Placements {
        auc: first.auc - second.auc,
        churned: minus(&first.churned, &second.churned),
        stayed: minus(&first.stayed, &second.stayed),
    };
    let error = covariance(&both, &both).sqrt();
    Some(Interval::wald(both.auc, error, level, IntervalMethod::DeLong)?.within(-1.0, 1.0))
}

/// Where each row stands among those of the other class, in order of rows.
struct Placements {
    auc: f64,
    /// Per churned row: the share of the others below it.
    churned: Vec<f64>,
    /// Per other row: the share of the churned above it.
    stayed: Vec<f64>,
}

impl Placements {
    fn of(scores: &[f64], labels: &[bool]) -> Option<Self> {
        let auc = roc_auc(scores, labels)?;
        let positives = labels.iter().filter(|&&label| label).count();
        let negatives = labels.len() - positives;
        if positives < 2 || negatives < 2 {
            return None;
        }
        let order = descending(scores);
        let mut placement = vec![0.0; labels.len()];
        let (mut positives_above, mut negatives_above) = (0, 0);
        for tie in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
            let churned = tie.iter().filter(|&&row| labels[row]).count();
            let stayed = tie.len() - churned;
            let below = negatives - negatives_above - stayed;
            let of_churned = (below as f64 + 0.5 * stayed as f64) / negatives as f64;
            let of_stayed = (positives_above as f64 + 0.5 * churned as f64) / positives as f64;
            tie.iter().for_each(|&row| placement[row] = if labels[row] { of_churned } else { of_stayed });
            positives_above += churned;
            negatives_above += stayed;
        }
        let of = |class: bool| {
            placement.iter().zip(labels).filter(|&(_, &label)| label == class).map(|(&v, _)| v).collect()
        };
        Some(Self { auc, churned: of(true), stayed: of(false) })
    }
}

fn covariance(a: &Placements, b: &Placements) -> f64 {
    let of_mean = |a: &[f64], b: &[f64]| {
        let n = a.len() as f64;
        let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
        let products = a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b));
        products.sum::<f64>() / (n - 1.0) / n
    };
    of_mean(&a.churned, &b.churned) + of_mean(&a.stayed, &b.stayed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_of_a_class() {
        assert!(delong(&[], &[], &[]).is_none());
        assert!(delong_interval(&[0.1, 0.2, 0.3], &[true, false, false], 0.95).is_none());
        assert!(delong_interval(&[0.1, 0.2], &[false, false], 0.95).is_none());
        assert!(delong_interval(&[0.1], &[false, true], 0.95).is_none());
    }

    #[test]
    fn constants_and_equals_are_certain() {
        let labels = [true, false, true, false];
        let constant = delong_interval(&[0.5; 4], &labels, 0.95).unwrap();
        assert_eq!((constant.estimate, constant.standard_error), (0.5, 0.0));
        let scores = [0.3, 0.1, 0.2, 0.25];
        let doubled = scores.map(|s| 2.0 * s);
        let none = delong_difference(&scores, &doubled, &labels, 0.95).unwrap();
        assert_eq!((none.estimate, none.low, none.high), (0.0, 0.0, 0.0));
    }
}
