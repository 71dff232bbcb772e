//! Why do customers say they left? The table of stated reasons.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::cause::Cause;
use super::codes::{by_word, plain};
use super::known::Known;
use super::report::{TableReport, keep_firsts};
use super::settled::{Contradictions, Settled, Statement};
use super::table::TableParams;
use crate::day::Day;
use crate::error::{Result, counted, shown};
use crate::history::{History, Holds, Need, SideColumn, SideInput};

/// How a table of reasons is read.
///
/// | column | holds | |
/// |---|---|---|
/// | `customer_id` | the id as in the log | needed |
/// | `reason` | the business's own code | needed |
/// | `lost_on` | when the customer left, on or after their first purchase | |
/// | `source` | where it comes from: survey, call, staff | |
/// | `said_to` | whom they told | |
/// | `wants` | what would bring them back | |
/// | `rival`, `rival_price` | where they went, and for how much | |
/// | `inclusion_probability` | the chance this customer had of being asked, above 0 and at most 1 | |
/// | `note` | free text | |
///
/// A customer may stand in several rows; a row that equals an earlier one in every column read counts once.
#[derive(Clone, Debug, Default)]
pub struct ReasonsParams {
    table: TableParams,
    codes: BTreeMap<String, Cause>,
}

impl ReasonsParams {
    /// Says how the table is written.
    #[must_use]
    pub fn with_table(mut self, table: TableParams) -> Self {
        self.table = table;
        self
    }

    /// Says which cause a code of the business stands for, before common words are tried. Case, blanks and
    /// punctuation do not matter.
    #[must_use]
    pub fn with_code(mut self, code: impl AsRef<str>, cause: Cause) -> Self {
        self.codes.insert(plain(code.as_ref()), cause);
        self
    }

    /// The cause that a code stands for, by the codes given and then by common words; `None` where neither
    /// says.
    ///
    /// ```
    /// use winback::evidence::{Cause, Reasons};
    ///
    /// let params = Reasons::params().with_code("R-17", Cause::Price);
    /// assert_eq!(params.cause("r 17"), Some(Cause::Price));
    /// assert_eq!(params.cause("Too expensive!"), Some(Cause::Price));
    /// assert_eq!(params.cause("R-18"), None);
    /// ```
    #[must_use]
    pub fn cause(&self, code: &str) -> Option<Cause> {
        let code = plain(code);
        self.codes.get(&code).copied().or_else(|| by_word(&code))
    }

    /// Reads a file: Parquet where its name ends in `.parquet`, else CSV with a header.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; under
    /// [`InvalidRows::Reject`](crate::history::InvalidRows::Reject) every faulty row at once.
    pub fn read(&self, path: impl AsRef<Path>, history: &History) -> Result<Reasons> {
        self.take(SideInput::File(path.as_ref()), history)
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_frame(&self, frame: &DataFrame, history: &History) -> Result<Reasons> {
        self.take(SideInput::Frame(frame), history)
    }

    fn take(&self, input: SideInput, history: &History) -> Result<Reasons> {
        let optional = |name: &str, holds| SideColumn::new(name, holds, Need::Nothing);
        let columns = [
            SideColumn::new("customer_id", Holds::Ids, Need::Value),
            SideColumn::new("reason", Holds::Text, Need::Value),
            optional("lost_on", Holds::Days),
            optional("source", Holds::Text),
            optional("said_to", Holds::Text),
            optional("wants", Holds::Text),
            optional("rival", Holds::Text),
            optional("rival_price", Holds::Amounts),
            optional("inclusion_probability", Holds::Probabilities),
            optional("note", Holds::Text),
        ];
        let mut table = self.table.take(input, &columns)?;
        let known = Known::Log(history);
        let ranks = known.match_ids(&mut table, "customer_id");
        table.refuse_before_first_purchase("lost_on", &ranks, history);
        table.note_after("lost_on", history.observed_until());
        let (kept, table, mut report) = table.finish()?;
        let text = |name: &str, row: usize| table.texts(name)[row].clone();
        let number = |name: &str, row: usize| Some(table.numbers(name)[row]).filter(|value| !value.is_nan());
        let mut rows = Vec::with_capacity(kept.len());
        for row in kept {
            let code = text("reason", row).unwrap_or_default();
            let cause = self.cause(&code);
            rows.push(Reason {
                customer_id: known.plain(&text("customer_id", row).unwrap_or_default()).to_owned(),
                cause: cause.unwrap_or(Cause::Unknown),
                code,
                lost_on: table.days("lost_on")[row],
                source: text("source", row),
                said_to: text("said_to", row),
                wants: text("wants", row),
                rival: text("rival", row),
                rival_price: number("rival_price", row),
                inclusion_probability: number("inclusion_probability", row),
                note: text("note", row),
            });
        }
        let rows = keep_firsts(rows, Reason::key, &mut report);
        let mut unmapped: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows.iter().filter(|row| self.cause(&row.code).is_none()) {
            *unmapped.entry(row.code.clone()).or_default() += 1;
        }
        let mut unmapped: Vec<UnmappedCode> =
            unmapped.into_iter().map(|(code, rows)| UnmappedCode { code, rows }).collect();
        unmapped.sort_by(|one, other| other.rows.cmp(&one.rows).then_with(|| one.code.cmp(&other.code)));
        Ok(Reasons { rows, unmapped, report })
    }
}

/// One stated reason.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// Whose.
    pub customer_id: String,
    /// The cause it stands for; [`Cause::Unknown`] where the code is not mapped.
    pub cause: Cause,
    /// The business's own code.
    pub code: String,
    /// When the customer left, where said.
    pub lost_on: Option<Day>,
    /// Where it comes from.
    pub source: Option<String>,
    /// Whom they told.
    pub said_to: Option<String>,
    /// What would bring them back.
    pub wants: Option<String>,
    /// Where they went.
    pub rival: Option<String>,
    /// For how much.
    pub rival_price: Option<f64>,
    /// The chance of being asked.
    pub inclusion_probability: Option<f64>,
    /// Free text.
    pub note: Option<String>,
}

impl Reason {
    /// What tells rows apart, in an order that has nothing to do with that of the table.
    fn key(&self) -> impl Ord + use<> {
        let bits = |number: Option<f64>| number.map(f64::to_bits);
        let what = [&self.source, &self.said_to, &self.wants, &self.rival, &self.note].map(Clone::clone);
        let id = (self.customer_id.clone(), self.lost_on, self.code.clone());
        (id, what, bits(self.rival_price), bits(self.inclusion_probability))
    }

    fn statement(&self) -> Statement<'_> {
        (self.cause, self.lost_on, self.source.as_deref(), self.said_to.as_deref())
    }
}

/// A code that stands for no known cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnmappedCode {
    /// The code as it stands in the table.
    pub code: String,
    /// In how many rows.
    pub rows: usize,
}

/// Stated reasons, in the order of the table.
///
/// ```
/// use polars::df;
/// use winback::evidence::{Cause, Reasons};
/// use winback::{Columns, History};
///
/// let orders = df!["customer_id" => [1, 2], "ordered_on" => ["2024-01-05", "2024-02-01"]]?;
/// let history = History::params(Columns::new("customer_id", "ordered_on")).from_frame(&orders)?;
/// let table = df!["customer_id" => [1, 9], "reason" => ["too expensive", "X-4"]]?;
/// let reasons = Reasons::params().from_frame(&table, &history)?;
/// assert_eq!(reasons.causes(&history), [Some(Cause::Price), None]);
/// assert_eq!(reasons.unmapped()[0].code, "X-4"); // listed, not guessed
/// assert_eq!(reasons.report().ids.as_ref().map(|ids| ids.unmatched.len()), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reasons {
    rows: Vec<Reason>,
    unmapped: Vec<UnmappedCode>,
    report: TableReport,
}

impl Reasons {
    /// Begins to read a table of reasons.
    #[must_use]
    pub fn params() -> ReasonsParams {
        ReasonsParams::default()
    }

    /// Every row that can be used.
    #[must_use]
    pub fn rows(&self) -> &[Reason] {
        &self.rows
    }

    /// Codes that stand for no known cause, most frequent first.
    #[must_use]
    pub fn unmapped(&self) -> &[UnmappedCode] {
        &self.unmapped
    }

    /// What the reading found.
    #[must_use]
    pub fn report(&self) -> &TableReport {
        &self.report
    }

    /// What was known by the end of that day: without the rows of customers who left later.
    #[must_use]
    pub fn known_by(&self, as_of: Day) -> Reasons {
        let known = |reason: &&Reason| reason.lost_on.is_none_or(|day| day <= as_of);
        Reasons { rows: self.rows.iter().filter(known).cloned().collect(), ..self.clone() }
    }

    /// The cause of each customer by rank: that of most statements, where who tells the same twice (one source,
    /// person told and day) counts once; of several, that of the latest `lost_on`, where a row without one comes
    /// before all days. `Unknown` where as much still speaks for one cause as for another, or where nothing else was
    /// stated; `None` where nobody said anything. The order of rows does not matter.
    #[must_use]
    pub fn causes(&self, history: &History) -> Vec<Option<Cause>> {
        let mut causes = vec![None; history.customers()];
        for (rank, rows) in self.by_rank(history) {
            causes[rank] = settled(&rows).cause;
        }
        causes
    }

    /// Of how many customers different causes are stated, by whichever sources.
    #[must_use]
    pub fn contradictions(&self) -> Contradictions {
        let mut customers: BTreeMap<&str, Vec<&Reason>> = BTreeMap::new();
        for reason in &self.rows {
            customers.entry(&reason.customer_id).or_default().push(reason);
        }
        let settled: Vec<(&str, Settled)> =
            customers.into_iter().map(|(id, rows)| (id, settled(&rows))).collect();
        Contradictions::among(settled.iter().map(|(id, settled)| (*id, settled)))
    }

    /// Each customer's rows, by rank; in an order that does not depend on that of the table.
    pub(crate) fn by_rank(&self, history: &History) -> BTreeMap<usize, Vec<&Reason>> {
        let mut customers: BTreeMap<usize, Vec<&Reason>> = BTreeMap::new();
        for reason in &self.rows {
            if let Some(rank) = history.ids().rank_of(&reason.customer_id) {
                customers.entry(rank).or_default().push(reason);
            }
        }
        customers
            .values_mut()
            .filter(|rows| rows.len() > 1)
            .for_each(|rows| rows.sort_by_cached_key(|row| row.key()));
        customers
    }

    /// How often sources contradict each other.
    #[must_use]
    pub fn misreporting(&self) -> Misreporting {
        let mut customers: BTreeMap<&str, BTreeMap<&str, Vec<Cause>>> = BTreeMap::new();
        for reason in self.rows.iter().filter(|reason| reason.cause != Cause::Unknown) {
            if let Some(source) = &reason.source {
                let sources = customers.entry(&reason.customer_id).or_default();
                sources.entry(source).or_default().push(reason.cause);
            }
        }
        let mut pairs: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
        let mut result = Misreporting::default();
        for sources in customers.values().filter(|sources| sources.len() > 1) {
            result.customers += 1;
            let sources: Vec<(&&str, &Vec<Cause>)> = sources.iter().collect();
            let mut contradicted = false;
            for (at, (one, causes)) in sources.iter().enumerate() {
                for (other, others) in &sources[at + 1..] {
                    let differ = !causes.iter().any(|cause| others.contains(cause));
                    let (both, apart) = pairs.entry((**one, **other)).or_default();
                    *both += 1;
                    *apart += usize::from(differ);
                    contradicted |= differ;
                }
            }
            result.contradicted += usize::from(contradicted);
        }
        let pair = |((one, other), (customers, contradicted)): ((&str, &str), (usize, usize))| SourcePair {
            sources: (one.to_owned(), other.to_owned()),
            customers,
            contradicted,
        };
        result.pairs = pairs.into_iter().map(pair).collect();
        result
    }
}

/// What the rows of one customer come to.
pub(crate) fn settled(rows: &[&Reason]) -> Settled {
    Settled::of(rows.iter().map(|row| row.statement()))
}

/// How often sources contradict each other about one customer: two sources that share no cause. Rows without
/// a source, or of an unknown cause, say nothing here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Misreporting {
    /// Customers of whom two sources or more told a cause.
    pub customers: usize,
    /// Those of whom two sources told different ones.
    pub contradicted: usize,
    /// The same for every two sources.
    pub pairs: Vec<SourcePair>,
}

/// Two sources, and how often they told of the same customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourcePair {
    /// Their names, in order of text.
    pub sources: (String, String),
    /// Customers of whom both told a cause.
    pub customers: usize,
    /// Those of whom they told different ones.
    pub contradicted: usize,
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reasons: {}", self.report)?;
        for UnmappedCode { code, rows } in &self.unmapped {
            let rows = counted(*rows, "row");
            write!(f, "\n  code {} in {rows} stands for no known cause; map it", shown(code))?;
        }
        let contradictions = self.contradictions();
        if contradictions.customers > 0 {
            write!(f, "\n  {contradictions}")?;
        }
        write!(f, "\n  {}", self.misreporting())
    }
}

impl fmt::Display for Misreporting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misreporting { customers, contradicted, pairs } = self;
        if *customers == 0 {
            return write!(
                f,
                "no customer of whom two sources tell a cause, so nothing can be said of misreporting"
            );
        }
        write!(
            f,
            "two sources or more told of {}, and contradicted each other on {contradicted}",
            counted(*customers, "customer")
        )?;
        for SourcePair { sources: (one, other), customers, contradicted } in pairs {
            write!(f, "\n    {one} and {other}: {contradicted} of {customers}")?;
        }
        Ok(())
    }
}
