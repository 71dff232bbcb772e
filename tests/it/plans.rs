//! What a plan makes of findings, changes, limits and experiments: a market in which one store fails, end to end.

use std::sync::OnceLock;

use polars::prelude::*;
use winback::evidence::{Changes, Evidence, Reasons, ReasonsParams, TableParams};
use winback::losses::{Losses, Whose};
use winback::winback::{
    Arm, Decision, Offers, PlannedCustomer, ValuePerReturn, WinbackPlan, WinbackPlanParams,
};
use winback::{ChurnModel, Columns, FeatureSet, History, Snapshots};

use crate::markets::{PLAIN, World, first_day, log};

const HORIZON_DAYS: i32 = 60;
const MARGIN: f64 = 0.4;

struct Town {
    history: History,
    model: ChurnModel,
}

/// Store S0 loses its customers from day 250 on.
fn town() -> &'static Town {
    static TOWN: OnceLock<Town> = OnceLock::new();
    TOWN.get_or_init(|| {
        let world = World { failing: (8.0, 250), loyal: 0.95, season: false, ..PLAIN };
        let rows = log(&world, 3);
        let days: Vec<i32> = rows.iter().map(|row| first_day().days_since_epoch() + row.1).collect();
        let frame = DataFrame::new_infer_height(vec![
            Column::new("customer".into(), rows.iter().map(|row| row.0).collect::<Vec<i64>>()),
            Int32Chunked::from_vec("day".into(), days).into_date().into_column(),
            Column::new(
                "amount".into(),
                rows.iter().map(|row| 20.0 + (row.0 % 7) as f64).collect::<Vec<f64>>(),
            ),
            Column::new(
                "store".into(),
                rows.iter().map(|row| format!("S{}", row.2)).collect::<Vec<String>>(),
            ),
        ]);
        let columns = Columns::new("customer", "day").with_amount("amount").with_segments(["store"]);
        let history = History::params(columns)
            .with_observed_at_least_until(first_day().plus_days(world.days - 1))
            .from_frame(&frame.unwrap())
            .unwrap();
        let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &[]))
            .with_horizon_days(HORIZON_DAYS)
            .build(&history)
            .unwrap();
        let model = ChurnModel::params().fit(&snapshots).unwrap();
        Town { history, model }
    })
}

impl Town {
    fn plan(&self, evidence: &Evidence, params: &WinbackPlanParams) -> (Losses, WinbackPlan) {
        let losses = Losses::params().analyse(&self.history, &self.model, evidence).unwrap();
        let scores = self.model.score_with_intervals(&self.history, losses.as_of()).unwrap();
        let plan = params.plan(&scores, &losses, evidence, &self.history).unwrap();
        (losses, plan)
    }

    fn changes(&self, rows: &[(&str, &str, &str)]) -> Evidence {
        let until = self.history.observed_until();
        let frame = df![
            "segment" => vec!["store"; rows.len()],
            "value" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
            "cause" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
            "changed_on" => vec![until.plus_days(-3).to_string(); rows.len()],
            "what" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        ]
        .unwrap();
        let params = (TableParams::default(), ReasonsParams::default());
        let changes = Changes::from_frame(&frame, &params.0, &params.1, &self.history).unwrap();
        Evidence::default().with_changes(changes)
    }

    /// The store of a customer's last purchase.
    fn store(&self, id: &str) -> Option<&'static str> {
        static LAST: OnceLock<std::collections::BTreeMap<String, String>> = OnceLock::new();
        let world = World { failing: (8.0, 250), loyal: 0.95, season: false, ..PLAIN };
        let last = || log(&world, 3).into_iter().map(|row| (row.0.to_string(), format!("S{}", row.2)));
        LAST.get_or_init(|| last().collect()).get(id).map(String::as_str)
    }
}

/// Offers that pay: of a letter, and of a call that half of the customers may get.
fn params() -> WinbackPlanParams {
    let offers = r#"[
      {"name": "letter", "channel": "post", "contact_cost": 0.1, "effect": {"assumed": {"low": 0.05, "high": 0.15}}},
      {"name": "call", "channel": "phone", "money": false, "contact_cost": 0.2,
       "effect": {"assumed": {"low": 0.1, "high": 0.2}}}]"#;
    WinbackPlan::params(Offers::from_json(offers).unwrap(), MARGIN).with_holdout_fraction(0.0)
}

fn text(row: &PlannedCustomer) -> &str {
    row.first_step.as_ref().map_or("", |step| step.text.as_str())
}

#[test]
fn what_is_our_doing_holds_the_invitation_until_it_is_changed() {
    let town = town();
    // Customers of that store say alike why they stay away, others this and that.
    let told = || {
        let store = |id: i64| town.store(&id.to_string());
        let ids: Vec<i64> = (0..600).filter(|id| store(*id).is_some()).collect();
        let words = ["competitor", "price", "no longer needed", "service failure"];
        let word = |id: i64| if store(id) == Some("S0") { words[3] } else { words[id as usize % 4] };
        let reasons: Vec<&str> = ids.iter().map(|id| word(*id)).collect();
        let frame = df!["customer_id" => &ids, "reason" => reasons].unwrap();
        Reasons::params().from_frame(&frame, &town.history).unwrap()
    };
    let (losses, plan) = town.plan(&Evidence::default().with_reasons(told()), &params());
    let found = losses.systemic().unwrap();
    let is_ours = found.findings().any(|row| row.value == "S0" && row.whose == Whose::Ours);
    assert!(is_ours, "{found}");
    let is_held =
        |row: &&PlannedCustomer| row.why.contains("the invitation is held: store S0 loses customers");
    let held: Vec<&PlannedCustomer> = plan.sheet().rows().iter().filter(is_held).collect();
    assert!(held.len() > 20 && held.len() == plan.held, "{}", held.len());
    for row in &held {
        assert_eq!(
            (town.store(&row.customer_id), row.arm, &row.offer),
            (Some("S0"), Arm::None, &None),
            "{}",
            row.why
        );
        assert!(row.first_step.is_none());
    }
    // Nobody of that store is invited, many of others are.
    let invited = || plan.sheet().rows().iter().filter(|row| row.arm == Arm::Treated);
    assert!(invited().count() > 50 && invited().all(|row| town.store(&row.customer_id) != Some("S0")));

    let changed = town.changes(&[("S0", "service failure", "a new manager")]).with_reasons(told());
    let (_, plan) = town.plan(&changed, &params());
    assert_eq!(plan.held, 0);
    let rows = plan.sheet().rows();
    let of = |row: &PlannedCustomer| rows.iter().find(|other| other.customer_id == row.customer_id).unwrap();
    for row in held.iter().map(|row| of(row)).filter(|row| row.decision == Decision::Pursue) {
        assert_eq!(row.arm, Arm::Treated, "{}", row.why);
        assert!(text(row).contains("a new manager"), "{}", text(row));
    }
    // Who still buys, and was there before the change, hears of it too.
    let told: Vec<_> =
        rows.iter().filter(|row| row.why.contains("was exposed to what has been mended")).collect();
    assert!(!told.is_empty());
    for row in told {
        assert_eq!((row.decision, row.arm), (Decision::KeepInTouch, Arm::None));
        assert!(text(row).contains("Say what has changed: a new manager"), "{}", text(row));
    }
}

#[test]
fn something_new_is_offered_to_whom_it_was_not_the_right_fit() {
    let town = town();
    let (_, plain) = town.plan(&Evidence::default(), &params());
    let invited = plain.sheet().rows().iter().filter(|row| row.arm == Arm::Treated);
    let ids: Vec<i64> = invited.map(|row| row.customer_id.parse().unwrap()).take(8).collect();
    let reasons = df![
        "customer_id" => &ids,
        "reason" => vec!["not the right fit"; ids.len()],
        "wants" => (0..ids.len()).map(|at| if at % 2 == 0 { "vegan" } else { "gluten" }).collect::<Vec<_>>(),
    ]
    .unwrap();
    let reasons = || Reasons::params().from_frame(&reasons, &town.history).unwrap();
    let (_, before) = town.plan(&Evidence::default().with_reasons(reasons()), &params());
    let evidence = town.changes(&[("S5", "", "a vegan menu")]).with_reasons(reasons());
    let (_, after) = town.plan(&evidence, &params());
    for (at, id) in ids.iter().enumerate() {
        let of = |plan: &WinbackPlan| {
            plan.sheet().rows().iter().find(|row| row.customer_id == id.to_string()).unwrap().clone()
        };
        let row = of(&before);
        assert_eq!((row.decision, row.arm), (Decision::KeepInTouch, Arm::None), "{}", row.why);
        let row = of(&after);
        match at % 2 == 0 {
            true => {
                assert_eq!(row.arm, Arm::Treated, "{}", row.why);
                assert!(text(&row).contains("a vegan menu"), "{}", text(&row));
            }
            false => assert_eq!(row.decision, Decision::KeepInTouch, "{}", row.why),
        }
    }
}

#[test]
fn a_limit_of_a_channel_binds_and_has_a_price() {
    let town = town();
    let contacted = |plan: &WinbackPlan, channel: &str| {
        let is = |row: &&PlannedCustomer| row.first_step.as_ref().is_some_and(|step| step.channel == channel);
        plan.sheet().rows().iter().filter(|row| row.arm == Arm::Treated).filter(is).count()
    };
    let (_, free) = town.plan(&Evidence::default(), &params());
    let (_, plan) = town.plan(&Evidence::default(), &params().with_channel("phone", 17));
    assert!(contacted(&free, "phone") > 17);
    assert_eq!(contacted(&plan, "phone"), 17);
    // Who is not called gets a letter, if that pays.
    assert!(contacted(&plan, "post") > contacted(&free, "post"));
    let limit = plan.limits.iter().find(|limit| limit.name == "channel phone").unwrap();
    assert!(limit.price > 0.0, "{limit:?}");
    assert!(plan.outlook.profit_amount < free.outlook.profit_amount);
    let (_, closed) = town.plan(&Evidence::default(), &params().with_channel("phone", 0));
    assert_eq!(contacted(&closed, "phone"), 0);
}

#[test]
fn a_return_is_worth_what_an_experiment_says() {
    let town = town();
    let worth = |params: &WinbackPlanParams| {
        let (_, plan) = town.plan(&Evidence::default(), params);
        let lost = plan.sheet().rows().iter().filter(|row| row.arm == Arm::Treated);
        let worth: Vec<f64> = lost
            .filter(|row| row.why.starts_with("lost for"))
            .map(|row| row.why.rsplit_once("a return is worth ").unwrap().1.parse().unwrap())
            .collect();
        (worth.iter().sum::<f64>() / worth.len() as f64, plan)
    };
    let (alone, plan) = worth(&params());
    // 900 and 900 customers, of whom 30 and 10 of 100 return and spend 600 each.
    let treated: Vec<bool> = (0..1_800).map(|row| row % 2 == 0).collect();
    let returned: Vec<bool> = (0..1_800).map(|row| row / 2 % 10 < if row % 2 == 0 { 3 } else { 1 }).collect();
    let spent: Vec<f64> = returned.iter().map(|back| if *back { 600.0 } else { 0.0 }).collect();
    let value = ValuePerReturn::of(&treated, &returned, &spent).unwrap();
    assert!((value.amount - 600.0).abs() < 1e-6 && value.standard_error < 1e-6, "{value:?}");
    let (told, sure) = worth(&params().with_value_per_return(value));
    assert!((told / (MARGIN * 600.0) - 1.0).abs() < 0.25, "{alone} {told}");
    assert!(told > alone, "{alone} {told}");
    assert!(sure.outlook.profit_amount > plan.outlook.profit_amount);
    // In doubt, it lies between the two.
    let vague = ValuePerReturn { low: 300.0, high: 900.0, standard_error: 150.0, ..value };
    let (between, _) = worth(&params().with_value_per_return(vague));
    assert!(alone < between && between < told, "{alone} {between} {told}");
}
