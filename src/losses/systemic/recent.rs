//! Do the last landmarks tell another story than those before them?

use super::SystemicParams;
use super::finding::{Finding, Recent, Verdict};
use super::panel::Panel;
use super::tally::{Tally, tally};
use crate::rates::{normal_upper_tail, q_values};

/// Of the budget, what the recent landmarks by themselves may use.
pub(super) const RECENT_FRACTION: f64 = 0.2;
/// Recent and earlier differ at this false discovery rate.
const LEVEL: f64 = 0.05;
/// The normal quantile of 97.5 %, twice: the width of an interval in standard errors.
const INTERVAL_WIDTH: f64 = 2.0 * 1.959_963_984_540_054;

/// The recent and the earlier landmarks of a panel; `None` where there is one landmark, or no day at all.
pub(super) fn halves(panel: &Panel) -> Option<[Panel; 2]> {
    let from = panel.recent_from?;
    Some([panel.part(|stratum| stratum >= from), panel.part(|stratum| stratum < from)])
}

/// The tallies of one column of either, of these codes.
pub(super) fn tallies([recent, earlier]: &[Panel; 2], column: usize, codes: &[u32]) -> Vec<(Tally, Tally)> {
    let of = |panel: &Panel| {
        let strata = (panel.strata.as_slice(), panel.strata_count);
        tally(panel, &panel.columns[column], codes, strata, &|record| panel.lost[record])
    };
    of(recent).into_iter().zip(of(earlier)).collect()
}

/// The same finding by the recent landmarks alone, judged as it is, and the earlier ratio.
pub(super) struct Halves {
    pub(super) recent: Finding,
    pub(super) earlier: Tally,
}

/// Sets beside each finding what is recent, and says `Individual` only where that holds of the recent too.
pub(super) fn attach<'a>(findings: impl Iterator<Item = (&'a mut Finding, Halves)>, params: &SystemicParams) {
    let mut all: Vec<(&mut Finding, Recent)> =
        findings.map(|(finding, halves)| (finding, Recent::new(&halves))).collect();
    let p: Vec<f64> = all.iter().filter_map(|(_, recent)| recent.p_differs).collect();
    let mut q = q_values(&p).into_iter();
    for (_, recent) in &mut all {
        recent.differs = recent.p_differs.is_some() && q.next().is_some_and(|q| q <= LEVEL);
    }
    for (finding, recent) in all {
        let is_low = recent.high.is_some_and(|high| high < params.minimum_lift);
        if finding.verdict == Verdict::Individual && !is_low {
            finding.verdict = Verdict::Insufficient;
        }
        finding.recent = Some(recent);
    }
}

impl Recent {
    fn new(halves: &Halves) -> Self {
        let Halves { recent, earlier } = halves;
        let finite = |number: f64| number.is_finite().then_some(number);
        let ratio = earlier.ratio.as_ref();
        let [lift_earlier, low_earlier, high_earlier] = [
            ratio.and_then(|ratio| finite(ratio.ratio)),
            ratio.and_then(|ratio| finite(ratio.low)),
            ratio.and_then(|ratio| finite(ratio.high)),
        ];
        let p_differs = recent.q.and_then(|_| {
            let (now, its_error) = log_ratio(recent.lift, recent.low, recent.high)?;
            let (then, error) = log_ratio(lift_earlier, low_earlier, high_earlier)?;
            Some((2.0 * normal_upper_tail((now - then).abs() / its_error.hypot(error))).min(1.0))
        });
        Recent {
            exposed: recent.exposed,
            lost: recent.lost,
            expected: recent.expected,
            lift: recent.lift,
            low: recent.low,
            high: recent.high,
            q: recent.q,
            verdict: recent.verdict,
            lift_earlier,
            low_earlier,
            high_earlier,
            p_differs,
            differs: false,
        }
    }
}

/// The logarithm of a ratio and its standard error, where there is one.
fn log_ratio(ratio: Option<f64>, low: Option<f64>, high: Option<f64>) -> Option<(f64, f64)> {
    let (ratio, low, high) = (ratio?, low?, high?);
    let error = (high / low).ln() / INTERVAL_WIDTH;
    (ratio > 0.0 && low > 0.0 && error > 0.0).then(|| (ratio.ln(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_without_an_interval_has_no_error() {
        let (log, error) = log_ratio(Some(2.0), Some(1.0), Some(4.0)).unwrap();
        assert!((log - 2.0_f64.ln()).abs() < 1e-12 && (error - 4.0_f64.ln() / INTERVAL_WIDTH).abs() < 1e-12);
        assert_eq!(log_ratio(Some(0.0), Some(0.0), Some(4.0)), None);
        assert_eq!(log_ratio(None, Some(1.0), Some(4.0)), None);
    }
}
