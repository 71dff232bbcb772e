//! How large is a rate, how do two differ, and how sure is that? Pure functions on counts and slices.

mod proportion;
mod survival;

pub use crate::metrics::wilson;
pub use proportion::{Standardised, Stratum, newcombe, standardised, weighted_share};
pub use survival::{KaplanMeier, SurvivalStep, conditional_losses};
