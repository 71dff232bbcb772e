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
    /// What chance hardly exceeds in a population that has not moved: (b − 1 + 3 √(2 (b − 1))) / m for b bins
    /// and m customers. Only what lies beyond counts.
    pub by_chance: f64,
}

impl Drift {
    /// How far it moved beyond chance.
    fn beyond_chance(&self) -> f64 {
        self.stability_index - self.by_chance
    }
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
    /// Mean predicted probability now, the season's offset included.
    pub predicted_fraction: f64,
    /// Every feature that a column of the model is made of, but `tenure_days`, which grows with any log, and the
    /// loss rates that customers share, of which there are too few to tell drift from chance; the most moved first.
    pub drift: Vec<Drift>,
    /// What to do.
    pub advice: Advice,
}

impl ChurnModel {
    /// Compares the customers as of a day with those the model was trained on.
    ///
    /// *Retrain* where a feature's index is .25 beyond what chance makes of so few customers, or the last label is
    /// more than 8 horizons old; *recalibrate* where one is .1 beyond, the mean prediction (the season left out, which
    /// is to move it) moved by .25 in log-odds, or the last label is more than 2 horizons old; else *keep*.
    ///
    /// # Formula
    /// ```text
    /// PSI = Σ_bins (now − then) ln(now / then)    over the shares of customers in each bin;
    /// m PSI is about χ² with b − 1 degrees of freedom where nothing moved
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
            .filter(|(_, feature)| !is_shared(feature) && **feature != Feature::TenureDays)
            .filter(|(_, feature)| !self.fit_summary().unused.contains(&feature.name()))
            .filter_map(|(position, feature)| {
                let then = self.portrait.sample(position);
                let index = population_stability_index(&then, &panel.columns[position], BINS)?;
                let freedom = index.bins as f64 - 1.0;
                let by_chance = (freedom + 3.0 * (2.0 * freedom).sqrt()) / panel.ranks.len() as f64;
                Some(Drift { feature: feature.name(), stability_index: index.index, by_chance })
            })
            .collect();
        drift.sort_by(|a, b| b.stability_index.total_cmp(&a.stability_index));
        let log_odds = self.log_odds(&panel.columns);
        let mean =
            |shift: f64| log_odds.iter().map(|eta| sigmoid(eta + shift)).sum::<f64>() / log_odds.len() as f64;
        let of = |p: f64| (p / (1.0 - p)).ln();
        let shift = of(mean(0.0)) - of(self.portrait.mean_probability);
        let mut ageing = Ageing {
            as_of,
            age_days: as_of.days_since(self.provenance().labelled_until),
            horizon_days: self.label().horizon_days,
            trained_fraction: self.portrait.mean_probability,
            predicted_fraction: mean(self.season_offset(as_of)),
            drift,
            advice: Advice::Keep,
        };
        ageing.advice = ageing.advise(shift);
        Ok(ageing)
    }
}

fn is_shared(feature: &Feature) -> bool {
    matches!(feature, Feature::PeerLoss { .. } | Feature::OverallLoss { .. })
}

impl Ageing {
    /// `shift` is that of the mean prediction in log-odds, the season left out.
    fn advise(&self, shift: f64) -> Advice {
        let most = self.drift.iter().map(Drift::beyond_chance).fold(0.0, f64::max);
        let horizons = |times: i32| self.age_days > self.horizon_days.saturating_mul(times);
        if most >= FAR_MOVED || horizons(RETRAIN_HORIZONS) {
            Advice::Retrain
        } else if most >= MOVED || shift.abs() > SHIFTED_LOG_ODDS || horizons(RECALIBRATE_HORIZONS) {
            Advice::Recalibrate
        } else {
            Advice::Keep
        }
    }

    /// `feature, stability_index, by_chance`, the most moved first.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let names = self.drift.iter().map(|drift| drift.feature.as_str());
        table::frame(vec![
            StringChunked::from_iter_values("feature".into(), names).into_column(),
            table::nullable_floats("stability_index", self.drift.iter().map(|drift| drift.stability_index)),
            table::nullable_floats("by_chance", self.drift.iter().map(|drift| drift.by_chance)),
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
        for drift in self.drift.iter().filter(|drift| drift.beyond_chance() >= MOVED) {
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
