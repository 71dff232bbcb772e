//! How long silent, how long with us, how often?

use super::view::State;

/// `days_since_last`: cutoff − last purchase.
pub(super) fn days_since_last(state: &State) -> f64 {
    f64::from(state.days_since_last())
}

/// `tenure_days`: cutoff − first purchase.
pub(super) fn tenure_days(state: &State) -> f64 {
    f64::from(state.tenure_days())
}

/// `n_purchases`.
pub(super) fn n_purchases(state: &State) -> f64 {
    f64::from(state.n_purchases())
}

/// 1 where there is one purchase only.
pub(super) fn is_single_purchase(state: &State) -> f64 {
    f64::from(state.n_purchases() == 1)
}

/// The same in SQL.
pub(super) mod sql {
    pub(in crate::features) const DAYS_SINCE_LAST: &str = "cutoff_day - last_day";
    pub(in crate::features) const TENURE_DAYS: &str = "cutoff_day - first_day";
    pub(in crate::features) const IS_SINGLE_PURCHASE: &str = "CASE WHEN n_purchases = 1 THEN 1 ELSE 0 END";
}
