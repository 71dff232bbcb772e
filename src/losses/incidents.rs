//! Do customers leave after an incident, more than others who were as active that day?

use std::collections::BTreeMap;
use std::fmt;

use polars::prelude::*;
use serde::Serialize;

use super::systemic::{Verdict, activity_class, spend_of_year_before};
use crate::day::{Day, Window};
use crate::error::{Error, Result};
use crate::evidence::{IncidentKind, Incidents};
use crate::features::HORIZON_DAYS;
use crate::history::History;
use crate::rates::{Basis, Stratum, q_values, stratified_ratio, upper_tail};
use crate::table;

const LEVEL: f64 = 0.05;
const MINIMUM_LIFT: f64 = 1.25;
/// Kinds with fewer exposed are told together.
const LEAST_EXPOSED: usize = 20;
/// At most so many customers to compare with, evenly by rank.
const MOST_OTHERS: usize = 20_000;

/// Loss after incidents of one kind, or of a pattern of several.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentLoss {
    /// The kind, `small ones together` (kinds with fewer than 20 each), or `two or more` (a second one within
    /// the horizon).
    pub kind: String,
    /// Incidents that count: of recent customers, a horizon apart, with a horizon after them.
    pub exposed: usize,
    /// How many bought nothing in the horizon after.
    pub lost: usize,
    /// How many would have at the rates of others as active on that day.
    pub expected: Option<f64>,
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IncidentLosses {
    /// One per kind and pattern with any exposed.
    pub rows: Vec<IncidentLoss>,
    /// Years from the first counted incident to the last day that one could count.
    pub years: f64,
}

impl IncidentLosses {
    /// Compares customers with an incident with those who had none in the horizon before that day and were as
    /// active on it: the same purchases in two horizons, the same recency. Nothing after `as_of` counts.
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
        let latest = as_of.plus_days(-horizon_days);
        let mut all = incidents.by_rank(history);
        all.retain(|&(_, day, _)| day <= as_of);
        let groups = grouped(&all, latest, horizon_days);
        let days = groups.values().flatten().map(|&(_, day)| day);
        let others = OthersByDay::count(history, days.clone().collect(), horizon_days, &all);
        let mut rows: Vec<(f64, IncidentLoss)> = Vec::new();
        for (kind, exposed) in &groups {
            let mut strata: BTreeMap<(Day, u32), Stratum> = BTreeMap::new();
            let mut amount = 0.0;
            for &(rank, day) in exposed {
                let Some(state) = state(history, rank, day, horizon_days) else { continue };
                let stratum = strata.entry((day, state.0)).or_default();
                stratum.exposed += 1.0;
                stratum.exposed_events += u64::from(state.1);
                if state.1 {
                    amount += spend_of_year_before(&history.run(rank as usize), day);
                }
            }
            for (place, stratum) in &mut strata {
                let (lost, count) = others.counts.get(place).copied().unwrap_or_default();
                (stratum.other_events, stratum.others) = (lost, count as f64);
            }
            let strata: Vec<Stratum> = strata.into_values().collect();
            rows.push(row(kind, &strata, history.reading().columns().has_amount().then_some(amount)));
        }
        let p: Vec<f64> = rows.iter().map(|row| row.0).filter(|p| !p.is_nan()).collect();
        let mut q = q_values(&p).into_iter();
        let rows = rows.into_iter().map(|(p, row)| {
            let q = if p.is_nan() { None } else { q.next() };
            IncidentLoss { verdict: verdict(&row, q), q, ..row }
        });
        let first = days.min();
        let years = first.map_or(0.0, |first| f64::from(latest.days_since(first) + 1) / 365.0);
        Ok(IncidentLosses { rows: rows.filter(|row| row.exposed > 0).collect(), years })
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
            counts("exposed", &|row| row.exposed),
            counts("lost", &|row| row.lost),
            floats("expected", &|row| row.expected),
            floats("lift", &|row| row.lift),
            floats("low", &|row| row.low),
            floats("high", &|row| row.high),
            floats("q", &|row| row.q),
            texts("verdict", &|row| format!("{:?}", row.verdict)),
            floats("excess_amount", &|row| row.excess_amount),
        ])
    }
}

/// The incidents of each kind and pattern, of one customer a horizon apart.
fn grouped(
    all: &[(u32, Day, IncidentKind)],
    latest: Day,
    horizon_days: i32,
) -> BTreeMap<String, Vec<(u32, Day)>> {
    let apart = |days: &mut dyn Iterator<Item = (u32, Day)>| {
        let mut kept: Vec<(u32, Day)> = Vec::new();
        for (rank, day) in days.filter(|&(_, day)| day <= latest) {
            let far = kept.last().is_none_or(|last| last.0 != rank || day.days_since(last.1) >= horizon_days);
            if far {
                kept.push((rank, day));
            }
        }
        kept
    };
    let mut groups = BTreeMap::new();
    let mut small = Vec::new();
    for kind in IncidentKind::ALL {
        let own = apart(&mut all.iter().filter(|one| one.2 == kind).map(|one| (one.0, one.1)));
        if own.len() >= LEAST_EXPOSED || kind == IncidentKind::Praise {
            groups.insert(kind.name().to_owned(), own);
        } else {
            small.push(kind);
        }
    }
    let few = apart(&mut all.iter().filter(|one| small.contains(&one.2)).map(|one| (one.0, one.1)));
    groups.insert("small ones together".to_owned(), few);
    let bad: Vec<&(u32, Day, IncidentKind)> =
        all.iter().filter(|one| one.2 != IncidentKind::Praise).collect();
    let again = bad.windows(2).filter(|pair| {
        pair[0].0 == pair[1].0 && (0..horizon_days).contains(&pair[1].1.days_since(pair[0].1))
    });
    groups.insert("two or more".to_owned(), apart(&mut again.map(|pair| (pair[1].0, pair[1].1))));
    groups
}

/// Class of activity on that day, and whether nothing was bought in the horizon after; `None` where the customer
/// was not recent.
fn state(history: &History, rank: u32, day: Day, horizon_days: i32) -> Option<(u32, bool)> {
    let run = history.run(rank as usize);
    let (class, _) = activity_class(&run, day, horizon_days)?;
    Some((class, Window::label(day, 0, horizon_days).range_in(run.days).is_empty()))
}

/// Lost and all of the others, by day and class.
struct OthersByDay {
    counts: BTreeMap<(Day, u32), (u64, u64)>,
}

impl OthersByDay {
    fn count(
        history: &History,
        mut days: Vec<Day>,
        horizon_days: i32,
        incidents: &[(u32, Day, IncidentKind)],
    ) -> Self {
        days.sort_unstable();
        days.dedup();
        let step = history.customers().div_ceil(MOST_OTHERS).max(1);
        let mut counts: BTreeMap<(Day, u32), (u64, u64)> = BTreeMap::new();
        for rank in (0..history.customers() as u32).step_by(step) {
            let start = incidents.partition_point(|one| one.0 < rank);
            let own = incidents[start..].iter().take_while(|one| one.0 == rank);
            let own: Vec<Day> = own.map(|one| one.1).collect();
            for &day in &days {
                let window = Window::back_from(day, horizon_days);
                if own.iter().any(|&incident| window.contains(incident)) {
                    continue;
                }
                let Some((class, lost)) = state(history, rank, day, horizon_days) else { continue };
                let count = counts.entry((day, class)).or_default();
                count.0 += u64::from(lost);
                count.1 += 1;
            }
        }
        OthersByDay { counts }
    }
}

fn row(kind: &str, strata: &[Stratum], amount: Option<f64>) -> (f64, IncidentLoss) {
    let exposed = strata.iter().map(|stratum| stratum.exposed).sum::<f64>() as usize;
    let lost = strata.iter().map(|stratum| stratum.exposed_events).sum::<u64>() as usize;
    let ratio = stratified_ratio(strata, Basis::Customers, 1.0);
    let finite = |number: f64| number.is_finite().then_some(number);
    let expected = ratio.and_then(|ratio| finite(ratio.expected));
    let excess = expected.map(|expected| (1.0 - expected / lost as f64).clamp(0.0, 1.0));
    let p = if exposed < LEAST_EXPOSED || ratio.is_none() {
        f64::NAN
    } else {
        upper_tail(strata, Basis::Customers)
    };
    let row = IncidentLoss {
        kind: kind.to_owned(),
        exposed,
        lost,
        expected,
        lift: ratio.and_then(|ratio| finite(ratio.ratio)),
        low: ratio.and_then(|ratio| finite(ratio.low)),
        high: ratio.and_then(|ratio| finite(ratio.high)),
        q: None,
        verdict: Verdict::Insufficient,
        excess_amount: amount.and_then(|amount| Some(amount * excess.filter(|share| share.is_finite())?)),
    };
    (p, row)
}

fn verdict(row: &IncidentLoss, q: Option<f64>) -> Verdict {
    let above = row.low.is_some_and(|low| low > 1.0) && row.lift.is_none_or(|lift| lift >= MINIMUM_LIFT);
    match q {
        Some(q) if q <= LEVEL && above => Verdict::Systemic,
        Some(_) if row.high.is_some_and(|high| high < MINIMUM_LIFT) => Verdict::Individual,
        _ => Verdict::Insufficient,
    }
}

impl fmt::Display for IncidentLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "after incidents, beside customers as active that day")?;
        for row in &self.rows {
            let short = |number: Option<f64>| number.map_or_else(|| "–".to_owned(), |n| format!("{n:.2}"));
            writeln!(
                f,
                "  {}: {} of {} lost, {} expected, lift {} ({} to {}), {:?}",
                row.kind,
                row.lost,
                row.exposed,
                short(row.expected),
                short(row.lift),
                short(row.low),
                short(row.high),
                row.verdict
            )?;
        }
        Ok(())
    }
}
