//! What does each figure show?
//!
//! Every figure is a picture, a sentence that says the same to those who do not see it, and a table of its
//! numbers.

use crate::metrics::Interval;

/// A picture, what it shows, and its numbers.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) title: &'static str,
    pub(super) alt: String,
    pub(super) svg: String,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

pub(super) fn ends(interval: &Interval) -> (f64, f64) {
    (interval.low, interval.high)
}

pub(super) fn row<const N: usize>(cells: [String; N]) -> Vec<String> {
    cells.into()
}
