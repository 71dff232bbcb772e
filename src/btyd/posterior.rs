//! What is believed of a rhythm where customers are few, and how firmly?

use std::fmt;

use serde::{Deserialize, Serialize};

use super::beta_geometric::MbgNbd;
use super::dropout::{Customers, DropOut, Leaving, starts};
use super::fit::{Digits, FitParams, FitReport};
use super::optimise::{Likelihood, Sums, cholesky, maximise};
use super::summary::{Checked, Summary};
use crate::error::Result;

/// What is believed of r, α, a and b before any customer was seen: medians, in units of the customers'
/// mean age, and standard deviations of the logarithms. The medians are near the fit to a record shop's log,
/// and the deviations wide: one of 1.5 spans a factor of 19 to both sides with two of them. A gift wholesaler,
/// whose customers hardly leave (a of 0.03), lies a little beyond that, and many customers overrule the
/// prior. Of the pace, which differs most between trades, next to nothing is believed.
const PRIOR: [(f64, f64); 4] = [(0.7, 1.5), (0.3, 3.0), (0.8, 1.5), (2.0, 1.5)];
/// With fewer customers or repeat purchases than this, what is said is mostly the prior's.
const LEAST_CUSTOMERS: usize = 10;
const LEAST_PURCHASES: f64 = 10.0;
/// The normal quantile of 97.5 %.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;
/// Points around the peak at which a doubt is looked at: two along each axis.
const POINTS: usize = 8;

/// MBG/NBD parameters held by a stated prior, and the doubt that is left about them.
///
/// Maximum likelihood has no answer where nobody bought twice, and too sure a one where few did. Here the
/// logarithms of the parameters are normal before the customers are seen, and nearly so afterwards:
///
/// | parameter | median | standard deviation of the logarithm |
/// |---|---|---|
/// | r | 0.7 | 1.5 |
/// | α | 0.3 of the mean age | 3 |
/// | a | 0.8 | 1.5 |
/// | b | 2 | 1.5 |
///
/// There is an answer from one customer on; from some hundred on it is that of [`MbgNbd`] by maximum
/// likelihood for all purposes. Times are in one unit, as there.
///
/// # References
/// Gelman and others (2013), Bayesian Data Analysis, sections 2.9 (weak priors) and 4.1 (normal
/// approximation at the mode).
///
/// # Examples
/// ```
/// use winback::btyd::{MbgNbd, Summary};
///
/// // Nobody bought twice: no likelihood to climb, but an answer, and the right order.
/// let customers = [Summary::new(0.0, 0.0, 200.0), Summary::new(0.0, 0.0, 10.0)];
/// assert!(MbgNbd::params().fit(&customers).is_err());
/// let posterior = MbgNbd::params().fit_held(&customers)?;
/// let [old, new] = customers.map(|customer| posterior.model().p_no_purchase(customer, 30.0));
/// assert!(new < old && old < 1.0 && posterior.is_mostly_prior());
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MbgNbdPosterior {
    mode: MbgNbd,
    /// Covariance of the logarithms of r, α, a and b.
    log_covariance: [[f64; 4]; 4],
    customers: usize,
    repeat_purchases: f64,
}

impl MbgNbdPosterior {
    /// The model of the parameters believed most.
    #[must_use]
    pub fn model(&self) -> &MbgNbd {
        &self.mode
    }

    /// Standard deviations of the logarithms of r, α, a and b, in that order.
    #[must_use]
    pub fn log_standard_deviations(&self) -> [f64; 4] {
        std::array::from_fn(|i| self.log_covariance[i][i].max(0.0).sqrt())
    }

    /// Whether there was next to nothing to learn from: fewer than 10 customers, or fewer than 10 repeat
    /// purchases among them.
    #[must_use]
    pub fn is_mostly_prior(&self) -> bool {
        self.customers < LEAST_CUSTOMERS || self.repeat_purchases < LEAST_PURCHASES
    }

    /// Customers it was learned from.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.customers
    }

    /// Their repeat purchases.
    #[must_use]
    pub fn repeat_purchases(&self) -> f64 {
        self.repeat_purchases
    }

    /// Equally likely models around the mode, with the mean and the covariance of the parameters'
    /// logarithms. The spread of a number between them is its standard error by the delta method, and its
    /// average is right to the second order.
    ///
    /// Julier and Uhlmann (2004), Proceedings of the IEEE 92:401–422: the symmetric sigma points.
    pub(crate) fn around(&self) -> Vec<MbgNbd> {
        let logs = [self.mode.r(), self.mode.alpha(), self.mode.a(), self.mode.b()].map(f64::ln);
        let Some(factor) = cholesky(&self.log_covariance) else { return vec![self.mode.clone(); POINTS] };
        let reach = (logs.len() as f64).sqrt();
        (0..POINTS)
            .map(|point| {
                let (axis, side) = (point / 2, if point % 2 == 0 { reach } else { -reach });
                let [r, alpha, a, b] = std::array::from_fn(|i| (logs[i] + side * factor[i][axis]).exp());
                MbgNbd::of(DropOut { r, alpha, a, b }, None)
            })
            .collect()
    }

    /// Whether numbers read from a file can be.
    pub(crate) fn is_sound(&self) -> bool {
        self.log_covariance.iter().flatten().all(|value| value.abs() < 1e3)
            && cholesky(&self.log_covariance).is_some()
            && self.repeat_purchases >= 0.0
    }
}

impl fmt::Display for MbgNbdPosterior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = &self.mode;
        let parameters = [("r", model.r()), ("alpha", model.alpha()), ("a", model.a()), ("b", model.b())];
        write!(f, "MBG/NBD of {} customers and {} repeat purchases:", self.customers, self.repeat_purchases)?;
        for (i, ((name, value), sd)) in parameters.into_iter().zip(self.log_standard_deviations()).enumerate()
        {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma} {name} {} (×/÷ {:.2})", Digits(value), (NORMAL_QUANTILE * sd).exp())?;
        }
        match self.is_mostly_prior() {
            true => write!(f, "; so few tell next to nothing, and what is said is mostly the stated prior's"),
            false => Ok(()),
        }
    }
}

impl FitParams<MbgNbd> {
    /// Finds the parameters that are likeliest after these customers were seen, starting from a stated
    /// prior: see [`MbgNbdPosterior`].
    ///
    /// # Errors
    /// [`InvalidSummary`](crate::Error::InvalidSummary) for numbers that cannot be,
    /// [`NotFitted`](crate::Error::NotFitted) for no customers at all,
    /// [`Parameter`](crate::Error::Parameter) for settings out of range.
    pub fn fit_held(&self, summaries: &[Summary]) -> Result<MbgNbdPosterior> {
        let most_iterations = self.check()?;
        let checked = Checked::of_any(summaries)?;
        let [sample, all] = Customers::sample_and_all(Leaving::AfterAnyPurchase, &checked);
        let starts = starts((checked.purchases + 0.5) / checked.customers() as f64);
        let peak = maximise(&Held(&sample), &Held(&all), &starts, most_iterations);
        let [r, alpha, a, b] = peak.parameters;
        let log_density = -checked.purchases * checked.unit.ln() - ln_prior(&peak.parameters).value;
        let units = [1.0, checked.unit, 1.0, 1.0];
        let report = FitReport::new(&peak, units, log_density, checked.customers(), 0);
        let prior_alone = || {
            std::array::from_fn(|i| std::array::from_fn(|j| if i == j { PRIOR[i].1.powi(2) } else { 0.0 }))
        };
        Ok(MbgNbdPosterior {
            mode: MbgNbd::of(DropOut::new(r, alpha * checked.unit, a, b)?, Some(report)),
            log_covariance: peak.log_covariance.unwrap_or_else(prior_alone),
            customers: checked.customers(),
            repeat_purchases: checked.purchases,
        })
    }
}

/// A likelihood times the prior.
struct Held<'a>(&'a Customers);

impl Likelihood<4> for Held<'_> {
    fn customers(&self) -> f64 {
        self.0.customers()
    }

    fn sums(&self, parameters: &[f64; 4]) -> Sums<4> {
        let mut sums = self.0.sums(parameters);
        sums.add(&ln_prior(parameters), 1.0);
        sums
    }
}

fn ln_prior(parameters: &[f64; 4]) -> Sums<4> {
    let mut sums = Sums::ZERO;
    for (i, (&parameter, (median, sd))) in parameters.iter().zip(PRIOR).enumerate() {
        let off = (parameter / median).ln();
        let precision = 1.0 / (sd * sd);
        sums.value -= 0.5 * precision * off * off;
        sums.gradient[i] = -precision * off / parameter;
        sums.hessian[i][i] = precision * (off - 1.0) / (parameter * parameter);
    }
    sums
}
