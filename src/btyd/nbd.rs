//! When is a silence longer than usual, if nobody ever leaves?

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::fit::{FitParams, FitReport, check_parameters, parameter, write};
use super::optimise::{Likelihood, Sums, maximise};
use super::special::ln_rising;
use super::summary::{Checked, Row, Summary};
use crate::error::Result;

const ROWS_PER_BLOCK: usize = 1 << 12;
/// Customers that the search starts on.
const START_CUSTOMERS: usize = 20_000;
/// Where the search starts: r. α follows from the mean rate of purchases.
const STARTS: [f64; 3] = [0.1, 0.5, 2.0];

/// The NBD model: customers buy at random at a rate of their own, λ ~ Gamma(r, α), and never leave.
///
/// It is what a fit of the intervals between purchases amounts to, the open one censored. Who left looks
/// slow to it, and no silence of a one-time buyer ever looks long; it is here to compare with, and for
/// those known to be still there. Times are in one unit throughout; NaN comes only of a summary that
/// [`Summary::is_valid`] refuses or a horizon below 0.
///
/// # Formula
/// ```text
/// L = Γ(r+x)/Γ(r) · αʳ / (α+T)^(r+x)
/// ```
/// # References
/// Ehrenberg (1959), "The pattern of consumer purchases", Applied Statistics 8:26–41.
///
/// # Examples
/// ```
/// use winback::btyd::{Nbd, Summary};
///
/// let model = Nbd::new(0.385, 12.07)?; // in weeks
/// let customer = Summary::new(2.0, 30.4, 38.9);
/// assert!((model.expected_purchases(customer, 39.0) - 1.825).abs() < 1e-3);
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nbd {
    #[serde(deserialize_with = "parameter")]
    r: f64,
    #[serde(deserialize_with = "parameter")]
    alpha: f64,
    report: Option<FitReport>,
}

impl Nbd {
    /// Settings for a fit.
    #[must_use]
    pub fn params() -> FitParams<Self> {
        FitParams::new()
    }

    /// The model of parameters known from elsewhere.
    ///
    /// # Errors
    /// [`Parameter`](crate::Error::Parameter) for a parameter outside 1e-30 to 1e30.
    pub fn new(r: f64, alpha: f64) -> Result<Self> {
        check_parameters(&[("r", r), ("alpha", alpha)])?;
        Ok(Self { r, alpha, report: None })
    }

    /// Shape of the purchase rates.
    #[must_use]
    pub fn r(&self) -> f64 {
        self.r
    }

    /// Rate of the purchase rates, a time: r/α is the mean number of purchases per unit of time.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.alpha
    }

    /// How the fit went, with standard errors of r and α in that order. `None` for parameters that were
    /// given.
    #[must_use]
    pub fn report(&self) -> Option<&FitReport> {
        self.report.as_ref()
    }

    /// The log-likelihood of one customer.
    #[must_use]
    pub fn log_likelihood(&self, summary: Summary) -> f64 {
        if summary.is_valid() { sums_of(summary, &[self.r, self.alpha]).value } else { f64::NAN }
    }

    /// The probability of not a single purchase within `horizon` from now, 0 to 1.
    ///
    /// # Formula
    /// ```text
    /// ((α+T)/(α+T+H))^(r+x)
    /// ```
    #[must_use]
    pub fn p_no_purchase(&self, summary: Summary, horizon: f64) -> f64 {
        if summary.is_valid() && horizon >= 0.0 {
            (-(self.r + summary.frequency) * (horizon / (self.alpha + summary.age)).ln_1p()).exp()
        } else {
            f64::NAN
        }
    }

    /// The probability of a silence as long as the present one, from t_x to T, 0 to 1: small where it is
    /// longer than this customer's rhythm explains.
    ///
    /// # Formula
    /// ```text
    /// ((α+t_x)/(α+T))^(r+x)
    /// ```
    #[must_use]
    pub fn p_silence(&self, summary: Summary) -> f64 {
        if !summary.is_valid() {
            return f64::NAN;
        }
        let Summary { frequency, recency, age } = summary;
        (-(self.r + frequency) * ((age - recency) / (self.alpha + recency)).ln_1p()).exp()
    }

    /// The expected number of purchases within `horizon` from now, from 0 on.
    ///
    /// # Formula
    /// ```text
    /// H (r+x)/(α+T)
    /// ```
    #[must_use]
    pub fn expected_purchases(&self, summary: Summary, horizon: f64) -> f64 {
        if summary.is_valid() && horizon >= 0.0 {
            (self.r + summary.frequency) / (self.alpha + summary.age) * horizon
        } else {
            f64::NAN
        }
    }

    /// The expected number of purchases within `horizon` after the first one, of a customer of whom
    /// nothing else is known: H r/α.
    #[must_use]
    pub fn expected_purchases_of_new(&self, horizon: f64) -> f64 {
        self.expected_purchases(Summary::new(0.0, 0.0, 0.0), horizon)
    }
}

impl FitParams<Nbd> {
    /// Finds the parameters under which these customers are most likely. Their order does not matter,
    /// nor does the unit of time.
    ///
    /// # Errors
    /// [`InvalidSummary`](crate::Error::InvalidSummary) for numbers that cannot be,
    /// [`NotFitted`](crate::Error::NotFitted) where nobody bought twice,
    /// [`Parameter`](crate::Error::Parameter) for settings out of range.
    pub fn fit(&self, summaries: &[Summary]) -> Result<Nbd> {
        let most_iterations = self.check()?;
        let checked = Checked::new(summaries)?;
        let mean_rate = checked.purchases / checked.customers() as f64;
        let starts = STARTS.map(|r| [r, r / mean_rate]);
        let (sample, all) = (Customers(checked.sample(START_CUSTOMERS)), Customers(checked.rows()));
        let peak = maximise(&sample, &all, &starts, most_iterations);
        let [r, alpha] = peak.parameters;
        let log_density = -checked.purchases * checked.unit.ln();
        let report = FitReport::new(&peak, [1.0, checked.unit], log_density, checked.customers(), 0);
        Ok(Nbd { report: Some(report), ..Nbd::new(r, alpha * checked.unit)? })
    }
}

impl fmt::Display for Nbd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, "NBD", &[("r", self.r), ("alpha", self.alpha)], self.report.as_ref())
    }
}

/// The customers of a fit.
struct Customers(Vec<Row>);

impl Likelihood<2> for Customers {
    fn customers(&self) -> f64 {
        self.0.iter().map(|row| row.customers).sum()
    }

    fn sums(&self, parameters: &[f64; 2]) -> Sums<2> {
        let block = |rows: &[Row]| {
            let mut sums = Sums::ZERO;
            rows.iter().for_each(|row| sums.add(&sums_of(row.summary, parameters), row.customers));
            sums
        };
        let blocks: Vec<Sums<2>> = self.0.par_chunks(ROWS_PER_BLOCK).map(block).collect();
        let mut sums = Sums::ZERO;
        blocks.iter().for_each(|block| sums.add(block, 1.0));
        sums
    }
}

fn sums_of(summary: Summary, &[r, alpha]: &[f64; 2]) -> Sums<2> {
    let Summary { frequency, age, .. } = summary;
    let rate = ln_rising(r, frequency);
    let (until_now, shape) = (alpha + age, r + frequency);
    Sums {
        value: rate.value - r * (age / alpha).ln_1p() - frequency * until_now.ln(),
        gradient: [rate.slope - (age / alpha).ln_1p(), r / alpha - shape / until_now],
        hessian: [
            [rate.curvature, 0.0],
            [1.0 / alpha - 1.0 / until_now, shape / (until_now * until_now) - r / (alpha * alpha)],
        ],
    }
}
