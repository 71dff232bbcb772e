//! How many of many findings are chance? False discovery rates.

/// The q-value of each test, in the order given: the smallest share of false findings among all findings at
/// which this one would still be one (Benjamini and Hochberg).
///
/// Meant for tests that are independent or lean the same way. Segment values compared with the rest lean
/// slightly against each other, by one part in the number of values; Benjamini and Yekutieli's correction for
/// any dependence would cost a factor of ln(tests), and is there as [`q_values_any_dependence`]. Null counts
/// as 1.
///
/// # Formula
/// ```text
/// q(i) = min over j ≥ i of n p(j)/j, where p(1) ≤ … ≤ p(n)
/// ```
/// # References
/// Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57:289–300.
///
/// ```
/// assert_eq!(winback::rates::q_values(&[0.01, 0.04, 0.03]), [0.03, 0.04, 0.04]);
/// ```
#[must_use]
pub fn q_values(p: &[f64]) -> Vec<f64> {
    stepped_up(p, 1.0)
}

/// The same, right under any dependence between the tests: times Σ 1/i.
///
/// # References
/// Benjamini and Yekutieli (2001), Annals of Statistics 29:1165–1188, theorem 1.3.
#[must_use]
pub fn q_values_any_dependence(p: &[f64]) -> Vec<f64> {
    stepped_up(p, (1..=p.len()).map(|i| 1.0 / i as f64).sum())
}

fn stepped_up(p: &[f64], factor: f64) -> Vec<f64> {
    let known = |p: f64| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) };
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| known(p[b]).total_cmp(&known(p[a])).then(a.cmp(&b)));
    let mut q = vec![1.0; p.len()];
    let mut least: f64 = 1.0;
    for (above, &test) in order.iter().enumerate() {
        least = least.min(known(p[test]) * p.len() as f64 * factor / (p.len() - above) as f64);
        q[test] = least;
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Benjamini and Hochberg (1995), section 4: fifteen tests, of which four are found at .05.
    const PUBLISHED: [f64; 15] = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
        0.6528, 0.7590, 1.0,
    ];

    #[test]
    fn the_published_example() {
        let q = q_values(&PUBLISHED);
        assert_eq!(q.iter().filter(|&&q| q <= 0.05).count(), 4);
        assert!((q[3] - 0.0095 * 15.0 / 4.0).abs() < 1e-15);
        // 0.0298 × 15/7 is less than 0.0201 × 15/5 and 0.0278 × 15/6, which it replaces.
        assert!((q[4] - 0.0603).abs() < 1e-15 && (q[5] - 0.0298 * 15.0 / 7.0).abs() < 1e-15);
    }

    #[test]
    fn any_dependence_costs_the_harmonic_sum() {
        let harmonic: f64 = (1..=15).map(|i| 1.0 / f64::from(i)).sum();
        let pairs = q_values(&PUBLISHED).into_iter().zip(q_values_any_dependence(&PUBLISHED));
        assert!(pairs.into_iter().all(|(q, any)| (any - (q * harmonic).min(1.0)).abs() < 1e-12));
    }

    #[test]
    fn null_is_no_finding() {
        assert_eq!(q_values(&[f64::NAN, 0.01]), [1.0, 0.02]);
        assert!(q_values(&[]).is_empty());
    }
}
