//! Labels, cutoffs and splits.

use polars::prelude::*;
use winback::features::Population;
use winback::model::Recalibration;
use winback::snapshot::{HorizonAdvice, LabelWindow};
use winback::{ChurnModel, Columns, Cutoffs, Day, Error, Feature, FeatureSet, History, Snapshots};

use crate::logs::{Order, bytes, day, first_day, frame, history, params, rhythmic, standard};

fn order(customer: i64, day: i32) -> Order {
    Order { customer, day, amount: 10.0, discount: 0.0, store: "Cork" }
}

/// Who is churned at day 100, of customers who bought on day 0 and then on `day`.
#[track_caller]
fn check_label(lead_days: i32, horizon_days: i32, day: i32, churned: bool) {
    let orders = [order(1, 0), order(1, day), order(2, 0), order(2, 300)];
    let snapshots = Snapshots::params(FeatureSet::empty().with(Feature::DaysSinceLast))
        .with_horizon_days(horizon_days)
        .with_lead_days(lead_days)
        .with_cutoffs(Cutoffs::explicit([first_day().plus_days(100)]))
        .build(&history(&orders))
        .unwrap();
    let labels: Vec<bool> =
        snapshots.to_frame().unwrap().column("churned").unwrap().bool().unwrap().iter().flatten().collect();
    assert_eq!(labels, [churned, true], "bought on day {day}");
}

#[test]
fn the_label_window_is_open_on_the_left_and_closed_on_the_right() {
    check_label(0, 30, 100, true);
    check_label(0, 30, 101, false);
    check_label(0, 30, 130, false);
    check_label(0, 30, 131, true);
    check_label(7, 30, 107, true);
    check_label(7, 30, 108, false);
    check_label(7, 30, 137, false);
    check_label(7, 30, 138, true);
}

#[test]
fn a_label_that_is_not_observed_is_refused() {
    let history = history(&[order(1, 0), order(1, 200)]);
    let build = |cutoff: i32| {
        Snapshots::params(standard(30))
            .with_horizon_days(30)
            .with_cutoffs(Cutoffs::explicit([first_day().plus_days(cutoff)]))
            .build(&history)
    };
    assert!(build(170).is_ok());
    assert_eq!(
        build(171).unwrap_err().to_string(),
        "cutoff 2020-06-20: its label window ends on 2020-07-20, but the log is observed until 2020-07-19; \
         choose a cutoff on or before 2020-06-19"
    );
}

#[track_caller]
fn check_rolling(log_days: i32, horizon_days: i32, cutoffs: impl Into<Cutoffs>, expected: &[i32]) {
    let history = history(&[order(1, 0), order(1, log_days)]);
    let snapshots = Snapshots::params(standard(horizon_days))
        .with_horizon_days(horizon_days)
        .with_cutoffs(cutoffs)
        .build(&history)
        .unwrap();
    let found: Vec<i32> = snapshots.cutoffs().iter().map(|cutoff| cutoff.days_since(first_day())).collect();
    assert_eq!(found, expected);
}

#[test]
fn cutoffs_roll_back_from_the_last_observable_one() {
    check_rolling(400, 30, Cutoffs::rolling().at_most(3), &[340, 355, 370]);
    check_rolling(400, 30, Cutoffs::rolling().every_days(100), &[70, 170, 270, 370]);
    // Not before two horizons after the log's first day.
    check_rolling(150, 30, Cutoffs::rolling(), &[60, 75, 90, 105, 120]);
    // Where that leaves fewer than three for training: from one horizon on.
    check_rolling(149, 30, Cutoffs::rolling(), &[44, 59, 74, 89, 104, 119]);
    check_rolling(120, 30, Cutoffs::rolling(), &[30, 45, 60, 75, 90]);
    check_rolling(105, 30, Cutoffs::rolling(), &[30, 45, 60, 75]);
    // Where that leaves fewer than two: from half a horizon on.
    check_rolling(104, 30, Cutoffs::rolling(), &[29, 44, 59, 74]);
    check_rolling(60, 30, Cutoffs::rolling(), &[15, 30]);
    // Labels of 23 days do not end within two steps of 11, but within one of 23.
    check_rolling(59, 23, Cutoffs::rolling(), &[13, 36]);
    let from = first_day().plus_days(80);
    check_rolling(150, 30, Cutoffs::rolling().starting(from), &[90, 105, 120]);
    check_rolling(400, 30, Cutoffs::rolling().ending(first_day().plus_days(200)).at_most(2), &[185, 200]);
}

#[test]
fn a_log_too_short_for_any_cutoff_is_refused() {
    let error = Snapshots::params(standard(90)).build(&history(&[order(1, 0), order(1, 100)])).unwrap_err();
    assert!(matches!(error, Error::NoCutoffs { horizon_days: 90, .. }), "{error}");
}

#[test]
fn a_split_lets_no_training_label_reach_past_the_first_test_cutoff() {
    let history = history(&rhythmic(50, 400, 2));
    let snapshots = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .with_lead_days(5)
        .with_cutoffs(Cutoffs::rolling().every_days(20))
        .build(&history)
        .unwrap();
    let at = snapshots.cutoffs()[snapshots.cutoffs().len() - 1];
    let (train, test) = snapshots.split_at(at).unwrap();
    assert!(train.labelled_until() <= at);
    assert!(train.labelled_until().plus_days(20) > at);
    assert_eq!(test.cutoffs(), [at]);
    assert!(train.straddling_rows() > 0);
    assert_eq!(train.rows() + test.rows() + train.straddling_rows(), snapshots.rows());
    let first = snapshots.cutoffs()[0];
    assert!(matches!(snapshots.split_at(first).unwrap_err(), Error::EmptySplit { side: "training", .. }));
    let late = at.plus_days(1);
    assert!(matches!(snapshots.split_at(late).unwrap_err(), Error::EmptySplit { side: "test", .. }));
}

#[test]
fn a_population_can_be_narrowed_to_recent_customers() {
    let history =
        history(&[order(1, 0), order(1, 99), order(2, 0), order(3, 70), order(4, 71), order(1, 300)]);
    let snapshots = Snapshots::params(standard(30))
        .with_horizon_days(30)
        .with_population(Population::Recent)
        .with_cutoffs(Cutoffs::explicit([first_day().plus_days(100)]))
        .build(&history)
        .unwrap();
    let ids: Vec<i64> = snapshots
        .to_frame()
        .unwrap()
        .column("customer_id")
        .unwrap()
        .i64()
        .unwrap()
        .iter()
        .flatten()
        .collect();
    assert_eq!(ids, [1, 4]);
}

#[test]
fn snapshots_come_back_from_a_table() {
    let history = history(&rhythmic(40, 400, 8));
    let set = standard(60);
    let snapshots = Snapshots::params(set.clone()).with_horizon_days(60).build(&history).unwrap();
    let table = snapshots.to_frame().unwrap();
    let label = LabelWindow { lead_days: 0, horizon_days: 60 };
    // Rows in another order, another column between, labels as numbers.
    let mut shuffled = table.reverse();
    let numbers = table.column("churned").unwrap().reverse().cast(&DataType::Int32).unwrap();
    shuffled.replace("churned", numbers.take_materialized_series().into_column()).unwrap();
    shuffled.with_column(Column::new("note".into(), vec!["x"; table.height()])).unwrap();
    let back = Snapshots::from_frame(&shuffled, &set, label, &params()).unwrap();
    assert!(bytes(&table) == bytes(&back.to_frame().unwrap()));
}

#[test]
fn a_table_that_does_not_fit_is_refused_by_name() {
    let history = history(&rhythmic(40, 400, 8));
    let set = standard(60);
    let table =
        Snapshots::params(set.clone()).with_horizon_days(60).build(&history).unwrap().to_frame().unwrap();
    let label = LabelWindow { lead_days: 0, horizon_days: 60 };
    let refuse =
        |table: &DataFrame| Snapshots::from_frame(table, &set, label, &params()).unwrap_err().to_string();
    assert_eq!(
        refuse(&table.drop_many(["tenure_days", "churned"])),
        "snapshots table: columns missing: churned, tenure_days"
    );
    let twice = table.head(Some(3)).vstack(&table.head(Some(1))).unwrap();
    assert!(
        refuse(&twice).starts_with("snapshots table: customer 0 stands twice at 20"),
        "{}",
        refuse(&twice)
    );
    let mut infinite = table.clone();
    let values: Vec<f64> =
        (0..table.height()).map(|row| if row == 4 { f64::INFINITY } else { 1.0 }).collect();
    infinite.replace("amount_mean", Column::new("amount_mean".into(), values)).unwrap();
    assert_eq!(
        refuse(&infinite),
        "snapshots table: column `amount_mean` is not finite in row 5; write null where it is undefined"
    );
    let mut text = table.clone();
    text.replace("amount_mean", Column::new("amount_mean".into(), vec!["a lot"; table.height()])).unwrap();
    assert_eq!(refuse(&text), "snapshots table: column `amount_mean` is str, expected numbers");
    assert_eq!(refuse(&table.head(Some(0))), "snapshots table: it has no rows");
}

#[test]
fn features_need_their_columns_only_when_asked_for_by_name() {
    let plain = History::params(Columns::new("customer", "day"))
        .from_frame(&frame(&[order(1, 0), order(1, 9)]))
        .unwrap();
    let names = |set: &FeatureSet| -> Vec<String> {
        set.resolve(&plain).unwrap().iter().map(Feature::name).collect()
    };
    assert!(!names(&FeatureSet::standard(30, &[])).iter().any(|name| name.contains("amount")));
    let refuse = |set: FeatureSet| set.resolve(&plain).unwrap_err().to_string();
    assert_eq!(
        refuse(FeatureSet::standard(30, &["store"])),
        "feature `peer_loss_fraction_store_30_days` needs the segment column `store`, which this history was read \
         without; name it in the columns or leave the feature out"
    );
    assert_eq!(
        refuse(FeatureSet::empty().with(Feature::AmountLast)),
        "feature `amount_last` needs the amount column, which this history was read without; name it in the columns \
         or leave the feature out"
    );
    assert_eq!(
        refuse(FeatureSet::standard(30, &[]).with(Feature::NPurchases)),
        "feature `n_purchases` stands twice in the set; leave one out"
    );
    assert_eq!(
        refuse(FeatureSet::empty().with(Feature::PurchasesIn { days: 0 })),
        "a feature's window is 0 days, expected 1 to 36,500 days"
    );
    assert_eq!(refuse(FeatureSet::empty()), "feature set is empty, expected at least one feature");
}

#[test]
fn a_custom_feature_that_is_infinite_is_named() {
    let set = FeatureSet::empty().with(Feature::custom(
        "broken",
        "ratio",
        winback::features::Transform::Identity,
        |customer| Some(1.0 / f64::from(customer.days_since_last())),
    ));
    let history = history(&[order(1, 0), order(7, 9)]);
    assert_eq!(
        set.features_at(&history, first_day().plus_days(9)).unwrap_err().to_string(),
        "feature `broken` is inf for customer 7 at 2020-01-10, expected a finite number or null"
    );
}

#[test]
fn days_outside_the_log_are_refused() {
    let history = history(&[order(1, 5), order(1, 9)]);
    let at = |day: Day| standard(30).features_at(&history, day).unwrap_err().to_string();
    assert_eq!(
        at(first_day().plus_days(10)),
        "2020-01-11 lies after 2020-01-10, the last day the log is observed; choose an earlier day, or declare the \
         log observed until then"
    );
    assert_eq!(
        at(day("2019-01-01")),
        "no customer had bought by 2019-01-01: the first purchase is on 2020-01-06; choose a later day"
    );
}

#[test]
fn a_horizon_far_from_the_rhythm_is_noticed() {
    let weekly: Vec<Order> =
        (0..20).flat_map(|customer| (0..30).map(move |week| order(customer, 7 * week))).collect();
    let history = history(&weekly);
    let advice = HorizonAdvice::of(&history, 365).unwrap();
    assert!(advice.is_far());
    assert_eq!(
        advice.to_string(),
        "customers who return usually do so every 7 days; a horizon of 365 days is far from that, about 14 days \
         would suit"
    );
    assert!(!HorizonAdvice::of(&history, 30).unwrap().is_far());
    assert!(HorizonAdvice::of(&history, 3).unwrap().is_far());
}

#[test]
fn a_table_of_recent_customers_says_so() {
    let log = history(&rhythmic(80, 400, 5));
    let build = |population| {
        Snapshots::params(standard(60)).with_horizon_days(60).with_population(population).build(&log).unwrap()
    };
    let (all, recent) = (build(Population::All), build(Population::Recent));
    let back = |snapshots: &Snapshots| {
        Snapshots::from_frame(&snapshots.to_frame().unwrap(), &standard(60), snapshots.label(), log.reading())
            .unwrap()
    };
    assert!(recent.rows() < all.rows());
    let model = ChurnModel::params().fit(&recent).unwrap();
    let error = model.recalibrate(&back(&recent), Recalibration::Intercept).unwrap_err().to_string();
    assert!(error.contains("the model was trained on"), "{error}");
    let told = back(&recent).with_population(Population::Recent).unwrap();
    model.recalibrate(&told, Recalibration::Intercept).unwrap();
    let error = back(&all).with_population(Population::Recent).unwrap_err().to_string();
    assert!(error.contains("leave them out"), "{error}");
}
