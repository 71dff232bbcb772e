//! How busy was the customer lately?

use super::view::State;

/// Purchases from that one on.
pub(super) fn purchases_since(state: &State, start: u32) -> f64 {
    f64::from(state.n_purchases() - start)
}
