//! On which day did the fall begin, how far does it go, and where did the purchases go?

use super::scan::Fall;
use super::weeks::{DAYS_PER_WEEK, SPANS_WEEKS, WEEKS_FIXED_BEFORE, Weeks, fixed_on};
use crate::day::Day;
use crate::history::History;

/// −2 ln(1 − √.95): what the likelihood ratio of a change's day stays below in 95 % of all cases.
const DAY_LIMIT: f64 = 7.352_376_6;
/// So many days at each end of the series cannot be where it begins.
const LEAST_DAYS: usize = 7;
/// With fewer purchases the others' season is noise, and left out.
const LEAST_OTHERS: f64 = 300.0;

/// A fall in days and parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Onset {
    pub(crate) date: Day,
    pub(crate) low: Day,
    pub(crate) high: Day,
    /// The part of purchases that is gone.
    pub(crate) size: f64,
    /// The part of what is gone at the value that was bought elsewhere instead.
    pub(crate) moved: f64,
    pub(crate) regulars: usize,
}

/// Fits a step down to the regulars' purchases per day, the season of the others taken out.
///
/// # References
/// Siegmund (1988), International Statistical Review 56:31–48 (confidence sets for a change-point).
pub(crate) fn onset(history: &History, as_of: Day, weeks: &Weeks, column: usize, fall: &Fall) -> Onset {
    let candidate = &weeks.candidates[fall.candidate];
    let start = fixed_on(candidate.before);
    let span = SPANS_WEEKS[fall.statistic % SPANS_WEEKS.len()]
        .min(as_of.days_since(candidate.before) / DAYS_PER_WEEK);
    let days = ((WEEKS_FIXED_BEFORE + span) * DAYS_PER_WEEK) as usize;
    let (mut home, mut elsewhere, mut others) = (vec![0.0; days], vec![0.0; days], vec![0.0; days]);
    let mut regulars = 0;
    for share in &candidate.shares {
        let run = history.run(weeks.ranks[share.customer as usize] as usize);
        let own = candidate.homes[share.customer as usize] == fall.code;
        regulars += usize::from(own);
        for at in super::weeks::count(run.days, start, WEEKS_FIXED_BEFORE + span) {
            let day = (run.days[at] - start.days_since_epoch() - 1) as usize;
            match (own, run.segment(column)[at] == fall.code) {
                (true, true) => home[day] += 1.0,
                (true, false) => elsewhere[day] += 1.0,
                (false, _) => others[day] += 1.0,
            }
        }
    }
    let anywhere = fall.statistic < SPANS_WEEKS.len();
    let bought: Vec<f64> = match anywhere {
        true => home.iter().zip(&elsewhere).map(|(a, b)| a + b).collect(),
        false => home.clone(),
    };
    let season = smoothed(&others);
    let (at, low, high, size) = step(&bought, &season);
    let rates = |values: &[f64]| {
        let (before, after): (f64, f64) = (season[..at].iter().sum(), season[at..].iter().sum());
        (values[..at].iter().sum::<f64>() / before * after, values[at..].iter().sum::<f64>())
    };
    let ((home_expected, home_found), (other_expected, other_found)) = (rates(&home), rates(&elsewhere));
    let gone = home_expected - home_found;
    let moved = if gone > 0.0 { ((other_found - other_expected) / gone).clamp(0.0, 1.0) } else { 0.0 };
    let day = |position: usize| start.plus_days(position as i32 + 1);
    Onset { date: day(at), low: day(low), high: day(high), size, moved, regulars }
}

/// What to expect of each day by the others' purchases in the week around it; all days alike where they are few.
fn smoothed(others: &[f64]) -> Vec<f64> {
    const REACH: usize = 3;
    if others.iter().sum::<f64>() < LEAST_OTHERS {
        return vec![1.0; others.len()];
    }
    (0..others.len())
        .map(|day| {
            let around = &others[day.saturating_sub(REACH)..(day + REACH + 1).min(others.len())];
            (around.iter().sum::<f64>() / around.len() as f64).max(f64::MIN_POSITIVE)
        })
        .collect()
}

/// The first day of the fall, the ends of its interval, and the part that is gone.
fn step(bought: &[f64], season: &[f64]) -> (usize, usize, usize, f64) {
    let days = bought.len();
    let sums = |values: &[f64]| -> Vec<f64> {
        let mut sum = 0.0;
        std::iter::once(0.0)
            .chain(values.iter().map(|value| {
                sum += value;
                sum
            }))
            .collect()
    };
    let (bought_by, season_by) = (sums(bought), sums(season));
    let parts = |at: usize| {
        let before = (bought_by[at], season_by[at]);
        (before, (bought_by[days] - before.0, season_by[days] - before.1))
    };
    let part = |(n, s): (f64, f64)| if n > 0.0 && s > 0.0 { n * (n / s).ln() } else { 0.0 };
    let likelihood = |at: usize| {
        let (before, after) = parts(at);
        let falls = after.0 * before.1 < before.0 * after.1;
        if falls { part(before) + part(after) } else { part((bought_by[days], season_by[days])) }
    };
    let places = LEAST_DAYS..days - LEAST_DAYS;
    let best = places.clone().max_by(|&a, &b| likelihood(a).total_cmp(&likelihood(b)).then(b.cmp(&a)));
    let best = best.unwrap_or(LEAST_DAYS);
    let (before, after) = parts(best);
    let (rate_before, rate_after) = (before.0 / before.1, after.0 / after.1);
    // Purchases of a week vary by more than chance where customers come in waves.
    let weeks = days / DAYS_PER_WEEK as usize;
    let mut squares = 0.0;
    for week in 0..weeks {
        let own = week * DAYS_PER_WEEK as usize..(week + 1) * DAYS_PER_WEEK as usize;
        let expected: f64 =
            own.clone().map(|day| season[day] * if day < best { rate_before } else { rate_after }).sum();
        let found: f64 = bought[own].iter().sum();
        if expected > 0.0 {
            squares += (found - expected).powi(2) / expected;
        }
    }
    let spread = (squares / (weeks as f64 - 2.0).max(1.0)).max(1.0);
    let most = likelihood(best);
    let inside = |at: &usize| 2.0 * (most - likelihood(*at)) <= DAY_LIMIT * spread;
    let low = places.clone().find(inside).unwrap_or(best);
    let high = places.rev().find(inside).unwrap_or(best);
    (best, low, high, 1.0 - rate_after / rate_before)
}
