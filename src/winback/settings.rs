//! What may a plan cost, whom may it contact, and what does it go on from?

use std::collections::BTreeMap;

use super::keep::KeepPolicy;
use super::offer::{Offer, Offers};
use super::planned::{Arm, PlannedCustomer};
use super::rows::is_treated_in;
use super::second_life::ValuePerReturn;
use super::sheet::PlanSheet;
use crate::day::Day;
use crate::error::{Error, Result};

/// How to plan.
///
/// | setting | default |
/// |---|---|
/// | budget | none: no limit |
/// | limits of channels | none |
/// | margin | needed: what is left of an amount spent, after costs |
/// | whom to keep | [`KeepPolicy::default`] |
/// | days of a second life that count | 365 |
/// | what a return is worth | by [`SecondLives`](super::SecondLives); an experiment's [`ValuePerReturn`] is better |
/// | held out | .1 of those who would be contacted |
/// | explored | none |
/// | campaign | `win-back` |
/// | seed | 0 |
#[derive(Clone, Debug)]
pub struct WinbackPlanParams {
    pub(super) offers: Offers,
    pub(super) margin_fraction: f64,
    pub(super) budget: Option<f64>,
    pub(super) channels: BTreeMap<String, u64>,
    pub(super) keep: KeepPolicy,
    pub(super) value_days: i32,
    pub(super) value_per_return: Option<ValuePerReturn>,
    pub(super) holdout_fraction: f64,
    pub(super) explore_fraction: f64,
    pub(super) campaign: String,
    pub(super) seed: u64,
    pub(super) previous: Option<PlanSheet>,
}

impl WinbackPlanParams {
    /// Limits what the plan may cost, an amount from 0 on.
    #[must_use]
    pub fn with_budget_amount(mut self, amount: f64) -> Self {
        self.budget = Some(amount);
        self
    }

    /// Limits how many customers are contacted on a channel.
    #[must_use]
    pub fn with_channel(mut self, channel: impl Into<String>, customers: u64) -> Self {
        self.channels.insert(channel.into(), customers);
        self
    }

    /// Says whom to keep.
    #[must_use]
    pub fn with_keep(mut self, keep: KeepPolicy) -> Self {
        self.keep = keep;
        self
    }

    /// Sets for how many days a second life counts, 1 to 9,125.
    #[must_use]
    pub fn with_value_days(mut self, days: i32) -> Self {
        self.value_days = days;
        self
    }

    /// Says what an experiment showed a return to be worth.
    #[must_use]
    pub fn with_value_per_return(mut self, value: ValuePerReturn) -> Self {
        self.value_per_return = Some(value);
        self
    }

    /// Sets which share of those who would be contacted is held out, from 0 up to, not including, 1.
    #[must_use]
    pub fn with_holdout_fraction(mut self, fraction: f64) -> Self {
        self.holdout_fraction = fraction;
        self
    }

    /// Sets which share of those who would be contacted gets one of the offers that are for them by lot, 0 to 1:
    /// only so can offers be compared with each other.
    #[must_use]
    pub fn with_explore_fraction(mut self, fraction: f64) -> Self {
        self.explore_fraction = fraction;
        self
    }

    /// Names the campaign: arms are drawn by it.
    #[must_use]
    pub fn with_campaign(mut self, name: impl Into<String>) -> Self {
        self.campaign = name.into();
        self
    }

    /// Sets the seed of everything that is drawn by lot.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Honours the arms of an earlier plan: whoever is still being measured in it keeps arm, offer and dates. What
    /// its treated customers cost counts against the budget where the campaign is the same.
    #[must_use]
    pub fn with_previous(mut self, plan: PlanSheet) -> Self {
        self.previous = Some(plan);
        self
    }

    /// Looks at the settings alone, before anything is read.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a setting out of range, or a limit for a channel that no offer uses.
    pub fn check(&self) -> Result<()> {
        let wrong = |name, found: String, expected| Err(Error::parameter(name, found, expected));
        if !(self.margin_fraction > 0.0 && self.margin_fraction <= 1.0) {
            return wrong("margin", self.margin_fraction.to_string(), "a share, above 0 and at most 1");
        }
        if let Some(budget) = self.budget.filter(|budget| !(*budget >= 0.0 && budget.is_finite())) {
            return wrong("budget", budget.to_string(), "an amount from 0 on");
        }
        if !(0.0..1.0).contains(&self.holdout_fraction) {
            return wrong("holdout fraction", self.holdout_fraction.to_string(), "from 0 to below 1");
        }
        if !(0.0..=1.0).contains(&self.explore_fraction) {
            return wrong("explore fraction", self.explore_fraction.to_string(), "0 to 1");
        }
        if !crate::features::HORIZON_DAYS.contains(&self.value_days) {
            return wrong("days of a second life", self.value_days.to_string(), "1 to 9,125 days");
        }
        if self.campaign.trim().is_empty() {
            return wrong("campaign", "empty".to_owned(), "a name");
        }
        self.keep.check()?;
        let is_used = |name: &String| self.offers.offers().iter().any(|offer| offer.channel == *name);
        match self.channels.keys().find(|name| !is_used(name)) {
            Some(name) => wrong("channel", format!("a limit for `{name}`"), "a channel of one of the offers"),
            None => Ok(()),
        }
    }

    /// Rows of the earlier plan that are still being measured, by id.
    pub(super) fn carried(&self, as_of: Day) -> BTreeMap<&str, &PlannedCustomer> {
        let rows = self.previous.iter().flat_map(|plan| plan.rows());
        let open = |row: &&PlannedCustomer| {
            row.arm != Arm::None && row.measure_until.is_some_and(|until| until >= as_of)
        };
        rows.filter(open).map(|row| (row.customer_id.as_str(), row)).collect()
    }

    /// What the limits leave once those of an earlier plan of the same campaign are counted.
    pub(super) fn left(&self, carried: &BTreeMap<&str, &PlannedCustomer>) -> Left {
        let same = || carried.values().filter(|row| is_treated_in(row, &self.campaign));
        let committed = same().filter_map(|row| row.cost_amount).sum();
        let offers = self.offers.offers();
        let made =
            |offer: &Offer| same().filter(|row| row.offer.as_deref() == Some(&offer.name)).count() as u64;
        let channels = self.channels.iter().map(|(name, most)| {
            let uses = |(_, offer): &(usize, &Offer)| offer.channel == *name;
            let own: Vec<(usize, &Offer)> = offers.iter().enumerate().filter(uses).collect();
            let made: u64 = own.iter().map(|(_, offer)| made(offer)).sum();
            let own = own.iter().map(|(place, _)| *place as u32).collect();
            (name.clone(), own, most.saturating_sub(made))
        });
        Left {
            committed,
            budget: self.budget.map(|budget| (budget - committed).max(0.0)),
            capacities: offers
                .iter()
                .map(|offer| offer.capacity.map(|most| most.saturating_sub(made(offer))))
                .collect(),
            channels: channels.collect(),
        }
    }
}

/// What limits leave.
pub(super) struct Left {
    pub(super) committed: f64,
    pub(super) budget: Option<f64>,
    pub(super) capacities: Vec<Option<u64>>,
    pub(super) channels: Vec<(String, Vec<u32>, u64)>,
}

impl Left {
    pub(super) fn is_open(&self, offer: u32) -> bool {
        self.capacities[offer as usize] != Some(0)
            && !self.channels.iter().any(|(_, offers, most)| *most == 0 && offers.contains(&offer))
    }
}
