//! Winning back: who gets which offer, offers as data, shrunk effects, past attempts.

use std::time::Instant;

use ::winback::winback::{
    Allocator, Choice, EffectEvidence, Offers, RedeemCost, Returns, ShrunkEffects, StratumEffect,
};
use polars::prelude::*;

use crate::logs::SplitMix;

/// Customers with up to so many choices each, from a seed.
fn choices(random: &mut SplitMix, customers: usize, offers: u32) -> (Vec<usize>, Vec<Choice>) {
    let (mut starts, mut all) = (vec![0], Vec::new());
    for _ in 0..customers {
        let size = 0.5 + random.uniform();
        for offer in 0..offers {
            if random.uniform() < 0.8 {
                let cost = (1.0 + 4.0 * random.uniform()) * (1.0 + f64::from(offer));
                let profit = size * (3.0 + f64::from(offer)) * (random.uniform() * 1.4 - 0.2);
                all.push(Choice { offer, profit, cost });
            }
        }
        starts.push(all.len());
    }
    (starts, all)
}

struct Limits {
    budget: f64,
    capacity: u64,
    channel: u64,
}

impl Limits {
    fn allocator(&self, offers: u32) -> Allocator {
        Allocator::new(offers as usize)
            .with_budget_amount(self.budget)
            .with_capacity(0, self.capacity)
            .with_channel("mail", &[0, 1], self.channel)
    }

    fn hold(&self, cost: f64, counts: &[u64]) -> bool {
        cost <= self.budget && counts[0] <= self.capacity && counts[0] + counts[1] <= self.channel
    }
}

/// The best profit of all plans, tried one by one.
fn exhaustive(
    starts: &[usize],
    all: &[Choice],
    limits: &Limits,
    at: usize,
    cost: f64,
    counts: &mut [u64],
) -> f64 {
    if at + 1 == starts.len() {
        return 0.0;
    }
    let mut best = exhaustive(starts, all, limits, at + 1, cost, counts);
    for choice in &all[starts[at]..starts[at + 1]] {
        counts[choice.offer as usize] += 1;
        if limits.hold(cost + choice.cost, counts) {
            let rest = exhaustive(starts, all, limits, at + 1, cost + choice.cost, counts);
            best = f64::max(best, choice.profit + rest);
        }
        counts[choice.offer as usize] -= 1;
    }
    best
}

#[track_caller]
fn check_within(plan: &::winback::winback::Allocation, starts: &[usize], all: &[Choice], limits: &Limits) {
    let (mut cost, mut profit, mut counts) = (0.0, 0.0, [0; 8]);
    for (customer, offer) in plan.offers.iter().enumerate() {
        let Some(offer) = offer else { continue };
        let own =
            all[starts[customer]..starts[customer + 1]].iter().find(|choice| choice.offer == *offer).unwrap();
        cost += own.cost;
        profit += own.profit;
        counts[*offer as usize] += 1;
    }
    assert!(limits.hold(cost, &counts), "{cost} {counts:?}");
    assert!((profit - plan.profit_amount).abs() <= 1e-9 * profit.abs().max(1.0));
}

/// Value ≤ exact ≤ bound, and a gap of one choice per limit that binds, at most.
#[test]
fn small_plans_against_all_plans() {
    let mut random = SplitMix(11);
    let (mut exact_found, mut short) = (0, 0.0);
    const PLANS: usize = 400;
    for _ in 0..PLANS {
        let (starts, all) = choices(&mut random, 7, 3);
        let limits = Limits {
            budget: 4.0 + 30.0 * random.uniform(),
            capacity: 1 + random.next() % 3,
            channel: 1 + random.next() % 5,
        };
        let plan = limits.allocator(3).allocate(&starts, &all).unwrap();
        let exact = exhaustive(&starts, &all, &limits, 0, 0.0, &mut [0; 3]);
        check_within(&plan, &starts, &all, &limits);
        assert!(plan.profit_amount <= exact + 1e-9, "{} above {exact}", plan.profit_amount);
        assert!(plan.bound_amount >= exact - 1e-7 * exact.abs(), "{} below {exact}", plan.bound_amount);
        let binding = plan.limits.iter().filter(|limit| limit.price > 1e-9).count();
        let most = binding as f64 * plan.largest_choice_amount + 1e-6;
        assert!(plan.gap_amount <= most, "gap {} above {most}", plan.gap_amount);
        exact_found += usize::from(plan.profit_amount >= exact - 1e-9);
        short += (exact - plan.profit_amount) / exact.max(1e-9);
    }
    println!("{exact_found} of {PLANS} are exact, {:.3} % short on average", 100.0 * short / PLANS as f64);
    assert!(exact_found > PLANS * 8 / 10);
}

#[test]
fn the_gap_is_small_from_a_thousand_customers_on() {
    let mut random = SplitMix(12);
    let mut gaps = Vec::new();
    for _ in 0..15 {
        let (starts, all) = choices(&mut random, 1_000, 5);
        let limits = Limits { budget: 1_500.0, capacity: 60, channel: 200 };
        let plan = limits.allocator(5).allocate(&starts, &all).unwrap();
        check_within(&plan, &starts, &all, &limits);
        let binding = plan.limits.iter().filter(|limit| limit.price > 1e-9).count() as f64;
        assert!(plan.gap_amount <= binding * plan.largest_choice_amount);
        gaps.push(plan.gap_amount / plan.bound_amount);
    }
    gaps.sort_by(f64::total_cmp);
    println!("median gap {:.5} %, largest {:.5} %", 100.0 * gaps[7], 100.0 * gaps[14]);
    assert!(gaps[7] <= 0.001);
}

/// Thousands of customers alike: everything ties.
#[test]
fn equal_customers_fill_the_limits() {
    let all = vec![Choice { offer: 0, profit: 2.0, cost: 3.0 }; 5_000];
    let starts: Vec<usize> = (0..=5_000).collect();
    let plan = Allocator::new(1)
        .with_budget_amount(3_001.0)
        .with_capacity(0, 4_000)
        .allocate(&starts, &all)
        .unwrap();
    assert_eq!(plan.offers.iter().flatten().count(), 1_000);
    assert!(plan.gap_amount <= 2.0);
    let curve = Allocator::new(1).curve(&starts, &all, &[0.0, 300.0, 30_000.0]).unwrap();
    let profits: Vec<f64> = curve.iter().map(|point| point.profit_amount).collect();
    assert_eq!(profits, [0.0, 200.0, 10_000.0]);
}

#[test]
fn threads_do_not_show_in_a_plan() {
    let (starts, all) = choices(&mut SplitMix(13), 30_000, 4);
    let limits = Limits { budget: 20_000.0, capacity: 900, channel: 4_000 };
    let with = |threads: usize| {
        let pool = rayon_pool(threads);
        pool.install(|| limits.allocator(4).allocate(&starts, &all).unwrap())
    };
    let (one, three) = (with(1), with(3));
    assert_eq!(one, three);
    assert_eq!(one.profit_amount.to_bits(), three.profit_amount.to_bits());
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn impossible_numbers_are_refused() {
    let choice = |offer, profit, cost| Choice { offer, profit, cost };
    for (wrong, expected) in [
        (choice(0, f64::NAN, 1.0), "profit NaN at cost 1 (customer 1, offer 0)"),
        (choice(0, 1.0, -1.0), "a cost from 0 on"),
        (choice(0, f64::INFINITY, 1.0), "a finite profit"),
        (choice(5, 1.0, 1.0), "offer is 5 of 1"),
    ] {
        let said = Allocator::new(1).allocate(&[0, 1], &[wrong]).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    assert!(Allocator::new(1).with_budget_amount(f64::NAN).allocate(&[0], &[]).is_err());
    assert!(Allocator::new(1).allocate(&[0, 2], &[choice(0, 1.0, 1.0)]).is_err());
    let nobody = Allocator::new(0).with_budget_amount(5.0).allocate(&[0], &[]).unwrap();
    assert_eq!((nobody.profit_amount, nobody.bound_amount), (0.0, 0.0));
}

#[test]
#[ignore = "a measurement, for optimised code"]
fn a_million_customers() {
    let (starts, all) = choices(&mut SplitMix(14), 1_000_000, 5);
    let limits = Limits { budget: 800_000.0, capacity: 50_000, channel: 150_000 };
    let begun = Instant::now();
    let plan = limits.allocator(5).with_capacity(3, 60_000).allocate(&starts, &all).unwrap();
    println!(
        "{:.2} s, gap {:.7} %\n{plan}",
        begun.elapsed().as_secs_f64(),
        100.0 * plan.gap_amount / plan.bound_amount
    );
    check_within(&plan, &starts, &all, &limits);
}

const OFFERS: &str = r#"[{"name": "ten-off", "channel": "email", "money": true, "contact_cost": 0.05,
  "redeem_cost": {"fixed": 10.0}, "min_amount": 5.0, "max_amount": 20.0, "capacity": 2000, "valid_days": 30,
  "steps_to_redeem": 1, "conditions": "", "causes": ["Price", "Competitor"],
  "effect": {"assumed": {"low": 0.00, "high": 0.06}}},
 {"name": "call", "channel": "phone", "money": false, "redeem_cost": {"percent": 0.1},
  "effect": {"measured": [{"estimate": 0.03, "low": 0.01, "high": 0.05, "campaign": "spring", "stratum": "a"},
                          {"estimate": -0.01, "low": -0.03, "high": 0.01, "stratum": "b"}]}}]"#;

#[test]
fn offers_are_read_as_documented() {
    let offers = Offers::from_json(OFFERS).unwrap();
    let [ten, call] = offers.offers() else { panic!("two offers") };
    assert_eq!((ten.capacity, ten.max_amount, ten.causes.len()), (Some(2_000), Some(20.0), 2));
    assert_eq!((call.money, call.redeem_cost, call.causes.len()), (false, RedeemCost::Percent(0.1), 7));
    assert!(matches!(&call.effect, EffectEvidence::Measured(effects) if effects.len() == 2));
    assert!(offers.warnings().is_empty());
}

#[test]
fn all_faults_of_offers_are_told_at_once() {
    let text = r#"[{"name": "a", "channel": 5, "colour": "red", "contact_cost": -1, "redeem_cost": {"fixed": 1, "percent": 2},
        "causes": ["price"], "valid_days": 1.5, "min_amount": 3, "max_amount": 2,
        "effect": {"assumed": {"low": 0.5, "high": 0.1}}},
       {"name": "a", "name": "a", "channel": "x", "effect": {"measured": {"estimate": 1, "low": 0.1, "high": 0.2}}}, 7]"#;
    let said = Offers::from_json(text).unwrap_err().to_string();
    for part in [
        "offers[0].channel: found 5, expected text",
        "offers[0]: found key `colour`, expected one of capacity, causes",
        "offers[0].contact_cost: found -1, expected an amount from 0 on",
        "offers[0].redeem_cost.percent: found 2, expected a share, 0 to 1",
        "offers[0].redeem_cost: found an object of `fixed`, `percent`, expected either fixed or percent",
        "offers[0].causes: found `price`, expected one of Competitor",
        "offers[0].valid_days: found 1.5, expected a whole number",
        "offers[0].max_amount: found 2, expected at least min_amount, 3",
        "offers[0].effect.assumed: found low 0.5 above high 0.1",
        "offers[1].name: found the key twice",
        "offers[1].effect.measured: found 1 in 0.1 to 0.2",
        "offers[2]: found 7, expected an object",
    ] {
        assert!(said.contains(part), "{part} is missing: {said}");
    }
    assert!(Offers::from_json("[]").is_err() && Offers::from_json("{").is_err());
    let twice = r#"[{"name": "a", "channel": "x", "effect": {"assumed": {"low": 0, "high": 0.1}}},
                    {"name": "a", "channel": "y", "effect": {"assumed": {"low": 0, "high": 0.1}}}]"#;
    assert!(Offers::from_json(twice).unwrap_err().to_string().contains("a name of its own"));
}

/// 2,000 sets of 8 strata: shrunk means are nearer the truth than own estimates, and 95 % of intervals cover.
#[test]
fn shrunk_effects_are_nearer_the_truth() {
    let mut random = SplitMix(15);
    let (mut own, mut shrunk, mut covered, mut all) = (0.0, 0.0, 0.0, 0.0);
    for _ in 0..2_000 {
        let truth: Vec<f64> = (0..8).map(|_| 0.03 + 0.02 * random.normal()).collect();
        let measured: Vec<StratumEffect> = truth
            .iter()
            .map(|effect| {
                let standard_error = 0.01 + 0.04 * random.uniform();
                let estimate = effect + standard_error * random.normal();
                StratumEffect { stratum: String::new(), estimate, standard_error }
            })
            .collect();
        let found = ShrunkEffects::of(&measured).unwrap();
        for ((truth, measured), effect) in truth.iter().zip(&measured).zip(&found.effects) {
            own += (measured.estimate - truth).powi(2);
            shrunk += (effect.mean - truth).powi(2);
            covered += f64::from(u8::from((effect.mean - truth).abs() <= 1.96 * effect.sd));
            all += 1.0;
        }
    }
    println!("squared error {:.2} of the own estimates', {:.3} covered", shrunk / own, covered / all);
    assert!(shrunk < 0.5 * own);
    // 16,000 effects: within .93 to .97 if .95 are covered.
    assert!((0.93..0.97).contains(&(covered / all)));
}

#[test]
fn attempts_are_learned_from() {
    let mut random = SplitMix(16);
    let (mut back, mut days, mut cause) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..4_000 {
        let (lapsed, price) = (10.0 + 200.0 * random.uniform(), row % 3 == 0);
        let eta = 0.5 - 0.01 * lapsed + if price { 0.8 } else { 0.0 };
        back.push(if random.uniform() < 1.0 / (1.0 + (-eta).exp()) { "Yes" } else { "no" });
        days.push((row % 50 != 7).then_some(lapsed));
        cause.push(if price { "Price" } else { "Other" });
    }
    let frame = df!["back" => back, "days" => days, "cause" => cause].unwrap();
    let params = Returns::params("back").with_numeric(["days"]).with_categorical(["cause"]);
    let found = params.from_frame(&frame).unwrap();
    assert!(found.auc.unwrap() > 0.64 && found.log_loss < 0.65 && found.converged, "{found}");
    for (coefficient, truth) in [(&found.coefficients[0], -0.01), (&found.coefficients[2], 0.8)] {
        assert!((coefficient.log_odds - truth).abs() < 4.0 * coefficient.standard_error, "{coefficient:?}");
    }
    assert_eq!(found.coefficients[1].column, "days is missing");
    assert_eq!(found.coefficients[2].column, "cause = Price");
    assert!(found.to_string().contains("associations"));
    let few = df!["back" => [1, 0, 1, 2], "days" => [1.0, 2.0, 3.0, 4.0]].unwrap();
    let said = Returns::params("back").with_numeric(["days"]).from_frame(&few).unwrap_err().to_string();
    assert!(said.contains("row 4: `2`"), "{said}");
}
