//! Who is lost, and since when?

mod words;

use std::sync::Arc;

use polars::prelude::DataFrame;
use rayon::prelude::*;
use serde::Serialize;

use super::LEVEL;
use super::rule::LapseRule;
use crate::btyd::{MbgNbd, MbgNbdPosterior, Summary};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::history::{CustomerIds, History};
use crate::metrics::Interval;
use crate::rates::wilson;
use crate::table;

/// Customers at a time; a constant, so that threads cannot show.
const CUSTOMERS_PER_BLOCK: usize = 1 << 10;

impl LapseRule {
    /// Finds who had lapsed by the end of a day, and every lapse and return before it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a setting out of range, [`Error::AfterObserved`] for a day the log does not
    /// reach, [`Error::BeforeFirstPurchase`] where nobody had bought.
    pub fn find(&self, history: &History, as_of: Day) -> Result<Lapses> {
        self.check()?;
        let observed_until = history.observed_until();
        if as_of > observed_until {
            return Err(Error::AfterObserved { as_of, observed_until });
        }
        let until = as_of.days_since_epoch();
        let ranks: Vec<u32> = (0..history.customers() as u32)
            .filter(|&rank| history.first_purchase(rank as usize) <= until)
            .collect();
        if ranks.is_empty() {
            return Err(history.nobody_bought_by(as_of));
        }
        let rhythm = self.fit(history, &ranks, as_of)?;
        Ok(self.with_rhythm(history, ranks, as_of, rhythm))
    }

    /// The same with parameters that were fitted before.
    pub(super) fn with_rhythm(
        &self,
        history: &History,
        ranks: Vec<u32>,
        as_of: Day,
        rhythm: MbgNbdPosterior,
    ) -> Lapses {
        let model = rhythm.model();
        let found = in_blocks(&ranks, |rank, lapses: &mut Vec<Lapse>| {
            let days = history.run(rank as usize).until(as_of).days;
            self.walk(model, rank, days, as_of, |lapse| lapses.push(lapse))
        });
        let (lives, lapses): (Vec<Vec<Life>>, Vec<Vec<Lapse>>) = found.into_iter().unzip();
        let (lives, lapses) = (lives.concat(), lapses.concat());
        let horizon = self.horizon_days;
        let followed = lapses.iter().filter(|lapse| as_of.days_since(lapse.lapsed_on) >= horizon);
        let (mut of, mut returned) = (0, 0);
        for lapse in followed {
            of += 1;
            let back = lapse.returned_on.is_some_and(|day| day.days_since(lapse.lapsed_on) <= horizon);
            returned += usize::from(back);
        }
        let natural_return =
            wilson(returned, of, LEVEL).map(|share| NaturalReturn { lapsed: of, returned, share });
        Lapses {
            rule: *self,
            as_of,
            ids: Arc::clone(history.ids()),
            ranks,
            lives,
            lapses,
            natural_return,
            rhythm,
        }
    }

    /// Fits the rhythm, first to everything, then to first lives until they lapsed.
    pub(super) fn fit(&self, history: &History, ranks: &[u32], as_of: Day) -> Result<MbgNbdPosterior> {
        let whole: Vec<Summary> = summaries(history, ranks, |days| days, as_of);
        let rhythm = MbgNbd::params().fit_held(&whole)?;
        let first: Vec<Summary> = ranks
            .par_iter()
            .map(|&rank| {
                let days = history.run(rank as usize).until(as_of).days;
                let mut end = None;
                self.walk(rhythm.model(), rank, days, as_of, |lapse| {
                    end = end.or(Some(lapse.lapsed_on));
                });
                let end = end.unwrap_or(as_of);
                let days = &days[..days.partition_point(|&day| day <= end.days_since_epoch())];
                summary(days, end)
            })
            .collect();
        MbgNbd::params().fit_held(&first)
    }

    /// Goes through a customer's lives: tells every lapse, and returns the life on the day. `days` has at
    /// least one, all until `as_of`.
    pub(super) fn walk(
        &self,
        model: &MbgNbd,
        rank: u32,
        days: &[i32],
        as_of: Day,
        mut lapsed: impl FnMut(Lapse),
    ) -> Life {
        let until = as_of.days_since_epoch();
        let (mut start, mut lives, mut lapsed_on) = (0, 1, None);
        for (at, &day) in days.iter().enumerate() {
            let next = days.get(at + 1).copied();
            let longest = next.map_or(until, |next| next - 1) - day;
            let (repeats, span) = ((at - start) as f64, f64::from(day - days[start]));
            let Some(silence) = self.crossing(model, repeats, span, longest) else { continue };
            let on = Day::from_days_since_epoch(day + silence);
            let returned_on = next.map(Day::from_days_since_epoch);
            let last_purchase = Day::from_days_since_epoch(day);
            lapsed(Lapse { rank, life: lives, last_purchase, lapsed_on: on, returned_on });
            match next {
                Some(_) => (start, lives) = (at + 1, lives + 1),
                None => lapsed_on = Some(on),
            }
        }
        let last = days.len() - 1;
        let (first, latest) = (days[start], days[last]);
        let summary =
            Summary::new((last - start) as f64, f64::from(latest - first), f64::from(until - first));
        Life { rank, lives, purchases: days.len(), summary, lapsed_on }
    }
}

/// Maps customers in blocks of one size; each block's own list comes back beside.
fn in_blocks<T: Send, L: Send>(
    ranks: &[u32],
    of: impl Fn(u32, &mut Vec<L>) -> T + Sync,
) -> Vec<(Vec<T>, Vec<L>)> {
    ranks
        .par_chunks(CUSTOMERS_PER_BLOCK)
        .map(|ranks| {
            let mut list = Vec::new();
            let values = ranks.iter().map(|&rank| of(rank, &mut list)).collect();
            (values, list)
        })
        .collect()
}

fn summaries<'a>(
    history: &'a History,
    ranks: &[u32],
    of: impl Fn(&'a [i32]) -> &'a [i32] + Sync,
    as_of: Day,
) -> Vec<Summary> {
    ranks.par_iter().map(|&rank| summary(of(history.run(rank as usize).until(as_of).days), as_of)).collect()
}

fn summary(days: &[i32], as_of: Day) -> Summary {
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Summary::new(0.0, 0.0, 0.0) };
    let age = as_of.days_since_epoch() - first;
    Summary::new((days.len() - 1) as f64, f64::from(last - first), f64::from(age))
}

/// A customer was lost, and perhaps came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lapse {
    #[serde(skip)]
    pub(super) rank: u32,
    /// Which of the customer's lives ended, from 1.
    pub life: u32,
    /// The last purchase of that life.
    pub last_purchase: Day,
    /// The first day on which the customer counted as lost.
    pub lapsed_on: Day,
    /// The first purchase after it.
    pub returned_on: Option<Day>,
}

/// A customer's life as it is on the day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Life {
    #[serde(skip)]
    pub(super) rank: u32,
    /// Which of the customer's lives it is, from 1.
    pub lives: u32,
    /// Purchases of all lives.
    pub purchases: usize,
    /// Its repeat purchases, their span, and its age, in days.
    pub summary: Summary,
    /// When it ended.
    pub lapsed_on: Option<Day>,
}

impl Life {
    /// Days since the last purchase.
    #[must_use]
    pub fn days_since_last(&self) -> i32 {
        (self.summary.age - self.summary.recency) as i32
    }
}

/// A customer's lapses, of those in order of customer.
pub(super) fn lapses_of(lapses: &[Lapse], rank: u32) -> &[Lapse] {
    let start = lapses.partition_point(|lapse| lapse.rank < rank);
    let end = start + lapses[start..].partition_point(|lapse| lapse.rank == rank);
    &lapses[start..end]
}

/// A customer who is lost on the day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lost {
    pub(crate) rank: u32,
    pub(crate) lapsed_on: Day,
    /// Intervals between purchases of one life, and the days they took together.
    pub(crate) intervals: usize,
    pub(crate) span_days: i32,
}

/// How many of the lapsed come back by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NaturalReturn {
    /// Lapses at least H days ago.
    pub lapsed: usize,
    /// Those followed by a purchase within H days.
    pub returned: usize,
    /// Their share.
    pub share: Interval,
}

/// Who had lapsed by the end of a day, and every lapse before it.
#[derive(Clone, Debug)]
pub struct Lapses {
    pub(super) rule: LapseRule,
    pub(super) as_of: Day,
    pub(super) ids: Arc<CustomerIds>,
    pub(super) ranks: Vec<u32>,
    pub(super) lives: Vec<Life>,
    pub(super) lapses: Vec<Lapse>,
    natural_return: Option<NaturalReturn>,
    pub(super) rhythm: MbgNbdPosterior,
}

impl Lapses {
    /// The day.
    #[must_use]
    pub fn as_of(&self) -> Day {
        self.as_of
    }

    /// The rule.
    #[must_use]
    pub fn rule(&self) -> &LapseRule {
        &self.rule
    }

    /// How many customers had bought by then.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.lives.len()
    }

    /// How many of them counted as lost on that day.
    #[must_use]
    pub fn lapsed(&self) -> usize {
        self.lives.iter().filter(|life| life.lapsed_on.is_some()).count()
    }

    /// Each customer's life, in order of customer.
    #[must_use]
    pub fn lives(&self) -> &[Life] {
        &self.lives
    }

    /// Every lapse, in order of customer and day.
    #[must_use]
    pub fn lapses(&self) -> &[Lapse] {
        &self.lapses
    }

    /// Intervals between purchases of one life, and the days they took together: a silence that ended a life is
    /// no part of a rhythm. `days` are all purchases up to the day.
    pub(super) fn within_lives(&self, rank: u32, days: &[i32]) -> (usize, i32) {
        let (Some(first), Some(last)) = (days.first(), days.last()) else { return (0, 0) };
        let mut found = (days.len() - 1, last - first);
        for lapse in lapses_of(&self.lapses, rank) {
            if let Some(back) = lapse.returned_on {
                found = (found.0 - 1, found.1 - back.days_since(lapse.last_purchase));
            }
        }
        found
    }

    /// Who is lost on the day, in order of customer.
    pub(crate) fn lost(&self, history: &History) -> Vec<Lost> {
        let lost = self.lives.iter().filter_map(|life| {
            let days = history.run(life.rank as usize).until(self.as_of).days;
            let (intervals, span_days) = self.within_lives(life.rank, days);
            Some(Lost { rank: life.rank, lapsed_on: life.lapsed_on?, intervals, span_days })
        });
        lost.collect()
    }

    /// The life of a customer who had bought by the day.
    pub(super) fn life(&self, rank: u32) -> Option<&Life> {
        self.lives.get(self.ranks.binary_search(&rank).ok()?)
    }

    /// How many came back within H days of a lapse; `None` where no lapse is that old.
    #[must_use]
    pub fn natural_return(&self) -> Option<&NaturalReturn> {
        self.natural_return.as_ref()
    }

    /// Whether more of the lapsed came back within H days than the limit allows, by more than chance: the log does
    /// not keep to the model of rhythm, and calls customers lost too soon. [`LapseRule::tune`] tries other limits.
    #[must_use]
    pub fn is_contradicted(&self) -> bool {
        let limit = self.rule.limit();
        self.natural_return.is_some_and(|back| limit.is_some_and(|limit| back.share.low > limit))
    }

    /// The model of rhythm behind it; times in days.
    #[must_use]
    pub fn rhythm(&self) -> &MbgNbdPosterior {
        &self.rhythm
    }

    /// The chance of a purchase in the next H days, by life.
    #[must_use]
    pub fn p_purchase(&self, life: &Life) -> f64 {
        1.0 - self.rhythm.model().p_no_purchase(life.summary, f64::from(self.rule.horizon_days))
    }

    /// `customer_id, life, last_purchase, lapsed_on, returned_on`: every lapse.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let ranks: Vec<u32> = self.lapses.iter().map(|lapse| lapse.rank).collect();
        let lives: Vec<u32> = self.lapses.iter().map(|lapse| lapse.life).collect();
        table::frame(vec![
            self.ids.column("customer_id", &ranks)?,
            polars::prelude::Column::new("life".into(), lives),
            table::dates("last_purchase", self.lapses.iter().map(|lapse| lapse.last_purchase)),
            table::dates("lapsed_on", self.lapses.iter().map(|lapse| lapse.lapsed_on)),
            table::nullable_dates("returned_on", self.lapses.iter().map(|lapse| lapse.returned_on)),
        ])
    }
}
