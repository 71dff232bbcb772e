//! How do tables cross into polars and onto disk?
//!
//! polars is called through one guard, so that a panic inside it comes out as an error. Files are
//! written whole or not at all: to a temporary neighbour first, then renamed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::*;

use crate::error::{Error, Result};

/// What an error begins with that was a panic.
pub(crate) const PANICKED: &str = "polars panicked: ";

/// Runs a piece of polars work; its errors and its panics become [`Error::Table`].
pub(crate) fn guarded<T>(doing: &'static str, work: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| Error::table(doing, error)),
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(Error::table(doing, format!("{PANICKED}{said}")))
        }
    }
}

/// A frame of columns of one length.
pub(crate) fn frame(columns: Vec<Column>) -> Result<DataFrame> {
    guarded("building a table", || DataFrame::new_infer_height(columns))
}

/// A float column in which NaN stands for null.
pub(crate) fn nullable_floats(name: &str, values: impl IntoIterator<Item = f64>) -> Column {
    // A vector passes through as it is.
    let values: Vec<f64> = values.into_iter().collect();
    let validity = values.iter().any(|value| value.is_nan()).then(|| {
        BooleanChunked::from_iter_values("known".into(), values.iter().map(|value| !value.is_nan()))
    });
    // Made in one go, and so one piece.
    let validity = validity.and_then(|known| Some(known.downcast_iter().next()?.values().clone()));
    Float64Chunked::from_vec_validity(name.into(), values, validity).into_column()
}

/// A date column.
pub(crate) fn dates(name: &str, days: impl IntoIterator<Item = crate::day::Day>) -> Column {
    let days: Vec<i32> = days.into_iter().map(crate::day::Day::days_since_epoch).collect();
    Int32Chunked::from_vec(name.into(), days).into_date().into_column()
}

/// A date column with gaps.
pub(crate) fn nullable_dates(name: &str, days: impl IntoIterator<Item = Option<crate::day::Day>>) -> Column {
    let days = days.into_iter().map(|day| day.map(crate::day::Day::days_since_epoch));
    Int32Chunked::from_iter_options(name.into(), days).into_date().into_column()
}

/// Writes a frame as CSV or Parquet (zstd), by the ending of its name, whole or not at all.
///
/// Floats are written with the fewest digits that read back as the same number; null is an empty
/// field.
///
/// # Errors
/// [`Error::Parameter`] where the name ends neither in `.csv` nor in `.parquet`;
/// [`Error::Unwritable`] where the file cannot be written, in which case an older one is unchanged.
pub fn write(frame: &DataFrame, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    match Format::of(path)? {
        Format::Csv => write_whole(path, |file| write_csv(frame, file)),
        Format::Parquet => write_whole(path, |file| {
            let mut frame = frame.clone();
            guarded("writing Parquet", || ParquetWriter::new(file).finish(&mut frame))
                .map(drop)
                .map_err(|error| error.to_string())
        }),
    }
}

/// As [`write()`], where a column holds customer ids: in CSV, an id of text that is no number and begins with `=`, `+`, `-`,
/// `@` or `'` gets a `'` before it, so that no spreadsheet runs it. Whoever reads such a file takes one `'` off. In Parquet
/// ids stand as they are.
///
/// # Errors
/// As [`write()`].
pub fn write_with_ids(frame: &DataFrame, ids: &str, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let column = match (Format::of(path)?, frame.column(ids)) {
        (Format::Csv, Ok(column)) if *column.dtype() == DataType::String => column,
        _ => return write(frame, path),
    };
    let guarded = guarded("writing ids", || {
        let texts = column.str()?.iter().map(|id| id.map(guarded_id)).collect::<Vec<_>>();
        let mut frame = frame.clone();
        frame.with_column(Column::new(ids.into(), texts))?;
        Ok(frame)
    })?;
    write(&guarded, path)
}

/// The id as it is written in CSV.
fn guarded_id(id: &str) -> std::borrow::Cow<'_, str> {
    match id.starts_with(['=', '+', '-', '@', '\'']) && id.parse::<f64>().is_err() {
        true => format!("'{id}").into(),
        false => id.into(),
    }
}

/// The id behind what is written in CSV: one `'` less, where it begins with one.
pub(crate) fn unguarded_id(id: &str) -> &str {
    id.strip_prefix('\'').unwrap_or(id)
}

/// Writes one Parquet file (zstd) piece by piece, whole or not at all; `fill` is given what writes a frame,
/// all of one schema. Its error is the error.
pub(crate) fn write_pieces(
    path: &Path,
    fill: impl FnOnce(&mut dyn FnMut(&DataFrame) -> Result<()>) -> Result<()>,
) -> Result<()> {
    let unwritable = |error: Error| Error::Unwritable { path: path.to_owned(), reason: error.to_string() };
    let mut failed = None;
    let written = write_whole(path, |file| {
        let mut file = Some(file);
        let mut writer = None;
        let mut write = |frame: &DataFrame| -> Result<()> {
            if let Some(file) = file.take() {
                let begun = guarded("writing Parquet", || ParquetWriter::new(file).batched(frame.schema()));
                writer = Some(begun.map_err(unwritable)?);
            }
            let Some(writer) = &mut writer else { return Ok(()) };
            guarded("writing Parquet", || writer.write_batch(frame)).map_err(unwritable)
        };
        let filled = fill(&mut write).and_then(|()| match &writer {
            Some(writer) => guarded("writing Parquet", || writer.finish()).map(drop).map_err(unwritable),
            None => Ok(()),
        });
        filled.map_err(|error| {
            failed = Some(error);
            String::new()
        })
    });
    match failed {
        Some(error) => Err(error),
        None => written,
    }
}

/// Refuses a name that does not end in `.parquet`, and a file with no folder to be put in.
pub(crate) fn check_parquet(path: &Path) -> Result<()> {
    match Format::of(path) {
        Ok(Format::Parquet) => check_place(path),
        _ => Err(Error::parameter("output file", path.display(), "a name that ends in .parquet")),
    }
}

/// Whether a table could be written there, as far as can be told before there is one: the ending of
/// the name, and a folder to put it in.
///
/// # Errors
/// As [`write()`].
pub fn check_writable(path: impl AsRef<Path>) -> Result<()> {
    Format::of(path.as_ref())?;
    check_place(path)
}

/// Refuses an output that is one of the inputs.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn check_apart<P: AsRef<Path>>(
    output: impl AsRef<Path>,
    inputs: impl IntoIterator<Item = P>,
) -> Result<()> {
    let output = output.as_ref();
    let Ok(place) = fs::canonicalize(output) else { return Ok(()) };
    match inputs.into_iter().any(|input| fs::canonicalize(input).is_ok_and(|input| input == place)) {
        true => {
            Err(Error::Unwritable { path: output.to_owned(), reason: "it is one of the inputs".to_owned() })
        }
        false => Ok(()),
    }
}

/// Whether there is a folder for the file, and no folder in its place.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn check_place(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let unwritable = |reason: &str| Error::Unwritable { path: path.to_owned(), reason: reason.to_owned() };
    if path.is_dir() {
        return Err(unwritable("it is a folder"));
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(unwritable("its folder does not exist"))
        }
        _ => Ok(()),
    }
}

enum Format {
    Csv,
    Parquet,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(ending) if ending.eq_ignore_ascii_case("csv") => Ok(Format::Csv),
            Some(ending) if ending.eq_ignore_ascii_case("parquet") => Ok(Format::Parquet),
            _ => Err(Error::parameter("output file", path.display(), "a name that ends in .csv or .parquet")),
        }
    }
}

/// Writes a value as JSON, whole or not at all.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn write_json(value: &impl serde::Serialize, path: impl AsRef<Path>) -> Result<()> {
    write_whole(path.as_ref(), |file| {
        serde_json::to_writer_pretty(&mut *file, value).map_err(|error| error.to_string())?;
        file.write_all(b"\n").map_err(|error| error.to_string())
    })
}

/// Writes a text, such as a page or an SVG document, whole or not at all.
///
/// # Errors
/// [`Error::Unwritable`].
pub fn write_text(text: &str, path: impl AsRef<Path>) -> Result<()> {
    write_whole(path.as_ref(), |file| file.write_all(text.as_bytes()).map_err(|error| error.to_string()))
}

/// Writes a file through a temporary neighbour, so that it appears whole or not at all.
pub(crate) fn write_whole(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::result::Result<(), String>,
) -> Result<()> {
    let unwritable = |reason: String| Error::Unwritable { path: path.to_owned(), reason };
    check_place(path)?;
    // A link stays a link: what it leads to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let into = |file: File| -> std::result::Result<File, String> {
        let mut writer = BufWriter::new(file);
        fill(&mut writer)?;
        writer.into_inner().map_err(|error| error.to_string())
    };
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        // A device or a pipe cannot be replaced, only written to.
        let written =
            File::options().write(true).open(&target).map_err(|error| error.to_string()).and_then(into);
        return written.map(drop).map_err(unwritable);
    }
    // Renaming asks the folder for leave, not the file: what its owner protected would be gone without a word.
    let permissions = fs::metadata(&target).ok().map(|found| found.permissions());
    if permissions.as_ref().is_some_and(fs::Permissions::readonly) {
        return Err(unwritable("it is protected against writing".to_owned()));
    }
    let temporary = temporary_neighbour(&target);
    let written = File::create(&temporary).map_err(|error| error.to_string()).and_then(|file| {
        into(file)?.sync_all().map_err(|error| error.to_string())?;
        // Who could read the old file can read the new one, and nobody else.
        permissions
            .map_or(Ok(()), |permissions| fs::set_permissions(&temporary, permissions))
            .map_err(|error| error.to_string())?;
        fs::rename(&temporary, &target).map_err(|error| error.to_string())
    });
    written.map_err(|reason| {
        // The reason for the failure is worth more than a failure to clean up after it.
        let _ = fs::remove_file(&temporary);
        unwritable(reason)
    })
}

fn temporary_neighbour(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn write_csv(frame: &DataFrame, file: &mut impl Write) -> std::result::Result<(), String> {
    let mut writer = csv::Writer::from_writer(file);
    let failed = |error: csv::Error| error.to_string();
    writer.write_record(frame.get_column_names().into_iter().map(PlSmallStr::as_str)).map_err(failed)?;
    let columns: Vec<&Series> = frame.columns().iter().map(Column::as_materialized_series).collect();
    let mut text = String::new();
    for row in 0..frame.height() {
        for column in &columns {
            text.clear();
            csv_field(column, row, &mut text).map_err(|error| error.to_string())?;
            writer.write_field(&text).map_err(failed)?;
        }
        writer.write_record(None::<&[u8]>).map_err(failed)?;
    }
    writer.flush().map_err(|error| error.to_string())
}

fn csv_field(column: &Series, row: usize, text: &mut String) -> PolarsResult<()> {
    use std::fmt::Write as _;
    let value = column.get(row)?;
    // Writing to a String cannot fail.
    let _ = match value {
        AnyValue::Null => Ok(()),
        AnyValue::String(value) => write!(text, "{value}"),
        AnyValue::StringOwned(value) => write!(text, "{value}"),
        AnyValue::Boolean(value) => write!(text, "{value}"),
        AnyValue::Float64(value) => write!(text, "{value}"),
        AnyValue::Date(days) => write!(text, "{}", crate::day::Day::from_days_since_epoch(days)),
        other => write!(text, "{other}"),
    };
    Ok(())
}
