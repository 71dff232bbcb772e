//! This example examines the losses of a business: who left, why, whether it is the business's own doing, and
//! who may follow.
//!
//! ```sh
//! cargo run --release --example losses -- --orders data/online_retail_orders.csv \
//!     --date-col timestamp --segment-col country --horizon-days 60 --json losses.json
//! ```
//!
//! Contractual businesses without a log of orders bring a table of customers instead:
//!
//! ```sh
//! cargo run --release --example losses -- --customers customers.parquet \
//!     --lost-col lost --reason-col reason --tenure-col months --segment-col city
//! ```

mod cli;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use winback::evidence::Cause;
use winback::losses::{AskParams, Contracts, Losses};
use winback::{ChurnModel, Day, History, table};

use cli::{EvidenceOptions, Progress, ReadingOptions, TrainingOptions, parse_code, parse_day, with_lapse};

const DEFAULT_HORIZON_DAYS: i32 = 90;
const DAYS: &str = "the options are --horizon-days and --as-of";
const COLUMNS: &str = "columns of orders are named with --customer-col, --date-col, --amount-col, --discount-col and --segment-col, those of a table of customers with --lost-col, --id-col, --reason-col, --tenure-col, --commitment-col and --segment-col; the columns of other tables have the names that --help lists";

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  orders, as for `train`, and tables of what else is known: reasons, incidents, changes. Or, for a business with contracts, a table
     of customers (--customers) with a column that flags the lost. With --model orders are read as its log was.
Out: on standard output one page: who is lost, how many, what they had in common, why, whether it is the business's own
     doing, who may follow; with --json all of it as JSON; with --ask-out whom to ask for their reasons.

Example: losses --orders data/online_retail_orders.csv --date-col timestamp --segment-col country --horizon-days 60
         losses --customers customers.csv --lost-col lost --reason-col reason --tenure-col months --segment-col city"#;

/// Examine the losses of a log of orders, or of a table of customers with a flag for the lost
#[derive(Parser)]
#[command(after_help = HELP)]
#[command(
    mut_arg("orders", |orders| orders.required(false).required_unless_present("customers").conflicts_with("customers")),
    mut_arg("segment_col", |segments| segments.help("Column that customers share with their peers, such as a store or country; may be repeated")),
)]
struct Options {
    #[command(flatten)]
    reading: ReadingOptions,
    /// The model, as `train` saved it; without one, a model is trained as `train` does
    #[arg(long, value_name = "FILE", conflicts_with_all = ["horizon_days", "customers"])]
    model: Option<PathBuf>,
    /// Lost is looked for, and churned learned, over so many days [default: 90]
    #[arg(long, value_name = "DAYS", conflicts_with = "customers", value_parser = clap::value_parser!(i32).range(1..=9_125))]
    horizon_days: Option<i32>,
    /// Stated reasons: a table with customer_id, reason, and more where known
    #[arg(long, value_name = "FILE", conflicts_with = "customers")]
    reasons: Option<PathBuf>,
    /// What a code or word of your own stands for, such as R17=Price; may be repeated. Causes are Competitor, ServiceFailure, Price, NoLongerNeeded, NotTheRightFit, Other and Unknown
    #[arg(long = "code", value_name = "WORD=CAUSE", value_parser = parse_code)]
    codes: Vec<(String, Cause)>,
    /// Incidents: a table with customer_id, occurred_on, kind (service_failure, late_delivery, late_payment, unpaid, abuse, complaint, praise or other), and cost where known
    #[arg(long, value_name = "FILE", conflicts_with = "customers")]
    incidents: Option<PathBuf>,
    /// What was changed to keep customers: a table with segment, value, cause, changed_on, what
    #[arg(long, value_name = "FILE", conflicts_with = "customers")]
    changes: Option<PathBuf>,
    /// Lapsed is whose chance to buy in the horizon is below this [default: 0.15]
    #[arg(long, value_name = "FRACTION", conflicts_with_all = ["lapse_days", "customers"])]
    lapse_limit: Option<f64>,
    /// Lapsed is who bought nothing for so many days, whoever it is
    #[arg(long, value_name = "DAYS", conflicts_with = "customers", value_parser = clap::value_parser!(i32).range(1..=9_125))]
    lapse_days: Option<i32>,
    /// The day to look at the losses; later orders play no part [default: the last order's day]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, conflicts_with = "customers")]
    as_of: Option<Day>,
    /// Where to write whom to ask for their reasons: a name that ends in .csv or .parquet
    #[arg(long, value_name = "FILE", requires = "ask", conflicts_with = "customers")]
    ask_out: Option<PathBuf>,
    /// How many to ask
    #[arg(long, value_name = "N", requires = "ask_out", value_parser = clap::value_parser!(u64).range(1..))]
    ask: Option<u64>,
    /// A table of customers instead of orders: CSV (any ending) or Parquet (.parquet)
    #[arg(long, value_name = "FILE", requires = "lost_col", requires = "segment_col")]
    customers: Option<PathBuf>,
    /// Column that flags the lost: 0/1, true/false or yes/no
    #[arg(long, value_name = "NAME", requires = "customers")]
    lost_col: Option<String>,
    /// Column with the stated reason
    #[arg(long, value_name = "NAME", requires = "customers")]
    reason_col: Option<String>,
    /// Column with the customer's id
    #[arg(long, value_name = "NAME", requires = "customers")]
    id_col: Option<String>,
    /// Column with the months as a customer; makes rates of shares
    #[arg(long, value_name = "NAME", requires = "customers")]
    tenure_col: Option<String>,
    /// Column with the length of the contract: compared within, never a finding
    #[arg(long, value_name = "NAME", requires = "customers")]
    commitment_col: Option<String>,
    /// Also write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run_hinting(DAYS, COLUMNS, || {
        options.check_outputs()?;
        match &options.customers {
            Some(path) => options.examine_customers(path),
            None => options.examine_orders(),
        }
    })
}

impl Options {
    /// Refuses outputs that cannot be written, or that are inputs, before anything is computed.
    fn check_outputs(&self) -> winback::Result<()> {
        self.ask_out.iter().try_for_each(table::check_writable)?;
        self.json.iter().try_for_each(table::check_place)?;
        let tables = [&self.model, &self.reasons, &self.incidents, &self.changes, &self.customers];
        let inputs: Vec<&PathBuf> = self.reading.orders.iter().chain(tables.into_iter().flatten()).collect();
        self.ask_out.iter().chain(&self.json).try_for_each(|output| table::check_apart(output, &inputs))
    }

    /// Later orders are dropped, so that nothing of them shows.
    fn read(&self, model: Option<&ChurnModel>) -> winback::Result<History> {
        self.reading.read(model.map(ChurnModel::reading), |params| match self.as_of {
            Some(day) => params.with_observed_until(day),
            None => params,
        })
    }

    fn training(&self) -> TrainingOptions {
        TrainingOptions {
            reading: self.reading.clone(),
            horizon_days: self.horizon_days.unwrap_or(DEFAULT_HORIZON_DAYS),
            lead_days: 0,
            first_cutoff: None,
            until: None,
        }
    }

    fn examine_orders(&self) -> Result<(), Box<dyn Error>> {
        let progress = Progress::start();
        let saved = match &self.model {
            Some(path) => {
                progress.step("reading the model");
                Some(ChurnModel::load(path)?)
            }
            None => None,
        };
        progress.step("reading orders");
        let history = self.read(saved.as_ref())?;
        progress.say_report(&history);
        let model = match saved {
            Some(model) => model,
            None => {
                progress.step("training");
                ChurnModel::params().fit(&self.training().snapshots(&history)?)?.with_season(&history)?
            }
        };
        progress.step("reading evidence");
        let evidence = self.evidence().read(&history, &progress)?;
        progress.step("examining losses");
        let params =
            with_lapse(Losses::params(), self.lapse_limit, self.lapse_days, model.label().horizon_days);
        let losses = params.analyse(&history, &model, &evidence)?;
        drop(progress);
        eprintln!("{model}");
        // Before the page, whose reader may stop reading.
        if let Some(path) = &self.json {
            table::write_json(&losses, path)?;
        }
        if let (Some(path), Some(most)) = (&self.ask_out, self.ask) {
            let params = AskParams::default().with_customers(usize::try_from(most)?);
            let list = params.choose(&history, losses.lapses(), evidence.reasons())?;
            table::write_with_ids(&list.to_frame()?, "customer_id", path)?;
            eprintln!("{list}\nwritten to {}", path.display());
        }
        writeln!(std::io::stdout(), "{losses}")?;
        Ok(())
    }

    fn evidence(&self) -> EvidenceOptions {
        EvidenceOptions {
            reasons: self.reasons.clone(),
            codes: self.codes.clone(),
            incidents: self.incidents.clone(),
            changes: self.changes.clone(),
            ..EvidenceOptions::default()
        }
    }

    fn examine_customers(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let mut params = Contracts::params(self.lost_col.clone().unwrap_or_default())
            .with_segments(self.reading.segment_col.clone())
            .with_table(self.reading.table())
            .with_reasons(self.evidence().reasons_params());
        if let Some(name) = &self.id_col {
            params = params.with_id(name);
        }
        if let Some(name) = &self.reason_col {
            params = params.with_reason(name);
        }
        if let Some(name) = &self.tenure_col {
            params = params.with_tenure(name);
        }
        if let Some(name) = &self.commitment_col {
            params = params.with_commitment(name);
        }
        let losses = params.read(path)?.examined();
        eprintln!("{}", losses.contracts().report);
        if let Some(path) = &self.json {
            table::write_json(&losses, path)?;
        }
        writeln!(std::io::stdout(), "{losses}")?;
        Ok(())
    }
}
