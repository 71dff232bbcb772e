//! What was wrong with which rows, and what is worth knowing of the rest?

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::day::Day;

/// How many rows of each fault are shown.
pub(crate) const EXAMPLES_PER_FAULT: usize = 5;
/// One duplicate in so many rows is more than chance.
const MANY_DUPLICATES: u64 = 4;
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
        write!(f, "\n    {}", self.kind.advice())
    }
}

/// Something worth knowing of rows that were kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// No amount column: everything about money is left out.
    NoAmounts,
    /// Rows equal to an earlier one in every column read (customer, day, amount, discount, segments).
    DuplicateRows {
        /// Rows beyond the first of each kind.
        rows: u64,
        /// Rows kept in all.
        of: u64,
    },
    /// Rows whose amount is 0.
    ZeroAmounts {
        /// How many rows.
        rows: u64,
    },
    /// Rows with a negative amount, netted against the purchases of their day.
    Refunds {
        /// How many rows.
        rows: u64,
    },
    /// Rows with a negative amount that the reading policy sets aside.
    RefundsSetAside {
        /// How many rows.
        rows: u64,
    },
    /// Rows dated after the day the log was declared complete for, set aside.
    AfterObservedUntil {
        /// How many rows.
        rows: u64,
        /// The last day kept.
        observed_until: Day,
    },
    /// Rows without a discount, read as 0.
    MissingDiscounts {
        /// How many rows.
        rows: u64,
    },
    /// Rows without a value in a segment column; they belong to no segment value.
    MissingSegments {
        /// The segment column.
        column: String,
        /// How many rows.
        rows: u64,
    },
    /// Customers who never bought, only sent back.
    RefundOnlyCustomers {
        /// How many customers.
        customers: u64,
    },
    /// Orders that share their customer's day with another and were merged into one purchase.
    DaysMerged {
        /// Orders beyond the first of their day.
        orders: u64,
    },
    /// A stretch of the log in which nobody bought.
    Hole {
        /// The last day with a purchase before it.
        after: Day,
        /// The first day with a purchase after it.
        until: Day,
        /// How many such stretches there are; this one is the longest.
        holes: u64,
    },
    /// Customers whose first order lies in the log's first days and who may be older than the log.
    FirstOrderAtLogStart {
        /// Share of all customers with a purchase, 0 to 1.
        fraction: f64,
        /// How many days count as the log's start.
        days: i32,
    },
    /// Columns that nothing is read from.
    UnreadColumns {
        /// Their names.
        columns: Vec<String>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::NoAmounts => write!(
                f,
                "no amount column: features about money are left out, and a refund counts as a purchase"
            ),
            Notice::DuplicateRows { rows, of } => {
                write!(
                    f,
                    "{rows} {} in every column read; kept",
                    plural(*rows, "row equals an earlier one", "rows equal an earlier one")
                )?;
                match rows.saturating_mul(MANY_DUPLICATES) >= *of {
                    true => write!(f, ", but so many suggest that a file was read twice"),
                    false => Ok(()),
                }
            }
            Notice::ZeroAmounts { rows } => {
                write!(f, "{rows} {} an amount of 0; kept as free", plural(*rows, "row has", "rows have"))
            }
            Notice::Refunds { rows } => {
                write!(
                    f,
                    "{rows} {}, netted against the purchases of their day",
                    plural(*rows, "row is a refund", "rows are refunds")
                )
            }
            Notice::RefundsSetAside { rows } => {
                write!(f, "{rows} {} set aside", plural(*rows, "refund row", "refund rows"))
            }
            Notice::AfterObservedUntil { rows, observed_until } => {
                write!(f, "{rows} {} after {observed_until} set aside", plural(*rows, "row", "rows"))
            }
            Notice::MissingDiscounts { rows } => {
                write!(f, "{rows} {} no discount; read as 0", plural(*rows, "row has", "rows have"))
            }
            Notice::MissingSegments { column, rows } => {
                write!(f, "{rows} {} no value in `{column}`", plural(*rows, "row has", "rows have"))
            }
            Notice::RefundOnlyCustomers { customers } => {
                write!(
                    f,
                    "{customers} {} only refunds and no purchase",
                    plural(*customers, "customer has", "customers have")
                )
            }
            Notice::DaysMerged { orders } => {
                write!(
                    f,
                    "{orders} {} with another order of the same customer and day",
                    plural(*orders, "order was merged", "orders were merged")
                )
            }
            Notice::Hole { after, until, holes } => {
                write!(f, "nobody bought between {after} and {until}")?;
                if *holes > 1 {
                    write!(f, " (the longest of {holes} such holes)")?;
                }
                write!(f, "; check that no orders are missing there")
            }
            Notice::FirstOrderAtLogStart { fraction, days } => {
                write!(
                    f,
                    "{:.0} % of customers first bought in the log's first {days} days and may be older than the log",
                    fraction * 100.0
                )
            }
            Notice::UnreadColumns { columns } => {
                let names: Vec<String> = columns.iter().map(|name| shown(name)).collect();
                write!(
                    f,
                    "{} {} not read; check for misspelt names",
                    plural(columns.len() as u64, "column", "columns"),
                    names.join(", ")
                )
            }
        }
    }
}

/// What one read found: every row is kept, or dropped under a named fault.
///
/// `rows_read == rows_kept + rows_dropped`, always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputReport {
    /// The files read, in order; empty for a frame.
    pub sources: Vec<String>,
    /// Rows found.
    pub rows_read: u64,
    /// Rows without a fault.
    pub rows_kept: u64,
    /// Rows with at least one fault.
    pub rows_dropped: u64,
    /// The faults found, in the order of [`FaultKind`].
    pub faults: Vec<Fault>,
    /// What is worth knowing of the rows kept.
    pub notices: Vec<Notice>,
}

impl fmt::Display for InputReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} read", self.rows_read, plural(self.rows_read, "row", "rows"))?;
        match self.sources.as_slice() {
            [] => {}
            [only] => write!(f, " from {only}")?,
            several => write!(f, " from {} files", several.len())?,
        }
        write!(f, ", {} without faults, {} with", self.rows_kept, self.rows_dropped)?;
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        for notice in &self.notices {
            write!(f, "\n  note: {notice}")?;
        }
        Ok(())
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

fn plural<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_reads_like_a_page() {
        let report = InputReport {
            sources: vec!["orders.csv".into()],
            rows_read: 9,
            rows_kept: 2,
            rows_dropped: 7,
            faults: vec![Fault {
                kind: FaultKind::UnparseableDate,
                column: "day".into(),
                rows: 7,
                examples: vec![FaultExample {
                    source: "orders.csv".into(),
                    row: 3,
                    value: shown("31/12/2020"),
                }],
            }],
            notices: vec![Notice::ZeroAmounts { rows: 1 }],
        };
        assert_eq!(
            report.to_string(),
            "9 rows read from orders.csv, 2 without faults, 7 with\n  7 rows: date cannot be read (column `day`)\n    \
             orders.csv row 3: `31/12/2020`\n    and 6 more\n    write dates as YYYY-MM-DD, or give the date \
             format\n  note: 1 row has an amount of 0; kept as free"
        );
    }

    #[test]
    fn long_and_odd_values_are_cut_and_escaped() {
        assert_eq!(shown("a\nb"), "`a\\nb`");
        assert_eq!(shown(&"x".repeat(100)), format!("`{}…`", "x".repeat(60)));
    }
}
