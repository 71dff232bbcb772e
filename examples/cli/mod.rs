//! What the example binaries share: reading options, progress, errors.

#![allow(dead_code, reason = "each binary uses a part of it")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use winback::evaluate::{Backtest, Campaign, Profit, Trial, TrialParams};
use winback::history::{DiskHistory, HistoryParams, InvalidRows, Refunds};
use winback::model::ChurnModelParams;
use winback::snapshot::SnapshotsParams;
use winback::{ChurnModel, Columns, Cutoffs, Day, Evaluation, FeatureSet, History, Snapshots};

/// The column that holds amounts unless another is named.
const DEFAULT_AMOUNT: &str = "amount";
/// How many training cutoffs are taken at most.
const TRAINING_CUTOFFS: usize = 8;

const GIB: f64 = (1_u64 << 30) as f64;

/// How many cutoffs a backtest tests.
const BACKTESTS: usize = 6;

/// How to read the orders. Where a model is given, its own way of reading is the default.
#[derive(Args, Clone, Debug)]
pub struct ReadingOptions {
    /// Orders: CSV (any ending) or Parquet (.parquet) files, or patterns such as 'orders/*.csv'
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub orders: Vec<PathBuf>,
    /// Column with the customer's id: text or integers [default: customer_id]
    #[arg(long, value_name = "NAME")]
    pub customer_col: Option<String>,
    /// Column with the order's date, with or without a time of day [default: ordered_on]
    #[arg(long, value_name = "NAME")]
    pub date_col: Option<String>,
    /// Column with the order's amount; negative amounts are refunds [default: amount, where it exists]
    #[arg(long, value_name = "NAME")]
    pub amount_col: Option<String>,
    /// Column with what was taken off the price
    #[arg(long, value_name = "NAME")]
    pub discount_col: Option<String>,
    /// Column that customers share with their peers, such as a store or country; may be repeated
    #[arg(long, value_name = "NAME")]
    pub segment_col: Vec<String>,
    /// How dates in text are written, such as %d.%m.%Y [default: YYYY-MM-DD]
    #[arg(long, value_name = "FORMAT")]
    pub date_format: Option<String>,
    /// Character between CSV fields [default: a comma]
    #[arg(long, value_name = "CHARACTER", value_parser = parse_separator)]
    pub separator: Option<u8>,
    /// Amounts in text are written 12,50
    #[arg(long)]
    pub decimal_comma: bool,
    /// What to do with negative amounts [default: net]
    #[arg(long, value_enum)]
    pub refunds: Option<RefundsOption>,
    /// What to do with rows that cannot be used [default: reject]
    #[arg(long, value_enum)]
    pub invalid_rows: Option<InvalidRowsOption>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RefundsOption {
    /// Set against the purchases of their day
    Net,
    /// Set aside
    Drop,
    /// Treated as faults
    Reject,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum InvalidRowsOption {
    /// Stop, and list every fault
    Reject,
    /// Leave them out, and count them
    Drop,
}

fn parse_separator(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if byte.is_ascii() => Ok(*byte),
            _ => Err("expected one ASCII character, or `tab`".to_owned()),
        },
    }
}

pub fn parse_day(text: &str) -> Result<Day, String> {
    text.parse().map_err(|error: winback::Error| error.to_string())
}

impl ReadingOptions {
    /// Reads the orders; `base` is how a model's log was read.
    pub fn read(
        &self,
        base: Option<&HistoryParams>,
        declare: impl Fn(HistoryParams) -> HistoryParams,
    ) -> winback::Result<History> {
        let is_parquet = self.are_parquet()?;
        self.read_by(base, declare, |params| match is_parquet {
            true => params.read_parquet(&self.orders),
            false => params.read_csv(&self.orders),
        })
    }

    /// As [`read`](Self::read), for orders that do not fit in memory.
    pub fn read_to_disk(
        &self,
        base: Option<&HistoryParams>,
        folder: &Path,
        memory_gib: f64,
        declare: impl Fn(HistoryParams) -> HistoryParams,
    ) -> winback::Result<DiskHistory> {
        if !self.are_parquet()? {
            return Err(winback::Error::Parameter {
                name: "--orders",
                found: "CSV with --temporary-folder".to_owned(),
                expected: "Parquet files; write the log as Parquet first",
            });
        }
        self.read_by(base, declare, |params| {
            DiskHistory::params(params.clone(), folder)
                .with_memory_bytes((memory_gib * GIB) as usize)
                .read_parquet(&self.orders)
        })
    }

    fn read_by<T>(
        &self,
        base: Option<&HistoryParams>,
        declare: impl Fn(HistoryParams) -> HistoryParams,
        read: impl Fn(&HistoryParams) -> winback::Result<T>,
    ) -> winback::Result<T> {
        let amount = self.amount_col.clone().or_else(|| match base {
            Some(base) => base.columns().amount().map(str::to_owned),
            None => Some(DEFAULT_AMOUNT.to_owned()),
        });
        let may_lack_amount = base.is_none() && self.amount_col.is_none();
        match read(&declare(self.params(base, amount))) {
            // No amounts then, if no file has them; should another column be missing too, that is said now.
            Err(winback::Error::MissingColumns { missing, .. })
                if may_lack_amount
                    && missing.iter().any(|name| name == DEFAULT_AMOUNT)
                    && !self.any_has_amounts()? =>
            {
                read(&declare(self.params(base, None)))
            }
            done => done,
        }
    }

    fn any_has_amounts(&self) -> winback::Result<bool> {
        let params = History::params(Columns::new("", "")).with_separator(self.separator.unwrap_or(b','));
        match self.are_parquet()? {
            true => params.any_parquet_has(&self.orders, DEFAULT_AMOUNT),
            false => params.any_csv_has(&self.orders, DEFAULT_AMOUNT),
        }
    }

    /// Whether the files are Parquet; all must be of one kind.
    fn are_parquet(&self) -> winback::Result<bool> {
        let is_parquet =
            |path: &&PathBuf| path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
        match self.orders.iter().filter(is_parquet).count() {
            0 => Ok(false),
            all if all == self.orders.len() => Ok(true),
            _ => Err(winback::Error::Parameter {
                name: "--orders",
                found: "CSV and Parquet together".to_owned(),
                expected: "files of one kind",
            }),
        }
    }

    fn params(&self, base: Option<&HistoryParams>, amount: Option<String>) -> HistoryParams {
        let given = base.map(HistoryParams::columns);
        let pick = |option: &Option<String>, of_base: Option<&str>, default: &str| {
            option.clone().unwrap_or_else(|| of_base.unwrap_or(default).to_owned())
        };
        let mut columns = Columns::new(
            pick(&self.customer_col, given.map(Columns::customer), "customer_id"),
            pick(&self.date_col, given.map(Columns::date), "ordered_on"),
        );
        if let Some(amount) = amount {
            columns = columns.with_amount(amount);
        }
        if let Some(discount) = self.discount_col.as_deref().or(given.and_then(Columns::discount)) {
            columns = columns.with_discount(discount);
        }
        let segments = match (self.segment_col.as_slice(), given) {
            ([], Some(given)) => given.segments(),
            (named, _) => named,
        };
        columns = columns.with_segments(segments);
        let mut params = match base {
            Some(base) => base.clone().with_columns(columns),
            None => History::params(columns),
        };
        if let Some(format) = &self.date_format {
            params = params.with_date_format(format);
        }
        if let Some(separator) = self.separator {
            params = params.with_separator(separator);
        }
        if self.decimal_comma {
            params = params.with_decimal_comma(true);
        }
        if let Some(refunds) = self.refunds {
            params = params.with_refunds(match refunds {
                RefundsOption::Net => Refunds::Net,
                RefundsOption::Drop => Refunds::Drop,
                RefundsOption::Reject => Refunds::Reject,
            });
        }
        if let Some(invalid_rows) = self.invalid_rows {
            params = params.with_invalid_rows(match invalid_rows {
                InvalidRowsOption::Reject => InvalidRows::Reject,
                InvalidRowsOption::Drop => InvalidRows::Drop,
            });
        }
        params
    }
}

/// What is learned, from which orders, over which days.
#[derive(Args, Clone, Debug)]
pub struct TrainingOptions {
    #[command(flatten)]
    pub reading: ReadingOptions,
    /// Churned is who buys nothing for so many days
    #[arg(long, default_value_t = 90, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=9_125))]
    pub horizon_days: i32,
    /// Days between the day of scoring and the days in which a purchase counts
    #[arg(long, default_value_t = 0, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(0..=36_500))]
    pub lead_days: i32,
    /// No training cutoff before this day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    pub first_cutoff: Option<Day>,
    /// Drop every later order, and take the log to be complete until this day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    pub until: Option<Day>,
}

impl TrainingOptions {
    pub fn read(&self) -> winback::Result<History> {
        self.reading.read(None, |params| match self.until {
            Some(day) => params.with_observed_until(day),
            None => params,
        })
    }

    /// How snapshots are taken, at up to so many cutoffs.
    fn snapshots_params(&self, features: FeatureSet, at_most: usize) -> SnapshotsParams {
        let mut cutoffs = Cutoffs::rolling().at_most(at_most);
        if let Some(first) = self.first_cutoff {
            cutoffs = cutoffs.starting(first);
        }
        Snapshots::params(features)
            .with_horizon_days(self.horizon_days)
            .with_lead_days(self.lead_days)
            .with_cutoffs(cutoffs)
    }

    /// The standard features for this log.
    pub fn features(&self, history: &History) -> FeatureSet {
        let segments: Vec<&str> = history.reading().columns().segments().iter().map(String::as_str).collect();
        FeatureSet::standard(self.horizon_days, &segments)
    }

    /// Snapshots to train on, back from the last observable cutoff.
    pub fn snapshots(&self, history: &History) -> winback::Result<Snapshots> {
        self.snapshots_params(self.features(history), TRAINING_CUTOFFS).build(history)
    }

    /// How a model is made to be tested at a cutoff.
    pub fn trials(&self, features: FeatureSet, params: ChurnModelParams) -> TrialParams {
        // Besides the training cutoffs: the test cutoff, and those whose label reaches past it.
        let step = (self.horizon_days / 2).max(1);
        let straddling = (self.horizon_days + self.lead_days - 1) / step;
        let snapshots = self.snapshots_params(features, TRAINING_CUTOFFS + 1 + straddling as usize);
        Trial::params(snapshots, params)
    }

    /// Trains on the past of the last observable cutoff, tests there, and does the same at earlier cutoffs.
    pub fn evaluate(
        &self,
        history: &History,
        campaign: Campaign,
    ) -> winback::Result<(ChurnModel, Evaluation)> {
        let params = ChurnModel::params();
        let trials = self.trials(self.features(history), params.clone()).with_season();
        let Trial { train, test, model, .. } = trials.at_last(history)?;
        let backtest = Backtest::of(&trials, history, BACKTESTS)?;
        let profit = Profit::run(campaign, &model, &params, &train, &test)?;
        let evaluation = model.evaluate(&test)?.with_backtest(backtest).with_profit(profit);
        Ok((model, evaluation))
    }
}

/// A line of progress on stderr, when that is a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    pub fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(bar)
    }

    /// Says what was read, above the line of progress.
    pub fn say_report(&self, history: &History) {
        self.0.suspend(|| say_report(history));
    }

    /// As [`say_report`](Self::say_report), of a log on disk.
    pub fn say_disk_report(&self, history: &DiskHistory) {
        self.0.suspend(|| {
            eprintln!("{}", history.report());
            eprintln!(
                "  {} customers, {} purchases, {} to {}, in {} groups on disk",
                history.customers(),
                history.purchases(),
                history.observed_from(),
                history.observed_until(),
                history.groups()
            );
        });
    }

    pub fn step(&self, what: &'static str) {
        self.0.set_message(what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Says on stderr what was read.
fn say_report(history: &History) {
    let report = history.report();
    eprintln!("{report}");
    eprintln!(
        "  {} customers, {} purchases, {} to {}",
        history.customers(),
        history.purchases(),
        history.observed_from(),
        history.observed_until()
    );
}

/// Runs a command: 0 on success, 1 for bad data, 2 for bad usage.
pub fn run(command: impl FnOnce() -> Result<(), Box<dyn Error>>) -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            if let Some(winback::Error::MissingColumns { .. }) = error.downcast_ref() {
                eprintln!(
                    "name columns with --customer-col, --date-col, --amount-col, --discount-col, --segment-col"
                );
            }
            match error.downcast_ref() {
                Some(winback::Error::Parameter { .. }) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
