//! How is a log scored that does not fit in memory? A few customers at a time, into a file.

use std::fmt;
use std::path::Path;

use super::{Intervals, Wanted};
use crate::day::Day;
use crate::error::Result;
use crate::features::{DiskWalk, Population, ascending, everybody};
use crate::history::DiskHistory;
use crate::model::ChurnModel;
use crate::table;

/// What came of scoring a log into a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredLog {
    /// Customers scored.
    pub customers: u64,
    /// How many of them are at risk.
    pub at_risk: u64,
    /// Their mean churn probability, 0 to 1.
    pub mean_probability: f64,
    /// The day they were looked at.
    pub as_of: Day,
    /// The model's horizon.
    pub horizon_days: i32,
}

impl ChurnModel {
    /// Scores a log that does not fit in memory: writes what [`Scores::to_frame`](super::Scores::to_frame) of
    /// [`score`](Self::score) gives to a Parquet file, whole or not at all.
    ///
    /// # Errors
    /// As [`score`](Self::score); [`Error::Unwritable`](crate::Error::Unwritable);
    /// [`Error::Parameter`](crate::Error::Parameter) where the name does not end in `.parquet`;
    /// [`Error::Unreadable`](crate::Error::Unreadable) where a temporary file is gone.
    pub fn write_scores(
        &self,
        history: &DiskHistory,
        as_of: Day,
        path: impl AsRef<Path>,
    ) -> Result<ScoredLog> {
        self.write_all(history, as_of, path.as_ref(), Intervals::NotWanted)
    }

    /// As [`write_scores`](Self::write_scores), with the columns of
    /// [`score_with_intervals`](Self::score_with_intervals).
    ///
    /// # Errors
    /// As [`write_scores`](Self::write_scores).
    pub fn write_scores_with_intervals(
        &self,
        history: &DiskHistory,
        as_of: Day,
        path: impl AsRef<Path>,
    ) -> Result<ScoredLog> {
        self.write_all(history, as_of, path.as_ref(), Intervals::Wanted)
    }

    fn write_all(
        &self,
        history: &DiskHistory,
        as_of: Day,
        path: &Path,
        intervals: Intervals,
    ) -> Result<ScoredLog> {
        table::check_parquet(path)?;
        let wanted = Wanted::new(self, history.whole())?;
        let cutoffs = ascending(&[as_of], history.whole())?;
        let walk = DiskWalk::new(history, &wanted.features, &cutoffs, (Population::All, 0))?;
        let (mut customers, mut at_risk, mut sum) = (0, 0, 0.0);
        table::write_pieces(path, |write| {
            walk.each(everybody, |piece, panel| {
                let scores = self.score_panel(piece, panel, &wanted, as_of, intervals);
                customers += scores.len() as u64;
                at_risk += scores.n_at_risk() as u64;
                sum += scores.probabilities().iter().sum::<f64>();
                write(&scores.to_frame()?)
            })?;
            if customers == 0 { Err(history.nobody_bought_by(as_of)) } else { Ok(()) }
        })?;
        let mean_probability = sum / customers as f64;
        Ok(ScoredLog { customers, at_risk, mean_probability, as_of, horizon_days: self.label.horizon_days })
    }
}

impl fmt::Display for ScoredLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} customers scored as of {}: {:.1} % expected not to buy in {} days, {} at risk",
            self.customers,
            self.as_of,
            self.mean_probability * 100.0,
            self.horizon_days,
            self.at_risk
        )
    }
}
