//! What does only the grouped log show?

use super::History;
use super::group::Partition;
use crate::error::Notice;

/// The log's first days, in which a first order may not be the customer's first.
const LOG_START_DAYS: i32 = 90;
/// A hole is longer than this …
const HOLE_DAYS: i32 = 7;
/// … and than this many times the median step from one selling day to the next.
const HOLE_TIMES_MEDIAN: i32 = 5;

impl History {
    /// Adds what only the grouped log shows.
    pub(super) fn note(&self, rows_kept: u64, notices: &mut Vec<Notice>) {
        let sum = |count: fn(&Partition) -> u64| self.partitions.iter().map(count).sum::<u64>();
        let rows = sum(|partition| partition.duplicate_rows);
        if rows > 0 {
            notices.push(Notice::DuplicateRows { rows, of: rows_kept });
        }
        let orders = sum(|partition| partition.merged_orders);
        if orders > 0 {
            notices.push(Notice::DaysMerged { orders });
        }
        let firsts: Vec<i32> =
            (0..self.customers()).filter_map(|rank| self.run(rank).days.first().copied()).collect();
        if firsts.len() < self.customers() {
            notices.push(Notice::RefundOnlyCustomers { customers: (self.customers() - firsts.len()) as u64 });
        }
        notices.extend(self.longest_hole());
        let limit = self.observed_from.plus_days(LOG_START_DAYS - 1).days_since_epoch();
        let early = firsts.iter().filter(|&&first| first <= limit).count();
        if early > 0 {
            let fraction = early as f64 / firsts.len() as f64;
            notices.push(Notice::FirstOrderAtLogStart { fraction, days: LOG_START_DAYS });
        }
    }

    fn longest_hole(&self) -> Option<Notice> {
        // Up to the last purchase, not to `observed_until`, which may lie any number of years later.
        let last = self.partitions.iter().flat_map(|partition| &partition.days).max()?;
        let from = self.observed_from.days_since_epoch();
        let mut sold = vec![false; (last - from) as usize + 1];
        for partition in &self.partitions {
            partition.days.iter().for_each(|day| sold[(day - from) as usize] = true);
        }
        let days: Vec<i32> = (0..).zip(sold).filter_map(|(day, sold)| sold.then_some(day)).collect();
        let steps: Vec<i32> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut sorted = steps.clone();
        sorted.sort_unstable();
        let median = *sorted.get(sorted.len() / 2)?;
        let is_hole = |step: i32| step > HOLE_DAYS && step > HOLE_TIMES_MEDIAN * median;
        // The first of the longest.
        let (place, &step) = steps.iter().enumerate().rev().max_by_key(|(_, step)| **step)?;
        is_hole(step).then(|| Notice::Hole {
            after: self.observed_from.plus_days(days[place]),
            until: self.observed_from.plus_days(days[place + 1]),
            holes: steps.iter().filter(|&&step| is_hole(step)).count() as u64,
        })
    }
}
