//! What do the purchases bring?

use super::view::State;

/// Net amount per purchase.
pub(super) fn amount_mean(state: &State) -> f64 {
    state.sums.net / f64::from(state.n_purchases())
}

/// Net amount of the latest purchase.
pub(super) fn amount_last(state: &State) -> f64 {
    state.net().last().copied().unwrap_or(f64::NAN)
}

/// Net amounts of the purchases from that one on, added again in the order of days.
pub(super) fn spend_since(state: &State, start: u32) -> f64 {
    state.net().get(start as usize..).unwrap_or_default().iter().sum()
}

/// Discounts over what the purchases would have cost without them; null where that is nothing.
pub(super) fn discount_fraction(state: &State) -> f64 {
    let full_price = state.sums.net + state.sums.refunded + state.sums.discount;
    if full_price > 0.0 { state.sums.discount / full_price } else { f64::NAN }
}

/// The same in SQL.
pub(super) mod sql {
    pub(in crate::features) const DISCOUNT_FRACTION: &str = "CASE WHEN net_amount + refunded_amount + discount_amount > 0 \
         THEN discount_amount / (net_amount + refunded_amount + discount_amount) END";

    pub(in crate::features) const AMOUNT_MEAN: &str = "net_amount / n_purchases";

    /// The column of net amounts of the last so many days.
    pub(crate) fn spend(days: i32) -> String {
        format!("spend_of_{days}_days")
    }
}
