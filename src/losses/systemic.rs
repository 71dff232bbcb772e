//! Does a segment value lose more customers than comparable customers elsewhere?

mod finding;
mod panel;
mod tally;
mod recent;
mod judge;
mod words;

use polars::prelude::*;
use serde::Serialize;

pub use self::finding::{DropBeside, Finding, Recent, SystemicTotals, TenureBand, Verdict, Whose};
pub(super) use self::judge::judge;
pub use self::panel::ModelRisk;
pub(super) use self::panel::{
    PURCHASES, Panel, PanelColumn, activity_class, purchase_class, spend_of_year_before,
};
use self::panel::{landmarks, of_history, recent_landmarks};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::evidence::Cause;
use crate::features::HORIZON_DAYS;
use crate::history::History;
use crate::table;

/// How to look for systemic losses.
///
/// | setting | default |
/// |---|---|
/// | horizon | 90 days |
/// | landmarks | at most 8, a horizon apart |
/// | minimum lift | 1.25 |
/// | budget | half of the 5 % that may be found by chance; [sudden drops](super::Drops) have the other half |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SystemicParams {
    horizon_days: i32,
    landmarks: usize,
    minimum_lift: f64,
    budget_fraction: f64,
}

/// Which segment values lose more than comparable customers elsewhere.
///
/// At each landmark, customers who bought in the horizon before it are exposed to the segment value of their
/// last purchase, and compared with others of the same landmark, the same purchases in the two horizons before
/// it and the same recency. Lost are those who buy nothing in the horizon after it. Landmarks lie a horizon
/// apart, so that no day of loss counts twice.
///
/// `Systemic`: q ≤ .05, lower end of the interval > 1, lift at least the minimum. `Individual`: upper end
/// below the minimum, of all landmarks and of the recent ones ([`Recent`]), which have a fifth of the budget for
/// themselves. Else `Insufficient`, as is every value with fewer than 20 customers. With 20 or more
/// values that can vary, they are also judged against the spread between them. p is the larger of an exact one and of one that
/// counts whole customers, and the interval is widened likewise. Causes are tested where losses of all causes
/// are systemic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Systemic {
    /// Days without a purchase that make a loss; none for a customer table.
    pub horizon_days: Option<i32>,
    /// The landmarks, ascending; empty for a customer table.
    pub landmarks: Vec<Day>,
    /// How many of the landmarks, the last ones, are recent; none of a single one or for a customer table.
    pub recent_landmarks: usize,
    /// Distinct customers looked at.
    pub customers: usize,
    /// How often in all, each customer once at every landmark before which they had bought lately; customers of
    /// a table.
    pub observations: usize,
    /// One per value with no cause, and one per value and cause tested, in order of segment, value and cause.
    pub rows: Vec<Finding>,
    /// What the systemic ones lost together.
    pub totals: SystemicTotals,
    /// Loss by tenure, where a table has a tenure column.
    pub tenure: Vec<TenureBand>,
    /// Whether ratios are of rates per time; else they are of shares.
    pub is_rates: bool,
}

impl Systemic {
    /// Begins to look for systemic losses.
    #[must_use]
    pub fn params() -> SystemicParams {
        SystemicParams { horizon_days: 90, landmarks: 8, minimum_lift: 1.25, budget_fraction: 0.5 }
    }

    /// The rows that are systemic.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.rows.iter().filter(|row| row.verdict == Verdict::Systemic)
    }

    /// The rows of values that are systemic by the recent landmarks alone: not over all of them, and so no
    /// [`findings`](Self::findings).
    pub fn recent_findings(&self) -> impl Iterator<Item = (&Finding, &Recent)> {
        let recent =
            |row: &'_ Finding| row.recent.as_ref().is_some_and(|recent| recent.verdict == Verdict::Systemic);
        let rows = self.rows.iter().filter(move |row| row.verdict != Verdict::Systemic && recent(row));
        rows.filter_map(|row| Some((row, row.recent.as_ref()?)))
    }

    /// One row per value, or value and cause; see [`Finding`].
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let texts = |name: &str, text: &dyn Fn(&Finding) -> Option<String>| {
            Column::new(name.into(), self.rows.iter().map(text).collect::<Vec<Option<String>>>())
        };
        let counts = |name: &str, count: &dyn Fn(&Finding) -> usize| {
            Column::new(name.into(), self.rows.iter().map(|row| count(row) as u64).collect::<Vec<u64>>())
        };
        let floats = |name: &str, number: &dyn Fn(&Finding) -> Option<f64>| {
            table::nullable_floats(name, self.rows.iter().map(|row| number(row).unwrap_or(f64::NAN)))
        };
        table::frame(vec![
            texts("segment", &|row| Some(row.segment.clone())),
            texts("value", &|row| Some(row.value.clone())),
            texts("cause", &|row| row.cause.map(|cause| cause.to_string())),
            texts("whose", &|row| Some(format!("{:?}", row.whose))),
            counts("exposed", &|row| row.exposed),
            counts("lost", &|row| row.lost),
            floats("expected", &|row| row.expected),
            counts("exposed_alone", &|row| row.exposed_alone),
            counts("lost_alone", &|row| row.lost_alone),
            floats("lift", &|row| row.lift),
            floats("low", &|row| row.low),
            floats("high", &|row| row.high),
            floats("q", &|row| row.q),
            texts("verdict", &|row| Some(format!("{:?}", row.verdict))),
            texts("explained_by", &|row| row.explained_by.clone()),
            floats("needed", &|row| row.needed.map(|needed| needed as f64)),
            floats("model_lift", &|row| row.model_lift),
            floats("recent_lift", &|row| row.recent.as_ref()?.lift),
            floats("recent_low", &|row| row.recent.as_ref()?.low),
            floats("recent_high", &|row| row.recent.as_ref()?.high),
            floats("recent_p_differs", &|row| row.recent.as_ref()?.p_differs),
            Column::new(
                "recent_differs".into(),
                self.rows.iter().map(|row| Some(row.recent.as_ref()?.differs)).collect::<Vec<Option<bool>>>(),
            ),
        ])
    }
}

impl SystemicParams {
    /// Sets the days without a purchase that make a loss, 1 to 9,125.
    #[must_use]
    pub fn with_horizon_days(mut self, days: i32) -> Self {
        self.horizon_days = days;
        self
    }

    /// Sets the most landmarks to look from, 1 to 100.
    #[must_use]
    pub fn with_landmarks(mut self, at_most: usize) -> Self {
        self.landmarks = at_most;
        self
    }

    /// Sets the least lift worth speaking of, above 1 and at most 100.
    #[must_use]
    pub fn with_minimum_lift(mut self, lift: f64) -> Self {
        self.minimum_lift = lift;
        self
    }

    /// Sets the part of the 5 % budget for chance findings that these tests may use, above 0 and at most 1;
    /// q is divided by it.
    #[must_use]
    pub fn with_budget_fraction(mut self, fraction: f64) -> Self {
        self.budget_fraction = fraction;
        self
    }

    /// Looks at every segment column of the log, by what was known at the end of `as_of`. `causes` are those
    /// that customers stated, by rank.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a setting out of range, [`Error::AfterObserved`] for a day the log does not reach,
    /// [`Error::NoCutoffs`] for a log shorter than two horizons.
    pub fn find(&self, history: &History, as_of: Day, causes: Option<&[Option<Cause>]>) -> Result<Systemic> {
        self.find_beside(history, as_of, causes, None)
    }

    /// The same, cross-checked against a churn model that knows no segments: where its observed over expected
    /// losses are no higher at a value than elsewhere, nothing systemic is claimed.
    ///
    /// # Errors
    /// As [`find`](Self::find), and those of the model.
    pub fn find_beside(
        &self,
        history: &History,
        as_of: Day,
        causes: Option<&[Option<Cause>]>,
        model: Option<ModelRisk<'_>>,
    ) -> Result<Systemic> {
        self.check()?;
        let observed_until = history.observed_until();
        if as_of > observed_until {
            return Err(Error::AfterObserved { as_of, observed_until });
        }
        let landmarks = landmarks(history, as_of, self.horizon_days, self.landmarks)?;
        let panel = of_history(history, &landmarks, self.horizon_days, causes, model)?;
        let recent_landmarks = recent_landmarks(landmarks.len(), self.horizon_days);
        let judged = judge(&panel, self);
        Ok(Systemic { horizon_days: Some(self.horizon_days), landmarks, recent_landmarks, ..judged })
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |name, found: String, expected| Err(Error::parameter(name, found, expected));
        if !HORIZON_DAYS.contains(&self.horizon_days) {
            return wrong("horizon", format!("{} days", self.horizon_days), "1 to 9,125 days");
        }
        if !(1..=100).contains(&self.landmarks) {
            return wrong("landmarks", self.landmarks.to_string(), "1 to 100");
        }
        if !(self.minimum_lift > 1.0 && self.minimum_lift <= 100.0) {
            return wrong("minimum lift", self.minimum_lift.to_string(), "above 1 and at most 100");
        }
        if !(self.budget_fraction > 0.0 && self.budget_fraction <= 1.0) {
            return wrong("budget fraction", self.budget_fraction.to_string(), "above 0 and at most 1");
        }
        Ok(())
    }
}
