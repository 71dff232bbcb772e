//! Is the model worth using?

use std::fmt;

use serde::Serialize;

use super::backtest::BacktestRow;
use super::quality::Quality;
use crate::day::Day;

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
    /// Not shown to be better among everyone, which is no proof that it is not: days since last may do as well.
    NoBetterThanRecency,
    /// Fewer than 25 customers churned, or fewer than 25 stayed, at the cutoff tested; or the log is too short for
    /// an earlier cutoff to test at.
    TooLittleData,
}

impl Verdict {
    /// *Better* needs all of: the lower end of the AUC difference to recency above 0; a gain of .005 AUC,
    /// or a log-loss below that of recency calibrated in training; a higher AUC than recency at more than
    /// half of the backtest's cutoffs before the ones tested where both have one, of which there must be one.
    pub(super) fn new(all: &Quality, tested: &[Day], backtest: &[BacktestRow]) -> Self {
        let Some(difference) = all.auc_over_recency.as_ref().filter(|_| has_outcomes(all)) else {
            return Verdict::TooLittleData;
        };
        let wins = Wins::before(tested, backtest);
        if wins.of == 0 {
            return Verdict::TooLittleData;
        }
        let is_sure = difference.low > 0.0;
        let is_useful = difference.estimate >= USEFUL_AUC || all.log_loss < all.baselines.recency.log_loss;
        match is_sure && is_useful && wins.are_most() {
            true => Verdict::Better,
            false => Verdict::NoBetterThanRecency,
        }
    }
}

/// Whether enough customers churned, and enough did not.
pub(super) fn has_outcomes(all: &Quality) -> bool {
    let churned = all.churned_fraction * all.rows as f64;
    // Half a customer for the rounding of the share.
    churned.min(all.rows as f64 - churned) > LEAST_OUTCOMES - 0.5
}

/// At how many cutoffs the model ranked better than recency.
pub(super) struct Wins {
    pub(super) won: usize,
    pub(super) tied: usize,
    pub(super) of: usize,
}

impl Wins {
    /// Of the cutoffs before the ones tested, which are judged by themselves, and only where both have an AUC.
    pub(super) fn before(tested: &[Day], backtest: &[BacktestRow]) -> Self {
        let mut wins = Wins { won: 0, tied: 0, of: 0 };
        for row in backtest.iter().filter(|row| tested.iter().all(|day| row.cutoff < *day)) {
            let (Some(own), Some(recency)) = (row.auc, row.recency_auc) else { continue };
            wins.of += 1;
            wins.won += usize::from(own > recency);
            wins.tied += usize::from(own == recency);
        }
        wins
    }

    /// Whether the model won at more than half.
    pub(super) fn are_most(&self) -> bool {
        2 * self.won > self.of
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Better => "better than recency: use the model",
            Verdict::NoBetterThanRecency => {
                "not shown to be better than recency: days since the last purchase may sort customers as well"
            }
            Verdict::TooLittleData => "too little data to tell: bring a longer log, or more customers",
        })
    }
}
