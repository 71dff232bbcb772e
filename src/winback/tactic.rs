//! How do we speak to a customer, given why they left?

use std::fmt;

use serde::Serialize;

use super::offer::{Offer, RedeemCost};
use crate::day::Day;
use crate::evidence::Cause;

/// What answers a cause.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tactic {
    /// Service failure: own it, say what has changed, and make up for the harm.
    Apology,
    /// Competitor or price: match or beat what the rival asks.
    BeatTheOffer,
    /// No longer needed: what they had of us, in their own figures; no discount.
    ValueStatement,
    /// Not the right fit: stay in touch, and come back with what fits.
    KeepInTouch,
    /// Unknown, or none of these: ask first.
    AskFirst,
}

impl Tactic {
    /// What answers the cause.
    #[must_use]
    pub fn of(cause: Cause) -> Self {
        match cause {
            Cause::ServiceFailure => Tactic::Apology,
            Cause::Competitor | Cause::Price => Tactic::BeatTheOffer,
            Cause::NoLongerNeeded => Tactic::ValueStatement,
            Cause::NotTheRightFit => Tactic::KeepInTouch,
            Cause::Other | Cause::Unknown => Tactic::AskFirst,
        }
    }
}

impl fmt::Display for Tactic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Tactic::Apology => "apologise and make up for it",
            Tactic::BeatTheOffer => "match or beat the rival",
            Tactic::ValueStatement => "show what they had of us",
            Tactic::KeepInTouch => "keep in touch",
            Tactic::AskFirst => "ask first",
        })
    }
}

/// What is known of a customer when an offer is fitted to them. Amounts are NaN where none were read.
#[derive(Clone, Debug, Default)]
pub(super) struct Situation {
    /// Margin expected of a customer who is won.
    pub(super) margin_amount: f64,
    /// What an order of theirs brings.
    pub(super) order_amount: f64,
    /// What their incidents cost them, where said.
    pub(super) harm_amount: Option<f64>,
    /// What the rival asks for what they buy, where said.
    pub(super) rival_amount: Option<f64>,
    /// They would have to be bought back every few months.
    pub(super) is_bought_back: bool,
    /// They left for want of something that is there now.
    pub(super) fits_now: bool,
}

/// What the redemption of an offer gives this customer, on our own terms; `None` where the offer is not for them.
///
/// A dedicated contact gives nothing. Otherwise it is what the offer says, except that harm with a known cost is made
/// up for in its amount and no more than the margin expected, and a known price of a rival is matched; both within the
/// offer's least and most.
pub(super) fn amount(offer: &Offer, cause: Cause, situation: &Situation) -> Option<f64> {
    let Situation { margin_amount, order_amount, harm_amount, rival_amount, .. } = *situation;
    if !offer.causes.contains(&cause) {
        return None;
    }
    let stated = match offer.redeem_cost {
        RedeemCost::Fixed(amount) => amount,
        RedeemCost::Percent(share) => share * order_amount,
    };
    if !offer.money {
        return stated.is_finite().then_some(stated);
    }
    let tactic = Tactic::of(cause);
    match tactic {
        Tactic::ValueStatement => return None,
        Tactic::KeepInTouch if !situation.fits_now => return None,
        Tactic::BeatTheOffer if situation.is_bought_back => return None,
        _ => {}
    }
    let most = offer.max_amount.unwrap_or(f64::INFINITY);
    let fitted = match (tactic, harm_amount, rival_amount) {
        // Without a most of its own, an offer never grows beyond what it says.
        (Tactic::Apology, Some(harm), _) => {
            harm.min(if most.is_finite() { most } else { stated }).min(margin_amount)
        }
        (Tactic::BeatTheOffer, _, Some(rival)) if order_amount > rival => {
            (order_amount - rival).min(if most.is_finite() { most } else { stated })
        }
        _ => stated,
    };
    let amount = fitted.max(offer.min_amount).min(most);
    let is_due = tactic != Tactic::Apology || harm_amount.is_none() || amount <= margin_amount;
    (amount.is_finite() && is_due).then_some(amount)
}

/// What a customer had of us, for a value statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnFigures {
    pub(super) orders: usize,
    pub(super) since: Day,
    pub(super) spent_amount: f64,
    /// What they saved by discounts.
    pub(super) saved_amount: f64,
}

impl fmt::Display for OwnFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.orders == 1 { "" } else { "s" };
        write!(f, "{} order{plural} since {}", self.orders, self.since)?;
        if self.spent_amount > 0.0 {
            write!(f, " for {:.2}", self.spent_amount)?;
        }
        if self.saved_amount > 0.0 {
            write!(f, ", {:.2} saved", self.saved_amount)?;
        }
        Ok(())
    }
}

/// What is said first.
pub(super) struct Message<'a> {
    pub(super) cause: Cause,
    pub(super) is_lapsed: bool,
    pub(super) offer: &'a Offer,
    /// What its redemption gives.
    pub(super) amount: f64,
    pub(super) until: Day,
    /// What has changed at the place they bought at, or fits them now.
    pub(super) changed: Option<&'a str>,
    pub(super) figures: OwnFigures,
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Message { cause, is_lapsed, offer, amount, until, changed, figures } = self;
        let tactic = Tactic::of(*cause);
        f.write_str(match (tactic, is_lapsed) {
            (Tactic::Apology, _) => "Thank them for telling us, and own the mistake",
            (Tactic::BeatTheOffer, true) => "Thank them for the time they were with us",
            (Tactic::AskFirst, true) => "Ask what made them stay away, and listen",
            (Tactic::AskFirst, false) => "Ask how they are doing with us, and listen",
            _ => "Thank them for being with us",
        })?;
        if tactic == Tactic::ValueStatement {
            write!(f, "; show them what they had: {figures}")?;
        }
        if let Some(changed) = changed {
            write!(f, "; say what has changed: {changed}")?;
        }
        match (offer.money, *amount > 0.0) {
            (true, true) => write!(f, "; offer {} ({amount:.2} off, until {until})", offer.name)?,
            (true, false) => write!(f, "; offer {} (until {until})", offer.name)?,
            (false, _) => write!(f, "; {}", offer.name)?,
        }
        if !offer.conditions.is_empty() {
            write!(f, ", {}", offer.conditions)?;
        }
        f.write_str("; ask them to buy again.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::winback::Offers;

    fn offer(more: &str) -> Offer {
        let text = format!(
            r#"[{{"name": "x", "channel": "email", "redeem_cost": {{"fixed": 10}}, "effect": {{"assumed": {{"low": 0, "high": 0.1}}}} {more}}}]"#
        );
        Offers::from_json(&text).unwrap().offers()[0].clone()
    }

    fn situation() -> Situation {
        Situation { margin_amount: 30.0, order_amount: 50.0, ..Situation::default() }
    }

    #[test]
    fn harm_is_made_up_for_in_proportion_and_within_the_margin() {
        let offer = offer(r#", "min_amount": 5, "max_amount": 40"#);
        let of = |harm| {
            amount(&offer, Cause::ServiceFailure, &Situation { harm_amount: Some(harm), ..situation() })
        };
        assert_eq!((of(1.0), of(12.0), of(35.0), of(90.0)), (Some(5.0), Some(12.0), Some(30.0), Some(30.0)));
        let poor = Situation { harm_amount: Some(9.0), margin_amount: 3.0, ..situation() };
        assert_eq!(amount(&offer, Cause::ServiceFailure, &poor), None);
        assert_eq!(amount(&offer, Cause::ServiceFailure, &situation()), Some(10.0));
    }

    #[test]
    fn a_known_rival_is_matched_unless_they_are_bought_back_every_few_months() {
        let with_most = offer(r#", "max_amount": 20"#);
        let rival = |rival| Situation { rival_amount: Some(rival), ..situation() };
        assert_eq!(amount(&with_most, Cause::Competitor, &rival(44.0)), Some(6.0));
        assert_eq!(amount(&with_most, Cause::Price, &rival(20.0)), Some(20.0));
        assert_eq!(amount(&with_most, Cause::Price, &rival(60.0)), Some(10.0));
        assert_eq!(amount(&offer(""), Cause::Price, &rival(20.0)), Some(10.0));
        let often = Situation { is_bought_back: true, ..rival(44.0) };
        assert_eq!(amount(&with_most, Cause::Competitor, &often), None);
    }

    #[test]
    fn no_discount_for_who_no_longer_needs_it_or_for_what_does_not_fit() {
        assert_eq!(amount(&offer(""), Cause::NoLongerNeeded, &situation()), None);
        let contact = offer(r#", "money": false"#);
        assert!(amount(&contact, Cause::NoLongerNeeded, &situation()).is_some());
        assert_eq!(amount(&offer(""), Cause::NotTheRightFit, &situation()), None);
        let fits = Situation { fits_now: true, ..situation() };
        assert_eq!(amount(&offer(""), Cause::NotTheRightFit, &fits), Some(10.0));
        assert_eq!(amount(&offer(r#", "causes": ["Price"]"#), Cause::Unknown, &situation()), None);
    }
}
