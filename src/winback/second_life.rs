//! What is it worth to win a customer back?

use std::fmt;

use serde::Serialize;

use crate::btyd::Summary;
use crate::error::{Error, Result};
use crate::history::History;
use crate::losses::{Lapses, Life};
use crate::metrics::{BootstrapEnds, Interval, clustered_bootstrap};
use crate::rates::KaplanMeier;

const REPLICATES: usize = 1_000;
/// With fewer customers who came back, their survival is not known.
const LEAST_RETURNERS: usize = 20;
/// Everyone's mean amount counts as so many purchases of a customer's own, as where losses are valued.
const MEAN_PURCHASES: f64 = 2.0;

/// What an experiment showed a return to be worth: incremental money over incremental returns.
///
/// # Formula
/// ```text
/// V₂ = (mean money, treated − mean money, control) / (share returned, treated − share returned, control)
/// ```
/// with both differences drawn anew together (1,000 draws of customers). Money before margin. A plan weighs it with
/// what [`SecondLives`] say, by how sure each is.
///
/// ```
/// use winback::winback::ValuePerReturn;
/// let treated: Vec<bool> = (0..4_000).map(|row| row % 2 == 0).collect();
/// let returned: Vec<bool> = (0..4_000).map(|row| row % 10 < if row % 2 == 0 { 6 } else { 2 }).collect();
/// let spent: Vec<f64> = returned.iter().map(|back| if *back { 40.0 } else { 0.0 }).collect();
/// let found = ValuePerReturn::of(&treated, &returned, &spent)?;
/// assert!((found.amount - 40.0).abs() < 1e-9 && found.low <= 40.0 && found.high >= 40.0);
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ValuePerReturn {
    /// Money per induced return, an amount.
    pub amount: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Its standard error.
    pub standard_error: f64,
}

impl ValuePerReturn {
    /// Of an experiment: per customer, whether they were assigned to be contacted, whether they returned, and
    /// what they spent.
    ///
    /// # Errors
    /// [`Error::Parameter`] for slices of different lengths, an amount that is not finite, an empty arm, or
    /// where the returns of the two arms are too alike to divide by: their difference lies within two standard
    /// errors of 0.
    pub fn of(treated: &[bool], returned: &[bool], spent: &[f64]) -> Result<Self> {
        if treated.len() != returned.len() || treated.len() != spent.len() {
            let found = format!("{}, {} and {} rows", treated.len(), returned.len(), spent.len());
            return Err(Error::parameter("experiment", found, "as many of each"));
        }
        if let Some(amount) = spent.iter().find(|amount| !amount.is_finite()) {
            return Err(Error::parameter("amount spent", amount, "a finite number"));
        }
        let n_treated = treated.iter().filter(|is| **is).count();
        if n_treated == 0 || n_treated == treated.len() {
            return Err(Error::parameter("experiment", "one arm only", "customers treated and held out"));
        }
        let customers: Vec<u32> = (0..treated.len() as u32).collect();
        let differences = |weights: &[u32]| {
            let (mut n, mut back, mut money) = ([0.0; 2], [0.0; 2], [0.0; 2]);
            for (row, &weight) in weights.iter().enumerate() {
                let (arm, weight) = (usize::from(treated[row]), f64::from(weight));
                n[arm] += weight;
                back[arm] += if returned[row] { weight } else { 0.0 };
                money[arm] += weight * spent[row];
            }
            let apart = |sums: [f64; 2]| sums[1] / n[1] - sums[0] / n[0];
            vec![apart(money) / apart(back), apart(back)]
        };
        let drawn = clustered_bootstrap(&customers, REPLICATES, 1, differences);
        let returns = drawn.interval(1, 0.95, BootstrapEnds::Percentile);
        let shown = returns.filter(|back| back.estimate.abs() > 2.0 * back.standard_error);
        match (shown, drawn.interval(0, 0.95, BootstrapEnds::Percentile)) {
            (Some(_), Some(ratio)) => Ok(ratio.into()),
            _ => Err(Error::parameter(
                "experiment",
                "arms whose returns do not differ",
                "an effect on returns that is shown: what a return is worth cannot be told without one",
            )),
        }
    }
}

impl From<Interval> for ValuePerReturn {
    fn from(found: Interval) -> Self {
        let Interval { estimate, low, high, standard_error, .. } = found;
        ValuePerReturn { amount: estimate, low, high, standard_error }
    }
}

/// What second lives bring where no experiment says it: between one order (pessimistic) and what those brought
/// who came back by themselves (an upper figure: who is talked into it may not stay as long).
///
/// # Formula
/// ```text
/// low  = m
/// high = m (1 + λ ∫₀^D S(t) dt)      S: Kaplan–Meier of lives after a return, from it to their last purchase
/// λ    = (r + x) / (α + t_x)         the customer's rate while there, by MBG/NBD
/// m    = (Σ own amounts + 2 M) / (n + 2), M everyone's mean
/// ```
/// D are the days looked ahead, at most those for which a second life was followed; all before margin. Lives that have not ended by the day are censored.
#[derive(Clone, Debug, Serialize)]
pub struct SecondLives {
    /// Days looked ahead: as many as asked for, and no more than a second life was followed for.
    pub days: i32,
    /// Customers who came back by themselves.
    pub returners: usize,
    /// Days of their second lives within those looked ahead, on average; `None` where too few came back.
    pub mean_days: Option<f64>,
    #[serde(skip)]
    mean_amount: f64,
}

impl SecondLives {
    /// Looks at every life after a lapse, as far as it is known on the day.
    #[must_use]
    pub fn of(history: &History, lapses: &Lapses, days: i32) -> Self {
        let as_of = lapses.as_of();
        let (mut times, mut ended) = (Vec::new(), Vec::new());
        let mut mine = lapses.lapses().chunk_by(|one, other| one.rank() == other.rank()).peekable();
        for life in lapses.lives() {
            let Some(own) = mine.next_if(|own| own[0].rank() == life.rank()) else { continue };
            for (at, lapse) in own.iter().enumerate() {
                let Some(back) = lapse.returned_on else { continue };
                match own.get(at + 1) {
                    Some(next) => {
                        times.push(next.last_purchase.days_since(back));
                        ended.push(true);
                    }
                    None => {
                        times.push(as_of.days_since(back));
                        ended.push(false);
                    }
                }
            }
        }
        let curve = KaplanMeier::new(&times, &ended);
        // Nobody was followed for longer, and what lies beyond is not known.
        let known_days = times.iter().copied().max().unwrap_or(0).clamp(0, days.max(0));
        let mean_days = (times.len() >= LEAST_RETURNERS).then(|| {
            // The curve is flat between its steps.
            let (mut area, mut from, mut height) = (0.0, 0, 1.0);
            for step in curve.steps().iter().filter(|step| step.time < known_days) {
                area += height * f64::from(step.time - from);
                (from, height) = (step.time, step.survival);
            }
            area + height * f64::from(known_days - from)
        });
        let (mut sum, mut n) = (0.0, 0_usize);
        for life in lapses.lives() {
            let net = history.run(life.rank() as usize).until(as_of).net;
            sum += net.iter().map(|amount| amount.max(0.0)).sum::<f64>();
            n += net.len();
        }
        let mean_amount = if n > 0 { sum / n as f64 } else { f64::NAN };
        SecondLives { days: known_days, returners: times.len(), mean_days, mean_amount }
    }

    /// What an order of a customer brings, before margin; NaN without amounts.
    pub(crate) fn order_amount(&self, history: &History, lapses: &Lapses, rank: u32) -> f64 {
        let net = history.run(rank as usize).until(lapses.as_of()).net;
        let own: f64 = net.iter().map(|amount| amount.max(0.0)).sum();
        (own + MEAN_PURCHASES * self.mean_amount) / (net.len() as f64 + MEAN_PURCHASES)
    }

    /// The least and the most that a second life of a customer brings, before margin.
    pub(crate) fn amounts(&self, history: &History, lapses: &Lapses, life: &Life) -> (f64, f64) {
        let order = self.order_amount(history, lapses, life.rank());
        let Summary { frequency, recency, .. } = life.summary;
        let model = lapses.rhythm().model();
        let rate = (model.r() + frequency) / (model.alpha() + recency);
        (order, order * (1.0 + rate * self.mean_days.unwrap_or(0.0)))
    }
}

impl fmt::Display for SecondLives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { days, returners, mean_days, .. } = self;
        match mean_days {
            Some(mean) => write!(
                f,
                "second lives: {returners} came back by themselves, and stayed for {mean:.0} of {days} days; a return is \
                 taken to be worth between one order and that"
            ),
            None => write!(
                f,
                "second lives: {returners} came back by themselves, too few to say how long they stay; a return is \
                 taken to be worth one order"
            ),
        }
    }
}
