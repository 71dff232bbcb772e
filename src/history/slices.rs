//! How is a file read that does not fit in memory? A stretch of its rows at a time.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::columns::Columns;
use super::read::{Source, checked_parquet, reason_of, take_columns};
use crate::error::{Error, Result};
use crate::table::guarded;

/// A Parquet file that is read a stretch at a time.
pub(super) struct SlicedFile {
    path: PathBuf,
    /// Where its row groups end.
    ends: Vec<usize>,
}

impl SlicedFile {
    /// Looks at the file's columns, and not yet at its rows.
    pub(super) fn open(path: &Path, columns: &Columns) -> Result<Self> {
        let mut reader = checked_parquet(path, columns)?;
        let ends = guarded("reading the metadata", || {
            let mut end = 0;
            let groups = reader.get_metadata()?.row_groups.iter();
            Ok(groups.map(|group| (end += group.num_rows(), end).1).collect())
        })
        .map_err(|error| Error::unreadable(path, reason_of(error)))?;
        Ok(SlicedFile { path: path.to_owned(), ends })
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn rows(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// All its rows in stretches of at most so many, each cut where a row group ends if one does.
    pub(super) fn stretches(&self, most: usize) -> Vec<Range<usize>> {
        let mut stretches = Vec::new();
        let mut start = 0;
        while start < self.rows() {
            let limit = start + most.max(1);
            let whole = self.ends.iter().copied().take_while(|&end| end <= limit).last();
            let end = whole.filter(|&end| end > start).unwrap_or(limit);
            stretches.push(start..end);
            start = end;
        }
        stretches
    }

    /// Some of its rows.
    pub(super) fn read(&self, rows: &Range<usize>, columns: &Columns) -> Result<Source> {
        self.read_columns(rows, columns, &columns.names())
    }

    /// Some of its rows, with their customer alone.
    pub(super) fn read_ids(&self, rows: &Range<usize>, columns: &Columns) -> Result<Source> {
        self.read_columns(rows, columns, &[columns.customer()])
    }

    fn read_columns(&self, rows: &Range<usize>, columns: &Columns, names: &[&str]) -> Result<Source> {
        // Opened again for each stretch: what was read of the file before need not stay in memory.
        let reader = checked_parquet(&self.path, columns)?.with_slice(Some((rows.start, rows.len())));
        let frame = take_columns(reader, &self.path, names)?;
        Ok(Source { name: self.name(), frame, broken: BTreeMap::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_all_rows_and_end_where_row_groups_do() {
        let file = |ends: &[usize]| SlicedFile { path: PathBuf::new(), ends: ends.to_vec() };
        assert_eq!(file(&[4, 8, 10]).stretches(8), [0..8, 8..10]);
        assert_eq!(file(&[4, 8, 10]).stretches(5), [0..4, 4..8, 8..10]);
        assert!(file(&[]).stretches(5).is_empty());
        let long = file(&[12, 13]).stretches(5);
        assert_eq!(long, [0..5, 5..10, 10..13]);
    }
}
