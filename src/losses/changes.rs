//! Did the fix work, and what is worth preventing next?

mod lifts;

use std::fmt;

use serde::Serialize;

use self::lifts::{Lift, lifts, mean, wander};
use super::incidents::{IncidentLoss, IncidentLosses};
use super::systemic::{Systemic, Verdict, Whose};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::evidence::{Cause, Change, Changes, IncidentKind};
use crate::features::HORIZON_DAYS;
use crate::history::History;
use crate::rates::{holm, normal_upper_tail};

/// The normal quantile of 97.5 %.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;
/// What all changes of a table together may show by chance.
const LEVEL: f64 = 0.05;
/// Landmarks before the spell that may have led to the change, in horizons from it.
const EARLIER: [i32; 2] = [-3, -2];
/// The landmark whose losses were seen just before the change, which may have been made because of them.
const BEFORE: i32 = -1;
/// Landmarks at which everybody counted has bought since the change.
const AFTER: [i32; 2] = [1, 2];

/// What became of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum ChangeVerdict {
    /// The lift is lower than it had been for long, by more than chance, all changes together.
    Worked,
    /// It is higher, by more than chance.
    Worsened,
    /// It is lower than just before the change, but not than before that; or it fell before the change. A bad
    /// spell ends by itself, and changes are made after bad spells: whether this one helped cannot be told.
    CannotBeTold,
    /// No difference beyond chance.
    NotShown,
    /// Two horizons have not yet passed since, or the log does not reach four horizons back.
    NotObserved,
}

/// Loss at the changed value against elsewhere, before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangeEffect {
    /// The change.
    pub change: Change,
    /// The ratio of risks against comparable customers elsewhere in the two horizons before the last one.
    pub lift_earlier: Option<f64>,
    /// The same in the horizon up to the change, which may have been made because of it.
    pub lift_before: Option<f64>,
    /// The same in the second horizon after it, of who bought in the first, and in the third where it has passed.
    pub lift_after: Option<f64>,
    /// After over earlier: below 1 where it helped.
    pub effect: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// How likely chance alone shows as much at any of the changes of the table, 0 to 1.
    pub p: Option<f64>,
    /// What is said of it.
    pub verdict: ChangeVerdict,
}

/// The effect of every change, in the order of the table.
///
/// A change is made after a bad spell, and bad spells end by themselves. So what comes after is not compared with the
/// last horizon before the change, but with the two before that, which nobody acted on; only trouble that had
/// lasted can be seen to be mended. Where lifts wander from horizon to horizon by more than chance, at the
/// value before the change or elsewhere, the interval is wider by that.
///
/// # Formula
/// ```text
/// ln effect = mean ln ratio after − mean ln ratio earlier
/// var = 1/Σ 1/(var ln ratio + ω²) of either
/// ```
/// with Mantel–Haenszel ratios, landmarks 3 and 2 horizons before the change, 1 and 2 after it, and ω² by
/// DerSimonian and Laird: the greater of that between the value's two earlier ratios and of that of all other values.
/// p is two-sided, by Holm over the changes.
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
    let mut rows: Vec<ChangeEffect> =
        changes.rows().iter().map(|change| effect(history, as_of, horizon_days, change)).collect();
    let tested: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].p.is_some()).collect();
    let alone: Vec<f64> = tested.iter().filter_map(|&row| rows[row].p).collect();
    for (row, p) in tested.into_iter().zip(holm(&alone)) {
        let row = &mut rows[row];
        row.p = Some(p);
        // What chance may show at one of so many is no verdict.
        if p > LEVEL && matches!(row.verdict, ChangeVerdict::Worked | ChangeVerdict::Worsened) {
            row.verdict = ChangeVerdict::NotShown;
        }
    }
    Ok(rows)
}

/// One change by itself: p and verdict do not know of the others yet.
fn effect(history: &History, as_of: Day, horizon_days: i32, change: &Change) -> ChangeEffect {
    let none = ChangeEffect {
        change: change.clone(),
        lift_earlier: None,
        lift_before: None,
        lift_after: None,
        effect: None,
        low: None,
        high: None,
        p: None,
        verdict: ChangeVerdict::NotObserved,
    };
    let landmark = |horizons: i32| change.changed_on.plus_days(horizon_days.saturating_mul(horizons));
    let observed = |horizons: i32| landmark(horizons + 1) <= as_of;
    let column = history.segment_index(&change.segment);
    let code = history
        .segment_values(&change.segment)
        .and_then(|values| values.iter().position(|value| *value == change.value));
    let reaches = landmark(EARLIER[0] - 1) >= history.observed_from();
    let (Some(column), Some(code), true, true) = (column, code, observed(AFTER[0]), reaches) else {
        return none;
    };
    let at = |horizons: &[i32]| -> Vec<Vec<Option<Lift>>> {
        let seen = horizons.iter().filter(|&&horizons| observed(horizons));
        seen.map(|&horizons| lifts(history, column, landmark(horizons), horizon_days)).collect()
    };
    let (earlier, before, after) = (at(&EARLIER), at(&[BEFORE]), at(&AFTER));
    let of = |landmarks: &[Vec<Option<Lift>>], code: usize| -> Vec<Lift> {
        landmarks.iter().filter_map(|lifts| lifts.get(code).copied().flatten()).collect()
    };
    let values = earlier.iter().chain(&after).map(Vec::len).max().unwrap_or(0);
    let elsewhere: Vec<Vec<Lift>> = (0..values)
        .filter(|&other| other != code)
        .map(|other| [of(&earlier, other), of(&after, other)].concat())
        .collect();
    let own = of(&earlier, code);
    let wander = wander([own.as_slice()]).max(wander(elsewhere.iter().map(Vec::as_slice)));
    let (earlier, after) = (mean(&own, wander), mean(&of(&after, code), wander));
    let before = mean(&of(&before, code), wander);
    let ratio = |lift: Option<Lift>| lift.map(|lift| lift.log.exp());
    let row = ChangeEffect {
        lift_earlier: ratio(earlier),
        lift_before: ratio(before),
        lift_after: ratio(after),
        verdict: ChangeVerdict::NotShown,
        ..none
    };
    let (Some(earlier), Some(after)) = (earlier, after) else { return row };
    let z = |now: Lift, then: Lift| (now.log - then.log) / (now.variance + then.variance).sqrt();
    let fell_before = before.is_some_and(|before| z(before, earlier) < -NORMAL_QUANTILE);
    let fell_from_before = before.is_some_and(|before| z(after, before) < -NORMAL_QUANTILE);
    let verdict = match z(after, earlier) {
        z if z > NORMAL_QUANTILE => ChangeVerdict::Worsened,
        z if z < -NORMAL_QUANTILE && !fell_before => ChangeVerdict::Worked,
        z if z < -NORMAL_QUANTILE || fell_from_before => ChangeVerdict::CannotBeTold,
        _ => ChangeVerdict::NotShown,
    };
    let (difference, reach) =
        (after.log - earlier.log, NORMAL_QUANTILE * (after.variance + earlier.variance).sqrt());
    ChangeEffect {
        effect: Some(difference.exp()),
        low: Some((difference - reach).exp()),
        high: Some((difference + reach).exp()),
        p: Some((2.0 * normal_upper_tail(z(after, earlier).abs())).min(1.0)),
        verdict,
        ..row
    }
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
            ": lift {} earlier, {} just before, {} after, effect {} ({} to {}), {:?}",
            short(self.lift_earlier),
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
    /// Whether the incidents stand in a line of their kind too, so that the two must not be added up.
    pub overlaps: bool,
    /// Customers lost above what was expected, per year.
    pub customers_per_year: f64,
    /// What these spent in the year before, per year, where amounts were read.
    pub amount_per_year: Option<f64>,
}

impl fmt::Display for Prevention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Prevention { what, cause, whose, overlaps, customers_per_year, amount_per_year } = self;
        let ending = if customers_per_year.round() == 1.0 { "" } else { "s" };
        write!(f, "{what}: {customers_per_year:.0} customer{ending}")?;
        if let Some(amount) = amount_per_year {
            write!(f, ", who spent {amount:.2}")?;
        }
        match (cause, whose) {
            (Some(cause), whose) => write!(f, " ({cause}: {whose:?})")?,
            (None, Whose::Unknown) => write!(f, " (no cause known)")?,
            (None, whose) => write!(f, " ({whose:?})")?,
        }
        match overlaps {
            true => write!(f, "; they count by kind too, and are not to be added to that"),
            false => Ok(()),
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
            overlaps: false,
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
            overlaps: row.overlaps,
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
