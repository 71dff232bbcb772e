//! Loss after incidents, and whether changes helped.

use polars::prelude::*;
use winback::evidence::{Changes, IncidentKind, Incidents, ReasonsParams, TableParams};
use winback::history::InvalidRows;
use winback::losses::{ChangeVerdict, IncidentLosses, Systemic, Verdict, change_effects, preventions};
use winback::{Columns, Day, History};

use crate::logs::{SplitMix, day};

const HORIZON_DAYS: i32 = 60;

struct Log {
    history: History,
    /// Customer, day, kind.
    incidents: Vec<(i64, Day, &'static str)>,
}

fn first_day() -> Day {
    day("2023-01-01")
}

/// Customers buy about every two weeks. A late delivery sends one of two away, a complaint nobody. At store 0
/// customers leave fast until day 400, as elsewhere from then on.
fn log(customers: i64, seed: u64) -> Log {
    let mut random = SplitMix(seed);
    let (mut ids, mut days, mut stores, mut incidents) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for customer in 0..customers {
        let store = random.next() % 4;
        let mut at = 500.0 * random.uniform();
        while at < 600.0 {
            ids.push(customer);
            days.push(first_day().days_since_epoch() + at as i32);
            stores.push(format!("S{store}"));
            let on = first_day().plus_days(at as i32);
            if random.uniform() < 0.01 {
                incidents.push((customer, on, "complaint"));
            }
            let late = random.uniform() < 0.01;
            if late {
                incidents.push((customer, on, "Late delivery"));
            }
            let leaving = if store == 0 && at < 400.0 { 0.06 } else { 0.02 };
            if random.uniform() < if late { 0.5 } else { leaving } {
                break;
            }
            at += 1.0 - 13.0 * (1.0 - random.uniform()).ln();
        }
    }
    let amounts = vec![10.0; ids.len()];
    let frame = DataFrame::new_infer_height(vec![
        Column::new("customer".into(), ids),
        Int32Chunked::from_vec("day".into(), days).into_date().into_column(),
        Column::new("amount".into(), amounts),
        Column::new("store".into(), stores),
    ]);
    let columns = Columns::new("customer", "day").with_amount("amount").with_segments(["store"]);
    Log { history: History::params(columns).from_frame(&frame.unwrap()).unwrap(), incidents }
}

fn table(rows: &[(i64, Day, &str)]) -> DataFrame {
    let days: Vec<String> = rows.iter().map(|row| row.1.to_string()).collect();
    df![
        "customer_id" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "occurred_on" => days,
        "kind" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
    ]
    .unwrap()
}

#[test]
fn incidents_that_send_customers_away_are_found_and_others_not() {
    let Log { history, incidents } = log(2_400, 1);
    let incidents = Incidents::from_frame(&table(&incidents), &TableParams::default(), &history).unwrap();
    let until = history.observed_until();
    let found = IncidentLosses::find(&history, until, HORIZON_DAYS, &incidents).unwrap();
    let of = |kind: &str| found.rows.iter().find(|row| row.kind == kind).unwrap();
    assert_eq!(of("late_delivery").verdict, Verdict::Systemic, "{found}");
    assert!(of("late_delivery").low.unwrap() > 1.5, "{found}");
    assert_ne!(of("complaint").verdict, Verdict::Systemic, "{found}");
    assert!(found.rows.iter().all(|row| row.kind != "praise"));
    assert_eq!(found.to_frame().unwrap().height(), found.rows.len());

    let systemic = Systemic::params().with_horizon_days(HORIZON_DAYS).find(&history, until, None).unwrap();
    let list = preventions(Some(&systemic), Some(&found));
    assert!(list.iter().any(|one| one.what == "late_delivery"), "{list:?}");
    assert!(list.iter().any(|one| one.what == "store=S0"), "{list:?}\n{systemic}");
    assert!(list.is_sorted_by(|a, b| a.amount_per_year >= b.amount_per_year), "{list:?}");
}

#[test]
fn incidents_of_the_future_change_nothing() {
    let Log { history, incidents } = log(2_400, 2);
    let as_of = first_day().plus_days(400);
    let find = |rows: &[(i64, Day, &str)]| {
        let incidents = Incidents::from_frame(&table(rows), &TableParams::default(), &history).unwrap();
        IncidentLosses::find(&history, as_of, HORIZON_DAYS, &incidents).unwrap()
    };
    let known: Vec<_> = incidents.iter().copied().filter(|row| row.1 <= as_of).collect();
    assert_eq!(find(&incidents), find(&known));
}

#[test]
fn bad_incidents_are_all_listed() {
    let Log { history, .. } = log(2_400, 3);
    let rows = [
        (1, day("2024-05-01"), "fire"),
        (2, day("2022-05-01"), "complaint"),
        (99_999, day("2024-01-01"), "praise"),
    ];
    let read = |params: &TableParams| Incidents::from_frame(&table(&rows), params, &history);
    let error = read(&TableParams::default()).unwrap_err().to_string();
    assert!(error.contains("fire") && error.contains("2022-05-01"), "{error}");
    let kept = read(&TableParams::default().with_invalid_rows(InvalidRows::Drop)).unwrap();
    assert_eq!(kept.rows().iter().map(|row| row.kind).collect::<Vec<_>>(), [IncidentKind::Praise]);
    assert_eq!(kept.report().ids.as_ref().unwrap().unmatched[0].id, "99999");
}

#[test]
fn a_fix_that_worked_is_told_from_one_that_did_not() {
    let Log { history, .. } = log(8_000, 4);
    let table = df![
        "segment" => ["store", "store", "store"],
        "value" => ["S0", "S1", "S0"],
        "cause" => ["service failure", "", "price"],
        "changed_on" => [first_day().plus_days(400).to_string(), first_day().plus_days(400).to_string(), first_day().plus_days(590).to_string()],
        "what" => ["new manager", "new paint", "too late to tell"],
    ]
    .unwrap();
    let read = |table: &DataFrame| {
        Changes::from_frame(table, &TableParams::default(), &ReasonsParams::default(), &history)
    };
    let changes = read(&table).unwrap();
    let found = change_effects(&history, history.observed_until(), HORIZON_DAYS, &changes).unwrap();
    let verdicts: Vec<ChangeVerdict> = found.iter().map(|row| row.verdict).collect();
    let shown = found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!(
        verdicts,
        [ChangeVerdict::Worked, ChangeVerdict::NotShown, ChangeVerdict::NotObserved],
        "{shown}"
    );
    let bad = df!["segment" => ["shop", "store"], "value" => ["S0", "S9"], "changed_on" => ["2024-01-01", "2024-01-01"]];
    let error = read(&bad.unwrap()).unwrap_err().to_string();
    assert!(error.contains("shop") && error.contains("S9"), "{error}");
}
