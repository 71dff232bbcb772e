//! Which straight line would set the probabilities right?

use serde::Serialize;

use super::interval::{Interval, IntervalMethod};

const MOST_ITERATIONS: usize = 100;
const MOST_HALVINGS: usize = 60;
/// Newton ends when no mean gradient exceeds this (the log-odds have unit variance).
const GRADIENT_TOLERANCE: f64 = 1e-13;

/// The logistic recalibration of probabilities: log-odds of what came against log-odds of what was said.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CalibrationLine {
    /// Calibration in the large: the log-odds to add to all, the slope held at 1. Below 0: too many
    /// were said to churn.
    pub in_the_large: Interval,
    /// The line's intercept a, log-odds. Perfect: 0.
    pub intercept: Interval,
    /// Its slope b. Perfect: 1; below 1: too extreme; above 1: too timid.
    pub slope: Interval,
}

/// Fits logit P(churned) = a + b logit(p) by maximum likelihood; probabilities are kept 2⁻⁵² away from
/// 0 and 1. `None` where no line is best: either class missing, all probabilities alike, classes that a
/// threshold parts (ties at it allowed), a `level` that does not lie between 0 and 1, or other lengths.
///
/// `customers`, contiguous, make the standard errors robust where a customer has several rows; `None`
/// takes each row for another customer and uses the information matrix.
///
/// # Formula
/// ```text
/// Σ (y − σ(a + b x)) (1, x) = 0    where x = ln(p/(1 − p)) and σ is the logistic function
/// in the large: Σ (y − σ(a + x)) = 0
/// ```
/// # References
/// Cox (1958), Biometrika 45:562–565; existence: Albert and Anderson (1984), Biometrika 71:1–10; clusters:
/// Liang and Zeger (1986), Biometrika 73:13–22.
///
/// ```
/// # fn main() -> Result<(), &'static str> {
/// // One of four where .2 was said, three of four where .8 was said: right side, too extreme.
/// let probabilities = [0.2, 0.2, 0.2, 0.2, 0.8, 0.8, 0.8, 0.8];
/// let labels = [true, false, false, false, true, true, true, false];
/// let line = winback::metrics::calibration_line(&probabilities, &labels, None, 0.95).ok_or("no line")?;
/// assert!((line.slope.estimate - 3_f64.ln() / 4_f64.ln()).abs() < 1e-9);
/// assert!(line.intercept.estimate.abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn calibration_line(
    probabilities: &[f64],
    labels: &[bool],
    customers: Option<&[u32]>,
    level: f64,
) -> Option<CalibrationLine> {
    let n = labels.len();
    if probabilities.len() != n || customers.is_some_and(|customers| customers.len() != n) {
        return None;
    }
    let x: Vec<f64> = probabilities.iter().map(|&p| logit(p)).collect();
    if !has_solution(&x, labels) {
        return None;
    }
    let wald =
        |estimate: f64, variance: f64| Interval::wald(estimate, variance.sqrt(), level, IntervalMethod::Wald);
    let (shift, shift_variance) = in_the_large(&x, labels, customers)?;
    let (line, variance) = line(&x, labels, customers)?;
    Some(CalibrationLine {
        in_the_large: wald(shift, shift_variance)?,
        intercept: wald(line[0], variance[0])?,
        slope: wald(line[1], variance[1])?,
    })
}

/// The log-odds to add to all probabilities so that as many churn as did, the slope held at 1: it exists wherever
/// both classes do, also where all scores are equal or part the classes. `None` where a class is missing or the
/// lengths differ.
pub(crate) fn calibration_shift(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    let churned = labels.iter().filter(|&&label| label).count();
    if probabilities.len() != labels.len() || churned == 0 || churned == labels.len() {
        return None;
    }
    let x: Vec<f64> = probabilities.iter().map(|&p| logit(p)).collect();
    Some(shift(&x, labels))
}

fn logit(p: f64) -> f64 {
    let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    (p / (1.0 - p)).ln()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Whether the two classes overlap by more than a tie; else the likelihood has no maximum.
fn has_solution(x: &[f64], labels: &[bool]) -> bool {
    let range = |class: bool| {
        let own = x.iter().zip(labels).filter(|&(_, &label)| label == class).map(|(&x, _)| x);
        own.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (x.min(low), x.max(high)))
    };
    let (churned, stayed) = (range(true), range(false));
    churned.0 < stayed.1 && stayed.0 < churned.1
}

/// The shift and its variance.
fn in_the_large(x: &[f64], labels: &[bool], customers: Option<&[u32]>) -> Option<(f64, f64)> {
    let shift = shift(x, labels);
    let residual = |i: usize| f64::from(u8::from(labels[i])) - sigmoid(shift + x[i]);
    let inverse = 1.0 / x.iter().map(|x| weight(shift + x)).sum::<f64>();
    let meat = customers.map(|customers| clustered(customers, |i| [residual(i), 0.0])[0]);
    let variance = meat.map_or(inverse, |meat| inverse * inverse * meat);
    variance.is_finite().then_some((shift, variance))
}

/// Newton inside a bracket, so that saturated probabilities do no harm.
fn shift(x: &[f64], labels: &[bool]) -> f64 {
    let churned = labels.iter().filter(|&&label| label).count() as f64;
    let base = (churned / (labels.len() as f64 - churned)).ln();
    let mut low = base - x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut high = base - x.iter().copied().fold(f64::INFINITY, f64::min);
    let mut shift = 0.0_f64.clamp(low, high);
    let residual = |shift: f64, i: usize| f64::from(u8::from(labels[i])) - sigmoid(shift + x[i]);
    let information = |shift: f64| x.iter().map(|x| weight(shift + x)).sum::<f64>();
    for _ in 0..MOST_ITERATIONS {
        let gradient: f64 = (0..x.len()).map(|i| residual(shift, i)).sum();
        if gradient.abs() <= GRADIENT_TOLERANCE * x.len() as f64 {
            break;
        }
        if gradient > 0.0 {
            low = shift
        } else {
            high = shift
        }
        let newton = shift + gradient / information(shift);
        shift = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
    }
    shift
}

/// Intercept and slope, and the variances of both.
fn line(x: &[f64], labels: &[bool], customers: Option<&[u32]>) -> Option<([f64; 2], [f64; 2])> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let sd = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let z: Vec<f64> = x.iter().map(|x| (x - mean) / sd).collect();
    let churned = labels.iter().filter(|&&label| label).count() as f64;
    let mut beta = [(churned / (n - churned)).ln(), 0.0];
    let mut now = sums(&z, labels, beta);
    for _ in 0..MOST_ITERATIONS {
        if now.gradient.iter().all(|g| g.abs() <= GRADIENT_TOLERANCE * n) {
            break;
        }
        let inverse = inverse(now.information)?;
        let step = apply(inverse, now.gradient);
        let Some(next) = climb(&z, labels, beta, step, &now) else { break };
        (beta, now) = next;
    }
    let inverse = inverse(now.information)?;
    let covariance = match customers {
        None => inverse,
        Some(customers) => {
            let meat = clustered(customers, |i| {
                let residual = f64::from(u8::from(labels[i])) - sigmoid(beta[0] + beta[1] * z[i]);
                [residual, residual * z[i]]
            });
            sandwich(inverse, meat)
        }
    };
    // Back from standardised log-odds: b = β₁/sd, a = β₀ − β₁ mean/sd.
    let shift = mean / sd;
    let [v00, v01, v11] = covariance;
    let line = [beta[0] - beta[1] * shift, beta[1] / sd];
    let variance = [v00 - 2.0 * shift * v01 + shift * shift * v11, v11 / (sd * sd)];
    let sound = now.gradient.iter().all(|g| g.abs() <= GRADIENT_TOLERANCE.sqrt() * n);
    (sound && variance.iter().all(|v| *v >= 0.0)).then_some((line, variance))
}

/// A symmetric 2 × 2 matrix: first, mixed and second entry.
type Symmetric = [f64; 3];

struct Sums {
    log_likelihood: f64,
    gradient: [f64; 2],
    information: Symmetric,
}

fn sums(z: &[f64], labels: &[bool], beta: [f64; 2]) -> Sums {
    let mut sums = Sums { log_likelihood: 0.0, gradient: [0.0; 2], information: [0.0; 3] };
    for (&z, &label) in z.iter().zip(labels) {
        let eta = beta[0] + beta[1] * z;
        // ln σ(η) of a churned one, ln σ(−η) of the others.
        let signed = if label { eta } else { -eta };
        sums.log_likelihood += signed.min(0.0) - (-signed.abs()).exp().ln_1p();
        let residual = f64::from(u8::from(label)) - sigmoid(eta);
        let weight = weight(eta);
        sums.gradient[0] += residual;
        sums.gradient[1] += residual * z;
        sums.information[0] += weight;
        sums.information[1] += weight * z;
        sums.information[2] += weight * z * z;
    }
    sums
}

/// σ(η)(1 − σ(η)), exact in both tails.
fn weight(eta: f64) -> f64 {
    sigmoid(eta) * sigmoid(-eta)
}

/// The first step of 1, ½, ¼ … that does not lower the likelihood.
fn climb(z: &[f64], labels: &[bool], beta: [f64; 2], step: [f64; 2], now: &Sums) -> Option<([f64; 2], Sums)> {
    // Near the optimum the likelihood only changes within its rounding.
    let floor = now.log_likelihood - 1e-12 * now.log_likelihood.abs();
    let mut scale = 1.0;
    for _ in 0..MOST_HALVINGS {
        let candidate = [beta[0] + scale * step[0], beta[1] + scale * step[1]];
        let next = sums(z, labels, candidate);
        if next.log_likelihood >= floor {
            return Some((candidate, next));
        }
        scale /= 2.0;
    }
    None
}

fn inverse([a, b, d]: Symmetric) -> Option<Symmetric> {
    let determinant = a * d - b * b;
    (determinant > 0.0).then(|| [d / determinant, -b / determinant, a / determinant])
}

fn apply([a, b, d]: Symmetric, [x, y]: [f64; 2]) -> [f64; 2] {
    [a * x + b * y, b * x + d * y]
}

/// A M A.
fn sandwich(a: Symmetric, m: Symmetric) -> Symmetric {
    let first = apply(m, [a[0], a[1]]);
    let second = apply(m, [a[1], a[2]]);
    let ([v00, v01], [_, v11]) = (apply(a, first), apply(a, second));
    [v00, v01, v11]
}

/// Σ s sᵀ over customers, s the sum of a customer's scores.
fn clustered(customers: &[u32], score: impl Fn(usize) -> [f64; 2]) -> Symmetric {
    let mut meat = [0.0; 3];
    let mut row = 0;
    for own in customers.chunk_by(|a, b| a == b) {
        let mut sum = [0.0; 2];
        for i in row..row + own.len() {
            let [s, t] = score(i);
            sum = [sum[0] + s, sum[1] + t];
        }
        row += own.len();
        meat = [meat[0] + sum[0] * sum[0], meat[1] + sum[0] * sum[1], meat[2] + sum[1] * sum[1]];
    }
    meat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_line_is_best() {
        let none =
            |p: &[f64], y: &[bool]| assert_eq!(calibration_line(p, y, None, 0.95), None, "{p:?} {y:?}");
        none(&[], &[]);
        none(&[0.1, 0.9], &[true, true]);
        none(&[0.1, 0.9], &[false, true]);
        none(&[0.1, 0.9], &[true, false]);
        none(&[0.1, 0.5, 0.5, 0.9], &[false, false, true, true]);
        none(&[0.5, 0.5], &[false, true]);
        none(&[0.5], &[false, true]);
        assert_eq!(calibration_line(&[0.1, 0.9, 0.5, 0.4], &[true, true, false, false], None, 1.0), None);
    }

    #[test]
    fn saturated_probabilities_have_a_line() {
        let probabilities = [0.0, 0.0, 1.0, 1.0, 1e-16, 1.0];
        let labels = [true, false, false, true, false, true];
        let line = calibration_line(&probabilities, &labels, None, 0.95).unwrap();
        assert!(line.slope.estimate > 0.0 && line.slope.estimate < 0.1, "{line:?}");
        assert!(line.in_the_large.standard_error.is_finite());
    }

    /// Each customer twice: robust errors are those of the single log, √2 times the naive ones of the
    /// doubled.
    #[test]
    fn doubled_customers_know_no_more() {
        let n = 400;
        let p: Vec<f64> = (0..n).map(|i| (f64::from(i % 97) + 1.0) / 99.0).collect();
        let y: Vec<bool> = (0..n).map(|i| (i * 7919) % 101 < i % 97).collect();
        let double = |i: usize| i / 2;
        let p2: Vec<f64> = (0..2 * p.len()).map(|i| p[double(i)]).collect();
        let y2: Vec<bool> = (0..2 * p.len()).map(|i| y[double(i)]).collect();
        let customers: Vec<u32> = (0..n as u32).collect();
        let customers2: Vec<u32> = (0..2 * n as u32).map(|i| i / 2).collect();
        let single = calibration_line(&p, &y, Some(&customers), 0.9).unwrap();
        let doubled = calibration_line(&p2, &y2, Some(&customers2), 0.9).unwrap();
        for (one, two) in [
            (single.in_the_large, doubled.in_the_large),
            (single.intercept, doubled.intercept),
            (single.slope, doubled.slope),
        ] {
            assert!((one.estimate - two.estimate).abs() < 1e-9);
            assert!((one.standard_error - two.standard_error).abs() < 1e-9);
        }
    }
}
