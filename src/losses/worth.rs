//! What is a customer worth, who leaves or may leave?

use super::lapse::{Lapses, Life};
use crate::btyd::Summary;
use crate::day::Day;
use crate::history::{History, Run};
use crate::value::{OwnAmounts, purchases_if_back};

/// What a customer would spend in the next H days, should they come back in them: one measure for losses by money,
/// for whom to ask and for what is at stake.
///
/// # Formula
/// ```text
/// E[N] / P(N > 0) · (K + 2 M) / (n + 2)     N purchases in the next H days, by MBG/NBD on the present life
/// ```
/// and the amount of a purchase as in `value/amounts.rs`. What it would be for sure, not times the chance to come
/// back: who is about to lapse has next to none, and would count for nothing.
pub(super) struct Worth<'a> {
    lapses: &'a Lapses,
    amounts: OwnAmounts,
}

impl<'a> Worth<'a> {
    pub(super) fn new(lapses: &'a Lapses, history: &History) -> Self {
        Worth { lapses, amounts: OwnAmounts::new(history, &lapses.ranks, lapses.as_of) }
    }

    pub(super) fn has_amounts(&self) -> bool {
        self.amounts.are_known()
    }

    /// Of a life that began with the purchase at `start` of the run, on a day not before its last purchase.
    pub(super) fn of(&self, run: &Run, start: usize, on: Day) -> f64 {
        let (Some(&first), Some(&last)) = (run.days.get(start), run.days.last()) else { return 0.0 };
        let repeats = (run.days.len() - 1 - start) as f64;
        let age = f64::from(on.days_since_epoch() - first);
        self.purchases(Summary::new(repeats, f64::from(last - first), age)) * self.amounts.of(run)
    }

    /// Purchases and what they bring, of a life on the as-of day; the latter NaN without amounts.
    pub(super) fn of_life(&self, history: &History, life: &Life) -> (f64, f64) {
        let purchases = self.purchases(life.summary);
        let run = history.run(life.rank as usize).until(self.lapses.as_of);
        (purchases, purchases * self.amounts.of(&run))
    }

    fn purchases(&self, summary: Summary) -> f64 {
        purchases_if_back(self.lapses.rhythm.model(), summary, self.lapses.rule.horizon_days())
    }
}
