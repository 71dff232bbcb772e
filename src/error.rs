//! What can go wrong, where, and what to do about it?

mod fault;
mod notice;
mod report;

use std::path::{Path, PathBuf};
use std::str::FromStr;

pub(crate) use fault::{EXAMPLES_PER_FAULT, counted, shown};
pub use fault::{Fault, FaultExample, FaultKind};
pub use notice::Notice;
pub use report::InputReport;

use crate::day::Day;

/// The result of everything in winback that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong.
///
/// Each message says where, what was found, what was expected, and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or pattern that leads to nothing.
    #[error("{}: no such file; check the path or the pattern", path.display())]
    NoSuchFile {
        /// The path or pattern given.
        path: PathBuf,
    },
    /// A file that cannot be read as what it should be.
    #[error("{}: cannot be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What stood in the way.
        reason: String,
    },
    /// A file that cannot be written.
    #[error("{}: cannot be written: {reason}; an older file of that name, if there is one, is unchanged", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What stood in the way.
        reason: String,
    },
    /// Columns that were named but are not there.
    #[error("{origin}: no column {}; found {}{advice}", quoted(missing), quoted(found))]
    MissingColumns {
        /// The file or frame.
        origin: String,
        /// The columns that were named.
        missing: Vec<String>,
        /// The columns that are there.
        found: Vec<String>,
        /// What to try, starting with `; `, or empty.
        advice: String,
    },
    /// A column name that stands twice.
    #[error("{origin}: column `{column}` stands {times} times; rename all but one")]
    DuplicateColumn {
        /// The file or frame.
        origin: String,
        /// The column.
        column: String,
        /// How often it stands there.
        times: usize,
    },
    /// A column of a type that cannot serve.
    #[error("{origin}: column `{column}` is {found}, expected {expected}; {advice}")]
    ColumnType {
        /// The file or frame.
        origin: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// The types that can serve.
        expected: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Rows that cannot be used, all of them, under the policy that rejects them.
    #[error("some rows cannot be used: correct them, or drop invalid rows\n{report}")]
    InvalidRows {
        /// Every fault found.
        report: Box<InputReport>,
    },
    /// A log in which nothing is left.
    #[error("no orders to work with: expected at least one usable row\n{report}")]
    NoOrders {
        /// What was read.
        report: Box<InputReport>,
    },
    /// A log too long for 32-bit row numbers.
    #[error("{rows} rows in one log, at most {most} can be read at once; split the log by customer")]
    TooManyRows {
        /// Rows found.
        rows: u64,
        /// Rows that fit.
        most: u64,
    },
    /// A setting outside its range.
    #[error("{name} is {found}, expected {expected}")]
    Parameter {
        /// The setting.
        name: &'static str,
        /// What was given.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A feature that needs a column the history does not have.
    #[error(
        "feature `{feature}` needs {column}, which this history was read without; name it in the columns or leave the feature out"
    )]
    FeatureNeedsColumn {
        /// The feature.
        feature: String,
        /// What it needs.
        column: String,
    },
    /// Something that no query can say.
    #[error("{what} cannot be said in SQL: {reason}; leave it out, or compute it with this crate")]
    NotInSql {
        /// The feature, model or setting.
        what: String,
        /// Why not.
        reason: String,
    },
    /// Two features of one name.
    #[error("feature `{feature}` stands twice in the set; leave one out")]
    DuplicateFeature {
        /// The feature.
        feature: String,
    },
    /// A feature value that is not finite.
    #[error(
        "feature `{feature}` is {value} for customer {customer} at {cutoff}, expected a finite number or null"
    )]
    NotFinite {
        /// The feature.
        feature: String,
        /// The customer's id.
        customer: String,
        /// The cutoff.
        cutoff: String,
        /// What was found.
        value: f64,
    },
    /// A label whose window reaches past the days the log is complete for.
    #[error(
        "cutoff {cutoff}: its label window ends on {needed}, but the log is observed until {had}; choose a cutoff on or before {latest}"
    )]
    HorizonNotObserved {
        /// The cutoff.
        cutoff: Day,
        /// The last day of the label window.
        needed: Day,
        /// The last day the log is complete for.
        had: Day,
        /// The latest cutoff with an observed label.
        latest: Day,
    },
    /// A log too short for a single labelled cutoff.
    #[error(
        "the log covers {observed_from} to {observed_until}: too short for a cutoff with a label window of {lead_days} + {horizon_days} days after it and {history_days} days before it; shorten the horizon or bring a longer log"
    )]
    NoCutoffs {
        /// First day of the log.
        observed_from: Day,
        /// Last day of the log.
        observed_until: Day,
        /// Lead of the label window.
        lead_days: i32,
        /// Length of the label window.
        horizon_days: i32,
        /// Days needed before the cutoff.
        history_days: i32,
    },
    /// A split that leaves one side empty.
    #[error(
        "splitting at {test_cutoff} leaves no {side} cutoff: there are snapshots from {first} to {last} and labels take {label_days} days; choose another test cutoff, shorten the horizon, or bring a longer log"
    )]
    EmptySplit {
        /// The first cutoff of the test side.
        test_cutoff: Day,
        /// `training` or `test`.
        side: &'static str,
        /// The first cutoff there is.
        first: Day,
        /// The last cutoff there is.
        last: Day,
        /// Lead plus horizon.
        label_days: i32,
    },
    /// Labels of one class only.
    #[error(
        "all {rows} training rows are {class}: a model needs customers who churned and customers who did not; choose another horizon or more cutoffs"
    )]
    SingleClass {
        /// Training rows.
        rows: usize,
        /// `churned` or `not churned`.
        class: &'static str,
    },
    /// A fit that cannot be finished.
    #[error("the model cannot be fitted: {reason}")]
    NotFitted {
        /// Why.
        reason: String,
    },
    /// A customer's purchases in numbers that cannot be.
    #[error("summary {row} of {of}: {name} is {found}, expected {expected}")]
    InvalidSummary {
        /// Which of the customers given, from 1.
        row: usize,
        /// How many were given.
        of: usize,
        /// The number that is wrong.
        name: &'static str,
        /// What was given.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// A test that shares label days with training.
    #[error(
        "the test's first cutoff is {test_cutoff}, but training labels reach to {trained_until}; test on cutoffs from {trained_until} on"
    )]
    TestOverlapsTraining {
        /// First cutoff of the test.
        test_cutoff: Day,
        /// Last day of any training label.
        trained_until: Day,
    },
    /// A day later than the log is complete for.
    #[error(
        "{as_of} lies after {observed_until}, the last day the log is observed; choose an earlier day, or declare the log observed until then"
    )]
    AfterObserved {
        /// The day asked for.
        as_of: Day,
        /// The last day of the log.
        observed_until: Day,
    },
    /// A day so long after the last order that everybody would look lost.
    #[error(
        "{as_of} lies {} days after the last order, on {last_order}: more than the horizon of {horizon_days} days, so that everybody would look lost; bring the orders since then, or choose a day no later than {}",
        as_of.days_since(*last_order), last_order.plus_days(*horizon_days)
    )]
    SilentSince {
        /// The day asked for.
        as_of: Day,
        /// The day of the last order.
        last_order: Day,
        /// The horizon.
        horizon_days: i32,
    },
    /// A day on which nobody had bought yet.
    #[error("no customer had bought by {as_of}: {first_purchase}; choose a later day")]
    BeforeFirstPurchase {
        /// The day asked for.
        as_of: Day,
        /// The first purchase of the log, in words.
        first_purchase: String,
    },
    /// A history read under another policy than the model was trained on.
    #[error("the model was trained on orders {trained}, but these were read {found}; read them the same way")]
    PolicyMismatch {
        /// How the training log was read.
        trained: String,
        /// How this log was read.
        found: String,
    },
    /// Features that a model or set needs and a table lacks, or the reverse.
    #[error("{origin}: {problem}")]
    FeatureMismatch {
        /// The table or file.
        origin: String,
        /// What does not match.
        problem: String,
    },
    /// A model file of another format.
    #[error(
        "{origin}: model format {found}, this version reads format {expected}; it was written by winback {written_by}; train again or use that version"
    )]
    ModelFormat {
        /// The file.
        origin: String,
        /// The format found.
        found: u64,
        /// The format read.
        expected: u64,
        /// The version that wrote it.
        written_by: String,
    },
    /// A model file that is damaged.
    #[error("{origin}: not a usable model file: {reason}; train and save the model again")]
    ModelDamaged {
        /// The file.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// A failure inside polars.
    #[error("{doing}: {reason}")]
    Table {
        /// What was being done.
        doing: &'static str,
        /// What polars said.
        reason: String,
    },
    /// A JSON document with faults, all of them.
    #[error("{origin}: {}", document_faults(faults))]
    InvalidDocument {
        /// The file.
        origin: String,
        /// Every fault found.
        faults: Vec<DocumentFault>,
    },
    /// A list that is about none of the log's customers, and so would do nothing.
    #[error(
        "{list} matches no customer of the log: write ids as they stand there, or leave it out\n{report}"
    )]
    NobodyMatched {
        /// Which list.
        list: &'static str,
        /// What its reading found.
        report: String,
    },
    /// Text that is no date.
    #[error("`{text}` is not a date; expected YYYY-MM-DD, such as 2024-02-29")]
    NotADate {
        /// The text.
        text: String,
    },
}

impl Error {
    pub(crate) fn parameter(name: &'static str, found: impl ToString, expected: &'static str) -> Self {
        Error::Parameter { name, found: found.to_string(), expected }
    }

    pub(crate) fn unreadable(path: &Path, reason: impl ToString) -> Self {
        Error::Unreadable { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn table(doing: &'static str, reason: impl ToString) -> Self {
        Error::Table { doing, reason: reason.to_string() }
    }
}

/// One thing that is wrong in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFault {
    /// Where, such as `offers[0].effect`.
    pub place: String,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub expected: String,
    /// What to do.
    pub advice: String,
}

fn document_faults(faults: &[DocumentFault]) -> String {
    let line = |fault: &DocumentFault| {
        let DocumentFault { place, found, expected, advice } = fault;
        format!("\n  {place}: found {found}, expected {expected}; {advice}")
    };
    let plural = if faults.len() == 1 { "fault" } else { "faults" };
    format!("{} {plural}{}", faults.len(), faults.iter().map(line).collect::<String>())
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(text: &str) -> Result<Day> {
        Day::parse_iso(text).ok_or_else(|| Error::NotADate { text: text.to_owned() })
    }
}

fn quoted(names: &[String]) -> String {
    const MOST: usize = 20;
    let mut text = names.iter().take(MOST).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text.push_str(&format!(" and {} more", names.len() - MOST));
    }
    if text.is_empty() { "no columns".to_owned() } else { text }
}
