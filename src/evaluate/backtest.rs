//! Would it have worked before? The same fit at earlier cutoffs, each tested on what came after.

use std::fmt;

use serde::Serialize;

use super::quality::Quality;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::model::ChurnModelParams;
use crate::snapshot::Snapshots;

/// One origin: trained on labels that ended by then, tested there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestRow {
    /// The cutoff tested at.
    pub cutoff: Day,
    /// Rows trained on.
    pub training_rows: usize,
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

/// A rolling-origin backtest, by ascending cutoff.
///
/// At every cutoff the model is fitted anew on labels that had ended by then (an embargo of lead plus
/// horizon), so that no origin knows what a user could not have known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Backtest {
    /// The origins.
    pub rows: Vec<BacktestRow>,
}

impl Backtest {
    /// Tests at the latest `most` cutoffs that have enough before them; others are passed over.
    ///
    /// # Errors
    /// What the fit refuses, but for cutoffs without labels of both classes before them.
    pub fn run(params: &ChurnModelParams, snapshots: &Snapshots, most: usize) -> Result<Self> {
        let mut rows = Vec::new();
        for &cutoff in snapshots.cutoffs().iter().rev() {
            if rows.len() == most {
                break;
            }
            let (training, test) = match snapshots.split_at(cutoff) {
                Ok(parts) => parts,
                Err(Error::EmptySplit { .. }) => continue,
                Err(error) => return Err(error),
            };
            let test = test.at_first_cutoff();
            let model = match params.fit(&training) {
                Ok(model) => model,
                Err(Error::SingleClass { .. }) => continue,
                Err(error) => return Err(error),
            };
            let Quality {
                rows: n,
                churned_fraction,
                predicted_fraction,
                auc,
                log_loss,
                brier,
                baselines,
                ..
            } = model.evaluate(&test)?.all;
            rows.push(BacktestRow {
                cutoff,
                training_rows: training.rows(),
                rows: n,
                churned_fraction,
                predicted_fraction,
                auc,
                log_loss,
                brier,
                recency_auc: baselines.recency.auc,
                recency_log_loss: baselines.recency.log_loss,
            });
        }
        rows.reverse();
        Ok(Backtest { rows })
    }
}

impl fmt::Display for Backtest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BacktestTable(&self.rows).fmt(f)
    }
}

/// Rows as a table.
pub(super) struct BacktestTable<'a>(pub(super) &'a [BacktestRow]);

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
        Ok(())
    }
}
