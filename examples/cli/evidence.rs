//! What the business itself knows: the options, and reading the tables.

use std::path::PathBuf;

use clap::Args;
use winback::History;
use winback::evidence::{
    Cause, Changes, Contacts, CustomerTable, Evidence, Incidents, Reasons, ReasonsParams, Suppressions,
    TableParams,
};

use super::Progress;

/// The business's own tables.
#[derive(Args, Clone, Debug, Default)]
pub struct EvidenceOptions {
    /// Stated reasons: a table with customer_id, reason, and more where known
    #[arg(long, value_name = "FILE")]
    pub reasons: Option<PathBuf>,
    /// What a code or word of your own stands for, such as R17=Price; may be repeated. Causes are Competitor, ServiceFailure, Price, NoLongerNeeded, NotTheRightFit, Other and Unknown
    #[arg(long = "code", value_name = "WORD=CAUSE", value_parser = parse_code)]
    pub codes: Vec<(String, Cause)>,
    /// Incidents: a table with customer_id, occurred_on, kind (service_failure, late_delivery, late_payment, unpaid, abuse, complaint, praise or other), and cost where known
    #[arg(long, value_name = "FILE")]
    pub incidents: Option<PathBuf>,
    /// What was changed to keep customers: a table with segment, value, cause, changed_on, what
    #[arg(long, value_name = "FILE")]
    pub changes: Option<PathBuf>,
    /// Whom nobody may contact: a table with customer_id, and reason and until (a last day) where known
    #[arg(long, value_name = "FILE")]
    pub suppress: Option<PathBuf>,
    /// Facts about customers: a table with customer_id, and household_id and persona where known
    #[arg(long, value_name = "FILE")]
    pub customers: Option<PathBuf>,
    /// What came of earlier contacts: a table with customer_id, on, and answer, redeemed_amount, referred_id and more where known
    #[arg(long, value_name = "FILE")]
    pub contacts: Option<PathBuf>,
}

impl EvidenceOptions {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let Self { reasons, incidents, changes, suppress, customers, contacts, .. } = self;
        [reasons, incidents, changes, suppress, customers, contacts].into_iter().flatten()
    }

    /// What the business's own codes stand for.
    pub fn reasons_params(&self) -> ReasonsParams {
        self.codes.iter().fold(Reasons::params(), |params, (code, cause)| params.with_code(code, *cause))
    }

    /// Reads all tables that are named, and says what was found.
    pub fn read(&self, history: &History, progress: &Progress) -> winback::Result<Evidence> {
        let table = TableParams::like(history);
        let mut evidence = Evidence::default();
        if let Some(path) = &self.reasons {
            let reasons = self.reasons_params().with_table(table.clone()).read(path, history)?;
            progress.say(&reasons);
            evidence = evidence.with_reasons(reasons);
        }
        if let Some(path) = &self.incidents {
            let incidents = Incidents::read(path, &table, history)?;
            progress.say(&format!("incidents: {}", incidents.report()));
            evidence = evidence.with_incidents(incidents);
        }
        if let Some(path) = &self.changes {
            let changes = Changes::read(path, &table, &self.reasons_params(), history)?;
            progress.say(&format!("changes: {}", changes.report()));
            evidence = evidence.with_changes(changes);
        }
        if let Some(path) = &self.suppress {
            let suppressions = Suppressions::read(path, &table, history)?;
            progress.say(&format!("suppressions: {}", suppressions.report()));
            evidence = evidence.with_suppressions(suppressions);
        }
        if let Some(path) = &self.contacts {
            let contacts = Contacts::read(path, &table, history)?;
            progress.say(&format!("contacts: {}", contacts.report()));
            evidence = evidence.with_contacts(contacts);
        }
        if let Some(path) = &self.customers {
            let customers = CustomerTable::read(path, &table, history)?;
            progress.say(&format!("customers: {}", customers.report()));
            evidence = evidence.with_customers(customers);
        }
        Ok(evidence)
    }
}

/// A word of the business and the cause it stands for.
pub fn parse_code(text: &str) -> Result<(String, Cause), String> {
    let (code, cause) = text.rsplit_once('=').ok_or("expected WORD=CAUSE, such as R17=Price")?;
    if code.trim().is_empty() {
        return Err("no word before the `=`".to_owned());
    }
    let cause = Cause::parse(cause).ok_or_else(|| {
        format!("`{cause}` is no cause; they are {}", Cause::ALL.map(Cause::name).join(", "))
    })?;
    Ok((code.to_owned(), cause))
}
