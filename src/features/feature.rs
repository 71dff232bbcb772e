//! What is a feature? Its name, its meaning and its kernel, each one match over an enum.

use serde::{Deserialize, Serialize};

use super::custom::{CustomFeature, Transform};
use super::idea::{Description, Idea};
use super::peers::PeerTable;
use super::view::{Block, State};
use super::{money, recency, refunds, rhythm, trend};
use crate::history::{Columns, History};

/// One fact about a customer at a cutoff.
///
/// H stands for the horizon the feature was made for. Null (NaN inside) means undefined, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Feature {
    /// Days from the last purchase to the cutoff.
    DaysSinceLast,
    /// Days from the first purchase to the cutoff.
    TenureDays,
    /// How many purchases.
    NPurchases,
    /// Mean interval shrunk to the horizon: (last − first + H) / n, days.
    IntervalShrunk {
        /// The horizon, days.
        horizon_days: i32,
    },
    /// Days since last over the shrunk interval.
    OverdueRatio {
        /// The horizon, days.
        horizon_days: i32,
    },
    /// Purchases per day, shrunk: n / (tenure + H).
    PurchaseRate {
        /// The horizon, days.
        horizon_days: i32,
    },
    /// Sample standard deviation of the intervals, days; null below two intervals.
    IntervalSd,
    /// Longest interval, days; null without one.
    IntervalMax,
    /// Latest interval, days; null without one.
    IntervalLast,
    /// Days since last over the tenure (at least one day), 0 to 1.
    SilenceFraction,
    /// ln((k + ½) / (m − k + ½)): of the customer's own m intervals longer than the present silence, k
    /// ended within H more days. 0 without such an interval.
    OwnReturn {
        /// The horizon, days.
        horizon_days: i32,
    },
    /// Purchases in the last `days` days.
    PurchasesIn {
        /// Length of the window, days.
        days: i32,
    },
    /// Net amount per purchase.
    AmountMean,
    /// Net amount of the latest purchase.
    AmountLast,
    /// Net amounts of the last `days` days.
    SpendIn {
        /// Length of the window, days.
        days: i32,
    },
    /// Refunds over everything bought, 0 to 1; null where nothing was paid for.
    RefundFraction,
    /// Discounts over the price before discount, 0 to 1; null where that is nothing.
    DiscountFraction,
    /// 1 for a single purchase, else 0.
    IsSinglePurchase,
    /// 1 where the silence is longer than any interval so far; null without an interval.
    IsSilentBeyondLongest,
    /// Loss rate among customers of the same home value: of those who bought in (c − 2H, c − H],
    /// the share that did not in (c − H, c]; out of fold, shrunk to the overall share.
    PeerLoss {
        /// The segment column.
        column: String,
        /// The horizon, days.
        horizon_days: i32,
    },
    /// The same loss rate over customers of all values: what [`Feature::PeerLoss`] is compared with.
    OverallLoss {
        /// A segment column whose home values are known.
        column: String,
        /// The horizon, days.
        horizon_days: i32,
    },
    /// A feature of the caller's own.
    Custom(CustomFeature),
}

impl Feature {
    /// A feature of the caller's own, computed from what was known at the cutoff. `None` is null.
    ///
    /// A model trained with it loads only together with it.
    ///
    /// ```
    /// use winback::features::{Feature, Transform};
    ///
    /// let weekend = Feature::custom("weekend_fraction", "fraction", Transform::Identity, |customer| {
    ///     let weekend = customer.purchase_days().filter(|day| (day.days_since_epoch() + 3) % 7 >= 5);
    ///     Some(weekend.count() as f64 / customer.n_purchases() as f64)
    /// });
    /// assert_eq!(weekend.name(), "weekend_fraction");
    /// ```
    pub fn custom(
        name: impl Into<String>,
        unit: impl Into<String>,
        transform: Transform,
        compute: impl Fn(&super::CustomerView<'_>) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        Feature::Custom(CustomFeature::new(name.into(), unit.into(), transform, compute))
    }

    /// Its name, with the unit in it; the column it fills.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Feature::DaysSinceLast => "days_since_last".into(),
            Feature::TenureDays => "tenure_days".into(),
            Feature::NPurchases => "n_purchases".into(),
            Feature::IntervalShrunk { horizon_days } => format!("interval_shrunk_to_{horizon_days}_days"),
            Feature::OverdueRatio { horizon_days } => format!("overdue_ratio_{horizon_days}_days"),
            Feature::PurchaseRate { horizon_days } => format!("purchases_per_day_shrunk_{horizon_days}_days"),
            Feature::IntervalSd => "interval_sd_days".into(),
            Feature::IntervalMax => "interval_max_days".into(),
            Feature::IntervalLast => "interval_last_days".into(),
            Feature::SilenceFraction => "silence_fraction".into(),
            Feature::OwnReturn { horizon_days } => format!("own_return_log_odds_{horizon_days}_days"),
            Feature::PurchasesIn { days } => format!("purchases_last_{days}_days"),
            Feature::AmountMean => "amount_mean".into(),
            Feature::AmountLast => "amount_last".into(),
            Feature::SpendIn { days } => format!("spend_amount_last_{days}_days"),
            Feature::RefundFraction => "refund_fraction".into(),
            Feature::DiscountFraction => "discount_fraction".into(),
            Feature::IsSinglePurchase => "is_single_purchase".into(),
            Feature::IsSilentBeyondLongest => "is_silent_beyond_longest".into(),
            Feature::PeerLoss { column, horizon_days } => {
                format!("peer_loss_fraction_{column}_{horizon_days}_days")
            }
            Feature::OverallLoss { column, horizon_days } => {
                format!("overall_loss_fraction_{column}_{horizon_days}_days")
            }
            Feature::Custom(custom) => custom.name().to_owned(),
        }
    }

    /// Its unit and formula.
    #[must_use]
    pub fn describe(&self) -> Description {
        let (unit, formula) = match self {
            Feature::DaysSinceLast => ("days", "cutoff - last purchase".to_owned()),
            Feature::TenureDays => ("days", "cutoff - first purchase".to_owned()),
            Feature::NPurchases => ("purchases", "purchases on or before the cutoff".to_owned()),
            Feature::IntervalShrunk { horizon_days } => {
                ("days", format!("(last - first + {horizon_days}) / purchases"))
            }
            Feature::OverdueRatio { horizon_days } => {
                ("ratio", format!("days since last / interval shrunk to {horizon_days} days"))
            }
            Feature::PurchaseRate { horizon_days } => {
                ("purchases per day", format!("purchases / (tenure + {horizon_days})"))
            }
            Feature::IntervalSd => ("days", "sample standard deviation of the intervals".to_owned()),
            Feature::IntervalMax => ("days", "longest interval between purchases".to_owned()),
            Feature::IntervalLast => ("days", "last purchase - the one before".to_owned()),
            Feature::SilenceFraction => ("fraction", "days since last / tenure, at least 1 day".to_owned()),
            Feature::OwnReturn { horizon_days } => (
                "log-odds",
                format!(
                    "ln((k + 1/2) / (m - k + 1/2)) of the m own intervals longer than the silence, of which k \
                     ended within {horizon_days} more days"
                ),
            ),
            Feature::PurchasesIn { days } => ("purchases", format!("purchases in the last {days} days")),
            Feature::AmountMean => ("amount", "net amount per purchase".to_owned()),
            Feature::AmountLast => ("amount", "net amount of the latest purchase".to_owned()),
            Feature::SpendIn { days } => ("amount", format!("net amounts of the last {days} days")),
            Feature::RefundFraction => ("fraction", "refunds / everything bought, at most 1".to_owned()),
            Feature::DiscountFraction => ("fraction", "discounts / price before discount".to_owned()),
            Feature::IsSinglePurchase => ("flag", "1 with a single purchase".to_owned()),
            Feature::IsSilentBeyondLongest => {
                ("flag", "1 where the silence exceeds the longest interval".to_owned())
            }
            Feature::PeerLoss { column, horizon_days } => (
                "fraction",
                format!(
                    "of customers with the same home `{column}` who bought {horizon_days} to {} days before the \
                     cutoff, the share that did not buy since",
                    2 * i64::from(*horizon_days)
                ),
            ),
            Feature::OverallLoss { horizon_days, .. } => (
                "fraction",
                format!("the peer loss fraction over {horizon_days} days of customers of every home value"),
            ),
            Feature::Custom(custom) => (custom.unit(), "the caller's own".to_owned()),
        };
        Description { unit: unit.to_owned(), formula }
    }

    /// Which idea it speaks of.
    #[must_use]
    pub fn idea(&self) -> Idea {
        match self {
            Feature::DaysSinceLast => Idea::Silence,
            Feature::OverdueRatio { .. }
            | Feature::IsSilentBeyondLongest
            | Feature::IntervalShrunk { .. }
            | Feature::IntervalSd
            | Feature::IntervalMax
            | Feature::IntervalLast
            | Feature::SilenceFraction
            | Feature::OwnReturn { .. } => Idea::Rhythm,
            Feature::TenureDays
            | Feature::NPurchases
            | Feature::PurchaseRate { .. }
            | Feature::PurchasesIn { .. }
            | Feature::IsSinglePurchase => Idea::Activity,
            Feature::AmountMean
            | Feature::AmountLast
            | Feature::SpendIn { .. }
            | Feature::DiscountFraction => Idea::Money,
            Feature::RefundFraction => Idea::Refunds,
            Feature::PeerLoss { .. } | Feature::OverallLoss { .. } => Idea::Peers,
            Feature::Custom(_) => Idea::Own,
        }
    }

    /// How it enters the model.
    #[must_use]
    pub fn transform(&self) -> Transform {
        match self {
            Feature::PurchaseRate { .. } => Transform::Log,
            Feature::SilenceFraction
            | Feature::OwnReturn { .. }
            | Feature::RefundFraction
            | Feature::DiscountFraction
            | Feature::IsSinglePurchase
            | Feature::IsSilentBeyondLongest
            | Feature::PeerLoss { .. }
            | Feature::OverallLoss { .. } => Transform::Identity,
            Feature::Custom(custom) => custom.transform(),
            _ => Transform::Log1p,
        }
    }

    /// The other feature whose value already tells where this one is null.
    pub(crate) fn null_is_told_by(&self) -> Option<Feature> {
        match self {
            Feature::IntervalMax | Feature::IntervalLast | Feature::IsSilentBeyondLongest => {
                Some(Feature::IsSinglePurchase)
            }
            // Nothing was paid where the mean amount is 0. A column for so few would bend the amounts' own.
            Feature::RefundFraction => Some(Feature::AmountMean),
            _ => None,
        }
    }

    /// The same feature of a segment column by another name.
    pub(crate) fn with_column_named(&self, named: &dyn Fn(&str) -> String) -> Feature {
        match self {
            Feature::PeerLoss { column, horizon_days } => {
                Feature::PeerLoss { column: named(column), horizon_days: *horizon_days }
            }
            Feature::OverallLoss { column, horizon_days } => {
                Feature::OverallLoss { column: named(column), horizon_days: *horizon_days }
            }
            other => other.clone(),
        }
    }

    /// The column it needs beyond customer and date, if this log was read without it.
    pub(super) fn lacks(&self, columns: &Columns) -> Option<String> {
        let lacks = match self {
            Feature::AmountMean | Feature::AmountLast | Feature::SpendIn { .. } | Feature::RefundFraction => {
                columns.amount.is_none()
            }
            Feature::DiscountFraction => {
                if columns.discount.is_none() {
                    return Some("the discount column".to_owned());
                }
                columns.amount.is_none()
            }
            Feature::PeerLoss { column, .. } | Feature::OverallLoss { column, .. } => {
                let known = columns.segments.iter().any(|name| name == column);
                return (!known).then(|| format!("the segment column `{column}`"));
            }
            _ => false,
        };
        lacks.then(|| "the amount column".to_owned())
    }

    /// The window or horizon it was made with, where it has one.
    pub(super) fn span_days(&self) -> Option<i32> {
        match self {
            Feature::IntervalShrunk { horizon_days: days }
            | Feature::OverdueRatio { horizon_days: days }
            | Feature::PurchaseRate { horizon_days: days }
            | Feature::OwnReturn { horizon_days: days }
            | Feature::PeerLoss { horizon_days: days, .. }
            | Feature::OverallLoss { horizon_days: days, .. }
            | Feature::PurchasesIn { days }
            | Feature::SpendIn { days } => Some(*days),
            _ => None,
        }
    }

    /// The window it looks at, where it has one: its length in days.
    pub(super) fn window_days(&self) -> Option<i32> {
        match self {
            Feature::PurchasesIn { days } | Feature::SpendIn { days } => Some(*days),
            _ => None,
        }
    }

    /// Computes it for a block.
    #[inline(always)]
    pub(super) fn fill(&self, block: &Block, peers: &[PeerTable], history: &History, out: &mut [f64]) {
        let states = &block.states;
        match self {
            Feature::DaysSinceLast => each(states, out, recency::days_since_last),
            Feature::TenureDays => each(states, out, recency::tenure_days),
            Feature::NPurchases => each(states, out, recency::n_purchases),
            Feature::IsSinglePurchase => each(states, out, recency::is_single_purchase),
            Feature::IntervalShrunk { horizon_days } => {
                each(states, out, |state| rhythm::interval_shrunk(state, *horizon_days));
            }
            Feature::OverdueRatio { horizon_days } => {
                each(states, out, |state| rhythm::overdue_ratio(state, *horizon_days));
            }
            Feature::PurchaseRate { horizon_days } => {
                each(states, out, |state| rhythm::purchase_rate(state, *horizon_days));
            }
            Feature::IntervalSd => each(states, out, rhythm::interval_sd),
            Feature::IntervalMax => each(states, out, rhythm::interval_max),
            Feature::IntervalLast => each(states, out, rhythm::interval_last),
            Feature::IsSilentBeyondLongest => each(states, out, rhythm::is_silent_beyond_longest),
            Feature::SilenceFraction => each(states, out, rhythm::silence_fraction),
            Feature::OwnReturn { horizon_days } => {
                each(states, out, |state| rhythm::own_return_log_odds(state, *horizon_days));
            }
            Feature::PurchasesIn { days } => windowed(block, *days, out, trend::purchases_since),
            Feature::AmountMean => each(states, out, money::amount_mean),
            Feature::AmountLast => each(states, out, money::amount_last),
            Feature::SpendIn { days } => windowed(block, *days, out, money::spend_since),
            Feature::DiscountFraction => each(states, out, money::discount_fraction),
            Feature::RefundFraction => each(states, out, refunds::refund_fraction),
            Feature::PeerLoss { column, horizon_days } | Feature::OverallLoss { column, horizon_days } => {
                let own_value = matches!(self, Feature::PeerLoss { .. });
                let table = history
                    .segment_index(column)
                    .and_then(|column| peers.iter().find(|table| table.is_of(column, *horizon_days)));
                each(states, out, |state| {
                    table.map_or(f64::NAN, |table| table.loss_fraction(state, own_value))
                });
            }
            Feature::Custom(custom) => each(states, out, |state| custom.compute(&state.view())),
        }
    }
}

#[inline(always)]
fn each(states: &[State], out: &mut [f64], kernel: impl Fn(&State) -> f64) {
    out.iter_mut().zip(states).for_each(|(value, state)| *value = kernel(state));
}

#[inline(always)]
fn windowed(block: &Block, days: i32, out: &mut [f64], kernel: impl Fn(&State, u32) -> f64) {
    let states = block.states.iter().zip(block.starts(days));
    out.iter_mut().zip(states).for_each(|(value, (state, start))| *value = kernel(state, start));
}

/// Puts the caller's own features into places read from a file; names what is missing.
pub(crate) fn supply_custom(
    features: &mut [Feature],
    own: &[Feature],
) -> std::result::Result<(), Vec<String>> {
    let mut missing = Vec::new();
    for feature in features.iter_mut() {
        if matches!(feature, Feature::Custom(custom) if custom.is_bare()) {
            match own.iter().find(|candidate| *candidate == feature) {
                Some(found) => *feature = found.clone(),
                None => missing.push(feature.name()),
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(missing) }
}
