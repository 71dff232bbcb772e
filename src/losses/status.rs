//! How does each customer stand on the day, and how did they stand before?

use std::fmt;
use std::sync::Arc;

use polars::prelude::{Column, DataFrame};
use rayon::prelude::*;
use serde::{Serialize, Serializer};

use super::lapse::{Lapses, Life};
use super::rule::percent;
use crate::day::{Day, Window};
use crate::error::{Result, counted};
use crate::history::{CustomerIds, History};
use crate::table;

/// Purchases before the window that a customer's own level is known from, at least.
const LEAST_PURCHASES: usize = 4;
/// Spending at most this much of the own level is well below it …
const WELL_BELOW: f64 = 0.5;
/// … where chance explains it in less than one case in twenty: the normal quantile of 95 %.
const NORMAL_QUANTILE: f64 = 1.644_853_626_951_473;

/// How a customer stands: exactly one per customer and day, the first that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Status {
    /// Lost, by the [`LapseRule`](super::LapseRule).
    Lapsed,
    /// Silent for longer than is likely for a customer who is still there.
    Overdue,
    /// Came back after a lapse; until the next purchase or for H days.
    Returned,
    /// One purchase, and not overdue.
    New,
    /// All others.
    Active,
}

impl Status {
    /// All, in the order in which they are tried.
    pub const ALL: [Status; 5] =
        [Status::Lapsed, Status::Overdue, Status::Returned, Status::New, Status::Active];

    /// The name as it stands in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::Lapsed => "Lapsed",
            Status::Overdue => "Overdue",
            Status::Returned => "Returned",
            Status::New => "New",
            Status::Active => "Active",
        }
    }

    fn of(lapses: &Lapses, life: &Life) -> Self {
        let (rule, model) = (&lapses.rule, lapses.rhythm.model());
        let has_returned = life.lives > 1 && life.summary.frequency == 0.0;
        match () {
            () if life.lapsed_on.is_some() => Status::Lapsed,
            () if rule.is_overdue(model, life.summary) => Status::Overdue,
            () if has_returned && life.days_since_last() <= rule.horizon_days() => Status::Returned,
            () if life.purchases == 1 => Status::New,
            () => Status::Active,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How every customer stands on the day.
#[derive(Clone, Debug)]
pub struct Statuses {
    as_of: Day,
    ids: Arc<CustomerIds>,
    ranks: Vec<u32>,
    lives: Vec<Life>,
    statuses: Vec<Status>,
    declining: Vec<bool>,
    p_purchase: Vec<f64>,
    table: StatusTable,
}

/// How many stand where, and where they stood a horizon earlier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusTable {
    /// The day.
    pub as_of: Day,
    /// The earlier day.
    pub before: Day,
    /// The statuses, in the order of the other fields.
    pub statuses: [Status; 5],
    /// Customers of each on the day.
    pub counts: [usize; 5],
    /// Those among them who are declining.
    pub declining: [usize; 5],
    /// From the row's status on the earlier day to the column's; looked at with the same parameters.
    pub transitions: [[usize; 5]; 5],
    /// Who had not bought by the earlier day, by status on the day.
    pub arrived: [usize; 5],
}

impl Lapses {
    /// How every customer stands on the day.
    ///
    /// A customer is *declining* who has not lapsed, bought at least 4 times before the last H days, and spent
    /// in these at most half of what they used to, where chance is no explanation.
    ///
    /// # Formula
    /// ```text
    /// E = n·H/D · m,  var = n·H/D · (m² + s²)      declining where S ≤ E/2 and S < E − 1.645 √var
    /// ```
    /// where in the D days from the first purchase to H days ago there were n purchases of mean m and variance
    /// s², and S was spent since. Without amounts each purchase counts 1.
    #[must_use]
    pub fn statuses(&self, history: &History) -> Statuses {
        let before = self.as_of.plus_days(-self.rule.horizon_days());
        let now: Vec<Status> = self.lives.par_iter().map(|life| Status::of(self, life)).collect();
        let earlier: Vec<Option<Status>> = self
            .ranks
            .par_iter()
            .map(|&rank| {
                let days = history.run(rank as usize).until(before).days;
                (!days.is_empty()).then(|| {
                    let life = self.rule.walk(self.rhythm.model(), rank, days, before, |_| ());
                    Status::of(self, &life)
                })
            })
            .collect();
        let declining: Vec<bool> = self
            .lives
            .par_iter()
            .map(|life| life.lapsed_on.is_none() && self.is_declining(history, life.rank))
            .collect();
        let mut table = StatusTable {
            as_of: self.as_of,
            before,
            statuses: Status::ALL,
            counts: [0; 5],
            declining: [0; 5],
            transitions: [[0; 5]; 5],
            arrived: [0; 5],
        };
        for ((&status, earlier), &declines) in now.iter().zip(&earlier).zip(&declining) {
            let to = status as usize;
            table.counts[to] += 1;
            table.declining[to] += usize::from(declines);
            match earlier {
                Some(from) => table.transitions[*from as usize][to] += 1,
                None => table.arrived[to] += 1,
            }
        }
        Statuses {
            as_of: self.as_of,
            ids: Arc::clone(&self.ids),
            ranks: self.ranks.clone(),
            lives: self.lives.clone(),
            p_purchase: self.lives.par_iter().map(|life| self.p_purchase(life)).collect(),
            statuses: now,
            declining,
            table,
        }
    }

    fn is_declining(&self, history: &History, rank: u32) -> bool {
        let horizon = self.rule.horizon_days();
        let run = history.run(rank as usize).until(self.as_of);
        let recent = Window::back_from(self.as_of, horizon).range_in(run.days);
        let n = recent.start;
        if n < LEAST_PURCHASES {
            return false;
        }
        let known_days = self.as_of.days_since_epoch() - horizon - run.days[0];
        if known_days < horizon {
            return false;
        }
        let amount = |at: usize| run.net.get(at).map_or(1.0, |net| net.max(0.0));
        let count = n as f64;
        let mean = (0..n).map(amount).sum::<f64>() / count;
        let square = (0..n).map(|at| amount(at) * (amount(at) / count)).sum::<f64>();
        // The first purchase begins the count and is none of it.
        let share = f64::from(horizon) / f64::from(known_days.max(1));
        let expected_purchases = (count - 1.0) * share;
        let expected = expected_purchases * mean;
        // The level is known no better than its own days allow.
        let spread = (expected_purchases * square * (1.0 + share)).sqrt();
        let spent: f64 = recent.map(amount).sum();
        spent <= WELL_BELOW * expected && spent < expected - NORMAL_QUANTILE * spread
    }
}

impl Statuses {
    /// How many stand where.
    #[must_use]
    pub fn table(&self) -> &StatusTable {
        &self.table
    }

    /// Each customer's, in order of customer.
    #[must_use]
    pub fn statuses(&self) -> &[Status] {
        &self.statuses
    }

    /// Whether each customer spends well below their own level.
    #[must_use]
    pub fn declining(&self) -> &[bool] {
        &self.declining
    }

    /// `customer_id, status, is_declining, life, days_since_last, purchase_probability, lapsed_on`.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let names: Vec<&str> = self.statuses.iter().map(|status| status.name()).collect();
        let lives: Vec<u32> = self.lives.iter().map(|life| life.lives).collect();
        let silent: Vec<i32> = self.lives.iter().map(Life::days_since_last).collect();
        table::frame(vec![
            self.ids.column("customer_id", &self.ranks)?,
            Column::new("status".into(), names),
            Column::new("is_declining".into(), &self.declining),
            Column::new("life".into(), lives),
            Column::new("days_since_last".into(), silent),
            table::nullable_floats("purchase_probability", self.p_purchase.iter().copied()),
            table::nullable_dates("lapsed_on", self.lives.iter().map(|life| life.lapsed_on)),
        ])
    }
}

/// As its [`StatusTable`].
impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.table.serialize(serializer)
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}\n{}", counted(self.statuses.len(), "customer"), self.as_of, self.table)
    }
}

impl fmt::Display for StatusTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.counts.iter().sum();
        write!(
            f,
            "  {:<10}{:>9}{:>7}{:>11}   of these on {}:",
            "status", "now", "share", "declining", self.before
        )?;
        for status in Status::ALL {
            write!(f, "{status:>10}")?;
        }
        write!(f, "{:>14}", "not yet here")?;
        for (to, status) in Status::ALL.into_iter().enumerate() {
            let (count, declining) = (self.counts[to], self.declining[to]);
            write!(f, "\n  {status:<10}{count:>9}{:>6.0}%{declining:>11}{:>27}", percent(count, all), "")?;
            for from in &self.transitions {
                write!(f, "{:>10}", from[to])?;
            }
            write!(f, "{:>14}", self.arrived[to])?;
        }
        Ok(())
    }
}
