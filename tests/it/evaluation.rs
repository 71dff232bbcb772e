//! Metrics against scikit-learn, and tests that may not overlap training.

use serde::Deserialize;
use winback::{ChurnModel, Error, Snapshots, metrics};

use crate::logs::{history, rhythmic, standard};

const TOLERANCE: f64 = 1e-12;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    scores: Vec<f64>,
    labels: Vec<u8>,
    roc_auc: f64,
    log_loss: f64,
    brier: f64,
}

#[test]
fn metrics_equal_scikit_learn() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap();
    for case in fixture.cases {
        let labels: Vec<bool> = case.labels.iter().map(|&label| label == 1).collect();
        let found = [
            (metrics::roc_auc(&case.scores, &labels).unwrap(), case.roc_auc),
            (metrics::log_loss(&case.scores, &labels), case.log_loss),
            (metrics::brier(&case.scores, &labels), case.brier),
        ];
        for (found, expected) in found {
            assert!((found - expected).abs() <= TOLERANCE, "{}: {found} is not {expected}", case.name);
        }
    }
}

#[test]
fn an_evaluation_counts_everyone_once_and_beats_chance() {
    let snapshots = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .build(&history(&rhythmic(800, 600, 17)))
        .unwrap();
    let at = *snapshots.cutoffs().last().unwrap();
    let (train, test) = snapshots.split_at(at).unwrap();
    let model = ChurnModel::params().fit(&train).unwrap();
    let evaluation = model.evaluate(&test).unwrap();
    let all = &evaluation.all;
    assert_eq!(all.rows, test.rows());
    assert_eq!(all.calibration.iter().map(|row| row.rows).sum::<usize>(), all.rows);
    assert_eq!(all.gains.last().unwrap().rows, all.rows);
    assert!(all.auc.unwrap() > 0.8 && all.auc > all.baselines.recency.auc);
    assert!(all.log_loss < all.baselines.recency.log_loss);
    assert!(evaluation.recent.unwrap().rows < all.rows);
    let error = model.evaluate(&train).unwrap_err();
    assert!(matches!(error, Error::TestOverlapsTraining { .. }), "{error}");
}

#[test]
fn a_test_of_other_features_or_labels_is_refused() {
    let history = history(&rhythmic(200, 600, 17));
    let build = |horizon: i32, features: i32| {
        Snapshots::params(standard(features)).with_horizon_days(horizon).build(&history).unwrap()
    };
    let model = ChurnModel::params().fit(&build(60, 60)).unwrap();
    for other in [build(60, 30), build(30, 60)] {
        let error = model.evaluate(&other).unwrap_err();
        assert!(matches!(error, Error::FeatureMismatch { .. }), "{error}");
    }
}
