//! What was known of each customer's purchases on the day?

use rayon::prelude::*;

use crate::btyd::{RepeatSpend, Summary};
use crate::day::Day;
use crate::error::Result;
use crate::features::{Feature, Panel, panel_at};
use crate::history::History;

/// Everyone who had bought, in order of customer.
pub(super) struct Known {
    pub(super) ranks: Vec<u32>,
    pub(super) summaries: Vec<Summary>,
    /// Repeat purchases and their mean, in units of the mean amount; `None` where amounts were not read.
    pub(super) spends: Option<Vec<RepeatSpend>>,
    /// Of all purchases; NaN without amounts.
    pub(super) mean_amount: f64,
}

pub(super) fn known_at(history: &History, as_of: Day) -> Result<Known> {
    let Panel { ranks, days_since_last, columns, .. } =
        panel_at(history, &[Feature::NPurchases, Feature::TenureDays], as_of)?;
    let summaries: Vec<Summary> = days_since_last
        .iter()
        .zip(columns[0].iter().zip(&columns[1]))
        .map(|(&silent, (&purchases, &tenure))| Summary::of_days(purchases, f64::from(silent), tenure))
        .collect();
    if !history.reading().columns().has_amount() {
        return Ok(Known { ranks, summaries, spends: None, mean_amount: f64::NAN });
    }
    // Per customer: their mean amount, and that of their repeat purchases.
    let means: Vec<(f64, f64)> = ranks
        .par_iter()
        .map(|&rank| {
            let net = history.run(rank as usize).until(as_of).net;
            (mean(net), mean(&net[1.min(net.len())..]))
        })
        .collect();
    // Shares first, so that no sum of amounts overflows.
    let purchases: f64 = summaries.iter().map(|summary| summary.frequency + 1.0).sum();
    let mean_amount: f64 = means
        .iter()
        .zip(&summaries)
        .map(|((all, _), summary)| all * ((summary.frequency + 1.0) / purchases))
        .sum();
    let unit = if mean_amount > 0.0 { mean_amount } else { 1.0 };
    let spends = means
        .iter()
        .zip(&summaries)
        .map(|((_, repeats), summary)| RepeatSpend::new(summary.frequency, repeats / unit))
        .collect();
    Ok(Known { ranks, summaries, spends: Some(spends), mean_amount })
}

/// 0 where there is nothing.
fn mean(amounts: &[f64]) -> f64 {
    let count = amounts.len().max(1) as f64;
    amounts.iter().map(|amount| amount.max(0.0) / count).sum()
}
