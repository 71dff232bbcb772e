//! What will a plan bring and cost, and how sure is that?

use rayon::prelude::*;
use serde::Serialize;

use super::beliefs::Beliefs;
use super::cases::Case;
use super::draws::Draws;
use super::options::Pick;

const DRAWS: u64 = 4_000;
/// Up to so many redemptions are drawn one by one; the sum of more is normal.
const MOST_ONE_BY_ONE: usize = 1_000;

/// What a plan is expected to bring and to cost.
///
/// All effects, natural returns and the worth of a return are drawn 4,000 times, each shared by the customers it is
/// about; the plan stays as it is. Redemptions are drawn beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Outlook {
    /// Expected incremental profit.
    pub profit_amount: f64,
    /// Lower end of its 95 % interval.
    pub profit_low_amount: f64,
    /// Upper end of its 95 % interval.
    pub profit_high_amount: f64,
    /// Expected cost.
    pub cost_amount: f64,
    /// In 95 of 100 cases it costs no more.
    pub cost_high_amount: f64,
    /// The chance that it costs more than the budget; 0 without one.
    pub overrun_probability: f64,
}

/// Customers of one belief about the effect, added up.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    /// The least and the most margin.
    margin: (f64, f64),
    redeem: f64,
    natural: f64,
    /// Σ c p₀ (1 − p₀): how natural redemptions move with the log-odds.
    slope: f64,
    contact: f64,
    variance: f64,
}

/// Of who is treated: case, pick and contact cost. `value_error` is the relative doubt about what those at risk bring.
pub(super) fn outlook(
    treated: &[(&Case, Pick, f64)],
    beliefs: &Beliefs,
    value_error: f64,
    budget: Option<f64>,
    seed: u64,
) -> Outlook {
    let mut sums = vec![[Sums::default(); 2]; beliefs.cells.len()];
    let (mut errors, mut counts) = ([0.0; 2], [0.0_f64; 2]);
    for (case, pick, contact) in treated {
        let state = usize::from(case.is_lapsed);
        let sum = &mut sums[pick.cell as usize][state];
        sum.margin.0 += case.margin.0;
        sum.margin.1 += case.margin.1;
        sum.redeem += pick.amount;
        sum.natural += pick.amount * case.p0;
        sum.slope += pick.amount * case.p0 * (1.0 - case.p0);
        sum.contact += contact;
        sum.variance += pick.amount.powi(2) * pick.probability * (1.0 - pick.probability);
        errors[state] += case.p0_error;
        counts[state] += 1.0;
    }
    let errors = [0, 1].map(|state| errors[state] / counts[state].max(1.0));
    let draw = |number: u64| {
        let mut draws = Draws::new(seed, number);
        let effects = beliefs.draw(&mut draws);
        let shifts = errors.map(|error| error * draws.normal());
        let place = draws.uniform();
        // What customers spend is never negative.
        let value = (value_error * draws.normal() - 0.5 * value_error * value_error).exp();
        let (mut profit, mut cost) = (0.0, 0.0);
        for (effect, both) in effects.iter().zip(&sums) {
            for (state, sum) in both.iter().enumerate() {
                let margin = match state {
                    0 => value * sum.margin.0,
                    _ => sum.margin.0 + place * (sum.margin.1 - sum.margin.0),
                };
                let spent = sum.natural + shifts[state] * sum.slope + effect * sum.redeem + sum.contact;
                profit += effect * margin - spent;
                cost += spent;
            }
        }
        let noise = match treated.len() <= MOST_ONE_BY_ONE {
            true => treated
                .iter()
                .map(|(_, pick, _)| {
                    let is_redeemed = draws.uniform() < pick.probability;
                    pick.amount * (f64::from(u8::from(is_redeemed)) - pick.probability)
                })
                .sum(),
            false => sums.iter().flatten().map(|sum| sum.variance).sum::<f64>().sqrt() * draws.normal(),
        };
        (profit, cost + noise)
    };
    let drawn: Vec<(f64, f64)> = (0..DRAWS).into_par_iter().map(draw).collect();
    let (mut profits, mut costs): (Vec<f64>, Vec<f64>) = drawn.into_iter().unzip();
    profits.sort_by(f64::total_cmp);
    costs.sort_by(f64::total_cmp);
    let at = |values: &[f64], share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    // Rounding is no overrun.
    let over = |budget: f64| costs.iter().filter(|cost| **cost > budget * (1.0 + 1e-9)).count();
    Outlook {
        profit_amount: treated.iter().map(|(_, pick, _)| pick.profit).sum(),
        profit_low_amount: at(&profits, 0.025),
        profit_high_amount: at(&profits, 0.975),
        cost_amount: treated.iter().map(|(_, pick, _)| pick.cost).sum(),
        cost_high_amount: at(&costs, 0.95),
        overrun_probability: budget.map_or(0.0, |budget| over(budget) as f64 / DRAWS as f64),
    }
}
