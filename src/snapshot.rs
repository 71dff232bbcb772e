//! Did they come back? One row per customer and cutoff, with what was known and what came of it.
//!
//! Features end at the cutoff; the label begins after it. A label whose window the log does not cover
//! to its end is refused.

mod label;
mod cutoffs;
mod foreign;
mod horizon;
mod sample;

use std::sync::Arc;

use polars::prelude::*;
use rayon::prelude::*;

pub use self::cutoffs::{Cutoffs, Rolling};
use self::foreign::ForeignTable;
pub(crate) use self::foreign::{days_column, feature_column};
pub use self::horizon::HorizonAdvice;
pub use self::label::LabelWindow;
pub(crate) use self::sample::{SAMPLE_SALT, taken};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::{Feature, FeatureSet, Panel, Population, walk};
use crate::history::{CustomerIds, History, HistoryParams};
use crate::table;

/// How to take snapshots.
///
/// | setting | default |
/// |---|---|
/// | horizon H | 90 days |
/// | lead | 0 days |
/// | cutoffs | [`Cutoffs::rolling`] |
/// | population | [`Population::All`] |
#[derive(Clone, Debug)]
pub struct SnapshotsParams {
    features: FeatureSet,
    label: LabelWindow,
    cutoffs: Cutoffs,
    population: Population,
}

impl SnapshotsParams {
    /// Sets the horizon: churned is who buys nothing for so many days.
    #[must_use]
    pub fn with_horizon_days(mut self, days: i32) -> Self {
        self.label.horizon_days = days;
        self
    }

    /// Sets the days between the cutoff and the label window, for those who need time to act.
    #[must_use]
    pub fn with_lead_days(mut self, days: i32) -> Self {
        self.label.lead_days = days;
        self
    }

    /// Sets the cutoffs.
    #[must_use]
    pub fn with_cutoffs(mut self, cutoffs: impl Into<Cutoffs>) -> Self {
        self.cutoffs = cutoffs.into();
        self
    }

    /// Restricts the customers.
    #[must_use]
    pub fn with_population(mut self, population: Population) -> Self {
        self.population = population;
        self
    }

    /// As if the log ended with the label of that day: no later cutoff, and rolling ones roll back from it.
    pub(crate) fn ending(mut self, cutoff: Day) -> Self {
        self.cutoffs = self.cutoffs.ending(cutoff);
        self
    }

    /// The last cutoff that this log offers.
    pub(crate) fn last_cutoff(&self, history: &History) -> Result<Day> {
        self.label.check()?;
        let days = self.cutoffs.days(history, self.label)?;
        Ok(days[days.len() - 1])
    }

    /// The last cutoff and those before it, also beyond the number taken.
    pub(crate) fn cutoffs_backwards(&self, history: &History) -> Result<impl Iterator<Item = Day> + use<>> {
        let last = self.last_cutoff(history)?;
        Ok(self.cutoffs.backwards(last, history.observed_from(), self.label.horizon_days))
    }

    /// Computes features and labels of every customer at every cutoff.
    ///
    /// # Errors
    /// [`Error::HorizonNotObserved`] for a label the log does not cover, [`Error::NoCutoffs`] for a log
    /// too short for any, [`Error::BeforeFirstPurchase`] where nobody had bought, and what
    /// [`FeatureSet::resolve`] refuses.
    pub fn build(&self, history: &History) -> Result<Snapshots> {
        self.label.check()?;
        let features = self.features.resolve(history)?;
        let cutoffs = self.cutoffs.days(history, self.label)?;
        let Panel { ranks, cutoffs: positions, days_since_last, columns } =
            walk(history, &features, &cutoffs, (self.population, self.label.horizon_days))?;
        if ranks.is_empty() {
            return Err(history.nobody_bought_by(cutoffs[cutoffs.len() - 1]));
        }
        let churned = ranks
            .par_iter()
            .zip(&positions)
            .map(|(&rank, &position)| {
                self.label.churned(cutoffs[position as usize], history.run(rank as usize).days)
            })
            .collect();
        Ok(Snapshots {
            features,
            label: self.label,
            population: self.population,
            cutoffs,
            ids: Arc::clone(history.ids()),
            ranks,
            positions,
            days_since_last,
            churned,
            columns,
            straddling: 0,
            reading: history.reading().clone(),
            fingerprint: history.fingerprint().to_owned(),
        })
    }
}

/// Labelled features: a row per customer and cutoff, ordered by both.
#[derive(Clone, Debug)]
pub struct Snapshots {
    features: Vec<Feature>,
    label: LabelWindow,
    population: Population,
    cutoffs: Vec<Day>,
    ids: Arc<CustomerIds>,
    ranks: Vec<u32>,
    positions: Vec<u32>,
    days_since_last: Vec<i32>,
    churned: Vec<bool>,
    columns: Vec<Vec<f64>>,
    straddling: usize,
    reading: HistoryParams,
    fingerprint: String,
}

impl Snapshots {
    /// Begins to take snapshots of these features.
    #[must_use]
    pub fn params(features: FeatureSet) -> SnapshotsParams {
        SnapshotsParams {
            features,
            label: LabelWindow { lead_days: 0, horizon_days: 90 },
            cutoffs: Cutoffs::rolling().into(),
            population: Population::default(),
        }
    }

    /// Takes a table computed elsewhere: `customer_id`, `cutoff` (a date), `churned` (0/1 or a
    /// boolean), and every feature of the set that such a log can provide, by name, with null where undefined. Other columns are
    /// ignored; rows may come in any order. `days_since_last` must be among the features.
    ///
    /// `reading` says how the log behind the table was read; scoring compares with it. Where the table holds recent
    /// customers only, say so: [`with_population`](Self::with_population).
    ///
    /// # Errors
    /// [`Error::FeatureMismatch`] for missing columns, wrong types, null keys or labels, doubled rows
    /// infinite values and an empty table; what [`FeatureSet::resolve`] refuses.
    pub fn from_frame(
        frame: &DataFrame,
        features: &FeatureSet,
        label: LabelWindow,
        reading: &HistoryParams,
    ) -> Result<Self> {
        label.check()?;
        let features = features.resolve_columns(reading.columns())?;
        let table = ForeignTable::read(frame, &features)?;
        Ok(Snapshots {
            features,
            label,
            population: Population::All,
            cutoffs: table.cutoffs,
            ids: Arc::new(table.ids),
            ranks: table.ranks,
            positions: table.positions,
            days_since_last: table.days_since_last,
            churned: table.churned,
            columns: table.columns,
            straddling: 0,
            reading: reading.clone(),
            fingerprint: "computed elsewhere".to_owned(),
        })
    }

    /// Says whom a table computed elsewhere holds; everyone who had bought, unless told.
    ///
    /// # Errors
    /// [`Error::FeatureMismatch`] where a row does not belong to that population.
    pub fn with_population(mut self, population: Population) -> Result<Self> {
        let horizon_days = self.label.horizon_days;
        let strangers =
            self.days_since_last.iter().filter(|&&days| !population.includes(days, horizon_days)).count();
        if strangers > 0 {
            return Err(Error::FeatureMismatch {
                origin: "snapshots".to_owned(),
                problem: format!(
                    "{strangers} of {} rows do not hold {population}; leave them out",
                    self.days_since_last.len()
                ),
            });
        }
        self.population = population;
        Ok(self)
    }

    /// How many rows: one per customer and cutoff.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ranks.len()
    }

    /// How many different customers.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.ranks.chunk_by(|a, b| a == b).count()
    }

    /// The cutoffs, ascending.
    #[must_use]
    pub fn cutoffs(&self) -> &[Day] {
        &self.cutoffs
    }

    /// The label window.
    #[must_use]
    pub fn label(&self) -> LabelWindow {
        self.label
    }

    /// The last day of the last label window.
    #[must_use]
    pub fn labelled_until(&self) -> Day {
        self.last_cutoff().plus_days(self.label.days())
    }

    /// Share of rows that are churned, 0 to 1.
    #[must_use]
    pub fn churned_fraction(&self) -> f64 {
        self.churned.iter().filter(|&&churned| churned).count() as f64 / self.rows() as f64
    }

    /// Rows that an earlier split left out because their label window reached past the test cutoff.
    #[must_use]
    pub fn straddling_rows(&self) -> usize {
        self.straddling
    }

    /// Splits in time: training rows have labels that end on or before `test_cutoff`; test rows have
    /// cutoffs on or after it. Rows in between are left out and counted
    /// ([`straddling_rows`](Self::straddling_rows) of both parts).
    ///
    /// # Errors
    /// [`Error::EmptySplit`] where either part has no row.
    pub fn split_at(&self, test_cutoff: Day) -> Result<(Snapshots, Snapshots)> {
        let training = self.keep_cutoffs(|cutoff| cutoff.plus_days(self.label.days()) <= test_cutoff);
        let test = self.keep_cutoffs(|cutoff| cutoff >= test_cutoff);
        let empty = |side| Error::EmptySplit {
            test_cutoff,
            side,
            first: self.cutoffs[0],
            last: self.last_cutoff(),
            label_days: self.label.days(),
        };
        let (mut training, mut test) =
            (training.ok_or_else(|| empty("training"))?, test.ok_or_else(|| empty("test"))?);
        let straddling = self.rows() - training.rows() - test.rows();
        (training.straddling, test.straddling) = (straddling, straddling);
        Ok((training, test))
    }

    /// `customer_id, cutoff, churned`, then the features; null where undefined.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let mut columns = vec![
            self.ids.column("customer_id", &self.ranks)?,
            table::dates("cutoff", self.positions.iter().map(|&position| self.cutoffs[position as usize])),
            BooleanChunked::from_iter_values("churned".into(), self.churned.iter().copied()).into_column(),
        ];
        for (feature, values) in self.features.iter().zip(&self.columns) {
            columns.push(table::nullable_floats(&feature.name(), values.iter().copied()));
        }
        table::frame(columns)
    }

    /// The features, in the order of the columns.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    pub(crate) fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// The column of the first feature that is wanted.
    pub(crate) fn column(&self, wanted: impl Fn(&Feature) -> bool) -> Option<&[f64]> {
        let position = self.features.iter().position(wanted)?;
        Some(&self.columns[position])
    }

    pub(crate) fn labels(&self) -> &[bool] {
        &self.churned
    }

    /// Each row's customer, ascending.
    pub(crate) fn ranks(&self) -> &[u32] {
        &self.ranks
    }

    /// Each row's cutoff, by position.
    pub(crate) fn positions(&self) -> &[u32] {
        &self.positions
    }

    pub(crate) fn days_since_last(&self) -> &[i32] {
        &self.days_since_last
    }

    /// Whether the customer bought in the last H days before the cutoff.
    pub(crate) fn is_recent(&self, row: usize) -> bool {
        self.days_since_last[row] < self.label.horizon_days
    }

    pub(crate) fn ids(&self) -> &CustomerIds {
        &self.ids
    }

    pub(crate) fn reading(&self) -> &HistoryParams {
        &self.reading
    }

    pub(crate) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(crate) fn population(&self) -> Population {
        self.population
    }

    pub(crate) fn last_cutoff(&self) -> Day {
        self.cutoffs[self.cutoffs.len() - 1]
    }

    /// The rows of the first cutoff alone.
    pub(crate) fn at_first_cutoff(&self) -> Snapshots {
        let first = self.cutoffs[0];
        self.keep_cutoffs(|cutoff| cutoff == first).unwrap_or_else(|| self.clone())
    }

    /// The rows whose cutoff is wanted, or `None` where there are none.
    fn keep_cutoffs(&self, wanted: impl Fn(Day) -> bool) -> Option<Snapshots> {
        let cutoffs: Vec<Day> = self.cutoffs.iter().copied().filter(|&cutoff| wanted(cutoff)).collect();
        let first = self.cutoffs.iter().position(|cutoff| Some(cutoff) == cutoffs.first())? as u32;
        let rows: Vec<usize> =
            (0..self.rows()).filter(|&row| wanted(self.cutoffs[self.positions[row] as usize])).collect();
        if rows.is_empty() {
            return None;
        }
        Some(Snapshots {
            cutoffs,
            ranks: pick(&self.ranks, &rows),
            // What is wanted is a stretch of time, so that positions only shift.
            positions: rows.iter().map(|&row| self.positions[row] - first).collect(),
            days_since_last: pick(&self.days_since_last, &rows),
            churned: pick(&self.churned, &rows),
            columns: self.columns.iter().map(|column| pick(column, &rows)).collect(),
            features: self.features.clone(),
            ids: Arc::clone(&self.ids),
            reading: self.reading.clone(),
            fingerprint: self.fingerprint.clone(),
            ..*self
        })
    }
}

fn pick<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| values[row]).collect()
}
