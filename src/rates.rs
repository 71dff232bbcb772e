//! How large is a rate, how do two differ, and how sure is that? Pure functions on counts and slices.

mod difference;
mod means;
mod split;

pub use self::difference::{Difference, TwoArms, miettinen_nurminen, stratified_newcombe};
pub(crate) use self::difference::{two_sided_p, two_sided_quantile};
pub use self::means::{LEAST_BUYERS, MeanDifference, Moments, RatioInterval, fieller, tail_factor, welch};
pub use self::split::{holm, homogeneity_p, sample_ratio_p};
