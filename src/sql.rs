//! How are features and scores computed where the data live? The same definitions as a query.
//!
//! A log of billions of orders stays in its warehouse or on its cluster. [`FeatureSet::to_sql`] says what to compute
//! there, [`Snapshots::from_frame`](crate::Snapshots::from_frame) takes the panel back to fit on, and
//! [`ChurnModel::to_sql`](crate::ChurnModel::to_sql) says how everybody is scored. The faults of rows, the merging of days, refunds and peers are
//! those of [`History`](crate::History); rows that it would refuse are left out.

mod orders;
mod peers;
mod facts;
mod score;

use crate::day::Day;
use crate::dialect::{Dialect, comment};
use crate::error::{Error, Result};
use crate::features::{Feature, FeatureSet};
use crate::history::HistoryParams;
use crate::snapshot::{LabelWindow, SAMPLE_SALT};

use self::facts::Facts;
use self::orders::Orders;

/// Names of the query's parts, which a table that is not qualified must not have.
const PARTS: [&str; 16] = [
    "orders_as_written",
    "orders_read",
    "valid_orders",
    "customer_days",
    "purchases",
    "returns",
    "cutoffs",
    "known_purchases",
    "customers",
    "returned",
    "came_back",
    "features",
    "transformed",
    "scored",
    "season",
    "observed",
];
/// 2³²: hashes are below it.
const HASHES: f64 = 4_294_967_296.0;

/// A table by name, perhaps in a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    parts: Vec<String>,
    is_typed: bool,
}

impl TableName {
    /// A name of several parts: catalogue, schema, table.
    ///
    /// ```
    /// use winback::{FeatureSet, History, Columns};
    /// use winback::dialect::Dialect;
    /// use winback::sql::TableName;
    ///
    /// let reading = History::params(Columns::new("customer_id", "ordered_on"));
    /// let table = TableName::qualified(["shop", "orders"]);
    /// let query = FeatureSet::standard(90, &[]).to_sql(Dialect::Postgres, table, &reading, &["2024-06-30".parse()?], None)?;
    /// assert!(query.contains(r#"FROM "shop"."orders""#));
    /// # Ok::<(), winback::Error>(())
    /// ```
    pub fn qualified<S: Into<String>>(parts: impl IntoIterator<Item = S>) -> Self {
        TableName { parts: parts.into_iter().map(Into::into).collect(), is_typed: false }
    }

    /// Its date column is a date or timestamp, and its amounts and discounts are numbers. Otherwise every type is
    /// taken, and goes through its text, which takes longer and more to read.
    ///
    /// Where that is not so, the engine refuses the query, or converts as it does elsewhere.
    ///
    /// ```
    /// use winback::{FeatureSet, History, Columns};
    /// use winback::dialect::Dialect;
    /// use winback::sql::TableName;
    ///
    /// let reading = History::params(Columns::new("customer_id", "ordered_on"));
    /// let table = TableName::from("orders").typed();
    /// let query = FeatureSet::standard(90, &[]).to_sql(Dialect::Spark, table, &reading, &["2024-06-30".parse()?], None)?;
    /// assert!(query.contains("unix_date(CAST(`ordered_on` AS DATE)) AS on_day"));
    /// # Ok::<(), winback::Error>(())
    /// ```
    #[must_use]
    pub fn typed(mut self) -> Self {
        self.is_typed = true;
        self
    }

    fn quoted(&self, dialect: Dialect) -> Result<String> {
        if let [name] = self.parts.as_slice() {
            let is_part = |part: &str| part.eq_ignore_ascii_case(name);
            if PARTS.into_iter().any(is_part) || name.to_ascii_lowercase().starts_with("peers_") {
                return Err(Error::parameter(
                    "the table",
                    format!("`{name}`"),
                    "another name than those of the query's own parts; name its schema too",
                ));
            }
        }
        let parts: Vec<String> =
            self.parts.iter().map(|part| dialect.identifier(part)).collect::<Result<_>>()?;
        match parts.is_empty() {
            true => Err(Error::parameter("the table", "no name", "at least one part")),
            false => Ok(parts.join(".")),
        }
    }
}

impl From<&str> for TableName {
    fn from(name: &str) -> Self {
        TableName::qualified([name])
    }
}

impl From<String> for TableName {
    fn from(name: String) -> Self {
        TableName::qualified([name])
    }
}

impl FeatureSet {
    /// The query that computes these features of every customer who had bought by a cutoff: `customer_id, cutoff`,
    /// with a label `churned` (0 or 1), then one column each, null where undefined.
    ///
    /// Rows are in no order. With a label, a cutoff whose label window the log does not cover to its end has no rows.
    /// Without one, the log is taken to be complete until every cutoff. Dates in columns with a time zone are
    /// those of the engine's session. Names of columns and of the table are quoted.
    ///
    /// # Errors
    /// [`Error::NotInSql`] for the caller's own features and a date format; [`Error::Parameter`] without a cutoff or for
    /// a name that cannot be quoted; what [`FeatureSet::resolve`] refuses.
    pub fn to_sql(
        &self,
        dialect: Dialect,
        table: impl Into<TableName>,
        reading: &HistoryParams,
        cutoffs: &[Day],
        label: Option<LabelWindow>,
    ) -> Result<String> {
        self.query(dialect, &table.into(), reading, cutoffs, (label, None))
    }

    /// As [`to_sql`](Self::to_sql), of a share of the customers, above 0 and at most 1: those whose md5 of
    /// `winback-sample-1:` and id, its first 8 hexadecimal digits read as a number, is below the fraction of 2³². They are the
    /// same customers in every engine. Peers are counted among all.
    ///
    /// # Errors
    /// As [`to_sql`](Self::to_sql), and [`Error::Parameter`] for another fraction.
    pub fn to_sql_of_sample(
        &self,
        dialect: Dialect,
        table: impl Into<TableName>,
        reading: &HistoryParams,
        cutoffs: &[Day],
        label: Option<LabelWindow>,
        fraction: f64,
    ) -> Result<String> {
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(Error::parameter("the sample's fraction", fraction, "above 0 and at most 1"));
        }
        self.query(dialect, &table.into(), reading, cutoffs, (label, Some(fraction)))
    }

    fn query(
        &self,
        dialect: Dialect,
        table: &TableName,
        reading: &HistoryParams,
        cutoffs: &[Day],
        (label, fraction): (Option<LabelWindow>, Option<f64>),
    ) -> Result<String> {
        let features = self.resolve_columns(reading.columns())?;
        if let Some(label) = label {
            label.check()?;
        }
        let mut days = cutoffs.to_vec();
        days.sort_unstable();
        days.dedup();
        if days.is_empty() {
            return Err(Error::parameter("cutoffs", "empty", "at least one day"));
        }
        let orders = Orders::new(dialect, table, reading)?;
        // Peers are counted among all customers; where there are none, others need not be grouped at all.
        let (early, late) = match Facts::has_peers(&features, reading.columns()) {
            true => (None, fraction),
            false => (fraction, None),
        };
        let mut parts = orders.parts(early)?;
        parts.extend(label.map(|_| orders.observed()));
        parts.push(cutoffs_of(dialect, &days, label));
        let looks_once = days.len() == 1;
        let facts = Facts { dialect, orders: &orders, features: &features, fraction: late, looks_once };
        parts.extend(facts.parts(label)?);
        let columns: Vec<String> =
            features.iter().map(|feature| dialect.identifier(&feature.name())).collect::<Result<_>>()?;
        let churned = if label.is_some() { ", churned" } else { "" };
        let mut header = orders.header("features of customers at cutoffs");
        header.extend(definitions(&features));
        if let Some(label) = label {
            header.push(format!("churned: 1 for no purchase in the {label}, else 0"));
        }
        if let Some(fraction) = fraction {
            header.push(format!(
                "sampled: customers whose md5('{SAMPLE_SALT}' and id), first 8 digits, is below {fraction} of 2^32"
            ));
        }
        let select =
            format!("SELECT customer_id, cutoff{churned},\n  {}\nFROM features", columns.join(",\n  "));
        Ok(assemble(&header, &parts, &select))
    }
}

/// What every feature means, for the header.
fn definitions(features: &[Feature]) -> Vec<String> {
    let line = |feature: &Feature| {
        let described = feature.describe();
        format!("{}: {} [{}]", feature.name(), described.formula, described.unit)
    };
    features.iter().map(line).collect()
}

/// The cutoffs, and for labels only those whose window is observed.
fn cutoffs_of(dialect: Dialect, days: &[Day], label: Option<LabelWindow>) -> Part {
    let rows: Vec<String> = days
        .iter()
        .map(|&day| {
            let from = match label {
                Some(label) => format!(
                    " FROM observed WHERE {} <= until_day",
                    day.plus_days(label.days()).days_since_epoch()
                ),
                None => String::new(),
            };
            format!("SELECT {} AS cutoff, {} AS cutoff_day{from}", dialect.date(day), day.days_since_epoch())
        })
        .collect();
    Part::new("cutoffs", "days at whose end customers are looked at", rows.join("\n  UNION ALL "))
}

/// A common table expression.
struct Part {
    name: String,
    about: String,
    query: String,
}

impl Part {
    fn new(name: impl Into<String>, about: impl Into<String>, query: impl Into<String>) -> Self {
        Part { name: name.into(), about: about.into(), query: query.into() }
    }
}

/// Comments, common table expressions and the query that reads them.
fn assemble(header: &[String], parts: &[Part], select: &str) -> String {
    let header: String = header.iter().map(|line| format!("-- {}\n", comment(line))).collect();
    let parts: Vec<String> = parts
        .iter()
        .map(|Part { name, about, query }| format!("-- {}\n{name} AS (\n  {query}\n)", comment(about)))
        .collect();
    format!("{header}WITH\n{}\n{select}\n", parts.join(",\n"))
}
