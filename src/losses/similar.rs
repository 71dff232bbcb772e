//! Whom among the lost does a customer resemble, and do their causes tell anything?
//!
//! A lost customer at the end of a long silence resembles nobody but other silent ones. So the lost are taken as
//! they were while all still looked well: at the last cutoff at which their final silence did not exceed their
//! own usual interval.

use std::fmt;

use serde::Serialize;

use super::lapse::Lost;
use super::neighbours::{Boxes, Points};
use crate::day::Day;
use crate::error::{Result, counted};
use crate::evidence::Cause;
use crate::features::{salted_hash, walk_each};
use crate::history::History;
use crate::model::ChurnModel;

/// Cutoffs lie a week apart, so that a week day is never compared with another.
const STEP_DAYS: i32 = 7;
/// Where the lost reach back farther than so many cutoffs, these lie more weeks apart.
const MOST_CUTOFFS: i32 = 104;
/// With fewer stated causes nothing is tried.
const LEAST_STATED: usize = 40;
/// Customers with stated causes fall into so many folds, by the hash that peers are told apart by.
const FOLDS: u32 = 20;
/// The causes of which shares are told: all but `Unknown`.
const CAUSES: usize = 6;
/// The normal quantile of 95 %: one-sided, because only a gain counts.
const ONE_SIDED_QUANTILE: f64 = 1.644_853_626_951_472_2;

/// The lost, as they were before they fell silent.
pub(crate) struct LostPoints {
    /// In the order of the lost.
    pub(crate) points: Points,
    /// When each was looked at.
    pub(crate) cutoffs: Vec<Day>,
}

impl LostPoints {
    /// Places the lost in the model's space; all must have bought by `as_of`.
    pub(crate) fn new(history: &History, model: &ChurnModel, as_of: Day, lost: &[Lost]) -> Result<Self> {
        let horizon = model.label().horizon_days;
        let last_days: Vec<Day> = lost.iter().map(|one| last_well(history, as_of, horizon, one)).collect();
        let earliest = last_days.iter().min().copied().unwrap_or(as_of);
        let weeks = as_of.days_since(earliest) / STEP_DAYS;
        let step = STEP_DAYS * (1 + weeks / MOST_CUTOFFS);
        let wanted: Vec<(u32, Day)> = lost
            .iter()
            .zip(&last_days)
            .map(|(&Lost { rank, .. }, &last)| {
                let days = as_of.days_since(last);
                let cutoff = as_of.plus_days(-(days.div_euclid(step) + i32::from(days % step != 0)) * step);
                let run = history.run(rank as usize);
                // One who was there for less than the step is taken on the last day itself.
                let was_there = run.days.first().is_some_and(|&first| first <= cutoff.days_since_epoch());
                (rank, if was_there { cutoff } else { last })
            })
            .collect();
        let columns = walk_each(history, &model.features_in(history)?, &wanted)?;
        let rows: Vec<usize> = (0..lost.len()).collect();
        let points = Points { width: model.space_width(), values: model.place(&columns, &rows) };
        Ok(LostPoints { points, cutoffs: wanted.into_iter().map(|(_, day)| day).collect() })
    }
}

/// The last day before the lapse on which the silence did not exceed the customer's usual interval, shrunk to
/// the horizon: (days of the intervals within lives + H) / (their number + 1).
fn last_well(history: &History, as_of: Day, horizon_days: i32, lost: &Lost) -> Day {
    let run = history.run(lost.rank as usize).until(as_of);
    let usual = (lost.span_days + horizon_days) / (lost.intervals as i32 + 1);
    let last = Day::from_days_since_epoch(run.days.last().copied().unwrap_or_default());
    last.plus_days(usual).min(lost.lapsed_on.plus_days(-1)).max(last).min(as_of)
}

/// Whether the causes of similar lost customers tell more than the shares of all do, tried on customers whose
/// stated cause was held back.
///
/// # Formula
/// ```text
/// p_c  = (K b_c + k_c) / 2K    K = √N nearest of the other folds, k_c of them with cause c
/// b_c  = (n_c + 1) / (n + 6)   the shares of the other folds
/// gain = mean of ln p_c − ln b_c over the N stated causes c, each in a fold of its own
/// ```
/// They tell where the gain exceeds 1.645 standard errors; where causes are handed out by lot, neighbours only
/// add noise and the gain is negative on average.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CausesTold {
    /// Too few lost customers with a stated cause to try.
    TooFew {
        /// Lost customers with a stated cause other than `Unknown`.
        stated: usize,
        /// How many it takes.
        needed: usize,
    },
    /// All stated the same cause, so that there is nothing to tell apart.
    OneCause {
        /// The cause.
        cause: Cause,
    },
    /// The neighbours' causes are no better than the shares of all, and are not shown.
    NoBetter {
        /// Lost customers with a stated cause.
        stated: usize,
        /// Gain in log-loss per customer.
        gain: f64,
        /// Its standard error.
        standard_error: f64,
    },
    /// The neighbours' causes tell more than the shares of all.
    Better {
        /// Lost customers with a stated cause.
        stated: usize,
        /// Gain in log-loss per customer.
        gain: f64,
        /// Its standard error.
        standard_error: f64,
    },
}

impl fmt::Display for CausesTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CausesTold::TooFew { stated, needed } => write!(
                f,
                "causes of similar lost customers are not shown: {stated} of the lost have a stated cause, to try them takes {needed}"
            ),
            CausesTold::OneCause { cause } => {
                write!(f, "causes of similar lost customers are not shown: all state {cause}")
            }
            CausesTold::NoBetter { stated, gain, standard_error } => write!(
                f,
                "causes of similar lost customers are not shown: tried on {}, they told no more than the shares of all (log-loss {gain:+.3} ± {standard_error:.3})",
                counted(*stated, "stated cause")
            ),
            CausesTold::Better { stated, gain, standard_error } => write!(
                f,
                "causes of similar lost customers tell more than the shares of all, tried on {} (log-loss {gain:+.3} ± {standard_error:.3} better)",
                counted(*stated, "stated cause")
            ),
        }
    }
}

/// Lost customers with a stated cause, ready to be asked.
pub(crate) struct StatedCauses {
    boxes: Boxes,
    causes: Vec<Cause>,
    base: [f64; CAUSES],
}

impl StatedCauses {
    /// Tries whether neighbours' causes tell; `stated` is each customer's cause by rank.
    pub(crate) fn try_out(
        history: &History,
        lost: &[Lost],
        points: &Points,
        stated: &[Option<Cause>],
    ) -> (CausesTold, Option<StatedCauses>) {
        let known: Vec<(usize, Cause)> = lost
            .iter()
            .enumerate()
            .filter_map(|(place, &Lost { rank, .. })| {
                let cause = stated.get(rank as usize).copied().flatten()?;
                (cause != Cause::Unknown).then_some((place, cause))
            })
            .collect();
        if known.len() < LEAST_STATED {
            return (CausesTold::TooFew { stated: known.len(), needed: LEAST_STATED }, None);
        }
        let first = known[0].1;
        if known.iter().all(|&(_, cause)| cause == first) {
            return (CausesTold::OneCause { cause: first }, None);
        }
        let fold = |place: usize| {
            salted_hash("winback-fold-1:", &history.ids().text(lost[place].rank as usize)) % FOLDS
        };
        let folds: Vec<u32> = known.iter().map(|&(place, _)| fold(place)).collect();
        let mut gains = Vec::with_capacity(known.len());
        for fold in 0..FOLDS {
            let of = |is_own: bool| -> Vec<(usize, Cause)> {
                let some = known.iter().zip(&folds).filter(|(_, other)| (**other == fold) == is_own);
                some.map(|(one, _)| *one).collect()
            };
            let (own, others) = (of(true), of(false));
            if own.is_empty() || others.is_empty() {
                continue;
            }
            let others = StatedCauses::new(points, &others);
            let places: Vec<usize> = own.iter().map(|&(place, _)| place).collect();
            let told = others.shares(&points.pick(&places));
            gains.extend(
                own.iter().zip(told).map(|(&(_, cause), shares)| {
                    (shares[position(cause)] / others.base[position(cause)]).ln()
                }),
            );
        }
        let number = gains.len() as f64;
        let gain = gains.iter().sum::<f64>() / number;
        let variance = gains.iter().map(|one| (one - gain).powi(2)).sum::<f64>() / (number - 1.0);
        let (standard_error, stated) = ((variance / number).sqrt(), known.len());
        if gain > ONE_SIDED_QUANTILE * standard_error {
            let told = CausesTold::Better { stated, gain, standard_error };
            return (told, Some(StatedCauses::new(points, &known)));
        }
        (CausesTold::NoBetter { stated, gain, standard_error }, None)
    }

    fn new(points: &Points, known: &[(usize, Cause)]) -> Self {
        let places: Vec<usize> = known.iter().map(|&(place, _)| place).collect();
        let mut base = [1.0; CAUSES];
        known.iter().for_each(|&(_, cause)| base[position(cause)] += 1.0);
        base.iter_mut().for_each(|share| *share /= (known.len() + CAUSES) as f64);
        StatedCauses {
            boxes: Boxes::new(&points.pick(&places)),
            causes: known.iter().map(|&(_, cause)| cause).collect(),
            base,
        }
    }

    /// Shares of the causes around each query.
    fn shares(&self, queries: &Points) -> Vec<[f64; CAUSES]> {
        let near = self.causes.len().isqrt();
        let around = self.boxes.nearest(queries, near);
        let shares = around.iter().map(|found| {
            let mut shares = self.base.map(|share| share * found.len() as f64);
            found.iter().for_each(|near| shares[position(self.causes[near.point as usize])] += 1.0);
            shares.map(|share| share / (2 * found.len()) as f64)
        });
        shares.collect()
    }

    /// Per query the most frequent cause around.
    pub(crate) fn around(&self, queries: &Points) -> Vec<LikelyCause> {
        let shares = self.shares(queries);
        let most = |shares: &[f64; CAUSES]| {
            let mut best = 0;
            for cause in 1..CAUSES {
                if shares[cause] > shares[best] {
                    best = cause;
                }
            }
            LikelyCause { cause: Cause::ALL[best], fraction: shares[best], fraction_of_all: self.base[best] }
        };
        shares.iter().map(most).collect()
    }
}

/// The most frequent cause among similar lost customers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LikelyCause {
    /// The cause.
    pub cause: Cause,
    /// Its share among them, drawn half-way to that of all, 0 to 1.
    pub fraction: f64,
    /// Its share among all lost customers with a stated cause.
    pub fraction_of_all: f64,
}

/// `Unknown` comes last in [`Cause::ALL`], and is none of these.
fn position(cause: Cause) -> usize {
    Cause::ALL.iter().position(|other| *other == cause).unwrap_or(CAUSES).min(CAUSES - 1)
}
