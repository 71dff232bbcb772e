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
use winback::evidence::{
    Changes, Contacts, CustomerTable, Evidence, Incidents, Reasons, Suppressions, TableParams,
};
use winback::losses::Losses;
use winback::winback::{Offers, PlanSheet, WinbackPlan};
use winback::{ChurnModel, Day, History, table};

use cli::{Progress, ReadingOptions, parse_day};

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
#[command(after_help = HELP)]
struct Options {
    /// The model, as `train` saved it
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    reading: ReadingOptions,
    /// The offers, as JSON: a list of objects with name, channel, effect, and more where known
    #[arg(long, value_name = "FILE")]
    offers: PathBuf,
    /// What the plan may cost, an amount
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    budget: f64,
    /// What is left of an amount spent after costs, above 0 and at most 1
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    margin: f64,
    /// Stated reasons: a table with customer_id, reason, and more where known
    #[arg(long, value_name = "FILE")]
    reasons: Option<PathBuf>,
    /// Incidents: a table with customer_id, occurred_on, kind (service_failure, late_delivery, late_payment, unpaid, abuse, complaint, praise or other), and cost where known
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
    /// What was changed to keep customers: a table with segment, value, cause, changed_on, what
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,
    /// Whom nobody may contact: a table with customer_id, and reason and until (a last day) where known
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    /// Facts about customers: a table with customer_id, and household_id and persona where known
    #[arg(long, value_name = "FILE")]
    customers: Option<PathBuf>,
    /// What came of earlier contacts: a table with customer_id, on, and answer, redeemed_amount, referred_id and more where known
    #[arg(long, value_name = "FILE")]
    contacts: Option<PathBuf>,
    /// An earlier plan, whose arms are kept as long as they are measured
    #[arg(long, value_name = "FILE")]
    previous_plan: Option<PathBuf>,
    /// Share of those who would be contacted that is held out, from 0 to below 1
    #[arg(long, value_name = "FRACTION", default_value_t = 0.1, allow_negative_numbers = true)]
    holdout_fraction: f64,
    /// Share of those who would be contacted that gets one of the offers for them by lot, 0 to 1
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0, allow_negative_numbers = true)]
    explore_fraction: f64,
    /// Seed of everything that is drawn by lot
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Name of the campaign; arms are drawn by it
    #[arg(long, value_name = "NAME", default_value = "win-back")]
    campaign: String,
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
        let tables = [
            &self.reasons,
            &self.incidents,
            &self.changes,
            &self.suppress,
            &self.customers,
            &self.contacts,
            &self.previous_plan,
        ];
        let inputs = self.reading.orders.iter().chain([&self.model, &self.offers]);
        table::check_apart(&self.out, inputs.chain(tables.into_iter().flatten()))
    }

    fn plan(&self) -> Result<(), Box<dyn Error>> {
        self.check_output()?;
        let progress = Progress::start();
        // What takes no time to read is refused first.
        let mut params = WinbackPlan::params(Offers::read(&self.offers)?, self.margin)
            .with_budget_amount(self.budget)
            .with_holdout_fraction(self.holdout_fraction)
            .with_explore_fraction(self.explore_fraction)
            .with_seed(self.seed)
            .with_campaign(&self.campaign);
        if let Some(path) = &self.previous_plan {
            let sheet = PlanSheet::read(path)?;
            progress.say(&format!("earlier plan: {}", sheet.report()));
            params = params.with_previous(sheet);
        }
        params.check()?;
        let model = ChurnModel::load(&self.model)?;
        progress.step("reading orders");
        // Later orders are dropped, so that nothing of them shows.
        let history = self.reading.read(Some(model.reading()), |params| match self.as_of {
            Some(day) => params.with_observed_until(day),
            None => params,
        })?;
        progress.say_report(&history);
        progress.step("reading evidence");
        let evidence = self.evidence(&history, &progress)?;
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

    fn evidence(&self, history: &History, progress: &Progress) -> winback::Result<Evidence> {
        let table = TableParams::like(history);
        let mut evidence = Evidence::default();
        if let Some(path) = &self.reasons {
            let reasons = Reasons::params().with_table(table.clone()).read(path, history)?;
            progress.say(&reasons);
            evidence = evidence.with_reasons(reasons);
        }
        if let Some(path) = &self.incidents {
            let incidents = Incidents::read(path, &table, history)?;
            progress.say(&format!("incidents: {}", incidents.report()));
            evidence = evidence.with_incidents(incidents);
        }
        if let Some(path) = &self.changes {
            let changes = Changes::read(path, &table, &Reasons::params(), history)?;
            progress.say(&format!("changes: {}", changes.report()));
            evidence = evidence.with_changes(changes);
        }
        if let Some(path) = &self.suppress {
            let suppressions = Suppressions::read(path, &table, history)?;
            progress.say(&format!("suppressions: {}", suppressions.report()));
            evidence = evidence.with_suppressions(suppressions);
        }
        if let Some(path) = &self.contacts {
            let contacts = Contacts::read(path, &table, history)?;
            progress.say(&format!("contacts: {}", contacts.report()));
            evidence = evidence.with_contacts(contacts);
        }
        if let Some(path) = &self.customers {
            let customers = CustomerTable::read(path, &table, history)?;
            progress.say(&format!("customers: {}", customers.report()));
            evidence = evidence.with_customers(customers);
        }
        Ok(evidence)
    }
}
