//! How are gamma functions, and ratios of them, computed without losing digits?
//!
//! Likelihoods need ln Γ(a + n) − ln Γ(a) with two derivatives, also where a is large and the difference
//! small. No crate in the tree has the trigamma function or such differences, so Stirling's series is
//! summed here, on differences from the start.

/// A function's value and its first two derivatives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Jet {
    pub(super) value: f64,
    pub(super) slope: f64,
    pub(super) curvature: f64,
}

/// From here on, seven terms of Stirling's series are exact to 1e-17.
const STIRLING_FROM: f64 = 12.0;
/// The Bernoulli numbers B₂, B₄ … B₁₄ (Abramowitz and Stegun 1964, table 23.2).
const BERNOULLI: [f64; 7] =
    [1.0 / 6.0, -1.0 / 30.0, 1.0 / 42.0, -1.0 / 30.0, 5.0 / 66.0, -691.0 / 2730.0, 7.0 / 6.0];

/// ln Γ(z), ψ(z) and ψ′(z) for z > 0.
///
/// # Formula
/// ```text
/// ln Γ(z) = (z − ½) ln z − z + ½ ln 2π + Σ B₂ₖ / (2k (2k − 1) z²ᵏ⁻¹)
/// ```
/// # References
/// Abramowitz and Stegun (1964), equations 6.1.40, 6.3.18 and 6.4.11; 6.1.15 to shift small z.
pub(super) fn ln_gamma(z: f64) -> Jet {
    let half_ln_two_pi = 0.5 * std::f64::consts::TAU.ln();
    let shifts = shifts(z);
    let (mut product, mut slope, mut curvature) = (1.0, 0.0, 0.0);
    for i in 0..shifts {
        let factor = z + f64::from(i);
        product *= factor;
        slope -= 1.0 / factor;
        curvature += 1.0 / (factor * factor);
    }
    let z = z + f64::from(shifts);
    let rest = stirling_rest(z);
    Jet {
        value: (z - 0.5) * z.ln() - z + half_ln_two_pi + rest.value - f64::ln(product),
        slope: z.ln() - 0.5 / z + rest.slope + slope,
        curvature: 1.0 / z + 0.5 / (z * z) + rest.curvature + curvature,
    }
}

/// ln of the rising factorial, ln Γ(a + n) − ln Γ(a), with its derivatives by a; a > 0, n >= 0.
pub(super) fn ln_rising(a: f64, n: f64) -> Jet {
    let shifts = shifts(a);
    let (mut ratio, mut slope, mut curvature) = (1.0, 0.0, 0.0);
    for i in 0..shifts {
        let (low, high) = (a + f64::from(i), a + f64::from(i) + n);
        ratio *= low / high;
        let difference = n / low / high; // 1/low − 1/high
        slope += difference;
        curvature -= difference * (1.0 / low + 1.0 / high);
    }
    let (low, high) = (a + f64::from(shifts), a + f64::from(shifts) + n);
    let growth = (n / low).ln_1p();
    let difference = n / low / high;
    let (rest_low, rest_high) = (stirling_rest(low), stirling_rest(high));
    Jet {
        value: (low - 0.5) * growth + n * high.ln() - n + (rest_high.value - rest_low.value) + f64::ln(ratio),
        slope: growth + 0.5 * difference + (rest_high.slope - rest_low.slope) + slope,
        curvature: -difference * (1.0 + 0.5 * (1.0 / low + 1.0 / high))
            + (rest_high.curvature - rest_low.curvature)
            + curvature,
    }
}

/// How often to add 1 until Stirling's series holds.
fn shifts(z: f64) -> u32 {
    (STIRLING_FROM - z).ceil().max(0.0) as u32
}

/// Σ B₂ₖ / (2k (2k − 1) z²ᵏ⁻¹) with its derivatives.
fn stirling_rest(z: f64) -> Jet {
    let inverse_square = 1.0 / z / z;
    let mut jet = Jet { value: 0.0, slope: 0.0, curvature: 0.0 };
    for (k, bernoulli) in BERNOULLI.iter().enumerate().rev() {
        let order = 2.0 * (k + 1) as f64;
        jet.value = jet.value * inverse_square + bernoulli / (order * (order - 1.0));
        jet.slope = jet.slope * inverse_square - bernoulli / order;
        jet.curvature = jet.curvature * inverse_square + bernoulli;
    }
    Jet {
        value: jet.value / z,
        slope: jet.slope * inverse_square,
        curvature: jet.curvature * inverse_square / z,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE: f64 = 1e-13;

    #[track_caller]
    fn check(found: Jet, expected: [f64; 3]) {
        for (found, expected) in [found.value, found.slope, found.curvature].into_iter().zip(expected) {
            let error = (found - expected).abs() / expected.abs().max(1e-3);
            assert!(error < TOLERANCE, "{found} for {expected}");
        }
    }

    /// mpmath 1.3.0, 40 digits: loggamma, psi(0, z), psi(1, z).
    #[test]
    fn gamma_with_its_derivatives() {
        check(ln_gamma(1e-06), [13.815509980749432, -1000000.5772140201, 1000000000001.645]);
        check(ln_gamma(0.1), [2.252712651734206, -10.423754940411076, 101.43329915079275]);
        check(ln_gamma(0.5), [0.5723649429247001, -1.9635100260214235, 4.934802200544679]);
        check(ln_gamma(2.5), [0.2846828704729192, 0.7031566406452432, 0.49035775610023485]);
        check(ln_gamma(6.0), [4.787491742782046, 1.7061176684318005, 0.18132295573711532]);
        check(ln_gamma(11.9), [17.25847745059552, 2.4339335368825377, 0.08766320119000419]);
        check(ln_gamma(12.0), [17.502307845873887, 2.442661679975812, 0.08690187287176838]);
        check(ln_gamma(40.0), [106.63176026064346, 3.676327374034843, 0.02531510384129103]);
        check(ln_gamma(1000.0), [5905.220423209181, 6.907255195648812, 0.0010005001666666333]);
        check(ln_gamma(100000000.0), [1742068066.1038346, 18.420680738952367, 1.000000005e-08]);
    }

    /// mpmath 1.3.0, 60 digits: differences of the same.
    #[test]
    fn rising_factorials_keep_their_digits() {
        check(ln_rising(1e-06, 1.0), [-13.815510557964274, 1000000.0, -1000000000000.0001]);
        check(ln_rising(1e-06, 50.0), [130.75023786758513, 1000004.4792037136, -1000000000001.6249]);
        check(ln_rising(0.25, 0.0), [0.0, 0.0, 0.0]);
        check(ln_rising(0.25, 1.0), [-1.3862943611198906, 4.0, -16.0]);
        check(ln_rising(0.25, 200.0), [857.9697576978508, 9.524521162293794, -17.192322907140568]);
        check(ln_rising(0.8, 2.5), [0.8350388994948971, 1.9998310557657601, -1.9459725956606382]);
        check(ln_rising(2.4, 1000.0), [5921.58385549323, 6.2567523480733955, -0.5141544053766505]);
        check(ln_rising(11.5, 3.0), [7.570765365121844, 0.24103059581320452, -0.019448405122899276]);
        check(ln_rising(12.0, 7.0), [18.893137362159166, 0.4752307333189686, -0.0328609668340722]);
        check(
            ln_rising(100.0, 0.001),
            [0.004600166877804585, 1.0050116161172019e-05, -1.0100398474355656e-07],
        );
        check(ln_rising(10000.0, 2.0), [18.4207807389527, 0.00019999000099990002, -1.9998000299960004e-08]);
        check(
            ln_rising(100000000.0, 3.0),
            [55.2620422618571, 2.9999999700000005e-08, -2.9999999400000017e-16],
        );
        check(
            ln_rising(1000000000000.0, 200.0),
            [5526.204223205609, 1.999999999801e-10, -1.999999999602e-22],
        );
        check(ln_rising(3.0, 1000000.0), [12815545.322535105, 12.892728722862724, -0.39493306685072643]);
    }
}
