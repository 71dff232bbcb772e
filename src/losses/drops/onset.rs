//! On which day did the fall begin, how far does it go, and where did the purchases go?

use super::descent::{Descent, descent};
use super::scan::{Fall, Scope};
use super::weeks::{DAYS_PER_WEEK, SPANS_WEEKS, count, fixed_on, home, regular};
use crate::day::Day;

/// Where the day may lie before what is looked at, regulars are fixed so many weeks earlier, so many times.
const WEEKS_EARLIER: i32 = 8;
const TIMES_EARLIER: i32 = 2;
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

/// Fits a fall to the regulars' purchases per day, the season of the others taken out.
pub(crate) fn onset(scope: Scope<'_>, fall: &Fall) -> Onset {
    let span = SPANS_WEEKS[fall.statistic % SPANS_WEEKS.len()]
        .min(scope.as_of.days_since(fall.before) / DAYS_PER_WEEK);
    let end = fall.before.plus_days(span * DAYS_PER_WEEK);
    let first = scope.candidates.first().copied().unwrap_or(fall.before);
    let (mut found, mut at_edge) = from(scope, fall, fall.before, end);
    for times in 1..=TIMES_EARLIER {
        let before = fall.before.plus_days(-times * WEEKS_EARLIER * DAYS_PER_WEEK);
        if !at_edge || before < first {
            break;
        }
        let earlier = from(scope, fall, before, end);
        if earlier.0.size <= 0.0 {
            break;
        }
        (found, at_edge) = earlier;
    }
    found
}

/// The same with regulars fixed before that week; whether the day may as well lie before all that is looked at.
fn from(scope: Scope<'_>, fall: &Fall, before: Day, end: Day) -> (Onset, bool) {
    let start = fixed_on(before);
    let days = end.days_since(start) as usize;
    let (mut at_home, mut elsewhere, mut others) = (vec![0.0; days], vec![0.0; days], vec![0.0; days]);
    let mut regulars = 0;
    for &rank in scope.ranks {
        let run = scope.history.run(rank as usize);
        let Some(known) = regular(&run, before) else { continue };
        let codes = run.segment(fall.column);
        let own = home(&codes[known]) == fall.code;
        regulars += usize::from(own);
        for at in count(run.days, start, days as i32 / DAYS_PER_WEEK) {
            let day = (run.days[at] - start.days_since_epoch() - 1) as usize;
            match (own, codes[at] == fall.code) {
                (true, true) => at_home[day] += 1.0,
                (true, false) => elsewhere[day] += 1.0,
                (false, _) => others[day] += 1.0,
            }
        }
    }
    let anywhere = fall.statistic < SPANS_WEEKS.len();
    let bought: Vec<f64> = match anywhere {
        true => at_home.iter().zip(&elsewhere).map(|(a, b)| a + b).collect(),
        false => at_home.clone(),
    };
    let season = smoothed(&others);
    let Descent { first, fallen, low, high, size, at_edge } = descent(&bought, &season);
    // What was bought before and after the fall, its own days apart.
    let rates = |values: &[f64]| {
        let (before, after): (f64, f64) = (season[..first].iter().sum(), season[fallen..].iter().sum());
        (values[..first].iter().sum::<f64>() / before * after, values[fallen..].iter().sum::<f64>())
    };
    let ((home_expected, home_found), (other_expected, other_found)) = (rates(&at_home), rates(&elsewhere));
    let gone = home_expected - home_found;
    let moved = if gone > 0.0 { ((other_found - other_expected) / gone).clamp(0.0, 1.0) } else { 0.0 };
    let day = |position: usize| start.plus_days(position as i32 + 1);
    let onset = Onset { date: day(first), low: day(low), high: day(high), size, moved, regulars };
    (onset, at_edge)
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
