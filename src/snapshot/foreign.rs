//! How does a panel computed by another engine come back?

use polars::prelude::*;

use super::pick;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::history::CustomerIds;
use crate::table::guarded;

/// A panel that another engine computed, put into order.
pub(super) struct ForeignTable {
    pub(super) cutoffs: Vec<Day>,
    pub(super) ids: CustomerIds,
    pub(super) ranks: Vec<u32>,
    pub(super) positions: Vec<u32>,
    pub(super) days_since_last: Vec<i32>,
    pub(super) churned: Vec<bool>,
    pub(super) columns: Vec<Vec<f64>>,
}

const FOREIGN: &str = "snapshots table";

fn mismatch(problem: impl Into<String>) -> Error {
    Error::FeatureMismatch { origin: FOREIGN.to_owned(), problem: problem.into() }
}

impl ForeignTable {
    pub(super) fn read(frame: &DataFrame, features: &[Feature]) -> Result<Self> {
        let names: Vec<String> = features.iter().map(Feature::name).collect();
        let recency = Feature::DaysSinceLast.name();
        let needed = ["customer_id", "cutoff", "churned", recency.as_str()];
        let missing: Vec<&str> = needed
            .into_iter()
            .chain(names.iter().map(String::as_str))
            .filter(|name| frame.column(name).is_err())
            .collect();
        if !missing.is_empty() {
            return Err(mismatch(format!("columns missing: {}", missing.join(", "))));
        }
        if frame.height() == 0 {
            return Err(mismatch("it has no rows"));
        }
        let keys = Keys::read(frame)?;
        let order = keys.order()?;
        let mut columns = Vec::with_capacity(names.len());
        for name in &names {
            columns.push(pick(&feature_column(frame, name, FOREIGN)?, &order));
        }
        let recency = pick(&days_column(frame, &recency, FOREIGN)?, &order);
        Ok(keys.finish(&order, columns, recency.iter().map(|&days| days as i32).collect()))
    }
}

/// The key columns of a foreign table, in its own order.
struct Keys {
    ids: CustomerIds,
    ranks: Vec<u32>,
    days: Vec<i32>,
    churned: Vec<bool>,
}

impl Keys {
    fn read(frame: &DataFrame) -> Result<Self> {
        let wrong = |name: &str, expected: &str| mismatch(format!("column `{name}` must be {expected}"));
        let days = guarded("reading cutoffs", || {
            let column = frame.column("cutoff")?.as_materialized_series().cast(&DataType::Date)?;
            Ok(column.to_physical_repr().i32()?.clone())
        })
        .map_err(|_| wrong("cutoff", "a date without null"))?;
        let churned = guarded("reading labels", || {
            let column = frame.column("churned")?.as_materialized_series().cast(&DataType::Float64)?;
            Ok(column.f64()?.clone())
        })
        .map_err(|_| wrong("churned", "0/1 or a boolean without null"))?;
        let churned = churned
            .iter()
            .map(|label| match label {
                Some(0.0) => Ok(false),
                Some(1.0) => Ok(true),
                _ => Err(wrong("churned", "0/1 or a boolean without null")),
            })
            .collect::<Result<_>>()?;
        let days = days
            .iter()
            .collect::<Option<Vec<i32>>>()
            .ok_or_else(|| wrong("cutoff", "a date without null"))?;
        let column = frame.column("customer_id").map_err(|error| mismatch(error.to_string()))?;
        let (ids, ranks) = CustomerIds::from_column(column)
            .map_err(|_| wrong("customer_id", "text or integers without null"))?;
        Ok(Keys { ids, ranks, days, churned })
    }

    /// The rows in order of customer and cutoff; refuses a pair that stands twice.
    fn order(&self) -> Result<Vec<usize>> {
        let key = |row: usize| (self.ranks[row], self.days[row]);
        let mut order: Vec<usize> = (0..self.ranks.len()).collect();
        order.sort_by_key(|&row| key(row));
        match order.windows(2).find(|pair| key(pair[0]) == key(pair[1])) {
            Some(pair) => Err(mismatch(format!(
                "customer {} stands twice at {}",
                self.ids.text(self.ranks[pair[0]] as usize),
                Day::from_days_since_epoch(self.days[pair[0]])
            ))),
            None => Ok(order),
        }
    }

    fn finish(self, order: &[usize], columns: Vec<Vec<f64>>, days_since_last: Vec<i32>) -> ForeignTable {
        let days = pick(&self.days, order);
        let mut cutoffs = days.clone();
        cutoffs.sort_unstable();
        cutoffs.dedup();
        ForeignTable {
            positions: days.iter().map(|day| cutoffs.partition_point(|cutoff| cutoff < day) as u32).collect(),
            cutoffs: cutoffs.into_iter().map(Day::from_days_since_epoch).collect(),
            ranks: pick(&self.ranks, order),
            churned: pick(&self.churned, order),
            ids: self.ids,
            days_since_last,
            columns,
        }
    }
}

/// A feature column that holds whole days, at least 0, in every row.
pub(crate) fn days_column(frame: &DataFrame, name: &str, origin: &str) -> Result<Vec<f64>> {
    let column = feature_column(frame, name, origin)?;
    let is_days = |days: &f64| days.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(days);
    match column.iter().position(|days| !is_days(days)) {
        Some(row) => Err(Error::FeatureMismatch {
            origin: origin.to_owned(),
            problem: format!(
                "column `{name}` must be whole and at least 0, found {} in row {}",
                column[row],
                row + 1
            ),
        }),
        None => Ok(column),
    }
}

/// A feature column of a table computed elsewhere; null becomes NaN, NaN and infinities are refused.
pub(crate) fn feature_column(frame: &DataFrame, name: &str, origin: &str) -> Result<Vec<f64>> {
    let refuse = |problem: String| Error::FeatureMismatch { origin: origin.to_owned(), problem };
    let column = frame.column(name).map_err(|_| refuse(format!("columns missing: {name}")))?;
    let floats = guarded("reading features", || {
        let column = column.as_materialized_series();
        if !(column.dtype().is_primitive_numeric()
            || matches!(column.dtype(), DataType::Boolean | DataType::Null))
        {
            polars_bail!(InvalidOperation: "type {}", column.dtype());
        }
        Ok(column.cast(&DataType::Float64)?.f64()?.clone())
    })
    .map_err(|_| refuse(format!("column `{name}` is {}, expected numbers", column.dtype())))?;
    match floats.iter().position(|value| value.is_some_and(|value| !value.is_finite())) {
        Some(row) => Err(refuse(format!(
            "column `{name}` is not finite in row {}; write null where it is undefined",
            row + 1
        ))),
        None => Ok(floats.iter().map(|value| value.unwrap_or(f64::NAN)).collect()),
    }
}
