//! Which columns does the model see? Features, transformed, standardised, and a few products of them.

use std::ops::Range;

use fearless_simd::Simd;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::design::Design;
use crate::features::{Feature, Idea};
use crate::math::{Kernel, LANES, add_lanes, wide};

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
        self.standardise(self.kind.raw(features), 1.0 / self.sd)
    }

    #[inline(always)]
    fn standardise(&self, raw: f64, scale: f64) -> f64 {
        let value = (raw - self.mean) * scale;
        if raw.is_nan() { 0.0 } else { value }
    }

    /// [`standardised`](Self::standardised) of rows, whose values of the [features](TermKind::features) are
    /// given one by one.
    #[inline(always)]
    pub(super) fn fill(&self, [a, b]: [&[f64]; 2], out: &mut [f64]) {
        let scale = 1.0 / self.sd;
        let (a, b) = (&a[..out.len()], &b[..out.len()]);
        match self.kind {
            TermKind::Value(_) => {
                out.iter_mut().zip(a).for_each(|(out, &a)| *out = self.standardise(a, scale));
            }
            TermKind::Missing(_) => out.iter_mut().zip(a).for_each(|(out, a)| {
                *out = self.standardise(if a.is_nan() { 1.0 } else { 0.0 }, scale);
            }),
            TermKind::Product(..) => {
                (0..out.len()).for_each(|i| out[i] = self.standardise(a[i] * b[i], scale))
            }
            TermKind::Excess(..) => {
                (0..out.len()).for_each(|i| out[i] = self.standardise(a[i] - b[i], scale))
            }
        }
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
    /// All: every feature, and products of the main ones. Of the standard features three have no column: spend in
    /// the last 2H days, which only says what a customer is worth, and the intervals' standard deviation and the
    /// latest interval, beside which the own return tells more.
    Full,
    /// The few that carry most: silence, its ratio to the rhythm, purchases ever and their rate, and
    /// tenure. No window is among them.
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
            && value(position, feature, features).is_some()
            && transformed[position].iter().any(|value| value.is_nan())
        {
            kinds.push(TermKind::Missing(position));
        }
    }
    kinds.extend(products(features));
    kinds
}

/// The products worth trying, where their features are there.
pub(crate) fn products(features: &[Feature]) -> impl Iterator<Item = TermKind> {
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
        (overdue, tenure),
        (recency, recency),
        (count, count),
    ];
    pairs.into_iter().filter_map(|(a, b)| Some(TermKind::Product(a?, b?)))
}

/// How a feature enters by itself.
fn value(position: usize, feature: &Feature, features: &[Feature]) -> Option<TermKind> {
    match feature {
        Feature::SpendIn { days } if is_for_worth(*days, features) => None,
        // The own return tells more of the shape of a customer's intervals.
        Feature::IntervalSd | Feature::IntervalLast if features.iter().any(is_own_return) => None,
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

fn is_own_return(feature: &Feature) -> bool {
    matches!(feature, Feature::OwnReturn { .. })
}

/// Whether these days are the two horizons whose spend says what a customer is worth. Beside that of one horizon
/// they tell nothing of who leaves.
fn is_for_worth(days: i32, features: &[Feature]) -> bool {
    let half = Feature::SpendIn { days: days / 2 };
    days % 2 == 0
        && features.contains(&half)
        && features.contains(&Feature::OverdueRatio { horizon_days: days / 2 })
}

/// Learns means and standard deviations on these rows; returns the terms that vary and the names of
/// those that do not.
pub(crate) fn standardise(
    kinds: &[TermKind],
    features: &[Feature],
    transformed: &[impl AsRef<[f64]> + Sync],
    rows: &[u32],
) -> (Vec<Term>, Vec<String>) {
    let learned: Vec<(Term, f64)> = kinds.par_iter().map(|&kind| learn(kind, transformed, rows)).collect();
    let mut constant = Vec::new();
    let terms = learned
        .into_iter()
        .filter_map(|(term, size)| {
            let varies = term.sd.is_finite()
                && term.sd.recip().is_finite()
                && term.sd > LEAST_RELATIVE_SD * size.max(1e-300);
            if !varies {
                constant.push(term.kind.name(features));
            }
            varies.then_some(term)
        })
        .collect();
    (terms, constant)
}

/// A term and the size of what it is made of: a difference may be 0 but for rounding.
fn learn(kind: TermKind, transformed: &[impl AsRef<[f64]>], rows: &[u32]) -> (Term, f64) {
    let mean_of = |kind: TermKind, what: What| {
        let features = kind.features().map(|feature| transformed[feature].as_ref());
        let (mut sum, mut count) = (0.0, 0.0);
        let mut room = Room::default();
        for block in rows.chunks(ROWS_PER_BLOCK) {
            let (part, known) = wide(Known { kind, values: room.pick(features, block), what });
            sum += part;
            count += known;
        }
        sum / count
    };
    let mean = mean_of(kind, What::Itself);
    let sd = mean_of(kind, What::SquareFrom(mean)).sqrt();
    let size = match kind {
        TermKind::Excess(feature, _) => mean_of(TermKind::Value(feature), What::Size),
        _ => mean.abs(),
    };
    (Term { kind, mean, sd }, size)
}

/// What is summed of a term's values.
#[derive(Clone, Copy)]
enum What {
    Itself,
    Size,
    SquareFrom(f64),
}

/// The sum and number of a term's known values.
struct Known<'a> {
    kind: TermKind,
    values: [&'a [f64]; 2],
    what: What,
}

impl Kernel for Known<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> (f64, f64) {
        let Known { kind, values, what } = self;
        match what {
            What::Itself => sum_known(kind, values, |value| value),
            What::Size => sum_known(kind, values, f64::abs),
            What::SquareFrom(mean) => sum_known(kind, values, |value| (value - mean) * (value - mean)),
        }
    }
}

#[inline(always)]
fn sum_known(kind: TermKind, values: [&[f64]; 2], of: impl Fn(f64) -> f64) -> (f64, f64) {
    match kind {
        TermKind::Value(_) => sum_in_lanes(values, |a, _| a, of),
        TermKind::Missing(_) => sum_in_lanes(values, |a, _| if a.is_nan() { 1.0 } else { 0.0 }, of),
        TermKind::Product(..) => sum_in_lanes(values, |a, b| a * b, of),
        TermKind::Excess(..) => sum_in_lanes(values, |a, b| a - b, of),
    }
}

#[inline(always)]
fn sum_in_lanes([a, b]: [&[f64]; 2], raw: impl Fn(f64, f64) -> f64, of: impl Fn(f64) -> f64) -> (f64, f64) {
    let (mut sums, mut counts) = ([0.0; LANES], [0.0; LANES]);
    let mut add = |lane: usize, a: f64, b: f64| {
        let value = raw(a, b);
        sums[lane] += if value.is_nan() { 0.0 } else { of(value) };
        counts[lane] += if value.is_nan() { 0.0 } else { 1.0 };
    };
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        (0..LANES).for_each(|lane| add(lane, a[lane], b[lane]));
    }
    for (lane, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
        add(lane, *a, *b);
    }
    (add_lanes(sums), add_lanes(counts))
}

/// Where the values of rows that do not follow each other are put together.
#[derive(Default)]
struct Room([Vec<f64>; 2]);

impl Room {
    /// Both columns' values of these rows (ascending).
    fn pick<'a>(&'a mut self, columns: [&'a [f64]; 2], rows: &[u32]) -> [&'a [f64]; 2] {
        let (&[first, ..], &[.., last]) = (rows, rows) else { return [&[]; 2] };
        let (first, last) = (first as usize, last as usize);
        if last - first + 1 == rows.len() {
            return columns.map(|column| &column[first..=last]);
        }
        let [a, b] = &mut self.0;
        for (column, picked) in columns.into_iter().zip([&mut *a, &mut *b]) {
            picked.clear();
            picked.extend(rows.iter().map(|&row| column[row as usize]));
        }
        [a, b]
    }
}

/// Some rows of a panel as the model sees them.
pub(crate) struct TermRows<'a, C> {
    pub(crate) terms: &'a [Term],
    pub(crate) transformed: &'a [C],
    pub(crate) rows: &'a [u32],
}

impl<C: AsRef<[f64]> + Sync> Design for TermRows<'_, C> {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn width(&self) -> usize {
        self.terms.len()
    }

    fn fill(&self, rows: Range<usize>, stride: usize, out: &mut [f64]) {
        let rows = &self.rows[rows];
        let mut room = Room::default();
        for (term, column) in self.terms.iter().zip(out.chunks_mut(stride)) {
            let features = term.kind.features().map(|feature| self.transformed[feature].as_ref());
            wide(FillTerm { term, values: room.pick(features, rows), out: &mut column[..rows.len()] });
        }
    }
}

/// [`Term::fill`], compiled for every instruction set.
struct FillTerm<'a> {
    term: &'a Term,
    values: [&'a [f64]; 2],
    out: &'a mut [f64],
}

impl Kernel for FillTerm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        self.term.fill(self.values, self.out);
    }
}

/// All features after their transforms.
pub(crate) fn transform(features: &[Feature], columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    features
        .par_iter()
        .zip(columns)
        .map(|(feature, column)| {
            let mut column = column.clone();
            column.par_chunks_mut(ROWS_PER_BLOCK).for_each(|values| feature.transform().apply_all(values));
            column
        })
        .collect()
}
