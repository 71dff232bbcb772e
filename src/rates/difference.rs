//! By how much do two rates differ? Treated less control, over strata or without.
//!
//! Newcombe's interval adds up the intervals of the two rates; Miettinen and Nurminen's holds every difference
//! that a score test would not reject. Both stay of use for few events; where these are very few, the difference to judge
//! by has an exact test beside it. Over strata, all weigh a
//! stratum by n₁n₂/(n₁ + n₂), as Mantel and Haenszel do.

use serde::Serialize;
use statrs::function::erf::{erfc, erfc_inv};

use super::exact::exact;
use super::stratified::Stratum;

/// With fewer events in both arms together (returned, or not returned), there is no verdict.
pub const LEAST_EVENTS: u64 = 10;

/// Successes among the customers of two arms, within one stratum.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct TwoArms {
    /// Successes among the treated.
    pub treated_successes: u64,
    /// The treated.
    pub treated: u64,
    /// Successes among the control.
    pub control_successes: u64,
    /// The control.
    pub control: u64,
}

/// A difference with its doubt: treated less control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What was found.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The chance of a difference at least as large, either way, where there is none; 0 to 1.
    pub p: f64,
    /// How often such intervals cover the truth, such as 0.95.
    pub level: f64,
}

/// The normal quantile z with P(|Z| ≤ z) = `level`; `None` unless it lies between 0 and 1.
pub(crate) fn two_sided_quantile(level: f64) -> Option<f64> {
    (level > 0.0 && level < 1.0).then(|| std::f64::consts::SQRT_2 * erfc_inv(1.0 - level))
}

/// P(|Z| ≥ |z|).
pub(crate) fn two_sided_p(z: f64) -> f64 {
    erfc(z.abs() / std::f64::consts::SQRT_2).min(1.0)
}

impl TwoArms {
    fn is_valid(&self) -> bool {
        self.treated_successes <= self.treated && self.control_successes <= self.control
    }

    /// Whether it can compare at all.
    fn compares(&self) -> bool {
        self.treated > 0 && self.control > 0
    }

    fn rates(&self) -> (f64, f64) {
        (
            self.treated_successes as f64 / self.treated as f64,
            self.control_successes as f64 / self.control as f64,
        )
    }

    fn counted(&self) -> Stratum {
        Stratum {
            exposed_events: self.treated_successes,
            exposed: self.treated as f64,
            other_events: self.control_successes,
            others: self.control as f64,
        }
    }

    fn weight(&self) -> f64 {
        let (treated, control) = (self.treated as f64, self.control as f64);
        treated * control / (treated + control)
    }

    /// The variance of the difference where it is truly `difference`: at the rates of greatest likelihood
    /// that lie so far apart, times n/(n − 1).
    fn variance_at(&self, difference: f64) -> f64 {
        let (first, second) = self.rates_at(difference);
        let (n1, n2) = (self.treated as f64, self.control as f64);
        let all = n1 + n2;
        (first * (1.0 - first) / n1 + second * (1.0 - second) / n2) * all / (all - 1.0)
    }

    /// The rates of greatest likelihood under a given difference: the root of a cubic, in closed form.
    fn rates_at(&self, difference: f64) -> (f64, f64) {
        let (n1, n2) = (self.treated as f64, self.control as f64);
        let (x1, x2) = (self.treated_successes as f64, self.control_successes as f64);
        let (n, x) = (n1 + n2, x1 + x2);
        // Miettinen and Nurminen's equation in the rate of the control.
        let l3 = n;
        let l2 = (n1 + 2.0 * n2) * difference - n - x;
        let l1 = (n2 * difference - n - 2.0 * x2) * difference + x;
        let l0 = x2 * difference * (1.0 - difference);
        let third = l2 / (3.0 * l3);
        let c = third.powi(3) - l1 * l2 / (6.0 * l3 * l3) + l0 / (2.0 * l3);
        let b = (third * third - l1 / (3.0 * l3)).max(0.0).sqrt().copysign(c);
        let angle = if b == 0.0 { 0.0 } else { (c / b.powi(3)).clamp(-1.0, 1.0).acos() };
        let a = (std::f64::consts::PI + angle) / 3.0;
        let second = (2.0 * b * a.cos() - third).clamp((-difference).max(0.0), (1.0 - difference).min(1.0));
        ((second + difference).clamp(0.0, 1.0), second)
    }
}

/// The strata that compare, with weights that add up to 1.
fn weighted(strata: &[TwoArms]) -> Option<Vec<(TwoArms, f64)>> {
    if !strata.iter().all(TwoArms::is_valid) {
        return None;
    }
    let used: Vec<TwoArms> = strata.iter().copied().filter(TwoArms::compares).collect();
    let total: f64 = used.iter().map(TwoArms::weight).sum();
    (total > 0.0).then(|| used.into_iter().map(|stratum| (stratum, stratum.weight() / total)).collect())
}

fn weighted_difference(strata: &[(TwoArms, f64)]) -> f64 {
    strata
        .iter()
        .map(|(stratum, weight)| {
            let (first, second) = stratum.rates();
            weight * (first - second)
        })
        .sum()
}

/// How far the data lie from a true difference, in standard errors.
fn score(strata: &[(TwoArms, f64)], difference: f64) -> f64 {
    let apart = weighted_difference(strata) - difference;
    let variance: f64 =
        strata.iter().map(|(stratum, weight)| weight * weight * stratum.variance_at(difference)).sum();
    if apart == 0.0 { 0.0 } else { apart / variance.max(0.0).sqrt() }
}

/// The interval of all differences that a score test does not reject, after Miettinen and Nurminen, over
/// strata; one stratum is their simple interval. The p-value is that of the score test of no difference.
///
/// The effect is taken to be one; where it differs by stratum, the estimate is its average under the weights.
/// Strata in which one arm is empty tell nothing and are left out. `None` where none is left, where there are
/// more successes than customers, or where `level` does not lie between 0 and 1.
///
/// # Formula
/// ```text
/// all δ with |Σ w (p₁ − p₂ − δ)| ≤ z √(Σ w² V(δ)),   w ∝ n₁ n₂ / n
/// V(δ) = (p̃₁ (1 − p̃₁)/n₁ + p̃₂ (1 − p̃₂)/n₂) n/(n − 1),   n = n₁ + n₂
/// where p̃₁ − p̃₂ = δ are the rates of greatest likelihood, and z is the normal quantile of the level
/// ```
/// # References
/// Miettinen and Nurminen (1985), Statistics in Medicine 4:213–226, equations 8, 9 and 20 and appendix I;
/// weights of Mantel and Haenszel, as in Greenland and Robins (1985), Biometrics 41:55–68.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// use winback::rates::{TwoArms, miettinen_nurminen};
/// let arms = TwoArms { treated_successes: 56, treated: 70, control_successes: 48, control: 80 };
/// let found = miettinen_nurminen(&[arms], 0.95).ok_or("nothing to compare")?;
/// assert_eq!(format!("{:.4} {:.4}", found.low, found.high), "0.0528 0.3382");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn miettinen_nurminen(strata: &[TwoArms], level: f64) -> Option<Difference> {
    let z = two_sided_quantile(level)?;
    let strata = weighted(strata)?;
    let estimate = weighted_difference(&strata);
    // The score falls from its value at −1 to that at 1, through 0 at the estimate.
    let end = |bound: f64, target: f64| {
        let (mut inside, mut outside) = (estimate, bound);
        for _ in 0..100 {
            let middle = 0.5 * (inside + outside);
            if score(&strata, middle).abs() <= target { inside = middle } else { outside = middle }
        }
        inside
    };
    Some(Difference {
        estimate,
        low: end(-1.0, z),
        high: end(1.0, z),
        p: two_sided_p(score(&strata, 0.0)),
        level,
    })
}

/// The difference to judge by: [`miettinen_nurminen`]'s, and where events are few an exact test's too.
///
/// Where fewer than 20 events (or customers without one) would be expected in either arm if these did not differ, the
/// normal distribution is no guide. There an exact test, given the events of each stratum, is made as well: p is the
/// larger of the two and the interval covers both, so that it holds 0 whenever p is above 1 − `level`. It then covers more
/// often than it says.
///
/// `None` as there.
///
/// # Formula
/// ```text
/// T, the successes of the treated, is a sum of hypergeometric counts, tilted by a common odds ratio ψ
/// p = 2 min(P₁(T ≤ t), P₁(T ≥ t)),  all δ = (E_ψ T − E₁ T)/Σ (n₁ n₂/n) with P_ψ(T ≤ t) and P_ψ(T ≥ t) ≥ (1 − level)/2
/// ```
/// # References
/// Cornfield (1956), Proceedings of the Third Berkeley Symposium 4:135–148; Gart (1970), Biometrika 57:471–475 (exact, over
/// strata); the smallest expected count after Mantel and Fleiss (1980), American Journal of Epidemiology 112:129–134.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// use winback::rates::{TwoArms, miettinen_nurminen, rate_difference};
/// // One event in all, of 10 held out.
/// let arms = TwoArms { treated_successes: 0, treated: 90, control_successes: 1, control: 10 };
/// let score = miettinen_nurminen(&[arms], 0.95).ok_or("nothing to compare")?;
/// let found = rate_difference(&[arms], 0.95).ok_or("nothing to compare")?;
/// assert_eq!(format!("{:.4} {:.4}", score.p, found.p), "0.0027 0.2000");
/// assert!(score.high < 0.0 && found.high > 0.0);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn rate_difference(strata: &[TwoArms], level: f64) -> Option<Difference> {
    let found = miettinen_nurminen(strata, level)?;
    let compared: Vec<Stratum> =
        strata.iter().filter(|stratum| stratum.compares()).map(TwoArms::counted).collect();
    let Some(few) = exact(&compared, level) else { return Some(found) };
    Some(Difference {
        low: found.low.min(few.low),
        high: found.high.max(few.high),
        p: found.p.max(few.p),
        ..found
    })
}

/// Newcombe's interval, from Wilson's intervals of both rates, over strata; one stratum is his simple interval.
/// The p-value is that of [`miettinen_nurminen`].
///
/// `None` as there.
///
/// # Formula
/// ```text
/// low  = d − z √(λ₁ L₁ (1 − L₁) + λ₂ U₂ (1 − U₂)),   high = d + z √(λ₁ U₁ (1 − U₁) + λ₂ L₂ (1 − L₂))
/// d = Σ w (p₁ − p₂),  w ∝ n₁ n₂ / n,  λ = Σ w²/n of an arm
/// L = Σ w l, U = Σ w u of Wilson's ends l, u of the strata at the quantile z √(Σ w² v) / Σ w √v, v = p (1 − p)/n
/// ```
/// Where every rate of an arm is 0 or 1, that quantile is taken at v = 1/n.
///
/// # References
/// Newcombe (1998), Statistics in Medicine 17:873–890, method 10; over strata Yan and Su (2010), Statistics in
/// Biopharmaceutical Research 2:329–335.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// use winback::rates::{TwoArms, stratified_newcombe};
/// let arms = TwoArms { treated_successes: 56, treated: 70, control_successes: 48, control: 80 };
/// let found = stratified_newcombe(&[arms], 0.95).ok_or("nothing to compare")?;
/// assert_eq!(format!("{:.4} {:.4}", found.low, found.high), "0.0524 0.3339");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn stratified_newcombe(strata: &[TwoArms], level: f64) -> Option<Difference> {
    let z = two_sided_quantile(level)?;
    let strata = weighted(strata)?;
    let estimate = weighted_difference(&strata);
    let side = |of: fn(&TwoArms) -> (u64, u64)| {
        let arm: Vec<(f64, f64, f64)> = strata
            .iter()
            .map(|(stratum, weight)| {
                let (successes, trials) = of(stratum);
                (successes as f64 / trials as f64, trials as f64, *weight)
            })
            .collect();
        weighted_wilson(&arm, z)
    };
    let (low1, high1, lambda1) = side(|stratum| (stratum.treated_successes, stratum.treated));
    let (low2, high2, lambda2) = side(|stratum| (stratum.control_successes, stratum.control));
    let spread = |p: f64| p * (1.0 - p);
    Some(Difference {
        estimate,
        low: (estimate - z * (lambda1 * spread(low1) + lambda2 * spread(high2)).sqrt()).max(-1.0),
        high: (estimate + z * (lambda1 * spread(high1) + lambda2 * spread(low2)).sqrt()).min(1.0),
        p: two_sided_p(score(&strata, 0.0)),
        level,
    })
}

/// Wilson's ends of a weighted rate, and Σ w²/n. Each stratum is (rate, trials, weight).
fn weighted_wilson(strata: &[(f64, f64, f64)], z: f64) -> (f64, f64, f64) {
    let lambda = strata.iter().map(|(_, n, w)| w * w / n).sum();
    let spread: f64 = strata.iter().map(|(p, ..)| p * (1.0 - p)).sum();
    let variance = |p: f64, n: f64| if spread == 0.0 { 1.0 / n } else { p * (1.0 - p) / n };
    let (mut squares, mut roots) = (0.0, 0.0);
    for &(p, n, w) in strata {
        squares += w * w * variance(p, n);
        roots += w * variance(p, n).sqrt();
    }
    let z = z * squares.sqrt() / roots;
    let (mut low, mut high) = (0.0, 0.0);
    for &(p, n, w) in strata {
        let middle = p + z * z / (2.0 * n);
        let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        low += w * ((middle - reach) / scale).max(0.0);
        high += w * ((middle + reach) / scale).min(1.0);
    }
    (low, high, lambda)
}
