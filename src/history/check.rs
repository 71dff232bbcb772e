//! Which rows can be used? Every row is kept, set aside, or dropped under a named fault.

use std::collections::BTreeMap;

use polars::prelude::*;

use super::convert::{Faults, NO_SEGMENT, Part, RowIds, SegmentCodes, SegmentRows, convert};
use super::dates::DateText;
use super::params::{HistoryParams, InvalidRows, Refunds};
use super::read::Source;
use crate::day::Day;
use crate::error::{Error, InputReport, Notice, Result};
use crate::table::guarded;

/// The rows that can be used, column by column, in the order they were read.
pub(crate) struct CleanRows {
    pub(crate) ids: RowIds,
    pub(crate) days: Vec<i32>,
    pub(crate) amounts: Option<Vec<f64>>,
    pub(crate) discounts: Option<Vec<f64>>,
    pub(crate) segments: Vec<SegmentRows>,
}

/// Converts and checks every source; the report says what was found.
///
/// Under [`InvalidRows::Reject`] any fault is an error that carries all of them.
pub(crate) fn check(sources: Vec<Source>, params: &HistoryParams) -> Result<(CleanRows, InputReport)> {
    let mut report = InputReport {
        sources: sources.iter().map(|source| source.name.clone()).filter(|name| !name.is_empty()).collect(),
        ..InputReport::default()
    };
    let date_text = DateText::new(params.date_format.as_deref())?;
    let mut faults = BTreeMap::new();
    let mut aside = SetAside::default();
    let mut parts = Vec::with_capacity(sources.len());
    let mut segments: Vec<SegmentCodes> =
        params.columns.segments.iter().map(|_| SegmentCodes::default()).collect();
    for source in sources {
        let rows = source.frame.height();
        report.rows_read += rows as u64;
        let mut found = Faults { source: &source, all: &mut faults, bad: Vec::new() };
        let part = convert(&source, params, &date_text, &mut segments, &mut found)?;
        let bad = found.bad;
        report.rows_dropped += bad.iter().filter(|&&bad| bad).count() as u64;
        parts.push(keep(part, bad, params, &mut aside)?);
    }
    report.rows_kept = report.rows_read - report.rows_dropped;
    report.faults = faults.into_values().collect();
    aside.note(params, &mut report.notices);
    if report.rows_dropped > 0 && params.invalid_rows == InvalidRows::Reject {
        return Err(Error::InvalidRows { report: Box::new(report) });
    }
    let clean = join(parts, segments, params, &mut report.notices)?;
    if clean.days.is_empty() {
        return Err(Error::NoOrders { report: Box::new(report) });
    }
    if clean.days.len() >= u32::MAX as usize {
        return Err(Error::TooManyRows { rows: clean.days.len() as u64, most: u64::from(u32::MAX) - 1 });
    }
    Ok((clean, report))
}

/// Rows that are fine but not wanted.
#[derive(Default)]
struct SetAside {
    after_observed: u64,
    refunds: u64,
    refunds_kept: u64,
    zero_amounts: u64,
    no_discount: u64,
}

impl SetAside {
    fn note(&self, params: &HistoryParams, notices: &mut Vec<Notice>) {
        if params.columns.amount.is_none() {
            notices.push(Notice::NoAmounts);
        }
        if let (Some(observed_until), 1..) = (params.observed_until, self.after_observed) {
            notices.push(Notice::AfterObservedUntil { rows: self.after_observed, observed_until });
        }
        if self.refunds > 0 {
            notices.push(Notice::RefundsSetAside { rows: self.refunds });
        }
        if self.refunds_kept > 0 {
            notices.push(Notice::Refunds { rows: self.refunds_kept });
        }
        if self.zero_amounts > 0 {
            notices.push(Notice::ZeroAmounts { rows: self.zero_amounts });
        }
        if self.no_discount > 0 {
            notices.push(Notice::MissingDiscounts { rows: self.no_discount });
        }
    }
}

/// Leaves out rows with a fault and rows the reading policy sets aside.
fn keep(mut part: Part, mut bad: Vec<bool>, params: &HistoryParams, aside: &mut SetAside) -> Result<Part> {
    let rows = part.days.len();
    let drops_refunds = params.refunds == Refunds::Drop;
    let last_day = params.observed_until.unwrap_or(Day::LAST).days_since_epoch();
    for row in 0..rows {
        if bad.get(row) == Some(&true) {
            continue;
        }
        let amount = part.amounts.as_ref().map_or(1.0, |amounts| amounts[row]);
        let leaves = if part.days[row] > last_day {
            aside.after_observed += 1;
            true
        } else if amount < 0.0 && drops_refunds {
            aside.refunds += 1;
            true
        } else {
            aside.refunds_kept += u64::from(amount < 0.0);
            aside.zero_amounts += u64::from(amount == 0.0);
            aside.no_discount +=
                u64::from(part.discounts.as_ref().is_some_and(|discounts| discounts[row].is_nan()));
            false
        };
        if leaves {
            if bad.is_empty() {
                bad = vec![false; rows];
            }
            bad[row] = true;
        }
    }
    if let Some(discounts) = &mut part.discounts {
        discounts
            .iter_mut()
            .for_each(|discount| *discount = if discount.is_nan() { 0.0 } else { discount.abs() });
    }
    if bad.is_empty() {
        return Ok(part);
    }
    Ok(Part {
        ids: match part.ids {
            RowIds::Int { values, dtype } => RowIds::Int { values: without(values, &bad), dtype },
            RowIds::Wide { values, dtype } => RowIds::Wide { values: without(values, &bad), dtype },
            RowIds::Text(text) => {
                let kept: BooleanChunked =
                    BooleanChunked::from_iter_values("kept".into(), bad.iter().map(|bad| !bad));
                RowIds::Text(guarded("leaving out rows", || text.filter(&kept))?)
            }
        },
        days: without(part.days, &bad),
        amounts: part.amounts.map(|amounts| without(amounts, &bad)),
        discounts: part.discounts.map(|discounts| without(discounts, &bad)),
        segments: part.segments.into_iter().map(|codes| without(codes, &bad)).collect(),
    })
}

fn without<T: Copy>(values: Vec<T>, bad: &[bool]) -> Vec<T> {
    values.into_iter().zip(bad).filter_map(|(value, bad)| (!bad).then_some(value)).collect()
}

/// Puts the sources' rows end to end; ids meet as integers where all are, else as text.
fn join(
    mut parts: Vec<Part>,
    segments: Vec<SegmentCodes>,
    params: &HistoryParams,
    notices: &mut Vec<Notice>,
) -> Result<CleanRows> {
    let mut codes: Vec<Vec<u32>> = vec![Vec::new(); segments.len()];
    for part in &mut parts {
        for (all, some) in codes.iter_mut().zip(part.segments.drain(..)) {
            if all.is_empty() { *all = some } else { all.extend(some) }
        }
    }
    for (name, codes) in params.columns.segments.iter().zip(&codes) {
        let rows = codes.iter().filter(|&&code| code == NO_SEGMENT).count() as u64;
        if rows > 0 {
            notices.push(Notice::MissingSegments { column: name.clone(), rows });
        }
    }
    let segments = segments.into_iter().zip(codes).map(|(codes, rows)| codes.finish(rows)).collect();
    let mut joined: Option<Part> = None;
    for part in parts {
        joined = Some(match joined {
            None => part,
            Some(mut all) => {
                all.ids = join_ids(all.ids, part.ids)?;
                all.days.extend(part.days);
                if let (Some(all), Some(more)) = (&mut all.amounts, part.amounts) {
                    all.extend(more);
                }
                if let (Some(all), Some(more)) = (&mut all.discounts, part.discounts) {
                    all.extend(more);
                }
                all
            }
        });
    }
    let empty = || Part {
        ids: RowIds::Text(StringChunked::default()),
        days: Vec::new(),
        amounts: None,
        discounts: None,
        segments: Vec::new(),
    };
    let Part { ids, days, amounts, discounts, .. } = joined.unwrap_or_else(empty);
    Ok(CleanRows { ids, days, amounts, discounts, segments })
}

fn join_ids(left: RowIds, right: RowIds) -> Result<RowIds> {
    Ok(match (left, right) {
        (RowIds::Int { mut values, dtype }, RowIds::Int { values: more, dtype: other }) => {
            values.extend(more);
            let dtype = if dtype == other { dtype } else { DataType::Int64 };
            RowIds::Int { values, dtype }
        }
        (RowIds::Text(left), right) => join_text_ids(left, right)?,
        (left, RowIds::Text(right)) => {
            let left = text_ids(left);
            join_text_ids(left, RowIds::Text(right))?
        }
        (left, right) => {
            let dtype = if left.dtype() == right.dtype() { left.dtype() } else { DataType::Int128 };
            let mut values = wide_ids(left);
            values.extend(wide_ids(right));
            RowIds::Wide { values, dtype }
        }
    })
}

fn join_text_ids(mut left: StringChunked, right: RowIds) -> Result<RowIds> {
    let right = text_ids(right);
    guarded("joining customer ids", || left.append(&right))?;
    Ok(RowIds::Text(left))
}

fn text_ids(ids: RowIds) -> StringChunked {
    let name = PlSmallStr::from_static("customer_id");
    match ids {
        RowIds::Text(text) => text,
        RowIds::Int { values, .. } => {
            StringChunked::from_iter_values(name, values.iter().map(|value| value.to_string()))
        }
        RowIds::Wide { values, .. } => {
            StringChunked::from_iter_values(name, values.iter().map(|value| value.to_string()))
        }
    }
}

fn wide_ids(ids: RowIds) -> Vec<i128> {
    match ids {
        RowIds::Int { values, .. } => values.into_iter().map(i128::from).collect(),
        RowIds::Wide { values, .. } => values,
        // Text is joined as text before this is reached.
        RowIds::Text(_) => Vec::new(),
    }
}
