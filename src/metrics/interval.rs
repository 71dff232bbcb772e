//! How far may an estimate be off? Intervals, and the one distribution they need.

use std::fmt;

use serde::Serialize;

/// An estimate with its doubt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// What was found.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Standard deviation of the estimate.
    pub standard_error: f64,
    /// How often such intervals cover the truth, between 0 and 1, such as 0.95.
    pub level: f64,
    /// How the ends were found.
    pub method: IntervalMethod,
}

/// How the ends of an [`Interval`] were found.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IntervalMethod {
    /// Estimate ± normal quantile × standard error.
    Wald,
    /// Wilson's score interval of a share.
    Wilson,
    /// Wald, with the standard error of DeLong et al. Each customer appears once.
    #[serde(rename = "delong")]
    DeLong,
    /// Wald on the log of minus the log of a survival, with Greenwood's variance.
    LogLog,
    /// Newcombe's of a difference of two shares, from their Wilson intervals.
    Newcombe,
    /// Quantiles of the replicates of a bootstrap.
    BootstrapPercentile,
    /// Quantiles of the replicates of a bootstrap, mirrored at the estimate.
    BootstrapBasic,
}

impl Interval {
    /// Estimate ± normal quantile × standard error; `None` unless `level` lies between 0 and 1 and both
    /// numbers are finite.
    pub(crate) fn wald(
        estimate: f64,
        standard_error: f64,
        level: f64,
        method: IntervalMethod,
    ) -> Option<Self> {
        let reach = two_sided(level)? * standard_error;
        (estimate.is_finite() && reach.is_finite()).then_some(Self {
            estimate,
            low: estimate - reach,
            high: estimate + reach,
            standard_error,
            level,
            method,
        })
    }

    /// The same with its ends brought back into the range that is possible.
    pub(crate) fn within(self, least: f64, most: f64) -> Self {
        Self { low: self.low.max(least), high: self.high.min(most), ..self }
    }
}

/// `0.8123 (0.7990 to 0.8256, 95 %)`; a precision applies to the three numbers, 4 if none is given.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(4);
        let Self { estimate, low, high, level, .. } = self;
        // Rounded, because 0.95 × 100 may not be 95.
        let percent = (level * 1e6).round() / 1e4;
        write!(f, "{estimate:.digits$} ({low:.digits$} to {high:.digits$}, {percent} %)")
    }
}

/// Wilson's score interval of the share `successes / trials`. It stays within 0 and 1 and is of use for
/// small counts too, those of 0 included. `None` for no trials, more successes than trials, or a `level`
/// that does not lie between 0 and 1. The standard error is √(p(1 − p)/n).
///
/// # Formula
/// ```text
/// (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)
/// where p = successes/n, n = trials and z is the normal quantile of the level
/// ```
/// # References
/// Wilson (1927), Journal of the American Statistical Association 22:209–212.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// let share = winback::metrics::wilson(0, 10, 0.95).ok_or("no trials")?;
/// assert_eq!(share.to_string(), "0.0000 (0.0000 to 0.2775, 95 %)");
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn wilson(successes: usize, trials: usize, level: f64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    wilson_share(successes as f64 / trials as f64, trials as f64, level)
}

/// The same of a share known from elsewhere, such as a weighted one, and the trials it is worth.
pub(crate) fn wilson_share(estimate: f64, n: f64, level: f64) -> Option<Interval> {
    if !((0.0..=1.0).contains(&estimate) && n > 0.0 && n.is_finite()) {
        return None;
    }
    let z = two_sided(level)?;
    let standard_error = (estimate * (1.0 - estimate) / n).sqrt();
    let middle = estimate + z * z / (2.0 * n);
    let reach = z * (estimate * (1.0 - estimate) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    // At the borders the ends are exact, and rounding must not say otherwise.
    let low = if estimate == 0.0 { 0.0 } else { (middle - reach) / scale };
    let high = if estimate == 1.0 { 1.0 } else { (middle + reach) / scale };
    Some(Interval { estimate, low, high, standard_error, level, method: IntervalMethod::Wilson })
}

/// The normal quantile z with P(|Z| ≤ z) = `level`; `None` unless it lies between 0 and 1.
pub(crate) fn two_sided(level: f64) -> Option<f64> {
    (level > 0.0 && level < 1.0).then(|| upper_quantile((1.0 - level) / 2.0))
}

/// The normal quantile that is exceeded with probability `tail`, which lies in (0, ½).
///
/// Wichura (1988), Applied Statistics 37:477–484, algorithm AS 241, PPND16: about 16 digits.
fn upper_quantile(tail: f64) -> f64 {
    let q = 0.5 - tail;
    if q <= 0.425 {
        let r = 0.180625 - q * q;
        return q * polynomial(&CENTRE.0, r) / polynomial(&CENTRE.1, r);
    }
    let r = (-tail.ln()).sqrt();
    let (part, r) = if r <= 5.0 { (&MIDDLE, r - 1.6) } else { (&FAR, r - 5.0) };
    polynomial(&part.0, r) / polynomial(&part.1, r)
}

/// Σ cₖ xᵏ, the highest power first.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

/// Numerator and denominator.
type Rational = ([f64; 8], [f64; 8]);

const CENTRE: Rational = (
    [
        2509.0809287301227,
        33430.57558358813,
        67265.7709270087,
        45921.95393154987,
        13731.69376550946,
        1971.5909503065513,
        133.14166789178438,
        3.3871328727963665,
    ],
    [
        5226.495278852546,
        28729.085735721943,
        39307.89580009271,
        21213.794301586597,
        5394.196021424751,
        687.1870074920579,
        42.31333070160091,
        1.0,
    ],
);
const MIDDLE: Rational = (
    [
        0.0007745450142783414,
        0.022723844989269184,
        0.2417807251774506,
        1.2704582524523684,
        3.6478483247632045,
        5.769497221460691,
        4.630337846156546,
        1.4234371107496835,
    ],
    [
        1.0507500716444169e-09,
        0.0005475938084995345,
        0.015198666563616457,
        0.14810397642748008,
        0.6897673349851,
        1.6763848301838038,
        2.053191626637759,
        1.0,
    ],
);
const FAR: Rational = (
    [
        2.0103343992922881e-07,
        2.7115555687434876e-05,
        0.0012426609473880784,
        0.026532189526576124,
        0.29656057182850487,
        1.7848265399172913,
        5.463784911164114,
        6.657904643501103,
    ],
    [
        2.0442631033899397e-15,
        1.421511758316446e-07,
        1.8463183175100548e-05,
        0.0007868691311456133,
        0.014875361290850615,
        0.1369298809227358,
        0.599832206555888,
        1.0,
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1, `norm.isf`.
    #[test]
    fn quantiles_of_all_three_ranges() {
        let expected = [
            (0.4, 0.2533471031357997),
            (0.1, 1.2815515655446004),
            (0.05, 1.6448536269514729),
            (0.025, 1.9599639845400545),
            (0.005, 2.575829303548901),
            (1e-06, 4.753424308822899),
            (1e-13, 7.348796102800677),
        ];
        for (tail, quantile) in expected {
            let found = upper_quantile(tail);
            assert!((found / quantile - 1.0).abs() < 1e-14, "{tail}: {found} is not {quantile}");
        }
    }

    #[test]
    fn shares_without_an_answer() {
        assert!(wilson(0, 0, 0.95).is_none());
        assert!(wilson(2, 1, 0.95).is_none());
        for level in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(wilson(1, 2, level).is_none());
        }
    }

    #[test]
    fn a_share_and_its_complement_mirror_each_other() {
        let (few, many) = (wilson(3, 17, 0.9).unwrap(), wilson(14, 17, 0.9).unwrap());
        assert!((few.low - (1.0 - many.high)).abs() < 1e-15);
        assert!((few.high - (1.0 - many.low)).abs() < 1e-15);
        assert_eq!(wilson(17, 17, 0.9).unwrap().high, 1.0);
    }

    #[test]
    fn a_precision_is_kept() {
        let interval = Interval::wald(0.5, 0.1, 0.9, IntervalMethod::Wald).unwrap();
        assert_eq!(format!("{interval:.2}"), "0.50 (0.34 to 0.66, 90 %)");
    }
}
