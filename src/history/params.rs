//! How is a log read?

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::dates::DateText;
use crate::day::Day;
use crate::error::{Error, Result};

/// What to do with rows that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvalidRows {
    /// Refuse the log, with every fault in one error.
    #[default]
    Reject,
    /// Leave them out and keep count in the [`InputReport`](crate::error::InputReport).
    Drop,
}

/// What to do with negative amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refunds {
    /// Set them against the purchases of their day; a day that nets to nothing is no purchase.
    #[default]
    Net,
    /// Set them aside.
    Drop,
    /// Treat them as faults.
    Reject,
}

impl Refunds {
    fn describe(self) -> &'static str {
        match self {
            Refunds::Net => "refunds netted",
            Refunds::Drop => "refunds dropped",
            Refunds::Reject => "refunds rejected",
        }
    }
}

/// How to read a purchase log.
///
/// | setting | default |
/// |---|---|
/// | invalid rows | [`InvalidRows::Reject`] |
/// | refunds | [`Refunds::Net`] |
/// | date format (text dates) | ISO 8601, with or without a time of day |
/// | separator (CSV) | comma |
/// | decimal comma (text amounts) | no |
/// | observed until | the last day with an order |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryParams {
    pub(crate) columns: Columns,
    pub(crate) invalid_rows: InvalidRows,
    pub(crate) refunds: Refunds,
    pub(crate) date_format: Option<String>,
    pub(crate) separator: u8,
    pub(crate) decimal_comma: bool,
    #[serde(skip)]
    pub(crate) observed_until: Option<Day>,
    #[serde(skip)]
    pub(crate) observed_at_least_until: Option<Day>,
}

impl HistoryParams {
    /// Says what to do with rows that cannot be used.
    #[must_use]
    pub fn with_invalid_rows(mut self, invalid_rows: InvalidRows) -> Self {
        self.invalid_rows = invalid_rows;
        self
    }

    /// Says what to do with negative amounts.
    #[must_use]
    pub fn with_refunds(mut self, refunds: Refunds) -> Self {
        self.refunds = refunds;
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

    /// Says that amounts in text are written `12,50`.
    #[must_use]
    pub fn with_decimal_comma(mut self, decimal_comma: bool) -> Self {
        self.decimal_comma = decimal_comma;
        self
    }

    /// Declares the last day the log is complete for, and sets later orders aside.
    #[must_use]
    pub fn with_observed_until(mut self, day: Day) -> Self {
        self.observed_until = Some(day);
        self
    }

    /// Declares the log complete at least until this day, even if nobody bought lately. No order is
    /// set aside.
    #[must_use]
    pub fn with_observed_at_least_until(mut self, day: Day) -> Self {
        self.observed_at_least_until = Some(day);
        self
    }

    /// Names other columns, everything else as it is.
    #[must_use]
    pub fn with_columns(mut self, columns: Columns) -> Self {
        self.columns = columns;
        self
    }

    /// The columns that are read.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The strftime format of dates in text, if one was given.
    #[must_use]
    pub fn date_format(&self) -> Option<&str> {
        self.date_format.as_deref()
    }

    /// Whether amounts in text are written `12,50`.
    #[must_use]
    pub fn decimal_comma(&self) -> bool {
        self.decimal_comma
    }

    pub(super) fn check_settings(&self) -> Result<()> {
        self.columns.check()?;
        if matches!(self.separator, b'"' | b'\r' | b'\n') || !self.separator.is_ascii() {
            return Err(Error::parameter(
                "separator",
                format!("{:?}", char::from(self.separator)),
                "one ASCII character other than a quote or a line end",
            ));
        }
        for day in [self.observed_until, self.observed_at_least_until].into_iter().flatten() {
            if !day.is_plausible() {
                return Err(Error::parameter("observed until", day, "1900-01-01 to 2200-12-31"));
            }
        }
        DateText::new(self.date_format.as_deref()).map(drop)
    }

    /// Whether refunds and the presence of amounts, discounts and segments are the same.
    pub(crate) fn reads_alike(&self, other: &HistoryParams) -> bool {
        let present = |params: &HistoryParams| {
            let Columns { amount, discount, segments, .. } = &params.columns;
            // Without amounts there are no refunds to treat.
            let refunds = amount.as_ref().map(|_| params.refunds);
            (refunds, amount.is_some(), discount.is_some(), segments.len())
        };
        present(self) == present(other)
    }

    /// What a model trained on such a log asks of the logs it scores, in words.
    pub(crate) fn policy(&self) -> String {
        let Columns { amount, discount, segments, .. } = &self.columns;
        let with = |column: &Option<String>, name: &str| match column {
            Some(_) => format!("with {name}"),
            None => format!("without {name}"),
        };
        let segments = match segments.len() {
            1 => "1 segment column".to_owned(),
            several => format!("{several} segment columns"),
        };
        // Without amounts there are no refunds to treat.
        let refunds = amount.as_ref().map_or("no refunds", |_| self.refunds.describe());
        format!("{}, {refunds}, {}, {segments}", with(amount, "amounts"), with(discount, "discounts"))
    }
}
