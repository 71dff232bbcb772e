//! How many purchases may it be?

use crate::btyd::{MbgNbd, Summary};

/// Chances of more purchases below this are left out.
const NEGLIGIBLE: f64 = 1e-6;
/// What is left outside an interval at each end.
pub(super) const TAIL: f64 = 0.025;

/// The chances of a customer's numbers of purchases, the doubt about the parameters averaged in.
pub(super) struct CountForecast {
    /// P(N > 0), P(N > 1) …, the last one negligible or that of a purchase on every day.
    more: Vec<f64>,
}

impl CountForecast {
    pub(super) fn new(around: &[MbgNbd], summary: Summary, horizon_days: i32) -> Self {
        let horizon = f64::from(horizon_days);
        let mut counts: Vec<_> = around.iter().map(|model| model.counts(summary, horizon)).collect();
        let mut more = Vec::new();
        // A purchase is a day, so that there are no more of them than days.
        while more.len() < horizon_days as usize {
            let chances = counts.iter_mut().filter_map(Iterator::next);
            let chance = chances.sum::<f64>() / around.len() as f64;
            more.push(chance);
            if chance < NEGLIGIBLE {
                break;
            }
        }
        Self { more }
    }

    /// The fewest and the most purchases that are not too unlikely.
    pub(super) fn interval(&self) -> (f64, f64) {
        let quantile = |rest: f64| self.more.iter().take_while(|&&more| more > rest).count() as f64;
        (quantile(1.0 - TAIL), quantile(TAIL))
    }

    /// The mean of N, and of its square.
    pub(super) fn moments(&self) -> (f64, f64) {
        let mean: f64 = self.more.iter().sum();
        let square: f64 = self.more.iter().enumerate().map(|(n, more)| (2 * n + 1) as f64 * more).sum();
        (mean, square)
    }

    pub(super) fn variance(&self) -> f64 {
        let (mean, square) = self.moments();
        (square - mean * mean).max(0.0)
    }

    pub(super) fn p_none(&self) -> f64 {
        1.0 - self.more.first().copied().unwrap_or(0.0)
    }

    /// Numbers of purchases from 1 on with their chances, long lists put together into few.
    pub(super) fn weights(&self) -> Vec<(f64, f64)> {
        const MOST: usize = 24;
        let after = |n: usize| self.more.get(n).copied().unwrap_or(0.0);
        let all: Vec<(f64, f64)> =
            (0..self.more.len()).map(|n| ((n + 1) as f64, self.more[n] - after(n + 1))).collect();
        let step = all.len().div_ceil(MOST).max(1);
        all.chunks(step)
            .map(|part| {
                let weight: f64 = part.iter().map(|(_, weight)| weight).sum();
                let mean = part.iter().map(|(n, weight)| n * weight).sum::<f64>() / weight;
                (if weight > 0.0 { mean } else { part[0].0 }, weight.max(0.0))
            })
            .collect()
    }
}
