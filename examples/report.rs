//! This example makes one page of everything: how many customers are lost, why, who may follow, what to do about it,
//! and whether the model can be trusted.
//!
//! ```sh
//! cargo run --release --example report -- --orders data/online_retail_orders.csv \
//!     --date-col timestamp --segment-col country --horizon-days 60 --out report.html
//! ```
//!
//! With `--offers`, `--budget` and `--margin` the page also shows a plan, with `--measured-plan` what an earlier one
//! brought.

mod cli;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::campaign::PlanOutcome;
use winback::evaluate::Campaign;
use winback::evidence::Evidence;
use winback::losses::{LapseRule, Losses};
use winback::report::Report;
use winback::winback::PlanSheet;
use winback::{ChurnModel, Day, History, table};

use cli::{EvidenceOptions, PlanOptions, Progress, ReadingOptions, TrainingOptions, parse_day, with_lapse};

const DEFAULT_HORIZON_DAYS: i32 = 90;
/// What a contact costs, and whom it keeps, where no offers say it.
const CAMPAIGN: Campaign = Campaign { contact_cost_amount: 1.0, save_fraction: 0.1, margin_fraction: 0.3 };

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  orders, as for `train`, and the tables of what else is known, as for `losses` and `plan`. With --offers, --budget and
     --margin a campaign is planned; with --measured-plan an earlier one is measured.
Out: one HTML file (--out) that needs no network and no script: losses, causes, who may follow, what to do first, what is planned,
      what it brought, what drives the model, and how far it can be trusted. On standard error what was read.

Example: report --orders data/online_retail_orders.csv --date-col timestamp --segment-col country --horizon-days 60 \
             --offers data/offers.json --budget 1500 --margin 0.3 --title "A gift shop" --out report.html"#;

/// Make one page of the losses, their causes, who may follow, what is planned, and how far the model can be trusted
#[derive(Parser)]
#[command(after_help = HELP)]
struct Options {
    #[command(flatten)]
    reading: ReadingOptions,
    /// The model, as `train` saved it; without one, a model is trained as `train` does. It is tested by training another one alike on the past
    #[arg(long, value_name = "FILE", conflicts_with_all = ["horizon_days", "lead_days"])]
    model: Option<PathBuf>,
    /// Lost is looked for, and churned learned, over so many days [default: 90]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=9_125))]
    horizon_days: Option<i32>,
    /// Days between the day of scoring and the days in which a purchase counts [default: 0]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(0..=36_500))]
    lead_days: Option<i32>,
    /// No training cutoff before this day
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    first_cutoff: Option<Day>,
    /// The day to look at; later orders play no part [default: the last order's day]
    #[arg(long, visible_alias = "until", value_name = "YYYY-MM-DD", value_parser = parse_day)]
    as_of: Option<Day>,
    /// Lapsed is whose chance to buy in the horizon is below this [default: 0.15]
    #[arg(long, value_name = "FRACTION", conflicts_with = "lapse_days")]
    lapse_limit: Option<f64>,
    /// Lapsed is who bought nothing for so many days, whoever it is
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=9_125))]
    lapse_days: Option<i32>,
    #[command(flatten)]
    evidence: EvidenceOptions,
    #[command(flatten)]
    plan: PlanOptions,
    /// An earlier plan, as `plan` wrote it: what it has brought goes on the page
    #[arg(long, value_name = "FILE")]
    measured_plan: Option<PathBuf>,
    /// What stands on top of the page
    #[arg(long, default_value = "Customers who stop buying", value_name = "TEXT")]
    title: String,
    /// Where to write the page
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| options.report())
}

impl Options {
    fn check_output(&self) -> winback::Result<()> {
        table::check_place(&self.out)?;
        let inputs = self.reading.orders.iter().chain(&self.model).chain(&self.measured_plan);
        table::check_apart(&self.out, inputs.chain(self.evidence.files()).chain(self.plan.files()))
    }

    /// A saved model says what is learned.
    fn training(&self, model: Option<&ChurnModel>) -> TrainingOptions {
        let label = model.map(ChurnModel::label);
        TrainingOptions {
            reading: self.reading.clone(),
            horizon_days: label
                .map_or(self.horizon_days.unwrap_or(DEFAULT_HORIZON_DAYS), |label| label.horizon_days),
            lead_days: label.map_or(self.lead_days.unwrap_or(0), |label| label.lead_days),
            first_cutoff: self.first_cutoff,
            until: self.as_of,
        }
    }

    fn report(&self) -> Result<(), Box<dyn Error>> {
        self.check_output()?;
        let progress = Progress::start();
        // What takes no time to read is refused first.
        let planning = self.plan.params(&progress)?;
        let measured = self.measured_plan.as_ref().map(PlanSheet::read).transpose()?;
        let saved = self.model.as_ref().map(ChurnModel::load).transpose()?;
        progress.step("reading orders");
        let history =
            self.reading.read(saved.as_ref().map(ChurnModel::reading), |params| match self.as_of {
                Some(day) => params.with_observed_until(day),
                None => params,
            })?;
        progress.say_report(&history);
        progress.step("reading evidence");
        let evidence = self.evidence.read(&history, &progress)?;
        progress.step("training and testing");
        let training = self.training(saved.as_ref());
        let (_, evaluation) = training.evaluate(&history, CAMPAIGN)?;
        let model = match saved {
            Some(model) => model,
            None => ChurnModel::params().fit(&training.snapshots(&history)?)?.with_season(&history)?,
        };
        progress.step("examining losses");
        let losses = with_lapse(Losses::params(), self.lapse_limit, self.lapse_days, training.horizon_days)
            .analyse(&history, &model, &evidence)?;
        progress.step("planning");
        let plan = match planning {
            Some(params) => {
                let scores = model.score_with_intervals(&history, losses.as_of())?;
                Some(params.plan(&scores, &losses, &evidence, &history)?)
            }
            None => None,
        };
        let outcome = match &measured {
            Some(sheet) => Some(outcome(sheet, &history, &evidence, losses.lapses().rule())?),
            None => None,
        };
        progress.step("making the page");
        let mut report = Report::new(&history, &model, &evaluation, &losses).with_title(&self.title);
        if let Some(plan) = &plan {
            report = report.with_plan(plan);
        }
        if let Some(outcome) = &outcome {
            report = report.with_plan_outcome(outcome);
        }
        let page = report.to_html()?;
        drop(progress);
        table::write_text(&page, &self.out)?;
        eprintln!("written to {}", self.out.display());
        Ok(())
    }
}

/// What the campaign of a plan brought; who has lapsed again is told by the rule of the page.
fn outcome(
    sheet: &PlanSheet,
    history: &History,
    evidence: &Evidence,
    rule: &LapseRule,
) -> winback::Result<PlanOutcome> {
    PlanOutcome::params().with_lapse_rule(*rule).measure(sheet, history, evidence.contacts(), None)
}
