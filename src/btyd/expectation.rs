//! How often will someone who has not left buy before leaving?
//!
//! The customer buys at a rate λ ~ Gamma(shape, rate) and leaves after each purchase with probability
//! p ~ Beta(a, c); asked is E[(1 − e^(−λpt)) / p]. The papers write it with Gauss's ₂F₁, which divides 0 by 0
//! at a = 1 and loses all digits where a + c is large. Two sums of positive terms have no such places.

/// Up to so many terms the sum over purchases is taken, beyond them the integral.
const MOST_TERMS: f64 = 500.0;
/// Terms below this share of their sum are left out.
const NEGLIGIBLE: f64 = 1e-17;
/// Horizons end at this multiple of the rate, beyond which nothing that fits into a float changes.
const LONGEST_HORIZON: f64 = 1e250;
/// The integral's step, in logits, or in standard deviations where that is less.
const STEP: f64 = 0.25;

/// Expected purchases within `horizon` of someone who has not left.
///
/// # Formula
/// ```text
/// (a+c−1)/(a−1) · [1 − (A/(A+t))^s ₂F₁(s, c; a+c−1; t/(A+t))]
///     = Σ_{n≥1} NB(n; s, t/(A+t)) Σ_{k<n} (c)_k / (a+c)_k
///     = E_p[(1 − (1 + pt/A)^(−s)) / p]
/// ```
/// where s is the shape, A the rate, and NB(n) = (s)_n/n! (A/(A+t))^s (t/(A+t))^n is the chance of n
/// purchases if nobody left.
///
/// # References
/// The first line: Fader, Hardie and Lee (2005), Marketing Science 24:275–284, equation 10. The second
/// follows by expanding both of its terms in powers of t/(A+t); the third by averaging over λ first.
pub(super) fn purchases_while_alive(shape: f64, rate: f64, a: f64, c: f64, horizon: f64) -> f64 {
    if horizon == f64::INFINITY {
        return if a > 1.0 { (a + c - 1.0) / (a - 1.0) } else { f64::INFINITY };
    }
    let ratio = (horizon / rate).min(LONGEST_HORIZON);
    // The mean of NB, and how long its tail is.
    if shape * ratio + 40.0 * (1.0 + ratio) < MOST_TERMS {
        by_purchases(shape, ratio, a, c)
    } else {
        by_integral(shape, ratio, a, c)
    }
}

fn by_purchases(shape: f64, ratio: f64, a: f64, c: f64) -> f64 {
    let share = ratio / (1.0 + ratio);
    let mut chance = (-shape * ratio.ln_1p()).exp(); // of n purchases if nobody left
    let mut stayed = 1.0; // (c)_k / (a + c)_k: through k chances to leave
    let (mut bought, mut sum, mut n) = (0.0, 0.0, 0.0);
    loop {
        chance *= (shape + n) / (n + 1.0) * share;
        bought += stayed;
        stayed *= (c + n) / (a + c + n);
        n += 1.0;
        let term = chance * bought;
        sum += term;
        // From here on the terms fall at least as fast as a geometric series.
        let fall = (shape + n) / (n + 1.0) * share * (1.0 + 1.0 / n);
        if fall < 1.0 && term * fall <= NEGLIGIBLE * sum * (1.0 - fall) {
            return sum;
        }
    }
}

fn by_integral(shape: f64, ratio: f64, a: f64, c: f64) -> f64 {
    average(a, c, ratio * (shape + 1.0), |p| -(-shape * (p * ratio).ln_1p()).exp_m1() / p)
}

/// The chance that someone who has not left buys in the `horizon` that begins after `lead`, averaged over
/// their chance to leave, p ~ Beta(a, c): not left by the lead's end, and then not silent.
///
/// # Formula
/// ```text
/// E_p[(1 + pL/A)^(−s) − (1 + pL/A + H/A)^(−s)]    with s the shape and A the rate
/// ```
pub(super) fn purchase_after(shape: f64, rate: f64, [a, c]: [f64; 2], [lead, horizon]: [f64; 2]) -> f64 {
    let [lead, horizon] = [lead, horizon].map(|time| (time / rate).min(LONGEST_HORIZON));
    average(a, c, lead * (shape + 1.0), |p| {
        let waited = p * lead;
        (-shape * waited.ln_1p()).exp() * -(-shape * (horizon / (1.0 + waited)).ln_1p()).exp_m1()
    })
}

/// The average of a function of p over Beta(a, c). It must be smooth, positive and falling, and as good as
/// constant where p is far below 1 / `steepness`.
///
/// The trapezoidal rule over the logit of p, which is exact to rounding for such
/// integrands (Trefethen and Weideman 2014, SIAM Review 56:385–458). The Beta density's constant cancels.
fn average(a: f64, c: f64, steepness: f64, of: impl Fn(f64) -> f64) -> f64 {
    let (mode, rest) = (a / (a + c), c / (a + c));
    let mode_logit = (a / c).ln();
    let deviation = (1.0 / a + 1.0 / c).sqrt();
    let step = STEP * deviation.min(1.0);
    let at = |distance: f64| {
        let weight =
            (-a * (rest * (-distance).exp_m1()).ln_1p() - c * (mode * distance.exp_m1()).ln_1p()).exp();
        let p = 1.0 / (1.0 + (-mode_logit - distance).exp());
        (weight, weight * of(p))
    };
    let (mut weights, mut sum) = at(0.0);
    // To the left p, to the right 1 − p ends up so small that the rest is a geometric series.
    let left = NEGLIGIBLE.ln() - f64::ln_1p(steepness + c);
    let right = f64::ln_1p(a) - NEGLIGIBLE.ln();
    for (sign, decay) in [(-1.0, a), (1.0, c)] {
        let (mut last, mut distance) = (sum, 0.0);
        loop {
            distance += sign * step;
            let (weight, term) = at(distance);
            weights += weight;
            sum += term;
            let logit = mode_logit + distance;
            if logit < left || logit > right {
                let beyond = 1.0 / (decay * step).exp_m1();
                weights += weight * beyond;
                sum += term * beyond;
                break;
            }
            if term <= last && term <= NEGLIGIBLE * sum && weight <= NEGLIGIBLE * weights {
                break;
            }
            last = term;
        }
    }
    sum / weights
}
