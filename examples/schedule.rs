//! This example writes the steps that are due on a day: who is to be contacted, how, and what is to be said.
//!
//! ```sh
//! cargo run --release --example schedule -- --plan plan.csv --contacts contacts.csv --as-of 2024-07-08 \
//!     --orders orders.csv --incidents incidents.csv --capacity phone=20 --out steps.csv
//! ```

mod cli;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use winback::evidence::{Contacts, Evidence, Incidents, TableParams};
use winback::winback::{PlanSheet, Schedule};
use winback::{ChurnModel, Day, table};

use cli::{Progress, ReadingOptions, parse_day};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  a plan of `plan`, and what has happened since: contacts, orders, incidents.
Out: a table of the steps due by the day (--out): customer_id, due_on, step, channel, offer, text. On standard output how many of
     each kind. Nothing is remembered between runs: the same files give the same steps.

Example: schedule --plan plan.csv --contacts contacts.csv --as-of 2024-07-08 --orders orders.csv --capacity phone=20 --out steps.csv"#;

/// Write the steps that are due on a day
#[derive(Parser)]
#[command(after_help = HELP)]
#[command(mut_arg("orders", |orders| orders
    .required(false)
    .help("Orders, to know who has returned: CSV (any ending) or Parquet (.parquet) files, or patterns such as 'orders/*.csv'")))]
struct Options {
    #[command(flatten)]
    reading: ReadingOptions,
    /// The plan, as `plan` wrote it
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// What has happened: a table with customer_id, on, and step, channel, offer, answer, promised, promise_due, kept_on, redeemed_amount, referred_id where known
    #[arg(long, value_name = "FILE")]
    contacts: Option<PathBuf>,
    /// The day; nothing later counts
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day)]
    as_of: Day,
    /// Where to write the steps: a name that ends in .csv or .parquet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A saved model: orders are read as its log was
    #[arg(long, value_name = "FILE", requires = "orders")]
    model: Option<PathBuf>,
    /// Incidents: a table with customer_id, occurred_on, kind
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
    /// How many steps can be done on a channel in a day; may be repeated
    #[arg(long, value_name = "CHANNEL=N", value_parser = parse_capacity)]
    capacity: Vec<(String, usize)>,
}

fn parse_capacity(text: &str) -> Result<(String, usize), String> {
    let expected = || "expected CHANNEL=N with N at least 1, such as phone=20".to_owned();
    let (channel, steps) = text.rsplit_once('=').ok_or_else(expected)?;
    let steps = steps.parse().ok().filter(|steps| *steps > 0).ok_or_else(expected)?;
    Ok((channel.to_owned(), steps))
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        table::check_writable(&options.out)?;
        let Options { plan, contacts, incidents, model, reading, .. } = &options;
        let tables = [contacts, incidents, model];
        let inputs = reading.orders.iter().chain([plan]).chain(tables.into_iter().flatten());
        table::check_apart(&options.out, inputs)?;

        let progress = Progress::start();
        progress.step("reading the plan");
        let plan = PlanSheet::read(plan)?;
        progress.say(&format!("plan: {}", plan.report()));
        let history = match reading.orders.is_empty() {
            true => None,
            false => {
                progress.step("reading orders");
                let model = model.as_ref().map(ChurnModel::load).transpose()?;
                let history = reading.read(model.as_ref().map(ChurnModel::reading), |params| params)?;
                progress.say_report(&history);
                Some(history)
            }
        };
        progress.step("reading evidence");
        let params = history.as_ref().map_or_else(|| reading.table(), TableParams::like);
        let ids = || plan.rows().iter().map(|row| row.customer_id.as_str());
        let mut evidence = Evidence::default();
        if let Some(path) = contacts {
            let contacts = Contacts::read_among(path, &params, ids())?;
            progress.say(&format!("contacts: {}", contacts.report()));
            evidence = evidence.with_contacts(contacts);
        }
        if let Some(path) = incidents {
            let incidents = Incidents::read_among(path, &params, ids())?;
            progress.say(&format!("incidents: {}", incidents.report()));
            evidence = evidence.with_incidents(incidents);
        }
        let mut params = Schedule::params();
        for (channel, steps) in &options.capacity {
            params = params.with_capacity(channel, *steps);
        }
        let schedule = params.due(&plan, &evidence, history.as_ref(), options.as_of)?;
        drop(progress);
        table::write(&schedule.to_frame()?, &options.out)?;
        writeln!(std::io::stdout(), "{schedule}")?;
        Ok(())
    })
}
