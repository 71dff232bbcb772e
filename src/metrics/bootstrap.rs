//! How sure is any metric, where a customer appears at several cutoffs?

use rayon::prelude::*;

use super::interval::{Interval, IntervalMethod};

/// How a [`Bootstrap`] makes an interval of its replicates.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BootstrapEnds {
    /// Their quantiles: never outside what is possible.
    #[default]
    Percentile,
    /// Their quantiles mirrored at the estimate: right for a statistic whose error has one distribution
    /// wherever the truth lies.
    Basic,
}

/// Statistics of rows, and of rows whose customers were drawn anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    estimates: Vec<f64>,
    replicates: Vec<Vec<f64>>,
    groups: usize,
}

/// Draws whole customers with replacement, as many as there are, `replicates` times, and computes the
/// statistics under the resulting row weights (how often each row's customer was drawn).
///
/// `groups` names the customer of each row; rows of one customer stand together. `statistics` returns
/// one number per statistic, NaN where it is undefined, always in one order; the first call is with
/// weights of 1. Metrics that differ by little (two models, say) are best subtracted inside it, on the
/// same draw.
///
/// Replicate i depends on `seed` and i alone, so that threads do not show. A replicate costs one draw
/// per customer and one pass per statistic when sorting was done before: see
/// [`Ranking`](super::Ranking) and [`weighted_mean`](super::weighted_mean).
///
/// # References
/// Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 6, 13 and 17; Field and
/// Welsh (2007), Journal of the Royal Statistical Society B 69:369–390 (clusters).
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// use winback::metrics::{BootstrapEnds, Ranking, clustered_bootstrap, log_losses, weighted_mean};
/// let (p, y) = ([0.2, 0.3, 0.9, 0.6, 0.4, 0.7], [false, false, true, true, false, false]);
/// let customers = [0, 0, 1, 2, 2, 3];
/// let (ranking, losses) = (Ranking::new(&p, &y).ok_or("lengths")?, log_losses(&p, &y));
/// let drawn = clustered_bootstrap(&customers, 200, 7, |weights| {
///     vec![ranking.roc_auc(weights).unwrap_or(f64::NAN), weighted_mean(&losses, weights)]
/// });
/// let loss = drawn.interval(1, 0.9, BootstrapEnds::Percentile).ok_or("too little")?;
/// assert!(loss.low < loss.estimate && loss.estimate < loss.high);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn clustered_bootstrap(
    groups: &[u32],
    replicates: usize,
    seed: u64,
    statistics: impl Fn(&[u32]) -> Vec<f64> + Sync,
) -> Bootstrap {
    let sizes: Vec<usize> = groups.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    let estimates = statistics(&vec![1; groups.len()]);
    let buffers = || (vec![0_u32; sizes.len()], Vec::with_capacity(groups.len()));
    let replicates = (0..replicates as u64)
        .into_par_iter()
        .map_init(buffers, |(counts, weights), replicate| {
            draw(counts, seed, replicate);
            weights.clear();
            for (&count, &size) in counts.iter().zip(&sizes) {
                weights.extend(std::iter::repeat_n(count, size));
            }
            statistics(weights)
        })
        .collect();
    Bootstrap { estimates, replicates, groups: sizes.len() }
}

impl Bootstrap {
    /// The statistics with every row counted once.
    #[must_use]
    pub fn estimates(&self) -> &[f64] {
        &self.estimates
    }

    /// The values of one statistic, counted from 0, by replicate; NaN where it was undefined.
    #[must_use]
    pub fn replicates(&self, statistic: usize) -> Vec<f64> {
        self.replicates.iter().map(|row| row.get(statistic).copied().unwrap_or(f64::NAN)).collect()
    }

    /// The interval of one statistic, counted from 0; its standard error is the standard deviation of
    /// the replicates.
    ///
    /// Undefined replicates are left out. `None` with fewer than two customers, where the estimate or
    /// more than half of the replicates are undefined, or where `level` does not lie between 0 and 1.
    /// Quantiles are interpolated between replicates (Hyndman and Fan 1996, definition 7); a level of
    /// .95 wants some hundreds. With a few dozen customers such intervals are too short.
    #[must_use]
    pub fn interval(&self, statistic: usize, level: f64, ends: BootstrapEnds) -> Option<Interval> {
        let estimate = *self.estimates.get(statistic)?;
        let mut values = self.replicates(statistic);
        values.retain(|value| value.is_finite());
        let defined = values.len() >= 2 && 2 * values.len() >= self.replicates.len();
        let answerable = self.groups >= 2 && defined && estimate.is_finite();
        if !answerable || level.is_nan() || level <= 0.0 || level >= 1.0 {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        values.sort_by(f64::total_cmp);
        let tail = (1.0 - level) / 2.0;
        let (low, high) = (quantile(&values, tail), quantile(&values, 1.0 - tail));
        let (low, high, method) = match ends {
            BootstrapEnds::Percentile => (low, high, IntervalMethod::BootstrapPercentile),
            BootstrapEnds::Basic => {
                (2.0 * estimate - high, 2.0 * estimate - low, IntervalMethod::BootstrapBasic)
            }
        };
        Some(Interval { estimate, low, high, standard_error: variance.sqrt(), level, method })
    }
}

/// The quantile of ascending values, interpolated.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let place = share * (ascending.len() - 1) as f64;
    let below = (place.floor() as usize).min(ascending.len() - 1);
    let above = (below + 1).min(ascending.len() - 1);
    ascending[below] + (place - below as f64) * (ascending[above] - ascending[below])
}

/// How often each group comes up in as many draws as there are groups.
fn draw(counts: &mut [u32], seed: u64, replicate: u64) {
    counts.fill(0);
    // SplitMix64 (Steele, Lea and Flood 2014) from a state of its own per replicate.
    let mut state = mix(seed ^ mix(replicate.wrapping_add(STEP)));
    for _ in 0..counts.len() {
        state = state.wrapping_add(STEP);
        // The high half of the product is uniform below the length, up to length/2⁶⁴ (Lemire 2019).
        let place = (u128::from(mix(state)) * counts.len() as u128) >> 64;
        counts[place as usize] += 1;
    }
}

/// 2⁶⁴ over the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's finaliser.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_customer_are_drawn_together() {
        let groups = [0, 0, 3, 5, 5, 5];
        let drawn = clustered_bootstrap(&groups, 50, 1, |weights| {
            assert_eq!(weights[0], weights[1]);
            assert!(weights[3] == weights[4] && weights[4] == weights[5]);
            vec![f64::from(weights[0] + weights[2] + weights[3])]
        });
        assert_eq!(drawn.estimates(), [3.0]);
        assert_eq!(drawn.replicates(0), [3.0; 50]);
    }

    #[test]
    fn nothing_to_draw_from() {
        let drawn = clustered_bootstrap(&[], 20, 1, |_| vec![1.0]);
        assert!(drawn.interval(0, 0.95, BootstrapEnds::Basic).is_none());
        let one = clustered_bootstrap(&[4, 4], 20, 1, |_| vec![1.0]);
        assert!(one.interval(0, 0.95, BootstrapEnds::Basic).is_none());
        let undefined = clustered_bootstrap(&[4, 5], 20, 1, |_| vec![f64::NAN]);
        assert!(undefined.interval(0, 0.95, BootstrapEnds::Basic).is_none());
        assert!(undefined.interval(1, 0.95, BootstrapEnds::Basic).is_none());
        assert!(
            clustered_bootstrap(&[4, 5], 0, 1, |_| vec![1.0])
                .interval(0, 0.9, BootstrapEnds::Basic)
                .is_none()
        );
    }

    #[test]
    fn quantiles_are_interpolated() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!((quantile(&[1.0, 2.0], 0.0), quantile(&[1.0, 2.0], 1.0)), (1.0, 2.0));
    }
}
