//! The features once more, slowly: polars merges the days, plain loops do the rest.

use std::collections::{BTreeMap, HashMap};

use md5::{Digest, Md5};
use polars::prelude::*;
use proptest::prelude::*;

use crate::logs::{Order, first_day, floats, frame, orders, params, standard};

const HORIZON_DAYS: i32 = 30;
/// Sums of money are added in another order here.
const RELATIVE_TOLERANCE: f64 = 1e-12;
const FOLDS: u32 = 20;
const PRIOR_PEERS: f64 = 50.0;

/// A customer's merged day.
#[derive(Clone, Debug)]
struct Merged {
    day: i32,
    net: f64,
    refunded: f64,
    discount: f64,
    store: String,
    is_purchase: bool,
}

/// Per customer the merged days, ascending.
fn merge(orders: &[Order]) -> BTreeMap<i64, Vec<Merged>> {
    let merged = frame(orders)
        .lazy()
        .with_column(
            when(col("amount").lt(lit(0.0))).then(-col("amount")).otherwise(lit(0.0)).alias("refund"),
        )
        .with_column(
            when(col("amount").lt(lit(0.0))).then(lit(0.0)).otherwise(col("discount")).alias("discount"),
        )
        .sort(["customer", "day", "amount"], SortMultipleOptions::default())
        .group_by_stable([col("customer"), col("day")])
        .agg([
            col("amount").sum().alias("net"),
            col("refund").sum(),
            col("discount").sum(),
            col("store").filter(col("amount").eq(col("amount").max())).min(),
        ])
        .collect()
        .unwrap();
    let ids: Vec<i64> = merged.column("customer").unwrap().i64().unwrap().iter().flatten().collect();
    let days = merged.column("day").unwrap().as_materialized_series().to_physical_repr().into_owned();
    let days: Vec<i32> = days.i32().unwrap().iter().flatten().collect();
    let column = |name| floats(&merged, name);
    let (net, refunded, discount) = (column("net"), column("refund"), column("discount"));
    let stores = merged.column("store").unwrap().str().unwrap().clone();
    let mut customers: BTreeMap<i64, Vec<Merged>> = BTreeMap::new();
    for (row, id) in ids.into_iter().enumerate() {
        let (net, refunded) = (net[row].unwrap(), refunded[row].unwrap());
        customers.entry(id).or_default().push(Merged {
            day: days[row],
            net,
            refunded,
            discount: discount[row].unwrap(),
            store: stores.get(row).unwrap().to_owned(),
            is_purchase: refunded == 0.0 || net > 1e-9 * (net + 2.0 * refunded),
        });
    }
    customers
}

fn home(purchases: &[&Merged]) -> Option<String> {
    let mut counts: HashMap<&str, (usize, i32)> = HashMap::new();
    for purchase in purchases {
        let count = counts.entry(&purchase.store).or_default();
        *count = (count.0 + 1, count.1.max(purchase.day));
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(store, _)| store.to_owned())
}

fn fold(customer: i64) -> u32 {
    let digest = Md5::digest(format!("winback-fold-1:{customer}"));
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    u32::from_str_radix(&digits[..8], 16).unwrap() % FOLDS
}

/// The loss rate among peers, and among everybody.
fn peer_loss(
    customers: &BTreeMap<i64, Vec<Merged>>,
    customer: i64,
    own_home: &str,
    cutoff: i32,
) -> Option<(f64, f64)> {
    let (mut peers, mut all) = ((0.0, 0.0), (0.0, 0.0));
    for (&other, days) in customers {
        if fold(other) == fold(customer) {
            continue;
        }
        let bought = |after: i32, until: i32| {
            days.iter().any(|day| day.is_purchase && day.day > after && day.day <= until)
        };
        let start = cutoff - HORIZON_DAYS;
        if !bought(start - HORIZON_DAYS, start) {
            continue;
        }
        let before: Vec<&Merged> = days.iter().filter(|day| day.is_purchase && day.day <= start).collect();
        let lost = f64::from(!bought(start, cutoff));
        all = (all.0 + 1.0, all.1 + lost);
        if home(&before).as_deref() == Some(own_home) {
            peers = (peers.0 + 1.0, peers.1 + lost);
        }
    }
    (all.0 > 0.0).then(|| ((peers.1 + PRIOR_PEERS * all.1 / all.0) / (peers.0 + PRIOR_PEERS), all.1 / all.0))
}

/// Every standard feature of a customer, by name.
fn features(
    customers: &BTreeMap<i64, Vec<Merged>>,
    customer: i64,
    cutoff: i32,
) -> Option<BTreeMap<String, Option<f64>>> {
    let days: Vec<&Merged> = customers[&customer].iter().filter(|day| day.day <= cutoff).collect();
    let bought: Vec<&Merged> = days.iter().copied().filter(|day| day.is_purchase).collect();
    let (first, last) = (bought.first()?.day, bought.last()?.day);
    let n = bought.len() as f64;
    let horizon = f64::from(HORIZON_DAYS);
    let intervals: Vec<f64> = bought.windows(2).map(|pair| f64::from(pair[1].day - pair[0].day)).collect();
    let mean = intervals.iter().sum::<f64>() / intervals.len() as f64;
    let variance =
        intervals.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (intervals.len() as f64 - 1.0);
    let longest = intervals.iter().copied().reduce(f64::max);
    let within = |days: i32| bought.iter().filter(move |purchase| purchase.day > cutoff - days);
    let silent = f64::from(cutoff - last);
    let shrunk = (f64::from(last - first) + horizon) / n;
    let net: f64 = bought.iter().map(|purchase| purchase.net).sum();
    let paid = net + bought.iter().map(|purchase| purchase.refunded).sum::<f64>();
    let went_back: f64 =
        days.iter().map(|day| if day.is_purchase { day.refunded } else { (-day.net).max(0.0) }).sum();
    let discount: f64 = bought.iter().map(|purchase| purchase.discount).sum();
    let mut all = BTreeMap::new();
    let mut put = |name: &str, value: Option<f64>| {
        all.insert(name.to_owned(), value);
    };
    put("days_since_last", Some(silent));
    put("tenure_days", Some(f64::from(cutoff - first)));
    put("n_purchases", Some(n));
    put("interval_shrunk_to_30_days", Some(shrunk));
    put("overdue_ratio_30_days", Some(silent / shrunk));
    put("purchases_per_day_shrunk_30_days", Some(n / (f64::from(cutoff - first) + horizon)));
    put("interval_sd_days", (intervals.len() > 1).then_some(variance.sqrt()));
    put("interval_max_days", longest);
    put("interval_last_days", intervals.last().copied());
    put("silence_fraction", Some(silent / f64::from(cutoff - first).max(1.0)));
    let longer: Vec<f64> = intervals.iter().copied().filter(|interval| *interval > silent).collect();
    let back = longer.iter().filter(|interval| **interval <= silent + horizon).count() as f64;
    put("own_return_log_odds_30_days", Some(((back + 0.5) / (longer.len() as f64 - back + 0.5)).ln()));
    for days in [15, 30, 60, 120] {
        put(&format!("purchases_last_{days}_days"), Some(within(days).count() as f64));
    }
    for days in [30, 60] {
        put(&format!("spend_amount_last_{days}_days"), Some(within(days).map(|purchase| purchase.net).sum()));
    }
    put("amount_mean", Some(net / n));
    put("amount_last", Some(bought.last()?.net));
    put("refund_fraction", (paid > 0.0).then(|| (went_back / paid).min(1.0)));
    put("discount_fraction", (paid + discount > 0.0).then(|| discount / (paid + discount)));
    put("is_single_purchase", Some(f64::from(n == 1.0)));
    put("is_silent_beyond_longest", longest.map(|longest| f64::from(silent > longest)));
    let peers = peer_loss(customers, customer, &home(&bought)?, cutoff);
    put("peer_loss_fraction_store_30_days", peers.map(|(of_store, _)| of_store));
    put("overall_loss_fraction_store_30_days", peers.map(|(_, overall)| overall));
    Some(all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_walk_agrees_with_the_slow_way(orders in orders(250), at in 30_i32..400) {
        let cutoff = first_day().plus_days(at);
        let history = params().with_observed_at_least_until(cutoff).from_frame(&frame(&orders)).unwrap();
        let customers = merge(&orders);
        let slow: Vec<_> = customers
            .keys()
            .filter_map(|&customer| Some((customer, features(&customers, customer, cutoff.days_since_epoch())?)))
            .collect();
        let Ok(fast) = standard(HORIZON_DAYS).features_at(&history, cutoff) else {
            prop_assert!(slow.is_empty());
            return Ok(());
        };
        let ids: Vec<i64> = fast.column("customer_id").unwrap().i64().unwrap().iter().flatten().collect();
        prop_assert_eq!(&ids, &slow.iter().map(|(customer, _)| *customer).collect::<Vec<_>>());
        prop_assert_eq!(fast.width() - 1, slow[0].1.len());
        for name in slow[0].1.keys() {
            for (row, found) in floats(&fast, name).into_iter().enumerate() {
                let expected = slow[row].1[name];
                let same = match (found, expected) {
                    (Some(found), Some(expected)) => {
                        (found - expected).abs() <= RELATIVE_TOLERANCE * expected.abs().max(1.0)
                    }
                    (found, expected) => found == expected,
                };
                prop_assert!(same, "{name} of customer {}: {found:?} is not {expected:?}", ids[row]);
            }
        }
    }
}
