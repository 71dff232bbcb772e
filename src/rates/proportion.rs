//! How large is a share, and how do two differ? See also [`wilson`], the interval of one.

use serde::Serialize;

use crate::metrics::{Interval, IntervalMethod, wilson, wilson_share};

/// The difference of two independent shares, the first less the second. `None` where either has no answer.
///
/// # Formula
/// ```text
/// low  = d − √((p₁ − l₁)² + (u₂ − p₂)²)
/// high = d + √((u₁ − p₁)² + (p₂ − l₂)²)        where d = p₁ − p₂, and l, u are the ends of Wilson's intervals
/// ```
/// # References
/// Newcombe (1998), "Interval estimation for the difference between independent proportions", Statistics in
/// Medicine 17:873–890, method 10.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// let difference = winback::rates::newcombe((56, 70), (48, 80), 0.95).ok_or("no trials")?;
/// assert_eq!(difference.to_string(), "0.2000 (0.0524 to 0.3339, 95 %)");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn newcombe(first: (usize, usize), second: (usize, usize), level: f64) -> Option<Interval> {
    let one = wilson(first.0, first.1, level)?;
    let two = wilson(second.0, second.1, level)?;
    let estimate = one.estimate - two.estimate;
    Some(Interval {
        estimate,
        low: estimate - (one.estimate - one.low).hypot(two.high - two.estimate),
        high: estimate + (one.high - one.estimate).hypot(two.estimate - two.low),
        standard_error: one.standard_error.hypot(two.standard_error),
        level,
        method: IntervalMethod::Newcombe,
    })
}

/// The share of a population, from a sample drawn with known chances: each `(has it, chance)`, chances above 0
/// and at most 1. `None` for no sample.
///
/// # Formula
/// ```text
/// p = Σ w·y / Σ w,  w = 1/chance        Wilson's interval at n = (Σ w)² / Σ w²
/// ```
/// # References
/// Hájek (1971), in Godambe and Sprott, Foundations of Statistical Inference, page 236; Kish (1965), Survey
/// Sampling, section 11.7, for n. The interval is a little wide where the sample is a large part of the
/// population.
#[must_use]
pub fn weighted_share(sample: &[(bool, f64)], level: f64) -> Option<Interval> {
    let (mut all, mut squares, mut with) = (0.0, 0.0, 0.0);
    for &(has, chance) in sample {
        let weight = 1.0 / chance;
        all += weight;
        squares += weight * weight;
        with += if has { weight } else { 0.0 };
    }
    if sample.iter().all(|(has, _)| *has) {
        with = all;
    }
    wilson_share(with / all, all * all / squares, level)
}

/// Events among people, and the share of the standard population that is like them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightedGroup {
    /// Events.
    pub events: usize,
    /// People.
    pub people: usize,
    /// Weight in the standard population, 0 or more.
    pub weight: f64,
}

/// A directly standardised share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Standardised {
    /// The share, with a Wald interval.
    pub share: Interval,
    /// How much of the standard population lies in strata where there is anybody, 0 to 1. The rest says
    /// nothing, and its weight is shared out.
    pub coverage: f64,
}

/// What the share would be, were the strata as large as in the standard population. `None` where no stratum of
/// any weight has people.
///
/// # Formula
/// ```text
/// Σ wₖ eₖ/nₖ / Σ wₖ   with variance Σ wₖ² pₖ(1−pₖ)/nₖ / (Σ wₖ)²     over strata with nₖ > 0
/// ```
/// # References
/// Rothman, Greenland and Lash (2008), Modern Epidemiology, 3rd edition, chapter 3.
#[must_use]
pub fn standardised(strata: &[WeightedGroup], level: f64) -> Option<Standardised> {
    let total: f64 = strata.iter().map(|stratum| stratum.weight).sum();
    let (mut weight, mut share, mut variance) = (0.0, 0.0, 0.0);
    for stratum in strata.iter().filter(|stratum| stratum.people > 0) {
        let people = stratum.people as f64;
        let own = stratum.events as f64 / people;
        weight += stratum.weight;
        share += stratum.weight * own;
        variance += stratum.weight.powi(2) * own * (1.0 - own) / people;
    }
    let interval = Interval::wald(share / weight, variance.sqrt() / weight, level, IntervalMethod::Wald)?;
    Some(Standardised { share: interval.within(0.0, 1.0), coverage: weight / total })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe (1998), table II, method 10: 56/70 − 48/80 and 9/10 − 3/10, 10/10 − 0/10.
    #[test]
    fn newcombes_own_examples() {
        let check = |first, second, low: f64, high: f64| {
            let found = newcombe(first, second, 0.95).unwrap();
            assert!((found.low - low).abs() < 6e-5 && (found.high - high).abs() < 6e-5, "{found}");
        };
        check((56, 70), (48, 80), 0.0524, 0.3339);
        check((9, 10), (3, 10), 0.1705, 0.8090);
        check((10, 10), (0, 10), 0.6075, 1.0);
        assert!(newcombe((0, 0), (1, 2), 0.95).is_none());
    }

    #[test]
    fn equal_chances_make_the_plain_share() {
        let sample: Vec<(bool, f64)> = (0..50).map(|i| (i < 12, 0.2)).collect();
        let weighted = weighted_share(&sample, 0.95).unwrap();
        let plain = wilson(12, 50, 0.95).unwrap();
        assert!((weighted.low - plain.low).abs() < 1e-12 && (weighted.high - plain.high).abs() < 1e-12);
        // One in ten of a rare kind asked, all of another: 10 of the first weigh 100.
        let unequal: Vec<(bool, f64)> = (0..110).map(|i| (i < 10, if i < 10 { 0.1 } else { 1.0 })).collect();
        assert!((weighted_share(&unequal, 0.95).unwrap().estimate - 0.5).abs() < 1e-12);
        assert!(weighted_share(&[], 0.95).is_none());
        assert_eq!(weighted_share(&[(true, 0.3), (true, 0.7)], 0.95).unwrap().high, 1.0);
    }

    #[test]
    fn standardising_takes_the_mix_away() {
        // Young customers leave at 40 %, old at 10 %; the mix doubles the crude rate, not this one.
        let strata = |young: usize, old: usize| {
            [
                WeightedGroup { events: young * 4 / 10, people: young, weight: 0.5 },
                WeightedGroup { events: old / 10, people: old, weight: 0.5 },
            ]
        };
        for mix in [(900, 100), (100, 900)] {
            let found = standardised(&strata(mix.0, mix.1), 0.95).unwrap();
            assert!((found.share.estimate - 0.25).abs() < 1e-12 && found.coverage == 1.0);
        }
        assert_eq!(standardised(&strata(100, 0), 0.95).unwrap().coverage, 0.5);
        assert!(standardised(&[], 0.95).is_none());
    }
}
