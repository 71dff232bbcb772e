//! When did a series of days begin to fall, at once or little by little, and how surely is that known?

use super::weeks::DAYS_PER_WEEK;

/// So many days a fall may take; none is a step.
const TAKES_DAYS: [usize; 6] = [0, 7, 14, 28, 56, 84];
/// −2 ln(1 − √.95): what the likelihood ratio of a change's day stays below in 95 % of all cases.
const DAY_LIMIT: f64 = 7.352_376_6;
/// A fall that takes time is told from a step where the likelihood ratio is above this (chi-square, 95 %).
const GRADUAL_LIMIT: f64 = 3.841_458_8;
/// So many days at each end of the series cannot be where it begins.
const LEAST_DAYS: usize = 7;
/// Nobody loses more than this part: the logarithm of nothing is not defined.
const MOST: f64 = 1.0 - 1e-6;
/// Halvings of the interval in which the size is looked for: to one part in 10⁵.
const HALVINGS: usize = 24;
const GOLDEN: f64 = 0.618_033_988_749_894_8;

/// A fall of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Descent {
    /// Position of its first day.
    pub(crate) first: usize,
    /// Position of the first day on which all of it is gone.
    pub(crate) fallen: usize,
    /// The positions between which the first day lies (95 %).
    pub(crate) low: usize,
    pub(crate) high: usize,
    /// The part that is gone in the end.
    pub(crate) size: f64,
    /// Whether the first day may as well lie before the series.
    pub(crate) at_edge: bool,
}

/// The likeliest fall of `bought` beside `season`, and all first days that are nearly as likely.
///
/// # Formula
/// ```text
/// bought(day) ~ Poisson(rate · season(day) · (1 − size · gone(day)))
/// gone = 0 before the first day, 1 from `takes` days on, a straight line between
/// interval: first days with 2 (l* − max over takes, size, rate of l) ≤ 7.35 φ
/// ```
/// where φ, at least 1, is Pearson's chi-square per degree of freedom, of weeks: customers come in waves. Which
/// of the lengths the fall takes is a nuisance: a first day stays in as long as any length speaks for it.
///
/// # References
/// Siegmund (1988), International Statistical Review 56:31–48 (confidence sets for a change-point).
pub(crate) fn descent(bought: &[f64], season: &[f64]) -> Descent {
    let days = bought.len();
    if days <= 2 * LEAST_DAYS {
        return Descent { first: 0, fallen: 0, low: 0, high: 0, size: 0.0, at_edge: false };
    }
    let series = Series { bought, season, bought_by: sums(bought), season_by: sums(season) };
    let places = LEAST_DAYS..days - LEAST_DAYS;
    let fits: Vec<[Fitted; TAKES_DAYS.len()]> =
        places.clone().map(|first| TAKES_DAYS.map(|takes| series.fit(first, takes))).collect();
    let likeliest = |length: usize| {
        let best = (0..fits.len()).max_by(|&a, &b| {
            let of = |place: usize| fits[place][length].likelihood;
            of(a).total_cmp(&of(b)).then(b.cmp(&a))
        });
        best.map_or((0, f64::NEG_INFINITY), |place| (place, fits[place][length].likelihood))
    };
    let step = likeliest(0);
    let (mut length, mut best) = (0, step);
    for other in 1..TAKES_DAYS.len() {
        let found = likeliest(other);
        if found.1 > best.1 {
            (length, best) = (other, found);
        }
    }
    let most = best.1;
    let spread = series.spread(places.start + best.0, TAKES_DAYS[length], fits[best.0][length].size);
    if 2.0 * (most - step.1) <= GRADUAL_LIMIT * spread {
        (length, best) = (0, step);
    }
    let likely = |place: usize| {
        let own = fits[place].iter().map(|fit| fit.likelihood).fold(f64::NEG_INFINITY, f64::max);
        2.0 * (most - own) <= DAY_LIMIT * spread
    };
    let low = (0..fits.len()).find(|&place| likely(place)).unwrap_or(best.0);
    let high = (0..fits.len()).rev().find(|&place| likely(place)).unwrap_or(best.0);
    let first = places.start + best.0;
    Descent {
        first,
        fallen: (first + TAKES_DAYS[length]).min(days - 1),
        low: places.start + low.min(best.0),
        high: places.start + high.max(best.0),
        size: fits[best.0][length].size,
        at_edge: low == 0,
    }
}

struct Series<'a> {
    bought: &'a [f64],
    season: &'a [f64],
    /// Sums of the days before each position.
    bought_by: Vec<f64>,
    season_by: Vec<f64>,
}

#[derive(Clone, Copy)]
struct Fitted {
    likelihood: f64,
    size: f64,
}

impl Series<'_> {
    /// The likelihood at the size that makes it greatest; it has one top, as the logarithm of a rate is concave.
    fn fit(&self, first: usize, takes: usize) -> Fitted {
        let days = self.bought.len();
        if takes == 0 {
            let (n, s) = (self.bought_by[first], self.season_by[first]);
            let (m, t) = (self.bought_by[days] - n, self.season_by[days] - s);
            let size =
                if n > 0.0 && s > 0.0 && t > 0.0 { (1.0 - m * s / (t * n)).clamp(0.0, MOST) } else { 0.0 };
            return Fitted { likelihood: self.likelihood(first, takes, size), size };
        }
        let at = |size: f64| self.likelihood(first, takes, size);
        let (mut low, mut high) = (0.0, MOST);
        let (mut a, mut b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        let (mut at_a, mut at_b) = (at(a), at(b));
        for _ in 0..HALVINGS {
            if at_a >= at_b {
                (high, b, at_b) = (b, a, at_a);
                a = high - GOLDEN * (high - low);
                at_a = at(a);
            } else {
                (low, a, at_a) = (a, b, at_b);
                b = low + GOLDEN * (high - low);
                at_b = at(b);
            }
        }
        let size = 0.5 * (low + high);
        Fitted { likelihood: at(size), size }
    }

    /// Poisson's, at the likeliest rate, without what is the same for all.
    fn likelihood(&self, first: usize, takes: usize, size: f64) -> f64 {
        let days = self.bought.len();
        let fallen = (first + takes).min(days);
        let rest = 1.0 - size;
        let (mut logs, mut weight) = (0.0, self.season_by[first]);
        for day in first..fallen {
            let left = 1.0 - size * gone(day, first, takes);
            logs += self.bought[day] * left.ln();
            weight += self.season[day] * left;
        }
        logs += (self.bought_by[days] - self.bought_by[fallen]) * rest.ln();
        weight += (self.season_by[days] - self.season_by[fallen]) * rest;
        let all = self.bought_by[days];
        if all > 0.0 && weight > 0.0 { logs + all * (all / weight).ln() } else { 0.0 }
    }

    /// Pearson's chi-square of weeks per degree of freedom, at least 1.
    fn spread(&self, first: usize, takes: usize, size: f64) -> f64 {
        let days = self.bought.len();
        let shape = |day: usize| self.season[day] * (1.0 - size * gone(day, first, takes));
        let rate = self.bought_by[days] / (0..days).map(shape).sum::<f64>();
        let weeks = days / DAYS_PER_WEEK as usize;
        let mut squares = 0.0;
        for week in 0..weeks {
            let own = week * DAYS_PER_WEEK as usize..(week + 1) * DAYS_PER_WEEK as usize;
            let expected: f64 = own.clone().map(|day| rate * shape(day)).sum();
            let found: f64 = self.bought[own].iter().sum();
            if expected > 0.0 {
                squares += (found - expected).powi(2) / expected;
            }
        }
        (squares / (weeks as f64 - 2.0).max(1.0)).max(1.0)
    }
}

/// Which part of the fall is over on a day.
fn gone(day: usize, first: usize, takes: usize) -> f64 {
    match day.checked_sub(first) {
        None => 0.0,
        Some(since) if since >= takes => 1.0,
        Some(since) => (since + 1) as f64 / (takes + 1) as f64,
    }
}

fn sums(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let so_far = values.iter().map(|value| {
        sum += value;
        sum
    });
    std::iter::once(0.0).chain(so_far).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A series without noise: 20 a day, 8 in the end.
    fn series(first: usize, takes: usize) -> Vec<f64> {
        (0..140).map(|day| 20.0 * (1.0 - 0.6 * gone(day, first, takes))).collect()
    }

    #[test]
    fn a_step_is_found_to_the_day() {
        let found = descent(&series(60, 0), &[1.0; 140]);
        assert_eq!((found.first, found.fallen, found.at_edge), (60, 60, false));
        assert!((found.size - 0.6).abs() < 1e-9);
        assert!(found.low <= 60 && found.high >= 60 && found.high - found.low < 14, "{found:?}");
    }

    #[test]
    fn a_slow_fall_is_dated_by_its_first_day() {
        let found = descent(&series(50, 28), &[1.0; 140]);
        assert_eq!((found.first, found.fallen), (50, 78));
        assert!((found.size - 0.6).abs() < 1e-4, "{found:?}");
        assert!(found.low <= 50 && found.high >= 50);
        assert!(found.high - found.low > 7, "{found:?}");
    }

    #[test]
    fn the_season_is_no_fall() {
        let season: Vec<f64> = (0..140).map(|day| if day < 70 { 2.0 } else { 1.0 }).collect();
        let bought: Vec<f64> =
            season.iter().enumerate().map(|(day, s)| 10.0 * s * if day < 100 { 1.0 } else { 0.5 }).collect();
        assert_eq!(descent(&bought, &season).first, 100);
    }

    #[test]
    fn short_and_empty_series_have_an_answer() {
        for days in [0, 1, 13, 14, 15] {
            let found = descent(&vec![0.0; days], &vec![1.0; days]);
            assert!(found.low <= found.high, "{days}: {found:?}");
        }
    }
}
