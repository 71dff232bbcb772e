//! This example scores every customer of an orders file with a saved model.
//!
//! ```sh
//! cargo run --release --example score -- --model model.json \
//!     --orders data/online_retail_orders.csv --out scores.csv
//! ```

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::{ChurnModel, Day, table};

use cli::{Progress, ReadingOptions, parse_day};

/// A log that ends so long before the day of scoring may not be complete.
const QUIET_DAYS: i32 = 7;

/// Score every customer of an orders file with a saved model
#[derive(Parser)]
struct Options {
    /// The model, as `train` saved it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    reading: ReadingOptions,
    /// The day to look at the customers; orders after it play no part [default: the last order's day]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    as_of: Option<Day>,
    /// Where to write the scores: a name that ends in .csv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Add the ends of a 95 % interval of every probability: the doubt about the model, not the customer
    #[arg(long)]
    intervals: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        table::check_writable(&options.out)?;
        table::check_apart(&options.out, options.reading.orders.iter().chain([&options.model]))?;
        let progress = Progress::start();
        progress.step("reading the model");
        let model = ChurnModel::load(&options.model)?;
        progress.step("reading orders");
        let history = options.reading.read(Some(model.reading()), |params| match options.as_of {
            Some(day) => params.with_observed_at_least_until(day),
            None => params,
        })?;
        let as_of = options.as_of.unwrap_or(history.observed_until());
        progress.say_report(&history);
        progress.step("scoring");
        let scores = match options.intervals {
            true => model.score_with_intervals(&history, as_of)?,
            false => model.score(&history, as_of)?,
        };
        table::write(&scores.to_frame()?, &options.out)?;
        drop(progress);
        let silent = as_of.days_since(history.last_order());
        if silent > QUIET_DAYS {
            eprintln!(
                "note: the last order is {silent} days before {as_of}; scores take it that nobody bought since"
            );
        }
        eprintln!("{scores}");
        eprintln!("written to {}", options.out.display());
        Ok(())
    })
}
