//! Logs to test on: random ones, and the real ones.

use std::path::PathBuf;

use polars::prelude::*;
use proptest::prelude::*;
use winback::history::HistoryParams;
use winback::{Columns, Day, FeatureSet, History};

pub const STORES: [&str; 4] = ["Århus", "Berlin", "Cork", "Delft"];

#[derive(Clone, Debug)]
pub struct Order {
    pub customer: i64,
    pub day: i32,
    pub amount: f64,
    pub discount: f64,
    pub store: &'static str,
}

pub fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// The first day of random logs.
pub fn first_day() -> Day {
    day("2020-01-01")
}

pub fn frame(orders: &[Order]) -> DataFrame {
    let days: Vec<i32> =
        orders.iter().map(|order| first_day().plus_days(order.day).days_since_epoch()).collect();
    DataFrame::new_infer_height(vec![
        Column::new("customer".into(), orders.iter().map(|order| order.customer).collect::<Vec<_>>()),
        Int32Chunked::from_vec("day".into(), days).into_date().into_column(),
        Column::new("amount".into(), orders.iter().map(|order| order.amount).collect::<Vec<_>>()),
        Column::new("discount".into(), orders.iter().map(|order| order.discount).collect::<Vec<_>>()),
        Column::new("store".into(), orders.iter().map(|order| order.store).collect::<Vec<_>>()),
    ])
    .unwrap()
}

pub fn params() -> HistoryParams {
    let columns = Columns::new("customer", "day").with_amount("amount").with_discount("discount");
    History::params(columns.with_segments(["store"]))
}

pub fn history(orders: &[Order]) -> History {
    params().from_frame(&frame(orders)).unwrap()
}

pub fn standard(horizon_days: i32) -> FeatureSet {
    FeatureSet::standard(horizon_days, &["store"])
}

/// A random log of at most so many orders by few customers, with refunds, free orders and busy days.
pub fn orders(most: usize) -> impl Strategy<Value = Vec<Order>> {
    let amount = prop_oneof![
        6 => (1_i32..20_000).prop_map(|cents| f64::from(cents) / 100.0),
        2 => (1_i32..20_000).prop_map(|cents| f64::from(cents) / -100.0),
        1 => Just(0.0),
    ];
    let order = (0_i64..25, 0_i32..400, amount, 0_i32..500, 0..STORES.len());
    let order = order.prop_map(|(customer, day, amount, discount, store)| Order {
        customer,
        day,
        amount,
        discount: f64::from(discount) / 100.0,
        store: STORES[store],
    });
    proptest::collection::vec(order, 1..most)
}

/// A larger log with a rhythm per customer, from a seed; no randomness beyond it.
pub fn rhythmic(customers: i64, days: i32, seed: u64) -> Vec<Order> {
    let mut random = SplitMix(seed);
    let mut orders = Vec::new();
    for customer in 0..customers {
        let every = 5.0 + 60.0 * random.uniform();
        let store = STORES[(random.uniform() * STORES.len() as f64) as usize];
        let leaves = f64::from(days) * 1.6 * random.uniform();
        let mut day = 90.0 * random.uniform();
        while day < leaves.min(f64::from(days)) {
            orders.push(Order {
                customer,
                day: day as i32,
                amount: (2_000.0 * random.uniform()).round() / 100.0 + 1.0,
                discount: 0.0,
                store,
            });
            day += -every * (1.0 - random.uniform()).ln() + 1.0;
        }
    }
    orders
}

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct SplitMix(pub u64);

impl SplitMix {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// A file that is not in the crate; `None`, said aloud, where `WINBACK_DATA` is not set.
pub fn outside(name: &str) -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("WINBACK_DATA") else {
        eprintln!("skipped: {name} is needed, and WINBACK_DATA names no folder");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    assert!(path.exists(), "{} is missing from the folder that WINBACK_DATA names", path.display());
    Some(path)
}

pub fn bundled() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/online_retail_orders.csv")
}

pub fn retail_params() -> HistoryParams {
    History::params(Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["country"]))
}

/// A frame's bytes: every float by its bits, nulls told apart.
pub fn bytes(frame: &DataFrame) -> Vec<u8> {
    let mut frame = frame.clone();
    let mut bytes = Vec::new();
    for column in frame.columns() {
        bytes.extend(column.name().as_bytes());
        bytes.extend(column.dtype().to_string().as_bytes());
    }
    for column in frame.align_chunks_par().columns() {
        for value in column.as_materialized_series().iter() {
            match value {
                AnyValue::Float64(value) => bytes.extend(value.to_bits().to_le_bytes()),
                other => bytes.extend(other.to_string().as_bytes()),
            }
            bytes.push(0);
        }
    }
    bytes
}

pub fn floats(frame: &DataFrame, column: &str) -> Vec<Option<f64>> {
    frame.column(column).unwrap().f64().unwrap().iter().collect()
}
