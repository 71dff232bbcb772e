//! How does a plan keep its limits exactly? From what customers take at the prices, with the least regret.

use rayon::prelude::*;

use super::dual::{Choices, Dual, Limit};

/// Customers among whom pairs are exchanged.
const MOST_EXCHANGED: usize = 120;
const MOST_ROUNDS: usize = 6;
/// A first look at so many customers, those with the least to lose.
const FIRST_CANDIDATES: usize = 2_000;

/// A customer taking another choice, or none, and what that earns less at the prices.
struct Move {
    regret: f64,
    customer: usize,
    to: Option<usize>,
}

struct State<'a> {
    choices: &'a Choices,
    limits: &'a [Limit],
    chosen: Vec<Option<usize>>,
    used: Vec<f64>,
}

impl State<'_> {
    /// What a choice takes of a limit.
    fn takes(&self, limit: usize, choice: Option<usize>) -> f64 {
        let Some(choice) = choice else { return 0.0 };
        match &self.limits[limit].offers {
            None => self.choices.cost[choice],
            Some(counted) => f64::from(u8::from(counted.contains(&self.choices.offer[choice]))),
        }
    }

    fn count(&mut self) {
        let mut money = 0.0;
        let mut counts: Vec<f64> = Vec::new();
        for &choice in self.chosen.iter().flatten() {
            money += self.choices.cost[choice];
            let offer = self.choices.offer[choice] as usize;
            if offer >= counts.len() {
                counts.resize(offer + 1, 0.0);
            }
            counts[offer] += 1.0;
        }
        let count = |offer: &u32| counts.get(*offer as usize).copied().unwrap_or(0.0);
        let used =
            |limit: &Limit| limit.offers.as_ref().map_or(money, |offers| offers.iter().map(count).sum());
        self.used = self.limits.iter().map(used).collect();
    }

    /// What may be used.
    fn room(&self, limit: usize) -> f64 {
        let limit = &self.limits[limit];
        if limit.offers.is_none() { limit.amount } else { limit.amount + 0.5 }
    }

    fn over(&self, limit: usize) -> f64 {
        (self.used[limit] - self.room(limit)).max(0.0)
    }

    fn is_within(&self) -> bool {
        (0..self.limits.len()).all(|limit| self.over(limit) == 0.0)
    }

    fn profit(&self, choice: Option<usize>) -> f64 {
        choice.map_or(0.0, |choice| self.choices.profit[choice])
    }

    /// How the use of a limit changes by these moves.
    fn change(&self, limit: usize, moves: &[(usize, Option<usize>)]) -> f64 {
        moves.iter().map(|&(who, to)| self.takes(limit, to) - self.takes(limit, self.chosen[who])).sum()
    }

    fn apply(&mut self, moves: &[(usize, Option<usize>)]) {
        for limit in 0..self.limits.len() {
            self.used[limit] += self.change(limit, moves);
        }
        moves.iter().for_each(|&(who, to)| self.chosen[who] = to);
    }

    fn fits(&self, moves: &[(usize, Option<usize>)]) -> bool {
        (0..self.limits.len()).all(|limit| self.used[limit] + self.change(limit, moves) <= self.room(limit))
    }

    fn gain(&self, moves: &[(usize, Option<usize>)]) -> f64 {
        moves.iter().map(|&(who, to)| self.profit(to) - self.profit(self.chosen[who])).sum()
    }

    /// Whether a move takes from a limit that is overused and adds to none.
    fn relieves(&self, one: (usize, Option<usize>)) -> bool {
        let mut relieved = false;
        for limit in 0..self.limits.len() {
            let change = self.change(limit, &[one]);
            if change > 0.0 && self.used[limit] + change > self.room(limit) {
                return false;
            }
            relieved |= change < 0.0 && self.over(limit) > 0.0;
        }
        relieved
    }
}

/// The plan: each customer's choice. Within all limits, always.
pub(super) fn repair(choices: &Choices, limits: &[Limit], dual: &Dual) -> Vec<Option<usize>> {
    let best: Vec<(Option<usize>, f64)> = (0..choices.customers())
        .into_par_iter()
        .map(|customer| choices.best(customer, &dual.prices))
        .collect();
    let chosen: Vec<Option<usize>> = best.iter().map(|(choice, _)| *choice).collect();
    let mut state = State { choices, limits, chosen: chosen.clone(), used: Vec::new() };
    state.count();
    if limits.is_empty() {
        return state.chosen;
    }
    let mut moves = Vec::new();
    let regret = |(customer, &(own, earned)): (usize, &(Option<usize>, f64))| {
        let options = (choices.starts[customer]..choices.starts[customer + 1]).map(Some).chain([None]);
        options
            .filter(|to| *to != own)
            .map(|to| earned - to.map_or(0.0, |choice| choices.earns(choice, &dual.prices)))
            .fold(f64::INFINITY, f64::min)
    };
    let regrets: Vec<f64> = best.par_iter().enumerate().map(regret).collect();
    let mut wanted = FIRST_CANDIDATES;
    loop {
        // The customers with the least to lose, and all they could take.
        let everybody = wanted >= regrets.len();
        let bound = match everybody {
            true => f64::INFINITY,
            false => {
                let mut sorted = regrets.clone();
                *sorted.select_nth_unstable_by(wanted, f64::total_cmp).1
            }
        };
        moves.clear();
        for (customer, &(own, earned)) in best.iter().enumerate() {
            if regrets[customer] > bound {
                continue;
            }
            for to in (choices.starts[customer]..choices.starts[customer + 1]).map(Some).chain([None]) {
                let regret = earned - to.map_or(0.0, |choice| choices.earns(choice, &dual.prices));
                // The own choice too, to come back to.
                moves.push(Move { regret: if to == own { 0.0 } else { regret }, customer, to });
            }
        }
        moves.sort_by(|a, b| {
            a.regret.total_cmp(&b.regret).then(a.customer.cmp(&b.customer)).then(a.to.cmp(&b.to))
        });
        state.chosen.clone_from(&chosen);
        state.count();
        for one in &moves {
            if state.is_within() {
                break;
            }
            if state.chosen[one.customer] == chosen[one.customer] && state.relieves((one.customer, one.to)) {
                state.apply(&[(one.customer, one.to)]);
            }
        }
        if state.is_within() || everybody {
            break;
        }
        wanted = wanted.saturating_mul(8);
    }
    // With everybody a candidate, giving up a choice always relieves what is overused.
    fill(&mut state, &moves);
    exchange(&mut state, &moves);
    fill(&mut state, &moves);
    // Changes added one by one may differ from the sum in its last bits.
    state.count();
    relieve(&mut state, &moves);
    state.chosen
}

/// Gives up what is least missed until every limit is kept.
fn relieve(state: &mut State, moves: &[Move]) {
    while !state.is_within() {
        let Some(one) = moves.iter().find(|one| state.relieves((one.customer, one.to))) else { break };
        state.apply(&[(one.customer, one.to)]);
        state.count();
    }
}

/// Uses what is left.
fn fill(state: &mut State, moves: &[Move]) {
    for _ in 0..MOST_ROUNDS {
        let mut moved = false;
        for one in moves {
            let step = [(one.customer, one.to)];
            if state.gain(&step) > 0.0 && state.fits(&step) {
                state.apply(&step);
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
}

/// Changes two customers at once, where that brings more.
fn exchange(state: &mut State, moves: &[Move]) {
    let mut customers: Vec<usize> = Vec::new();
    for one in moves {
        if customers.len() < MOST_EXCHANGED && !customers.contains(&one.customer) {
            customers.push(one.customer);
        }
    }
    let near: Vec<(usize, Option<usize>)> = customers
        .iter()
        .flat_map(|&customer| {
            let choices = state.choices;
            let all = (choices.starts[customer]..choices.starts[customer + 1]).map(Some).chain([None]);
            all.map(move |to| (customer, to)).collect::<Vec<_>>()
        })
        .collect();
    for _ in 0..MOST_ROUNDS {
        let mut moved = false;
        for (place, &one) in near.iter().enumerate() {
            for &other in &near[place + 1..] {
                if one.0 != other.0 && state.gain(&[one, other]) > 0.0 && state.fits(&[one, other]) {
                    state.apply(&[one, other]);
                    moved = true;
                }
            }
        }
        if !moved {
            break;
        }
    }
}
