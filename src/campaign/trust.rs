//! Can the comparison be trusted at all? The sizes of the arms, and who was in them.

use std::fmt;

use serde::Serialize;

use super::experiment::Experiment;
use crate::error::{Error, Result, shown};
use crate::rates::{Moments, homogeneity_p, sample_ratio_p, welch};

/// Chance explains less than this: something is broken. Small, because a check is made of every experiment.
pub(super) const BROKEN_P: f64 = 0.001;
/// Splits that people plan: shares of one arm out of two.
const COMMON_SHARES: [f64; 23] = [
    0.01,
    0.02,
    0.05,
    0.1,
    0.15,
    0.2,
    0.25,
    0.3,
    1.0 / 3.0,
    0.35,
    0.4,
    0.5,
    0.6,
    0.65,
    2.0 / 3.0,
    0.7,
    0.75,
    0.8,
    0.85,
    0.9,
    0.95,
    0.98,
    0.99,
];

/// Whether the comparison can be trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Trust {
    /// Every check passed.
    #[serde(rename = "trusted")]
    Trusted,
    /// The planned split was not stated, and the arms fit none that is common; or customers who were held out have been contacted.
    #[serde(rename = "doubtful")]
    Doubtful,
    /// The arms were not split as planned, or differ in what was known before.
    #[serde(rename = "do not trust")]
    DoNotTrust,
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Trust::Trusted => "trusted",
            Trust::Doubtful => "doubtful",
            Trust::DoNotTrust => "do not trust",
        })
    }
}

/// The sizes of the arms against the planned ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleRatio {
    /// Customers per arm, the control first.
    pub sizes: Vec<u64>,
    /// The planned shares, in that order; they add up to 1.
    pub planned: Vec<f64>,
    /// Whether the shares were stated; else they are the nearest of those that people plan.
    pub stated: bool,
    /// How often chance alone splits so badly.
    pub p: f64,
}

/// Whether arms differ in something known before the assignment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BalanceCheck {
    /// The column.
    pub column: String,
    /// How often chance alone leaves such a difference.
    pub p: f64,
}

/// All checks of one experiment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrustChecks {
    /// The sizes of the arms.
    pub sample_ratio: SampleRatio,
    /// Everything known before the assignment.
    pub balance: Vec<BalanceCheck>,
    /// What follows.
    pub trust: Trust,
}

/// The split that was planned.
#[derive(Clone, Debug)]
pub(super) enum Split {
    /// Stated, by arm.
    Stated(Vec<(String, f64)>),
    /// One that people plan.
    Common,
    /// A whole per cent held out.
    WholePercent,
}

/// Checks sizes and balance.
pub(super) fn check(experiment: &Experiment, split: &Split) -> Result<TrustChecks> {
    let sizes = experiment.sizes();
    let (planned, stated) = match split {
        Split::Stated(split) => (planned_shares(experiment, split)?, true),
        Split::Common => (nearest_split(&sizes), false),
        Split::WholePercent => (whole_percent(&sizes), false),
    };
    let ratio_p = sample_ratio_p(&sizes, &planned).unwrap_or(1.0);
    let mut balance = Vec::new();
    for (column, codes) in experiment.covariates.iter().chain(&experiment.alike) {
        let values = codes.iter().max().map_or(0, |most| *most as usize + 1);
        let mut table = vec![vec![0; sizes.len()]; values];
        experiment
            .drawn_alike()
            .for_each(|row| table[codes[row] as usize][experiment.arm[row] as usize] += 1);
        if let Some(p) = homogeneity_p(&merge_rare(table, &sizes)) {
            balance.push(BalanceCheck { column: column.clone(), p });
        }
    }
    let (strata, n_strata) = experiment.strata();
    let named = [("score", &experiment.score), ("prediction", &experiment.prediction)];
    let named = named.into_iter().filter_map(|(name, values)| Some((name, values.as_ref()?)));
    let numbers = experiment.numbers.iter().map(|(name, values)| (name.as_str(), values));
    for (column, values) in named.chain(numbers) {
        // Within strata, in which shares may differ.
        let mut of: Vec<Vec<Vec<f64>>> = vec![vec![Vec::new(); n_strata]; sizes.len()];
        for (row, &value) in values.iter().enumerate() {
            of[experiment.arm[row] as usize][strata[row] as usize].push(value);
        }
        let moments = |arm: usize| of[arm].iter().map(|own| Moments::of(own));
        let found = (1..sizes.len())
            .filter_map(|arm| welch(&moments(arm).zip(moments(0)).collect::<Vec<_>>(), 1.0, 0.95));
        let least = found.map(|found| found.difference.p).reduce(f64::min);
        if let Some(p) = least {
            let p = (p * (sizes.len() - 1) as f64).min(1.0);
            balance.push(BalanceCheck { column: column.to_owned(), p });
        }
    }
    // A limit per check, so that many columns raise no false alarm.
    let limit = BROKEN_P / balance.len().max(1) as f64;
    let unbalanced = balance.iter().any(|check| check.p < limit);
    let trust = match (ratio_p < BROKEN_P, stated, unbalanced) {
        (_, _, true) | (true, true, _) => Trust::DoNotTrust,
        (true, false, _) => Trust::Doubtful,
        _ => Trust::Trusted,
    };
    Ok(TrustChecks { sample_ratio: SampleRatio { sizes, planned, stated, p: ratio_p }, balance, trust })
}

/// Rows whose expected count is below 5 in some arm become one: there the test's distribution does not hold.
fn merge_rare(table: Vec<Vec<u64>>, sizes: &[u64]) -> Vec<Vec<u64>> {
    const LEAST_EXPECTED: f64 = 5.0;
    let all: u64 = sizes.iter().sum();
    let least = sizes.iter().copied().filter(|size| *size > 0).min().unwrap_or(0) as f64 / all.max(1) as f64;
    let mut rest = vec![0; sizes.len()];
    let mut kept = Vec::new();
    for row in table {
        if row.iter().sum::<u64>() as f64 * least >= LEAST_EXPECTED {
            kept.push(row);
        } else {
            rest.iter_mut().zip(&row).for_each(|(sum, count)| *sum += count);
        }
    }
    kept.push(rest);
    kept
}

/// The planned shares in the order of the arms.
fn planned_shares(experiment: &Experiment, split: &[(String, f64)]) -> Result<Vec<f64>> {
    let arms = experiment.arms();
    if let Some((arm, _)) = split.iter().find(|(arm, _)| !arms.contains(arm)) {
        return Err(Error::parameter(
            "split",
            format!("an arm {}", shown(arm)),
            "arms that the results hold",
        ));
    }
    let share = |arm: &String| split.iter().find(|(name, _)| name == arm).map(|(_, share)| *share);
    let shares: Vec<f64> = arms.iter().filter_map(share).collect();
    let sound = shares.iter().all(|share| *share > 0.0 && share.is_finite());
    if shares.len() != arms.len() || split.len() != arms.len() || !sound {
        return Err(Error::parameter(
            "split",
            format!("{} shares for {} arms", split.len(), arms.len()),
            "one positive share for each arm, the control too",
        ));
    }
    let total: f64 = shares.iter().sum();
    Ok(shares.iter().map(|share| share / total).collect())
}

/// The split people plan that these sizes are nearest to: all arms alike, or a common share of control and
/// the others alike.
fn nearest_split(sizes: &[u64]) -> Vec<f64> {
    let all: u64 = sizes.iter().sum();
    let others = (sizes.len() - 1) as f64;
    let share = sizes[0] as f64 / all.max(1) as f64;
    let equal = 1.0 / sizes.len() as f64;
    let nearest = COMMON_SHARES.into_iter().fold(equal, |best, candidate| {
        match (candidate - share).abs() < (best - share).abs() {
            true => candidate,
            false => best,
        }
    });
    let mut planned = vec![(1.0 - nearest) / others; sizes.len()];
    planned[0] = nearest;
    planned
}

/// The whole per cent held out that these sizes of two arms are nearest to.
fn whole_percent(sizes: &[u64]) -> Vec<f64> {
    let all: u64 = sizes.iter().sum();
    let share = (100.0 * sizes[0] as f64 / all.max(1) as f64).round().clamp(1.0, 99.0) / 100.0;
    vec![share, 1.0 - share]
}
