//! What did it really bring? Holdout against treated.
//!
//! [`Experiment`] holds one row per customer: the arm assigned, whether they returned, what they spent.
//! [`Outcome`] compares each arm with the control by intention to treat, checks whether the comparison can be
//! trusted at all, and gives a verdict. [`PlanOutcome`] does so for the customers of a plan. [`Power`] says before the launch what an experiment could show.

mod experiment;
mod trust;
mod uplift;
mod effect;
mod outcome;
mod words;
mod followed;
mod ledger;
mod plan_outcome;
mod measure;
mod plan_words;
mod feedback;

pub use self::effect::Effect;
pub use self::experiment::{Experiment, ExperimentParams};
pub use self::followed::CostBasis;
pub use self::ledger::{Ledger, Referrals};
pub use self::measure::PlanOutcomeParams;
pub use self::outcome::{Outcome, OutcomeParams, Verdict};
pub use self::plan_outcome::{Between, PlanOutcome};
pub use self::trust::{BalanceCheck, SampleRatio, Trust, TrustChecks};
pub use self::uplift::Uplift;
pub use crate::rates::{Power, PowerParams, PowerRow};
pub use crate::winback::Measured;
