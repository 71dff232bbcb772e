//! What was wrong with which rows?

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many rows of each fault are shown.
pub(crate) const EXAMPLES_PER_FAULT: usize = 5;
/// How many characters of a faulty value are shown.
const VALUE_CHARACTERS: usize = 60;

/// Why a row cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The line has more or fewer fields than the header.
    WrongFieldCount,
    /// A needed field is not UTF-8 text.
    NotUtf8,
    /// The customer id is null or empty.
    MissingId,
    /// The customer id is a number with a decimal point, such as `17850.0`.
    FloatId,
    /// The customer id is an integer above 2¹²⁷ − 1.
    IdOutOfRange,
    /// The date is null or empty.
    MissingDate,
    /// The date is not in the expected form.
    UnparseableDate,
    /// The date lies before 1900-01-01 or after 2200-12-31.
    DateOutOfRange,
    /// The amount is null or empty.
    MissingAmount,
    /// The amount is no number.
    UnparseableAmount,
    /// The amount is NaN or infinite.
    NonFiniteAmount,
    /// The amount's size is above 1e100, where sums could overflow.
    AmountOutOfRange,
    /// The amount is negative and refunds are rejected.
    RejectedRefund,
    /// The discount is no number, not finite, or above 1e100 in size.
    InvalidDiscount,
    /// A text that is needed is null or empty.
    MissingText,
    /// A number is no number, not finite, or above 1e100 in size.
    InvalidNumber,
    /// A number below 0 where none can be.
    NegativeNumber,
    /// A probability is no number above 0 and at most 1.
    InvalidProbability,
    /// The date lies before the customer's first purchase.
    BeforeFirstPurchase,
    /// The text is none of the words that can stand here.
    UnknownWord,
    /// The customer stands twice where once is meant.
    DuplicateId,
    /// A number that is not between 0 and 1.
    NotAShare,
    /// The date lies before one that it must follow.
    DatesOutOfOrder,
}

impl FaultKind {
    /// What was found, in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            FaultKind::WrongFieldCount => "the number of fields differs from the header's",
            FaultKind::NotUtf8 => "text is not UTF-8",
            FaultKind::MissingId => "customer id is missing",
            FaultKind::FloatId => "customer id is a number with a decimal point",
            FaultKind::IdOutOfRange => "customer id is above 2^127 - 1",
            FaultKind::MissingDate => "date is missing",
            FaultKind::UnparseableDate => "date cannot be read",
            FaultKind::DateOutOfRange => "date lies outside 1900-01-01 to 2200-12-31",
            FaultKind::MissingAmount => "amount is missing",
            FaultKind::UnparseableAmount => "amount is not a number",
            FaultKind::NonFiniteAmount => "amount is NaN or infinite",
            FaultKind::AmountOutOfRange => "amount is larger than 1e100",
            FaultKind::RejectedRefund => "amount is negative and refunds are rejected",
            FaultKind::InvalidDiscount => "discount is not a number or is larger than 1e100",
            FaultKind::MissingText => "field is empty",
            FaultKind::InvalidNumber => "not a number, or larger than 1e100",
            FaultKind::NegativeNumber => "number is below 0",
            FaultKind::InvalidProbability => "probability is not a number above 0 and at most 1",
            FaultKind::BeforeFirstPurchase => "date lies before the customer's first purchase",
            FaultKind::UnknownWord => "none of the words that can stand here",
            FaultKind::DuplicateId => "customer id stands twice",
            FaultKind::NotAShare => "number is not between 0 and 1",
            FaultKind::DatesOutOfOrder => "date lies before one that it must follow",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            FaultKind::WrongFieldCount => "check the separator and quoting of these lines",
            FaultKind::NotUtf8 => "save the file as UTF-8",
            FaultKind::MissingId => "fill the id in, or drop invalid rows",
            FaultKind::FloatId => {
                "write ids as text or integers (17850, not 17850.0): a float column cannot hold every id"
            }
            FaultKind::IdOutOfRange => "write such ids as text",
            FaultKind::MissingDate => "fill the date in, or drop invalid rows",
            FaultKind::UnparseableDate => "write dates as YYYY-MM-DD, or give the date format",
            FaultKind::DateOutOfRange => "correct the date, or drop invalid rows",
            FaultKind::MissingAmount => "fill the amount in (0 for a free order), or drop invalid rows",
            FaultKind::UnparseableAmount => {
                "write plain numbers such as 1234.56 without thousands signs, and say whether the decimal sign is a comma"
            }
            FaultKind::NonFiniteAmount | FaultKind::AmountOutOfRange => {
                "correct the amount, or drop invalid rows"
            }
            FaultKind::RejectedRefund => "read the refunds as net or drop them, or correct the amount",
            FaultKind::InvalidDiscount => "write plain numbers such as 12.50; an empty field is no discount",
            FaultKind::MissingText => "fill it in, or drop invalid rows",
            FaultKind::InvalidNumber => {
                "write plain numbers such as 1234.56 without thousands signs, and say whether the decimal sign is a comma"
            }
            FaultKind::NegativeNumber => "correct the number, or drop invalid rows",
            FaultKind::InvalidProbability => {
                "write the chance of being asked, such as 0.05; leave it empty for who was not drawn"
            }
            FaultKind::BeforeFirstPurchase => "correct the date or the customer, or drop invalid rows",
            FaultKind::UnknownWord => {
                "see the documentation of this table for the words, or drop invalid rows"
            }
            FaultKind::DuplicateId => "keep one row per customer",
            FaultKind::NotAShare => "write a share such as 0.25, not per cent",
            FaultKind::DatesOutOfOrder => "correct one of the two dates",
        }
    }
}

/// One row that has a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultExample {
    /// The file it stands in; empty for a frame.
    pub source: String,
    /// The row within its file or frame, counted from 1 (a header is not a row).
    pub row: u64,
    /// What was found there, cut to 60 characters; `null` for a missing value.
    pub value: String,
}

/// All rows that share one fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What is wrong.
    pub kind: FaultKind,
    /// The column it was found in; empty where the whole line is at fault.
    pub column: String,
    /// How many rows have it. A row with two faults counts in both.
    pub rows: u64,
    /// The first five such rows of a log, all such rows of a side table.
    pub examples: Vec<FaultExample>,
    /// The words that can stand here, where they are few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.rows, plural(self.rows, "row", "rows"), self.kind.describe())?;
        if !self.column.is_empty() {
            write!(f, " (column `{}`)", self.column)?;
        }
        for example in self.examples.iter().take(EXAMPLES_PER_FAULT) {
            write!(f, "\n    ")?;
            if !example.source.is_empty() {
                write!(f, "{} ", example.source)?;
            }
            write!(f, "row {}: {}", example.row, example.value)?;
        }
        let shown = self.examples.len().min(EXAMPLES_PER_FAULT) as u64;
        if self.rows > shown {
            write!(f, "\n    and {} more", self.rows - shown)?;
        }
        match self.words.as_slice() {
            [] => write!(f, "\n    {}", self.kind.advice()),
            words => write!(f, "\n    write one of {}, or drop invalid rows", words.join(", ")),
        }
    }
}

/// A value as a report shows it: quoted, control characters escaped, cut to a readable length.
pub(crate) fn shown(value: &str) -> String {
    let mut text: String = value.chars().take(VALUE_CHARACTERS).flat_map(char::escape_debug).collect();
    if value.chars().nth(VALUE_CHARACTERS).is_some() {
        text.push('…');
    }
    format!("`{text}`")
}

/// So many of them, in the singular or the plural.
pub(crate) fn counted(count: usize, of: &str) -> String {
    format!("{count} {of}{}", plural(count as u64, "", "s"))
}

pub(super) fn plural<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}
