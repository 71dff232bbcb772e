//! Simulated markets: customers with home stores, some of which fail.

use polars::prelude::*;
use winback::history::HistoryParams;
use winback::{Columns, Day, History};

use crate::logs::{SplitMix, day};

/// Customer, day after the first, store.
pub type Row = (i64, i32, u32);

fn exponential(random: &mut SplitMix, mean: f64) -> f64 {
    -mean * (1.0 - random.uniform()).ln()
}

/// What is planted: the store, the first day, the part of purchases lost in the end, for how many days, and how
/// many days it takes to come to that.
#[derive(Clone, Copy)]
pub struct Fall {
    pub store: u32,
    pub from: i32,
    pub size: f64,
    pub days: i32,
    pub takes: i32,
}

pub struct World {
    pub customers: i64,
    pub stores: u32,
    pub days: i32,
    /// How likely an order is made at the home store.
    pub loyal: f64,
    /// Days between purchases, at least and at most.
    pub every: (f64, f64),
    /// Yearly rate of leaving, and how many times that of store 0 is from its day on.
    pub leaves: f64,
    pub failing: (f64, i32),
    pub fall: Option<Fall>,
    /// A busy season of so many days before the end of each year, with twice the purchases.
    pub season: bool,
}

pub const PLAIN: World = World {
    customers: 600,
    stores: 6,
    days: 540,
    loyal: 0.8,
    every: (6.0, 40.0),
    leaves: 0.5,
    failing: (1.0, 0),
    fall: None,
    season: true,
};

pub fn log(world: &World, seed: u64) -> Vec<Row> {
    let mut random = SplitMix(seed);
    let mut rows = Vec::new();
    for customer in 0..world.customers {
        let home = (random.uniform() * f64::from(world.stores)) as u32;
        let every = world.every.0 + (world.every.1 - world.every.0) * random.uniform().powi(2);
        let mut at = (random.uniform() * 0.5 * f64::from(world.days)).max(0.0) - 100.0;
        let (mean, (times, from)) = (365.0 / world.leaves, world.failing);
        let mut leaves = at + exponential(&mut random, mean);
        if home == 0 && leaves > f64::from(from) {
            leaves = at.max(f64::from(from)) + exponential(&mut random, mean / times);
        }
        while at < leaves.min(f64::from(world.days)) {
            let store = if random.uniform() < world.loyal {
                home
            } else {
                (random.uniform() * f64::from(world.stores)) as u32
            };
            let on = at as i32;
            let in_fall = |fall: Fall| {
                let gone = f64::from(on - fall.from + 1) / f64::from(fall.takes + 1);
                home == fall.store
                    && (fall.from..fall.from + fall.days).contains(&on)
                    && random.uniform() < fall.size * gone.min(1.0)
            };
            if at >= 0.0 && !world.fall.is_some_and(in_fall) {
                rows.push((customer, on, store));
            }
            let busy = world.season && on.rem_euclid(365) > 320;
            at += exponential(&mut random, if busy { every / 2.0 } else { every });
        }
    }
    rows
}

fn params() -> HistoryParams {
    History::params(Columns::new("customer", "day").with_segments(["store"]))
}

pub fn first_day() -> Day {
    day("2022-01-01")
}

pub fn history(rows: &[Row], days: i32) -> History {
    let dates: Vec<i32> = rows.iter().map(|row| first_day().days_since_epoch() + row.1).collect();
    let frame = DataFrame::new_infer_height(vec![
        Column::new("customer".into(), rows.iter().map(|row| row.0).collect::<Vec<i64>>()),
        Int32Chunked::from_vec("day".into(), dates).into_date().into_column(),
        Column::new("store".into(), rows.iter().map(|row| format!("S{}", row.2)).collect::<Vec<String>>()),
    ]);
    params()
        .with_observed_at_least_until(first_day().plus_days(days - 1))
        .from_frame(&frame.unwrap())
        .unwrap()
}

/// Store histories change customers, within strata of how much these had bought by a day.
///
/// The day has to lie before anything is planted. How much somebody buys in all tells of who left, so that a store
/// that loses its customers goes on being the store of who left early where strata are made of that.
pub fn permuted(rows: &[Row], known: i32, random: &mut SplitMix) -> Vec<Row> {
    const STRATUM: usize = 60;
    let bought = |own: &[Row]| own.iter().filter(|row| row.1 <= known).count();
    let mut customers: Vec<&[Row]> = rows.chunk_by(|a, b| a.0 == b.0).collect();
    // Who bought alike stands in no order, that of customers least of all.
    shuffle(&mut customers, random);
    customers.sort_by_key(|own| bought(own));
    let mut changed = Vec::new();
    for stratum in customers.chunks(STRATUM) {
        let mut others: Vec<usize> = (0..stratum.len()).collect();
        shuffle(&mut others, random);
        for (own, &other) in stratum.iter().zip(&others) {
            let from = stratum[other];
            changed.extend(own.iter().enumerate().map(|(i, row)| (row.0, row.1, from[i % from.len()].2)));
        }
    }
    changed
}

pub fn shuffle<T>(values: &mut [T], random: &mut SplitMix) {
    for last in (1..values.len()).rev() {
        values.swap(last, (random.next() % (last as u64 + 1)) as usize);
    }
}

/// Stores are shuffled over all orders.
pub fn relabelled(rows: &[Row], random: &mut SplitMix) -> Vec<Row> {
    let mut stores: Vec<u32> = rows.iter().map(|row| row.2).collect();
    shuffle(&mut stores, random);
    rows.iter().zip(stores).map(|(row, store)| (row.0, row.1, store)).collect()
}

/// How many data sets a study by hand looks at: `WINBACK_DATA_SETS`, or so many.
pub fn data_sets(default: u64) -> u64 {
    std::env::var("WINBACK_DATA_SETS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What each data set shows, in order of seed, on all cores.
///
/// Each thread has a pool of its own for what the library does in parallel. Were data sets tasks of one pool, a thread
/// that waits for the library's own tasks would begin another data set on top of its stack, and so on, until that ends.
pub fn each_data_set<T: Send>(data_sets: u64, of: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let own = |thread: u64| -> Vec<(u64, T)> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| (thread..data_sets).step_by(threads as usize).map(|seed| (seed, of(seed))).collect())
    };
    let mut all: Vec<(u64, T)> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn({
                    let own = &own;
                    move || own(thread)
                })
            })
            .collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    all.into_iter().map(|(_, found)| found).collect()
}
