//! Whom to win back, with what, within what limits?
//!
//! [`Offers`] are data: what they cost, how many there are, and what they are known to bring.
//! [`Allocator`] gives each customer one of them or none, so that expected profit is greatest within the limits.
//! [`Returns`] learns from a table of past attempts who comes back.
//! [`PlanSheet`] is a plan as a file, one row per customer; [`Schedule`] says what is to be done of it today.

mod step;
mod planned;
mod sheet;
mod holdout;
mod phrases;
mod dossier;
mod schedule;
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
pub use self::holdout::{Assignment, Candidate, EarlierArm, Holdout, HoldoutParams, StratumSize};
pub use self::offer::{EffectEvidence, MeasuredEffect, Offer, Offers, RedeemCost};
pub use self::planned::{Arm, Decision, Measured, PlannedCustomer};
pub use self::returns::{AttemptCoefficient, ReturnPrior, Returns, ReturnsParams};
pub use self::schedule::{Schedule, ScheduleParams, Step};
pub use self::sheet::PlanSheet;
pub use self::step::{FirstStep, StepKind};
