//! What do few events say of two rates? The distribution of the counts themselves, given how many events there were.

use super::stratified::{Basis, Stratum, convolved, distribution};

/// Below so many events expected in an arm (or so many customers without one), where the arms do not differ, a normal
/// approximation is not enough. With 20 and more, where one p lies below .05 and the other above, they differ by .013 at most
/// (arms of 90 and 10 %, and of equal size); with 5 to 10 by .03 and more.
const LEAST_EXPECTED: f64 = 20.0;
/// Log-odds beyond which nothing is looked for.
const MOST_LOG_ODDS: f64 = 40.0;
const HALVINGS: usize = 60;

/// What the counts say: a p-value, and the ends of an interval of the difference that holds 0 where p is above 1 − level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exact {
    pub(super) p: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Of strata that compare; `None` where there are events enough for the normal approximation.
///
/// Given the events of each stratum, the events among the exposed are hypergeometric, tilted by an odds ratio ψ common
/// to all strata, and their sum T is the exact counterpart of the weighted difference, which is (T − E₁T)/W.
pub(super) fn exact(strata: &[Stratum], level: f64) -> Option<Exact> {
    let (mut expected, mut least, mut most, mut weight) = (0.0, 0.0, 0.0, 0.0);
    for stratum in strata {
        let (n1, n0) = (stratum.exposed, stratum.others);
        let events = (stratum.exposed_events + stratum.other_events) as f64;
        expected += events * n1 / (n1 + n0);
        least += (events - n0).max(0.0);
        most += events.min(n1);
        weight += n1 * n0 / (n1 + n0);
    }
    if (expected - least).min(most - expected) >= LEAST_EXPECTED {
        return None;
    }
    let given = Given {
        counts: strata.iter().map(|stratum| distribution(stratum, Basis::Customers)).collect(),
        observed: strata.iter().map(|stratum| stratum.exposed_events).sum(),
    };
    let alike = given.at(0.0);
    let tail = 0.5 * (1.0 - level);
    // The mean count where the odds are as far apart as the counts allow.
    let end = |is_upper: bool| {
        let is_allowed = |log_odds: f64| {
            let tails = given.at(log_odds);
            tail <= if is_upper { tails.below } else { tails.above }
        };
        let far = if is_upper { MOST_LOG_ODDS } else { -MOST_LOG_ODDS };
        if is_allowed(far) {
            return if is_upper { most } else { least };
        }
        let (mut inside, mut outside) = (-far, far);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (inside + outside);
            if is_allowed(middle) { inside = middle } else { outside = middle }
        }
        given.at(inside).mean
    };
    Some(Exact {
        p: (2.0 * alike.below.min(alike.above)).clamp(f64::MIN_POSITIVE, 1.0),
        low: (end(false) - expected) / weight,
        high: (end(true) - expected) / weight,
    })
}

/// The distributions of the count of each stratum where odds are alike, and the sum that was seen.
struct Given {
    counts: Vec<(u64, Vec<f64>)>,
    observed: u64,
}

/// P(T ≤ t), P(T ≥ t) and the mean of T.
struct Tails {
    below: f64,
    above: f64,
    mean: f64,
}

impl Given {
    fn at(&self, log_odds: f64) -> Tails {
        let (start, sum) = convolved(self.counts.iter().map(|(low, one)| (*low, tilted(one, log_odds))));
        let counted = || (start..).zip(&sum);
        let share =
            |is: &dyn Fn(u64) -> bool| counted().filter(|(count, _)| is(*count)).map(|(_, p)| p).sum();
        Tails {
            below: share(&|count| count <= self.observed),
            above: share(&|count| count >= self.observed),
            mean: counted().map(|(count, p)| count as f64 * p).sum(),
        }
    }
}

/// A distribution whose odds of one more are multiplied.
fn tilted(counts: &[f64], log_odds: f64) -> Vec<f64> {
    let logs: Vec<f64> = (0..).zip(counts).map(|(at, p)| p.ln() + f64::from(at) * log_odds).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let terms: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
    let all: f64 = terms.iter().sum();
    terms.into_iter().map(|term| term / all).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn of(x1: u64, n1: u64, x0: u64, n0: u64) -> Stratum {
        Stratum { exposed_events: x1, exposed: n1 as f64, other_events: x0, others: n0 as f64 }
    }

    const TABLES: [(Stratum, f64, f64, f64); 4] = [
        (of(3, 200, 4, 40), 0.03214776969951343, -0.15376952826158602, -0.004579605240981222),
        (of(0, 90, 1, 10), 0.2, -0.1, 0.008333333333333328),
        (of(12, 300, 0, 60), 0.21604675577615118, -0.022161882723136586, 0.04),
        (of(3, 150, 5, 50), 0.04940817777412198, -0.14147280687308234, -0.00014595381329234177),
    ];

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-8, "{found} is not {expected}");
    }

    /// scipy 1.17: `hypergeom`, convolved; `odds_ratio(kind="conditional")`, its ends as means of `nchypergeom_fisher`.
    #[test]
    fn twice_the_smaller_tail_and_ends_agree_with_scipy() {
        for (one, p, low, high) in TABLES {
            let found = exact(&[one], 0.95).unwrap();
            close(found.p, p);
            close(found.low, low);
            close(found.high, high);
        }
        let strata = [of(3, 150, 5, 50), of(1, 80, 2, 20), of(0, 40, 1, 15)];
        close(exact(&strata, 0.95).unwrap().p, 0.003_412_348_910_960_204_8);
        // Fisher's tea: 17/70 at least so many right.
        close(exact(&[of(3, 4, 1, 4)], 0.95).unwrap().p, 34.0 / 70.0);
    }

    #[test]
    fn an_interval_holds_no_difference_where_its_test_does_not_reject_it() {
        for control in 0..14 {
            for treated in 0..40 {
                let strata = [of(treated, 300, control, 40), of(1, 50, 0, 10)];
                let Some(found) = exact(&strata, 0.95) else { continue };
                let is_in = found.low <= 0.0 && found.high >= 0.0;
                assert_eq!(is_in, found.p >= 0.05, "{treated} {control} {found:?}");
            }
        }
    }

    #[test]
    fn with_events_enough_there_is_no_need() {
        assert!(exact(&[of(180, 1_800, 25, 200)], 0.95).is_none());
        assert!(exact(&[of(1_620, 1_800, 175, 200)], 0.95).is_none());
    }
}
