//! What is known of a customer beside the orders? The table of customers.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::known::Known;
use super::report::TableReport;
use super::table::TableParams;
use crate::error::{FaultKind, Result};
use crate::history::{History, Holds, Need, SideColumn, SideInput};

/// What is known of one customer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CustomerFacts {
    /// Who.
    pub customer_id: String,
    /// Customers of one household are contacted, or held out, together.
    pub household_id: Option<String>,
    /// What kind of customer it is, in the business's own words.
    pub persona: Option<String>,
}

/// Facts about customers, in the order of the table: `customer_id[, household_id, persona]`. A customer stands
/// in one row.
///
/// ```
/// use polars::df;
/// use winback::evidence::{CustomerTable, TableParams};
/// use winback::{Columns, History};
///
/// let orders = df!["customer_id" => [1, 2], "ordered_on" => ["2024-01-05", "2024-02-01"]]?;
/// let history = History::params(Columns::new("customer_id", "ordered_on")).from_frame(&orders)?;
/// let table = df!["customer_id" => [1, 2], "household_id" => ["a", "a"], "persona" => ["family", "couple"]]?;
/// let customers = CustomerTable::from_frame(&table, &TableParams::default(), &history)?;
/// assert_eq!(customers.rows()[0].persona.as_deref(), Some("family"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct CustomerTable {
    rows: Vec<CustomerFacts>,
    report: TableReport,
}

impl CustomerTable {
    /// Reads a file: Parquet where its name ends in `.parquet`, else CSV with a header.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; under
    /// [`InvalidRows::Reject`](crate::history::InvalidRows::Reject) every faulty row at once, a customer's second
    /// row too.
    pub fn read(path: impl AsRef<Path>, table: &TableParams, history: &History) -> Result<Self> {
        Self::take(SideInput::File(path.as_ref()), table, history)
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_frame(frame: &DataFrame, table: &TableParams, history: &History) -> Result<Self> {
        Self::take(SideInput::Frame(frame), table, history)
    }

    /// Every row that can be used.
    #[must_use]
    pub fn rows(&self) -> &[CustomerFacts] {
        &self.rows
    }

    /// What the reading found.
    #[must_use]
    pub fn report(&self) -> &TableReport {
        &self.report
    }

    /// Each customer's row, by rank.
    pub(crate) fn by_rank(&self, history: &History) -> BTreeMap<u32, &CustomerFacts> {
        let rank = |row: &CustomerFacts| history.ids().rank_of(&row.customer_id);
        self.rows.iter().filter_map(|row| Some((rank(row)? as u32, row))).collect()
    }

    fn take(input: SideInput, table: &TableParams, history: &History) -> Result<Self> {
        let columns = [
            SideColumn::new("customer_id", Holds::Ids, Need::Value),
            SideColumn::new("household_id", Holds::Text, Need::Nothing),
            SideColumn::new("persona", Holds::Text, Need::Nothing),
        ];
        let mut table = table.take(input, &columns)?;
        let known = Known::Log(history);
        known.match_ids(&mut table, "customer_id");
        let plain = |id: &Option<String>| id.as_deref().map(|id| known.plain(id).to_owned());
        let ids: Vec<Option<String>> = table.texts("customer_id").iter().map(plain).collect();
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (row, id) in ids.iter().enumerate() {
            let Some(id) = id.as_deref().filter(|_| table.is_sound(row)) else { continue };
            if let Some(first) = seen.get(id) {
                table.fault(
                    FaultKind::DuplicateId,
                    "customer_id",
                    row,
                    format!("{id}, already in row {first}"),
                );
            } else {
                seen.insert(id, row + 1);
            }
        }
        let (kept, table, report) = table.finish()?;
        let rows = kept.into_iter().filter_map(|row| {
            Some(CustomerFacts {
                customer_id: ids[row].clone()?,
                household_id: table.texts("household_id")[row].clone(),
                persona: table.texts("persona")[row].clone(),
            })
        });
        Ok(CustomerTable { rows: rows.collect(), report })
    }
}
