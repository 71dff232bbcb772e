//! How regularly does the customer buy, and is this silence unusual?

use super::view::State;
use crate::math;

/// (last − first + H) / n: the mean interval, shrunk to the horizon by one interval of its length.
pub(super) fn interval_shrunk(state: &State, horizon_days: i32) -> f64 {
    let span = state.tenure_days() - state.days_since_last();
    (f64::from(span) + f64::from(horizon_days)) / f64::from(state.n_purchases())
}

/// Days since last over the shrunk interval.
pub(super) fn overdue_ratio(state: &State, horizon_days: i32) -> f64 {
    f64::from(state.days_since_last()) / interval_shrunk(state, horizon_days)
}

/// n / (tenure + H): purchases per day, shrunk.
pub(super) fn purchase_rate(state: &State, horizon_days: i32) -> f64 {
    f64::from(state.n_purchases()) / (f64::from(state.tenure_days()) + f64::from(horizon_days))
}

/// Sample standard deviation of the intervals; null below two of them.
pub(super) fn interval_sd(state: &State) -> f64 {
    let intervals = i64::from(state.n_purchases()) - 1;
    if intervals < 2 {
        return f64::NAN;
    }
    let sum = i64::from(state.tenure_days() - state.days_since_last());
    // Exact in integers: k Σx² − (Σx)², over k (k − 1). Days of three centuries leave room.
    let spread = intervals * state.sums.interval_squares - sum * sum;
    (spread as f64 / (intervals * (intervals - 1)) as f64).sqrt()
}

/// Longest interval; null without one.
pub(super) fn interval_max(state: &State) -> f64 {
    if state.n_purchases() < 2 { f64::NAN } else { f64::from(state.sums.interval_max) }
}

/// Latest interval; null without one.
pub(super) fn interval_last(state: &State) -> f64 {
    match state.days() {
        [.., before, last] => f64::from(last - before),
        _ => f64::NAN,
    }
}

/// 1 where the present silence is longer than any interval so far; null without an interval.
pub(super) fn is_silent_beyond_longest(state: &State) -> f64 {
    if state.n_purchases() < 2 {
        return f64::NAN;
    }
    f64::from(state.days_since_last() > state.sums.interval_max)
}

/// Days since last over the tenure, at least one day.
pub(super) fn silence_fraction(state: &State) -> f64 {
    f64::from(state.days_since_last()) / f64::from(state.tenure_days().max(1))
}

/// ln((k + ½) / (m − k + ½)) of the m own intervals longer than the silence, of which k ended within H more
/// days; half an interval on either side keeps it finite, and makes it 0 where there is none.
pub(super) fn own_return_log_odds(state: &State, horizon_days: i32) -> f64 {
    let silence = state.days_since_last();
    if silence >= state.sums.interval_max {
        return 0.0;
    }
    let days = state.days();
    let until = silence.saturating_add(horizon_days);
    // Without branches, so that the compiler can count many at a time.
    let (longer, still_longer) =
        days.iter().zip(&days[1..]).fold((0_u32, 0_u32), |(longer, still_longer), (before, day)| {
            let interval = day - before;
            (longer + u32::from(interval > silence), still_longer + u32::from(interval > until))
        });
    math::ln((f64::from(longer - still_longer) + 0.5) / (f64::from(still_longer) + 0.5))
}
