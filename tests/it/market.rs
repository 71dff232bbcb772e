//! Simulated markets whose truth is known: does a plan made of measured effects beat the usual ways to choose?
//!
//! Customers buy at a rate of their own until they leave. A pilot on other customers of the same market hands out
//! the offers by lot and holds half out; what it shows, with all its noise, is what the plan is made of. Effects rise
//! with the true risk, fall with it, or have nothing to do with it; customers who left for a competitor are driven
//! away by any contact.
//!
//! Those at risk are hardly ever contacted, and rightly so: four in ten would have bought anyway and redeem all the same,
//! which takes what an effect of some points on one horizon's spend brings.

use std::collections::BTreeMap;

use polars::prelude::*;
use winback::evidence::{Evidence, Reasons};
use winback::losses::Losses;
use winback::rates::{TwoArms, rate_difference};
use winback::winback::{Arm, Offers, PlanSheet, PlannedCustomer, ValuePerReturn, WinbackPlan};
use winback::{ChurnModel, Columns, Day, FeatureSet, History, Snapshots};

use crate::logs::{SplitMix, day};

const HORIZON_DAYS: i32 = 90;
const YEAR: f64 = 365.0;
const MARGIN: f64 = 0.4;
/// Cost of a contact and of a redemption of each offer, and what it adds where it works best.
const OFFERS: [(f64, f64, f64); 3] = [(0.1, 6.0, 0.16), (2.0, 0.0, 0.12), (0.1, 2.0, 0.07)];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Rising,
    Falling,
    Unrelated,
}

/// What is true of a customer, and what nobody sees.
struct Truth {
    /// The chance of a purchase within the horizon without any contact.
    p0: f64,
    /// What each offer adds to it.
    effects: [f64; 3],
    /// Spend of a return within the horizon, and within a year.
    spend: (f64, f64),
    /// Past spend.
    spent: f64,
}

struct Market {
    history: History,
    evidence: Evidence,
    truth: BTreeMap<String, Truth>,
}

fn until() -> Day {
    day("2023-12-31")
}

impl Market {
    fn new(kind: Kind, customers: usize, seed: u64) -> Self {
        let mut random = SplitMix(seed);
        let days = 900.0;
        let from = until().plus_days(-(days as i32));
        let (mut ids, mut dates, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut truth, mut told) = (BTreeMap::new(), Vec::new());
        for customer in 0..customers {
            let exponential = |random: &mut SplitMix| -(1.0 - random.uniform()).ln();
            let rate = (0.8 + 3.0 * (exponential(&mut random) + exponential(&mut random))) / YEAR;
            let leaving = (0.3 + 0.5 * exponential(&mut random)) / YEAR;
            let basket = (3.2 + 0.6 * random.normal()).exp();
            let joins = days * 0.9 * random.uniform();
            let leaves = joins + exponential(&mut random) / leaving;
            let id = format!("C{customer:05}");
            let (mut at, mut spent) = (joins, 0.0);
            while at <= leaves.min(days) {
                let amount = basket * (0.4 * random.normal() - 0.08).exp();
                ids.push(id.clone());
                dates.push(from.plus_days(at as i32).days_since_epoch());
                amounts.push((amount * 100.0).round() / 100.0);
                spent += amount;
                at += exponential(&mut random) / rate;
            }
            let horizon = f64::from(HORIZON_DAYS);
            let p0 = match leaves > days {
                true => rate / (rate + leaving) * (1.0 - (-(rate + leaving) * horizon).exp()),
                false => 0.0,
            };
            let hates = random.uniform() < 0.25;
            if hates {
                told.push(id.clone());
            }
            let lot = random.uniform();
            let effects = OFFERS.map(|(_, _, most)| match (hates, kind) {
                (true, _) => -0.05_f64.min(p0),
                (false, Kind::Rising) => most * (1.0 - p0).powi(2),
                (false, Kind::Falling) => most * (0.25 + p0).min(1.0),
                (false, Kind::Unrelated) => most * lot,
            });
            let effects = effects.map(|effect| effect.clamp(-p0, 1.0 - p0));
            // A first order, and those that follow until they leave again.
            let follow = |left: f64| rate * (1.0 - (-leaving * left).exp()) / leaving;
            let spend = (basket * (1.0 + follow(horizon / 2.0)), basket * (1.0 + follow(YEAR)));
            truth.insert(id, Truth { p0, effects, spend, spent });
        }
        let frame = DataFrame::new_infer_height(vec![
            Column::new("customer_id".into(), ids),
            Int32Chunked::from_vec("ordered_on".into(), dates).into_date().into_column(),
            Column::new("amount".into(), amounts),
        ]);
        let columns = Columns::new("customer_id", "ordered_on").with_amount("amount");
        let history =
            History::params(columns).with_observed_until(until()).from_frame(&frame.unwrap()).unwrap();
        let words = vec!["competitor"; told.len()];
        let reasons = df!["customer_id" => told, "reason" => words].unwrap();
        let reasons = Reasons::params().from_frame(&reasons, &history).unwrap();
        Market { evidence: Evidence::default().with_reasons(reasons), history, truth }
    }

    fn plan(&self, params: &winback::winback::WinbackPlanParams) -> WinbackPlan {
        let history = &self.history;
        let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &[]))
            .with_horizon_days(HORIZON_DAYS)
            .build(history)
            .unwrap();
        let model = ChurnModel::params().fit(&snapshots).unwrap();
        let losses = Losses::params().analyse(history, &model, &self.evidence).unwrap();
        let scores = model.score_with_intervals(history, losses.as_of()).unwrap();
        params.plan(&scores, &losses, &self.evidence, history).unwrap()
    }

    /// What an offer really adds for a customer, and what it really costs.
    fn adds(&self, row: &PlannedCustomer, offer: usize) -> (f64, f64) {
        let truth = &self.truth[&row.customer_id];
        let (contact, redeem, _) = OFFERS[offer];
        let cost = contact + (truth.p0 + truth.effects[offer]) * redeem;
        (truth.effects[offer] * self.worth(row) - cost, cost)
    }

    /// The margin of a return.
    fn worth(&self, row: &PlannedCustomer) -> f64 {
        let truth = &self.truth[&row.customer_id];
        MARGIN * if is_lapsed(row) { truth.spend.1 } else { truth.spend.0 }
    }
}

fn is_lapsed(row: &PlannedCustomer) -> bool {
    row.why.starts_with("lost for")
}

/// Who could be contacted.
fn cases(sheet: &PlanSheet) -> Vec<&PlannedCustomer> {
    sheet.rows().iter().filter(|row| row.predicted_return_probability.is_some()).collect()
}

/// What a customer is, as the plan tells kinds apart; of those who left for a competitor only that.
fn stratum(row: &PlannedCustomer) -> String {
    let band = match row.why.strip_prefix("lost for ").and_then(|rest| rest.split(' ').next()) {
        Some(lost) => match lost.parse::<i32>().unwrap() / HORIZON_DAYS {
            0 => "lost 0-1 horizons",
            1 => "lost 1-2 horizons",
            2 | 3 => "lost 2-4 horizons",
            _ => "lost 4 horizons or more",
        },
        None => "at risk",
    };
    format!("{band}, {}", row.cause)
}

fn offer_place(row: &PlannedCustomer) -> Option<usize> {
    row.offer.as_deref()?.strip_prefix('o')?.parse().ok()
}

fn offers_json(effects: &[Vec<String>]) -> Offers {
    let one = |(place, (contact, redeem, most)): (usize, &(f64, f64, f64))| {
        let effect = match effects.is_empty() {
            true => format!(r#"{{"assumed": {{"low": 0.0, "high": {most}}}}}"#),
            false => format!(r#"{{"measured": [{}]}}"#, effects[place].join(",")),
        };
        let money = *redeem > 0.0;
        format!(
            r#"{{"name": "o{place}", "channel": "c{place}", "money": {money}, "contact_cost": {contact}, "redeem_cost": {{"fixed": {redeem}}}, "effect": {effect}}}"#
        )
    };
    let all: Vec<String> = OFFERS.iter().enumerate().map(one).collect();
    Offers::from_json(&format!("[{}]", all.join(","))).unwrap()
}

/// Cells too small to speak for themselves are told together, by state and cause.
fn pooled(tallies: BTreeMap<(usize, String), TwoArms>) -> BTreeMap<(usize, String), TwoArms> {
    const LEAST: u64 = 20;
    let is_small = |tally: &TwoArms| tally.treated.min(tally.control) < LEAST;
    let mut all: BTreeMap<(usize, String), TwoArms> = BTreeMap::new();
    for ((offer, stratum), tally) in tallies {
        let (band, cause) = stratum.split_once(", ").unwrap();
        let state = if band.starts_with("lost") { "lapsed" } else { "at risk" };
        let name = if is_small(&tally) { format!("{state}, {cause}") } else { stratum.clone() };
        let sum = all.entry((offer, name)).or_default();
        sum.treated += tally.treated;
        sum.treated_successes += tally.treated_successes;
        sum.control += tally.control;
        sum.control_successes += tally.control_successes;
    }
    all.retain(|_, tally| !is_small(tally));
    all
}

/// What a pilot showed: effects by stratum as JSON, and what a return is worth.
fn pilot(market: &Market, seed: u64) -> (Vec<Vec<String>>, Option<ValuePerReturn>) {
    let params = WinbackPlan::params(offers_json(&[]), MARGIN)
        .with_holdout_fraction(0.5)
        .with_explore_fraction(1.0)
        .with_seed(seed);
    let plan = market.plan(&params);
    let mut random = SplitMix(seed ^ 0x5eed);
    let mut tallies: BTreeMap<(usize, String), TwoArms> = BTreeMap::new();
    let (mut treated, mut returned, mut spent) = (Vec::new(), Vec::new(), Vec::new());
    for row in plan.sheet().rows() {
        let Some(offer) = offer_place(row) else { continue };
        let truth = &market.truth[&row.customer_id];
        let is_treated = row.arm == Arm::Treated;
        let p = truth.p0 + if is_treated { truth.effects[offer] } else { 0.0 };
        let back = random.uniform() < p;
        // Each offer is compared with its own held out customers, as `measure` does.
        let tally = tallies.entry((offer, stratum(row))).or_default();
        match is_treated {
            true => {
                tally.treated += 1;
                tally.treated_successes += u64::from(back);
            }
            false => {
                tally.control += 1;
                tally.control_successes += u64::from(back);
            }
        }
        if is_lapsed(row) {
            treated.push(is_treated);
            returned.push(back);
            spent.push(if back { truth.spend.1 } else { 0.0 });
        }
    }
    let mut effects = vec![Vec::new(); OFFERS.len()];
    for ((place, stratum), tally) in pooled(tallies) {
        let Some(found) = rate_difference(&[tally], 0.95) else { continue };
        effects[place].push(format!(
            r#"{{"estimate": {}, "low": {}, "high": {}, "campaign": "pilot", "stratum": "{stratum}"}}"#,
            found.estimate, found.low, found.high
        ));
    }
    (effects, ValuePerReturn::of(&treated, &returned, &spent).ok())
}

/// Profit of going down a list, each with an offer, until the money is spent.
fn down(market: &Market, list: &[(&PlannedCustomer, usize)], money: f64) -> f64 {
    let (mut profit, mut left) = (0.0, money);
    for (row, offer) in list {
        let (adds, cost) = market.adds(row, *offer);
        if cost > left {
            break;
        }
        left -= cost;
        profit += adds;
    }
    profit
}

#[derive(Clone, Copy, Debug, Default)]
struct Result {
    plan: f64,
    by_risk: f64,
    by_value: f64,
    by_segment: f64,
    /// The same three, had they spent the whole budget, of which a plan keeps what may be redeemed by bad luck.
    of_all_money: [f64; 3],
    covered: f64,
    predicted: f64,
}

/// One market: a pilot on its first half of customers, and a plan for the second.
fn run(kind: Kind, customers: usize, seed: u64) -> Result {
    let first = Market::new(kind, customers, 2 * seed + 1);
    let (effects, value) = pilot(&first, seed);
    let market = Market::new(kind, customers, 2 * seed + 2);
    let budget = 0.25 * customers as f64;
    let mut params = WinbackPlan::params(offers_json(&effects), MARGIN)
        .with_budget_amount(budget)
        .with_holdout_fraction(0.0)
        .with_seed(seed);
    if let Some(value) = value {
        params = params.with_value_per_return(value);
    }
    let plan = market.plan(&params);
    let rows = plan.sheet().rows().iter();
    let (mut profit, mut money) = (0.0, 0.0);
    for (row, offer) in rows.filter_map(|row| Some((row, offer_place(row)?))) {
        let (adds, cost) = market.adds(row, offer);
        profit += adds;
        money += cost;
    }
    let tell = std::env::var_os("WINBACK_TELL").is_some();
    for is in [true, false].into_iter().filter(|_| tell) {
        let own: Vec<_> = (plan.sheet().rows().iter())
            .filter_map(|row| Some((row, offer_place(row)?)))
            .filter(|(row, _)| is_lapsed(row) == is)
            .collect();
        let word = |row: &PlannedCustomer, after: &str| -> f64 {
            let rest = row.why.split_once(after).unwrap().1;
            rest.split([' ', ';']).next().unwrap().parse().unwrap()
        };
        let mean = |of: &dyn Fn(&PlannedCustomer, usize) -> f64| {
            own.iter().map(|(row, offer)| of(row, *offer)).sum::<f64>() / own.len() as f64
        };
        println!(
            "{kind:?} {seed} {}: {} treated, each brings {:.2}, said {:.2}; effect {:.3}, said {:.3}; alone {:.3}, said \
             {:.3}; worth {:.1}, said {:.1}",
            if is { "lost" } else { "at risk" },
            own.len(),
            mean(&|row, offer| market.adds(row, offer).0),
            mean(&|row, _| row.expected_profit_amount.unwrap()),
            mean(&|row, offer| market.truth[&row.customer_id].effects[offer]),
            mean(&|row, _| word(row, "adds ") / 100.0),
            mean(&|row, _| market.truth[&row.customer_id].p0),
            mean(&|row, _| row.predicted_return_probability.unwrap()),
            mean(&|row, _| market.worth(row)),
            mean(&|row, _| word(row, "a return is worth ")),
        );
    }
    if tell {
        println!(
            "{kind:?} {seed} all: brings {profit:.0}, said {:?}; cost {money:.0}, {value:?}",
            plan.outlook
        );
    }
    // The others see the same customers, spend the same money, and know what each offer brought in the pilot.
    let all = cases(plan.sheet());
    let estimates: Vec<BTreeMap<String, f64>> = effects
        .iter()
        .map(|list| {
            let of = |text: &String| {
                let value: serde_json::Value = serde_json::from_str(text).unwrap();
                (value["stratum"].as_str().unwrap().to_owned(), value["estimate"].as_f64().unwrap())
            };
            list.iter().map(of).collect()
        })
        .collect();
    // A segment's profit with its best offer, by what the pilot showed there, at the segment's mean value.
    let mut segments: BTreeMap<String, Vec<&PlannedCustomer>> = BTreeMap::new();
    all.iter().for_each(|row| segments.entry(stratum(row)).or_default().push(row));
    let gain = |rows: &[&PlannedCustomer], offer: usize, effect: f64| {
        let n = rows.len() as f64;
        let (contact, redeem, _) = OFFERS[offer];
        let value = rows.iter().map(|row| market.worth(row)).sum::<f64>() / n;
        let p0 = rows.iter().filter_map(|row| row.predicted_return_probability).sum::<f64>() / n;
        let cost = contact + (p0 + effect) * redeem;
        (effect * value - cost, cost)
    };
    let mut ranked: Vec<(f64, Vec<(&PlannedCustomer, usize)>)> = segments
        .iter()
        .filter_map(|(name, rows)| {
            let (band, cause) = name.split_once(", ").unwrap();
            let state = if band.starts_with("lost") { "lapsed" } else { "at risk" };
            let wider = format!("{state}, {cause}");
            let told = |offer: usize| estimates[offer].get(name).or_else(|| estimates[offer].get(&wider));
            let offers = (0..OFFERS.len()).filter_map(|offer| Some((offer, *told(offer)?)));
            let best = offers.map(|(offer, effect)| (gain(rows, offer, effect), offer));
            let ((profit, cost), offer) = best.max_by(|a, b| a.0.0.total_cmp(&b.0.0))?;
            (profit > 0.0).then(|| (profit / cost, rows.iter().map(|row| (*row, offer)).collect()))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let by_segment: Vec<_> = ranked.into_iter().flat_map(|(_, rows)| rows).collect();
    let mean = |offer: usize| estimates[offer].values().sum::<f64>() / estimates[offer].len().max(1) as f64;
    let best = (0..OFFERS.len())
        .max_by(|&a, &b| gain(&all, a, mean(a)).0.total_cmp(&gain(&all, b, mean(b)).0))
        .unwrap();
    let by = |of: &dyn Fn(&PlannedCustomer) -> f64| {
        let mut list: Vec<(&PlannedCustomer, usize)> = all.iter().map(|row| (*row, best)).collect();
        list.sort_by(|a, b| of(b.0).total_cmp(&of(a.0)));
        list
    };
    let by_risk = by(&|row| 1.0 - row.predicted_return_probability.unwrap_or(0.0));
    let by_value = by(&|row| market.truth[&row.customer_id].spent);
    let outlook = &plan.outlook;
    Result {
        plan: profit,
        by_risk: down(&market, &by_risk, money),
        by_value: down(&market, &by_value, money),
        by_segment: down(&market, &by_segment, money),
        of_all_money: [&by_risk, &by_value, &by_segment].map(|list| down(&market, list, budget)),
        covered: f64::from(u8::from(
            (outlook.profit_low_amount..=outlook.profit_high_amount).contains(&profit),
        )),
        predicted: outlook.profit_amount,
    }
}

/// Mean results of a market over some seeds.
fn mean(kind: Kind, customers: usize, seeds: u64) -> Result {
    let mut sum = Result::default();
    for seed in 0..seeds {
        let one = run(kind, customers, 1_000 + seed);
        if std::env::var_os("WINBACK_TELL").is_some() {
            println!("{kind:?} {seed} {one:.0?}");
        }
        let part = 1.0 / seeds as f64;
        sum.plan += part * one.plan;
        sum.by_risk += part * one.by_risk;
        sum.by_value += part * one.by_value;
        sum.by_segment += part * one.by_segment;
        sum.of_all_money.iter_mut().zip(one.of_all_money).for_each(|(sum, one)| *sum += part * one);
        sum.covered += part * one.covered;
        sum.predicted += part * one.predicted;
    }
    println!("{kind:?}: {sum:.1?}");
    sum
}

const KINDS: [Kind; 3] = [Kind::Rising, Kind::Falling, Kind::Unrelated];

#[test]
fn a_plan_beats_the_usual_ways_to_choose() {
    let found = KINDS.map(|kind| mean(kind, 1_500, 2));
    let total = |of: fn(&Result) -> f64| found.iter().map(of).sum::<f64>();
    let plan = total(|one| one.plan);
    assert!(plan > total(|one| one.by_risk) && plan > total(|one| one.by_value));
    assert!(plan > 0.9 * total(|one| one.by_segment));
}

/// Fifty seeds of each market: better on average than each other way, in no market worse by more than 2 %, and the
/// profit is within what was said.
#[test]
#[ignore = "takes minutes"]
fn over_fifty_seeds_no_market_is_lost() {
    let found = KINDS.map(|kind| mean(kind, 2_000, crate::markets::data_sets(50)));
    for one in &found {
        for other in [one.by_risk, one.by_value, one.by_segment] {
            assert!(one.plan >= other - 0.02 * other.abs(), "{one:?}");
        }
        assert!(one.covered >= 0.9, "{one:?}");
    }
    let total = |of: fn(&Result) -> f64| found.iter().map(of).sum::<f64>();
    let plan = total(|one| one.plan);
    assert!(plan > total(|one| one.by_risk) && plan > total(|one| one.by_value));
    assert!(plan > total(|one| one.by_segment));
}
