//! One bare kernel on a small fixed log, on one thread: what instructions are counted of.

use std::hint::black_box;
use std::process::ExitCode;

use rayon::ThreadPoolBuilder;
use winback::kernels;

use super::HORIZON_DAYS;
use super::fit_score::{L2, Scored, WIDTH, problem, slices, truth};
use super::logs::{Log, Sorting};

/// Every kernel, in the order of the road.
pub const NAMES: [&str; 6] = ["group", "group_by_time", "walk", "fit", "score", "linear"];
/// In the name of the function whose instructions count; what comes before and after does not.
pub const COUNTED: &str = "counted_kernel";

/// Enough for rows to outweigh what each of the 512 partitions costs.
const CUSTOMERS_GROUPED: usize = 30_000;
const CUSTOMERS_WALKED: usize = 10_000;
/// Month by month.
const CUTOFFS: usize = 12;
const CUTOFF_STEP_DAYS: i32 = 30;
const ROWS: usize = 50_000;
/// Enough for Newton's method to outweigh its start.
const ROWS_FITTED: usize = 80_000;

#[inline(never)]
fn counted_kernel<T>(kernel: impl FnOnce() -> T) -> T {
    black_box(kernel())
}

/// Runs the kernel of that name once.
pub fn run(name: &str) -> ExitCode {
    // All work stays on this thread, so that nothing depends on how threads meet.
    ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().expect("the first pool");
    match name {
        "group" => group(Sorting::Shuffled),
        "group_by_time" => group(Sorting::Time),
        "walk" => walk(),
        "fit" => fit(),
        "score" => score(),
        "linear" => linear(),
        _ => {
            eprintln!("no kernel `{name}`; there are {}", NAMES.join(", "));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn group(sorting: Sorting) {
    let Log { ids, days, amounts } = Log::seeded(CUSTOMERS_GROUPED).with_refunds().sorted(sorting);
    let grouped = counted_kernel(|| kernels::group(&ids, &days, &amounts)).expect("rows");
    assert!(grouped.customers() <= CUSTOMERS_GROUPED && grouped.purchases() > ids.len() * 9 / 10);
}

fn walk() {
    let Log { ids, days, amounts } = Log::seeded(CUSTOMERS_WALKED).with_refunds();
    let grouped = kernels::group(&ids, &days, &amounts).expect("rows");
    let last = *days.iter().max().expect("rows");
    let cutoffs: Vec<i32> = (0..CUTOFFS as i32).rev().map(|back| last - CUTOFF_STEP_DAYS * back).collect();
    let (rows, sum) = counted_kernel(|| kernels::walk(&grouped, HORIZON_DAYS, &cutoffs)).expect("a walk");
    assert!(rows <= CUTOFFS * grouped.customers() && sum > rows as f64);
}

fn fit() {
    let (columns, labels) = problem(ROWS_FITTED);
    let columns = slices(&columns);
    let (beta, _) = counted_kernel(|| kernels::logistic(&columns, &labels, L2)).expect("a fit");
    assert!((0..WIDTH).all(|column| (beta[1 + column] - truth(column)).abs() < 0.1));
}

fn score() {
    let Scored { model, raw, .. } = Scored::new(ROWS);
    let raw = slices(&raw);
    let probabilities = counted_kernel(|| kernels::score(&model, &raw));
    assert!(probabilities.len() == ROWS && probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
}

fn linear() {
    let (columns, _) = problem(ROWS);
    let columns = slices(&columns);
    let beta: Vec<f64> = std::iter::once(-0.5).chain((0..WIDTH).map(truth)).collect();
    let mut out = vec![0.0; ROWS];
    counted_kernel(|| kernels::probabilities(&columns, &beta, &mut out));
    assert!(out.iter().all(|p| (0.0..1.0).contains(p) && *p > 0.0));
}
