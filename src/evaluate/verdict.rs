//! Is the model worth using?

use std::fmt;

use serde::Serialize;

use super::backtest::Backtest;
use super::quality::Quality;

/// Fewer customers of either outcome than this say nothing.
const LEAST_OUTCOMES: f64 = 25.0;
/// An AUC gain that is worth a model.
const USEFUL_AUC: f64 = 0.005;

/// Whether the model is better than looking at days since the last purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// Surely and usefully better, and at most earlier cutoffs too.
    Better,
    /// Not shown to be better: sort customers by days since last, and save the trouble.
    NoBetterThanRecency,
    /// Fewer than 25 customers churned, or fewer than 25 stayed, at the cutoff tested.
    TooLittleData,
}

impl Verdict {
    /// *Better* needs all of: the lower end of the AUC difference to recency above 0; a gain of .005 AUC,
    /// or a log-loss below that of recency calibrated in training; a higher AUC than recency at more than
    /// half of the backtest's cutoffs.
    pub(super) fn new(all: &Quality, backtest: &Backtest) -> Self {
        let churned = all.churned_fraction * all.rows as f64;
        let Some(difference) = all.auc_over_recency.as_ref() else { return Verdict::TooLittleData };
        if churned.min(all.rows as f64 - churned) < LEAST_OUTCOMES || backtest.rows.is_empty() {
            return Verdict::TooLittleData;
        }
        let is_sure = difference.low > 0.0;
        let is_useful = difference.estimate >= USEFUL_AUC || all.log_loss < all.baselines.recency.log_loss;
        let wins = backtest.rows.iter().filter(|row| row.wins()).count();
        match is_sure && is_useful && 2 * wins > backtest.rows.len() {
            true => Verdict::Better,
            false => Verdict::NoBetterThanRecency,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Better => "better than recency: use the model",
            Verdict::NoBetterThanRecency => {
                "no better than recency: sort customers by days since their last purchase instead"
            }
            Verdict::TooLittleData => "too little data to tell: bring a longer log, or more customers",
        })
    }
}
