//! What does the business itself know? Its tables of reasons, incidents, changes, customers, suppressions and
//! contacts.
//!
//! Customers are those of the log: ids are compared by canonical text, and ids that nobody in the log has
//! are listed. Rows that cannot be used are listed too, all of them.

mod cause;
mod report;
mod table;
mod known;
mod codes;
mod settled;
mod reasons;
mod incidents;
mod changes;
mod suppressions;
mod customers;
mod contacts;

pub use cause::Cause;
pub use changes::{Change, Changes};
pub use contacts::{Answer, Contact, Contacts, Promise};
pub use customers::{CustomerFacts, CustomerTable};
pub(crate) use incidents::Placed;
pub use incidents::{Incident, IncidentKind, Incidents};
pub(crate) use reasons::settled;
pub use reasons::{Misreporting, Reason, Reasons, ReasonsParams, SourcePair, UnmappedCode};
pub use report::{IdMatch, TableReport, UnmatchedId};
pub use settled::Contradictions;
pub(crate) use settled::Settled;
pub use suppressions::{Suppression, Suppressions};
pub(crate) use table::SideTable;
pub use table::TableParams;

/// All that the business itself knows of its customers and losses.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    reasons: Option<Reasons>,
    incidents: Option<Incidents>,
    changes: Option<Changes>,
    suppressions: Option<Suppressions>,
    customers: Option<CustomerTable>,
    contacts: Option<Contacts>,
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

    /// Adds the list of suppressions.
    #[must_use]
    pub fn with_suppressions(mut self, suppressions: Suppressions) -> Self {
        self.suppressions = Some(suppressions);
        self
    }

    /// Adds the table of customers.
    #[must_use]
    pub fn with_customers(mut self, customers: CustomerTable) -> Self {
        self.customers = Some(customers);
        self
    }

    /// The list of suppressions, where there is one.
    #[must_use]
    pub fn suppressions(&self) -> Option<&Suppressions> {
        self.suppressions.as_ref()
    }

    /// The table of customers, where there is one.
    #[must_use]
    pub fn customers(&self) -> Option<&CustomerTable> {
        self.customers.as_ref()
    }

    /// Adds the table of contacts.
    #[must_use]
    pub fn with_contacts(mut self, contacts: Contacts) -> Self {
        self.contacts = Some(contacts);
        self
    }

    /// The contacts, where there are any.
    #[must_use]
    pub fn contacts(&self) -> Option<&Contacts> {
        self.contacts.as_ref()
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
