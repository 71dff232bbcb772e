//! The hot paths on seeded logs, each beside a naive rival or a bare read, with its result asserted.
//!
//! `cargo bench --bench hot_paths` measures, with a group's name that one alone; `cargo test --bench hot_paths` only checks the results, on a small log;
//! `cargo test --bench hot_paths -- --instructions` counts the kernels' instructions (see `instructions.rs`).

#[path = "hot_paths/logs.rs"]
mod logs;
#[path = "hot_paths/group.rs"]
mod group;
#[path = "hot_paths/walk.rs"]
mod walk;
#[path = "hot_paths/fit_score.rs"]
mod fit_score;
#[path = "hot_paths/pipeline.rs"]
mod pipeline;
#[path = "hot_paths/append.rs"]
mod append;
#[path = "hot_paths/size.rs"]
mod size;
#[path = "hot_paths/kernel.rs"]
mod kernel;
#[path = "hot_paths/instructions.rs"]
mod instructions;

use std::process::ExitCode;
use std::time::Instant;

use criterion::Criterion;

use logs::{history, log, random};

const SEED: u64 = 1;
const HORIZON_DAYS: i32 = 90;

/// In test mode the shape matters, not the size.
fn is_measured() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Median seconds of two ways, in turns. Results are dropped outside the timing.
fn medians<A, B>(turns: usize, mut one: impl FnMut() -> A, mut other: impl FnMut() -> B) -> (f64, f64) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        ones.push(seconds(&mut one));
        others.push(seconds(&mut other));
    }
    (median(ones), median(others))
}

fn seconds<T>(work: &mut impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    drop(result);
    seconds
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_unstable_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

type Group = fn(&mut Criterion);
const GROUPS: [(&str, Group); 7] = [
    ("group", group::group),
    ("walk", walk::walk),
    ("fit", fit_score::fit),
    ("score", fit_score::score),
    ("pipeline", pipeline::pipeline),
    ("append", append::append),
    ("size", size::size),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.first().map(String::as_str) {
        Some("--kernel") => return kernel::run(arguments.get(1).map_or("", String::as_str)),
        Some("--instructions") => return instructions::judge(&arguments[1..]),
        _ => {}
    }
    // Of a group that is asked for by name, the others' logs and models are not made.
    let asked = arguments.iter().find_map(|argument| {
        GROUPS.iter().find(|(name, _)| argument.split('/').next() == Some(name)).map(|(name, _)| *name)
    });
    let mut criterion = Criterion::default().configure_from_args();
    for (_, group) in GROUPS.iter().filter(|(name, _)| asked.is_none_or(|asked| asked == *name)) {
        group(&mut criterion);
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}
