//! What do the columns say? Text, timestamps and numbers become ids, days and amounts; what cannot be
//! read is a fault of its row.

use std::collections::{BTreeMap, HashMap};

use polars::prelude::*;

use super::cells::Cells;
use super::dates::{DateText, Zone, day_of_timestamp};
use super::numbers::{LARGEST_AMOUNT, numbers};
use super::params::{HistoryParams, Refunds};
use super::read::Source;
use super::row_ids::{IdKind, RowIds};
use super::types::as_text;
use crate::day::Day;
use crate::error::{Fault, FaultExample, FaultKind, Result, shown};
use crate::table::guarded;

/// A block of one source's rows, converted; rows with a fault hold placeholders.
pub(super) struct Part {
    pub(super) ids: RowIds,
    pub(super) facts: Facts,
}

/// What the rows of a block say beside whose they are.
pub(super) struct Facts {
    pub(super) days: Cells<Int32Type>,
    pub(super) amounts: Option<Cells<Float64Type>>,
    pub(super) discounts: Option<Vec<f64>>,
    pub(super) segments: Vec<SegmentRows>,
}

/// A block's values of a segment column in order of appearance, and each row's position among them.
pub(super) struct SegmentRows {
    pub(super) values: Vec<String>,
    pub(super) codes: Vec<u32>,
}

/// The code of a row without a segment value.
pub(crate) const NO_SEGMENT: u32 = u32::MAX;

/// Collects the faults of a block: which of its rows are bad, and the first examples of each kind.
pub(super) struct Faults<'a> {
    pub(super) source: &'a Source,
    /// The block's rows within the source.
    pub(super) rows: std::ops::Range<usize>,
    /// How many rows of each kind are kept as examples.
    pub(super) most_examples: usize,
    pub(super) all: BTreeMap<FaultKind, Fault>,
    /// Per row of the block whether it has a fault; empty while none has.
    pub(super) bad: Vec<bool>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(source: &'a Source, rows: std::ops::Range<usize>, most_examples: usize) -> Self {
        Faults { source, rows, most_examples, all: BTreeMap::new(), bad: Vec::new() }
    }

    pub(super) fn add(&mut self, kind: FaultKind, column: &str, row: usize, value: impl FnOnce() -> String) {
        if self.bad.is_empty() {
            self.bad = vec![false; self.rows.len()];
        }
        self.bad[row] = true;
        let fault = self.all.entry(kind).or_insert_with(|| Fault {
            kind,
            column: column.to_owned(),
            rows: 0,
            examples: Vec::new(),
            words: Vec::new(),
        });
        fault.rows += 1;
        if fault.examples.len() < self.most_examples {
            fault.examples.push(FaultExample {
                source: self.source.name.clone(),
                row: (self.rows.start + row) as u64 + 1,
                value: value(),
            });
        }
    }

    /// Whether the row could not even be taken apart, so that its nulls mean nothing.
    pub(super) fn is_broken(&self, row: usize) -> bool {
        !self.source.broken.is_empty() && self.source.broken.contains_key(&(self.rows.start + row))
    }
}

/// Converts a block of one source's rows.
pub(super) fn convert(
    params: &HistoryParams,
    date_text: &DateText,
    kind: &IdKind,
    faults: &mut Faults,
) -> Result<Part> {
    let (source, rows) = (faults.source, faults.rows.clone());
    for (&row, (kind, value)) in source.broken.range(rows.clone()) {
        faults.add(*kind, "", row - rows.start, || value.clone());
    }
    let series = |name: &str| -> Result<Series> {
        guarded("taking a column", || {
            let column = source.frame.column(name)?.as_materialized_series();
            Ok(column.slice(rows.start as i64, rows.len()).rechunk())
        })
    };
    let columns = &params.columns;
    let ids = kind.hold(convert_ids(&series(&columns.customer)?, &columns.customer, faults)?);
    let days = convert_days(&series(&columns.date)?, &columns.date, date_text, true, faults)?;
    let amounts = match &columns.amount {
        Some(name) => Some(convert_amounts(&series(name)?, name, params, faults)?),
        None => None,
    };
    let discounts = match &columns.discount {
        Some(name) => Some(convert_discounts(&series(name)?, name, params, faults)?),
        None => None,
    };
    let segments =
        columns.segments.iter().map(|name| encode_segment(&series(name)?)).collect::<Result<_>>()?;
    Ok(Part { ids, facts: Facts { days, amounts, discounts, segments } })
}

pub(super) fn convert_ids(series: &Series, column: &str, faults: &mut Faults) -> Result<RowIds> {
    if series.dtype().is_integer() {
        return convert_integer_ids(series, column, faults);
    }
    let text = as_text(series)?;
    let text = guarded("reading customer ids", || text.str().cloned())?;
    for (row, id) in text.iter().enumerate() {
        match id {
            None | Some("") if !faults.is_broken(row) => {
                faults.add(FaultKind::MissingId, column, row, || id.map_or_else(|| "null".to_owned(), shown));
            }
            Some(id) if is_float_text(id) => faults.add(FaultKind::FloatId, column, row, || shown(id)),
            _ => {}
        }
    }
    Ok(RowIds::Text(text))
}

/// Whether the text is an integer that went through a float: digits, a point, zeros.
fn is_float_text(id: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    id.strip_prefix('-').unwrap_or(id).split_once('.').is_some_and(|(whole, fraction)| {
        digits(whole) && !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0')
    })
}

fn convert_integer_ids(series: &Series, column: &str, faults: &mut Faults) -> Result<RowIds> {
    let missing = series.is_null();
    if series.null_count() > 0 {
        for row in missing.iter().enumerate().filter_map(|(row, null)| (null == Some(true)).then_some(row)) {
            faults.add(FaultKind::MissingId, column, row, || "null".to_owned());
        }
    }
    let narrow = guarded("reading integer ids", || series.cast(&DataType::Int64))?;
    if narrow.null_count() == series.null_count() {
        return Ok(RowIds::Int(Cells::new(guarded("reading integer ids", || narrow.i64().cloned())?)));
    }
    let wide = guarded("reading integer ids", || series.cast(&DataType::Int128))?;
    let wide = guarded("reading integer ids", || wide.i128().cloned())?;
    for (row, id) in wide.iter().enumerate() {
        if id.is_none() && missing.get(row) != Some(true) {
            faults.add(FaultKind::IdOutOfRange, column, row, || "above 2^127 - 1".to_owned());
        }
    }
    Ok(RowIds::Wide(wide.iter().map(Option::unwrap_or_default).collect()))
}

/// A missing date, where one is not needed, is a placeholder and no fault.
pub(super) fn convert_days(
    series: &Series,
    column: &str,
    date_text: &DateText,
    needed: bool,
    faults: &mut Faults,
) -> Result<Cells<Int32Type>> {
    let plausible = Day::FIRST.days_since_epoch()..=Day::LAST.days_since_epoch();
    if *series.dtype() == DataType::Date && series.null_count() == 0 {
        let dates = guarded("reading dates", || Ok(series.to_physical_repr().i32()?.clone()))?;
        let dates = Cells::new(dates);
        // Nearly every column of dates is sound, and need not be gone through date by date.
        if dates.as_slice().iter().fold(true, |all, day| all & plausible.contains(day)) {
            return Ok(dates);
        }
    }
    let mut days = Vec::with_capacity(series.len());
    let mut take = |row: usize, day: std::result::Result<Option<Day>, String>| {
        let day = match day {
            Ok(Some(day)) => {
                if !day.is_plausible() {
                    faults.add(FaultKind::DateOutOfRange, column, row, || format!("`{day}`"));
                }
                day
            }
            Ok(None) => {
                if needed && !faults.is_broken(row) {
                    faults.add(FaultKind::MissingDate, column, row, || "null".to_owned());
                }
                Day::FIRST
            }
            Err(value) => {
                faults.add(FaultKind::UnparseableDate, column, row, || value);
                Day::FIRST
            }
        };
        days.push(day.days_since_epoch());
    };
    match series.dtype() {
        DataType::Date => {
            let dates = guarded("reading dates", || Ok(series.to_physical_repr().i32()?.clone()))?;
            for (row, day) in dates.iter().enumerate() {
                take(row, Ok(day.map(Day::from_days_since_epoch)));
            }
        }
        DataType::Datetime(unit, zone) => {
            let zone = Zone::parse(zone.as_ref().map(|zone| zone.as_str())).unwrap_or(Zone::None);
            let times = guarded("reading datetimes", || Ok(series.to_physical_repr().i64()?.clone()))?;
            for (row, time) in times.iter().enumerate() {
                take(
                    row,
                    time.map(|time| day_of_timestamp(time, *unit, zone).ok_or(time))
                        .transpose()
                        .map_err(|time| format!("timestamp {time}")),
                );
            }
        }
        _ => {
            let text = as_text(series)?;
            let text = guarded("reading dates", || text.str().cloned())?;
            for (row, value) in text.iter().enumerate() {
                take(
                    row,
                    match value {
                        None | Some("") => Ok(None),
                        Some(value) => date_text.day(value).map(Some).ok_or_else(|| shown(value)),
                    },
                );
            }
        }
    }
    Ok(Cells::Own(days))
}

fn convert_amounts(
    series: &Series,
    column: &str,
    params: &HistoryParams,
    faults: &mut Faults,
) -> Result<Cells<Float64Type>> {
    let amounts = numbers(series, params.decimal_comma, |row, value| match value {
        Some(value) => faults.add(FaultKind::UnparseableAmount, column, row, || shown(value)),
        None if faults.is_broken(row) => {}
        None => faults.add(FaultKind::MissingAmount, column, row, || "null".to_owned()),
    })?;
    let least = if params.refunds == Refunds::Reject { 0.0 } else { -LARGEST_AMOUNT };
    let sound = least..=LARGEST_AMOUNT;
    if amounts.values.as_slice().iter().fold(true, |all, amount| all & sound.contains(amount)) {
        return Ok(amounts.values);
    }
    for (row, &amount) in amounts.values.as_slice().iter().enumerate() {
        if sound.contains(&amount) {
            continue;
        }
        let kind = if amounts.is_non_finite(row) {
            FaultKind::NonFiniteAmount
        } else if amount.abs() > LARGEST_AMOUNT {
            FaultKind::AmountOutOfRange
        } else {
            FaultKind::RejectedRefund
        };
        faults.add(kind, column, row, || amounts.shown(row));
    }
    Ok(amounts.values)
}

fn convert_discounts(
    series: &Series,
    column: &str,
    params: &HistoryParams,
    faults: &mut Faults,
) -> Result<Vec<f64>> {
    let (mut missing, mut invalid) = (Vec::new(), Vec::new());
    let discounts = numbers(series, params.decimal_comma, |row, value| match value {
        Some(value) => invalid.push((row, shown(value))),
        None => missing.push(row),
    })?;
    for (row, discount) in discounts.values.as_slice().iter().enumerate() {
        if !discount.is_finite() || discount.abs() > LARGEST_AMOUNT {
            invalid.push((row, discounts.shown(row)));
        }
    }
    // What is no number is found before what is not finite; the examples are the first rows of both.
    invalid.sort_by_key(|&(row, _)| row);
    for (row, value) in invalid {
        faults.add(FaultKind::InvalidDiscount, column, row, || value);
    }
    let mut discounts = discounts.values.into_vec();
    // NaN marks a missing discount until the rows kept are known and can be counted.
    missing.into_iter().for_each(|row| discounts[row] = f64::NAN);
    Ok(discounts)
}

/// A block's segment values as numbers.
fn encode_segment(series: &Series) -> Result<SegmentRows> {
    let text = as_text(series)?;
    let text = guarded("reading segments", || text.str().cloned())?;
    let mut known: HashMap<&str, u32> = HashMap::new();
    let mut values = Vec::new();
    let codes = text
        .iter()
        .map(|value| match value {
            None | Some("") => NO_SEGMENT,
            Some(value) => *known.entry(value).or_insert_with(|| {
                values.push(value.to_owned());
                values.len() as u32 - 1
            }),
        })
        .collect();
    Ok(SegmentRows { values, codes })
}
