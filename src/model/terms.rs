//! Which columns does the model see? Features, transformed, standardised, and a few products of them.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::design::Design;
use crate::features::{Feature, Idea};

/// Rows per partial sum; a constant, so that threads cannot show.
const ROWS_PER_BLOCK: usize = 1 << 14;
/// A column that varies less than this share of its size is taken for constant.
const LEAST_RELATIVE_SD: f64 = 1e-12;

/// What a column of the model is made of; numbers are positions among the features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TermKind {
    /// The transformed feature; its mean where it is null.
    Value(usize),
    /// 1 where the feature is null.
    Missing(usize),
    /// The product of two transformed features; a square where they are the same.
    Product(usize, usize),
    /// The first transformed feature minus the second.
    Excess(usize, usize),
}

/// A column of the model: what it is made of, and its mean and standard deviation in training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Term {
    pub(crate) kind: TermKind,
    pub(crate) mean: f64,
    pub(crate) sd: f64,
}

impl TermKind {
    /// The value before standardising; null only where a feature is null.
    fn raw(self, features: &impl Fn(usize) -> f64) -> f64 {
        match self {
            TermKind::Value(feature) => features(feature),
            TermKind::Missing(feature) => f64::from(features(feature).is_nan()),
            TermKind::Product(a, b) => features(a) * features(b),
            TermKind::Excess(a, b) => features(a) - features(b),
        }
    }

    pub(crate) fn name(self, features: &[Feature]) -> String {
        let name = |feature: usize| features[feature].name();
        match self {
            TermKind::Value(feature) => name(feature),
            TermKind::Missing(feature) => format!("{} is missing", name(feature)),
            TermKind::Product(a, b) if a == b => format!("{} squared", name(a)),
            TermKind::Product(a, b) => format!("{} x {}", name(a), name(b)),
            TermKind::Excess(a, b) => format!("{} - {}", name(a), name(b)),
        }
    }

    /// The idea it speaks of; a product belongs to the later of its two, when both are known.
    pub(crate) fn idea(self, features: &[Feature]) -> Idea {
        let [a, b] = self.features().map(|feature| features[feature].idea());
        a.max(b)
    }

    /// The features it is made of.
    pub(crate) fn features(self) -> [usize; 2] {
        match self {
            TermKind::Value(feature) | TermKind::Missing(feature) => [feature; 2],
            TermKind::Product(a, b) | TermKind::Excess(a, b) => [a, b],
        }
    }
}

impl Term {
    /// The standardised value; 0 where undefined.
    pub(crate) fn standardised(&self, features: &impl Fn(usize) -> f64) -> f64 {
        let raw = self.kind.raw(features);
        if raw.is_nan() { 0.0 } else { (raw - self.mean) / self.sd }
    }
}

/// Which columns the model tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TermChoice {
    /// All of them; the few where there is too little to learn many from; none, but the rhythm, where there
    /// is too little for those.
    #[default]
    Automatic,
    /// All: every feature, and products of the main ones.
    Full,
    /// The few that carry most: silence, its ratio to the rhythm, purchases ever and lately, and
    /// tenure.
    Core,
    /// None: the chance of no purchase by the rhythm alone, see [`ModelKind`](super::ModelKind).
    Rhythm,
}

/// The few columns that carry most; all features of a set that has none of them.
pub(crate) fn core(features: &[Feature]) -> Vec<TermKind> {
    let is_core = |feature: &Feature| {
        matches!(
            feature,
            Feature::DaysSinceLast
                | Feature::OverdueRatio { .. }
                | Feature::NPurchases
                | Feature::PurchaseRate { .. }
                | Feature::TenureDays
        )
    };
    let all = 0..features.len();
    let few: Vec<TermKind> =
        all.clone().filter(|&position| is_core(&features[position])).map(TermKind::Value).collect();
    if few.is_empty() { all.map(TermKind::Value).collect() } else { few }
}

/// The columns worth trying for these features: every feature, its presence where nothing else tells,
/// and products of how recent, how old, how many and how overdue.
pub(crate) fn candidates(features: &[Feature], transformed: &[Vec<f64>]) -> Vec<TermKind> {
    let mut kinds: Vec<TermKind> = features
        .iter()
        .enumerate()
        .filter_map(|(position, feature)| value(position, feature, features))
        .collect();
    for (position, feature) in features.iter().enumerate() {
        let told = feature.null_is_told_by().is_some_and(|other| features.contains(&other));
        if !told
            && !matches!(feature, Feature::OverallLoss { .. })
            && transformed[position].iter().any(|value| value.is_nan())
        {
            kinds.push(TermKind::Missing(position));
        }
    }
    let find = |wanted: fn(&Feature) -> bool| features.iter().position(wanted);
    let recency = find(|feature| matches!(feature, Feature::DaysSinceLast));
    let tenure = find(|feature| matches!(feature, Feature::TenureDays));
    let count = find(|feature| matches!(feature, Feature::NPurchases));
    let overdue = find(|feature| matches!(feature, Feature::OverdueRatio { .. }));
    let pairs = [
        (recency, count),
        (recency, tenure),
        (tenure, count),
        (overdue, count),
        (recency, recency),
        (tenure, tenure),
        (count, count),
        (overdue, overdue),
    ];
    kinds.extend(pairs.into_iter().filter_map(|(a, b)| Some(TermKind::Product(a?, b?))));
    kinds
}

/// How a feature enters by itself.
fn value(position: usize, feature: &Feature, features: &[Feature]) -> Option<TermKind> {
    match feature {
        // The level of all losses is the season's, not the customer's: a model that read it would take
        // December for a cure. Peers only count against it.
        Feature::OverallLoss { .. } => None,
        Feature::PeerLoss { column, horizon_days } => {
            let overall = Feature::OverallLoss { column: column.clone(), horizon_days: *horizon_days };
            let overall = features.iter().position(|other| *other == overall);
            Some(overall.map_or(TermKind::Value(position), |overall| TermKind::Excess(position, overall)))
        }
        _ => Some(TermKind::Value(position)),
    }
}

/// Learns means and standard deviations on these rows; returns the terms that vary and the names of
/// those that do not.
pub(crate) fn standardise(
    kinds: &[TermKind],
    features: &[Feature],
    transformed: &[Vec<f64>],
    rows: &[u32],
) -> (Vec<Term>, Vec<String>) {
    let learned: Vec<(Term, f64)> = kinds.par_iter().map(|&kind| learn(kind, transformed, rows)).collect();
    let mut constant = Vec::new();
    let terms = learned
        .into_iter()
        .filter_map(|(term, size)| {
            let varies = term.sd.is_finite() && term.sd > LEAST_RELATIVE_SD * size.max(1e-300);
            if !varies {
                constant.push(term.kind.name(features));
            }
            varies.then_some(term)
        })
        .collect();
    (terms, constant)
}

/// A term and the size of what it is made of: a difference may be 0 but for rounding.
fn learn(kind: TermKind, transformed: &[Vec<f64>], rows: &[u32]) -> (Term, f64) {
    let blocks = |kind: TermKind, of: &dyn Fn(f64) -> f64| -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for block in rows.chunks(ROWS_PER_BLOCK) {
            let mut part = 0.0;
            for &row in block {
                let value = kind.raw(&|feature| transformed[feature][row as usize]);
                if !value.is_nan() {
                    part += of(value);
                    count += 1.0;
                }
            }
            sum += part;
        }
        sum / count
    };
    let mean = blocks(kind, &|value| value);
    let sd = blocks(kind, &|value| (value - mean) * (value - mean)).sqrt();
    let size = match kind {
        TermKind::Excess(feature, _) => blocks(TermKind::Value(feature), &f64::abs),
        _ => mean.abs(),
    };
    (Term { kind, mean, sd }, size)
}

/// Some rows of a panel as the model sees them.
pub(crate) struct TermRows<'a> {
    pub(crate) terms: &'a [Term],
    pub(crate) transformed: &'a [Vec<f64>],
    pub(crate) rows: &'a [u32],
}

impl Design for TermRows<'_> {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn width(&self) -> usize {
        self.terms.len()
    }

    fn fill(&self, rows: Range<usize>, out: &mut [f64]) {
        let rows = &self.rows[rows];
        for (term, column) in self.terms.iter().zip(out.chunks_exact_mut(rows.len())) {
            for (value, &row) in column.iter_mut().zip(rows) {
                *value = term.standardised(&|feature| self.transformed[feature][row as usize]);
            }
        }
    }
}

/// All features after their transforms.
pub(crate) fn transform(features: &[Feature], columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    features
        .par_iter()
        .zip(columns)
        .map(|(feature, column)| {
            let transform = feature.transform();
            column.iter().map(|&value| transform.apply(value)).collect()
        })
        .collect()
}
