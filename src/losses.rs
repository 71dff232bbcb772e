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
mod systemic;
mod drops;
mod contracts;

pub use self::contracts::{ContractParams, Contracts, flag};
pub use self::drops::{BusinessDrop, BusinessVerdict, Drop, DropKind, DropParams, Drops};
pub use self::systemic::{
    Finding, ModelRisk, Systemic, SystemicParams, SystemicTotals, TenureBand, Verdict, Whose,
};
pub use ask::{AskList, AskParams, Asked, ChosenBy};
pub use attrition::{Attrition, PlainLoss, attrition};
pub use cohorts::{Cohort, CohortPoint};
pub use lapse::{Lapse, Lapses, Life, NaturalReturn};
pub use periods::{Period, PeriodLoss, TenureLoss};
pub use reasons::{CauseShare, ReasonShares, reason_shares, shares};
pub use rule::LapseRule;
pub use status::{Status, StatusTable, Statuses};
pub use tune::{TunedRule, Tuning};

/// All intervals hold with this probability.
const LEVEL: f64 = 0.95;
