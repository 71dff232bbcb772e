//! How the orders are read: the options, and what to say where they do not fit.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use winback::error::FaultKind;
use winback::evidence::TableParams;
use winback::history::{DiskHistory, HistoryParams, InvalidRows, Refunds};
use winback::{Columns, Day, History};

/// The column that holds amounts unless another is named.
const DEFAULT_AMOUNT: &str = "amount";

const GIB: f64 = (1_u64 << 30) as f64;

/// The name of the date format that is in force where none is given.
const ISO_DATES: &str = "%Y-%m-%d";

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
    /// How dates in text are written, such as %d.%m.%Y, or `iso` for YYYY-MM-DD [default: iso]
    #[arg(long, value_name = "FORMAT")]
    pub date_format: Option<String>,
    /// Character between CSV fields [default: a comma]
    #[arg(long, value_name = "CHARACTER", value_parser = parse_separator)]
    pub separator: Option<u8>,
    /// Amounts in text are written 12,50 [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub decimal_comma: Option<bool>,
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

    /// How the business's other tables are read: as the orders are.
    pub fn table(&self) -> TableParams {
        let mut table = TableParams::default();
        if let Some(format) = self.date_format.as_deref().filter(|format| *format != "iso") {
            table = table.with_date_format(format);
        }
        if let Some(separator) = self.separator {
            table = table.with_separator(separator);
        }
        if let Some(is_comma) = self.decimal_comma {
            table = table.with_decimal_comma(is_comma);
        }
        match self.invalid_rows {
            Some(InvalidRowsOption::Drop) => table.with_invalid_rows(InvalidRows::Drop),
            _ => table,
        }
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
            Err(error) => {
                say_format_in_force(base, &error);
                Err(error)
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
            params = params.with_date_format(if format == "iso" { ISO_DATES } else { format });
        }
        if let Some(separator) = self.separator {
            params = params.with_separator(separator);
        }
        if let Some(decimal_comma) = self.decimal_comma {
            params = params.with_decimal_comma(decimal_comma);
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

/// Says what a model's log was written like, where this one is not.
fn say_format_in_force(base: Option<&HistoryParams>, error: &winback::Error) {
    let (Some(base), winback::Error::InvalidRows { report }) = (base, error) else { return };
    let has = |kind| report.faults.iter().any(|fault| fault.kind == kind);
    if has(FaultKind::UnparseableDate) {
        let format = base.date_format().unwrap_or(ISO_DATES);
        eprintln!("note: dates are read as {format} unless --date-format is given, as the model's log was");
    }
    if has(FaultKind::UnparseableAmount) && base.decimal_comma() {
        eprintln!(
            "note: amounts are read as 12,50 unless --decimal-comma=false is given, as the model's log was"
        );
    }
}
