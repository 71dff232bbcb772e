//! What history do bare arrays make? The kernel of grouping by itself, for benches and instruction counts.

use std::sync::{Arc, OnceLock};

use polars::prelude::DataType;

use super::History;
use super::cells::Cells;
use super::check::{ROWS_PER_BLOCK, SetAside, Span};
use super::columns::Columns;
use super::convert::{Facts, Part};
use super::group::group_parts;
use super::row_ids::{IdKind, RowIds};
use crate::error::InputReport;

impl History {
    /// Groups rows that are taken to be clean; nothing is checked or noted. `None` without rows.
    pub(crate) fn from_slices(ids: &[i64], days: &[i32], amounts: &[f64]) -> Option<Self> {
        let params = History::params(Columns::new("customer_id", "ordered_on").with_amount("amount"));
        let span = Span::of(days)?;
        let blocks = ids.chunks(ROWS_PER_BLOCK).zip(days.chunks(ROWS_PER_BLOCK));
        let parts = blocks.zip(amounts.chunks(ROWS_PER_BLOCK)).map(|((ids, days), amounts)| Part {
            ids: RowIds::Int(Cells::Own(ids.to_vec())),
            facts: Facts {
                days: Cells::Own(days.to_vec()),
                amounts: Some(Cells::Own(amounts.to_vec())),
                discounts: None,
                segments: Vec::new(),
            },
        });
        let (ids, places, partitions) =
            group_parts(parts.collect(), IdKind::Int(DataType::Int64), params.shape());
        Some(History {
            params,
            ids: Arc::new(ids),
            places,
            partitions: partitions.into_iter().map(Arc::new).collect(),
            segment_values: Arc::default(),
            span,
            aside: SetAside::default(),
            report: InputReport::default(),
            fingerprint: OnceLock::new(),
        })
    }
}
