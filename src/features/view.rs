//! What did we know of a customer at the cutoff, and no more?

use crate::day::{Day, Window};
use crate::history::Run;

/// One customer as known at the end of a cutoff day.
///
/// A feature is computed from this and nothing else; orders after the cutoff are not in it.
#[derive(Clone, Copy, Debug)]
pub struct CustomerView<'a> {
    cutoff: Day,
    run: Run<'a>,
}

impl<'a> CustomerView<'a> {
    /// The day at whose end the customer is looked at.
    #[must_use]
    pub fn cutoff(&self) -> Day {
        self.cutoff
    }

    /// Days on which the customer bought, ascending; at least one.
    pub fn purchase_days(&self) -> impl ExactSizeIterator<Item = Day> + DoubleEndedIterator + 'a {
        self.run.days.iter().map(|&day| Day::from_days_since_epoch(day))
    }

    /// Net amount of each purchase, in the order of [`purchase_days`](Self::purchase_days); empty
    /// where the history was read without amounts.
    #[must_use]
    pub fn net_amounts(&self) -> &'a [f64] {
        self.run.net
    }

    /// Discount of each purchase; empty where the history was read without discounts.
    #[must_use]
    pub fn discounts(&self) -> &'a [f64] {
        self.run.discount
    }

    /// How many purchases, at least 1.
    #[must_use]
    pub fn n_purchases(&self) -> usize {
        self.run.days.len()
    }

    /// Days from the last purchase to the cutoff.
    #[must_use]
    pub fn days_since_last(&self) -> i32 {
        self.cutoff.days_since(Day::from_days_since_epoch(self.run.days[self.run.days.len() - 1]))
    }

    /// Days from the first purchase to the cutoff.
    #[must_use]
    pub fn tenure_days(&self) -> i32 {
        self.cutoff.days_since(Day::from_days_since_epoch(self.run.days[0]))
    }
}

/// A customer at a cutoff, with the sums that were carried along the walk to it.
///
/// Counts and days are integers, so that the way to a cutoff cannot show in them; money is only ever
/// added, from the first purchase on, never subtracted again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State<'a> {
    /// The customer's whole run, of which only the first `purchases` and `refunds` are known.
    run: &'a Run<'a>,
    cutoff: Day,
    first: i32,
    last: i32,
    refunds: u32,
    /// Position of the customer in order of id.
    pub(super) rank: u32,
    /// Position of the cutoff among those asked for.
    pub(super) cutoff_index: u32,
    pub(super) sums: Sums,
}

impl<'a> State<'a> {
    /// As known at the end of a cutoff; `None` where nothing was bought by then. `sums` come from an
    /// earlier cutoff.
    #[inline(always)]
    pub(super) fn advance(
        run: &'a Run<'a>,
        (cutoff, cutoff_index): (Day, u32),
        rank: u32,
        sums: &mut Sums,
    ) -> Option<Self> {
        sums.advance(run, cutoff);
        let known = run.days.get(..sums.purchases as usize)?;
        let (&first, &last) = (known.first()?, known.last()?);
        let limit = cutoff.days_since_epoch();
        let refunds = match run.refund_days {
            [] => 0,
            days => days.partition_point(|&day| day <= limit) as u32,
        };
        Some(State { run, cutoff, first, last, refunds, rank, cutoff_index, sums: *sums })
    }

    /// What a caller's own feature may see.
    pub(super) fn view(&self) -> CustomerView<'a> {
        CustomerView { cutoff: self.cutoff, run: self.known() }
    }

    /// What was known at the end of the cutoff.
    pub(super) fn known(&self) -> Run<'a> {
        self.run.first(self.sums.purchases as usize, self.refunds as usize)
    }

    pub(super) fn n_purchases(&self) -> u32 {
        self.sums.purchases
    }

    pub(super) fn days_since_last(&self) -> i32 {
        self.cutoff.days_since_epoch() - self.last
    }

    pub(super) fn tenure_days(&self) -> i32 {
        self.cutoff.days_since_epoch() - self.first
    }

    /// Purchase days, ascending.
    pub(super) fn days(&self) -> &'a [i32] {
        &self.run.days[..self.sums.purchases as usize]
    }

    /// Net amounts; empty without amounts.
    pub(super) fn net(&self) -> &'a [f64] {
        &self.run.net[..self.run.net.len().min(self.sums.purchases as usize)]
    }

    /// What went back on refund-only days.
    pub(super) fn refund_amounts(&self) -> &'a [f64] {
        &self.run.refund_amounts[..self.refunds as usize]
    }

    /// Where the purchases of the last `days` days begin.
    #[inline(always)]
    pub(super) fn start_of_last(&self, days: i32) -> u32 {
        /// Up to so many, looking at all of them is faster than halving.
        const FEW: usize = 64;
        let after = Window::back_from(self.cutoff, days).after.days_since_epoch();
        let own = self.days();
        match own.len() {
            ..=FEW => own.iter().map(|&day| u32::from(day <= after)).sum(),
            _ => own.partition_point(|&day| day <= after) as u32,
        }
    }
}

/// What the walk carries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// Purchases taken up.
    pub(super) purchases: u32,
    /// Longest interval, days.
    pub(super) interval_max: i32,
    /// Sum of squared intervals, days².
    pub(super) interval_squares: i64,
    pub(super) net: f64,
    pub(super) refunded: f64,
    pub(super) discount: f64,
}

impl Sums {
    /// Takes up everything until the cutoff that was not there before.
    #[inline(always)]
    fn advance(&mut self, run: &Run<'_>, cutoff: Day) {
        let limit = cutoff.days_since_epoch();
        let start = self.purchases as usize;
        let mut before = start.checked_sub(1).map(|last| run.days[last]);
        let new = run.days[start..].iter().take_while(|day| **day <= limit);
        for &day in new {
            if let Some(before) = before {
                let interval = day - before;
                self.interval_max = self.interval_max.max(interval);
                self.interval_squares += i64::from(interval) * i64::from(interval);
            }
            before = Some(day);
            self.purchases += 1;
        }
        let new = start..self.purchases as usize;
        self.net = add(self.net, run.net.get(new.clone()));
        self.refunded = add(self.refunded, Some(run.refunded.of(new.clone())));
        self.discount = add(self.discount, run.discount.get(new));
    }
}

#[inline(always)]
fn add(sum: f64, more: Option<&[f64]>) -> f64 {
    more.unwrap_or_default().iter().fold(sum, |sum, value| sum + value)
}

/// Customers at cutoffs, and where their windows begin: what features are computed from.
pub(crate) struct Block<'a> {
    pub(super) states: Vec<State<'a>>,
    /// Per length of a window, in days, where it begins in each state.
    starts: Vec<(i32, Vec<u32>)>,
}

impl<'a> Block<'a> {
    #[inline(always)]
    pub(super) fn new(states: Vec<State<'a>>, windows: &[i32]) -> Self {
        let starts = |&days: &i32| (days, states.iter().map(|state| state.start_of_last(days)).collect());
        Block { starts: windows.iter().map(starts).collect(), states }
    }

    /// Where the last `days` days begin, per state.
    #[inline(always)]
    pub(super) fn starts(&self, days: i32) -> impl Iterator<Item = u32> {
        let known = self.starts.iter().find(|(own, _)| *own == days).map(|(_, starts)| starts.as_slice());
        self.states.iter().enumerate().map(move |(position, state)| match known {
            Some(starts) => starts[position],
            None => state.start_of_last(days),
        })
    }
}
