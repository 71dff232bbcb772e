//! Did the regulars of a segment value stop buying, and when?

mod weeks;
mod scan;
mod descent;
mod onset;
mod business;

use std::fmt;

use polars::prelude::*;
use serde::Serialize;

use self::business::of_business;
pub use self::business::{BusinessDrop, BusinessVerdict};
use self::onset::onset;
use self::scan::{Scope, scan};
use self::weeks::{candidates, eligible};
use crate::day::Day;
use crate::error::{Error, Result, counted};
use crate::history::History;
use crate::table;

/// Drops are told at this level, all values and weeks together.
const LEVEL: f64 = 0.05;
/// From this part on what is gone was moved.
const MOSTLY: f64 = 0.5;

/// Where the purchases went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum DropKind {
    /// The regulars buy less.
    Lost,
    /// They buy at other values: at least half of what is gone.
    Moved,
}

/// A week in which the regulars of a value fell and stayed down.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SuddenDrop {
    /// The segment column.
    pub segment: String,
    /// Its value.
    pub value: String,
    /// The first day of the fall.
    pub date: Day,
    /// Earliest day it may have begun on (95 %).
    pub date_low: Day,
    /// Latest day.
    pub date_high: Day,
    /// The part of the regulars' purchases that is gone, 0 to 1; at the value, for who moved.
    pub size: f64,
    /// How often customers who change places show as steep a fall of any value in any week, allowing for the
    /// budget.
    pub p: f64,
    /// Lost, or moved to another value.
    pub kind: DropKind,
    /// How many regulars there were.
    pub regulars: usize,
    /// Whether the value loses more than its share from all days looked from alike, as [`Systemic`](super::Systemic) says: then
    /// regulars leave faster all the time, and the fall may not be sudden.
    pub steady: bool,
}

/// How to look for sudden drops.
///
/// | setting | default |
/// |---|---|
/// | permutations | 499 |
/// | seed | 0 |
/// | budget | .4 of the 5 % that may be found by chance; [systemic losses](super::Systemic) have .5, a fall of the whole business the rest |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropParams {
    permutations: usize,
    seed: u64,
    budget_fraction: f64,
}

/// Sudden drops: at most one per segment value, the steepest.
///
/// For each candidate week (the log needs 34 weeks before it and six from it on), regulars are who bought on at
/// least three days of the 26 weeks that end eight weeks before it; they belong to the value of more than half of
/// those purchases. What a value's regulars buy in the 6, 12 and 24 weeks from then on is compared with what
/// they bought before, at the rate of all regulars of their class of activity, which takes the season out; once
/// for purchases anywhere, and once for those at the value beside the last eight weeks. The
/// statistic is the greatest of all weeks, values and spans, over its standard deviation; its p-value comes
/// from customers who change places within their class, with all their purchases.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drops {
    /// What was found, the steepest first.
    pub rows: Vec<SuddenDrop>,
    /// A fall of all regulars together.
    pub business: Option<BusinessDrop>,
    /// How many candidate weeks there were; none in a log shorter than 40 weeks.
    pub weeks: usize,
    /// How many customers were regulars before any of them.
    pub regulars: usize,
}

impl Drops {
    /// Begins to look for drops.
    #[must_use]
    pub fn params() -> DropParams {
        DropParams { permutations: 499, seed: 0, budget_fraction: 0.4 }
    }

    /// One row per drop; see [`SuddenDrop`].
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let texts = |name: &str, text: &dyn Fn(&SuddenDrop) -> String| {
            Column::new(name.into(), self.rows.iter().map(text).collect::<Vec<String>>())
        };
        table::frame(vec![
            texts("segment", &|row| row.segment.clone()),
            texts("value", &|row| row.value.clone()),
            table::dates("date", self.rows.iter().map(|row| row.date)),
            table::dates("date_low", self.rows.iter().map(|row| row.date_low)),
            table::dates("date_high", self.rows.iter().map(|row| row.date_high)),
            table::nullable_floats("size", self.rows.iter().map(|row| row.size)),
            table::nullable_floats("p", self.rows.iter().map(|row| row.p)),
            texts("kind", &|row| format!("{:?}", row.kind)),
            Column::new(
                "regulars".into(),
                self.rows.iter().map(|row| row.regulars as u64).collect::<Vec<u64>>(),
            ),
        ])
    }
}

impl DropParams {
    /// Sets how often customers change places, 99 to 99,999: p is never below one part in that number.
    #[must_use]
    pub fn with_permutations(mut self, permutations: usize) -> Self {
        self.permutations = permutations;
        self
    }

    /// Sets where their random numbers begin.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the part of the 5 % budget for chance findings that drops may use, above 0 and at most 1; p is
    /// divided by it.
    #[must_use]
    pub fn with_budget_fraction(mut self, fraction: f64) -> Self {
        self.budget_fraction = fraction;
        self
    }

    /// Looks at every segment column of the log, by what was known at the end of `as_of`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a setting out of range, [`Error::AfterObserved`] for a day the log does not reach.
    pub fn find(&self, history: &History, as_of: Day) -> Result<Drops> {
        self.check()?;
        let observed_until = history.observed_until();
        if as_of > observed_until {
            return Err(Error::AfterObserved { as_of, observed_until });
        }
        let candidates = candidates(history, as_of);
        let ranks = eligible(history, &candidates);
        let names = history.reading().columns().segments();
        let scope = Scope { history, as_of, candidates: &candidates, ranks: &ranks };
        let falls = scan(scope, names.len(), self.permutations, self.seed);
        let told = falls.iter().filter(|fall| fall.p / self.budget_fraction <= LEVEL);
        let mut rows: Vec<(f64, SuddenDrop)> = told
            .map(|fall| {
                let found = onset(scope, fall);
                let name = &names[fall.column];
                let values = history.segment_values(name).unwrap_or_default();
                let row = SuddenDrop {
                    segment: name.clone(),
                    value: values.get(fall.code as usize).cloned().unwrap_or_default(),
                    date: found.date,
                    date_low: found.low,
                    date_high: found.high,
                    size: found.size,
                    p: (fall.p / self.budget_fraction).min(1.0),
                    kind: if found.moved >= MOSTLY { DropKind::Moved } else { DropKind::Lost },
                    regulars: found.regulars,
                    steady: false,
                };
                (fall.z, row)
            })
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(Drops {
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            business: of_business(scope),
            weeks: candidates.len(),
            regulars: ranks.len(),
        })
    }

    fn check(&self) -> Result<()> {
        if !(99..=99_999).contains(&self.permutations) {
            return Err(Error::parameter("permutations", self.permutations, "99 to 99,999"));
        }
        if !(self.budget_fraction > 0.0 && self.budget_fraction <= 1.0) {
            return Err(Error::parameter("budget fraction", self.budget_fraction, "above 0 and at most 1"));
        }
        Ok(())
    }
}

impl fmt::Display for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.weeks == 0 {
            return writeln!(f, "sudden drops: the log is too short to look for any, which takes 40 weeks");
        }
        let (found, weeks, regulars) = (self.rows.len(), self.weeks, self.regulars);
        let (weeks, regulars) = (counted(weeks, "week"), counted(regulars, "regular"));
        writeln!(f, "sudden drops: {found} found, in {weeks} and {regulars}")?;
        for row in &self.rows {
            let went = match row.kind {
                DropKind::Lost => "lost",
                DropKind::Moved => "moved to other values",
            };
            writeln!(
                f,
                "  {} {}: {:.0} % of the purchases of {} {went} from {} on ({} to {}), p {:.3}",
                row.segment,
                row.value,
                100.0 * row.size,
                counted(row.regulars, "regular"),
                row.date,
                row.date_low,
                row.date_high,
                row.p
            )?;
            if row.steady {
                writeln!(
                    f,
                    "    it loses more all along, as said above, so that nothing may have happened on that day"
                )?;
            }
        }
        if let Some(drop) = &self.business {
            let percent = 100.0 * drop.size;
            match drop.verdict {
                BusinessVerdict::Dropped => writeln!(
                    f,
                    "  the whole business: {percent:.0} % less from the week after {} on than in the same weeks of earlier years",
                    drop.date
                )?,
                BusinessVerdict::CannotBeToldFromSeason => writeln!(
                    f,
                    "  the whole business: {percent:.0} % less than usual from the week after {} on, which cannot be told from season",
                    drop.date
                )?,
            }
        }
        Ok(())
    }
}
