//! What does only the grouped log show?

use std::sync::Arc;

use rayon::prelude::*;

use super::History;
use super::partition::Partition;
use crate::day::Day;
use crate::error::Notice;

/// The log's first days, in which a first order may not be the customer's first.
const LOG_START_DAYS: i32 = 90;
/// A hole is longer than this …
const HOLE_DAYS: i32 = 7;
/// … and than this many times the median step from one selling day to the next.
const HOLE_TIMES_MEDIAN: i32 = 5;

/// How many partitions are looked through before asking whether the others are needed.
const PARTITIONS_AT_A_TIME: usize = 32;

impl History {
    /// With everything in the report that is worth a word.
    pub(super) fn noted(mut self) -> Self {
        let mut notices = Vec::new();
        self.aside.note(&self.params, &mut notices);
        notices.extend(Notes::of(&self).notices(self.observed_from(), self.report.rows_kept));
        self.report.notices = notices;
        self
    }
}

/// What only grouped customers show; it adds up over parts of a log that share no customer.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    pub(super) customers: u64,
    pub(super) purchases: u64,
    duplicate_rows: u64,
    merged_orders: u64,
    /// Customers with a purchase.
    buyers: u64,
    /// Customers whose first purchase lies in the log's first days.
    early: u64,
    /// Per day of the log, from its first, whether anybody bought.
    sold: Vec<bool>,
}

impl Notes {
    pub(super) fn of(history: &History) -> Self {
        let sum = |count: fn(&Partition) -> u64| history.partitions.iter().map(|one| count(one)).sum::<u64>();
        let limit = history.observed_from().plus_days(LOG_START_DAYS - 1).days_since_epoch();
        let firsts = || history.places.iter().map(|place| place.first);
        Notes {
            customers: history.customers() as u64,
            purchases: history.purchases() as u64,
            duplicate_rows: sum(|partition| partition.duplicate_rows),
            merged_orders: sum(|partition| partition.merged_orders),
            buyers: firsts().filter(|&first| first < i32::MAX).count() as u64,
            early: firsts().filter(|&first| first <= limit).count() as u64,
            sold: sold(history),
        }
    }

    /// Adds what other customers of the same log show.
    pub(super) fn add(&mut self, other: Notes) {
        self.customers += other.customers;
        self.purchases += other.purchases;
        self.duplicate_rows += other.duplicate_rows;
        self.merged_orders += other.merged_orders;
        self.buyers += other.buyers;
        self.early += other.early;
        self.sold.resize(self.sold.len().max(other.sold.len()), false);
        self.sold.iter_mut().zip(other.sold).for_each(|(all, one)| *all |= one);
    }

    /// The day of the first purchase.
    pub(super) fn first_purchase(&self, observed_from: Day) -> Option<Day> {
        let days = self.sold.iter().position(|&sold| sold)?;
        Some(observed_from.plus_days(days as i32))
    }

    pub(super) fn notices(&self, observed_from: Day, rows_kept: u64) -> Vec<Notice> {
        let mut notices = Vec::new();
        if self.duplicate_rows > 0 {
            notices.push(Notice::DuplicateRows { rows: self.duplicate_rows, of: rows_kept });
        }
        if self.merged_orders > 0 {
            notices.push(Notice::DaysMerged { orders: self.merged_orders });
        }
        if self.buyers < self.customers {
            notices.push(Notice::RefundOnlyCustomers { customers: self.customers - self.buyers });
        }
        notices.extend(self.longest_hole(observed_from));
        if self.early > 0 {
            notices.push(Notice::FirstOrderAtLogStart {
                fraction: self.early as f64 / self.buyers as f64,
                days: LOG_START_DAYS,
            });
        }
        notices
    }

    fn longest_hole(&self, observed_from: Day) -> Option<Notice> {
        // Up to the last purchase, not to `observed_until`, which may lie any number of years later.
        let days: Vec<i32> = (0..).zip(&self.sold).filter_map(|(day, &sold)| sold.then_some(day)).collect();
        let steps: Vec<i32> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mut sorted = steps.clone();
        sorted.sort_unstable();
        let median = *sorted.get(sorted.len() / 2)?;
        let is_hole = |step: i32| step > HOLE_DAYS && step > HOLE_TIMES_MEDIAN * median;
        // The first of the longest.
        let (place, &step) = steps.iter().enumerate().rev().max_by_key(|(_, step)| **step)?;
        is_hole(step).then(|| Notice::Hole {
            after: observed_from.plus_days(days[place]),
            until: observed_from.plus_days(days[place + 1]),
            holes: steps.iter().filter(|&&step| is_hole(step)).count() as u64,
        })
    }
}

/// Per day of the log whether anybody bought.
fn sold(history: &History) -> Vec<bool> {
    let first = history.span.first;
    let none = || vec![false; (history.span.last - first) as usize + 1];
    let of_partition = |mut sold: Vec<bool>, partition: &Arc<Partition>| {
        partition.days.iter().for_each(|day| sold[(day - first) as usize] = true);
        sold
    };
    let join = |mut all: Vec<bool>, one: Vec<bool>| {
        all.iter_mut().zip(one).for_each(|(all, one)| *all |= one);
        all
    };
    let mut sold = none();
    for some in history.partitions.chunks(PARTITIONS_AT_A_TIME) {
        sold = join(sold, some.par_iter().fold(none, of_partition).reduce(none, join));
        // Nearly all logs are done with their first partitions.
        if sold.iter().all(|&sold| sold) {
            break;
        }
    }
    sold
}
