//! Whom did we lose, how fast, for which causes, is it us, and who will follow?

mod systemic;
mod drops;
mod contracts;
mod incidents;
mod changes;

pub use self::changes::{ChangeEffect, ChangeVerdict, Prevention, change_effects, preventions};
pub use self::contracts::{ContractParams, Contracts, flag};
pub use self::drops::{BusinessDrop, BusinessVerdict, Drop, DropKind, DropParams, Drops};
pub use self::incidents::{IncidentLoss, IncidentLosses};
pub use self::systemic::{
    Finding, ModelRisk, Systemic, SystemicParams, SystemicTotals, TenureBand, Verdict, Whose,
};
