//! Which days did a partition's customers buy on? Their runs, end to end.

use std::ops::Range;

use super::convert::NO_SEGMENT;
use super::rows::{Beside, Key, Row, Rows, Shape};
use super::run::{Refunded, Run};

/// A day with refunds is a purchase when its net exceeds this share of its absolute amounts.
const NET_PURCHASE_FRACTION: f64 = 1e-9;

/// Where the runs of one customer end; they begin where those of the customer before end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Among purchases.
    pub(crate) purchases: u32,
    /// Among refunded purchases.
    pub(crate) refunded: u32,
    /// Among refund-only days.
    pub(crate) refunds: u32,
    /// Among kept orders.
    pub(crate) orders: u32,
}

/// The customers of one hash partition, ordered by id, with their runs end to end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Partition {
    /// Per customer where their runs end.
    pub(crate) ends: Vec<Ends>,
    /// Purchase days, ascending within a customer.
    pub(crate) days: Vec<i32>,
    /// Net amount of each purchase day; empty without amounts.
    pub(crate) net: Vec<f64>,
    /// Purchases of which something was refunded on the same day, as positions among `days`.
    pub(crate) refunded_at: Vec<u32>,
    /// What was refunded of each of them, as a positive amount.
    pub(crate) refunded: Vec<f64>,
    /// Discount of each purchase day; empty without discounts.
    pub(crate) discount: Vec<f64>,
    /// Per segment column the value's code on each purchase day.
    pub(crate) segments: Vec<Vec<u32>>,
    /// Refund-only days, ascending within a customer.
    pub(crate) refund_days: Vec<i32>,
    /// What went back on each refund-only day, net, as a positive amount.
    pub(crate) refund_amounts: Vec<f64>,
    /// The orders of all days that are more than one order, a refund, or an order of -0: what a later order
    /// of the same day is merged with.
    pub(super) orders: Orders,
    /// Orders beyond the first of their customer and day.
    pub(super) merged_orders: u64,
    /// Rows equal to an earlier one in everything read.
    pub(super) duplicate_rows: u64,
}

impl Partition {
    /// How many orders lie in it.
    pub(super) fn rows(&self) -> u64 {
        (self.days.len() + self.refund_days.len()) as u64 + self.merged_orders
    }

    /// Per customer the day of the first purchase; [`i32::MAX`] without any.
    pub(super) fn firsts(&self) -> impl Iterator<Item = i32> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|ends| ends.purchases));
        starts.zip(&self.ends).map(|(start, end)| match start < end.purchases {
            true => self.days[start as usize],
            false => i32::MAX,
        })
    }

    fn ends_before(&self, place: usize) -> Ends {
        place.checked_sub(1).map_or(Ends::default(), |before| self.ends[before])
    }

    /// The customer's orders, as they were read and sorted by day, put after the rows that are there.
    pub(super) fn orders_of<K: Key>(&self, place: usize, key: K, rows: &mut Rows<K>) {
        let run = self.run(place);
        let mut kept = self.ends_before(place).orders as usize..self.ends[place].orders as usize;
        let (mut purchase, mut refund) = (0, 0);
        loop {
            let day = match (run.days.get(purchase), run.refund_days.get(refund)) {
                (Some(&day), Some(&refund_day)) => day.min(refund_day),
                (Some(&day), None) | (None, Some(&day)) => day,
                (None, None) => break,
            };
            let of_day = self.orders.days[kept.clone()].iter().take_while(|&&own| own == day).count();
            for order in kept.start..kept.start + of_day {
                let discount = self.orders.discounts.get(order).copied();
                let codes = self.orders.segments.iter().map(|codes| codes[order]);
                rows.push(Row { amount: self.orders.amounts[order], key, day }, discount, codes);
            }
            if of_day == 0 {
                let amount = run.net.get(purchase).copied().unwrap_or(0.0);
                let codes = (0..self.segments.len()).map(|column| run.segment(column)[purchase]);
                rows.push(Row { amount, key, day }, run.discount.get(purchase).copied(), codes);
            }
            kept.start += of_day;
            // A day is a purchase or a refund.
            let is_purchase = run.days.get(purchase) == Some(&day);
            purchase += usize::from(is_purchase);
            refund += usize::from(!is_purchase);
        }
    }

    /// Everything known of the customer at that place.
    pub(super) fn run(&self, place: usize) -> Run<'_> {
        let start = self.ends_before(place);
        let end = self.ends[place];
        let range = |start: u32, end: u32| start as usize..end as usize;
        let purchases = range(start.purchases, end.purchases);
        let refunds = range(start.refunds, end.refunds);
        let refunded = range(start.refunded, end.refunded);
        let slice = |values: &'_ [f64]| -> std::ops::Range<usize> {
            if values.is_empty() { 0..0 } else { purchases.clone() }
        };
        Run {
            days: &self.days[purchases.clone()],
            net: &self.net[slice(&self.net)],
            refunded: Refunded {
                at: &self.refunded_at[refunded.clone()],
                start: start.purchases,
                amounts: &self.refunded[refunded],
            },
            discount: &self.discount[slice(&self.discount)],
            segments: &self.segments,
            start: purchases.start,
            refund_days: &self.refund_days[refunds.clone()],
            refund_amounts: &self.refund_amounts[refunds],
        }
    }
}

/// Orders as they were read, sorted by customer, day and amount.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Orders {
    pub(super) days: Vec<i32>,
    pub(super) amounts: Vec<f64>,
    pub(super) discounts: Vec<f64>,
    pub(super) segments: Vec<Vec<u32>>,
}

/// A partition in the making.
pub(super) struct Runs {
    shape: Shape,
    partition: Partition,
}

impl Runs {
    pub(super) fn new(shape: Shape, rows: usize, customers: usize) -> Self {
        let none = || vec![Vec::new(); shape.segments];
        let orders = Orders { segments: none(), ..Orders::default() };
        let mut partition = Partition { segments: none(), orders, ..Partition::default() };
        partition.ends.reserve_exact(customers);
        partition.days.reserve_exact(rows);
        partition.net.reserve_exact(if shape.has_amount { rows } else { 0 });
        Runs { shape, partition }
    }

    /// One customer's rows, sorted by day.
    pub(super) fn push_customer<K: Key>(&mut self, rows: &mut [Row<K>], beside: &Beside) {
        if !self.shape.has_more() && are_plain(rows) {
            let partition = &mut self.partition;
            partition.days.extend(rows.iter().map(|row| row.day));
            if self.shape.has_amount {
                partition.net.extend(rows.iter().map(|row| row.amount));
            }
        } else {
            for day in rows.chunk_by_mut(|a, b| a.day == b.day) {
                self.push_day(day, beside);
            }
        }
        self.end_customer();
    }

    fn end_customer(&mut self) {
        let partition = &mut self.partition;
        partition.ends.push(Ends {
            purchases: partition.days.len() as u32,
            refunded: partition.refunded_at.len() as u32,
            refunds: partition.refund_days.len() as u32,
            orders: partition.orders.days.len() as u32,
        });
    }

    /// Takes over customers from another partition as they are.
    pub(super) fn copy(&mut self, other: &Partition, places: Range<usize>) {
        if places.is_empty() {
            return;
        }
        let before = other.ends_before(places.start);
        let after = other.ends_before(places.end);
        let own = self.partition.ends_before(self.partition.ends.len());
        let partition = &mut self.partition;
        let purchases = before.purchases as usize..after.purchases as usize;
        let refunded = before.refunded as usize..after.refunded as usize;
        let refunds = before.refunds as usize..after.refunds as usize;
        let moved = |at: u32, before: u32, own: u32| at - before + own;
        partition.ends.extend(other.ends[places].iter().map(|ends| Ends {
            purchases: moved(ends.purchases, before.purchases, own.purchases),
            refunded: moved(ends.refunded, before.refunded, own.refunded),
            refunds: moved(ends.refunds, before.refunds, own.refunds),
            orders: moved(ends.orders, before.orders, own.orders),
        }));
        partition.days.extend_from_slice(&other.days[purchases.clone()]);
        partition.net.extend(other.net.get(purchases.clone()).unwrap_or_default());
        partition.discount.extend(other.discount.get(purchases.clone()).unwrap_or_default());
        for (own, codes) in partition.segments.iter_mut().zip(&other.segments) {
            own.extend_from_slice(&codes[purchases.clone()]);
        }
        let refunded_at = other.refunded_at[refunded.clone()].iter();
        partition.refunded_at.extend(refunded_at.map(|&at| moved(at, before.purchases, own.purchases)));
        partition.refunded.extend_from_slice(&other.refunded[refunded]);
        partition.refund_days.extend_from_slice(&other.refund_days[refunds.clone()]);
        partition.refund_amounts.extend_from_slice(&other.refund_amounts[refunds]);
        partition.orders.extend(&other.orders, before.orders as usize..after.orders as usize);
    }

    /// Orders beyond the first of their day, and equal rows, so far.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.partition.merged_orders, self.partition.duplicate_rows)
    }

    pub(super) fn add_counts(&mut self, merged_orders: u64, duplicate_rows: u64) {
        self.partition.merged_orders += merged_orders;
        self.partition.duplicate_rows += duplicate_rows;
    }

    pub(super) fn finish(mut self) -> Partition {
        self.partition.days.shrink_to_fit();
        self.partition.net.shrink_to_fit();
        self.partition
    }

    /// Merges one customer's orders of one day into a purchase or a refund.
    fn push_day<K: Key>(&mut self, day: &mut [Row<K>], beside: &Beside) {
        let partition = &mut self.partition;
        if day.len() > 1 {
            day.sort_unstable_by(|a, b| a.amount.total_cmp(&b.amount));
            partition.merged_orders += day.len() as u64 - 1;
            partition.duplicate_rows += duplicates(day, beside);
        }
        let (mut net, mut gross, mut refunded) = (0.0, 0.0, 0.0);
        for order in day.iter() {
            net += order.amount;
            if order.amount < 0.0 { refunded -= order.amount } else { gross += order.amount }
        }
        let is_purchase = refunded == 0.0 || net > NET_PURCHASE_FRACTION * (gross + refunded);
        // What a purchase cannot give back as it was: also an order of -0, whose net is 0.
        if day.len() > 1 || !is_purchase || net.to_bits() != day[0].amount.to_bits() {
            partition.orders.keep(day, self.shape, beside);
        }
        if !is_purchase {
            partition.refund_days.push(day[0].day);
            partition.refund_amounts.push(if net < 0.0 { -net } else { 0.0 });
            return;
        }
        if refunded > 0.0 {
            partition.refunded_at.push(partition.days.len() as u32);
            partition.refunded.push(refunded);
        }
        partition.days.push(day[0].day);
        if self.shape.has_amount {
            partition.net.push(net);
        }
        if self.shape.has_discount {
            let mut of_day: Vec<f64> = day
                .iter()
                .filter(|order| order.amount >= 0.0)
                .map(|order| beside.discounts[order.key.at()])
                .collect();
            of_day.sort_unstable_by(f64::total_cmp);
            partition.discount.push(of_day.iter().sum());
        }
        for (column, codes) in partition.segments.iter_mut().zip(&beside.segments) {
            // Of the largest orders the first value in order of text; "no value" is the last code.
            let largest = day[day.len() - 1].amount;
            let value = day
                .iter()
                .rev()
                .take_while(|order| order.amount == largest)
                .map(|order| codes[order.key.at()])
                .min();
            column.push(value.unwrap_or(NO_SEGMENT));
        }
    }
}

/// Whether every day has one order and no refund, as nearly all customers of most logs do: days and amounts
/// are then purchases as they are. (An order of -0 is not, whose net is 0.)
fn are_plain<K>(rows: &[Row<K>]) -> bool {
    let are_apart = rows.windows(2).fold(true, |all, pair| all & (pair[0].day != pair[1].day));
    are_apart & rows.iter().fold(true, |all, row| all & row.amount.is_sign_positive())
}

impl Orders {
    fn extend(&mut self, other: &Orders, range: Range<usize>) {
        self.days.extend_from_slice(&other.days[range.clone()]);
        self.amounts.extend_from_slice(&other.amounts[range.clone()]);
        self.discounts.extend(other.discounts.get(range.clone()).unwrap_or_default());
        for (own, codes) in self.segments.iter_mut().zip(&other.segments) {
            own.extend_from_slice(&codes[range.clone()]);
        }
    }

    fn keep<K: Key>(&mut self, day: &[Row<K>], shape: Shape, beside: &Beside) {
        for order in day {
            self.days.push(order.day);
            self.amounts.push(order.amount);
            if shape.has_discount {
                self.discounts.push(beside.discounts[order.key.at()]);
            }
            for (kept, codes) in self.segments.iter_mut().zip(&beside.segments) {
                kept.push(codes[order.key.at()]);
            }
        }
    }
}

/// Rows of one customer and day, sorted by amount, that equal another in amount, discount and segments.
fn duplicates<K: Key>(day: &mut [Row<K>], beside: &Beside) -> u64 {
    let rest = |row: &Row<K>| {
        let at = row.key.at();
        let discount = beside.discounts.get(at).map(|discount| discount.to_bits());
        (discount, beside.segments.iter().map(move |codes| codes[at]))
    };
    let compare = |a: &Row<K>, b: &Row<K>| {
        let (a, b) = (rest(a), rest(b));
        a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1))
    };
    let mut found = 0;
    for equal_amounts in day.chunk_by_mut(|a, b| a.amount.to_bits() == b.amount.to_bits()) {
        if equal_amounts.len() > 1 {
            equal_amounts.sort_unstable_by(compare);
            found +=
                equal_amounts.windows(2).filter(|pair| compare(&pair[0], &pair[1]).is_eq()).count() as u64;
        }
    }
    found
}
