//! Which rows can be used? Every row is kept, set aside, or dropped under a named fault.

use std::collections::BTreeMap;
use std::ops::Range;

use polars::prelude::*;
use rayon::prelude::*;

use super::cells::Cells;
use super::convert::{Facts, Faults, NO_SEGMENT, Part, SegmentRows, convert};
use super::dates::DateText;
use super::params::{HistoryParams, InvalidRows, Refunds};
use super::read::Source;
use super::row_ids::{IdKind, RowIds};
use crate::day::Day;
use crate::error::{EXAMPLES_PER_FAULT, Error, Fault, FaultKind, InputReport, Notice, Result};
use crate::table::guarded;

/// How many rows are converted, and later scattered, at a time.
pub(super) const ROWS_PER_BLOCK: usize = 1 << 14;

/// The rows that can be used, block by block, in the order they were read.
pub(super) struct CleanRows {
    pub(super) parts: Vec<Part>,
    pub(super) kind: IdKind,
    /// Per segment column its values, in order of text.
    pub(super) segment_values: Vec<Vec<String>>,
    /// `None` where no row can be used.
    pub(super) span: Option<Span>,
    pub(super) aside: SetAside,
}

/// The first and the last day of some orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i32,
    pub(super) last: i32,
}

impl Span {
    pub(super) fn of(days: &[i32]) -> Option<Self> {
        Some(Span { first: *days.iter().min()?, last: *days.iter().max()? })
    }

    pub(super) fn join(self, other: Span) -> Span {
        Span { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

/// Converts and checks every source; the report says what was found.
///
/// `before` is how the ids of earlier orders are held. Under [`InvalidRows::Reject`] any fault is an error
/// that carries all of them.
pub(super) fn check(
    sources: Vec<Source>,
    params: &HistoryParams,
    before: Option<IdKind>,
) -> Result<(CleanRows, InputReport)> {
    let kind = IdKind::of(&sources, &params.columns.customer)?;
    let kind = before.into_iter().fold(kind, IdKind::join);
    let date_text = DateText::new(params.date_format.as_deref())?;
    let checked: Vec<CheckedBlock> = blocks_of(&sources)
        .into_par_iter()
        .map(|(source, rows)| {
            let mut faults = Faults::new(source, rows, EXAMPLES_PER_FAULT);
            let part = convert(params, &date_text, &kind, &mut faults)?;
            let Faults { all, bad, .. } = faults;
            let dropped = bad.iter().filter(|&&bad| bad).count() as u64;
            let (part, aside) = keep(part, bad, params)?;
            Ok(CheckedBlock { part, faults: all, dropped, aside })
        })
        .collect::<Result<_>>()?;

    let mut report = InputReport {
        sources: sources.iter().map(|source| source.name.clone()).filter(|name| !name.is_empty()).collect(),
        rows_read: sources.iter().map(|source| source.frame.height() as u64).sum(),
        ..InputReport::default()
    };
    drop(sources);
    let mut faults = BTreeMap::new();
    let mut aside = SetAside::new(params);
    let mut parts = Vec::with_capacity(checked.len());
    for block in checked {
        report.rows_dropped += block.dropped;
        join_faults(&mut faults, block.faults);
        aside.add(&block.aside);
        parts.push(block.part);
    }
    report.rows_kept = report.rows_read - report.rows_dropped;
    report.faults = faults.into_values().collect();
    aside.note(params, &mut report.notices);
    if report.rows_dropped > 0 && params.invalid_rows == InvalidRows::Reject {
        return Err(Error::InvalidRows { report: Box::new(report) });
    }
    parts.retain(|part| !part.facts.days.as_slice().is_empty());
    let spans = parts.iter().filter_map(|part| Span::of(part.facts.days.as_slice()));
    let span = spans.reduce(Span::join);
    refuse_too_many(parts.iter().map(|part| part.facts.days.as_slice().len() as u64).sum())?;
    let segment_values = join_segments(&mut parts, params.columns.segments.len());
    Ok((CleanRows { parts, kind, segment_values, span, aside }, report))
}

/// Row numbers are 32 bits wide.
pub(super) fn refuse_too_many(rows: u64) -> Result<()> {
    let most = u64::from(u32::MAX) - 1;
    if rows > most { Err(Error::TooManyRows { rows, most }) } else { Ok(()) }
}

struct CheckedBlock {
    part: Part,
    faults: BTreeMap<FaultKind, Fault>,
    dropped: u64,
    aside: SetAside,
}

fn blocks_of(sources: &[Source]) -> Vec<(&Source, Range<usize>)> {
    let of_source = |source| {
        let rows = Source::rows(source);
        let starts = (0..rows).step_by(ROWS_PER_BLOCK);
        starts.map(move |start| (source, start..rows.min(start + ROWS_PER_BLOCK)))
    };
    sources.iter().flat_map(of_source).collect()
}

/// Adds the faults of later rows.
pub(super) fn join_faults(all: &mut BTreeMap<FaultKind, Fault>, more: BTreeMap<FaultKind, Fault>) {
    for (kind, mut fault) in more {
        match all.get_mut(&kind) {
            None => drop(all.insert(kind, fault)),
            Some(known) => {
                known.rows += fault.rows;
                known.examples.append(&mut fault.examples);
                known.examples.truncate(EXAMPLES_PER_FAULT);
            }
        }
    }
}

/// Rows that are fine but not wanted, or worth a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SetAside {
    after_observed: u64,
    refunds: u64,
    refunds_kept: u64,
    zero_amounts: u64,
    no_discount: u64,
    /// Per segment column the rows kept without a value.
    no_segment: Vec<u64>,
}

impl SetAside {
    pub(super) fn new(params: &HistoryParams) -> Self {
        SetAside { no_segment: vec![0; params.columns.segments.len()], ..SetAside::default() }
    }

    pub(super) fn add(&mut self, other: &SetAside) {
        self.after_observed += other.after_observed;
        self.refunds += other.refunds;
        self.refunds_kept += other.refunds_kept;
        self.zero_amounts += other.zero_amounts;
        self.no_discount += other.no_discount;
        self.no_segment.iter_mut().zip(&other.no_segment).for_each(|(rows, more)| *rows += more);
    }

    pub(super) fn note(&self, params: &HistoryParams, notices: &mut Vec<Notice>) {
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
        for (column, &rows) in params.columns.segments.iter().zip(&self.no_segment) {
            if rows > 0 {
                notices.push(Notice::MissingSegments { column: column.clone(), rows });
            }
        }
    }
}

/// Leaves out rows with a fault and rows the reading policy sets aside.
fn keep(mut part: Part, mut bad: Vec<bool>, params: &HistoryParams) -> Result<(Part, SetAside)> {
    let mut aside = SetAside::new(params);
    let drops_refunds = params.refunds == Refunds::Drop;
    let last_day = params.observed_until.unwrap_or(Day::LAST).days_since_epoch();
    let facts = &part.facts;
    let days = facts.days.as_slice();
    let amounts = facts.amounts.as_ref().map(Cells::as_slice);
    let negative = amounts.map_or(0, |amounts| count(amounts, |amount| *amount < 0.0));
    if bad.is_empty() && count(days, |day| *day > last_day) == 0 && (negative == 0 || !drops_refunds) {
        // Nearly every block: nothing leaves.
        aside.refunds_kept = negative;
        aside.zero_amounts = amounts.map_or(0, |amounts| count(amounts, |amount| *amount == 0.0));
    } else {
        bad.resize(days.len(), false);
        for (row, bad) in bad.iter_mut().enumerate().filter(|(_, bad)| !**bad) {
            let amount = amounts.map_or(1.0, |amounts| amounts[row]);
            if days[row] > last_day {
                aside.after_observed += 1;
                *bad = true;
            } else if amount < 0.0 && drops_refunds {
                aside.refunds += 1;
                *bad = true;
            } else {
                aside.refunds_kept += u64::from(amount < 0.0);
                aside.zero_amounts += u64::from(amount == 0.0);
            }
        }
        part = Part { ids: ids_without(part.ids, &bad)?, facts: facts_without(part.facts, &bad) };
    }
    if let Some(discounts) = &mut part.facts.discounts {
        aside.no_discount = discounts.iter().filter(|discount| discount.is_nan()).count() as u64;
        discounts
            .iter_mut()
            .for_each(|discount| *discount = if discount.is_nan() { 0.0 } else { discount.abs() });
    }
    for (rows, segment) in aside.no_segment.iter_mut().zip(&part.facts.segments) {
        *rows = segment.codes.iter().filter(|&&code| code == NO_SEGMENT).count() as u64;
    }
    Ok((part, aside))
}

fn count<T>(values: &[T], of: impl Fn(&T) -> bool) -> u64 {
    values.iter().map(|value| u64::from(of(value))).sum()
}

fn ids_without(ids: RowIds, bad: &[bool]) -> Result<RowIds> {
    Ok(match ids {
        RowIds::Int(values) => RowIds::Int(Cells::Own(without(values.as_slice(), bad))),
        RowIds::Wide(values) => RowIds::Wide(without(&values, bad)),
        RowIds::Text(text) => {
            let kept = BooleanChunked::from_iter_values("kept".into(), bad.iter().map(|bad| !bad));
            RowIds::Text(guarded("leaving out rows", || text.filter(&kept))?)
        }
    })
}

fn facts_without(facts: Facts, bad: &[bool]) -> Facts {
    let segment = |segment: SegmentRows| SegmentRows { codes: without(&segment.codes, bad), ..segment };
    Facts {
        days: Cells::Own(without(facts.days.as_slice(), bad)),
        amounts: facts.amounts.map(|amounts| Cells::Own(without(amounts.as_slice(), bad))),
        discounts: facts.discounts.map(|discounts| without(&discounts, bad)),
        segments: facts.segments.into_iter().map(segment).collect(),
    }
}

fn without<T: Copy>(values: &[T], bad: &[bool]) -> Vec<T> {
    values.iter().zip(bad).filter(|(_, bad)| !**bad).map(|(value, _)| *value).collect()
}

/// Gives every block the same codes: a value's position among all values that a kept row has, in order
/// of text.
fn join_segments(parts: &mut [Part], columns: usize) -> Vec<Vec<String>> {
    let join = |column: usize| {
        let mut all: BTreeMap<String, u32> = BTreeMap::new();
        let mut used: Vec<Vec<bool>> = Vec::with_capacity(parts.len());
        for part in parts.iter_mut() {
            let segment = &mut part.facts.segments[column];
            let mut known = vec![false; segment.values.len()];
            let codes = segment.codes.iter().filter(|&&code| code != NO_SEGMENT);
            codes.for_each(|&code| known[code as usize] = true);
            for (value, _) in segment.values.iter().zip(&known).filter(|(_, known)| **known) {
                if !all.contains_key(value) {
                    all.insert(value.clone(), 0);
                }
            }
            used.push(known);
        }
        all.values_mut().zip(0..).for_each(|(code, position)| *code = position);
        parts.par_iter_mut().zip(used).for_each(|(part, used)| {
            let segment = &mut part.facts.segments[column];
            let values = std::mem::take(&mut segment.values);
            let code_of = |(value, used)| if used { all[&value] } else { NO_SEGMENT };
            let renumbered: Vec<u32> = values.into_iter().zip(used).map(code_of).collect();
            let codes = segment.codes.iter_mut().filter(|code| **code != NO_SEGMENT);
            codes.for_each(|code| *code = renumbered[*code as usize]);
        });
        all.into_keys().collect()
    };
    (0..columns).map(join).collect()
}
