//! Systemic losses: what is planted is found.

use polars::prelude::*;
use winback::evidence::Cause;
use winback::losses::{Contracts, Drops, Systemic, Verdict, Whose};
use winback::{Day, History};

use crate::logs::{SplitMix, outside};
use crate::markets::{PLAIN, Row, World, first_day, history, log, shuffle};

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

#[test]
fn a_store_that_fails_lately_is_not_plainly_individual() {
    // Four years, in whose last half year a store loses its customers twelve times as fast.
    let failing = World { customers: 1_200, days: 1_460, failing: (12.0, 1_278), loyal: 0.95, ..PLAIN };
    let history = history(&log(&failing, 4), failing.days);
    let find = |horizon_days: i32| {
        let params = Systemic::params().with_horizon_days(horizon_days);
        params.find(&history, history.observed_until(), None).unwrap()
    };
    let found = find(120);
    println!("{found}");
    assert_eq!((found.landmarks.len(), found.recent_landmarks), (8, 2));
    let row = found.rows.iter().find(|row| row.value == "S0").unwrap();
    let recent = row.recent.as_ref().unwrap();
    assert!(recent.differs && recent.low.unwrap() > recent.lift_earlier.unwrap(), "{found}");
    assert_ne!(row.verdict, Verdict::Individual, "{found}");
    assert!(found.to_string().contains("recent loss differs"), "{found}");
    // Elsewhere nothing began lately; and whoever is Individual is so in both parts.
    for row in found.rows.iter().filter(|row| row.value != "S0") {
        let recent = row.recent.as_ref().unwrap();
        assert!(row.verdict != Verdict::Individual || recent.high.unwrap() < 1.25, "{found}");
        assert!(recent.verdict != Verdict::Systemic, "{found}");
    }
    // All exposed stand in one part or the other.
    assert!(recent.exposed + recent.lost > 0 && recent.exposed < row.exposed);
    let json = serde_json::to_value(row).unwrap();
    assert!(json["recent"]["lift"].is_number() && json["verdict"] != "Individual", "{json}");
    assert_eq!(found.to_frame().unwrap().column("recent_differs").unwrap().null_count(), 0);
}

#[test]
fn a_drop_stands_beside_the_losses_of_its_value() {
    use crate::markets::Fall;
    let fall = Fall { store: 0, from: 420, size: 0.6, days: 1_000, takes: 0 };
    let world = World { customers: 1_000, loyal: 0.9, leaves: 0.3, fall: Some(fall), ..PLAIN };
    let history = history(&log(&world, 2), world.days);
    let snapshots = winback::Snapshots::params(winback::FeatureSet::standard(60, &["store"]))
        .with_horizon_days(60)
        .build(&history)
        .unwrap();
    let model = winback::ChurnModel::params().fit(&snapshots).unwrap();
    let losses = winback::losses::Losses::params()
        .analyse(&history, &model, &winback::evidence::Evidence::default())
        .unwrap();
    let drop = losses.drops().rows.iter().find(|drop| drop.value == "S0").unwrap();
    let rows = &losses.systemic().unwrap().rows;
    let row = rows.iter().find(|row| row.value == "S0" && row.cause.is_none()).unwrap();
    assert_eq!(row.drop.unwrap().date, drop.date);
    assert_ne!(row.verdict, Verdict::Individual);
    assert!(rows.iter().filter(|row| row.value != "S0").all(|row| row.drop.is_none()));
    assert!(losses.to_string().contains(&format!("from {} on", drop.date)), "{losses}");
}
