//! The time of year: learned where it repeats, left alone where it does not.

use winback::{ChurnModel, Cutoffs, Snapshots};

use crate::logs::{Order, STORES, SplitMix, history, standard};

const HORIZON_DAYS: i32 = 60;
/// What a season may cost where there is none, in log-loss.
const MOST_HARM: f64 = 0.001;

/// Four years of customers who buy more towards the year's end; `swing` 0 is no season.
pub fn seasonal(customers: i64, swing: f64, seed: u64) -> Vec<Order> {
    const DAYS: i32 = 4 * 365;
    let mut random = SplitMix(seed);
    let mut orders = Vec::new();
    for customer in 0..customers {
        let every = 20.0 + 80.0 * random.uniform();
        let joins = (f64::from(DAYS) * 0.9 * random.uniform()) as i32;
        let leaves = joins + (-600.0 * (1.0 - random.uniform()).ln()) as i32;
        for day in joins..leaves.min(DAYS) {
            let rate = (1.0 + swing * (std::f64::consts::TAU * f64::from(day) / 365.25).cos()) / every;
            if day == joins || random.uniform() < rate {
                orders.push(Order { customer, day, amount: 10.0, discount: 0.0, store: STORES[0] });
            }
        }
    }
    orders
}

/// Log-loss at the last observable cutoff, without and with the season.
fn losses(orders: &[Order]) -> (f64, f64) {
    let history = history(orders);
    let snapshots = Snapshots::params(standard(HORIZON_DAYS))
        .with_horizon_days(HORIZON_DAYS)
        .with_cutoffs(Cutoffs::rolling().at_most(8))
        .build(&history)
        .unwrap();
    let at = *snapshots.cutoffs().last().unwrap();
    let (train, test) = snapshots.split_at(at).unwrap();
    let without = ChurnModel::params().fit(&train).unwrap();
    let with = without.clone().with_season(&history).unwrap();
    assert!(with.season().unwrap().is_known(at));
    let loss = |model: &ChurnModel| model.evaluate(&test).unwrap().all.log_loss;
    (loss(&without), loss(&with))
}

#[test]
fn a_season_helps_where_there_is_one_and_hardly_hurts_where_there_is_none() {
    for seed in [1, 2, 3] {
        let (without, with) = losses(&seasonal(2_500, 0.8, seed));
        assert!(with < without - 0.005, "seed {seed}: {with} is not below {without}");
        let (without, with) = losses(&seasonal(2_500, 0.0, seed));
        assert!(with < without + MOST_HARM, "seed {seed}: {with} is above {without}");
    }
}

#[test]
fn the_season_moves_with_the_day_of_scoring_and_survives_saving() {
    let history = history(&seasonal(800, 0.8, 4));
    let snapshots =
        Snapshots::params(standard(HORIZON_DAYS)).with_horizon_days(HORIZON_DAYS).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap().with_season(&history).unwrap();
    let loaded = ChurnModel::from_json(&model.to_json().unwrap()).unwrap();
    assert_eq!(loaded, model);
    let season = model.season().unwrap();
    let offsets: Vec<f64> =
        (0..12).map(|month| season.offset(history.observed_until().plus_days(-30 * month))).collect();
    let (least, most) = offsets.iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
    assert!(most - least > 0.3, "{offsets:?}");
}

/// A short horizon needs many cutoffs to reach a year back.
#[test]
fn a_short_horizon_sees_earlier_years_too() {
    const WEEK: i32 = 7;
    let history = history(&seasonal(300, 0.8, 5));
    let snapshots = Snapshots::params(standard(WEEK)).with_horizon_days(WEEK).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap().with_season(&history).unwrap();
    let season = model.season().unwrap();
    assert!(season.is_known(history.observed_until()), "{season}");
    let offsets: Vec<f64> =
        (0..12).map(|month| season.offset(history.observed_until().plus_days(-30 * month))).collect();
    let (least, most) = offsets.iter().fold((f64::MAX, f64::MIN), |(a, b), &x| (a.min(x), b.max(x)));
    assert!(most - least > 0.2, "{offsets:?}");
}
