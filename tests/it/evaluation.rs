//! Evaluations that count everyone, and tests that may not overlap training.

use winback::evaluate::{Backtest, Campaign, Profit, Verdict};
use winback::{ChurnModel, Columns, Error, FeatureSet, History, Snapshots};

use crate::logs::{Order, first_day, frame, history, params, rhythmic, standard};

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
    let evaluation = evaluation.with_backtest(backtest);
    assert_eq!(evaluation.verdict, Some(Verdict::TooLittleData));
    // Lines are wrapped.
    let said = evaluation.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("do: rest nothing on these numbers: fewer than 25 customers left"), "{said}");
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

/// Profit under these terms, of a model tested at day 480.
fn profit(orders: &[Order], campaign: Campaign) -> Result<Option<Profit>, Error> {
    let history =
        params().with_observed_until(first_day().plus_days(540)).from_frame(&frame(orders)).unwrap();
    let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
    let at = *snapshots.cutoffs().last().unwrap();
    assert_eq!(at, first_day().plus_days(480));
    let (train, test) = snapshots.split_at(at).unwrap();
    let params = ChurnModel::params();
    Profit::run(campaign, &params.fit(&train).unwrap(), &params, &train, &test)
}

#[test]
fn the_size_of_a_campaign_is_chosen_before_it_is_judged() {
    let orders = rhythmic(600, 541, 8);
    let found = profit(&orders, Campaign::default()).unwrap().unwrap();
    assert!(found.chosen_at.unwrap().plus_days(60) <= first_day().plus_days(480));
    assert!(found.fraction > 0.0 && found.fraction < 1.0, "{found}");
    assert_eq!(found.curve.len(), 101);
    assert_eq!(found.chosen.rows, (found.everyone.rows as f64 * found.fraction).ceil() as usize);
    assert!(found.chosen.realised_amount > found.everyone.realised_amount, "{found}");
    // Whatever comes after the test's cutoff changes what is realised, and not the size.
    let past: Vec<Order> = orders.iter().filter(|order| order.day <= 480).cloned().collect();
    let other = profit(&past, Campaign::default()).unwrap().unwrap();
    assert_eq!((other.fraction, other.chosen.rows), (found.fraction, found.chosen.rows));
    assert_eq!(other.chosen.expected_amount, found.chosen.expected_amount);
    // (Of all: those chosen here left in both.)
    assert_ne!(other.everyone.realised_amount, found.everyone.realised_amount);
}

#[test]
fn a_campaign_that_cannot_pay_is_none() {
    let orders = rhythmic(300, 541, 8);
    let dear =
        profit(&orders, Campaign { contact_cost_amount: 1e6, ..Campaign::default() }).unwrap().unwrap();
    assert_eq!((dear.fraction, dear.chosen.rows, dear.chosen.realised_amount), (0.0, 0, 0.0));
    let free =
        profit(&orders, Campaign { contact_cost_amount: 0.0, ..Campaign::default() }).unwrap().unwrap();
    assert!(free.fraction > 0.3 && free.everyone.realised_amount > 0.0);
    for (wrong, expected) in [
        (
            Campaign { save_fraction: 1.5, ..Campaign::default() },
            "save fraction is 1.5, expected a share from 0 to 1",
        ),
        (
            Campaign { margin_fraction: f64::NAN, ..Campaign::default() },
            "margin fraction is NaN, expected a share from 0 to 1",
        ),
        (
            Campaign { contact_cost_amount: -1.0, ..Campaign::default() },
            "contact cost is -1, expected an amount, at least 0",
        ),
    ] {
        assert_eq!(profit(&orders, wrong).unwrap_err().to_string(), expected);
    }
    let plain = History::params(Columns::new("customer", "day")).from_frame(&frame(&orders)).unwrap();
    let snapshots =
        Snapshots::params(FeatureSet::standard(60, &[])).with_horizon_days(60).build(&plain).unwrap();
    let (train, test) = snapshots.split_at(*snapshots.cutoffs().last().unwrap()).unwrap();
    let params = ChurnModel::params();
    let none =
        Profit::run(Campaign::default(), &params.fit(&train).unwrap(), &params, &train, &test).unwrap();
    assert_eq!(none, None);
}
