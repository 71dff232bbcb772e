//! What each reader's answer is good for: it is used as a user would, and has to be sound to the end.

use std::fmt::Display;
use std::path::Path;
use std::sync::OnceLock;

use polars::prelude::*;
use winback::campaign::{Experiment, Outcome, PlanOutcome};
use winback::error::InputReport;
use winback::evidence::{
    Changes, Contacts, CustomerTable, Evidence, Incidents, Reasons, Suppressions, TableParams,
};
use winback::history::{InvalidRows, Refunds};
use winback::losses::{Contracts, Losses};
use winback::value::Value;
use winback::winback::{Offers, PlanSheet, Returns, WinbackPlan};
use winback::{ChurnModel, Columns, Error, History, Scores, Snapshots};

use crate::logs::{SplitMix, history, rhythmic, standard};

type Outcomes = Result<(), Error>;

/// A small business whose own papers are in order.
pub struct World {
    pub history: History,
    /// The same until half a year before.
    earlier: History,
    pub model: ChurnModel,
    losses: Losses,
    scores: Scores,
    pub offers: Offers,
}

const DAYS: i32 = 500;
pub const OFFERS: &str = r#"[
  {"name": "ten-off", "channel": "email", "contact_cost": 0.05, "redeem_cost": {"fixed": 1}, "capacity": 50,
   "effect": {"assumed": {"low": 0.0, "high": 0.08}}},
  {"name": "call", "channel": "phone", "money": false, "contact_cost": 0.5, "causes": ["Price", "Competitor"],
   "effect": {"measured": {"estimate": 0.07, "low": 0.03, "high": 0.11, "campaign": "spring"}}}
]
"#;

impl World {
    pub fn shared() -> &'static World {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let orders = rhythmic(90, DAYS, 5);
            let past: Vec<_> = orders.iter().filter(|order| order.day < DAYS - 180).cloned().collect();
            let (history, earlier) = (history(&orders), history(&past));
            let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&earlier).unwrap();
            let model = ChurnModel::params().fit(&snapshots).unwrap();
            let losses = Losses::params().analyse(&earlier, &model, &Evidence::default()).unwrap();
            let scores = model.score_with_intervals(&earlier, losses.as_of()).unwrap();
            let offers = Offers::from_json(OFFERS).unwrap();
            World { history, earlier, model, losses, scores, offers }
        })
    }

    pub fn plan(&self, offers: Offers, evidence: &Evidence) -> winback::Result<WinbackPlan> {
        WinbackPlan::params(offers, 0.3).with_budget_amount(100.0).with_holdout_fraction(0.2).plan(
            &self.scores,
            &self.losses,
            evidence,
            &self.earlier,
        )
    }

    /// Now and then, what the losses are in the light of the evidence, and a plan.
    fn use_evidence(&self, evidence: &Evidence, random: &mut SplitMix) -> Outcomes {
        if random.next().is_multiple_of(6) {
            let losses = Losses::params().analyse(&self.earlier, &self.model, evidence)?;
            speaks(&losses);
            serde_json::to_string(&losses).unwrap();
            let plan = WinbackPlan::params(self.offers.clone(), 0.3).with_budget_amount(100.0);
            speaks(&plan.plan(&self.scores, &losses, evidence, &self.earlier)?);
        }
        Ok(())
    }
}

/// What is printed holds no number that is none.
fn speaks(value: &impl Display) {
    let text = value.to_string();
    let is_none = |word: &str| matches!(word, "NaN" | "inf" | "-inf" | "+inf" | "-NaN");
    let words = text.split(|letter: char| letter.is_whitespace() || "(),;:%".contains(letter));
    if let Some(word) = words.into_iter().find(|word| is_none(word)) {
        panic!("{word} is printed: {text}");
    }
}

/// Every float of a table is a number or null.
fn is_finite(frame: &DataFrame) {
    for column in frame.columns().iter().filter(|column| column.dtype() == &DataType::Float64) {
        let values = column.f64().unwrap();
        let found = values.iter().flatten().find(|value| !value.is_finite());
        assert!(found.is_none(), "{} holds {found:?}", column.name());
    }
}

fn adds_up(report: &InputReport) {
    assert_eq!(report.rows_kept + report.rows_dropped, report.rows_read, "{report}");
    speaks(report);
}

fn any<T: Copy>(random: &mut SplitMix, of: &[T]) -> T {
    of[(random.next() % of.len() as u64) as usize]
}

fn table(random: &mut SplitMix) -> TableParams {
    let table = TableParams::default()
        .with_invalid_rows(any(random, &[InvalidRows::Reject, InvalidRows::Drop, InvalidRows::Drop]))
        .with_separator(any(random, b",,,,,,;\t"))
        .with_decimal_comma(any(random, &[false, false, false, true]));
    match random.next() % 8 {
        0 => table.with_date_format(any(random, &["%d.%m.%Y", "%Y-%m-%d %H:%M", "%s", "%", "%Y"])),
        _ => table,
    }
}

fn orders(path: &Path, is_parquet: bool, random: &mut SplitMix) -> Outcomes {
    let columns = Columns::new("customer", "day");
    let columns = match random.next() % 4 {
        0 => columns,
        1 => columns.with_amount("amount"),
        _ => columns.with_amount("amount").with_discount("discount").with_segments(["store"]),
    };
    let mut params = History::params(columns)
        .with_invalid_rows(any(random, &[InvalidRows::Reject, InvalidRows::Drop, InvalidRows::Drop]))
        .with_refunds(any(random, &[Refunds::Net, Refunds::Drop, Refunds::Reject]))
        .with_decimal_comma(any(random, &[false, false, true]))
        .with_separator(any(random, b",,,,,,;\t"));
    if random.next().is_multiple_of(8) {
        params = params.with_date_format(any(random, &["%d.%m.%Y", "%Y-%m-%d %H:%M", "%s", "%", "%Y"]));
    }
    let history = match is_parquet {
        true => params.read_parquet([path])?,
        false => params.read_csv([path])?,
    };
    adds_up(history.report());
    is_finite(&history.to_frame()?);
    let segments: &[&str] = if history.segment_values("store").is_some() { &["store"] } else { &[] };
    let set = winback::FeatureSet::standard(60, segments);
    is_finite(&set.features_at(&history, history.observed_until())?);
    if random.next().is_multiple_of(3) {
        let snapshots = Snapshots::params(set).with_horizon_days(60).build(&history)?;
        is_finite(&snapshots.to_frame()?);
        let model = ChurnModel::params().fit(&snapshots)?;
        speaks(&model);
        let scores = model.score(&history, history.observed_until())?;
        is_finite(&scores.to_frame()?);
        let until = history.observed_until();
        is_finite(&Value::params().with_horizon_days(60).estimate(&history, until)?.to_frame()?);
    }
    Ok(())
}

pub fn orders_csv(_: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    orders(path, false, random)
}

pub fn orders_parquet(_: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    orders(path, true, random)
}

pub fn model(world: &World, path: &Path, _: &mut SplitMix) -> Outcomes {
    let model = ChurnModel::load(path)?;
    speaks(&model);
    let again = ChurnModel::from_json(&model.to_json()?)?;
    assert!(again == model, "what is saved again is another model");
    is_finite(&model.coefficients()?);
    let scores = model.score(&world.history, world.history.observed_until())?;
    let is_probability = |p: &f64| (0.0..=1.0).contains(p);
    assert!(scores.probabilities().iter().all(is_probability), "{:?}", scores.probabilities());
    speaks(&scores);
    is_finite(&scores.to_frame()?);
    is_finite(&model.score_with_intervals(&world.history, world.history.observed_until())?.to_frame()?);
    Ok(())
}

pub fn offers(world: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let offers = Offers::read(path)?;
    if random.next().is_multiple_of(2) {
        let plan = world.plan(offers, &Evidence::default())?;
        speaks(&plan);
        is_finite(&plan.sheet().to_frame()?);
    }
    Ok(())
}

pub fn reasons(world: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let reasons = Reasons::params().with_table(table(random)).read(path, &world.earlier)?;
    speaks(&reasons);
    world.use_evidence(&Evidence::default().with_reasons(reasons), random)
}

pub fn incidents(world: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let incidents = Incidents::read(path, &table(random), &world.earlier)?;
    adds_up(&incidents.report().input);
    world.use_evidence(&Evidence::default().with_incidents(incidents), random)
}

pub fn changes(world: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let changes = Changes::read(path, &table(random), &Reasons::params(), &world.earlier)?;
    adds_up(&changes.report().input);
    world.use_evidence(&Evidence::default().with_changes(changes), random)
}

pub fn contacts(world: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let contacts = Contacts::read(path, &table(random), &world.earlier)?;
    adds_up(&contacts.report().input);
    world.use_evidence(&Evidence::default().with_contacts(contacts), random)
}

pub fn suppressions(world: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let suppressions = Suppressions::read(path, &table(random), &world.earlier)?;
    adds_up(&suppressions.report().input);
    assert_eq!(suppressions.report().input.rows_dropped, 0);
    world.use_evidence(&Evidence::default().with_suppressions(suppressions), random)
}

pub fn customers(world: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let customers = CustomerTable::read(path, &table(random), &world.earlier)?;
    adds_up(&customers.report().input);
    world.use_evidence(&Evidence::default().with_customers(customers), random)
}

pub fn side_parquet(world: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    contacts(world, path, random)
}

pub fn plan(world: &World, path: &Path, _: &mut SplitMix) -> Outcomes {
    let sheet = PlanSheet::read(path)?;
    adds_up(&sheet.report().input);
    is_finite(&sheet.to_frame()?);
    let copy = path.with_extension("copy.csv");
    sheet.write(&copy)?;
    let again = PlanSheet::read(&copy);
    std::fs::remove_file(&copy).unwrap();
    assert_eq!(again?.rows(), sheet.rows(), "what is written again is another plan");
    let outcome = PlanOutcome::params().measure(&sheet, &world.history, None, Some(&world.offers))?;
    speaks(&outcome);
    serde_json::to_string(&outcome).unwrap();
    Ok(())
}

pub fn results(_: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let experiment = Experiment::params("arm", "none", "returned")
        .with_value("value")
        .with_profit("profit")
        .with_strata(["stratum"])
        .with_score("score")
        .with_prediction("prediction")
        .with_table(table(random))
        .read(path)?;
    let outcome = Outcome::params().measure(&experiment)?;
    speaks(&outcome);
    serde_json::to_string(&outcome).unwrap();
    Ok(())
}

pub fn attempts(_: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let returns = Returns::params("returned")
        .with_numeric(["value", "score"])
        .with_categorical(["stratum"])
        .with_table(table(random))
        .read(path)?;
    speaks(&returns);
    Ok(())
}

pub fn contracts(_: &World, path: &Path, random: &mut SplitMix) -> Outcomes {
    let losses = Contracts::params("lost")
        .with_id("id")
        .with_reason("reason")
        .with_tenure("months")
        .with_commitment("contract")
        .with_segments(["city", "plan"])
        .with_table(table(random))
        .read(path)?
        .examined();
    speaks(&losses);
    serde_json::to_string(&losses).unwrap();
    Ok(())
}

/// The corpora that come from programs: a log, a model, a plan, and tables in Parquet.
pub fn write_corpora(folder: &Path) {
    let world = World::shared();
    let write = |target: &str, name: &str, bytes: Vec<u8>| {
        std::fs::create_dir_all(folder.join(target)).unwrap();
        std::fs::write(folder.join(target).join(name), bytes).unwrap();
    };
    let parquet = |mut frame: DataFrame| {
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
        bytes
    };
    let log = crate::logs::frame(&rhythmic(30, 400, 8));
    let mut lines = String::from("customer,day,amount,discount,store\n");
    for order in rhythmic(30, 400, 8) {
        let day = crate::logs::first_day().plus_days(order.day);
        lines += &format!("{},{day},{},0,{}\n", order.customer, order.amount, order.store);
    }
    write("orders_csv", "rhythmic.csv", lines.into_bytes());
    write("orders_parquet", "rhythmic.parquet", parquet(log));
    write("model", "small.json", world.model.to_json().unwrap().into_bytes());
    write("offers", "two.json", OFFERS.as_bytes().to_vec());
    let plan = world.plan(world.offers.clone(), &Evidence::default()).unwrap();
    let copy = folder.join("plan.csv");
    plan.sheet().write(&copy).unwrap();
    write("plan", "small.csv", std::fs::read(&copy).unwrap());
    std::fs::remove_file(copy).unwrap();
    let contacts = df![
        "customer_id" => [1_i64, 2, 3, 4],
        "on" => ["2020-06-01", "2020-07-01", "2020-08-01", "2020-09-01"],
        "answer" => [Some("accepted"), None, Some("opted_out"), Some("declined")],
        "redeemed_amount" => [Some(1.5), None, None, Some(0.0)],
    ];
    write("side_parquet", "contacts.parquet", parquet(contacts.unwrap()));
    let mut random = SplitMix(3);
    let mut results = String::from("arm,returned,value,profit,stratum,score,prediction\n");
    let mut attempts = String::from("returned,value,score,stratum\n");
    for row in 0..120 {
        let (arm, returned) = (["none", "call", "mail"][row % 3], u8::from(random.uniform() < 0.3));
        let (value, score) =
            (f64::from(returned) * (random.uniform() * 1e4).round() / 100.0, random.uniform());
        results += &format!(
            "{arm},{returned},{value},{:.2},{},{score:.3},{}\n",
            value / 3.0,
            "ab".as_bytes()[row % 2] as char,
            row % 7
        );
        attempts += &format!("{returned},{row},{score:.3},{}\n", ["yes", "no", ""][row % 3]);
    }
    write("results", "three_arms.csv", results.into_bytes());
    write("attempts", "some.csv", attempts.into_bytes());
    let mut contracts = String::from("id,lost,reason,months,contract,city,plan\n");
    for row in 0..300 {
        let city = ["Århus", "Berlin", "Cork"][row % 3];
        let lost = u8::from(random.uniform() < if row % 3 == 0 { 0.6 } else { 0.15 });
        let reason = if lost == 1 { ["price", "competitor", ""][row % 3] } else { "" };
        contracts += &format!(
            "{row},{lost},{reason},{},{},{city},{}\n",
            row % 40,
            ["monthly", "yearly"][row % 2],
            row % 4
        );
    }
    write("contracts", "cities.csv", contracts.into_bytes());
}
