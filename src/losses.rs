//! Whom did we lose, how fast, for which causes, is it us, and who will follow?
//!
//! [`LapseRule`] says who is lost and since when ([`Lapses`]); everything else is asked of those.

mod lapse;
mod status;
mod periods;
mod cohorts;
mod attrition;

pub use attrition::{Attrition, PlainLoss, attrition};
pub use cohorts::{Cohort, CohortPoint};
pub use lapse::{Lapse, LapseRule, Lapses, Life, NaturalReturn};
pub use periods::{Period, PeriodLoss, TenureLoss};
pub use status::{Status, StatusTable, Statuses};

/// All intervals hold with this probability.
const LEVEL: f64 = 0.95;
