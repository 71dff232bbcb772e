//! How many were lost in each month and quarter, of how many, and what were they worth?

use chrono::Datelike;
use rayon::prelude::*;
use serde::Serialize;

use super::LEVEL;
use super::lapse::{Lapse, Lapses, lapses_of};
use super::worth::Worth;
use crate::day::Day;
use crate::history::{History, Run};
use crate::metrics::Interval;
use crate::rates::{Standardised, WeightedGroup, standardised, wilson};

/// Customers at a time; a constant, so that threads cannot show.
const CUSTOMERS_PER_BLOCK: usize = 1 << 10;
/// Where bands of tenure begin, in days. The second one is where the second year does.
const TENURE_BANDS: [i32; 4] = [0, 91, 366, 731];
/// The band in which the second year begins.
const SECOND_YEAR: usize = 2;

/// A month or a quarter of the calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// `2011-03` or `2011-Q1`.
    pub name: String,
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub until: Day,
}

/// What was lost in a period, of the customers at its start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeriodLoss {
    /// When.
    #[serde(flatten)]
    pub period: Period,
    /// Customers on the day before, without those who were lost already.
    pub at_risk: usize,
    /// Those of them who lapsed in the period.
    pub lost: usize,
    /// Customers who had lapsed and bought again in the period.
    pub returned: usize,
    /// Customers who bought for the first time in the period.
    pub joined: usize,
    /// Customers who came, or came back, and lapsed within the period. They were not at risk at its start, and
    /// are no part of [`lost`](Self::lost).
    pub came_and_lapsed: usize,
    /// lost / `at_risk`, Wilson; `None` where nobody was at risk.
    pub gross: Option<Interval>,
    /// (lost − returned) / `at_risk`; below 0 where more came back.
    pub net_fraction: Option<f64>,
    /// What those at risk would have spent in the next H days, had they all come back in them: by what was known
    /// on the day before the period, and everyone's mean amount; `None` without amounts.
    pub value_at_risk_amount: Option<f64>,
    /// That of the lost.
    pub value_lost_amount: Option<f64>,
    /// Those who had first bought within the last 365 days.
    pub first_year: TenureLoss,
    /// All others.
    pub later_years: TenureLoss,
    /// lost / `at_risk`, were tenures mixed as over all periods.
    pub standardised: Option<Standardised>,
    /// Whether customers who came with the log could have lapsed by its start. Before that, too few losses are
    /// seen.
    pub is_settled: bool,
}

/// Losses among customers of some tenure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TenureLoss {
    /// Customers.
    pub at_risk: usize,
    /// Those lost.
    pub lost: usize,
    /// Their share, Wilson; `None` where there is nobody.
    pub share: Option<Interval>,
}

impl TenureLoss {
    pub(super) fn new(at_risk: usize, lost: usize) -> Self {
        TenureLoss { at_risk, lost, share: wilson(lost, at_risk, LEVEL) }
    }
}

/// Whole periods of the calendar within the days; of 1 or 3 months.
pub(super) fn periods(from: Day, until: Day, months: u32) -> Vec<Period> {
    let mut periods = Vec::new();
    let Some(start) = chrono::NaiveDate::from_num_days_from_ce_opt(from.days_since_epoch() + 719_163) else {
        return periods;
    };
    let (mut year, mut month) = (start.year(), (start.month() - 1) / months * months + 1);
    while let Some(first) = Day::from_ymd(year, month, 1) {
        let next = month + months;
        let (next_year, next_month) = if next > 12 { (year + 1, next - 12) } else { (year, next) };
        let Some(end) = Day::from_ymd(next_year, next_month, 1).map(|day| day.plus_days(-1)) else { break };
        if end > until {
            break;
        }
        if first >= from {
            let name = match months {
                3 => format!("{year}-Q{}", (month - 1) / 3 + 1),
                _ => format!("{year}-{month:02}"),
            };
            periods.push(Period { name, from: first, until: end });
        }
        (year, month) = (next_year, next_month);
    }
    periods
}

/// What is counted of a period.
#[derive(Clone, Copy, Default)]
struct Counts {
    at_risk: [usize; 4],
    lost: [usize; 4],
    returned: usize,
    joined: usize,
    came_and_lapsed: usize,
    value_at_risk: f64,
    value_lost: f64,
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        for band in 0..TENURE_BANDS.len() {
            self.at_risk[band] += other.at_risk[band];
            self.lost[band] += other.lost[band];
        }
        self.returned += other.returned;
        self.joined += other.joined;
        self.came_and_lapsed += other.came_and_lapsed;
        self.value_at_risk += other.value_at_risk;
        self.value_lost += other.value_lost;
    }
}

/// Where the life begins that a customer was in on a day, as a position in the run; `None` where they had not
/// bought, or were lost.
pub(super) fn life_on(run: &Run, lapses: &[Lapse], on: Day) -> Option<usize> {
    let day = on.days_since_epoch();
    if run.days.first().is_none_or(|&first| first > day) {
        return None;
    }
    match lapses[..lapses.partition_point(|lapse| lapse.lapsed_on <= on)].last() {
        None => Some(0),
        Some(Lapse { returned_on: Some(back), .. }) if *back <= on => {
            Some(run.days.partition_point(|&day| day < back.days_since_epoch()))
        }
        Some(_) => None,
    }
}

impl Lapses {
    /// What was lost in each of these periods.
    pub(super) fn by_period(&self, history: &History, worth: &Worth, periods: &[Period]) -> Vec<PeriodLoss> {
        let blocks: Vec<Vec<Counts>> = self
            .ranks
            .par_chunks(CUSTOMERS_PER_BLOCK)
            .map(|ranks| {
                let mut counts = vec![Counts::default(); periods.len()];
                for &rank in ranks {
                    self.count(history, worth, periods, rank, &mut counts);
                }
                counts
            })
            .collect();
        let mut counts = vec![Counts::default(); periods.len()];
        for block in &blocks {
            counts.iter_mut().zip(block).for_each(|(all, more)| all.add(more));
        }
        let settled = self.rule.first_silence(self.rhythm.model());
        let settled = settled.map(|days| history.observed_from().plus_days(days));
        let is_settled = |period: &Period| settled.is_some_and(|day| period.from >= day);
        let mut mix = [0.0; 4];
        for (_, counts) in periods.iter().zip(&counts).filter(|(period, _)| is_settled(period)) {
            mix.iter_mut().zip(counts.at_risk).for_each(|(weight, people)| *weight += people as f64);
        }
        let loss = |(period, counts): (&Period, &Counts)| {
            let [at_risk, lost] = [counts.at_risk, counts.lost].map(|bands| bands.iter().sum::<usize>());
            let part = |bands: std::ops::Range<usize>| {
                let sum = |of: &[usize; 4]| of[bands.clone()].iter().sum();
                TenureLoss::new(sum(&counts.at_risk), sum(&counts.lost))
            };
            let strata: [WeightedGroup; 4] = std::array::from_fn(|band| WeightedGroup {
                events: counts.lost[band],
                people: counts.at_risk[band],
                weight: mix[band],
            });
            let net = (lost as f64 - counts.returned as f64) / at_risk as f64;
            PeriodLoss {
                period: period.clone(),
                at_risk,
                lost,
                returned: counts.returned,
                joined: counts.joined,
                came_and_lapsed: counts.came_and_lapsed,
                gross: wilson(lost, at_risk, LEVEL),
                net_fraction: (at_risk > 0).then_some(net),
                value_at_risk_amount: worth.has_amounts().then_some(counts.value_at_risk),
                value_lost_amount: worth.has_amounts().then_some(counts.value_lost),
                first_year: part(0..SECOND_YEAR),
                later_years: part(SECOND_YEAR..TENURE_BANDS.len()),
                standardised: standardised(&strata, LEVEL),
                is_settled: is_settled(period),
            }
        };
        periods.iter().zip(&counts).map(loss).collect()
    }

    fn count(&self, history: &History, worth: &Worth, periods: &[Period], rank: u32, counts: &mut [Counts]) {
        let run = history.run(rank as usize).until(self.as_of);
        let lapses = lapses_of(&self.lapses, rank);
        let Some(&first) = run.days.first() else { return };
        let first = Day::from_days_since_epoch(first);
        // What came before the customer did need not be looked at.
        let from = periods.partition_point(|period| period.until < first);
        for (period, counts) in periods.iter().zip(counts).skip(from) {
            let within = |day: Day| (period.from..=period.until).contains(&day);
            let eve = period.from.plus_days(-1);
            counts.joined += usize::from(within(first));
            counts.returned += lapses.iter().filter(|lapse| lapse.returned_on.is_some_and(within)).count();
            // Of the life they were in on the eve, `lost` speaks; every other one that ended began since.
            let ended = lapses.iter().filter(|lapse| within(lapse.lapsed_on));
            let began = |lapse: &Lapse| match lapses.iter().rfind(|other| other.life < lapse.life) {
                Some(before) => before.returned_on.is_some_and(within),
                None => within(first),
            };
            counts.came_and_lapsed += ended.filter(|lapse| began(lapse)).count();
            let known = run.until(eve);
            let Some(start) = life_on(&known, lapses, eve) else { continue };
            let tenure = eve.days_since(first);
            let band = TENURE_BANDS.partition_point(|&begins| begins <= tenure) - 1;
            let is_lost = lapses
                .iter()
                .find(|lapse| lapse.lapsed_on > eve)
                .is_some_and(|lapse| within(lapse.lapsed_on));
            counts.at_risk[band] += 1;
            counts.lost[band] += usize::from(is_lost);
            if worth.has_amounts() {
                let value = worth.of(&known, start, eve);
                counts.value_at_risk += value;
                counts.value_lost += if is_lost { value } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_periods_only() {
        let day = |text: &str| text.parse().unwrap();
        let names = |from, until, months| -> Vec<String> {
            periods(day(from), day(until), months).into_iter().map(|period| period.name).collect()
        };
        assert_eq!(names("2010-12-01", "2011-02-27", 1), ["2010-12", "2011-01"]);
        assert_eq!(names("2010-12-02", "2011-06-30", 3), ["2011-Q1", "2011-Q2"]);
        assert_eq!(names("2011-01-01", "2011-01-30", 1), Vec::<String>::new());
    }
}
