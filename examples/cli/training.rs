//! What is learned: the options, training, testing, and looking at earlier cutoffs.

use clap::Args;
use winback::evaluate::{Backtest, Campaign, Profit};
use winback::{ChurnModel, Cutoffs, Day, Evaluation, FeatureSet, History, Snapshots};

use super::{ReadingOptions, parse_day};

/// How many training cutoffs are taken at most.
pub const TRAINING_CUTOFFS: usize = 8;

/// How many cutoffs a backtest tests, and how many are taken up for that.
const BACKTESTS: usize = 6;
const BACKTEST_CUTOFFS: usize = 16;

/// What is learned, from which orders, over which days.
#[derive(Args, Clone, Debug)]
pub struct TrainingOptions {
    #[command(flatten)]
    pub reading: ReadingOptions,
    /// Churned is who buys nothing for so many days
    #[arg(long, default_value_t = 90, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=9_125))]
    pub horizon_days: i32,
    /// Days between the day of scoring and the days in which a purchase counts
    #[arg(long, default_value_t = 0, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(0..=36_500))]
    pub lead_days: i32,
    /// No training cutoff before this day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    pub first_cutoff: Option<Day>,
    /// Drop every later order, and take the log to be complete until this day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    pub until: Option<Day>,
}

impl TrainingOptions {
    pub fn read(&self) -> winback::Result<History> {
        self.reading.read(None, |params| match self.until {
            Some(day) => params.with_observed_until(day),
            None => params,
        })
    }

    /// Snapshots at up to so many cutoffs, back from the last observable one.
    pub fn snapshots(&self, history: &History, at_most: usize) -> winback::Result<Snapshots> {
        let segments: Vec<&str> = history.reading().columns().segments().iter().map(String::as_str).collect();
        let mut cutoffs = Cutoffs::rolling().at_most(at_most);
        if let Some(first) = self.first_cutoff {
            cutoffs = cutoffs.starting(first);
        }
        Snapshots::params(FeatureSet::standard(self.horizon_days, &segments))
            .with_horizon_days(self.horizon_days)
            .with_lead_days(self.lead_days)
            .with_cutoffs(cutoffs)
            .build(history)
    }

    /// Snapshots for training, and those of the last observable cutoff for testing.
    pub fn split(&self, history: &History) -> winback::Result<(Snapshots, Snapshots)> {
        // Besides the training cutoffs: the test cutoff, and those whose label reaches past it.
        let step = (self.horizon_days / 2).max(1);
        let straddling = (self.horizon_days + self.lead_days - 1) / step;
        let all = self.snapshots(history, TRAINING_CUTOFFS + 1 + straddling as usize)?;
        let last = all.cutoffs().last().copied().unwrap_or(history.observed_until());
        all.split_at(last)
    }
}

impl TrainingOptions {
    /// Trains on the past of the last observable cutoff, tests there, and looks at earlier cutoffs too.
    pub fn evaluate(
        &self,
        history: &History,
        campaign: Campaign,
    ) -> winback::Result<(ChurnModel, Evaluation)> {
        let (train, test) = self.split(history)?;
        let params = ChurnModel::params();
        let model = params.fit(&train)?.with_season(history)?;
        let all = self.snapshots(history, BACKTEST_CUTOFFS)?;
        let backtest = Backtest::run(&params, &all, BACKTESTS)?;
        let profit = Profit::run(campaign, &model, &params, &train, &test)?;
        let evaluation = model.evaluate(&test)?.with_backtest(backtest).with_profit(profit);
        Ok((model, evaluation))
    }
}
