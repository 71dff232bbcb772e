//! How are expectations told?

use std::fmt;

use super::{LookBack, Values};
use crate::metrics::Interval;

/// A total of spend, in words.
struct Spent<'a>(f64, Option<&'a Interval>);

impl fmt::Display for Spent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} spent", self.0)?;
        match self.1 {
            Some(Interval { low, high, .. }) => write!(f, " ({low:.2} to {high:.2})"),
            None => write!(f, " (no interval: a few customers may spend any amount)"),
        }
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = &self.totals.purchases;
        write!(
            f,
            "{} customers in the {} days after {}: {:.0} purchases expected ({:.0} to {:.0})",
            self.len(),
            self.horizon_days,
            self.as_of,
            total.estimate,
            total.low,
            total.high
        )?;
        if let Some(spend) = self.totals.spend {
            write!(f, ", {}", Spent(spend, self.totals.spend_interval.as_ref()))?;
        }
        match &self.looked_back {
            Some(LookBack { as_of, expected, purchases, expected_spend, expected_spend_interval, spend }) => {
                let Interval { estimate, low, high, .. } = expected;
                write!(
                    f,
                    "\n  looking back: on {as_of}, {estimate:.0} were expected by now ({low:.0} to {high:.0})"
                )?;
                if let Some(expected) = expected_spend {
                    write!(f, ", {}", Spent(*expected, expected_spend_interval.as_ref()))?;
                }
                write!(f, "; {purchases} came")?;
                if let Some(spend) = spend {
                    write!(f, ", {spend:.2} spent")?;
                }
            }
            None => write!(f, "\n  looking back: too short a log to compare with what came")?,
        }
        write!(f, "\n  rhythm: {}", self.rhythm)?;
        match self.spend_basis {
            Some(basis) => write!(f, "\n  spend per purchase: {basis}"),
            None => write!(f, "\n  no amounts were read: purchases only"),
        }
    }
}
