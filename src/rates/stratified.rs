//! Do those exposed lose more than others of their stratum? Mantel–Haenszel ratios and tests.

use statrs::function::erf::erfc;

/// The normal quantile of 97.5 %.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;
/// The share of all cases beyond an end of the interval.
const TAIL: f64 = 0.025;
/// Above so many events the distribution of their number is taken as normal.
const MOST_EXACT_EVENTS: u64 = 2_000;
/// Probabilities below this are left out of the convolution, at both ends.
const NEGLIGIBLE: f64 = 1e-18;

/// What is counted beneath the events.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Basis {
    /// Customers, each of whom can be lost once: the ratio is one of risks.
    Customers,
    /// Time at risk, in any unit: the ratio is one of rates.
    Time,
}

/// One stratum: events among the exposed and among the others, and those at risk (customers or time).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stratum {
    /// Events among the exposed.
    pub exposed_events: u64,
    /// The exposed: customers, or their time.
    pub exposed: f64,
    /// Events among the others.
    pub other_events: u64,
    /// The others: customers, or their time.
    pub others: f64,
}

impl Stratum {
    fn events(&self) -> f64 {
        (self.exposed_events + self.other_events) as f64
    }

    /// Whether it can compare at all.
    pub(crate) fn compares(&self) -> bool {
        self.exposed > 0.0 && self.others > 0.0
    }
}

/// The Mantel–Haenszel ratio with its doubt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StratifiedRatio {
    /// The ratio; infinite where events are among the exposed only.
    pub ratio: f64,
    /// Lower end of the interval that covers the truth in 95 %.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Events among the exposed, in the strata that compare.
    pub observed: u64,
    /// Events to expect among the exposed at the rates of the others.
    pub expected: f64,
}

/// The Mantel–Haenszel ratio of risks or rates, and its interval.
///
/// `inflation` widens the interval: the variance of the count among the exposed over what it would be if
/// all events were independent; 1 if they are. `None` where no stratum holds exposed and others, or
/// without any event.
///
/// # Formula
/// ```text
/// ratio = R/S, R = Σ a n0/N, S = Σ c n1/N, N = n0 + n1
/// where a of n1 exposed and c of n0 others had an event
/// var(ln ratio) = Σ ((a + c) n1 n0 − a c N)/N² / (R S)      risks (Greenland and Robins 1985, eq. 13)
/// var(ln ratio) = Σ (a + c) n1 n0/N² / (R S)                rates (the same, eq. 10)
/// expected = Σ n1 c/n0
/// ```
/// With no event among the exposed the upper end is (1 − q)/q · Σ c/expected with q = .025^(1/Σ c). With
/// none among the others the ratio is infinite, and its lower end is q/(1 − q) · (Σ a n0/n1)/Σ a with
/// q = .025^(1/Σ a), the exact lower end of a share of Σ a in Σ a (Clopper and Pearson 1934, Biometrika 26:404–413).
/// # References
/// Mantel and Haenszel (1959), Journal of the National Cancer Institute 22:719–748; Greenland and Robins
/// (1985), Biometrics 41:55–68.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// use winback::rates::{Basis, Stratum, stratified_ratio};
/// let young = Stratum { exposed_events: 8, exposed: 106.0, other_events: 5, others: 120.0 };
/// let old = Stratum { exposed_events: 22, exposed: 98.0, other_events: 16, others: 85.0 };
/// let found = stratified_ratio(&[young, old], Basis::Customers, 1.0).ok_or("nothing to compare")?;
/// assert_eq!(format!("{:.2}", found.ratio), "1.33");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn stratified_ratio(strata: &[Stratum], basis: Basis, inflation: f64) -> Option<StratifiedRatio> {
    let (mut r, mut s, mut numerator) = (0.0, 0.0, 0.0);
    let (mut observed, mut others, mut expected, mut expected_of_others) = (0, 0.0, 0.0, 0.0);
    for stratum in strata.iter().filter(|stratum| stratum.compares()) {
        let (a, c) = (stratum.exposed_events as f64, stratum.other_events as f64);
        let (n1, n0) = (stratum.exposed, stratum.others);
        let n = n1 + n0;
        r += a * n0 / n;
        s += c * n1 / n;
        numerator += match basis {
            Basis::Customers => ((a + c) * n1 * n0 - a * c * n) / (n * n),
            Basis::Time => (a + c) * n1 * n0 / (n * n),
        };
        observed += stratum.exposed_events;
        others += c;
        expected += n1 * c / n0;
        expected_of_others += n0 * a / n1;
    }
    let whole = StratifiedRatio { ratio: r / s, low: 0.0, high: f64::INFINITY, observed, expected };
    let inflation = inflation.max(1.0);
    if r > 0.0 && s > 0.0 {
        let reach = NORMAL_QUANTILE * (numerator / (r * s) * inflation).max(0.0).sqrt();
        Some(StratifiedRatio { low: whole.ratio * (-reach).exp(), high: whole.ratio * reach.exp(), ..whole })
    } else if s > 0.0 {
        let least = TAIL.powf(inflation / others);
        Some(StratifiedRatio { high: (1.0 - least) / least * others / expected, ..whole })
    } else {
        let events = observed as f64;
        let least = TAIL.powf(inflation / events);
        let low = least / (1.0 - least) * expected_of_others / events;
        (r > 0.0).then_some(StratifiedRatio { low, ..whole })
    }
}

/// The count among the exposed less what to expect if exposure meant nothing, and its variance, given the
/// events of each stratum.
///
/// # Formula
/// ```text
/// mean = m n1/N, variance = m n1 n0 (N − m)/(N² (N − 1)) for customers, m n1 n0/N² for time
/// where m = events of the stratum
/// ```
#[must_use]
pub fn score_and_variance(strata: &[Stratum], basis: Basis) -> (f64, f64) {
    let (mut score, mut variance) = (0.0, 0.0);
    for stratum in strata.iter().filter(|stratum| stratum.compares()) {
        let (m, n) = (stratum.events(), stratum.exposed + stratum.others);
        let share = stratum.exposed / n;
        score += stratum.exposed_events as f64 - m * share;
        variance += m
            * share
            * (1.0 - share)
            * match basis {
                Basis::Customers if n > 1.0 => (n - m) / (n - 1.0),
                Basis::Customers => 0.0,
                Basis::Time => 1.0,
            };
    }
    (score, variance)
}

/// How likely so many events among the exposed, or more, are if exposure means nothing: exact, given the
/// events of each stratum.
///
/// The count is a sum of hypergeometric ones (customers) or binomial ones (time), whose distributions are
/// convolved; with more than 2,000 events in comparable strata the normal approximation with continuity
/// correction takes over. Not mid-p: the test never exceeds its level. Events are taken as independent.
///
/// # References
/// Cox and Snell (1989), Analysis of Binary Data, 2nd ed., section 2.5; Breslow and Day (1987), Statistical Methods in Cancer
/// Research II, section 3.6 (person-time).
#[must_use]
pub fn upper_tail(strata: &[Stratum], basis: Basis) -> f64 {
    let strata: Vec<&Stratum> = strata.iter().filter(|s| s.compares() && s.events() > 0.0).collect();
    let observed: u64 = strata.iter().map(|s| s.exposed_events).sum();
    let events: u64 = strata.iter().map(|s| s.exposed_events + s.other_events).sum();
    if observed == 0 {
        return 1.0;
    }
    if events > MOST_EXACT_EVENTS {
        let whole: Vec<Stratum> = strata.into_iter().copied().collect();
        let (score, variance) = score_and_variance(&whole, basis);
        return normal_upper_tail((score - 0.5) / variance.sqrt());
    }
    let (start, sum) = convolved(strata.into_iter().map(|stratum| distribution(stratum, basis)));
    let skipped = usize::try_from(observed.saturating_sub(start)).unwrap_or(usize::MAX);
    let tail: f64 = sum.iter().skip(skipped).rev().sum();
    tail.clamp(f64::MIN_POSITIVE, 1.0)
}

/// The distribution of a sum of counts, each given as its first value and the probabilities from there on.
pub(super) fn convolved(counts: impl Iterator<Item = (u64, Vec<f64>)>) -> (u64, Vec<f64>) {
    // `sum[i]` is the probability of `start + i`.
    let (mut start, mut sum) = (0, vec![1.0]);
    for (low, one) in counts {
        let mut next = vec![0.0; sum.len() + one.len() - 1];
        for (i, &p) in sum.iter().enumerate() {
            for (cell, &q) in next[i..].iter_mut().zip(&one) {
                *cell += p * q;
            }
        }
        let first = next.iter().position(|&p| p > NEGLIGIBLE).unwrap_or(0);
        let last = next.iter().rposition(|&p| p > NEGLIGIBLE).unwrap_or(next.len() - 1);
        (start, sum) = (start + low + first as u64, next[first..=last].to_vec());
    }
    (start, sum)
}

/// The distribution of the events among the exposed: its first value and the probabilities from there on.
pub(super) fn distribution(stratum: &Stratum, basis: Basis) -> (u64, Vec<f64>) {
    let m = stratum.exposed_events + stratum.other_events;
    let (low, high, odds): (u64, u64, Box<dyn Fn(u64) -> f64>) = match basis {
        Basis::Time => {
            let odds = stratum.exposed / stratum.others;
            (0, m, Box::new(move |x| (m - x) as f64 / (x + 1) as f64 * odds))
        }
        Basis::Customers => {
            let (n1, n0) = (stratum.exposed as u64, stratum.others as u64);
            let next = move |x: u64| {
                ((m - x) as f64 * (n1 - x) as f64) / ((x + 1) as f64 * ((n0 + x + 1) - m) as f64)
            };
            (m.saturating_sub(n0), m.min(n1), Box::new(next))
        }
    };
    // From the largest term outwards, so that nothing overflows.
    let share = stratum.exposed / (stratum.exposed + stratum.others);
    let middle = ((m as f64 * share) as u64).clamp(low, high.max(low));
    let mut terms = vec![0.0; (high.max(low) - low + 1) as usize];
    let at = (middle - low) as usize;
    terms[at] = 1.0;
    for x in at + 1..terms.len() {
        terms[x] = terms[x - 1] * odds(low + x as u64 - 1);
    }
    for x in (0..at).rev() {
        terms[x] = terms[x + 1] / odds(low + x as u64);
    }
    let total: f64 = terms.iter().sum();
    terms.iter_mut().for_each(|term| *term /= total);
    (low, terms)
}

/// P(Z ≥ z) of a standard normal; 1 where z is undefined.
#[must_use]
pub fn normal_upper_tail(z: f64) -> f64 {
    if z.is_nan() { 1.0 } else { (0.5 * erfc(z / std::f64::consts::SQRT_2)).clamp(f64::MIN_POSITIVE, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stratum(exposed_events: u64, exposed: f64, other_events: u64, others: f64) -> Stratum {
        Stratum { exposed_events, exposed, other_events, others }
    }

    /// University Group Diabetes Program, by age: Rothman, Epidemiology: An Introduction, chapter 8, gives
    /// 1.33 with .80 to 2.20.
    #[test]
    fn risks_of_a_published_trial() {
        let strata = [stratum(8, 106.0, 5, 120.0), stratum(22, 98.0, 16, 85.0)];
        let found = stratified_ratio(&strata, Basis::Customers, 1.0).unwrap();
        // Python, by the formulas.
        close(found.ratio, RISK[0]);
        close(found.low, RISK[1]);
        close(found.high, RISK[2]);
        close(found.expected, RISK[3]);
        close(upper_tail(&strata, Basis::Customers), RISK[4]);
        assert_eq!(found.observed, 30);
    }

    /// Clozapine and deaths, by age: Rothman, the same chapter, gives a rate ratio of .47.
    #[test]
    fn rates_of_a_published_study() {
        let strata = [stratum(196, 62_119.0, 111, 15_763.0), stratum(167, 6_085.0, 157, 2_780.0)];
        let found = stratified_ratio(&strata, Basis::Time, 1.0).unwrap();
        close(found.ratio, RATE[0]);
        close(found.low, RATE[1]);
        close(found.high, RATE[2]);
        assert!(upper_tail(&strata, Basis::Time) > 0.999);
        let turned = [stratum(11, 157.63, 20, 621.19), stratum(15, 27.80, 17, 60.85)];
        close(upper_tail(&turned, Basis::Time), RATE[3]);
    }

    #[test]
    fn small_tables_are_exact() {
        // Fisher's tea: 3 of 4 right, given the margins: 17/70.
        close(upper_tail(&[stratum(3, 4.0, 1, 4.0)], Basis::Customers), 17.0 / 70.0);
        // 5 of 6 events in half of the time: 7/64.
        close(upper_tail(&[stratum(5, 10.0, 1, 10.0)], Basis::Time), 7.0 / 64.0);
        assert_eq!(upper_tail(&[stratum(0, 10.0, 1, 10.0)], Basis::Time), 1.0);
        assert_eq!(upper_tail(&[stratum(3, 10.0, 0, 0.0)], Basis::Customers), 1.0);
    }

    #[test]
    fn the_normal_tail_joins_the_exact_one() {
        let exact = upper_tail(&[stratum(230, 1_000.0, 1_760, 9_000.0)], Basis::Customers);
        let normal = upper_tail(&[stratum(231, 1_000.0, 1_770, 9_000.0)], Basis::Customers);
        assert!((exact / normal - 1.0).abs() < 0.1, "{exact} {normal}");
    }

    #[test]
    fn without_events_the_interval_is_open_or_there_is_none() {
        let none = stratified_ratio(&[stratum(0, 20.0, 10, 100.0)], Basis::Customers, 1.0).unwrap();
        assert_eq!((none.ratio, none.low), (0.0, 0.0));
        // 0 of 10 events: a share of .3085 at most.
        close(none.high, (1.0 - 0.025_f64.powf(0.1)) / 0.025_f64.powf(0.1) * 5.0);
        let only = stratified_ratio(&[stratum(3, 20.0, 0, 100.0)], Basis::Customers, 1.0).unwrap();
        assert_eq!((only.ratio, only.high), (f64::INFINITY, f64::INFINITY));
        // 3 of 3 events: a share of .2924 at least (Clopper and Pearson), in a sixth of all customers.
        close(only.low, 0.292_401_773_821_286_6 / 0.707_598_226_178_713_4 * 5.0);
        assert!(stratified_ratio(&[stratum(0, 20.0, 0, 100.0)], Basis::Customers, 1.0).is_none());
        assert!(stratified_ratio(&[stratum(2, 20.0, 0, 0.0)], Basis::Customers, 1.0).is_none());
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} is not {expected}");
    }

    const RISK: [f64; 5] =
        [1.3255553241551052, 0.7979070401464857, 2.2021323650351112, 22.863725490196078, 0.1738356064781705];
    const RATE: [f64; 4] =
        [0.46887215559874845, 0.39983984476418555, 0.5498228882753623, 0.005200070142598115];
}
