//! How busy was the customer lately?

use super::view::State;

/// Purchases in the last `days` days.
pub(super) fn purchases_last(state: &State, days: i32) -> f64 {
    state.view.last(days).len() as f64
}
