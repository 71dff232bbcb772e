//! Whom to win back, with what, within what limits?
//!
//! [`Offers`] are data: what they cost, how many there are, and what they are known to bring.
//! [`Allocator`] gives each customer one of them or none, so that expected profit is greatest within the limits.
//! [`Returns`] learns from a table of past attempts who comes back.

mod simplex;
mod dual;
mod repair;
mod allocation;
mod document;
mod offer;
mod effects;
mod matrix;
mod returns;

pub use self::allocation::{Allocation, Allocator, Choice, CurvePoint, LimitUse};
pub use self::effects::{ShrunkEffect, ShrunkEffects, StratumEffect};
pub use self::offer::{EffectEvidence, MeasuredEffect, Offer, Offers, RedeemCost};
pub use self::returns::{AttemptCoefficient, ReturnPrior, Returns, ReturnsParams};
