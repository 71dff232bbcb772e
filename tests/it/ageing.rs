//! A saved model meets later customers.

use polars::prelude::{BooleanChunked, IntoColumn, NewChunkedArray};
use winback::evaluate::Advice;
use winback::features::Population;
use winback::history::Refunds;
use winback::model::Recalibration;
use winback::{ChurnModel, Cutoffs, Error, Feature, Snapshots};

use crate::logs::{Order, first_day, history, params, rhythmic, standard};

fn train(orders: &[Order], until: i32) -> ChurnModel {
    let history = history(orders);
    let snapshots = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .with_cutoffs(Cutoffs::rolling().ending(first_day().plus_days(until)).at_most(4))
        .build(&history)
        .unwrap();
    ChurnModel::params().fit(&snapshots).unwrap()
}

#[test]
fn the_population_it_was_trained_on_is_kept_and_another_is_not() {
    let orders = rhythmic(1_500, 700, 41);
    let model = train(&orders, 400);
    let same = model.check(&history(&orders), first_day().plus_days(460)).unwrap();
    assert!(same.drift.iter().all(|drift| drift.stability_index.is_finite()));
    let mut dearer = orders.clone();
    dearer.iter_mut().for_each(|order| order.amount *= 8.0);
    let other = model.check(&history(&dearer), first_day().plus_days(460)).unwrap();
    assert_eq!(other.advice, Advice::Retrain);
    assert!(other.drift[0].feature.contains("amount"), "{other}");
    let index = |ageing: &winback::evaluate::Ageing| {
        let found = ageing.drift.iter().find(|drift| drift.feature == "amount_mean");
        found.unwrap().stability_index
    };
    assert!(index(&same) < 0.1 && index(&other) > 0.25, "{same}\n{other}");
    assert_eq!(other.to_frame().unwrap().height(), other.drift.len());
}

#[test]
fn an_old_model_is_to_be_trained_again() {
    let orders = rhythmic(300, 700, 42);
    let model = train(&orders, 120);
    let ageing = model.check(&history(&orders), first_day().plus_days(680)).unwrap();
    assert_eq!((ageing.age_days, ageing.advice), (500, Advice::Retrain));
}

#[test]
fn few_customers_that_have_not_moved_are_kept() {
    for (customers, seed) in [(30, 44), (60, 45), (100, 46)] {
        let orders = rhythmic(customers, 700, seed);
        let ageing = train(&orders, 400).check(&history(&orders), first_day().plus_days(420)).unwrap();
        assert!(ageing.advice != Advice::Retrain, "{customers} customers: {ageing}");
    }
}

#[test]
fn recalibration_makes_the_level_right_and_keeps_the_order() {
    let orders = rhythmic(1_500, 700, 43);
    let model = train(&orders, 200);
    let history = history(&orders);
    let later = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .with_cutoffs(Cutoffs::explicit([first_day().plus_days(500)]))
        .build(&history)
        .unwrap();
    for what in [Recalibration::Intercept, Recalibration::InterceptAndSlope] {
        let moved = model.recalibrate(&later, what).unwrap();
        let frame = later.to_frame().unwrap();
        let scores = moved.score_frame(&frame).unwrap();
        let mean = scores.probabilities().iter().sum::<f64>() / scores.len() as f64;
        assert!((mean - later.churned_fraction()).abs() < 1e-6, "{mean} is not {}", later.churned_fraction());
        let before = model.score_frame(&frame).unwrap();
        let order = |scores: &winback::Scores| {
            let mut order: Vec<usize> = (0..scores.len()).collect();
            order.sort_by(|&a, &b| scores.probabilities()[a].total_cmp(&scores.probabilities()[b]));
            order
        };
        assert_eq!(order(&before), order(&scores));
        assert_eq!(ChurnModel::from_json(&moved.to_json().unwrap()).unwrap(), moved);
        // Its level is the present one, so that nothing asks for another recalibration.
        let ageing = moved.check(&history, first_day().plus_days(500)).unwrap();
        let of = |p: f64| (p / (1.0 - p)).ln();
        assert!((of(ageing.predicted_fraction) - of(ageing.trained_fraction)).abs() < 1e-6, "{ageing}");
        // What was read another way is another log.
        let dropped = params().with_refunds(Refunds::Drop).from_frame(&crate::logs::frame(&orders)).unwrap();
        let other = Snapshots::params(standard(60))
            .with_horizon_days(60)
            .with_cutoffs(Cutoffs::explicit([first_day().plus_days(500)]))
            .build(&dropped)
            .unwrap();
        assert!(matches!(model.recalibrate(&other, what), Err(Error::PolicyMismatch { .. })));
        assert!(matches!(model.evaluate(&other), Err(Error::PolicyMismatch { .. })));
        // What it has seen it may not be tested on.
        assert!(moved.evaluate(&later).is_err());
    }
}

/// A level can be set right wherever both outcomes were seen; a slope cannot.
#[test]
fn equal_and_separating_scores_have_a_level_too() {
    let orders = rhythmic(400, 700, 47);
    let model = train(&orders, 200);
    let log = history(&orders);
    let later = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .with_cutoffs(Cutoffs::explicit([first_day().plus_days(500)]))
        .build(&log)
        .unwrap();
    let frame = later.to_frame().unwrap();
    let scores = model.score_frame(&frame).unwrap().probabilities().to_vec();
    let with = |equal: bool, churned: &dyn Fn(usize) -> bool| {
        let rows = frame.height();
        let mut frame = frame.clone();
        for name in later.features().iter().map(Feature::name).filter(|_| equal) {
            let first = frame.column(&name).unwrap().new_from_index(0, rows);
            frame.with_column(first).unwrap();
        }
        let labels = BooleanChunked::from_iter_values("churned".into(), (0..rows).map(churned));
        frame.with_column(labels.into_column()).unwrap();
        Snapshots::from_frame(&frame, &standard(60), later.label(), log.reading()).unwrap()
    };
    let middle = {
        let mut sorted = scores.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 3]
    };
    for snapshots in [with(true, &|row| row % 4 == 0), with(false, &|row| scores[row] >= middle)] {
        let moved = model.recalibrate(&snapshots, Recalibration::Intercept).unwrap();
        let scored = moved.score_frame(&snapshots.to_frame().unwrap()).unwrap();
        let mean = scored.probabilities().iter().sum::<f64>() / scored.len() as f64;
        assert!((mean - snapshots.churned_fraction()).abs() < 1e-9, "{mean}");
        let error = model.recalibrate(&snapshots, Recalibration::InterceptAndSlope).unwrap_err();
        assert!(error.to_string().contains("recalibrate the intercept alone"), "{error}");
    }
    for (all, class) in [(true, "churned"), (false, "not churned")] {
        let error = model.recalibrate(&with(false, &|_| all), Recalibration::Intercept).unwrap_err();
        let said = error.to_string();
        assert!(
            matches!(error, Error::SingleClass { .. }) && said.contains(&format!("are {class}")),
            "{said}"
        );
    }
}

#[test]
fn snapshots_of_other_customers_are_refused() {
    let orders = rhythmic(300, 700, 48);
    let model = train(&orders, 200);
    let recent = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .with_population(Population::Recent)
        .with_cutoffs(Cutoffs::explicit([first_day().plus_days(500)]))
        .build(&history(&orders))
        .unwrap();
    let expected = "they hold recent customers only, the model was trained on everyone who had bought";
    let errors = [
        model.evaluate(&recent).unwrap_err(),
        model.recalibrate(&recent, Recalibration::Intercept).unwrap_err(),
    ];
    for error in errors {
        let said = error.to_string();
        assert!(matches!(error, Error::FeatureMismatch { .. }) && said.contains(expected), "{said}");
    }
}
