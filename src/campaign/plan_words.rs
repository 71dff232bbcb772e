//! How does the outcome of a plan read?

use std::fmt;

use super::effect::Effect;
use super::followed::CostBasis;
use super::ledger::{Ledger, Referrals};
use super::outcome::Verdict;
use super::plan_outcome::{Between, PlanOutcome};
use super::trust::Trust;
use crate::rates::RatioInterval;
use crate::winback::Measured;

impl fmt::Display for PlanOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes =
            self.overall.effects.first().map_or((0, 0), |effect| (effect.n_treated, effect.n_control));
        writeln!(
            f,
            "campaign `{}`, orders until {} of those that count until {}: {} treated, {} held out",
            self.campaign, self.until, self.measure_until, sizes.0, sizes.1
        )?;
        if self.verdict() == Verdict::Interim {
            writeln!(f, "  an interim look: no verdict before {} has passed", self.measure_until)?;
        }
        write!(f, "{}", self.overall)?;
        if !self.offers.is_empty() {
            write!(
                f,
                "\n  each offer against those who would have got it; p corrected for the number of offers"
            )?;
            // Of money, what there is to say; that it is too little stands above.
            let told = |effect: &&Effect| effect.outcome == Measured::Returned || effect.effect.is_some();
            self.offers.iter().filter(told).try_for_each(|effect| write!(f, "\n  {effect}"))?;
        }
        if !self.between.is_empty() {
            write!(f, "\n  offers against each other, where the lot decided")?;
            for Between { effect, .. } in
                self.between.iter().filter(|pair| pair.effect.outcome != Measured::Profit)
            {
                write!(f, "\n  {effect}")?;
            }
        }
        write!(f, "\n  {}", self.ledger)?;
        match self.loss_amount() {
            Some(loss) if self.verdict() == Verdict::Null => {
                write!(f, "\n  no effect was shown: what it cost, {loss:.2}, is a loss as far as is known")?
            }
            Some(loss) => {
                write!(f, "\n  it did harm: what it cost, {loss:.2}, is a loss, and so is what stayed away")?
            }
            None => {}
        }
        let profit = self.overall.effects.iter().find(|effect| effect.outcome == Measured::Profit);
        if profit.and_then(|effect| effect.high).is_some_and(|high| high < 0.0) {
            write!(f, "\n  it did not pay: each treated customer brought less than they cost")?;
        }
        if let Some(effect) = &self.lapsed_again {
            write!(f, "\n  returned and lapsed again, of all in either arm:\n  {effect}")?;
        }
        for (who, found) in ["treated", "held out"].into_iter().zip(self.referrals.iter().flatten()) {
            if found.named > 0 {
                write!(f, "\n  recommended by the {who}: {found}")?;
            }
        }
        if let Some([treated, held_out]) = self.contacted {
            write!(f, "\n  contacts are recorded for {treated} of {} treated customers", sizes.0)?;
            if held_out > 0 {
                write!(
                    f,
                    ", and for {held_out} of the {} held out: nobody should have spoken to them",
                    sizes.1
                )?;
            }
        }
        if self.overall.trust == Trust::DoNotTrust {
            write!(f, "\n  do not use these effects for the next plan")?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n  note: {note}"))
    }
}

impl fmt::Display for Referrals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Referrals { named, came, first_year_amount, years_over } = self;
        write!(f, "{named} named, {came} came")?;
        if *came > 0 && !first_year_amount.is_nan() {
            write!(
                f,
                ", and spent {first_year_amount:.2} in their first year ({years_over} have had a whole one)"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for CostBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            CostBasis::Planned => "as planned, no redemptions are recorded",
            CostBasis::Recorded => "redemptions and contacts as recorded",
            CostBasis::RedemptionsOnly => "redemptions as recorded; what contacts cost is not known",
        })
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "costs: {:.2} ({})", self.cost_amount, self.basis)?;
        match self.incremental_returns {
            Some(fewer) if fewer < 0.0 => {
                write!(f, ", and {:.1} fewer returned than would have without it", -fewer)?
            }
            Some(returns) => write!(f, ", for {returns:.1} returns that would not have come")?,
            None => {}
        }
        match (self.cost_per_return_amount, self.cost_per_return) {
            (Some(cost), Some(RatioInterval::Between { low, high })) => {
                write!(f, "; a return costs {cost:.2} ({low:.2} to {high:.2})")?;
            }
            (_, Some(RatioInterval::Outside { above, .. })) => {
                write!(f, "; a return costs {above:.2} or more: there may be none")?;
            }
            _ => write!(f, "; what a return costs is not known")?,
        }
        let Some(new) = self.acquisition_cost_amount else { return Ok(()) };
        match self.cost_per_return {
            Some(RatioInterval::Between { high, low }) if low >= 0.0 && high < new => {
                write!(f, ", less than the {new:.2} of a new customer")
            }
            Some(RatioInterval::Between { low, .. }) if low > new => {
                write!(f, ", more than the {new:.2} of a new customer")
            }
            Some(RatioInterval::Outside { above, .. }) if above > new => {
                write!(f, ", more than the {new:.2} of a new customer")
            }
            _ => write!(f, "; a new customer costs {new:.2}, and which is dearer is not shown"),
        }
    }
}

impl PlanOutcome {
    /// The effect on returns of one offer.
    pub(super) fn rate_of(&self, offer: &str) -> Option<&Effect> {
        self.offers.iter().find(|effect| effect.outcome == Measured::Returned && effect.arm == offer)
    }
}
