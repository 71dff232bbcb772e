//! The losses program, as a data team runs it.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::cli::example;
use crate::support::TempDir;

fn run(arguments: &[&str]) -> Output {
    Command::new(example("losses")).args(arguments).output().unwrap()
}

#[track_caller]
fn run_well(arguments: &[&str]) -> (String, String) {
    let output = run(arguments);
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", said(&output.stderr));
    (said(&output.stdout), said(&output.stderr))
}

#[track_caller]
fn check_refused(arguments: &[&str], code: i32, expected: &[&str]) {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty());
    for part in expected {
        assert!(said.contains(part), "{part}: {said}");
    }
}

const ORDERS: &str = "data/simulated_orders.csv";
const LOG: [&str; 6] = ["--orders", ORDERS, "--segment-col", "store", "--as-of", "2023-12-31"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [LOG.as_slice(), more].concat()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[track_caller]
fn check_keys(value: &Value, expected: &[&str]) {
    let found = keys(value);
    for key in expected {
        assert!(found.contains(key), "no `{key}` in {found:?}");
    }
}

#[test]
fn losses_of_a_log_are_examined() {
    let folder = TempDir::new();
    // Every third customer of the log says something; one who is not in it, too.
    let customers: Vec<String> = (1..=600).step_by(3).map(|number| format!("C{number:04}")).collect();
    let mut reasons = "customer_id,reason,source\n".to_owned();
    for (place, customer) in customers.iter().enumerate() {
        let reason = ["too expensive", "late delivery", "X-4"][place % 3];
        reasons.push_str(&format!("{customer},{reason},survey\n"));
    }
    reasons.push_str("C9999,too expensive,survey\n");
    let reasons = folder.write("reasons.csv", reasons);
    let incidents =
        folder.write("incidents.csv", "customer_id,occurred_on,kind\nC0001,2022-12-01,late_delivery\n");
    let changes = folder
        .write("changes.csv", "segment,value,cause,changed_on,what\nstore,Mill Lane,,2023-03-01,new staff\n");
    let (json, ask) = (folder.path("losses.json"), folder.path("ask.csv"));
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (reasons, incidents, changes) = (path(&reasons), path(&incidents), path(&changes));
    let (json_text, ask_text) = (path(&json), path(&ask));
    let (page, said) = run_well(&with(&[
        "--reasons",
        &reasons,
        "--incidents",
        &incidents,
        "--changes",
        &changes,
        "--json",
        &json_text,
        "--ask-out",
        &ask_text,
        "--ask",
        "10",
    ]));
    let parts = [
        "WHO IS LOST",
        "other limits, tried on 4 days",
        "HOW MANY",
        "WHY",
        "IS IT US?",
        "INCIDENTS",
        "DID THE CHANGES HELP?",
        "WHO MAY FOLLOW",
    ];
    for part in parts {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("NaN"), "{page}");
    // What matched nobody and what is not mapped is said.
    assert!(said.contains("C9999") && said.contains("X-4"), "{said}");
    assert_eq!(fs::read_to_string(&ask).unwrap().lines().count(), 11);

    let told: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    check_keys(
        &told,
        &[
            "lapses",
            "tuning",
            "attrition",
            "statuses",
            "reasons",
            "systemic",
            "drops",
            "incidents",
            "followers",
            "inputs",
            "left_out",
        ],
    );
    check_keys(&told["reasons"][0], &["cause", "count", "share", "low", "high"]);
    let columns = [
        "segment", "value", "cause", "whose", "exposed", "lost", "expected", "lift", "low", "high", "q",
        "verdict",
    ];
    let systemic = told["systemic"].as_array().unwrap();
    assert_eq!(systemic.iter().filter(|row| row["cause"].is_null()).count(), 3, "one per store");
    systemic.iter().for_each(|row| check_keys(row, &columns));
    let followers = told["followers"].as_array().unwrap();
    assert!(followers.len() > 10);
    for row in followers {
        let columns =
            ["customer_id", "churn_probability", "at_stake_amount", "drivers", "exposed_to", "similar"];
        check_keys(row, &columns);
        assert_eq!(row["similar"].as_array().unwrap().len(), 3);
    }
    assert_eq!(told["inputs"]["reasons"]["ids"]["unmatched"][0]["id"], "C9999");
    assert_eq!(told["as_of"], "2023-12-31");
    check_keys(&told["tuning"], &["cutoffs", "rows", "recommended"]);
    check_keys(&told["lapses"], &["rule", "natural_return", "is_contradicted"]);
    assert_eq!(told["incidents"]["counts"]["rows"], 1);
}

#[test]
fn codes_of_the_business_are_mapped() {
    let folder = TempDir::new();
    let reasons = folder.write("reasons.csv", "customer_id,reason\nC0001,R-17\nC0002,R-18\n");
    let reasons = reasons.to_str().unwrap();
    let json = folder.path("losses.json");
    let more = [
        "--reasons",
        reasons,
        "--code",
        "r 17=service failure",
        "--json",
        json.to_str().unwrap(),
        "--lapse-days",
        "120",
    ];
    let (page, said) = run_well(&with(&more));
    assert!(said.contains("R-18") && !said.contains("R-17"), "{said}");
    assert!(page.contains("lapsed: 120 days without a purchase"), "{page}");
    let told: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(told["reasons_known"]["unmapped"].as_array().unwrap().len(), 1);
    check_refused(
        &with(&["--reasons", reasons, "--code", "R-17=weather"]),
        2,
        &["weather", "NoLongerNeeded"],
    );
    check_refused(&with(&["--reasons", reasons, "--code", "R-17"]), 2, &["WORD=CAUSE"]);
    check_refused(&with(&["--lapse-limit", "1.5"]), 2, &["lapse limit"]);
}

#[test]
fn rows_after_the_log_and_unknown_kinds_are_told() {
    let folder = TempDir::new();
    let late = "customer_id,occurred_on,kind,cost\nC0001,2022-12-01,late_delivery,3.5\nC0001,2031-12-01,complaint,\n";
    let late = folder.write("late.csv", late);
    let (page, said) = run_well(&with(&["--incidents", late.to_str().unwrap()]));
    assert!(said.contains("1 row after 2023-12-31 set aside"), "{said}");
    assert!(page.contains("of 2 incidents") && page.contains("1 after the day looked at"), "{page}");
    let odd = folder.write("odd.csv", "customer_id,occurred_on,kind\nC0001,2022-12-01,fire\n");
    let words = ["fire", "write one of service_failure, late_delivery, late_payment"];
    check_refused(&with(&["--incidents", odd.to_str().unwrap()]), 1, &words);
    let changes = folder
        .write("changes.csv", "segment,value,cause,changed_on,what\nstore,Mill Lane,,2031-03-01,new staff\n");
    let (_, said) = run_well(&with(&["--changes", changes.to_str().unwrap()]));
    assert!(said.contains("1 row after 2023-12-31 set aside"), "{said}");
    // What is hinted at are options that there are.
    let short = ["--orders", ORDERS, "--as-of", "2021-02-01"];
    check_refused(&short, 1, &["--horizon-days and --as-of"]);
    let fields = folder.write("fields.csv", "customer_id,why\nC0001,price\n");
    check_refused(
        &with(&["--reasons", fields.to_str().unwrap()]),
        1,
        &["no column `reason`", "that --help lists"],
    );
}

#[test]
fn customers_who_stand_twice_and_empty_values_are_told() {
    let folder = TempDir::new();
    let mut table = "id,lost,city\n".to_owned();
    for customer in 0..200 {
        let city = ["Aden", "Bonn", "Cork", ""][customer % 4];
        table.push_str(&format!("{customer},{},{city}\n", u8::from(customer % 5 == 0)));
    }
    table.push_str("7,1,Aden\n");
    let customers = folder.write("customers.csv", &table);
    let customers = customers.to_str().unwrap();
    let base = ["--customers", customers, "--lost-col", "lost", "--segment-col", "city"];
    let with_id = [&base[..], &["--id-col", "id"]].concat();
    check_refused(&with_id, 1, &["customer id stands twice", "row 201: `7, as in row 8`"]);
    let (page, said) = run_well(&[&with_id[..], &["--invalid-rows", "drop"]].concat());
    assert!(said.contains("50 rows have no value in `city`") && said.contains("stands twice"), "{said}");
    assert!(page.contains("40 of 200 customers are lost"), "{page}");
    // A column that is called customer_id is looked at without being named.
    let usual = folder.write("usual.csv", table.replacen("id,", "customer_id,", 1));
    let unnamed = ["--customers", usual.to_str().unwrap(), "--lost-col", "lost", "--segment-col", "city"];
    check_refused(&unnamed, 1, &["customer id stands twice", "row 201: `7, as in row 8`"]);
    // Without ids nobody can be told apart, and all count.
    let (page, _) = run_well(&base);
    assert!(page.contains("41 of 201 customers are lost"), "{page}");
}

#[test]
fn bad_tables_are_reported_in_full() {
    let folder = TempDir::new();
    let bad = "customer_id,reason,lost_on\nC0001,,2023-01-01\nC0002,price,1990-01-01\nC0003,price,soon\n";
    let bad = folder.write("reasons.csv", bad);
    let bad = bad.to_str().unwrap();
    let parts = ["reasons.csv", "row 1", "row 2", "row 3", "soon"];
    check_refused(&with(&["--reasons", bad]), 1, &parts);
    let (_, said) = run_well(&with(&["--reasons", bad, "--invalid-rows", "drop"]));
    assert!(said.contains("3 rows read") && said.contains("soon"), "{said}");
}

#[test]
fn losses_of_a_table_of_customers_are_examined() {
    let folder = TempDir::new();
    let mut table = "id,lost,reason,months,contract,city\n".to_owned();
    for customer in 0..1_200 {
        let city = ["Aden", "Bonn", "Cork", "Dax"][customer % 4];
        // In Cork two thirds are lost, most to a rival; elsewhere a fifth.
        let is_lost = if city == "Cork" { customer % 3 > 0 } else { customer % 5 == 0 };
        let reason = match (is_lost, city) {
            (false, _) => "",
            (true, "Cork") => "competitor",
            (true, _) => ["price", "service", "competitor"][customer % 3],
        };
        let lost = if is_lost { "Yes" } else { "no" };
        let contract = ["year", "month"][customer % 2];
        table.push_str(&format!("{customer},{lost},{reason},{},{contract},{city}\n", 1 + customer % 40));
    }
    let customers = folder.write("customers.csv", &table);
    let (customers, json) = (customers.to_str().unwrap(), folder.path("losses.json"));
    let arguments = [
        "--customers",
        customers,
        "--lost-col",
        "lost",
        "--reason-col",
        "reason",
        "--tenure-col",
        "months",
        "--id-col",
        "id",
        "--commitment-col",
        "contract",
        "--segment-col",
        "city",
        "--segment-col",
        "contract",
        "--json",
        json.to_str().unwrap(),
    ];
    let (page, _) = run_well(&arguments);
    assert!(page.contains("Cork") && page.contains("LEFT OUT"), "{page}");
    let told: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    check_keys(&told, &["attrition", "statuses", "reasons", "systemic", "drops", "followers"]);
    let rows = told["systemic"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["segment"] == "city"), "a commitment is never a finding");
    let cork: Vec<&Value> = rows.iter().filter(|row| row["verdict"] == "Systemic").collect();
    assert!(cork.iter().all(|row| row["value"] == "Cork" && row["whose"] == "Outside"), "{cork:?}");
    assert!(cork.iter().any(|row| row["cause"] == "Competitor"));

    let wrong = folder.write("wrong.csv", table.replacen(",no,", ",maybe,", 1));
    let wrong = wrong.to_str().unwrap();
    let arguments = ["--customers", wrong, "--lost-col", "lost", "--segment-col", "city"];
    check_refused(&arguments, 1, &["maybe", "wrong.csv"]);
}

#[test]
fn usage_is_refused_with_two() {
    check_refused(&[], 2, &["--orders"]);
    check_refused(&with(&["--model", "m.json", "--horizon-days", "60"]), 2, &["cannot be used with"]);
    check_refused(&with(&["--ask", "5"]), 2, &["--ask-out"]);
    check_refused(&["--customers", "c.csv", "--segment-col", "city"], 2, &["--lost-col"]);
    check_refused(&["--customers", "c.csv", "--lost-col", "lost"], 2, &["--segment-col"]);
    check_refused(&with(&["--customers", "c.csv", "--lost-col", "l"]), 2, &["cannot be used with"]);
    check_refused(&with(&["--reasons", "no-such.csv"]), 1, &["no-such.csv: no such file"]);
    check_refused(&with(&["--json", ORDERS]), 1, &["it is one of the inputs"]);
}

#[test]
fn a_day_long_after_the_log_and_rows_that_contradict_each_other_are_told() {
    let late = ["--orders", ORDERS, "--segment-col", "store", "--as-of", "2026-12-31"];
    check_refused(&late, 1, &["2026-12-31", "days after the last order, on 2023-12-30", "2024-03-29"]);
    let folder = TempDir::new();
    let rows = ["C0001,price,survey", "C0001,service failure,call", "C0001,price,survey"];
    let read = |order: [usize; 3]| {
        let text = order.map(|row| rows[row]).join("\n");
        let table = folder.write("reasons.csv", format!("customer_id,reason,source\n{text}\n"));
        let json = folder.path("losses.json");
        let (page, said) =
            run_well(&with(&["--reasons", table.to_str().unwrap(), "--json", json.to_str().unwrap()]));
        assert!(said.contains("1 row equals an earlier one in every column read; counted once"), "{said}");
        assert!(said.contains("`C0001`"), "{said}");
        (page, fs::read(&json).unwrap())
    };
    assert_eq!(read([0, 1, 2]), read([1, 2, 0]));
}

#[test]
fn one_date_format_serves_all_tables() {
    let folder = TempDir::new();
    let dotted = |text: &str| -> String {
        let day = |cell: &str| match cell.split('-').collect::<Vec<_>>()[..] {
            [year, month, day] if year.len() == 4 => format!("{day}.{month}.{year}"),
            _ => cell.to_owned(),
        };
        text.lines().map(|line| line.split(',').map(day).collect::<Vec<_>>().join(",") + "\n").collect()
    };
    let orders = folder.write("orders.csv", dotted(&fs::read_to_string(ORDERS).unwrap()));
    let reasons = folder.write("reasons.csv", "customer_id,reason,lost_on\nC0001,price,01.06.2023\n");
    let incidents =
        folder.write("incidents.csv", "customer_id,occurred_on,kind\nC0001,01.06.2023,complaint\n");
    let changes =
        folder.write("changes.csv", "segment,value,cause,changed_on,what\nstore,Station,,01.06.2023,paint\n");
    let iso = folder.write("iso.csv", "customer_id,occurred_on,kind\nC0001,2023-06-01,complaint\n");
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (orders, reasons, incidents, changes, iso) =
        (path(&orders), path(&reasons), path(&incidents), path(&changes), path(&iso));
    let base =
        ["--orders", &orders, "--segment-col", "store", "--date-format", "%d.%m.%Y", "--reasons", &reasons];
    run_well(&[&base[..], &["--incidents", &incidents, "--changes", &changes]].concat());
    // A table that is written otherwise is named.
    check_refused(&[&base[..], &["--incidents", &iso]].concat(), 1, &["iso.csv", "2023-06-01", "%d.%m.%Y"]);
}
