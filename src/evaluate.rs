//! Can we trust it, and is it better than looking at recency?

mod baselines;
mod backtest;

use std::fmt;

use serde::Serialize;

pub use self::backtest::{Backtest, BacktestRow};
use self::baselines::SimpleScores;
pub use self::baselines::{Baseline, Baselines};
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::metrics::{self, CalibrationRow, GainRow};
use crate::model::{ChurnModel, POSITIVE_CLASS, sigmoid};
use crate::snapshot::Snapshots;

/// Groups of the calibration table.
const CALIBRATION_GROUPS: usize = 10;

/// How a model did on cutoffs it was not trained on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The cutoffs it was tested at, ascending.
    pub test_cutoffs: Vec<crate::day::Day>,
    /// Length of the label window, days.
    pub horizon_days: i32,
    /// Everyone who had bought.
    pub all: Quality,
    /// Those who had bought in the last H days; `None` where nobody had.
    pub recent: Option<Quality>,
}

/// The quality of the probabilities of some customers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Rows: customers, once per cutoff.
    pub rows: usize,
    /// Share that churned, 0 to 1.
    pub churned_fraction: f64,
    /// Area under the ROC curve; `None` where all or none churned.
    pub auc: Option<f64>,
    /// Mean negative log-likelihood.
    pub log_loss: f64,
    /// Mean squared error of the probability.
    pub brier: f64,
    /// Mean predicted probability.
    pub predicted_fraction: f64,
    /// Predicted against observed, in groups of ascending probability.
    pub calibration: Vec<CalibrationRow>,
    /// Cumulative gains and lift by tenths.
    pub gains: Vec<GainRow>,
    /// What simpler scores reach on the same customers.
    pub baselines: Baselines,
}

impl ChurnModel {
    /// Scores labelled snapshots that came after training, and compares.
    ///
    /// # Errors
    /// [`Error::TestOverlapsTraining`] for a test cutoff before the last training label ended;
    /// [`Error::FeatureMismatch`] for snapshots of other features or another label window.
    pub fn evaluate(&self, test: &Snapshots) -> Result<Evaluation> {
        self.check_test(test)?;
        let probabilities = self.test_probabilities(test);
        let simple = SimpleScores::new(self, test);
        let quality = |rows: &[usize]| {
            let labels: Vec<bool> = rows.iter().map(|&row| test.labels()[row]).collect();
            let own: Vec<f64> = rows.iter().map(|&row| probabilities[row]).collect();
            let churned = labels.iter().filter(|&&label| label).count();
            Quality {
                rows: rows.len(),
                churned_fraction: churned as f64 / rows.len() as f64,
                auc: metrics::roc_auc(&own, &labels),
                log_loss: metrics::log_loss(&own, &labels),
                brier: metrics::brier(&own, &labels),
                calibration: metrics::calibration(&own, &labels, CALIBRATION_GROUPS),
                gains: metrics::gains(&own, &labels),
                predicted_fraction: own.iter().sum::<f64>() / own.len() as f64,
                baselines: simple.of(rows, &labels),
            }
        };
        let all: Vec<usize> = (0..test.rows()).collect();
        let recent: Vec<usize> = all.iter().copied().filter(|&row| test.is_recent(row)).collect();
        Ok(Evaluation {
            test_cutoffs: test.cutoffs().to_vec(),
            horizon_days: self.label().horizon_days,
            all: quality(&all),
            recent: (!recent.is_empty()).then(|| quality(&recent)),
        })
    }

    fn test_probabilities(&self, test: &Snapshots) -> Vec<f64> {
        let offsets: Vec<f64> = test.cutoffs().iter().map(|&cutoff| self.season_offset(cutoff)).collect();
        let log_odds = self.log_odds(test.columns());
        log_odds
            .iter()
            .zip(test.positions())
            .map(|(log_odds, &cutoff)| sigmoid(log_odds + offsets[cutoff as usize]))
            .collect()
    }

    fn check_test(&self, test: &Snapshots) -> Result<()> {
        let names = |features: &[Feature]| features.iter().map(Feature::name).collect::<Vec<_>>();
        let mismatch =
            |problem: String| Error::FeatureMismatch { origin: "test snapshots".to_owned(), problem };
        if self.features() != test.features() {
            return Err(mismatch(format!(
                "their features are not the model's: found {}, expected {}",
                names(test.features()).join(", "),
                names(self.features()).join(", ")
            )));
        }
        if self.label() != test.label() {
            return Err(mismatch(format!(
                "their label window is {:?}, the model's is {:?}",
                test.label(),
                self.label()
            )));
        }
        let trained_until = self.provenance().labelled_until;
        match test.cutoffs().first() {
            Some(&test_cutoff) if test_cutoff < trained_until => {
                Err(Error::TestOverlapsTraining { test_cutoff, trained_until })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cutoffs: Vec<String> = self.test_cutoffs.iter().map(ToString::to_string).collect();
        writeln!(
            f,
            "tested at {} on who then bought nothing for {} days",
            cutoffs.join(", "),
            self.horizon_days
        )?;
        writeln!(f, "  {:<22}{:>12}{:>12}", "", "everyone", "recent")?;
        let mut line = |name: &str, show: &dyn Fn(&Quality) -> String| {
            let recent = self.recent.as_ref().map_or_else(|| "-".to_owned(), show);
            writeln!(f, "  {name:<22}{:>12}{recent:>12}", show(&self.all))
        };
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let top_lift = |quality: &Quality| quality.gains.first().map(|row| row.lift);
        line("customers", &|quality| quality.rows.to_string())?;
        line(POSITIVE_CLASS, &|quality| format!("{:.1} %", quality.churned_fraction * 100.0))?;
        line("AUC", &|quality| number(quality.auc))?;
        line("AUC, recency alone", &|quality| number(quality.baselines.recency.auc))?;
        line("log-loss", &|quality| number(Some(quality.log_loss)))?;
        line("log-loss, recency", &|quality| number(Some(quality.baselines.recency.log_loss)))?;
        line("Brier score", &|quality| number(Some(quality.brier)))?;
        line("Brier score, recency", &|quality| number(Some(quality.baselines.recency.brier)))?;
        line("lift of the top tenth", &|quality| number(top_lift(quality)))?;
        line("lift, recency", &|quality| number(quality.baselines.recency.lift))?;
        for (name, quality) in [("everyone", Some(&self.all)), ("recent", self.recent.as_ref())] {
            let Some(quality) = quality else { continue };
            writeln!(f, "  calibration, {name} (predicted -> observed)")?;
            for row in &quality.calibration {
                writeln!(
                    f,
                    "  {:>6} customers  {:>5.1} % -> {:>5.1} %",
                    row.rows,
                    row.predicted * 100.0,
                    row.observed * 100.0
                )?;
            }
        }
        Ok(())
    }
}
