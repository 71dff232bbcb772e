//! What is each limit worth? The prices at which customers, left to themselves, ask for no more than there is.
//!
//! At given prices every customer takes the choice with the highest profit less price (a point of the convex
//! hull of their choices, Sinha and Zoltners 1979). What they then earn, plus what the limits are worth, is never
//! below the best plan; the prices at which it is lowest are found by cutting planes in a box that moves along.
//! Where there are many customers, a sample says about where the prices lie, and most customers take the same choice
//! at all prices near there: only the others are asked again.

use rayon::prelude::*;

use super::simplex::{Plane, lowest};

/// Customers whose sums are combined in order; a constant, so that threads cannot show.
const CUSTOMERS_PER_BLOCK: usize = 1 << 13;
/// Prices are first found on about so many customers.
const SAMPLE: usize = 1 << 14;
const MOST_ROUNDS: usize = 400;
const MOST_PLANES: usize = 150;
/// The search ends when at most this part of the value could still be gained.
const PRECISION: f64 = 1e-9;

/// All choices of all customers, customer after customer.
#[derive(Clone, Debug, Default)]
pub(super) struct Choices {
    /// Where each customer's choices begin; one more at the end.
    pub(super) starts: Vec<usize>,
    pub(super) offer: Vec<u32>,
    pub(super) profit: Vec<f64>,
    pub(super) cost: Vec<f64>,
}

/// A limit on money, or on the number of customers who get one of some offers.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    /// Above 0.
    pub(super) amount: f64,
    /// Offers it counts; `None` for the budget.
    pub(super) offers: Option<Vec<u32>>,
}

/// What a choice costs at given prices: per unit of money, and per offer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prices {
    pub(super) money: f64,
    pub(super) offers: Vec<f64>,
}

/// What all customers together earn above prices, and use.
#[derive(Clone, Debug)]
pub(super) struct Demand {
    earned: f64,
    money: f64,
    counts: Vec<f64>,
}

impl Choices {
    pub(super) fn customers(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The choice a customer takes at these prices, and what it earns: the first of the best; `None` where none
    /// earns anything.
    pub(super) fn best(&self, customer: usize, prices: &Prices) -> (Option<usize>, f64) {
        let (mut best, mut most) = (None, 0.0);
        for choice in self.starts[customer]..self.starts[customer + 1] {
            let earns = self.earns(choice, prices);
            if earns > most {
                (best, most) = (Some(choice), earns);
            }
        }
        (best, most)
    }

    /// Profit less price.
    pub(super) fn earns(&self, choice: usize, prices: &Prices) -> f64 {
        self.profit[choice] - (self.cost[choice] * prices.money + prices.offers[self.offer[choice] as usize])
    }

    fn demand(&self, prices: &Prices) -> Demand {
        let n = self.customers();
        let blocks: Vec<Demand> = (0..n.div_ceil(CUSTOMERS_PER_BLOCK))
            .into_par_iter()
            .map(|block| {
                let mut demand = Demand { earned: 0.0, money: 0.0, counts: vec![0.0; prices.offers.len()] };
                let first = block * CUSTOMERS_PER_BLOCK;
                for customer in first..n.min(first + CUSTOMERS_PER_BLOCK) {
                    if let (Some(choice), earned) = self.best(customer, prices) {
                        demand.earned += earned;
                        demand.money += self.cost[choice];
                        demand.counts[self.offer[choice] as usize] += 1.0;
                    }
                }
                demand
            })
            .collect();
        let mut all = Demand { earned: 0.0, money: 0.0, counts: vec![0.0; prices.offers.len()] };
        for block in blocks {
            all.earned += block.earned;
            all.money += block.money;
            all.counts.iter_mut().zip(block.counts).for_each(|(sum, count)| *sum += count);
        }
        all
    }

    /// Those whose choice may change where no price moves by more than this, and what the others take.
    fn near(&self, prices: &Prices, reach: &Prices) -> (Choices, Demand) {
        let n = self.customers();
        let nothing = || Demand { earned: 0.0, money: 0.0, counts: vec![0.0; prices.offers.len()] };
        let blocks: Vec<(Choices, Demand)> = (0..n.div_ceil(CUSTOMERS_PER_BLOCK))
            .into_par_iter()
            .map(|block| {
                let (mut open, mut fixed) = (Choices { starts: vec![0], ..Choices::default() }, nothing());
                let first = block * CUSTOMERS_PER_BLOCK;
                for customer in first..n.min(first + CUSTOMERS_PER_BLOCK) {
                    let (best, most) = self.best(customer, prices);
                    let moves = |choice: usize, other: Option<usize>| {
                        let cost = self.cost[choice] - other.map_or(0.0, |other| self.cost[other]);
                        let offer = |choice: usize| reach.offers[self.offer[choice] as usize];
                        reach.money * cost.abs() + offer(choice) + other.map_or(0.0, offer)
                    };
                    let range = self.starts[customer]..self.starts[customer + 1];
                    let is_open = range
                        .clone()
                        .filter(|choice| Some(*choice) != best)
                        .any(|choice| most - self.earns(choice, prices) <= moves(choice, best))
                        || best.is_some_and(|best| most <= moves(best, None));
                    if is_open {
                        open.offer.extend_from_slice(&self.offer[range.clone()]);
                        open.profit.extend_from_slice(&self.profit[range.clone()]);
                        open.cost.extend_from_slice(&self.cost[range]);
                        open.starts.push(open.offer.len());
                    } else if let Some(best) = best {
                        fixed.earned += self.profit[best];
                        fixed.money += self.cost[best];
                        fixed.counts[self.offer[best] as usize] += 1.0;
                    }
                }
                (open, fixed)
            })
            .collect();
        let (mut open, mut fixed) = (Choices { starts: vec![0], ..Choices::default() }, nothing());
        for (part, taken) in blocks {
            let from = open.offer.len();
            open.starts.extend(part.starts[1..].iter().map(|start| from + start));
            open.offer.extend(part.offer);
            open.profit.extend(part.profit);
            open.cost.extend(part.cost);
            fixed.earned += taken.earned;
            fixed.money += taken.money;
            fixed.counts.iter_mut().zip(taken.counts).for_each(|(sum, count)| *sum += count);
        }
        (open, fixed)
    }

    /// About so many customers, spread by a hash of their place, and the part they are of all.
    fn sample(&self, wanted: usize) -> (Choices, f64) {
        let limit = (u64::MAX / self.customers().max(1) as u64).saturating_mul(wanted as u64);
        let mut sample = Choices { starts: vec![0], ..Choices::default() };
        for customer in 0..self.customers() {
            // A multiplicative hash (Knuth 1998, section 6.4) scatters neighbours.
            if (customer as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) <= limit {
                let range = self.starts[customer]..self.starts[customer + 1];
                sample.offer.extend_from_slice(&self.offer[range.clone()]);
                sample.profit.extend_from_slice(&self.profit[range.clone()]);
                sample.cost.extend_from_slice(&self.cost[range]);
                sample.starts.push(sample.offer.len());
            }
        }
        let part = sample.customers() as f64 / self.customers().max(1) as f64;
        (sample, part)
    }
}

/// The lowest bound found, and the price per unit of each limit there.
#[derive(Clone, Debug)]
pub(super) struct Dual {
    pub(super) bound: f64,
    pub(super) limit_prices: Vec<f64>,
    pub(super) prices: Prices,
}

fn prices(limits: &[Limit], unit: &[f64], offers: usize) -> Prices {
    let mut prices = Prices { money: 0.0, offers: vec![0.0; offers] };
    for (limit, price) in limits.iter().zip(unit) {
        match &limit.offers {
            None => prices.money += price,
            Some(counted) => counted.iter().for_each(|&offer| prices.offers[offer as usize] += price),
        }
    }
    prices
}

/// Finds the prices; those of a sample first, where there are many customers.
pub(super) fn solve(choices: &Choices, limits: &[Limit], offers: usize, start: Option<&[f64]>) -> Dual {
    let many = choices.customers() > 4 * SAMPLE && !limits.is_empty();
    let guess = match start {
        Some(start) => Some(start.to_vec()),
        None if many => {
            let (sample, part) = choices.sample(SAMPLE);
            let scaled: Vec<Limit> = limits
                .iter()
                .map(|limit| Limit { amount: limit.amount * part, offers: limit.offers.clone() })
                .collect();
            let all = Asked { choices: &sample, fixed: None, limits: &scaled, offers };
            Some(all.descend(None, 0.0, f64::INFINITY).limit_prices)
        }
        None => None,
    };
    let all = Asked { choices, fixed: None, limits, offers };
    let Some(guess) = guess.filter(|guess| many && guess.iter().any(|price| *price > 0.0)) else {
        return all.descend(None, 0.0, f64::INFINITY);
    };
    // With so many, prices are near enough when less than a hundredth of a single choice is at stake.
    let largest = choices.profit.par_iter().copied().reduce(|| 0.0, f64::max);
    let mut centre = guess;
    let mut reach = NEAR;
    for _ in 0..MOST_NEAR {
        let worth: Vec<f64> = centre.iter().zip(limits).map(|(price, limit)| price * limit.amount).collect();
        let radius = reach * worth.iter().copied().fold(0.0, f64::max);
        let around: Vec<f64> = limits.iter().map(|limit| radius / limit.amount).collect();
        let near = prices(limits, &around, offers);
        let (open, fixed) = choices.near(&prices(limits, &centre, offers), &near);
        let asked = Asked { choices: &open, fixed: Some(&fixed), limits, offers };
        let found = asked.descend(Some(&centre), 0.01 * largest, radius);
        let moved = found.limit_prices.iter().zip(&worth).zip(limits);
        let is_inside =
            moved.clone().all(|((price, worth), limit)| (price * limit.amount - worth).abs() < 0.99 * radius);
        if is_inside {
            // Summed as everywhere else.
            return Dual { bound: all.value(&found.limit_prices).0, ..found };
        }
        (centre, reach) = (found.limit_prices, 2.0 * reach);
    }
    all.descend(Some(&centre), 0.01 * largest, f64::INFINITY)
}

/// Prices are looked for within this part of what the dearest limit is worth.
const NEAR: f64 = 0.06;
const MOST_NEAR: usize = 4;

/// Who is asked what they take, and what the others take whatever the prices.
struct Asked<'a> {
    choices: &'a Choices,
    fixed: Option<&'a Demand>,
    limits: &'a [Limit],
    offers: usize,
}

impl Asked<'_> {
    /// The bound at these prices per unit, and how it changes with what each whole limit is worth.
    fn value(&self, unit: &[f64]) -> (f64, Vec<f64>) {
        let prices = prices(self.limits, unit, self.offers);
        let mut demand = self.choices.demand(&prices);
        if let Some(fixed) = self.fixed {
            let paid: f64 = prices.offers.iter().zip(&fixed.counts).map(|(price, count)| price * count).sum();
            demand.earned += fixed.earned - (prices.money * fixed.money + paid);
            demand.money += fixed.money;
            demand.counts.iter_mut().zip(&fixed.counts).for_each(|(sum, count)| *sum += count);
        }
        let slope = self.limits.iter().map(|limit| {
            let used = match &limit.offers {
                None => demand.money,
                Some(counted) => counted.iter().map(|&offer| demand.counts[offer as usize]).sum(),
            };
            1.0 - used / limit.amount
        });
        let worth = unit.iter().zip(self.limits).map(|(price, limit)| price * limit.amount);
        (demand.earned + worth.sum::<f64>(), slope.collect())
    }

    /// Cutting planes in units of what a whole limit is worth, which is profit for all of them. Ends when no more
    /// than `enough`, an amount, can be gained; never goes further than `radius`.
    fn descend(&self, start: Option<&[f64]>, enough: f64, radius: f64) -> Dual {
        let limits = self.limits;
        let d = limits.len();
        let unit =
            |x: &[f64]| -> Vec<f64> { x.iter().zip(limits).map(|(x, limit)| x / limit.amount).collect() };
        let value = |x: &[f64]| self.value(&unit(x));
        let mut centre: Vec<f64> = match start {
            Some(start) => start.iter().zip(limits).map(|(price, limit)| price * limit.amount).collect(),
            None => vec![0.0; d],
        };
        let home = centre.clone();
        let (mut now, slope) = value(&centre);
        let plane = |at: &[f64], value: f64, slope: Vec<f64>| {
            let shift: f64 = slope.iter().zip(at).map(|(slope, x)| slope * x).sum();
            Plane { value: value - shift, slope }
        };
        let mut planes = vec![plane(&centre, now, slope)];
        // No limit can be worth more than everything.
        let everything = now;
        let known = centre.iter().copied().fold(0.0, f64::max);
        let mut reach = if start.is_some() && known > 0.0 { 0.05 * known } else { 0.25 * everything };
        for _ in 0..MOST_ROUNDS {
            if d == 0 || now <= 0.0 {
                break;
            }
            let end = |x: f64, home: f64| x.clamp(home - radius, home + radius).max(0.0);
            let low: Vec<f64> = centre.iter().zip(&home).map(|(x, home)| end(x - reach, *home)).collect();
            let high: Vec<f64> = centre.iter().zip(&home).map(|(x, home)| end(x + reach, *home)).collect();
            let (next, model) = lowest(&planes, &low, &high);
            let promised = now - model;
            if promised <= enough.max(PRECISION * now.abs()) {
                let at_border = next.iter().zip(&centre).zip(&home).any(|((next, x), home)| {
                    (next - x).abs() >= 0.999 * reach && (next - home).abs() < 0.999 * radius
                });
                if !at_border || reach >= everything.min(radius) {
                    break;
                }
                reach *= 8.0;
                continue;
            }
            let (found, slope) = value(&next);
            planes.push(plane(&next, found, slope));
            if found < now {
                // A step that keeps its promise may be longer next time.
                if now - found > 0.5 * promised {
                    reach *= 2.0;
                }
                (centre, now) = (next, found);
            } else {
                reach *= 0.6;
            }
            if planes.len() > MOST_PLANES {
                // The planes that lie lowest at the centre say least about it.
                let height = |plane: &Plane| {
                    plane.value + plane.slope.iter().zip(&centre).map(|(g, x)| g * x).sum::<f64>()
                };
                planes.sort_by(|a, b| height(b).total_cmp(&height(a)));
                planes.truncate(MOST_PLANES / 2);
            }
        }
        let limit_prices = unit(&centre);
        Dual { bound: now, prices: prices(limits, &limit_prices, self.offers), limit_prices }
    }
}
