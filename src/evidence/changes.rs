//! What did the business change, where and when? The table of changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::cause::Cause;
use super::reasons::ReasonsParams;
use super::report::TableReport;
use super::table::TableParams;
use crate::day::Day;
use crate::error::{FaultKind, Result};
use crate::history::{History, Holds, Need, SideColumn, SideInput};

/// So many known values are named where one is not known.
const NEAREST: usize = 8;
/// So many values that are none, known values and letters are compared at most.
const MOST_WRONG: usize = 5;
const MOST_KNOWN: usize = 10_000;
const MOST_LETTERS: usize = 40;

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The segment column.
    pub segment: String,
    /// The value at which something was changed.
    pub value: String,
    /// The cause it was meant against, where said.
    pub cause: Option<Cause>,
    /// When.
    pub changed_on: Day,
    /// What, in words.
    pub what: Option<String>,
}

/// Changes, in the order of the table: `segment, value, cause, changed_on, what`. Segment and value have to be
/// in the log.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Changes {
    rows: Vec<Change>,
    report: TableReport,
}

impl Changes {
    /// Reads a file: Parquet where its name ends in `.parquet`, else CSV with a header. Words for causes are those
    /// that `reasons` knows.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; under
    /// [`InvalidRows::Reject`](crate::history::InvalidRows::Reject) every faulty row at once.
    pub fn read(
        path: impl AsRef<Path>,
        table: &TableParams,
        reasons: &ReasonsParams,
        history: &History,
    ) -> Result<Self> {
        Self::take(SideInput::File(path.as_ref()), table, reasons, history)
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_frame(
        frame: &DataFrame,
        table: &TableParams,
        reasons: &ReasonsParams,
        history: &History,
    ) -> Result<Self> {
        Self::take(SideInput::Frame(frame), table, reasons, history)
    }

    /// Every row that can be used.
    #[must_use]
    pub fn rows(&self) -> &[Change] {
        &self.rows
    }

    /// What the reading found.
    #[must_use]
    pub fn report(&self) -> &TableReport {
        &self.report
    }

    fn take(
        input: SideInput,
        table: &TableParams,
        reasons: &ReasonsParams,
        history: &History,
    ) -> Result<Self> {
        let columns = [
            SideColumn::new("segment", Holds::Text, Need::Value),
            SideColumn::new("value", Holds::Text, Need::Value),
            SideColumn::new("cause", Holds::Text, Need::Nothing),
            SideColumn::new("changed_on", Holds::Days, Need::Value),
            SideColumn::new("what", Holds::Text, Need::Nothing),
        ];
        let mut table = table.take(input, &columns)?;
        let mut unknown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in 0..table.rows() {
            let text = |column: &str| table.texts(column)[row].clone();
            let (segment, value, cause) = (text("segment"), text("value"), text("cause"));
            let (Some(segment), Some(value)) = (segment, value) else { continue };
            match history.segment_values(&segment) {
                None => {
                    let columns = history.reading().columns().segments();
                    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                    table.unknown_word("segment", row, &segment, &columns);
                }
                Some(values) if !values.contains(&value) => {
                    table.fault(FaultKind::UnknownWord, "value", row, &value);
                    unknown.entry(segment).or_default().insert(value);
                }
                Some(_) => {}
            }
            if let Some(cause) = cause.filter(|cause| reasons.cause(cause).is_none()) {
                table.unknown_word("cause", row, &cause, &Cause::ALL.map(Cause::name));
            }
        }
        let known = unknown
            .iter()
            .flat_map(|(segment, wrong)| nearest(history.segment_values(segment).unwrap_or_default(), wrong));
        table.set_words("value", known.collect());
        table.note_before("changed_on", history.observed_from());
        table.note_after("changed_on", history.observed_until());
        let (kept, table, report) = table.finish()?;
        let rows = kept.into_iter().filter_map(|row| {
            let text = |column: &str| table.texts(column)[row].clone();
            Some(Change {
                segment: text("segment")?,
                value: text("value")?,
                cause: text("cause").and_then(|cause| reasons.cause(&cause)),
                changed_on: table.days("changed_on")[row]?,
                what: text("what"),
            })
        });
        Ok(Changes { rows: rows.collect(), report })
    }
}

/// Of the known values, those nearest to any that is none of them, the nearest first, and how many there are in all.
/// Of very many only the first are looked at, so that an error does not take longer than what it is about.
fn nearest(known: &[String], wrong: &BTreeSet<String>) -> Vec<String> {
    let far = |value: &String| {
        let distances = wrong.iter().take(MOST_WRONG).map(|wrong| edits(wrong, value));
        distances.min().unwrap_or(usize::MAX)
    };
    let mut all: Vec<(usize, &String)> =
        known.iter().take(MOST_KNOWN).map(|value| (far(value), value)).collect();
    all.sort_unstable();
    let mut words: Vec<String> = all.iter().take(NEAREST).map(|(_, value)| (*value).clone()).collect();
    if known.len() > NEAREST {
        words.push(format!("… ({} in all)", known.len()));
    }
    words
}

/// How many letters have to be put in, left out or changed to make one text of the other (Levenshtein), whatever
/// their case. Only the first letters count.
fn edits(one: &str, other: &str) -> usize {
    let letters =
        |text: &str| text.chars().take(MOST_LETTERS).flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (one, other) = (letters(one), letters(other));
    let mut before: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.into_iter().enumerate() {
        let mut diagonal = row;
        before[0] = row + 1;
        for (column, &wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != wanted);
            diagonal = before[column + 1];
            before[column + 1] = changed.min(diagonal + 1).min(before[column] + 1);
        }
    }
    before.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_values_come_first() {
        assert_eq!(edits("kitten", "Sitting"), 3);
        assert_eq!((edits("", "abc"), edits("abc", ""), edits("Mill", "mill")), (3, 3, 0));
        let known = ["Harbour", "Mill Lane", "Station"].map(str::to_owned);
        assert_eq!(nearest(&known, &BTreeSet::from(["Mil lane".to_owned()]))[0], "Mill Lane");
        let many: Vec<String> = (0..30).map(|number| format!("S{number:02}")).collect();
        let words = nearest(&many, &BTreeSet::from(["S7".to_owned()]));
        assert_eq!((words[0].as_str(), words.len()), ("S07", NEAREST + 1));
        assert_eq!(words[NEAREST], "… (30 in all)");
    }
}
