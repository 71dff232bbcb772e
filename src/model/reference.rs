//! Who stands for an ordinary customer, and what did they buy?

use polars::prelude::{Column, DataFrame};
use serde::{Deserialize, Serialize};

use super::ChurnModel;
use super::terms;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::{Feature, panel_at};
use crate::history::{Columns, History};
use crate::table;

/// The day on which made-up customers are looked at. No feature depends on the calendar; there is room for
/// two centuries of purchases before it.
const AS_OF: Day = Day::from_days_since_epoch(80_000);
/// From the first purchase to the day of looking, and between two purchases, at most: 68 years. Three times
/// that, which a step may ask for, still has room before [`AS_OF`].
const MOST_DAYS: i64 = 25_000;
/// Who bought once shows no interval; it then is so many horizons.
const HORIZONS_PER_INTERVAL: i32 = 1;

/// A made-up customer by plain facts: equally spaced purchases of one amount, nothing sent back, no
/// discounts.
///
/// ```
/// use winback::model::ReferenceCustomer;
///
/// // Five purchases of 40 each, a month apart, the last one two weeks ago.
/// let customer = ReferenceCustomer { n_purchases: 5, interval_days: 30, days_since_last: 14, amount: 40.0 };
/// assert!(customer.to_string().starts_with("5 purchases of 40.00, 30 days apart"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceCustomer {
    /// Purchases, at least 1.
    pub n_purchases: u32,
    /// Days between two of them, at least 1; a single purchase has none, but a step may add one.
    pub interval_days: i32,
    /// Days since the last one, at least 0.
    pub days_since_last: i32,
    /// Net amount of each, at least 0, in the log's currency; ignored where amounts were not read.
    pub amount: f64,
}

impl std::fmt::Display for ReferenceCustomer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let days = |days: i32| if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
        let of = if self.amount > 0.0 { format!(" of {:.2}", self.amount) } else { String::new() };
        match self.n_purchases {
            1 => write!(f, "1 purchase{of}")?,
            several => write!(f, "{several} purchases{of}, {} apart", days(self.interval_days))?,
        }
        write!(f, ", the last one {} ago", days(self.days_since_last))
    }
}

/// A made-up customer with what a reference cannot have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MadeUp {
    pub(super) customer: ReferenceCustomer,
    /// Taken off the price of every purchase, 0 to 1.
    pub(super) discount_fraction: f64,
    /// Whether everything was sent back the day after the last purchase; that day must have come.
    pub(super) is_sent_back: bool,
}

impl ReferenceCustomer {
    pub(super) fn check(&self) -> Result<()> {
        let Self { n_purchases, interval_days, days_since_last, amount } = *self;
        if n_purchases == 0 {
            return Err(Error::parameter("purchases of the reference customer", n_purchases, "at least 1"));
        }
        if interval_days < 1 || days_since_last < 0 {
            return Err(Error::parameter(
                "days of the reference customer",
                format!("{interval_days} between purchases and {days_since_last} since the last"),
                "at least 1 between purchases and at least 0 since the last",
            ));
        }
        if !(amount.is_finite() && amount >= 0.0) {
            return Err(Error::parameter(
                "amount of the reference customer",
                amount,
                "a finite number, at least 0",
            ));
        }
        let days = self.tenure_days().max(i64::from(interval_days));
        match days <= MOST_DAYS {
            true => Ok(()),
            false => Err(Error::parameter(
                "history of the reference customer",
                format!("{days} days"),
                "at most 25,000 days",
            )),
        }
    }

    fn tenure_days(&self) -> i64 {
        (i64::from(self.n_purchases) - 1) * i64::from(self.interval_days) + i64::from(self.days_since_last)
    }
}

impl ChurnModel {
    /// An ordinary customer: the medians of the training population, each by itself, and of the silence the
    /// median of recent customers, as a step says little about one who is long gone. Where the model has no
    /// feature to tell a fact from, or nobody was recent, one purchase, an interval of one horizon, half a horizon of silence
    /// and an amount of 1 (0 without amounts) are taken.
    #[must_use]
    pub fn reference_customer(&self) -> ReferenceCustomer {
        let median = |wanted: fn(&Feature) -> bool| {
            let position = self.features.iter().position(wanted)?;
            Some(self.portrait.median(position)).filter(|median| !median.is_nan())
        };
        let horizon_days = self.label.horizon_days;
        let days = |days: f64| days.round().clamp(0.0, MOST_DAYS as f64) as i32;
        let silence = self.features.iter().position(|feature| *feature == Feature::DaysSinceLast);
        let days_since_last = silence
            .map(|position| self.portrait.median_below(position, f64::from(horizon_days)))
            .filter(|median| !median.is_nan())
            .map_or(horizon_days / 2, days)
            .min(MOST_DAYS as i32);
        let interval_days = median(|feature| matches!(feature, Feature::IntervalLast))
            .or_else(|| median(|feature| matches!(feature, Feature::IntervalMax)))
            .map_or(horizon_days.saturating_mul(HORIZONS_PER_INTERVAL), days)
            .clamp(1, MOST_DAYS as i32);
        let room = (MOST_DAYS - i64::from(days_since_last)) / i64::from(interval_days) + 1;
        let n_purchases = median(|feature| matches!(feature, Feature::NPurchases))
            .map_or(1.0, f64::round)
            .clamp(1.0, room as f64) as u32;
        let untold = if self.reading().columns().amount().is_some() { 1.0 } else { 0.0 };
        let amount = median(|feature| matches!(feature, Feature::AmountMean))
            .or_else(|| median(|feature| matches!(feature, Feature::AmountLast)))
            .map_or(untold, |amount| amount.max(0.0));
        ReferenceCustomer { n_purchases, interval_days, days_since_last, amount }
    }

    /// The features of made-up customers, column by column, computed as those of real ones: their purchases are
    /// read as a log and walked. What depends on others (peers) or on the caller is held at its
    /// median in training.
    pub(super) fn features_of(&self, customers: &[MadeUp]) -> Result<Vec<Vec<f64>>> {
        let is_own = |feature: &Feature| {
            !matches!(feature, Feature::PeerLoss { .. } | Feature::OverallLoss { .. } | Feature::Custom(_))
        };
        let own: Vec<Feature> = self.features.iter().filter(|feature| is_own(feature)).cloned().collect();
        let mut walked = panel_at(&self.log_of(customers)?, &own, AS_OF)?.columns.into_iter();
        Ok(self
            .features
            .iter()
            .enumerate()
            .map(|(position, feature)| {
                let held = || vec![self.portrait.median(position); customers.len()];
                if is_own(feature) { walked.next().unwrap_or_else(held) } else { held() }
            })
            .collect())
    }

    /// The standardised columns of every row of features.
    pub(super) fn rows_of(&self, columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let transformed = terms::transform(&self.features, columns);
        let row = |row: usize| {
            let terms = self.terms.iter();
            terms.map(|term| term.standardised(&|feature| transformed[feature][row])).collect()
        };
        (0..columns.first().map_or(0, Vec::len)).map(row).collect()
    }

    /// Their orders; customers are called 0, 1, 2 …
    fn log_of(&self, customers: &[MadeUp]) -> Result<History> {
        let (mut ids, mut days, mut amounts, mut discounts) = (vec![], vec![], vec![], vec![]);
        for (id, MadeUp { customer, discount_fraction, is_sent_back }) in (0_i64..).zip(customers) {
            let mut order = |day: Day, amount: f64, discount: f64| {
                ids.push(id);
                days.push(day);
                amounts.push(amount);
                discounts.push(discount);
            };
            let last = AS_OF.plus_days(-customer.days_since_last);
            let discount = customer.amount * discount_fraction / (1.0 - discount_fraction);
            for back in 0..customer.n_purchases {
                let day = last.plus_days(-(back as i32).saturating_mul(customer.interval_days));
                order(day, customer.amount, discount);
            }
            if *is_sent_back {
                order(last.plus_days(1), -customer.amount * f64::from(customer.n_purchases), 0.0);
            }
        }
        let mut columns = Columns::new("customer", "day");
        if self.reading.columns().amount().is_some() {
            columns = columns.with_amount("amount");
        }
        if self.reading.columns().discount().is_some() {
            columns = columns.with_discount("discount");
        }
        let orders: DataFrame = table::frame(vec![
            Column::new("customer".into(), ids),
            table::dates("day", days),
            Column::new("amount".into(), amounts),
            Column::new("discount".into(), discounts),
        ])?;
        History::params(columns).with_observed_at_least_until(AS_OF).from_frame(&orders)
    }
}
