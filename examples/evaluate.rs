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
use winback::evaluate::Campaign;
use winback::table;

use cli::{Progress, TrainingOptions};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  orders, as for `train`.
Out: on standard output how good a model trained before the last observable day is on that day, beside simpler scores, with
     intervals and a verdict; with --json the same as JSON. On standard error what was read, and the model.

Example: evaluate --orders data/online_retail_orders.csv --date-col timestamp --horizon-days 60 --json evaluation.json"#;

/// Train before, and test at, the last cutoff whose outcome the orders show
#[derive(Parser)]
#[command(after_help = HELP)]
struct Options {
    #[command(flatten)]
    training: TrainingOptions,
    /// What contacting one customer costs, an amount
    #[arg(long, default_value_t = 1.0, value_name = "AMOUNT", allow_negative_numbers = true)]
    contact_cost: f64,
    /// Share of those who would churn that a contact keeps, 0 to 1; an assumption
    #[arg(long, default_value_t = 0.1, value_name = "SHARE", allow_negative_numbers = true)]
    save_fraction: f64,
    /// Margin on what a kept customer spends, 0 to 1
    #[arg(long, default_value_t = 0.3, value_name = "SHARE", allow_negative_numbers = true)]
    margin_fraction: f64,
    /// Also write the evaluation as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Options {
    fn campaign(&self) -> Campaign {
        Campaign {
            contact_cost_amount: self.contact_cost,
            save_fraction: self.save_fraction,
            margin_fraction: self.margin_fraction,
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        options.json.iter().try_for_each(table::check_place)?;
        options.campaign().check()?;
        let progress = Progress::start();
        progress.step("reading orders");
        let history = options.training.read()?;
        progress.say_report(&history);
        progress.step("training and testing");
        let (model, evaluation) = options.training.evaluate(&history, options.campaign())?;
        drop(progress);
        eprintln!("{model}");
        // Before the table, whose reader may stop reading.
        if let Some(path) = &options.json {
            table::write_json(&evaluation, path)?;
        }
        writeln!(std::io::stdout(), "{evaluation}")?;
        Ok(())
    })
}
