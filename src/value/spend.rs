//! How much may it be worth?

use std::fmt;

use serde::Serialize;
use statrs::function::beta::checked_beta_reg;

use super::counts::{CountForecast, TAIL};
use crate::btyd::{GammaGamma, RepeatSpend};

/// From so many customers with paid repeat purchases on, Gamma-Gamma is fitted.
const LEAST_REPEAT_BUYERS: usize = 20;
/// The stated model: the amounts of a customer scatter like an exponential distribution around a mean of
/// their own, and the means so that the mean of everyone counts as two purchases.
const STATED: [f64; 3] = [1.0, 3.0, 2.0];
/// Halvings on the way to a quantile: five digits.
const HALVINGS: usize = 24;
/// Logits between which quantiles are sought.
const FARTHEST_LOGIT: f64 = 40.0;

/// Where the spend per purchase comes from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SpendBasis {
    /// Gamma-Gamma, fitted to so many customers with paid repeat purchases; free orders say nothing here.
    Fitted {
        /// Customers it was learned from.
        customers: usize,
    },
    /// Too few of them (below 20), or a fit that did not come to rest or has no mean: the mean amount of
    /// everyone counts as two further purchases of each customer.
    Stated {
        /// Customers there were to learn from.
        customers: usize,
    },
    /// All purchases were free.
    Nothing,
}

impl fmt::Display for SpendBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpendBasis::Fitted { customers } => {
                write!(f, "Gamma-Gamma of {customers} customers with paid repeat purchases")
            }
            SpendBasis::Stated { customers } => write!(
                f,
                "not learned from {customers} customers with paid repeat purchases: a customer's own mean, with that \
                 of everyone as two more purchases"
            ),
            SpendBasis::Nothing => write!(f, "all purchases were free"),
        }
    }
}

/// What a purchase brings, in units of the mean amount.
pub(super) struct SpendModel {
    model: Option<GammaGamma>,
    basis: SpendBasis,
    unit: f64,
}

impl SpendModel {
    pub(super) fn fit(spends: &[RepeatSpend], mean_amount: f64) -> Self {
        let customers =
            spends.iter().filter(|spend| spend.frequency > 0.0 && spend.mean_amount > 0.0).count();
        if mean_amount <= 0.0 {
            return Self { model: None, basis: SpendBasis::Nothing, unit: 0.0 };
        }
        let is_sound = |model: &GammaGamma| {
            model.report().is_some_and(|report| report.converged) && model.q() > 1.0 && model.q().is_finite()
        };
        let fitted = (customers >= LEAST_REPEAT_BUYERS)
            .then(|| GammaGamma::params().fit(spends).ok().filter(is_sound))
            .flatten();
        let basis = match fitted {
            Some(_) => SpendBasis::Fitted { customers },
            None => SpendBasis::Stated { customers },
        };
        let [p, q, v] = STATED;
        Self { model: fitted.or_else(|| GammaGamma::new(p, q, v).ok()), basis, unit: mean_amount }
    }

    pub(super) fn basis(&self) -> SpendBasis {
        self.basis
    }

    /// The mean amount to expect of a customer's purchases.
    pub(super) fn expected_average(&self, spend: RepeatSpend) -> f64 {
        self.model.as_ref().map_or(0.0, |model| model.expected_average(spend) * self.unit)
    }

    /// The variance of what a customer spends altogether; infinite where the tail is too long for one.
    ///
    /// # Formula
    /// ```text
    /// Var S = c² (p² E[N²] + p E[N]) / ((a − 1)(a − 2)) − (c p E[N] / (a − 1))²,  a = q + px, c = v + mx
    /// ```
    /// as S given n and ν is Gamma(pn, ν), and ν ~ Gamma(a, c).
    pub(super) fn variance(&self, spend: RepeatSpend, counts: &CountForecast) -> f64 {
        let Some(model) = &self.model else { return 0.0 };
        let RepeatSpend { frequency, mean_amount } = spend;
        let (p, (mean, square)) = (model.p(), counts.moments());
        let (shape, rate) = (model.q() + p * frequency, model.v() + mean_amount * frequency);
        if shape <= 2.0 {
            return f64::INFINITY;
        }
        let mean_spend = p * mean / (shape - 1.0);
        let squared = (p * p * square + p * mean) / ((shape - 1.0) * (shape - 2.0));
        (squared - mean_spend * mean_spend).max(0.0) * (rate * self.unit).powi(2)
    }

    /// How much everyone's mean counts in what is expected of a customer, 0 to 1.
    pub(super) fn weight_of_everyone(&self, spend: RepeatSpend) -> f64 {
        self.model.as_ref().map_or(0.0, |model| {
            let rest = model.q() - 1.0;
            rest / (rest + model.p() * spend.frequency)
        })
    }

    /// The standard error of everyone's mean amount: customers differ in theirs, and their amounts scatter around
    /// it. Infinite where the tail is too long for one.
    pub(super) fn error_of_everyone(&self, spends: &[RepeatSpend]) -> f64 {
        let Some(model) = &self.model else { return 0.0 };
        let (p, q) = (model.p(), model.q());
        if q <= 2.0 {
            return f64::INFINITY;
        }
        let mean = p * model.v() / (q - 1.0);
        let between = mean * mean / (q - 2.0);
        let square = mean * mean + between;
        let known = |spend: &RepeatSpend| match self.basis {
            SpendBasis::Fitted { .. } => spend.frequency,
            // The mean of all purchases, the first ones too.
            _ => spend.frequency + 1.0,
        };
        let information: f64 = spends
            .iter()
            .map(known)
            .filter(|&purchases| purchases > 0.0)
            .map(|purchases| 1.0 / (between + square / (p * purchases)))
            .sum();
        self.unit / information.sqrt()
    }

    /// Ends of the interval of what a customer spends altogether.
    ///
    /// # Formula
    /// ```text
    /// P(sum > s) = Σ_n P(N = n) (1 − I_z(pn, q + px)),  z = s / (s + v + mx)
    /// ```
    /// as n amounts add up to Gamma(pn, ν), and ν ~ Gamma(q + px, v + mx) once x amounts are known.
    pub(super) fn interval(&self, spend: RepeatSpend, counts: &CountForecast) -> (f64, f64) {
        let Some(model) = &self.model else { return (0.0, 0.0) };
        let RepeatSpend { frequency, mean_amount } = spend;
        let (shape, rate) = (model.q() + model.p() * frequency, model.v() + mean_amount * frequency);
        let weights = counts.weights();
        // 1 − I_z(a, b) = I_{1−z}(b, a), which keeps its digits where z is near 1.
        let above = |rest: f64, a: f64| checked_beta_reg(shape, a, rest).unwrap_or(0.0);
        let more_than = |logit: f64| -> f64 {
            let rest = 1.0 / (1.0 + logit.exp());
            weights.iter().map(|&(n, weight)| weight * above(rest, model.p() * n)).sum()
        };
        let quantile = |rest: f64| {
            if 1.0 - counts.p_none() <= rest {
                return 0.0;
            }
            let (mut low, mut high) = (-FARTHEST_LOGIT, FARTHEST_LOGIT);
            for _ in 0..HALVINGS {
                let middle = 0.5 * (low + high);
                if more_than(middle) > rest { low = middle } else { high = middle }
            }
            // z / (1 − z) = e^logit
            f64::exp(0.5 * (low + high)) * rate * self.unit
        };
        (quantile(1.0 - TAIL), quantile(TAIL))
    }
}
