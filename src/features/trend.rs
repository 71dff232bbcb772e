//! How busy was the customer lately?

use super::view::State;

/// Purchases from that one on.
pub(super) fn purchases_since(state: &State, start: u32) -> f64 {
    f64::from(state.n_purchases() - start)
}

/// The same in SQL.
pub(super) mod sql {
    /// The column of purchases of the last so many days.
    pub(crate) fn purchases(days: i32) -> String {
        format!("purchases_of_{days}_days")
    }
}
