//! Whom was the model trained on?

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// How many values stand for a feature's distribution.
const VALUES: usize = 100;

/// The training population: enough of every feature's distribution to notice when it moves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Portrait {
    /// Per feature, up to 100 equally likely values, ascending; fewer where the rest is null.
    values: Vec<Vec<f64>>,
    /// Mean predicted probability in training.
    pub(crate) mean_probability: f64,
}

impl Portrait {
    pub(super) fn new(columns: &[Vec<f64>], probabilities: &[f64]) -> Self {
        Portrait {
            values: columns.par_iter().map(|column| equally_likely(column)).collect(),
            mean_probability: probabilities.iter().sum::<f64>() / probabilities.len() as f64,
        }
    }

    /// A feature's values in training, NaN for null, as a sample of 100.
    pub(crate) fn sample(&self, feature: usize) -> Vec<f64> {
        let mut sample = self.values[feature].clone();
        sample.resize(VALUES, f64::NAN);
        sample
    }

    /// A feature's median in training, among those of whom it is known; NaN where it never is.
    pub(super) fn median(&self, feature: usize) -> f64 {
        let values = &self.values[feature];
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The median of the values below a limit; NaN where there is none.
    pub(super) fn median_below(&self, feature: usize, limit: f64) -> f64 {
        let values = &self.values[feature];
        let below = values.partition_point(|value| *value < limit);
        values[..below].get(below / 2).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn check(&self, features: usize) -> Result<(), String> {
        let fits = self.values.len() == features && self.values.iter().all(|values| values.len() <= VALUES);
        match fits && (0.0..=1.0).contains(&self.mean_probability) {
            true => Ok(()),
            false => Err("its portrait of the training population does not fit its features".to_owned()),
        }
    }
}

fn equally_likely(column: &[f64]) -> Vec<f64> {
    let mut known: Vec<f64> = column.iter().copied().filter(|value| !value.is_nan()).collect();
    let taken = (VALUES as f64 * known.len() as f64 / column.len() as f64).round() as usize;
    // The middles of `taken` equal parts.
    let places: Vec<usize> = (0..taken).map(|part| (2 * part + 1) * known.len() / (2 * taken)).collect();
    let mut values = Vec::with_capacity(taken);
    select(&mut known, 0, &places, &mut values);
    values
}

/// Appends the values that would stand at these ascending places were all sorted; the first of all is at
/// place `start`. Halving the places each time costs a few passes where sorting costs many.
fn select(values: &mut [f64], start: usize, places: &[usize], out: &mut Vec<f64>) {
    let Some(&middle) = places.get(places.len() / 2) else { return };
    let (before, after) =
        (places.partition_point(|place| *place < middle), places.partition_point(|place| *place <= middle));
    let (low, &mut value, high) = values.select_nth_unstable_by(middle - start, f64::total_cmp);
    select(low, start, &places[..before], out);
    out.extend(std::iter::repeat_n(value, after - before));
    select(high, middle + 1, &places[after..], out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_a_sorted_column() {
        for rows in [1, 2, 99, 100, 1_000, 1_234] {
            let column: Vec<f64> = (0..rows)
                .map(|row| if row % 9 == 8 { f64::NAN } else { ((row * 7919) % 101) as f64 })
                .collect();
            let mut known: Vec<f64> = column.iter().copied().filter(|value| !value.is_nan()).collect();
            known.sort_unstable_by(f64::total_cmp);
            let found = equally_likely(&column);
            let expected: Vec<f64> = (0..found.len())
                .map(|part| known[(2 * part + 1) * known.len() / (2 * found.len())])
                .collect();
            assert_eq!(found, expected, "{rows} rows");
        }
    }
}
