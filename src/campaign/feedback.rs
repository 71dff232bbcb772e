//! What does the next plan learn from this one? Offers with the effects that were measured.

use super::effect::Effect;
use super::outcome::Verdict;
use super::plan_outcome::PlanOutcome;
use crate::error::{Error, Result};
use crate::evidence::Cause;
use crate::winback::{EffectEvidence, MeasuredEffect, Offer, Offers, PlanSheet, RedeemCost};

impl PlanOutcome {
    /// The offers for the next plan: of those that were measured, the effect is replaced by what was found, one for each
    /// cause where at least two causes have 30 customers in both arms, else one for everybody. Offers that were not
    /// measured stay as they are in `offers`. Without `offers`, those of the plan are described as far as it knows them;
    /// what they cost has to be filled in.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an interim look, or a comparison that cannot be trusted.
    pub fn measured_offers(&self, plan: &PlanSheet, offers: Option<&Offers>) -> Result<Vec<Offer>> {
        if matches!(self.verdict(), Verdict::Interim | Verdict::DoNotTrust) {
            return Err(Error::parameter(
                "verdict",
                self.verdict(),
                "one to learn from: write no effects before",
            ));
        }
        let mut all: Vec<Offer> = match offers {
            Some(offers) => offers.offers().to_vec(),
            None => {
                let mut names: Vec<&str> = self.offers.iter().map(|effect| effect.arm.as_str()).collect();
                names.sort_unstable();
                names.dedup();
                names.into_iter().map(|name| bare(name, plan)).collect()
            }
        };
        for offer in &mut all {
            let Some(overall) = self.rate_of(&offer.name) else { continue };
            let own: Vec<MeasuredEffect> = self
                .by_cause
                .iter()
                .filter(|(name, ..)| *name == offer.name)
                .filter_map(|(_, cause, effect)| self.measured(effect, Some(*cause)))
                .collect();
            let measured = match own.len() {
                0 | 1 => self.measured(overall, None).into_iter().collect(),
                _ => own,
            };
            if !measured.is_empty() {
                offer.effect = EffectEvidence::Measured(measured);
            }
        }
        Ok(all)
    }

    fn measured(&self, effect: &Effect, cause: Option<Cause>) -> Option<MeasuredEffect> {
        let (estimate, low, high) = (effect.effect?, effect.low?, effect.high?);
        (low < high).then(|| MeasuredEffect {
            estimate,
            low,
            high,
            campaign: Some(self.campaign.clone()),
            stratum: cause.map(|cause| cause.name().to_owned()),
        })
    }
}

/// An offer as far as a plan knows it.
fn bare(name: &str, plan: &PlanSheet) -> Offer {
    let of = plan.rows().iter().filter(|row| row.offer.as_deref() == Some(name));
    let channel = of.filter_map(|row| Some(row.first_step.as_ref()?.channel.clone())).next();
    Offer {
        name: name.to_owned(),
        channel: channel.unwrap_or_else(|| "unknown".to_owned()),
        money: true,
        contact_cost: 0.0,
        redeem_cost: RedeemCost::Fixed(0.0),
        min_amount: 0.0,
        max_amount: None,
        capacity: None,
        valid_days: 30,
        steps_to_redeem: 1,
        conditions: String::new(),
        causes: Cause::ALL.to_vec(),
        effect: EffectEvidence::Assumed { low: 0.0, high: 0.0 },
    }
}
