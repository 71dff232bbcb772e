//! What is each customer's risk, and which facts drive it?
//!
//! Probabilities are computed for all customers at once. What drives them is computed for the customers
//! that a table is asked of: the words cost far more than the number.

mod words;
mod drivers;
mod risks;
mod disk;

use std::fmt;
use std::sync::Arc;

use polars::prelude::*;

pub use self::disk::ScoredLog;
pub use self::drivers::{Driver, Drivers};
use self::drivers::{Facts, MOST_NAMED};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::{Feature, Panel, panel_at};
use crate::history::{CustomerIds, History};
use crate::model::ChurnModel;
use crate::snapshot::{days_column, feature_column};
use crate::table;

/// Every customer's churn probability and what drives it, ordered by customer.
#[derive(Clone, Debug)]
pub struct Scores {
    as_of: Option<Day>,
    horizon_days: i32,
    ids: Arc<CustomerIds>,
    ranks: Vec<u32>,
    probabilities: Vec<f64>,
    at_risk: Vec<bool>,
    days_since_last: Vec<f64>,
    facts: Arc<Facts>,
    /// Ends of the probabilities' intervals, where asked for.
    intervals: Option<Vec<(f64, f64)>>,
}

impl ChurnModel {
    /// Scores every customer with a purchase on or before `as_of`, by what was known at its end.
    ///
    /// # Errors
    /// [`Error::PolicyMismatch`] for a history read another way than the model's,
    /// [`Error::AfterObserved`] for a day the log does not reach, [`Error::BeforeFirstPurchase`] where
    /// nobody had bought.
    pub fn score(&self, history: &History, as_of: Day) -> Result<Scores> {
        self.score_history(history, as_of, Intervals::NotWanted)
    }

    /// As [`score`](Self::score), with a 95 % interval of every probability: [`Scores::intervals`], and
    /// `churn_probability_low` and `churn_probability_high` at the end of every table.
    ///
    /// The interval is the doubt about the model's average: about the share that churns among all customers
    /// with these features. It says nothing about whether this one does. It knows the doubt about the
    /// coefficients (of the shrunken estimate, clustered by customer) and, for a model
    /// [`with_season`](Self::with_season) that knows nothing of that day's season, the spread between
    /// cutoffs; not that the model may be the wrong one, nor the doubt about a known season.
    ///
    /// # Formula
    /// ```text
    /// σ(η ± 1.96 √(xᵀ V x + s²))
    /// where η is the log-odds with the season's offset, x the standardised columns with a leading 1,
    /// V the clustered covariance, s = Season::spread where the season is unknown and else 0
    /// ```
    ///
    /// # References
    /// Oehlert (1992), The American Statistician 46:27–29, for the delta method.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn score_with_intervals(&self, history: &History, as_of: Day) -> Result<Scores> {
        self.score_history(history, as_of, Intervals::Wanted)
    }

    fn score_history(&self, history: &History, as_of: Day, intervals: Intervals) -> Result<Scores> {
        let wanted = Wanted::new(self, history)?;
        let panel = panel_at(history, &wanted.features, as_of)?;
        Ok(self.score_panel(history, panel, &wanted, as_of, intervals))
    }

    fn score_panel(
        &self,
        history: &History,
        panel: Panel,
        wanted: &Wanted,
        as_of: Day,
        intervals: Intervals,
    ) -> Scores {
        let Panel { ranks, days_since_last, columns, .. } = panel;
        let silent = days_since_last.into_iter().map(f64::from).collect();
        let intervals = (intervals == Intervals::Wanted).then(|| self.intervals(&columns, as_of));
        let ids = Arc::clone(history.ids());
        let recent_spend = wanted.recent_spend;
        Scores { intervals, ..self.score_columns(Some(as_of), ids, ranks, silent, columns, recent_spend) }
    }

    /// Scores features computed elsewhere: `customer_id`, and every feature of the model by name, with
    /// null where undefined. Other columns are ignored; `days_since_last` is needed to tell who is
    /// recent.
    ///
    /// # Errors
    /// [`Error::FeatureMismatch`] for missing columns, unsuitable types, doubled customers or values
    /// that are not finite.
    pub fn score_frame(&self, features: &DataFrame) -> Result<Scores> {
        const ORIGIN: &str = "features table";
        let mismatch = |problem: String| Error::FeatureMismatch { origin: ORIGIN.to_owned(), problem };
        let recency = Feature::DaysSinceLast.name();
        let names: Vec<String> = self.features.iter().map(Feature::name).collect();
        let missing: Vec<&str> = ["customer_id", &recency]
            .into_iter()
            .chain(names.iter().map(String::as_str).filter(|name| *name != recency))
            .filter(|name| features.column(name).is_err())
            .collect();
        if !missing.is_empty() {
            return Err(mismatch(format!("columns missing: {}", missing.join(", "))));
        }
        let ids = features.column("customer_id").map_err(|error| mismatch(error.to_string()))?;
        let (ids, ranks) = CustomerIds::from_column(ids)
            .map_err(|_| mismatch("column `customer_id` must be text or integers without null".to_owned()))?;
        let mut order: Vec<usize> = (0..ranks.len()).collect();
        order.sort_by_key(|&row| ranks[row]);
        if let Some(pair) = order.windows(2).find(|pair| ranks[pair[0]] == ranks[pair[1]]) {
            return Err(mismatch(format!("customer {} stands twice", ids.text(ranks[pair[0]] as usize))));
        }
        let ordered = |name: &str| -> Result<Vec<f64>> {
            let column = feature_column(features, name, ORIGIN)?;
            Ok(order.iter().map(|&row| column[row]).collect())
        };
        let columns = names.iter().map(|name| ordered(name)).collect::<Result<Vec<_>>>()?;
        let silent = days_column(features, &recency, ORIGIN)?;
        let silent: Vec<f64> = order.iter().map(|&row| silent[row]).collect();
        let spend = Feature::SpendIn { days: self.label.horizon_days.saturating_mul(2) }.name();
        let recent_spend = names.iter().position(|name| *name == spend);
        let ranks = (0..order.len() as u32).collect();
        Ok(self.score_columns(None, Arc::new(ids), ranks, silent, columns, recent_spend))
    }

    fn score_columns(
        &self,
        as_of: Option<Day>,
        ids: Arc<CustomerIds>,
        ranks: Vec<u32>,
        days_since_last: Vec<f64>,
        columns: Vec<Vec<f64>>,
        recent_spend: Option<usize>,
    ) -> Scores {
        let season = as_of.map_or(0.0, |day| self.season_offset(day));
        let probabilities = self.shifted_probabilities(&columns, season);
        let horizon_days = self.label.horizon_days;
        let at_risk = probabilities
            .iter()
            .zip(&days_since_last)
            .map(|(&p, &days)| days < f64::from(horizon_days) && p >= self.at_risk_threshold)
            .collect();
        Scores {
            as_of,
            horizon_days,
            ids,
            ranks,
            probabilities,
            at_risk,
            days_since_last,
            facts: Arc::new(Facts::new(self, columns, recent_spend, season)),
            intervals: None,
        }
    }
}

/// What is walked: the model's own features, and what a customer brought lately.
struct Wanted {
    features: Vec<Feature>,
    /// Which of them is what a customer brought lately; `None` where amounts are unknown.
    recent_spend: Option<usize>,
}

impl Wanted {
    fn new(model: &ChurnModel, history: &History) -> Result<Self> {
        model.check_policy(history)?;
        let mut features = model.features_in(history)?;
        let spend = Feature::SpendIn { days: model.label.horizon_days.saturating_mul(2) };
        let mut recent_spend = features.iter().position(|feature| *feature == spend);
        if recent_spend.is_none() && history.reading().columns().has_amount() {
            recent_spend = Some(features.len());
            features.push(spend);
        }
        Ok(Wanted { features, recent_spend })
    }
}

/// Whether the ends of intervals are computed too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intervals {
    Wanted,
    NotWanted,
}

impl Scores {
    /// How many customers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// The day the customers were looked at; `None` for features computed elsewhere.
    #[must_use]
    pub fn as_of(&self) -> Option<Day> {
        self.as_of
    }

    /// Churn probabilities, in order of customer, 0 to 1.
    #[must_use]
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Low and high end of every probability's 95 % interval, in order of customer; `None` unless asked for
    /// with [`ChurnModel::score_with_intervals`].
    #[must_use]
    pub fn intervals(&self) -> Option<&[(f64, f64)]> {
        self.intervals.as_deref()
    }

    /// Where the log-odds of one customer come from, all of them: the average, the season and every idea of the
    /// model; `None` where there is no such row. Rows count from 0 in order of customer.
    ///
    /// ```
    /// # use winback::{ChurnModel, Columns, Cutoffs, FeatureSet, History, Snapshots};
    /// # let columns = Columns::new("customer_id", "timestamp").with_amount("amount");
    /// # let history = History::params(columns).read_csv(["data/online_retail_orders.csv"])?;
    /// # let features = FeatureSet::standard(60, &[]);
    /// # let snapshots = Snapshots::params(features).with_horizon_days(60).build(&history)?;
    /// let scores = ChurnModel::params().fit(&snapshots)?.score(&history, history.observed_until())?;
    /// let drivers = scores.drivers(0).ok_or("no customer")?;
    /// let p = scores.probabilities()[0];
    /// assert!((drivers.log_odds() - (p / (1.0 - p)).ln()).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn drivers(&self, row: usize) -> Option<Drivers> {
        (row < self.len()).then(|| self.facts.drivers(row))
    }

    /// `customer_id, log_odds, base_log_odds, season_log_odds`, and for every idea of the model
    /// `silence_log_odds`, `activity_log_odds` …, ordered by customer: all that follows `log_odds` adds up to it,
    /// but for rounding.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn drivers_frame(&self) -> Result<DataFrame> {
        let rows: Vec<usize> = (0..self.len()).collect();
        let mut columns = vec![self.ids.column("customer_id", &self.ranks)?];
        columns.extend(
            self.facts.all(&rows).into_iter().map(|(name, values)| table::nullable_floats(&name, values)),
        );
        table::frame(columns)
    }

    /// How many customers are at risk.
    #[must_use]
    pub fn n_at_risk(&self) -> usize {
        self.at_risk.iter().filter(|&&at_risk| at_risk).count()
    }

    /// `customer_id, churn_probability, at_risk, days_since_last, driver_1 … driver_3,
    /// driver_1_log_odds … driver_3_log_odds`, ordered by customer; a driver is null where fewer ideas
    /// speak. Scores with intervals have `churn_probability_low, churn_probability_high` after these.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        self.frame_of(&(0..self.len()).collect::<Vec<_>>())
    }

    /// The customers at risk who are most worth a call, at most `most`: by probability × spend in the
    /// last two horizons (probability alone where amounts are unknown). The columns of
    /// [`to_frame`](Self::to_frame) and `recent_spend_amount`.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn worth_a_call(&self, most: usize) -> Result<DataFrame> {
        let stake = |row: usize| {
            let spend = self.facts.recent_spend(row);
            self.probabilities[row] * if spend.is_nan() { 1.0 } else { spend }
        };
        let mut rows: Vec<usize> = (0..self.len()).filter(|&row| self.at_risk[row]).collect();
        rows.sort_by(|&a, &b| stake(b).total_cmp(&stake(a)));
        rows.truncate(most);
        let mut frame = self.frame_of(&rows)?;
        let spend = rows.iter().map(|&row| self.facts.recent_spend(row));
        let spend = table::nullable_floats("recent_spend_amount", spend);
        table::guarded("adding a column", || frame.with_column(spend).map(|frame| frame.clone()))
    }

    fn frame_of(&self, rows: &[usize]) -> Result<DataFrame> {
        let ranks: Vec<u32> = rows.iter().map(|&row| self.ranks[row]).collect();
        let at_risk = rows.iter().map(|&row| self.at_risk[row]);
        let silent = rows.iter().map(|&row| {
            let days = self.days_since_last[row];
            (!days.is_nan()).then_some(days as i32)
        });
        let mut columns = vec![
            self.ids.column("customer_id", &ranks)?,
            table::nullable_floats("churn_probability", rows.iter().map(|&row| self.probabilities[row])),
            BooleanChunked::from_iter_values("at_risk".into(), at_risk).into_column(),
            Int32Chunked::from_iter_options("days_since_last".into(), silent).into_column(),
        ];
        let drivers = self.facts.strongest(rows);
        for place in 0..MOST_NAMED {
            let words = drivers.iter().map(|own| own[place].as_ref().map(|driver| driver.words.as_str()));
            let name = format!("driver_{}", place + 1);
            columns.push(StringChunked::from_iter_options(name.into(), words).into_column());
        }
        for place in 0..MOST_NAMED {
            let log_odds =
                drivers.iter().map(|own| own[place].as_ref().map_or(f64::NAN, |driver| driver.log_odds));
            columns.push(table::nullable_floats(&format!("driver_{}_log_odds", place + 1), log_odds));
        }
        if let Some(intervals) = &self.intervals {
            let low = rows.iter().map(|&row| intervals[row].0);
            let high = rows.iter().map(|&row| intervals[row].1);
            columns.push(table::nullable_floats("churn_probability_low", low));
            columns.push(table::nullable_floats("churn_probability_high", high));
        }
        table::frame(columns)
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = self.probabilities.iter().sum::<f64>() / self.len().max(1) as f64;
        write!(f, "{} customers scored", self.len())?;
        if let Some(day) = self.as_of {
            write!(f, " as of {day}")?;
        }
        write!(
            f,
            ": {:.1} % expected not to buy in {} days, {} at risk",
            mean * 100.0,
            self.horizon_days,
            self.n_at_risk()
        )
    }
}
