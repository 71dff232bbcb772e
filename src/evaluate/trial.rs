//! How would a model have been made on an earlier day, and what came after it?

use crate::day::Day;
use crate::error::Result;
use crate::history::History;
use crate::model::{ChurnModel, ChurnModelParams};
use crate::snapshot::{Snapshots, SnapshotsParams};

/// How a model is made: from which snapshots, by which fit, with the season or without.
///
/// | setting | default |
/// |---|---|
/// | season | left out |
#[derive(Clone, Debug)]
pub struct TrialParams {
    snapshots: SnapshotsParams,
    model: ChurnModelParams,
    season: Season,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Season {
    Learned,
    LeftOut,
}

/// A model made as on an earlier day, and the customers of that day with what came of them.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The day.
    pub cutoff: Day,
    /// What the model learned from: labels that had ended by then.
    pub train: Snapshots,
    /// The customers of that day, with their labels, which the model has not seen.
    pub test: Snapshots,
    /// The model.
    pub model: ChurnModel,
}

impl Trial {
    /// Says how the model is made: from the snapshots' cutoffs on or before the day it is tried (rolling ones roll
    /// back from that day, so that there are as many at every day that the log is long enough for), by
    /// this fit.
    ///
    /// ```
    /// use winback::evaluate::{Backtest, Trial};
    /// use winback::{ChurnModel, Columns, FeatureSet, History, Snapshots};
    ///
    /// let columns = Columns::new("customer_id", "timestamp").with_amount("amount");
    /// let history = History::params(columns).read_csv(["data/online_retail_orders.csv"])?;
    /// let snapshots = Snapshots::params(FeatureSet::standard(60, &[])).with_horizon_days(60);
    /// let trials = Trial::params(snapshots, ChurnModel::params()).with_season();
    /// let last = trials.at_last(&history)?;
    /// let backtest = Backtest::of(&trials, &history, 2)?;
    /// let evaluation = last.model.evaluate(&last.test)?;
    /// assert_eq!(backtest.rows[1].auc, evaluation.all.auc);
    /// # Ok::<(), winback::Error>(())
    /// ```
    #[must_use]
    pub fn params(snapshots: SnapshotsParams, model: ChurnModelParams) -> TrialParams {
        TrialParams { snapshots, model, season: Season::LeftOut }
    }
}

impl TrialParams {
    /// Learns the season too ([`ChurnModel::with_season`]), from labels that had ended by the day of the trial.
    #[must_use]
    pub fn with_season(mut self) -> Self {
        self.season = Season::Learned;
        self
    }

    /// Makes the model as on that day. No order after it is looked at, but for the labels of the test.
    ///
    /// # Errors
    /// What [`SnapshotsParams::build`], [`Snapshots::split_at`], [`ChurnModelParams::fit`] and
    /// [`ChurnModel::with_season`] refuse: too short a log before the day, above all.
    pub fn at(&self, history: &History, cutoff: Day) -> Result<Trial> {
        let (train, test) = self.snapshots.clone().ending(cutoff).build(history)?.split_at(cutoff)?;
        let model = self.model.fit(&train)?;
        let model = match self.season {
            Season::Learned => model.with_season(history)?,
            Season::LeftOut => model,
        };
        Ok(Trial { cutoff, train, test, model })
    }

    /// As [`at`](Self::at) the last of the snapshots' cutoffs.
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub fn at_last(&self, history: &History) -> Result<Trial> {
        self.at(history, self.snapshots.last_cutoff(history)?)
    }

    /// The last cutoff, and those before it, as far back as the log goes.
    pub(super) fn origins(&self, history: &History) -> Result<impl Iterator<Item = Day>> {
        self.snapshots.cutoffs_backwards(history)
    }
}
