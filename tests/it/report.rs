//! A page that needs nothing else, and shows every text as text.

use std::fs;

use winback::evaluate::Trial;
use winback::evidence::Evidence;
use winback::history::HistoryParams;
use winback::losses::Losses;
use winback::report::{Report, calibration_svg, gains_svg, loss_rate_svg, retention_svg, steps_svg};
use winback::winback::{Offers, WinbackPlan};
use winback::{ChurnModel, Columns, Cutoffs, FeatureSet, History, Snapshots};

use crate::cli::{example, run, run_well};
use crate::support::TempDir;

const SIMULATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/simulated_orders.csv");
const HORIZON_DAYS: i32 = 60;

fn params() -> HistoryParams {
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount").with_segments(["store"]);
    History::params(columns)
}

#[test]
fn every_text_of_the_log_is_text_on_the_page() {
    let folder = TempDir::new();
    let log = fs::read_to_string(SIMULATED).unwrap();
    let hostile = log
        .replace("\nC0", "\n<script>alert(0)</script>C0")
        .replace("Station", "<img src=x onerror=alert(1)> & Co");
    let path = folder.write("orders.csv", hostile);
    let history = params().read_csv([path]).unwrap();

    let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &["store"]))
        .with_horizon_days(HORIZON_DAYS)
        .with_cutoffs(Cutoffs::rolling().at_most(4));
    let trial = Trial::params(snapshots, ChurnModel::params()).at_last(&history).unwrap();
    let evaluation = trial.model.evaluate(&trial.test).unwrap();
    let losses = Losses::params().analyse(&history, &trial.model, &Evidence::default()).unwrap();
    let scores = trial.model.score_with_intervals(&history, losses.as_of()).unwrap();
    let offers = r#"[{"name": "<script>ten</script>", "channel": "<img>", "contact_cost": 0.1,
                      "effect": {"assumed": {"low": 0.0, "high": 0.1}}}]"#;
    let plan = WinbackPlan::params(Offers::from_json(offers).unwrap(), 0.3)
        .with_budget_amount(50.0)
        .plan(&scores, &losses, &Evidence::default(), &history)
        .unwrap();
    let page = Report::new(&history, &trial.model, &evaluation, &losses)
        .with_plan(&plan)
        .with_title("<b>Losses</b> & \"more\"")
        .to_html()
        .unwrap();

    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>Losses"));
    assert!(
        page.contains("&#60;script&#62;alert(0)") || page.contains("&lt;script&gt;alert(0)"),
        "customers are named"
    );
    for told in [
        "What to do first",
        "Contact the ",
        "What is planned?",
        "First steps",
        "Whom first",
        "How many are lost?",
        "Is it us?",
        "Who may follow?",
        "Can the model be trusted?",
        "What was read?",
    ] {
        assert!(page.contains(told), "{told}");
    }
    // Nothing is fetched, and nothing runs.
    for fetched in ["http://", "https://", "src=", "@import", "url(", "javascript:"] {
        let own = page.replace("http://www.w3.org/2000/svg", "").replace("src=x", "");
        assert!(!own.contains(fetched), "{fetched}");
    }
    // Every figure has its description and its numbers.
    assert_eq!(page.matches("<svg ").count(), page.matches("role=\"img\" aria-label=").count());
    assert_eq!(page.matches("<figure>").count(), page.matches("<summary>The numbers</summary>").count());
    assert!(page.matches("<figure>").count() >= 4, "{}", page.matches("<figure>").count());

    let attrition = losses.attrition();
    for figure in [
        loss_rate_svg(attrition),
        retention_svg(attrition),
        gains_svg(&evaluation),
        calibration_svg(&evaluation),
        steps_svg(&trial.model),
    ] {
        let svg = figure.unwrap().expect("there is something to draw");
        assert!(page.contains(&svg), "the page shows what the function draws");
    }
}

#[test]
fn the_program_writes_one_page_and_refuses_to_overwrite_its_input() {
    let folder = TempDir::new();
    let out = folder.path("report.html");
    let binary = example("report");
    let told = ["--orders", SIMULATED, "--segment-col", "store", "--horizon-days", "60"];
    let arguments = [told.as_slice(), &["--title", "A shop", "--out", out.to_str().unwrap()]].concat();
    run_well(&binary, &arguments);
    let page = fs::read_to_string(&out).unwrap();
    assert!(
        page.starts_with("<!doctype html>")
            && page.contains("<h1>A shop</h1>")
            && page.ends_with("</html>\n")
    );

    let copy = folder.write("orders.csv", fs::read(SIMULATED).unwrap());
    let copy = copy.to_str().unwrap();
    let refused = run(&binary, &["--orders", copy, "--out", copy]);
    assert!(!refused.status.success());
    assert_eq!(fs::read(copy).unwrap(), fs::read(SIMULATED).unwrap());
}
