//! What did it really bring? Holdout against treated.
//!
//! [`Experiment`] holds one row per customer: the arm assigned, whether they returned, what they spent.
//! [`Outcome`] compares each arm with the control by intention to treat, checks whether the comparison can be
//! trusted at all, and gives a verdict. [`Power`] says before the launch what an experiment could show.

mod experiment;
mod trust;
mod uplift;
mod effect;
mod outcome;
mod words;

pub use self::effect::Effect;
pub use self::experiment::{Experiment, ExperimentParams};
pub use self::outcome::{Outcome, OutcomeParams, Verdict};
pub use self::trust::{BalanceCheck, SampleRatio, Trust, TrustChecks};
pub use self::uplift::Uplift;
pub use crate::rates::{Power, PowerParams, PowerRow};
pub use crate::winback::Measured;
