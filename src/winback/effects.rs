//! What is an offer's effect in each stratum, when each was measured on few? Shrunk to what they share.

use std::fmt;

use serde::Serialize;

use super::offer::MeasuredEffect;
use crate::rates::two_sided_quantile;

/// Points at which the spread between strata is tried.
const POINTS: usize = 400;
/// The middle of what the spread may be before the data, in root mean standard errors. With 1 in its place intervals
/// of eight strata whose effects differ by about their own errors cover .92 of the time, with 4 .95.
const SPREAD_SCALE: f64 = 4.0;

/// An effect as it was measured in one stratum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StratumEffect {
    /// The stratum; empty for everybody.
    pub stratum: String,
    /// The estimate.
    pub estimate: f64,
    /// Its standard error, above 0.
    pub standard_error: f64,
}

impl From<&MeasuredEffect> for StratumEffect {
    /// The standard error is taken from the 95 % interval.
    fn from(effect: &MeasuredEffect) -> Self {
        let z = two_sided_quantile(0.95).unwrap_or(1.96);
        StratumEffect {
            stratum: effect.stratum.clone().unwrap_or_default(),
            estimate: effect.estimate,
            standard_error: (effect.high - effect.low) / (2.0 * z),
        }
    }
}

/// An effect after shrinkage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShrunkEffect {
    /// The stratum.
    pub stratum: String,
    /// Posterior mean.
    pub mean: f64,
    /// Posterior standard deviation, the doubt about the common mean included.
    pub sd: f64,
    /// The share of the own estimate in the mean, 0 to 1.
    pub own_share: f64,
}

/// Effects over strata, each shrunk towards the common mean as far as its own doubt says, averaged over what
/// the spread between strata may be.
///
/// # Formula
/// ```text
/// estimate ~ N(θ, s²),  θ ~ N(μ, τ²),  μ flat,  p(τ) = s₀/(s₀ + τ)²,  16/s₀² the mean of 1/s²
/// given τ:  w = 1/(s² + τ²),  μ = Σ w estimate / Σ w,  B = s²/(s² + τ²)
///           mean = (1 − B) estimate + B μ,  variance = (1 − B) s² + B²/Σ w
/// p(τ | estimates) ∝ p(τ) (Σ w)^(−½) Π √w exp(−½ w (estimate − μ)²), on 400 points of equal prior chance
/// ```
/// mean ± 1.96 sd covers .92 to .97 of true effects where these differ between strata (normally, by .2 to 1.7 standard
/// errors), and .97 or more where they do not (2 to 20 strata, 600 simulations of each).
///
/// # References
/// Morris (1983), Journal of the American Statistical Association 78:47–55; DuMouchel and Harris (1983), the same
/// 78:293–308; the prior in Spiegelhalter, Abrams and Myles (2004), Bayesian Approaches to Clinical Trials, 5.7.3.
///
/// ```
/// use winback::winback::{ShrunkEffects, StratumEffect};
/// let measured = |stratum: &str, estimate, standard_error| StratumEffect {
///     stratum: stratum.to_owned(), estimate, standard_error
/// };
/// let found = ShrunkEffects::of(&[measured("a", 0.03, 0.01), measured("b", 0.05, 0.04), measured("c", 0.03, 0.02)]);
/// let found = found.map(|found| found.effects[1].mean).unwrap_or_default();
/// // Measured on few: most of it comes from the others.
/// assert!(0.031 < found && found < 0.037, "{found}");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShrunkEffects {
    /// The common mean.
    pub mean: f64,
    /// Its standard error.
    pub mean_standard_error: f64,
    /// The spread of true effects between strata, on average.
    pub between_sd: f64,
    /// The strata, in the order given.
    pub effects: Vec<ShrunkEffect>,
}

impl ShrunkEffects {
    /// Shrinks. `None` without strata, or where an estimate is not finite or an error not above 0.
    #[must_use]
    pub fn of(measured: &[StratumEffect]) -> Option<Self> {
        Self::of_spread(measured, SPREAD_SCALE)
    }

    /// The same with another middle of the spread, in root mean standard errors.
    pub(super) fn of_spread(measured: &[StratumEffect], spread_scale: f64) -> Option<Self> {
        let sound = |effect: &StratumEffect| {
            effect.estimate.is_finite() && effect.standard_error > 0.0 && effect.standard_error.is_finite()
        };
        if measured.is_empty() || !measured.iter().all(sound) {
            return None;
        }
        let n = measured.len();
        let precision: f64 = measured.iter().map(|effect| effect.standard_error.powi(-2)).sum();
        let scale = spread_scale * (n as f64 / precision).sqrt();
        // Per point: its log-density, τ, μ and the variance of μ.
        let mut points = Vec::with_capacity(POINTS);
        for point in 0..POINTS {
            let u = (point as f64 + 0.5) / POINTS as f64;
            let between = scale * u / (1.0 - u);
            let weight = |effect: &StratumEffect| 1.0 / (effect.standard_error.powi(2) + between * between);
            let total: f64 = measured.iter().map(weight).sum();
            let mean = measured.iter().map(|effect| weight(effect) * effect.estimate).sum::<f64>() / total;
            let density: f64 = measured
                .iter()
                .map(|effect| 0.5 * (weight(effect).ln() - weight(effect) * (effect.estimate - mean).powi(2)))
                .sum();
            points.push((density - 0.5 * total.ln(), between, mean, 1.0 / total));
        }
        let highest = points.iter().fold(f64::NEG_INFINITY, |most, point| most.max(point.0));
        let all: f64 = points.iter().map(|point| (point.0 - highest).exp()).sum();
        // Mean and variance of a mixture: of (mean, variance) at each point.
        let mixed = |at: &dyn Fn(f64, f64, f64) -> (f64, f64)| {
            let (mut first, mut second) = (0.0, 0.0);
            for &(density, between, mean, variance) in &points {
                let chance = (density - highest).exp() / all;
                let (middle, spread) = at(between, mean, variance);
                first += chance * middle;
                second += chance * (spread + middle * middle);
            }
            (first, (second - first * first).max(0.0).sqrt())
        };
        let shrink = |effect: &StratumEffect| {
            let own = effect.standard_error.powi(2);
            let share = |between: f64| between * between / (own + between * between);
            let (mean, sd) = mixed(&|between, mean, variance| {
                let share = share(between);
                (
                    share * effect.estimate + (1.0 - share) * mean,
                    share * own + (1.0 - share).powi(2) * variance,
                )
            });
            let own_share = mixed(&|between, _, _| (share(between), 0.0)).0;
            ShrunkEffect { stratum: effect.stratum.clone(), mean, sd, own_share }
        };
        let (mean, mean_standard_error) = mixed(&|_, mean, variance| (mean, variance));
        Some(ShrunkEffects {
            mean,
            mean_standard_error,
            between_sd: mixed(&|between, _, _| (between, 0.0)).0,
            effects: measured.iter().map(shrink).collect(),
        })
    }
}

impl fmt::Display for ShrunkEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mean, mean_standard_error, between_sd, effects } = self;
        write!(
            f,
            "effect {mean:.4} ± {mean_standard_error:.4} on average, spread between strata {between_sd:.4}"
        )?;
        for effect in effects {
            write!(
                f,
                "\n  {}: {:.4} ± {:.4}, own share {:.0} %",
                effect.stratum,
                effect.mean,
                effect.sd,
                100.0 * effect.own_share
            )?;
        }
        Ok(())
    }
}
