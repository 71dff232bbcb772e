//! What did it cost, what does a return cost, and whom did they recommend us to?

use std::collections::BTreeMap;

use serde::Serialize;

use super::effect::Pair;
use super::followed::{CostBasis, Group, spent};
use crate::day::Window;
use crate::evidence::Contacts;
use crate::history::History;
use crate::rates::{Moments, RatioInterval, ratio_over};
use crate::winback::{Arm, Measured};

/// Days of a new customer's first year.
const FIRST_YEAR: i32 = 365;

/// What the campaign cost, against what it brought.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ledger {
    /// Where costs come from.
    pub basis: CostBasis,
    /// What all treated customers cost together.
    pub cost_amount: f64,
    /// Returns that would not have come without the campaign: effect times treated.
    pub incremental_returns: Option<f64>,
    /// Cost per such return; `None` where there are none.
    pub cost_per_return_amount: Option<f64>,
    /// All costs per return that the data do not reject.
    pub cost_per_return: Option<RatioInterval>,
    /// What a new customer costs, where stated.
    pub acquisition_cost_amount: Option<f64>,
}

impl Ledger {
    /// By strata, weighted as the effect on returns is.
    ///
    /// # Formula
    /// ```text
    /// a = Σ w m(cost, treated),  b = Σ w (p₁ − p₀),  w ∝ n₁ n₀ / (n₁ + n₀)
    /// V_a = Σ w² s²(cost)/n₁,  V_ab = Σ w² s(cost, returned)/n₁;  Fieller's set of a/b
    /// ```
    /// with V_b from the interval of the effect on returns ([`ratio_over`]): bounded only where that does not hold 0.
    pub(super) fn of(group: &Group, pair: &Pair, level: f64, acquisition_cost_amount: Option<f64>) -> Self {
        let customers = &group.customers;
        let treated = customers.iter().filter(|one| one.treated).count() as f64;
        let cost_amount = customers.iter().map(|one| one.cost).sum();
        let returned: Vec<bool> = customers.iter().map(|one| one.returned).collect();
        let weight = |(one, other): &(Vec<usize>, Vec<usize>)| {
            let (n1, n0) = (one.len() as f64, other.len() as f64);
            n1 * n0 / (n1 + n0)
        };
        let total: f64 = pair.strata().iter().map(weight).sum();
        let (mut a, mut covariance) = ((0.0, 0.0), 0.0);
        for stratum in pair.strata() {
            let w = weight(stratum) / total;
            let costs: Vec<f64> = stratum.0.iter().map(|&row| customers[row].cost).collect();
            let backs: Vec<f64> = stratum.0.iter().map(|&row| f64::from(u8::from(returned[row]))).collect();
            let (cost, back) = (Moments::of(&costs), Moments::of(&backs));
            let n1 = cost.customers as f64;
            let both: f64 =
                costs.iter().zip(&backs).map(|(x, y)| (x - cost.mean) * (y - back.mean)).sum::<f64>()
                    / (n1 - 1.0).max(1.0);
            a = (a.0 + w * cost.mean, a.1 + w * w * cost.variance / n1);
            covariance += w * w * both / n1;
        }
        let effect = pair.rate(Measured::Returned, &returned, level);
        let known = effect.effect.zip(effect.low.zip(effect.high));
        Ledger {
            basis: group.cost_basis,
            cost_amount,
            incremental_returns: known.map(|(b, _)| b * treated),
            cost_per_return_amount: known.filter(|(b, _)| *b > 0.0).map(|(b, _)| a.0 / b),
            cost_per_return: known.and_then(|(b, (low, high))| {
                ratio_over((a.0, a.1.sqrt()), (b, low, high), covariance, level)
            }),
            acquisition_cost_amount,
        }
    }
}

/// Customers who were recommended to us, by the arm of who did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Referrals {
    /// Named in contacts.
    pub named: usize,
    /// Bought for the first time on or after the day they were named.
    pub came: usize,
    /// What these spent in their first 365 days, as far as the log goes; NaN without amounts.
    pub first_year_amount: f64,
    /// How many of these the log has seen for 365 days.
    pub years_over: usize,
}

impl Referrals {
    /// Of treated and of held out customers.
    pub(super) fn of(group: &Group, contacts: &Contacts, history: &History) -> [Self; 2] {
        let arms: BTreeMap<&str, bool> = group
            .customers
            .iter()
            .map(|one| (one.row.customer_id.as_str(), one.row.arm == Arm::Holdout))
            .collect();
        // Whoever is named twice was recommended once.
        let mut named: BTreeMap<&str, (bool, crate::day::Day)> = BTreeMap::new();
        for contact in contacts.rows() {
            let (Some(id), Some(&arm)) =
                (contact.referred_id.as_deref(), arms.get(contact.customer_id.as_str()))
            else {
                continue;
            };
            named.entry(id).and_modify(|(_, on)| *on = (*on).min(contact.on)).or_insert((arm, contact.on));
        }
        let mut found = [Referrals::default(); 2];
        for (id, (is_held_out, on)) in named {
            let own = &mut found[usize::from(is_held_out)];
            own.named += 1;
            let Some(rank) = history.ids().rank_of(id) else { continue };
            let run = history.run(rank);
            let Some(first) = run.days.first().map(|&day| crate::day::Day::from_days_since_epoch(day)) else {
                continue;
            };
            if first < on {
                continue;
            }
            own.came += 1;
            let year = Window { after: first.plus_days(-1), until: first.plus_days(FIRST_YEAR - 1) };
            own.first_year_amount += if group.has_amounts { spent(&run, year) } else { f64::NAN };
            own.years_over += usize::from(year.until <= history.observed_until());
        }
        found
    }
}
