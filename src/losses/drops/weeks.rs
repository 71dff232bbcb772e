//! Who is a regular before a week, where do they belong, and do they buy less from it on?

use std::ops::Range;

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
/// A value needs so many regulars, and so many others beside it.
const LEAST_REGULARS: usize = 20;
/// The place of a value with too few.
pub(crate) const TOO_FEW: u32 = u32::MAX;

/// One regular who belongs to a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// Position among the [eligible].
    pub(crate) customer: u32,
    /// Place of the home value among the [tested](Candidate::codes), or [`TOO_FEW`].
    pub(crate) home: u32,
    /// Class of activity when regulars were fixed.
    pub(crate) class: u8,
    /// What was bought from the candidate week on, less what to expect.
    pub(crate) residual: [f64; STATISTICS],
}

/// One candidate week of one segment column.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The values with regulars enough, ascending.
    pub(crate) codes: Vec<u32>,
    /// For each of them, the standard deviation of the sum of its regulars' residuals when homes are drawn
    /// among all members of the class; 0 where nothing varies.
    pub(crate) deviations: Vec<[f64; STATISTICS]>,
    /// In order of customer. Who belongs nowhere is not among them: they have no value to fall at, and
    /// whether somebody belongs anywhere depends on how much they buy.
    pub(crate) members: Vec<Member>,
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
pub(crate) fn count(days: &[i32], after: Day, weeks: i32) -> Range<usize> {
    let (start, end) = (after.days_since_epoch(), after.plus_days(weeks * DAYS_PER_WEEK).days_since_epoch());
    days.partition_point(|&day| day <= start)..days.partition_point(|&day| day <= end)
}

pub(crate) fn fixed_on(before: Day) -> Day {
    before.plus_days(-WEEKS_FIXED_BEFORE * DAYS_PER_WEEK)
}

/// The purchases that make this customer a regular before that week, if they are one.
pub(crate) fn regular(run: &Run<'_>, before: Day) -> Option<Range<usize>> {
    let known = count(run.days, fixed_on(before).plus_days(-WEEKS_KNOWN * DAYS_PER_WEEK), WEEKS_KNOWN);
    (known.len() >= LEAST_PURCHASES).then_some(known)
}

/// Customers who are regulars before any of these weeks.
pub(crate) fn eligible(history: &History, candidates: &[Day]) -> Vec<u32> {
    let regular = |rank: &u32| {
        let run = history.run(*rank as usize);
        candidates.iter().any(|&before| regular(&run, before).is_some())
    };
    (0..history.customers() as u32).into_par_iter().filter(regular).collect()
}

/// The value of more than half of these purchases, or [`NO_SEGMENT`].
pub(crate) fn home(codes: &[u32]) -> u32 {
    // Boyer and Moore: the only one that can have more than half.
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

fn class(purchases: usize) -> usize {
    CLASSES.iter().filter(|&&start| purchases >= start).count()
}

/// Sums over a class, to fit what to expect with.
#[derive(Clone, Copy, Default)]
struct Fit {
    members: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
}

impl Fit {
    fn add(&mut self, x: f64, y: f64) {
        self.members += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
    }

    /// The straight line through a class: who bought the most before goes back towards the others.
    fn line(&self, x: f64) -> f64 {
        let (mean_x, mean_y) = (self.x / self.members, self.y / self.members);
        let spread = self.xx - self.x * mean_x;
        let slope = if spread > 0.0 { (self.xy - self.x * mean_y) / spread } else { 0.0 };
        mean_y + slope * (x - mean_x)
    }

    /// The rate of a class. A line would expect too much at values where few purchases are made.
    fn rate(&self, x: f64) -> f64 {
        if self.x > 0.0 { self.y / self.x * x } else { self.y / self.members }
    }
}

impl Candidate {
    /// The week after `before`, of one segment column, by what was known at the end of `as_of`.
    pub(crate) fn new(history: &History, as_of: Day, before: Day, ranks: &[u32], column: usize) -> Self {
        let known: Vec<(Member, [u16; 2])> = ranks
            .par_iter()
            .enumerate()
            .filter_map(|(customer, &rank)| {
                member(&history.run(rank as usize).until(as_of), as_of, before, customer as u32, column)
            })
            .collect();
        let mut fits = [[Fit::default(); STATISTICS]; CLASS_COUNT];
        for (member, bought) in &known {
            for (statistic, fit) in fits[member.class as usize].iter_mut().enumerate() {
                fit.add(f64::from(bought[statistic / SPANS_WEEKS.len()]), member.residual[statistic]);
            }
        }
        let mut squares = [[0.0; STATISTICS]; CLASS_COUNT];
        let less_expected = |(mut member, bought): (Member, [u16; 2])| {
            let class = member.class as usize;
            for (statistic, residual) in member.residual.iter_mut().enumerate() {
                let x = f64::from(bought[statistic / SPANS_WEEKS.len()]);
                let fit = &fits[class][statistic];
                *residual -= if statistic < SPANS_WEEKS.len() { fit.line(x) } else { fit.rate(x) };
                squares[class][statistic] += *residual * *residual;
            }
            member
        };
        let mut members: Vec<Member> = known.into_iter().map(less_expected).collect();
        let codes = large(&members);
        for member in &mut members {
            member.home = codes.binary_search(&member.home).map_or(TOO_FEW, |place| place as u32);
        }
        let sizes = fits.map(|own| own[0].members);
        let deviations = deviations(&members, codes.len(), &sizes, &squares);
        Candidate { codes, deviations, members }
    }
}

/// What a regular bought, with the purchases anywhere and at home that expectations go by; `None` for who is no
/// regular or belongs nowhere. The home is a code still, the residuals what was bought.
fn member(
    run: &Run<'_>,
    as_of: Day,
    before: Day,
    customer: u32,
    column: usize,
) -> Option<(Member, [u16; 2])> {
    let known = regular(run, before)?;
    let codes = run.segment(column);
    let home = home(&codes[known.clone()]);
    if home == NO_SEGMENT {
        return None;
    }
    let own = |purchases: Range<usize>| codes[purchases].iter().filter(|&&code| code == home).count();
    let lately = count(run.days, fixed_on(before), WEEKS_FIXED_BEFORE);
    let bought = [(known.len() + lately.len()) as u16, own(lately) as u16];
    let mut later = [0.0; STATISTICS];
    for (place, &span) in SPANS_WEEKS.iter().enumerate() {
        let purchases = count(run.days, before, span.min(as_of.days_since(before) / DAYS_PER_WEEK));
        later[place] = purchases.len() as f64;
        later[SPANS_WEEKS.len() + place] = own(purchases) as f64;
    }
    Some((Member { customer, home, class: class(known.len()) as u8, residual: later }, bought))
}

/// The values with enough members, and enough others beside them.
fn large(members: &[Member]) -> Vec<u32> {
    let mut homes: Vec<u32> = members.iter().map(|member| member.home).collect();
    homes.sort_unstable();
    let same = homes.chunk_by(|a, b| a == b);
    let enough = |size: usize| size >= LEAST_REGULARS && members.len() - size >= LEAST_REGULARS;
    same.filter(|same| enough(same.len())).map(|same| same[0]).collect()
}

/// Of sums of residuals drawn without replacement from each class.
///
/// # Formula
/// ```text
/// variance = Σ over classes n (1 − n/N) Σ r²/(N − 1), for n of the N members of a class
/// ```
fn deviations(
    members: &[Member],
    values: usize,
    sizes: &[f64; CLASS_COUNT],
    squares: &[[f64; STATISTICS]; CLASS_COUNT],
) -> Vec<[f64; STATISTICS]> {
    let mut counts = vec![[0.0; CLASS_COUNT]; values];
    for member in members {
        if let Some(own) = counts.get_mut(member.home as usize) {
            own[member.class as usize] += 1.0;
        }
    }
    let deviation = |own: &[f64; CLASS_COUNT], statistic: usize| {
        let part = |class: usize| {
            let (n, all) = (own[class], sizes[class]);
            if all > 1.0 { n * (1.0 - n / all) * squares[class][statistic] / (all - 1.0) } else { 0.0 }
        };
        (0..CLASS_COUNT).map(part).sum::<f64>().sqrt()
    };
    counts.iter().map(|own| std::array::from_fn(|statistic| deviation(own, statistic))).collect()
}
