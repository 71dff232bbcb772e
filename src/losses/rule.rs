//! When does a customer count as lost?

use std::fmt;

use serde::Serialize;

use crate::btyd::{MbgNbd, Summary};
use crate::error::{Error, Result};

/// When a customer counts as lost.
///
/// | setting | default |
/// |---|---|
/// | limit | lapsed where P(purchase in the next H days) is below .15 |
/// | horizon H | 90 days |
/// | overdue level | overdue where a silence this long has a chance below .05 if the customer is still there |
///
/// # Formula
/// ```text
/// p = 1/(1 + a/(b+x) · ((α+T)/(α+t_x))^(r+x))                  the chance of being still there
/// lapsed   p · (1 − ((α+T)/(α+T+H))^(r+x)) < π                 both factors fall with the silence T − t_x
/// overdue  ((α+t_x)/(α+T))^(r+x) < level
/// ```
/// with x, t_x and T as in [`btyd`](crate::btyd), in days. The lapse day is the first day on which this holds,
/// at least one day after the last purchase. A customer who buys after it begins a second life: x = 0 from
/// that purchase on, and the silence before it is no part of its rhythm.
///
/// The parameters are fitted once per as-of day, on first lives up to it, each seen until it lapsed or until
/// that day, and are used for all lapse days up to it.
///
/// # References
/// Batislam, Denizel and Filiztekin (2007), as in [`MbgNbd`].
///
/// # Examples
/// ```
/// use winback::losses::LapseRule;
/// use winback::{Columns, History};
///
/// let columns = Columns::new("customer_id", "timestamp").with_amount("amount");
/// let history = History::params(columns).read_csv(["data/online_retail_orders.csv"])?;
/// let lapses = LapseRule::default().find(&history, history.observed_until())?;
/// assert_eq!((lapses.lapsed(), lapses.customers()), (117, 4335));
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LapseRule {
    pub(super) limit: Limit,
    pub(super) horizon_days: i32,
    overdue_level: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Limit {
    /// P(purchase in the horizon) below this.
    Chance(f64),
    /// So many days of silence.
    Days(i32),
}

impl Default for LapseRule {
    fn default() -> Self {
        LapseRule { limit: Limit::Chance(0.15), horizon_days: 90, overdue_level: 0.05 }
    }
}

impl LapseRule {
    /// Lapsed after so many days without a purchase, 1 to 9,125, whoever it is.
    #[must_use]
    pub fn fixed(days: i32) -> Self {
        LapseRule { limit: Limit::Days(days), ..LapseRule::default() }
    }

    /// Sets the limit π, above 0 and below 1; a fixed rule becomes one of chances.
    #[must_use]
    pub fn with_limit(mut self, limit: f64) -> Self {
        self.limit = Limit::Chance(limit);
        self
    }

    /// Sets the horizon H, 1 to 9,125 days.
    #[must_use]
    pub fn with_horizon_days(mut self, days: i32) -> Self {
        self.horizon_days = days;
        self
    }

    /// Sets the level below which a silence is overdue, above 0 and below 1.
    #[must_use]
    pub fn with_overdue_level(mut self, level: f64) -> Self {
        self.overdue_level = level;
        self
    }

    /// The horizon H, in days.
    #[must_use]
    pub fn horizon_days(&self) -> i32 {
        self.horizon_days
    }

    /// The limit π; `None` of a fixed rule.
    #[must_use]
    pub fn limit(&self) -> Option<f64> {
        match self.limit {
            Limit::Chance(limit) => Some(limit),
            Limit::Days(_) => None,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let days = crate::features::HORIZON_DAYS;
        let share = |value: f64| value > 0.0 && value < 1.0;
        match self.limit {
            Limit::Chance(limit) if !share(limit) => {
                return Err(Error::parameter("lapse limit", limit, "above 0 and below 1"));
            }
            Limit::Days(fixed) if !days.contains(&fixed) => {
                return Err(Error::parameter("days until lapsed", fixed, "1 to 9,125 days"));
            }
            _ => {}
        }
        if !days.contains(&self.horizon_days) {
            return Err(Error::parameter("horizon", self.horizon_days, "1 to 9,125 days"));
        }
        match share(self.overdue_level) {
            true => Ok(()),
            false => Err(Error::parameter("overdue level", self.overdue_level, "above 0 and below 1")),
        }
    }

    /// The first day of silence, from 1 to `longest`, on which the customer counts as lost.
    pub(super) fn crossing(&self, model: &MbgNbd, repeats: f64, span: f64, longest: i32) -> Option<i32> {
        if longest < 1 {
            return None;
        }
        let limit = match self.limit {
            Limit::Days(days) => return (longest >= days).then_some(days),
            Limit::Chance(limit) => limit,
        };
        let horizon = f64::from(self.horizon_days);
        let is_lost = |silence: i32| {
            let summary = Summary::new(repeats, span, span + f64::from(silence));
            1.0 - model.p_no_purchase(summary, horizon) < limit
        };
        if !is_lost(longest) {
            return None;
        }
        // The chance falls with every day of silence.
        let (mut low, mut high) = (0, longest);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if is_lost(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }

    /// Days of silence after which somebody who has just bought for the first time counts as lost; `None`
    /// where 9,125 are not enough.
    pub(super) fn first_silence(&self, model: &MbgNbd) -> Option<i32> {
        self.crossing(model, 0.0, 0.0, *crate::features::HORIZON_DAYS.end())
    }

    pub(super) fn is_overdue(&self, model: &MbgNbd, summary: Summary) -> bool {
        let Summary { frequency, recency, age } = summary;
        let log = (model.r() + frequency) * ((age - recency) / (model.alpha() + recency)).ln_1p();
        -log < self.overdue_level.ln()
    }
}

impl fmt::Display for LapseRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::Chance(limit) => write!(
                f,
                "lapsed: the chance of a purchase in the next {} days is below {:.0} %",
                self.horizon_days,
                100.0 * limit
            ),
            Limit::Days(days) => write!(f, "lapsed: {days} days without a purchase"),
        }
    }
}

pub(super) fn percent(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of.max(1) as f64
}
