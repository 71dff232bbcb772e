//! Did the whole business fall, or is it the season?

use std::ops::RangeInclusive;

use rayon::prelude::*;
use serde::Serialize;

use super::scan::Scope;
use super::weeks::{DAYS_PER_WEEK, SPANS_WEEKS, WEEKS_FIXED_BEFORE, count, fixed_on, regular};
use crate::day::Day;
use crate::rates::normal_upper_tail;

const WEEKS_PER_YEAR: i32 = 52;
/// Less than this is not worth speaking of.
const LEAST_SIZE: f64 = 0.25;
/// It is told where chance shows as much in at most this share of logs, all weeks together.
const LEVEL: f64 = 0.005;
/// So many weeks share no purchases with a week's own.
const WEEKS_APART: i32 = WEEKS_FIXED_BEFORE + SPANS_WEEKS[0];
/// So many weeks compared elsewhere tell how far years are apart by themselves.
const LEAST_ELSEWHERE: usize = 20;
/// A normal's standard deviation over its median absolute deviation.
const DEVIATIONS: f64 = 1.482_602_218_505_602;
/// Weeks are summed up so many at a time to see how they go up and down, where no years beside each other show it.
const WEEKS_TOGETHER: RangeInclusive<usize> = 1..=3;
/// The variance of a second difference over that of a week.
const SECOND_DIFFERENCE: f64 = 6.0;

/// Whether a fall of the whole business is more than the season's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum BusinessVerdict {
    /// The same weeks of earlier years did not fall like this.
    Dropped,
    /// The log has no year before these weeks to compare with: cannot be told from season.
    CannotBeToldFromSeason,
}

/// A fall of all regulars together, wherever they buy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BusinessDrop {
    /// The last day before the week it begins in, to a week.
    pub date: Day,
    /// The part of purchases that is gone, beside the same weeks of earlier years where there are such; 1 where
    /// all buying stopped.
    pub size: f64,
    /// How likely chance alone shows as much in any week; none where there is nothing to compare with.
    pub p: Option<f64>,
    /// Whether it is more than the season's.
    pub verdict: BusinessVerdict,
}

/// What regulars bought in the six weeks from a week on (a), and in the eight before (b).
#[derive(Clone, Copy)]
struct Level {
    before: Day,
    a: f64,
    b: f64,
    aa: f64,
    ab: f64,
    bb: f64,
}

impl Level {
    fn ratio(&self) -> f64 {
        self.a / self.b
    }

    /// Variance of the ratio where `expected` is to be expected, over its square: customers are drawn.
    fn variance(&self, expected: f64) -> f64 {
        let squares = self.aa - 2.0 * expected * self.ab + expected * expected * self.bb;
        squares.max(0.0) / (expected * self.b).powi(2)
    }
}

/// The steepest fall beside the same weeks of earlier years. Without one, the steepest in weeks that no other year
/// of the log has, beside the usual course: that may be the season's, and is called so.
///
/// # Formula
/// ```text
/// size = 1 − (a/b) / r, r = mean of a/b in the same weeks of earlier years, or the median of all weeks
/// z = size / √(Σ (a − r b)²/(r Σ b)² + var r + (1 + 1/years) s² (1/6 + 1/8))
/// s² = (1.4826 · median |ln n(w − 1) − 2 ln n(w) + ln n(w + 1)|)²/6 − median 1/n, for n purchases in a week
/// ```
/// where a and b are one customer's. Without earlier years n is also of two or three weeks, where that, times as many,
/// is more. s is how far all weeks go up and down together, which no number of customers
/// evens out. Where weeks elsewhere were compared too, the mean square of their sizes is the least variance.
/// p is that of the normal, times the weeks looked at.
pub(crate) fn of_business(scope: Scope<'_>) -> Option<BusinessDrop> {
    let levels: Vec<Level> = scope.candidates.iter().filter_map(|&before| level(scope, before)).collect();
    let weekly = weekly(scope);
    let both = 1.0 / f64::from(SPANS_WEEKS[0]) + 1.0 / f64::from(WEEKS_FIXED_BEFORE);
    let week_by_week = both * shocks(&weekly, 1..=1);
    let compared: Vec<Beside> =
        levels.iter().filter_map(|level| beside_years(level, &levels, week_by_week)).collect();
    let steepest = compared.iter().map(|one| (one, one.size / elsewhere(one, &compared).sqrt()));
    let drop = steepest.max_by(|a, b| a.1.total_cmp(&b.1));
    if let Some((one, z)) = drop {
        let p = (normal_upper_tail(z) * compared.len() as f64).min(1.0);
        if p <= LEVEL && one.size >= LEAST_SIZE {
            let verdict = BusinessVerdict::Dropped;
            return Some(BusinessDrop { date: one.before, size: one.size, p: Some(p), verdict });
        }
    }
    let usual = median(levels.iter().map(Level::ratio).collect()).filter(|&usual| usual > 0.0)?;
    let a_year_apart = |level: &Level| {
        let year = WEEKS_PER_YEAR * DAYS_PER_WEEK;
        levels.iter().any(|other| other.before.days_since(level.before).abs() == year)
    };
    let alone: Vec<&Level> = levels.iter().filter(|level| !a_year_apart(level)).collect();
    let together = both * shocks(&weekly, WEEKS_TOGETHER);
    let z = |level: &Level| (1.0 - level.ratio() / usual) / (level.variance(usual) + together).sqrt();
    let steepest = alone.iter().copied().max_by(|a, b| z(a).total_cmp(&z(b)))?;
    let size = 1.0 - steepest.ratio() / usual;
    let told = normal_upper_tail(z(steepest)) * alone.len() as f64 <= LEVEL && size >= LEAST_SIZE;
    let verdict = BusinessVerdict::CannotBeToldFromSeason;
    told.then_some(BusinessDrop { date: steepest.before, size, p: None, verdict })
}

/// A week beside the same of earlier years.
struct Beside {
    before: Day,
    size: f64,
    variance: f64,
}

fn beside_years(level: &Level, levels: &[Level], shocks: f64) -> Option<Beside> {
    let year = WEEKS_PER_YEAR * DAYS_PER_WEEK;
    let earlier = levels.iter().filter(|other| {
        let days = level.before.days_since(other.before);
        days > 0 && days % year == 0 && other.a > 0.0
    });
    let (mut years, mut sum, mut doubt) = (0.0, 0.0, 0.0);
    for other in earlier {
        years += 1.0;
        sum += other.ratio();
        doubt += other.variance(other.ratio()) * other.ratio().powi(2);
    }
    let expected = sum / years;
    (years > 0.0).then(|| Beside {
        before: level.before,
        size: 1.0 - level.ratio() / expected,
        variance: level.variance(expected) + doubt / (sum * sum) + shocks * (1.0 + 1.0 / years),
    })
}

/// The variance of a week's size, at least the mean square of those that share no purchases with it.
fn elsewhere(one: &Beside, compared: &[Beside]) -> f64 {
    let apart = |other: &&Beside| other.before.days_since(one.before).abs() >= WEEKS_APART * DAYS_PER_WEEK;
    let squares: Vec<f64> = compared.iter().filter(apart).map(|other| other.size * other.size).collect();
    let mean = squares.iter().sum::<f64>() / squares.len().max(1) as f64;
    if squares.len() < LEAST_ELSEWHERE { one.variance } else { one.variance.max(mean) }
}

fn level(scope: Scope<'_>, before: Day) -> Option<Level> {
    let none = Level { before, a: 0.0, b: 0.0, aa: 0.0, ab: 0.0, bb: 0.0 };
    let sum = scope.ranks.iter().fold(none, |sum, &rank| {
        let run = scope.history.run(rank as usize).until(scope.as_of);
        if regular(&run, before).is_none() {
            return sum;
        }
        let a = count(run.days, before, SPANS_WEEKS[0]).len() as f64;
        let b = count(run.days, fixed_on(before), WEEKS_FIXED_BEFORE).len() as f64;
        Level {
            a: sum.a + a,
            b: sum.b + b,
            aa: sum.aa + a * a,
            ab: sum.ab + a * b,
            bb: sum.bb + b * b,
            ..sum
        }
    });
    (sum.b > 0.0).then_some(sum)
}

/// All purchases in each week up to the day.
fn weekly(scope: Scope<'_>) -> Vec<f64> {
    let Scope { history, as_of, .. } = scope;
    let weeks = ((as_of.days_since(history.observed_from()) + 1) / DAYS_PER_WEEK).max(0);
    let start = as_of.plus_days(-weeks * DAYS_PER_WEEK).days_since_epoch();
    let empty = || vec![0_u64; weeks as usize];
    let counts = (0..history.customers()).into_par_iter().fold(empty, |mut counts, rank| {
        for day in history.run(rank).until(as_of).days.iter().filter(|&&day| day > start) {
            counts[((day - start - 1) / DAYS_PER_WEEK) as usize] += 1;
        }
        counts
    });
    let add = |mut a: Vec<u64>, b: Vec<u64>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    counts.reduce(empty, add).into_iter().map(|count| count as f64).collect()
}

/// The variance of a week's logarithm that neither level nor slope explains, nor that purchases are counted.
///
/// Good and bad times do not begin on the weekday that weeks do here, and may last for some: of the sums of so many
/// weeks, those count that vary the most for their length.
fn shocks(weekly: &[f64], together: RangeInclusive<usize>) -> f64 {
    let of = |weeks: usize| {
        let sums: Vec<f64> = weekly.rchunks_exact(weeks).map(|own| own.iter().sum::<f64>() + 0.5).collect();
        let bends = sums.windows(3).map(|three| (three[0].ln() - 2.0 * three[1].ln() + three[2].ln()).abs());
        let middle = median(bends.collect()).unwrap_or(0.0);
        let counted = median(sums.iter().map(|sum| 1.0 / sum).collect()).unwrap_or(0.0);
        weeks as f64 * ((DEVIATIONS * middle).powi(2) / SECOND_DIFFERENCE - counted)
    };
    together.map(of).fold(0.0, f64::max)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
