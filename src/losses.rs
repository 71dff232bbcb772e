//! Whom did we lose, how fast, for which causes, is it us, and who will follow?
//!
//! [`LapseRule`] says who is lost and since when ([`Lapses`]); everything else is asked of those.

mod rule;
mod lapse;
mod status;
mod periods;
mod cohorts;
mod attrition;
mod tune;
mod reasons;
mod ask;
mod profile;
mod contrast;

pub use ask::{AskList, AskParams, Asked, ChosenBy};
pub use attrition::{Attrition, PlainLoss, attrition};
pub use cohorts::{Cohort, CohortPoint};
pub use contrast::{Contrast, ContrastRow, contrast};
pub use lapse::{Lapse, Lapses, Life, NaturalReturn};
pub use periods::{Period, PeriodLoss, TenureLoss};
pub use profile::{Change, CustomerProfile, Favourite, Profiles, profiles};
pub use reasons::{CauseShare, ReasonShares, reason_shares, shares};
pub use rule::LapseRule;
pub use status::{Status, StatusTable, Statuses};
pub use tune::{TunedRule, Tuning};

/// All intervals hold with this probability.
const LEVEL: f64 = 0.95;
