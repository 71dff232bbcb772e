//! What is known of a customer's rhythm, and is it possible?

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One customer's purchases in three numbers, all that the models of rhythm look at.
///
/// Times are in one unit throughout: days, weeks or any other, and horizons and parameters in the same.
/// These names are those of the literature; the rest of winback says `n_purchases` − 1, first to last
/// purchase, and `tenure_days`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// x: purchases after the first one, a whole number from 0 to 10⁹.
    pub frequency: f64,
    /// t_x: time from the first purchase to the last one, 0 to `age`; 0 exactly where `frequency` is 0.
    pub recency: f64,
    /// T: time from the first purchase to the day of looking, 0 to 10¹⁵.
    pub age: f64,
}

const MOST_PURCHASES: f64 = 1e9;
const LONGEST_AGE: f64 = 1e15;

impl Summary {
    /// A customer of `frequency` repeat purchases, the last of them `recency` after the first purchase,
    /// looked at `age` after it.
    #[must_use]
    pub fn new(frequency: f64, recency: f64, age: f64) -> Self {
        Self { frequency, recency, age }
    }

    /// The same in winback's own words, in days: `n_purchases`, `days_since_last` and `tenure_days`.
    ///
    /// ```
    /// use winback::btyd::Summary;
    ///
    /// // Three purchases, the first 100 days ago, the last 20.
    /// assert_eq!(Summary::of_days(3.0, 20.0, 100.0), Summary::new(2.0, 80.0, 100.0));
    /// ```
    #[must_use]
    pub fn of_days(n_purchases: f64, days_since_last: f64, tenure_days: f64) -> Self {
        Self::new(n_purchases - 1.0, tenure_days - days_since_last, tenure_days)
    }

    /// Whether the three numbers are in range and fit each other.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.fault().is_none()
    }

    /// The number that is wrong, and what it should be.
    fn fault(&self) -> Option<(&'static str, f64, &'static str)> {
        let Self { frequency, recency, age } = *self;
        if !(0.0..=MOST_PURCHASES).contains(&frequency) || frequency.fract() != 0.0 {
            Some(("frequency", frequency, "a whole number from 0 to 1e9"))
        } else if !(0.0..=LONGEST_AGE).contains(&age) {
            Some(("age", age, "a number from 0 to 1e15"))
        } else if frequency == 0.0 && recency != 0.0 {
            Some(("recency", recency, "0, as nothing was bought after the first purchase"))
        } else if frequency > 0.0 && !(recency > 0.0 && recency <= age) {
            Some(("recency", recency, "above 0, as there are repeat purchases, and at most the age"))
        } else {
            None
        }
    }
}

/// So many customers of one summary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) summary: Summary,
    pub(super) customers: f64,
}

/// Checked summaries in an order of their own, in units of their mean age: neither the order in which
/// they came nor the unit of time shows in a fit.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    summaries: Vec<Summary>,
    /// The mean age in the caller's unit.
    pub(super) unit: f64,
    /// All repeat purchases.
    pub(super) purchases: f64,
}

impl Checked {
    /// Summaries that a rhythm can be read from.
    pub(super) fn new(summaries: &[Summary]) -> Result<Self> {
        let checked = Self::of_any(summaries)?;
        match checked.purchases > 0.0 {
            true => Ok(checked),
            false => Err(not_fitted("nobody bought twice; a rhythm can only be read from repeat purchases")),
        }
    }

    /// Summaries of at least one customer, who need not have bought twice.
    pub(super) fn of_any(summaries: &[Summary]) -> Result<Self> {
        let of = summaries.len();
        if let Some((at, (name, found, expected))) =
            summaries.iter().enumerate().find_map(|(at, summary)| Some((at, summary.fault()?)))
        {
            return Err(Error::InvalidSummary { row: at + 1, of, name, found, expected });
        }
        if of == 0 {
            return Err(not_fitted("no customers were given"));
        }
        let purchases: f64 = summaries.iter().map(|summary| summary.frequency).sum();
        let mut sorted = summaries.to_vec();
        sorted.sort_unstable_by(|one, other| {
            let by_count = one.frequency.total_cmp(&other.frequency);
            by_count.then(one.recency.total_cmp(&other.recency)).then(one.age.total_cmp(&other.age))
        });
        let mean_age = sorted.iter().map(|summary| summary.age).sum::<f64>() / of as f64;
        // Where everybody has only just come, any unit will do.
        let unit = if mean_age > 0.0 { mean_age } else { 1.0 };
        for summary in &mut sorted {
            summary.recency /= unit;
            summary.age /= unit;
        }
        Ok(Self { summaries: sorted, unit, purchases })
    }

    pub(super) fn customers(&self) -> usize {
        self.summaries.len()
    }

    /// Every customer, equal ones put together.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.summaries.chunk_by(PartialEq::eq).map(row).collect()
    }

    /// At most so many customers, evenly spread over the order.
    pub(super) fn sample(&self, most: usize) -> Vec<Row> {
        let step = self.summaries.len().div_ceil(most);
        let picked: Vec<Summary> = self.summaries.iter().copied().skip(step / 2).step_by(step).collect();
        picked.chunk_by(PartialEq::eq).map(row).collect()
    }
}

fn not_fitted(reason: &str) -> Error {
    Error::NotFitted { reason: reason.to_owned() }
}

fn row(equal: &[Summary]) -> Row {
    Row { summary: equal[0], customers: equal.len() as f64 }
}
