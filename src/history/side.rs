//! What do the business's other tables say? They are read as the log is, into ids, text, days and numbers.

use std::cell::RefCell;
use std::path::Path;

use polars::prelude::*;

use super::convert::{Faults, convert_days, convert_ids};
use super::dates::DateText;
use super::numbers::{LARGEST_AMOUNT, numbers};
use super::read::{Source, require};
use super::row_ids::{IdKind, RowIds};
use super::types::{Role, as_text};
use crate::day::Day;
use crate::error::{Error, Fault, FaultKind, Result, shown};
use crate::table::guarded;

/// What a column of a side table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Customer ids.
    Ids,
    Text,
    Days,
    /// Finite numbers.
    Numbers,
    /// Finite numbers from 0 on.
    Amounts,
    /// Above 0 and at most 1.
    Probabilities,
}

/// Whether a column must be there, and a value in each row of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The column and every value.
    Value,
    /// The column, but not a value in each row.
    Column,
    /// Neither.
    Nothing,
}

/// A column to read.
#[derive(Clone, Debug)]
pub(crate) struct SideColumn {
    pub(crate) name: String,
    pub(crate) holds: Holds,
    pub(crate) need: Need,
}

impl SideColumn {
    pub(crate) fn new(name: impl Into<String>, holds: Holds, need: Need) -> Self {
        SideColumn { name: name.into(), holds, need }
    }

    fn role(&self) -> Role {
        match self.holds {
            Holds::Ids => Role::Customer,
            Holds::Text => Role::Text,
            Holds::Days => Role::Date,
            Holds::Numbers | Holds::Amounts | Holds::Probabilities => Role::Money,
        }
    }
}

/// Where a side table comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SideInput<'a> {
    /// Parquet where the name ends in `.parquet`, else CSV.
    File(&'a Path),
    Frame(&'a DataFrame),
}

/// The values of one column; without the column, all are missing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SideCells {
    Text(Vec<Option<String>>),
    Days(Vec<Option<Day>>),
    /// NaN where missing.
    Numbers(Vec<f64>),
}

/// A side table as it was found: every row, with what is wrong.
#[derive(Clone, Debug)]
pub(crate) struct SideRows {
    /// The file's name; empty for a frame.
    pub(crate) source: String,
    pub(crate) rows: usize,
    /// One per column asked for, in that order.
    pub(crate) cells: Vec<SideCells>,
    pub(crate) faults: Vec<Fault>,
    /// Per row, whether it has a fault.
    pub(crate) bad: Vec<bool>,
    /// Columns that were not asked for.
    pub(crate) unread: Vec<String>,
}

/// Reads the named columns of a table.
pub(crate) fn read_side(
    input: SideInput,
    columns: &[SideColumn],
    separator: u8,
    date_format: Option<&str>,
    decimal_comma: bool,
) -> Result<SideRows> {
    let date_text = DateText::new(date_format)?;
    let unread = RefCell::new(Vec::new());
    let choose = |origin: &str, found: &[String], advice: &str| {
        let is_there = |column: &&SideColumn| found.contains(&column.name);
        let needed = columns.iter().filter(|column| column.need != Need::Nothing || is_there(column));
        let names: Vec<&str> = needed.clone().map(|column| column.name.as_str()).collect();
        require(origin, &names, found, advice)?;
        *unread.borrow_mut() =
            found.iter().filter(|name| !names.contains(&name.as_str())).cloned().collect::<Vec<_>>();
        Ok(needed.map(|column| (column.name.clone(), column.role())).collect())
    };
    let source = match input {
        SideInput::Frame(frame) => Source::frame_with(frame, &choose)?,
        SideInput::File(path) if is_parquet(path) => Source::parquet_with(path, &choose)?,
        SideInput::File(path) if !path.exists() => return Err(Error::NoSuchFile { path: path.to_owned() }),
        SideInput::File(path) => Source::csv_with(path, separator, &choose)?,
    };
    let rows = source.rows();
    let mut side = SideRows {
        source: source.name.clone(),
        rows,
        cells: Vec::with_capacity(columns.len()),
        faults: Vec::new(),
        bad: vec![false; rows],
        unread: unread.into_inner(),
    };
    let mut broken = Faults::new(&source, 0..rows, usize::MAX);
    for (&row, (kind, value)) in &source.broken {
        broken.add(*kind, "", row, || value.clone());
    }
    side.take(broken);
    for column in columns {
        let series = source.frame.column(&column.name).ok();
        let mut faults = Faults::new(&source, 0..rows, usize::MAX);
        side.cells.push(match series {
            Some(series) => {
                let series = guarded("taking a column", || Ok(series.as_materialized_series().rechunk()))?;
                cells(&series, column, &date_text, decimal_comma, &mut faults)?
            }
            None => nothing(column.holds, rows),
        });
        side.take(faults);
    }
    Ok(side)
}

impl SideRows {
    fn take(&mut self, faults: Faults) {
        self.faults.extend(faults.all.into_values());
        self.bad.iter_mut().zip(&faults.bad).for_each(|(bad, more)| *bad |= more);
    }
}

pub(crate) fn is_parquet(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
}

fn nothing(holds: Holds, rows: usize) -> SideCells {
    match holds {
        Holds::Ids | Holds::Text => SideCells::Text(vec![None; rows]),
        Holds::Days => SideCells::Days(vec![None; rows]),
        _ => SideCells::Numbers(vec![f64::NAN; rows]),
    }
}

fn cells(
    series: &Series,
    column: &SideColumn,
    date_text: &DateText,
    decimal_comma: bool,
    faults: &mut Faults,
) -> Result<SideCells> {
    let needed = column.need == Need::Value;
    let name = column.name.as_str();
    match column.holds {
        Holds::Ids => {
            let RowIds::Text(ids) = IdKind::Text.hold(convert_ids(series, name, faults)?) else {
                return Ok(nothing(Holds::Ids, series.len()));
            };
            Ok(SideCells::Text(
                ids.iter().map(|id| id.filter(|id| !id.is_empty()).map(str::to_owned)).collect(),
            ))
        }
        Holds::Text => {
            let text = as_text(series)?;
            let text = guarded("reading text", || text.str().cloned())?;
            let values = text.iter().enumerate().map(|(row, value)| {
                let value = value.filter(|value| !value.trim().is_empty());
                if value.is_none() && needed && !faults.is_broken(row) {
                    faults.add(FaultKind::MissingText, name, row, || "null".to_owned());
                }
                value.map(str::to_owned)
            });
            Ok(SideCells::Text(values.collect()))
        }
        Holds::Days => {
            let missing = missing(series)?;
            let days = convert_days(series, name, date_text, needed, faults)?.into_vec();
            let day = |(day, missing): (i32, bool)| (!missing).then(|| Day::from_days_since_epoch(day));
            Ok(SideCells::Days(days.into_iter().zip(missing).map(day).collect()))
        }
        Holds::Numbers | Holds::Amounts | Holds::Probabilities => {
            convert_numbers(series, column, decimal_comma, faults)
        }
    }
}

fn convert_numbers(
    series: &Series,
    column: &SideColumn,
    decimal_comma: bool,
    faults: &mut Faults,
) -> Result<SideCells> {
    let name = column.name.as_str();
    let unreadable = match column.holds {
        Holds::Probabilities => FaultKind::InvalidProbability,
        _ => FaultKind::InvalidNumber,
    };
    let mut found: Vec<(usize, FaultKind, String)> = Vec::new();
    let mut missing = Vec::new();
    let read = numbers(series, decimal_comma, |row, value| match value {
        Some(value) => found.push((row, unreadable, shown(value))),
        None => missing.push(row),
    })?;
    let mut is_missing = vec![false; series.len()];
    missing.iter().for_each(|&row| is_missing[row] = true);
    let unread: Vec<usize> = found.iter().map(|(row, ..)| *row).collect();
    for (row, &value) in read.values.as_slice().iter().enumerate() {
        // What could not be read holds a placeholder.
        if is_missing[row] || unread.binary_search(&row).is_ok() {
            continue;
        }
        let kind = match column.holds {
            Holds::Probabilities if !(value > 0.0 && value <= 1.0) => FaultKind::InvalidProbability,
            _ if !value.is_finite() || value.abs() > LARGEST_AMOUNT => FaultKind::InvalidNumber,
            Holds::Amounts if value < 0.0 => FaultKind::NegativeNumber,
            _ => continue,
        };
        found.push((row, kind, read.shown(row)));
    }
    if column.need == Need::Value {
        let empty = missing.iter().filter(|&&row| !faults.is_broken(row));
        found.extend(empty.map(|&row| (row, FaultKind::MissingText, "null".to_owned())));
    }
    found.sort_by_key(|&(row, ..)| row);
    for (row, kind, value) in found {
        faults.add(kind, name, row, || value);
    }
    let mut values = read.values.into_vec();
    missing.into_iter().for_each(|row| values[row] = f64::NAN);
    Ok(SideCells::Numbers(values))
}

/// Per row, whether nothing stands there.
fn missing(series: &Series) -> Result<Vec<bool>> {
    if !matches!(
        series.dtype(),
        DataType::String | DataType::Categorical(..) | DataType::Enum(..) | DataType::Null
    ) {
        return Ok(series.is_null().iter().map(|null| null == Some(true)).collect());
    }
    let text = as_text(series)?;
    let text = guarded("reading dates", || text.str().cloned())?;
    Ok(text.iter().map(|value| value.is_none_or(str::is_empty)).collect())
}
