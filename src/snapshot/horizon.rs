//! Does the horizon suit the log's rhythm?

use std::fmt;

use crate::history::History;

/// A horizon below this many usual intervals calls customers churned who only pause …
const LEAST_INTERVALS: f64 = 0.5;
/// … and one above this many notices late.
const MOST_INTERVALS: f64 = 6.0;
/// A horizon that suits is about this many usual intervals long.
const SUITING_INTERVALS: f64 = 2.0;
/// Horizons that people use, days.
const COMMON_DAYS: [i32; 12] = [7, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365, 730];

/// How the horizon compares with how often customers buy.
///
/// The usual interval is the median, over customers with two purchases or more, of their mean interval.
/// Only orders the log holds count: with `observed_until` set, none after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HorizonAdvice {
    /// The horizon asked about, days.
    pub horizon_days: i32,
    /// The usual interval between a customer's purchases, days.
    pub usual_interval_days: f64,
    /// A horizon that would suit, days.
    pub suiting_days: i32,
}

impl HorizonAdvice {
    /// Compares; `None` where fewer than ten customers bought twice.
    #[must_use]
    pub fn of(history: &History, horizon_days: i32) -> Option<Self> {
        const LEAST_CUSTOMERS: usize = 10;
        let mut intervals: Vec<f64> = (0..history.customers())
            .filter_map(|rank| match history.run(rank).days {
                [first, .., last] => {
                    Some(f64::from(last - first) / (history.run(rank).days.len() - 1) as f64)
                }
                _ => None,
            })
            .collect();
        if intervals.len() < LEAST_CUSTOMERS {
            return None;
        }
        intervals.sort_unstable_by(f64::total_cmp);
        let usual_interval_days = intervals[intervals.len() / 2];
        let wished = usual_interval_days * SUITING_INTERVALS;
        let off = |days: &i32| (f64::from(*days).ln() - wished.ln()).abs();
        let suiting_days =
            COMMON_DAYS.into_iter().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(horizon_days);
        Some(HorizonAdvice { horizon_days, usual_interval_days, suiting_days })
    }

    /// Whether the horizon is far from the rhythm: below half or above six usual intervals.
    #[must_use]
    pub fn is_far(&self) -> bool {
        let horizon = f64::from(self.horizon_days);
        horizon < LEAST_INTERVALS * self.usual_interval_days
            || horizon > MOST_INTERVALS * self.usual_interval_days
    }
}

impl fmt::Display for HorizonAdvice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "customers who return usually do so every {:.0} days; a horizon of {} days {}",
            self.usual_interval_days,
            self.horizon_days,
            match self.is_far() {
                true => format!("is far from that, about {} days would suit", self.suiting_days),
                false => "suits".to_owned(),
            }
        )
    }
}
