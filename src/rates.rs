//! How large is a rate, how do two differ, and how sure is that? Pure functions on counts and slices.
//! [`Power`] says before an experiment what it could show.

mod proportion;
mod survival;
mod stratified;
mod multiple;
mod funnel;
mod exact;
mod difference;
mod means;
mod split;
mod power;

pub use self::difference::{
    Difference, LEAST_EVENTS, TwoArms, miettinen_nurminen, rate_difference, stratified_newcombe,
};
pub use self::funnel::overdispersed_z;
pub use self::means::{
    LEAST_BUYERS, MeanDifference, Moments, RatioInterval, fieller, ratio_over, tail_factor, welch,
};
pub use self::multiple::{q_values, q_values_any_dependence};
pub use self::power::{Power, PowerParams, PowerRow};
pub use self::proportion::{Standardised, WeightedGroup, newcombe, standardised, weighted_share};
pub use self::split::{holm, homogeneity_p, sample_ratio_p};
pub use self::stratified::{
    Basis, StratifiedRatio, Stratum, normal_upper_tail, score_and_variance, stratified_ratio, upper_tail,
};
pub use self::survival::{KaplanMeier, SurvivalStep, conditional_losses};

pub(crate) use self::difference::two_sided_quantile;
pub use crate::metrics::wilson;
