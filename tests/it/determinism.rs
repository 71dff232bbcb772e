//! The same input gives the same bytes: in any order of rows, on any number of threads.

use std::process::Command;

use winback::{ChurnModel, Snapshots};

use crate::cli::example;
use crate::logs::{Order, SplitMix, bytes, frame, params, rhythmic, standard};
use crate::support::TempDir;

/// Everything from orders to scores, as bytes.
fn whole_way(orders: &[Order]) -> Vec<u8> {
    let history = params().from_frame(&frame(orders)).unwrap();
    let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let scores = model.score(&history, history.observed_until()).unwrap();
    let mut all = bytes(&snapshots.to_frame().unwrap());
    all.extend(model.to_json().unwrap().bytes());
    all.extend(bytes(&scores.to_frame().unwrap()));
    all
}

#[test]
fn shuffled_rows_give_the_same_bytes() {
    let mut orders = rhythmic(300, 500, 5);
    let sorted = whole_way(&orders);
    let mut random = SplitMix(9);
    for last in (1..orders.len()).rev() {
        orders.swap(last, random.next() as usize % (last + 1));
    }
    assert!(sorted == whole_way(&orders));
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    // Enough rows for several blocks of every kind.
    let orders = rhythmic(3_000, 500, 6);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| whole_way(&orders))
    };
    let one = on(1);
    assert!(one == on(2));
    assert!(one == on(16));
}

/// The whole road by the example binaries: what each writes and prints is the same on 1, 2 and 16 threads.
#[test]
fn programs_write_the_same_bytes_on_any_number_of_threads() {
    let folder = TempDir::new();
    let orders = concat!(env!("CARGO_MANIFEST_DIR"), "/data/simulated_orders.csv");
    folder.write(
        "offers.json",
        r#"[{"name": "ten-off", "channel": "email", "contact_cost": 0.05, "redeem_cost": {"fixed": 10},
             "effect": {"assumed": {"low": 0.0, "high": 0.08}}}]"#,
    );
    folder.write("reasons.csv", "customer_id,reason\nC0010,no longer needed\nC0011,price\nC0012,price\n");
    let reading = ["--orders", orders, "--segment-col", "store"];
    let all: [(&str, &[&str]); 5] = [
        ("train", &["--horizon-days", "60", "--model-out", "model.json"]),
        ("score", &["--model", "model.json", "--out", "scores.parquet"]),
        ("losses", &["--model", "model.json", "--reasons", "../reasons.csv", "--json", "losses.json"]),
        (
            "plan",
            &[
                "--model",
                "model.json",
                "--offers",
                "../offers.json",
                "--budget",
                "500",
                "--margin",
                "0.3",
                "--explore-fraction",
                "0.1",
                "--out",
                "plan.csv",
            ],
        ),
        (
            "report",
            &[
                "--model",
                "model.json",
                "--offers",
                "../offers.json",
                "--budget",
                "500",
                "--margin",
                "0.3",
                "--reasons",
                "../reasons.csv",
                "--out",
                "report.html",
            ],
        ),
    ];
    let on = |threads: &str| {
        let own = folder.path(threads);
        std::fs::create_dir(&own).unwrap();
        let mut said = Vec::new();
        for (name, arguments) in all {
            let output = Command::new(example(name))
                .args(reading)
                .args(arguments)
                .current_dir(&own)
                .env("RAYON_NUM_THREADS", threads)
                .env("POLARS_MAX_THREADS", threads)
                .output()
                .unwrap();
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{name} on {threads} threads: {words}");
            said.push((name.to_owned(), output.stdout, words.into_bytes()));
        }
        for file in ["model.json", "scores.parquet", "losses.json", "plan.csv", "report.html"] {
            said.push((file.to_owned(), std::fs::read(own.join(file)).unwrap(), Vec::new()));
        }
        said
    };
    let one = on("1");
    for threads in ["2", "16"] {
        for (first, other) in one.iter().zip(on(threads)) {
            assert!(*first == other, "{} differs on {threads} threads", first.0);
        }
    }
}
