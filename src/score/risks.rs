//! Who is at risk? What later stages take of the scores.

use super::Scores;
use super::drivers::Driver;

impl Scores {
    /// Each row's customer, by rank of id, ascending.
    pub(crate) fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// Whether each row is a recent customer at or above the model's threshold.
    pub(crate) fn at_risk(&self) -> &[bool] {
        &self.at_risk
    }

    /// The features scored, column by column; what a customer brought lately may follow the model's own.
    pub(crate) fn columns(&self) -> &[Vec<f64>] {
        self.facts.columns()
    }

    /// What drives some rows, the strongest first.
    pub(crate) fn drivers_of(&self, rows: &[usize]) -> Vec<Vec<Driver>> {
        self.facts.strongest(rows).into_iter().map(|own| own.into_iter().flatten().collect()).collect()
    }
}
