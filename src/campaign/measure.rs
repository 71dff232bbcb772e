//! What did the customers that a plan chose bring, beside those it held out?

use std::collections::BTreeSet;

use super::effect::{Effect, Pair, adjust};
use super::experiment::Experiment;
use super::followed::{Group, follow};
use super::ledger::{Ledger, Referrals};
use super::outcome::{Outcome, OutcomeParams, Verdict};
use super::plan_outcome::{Between, PlanOutcome};
use super::trust::Trust;
use crate::day::Day;
use crate::error::{Error, Result, shown};
use crate::evidence::{Cause, Contacts};
use crate::history::History;
use crate::losses::LapseRule;
use crate::winback::{Arm, Measured, Offers, PlanSheet};

/// With fewer customers of a cause in either arm, an offer has no effect of its own there.
const LEAST_OF_CAUSE: u64 = 30;
/// More held out customers than this were contacted all the same: the comparison is doubtful.
const MOST_CONTACTED: f64 = 0.02;

/// How the customers of a plan are measured.
///
/// | setting | default |
/// |---|---|
/// | campaign | the only one in the plan |
/// | until | the last day that counts, or as far as the log goes |
/// | level of intervals, and of the verdict | .95 |
/// | planned share held out | the whole per cent that fits best |
/// | what a new customer costs | not stated |
/// | when a customer has lapsed again | [`LapseRule::default`] |
#[derive(Clone, Debug)]
pub struct PlanOutcomeParams {
    campaign: Option<String>,
    until: Option<Day>,
    level: f64,
    holdout_fraction: Option<f64>,
    acquisition_cost_amount: Option<f64>,
    lapse_rule: LapseRule,
}

impl PlanOutcomeParams {
    /// Says which campaign, where the plan holds several.
    #[must_use]
    pub fn with_campaign(mut self, campaign: impl Into<String>) -> Self {
        self.campaign = Some(campaign.into());
        self
    }

    /// Looks no further than this day.
    #[must_use]
    pub fn with_until(mut self, until: Day) -> Self {
        self.until = Some(until);
        self
    }

    /// Sets how often intervals cover the truth, between 0 and 1.
    #[must_use]
    pub fn with_level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// States the share that was to be held out, between 0 and 1.
    #[must_use]
    pub fn with_holdout_fraction(mut self, fraction: f64) -> Self {
        self.holdout_fraction = Some(fraction);
        self
    }

    /// States what a new customer costs, an amount from 0 on.
    #[must_use]
    pub fn with_acquisition_cost_amount(mut self, amount: f64) -> Self {
        self.acquisition_cost_amount = Some(amount);
        self
    }

    /// Says when a customer has lapsed again.
    #[must_use]
    pub fn with_lapse_rule(mut self, rule: LapseRule) -> Self {
        self.lapse_rule = rule;
        self
    }

    /// Measures by intention to treat: everyone in the arm they were given, from the day of the first step to the
    /// last that counts, both included; the held out from the day on which they would have been contacted.
    ///
    /// `contacts` tell of redemptions, referrals, and of held out customers who were contacted all the same; `offers`
    /// what a contact costs.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a setting out of range, a plan without such a campaign, or without one of the arms;
    /// [`Error::AfterObserved`] for a day that the log does not reach.
    pub fn measure(
        &self,
        plan: &PlanSheet,
        history: &History,
        contacts: Option<&Contacts>,
        offers: Option<&Offers>,
    ) -> Result<PlanOutcome> {
        self.check()?;
        let campaign = self.choose(plan)?;
        let own = || {
            plan.rows().iter().filter(|row| row.arm != Arm::None && row.campaign.as_deref() == Some(campaign))
        };
        let measure_until = own().filter_map(|row| row.measure_until).max().unwrap_or(Day::FIRST);
        let observed = history.observed_until();
        if let Some(until) = self.until.filter(|until| *until > observed) {
            return Err(Error::AfterObserved { as_of: until, observed_until: observed });
        }
        let until = self.until.unwrap_or(measure_until.min(observed)).min(measure_until);
        let is_interim = until < measure_until;
        let group = follow(plan, campaign, history, contacts, offers, until)?;
        for (arm, is_treated) in [("treated", true), ("held out", false)] {
            if !group.customers.iter().any(|one| one.treated == is_treated) {
                let found = format!("nobody {arm} whose clock has started by {until}");
                return Err(Error::parameter("plan", found, "customers of both arms"));
            }
        }
        let primaries: BTreeSet<&str> = own().filter_map(|row| Some(row.primary_outcome?.name())).collect();
        let primary = own().find_map(|row| row.primary_outcome).unwrap_or(Measured::Returned);
        if primaries.len() > 1 {
            let found = primaries.into_iter().collect::<Vec<_>>().join(" and ");
            return Err(Error::parameter(
                "primary outcome",
                found,
                "one for the whole campaign, as it was planned",
            ));
        }

        let mut params = Outcome::params().with_level(self.level).with_primary(primary);
        let of_offers = params.clone().with_primary(Measured::Returned);
        params = match self.holdout_fraction {
            Some(fraction) => params.with_split([("holdout", fraction), ("treated", 1.0 - fraction)]),
            None => params.with_whole_percent(),
        };
        let all = group.experiment("treated", |_| true);
        let mut overall = params.measure(&all)?;
        let names = group.offers();
        let mut each = Vec::new();
        let mut by_cause = Vec::new();
        for &name in &names {
            let of = |cause: Option<Cause>| {
                group.experiment(name, |one| {
                    one.row.offer.as_deref() == Some(name) && cause.is_none_or(|cause| one.row.cause == cause)
                })
            };
            each.extend(effects(&of(None), &of_offers)?);
            for cause in Cause::ALL {
                let found = effects(&of(Some(cause)), &of_offers)?;
                let rate = found.into_iter().find(|effect| effect.outcome == Measured::Returned);
                let is_enough = |effect: &Effect| effect.n_treated.min(effect.n_control) >= LEAST_OF_CAUSE;
                by_cause.extend(rate.filter(is_enough).map(|effect| (name.to_owned(), cause, effect)));
            }
        }
        adjust_each(&mut each);
        adjust(by_cause.iter_mut().map(|(.., effect)| effect));
        let mut between = Vec::new();
        if group.has_lots() {
            for (place, &one) in names.iter().enumerate() {
                for &other in &names[place + 1..] {
                    let found = effects(&group.between(one, other), &of_offers)?;
                    between
                        .extend(found.into_iter().map(|effect| Between { control: one.to_owned(), effect }));
                }
            }
            let mut family: Vec<Effect> = between.iter().map(|pair| pair.effect.clone()).collect();
            adjust_each(&mut family);
            between.iter_mut().zip(family).for_each(|(pair, effect)| pair.effect = effect);
        }
        let mut notes = self.notes(&group, &names, until);
        let (strata, n_strata) = all.strata();
        let pair = Pair::new(&all, 1, &strata, n_strata);
        let mut lapsed_again = match self.lapsed_again(&group, history, until) {
            Ok(did) => Some(pair.rate(Measured::Returned, &did, self.level)),
            Err(error) => {
                notes.push(format!("who has lapsed again is not known: {error}"));
                None
            }
        };
        let held_out = group.customers.iter().filter(|one| !one.treated).count();
        let contaminated = group.customers.iter().filter(|one| !one.treated && one.contacts > 0).count();
        if contaminated as f64 > MOST_CONTACTED * held_out as f64
            && overall.trust_checks.trust == Trust::Trusted
        {
            overall.distrust(Trust::Doubtful);
        }
        if is_interim {
            overall.verdict = Verdict::Interim;
            let between = between.iter_mut().map(|pair| &mut pair.effect);
            let by_cause = by_cause.iter_mut().map(|(.., effect)| effect);
            let all = overall.effects.iter_mut().chain(&mut each).chain(between).chain(by_cause);
            let all = all.chain(&mut lapsed_again);
            all.for_each(|effect| (effect.p, effect.p_adjusted) = (None, None));
        }
        let ledger = Ledger::of(&group, &pair, self.level, self.acquisition_cost_amount);
        let contacted = group.customers.iter().filter(|one| one.treated && one.contacts > 0).count();
        Ok(PlanOutcome {
            campaign: campaign.to_owned(),
            until,
            measure_until,
            overall,
            offers: each,
            by_cause,
            between,
            ledger,
            lapsed_again,
            referrals: contacts.map(|contacts| Referrals::of(&group, contacts, history)),
            contacted: contacts.map(|_| [contacted, contaminated]),
            notes,
        })
    }

    fn check(&self) -> Result<()> {
        if let Some(fraction) = self.holdout_fraction.filter(|fraction| !(*fraction > 0.0 && *fraction < 1.0))
        {
            return Err(Error::parameter("holdout fraction", fraction, "a number between 0 and 1"));
        }
        if let Some(cost) = self.acquisition_cost_amount.filter(|cost| !(*cost >= 0.0 && cost.is_finite())) {
            return Err(Error::parameter("acquisition cost", cost, "an amount from 0 on"));
        }
        Ok(())
    }

    fn choose<'a>(&'a self, plan: &'a PlanSheet) -> Result<&'a str> {
        let has_arm = plan.rows().iter().filter(|row| row.arm != Arm::None);
        let names: BTreeSet<&str> = has_arm.filter_map(|row| row.campaign.as_deref()).collect();
        let list = || names.iter().take(10).map(|name| shown(name)).collect::<Vec<_>>().join(", ");
        match (&self.campaign, names.len()) {
            (_, 0) => Err(Error::parameter("plan", "nobody with an arm", "treated and held out customers")),
            (Some(name), _) if !names.contains(name.as_str()) => {
                let found = format!("{}, where the plan holds {}", shown(name), list());
                Err(Error::parameter("campaign", found, "a campaign of the plan"))
            }
            (Some(name), _) => Ok(name),
            (None, 1) => Ok(names.first().copied().unwrap_or_default()),
            (None, _) => {
                Err(Error::parameter("campaign", list(), "one of these by name: the plan holds several"))
            }
        }
    }

    /// Whether each customer returned and has lapsed again by the day.
    fn lapsed_again(&self, group: &Group, history: &History, until: Day) -> Result<Vec<bool>> {
        let lapses = self.lapse_rule.find(history, until)?;
        let lapsed: BTreeSet<u32> =
            lapses.lives().iter().filter(|life| life.lapsed_on.is_some()).map(|life| life.rank()).collect();
        let is_lapsed = |rank: Option<usize>| rank.is_some_and(|rank| lapsed.contains(&(rank as u32)));
        Ok(group.customers.iter().map(|one| one.returned && is_lapsed(one.rank)).collect())
    }

    fn notes(&self, group: &Group, names: &[&str], until: Day) -> Vec<String> {
        let mut notes = Vec::new();
        let missing = group.customers.iter().filter(|one| one.rank.is_none()).count();
        if missing > 0 {
            notes.push(format!(
                "{missing} customers of the plan are not in the orders, and count as not returned: are ids written alike?"
            ));
        }
        if group.not_started > 0 {
            notes.push(format!(
                "{} customers' first step lies after {until}; they do not count yet",
                group.not_started
            ));
        }
        if let Some(why) = &group.unpredicted {
            notes.push(format!("spend is compared without a prediction: {why}"));
        }
        if names.len() > 1 && !group.has_lots() {
            notes.push(
                "offers are not compared with each other: they were chosen for different customers, and none by lot"
                    .to_owned(),
            );
        }
        notes
    }
}

fn effects(experiment: &Experiment, params: &OutcomeParams) -> Result<Vec<Effect>> {
    let sizes = |arm: u32| experiment.arm.iter().filter(|own| **own == arm).count();
    match sizes(0) > 0 && sizes(1) > 0 {
        true => Ok(params.measure(experiment)?.effects),
        false => Ok(Vec::new()),
    }
}

/// Corrects p-values for how many effects there are on the same outcome.
fn adjust_each(effects: &mut [Effect]) {
    for measured in Measured::ALL {
        adjust(effects.iter_mut().filter(|effect| effect.outcome == measured));
    }
}

impl PlanOutcome {
    /// Begins to measure.
    #[must_use]
    pub fn params() -> PlanOutcomeParams {
        PlanOutcomeParams {
            campaign: None,
            until: None,
            level: 0.95,
            holdout_fraction: None,
            acquisition_cost_amount: None,
            lapse_rule: LapseRule::default(),
        }
    }
}
