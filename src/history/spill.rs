//! Where do rows wait until their customers are looked at? In temporary files, one per group of customers.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;
use rayon::prelude::*;

use super::cells::Cells;
use super::check::{CleanRows, ROWS_PER_BLOCK};
use super::convert::{Facts, NO_SEGMENT, Part, SegmentRows};
use super::read::{open_parquet, reason_of};
use super::row_ids::{IdKind, RowIds};
use super::rows::Shape;
use super::splitters::{Cut, Splitters};
use crate::error::{Error, Result};
use crate::table::guarded;

/// A folder of our own, removed with all that is in it.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes one in that folder.
    pub(super) fn new_in(parent: &Path) -> Result<Self> {
        let name = |number: u32| parent.join(format!("winback-{}-{number}", std::process::id()));
        // Others of this process, and what a process of this number left behind, have taken names.
        for folder in (0..u32::MAX).map(name) {
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(Folder(folder)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unwritable(&folder, error)),
            }
        }
        Err(unwritable(parent, "no name is free"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing that a caller waits for depends on it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn unwritable(path: &Path, reason: impl ToString) -> Error {
    Error::Unwritable { path: path.to_owned(), reason: reason.to_string() }
}

/// Files in the making.
pub(super) struct Spill {
    folder: Folder,
    splitters: Splitters,
    kind: IdKind,
    shape: Shape,
    files: Vec<GroupFile>,
    /// Per segment column the code of each value, in order of appearance.
    codes: Vec<HashMap<String, u32>>,
}

/// The rows of one group of customers.
struct GroupFile {
    path: PathBuf,
    rows: u64,
    /// Opened with the first row.
    writer: Option<BatchedWriter<BufWriter<File>>>,
}

/// A log's rows on disk, group by group in order of id.
#[derive(Debug)]
pub(super) struct Spilled {
    /// Removed with the last of its users.
    _folder: Folder,
    kind: IdKind,
    shape: Shape,
    groups: Vec<PathBuf>,
    /// Per segment column what each code on disk is in order of text.
    recoded: Vec<Vec<u32>>,
}

impl Spill {
    pub(super) fn new(folder: Folder, splitters: Splitters, kind: IdKind, shape: Shape) -> Self {
        let path = |group: usize| folder.0.join(format!("group-{group:04}.parquet"));
        let files = (0..splitters.groups()).map(path);
        let files = files.map(|path| GroupFile { path, rows: 0, writer: None }).collect();
        Spill { folder, splitters, kind, shape, files, codes: vec![HashMap::new(); shape.segments] }
    }

    pub(super) fn kind(&self) -> &IdKind {
        &self.kind
    }

    /// Writes some rows, each to its group.
    pub(super) fn take(&mut self, mut clean: CleanRows) -> Result<()> {
        self.recode(&mut clean);
        let Spill { splitters, kind, shape, files, .. } = self;
        let cuts: Vec<Cut> = clean.parts.par_iter().map(|part| splitters.cut(&part.ids)).collect();
        let rows = GroupedRows { parts: &clean.parts, cuts: &cuts, texts: texts_of(&clean.parts) };
        files.par_iter_mut().enumerate().try_for_each(|(group, file)| match rows.count(group) {
            0 => Ok(()),
            more => {
                file.rows += more;
                file.write(&rows.frame(group, kind, *shape)?)
            }
        })
    }

    /// Gives every value the code that it has in the files.
    fn recode(&mut self, clean: &mut CleanRows) {
        for (column, (known, values)) in self.codes.iter_mut().zip(&clean.segment_values).enumerate() {
            let codes: Vec<u32> = values
                .iter()
                .map(|value| {
                    let next = known.len() as u32;
                    *known.entry(value.clone()).or_insert(next)
                })
                .collect();
            let parts = clean.parts.iter_mut().flat_map(|part| &mut part.facts.segments[column].codes);
            parts.filter(|code| **code != NO_SEGMENT).for_each(|code| *code = codes[*code as usize]);
        }
    }

    /// Closes the files; and the segment values in order of text.
    pub(super) fn finish(self) -> Result<(Spilled, Vec<Vec<String>>)> {
        let Spill { folder, kind, shape, files, codes, .. } = self;
        let mut groups = Vec::with_capacity(files.len());
        for file in files.into_iter().filter(|file| file.rows > 0) {
            if let Some(writer) = file.writer {
                guarded("finishing a temporary file", || writer.finish())
                    .map_err(|error| unwritable(&file.path, reason_of(error)))?;
            }
            groups.push(file.path);
        }
        let (segment_values, recoded) = codes.into_iter().map(in_order_of_text).unzip();
        Ok((Spilled { _folder: folder, kind, shape, groups, recoded }, segment_values))
    }
}

/// The values in order of text, and the position in it of each code.
fn in_order_of_text(codes: HashMap<String, u32>) -> (Vec<String>, Vec<u32>) {
    let mut values: Vec<(String, u32)> = codes.into_iter().collect();
    values.sort_unstable();
    let mut recoded = vec![0; values.len()];
    (0..).zip(&values).for_each(|(position, &(_, code))| recoded[code as usize] = position);
    (values.into_iter().map(|(value, _)| value).collect(), recoded)
}

impl GroupFile {
    fn write(&mut self, frame: &DataFrame) -> Result<()> {
        let failed = |error: Error| unwritable(&self.path, reason_of(error));
        let writer = match &mut self.writer {
            Some(writer) => writer,
            empty => {
                let file = File::create(&self.path).map_err(|error| unwritable(&self.path, error))?;
                // Read once or twice and then removed: not worth compressing. Groups are written side by side,
                // and so columns need not be.
                let writer = guarded("beginning a temporary file", || {
                    ParquetWriter::new(BufWriter::new(file))
                        .with_compression(ParquetCompression::Uncompressed)
                        .with_statistics(StatisticsOptions::empty())
                        .set_parallel(false)
                        .batched(frame.schema())
                });
                empty.insert(writer.map_err(failed)?)
            }
        };
        guarded("writing a temporary file", || writer.write_batch(frame)).map_err(failed)
    }
}

/// Blocks of rows, cut by group.
struct GroupedRows<'a> {
    parts: &'a [Part],
    cuts: &'a [Cut],
    /// Per block its ids that are text.
    texts: Vec<Vec<&'a str>>,
}

fn texts_of(parts: &[Part]) -> Vec<Vec<&str>> {
    parts.par_iter().map(|part| part.ids.texts()).collect()
}

const CUSTOMER: &str = "customer";
const DAY: &str = "day";
const AMOUNT: &str = "amount";
const DISCOUNT: &str = "discount";

fn segment_name(column: usize) -> String {
    format!("segment {column}")
}

impl GroupedRows<'_> {
    fn count(&self, group: usize) -> u64 {
        self.cuts.iter().map(|cut| cut.of_group(group).len() as u64).sum()
    }

    /// One group's values of a column, given block by block.
    fn gather<'a, T: Copy + 'a>(&'a self, group: usize, of: impl Fn(usize, &'a Part) -> &'a [T]) -> Vec<T> {
        let mut all = Vec::with_capacity(self.count(group) as usize);
        for (block, (part, cut)) in self.parts.iter().zip(self.cuts).enumerate() {
            let values = of(block, part);
            all.extend(cut.of_group(group).iter().map(|&row| values[row as usize]));
        }
        all
    }

    fn frame(&self, group: usize, kind: &IdKind, shape: Shape) -> Result<DataFrame> {
        let ids = match kind {
            IdKind::Int(_) => {
                let ids = self.gather(group, |_, part| part.ids.ints());
                Int64Chunked::from_vec(CUSTOMER.into(), ids).into_column()
            }
            IdKind::Wide(_) => {
                let ids = self.gather(group, |_, part| part.ids.wides());
                Int128Chunked::from_vec(CUSTOMER.into(), ids).into_column()
            }
            IdKind::Text => {
                let ids = self.gather(group, |block, _| self.texts[block].as_slice());
                StringChunked::from_iter_values(CUSTOMER.into(), ids.into_iter()).into_column()
            }
        };
        let days = self.gather(group, |_, part| part.facts.days.as_slice());
        let mut columns = vec![ids, Int32Chunked::from_vec(DAY.into(), days).into_column()];
        let floats = |name: &str, values| Float64Chunked::from_vec(name.into(), values).into_column();
        if shape.has_amount {
            columns.push(floats(AMOUNT, self.gather(group, |_, part| amounts_of(part))));
        }
        if shape.has_discount {
            columns.push(floats(DISCOUNT, self.gather(group, |_, part| discounts_of(part))));
        }
        for column in 0..shape.segments {
            let codes = self.gather(group, |_, part| part.facts.segments[column].codes.as_slice());
            columns.push(UInt32Chunked::from_vec(segment_name(column).into(), codes).into_column());
        }
        crate::table::frame(columns)
    }
}

fn amounts_of(part: &Part) -> &[f64] {
    part.facts.amounts.as_ref().map(Cells::as_slice).unwrap_or_default()
}

fn discounts_of(part: &Part) -> &[f64] {
    part.facts.discounts.as_deref().unwrap_or_default()
}

impl Spilled {
    pub(super) fn kind(&self) -> &IdKind {
        &self.kind
    }

    pub(super) fn groups(&self) -> usize {
        self.groups.len()
    }

    /// The rows of a group, in the order they were read.
    pub(super) fn read(&self, group: usize) -> Result<Vec<Part>> {
        let path = &self.groups[group];
        let unreadable = |error: Error| Error::unreadable(path, reason_of(error));
        let reader = ParquetReader::new(open_parquet(path)?);
        let frame = guarded("reading a temporary file", || reader.finish()).map_err(unreadable)?;
        let starts: Vec<usize> = (0..frame.height()).step_by(ROWS_PER_BLOCK).collect();
        let blocks = starts.into_par_iter().map(|start| frame.slice(start as i64, ROWS_PER_BLOCK));
        blocks.map(|block| self.part(&block)).collect::<Result<_>>().map_err(unreadable)
    }

    fn part(&self, block: &DataFrame) -> Result<Part> {
        guarded("reading a temporary file", || {
            let series =
                |name: &str| PolarsResult::Ok(block.column(name)?.as_materialized_series().rechunk());
            let floats = |name: &str| PolarsResult::Ok(Cells::new(series(name)?.f64()?.clone()));
            let ids = series(CUSTOMER)?;
            let ids = match self.kind {
                IdKind::Int(_) => RowIds::Int(Cells::new(ids.i64()?.clone())),
                IdKind::Wide(_) => RowIds::Wide(ids.i128()?.iter().map(Option::unwrap_or_default).collect()),
                IdKind::Text => RowIds::Text(ids.str()?.clone()),
            };
            let mut segments = Vec::with_capacity(self.shape.segments);
            for (column, recoded) in self.recoded.iter().enumerate() {
                let codes = series(&segment_name(column))?;
                let code = |code: u32| recoded.get(code as usize).copied().unwrap_or(NO_SEGMENT);
                let codes = codes.u32()?.iter().map(|found| found.map_or(NO_SEGMENT, code)).collect();
                segments.push(SegmentRows { values: Vec::new(), codes });
            }
            let facts = Facts {
                days: Cells::new(series(DAY)?.i32()?.clone()),
                amounts: if self.shape.has_amount { Some(floats(AMOUNT)?) } else { None },
                discounts: if self.shape.has_discount { Some(floats(DISCOUNT)?.into_vec()) } else { None },
                segments,
            };
            Ok(Part { ids, facts })
        })
    }
}
