//! What must hold for every log, whatever its rows, their order, and the number of threads?

use std::collections::BTreeMap;

use polars::prelude::*;
use proptest::prelude::*;
use winback::history::HistoryParams;
use winback::{Columns, History};

use crate::support::{assert_same, lines, runner};

/// One row of a random log.
#[derive(Clone, Debug)]
struct Order {
    customer: i64,
    day: i32,
    amount: f64,
    discount: Option<f64>,
    store: Option<&'static str>,
}

/// Few customers, days and amounts, so that orders meet on a day, cancel out and repeat.
fn order() -> impl Strategy<Value = Order> {
    let amount = prop_oneof![
        4 => prop::sample::select(vec![192.4, 17.4, -192.4, -17.4, 0.0, -0.0, 0.1, 0.2, -0.3, 1e16, -1e16]),
        1 => -1e3..1e3_f64,
    ];
    let discount = prop::option::of(prop::sample::select(vec![0.0, 0.1, 0.2, 0.7, -0.7]));
    let store = prop::option::of(prop::sample::select(vec!["", "1", "11", "12", "2", "ä"]));
    (-3..8_i64, 19_700..19_712_i32, amount, discount, store)
        .prop_map(|(customer, day, amount, discount, store)| Order { customer, day, amount, discount, store })
}

/// A random log, and the same rows in another order.
fn log_in_two_orders() -> impl Strategy<Value = (Vec<Order>, Vec<Order>)> {
    prop::collection::vec(order(), 1..120).prop_flat_map(|log| (Just(log.clone()), Just(log).prop_shuffle()))
}

fn frame(log: &[Order], text_ids: bool) -> DataFrame {
    let dates = Int32Chunked::from_vec("day".into(), log.iter().map(|order| order.day).collect()).into_date();
    let ids = Column::new("id".into(), log.iter().map(|order| order.customer).collect::<Vec<_>>());
    let ids = if text_ids { ids.cast(&DataType::String).unwrap() } else { ids };
    let mut frame = df![
        "total" => log.iter().map(|order| order.amount).collect::<Vec<_>>(),
        "off" => log.iter().map(|order| order.discount).collect::<Vec<_>>(),
        "store" => log.iter().map(|order| order.store).collect::<Vec<_>>(),
    ]
    .unwrap();
    frame.with_column(ids).unwrap();
    frame.with_column(dates.into_column()).unwrap();
    frame
}

fn params() -> HistoryParams {
    History::params(
        Columns::new("id", "day").with_amount("total").with_discount("off").with_segments(["store"]),
    )
}

fn read(log: &[Order], text_ids: bool) -> History {
    params().from_frame(&frame(log, text_ids)).expect("a log that can be read")
}

#[test]
fn the_order_of_rows_is_no_fact() {
    runner(200)
        .run(&log_in_two_orders(), |(log, shuffled)| {
            for text_ids in [false, true] {
                let (left, right) = (read(&log, text_ids), read(&shuffled, text_ids));
                assert_same(&left, &right);
                prop_assert_eq!(left.report(), right.report());
            }
            Ok(())
        })
        .unwrap();
}

/// The purchases of a log by the definition, the slow way: per customer and day the amounts in
/// ascending order, and a purchase where nothing was refunded or where enough is left.
fn purchases(log: &[Order]) -> Vec<(i64, i32, f64, f64)> {
    let mut days: BTreeMap<(i64, i32), Vec<f64>> = BTreeMap::new();
    for order in log {
        days.entry((order.customer, order.day)).or_default().push(order.amount);
    }
    let mut found = Vec::new();
    for ((customer, day), mut amounts) in days {
        amounts.sort_by(f64::total_cmp);
        let net: f64 = amounts.iter().fold(0.0, |sum, amount| sum + amount);
        let absolute: f64 = amounts.iter().map(|amount| amount.abs()).sum();
        let refunded: f64 =
            amounts.iter().filter(|amount| **amount < 0.0).fold(0.0, |sum, amount| sum - amount);
        if amounts.iter().all(|&amount| amount >= 0.0) || net > 1e-9 * absolute {
            found.push((customer, day, net, refunded));
        }
    }
    found
}

#[test]
fn purchases_are_what_the_definition_says() {
    runner(200)
        .run(&prop::collection::vec(order(), 1..120), |log| {
            let expected: Vec<String> = purchases(&log)
                .into_iter()
                .map(|(id, day, net, refunded)| {
                    format!("{id} {} {net} {refunded}", winback::Day::from_days_since_epoch(day))
                })
                .collect();
            prop_assert_eq!(lines(&read(&log, false)), expected.clone());
            // Text ids hold the same purchases, in the order of the text.
            let mut by_text = expected;
            by_text.sort_by(|a, b| a.split(' ').next().cmp(&b.split(' ').next()));
            prop_assert_eq!(lines(&read(&log, true)), by_text);
            Ok(())
        })
        .unwrap();
}

#[test]
fn every_row_is_accounted_for() {
    runner(100)
        .run(&prop::collection::vec(order(), 1..60), |log| {
            let history = read(&log, false);
            let report = history.report();
            prop_assert_eq!(report.rows_read, log.len() as u64);
            prop_assert_eq!(report.rows_read, report.rows_kept + report.rows_dropped);
            prop_assert!(report.faults.is_empty());
            let mut customers: Vec<i64> = log.iter().map(|order| order.customer).collect();
            customers.sort_unstable();
            customers.dedup();
            prop_assert_eq!(history.customers(), customers.len());
            Ok(())
        })
        .unwrap();
}

#[test]
fn adding_one_order_shows_in_the_fingerprint() {
    runner(100)
        .run(&(prop::collection::vec(order(), 1..60), order()), |(log, more)| {
            // On a day of its own, so that it is a purchase or a refund whatever its amount.
            let more = Order { day: 19_800, ..more };
            let longer: Vec<Order> = log.iter().cloned().chain([more]).collect();
            let (shorter, longer) = (read(&log, false), read(&longer, false));
            prop_assert_ne!(shorter.fingerprint(), longer.fingerprint());
            Ok(())
        })
        .unwrap();
}

#[test]
fn fingerprints_tell_logs_apart_and_are_sixteen_digits() {
    let log = |customer, day, amount, discount, store| {
        let order = Order { customer, day, amount, discount, store };
        vec![order, Order { customer: 1, day: 19_705, amount: 5.0, discount: None, store: Some("z") }]
    };
    let mut found: Vec<String> = [
        log(2, 19_700, 1.0, Some(0.5), Some("a")),
        log(3, 19_700, 1.0, Some(0.5), Some("a")),
        log(2, 19_701, 1.0, Some(0.5), Some("a")),
        log(2, 19_700, 1.5, Some(0.5), Some("a")),
        log(2, 19_700, 1.0, Some(0.7), Some("a")),
        log(2, 19_700, 1.0, Some(0.5), Some("b")),
        log(2, 19_700, 1.0, Some(0.5), None),
        log(2, 19_700, -1.0, Some(0.5), Some("a")),
        log(2, 19_700, -1.5, Some(0.5), Some("a")),
    ]
    .iter()
    .map(|log| read(log, false).fingerprint().to_owned())
    .collect();
    assert!(found.iter().all(|text| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())));
    let logs = found.len();
    found.sort();
    found.dedup();
    assert_eq!(found.len(), logs);
}

#[test]
fn segment_values_of_equal_letters_have_fingerprints_of_their_own() {
    let log = |stores: [&'static str; 2]| {
        let order = |customer, store| Order {
            customer,
            day: 19_700,
            amount: 1.0,
            discount: None,
            store: Some(store),
        };
        read(&[order(1, stores[0]), order(2, stores[1])], false).fingerprint().to_owned()
    };
    assert_ne!(log(["1", "12"]), log(["11", "2"]));
}

#[test]
fn ids_are_ordered_by_number_or_by_byte_but_are_the_same_customers() {
    let order = |customer| Order { customer, day: 19_700, amount: 1.0, discount: None, store: None };
    let log: Vec<Order> = [10, 9, -1, 100, -10].into_iter().map(order).collect();
    let ids = |text| {
        lines(&read(&log, text))
            .iter()
            .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(false), ["-10", "-1", "9", "10", "100"]);
    assert_eq!(ids(true), ["-1", "-10", "10", "100", "9"]);
}

#[test]
fn the_number_of_threads_is_no_fact() {
    // More rows than several of the blocks that are read at a time.
    let frame = frame(&long_log(300_000), false);
    let on_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| params().from_frame(&frame).expect("a log that can be read"))
    };
    let expected = on_threads(1);
    assert!(expected.purchases() > 100_000);
    for threads in [2, 16] {
        let history = on_threads(threads);
        assert_eq!(history.fingerprint(), expected.fingerprint());
        assert!(history.to_frame().unwrap().equals_missing(&expected.to_frame().unwrap()));
        assert_eq!(history.report(), expected.report());
    }
}

/// A log of that many rows from a fixed seed: 20,000 customers over two years, a tenth refunds.
fn long_log(rows: usize) -> Vec<Order> {
    let mut state = 7_u64;
    // The generator of Knuth's MMIX; its high bits are random enough for rows of a test.
    let mut next = |limit: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % limit
    };
    (0..rows)
        .map(|_| Order {
            customer: next(20_000) as i64,
            day: 19_000 + next(730) as i32,
            amount: next(20_000) as f64 / 100.0 - 20.0,
            discount: (next(2) == 0).then(|| next(500) as f64 / 100.0),
            store: [None, Some("north"), Some("south"), Some("west")][next(4) as usize],
        })
        .collect()
}
