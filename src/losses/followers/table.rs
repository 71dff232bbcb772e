//! Which columns has the table of who follows?

use polars::prelude::*;

use super::{Follower, Followers};
use crate::error::Result;
use crate::table;

impl Followers {
    /// `customer_id, churn_probability, days_since_last, value_amount, at_stake_amount, at_stake_purchases,
    /// driver_1 … driver_3, exposed_to` (findings, joined by `; `), then `similar_1, similar_1_distance` and so
    /// on, and `likely_cause, likely_cause_fraction`; those with most at stake first.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        const DRIVERS: usize = 3;
        let ranks: Vec<u32> = self.rows.iter().map(|row| row.rank).collect();
        let floats = |name: &str, of: &dyn Fn(&Follower) -> f64| {
            table::nullable_floats(name, self.rows.iter().map(of))
        };
        let texts = |name: &str, of: &dyn Fn(&Follower) -> Option<String>| {
            StringChunked::from_iter_options(name.into(), self.rows.iter().map(of)).into_column()
        };
        let silent = self.rows.iter().map(|row| row.days_since_last);
        let mut columns = vec![
            self.ids.column("customer_id", &ranks)?,
            floats("churn_probability", &|row| row.churn_probability),
            Int32Chunked::from_iter_values("days_since_last".into(), silent).into_column(),
            floats("value_amount", &|row| row.value_amount),
            floats("at_stake_amount", &|row| row.at_stake_amount),
            floats("at_stake_purchases", &|row| row.at_stake_purchases),
        ];
        for place in 0..DRIVERS {
            columns.push(texts(&format!("driver_{}", place + 1), &|row| row.drivers.get(place).cloned()));
        }
        columns.push(texts("exposed_to", &|row| {
            (!row.exposed_to.is_empty()).then(|| row.exposed_to.join("; "))
        }));
        for place in 0..self.similar {
            let name = format!("similar_{}", place + 1);
            columns.push(texts(&name, &|row| row.similar.get(place).map(|one| one.customer_id.clone())));
            let distance = |row: &Follower| row.similar.get(place).map_or(f64::NAN, |one| one.distance);
            columns.push(floats(&format!("{name}_distance"), &distance));
        }
        columns.push(texts("likely_cause", &|row| {
            row.likely_cause.map(|likely| likely.cause.name().to_owned())
        }));
        let fraction = |row: &Follower| row.likely_cause.map_or(f64::NAN, |likely| likely.fraction);
        columns.push(floats("likely_cause_fraction", &fraction));
        table::frame(columns)
    }
}
