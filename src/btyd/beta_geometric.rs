//! Who has left, if customers buy at random until they leave at random?
//!
//! MBG/NBD and BG/NBD are one model but for one chance to leave, and so one type here: [`BetaGeometric`],
//! with the marker that says where that chance is.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::dropout::{DropOut, Leaving};
use super::fit::{FitParams, FitReport, write};
use super::summary::{Checked, Summary};
use crate::error::Result;

/// The MBG/NBD model: a customer can leave after any purchase, the first one too.
///
/// # References
/// Batislam, Denizel and Filiztekin (2007), International Journal of Research in Marketing 24:201–209;
/// Wagner and Hoppe (2008), "Erratum on the MBG/NBD model", the same 25:225–226.
///
/// # Examples
/// ```
/// use winback::btyd::{MbgNbd, Summary};
///
/// // Repeat purchases, first to last purchase, first purchase to now: in weeks.
/// let customers = [(0, 0, 39), (0, 0, 30), (2, 30, 38), (5, 12, 37), (1, 2, 39), (0, 0, 33), (7, 35, 39)]
///     .map(|(x, t_x, t)| Summary::new(x.into(), t_x.into(), t.into()));
/// let model = MbgNbd::params().fit(&customers)?;
///
/// // Five purchases in 12 weeks, then none in 25: hardly still a customer.
/// let silent = model.p_no_purchase(customers[3], 13.0);
/// let regular = model.p_no_purchase(customers[6], 13.0);
/// assert!(silent > 0.9 && regular < 0.4);
/// # Ok::<(), winback::Error>(())
/// ```
pub type MbgNbd = BetaGeometric<AfterAnyPurchase>;

/// The BG/NBD model: a customer can leave after any repeat purchase, but not after the first one. One-time
/// buyers are never gone, only slow; where that is not believed, take [`MbgNbd`].
///
/// # References
/// Fader, Hardie and Lee (2005), "Counting your customers the easy way", Marketing Science 24:275–284.
///
/// # Examples
/// ```
/// use winback::btyd::{BgNbd, Summary};
///
/// let customers = [(0, 0, 39), (0, 0, 30), (2, 30, 38), (5, 12, 37), (1, 2, 39), (0, 0, 33), (7, 35, 39)]
///     .map(|(x, t_x, t)| Summary::new(x.into(), t_x.into(), t.into()));
/// let model = BgNbd::params().fit(&customers)?;
/// let silent = model.p_no_purchase(customers[3], 13.0);
/// let regular = model.p_no_purchase(customers[6], 13.0);
/// assert!(silent > 0.9 && regular < 0.4);
/// # Ok::<(), winback::Error>(())
/// ```
pub type BgNbd = BetaGeometric<AfterRepeatPurchases>;

/// Marks [`MbgNbd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAnyPurchase {}

/// Marks [`BgNbd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRepeatPurchases {}

/// When a customer can leave. Sealed: [`AfterAnyPurchase`] or [`AfterRepeatPurchases`].
pub trait Leaves: sealed::When {}

mod sealed {
    use super::Leaving;

    pub trait When {
        const LEAVING: Leaving;
        const NAME: &'static str;
    }
}

impl Leaves for AfterAnyPurchase {}

impl sealed::When for AfterAnyPurchase {
    const LEAVING: Leaving = Leaving::AfterAnyPurchase;
    const NAME: &'static str = "MBG/NBD";
}

impl Leaves for AfterRepeatPurchases {}

impl sealed::When for AfterRepeatPurchases {
    const LEAVING: Leaving = Leaving::AfterRepeatPurchases;
    const NAME: &'static str = "BG/NBD";
}

/// Customers buy at random at a rate of their own, λ ~ Gamma(r, α), and at every chance to leave do so for
/// good with a probability of their own, p ~ Beta(a, b). In x repeat purchases there were
/// c chances: x + 1 for [`MbgNbd`], x for [`BgNbd`].
///
/// Times are in one unit throughout: that of the summaries is that of α and of every horizon.
/// Results are NaN for a summary that [`Summary::is_valid`] refuses or a horizon below 0, never else.
///
/// Fit it on all customers, whichever are to be looked at afterwards: customers chosen by when they last
/// bought break the likelihood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct BetaGeometric<When> {
    parameters: DropOut,
    report: Option<FitReport>,
    #[serde(skip)]
    when: PhantomData<When>,
}

impl<When: Leaves> BetaGeometric<When> {
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
        Ok(Self::of(DropOut::new(r, alpha, a, b)?, None))
    }

    pub(super) fn of(parameters: DropOut, report: Option<FitReport>) -> Self {
        Self { parameters, report, when: PhantomData }
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
    /// L = Γ(r+x) αʳ / Γ(r) · [ B(a, b+c)/B(a,b) (α+T)^−(r+x) + B(a+1, b+c−1)/B(a,b) (α+t_x)^−(r+x) if c > 0 ]
    /// ```
    /// # References
    /// Batislam, Denizel and Filiztekin (2007), the likelihood; Fader, Hardie and Lee (2005), equation 6.
    #[must_use]
    pub fn log_likelihood(&self, summary: Summary) -> f64 {
        if summary.is_valid() { self.parameters.log_likelihood(When::LEAVING, summary) } else { f64::NAN }
    }

    /// The probability that the customer has not left yet, 0 to 1; always 1 for a one-time buyer of a
    /// [`BgNbd`].
    ///
    /// It is not one minus a churn score: who has not left may still buy too rarely to come back within
    /// a horizon, one-time buyers above all. [`p_no_purchase`](Self::p_no_purchase) is what answers "will they buy?".
    ///
    /// # Formula
    /// ```text
    /// 1 / (1 + a/(b+c−1) · ((α+T)/(α+t_x))^(r+x))    if c > 0
    /// ```
    /// # References
    /// One part of the likelihood over the whole.
    #[must_use]
    pub fn p_alive(&self, summary: Summary) -> f64 {
        if summary.is_valid() { self.parameters.p_alive(When::LEAVING, summary) } else { f64::NAN }
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
            self.parameters.p_no_purchase(When::LEAVING, summary, horizon)
        } else {
            f64::NAN
        }
    }

    /// The probability of not a single purchase in the `horizon` that begins `lead` from now, 0 to 1.
    ///
    /// # Formula
    /// ```text
    /// 1 − p · E_q[((α+T)/(α+T+qL))^(r+x) − ((α+T)/(α+T+qL+H))^(r+x)]
    ///                        where p is P(alive), L the lead and q ~ Beta(a, b+c) the chance to leave
    /// ```
    /// For who buys at rate λ, the chance not to have left by L is exp(−λqL), and to buy after that
    /// 1 − exp(−λH). Without a lead it is [`p_no_purchase`](Self::p_no_purchase).
    #[must_use]
    pub fn p_no_purchase_after(&self, summary: Summary, lead: f64, horizon: f64) -> f64 {
        if summary.is_valid() && horizon >= 0.0 && lead >= 0.0 {
            1.0 - self.parameters.p_purchase_after(When::LEAVING, summary, lead, horizon)
        } else {
            f64::NAN
        }
    }

    /// The probability of more than `purchases` of them within `horizon` from now, 0 to 1.
    ///
    /// # Formula
    /// ```text
    /// p · (b+c)_n/(a+b+c)_n · P(NB > n)    where p is P(alive), n the purchases, (z)_n = z (z+1) … (z+n−1)
    ///                                      and NB has shape r+x and odds H/(α+T)
    /// ```
    /// More than n are bought by those who do not leave at any of the first n.
    #[must_use]
    pub fn p_more_purchases(&self, summary: Summary, purchases: u32, horizon: f64) -> f64 {
        if summary.is_valid() && horizon >= 0.0 {
            let mut counts = self.parameters.counts(When::LEAVING, summary, horizon);
            counts.nth(purchases as usize).unwrap_or(0.0)
        } else {
            f64::NAN
        }
    }

    /// The chances of more than 0, 1, 2 … purchases within `horizon` from now; of a valid summary.
    pub(crate) fn counts(&self, summary: Summary, horizon: f64) -> impl Iterator<Item = f64> + use<When> {
        self.parameters.counts(When::LEAVING, summary, horizon)
    }

    /// The expected number of purchases within `horizon` from now, from 0 on. Infinite only for an
    /// infinite horizon where a is at most 1.
    ///
    /// # Formula
    /// ```text
    /// p · (a+b+c−1)/(a−1) · [1 − ((α+T)/(α+T+H))^(r+x) ₂F₁(r+x, b+c; a+b+c−1; H/(α+T+H))]
    ///                                                                      where p is P(alive)
    /// ```
    /// It is summed in another form, which holds at a = 1 and for large b too.
    ///
    /// # References
    /// Fader, Hardie and Lee (2005), equation 10; Wagner and Hoppe (2008).
    #[must_use]
    pub fn expected_purchases(&self, summary: Summary, horizon: f64) -> f64 {
        if summary.is_valid() && horizon >= 0.0 {
            self.parameters.expected_purchases(When::LEAVING, summary, horizon)
        } else {
            f64::NAN
        }
    }

    /// The expected number of purchases within `horizon` after the first one, of a customer of whom
    /// nothing else is known.
    ///
    /// # References
    /// Fader, Hardie and Lee (2005), equation 9; Batislam, Denizel and Filiztekin (2007), the mean.
    #[must_use]
    pub fn expected_purchases_of_new(&self, horizon: f64) -> f64 {
        self.expected_purchases(Summary::new(0.0, 0.0, 0.0), horizon)
    }

    /// The probability of exactly so many purchases within `horizon` after the first one, 0 to 1.
    ///
    /// # Formula
    /// ```text
    /// B(a, b+c)/B(a,b) · NB(n) + B(a+1, b+c−1)/B(a,b) · Σ_{k≥n} NB(k) if c > 0
    ///                        where c are the chances in n, and NB(k) = Γ(r+k)/(Γ(r) k!) (α/(α+H))ʳ (H/(α+H))ᵏ
    /// ```
    /// # References
    /// Fader, Hardie and Lee (2005), equation 8; Batislam, Denizel and Filiztekin (2007), the distribution.
    #[must_use]
    pub fn p_purchases_of_new(&self, purchases: u32, horizon: f64) -> f64 {
        if horizon >= 0.0 {
            self.parameters.p_purchases_of_new(When::LEAVING, purchases, horizon)
        } else {
            f64::NAN
        }
    }
}

impl<When: Leaves> FitParams<BetaGeometric<When>> {
    /// Finds the parameters under which these customers are most likely. Their order does not matter,
    /// nor does the unit of time.
    ///
    /// # Errors
    /// [`InvalidSummary`](crate::Error::InvalidSummary) for numbers that cannot be,
    /// [`NotFitted`](crate::Error::NotFitted) where nobody bought twice,
    /// [`Parameter`](crate::Error::Parameter) for settings out of range.
    pub fn fit(&self, summaries: &[Summary]) -> Result<BetaGeometric<When>> {
        let most_iterations = self.check()?;
        let checked = Checked::new(summaries)?;
        let peak = DropOut::fit(When::LEAVING, &checked, most_iterations);
        let [r, alpha, a, b] = peak.parameters;
        let report = FitReport::new(
            &peak,
            [1.0, checked.unit, 1.0, 1.0],
            -checked.purchases * checked.unit.ln(),
            checked.customers(),
            0,
        );
        Ok(BetaGeometric::of(DropOut::new(r, alpha * checked.unit, a, b)?, Some(report)))
    }
}

impl<When: Leaves> fmt::Display for BetaGeometric<When> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DropOut { r, alpha, a, b } = self.parameters;
        write(f, When::NAME, &[("r", r), ("alpha", alpha), ("a", a), ("b", b)], self.report.as_ref())
    }
}
