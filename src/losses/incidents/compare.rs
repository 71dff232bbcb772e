//! Who was as active, without an incident, and how does their loss compare?

use rayon::prelude::*;

use crate::day::{Day, Window};
use crate::evidence::Placed;
use crate::history::History;
use crate::losses::systemic::{PURCHASES, purchase_class, spend_of_year_before};
use crate::rates::{
    Basis, StratifiedRatio, Stratum, normal_upper_tail, score_and_variance, stratified_ratio, upper_tail,
};

/// At most so many customers to compare with, evenly by rank.
const MOST_OTHERS: usize = 20_000;
/// Customers at a time; a constant, so that threads cannot show.
const OTHERS_PER_BLOCK: usize = 256;
/// Days that are compared together: days alone hold too few who bought on that very day.
const DAYS_PER_WEEK: i32 = 7;
/// Classes of recency end at these parts of the horizon, after that of a purchase on the day itself. An incident
/// often comes with a purchase, and who has just bought is lost more rarely than who did weeks ago.
const RECENCY_ENDS: [f64; 5] = [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0, 1.0 / 3.0, 2.0 / 3.0];
const CLASSES: usize = PURCHASES as usize * (RECENCY_ENDS.len() + 2);
/// Not recent, or with an incident of their own.
const NOBODY: u8 = u8::MAX;
/// The normal quantile of 97.5 %, twice: the width of an interval in standard errors.
const INTERVAL_WIDTH: f64 = 2.0 * 1.959_963_984_540_054;

/// Class of activity on that day, and whether nothing was bought in the horizon after; `None` where the customer
/// was not recent.
pub(super) fn state(history: &History, rank: u32, day: Day, horizon_days: i32) -> Option<(usize, bool)> {
    let run = history.run(rank as usize);
    let (class, last) = purchase_class(&run, day, horizon_days)?;
    let silent = f64::from(day.days_since_epoch() - run.days[last]);
    let recency = match silent {
        0.0 => 0,
        _ => 1 + RECENCY_ENDS.iter().filter(|&&end| silent > end * f64::from(horizon_days)).count(),
    };
    let class = class as usize * (RECENCY_ENDS.len() + 2) + recency;
    Some((class, Window::label(day, 0, horizon_days).range_in(run.days).is_empty()))
}

/// What a comparison found.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    /// Exposed whom others compare with, and how many of them were lost.
    pub(super) exposed: usize,
    pub(super) lost: usize,
    /// The same of those with whom nobody compares.
    pub(super) alone: usize,
    pub(super) lost_alone: usize,
    pub(super) ratio: Option<StratifiedRatio>,
    pub(super) p: f64,
    /// Spend in the year before of the lost whom others compare with.
    pub(super) amount: f64,
}

/// Customers without an incident lately, on every day on which somebody had one.
pub(super) struct Others<'a> {
    history: &'a History,
    horizon_days: i32,
    days: Vec<Day>,
    /// The week of each day, from 0 on.
    weeks: Vec<usize>,
    ranks: Vec<u32>,
    /// Per customer and day: twice the class, and one more where lost; [`NOBODY`] where they do not count.
    states: Vec<u8>,
    /// Lost and all, by week and class.
    counts: Vec<(u64, u64)>,
}

impl<'a> Others<'a> {
    /// `days` ascending, each once; `incidents` by customer.
    pub(super) fn look(
        history: &'a History,
        days: Vec<Day>,
        horizon_days: i32,
        incidents: &[Placed],
    ) -> Self {
        let mut weeks = Vec::with_capacity(days.len());
        let mut last = None;
        for day in &days {
            let week = day.days_since_epoch().div_euclid(DAYS_PER_WEEK);
            let number =
                weeks.last().copied().unwrap_or(0) + usize::from(last.is_some_and(|last| last != week));
            last = Some(week);
            weeks.push(number);
        }
        let step = history.customers().div_ceil(MOST_OTHERS).max(1);
        let ranks: Vec<u32> = (0..history.customers() as u32).step_by(step).collect();
        let of = |rank: u32| -> Vec<u8> {
            let start = incidents.partition_point(|one| one.rank < rank);
            let own = incidents[start..].iter().take_while(|one| one.rank == rank);
            let own: Vec<Day> = own.map(|one| one.day).collect();
            let on = |&day: &Day| {
                let window = Window::back_from(day, horizon_days);
                if own.iter().any(|&incident| window.contains(incident)) {
                    return NOBODY;
                }
                let state = state(history, rank, day, horizon_days);
                state.map_or(NOBODY, |(class, lost)| 2 * class as u8 + u8::from(lost))
            };
            days.iter().map(on).collect()
        };
        let states: Vec<Vec<u8>> = ranks
            .par_chunks(OTHERS_PER_BLOCK)
            .map(|ranks| ranks.iter().flat_map(|&rank| of(rank)).collect())
            .collect();
        let states = states.concat();
        let mut counts = vec![(0, 0); (weeks.last().map_or(0, |last| last + 1)) * CLASSES];
        for own in states.chunks(days.len().max(1)) {
            for (&week, &state) in weeks.iter().zip(own).filter(|(_, state)| **state != NOBODY) {
                let count: &mut (u64, u64) = &mut counts[week * CLASSES + usize::from(state / 2)];
                *count = (count.0 + u64::from(state % 2), count.1 + 1);
            }
        }
        Others { history, horizon_days, days, weeks, ranks, states, counts }
    }

    /// Compares customers on the day of an incident; `exposed` by customer.
    pub(super) fn compare(&self, exposed: &[(u32, Day)]) -> Compared {
        let place = |&(rank, day): &(u32, Day)| {
            let (class, lost) = state(self.history, rank, day, self.horizon_days)?;
            let week = self.weeks[self.days.binary_search(&day).ok()?];
            Some((rank, day, week * CLASSES + class, lost))
        };
        let placed: Vec<(u32, Day, usize, bool)> = exposed.iter().filter_map(place).collect();
        let mut cells = vec![Stratum::default(); self.counts.len()];
        for &(.., cell, lost) in &placed {
            cells[cell].exposed += 1.0;
            cells[cell].exposed_events += u64::from(lost);
        }
        for (cell, &(lost, all)) in cells.iter_mut().zip(&self.counts).filter(|(cell, _)| cell.exposed > 0.0)
        {
            (cell.other_events, cell.others) = (lost, all as f64);
        }
        let (mut found, mut amount) = ([0; 4], 0.0);
        for &(rank, day, cell, lost) in &placed {
            let compares = cells[cell].compares();
            let at = if compares { 0 } else { 2 };
            found[at] += 1;
            found[at + 1] += usize::from(lost);
            if compares && lost {
                amount += spend_of_year_before(&self.history.run(rank as usize), day);
            }
        }
        let strata: Vec<Stratum> = cells.iter().filter(|cell| cell.compares()).copied().collect();
        let (ratio, p) = self.judge(&placed, &cells, &strata);
        let [exposed, lost, alone, lost_alone] = found;
        Compared { exposed, lost, alone, lost_alone, ratio, p, amount }
    }

    /// The ratio with an interval, and its p, that allow for others who count on many days, and for customers
    /// with several incidents.
    fn judge(
        &self,
        placed: &[(u32, Day, usize, bool)],
        cells: &[Stratum],
        strata: &[Stratum],
    ) -> (Option<StratifiedRatio>, f64) {
        let Some(plain) = stratified_ratio(strata, Basis::Customers, 1.0) else { return (None, f64::NAN) };
        let weighted = |of: fn(&Stratum) -> f64| strata.iter().map(of).sum::<f64>();
        let r = weighted(|s| s.exposed_events as f64 * s.others / (s.exposed + s.others));
        let s = weighted(|s| s.other_events as f64 * s.exposed / (s.exposed + s.others));
        let at_one = self.variance(placed, cells, 1.0);
        let p = if at_one > 0.0 { normal_upper_tail((r - s) / at_one.sqrt()) } else { 1.0 };
        let p = p.max(upper_tail(strata, Basis::Customers));
        let inflation = if plain.low > 0.0 && plain.high.is_finite() {
            let error = (plain.high / plain.low).ln() / INTERVAL_WIDTH;
            self.variance(placed, cells, plain.ratio) / (r * r) / (error * error)
        } else {
            let (_, independent) = score_and_variance(strata, Basis::Customers);
            if independent > 0.0 { at_one / independent } else { 1.0 }
        };
        (stratified_ratio(strata, Basis::Customers, inflation), p)
    }

    /// The variance of R − θS, whole customers drawn.
    fn variance(&self, placed: &[(u32, Day, usize, bool)], cells: &[Stratum], ratio: f64) -> f64 {
        // Per cell: the weights of an exposed and of another one, and the loss rate of others.
        let parts: Vec<Option<(f64, f64, f64)>> = cells
            .iter()
            .map(|cell| {
                let all = cell.exposed + cell.others;
                let events = (cell.exposed_events + cell.other_events) as f64;
                let rate = events / (ratio * cell.exposed + cell.others);
                cell.compares().then(|| (cell.others / all, ratio * cell.exposed / all, rate))
            })
            .collect();
        let mut own = vec![0.0; self.history.customers()];
        for &(rank, _, cell, lost) in placed {
            if let Some((weight, _, rate)) = parts[cell] {
                own[rank as usize] += weight * (f64::from(u8::from(lost)) - (ratio * rate).min(1.0));
            }
        }
        for (&rank, states) in self.ranks.iter().zip(self.states.chunks(self.days.len().max(1))) {
            for (&week, &state) in self.weeks.iter().zip(states).filter(|(_, state)| **state != NOBODY) {
                if let Some((_, weight, rate)) = parts[week * CLASSES + usize::from(state / 2)] {
                    own[rank as usize] -= weight * (f64::from(state % 2) - rate);
                }
            }
        }
        own.iter().map(|sum| sum * sum).sum()
    }
}
