//! What will all customers together buy and spend, and how sure is that?

use rayon::prelude::*;

use super::customers::Known;
use super::spend::SpendModel;
use crate::btyd::{MbgNbd, MbgNbdPosterior};
use crate::metrics::{Interval, IntervalMethod};

/// All intervals hold with this probability.
const LEVEL: f64 = 0.95;
/// The normal quantile of 97.5 %.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;
/// Customers added up at a time; a constant, so that threads cannot show.
const ROWS_PER_BLOCK: usize = 1 << 8;

/// Sums over all customers.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    pub(super) purchases: Interval,
    /// `None` without amounts.
    pub(super) spend: Option<f64>,
    /// `None` without amounts, or where their tail is too long for a variance.
    pub(super) spend_interval: Option<Interval>,
}

/// The variances of each customer's own purchases and spend, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Own {
    pub(super) purchases: f64,
    pub(super) spend: f64,
}

impl Totals {
    /// The customers' own chances are theirs alone, and so are their variances; the doubt about the parameters
    /// is shared.
    pub(super) fn of(
        known: &Known,
        rhythm: &MbgNbdPosterior,
        spend: Option<&SpendModel>,
        horizon_days: i32,
        own: Own,
    ) -> Self {
        let (horizon, rows) = (f64::from(horizon_days), known.summaries.len());
        let around = rhythm.around();
        // A purchase is a day.
        let expected =
            |model: &MbgNbd, row: usize| model.expected_purchases(known.summaries[row], horizon).min(horizon);
        let shared = |estimate: f64, total: &dyn Fn(&MbgNbd) -> f64| {
            around.iter().map(|model| (total(model) - estimate).powi(2)).sum::<f64>() / around.len() as f64
        };
        let bought = |model: &MbgNbd| sum(rows, |row| expected(model, row));
        let estimate = bought(rhythm.model());
        let most = horizon * rows as f64;
        let purchases = interval(estimate, own.purchases + shared(estimate, &bought), most);
        let (Some(model), Some(spends)) = (spend, &known.spends) else {
            return Totals { purchases, spend: None, spend_interval: None };
        };
        let spent =
            |rhythm: &MbgNbd| sum(rows, |row| expected(rhythm, row) * model.expected_average(spends[row]));
        let estimate = spent(rhythm.model());
        let of_everyone =
            sum(rows, |row| expected(rhythm.model(), row) * model.weight_of_everyone(spends[row]));
        let level = of_everyone * model.error_of_everyone(spends);
        let variance = own.spend + shared(estimate, &spent) + level * level;
        let is_known = estimate.is_finite() && variance.is_finite();
        Totals {
            purchases,
            spend: Some(estimate),
            spend_interval: is_known.then(|| interval(estimate, variance, f64::INFINITY)),
        }
    }
}

fn interval(estimate: f64, variance: f64, most: f64) -> Interval {
    let standard_error = variance.sqrt();
    Interval {
        estimate,
        low: (estimate - NORMAL_QUANTILE * standard_error).max(0.0),
        high: (estimate + NORMAL_QUANTILE * standard_error).min(most),
        standard_error,
        level: LEVEL,
        method: IntervalMethod::Wald,
    }
}

/// A sum over customers, by blocks, so that threads cannot show.
fn sum(rows: usize, of: impl Fn(usize) -> f64 + Sync) -> f64 {
    let blocks: Vec<f64> = (0..rows.div_ceil(ROWS_PER_BLOCK))
        .into_par_iter()
        .map(|block| (block * ROWS_PER_BLOCK..rows.min((block + 1) * ROWS_PER_BLOCK)).map(&of).sum())
        .collect();
    blocks.iter().sum()
}

impl Own {
    /// Added up in order, by blocks.
    pub(super) fn sum(rows: usize, of: impl Fn(usize) -> Own + Sync + Send) -> Self {
        let own: Vec<Own> = (0..rows).into_par_iter().map(of).collect();
        Own { purchases: sum(rows, |row| own[row].purchases), spend: sum(rows, |row| own[row].spend) }
    }
}
