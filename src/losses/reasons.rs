//! Why did they leave, by what they say, and how far does that reach?

use std::fmt;

use polars::prelude::{Column, DataFrame};
use serde::Serialize;

use super::LEVEL;
use super::lapse::Lapses;
use super::rule::percent;
use crate::error::Result;
use crate::evidence::{Cause, Misreporting, Reason, Reasons, UnmappedCode};
use crate::history::History;
use crate::metrics::Interval;
use crate::rates::{weighted_share, wilson};
use crate::table;

/// Why the lost left, by what they and others said.
#[derive(Clone, Debug, Serialize)]
pub struct ReasonShares {
    /// Lost customers.
    pub lost: usize,
    /// Those of a known cause.
    pub known: usize,
    /// known / lost.
    pub coverage: f64,
    /// Customers with a known cause who had a stated chance of being asked: whom `weighted` rests on.
    pub sampled: usize,
    /// One row per cause, most frequent first; `Unknown` last.
    pub causes: Vec<CauseShare>,
    /// Customers in the table whom the lapse rule does not call lost. Their reasons are not counted.
    pub not_lost: usize,
    /// Codes that stand for no known cause.
    pub unmapped: Vec<UnmappedCode>,
    /// How often sources contradict each other.
    pub misreporting: Misreporting,
}

/// One cause's share of the lost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CauseShare {
    /// The cause.
    pub cause: Cause,
    /// Lost customers of this cause.
    pub count: usize,
    /// Their share of those with a known cause; of `Unknown`, the share of all lost.
    pub share: f64,
    /// The share of all lost, were everybody of unknown cause of another one.
    pub low: f64,
    /// The share of all lost, were everybody of unknown cause of this one.
    pub high: f64,
    /// The share with the interval of chance, as if those who answered were drawn at random.
    pub if_random: Option<Interval>,
    /// The share of all lost by those with a stated chance of being asked, weighted by it; `None` where there
    /// are none.
    pub weighted: Option<Interval>,
}

/// Tells the share of each cause among the lost.
///
/// Who answers is no random sample. Without a chance of being asked, all that is sure are the worst-case bounds.
///
/// # Formula
/// ```text
/// share = n_c / n_known        [low, high] = [n_c / N, (n_c + n_unknown) / N]
/// weighted = Σ 1/π over the cause / Σ 1/π      over customers with a stated chance π of being asked
/// ```
/// where N customers are lost. The weighted share is right where all who were drawn answer.
///
/// # References
/// Horowitz and Manski (1998), "Censoring of outcomes and regressors due to survey nonresponse", Journal of
/// Econometrics 84:37–58, for the bounds; [`weighted_share`] for the weights.
#[must_use]
pub fn reason_shares(history: &History, lapses: &Lapses, reasons: &Reasons) -> ReasonShares {
    let known = reasons.known_by(lapses.as_of);
    let causes = known.causes(history);
    let rows = known.by_rank(history);
    let is_lost = |rank: usize| {
        let at = lapses.ranks.partition_point(|&other| (other as usize) < rank);
        let found = lapses.ranks.get(at).is_some_and(|&other| other as usize == rank);
        found && lapses.lives[at].lapsed_on.is_some()
    };
    let lost: Vec<u32> =
        lapses.lives.iter().filter(|life| life.lapsed_on.is_some()).map(|life| life.rank).collect();
    let answers: Vec<(Option<Cause>, Option<f64>)> = lost
        .iter()
        .map(|&rank| (causes[rank as usize], rows.get(&(rank as usize)).and_then(|rows| chance_of(rows))))
        .collect();
    let not_lost = rows.keys().filter(|&&rank| !is_lost(rank)).count();
    ReasonShares {
        not_lost,
        unmapped: reasons.unmapped().to_vec(),
        misreporting: known.misreporting(),
        ..shares(&answers)
    }
}

/// The same of lost customers known otherwise, such as from a table with a flag: each cause, where one was
/// stated, and the chance of being asked, where there was one.
#[must_use]
pub fn shares(lost: &[(Option<Cause>, Option<f64>)]) -> ReasonShares {
    let all = lost.len();
    let cause_of = |stated: &Option<Cause>| stated.unwrap_or(Cause::Unknown);
    let unknown = lost.iter().filter(|(cause, _)| cause_of(cause) == Cause::Unknown).count();
    let known = all - unknown;
    let sampled = || {
        let known = lost.iter().filter(|(cause, _)| cause_of(cause) != Cause::Unknown);
        known.filter_map(|(cause, chance)| Some((cause_of(cause), (*chance)?)))
    };
    let share_of = |part: usize, of: usize| if of > 0 { part as f64 / of as f64 } else { 0.0 };
    let row = |cause: Cause| {
        let count = lost.iter().filter(|(stated, _)| cause_of(stated) == cause).count();
        let weighted: Vec<(bool, f64)> =
            sampled().map(|(stated, chance)| (stated == cause, chance)).collect();
        if cause == Cause::Unknown {
            let share = share_of(count, all);
            return CauseShare {
                cause,
                count,
                share,
                low: share,
                high: share,
                if_random: None,
                weighted: None,
            };
        }
        CauseShare {
            cause,
            count,
            share: share_of(count, known),
            low: share_of(count, all),
            high: share_of(count + unknown, all),
            if_random: wilson(count, known, LEVEL),
            weighted: weighted_share(&weighted, LEVEL),
        }
    };
    let mut causes: Vec<CauseShare> = Cause::ALL.into_iter().map(row).collect();
    causes.sort_by_key(|row| (row.cause == Cause::Unknown, std::cmp::Reverse(row.count), row.cause));
    ReasonShares {
        lost: all,
        known,
        coverage: share_of(known, all),
        sampled: sampled().count(),
        causes,
        not_lost: 0,
        unmapped: Vec::new(),
        misreporting: Misreporting::default(),
    }
}

/// A customer's chance of being asked: the first that is stated.
fn chance_of(rows: &[&Reason]) -> Option<f64> {
    rows.iter().find_map(|reason| reason.inclusion_probability)
}

impl ReasonShares {
    /// `cause, count, share, low, high, weighted_share, weighted_low, weighted_high`.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let floats =
            |name: &str, of: fn(&CauseShare) -> f64| table::nullable_floats(name, self.causes.iter().map(of));
        let names: Vec<&str> = self.causes.iter().map(|row| row.cause.name()).collect();
        let counts: Vec<u64> = self.causes.iter().map(|row| row.count as u64).collect();
        let nan = |interval: Option<f64>| interval.unwrap_or(f64::NAN);
        table::frame(vec![
            Column::new("cause".into(), names),
            Column::new("count".into(), counts),
            floats("share", |row| row.share),
            floats("low", |row| row.low),
            floats("high", |row| row.high),
            table::nullable_floats(
                "weighted_share",
                self.causes.iter().map(|row| nan(row.weighted.map(|interval| interval.estimate))),
            ),
            table::nullable_floats(
                "weighted_low",
                self.causes.iter().map(|row| nan(row.weighted.map(|interval| interval.low))),
            ),
            table::nullable_floats(
                "weighted_high",
                self.causes.iter().map(|row| nan(row.weighted.map(|interval| interval.high))),
            ),
        ])
    }
}

impl fmt::Display for ReasonShares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ReasonShares { lost, known, .. } = self;
        write!(
            f,
            "the cause is known of {known} of {lost} lost customers ({:.0} %)",
            percent(*known, *lost)
        )?;
        if *known == 0 {
            return write!(f, ", so that nothing can be said of why they left; ask them");
        }
        write!(
            f,
            "\n  {:<16}{:>7}{:>17}{:>26}",
            "cause", "count", "share of known", "at worst, of all lost"
        )?;
        if self.sampled > 0 {
            write!(f, "{:>26}", "weighted, of all lost")?;
        }
        for CauseShare { cause, count, share, low, high, weighted, .. } in &self.causes {
            let bounds = format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high);
            let share = format!("{:.1} %", 100.0 * share);
            let share = if *cause == Cause::Unknown { "" } else { share.as_str() };
            write!(f, "\n  {cause:<16}{count:>7}{share:>17}{bounds:>26}")?;
            if self.sampled > 0 {
                write!(f, "{:>26}", super::attrition::shown_share(weighted.as_ref()))?;
            }
        }
        if self.sampled < *known {
            write!(
                f,
                "\n  who answers is no random sample: beside the bounds, shares hold for {} only",
                if self.sampled > 0 { "those drawn" } else { "those who answered" }
            )?;
        }
        if self.not_lost > 0 {
            write!(
                f,
                "\n  {} customers with a reason are not lost by the rule, and not counted",
                self.not_lost
            )?;
        }
        for UnmappedCode { code, rows } in &self.unmapped {
            write!(f, "\n  code `{code}` in {rows} rows stands for no known cause; map it")?;
        }
        write!(f, "\n  {}", self.misreporting)
    }
}
