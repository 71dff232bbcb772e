//! What did the reading of the business's own tables find?

use serde::Serialize;

use crate::evidence::{Evidence, TableReport};

/// What the reading of each table found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Inputs {
    reasons: Option<TableReport>,
    incidents: Option<TableReport>,
    changes: Option<TableReport>,
}

impl Inputs {
    pub(super) fn of(evidence: &Evidence) -> Self {
        Inputs {
            reasons: evidence.reasons().map(|table| table.report().clone()),
            incidents: evidence.incidents().map(|table| table.report().clone()),
            changes: evidence.changes().map(|table| table.report().clone()),
        }
    }
}
