//! Can we trust it, and is it better than looking at recency?

mod baselines;
mod quality;
mod trial;
mod backtest;
mod verdict;
mod profit;
mod ageing;
mod reading;

use std::fmt;

use serde::Serialize;

pub use self::ageing::{Advice, Ageing, Drift};
use self::backtest::BacktestTable;
pub use self::backtest::{Backtest, BacktestRow, SkippedOrigin};
use self::baselines::SimpleScores;
pub use self::baselines::{Baseline, Baselines};
pub use self::profit::{Campaign, Profit};
use self::quality::Judged;
pub use self::quality::Quality;
use self::reading::{Remark, remarks};
pub use self::trial::{Trial, TrialParams};
pub use self::verdict::Verdict;
use crate::error::{Error, Result};
use crate::metrics::Interval;
use crate::model::{ChurnModel, ModelKind, POSITIVE_CLASS};
use crate::snapshot::Snapshots;

/// What the bootstrap of an evaluation begins with, unless another is given.
const DEFAULT_SEED: u64 = 1;

/// How a model did on cutoffs it was not trained on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// The cutoffs it was tested at, ascending.
    pub test_cutoffs: Vec<crate::day::Day>,
    /// Length of the label window, days.
    pub horizon_days: i32,
    /// What the model answers from.
    pub model: ModelKind,
    /// Everyone who had bought.
    pub all: Quality,
    /// Those who had bought in the last H days; `None` where nobody had.
    pub recent: Option<Quality>,
    /// The same fit at earlier cutoffs; empty until [`with_backtest`](Self::with_backtest).
    pub backtest: Vec<BacktestRow>,
    /// Cutoffs that the backtest passed over, with the reason.
    pub backtest_skipped: Vec<SkippedOrigin>,
    /// What a campaign would bring under stated terms; `None` until [`with_profit`](Self::with_profit).
    pub profit: Option<Profit>,
    /// Whether the model is worth using; `None` without a backtest.
    pub verdict: Option<Verdict>,
}

impl Evaluation {
    /// Adds how the same fit did at other cutoffs, and with it the verdict.
    #[must_use]
    pub fn with_backtest(mut self, backtest: Backtest) -> Self {
        self.verdict = Some(Verdict::new(&self.all, &self.test_cutoffs, &backtest.rows));
        self.backtest = backtest.rows;
        self.backtest_skipped = backtest.skipped;
        self
    }

    /// Adds what a campaign would bring under stated terms.
    #[must_use]
    pub fn with_profit(mut self, profit: Option<Profit>) -> Self {
        self.profit = profit;
        self
    }
}

impl ChurnModel {
    /// Scores labelled snapshots that came after training, and compares.
    ///
    /// # Errors
    /// [`Error::TestOverlapsTraining`] for a test cutoff before the last training label ended;
    /// [`Error::FeatureMismatch`] for snapshots of other features or another label window,
    /// [`Error::PolicyMismatch`] for those of a log read another way.
    pub fn evaluate(&self, test: &Snapshots) -> Result<Evaluation> {
        self.evaluate_seeded(test, DEFAULT_SEED)
    }

    /// As [`evaluate`](Self::evaluate), with another seed for the bootstrapped intervals (1 there).
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_seeded(&self, test: &Snapshots, seed: u64) -> Result<Evaluation> {
        self.check_test(test)?;
        let judged = Judged {
            probabilities: &self.probabilities(test),
            labels: test.labels(),
            customers: test.ranks(),
            simple: &SimpleScores::new(self, test),
            seed,
        };
        let all: Vec<usize> = (0..test.rows()).collect();
        let recent: Vec<usize> = all.iter().copied().filter(|&row| test.is_recent(row)).collect();
        Ok(Evaluation {
            test_cutoffs: test.cutoffs().to_vec(),
            horizon_days: self.label().horizon_days,
            model: self.kind(),
            all: judged.quality(&all),
            recent: (!recent.is_empty()).then(|| judged.quality(&recent)),
            backtest: Vec::new(),
            backtest_skipped: Vec::new(),
            profit: None,
            verdict: None,
        })
    }

    fn check_test(&self, test: &Snapshots) -> Result<()> {
        self.check_alike(test, "test snapshots")?;
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
        writeln!(f, "  {:<26}{:>26}  {:>26}", "", "everyone", "recent")?;
        let mut line = |name: &str, show: &dyn Fn(&Quality) -> String| {
            let recent = self.recent.as_ref().map_or_else(|| "-".to_owned(), show);
            writeln!(f, "  {name:<26}{:>26}  {recent:>26}", show(&self.all))
        };
        let percent = |value: f64| format!("{:.1} %", value * 100.0);
        line("customers", &|quality| quality.rows.to_string())?;
        line(POSITIVE_CLASS, &|quality| percent(quality.churned_fraction))?;
        line("predicted", &|quality| percent(quality.predicted_fraction))?;
        line("AUC", &|quality| with_range(quality.auc, quality.auc_interval.as_ref()))?;
        line("  over recency alone", &|quality| {
            let over = quality.auc_over_recency.as_ref();
            with_range(over.map(|over| over.estimate), over)
        })?;
        line("log-loss", &|quality| with_range(Some(quality.log_loss), quality.log_loss_interval.as_ref()))?;
        line("Brier score", &|quality| with_range(Some(quality.brier), quality.brier_interval.as_ref()))?;
        line("lift of the top tenth", &|quality| number(quality.gains.first().map(|row| row.lift)))?;
        line("calibration error", &|quality| {
            format!("{:.4} (chance {:.4})", quality.ece, quality.ece_if_calibrated)
        })?;
        line("calibration slope", &|quality| {
            let slope = quality.calibration_line.as_ref().map(|line| &line.slope);
            with_range(slope.map(|slope| slope.estimate), slope)
        })?;
        self.write_baselines(f)?;
        self.write_calibration(f)?;
        if !(self.backtest.is_empty() && self.backtest_skipped.is_empty()) {
            writeln!(f, "  the same fit at several cutoffs:")?;
            write!(f, "{}", BacktestTable(&self.backtest, &self.backtest_skipped))?;
        }
        if let Some(profit) = &self.profit {
            write!(f, "{profit}")?;
        }
        if let Some(verdict) = self.verdict {
            writeln!(f, "  verdict: {verdict}")?;
        }
        for Remark { kind, text } in remarks(self) {
            write_remark(f, kind, &text)?;
        }
        Ok(())
    }
}

impl Evaluation {
    fn write_baselines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, quality) in self.groups() {
            writeln!(
                f,
                "  {:<30}{:>10}{:>10}{:>10}{:>10}",
                format!("simpler scores, {name}"),
                "AUC",
                "log-loss",
                "Brier",
                "lift"
            )?;
            let baselines = &quality.baselines;
            let rows = [
                ("days since last (recency)", Some(&baselines.recency)),
                ("purchases (frequency)", baselines.frequency.as_ref()),
                ("overdue ratio", baselines.overdue.as_ref()),
                ("MBG/NBD", baselines.mbg_nbd.as_ref()),
            ];
            for (name, baseline) in rows {
                let Some(Baseline { auc, log_loss, brier, lift }) = baseline else { continue };
                let (auc, lift) = (number(*auc), number(*lift));
                writeln!(f, "    {name:<28}{auc:>10}{log_loss:>10.4}{brier:>10.4}{lift:>10}")?;
            }
        }
        Ok(())
    }

    /// Everyone, and the recent where there are any.
    fn groups(&self) -> impl Iterator<Item = (&'static str, &Quality)> {
        [("everyone", Some(&self.all)), ("recent", self.recent.as_ref())]
            .into_iter()
            .filter_map(|(name, quality)| Some((name, quality?)))
    }

    fn write_calibration(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, quality) in self.groups() {
            writeln!(f, "  calibration, {name} (predicted -> observed, 95 % interval; * lies outside)")?;
            for row in &quality.calibration {
                let [predicted, observed, low, high] =
                    [row.predicted, row.observed, row.low, row.high].map(|value| value * 100.0);
                // What lies outside its interval is marked.
                let mark = if (low..=high).contains(&predicted) { "" } else { "  *" };
                writeln!(
                    f,
                    "  {:>6} customers  {predicted:>5.1} % -> {observed:>5.1} % ({low:.1} to {high:.1}){mark}",
                    row.rows
                )?;
            }
        }
        Ok(())
    }
}

/// A remark in lines of bearable length.
fn write_remark(f: &mut fmt::Formatter<'_>, kind: &str, text: &str) -> fmt::Result {
    const WIDTH: usize = 88;
    write!(f, "    {:<10}", format!("{kind}:"))?;
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > WIDTH {
            write!(f, "\n{:14}", "")?;
            used = 0;
        }
        let space = if used > 0 { " " } else { "" };
        write!(f, "{space}{word}")?;
        used += space.len() + length;
    }
    writeln!(f)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

fn with_range(value: Option<f64>, interval: Option<&Interval>) -> String {
    match interval {
        Some(interval) => format!("{} ({:.4} to {:.4})", number(value), interval.low, interval.high),
        None => number(value),
    }
}
