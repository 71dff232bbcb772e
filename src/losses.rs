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
#[allow(dead_code, reason = "asked for when all parts are tied together")]
mod neighbours;
#[allow(dead_code, reason = "asked for when all parts are tied together")]
mod similar;
#[allow(dead_code, reason = "asked for when all parts are tied together")]
mod exposure;
#[allow(dead_code, reason = "asked for when all parts are tied together")]
mod followers;

pub use self::ask::{AskList, AskParams, Asked, ChosenBy};
pub use self::attrition::{Attrition, PlainLoss, attrition};
pub use self::cohorts::{Cohort, CohortPoint};
pub use self::contracts::{ContractParams, Contracts, flag};
pub use self::drops::{BusinessDrop, BusinessVerdict, Drop, DropKind, DropParams, Drops};
pub use self::followers::{Follower, Followers, Similar};
pub use self::lapse::{Lapse, LapseRule, Lapses, Life, NaturalReturn};
pub use self::periods::{Period, PeriodLoss, TenureLoss};
pub use self::reasons::{CauseShare, ReasonShares, reason_shares, shares};
pub use self::rule::LapseRule;
pub use self::similar::{CausesTold, LikelyCause};
pub use self::status::{Status, StatusTable, Statuses};
pub use self::systemic::{
    Finding, ModelRisk, Systemic, SystemicParams, SystemicTotals, TenureBand, Verdict, Whose,
};
pub use self::tune::{TunedRule, Tuning};

/// All intervals hold with this probability.
const LEVEL: f64 = 0.95;

mod systemic;
mod drops;
mod contracts;

pub use self::contracts::{ContractParams, Contracts, flag};
pub use self::drops::{BusinessDrop, BusinessVerdict, Drop, DropKind, DropParams, Drops};
pub use self::systemic::{
    Finding, ModelRisk, Systemic, SystemicParams, SystemicTotals, TenureBand, Verdict, Whose,
};
