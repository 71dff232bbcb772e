//! This example trains a churn model on an orders file and saves it.
//!
//! ```sh
//! cargo run --release --example train -- --orders data/online_retail_orders.csv \
//!     --date-col timestamp --horizon-days 60 --model-out model.json
//! ```

mod cli;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::evaluate::Campaign;
use winback::snapshot::HorizonAdvice;
use winback::{ChurnModel, table};

use cli::{Progress, TrainingOptions};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  orders, one row each: who, which day, and better how much. Other names than customer_id, ordered_on and amount are
     named with the --…-col options.
Out: the model as JSON (--model-out), which `score`, `losses`, `plan` and `sql` read. On standard error what was read and left
     out, the model, what drives it, and whether it beats a look at the date of the last purchase.

Example: train --orders data/online_retail_orders.csv --date-col timestamp --segment-col country \
             --horizon-days 60 --model-out model.json"#;

/// Train a churn model on an orders file and save it
#[derive(Parser)]
#[command(after_help = HELP)]
struct Options {
    #[command(flatten)]
    training: TrainingOptions,
    /// Where to save the model
    #[arg(long, value_name = "FILE")]
    model_out: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        table::check_place(&options.model_out)?;
        table::check_apart(&options.model_out, &options.training.reading.orders)?;
        let progress = Progress::start();
        progress.step("reading orders");
        let history = options.training.read()?;
        progress.say_report(&history);
        progress.step("computing features");
        let snapshots = options.training.snapshots(&history)?;
        progress.step("fitting");
        let model = ChurnModel::params().fit(&snapshots)?.with_season(&history)?;
        model.save(&options.model_out)?;
        progress.step("testing the same fit on the log's last cutoff");
        let tested = options.training.evaluate(&history, Campaign::default());
        drop(progress);
        eprintln!("{model}");
        say_effects(&model)?;
        match tested.map(|(_, evaluation)| evaluation.verdict) {
            Ok(Some(verdict)) => eprintln!("verdict, tested on the last cutoff: {verdict}"),
            Ok(None) => {}
            Err(error) => eprintln!("no verdict: {error}"),
        }
        if let Some(advice) = HorizonAdvice::of(&history, options.training.horizon_days)
            && advice.is_far()
        {
            eprintln!("note: {advice}");
        }
        eprintln!("saved to {}", options.model_out.display());
        Ok(())
    })
}

/// What a few understandable steps would change at an ordinary customer.
fn say_effects(model: &ChurnModel) -> Result<(), Box<dyn Error>> {
    let reference = model.reference_customer();
    let effects = model.effects(&reference)?;
    let number = |column: &str, row: usize| -> Result<f64, Box<dyn Error>> {
        Ok(effects.column(column)?.f64()?.get(row).unwrap_or(f64::NAN))
    };
    eprintln!("what drives it, at a customer with {reference}:");
    for row in 0..effects.height() {
        let step = effects.column("step")?.str()?.get(row).unwrap_or_default();
        eprintln!(
            "  {step:<32} {:>3.0} % -> {:>3.0} %   log-odds {:+.2} ({:+.2} to {:+.2})",
            100.0 * number("probability_before", row)?,
            100.0 * number("probability_after", row)?,
            number("log_odds_change", row)?,
            number("low", row)?,
            number("high", row)?,
        );
    }
    Ok(())
}
