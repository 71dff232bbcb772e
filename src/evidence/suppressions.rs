//! Whom must nobody contact? The list of suppressions.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::known::Known;
use super::report::TableReport;
use super::table::TableParams;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::history::{History, Holds, InvalidRows, Need, SideColumn, SideInput};

/// One customer who must not be contacted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suppression {
    /// Who.
    pub customer_id: String,
    /// Why, in the list's own words.
    pub reason: Option<String>,
    /// The last day it holds; for ever where none is given.
    pub until: Option<Day>,
}

/// Who must not be contacted, in the order of the list: `customer_id[, reason, until]`. Whoever opted out, died
/// or must be left alone for another reason; nothing else in a plan outweighs it. A list without rows
/// suppresses nobody.
///
/// ```
/// use polars::df;
/// use winback::evidence::{Suppressions, TableParams};
/// use winback::{Columns, History};
///
/// let orders = df!["customer_id" => [1, 2], "ordered_on" => ["2024-01-05", "2024-02-01"]]?;
/// let history = History::params(Columns::new("customer_id", "ordered_on")).from_frame(&orders)?;
/// let list = df!["customer_id" => [2, 9], "reason" => ["opted out", "deceased"]]?;
/// let suppressions = Suppressions::from_frame(&list, &TableParams::default(), &history)?;
/// assert_eq!(suppressions.rows().len(), 2);
/// // A list of other customers' ids would suppress nobody, without a word.
/// let other = df!["customer_id" => ["A2"]]?;
/// assert!(Suppressions::from_frame(&other, &TableParams::default(), &history).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct Suppressions {
    rows: Vec<Suppression>,
    report: TableReport,
}

impl Suppressions {
    /// Reads a file: Parquet where its name ends in `.parquet`, else CSV with a header.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; every faulty row at once, whatever `table` says of
    /// invalid rows (a row left out is a customer contacted); [`Error::NobodyMatched`] for a list with rows none
    /// of whose customers is in the log.
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
    pub fn rows(&self) -> &[Suppression] {
        &self.rows
    }

    /// What the reading found.
    #[must_use]
    pub fn report(&self) -> &TableReport {
        &self.report
    }

    /// Whom the list suppresses on a day, by rank; of several rows, the one that holds longest.
    pub(crate) fn by_rank(&self, history: &History, on: Day) -> BTreeMap<u32, &Suppression> {
        let mut all: BTreeMap<u32, &Suppression> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.until.is_none_or(|until| on <= until)) {
            let Some(rank) = history.ids().rank_of(&row.customer_id) else { continue };
            let end = |row: &Suppression| row.until.unwrap_or(Day::LAST);
            let kept = all.entry(rank as u32).or_insert(row);
            if end(row) > end(kept) {
                *kept = row;
            }
        }
        all
    }

    fn take(input: SideInput, table: &TableParams, history: &History) -> Result<Self> {
        let columns = [
            SideColumn::new("customer_id", Holds::Ids, Need::Value),
            SideColumn::new("reason", Holds::Text, Need::Nothing),
            SideColumn::new("until", Holds::Days, Need::Nothing),
        ];
        let table = table.clone().with_invalid_rows(InvalidRows::Reject);
        let mut table = table.take(input, &columns)?;
        let known = Known::Log(history);
        known.match_ids(&mut table, "customer_id");
        let (kept, table, report) = table.finish()?;
        // Nobody has opted out yet: an empty list is one too.
        if report.input.rows_read > 0 && report.ids.as_ref().is_none_or(|ids| ids.matched == 0) {
            return Err(Error::NobodyMatched {
                list: "the list of suppressions",
                report: report.to_string(),
            });
        }
        let rows = kept.into_iter().filter_map(|row| {
            Some(Suppression {
                customer_id: known.plain(table.texts("customer_id")[row].as_deref()?).to_owned(),
                reason: table.texts("reason")[row].clone(),
                until: table.days("until")[row],
            })
        });
        Ok(Suppressions { rows: rows.collect(), report })
    }
}
