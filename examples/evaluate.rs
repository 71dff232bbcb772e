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
use winback::{ChurnModel, table};

use winback::evaluate::Backtest;

use cli::{Progress, ReadingOptions, TrainingOptions};

/// How many cutoffs are tested, and how many are taken up for that.
const BACKTESTS: usize = 6;
const BACKTEST_CUTOFFS: usize = 16;

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
        progress.step("computing features");
        let (train, test) = options.training.split(&history)?;
        progress.step("fitting");
        let model = ChurnModel::params().fit(&train)?.with_season(&history)?;
        progress.step("testing");
        let backtest = Backtest::run(
            &ChurnModel::params(),
            &options.training.snapshots(&history, BACKTEST_CUTOFFS)?,
            BACKTESTS,
        )?;
        let evaluation = model.evaluate(&test)?.with_backtest(backtest);
        drop(progress);
        eprintln!("{model}");
        writeln!(std::io::stdout(), "{evaluation}")?;
        if let Some(path) = &options.json {
            table::write_json(&evaluation, path)?;
        }
        Ok(())
    })
}
