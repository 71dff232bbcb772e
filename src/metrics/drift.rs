//! Has a quantity moved since it was learned from?

use serde::Serialize;

/// A population stability index, and what it would be without any drift.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StabilityIndex {
    /// 0 for equal shares in all bins. A rule of thumb: below .1 stable, from .25 on moved.
    pub index: f64,
    /// What two samples of these sizes from one population give on average; an index of that size says
    /// nothing.
    pub expected_if_stable: f64,
    /// Bins that held anything, the one of nulls included.
    pub bins: usize,
}

/// Compares two samples over bins that hold equal shares of the first; NaN (null) has a bin of its own.
/// Repeated values may leave fewer bins. An empty bin counts as half a row, and a bin empty in both not
/// at all. `None` where either sample is empty, or for no bins.
///
/// # Formula
/// ```text
/// PSI = Σ (b − a) ln(b/a)    over the bins; a and b the shares of the first and second sample
/// expected = (bins − 1)(1/n + 1/m)
/// ```
/// # References
/// Siddiqi (2006), Credit Risk Scorecards, Wiley (the index and its rule of thumb); Yurdakul and
/// Naranjo (2020), Journal of Risk Model Validation 14(4):89–100 (its distribution).
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// let first: Vec<f64> = (0..1000).map(f64::from).collect();
/// let later: Vec<f64> = first.iter().map(|value| value + 300.0).collect();
/// let drift = winback::metrics::population_stability_index(&first, &later, 10).ok_or("empty")?;
/// assert!(drift.index > 0.25 && drift.expected_if_stable < 0.02);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn population_stability_index(first: &[f64], second: &[f64], bins: usize) -> Option<StabilityIndex> {
    /// Stands in for a count of 0, whose logarithm is infinite.
    const LEAST_COUNT: f64 = 0.5;
    if first.is_empty() || second.is_empty() || bins == 0 {
        return None;
    }
    let edges = edges(first, bins);
    let (a, b) = (counts(first, &edges), counts(second, &edges));
    let (n, m) = (first.len() as f64, second.len() as f64);
    let mut result = StabilityIndex { index: 0.0, expected_if_stable: 0.0, bins: 0 };
    for (&a, &b) in a.iter().zip(&b).filter(|&(&a, &b)| a + b > 0) {
        let (a, b) = ((a as f64).max(LEAST_COUNT) / n, (b as f64).max(LEAST_COUNT) / m);
        result.index += (b - a) * (b / a).ln();
        result.bins += 1;
    }
    result.expected_if_stable = (result.bins.max(1) - 1) as f64 * (1.0 / n + 1.0 / m);
    Some(result)
}

/// The upper ends of all bins but the last, ascending.
fn edges(values: &[f64], bins: usize) -> Vec<f64> {
    let mut known: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    known.sort_by(f64::total_cmp);
    let (Some(&least), Some(&most)) = (known.first(), known.last()) else { return Vec::new() };
    if least == most {
        // A constant moves in two directions.
        return vec![least.next_down(), most];
    }
    let mut edges: Vec<f64> = (1..bins).map(|bin| known[(known.len() * bin).div_ceil(bins) - 1]).collect();
    edges.dedup();
    edges
}

/// Rows per bin, nulls last.
fn counts(values: &[f64], edges: &[f64]) -> Vec<usize> {
    let mut counts = vec![0; edges.len() + 2];
    for value in values {
        let bin = if value.is_nan() { edges.len() + 1 } else { edges.partition_point(|edge| edge < value) };
        counts[bin] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Halves up to 2 and above it; one null of four against two.
        let (first, second) = ([1.0, 2.0, 3.0, f64::NAN], [1.0, 3.0, f64::NAN, f64::NAN]);
        let found = population_stability_index(&first, &second, 2).unwrap();
        let expected = (0.25 - 0.5) * 0.5_f64.ln() + 0.0 + (0.5 - 0.25) * 2_f64.ln();
        assert!((found.index - expected).abs() < 1e-15, "{found:?}");
        assert_eq!((found.bins, found.expected_if_stable), (3, 1.0));
    }

    #[test]
    fn an_empty_bin_counts_as_half_a_row() {
        let found = population_stability_index(&[1.0, 2.0], &[1.0, 1.0, 1.0, 1.0], 2).unwrap();
        let expected = 0.5 * 2_f64.ln() + (0.125 - 0.5) * 0.25_f64.ln();
        assert!((found.index - expected).abs() < 1e-15, "{found:?}");
    }

    #[test]
    fn constants_move_both_ways() {
        let index = |second: f64| population_stability_index(&[1.0; 9], &[second; 9], 10).unwrap().index;
        assert_eq!(index(1.0), 0.0);
        assert!(index(0.0) > 1.0 && index(2.0) > 1.0 && index(f64::NAN) > 1.0);
    }

    #[test]
    fn nulls_only_and_nothing() {
        assert_eq!(population_stability_index(&[f64::NAN], &[f64::NAN], 10).unwrap().index, 0.0);
        assert!(population_stability_index(&[f64::NAN], &[1.0], 10).unwrap().index > 0.0);
        assert!(population_stability_index(&[], &[1.0], 10).is_none());
        assert!(population_stability_index(&[1.0], &[], 10).is_none());
        assert!(population_stability_index(&[1.0], &[1.0], 0).is_none());
    }
}
