//! What does the business itself know? Its tables of reasons, incidents and changes.
//!
//! Customers are those of the log: ids are compared by canonical text, and ids that nobody in the log has
//! are listed. Rows that cannot be used are listed too, all of them.

mod cause;
mod table;
mod codes;
mod reasons;
mod incidents;
mod changes;

pub use cause::Cause;
pub use changes::{Change, Changes};
pub(crate) use incidents::Placed;
pub use incidents::{Incident, IncidentKind, Incidents};
pub use reasons::{Misreporting, Reason, Reasons, ReasonsParams, SourcePair, UnmappedCode};
pub(crate) use table::SideTable;
pub use table::{IdMatch, TableParams, TableReport, UnmatchedId};

/// All that the business itself knows of its losses.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    reasons: Option<Reasons>,
    incidents: Option<Incidents>,
    changes: Option<Changes>,
}

impl Evidence {
    /// Adds the table of stated reasons.
    #[must_use]
    pub fn with_reasons(mut self, reasons: Reasons) -> Self {
        self.reasons = Some(reasons);
        self
    }

    /// Adds the table of incidents.
    #[must_use]
    pub fn with_incidents(mut self, incidents: Incidents) -> Self {
        self.incidents = Some(incidents);
        self
    }

    /// Adds the table of changes.
    #[must_use]
    pub fn with_changes(mut self, changes: Changes) -> Self {
        self.changes = Some(changes);
        self
    }

    /// The incidents, where there are any.
    #[must_use]
    pub fn incidents(&self) -> Option<&Incidents> {
        self.incidents.as_ref()
    }

    /// The changes, where there are any.
    #[must_use]
    pub fn changes(&self) -> Option<&Changes> {
        self.changes.as_ref()
    }

    /// The stated reasons, where there are any.
    #[must_use]
    pub fn reasons(&self) -> Option<&Reasons> {
        self.reasons.as_ref()
    }
}
