//! This example makes one page of everything: how many customers are lost, why, who may follow, and whether the
//! model can be trusted.
//!
//! ```sh
//! cargo run --release --example report -- --orders data/online_retail_orders.csv \
//!     --date-col timestamp --segment-col country --horizon-days 60 --out report.html
//! ```

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::evaluate::Campaign;
use winback::evidence::Evidence;
use winback::losses::Losses;
use winback::report::Report;
use winback::table;

use cli::{Progress, TrainingOptions};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  orders, as for `train`.
Out: one HTML file (--out) that needs no network and no script: losses, causes, who may follow, what drives the model, and how far
     it can be trusted. On standard error what was read.

Example: report --orders data/online_retail_orders.csv --date-col timestamp --segment-col country \
             --horizon-days 60 --title "A gift shop" --out report.html"#;

/// Make one page of the losses, their causes, who may follow, and how far the model can be trusted
#[derive(Parser)]
#[command(after_help = HELP)]
struct Options {
    #[command(flatten)]
    training: TrainingOptions,
    /// What stands on top of the page
    #[arg(long, default_value = "Customers who stop buying", value_name = "TEXT")]
    title: String,
    /// Where to write the page
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        table::check_place(&options.out)?;
        table::check_apart(&options.out, &options.training.reading.orders)?;
        let progress = Progress::start();
        progress.step("reading orders");
        let history = options.training.read()?;
        progress.say_report(&history);
        progress.step("training and testing");
        let campaign = Campaign { contact_cost_amount: 1.0, save_fraction: 0.1, margin_fraction: 0.3 };
        let (_, evaluation) = options.training.evaluate(&history, campaign)?;
        let model = winback::ChurnModel::params()
            .fit(&options.training.snapshots(&history)?)?
            .with_season(&history)?;
        progress.step("examining losses");
        let losses = Losses::params().analyse(&history, &model, &Evidence::default())?;
        progress.step("making the page");
        let page = Report::new(&history, &model, &evaluation, &losses).with_title(options.title).to_html()?;
        drop(progress);
        table::write_text(&page, &options.out)?;
        eprintln!("written to {}", options.out.display());
        Ok(())
    })
}
