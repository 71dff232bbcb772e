//! Where there is no order log: who left, by a table of customers with a flag?

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::systemic::{Panel, PanelColumn, Systemic, SystemicParams, TenureBand, judge};
use crate::error::{Error, FaultKind, Notice, Result, counted};
use crate::evidence::{Cause, ReasonsParams, SideTable, TableParams, TableReport, UnmappedCode};
use crate::history::{Holds, NO_SEGMENT, Need, SideColumn, SideInput};
use crate::rates::Basis;

/// Where bands of tenure end, in months; the last is open.
const BANDS_MONTHS: [f64; 5] = [3.0, 6.0, 12.0, 24.0, 48.0];
/// A column of that name holds ids, whether or not it is named as one.
const USUAL_ID: &str = "customer_id";
/// Who left in the first month was there for half of it.
const LEAST_MONTHS: f64 = 0.5;

/// How to read and judge a table of customers.
///
/// | setting | default |
/// |---|---|
/// | reason, tenure, commitment column | none |
/// | id column | `customer_id`, where there is one: repeated ids are faults |
/// | segment columns | none: at least one is needed |
/// | minimum lift | 1.25 |
/// | table | as [`TableParams`] reads it |
#[derive(Clone, Debug)]
pub struct ContractParams {
    lost: String,
    id: Option<String>,
    reason: Option<String>,
    tenure: Option<String>,
    commitment: Option<String>,
    segments: Vec<String>,
    table: TableParams,
    reasons: ReasonsParams,
    minimum_lift: f64,
}

/// Losses of a business with contracts.
///
/// With a tenure column each customer is at risk for the months they were there, and ratios are of rates per
/// customer-month, compared within bands of tenure; without it they are of shares, not rates. A commitment
/// column, such as the length of the contract, is for strata only and never a finding, even if it is named as a
/// segment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contracts {
    /// Customers in the table.
    pub customers: usize,
    /// Those lost.
    pub lost: usize,
    /// What was found per value, and per value and cause.
    pub systemic: Systemic,
    /// How often the lost stated each cause, of those that were mapped.
    pub causes: Vec<(Cause, usize)>,
    /// Codes that stand for no known cause, most frequent first.
    pub unmapped: Vec<UnmappedCode>,
    /// What the reading found.
    pub report: TableReport,
}

impl Contracts {
    /// Begins with the column that says who is lost: 0 or 1, true or false, yes or no.
    #[must_use]
    pub fn params(lost: impl Into<String>) -> ContractParams {
        ContractParams {
            lost: lost.into(),
            id: None,
            reason: None,
            tenure: None,
            commitment: None,
            segments: Vec::new(),
            table: TableParams::default(),
            reasons: ReasonsParams::default(),
            minimum_lift: 1.25,
        }
    }
}

impl ContractParams {
    /// Names the customer's id; a row without one, or with that of an earlier row, is a fault then. Where none is
    /// named, a column `customer_id` is looked at for repeated ids.
    #[must_use]
    pub fn with_id(mut self, name: impl Into<String>) -> Self {
        self.id = Some(name.into());
        self
    }

    /// Names the stated reason or its code.
    #[must_use]
    pub fn with_reason(mut self, name: impl Into<String>) -> Self {
        self.reason = Some(name.into());
        self
    }

    /// Names the tenure in months, up to the loss or to the day of the table.
    #[must_use]
    pub fn with_tenure(mut self, name: impl Into<String>) -> Self {
        self.tenure = Some(name.into());
        self
    }

    /// Names the commitment, such as the length of the contract.
    #[must_use]
    pub fn with_commitment(mut self, name: impl Into<String>) -> Self {
        self.commitment = Some(name.into());
        self
    }

    /// Names the segment columns.
    #[must_use]
    pub fn with_segments<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.segments = names.into_iter().map(Into::into).collect();
        self
    }

    /// Says how the table is read.
    #[must_use]
    pub fn with_table(mut self, table: TableParams) -> Self {
        self.table = table;
        self
    }

    /// Says what the reasons' codes stand for.
    #[must_use]
    pub fn with_reasons(mut self, reasons: ReasonsParams) -> Self {
        self.reasons = reasons;
        self
    }

    /// Sets the least lift worth speaking of, above 1 and at most 100.
    #[must_use]
    pub fn with_minimum_lift(mut self, lift: f64) -> Self {
        self.minimum_lift = lift;
        self
    }

    /// Reads a CSV or Parquet file and judges it.
    ///
    /// # Errors
    /// A file or column that is not there, faulty rows (all at once), a flag that is none, a setting out of range,
    /// or no row at all.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Contracts> {
        self.analyse(SideInput::File(path.as_ref()))
    }

    /// Takes a frame and judges it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_frame(&self, frame: &DataFrame) -> Result<Contracts> {
        self.analyse(SideInput::Frame(frame))
    }

    fn analyse(&self, input: SideInput) -> Result<Contracts> {
        let params = self.judging();
        params.check()?;
        let segments: Vec<&String> =
            self.segments.iter().filter(|&name| Some(name) != self.commitment.as_ref()).collect();
        let columns = self.columns(&segments)?;
        let mut table = self.table.take(input, &columns)?;
        let flags = table.flags(&self.lost);
        if self.id.is_none() && columns.iter().any(|column| column.name == USUAL_ID) {
            repeated_ids(&mut table, USUAL_ID);
        }
        if let Some(id) = &self.id {
            let empty: Vec<usize> = (0..table.rows())
                .filter(|&row| table.is_sound(row) && table.texts(id)[row].is_none())
                .collect();
            empty.into_iter().for_each(|row| table.fault(FaultKind::MissingId, id, row, "null"));
            repeated_ids(&mut table, id);
        }
        for name in &segments {
            let is_empty = |&row: &usize| table.is_sound(row) && table.texts(name)[row].is_none();
            let rows = (0..table.rows()).filter(is_empty).count() as u64;
            if rows > 0 {
                table.note(Notice::MissingSegments { column: (*name).clone(), rows });
            }
        }
        let (kept, table, report) = table.finish()?;
        if kept.is_empty() {
            return Err(Error::NoOrders { report: Box::new(report.input) });
        }
        let picked = |name: &str| -> Vec<Option<&str>> {
            kept.iter().map(|&row| table.texts(name).get(row).and_then(Option::as_deref)).collect()
        };
        let lost: Vec<bool> = kept.iter().map(|&row| flags[row] == Some(true)).collect();
        let (commitments, commitment) = match &self.commitment {
            Some(name) => coded(&picked(name)),
            None => (Vec::new(), vec![NO_SEGMENT; kept.len()]),
        };
        // An unknown commitment is one of its own.
        let stratum: Vec<u32> = commitment.iter().map(|&code| code.min(commitments.len() as u32)).collect();
        let mut unmapped: BTreeMap<&str, usize> = BTreeMap::new();
        let reasons = self.reason.as_ref().map_or_else(Vec::new, |name| picked(name));
        let causes: Vec<Option<Cause>> = (0..kept.len())
            .map(|row| {
                let code = reasons.get(row).copied().flatten().filter(|_| lost[row])?;
                let cause = self.reasons.cause(code);
                if cause.is_none() {
                    *unmapped.entry(code).or_default() += 1;
                }
                Some(cause.unwrap_or(Cause::Unknown))
            })
            .collect();
        let columns = segments.iter().map(|name| (name.as_str(), coded(&picked(name)))).collect();
        let months = self.tenure.as_ref().map(|name| {
            let tenure = table.numbers(name);
            kept.iter().map(|&row| tenure[row].max(LEAST_MONTHS)).collect::<Vec<f64>>()
        });
        let panel = panel(&lost, &causes, &stratum, commitments.len() + 1, months.as_deref(), columns);
        let tenure = if months.is_some() { tenure_bands(&panel) } else { Vec::new() };
        let mut unmapped: Vec<UnmappedCode> =
            unmapped.into_iter().map(|(code, rows)| UnmappedCode { code: code.to_owned(), rows }).collect();
        unmapped.sort_by(|one, other| other.rows.cmp(&one.rows).then_with(|| one.code.cmp(&other.code)));
        let count = |cause: Cause| causes.iter().filter(|&&other| other == Some(cause)).count();
        Ok(Contracts {
            customers: kept.len(),
            lost: lost.iter().filter(|&&lost| lost).count(),
            systemic: Systemic { tenure, ..judge(&panel, &params) },
            causes: Cause::ALL
                .map(|cause| (cause, count(cause)))
                .into_iter()
                .filter(|&(_, n)| n > 0)
                .collect(),
            unmapped,
            report,
        })
    }

    fn judging(&self) -> SystemicParams {
        // A table has no days, and so no drops to share the budget with.
        Systemic::params().with_minimum_lift(self.minimum_lift).with_budget_fraction(1.0)
    }

    fn columns(&self, segments: &[&String]) -> Result<Vec<SideColumn>> {
        let mut columns = vec![SideColumn::new(&self.lost, Holds::Text, Need::Value)];
        let named = |name: &String, holds, need| SideColumn::new(name, holds, need);
        columns.extend(self.tenure.iter().map(|name| named(name, Holds::Amounts, Need::Value)));
        columns.extend(self.id.iter().map(|name| named(name, Holds::Ids, Need::Value)));
        let is_usual_id = |name: &&String| name.as_str() == USUAL_ID;
        let others = [&self.lost].into_iter().chain(&self.reason).chain(&self.tenure).chain(&self.commitment);
        if self.id.is_none() && !others.chain(segments.iter().copied()).any(|name| is_usual_id(&name)) {
            columns.push(SideColumn::new(USUAL_ID, Holds::Text, Need::Nothing));
        }
        let mut texts: Vec<&String> = self.reason.iter().chain(&self.commitment).collect();
        texts.extend(segments);
        columns.extend(texts.into_iter().map(|name| named(name, Holds::Text, Need::Column)));
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let found = format!("`{}` in two roles", pair[0]);
            return Err(Error::parameter("columns", found, "one role per column"));
        }
        if segments.is_empty() {
            return Err(Error::parameter(
                "segment columns",
                "none",
                "at least one that is not the commitment column",
            ));
        }
        Ok(columns)
    }
}

/// A customer who stands in several rows would be lost, or stay, several times: all but the first are faults.
fn repeated_ids(table: &mut SideTable, id: &str) {
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let ids = table.texts(id).to_vec();
    for (row, id_text) in ids.into_iter().enumerate() {
        let Some(text) = id_text.filter(|_| table.is_sound(row)) else { continue };
        match first.get(&text) {
            Some(&earlier) => {
                table.fault(FaultKind::DuplicateId, id, row, format!("{text}, as in row {}", earlier + 1));
            }
            None => drop(first.insert(text, row)),
        }
    }
}

/// Values in order of text, and the code of each row.
type Coded = (Vec<String>, Vec<u32>);

fn coded(texts: &[Option<&str>]) -> Coded {
    let mut values: Vec<&str> = texts.iter().copied().flatten().collect();
    values.sort_unstable();
    values.dedup();
    let code = |text: &Option<&str>| {
        text.and_then(|text| values.binary_search(&text).ok()).map_or(NO_SEGMENT, |code| code as u32)
    };
    let codes = texts.iter().map(code).collect();
    (values.into_iter().map(str::to_owned).collect(), codes)
}

/// One record per customer, or per customer and band of tenure.
fn panel(
    lost: &[bool],
    causes: &[Option<Cause>],
    stratum: &[u32],
    strata: usize,
    months: Option<&[f64]>,
    columns: Vec<(&str, Coded)>,
) -> Panel {
    let mut panel = Panel {
        basis: if months.is_some() { Basis::Time } else { Basis::Customers },
        customers: Vec::new(),
        strata: Vec::new(),
        strata_count: strata * (BANDS_MONTHS.len() + 1),
        time: Vec::new(),
        lost: Vec::new(),
        causes: Vec::new(),
        amounts: None,
        model: None,
        columns: columns
            .iter()
            .map(|(name, (values, _))| PanelColumn {
                name: (*name).to_owned(),
                values: values.clone(),
                codes: Vec::new(),
            })
            .collect(),
        recent_from: None,
    };
    for customer in 0..lost.len() {
        let all = months.map_or(1.0, |months| months[customer]);
        let mut from = 0.0;
        for band in 0..=BANDS_MONTHS.len() {
            let until = match months {
                Some(_) => BANDS_MONTHS.get(band).copied().unwrap_or(f64::INFINITY),
                None => f64::INFINITY,
            };
            let is_last = all <= until;
            panel.customers.push(customer as u32);
            panel.strata.push(stratum[customer] * (BANDS_MONTHS.len() as u32 + 1) + band as u32);
            panel.time.push(all.min(until) - from);
            panel.lost.push(is_last && lost[customer]);
            panel.causes.push(if is_last { causes[customer] } else { None });
            for (column, (_, (_, codes))) in panel.columns.iter_mut().zip(&columns) {
                column.codes.push(codes[customer]);
            }
            if is_last {
                break;
            }
            from = until;
        }
    }
    panel
}

fn tenure_bands(panel: &Panel) -> Vec<TenureBand> {
    let count = BANDS_MONTHS.len() + 1;
    let mut sums = vec![(0.0, 0); count];
    for (record, &stratum) in panel.strata.iter().enumerate() {
        let sum = &mut sums[stratum as usize % count];
        sum.0 += panel.time[record];
        sum.1 += usize::from(panel.lost[record]);
    }
    let band = |(band, (customer_months, lost)): (usize, (f64, usize))| TenureBand {
        from_months: if band == 0 { 0 } else { BANDS_MONTHS[band - 1] as u32 },
        until_months: BANDS_MONTHS.get(band).map(|&until| until as u32),
        customer_months,
        lost,
        per_100_months: (customer_months > 0.0).then(|| 100.0 * lost as f64 / customer_months),
    };
    sums.into_iter().enumerate().map(band).collect()
}

impl fmt::Display for Contracts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {} lost", self.lost, counted(self.customers, "customer"))?;
        write!(f, "{}", self.systemic)?;
        for UnmappedCode { code, rows } in &self.unmapped {
            writeln!(f, "  reason `{code}` stands for no known cause: {}", counted(*rows, "row"))?;
        }
        Ok(())
    }
}
