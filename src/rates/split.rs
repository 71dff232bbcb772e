//! Were customers split as planned? And which of several findings hold together?

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The p-value of the sample-ratio test: whether arms of these sizes can come from these planned shares.
/// Below .001 the assignment, or the counting, is broken, and no effect should be believed.
///
/// `None` where the lengths differ, there are fewer than two arms or no customers, or a share is not positive.
///
/// # Formula
/// ```text
/// X² = Σ (n − N s)² / (N s),  chi-squared with (arms − 1) degrees of freedom; s the planned shares
/// ```
/// # References
/// Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD.
///
/// ```
/// let p = winback::rates::sample_ratio_p(&[821_588, 815_482], &[0.5, 0.5]);
/// assert!(p.is_some_and(|p| p < 1e-5));
/// ```
#[must_use]
pub fn sample_ratio_p(sizes: &[u64], planned: &[f64]) -> Option<f64> {
    let all: u64 = sizes.iter().sum();
    let shares: f64 = planned.iter().sum();
    let sound = planned.iter().all(|share| *share > 0.0 && share.is_finite());
    if sizes.len() != planned.len() || sizes.len() < 2 || all == 0 || !sound {
        return None;
    }
    let mut sum = 0.0;
    for (&size, share) in sizes.iter().zip(planned) {
        let expected = all as f64 * share / shares;
        sum += (size as f64 - expected).powi(2) / expected;
    }
    upper(sum, sizes.len() - 1)
}

/// The p-value of whether every stratum was split alike: rows are strata, columns arms.
///
/// `None` where fewer than two strata, or fewer than two arms, hold anybody.
///
/// # Formula
/// ```text
/// X² = Σ (n − E)² / E,  E = row sum × column sum / all,  (rows − 1)(columns − 1) degrees of freedom
/// ```
/// # References
/// Pearson (1900), Philosophical Magazine 50:157–175.
#[must_use]
pub fn homogeneity_p(table: &[Vec<u64>]) -> Option<f64> {
    let arms = table.iter().map(Vec::len).max()?;
    let count = |row: &[u64], arm: usize| row.get(arm).copied().unwrap_or(0) as f64;
    let columns: Vec<f64> = (0..arms).map(|arm| table.iter().map(|row| count(row, arm)).sum()).collect();
    let all: f64 = columns.iter().sum();
    let (mut sum, mut rows) = (0.0, 0);
    for row in table {
        let total: f64 = (0..arms).map(|arm| count(row, arm)).sum();
        if total == 0.0 {
            continue;
        }
        rows += 1;
        for (arm, column) in columns.iter().enumerate().filter(|(_, column)| **column > 0.0) {
            let expected = total * column / all;
            sum += (count(row, arm) - expected).powi(2) / expected;
        }
    }
    let used = columns.iter().filter(|column| **column > 0.0).count();
    if rows < 2 || used < 2 { None } else { upper(sum, (rows - 1) * (used - 1)) }
}

fn upper(statistic: f64, degrees_of_freedom: usize) -> Option<f64> {
    Some(ChiSquared::new(degrees_of_freedom as f64).ok()?.sf(statistic).clamp(0.0, 1.0))
}

/// Holm's adjusted p-values, in the order given: those at most α are findings of which, all together, one or
/// more is false with a chance of at most α, however the tests depend on each other. NaN counts as 1.
///
/// # Formula
/// ```text
/// adjusted p(i) = max over j ≤ i of min(1, (n − j + 1) p(j)),  where p(1) ≤ … ≤ p(n)
/// ```
/// # References
/// Holm (1979), Scandinavian Journal of Statistics 6:65–70.
///
/// ```
/// assert_eq!(winback::rates::holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
/// ```
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let known = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| known(p[a]).total_cmp(&known(p[b])).then(a.cmp(&b)));
    let mut adjusted = vec![1.0; p.len()];
    let mut most: f64 = 0.0;
    for (place, &test) in order.iter().enumerate() {
        most = most.max(((p.len() - place) as f64 * known(p[test])).min(1.0));
        adjusted[test] = most;
    }
    adjusted
}
