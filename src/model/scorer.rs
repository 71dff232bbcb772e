//! How do features become log-odds, a few rows at a time?
//!
//! Hot path 3. One pass: features are transformed, terms made of them and added up while a block of rows
//! stays in the processor's cache. Nothing is kept but the sums.

use fearless_simd::Simd;
use rayon::prelude::*;

use super::design::{Design, ROWS_PER_BLOCK, ROWS_PER_TILE, add_log_odds, tiles};
use super::terms::Term;
use crate::features::{Feature, Transform};
use crate::math::{Kernel, sigmoid, wide};

/// A model's terms over raw features.
pub(crate) struct Scorer<'a> {
    /// Per feature; `None` where no term is made of it.
    transforms: Vec<Option<Transform>>,
    terms: &'a [Term],
    beta: &'a [f64],
}

impl<'a> Scorer<'a> {
    pub(crate) fn new(features: &[Feature], terms: &'a [Term], beta: &'a [f64]) -> Self {
        let is_used = |feature: usize| terms.iter().any(|term| term.kind.features().contains(&feature));
        let transforms = features.iter().enumerate();
        Scorer {
            transforms: transforms
                .map(|(position, feature)| is_used(position).then(|| feature.transform()))
                .collect(),
            terms,
            beta,
        }
    }

    /// Log-odds of all rows, given column by column.
    pub(crate) fn log_odds<C: AsRef<[f64]> + Sync>(&self, columns: &[C]) -> Vec<f64> {
        self.score(
            columns,
            #[inline(always)]
            |log_odds| log_odds,
        )
    }

    /// Probabilities of all rows, everybody's log-odds shifted by as much.
    pub(crate) fn probabilities<C: AsRef<[f64]> + Sync>(&self, columns: &[C], shift: f64) -> Vec<f64> {
        self.score(
            columns,
            #[inline(always)]
            |log_odds| sigmoid(log_odds + shift),
        )
    }

    fn score<C: AsRef<[f64]> + Sync>(&self, columns: &[C], finish: impl Fn(f64) -> f64 + Sync) -> Vec<f64> {
        let mut all = vec![0.0; columns.first().map_or(0, |column| column.as_ref().len())];
        let room = || (vec![0.0; self.transforms.len() * ROWS_PER_TILE], vec![0.0; ROWS_PER_TILE]);
        all.par_chunks_mut(ROWS_PER_BLOCK).enumerate().for_each_init(
            room,
            |(features, term), (block, out)| {
                for (tile, out) in out.chunks_mut(ROWS_PER_TILE).enumerate() {
                    let start = block * ROWS_PER_BLOCK + tile * ROWS_PER_TILE;
                    self.transform(columns, start, out.len(), features);
                    wide(AddTerms {
                        terms: self.terms,
                        beta: self.beta,
                        features,
                        term,
                        finish: &finish,
                        out,
                    });
                }
            },
        );
        all
    }

    /// The transformed features of a tile, each in its own place.
    fn transform<C: AsRef<[f64]>>(&self, columns: &[C], start: usize, rows: usize, out: &mut [f64]) {
        let places = out.chunks_exact_mut(ROWS_PER_TILE);
        for ((transform, column), out) in self.transforms.iter().zip(columns).zip(places) {
            if let Some(transform) = transform {
                let out = &mut out[..rows];
                out.copy_from_slice(&column.as_ref()[start..start + rows]);
                transform.apply_all(out);
            }
        }
    }
}

/// Adds a tile's terms, each times its coefficient, in order.
struct AddTerms<'a, F> {
    terms: &'a [Term],
    beta: &'a [f64],
    features: &'a [f64],
    /// Room for a term's values.
    term: &'a mut [f64],
    /// What becomes of the sum.
    finish: &'a F,
    out: &'a mut [f64],
}

impl<F: Fn(f64) -> f64> Kernel for AddTerms<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let AddTerms { terms, beta, features, term: values, finish, out } = self;
        let values = &mut values[..out.len()];
        out.fill(beta[0]);
        for (term, b) in terms.iter().zip(&beta[1..]) {
            term.fill(term.kind.features().map(|feature| &features[feature * ROWS_PER_TILE..]), values);
            out.iter_mut().zip(&*values).for_each(|(sum, x)| *sum += b * x);
        }
        out.iter_mut().for_each(|sum| *sum = finish(*sum));
    }
}

/// Writes the probability of every row of columns that are the terms themselves.
pub(crate) fn linear<C: AsRef<[f64]> + Sync>(columns: &[C], beta: &[f64], out: &mut [f64]) {
    out.par_chunks_mut(ROWS_PER_BLOCK).enumerate().for_each(|(block, out)| {
        wide(Linear { columns, beta, start: block * ROWS_PER_BLOCK, out });
    });
}

struct Linear<'a, C> {
    columns: &'a [C],
    beta: &'a [f64],
    start: usize,
    out: &'a mut [f64],
}

impl<C: AsRef<[f64]>> Kernel for Linear<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Linear { columns, beta, start, out } = self;
        let rows = out.len();
        add_log_odds(|j| &columns[j].as_ref()[start..start + rows], beta, out);
        out.iter_mut().for_each(|value| *value = sigmoid(*value));
    }
}

/// Log-odds of all rows of a design.
pub(super) fn log_odds(design: &dyn Design, beta: &[f64]) -> Vec<f64> {
    let mut log_odds = vec![0.0; design.rows()];
    let room = || vec![0.0; design.width() * ROWS_PER_TILE];
    log_odds.par_chunks_mut(ROWS_PER_BLOCK).enumerate().for_each_init(room, |columns, (block, out)| {
        let start = block * ROWS_PER_BLOCK;
        for rows in tiles(start..start + out.len()) {
            design.fill(rows.clone(), ROWS_PER_TILE, columns);
            let out = &mut out[rows.start - start..rows.end - start];
            wide(AddColumns { columns, beta, out });
        }
    });
    log_odds
}

struct AddColumns<'a> {
    columns: &'a [f64],
    beta: &'a [f64],
    out: &'a mut [f64],
}

impl Kernel for AddColumns<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let AddColumns { columns, beta, out } = self;
        add_log_odds(|j| &columns[j * ROWS_PER_TILE..(j + 1) * ROWS_PER_TILE], beta, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::terms::{TermKind, TermRows, transform};

    /// Row by row, one number after the other.
    fn slowly(features: &[Feature], terms: &[Term], beta: &[f64], columns: &[Vec<f64>]) -> Vec<f64> {
        let row = |row: usize| {
            let values = features.iter().zip(columns);
            let values: Vec<f64> =
                values.map(|(feature, column)| feature.transform().apply(column[row])).collect();
            let terms = terms.iter().map(|term| term.standardised(&|feature| values[feature]));
            terms.zip(&beta[1..]).fold(beta[0], |sum, (x, b)| sum + b * x)
        };
        (0..columns[0].len()).map(row).collect()
    }

    #[test]
    fn blocks_give_the_bits_of_single_rows_and_of_the_fit() {
        // More than a block, and no multiple of a tile or of eight.
        const ROWS: usize = ROWS_PER_BLOCK + ROWS_PER_TILE + 13;
        let features = [
            Feature::DaysSinceLast,
            Feature::PurchaseRate { horizon_days: 90 },
            Feature::IntervalMax,
            Feature::RefundFraction,
        ];
        let columns: Vec<Vec<f64>> = (0..features.len())
            .map(|feature| {
                let value = |row: usize| ((row * (feature + 3) * 7919) % 1_009) as f64 / 10.0;
                (0..ROWS)
                    .map(|row| if feature == 2 && row % 5 == 0 { f64::NAN } else { value(row) })
                    .collect()
            })
            .collect();
        let kinds = [
            TermKind::Value(0),
            TermKind::Value(1),
            TermKind::Value(2),
            TermKind::Missing(2),
            TermKind::Product(0, 2),
            TermKind::Excess(3, 0),
        ];
        let terms = kinds.map(|kind| Term { kind, mean: 0.7, sd: 1.3 });
        let beta = [-0.2, 0.9, -0.31, 0.2, 0.11, -0.02, 0.4];
        let slow = slowly(&features, &terms, &beta, &columns);
        let scorer = Scorer::new(&features, &terms, &beta);
        assert_eq!(scorer.log_odds(&columns), slow);
        let probabilities: Vec<f64> = slow.iter().map(|log_odds| sigmoid(log_odds + 0.5)).collect();
        assert_eq!(scorer.probabilities(&columns, 0.5), probabilities);
        // The fit's way, with rows that follow each other and rows that do not.
        let transformed = transform(&features, &columns);
        for step in [1, 3] {
            let rows: Vec<u32> = (0..ROWS as u32).step_by(step).collect();
            let design = TermRows { terms: &terms, transformed: &transformed, rows: &rows };
            let expected: Vec<f64> = rows.iter().map(|&row| slow[row as usize]).collect();
            assert_eq!(log_odds(&design, &beta), expected);
        }
        // Terms as columns of their own.
        let values: Vec<Vec<f64>> = (0..terms.len())
            .map(|place| {
                let only = terms[place].kind.features();
                (0..ROWS)
                    .map(|row| {
                        terms[place].standardised(&|feature| {
                            debug_assert!(only.contains(&feature));
                            transformed[feature][row]
                        })
                    })
                    .collect()
            })
            .collect();
        let mut found = vec![0.0; ROWS];
        linear(&values, &beta, &mut found);
        assert_eq!(found, slow.iter().map(|&log_odds| sigmoid(log_odds)).collect::<Vec<_>>());
    }
}
