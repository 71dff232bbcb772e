//! Which plan keeps its limits, when nobody knows who will redeem?

use super::allocation::{Allocation, Allocator, CurvePoint, LimitUse};
use super::beliefs::Beliefs;
use super::cases::Case;
use super::holdout::{Assignment, Candidate, HoldoutParams};
use super::offer::Offer;
use super::options::{Options, Pick};
use super::outlook::{Outlook, outlook};
use super::planned::Arm;
use crate::error::Result;

/// Rounds in which the budget for the expected cost is set so that the cost itself keeps the budget.
const MOST_ROUNDS: usize = 8;
/// A budget so far used up is used up.
const USED_UP: f64 = 0.995;
/// The quantile of the cost is itself drawn: so much is left free for that.
const FREE: f64 = 0.002;
/// Shares of the budget at which the curve is computed.
const CURVE: [f64; 6] = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0];

/// What a customer would be contacted with.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) pick: Pick,
    pub(super) arm: Arm,
    pub(super) stratum: String,
    /// The lot chose the offer.
    pub(super) is_by_lot: bool,
}

/// A plan, and what it is expected to bring.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// Per case.
    pub(super) chosen: Vec<Option<Chosen>>,
    /// The arms' strata of who was drawn before, in the order given.
    pub(super) before: Vec<(Assignment, String)>,
    pub(super) outlook: Outlook,
    pub(super) limits: Vec<LimitUse>,
    pub(super) bound_amount: f64,
    pub(super) gap_amount: f64,
    pub(super) curve: Vec<CurvePoint>,
}

/// What a plan is looked for among.
pub(super) struct Search<'a> {
    pub(super) offers: &'a [Offer],
    pub(super) cases: &'a [Case],
    pub(super) options: &'a Options,
    pub(super) beliefs: &'a Beliefs,
    pub(super) holdout: &'a HoldoutParams,
    pub(super) holdout_fraction: f64,
    /// Everybody, one per case, and who was drawn before.
    pub(super) candidates: &'a [Candidate<'a>],
    pub(super) before: &'a [Candidate<'a>],
    /// What is left of the budget, of each offer and of each channel.
    pub(super) budget: Option<f64>,
    pub(super) capacities: &'a [Option<u64>],
    pub(super) channels: &'a [(String, Vec<u32>, u64)],
    pub(super) value_error: f64,
    pub(super) seed: u64,
}

impl Search<'_> {
    /// Looks for the plan with the most expected profit whose cost keeps the budget in 95 of 100 cases.
    ///
    /// Expected costs are what the allocation adds up. Its budget is first that of all contacted, held out or not, and is
    /// then scaled until the upper end of the drawn cost of the treated meets the budget.
    pub(super) fn run(&self) -> Result<Found> {
        let choices = self.options.choices();
        let treated_share = 1.0 - self.holdout_fraction;
        let mut money = self.budget.map(|budget| budget / treated_share);
        let mut best: Option<(Found, Option<f64>)> = None;
        for _ in 0..MOST_ROUNDS {
            let allocator = self.allocator(money);
            let allocation = allocator.allocate(&self.options.starts, &choices)?;
            let found = self.draw(&allocation)?;
            let high = found.outlook.cost_high_amount;
            let Some(budget) = self.budget else {
                best = Some((found, None));
                break;
            };
            let holds = high <= budget * (1.0 + 1e-9);
            let is_tight = allocation.limits.first().is_some_and(|limit| limit.price > 0.0);
            let better = best.as_ref().is_none_or(|(known, _)| {
                found.outlook.profit_amount > known.outlook.profit_amount
                    || known.outlook.cost_high_amount > budget
            });
            if better && (holds || best.is_none()) {
                best = Some((found, money));
            }
            if budget == 0.0 || (holds && (!is_tight || high >= USED_UP * budget)) {
                break;
            }
            let step = if high > 0.0 { budget * (1.0 - FREE) / high } else { 1.5 };
            money = money.map(|money| money * step.clamp(0.2, 1.5));
        }
        let Some((mut found, money)) = best else { return self.draw(&Allocation::none(self.cases.len())) };
        if let (Some(budget), Some(money)) = (self.budget.filter(|budget| *budget > 0.0), money) {
            let scale = money / budget;
            let budgets: Vec<f64> = CURVE.iter().map(|share| share * money).collect();
            let curve = self.allocator(None).curve(&self.options.starts, &choices, &budgets)?;
            found.curve = curve
                .into_iter()
                .map(|point| CurvePoint {
                    budget_amount: point.budget_amount / scale,
                    profit_amount: point.profit_amount * treated_share,
                    price: point.price * scale * treated_share,
                })
                .collect();
            // Limits are told as they were given: of the treated, whose cost is not known beforehand.
            for limit in found.limits.iter_mut().filter(|limit| limit.name == "budget") {
                limit.limit = budget;
                limit.used = found.outlook.cost_high_amount;
                limit.price *= scale * treated_share;
            }
        }
        Ok(found)
    }

    fn allocator(&self, money: Option<f64>) -> Allocator {
        let of_all = |treated: u64| (treated as f64 / (1.0 - self.holdout_fraction)).floor() as u64;
        let mut allocator = Allocator::new(self.offers.len());
        if let Some(money) = money {
            allocator = allocator.with_budget_amount(money);
        }
        for (offer, most) in self.capacities.iter().enumerate() {
            if let Some(most) = most {
                allocator = allocator.with_capacity(offer as u32, of_all(*most));
            }
        }
        for (name, offers, most) in self.channels {
            allocator = allocator.with_channel(name, offers, of_all(*most));
        }
        allocator
    }

    /// Draws arms for the contacted, and looks at what comes of it.
    fn draw(&self, allocation: &Allocation) -> Result<Found> {
        let contacted: Vec<usize> =
            (0..self.cases.len()).filter(|&case| allocation.offers[case].is_some()).collect();
        let drawn: Vec<Candidate> =
            contacted.iter().map(|&case| self.candidates[case]).chain(self.before.iter().copied()).collect();
        let holdout = self.holdout.draw(&drawn)?;
        let (own, before) = holdout.assignments().split_at(contacted.len());
        let name = |assignment: &Assignment| holdout.strata()[assignment.stratum].name.clone();
        let mut chosen: Vec<Option<Chosen>> = vec![None; self.cases.len()];
        for (&case, assignment) in contacted.iter().zip(own) {
            let picks = self.options.of_case(case);
            let by_lot = assignment.by_lot.and_then(|place| picks.get(place));
            let planned = picks.iter().find(|pick| Some(pick.offer) == allocation.offers[case]);
            let Some(pick) = by_lot.or(planned).copied() else { continue };
            let is_by_lot = by_lot.is_some();
            chosen[case] = Some(Chosen { pick, arm: assignment.arm, stratum: name(assignment), is_by_lot });
        }
        for (offers, most) in self.counted() {
            self.keep_within(&mut chosen, &offers, most);
        }
        let treated: Vec<(&Case, Pick, f64)> = self
            .cases
            .iter()
            .zip(&chosen)
            .filter_map(|(case, chosen)| {
                let chosen = chosen.as_ref().filter(|chosen| chosen.arm == Arm::Treated)?;
                Some((case, chosen.pick, self.offers[chosen.pick.offer as usize].contact_cost))
            })
            .collect();
        let mut limits = allocation.limits.clone();
        for (limit, (offers, most)) in
            limits.iter_mut().filter(|limit| limit.name != "budget").zip(self.counted())
        {
            limit.limit = most as f64;
            limit.used = treated.iter().filter(|(_, pick, _)| offers.contains(&pick.offer)).count() as f64;
            if let [offer] = offers.as_slice()
                && limit.name.starts_with("offer ")
            {
                limit.name = format!("offer {}", self.offers[*offer as usize].name);
            }
        }
        Ok(Found {
            outlook: outlook(&treated, self.beliefs, self.value_error, self.budget, self.seed),
            before: before.iter().map(|assignment| (*assignment, name(assignment))).collect(),
            chosen,
            limits,
            bound_amount: allocation.bound_amount,
            gap_amount: allocation.gap_amount,
            curve: Vec::new(),
        })
    }

    /// Limits on how many are treated: offers and most, in the order of the allocation's.
    fn counted(&self) -> Vec<(Vec<u32>, u64)> {
        let capacities = self.capacities.iter().enumerate();
        let capacities = capacities.filter_map(|(offer, most)| Some((vec![offer as u32], (*most)?)));
        let channels = self.channels.iter().map(|(_, offers, most)| (offers.clone(), *most));
        capacities.chain(channels).filter(|(_, most)| *most > 0).collect()
    }

    /// Gives up those who are expected to bring least, treated and held out alike, until no more are treated than
    /// may be.
    fn keep_within(&self, chosen: &mut [Option<Chosen>], offers: &[u32], most: u64) {
        let profit =
            |case: usize| chosen[case].as_ref().map_or(f64::NEG_INFINITY, |chosen| chosen.pick.profit);
        let mut own: Vec<usize> = (0..chosen.len())
            .filter(|&case| chosen[case].as_ref().is_some_and(|chosen| offers.contains(&chosen.pick.offer)))
            .collect();
        own.sort_by(|&a, &b| profit(b).total_cmp(&profit(a)).then(a.cmp(&b)));
        let mut treated = 0;
        for case in own {
            treated += u64::from(chosen[case].as_ref().is_some_and(|chosen| chosen.arm == Arm::Treated));
            if treated > most {
                chosen[case] = None;
            }
        }
    }
}
