//! What did one customer do?

use crate::day::Day;

/// One customer's whole history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// Purchase days, ascending.
    pub(crate) days: &'a [i32],
    /// Net amounts; empty without amounts.
    pub(crate) net: &'a [f64],
    /// What was refunded on purchase days.
    pub(crate) refunded: Refunded<'a>,
    /// Discounts; empty without them.
    pub(crate) discount: &'a [f64],
    /// The partition's segment codes; see [`segment`](Self::segment).
    pub(crate) segments: &'a [Vec<u32>],
    /// Where this customer's codes begin.
    pub(super) start: usize,
    /// Refund-only days, ascending.
    pub(crate) refund_days: &'a [i32],
    /// What went back on them.
    pub(crate) refund_amounts: &'a [f64],
}

/// What was refunded on purchase days: few have any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refunded<'a> {
    /// Positions of the purchases among their partition's, ascending.
    pub(super) at: &'a [u32],
    /// Where the customer's purchases begin among their partition's.
    pub(super) start: u32,
    /// A positive amount for each.
    pub(super) amounts: &'a [f64],
}

impl<'a> Refunded<'a> {
    /// What was refunded of the purchases at these positions of the run, in their order.
    pub(crate) fn of(self, purchases: std::ops::Range<usize>) -> &'a [f64] {
        if self.at.is_empty() {
            return &[];
        }
        let place = |purchase: usize| self.at.partition_point(|&at| at < self.start + purchase as u32);
        &self.amounts[place(purchases.start)..place(purchases.end)]
    }

    /// One amount per purchase of the run, 0 where nothing was refunded.
    pub(super) fn dense(self, purchases: usize) -> impl Iterator<Item = f64> + 'a {
        (0..purchases).map(move |purchase| self.of(purchase..purchase + 1).first().copied().unwrap_or(0.0))
    }
}

impl<'a> Run<'a> {
    /// The codes of one segment column, one per purchase.
    pub(crate) fn segment(&self, column: usize) -> &'a [u32] {
        &self.segments[column][self.start..self.start + self.days.len()]
    }

    /// What was known at the end of that day.
    pub(crate) fn until(&self, cutoff: Day) -> Run<'a> {
        let known = |days: &[i32]| days.partition_point(|&day| day <= cutoff.days_since_epoch());
        self.first(known(self.days), known(self.refund_days))
    }

    /// The first so many purchases and refund-only days.
    pub(crate) fn first(&self, purchases: usize, refunds: usize) -> Run<'a> {
        let cut = |values: &'a [f64]| &values[..purchases.min(values.len())];
        Run {
            days: &self.days[..purchases],
            net: cut(self.net),
            discount: cut(self.discount),
            refund_days: &self.refund_days[..refunds],
            refund_amounts: &self.refund_amounts[..refunds],
            ..*self
        }
    }
}
