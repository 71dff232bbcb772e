//! Did the whole business fall, or is it the season?

use serde::Serialize;

use super::weeks::Weeks;
use crate::day::Day;
use crate::history::History;
use crate::rates::normal_upper_tail;

const WEEKS_PER_YEAR: i32 = 52;
/// Less than this is not worth speaking of.
const LEAST_SIZE: f64 = 0.25;
/// It is told where chance shows as much in at most this share of logs, all weeks together.
const LEVEL: f64 = 0.005;

/// Whether a fall of the whole business is more than the season's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum BusinessVerdict {
    /// The same weeks of the year before did not fall like this.
    Dropped,
    /// The log has no year before these weeks to compare with: cannot be told from season.
    CannotBeToldFromSeason,
}

/// A fall of all regulars together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BusinessDrop {
    /// The last day before the week it begins in, to a week.
    pub date: Day,
    /// The part of purchases that is gone, beside the same weeks of the year before where there are such.
    pub size: f64,
    /// How likely chance alone shows as much in any week; none where there is nothing to compare with.
    pub p: Option<f64>,
    /// Whether it is more than the season's.
    pub verdict: BusinessVerdict,
}

struct Level {
    before: Day,
    /// Bought in the six weeks over what was bought before, and the variance of its logarithm.
    ratio: f64,
    variance: f64,
}

pub(crate) fn of_business(history: &History, as_of: Day, weeks: &Weeks) -> Option<BusinessDrop> {
    let levels: Vec<Level> =
        weeks.candidates.iter().filter_map(|one| level(history, as_of, weeks, one)).collect();
    let earlier = |level: &Level| {
        let day = level.before.plus_days(-WEEKS_PER_YEAR * super::weeks::DAYS_PER_WEEK);
        levels.iter().find(|other| other.before == day)
    };
    let compared: Vec<(&Level, &Level)> =
        levels.iter().filter_map(|level| Some((level, earlier(level)?))).collect();
    let z = |(now, then): (&Level, &Level)| {
        -(now.ratio / then.ratio).ln() / (now.variance + then.variance).sqrt()
    };
    let worst = compared.iter().copied().max_by(|&a, &b| z(a).total_cmp(&z(b)));
    if let Some((now, then)) = worst {
        let p = (normal_upper_tail(z((now, then))) * compared.len() as f64).min(1.0);
        let size = 1.0 - now.ratio / then.ratio;
        if p <= LEVEL && size >= LEAST_SIZE {
            let verdict = BusinessVerdict::Dropped;
            return Some(BusinessDrop { date: now.before, size, p: Some(p), verdict });
        }
    }
    let mut ratios: Vec<f64> = levels.iter().map(|level| level.ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let usual = *ratios.get(ratios.len() / 2)?;
    let alone = levels.iter().filter(|level| earlier(level).is_none());
    let least = alone.min_by(|a, b| a.ratio.total_cmp(&b.ratio))?;
    let size = 1.0 - least.ratio / usual;
    let verdict = BusinessVerdict::CannotBeToldFromSeason;
    (size >= LEAST_SIZE).then_some(BusinessDrop { date: least.before, size, p: None, verdict })
}

fn level(history: &History, as_of: Day, weeks: &Weeks, candidate: &super::weeks::Candidate) -> Option<Level> {
    let before = candidate.before;
    let pairs = candidate.shares.iter().map(|share| {
        let run = history.run(weeks.ranks[share.customer as usize] as usize).until(as_of);
        let earlier =
            super::weeks::count(run.days, super::weeks::fixed_on(before), super::weeks::WEEKS_FIXED_BEFORE);
        let later = super::weeks::count(run.days, before, super::weeks::SPANS_WEEKS[0]);
        (later.len() as f64, earlier.len() as f64)
    });
    let pairs: Vec<(f64, f64)> = pairs.collect();
    let (later, earlier) = pairs.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
    if later <= 0.0 || earlier <= 0.0 {
        return None;
    }
    let ratio = later / earlier;
    let variance = pairs.iter().map(|(a, b)| (a - ratio * b).powi(2)).sum::<f64>() / (later * later);
    Some(Level { before, ratio, variance })
}
