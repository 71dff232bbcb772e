//! What was a customer's sweet spot, and what changed before the silence?

use std::fmt;
use std::sync::Arc;

use polars::prelude::{Column, DataFrame};
use rayon::prelude::*;
use serde::{Serialize, Serializer};
use statrs::function::gamma::checked_gamma_lr;

use super::lapse::{Lapse, Lapses, lapses_of};
use crate::day::{Day, Window};
use crate::error::Result;
use crate::history::{CustomerIds, History, NO_SEGMENT, Run};
use crate::table;

/// The last purchases that are compared with those before.
const LAST: usize = 3;
/// Purchases from which on something can have changed: as many before the last ones.
pub(super) const LEAST_PURCHASES: usize = 2 * LAST;
/// Intervals so much longer, or baskets so much smaller, are a change.
const LONGER: f64 = 2.0;
const SMALLER: f64 = 0.5;
/// A segment value, weekday or season must hold so much to be a habit.
const HABIT: f64 = 0.6;
/// The upper decile.
const UPPER: f64 = 0.9;
/// Halvings on the way to a quantile.
const HALVINGS: usize = 60;

/// What changed in a customer's last three purchases against those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Change {
    /// The intervals before them had a median at least twice that of those before; without the silence before a
    /// return.
    Fewer,
    /// Their median basket was at most half of that before.
    Smaller,
    /// The last one was at another segment value than at least 60 % of those before.
    AnotherSegment,
    /// The first refund of all, on or after the last three purchases.
    FirstRefund,
    /// At least 60 % before had a discount, and none of the last three.
    DiscountGone,
}

impl Change {
    /// All five.
    pub const ALL: [Change; 5] =
        [Change::Fewer, Change::Smaller, Change::AnotherSegment, Change::FirstRefund, Change::DiscountGone];

    /// In words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Change::Fewer => "bought more rarely at the end",
            Change::Smaller => "bought less each time at the end",
            Change::AnotherSegment => "bought elsewhere the last time",
            Change::FirstRefund => "sent something back for the first time at the end",
            Change::DiscountGone => "had got discounts, and none at the end",
        }
    }
}

/// The value of a segment column that a customer bought at most.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Favourite {
    /// The column.
    pub column: String,
    /// The value.
    pub value: String,
    /// Its share of the customer's purchases.
    pub share: f64,
}

/// A customer's habits, over all purchases up to the day; intervals are those within lives, as the silence that
/// ended one is no part of a rhythm. NaN is unknown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CustomerProfile {
    #[serde(skip)]
    rank: u32,
    /// Whether the customer is lost.
    pub is_lost: bool,
    /// Purchases.
    pub n_purchases: usize,
    /// Days between purchases, while the customer was there: (α+t)/(r+x), x intervals within lives of t days
    /// together.
    pub usual_interval_days: f64,
    /// Ends of its 90 % interval, from the customer's rate of purchases, Gamma(r+x, α+t).
    pub interval_low_days: f64,
    /// Upper end.
    pub interval_high_days: f64,
    /// The median basket.
    pub basket_amount: f64,
    /// Nine in ten baskets are no larger.
    pub basket_upper_amount: f64,
    /// One per segment column where there is a value.
    pub favourites: Vec<Favourite>,
    /// The day of the week with at least 60 % of at least 6 purchases, 1 (Monday) to 7.
    pub weekday: Option<u8>,
    /// The quarter of the year with at least 60 % of at least 6 purchases that span a year or more, 1 to 4.
    pub season: Option<u8>,
    /// Discounts over amounts before discounts; NaN without discounts in the log.
    pub discount_fraction: f64,
    /// Refunds over amounts before refunds.
    pub refund_fraction: f64,
    /// What changed in the last three purchases; empty with fewer than six.
    pub changes: Vec<Change>,
}

/// The habits of every customer who had bought by a day.
#[derive(Clone, Debug)]
pub struct Profiles {
    as_of: Day,
    ids: Arc<CustomerIds>,
    profiles: Vec<CustomerProfile>,
}

/// Tells every customer's habits.
#[must_use]
pub fn profiles(history: &History, lapses: &Lapses) -> Profiles {
    let profile = |(&rank, is_lost): (&u32, bool)| {
        let run = history.run(rank as usize).until(lapses.as_of);
        CustomerProfile { rank, is_lost, ..of_run(history, lapses, rank, &run) }
    };
    let lost: Vec<bool> = lapses.lives.iter().map(|life| life.lapsed_on.is_some()).collect();
    let profiles = lapses.ranks.par_iter().zip(lost).map(profile).collect();
    Profiles { as_of: lapses.as_of, ids: Arc::clone(&lapses.ids), profiles }
}

fn of_run(history: &History, lapses: &Lapses, rank: u32, run: &Run) -> CustomerProfile {
    let n = run.days.len();
    let model = lapses.rhythm.model();
    let span = run.days.last().zip(run.days.first()).map_or(0, |(last, first)| last - first);
    let (intervals, within) = lapses.within_lives(rank, run.days);
    let (shape, rate) = (model.r() + intervals as f64, model.alpha() + f64::from(within));
    let gross: f64 = run.net.iter().sum::<f64>() + run.refunded.of(0..n).iter().sum::<f64>();
    let refunds = run.refunded.of(0..n).iter().chain(run.refund_amounts).sum::<f64>();
    let discounts: f64 = run.discount.iter().sum();
    let columns = history.reading().columns().segments();
    let favourites = columns.iter().enumerate().filter_map(|(at, column)| {
        let codes: Vec<u32> = run.segment(at).iter().copied().filter(|&code| code != NO_SEGMENT).collect();
        let (code, share) = most_frequent(&codes)?;
        let value = history.segment_values(column)?.get(code as usize)?.clone();
        Some(Favourite { column: column.clone(), value, share })
    });
    let habit = |of: fn(i32) -> u32| {
        let codes: Vec<u32> = run.days.iter().map(|&day| of(day)).collect();
        most_frequent(&codes).filter(|(_, share)| *share >= HABIT && n >= LEAST_PURCHASES)
    };
    CustomerProfile {
        rank: 0,
        is_lost: false,
        n_purchases: n,
        usual_interval_days: rate / shape,
        interval_low_days: rate / gamma_quantile(shape, 0.95),
        interval_high_days: rate / gamma_quantile(shape, 0.05),
        basket_amount: quantile(run.net, 0.5),
        basket_upper_amount: quantile(run.net, UPPER),
        favourites: favourites.collect(),
        weekday: habit(weekday).map(|(day, _)| day as u8),
        season: habit(season).filter(|_| span >= 365).map(|(quarter, _)| quarter as u8),
        discount_fraction: if run.discount.is_empty() { f64::NAN } else { discounts / (gross + discounts) },
        refund_fraction: if run.net.is_empty() || gross <= 0.0 { f64::NAN } else { refunds / gross },
        changes: changes(run, lapses_of(&lapses.lapses, rank), columns.len()),
    }
}

/// What changed; the same is asked of who stayed, at their own last purchases.
fn changes(run: &Run, lapses: &[Lapse], columns: usize) -> Vec<Change> {
    let n = run.days.len();
    if n < LEAST_PURCHASES {
        return Vec::new();
    }
    let early = n - LAST;
    // The silence before a return is no interval of a rhythm.
    let is_return = |day: i32| {
        lapses.iter().any(|lapse| lapse.returned_on.is_some_and(|on| on.days_since_epoch() == day))
    };
    let intervals = |pairs: &mut dyn Iterator<Item = &[i32]>| -> Vec<f64> {
        pairs.filter(|pair| !is_return(pair[1])).map(|pair| f64::from(pair[1] - pair[0])).collect()
    };
    let before = intervals(&mut run.days[..early].windows(2));
    let (usual, latest) =
        (quantile(&before, 0.5), quantile(&intervals(&mut run.days[early - 1..].windows(2)), 0.5));
    let has_fewer = latest >= LONGER * usual;
    let has_smaller = !run.net.is_empty() && {
        let before = quantile(&run.net[..early], 0.5);
        before > 0.0 && quantile(&run.net[early..], 0.5) <= SMALLER * before
    };
    let has_moved = (0..columns).any(|column| {
        let codes = run.segment(column);
        let home = most_frequent(&codes[..early]).filter(|(_, share)| *share >= HABIT);
        home.is_some_and(|(home, _)| home != NO_SEGMENT && codes[n - 1] != NO_SEGMENT && codes[n - 1] != home)
    });
    let begins = run.days[early];
    let refunds =
        |purchases: std::ops::Range<usize>| run.refunded.of(purchases).iter().any(|&amount| amount > 0.0);
    let is_first_refund = !refunds(0..early)
        && run.refund_days.first().is_none_or(|&day| day >= begins)
        && (refunds(early..n) || !run.refund_days.is_empty());
    let discounted = |purchases: &[f64]| purchases.iter().filter(|discount| **discount > 0.0).count();
    let is_discount_gone = !run.discount.is_empty()
        && discounted(&run.discount[..early]) as f64 >= HABIT * early as f64
        && discounted(&run.discount[early..]) == 0;
    let found = [has_fewer, has_smaller, has_moved, is_first_refund, is_discount_gone];
    Change::ALL.into_iter().zip(found).filter(|(_, found)| *found).map(|(change, _)| change).collect()
}

/// The most frequent code, ties to the latest, and its share.
fn most_frequent(codes: &[u32]) -> Option<(u32, f64)> {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    let latest = |code: u32| codes.iter().rposition(|&other| other == code);
    let groups = sorted.chunk_by(|one, other| one == other).map(|group| (group.len(), group[0]));
    let (count, code) = groups.max_by_key(|&(count, code)| (count, latest(code)))?;
    Some((code, count as f64 / codes.len() as f64))
}

/// Linear between order statistics; NaN of nothing.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = share * sorted.len().saturating_sub(1) as f64;
    let below = place.floor() as usize;
    match (sorted.get(below), sorted.get(below + 1)) {
        (Some(low), Some(high)) => low + (place - below as f64) * (high - low),
        (Some(only), None) => *only,
        _ => f64::NAN,
    }
}

/// x with P(Gamma(shape, 1) ≤ x) = share.
fn gamma_quantile(shape: f64, share: f64) -> f64 {
    // On a log scale, as small shapes have tiny quantiles.
    let (mut low, mut high) = (-700.0_f64, (shape + 20.0 * shape.sqrt() + 50.0).ln());
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        let below = checked_gamma_lr(shape, middle.exp()).unwrap_or(0.0);
        if below < share { low = middle } else { high = middle }
    }
    (0.5 * (low + high)).exp()
}

/// 1 (Monday) to 7; 1970-01-01 was a Thursday.
fn weekday(day: i32) -> u32 {
    (day + 3).rem_euclid(7) as u32 + 1
}

/// The quarter of the year.
fn season(day: i32) -> u32 {
    let text = Day::from_days_since_epoch(day).to_string();
    let month: u32 = text.get(5..7).and_then(|month| month.parse().ok()).unwrap_or(1);
    (month - 1) / 3 + 1
}

impl Profiles {
    /// Each customer's, in order of customer.
    #[must_use]
    pub fn profiles(&self) -> &[CustomerProfile] {
        &self.profiles
    }

    /// The day.
    #[must_use]
    pub fn as_of(&self) -> Day {
        self.as_of
    }

    /// `customer_id, is_lost, n_purchases, usual_interval_days, interval_low_days, interval_high_days,
    /// basket_amount, basket_upper_amount, favourites, weekday, season, discount_fraction, refund_fraction,
    /// changes`.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let all = &self.profiles;
        let floats =
            |name: &str, of: fn(&CustomerProfile) -> f64| table::nullable_floats(name, all.iter().map(of));
        let texts = |name: &str, of: fn(&CustomerProfile) -> String| {
            Column::new(name.into(), all.iter().map(of).collect::<Vec<String>>())
        };
        let small = |of: fn(&CustomerProfile) -> Option<u8>| -> Vec<Option<i32>> {
            all.iter().map(|profile| of(profile).map(i32::from)).collect()
        };
        let ranks: Vec<u32> = all.iter().map(|profile| profile.rank).collect();
        table::frame(vec![
            self.ids.column("customer_id", &ranks)?,
            Column::new("is_lost".into(), all.iter().map(|profile| profile.is_lost).collect::<Vec<bool>>()),
            Column::new(
                "n_purchases".into(),
                all.iter().map(|profile| profile.n_purchases as u64).collect::<Vec<u64>>(),
            ),
            floats("usual_interval_days", |profile| profile.usual_interval_days),
            floats("interval_low_days", |profile| profile.interval_low_days),
            floats("interval_high_days", |profile| profile.interval_high_days),
            floats("basket_amount", |profile| profile.basket_amount),
            floats("basket_upper_amount", |profile| profile.basket_upper_amount),
            texts("favourites", |profile| {
                let words = |favourite: &Favourite| format!("{}: {}", favourite.column, favourite.value);
                profile.favourites.iter().map(words).collect::<Vec<_>>().join("; ")
            }),
            Column::new("weekday".into(), small(|profile| profile.weekday)),
            Column::new("season".into(), small(|profile| profile.season)),
            floats("discount_fraction", |profile| profile.discount_fraction),
            floats("refund_fraction", |profile| profile.refund_fraction),
            texts("changes", |profile| {
                profile.changes.iter().map(|change| change.describe()).collect::<Vec<_>>().join("; ")
            }),
        ])
    }
}

/// One entry per customer, with the id; what is not known is null.
impl Serialize for Profiles {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            customer_id: std::borrow::Cow<'a, str>,
            #[serde(flatten)]
            profile: &'a CustomerProfile,
        }
        serializer.collect_seq(
            self.profiles
                .iter()
                .map(|profile| Row { customer_id: self.ids.text(profile.rank as usize), profile }),
        )
    }
}

impl fmt::Display for CustomerProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.n_purchases {
            1 => write!(f, "one purchase")?,
            n => write!(
                f,
                "{n} purchases, usually every {:.0} days ({:.0} to {:.0})",
                self.usual_interval_days, self.interval_low_days, self.interval_high_days
            )?,
        }
        if !self.basket_amount.is_nan() {
            write!(f, ", for {:.2} (nine in ten up to {:.2})", self.basket_amount, self.basket_upper_amount)?;
        }
        for Favourite { column, value, share } in &self.favourites {
            write!(f, ", {column} {value} ({:.0} %)", 100.0 * share)?;
        }
        for change in &self.changes {
            write!(f, "; {}", change.describe())?;
        }
        Ok(())
    }
}

/// Customers who had bought in a window before a day.
pub(super) fn bought_within(run: &Run, until: Day, days: i32) -> bool {
    !Window::back_from(until, days).range_in(run.days).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.5), 1.5);
        assert!(quantile(&[], 0.5).is_nan());
        // scipy 1.17.1, gamma.ppf.
        for (shape, share, expected) in
            [(0.5, 0.05, 0.001966070010), (3.0, 0.95, 6.295793622), (40.0, 0.05, 30.195_78)]
        {
            let found = gamma_quantile(shape, share);
            assert!((found / expected - 1.0).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    #[test]
    fn days_of_the_calendar() {
        let day = |text: &str| text.parse::<Day>().unwrap().days_since_epoch();
        assert_eq!(weekday(day("2011-12-09")), 5);
        assert_eq!(weekday(day("1969-12-29")), 1);
        assert_eq!((season(day("2011-03-31")), season(day("2011-12-09"))), (1, 4));
    }

    #[test]
    fn ties_go_to_the_latest() {
        assert_eq!(most_frequent(&[1, 2, 1, 2]), Some((2, 0.5)));
        assert_eq!(most_frequent(&[2, 2, 1]), Some((2, 2.0 / 3.0)));
        assert_eq!(most_frequent(&[]), None);
    }
}
