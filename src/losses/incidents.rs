//! Do customers leave after an incident, more than others who were as active that day?

mod compare;
mod groups;

use std::fmt;

use polars::prelude::*;
use serde::Serialize;

use self::compare::{Compared, Others};
pub use self::groups::IncidentCounts;
use self::groups::{Group, LEAST_EXPOSED, Scope};
use super::systemic::Verdict;
use crate::day::Day;
use crate::error::{Error, Result, counted};
use crate::evidence::Incidents;
use crate::features::HORIZON_DAYS;
use crate::history::History;
use crate::rates::q_values;
use crate::table;

const LEVEL: f64 = 0.05;
const MINIMUM_LIFT: f64 = 1.25;

/// Loss after incidents of one kind, or of a pattern of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentLoss {
    /// The kind, `small ones together` (kinds with fewer than 20 to compare each), or a pattern across kinds but
    /// praise: `two or more` (a second one within the horizon) and, where 40 costs are known, `cost up to` what
    /// half of them cost at most.
    pub kind: String,
    /// Whether it is such a pattern: its incidents stand in rows of kinds too, and must not be added to those.
    pub overlaps: bool,
    /// All incidents of it up to the day, compared or not.
    pub incidents: usize,
    /// What these cost by themselves, where said; `None` where of none.
    pub cost_amount: Option<f64>,
    /// Of how many that is known.
    pub costs_known: usize,
    /// Incidents that count: of recent customers, a horizon apart, with a horizon after them, and with others to
    /// compare with.
    pub exposed: usize,
    /// How many of these bought nothing in the horizon after.
    pub lost: usize,
    /// How many would have at the rates of others as active on such a day.
    pub expected: Option<f64>,
    /// Incidents that would count, were there others to compare with; in none of the other numbers.
    pub exposed_alone: usize,
    /// How many of these bought nothing in the horizon after.
    pub lost_alone: usize,
    /// The Mantel–Haenszel risk ratio.
    pub lift: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The false discovery rate at which it would be a finding.
    pub q: Option<f64>,
    /// As for segment values.
    pub verdict: Verdict,
    /// Spend in the year before of those lost above what was expected, where amounts were read.
    pub excess_amount: Option<f64>,
}

/// Loss after incidents, by kind and pattern.
///
/// # Formula
/// ```text
/// ratio = R/S, Mantel–Haenszel over strata of week, purchases in two horizons and recency
/// var(ln ratio) = Σ over customers (Σ w (y − ŷ))² / R²      w = n0/N after an incident, −ratio n1/N of others,
///                                                         ŷ = ratio p after one, p of others
/// p = the stratum's losses / (ratio n1 + n0)
/// ```
/// or the variance of Greenland and Robins, where that is larger. Others count on many days, and customers
/// may meet several incidents: both are drawn as whole customers.
///
/// # References
/// [`stratified_ratio`](crate::rates::stratified_ratio); Liang and Zeger (1986), Biometrika 73:13–22, for the
/// variance of clusters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentLosses {
    /// One per kind and pattern with any incident.
    pub rows: Vec<IncidentLoss>,
    /// Years from the first counted incident to the last day that one could count.
    pub years: f64,
    /// What became of every row of the table.
    pub counts: IncidentCounts,
}

impl IncidentLosses {
    /// Compares customers with an incident with those who had none in the horizon before a day of the same week
    /// and were as active on it: the same purchases in two horizons, the same recency. Nothing after `as_of`
    /// counts.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a horizon out of range, [`Error::AfterObserved`] for a day the log does not reach.
    pub fn find(history: &History, as_of: Day, horizon_days: i32, incidents: &Incidents) -> Result<Self> {
        if !HORIZON_DAYS.contains(&horizon_days) {
            return Err(Error::parameter("horizon", format!("{horizon_days} days"), "1 to 9,125 days"));
        }
        let observed_until = history.observed_until();
        if as_of > observed_until {
            return Err(Error::AfterObserved { as_of, observed_until });
        }
        let mut all = incidents.placed(history);
        let mut counts = IncidentCounts {
            rows: incidents.rows().len() + incidents.repeated(),
            repeated: incidents.repeated(),
            not_in_log: incidents.rows().len() - all.len(),
            ..IncidentCounts::default()
        };
        let in_log = all.len();
        all.retain(|one| one.day <= as_of);
        counts.after_as_of = in_log - all.len();
        let scope = Scope { history, latest: as_of.plus_days(-horizon_days), horizon_days };
        let groups = scope.groups(&all, &mut counts);
        let mut days: Vec<Day> =
            groups.iter().flat_map(|group| &group.exposed).map(|&(_, day)| day).collect();
        days.sort_unstable();
        days.dedup();
        let first = days.first().copied();
        let others = Others::look(history, days, horizon_days, &all);
        let has_amount = history.reading().columns().has_amount();
        let rows: Vec<(f64, IncidentLoss)> =
            groups.iter().map(|group| row(group, &others.compare(&group.exposed), has_amount)).collect();
        let p: Vec<f64> = rows.iter().map(|row| row.0).filter(|p| !p.is_nan()).collect();
        let mut q = q_values(&p).into_iter();
        let rows = rows.into_iter().map(|(p, row)| {
            let q = if p.is_nan() { None } else { q.next() };
            IncidentLoss { verdict: verdict(&row, q), q, ..row }
        });
        let years = first.map_or(0.0, |first| f64::from(scope.latest.days_since(first) + 1) / 365.0);
        Ok(IncidentLosses { rows: rows.collect(), years, counts })
    }

    /// One row per kind and pattern; see [`IncidentLoss`].
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let floats = |name: &str, number: &dyn Fn(&IncidentLoss) -> Option<f64>| {
            table::nullable_floats(name, self.rows.iter().map(|row| number(row).unwrap_or(f64::NAN)))
        };
        let counts = |name: &str, count: &dyn Fn(&IncidentLoss) -> usize| {
            Column::new(name.into(), self.rows.iter().map(|row| count(row) as u64).collect::<Vec<u64>>())
        };
        let texts = |name: &str, text: &dyn Fn(&IncidentLoss) -> String| {
            Column::new(name.into(), self.rows.iter().map(text).collect::<Vec<String>>())
        };
        table::frame(vec![
            texts("kind", &|row| row.kind.clone()),
            Column::new("overlaps".into(), self.rows.iter().map(|row| row.overlaps).collect::<Vec<bool>>()),
            counts("incidents", &|row| row.incidents),
            floats("cost_amount", &|row| row.cost_amount),
            counts("exposed", &|row| row.exposed),
            counts("lost", &|row| row.lost),
            floats("expected", &|row| row.expected),
            counts("exposed_alone", &|row| row.exposed_alone),
            counts("lost_alone", &|row| row.lost_alone),
            floats("lift", &|row| row.lift),
            floats("low", &|row| row.low),
            floats("high", &|row| row.high),
            floats("q", &|row| row.q),
            texts("verdict", &|row| format!("{:?}", row.verdict)),
            floats("excess_amount", &|row| row.excess_amount),
        ])
    }
}

fn row(group: &Group, found: &Compared, has_amount: bool) -> (f64, IncidentLoss) {
    let &Compared { exposed, lost, alone, lost_alone, ratio, p, amount } = found;
    let finite = |number: f64| number.is_finite().then_some(number);
    let expected = ratio.and_then(|ratio| finite(ratio.expected));
    let excess = expected.and_then(|expected| finite(1.0 - expected / lost as f64));
    let row = IncidentLoss {
        kind: group.name.clone(),
        overlaps: group.overlaps,
        incidents: group.incidents,
        cost_amount: (group.costs > 0).then_some(group.cost),
        costs_known: group.costs,
        exposed,
        lost,
        expected,
        exposed_alone: alone,
        lost_alone,
        lift: ratio.and_then(|ratio| finite(ratio.ratio)),
        low: ratio.and_then(|ratio| finite(ratio.low)),
        high: ratio.and_then(|ratio| finite(ratio.high)),
        q: None,
        verdict: Verdict::Insufficient,
        excess_amount: excess.filter(|_| has_amount).map(|share| amount * share.max(0.0)),
    };
    (if exposed < LEAST_EXPOSED { f64::NAN } else { p }, row)
}

fn verdict(row: &IncidentLoss, q: Option<f64>) -> Verdict {
    let above = row.low.is_some_and(|low| low > 1.0) && row.lift.is_none_or(|lift| lift >= MINIMUM_LIFT);
    match q {
        Some(q) if q <= LEVEL && above => Verdict::Systemic,
        Some(_) if row.high.is_some_and(|high| high < MINIMUM_LIFT) => Verdict::Individual,
        _ => Verdict::Insufficient,
    }
}

impl fmt::Display for IncidentCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let be = if self.compared == 1 { "is" } else { "are" };
        write!(f, "of {} {} {be} compared", counted(self.rows, "incident"), self.compared)?;
        for (count, why) in [
            (self.repeated, "told twice and counted once"),
            (self.not_in_log, "of customers who are not in the log"),
            (self.after_as_of, "after the day looked at"),
            (self.too_late, "too late to know what followed"),
            (self.not_recent, "of customers who had not bought lately"),
            (self.again, "soon after another one alike"),
        ] {
            if count > 0 {
                write!(f, ", {count} {why}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for IncidentLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.counts)?;
        writeln!(f, "loss after them, beside customers as active that week without one")?;
        for (overlaps, rows) in [false, true]
            .map(|overlaps| (overlaps, self.rows.iter().filter(move |row| row.overlaps == overlaps)))
        {
            let mut rows = rows.peekable();
            if overlaps && rows.peek().is_some() {
                writeln!(
                    f,
                    "  the same incidents again by what they share, not to be added to those above:"
                )?;
            }
            rows.try_for_each(|row| row.line(f))?;
        }
        Ok(())
    }
}

impl IncidentLoss {
    fn line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), |n| format!("{n:.2}"));
        if self.exposed == 0 {
            write!(f, "  {}: {}, none to compare", self.kind, counted(self.incidents, "incident"))?;
        } else {
            write!(
                f,
                "  {}: {} of {} lost, {} expected, lift {} ({} to {}), {:?}",
                self.kind,
                self.lost,
                self.exposed,
                self.expected.map_or_else(|| "–".to_owned(), |n| format!("{n:.1}")),
                short(self.lift),
                short(self.low),
                short(self.high),
                self.verdict
            )?;
        }
        if self.exposed_alone > 0 {
            write!(f, "; and {} of {} with whom nobody compares", self.lost_alone, self.exposed_alone)?;
        }
        if let Some(cost) = self.cost_amount {
            write!(f, "; {} of {} cost {cost:.2} by themselves", self.costs_known, self.incidents)?;
        }
        if let Some(amount) = self.excess_amount.filter(|amount| *amount > 0.0) {
            write!(f, "; who left beyond those expected had spent {amount:.2} in the year before")?;
        }
        writeln!(f)
    }
}
