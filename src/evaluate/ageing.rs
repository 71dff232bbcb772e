//! Is a saved model still of its time?

use std::fmt;

use polars::prelude::*;
use serde::Serialize;

use crate::day::Day;
use crate::error::Result;
use crate::features::{Feature, panel_at};
use crate::history::History;
use crate::math::sigmoid;
use crate::metrics::population_stability_index;
use crate::model::ChurnModel;
use crate::table;

const BINS: usize = 10;
/// Below this index a feature has hardly moved (Siddiqi 2006, chapter 7) …
const MOVED: f64 = 0.1;
/// … and from this one on it is another population.
const FAR_MOVED: f64 = 0.25;
/// A shift of everybody's log-odds that is worth a recalibration.
const SHIFTED_LOG_ODDS: f64 = 0.25;
/// After so many horizons since its last label a model is recalibrated, after so many trained again.
const RECALIBRATE_HORIZONS: i32 = 2;
const RETRAIN_HORIZONS: i32 = 8;

/// What to do with a saved model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Use it as it is.
    Keep,
    /// Bring its level back into line: [`ChurnModel::recalibrate`].
    Recalibrate,
    /// Train again.
    Retrain,
}

/// How one feature's distribution moved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// The feature's name.
    pub feature: String,
    /// Population stability index between training and now, by tenths of training; 0 is no change.
    pub stability_index: f64,
}

/// How far a model and its present customers have grown apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ageing {
    /// The day looked at.
    pub as_of: Day,
    /// Days since the last training label ended.
    pub age_days: i32,
    /// The label window's length, days.
    pub horizon_days: i32,
    /// Mean predicted probability in training, 0 to 1.
    pub trained_fraction: f64,
    /// Mean predicted probability now.
    pub predicted_fraction: f64,
    /// Every feature the model uses, the most moved first.
    pub drift: Vec<Drift>,
    /// What to do.
    pub advice: Advice,
}

impl ChurnModel {
    /// Compares the customers as of a day with those the model was trained on.
    ///
    /// *Retrain* where a feature's index reaches .25, or the last label is more than 8 horizons old;
    /// *recalibrate* where one reaches .1, the mean prediction moved by .25 in log-odds, or the last label
    /// is more than 2 horizons old; else *keep*. `tenure_days` is left out: it grows with any log.
    ///
    /// # Formula
    /// ```text
    /// PSI = Σ_bins (now − then) ln(now / then)    over the shares of customers in each bin
    /// ```
    /// # Errors
    /// As [`ChurnModel::score`].
    pub fn check(&self, history: &History, as_of: Day) -> Result<Ageing> {
        self.check_policy(history)?;
        let panel = panel_at(history, &self.features_in(history)?, as_of)?;
        let mut drift: Vec<Drift> = self
            .features()
            .iter()
            .enumerate()
            .filter(|(_, feature)| !matches!(feature, Feature::TenureDays | Feature::OverallLoss { .. }))
            .filter_map(|(position, feature)| {
                let then = self.portrait.sample(position);
                let index = population_stability_index(&then, &panel.columns[position], BINS)?;
                Some(Drift { feature: feature.name(), stability_index: index.index })
            })
            .collect();
        drift.sort_by(|a, b| b.stability_index.total_cmp(&a.stability_index));
        let season = self.season_offset(as_of);
        let log_odds = self.log_odds(&panel.columns);
        let predicted = log_odds.iter().map(|eta| sigmoid(eta + season)).sum::<f64>() / log_odds.len() as f64;
        let mut ageing = Ageing {
            as_of,
            age_days: as_of.days_since(self.provenance().labelled_until),
            horizon_days: self.label().horizon_days,
            trained_fraction: self.portrait.mean_probability,
            predicted_fraction: predicted,
            drift,
            advice: Advice::Keep,
        };
        ageing.advice = ageing.advise();
        Ok(ageing)
    }
}

impl Ageing {
    fn advise(&self) -> Advice {
        let most = self.drift.first().map_or(0.0, |drift| drift.stability_index);
        let horizons = |times: i32| self.age_days > self.horizon_days.saturating_mul(times);
        let log_odds = |p: f64| (p / (1.0 - p)).ln();
        let shift = (log_odds(self.predicted_fraction) - log_odds(self.trained_fraction)).abs();
        if most >= FAR_MOVED || horizons(RETRAIN_HORIZONS) {
            Advice::Retrain
        } else if most >= MOVED || shift > SHIFTED_LOG_ODDS || horizons(RECALIBRATE_HORIZONS) {
            Advice::Recalibrate
        } else {
            Advice::Keep
        }
    }

    /// `feature, stability_index`, the most moved first.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let names = self.drift.iter().map(|drift| drift.feature.as_str());
        table::frame(vec![
            StringChunked::from_iter_values("feature".into(), names).into_column(),
            table::nullable_floats("stability_index", self.drift.iter().map(|drift| drift.stability_index)),
        ])
    }
}

impl fmt::Display for Ageing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "as of {}: the last training label is {} days old (horizon {} days); {:.1} % predicted to churn, {:.1} % \
             in training",
            self.as_of,
            self.age_days,
            self.horizon_days,
            self.predicted_fraction * 100.0,
            self.trained_fraction * 100.0
        )?;
        for drift in self.drift.iter().filter(|drift| drift.stability_index >= MOVED) {
            write!(f, "\n  {} moved (stability index {:.2})", drift.feature, drift.stability_index)?;
        }
        write!(
            f,
            "\n  advice: {}",
            match self.advice {
                Advice::Keep => "keep",
                Advice::Recalibrate => "recalibrate",
                Advice::Retrain => "retrain",
            }
        )
    }
}
