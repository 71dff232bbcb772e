//! What did the customers of a plan bring? The answer, and how it stands in a file.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::effect::Effect;
use super::ledger::{Ledger, Referrals};
use super::outcome::{Outcome, Verdict};
use crate::day::Day;
use crate::evidence::Cause;
use crate::winback::Measured;

/// Two offers, compared among customers who got one of them by lot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Between {
    /// The offer that the other is compared with.
    pub control: String,
    /// The other less this one.
    #[serde(flatten)]
    pub effect: Effect,
}

/// What a plan brought.
///
/// Treated and held out customers are compared within the strata in which arms were drawn: returns after Miettinen and
/// Nurminen, spend and profit after Welch on what a prediction from before the plan leaves unexplained. The verdict is
/// about all offers together and the outcome that was planned; before the last day that counts there is none. Each
/// offer is compared with the customers who would have got it, with p-values corrected after Holm; one offer with
/// another only where the lot decided.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanOutcome {
    pub(super) campaign: String,
    pub(super) until: Day,
    pub(super) measure_until: Day,
    pub(super) overall: Outcome,
    pub(super) offers: Vec<Effect>,
    pub(super) by_cause: Vec<(String, Cause, Effect)>,
    pub(super) between: Vec<Between>,
    pub(super) ledger: Ledger,
    pub(super) lapsed_again: Option<Effect>,
    /// Of treated, of held out.
    pub(super) referrals: Option<[Referrals; 2]>,
    /// Treated, held out customers with a contact.
    pub(super) contacted: Option<[usize; 2]>,
    pub(super) notes: Vec<String>,
}

impl PlanOutcome {
    /// All treated against all held out.
    #[must_use]
    pub fn overall(&self) -> &Outcome {
        &self.overall
    }

    /// What was shown.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.overall.verdict
    }

    /// Each offer against its own held out customers: returns, value and profit, by name.
    #[must_use]
    pub fn offers(&self) -> &[Effect] {
        &self.offers
    }

    /// Offers against each other, where the lot decided; the effect is that of its arm less the control's.
    #[must_use]
    pub fn between(&self) -> &[Between] {
        &self.between
    }

    /// Costs, and what a return costs.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Who returned and has lapsed again, among all in either arm.
    #[must_use]
    pub fn lapsed_again(&self) -> Option<&Effect> {
        self.lapsed_again.as_ref()
    }

    /// Recommendations of treated and of held out customers; `None` without contacts.
    #[must_use]
    pub fn referrals(&self) -> Option<&[Referrals; 2]> {
        self.referrals.as_ref()
    }

    /// What is lost for good by now: the cost, where no effect or a harmful one was shown.
    #[must_use]
    pub fn loss_amount(&self) -> Option<f64> {
        matches!(self.verdict(), Verdict::Null | Verdict::Harms).then_some(self.ledger.cost_amount)
    }

    /// What there is to know besides.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Keys: as of an [`Outcome`], `effects` with those of all offers together first, as arm `treated`; profit apart.
impl Serialize for PlanOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let of = |is_profit: bool| {
            let all = self.overall.effects.iter().chain(&self.offers);
            all.filter(move |effect| (effect.outcome == Measured::Profit) == is_profit).collect::<Vec<_>>()
        };
        let by_cause: BTreeMap<&str, Vec<(Cause, &Effect)>> =
            self.by_cause.iter().fold(BTreeMap::new(), |mut all, (offer, cause, effect)| {
                all.entry(offer.as_str()).or_insert_with(Vec::new).push((*cause, effect));
                all
            });
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("campaign", &self.campaign)?;
        map.serialize_entry("until", &self.until)?;
        map.serialize_entry("measure_until", &self.measure_until)?;
        map.serialize_entry("customers", &self.overall.customers)?;
        map.serialize_entry("primary", &self.overall.primary)?;
        map.serialize_entry("level", &self.overall.level)?;
        map.serialize_entry("effects", &of(false))?;
        map.serialize_entry("profit", &of(true))?;
        map.serialize_entry("trust", &self.overall.trust)?;
        map.serialize_entry("trust_checks", &self.overall.trust_checks)?;
        map.serialize_entry("verdict", &self.overall.verdict)?;
        map.serialize_entry("loss_amount", &self.loss_amount())?;
        map.serialize_entry("costs", &self.ledger)?;
        map.serialize_entry("lapsed_again", &self.lapsed_again)?;
        map.serialize_entry("between_offers", &self.between)?;
        map.serialize_entry("by_cause", &by_cause)?;
        map.serialize_entry("referrals_treated", &self.referrals.map(|found| found[0]))?;
        map.serialize_entry("referrals_holdout", &self.referrals.map(|found| found[1]))?;
        map.serialize_entry("uplift", &self.overall.uplift)?;
        map.serialize_entry("notes", &self.notes)?;
        map.end()
    }
}
