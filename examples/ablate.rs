//! This example leaves each feature out in turn and shows what that costs at earlier cutoffs.
//!
//! ```sh
//! cargo run --release --example ablate -- --orders data/online_retail_orders.csv \
//!     --date-col timestamp --horizon-days 60
//! ```
//!
//! Every row is a rolling backtest: the same fit at several cutoffs, each trained on labels that had
//! ended by then. The last observable cutoff is left alone, so that nothing is chosen on it.

mod cli;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use winback::evaluate::Backtest;
use winback::model::TermChoice;
use winback::{ChurnModel, Cutoffs, FeatureSet, History, Snapshots};

use cli::{Progress, TrainingOptions};

/// Leave each feature out in turn, and show what that costs at earlier cutoffs
#[derive(Parser)]
struct Options {
    #[command(flatten)]
    training: TrainingOptions,
    /// How many cutoffs to test at
    #[arg(long, default_value_t = 5, value_name = "N")]
    cutoffs: usize,
    /// L2 strength of every fit, so that they differ in nothing else
    #[arg(long, default_value_t = 10.0, value_name = "STRENGTH")]
    l2: f64,
}

/// Mean AUC and log-loss over the cutoffs of a backtest.
struct Means {
    auc: f64,
    log_loss: f64,
}

impl Options {
    fn snapshots(&self, history: &History, features: FeatureSet) -> winback::Result<Snapshots> {
        let TrainingOptions { horizon_days, lead_days, .. } = self.training;
        // Not the last observable cutoff: that one is for testing what was chosen here.
        let step = (horizon_days / 2).max(1);
        let last = history.observed_until().plus_days(-(horizon_days + lead_days + step));
        Snapshots::params(features)
            .with_horizon_days(horizon_days)
            .with_lead_days(lead_days)
            .with_cutoffs(Cutoffs::rolling().ending(last).at_most(cli::TRAINING_CUTOFFS + self.cutoffs))
            .build(history)
    }

    fn means(&self, history: &History, features: FeatureSet) -> winback::Result<Means> {
        let params = ChurnModel::params().with_terms(TermChoice::Full).with_l2(self.l2);
        let rows = Backtest::run(&params, &self.snapshots(history, features)?, self.cutoffs)?.rows;
        let mean = |value: &dyn Fn(&winback::evaluate::BacktestRow) -> f64| {
            rows.iter().map(value).sum::<f64>() / rows.len() as f64
        };
        Ok(Means { auc: mean(&|row| row.auc.unwrap_or(f64::NAN)), log_loss: mean(&|row| row.log_loss) })
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        let progress = Progress::start();
        progress.step("reading orders");
        let history = options.training.read()?;
        let segments: Vec<&str> = history.reading().columns().segments().iter().map(String::as_str).collect();
        let all = FeatureSet::standard(options.training.horizon_days, &segments);
        progress.step("fitting with everything");
        let whole = options.means(&history, all.clone())?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "| left out | AUC | log-loss |")?;
        writeln!(out, "|---|---|---|")?;
        writeln!(out, "| nothing | {:.4} | {:.4} |", whole.auc, whole.log_loss)?;
        for feature in all.resolve(&history)? {
            progress.step("fitting without one feature after another");
            let without = options.means(&history, all.clone().without(&feature))?;
            writeln!(
                out,
                "| `{}` | {:+.4} | {:+.4} |",
                feature.name(),
                without.auc - whole.auc,
                without.log_loss - whole.log_loss
            )?;
        }
        Ok(())
    })
}
