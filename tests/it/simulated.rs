//! The bundled simulated log: its generator, and what a model makes of a world whose truth is known.

use std::fmt::Write as _;
use std::path::PathBuf;

use winback::{ChurnModel, Columns, Day, FeatureSet, History, Snapshots};

use crate::logs::{SplitMix, day, floats};

const CUSTOMERS: usize = 600;
const SEED: u64 = 20_240_101;
const STORES: [&str; 3] = ["Harbour", "Mill Lane", "Station"];

/// Orders and truth, as CSV. Customers buy at a rate of their own (gamma, mean 9 a year) until they
/// leave; they leave at a rate of their own too, twice as fast when their store is Mill Lane.
fn simulate() -> (String, String) {
    let mut random = SplitMix(SEED);
    let (from, until) = (day("2021-01-01"), day("2023-12-31"));
    let days = f64::from(until.days_since(from));
    let mut orders: Vec<(Day, usize, f64, &str)> = Vec::new();
    let mut truth = "customer_id,purchases_per_year,left_on\n".to_owned();
    for customer in 1..=CUSTOMERS {
        // Two exponentials make a gamma of shape 2.
        let exponential = |random: &mut SplitMix| -(1.0 - random.uniform()).ln();
        let per_year = 0.5 + 4.25 * (exponential(&mut random) + exponential(&mut random));
        let store = STORES[(random.uniform() * 3.0) as usize];
        let years = if store == "Mill Lane" { 1.0 } else { 2.0 };
        let joins = days * 0.8 * random.uniform();
        let leaves = joins + 365.0 * years * exponential(&mut random);
        let basket = (3.0 + 0.6 * random.normal()).exp();
        let mut at = joins;
        while at <= leaves.min(days) {
            let amount = (basket * (0.4 * random.normal()).exp() * 100.0).round() / 100.0;
            orders.push((from.plus_days(at as i32), customer, amount, store));
            at += 365.0 / per_year * exponential(&mut random);
        }
        let left = if leaves <= days { from.plus_days(leaves as i32).to_string() } else { String::new() };
        writeln!(truth, "C{customer:04},{per_year:.3},{left}").unwrap();
    }
    orders.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    let mut text = "customer_id,ordered_on,amount,store\n".to_owned();
    for (day, customer, amount, store) in orders {
        writeln!(text, "C{customer:04},{day},{amount:.2},{store}").unwrap();
    }
    (text, truth)
}

fn bundled(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

#[test]
fn simulated_files_are_what_the_generator_makes() {
    let (orders, truth) = simulate();
    for (name, text) in [("simulated_orders.csv", orders), ("simulated_truth.csv", truth)] {
        if std::env::var_os("WINBACK_REGENERATE").is_some() {
            std::fs::write(bundled(name), &text).unwrap();
        }
        let found = std::fs::read_to_string(bundled(name)).unwrap();
        assert!(found == text, "data/{name} differs; regenerate it with WINBACK_REGENERATE=1");
    }
}

/// Customers who have left score higher than those who are still there, at the log's last day.
#[test]
fn scores_tell_who_has_left() {
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount").with_segments(["store"]);
    let history = History::params(columns).read_csv([bundled("simulated_orders.csv")]).unwrap();
    let snapshots = Snapshots::params(FeatureSet::standard(90, &["store"])).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let scores = model.score(&history, history.observed_until()).unwrap().to_frame().unwrap();
    let truth = std::fs::read_to_string(bundled("simulated_truth.csv")).unwrap();
    let left: Vec<bool> = truth.lines().skip(1).map(|line| !line.ends_with(',')).collect();
    let probabilities: Vec<f64> = floats(&scores, "churn_probability").into_iter().flatten().collect();
    assert_eq!(probabilities.len(), left.len());
    let auc = winback::metrics::roc_auc(&probabilities, &left).unwrap();
    assert!(auc > 0.9, "{auc}");
}
