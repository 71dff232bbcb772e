//! What did one customer do?

use crate::day::Day;

/// One customer's whole history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// Purchase days, ascending.
    pub(crate) days: &'a [i32],
    /// Net amounts; empty without amounts.
    pub(crate) net: &'a [f64],
    /// Refunded on purchase days; empty without amounts.
    pub(crate) refunded: &'a [f64],
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

impl<'a> Run<'a> {
    /// The codes of one segment column, one per purchase.
    pub(crate) fn segment(&self, column: usize) -> &'a [u32] {
        &self.segments[column][self.start..self.start + self.days.len()]
    }

    /// What was known at the end of that day.
    pub(crate) fn until(&self, cutoff: Day) -> Run<'a> {
        let known = |days: &[i32]| days.partition_point(|&day| day <= cutoff.days_since_epoch());
        let purchases = known(self.days);
        let refunds = known(self.refund_days);
        let cut = |values: &'a [f64]| &values[..purchases.min(values.len())];
        Run {
            days: &self.days[..purchases],
            net: cut(self.net),
            refunded: cut(self.refunded),
            discount: cut(self.discount),
            refund_days: &self.refund_days[..refunds],
            refund_amounts: &self.refund_amounts[..refunds],
            ..*self
        }
    }
}
