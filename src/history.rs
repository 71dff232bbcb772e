//! What did each customer do, and for which days do we know?
//!
//! [`History`] is a purchase log, read, checked row by row, and grouped by customer. Its settings
//! travel with every model trained on it, because a model may only score a log read the same way.

mod dates;
mod types;
mod cells;
mod columns;
mod params;
mod read;
mod numbers;
mod row_ids;
mod convert;
mod ids;
mod side;
mod check;
mod rows;
mod run;
mod partition;
mod group;
mod fingerprint;
mod notes;
mod append;
mod arrays;
mod slices;
mod splitters;
mod spill;
mod disk;

use std::hint::black_box;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use polars::prelude::{Column, DataFrame, IntoColumn, LazyFrame};

use self::check::{CleanRows, SetAside, Span, check};
pub use self::columns::Columns;
pub(crate) use self::convert::NO_SEGMENT;
pub use self::disk::{DiskHistory, DiskHistoryParams};
use self::fingerprint::Fingerprint;
use self::group::{Place, group_parts};
pub(crate) use self::ids::CustomerIds;
pub use self::params::{HistoryParams, InvalidRows, Refunds};
use self::partition::Partition;
use self::read::{Source, csv_columns, expand, parquet_columns};
use self::rows::Shape;
pub(crate) use self::run::Run;
pub(crate) use self::side::{Holds, Need, SideCells, SideColumn, SideInput, SideRows, is_parquet, read_side};
use crate::day::Day;
use crate::error::{Error, InputReport, Result};
use crate::table;

/// Values of four and of eight bytes in a cache line.
const DAYS_PER_LINE: usize = 16;
const AMOUNTS_PER_LINE: usize = 8;

impl HistoryParams {
    /// Reads CSV files with a header: paths or patterns (`orders/2024-*.csv`).
    ///
    /// # Errors
    /// A file or column that is not there, faulty rows (all at once), or nothing left to work with.
    pub fn read_csv<P: AsRef<Path>>(&self, paths: impl IntoIterator<Item = P>) -> Result<History> {
        self.check_settings()?;
        let sources =
            expand(paths)?.iter().map(|path| Source::from_csv(path, self)).collect::<Result<_>>()?;
        History::build(sources, self)
    }

    /// Reads Parquet files: paths or patterns.
    ///
    /// # Errors
    /// As [`read_csv`](Self::read_csv), and a column of a type that cannot serve.
    pub fn read_parquet<P: AsRef<Path>>(&self, paths: impl IntoIterator<Item = P>) -> Result<History> {
        self.check_settings()?;
        let sources = expand(paths)?
            .iter()
            .map(|path| Source::from_parquet(path, &self.columns))
            .collect::<Result<_>>()?;
        History::build(sources, self)
    }

    /// Whether any of these CSV files has a column of that name.
    ///
    /// # Errors
    /// A file that is not there or cannot be read.
    pub fn any_csv_has<P: AsRef<Path>>(
        &self,
        paths: impl IntoIterator<Item = P>,
        column: &str,
    ) -> Result<bool> {
        any_has(&expand(paths)?, column, |path| csv_columns(path, self.separator))
    }

    /// Whether any of these Parquet files has a column of that name.
    ///
    /// # Errors
    /// A file that is not there or cannot be read.
    pub fn any_parquet_has<P: AsRef<Path>>(
        &self,
        paths: impl IntoIterator<Item = P>,
        column: &str,
    ) -> Result<bool> {
        any_has(&expand(paths)?, column, parquet_columns)
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// As [`read_parquet`](Self::read_parquet).
    pub fn from_frame(&self, frame: &DataFrame) -> Result<History> {
        self.check_settings()?;
        History::build(vec![Source::from_frame(frame, &self.columns)?], self)
    }

    /// Runs a query for the named columns and takes its result.
    ///
    /// # Errors
    /// As [`read_parquet`](Self::read_parquet), and whatever the query meets.
    pub fn from_lazy(&self, query: LazyFrame) -> Result<History> {
        self.check_settings()?;
        History::build(vec![Source::from_lazy(query, &self.columns)?], self)
    }
}

fn any_has(files: &[PathBuf], column: &str, columns: impl Fn(&Path) -> Result<Vec<String>>) -> Result<bool> {
    for file in files {
        if columns(file)?.iter().any(|name| name == column) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A purchase log, grouped by customer.
///
/// Orders of one customer and day are one *purchase*: the day's amounts, added in ascending order.
/// A day with refunds is a purchase only when its net exceeds 1e-9 of its absolute amounts; any
/// other leaves a refund. Customers are ordered by id: integers numerically, text bytewise.
///
/// ```
/// use polars::df;
/// use winback::{Columns, History};
///
/// let orders = df![
///     "customer_id" => [7, 7, 3],
///     "ordered_on" => ["2024-01-05", "2024-01-05", "2024-02-01"],
///     "amount" => [10.0, 5.5, 8.0],
/// ]?;
/// let history = History::params(Columns::new("customer_id", "ordered_on").with_amount("amount"))
///     .from_frame(&orders)?;
/// assert_eq!(history.customers(), 2);
/// assert_eq!(history.purchases(), 2); // customer 7's two orders of one day are one purchase
/// assert_eq!(history.observed_until().to_string(), "2024-02-01");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct History {
    params: HistoryParams,
    ids: Arc<CustomerIds>,
    /// Where each customer is, by rank of id.
    places: Vec<Place>,
    partitions: Vec<Arc<Partition>>,
    segment_values: Arc<Vec<Vec<String>>>,
    /// First and last day of an order.
    span: Span,
    aside: SetAside,
    report: InputReport,
    /// Computed when first asked for.
    fingerprint: OnceLock<String>,
}

impl History {
    /// Begins to read a log.
    #[must_use]
    pub fn params(columns: Columns) -> HistoryParams {
        HistoryParams {
            columns,
            invalid_rows: InvalidRows::default(),
            refunds: Refunds::default(),
            date_format: None,
            separator: b',',
            decimal_comma: false,
            observed_until: None,
            observed_at_least_until: None,
        }
    }

    /// How the log was read.
    #[must_use]
    pub fn reading(&self) -> &HistoryParams {
        &self.params
    }

    /// What the read found, row by row.
    #[must_use]
    pub fn report(&self) -> &InputReport {
        &self.report
    }

    /// How many customers have an order of any kind.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.places.len()
    }

    /// How many purchases there are: days on which a customer bought.
    #[must_use]
    pub fn purchases(&self) -> usize {
        self.partitions.iter().map(|partition| partition.days.len()).sum()
    }

    /// The first day the log is complete for: that of its first order.
    #[must_use]
    pub fn observed_from(&self) -> Day {
        Day::from_days_since_epoch(self.span.first)
    }

    /// The last day the log is complete for.
    #[must_use]
    pub fn observed_until(&self) -> Day {
        let HistoryParams { observed_until, observed_at_least_until, .. } = self.params;
        let last = self.last_order();
        observed_until.or_else(|| observed_at_least_until.map(|day| day.max(last))).unwrap_or(last)
    }

    /// The day of the last order.
    #[must_use]
    pub fn last_order(&self) -> Day {
        Day::from_days_since_epoch(self.span.last)
    }

    /// Refuses a day more than a horizon after the last order: nobody bought in the whole horizon before it, and so
    /// everybody would look lost, which says nothing of any of them. More likely the orders since are missing.
    ///
    /// # Errors
    /// [`Error::SilentSince`] for such a day.
    pub fn check_silence(&self, as_of: Day, horizon_days: i32) -> Result<()> {
        let last_order = self.last_order();
        match as_of.days_since(last_order) > horizon_days {
            true => Err(Error::SilentSince { as_of, last_order, horizon_days }),
            false => Ok(()),
        }
    }

    /// The values of a segment column, in order of text; `None` where the log was read without it.
    #[must_use]
    pub fn segment_values(&self, column: &str) -> Option<&[String]> {
        Some(&self.segment_values[self.segment_index(column)?])
    }

    /// Sixteen hexadecimal digits that stand for every purchase and refund in the log.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.fingerprint.get_or_init(|| Fingerprint::new(&self.segment_values).with(self).text())
    }

    /// One row per purchase: `customer_id, purchased_on`, and where amounts were read `net_amount,
    /// refunded_amount`, ordered by customer and day.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let mut ranks = Vec::with_capacity(self.purchases());
        let (mut days, mut net, mut refunded) = (Vec::new(), Vec::new(), Vec::new());
        for rank in 0..self.customers() {
            let run = self.run(rank);
            ranks.extend(std::iter::repeat_n(rank as u32, run.days.len()));
            days.extend(run.days.iter().map(|&day| Day::from_days_since_epoch(day)));
            net.extend_from_slice(run.net);
            refunded.extend(run.refunded.dense(run.days.len()));
        }
        let mut columns = vec![self.ids.column("customer_id", &ranks)?, table::dates("purchased_on", days)];
        if self.params.columns.has_amount() {
            let floats = |name: &str, values: Vec<f64>| -> Column {
                polars::prelude::Float64Chunked::from_vec(name.into(), values).into_column()
            };
            columns.extend([floats("net_amount", net), floats("refunded_amount", refunded)]);
        }
        table::frame(columns)
    }

    /// Why there is nobody to look at on that day.
    pub(crate) fn nobody_bought_by(&self, as_of: Day) -> Error {
        let first = self.places.iter().map(|place| place.first).filter(|&first| first < i32::MAX).min();
        no_purchase_by(as_of, first.map(Day::from_days_since_epoch))
    }

    /// Some of its customers, ascending, as they are in this log: what is known of the whole log stays.
    pub(crate) fn of_customers(&self, ranks: &[u32]) -> History {
        History {
            params: self.params.clone(),
            ids: Arc::new(self.ids.pick(ranks)),
            places: ranks.iter().map(|&rank| self.places[rank as usize]).collect(),
            partitions: self.partitions.clone(),
            segment_values: Arc::clone(&self.segment_values),
            span: self.span,
            aside: self.aside.clone(),
            report: self.report.clone(),
            fingerprint: OnceLock::new(),
        }
    }

    pub(crate) fn ids(&self) -> &Arc<CustomerIds> {
        &self.ids
    }

    pub(crate) fn segment_index(&self, column: &str) -> Option<usize> {
        self.params.columns.segments.iter().position(|name| name == column)
    }

    /// Everything known of the customer of that rank.
    pub(crate) fn run(&self, rank: usize) -> Run<'_> {
        let Place { partition, position, .. } = self.places[rank];
        self.partitions[partition as usize].run(position as usize)
    }

    /// The day of the first purchase of the customer of that rank; [`i32::MAX`] without any.
    pub(crate) fn first_purchase(&self, rank: usize) -> i32 {
        self.places[rank].first
    }

    /// The runs of customers by rank, fetched side by side, as they lie all over memory.
    pub(crate) fn runs(&self, ranks: Range<usize>) -> Vec<Run<'_>> {
        // One after the other, each would wait for memory by itself.
        let end = |place: &Place| self.partitions[place.partition as usize].ends[place.position as usize];
        let ends = self.places[ranks.clone()].iter().fold(0, |all, place| all ^ end(place).purchases);
        let runs: Vec<Run> = ranks.map(|rank| self.run(rank)).collect();
        let days = runs.iter().flat_map(|run| run.days.iter().step_by(DAYS_PER_LINE));
        let amounts = runs.iter().flat_map(|run| run.net.iter().step_by(AMOUNTS_PER_LINE));
        black_box((
            ends,
            days.fold(0, |all, day| all ^ day),
            amounts.fold(0, |all, amount| all ^ amount.to_bits()),
        ));
        runs
    }

    fn build(sources: Vec<Source>, params: &HistoryParams) -> Result<History> {
        let (CleanRows { parts, kind, segment_values, span, aside }, report) = check(sources, params, None)?;
        let Some(span) = span else { return Err(Error::NoOrders { report: Box::new(report) }) };
        let (ids, places, partitions) = group_parts(parts, kind, params.shape());
        Ok(History {
            params: params.clone(),
            ids: Arc::new(ids),
            places,
            partitions: partitions.into_iter().map(Arc::new).collect(),
            segment_values: Arc::new(segment_values),
            span,
            aside,
            report,
            fingerprint: OnceLock::new(),
        }
        .noted())
    }
}

fn no_purchase_by(as_of: Day, first: Option<Day>) -> Error {
    let first_purchase = match first {
        Some(day) => format!("the first purchase is on {day}"),
        None => "the log holds no purchase at all".to_owned(),
    };
    Error::BeforeFirstPurchase { as_of, first_purchase }
}

impl HistoryParams {
    fn shape(&self) -> Shape {
        Shape {
            has_amount: self.columns.amount.is_some(),
            has_discount: self.columns.discount.is_some(),
            segments: self.columns.segments.len(),
        }
    }
}
