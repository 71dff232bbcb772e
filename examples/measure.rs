//! This example measures what a finished campaign brought, against customers who were held out by chance.
//!
//! ```sh
//! cargo run --release --example measure -- --results results.csv --arm-col arm --control none \
//!     --returned-col returned --value-col spend
//! ```

mod cli;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use winback::campaign::{Experiment, Measured, Outcome};
use winback::table;

/// Measure what a finished campaign brought
#[derive(Parser)]
struct Options {
    /// Results, one row per customer: CSV (any ending) or Parquet (.parquet)
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
    /// Column with the arm each customer was assigned to
    #[arg(long, value_name = "NAME")]
    arm_col: String,
    /// Its value for those who were held out
    #[arg(long, value_name = "VALUE")]
    control: String,
    /// Column that says who returned: 0 or 1, true or false, yes or no
    #[arg(long, value_name = "NAME")]
    returned_col: String,
    /// Column with what each customer spent, 0 where nothing
    #[arg(long, value_name = "NAME")]
    value_col: Option<String>,
    /// Column with something known before the assignment, within whose values customers are compared; may be repeated
    #[arg(long, value_name = "NAME")]
    strata_col: Vec<String>,
    /// Column with a score known before the assignment: what would choosing by it be worth?
    #[arg(long, value_name = "NAME")]
    score_col: Option<String>,
    /// Column with the spend expected before the assignment
    #[arg(long, value_name = "NAME")]
    prediction_col: Option<String>,
    /// Planned share of an arm, such as none=0.1; once for every arm
    #[arg(long, value_name = "ARM=SHARE", value_parser = parse_share)]
    split: Vec<(String, f64)>,
    /// What the verdict is about
    #[arg(long, value_enum, default_value = "returned")]
    primary: Primary,
    /// Also write the outcome as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Primary {
    /// The share of customers who returned
    Returned,
    /// The amount spent per customer
    Value,
}

fn parse_share(text: &str) -> Result<(String, f64), String> {
    let expected = || "expected ARM=SHARE, such as none=0.1".to_owned();
    let (arm, share) = text.rsplit_once('=').ok_or_else(expected)?;
    Ok((arm.to_owned(), share.parse().map_err(|_| expected())?))
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        if let Some(json) = &options.json {
            table::check_place(json)?;
            table::check_apart(json, [&options.results])?;
        }
        let mut params = Experiment::params(&options.arm_col, &options.control, &options.returned_col)
            .with_strata(&options.strata_col);
        if let Some(column) = &options.value_col {
            params = params.with_value(column);
        }
        if let Some(column) = &options.score_col {
            params = params.with_score(column);
        }
        if let Some(column) = &options.prediction_col {
            params = params.with_prediction(column);
        }
        let experiment = params.read(&options.results)?;
        eprintln!("{}", experiment.report());
        let mut measuring = Outcome::params().with_primary(match options.primary {
            Primary::Returned => Measured::Returned,
            Primary::Value => Measured::Value,
        });
        if !options.split.is_empty() {
            measuring = measuring.with_split(options.split.clone());
        }
        let outcome = measuring.measure(&experiment)?;
        if let Some(json) = &options.json {
            table::write_json(&outcome, json)?;
        }
        writeln!(std::io::stdout(), "{outcome}")?;
        Ok(())
    })
}
