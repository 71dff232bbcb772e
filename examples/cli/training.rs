//! What is learned: the options, training, testing, and looking at earlier cutoffs.

use clap::Args;
use winback::evaluate::{Backtest, Campaign, Profit, Trial, TrialParams};
use winback::model::ChurnModelParams;
use winback::snapshot::SnapshotsParams;
use winback::{ChurnModel, Cutoffs, Day, Evaluation, FeatureSet, History, Snapshots};

use super::{ReadingOptions, parse_day};

/// How many training cutoffs are taken at most.
const TRAINING_CUTOFFS: usize = 8;

/// How many cutoffs a backtest tests.
const BACKTESTS: usize = 6;

/// What is learned, from which orders, over which days.
#[derive(Args, Clone, Debug)]
pub struct TrainingOptions {
    #[command(flatten)]
    pub reading: ReadingOptions,
    /// Churned is who buys nothing for so many days
    #[arg(long, default_value_t = 90, value_name = "DAYS", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(1..=9_125))]
    pub horizon_days: i32,
    /// Days between the day of scoring and the days in which a purchase counts
    #[arg(long, default_value_t = 0, value_name = "DAYS", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(0..=36_500))]
    pub lead_days: i32,
    /// No training cutoff before this day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    pub first_cutoff: Option<Day>,
    /// Drop every later order, and take the log to be complete until this day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    pub until: Option<Day>,
}

impl TrainingOptions {
    /// Reads the orders up to `until`, which must not lie so far beyond the last order that everybody is churned.
    pub fn read(&self) -> winback::Result<History> {
        let history = self.reading.read(None, |params| match self.until {
            Some(day) => params.with_observed_until(day),
            None => params,
        })?;
        if let Some(day) = self.until {
            history.check_silence(day, self.horizon_days)?;
        }
        Ok(history)
    }

    /// How snapshots are taken, at up to so many cutoffs.
    fn snapshots_params(&self, features: FeatureSet, at_most: usize) -> SnapshotsParams {
        let mut cutoffs = Cutoffs::rolling().at_most(at_most);
        if let Some(first) = self.first_cutoff {
            cutoffs = cutoffs.starting(first);
        }
        Snapshots::params(features)
            .with_horizon_days(self.horizon_days)
            .with_lead_days(self.lead_days)
            .with_cutoffs(cutoffs)
    }

    /// The standard features for this log.
    pub fn features(&self, history: &History) -> FeatureSet {
        let segments: Vec<&str> = history.reading().columns().segments().iter().map(String::as_str).collect();
        FeatureSet::standard(self.horizon_days, &segments)
    }

    /// Snapshots to train on, back from the last observable cutoff.
    pub fn snapshots(&self, history: &History) -> winback::Result<Snapshots> {
        self.snapshots_params(self.features(history), TRAINING_CUTOFFS).build(history)
    }

    /// How a model is made to be tested at a cutoff.
    pub fn trials(&self, features: FeatureSet, params: ChurnModelParams) -> TrialParams {
        // Besides the training cutoffs: the test cutoff, and those whose label reaches past it.
        let step = (self.horizon_days / 2).max(1);
        let straddling = (self.horizon_days + self.lead_days - 1) / step;
        let snapshots = self.snapshots_params(features, TRAINING_CUTOFFS + 1 + straddling as usize);
        Trial::params(snapshots, params)
    }

    /// Trains on the past of the last observable cutoff, tests there, and does the same at earlier cutoffs.
    pub fn evaluate(
        &self,
        history: &History,
        campaign: Campaign,
    ) -> winback::Result<(ChurnModel, Evaluation)> {
        let params = ChurnModel::params();
        let trials = self.trials(self.features(history), params.clone()).with_season();
        let Trial { train, test, model, .. } = trials.at_last(history)?;
        let backtest = Backtest::of(&trials, history, BACKTESTS)?;
        let profit = Profit::run(campaign, &model, &params, &train, &test)?;
        let evaluation = model.evaluate(&test)?.with_backtest(backtest).with_profit(profit);
        Ok((model, evaluation))
    }
}
