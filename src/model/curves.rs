//! What do simpler scores say? One feature each, calibrated on the training rows.

use serde::{Deserialize, Serialize};

use super::design::sigmoid;
use super::logistic;
use super::terms::{TermKind, TermRows, standardise};
use crate::error::Result;
use crate::features::Feature;
use crate::snapshot::Snapshots;

/// Little enough to leave two coefficients to the data.
const L2: f64 = 1.0;

/// A logistic curve over ln(1 + x) of one feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curve {
    mean: f64,
    sd: f64,
    intercept: f64,
    slope: f64,
}

impl Curve {
    /// The probability of churned at a value of the feature.
    pub(crate) fn probability(&self, x: f64) -> f64 {
        sigmoid(self.intercept + self.slope * (x.ln_1p() - self.mean) / self.sd)
    }

    fn fit(values: &[f64], snapshots: &Snapshots, rows: &[u32]) -> Result<Self> {
        let transformed = [values.iter().map(|value| value.ln_1p()).collect::<Vec<f64>>()];
        let (terms, _) = standardise(&[TermKind::Value(0)], &[Feature::DaysSinceLast], &transformed, rows);
        let labels: Vec<bool> = rows.iter().map(|&row| snapshots.labels()[row as usize]).collect();
        let churned = labels.iter().filter(|&&label| label).count();
        if churned == 0 || churned == labels.len() {
            // With one class there is a base rate and nothing else to learn: half a row is added to either.
            let intercept = ((churned as f64 + 0.5) / ((labels.len() - churned) as f64 + 0.5)).ln();
            return Ok(Curve { mean: 0.0, sd: 1.0, intercept, slope: 0.0 });
        }
        let design = TermRows { terms: &terms, transformed: &transformed, rows };
        let fit = logistic::fit(&design, &labels, L2, None)?;
        Ok(match (terms.first(), fit.beta.as_slice()) {
            (Some(term), &[intercept, slope]) => Curve { mean: term.mean, sd: term.sd, intercept, slope },
            // The feature is the same for everyone, and tells nothing.
            _ => Curve { mean: 0.0, sd: 1.0, intercept: fit.beta[0], slope: 0.0 },
        })
    }
}

/// The least a model must beat; those but the first only where their feature is in the set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curves {
    pub(crate) recency: Curve,
    pub(crate) frequency: Option<Curve>,
    pub(crate) overdue: Option<Curve>,
}

impl Curves {
    pub(super) fn fit(snapshots: &Snapshots, rows: &[u32]) -> Result<Self> {
        let of =
            |column: Option<&[f64]>| column.map(|values| Curve::fit(values, snapshots, rows)).transpose();
        let days: Vec<f64> = snapshots.days_since_last().iter().map(|&days| f64::from(days)).collect();
        Ok(Curves {
            recency: Curve::fit(&days, snapshots, rows)?,
            frequency: of(snapshots.column(|feature| *feature == Feature::NPurchases))?,
            overdue: of(snapshots.column(|feature| matches!(feature, Feature::OverdueRatio { .. })))?,
        })
    }
}
