//! This example expects purchases and spend of every customer of an orders file.
//!
//! ```sh
//! cargo run --release --example value -- --orders data/online_retail_orders.csv \
//!     --date-col timestamp --horizon-days 60 --out values.csv
//! ```

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::value::Value;
use winback::{Day, table};

use cli::{Progress, ReadingOptions, parse_day};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  orders with amounts, as for `train`. No model is needed.
Out: a table with one row per customer (--out): the chance to buy, purchases and spend to expect over the horizon, with ranges
     that hold 95 of 100 customers. On standard error the totals, and what the same would have said a horizon earlier.

Example: value --orders data/online_retail_orders.csv --date-col timestamp --horizon-days 60 --out values.csv"#;

/// Expect purchases and spend of every customer of an orders file
#[derive(Parser)]
#[command(after_help = HELP)]
struct Options {
    #[command(flatten)]
    reading: ReadingOptions,
    /// Days to look ahead
    #[arg(long, default_value_t = 90, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=9_125))]
    horizon_days: i32,
    /// The day to look at the customers; orders after it play no part [default: the last order's day]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    as_of: Option<Day>,
    /// Where to write the values: a name that ends in .csv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        table::check_writable(&options.out)?;
        table::check_apart(&options.out, &options.reading.orders)?;
        let progress = Progress::start();
        progress.step("reading orders");
        let history = options.reading.read(None, |params| match options.as_of {
            Some(day) => params.with_observed_at_least_until(day),
            None => params,
        })?;
        progress.say_report(&history);
        progress.step("looking ahead");
        let as_of = options.as_of.unwrap_or(history.observed_until());
        let values = Value::params().with_horizon_days(options.horizon_days).estimate(&history, as_of)?;
        table::write(&values.to_frame()?, &options.out)?;
        drop(progress);
        eprintln!("{values}");
        eprintln!("written to {}", options.out.display());
        Ok(())
    })
}
