//! How do features of many cutoffs come out of one pass?
//!
//! Hot path 2. Cutoffs ascend; each customer's sums are advanced purchase by purchase and read off at
//! each cutoff. Customers are taken in blocks of a constant number, in order of id, so that threads
//! cannot show in the result.

use std::ops::Range;

use fearless_simd::Simd;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::feature::Feature;
use super::peers::{PeerTable, folds};
use super::view::{Block, State, Sums};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::history::{History, Run};
use crate::math::{Kernel, wide};

/// About how many rows are walked at a time: what belongs to them stays in the processor's cache.
const ROWS_PER_BLOCK: usize = 1 << 10;
const LEAST_CUSTOMERS_PER_BLOCK: usize = 1 << 6;

/// Which customers a panel holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Population {
    /// Everyone who bought on or before the cutoff.
    #[default]
    All,
    /// Those who bought in the last H days before it.
    Recent,
}

impl Population {
    pub(crate) fn includes(self, days_since_last: i32, horizon_days: i32) -> bool {
        match self {
            Population::All => true,
            Population::Recent => days_since_last < horizon_days,
        }
    }
}

impl std::fmt::Display for Population {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Population::All => "everyone who had bought",
            Population::Recent => "recent customers only",
        })
    }
}

/// Features of customers at cutoffs, column by column; ordered by customer, then cutoff.
#[derive(Clone, Debug, Default)]
pub(crate) struct Panel {
    /// Each row's customer, by rank of id.
    pub(crate) ranks: Vec<u32>,
    /// Each row's cutoff, by position.
    pub(crate) cutoffs: Vec<u32>,
    /// Each row's days since the last purchase.
    pub(crate) days_since_last: Vec<i32>,
    /// Per feature its values; NaN is null.
    pub(crate) columns: Vec<Vec<f64>>,
}

/// Walks every customer past the cutoffs (ascending). The features' columns must be in the history.
pub(crate) fn walk(
    history: &History,
    features: &[Feature],
    cutoffs: &[Day],
    population: (Population, i32),
) -> Result<Panel> {
    walk_among(history, features, cutoffs, population, &count_peers(history, features, cutoffs))
}

/// [`walk`] among peers that have been counted.
pub(super) fn walk_among(
    history: &History,
    features: &[Feature],
    cutoffs: &[Day],
    (population, horizon_days): (Population, i32),
    peers: &[PeerTable],
) -> Result<Panel> {
    let included = |days_since_last: i32| population.includes(days_since_last, horizon_days);
    let mut windows: Vec<i32> = features.iter().filter_map(Feature::window_days).collect();
    windows.sort_unstable();
    windows.dedup();
    let blocks = Blocks::new(history, cutoffs);
    let rows = rows_per_block(history, blocks, cutoffs, (population, horizon_days));
    let mut panel = Panel::of_rows(rows.iter().sum(), features.len());
    let infinite: Vec<Option<Infinite>> = panel
        .blocks(&rows)
        .into_par_iter()
        .enumerate()
        .map(|(number, out)| {
            let ranks = blocks.of(number);
            let runs = history.runs(ranks.clone());
            wide(Walk {
                ranks,
                runs: &runs,
                cutoffs,
                included,
                windows: &windows,
                features,
                peers,
                history,
                out,
            })
        })
        .collect();
    match infinite.into_iter().flatten().min_by_key(|found| (found.feature, found.rank)) {
        None => Ok(panel),
        Some(Infinite { feature, rank, cutoff_index, value }) => Err(Error::NotFinite {
            feature: features[feature].name(),
            customer: history.ids().text(rank as usize).into_owned(),
            cutoff: cutoffs[cutoff_index as usize].to_string(),
            value,
        }),
    }
}

/// Features of some customers, each at a day of their own (one they had bought by): per feature its values, in
/// the order given. Peers are all customers of the log.
pub(crate) fn walk_each(
    history: &History,
    features: &[Feature],
    wanted: &[(u32, Day)],
) -> Result<Vec<Vec<f64>>> {
    let mut cutoffs: Vec<Day> = wanted.iter().map(|&(_, day)| day).collect();
    cutoffs.sort_unstable();
    cutoffs.dedup();
    let peers = count_peers(history, features, &cutoffs);
    let mut columns = vec![vec![f64::NAN; wanted.len()]; features.len()];
    for (place, &cutoff) in cutoffs.iter().enumerate() {
        let mut rows: Vec<usize> = (0..wanted.len()).filter(|&row| wanted[row].1 == cutoff).collect();
        rows.sort_by_key(|&row| wanted[row].0);
        let ranks: Vec<u32> = rows.iter().map(|&row| wanted[row].0).collect();
        let peers: Vec<PeerTable> = peers.iter().map(|table| table.at(place, &ranks)).collect();
        let some = history.of_customers(&ranks);
        let panel = walk_among(&some, features, &[cutoff], (Population::All, 0), &peers)?;
        for (&own, row) in panel.ranks.iter().zip(0..) {
            let out = rows[own as usize];
            columns.iter_mut().zip(&panel.columns).for_each(|(column, values)| column[out] = values[row]);
        }
    }
    Ok(columns)
}

/// Customers, cut into blocks of a number that depends on the cutoffs alone.
#[derive(Clone, Copy)]
struct Blocks {
    customers: usize,
    customers_per_block: usize,
}

impl Blocks {
    fn new(history: &History, cutoffs: &[Day]) -> Self {
        let customers_per_block = (ROWS_PER_BLOCK / cutoffs.len().max(1)).max(LEAST_CUSTOMERS_PER_BLOCK);
        Blocks { customers: history.customers(), customers_per_block }
    }

    fn number(self) -> usize {
        self.customers.div_ceil(self.customers_per_block)
    }

    fn of(self, number: usize) -> Range<usize> {
        let start = number * self.customers_per_block;
        start..self.customers.min(start + self.customers_per_block)
    }
}

/// One block's walk, compiled for every instruction set.
struct Walk<'a, F> {
    ranks: Range<usize>,
    runs: &'a [Run<'a>],
    cutoffs: &'a [Day],
    included: F,
    windows: &'a [i32],
    features: &'a [Feature],
    peers: &'a [PeerTable],
    history: &'a History,
    out: Out<'a>,
}

impl<F: Fn(i32) -> bool> Kernel for Walk<'_, F> {
    type Output = Option<Infinite>;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Option<Infinite> {
        let Walk { ranks, runs, cutoffs, included, windows, features, peers, history, out } = self;
        let mut states = Vec::with_capacity(out.ranks.len());
        for (rank, run) in ranks.zip(runs) {
            let mut sums = Sums::default();
            for (&cutoff, cutoff_index) in cutoffs.iter().zip(0_u32..) {
                let state = State::advance(run, (cutoff, cutoff_index), rank as u32, &mut sums);
                states.extend(state.filter(|state| included(state.days_since_last())));
            }
        }
        let block = Block::new(states, windows);
        out.fill(
            &block,
            features,
            #[inline(always)]
            |feature, column| feature.fill(&block, peers, history, column),
        )
    }
}

/// How many rows each block of customers comes to.
fn rows_per_block(
    history: &History,
    blocks: Blocks,
    cutoffs: &[Day],
    (population, horizon_days): (Population, i32),
) -> Vec<usize> {
    let count = |number: usize| match population {
        Population::All => {
            let firsts = blocks.of(number).map(|rank| history.first_purchase(rank));
            let until = |first: i32| cutoffs.partition_point(|cutoff| cutoff.days_since_epoch() < first);
            firsts.map(|first| cutoffs.len() - until(first)).sum()
        }
        _ => {
            let mut rows = 0;
            for run in history.runs(blocks.of(number)) {
                let mut known = 0;
                for cutoff in cutoffs {
                    let limit = cutoff.days_since_epoch();
                    known += run.days[known..].iter().take_while(|day| **day <= limit).count();
                    let is_included = |last: &i32| population.includes(limit - last, horizon_days);
                    rows += usize::from(run.days[..known].last().is_some_and(is_included));
                }
            }
            rows
        }
    };
    (0..blocks.number()).into_par_iter().map(count).collect()
}

pub(super) fn count_peers(history: &History, features: &[Feature], cutoffs: &[Day]) -> Vec<PeerTable> {
    let mut tables: Vec<PeerTable> = Vec::new();
    let mut of_customers = None;
    for feature in features {
        let (Feature::PeerLoss { column, horizon_days } | Feature::OverallLoss { column, horizon_days }) =
            feature
        else {
            continue;
        };
        let Some(column) = history.segment_index(column) else { continue };
        if !tables.iter().any(|table| table.is_of(column, *horizon_days)) {
            let folds = of_customers.get_or_insert_with(|| folds(history));
            tables.push(PeerTable::count(history, column, *horizon_days, cutoffs, folds));
        }
    }
    tables
}

/// A value that no model can use.
struct Infinite {
    feature: usize,
    rank: u32,
    cutoff_index: u32,
    value: f64,
}

/// Where the rows of one block go.
struct Out<'a> {
    ranks: &'a mut [u32],
    cutoffs: &'a mut [u32],
    days_since_last: &'a mut [i32],
    columns: Vec<&'a mut [f64]>,
}

impl Out<'_> {
    /// Null is NaN; the first infinity is a mistake and is returned.
    #[inline(always)]
    fn fill(
        mut self,
        block: &Block,
        features: &[Feature],
        fill: impl Fn(&Feature, &mut [f64]),
    ) -> Option<Infinite> {
        let states = &block.states;
        self.ranks.iter_mut().zip(states).for_each(|(out, state)| *out = state.rank);
        self.cutoffs.iter_mut().zip(states).for_each(|(out, state)| *out = state.cutoff_index);
        self.days_since_last.iter_mut().zip(states).for_each(|(out, state)| *out = state.days_since_last());
        let mut infinite = None;
        for (position, (feature, column)) in features.iter().zip(&mut self.columns).enumerate() {
            fill(feature, column);
            let found = || column.iter().position(|value| value.is_infinite());
            // Told without a branch per value, and looked for only then.
            let is_clean = column.iter().fold(true, |clean, value| clean & !value.is_infinite());
            if !is_clean && infinite.is_none() {
                infinite = found().map(|row| Infinite {
                    feature: position,
                    rank: states[row].rank,
                    cutoff_index: states[row].cutoff_index,
                    value: column[row],
                });
            }
        }
        infinite
    }
}

impl Panel {
    fn of_rows(rows: usize, width: usize) -> Self {
        Panel {
            ranks: vec![0; rows],
            cutoffs: vec![0; rows],
            days_since_last: vec![0; rows],
            columns: (0..width).map(|_| vec![0.0; rows]).collect(),
        }
    }

    /// The panel cut into blocks of so many rows.
    fn blocks(&mut self, rows: &[usize]) -> Vec<Out<'_>> {
        let mut columns: Vec<_> = self.columns.iter_mut().map(|column| cut(column, rows)).collect();
        let (mut ranks, mut cutoffs) = (cut(&mut self.ranks, rows), cut(&mut self.cutoffs, rows));
        let mut days_since_last = cut(&mut self.days_since_last, rows);
        rows.iter()
            .map_while(|_| {
                Some(Out {
                    ranks: ranks.next()?,
                    cutoffs: cutoffs.next()?,
                    days_since_last: days_since_last.next()?,
                    columns: columns.iter_mut().map(Iterator::next).collect::<Option<_>>()?,
                })
            })
            .collect()
    }
}

/// A column's stretches, one after the other.
fn cut<'a, 'b, T>(
    column: &'a mut [T],
    rows: &'b [usize],
) -> impl Iterator<Item = &'a mut [T]> + use<'a, 'b, T> {
    let mut rest = column;
    rows.iter().map_while(move |&rows| rest.split_off_mut(..rows))
}

/// The panel of one cutoff; refuses a day the log does not reach or that nobody had bought by.
pub(crate) fn panel_at(history: &History, features: &[Feature], cutoff: Day) -> Result<Panel> {
    if cutoff > history.observed_until() {
        return Err(Error::AfterObserved { as_of: cutoff, observed_until: history.observed_until() });
    }
    let panel = walk(history, features, &[cutoff], (Population::All, 0))?;
    if panel.ranks.is_empty() {
        return Err(history.nobody_bought_by(cutoff));
    }
    Ok(panel)
}
