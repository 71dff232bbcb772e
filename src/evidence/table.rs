//! What do the rows of a side table say, and of whom? One reader for all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::report::{IdMatch, TableReport, UnmatchedId};
use crate::day::Day;
use crate::error::{Error, Fault, FaultExample, FaultKind, InputReport, Notice, Result, shown};
use crate::history::{History, InvalidRows, SideCells, SideColumn, SideInput, SideRows, read_side};

/// What a flag can be, in any case.
const FLAGS: [&str; 6] = ["0", "1", "true", "false", "yes", "no"];

/// How a side table is read.
///
/// | setting | default |
/// |---|---|
/// | invalid rows | [`InvalidRows::Reject`]: an error with every fault |
/// | date format (text dates) | ISO 8601, with or without a time of day |
/// | separator (CSV) | comma |
/// | decimal comma (text numbers) | no |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableParams {
    invalid_rows: InvalidRows,
    date_format: Option<String>,
    separator: u8,
    decimal_comma: bool,
}

impl Default for TableParams {
    fn default() -> Self {
        TableParams {
            invalid_rows: InvalidRows::default(),
            date_format: None,
            separator: b',',
            decimal_comma: false,
        }
    }
}

impl TableParams {
    /// As the log was read: date format, separator, decimal comma and what to do with invalid rows.
    #[must_use]
    pub fn like(history: &History) -> Self {
        let reading = history.reading();
        TableParams {
            invalid_rows: reading.invalid_rows,
            date_format: reading.date_format.clone(),
            separator: reading.separator,
            decimal_comma: reading.decimal_comma,
        }
    }

    /// Says what to do with rows that cannot be used.
    #[must_use]
    pub fn with_invalid_rows(mut self, invalid_rows: InvalidRows) -> Self {
        self.invalid_rows = invalid_rows;
        self
    }

    /// Gives the strftime format of dates in text, such as `%d.%m.%Y`.
    #[must_use]
    pub fn with_date_format(mut self, format: impl Into<String>) -> Self {
        self.date_format = Some(format.into());
        self
    }

    /// Gives the character between a CSV file's fields.
    #[must_use]
    pub fn with_separator(mut self, separator: u8) -> Self {
        self.separator = separator;
        self
    }

    /// Says that numbers in text are written `12,50`.
    #[must_use]
    pub fn with_decimal_comma(mut self, decimal_comma: bool) -> Self {
        self.decimal_comma = decimal_comma;
        self
    }

    /// Reads the columns of a file, Parquet where its name ends in `.parquet`, else CSV; or of a frame.
    pub(crate) fn take(&self, input: SideInput, columns: &[SideColumn]) -> Result<SideTable> {
        let Self { separator, date_format, decimal_comma, .. } = self;
        let found = read_side(input, columns, *separator, date_format.as_deref(), *decimal_comma)?;
        let names = columns.iter().map(|column| column.name.clone()).collect();
        Ok(SideTable {
            names,
            found,
            ids: None,
            notices: Vec::new(),
            invalid_rows: self.invalid_rows,
            date_format: self.date_format.clone(),
        })
    }
}

/// A side table that was read, in which more may be found wrong before it is [finished](Self::finish).
#[derive(Clone, Debug)]
pub(crate) struct SideTable {
    names: Vec<String>,
    found: SideRows,
    ids: Option<MatchedRows>,
    notices: Vec<Notice>,
    invalid_rows: InvalidRows,
    date_format: Option<String>,
}

impl SideTable {
    /// So many rows that were never in a file: faults are found in them as in any others, and refused.
    pub(crate) fn in_memory(rows: usize) -> Self {
        let found = SideRows {
            source: String::new(),
            rows,
            cells: Vec::new(),
            bad: vec![false; rows],
            faults: Vec::new(),
            unread: Vec::new(),
        };
        SideTable {
            names: Vec::new(),
            found,
            ids: None,
            notices: Vec::new(),
            invalid_rows: InvalidRows::Reject,
            date_format: None,
        }
    }

    /// All rows, those with a fault too.
    pub(crate) fn rows(&self) -> usize {
        self.found.rows
    }

    fn cells(&self, column: &str) -> Option<&SideCells> {
        let at = self.names.iter().position(|name| name == column)?;
        self.found.cells.get(at)
    }

    /// A column of text or ids; one entry per row, `None` where nothing stands.
    pub(crate) fn texts(&self, column: &str) -> &[Option<String>] {
        match self.cells(column) {
            Some(SideCells::Text(values)) => values,
            _ => &[],
        }
    }

    /// A column of dates.
    pub(crate) fn days(&self, column: &str) -> &[Option<Day>] {
        match self.cells(column) {
            Some(SideCells::Days(values)) => values,
            _ => &[],
        }
    }

    /// A column of numbers, NaN where nothing stands.
    pub(crate) fn numbers(&self, column: &str) -> &[f64] {
        match self.cells(column) {
            Some(SideCells::Numbers(values)) => values,
            _ => &[],
        }
    }

    /// Whether the row has no fault so far.
    pub(crate) fn is_sound(&self, row: usize) -> bool {
        !self.found.bad[row]
    }

    /// A column of flags: 0 or 1, true or false, yes or no, in any case; anything else is a fault.
    pub(crate) fn flags(&mut self, column: &str) -> Vec<Option<bool>> {
        let texts = self.texts(column).to_vec();
        let flags: Vec<Option<bool>> = texts.iter().map(|text| flag(text.as_deref()?)).collect();
        for (row, (known, found)) in flags.iter().zip(texts).enumerate() {
            if let (None, Some(found)) = (known, found) {
                self.unknown_word(column, row, found, &FLAGS);
            }
        }
        flags
    }

    /// Adds a fault to a row, found by what the table is about.
    pub(crate) fn fault(&mut self, kind: FaultKind, column: &str, row: usize, value: impl fmt::Display) {
        let example = FaultExample {
            source: self.found.source.clone(),
            row: row as u64 + 1,
            value: shown(&value.to_string()),
        };
        self.found.bad[row] = true;
        let faults = &mut self.found.faults;
        match faults.iter_mut().find(|fault| fault.kind == kind && fault.column == column) {
            Some(fault) => {
                fault.rows += 1;
                fault.examples.push(example);
            }
            None => faults.push(Fault {
                kind,
                column: column.to_owned(),
                rows: 1,
                examples: vec![example],
                words: Vec::new(),
            }),
        }
    }

    /// Adds the fault that a text is none of these words.
    pub(crate) fn unknown_word(
        &mut self,
        column: &str,
        row: usize,
        value: impl fmt::Display,
        words: &[&str],
    ) {
        self.fault(FaultKind::UnknownWord, column, row, value);
        self.set_words(column, words.iter().map(|&word| word.to_owned()).collect());
    }

    /// Says which words can stand in a column, where a text there was none of them.
    pub(crate) fn set_words(&mut self, column: &str, words: Vec<String>) {
        let is_own = |fault: &&mut Fault| fault.kind == FaultKind::UnknownWord && fault.column == column;
        if let Some(fault) = self.found.faults.iter_mut().find(is_own) {
            fault.words = words;
        }
    }

    /// Adds something worth knowing of the rows that are kept.
    pub(crate) fn note(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Notes rows dated after the last day the log is complete for: they tell nothing of what it holds.
    pub(crate) fn note_after(&mut self, column: &str, observed_until: Day) {
        let after = |day: &Option<Day>| day.is_some_and(|day| day > observed_until);
        let days = self.days(column).iter().enumerate();
        let rows = days.filter(|(row, day)| after(day) && self.is_sound(*row)).count() as u64;
        if rows > 0 {
            self.note(Notice::AfterObservedUntil { rows, observed_until });
        }
    }

    /// Notes rows dated before the log's first day.
    pub(crate) fn note_before(&mut self, column: &str, observed_from: Day) {
        let before = |day: &Option<Day>| day.is_some_and(|day| day < observed_from);
        let days = self.days(column).iter().enumerate();
        let rows = days.filter(|(row, day)| before(day) && self.is_sound(*row)).count() as u64;
        if rows > 0 {
            self.note(Notice::BeforeObservedFrom { rows, observed_from });
        }
    }

    /// The rank of each row's customer in the log, by canonical text; `None` for an id that nobody has there.
    /// `rank_of` is any numbering of customers, `example` one of their ids.
    pub(super) fn match_ids(
        &mut self,
        column: &str,
        example: Option<String>,
        rank_of: impl Fn(&str) -> Option<u32>,
    ) -> Vec<Option<u32>> {
        let rank = |id: &Option<String>| rank_of(id.as_deref()?);
        let ranks: Vec<Option<u32>> = self.texts(column).iter().map(rank).collect();
        self.ids = Some(MatchedRows { column: column.to_owned(), example, ranks: ranks.clone() });
        ranks
    }

    /// Whose ids are known, of the rows that are kept: who stands in a dropped row only was not read.
    fn id_match(&self) -> Option<IdMatch> {
        let MatchedRows { column, example, ranks } = self.ids.as_ref()?;
        let mut matched: BTreeSet<u32> = BTreeSet::new();
        let mut unmatched: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (row, (id, rank)) in self.texts(column).iter().zip(ranks).enumerate() {
            match (id, rank) {
                _ if !self.is_sound(row) => {}
                (_, Some(rank)) => drop(matched.insert(*rank)),
                (Some(id), None) => unmatched.entry(id).or_default().push(row as u64 + 1),
                (None, None) => {}
            }
        }
        let unmatched = unmatched.into_iter().map(|(id, rows)| UnmatchedId { id: id.to_owned(), rows });
        Some(IdMatch { matched: matched.len(), unmatched: unmatched.collect(), in_log: example.clone() })
    }

    /// Refuses days before the customer's first purchase.
    pub(crate) fn refuse_before_first_purchase(
        &mut self,
        column: &str,
        ranks: &[Option<u32>],
        history: &History,
    ) {
        for (row, rank) in ranks.iter().enumerate() {
            let (Some(rank), Some(Some(day))) = (rank, self.days(column).get(row).copied()) else { continue };
            let first = history.first_purchase(*rank as usize);
            if first < i32::MAX && day.days_since_epoch() < first && self.is_sound(row) {
                let first = Day::from_days_since_epoch(first);
                self.fault(
                    FaultKind::BeforeFirstPurchase,
                    column,
                    row,
                    format!("{day}, bought first on {first}"),
                );
            }
        }
    }

    /// Closes the books. The rows that can be used, ascending; under [`InvalidRows::Reject`] any fault is an
    /// error that carries all of them.
    pub(crate) fn finish(mut self) -> Result<(Vec<usize>, Self, TableReport)> {
        let kept: Vec<usize> = (0..self.rows()).filter(|&row| self.is_sound(row)).collect();
        let ids = self.id_match();
        let SideRows { source, rows, faults, unread, .. } = &mut self.found;
        // In the order of kinds, as in the report of a log; columns as they were asked for.
        faults.sort_by_key(|fault| fault.kind);
        let mut notices = std::mem::take(&mut self.notices);
        let unread_date = faults.iter().any(|fault| fault.kind == FaultKind::UnparseableDate);
        if let Some(format) = self.date_format.clone().filter(|_| unread_date) {
            notices.push(Notice::DatesReadAs { format });
        }
        if !unread.is_empty() {
            notices.push(Notice::UnreadColumns { columns: std::mem::take(unread) });
        }
        let input = InputReport {
            sources: Some(source.clone()).filter(|name| !name.is_empty()).into_iter().collect(),
            rows_read: *rows as u64,
            rows_kept: kept.len() as u64,
            rows_dropped: (*rows - kept.len()) as u64,
            faults: std::mem::take(faults),
            notices,
        };
        if input.rows_dropped > 0 && self.invalid_rows == InvalidRows::Reject {
            return Err(Error::InvalidRows { report: Box::new(input) });
        }
        Ok((kept, self, TableReport { input, ids }))
    }
}

/// The customers of a column of ids.
#[derive(Clone, Debug)]
struct MatchedRows {
    column: String,
    /// An id of the log.
    example: Option<String>,
    ranks: Vec<Option<u32>>,
}

fn flag(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" => Some(true),
        "0" | "false" | "no" => Some(false),
        _ => None,
    }
}
