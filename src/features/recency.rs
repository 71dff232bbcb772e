//! How long silent, how long with us, how often?

use super::view::State;

/// `days_since_last`: cutoff − last purchase.
pub(super) fn days_since_last(state: &State) -> f64 {
    f64::from(state.view.days_since_last())
}

/// `tenure_days`: cutoff − first purchase.
pub(super) fn tenure_days(state: &State) -> f64 {
    f64::from(state.view.tenure_days())
}

/// `n_purchases`.
pub(super) fn n_purchases(state: &State) -> f64 {
    state.view.n_purchases() as f64
}

/// 1 where there is one purchase only.
pub(super) fn is_single_purchase(state: &State) -> f64 {
    f64::from(state.view.n_purchases() == 1)
}
