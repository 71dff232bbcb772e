//! This example measures what a campaign brought, against customers who were held out by chance: of a plan, or of any
//! finished experiment.
//!
//! ```sh
//! cargo run --release --example measure -- --plan plan.csv --orders orders.csv --contacts contacts.csv \
//!     --json measured.json
//!
//! cargo run --release --example measure -- --results results.csv --arm-col arm --control none \
//!     --returned-col returned --value-col spend
//! ```

mod cli;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use winback::campaign::{Experiment, Measured, Outcome, PlanOutcome};
use winback::evidence::{Contacts, TableParams};
use winback::losses::LapseRule;
use winback::winback::{Offers, PlanSheet};
use winback::{ChurnModel, Day, table};

use cli::{Progress, ReadingOptions, parse_day};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  a plan of `plan` and the orders since; or --results, a table of any finished experiment with one row per customer.
Out: on standard output returns and money of the treated beside those held out, with intervals, whether the arms can be
     trusted, and a verdict; with --json the same as JSON; with --effects-out the offers with their measured effects.

Example: measure --plan plan.csv --orders orders.csv --contacts contacts.csv --json measured.json
         measure --results results.csv --arm-col arm --control none --returned-col returned --value-col spend"#;

/// Measure what a campaign brought: of a plan, or of any finished experiment
#[derive(Parser)]
#[command(after_help = HELP)]
#[command(mut_arg("orders", |orders| orders.required(false).required_unless_present("results").conflicts_with("results")))]
struct Options {
    #[command(flatten)]
    reading: ReadingOptions,
    /// The plan, as `plan` wrote it
    #[arg(long, value_name = "FILE", required_unless_present = "results", conflicts_with = "results")]
    plan: Option<PathBuf>,
    /// A saved model: orders are read as its log was, and customers have lapsed again by its horizon
    #[arg(long, value_name = "FILE", requires = "plan")]
    model: Option<PathBuf>,
    /// What has happened: redemptions, referrals, contacts
    #[arg(long, value_name = "FILE", requires = "plan")]
    contacts: Option<PathBuf>,
    /// Look no further than this day [default: the last day that counts, or as far as the orders go]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, requires = "plan")]
    until: Option<Day>,
    /// The campaign, where the plan holds several
    #[arg(long, value_name = "NAME", requires = "plan")]
    campaign: Option<String>,
    /// The offers: what a contact costs, and what `--effects-out` fills in
    #[arg(long, value_name = "FILE", requires = "plan")]
    offers: Option<PathBuf>,
    /// The share that was to be held out
    #[arg(long, value_name = "FRACTION", requires = "plan")]
    holdout_fraction: Option<f64>,
    /// What a new customer costs
    #[arg(long, value_name = "AMOUNT", requires = "plan")]
    acquisition_cost: Option<f64>,
    /// Where to write the offers with their measured effects, for the next plan
    #[arg(long, value_name = "FILE", requires = "plan")]
    effects_out: Option<PathBuf>,
    /// Results, one row per customer: CSV (any ending) or Parquet (.parquet)
    #[arg(long, value_name = "FILE", requires_all = ["arm_col", "control", "returned_col"])]
    results: Option<PathBuf>,
    /// Column with the arm each customer was assigned to
    #[arg(long, value_name = "NAME", requires = "results")]
    arm_col: Option<String>,
    /// Its value for those who were held out
    #[arg(long, value_name = "VALUE", requires = "results")]
    control: Option<String>,
    /// Column that says who returned: 0 or 1, true or false, yes or no
    #[arg(long, value_name = "NAME", requires = "results")]
    returned_col: Option<String>,
    /// Column with what each customer spent, 0 where nothing
    #[arg(long, value_name = "NAME", requires = "results")]
    value_col: Option<String>,
    /// Column with something known before the assignment, within whose values customers are compared; may be repeated
    #[arg(long, value_name = "NAME", requires = "results")]
    strata_col: Vec<String>,
    /// Column with a score known before the assignment: what would choosing by it be worth?
    #[arg(long, value_name = "NAME", requires = "results")]
    score_col: Option<String>,
    /// Column with the spend expected before the assignment
    #[arg(long, value_name = "NAME", requires = "results")]
    prediction_col: Option<String>,
    /// Planned share of an arm, such as none=0.1; once for every arm
    #[arg(long, value_name = "ARM=SHARE", requires = "results", value_parser = parse_share)]
    split: Vec<(String, f64)>,
    /// What the verdict is about
    #[arg(long, value_enum, default_value = "returned", conflicts_with = "plan")]
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
        let Options { plan, model, contacts, offers, results, .. } = &options;
        let inputs: Vec<&PathBuf> = [plan, model, contacts, offers, results]
            .into_iter()
            .flatten()
            .chain(&options.reading.orders)
            .collect();
        for output in [&options.json, &options.effects_out].into_iter().flatten() {
            table::check_place(output)?;
            table::check_apart(output, &inputs)?;
        }
        match (plan, results) {
            (Some(plan), _) => options.measure_plan(plan),
            (None, Some(results)) => options.measure_results(results),
            (None, None) => Ok(()),
        }
    })
}

impl Options {
    fn measure_plan(&self, plan: &Path) -> Result<(), Box<dyn Error>> {
        let progress = Progress::start();
        progress.step("reading the plan");
        let plan = PlanSheet::read(plan)?;
        progress.say(&format!("plan: {}", plan.report()));
        let offers = self.offers.as_ref().map(Offers::read).transpose()?;
        progress.step("reading orders");
        let model = self.model.as_ref().map(ChurnModel::load).transpose()?;
        let history = self.reading.read(model.as_ref().map(ChurnModel::reading), |params| params)?;
        progress.say_report(&history);
        let contacts = match &self.contacts {
            Some(path) => {
                let ids = plan.rows().iter().map(|row| row.customer_id.as_str());
                let contacts = Contacts::read_among(path, &TableParams::like(&history), ids)?;
                progress.say(&format!("contacts: {}", contacts.report()));
                Some(contacts)
            }
            None => None,
        };
        progress.step("measuring");
        let mut params = PlanOutcome::params();
        if let Some(model) = &model {
            params =
                params.with_lapse_rule(LapseRule::default().with_horizon_days(model.label().horizon_days));
        }
        if let Some(campaign) = &self.campaign {
            params = params.with_campaign(campaign);
        }
        if let Some(until) = self.until {
            params = params.with_until(until);
        }
        if let Some(fraction) = self.holdout_fraction {
            params = params.with_holdout_fraction(fraction);
        }
        if let Some(amount) = self.acquisition_cost {
            params = params.with_acquisition_cost_amount(amount);
        }
        let outcome = params.measure(&plan, &history, contacts.as_ref(), offers.as_ref())?;
        drop(progress);
        if let Some(json) = &self.json {
            table::write_json(&outcome, json)?;
        }
        writeln!(std::io::stdout(), "{outcome}")?;
        if let Some(path) = &self.effects_out {
            table::write_json(&outcome.measured_offers(&plan, offers.as_ref())?, path)?;
        }
        Ok(())
    }

    fn measure_results(&self, results: &Path) -> Result<(), Box<dyn Error>> {
        let text = |option: &Option<String>| option.clone().unwrap_or_default();
        let mut params =
            Experiment::params(text(&self.arm_col), text(&self.control), text(&self.returned_col))
                .with_strata(&self.strata_col);
        if let Some(column) = &self.value_col {
            params = params.with_value(column);
        }
        if let Some(column) = &self.score_col {
            params = params.with_score(column);
        }
        if let Some(column) = &self.prediction_col {
            params = params.with_prediction(column);
        }
        let experiment = params.read(results)?;
        eprintln!("{}", experiment.report());
        let mut measuring = Outcome::params().with_primary(match self.primary {
            Primary::Returned => Measured::Returned,
            Primary::Value => Measured::Value,
        });
        if !self.split.is_empty() {
            measuring = measuring.with_split(self.split.clone());
        }
        let outcome = measuring.measure(&experiment)?;
        if let Some(json) = &self.json {
            table::write_json(&outcome, json)?;
        }
        writeln!(std::io::stdout(), "{outcome}")?;
        Ok(())
    }
}
