//! Who is lost, how many, and why: against worlds whose truth is known, published numbers, and odd logs.

use polars::prelude::*;
use winback::btyd::Summary;
use winback::evidence::{Cause, Reasons};
use winback::losses::{
    AskParams, Change, ChosenBy, LapseRule, Status, attrition, contrast, profiles, reason_shares, shares,
};
use winback::{Columns, Day, Error, History};

use crate::logs::SplitMix;
use crate::support::{day, orders};

fn log(rows: &[(&str, &str, f64)]) -> History {
    let table = df![
        "customer_id" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "ordered_on" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "amount" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
    ];
    orders().from_frame(&table.unwrap()).unwrap()
}

/// Customers who buy at a rate of their own, Gamma(2, 60 days), and leave after each purchase with a chance of
/// their own, Beta(1, 3): their purchases, and the day they left after, where they did.
struct World {
    history: History,
    left: Vec<bool>,
    ends: i32,
}

fn world(customers: usize, seed: u64) -> World {
    let mut random = SplitMix(seed);
    let ends = 1_000;
    let start = day("2020-01-01");
    let (mut ids, mut days, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let exponential = |random: &mut SplitMix| -(1.0 - random.uniform()).ln();
    for customer in 0..customers {
        let rate = (exponential(&mut random) + exponential(&mut random)) / 60.0;
        // The least of three uniforms is Beta(1, 3).
        let leaves = (0..3).map(|_| random.uniform()).fold(1.0, f64::min);
        let mut at = 600.0 * random.uniform();
        loop {
            if at as i32 > ends {
                left.push(false);
                break;
            }
            ids.push(customer as i64);
            days.push(start.plus_days(at as i32).to_string());
            if random.uniform() < leaves {
                left.push(true);
                break;
            }
            at += exponential(&mut random) / rate;
        }
    }
    let table = df!["customer_id" => ids, "ordered_on" => days].unwrap();
    let until = start.plus_days(ends);
    let columns = Columns::new("customer_id", "ordered_on");
    let history = History::params(columns).with_observed_until(until).from_frame(&table).unwrap();
    World { history, left, ends }
}

#[test]
fn the_lost_of_a_simulated_world_have_left() {
    let World { history, left, .. } = world(4_000, 11);
    let lapses = LapseRule::default().find(&history, history.observed_until()).unwrap();
    let called: Vec<bool> = lapses.lives().iter().map(|life| life.lapsed_on.is_some()).collect();
    let of = |called_is: bool, left_is: bool| {
        called.iter().zip(&left).filter(|&(&called, &left)| (called, left) == (called_is, left_is)).count()
            as f64
    };
    let precision = of(true, true) / (of(true, true) + of(true, false));
    let recall = of(true, true) / (of(true, true) + of(false, true));
    assert!(precision > 0.9 && recall > 0.85, "{precision} {recall}");
    // On the day of the lapse the chance to buy in the next H days is just below the limit, and so at most as
    // many return; the others were nearer to 0 as one day makes a step.
    let returned = lapses.natural_return().unwrap();
    assert!(returned.share.high > 0.10 && returned.share.low < 0.15, "{}", returned.share);
    // r and α from first lives.
    let model = lapses.rhythm().model();
    assert!((1.5..2.7).contains(&model.r()) && (45.0..80.0).contains(&model.alpha()), "{}", lapses.rhythm());
}

#[test]
fn the_lapse_day_is_the_first_day_below_the_limit() {
    let World { history, .. } = world(300, 12);
    let rule = LapseRule::default();
    let lapses = rule.find(&history, history.observed_until()).unwrap();
    let model = lapses.rhythm().model();
    let purchases = history.to_frame().unwrap();
    let days =
        purchases.column("purchased_on").unwrap().as_materialized_series().to_physical_repr().into_owned();
    let ids: Vec<i64> = purchases.column("customer_id").unwrap().i64().unwrap().iter().flatten().collect();
    let days: Vec<i32> = days.i32().unwrap().iter().flatten().collect();
    let mut expected = Vec::new();
    let end = history.observed_until().days_since_epoch();
    for customer in ids.chunk_by(|one, other| one == other) {
        let from = ids.partition_point(|id| id < &customer[0]);
        let own = &days[from..from + customer.len()];
        let mut start = 0;
        for (at, &bought) in own.iter().enumerate() {
            let next = own.get(at + 1).copied();
            let lost = (bought + 1..next.unwrap_or(end + 1)).find(|today| {
                let span = f64::from(bought - own[start]);
                let summary = Summary::new((at - start) as f64, span, f64::from(today - own[start]));
                1.0 - model.p_no_purchase(summary, 90.0) < 0.15
            });
            if let Some(lost) = lost {
                expected.push((customer[0], lost, next));
                start = at + 1;
            }
        }
    }
    let frame = lapses.to_frame().unwrap();
    let ids = frame.column("customer_id").unwrap().i64().unwrap().clone();
    let found: Vec<(i64, i32, Option<i32>)> = ids
        .iter()
        .flatten()
        .zip(lapses.lapses())
        .map(|(id, lapse)| {
            (id, lapse.lapsed_on.days_since_epoch(), lapse.returned_on.map(Day::days_since_epoch))
        })
        .collect();
    assert_eq!(serde_json::to_value(&lapses).unwrap()["lapsed"], lapses.lapsed());
    let statuses = serde_json::to_value(lapses.statuses(&history)).unwrap();
    assert_eq!(statuses["statuses"][0], "Lapsed");
    assert_eq!(statuses["counts"][0], lapses.lapsed());
    assert!(found.len() > 100 && found.iter().any(|lapse| lapse.2.is_some()));
    assert_eq!(found, expected);
}

/// Everything said as of a day, as text.
fn said(history: &History, as_of: Day) -> String {
    let lapses = LapseRule::default().with_horizon_days(60).find(history, as_of).unwrap();
    let statuses = lapses.statuses(history);
    let asked = AskParams::default().with_seed(3).choose(history, &lapses, None).unwrap();
    format!(
        "{lapses}\n{}\n{statuses}\n{}\n{}\n{}\n{}\n{}",
        lapses.to_frame().unwrap(),
        statuses.to_frame().unwrap(),
        attrition(history, &lapses),
        profiles(history, &lapses).to_frame().unwrap(),
        // Of a log too short for it, why there is none.
        contrast(history, &lapses).map_or_else(|error| error.to_string(), |all| all.to_string()),
        asked.to_frame().unwrap()
    )
}

#[test]
fn orders_after_the_day_change_nothing() {
    let World { history, ends, .. } = world(400, 13);
    let as_of = history.observed_until().plus_days(-200);
    let frame = history.to_frame().unwrap();
    let cut = as_of.days_since_epoch();
    let days: Vec<i32> = frame
        .column("purchased_on")
        .unwrap()
        .as_materialized_series()
        .to_physical_repr()
        .i32()
        .unwrap()
        .iter()
        .flatten()
        .collect();
    let kept: Vec<bool> = days.iter().map(|&day| day <= cut).collect();
    let past = frame.filter(&BooleanChunked::new("kept".into(), kept)).unwrap();
    let mut changed = past.clone();
    let more = df![
        "customer_id" => (0..500_i64).collect::<Vec<_>>(),
        "purchased_on" => vec![as_of.plus_days(1).to_string(); 500],
    ];
    let more = more.unwrap().lazy().with_column(col("purchased_on").cast(DataType::Date)).collect().unwrap();
    changed.vstack_mut(&more).unwrap();
    let until = day("2020-01-01").plus_days(ends);
    let read = |frame: &DataFrame| {
        let columns = Columns::new("customer_id", "purchased_on");
        History::params(columns).with_observed_at_least_until(until).from_frame(frame).unwrap()
    };
    let expected = said(&read(&frame), as_of);
    assert!(expected.contains("came back"));
    assert_eq!(said(&read(&past), as_of), expected);
    assert_eq!(said(&read(&changed), as_of), expected);
}

#[test]
fn a_second_life_begins_anew() {
    let mut rows: Vec<(String, String)> = Vec::new();
    // Steady customers tell the rhythm; one pauses for two years.
    for customer in 0..60 {
        for visit in 0..(if customer < 40 { 30 } else { 1 }) {
            let bought = day("2020-01-01").plus_days(customer + 30 * visit);
            rows.push((format!("c{customer:02}"), bought.to_string()));
        }
    }
    for bought in ["2020-01-01", "2020-01-31", "2020-03-01", "2022-03-01"] {
        rows.push(("pause".to_owned(), bought.to_owned()));
    }
    let rows: Vec<(&str, &str, f64)> =
        rows.iter().map(|row| (row.0.as_str(), row.1.as_str(), 10.0)).collect();
    let history = log(&rows);
    let rule = LapseRule::fixed(180).with_horizon_days(90);
    let find = |as_of| rule.find(&history, as_of).unwrap();
    let at_end = find(day("2022-03-01"));
    let pause = at_end.lives().last().unwrap();
    assert_eq!((pause.lives, pause.purchases, pause.summary), (2, 4, Summary::new(0.0, 0.0, 0.0)));
    let lapse = at_end.lapses().last().unwrap();
    assert_eq!(lapse.lapsed_on, day("2020-03-01").plus_days(180));
    assert_eq!(lapse.returned_on, Some(day("2022-03-01")));
    let status = |as_of: &str| *find(day(as_of)).statuses(&history).statuses().last().unwrap();
    assert_eq!(status("2020-01-01"), Status::New);
    assert_eq!(status("2020-03-02"), Status::Active);
    assert_eq!(status("2020-08-27"), Status::Overdue);
    assert_eq!(status("2020-08-28"), Status::Lapsed);
    assert_eq!(status("2022-03-01"), Status::Returned);
}

#[test]
fn odd_logs_have_an_answer() {
    let logs = [
        vec![("a", "2024-01-01", 5.0)],
        vec![("a", "2024-01-01", 5.0), ("b", "2024-01-01", 0.0), ("c", "2024-01-01", -3.0)],
        (0..50).map(|_| ("one", "2024-01-01", 1.0)).collect(),
        vec![("a", "2023-01-01", 5.0), ("b", "2023-03-01", 6.0), ("c", "2024-06-01", 7.0)],
    ];
    for rows in logs {
        let history = log(&rows);
        let as_of = history.observed_until();
        let lapses = LapseRule::default().find(&history, as_of).unwrap();
        assert!(lapses.to_string().contains("a stated prior stands in"), "{lapses}");
        assert!(attrition(&history, &lapses).plain.is_none());
        said(&history, as_of);
        let before = LapseRule::default().find(&history, history.observed_from().plus_days(-1));
        assert!(matches!(before, Err(Error::BeforeFirstPurchase { .. })));
        let after = LapseRule::default().find(&history, as_of.plus_days(1));
        assert!(matches!(after, Err(Error::AfterObserved { .. })));
        assert!(
            LapseRule::default().find(&history, as_of).unwrap().statuses(&history).table().counts[4] <= 1
        );
    }
    // Who bought once can lapse, even where nobody bought twice.
    let rows: Vec<(String, String)> =
        (0..200).map(|i| (format!("c{i}"), day("2020-01-01").plus_days(i * 7).to_string())).collect();
    let history = log(&rows.iter().map(|row| (row.0.as_str(), row.1.as_str(), 1.0)).collect::<Vec<_>>());
    let lapses = LapseRule::default().find(&history, history.observed_until()).unwrap();
    assert!(lapses.lapsed() > 100, "{lapses}");
    let tuning = LapseRule::default().tune(&history).unwrap();
    assert_eq!(tuning.recommended, Some(0.4));
    for rule in [
        LapseRule::fixed(0),
        LapseRule::default().with_limit(1.0),
        LapseRule::default().with_overdue_level(0.0),
    ] {
        assert!(matches!(rule.find(&history, history.observed_until()), Err(Error::Parameter { .. })));
    }
}

/// The cohort of Fader and Hardie (2007), as a log: 1000, 631, 468, 382 and 326 of 1,000 are there in years 1
/// to 5, each who leaves being replaced by none.
#[test]
fn a_published_cohort_loses_less_every_year() {
    let mut rows: Vec<(String, String)> = Vec::new();
    for (year, there) in [1_000, 631, 468, 382, 326].into_iter().enumerate() {
        for customer in 0..there {
            rows.push((format!("c{customer:04}"), format!("{}-06-30", 2016 + year)));
        }
    }
    let rows: Vec<(&str, &str, f64)> =
        rows.iter().map(|row| (row.0.as_str(), row.1.as_str(), 10.0)).collect();
    let history = log(&rows);
    let shares: Vec<String> = ["2018-06-30", "2019-06-30", "2020-06-30"]
        .map(|as_of| {
            let lapses = LapseRule::fixed(400).find(&history, day(as_of)).unwrap();
            let plain = attrition(&history, &lapses).plain.unwrap();
            assert_eq!(plain.first_year.at_risk, 0);
            assert_eq!(plain.amount.map(|amount| amount / 10.0), Some(plain.customers as f64));
            format!("{} {} {:.2}", plain.customers, plain.lost, plain.share.estimate)
        })
        .to_vec();
    assert_eq!(shares, ["631 163 0.26", "468 86 0.18", "382 56 0.15"]);
    let too_early = LapseRule::fixed(400).find(&history, day("2017-06-30")).unwrap();
    let said = attrition(&history, &too_early);
    assert!(said.plain.is_none());
    assert_eq!(
        said.plain_missing.unwrap(),
        "the log covers 366 days up to 2017-06-30, and customers of one year who did not buy in the next take \
         730; it would have to begin on 2015-07-02, and begins on 2016-06-30"
    );
    // 37 % in the first year, by the curve: they lapse 400 days after their last purchase.
    let lapses = LapseRule::fixed(400).find(&history, day("2020-06-30")).unwrap();
    let cohort = &attrition(&history, &lapses).cohorts[0];
    assert!(cohort.is_left_truncated && !cohort.is_too_young);
    let kept: Vec<f64> = cohort.retention.iter().map(|point| point.kept.estimate).collect();
    assert!((kept[3] - 0.631).abs() < 1e-12 && (kept[4] - 0.468).abs() < 1e-12, "{kept:?}");
}

#[test]
fn shares_say_how_far_they_reach() {
    let mut lost = vec![(Some(Cause::Competitor), None); 30];
    lost.extend(vec![(Some(Cause::Price), Some(0.5)); 10]);
    lost.extend(vec![(Some(Cause::Unknown), None); 20]);
    lost.extend(vec![(None, None); 40]);
    let found = shares(&lost);
    assert_eq!((found.lost, found.known, found.sampled), (100, 40, 10));
    let first = &found.causes[0];
    assert_eq!((first.cause, first.count, first.share), (Cause::Competitor, 30, 0.75));
    assert_eq!((first.low, first.high), (0.3, 0.9));
    assert_eq!(found.causes[1].weighted.unwrap().estimate, 1.0);
    assert_eq!(found.causes.last().unwrap().cause, Cause::Unknown);
    assert!(found.to_string().starts_with("the cause is known of 40 of 100 lost customers (40 %)"));
    assert!(shares(&[]).to_string().contains("nothing can be said"));
    assert_eq!(found.to_frame().unwrap().height(), 7);
    let json = serde_json::to_value(&found).unwrap();
    for key in ["cause", "count", "share", "low", "high"] {
        assert!(json["causes"][0].get(key).is_some(), "{key}");
    }
    assert_eq!(json["causes"][0]["cause"], "Competitor");
}

#[test]
fn whom_to_ask_is_drawn_with_known_chances() {
    let World { history, .. } = world(600, 14);
    let lapses = LapseRule::default().find(&history, history.observed_until()).unwrap();
    let lost = lapses.lapsed();
    let choose = |seed| {
        let params = AskParams::default().with_customers(60).with_seed(seed);
        params.choose(&history, &lapses, None).unwrap()
    };
    let list = choose(1);
    assert_eq!((list.of, list.asked.len()), (lost, 60));
    // Without amounts all are drawn; weights add up to the lost.
    assert!(list.asked.iter().all(|asked| asked.chosen_by == ChosenBy::Random));
    let weights: f64 = list.asked.iter().map(|asked| 1.0 / asked.inclusion_probability).sum();
    assert!((weights - lost as f64).abs() < 1e-9);
    let same = |seed| list.to_frame().unwrap().equals_missing(&choose(seed).to_frame().unwrap());
    assert!(same(1) && !same(2));
    assert!(AskParams::default().with_customers(0).choose(&history, &lapses, None).is_err());
    // Who has told is not asked again, and what the drawn say is weighted.
    let ids = list.to_frame().unwrap();
    let table = df![
        "customer_id" => ids.column("customer_id").unwrap().i64().unwrap().clone(),
        "reason" => (0..60).map(|i| if i < 15 { "price" } else { "moved" }).collect::<Vec<_>>(),
        "inclusion_probability" => ids.column("inclusion_probability").unwrap().f64().unwrap().clone(),
    ];
    let reasons = Reasons::params().from_frame(&table.unwrap(), &history).unwrap();
    let shares = reason_shares(&history, &lapses, &reasons);
    assert_eq!((shares.lost, shares.known, shares.not_lost), (lost, 60, 0));
    let price = shares.causes.iter().find(|row| row.cause == Cause::Price).unwrap();
    assert!((price.weighted.unwrap().estimate - 0.25).abs() < 1e-12);
    let again =
        AskParams::default().with_customers(10_000).choose(&history, &lapses, Some(&reasons)).unwrap();
    assert_eq!((again.of, again.asked.len()), (lost - 60, lost - 60));
}

#[test]
fn what_changed_at_the_end_is_told() {
    let mut rows: Vec<(&str, String, f64)> = Vec::new();
    for visit in 0..8 {
        rows.push(("a", day("2023-01-01").plus_days(10 * visit).to_string(), 100.0));
        rows.push(("b", day("2023-01-01").plus_days(10 * visit).to_string(), 100.0));
    }
    for visit in 1..=3 {
        rows.push(("a", day("2023-03-12").plus_days(40 * visit).to_string(), 20.0));
        rows.push(("b", day("2023-03-12").plus_days(10 * visit).to_string(), 100.0));
    }
    rows.push(("a", "2023-07-20".to_owned(), -5.0));
    let rows: Vec<(&str, &str, f64)> = rows.iter().map(|row| (row.0, row.1.as_str(), row.2)).collect();
    let history = log(&rows);
    let lapses = LapseRule::default().find(&history, history.observed_until()).unwrap();
    let habits = profiles(&history, &lapses);
    let [a, b] = [0, 1].map(|at| habits.profiles()[at].clone());
    assert_eq!(a.changes, [Change::Fewer, Change::Smaller, Change::FirstRefund]);
    assert_eq!(b.changes, []);
    assert_eq!((b.basket_amount, b.basket_upper_amount, b.refund_fraction), (100.0, 100.0, 0.0));
    assert!(b.interval_low_days < b.usual_interval_days && b.usual_interval_days < b.interval_high_days);
    assert!((8.0..14.0).contains(&b.usual_interval_days), "{b}");
}

#[test]
fn the_silence_before_a_return_is_no_interval() {
    let mut rows: Vec<(&str, &str, f64)> = Vec::new();
    for bought in ["2021-01-01", "2021-01-31", "2021-03-02", "2021-04-01", "2021-05-01", "2021-05-31"] {
        rows.extend(["pause", "steady"].map(|id| (id, bought, 10.0)));
    }
    // One comes back after two years, and buys every 30 days as before.
    for bought in ["2023-06-01", "2023-07-01", "2023-07-31"] {
        rows.push(("pause", bought, 10.0));
    }
    let more = ["2021-06-30", "2021-07-30"];
    rows.extend(more.map(|bought| ("steady", bought, 10.0)));
    let history = log(&rows);
    let lapses = LapseRule::fixed(180).find(&history, history.observed_until()).unwrap();
    let habits = profiles(&history, &lapses);
    let [pause, steady] = [0, 1].map(|at| habits.profiles()[at].clone());
    // Both waited seven times for 30 days within their lives.
    assert_eq!((pause.n_purchases, steady.n_purchases), (9, 8));
    assert_eq!(pause.usual_interval_days, steady.usual_interval_days);
    assert_eq!(pause.changes, []);
}

#[test]
fn who_came_and_lapsed_within_a_period_is_told() {
    // Within a quarter one comes and is lost after 30 days; another one is there all the time.
    let mut rows: Vec<(String, String)> = Vec::new();
    for visit in 0..50 {
        rows.push(("a".to_owned(), day("2022-12-20").plus_days(10 * visit).to_string()));
    }
    rows.push(("b".to_owned(), "2023-04-05".to_owned()));
    rows.push(("b".to_owned(), "2023-05-20".to_owned()));
    let rows: Vec<(&str, &str, f64)> =
        rows.iter().map(|row| (row.0.as_str(), row.1.as_str(), 10.0)).collect();
    let history = log(&rows);
    let rule = LapseRule::fixed(30).with_horizon_days(30);
    let found = attrition(&history, &rule.find(&history, history.observed_until()).unwrap());
    let of = |name: &str| {
        let all = found.quarters.iter().chain(&found.months);
        all.clone().find(|period| period.period.name == name).unwrap()
    };
    let quarter = of("2023-Q2");
    assert_eq!((quarter.at_risk, quarter.lost, quarter.joined, quarter.came_and_lapsed), (1, 0, 1, 2));
    assert_eq!((of("2023-05").lost, of("2023-05").returned, of("2023-05").came_and_lapsed), (1, 1, 0));
    assert_eq!((of("2023-06").lost, of("2023-06").came_and_lapsed), (1, 0));
    assert!(found.cohorts.iter().flat_map(|cohort| &cohort.retention).all(|point| !point.is_by_rule));
}

#[test]
fn a_rule_that_the_log_contradicts_is_called_so() {
    // Of 702 who were lost at least 60 days ago, 19 % came back within 60 days, and the limit is 15 %.
    let history = crate::logs::retail_params().read_csv([crate::logs::bundled()]).unwrap();
    let rule = LapseRule::default().with_horizon_days(60);
    let lapses = rule.find(&history, history.observed_until()).unwrap();
    assert!(lapses.is_contradicted(), "{lapses}");
    assert!(lapses.to_string().contains("more than the 15 % that the rule allows"), "{lapses}");
    assert_eq!(serde_json::to_value(&lapses).unwrap()["is_contradicted"], true);
    assert!(!LapseRule::fixed(60).find(&history, history.observed_until()).unwrap().is_contradicted());
    // Limits are tried by what was known, and what stands in the way is told.
    let as_of = history.observed_until().plus_days(-100);
    let known = rule.tune_by(&history, as_of).unwrap();
    assert_eq!(known.cutoffs.last(), Some(&as_of.plus_days(-120)));
    assert_ne!(known, rule.tune(&history).unwrap());
    let after = rule.tune_by(&history, history.observed_until().plus_days(1));
    assert!(matches!(after, Err(Error::AfterObserved { .. })));
}

/// The CDNOW sample: two in three have lapsed, and as many come back as the limit says.
#[test]
fn the_cdnow_sample_lapses_as_published_fits_say() {
    let Some(path) = crate::logs::outside("cdnow_sample.csv") else { return };
    let columns = Columns::new("customer_id", "date").with_amount("amount");
    let history = History::params(columns).read_csv([path]).unwrap();
    let rule = LapseRule::default().with_horizon_days(273);
    let lapses = rule.find(&history, day("1997-09-30")).unwrap();
    let ids: Vec<bool> = lapses.lives().iter().map(|life| life.lapsed_on.is_some()).collect();
    let share = ids.iter().filter(|lost| **lost).count() as f64 / ids.len() as f64;
    assert!((0.6..0.72).contains(&share), "{share}");
    // Of those called lost, how many bought in the next 39 weeks?
    let later = rule.find(&history, history.observed_until()).unwrap();
    let (mut lost, mut back) = (0, 0);
    for (before, after) in lapses.lives().iter().zip(later.lives()) {
        lost += usize::from(before.lapsed_on.is_some());
        back += usize::from(before.lapsed_on.is_some() && after.purchases > before.purchases);
    }
    let back = f64::from(back as u32) / lost as f64;
    assert!((0.12..0.19).contains(&back), "{back}");
}
