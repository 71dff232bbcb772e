//! How much of what was bought went back?

use super::view::State;

/// Refunds over everything bought, at most 1; null where nothing was paid for.
pub(super) fn refund_fraction(state: &State) -> f64 {
    let bought = state.sums.net + state.sums.refunded;
    let returned = state.refund_amounts().iter().fold(state.sums.refunded, |sum, amount| sum + amount);
    if bought > 0.0 { (returned / bought).min(1.0) } else { f64::NAN }
}

/// The same in SQL.
pub(super) mod sql {
    pub(in crate::features) const REFUND_FRACTION: &str = "CASE WHEN net_amount + refunded_amount <= 0 THEN NULL \
         WHEN refunded_amount + returned_amount > net_amount + refunded_amount THEN 1 \
         ELSE (refunded_amount + returned_amount) / (net_amount + refunded_amount) END";
}
