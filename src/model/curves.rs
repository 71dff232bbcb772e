//! What do simpler scores say? One feature each, calibrated on the training rows.

use serde::{Deserialize, Serialize};

use super::logistic;
use super::terms::{TermKind, TermRows, standardise};
use crate::error::Result;
use crate::features::{Feature, Transform};
use crate::math::{ln_1p, sigmoid};
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
        sigmoid(self.intercept + self.slope * (ln_1p(x) - self.mean) / self.sd)
    }

    /// From the logarithms of the feature's values.
    fn fit(logged: &[f64], rows: &[u32], labels: &[bool]) -> Result<Self> {
        let churned = labels.iter().filter(|&&label| label).count();
        if churned == 0 || churned == labels.len() {
            // With one class there is a base rate and nothing else to learn: half a row is added to either.
            let intercept = ((churned as f64 + 0.5) / ((labels.len() - churned) as f64 + 0.5)).ln();
            return Ok(Curve { mean: 0.0, sd: 1.0, intercept, slope: 0.0 });
        }
        let (terms, _) = standardise(&[TermKind::Value(0)], &[Feature::DaysSinceLast], &[logged], rows);
        let design = TermRows { terms: &terms, transformed: &[logged], rows };
        let fit = logistic::fit(&design, labels, L2, None)?;
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
    /// From the snapshots and their transformed features.
    pub(super) fn fit(
        snapshots: &Snapshots,
        transformed: &[Vec<f64>],
        rows: &[u32],
        labels: &[bool],
    ) -> Result<Self> {
        let of = |wanted: fn(&Feature) -> bool| {
            let position = snapshots.features().iter().position(wanted)?;
            debug_assert!(snapshots.features()[position].transform() == Transform::Log1p);
            Some(transformed[position].as_slice())
        };
        let curve = |logged: &[f64]| Curve::fit(logged, rows, labels);
        let recency = match of(|feature| *feature == Feature::DaysSinceLast) {
            Some(logged) => curve(logged)?,
            None => {
                let days = snapshots.days_since_last().iter();
                curve(&days.map(|&days| ln_1p(f64::from(days))).collect::<Vec<f64>>())?
            }
        };
        Ok(Curves {
            recency,
            frequency: of(|feature| *feature == Feature::NPurchases).map(curve).transpose()?,
            overdue: of(|feature| matches!(feature, Feature::OverdueRatio { .. })).map(curve).transpose()?,
        })
    }
}
