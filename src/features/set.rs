//! Which features, and can this history provide them?

use polars::prelude::{Column, DataFrame};
use rayon::prelude::*;

use super::feature::Feature;
use super::walk::{Panel, Population, panel_at, walk};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::history::{Columns, History};
use crate::table;

/// Horizons may have so many days: the longest standard window is four of them.
pub(crate) const HORIZON_DAYS: std::ops::RangeInclusive<i32> = 1..=9_125;
/// Windows may have so many days.
pub(crate) const SPAN_DAYS: std::ops::RangeInclusive<i32> = 1..=36_500;

/// A list of features.
///
/// ```
/// use winback::features::{Feature, FeatureSet};
///
/// let set = FeatureSet::standard(90, &["country"])
///     .without(&Feature::AmountLast)
///     .with(Feature::PurchasesIn { days: 7 });
/// assert!(set.names().contains(&"purchases_last_7_days".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSet {
    features: Vec<Feature>,
    /// Whether features whose column was not read are left out rather than refused.
    optional: Vec<bool>,
}

impl FeatureSet {
    /// The standard features for a horizon, and a peer loss rate per segment column.
    ///
    /// Features about amounts and discounts are left out where the history was read without them.
    #[must_use]
    pub fn standard(horizon_days: i32, segment_columns: &[&str]) -> Self {
        let half = (horizon_days / 2).max(1);
        let times = |factor: i32| horizon_days.saturating_mul(factor);
        let mut windows = vec![half, horizon_days, times(2), times(4)];
        windows.dedup();
        let mut features = vec![
            Feature::DaysSinceLast,
            Feature::TenureDays,
            Feature::NPurchases,
            Feature::IntervalShrunk { horizon_days },
            Feature::OverdueRatio { horizon_days },
            Feature::PurchaseRate { horizon_days },
            Feature::IntervalSd,
            Feature::IntervalMax,
            Feature::IntervalLast,
            Feature::SilenceFraction,
            Feature::OwnReturn { horizon_days },
        ];
        features.extend(windows.into_iter().map(|days| Feature::PurchasesIn { days }));
        features.extend([
            Feature::AmountMean,
            Feature::AmountLast,
            Feature::SpendIn { days: horizon_days },
            Feature::SpendIn { days: times(2) },
            Feature::RefundFraction,
            Feature::DiscountFraction,
            Feature::IsSinglePurchase,
            Feature::IsSilentBeyondLongest,
        ]);
        let optional = vec![true; features.len()];
        let set = FeatureSet { features, optional };
        segment_columns.iter().fold(set, |set, &column| {
            let column = column.to_owned();
            set.with(Feature::PeerLoss { column: column.clone(), horizon_days })
                .with(Feature::OverallLoss { column, horizon_days })
        })
    }

    /// No features at all; add some with [`with`](Self::with).
    #[must_use]
    pub fn empty() -> Self {
        FeatureSet { features: Vec::new(), optional: Vec::new() }
    }

    /// Adds a feature. A history that cannot provide it is refused.
    #[must_use]
    pub fn with(mut self, feature: Feature) -> Self {
        self.features.push(feature);
        self.optional.push(false);
        self
    }

    /// Leaves a feature out, if it is there.
    #[must_use]
    pub fn without(self, feature: &Feature) -> Self {
        let (features, optional) =
            self.features.into_iter().zip(self.optional).filter(|(one, _)| one != feature).unzip();
        FeatureSet { features, optional }
    }

    /// The names of all features, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.features.iter().map(Feature::name).collect()
    }

    /// The features, in order.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The features that this history can provide.
    ///
    /// # Errors
    /// [`Error::FeatureNeedsColumn`] for a feature that was asked for by name,
    /// [`Error::DuplicateFeature`], or [`Error::Parameter`] for a window below one day.
    pub fn resolve(&self, history: &History) -> Result<Vec<Feature>> {
        self.resolve_columns(history.reading().columns())
    }

    pub(crate) fn resolve_columns(&self, columns: &Columns) -> Result<Vec<Feature>> {
        self.check()?;
        let mut features = Vec::new();
        for (feature, optional) in self.features.iter().zip(&self.optional) {
            match feature.lacks(columns) {
                None => features.push(feature.clone()),
                Some(_) if *optional => {}
                Some(column) => {
                    return Err(Error::FeatureNeedsColumn { feature: feature.name(), column });
                }
            }
        }
        if features.is_empty() {
            return Err(Error::parameter("feature set", "empty", "at least one feature"));
        }
        Ok(features)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let mut names = self.names();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::DuplicateFeature { feature: pair[0].clone() });
        }
        match self.features.iter().filter_map(Feature::span_days).find(|days| !SPAN_DAYS.contains(days)) {
            Some(days) => {
                Err(Error::parameter("a feature's window", format!("{days} days"), "1 to 36,500 days"))
            }
            None => Ok(()),
        }
    }

    /// The features of every customer who had bought by the cutoff: `customer_id`, then one column
    /// each, ordered by customer.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`Error::AfterObserved`] for a cutoff the log does not reach;
    /// [`Error::BeforeFirstPurchase`] where nobody had bought.
    pub fn features_at(&self, history: &History, cutoff: Day) -> Result<DataFrame> {
        let features = self.resolve(history)?;
        let panel = panel_at(history, &features, cutoff)?;
        frame_at(history, &features, panel)
    }

    /// The features at several cutoffs, in one pass over the history: `customer_id`, `cutoff`, then one
    /// column each, one row per cutoff and customer who had bought by it, ordered by customer, then cutoff.
    ///
    /// Cutoffs may come in any order and more than once. Each row equals that of
    /// [`features_at`](Self::features_at) to the bit.
    ///
    /// ```
    /// use polars::df;
    /// use winback::{Columns, Day, FeatureSet, History};
    ///
    /// let orders = df!["customer_id" => [1, 1, 2], "ordered_on" => ["2024-01-05", "2024-03-01", "2024-02-10"]]?;
    /// let history = History::params(Columns::new("customer_id", "ordered_on")).from_frame(&orders)?;
    /// let cutoffs: [Day; 2] = ["2024-01-31".parse()?, "2024-02-29".parse()?];
    /// let features = FeatureSet::standard(30, &[]).features_at_each(&history, &cutoffs)?;
    /// assert_eq!(features.height(), 3); // customer 2 had not bought by the first cutoff
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] without a cutoff; else as [`features_at`](Self::features_at).
    pub fn features_at_each(&self, history: &History, cutoffs: &[Day]) -> Result<DataFrame> {
        let features = self.resolve(history)?;
        let cutoffs = ascending(cutoffs, history)?;
        let panel = walk(history, &features, &cutoffs, (Population::All, 0))?;
        // Whoever had bought by the first cutoff had by all.
        if !panel.cutoffs.contains(&0) {
            return Err(history.nobody_bought_by(cutoffs[0]));
        }
        frame_at_each(history, &features, &cutoffs, panel)
    }
}

/// The cutoffs in order, each once; refuses days that the log does not reach, and none at all.
pub(crate) fn ascending(cutoffs: &[Day], history: &History) -> Result<Vec<Day>> {
    let mut cutoffs = cutoffs.to_vec();
    cutoffs.sort_unstable();
    cutoffs.dedup();
    match cutoffs.last() {
        None => Err(Error::parameter("cutoffs", "empty", "at least one day")),
        Some(&last) if last > history.observed_until() => {
            Err(Error::AfterObserved { as_of: last, observed_until: history.observed_until() })
        }
        Some(_) => Ok(cutoffs),
    }
}

/// A panel at several cutoffs as a table.
pub(super) fn frame_at_each(
    history: &History,
    features: &[Feature],
    cutoffs: &[Day],
    panel: Panel,
) -> Result<DataFrame> {
    let days = panel.cutoffs.iter().map(|&cutoff| cutoffs[cutoff as usize]);
    let keys = vec![history.ids().column("customer_id", &panel.ranks)?, table::dates("cutoff", days)];
    frame_of(keys, features, panel)
}

/// A panel at one cutoff as a table.
pub(super) fn frame_at(history: &History, features: &[Feature], panel: Panel) -> Result<DataFrame> {
    let ids = history.ids().column("customer_id", &panel.ranks)?;
    frame_of(vec![ids], features, panel)
}

fn frame_of(mut columns: Vec<Column>, features: &[Feature], panel: Panel) -> Result<DataFrame> {
    let named = features.par_iter().zip(panel.columns);
    columns.par_extend(named.map(|(feature, values)| table::nullable_floats(&feature.name(), values)));
    table::frame(columns)
}
