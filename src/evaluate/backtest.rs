//! Would it have worked before? The same fit at earlier cutoffs, each tested on what came after.

use std::fmt;

use serde::Serialize;

use super::trial::TrialParams;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::history::History;
use crate::model::{ChurnModel, ChurnModelParams};
use crate::snapshot::Snapshots;

/// One origin: trained on labels that ended by then, tested there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestRow {
    /// The cutoff tested at.
    pub cutoff: Day,
    /// Rows trained on.
    pub training_rows: usize,
    /// Cutoffs trained on.
    pub training_cutoffs: usize,
    /// Customers tested.
    pub rows: usize,
    /// Share of them that churned, 0 to 1.
    pub churned_fraction: f64,
    /// Mean predicted probability.
    pub predicted_fraction: f64,
    /// Area under the ROC curve.
    pub auc: Option<f64>,
    /// Mean negative log-likelihood.
    pub log_loss: f64,
    /// Mean squared error of the probability.
    pub brier: f64,
    /// The AUC of days since last alone.
    pub recency_auc: Option<f64>,
    /// The log-loss of days since last alone, calibrated in training.
    pub recency_log_loss: f64,
}

impl BacktestRow {
    /// Whether the model ranks better than recency here.
    #[must_use]
    pub fn wins(&self) -> bool {
        self.auc > self.recency_auc
    }
}

/// An origin at which no model could be made or tested, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SkippedOrigin {
    /// The cutoff.
    pub cutoff: Day,
    /// What stood in the way.
    pub reason: String,
}

/// A rolling-origin backtest, by ascending cutoff.
///
/// At every cutoff the model is fitted anew on labels that had ended by then (an embargo of lead plus
/// horizon), so that no origin knows what a user could not have known.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Backtest {
    /// The origins.
    pub rows: Vec<BacktestRow>,
    /// Origins that were passed over, with the reason: one that fails does not end the backtest.
    pub skipped: Vec<SkippedOrigin>,
}

impl Backtest {
    /// Makes the same model at the latest `most` cutoffs that can have one, and tests it there: every row is what
    /// [`TrialParams::at`] and [`ChurnModel::evaluate`] give, with as many training cutoffs at each as the log is
    /// long enough for.
    ///
    /// # Errors
    /// [`Error::Parameter`] for settings out of range, a log too short for a single cutoff, and whatever would fail
    /// at every cutoff. Where a model cannot be fitted to one cutoff's customers, that one is
    /// [`skipped`](Self::skipped).
    pub fn of(trials: &TrialParams, history: &History, most: usize) -> Result<Self> {
        let rows = trials.origins(history)?.map(|cutoff| {
            let tried = trials.at(history, cutoff);
            (cutoff, tried.and_then(|trial| BacktestRow::new(&trial.model, &trial.train, &trial.test)))
        });
        Self::gather(rows, most)
    }

    /// As [`of`](Self::of), from snapshots taken before, such as those of a table computed elsewhere: every origin
    /// learns from all of the snapshots' cutoffs whose labels had ended by then, and without the season.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn run(params: &ChurnModelParams, snapshots: &Snapshots, most: usize) -> Result<Self> {
        let rows = snapshots.cutoffs().iter().rev().map(|&cutoff| {
            let tried = snapshots.split_at(cutoff).and_then(|(training, test)| {
                BacktestRow::new(&params.fit(&training)?, &training, &test.at_first_cutoff())
            });
            (cutoff, tried)
        });
        Self::gather(rows, most)
    }

    /// The first `most` that succeed, of twice as many at most.
    fn gather(tried: impl Iterator<Item = (Day, Result<BacktestRow>)>, most: usize) -> Result<Self> {
        let mut backtest = Backtest::default();
        for (cutoff, row) in tried.take(most.saturating_mul(2)) {
            match row {
                Ok(row) => backtest.rows.push(row),
                // The log begins here.
                Err(
                    Error::EmptySplit { .. } | Error::NoCutoffs { .. } | Error::BeforeFirstPurchase { .. },
                ) => {
                    break;
                }
                Err(
                    error @ (Error::SingleClass { .. } | Error::NotFitted { .. } | Error::NotFinite { .. }),
                ) => {
                    backtest.skipped.push(SkippedOrigin { cutoff, reason: error.to_string() });
                }
                // It would fail everywhere.
                Err(error) => return Err(error),
            }
            if backtest.rows.len() == most {
                break;
            }
        }
        backtest.rows.reverse();
        backtest.skipped.reverse();
        Ok(backtest)
    }
}

impl BacktestRow {
    fn new(model: &ChurnModel, training: &Snapshots, test: &Snapshots) -> Result<Self> {
        let quality = model.evaluate(test)?.all;
        Ok(BacktestRow {
            cutoff: test.last_cutoff(),
            training_rows: training.rows(),
            training_cutoffs: training.cutoffs().len(),
            rows: quality.rows,
            churned_fraction: quality.churned_fraction,
            predicted_fraction: quality.predicted_fraction,
            auc: quality.auc,
            log_loss: quality.log_loss,
            brier: quality.brier,
            recency_auc: quality.baselines.recency.auc,
            recency_log_loss: quality.baselines.recency.log_loss,
        })
    }
}

impl fmt::Display for Backtest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BacktestTable(&self.rows, &self.skipped).fmt(f)
    }
}

/// Rows as a table, and what was passed over.
pub(super) struct BacktestTable<'a>(pub(super) &'a [BacktestRow], pub(super) &'a [SkippedOrigin]);

impl fmt::Display for BacktestTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {:<12}{:>10}{:>10}{:>11}{:>9}{:>9}{:>10}{:>10}",
            "cutoff", "customers", "churned", "predicted", "AUC", "recency", "log-loss", "recency"
        )?;
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        for row in self.0 {
            writeln!(
                f,
                "  {:<12}{:>10}{:>8.1} %{:>9.1} %{:>9}{:>9}{:>10.4}{:>10.4}",
                row.cutoff,
                row.rows,
                row.churned_fraction * 100.0,
                row.predicted_fraction * 100.0,
                number(row.auc),
                number(row.recency_auc),
                row.log_loss,
                row.recency_log_loss
            )?;
        }
        for SkippedOrigin { cutoff, reason } in self.1 {
            writeln!(f, "  {cutoff:<12}passed over: {reason}")?;
        }
        Ok(())
    }
}
