//! Who is a regular before each week, where do they belong, and do they buy less from it on?

use rayon::prelude::*;

use crate::day::Day;
use crate::history::{History, NO_SEGMENT, Run};

pub(crate) const DAYS_PER_WEEK: i32 = 7;
/// Regulars are known by their purchases in so many weeks before the day they are fixed on.
const WEEKS_KNOWN: i32 = 26;
/// A regular has at least so many purchases in them.
const LEAST_PURCHASES: usize = 3;
/// Regulars are fixed so many weeks before a candidate week.
pub(crate) const WEEKS_FIXED_BEFORE: i32 = 8;
/// A fall is looked for over so many weeks from the candidate week on; it has to last the first of them.
pub(crate) const SPANS_WEEKS: [i32; 3] = [6, 12, 24];
/// A statistic per span for purchases anywhere, and one for those at the value.
pub(crate) const STATISTICS: usize = 2 * SPANS_WEEKS.len();
/// At most so many of the latest candidate weeks are looked at.
const MOST_CANDIDATES: i32 = 104;
/// Where classes of purchases begin within which the season is shared, and customers may change places.
const CLASSES: [usize; 5] = [5, 8, 13, 22, 40];
pub(crate) const CLASS_COUNT: usize = CLASSES.len() + 1;

pub(crate) fn class(purchases: usize) -> usize {
    CLASSES.iter().filter(|&&start| purchases >= start).count()
}

/// What one regular bought from a candidate week on, less what to expect, and the variance of that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Position among the [eligible](Weeks::ranks).
    pub(crate) customer: u32,
    pub(crate) residual: [f64; STATISTICS],
    pub(crate) variance: [f64; STATISTICS],
}

/// One candidate week.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The last day before the week.
    pub(crate) before: Day,
    /// Home value of each eligible customer when regulars were fixed.
    pub(crate) homes: Vec<u32>,
    pub(crate) shares: Vec<Share>,
}

/// All candidate weeks of one segment column.
#[derive(Clone, Debug)]
pub(crate) struct Weeks {
    /// Who is a regular before any of them.
    pub(crate) ranks: Vec<u32>,
    pub(crate) candidates: Vec<Candidate>,
}

/// The last days before each candidate week, ascending.
pub(crate) fn candidates(history: &History, as_of: Day) -> Vec<Day> {
    let weeks = (as_of.days_since(history.observed_from()) + 1) / DAYS_PER_WEEK;
    let origin = as_of.plus_days(-weeks * DAYS_PER_WEEK);
    let (first, last) = (WEEKS_KNOWN + WEEKS_FIXED_BEFORE, weeks - SPANS_WEEKS[0]);
    (first.max(last - MOST_CANDIDATES + 1)..=last)
        .map(|week| origin.plus_days(week * DAYS_PER_WEEK))
        .collect()
}

/// Purchases in (after, after + weeks].
pub(crate) fn count(days: &[i32], after: Day, weeks: i32) -> std::ops::Range<usize> {
    let (start, end) = (after.days_since_epoch(), after.plus_days(weeks * DAYS_PER_WEEK).days_since_epoch());
    days.partition_point(|&day| day <= start)..days.partition_point(|&day| day <= end)
}

pub(crate) fn fixed_on(before: Day) -> Day {
    before.plus_days(-WEEKS_FIXED_BEFORE * DAYS_PER_WEEK)
}

fn known(run: &Run<'_>, before: Day) -> std::ops::Range<usize> {
    count(run.days, fixed_on(before).plus_days(-WEEKS_KNOWN * DAYS_PER_WEEK), WEEKS_KNOWN)
}

/// Customers who are regulars before any of these weeks.
pub(crate) fn eligible(history: &History, candidates: &[Day]) -> Vec<u32> {
    let regular = |rank: &u32| {
        let run = history.run(*rank as usize);
        candidates.iter().any(|&before| known(&run, before).len() >= LEAST_PURCHASES)
    };
    (0..history.customers() as u32).into_par_iter().filter(regular).collect()
}

pub(crate) fn of_column(
    history: &History,
    as_of: Day,
    candidates: &[Day],
    ranks: &[u32],
    column: usize,
) -> Weeks {
    let runs: Vec<Run<'_>> = ranks.par_iter().map(|&rank| history.run(rank as usize).until(as_of)).collect();
    let candidates = candidates.par_iter().map(|&before| candidate(&runs, as_of, before, column)).collect();
    Weeks { ranks: ranks.to_vec(), candidates }
}

fn candidate(runs: &[Run<'_>], as_of: Day, before: Day, column: usize) -> Candidate {
    let spans: Vec<i32> =
        SPANS_WEEKS.iter().map(|&span| span.min(as_of.days_since(before) / DAYS_PER_WEEK)).collect();
    let mut homes = Vec::with_capacity(runs.len());
    let mut shares = Vec::new();
    // Class, bought before (anywhere, at home) and bought from the week on, of each share.
    let mut facts: Vec<(usize, [f64; 2], [f64; STATISTICS])> = Vec::new();
    for (customer, run) in runs.iter().enumerate() {
        let known = known(run, before);
        homes.push(home(run, column, known.clone()));
        if known.len() < LEAST_PURCHASES {
            continue;
        }
        let codes = run.segment(column);
        let own = |purchases: std::ops::Range<usize>| {
            let at_home = codes[purchases].iter().filter(|&&code| code == homes[customer]).count();
            if homes[customer] == NO_SEGMENT { 0.0 } else { at_home as f64 }
        };
        let lately = count(run.days, fixed_on(before), WEEKS_FIXED_BEFORE);
        let bought = [(known.len() + lately.len()) as f64, own(lately)];
        let mut later = [0.0; STATISTICS];
        for (place, &span) in spans.iter().enumerate() {
            let purchases = count(run.days, before, span);
            later[place] = purchases.len() as f64;
            later[SPANS_WEEKS.len() + place] = own(purchases);
        }
        facts.push((class(known.len()), bought, later));
        shares.push(Share {
            customer: customer as u32,
            residual: [0.0; STATISTICS],
            variance: [0.0; STATISTICS],
        });
    }
    for statistic in 0..STATISTICS {
        let basis = statistic / SPANS_WEEKS.len();
        let mut sums = [(0.0, 0.0); CLASS_COUNT];
        for (class, bought, later) in &facts {
            sums[*class].0 += later[statistic];
            sums[*class].1 += bought[basis];
        }
        let mut squares = [(0.0, 0.0_f64); CLASS_COUNT];
        for (share, (class, bought, later)) in shares.iter_mut().zip(&facts) {
            let factor = if sums[*class].1 > 0.0 { sums[*class].0 / sums[*class].1 } else { 0.0 };
            let residual = later[statistic] - factor * bought[basis];
            share.residual[statistic] = residual;
            squares[*class].0 += residual * residual;
            squares[*class].1 += 1.0;
        }
        for (share, (class, ..)) in shares.iter_mut().zip(&facts) {
            share.variance[statistic] = squares[*class].0 / squares[*class].1;
        }
    }
    Candidate { before, homes, shares }
}

/// The value of most of these purchases, where one has more than half of them. Without any in the window, the
/// value of the last one before it, else of the first one after it: a place to be moved to when customers
/// change places.
fn home(run: &Run<'_>, column: usize, known: std::ops::Range<usize>) -> u32 {
    let codes = run.segment(column);
    if known.is_empty() {
        let near = if known.start > 0 { codes.get(known.start - 1) } else { codes.first() };
        return near.copied().unwrap_or(NO_SEGMENT);
    }
    // Boyer and Moore: the only one that can have more than half.
    let codes = &codes[known];
    let (mut candidate, mut lead) = (NO_SEGMENT, 0);
    for &code in codes {
        if lead == 0 {
            candidate = code;
        }
        lead = if code == candidate { lead + 1 } else { lead - 1 };
    }
    let votes = codes.iter().filter(|&&code| code == candidate).count();
    if 2 * votes > codes.len() { candidate } else { NO_SEGMENT }
}
