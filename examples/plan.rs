//! This example plans a win-back campaign: whom to contact, with what, within a budget, and whom to hold out.
//!
//! ```sh
//! cargo run --release --example plan -- --model model.json --orders data/online_retail_orders.csv \
//!     --offers offers.json --budget 2000 --margin 0.3 --out plan.csv
//! ```

mod cli;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::losses::Losses;
use winback::{ChurnModel, Day, table};

use cli::{EvidenceOptions, PlanOptions, Progress, ReadingOptions, parse_day};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  a model of `train`, orders, and offers as JSON, such as
       [{"name": "call", "channel": "phone", "money": false, "contact_cost": 4.0, "capacity": 60,
         "effect": {"assumed": {"low": 0.0, "high": 0.15}}}]
     and tables of what else is known. Orders are read as the model's log was unless said otherwise.
Out: a row per customer (--out): what is to become of them and why, offer, arm, cost, first step. It may be edited;
     `schedule` and `measure` read it. On standard output what the plan costs and brings, where the limits pinch, and what a test
     could show.

Example: plan --model model.json --orders data/online_retail_orders.csv --offers offers.json \
             --budget 1000 --margin 0.3 --holdout-fraction 0.3 --out plan.csv"#;

/// Plan a win-back campaign within a budget
#[derive(Parser)]
#[command(
    after_help = HELP,
    mut_arg("offers", |offers| offers.required(true)),
    mut_arg("budget", |budget| budget.required(true)),
    mut_arg("margin", |margin| margin.required(true)),
)]
struct Options {
    /// The model, as `train` saved it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    plan: PlanOptions,
    #[command(flatten)]
    evidence: EvidenceOptions,
    /// The day the plan is made for; later orders play no part [default: the last order's day]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    as_of: Option<Day>,
    /// Where to write the plan: a name that ends in .csv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| options.plan())
}

impl Options {
    fn check_output(&self) -> winback::Result<()> {
        table::check_writable(&self.out)?;
        let inputs = self.reading.orders.iter().chain([&self.model]).chain(self.plan.files());
        table::check_apart(&self.out, inputs.chain(self.evidence.files()))
    }

    fn plan(&self) -> Result<(), Box<dyn Error>> {
        self.check_output()?;
        let progress = Progress::start();
        // What takes no time to read is refused first.
        let params = self.plan.params(&progress)?.ok_or("the offers, a budget and a margin are needed")?;
        let model = ChurnModel::load(&self.model)?;
        progress.step("reading orders");
        // Later orders are dropped, so that nothing of them shows.
        let history = self.reading.read(Some(model.reading()), |params| match self.as_of {
            Some(day) => params.with_observed_until(day),
            None => params,
        })?;
        progress.say_report(&history);
        progress.step("reading evidence");
        let evidence = self.evidence.read(&history, &progress)?;
        progress.step("examining losses");
        let losses = Losses::params().analyse(&history, &model, &evidence)?;
        let scores = model.score_with_intervals(&history, losses.as_of())?;
        progress.step("planning");
        let plan = params.plan(&scores, &losses, &evidence, &history)?;
        plan.sheet().write(&self.out)?;
        drop(progress);
        eprintln!("written to {}", self.out.display());
        write!(std::io::stdout(), "{plan}")?;
        Ok(())
    }
}
