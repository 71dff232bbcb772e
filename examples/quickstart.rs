//! This example goes the whole way on the bundled log: read, train, test, and whom to call.
//!
//! ```sh
//! cargo run --example quickstart
//! ```

mod cli;

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use polars::prelude::{AnyValue, DataFrame};
use winback::evaluate::{Backtest, Trial};
use winback::{ChurnModel, Columns, Cutoffs, FeatureSet, History, Snapshots};

const HORIZON_DAYS: i32 = 60;
const CALLS: usize = 10;
const BACKTESTS: usize = 5;

/// Read the bundled log, train a model, test it, and say whom to call: no options, no files written
///
/// Run it where the crate's folder `data` is. The log is that of a gift wholesaler, 2010-12-01 to 2011-12-09; for your own, see the
/// examples `train`, `score` and `evaluate`.
#[derive(Parser)]
struct Options {}

fn main() -> ExitCode {
    Options::parse();
    cli::run(quickstart)
}

fn quickstart() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let here = "data/online_retail_orders.csv";
    let bundled = concat!(env!("CARGO_MANIFEST_DIR"), "/data/online_retail_orders.csv");
    let orders = if Path::new(here).exists() { here } else { bundled };
    let columns = Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["country"]);
    let history = History::params(columns).read_csv([orders])?;
    writeln!(out, "1. What was read\n\n{}\n", history.report())?;

    let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &["country"]))
        .with_horizon_days(HORIZON_DAYS)
        .with_cutoffs(Cutoffs::rolling());
    let trials = Trial::params(snapshots.clone(), ChurnModel::params()).with_season();
    let last = trials.at_last(&history)?;
    let backtest = Backtest::of(&trials, &history, BACKTESTS)?;
    let evaluation = last.model.evaluate(&last.test)?.with_backtest(backtest);
    writeln!(out, "2. How good the model is\n\n{evaluation}")?;
    assert!(evaluation.all.auc > evaluation.all.baselines.recency.auc);

    // What was tested learned from the past of the test; what is used learns from everything.
    let model = ChurnModel::params().fit(&snapshots.build(&history)?)?.with_season(&history)?;
    let scores = model.score(&history, history.observed_until())?;
    writeln!(out, "3. Whom to call\n\n{scores}\n")?;
    let calls = scores.worth_a_call(CALLS)?;
    for row in 0..calls.height() {
        writeln!(
            out,
            "{:>2}. customer {}: {:.0} % likely not to buy in {HORIZON_DAYS} days, spent {:.2} in the last {}",
            row + 1,
            text(&calls, "customer_id", row)?,
            100.0 * number(&calls, "churn_probability", row)?,
            number(&calls, "recent_spend_amount", row)?,
            2 * HORIZON_DAYS,
        )?;
        for driver in ["driver_1", "driver_2", "driver_3"] {
            writeln!(out, "      {}", text(&calls, driver, row)?)?;
        }
    }
    Ok(())
}

fn text(frame: &DataFrame, column: &str, row: usize) -> Result<String, Box<dyn Error>> {
    Ok(match frame.column(column)?.get(row)? {
        AnyValue::String(text) => text.to_owned(),
        other => other.to_string(),
    })
}

fn number(frame: &DataFrame, column: &str, row: usize) -> Result<f64, Box<dyn Error>> {
    Ok(frame.column(column)?.f64()?.get(row).unwrap_or(f64::NAN))
}
