//! Where is a log cut? Into stretches of customer ids that hold about as many orders each.
//!
//! Stretches of ids, not hashes: one after the other, they are in order of id, and so is what comes out.

use std::ops::Range;

use polars::prelude::*;
use rayon::prelude::*;

use super::columns::Columns;
use super::row_ids::{IdKind, RowIds};
use super::slices::SlicedFile;
use super::types::as_text;
use crate::error::Result;
use crate::table::guarded;

/// How many rows are looked at in one place of the log …
const ROWS_PER_LOOK: usize = 1 << 12;
/// … and in how many places at most, at equal steps: groups come out with as many orders as wanted, give
/// or take a two hundred and fiftieth of the log, in whatever order it is.
const MOST_LOOKS: usize = 1 << 8;
/// A log of so few rows is looked at whole: every look has its price.
const FEW_ROWS: usize = 1 << 21;
/// How many ids of integers that may not fit 64 bits are read at a time.
const IDS_PER_STRETCH: usize = 1 << 22;
/// What a text id takes beside its bytes.
const TEXT_BYTES: usize = 16;

/// Ids of some rows, sorted: what groups are cut by.
#[derive(Debug)]
pub(super) enum Splitters {
    Int(Vec<i64>),
    Wide(Vec<i128>),
    Text(Vec<String>),
}

/// How the ids of a log are held, and those of a sample of its rows, ascending.
pub(super) struct IdSample {
    pub(super) kind: IdKind,
    ids: Splitters,
}

impl IdSample {
    /// Looks at the customers' column alone.
    pub(super) fn of(files: &[SlicedFile], columns: &Columns) -> Result<Self> {
        let mut kind: Option<IdKind> = None;
        let mut join = |more: IdKind| match kind.take() {
            Some(known) => kind = Some(known.join(more)),
            None => kind = Some(more),
        };
        let rows: usize = files.iter().map(SlicedFile::rows).sum();
        let (step, look) = match rows {
            ..=FEW_ROWS => (FEW_ROWS, FEW_ROWS),
            _ => (rows.div_ceil(MOST_LOOKS), ROWS_PER_LOOK),
        };
        let mut looks: Vec<Series> = Vec::new();
        for file in files {
            // A file without rows has a type, too.
            let mut source = file.read_ids(&(0..0), columns)?;
            join(IdKind::of(std::slice::from_ref(&source), columns.customer())?);
            for start in (0..file.rows()).step_by(step) {
                source = file.read_ids(&(start..file.rows().min(start + look)), columns)?;
                looks.push(ids_of(&source.frame, columns.customer())?);
            }
            if may_be_wide(&ids_of(&source.frame, columns.customer())?) {
                for rows in file.stretches(IDS_PER_STRETCH) {
                    join(IdKind::of(&[file.read_ids(&rows, columns)?], columns.customer())?);
                }
            }
        }
        let kind = kind.unwrap_or(IdKind::Text);
        Ok(IdSample { ids: Splitters::sorted(&kind, &looks)?, kind })
    }

    /// How many bytes one id takes, on average.
    pub(super) fn id_bytes(&self) -> usize {
        match &self.ids {
            Splitters::Int(_) => size_of::<i64>(),
            Splitters::Wide(_) => size_of::<i128>(),
            Splitters::Text(ids) => {
                TEXT_BYTES + ids.iter().map(String::len).sum::<usize>().div_ceil(ids.len().max(1))
            }
        }
    }

    /// Cuts the log into at most so many groups.
    pub(super) fn splitters(self, groups: usize) -> Splitters {
        match self.ids {
            Splitters::Int(ids) => Splitters::Int(quantiles(ids, groups)),
            Splitters::Wide(ids) => Splitters::Wide(quantiles(ids, groups)),
            Splitters::Text(ids) => Splitters::Text(quantiles(ids, groups)),
        }
    }
}

fn ids_of(frame: &DataFrame, column: &str) -> Result<Series> {
    guarded("taking a column", || Ok(frame.column(column)?.as_materialized_series().clone()))
}

/// Whether only the values tell if such integers fit 64 bits.
fn may_be_wide(ids: &Series) -> bool {
    matches!(ids.dtype(), DataType::UInt64 | DataType::Int128 | DataType::UInt128)
}

/// The ids at equal steps, each once.
fn quantiles<T: Ord + Clone>(ids: Vec<T>, groups: usize) -> Vec<T> {
    let mut cuts: Vec<T> =
        (1..groups).filter_map(|group| ids.get(group * ids.len() / groups).cloned()).collect();
    cuts.dedup();
    cuts
}

impl Splitters {
    fn sorted(kind: &IdKind, looks: &[Series]) -> Result<Self> {
        let cast = |series: &Series, to: DataType| guarded("reading integer ids", || series.cast(&to));
        Ok(match kind {
            IdKind::Int(_) => {
                let mut ids: Vec<i64> = Vec::new();
                for series in looks {
                    let narrow = cast(series, DataType::Int64)?;
                    ids.extend(guarded("reading integer ids", || narrow.i64().cloned())?.iter().flatten());
                }
                ids.par_sort_unstable();
                Splitters::Int(ids)
            }
            IdKind::Wide(_) => {
                let mut ids: Vec<i128> = Vec::new();
                for series in looks {
                    let wide = cast(series, DataType::Int128)?;
                    ids.extend(guarded("reading integer ids", || wide.i128().cloned())?.iter().flatten());
                }
                ids.par_sort_unstable();
                Splitters::Wide(ids)
            }
            IdKind::Text => {
                let mut ids: Vec<String> = Vec::new();
                for series in looks {
                    let text = as_text(series)?;
                    let text = guarded("reading customer ids", || text.str().cloned())?;
                    ids.extend(text.iter().flatten().map(str::to_owned));
                }
                ids.par_sort_unstable();
                Splitters::Text(ids)
            }
        })
    }

    /// How many groups they cut a log into.
    pub(super) fn groups(&self) -> usize {
        1 + match self {
            Splitters::Int(cuts) => cuts.len(),
            Splitters::Wide(cuts) => cuts.len(),
            Splitters::Text(cuts) => cuts.len(),
        }
    }

    /// Cuts a block of rows: which of them belong to each group.
    pub(super) fn cut(&self, ids: &RowIds) -> Cut {
        match self {
            Splitters::Int(cuts) => {
                Cut::new(self.groups(), ids.ints().iter().map(|id| cuts.partition_point(|cut| cut <= id)))
            }
            Splitters::Wide(cuts) => {
                Cut::new(self.groups(), ids.wides().iter().map(|id| cuts.partition_point(|cut| cut <= id)))
            }
            Splitters::Text(cuts) => {
                let texts = ids.texts().into_iter();
                Cut::new(self.groups(), texts.map(|id| cuts.partition_point(|cut| cut.as_str() <= id)))
            }
        }
    }
}

/// The rows of a block, ordered by group.
pub(super) struct Cut {
    rows: Vec<u32>,
    ends: Vec<u32>,
}

impl Cut {
    fn new(groups: usize, group_of: impl Iterator<Item = usize>) -> Self {
        let group_of: Vec<u32> = group_of.map(|group| group as u32).collect();
        let mut places = vec![0; groups];
        group_of.iter().for_each(|&group| places[group as usize] += 1);
        super::rows::starts_of(&mut places);
        let mut rows = vec![0; group_of.len()];
        for (row, &group) in (0..).zip(&group_of) {
            let place = &mut places[group as usize];
            rows[*place as usize] = row;
            *place += 1;
        }
        Cut { rows, ends: places }
    }

    /// The rows of a group, in the order they were read.
    pub(super) fn of_group(&self, group: usize) -> &[u32] {
        let start = group.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range: Range<usize> = start as usize..self.ends[group] as usize;
        &self.rows[range]
    }
}
