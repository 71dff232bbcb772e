//! How is an older model brought back into line without training it again?

use serde::{Deserialize, Serialize};

use super::ChurnModel;
use crate::error::{Error, Result};
use crate::math::sigmoid;
use crate::metrics::{calibration_line, calibration_shift};
use crate::snapshot::Snapshots;

/// Intervals of the line are not used here; any level would do.
const LEVEL: f64 = 0.95;

/// What a recalibration may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recalibration {
    /// Everybody's log-odds by the same amount.
    Intercept,
    /// That, and how far the log-odds of different customers lie apart.
    InterceptAndSlope,
}

impl ChurnModel {
    /// Fits η′ = a + b η to newer snapshots (b = 1 for [`Recalibration::Intercept`]), and leaves
    /// everything else as it is: order of customers, drivers' proportions, features. The at-risk threshold
    /// moves along. Standard errors stay those of the first fit, times b.
    ///
    /// # References
    /// Cox (1958), Biometrika 45:562–565; Steyerberg (2019), Clinical Prediction Models, chapter 20.
    ///
    /// # Errors
    /// [`Error::FeatureMismatch`] for snapshots of other features or another label window,
    /// [`Error::PolicyMismatch`] for those of a log read another way;
    /// [`Error::SingleClass`] where everybody churned or nobody did; [`Error::NotFitted`] where a slope is asked for
    /// and the score is the same for everyone, parts the outcomes without an error, or points the other way.
    pub fn recalibrate(&self, snapshots: &Snapshots, what: Recalibration) -> Result<ChurnModel> {
        self.check_alike(snapshots, "snapshots to recalibrate on")?;
        let churned = snapshots.labels().iter().filter(|&&label| label).count();
        if churned == 0 || churned == snapshots.rows() {
            let class = if churned == 0 { "not churned" } else { "churned" };
            return Err(Error::SingleClass { rows: snapshots.rows(), class });
        }
        let probabilities = self.probabilities(snapshots);
        let (intercept, slope) = match what {
            // Both classes are there, so that there is one.
            Recalibration::Intercept => {
                (calibration_shift(&probabilities, snapshots.labels()).unwrap_or_default(), 1.0)
            }
            Recalibration::InterceptAndSlope => {
                let line = calibration_line(&probabilities, snapshots.labels(), None, LEVEL);
                let line = line.ok_or_else(|| Error::NotFitted {
                    reason: "on these snapshots the score is the same for everyone or parts the outcomes without an \
                             error, so that no slope is best; recalibrate the intercept alone"
                        .to_owned(),
                })?;
                (line.intercept.estimate, line.slope.estimate)
            }
        };
        if slope <= 0.0 {
            return Err(Error::NotFitted {
                reason: format!(
                    "on these snapshots the score points the other way (slope {slope:.3}); train again"
                ),
            });
        }
        Ok(self.moved(intercept, slope, snapshots))
    }

    fn moved(&self, intercept: f64, slope: f64, snapshots: &Snapshots) -> ChurnModel {
        let mut model = self.clone();
        model.beta.iter_mut().for_each(|beta| *beta *= slope);
        model.beta[0] += intercept;
        model.covariance.iter_mut().for_each(|value| *value *= slope * slope);
        model.idea_weights.scale(slope);
        if let Some(rhythm) = &mut model.rhythm {
            rhythm.scale(slope);
        }
        if let Some(season) = &mut model.season {
            season.scale(slope);
        }
        let threshold = (self.at_risk_threshold / (1.0 - self.at_risk_threshold)).ln();
        if threshold.is_finite() {
            model.at_risk_threshold = sigmoid(intercept + slope * threshold);
        }
        // What later checks compare with.
        let log_odds = model.log_odds(snapshots.columns());
        let mean = log_odds.iter().map(|&eta| sigmoid(eta)).sum::<f64>() / log_odds.len() as f64;
        model.portrait.mean_probability = mean;
        model.provenance.labelled_until = self.provenance.labelled_until.max(snapshots.labelled_until());
        model
    }

    /// Refuses snapshots of other features, another label window or other customers, or of a log read another way.
    pub(crate) fn check_alike(&self, snapshots: &Snapshots, origin: &str) -> Result<()> {
        let names = |features: &[crate::features::Feature]| {
            features.iter().map(crate::features::Feature::name).collect::<Vec<_>>().join(", ")
        };
        let mismatch = |problem: String| Error::FeatureMismatch { origin: origin.to_owned(), problem };
        if self.features() != snapshots.features() {
            return Err(mismatch(format!(
                "their features are not the model's: found {}, expected {}",
                names(snapshots.features()),
                names(self.features())
            )));
        }
        if self.label() != snapshots.label() {
            return Err(mismatch(format!(
                "their label window is {}, the model's is {}",
                snapshots.label(),
                self.label()
            )));
        }
        if self.population() != snapshots.population() {
            return Err(mismatch(format!(
                "they hold {}, the model was trained on {}",
                snapshots.population(),
                self.population()
            )));
        }
        self.check_reading(snapshots.reading())
    }
}
