//! What does a customer spend per purchase, few purchases being known?

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::fit::{FitParams, FitReport, check_parameters, parameter, write};
use super::optimise::{Likelihood, Sums, maximise};
use super::special::{Jet, ln_gamma, ln_rising};
use crate::error::{Error, Result};

const ROWS_PER_BLOCK: usize = 1 << 12;
/// Customers that the search starts on.
const START_CUSTOMERS: usize = 20_000;
/// Where the search starts: p and q. v is such that the mean is that of the customers.
const STARTS: [[f64; 2]; 3] = [[2.0, 2.0], [6.0, 4.0], [0.8, 6.0]];

/// What one customer spent on repeat purchases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepeatSpend {
    /// x: purchases after the first one, a whole number from 0 to 10⁹.
    pub frequency: f64,
    /// m: their mean amount, 0 to 10¹⁵, the first purchase left out.
    pub mean_amount: f64,
}

impl RepeatSpend {
    const LARGEST: [f64; 2] = [1e9, 1e15];

    /// A customer of `frequency` repeat purchases of `mean_amount` on average.
    #[must_use]
    pub fn new(frequency: f64, mean_amount: f64) -> Self {
        Self { frequency, mean_amount }
    }

    /// Whether both numbers are in range.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.fault().is_none()
    }

    fn fault(&self) -> Option<(&'static str, f64, &'static str)> {
        let Self { frequency, mean_amount } = *self;
        if !(0.0..=Self::LARGEST[0]).contains(&frequency) || frequency.fract() != 0.0 {
            Some(("frequency", frequency, "a whole number from 0 to 1e9"))
        } else if !(0.0..=Self::LARGEST[1]).contains(&mean_amount) {
            Some(("mean amount", mean_amount, "a number from 0 to 1e15"))
        } else {
            None
        }
    }
}

/// The Gamma-Gamma model: a customer's amounts scatter around a mean of their own, amount ~ Gamma(p, ν),
/// and the means between customers, ν ~ Gamma(q, v). How often they buy has no part in it.
///
/// # References
/// Fader and Hardie (2013), "The Gamma-Gamma model of monetary value", brucehardie.com/notes/025.
///
/// # Examples
/// ```
/// use winback::btyd::{GammaGamma, RepeatSpend};
///
/// let customers = [(2, 22.35), (1, 11.77), (7, 73.74), (1, 11.77), (2, 25.55), (5, 31.40), (3, 18.20)]
///     .map(|(x, mean)| RepeatSpend::new(x.into(), mean));
/// let model = GammaGamma::params().fit(&customers)?;
///
/// // Two cheap purchases say less than seven.
/// let few = model.expected_average(RepeatSpend::new(2.0, 10.0));
/// let many = model.expected_average(RepeatSpend::new(7.0, 10.0));
/// assert!(10.0 < many && many < few);
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GammaGamma {
    #[serde(deserialize_with = "parameter")]
    p: f64,
    #[serde(deserialize_with = "parameter")]
    q: f64,
    #[serde(deserialize_with = "parameter")]
    v: f64,
    report: Option<FitReport>,
}

impl GammaGamma {
    /// Settings for a fit.
    #[must_use]
    pub fn params() -> FitParams<Self> {
        FitParams::new()
    }

    /// The model of parameters known from elsewhere, such as a publication.
    ///
    /// # Errors
    /// [`Parameter`](crate::Error::Parameter) for a parameter outside 1e-30 to 1e30.
    pub fn new(p: f64, q: f64, v: f64) -> Result<Self> {
        check_parameters(&[("p", p), ("q", q), ("v", v)])?;
        Ok(Self { p, q, v, report: None })
    }

    /// Shape of a customer's amounts: the larger, the more alike they are.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.p
    }

    /// Shape of the rates ν between customers.
    #[must_use]
    pub fn q(&self) -> f64 {
        self.q
    }

    /// Rate of the rates ν, an amount.
    #[must_use]
    pub fn v(&self) -> f64 {
        self.v
    }

    /// How the fit went, with standard errors of p, q and v in that order. `None` for parameters that
    /// were given.
    #[must_use]
    pub fn report(&self) -> Option<&FitReport> {
        self.report.as_ref()
    }

    /// The log-likelihood of one customer; 0 for one without repeat purchases or amounts, NaN for one
    /// that [`RepeatSpend::is_valid`] refuses.
    ///
    /// # Formula
    /// ```text
    /// Γ(px+q)/(Γ(px) Γ(q)) · v^q m^(px−1) x^(px) / (v + mx)^(px+q)
    /// ```
    /// # References
    /// Fader and Hardie (2013), equation 1a.
    #[must_use]
    pub fn log_likelihood(&self, spend: RepeatSpend) -> f64 {
        if !spend.is_valid() {
            return f64::NAN;
        }
        if spend.frequency == 0.0 || spend.mean_amount == 0.0 {
            return 0.0;
        }
        let parameters = [self.p, self.q, self.v];
        sums_of(spend, &Gammas::new(spend.frequency, &parameters), &parameters).value
    }

    /// The mean amount to expect of a customer's further purchases: between their own mean so far and
    /// that of everyone, the nearer to their own the more they bought.
    ///
    /// Infinite where q + px is at most 1: the tail of the means is too long for an expectation. NaN
    /// only for a spend that [`RepeatSpend::is_valid`] refuses.
    ///
    /// # Formula
    /// ```text
    /// p (v + mx) / (px + q − 1)
    /// ```
    /// # References
    /// Fader and Hardie (2013), equation 5.
    #[must_use]
    pub fn expected_average(&self, spend: RepeatSpend) -> f64 {
        if !spend.is_valid() {
            return f64::NAN;
        }
        let RepeatSpend { frequency, mean_amount } = spend;
        let weight = self.p * frequency + (self.q - 1.0);
        if weight <= 0.0 { f64::INFINITY } else { self.p * (self.v + mean_amount * frequency) / weight }
    }
}

impl FitParams<GammaGamma> {
    /// Finds the parameters under which these amounts are most likely. Customers without repeat
    /// purchases or with a mean of 0 are skipped and counted. Neither order nor currency matters.
    ///
    /// # Errors
    /// [`InvalidSummary`](crate::Error::InvalidSummary) for numbers that cannot be,
    /// [`NotFitted`](crate::Error::NotFitted) where nobody is left,
    /// [`Parameter`](crate::Error::Parameter) for settings out of range.
    pub fn fit(&self, spends: &[RepeatSpend]) -> Result<GammaGamma> {
        let most_iterations = self.check()?;
        let of = spends.len();
        if let Some((at, (name, found, expected))) =
            spends.iter().enumerate().find_map(|(at, spend)| Some((at, spend.fault()?)))
        {
            return Err(Error::InvalidSummary { row: at + 1, of, name, found, expected });
        }
        let mut used: Vec<RepeatSpend> =
            spends.iter().copied().filter(|spend| spend.frequency > 0.0 && spend.mean_amount > 0.0).collect();
        if used.is_empty() {
            let reason = "no customer has repeat purchases with amounts above 0".to_owned();
            return Err(Error::NotFitted { reason });
        }
        used.sort_unstable_by(|one, other| {
            let by_count = one.frequency.total_cmp(&other.frequency);
            by_count.then(one.mean_amount.total_cmp(&other.mean_amount))
        });
        let customers = used.len() as f64;
        let unit = used.iter().map(|spend| spend.mean_amount).sum::<f64>() / customers;
        used.iter_mut().for_each(|spend| spend.mean_amount /= unit);
        // The mean is pv / (q − 1), and 1 in these units.
        let starts = STARTS.map(|[p, q]| [p, q, (q - 1.0) / p]);
        let step = used.len().div_ceil(START_CUSTOMERS);
        let sample = Customers(used.iter().copied().skip(step / 2).step_by(step).collect());
        let all = Customers(used);
        let peak = maximise(&sample, &all, &starts, most_iterations);
        let [p, q, v] = peak.parameters;
        let log_density = -customers * unit.ln();
        let report =
            FitReport::new(&peak, [1.0, 1.0, unit], log_density, all.0.len(), spends.len() - all.0.len());
        Ok(GammaGamma { report: Some(report), ..GammaGamma::new(p, q, v * unit)? })
    }
}

impl fmt::Display for GammaGamma {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, "Gamma-Gamma", &[("p", self.p), ("q", self.q), ("v", self.v)], self.report.as_ref())
    }
}

/// The customers of a fit, by frequency.
struct Customers(Vec<RepeatSpend>);

impl Likelihood<3> for Customers {
    fn customers(&self) -> f64 {
        self.0.len() as f64
    }

    fn sums(&self, parameters: &[f64; 3]) -> Sums<3> {
        let block = |spends: &[RepeatSpend]| {
            let mut sums = Sums::ZERO;
            for same in spends.chunk_by(|one, other| one.frequency == other.frequency) {
                let gammas = Gammas::new(same[0].frequency, parameters);
                same.iter().for_each(|&spend| sums.add(&sums_of(spend, &gammas, parameters), 1.0));
            }
            sums
        };
        let blocks: Vec<Sums<3>> = self.0.par_chunks(ROWS_PER_BLOCK).map(block).collect();
        let mut sums = Sums::ZERO;
        blocks.iter().for_each(|block| sums.add(block, 1.0));
        sums
    }
}

/// What of the likelihood only depends on the number of purchases.
struct Gammas {
    /// ln Γ(px+q) − ln Γ(q), by q.
    by_q: Jet,
    /// ln Γ(px+q) − ln Γ(px), by px.
    by_px: Jet,
    ln_gamma_px: f64,
    /// ψ′(px+q).
    mixed: f64,
}

impl Gammas {
    fn new(frequency: f64, &[p, q, _]: &[f64; 3]) -> Self {
        let px = p * frequency;
        Self {
            by_q: ln_rising(q, px),
            by_px: ln_rising(px, q),
            ln_gamma_px: ln_gamma(px).value,
            mixed: ln_gamma(px + q).curvature,
        }
    }
}

fn sums_of(spend: RepeatSpend, gammas: &Gammas, &[p, q, v]: &[f64; 3]) -> Sums<3> {
    let RepeatSpend { frequency: x, mean_amount: m } = spend;
    let (px, total) = (p * x, m * x);
    let all = v + total;
    Sums {
        // m^(px−1) x^(px) / (v + mx)^(px+q) v^q, by shares of v + mx.
        value: gammas.by_q.value
            - gammas.ln_gamma_px
            - px * (v / total).ln_1p()
            - q * (total / v).ln_1p()
            - m.ln(),
        gradient: [
            x * (gammas.by_px.slope - (v / total).ln_1p()),
            gammas.by_q.slope - (total / v).ln_1p(),
            q / v - (px + q) / all,
        ],
        hessian: [
            [x * x * gammas.by_px.curvature, 0.0, 0.0],
            [x * gammas.mixed, gammas.by_q.curvature, 0.0],
            [-x / all, 1.0 / v - 1.0 / all, (px + q) / (all * all) - q / (v * v)],
        ],
    }
}
