//! Whom did we lose, how fast, for which causes, is it us, and who will follow?
//!
//! [`LapseRule`] says who is lost and since when ([`Lapses`]); everything else is asked of those.

mod rule;
mod lapse;
mod status;
mod worth;
mod periods;
mod cohorts;
mod attrition;
mod profile;
mod contrast;
mod tune;
mod reasons;
mod ask;
mod systemic;
mod drops;
mod contracts;
mod customers;
mod incidents;
mod changes;
mod neighbours;
mod similar;
mod exposure;
mod followers;
mod inputs;
mod examination;
mod keys;
mod words;

pub use self::ask::{AskList, AskParams, Asked, ChosenBy};
pub use self::attrition::{Attrition, PlainLoss, attrition};
pub use self::changes::{ChangeEffect, ChangeVerdict, Prevention, change_effects, preventions};
pub use self::cohorts::{Cohort, CohortPoint};
pub use self::contracts::{ContractParams, Contracts};
pub use self::contrast::{Contrast, ContrastRow, contrast};
pub use self::customers::CustomerLosses;
pub use self::drops::{BusinessDrop, BusinessVerdict, DropKind, DropParams, Drops, SuddenDrop};
pub use self::examination::{Losses, LossesParams};
pub use self::followers::{Follower, Followers, Similar};
pub use self::incidents::{IncidentCounts, IncidentLoss, IncidentLosses};
pub use self::lapse::{Lapse, Lapses, Life, NaturalReturn};
pub use self::periods::{Period, PeriodLoss, TenureLoss};
pub use self::profile::{Change, CustomerProfile, Favourite, Profiles, profiles};
pub use self::reasons::{CauseShare, ReasonShares, reason_shares, shares};
pub use self::rule::LapseRule;
pub use self::similar::{CausesTold, LikelyCause};
pub use self::status::{Status, StatusTable, Statuses};
pub use self::systemic::{
    DropBeside, Finding, ModelRisk, Recent, Systemic, SystemicParams, SystemicTotals, TenureBand, Verdict,
    Whose,
};
pub use self::tune::{TunedRule, Tuning};

/// All intervals hold with this probability.
const LEVEL: f64 = 0.95;
