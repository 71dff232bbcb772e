//! Sudden drops: a store whose regulars fall is found and dated, and chance is not.

use polars::prelude::*;
use winback::losses::{BusinessVerdict, DropKind, Drops, Systemic};
use winback::{Columns, History};

use crate::logs::{SplitMix, bundled, day, outside};
use crate::markets::{
    Fall, PLAIN, Row, World, data_sets, each_data_set, first_day, history, log, permuted, relabelled,
};

/// Findings of one run: of systemic losses, and of drops, those of the whole business among them.
fn findings(history: &History, horizon_days: i32, seed: u64) -> [usize; 2] {
    let until = history.observed_until();
    let systemic = Systemic::params().with_horizon_days(horizon_days).find(history, until, None).unwrap();
    let drops = Drops::params().with_seed(seed).find(history, until).unwrap();
    let business = drops.business.is_some_and(|drop| drop.p.is_some());
    // What the recent landmarks show by themselves is a finding too.
    let systemic = systemic.findings().count() + systemic.recent_findings().count();
    [systemic, drops.rows.len() + usize::from(business)]
}

/// A log to be freed of what ties customers to stores.
struct Real {
    rows: Vec<Row>,
    days: i32,
    horizon_days: i32,
    /// The day by which strata of activity are made.
    known: i32,
}

/// Data sets with a finding of any kind, of systemic losses, of drops: with histories of stores permuted, and with
/// stores shuffled per order.
fn controls(real: impl Fn(u64) -> Real + Sync, data_sets: u64) -> [[usize; 3]; 2] {
    let one = |seed: u64| {
        let Real { rows, days, horizon_days, known } = real(seed);
        let mut random = SplitMix(seed ^ 0x5eed);
        let changed = [permuted(&rows, known, &mut random), relabelled(&rows, &mut random)];
        changed.map(|rows| {
            let [systemic, drops] = findings(&history(&rows, days), horizon_days, seed);
            [systemic + drops, systemic, drops].map(|found| usize::from(found > 0))
        })
    };
    let sets = each_data_set(data_sets, one);
    let sum = |control: usize, kind: usize| sets.iter().map(|set| set[control][kind]).sum();
    [0, 1].map(|control| [0, 1, 2].map(|kind| sum(control, kind)))
}

fn simulated(world: &World, seed: u64) -> Real {
    Real { rows: log(world, seed), days: world.days, horizon_days: 60, known: 180 }
}

/// The bundled simulated log.
fn three_years() -> Real {
    let text = std::fs::read_to_string(bundled().with_file_name("simulated_orders.csv")).unwrap();
    let start = day("2021-01-01");
    let stores = ["Harbour", "Mill Lane", "Station"];
    let mut rows: Vec<Row> = text
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let store = stores.iter().position(|store| *store == cells[3]);
            (cells[0][1..].parse().unwrap(), day(cells[1]).days_since(start), store.unwrap() as u32)
        })
        .collect();
    rows.sort_unstable();
    Real { rows, days: 1_095, horizon_days: 90, known: 365 }
}

/// Complete Journey, by store.
fn groceries() -> Option<Real> {
    let file = outside("completejourney_orders_half.parquet")?;
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
    let rows = (0..frame.height()).map(|row| {
        (
            ids.i64().unwrap().get(row).unwrap(),
            days.i32().unwrap().get(row).unwrap() - start,
            stores.u32().unwrap().get(row).unwrap(),
        )
    });
    Some(Real { rows: rows.collect(), days: 366, horizon_days: 30, known: 120 })
}

/// Found, dated within 14 days, interval covers.
fn power(world: &World, takes: i32, data_sets: u64) -> [usize; 3] {
    let one = |seed: u64| {
        let mut random = SplitMix(seed ^ 0xfa11);
        let from = 300 + (random.next() % 180) as i32;
        let from = from.min(world.days - 45 - takes);
        let fall = Fall {
            store: 0,
            from,
            size: 0.4,
            days: if seed.is_multiple_of(2) { 42 + takes } else { 1_000 },
            takes,
        };
        let world = World { fall: Some(fall), ..*world };
        let history = history(&log(&world, seed), world.days);
        let found = Drops::params().with_seed(seed).find(&history, history.observed_until()).unwrap();
        let truth = first_day().plus_days(from);
        found.rows.iter().find(|row| row.value == "S0").map_or([0; 3], |row| {
            let near = row.date.days_since(truth).abs() <= 14;
            [true, near, row.date_low <= truth && truth <= row.date_high].map(usize::from)
        })
    };
    let sets = each_data_set(data_sets, one);
    [0, 1, 2].map(|what| sets.iter().map(|set| set[what]).sum())
}

/// Markets in which store 0 has about a hundred regulars or more.
fn markets() -> [(&'static str, World); 5] {
    let market = |name, customers, every, stores| {
        (name, World { customers, every, stores, loyal: 0.9, leaves: 0.3, ..PLAIN })
    };
    [
        market("frequent", 1_000, (5.0, 15.0), 6),
        market("mixed", 1_000, (6.0, 40.0), 6),
        market("rare", 1_600, (15.0, 50.0), 6),
        market("few", 560, (7.0, 30.0), 4),
        market("few and rare", 700, (15.0, 50.0), 4),
    ]
}

/// 67 of 1,000: of sets found with chance .05 there are more in 8 of 1,000 cases.
fn assert_rare(name: &str, counts: [[usize; 3]; 2], data_sets: u64) {
    println!("{name}: permuted, relabelled [any, systemic, drops] of {data_sets}: {counts:?}");
    let most = data_sets as f64 * 0.067;
    assert!(counts.iter().all(|count| count[0] as f64 <= most), "{name}: {counts:?} of {data_sets}");
}

#[test]
#[ignore = "a thousand data sets, by hand"]
fn chance_is_rarely_a_finding_in_a_thousand_simulated_markets() {
    let sets = data_sets(1_000);
    assert_rare("simulated", controls(|seed| simulated(&PLAIN, seed), sets), sets);
}

#[test]
#[ignore = "a thousand data sets, by hand"]
fn chance_is_rarely_a_finding_where_a_store_fails_and_histories_change_hands() {
    let sets = data_sets(1_000);
    let failing = World { failing: (6.0, 200), loyal: 0.95, ..PLAIN };
    assert_rare("failing", controls(|seed| simulated(&failing, seed), sets), sets);
}

#[test]
#[ignore = "a thousand data sets, by hand"]
fn chance_is_rarely_a_finding_in_a_thousand_shuffles_of_the_bundled_log() {
    let sets = data_sets(1_000);
    assert_rare("three years", controls(|_| three_years(), sets), sets);
}

#[test]
#[ignore = "a thousand data sets, by hand"]
fn chance_is_rarely_a_finding_in_a_thousand_shuffles_of_groceries() {
    if groceries().is_none() {
        return;
    }
    let sets = data_sets(1_000);
    assert_rare("groceries", controls(|_| groceries().unwrap(), sets), sets);
}

#[test]
#[ignore = "two hundred data sets of ten kinds, by hand"]
fn falls_are_found_and_dated_in_two_hundred_markets() {
    let sets = data_sets(200);
    let mut failed = Vec::new();
    for (name, world) in markets() {
        for takes in [0, 28] {
            let counts = power(&world, takes, sets);
            println!("{name}, over {takes} days: [found, within 14 days, covered] of {sets}: {counts:?}");
            let least = [0.9, if takes == 0 { 0.5 } else { 0.0 }, 0.9].map(|share| share * sets as f64);
            let found = counts[0] as f64;
            let enough = counts[0] as f64 >= least[0]
                && counts[1] as f64 >= least[1]
                && counts[2] as f64 >= 0.9 * found;
            if !enough {
                failed.push((name, takes, counts));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
#[ignore = "some time, by hand"]
fn real_logs_are_read_believably() {
    let show = |history: &History| {
        let found = Drops::params().find(history, history.observed_until()).unwrap();
        println!("{found}");
        found
    };
    let found = show(&crate::logs::retail_params().read_csv([bundled()]).unwrap());
    assert!(found.rows.is_empty() && found.regulars > 1_000);
    let simulated = bundled().with_file_name("simulated_orders.csv");
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount").with_segments(["store"]);
    let found = show(&History::params(columns).read_csv([simulated]).unwrap());
    assert!(found.business.is_none_or(|drop| drop.verdict != BusinessVerdict::Dropped));
    if let Some(file) = outside("completejourney_orders_half.parquet") {
        let columns =
            Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["store_id"]);
        let found = show(&History::params(columns).read_parquet([file]).unwrap());
        // One year says nothing of the season; of some hundred stores few lose their regulars in it.
        assert!(found.rows.len() <= 5 && found.rows.iter().all(|row| row.size > 0.1));
        assert!(found.rows.iter().all(|row| row.kind == DropKind::Moved || row.size > 0.2));
    }
}

#[test]
fn chance_is_rarely_a_finding() {
    // Chance .05 at most: more than 4 of 20 in 3 of 1,000 cases.
    let counts = controls(|seed| simulated(&PLAIN, seed), 20);
    assert!(counts.iter().all(|count| count[0] <= 4), "{counts:?}");
}

#[test]
fn a_store_whose_regulars_fall_is_found_and_dated() {
    let world = World { customers: 1_000, loyal: 0.9, leaves: 0.3, ..PLAIN };
    let counts = power(&world, 0, 10);
    // Chance .9 at least each.
    assert!(counts[0] >= 7 && counts[1] >= 5 && counts[2] >= 6, "{counts:?}");
}

/// Purchases of a whole business, week by week: all weeks go up and down by so much (standard deviation of the
/// logarithm), and from a day on so much of them is gone.
fn business(weeks_wander: f64, gone: f64, from: i32, days: i32, seed: u64) -> History {
    business_of(true, weeks_wander, gone, from, days, seed)
}

/// The same, with a busy season or without.
fn business_of(busy: bool, weeks_wander: f64, gone: f64, from: i32, days: i32, seed: u64) -> History {
    let mut random = SplitMix(seed);
    let wander: Vec<f64> =
        (0..=days / 7).map(|_| (weeks_wander * random.normal() - weeks_wander).exp().min(1.0)).collect();
    let mut rows = Vec::new();
    for customer in 0..500 {
        let (every, mut at) = (5.0 + 20.0 * random.uniform(), 0.4 * f64::from(days) * random.uniform());
        while at < f64::from(days) {
            let on = at as i32;
            let left = if on >= from { 1.0 - gone } else { 1.0 };
            let season = if busy && on.rem_euclid(364) > 320 { 1.0 } else { 0.7 };
            if random.uniform() < wander[(on / 7) as usize] * left * season {
                rows.push((customer, on, 0));
            }
            at += -every * (1.0 - random.uniform()).ln();
        }
    }
    history(&rows, days)
}

fn business_verdict(history: &History) -> Option<(BusinessVerdict, i32, f64)> {
    let found = Drops::params().with_permutations(99).find(history, history.observed_until()).unwrap();
    assert!(found.rows.is_empty());
    found.business.map(|drop| (drop.verdict, drop.date.days_since(first_day()), drop.size))
}

#[test]
fn a_business_that_stops_or_falls_is_found_beside_earlier_years() {
    let (stopped, days) = (900, 1_092);
    for gone in [1.0, 0.5] {
        let (verdict, on, size) = business_verdict(&business(0.1, gone, stopped, days, 7)).unwrap();
        assert_eq!(verdict, BusinessVerdict::Dropped, "{gone}");
        assert!((on - stopped).abs() <= 14, "{gone}: {on}");
        assert!((size - gone).abs() < 0.15, "{gone}: {size}");
    }
}

#[test]
fn a_business_without_an_earlier_year_cannot_tell_a_fall_from_season() {
    let (verdict, on, size) = business_verdict(&business(0.1, 0.6, 420, 540, 8)).unwrap();
    assert_eq!(verdict, BusinessVerdict::CannotBeToldFromSeason);
    assert!((on - 420).abs() <= 14 && size > 0.4, "{on} {size}");
}

#[test]
fn weeks_that_go_up_and_down_are_no_fall_of_the_business() {
    for days in [540, 1_092] {
        // Chance .005 each.
        let told = (0..20).filter(|&seed| business_verdict(&business(0.3, 0.0, 0, days, seed)).is_some());
        assert!(told.count() <= 1, "{days} days");
    }
}

#[test]
#[ignore = "some hundred data sets, by hand"]
fn noise_is_rarely_a_fall_of_the_business() {
    let sets = data_sets(200);
    let mut wrong = Vec::new();
    for days in [540, 1_092] {
        // Where a year is missing, the end of the busy season is a fall, and said to be perhaps the season's; the
        // question here is what noise does, so that there is none.
        let busy = days > 2 * 364;
        let told = |wander: f64, gone: f64| {
            let is_told = |seed: u64| {
                business_verdict(&business_of(busy, wander, gone, days - 180, days, seed)).is_some()
            };
            each_data_set(sets, is_told).into_iter().filter(|&is_told| is_told).count()
        };
        let counts = [told(0.1, 0.0), told(0.3, 0.0), told(0.1, 0.4)];
        println!(
            "{days} days: nothing in steady weeks, in unsteady ones, a fall by 40 %: {counts:?} of {sets}"
        );
        let most = 3 * sets as usize;
        // How many true falls are found is told, and not demanded: see the known limits in ARCHITECTURE.md.
        if counts[0] * 100 > most || counts[1] * 100 > most {
            wrong.push((days, counts));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_business_is_looked_at_without_segment_columns() {
    let orders = business(0.1, 1.0, 900, 1_092, 9).to_frame().unwrap();
    let columns = Columns::new("customer_id", "purchased_on");
    let history = History::params(columns)
        .with_observed_at_least_until(first_day().plus_days(1_091))
        .from_frame(&orders)
        .unwrap();
    let found = Drops::params().find(&history, history.observed_until()).unwrap();
    assert_eq!(found.business.unwrap().verdict, BusinessVerdict::Dropped);
}

/// Peak resident bytes of this process since it was last asked, where the system tells.
fn peak_bytes() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let bytes: usize = line.trim().trim_end_matches(" kB").parse::<usize>().ok()? * 1_024;
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    Some(bytes)
}

#[test]
#[ignore = "sixty thousand customers, by hand"]
fn memory_does_not_grow_with_the_weeks() {
    for days in [350, 700] {
        let world = World { customers: 60_000, days, stores: 40, every: (15.0, 40.0), leaves: 0.2, ..PLAIN };
        let history = history(&log(&world, 1), days);
        let Some(_) = peak_bytes() else { return };
        let before = peak_bytes().unwrap();
        let found = Drops::params().with_permutations(99).find(&history, history.observed_until()).unwrap();
        let bytes = (peak_bytes().unwrap() - before) as f64 / found.regulars as f64;
        println!("{} weeks, {} regulars: {bytes:.0} bytes each", found.weeks, found.regulars);
        assert!(bytes < 700.0, "{bytes}");
    }
}
