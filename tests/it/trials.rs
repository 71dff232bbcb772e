//! A model made as on an earlier day: as today's is made, and from nothing that came later.

use winback::evaluate::{Backtest, Campaign, Profit, Trial, TrialParams, Verdict};
use winback::{ChurnModel, Cutoffs, Day, Error, History, Snapshots};

use crate::logs::{Order, first_day, frame, history, params, rhythmic, standard};
use crate::season::seasonal;

const HORIZON_DAYS: i32 = 60;
/// Eight to train on, one to test at, and the one whose label reaches past that.
const CUTOFFS: usize = 10;

fn trials() -> TrialParams {
    let snapshots = Snapshots::params(standard(HORIZON_DAYS))
        .with_horizon_days(HORIZON_DAYS)
        .with_cutoffs(Cutoffs::rolling().at_most(CUTOFFS));
    Trial::params(snapshots, ChurnModel::params()).with_season()
}

#[test]
fn every_row_of_a_backtest_is_made_as_the_last_one_is() {
    let history = history(&seasonal(400, 0.8, 61));
    let trials = trials();
    let last = trials.at_last(&history).unwrap();
    let evaluation = last.model.evaluate(&last.test).unwrap();
    let backtest = Backtest::of(&trials, &history, 4).unwrap();
    assert!(backtest.skipped.is_empty(), "{backtest}");
    let row = &backtest.rows[3];
    assert_eq!(
        (row.cutoff, row.auc, row.log_loss),
        (last.cutoff, evaluation.all.auc, evaluation.all.log_loss)
    );
    assert_eq!(row.predicted_fraction, evaluation.all.predicted_fraction);
    // The log is long enough for as many training cutoffs at each, and for a season at each.
    for row in &backtest.rows {
        let trial = trials.at(&history, row.cutoff).unwrap();
        assert_eq!((row.training_cutoffs, trial.train.cutoffs().len()), (8, 8));
        assert_eq!(trial.train.cutoffs()[7].plus_days(HORIZON_DAYS), row.cutoff);
        assert!(trial.model.season().unwrap().is_known(row.cutoff));
        assert_eq!(Some(row.log_loss), Some(trial.model.evaluate(&trial.test).unwrap().all.log_loss));
    }
    // Half a horizon apart.
    assert!(backtest.rows.windows(2).all(|pair| pair[1].cutoff.days_since(pair[0].cutoff) == 30));
}

fn read(orders: &[Order], until: Day) -> History {
    params().with_observed_until(until).from_frame(&frame(orders)).unwrap()
}

/// Everything the model says, but for the fingerprint of the log.
fn said(model: &ChurnModel) -> serde_json::Value {
    let mut json: serde_json::Value = serde_json::from_str(&model.to_json().unwrap()).unwrap();
    json["model"]["provenance"]["history_fingerprint"].take();
    json
}

/// The season of a trial looks no further than the trial's day, as everything else.
#[test]
fn no_order_after_the_cutoff_moves_a_trial() {
    let orders = seasonal(300, 0.8, 62);
    let until = first_day().plus_days(1_400);
    let cutoff = first_day().plus_days(1_200);
    let of = |orders: &[Order]| {
        let trial = trials().at(&read(orders, until), cutoff).unwrap();
        assert!(trial.model.season().unwrap().is_known(cutoff));
        said(&trial.model)
    };
    let whole = of(&orders);
    let past: Vec<Order> = orders.iter().filter(|order| order.day <= 1_200).cloned().collect();
    assert_eq!(of(&past), whole);
    let mut crowded = past;
    let again: Vec<Order> =
        crowded.iter().map(|order| Order { day: 1_201 + order.day % 150, ..order.clone() }).collect();
    crowded.extend(again);
    assert_eq!(of(&crowded), whole);
    // What is known at the cutoff does.
    let other: Vec<Order> = orders.iter().filter(|order| order.day != 1_190).cloned().collect();
    assert_ne!(of(&other), whole);
}

/// All of them come every week but a few, until a day on which nobody comes any more.
fn faithful(customers: i64, weeks: i32) -> Vec<Order> {
    let order = |customer: i64, week: i32| Order {
        customer,
        day: 7 * week + (customer % 7) as i32,
        amount: 5.0,
        discount: 0.0,
        store: crate::logs::STORES[0],
    };
    (0..customers).flat_map(|customer| (0..weeks).map(move |week| order(customer, week))).collect()
}

#[test]
fn a_cutoff_without_a_model_is_passed_over_with_the_reason() {
    // Nobody stays away for the first year; then half of them leave.
    let mut orders = faithful(80, 90);
    orders.retain(|order| order.customer % 2 == 0 || order.day < 400);
    let history = history(&orders);
    let snapshots = Snapshots::params(standard(30))
        .with_horizon_days(30)
        .with_cutoffs(Cutoffs::rolling().at_most(CUTOFFS));
    // Columns were asked for, so that the rhythm does not answer in their place.
    let fit = ChurnModel::params().with_terms(winback::model::TermChoice::Core);
    let backtest = Backtest::of(&Trial::params(snapshots.clone(), fit.clone()), &history, 20).unwrap();
    assert!(!backtest.rows.is_empty() && !backtest.skipped.is_empty(), "{backtest}");
    for skipped in &backtest.skipped {
        assert!(skipped.reason.contains("training rows are not churned"), "{}", skipped.reason);
    }
    let shown = backtest.to_string();
    assert!(shown.contains("passed over: all"), "{shown}");
    // From snapshots taken before, too.
    let taken = snapshots.with_cutoffs(Cutoffs::rolling().at_most(40)).build(&history).unwrap();
    let other = Backtest::run(&fit, &taken, 20).unwrap();
    assert!(!other.rows.is_empty() && !other.skipped.is_empty(), "{other}");
    // A setting out of range is no matter of one cutoff.
    let error = Backtest::run(&fit.with_l2(f64::NAN), &taken, 4).unwrap_err();
    assert!(matches!(error, Error::Parameter { .. }), "{error}");
}

#[test]
fn a_trial_before_the_log_can_have_one_is_refused() {
    let history = history(&rhythmic(60, 300, 63));
    for day in [-5, 10, 70] {
        assert!(trials().at(&history, first_day().plus_days(day)).is_err(), "{day}");
    }
    let error = trials().at(&history, history.observed_until()).unwrap_err();
    assert!(matches!(error, Error::HorizonNotObserved { .. }), "{error}");
}

/// The test is judged by itself: it is no cutoff to have won before.
#[test]
fn only_earlier_cutoffs_speak_for_a_verdict() {
    let history = history(&rhythmic(700, 600, 64));
    let trials = trials();
    let last = trials.at_last(&history).unwrap();
    let evaluation = last.model.evaluate(&last.test).unwrap();
    let said = |backtest: Backtest| {
        let evaluation = evaluation.clone().with_backtest(backtest);
        let text = evaluation.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        (evaluation.verdict.unwrap(), text)
    };
    let backtest = Backtest::of(&trials, &history, 3).unwrap();
    assert!(backtest.rows.iter().all(|row| row.wins()));
    let (verdict, text) = said(backtest.clone());
    assert_eq!(verdict, Verdict::Better);
    assert!(text.contains("good: it ranked better than days since last at 2 of 2 earlier cutoffs"), "{text}");
    // Its own row alone, or none: enough customers of both outcomes, but one day only.
    let own = Backtest { rows: backtest.rows[2..].to_vec(), ..Backtest::default() };
    for alone in [own, Backtest::default()] {
        let (verdict, text) = said(alone);
        assert_eq!(verdict, Verdict::TooLittleData);
        assert!(text.contains("there is no earlier cutoff to test at; bring a longer log"), "{text}");
        assert!(!text.contains("fewer than 25") && !text.contains("0 of 0"), "{text}");
    }
    // One win of two is not most.
    let mut half = backtest.clone();
    half.rows[0].recency_auc = Some(1.0);
    let (verdict, text) = said(half);
    assert_eq!(verdict, Verdict::NoBetterThanRecency);
    assert!(
        text.contains("doubtful: it ranked better than days since last at 1 of 2 earlier cutoffs"),
        "{text}"
    );
    // What speaks for the model is said although the verdict does not.
    assert!(text.contains("its probabilities fit better") && !text.contains("adds nothing"), "{text}");
    // A tie is named and no win; a cutoff without an AUC does not count.
    let mut tied = backtest.clone();
    tied.rows[0].recency_auc = tied.rows[0].auc;
    tied.rows[1].auc = None;
    let (verdict, text) = said(tied);
    assert_eq!(verdict, Verdict::NoBetterThanRecency);
    assert!(text.contains("at 0 of 1 earlier cutoffs, and as well at one"), "{text}");
    let mut untold = backtest.clone();
    untold.rows.iter_mut().for_each(|row| row.auc = None);
    let (verdict, text) = said(untold);
    assert_eq!(verdict, Verdict::TooLittleData);
    assert!(!text.contains("earlier cutoffs"), "{text}");
}

#[test]
fn a_campaign_whose_size_cannot_be_chosen_before_says_why() {
    // Nobody stays away before day 400, so that the cutoff before the last training cutoff has no model.
    let mut orders = faithful(80, 80);
    orders.retain(|order| order.customer % 2 == 0 || order.day < 400);
    let history = read(&orders, first_day().plus_days(475));
    let snapshots = Snapshots::params(standard(30))
        .with_horizon_days(30)
        .with_cutoffs(Cutoffs::rolling().at_most(CUTOFFS));
    let fit = ChurnModel::params().with_terms(winback::model::TermChoice::Core);
    let Trial { train, test, model, .. } = Trial::params(snapshots, fit.clone()).at_last(&history).unwrap();
    let profit = Profit::run(Campaign::default(), &model, &fit, &train, &test).unwrap().unwrap();
    assert_eq!(profit.chosen_at, None);
    let reason = profit.not_chosen_because.clone().unwrap();
    assert!(reason.contains("training rows are not churned"), "{reason}");
    let shown = profit.to_string();
    assert!(
        shown.contains("that promise most") && shown.contains("not chosen at an earlier cutoff: at"),
        "{shown}"
    );
}
