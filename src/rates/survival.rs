//! How long do they stay, where not everybody has been seen to leave?

use serde::Serialize;

use crate::metrics::{Interval, IntervalMethod, two_sided};

/// A survival curve by Kaplan and Meier.
///
/// # Formula
/// ```text
/// S(t) = Π_{tᵢ ≤ t} (1 − dᵢ/nᵢ)                       where dᵢ of the nᵢ still there leave at tᵢ
/// var S(t) = S(t)² Σ_{tᵢ ≤ t} dᵢ / (nᵢ (nᵢ − dᵢ))      Greenwood
/// ends = S(t)^exp(±z·s),  s = √(Σ …) / |ln S(t)|       the log-log interval, which stays within 0 and 1
/// ```
/// Who is seen for the last time at t counts as still there at t.
///
/// # References
/// Kaplan and Meier (1958), Journal of the American Statistical Association 53:457–481; Greenwood (1926);
/// Kalbfleisch and Prentice (2002), The Statistical Analysis of Failure Time Data, section 1.4.
///
/// ```
/// use winback::rates::KaplanMeier;
///
/// // Three stay 6, 7 and 10 days; the second was only seen that long.
/// let curve = KaplanMeier::new(&[6, 7, 10], &[true, false, true]);
/// assert_eq!(curve.at(9), 2.0 / 3.0);
/// assert_eq!(curve.at(10), 0.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct KaplanMeier {
    steps: Vec<SurvivalStep>,
    /// How many were seen.
    people: usize,
    /// The longest anybody was seen.
    longest: i32,
}

/// The curve from a day on at which somebody left.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SurvivalStep {
    /// The time.
    pub time: i32,
    /// How many were still there before it.
    pub at_risk: usize,
    /// How many left.
    pub events: usize,
    /// S from here on.
    pub survival: f64,
    /// Greenwood's sum up to here.
    pub greenwood: f64,
}

impl KaplanMeier {
    /// The curve of times at which people left, where `left`, or were last seen. Slices of other lengths are
    /// cut to the shorter.
    #[must_use]
    pub fn new(times: &[i32], left: &[bool]) -> Self {
        let mut seen: Vec<(i32, bool)> = times.iter().copied().zip(left.iter().copied()).collect();
        seen.sort_unstable();
        let (mut survival, mut greenwood, mut steps) = (1.0, 0.0, Vec::new());
        let mut before = 0;
        for group in seen.chunk_by(|one, other| one.0 == other.0) {
            let at_risk = seen.len() - before;
            let events = group.iter().filter(|(_, left)| *left).count();
            before += group.len();
            if events == 0 {
                continue;
            }
            let (n, d) = (at_risk as f64, events as f64);
            survival *= (n - d) / n;
            greenwood += if at_risk > events { d / (n * (n - d)) } else { 0.0 };
            steps.push(SurvivalStep { time: group[0].0, at_risk, events, survival, greenwood });
        }
        KaplanMeier { steps, people: seen.len(), longest: seen.last().map_or(0, |last| last.0) }
    }

    /// Every time at which somebody left.
    #[must_use]
    pub fn steps(&self) -> &[SurvivalStep] {
        &self.steps
    }

    /// How many were seen.
    #[must_use]
    pub fn people(&self) -> usize {
        self.people
    }

    /// The longest time that anybody was seen: beyond it the curve says nothing.
    #[must_use]
    pub fn longest(&self) -> i32 {
        self.longest
    }

    fn step(&self, time: i32) -> Option<&SurvivalStep> {
        self.steps[..self.steps.partition_point(|step| step.time <= time)].last()
    }

    /// S at a time: 1 before anybody left.
    #[must_use]
    pub fn at(&self, time: i32) -> f64 {
        self.step(time).map_or(1.0, |step| step.survival)
    }

    /// S at a time with its log-log interval; `None` beyond the longest time seen, where there is nobody, and
    /// for a `level` that does not lie between 0 and 1. Before anybody left, or once all have, the data bound
    /// nothing, and the interval is that of a share of as many people: Wilson's.
    #[must_use]
    pub fn interval(&self, time: i32, level: f64) -> Option<Interval> {
        let z = two_sided(level)?;
        if self.people == 0 || time > self.longest {
            return None;
        }
        let (survival, greenwood, people) = match self.step(time) {
            Some(step) => (step.survival, step.greenwood, step.at_risk),
            None => (1.0, 0.0, self.people),
        };
        if survival <= 0.0 || survival >= 1.0 {
            return crate::metrics::wilson_share(survival, people as f64, level);
        }
        let reach = z * greenwood.sqrt() / survival.ln().abs();
        Some(Interval {
            estimate: survival,
            low: survival.powf(reach.exp()),
            high: survival.powf((-reach).exp()),
            standard_error: survival * greenwood.sqrt(),
            level,
            method: IntervalMethod::LogLog,
        })
    }

    /// The first time at which no more than this share is left; `None` where it was not seen.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<i32> {
        self.steps.iter().find(|step| step.survival <= share).map(|step| step.time)
    }
}

/// What share of those still there is lost from each count of survivors to the next, NaN where nobody was
/// left.
///
/// ```
/// // A cohort that loses 37 % in its first year and 15 % in its fourth: no one rate describes it.
/// let losses = winback::rates::conditional_losses(&[1000.0, 631.0, 468.0, 382.0, 326.0]);
/// let percent: Vec<f64> = losses.iter().map(|loss| (loss * 100.0).round()).collect();
/// assert_eq!(percent, [37.0, 26.0, 18.0, 15.0]);
/// ```
#[must_use]
pub fn conditional_losses(survivors: &[f64]) -> Vec<f64> {
    survivors.windows(2).map(|pair| if pair[0] > 0.0 { 1.0 - pair[1] / pair[0] } else { f64::NAN }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times to relapse on 6-mercaptopurine: Freireich et al. (1963), as in Cox and Oakes (1984), table 1.1;
    /// curve and standard errors as in Kalbfleisch and Prentice and as by R's `survfit`.
    #[test]
    fn the_leukaemia_data() {
        let times = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
        let left: Vec<bool> = (0..21).map(|i| i < 9).collect();
        let curve = KaplanMeier::new(&times, &left);
        let expected = [
            (6, 21, 3, 0.8571, 0.0764),
            (7, 17, 1, 0.8067, 0.0869),
            (10, 15, 1, 0.7529, 0.0963),
            (13, 12, 1, 0.6902, 0.1068),
            (16, 11, 1, 0.6275, 0.1141),
            (22, 7, 1, 0.5378, 0.1282),
            (23, 6, 1, 0.4482, 0.1346),
        ];
        assert_eq!(curve.steps().len(), expected.len());
        for (step, (time, at_risk, events, survival, error)) in curve.steps().iter().zip(expected) {
            assert_eq!((step.time, step.at_risk, step.events), (time, at_risk, events));
            let interval = curve.interval(time, 0.95).unwrap();
            assert!((interval.estimate - survival).abs() < 6e-5, "{interval}");
            assert!((interval.standard_error - error).abs() < 6e-5, "{}", interval.standard_error);
        }
        // R: survfit(..., conf.type = "log-log") at time 10.
        let interval = curve.interval(10, 0.95).unwrap();
        assert!((interval.low - 0.5032).abs() < 6e-5 && (interval.high - 0.8894).abs() < 6e-5, "{interval}");
        assert_eq!(curve.quantile(0.5), Some(23));
        assert_eq!(curve.quantile(0.1), None);
        assert!(curve.interval(36, 0.95).is_none());
    }

    #[test]
    fn the_ends_of_a_curve() {
        let nobody = KaplanMeier::new(&[], &[]);
        assert!(nobody.interval(0, 0.95).is_none() && nobody.at(5) == 1.0);
        let all_left = KaplanMeier::new(&[3, 3], &[true, true]);
        assert_eq!(all_left.at(3), 0.0);
        assert!(all_left.interval(3, 0.95).unwrap().high > 0.5);
        assert_eq!(all_left.interval(1, 0.95).unwrap().high, 1.0);
    }
}
