//! Which test would tell what is not known?

use std::fmt;

use serde::Serialize;

use super::cases::Case;
use super::offer::{EffectEvidence, Offer};
use super::options::Options;
use crate::rates::{Power, PowerRow};

/// An offer whose effect nobody has measured, and the test that would.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// The offer.
    pub offer: String,
    /// Customers whom it could be made.
    pub customers: usize,
    /// The chance of a return without it, on average.
    pub natural_return: f64,
    /// The effect from which on it pays, on average; `None` where none does.
    pub break_even: Option<f64>,
    /// What it is taken to be.
    pub assumed: (f64, f64),
    /// The test; `None` with fewer than 4 customers or where no effect could pay.
    pub test: Option<PowerRow>,
    /// Customers that it would take; `None` where these are enough.
    pub customers_needed: Option<u64>,
}

/// One per offer with an assumed effect, in their order.
pub(super) fn proposals(offers: &[Offer], cases: &[Case], options: &Options) -> Vec<Proposal> {
    let assumed = offers.iter().enumerate().filter_map(|(place, offer)| match offer.effect {
        EffectEvidence::Assumed { low, high } => Some((place as u32, offer, (low, high))),
        EffectEvidence::Measured(_) => None,
    });
    let propose = |(place, offer, assumed): (u32, &Offer, (f64, f64))| {
        let (mut n, mut p0, mut margin, mut redeem, mut natural) = (0_usize, 0.0, 0.0, 0.0, 0.0);
        for (at, case) in cases.iter().enumerate() {
            for pick in options.of_case(at).iter().filter(|pick| pick.offer == place) {
                n += 1;
                p0 += case.p0;
                margin += case.margin_amount();
                redeem += pick.amount;
                natural += case.p0 * pick.amount;
            }
        }
        let count = n.max(1) as f64;
        let earned = (margin - redeem) / count;
        let break_even = (natural / count + offer.contact_cost) / earned;
        let break_even = Some(break_even).filter(|effect| earned > 0.0 && (0.0..1.0).contains(effect));
        let natural_return = p0 / count;
        // Of an offer that costs nothing, a point of per cent is worth finding.
        let effect = break_even.unwrap_or(0.01).max(0.01);
        let power =
            (n >= 4).then(|| Power::params(n as u64, natural_return, effect).compute().ok()).flatten();
        Proposal {
            offer: offer.name.clone(),
            customers: n,
            natural_return,
            break_even,
            assumed,
            customers_needed: power.as_ref().and_then(|power| power.customers_needed),
            test: power.filter(|_| break_even.is_some()).map(|power| power.recommended),
        }
    };
    assumed.map(propose).filter(|proposal| proposal.customers > 0).collect()
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offer, customers, natural_return, break_even, assumed, test, customers_needed } = self;
        write!(
            f,
            "the effect of {offer} is assumed, {:+.1} to {:+.1} points on {:.1} %",
            100.0 * assumed.0,
            100.0 * assumed.1,
            100.0 * natural_return
        )?;
        match break_even {
            Some(effect) => write!(f, "; it pays from {:+.1} points on", 100.0 * effect)?,
            None => return write!(f, "; no effect would pay"),
        }
        let Some(test) = test else { return Ok(()) };
        write!(
            f,
            ". A test on its {customers} customers that holds out {:.0} % shows {:+.1} points in 80 of 100 cases",
            100.0 * test.fraction,
            100.0 * test.smallest_effect
        )?;
        match customers_needed {
            Some(needed) => {
                write!(f, "; to show that it pays takes {needed} customers, half of them held out")
            }
            None => Ok(()),
        }
    }
}
