//! What does each offer add for each customer, and what does it cost?

use super::allocation::Choice;
use super::beliefs::Beliefs;
use super::cases::{Case, KINDS, parts_of};
use super::offer::Offer;
use super::tactic;

/// An offer that a customer could get.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick {
    pub(super) offer: u32,
    /// Which belief about the effect.
    pub(super) cell: u32,
    /// What its redemption costs.
    pub(super) amount: f64,
    /// The chance of a return with it.
    pub(super) probability: f64,
    /// Expected incremental profit.
    pub(super) profit: f64,
    /// Expected cost.
    pub(super) cost: f64,
}

impl From<&Pick> for Choice {
    fn from(pick: &Pick) -> Self {
        Choice { offer: pick.offer, profit: pick.profit, cost: pick.cost }
    }
}

/// The options of all customers, customer after customer.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) starts: Vec<usize>,
    pub(super) picks: Vec<Pick>,
}

impl Options {
    /// Of these customers, where `may` says that one may get an offer.
    ///
    /// # Formula
    /// ```text
    /// Δ = τ V − (p₀ + τ) c − k        τ the effect, so cut that 0 ≤ p₀ + τ ≤ 1; c a redemption, k a contact
    /// ```
    /// V is the margin of a second life of who is lost, and of the horizon of who is at risk.
    pub(super) fn of(
        offers: &[Offer],
        beliefs: &Beliefs,
        cases: &[Case],
        may: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let cells: Vec<u32> = (0..KINDS * offers.len())
            .map(|at| beliefs.cell(at % offers.len(), &parts_of(at / offers.len())) as u32)
            .collect();
        let mut options = Options { starts: vec![0], picks: Vec::new() };
        for (at, case) in cases.iter().enumerate() {
            for (place, offer) in offers.iter().enumerate().filter(|(place, _)| may(at, *place)) {
                let Some(amount) = tactic::amount(offer, case.cause, &case.situation) else { continue };
                let cell = cells[case.kind * offers.len() + place];
                let effect = beliefs.cells[cell as usize].mean;
                let probability = (case.p0 + effect).clamp(0.0, 1.0);
                let cost = probability * amount + offer.contact_cost;
                let profit = (probability - case.p0) * case.margin_amount() - cost;
                if profit.is_finite() {
                    options.picks.push(Pick { offer: place as u32, cell, amount, probability, profit, cost });
                }
            }
            options.starts.push(options.picks.len());
        }
        options
    }

    pub(super) fn of_case(&self, case: usize) -> &[Pick] {
        &self.picks[self.starts[case]..self.starts[case + 1]]
    }

    pub(super) fn choices(&self) -> Vec<Choice> {
        self.picks.iter().map(Choice::from).collect()
    }
}
