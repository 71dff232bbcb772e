//! Reasons, incidents and changes that contradict or repeat themselves: told, and never settled by the order of rows.

use polars::prelude::*;
use winback::error::Notice;
use winback::evidence::{Cause, Changes, Evidence, Incidents, Reasons, ReasonsParams, TableParams};
use winback::history::InvalidRows;
use winback::losses::{
    AskParams, IncidentLosses, LapseRule, Lapses, Losses, ReasonShares, Verdict, preventions, reason_shares,
};
use winback::{ChurnModel, Columns, Error, FeatureSet, History, Snapshots};

use crate::logs::{SplitMix, day};
use crate::markets::shuffle;

/// Ten customers who bought once, and are all lost, and one who still buys.
fn log() -> (History, Lapses) {
    let mut ids: Vec<String> = (0..10).map(|number| format!("c{number}")).collect();
    let mut days = vec!["2023-01-01"; 10];
    ids.push("here".to_owned());
    days.push("2024-06-01");
    let frame = df!["customer_id" => ids, "ordered_on" => days].unwrap();
    let columns = Columns::new("customer_id", "ordered_on").with_segments([""; 0]);
    let history = History::params(columns).from_frame(&frame).unwrap();
    let lapses = LapseRule::fixed(100).find(&history, history.observed_until()).unwrap();
    assert_eq!(lapses.lapsed(), 10);
    (history, lapses)
}

/// Customer, reason, source, day, chance of being asked.
type Row = (&'static str, &'static str, Option<&'static str>, Option<&'static str>, Option<f64>);

fn read(rows: &[Row], history: &History) -> Reasons {
    let table = df![
        "customer_id" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "reason" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "source" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "lost_on" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "inclusion_probability" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
    ];
    Reasons::params().from_frame(&table.unwrap(), history).unwrap()
}

fn of(shares: &ReasonShares, cause: Cause) -> (usize, f64, f64, f64) {
    let row = shares.causes.iter().find(|row| row.cause == cause).unwrap();
    (row.count, row.share, row.low, row.high)
}

#[test]
fn two_rows_that_differ_settle_nothing_in_either_order() {
    let (history, lapses) = log();
    let price: Row = ("c1", "price", None, None, None);
    let service: Row = ("c1", "service failure", None, None, None);
    for rows in [[price, service], [service, price]] {
        let reasons = read(&rows, &history);
        assert_eq!(reasons.causes(&history)[1], Some(Cause::Unknown));
        let shares = reason_shares(&history, &lapses, &reasons);
        assert_eq!((shares.lost, shares.known), (10, 0));
        // Nine of ten say nothing: each cause may be theirs, and the tenth's where that named it.
        assert_eq!(of(&shares, Cause::Price), (0, 0.0, 0.0, 1.0));
        assert_eq!(of(&shares, Cause::ServiceFailure), (0, 0.0, 0.0, 1.0));
        assert_eq!(of(&shares, Cause::Competitor), (0, 0.0, 0.0, 0.9));
        assert_eq!(of(&shares, Cause::Unknown), (10, 1.0, 0.9, 1.0));
        let told = &shares.contradictions;
        assert_eq!((told.of, told.customers, told.unsettled, told.share), (1, 1, 1, 1.0));
        assert_eq!(told.examples, ["c1"]);
        let page = shares.to_string();
        assert!(
            page.contains("of 1 customer with a stated cause, 1 (100 %) named different ones: `c1`"),
            "{page}"
        );
        assert!(reasons.to_string().contains("named different ones: `c1`"), "{reasons}");
        // Who contradicts themselves evenly is asked.
        let asked = AskParams::default().choose(&history, &lapses, Some(&reasons)).unwrap();
        assert_eq!(asked.of, 10);
    }
}

#[test]
fn what_is_settled_stays_in_doubt_at_worst() {
    let (history, lapses) = log();
    let rows: [Row; 6] = [
        ("c1", "price", Some("survey"), None, None),
        ("c1", "price", Some("call"), None, None),
        ("c1", "service failure", Some("staff"), None, None),
        ("c2", "price", None, Some("2023-02-01"), None),
        ("c2", "competitor", None, Some("2023-03-01"), None),
        ("c3", "price", None, None, None),
    ];
    let shares = reason_shares(&history, &lapses, &read(&rows, &history));
    assert_eq!((shares.known, shares.contradictions.customers, shares.contradictions.unsettled), (3, 2, 0));
    // Two of them by most statements and alone; seven say nothing, and c2 named it too.
    let (count, share, low, high) = of(&shares, Cause::Price);
    assert_eq!((count, low, high), (2, 0.1, 1.0));
    assert!((share - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(of(&shares, Cause::Competitor), (1, 1.0 / 3.0, 0.0, 0.8));
    assert_eq!(of(&shares, Cause::ServiceFailure), (0, 0.0, 0.0, 0.8));
    assert_eq!(of(&shares, Cause::Unknown), (7, 0.7, 0.7, 0.9));
}

#[test]
fn identical_rows_count_once() {
    let (history, _) = log();
    let price: Row = ("c1", "price", Some("survey"), None, None);
    let service: Row = ("c1", "service failure", Some("call"), None, None);
    let reasons = read(&[price, service, price, price], &history);
    assert_eq!((reasons.rows().len(), reasons.causes(&history)[1]), (2, Some(Cause::Unknown)));
    let notices = &reasons.report().input.notices;
    assert!(notices.contains(&Notice::RepeatedRows { rows: 2 }), "{notices:?}");
    assert!(reasons.to_string().contains("2 rows equal an earlier one in every column read; counted once"));
}

#[test]
fn the_order_of_rows_does_not_show() {
    let (history, lapses) = log();
    let mut rows: Vec<Row> = Vec::new();
    let mut random = SplitMix(5);
    let ids = ["c0", "c1", "c2", "c3", "c4", "c5", "here"];
    let codes = ["price", "service failure", "competitor", "X-1", "X-2"];
    let mut pick = |of: usize| (random.next() % of as u64) as usize;
    for _ in 0..60 {
        rows.push((
            ids[pick(7)],
            codes[pick(5)],
            [None, Some("survey"), Some("call")][pick(3)],
            [None, Some("2024-02-01"), Some("2024-06-01")][if pick(4) == 0 { 1 + pick(2) } else { 0 }],
            [None, Some(0.5), Some(0.2)][pick(3)],
        ));
    }
    let rows: Vec<Row> =
        rows.into_iter().filter(|row| row.0 != "here" || row.3 != Some("2024-02-01")).collect();
    let all = |rows: &[Row]| {
        let reasons = read(rows, &history);
        let shares = reason_shares(&history, &lapses, &reasons);
        let json = serde_json::to_string(&shares).unwrap();
        let told = (reasons.contradictions(), reasons.misreporting(), reasons.unmapped().to_vec());
        format!("{json}{shares}{:?}{:?}{reasons}", reasons.causes(&history), told)
    };
    let (first, mut changed) = (all(&rows), rows);
    assert!(first.contains("named different ones"), "{first}");
    let mut random = SplitMix(6);
    for _ in 0..20 {
        shuffle(&mut changed, &mut random);
        assert_eq!(all(&changed), first);
    }
}

#[test]
fn one_incident_told_twice_costs_once() {
    let (history, _) = log();
    let table = df![
        "customer_id" => ["c1", "c1", "c1", "c2"],
        "occurred_on" => ["2023-01-02", "2023-01-02", "2023-01-02", "2023-01-02"],
        "kind" => ["complaint", "Complaint", "late delivery", "complaint"],
        "cost" => [5.0, 5.0, 5.0, 7.0],
    ];
    let incidents = Incidents::from_frame(&table.unwrap(), &TableParams::default(), &history).unwrap();
    assert_eq!((incidents.rows().len(), incidents.repeated()), (3, 1));
    let found = IncidentLosses::find(&history, history.observed_until(), 60, &incidents).unwrap();
    assert_eq!((found.counts.rows, found.counts.repeated), (4, 1));
    let cost: f64 = found.rows.iter().filter(|row| !row.overlaps).filter_map(|row| row.cost_amount).sum();
    assert_eq!(cost, 17.0);
    let page = found.to_string();
    assert!(page.contains("1 told twice and counted once"), "{page}");
    // Both of c1's, on one day, are a second one too: said to be the same.
    assert!(found.rows.iter().any(|row| row.overlaps && row.kind == "two or more"), "{page}");
    assert!(page.contains("not to be added to those above"), "{page}");
    assert!(preventions(None, Some(&found)).is_empty());
    assert!(found.rows.iter().all(|row| row.verdict == Verdict::Insufficient));
}

#[test]
fn ids_of_dropped_rows_are_no_customers() {
    let (history, _) = log();
    let table = df![
        "customer_id" => ["c1", "c2", "c3", "x9", "x8"],
        "reason" => [Some("price"), None, Some("price"), None, Some("price")],
        "lost_on" => [None, None, Some("2020-01-01"), None, None],
    ];
    let dropping = TableParams::default().with_invalid_rows(InvalidRows::Drop);
    let reasons = Reasons::params().with_table(dropping).from_frame(&table.unwrap(), &history).unwrap();
    let ids = reasons.report().ids.as_ref().unwrap();
    assert_eq!((reasons.rows().len(), ids.matched), (2, 1));
    assert_eq!(ids.unmatched.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["x8"]);
    assert!(reasons.to_string().contains("1 customer is in the log, 1 is not: `x8`"), "{reasons}");
}

#[test]
fn changes_outside_the_log_are_told_and_unknown_values_named_with_the_nearest() {
    let frame = df!["customer" => [1, 2, 3], "day" => ["2023-01-01", "2023-05-01", "2023-09-01"],
        "store" => ["Harbour", "Mill Lane", "Station"]];
    let columns = Columns::new("customer", "day").with_segments(["store"]);
    let history = History::params(columns).from_frame(&frame.unwrap()).unwrap();
    let read = |value: &str, on: &str| {
        let table = df!["segment" => ["store"], "value" => [value], "changed_on" => [on]].unwrap();
        Changes::from_frame(&table, &TableParams::default(), &ReasonsParams::default(), &history)
    };
    let early = read("Harbour", "2022-12-31").unwrap().report().to_string();
    assert!(early.contains("1 row before 2023-01-01, the log's first day"), "{early}");
    let late = read("Harbour", "2023-09-02").unwrap().report().to_string();
    assert!(late.contains("1 row after 2023-09-01"), "{late}");
    let error = read("mil lane", "2023-05-01").unwrap_err().to_string();
    assert!(error.contains("`mil lane`") && error.contains("write one of Mill Lane, "), "{error}");
}

#[test]
fn a_day_long_after_the_last_order_is_refused() {
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount").with_segments(["store"]);
    let read = |params: &dyn Fn(winback::history::HistoryParams) -> winback::history::HistoryParams| {
        params(History::params(columns.clone())).read_csv(["data/simulated_orders.csv"]).unwrap()
    };
    let history = read(&|params| params);
    let last = history.last_order();
    let snapshots = Snapshots::params(FeatureSet::standard(90, &["store"]))
        .with_horizon_days(90)
        .build(&history)
        .unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    assert!(history.check_silence(last.plus_days(90), 90).is_ok());
    let late = last.plus_days(91);
    let declared = read(&|params| params.with_observed_until(late));
    let error = Losses::params().analyse(&declared, &model, &Evidence::default()).unwrap_err();
    assert!(matches!(error, Error::SilentSince { as_of, .. } if as_of == late));
    let said = error.to_string();
    for part in
        [late.to_string(), last.to_string(), last.plus_days(90).to_string(), "bring the orders".to_owned()]
    {
        assert!(said.contains(&part), "{part}: {said}");
    }
    assert!(day("2023-01-01") < last);
}
