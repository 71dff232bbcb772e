//! How do features of many cutoffs come out of one pass?
//!
//! Hot path 2. Cutoffs ascend; each customer's sums are advanced purchase by purchase and read off at
//! each cutoff. Customers are taken in blocks of a constant number, in order of id, so that threads
//! cannot show in the result.

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::feature::Feature;
use super::peers::{PeerTable, folds};
use super::view::{Block, State, Sums};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::history::{History, Run};

/// How many customers are walked at a time.
const CUSTOMERS_PER_BLOCK: usize = 1 << 10;

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
    fn includes(self, days_since_last: i32, horizon_days: i32) -> bool {
        match self {
            Population::All => true,
            Population::Recent => days_since_last < horizon_days,
        }
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
    let included = |days_since_last| population.includes(days_since_last, horizon_days);
    let mut windows: Vec<i32> = features.iter().filter_map(Feature::window_days).collect();
    windows.sort_unstable();
    windows.dedup();
    let rows = rows_per_block(history, cutoffs, (population, horizon_days));
    let mut panel = Panel::of_rows(rows.iter().sum(), features.len());
    let infinite: Vec<Option<Infinite>> = panel
        .blocks(&rows)
        .into_par_iter()
        .enumerate()
        .map(|(number, out)| {
            let ranks = block_of(number, history);
            let runs = history.runs(ranks.clone());
            let states = ranks.zip(&runs).flat_map(|(rank, run)| states_of(run, rank as u32, cutoffs));
            let states = states.filter(|state| included(state.days_since_last())).collect();
            let block = Block::new(states, &windows);
            out.fill(&block, features, |feature, column| feature.fill(&block, peers, history, column))
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

fn block_of(number: usize, history: &History) -> Range<usize> {
    let start = number * CUSTOMERS_PER_BLOCK;
    start..history.customers().min(start + CUSTOMERS_PER_BLOCK)
}

/// How many rows each block of customers comes to.
fn rows_per_block(
    history: &History,
    cutoffs: &[Day],
    (population, horizon_days): (Population, i32),
) -> Vec<usize> {
    let count = |number: usize| match population {
        Population::All => {
            let firsts = block_of(number, history).map(|rank| history.first_purchase(rank));
            let until = |first: i32| cutoffs.partition_point(|cutoff| cutoff.days_since_epoch() < first);
            firsts.map(|first| cutoffs.len() - until(first)).sum()
        }
        _ => {
            let mut rows = 0;
            for run in history.runs(block_of(number, history)) {
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
    (0..history.customers().div_ceil(CUSTOMERS_PER_BLOCK)).into_par_iter().map(count).collect()
}

/// One customer at every cutoff by which they had bought.
fn states_of<'a>(run: &'a Run<'a>, rank: u32, cutoffs: &[Day]) -> impl Iterator<Item = State<'a>> {
    let mut sums = Sums::default();
    let cutoffs = cutoffs.iter().copied().zip(0_u32..);
    cutoffs.filter_map(move |cutoff| State::advance(run, cutoff, rank, &mut sums))
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
            // A sum of sizes tells of infinities without a branch per value.
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
