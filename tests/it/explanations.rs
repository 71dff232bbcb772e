//! What the model says of itself, against hand, bootstrap and planted truth.

use winback::model::{Recalibration, ReferenceCustomer, TermChoice};
use winback::{ChurnModel, Cutoffs, Feature, FeatureSet, Snapshots};

use crate::logs::{Order, STORES, SplitMix, first_day, floats, frame, history, params, rhythmic, standard};

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

/// Orders of a customer such as the reference, by day of the log.
fn orders_of(customer: i64, reference: &ReferenceCustomer, as_of: i32) -> Vec<Order> {
    let last = as_of - reference.days_since_last;
    let order = |back: u32| Order {
        customer,
        day: last - back as i32 * reference.interval_days,
        amount: reference.amount,
        discount: 0.0,
        store: STORES[0],
    };
    (0..reference.n_purchases).map(order).collect()
}

#[test]
fn effects_are_the_scores_of_two_real_customers() {
    const AS_OF: i32 = 480;
    // Without peers, whose rates depend on everybody else.
    let set = FeatureSet::standard(HORIZON_DAYS, &[]);
    let mut world = rhythmic(600, 500, 52);
    world.iter_mut().step_by(7).for_each(|order| order.discount = 1.0);
    let refund = |order: &Order| Order { day: order.day + 1, amount: -order.amount / 2.0, ..order.clone() };
    let refunds: Vec<Order> = world.iter().step_by(11).map(refund).collect();
    world.extend(refunds);
    let model = train(&world, set, None);
    let reference =
        ReferenceCustomer { n_purchases: 5, interval_days: 24, days_since_last: 31, amount: 12.5 };
    let effects = model.effects(&reference).unwrap();
    let steps = texts(&effects, "step");
    let [before, after, change] =
        ["probability_before", "probability_after", "log_odds_change"].map(|column| floats(&effects, column));
    let doubled = ReferenceCustomer { n_purchases: 10, ..reference };
    let silent = ReferenceCustomer { days_since_last: 61, ..reference };
    let today = ReferenceCustomer { days_since_last: 0, ..reference };
    let more = ReferenceCustomer { n_purchases: 6, ..reference };
    let slow = ReferenceCustomer { interval_days: 48, ..reference };
    let dear = ReferenceCustomer { amount: 25.0, ..reference };
    let cases = [silent, today, more, doubled, slow, dear, reference, reference];
    assert_eq!(steps.len(), cases.len());
    for (row, case) in cases.iter().enumerate() {
        let mut orders = orders_of(1, &reference, AS_OF);
        let mut others = orders_of(2, case, AS_OF);
        match steps[row].as_str() {
            "all of it sent back" => {
                let (customer, day) = (2, AS_OF - case.days_since_last + 1);
                others.push(Order { customer, day, amount: -62.5, discount: 0.0, store: STORES[0] });
            }
            "a tenth off every price" => others.iter_mut().for_each(|order| order.discount = 12.5 / 9.0),
            _ => {}
        }
        orders.append(&mut others);
        let as_of = first_day().plus_days(AS_OF);
        let log = params().with_observed_at_least_until(as_of).from_frame(&frame(&orders)).unwrap();
        let scored = model.score(&log, as_of).unwrap().probabilities().to_vec();
        let [found, other] = [before[row].unwrap(), after[row].unwrap()];
        assert!((found - scored[0]).abs() < 1e-12, "{}: {found} is not {}", steps[row], scored[0]);
        assert!((other - scored[1]).abs() < 1e-12, "{}: {other} is not {}", steps[row], scored[1]);
        let moved = (other / (1.0 - other)).ln() - (found / (1.0 - found)).ln();
        assert!((moved - change[row].unwrap()).abs() < 1e-9, "{effects}");
    }
}

#[test]
fn a_planted_world_shows_its_signs() {
    // Customers buy by a rhythm until they leave: silence tells, a longer rhythm excuses it.
    let model = train(&rhythmic(1_500, 500, 53), standard(HORIZON_DAYS), None);
    let reference =
        ReferenceCustomer { n_purchases: 8, interval_days: 20, days_since_last: 25, amount: 10.0 };
    let effects = model.effects(&reference).unwrap();
    let steps = texts(&effects, "step");
    let of = |step: &str, column: &str| {
        let row = steps.iter().position(|other| other == step).unwrap();
        floats(&effects, column)[row].unwrap()
    };
    assert!(of("30 days more silence", "low") > 0.0, "{effects}");
    assert!(of("bought on the day itself", "high") < 0.0, "{effects}");
    // Money plays no part in this world.
    assert!(of("twice the spend per purchase", "low") < 0.0, "{effects}");
    assert!(of("twice the spend per purchase", "high") > 0.0, "{effects}");
    // Nothing was ever sent back, nor discounted: no column speaks of it, and no row does.
    assert_eq!(steps.len(), 6, "{effects}");
}

#[test]
fn the_ordinary_customer_is_made_of_medians_and_impossible_ones_are_refused() {
    let model = train(&rhythmic(400, 500, 54), standard(HORIZON_DAYS), None);
    let ordinary = model.reference_customer();
    assert!((5..60).contains(&ordinary.interval_days) && ordinary.n_purchases > 1, "{ordinary}");
    assert!((1.0..21.0).contains(&ordinary.amount) && ordinary.days_since_last > 0, "{ordinary}");
    assert_eq!(model.effects(&ordinary).unwrap().height(), 6);
    let once = ReferenceCustomer { n_purchases: 1, days_since_last: 0, ..ordinary };
    assert_eq!(model.effects(&once).unwrap().height(), 3);
    for impossible in [
        ReferenceCustomer { n_purchases: 0, ..ordinary },
        ReferenceCustomer { interval_days: 0, ..ordinary },
        ReferenceCustomer { days_since_last: -1, ..ordinary },
        ReferenceCustomer { days_since_last: i32::MAX, ..ordinary },
        ReferenceCustomer { n_purchases: u32::MAX, interval_days: i32::MAX, ..ordinary },
        ReferenceCustomer { amount: f64::NAN, ..ordinary },
        ReferenceCustomer { amount: -1.0, ..ordinary },
    ] {
        assert!(model.effects(&impossible).is_err(), "{impossible:?}");
    }
    let oldest = ReferenceCustomer { n_purchases: 2, interval_days: 25_000, days_since_last: 0, ..ordinary };
    assert!(model.effects(&ReferenceCustomer { n_purchases: 1, days_since_last: 25_000, ..oldest }).is_ok());
    assert!(model.effects(&oldest).is_ok());
}

fn log_odds(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

fn standard_deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// The delta method's errors, of effects and of scores, are those of refits to customers drawn again.
#[test]
fn intervals_are_as_wide_as_a_bootstrap_of_customers_says() {
    const CUSTOMERS: i64 = 800;
    const REPLICATES: usize = 120;
    const L2: f64 = 10.0;
    const AS_OF: i32 = 480;
    const MOST_OFF: f64 = 0.25;
    const SEED: u64 = 55;
    let orders = rhythmic(CUSTOMERS, 500, SEED);
    let log = history(&orders);
    // Core columns: a replicate must not choose others.
    let set = || {
        FeatureSet::empty()
            .with(Feature::DaysSinceLast)
            .with(Feature::TenureDays)
            .with(Feature::NPurchases)
            .with(Feature::OverdueRatio { horizon_days: HORIZON_DAYS })
    };
    let model = train(&orders, set(), Some(L2));
    let reference =
        ReferenceCustomer { n_purchases: 6, interval_days: 24, days_since_last: 31, amount: 12.5 };
    let as_of = first_day().plus_days(AS_OF);
    let effects = model.effects(&reference).unwrap();
    let changes = |model: &ChurnModel| {
        floats(&model.effects(&reference).unwrap(), "log_odds_change").into_iter().map(Option::unwrap)
    };
    let mut random = SplitMix(SEED);
    let of_customer: Vec<Vec<&Order>> = (0..CUSTOMERS)
        .map(|customer| orders.iter().filter(|order| order.customer == customer).collect())
        .collect();
    let (mut drawn_changes, mut drawn_scores) = (Vec::new(), Vec::new());
    for _ in 0..REPLICATES {
        let drawn: Vec<Order> = (0..CUSTOMERS)
            .flat_map(|customer| {
                let taken = (random.uniform() * CUSTOMERS as f64) as usize;
                of_customer[taken].iter().map(move |order| Order { customer, ..(*order).clone() })
            })
            .collect();
        let refit = train(&drawn, set(), Some(L2));
        drawn_changes.push(changes(&refit).collect::<Vec<f64>>());
        drawn_scores.push(refit.score(&log, as_of).unwrap().probabilities().to_vec());
    }
    let width = |low: f64, high: f64| (high - low) / (2.0 * 1.959963984540054);
    let [low, high] = ["low", "high"].map(|column| floats(&effects, column));
    for row in 0..effects.height() {
        let drawn: Vec<f64> = drawn_changes.iter().map(|changes| changes[row]).collect();
        let (found, expected) = (width(low[row].unwrap(), high[row].unwrap()), standard_deviation(&drawn));
        assert!((found / expected - 1.0).abs() < MOST_OFF, "row {row}: {found}, {expected}\n{effects}");
        eprintln!("effect {row}: delta method {found:.4}, bootstrap {expected:.4}");
    }
    let scores = model.score_with_intervals(&log, as_of).unwrap();
    let mut ratios: Vec<f64> = scores
        .intervals()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(row, &(low, high))| {
            let drawn: Vec<f64> = drawn_scores.iter().map(|scores| log_odds(scores[row])).collect();
            width(log_odds(low), log_odds(high)) / standard_deviation(&drawn)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let [least, median, most] = [0.1, 0.5, 0.9].map(|share| ratios[(share * ratios.len() as f64) as usize]);
    eprintln!("scores: delta method over bootstrap {least:.3}, {median:.3}, {most:.3} (10, 50, 90 %)");
    assert!((median - 1.0).abs() < MOST_OFF && least > 1.0 - MOST_OFF && most < 1.0 + MOST_OFF);
}

#[test]
fn intervals_stand_at_the_end_and_an_unknown_season_widens_them() {
    let log = history(&rhythmic(400, 500, 56));
    let model = train(&rhythmic(400, 500, 56), standard(HORIZON_DAYS), None);
    let as_of = first_day().plus_days(300);
    let plain = model.score(&log, as_of).unwrap();
    assert!(plain.intervals().is_none());
    let scores = model.score_with_intervals(&log, as_of).unwrap();
    assert_eq!(scores.probabilities(), plain.probabilities());
    let table = scores.to_frame().unwrap();
    let names = table.get_column_names();
    assert_eq!(names[names.len() - 2..], ["churn_probability_low", "churn_probability_high"]);
    assert_eq!(
        table.select(plain.to_frame().unwrap().get_column_names_owned()).unwrap(),
        plain.to_frame().unwrap()
    );
    let [p, low, high] = ["churn_probability", "churn_probability_low", "churn_probability_high"]
        .map(|column| floats(&table, column));
    for row in 0..table.height() {
        let [p, low, high] = [&p, &low, &high].map(|column| column[row].unwrap());
        assert!(0.0 <= low && low < p && p < high && high <= 1.0, "{low}, {p}, {high}");
        let middle = (log_odds(low) + log_odds(high)) / 2.0;
        assert!((middle - log_odds(p)).abs() < 1e-9);
    }
    let seasonal = model.with_season(&log).unwrap();
    let season = seasonal.season().unwrap();
    assert!(!season.is_known(as_of) && season.spread() > 0.0);
    let wider = seasonal.score_with_intervals(&log, as_of).unwrap();
    let half = |&(low, high): &(f64, f64)| (log_odds(high) - log_odds(low)) / 2.0;
    let added = 1.959963984540054 * season.spread();
    for (narrow, wide) in scores.intervals().unwrap().iter().zip(wider.intervals().unwrap()) {
        assert!((half(wide) - half(narrow).hypot(added)).abs() < 1e-9);
    }
}

/// All that moves a score is told, and adds up to it.
#[test]
fn base_season_and_ideas_add_up_to_every_score() {
    // Rounding, of log-odds summed in another order.
    const ROUNDING: f64 = 1e-13;
    let orders = rhythmic(400, 1_100, 56);
    let log = history(&orders);
    let at = |back: i32| log.observed_until().plus_days(-HORIZON_DAYS - 30 * back);
    let cutoffs = || Cutoffs::explicit((0..8).map(at));
    let build = |cutoffs| {
        Snapshots::params(standard(HORIZON_DAYS))
            .with_horizon_days(HORIZON_DAYS)
            .with_cutoffs(cutoffs)
            .build(&log)
            .unwrap()
    };
    let snapshots = build(cutoffs());
    let seasonal = ChurnModel::params().fit(&snapshots).unwrap().with_season(&log).unwrap();
    let moved = seasonal.recalibrate(&build(Cutoffs::explicit([at(0)])), Recalibration::InterceptAndSlope);
    let rhythm = ChurnModel::params().with_terms(TermChoice::Rhythm).fit(&snapshots).unwrap();
    let as_of = log.observed_until();
    assert!(seasonal.season().unwrap().offset(as_of).abs() > 1e-6);
    for model in [seasonal, moved.unwrap(), rhythm] {
        let scores = model.score(&log, as_of).unwrap();
        let frame = scores.drivers_frame().unwrap();
        assert_eq!(frame.height(), scores.len());
        let names: Vec<String> = frame.get_column_names().iter().skip(1).map(ToString::to_string).collect();
        let columns: Vec<Vec<f64>> =
            names.iter().map(|name| floats(&frame, name).into_iter().map(Option::unwrap).collect()).collect();
        let table = scores.to_frame().unwrap();
        let named = floats(&table, "driver_1_log_odds");
        for (row, p) in scores.probabilities().iter().enumerate() {
            let drivers = scores.drivers(row).unwrap();
            let sum = drivers.log_odds();
            assert!((1.0 / (1.0 + (-sum).exp()) - p).abs() < ROUNDING, "{drivers:?} for {p}");
            assert_eq!(sum, columns[0][row]);
            let mut told = vec![drivers.base_log_odds, drivers.season_log_odds];
            told.extend(drivers.ideas.iter().map(|driver| driver.log_odds));
            assert!(columns[1..].iter().map(|column| column[row]).eq(told), "{names:?} {drivers:?}");
            let strongest = drivers.ideas.iter().max_by(|a, b| a.log_odds.abs().total_cmp(&b.log_odds.abs()));
            assert_eq!(named[row], strongest.map(|driver| driver.log_odds));
        }
        assert!(names.contains(&"rhythm_log_odds".to_owned()), "{names:?}");
        assert_eq!(scores.drivers(scores.len()), None);
    }
}
