//! The example binaries, as a data team runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use polars::prelude::*;

use crate::logs::{SplitMix, bundled};

const AS_OF: &str = "2011-09-30";

/// An example binary. `cargo test` builds it, `cargo test --test it` does not: a test that then passed would
/// have shown nothing, so it fails and says what to do.
#[track_caller]
pub fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --examples` first, or all of `cargo test`",
        path.display()
    );
    path
}

pub fn run(binary: &Path, arguments: &[&str]) -> Output {
    Command::new(binary).args(arguments).output().unwrap()
}

#[track_caller]
pub fn run_well(binary: &Path, arguments: &[&str]) -> Output {
    let output = run(binary, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("winback-cli-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The bundled log's lines, header first, and the day each shows.
fn lines() -> Vec<(String, String)> {
    let text = fs::read_to_string(bundled()).unwrap();
    text.lines()
        .map(|line| {
            let shown = line.split(',').nth(1).unwrap();
            (line.to_owned(), shown.get(..10).unwrap_or(shown).to_owned())
        })
        .collect()
}

fn is_past(day: &str) -> bool {
    day <= AS_OF || day == "timestamp"
}

#[test]
fn scores_as_of_a_day_do_not_depend_on_later_orders() {
    let (train, score) = (example("train"), example("score"));
    let folder = folder("as-of");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let whole = bundled().to_str().unwrap().to_owned();
    let lines = lines();
    let past: Vec<&str> =
        lines.iter().filter(|(_, day)| is_past(day)).map(|(line, _)| line.as_str()).collect();
    fs::write(file("cut.csv"), past.join("\n")).unwrap();
    let mut random = SplitMix(4);
    let mut garbage: Vec<String> = past.iter().map(|&line| line.to_owned()).collect();
    for _ in 0..5_000 {
        let (customer, day) = (random.next() % 20_000, 1 + random.next() % 28);
        let amount = random.uniform() * 2_000.0 - 500.0;
        garbage
            .push(format!("{customer},2012-0{}-{day:02} 10:00,0,{amount},1,1,1,false,Atlantis", 1 + day % 9));
    }
    fs::write(file("garbage.csv"), garbage.join("\n")).unwrap();

    let reading = ["--date-col", "timestamp", "--segment-col", "country"];
    let mut models = Vec::new();
    for (place, orders) in [&whole, &file("cut.csv"), &file("garbage.csv")].into_iter().enumerate() {
        let model = file(&format!("model{place}.json"));
        let mut arguments =
            vec!["--orders", orders, "--horizon-days", "60", "--until", AS_OF, "--model-out", &model];
        arguments.extend(reading);
        let output = run_well(&train, &arguments);
        assert!(output.stdout.is_empty());
        models.push(fs::read(&model).unwrap());
    }
    assert!(models.iter().all(|model| *model == models[0]));

    let mut scores = Vec::new();
    for (place, orders) in [&whole, &file("cut.csv"), &file("garbage.csv")].into_iter().enumerate() {
        let out = file(&format!("scores{place}.csv"));
        let model = file("model0.json");
        let output =
            run_well(&score, &["--model", &model, "--orders", orders, "--as-of", AS_OF, "--out", &out]);
        assert!(output.stdout.is_empty());
        scores.push(fs::read_to_string(&out).unwrap());
    }
    assert!(scores[0].starts_with(
        "customer_id,churn_probability,at_risk,days_since_last,driver_1,driver_2,driver_3,driver_1_log_odds,\
         driver_2_log_odds,driver_3_log_odds\n12347,"
    ));
    assert!(scores.iter().all(|one| *one == scores[0]));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn evaluation_is_written_as_json() {
    let evaluate = example("evaluate");
    let folder = folder("json");
    let json = folder.join("evaluation.json");
    let orders = bundled();
    let arguments = [
        "--orders",
        orders.to_str().unwrap(),
        "--date-col",
        "timestamp",
        "--horizon-days",
        "60",
        "--json",
        json.to_str().unwrap(),
    ];
    let output = run_well(&evaluate, &arguments);
    assert!(String::from_utf8_lossy(&output.stdout).contains("over recency alone"));
    let value: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    for group in ["all", "recent"] {
        for number in ["auc", "log_loss", "brier"] {
            assert!(value[group][number].is_number(), "{group} {number}");
        }
        assert_eq!(value[group]["gains"].as_array().unwrap().len(), 10);
        assert!(value[group]["gains"].as_array().unwrap().iter().all(|row| row["lift"].is_number()));
        for baseline in ["recency", "frequency", "overdue", "mbg_nbd"] {
            for number in ["auc", "log_loss"] {
                assert!(value[group]["baselines"][baseline][number].is_number(), "{group} {baseline}");
            }
        }
        for interval in ["auc_interval", "log_loss_interval", "brier_interval", "ece_interval"] {
            assert!(value[group][interval]["low"].as_f64() <= value[group][interval]["high"].as_f64());
        }
        assert!(value[group]["ece"].is_number() && value[group]["calibration"].is_array());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["a campaign, IF", "good:", "doubtful:", "do:", "of them to see what it really brings"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(value["profit"]["curve"].as_array().unwrap().len(), 101);
    assert!(value["profit"]["chosen_at"].as_str() < value["test_cutoffs"][0].as_str());
    assert!(value["profit"]["chosen"]["realised_amount"].is_number());
    assert_eq!((&value["verdict"], &value["model"]), (&"better".into(), &"logistic".into()));
    let backtest = value["backtest"].as_array().unwrap();
    assert!(backtest.len() > 3 && value["backtest_skipped"].as_array().unwrap().is_empty());
    for number in ["auc", "log_loss", "brier"] {
        assert_eq!(backtest.last().unwrap()[number], value["all"][number], "{number}");
    }
    assert_eq!(backtest.last().unwrap()["cutoff"], value["test_cutoffs"][0]);

    check_documented(&value);

    // A reader that stops before the table comes leaves the file whole.
    fs::remove_file(&json).unwrap();
    let mut child = Command::new(&evaluate)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    child.wait().expect("the program ends");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&fs::read(&json).unwrap()).unwrap(), value);
    fs::remove_dir_all(&folder).unwrap();
}

/// A stranger is told what a program takes, what it writes, and how it is called; and finds it in the README.
#[test]
fn every_program_says_how_it_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let mut programs = 0;
    for entry in fs::read_dir(root.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let said = run_well(&example(name), &["--help"]).stdout;
        let said = String::from_utf8(said).unwrap();
        let parts: &[&str] = match name {
            "quickstart" => &["no options, no files written"],
            _ => &["\nIn:  ", "\nOut: ", "\nExample: "],
        };
        for part in parts {
            assert!(said.contains(part), "{name} --help does not say{part}");
        }
        assert!(said.contains(name), "{name} --help does not show a call");
        assert!(readme.contains(&format!("--example {name}")), "the README does not run {name}");
        assert!(readme.contains(&format!("[`{name}`](#")), "the README's table lacks {name}");
        programs += 1;
    }
    assert_eq!(programs, 13);
}

/// The README names every key of an evaluation, and none that is not there.
fn check_documented(value: &serde_json::Value) {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("### What stands in the evaluation's JSON").nth(1).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let named: Vec<String> =
        quoted(section).iter().flat_map(|path| path.split('.')).map(|key| key.replace("[]", "")).collect();
    let mut rest = vec![value];
    while let Some(value) = rest.pop() {
        match value {
            serde_json::Value::Object(fields) => {
                for (key, value) in fields {
                    assert!(named.contains(key), "the README does not say what `{key}` is");
                    rest.push(value);
                }
            }
            serde_json::Value::Array(values) => rest.extend(values),
            _ => {}
        }
    }
    for path in section.lines().filter(|line| line.starts_with("| `")).flat_map(|line| {
        let first = line.split('|').nth(1).unwrap();
        quoted(first)
    }) {
        let found = path.split('.').try_fold(value, |value, key| match key.strip_suffix("[]") {
            Some(key) => value.get(key).filter(|value| value.is_array()),
            None => value.get(key),
        });
        assert!(found.is_some(), "the README names `{path}`, which is not there");
    }
}

/// 3, 20 or 100 customers, of whom all come weekly, or once each, or some stop.
#[test]
fn tiny_logs_go_the_whole_way() {
    let folder = folder("tiny");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (orders, model, out, json) =
        (file("orders.csv"), file("model.json"), file("scores.csv"), file("evaluation.json"));
    for customers in [3, 20, 100] {
        for kind in ["weekly", "once", "some stop"] {
            let mut text = "customer_id,ordered_on,amount\n".to_owned();
            for customer in 0..customers {
                let weeks = match kind {
                    "weekly" => 50,
                    "once" => 1,
                    _ => [50, 12, 30][customer % 3],
                };
                let start = if kind == "once" { 340 * customer / customers } else { customer % 7 };
                for week in 0..weeks {
                    let day =
                        winback::Day::parse_iso("2024-01-01").unwrap().plus_days((start + 7 * week) as i32);
                    text.push_str(&format!("{customer},{day},{}.5\n", 5 + customer % 4));
                }
            }
            fs::write(&orders, text).unwrap();
            let log = ["--orders", &orders, "--horizon-days", "30"];
            let with = |more: &[&'_ str]| {
                [log.to_vec(), more.to_vec()].concat().iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()
            };
            let go = |name: &str, arguments: Vec<String>| {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let output = run_well(&example(name), &arguments);
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said).into_owned();
                assert!(!said.contains("NaN") && !said.contains("inf"), "{customers} {kind}: {said}");
                said
            };
            let said = go("train", with(&["--model-out", &model]));
            if kind != "some stop" {
                assert!(said.contains("rhythm model") || said.contains("stated prior"), "{said}");
            }
            go("evaluate", with(&["--json", &json]));
            let told: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
            for simple in ["recency", "frequency", "overdue", "mbg_nbd"] {
                let log_loss = &told["all"]["baselines"][simple]["log_loss"];
                assert!(log_loss.is_number(), "{customers} {kind}: {simple} has {log_loss}");
            }
            go("value", with(&["--out", &out]));
            run_well(
                &example("score"),
                &["--model", &model, "--orders", &orders, "--out", &out, "--intervals"],
            );
            let scores = fs::read_to_string(&out).unwrap();
            assert_eq!(scores.lines().count(), customers + 1);
            for line in scores.lines().skip(1) {
                let p: f64 = line.split(',').nth(1).unwrap().parse().unwrap();
                assert!(p > 0.0 && p < 1.0, "{line}");
            }
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// Customers who buy every few days until they stop, `customers` of them over `days` days.
fn stopping(customers: i32, days: i32) -> String {
    let first = winback::Day::parse_iso("2024-01-01").unwrap();
    let mut text = "customer_id,ordered_on,amount\n".to_owned();
    for customer in 0..customers {
        let stops = 60 + customer * 37 % (days + 100);
        for day in (customer % 9..stops.min(days)).step_by((5 + customer % 13) as usize) {
            text.push_str(&format!("{customer},{},{}.5\n", first.plus_days(day), 5 + customer % 4));
        }
    }
    text
}

#[test]
fn what_a_feature_is_worth_is_told_or_why_not() {
    let folder = folder("ablate");
    let orders = folder.join("orders.csv");
    let orders_text = orders.to_str().unwrap();
    let log = ["--orders", orders_text, "--horizon-days", "30", "--cutoffs", "2"];
    fs::write(&orders, stopping(150, 330)).unwrap();
    let table = |more: &[&str]| {
        let output = run_well(&example("ablate"), &[log.as_slice(), more].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    let whole = table(&[]);
    assert!(whole.contains("| nothing | 0.") && whole.contains("| `n_purchases` |"), "{whole}");
    assert!(!whole.contains("NaN") && !whole.contains("left out alone"), "{whole}");
    let late = table(&["--first-cutoff", "2024-08-01"]);
    assert!(late.contains("| nothing |") && late != whole, "{late}");
    // Too little for columns: a sentence, and no table.
    fs::write(&orders, stopping(12, 330)).unwrap();
    for expected in ["is left out: too little to learn columns from", "error: no cutoff is left to test at"] {
        check_refused("ablate", &log, 1, expected);
    }
    fs::write(&orders, stopping(40, 30)).unwrap();
    check_refused("ablate", &log, 1, "error: ");
    fs::remove_dir_all(&folder).unwrap();
}

#[track_caller]
fn check_refused(name: &str, arguments: &[&str], code: i32, expected: &str) {
    let output = run(&example(name), arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.contains(expected), "{said}");
}

#[test]
fn refusals_say_why_and_exit_with_one_for_data_and_two_for_usage() {
    let orders = bundled().to_str().unwrap().to_owned();
    let out = std::env::temp_dir().join("winback-never-written.json").to_str().unwrap().to_owned();
    let train = |more: &[&str], code, expected: &str| {
        let mut arguments = vec!["--orders", &orders, "--model-out", &out];
        arguments.extend(more);
        check_refused("train", &arguments, code, expected);
    };
    train(&[], 1, "no column `ordered_on`; found `customer_id`, `timestamp`");
    train(&["--date-col", "timestamp", "--amount-col", "total"], 1, "no column `total`");
    train(&["--date-col", "timestamp", "--horizon-days", "0"], 2, "0 is not in 1..=9125");
    train(&["--date-col", "timestamp", "--until", "2011-13-01"], 2, "is not a date");
    train(&["--date-col", "timestamp", "--date-format", "%d.%m.%Y"], 1, "22190 rows: date cannot be read");
    train(
        &["--date-col", "timestamp", "--refunds", "reject"],
        1,
        "amount is negative and refunds are rejected",
    );
    train(&["--date-col", "timestamp", "--lead-days", "2147483647"], 2, "is not in 0..=36500");
    train(&["--date-col", "timestamp", "--date-format", "%Y-%#z"], 2, "date format is `%Y-%#z`");
    train(&["--separator", "ab"], 2, "expected one ASCII character");
    check_refused("train", &["--orders", "no-such-*.csv", "--model-out", &out], 1, "no such file");
    check_refused(
        "score",
        &["--model", "none.json", "--orders", &orders, "--out", "x.csv"],
        1,
        "none.json: no such file",
    );
    check_refused("score", &["--orders", &orders], 2, "--model");
    assert!(!Path::new(&out).exists());
}

#[test]
fn an_output_never_replaces_an_input() {
    let folder = folder("apart");
    let orders = folder.join("orders.csv");
    fs::write(&orders, "customer_id,ordered_on\n1,2024-01-01\n").unwrap();
    let orders = orders.to_str().unwrap();
    check_refused("train", &["--orders", orders, "--model-out", orders], 1, "it is one of the inputs");
    assert!(fs::read_to_string(orders).unwrap().starts_with("customer_id"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn amounts_that_only_some_files_have_are_not_dropped() {
    let folder = folder("some");
    let (with, without) = (folder.join("with.csv"), folder.join("without.csv"));
    fs::write(&with, "customer_id,ordered_on,amount\n1,2024-01-01,5\n").unwrap();
    fs::write(&without, "customer_id,ordered_on\n1,2024-01-02\n").unwrap();
    let out = folder.join("model.json");
    let (with, without, out) = (with.to_str().unwrap(), without.to_str().unwrap(), out.to_str().unwrap());
    check_refused(
        "train",
        &["--orders", with, without, "--model-out", out],
        1,
        "without.csv: no column `amount`",
    );
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_log_scored_from_disk_is_scored_as_in_memory() {
    let (train, score) = (example("train"), example("score"));
    let folder = folder("disk");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (model, orders) = (file("model.json"), file("orders.parquet"));
    let whole = bundled().to_str().unwrap().to_owned();
    let training = ["--orders", &whole, "--date-col", "timestamp", "--until", AS_OF, "--model-out", &model];
    run_well(&train, &training);
    let lines = lines();
    let field = |place: usize| lines[1..].iter().map(move |(line, _)| line.split(',').nth(place).unwrap());
    let mut frame = df![
        "customer_id" => field(0).collect::<Vec<_>>(),
        "timestamp" => field(1).collect::<Vec<_>>(),
        "amount" => field(3).map(|amount| amount.parse::<f64>().unwrap()).collect::<Vec<_>>(),
    ]
    .unwrap();
    ParquetWriter::new(fs::File::create(&orders).unwrap()).finish(&mut frame).unwrap();
    let (memory, disk) = (file("memory.parquet"), file("disk.parquet"));
    let scoring = ["--model", &model, "--orders", &orders, "--as-of", AS_OF];
    run_well(&score, &[scoring.as_slice(), &["--out", &memory]].concat());
    let scratch = file("");
    let on_disk = ["--out", &disk, "--temporary-folder", &scratch, "--memory-gib", "0.0002"];
    let output = run_well(&score, &[scoring.as_slice(), &on_disk].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("groups on disk"));
    let read = |path: &str| ParquetReader::new(fs::File::open(path).unwrap()).finish().unwrap();
    assert!(read(&disk).equals_missing(&read(&memory)));
    let left = fs::read_dir(&folder).unwrap().count();
    assert_eq!(left, 4, "model, orders and two tables of scores");

    let csv = ["--out", &disk, "--temporary-folder", &scratch];
    let refused = run(&score, &[["--model", &model, "--orders", &whole].as_slice(), &csv].concat());
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("write the log as Parquet first"));
    fs::remove_dir_all(&folder).unwrap();
}
