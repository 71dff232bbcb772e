//! Who was planned to get what, in which arm? A plan as a file that people can read and edit.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::{Column, DataFrame};
use serde::Serialize;

use super::planned::{Arm, Decision, Measured, PlannedCustomer};
use super::step::FirstStep;
use crate::day::Day;
use crate::error::{FaultKind, Result};
use crate::evidence::{Cause, SideTable, TableParams, TableReport};
use crate::history::{Holds, Need, SideColumn, SideInput, is_parquet};
use crate::table;

/// A plan: one row per customer, in the order of the rows.
///
/// # The file
/// The columns are the fields of [`PlannedCustomer`], in their order. They may be moved, and others may be added;
/// these are listed in the [`report`](Self::report), and not read. An empty field says nothing.
///
/// In CSV an id of text that is no number and begins with `=`, `+`, `-`, `@` or `'` is written with a `'` before it, so that
/// no spreadsheet runs it. Whoever reads the file takes one `'` off the id, where it begins with one. In Parquet, and in a
/// frame, ids stand as they are.
///
/// ```
/// use winback::winback::{Decision, PlanSheet, PlannedCustomer};
///
/// let customer = PlannedCustomer::new("=1+1", Decision::KeepInTouch, "2024-06-30".parse()?);
/// let plan = PlanSheet::new(vec![customer])?;
/// let file = std::env::temp_dir().join(format!("winback-sheet-{}.csv", std::process::id()));
/// plan.write(&file)?;
/// assert!(std::fs::read_to_string(&file)?.contains("'=1+1,KeepInTouch,,none,"));
/// assert_eq!(PlanSheet::read(&file)?.rows()[0].customer_id, "=1+1");
/// std::fs::remove_file(file)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanSheet {
    rows: Vec<PlannedCustomer>,
    report: TableReport,
}

const COLUMNS: [(&str, Holds, Need); 17] = [
    ("customer_id", Holds::Ids, Need::Value),
    ("decision", Holds::Text, Need::Value),
    ("offer", Holds::Text, Need::Column),
    ("arm", Holds::Text, Need::Value),
    ("stratum", Holds::Text, Need::Column),
    ("campaign", Holds::Text, Need::Column),
    ("planned_on", Holds::Days, Need::Value),
    ("primary_outcome", Holds::Text, Need::Column),
    ("measure_until", Holds::Days, Need::Column),
    ("cost_amount", Holds::Numbers, Need::Column),
    ("margin_fraction", Holds::Numbers, Need::Column),
    ("predicted_return_probability", Holds::Numbers, Need::Column),
    ("expected_profit_amount", Holds::Numbers, Need::Column),
    ("cause", Holds::Text, Need::Column),
    ("why", Holds::Text, Need::Column),
    ("first_step", Holds::Text, Need::Column),
    ("first_step_on", Holds::Days, Need::Column),
];

impl PlanSheet {
    /// A plan of these customers.
    ///
    /// # Errors
    /// [`Error::InvalidRows`](crate::Error::InvalidRows) with every row that is not sound: a customer who stands twice, a share outside 0 to
    /// 1, an amount that is not finite, a cost below 0, dates out of order, or a treated or held out customer without
    /// offer, cost, stratum, campaign, outcome or dates.
    pub fn new(rows: Vec<PlannedCustomer>) -> Result<Self> {
        let mut table = SideTable::in_memory(rows.len());
        for (row, column, kind, value) in all_faults(&rows) {
            table.fault(kind, column, row, value);
        }
        let (_, _, report) = table.finish()?;
        Ok(PlanSheet { rows, report })
    }

    /// Reads a file: Parquet where its name ends in `.parquet`, else CSV with a header. No row is ever left out: an
    /// experiment that lost some would no longer be the one that was planned.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; every faulty row at once, as in [`new`](Self::new), and
    /// words that are none of those that can stand there.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let plain: fn(&str) -> &str = if is_parquet(path) { |id| id } else { table::unguarded_id };
        let columns = COLUMNS.map(|(name, holds, need)| SideColumn::new(name, holds, need));
        let mut table = TableParams::default().take(SideInput::File(path), &columns)?;
        let mut rows = Vec::with_capacity(table.rows());
        let mut faults = Vec::new();
        for row in 0..table.rows() {
            let text = |column: &str| table.texts(column)[row].clone();
            let day = |column: &str| table.days(column)[row];
            let number = |column: &str| Some(table.numbers(column)[row]).filter(|value| !value.is_nan());
            let decision = word(text("decision"), &Decision::ALL, Decision::name);
            let arm = word(text("arm"), &Arm::ALL, Arm::name);
            let outcome = word(text("primary_outcome"), &Measured::ALL, Measured::name);
            let cause = word(text("cause"), &Cause::ALL, Cause::name);
            let step = match text("first_step") {
                Some(text) => FirstStep::parse(&text).map(Some).ok_or(text),
                None => Ok(None),
            };
            let mut unknown = |column, found: &str| faults.push((row, column, found.to_owned()));
            let words = [
                ("decision", decision.as_ref().err()),
                ("arm", arm.as_ref().err()),
                ("primary_outcome", outcome.as_ref().err()),
                ("cause", cause.as_ref().err()),
                ("first_step", step.as_ref().err()),
            ];
            words
                .into_iter()
                .for_each(|(column, found)| found.iter().for_each(|found| unknown(column, found)));
            rows.push(PlannedCustomer {
                customer_id: text("customer_id").map(|id| plain(&id).to_owned()).unwrap_or_default(),
                decision: decision.ok().flatten().unwrap_or(Decision::LeaveAlone),
                offer: text("offer"),
                arm: arm.ok().flatten().unwrap_or_default(),
                stratum: text("stratum"),
                campaign: text("campaign"),
                planned_on: day("planned_on").unwrap_or(Day::FIRST),
                primary_outcome: outcome.ok().flatten(),
                measure_until: day("measure_until"),
                cost_amount: number("cost_amount"),
                margin_fraction: number("margin_fraction"),
                predicted_return_probability: number("predicted_return_probability"),
                expected_profit_amount: number("expected_profit_amount"),
                cause: cause.ok().flatten().unwrap_or(Cause::Unknown),
                why: text("why").unwrap_or_default(),
                first_step: step.ok().flatten(),
                first_step_on: day("first_step_on"),
            });
        }
        let sound: Vec<bool> = (0..table.rows()).map(|row| table.is_sound(row)).collect();
        let known: Vec<(usize, String)> =
            faults.iter().map(|(row, column, _)| (*row, (*column).to_owned())).collect();
        for (row, column, found) in faults {
            table.fault(FaultKind::UnknownWord, column, row, found);
        }
        for (row, column, kind, value) in all_faults(&rows) {
            // What could not be read at all has been told.
            if sound[row] && !known.iter().any(|(other, name)| *other == row && name == column) {
                table.fault(kind, column, row, value);
            }
        }
        let (_, _, report) = table.finish()?;
        Ok(PlanSheet { rows, report })
    }

    /// Writes the plan as CSV or Parquet, by the ending of its name, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) and [`Error::Unwritable`](crate::Error::Unwritable), as [`table::write`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        table::write_with_ids(&self.to_frame()?, "customer_id", path)
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &[PlannedCustomer] {
        &self.rows
    }

    /// What the reading found.
    #[must_use]
    pub fn report(&self) -> &TableReport {
        &self.report
    }

    /// The plan as it stands in a file.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let rows = &self.rows;
        let texts = |name: &str, of: &dyn Fn(&PlannedCustomer) -> Option<String>| {
            Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
        };
        let words = |name: &str, of: &dyn Fn(&PlannedCustomer) -> &'static str| {
            Column::new(name.into(), rows.iter().map(of).collect::<Vec<_>>())
        };
        let numbers = |name: &str, of: &dyn Fn(&PlannedCustomer) -> Option<f64>| {
            table::nullable_floats(name, rows.iter().map(|row| of(row).unwrap_or(f64::NAN)))
        };
        table::frame(vec![
            texts("customer_id", &|row| Some(row.customer_id.clone())),
            words("decision", &|row| row.decision.name()),
            texts("offer", &|row| row.offer.clone()),
            words("arm", &|row| row.arm.name()),
            texts("stratum", &|row| row.stratum.clone()),
            texts("campaign", &|row| row.campaign.clone()),
            table::dates("planned_on", rows.iter().map(|row| row.planned_on)),
            texts("primary_outcome", &|row| row.primary_outcome.map(|outcome| outcome.name().to_owned())),
            table::nullable_dates("measure_until", rows.iter().map(|row| row.measure_until)),
            numbers("cost_amount", &|row| row.cost_amount),
            numbers("margin_fraction", &|row| row.margin_fraction),
            numbers("predicted_return_probability", &|row| row.predicted_return_probability),
            numbers("expected_profit_amount", &|row| row.expected_profit_amount),
            words("cause", &|row| row.cause.name()),
            texts("why", &|row| Some(row.why.clone()).filter(|why| !why.is_empty())),
            texts("first_step", &|row| row.first_step.as_ref().map(ToString::to_string)),
            table::nullable_dates("first_step_on", rows.iter().map(|row| row.first_step_on)),
        ])
    }
}

/// Row, column, kind and value of all that is not sound.
fn all_faults(rows: &[PlannedCustomer]) -> Vec<(usize, &'static str, FaultKind, String)> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, customer) in rows.iter().enumerate() {
        found.extend(customer.faults().into_iter().map(|(column, kind, value)| (row, column, kind, value)));
        match seen.get(customer.customer_id.as_str()) {
            Some(first) if !customer.customer_id.is_empty() => {
                let value = format!("{}, as in row {}", customer.customer_id, first + 1);
                found.push((row, "customer_id", FaultKind::DuplicateId, value));
            }
            _ => drop(seen.insert(&customer.customer_id, row)),
        }
    }
    found
}

/// The word of that name; `None` for no text, the text for an unknown one.
fn word<T: Copy>(
    text: Option<String>,
    all: &[T],
    name: fn(T) -> &'static str,
) -> std::result::Result<Option<T>, String> {
    let Some(text) = text else { return Ok(None) };
    let found = all.iter().copied().find(|one| name(*one).eq_ignore_ascii_case(text.trim()));
    found.map(Some).ok_or(text)
}
