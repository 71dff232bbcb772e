//! How alike are two customers to the model?
//!
//! Each standardised column times its coefficient: along each axis, two customers lie as far apart as that column
//! moves their log-odds apart. What the model does not look at does not tell customers apart.

use rayon::prelude::*;

use super::ChurnModel;

/// Customers taken at a time.
const ROWS_PER_BLOCK: usize = 1 << 10;

impl ChurnModel {
    /// How many axes the space has.
    pub(crate) fn space_width(&self) -> usize {
        // A model of the rhythm has one: how far the customer's log-odds lie from the average.
        if self.rhythm.is_some() { 1 } else { self.terms.len() }
    }

    /// Where some rows of features, given column by column, lie in it: one row after another.
    pub(crate) fn place(&self, columns: &[Vec<f64>], rows: &[usize]) -> Vec<f64> {
        let blocks: Vec<Vec<f64>> = rows
            .par_chunks(ROWS_PER_BLOCK)
            .map(|rows| {
                rows.iter().flat_map(|&row| self.place_row(&|feature| columns[feature][row])).collect()
            })
            .collect();
        blocks.concat()
    }

    fn place_row(&self, value: &dyn Fn(usize) -> f64) -> Vec<f64> {
        if let Some(rhythm) = &self.rhythm {
            return vec![rhythm.share(&self.features, self.label, value)];
        }
        let features = self.features.iter().enumerate();
        let values: Vec<f64> =
            features.map(|(position, feature)| feature.transform().apply(value(position))).collect();
        let terms = self.terms.iter().zip(&self.beta[1..]);
        terms.map(|(term, beta)| beta * term.standardised(&|feature| values[feature])).collect()
    }
}
