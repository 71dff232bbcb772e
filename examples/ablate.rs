//! This example leaves each feature out in turn and shows what that costs at earlier cutoffs.
//!
//! ```sh
//! cargo run --release --example ablate -- --orders data/online_retail_orders.csv \
//!     --date-col timestamp --horizon-days 60 --products
//! ```
//!
//! Every row is the same fit at several cutoffs, each trained as `train` would have on its day. A feature
//! takes its products along; with `--products`, each product or square is also left out alone. The last
//! observable cutoff is left alone, so that nothing is chosen on it. A cutoff at which `train` would answer by
//! the rhythm alone is left out, and said.

mod cli;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use winback::evaluate::Trial;
use winback::model::{ChurnModelParams, ModelKind, TermChoice};
use winback::{ChurnModel, Day, FeatureSet, History, metrics};

use cli::{Progress, TrainingOptions};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  orders, as for `train`.
Out: on standard output a Markdown table: how much AUC and log-loss change at earlier cutoffs without each feature. What costs
     nothing to leave out is not needed. It fits once per feature and cutoff: this takes a while.

Example: ablate --orders data/simulated_orders.csv --cutoffs 3"#;

/// Leave each feature out in turn, and show what that costs at earlier cutoffs
#[derive(Parser)]
#[command(after_help = HELP)]
struct Options {
    #[command(flatten)]
    training: TrainingOptions,
    /// How many cutoffs to test at
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100))]
    cutoffs: i32,
    /// Days between the cutoffs tested at [default: half a horizon]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i32).range(1..=36_500))]
    every_days: Option<i32>,
    /// L2 strength of every fit, so that they differ in nothing else
    #[arg(long, default_value_t = 10.0, value_name = "STRENGTH")]
    l2: f64,
    /// Leave each product or square out alone, too
    #[arg(long)]
    products: bool,
}

/// What came out at one cutoff.
struct Tested {
    auc: f64,
    /// Each customer's log-loss, by id.
    losses: Vec<(String, f64)>,
}

impl Options {
    fn params(&self) -> ChurnModelParams {
        ChurnModel::params().with_terms(TermChoice::Full).with_l2(self.l2)
    }

    /// The cutoffs to test at, ascending: those at which `train` would have learned columns. The others are said.
    fn tested(&self, history: &History, features: &FeatureSet) -> Result<Vec<Day>, Box<dyn Error>> {
        let TrainingOptions { horizon_days, lead_days, .. } = self.training;
        let last = history.observed_until().plus_days(-(horizon_days + lead_days));
        // Not the last observable cutoff: that one is for testing what was chosen here.
        let step = self.every_days.unwrap_or((horizon_days / 2).max(1));
        let mut tested = Vec::new();
        for at in (1..=self.cutoffs).rev().map(|back| last.plus_days(-step.saturating_mul(back))) {
            let reason = match self.training.trials(features.clone(), ChurnModel::params()).at(history, at) {
                Err(error) => error.to_string(),
                Ok(trial) if trial.model.kind() != ModelKind::Logistic => {
                    "too little to learn columns from: train would answer by the rhythm alone".to_owned()
                }
                Ok(trial) if [0.0, 1.0].contains(&trial.test.churned_fraction()) => {
                    "only one outcome came".to_owned()
                }
                Ok(_) => {
                    tested.push(at);
                    continue;
                }
            };
            eprintln!("{at} is left out: {reason}");
        }
        match tested.is_empty() {
            true => Err(
                "no cutoff is left to test at: bring a longer log or more customers, or choose a shorter \
                         horizon or an earlier --first-cutoff"
                    .into(),
            ),
            false => Ok(tested),
        }
    }

    fn test(
        &self,
        history: &History,
        features: &FeatureSet,
        params: &ChurnModelParams,
        cutoffs: &[Day],
    ) -> Result<Vec<Tested>, Box<dyn Error>> {
        let tested = cutoffs.iter().map(|&at| -> Result<Tested, Box<dyn Error>> {
            let Trial { test, model, .. } =
                self.training.trials(features.clone(), params.clone()).at(history, at)?;
            let scores = model.score(history, at)?;
            // Both hold every customer who had bought by then, in order of id.
            let test = test.to_frame()?;
            let labels: Vec<bool> = test.column("churned")?.bool()?.iter().flatten().collect();
            let ids = test.column("customer_id")?.as_materialized_series().iter().map(|id| id.to_string());
            Ok(Tested {
                auc: metrics::roc_auc(scores.probabilities(), &labels).unwrap_or(f64::NAN),
                losses: ids.zip(metrics::log_losses(scores.probabilities(), &labels)).collect(),
            })
        });
        tested.collect()
    }
}

/// How much worse one fit is than another, over all cutoffs.
struct Change {
    auc: f64,
    log_loss: f64,
    /// Clustered by customer, who stands at several cutoffs.
    standard_error: f64,
    cutoffs_worse: usize,
}

impl Change {
    fn of(without: &[Tested], whole: &[Tested]) -> Self {
        let cutoffs = whole.len() as f64;
        let (mut auc, mut log_loss, mut cutoffs_worse) = (0.0, 0.0, 0);
        let mut of_customers: BTreeMap<&str, f64> = BTreeMap::new();
        for (without, whole) in without.iter().zip(whole) {
            let rows = whole.losses.len() as f64;
            let pairs = || without.losses.iter().zip(&whole.losses);
            let mean = pairs().map(|(a, b)| a.1 - b.1).sum::<f64>() / rows;
            for (a, b) in pairs() {
                *of_customers.entry(&b.0).or_default() += (a.1 - b.1 - mean) / (rows * cutoffs);
            }
            auc += (without.auc - whole.auc) / cutoffs;
            log_loss += mean / cutoffs;
            cutoffs_worse += usize::from(mean > 0.0);
        }
        let standard_error = of_customers.values().map(|part| part * part).sum::<f64>().sqrt();
        Change { auc, log_loss, standard_error, cutoffs_worse }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        let progress = Progress::start();
        progress.step("reading orders");
        let history = options.training.read()?;
        let all = options.training.features(&history);
        progress.step("fitting with everything");
        let cutoffs = options.tested(&history, &all)?;
        let test = |features: &FeatureSet, params: &ChurnModelParams| {
            options.test(&history, features, params, &cutoffs)
        };
        let whole = test(&all, &options.params())?;
        let mean = |value: &dyn Fn(&Tested) -> f64| whole.iter().map(value).sum::<f64>() / whole.len() as f64;
        let loss = |tested: &Tested| {
            tested.losses.iter().map(|(_, loss)| loss).sum::<f64>() / tested.losses.len() as f64
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "| left out | AUC | log-loss | ± s.e. | worse at |")?;
        writeln!(out, "|---|---|---|---|---|")?;
        writeln!(out, "| nothing | {:.4} | {:.4} | | |", mean(&|tested| tested.auc), mean(&loss))?;
        let mut row = |name: &str, without: &[Tested]| {
            let Change { auc, log_loss, standard_error, cutoffs_worse } = Change::of(without, &whole);
            writeln!(
                out,
                "| `{name}` | {auc:+.4} | {log_loss:+.4} | {standard_error:.4} | {cutoffs_worse} of {} |",
                whole.len()
            )
        };
        progress.step("fitting without one feature after another");
        for feature in all.resolve(&history)? {
            row(&feature.name(), &test(&all.clone().without(&feature), &options.params())?)?;
        }
        if options.products {
            progress.step("fitting without one product after another");
            let last = cutoffs[cutoffs.len() - 1];
            let products = options.training.trials(all.clone(), options.params()).at(&history, last)?;
            for product in products.model.products() {
                row(&product, &test(&all, &options.params().without_product(&product))?)?;
            }
        }
        Ok(())
    })
}
