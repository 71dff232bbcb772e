//! How does a caller bring a feature of their own?

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::view::CustomerView;
use crate::math;

/// How a feature enters the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Transform {
    /// As it is.
    Identity,
    /// ln(1 + x); values below 0 count as 0.
    Log1p,
    /// ln(x); values below 1e-300 count as that.
    Log,
}

/// Smaller values count as this before a logarithm.
const LEAST_LOGGED: f64 = 1e-300;

/// The value, or the least where it is below; `max` would turn a null into a number.
#[inline(always)]
fn at_least(least: f64, value: f64) -> f64 {
    if value < least { least } else { value }
}

impl Transform {
    pub(crate) fn apply(self, value: f64) -> f64 {
        match self {
            Transform::Identity => value,
            Transform::Log1p => math::ln_1p(at_least(0.0, value)),
            Transform::Log => math::ln(at_least(LEAST_LOGGED, value)),
        }
    }

    /// [`apply`](Self::apply) of each.
    pub(crate) fn apply_all(self, values: &mut [f64]) {
        match self {
            Transform::Identity => {}
            Transform::Log1p => math::map(values, |value| math::ln_1p(at_least(0.0, value))),
            Transform::Log => math::map(values, |value| math::ln(at_least(LEAST_LOGGED, value))),
        }
    }
}

type Compute = dyn Fn(&CustomerView<'_>) -> Option<f64> + Send + Sync;

/// A feature of the caller's own; see [`Feature::custom`](super::Feature::custom).
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomFeature {
    name: String,
    unit: String,
    transform: Transform,
    #[serde(skip)]
    compute: Option<Arc<Compute>>,
}

impl PartialEq for CustomFeature {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.unit, self.transform) == (&other.name, &other.unit, other.transform)
    }
}

impl CustomFeature {
    pub(super) fn new(
        name: String,
        unit: String,
        transform: Transform,
        compute: impl Fn(&CustomerView<'_>) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        CustomFeature { name, unit, transform, compute: Some(Arc::new(compute)) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn unit(&self) -> &str {
        &self.unit
    }

    pub(super) fn transform(&self) -> Transform {
        self.transform
    }

    /// Whether it was read from a file, and its computation is still to be given.
    pub(super) fn is_bare(&self) -> bool {
        self.compute.is_none()
    }

    pub(super) fn compute(&self, customer: &CustomerView<'_>) -> f64 {
        self.compute.as_deref().and_then(|compute| compute(customer)).unwrap_or(f64::NAN)
    }
}

impl fmt::Debug for CustomFeature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomFeature")
            .field("name", &self.name)
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}
