//! This example learns from past attempts to win customers back who returns.
//!
//! ```sh
//! cargo run --release --example returns -- --attempts attempts.csv --returned-col returned \
//!     --numeric days_lapsed,orders_before --categorical cause
//! ```

mod cli;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::table;
use winback::winback::Returns;

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  a table of past attempts to win customers back, one per row: whether they returned, and what was known before.
Out: on standard output what goes with a return, with intervals, and how well returns can be told in advance, cross-validated;
     with --json the same as JSON. What it says of an offer is an association, unless offers were drawn by chance.

Example: returns --attempts attempts.csv --returned-col returned --numeric silent_days,purchases --categorical cause,channel"#;

/// Learn from past attempts who returns
#[derive(Parser)]
#[command(after_help = HELP)]
struct Options {
    /// Past attempts, one per row: CSV (any ending) or Parquet (.parquet)
    #[arg(long, value_name = "FILE")]
    attempts: PathBuf,
    /// Column that says who returned: 0 or 1, true or false, yes or no
    #[arg(long, value_name = "NAME")]
    returned_col: String,
    /// Columns of numbers known before the attempt, separated by commas
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    numeric: Vec<String>,
    /// Columns of text known before the attempt, separated by commas
    #[arg(long, value_name = "C,…", value_delimiter = ',')]
    categorical: Vec<String>,
    /// Folds of the cross-validation
    #[arg(long, default_value_t = 10, value_name = "N")]
    folds: usize,
    /// Also write the result as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        if let Some(json) = &options.json {
            table::check_place(json)?;
            table::check_apart(json, [&options.attempts])?;
        }
        let returns = Returns::params(&options.returned_col)
            .with_numeric(&options.numeric)
            .with_categorical(&options.categorical)
            .with_folds(options.folds)
            .read(&options.attempts)?;
        eprintln!("{}", returns.report);
        if let Some(json) = &options.json {
            table::write_json(&returns, json)?;
        }
        writeln!(std::io::stdout(), "{returns}")?;
        Ok(())
    })
}
