//! This example trains on all but the last cutoff of an orders file and tests on that one.
//!
//! ```sh
//! cargo run --release --example evaluate -- --orders data/online_retail_orders.csv \
//!     --date-col timestamp --horizon-days 60 --json evaluation.json
//! ```

mod cli;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::table;

use cli::{Progress, ReadingOptions, TrainingOptions};

/// Train before, and test at, the last cutoff whose outcome the orders show
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    training: TrainingOptions,
    /// Also write the evaluation as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        options.json.iter().try_for_each(table::check_place)?;
        let progress = Progress::start();
        progress.step("reading orders");
        let history = options.training.read(&options.reading)?;
        progress.say_report(&history);
        progress.step("training and testing");
        let (model, evaluation) = options.training.evaluate(&history)?;
        drop(progress);
        eprintln!("{model}");
        writeln!(std::io::stdout(), "{evaluation}")?;
        if let Some(path) = &options.json {
            table::write_json(&evaluation, path)?;
        }
        Ok(())
    })
}
