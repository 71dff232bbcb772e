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
    /// Cuts a history at the cutoff; `None` where nothing was bought by then.
    pub(crate) fn new(run: &Run<'a>, cutoff: Day) -> Option<Self> {
        let run = run.until(cutoff);
        (!run.days.is_empty()).then_some(CustomerView { cutoff, run })
    }

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

    pub(crate) fn run(&self) -> &Run<'a> {
        &self.run
    }

    /// The purchases of the last `days` days, as positions.
    pub(crate) fn last(&self, days: i32) -> std::ops::Range<usize> {
        let window = Window::back_from(self.cutoff, days);
        window.range_in(self.run.days)
    }
}

/// A view with the sums that were carried along the walk to it.
///
/// Counts and days are integers, so that the way to a cutoff cannot show in them; money is only ever
/// added, from the first purchase on, never subtracted again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State<'a> {
    pub(crate) view: CustomerView<'a>,
    /// Position of the customer in order of id.
    pub(crate) rank: u32,
    /// Position of the cutoff among those asked for.
    pub(crate) cutoff_index: u32,
    pub(crate) sums: Sums,
}

/// What the walk carries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    /// Purchases taken up.
    pub(crate) purchases: usize,
    /// Longest interval, days.
    pub(crate) interval_max: i32,
    /// Sum of squared intervals, days².
    pub(crate) interval_squares: i64,
    pub(crate) net: f64,
    pub(crate) refunded: f64,
    pub(crate) discount: f64,
}

impl Sums {
    /// Takes up everything in the view that was not there before.
    pub(crate) fn advance(&mut self, run: &Run<'_>) {
        for position in self.purchases..run.days.len() {
            if position > 0 {
                let interval = run.days[position] - run.days[position - 1];
                self.interval_max = self.interval_max.max(interval);
                self.interval_squares += i64::from(interval) * i64::from(interval);
            }
        }
        let new = self.purchases..;
        self.net = add(self.net, run.net.get(new.clone()));
        self.refunded = add(self.refunded, run.refunded.get(new.clone()));
        self.discount = add(self.discount, run.discount.get(new));
        self.purchases = run.days.len();
    }
}

fn add(sum: f64, more: Option<&[f64]>) -> f64 {
    more.unwrap_or_default().iter().fold(sum, |sum, value| sum + value)
}
