//! What are all answers together, for a table of customers?

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::LEVEL;
use super::attrition::shown_share;
use super::contracts::Contracts;
use super::reasons::{ReasonShares, shares};
use crate::error::counted;
use crate::evidence::Cause;
use crate::metrics::Interval;
use crate::rates::wilson;

/// What an examination of a table of customers found: what [`Losses`](super::Losses) is for a log.
///
/// Serialised, it has the same keys: `attrition` (`customers`, `lost`, `share`), `statuses` (null), `reasons`,
/// `reasons_known`, `systemic`, `systemic_totals`, `tenure`, `drops` (none), `followers` (none), `report` and
/// `left_out`.
#[derive(Clone, Debug)]
pub struct CustomerLosses {
    contracts: Contracts,
    share: Option<Interval>,
    reasons: Option<ReasonShares>,
    left_out: Vec<String>,
}

impl Contracts {
    /// All answers together.
    #[must_use]
    pub fn examined(self) -> CustomerLosses {
        let stated: usize = self.causes.iter().map(|&(_, count)| count).sum();
        let reasons = (stated > 0).then(|| {
            let known =
                self.causes.iter().flat_map(|&(cause, count)| std::iter::repeat_n(Some(cause), count));
            let silent = std::iter::repeat_n(Some(Cause::Unknown), self.lost.saturating_sub(stated));
            let answers: Vec<(Option<Cause>, Option<f64>)> =
                known.chain(silent).map(|cause| (cause, None)).collect();
            ReasonShares { unmapped: self.unmapped.clone(), ..shares(&answers) }
        });
        let mut left_out = vec!["statuses, sudden drops and who follows take a log of orders".to_owned()];
        if !self.systemic.is_rates {
            left_out.push("rates: without a tenure column all ratios are of shares".to_owned());
        }
        CustomerLosses { share: wilson(self.lost, self.customers, LEVEL), reasons, left_out, contracts: self }
    }
}

impl CustomerLosses {
    /// What was read, and which values lose more than others.
    #[must_use]
    pub fn contracts(&self) -> &Contracts {
        &self.contracts
    }

    /// The share that is lost; `None` of an empty table.
    #[must_use]
    pub fn share(&self) -> Option<&Interval> {
        self.share.as_ref()
    }

    /// Why the lost left, by what was stated; `None` where nothing was.
    #[must_use]
    pub fn reasons(&self) -> Option<&ReasonShares> {
        self.reasons.as_ref()
    }

    /// What could not be answered, and why.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }
}

#[derive(Serialize)]
struct Lost<'a> {
    customers: usize,
    lost: usize,
    share: Option<&'a Interval>,
}

impl Serialize for CustomerLosses {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Contracts { customers, lost, systemic, report, .. } = &self.contracts;
        let none: [(); 0] = [];
        let mut map = serializer.serialize_map(None)?;
        let share = self.share.as_ref();
        map.serialize_entry("attrition", &Lost { customers: *customers, lost: *lost, share })?;
        map.serialize_entry("statuses", &None::<()>)?;
        map.serialize_entry("reasons", self.reasons.as_ref().map_or(&[][..], |reasons| &reasons.causes))?;
        map.serialize_entry("reasons_known", &self.reasons)?;
        map.serialize_entry("systemic", &systemic.rows)?;
        map.serialize_entry("systemic_totals", &systemic.totals)?;
        map.serialize_entry("tenure", &systemic.tenure)?;
        map.serialize_entry("drops", &none)?;
        map.serialize_entry("followers", &none)?;
        map.serialize_entry("report", report)?;
        map.serialize_entry("left_out", &self.left_out)?;
        map.end()
    }
}

impl fmt::Display for CustomerLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contracts { customers, lost, systemic, .. } = &self.contracts;
        let are = if *lost == 1 { "is" } else { "are" };
        let of = counted(*customers, "customer");
        writeln!(f, "HOW MANY\n{lost} of {of} {are} lost: {}\n", shown_share(self.share()))?;
        if let Some(reasons) = &self.reasons {
            writeln!(f, "WHY\n{reasons}\n")?;
        }
        write!(f, "IS IT US?\n{systemic}\nLEFT OUT")?;
        self.left_out.iter().try_for_each(|reason| write!(f, "\n{reason}"))
    }
}
