//! Whom to win back, with what, within what limits?
//!
//! [`WinbackPlan`] puts it all together. [`KeepPolicy`] says whom to want back; [`NaturalReturns`] who would return by
//! themselves, and [`SecondLives`] what that is worth. [`Offers`] are data: what they cost, how many there are, and
//! what they are known to bring. [`Allocator`] gives each customer one of them or none, so that expected profit is
//! greatest within the limits.
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
mod draws;
mod beliefs;
mod matrix;
mod returns;
mod natural;
mod second_life;
mod screens;
mod keep;
mod tactic;
mod findings;
mod cases;
mod options;
mod outlook;
mod proposals;
mod search;
mod rows;
mod settings;
mod plan;
mod words;

pub use self::allocation::{Allocation, Allocator, Choice, CurvePoint, LimitUse};
pub use self::effects::{ShrunkEffect, ShrunkEffects, StratumEffect};
pub use self::holdout::{Assignment, Candidate, EarlierArm, Holdout, HoldoutParams, StratumSize};
pub use self::keep::{Keep, KeepPolicy};
pub use self::natural::NaturalReturns;
pub use self::offer::{EffectEvidence, MeasuredEffect, Offer, Offers, RedeemCost};
pub use self::outlook::Outlook;
pub use self::plan::{OfferLine, WinbackPlan};
pub use self::planned::{Arm, Decision, Measured, PlannedCustomer};
pub use self::proposals::Proposal;
pub use self::returns::{AttemptCoefficient, ReturnPrior, Returns, ReturnsParams};
pub use self::schedule::{Schedule, ScheduleParams, Step};
pub use self::screens::{Favour, Screen, ScreenKind, Screened};
pub use self::second_life::{SecondLives, ValuePerReturn};
pub use self::settings::WinbackPlanParams;
pub use self::sheet::PlanSheet;
pub use self::step::{FirstStep, StepKind};
pub use self::tactic::Tactic;
