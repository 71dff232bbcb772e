//! How many of those who came together are still there?

use std::collections::BTreeMap;

use serde::Serialize;

use super::LEVEL;
use super::lapse::{Lapses, lapses_of};
use super::periods::periods;
use crate::day::Day;
use crate::history::History;
use crate::metrics::Interval;
use crate::rates::KaplanMeier;

/// Ages at which a cohort is looked at, in days.
pub(super) const AGES: [i32; 6] = [90, 180, 365, 730, 1_095, 1_460];

/// The customers who first bought in a quarter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cohort {
    /// Such as `2011-Q1`.
    pub name: String,
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub until: Day,
    /// How many came.
    pub customers: usize,
    /// How many of them lapsed at least once.
    pub lapsed: usize,
    /// Whether they came while the log was young, so that many were customers before it: not a cohort of new
    /// ones, and what is said of their age is too low.
    pub is_left_truncated: bool,
    /// Whether the log ends before any of them could lapse: nothing can be said yet, and nothing is
    /// extrapolated.
    pub is_too_young: bool,
    /// The share not lapsed yet, Kaplan–Meier, at ages from 90 to 1,460 days that all of the cohort have
    /// reached or lapsed before.
    pub retention: Vec<CohortPoint>,
    /// The age at which half had lapsed, in days; `None` where it was not seen.
    pub half_lost_days: Option<i32>,
}

/// Retention at an age.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CohortPoint {
    /// Days since the first purchase.
    pub age_days: i32,
    /// The share not lapsed yet, log-log interval.
    pub kept: Interval,
    /// Whether who bought once cannot have lapsed by that age, whatever they do: the share is near 1 by the rule,
    /// not by the customers.
    pub is_by_rule: bool,
}

impl Lapses {
    /// Retention by quarter of the first purchase. The event is a customer's first lapse; who has not lapsed
    /// is seen until the as-of day.
    pub(super) fn cohorts(&self, history: &History) -> Vec<Cohort> {
        let observed_from = history.observed_from();
        let horizon = self.rule.horizon_days();
        let mut seen: BTreeMap<usize, (Vec<i32>, Vec<bool>)> = BTreeMap::new();
        // A year more on both sides makes the first and the last quarter whole.
        let quarters = periods(observed_from.plus_days(-366), self.as_of.plus_days(366), 3);
        for &rank in &self.ranks {
            let first = Day::from_days_since_epoch(history.first_purchase(rank as usize));
            let quarter = quarters.partition_point(|quarter| quarter.until < first);
            let lapse = lapses_of(&self.lapses, rank).first();
            let end = lapse.map_or(self.as_of, |lapse| lapse.lapsed_on);
            let (times, left) = seen.entry(quarter).or_default();
            times.push(end.days_since(first));
            left.push(lapse.is_some());
        }
        let first_silence = self.rule.first_silence(self.rhythm.model());
        let cohort = |(quarter, (times, left)): (usize, (Vec<i32>, Vec<bool>))| {
            let quarter = &quarters[quarter];
            let curve = KaplanMeier::new(&times, &left);
            let oldest = self.as_of.days_since(quarter.from.max(observed_from));
            let youngest = self.as_of.days_since(quarter.until);
            let is_too_young = first_silence.is_none_or(|days| oldest < days);
            let point = |age: i32| {
                let is_by_rule = first_silence.is_none_or(|days| age < days);
                Some(CohortPoint { age_days: age, kept: curve.interval(age, LEVEL)?, is_by_rule })
            };
            let ages = AGES.into_iter().filter(|&age| age <= youngest && !is_too_young);
            Cohort {
                name: quarter.name.clone(),
                from: quarter.from,
                until: quarter.until,
                customers: times.len(),
                lapsed: left.iter().filter(|left| **left).count(),
                is_left_truncated: quarter.from < observed_from.plus_days(horizon),
                is_too_young,
                retention: ages.filter_map(point).collect(),
                half_lost_days: curve.quantile(0.5),
            }
        };
        seen.into_iter().map(cohort).collect()
    }
}
