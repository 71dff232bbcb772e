//! Evaluations that count everyone, and tests that may not overlap training.

use winback::evaluate::{Backtest, Verdict};
use winback::{ChurnModel, Error, Snapshots};

use crate::logs::{history, rhythmic, standard};

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

/// Labels that have nothing to do with the past: no model may call itself better.
#[test]
fn a_log_without_a_pattern_gets_no_praise() {
    use crate::logs::{Order, STORES, SplitMix};
    let mut better = 0;
    for seed in 0..10 {
        let mut random = SplitMix(seed);
        // Everybody buys with the same small chance on every day.
        let orders: Vec<Order> = (0..400_i64)
            .flat_map(|customer| {
                (0..500).map(move |day| Order { customer, day, amount: 5.0, discount: 0.0, store: STORES[0] })
            })
            .filter(|_| random.uniform() < 0.012)
            .collect();
        let snapshots =
            Snapshots::params(standard(60)).with_horizon_days(60).build(&history(&orders)).unwrap();
        let at = *snapshots.cutoffs().last().unwrap();
        let (train, test) = snapshots.split_at(at).unwrap();
        let backtest = Backtest::run(&ChurnModel::params(), &snapshots, 4).unwrap();
        let evaluation = ChurnModel::params().fit(&train).unwrap().evaluate(&test).unwrap();
        better += usize::from(evaluation.with_backtest(backtest).verdict == Some(Verdict::Better));
    }
    assert!(better <= 1, "{better} of 10 logs without a pattern were praised");
}

#[test]
fn few_outcomes_are_too_little_data() {
    let history = history(&rhythmic(40, 600, 17));
    let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
    let at = *snapshots.cutoffs().last().unwrap();
    let (train, test) = snapshots.split_at(at).unwrap();
    let backtest = Backtest::run(&ChurnModel::params(), &snapshots, 4).unwrap();
    let evaluation = ChurnModel::params().fit(&train).unwrap().evaluate(&test).unwrap();
    assert_eq!(evaluation.with_backtest(backtest).verdict, Some(Verdict::TooLittleData));
}

/// Every origin of a backtest is what training and testing by hand gives there.
#[test]
fn a_backtest_is_the_same_fit_at_each_cutoff() {
    let snapshots = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .build(&history(&rhythmic(300, 600, 17)))
        .unwrap();
    let backtest = Backtest::run(&ChurnModel::params(), &snapshots, 3).unwrap();
    assert_eq!(backtest.rows.len(), 3);
    assert!(backtest.rows.is_sorted_by_key(|row| row.cutoff));
    let at = *snapshots.cutoffs().last().unwrap();
    let (train, test) = snapshots.split_at(at).unwrap();
    let by_hand = ChurnModel::params().fit(&train).unwrap().evaluate(&test).unwrap();
    let last = backtest.rows.last().unwrap();
    assert_eq!((last.cutoff, last.auc, last.log_loss), (at, by_hand.all.auc, by_hand.all.log_loss));
}
