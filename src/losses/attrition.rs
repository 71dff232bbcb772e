//! How many do we lose?

use std::fmt;

use serde::Serialize;

use super::LEVEL;
use super::cohorts::{AGES, Cohort, CohortPoint};
use super::lapse::{Lapses, NaturalReturn};
use super::periods::{Period, PeriodLoss, TenureLoss, periods};
use super::worth::Worth;
use crate::day::{Day, Window};
use crate::error::counted;
use crate::history::History;
use crate::metrics::Interval;
use crate::rates::wilson;

const YEAR_DAYS: i32 = 365;
/// Periods shown.
const SHOWN: usize = 8;

/// How many customers are lost, in plain numbers and by the lapse rule.
#[derive(Clone, Debug, Serialize)]
pub struct Attrition {
    /// The day up to which orders were looked at.
    pub as_of: Day,
    /// The plain number; `None` where the log is too short for it.
    pub plain: Option<PlainLoss>,
    /// Why there is none.
    pub plain_missing: Option<String>,
    /// By month, the whole ones.
    pub months: Vec<PeriodLoss>,
    /// By quarter, the whole ones.
    pub quarters: Vec<PeriodLoss>,
    /// By quarter of the first purchase.
    pub cohorts: Vec<Cohort>,
    /// How many of the lapsed come back by themselves.
    pub natural_return: Option<NaturalReturn>,
}

/// Customers who bought in a year and not in the next one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlainLoss {
    /// D, 365 days before the as-of day.
    pub day: Day,
    /// Customers who bought in the 365 days up to D.
    pub customers: usize,
    /// Those who did not buy in the 365 days after it.
    pub lost: usize,
    /// Their share, Wilson.
    pub share: Interval,
    /// Those who had first bought in the 365 days up to D.
    pub first_year: TenureLoss,
    /// Those who had first bought before. What came before the log is not known, and some of the first may be
    /// of these.
    pub later_years: TenureLoss,
    /// What all spent in the year up to D; `None` without amounts.
    pub amount: Option<f64>,
    /// What the lost spent in it.
    pub lost_amount: Option<f64>,
    /// Customers who had bought before, not in the year up to D, and again in the year after it.
    pub returned: usize,
}

/// Tells how many are lost.
///
/// # Formula
/// ```text
/// plain      bought in (D−365, D] and not in (D, D+365], of those who bought in (D−365, D], D = as-of − 365
/// gross      lapsed in the period, of the not lapsed on the day before it
/// net        (lapsed − returned in the period), of the same
/// by money   the same of Σ value on the day before the period: what a customer would spend in the next H days,
///            should they come back in them: E[N]/P(N > 0) · (K + 2 M)/(n + 2), N their purchases by MBG/NBD, K what
///            they bought and kept with n purchases, M everyone's mean
/// ```
///
/// One rate for customers of all tenures misleads: in the cohort 1000, 631, 468, 382, 326 yearly losses fall
/// from 37 % to 15 %, and a business that grows seems to lose more of them.
///
/// # References
/// Fader and Hardie (2007), "How to project customer retention", Journal of Interactive Marketing 21:76–90;
/// Wilson (1927); [`standardised`](crate::rates::standardised); [`KaplanMeier`](crate::rates::KaplanMeier).
#[must_use]
pub fn attrition(history: &History, lapses: &Lapses) -> Attrition {
    let worth = Worth::new(lapses, history);
    let by = |months| {
        let whole: Vec<Period> = periods(history.observed_from(), lapses.as_of, months);
        lapses.by_period(history, &worth, &whole)
    };
    let (plain, plain_missing) = match plain(history, lapses) {
        Ok(plain) => (Some(plain), None),
        Err(reason) => (None, Some(reason)),
    };
    Attrition {
        as_of: lapses.as_of,
        plain,
        plain_missing,
        months: by(1),
        quarters: by(3),
        cohorts: lapses.cohorts(history),
        natural_return: lapses.natural_return().copied(),
    }
}

fn plain(history: &History, lapses: &Lapses) -> Result<PlainLoss, String> {
    let day = lapses.as_of.plus_days(-YEAR_DAYS);
    let (from, needed) = (history.observed_from(), day.plus_days(1 - YEAR_DAYS));
    if from > needed {
        let has = lapses.as_of.days_since(from) + 1;
        return Err(format!(
            "the log covers {} up to {}, and customers of one year who did not buy in the next take {}; \
             it would have to begin on {needed}, and begins on {from}",
            counted(has.max(0) as usize, "day"),
            lapses.as_of,
            2 * YEAR_DAYS
        ));
    }
    let (before, after) = (Window::back_from(day, YEAR_DAYS), Window::label(day, 0, YEAR_DAYS));
    let (mut first, mut later) = ([0, 0], [0, 0]);
    let (mut amount, mut lost_amount, mut returned) = (0.0, 0.0, 0);
    for &rank in &lapses.ranks {
        let run = history.run(rank as usize);
        let bought = before.range_in(run.days);
        let comes_again = !after.range_in(run.days).is_empty();
        if bought.is_empty() {
            returned += usize::from(bought.start > 0 && comes_again);
            continue;
        }
        let spent: f64 = run.net.get(bought.clone()).unwrap_or_default().iter().sum();
        amount += spent;
        lost_amount += if comes_again { 0.0 } else { spent };
        let tenure = if bought.start == 0 { &mut first } else { &mut later };
        tenure[0] += 1;
        tenure[1] += usize::from(!comes_again);
    }
    let (customers, lost) = (first[0] + later[0], first[1] + later[1]);
    let share = wilson(lost, customers, LEVEL)
        .ok_or_else(|| format!("nobody bought in the {YEAR_DAYS} days up to {day}"))?;
    let has_amounts = history.reading().columns().has_amount();
    Ok(PlainLoss {
        day,
        customers,
        lost,
        share,
        first_year: TenureLoss::new(first[0], first[1]),
        later_years: TenureLoss::new(later[0], later[1]),
        amount: has_amounts.then_some(amount),
        lost_amount: has_amounts.then_some(lost_amount),
        returned,
    })
}

/// `12 % (10 to 14)`, or a dash.
pub(super) fn shown_share(share: Option<&Interval>) -> String {
    share.map_or("–".to_owned(), |Interval { estimate, low, high, .. }| {
        format!("{:.1} % ({:.1} to {:.1})", 100.0 * estimate, 100.0 * low, 100.0 * high)
    })
}

impl fmt::Display for Attrition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.plain, &self.plain_missing) {
            (Some(plain), _) => write!(f, "{plain}")?,
            (None, reason) => {
                let reason = reason.as_deref().unwrap_or_default();
                write!(f, "no plain yearly number: {reason}")?;
            }
        }
        let known = self.quarters.iter().filter(|quarter| quarter.at_risk > 0);
        let known: Vec<&PeriodLoss> = known.collect();
        let shown = &known[known.len().saturating_sub(SHOWN)..];
        if !shown.is_empty() {
            write!(
                f,
                "\n\nby quarter\n  {:<10}{:>8}{:>7}{:>11}{:>24}{:>9}{:>10}{:>12}{:>11}{:>17}",
                "",
                "at risk",
                "lost",
                "came back",
                "lost, of at risk",
                "net",
                "by money",
                "first year",
                "same mix*",
                "came and lapsed"
            )?;
            shown.iter().try_for_each(|quarter| write!(f, "\n{quarter}"))?;
            write!(f, "\n  * were all quarters' customers there equally long")?;
        }
        if shown.iter().any(|quarter| !quarter.is_settled) {
            write!(f, "\n  ~ the log was so young that few could have lapsed yet")?;
        }
        write!(f, "\n\nnot lapsed yet, by quarter of the first purchase\n  {:<10}{:>10}", "", "customers")?;
        let ages = || (0..AGES.len()).filter(|&at| self.cohorts.iter().any(|one| one.retention.len() > at));
        for at in ages() {
            write!(f, "{:>26}", format!("after {} days", AGES[at]))?;
        }
        for cohort in &self.cohorts {
            write!(f, "\n{cohort}")?;
        }
        if self.cohorts.iter().flat_map(|cohort| &cohort.retention).any(|point| point.is_by_rule) {
            write!(
                f,
                "\n  = who bought once cannot have lapsed so early: the rule says so, not the customers"
            )?;
        }
        if self.cohorts.iter().any(|cohort| cohort.is_left_truncated) {
            write!(f, "\n  ~ came while the log was young: many may be older customers")?;
        }
        Ok(())
    }
}

impl fmt::Display for PlainLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "of {} who bought in the year up to {}, {} did not in the year after: {}",
            counted(self.customers, "customer"),
            self.day,
            self.lost,
            shown_share(Some(&self.share))
        )?;
        write!(
            f,
            "\n  in their first year {}, later {}",
            shown_share(self.first_year.share.as_ref()),
            shown_share(self.later_years.share.as_ref())
        )?;
        if let (Some(lost), Some(all)) = (self.lost_amount, self.amount.filter(|all| *all > 0.0)) {
            write!(
                f,
                "\n  they had spent {lost:.0} of {all:.0} in the year before ({:.1} %)",
                100.0 * lost / all
            )?;
        }
        write!(f, "\n  {} came back who had not bought for a year", self.returned)
    }
}

impl fmt::Display for PeriodLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_settled { ' ' } else { '~' };
        let percent =
            |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.1} %", 100.0 * share));
        let money = match (self.value_lost_amount, self.value_at_risk_amount) {
            (Some(lost), Some(all)) if all > 0.0 => Some(lost / all),
            _ => None,
        };
        write!(
            f,
            "  {:<9}{mark}{:>8}{:>7}{:>11}{:>24}{:>9}{:>10}{:>12}{:>11}{:>17}",
            self.period.name,
            self.at_risk,
            self.lost,
            self.returned,
            shown_share(self.gross.as_ref()),
            percent(self.net_fraction),
            percent(money),
            percent(self.first_year.share.map(|share| share.estimate)),
            percent(self.standardised.as_ref().map(|standardised| standardised.share.estimate)),
            self.came_and_lapsed
        )
    }
}

impl fmt::Display for Cohort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_left_truncated { '~' } else { ' ' };
        write!(f, "  {:<9}{mark}{:>10}", self.name, self.customers)?;
        if self.is_too_young {
            return write!(f, "  too young to say");
        }
        for CohortPoint { kept, is_by_rule, .. } in &self.retention {
            let mark = if *is_by_rule { "= " } else { "" };
            write!(f, "{:>26}", format!("{mark}{}", shown_share(Some(kept))))?;
        }
        if self.retention.is_empty() {
            write!(f, "  {} lapsed so far", self.lapsed)?;
        }
        Ok(())
    }
}
