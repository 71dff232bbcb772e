//! winback's side of the comparison with its peers: one piece of work per run, timed inside, told as a
//! line of JSON. `benches/peers/run.sh` runs it and the peers in turn.
//!
//! Without a command it prints how to use it, which is all that `cargo test --bench peers` asks.

#[path = "peers/fit_score.rs"]
mod fit_score;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, CommandFactory, Parser, Subcommand};
use polars::prelude::*;
use serde_json::{Value, json};
use winback::history::HistoryParams;
use winback::{ChurnModel, Columns, Cutoffs, Day, FeatureSet, History, Snapshots};

const COLUMNS: [&str; 3] = ["customer_id", "ordered_on", "amount"];
const HORIZON_DAYS: i32 = 90;
/// The model that is saved to be scored with learns from so many cutoffs.
const TRAINING_CUTOFFS: usize = 2;

#[derive(Parser)]
#[command(about = "One piece of work, timed; a line of JSON with bytes and seconds")]
struct Cli {
    #[command(subcommand)]
    work: Option<Work>,
}

#[derive(Subcommand)]
enum Work {
    /// Reads the three columns and does nothing with them.
    Read(Reading),
    /// From the file to the frame of standard features but the own return.
    Features {
        #[command(flatten)]
        reading: Reading,
        /// Days, separated by commas. One gives one row per customer, several one per customer and day.
        #[arg(long, value_delimiter = ',', required = true)]
        cutoffs: Vec<Day>,
        /// Where to write the frame, after the timing; Parquet.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Trains a model and saves it. Not timed.
    Train {
        file: PathBuf,
        #[arg(long)]
        model: PathBuf,
    },
    /// From the file to the probability of every customer, by a saved model.
    Scores {
        #[command(flatten)]
        reading: Reading,
        #[arg(long)]
        model: PathBuf,
    },
    /// Serves `fit_score.py`: fits and scores the matrices of a folder, one piece of work per line of input.
    FitScore { arguments: Vec<String> },
}

#[derive(Args)]
struct Reading {
    /// Parquet file of orders.
    file: PathBuf,
    /// How often to do it.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    // cargo bench adds `--bench`.
    let arguments = std::env::args().filter(|argument| argument != "--bench");
    match Cli::parse_from(arguments).work {
        None => Cli::command().print_help()?,
        Some(Work::Read(reading)) => {
            let (frame, told) = measure(reading.repeat, || read(&reading.file))?;
            report(told, &frame);
        }
        Some(Work::Features { reading, cutoffs, out }) => {
            let (mut frame, told) = measure(reading.repeat, || features(&reading.file, &cutoffs))?;
            report(told, &frame);
            if let Some(path) = out {
                ParquetWriter::new(fs::File::create(path)?).finish(&mut frame)?;
            }
        }
        Some(Work::Train { file, model }) => train(&file)?.save(&model)?,
        Some(Work::Scores { reading, model }) => {
            let (scores, mut told) = measure(reading.repeat, || {
                let model = ChurnModel::load(&model)?;
                let history = model.reading().read_parquet([&reading.file])?;
                Ok(model.score(&history, history.observed_until())?)
            })?;
            told["rows"] = json!(scores.len());
            println!("{told}");
        }
        Some(Work::FitScore { arguments }) => fit_score::run(&arguments)?,
    }
    Ok(())
}

fn read(file: &Path) -> Result<DataFrame, Box<dyn Error>> {
    let columns = COLUMNS.iter().map(|&name| name.to_owned()).collect();
    Ok(ParquetReader::new(fs::File::open(file)?).with_columns(Some(columns)).finish()?)
}

fn features(file: &Path, cutoffs: &[Day]) -> Result<DataFrame, Box<dyn Error>> {
    let history = orders().read_parquet([file])?;
    let set = FeatureSet::standard(HORIZON_DAYS, &[]);
    Ok(match cutoffs {
        [cutoff] => set.features_at(&history, *cutoff)?,
        several => set.features_at_each(&history, several)?,
    })
}

fn train(file: &Path) -> Result<ChurnModel, Box<dyn Error>> {
    let history = orders().read_parquet([file])?;
    let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &[]))
        .with_horizon_days(HORIZON_DAYS)
        .with_cutoffs(Cutoffs::rolling().at_most(TRAINING_CUTOFFS))
        .build(&history)?;
    Ok(ChurnModel::params().fit(&snapshots)?)
}

fn orders() -> HistoryParams {
    let [customer, date, amount] = COLUMNS;
    History::params(Columns::new(customer, date).with_amount(amount))
}

/// Does it so often; the last result, with the seconds of each time and the memory the last one took.
///
/// What the work needed and no longer holds is freed within the timing.
fn measure<T>(
    repeat: usize,
    mut work: impl FnMut() -> Result<T, Box<dyn Error>>,
) -> Result<(T, Value), Box<dyn Error>> {
    let mut seconds = Vec::new();
    let mut last = None;
    let mut memory = (0, 0);
    for _ in 0..repeat.max(1) {
        drop(last.take());
        // Where the kernel allows it, the peak is forgotten before each time.
        let _ = fs::write("/proc/self/clear_refs", "5");
        let before = status_bytes("VmRSS");
        let begin = Instant::now();
        last = Some(work()?);
        seconds.push(begin.elapsed().as_secs_f64());
        memory = (before, status_bytes("VmHWM"));
    }
    let result = last.ok_or("nothing was done")?;
    Ok((result, json!({ "seconds": seconds, "before_bytes": memory.0, "peak_bytes": memory.1 })))
}

/// A line of this process's status, in bytes; 0 where the system has none.
fn status_bytes(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    1024 * kibibytes.unwrap_or(0)
}

fn report(mut told: Value, frame: &DataFrame) {
    told["rows"] = json!(frame.height());
    told["frame_bytes"] = json!(frame.estimated_size());
    println!("{told}");
}
