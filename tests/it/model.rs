//! The fit against an independent one, and against a world whose truth is known.

use polars::prelude::*;
use serde::Deserialize;
use winback::features::Transform;
use winback::model::{StrengthChoice, TermChoice};
use winback::snapshot::LabelWindow;
use winback::{ChurnModel, Cutoffs, Feature, FeatureSet, Snapshots};

use crate::logs::{SplitMix, day, first_day, floats, history, params, rhythmic, standard};

/// Newton's tolerance leaves far less than the 1e-6 that would do.
const COEFFICIENT_TOLERANCE: f64 = 1e-9;

#[derive(Deserialize)]
struct Fixture {
    l2: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    churned_fraction: f64,
    customer_id: Vec<i64>,
    cutoff: Vec<i32>,
    days_since_last: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    churned: Vec<i32>,
    estimate: Vec<f64>,
    standard_error: Vec<f64>,
}

fn own(name: &str) -> Feature {
    Feature::custom(name, "number", Transform::Identity, |_| None)
}

fn two_column_set() -> FeatureSet {
    FeatureSet::empty().with(Feature::DaysSinceLast).with(own("first")).with(own("second"))
}

fn snapshots_of(case: &Case) -> Snapshots {
    let cutoffs: Vec<i32> =
        case.cutoff.iter().map(|cutoff| first_day().plus_days(30 * cutoff).days_since_epoch()).collect();
    let table = DataFrame::new_infer_height(vec![
        Column::new("customer_id".into(), &case.customer_id),
        Int32Chunked::from_vec("cutoff".into(), cutoffs).into_date().into_column(),
        Column::new("churned".into(), &case.churned),
        Column::new("days_since_last".into(), &case.days_since_last),
        Column::new("first".into(), &case.first),
        Column::new("second".into(), &case.second),
    ])
    .unwrap();
    let label = LabelWindow { lead_days: 0, horizon_days: 30 };
    Snapshots::from_frame(&table, &two_column_set(), label, &params()).unwrap()
}

#[test]
fn coefficients_and_errors_equal_the_forty_digit_ones() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/logistic.json")).unwrap();
    // One case below one half and one above: the positive class must not turn.
    assert!(fixture.cases[0].churned_fraction < 0.4 && fixture.cases[1].churned_fraction > 0.6);
    for case in &fixture.cases {
        let model = ChurnModel::params()
            .with_terms(TermChoice::Full)
            .with_l2(fixture.l2)
            .fit(&snapshots_of(case))
            .unwrap();
        assert!(model.fit_summary().converged);
        let table = model.coefficients().unwrap();
        for (column, expected) in [("estimate", &case.estimate), ("standard_error", &case.standard_error)] {
            for (found, expected) in floats(&table, column).iter().zip(expected) {
                let found = found.unwrap();
                let off = (found - expected).abs() / expected.abs().max(1.0);
                assert!(off <= COEFFICIENT_TOLERANCE, "{column}: {found} is not {expected}");
            }
        }
    }
}

#[test]
fn flipping_every_label_flips_the_model() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/logistic.json")).unwrap();
    let [case, ..] = &fixture.cases[..] else { panic!("no case") };
    let flipped = Case { churned: case.churned.iter().map(|label| 1 - label).collect(), ..serde_copy(case) };
    let estimates = |case: &Case| {
        let params = ChurnModel::params().with_terms(TermChoice::Full);
        let model = params.with_l2(1.0).fit(&snapshots_of(case)).unwrap();
        floats(&model.coefficients().unwrap(), "estimate")
    };
    for (one, other) in estimates(case).iter().zip(estimates(&flipped)) {
        assert!((one.unwrap() + other.unwrap()).abs() <= COEFFICIENT_TOLERANCE);
    }
}

fn serde_copy(case: &Case) -> Case {
    Case {
        churned_fraction: case.churned_fraction,
        customer_id: case.customer_id.clone(),
        cutoff: case.cutoff.clone(),
        days_since_last: case.days_since_last.clone(),
        first: case.first.clone(),
        second: case.second.clone(),
        churned: case.churned.clone(),
        estimate: case.estimate.clone(),
        standard_error: case.standard_error.clone(),
    }
}

/// Labels drawn from a logistic model are fitted back, within their standard errors.
#[test]
fn a_known_truth_is_recovered() {
    const ROWS: usize = 40_000;
    let mut random = SplitMix(77);
    let days: Vec<f64> = (0..ROWS).map(|_| (random.uniform() * 300.0).floor()).collect();
    let first: Vec<f64> = (0..ROWS).map(|_| random.normal()).collect();
    let second: Vec<f64> = (0..ROWS).map(|_| 3.0 * random.normal()).collect();
    let (on_days, on_first, on_second) = (0.8, -0.5, 0.2);
    let churned: Vec<i32> = (0..ROWS)
        .map(|row| {
            let logit = -3.0 + on_days * days[row].ln_1p() + on_first * first[row] + on_second * second[row];
            i32::from(random.uniform() < 1.0 / (1.0 + (-logit).exp()))
        })
        .collect();
    let case = Case {
        churned_fraction: 0.0,
        customer_id: (0..ROWS as i64).collect(),
        cutoff: vec![0; ROWS],
        days_since_last: days,
        first,
        second,
        churned,
        estimate: Vec::new(),
        standard_error: Vec::new(),
    };
    let model = ChurnModel::params().with_l2(0.0).fit(&snapshots_of(&case)).unwrap();
    let table = model.coefficients().unwrap();
    let [estimate, error, sd] =
        ["estimate", "standard_error", "training_sd"].map(|column| floats(&table, column));
    // Terms: intercept, days, first, second, days squared.
    for (term, truth) in [(2, on_first), (3, on_second)] {
        let (found, error) =
            (estimate[term].unwrap() / sd[term].unwrap(), error[term].unwrap() / sd[term].unwrap());
        assert!((found - truth).abs() < 4.0 * error && error < 0.02, "{found} ± {error} is not {truth}");
    }
    let squared = estimate[4].unwrap() / error[4].unwrap();
    assert!(squared.abs() < 4.0, "there is no square in the truth, {squared} standard errors found");
}

/// What a customer scores is the sum of all drivers and the average customer's log-odds.
#[test]
fn drivers_of_all_ideas_add_up_to_the_score() {
    let history = history(&rhythmic(300, 500, 3));
    let set =
        FeatureSet::empty().with(Feature::DaysSinceLast).with(Feature::NPurchases).with(Feature::AmountMean);
    let snapshots = Snapshots::params(set).with_horizon_days(60).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let intercept = floats(&model.coefficients().unwrap(), "estimate")[0].unwrap();
    let scores = model.score(&history, first_day().plus_days(400)).unwrap().to_frame().unwrap();
    let drivers = [1, 2, 3].map(|place| floats(&scores, &format!("driver_{place}_log_odds")));
    for (row, probability) in floats(&scores, "churn_probability").into_iter().enumerate() {
        let probability = probability.unwrap();
        let log_odds = (probability / (1.0 - probability)).ln();
        let sum: f64 = drivers.iter().map(|driver| driver[row].unwrap_or(0.0)).sum();
        assert!((intercept + sum - log_odds).abs() < 1e-9, "{} is not {log_odds}", intercept + sum);
    }
}

#[test]
fn at_risk_is_the_top_tenth_of_recent_customers_in_training() {
    let history = history(&rhythmic(400, 500, 31));
    let cutoff = first_day().plus_days(400);
    let snapshots = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .with_cutoffs(Cutoffs::explicit([cutoff]))
        .build(&history)
        .unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let scores = model.score(&history, cutoff).unwrap();
    let recent = floats(&snapshots.to_frame().unwrap(), "days_since_last")
        .iter()
        .filter(|days| days.unwrap() < 60.0)
        .count();
    assert_eq!(scores.n_at_risk(), recent.div_ceil(10));
    let calls = scores.worth_a_call(3).unwrap();
    assert_eq!(calls.height(), 3);
    assert!(calls.column("at_risk").unwrap().bool().unwrap().all());
}

#[test]
fn provenance_says_what_the_model_was_made_from() {
    let history = history(&rhythmic(100, 500, 3));
    let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let provenance = model.provenance();
    assert_eq!(provenance.history_fingerprint, history.fingerprint());
    assert_eq!((provenance.rows, provenance.cutoffs.as_slice()), (snapshots.rows(), snapshots.cutoffs()));
    assert_eq!(provenance.labelled_until, snapshots.labelled_until());
    assert!(provenance.last_cutoff < day("2022-01-01"));
}

/// Below a thousand rows of the rarer class the data's own evidence sets the strength, beyond their number.
#[test]
fn the_strength_says_how_it_was_chosen() {
    let chosen = |customers: i64, l2: Option<f64>| {
        let history = history(&rhythmic(customers, 500, 7));
        let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
        let params = ChurnModel::params();
        let model = l2.map_or(params.clone(), |l2| params.with_l2(l2)).fit(&snapshots).unwrap();
        let events = model.provenance().churned_fraction * model.provenance().rows as f64;
        let events = events.min(model.provenance().rows as f64 - events);
        let summary = model.fit_summary().clone();
        (events, summary.l2, summary.strength_choice.unwrap(), model.to_string())
    };
    let (events, l2, choice, words) = chosen(200, None);
    assert!(events < 1_000.0 && (10.0..=100.0).contains(&l2), "{l2} with {events} events");
    let StrengthChoice::Evidence { determined_columns } = choice else { panic!("{choice:?}") };
    assert!(determined_columns > 0.0 && determined_columns < 33.0, "{determined_columns}");
    assert!(words.contains(&format!("L2 strength {l2:.1} by the evidence")), "{words}");
    let (events, l2, choice, words) = chosen(2_000, None);
    assert!(events >= 1_000.0);
    assert!(matches!(choice, StrengthChoice::Events | StrengthChoice::ForwardInTime), "{choice:?}");
    assert!(words.contains(&format!("L2 strength {l2}")), "{words}");
    let (_, l2, choice, words) = chosen(200, Some(7.5));
    assert_eq!((l2, choice), (7.5, StrengthChoice::Given));
    assert!(words.contains("L2 strength 7.5 as given"), "{words}");
}

#[test]
fn a_product_can_be_left_out_by_name() {
    let history = history(&rhythmic(200, 500, 7));
    let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
    let whole = ChurnModel::params().fit(&snapshots).unwrap().products();
    assert_eq!(whole.len(), 7, "{whole:?}");
    let without =
        ChurnModel::params().without_product("n_purchases squared").fit(&snapshots).unwrap().products();
    assert_eq!(whole.into_iter().filter(|name| name != "n_purchases squared").collect::<Vec<_>>(), without);
    let error = ChurnModel::params().without_product("tenure_days squared").fit(&snapshots).unwrap_err();
    assert_eq!(
        error.to_string(),
        "product left out is `tenure_days squared`, expected a product of the model, as `ChurnModel::products` \
         names it"
    );
}

/// Some standard features say what a customer is worth, or are told better by others.
#[test]
fn features_that_did_not_pay_are_no_columns() {
    let log = history(&rhythmic(200, 500, 7));
    let unused = |features: FeatureSet| {
        let snapshots = Snapshots::params(features).with_horizon_days(60).build(&log).unwrap();
        let model = ChurnModel::params().fit(&snapshots).unwrap();
        let columns = model.coefficients().unwrap();
        let columns = columns.column("term").unwrap().str().unwrap();
        let unused = model.fit_summary().unused.clone();
        for name in &unused {
            assert!(columns.iter().flatten().all(|column| !column.contains(name.as_str())), "{name}");
        }
        unused
    };
    let worth = Feature::SpendIn { days: 120 };
    let found = unused(FeatureSet::standard(60, &[]));
    for feature in [&worth, &Feature::IntervalSd, &Feature::IntervalLast] {
        assert!(found.contains(&feature.name()), "{found:?}");
    }
    // Of a caller's own set they are columns.
    let own = FeatureSet::empty().with(Feature::DaysSinceLast).with(Feature::SpendIn { days: 60 });
    let own = own.with(worth).with(Feature::IntervalSd).with(Feature::IntervalLast);
    assert!(unused(own).is_empty());
}
