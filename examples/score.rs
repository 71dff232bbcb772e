//! This example scores every customer of an orders file with a saved model.
//!
//! ```sh
//! cargo run --release --example score -- --model model.json \
//!     --orders data/online_retail_orders.csv --out scores.csv
//! ```

mod cli;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use winback::evaluate::Advice;
use winback::history::HistoryParams;
use winback::{ChurnModel, Day, History, table};

use cli::{Progress, ReadingOptions, parse_day};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  a model of `train`, and orders of the same kind as it was trained on; how they are read is the model's unless said otherwise.
Out: a table with one row per customer (--out): churn_probability, at_risk, days_since_last, and the three ideas that move the
     score most, in words and in log-odds. On standard error what was read, and whether the model is too old.

Example: score --model model.json --orders data/online_retail_orders.csv --out scores.csv"#;

/// Score every customer of an orders file with a saved model
#[derive(Parser)]
#[command(after_help = HELP)]
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
    /// For orders that do not fit in memory: a folder for temporary files, on a disk with room for them
    #[arg(long, value_name = "FOLDER")]
    temporary_folder: Option<PathBuf>,
    /// With --temporary-folder, about how much memory a group of customers may take, in GiB
    #[arg(
        long,
        default_value_t = 1.0,
        value_name = "N",
        allow_negative_numbers = true,
        requires = "temporary_folder"
    )]
    memory_gib: f64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        table::check_writable(&options.out)?;
        table::check_apart(&options.out, options.reading.orders.iter().chain([&options.model]))?;
        options.check_disk()?;
        let progress = Progress::start();
        progress.step("reading the model");
        let model = ChurnModel::load(&options.model)?;
        progress.step("reading orders");
        let (scores, as_of): (Box<dyn Display>, Day) = match &options.temporary_folder {
            Some(folder) => score_from_disk(&options, &model, folder, &progress)?,
            None => score_in_memory(&options, &model, &progress)?,
        };
        drop(progress);
        let trained = model.provenance();
        if as_of < trained.labelled_until {
            eprintln!(
                "note: the model has learned from orders up to {}; scores as of {as_of} are no test of it",
                trained.labelled_until
            );
        }
        eprintln!("{scores}");
        eprintln!("written to {}", options.out.display());
        Ok(())
    })
}

impl Options {
    /// What can be told of the disk's options before anything is read.
    fn check_disk(&self) -> winback::Result<()> {
        let Some(folder) = &self.temporary_folder else { return Ok(()) };
        let refuse = |name, found: &dyn Display, expected| {
            Err(winback::Error::Parameter { name, found: found.to_string(), expected })
        };
        if !self.out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet")) {
            return refuse(
                "--out",
                &self.out.display(),
                "with --temporary-folder, a name that ends in .parquet",
            );
        }
        if !(self.memory_gib.is_finite() && self.memory_gib > 0.0) {
            return refuse("--memory-gib", &self.memory_gib, "a number above 0");
        }
        match folder.is_dir() {
            true => Ok(()),
            false => refuse("--temporary-folder", &folder.display(), "a folder that exists"),
        }
    }

    /// The log is taken to be complete until the day of scoring.
    fn declare(&self, params: HistoryParams) -> HistoryParams {
        match self.as_of {
            Some(day) => params.with_observed_at_least_until(day),
            None => params,
        }
    }
}

/// Says in one line what has become of the model, where it is no longer to be used as it is.
fn say_age(model: &ChurnModel, history: &History, as_of: Day, progress: &Progress) -> winback::Result<()> {
    let ageing = model.check(history, as_of)?;
    if ageing.advice != Advice::Keep {
        progress.say(&format!(
            "note: {}",
            ageing.to_string().lines().map(str::trim).collect::<Vec<_>>().join("; ")
        ));
    }
    Ok(())
}

/// What came of it in words, and the day of scoring.
type Told = winback::Result<(Box<dyn Display>, Day)>;

fn score_in_memory(options: &Options, model: &ChurnModel, progress: &Progress) -> Told {
    let history = options.reading.read(Some(model.reading()), |params| options.declare(params))?;
    let as_of = options.as_of.unwrap_or(history.observed_until());
    progress.say_report(&history);
    progress.step("scoring");
    let scores = match options.intervals {
        true => model.score_with_intervals(&history, as_of)?,
        false => model.score(&history, as_of)?,
    };
    say_age(model, &history, as_of, progress)?;
    table::write(&scores.to_frame()?, &options.out)?;
    Ok((Box::new(scores), as_of))
}

fn score_from_disk(options: &Options, model: &ChurnModel, folder: &Path, progress: &Progress) -> Told {
    let declare = |params| options.declare(params);
    let base = Some(model.reading());
    let history = options.reading.read_to_disk(base, folder, options.memory_gib, declare)?;
    let as_of = options.as_of.unwrap_or(history.observed_until());
    progress.say_disk_report(&history);
    progress.step("scoring");
    let scored = match options.intervals {
        true => model.write_scores_with_intervals(&history, as_of, &options.out)?,
        false => model.write_scores(&history, as_of, &options.out)?,
    };
    Ok((Box::new(scored), as_of))
}
