//! What would the score be, had the customer done otherwise?
//!
//! Columns that move together cannot be read one by one: a longer silence changes the days since the
//! last purchase, the age, the ratio to the rhythm and every window at once. So a step is taken in what
//! the customer did, and all columns are computed again.

use polars::prelude::*;

use super::ChurnModel;
use super::doubt::NORMAL_QUANTILE;
use super::reference::{MadeUp, ReferenceCustomer};
use crate::error::Result;
use crate::history::Refunds;
use crate::math::sigmoid;
use crate::table;

/// The step in silence: a month, which a reader can imagine.
const STEP_DAYS: i32 = 30;
/// The step in discounts.
const STEP_DISCOUNT_FRACTION: f64 = 0.1;

/// What one step changes at a customer.
#[derive(Clone, Debug, PartialEq)]
pub struct StepEffect {
    /// The step, such as `30 days more silence`.
    pub step: String,
    /// The chance to churn before it.
    pub probability_before: f64,
    /// The chance to churn after it.
    pub probability_after: f64,
    /// The change in log-odds.
    pub log_odds_change: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    log_odds_before: f64,
}

impl StepEffect {
    /// The ends of the change's interval, as chances to churn after the step.
    #[must_use]
    pub fn probability_ends(&self) -> (f64, f64) {
        (sigmoid(self.log_odds_before + self.low), sigmoid(self.log_odds_before + self.high))
    }
}

impl ChurnModel {
    /// What understandable steps change at a customer: `step, probability_before, probability_after,
    /// log_odds_change, low, high`.
    ///
    /// | step | left out where |
    /// |---|---|
    /// | 30 days more silence | |
    /// | bought on the day itself | so they did |
    /// | one purchase more (at the beginning, one interval earlier) | |
    /// | twice as many purchases (the same interval, so a customer for longer) | there is one purchase: as above |
    /// | twice as long between purchases (so a customer for longer) | there is one purchase |
    /// | twice the spend per purchase | amounts were not read, or theirs is 0 |
    /// | all of it sent back (the day after the last purchase) | that, refunds are not netted, or that day has not come |
    /// | a tenth off every price | discounts or amounts were not read, or theirs is 0 |
    ///
    /// A step that moves no column of the model is left out too: in training, nothing of the kind was there
    /// to learn from. Order is that of the table.
    ///
    /// A step changes the purchases of the [`ReferenceCustomer`]; every feature is computed again from
    /// them. Features of peers and of the caller's own are held at their median in training. `low` and
    /// `high` are the ends of the 95 % interval of the change in log-odds, from the covariance clustered by
    /// customer: the doubt about the model's coefficients (of the shrunken estimate), nothing about the
    /// customer. Probabilities are those of no particular time of year: without the season's offset. An
    /// effect is what the model expects of customers who differ so; it is no promise of what changing a
    /// customer would do.
    ///
    /// # Formula
    /// ```text
    /// Δ = dᵀβ,  low, high = Δ ± 1.96 √(dᵀ V d),  d = x(after) − x(before)
    /// where x are the standardised columns and V the clustered covariance of β
    /// ```
    ///
    /// # References
    /// Oehlert (1992), The American Statistician 46:27–29, for the delta method; Apley and Zhu (2020),
    /// Journal of the Royal Statistical Society B 82:1059–1086, for why not one column at a time.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for a customer without purchases, with negative days
    /// or amount, or with a history longer than 25,000 days.
    pub fn effects(&self, reference: &ReferenceCustomer) -> Result<DataFrame> {
        let effects = self.step_effects(reference)?;
        let of = |value: fn(&StepEffect) -> f64| effects.iter().map(value).collect::<Vec<_>>();
        let names = effects.iter().map(|effect| effect.step.as_str());
        table::frame(vec![
            StringChunked::from_iter_values("step".into(), names).into_column(),
            table::nullable_floats("probability_before", of(|effect| effect.probability_before)),
            table::nullable_floats("probability_after", of(|effect| effect.probability_after)),
            table::nullable_floats("log_odds_change", of(|effect| effect.log_odds_change)),
            table::nullable_floats("low", of(|effect| effect.low)),
            table::nullable_floats("high", of(|effect| effect.high)),
        ])
    }

    /// The rows of [`effects`](Self::effects).
    ///
    /// # Errors
    /// As there.
    pub fn step_effects(&self, reference: &ReferenceCustomer) -> Result<Vec<StepEffect>> {
        reference.check()?;
        let before = MadeUp { customer: *reference, discount_fraction: 0.0, is_sent_back: false };
        let steps = self.steps(before);
        let customers: Vec<MadeUp> =
            std::iter::once(before).chain(steps.iter().map(|(_, after)| *after)).collect();
        let columns = self.features_of(&customers)?;
        let (log_odds, rows) = (self.log_odds(&columns), self.rows_of(&columns));
        let mut effects = Vec::with_capacity(steps.len());
        for (place, (step, _)) in (1..).zip(steps) {
            let moved: Vec<f64> =
                rows[place].iter().zip(&rows[0]).map(|(after, before)| after - before).collect();
            let (is_moved, change, error) = match &self.rhythm {
                None => (
                    moved.iter().any(|&moved| moved != 0.0),
                    moved.iter().zip(&self.beta[1..]).map(|(x, b)| x * b).sum::<f64>(),
                    self.error_of(0.0, &moved),
                ),
                Some(rhythm) => {
                    let change = log_odds[place] - log_odds[0];
                    let error = rhythm.error_of_step(&self.features, self.label, &columns, [0, place]);
                    (change != 0.0, change, error)
                }
            };
            // Nothing learned is not the same as no effect.
            if is_moved {
                let reach = NORMAL_QUANTILE * error;
                effects.push(StepEffect {
                    step,
                    probability_before: sigmoid(log_odds[0]),
                    probability_after: sigmoid(log_odds[place]),
                    log_odds_change: change,
                    low: change - reach,
                    high: change + reach,
                    log_odds_before: log_odds[0],
                });
            }
        }
        Ok(effects)
    }

    /// The steps that this model and this customer can take.
    fn steps(&self, before: MadeUp) -> Vec<(String, MadeUp)> {
        let customer = before.customer;
        let otherwise = |customer: ReferenceCustomer| MadeUp { customer, ..before };
        let ReferenceCustomer { n_purchases, interval_days, days_since_last, amount } = customer;
        let columns = self.reading.columns();
        let is_paid = columns.has_amount() && amount > 0.0;
        let silent = ReferenceCustomer { days_since_last: days_since_last + STEP_DAYS, ..customer };
        let more = ReferenceCustomer { n_purchases: n_purchases + 1, ..customer };
        let many = ReferenceCustomer { n_purchases: 2 * n_purchases, ..customer };
        let slow = ReferenceCustomer { interval_days: interval_days.saturating_mul(2), ..customer };
        let dear = ReferenceCustomer { amount: 2.0 * amount, ..customer };
        let today = ReferenceCustomer { days_since_last: 0, ..customer };
        let discounted = MadeUp { discount_fraction: STEP_DISCOUNT_FRACTION, ..before };
        let sent_back = MadeUp { is_sent_back: true, ..before };
        let is_netted = self.reading.refunds == Refunds::Net;
        let steps = [
            (true, format!("{STEP_DAYS} days more silence"), otherwise(silent)),
            (days_since_last > 0, "bought on the day itself".to_owned(), otherwise(today)),
            (true, "one purchase more".to_owned(), otherwise(more)),
            (n_purchases > 1, "twice as many purchases".to_owned(), otherwise(many)),
            (n_purchases > 1, "twice as long between purchases".to_owned(), otherwise(slow)),
            (is_paid, "twice the spend per purchase".to_owned(), otherwise(dear)),
            (is_paid && is_netted && days_since_last > 0, "all of it sent back".to_owned(), sent_back),
            (is_paid && columns.discount().is_some(), "a tenth off every price".to_owned(), discounted),
        ];
        steps.into_iter().filter(|(can, ..)| *can).map(|(_, step, after)| (step, after)).collect()
    }
}
