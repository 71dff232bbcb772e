//! Did they come back?

use serde::{Deserialize, Serialize};

use crate::day::{Day, Window};
use crate::error::{Error, Result};
use crate::features::{HORIZON_DAYS, SPAN_DAYS};

/// The days in which a customer must buy not to count as churned: `(cutoff + lead, cutoff + lead + H]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelWindow {
    /// Days between the cutoff and the window.
    pub lead_days: i32,
    /// Length of the window, days.
    pub horizon_days: i32,
}

impl LabelWindow {
    /// Days from the cutoff to the window's last day.
    #[must_use]
    pub fn days(self) -> i32 {
        self.lead_days.saturating_add(self.horizon_days)
    }

    pub(crate) fn check(self) -> Result<()> {
        if !HORIZON_DAYS.contains(&self.horizon_days) {
            return Err(Error::parameter(
                "horizon",
                format!("{} days", self.horizon_days),
                "1 to 9,125 days",
            ));
        }
        if !(0..=*SPAN_DAYS.end()).contains(&self.lead_days) {
            return Err(Error::parameter("lead", format!("{} days", self.lead_days), "0 to 36,500 days"));
        }
        Ok(())
    }

    /// Whether nobody bought: no purchase day lies in the window.
    pub(super) fn churned(self, cutoff: Day, purchase_days: &[i32]) -> bool {
        Window::label(cutoff, self.lead_days, self.horizon_days).range_in(purchase_days).is_empty()
    }

    pub(super) fn not_observed(self, cutoff: Day, observed_until: Day) -> Error {
        Error::HorizonNotObserved {
            cutoff,
            needed: Window::label(cutoff, self.lead_days, self.horizon_days).until,
            had: observed_until,
            latest: observed_until.plus_days(-self.days()),
        }
    }
}

impl std::fmt::Display for LabelWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} days that begin {} days after the cutoff", self.horizon_days, self.lead_days)
    }
}
