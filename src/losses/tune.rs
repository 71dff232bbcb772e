//! Which limit calls the right ones lost, and soon enough?

use std::fmt;

use serde::Serialize;

use super::LEVEL;
use super::attrition::shown_share;
use super::lapse::Lapses;
use super::rule::LapseRule;
use crate::day::Day;
use crate::error::{Error, Result, counted};
use crate::history::History;
use crate::metrics::Interval;
use crate::rates::wilson;

/// Limits that are tried.
const LIMITS: [f64; 10] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4];
/// Cutoffs looked at, at most, H days apart.
const MOST_CUTOFFS: i32 = 4;
/// At most so many of the called lost may come back for a limit to be recommended.
const MOST_BACK: f64 = 0.2;
/// With fewer lapses than this, a limit is not recommended.
const LEAST_LAPSES: usize = 30;
const YEAR_DAYS: f64 = 365.25;

/// How the rule would have done with other limits, at days of which the 2H days after are known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tuning {
    /// The horizon H.
    pub horizon_days: i32,
    /// The days looked at, ascending.
    pub cutoffs: Vec<Day>,
    /// One row per limit, ascending.
    pub rows: Vec<TunedRule>,
    /// The limit recommended: the highest, which notices soonest, of which at most 20 % came back; the lowest
    /// where there is none. `None` with fewer than 30 lapses at every limit.
    pub recommended: Option<f64>,
}

/// How one limit would have done.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TunedRule {
    /// π.
    pub limit: f64,
    /// Customers called lost in the H days up to a cutoff.
    pub lapsed: usize,
    /// Those who bought again within H days of it.
    pub came_back: usize,
    /// Their share, Wilson; the lapses of one customer at several cutoffs count as if they were several's.
    pub back: Option<Interval>,
    /// Customers whose last purchase of all known lies in the H days up to a cutoff, and who so bought nothing in the
    /// 2H days after it at least.
    pub true_losses: usize,
    /// Those called lost within the 2H days after the cutoff.
    pub noticed: usize,
    /// Days from their last purchase to the lapse day, the median of all true losses; `None` where fewer than
    /// half were noticed.
    pub median_days_late: Option<i32>,
    /// Lapses followed by a purchase within 2H days, per year of a customer not lost: the measure where
    /// customers buy often.
    pub false_lapses_per_customer_year: f64,
}

impl LapseRule {
    /// Tries a grid of limits π on days of which 2H days are known since. At each day the rhythm is fitted to
    /// what was known by then.
    ///
    /// # Errors
    /// [`Error::NoCutoffs`] for a log that is not longer than 3H, [`Error::Parameter`] for a setting out of
    /// range.
    pub fn tune(&self, history: &History) -> Result<Tuning> {
        self.tune_by(history, history.observed_until())
    }

    /// The same by what was known at the end of a day; later orders play no part.
    ///
    /// # Errors
    /// As [`tune`](Self::tune), and [`Error::AfterObserved`] for a day the log does not reach.
    pub fn tune_by(&self, history: &History, as_of: Day) -> Result<Tuning> {
        self.check()?;
        let observed_until = history.observed_until();
        if as_of > observed_until {
            return Err(Error::AfterObserved { as_of, observed_until });
        }
        let horizon = self.horizon_days();
        let (from, until) = (history.observed_from(), as_of);
        let latest = until.plus_days(-2 * horizon);
        let cutoffs: Vec<Day> = (0..MOST_CUTOFFS)
            .rev()
            .map(|back| latest.plus_days(-back * horizon))
            .filter(|cutoff| cutoff.days_since(from) >= horizon)
            .collect();
        if cutoffs.is_empty() {
            return Err(Error::NoCutoffs {
                observed_from: from,
                observed_until: until,
                lead_days: 0,
                horizon_days: 2 * horizon,
                history_days: horizon,
            });
        }
        let mut rows: Vec<TunedRule> = Vec::new();
        let mut delays: Vec<Vec<i32>> = vec![Vec::new(); LIMITS.len()];
        let mut years = [0.0; LIMITS.len()];
        let mut wrong = [0; LIMITS.len()];
        for limit in LIMITS {
            rows.push(TunedRule {
                limit,
                lapsed: 0,
                came_back: 0,
                back: None,
                true_losses: 0,
                noticed: 0,
                median_days_late: None,
                false_lapses_per_customer_year: f64::NAN,
            });
        }
        let mut tried = Vec::with_capacity(cutoffs.len());
        for cutoff in cutoffs {
            // Found with whatever limit: the rhythm is that of the rule's own.
            let known = match self.find(history, cutoff) {
                Ok(known) => known,
                // A log can begin with what was sent back.
                Err(Error::BeforeFirstPurchase { .. }) => continue,
                Err(error) => return Err(error),
            };
            tried.push(cutoff);
            let end = cutoff.plus_days(2 * horizon);
            for (at, row) in rows.iter_mut().enumerate() {
                let rule = self.with_limit(row.limit);
                let later = rule.with_rhythm(history, known.ranks.clone(), end, known.rhythm.clone());
                let begin = cutoff.plus_days(-horizon);
                for lapse in
                    later.lapses.iter().filter(|lapse| lapse.lapsed_on > begin && lapse.lapsed_on <= cutoff)
                {
                    let back =
                        |days| lapse.returned_on.is_some_and(|day| day.days_since(lapse.lapsed_on) <= days);
                    row.lapsed += 1;
                    row.came_back += usize::from(back(horizon));
                    wrong[at] += usize::from(back(2 * horizon));
                }
                years[at] += years_at_risk(&later, history, begin, cutoff);
                for (&rank, life) in later.ranks.iter().zip(&later.lives) {
                    let days = history.run(rank as usize).until(as_of).days;
                    let Some(&last) = days.last() else { continue };
                    let last = Day::from_days_since_epoch(last);
                    if last > begin && last <= cutoff {
                        row.true_losses += 1;
                        if let Some(on) = life.lapsed_on {
                            delays[at].push(on.days_since(last));
                        }
                    }
                }
            }
        }
        for (at, row) in rows.iter_mut().enumerate() {
            row.back = wilson(row.came_back, row.lapsed, LEVEL);
            row.noticed = delays[at].len();
            delays[at].sort_unstable();
            row.median_days_late = delays[at].get(row.true_losses / 2).copied();
            row.false_lapses_per_customer_year = wrong[at] as f64 / years[at];
        }
        let enough = |row: &&TunedRule| row.lapsed >= LEAST_LAPSES;
        let good = |row: &&TunedRule| row.back.is_some_and(|back| back.estimate <= MOST_BACK);
        let best = rows.iter().filter(enough).rfind(good).or_else(|| rows.iter().find(enough));
        let recommended = best.map(|row| row.limit);
        Ok(Tuning { horizon_days: horizon, cutoffs: tried, rows, recommended })
    }
}

/// Years that customers were not lost between two days.
fn years_at_risk(lapses: &Lapses, history: &History, after: Day, until: Day) -> f64 {
    let span = |from: Day, to: Day| i64::from(to.min(until).days_since(from.max(after)).max(0));
    let here: i64 = lapses
        .ranks
        .iter()
        .map(|&rank| span(Day::from_days_since_epoch(history.first_purchase(rank as usize)), until))
        .sum();
    let away: i64 =
        lapses.lapses.iter().map(|lapse| span(lapse.lapsed_on, lapse.returned_on.unwrap_or(until))).sum();
    (here - away) as f64 / YEAR_DAYS
}

fn percent(limit: f64) -> String {
    format!("{} %", (1e3 * limit).round() / 10.0)
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let horizon = self.horizon_days;
        write!(
            f,
            "other limits, tried on {} of which the {} days after are known",
            counted(self.cutoffs.len(), "day"),
            2 * horizon
        )?;
        write!(
            f,
            "\n  {:>7}{:>13}{:>24}{:>13}{:>9}{:>11}{:>25}",
            "limit",
            "called lost",
            format!("back within {horizon} days"),
            "true losses",
            "noticed",
            "days late",
            "false per customer-year"
        )?;
        // Limits that called nobody lost say nothing more.
        let shown = self.rows.iter().filter(|row| row.lapsed > 0);
        let silent = self.rows.len() - shown.clone().count();
        for row in shown {
            let late = row.median_days_late.map_or("–".to_owned(), |days| days.to_string());
            write!(
                f,
                "\n  {:>7}{:>13}{:>24}{:>13}{:>9}{late:>11}{:>25.3}",
                percent(row.limit),
                row.lapsed,
                shown_share(row.back.as_ref()),
                row.true_losses,
                row.noticed,
                row.false_lapses_per_customer_year
            )?;
        }
        if silent > 0 {
            write!(f, "\n  at {silent} lower limits nobody was called lost")?;
        }
        write!(f, "\n  true losses have bought nothing since; days late count from their last purchase")?;
        write!(
            f,
            "\n  recommended is by one standard, that at most one in five of those called lost come back: a limit to act on; whether the chances behind it are right is another question, answered above"
        )?;
        let keeps = |row: &TunedRule| row.back.is_some_and(|back| back.estimate <= MOST_BACK);
        match self.recommended.and_then(|limit| self.rows.iter().find(|row| row.limit == limit)) {
            Some(row) if keeps(row) => write!(
                f,
                "\n  recommended: a limit of {}, the highest that keeps to it, and so the soonest to notice",
                percent(row.limit)
            ),
            Some(row) => write!(
                f,
                "\n  recommended: none of them, as at every one more than one in five came back; {} is the lowest that called {LEAST_LAPSES} lost, and a fixed number of days may suit this log better",
                percent(row.limit)
            ),
            None => write!(f, "\n  too few lapses to recommend a limit"),
        }
    }
}
