//! Where does a likelihood peak, and how sharply?
//!
//! All parameters are positive, so the search runs on their logarithms: argmin's L-BFGS from several
//! starts on a sample, then Newton's method on everyone. It stays within [`LARGEST_PARAMETER`], where
//! a likelihood that only rises towards infinity comes to rest.

use argmin::core::{CostFunction, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

/// Parameters stay between this and its inverse, in units of the mean age or mean amount.
const LARGEST_PARAMETER: f64 = 1e6;
/// Newton ends with a step that changes no parameter by more than this fraction.
const STEP_TOLERANCE: f64 = 1e-9;
/// Or with one that cannot raise the log-likelihood by more than this fraction: its rounding.
const GAIN_TOLERANCE: f64 = 1e-14;
/// How much the log-likelihood may fall in a step by rounding.
const ROUNDING: f64 = 1e-12;
/// The longest Newton step, in logarithms.
const LONGEST_STEP: f64 = 2.0;
const MOST_HALVINGS: usize = 30;
/// What is added to the Hessian's diagonal, as a share of its largest entry: the first that will do.
const DAMPING: [f64; 7] = [0.0, 1e-6, 1e-4, 1e-2, 1e-1, 1.0, 10.0];
const START_ITERATIONS: u64 = 50;
/// L-BFGS ends at this mean gradient; Newton does the rest.
const START_GRADIENT: f64 = 1e-5;
/// Pairs of steps and gradients that L-BFGS remembers.
const START_MEMORY: usize = 7;

/// A log-likelihood with its derivatives by the parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sums<const N: usize> {
    pub(super) value: f64,
    pub(super) gradient: [f64; N],
    /// Symmetric; only the lower half need be filled.
    pub(super) hessian: [[f64; N]; N],
}

impl<const N: usize> Sums<N> {
    pub(super) const ZERO: Self = Self { value: 0.0, gradient: [0.0; N], hessian: [[0.0; N]; N] };

    pub(super) fn add(&mut self, other: &Self, weight: f64) {
        self.value += weight * other.value;
        for i in 0..N {
            self.gradient[i] += weight * other.gradient[i];
            for j in 0..=i {
                self.hessian[i][j] += weight * other.hessian[i][j];
            }
        }
    }
}

/// What can be maximised: the log-likelihood of some customers.
pub(super) trait Likelihood<const N: usize> {
    fn customers(&self) -> f64;
    fn sums(&self, parameters: &[f64; N]) -> Sums<N>;
}

/// Where a likelihood peaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peak<const N: usize> {
    pub(super) parameters: [f64; N],
    /// `None` for a parameter that came to rest at its bound, or where the peak is flat.
    pub(super) standard_errors: [Option<f64>; N],
    /// Of the logarithms of the parameters; `None` where the peak is flat.
    pub(super) log_covariance: Option<[[f64; N]; N]>,
    pub(super) log_likelihood: f64,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

/// The highest peak reached from `starts`, sought on `sample` and finished on `all`.
pub(super) fn maximise<const N: usize>(
    sample: &impl Likelihood<N>,
    all: &impl Likelihood<N>,
    starts: &[[f64; N]],
    most_iterations: usize,
) -> Peak<N> {
    let mut best = (f64::INFINITY, [0.0; N], 0);
    for start in starts {
        let logs = clamp(&start.map(f64::ln));
        let found = quasi_newton(sample, &logs).unwrap_or_else(|| (Descent(sample).cost_at(&logs), logs, 0));
        if found.0 < best.0 {
            best = found;
        }
    }
    let (_, logs, iterations) = best;
    let mut peak = newton(all, logs, most_iterations);
    peak.iterations += iterations;
    peak
}

/// The likelihood as argmin sees it: the mean negative log-likelihood of logarithms, with a wall
/// outside the bounds.
struct Descent<'a, L>(&'a L);

impl<L> Descent<'_, L> {
    fn cost_at<const N: usize>(&self, logs: &[f64; N]) -> f64
    where
        L: Likelihood<N>,
    {
        let inside = clamp(logs);
        let wall: f64 = logs.iter().zip(&inside).map(|(log, bound)| (log - bound).powi(2)).sum();
        wall - self.0.sums(&inside.map(f64::exp)).value / self.0.customers()
    }

    fn gradient_at<const N: usize>(&self, logs: &[f64; N]) -> [f64; N]
    where
        L: Likelihood<N>,
    {
        let inside = clamp(logs);
        let parameters = inside.map(f64::exp);
        let sums = self.0.sums(&parameters);
        std::array::from_fn(|i| match logs[i] - inside[i] {
            0.0 => -sums.gradient[i] * parameters[i] / self.0.customers(),
            outside => 2.0 * outside,
        })
    }
}

/// Gives argmin's vectors the arrays of one length.
struct Sized<'a, L, const N: usize>(Descent<'a, L>);

impl<L: Likelihood<N>, const N: usize> CostFunction for Sized<'_, L, N> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, logs: &Vec<f64>) -> Result<f64, argmin::core::Error> {
        Ok(self.0.cost_at(&array::<N>(logs)))
    }
}

impl<L: Likelihood<N>, const N: usize> Gradient for Sized<'_, L, N> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, logs: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
        Ok(self.0.gradient_at(&array::<N>(logs)).to_vec())
    }
}

fn array<const N: usize>(logs: &[f64]) -> [f64; N] {
    std::array::from_fn(|i| logs[i])
}

/// argmin's L-BFGS: cost, logarithms and iterations, or `None` where it fails.
fn quasi_newton<const N: usize>(
    likelihood: &impl Likelihood<N>,
    start: &[f64; N],
) -> Option<(f64, [f64; N], usize)> {
    let solver =
        LBFGS::new(MoreThuenteLineSearch::new(), START_MEMORY).with_tolerance_grad(START_GRADIENT).ok()?;
    let result = Executor::new(Sized::<_, N>(Descent(likelihood)), solver)
        .configure(|state| state.param(start.to_vec()).max_iters(START_ITERATIONS))
        .run()
        .ok()?;
    let state = result.state();
    let logs = clamp(&array::<N>(state.get_best_param()?));
    let cost = Descent(likelihood).cost_at(&logs);
    (cost.is_finite() && logs.iter().all(|log| log.is_finite())).then_some((
        cost,
        logs,
        state.get_iter() as usize,
    ))
}

fn clamp<const N: usize>(logs: &[f64; N]) -> [f64; N] {
    let bound = LARGEST_PARAMETER.ln();
    logs.map(|log| log.clamp(-bound, bound))
}

/// Newton's method on the logarithms, damped where the likelihood is not concave.
fn newton<const N: usize>(
    likelihood: &impl Likelihood<N>,
    start: [f64; N],
    most_iterations: usize,
) -> Peak<N> {
    let mut logs = start;
    let mut here = by_logs(likelihood, &logs);
    let (mut iterations, mut converged) = (0, false);
    while !converged && iterations < most_iterations {
        iterations += 1;
        let Some((step, gain)) = newton_step(&here, free(&logs, &here)) else { break };
        let last = largest(&step) <= STEP_TOLERANCE || gain <= GAIN_TOLERANCE * here.value.abs();
        let Some((next_logs, next)) = climb(likelihood, &logs, &step, here.value) else { break };
        (logs, here, converged) = (next_logs, next, last);
    }
    let parameters = logs.map(f64::exp);
    let free = free(&logs, &here);
    let log_covariance = covariance(&here, free);
    let error = |i: usize| {
        let variance = log_covariance?[i][i];
        (free[i] && variance.is_finite()).then(|| variance.sqrt() * parameters[i])
    };
    Peak {
        standard_errors: std::array::from_fn(error),
        log_covariance,
        log_likelihood: here.value,
        parameters,
        iterations,
        converged,
    }
}

/// The likelihood and its derivatives by the logarithms.
fn by_logs<const N: usize>(likelihood: &impl Likelihood<N>, logs: &[f64; N]) -> Sums<N> {
    let parameters = logs.map(f64::exp);
    let mut sums = likelihood.sums(&parameters);
    for i in 0..N {
        sums.gradient[i] *= parameters[i];
        for j in 0..=i {
            sums.hessian[i][j] *= parameters[i] * parameters[j];
            sums.hessian[j][i] = sums.hessian[i][j];
        }
        sums.hessian[i][i] += sums.gradient[i];
    }
    sums
}

/// Which parameters are not held at a bound by the likelihood rising beyond it.
fn free<const N: usize>(logs: &[f64; N], here: &Sums<N>) -> [bool; N] {
    let bound = LARGEST_PARAMETER.ln();
    std::array::from_fn(|i| !(logs[i].abs() >= bound && logs[i] * here.gradient[i] > 0.0))
}

/// The step to where a parabola through here peaks, and twice its rise.
fn newton_step<const N: usize>(here: &Sums<N>, free: [bool; N]) -> Option<([f64; N], f64)> {
    let scale = (0..N).map(|i| here.hessian[i][i].abs()).fold(f64::MIN_POSITIVE, f64::max);
    let factor = DAMPING.iter().find_map(|share| cholesky(&curvature(here, free, share * scale)))?;
    let gradient = std::array::from_fn(|i| if free[i] { here.gradient[i] } else { 0.0 });
    let mut step = solve(&factor, gradient);
    let gain = (0..N).map(|i| gradient[i] * step[i]).sum();
    let longest = largest(&step);
    if longest > LONGEST_STEP {
        step = step.map(|length| length * LONGEST_STEP / longest);
    }
    Some((step, gain))
}

/// The first point at 1, ½, ¼ … of the step that is not lower.
fn climb<const N: usize>(
    likelihood: &impl Likelihood<N>,
    logs: &[f64; N],
    step: &[f64; N],
    value: f64,
) -> Option<([f64; N], Sums<N>)> {
    let floor = value - ROUNDING * value.abs();
    let mut scale = 1.0;
    for _ in 0..MOST_HALVINGS {
        let candidate = clamp(&std::array::from_fn(|i| logs[i] + scale * step[i]));
        let next = by_logs(likelihood, &candidate);
        if next.value >= floor {
            return Some((candidate, next));
        }
        scale /= 2.0;
    }
    None
}

/// The covariance of the logarithms: the inverse of the observed information of the free parameters.
fn covariance<const N: usize>(here: &Sums<N>, free: [bool; N]) -> Option<[[f64; N]; N]> {
    let factor = cholesky(&curvature(here, free, 0.0))?;
    Some(std::array::from_fn(|i| solve(&factor, std::array::from_fn(|j| f64::from(u8::from(i == j))))))
}

/// The negative Hessian of the free parameters, 1 on the diagonal of the others.
fn curvature<const N: usize>(here: &Sums<N>, free: [bool; N], damping: f64) -> [[f64; N]; N] {
    std::array::from_fn(|i| {
        std::array::from_fn(|j| match (free[i] && free[j], i == j) {
            (true, true) => damping - here.hessian[i][i],
            (true, false) => -here.hessian[i][j],
            (false, same) => f64::from(u8::from(same)),
        })
    })
}

/// The lower Cholesky factor; `None` where the matrix is not positive definite.
pub(super) fn cholesky<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut factor = [[0.0; N]; N];
    for j in 0..N {
        for i in j..N {
            let sum = matrix[i][j] - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
            if i > j {
                factor[i][j] = sum / factor[j][j];
            } else if sum > f64::EPSILON * matrix[j][j].abs() {
                factor[j][j] = sum.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(factor)
}

/// Solves L Lᵀ x = b.
fn solve<const N: usize>(factor: &[[f64; N]; N], b: [f64; N]) -> [f64; N] {
    let mut x = b;
    for i in 0..N {
        let known: f64 = (0..i).map(|k| factor[i][k] * x[k]).sum();
        x[i] = (x[i] - known) / factor[i][i];
    }
    for i in (0..N).rev() {
        let known: f64 = (i + 1..N).map(|k| factor[k][i] * x[k]).sum();
        x[i] = (x[i] - known) / factor[i][i];
    }
    x
}

fn largest<const N: usize>(step: &[f64; N]) -> f64 {
    step.iter().fold(0.0, |most, length| f64::max(most, length.abs()))
}
