//! What is each customer's worth over the days to come?
//!
//! Two models, fitted to what was known on the day: MBG/NBD says how often a customer will buy, Gamma-Gamma
//! for how much. Neither knows seasons, campaigns or features; for who may leave, ask [`ChurnModel`](crate::ChurnModel).

mod amounts;
mod customers;
mod counts;
mod spend;
mod totals;
mod words;

use std::sync::Arc;

use polars::prelude::*;
use rayon::prelude::*;

pub(crate) use self::amounts::{OwnAmounts, purchases_if_back};
use self::counts::CountForecast;
use self::customers::{Known, known_at};
pub use self::spend::SpendBasis;
use self::spend::SpendModel;
use self::totals::{Own, Totals};
use crate::btyd::{MbgNbd, MbgNbdPosterior};
use crate::day::{Day, Window};
use crate::error::{Error, Result};
use crate::features::HORIZON_DAYS;
use crate::history::{CustomerIds, History};
use crate::metrics::Interval;
use crate::table;

/// How to value customers.
///
/// | setting | default |
/// |---|---|
/// | horizon | 90 days |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueParams {
    horizon_days: i32,
}

impl ValueParams {
    /// Sets the days to look ahead, 1 to 9,125.
    #[must_use]
    pub fn with_horizon_days(mut self, days: i32) -> Self {
        self.horizon_days = days;
        self
    }

    /// Expects purchases and spend of every customer with a purchase on or before `as_of`, in the
    /// `horizon_days` after it, by what was known at its end.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a horizon out of range, [`Error::AfterObserved`] for a day the log does not
    /// reach, [`Error::BeforeFirstPurchase`] where nobody had bought.
    pub fn estimate(&self, history: &History, as_of: Day) -> Result<Values> {
        if !HORIZON_DAYS.contains(&self.horizon_days) {
            let found = format!("{} days", self.horizon_days);
            return Err(Error::parameter("horizon", found, "1 to 9,125 days"));
        }
        let known = known_at(history, as_of)?;
        let rhythm = MbgNbd::params().fit_held(&known.summaries)?;
        let looked_back = self.look_back(history, as_of)?;
        let spend = known.spends.as_ref().map(|spends| SpendModel::fit(spends, known.mean_amount));
        Ok(Values { looked_back, ..self.forecast(history, as_of, known, rhythm, spend) })
    }

    /// The same a horizon earlier, of which is known by now what came.
    fn look_back(&self, history: &History, as_of: Day) -> Result<Option<LookBack>> {
        let earlier = as_of.plus_days(-self.horizon_days);
        let known = match known_at(history, earlier) {
            Ok(known) => known,
            Err(Error::BeforeFirstPurchase { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let rhythm = MbgNbd::params().fit_held(&known.summaries)?;
        let spend = known.spends.as_ref().map(|spends| SpendModel::fit(spends, known.mean_amount));
        let around = rhythm.around();
        let own = |row: usize| {
            let counts = CountForecast::new(&around, known.summaries[row], self.horizon_days);
            own(&known, row, spend.as_ref(), &counts)
        };
        let own = Own::sum(known.ranks.len(), own);
        let Totals { purchases: expected, spend: expected_spend, spend_interval } =
            Totals::of(&known, &rhythm, spend.as_ref(), self.horizon_days, own);
        let window = Window::back_from(as_of, self.horizon_days);
        let (mut purchases, mut spent) = (0, 0.0);
        for &rank in &known.ranks {
            let run = history.run(rank as usize);
            let came = window.range_in(run.days);
            purchases += came.len();
            spent += run.net.get(came).map_or(0.0, |net| net.iter().sum::<f64>());
        }
        Ok(Some(LookBack {
            as_of: earlier,
            expected,
            purchases: purchases as f64,
            expected_spend,
            expected_spend_interval: spend_interval,
            spend: expected_spend.map(|_| spent),
        }))
    }

    fn forecast(
        &self,
        history: &History,
        as_of: Day,
        known: Known,
        rhythm: MbgNbdPosterior,
        spend: Option<SpendModel>,
    ) -> Values {
        let around = rhythm.around();
        let value = |row| self.value(&known, row, (rhythm.model(), &around), spend.as_ref());
        let values: Vec<Value> = (0..known.ranks.len()).into_par_iter().map(value).collect();
        let own = Own::sum(values.len(), |row| values[row].variances);
        Values {
            as_of,
            horizon_days: self.horizon_days,
            ids: Arc::clone(history.ids()),
            totals: Totals::of(&known, &rhythm, spend.as_ref(), self.horizon_days, own),
            ranks: known.ranks,
            values,
            looked_back: None,
            rhythm,
            spend_basis: spend.map(|spend| spend.basis()),
        }
    }

    fn value(
        &self,
        known: &Known,
        row: usize,
        (rhythm, around): (&MbgNbd, &[MbgNbd]),
        spend: Option<&SpendModel>,
    ) -> Value {
        let summary = known.summaries[row];
        let horizon = f64::from(self.horizon_days);
        // A purchase is a day.
        let expected_purchases = rhythm.expected_purchases(summary, horizon).min(horizon);
        let counts = CountForecast::new(around, summary, self.horizon_days);
        let (low, high) = counts.interval();
        let (mut average, mut spend_low, mut spend_high) = (f64::NAN, f64::NAN, f64::NAN);
        if let (Some(model), Some(spends)) = (spend, &known.spends) {
            average = model.expected_average(spends[row]);
            (spend_low, spend_high) = model.interval(spends[row], &counts);
        }
        Value {
            n_purchases: summary.frequency + 1.0,
            days_since_last: summary.age - summary.recency,
            p_alive: rhythm.p_alive(summary),
            p_no_purchase: rhythm.p_no_purchase(summary, horizon),
            expected_purchases,
            purchases: (low, high),
            variances: own(known, row, spend, &counts),
            expected_spend: expected_purchases * average,
            spend: (spend_low, spend_high),
        }
    }
}

/// The variances of what a customer buys and spends.
fn own(known: &Known, row: usize, spend: Option<&SpendModel>, counts: &CountForecast) -> Own {
    let spend = match (spend, &known.spends) {
        (Some(model), Some(spends)) => model.variance(spends[row], counts),
        _ => 0.0,
    };
    Own { purchases: counts.variance(), spend }
}

/// What is expected of one customer. Amounts are NaN where none were read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// Purchases so far.
    pub n_purchases: f64,
    /// Days since the last one.
    pub days_since_last: f64,
    /// The probability of not having left for good, 0 to 1. It is no churn score: who has not left may buy
    /// too rarely to come back within the horizon, and it says nothing about how often.
    pub p_alive: f64,
    /// The probability of no purchase in the horizon, 0 to 1.
    pub p_no_purchase: f64,
    /// Purchases to expect in the horizon.
    pub expected_purchases: f64,
    /// Ends of the 95 % interval of their number.
    pub purchases: (f64, f64),
    variances: Own,
    /// Spend to expect in the horizon, an amount.
    pub expected_spend: f64,
    /// Ends of its 95 % interval.
    pub spend: (f64, f64),
}

/// What would have been said a horizon earlier of those known then, and what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LookBack {
    /// The earlier day.
    pub as_of: Day,
    /// Purchases expected in the horizon after it.
    pub expected: Interval,
    /// Purchases that came.
    pub purchases: f64,
    /// Spend expected in that horizon, an amount; `None` without amounts.
    pub expected_spend: Option<f64>,
    /// Its interval; `None` where there is none ([`Values::expected_spend_interval`]).
    pub expected_spend_interval: Option<Interval>,
    /// The spend that came; `None` without amounts.
    pub spend: Option<f64>,
}

/// What every customer is expected to buy, ordered by customer.
///
/// # Formula
/// ```text
/// expected purchases   MBG/NBD, E[N | x, t_x, T], at the parameters believed most
/// their interval       quantiles 2.5 % and 97.5 % of N, with P(N > n) averaged over the doubt about the parameters
/// expected spend       expected purchases × E[amount | x, mean], Gamma-Gamma
/// its interval         the same quantiles of a sum of N amounts, sum / (v + Σ + sum) ~ Beta(pN, q + px)
/// of all customers together: the sum of what is expected ± 1.96 √variance, with the variance of
///   purchases          Σ_i Var N_i + R
///   spend              Σ_i Var S_i + R + (Σ_i E[N_i] w_i)² se²
///   where Var S_i = c² (p² E[N²] + p E[N]) / ((a − 1)(a − 2)) − (c p E[N] / (a − 1))²,
///         a = q + px, c = v + Σ, w = (q − 1) / (a − 1): the weight of everyone's mean in a customer's,
///         R the mean square by which the total moves between the sigma points of the rhythm's parameters,
///         se² = 1 / Σ_i 1 / Var(mean_i): the doubt about everyone's mean, Var(mean_i) that of the mean of x
///         amounts, μ²/(q − 2) + E[θ²]/(px), of mean amounts θ with mean μ = pv/(q − 1)
/// ```
/// where x, t_x and T are repeat purchases, days from the first purchase to the last and to now, and Σ what
/// the repeat purchases brought. The intervals of single customers are wide: most buy nothing or
/// once. None of them knows the season, nor how well the models fit. Spend and number of purchases are taken
/// to be independent. The doubt about Gamma-Gamma's parameters, small beside that about a customer, is left out of
/// a single customer's interval, and of the total all but that about everyone's mean.
///
/// With few customers both models rest on a stated prior ([`MbgNbdPosterior`], [`SpendBasis::Stated`]), and
/// [`Display`](std::fmt::Display) says so.
///
/// # References
/// Batislam, Denizel and Filiztekin (2007); Fader and Hardie (2013), both as in [`btyd`](crate::btyd); Fader,
/// Hardie and Lee (2005), "RFM and CLV", Journal of Marketing Research 42:415–430, for their product.
#[derive(Clone, Debug)]
pub struct Values {
    as_of: Day,
    horizon_days: i32,
    ids: Arc<CustomerIds>,
    ranks: Vec<u32>,
    values: Vec<Value>,
    totals: Totals,
    looked_back: Option<LookBack>,
    rhythm: MbgNbdPosterior,
    spend_basis: Option<SpendBasis>,
}

impl Value {
    /// Begins to value customers.
    ///
    /// ```
    /// use winback::value::Value;
    /// use winback::{Columns, History};
    ///
    /// let columns = Columns::new("customer_id", "timestamp").with_amount("amount");
    /// let history = History::params(columns).read_csv(["data/online_retail_orders.csv"])?;
    /// let values = Value::params().with_horizon_days(60).estimate(&history, history.observed_until())?;
    /// assert_eq!(values.len(), 4_335);
    /// let total = values.expected_purchases();
    /// assert!(total.low > 2_000.0 && total.high < 5_000.0);
    /// # Ok::<(), winback::Error>(())
    /// ```
    #[must_use]
    pub fn params() -> ValueParams {
        ValueParams { horizon_days: 90 }
    }
}

impl Values {
    /// How many customers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The day the customers were looked at.
    #[must_use]
    pub fn as_of(&self) -> Day {
        self.as_of
    }

    /// The days looked ahead.
    #[must_use]
    pub fn horizon_days(&self) -> i32 {
        self.horizon_days
    }

    /// Each customer's, in order of customer.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Purchases to expect of all customers together, with a 95 % interval: chance, and the doubt about the
    /// parameters. A season or a trend moves all customers together, and is not in it: see
    /// [`looked_back`](Self::looked_back).
    #[must_use]
    pub fn expected_purchases(&self) -> &Interval {
        &self.totals.purchases
    }

    /// What the same would have said a horizon earlier, beside what came; `None` where nobody had bought
    /// by then. Where the two lie far apart, expect the like of the horizon ahead.
    #[must_use]
    pub fn looked_back(&self) -> Option<&LookBack> {
        self.looked_back.as_ref()
    }

    /// Spend to expect of all customers together; `None` without amounts.
    #[must_use]
    pub fn expected_spend(&self) -> Option<f64> {
        self.totals.spend
    }

    /// The 95 % interval of that: chance, and the doubt about the rhythm's parameters and about everyone's mean
    /// amount. As for purchases, neither season nor trend is in it. `None` without amounts, and where the means
    /// between customers have too long a tail for a variance (Gamma-Gamma's q of at most 2).
    #[must_use]
    pub fn expected_spend_interval(&self) -> Option<&Interval> {
        self.totals.spend_interval.as_ref()
    }

    /// The model of rhythm behind it; times in days.
    #[must_use]
    pub fn rhythm(&self) -> &MbgNbdPosterior {
        &self.rhythm
    }

    /// Where the spend per purchase comes from; `None` without amounts.
    #[must_use]
    pub fn spend_basis(&self) -> Option<SpendBasis> {
        self.spend_basis
    }

    /// `customer_id, n_purchases, days_since_last, p_alive, p_no_purchase, expected_purchases,
    /// purchases_low, purchases_high, expected_spend_amount, spend_low_amount, spend_high_amount`, ordered by
    /// customer. Amounts are null where none were read.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let floats =
            |name: &str, of: fn(&Value) -> f64| table::nullable_floats(name, self.values.iter().map(of));
        let whole = |name: &str, of: fn(&Value) -> f64| {
            Int32Chunked::from_iter_values(name.into(), self.values.iter().map(|value| of(value) as i32))
                .into_column()
        };
        table::frame(vec![
            self.ids.column("customer_id", &self.ranks)?,
            whole("n_purchases", |value| value.n_purchases),
            whole("days_since_last", |value| value.days_since_last),
            floats("p_alive", |value| value.p_alive),
            floats("p_no_purchase", |value| value.p_no_purchase),
            floats("expected_purchases", |value| value.expected_purchases),
            whole("purchases_low", |value| value.purchases.0),
            whole("purchases_high", |value| value.purchases.1),
            floats("expected_spend_amount", |value| value.expected_spend),
            floats("spend_low_amount", |value| value.spend.0),
            floats("spend_high_amount", |value| value.spend.1),
        ])
    }
}
