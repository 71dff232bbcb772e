//! With what can customers be won back? Offers as data.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::document::{Faults, Keys, Node};
use crate::error::{Error, Result, shown};
use crate::evidence::Cause;

/// An offer must be convenient: so many steps to redeem it are the most that does not warn.
const MOST_STEPS: u64 = 2;

/// What the redemption of an offer costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedeemCost {
    /// An amount per redemption, from 0 on.
    Fixed(f64),
    /// A share of what is bought, 0 to 1.
    Percent(f64),
}

/// An effect that an experiment showed: by how much an offer raises the chance of return.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasuredEffect {
    /// The estimate, −1 to 1; may be below 0.
    pub estimate: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// The campaign that showed it.
    pub campaign: Option<String>,
    /// The stratum it holds for; `None` for everybody.
    pub stratum: Option<String>,
}

/// What is known of an offer's effect on the chance of return.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectEvidence {
    /// Nobody has measured it; it is taken to lie in this range, −1 to 1.
    Assumed {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Experiments have shown it: for everybody, or by stratum.
    Measured(Vec<MeasuredEffect>),
}

/// An offer.
///
/// | key | holds | default |
/// |---|---|---|
/// | `name` | what it is called, once in the document | needed |
/// | `channel` | how the customer hears of it | needed |
/// | `effect` | `{"assumed": {"low", "high"}}`, `{"measured": {"estimate", "low", "high"[, "campaign", "stratum"]}}` or a list of the latter, each with its `stratum` | needed |
/// | `money` | whether it gives money away; a dedicated contact does not | `true` |
/// | `contact_cost` | amount per contact, from 0 on | 0 |
/// | `redeem_cost` | `{"fixed": amount}` or `{"percent": share}` of what is bought | `{"fixed": 0}` |
/// | `min_amount`, `max_amount` | what it may give at least and at most, amounts from 0 on | 0, no limit |
/// | `capacity` | to how many customers it can be made | no limit |
/// | `valid_days` | how long it holds, from 1 on | 30 |
/// | `steps_to_redeem` | what the customer must do; more than two warns | 1 |
/// | `conditions` | in words | none |
/// | `causes` | the causes it answers | all |
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offer {
    /// What it is called.
    pub name: String,
    /// How the customer hears of it.
    pub channel: String,
    /// Whether it gives money away.
    pub money: bool,
    /// Cost of a contact.
    pub contact_cost: f64,
    /// Cost of a redemption.
    pub redeem_cost: RedeemCost,
    /// The least it gives.
    pub min_amount: f64,
    /// The most it gives.
    pub max_amount: Option<f64>,
    /// To how many customers it can be made.
    pub capacity: Option<u64>,
    /// How long it holds.
    pub valid_days: u64,
    /// What the customer must do to redeem it.
    pub steps_to_redeem: u64,
    /// Conditions in words.
    pub conditions: String,
    /// The causes it answers, in order.
    pub causes: Vec<Cause>,
    /// What is known of its effect.
    pub effect: EffectEvidence,
}

/// All offers of a document, in its order.
///
/// ```
/// use winback::winback::{EffectEvidence, Offers};
///
/// let offers = Offers::from_json(
///     r#"[{"name": "ten-off", "channel": "email", "redeem_cost": {"fixed": 10.0}, "steps_to_redeem": 3,
///          "effect": {"assumed": {"low": 0.00, "high": 0.06}}}]"#,
/// )?;
/// assert_eq!(offers.offers()[0].effect, EffectEvidence::Assumed { low: 0.0, high: 0.06 });
/// assert!(offers.warnings()[0].contains("3 steps"));
///
/// let said = Offers::from_json(r#"[{"name": "x", "chanel": "email"}]"#).map_err(|error| error.to_string());
/// assert!(said.is_err_and(|said| said.contains("key `chanel`") && said.contains("offers[0].effect")));
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offers {
    offers: Vec<Offer>,
    warnings: Vec<String>,
}

impl Offers {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Unreadable`], and [`Error::InvalidDocument`] with every fault.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if !path.exists() {
            return Err(Error::NoSuchFile { path: path.to_owned() });
        }
        let text = fs::read_to_string(path).map_err(|error| Error::unreadable(path, error))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads text.
    ///
    /// # Errors
    /// [`Error::InvalidDocument`] with every fault.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::parse(text, "offers")
    }

    /// The offers.
    #[must_use]
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// What should be thought over before the offers are made.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn parse(text: &str, origin: &str) -> Result<Self> {
        let mut faults = Faults::default();
        let mut offers: Vec<Offer> = Vec::new();
        match serde_json::from_str::<Node>(text) {
            Err(error) => faults.add("the file", error, "JSON", "correct it there"),
            Ok(Node::List(list)) if !list.is_empty() => {
                for (place, node) in list.iter().enumerate() {
                    let place = format!("offers[{place}]");
                    if let Some(offer) = read_offer(node, &place, &mut faults) {
                        if offers.iter().any(|earlier| earlier.name == offer.name) {
                            faults.add(
                                &format!("{place}.name"),
                                shown(&offer.name),
                                "a name of its own",
                                "rename one of the two",
                            );
                        }
                        offers.push(offer);
                    }
                }
            }
            Ok(other) => faults.add("the file", other, "a list of at least one offer", "write [{…}, {…}]"),
        }
        if !faults.0.is_empty() {
            return Err(Error::InvalidDocument { origin: origin.to_owned(), faults: faults.0 });
        }
        let warnings = offers
            .iter()
            .filter(|offer| offer.steps_to_redeem > MOST_STEPS)
            .map(|offer| {
                format!(
                    "offer {} takes {} steps to redeem: an offer must be convenient, {MOST_STEPS} at most",
                    shown(&offer.name),
                    offer.steps_to_redeem
                )
            })
            .collect();
        Ok(Offers { offers, warnings })
    }
}

const AMOUNT: (f64, f64) = (0.0, 1e100);
const AMOUNT_EXPECTED: &str = "an amount from 0 on";
const EFFECT: (f64, f64) = (-1.0, 1.0);
const EFFECT_EXPECTED: &str = "a difference of chances, -1 to 1";

fn read_offer(node: &Node, place: &str, faults: &mut Faults) -> Option<Offer> {
    let before = faults.0.len();
    let mut keys = Keys::of(node, place, faults)?;
    keys.require("name", faults);
    keys.require("channel", faults);
    let name = keys.text("name", faults).unwrap_or_default();
    let channel = keys.text("channel", faults).unwrap_or_default();
    let effect = keys.require("effect", faults);
    let effect = effect.and_then(|node| read_effect(node, &keys.at("effect"), faults));
    let redeem_cost = keys.get("redeem_cost").map(|node| read_cost(node, &keys.at("redeem_cost"), faults));
    let causes = keys.get("causes").map(|node| read_causes(node, &keys.at("causes"), faults));
    let min_amount = keys.number("min_amount", AMOUNT, AMOUNT_EXPECTED, faults).unwrap_or(0.0);
    let max_amount = keys.number("max_amount", AMOUNT, AMOUNT_EXPECTED, faults);
    if max_amount.is_some_and(|most| most < min_amount) {
        faults.add(
            &keys.at("max_amount"),
            max_amount.unwrap_or_default(),
            &format!("at least min_amount, {min_amount}"),
            "correct one of the two",
        );
    }
    let valid_days = keys.whole("valid_days", faults);
    if valid_days == Some(0) {
        faults.add(&keys.at("valid_days"), 0, "at least 1 day", "correct the number");
    }
    let offer = Offer {
        money: keys.flag("money", faults).unwrap_or(true),
        contact_cost: keys.number("contact_cost", AMOUNT, AMOUNT_EXPECTED, faults).unwrap_or(0.0),
        redeem_cost: redeem_cost.unwrap_or(RedeemCost::Fixed(0.0)),
        min_amount,
        max_amount,
        capacity: keys.whole("capacity", faults),
        valid_days: valid_days.unwrap_or(30),
        steps_to_redeem: keys.whole("steps_to_redeem", faults).unwrap_or(1),
        conditions: keys.text("conditions", faults).unwrap_or_default(),
        causes: causes.unwrap_or_else(|| Cause::ALL.to_vec()),
        effect: effect.unwrap_or(EffectEvidence::Assumed { low: 0.0, high: 0.0 }),
        name,
        channel,
    };
    for (key, text) in [("name", &offer.name), ("channel", &offer.channel)] {
        if text.trim().is_empty() && keys.get(key).is_some_and(|node| matches!(node, Node::Text(_))) {
            faults.add(&keys.at(key), shown(text), "text that is not empty", "fill it in");
        }
    }
    keys.finish(faults);
    (faults.0.len() == before).then_some(offer)
}

fn read_cost(node: &Node, place: &str, faults: &mut Faults) -> RedeemCost {
    let Some(mut keys) = Keys::of(node, place, faults) else { return RedeemCost::Fixed(0.0) };
    let given = (keys.get("fixed").is_some(), keys.get("percent").is_some());
    let fixed = keys.number("fixed", AMOUNT, AMOUNT_EXPECTED, faults);
    let percent = keys.number("percent", (0.0, 1.0), "a share, 0 to 1", faults);
    if given.0 == given.1 {
        faults.add(place, node, "either fixed or percent", "give one of the two");
    }
    keys.finish(faults);
    percent.map(RedeemCost::Percent).or(fixed.map(RedeemCost::Fixed)).unwrap_or(RedeemCost::Fixed(0.0))
}

fn read_causes(node: &Node, place: &str, faults: &mut Faults) -> Vec<Cause> {
    let Node::List(list) = node else {
        faults.add(place, node, "a list of causes", "write [\"Price\"]");
        return Vec::new();
    };
    let names: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    let mut causes = Vec::new();
    for node in list {
        let cause = match node {
            Node::Text(text) => Cause::ALL.into_iter().find(|cause| cause.name() == text),
            _ => None,
        };
        match cause {
            Some(cause) => causes.push(cause),
            None => faults.add(place, node, &format!("one of {}", names.join(", ")), "correct the cause"),
        }
    }
    causes.sort_unstable();
    causes.dedup();
    causes
}

fn read_effect(node: &Node, place: &str, faults: &mut Faults) -> Option<EffectEvidence> {
    let mut keys = Keys::of(node, place, faults)?;
    let (assumed, measured) = (keys.get("assumed"), keys.get("measured"));
    let found = match (assumed, measured) {
        (Some(node), None) => read_range(node, &keys.at("assumed"), faults),
        (None, Some(Node::List(list))) if !list.is_empty() => {
            let place = keys.at("measured");
            let mut effects: Vec<MeasuredEffect> = Vec::new();
            for (at, node) in list.iter().enumerate() {
                let place = format!("{place}[{at}]");
                let Some(effect) = read_measured(node, &place, faults) else { continue };
                if effect.stratum.is_none() && list.len() > 1 {
                    faults.add(&place, "no stratum", "a stratum for each of several", "add its key");
                }
                if effect.stratum.is_some() && effects.iter().any(|earlier| earlier.stratum == effect.stratum)
                {
                    faults.add(&place, "the stratum twice", "each stratum once", "remove one");
                }
                effects.push(effect);
            }
            Some(EffectEvidence::Measured(effects))
        }
        (None, Some(node)) => read_measured(node, &keys.at("measured"), faults)
            .map(|effect| EffectEvidence::Measured(vec![effect])),
        _ => {
            faults.add(place, node, "either assumed or measured", "say what is known of the effect");
            None
        }
    };
    keys.finish(faults);
    found
}

fn read_range(node: &Node, place: &str, faults: &mut Faults) -> Option<EffectEvidence> {
    let mut keys = Keys::of(node, place, faults)?;
    keys.require("low", faults);
    keys.require("high", faults);
    let low = keys.number("low", EFFECT, EFFECT_EXPECTED, faults);
    let high = keys.number("high", EFFECT, EFFECT_EXPECTED, faults);
    keys.finish(faults);
    let (low, high) = (low?, high?);
    if low > high {
        faults.add(place, format!("low {low} above high {high}"), "low at most high", "swap them");
    }
    Some(EffectEvidence::Assumed { low, high })
}

fn read_measured(node: &Node, place: &str, faults: &mut Faults) -> Option<MeasuredEffect> {
    let mut keys = Keys::of(node, place, faults)?;
    for key in ["estimate", "low", "high"] {
        keys.require(key, faults);
    }
    let estimate = keys.number("estimate", EFFECT, EFFECT_EXPECTED, faults);
    let low = keys.number("low", EFFECT, EFFECT_EXPECTED, faults);
    let high = keys.number("high", EFFECT, EFFECT_EXPECTED, faults);
    let campaign = keys.text("campaign", faults);
    let stratum = keys.text("stratum", faults);
    keys.finish(faults);
    let effect = MeasuredEffect { estimate: estimate?, low: low?, high: high?, campaign, stratum };
    if !(effect.low <= effect.estimate && effect.estimate <= effect.high && effect.low < effect.high) {
        let found = format!("{} in {} to {}", effect.estimate, effect.low, effect.high);
        faults.add(place, found, "an estimate within an interval of some width", "correct the numbers");
    }
    Some(effect)
}

impl fmt::Display for Offers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} offers", self.offers.len())?;
        for offer in &self.offers {
            write!(f, "\n  {} by {}: {} a contact, ", offer.name, offer.channel, offer.contact_cost)?;
            match offer.redeem_cost {
                RedeemCost::Fixed(amount) => write!(f, "{amount} a redemption, ")?,
                RedeemCost::Percent(share) => write!(f, "{} % of what is bought, ", 100.0 * share)?,
            }
            match &offer.effect {
                EffectEvidence::Assumed { low, high } => {
                    write!(f, "effect assumed, {:+.1} to {:+.1} points: test it", 100.0 * low, 100.0 * high)?;
                }
                EffectEvidence::Measured(effects) => {
                    write!(f, "effect measured in {} strata", effects.len())?
                }
            }
        }
        for warning in &self.warnings {
            write!(f, "\n  note: {warning}")?;
        }
        Ok(())
    }
}
