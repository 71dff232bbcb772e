//! What does only the grouped log show?

use std::sync::Arc;

use rayon::prelude::*;

use super::History;
use super::partition::Partition;
use crate::error::Notice;

/// The log's first days, in which a first order may not be the customer's first.
const LOG_START_DAYS: i32 = 90;
/// A hole is longer than this …
const HOLE_DAYS: i32 = 7;
/// … and than this many times the median step from one selling day to the next.
const HOLE_TIMES_MEDIAN: i32 = 5;
/// How many partitions are looked through for holes before it is clear that there are none.
const PARTITIONS_AT_A_TIME: usize = 16;

impl History {
    /// With everything in the report that is worth a word.
    pub(super) fn noted(mut self) -> Self {
        let mut notices = Vec::new();
        self.aside.note(&self.params, &mut notices);
        self.note(&mut notices);
        self.report.notices = notices;
        self
    }

    /// Adds what only the grouped log shows.
    fn note(&self, notices: &mut Vec<Notice>) {
        let sum = |count: fn(&Partition) -> u64| self.partitions.iter().map(|one| count(one)).sum::<u64>();
        let rows = sum(|partition| partition.duplicate_rows);
        if rows > 0 {
            notices.push(Notice::DuplicateRows { rows, of: self.report.rows_kept });
        }
        let orders = sum(|partition| partition.merged_orders);
        if orders > 0 {
            notices.push(Notice::DaysMerged { orders });
        }
        let limit = self.observed_from().plus_days(LOG_START_DAYS - 1).days_since_epoch();
        let firsts = || self.places.iter().map(|place| place.first);
        let buyers = firsts().filter(|&first| first < i32::MAX).count();
        let early = firsts().filter(|&first| first <= limit).count();
        if buyers < self.customers() {
            notices.push(Notice::RefundOnlyCustomers { customers: (self.customers() - buyers) as u64 });
        }
        notices.extend(self.longest_hole());
        if early > 0 {
            notices.push(Notice::FirstOrderAtLogStart {
                fraction: early as f64 / buyers as f64,
                days: LOG_START_DAYS,
            });
        }
    }

    fn longest_hole(&self) -> Option<Notice> {
        let days = (self.span.last - self.span.first) as usize + 1;
        let none = || vec![false; days];
        let of_partition = |mut sold: Vec<bool>, partition: &Arc<Partition>| {
            partition.days.iter().for_each(|day| sold[(day - self.span.first) as usize] = true);
            sold
        };
        let join = |mut all: Vec<bool>, one: Vec<bool>| {
            all.iter_mut().zip(one).for_each(|(all, one)| *all |= one);
            all
        };
        let mut sold = none();
        for some in self.partitions.chunks(PARTITIONS_AT_A_TIME) {
            sold = join(sold, some.par_iter().fold(none, of_partition).reduce(none, join));
            // More purchases only fill gaps: nearly all logs are done with their first partitions.
            if sold.split(|is_sold| *is_sold).all(|gap| gap.len() < HOLE_DAYS as usize) {
                return None;
            }
        }
        // Up to the last purchase, not to `observed_until`, which may lie any number of years later.
        let days: Vec<i32> = (0..).zip(sold).filter_map(|(day, sold)| sold.then_some(day)).collect();
        let steps: Vec<i32> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut sorted = steps.clone();
        sorted.sort_unstable();
        let median = *sorted.get(sorted.len() / 2)?;
        let is_hole = |step: i32| step > HOLE_DAYS && step > HOLE_TIMES_MEDIAN * median;
        // The first of the longest.
        let (place, &step) = steps.iter().enumerate().rev().max_by_key(|(_, step)| **step)?;
        is_hole(step).then(|| Notice::Hole {
            after: self.observed_from().plus_days(days[place]),
            until: self.observed_from().plus_days(days[place + 1]),
            holes: steps.iter().filter(|&&step| is_hole(step)).count() as u64,
        })
    }
}
