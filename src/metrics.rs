//! How good is a score, and how sure is that? Pure functions on slices.
//!
//! The positive class is `true`: churned. Scores, probabilities and labels have one length, and scores
//! and probabilities are not NaN. Nothing panics: without an answer (no rows, one class, other lengths)
//! there is `None`, NaN, or an empty table, as each function says.
//!
//! | question | functions |
//! |---|---|
//! | is the order right? | [`roc_auc`], [`average_precision`], [`gains`] |
//! | are the probabilities close? | [`log_loss`], [`brier`], [`brier_decomposition`] |
//! | do as many churn as was said? | [`calibration`], [`expected_calibration_error`], [`calibration_line`] |
//! | how sure, each customer once? | [`wilson`], [`delong_interval`], [`delong_difference`] |
//! | how sure, customers at several cutoffs? | [`clustered_bootstrap`] of [`Ranking`], [`weighted_mean`] |
//! | how many to contact? | [`profit_curve`], [`best_fraction`], [`profit_at_fraction`] |
//! | has the population moved? | [`population_stability_index`] |

mod interval;
mod ranking;
mod probability;
mod calibration;
mod recalibration;
mod delong;
mod bootstrap;
mod profit;
mod drift;

pub use bootstrap::{Bootstrap, BootstrapEnds, clustered_bootstrap};
pub use calibration::{
    BrierDecomposition, CalibrationGroups, CalibrationRow, brier_decomposition, calibration,
    expected_calibration_error, expected_ece_if_calibrated,
};
pub use delong::{AucCovariance, delong, delong_difference, delong_interval};
pub use drift::{StabilityIndex, population_stability_index};
pub use interval::{Interval, IntervalMethod, wilson};
pub(crate) use interval::{two_sided, wilson_share};
pub use probability::{brier, log_loss, log_losses, squared_errors, weighted_mean};
pub use profit::{CampaignTerms, ProfitRow, ProfitRows, best_fraction, profit_at_fraction, profit_curve};
pub use ranking::{GainRow, Ranking, average_precision, gains, roc_auc};
pub(crate) use recalibration::calibration_shift;
pub use recalibration::{CalibrationLine, calibration_line};
