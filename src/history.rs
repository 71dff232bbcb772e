//! What did each customer do, and for which days do we know?
//!
//! [`History`] is a purchase log, read, checked row by row, and grouped by customer. Its settings
//! travel with every model trained on it, because a model may only score a log read the same way.

mod check;
mod columns;
mod dates;
mod group;
mod ids;
mod read;
mod types;

use std::path::Path;
use std::sync::Arc;

use polars::prelude::{Column, DataFrame, IntoColumn, LazyFrame};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::check::{CleanRows, RowIds, check};
pub(crate) use self::check::NO_SEGMENT;
pub use self::columns::Columns;
use self::group::{Key, Partition, group, mix};
pub(crate) use self::ids::CustomerIds;
use self::read::{Source, expand};
use crate::day::Day;
use crate::error::{Error, InputReport, Notice, Result};
use crate::table;

/// What to do with rows that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvalidRows {
    /// Refuse the log, with every fault in one error.
    #[default]
    Reject,
    /// Leave them out and keep count in the [`InputReport`].
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

    /// Reads CSV files with a header: paths or patterns (`orders/2024-*.csv`).
    ///
    /// # Errors
    /// A file or column that is not there, faulty rows (all at once), or nothing left to work with.
    pub fn read_csv<P: AsRef<Path>>(&self, paths: impl IntoIterator<Item = P>) -> Result<History> {
        self.check_settings()?;
        let sources = expand(paths)?.iter().map(|path| Source::from_csv(path, self)).collect::<Result<_>>()?;
        History::build(sources, self)
    }

    /// Reads Parquet files: paths or patterns.
    ///
    /// # Errors
    /// As [`read_csv`](Self::read_csv), and a column of a type that cannot serve.
    pub fn read_parquet<P: AsRef<Path>>(&self, paths: impl IntoIterator<Item = P>) -> Result<History> {
        self.check_settings()?;
        let sources =
            expand(paths)?.iter().map(|path| Source::from_parquet(path, &self.columns)).collect::<Result<_>>()?;
        History::build(sources, self)
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

    fn check_settings(&self) -> Result<()> {
        self.columns.check()?;
        if matches!(self.separator, b'"' | b'\r' | b'\n') || !self.separator.is_ascii() {
            return Err(Error::parameter(
                "separator",
                format!("{:?}", char::from(self.separator)),
                "one ASCII character other than a quote or a line end",
            ));
        }
        dates::DateText::new(self.date_format.as_deref()).map(drop)
    }

    /// What a model trained on such a log asks of the logs it scores, in words.
    pub(crate) fn policy(&self) -> String {
        let Columns { amount, discount, segments, .. } = &self.columns;
        let with = |column: &Option<String>, name: &str| match column {
            Some(_) => format!("with {name}"),
            None => format!("without {name}"),
        };
        let segments = match segments.as_slice() {
            [] => "no segments".to_owned(),
            names => format!("segments {}", names.join(", ")),
        };
        // Without amounts there are no refunds to treat.
        let refunds = amount.as_ref().map_or("no refunds", |_| self.refunds.describe());
        format!("{}, {refunds}, {}, {segments}", with(amount, "amounts"), with(discount, "discounts"))
    }
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
    /// Partition and position within it of each customer, by rank of id.
    places: Vec<(u32, u32)>,
    partitions: Vec<Partition>,
    segment_values: Vec<Vec<String>>,
    observed_from: Day,
    observed_until: Day,
    report: InputReport,
    fingerprint: String,
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
        self.observed_from
    }

    /// The last day the log is complete for.
    #[must_use]
    pub fn observed_until(&self) -> Day {
        self.observed_until
    }

    /// The values of a segment column, in order of text; `None` where the log was read without it.
    #[must_use]
    pub fn segment_values(&self, column: &str) -> Option<&[String]> {
        Some(&self.segment_values[self.segment_index(column)?])
    }

    /// Sixteen hexadecimal digits that stand for every purchase and refund in the log.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
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
            refunded.extend_from_slice(run.refunded);
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

    pub(crate) fn ids(&self) -> &Arc<CustomerIds> {
        &self.ids
    }

    pub(crate) fn segment_index(&self, column: &str) -> Option<usize> {
        self.params.columns.segments.iter().position(|name| name == column)
    }

    /// Everything known of the customer of that rank.
    pub(crate) fn run(&self, rank: usize) -> Run<'_> {
        let (partition, place) = self.places[rank];
        let partition = &self.partitions[partition as usize];
        let place = place as usize;
        let range = |ends: &[u32]| {
            let start = place.checked_sub(1).map_or(0, |before| ends[before]);
            start as usize..ends[place] as usize
        };
        let purchases = range(&partition.purchase_ends);
        let refunds = range(&partition.refund_ends);
        let slice = |values: &'_ [f64]| -> std::ops::Range<usize> {
            if values.is_empty() { 0..0 } else { purchases.clone() }
        };
        Run {
            days: &partition.days[purchases.clone()],
            net: &partition.net[slice(&partition.net)],
            refunded: &partition.refunded[slice(&partition.refunded)],
            discount: &partition.discount[slice(&partition.discount)],
            segments: &partition.segments,
            start: purchases.start,
            refund_days: &partition.refund_days[refunds.clone()],
            refund_amounts: &partition.refund_amounts[refunds],
        }
    }

    fn build(sources: Vec<Source>, params: &HistoryParams) -> Result<History> {
        let (rows, mut report) = check(sources, params)?;
        let (ids, places, partitions) = group_by_id(&rows);
        let first = rows.days.iter().copied().min().unwrap_or_default();
        let last = rows.days.iter().copied().max().unwrap_or_default();
        let last = Day::from_days_since_epoch(last);
        let observed_until = params
            .observed_until
            .or_else(|| params.observed_at_least_until.map(|day| day.max(last)))
            .unwrap_or(last);
        let mut history = History {
            params: params.clone(),
            ids: Arc::new(ids),
            places,
            fingerprint: String::new(),
            partitions,
            segment_values: rows.segments.into_iter().map(|segment| segment.values).collect(),
            observed_from: Day::from_days_since_epoch(first),
            observed_until,
            report: InputReport::default(),
        };
        history.note(&mut report.notices);
        history.report = report;
        history.fingerprint = history.compute_fingerprint();
        Ok(history)
    }

    /// Adds what only the grouped log shows.
    fn note(&self, notices: &mut Vec<Notice>) {
        let sum = |count: fn(&Partition) -> u64| self.partitions.iter().map(count).sum::<u64>();
        let rows = sum(|partition| partition.duplicate_rows);
        if rows > 0 {
            notices.push(Notice::DuplicateRows { rows });
        }
        let orders = sum(|partition| partition.merged_orders);
        if orders > 0 {
            notices.push(Notice::DaysMerged { orders });
        }
        let firsts: Vec<i32> =
            (0..self.customers()).filter_map(|rank| self.run(rank).days.first().copied()).collect();
        if firsts.len() < self.customers() {
            notices.push(Notice::RefundOnlyCustomers { customers: (self.customers() - firsts.len()) as u64 });
        }
        notices.extend(self.longest_hole());
        let limit = self.observed_from.plus_days(LOG_START_DAYS - 1).days_since_epoch();
        let early = firsts.iter().filter(|&&first| first <= limit).count();
        if early > 0 {
            let fraction = early as f64 / firsts.len() as f64;
            notices.push(Notice::FirstOrderAtLogStart { fraction, days: LOG_START_DAYS });
        }
    }

    fn longest_hole(&self) -> Option<Notice> {
        let span = self.observed_until.days_since(self.observed_from).max(0) as usize + 1;
        let mut sold = vec![false; span];
        let from = self.observed_from.days_since_epoch();
        for partition in &self.partitions {
            partition.days.iter().for_each(|day| sold[(day - from) as usize] = true);
        }
        let days: Vec<i32> = (0..).zip(sold).filter_map(|(day, sold)| sold.then_some(day)).collect();
        let steps: Vec<i32> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut sorted = steps.clone();
        sorted.sort_unstable();
        let median = *sorted.get(sorted.len() / 2)?;
        let is_hole = |step: i32| step > HOLE_DAYS && step > HOLE_TIMES_MEDIAN * median;
        // The first of the longest.
        let (place, &step) = steps.iter().enumerate().rev().max_by_key(|(_, step)| **step)?;
        is_hole(step).then(|| Notice::Hole {
            after: self.observed_from.plus_days(days[place]),
            until: self.observed_from.plus_days(days[place + 1]),
            holes: steps.iter().filter(|&&step| is_hole(step)).count() as u64,
        })
    }

    fn compute_fingerprint(&self) -> String {
        let hash = |start: u64, words: &mut dyn Iterator<Item = u64>| words.fold(start, |h, word| mix(h ^ word));
        let customers = (0..self.customers()).into_par_iter().map(|rank| {
            let run = self.run(rank);
            let id = self.ids.text(rank).bytes().fold(0, |h, byte| mix(h ^ u64::from(byte)));
            let days = run.days.iter().chain(run.refund_days).map(|&day| day as u64);
            let amounts = [run.net, run.refunded, run.discount, run.refund_amounts].into_iter().flatten();
            let segments = (0..run.segments.len()).flat_map(|column| run.segment(column)).map(|&code| u64::from(code));
            hash(id, &mut days.chain(amounts.map(|amount| amount.to_bits())).chain(segments))
        });
        let mut values = self.segment_values.iter().flatten().flat_map(|value| value.bytes()).map(u64::from);
        let start = hash(0, &mut values);
        let customers: Vec<u64> = customers.collect();
        format!("{:016x}", hash(start, &mut customers.into_iter()))
    }
}

/// The log's first days, in which a first order may not be the customer's first.
const LOG_START_DAYS: i32 = 90;
/// A hole is longer than this …
const HOLE_DAYS: i32 = 7;
/// … and than this many times the median step from one selling day to the next.
const HOLE_TIMES_MEDIAN: i32 = 5;

/// One customer's whole history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// Purchase days, ascending.
    pub(crate) days: &'a [i32],
    /// Net amounts; empty without amounts.
    pub(crate) net: &'a [f64],
    /// Refunded on purchase days; empty without amounts.
    pub(crate) refunded: &'a [f64],
    /// Discounts; empty without them.
    pub(crate) discount: &'a [f64],
    /// The partition's segment codes; see [`segment`](Self::segment).
    pub(crate) segments: &'a [Vec<u32>],
    start: usize,
    /// Refund-only days, ascending.
    pub(crate) refund_days: &'a [i32],
    /// What went back on them.
    pub(crate) refund_amounts: &'a [f64],
}

impl<'a> Run<'a> {
    /// The codes of one segment column, one per purchase.
    pub(crate) fn segment(&self, column: usize) -> &'a [u32] {
        &self.segments[column][self.start..self.start + self.days.len()]
    }

    /// What was known at the end of that day.
    pub(crate) fn until(&self, cutoff: Day) -> Run<'a> {
        let known = |days: &[i32]| days.partition_point(|&day| day <= cutoff.days_since_epoch());
        let purchases = known(self.days);
        let refunds = known(self.refund_days);
        let cut = |values: &'a [f64]| &values[..purchases.min(values.len())];
        Run {
            days: &self.days[..purchases],
            net: cut(self.net),
            refunded: cut(self.refunded),
            discount: cut(self.discount),
            refund_days: &self.refund_days[..refunds],
            refund_amounts: &self.refund_amounts[..refunds],
            ..*self
        }
    }
}

type Places = Vec<(u32, u32)>;

fn group_by_id(rows: &CleanRows) -> (CustomerIds, Places, Vec<Partition>) {
    match &rows.ids {
        RowIds::Int { values, dtype } => {
            let (keys, places, partitions) = group_keys(values, rows);
            (CustomerIds::Int { values: keys, dtype: dtype.clone() }, places, partitions)
        }
        RowIds::Wide { values, dtype } => {
            let (keys, places, partitions) = group_keys(values, rows);
            (CustomerIds::Wide { values: keys, dtype: dtype.clone() }, places, partitions)
        }
        RowIds::Text(text) => {
            let keys: Vec<&str> = text.iter().map(Option::unwrap_or_default).collect();
            let (keys, places, partitions) = group_keys(&keys, rows);
            (CustomerIds::from_texts(keys), places, partitions)
        }
    }
}

fn group_keys<K: Key>(keys: &[K], rows: &CleanRows) -> (Vec<K>, Places, Vec<Partition>) {
    let mut all = Vec::new();
    let mut partitions = Vec::new();
    for (number, (keys, partition)) in (0_u32..).zip(group(keys, rows)) {
        all.extend(keys.into_iter().zip(0_u32..).map(|(key, place)| (key, (number, place))));
        partitions.push(partition);
    }
    all.par_sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let (keys, places) = all.into_iter().unzip();
    (keys, places, partitions)
}
