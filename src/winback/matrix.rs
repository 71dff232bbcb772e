//! Which numbers does a table of attempts give a model?

use std::collections::BTreeMap;
use std::ops::Range;

use crate::model::Design;

/// A value that fewer attempts have is one of the others.
const LEAST_WITH_VALUE: usize = 10;
const OTHER: &str = "(other)";

/// A column as it came: values, what it is called, and in words what one unit of it is.
pub(super) struct Raw {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) values: Vec<f64>,
}

pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: Vec<Raw>,
}

impl Matrix {
    pub(super) fn add_numbers(&mut self, name: &str, values: &[f64]) {
        let missing: Vec<f64> = values.iter().map(|value| f64::from(u8::from(value.is_nan()))).collect();
        let any_missing = missing.contains(&1.0);
        self.columns.push(Raw {
            name: name.to_owned(),
            unit: "one more".to_owned(),
            values: values.to_vec(),
        });
        if any_missing {
            let unit = "not known".to_owned();
            self.columns.push(Raw { name: format!("{name} is missing"), unit, values: missing });
        }
    }

    pub(super) fn add_values(&mut self, name: &str, values: &[String]) {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        values.iter().for_each(|value| *counts.entry(value).or_default() += 1);
        fn own<'a>(counts: &BTreeMap<&str, usize>, value: &'a str) -> &'a str {
            if counts[value] >= LEAST_WITH_VALUE { value } else { OTHER }
        }
        let mut merged: BTreeMap<&str, usize> = BTreeMap::new();
        values.iter().for_each(|value| *merged.entry(own(&counts, value)).or_default() += 1);
        let reference = merged.iter().max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name)));
        let Some(reference) = reference.map(|(name, _)| *name) else { return };
        for value in merged.keys().filter(|value| **value != reference) {
            self.columns.push(Raw {
                name: format!("{name} = {value}"),
                unit: format!("against {reference}"),
                values: values
                    .iter()
                    .map(|found| f64::from(u8::from(own(&counts, found) == *value)))
                    .collect(),
            });
        }
    }
}

/// Which fold a row falls into: by a hash of its place, so that neighbours part.
pub(super) fn fold_of(row: usize, folds: usize) -> usize {
    // SplitMix64's finaliser (Steele, Lea and Flood 2014).
    let mut z = (row as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) % folds as u64) as usize
}

/// Some rows of the matrix, standardised on themselves.
pub(super) struct Scaled {
    rows: usize,
    columns: Vec<Vec<f64>>,
    /// Mean and standard deviation of what is known; a column that does not vary has 0.
    pub(super) scale: Vec<(f64, f64)>,
}

impl Scaled {
    pub(super) fn new(matrix: &Matrix, rows: &[usize]) -> Self {
        let mut scaled = Scaled { rows: rows.len(), columns: Vec::new(), scale: Vec::new() };
        for raw in &matrix.columns {
            let known: Vec<f64> =
                rows.iter().map(|&row| raw.values[row]).filter(|value| !value.is_nan()).collect();
            let n = known.len().max(1) as f64;
            let mean = known.iter().sum::<f64>() / n;
            let variance = known.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
            let sd = if variance.sqrt() > 1e-12 * mean.abs() { variance.sqrt() } else { 0.0 };
            scaled.columns.push(rows.iter().map(|&row| standard(raw.values[row], (mean, sd))).collect());
            scaled.scale.push((mean, sd));
        }
        scaled
    }

    /// A row as the fit sees it, a leading 1 included.
    pub(super) fn row(&self, matrix: &Matrix, row: usize) -> Vec<f64> {
        let columns = matrix.columns.iter().zip(&self.scale);
        std::iter::once(1.0).chain(columns.map(|(raw, &scale)| standard(raw.values[row], scale))).collect()
    }

    pub(super) fn log_odds(&self, matrix: &Matrix, row: usize, beta: &[f64]) -> f64 {
        let columns = matrix.columns.iter().zip(&self.scale).zip(&beta[1..]);
        beta[0] + columns.map(|((raw, &scale), b)| b * standard(raw.values[row], scale)).sum::<f64>()
    }
}

fn standard(value: f64, (mean, sd): (f64, f64)) -> f64 {
    if value.is_nan() || sd == 0.0 { 0.0 } else { (value - mean) / sd }
}

impl Design for Scaled {
    fn rows(&self) -> usize {
        self.rows
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    fn fill(&self, rows: Range<usize>, stride: usize, out: &mut [f64]) {
        for (column, out) in self.columns.iter().zip(out.chunks_mut(stride)) {
            out[..rows.len()].copy_from_slice(&column[rows.clone()]);
        }
    }
}
