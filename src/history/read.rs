//! What stands in the file? Orders tables, with only the columns that were named.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::columns::Columns;
use super::params::HistoryParams;
use super::types::Role;
use crate::error::{Error, FaultKind, Result, shown};
use crate::table::{PANICKED, guarded};

/// One file or frame as it was found: the named columns, nothing converted yet.
pub(crate) struct Source {
    /// The file's name; empty for a frame.
    pub(crate) name: String,
    /// The named columns.
    pub(crate) frame: DataFrame,
    /// Rows that could not even be taken apart, with what was found. Their fields are null.
    pub(crate) broken: BTreeMap<usize, (FaultKind, String)>,
}

impl Source {
    pub(super) fn rows(&self) -> usize {
        self.frame.height()
    }

    pub(crate) fn from_frame(frame: &DataFrame, columns: &Columns) -> Result<Self> {
        Self::frame_with(frame, &all_of(columns))
    }

    /// The chosen columns of a frame.
    pub(super) fn frame_with(frame: &DataFrame, choose: &Choose) -> Result<Self> {
        let found: Vec<String> = frame.get_column_names().into_iter().map(ToString::to_string).collect();
        let chosen = choose("frame", &found, "")?;
        check_types("frame", &chosen, &frame.schema().clone())?;
        let frame = guarded("selecting the named columns", || frame.select(names_of(&chosen)))?;
        Ok(Source { name: String::new(), frame, broken: BTreeMap::new() })
    }

    pub(crate) fn from_lazy(frame: LazyFrame, columns: &Columns) -> Result<Self> {
        let schema = guarded("reading the query's columns", || frame.clone().collect_schema())?;
        let found: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
        let chosen = all_of(columns)("query", &found, "")?;
        check_types("query", &chosen, &schema)?;
        let selected: Vec<Expr> = columns.names().into_iter().map(|name| Expr::Column(name.into())).collect();
        let frame = guarded("running the query", || frame.select(selected).collect())?;
        Ok(Source { name: String::new(), frame, broken: BTreeMap::new() })
    }

    pub(crate) fn from_parquet(path: &Path, columns: &Columns) -> Result<Self> {
        Self::parquet_with(path, &all_of(columns))
    }

    /// The chosen columns of a Parquet file.
    pub(super) fn parquet_with(path: &Path, choose: &Choose) -> Result<Self> {
        let (reader, chosen) = checked_with(path, choose)?;
        Ok(Source {
            name: path.display().to_string(),
            frame: take_columns(reader, path, &names_of(&chosen))?,
            broken: BTreeMap::new(),
        })
    }

    /// Reads a CSV file: every named column as text, so that nothing is guessed.
    pub(crate) fn from_csv(path: &Path, params: &HistoryParams) -> Result<Self> {
        Self::csv_with(path, params.separator, &all_of(&params.columns))
    }

    /// The chosen columns of a CSV file, as text.
    pub(super) fn csv_with(path: &Path, separator: u8, choose: &Choose) -> Result<Self> {
        let origin = path.display().to_string();
        let file = open_csv(path)?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .flexible(true)
            .buffer_capacity(CSV_BUFFER_BYTES)
            .from_reader(file);
        let header = reader.byte_headers().map_err(|error| Error::unreadable(path, error))?.clone();
        let found: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        let chosen = choose(&origin, &found, &separator_advice(&found, separator))?;
        let names = names_of(&chosen);
        let positions: Vec<usize> =
            names.iter().filter_map(|name| found.iter().position(|candidate| candidate == name)).collect();

        let mut builders: Vec<StringChunkedBuilder> =
            names.iter().map(|name| StringChunkedBuilder::new(PlSmallStr::from_str(name), 0)).collect();
        let mut broken = BTreeMap::new();
        let mut record = csv::ByteRecord::new();
        let mut row = 0;
        let mut last = None;
        while reader.read_byte_record(&mut record).map_err(|error| Error::unreadable(path, error))? {
            let fields = take_fields(&record, &positions, found.len());
            match fields {
                Ok(fields) => {
                    for (builder, field) in builders.iter_mut().zip(fields) {
                        builder.append_option((!field.is_empty()).then_some(field));
                    }
                }
                Err(fault) => {
                    builders.iter_mut().for_each(StringChunkedBuilder::append_null);
                    broken.insert(row, fault);
                }
            }
            last = record.position().map(csv::Position::byte);
            row += 1;
        }
        if let Some(start) = last
            && ends_within_quotes(path, start, separator).map_err(|error| Error::unreadable(path, error))?
        {
            let reason = format!(
                "the quote that opens in row {row} is never closed; close it, or double it inside a quoted field"
            );
            return Err(Error::unreadable(path, reason));
        }
        let frame = crate::table::frame(
            builders.into_iter().map(|builder| builder.finish().into_column()).collect(),
        )?;
        Ok(Source { name: origin, frame, broken })
    }
}

/// Columns to take, and as what.
pub(super) type Chosen = Vec<(String, Role)>;

/// What chooses them: given where they stand, the columns found there, and what to advise
/// where one is missing.
pub(super) type Choose<'a> = dyn Fn(&str, &[String], &str) -> Result<Chosen> + 'a;

/// Takes all named columns; each must be there.
fn all_of(columns: &Columns) -> impl Fn(&str, &[String], &str) -> Result<Chosen> {
    |origin, found, advice| {
        require(origin, &columns.names(), found, advice)?;
        Ok(columns.roles().into_iter().map(|(name, role)| (name.to_owned(), role)).collect())
    }
}

fn names_of(chosen: &[(String, Role)]) -> Vec<&str> {
    chosen.iter().map(|(name, _)| name.as_str()).collect()
}

/// Opens a Parquet file that has the named columns, of types that can serve.
pub(super) fn checked_parquet(path: &Path, columns: &Columns) -> Result<ParquetReader<File>> {
    checked_with(path, &all_of(columns)).map(|(reader, _)| reader)
}

fn checked_with(path: &Path, choose: &Choose) -> Result<(ParquetReader<File>, Chosen)> {
    let origin = path.display().to_string();
    let mut reader = ParquetReader::new(open_parquet(path)?);
    let schema = guarded("reading the schema", || reader.schema())
        .map_err(|error| Error::unreadable(path, reason_of(error)))?;
    let found: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
    let chosen = choose(&origin, &found, "")?;
    for (name, role) in &chosen {
        if let Some(field) = schema.get(name) {
            role.check_arrow(&origin, field)?;
        }
    }
    Ok((reader, chosen))
}

/// What a Parquet file holds of these columns, in their order.
pub(super) fn take_columns(reader: ParquetReader<File>, path: &Path, names: &[&str]) -> Result<DataFrame> {
    let owned: Vec<String> = names.iter().map(ToString::to_string).collect();
    guarded("reading Parquet", || reader.with_columns(Some(owned)).finish())
        .and_then(|frame| guarded("ordering the columns", || frame.select(names.iter().copied())))
        .map_err(|error| Error::unreadable(path, reason_of(error)))
}

const CSV_BUFFER_BYTES: usize = 1 << 20;

/// The columns of a CSV file, in order.
pub(crate) fn csv_columns(path: &Path, separator: u8) -> Result<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(open_csv(path)?);
    let header = reader.byte_headers().map_err(|error| Error::unreadable(path, error))?;
    Ok(header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect())
}

/// The columns of a Parquet file, in order.
pub(crate) fn parquet_columns(path: &Path) -> Result<Vec<String>> {
    let mut reader = ParquetReader::new(open_parquet(path)?);
    let schema = guarded("reading the schema", || reader.schema())
        .map_err(|error| Error::unreadable(path, reason_of(error)))?;
    Ok(schema.iter_names().map(ToString::to_string).collect())
}

/// The named fields of a line as text, or why they cannot be had.
fn take_fields<'a>(
    record: &'a csv::ByteRecord,
    positions: &[usize],
    width: usize,
) -> std::result::Result<Vec<&'a str>, (FaultKind, String)> {
    if record.len() != width {
        return Err((FaultKind::WrongFieldCount, format!("{} fields instead of {width}", record.len())));
    }
    positions
        .iter()
        .map(|&position| {
            std::str::from_utf8(&record[position])
                .map_err(|_| (FaultKind::NotUtf8, shown(&String::from_utf8_lossy(&record[position]))))
        })
        .collect()
}

/// Whether the file's last record, which starts at that byte, ends within quotes: then a line put
/// after it does not become a record of its own.
fn ends_within_quotes(path: &Path, start: u64, separator: u8) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    // What is no file, such as a pipe, can be read only once.
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    tail.extend(b"\nx");
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(tail.as_slice());
    Ok(reader.byte_records().count() < 2)
}

fn check_types(origin: &str, chosen: &[(String, Role)], schema: &Schema) -> Result<()> {
    chosen.iter().try_for_each(|(name, role)| match schema.get(name) {
        Some(dtype) => role.check(origin, name, dtype),
        None => Ok(()),
    })
}

/// Refuses a table that lacks a named column, or has it twice.
pub(super) fn require(origin: &str, names: &[&str], found: &[String], advice: &str) -> Result<()> {
    let times = |name: &str| found.iter().filter(|candidate| *candidate == name).count();
    let missing: Vec<String> =
        names.iter().filter(|name| times(name) == 0).map(|name| (*name).to_owned()).collect();
    if found.iter().all(String::is_empty) {
        return Err(Error::unreadable(
            Path::new(origin),
            "it is empty; expected a line of column names and rows below it",
        ));
    }
    if !missing.is_empty() {
        return Err(Error::MissingColumns {
            origin: origin.to_owned(),
            missing,
            found: found.to_vec(),
            advice: advice.to_owned(),
        });
    }
    match names.iter().find(|name| times(name) > 1) {
        Some(column) => Err(Error::DuplicateColumn {
            origin: origin.to_owned(),
            column: (*column).to_owned(),
            times: times(column),
        }),
        None => Ok(()),
    }
}

/// A header that came out as one column was probably cut at the wrong character.
fn separator_advice(found: &[String], separator: u8) -> String {
    let [only] = found else { return String::new() };
    [(';', "semicolon"), ('\t', "tab"), (',', "comma"), ('|', "bar")]
        .into_iter()
        .find(|&(candidate, _)| candidate as u32 != u32::from(separator) && only.contains(candidate))
        .map_or_else(String::new, |(candidate, name)| {
            format!("; the header holds a {name}: try {candidate:?} as the separator")
        })
}

fn open(path: &Path) -> Result<File> {
    if path.is_dir() {
        return Err(Error::unreadable(
            path,
            "it is a folder; name its files, or use a pattern such as folder/*.csv",
        ));
    }
    File::open(path).map_err(|error| Error::unreadable(path, error))
}

/// How many bytes tell what kind of file this is.
const HEAD_BYTES: u64 = 5;

/// Opens what should be CSV, and refuses what cannot be.
fn open_csv(path: &Path) -> Result<impl Read> {
    let (head, file) = open_with_head(path)?;
    match not_csv(&head) {
        Some(reason) => Err(Error::unreadable(path, reason)),
        // A pipe gives its first bytes only once.
        None => Ok(Cursor::new(head).chain(file)),
    }
}

/// Opens what should be Parquet, and refuses what cannot be.
pub(super) fn open_parquet(path: &Path) -> Result<File> {
    let (head, mut file) = open_with_head(path)?;
    // An encrypted file is Parquet too, and polars says what it thinks of it.
    if !head.starts_with(PARQUET_MARK) && !head.starts_with(b"PARE") {
        return Err(Error::unreadable(path, "this is not a Parquet file"));
    }
    file.rewind().map_err(|error| Error::unreadable(path, error))?;
    Ok(file)
}

fn open_with_head(path: &Path) -> Result<(Vec<u8>, File)> {
    let mut file = open(path)?;
    let mut head = Vec::new();
    file.by_ref().take(HEAD_BYTES).read_to_end(&mut head).map_err(|error| Error::unreadable(path, error))?;
    Ok((head, file))
}

const PARQUET_MARK: &[u8] = b"PAR1";

/// What a file with these first bytes is, where it cannot be CSV, and what to do.
fn not_csv(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [1..=0xff, 0, ..] | [0, 1..=0xff, ..] => {
            Some("this is UTF-16 text; save it as UTF-8")
        }
        [0x1f, 0x8b, ..] => Some("this is gzip-compressed; unpack it first"),
        [b'P', b'K', 3, 4, ..] => {
            Some("this is a zip archive or a spreadsheet; unpack it, or save it as CSV")
        }
        // Not a header that starts with these letters: no text comes next.
        [mark @ .., 0x15] if mark == PARQUET_MARK => Some("this is a Parquet file; read it as Parquet"),
        _ => None,
    }
}

/// What polars said, without the words of the step.
pub(super) fn reason_of(error: Error) -> String {
    match error {
        // It checks a damaged file's own counts by asserting them.
        Error::Table { reason, .. } => match reason.strip_prefix(PANICKED) {
            Some(said) => format!("it is damaged: {}", said.lines().next().unwrap_or_default()),
            None => reason,
        },
        other => other.to_string(),
    }
}

/// The files that paths and patterns lead to: as given, a pattern's matches in order of name.
pub(crate) fn expand<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        if path.exists() {
            files.push(path.to_owned());
            continue;
        }
        let missing = || Error::NoSuchFile { path: path.to_owned() };
        let pattern = path.to_str().filter(|text| text.contains(['*', '?', '['])).ok_or_else(missing)?;
        let matches = glob::glob(pattern).map_err(|error| Error::unreadable(path, error))?;
        let before = files.len();
        for found in matches {
            files.push(found.map_err(|error| Error::unreadable(path, error))?);
        }
        if files.len() == before {
            return Err(missing());
        }
    }
    if files.is_empty() { Err(Error::parameter("paths", "empty", "at least one file")) } else { Ok(files) }
}
