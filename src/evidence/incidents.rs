//! What happened to whom, and when? The table of incidents.

use std::fmt;
use std::path::Path;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::known::Known;
use super::report::{TableReport, keep_firsts};
use super::table::TableParams;
use crate::day::Day;
use crate::error::Result;
use crate::history::{History, Holds, Need, SideColumn, SideInput};

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// Something was wrong with what they got.
    ServiceFailure,
    /// It came late.
    LateDelivery,
    /// The customer paid late.
    LatePayment,
    /// The customer did not pay.
    Unpaid,
    /// The customer misbehaved.
    Abuse,
    /// The customer complained.
    Complaint,
    /// The customer praised.
    Praise,
    /// Anything else.
    Other,
}

impl IncidentKind {
    /// All of them, in order.
    pub const ALL: [IncidentKind; 8] = [
        IncidentKind::ServiceFailure,
        IncidentKind::LateDelivery,
        IncidentKind::LatePayment,
        IncidentKind::Unpaid,
        IncidentKind::Abuse,
        IncidentKind::Complaint,
        IncidentKind::Praise,
        IncidentKind::Other,
    ];

    /// The name as it stands in files, such as `late_delivery`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            IncidentKind::ServiceFailure => "service_failure",
            IncidentKind::LateDelivery => "late_delivery",
            IncidentKind::LatePayment => "late_payment",
            IncidentKind::Unpaid => "unpaid",
            IncidentKind::Abuse => "abuse",
            IncidentKind::Complaint => "complaint",
            IncidentKind::Praise => "praise",
            IncidentKind::Other => "other",
        }
    }

    /// The kind of that name, in any case; spaces and hyphens count as underscores.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim().to_lowercase().replace([' ', '-'], "_");
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for IncidentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// Whose.
    pub customer_id: String,
    /// When.
    pub occurred_on: Day,
    /// What.
    pub kind: IncidentKind,
    /// What it cost, where said.
    pub cost: Option<f64>,
}

/// An incident of a customer of the log, by rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placed {
    pub(crate) rank: u32,
    pub(crate) day: Day,
    pub(crate) kind: IncidentKind,
    pub(crate) cost: Option<f64>,
}

/// Incidents, in the order of the table: `customer_id, occurred_on, kind[, cost]`. Rows that are equal in all of that
/// are one incident, told twice.
///
/// ```
/// use polars::df;
/// use winback::evidence::{IncidentKind, Incidents, TableParams};
/// use winback::{Columns, History};
///
/// let orders = df!["customer_id" => [1, 2], "ordered_on" => ["2024-01-05", "2024-02-01"]]?;
/// let history = History::params(Columns::new("customer_id", "ordered_on")).from_frame(&orders)?;
/// let table = df!["customer_id" => [1], "occurred_on" => ["2024-01-06"], "kind" => ["late_delivery"]]?;
/// let incidents = Incidents::from_frame(&table, &TableParams::default(), &history)?;
/// assert_eq!(incidents.rows()[0].kind, IncidentKind::LateDelivery);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct Incidents {
    rows: Vec<Incident>,
    repeated: usize,
    report: TableReport,
}

impl Incidents {
    /// Reads a file: Parquet where its name ends in `.parquet`, else CSV with a header.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; under
    /// [`InvalidRows::Reject`](crate::history::InvalidRows::Reject) every faulty row at once.
    pub fn read(path: impl AsRef<Path>, table: &TableParams, history: &History) -> Result<Self> {
        Self::take(SideInput::File(path.as_ref()), table, &Known::Log(history))
    }

    /// As [`read`](Self::read), where no log is at hand: the customers are those of these ids.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_among<'a>(
        path: impl AsRef<Path>,
        table: &TableParams,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        Self::take(SideInput::File(path.as_ref()), table, &Known::among(ids))
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_frame(frame: &DataFrame, table: &TableParams, history: &History) -> Result<Self> {
        Self::take(SideInput::Frame(frame), table, &Known::Log(history))
    }

    /// Every row that can be used.
    #[must_use]
    pub fn rows(&self) -> &[Incident] {
        &self.rows
    }

    /// Rows left out because they equal an earlier one.
    #[must_use]
    pub fn repeated(&self) -> usize {
        self.repeated
    }

    /// What the reading found.
    #[must_use]
    pub fn report(&self) -> &TableReport {
        &self.report
    }

    /// The incidents of who is in the log, by customer, day and kind.
    pub(crate) fn placed(&self, history: &History) -> Vec<Placed> {
        let of = |row: &Incident| {
            let rank = history.ids().rank_of(&row.customer_id)? as u32;
            Some(Placed { rank, day: row.occurred_on, kind: row.kind, cost: row.cost })
        };
        let mut all: Vec<Placed> = self.rows.iter().filter_map(of).collect();
        let cost = |one: &Placed| one.cost.unwrap_or(f64::NEG_INFINITY);
        all.sort_by(|a, b| {
            (a.rank, a.day, a.kind).cmp(&(b.rank, b.day, b.kind)).then(cost(a).total_cmp(&cost(b)))
        });
        all
    }

    fn take(input: SideInput, table: &TableParams, known: &Known) -> Result<Self> {
        let columns = [
            SideColumn::new("customer_id", Holds::Ids, Need::Value),
            SideColumn::new("occurred_on", Holds::Days, Need::Value),
            SideColumn::new("kind", Holds::Text, Need::Value),
            SideColumn::new("cost", Holds::Amounts, Need::Nothing),
        ];
        let mut table = table.take(input, &columns)?;
        let ranks = known.match_ids(&mut table, "customer_id");
        if let Known::Log(history) = known {
            table.refuse_before_first_purchase("occurred_on", &ranks, history);
            table.note_after("occurred_on", history.observed_until());
        }
        let kinds: Vec<Option<String>> = table.texts("kind").to_vec();
        for (row, kind) in kinds.iter().enumerate() {
            if let Some(kind) = kind.as_ref().filter(|kind| IncidentKind::parse(kind).is_none()) {
                table.unknown_word("kind", row, kind, &IncidentKind::ALL.map(IncidentKind::name));
            }
        }
        let (kept, table, mut report) = table.finish()?;
        let rows = kept.into_iter().filter_map(|row| {
            Some(Incident {
                customer_id: known.plain(table.texts("customer_id")[row].as_deref()?).to_owned(),
                occurred_on: table.days("occurred_on")[row]?,
                kind: IncidentKind::parse(kinds[row].as_deref()?)?,
                cost: Some(table.numbers("cost")[row]).filter(|cost| !cost.is_nan()),
            })
        });
        let rows: Vec<Incident> = rows.collect();
        let of = rows.len();
        let key =
            |row: &Incident| (row.customer_id.clone(), row.occurred_on, row.kind, row.cost.map(f64::to_bits));
        let rows = keep_firsts(rows, key, &mut report);
        Ok(Incidents { repeated: of - rows.len(), rows, report })
    }
}
