//! What the example binaries share: reading options, progress, errors.

#![allow(dead_code, unused_imports, reason = "each binary uses a part of it")]

mod evidence;
mod planning;
mod reading;
mod training;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use winback::error::{FaultKind, InputReport};
use winback::history::DiskHistory;
use winback::{Day, History};

pub use evidence::{EvidenceOptions, parse_code};
pub use planning::{PlanOptions, with_lapse};
pub use reading::{ReadingOptions, RefundsOption, parse_day};
pub use training::TrainingOptions;

/// A log that ends so long before the day declared may not be complete.
const QUIET_DAYS: i32 = 7;

/// A line of progress on stderr, when that is a terminal.
pub struct Progress(ProgressBar);

impl Progress {
    pub fn start() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(bar)
    }

    /// Says what was read, above the line of progress.
    pub fn say_report(&self, history: &History) {
        self.0.suspend(|| say_report(history));
    }

    /// Says something above the line of progress.
    pub fn say(&self, what: &impl std::fmt::Display) {
        self.0.suspend(|| eprintln!("{what}"));
    }

    /// As [`say_report`](Self::say_report), of a log on disk.
    pub fn say_disk_report(&self, history: &DiskHistory) {
        self.0.suspend(|| {
            eprintln!("{}", history.report());
            eprintln!(
                "  {}, {}, {} to {}, in {} on disk",
                counted(history.customers(), "customer"),
                counted(history.purchases(), "purchase"),
                history.observed_from(),
                history.observed_until(),
                counted(history.groups() as u64, "group")
            );
            say_silence(history.observed_until(), history.last_order());
        });
    }

    pub fn step(&self, what: &'static str) {
        self.0.set_message(what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Says on stderr what was read.
fn say_report(history: &History) {
    let report = history.report();
    eprintln!("{report}");
    eprintln!(
        "  {}, {}, {} to {}",
        counted(history.customers() as u64, "customer"),
        counted(history.purchases() as u64, "purchase"),
        history.observed_from(),
        history.observed_until()
    );
    say_silence(history.observed_until(), history.last_order());
}

/// So many of them, in the singular or the plural.
fn counted(count: u64, of: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {of}{ending}")
}

/// Says that the log was declared complete long after its last order.
pub fn say_silence(until: Day, last_order: Day) {
    let silent = until.days_since(last_order);
    if silent > QUIET_DAYS {
        eprintln!(
            "note: the last order is {silent} days before {until}; it is taken that nobody bought since"
        );
    }
}

/// Which options set the days looked at, of most commands.
const DAYS: &str = "the options are --horizon-days, --lead-days, --first-cutoff and --until";
/// Which ones name columns.
const COLUMNS: &str =
    "name columns with --customer-col, --date-col, --amount-col, --discount-col, --segment-col";

/// Runs a command: 0 on success, 1 for bad data, 2 for bad usage.
pub fn run(command: impl FnOnce() -> Result<(), Box<dyn Error>>) -> ExitCode {
    run_hinting(DAYS, COLUMNS, command)
}

/// The same for a command whose options for days and columns are others.
pub fn run_hinting(
    days: &str,
    columns: &str,
    command: impl FnOnce() -> Result<(), Box<dyn Error>>,
) -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for hint in error.downcast_ref().map_or_else(Vec::new, |error| hints(error, days, columns)) {
                eprintln!("{hint}");
            }
            match error.downcast_ref() {
                Some(winback::Error::Parameter { .. }) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Which options may help.
fn hints(error: &winback::Error, days: &str, columns: &str) -> Vec<String> {
    match error {
        winback::Error::MissingColumns { advice, .. } => match advice.is_empty() {
            true => vec![columns.to_owned()],
            false => vec!["give the separator with --separator".to_owned()],
        },
        winback::Error::InvalidRows { report } | winback::Error::NoOrders { report } => {
            let mut hints: Vec<String> = options_of(report).into_iter().map(str::to_owned).collect();
            if matches!(error, winback::Error::InvalidRows { .. }) {
                hints.push("leave such rows out, counted, with --invalid-rows drop".to_owned());
            } else if report.rows_read == 0 {
                hints.push("the file holds nothing but its header".to_owned());
            }
            hints
        }
        winback::Error::NoCutoffs { .. } | winback::Error::EmptySplit { .. } => {
            vec![days.to_owned()]
        }
        _ => Vec::new(),
    }
}

fn options_of(report: &InputReport) -> Vec<&'static str> {
    let has = |kind| report.faults.iter().any(|fault| fault.kind == kind);
    let mut options = Vec::new();
    if has(FaultKind::UnparseableDate) {
        options.push("give the form of dates with --date-format");
    }
    if has(FaultKind::UnparseableAmount) {
        options.push("say that amounts are written 12,50 with --decimal-comma");
    }
    if has(FaultKind::WrongFieldCount) {
        options.push("give the separator with --separator");
    }
    if has(FaultKind::RejectedRefund) {
        options.push("say what becomes of refunds with --refunds net or --refunds drop");
    }
    options
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
