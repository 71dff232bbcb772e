//! Who has left, if customers can only leave after a repeat purchase?

use std::fmt;

use serde::{Deserialize, Serialize};

use super::dropout::{DropOut, Leaving};
use super::fit::{FitParams, FitReport, write};
use super::summary::{Checked, Summary};
use crate::error::Result;

const LEAVING: Leaving = Leaving::AfterRepeatPurchases;

/// The BG/NBD model: customers buy at random at a rate of their own, λ ~ Gamma(r, α), and after every
/// repeat purchase leave for good with a probability of their own, p ~ Beta(a, b).
///
/// Nobody can leave after the first purchase, so one-time buyers are never gone, only slow. Where that
/// is not believed, take [`MbgNbd`](super::MbgNbd).
///
/// Times are in one unit throughout: that of the summaries is that of α and of every horizon.
/// Results are NaN for a summary that [`Summary::is_valid`] refuses or a horizon below 0, never else.
///
/// Fit it on all customers, whichever are to be looked at afterwards: customers chosen by when they last
/// bought break the likelihood.
///
/// # References
/// Fader, Hardie and Lee (2005), "Counting your customers the easy way", Marketing Science 24:275–284.
///
/// # Examples
/// ```
/// use winback::btyd::{BgNbd, Summary};
///
/// // Repeat purchases, first to last purchase, first purchase to now: in weeks.
/// let customers = [(0, 0, 39), (0, 0, 30), (2, 30, 38), (5, 12, 37), (1, 2, 39), (0, 0, 33), (7, 35, 39)]
///     .map(|(x, t_x, t)| Summary::new(x.into(), t_x.into(), t.into()));
/// let model = BgNbd::params().fit(&customers)?;
///
/// // Five purchases in 12 weeks, then none in 25: hardly still a customer.
/// let silent = model.p_no_purchase(customers[3], 13.0);
/// let regular = model.p_no_purchase(customers[6], 13.0);
/// assert!(silent > 0.9 && regular < 0.4);
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BgNbd {
    parameters: DropOut,
    report: Option<FitReport>,
}

impl BgNbd {
    /// Settings for a fit.
    #[must_use]
    pub fn params() -> FitParams<Self> {
        FitParams::new()
    }

    /// The model of parameters known from elsewhere, such as a publication.
    ///
    /// # Errors
    /// [`Parameter`](crate::Error::Parameter) for a parameter outside 1e-30 to 1e30.
    pub fn new(r: f64, alpha: f64, a: f64, b: f64) -> Result<Self> {
        Ok(Self { parameters: DropOut::new(r, alpha, a, b)?, report: None })
    }

    /// Shape of the purchase rates.
    #[must_use]
    pub fn r(&self) -> f64 {
        self.parameters.r
    }

    /// Rate of the purchase rates, a time: r/α is the mean number of purchases per unit of time.
    #[must_use]
    pub fn alpha(&self) -> f64 {
        self.parameters.alpha
    }

    /// First shape of the leaving probabilities: a/(a+b) is their mean.
    #[must_use]
    pub fn a(&self) -> f64 {
        self.parameters.a
    }

    /// Second shape of the leaving probabilities.
    #[must_use]
    pub fn b(&self) -> f64 {
        self.parameters.b
    }

    /// How the fit went, with standard errors of r, α, a and b in that order. `None` for parameters that
    /// were given.
    #[must_use]
    pub fn report(&self) -> Option<&FitReport> {
        self.report.as_ref()
    }

    /// The log-likelihood of one customer.
    ///
    /// # Formula
    /// ```text
    /// L = Γ(r+x) αʳ / Γ(r) · [ B(a, b+x)/B(a,b) (α+T)^−(r+x)
    ///                          + B(a+1, b+x−1)/B(a,b) (α+t_x)^−(r+x) if x > 0 ]
    /// ```
    /// # References
    /// Fader, Hardie and Lee (2005), equation 6.
    #[must_use]
    pub fn log_likelihood(&self, summary: Summary) -> f64 {
        if summary.is_valid() { self.parameters.log_likelihood(LEAVING, summary) } else { f64::NAN }
    }

    /// The probability that the customer has not left yet, 0 to 1; always 1 for a one-time buyer.
    ///
    /// It is not one minus a churn score: who has not left may still buy too rarely to come back within
    /// a horizon, one-time buyers above all. [`p_no_purchase`](Self::p_no_purchase) is what answers "will they buy?".
    ///
    /// # Formula
    /// ```text
    /// 1 / (1 + a/(b+x−1) · ((α+T)/(α+t_x))^(r+x))    if x > 0
    /// ```
    /// # References
    /// Fader, Hardie and Lee (2005), equation 6: one part of the likelihood over the whole.
    #[must_use]
    pub fn p_alive(&self, summary: Summary) -> f64 {
        if summary.is_valid() { self.parameters.p_alive(LEAVING, summary) } else { f64::NAN }
    }

    /// The probability of not a single purchase within `horizon` from now, 0 to 1: left already, or
    /// silent that long.
    ///
    /// # Formula
    /// ```text
    /// (1 − p) + p · ((α+T)/(α+T+H))^(r+x)    where p is P(alive)
    /// ```
    /// It is not exp(−E\[purchases\]), which is the poorer score.
    #[must_use]
    pub fn p_no_purchase(&self, summary: Summary, horizon: f64) -> f64 {
        if summary.is_valid() && horizon >= 0.0 {
            self.parameters.p_no_purchase(LEAVING, summary, horizon)
        } else {
            f64::NAN
        }
    }

    /// The expected number of purchases within `horizon` from now, from 0 on. Infinite only for an
    /// infinite horizon where a is at most 1.
    ///
    /// # Formula
    /// ```text
    /// p · (a+b+x−1)/(a−1) · [1 − ((α+T)/(α+T+H))^(r+x) ₂F₁(r+x, b+x; a+b+x−1; H/(α+T+H))]
    ///                                                                      where p is P(alive)
    /// ```
    /// It is summed in another form, which holds at a = 1 and for large b too.
    ///
    /// # References
    /// Fader, Hardie and Lee (2005), equation 10.
    #[must_use]
    pub fn expected_purchases(&self, summary: Summary, horizon: f64) -> f64 {
        if summary.is_valid() && horizon >= 0.0 {
            self.parameters.expected_purchases(LEAVING, summary, horizon)
        } else {
            f64::NAN
        }
    }

    /// The expected number of purchases within `horizon` after the first one, of a customer of whom
    /// nothing else is known.
    ///
    /// # Formula
    /// ```text
    /// (a+b−1)/(a−1) · [1 − (α/(α+H))ʳ ₂F₁(r, b; a+b−1; H/(α+H))]
    /// ```
    /// # References
    /// Fader, Hardie and Lee (2005), equation 9.
    #[must_use]
    pub fn expected_purchases_of_new(&self, horizon: f64) -> f64 {
        self.expected_purchases(Summary::new(0.0, 0.0, 0.0), horizon)
    }

    /// The probability of exactly so many purchases within `horizon` after the first one, 0 to 1.
    ///
    /// # Formula
    /// ```text
    /// B(a, b+n)/B(a,b) · NB(n) + B(a+1, b+n−1)/B(a,b) · Σ_{k≥n} NB(k) if n > 0
    ///                        where NB(k) = Γ(r+k)/(Γ(r) k!) (α/(α+H))ʳ (H/(α+H))ᵏ
    /// ```
    /// # References
    /// Fader, Hardie and Lee (2005), equation 8.
    #[must_use]
    pub fn p_purchases_of_new(&self, purchases: u32, horizon: f64) -> f64 {
        if horizon >= 0.0 {
            self.parameters.p_purchases_of_new(LEAVING, purchases, horizon)
        } else {
            f64::NAN
        }
    }
}

impl FitParams<BgNbd> {
    /// Finds the parameters under which these customers are most likely. Their order does not matter,
    /// nor does the unit of time.
    ///
    /// # Errors
    /// [`InvalidSummary`](crate::Error::InvalidSummary) for numbers that cannot be,
    /// [`NotFitted`](crate::Error::NotFitted) where nobody bought twice,
    /// [`Parameter`](crate::Error::Parameter) for settings out of range.
    pub fn fit(&self, summaries: &[Summary]) -> Result<BgNbd> {
        let most_iterations = self.check()?;
        let checked = Checked::new(summaries)?;
        let peak = DropOut::fit(LEAVING, &checked, most_iterations);
        let [r, alpha, a, b] = peak.parameters;
        let report = FitReport::new(
            &peak,
            [1.0, checked.unit, 1.0, 1.0],
            -checked.purchases * checked.unit.ln(),
            checked.customers(),
            0,
        );
        Ok(BgNbd { parameters: DropOut::new(r, alpha * checked.unit, a, b)?, report: Some(report) })
    }
}

impl fmt::Display for BgNbd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DropOut { r, alpha, a, b } = self.parameters;
        write(f, "BG/NBD", &[("r", r), ("alpha", alpha), ("a", a), ("b", b)], self.report.as_ref())
    }
}
