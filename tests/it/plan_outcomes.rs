//! What a plan brought: from its file, later orders and contacts.

use std::fs;

use polars::df;
use serde_json::Value;
use winback::campaign::{CostBasis, Measured, Outcome, PlanOutcome, Trust, Verdict};
use winback::evidence::{Cause, Contacts, TableParams};
use winback::losses::LapseRule;
use winback::rates::RatioInterval;
use winback::winback::{Arm, Candidate, Decision, FirstStep, Holdout, Offers, PlanSheet, PlannedCustomer};
use winback::{Day, Error, History};

use crate::cli::{example, run, run_well};
use crate::logs::SplitMix;
use crate::support::{TempDir, day, orders};

const OFFERS: [&str; 2] = ["call", "ten-off"];

/// A made-up campaign of two offers: who is at more risk gets the call, unless the lot decides.
struct Story {
    customers: usize,
    fraction: f64,
    explore: f64,
    base: f64,
    /// Of the call, of ten off.
    effects: [f64; 2],
}

const STORY: Story =
    Story { customers: 4_000, fraction: 0.25, explore: 0.0, base: 0.2, effects: [0.12, 0.06] };

fn planned_on() -> Day {
    day("2024-06-30")
}

impl Story {
    fn draw(&self, seed: u64) -> (PlanSheet, History) {
        let mut random = SplitMix(seed);
        let ids: Vec<String> = (0..self.customers).map(|id| format!("c{id:05}")).collect();
        let candidates: Vec<Candidate> = ids
            .iter()
            .map(|id| Candidate {
                customer_id: id,
                risk: random.uniform(),
                value: random.normal().exp(),
                household: None,
                earlier: None,
                offers: 2,
            })
            .collect();
        let params = Holdout::params("spring").with_seed(seed).with_fraction(self.fraction);
        let holdout = params.with_explore_fraction(self.explore).draw(&candidates).unwrap();
        let (mut rows, mut who, mut when, mut amounts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut buy = |id: &str, on: Day, amount: f64| {
            who.push(id.to_owned());
            when.push(on.to_string());
            amounts.push((100.0 * amount).round() / 100.0);
        };
        for ((one, drawn), id) in candidates.iter().zip(holdout.assignments()).zip(&ids) {
            let chosen = usize::from(one.risk < 0.5);
            let offer = drawn.by_lot.unwrap_or(chosen);
            rows.push(PlannedCustomer {
                offer: Some(OFFERS[offer].to_owned()),
                arm: drawn.arm,
                stratum: Some(holdout.strata()[drawn.stratum].name.clone()),
                campaign: Some("spring".to_owned()),
                primary_outcome: Some(Measured::Returned),
                measure_until: Some(day("2024-09-28")),
                cost_amount: Some([4.0, 1.5][offer]),
                margin_fraction: Some(0.3),
                predicted_return_probability: Some(self.base),
                expected_profit_amount: Some(one.value),
                cause: if one.risk < 0.3 { Cause::Price } else { Cause::Unknown },
                first_step: FirstStep::parse(["ask by phone: Ask.", "invite by email: Write."][offer]),
                first_step_on: Some(day("2024-07-01")),
                ..PlannedCustomer::new(id, Decision::Pursue, planned_on())
            });
            for _ in 0..1 + random.next() % 3 {
                let back = 120 + (random.next() % 400) as i32;
                buy(id, planned_on().plus_days(-back), 20.0 * one.value);
            }
            let effect = if drawn.arm == Arm::Treated { self.effects[offer] } else { 0.0 };
            if random.uniform() < self.base + effect {
                let after = 1 + (random.next() % 85) as i32;
                buy(id, planned_on().plus_days(after), 20.0 * one.value * (0.4 * random.normal()).exp());
            }
        }
        let frame = df!["customer_id" => who, "ordered_on" => when, "amount" => amounts].unwrap();
        let history = orders().with_observed_until(day("2024-12-31")).from_frame(&frame).unwrap();
        (PlanSheet::new(rows).unwrap(), history)
    }
}

#[track_caller]
fn measure(plan: &PlanSheet, history: &History) -> PlanOutcome {
    PlanOutcome::params().measure(plan, history, None, None).unwrap()
}

#[track_caller]
fn covers(effect: &winback::campaign::Effect, truth: f64) {
    let (low, high) = (effect.low.unwrap(), effect.high.unwrap());
    assert!(low <= truth && truth <= high, "{truth} is not in {low} to {high}: {effect}");
}

#[test]
fn effects_are_found_each_offer_against_its_own_holdouts() {
    let (plan, history) = STORY.draw(1);
    let outcome = measure(&plan, &history);
    assert_eq!(
        (outcome.verdict(), outcome.overall().trust().trust),
        (Verdict::Works, Trust::Trusted),
        "{outcome}"
    );
    let [returned, value, profit] = outcome.overall().effects() else { panic!("three effects") };
    assert_eq!((returned.n_treated, returned.n_control), (3_000, 1_000));
    covers(returned, 0.09);
    assert_eq!((value.outcome, profit.outcome), (Measured::Value, Measured::Profit));
    // The margin of what they spent more, less what they cost.
    let gained = 0.3 * value.effect.unwrap() - outcome.ledger().cost_amount / 3_000.0;
    assert!((profit.effect.unwrap() - gained).abs() < 0.15, "{} {gained}", profit.effect.unwrap());
    for (name, truth) in OFFERS.iter().zip(STORY.effects) {
        let own: Vec<_> = outcome.offers().iter().filter(|effect| effect.arm == *name).collect();
        assert_eq!(own.len(), 3);
        covers(own[0], truth);
        assert!((450..550).contains(&own[0].n_control) && own[0].p_adjusted.unwrap() < 0.05, "{}", own[0]);
    }
    // Costs as planned, and Fieller's interval around their ratio.
    let ledger = outcome.ledger();
    assert_eq!(ledger.basis, CostBasis::Planned);
    let RatioInterval::Between { low, high } = ledger.cost_per_return.unwrap() else { panic!("{ledger}") };
    let truth = 2.75 / 0.09;
    assert!(low < truth && truth < high && low < ledger.cost_per_return_amount.unwrap(), "{ledger}");
    assert!(outcome.between().is_empty() && outcome.notes().iter().any(|note| note.contains("none by lot")));
    assert!(outcome.loss_amount().is_none());
    assert_eq!(outcome.overall().uplift().len(), 1, "whom the plan would have contacted first");
}

#[test]
fn a_prediction_from_before_the_plan_narrows_money() {
    let (plan, history) = STORY.draw(2);
    let outcome = measure(&plan, &history);
    let value = &outcome.overall().effects()[1];
    // The same without one: spend by arm and stratum.
    let of = |row: &PlannedCustomer| row.arm == Arm::Treated;
    let frame = history.to_frame().unwrap();
    let (ids, days, net) = (
        frame.column("customer_id").unwrap().str().unwrap().clone(),
        frame.column("purchased_on").unwrap().date().unwrap().clone(),
        frame.column("net_amount").unwrap().f64().unwrap().clone(),
    );
    let mut spent = std::collections::BTreeMap::new();
    for ((id, day), net) in ids.iter().zip(days.physical().iter()).zip(net.iter()) {
        if day.unwrap() > planned_on().days_since_epoch() {
            *spent.entry(id.unwrap().to_owned()).or_insert(0.0) += net.unwrap();
        }
    }
    let rows = plan.rows();
    let results = df![
        "arm" => rows.iter().map(|row| if of(row) { "treated" } else { "holdout" }).collect::<Vec<_>>(),
        "back" => rows.iter().map(|row| spent.contains_key(&row.customer_id)).collect::<Vec<_>>(),
        "spend" => rows.iter().map(|row| spent.get(&row.customer_id).copied().unwrap_or(0.0)).collect::<Vec<_>>(),
        "stratum" => rows.iter().map(|row| row.stratum.clone()).collect::<Vec<_>>(),
    ];
    let experiment = winback::campaign::Experiment::params("arm", "holdout", "back")
        .with_value("spend")
        .with_strata(["stratum"])
        .from_frame(&results.unwrap())
        .unwrap();
    let plain = Outcome::params().measure(&experiment).unwrap();
    // Rates agree to the bit: there is one way to compare.
    let (one, other) = (&plain.effects()[0], &outcome.overall().effects()[0]);
    assert_eq!((one.effect, one.low, one.high, one.p), (other.effect, other.low, other.high, other.p));
    let width = |effect: &winback::campaign::Effect| effect.high.unwrap() - effect.low.unwrap();
    assert!(width(value) < width(&plain.effects()[1]), "{value} {}", plain.effects()[1]);
}

#[test]
fn no_effect_is_called_one_and_its_cost_a_loss() {
    let (plan, history) = Story { effects: [0.0; 2], ..STORY }.draw(31);
    let outcome = measure(&plan, &history);
    assert_eq!(outcome.verdict(), Verdict::Null, "{outcome}");
    let cost: f64 =
        plan.rows().iter().filter(|row| row.arm == Arm::Treated).filter_map(|row| row.cost_amount).sum();
    assert!((outcome.loss_amount().unwrap() - cost).abs() < 1e-6);
    assert!(outcome.to_string().contains("no effect was shown: what it cost"), "{outcome}");
    assert!(outcome.to_string().contains("each treated customer brought less than they cost"), "{outcome}");
    let harm = measure_of(Story { effects: [-0.1; 2], ..STORY }, 3);
    assert_eq!(harm.verdict(), Verdict::Harms);
    assert!(harm.loss_amount().is_some() && harm.ledger().cost_per_return_amount.is_none());
}

fn measure_of(story: Story, seed: u64) -> PlanOutcome {
    let (plan, history) = story.draw(seed);
    measure(&plan, &history)
}

#[test]
fn before_the_last_day_there_is_no_verdict() {
    let (plan, history) = STORY.draw(4);
    let early = PlanOutcome::params().with_until(day("2024-09-27"));
    let outcome = early.measure(&plan, &history, None, None).unwrap();
    assert_eq!(outcome.verdict(), Verdict::Interim);
    assert!(outcome.overall().effects().iter().chain(outcome.offers()).all(|effect| effect.p.is_none()));
    assert!(outcome.overall().effects()[0].effect.is_some() && outcome.loss_amount().is_none());
    let said = outcome.measured_offers(&plan, None).unwrap_err().to_string();
    assert!(said.contains("interim"), "{said}");
    // The log ends early: the same.
    let cut = orders().with_observed_until(day("2024-08-01")).from_frame(&log(&history)).unwrap();
    assert_eq!(measure(&plan, &cut).verdict(), Verdict::Interim);
    let late = PlanOutcome::params().with_until(day("2024-09-28"));
    assert_eq!(late.measure(&plan, &history, None, None).unwrap().verdict(), Verdict::Works);
    let beyond = PlanOutcome::params().with_until(day("2025-02-01")).measure(&plan, &history, None, None);
    assert!(matches!(beyond, Err(Error::AfterObserved { .. })));
}

/// The orders a history was read from.
fn log(history: &History) -> polars::prelude::DataFrame {
    let mut frame = history.to_frame().unwrap();
    frame.rename("purchased_on", "ordered_on".into()).unwrap();
    frame.rename("net_amount", "amount".into()).unwrap();
    frame.drop("refunded_amount").unwrap()
}

/// Two customers of each arm, and orders around the clock.
#[test]
fn both_clocks_start_on_the_day_of_the_first_step_and_end_on_the_last_that_counts() {
    let rows: Vec<PlannedCustomer> = (0..40)
        .map(|id| PlannedCustomer {
            offer: Some("call".to_owned()),
            arm: if id % 2 == 0 { Arm::Treated } else { Arm::Holdout },
            stratum: Some("all".to_owned()),
            campaign: Some("spring".to_owned()),
            primary_outcome: Some(Measured::Returned),
            measure_until: Some(day("2024-09-28")),
            cost_amount: Some(1.0),
            first_step_on: Some(day("2024-07-05")),
            ..PlannedCustomer::new(id.to_string(), Decision::Pursue, planned_on())
        })
        .collect();
    let plan = PlanSheet::new(rows).unwrap();
    let on = ["2024-07-04", "2024-07-05", "2024-09-28", "2024-09-29"];
    let (mut who, mut when) = (Vec::new(), Vec::new());
    for id in 0..40 {
        who.extend([id.to_string(), id.to_string()]);
        when.extend(["2024-01-01".to_owned(), on[id / 2 % 4].to_owned()]);
    }
    let frame = df!["customer_id" => who, "ordered_on" => when, "amount" => vec![10.0; 80]].unwrap();
    let history = orders().with_observed_until(day("2024-12-31")).from_frame(&frame).unwrap();
    let outcome = measure(&plan, &history);
    let returned = &outcome.overall().effects()[0];
    assert_eq!((returned.treated, returned.control), (0.5, 0.5));
}

#[test]
fn a_plan_that_was_tampered_with_is_not_trusted() {
    let (plan, history) = STORY.draw(5);
    // Half of the held out at high risk are gone from the sheet.
    let mut gone = 0;
    let kept = plan.rows().iter().filter(|row| {
        let risky = row.stratum.as_deref().is_some_and(|name| name.starts_with("risk high"));
        gone += usize::from(row.arm == Arm::Holdout && risky);
        !(row.arm == Arm::Holdout && risky && gone % 2 == 0)
    });
    let kept = PlanSheet::new(kept.cloned().collect()).unwrap();
    let outcome = measure(&kept, &history);
    assert_eq!(outcome.verdict(), Verdict::DoNotTrust, "{outcome}");
    assert!(kept.rows().len() < 3_900 && outcome.measured_offers(&kept, None).is_err());
    let stated =
        PlanOutcome::params().with_holdout_fraction(0.5).measure(&plan, &history, None, None).unwrap();
    assert_eq!(stated.verdict(), Verdict::DoNotTrust);
    // Ids of one arm that were written another way count as not returned, and it shows.
    let renamed = plan.rows().iter().map(|row| match row.arm {
        Arm::Holdout => PlannedCustomer { customer_id: format!("{} ", row.customer_id), ..row.clone() },
        _ => row.clone(),
    });
    let renamed = PlanSheet::new(renamed.collect()).unwrap();
    let outcome = measure(&renamed, &history);
    assert_eq!(outcome.verdict(), Verdict::DoNotTrust, "{outcome}");
    assert!(outcome.to_string().contains("1000 customers of the plan are not in the orders"), "{outcome}");
}

fn contacts(text: &str, plan: &PlanSheet) -> Contacts {
    let folder = TempDir::new();
    let header = "customer_id,on,step,answer,redeemed_amount,referred_id\n";
    let file = folder.write("contacts.csv", format!("{header}{text}"));
    let ids = plan.rows().iter().map(|row| row.customer_id.as_str());
    Contacts::read_among(file, &TableParams::default(), ids).unwrap()
}

#[test]
fn redemptions_referrals_and_contacts_of_the_held_out() {
    let (plan, history) = STORY.draw(6);
    let treated: Vec<&PlannedCustomer> = plan.rows().iter().filter(|row| row.arm == Arm::Treated).collect();
    let held_out: Vec<&PlannedCustomer> = plan.rows().iter().filter(|row| row.arm == Arm::Holdout).collect();
    let mut text = String::new();
    for row in treated.iter().take(1_000) {
        text.push_str(&format!("{},2024-07-02,invite,accepted,2.5,\n", row.customer_id));
    }
    text.push_str(&format!("{},2024-06-01,invite,accepted,99,\n", treated[0].customer_id));
    let offers = Offers::from_json(
        r#"[{"name": "call", "channel": "phone", "contact_cost": 3, "effect": {"assumed": {"low": 0, "high": 0.1}}},
            {"name": "ten-off", "channel": "email", "contact_cost": 0.5, "effect": {"assumed": {"low": 0, "high": 0.1}}},
            {"name": "other", "channel": "email", "effect": {"assumed": {"low": 0, "high": 0.2}}}]"#,
    )
    .unwrap();
    let with = |text: &str, offers| {
        PlanOutcome::params()
            .with_acquisition_cost_amount(500.0)
            .measure(&plan, &history, Some(&contacts(text, &plan)), offers)
            .unwrap()
    };
    let outcome = with(&text, None);
    assert_eq!((outcome.ledger().basis, outcome.ledger().cost_amount), (CostBasis::RedemptionsOnly, 2_500.0));
    assert!(outcome.to_string().contains("less than the 500.00 of a new customer"), "{outcome}");
    let outcome = with(&text, Some(&offers));
    let calls = treated[..1_000].iter().filter(|row| row.offer.as_deref() == Some("call")).count() as f64;
    assert_eq!(outcome.ledger().cost_amount, 2_500.0 + 3.0 * calls + 0.5 * (1_000.0 - calls));
    assert_eq!(outcome.overall().trust().trust, Trust::Trusted);

    // What was measured replaces what was assumed, by cause where there is enough; the rest stays.
    let next = outcome.measured_offers(&plan, Some(&offers)).unwrap();
    let written = serde_json::to_string(&next).unwrap();
    let read = Offers::from_json(&written).unwrap();
    assert_eq!(read.offers(), next.as_slice());
    assert!(
        written.contains(r#""campaign":"spring""#) && written.contains(r#""stratum":"Price""#),
        "{written}"
    );
    assert_eq!((&next[2], next[0].contact_cost), (&offers.offers()[2], 3.0));
    assert_eq!(outcome.measured_offers(&plan, None).unwrap()[0].channel, "phone");

    // Somebody spoke to the held out; and some were recommended, one who was a customer before.
    for row in &held_out[..50] {
        text.push_str(&format!("{},2024-07-09,invite,none,,\n", row.customer_id));
    }
    let friend = history_customer(&history, 0);
    text.push_str(&format!("{},2023-01-02,refer,none,,{friend}\n", treated[1].customer_id));
    text.push_str(&format!("{},2024-07-02,refer,none,,{friend}\n", treated[2].customer_id));
    text.push_str(&format!("{},2024-07-02,refer,none,,nobody\n", treated[3].customer_id));
    let outcome = with(&text, None);
    assert_eq!(outcome.overall().trust().trust, Trust::Doubtful);
    assert!(outcome.to_string().contains("for 50 of the 1000 held out: nobody should have"), "{outcome}");
    let [referred, _] = outcome.referrals().unwrap();
    assert_eq!((referred.named, referred.came), (2, 1));
    assert!(referred.first_year_amount > 0.0);
}

fn history_customer(history: &History, row: usize) -> String {
    let frame = history.to_frame().unwrap();
    frame.column("customer_id").unwrap().str().unwrap().get(row).unwrap().to_owned()
}

#[test]
fn offers_are_compared_with_each_other_only_where_the_lot_decided() {
    let (plan, history) = Story { explore: 0.6, ..STORY }.draw(7);
    let outcome = measure(&plan, &history);
    let found = outcome.between();
    assert_eq!(found.len(), 3, "{outcome}");
    assert_eq!((found[0].control.as_str(), found[0].effect.arm.as_str()), ("call", "ten-off"));
    covers(&found[0].effect, -0.06);
    let drawn = plan.rows().iter().filter(|row| {
        row.arm == Arm::Treated && row.stratum.as_deref().is_some_and(|name| name.ends_with("by lot"))
    });
    assert_eq!((found[0].effect.n_treated + found[0].effect.n_control) as usize, drawn.count());
}

#[test]
fn who_lapsed_again_is_counted_among_all() {
    let (plan, history) = STORY.draw(8);
    let params = PlanOutcome::params().with_lapse_rule(LapseRule::fixed(20));
    let outcome = params.measure(&plan, &history, None, None).unwrap();
    let lapsed = outcome.lapsed_again().unwrap();
    let returned = &outcome.overall().effects()[0];
    assert_eq!((lapsed.n_treated, lapsed.n_control), (returned.n_treated, returned.n_control));
    // Bought once within 85 of the 90 days, and lapsed after 20: some three quarters of who returned.
    assert!(lapsed.treated > 0.6 * returned.treated && lapsed.treated < 0.9 * returned.treated, "{lapsed}");
}

#[test]
fn what_does_not_fit_is_refused_with_a_sentence() {
    let (plan, history) = Story { customers: 400, ..STORY }.draw(9);
    let refused = |plan: &PlanSheet, params: winback::campaign::PlanOutcomeParams, expected: &str| {
        let said = params.measure(plan, &history, None, None).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    };
    let params = PlanOutcome::params;
    refused(&plan, params().with_level(1.0), "level is 1");
    refused(&plan, params().with_campaign("summer"), "campaign is `summer`, where the plan holds `spring`");
    refused(&plan, params().with_holdout_fraction(1.0), "holdout fraction is 1");
    refused(&plan, params().with_acquisition_cost_amount(f64::NAN), "acquisition cost is NaN");
    refused(&plan, params().with_until(day("2024-06-30")), "nobody treated whose clock has started");
    let with = |change: &dyn Fn(usize, &mut PlannedCustomer)| {
        let mut rows = plan.rows().to_vec();
        rows.iter_mut().enumerate().for_each(|(at, row)| change(at, row));
        PlanSheet::new(rows).unwrap()
    };
    refused(&with(&|_, row| row.arm = Arm::None), params(), "nobody with an arm");
    refused(&with(&|_, row| row.arm = Arm::Treated), params(), "nobody held out");
    let two = with(&|at, row| row.campaign = Some(["spring", "summer"][at % 2].to_owned()));
    refused(&two, params(), "campaign is `spring`, `summer`, expected one of these by name");
    assert!(params().with_campaign("summer").measure(&two, &history, None, None).is_ok());
    let mixed = with(&|at, row| row.primary_outcome = Some(Measured::ALL[at % 2]));
    refused(&mixed, params(), "primary outcome is returned and value");
}

/// 15 campaigns from plan to verdict: fewer than 11 that cover, or that are null, happen to exact intervals with a
/// chance below .001.
#[test]
fn intervals_of_plans_cover() {
    let story = |effect| Story { customers: 600, effects: [effect; 2], ..STORY };
    let (mut covered, mut nulls) = (0, 0);
    for seed in 100..115 {
        let outcome = measure_of(story(0.1), seed);
        let returned = &outcome.overall().effects()[0];
        covered += usize::from(returned.low.unwrap() <= 0.1 && 0.1 <= returned.high.unwrap());
        nulls += usize::from(measure_of(story(0.0), seed).verdict() == Verdict::Null);
    }
    assert!(covered >= 11 && nulls >= 11, "{covered} {nulls}");
}

/// As above, 1,000 campaigns; `cargo test --release -- --ignored intervals_of_plans --nocapture`.
#[test]
#[ignore = "minutes"]
fn intervals_of_plans_cover_at_full_length() {
    let story = |effect| Story { customers: 3_000, effects: [effect; 2], ..STORY };
    // Twenty of their own value each, and the lognormal's mean: e^½ of value, e^.08 of the amount.
    let mean = 20.0 * (0.5_f64 + 0.08).exp();
    let truth = [0.1, 0.1 * mean, 0.03 * mean - 2.75];
    let (mut covered, mut nulls) = ([0; 3], 0);
    for seed in 1_000..2_000 {
        let outcome = measure_of(story(0.1), seed);
        for ((count, effect), truth) in covered.iter_mut().zip(outcome.overall().effects()).zip(truth) {
            *count += usize::from(effect.low.unwrap() <= truth && truth <= effect.high.unwrap());
        }
        nulls += usize::from(measure_of(story(0.0), seed).verdict() == Verdict::Null);
    }
    println!("covered {covered:?}, null {nulls} of 1,000");
    assert!(covered.iter().all(|count| (930..=970).contains(count)) && nulls >= 933);
}

#[test]
fn the_program_measures_a_plan() {
    let folder = TempDir::new();
    let (plan, history) = Story { customers: 2_000, ..STORY }.draw(10);
    let path = |name: &str| folder.path(name).to_str().unwrap().to_owned();
    plan.write(path("plan.csv")).unwrap();
    winback::table::write(&log(&history), path("orders.csv")).unwrap();
    let own = ["--plan", &path("plan.csv"), "--orders", &path("orders.csv")].map(str::to_owned);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let (json, effects) = (path("out.json"), path("offers.json"));
    let arguments =
        [&own[..], &["--until", "2024-09-20", "--json", &json, "--acquisition-cost", "90"]].concat();
    let output = run_well(&example("measure"), &arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("an interim look: no verdict before 2024-09-28 has passed"), "{said}");
    let told: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!((&told["verdict"], &told["trust"]), (&"interim".into(), &"trusted".into()));
    let effects_told = told["effects"].as_array().unwrap();
    assert_eq!(effects_told.len(), 6);
    assert_eq!(
        (&effects_told[0]["arm"], &effects_told[0]["outcome"]),
        (&"treated".into(), &"returned".into())
    );
    assert!(effects_told.iter().all(|effect| effect["n_treated"].is_u64() && effect["outcome"] != "profit"));
    // No effects to plan with before the end; the log as it is ends before the last day that counts.
    let early = run(&example("measure"), &[&own[..], &["--effects-out", &effects]].concat());
    assert_eq!(early.status.code(), Some(2));
    assert!(!folder.path("offers.json").exists());
    let more = format!("{}c99999,2024-12-31,5\n", fs::read_to_string(path("orders.csv")).unwrap());
    fs::write(path("orders.csv"), more).unwrap();
    let said =
        run_well(&example("measure"), &[&own[..], &["--effects-out", &effects, "--json", &json]].concat());
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("verdict: works"), "{said}");
    assert_eq!(Offers::read(&effects).unwrap().offers().len(), 2);
    let told: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    for key in ["effect", "low", "high", "p"] {
        assert!(told["effects"][0][key].is_f64(), "{key}: {told}");
    }

    for (arguments, code, expected) in [
        (vec![], 2, "--plan"),
        (vec!["--plan", own[1]], 2, "--orders"),
        ([&own[..], &["--results", own[3]]].concat(), 2, "cannot be used with"),
        (vec!["--results", own[3]], 2, "--arm-col"),
        ([&own[..], &["--json", own[1]]].concat(), 1, "it is one of the inputs"),
        ([&own[..], &["--campaign", "autumn"]].concat(), 2, "a campaign of the plan"),
        ([&own[..], &["--until", "2030-01-01"]].concat(), 1, "lies after"),
    ] {
        let output = run(&example("measure"), &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
