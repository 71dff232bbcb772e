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

/// The same in SQL; `float` makes a float of an expression.
pub(super) mod sql {
    pub(in crate::features) const IS_SILENT_BEYOND_LONGEST: &str = "CASE WHEN longest_interval IS NULL THEN NULL WHEN \
         cutoff_day - last_day > longest_interval THEN 1 ELSE 0 END";

    pub(in crate::features) fn interval_shrunk(float: impl Fn(&str) -> String, horizon_days: i32) -> String {
        format!("{} / n_purchases", float(&format!("last_day - first_day + {horizon_days}")))
    }

    pub(in crate::features) fn overdue_ratio(float: impl Fn(&str) -> String, horizon_days: i32) -> String {
        format!("{} * n_purchases / (last_day - first_day + {horizon_days})", float("cutoff_day - last_day"))
    }

    pub(in crate::features) fn purchase_rate(float: impl Fn(&str) -> String, horizon_days: i32) -> String {
        format!("{} / (cutoff_day - first_day + {horizon_days})", float("n_purchases"))
    }

    pub(in crate::features) fn interval_sd(float: impl Fn(&str) -> String) -> String {
        let spread =
            "(n_purchases - 1) * squared_intervals - (last_day - first_day) * (last_day - first_day)";
        format!(
            "CASE WHEN n_purchases > 2 THEN sqrt({} / {}) END",
            float(spread),
            float("(n_purchases - 1) * (n_purchases - 2)")
        )
    }

    pub(in crate::features) fn silence_fraction(float: impl Fn(&str) -> String) -> String {
        format!(
            "{} / CASE WHEN cutoff_day > first_day THEN cutoff_day - first_day ELSE 1 END",
            float("cutoff_day - last_day")
        )
    }

    pub(in crate::features) fn own_return(float: impl Fn(&str) -> String, horizon_days: i32) -> String {
        let still = longer_by(horizon_days);
        format!("ln(({} + 0.5) / ({} + 0.5))", float(&format!("longer_intervals - {still}")), float(&still))
    }

    /// Intervals longer than the silence by so many days.
    pub(crate) fn longer_by(horizon_days: i32) -> String {
        format!("longer_intervals_by_{horizon_days}_days")
    }
}
