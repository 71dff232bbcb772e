//! What do customers do who buy at random until they leave at random?
//!
//! MBG/NBD and BG/NBD are one model but for one chance to leave: after the first purchase, or not before
//! the second. Here is that one model.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::function::beta::checked_beta_reg;

use super::expectation::{purchase_after, purchases_while_alive};
use super::fit::{check_parameters, parameter};
use super::optimise::{Likelihood, Peak, Sums, maximise};
use super::special::{Jet, ln_rising};
use super::summary::{Checked, Row, Summary};
use crate::error::Result;

/// Rows per partial sum.
const ROWS_PER_BLOCK: usize = 1 << 12;
/// Customers that the search starts on.
const START_CUSTOMERS: usize = 20_000;
/// Where the search starts: r, and a and b. α follows from the mean rate of purchases.
const STARTS: [[f64; 3]; 4] = [[0.5, 1.0, 2.5], [0.3, 0.3, 3.0], [2.0, 0.5, 1.0], [2.0, 3.0, 30.0]];

/// Whether a customer can leave right after the first purchase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaving {
    AfterAnyPurchase,
    AfterRepeatPurchases,
}

impl Leaving {
    /// The chances to leave there were in so many repeat purchases.
    fn chances(self, frequency: f64) -> f64 {
        match self {
            Leaving::AfterAnyPurchase => frequency + 1.0,
            Leaving::AfterRepeatPurchases => frequency,
        }
    }
}

/// Purchase rates λ ~ Gamma(r, α), leaving probabilities p ~ Beta(a, b).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DropOut {
    #[serde(deserialize_with = "parameter")]
    pub(super) r: f64,
    #[serde(deserialize_with = "parameter")]
    pub(super) alpha: f64,
    #[serde(deserialize_with = "parameter")]
    pub(super) a: f64,
    #[serde(deserialize_with = "parameter")]
    pub(super) b: f64,
}

impl DropOut {
    pub(super) fn new(r: f64, alpha: f64, a: f64, b: f64) -> Result<Self> {
        check_parameters(&[("r", r), ("alpha", alpha), ("a", a), ("b", b)])?;
        Ok(Self { r, alpha, a, b })
    }

    /// The peak of the likelihood, in units of the mean age.
    pub(super) fn fit(leaving: Leaving, checked: &Checked, most_iterations: usize) -> Peak<4> {
        let [sample, all] = Customers::sample_and_all(leaving, checked);
        maximise(&sample, &all, &starts(checked.purchases / checked.customers() as f64), most_iterations)
    }

    pub(super) fn log_likelihood(&self, leaving: Leaving, summary: Summary) -> f64 {
        let parameters = [self.r, self.alpha, self.a, self.b];
        by_frequency(leaving, summary.frequency, &parameters).value
            + by_times(leaving, summary, &parameters).value
    }

    /// P(not left by now).
    pub(super) fn p_alive(&self, leaving: Leaving, summary: Summary) -> f64 {
        let chances = leaving.chances(summary.frequency);
        if chances == 0.0 {
            return 1.0;
        }
        1.0 / (1.0 + self.odds_gone(chances, summary).exp())
    }

    /// The log-odds of having left after at least one chance.
    fn odds_gone(&self, chances: f64, summary: Summary) -> f64 {
        let Summary { frequency, recency, age } = summary;
        // b + (x − 1), not (b + x) − 1: the latter is 0 where x is 1 and b is small.
        let stay = self.b + (chances - 1.0);
        self.a.ln() - stay.ln() + (self.r + frequency) * ((age - recency) / (self.alpha + recency)).ln_1p()
    }

    pub(super) fn p_no_purchase(&self, leaving: Leaving, summary: Summary, horizon: f64) -> f64 {
        let alive = self.p_alive(leaving, summary);
        let bought =
            -(-(self.r + summary.frequency) * (horizon / (self.alpha + summary.age)).ln_1p()).exp_m1();
        1.0 - alive * bought
    }

    /// The chance of a purchase in the `horizon` that begins after `lead`.
    pub(super) fn p_purchase_after(
        &self,
        leaving: Leaving,
        summary: Summary,
        lead: f64,
        horizon: f64,
    ) -> f64 {
        if lead == 0.0 {
            return 1.0 - self.p_no_purchase(leaving, summary, horizon);
        }
        let Summary { frequency, age, .. } = summary;
        let leaves = [self.a, self.b + leaving.chances(frequency)];
        self.p_alive(leaving, summary)
            * purchase_after(self.r + frequency, self.alpha + age, leaves, [lead, horizon])
    }

    /// The chances of more than 0, 1, 2 … purchases within `horizon` from now.
    pub(super) fn counts(&self, leaving: Leaving, summary: Summary, horizon: f64) -> Counts {
        let Summary { frequency, age, .. } = summary;
        Counts::new(
            self.p_alive(leaving, summary),
            (self.r + frequency, horizon / (self.alpha + age)),
            (self.a, self.b + leaving.chances(frequency)),
        )
    }

    pub(super) fn expected_purchases(&self, leaving: Leaving, summary: Summary, horizon: f64) -> f64 {
        let Summary { frequency, age, .. } = summary;
        let alive = self.p_alive(leaving, summary);
        if alive == 0.0 {
            return 0.0;
        }
        let stayed = self.b + leaving.chances(frequency);
        alive * purchases_while_alive(self.r + frequency, self.alpha + age, self.a, stayed, horizon)
    }

    /// P(n repeat purchases within `horizon` of the first purchase).
    pub(super) fn p_purchases_of_new(&self, leaving: Leaving, purchases: u32, horizon: f64) -> f64 {
        let n = f64::from(purchases);
        let ratio = horizon / self.alpha;
        let chances = leaving.chances(n);
        let stays = |through: f64| {
            (ln_rising(self.b, through).value - ln_rising(self.a + self.b, through).value).exp()
        };
        let exactly = negative_binomial(n, self.r, ratio);
        if chances == 0.0 {
            return exactly;
        }
        let leaves = stays(chances - 1.0) * self.a / (self.a + self.b + (chances - 1.0));
        stays(chances) * exactly + leaves * at_least(purchases, self.r, ratio)
    }
}

/// The chances of more than 0, 1, 2 … purchases: alive × stayed through n of them × NB > n.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    alive: f64,
    /// Of the purchases of someone who never leaves: shape, and t / (rate + t).
    shape: f64,
    share: f64,
    /// Of the chance to leave at each.
    a: f64,
    b: f64,
    n: f64,
    /// Through n purchases.
    stayed: f64,
    /// NB = n and NB > n; the latter only where the former does not underflow.
    exactly: f64,
    more: f64,
    is_long: bool,
}

impl Counts {
    fn new(alive: f64, (shape, ratio): (f64, f64), (a, b): (f64, f64)) -> Self {
        /// Beyond it the sum over purchases has lost its first terms, and the beta function is asked.
        const LONGEST_SUM: f64 = 600.0;
        let ratio = ratio.min(f64::MAX.sqrt());
        let none = shape * ratio.ln_1p();
        Self {
            alive,
            shape,
            share: ratio / (1.0 + ratio),
            a,
            b,
            n: 0.0,
            stayed: 1.0,
            exactly: (-none).exp(),
            more: -(-none).exp_m1(),
            is_long: none > LONGEST_SUM,
        }
    }
}

impl Iterator for Counts {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let n = self.n;
        let more = match self.is_long {
            // P(NB > n) = I_share(n + 1, shape): Johnson, Kemp and Kotz (2005), equation 5.31.
            true => checked_beta_reg(n + 1.0, self.shape, self.share).unwrap_or(1.0),
            false => self.more.max(0.0),
        };
        let chance = self.alive * self.stayed * more;
        self.stayed *= (self.b + n) / (self.a + self.b + n);
        self.exactly *= (self.shape + n) / (n + 1.0) * self.share;
        self.more -= self.exactly;
        self.n += 1.0;
        Some(chance)
    }
}

/// The chance of n purchases of someone who never leaves, `ratio` being t / α.
fn negative_binomial(n: f64, r: f64, ratio: f64) -> f64 {
    if ratio == f64::INFINITY || (ratio == 0.0 && n > 0.0) {
        return 0.0;
    }
    let share = if n > 0.0 { n * -ratio.recip().ln_1p() } else { 0.0 }; // n ln(t / (α + t))
    (ln_rising(r, n).value - ln_rising(1.0, n).value - r * ratio.ln_1p() + share).exp()
}

/// The chance of n or more of them.
fn at_least(n: u32, r: f64, ratio: f64) -> f64 {
    if ratio == f64::INFINITY {
        return 1.0;
    }
    let fewer: f64 = (0..n).map(|k| negative_binomial(f64::from(k), r, ratio)).sum();
    // Where nearly all buy fewer times, the difference to 1 has no digits left; but the terms fall fast.
    if fewer < 0.5 {
        return 1.0 - fewer;
    }
    let share = ratio / (1.0 + ratio);
    let (mut k, mut term) = (f64::from(n), negative_binomial(f64::from(n), r, ratio));
    let mut sum = 0.0;
    while term > f64::EPSILON * sum {
        sum += term;
        term *= (r + k) / (k + 1.0) * share;
        k += 1.0;
    }
    sum
}

/// Where the search starts, given the mean number of repeat purchases.
pub(super) fn starts(mean_rate: f64) -> [[f64; 4]; 4] {
    STARTS.map(|[r, a, b]| [r, r / mean_rate, a, b])
}

/// The customers of a fit: distinct summaries, and how many made each number of purchases.
pub(super) struct Customers {
    leaving: Leaving,
    rows: Vec<Row>,
    by_frequency: Vec<(f64, f64)>,
    customers: f64,
}

impl Customers {
    pub(super) fn sample_and_all(leaving: Leaving, checked: &Checked) -> [Self; 2] {
        [checked.sample(START_CUSTOMERS), checked.rows()].map(|rows| Self::new(leaving, rows))
    }

    fn new(leaving: Leaving, rows: Vec<Row>) -> Self {
        let count = |rows: &[Row]| rows.iter().map(|row| row.customers).sum::<f64>();
        let same = |one: &Row, other: &Row| one.summary.frequency == other.summary.frequency;
        let by_frequency = rows.chunk_by(same).map(|rows| (rows[0].summary.frequency, count(rows))).collect();
        Self { leaving, by_frequency, customers: count(&rows), rows }
    }
}

impl Likelihood<4> for Customers {
    fn customers(&self) -> f64 {
        self.customers
    }

    fn sums(&self, parameters: &[f64; 4]) -> Sums<4> {
        let block = |rows: &[Row]| {
            let mut sums = Sums::ZERO;
            for row in rows {
                sums.add(&by_times(self.leaving, row.summary, parameters), row.customers);
            }
            sums
        };
        let blocks: Vec<Sums<4>> = self.rows.par_chunks(ROWS_PER_BLOCK).map(block).collect();
        let mut sums = Sums::ZERO;
        blocks.iter().for_each(|block| sums.add(block, 1.0));
        for &(frequency, customers) in &self.by_frequency {
            sums.add(&by_frequency(self.leaving, frequency, parameters), customers);
        }
        sums
    }
}

// The log-likelihood in two parts, with c the chances to leave:
//   ln (r)_x + r ln α + ln (b)_{c−1} − ln (a+b)_c
//   + ln[ (b+c−1) (α+T)^−(r+x) + a (α+t_x)^−(r+x) ]
// Without a chance to leave only (α+T)^−(r+x) is left of the second.

/// The part that only the number of purchases matters to.
fn by_frequency(leaving: Leaving, frequency: f64, &[r, alpha, a, b]: &[f64; 4]) -> Sums<4> {
    let mut sums = Sums::ZERO;
    let rate = ln_rising(r, frequency);
    sums.value = rate.value + r * alpha.ln();
    sums.gradient = [rate.slope + alpha.ln(), r / alpha, 0.0, 0.0];
    sums.hessian[0][0] = rate.curvature;
    sums.hessian[1][0] = 1.0 / alpha;
    sums.hessian[1][1] = -r / (alpha * alpha);
    let chances = leaving.chances(frequency);
    if chances > 0.0 {
        let stays = ln_rising(b, chances - 1.0);
        let Jet { value, slope, curvature } = ln_rising(a + b, chances);
        sums.value += stays.value - value;
        sums.gradient[2] = -slope;
        sums.gradient[3] = stays.slope - slope;
        sums.hessian[2][2] = -curvature;
        sums.hessian[3][2] = -curvature;
        sums.hessian[3][3] = stays.curvature - curvature;
    }
    sums
}

/// The part that the times matter to: alive until T, or gone at t_x.
fn by_times(leaving: Leaving, summary: Summary, &[r, alpha, a, b]: &[f64; 4]) -> Sums<4> {
    let Summary { frequency, recency, age } = summary;
    let shape = r + frequency;
    let (until_now, until_last) = (alpha + age, alpha + recency);
    let (ln_now, ln_last) = (until_now.ln(), until_last.ln());
    let mut sums = Sums::ZERO;
    let chances = leaving.chances(frequency);
    if chances == 0.0 {
        sums.value = -shape * ln_now;
        sums.gradient = [-ln_now, -shape / until_now, 0.0, 0.0];
        sums.hessian[1][0] = -1.0 / until_now;
        sums.hessian[1][1] = shape / (until_now * until_now);
        return sums;
    }
    let stay = b + (chances - 1.0);
    let alive = stay.ln() - shape * ln_now;
    let gone = a.ln() - shape * ln_last;
    let apart = (alive - gone).abs();
    let p = 1.0 / (1.0 + (gone - alive).exp());
    let q = 1.0 / (1.0 + (alive - gone).exp());
    sums.value = alive.max(gone) + (-apart).exp().ln_1p();
    let if_alive = [-ln_now, -shape / until_now, 0.0, 1.0 / stay];
    let if_gone = [-ln_last, -shape / until_last, 1.0 / a, 0.0];
    // Hessian of a logarithm of a sum: p ∇²u + q ∇²v + pq (∇u − ∇v)(∇u − ∇v)ᵀ.
    for i in 0..4 {
        sums.gradient[i] = p * if_alive[i] + q * if_gone[i];
        for j in 0..=i {
            sums.hessian[i][j] = p * q * (if_alive[i] - if_gone[i]) * (if_alive[j] - if_gone[j]);
        }
    }
    sums.hessian[1][0] -= p / until_now + q / until_last;
    sums.hessian[1][1] += p * shape / (until_now * until_now) + q * shape / (until_last * until_last);
    sums.hessian[2][2] -= q / (a * a);
    sums.hessian[3][3] -= p / (stay * stay);
    sums
}
