//! Logs at the edge of sense: a clear answer each.

use winback::model::{ModelKind, TermChoice};
use winback::{ChurnModel, Columns, Cutoffs, Error, Feature, FeatureSet, History, Snapshots};

use crate::logs::{Order, day, first_day, floats, frame, history, params, rhythmic, standard};

fn order(customer: i64, day: i32, amount: f64) -> Order {
    Order { customer, day, amount, discount: 0.0, store: "Delft" }
}

fn fit(orders: &[Order]) -> Result<ChurnModel, Error> {
    let snapshots = Snapshots::params(standard(30)).with_horizon_days(30).build(&history(orders))?;
    ChurnModel::params().fit(&snapshots)
}

#[test]
fn an_empty_log_is_refused() {
    let error = params().from_frame(&frame(&[])).unwrap_err();
    assert!(matches!(error, Error::NoOrders { .. }));
    assert_eq!(
        error.to_string(),
        "no orders to work with: expected at least one usable row\n0 rows read, 0 without faults, 0 with"
    );
}

#[test]
fn a_log_of_refunds_has_nobody_to_score() {
    let orders: Vec<Order> = (0..200).map(|day| order(i64::from(day % 7), day, -5.0)).collect();
    let error = fit(&orders).unwrap_err();
    assert!(error.to_string().ends_with("the log holds no purchase at all; choose a later day"), "{error}");
    let error = standard(30).features_at(&history(&orders), first_day().plus_days(100)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no customer had bought by 2020-04-10: the log holds no purchase at all; choose a later day"
    );
}

#[test]
fn one_customer_is_one_class_or_a_model() {
    let weekly: Vec<Order> = (0..40).map(|week| order(1, 7 * week, 10.0)).collect();
    let model = fit(&weekly).unwrap();
    assert_eq!(model.kind(), ModelKind::Rhythm { is_mostly_prior: true });
    // Columns that are asked for cannot be learned from one class.
    let snapshots = Snapshots::params(standard(30)).with_horizon_days(30).build(&history(&weekly)).unwrap();
    assert_eq!(
        ChurnModel::params().with_terms(TermChoice::Core).fit(&snapshots).unwrap_err().to_string(),
        "all 9 training rows are not churned: a model needs customers who churned and customers who did not; choose \
         another horizon or more cutoffs"
    );
    let with_pauses: Vec<Order> =
        [0, 7, 14, 80, 90, 160, 170, 180, 250, 300].map(|day| order(1, day, 10.0)).into();
    let model = fit(&with_pauses).unwrap();
    let scores = model.score(&history(&with_pauses), first_day().plus_days(300)).unwrap();
    assert_eq!(scores.len(), 1);
    assert!(scores.probabilities()[0] > 0.0 && scores.probabilities()[0] < 1.0);
}

#[test]
fn everybody_churned_is_said() {
    let once: Vec<Order> = (0..50).map(|customer| order(customer, customer as i32, 10.0)).collect();
    let mut orders = once;
    orders.push(order(99, 300, 1.0));
    let snapshots = Snapshots::params(standard(30)).with_horizon_days(30).build(&history(&orders)).unwrap();
    let error = ChurnModel::params().with_terms(TermChoice::Full).fit(&snapshots).unwrap_err();
    assert!(matches!(error, Error::SingleClass { class: "churned", .. }), "{error}");
    let model = fit(&orders).unwrap();
    assert_eq!(model.kind(), ModelKind::Rhythm { is_mostly_prior: true });
    assert!(model.to_string().starts_with("stated prior"), "{model}");
}

#[test]
fn separation_is_reported_and_probabilities_stay_inside() {
    // Half the customers buy weekly to the end, half stop early: silence alone tells them apart.
    let orders: Vec<Order> = (0..60)
        .flat_map(|customer| {
            let weeks = if customer % 2 == 0 { 40 } else { 5 };
            (0..weeks).map(move |week| order(customer, 7 * week + customer as i32 % 7, 10.0))
        })
        .collect();
    let history = history(&orders);
    let snapshots = Snapshots::params(standard(30))
        .with_horizon_days(30)
        .with_cutoffs(Cutoffs::explicit([first_day().plus_days(120)]))
        .build(&history)
        .unwrap();
    let model = ChurnModel::params().with_terms(TermChoice::Core).fit(&snapshots).unwrap();
    assert!(model.fit_summary().separated && model.fit_summary().converged);
    let scores = model.score(&history, first_day().plus_days(200)).unwrap();
    assert!(scores.probabilities().iter().all(|p| *p > 0.0 && *p < 1.0));
    assert!(model.to_string().contains("perfectly separated"));
}

#[test]
fn constant_features_are_left_out_and_named() {
    let mut orders = rhythmic(100, 400, 4);
    orders.iter_mut().for_each(|order| order.amount = 9.5);
    let model = fit(&orders).unwrap();
    let constant = &model.fit_summary().constant;
    for name in ["amount_mean", "amount_last", "refund_fraction", "discount_fraction"] {
        assert!(constant.contains(&name.to_owned()), "{name} of {constant:?}");
    }
    let terms = model.coefficients().unwrap();
    assert!(floats(&terms, "estimate").iter().all(|estimate| estimate.unwrap().is_finite()));
}

#[test]
fn a_model_of_nothing_but_constants_says_the_base_rate() {
    let orders = rhythmic(100, 400, 4);
    let set = FeatureSet::empty().with(Feature::custom(
        "one",
        "flag",
        winback::features::Transform::Identity,
        |_| Some(1.0),
    ));
    let snapshots = Snapshots::params(set).with_horizon_days(30).build(&history(&orders)).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let scores = model.score(&history(&orders), first_day().plus_days(300)).unwrap();
    let expected = snapshots.churned_fraction();
    assert!(scores.probabilities().iter().all(|p| (p - expected).abs() < 1e-9));
}

#[test]
fn amounts_at_the_edge_of_floats_stay_finite() {
    let mut orders = rhythmic(60, 300, 12);
    for (position, order) in orders.iter_mut().enumerate() {
        order.amount = [1e100, 5e-324, -1e100, 0.0, 1.0][position % 5];
    }
    let model = fit(&orders).unwrap();
    let scores = model.score(&history(&orders), first_day().plus_days(250)).unwrap();
    assert!(scores.probabilities().iter().all(|p| (0.0..=1.0).contains(p)));
}

#[test]
fn a_log_read_another_way_is_not_scored() {
    let orders = rhythmic(100, 400, 4);
    let model = fit(&orders).unwrap();
    let plain = History::params(Columns::new("customer", "day")).from_frame(&frame(&orders)).unwrap();
    assert_eq!(
        model.score(&plain, first_day().plus_days(300)).unwrap_err().to_string(),
        "the model was trained on orders with amounts, refunds netted, with discounts, 1 segment column, but these \
         were read without amounts, no refunds, without discounts, 0 segment columns; read them the same way"
    );
    assert!(matches!(
        model.score(&history(&orders), day("2030-01-01")).unwrap_err(),
        Error::AfterObserved { .. }
    ));
}

#[test]
fn settings_outside_their_range_are_refused() {
    let history = history(&rhythmic(50, 300, 4));
    let snapshots = Snapshots::params(standard(30)).with_horizon_days(30).build(&history).unwrap();
    let refuse = |error: Error| error.to_string();
    assert_eq!(
        refuse(ChurnModel::params().with_l2(-1.0).fit(&snapshots).unwrap_err()),
        "L2 strength is -1, expected a finite number, at least 0"
    );
    assert_eq!(
        refuse(ChurnModel::params().with_max_rows(0).fit(&snapshots).unwrap_err()),
        "most rows is 0, expected at least 1"
    );
    let build = |horizon, lead| {
        Snapshots::params(standard(30))
            .with_horizon_days(horizon)
            .with_lead_days(lead)
            .build(&history)
            .unwrap_err()
    };
    assert_eq!(refuse(build(0, 0)), "horizon is 0 days, expected 1 to 9,125 days");
    assert_eq!(refuse(build(i32::MAX, 0)), "horizon is 2147483647 days, expected 1 to 9,125 days");
    assert_eq!(refuse(build(30, -1)), "lead is -1 days, expected 0 to 36,500 days");
}

#[test]
fn fewer_rows_are_whole_customers() {
    let orders = rhythmic(400, 400, 21);
    let snapshots = Snapshots::params(standard(30)).with_horizon_days(30).build(&history(&orders)).unwrap();
    let model = ChurnModel::params().with_max_rows(500).fit(&snapshots).unwrap();
    assert!(model.fit_summary().rows <= 500 && model.fit_summary().rows > 400);
    assert!(model.to_string().contains("chosen by customer"));
}

/// A model of every kind of segment column loads again.
#[test]
fn segments_that_tell_nothing_are_left_out_and_the_model_loads() {
    let one_value = |orders: &mut Vec<Order>| orders.iter_mut().for_each(|order| order.store = "Cork");
    let mut same = rhythmic(150, 400, 4);
    one_value(&mut same);
    let history = history(&same);
    let model = fit(&same).unwrap();
    let excess = "peer_loss_fraction_store_30_days - overall_loss_fraction_store_30_days";
    assert!(model.fit_summary().constant.contains(&excess.to_owned()), "{:?}", model.fit_summary().constant);
    assert_eq!(ChurnModel::from_json(&model.to_json().unwrap()).unwrap(), model);
    let scores = model.score(&history, first_day().plus_days(300)).unwrap().to_frame().unwrap();
    let words: Vec<&str> = scores.column("driver_3").unwrap().str().unwrap().iter().flatten().collect();
    assert!(!words.iter().any(|words| words.contains("of the same store")));
}

#[test]
fn segments_with_a_value_per_customer_or_none_work() {
    use polars::prelude::*;
    let orders = rhythmic(150, 400, 4);
    let mut table = frame(&orders);
    for column in [
        Column::new(
            "store".into(),
            orders.iter().map(|order| format!("of {}", order.customer)).collect::<Vec<_>>(),
        ),
        Column::new("store".into(), vec![None::<&str>; orders.len()]),
    ] {
        table.replace("store", column).unwrap();
        let history = params().from_frame(&table).unwrap();
        let snapshots = Snapshots::params(standard(30)).with_horizon_days(30).build(&history).unwrap();
        let model = ChurnModel::params().fit(&snapshots).unwrap();
        let loaded = ChurnModel::from_json(&model.to_json().unwrap()).unwrap();
        let at = first_day().plus_days(300);
        assert_eq!(
            loaded.score(&history, at).unwrap().probabilities(),
            model.score(&history, at).unwrap().probabilities()
        );
    }
}

#[test]
fn segment_columns_meet_by_name() {
    use polars::prelude::*;
    let orders = rhythmic(200, 400, 9);
    let mut table = frame(&orders);
    let other: Vec<i32> = orders.iter().map(|order| order.customer as i32 % 3).collect();
    table.with_column(Column::new("line".into(), other)).unwrap();
    let read = |segments: [&str; 2], table: &DataFrame| {
        let columns = Columns::new("customer", "day").with_amount("amount").with_segments(segments);
        History::params(columns).from_frame(table).unwrap()
    };
    let history = read(["store", "line"], &table);
    let set = FeatureSet::standard(30, &["store", "line"]);
    let snapshots = Snapshots::params(set).with_horizon_days(30).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let at = first_day().plus_days(300);
    let expected = model.score(&history, at).unwrap();
    let swapped = model.score(&read(["line", "store"], &table), at).unwrap();
    assert_eq!(expected.probabilities(), swapped.probabilities());
    table.rename("store", "shop".into()).unwrap();
    let renamed = model.score(&read(["shop", "line"], &table), at).unwrap();
    assert_eq!(expected.probabilities(), renamed.probabilities());
    table.rename("line", "range".into()).unwrap();
    let error = model.score(&read(["shop", "range"], &table), at).unwrap_err().to_string();
    assert!(
        error.contains("with segment columns store, line, but these were read with shop, range"),
        "{error}"
    );
}

#[test]
fn few_customers_get_few_columns_and_finite_scores() {
    for customers in [2, 5, 12, 20] {
        let orders = rhythmic(customers, 500, 33);
        let model = fit(&orders).unwrap();
        match model.kind() {
            ModelKind::Logistic => {
                assert_eq!(model.fit_summary().terms, TermChoice::Core);
                assert!(model.to_string().contains("only the core ones"));
            }
            kind => {
                assert!(customers < 20 && matches!(kind, ModelKind::Rhythm { .. }), "{customers}: {kind:?}")
            }
        }
        let history = history(&orders);
        let scores = model.score(&history, history.observed_until()).unwrap();
        assert!(scores.probabilities().iter().all(|p| *p > 0.0 && *p < 1.0));
    }
}
