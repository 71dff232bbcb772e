//! What did the lost have in common, against those who stayed?

use std::collections::BTreeMap;
use std::fmt;

use polars::prelude::{Column, DataFrame};
use serde::Serialize;

use super::LEVEL;
use super::lapse::Lapses;
use super::profile::{
    Change, CustomerProfile, Favourite, LEAST_PURCHASES, bought_within, profiles, quantile,
};
use crate::day::Day;
use crate::error::{Error, Result, counted};
use crate::history::History;
use crate::metrics::Interval;
use crate::rates::newcombe;
use crate::table;

/// Values of a segment column are compared from so many customers on.
const LEAST_CUSTOMERS: usize = 20;
/// Traits shown.
const SHOWN: usize = 12;

/// Habits of the lost against those who stayed.
#[derive(Clone, Debug, Serialize)]
pub struct Contrast {
    /// The day on which habits were looked at.
    pub landmark: Day,
    /// Customers compared: not lost on the landmark, and bought within H days before it.
    pub customers: usize,
    /// Those who then bought nothing up to the as-of day.
    pub lost: usize,
    /// Days from the landmark to the as-of day.
    pub days: i32,
    /// One row per trait, the largest differences first.
    pub rows: Vec<ContrastRow>,
}

/// One trait.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContrastRow {
    /// In words.
    pub what: String,
    /// The lost who had it, and of how many.
    pub of_lost: (usize, usize),
    /// The stayers who had it, and of how many.
    pub of_stayed: (usize, usize),
    /// The difference of the shares, lost less stayed; Newcombe's interval at a level such that all rows
    /// hold together with 95 % (Bonferroni).
    pub difference: Interval,
    /// Whether the interval leaves out 0.
    pub stands_out: bool,
}

/// Compares the lost with those who stayed.
///
/// Both are looked at on one day, the landmark, by what was known then: at the end the lost are silent, and
/// everything would differ. It lies H days before the as-of day, or as many as somebody who bought once takes
/// to lapse, if those are more, and at least H days after the log begins. Lost is who bought nothing in these
/// days, whatever their rhythm: who may take longer to lapse must not count as stayed for that.
/// Who was lost already, or had not bought for H days, is left out. It tells what was common, not why they
/// left.
///
/// # References
/// Newcombe (1998), as in [`newcombe`]; van Houwelingen (2007), Scandinavian Journal of Statistics 34:70–85,
/// for landmarks.
///
/// # Errors
/// [`Error::NoCutoffs`] where the log is too short for a landmark; as
/// [`LapseRule::find`](super::LapseRule::find), where nobody had bought by then.
pub fn contrast(history: &History, lapses: &Lapses) -> Result<Contrast> {
    let horizon = lapses.rule.horizon_days();
    // A silence must have room to become a lapse.
    let needed = lapses.rule.first_silence(lapses.rhythm.model()).unwrap_or(horizon).max(horizon);
    let landmark = lapses.as_of.plus_days(-needed);
    if landmark < history.observed_from().plus_days(horizon) {
        return Err(Error::NoCutoffs {
            observed_from: history.observed_from(),
            observed_until: lapses.as_of,
            lead_days: 0,
            horizon_days: needed,
            history_days: horizon,
        });
    }
    let then = lapses.rule.find(history, landmark)?;
    let habits = profiles(history, &then);
    let compared: Vec<(&CustomerProfile, bool)> = habits
        .profiles()
        .iter()
        .zip(&then.ranks)
        .filter(|(profile, rank)| {
            !profile.is_lost && bought_within(&history.run(**rank as usize), landmark, horizon)
        })
        .map(|(profile, rank)| (profile, !bought_within(&history.run(*rank as usize), lapses.as_of, needed)))
        .collect();
    let lost = compared.iter().filter(|(_, lost)| *lost).count();
    let mut traits: Vec<(String, [usize; 4])> = Vec::new();
    let mut add = |what: String, has: &dyn Fn(&CustomerProfile) -> Option<bool>| {
        let mut counts = [0; 4];
        for (profile, lost) in &compared {
            if let Some(has) = has(profile) {
                let of = if *lost { 0 } else { 2 };
                counts[of] += usize::from(has);
                counts[of + 1] += 1;
            }
        }
        if counts[1] > 0 && counts[3] > 0 {
            traits.push((what, counts));
        }
    };
    let median = |of: fn(&CustomerProfile) -> f64| {
        let values: Vec<f64> =
            compared.iter().map(|(profile, _)| of(profile)).filter(|value| !value.is_nan()).collect();
        quantile(&values, 0.5)
    };
    add("had bought once only".to_owned(), &|profile| Some(profile.n_purchases == 1));
    let interval = median(|profile| profile.usual_interval_days);
    add(format!("bought more rarely than every {interval:.0} days"), &|profile| {
        Some(profile.usual_interval_days > interval)
    });
    let basket = median(|profile| profile.basket_amount);
    add(format!("bought for less than {basket:.2} at a time"), &|profile| {
        (!profile.basket_amount.is_nan()).then_some(profile.basket_amount < basket)
    });
    add("had sent something back".to_owned(), &|profile| {
        (!profile.refund_fraction.is_nan()).then_some(profile.refund_fraction > 0.0)
    });
    add("had got a discount".to_owned(), &|profile| {
        (!profile.discount_fraction.is_nan()).then_some(profile.discount_fraction > 0.0)
    });
    add("kept to one day of the week".to_owned(), &|profile| {
        (profile.n_purchases >= LEAST_PURCHASES).then_some(profile.weekday.is_some())
    });
    for change in Change::ALL {
        add(change.describe().to_owned(), &|profile| {
            (profile.n_purchases >= LEAST_PURCHASES).then_some(profile.changes.contains(&change))
        });
    }
    traits.extend(favourites(&compared));
    let level = 1.0 - (1.0 - LEVEL) / traits.len().max(1) as f64;
    let mut rows: Vec<ContrastRow> = traits
        .into_iter()
        .filter_map(|(what, [lost, of_lost, stayed, of_stayed])| {
            let difference = newcombe((lost, of_lost), (stayed, of_stayed), level)?;
            let stands_out = difference.low > 0.0 || difference.high < 0.0;
            let (of_lost, of_stayed) = ((lost, of_lost), (stayed, of_stayed));
            Some(ContrastRow { what, of_lost, of_stayed, difference, stands_out })
        })
        .collect();
    rows.sort_by(|one, other| {
        let size = |row: &ContrastRow| row.difference.estimate.abs();
        other.stands_out.cmp(&one.stands_out).then(size(other).total_cmp(&size(one)))
    });
    Ok(Contrast { landmark, customers: compared.len(), lost, days: needed, rows })
}

/// Which segment values the lost and the stayers bought at most, of those with a value in that column.
fn favourites(compared: &[(&CustomerProfile, bool)]) -> Vec<(String, [usize; 4])> {
    // Each customer counts once per column, so that a column of many values costs no more than one of few.
    let mut columns: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut values: BTreeMap<(&str, &str), [usize; 2]> = BTreeMap::new();
    for (profile, lost) in compared {
        for Favourite { column, value, .. } in &profile.favourites {
            columns.entry(column).or_default()[usize::from(!lost)] += 1;
            values.entry((column, value)).or_default()[usize::from(!lost)] += 1;
        }
    }
    let counts = values.into_iter().filter_map(|((column, value), [lost, stayed])| {
        let [of_lost, of_stayed] = columns.get(column).copied()?;
        let is_told = lost + stayed >= LEAST_CUSTOMERS && of_lost > 0 && of_stayed > 0;
        is_told.then(|| (format!("bought most at {column} {value}"), [lost, of_lost, stayed, of_stayed]))
    });
    counts.collect()
}

impl Contrast {
    /// `what, lost_share, stayed_share, difference, low, high, stands_out`.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let rows = &self.rows;
        let floats =
            |name: &str, of: fn(&ContrastRow) -> f64| table::nullable_floats(name, rows.iter().map(of));
        let share = |(part, of): (usize, usize)| part as f64 / of as f64;
        table::frame(vec![
            Column::new("what".into(), rows.iter().map(|row| row.what.as_str()).collect::<Vec<_>>()),
            table::nullable_floats("lost_share", rows.iter().map(|row| share(row.of_lost))),
            table::nullable_floats("stayed_share", rows.iter().map(|row| share(row.of_stayed))),
            floats("difference", |row| row.difference.estimate),
            floats("low", |row| row.difference.low),
            floats("high", |row| row.difference.high),
            Column::new("stands_out".into(), rows.iter().map(|row| row.stands_out).collect::<Vec<_>>()),
        ])
    }
}

impl fmt::Display for Contrast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contrast { landmark, customers, lost, days, rows } = self;
        write!(
            f,
            "of {} who had bought lately on {landmark}, {lost} bought nothing in the {} after",
            counted(*customers, "customer"),
            counted(*days as usize, "day")
        )?;
        let (out, alike): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.stands_out);
        if out.is_empty() {
            return write!(
                f,
                "; in none of {} traits do they differ from those who stayed beyond chance",
                rows.len()
            );
        }
        write!(
            f,
            "\n  {:<55}{:>8}{:>9}{:>30}",
            "then, they", "lost", "stayed", "difference, all at once 95 %"
        )?;
        for row in out.iter().take(SHOWN) {
            let share =
                |(part, of): (usize, usize)| format!("{:.0} %", 100.0 * part as f64 / of.max(1) as f64);
            let Interval { estimate, low, high, .. } = row.difference;
            let difference =
                format!("{:+.0} ({:+.0} to {:+.0})", 100.0 * estimate, 100.0 * low, 100.0 * high);
            write!(
                f,
                "\n  {:<55}{:>8}{:>9}{difference:>30}",
                row.what,
                share(row.of_lost),
                share(row.of_stayed)
            )?;
        }
        write!(f, "\n  no difference beyond chance in {} other traits", alike.len())
    }
}
