//! Did the fix work, and what is worth preventing next?

use std::fmt;

use serde::Serialize;

use super::incidents::{IncidentLoss, IncidentLosses};
use super::systemic::{Systemic, Verdict, Whose, ratio_at};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::evidence::{Cause, Change, Changes, IncidentKind};
use crate::features::HORIZON_DAYS;
use crate::history::History;
use crate::rates::StratifiedRatio;

/// The normal quantile of 97.5 %, twice: the width of an interval in standard errors.
const INTERVAL_WIDTH: f64 = 2.0 * 1.959_963_984_540_054;

/// What became of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum ChangeVerdict {
    /// The lift fell, by more than chance.
    Worked,
    /// It rose, by more than chance.
    Worsened,
    /// Neither can be told.
    NotShown,
    /// Two horizons have not yet passed since, or the log does not reach two horizons back.
    NotObserved,
}

/// Loss at the changed value against elsewhere, before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeEffect {
    /// The change.
    pub change: Change,
    /// The ratio of risks against comparable customers elsewhere in the horizon up to the change.
    pub lift_before: Option<f64>,
    /// The same in the second horizon after it, of who bought in the first.
    pub lift_after: Option<f64>,
    /// After over before: below 1 where it helped.
    pub effect: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// What is said of it.
    pub verdict: ChangeVerdict,
}

/// The effect of every change, in the order of the table.
///
/// # Formula
/// ```text
/// effect = ratio after / ratio before, var(ln effect) = var(ln after) + var(ln before)
/// ```
/// with Mantel–Haenszel ratios a horizon before the change, of losses up to it, and a horizon after it, of customers who
/// bought since.
///
/// # Errors
/// [`Error::Parameter`] for a horizon out of range, [`Error::AfterObserved`] for a day the log does not reach.
pub fn change_effects(
    history: &History,
    as_of: Day,
    horizon_days: i32,
    changes: &Changes,
) -> Result<Vec<ChangeEffect>> {
    if !HORIZON_DAYS.contains(&horizon_days) {
        return Err(Error::parameter("horizon", format!("{horizon_days} days"), "1 to 9,125 days"));
    }
    let observed_until = history.observed_until();
    if as_of > observed_until {
        return Err(Error::AfterObserved { as_of, observed_until });
    }
    changes.rows().iter().map(|change| effect(history, as_of, horizon_days, change)).collect()
}

fn effect(history: &History, as_of: Day, horizon_days: i32, change: &Change) -> Result<ChangeEffect> {
    let none = ChangeEffect {
        change: change.clone(),
        lift_before: None,
        lift_after: None,
        effect: None,
        low: None,
        high: None,
        verdict: ChangeVerdict::NotObserved,
    };
    // Who bought last before the change may have left before it, without anybody knowing yet.
    let before = change.changed_on.plus_days(-horizon_days);
    let after = change.changed_on.plus_days(horizon_days);
    let first = history.observed_from().plus_days(horizon_days);
    if after.plus_days(horizon_days) > as_of || before < first {
        return Ok(none);
    }
    let at = |landmark| ratio_at(history, landmark, horizon_days, &change.segment, &change.value);
    let (before, after) = (at(before)?, at(after)?);
    let finite =
        |ratio: Option<StratifiedRatio>| ratio.filter(|ratio| ratio.low > 0.0 && ratio.high.is_finite());
    let lift =
        |ratio: Option<StratifiedRatio>| ratio.map(|ratio| ratio.ratio).filter(|lift| lift.is_finite());
    let row = ChangeEffect {
        lift_before: lift(before),
        lift_after: lift(after),
        verdict: ChangeVerdict::NotShown,
        ..none
    };
    let (Some(before), Some(after)) = (finite(before), finite(after)) else { return Ok(row) };
    let error = |ratio: StratifiedRatio| (ratio.high / ratio.low).ln() / INTERVAL_WIDTH;
    let effect = after.ratio / before.ratio;
    let reach = (INTERVAL_WIDTH / 2.0 * error(before).hypot(error(after))).exp();
    let (low, high) = (effect / reach, effect * reach);
    let verdict = match (high < 1.0, low > 1.0) {
        (true, _) => ChangeVerdict::Worked,
        (_, true) => ChangeVerdict::Worsened,
        _ => ChangeVerdict::NotShown,
    };
    Ok(ChangeEffect { effect: Some(effect), low: Some(low), high: Some(high), verdict, ..row })
}

impl fmt::Display for ChangeEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { segment, value, changed_on, what, .. } = &self.change;
        let short = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), |n| format!("{n:.2}"));
        write!(f, "{segment} {value}, {changed_on}")?;
        if let Some(what) = what {
            write!(f, " ({what})")?;
        }
        write!(
            f,
            ": lift {} before, {} after, effect {} ({} to {}), {:?}",
            short(self.lift_before),
            short(self.lift_after),
            short(self.effect),
            short(self.low),
            short(self.high),
            self.verdict
        )
    }
}

/// What could be prevented, and what that would save.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prevention {
    /// The finding: `segment=value` or the kind of incident.
    pub what: String,
    /// The cause attached, where there is one.
    pub cause: Option<Cause>,
    /// Whose doing it is.
    pub whose: Whose,
    /// Customers lost above what was expected, per year.
    pub customers_per_year: f64,
    /// What these spent in the year before, per year, where amounts were read.
    pub amount_per_year: Option<f64>,
}

impl fmt::Display for Prevention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Prevention { what, cause, whose, customers_per_year, amount_per_year } = self;
        write!(f, "{what}: {customers_per_year:.0} customers")?;
        if let Some(amount) = amount_per_year {
            write!(f, ", who spent {amount:.2}")?;
        }
        match (cause, whose) {
            (Some(cause), whose) => write!(f, " ({cause}: {whose:?})"),
            (None, Whose::Unknown) => write!(f, " (no cause known)"),
            (None, whose) => write!(f, " ({whose:?})"),
        }
    }
}

/// Findings by the money they cost per year, the dearest first; by customers where there are no amounts.
#[must_use]
pub fn preventions(systemic: Option<&Systemic>, incidents: Option<&IncidentLosses>) -> Vec<Prevention> {
    let days = systemic.and_then(|all| Some(f64::from(all.horizon_days?) * all.landmarks.len() as f64));
    let years = days.map_or(1.0, |days| days / 365.0);
    let findings = || systemic.into_iter().flat_map(Systemic::findings);
    let mut all: Vec<Prevention> = Vec::new();
    for row in findings().filter(|row| row.cause.is_none()) {
        let own = findings().filter(|cause| (&cause.segment, &cause.value) == (&row.segment, &row.value));
        let cause = own.filter_map(|row| row.cause).next();
        all.push(Prevention {
            what: format!("{}={}", row.segment, row.value),
            cause,
            whose: row.whose,
            customers_per_year: (row.lost as f64 - row.expected.unwrap_or(0.0)).max(0.0) / years,
            amount_per_year: row.excess_amount.map(|amount| amount / years),
        });
    }
    if let Some(IncidentLosses { rows, years, .. }) = incidents {
        // Who left after praising was not driven out by it.
        let kind = |row: &IncidentLoss| IncidentKind::parse(&row.kind);
        let found = rows.iter().filter(|row| row.verdict == Verdict::Systemic && *years > 0.0);
        all.extend(found.filter(|row| kind(row) != Some(IncidentKind::Praise)).map(|row| Prevention {
            what: row.kind.clone(),
            cause: None,
            whose: kind(row).map_or(Whose::Unknown, whose),
            customers_per_year: (row.lost as f64 - row.expected.unwrap_or(0.0)).max(0.0) / years,
            amount_per_year: row.excess_amount.map(|amount| amount / years),
        }));
    }
    let worth = |one: &Prevention| (one.amount_per_year.unwrap_or(0.0), one.customers_per_year);
    all.sort_by(|a, b| {
        let (a, b) = (worth(a), worth(b));
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    all
}

/// Whose doing an incident is: the business's own, or the customer's.
fn whose(kind: IncidentKind) -> Whose {
    match kind {
        IncidentKind::ServiceFailure | IncidentKind::LateDelivery | IncidentKind::Complaint => Whose::Ours,
        IncidentKind::LatePayment | IncidentKind::Unpaid | IncidentKind::Abuse => Whose::Outside,
        IncidentKind::Praise | IncidentKind::Other => Whose::Unknown,
    }
}
