//! On which days do we look back?

use serde::{Deserialize, Serialize};

use super::label::LabelWindow;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::history::History;

/// How many cutoffs are taken unless told otherwise.
const DEFAULT_MOST: usize = 9;
const MOST_RANGE: std::ops::RangeInclusive<usize> = 1..=10_000;
/// Where a rolling start may lie, in horizons after the log's first day, and how many training cutoffs that
/// must leave; half a horizon after it otherwise.
const STARTS: [(i32, usize); 2] = [(2, 3), (1, 2)];

/// The days at whose end customers are looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cutoffs {
    /// These days.
    Explicit(Vec<Day>),
    /// Days at equal steps, back from the last one whose label window is observed.
    Rolling(Rolling),
}

/// Cutoffs at equal steps, back from the last observable one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rolling {
    every_days: Option<i32>,
    at_most: Option<usize>,
    last: Option<Day>,
    first: Option<Day>,
}

impl Cutoffs {
    /// Rolls back from the last day whose label window is observed, half a horizon at a time.
    ///
    /// The first cutoff lies no earlier than two horizons after the log's first day; where that leaves
    /// fewer than three cutoffs that can train a model tested at the last one, one horizon after it;
    /// where that leaves fewer than two, half a horizon. Where no cutoff could train even then, because labels
    /// are longer than the steps, the step is the length of a label.
    #[must_use]
    pub fn rolling() -> Rolling {
        Rolling::default()
    }

    /// These days, in any order.
    #[must_use]
    pub fn explicit(days: impl IntoIterator<Item = Day>) -> Self {
        Cutoffs::Explicit(days.into_iter().collect())
    }

    /// None after that day; rolling ones roll back from it.
    pub(super) fn ending(self, cutoff: Day) -> Self {
        match self {
            Cutoffs::Explicit(days) => {
                Cutoffs::Explicit(days.into_iter().filter(|day| *day <= cutoff).collect())
            }
            Cutoffs::Rolling(rolling) => Cutoffs::Rolling(rolling.ending(cutoff)),
        }
    }

    /// From `last` back to `first`, one after another.
    pub(super) fn backwards(
        &self,
        last: Day,
        first: Day,
        horizon_days: i32,
    ) -> impl Iterator<Item = Day> + use<> {
        let days: Vec<Day> = match self {
            Cutoffs::Explicit(days) => {
                let mut days: Vec<Day> = days.iter().copied().filter(|day| *day <= last).collect();
                days.sort_unstable_by(|a, b| b.cmp(a));
                days.dedup();
                days
            }
            Cutoffs::Rolling(rolling) => {
                let step = rolling.step_days(horizon_days).max(1);
                let first = rolling.first.map_or(first, |own| own.max(first));
                let back =
                    (0..=last.days_since(first).max(0) / step).map(|back| last.plus_days(-step * back));
                back.collect()
            }
        };
        days.into_iter()
    }

    /// The cutoffs for this history, ascending.
    pub(super) fn days(&self, history: &History, label: LabelWindow) -> Result<Vec<Day>> {
        let latest = history.observed_until().plus_days(-label.days());
        match self {
            Cutoffs::Explicit(days) => {
                let mut days = days.clone();
                days.sort_unstable();
                days.dedup();
                if days.is_empty() {
                    return Err(Error::parameter("cutoffs", "empty", "at least one day"));
                }
                match days.iter().find(|day| **day > latest) {
                    Some(&cutoff) => Err(label.not_observed(cutoff, history.observed_until())),
                    None => Ok(days),
                }
            }
            Cutoffs::Rolling(rolling) => rolling.days(history, label, latest),
        }
    }
}

impl Rolling {
    /// The step between cutoffs; half the horizon by default.
    #[must_use]
    pub fn every_days(mut self, days: i32) -> Self {
        self.every_days = Some(days);
        self
    }

    /// At most so many cutoffs, the latest ones; 9 by default.
    #[must_use]
    pub fn at_most(mut self, cutoffs: usize) -> Self {
        self.at_most = Some(cutoffs);
        self
    }

    /// No cutoff before this day, in place of the default rule.
    #[must_use]
    pub fn starting(mut self, day: Day) -> Self {
        self.first = Some(day);
        self
    }

    /// Rolls back from this day instead of the last observable one.
    #[must_use]
    pub fn ending(mut self, day: Day) -> Self {
        self.last = Some(day);
        self
    }

    fn step_days(&self, horizon_days: i32) -> i32 {
        self.every_days.unwrap_or((horizon_days / 2).max(1))
    }

    fn days(&self, history: &History, label: LabelWindow, latest: Day) -> Result<Vec<Day>> {
        let horizon = label.horizon_days;
        let step = self.step_days(horizon);
        if !crate::features::SPAN_DAYS.contains(&step) {
            return Err(Error::parameter("step between cutoffs", format!("{step} days"), "1 to 36,500 days"));
        }
        let most = self.at_most.unwrap_or(DEFAULT_MOST);
        if !MOST_RANGE.contains(&most) {
            return Err(Error::parameter("number of cutoffs", most, "1 to 10,000"));
        }
        let last = self.last.unwrap_or(latest);
        if last > latest {
            return Err(label.not_observed(last, history.observed_until()));
        }
        if let Some(first) = self.first.filter(|first| *first > last) {
            return Err(label.not_observed(first, history.observed_until()));
        }
        let back = |step: i32, first: Day| -> Vec<Day> {
            let steps = i32::try_from(most).unwrap_or(i32::MAX);
            let mut days: Vec<Day> = (0..steps)
                .map(|back| last.plus_days(step.saturating_mul(back).saturating_neg()))
                .take_while(|day| *day >= first)
                .collect();
            days.reverse();
            days
        };
        let from = history.observed_from();
        let days = match self.first {
            Some(first) => back(step, first),
            None => {
                // A cutoff whose label ends after the last cutoff cannot train a model that is
                // tested there, so that only the others count.
                let training =
                    |days: &[Day]| days.iter().filter(|day| day.plus_days(label.days()) <= last).count();
                let earliest = from.plus_days((horizon / 2).max(1));
                STARTS
                    .into_iter()
                    .map(|(horizons, least)| {
                        (back(step, from.plus_days(horizon.saturating_mul(horizons))), least)
                    })
                    .find(|(days, least)| training(days) >= *least)
                    .map(|(days, _)| days)
                    .unwrap_or_else(|| {
                        let days = back(step, earliest);
                        let is_blocked =
                            training(&days) == 0 && days.len() < most && self.every_days.is_none();
                        let further = back(label.days(), earliest);
                        if is_blocked && training(&further) > 0 { further } else { days }
                    })
            }
        };
        if days.is_empty() {
            return Err(Error::NoCutoffs {
                observed_from: from,
                observed_until: history.observed_until(),
                lead_days: label.lead_days,
                horizon_days: horizon,
                history_days: (horizon / 2).max(1),
            });
        }
        Ok(days)
    }
}

impl From<Rolling> for Cutoffs {
    fn from(rolling: Rolling) -> Self {
        Cutoffs::Rolling(rolling)
    }
}
