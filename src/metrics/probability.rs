//! How close are the probabilities to what came? Proper scores.

/// Mean negative log-likelihood of the labels, probabilities kept 2⁻⁵² away from 0 and 1, as
/// scikit-learn does. 0 at best; a coin for every customer gives 0.6931. NaN for no rows or other lengths.
///
/// # Formula
/// ```text
/// −(1/n) Σ (y ln p + (1 − y) ln(1 − p))
/// ```
/// # References
/// Good (1952), Journal of the Royal Statistical Society B 14:107–114.
///
/// ```
/// let loss = winback::metrics::log_loss(&[0.5, 0.5], &[true, false]);
/// assert!((loss - 2_f64.ln()).abs() < 1e-15);
/// ```
#[must_use]
pub fn log_loss(probabilities: &[f64], labels: &[bool]) -> f64 {
    mean(probabilities, labels, row_log_loss)
}

/// Mean squared difference between probability and label: 0 at best, 0.25 for a coin for every customer.
/// NaN for no rows or other lengths.
///
/// # References
/// Brier (1950), Monthly Weather Review 78:1–3; half of his score, which adds over both classes.
#[must_use]
pub fn brier(probabilities: &[f64], labels: &[bool]) -> f64 {
    mean(probabilities, labels, row_brier)
}

/// The log-loss of each row; [`log_loss`] is their mean. Made once, [`weighted_mean`] gives it under any
/// weights without a logarithm. Empty where the lengths differ.
///
/// ```
/// use winback::metrics::{log_loss, log_losses, weighted_mean};
/// let (probabilities, labels) = ([0.9, 0.2], [true, true]);
/// let doubled = log_loss(&[0.9, 0.2, 0.2], &[true; 3]);
/// let weighted = weighted_mean(&log_losses(&probabilities, &labels), &[1, 2]);
/// assert!((weighted - doubled).abs() < 1e-15);
/// ```
#[must_use]
pub fn log_losses(probabilities: &[f64], labels: &[bool]) -> Vec<f64> {
    each(probabilities, labels, row_log_loss)
}

/// The squared difference of each row; [`brier`] is their mean. Empty where the lengths differ.
#[must_use]
pub fn squared_errors(probabilities: &[f64], labels: &[bool]) -> Vec<f64> {
    each(probabilities, labels, row_brier)
}

/// The mean of values that count as often as their weights say. NaN for no weight or other lengths.
#[must_use]
pub fn weighted_mean(values: &[f64], weights: &[u32]) -> f64 {
    if values.len() != weights.len() {
        return f64::NAN;
    }
    let mut total = 0_u64;
    let mut sum = 0.0;
    for (value, &weight) in values.iter().zip(weights) {
        // Skipped, so that an infinite value of no weight does not make the sum NaN.
        if weight > 0 {
            total += u64::from(weight);
            sum += value * f64::from(weight);
        }
    }
    sum / total as f64
}

fn row_log_loss(p: f64, label: bool) -> f64 {
    let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    -(if label { p } else { 1.0 - p }).ln()
}

fn row_brier(p: f64, label: bool) -> f64 {
    (p - f64::from(u8::from(label))).powi(2)
}

fn mean(probabilities: &[f64], labels: &[bool], loss: fn(f64, bool) -> f64) -> f64 {
    if probabilities.len() != labels.len() {
        return f64::NAN;
    }
    let sum: f64 = probabilities.iter().zip(labels).map(|(&p, &label)| loss(p, label)).sum();
    sum / labels.len() as f64
}

fn each(probabilities: &[f64], labels: &[bool], loss: fn(f64, bool) -> f64) -> Vec<f64> {
    if probabilities.len() != labels.len() {
        return Vec::new();
    }
    probabilities.iter().zip(labels).map(|(&p, &label)| loss(p, label)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_rows_there_is_no_number() {
        assert!(log_loss(&[], &[]).is_nan() && brier(&[], &[]).is_nan());
        assert!(log_loss(&[0.5], &[]).is_nan() && brier(&[], &[true]).is_nan());
        assert!(weighted_mean(&[], &[]).is_nan() && weighted_mean(&[1.0], &[0]).is_nan());
        assert!(weighted_mean(&[1.0], &[]).is_nan());
        assert!(log_losses(&[0.5], &[]).is_empty() && squared_errors(&[0.5], &[]).is_empty());
    }

    #[test]
    fn what_weighs_nothing_does_not_count() {
        assert_eq!(weighted_mean(&[f64::INFINITY, 2.0, 5.0], &[0, 1, 2]), 4.0);
    }
}
