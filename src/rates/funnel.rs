//! Which of many values stands out, where all of them differ a little?

/// The share of values at each end that is drawn in before the spread is measured.
const WINSORISED_FRACTION: f64 = 0.1;

/// How far each value lies from the centre, in standard deviations that allow for the values' own spread.
///
/// `estimates` are measured from where values lie that differ by chance only (logarithms of ratios, say), and
/// `standard_errors` are those of each; pairs that are not finite come back as NaN and do not count. Fewer than
/// about 20 values say little of a spread.
///
/// # Formula
/// ```text
/// z = y/s, drawn in to its 10 % and 90 % quantiles; φ = Σ z²/n
/// τ² = max(0, (n φ − (n − 1))/(Σ w − Σ w²/Σ w)), w = 1/s²
/// out = y/√(s² + τ²)
/// ```
/// # References
/// Spiegelhalter (2005), Statistics in Medicine 24:1185–1202, sections 4.1 and 4.2 (additive model).
#[must_use]
pub fn overdispersed_z(estimates: &[f64], standard_errors: &[f64]) -> Vec<f64> {
    let pairs: Vec<(f64, f64)> = estimates.iter().copied().zip(standard_errors.iter().copied()).collect();
    let sound = |&(y, s): &(f64, f64)| y.is_finite() && s.is_finite() && s > 0.0;
    let spread = spread_variance(pairs.iter().filter(|pair| sound(pair)).copied());
    let z =
        |pair: &(f64, f64)| if sound(pair) { pair.0 / (pair.1 * pair.1 + spread).sqrt() } else { f64::NAN };
    pairs.iter().map(z).collect()
}

/// τ².
fn spread_variance(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let mut z: Vec<f64> = pairs.clone().map(|(y, s)| y / s).collect();
    if z.len() < 2 {
        return 0.0;
    }
    z.sort_by(f64::total_cmp);
    let drawn_in = (WINSORISED_FRACTION * z.len() as f64) as usize;
    let (least, most) = (z[drawn_in], z[z.len() - 1 - drawn_in]);
    let squares: f64 = z.iter().map(|z| z.clamp(least, most).powi(2)).sum();
    let (mut weights, mut squared_weights) = (0.0, 0.0);
    for (_, s) in pairs {
        let weight = 1.0 / (s * s);
        weights += weight;
        squared_weights += weight * weight;
    }
    let room = weights - squared_weights / weights;
    if room > 0.0 { ((squares - (z.len() - 1) as f64) / room).max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_differ_by_chance_stay_as_they_are() {
        let y: Vec<f64> = (0..21).map(|i| (f64::from(i) - 10.0) / 10.0).collect();
        let z = overdispersed_z(&y, &[1.0; 21]);
        assert!(z.iter().zip(&y).all(|(z, y)| z == y));
    }

    /// Python, by the formulas.
    #[test]
    fn a_spread_draws_all_towards_the_centre() {
        let y: Vec<f64> = (0..20).map(|i| (f64::from(i * 7 % 20) - 9.5) / 10.0).collect();
        let s: Vec<f64> = (0..20).map(|i| 0.1 + 0.01 * f64::from(i)).collect();
        let z = overdispersed_z(&y, &s);
        assert!((z[0] - FUNNEL[0]).abs() < 1e-12 && (z[17] - FUNNEL[1]).abs() < 1e-12, "{z:?}");
    }

    #[test]
    fn what_is_not_finite_does_not_count() {
        let z = overdispersed_z(&[1.0, f64::INFINITY, 0.5], &[1.0, 1.0, 0.0]);
        assert!(z[0] == 1.0 && z[1].is_nan() && z[2].is_nan());
    }

    const FUNNEL: [f64; 2] = [-1.9158869955944413, 1.7096424937539136];
}
