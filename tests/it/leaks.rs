//! Nothing after the cutoff may be seen before it.

use polars::prelude::*;
use proptest::prelude::*;
use winback::{ChurnModel, Columns, Cutoffs, FeatureSet, History, Snapshots};

use crate::logs::{
    Order, STORES, SplitMix, bundled, bytes, day, first_day, floats, frame, history, orders, outside, params,
    retail_params, rhythmic, standard,
};

const HORIZON_DAYS: i32 = 30;

/// Other orders after the cutoff: some dropped, some changed, some new, of known and unknown customers.
fn with_another_future(orders: &[Order], cutoff: i32, seed: u64) -> Vec<Order> {
    let mut random = SplitMix(seed);
    let mut changed: Vec<Order> = Vec::new();
    for order in orders {
        if order.day > cutoff && random.uniform() < 0.5 {
            continue;
        }
        let mut order = order.clone();
        if order.day > cutoff {
            order.amount = -500.0 + 1_000.0 * random.uniform();
            order.store = STORES[random.next() as usize % STORES.len()];
        }
        changed.push(order);
    }
    for _ in 0..20 {
        changed.push(Order {
            customer: (random.next() % 40) as i64,
            day: cutoff + 1 + (random.next() % 300) as i32,
            amount: 1_000.0 * random.uniform(),
            discount: random.uniform(),
            // Sorts before every other value, so that all codes move.
            store: "Aachen",
        });
    }
    changed
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_future_moves_no_bit_of_a_feature(orders in orders(300), cutoff in 40_i32..380, seed in any::<u64>()) {
        prop_assume!(orders.iter().any(|order| order.day <= cutoff && order.amount >= 0.0));
        let at = first_day().plus_days(cutoff);
        let declared = params().with_observed_at_least_until(at);
        let features = |orders: &[Order]| {
            let history = declared.from_frame(&frame(orders)).unwrap();
            standard(HORIZON_DAYS).features_at(&history, at).map(|frame| bytes(&frame))
        };
        let past: Vec<Order> = orders.iter().filter(|order| order.day <= cutoff).cloned().collect();
        let changed = with_another_future(&orders, cutoff, seed);
        match (features(&orders), features(&past), features(&changed)) {
            (Ok(whole), Ok(past), Ok(changed)) => {
                prop_assert_eq!(&whole, &past);
                prop_assert_eq!(&whole, &changed);
            }
            // A day of refunds only is no purchase: nobody may have bought yet.
            (whole, past, changed) => prop_assert!(whole.is_err() && past.is_err() && changed.is_err()),
        }
    }

    #[test]
    fn a_walk_past_many_cutoffs_reads_the_same_as_each_alone(orders in orders(300), seed in any::<u64>()) {
        let history = history(&orders);
        let last = history.observed_until().days_since(first_day()) - HORIZON_DAYS;
        prop_assume!(last >= 24);
        let mut random = SplitMix(seed);
        let days: Vec<_> =
            (0..24).map(|_| first_day().plus_days((random.next() % last as u64) as i32)).collect();
        let built = Snapshots::params(standard(HORIZON_DAYS))
            .with_horizon_days(HORIZON_DAYS)
            .with_cutoffs(Cutoffs::explicit(days))
            .build(&history);
        let Ok(snapshots) = built else { return Ok(()) };
        let panel = snapshots.to_frame().unwrap();
        let days = panel.column("cutoff").unwrap().as_materialized_series().to_physical_repr().into_owned();
        for &cutoff in snapshots.cutoffs() {
            let wanted: BooleanChunked =
                days.i32().unwrap().iter().map(|day| day == Some(cutoff.days_since_epoch())).collect();
            let of_walk = panel.filter(&wanted).unwrap().drop_many(["cutoff", "churned"]);
            match standard(HORIZON_DAYS).features_at(&history, cutoff) {
                Ok(alone) => prop_assert_eq!(bytes(&of_walk), bytes(&alone)),
                Err(_) => prop_assert_eq!(of_walk.height(), 0),
            }
        }
    }

    #[test]
    fn own_history_does_not_enter_the_own_peer_rate(orders in orders(400), customer in 0_i64..25) {
        // Own purchases are doubled in number, at the home they had; everybody else is as they were.
        let cutoff = first_day().plus_days(399);
        let declared = params().with_observed_at_least_until(cutoff);
        let one_store = |order: &Order| order.customer != customer || order.store == STORES[0];
        let before: Vec<Order> = orders.iter().filter(|order| one_store(order)).cloned().collect();
        let own: Vec<Order> = before.iter().filter(|order| order.customer == customer).cloned().collect();
        prop_assume!(own.iter().any(|order| order.amount >= 0.0));
        let mut after = before.clone();
        after.extend(own.iter().map(|order| Order { day: (order.day + 137) % 400, amount: 5.0, ..order.clone() }));
        let rate = |orders: &[Order]| {
            let history = declared.from_frame(&frame(orders)).unwrap();
            let features = standard(HORIZON_DAYS).features_at(&history, cutoff).unwrap();
            let ids = features.column("customer_id").unwrap().i64().unwrap();
            let row = ids.iter().position(|id| id == Some(customer));
            row.map(|row| floats(&features, "peer_loss_fraction_store_30_days")[row].map(f64::to_bits))
        };
        let (before, after) = (rate(&before), rate(&after));
        prop_assume!(before.is_some());
        prop_assert_eq!(before, after);
    }
}

#[test]
fn real_logs_keep_their_future_to_themselves() {
    let cutoff = day("2011-08-31");
    let text = std::fs::read_to_string(bundled()).unwrap();
    let is_past = |line: &&str| {
        let shown = line.split(',').nth(1).unwrap();
        shown == "timestamp" || &shown[..10] <= "2011-08-31"
    };
    let past: Vec<&str> = text.lines().filter(is_past).collect();
    let folder = std::env::temp_dir().join(format!("winback-leaks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let cut = folder.join("cut.csv");
    std::fs::write(&cut, past.join("\n")).unwrap();
    let features = |path: &std::path::Path| {
        let history = retail_params().with_observed_at_least_until(cutoff).read_csv([path]).unwrap();
        bytes(&FeatureSet::standard(60, &["country"]).features_at(&history, cutoff).unwrap())
    };
    let (whole, of_past) = (features(&bundled()), features(&cut));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(whole == of_past);
}

/// The same scores from the whole log, the log cut at the day, and the log with another future.
#[test]
fn scores_do_not_see_past_their_day() {
    let orders = rhythmic(400, 700, 11);
    let as_of = first_day().plus_days(500);
    let train = |orders: &[Order]| {
        let history = params().with_observed_until(as_of).from_frame(&frame(orders)).unwrap();
        let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
        ChurnModel::params().fit(&snapshots).unwrap()
    };
    let past: Vec<Order> = orders.iter().filter(|order| order.day <= 500).cloned().collect();
    let changed = with_another_future(&orders, 500, 3);
    let model = train(&orders);
    assert_eq!(model.to_json().unwrap(), train(&past).to_json().unwrap());
    assert_eq!(model.to_json().unwrap(), train(&changed).to_json().unwrap());
    let score = |orders: &[Order]| {
        let history = params().with_observed_at_least_until(as_of).from_frame(&frame(orders)).unwrap();
        bytes(&model.score(&history, as_of).unwrap().to_frame().unwrap())
    };
    let whole = score(&orders);
    assert!(whole == score(&past));
    assert!(whole == score(&changed));
}

/// The published task: who of CDNOW's customers does not buy in the 90 days after 1998-04-01.
#[test]
fn cdnow_is_scored_as_well_as_promised() {
    const LEAST_AUC: f64 = 0.838;
    const MOST_LOG_LOSS: f64 = 0.300;
    let Some(path) = outside("cdnow_full.parquet") else { return };
    let cutoff = day("1998-04-01");
    let params = History::params(Columns::new("customer_id", "date").with_amount("amount"));
    let set = FeatureSet::standard(90, &[]);
    let past = params.clone().with_observed_until(cutoff).read_parquet([&path]).unwrap();
    let train = Snapshots::params(set.clone()).build(&past).unwrap();
    let model = ChurnModel::params().fit(&train).unwrap();
    let whole = params.read_parquet([&path]).unwrap();
    let test = Snapshots::params(set).with_cutoffs(Cutoffs::explicit([cutoff])).build(&whole).unwrap();
    let quality = model.evaluate(&test).unwrap().all;
    assert_eq!(quality.rows, 23_570);
    assert!(quality.auc.unwrap() >= LEAST_AUC, "{quality:?}");
    assert!(quality.log_loss <= MOST_LOG_LOSS, "{quality:?}");
}
