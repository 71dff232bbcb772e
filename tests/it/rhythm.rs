//! Where there is too little to learn columns from, the rhythm answers, and says so.

use winback::evaluate::Backtest;
use winback::model::{ModelKind, Recalibration, TermChoice};
use winback::{ChurnModel, Error, Feature, FeatureSet, Snapshots};

use crate::logs::{Order, bytes, first_day, floats, history, rhythmic, standard};

fn order(customer: i64, day: i32) -> Order {
    Order { customer, day, amount: 10.0, discount: 0.0, store: "Delft" }
}

fn snapshots(orders: &[Order]) -> Snapshots {
    Snapshots::params(standard(30)).with_horizon_days(30).build(&history(orders)).unwrap()
}

/// Weekly for 40 weeks.
fn weekly(customers: i64) -> Vec<Order> {
    (0..customers)
        .flat_map(|customer| (0..40).map(move |week| order(customer, 7 * week + customer as i32 % 7)))
        .collect()
}

/// Once each, over 200 days.
fn once(customers: i64) -> Vec<Order> {
    (0..customers).map(|customer| order(customer, (customer * 200 / customers) as i32)).collect()
}

/// Fits, scores, saves, checks and evaluates.
#[track_caller]
fn whole_way(orders: &[Order]) -> ChurnModel {
    let history = history(orders);
    let snapshots = snapshots(orders);
    let model = ChurnModel::params().fit(&snapshots).unwrap().with_season(&history).unwrap();
    let as_of = history.observed_until();
    let scores = model.score_with_intervals(&history, as_of).unwrap();
    for (p, (low, high)) in scores.probabilities().iter().zip(scores.intervals().unwrap()) {
        assert!(0.0 < *low && low <= p && p <= high && *high < 1.0, "{low} {p} {high}");
    }
    let loaded = ChurnModel::from_json(&model.to_json().unwrap()).unwrap();
    assert_eq!(loaded, model);
    assert!(
        bytes(&loaded.score_with_intervals(&history, as_of).unwrap().to_frame().unwrap())
            == bytes(&scores.to_frame().unwrap())
    );
    assert!(!format!("{model}{scores}").contains("NaN"));
    let ageing = model.check(&history, as_of).unwrap();
    assert!(ageing.predicted_fraction.is_finite());
    model.effects(&model.reference_customer()).unwrap();
    model.idea_tests().unwrap();
    if let Ok((train, test)) = snapshots.split_at(*snapshots.cutoffs().last().unwrap()) {
        let backtest = Backtest::run(&ChurnModel::params(), &snapshots, 3).unwrap();
        let evaluation =
            ChurnModel::params().fit(&train).unwrap().evaluate(&test).unwrap().with_backtest(backtest);
        assert!(!evaluation.to_string().contains("NaN"), "{evaluation}");
        let json = serde_json::to_value(&evaluation).unwrap();
        assert!(json["all"]["log_loss"].is_number() && json["all"]["ece"].is_number());
    }
    model
}

fn is_rhythm(model: &ChurnModel) -> bool {
    matches!(model.kind(), ModelKind::Rhythm { .. })
}

#[test]
fn one_class_is_answered_by_the_rhythm() {
    for customers in [1, 3, 20, 100] {
        let model = whole_way(&weekly(customers));
        assert!(is_rhythm(&model), "{customers}");
        let log = history(&weekly(customers));
        let scores = model.score(&log, log.observed_until()).unwrap();
        assert!(scores.probabilities().iter().all(|p| *p < 0.2), "{:?}", scores.probabilities());
        let model = whole_way(&once(customers.max(2)));
        assert!(is_rhythm(&model), "{customers}");
        assert_eq!(model.fit_summary().terms, TermChoice::Rhythm);
    }
}

#[test]
fn it_calls_itself_what_it_is() {
    let model = whole_way(&weekly(100));
    assert_eq!(model.kind(), ModelKind::Rhythm { is_mostly_prior: false });
    assert!(
        model
            .to_string()
            .starts_with("rhythm model (MBG/NBD, too little data for a logistic one) of churned"),
        "{model}"
    );
    let json: serde_json::Value = serde_json::from_str(&model.to_json().unwrap()).unwrap();
    assert!(json["model"]["rhythm"]["posterior"].is_object());
    let model = whole_way(&once(60));
    assert_eq!(model.kind(), ModelKind::Rhythm { is_mostly_prior: true });
    assert!(model.to_string().starts_with("stated prior"), "{model}");
    let parameters = model.coefficients().unwrap();
    assert_eq!(parameters.height(), 4);
    let (low, high) = (floats(&parameters, "low"), floats(&parameters, "high"));
    assert!(low.iter().zip(high).all(|(low, high)| low.unwrap() < high.unwrap()));
    let many = rhythmic(300, 500, 4);
    assert_eq!(ChurnModel::params().fit(&snapshots(&many)).unwrap().kind(), ModelKind::Logistic);
}

#[test]
fn silence_raises_the_risk_even_with_three_customers() {
    // Two still come weekly, one stopped after ten weeks.
    let mut orders = weekly(2);
    orders.extend((0..10).map(|week| order(9, 7 * week)));
    let model = whole_way(&orders);
    let history = history(&orders);
    let scores = model.score(&history, history.observed_until()).unwrap();
    let p = scores.probabilities();
    assert!(p[2] > 0.6 && p[0] < 0.2 && p[1] < 0.2, "{p:?}");
    let frame = scores.to_frame().unwrap();
    let words = frame.column("driver_1").unwrap().str().unwrap().get(2).unwrap().to_owned();
    assert_eq!(
        words,
        "10 purchases in all, customer for 274 days, last bought 211 days ago: raises the risk"
    );
    // The one driver is the whole score, counted from the average in training.
    let log_odds = |p: f64| (p / (1.0 - p)).ln();
    let drivers = floats(&frame, "driver_1_log_odds");
    let start: Vec<f64> = p.iter().zip(drivers).map(|(p, driver)| log_odds(*p) - driver.unwrap()).collect();
    assert!(start.iter().all(|other| (other - start[0]).abs() < 1e-9), "{start:?}");
}

#[test]
fn a_recalibrated_rhythm_moves_its_level() {
    let model =
        ChurnModel::params().with_terms(TermChoice::Rhythm).fit(&snapshots(&rhythmic(200, 400, 2))).unwrap();
    assert!(is_rhythm(&model));
    let later = snapshots(&rhythmic(200, 400, 3));
    let moved = model.recalibrate(&later, Recalibration::InterceptAndSlope).unwrap();
    let at = first_day().plus_days(350);
    let history = history(&rhythmic(200, 400, 3));
    let (before, after) = (model.score(&history, at).unwrap(), moved.score(&history, at).unwrap());
    let log_odds = |p: &f64| (p / (1.0 - p)).ln();
    // A line in the log-odds: three points lie on it.
    let [x, y] = [before.probabilities(), after.probabilities()]
        .map(|p| p[..3].iter().map(log_odds).collect::<Vec<_>>());
    assert!(((y[1] - y[0]) * (x[2] - x[0]) - (y[2] - y[0]) * (x[1] - x[0])).abs() < 1e-9);
    assert_ne!(before.probabilities(), after.probabilities());
}

#[test]
fn where_the_rhythm_cannot_be_told_one_class_is_refused_as_ever() {
    let set = FeatureSet::empty().with(Feature::DaysSinceLast).with(Feature::NPurchases);
    let build =
        |set: FeatureSet| Snapshots::params(set).with_horizon_days(30).build(&history(&weekly(20))).unwrap();
    let error = ChurnModel::params().fit(&build(set.clone())).unwrap_err();
    assert!(matches!(error, Error::SingleClass { .. }), "{error}");
    let error = ChurnModel::params().with_terms(TermChoice::Core).fit(&build(standard(30))).unwrap_err();
    assert!(matches!(error, Error::SingleClass { .. }), "{error}");
    let error = ChurnModel::params().with_terms(TermChoice::Rhythm).fit(&build(set)).unwrap_err();
    assert!(error.to_string().contains("days_since_last, tenure_days and n_purchases"), "{error}");
}

#[test]
fn a_lead_has_its_answer_too() {
    let orders = weekly(30);
    let built = Snapshots::params(standard(30))
        .with_horizon_days(30)
        .with_lead_days(60)
        .build(&history(&orders))
        .unwrap();
    let model = ChurnModel::params().fit(&built).unwrap();
    let with = model.score(&history(&orders), first_day().plus_days(270)).unwrap().probabilities()[0];
    let without = ChurnModel::params().fit(&snapshots(&orders)).unwrap();
    let without = without.score(&history(&orders), first_day().plus_days(270)).unwrap().probabilities()[0];
    assert!(without < with && with < 0.5, "{without} {with}");
}

/// Settings about columns are not swallowed where there are none.
#[test]
fn settings_given_in_vain_are_named() {
    let history = history(&rhythmic(30, 300, 71));
    let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
    let params = ChurnModel::params().with_terms(TermChoice::Rhythm);
    let plain = params.fit(&snapshots).unwrap();
    assert!(plain.fit_summary().ignored.is_empty() && !plain.to_string().contains("play no part"));
    let given = params.with_l2(3.0).with_max_rows(50).without_product("n_purchases squared");
    let model = given.fit(&snapshots).unwrap();
    let said = model.to_string();
    assert!(
        said.contains(
            "these settings play no part: L2 strength 3, most rows 50, without n_purchases squared"
        ),
        "{said}"
    );
    let file = model.to_json().unwrap();
    assert_eq!(ChurnModel::from_json(&file).unwrap(), model);
    // They say nothing else.
    let (a, b) =
        (plain.score(&history, history.observed_until()), model.score(&history, history.observed_until()));
    assert_eq!(a.unwrap().probabilities(), b.unwrap().probabilities());
}

/// Five customers, of whom four are long gone: whatever the prior says of them, five cannot make it sure.
#[test]
fn a_handful_of_customers_leaves_wide_intervals() {
    let mut orders: Vec<Order> = (0..150).map(|week| order(1, 7 * week)).collect();
    orders.extend([2, 3, 4, 5].into_iter().map(|customer| order(customer, customer as i32)));
    orders.extend((0..30).map(|day| order(2, 3 + day)));
    let history = history(&orders);
    let model = ChurnModel::params().fit(&snapshots(&orders)).unwrap();
    let scores = model.score_with_intervals(&history, history.observed_until()).unwrap();
    for (p, (low, high)) in scores.probabilities().iter().zip(scores.intervals().unwrap()) {
        assert!(0.0 < *low && low <= p && p <= high && *high < 1.0, "{low} {p} {high}");
    }
    let (low, high) = scores.intervals().unwrap()[1];
    assert!(low < 0.999 && high - low > 1e-3, "{model}: {low} {high}");
}
