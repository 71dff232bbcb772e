//! The plan program, as a data team runs it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use winback::winback::{Arm, Decision, PlanSheet};

use crate::cli::example;
use crate::support::TempDir;

const HEADER: &str = "customer_id,decision,offer,arm,stratum,campaign,planned_on,primary_outcome,measure_until,\
                      cost_amount,margin_fraction,predicted_return_probability,expected_profit_amount,cause,why,\
                      first_step,first_step_on";
const OFFERS: &str = r#"[
  {"name": "ten-off", "channel": "email", "contact_cost": 0.05, "redeem_cost": {"fixed": 10}, "capacity": 150,
   "effect": {"assumed": {"low": 0.0, "high": 0.08}}},
  {"name": "call", "channel": "phone", "money": false, "contact_cost": 2,
   "effect": {"measured": {"estimate": 0.07, "low": 0.03, "high": 0.11, "campaign": "spring"}}}]"#;

/// A log, a model of it, and offers; every file is made once.
struct World {
    folder: TempDir,
}

impl World {
    fn file(&self, name: &str) -> String {
        self.folder.path(name).to_str().unwrap().to_owned()
    }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = TempDir::new();
        let orders =
            fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/simulated_orders.csv"));
        // An id that a spreadsheet would run.
        folder.write("orders.csv", orders.unwrap().replace("C0003,", "=C0003,"));
        folder.write("offers.json", OFFERS);
        folder.write("suppress.csv", "customer_id,reason\nC0001,opted out\n=C0003,legal\n");
        let households: String = (4..=400).map(|id| format!("C{id:04},H{}\n", id / 2)).collect();
        folder.write("customers.csv", format!("customer_id,household_id\n{households}"));
        folder.write(
            "incidents.csv",
            "customer_id,occurred_on,kind,cost\nC0005,2023-06-01,abuse,\nC0006,2023-06-01,unpaid,400\n",
        );
        folder.write(
            "reasons.csv",
            "customer_id,reason\nC0010,no longer needed\nC0011,not the right fit\nC0012,too expensive\n",
        );
        let world = World { folder };
        let output = Command::new(example("train"))
            .args(["--orders", &world.file("orders.csv"), "--until", "2023-12-31", "--segment-col", "store"])
            .args(["--model-out", &world.file("model.json")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        world
    })
}

fn run(out: &str, threads: &str, more: &[&str]) -> Output {
    let world = world();
    let (model, orders, offers) =
        (world.file("model.json"), world.file("orders.csv"), world.file("offers.json"));
    let given = |option: &str| more.contains(&option);
    let mut arguments = vec!["--out", out];
    for (option, value) in [
        ("--model", model.as_str()),
        ("--orders", &orders),
        ("--offers", &offers),
        ("--budget", "300"),
        ("--margin", "0.4"),
        ("--as-of", "2023-12-31"),
    ] {
        if !given(option) {
            arguments.extend([option, value]);
        }
    }
    arguments.extend(more);
    Command::new(example("plan")).args(arguments).env("RAYON_NUM_THREADS", threads).output().unwrap()
}

#[track_caller]
fn run_well(out: &str, threads: &str, more: &[&str]) -> String {
    let output = run(out, threads, more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn check_refused(code: i32, more: &[&str], expected: &[&str]) {
    let out = world().file("refused.csv");
    let output = run(&out, "2", more);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty() && !fs::exists(&out).unwrap());
    for part in expected {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_plan_is_written_alike_however_often_and_by_however_many_threads() {
    let world = world();
    let files = [
        world.file("suppress.csv"),
        world.file("customers.csv"),
        world.file("incidents.csv"),
        world.file("reasons.csv"),
    ];
    let evidence = [
        "--suppress",
        &files[0],
        "--customers",
        &files[1],
        "--incidents",
        &files[2],
        "--reasons",
        &files[3],
        "--holdout-fraction",
        "0.3",
        "--explore-fraction",
        "0.2",
        "--seed",
        "7",
        "--campaign",
        "spring",
    ];
    let (one, two) = (world.file("one.csv"), world.file("two.csv"));
    let page = run_well(&one, "1", &evidence);
    assert_eq!(run_well(&two, "2", &evidence), page);
    let text = fs::read_to_string(&one).unwrap();
    assert_eq!(text, fs::read_to_string(&two).unwrap());
    assert_eq!(text.lines().next(), Some(HEADER));
    assert_eq!(text.lines().count(), 601);
    assert!(text.contains("\n'=C0003,Suppressed,"), "an id that a spreadsheet would run");
    for part in [
        "campaign `spring`",
        "the next 100 brings",
        "budget and profit:",
        "hold out",
        "is assumed",
        "by themselves",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }

    let sheet = PlanSheet::read(&one).unwrap();
    let row = |id: &str| sheet.rows().iter().find(|row| row.customer_id == id).unwrap();
    for (id, why) in [("C0001", "opted out"), ("=C0003", "legal")] {
        assert_eq!((row(id).decision, row(id).arm), (Decision::Suppressed, Arm::None));
        assert!(row(id).why.contains(why), "{}", row(id).why);
    }
    let planned = || sheet.rows().iter().filter(|row| row.arm != Arm::None);
    assert!(planned().count() > 50);
    assert!(
        planned().all(|row| row.offer.is_some() && row.cost_amount.is_some() && row.first_step_on.is_some())
    );
    assert!(planned().any(|row| row.arm == Arm::Holdout && row.cost_amount > Some(0.0)));
    assert!(planned().any(|row| row.stratum.as_ref().is_some_and(|name| name.ends_with("by lot"))));
    // Households are treated or held out together.
    let mut arms: BTreeMap<usize, Arm> = BTreeMap::new();
    for row in planned() {
        let id: usize = row.customer_id.trim_start_matches('C').parse().unwrap();
        if (4..=400).contains(&id) {
            assert_eq!(*arms.entry(id / 2).or_insert(row.arm), row.arm, "{}", row.customer_id);
        }
    }
    let treated = planned().filter(|row| row.arm == Arm::Treated);
    let cost: f64 = treated.filter_map(|row| row.cost_amount).sum();
    assert!(cost < 300.0, "{cost}");
    // No discount for who no longer needs it, and nothing yet for whom it did not fit.
    assert!(row("C0010").offer.as_deref() != Some("ten-off"));
    assert!(row("C0011").offer.is_none());
}

#[test]
fn a_second_plan_honours_the_arms_of_the_first() {
    let world = world();
    let (first, second) = (world.file("first.csv"), world.file("second.csv"));
    run_well(&first, "2", &["--holdout-fraction", "0.3", "--budget", "200"]);
    // Twice the money, and another seed: who has an arm keeps it, others may come in.
    let page = run_well(
        &second,
        "2",
        &["--holdout-fraction", "0.3", "--budget", "400", "--seed", "9", "--previous-plan", &first],
    );
    assert!(page.contains("keep their arms") && page.contains("of the budget is theirs"), "{page}");
    let (first, second) = (PlanSheet::read(first).unwrap(), PlanSheet::read(second).unwrap());
    let mut kept = 0;
    for (before, after) in first.rows().iter().zip(second.rows()) {
        assert_eq!(before.customer_id, after.customer_id);
        if before.arm != Arm::None {
            kept += 1;
            assert_eq!(
                (before.arm, &before.offer, before.first_step_on),
                (after.arm, &after.offer, after.first_step_on)
            );
            assert!(after.stratum.as_ref().unwrap().ends_with("drawn before"));
        }
    }
    let planned = second.rows().iter().filter(|row| row.arm != Arm::None).count();
    assert!(kept > 20 && planned > kept, "{kept} {planned}");
}

#[test]
fn every_refusal_has_a_sentence() {
    let world = world();
    check_refused(2, &["--budget", "-1"], &["budget is -1, expected an amount from 0 on"]);
    check_refused(2, &["--margin", "0"], &["margin is 0, expected a share, above 0 and at most 1"]);
    check_refused(2, &["--holdout-fraction", "1"], &["holdout fraction is 1, expected from 0 to below 1"]);
    check_refused(2, &["--explore-fraction", "1.5"], &["explore fraction is 1.5, expected 0 to 1"]);
    check_refused(2, &["--campaign", " "], &["campaign is empty, expected a name"]);
    check_refused(1, &["--offers", "nowhere.json"], &["nowhere.json: no such file"]);
    let write = |name: &str, text: &str| {
        let path = world.folder.write(name, text);
        path.to_str().unwrap().to_owned()
    };
    let faulty = write("faulty.json", r#"[{"name": "x", "chanel": "email"}]"#);
    check_refused(1, &["--offers", &faulty], &["key `chanel`", "offers[0].effect"]);
    let strangers = write("strangers.csv", "customer_id\nX1\nX2\n");
    check_refused(1, &["--suppress", &strangers], &["matches no customer of the log", "`=C0003`"]);
    let twice = write("twice.csv", "customer_id,persona\nC0001,a\nC0001,b\n");
    check_refused(1, &["--customers", &twice], &["customer id stands twice"]);
    let no_plan = write("no-plan.csv", "customer_id,decision\nC0001,Pursue\n");
    check_refused(1, &["--previous-plan", &no_plan], &["no column"]);
    check_refused(1, &["--as-of", "2019-01-01"], &["2019-01-01"]);
    let bare: String = fs::read_to_string(world.file("orders.csv"))
        .unwrap()
        .lines()
        .map(|line| line.split(',').take(2).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    let bare = write("bare.csv", &bare);
    check_refused(1, &["--orders", &bare], &["amount"]);
    let output = run(&world.file("plan.txt"), "2", &[]);
    assert_eq!(output.status.code(), Some(2));
    let output = run(&world.file("suppress.csv"), "2", &["--suppress", &world.file("suppress.csv")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is one of the inputs"));
}
