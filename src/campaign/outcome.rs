//! By how much did each arm return more often, and spend more, than its control?

use serde::Serialize;

use super::effect::{Effect, Pair, adjust};
use super::experiment::Experiment;
use super::trust::{Split, Trust, TrustChecks, check};
use super::uplift::{Uplift, uplift};
use crate::error::{Error, Result};
use crate::winback::Measured;

/// What the experiment showed, on the primary outcome.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Verdict {
    /// At least one arm does better than the control, and none worse.
    #[serde(rename = "works")]
    Works,
    /// At least one arm does worse than the control, and none better.
    #[serde(rename = "harms")]
    Harms,
    /// Some arms do better, others worse.
    #[serde(rename = "mixed")]
    Mixed,
    /// No difference was shown.
    #[serde(rename = "null")]
    Null,
    /// There is too little to compare.
    #[serde(rename = "insufficient")]
    Insufficient,
    /// The comparison itself is broken.
    #[serde(rename = "do not trust")]
    DoNotTrust,
    /// The last day that counts has not passed.
    #[serde(rename = "interim")]
    Interim,
}

/// How an experiment is measured.
///
/// | setting | default |
/// |---|---|
/// | primary outcome | returned |
/// | level of intervals, and of the verdict | .95 |
/// | planned split | not stated: compared with the nearest that is common |
#[derive(Clone, Debug)]
pub struct OutcomeParams {
    primary: Measured,
    level: f64,
    split: Split,
}

impl OutcomeParams {
    /// Says which outcome the verdict is about; it should have been chosen before the start.
    #[must_use]
    pub fn with_primary(mut self, primary: Measured) -> Self {
        self.primary = primary;
        self
    }

    /// Sets how often intervals cover the truth, between 0 and 1.
    #[must_use]
    pub fn with_level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// States the planned share of every arm, the control too; they need not add up to 1.
    #[must_use]
    pub fn with_split<S: Into<String>>(mut self, shares: impl IntoIterator<Item = (S, f64)>) -> Self {
        self.split = Split::Stated(shares.into_iter().map(|(arm, share)| (arm.into(), share)).collect());
        self
    }

    /// The split of a plan: a whole per cent held out.
    pub(super) fn with_whole_percent(mut self) -> Self {
        self.split = Split::WholePercent;
        self
    }

    /// Measures by intention to treat: everyone in the arm they were assigned to.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a level that does not lie between 0 and 1, a primary outcome that was not read,
    /// or a split that does not name every arm once.
    pub fn measure(&self, experiment: &Experiment) -> Result<Outcome> {
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::parameter("level", self.level, "a number between 0 and 1"));
        }
        let is_read = |measured| match measured {
            Measured::Returned => true,
            Measured::Value => experiment.value.is_some(),
            Measured::Profit => experiment.profit.is_some(),
        };
        if !is_read(self.primary) {
            return Err(Error::parameter(
                "primary outcome",
                self.primary,
                "an outcome that was read: name its column",
            ));
        }
        let checks = check(experiment, &self.split)?;
        let (strata, n_strata) = experiment.strata();
        let arms = 1..experiment.arms().len();
        let mut effects = Vec::new();
        for measured in Measured::ALL.into_iter().filter(|measured| is_read(*measured)) {
            let of = |arm| Pair::new(experiment, arm, &strata, n_strata);
            let mut family: Vec<Effect> = match amounts(experiment, measured) {
                None => {
                    arms.clone().map(|arm| of(arm).rate(measured, &experiment.returned, self.level)).collect()
                }
                Some(amounts) => {
                    let residuals = residuals(experiment, &strata, amounts);
                    arms.clone().map(|arm| of(arm).money(measured, amounts, &residuals, self.level)).collect()
                }
            };
            adjust(family.iter_mut());
            effects.extend(family);
        }
        let uplift = match &experiment.score {
            Some(score) if checks.trust != Trust::DoNotTrust => {
                arms.map(|arm| curve(experiment, arm, score)).collect()
            }
            _ => Vec::new(),
        };
        let verdict = verdict(&effects, self.primary, self.level, checks.trust);
        Ok(Outcome {
            control: experiment.arms()[0].clone(),
            customers: experiment.customers(),
            primary: self.primary,
            level: self.level,
            effects,
            trust: checks.trust,
            trust_checks: checks,
            verdict,
            uplift,
        })
    }
}

/// What an experiment brought.
///
/// Rates are compared after Miettinen and Nurminen, where events are few by an exact test too, and money after Welch, all
/// over the strata; see [`rates`](crate::rates) for formulas. With fewer than 10 customers in both arms together who
/// returned, or who did not, there is no verdict on returns. Below 100 customers who returned in either arm, or 20 who
/// spent anything, there is no effect on money; below 100 who spent anything it comes with a warning.
///
/// ```
/// use polars::df;
/// use winback::campaign::{Experiment, Outcome, Verdict};
///
/// let arm: Vec<&str> = (0..2_000).map(|i| if i % 2 == 0 { "mail" } else { "none" }).collect();
/// let back: Vec<bool> = (0..2_000).map(|i| i % 20 < if i % 2 == 0 { 6 } else { 4 }).collect();
/// let results = df!["arm" => arm, "back" => back]?;
/// let experiment = Experiment::params("arm", "none", "back").from_frame(&results)?;
/// let outcome = Outcome::params().measure(&experiment)?;
/// assert_eq!(outcome.verdict(), Verdict::Works);
/// assert_eq!(outcome.effects()[0].effect.map(|effect| (effect * 1e3).round()), Some(100.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub(super) control: String,
    pub(super) customers: usize,
    pub(super) primary: Measured,
    pub(super) level: f64,
    pub(super) effects: Vec<Effect>,
    pub(super) trust: Trust,
    pub(super) trust_checks: TrustChecks,
    pub(super) verdict: Verdict,
    pub(super) uplift: Vec<Uplift>,
}

impl Outcome {
    /// Begins to measure.
    #[must_use]
    pub fn params() -> OutcomeParams {
        OutcomeParams { primary: Measured::Returned, level: 0.95, split: Split::Common }
    }

    /// The effects: on returns, then on value, each arm in order of text.
    #[must_use]
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// Something else speaks against the comparison.
    pub(super) fn distrust(&mut self, trust: Trust) {
        (self.trust, self.trust_checks.trust) = (trust, trust);
    }

    /// Whether the comparison can be trusted.
    #[must_use]
    pub fn trust(&self) -> &TrustChecks {
        &self.trust_checks
    }

    /// What was shown.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What choosing by the score is worth, by arm; empty without a score, or without trust.
    #[must_use]
    pub fn uplift(&self) -> &[Uplift] {
        &self.uplift
    }
}

fn verdict(effects: &[Effect], primary: Measured, level: f64, trust: Trust) -> Verdict {
    if trust == Trust::DoNotTrust {
        return Verdict::DoNotTrust;
    }
    let known = || effects.iter().filter(|effect| effect.outcome == primary && effect.p_adjusted.is_some());
    let shown = || known().filter(|effect| effect.p_adjusted.is_some_and(|p| p <= 1.0 - level));
    let better = shown().any(|effect| effect.effect > Some(0.0));
    let worse = shown().any(|effect| effect.effect < Some(0.0));
    match (better, worse, known().count()) {
        (_, _, 0) => Verdict::Insufficient,
        (true, true, _) => Verdict::Mixed,
        (true, false, _) => Verdict::Works,
        (false, true, _) => Verdict::Harms,
        (false, false, _) => Verdict::Null,
    }
}

/// The amounts of an outcome; `None` of a rate.
fn amounts(experiment: &Experiment, measured: Measured) -> Option<&[f64]> {
    match measured {
        Measured::Returned => None,
        Measured::Value => experiment.value.as_deref(),
        Measured::Profit => experiment.profit.as_deref(),
    }
}

/// What was spent, or earned, less what the prediction explains of it: y − θx with θ fitted within arms and strata,
/// all together (Deng, Xu, Kohavi and Walker 2013, WSDM).
fn residuals(experiment: &Experiment, strata: &[u32], value: &[f64]) -> Vec<f64> {
    let Some(prediction) = &experiment.prediction else { return value.to_vec() };
    let cells = experiment.arms().len();
    let n_strata = strata.iter().max().map_or(0, |most| *most as usize + 1);
    let cell = |row: usize| strata[row] as usize * cells + experiment.arm[row] as usize;
    let mut sums = vec![(0.0, 0.0, 0.0); cells * n_strata];
    for row in 0..value.len() {
        let (n, x, y) = &mut sums[cell(row)];
        (*n, *x, *y) = (*n + 1.0, *x + prediction[row], *y + value[row]);
    }
    let (mut xx, mut xy) = (0.0, 0.0);
    for row in 0..value.len() {
        let (n, x, y) = sums[cell(row)];
        let apart = prediction[row] - x / n;
        xx += apart * apart;
        xy += apart * (value[row] - y / n);
    }
    let theta = if xx > 0.0 { xy / xx } else { 0.0 };
    value.iter().zip(prediction).map(|(value, prediction)| value - theta * prediction).collect()
}

fn curve(experiment: &Experiment, arm: usize, score: &[f64]) -> Uplift {
    let rows: Vec<usize> = (0..score.len())
        .filter(|&row| experiment.arm[row] == 0 || experiment.arm[row] as usize == arm)
        .collect();
    let scores: Vec<f64> = rows.iter().map(|&row| score[row]).collect();
    let treated: Vec<bool> = rows.iter().map(|&row| experiment.arm[row] != 0).collect();
    let returned: Vec<bool> = rows.iter().map(|&row| experiment.returned[row]).collect();
    uplift(&experiment.arms()[arm], &scores, &treated, &returned)
}
