//! Who gets which offer, so that expected profit is greatest within the limits?

use std::collections::BTreeMap;
use std::fmt;

use rayon::prelude::*;
use serde::Serialize;

use super::dual::{Choices, Dual, Limit, solve};
use super::repair::repair;
use crate::error::{Error, Result};

/// One offer that a customer could get.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// Which offer, from 0.
    pub offer: u32,
    /// Expected incremental profit, an amount; what the offer costs is already taken off.
    pub profit: f64,
    /// What counts against the budget, an amount from 0 on.
    pub cost: f64,
}

/// The limits of a plan. Without any, everyone gets their best offer.
#[derive(Clone, Debug)]
pub struct Allocator {
    offers: usize,
    budget: Option<f64>,
    capacities: BTreeMap<u32, u64>,
    channels: Vec<(String, Vec<u32>, u64)>,
}

impl Allocator {
    /// Begins with how many offers there are.
    #[must_use]
    pub fn new(offers: usize) -> Self {
        Allocator { offers, budget: None, capacities: BTreeMap::new(), channels: Vec::new() }
    }

    /// Limits the cost of all choices together, an amount from 0 on.
    #[must_use]
    pub fn with_budget_amount(mut self, amount: f64) -> Self {
        self.budget = Some(amount);
        self
    }

    /// Limits how many customers get an offer.
    #[must_use]
    pub fn with_capacity(mut self, offer: u32, customers: u64) -> Self {
        self.capacities.insert(offer, customers);
        self
    }

    /// Limits how many customers get one of these offers.
    #[must_use]
    pub fn with_channel(mut self, name: impl Into<String>, offers: &[u32], customers: u64) -> Self {
        self.channels.push((name.into(), offers.to_vec(), customers));
        self
    }

    /// Gives each customer one of their choices, or none: `starts` says where each customer's choices begin, and
    /// at last how many there are.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a profit or cost that is not finite, a negative cost or budget, an offer that
    /// does not exist, or starts that do not fit the choices.
    pub fn allocate(&self, starts: &[usize], choices: &[Choice]) -> Result<Allocation> {
        let (table, limits, names) = self.prepare(starts, choices)?;
        let dual = solve(&table, &limits, self.offers, None);
        Ok(self.finish(&table, &limits, names, &dual))
    }

    /// The best expected profit at each of these budgets, in their order; other limits stay.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    pub fn curve(&self, starts: &[usize], choices: &[Choice], budgets: &[f64]) -> Result<Vec<CurvePoint>> {
        let mut points = Vec::with_capacity(budgets.len());
        for &budget_amount in budgets {
            let found = self.clone().with_budget_amount(budget_amount).allocate(starts, choices)?;
            let price =
                found.limits.iter().find(|limit| limit.name == BUDGET).map_or(0.0, |limit| limit.price);
            points.push(CurvePoint { budget_amount, profit_amount: found.profit_amount, price });
        }
        Ok(points)
    }

    fn prepare(&self, starts: &[usize], choices: &[Choice]) -> Result<(Choices, Vec<Limit>, Vec<String>)> {
        self.check(starts, choices)?;
        let full = |offer: u32| {
            self.capacities.get(&offer) == Some(&0)
                || self.channels.iter().any(|(_, offers, most)| *most == 0 && offers.contains(&offer))
        };
        let full: Vec<bool> = (0..self.offers as u32).map(full).collect();
        let broke = self.budget == Some(0.0);
        let mut table = Choices {
            starts: Vec::with_capacity(starts.len()),
            offer: Vec::with_capacity(choices.len()),
            profit: Vec::with_capacity(choices.len()),
            cost: Vec::with_capacity(choices.len()),
        };
        table.starts.push(0);
        for range in starts.windows(2) {
            // What cannot be had, and what does not pay, is no choice.
            for choice in choices[range[0]..range[1]].iter().filter(|choice| choice.profit > 0.0) {
                let out_of_reach = full[choice.offer as usize] || (broke && choice.cost > 0.0);
                if !out_of_reach {
                    table.offer.push(choice.offer);
                    table.profit.push(choice.profit);
                    table.cost.push(choice.cost);
                }
            }
            table.starts.push(table.offer.len());
        }
        let (mut limits, mut names) = (Vec::new(), Vec::new());
        if let Some(amount) = self.budget.filter(|amount| *amount > 0.0) {
            limits.push(Limit { amount, offers: None });
            names.push(BUDGET.to_owned());
        }
        for (&offer, &most) in self.capacities.iter().filter(|(_, most)| **most > 0) {
            limits.push(Limit { amount: most as f64, offers: Some(vec![offer]) });
            names.push(format!("offer {offer}"));
        }
        for (name, offers, most) in self.channels.iter().filter(|(_, _, most)| *most > 0) {
            limits.push(Limit { amount: *most as f64, offers: Some(offers.clone()) });
            names.push(format!("channel {name}"));
        }
        Ok((table, limits, names))
    }

    fn check(&self, starts: &[usize], choices: &[Choice]) -> Result<()> {
        if starts.first() != Some(&0) || starts.last() != Some(&choices.len()) || !starts.is_sorted() {
            let found = format!("{} starts for {} choices", starts.len(), choices.len());
            return Err(Error::parameter("starts", found, "0, then ascending to the number of choices"));
        }
        if let Some(budget) = self.budget.filter(|budget| !(*budget >= 0.0 && budget.is_finite())) {
            return Err(Error::parameter("budget", budget, "an amount from 0 on"));
        }
        let named =
            self.capacities.keys().chain(self.channels.iter().flat_map(|(_, offers, _)| offers)).copied();
        let wrong = |choice: &Choice| {
            let sound = choice.profit.is_finite() && choice.cost.is_finite() && choice.cost >= 0.0;
            !sound || choice.offer as usize >= self.offers
        };
        let wrong = choices.par_iter().position_first(wrong);
        let offers = named.chain(wrong.map(|at| choices[at].offer));
        if let Some(offer) = offers.into_iter().find(|offer| *offer as usize >= self.offers) {
            let found = format!("{offer} of {}", self.offers);
            return Err(Error::parameter("offer", found, "a number below that of offers"));
        }
        match wrong {
            None => Ok(()),
            Some(at) => {
                let customer = starts.partition_point(|start| *start <= at);
                let Choice { offer, profit, cost } = choices[at];
                let found = format!("profit {profit} at cost {cost} (customer {customer}, offer {offer})");
                Err(Error::parameter("choice", found, "a finite profit and a cost from 0 on"))
            }
        }
    }

    fn finish(&self, table: &Choices, limits: &[Limit], names: Vec<String>, dual: &Dual) -> Allocation {
        let plan = repair(table, limits, dual);
        let (mut profit_amount, mut cost_amount) = (0.0, 0.0);
        let mut counts = vec![0.0; self.offers];
        for &choice in plan.iter().flatten() {
            profit_amount += table.profit[choice];
            cost_amount += table.cost[choice];
            counts[table.offer[choice] as usize] += 1.0;
        }
        let limits = limits
            .iter()
            .zip(names)
            .zip(&dual.limit_prices)
            .map(|((limit, name), &price)| LimitUse {
                name,
                limit: limit.amount,
                used: match &limit.offers {
                    None => cost_amount,
                    Some(offers) => offers.iter().map(|&offer| counts[offer as usize]).sum(),
                },
                price,
            })
            .collect();
        // What rounding makes of equal sums is no gap.
        let bound_amount = dual.bound.max(profit_amount);
        Allocation {
            offers: plan.iter().map(|choice| choice.map(|choice| table.offer[choice])).collect(),
            profit_amount,
            cost_amount,
            bound_amount,
            gap_amount: bound_amount - profit_amount,
            largest_choice_amount: table.profit.par_iter().copied().reduce(|| 0.0, f64::max),
            limits,
        }
    }
}

const BUDGET: &str = "budget";

/// How much of a limit is used, and what a little more of it would bring.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitUse {
    /// `budget`, `offer 3` or `channel mail`.
    pub name: String,
    /// The limit: an amount, or customers.
    pub limit: f64,
    /// What is used of it.
    pub used: f64,
    /// Shadow price: what one unit more brings, an amount.
    pub price: f64,
}

/// The best profit at a budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// The budget.
    pub budget_amount: f64,
    /// Expected incremental profit of the plan at it.
    pub profit_amount: f64,
    /// What one unit of money more brings there.
    pub price: f64,
}

/// A plan within all limits, and how far from the best it can be at most.
///
/// # Formula
/// ```text
/// max Σ p x   over x in {0, 1}, one choice per customer at most, Σ c x ≤ budget, counts ≤ capacities
/// bound = min over prices λ ≥ 0 of Σ λ L + Σ over customers of max(0, p − price of the choice)
/// ```
/// A choice whose profit is not above 0 is never taken. Equal choices go to who comes first.
///
/// # References
/// Sinha and Zoltners (1979), Operations Research 27:503–515; Kelley (1960), Journal of the Society for Industrial
/// and Applied Mathematics 8:703–712; Fisher (1981), Management Science 27:1–18.
///
/// ```
/// # fn main() -> winback::Result<()> {
/// use winback::winback::{Allocator, Choice};
/// let choice = |offer, profit, cost| Choice { offer, profit, cost };
/// // Three customers; the last has two choices.
/// let choices = [choice(0, 5.0, 2.0), choice(0, 4.0, 1.0), choice(0, 3.0, 1.0), choice(1, 7.0, 3.0)];
/// let plan = Allocator::new(2).with_budget_amount(4.0).allocate(&[0, 1, 2, 4], &choices)?;
/// assert_eq!(plan.offers, [Some(0), Some(0), Some(0)]);
/// assert_eq!((plan.profit_amount, plan.cost_amount), (12.0, 4.0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Allocation {
    /// Each customer's offer, or none.
    pub offers: Vec<Option<u32>>,
    /// Expected incremental profit of the plan.
    pub profit_amount: f64,
    /// What it takes of the budget.
    pub cost_amount: f64,
    /// No plan within the limits can bring more.
    pub bound_amount: f64,
    /// Bound less profit.
    pub gap_amount: f64,
    /// The most that a single choice brings.
    pub largest_choice_amount: f64,
    /// The limits, budget first.
    pub limits: Vec<LimitUse>,
}

impl Allocation {
    /// The plan in which nobody gets anything.
    pub(super) fn none(customers: usize) -> Self {
        Allocation {
            offers: vec![None; customers],
            profit_amount: 0.0,
            cost_amount: 0.0,
            bound_amount: 0.0,
            gap_amount: 0.0,
            largest_choice_amount: 0.0,
            limits: Vec::new(),
        }
    }
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contacted = self.offers.iter().flatten().count();
        write!(
            f,
            "{contacted} of {} customers get an offer: {:.2} expected for {:.2}; no plan within the limits brings more \
             than {:.2}",
            self.offers.len(),
            self.profit_amount,
            self.cost_amount,
            self.bound_amount
        )?;
        for LimitUse { name, limit, used, price } in &self.limits {
            match name == BUDGET {
                true => write!(
                    f,
                    "\n  {name}: {used:.2} of {limit:.2} used; the next 100 brings {:.2}",
                    100.0 * price
                )?,
                false => write!(f, "\n  {name}: {used} of {limit} used; one more brings {price:.2}")?,
            }
        }
        Ok(())
    }
}
