//! Systemic losses and sudden drops: what is planted is found, and chance is not.

use polars::prelude::*;
use winback::evidence::Cause;
use winback::history::HistoryParams;
use winback::losses::{Contracts, Drops, Systemic, Verdict, Whose};
use winback::{Columns, Day, History};

use crate::logs::{SplitMix, bundled, day, outside};

/// Customer, day after the first, store.
type Row = (i64, i32, u32);

fn exponential(random: &mut SplitMix, mean: f64) -> f64 {
    -mean * (1.0 - random.uniform()).ln()
}

/// What is planted: the store, the first day, the part of purchases lost, for how many days.
#[derive(Clone, Copy)]
struct Fall {
    store: u32,
    from: i32,
    size: f64,
    days: i32,
}

struct World {
    customers: i64,
    stores: u32,
    days: i32,
    /// How likely an order is made at the home store.
    loyal: f64,
    /// Days between purchases, at least and at most.
    every: (f64, f64),
    /// Yearly rate of leaving, and how many times that of store 0 is from its day on.
    leaves: f64,
    failing: (f64, i32),
    fall: Option<Fall>,
    /// A busy season of so many days before the end of each year, with twice the purchases.
    season: bool,
}

const PLAIN: World = World {
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

fn log(world: &World, seed: u64) -> Vec<Row> {
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
                home == fall.store
                    && (fall.from..fall.from + fall.days).contains(&on)
                    && random.uniform() < fall.size
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

fn first_day() -> Day {
    day("2022-01-01")
}

fn history(rows: &[Row], days: i32) -> History {
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

/// Store histories change customers, within classes of how much these bought.
fn permuted(rows: &[Row], random: &mut SplitMix) -> Vec<Row> {
    let mut customers: Vec<&[Row]> = rows.chunk_by(|a, b| a.0 == b.0).collect();
    customers.sort_by_key(|own| (own.len(), own[0].0));
    let mut changed = Vec::new();
    for class in customers.chunks(60) {
        let mut others: Vec<usize> = (0..class.len()).collect();
        shuffle(&mut others, random);
        for (own, &other) in class.iter().zip(&others) {
            let from = class[other];
            changed.extend(own.iter().enumerate().map(|(i, row)| (row.0, row.1, from[i % from.len()].2)));
        }
    }
    changed
}

fn shuffle<T>(values: &mut [T], random: &mut SplitMix) {
    for last in (1..values.len()).rev() {
        values.swap(last, (random.next() % (last as u64 + 1)) as usize);
    }
}

/// Stores are shuffled over all orders.
fn relabelled(rows: &[Row], random: &mut SplitMix) -> Vec<Row> {
    let mut stores: Vec<u32> = rows.iter().map(|row| row.2).collect();
    shuffle(&mut stores, random);
    rows.iter().zip(stores).map(|(row, store)| (row.0, row.1, store)).collect()
}

/// Findings of both kinds.
fn findings(history: &History, horizon_days: i32, seed: u64) -> (usize, usize) {
    let until = history.observed_until();
    let systemic = Systemic::params().with_horizon_days(horizon_days).find(history, until, None).unwrap();
    let drops = Drops::params().with_seed(seed).find(history, until).unwrap();
    let business = drops.business.is_some_and(|drop| drop.p.is_some());
    (systemic.findings().count(), drops.rows.len() + usize::from(business))
}

/// Data sets with a finding of either kind, and of each.
fn controls(rows: impl Fn(u64) -> (Vec<Row>, i32), data_sets: u64, horizon_days: i32) -> [[usize; 3]; 2] {
    let mut counts = [[0; 3]; 2];
    for seed in 0..data_sets {
        let (rows, days) = rows(seed);
        let mut random = SplitMix(seed ^ 0x5eed);
        let changed = [permuted(&rows, &mut random), relabelled(&rows, &mut random)];
        for (count, rows) in counts.iter_mut().zip(changed) {
            let (systemic, drops) = findings(&history(&rows, days), horizon_days, seed);
            count[0] += usize::from(systemic + drops > 0);
            count[1] += usize::from(systemic > 0);
            count[2] += usize::from(drops > 0);
        }
    }
    counts
}

/// Found, dated within 14 days, interval covers.
fn power(world: &World, data_sets: u64) -> [usize; 3] {
    let mut counts = [0; 3];
    for seed in 0..data_sets {
        let mut random = SplitMix(seed ^ 0xfa11);
        let from = 300 + (random.next() % 180) as i32;
        let from = from.min(world.days - 45);
        let fall = Fall { store: 0, from, size: 0.4, days: if seed % 2 == 0 { 42 } else { 1_000 } };
        let world = World { fall: Some(fall), ..*world };
        let history = history(&log(&world, seed), world.days);
        let found = Drops::params().with_seed(seed).find(&history, history.observed_until()).unwrap();
        let Some(row) = found.rows.iter().find(|row| row.value == "S0") else { continue };
        let truth = first_day().plus_days(from);
        counts[0] += 1;
        counts[1] += usize::from(row.date.days_since(truth).abs() <= 14);
        counts[2] += usize::from(row.date_low <= truth && truth <= row.date_high);
    }
    counts
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
#[ignore = "a study of a thousand data sets, by hand"]
fn study_of_controls() {
    let data_sets = number("WINBACK_DATA_SETS", 1_000);
    println!("simulated: permuted, relabelled [any, systemic, drops] of {data_sets}");
    println!("{:?}", controls(|seed| (log(&PLAIN, seed), PLAIN.days), data_sets, 60));
    let failing = World { failing: (6.0, 200), loyal: 0.95, ..PLAIN };
    println!("failing: {:?}", controls(|seed| (log(&failing, seed), PLAIN.days), data_sets / 2, 60));
}

#[test]
#[ignore = "a study of a thousand data sets, by hand"]
fn study_of_controls_on_real_stores() {
    let Some(file) = outside("completejourney_orders_half.parquet") else { return };
    let frame = LazyFrame::scan_parquet(file.to_str().unwrap().into(), ScanArgsParquet::default()).unwrap();
    let frame = frame
        .select([
            col("customer_id").cast(DataType::Int64),
            col("timestamp").cast(DataType::Date).to_physical().cast(DataType::Int32),
            col("store_id").cast(DataType::UInt32),
        ])
        .sort(["customer_id", "timestamp"], SortMultipleOptions::default())
        .collect()
        .unwrap();
    let start = day("2017-01-01").days_since_epoch();
    let (ids, days) = (frame.column("customer_id").unwrap(), frame.column("timestamp").unwrap());
    let stores = frame.column("store_id").unwrap();
    let rows: Vec<Row> = (0..frame.height())
        .map(|row| {
            (
                ids.i64().unwrap().get(row).unwrap(),
                days.i32().unwrap().get(row).unwrap() - start,
                stores.u32().unwrap().get(row).unwrap(),
            )
        })
        .collect();
    let data_sets = number("WINBACK_DATA_SETS", 1_000);
    println!("stores: {:?}", controls(|_| (rows.clone(), 366), data_sets, 30));
}

#[test]
#[ignore = "a study of two hundred data sets, by hand"]
fn study_of_power() {
    let data_sets = number("WINBACK_DATA_SETS", 200);
    for (name, customers, every, stores) in [
        ("frequent", 1_000, (5.0, 15.0), 6),
        ("mixed", 1_000, (6.0, 40.0), 6),
        ("rare", 1_600, (15.0, 50.0), 6),
        ("few", 560, (7.0, 30.0), 4),
        ("few and rare", 700, (15.0, 50.0), 4),
    ] {
        let world = World { customers, every, stores, loyal: 0.9, leaves: 0.3, ..PLAIN };
        let regulars = Drops::params()
            .find(&history(&log(&world, 0), world.days), first_day().plus_days(world.days - 1));
        println!("{name}: {} regulars in {} stores", regulars.unwrap().regulars, world.stores);
        println!("{name}: [found, within 14 days, covered] of {data_sets}: {:?}", power(&world, data_sets));
    }
}

#[test]
#[ignore = "to be read"]
fn show_real_logs() {
    let show = |history: &History, horizon_days: i32| {
        let until = history.observed_until();
        let begun = std::time::Instant::now();
        println!(
            "{}",
            Systemic::params().with_horizon_days(horizon_days).find(history, until, None).unwrap()
        );
        println!("{:?}", begun.elapsed());
        println!("{}", Drops::params().find(history, until).unwrap());
        println!("{:?}", begun.elapsed());
    };
    show(&crate::logs::retail_params().read_csv([bundled()]).unwrap(), 90);
    let simulated = bundled().with_file_name("simulated_orders.csv");
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount").with_segments(["store"]);
    show(&History::params(columns).read_csv([simulated]).unwrap(), 90);
    if let Some(file) = outside("completejourney_orders_half.parquet") {
        let columns =
            Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["store_id"]);
        show(&History::params(columns).read_parquet([file]).unwrap(), 30);
    }
}

#[test]
fn a_store_that_loses_its_customers_is_systemic_and_its_cause_is_named() {
    let world = World { failing: (8.0, 250), loyal: 0.95, ..PLAIN };
    let history = history(&log(&world, 3), world.days);
    let until = history.observed_until();
    let find = |causes: &[Option<Cause>]| {
        Systemic::params().with_horizon_days(60).find(&history, until, Some(causes)).unwrap()
    };
    // Whoever bought last at the failing store says so; elsewhere causes are drawn.
    let lasts: Vec<bool> = {
        let frame = log(&world, 3);
        let mut lasts = vec![false; history.customers()];
        let mut ids: Vec<i64> = frame.iter().map(|row| row.0).collect();
        ids.dedup();
        for own in frame.chunk_by(|a, b| a.0 == b.0) {
            lasts[ids.binary_search(&own[0].0).unwrap()] = own[own.len() - 1].2 == 0;
        }
        lasts
    };
    let mut random = SplitMix(9);
    let mut causes: Vec<Option<Cause>> = lasts
        .iter()
        .map(|&at_failing| {
            let drawn = [Cause::Competitor, Cause::Price, Cause::NoLongerNeeded, Cause::ServiceFailure];
            let drawn = drawn[(random.next() % 4) as usize];
            Some(if at_failing && random.uniform() < 0.7 { Cause::ServiceFailure } else { drawn })
        })
        .collect();
    let found = find(&causes);
    let rows: Vec<_> = found.findings().collect();
    assert!(rows.iter().all(|row| row.value == "S0"), "{found}");
    assert!(rows.iter().any(|row| row.cause.is_none() && row.whose == Whose::Ours), "{found}");
    assert!(rows.iter().any(|row| row.cause == Some(Cause::ServiceFailure)), "{found}");
    assert!(found.totals.excess > 0.0);
    let mut attached = 0;
    for _ in 0..40 {
        shuffle(&mut causes, &mut random);
        attached += find(&causes).findings().filter(|row| row.cause.is_some()).count();
    }
    // Each time with chance .05 at most: more than 6 of 40 in one of 300 cases.
    assert!(attached <= 6, "{attached} causes of shuffled reasons");
}

#[test]
fn chance_is_rarely_a_finding() {
    // Chance .05 at most: more than 4 of 20 in 3 of 1,000 cases.
    let counts = controls(|seed| (log(&PLAIN, seed), PLAIN.days), 20, 60);
    assert!(counts.iter().all(|count| count[0] <= 4), "{counts:?}");
}

#[test]
fn a_store_whose_regulars_fall_is_found_and_dated() {
    let world = World { customers: 1_000, loyal: 0.9, leaves: 0.3, ..PLAIN };
    let counts = power(&world, 10);
    // Chance .9 at least each.
    assert!(counts[0] >= 7 && counts[1] >= 5 && counts[2] >= 6, "{counts:?}");
}

#[test]
fn orders_after_the_day_change_nothing() {
    let rows = log(&PLAIN, 5);
    let until = first_day().plus_days(420);
    let known: Vec<Row> = rows.iter().copied().filter(|row| row.1 <= 420).collect();
    let (whole, known) = (history(&rows, PLAIN.days), history(&known, 421));
    let both = |history: &History| {
        let systemic = Systemic::params().with_horizon_days(60).find(history, until, None).unwrap();
        let drops = Drops::params().find(history, until).unwrap();
        format!("{:?}{:?}", systemic, drops.rows)
    };
    assert_eq!(both(&whole), both(&known));
}

#[test]
fn a_city_that_a_rival_took_is_systemic_and_not_ours() {
    let Some(file) = outside("telco_reasons_half.parquet") else { return };
    let params = Contracts::params("Churn Value").with_reason("Churn Category").with_id("customer_id");
    for segments in [vec!["City"], vec!["City", "Contract"]] {
        let found = params
            .clone()
            .with_tenure("Tenure in Months")
            .with_commitment("Contract")
            .with_segments(segments)
            .read(&file)
            .unwrap();
        println!("{found}");
        let rows: Vec<_> = found.systemic.findings().collect();
        assert!(found.systemic.rows.iter().all(|row| row.segment == "City"));
        let of = |value: &str, cause| {
            found.systemic.rows.iter().find(|row| row.value == value && row.cause == cause).unwrap()
        };
        let rival = of("San Diego", Some(Cause::Competitor));
        assert_eq!((rival.verdict, rival.whose), (Verdict::Systemic, Whose::Outside));
        assert_eq!(of("San Diego", None).whose, Whose::Outside);
        assert!(rows.iter().all(|row| row.value == "San Diego"), "{found}");
        assert!(found.systemic.rows.iter().filter(|row| row.exposed == 5).count() > 10);
        let small = found.systemic.rows.iter().filter(|row| row.exposed == 5);
        assert!(small.into_iter().all(|row| row.verdict == Verdict::Insufficient));
        assert_eq!((found.customers, found.systemic.is_rates), (3_540, true));
        assert!(found.systemic.tenure.iter().map(|band| band.lost).sum::<usize>() == found.lost);
    }
    let shares = params.with_segments(["City"]).read(&file).unwrap();
    assert!(shares.to_string().contains("shares, not rates"), "{shares}");
    assert!(shares.systemic.findings().any(|row| row.value == "San Diego"));
}

#[test]
fn a_flag_is_a_flag_or_an_error() {
    let read = |flags: [&str; 4]| {
        let table = df!["lost" => flags, "town" => ["a", "a", "b", "b"]].unwrap();
        Contracts::params("lost").with_segments(["town"]).from_frame(&table)
    };
    assert_eq!(read(["Yes", "no", "TRUE", "0"]).unwrap().lost, 2);
    let error = read(["Yes", "no", "2", "perhaps"]).unwrap_err().to_string();
    assert!(error.contains("perhaps") && error.contains("`lost`"), "{error}");
    let numbers = df!["lost" => [1, 0, 1], "town" => ["a", "a", "b"]].unwrap();
    assert_eq!(Contracts::params("lost").with_segments(["town"]).from_frame(&numbers).unwrap().lost, 2);
    let same = Contracts::params("lost").with_segments(["lost"]).from_frame(&numbers).unwrap_err();
    assert_eq!(same.to_string(), "columns is `lost` in two roles, expected one role per column");
    let gone = Contracts::params("lost").with_segments(["city"]).from_frame(&numbers).unwrap_err();
    assert!(gone.to_string().contains("city"), "{gone}");
}

#[test]
fn threads_do_not_show() {
    let history = history(&log(&World { failing: (8.0, 250), ..PLAIN }, 6), PLAIN.days);
    let until = history.observed_until();
    let all = || {
        let systemic = Systemic::params().with_horizon_days(60).find(&history, until, None).unwrap();
        let drops = Drops::params().with_seed(1).find(&history, until).unwrap();
        serde_json::to_string(&(systemic, drops)).unwrap()
    };
    let at = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(all);
    assert_eq!(at(1), at(3));
}

#[test]
fn a_model_without_segments_is_heard() {
    let history = history(&log(&World { failing: (8.0, 250), loyal: 0.95, ..PLAIN }, 3), PLAIN.days);
    let until = history.observed_until();
    let params = Systemic::params().with_horizon_days(60);
    let lift = |risk: &dyn Fn(Day) -> winback::Result<Vec<f64>>| {
        let found = params.find_beside(&history, until, None, Some(risk)).unwrap();
        found.rows.iter().find(|row| row.value == "S0").unwrap().model_lift.unwrap()
    };
    assert!(lift(&|_| Ok(vec![0.2; history.customers()])) > 1.25);
    let short = params.find_beside(&history, until, None, Some(&|_| Ok(vec![0.2])));
    assert!(short.unwrap_err().to_string().contains("one per customer"));
}
