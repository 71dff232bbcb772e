//! The example binary `sql`, as a data team runs it.

use std::fs;

use crate::cli::{example, folder, run, run_well};
use crate::logs::bundled;

const DIALECTS: [&str; 4] = ["duckdb", "spark", "datafusion", "postgres"];

fn printed(arguments: &[&str]) -> String {
    String::from_utf8(run_well(&example("sql"), arguments).stdout).unwrap()
}

#[test]
fn a_saved_model_is_printed_as_a_query_in_each_dialect() {
    let folder = folder("sql");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (orders, model) = (bundled().to_str().unwrap().to_owned(), file("model.json"));
    let log = ["--orders", &orders, "--date-col", "timestamp", "--horizon-days", "60"];
    run_well(&example("train"), &[&log[..], &["--model-out", &model]].concat());
    for dialect in DIALECTS {
        let of = |more: &[&str]| {
            let base = ["--model", &model, "--dialect", dialect, "--table", "o'rders \"2024\""];
            printed(&[&base[..], more].concat())
        };
        let quoted = match dialect {
            "spark" => "FROM `o'rders \"2024\"`",
            _ => "FROM \"o'rders \"\"2024\"\"\"",
        };
        let last = of(&[]);
        assert!(last.contains(quoted), "{dialect}");
        assert!(last.contains("SELECT max(on_day) AS cutoff"), "{dialect}");
        assert!(last.contains("AS churn_probability\nFROM scored"), "{dialect}");
        assert_eq!(of(&[]), last, "the same query every time");
        let then = of(&["--as-of", "2011-09-30", "--customer-col", "select"]);
        assert!(then.contains("DATE '2011-09-30'"), "{dialect}");
        let column = if dialect == "spark" { "`select`" } else { "\"select\"" };
        assert!(then.contains(&format!("SELECT {column} AS customer_id")), "{dialect}");
        assert!(!then.contains("shift"), "the season of a known day is a number");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_panel_is_printed_with_its_label_and_sample() {
    for dialect in DIALECTS {
        let panel = [
            "--panel",
            "--horizon-days",
            "60",
            "--lead-days",
            "7",
            "--cutoffs",
            "2011-05-01,2011-07-15",
            "--dialect",
            dialect,
            "--schema",
            "shop",
            "--table",
            "orders",
            "--amount-col",
            "amount",
        ];
        let whole = printed(&panel);
        let schema = if dialect == "spark" { "FROM `shop`.`orders`" } else { "FROM \"shop\".\"orders\"" };
        assert!(whole.contains(schema) && whole.contains("churned"), "{dialect}");
        assert!(whole.contains("2011-05-01") && whole.contains("2011-07-15"), "{dialect}");
        assert!(!whole.contains("winback-sample-1:"));
        let sample = printed(&[&panel[..], &["--sample-fraction", "0.1"]].concat());
        assert!(sample.contains("winback-sample-1:"), "{dialect}");
    }
}

#[test]
fn a_query_that_cannot_be_written_is_refused() {
    let refused = |arguments: &[&str], code: i32, expected: &str| {
        let output = run(&example("sql"), arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(output.stdout.is_empty());
        assert!(said.contains(expected), "{said}");
    };
    let panel = ["--panel", "--cutoffs", "2011-05-01", "--dialect", "duckdb", "--table"];
    refused(&[&panel[..], &["scored"]].concat(), 2, "another name than those of the query's own parts");
    refused(&[&panel[..], &["t", "--sample-fraction", "2"]].concat(), 2, "above 0 and at most 1");
    refused(&["--panel", "--dialect", "duckdb", "--table", "t"], 2, "--cutoffs");
    refused(&["--dialect", "duckdb", "--table", "t"], 2, "--model");
    refused(&["--model", "no-such.json", "--dialect", "oracle", "--table", "t"], 2, "oracle");
}
