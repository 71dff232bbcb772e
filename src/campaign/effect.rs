//! By how much does one arm differ from the control?

use serde::Serialize;

use super::experiment::Experiment;
use crate::rates::{LEAST_BUYERS, LEAST_EVENTS, Moments, TwoArms, holm, rate_difference, tail_factor, welch};
use crate::winback::Measured;

/// With fewer who spent anything in an arm, its mean is that of a handful, and no interval of it is to be believed.
const LEAST_SPENDERS: u64 = 20;

/// Strata in which either arm has fewer customers are merged into one.
const LEAST_IN_STRATUM: u64 = 5;

/// The effect of one arm on one outcome.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// The arm.
    pub arm: String,
    /// The outcome.
    pub outcome: Measured,
    /// Customers assigned to the arm.
    pub n_treated: u64,
    /// Customers assigned to the control.
    pub n_control: u64,
    /// The mean in the arm.
    pub treated: f64,
    /// The mean in the control.
    pub control: f64,
    /// Arm less control, over strata; `None` where there is too little to say.
    pub effect: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end of its interval.
    pub high: Option<f64>,
    /// The chance of an effect at least as large, either way, where there is none.
    pub p: Option<f64>,
    /// The same, corrected for the number of arms after Holm; `None` too where there is too little for a verdict.
    pub p_adjusted: Option<f64>,
    /// Customers in strata that cannot compare, not counted in the effect.
    pub left_out: u64,
    /// What to know about it, or why there is none.
    pub note: Option<String>,
    /// Why there is too little for a verdict.
    #[serde(skip)]
    pub(super) too_few: Option<String>,
}

impl Effect {
    /// The p-value that a verdict may be about; NaN where there is none.
    pub(super) fn p_to_judge(&self) -> f64 {
        self.p.filter(|_| self.too_few.is_none()).unwrap_or(f64::NAN)
    }
}

/// Corrects the p-values of a family after Holm, and says of which there is too little for a verdict.
pub(super) fn adjust<'a>(family: impl Iterator<Item = &'a mut Effect>) {
    let family: Vec<&mut Effect> = family.collect();
    let p: Vec<f64> = family.iter().map(|effect| effect.p_to_judge()).collect();
    for (effect, adjusted) in family.into_iter().zip(holm(&p)) {
        effect.p_adjusted = Some(adjusted).filter(|_| !effect.p_to_judge().is_nan());
        effect.note = effect.too_few.clone().or(effect.note.take());
    }
}

/// The customers of one arm and of the control, by stratum.
pub(super) struct Pair<'a> {
    experiment: &'a Experiment,
    arm: u32,
    /// Rows of the treated and of the control, per stratum.
    strata: Vec<(Vec<usize>, Vec<usize>)>,
    left_out: u64,
}

impl<'a> Pair<'a> {
    pub(super) fn new(experiment: &'a Experiment, arm: usize, strata: &[u32], n_strata: usize) -> Self {
        let arm = arm as u32;
        let mut rows = vec![(Vec::new(), Vec::new()); n_strata];
        for (row, &stratum) in strata.iter().enumerate() {
            if experiment.arm[row] == arm {
                rows[stratum as usize].0.push(row);
            } else if experiment.arm[row] == 0 {
                rows[stratum as usize].1.push(row);
            }
        }
        let mut rest = (Vec::new(), Vec::new());
        let mut kept = Vec::new();
        for (treated, control) in rows {
            if treated.len().min(control.len()) as u64 >= LEAST_IN_STRATUM {
                kept.push((treated, control));
            } else {
                rest.0.extend(treated);
                rest.1.extend(control);
            }
        }
        // What is left of all small strata, if that can compare.
        let left = (rest.0.len() + rest.1.len()) as u64;
        let compares = rest.0.len().min(rest.1.len()) >= 2;
        if compares {
            kept.push(rest);
        }
        Pair { experiment, arm, strata: kept, left_out: if compares { 0 } else { left } }
    }

    /// Rows of the treated and of the control, per stratum that can compare.
    pub(super) fn strata(&self) -> &[(Vec<usize>, Vec<usize>)] {
        &self.strata
    }

    fn effect(&self, outcome: Measured, value: impl Fn(usize) -> f64) -> Effect {
        let mean = |arm: u32| {
            let own = (0..self.experiment.customers()).filter(|&row| self.experiment.arm[row] == arm);
            let (n, sum) = own.fold((0_u64, 0.0), |(n, sum), row| (n + 1, sum + value(row)));
            (n, sum / n as f64)
        };
        let ((n_treated, treated), (n_control, control)) = (mean(self.arm), mean(0));
        Effect {
            arm: self.experiment.arms()[self.arm as usize].clone(),
            outcome,
            n_treated,
            n_control,
            treated,
            control,
            effect: None,
            low: None,
            high: None,
            p: None,
            p_adjusted: None,
            left_out: self.left_out,
            note: None,
            too_few: None,
        }
    }

    /// Of who `did`, by row: returned, or something else that is counted.
    pub(super) fn rate(&self, outcome: Measured, did: &[bool], level: f64) -> Effect {
        let mut effect = self.effect(outcome, |row| f64::from(u8::from(did[row])));
        let count = |rows: &[usize]| rows.iter().filter(|&&row| did[row]).count() as u64;
        let strata: Vec<TwoArms> = self
            .strata
            .iter()
            .map(|(treated, control)| TwoArms {
                treated_successes: count(treated),
                treated: treated.len() as u64,
                control_successes: count(control),
                control: control.len() as u64,
            })
            .collect();
        match rate_difference(&strata, level) {
            Some(found) => {
                effect.effect = Some(found.estimate);
                (effect.low, effect.high, effect.p) = (Some(found.low), Some(found.high), Some(found.p));
                let all: u64 = strata.iter().map(|own| own.treated + own.control).sum();
                let events: u64 =
                    strata.iter().map(|own| own.treated_successes + own.control_successes).sum();
                let few = |&(count, _): &(u64, &str)| count < LEAST_EVENTS;
                let counts = [(events, "returned"), (all - events, "stayed away")];
                effect.too_few = counts.into_iter().find(few).map(|(count, what)| {
                    format!(
                        "insufficient for a verdict: {count} {what} in both arms together, {LEAST_EVENTS} are needed"
                    )
                });
            }
            None => effect.note = Some(self.alone().to_owned()),
        }
        effect
    }

    /// Why nothing can be compared.
    fn alone(&self) -> &'static str {
        match self.experiment.covariates.is_empty() {
            true => "too few customers: at least two in the arm and in the control are needed",
            false => {
                "too few customers: no stratum holds both the arm and the control, nor do all small ones together"
            }
        }
    }

    /// Of amounts by row; whether there are enough, and how heavy their tail is, is judged by what was spent.
    pub(super) fn money(&self, outcome: Measured, amounts: &[f64], residuals: &[f64], level: f64) -> Effect {
        let experiment = self.experiment;
        let value = experiment.value.as_deref().unwrap_or(amounts);
        let mut effect = self.effect(outcome, |row| amounts[row]);
        let least = |is: &dyn Fn(usize) -> bool| {
            let count = |arm: u32| {
                (0..value.len()).filter(|&row| experiment.arm[row] == arm && is(row)).count() as u64
            };
            count(self.arm).min(count(0))
        };
        let returned = least(&|row| experiment.returned[row]);
        if returned < LEAST_BUYERS {
            effect.note = Some(format!(
                "insufficient for money: {returned} returned in the smaller arm, {LEAST_BUYERS} are needed; \
                 judge by the rate"
            ));
            return effect;
        }
        let spent = least(&|row| value[row] != 0.0);
        if spent < LEAST_SPENDERS {
            effect.note = Some(format!(
                "insufficient for money: only {spent} spent anything in the smaller arm, {LEAST_SPENDERS} are needed; judge by the rate"
            ));
            return effect;
        }
        if spent < LEAST_BUYERS {
            effect.note = Some(format!(
                "only {spent} spent anything in the smaller arm: below {LEAST_BUYERS} such an interval may \
                 cover less often than it says"
            ));
        }
        let of = |rows: &[usize]| Moments::of(&rows.iter().map(|&row| residuals[row]).collect::<Vec<_>>());
        let strata: Vec<(Moments, Moments)> =
            self.strata.iter().map(|(treated, control)| (of(treated), of(control))).collect();
        let raw = |arm: u32| -> Vec<f64> {
            (0..value.len()).filter(|&row| experiment.arm[row] == arm).map(|row| value[row]).collect()
        };
        match welch(&strata, tail_factor(&raw(self.arm), &raw(0)), level) {
            Some(found) => {
                let found = found.difference;
                effect.effect = Some(found.estimate);
                (effect.low, effect.high, effect.p) = (Some(found.low), Some(found.high), Some(found.p));
            }
            None => effect.note = Some("insufficient for money: nothing varies".to_owned()),
        }
        effect
    }
}
