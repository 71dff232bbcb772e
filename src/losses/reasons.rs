//! Why did they leave, by what they say, and how far does that reach?

use std::fmt;

use polars::prelude::{Column, DataFrame};
use serde::Serialize;

use super::LEVEL;
use super::lapse::Lapses;
use super::rule::percent;
use crate::error::{Result, counted};
use crate::evidence::{Cause, Contradictions, Misreporting, Reason, Reasons, Settled, UnmappedCode, settled};
use crate::history::History;
use crate::metrics::Interval;
use crate::rates::{weighted_share, wilson};
use crate::table;

/// Why the lost left, by what they and others said.
#[derive(Clone, Debug, Serialize)]
pub struct ReasonShares {
    /// Lost customers.
    pub lost: usize,
    /// Those of a known cause, settled where several are named.
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
    /// Lost customers of whom different causes are stated.
    pub contradictions: Contradictions,
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
    /// The share of all lost, were everybody of unknown cause of another one, and whoever named this one among others
    /// too. Of `Unknown`, the share of those who named none.
    pub low: f64,
    /// The share of all lost, were everybody of unknown cause of this one, and whoever named it among others too. Of
    /// `Unknown`, the share of those who named none or several.
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
/// share = n_c / n_known        [low, high] = [a_c / N, (b_c + n_silent) / N]
/// weighted = Σ 1/π over the cause / Σ 1/π      over customers with a stated chance π of being asked
/// ```
/// where N customers are lost, n_c are settled as of cause c ([`Reasons::causes`]), a_c named it alone, b_c named it at
/// all and n_silent named no known cause. Without contradictions a_c = b_c = n_c. The weighted share is right where all
/// who were drawn answer.
///
/// # References
/// Horowitz and Manski (1998), "Censoring of outcomes and regressors due to survey nonresponse", Journal of
/// Econometrics 84:37–58, for the bounds; [`weighted_share`] for the weights.
#[must_use]
pub fn reason_shares(history: &History, lapses: &Lapses, reasons: &Reasons) -> ReasonShares {
    let known = reasons.known_by(lapses.as_of);
    let rows = known.by_rank(history);
    let is_lost = |rank: usize| {
        let at = lapses.ranks.partition_point(|&other| (other as usize) < rank);
        let found = lapses.ranks.get(at).is_some_and(|&other| other as usize == rank);
        found && lapses.lives[at].lapsed_on.is_some()
    };
    let lost = lapses.lives.iter().filter(|life| life.lapsed_on.is_some());
    let answers: Vec<Answer> = lost
        .map(|life| match rows.get(&(life.rank as usize)) {
            Some(rows) => Answer { settled: settled(rows), chance: chance_of(rows) },
            None => Answer { settled: Settled::of_one(None), chance: None },
        })
        .collect();
    let told = rows.iter().filter(|(rank, _)| is_lost(**rank)).filter_map(|(_, rows)| rows.first());
    let ids: Vec<&str> = told.map(|row| row.customer_id.as_str()).collect();
    let said = answers.iter().filter(|answer| answer.settled.cause.is_some());
    ReasonShares {
        not_lost: rows.len() - ids.len(),
        unmapped: reasons.unmapped().to_vec(),
        contradictions: Contradictions::among(ids.iter().copied().zip(said.map(|answer| &answer.settled))),
        misreporting: known.misreporting(),
        ..shares_of(&answers)
    }
}

/// What is known of why one lost customer left.
struct Answer {
    settled: Settled,
    /// The chance of being asked, where there was one.
    chance: Option<f64>,
}

impl Answer {
    fn cause(&self) -> Cause {
        self.settled.cause.unwrap_or(Cause::Unknown)
    }
}

/// The same of lost customers known otherwise, such as from a table with a flag: each cause, where one was
/// stated, and the chance of being asked, where there was one.
#[must_use]
pub fn shares(lost: &[(Option<Cause>, Option<f64>)]) -> ReasonShares {
    let answer =
        |&(cause, chance): &(Option<Cause>, Option<f64>)| Answer { settled: Settled::of_one(cause), chance };
    shares_of(&lost.iter().map(answer).collect::<Vec<Answer>>())
}

fn shares_of(lost: &[Answer]) -> ReasonShares {
    let all = lost.len();
    let count_of = |is: &dyn Fn(&Answer) -> bool| lost.iter().filter(|answer| is(answer)).count();
    let silent = count_of(&|answer| answer.settled.named.is_empty());
    let contradicted = count_of(&|answer| answer.settled.is_contradicted());
    let known = all - count_of(&|answer| answer.cause() == Cause::Unknown);
    let sampled = || {
        let known = lost.iter().filter(|answer| answer.cause() != Cause::Unknown);
        known.filter_map(|answer| Some((answer.cause(), answer.chance?)))
    };
    let share_of = |part: usize, of: usize| if of > 0 { part as f64 / of as f64 } else { 0.0 };
    let row = |cause: Cause| {
        let count = count_of(&|answer| answer.cause() == cause);
        if cause == Cause::Unknown {
            return CauseShare {
                cause,
                count,
                share: share_of(count, all),
                low: share_of(silent, all),
                high: share_of(silent + contradicted, all),
                if_random: None,
                weighted: None,
            };
        }
        let alone = count_of(&|answer| answer.settled.named == [cause]);
        let named = count_of(&|answer| answer.settled.named.contains(&cause));
        let weighted: Vec<(bool, f64)> =
            sampled().map(|(stated, chance)| (stated == cause, chance)).collect();
        CauseShare {
            cause,
            count,
            share: share_of(count, known),
            low: share_of(alone, all),
            high: share_of(named + silent, all),
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
        contradictions: Contradictions::default(),
        misreporting: Misreporting::default(),
    }
}

/// A customer's chance of being asked: of several, the greatest, so that nobody weighs more than one of them allows.
fn chance_of(rows: &[&Reason]) -> Option<f64> {
    rows.iter().filter_map(|reason| reason.inclusion_probability).max_by(f64::total_cmp)
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
            "the cause is known of {known} of {} ({:.0} %)",
            counted(*lost, "lost customer"),
            percent(*known, *lost)
        )?;
        let Contradictions { customers: contradicted, .. } = self.contradictions;
        if *known == 0 && contradicted == 0 {
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
        if contradicted > 0 {
            write!(f, "\n  {}; at worst each is of any cause they named", self.contradictions)?;
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
                "\n  {} with a reason {} not lost by the rule, and not counted",
                counted(self.not_lost, "customer"),
                if self.not_lost == 1 { "is" } else { "are" }
            )?;
        }
        for UnmappedCode { code, rows } in &self.unmapped {
            let rows = counted(*rows, "row");
            write!(f, "\n  code `{code}` in {rows} stands for no known cause; map it")?;
        }
        write!(f, "\n  {}", self.misreporting)
    }
}
