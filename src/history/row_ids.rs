//! Whose is each row? Ids as they are held until customers are known.

use polars::prelude::*;

use super::cells::Cells;
use super::read::Source;
use crate::error::Result;
use crate::table::guarded;

/// The customer of each row.
pub(super) enum RowIds {
    Int(Cells<Int64Type>),
    Wide(Vec<i128>),
    Text(StringChunked),
}

impl RowIds {
    /// Integers of 64 bits; none of others.
    pub(super) fn ints(&self) -> &[i64] {
        match self {
            RowIds::Int(ids) => ids.as_slice(),
            _ => &[],
        }
    }

    /// Integers of 128 bits; none of others.
    pub(super) fn wides(&self) -> &[i128] {
        match self {
            RowIds::Wide(ids) => ids,
            _ => &[],
        }
    }

    /// Text; none of others.
    pub(super) fn texts(&self) -> Vec<&str> {
        match self {
            RowIds::Text(text) => text.iter().map(Option::unwrap_or_default).collect(),
            _ => Vec::new(),
        }
    }
}

/// How customer ids are held: as integers where every source has them, else as text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum IdKind {
    /// Integers that fit 64 bits, and the type they go out as.
    Int(DataType),
    /// Integers that need 128 bits, and the type they go out as.
    Wide(DataType),
    Text,
}

impl IdKind {
    /// What serves all sources; one without a source is text.
    pub(super) fn of(sources: &[Source], column: &str) -> Result<Self> {
        let kinds = sources.iter().map(|source| Self::of_one(source, column));
        kinds.reduce(|all, one| Ok(all?.join(one?))).unwrap_or(Ok(IdKind::Text))
    }

    fn of_one(source: &Source, column: &str) -> Result<Self> {
        let series =
            guarded("taking a column", || Ok(source.frame.column(column)?.as_materialized_series().clone()))?;
        let dtype = series.dtype().clone();
        Ok(match dtype {
            DataType::UInt64 | DataType::Int128 | DataType::UInt128 => {
                let narrow = guarded("reading integer ids", || series.cast(&DataType::Int64))?;
                let fits = narrow.null_count() == series.null_count();
                if fits { IdKind::Int(dtype) } else { IdKind::Wide(dtype) }
            }
            _ if dtype.is_integer() => IdKind::Int(dtype),
            _ => IdKind::Text,
        })
    }

    /// What serves both.
    pub(super) fn join(self, other: IdKind) -> IdKind {
        match (self, other) {
            (IdKind::Text, _) | (_, IdKind::Text) => IdKind::Text,
            (IdKind::Int(own), IdKind::Int(other)) => {
                IdKind::Int(if own == other { own } else { DataType::Int64 })
            }
            (IdKind::Int(own) | IdKind::Wide(own), IdKind::Int(other) | IdKind::Wide(other)) => {
                IdKind::Wide(if own == other { own } else { DataType::Int128 })
            }
        }
    }

    /// Ids of integers, as this kind holds them.
    pub(super) fn hold(&self, ids: RowIds) -> RowIds {
        let text = |ids: &mut dyn Iterator<Item = String>| {
            RowIds::Text(StringChunked::from_iter_values(PlSmallStr::from_static("customer_id"), ids))
        };
        match (self, ids) {
            (IdKind::Wide(_), RowIds::Int(ids)) => {
                RowIds::Wide(ids.as_slice().iter().map(|&id| i128::from(id)).collect())
            }
            (IdKind::Text, RowIds::Int(ids)) => text(&mut ids.as_slice().iter().map(ToString::to_string)),
            (IdKind::Text, RowIds::Wide(ids)) => text(&mut ids.iter().map(ToString::to_string)),
            (_, ids) => ids,
        }
    }
}
