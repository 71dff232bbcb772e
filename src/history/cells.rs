//! What values does a column hold? Its own buffer where that can serve as it is, else a copy.

use polars::prelude::*;

/// The values of a column without nulls.
pub(super) enum Cells<T: PolarsNumericType> {
    Shared(ChunkedArray<T>),
    Own(Vec<T::Native>),
}

impl<T: PolarsNumericType> Cells<T> {
    /// Nulls become 0.
    pub(super) fn new(column: ChunkedArray<T>) -> Self {
        match column.cont_slice() {
            Ok(_) => Cells::Shared(column),
            Err(_) => Cells::Own(column.iter().map(Option::unwrap_or_default).collect()),
        }
    }

    pub(super) fn as_slice(&self) -> &[T::Native] {
        match self {
            // Only what lies in one piece is shared.
            Cells::Shared(column) => column.cont_slice().unwrap_or_default(),
            Cells::Own(values) => values,
        }
    }

    pub(super) fn into_vec(self) -> Vec<T::Native> {
        match self {
            Cells::Shared(column) => column.cont_slice().unwrap_or_default().to_vec(),
            Cells::Own(values) => values,
        }
    }
}
