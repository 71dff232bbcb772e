//! What is worth knowing of the rows that were kept?

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::{plural, shown};
use crate::day::Day;

/// One duplicate in so many rows is more than chance.
const MANY_DUPLICATES: u64 = 4;

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
    /// Rows equal to an earlier one in every column read, of a table in which such a row says nothing more.
    RepeatedRows {
        /// Rows beyond the first of each kind.
        rows: u64,
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
    /// Rows dated before the log's first day.
    BeforeObservedFrom {
        /// How many rows.
        rows: u64,
        /// The first day of the log.
        observed_from: Day,
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
    /// The form that dates in text were read by, where some could not be.
    DatesReadAs {
        /// The strftime format.
        format: String,
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
            Notice::RepeatedRows { rows } => {
                write!(
                    f,
                    "{rows} {} in every column read; counted once",
                    plural(*rows, "row equals an earlier one", "rows equal an earlier one")
                )
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
            Notice::BeforeObservedFrom { rows, observed_from } => {
                write!(
                    f,
                    "{rows} {} before {observed_from}, the log's first day: nothing is known of what was there then",
                    plural(*rows, "row", "rows")
                )
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
            Notice::DatesReadAs { format } => {
                write!(f, "dates are read as {format}, here and in every other table; write these alike")
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
