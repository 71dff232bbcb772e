//! What was said, answered and promised? The table of contacts.

use std::fmt;
use std::path::Path;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::known::Known;
use super::report::TableReport;
use super::table::TableParams;
use crate::day::Day;
use crate::error::{FaultKind, Result};
use crate::history::{History, Holds, Need, SideColumn, SideInput};

/// What the customer answered.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Nothing, or nothing yet.
    #[default]
    None,
    /// Yes.
    Accepted,
    /// No.
    Declined,
    /// They do not want to hear from us again.
    OptedOut,
    /// They complained.
    Complained,
}

impl Answer {
    /// All of them, in order.
    pub const ALL: [Answer; 5] =
        [Answer::None, Answer::Accepted, Answer::Declined, Answer::OptedOut, Answer::Complained];

    /// The name as it stands in files, such as `opted_out`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Answer::None => "none",
            Answer::Accepted => "accepted",
            Answer::Declined => "declined",
            Answer::OptedOut => "opted_out",
            Answer::Complained => "complained",
        }
    }

    /// The answer of that name, in any case; blanks and hyphens count as underscores.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim().to_lowercase().replace([' ', '-'], "_");
        Self::ALL.into_iter().find(|answer| answer.name() == name)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Something promised to a customer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Promise {
    /// What, in words.
    pub what: String,
    /// Until when.
    pub due: Day,
    /// When it was kept; `None` as long as it is not.
    pub kept_on: Option<Day>,
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contact {
    /// With whom.
    pub customer_id: String,
    /// When.
    pub on: Day,
    /// Which step it was, as in the schedule.
    pub step: Option<String>,
    /// On which channel.
    pub channel: Option<String>,
    /// What was offered.
    pub offer: Option<String>,
    /// What they answered.
    pub answer: Answer,
    /// What was promised to them.
    pub promise: Option<Promise>,
    /// What the redemption of the offer cost, an amount from 0 on.
    pub redeemed_amount: Option<f64>,
    /// Whom they recommended us to.
    pub referred_id: Option<String>,
}

/// Contacts, in the order of the table.
///
/// | column | holds | |
/// |---|---|---|
/// | `customer_id` | the id as in the log; a `'` before it, as in a schedule, is no part of it | needed |
/// | `on` | the day | needed |
/// | `step`, `channel`, `offer` | as in the schedule | |
/// | `answer` | `none`, `accepted`, `declined`, `opted_out` or `complained`; empty is `none` | |
/// | `promised`, `promise_due` | what was promised, and until when: both or neither | |
/// | `kept_on` | when it was kept | |
/// | `redeemed_amount` | what the redemption of the offer cost, from 0 on | |
/// | `referred_id` | whom they recommended us to | |
///
/// ```
/// use polars::df;
/// use winback::evidence::{Answer, Contacts, TableParams};
/// use winback::{Columns, History};
///
/// let orders = df!["customer_id" => [1, 2], "ordered_on" => ["2024-01-05", "2024-02-01"]]?;
/// let history = History::params(Columns::new("customer_id", "ordered_on")).from_frame(&orders)?;
/// let table = df!["customer_id" => [1], "on" => ["2024-06-06"], "answer" => ["Opted out"]]?;
/// let contacts = Contacts::from_frame(&table, &TableParams::default(), &history)?;
/// assert_eq!(contacts.rows()[0].answer, Answer::OptedOut);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct Contacts {
    rows: Vec<Contact>,
    report: TableReport,
}

impl Contacts {
    /// Reads a file: Parquet where its name ends in `.parquet`, else CSV with a header.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; under
    /// [`InvalidRows::Reject`](crate::history::InvalidRows::Reject) every faulty row at once.
    pub fn read(path: impl AsRef<Path>, table: &TableParams, history: &History) -> Result<Self> {
        Self::take(SideInput::File(path.as_ref()), table, &Known::Log(history))
    }

    /// As [`read`](Self::read), where no log is at hand: the customers are those of these ids.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_among<'a>(
        path: impl AsRef<Path>,
        table: &TableParams,
        ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self> {
        Self::take(SideInput::File(path.as_ref()), table, &Known::among(ids))
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_frame(frame: &DataFrame, table: &TableParams, history: &History) -> Result<Self> {
        Self::take(SideInput::Frame(frame), table, &Known::Log(history))
    }

    /// Every row that can be used.
    #[must_use]
    pub fn rows(&self) -> &[Contact] {
        &self.rows
    }

    /// What the reading found.
    #[must_use]
    pub fn report(&self) -> &TableReport {
        &self.report
    }

    fn take(input: SideInput, table: &TableParams, known: &Known) -> Result<Self> {
        let optional = |name: &str, holds| SideColumn::new(name, holds, Need::Nothing);
        let columns = [
            SideColumn::new("customer_id", Holds::Ids, Need::Value),
            SideColumn::new("on", Holds::Days, Need::Value),
            optional("step", Holds::Text),
            optional("channel", Holds::Text),
            optional("offer", Holds::Text),
            optional("answer", Holds::Text),
            optional("promised", Holds::Text),
            optional("promise_due", Holds::Days),
            optional("kept_on", Holds::Days),
            optional("redeemed_amount", Holds::Amounts),
            optional("referred_id", Holds::Text),
        ];
        let mut table = table.take(input, &columns)?;
        known.match_ids(&mut table, "customer_id");
        let answers: Vec<Option<String>> = table.texts("answer").to_vec();
        for (row, answer) in answers.iter().enumerate() {
            if let Some(answer) = answer.as_ref().filter(|answer| Answer::parse(answer).is_none()) {
                table.fault(FaultKind::UnknownWord, "answer", row, answer);
            }
            let day = |column: &str| table.days(column)[row];
            let (on, due, kept) = (day("on"), day("promise_due"), day("kept_on"));
            let has_promise = table.texts("promised")[row].is_some();
            if !table.is_sound(row) {
                continue;
            }
            if !has_promise && (due.is_some() || kept.is_some()) {
                table.fault(FaultKind::MissingText, "promised", row, "null");
            }
            if has_promise && due.is_none() {
                table.fault(FaultKind::MissingDate, "promise_due", row, "null");
            }
            for (column, day) in [("promise_due", due), ("kept_on", kept)] {
                if let (Some(on), Some(day)) = (on, day)
                    && day < on
                {
                    table.fault(FaultKind::DatesOutOfOrder, column, row, format!("{day}, before {on}"));
                }
            }
        }
        let (kept, table, report) = table.finish()?;
        let rows = kept.into_iter().filter_map(|row| {
            let text = |column: &str| table.texts(column)[row].clone();
            let promise = text("promised").zip(table.days("promise_due")[row]);
            Some(Contact {
                customer_id: known.plain(&text("customer_id")?).to_owned(),
                on: table.days("on")[row]?,
                step: text("step"),
                channel: text("channel"),
                offer: text("offer"),
                answer: answers[row].as_deref().and_then(Answer::parse).unwrap_or_default(),
                promise: promise.map(|(what, due)| Promise {
                    what,
                    due,
                    kept_on: table.days("kept_on")[row],
                }),
                redeemed_amount: Some(table.numbers("redeemed_amount")[row]).filter(|cost| !cost.is_nan()),
                referred_id: text("referred_id"),
            })
        });
        Ok(Contacts { rows: rows.collect(), report })
    }
}
