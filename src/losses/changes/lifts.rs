//! How did each value of a column fare beside the others at a landmark, and how far does that wander by itself?

use rayon::prelude::*;

use crate::day::{Day, Window};
use crate::history::{History, NO_SEGMENT};
use crate::losses::systemic::activity_class;
use crate::rates::{Basis, Stratum, stratified_ratio};

/// The normal quantile of 97.5 %, twice: the width of an interval in standard errors.
const INTERVAL_WIDTH: f64 = 2.0 * 1.959_963_984_540_054;

/// The logarithm of a ratio, and its variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lift {
    pub(crate) log: f64,
    pub(crate) variance: f64,
}

/// The lift of each value by code, of losses in the horizon after the landmark; none where it is unbounded or
/// nothing compares. Everybody is compared with customers of the same purchases and recency elsewhere.
pub(crate) fn lifts(history: &History, column: usize, landmark: Day, horizon_days: i32) -> Vec<Option<Lift>> {
    let record = |rank: usize| {
        let run = history.run(rank);
        let (class, last) = activity_class(&run, landmark, horizon_days)?;
        let code = run.segment(column)[last];
        let lost = Window::label(landmark, 0, horizon_days).range_in(run.days).is_empty();
        (code != NO_SEGMENT).then_some((code as usize, class as usize, lost))
    };
    let records: Vec<(usize, usize, bool)> =
        (0..history.customers()).into_par_iter().filter_map(record).collect();
    let values = records.iter().map(|record| record.0 + 1).max().unwrap_or(0);
    let classes = records.iter().map(|record| record.1 + 1).max().unwrap_or(0);
    // Lost, and all.
    let mut cells = vec![(0_u64, 0_u64); values * classes];
    let mut whole = vec![(0_u64, 0_u64); classes];
    for (code, class, lost) in records {
        for cell in [&mut cells[code * classes + class], &mut whole[class]] {
            cell.0 += u64::from(lost);
            cell.1 += 1;
        }
    }
    let stratum = |(own, whole): (&(u64, u64), &(u64, u64))| Stratum {
        exposed_events: own.0,
        exposed: own.1 as f64,
        other_events: whole.0 - own.0,
        others: (whole.1 - own.1) as f64,
    };
    let lift = |own: &[(u64, u64)]| {
        let strata: Vec<Stratum> = own.iter().zip(&whole).map(stratum).collect();
        let found = stratified_ratio(&strata, Basis::Customers, 1.0)?;
        let error = (found.high / found.low).ln() / INTERVAL_WIDTH;
        let told = found.ratio > 0.0 && found.ratio.is_finite() && error > 0.0 && error.is_finite();
        told.then(|| Lift { log: found.ratio.ln(), variance: error * error })
    };
    cells.chunks(classes.max(1)).map(lift).collect()
}

/// The mean of lifts that wander by that variance, each weighed by how surely it is known.
pub(crate) fn mean(lifts: &[Lift], wander: f64) -> Option<Lift> {
    let weights = || lifts.iter().map(|lift| 1.0 / (lift.variance + wander));
    let all: f64 = weights().sum();
    let sum: f64 = lifts.iter().zip(weights()).map(|(lift, weight)| weight * lift.log).sum();
    (all > 0.0).then(|| Lift { log: sum / all, variance: 1.0 / all })
}

/// The variance of a value's lift from landmark to landmark, beyond that of counts; each of `series` is one value's.
///
/// # Formula
/// ```text
/// Σ (Q − (k − 1)) / Σ (Σ w − Σ w²/Σ w), at least 0, where w = 1/variance and Q = Σ w (lift − mean)² of k lifts
/// ```
/// # References
/// DerSimonian and Laird (1986), Controlled Clinical Trials 7:177–188, pooled over values.
pub(crate) fn wander<'a>(series: impl IntoIterator<Item = &'a [Lift]>) -> f64 {
    let (mut excess, mut weight) = (0.0, 0.0);
    for own in series.into_iter().filter(|own| own.len() > 1) {
        let Some(middle) = mean(own, 0.0) else { continue };
        let weights = || own.iter().map(|lift| 1.0 / lift.variance);
        let all: f64 = weights().sum();
        let squares: f64 =
            own.iter().zip(weights()).map(|(lift, weight)| weight * (lift.log - middle.log).powi(2)).sum();
        excess += squares - (own.len() - 1) as f64;
        weight += all - weights().map(|weight| weight * weight).sum::<f64>() / all;
    }
    if weight > 0.0 { (excess / weight).max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn lift(log: f64, variance: f64) -> Lift {
        Lift { log, variance }
    }

    #[test]
    fn a_mean_weighs_by_what_is_known() {
        assert_eq!(mean(&[lift(1.0, 0.1), lift(2.0, 0.1)], 0.0), Some(lift(1.5, 0.05)));
        let wandering = mean(&[lift(1.0, 0.1), lift(2.0, 0.1)], 0.3).unwrap();
        assert!((wandering.variance - 0.2).abs() < 1e-12);
        assert_eq!(mean(&[], 0.0), None);
    }

    /// By hand: weights 10 and 10, Q = 5, so (5 − 1)/(20 − 200/20).
    #[test]
    fn lifts_that_differ_by_more_than_chance_wander() {
        let far = [lift(1.0, 0.1), lift(2.0, 0.1)];
        assert!((wander([far.as_slice()]) - 0.4).abs() < 1e-12);
        let near = [lift(1.0, 0.1), lift(1.1, 0.1)];
        assert_eq!(wander([near.as_slice()]), 0.0);
        assert_eq!(wander([near[..1].as_ref()]), 0.0);
    }
}
