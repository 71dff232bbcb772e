//! What the model says of itself, against hand, bootstrap and planted truth.

use winback::{ChurnModel, Cutoffs, FeatureSet, Snapshots};

use crate::logs::{Order, first_day, floats, history, rhythmic, standard};

const HORIZON_DAYS: i32 = 60;

fn train(orders: &[Order], set: FeatureSet, l2: Option<f64>) -> ChurnModel {
    let history = history(orders);
    let cutoffs = [300, 360, 420].map(|day| first_day().plus_days(day));
    let snapshots = Snapshots::params(set)
        .with_horizon_days(HORIZON_DAYS)
        .with_cutoffs(Cutoffs::explicit(cutoffs))
        .build(&history)
        .unwrap();
    let params = ChurnModel::params();
    l2.map_or(params.clone(), |l2| params.with_l2(l2)).fit(&snapshots).unwrap()
}

fn texts(frame: &polars::prelude::DataFrame, column: &str) -> Vec<String> {
    frame.column(column).unwrap().str().unwrap().iter().map(|text| text.unwrap().to_owned()).collect()
}

#[test]
fn intervals_of_coefficients_reach_two_errors_and_ideas_are_tested_together() {
    let model = train(&rhythmic(600, 500, 51), standard(HORIZON_DAYS), None);
    let terms = model.coefficients().unwrap();
    let [estimate, error, low, high] =
        ["estimate", "standard_error", "low", "high"].map(|column| floats(&terms, column));
    for row in 0..terms.height() {
        let [estimate, error, low, high] =
            [&estimate, &error, &low, &high].map(|column| column[row].unwrap());
        assert!(error > 0.0 && (high - low - 2.0 * 1.959963984540054 * error).abs() < 1e-12);
        assert!(((low + high) / 2.0 - estimate).abs() < 1e-12);
    }
    let tests = model.idea_tests().unwrap();
    assert_eq!(texts(&tests, "idea"), ["silence", "activity", "rhythm", "money", "peers"]);
    let counted: u32 = tests.column("terms").unwrap().u32().unwrap().iter().flatten().sum();
    assert_eq!(counted as usize, terms.height() - 1);
    let p = floats(&tests, "p_value");
    assert!(p.iter().all(|p| (0.0..=1.0).contains(&p.unwrap())), "{tests}");
    // Amounts are drawn apart from everything else in this world; it turns on silence against rhythm.
    assert!(p[2].unwrap() < 1e-6 && p[3].unwrap() > 0.001, "{tests}");
}
