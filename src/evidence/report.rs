//! What did the reading of a side table find?

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::error::{InputReport, Notice, counted, shown};

/// How many ids that nobody has are shown.
const SHOWN_IDS: usize = 5;

/// Rows without those that equal an earlier one, of which a notice tells.
pub(super) fn keep_firsts<T, K: Ord>(
    rows: Vec<T>,
    key: impl Fn(&T) -> K,
    report: &mut TableReport,
) -> Vec<T> {
    let of = rows.len();
    let mut seen: BTreeSet<K> = BTreeSet::new();
    let rows: Vec<T> = rows.into_iter().filter(|row| seen.insert(key(row))).collect();
    if rows.len() < of {
        report.input.notices.push(Notice::RepeatedRows { rows: (of - rows.len()) as u64 });
    }
    rows
}

/// What the reading of a side table found: every row is kept, or dropped under a named fault, and every
/// customer id is in the log, or listed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TableReport {
    /// Rows, faults and columns that were not read. All faulty rows are listed.
    pub input: InputReport,
    /// Whose ids are in the log; `None` for a table without customers.
    pub ids: Option<IdMatch>,
}

/// Which customer ids of a table are in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdMatch {
    /// Customers of the log who stand in the table.
    pub matched: usize,
    /// Ids of the table that nobody in the log has, in order of text. Their rows are kept in count, but
    /// nothing is known of these customers.
    pub unmatched: Vec<UnmatchedId>,
    #[serde(skip)]
    pub(super) in_log: Option<String>,
}

/// An id that nobody in the log has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnmatchedId {
    /// The id.
    pub id: String,
    /// The rows it stands in, from 1.
    pub rows: Vec<u64>,
}

impl fmt::Display for TableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.input)?;
        if self.input.rows_read == 0 {
            write!(f, "\n  the table is empty")?;
        }
        match &self.ids {
            Some(ids) => write!(f, "\n  {ids}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for IdMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IdMatch { matched, unmatched, in_log } = self;
        let be = |count: usize| if count == 1 { "is" } else { "are" };
        write!(f, "{} {} in the log", counted(*matched, "customer"), be(*matched))?;
        if unmatched.is_empty() {
            return Ok(());
        }
        write!(f, ", {} {} not", unmatched.len(), be(unmatched.len()))?;
        let shown: Vec<String> = unmatched.iter().take(SHOWN_IDS).map(|id| shown(&id.id)).collect();
        write!(f, ": {}", shown.join(", "))?;
        if unmatched.len() > SHOWN_IDS {
            write!(f, " and {} more", unmatched.len() - SHOWN_IDS)?;
        }
        match in_log {
            Some(id) if *matched == 0 => {
                write!(f, "; the log's ids look like {}: are both written alike?", crate::error::shown(id))
            }
            _ => Ok(()),
        }
    }
}
