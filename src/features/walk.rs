//! How do features of many cutoffs come out of one pass?
//!
//! Hot path 2. Cutoffs ascend; each customer's sums are advanced purchase by purchase and read off at
//! each cutoff. Customers are taken in blocks of a constant number, in order of id, so that threads
//! cannot show in the result.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::feature::Feature;
use super::peers::{PeerTable, folds};
use super::view::{CustomerView, State, Sums};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::history::History;

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
    (population, horizon_days): (Population, i32),
) -> Result<Panel> {
    let included = |days_since_last| population.includes(days_since_last, horizon_days);
    let peers = count_peers(history, features, cutoffs);
    let blocks: Vec<Panel> = (0..history.customers().div_ceil(CUSTOMERS_PER_BLOCK))
        .into_par_iter()
        .map(|block| {
            let end = history.customers().min((block + 1) * CUSTOMERS_PER_BLOCK);
            let ranks = block * CUSTOMERS_PER_BLOCK..end;
            let states: Vec<State> =
                ranks.flat_map(|rank| walk_customer(history, rank as u32, cutoffs, &included)).collect();
            Panel {
                ranks: states.iter().map(|state| state.rank).collect(),
                cutoffs: states.iter().map(|state| state.cutoff_index).collect(),
                days_since_last: states.iter().map(|state| state.view.days_since_last()).collect(),
                columns: features
                    .iter()
                    .map(|feature| {
                        let mut column = vec![0.0; states.len()];
                        feature.fill(&states, &peers, history, &mut column);
                        column
                    })
                    .collect(),
            }
        })
        .collect();
    let panel = join(blocks, features.len());
    refuse_infinite(history, features, cutoffs, &panel)?;
    Ok(panel)
}

fn walk_customer<'a>(
    history: &'a History,
    rank: u32,
    cutoffs: &[Day],
    included: &impl Fn(i32) -> bool,
) -> impl Iterator<Item = State<'a>> {
    let run = history.run(rank as usize);
    let mut sums = Sums::default();
    cutoffs.iter().zip(0_u32..).filter_map(move |(&cutoff, cutoff_index)| {
        let view = CustomerView::new(&run, cutoff)?;
        sums.advance(view.run());
        included(view.days_since_last()).then_some(State { view, rank, cutoff_index, sums })
    })
}

fn count_peers(history: &History, features: &[Feature], cutoffs: &[Day]) -> Vec<PeerTable> {
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

fn join(blocks: Vec<Panel>, width: usize) -> Panel {
    let rows = blocks.iter().map(|block| block.ranks.len()).sum();
    let mut all = Panel { columns: vec![Vec::new(); width], ..Panel::default() };
    all.ranks.reserve_exact(rows);
    all.cutoffs.reserve_exact(rows);
    all.days_since_last.reserve_exact(rows);
    for block in &blocks {
        all.ranks.extend_from_slice(&block.ranks);
        all.cutoffs.extend_from_slice(&block.cutoffs);
        all.days_since_last.extend_from_slice(&block.days_since_last);
    }
    all.columns.par_iter_mut().enumerate().for_each(|(feature, column)| {
        column.reserve_exact(rows);
        blocks.iter().for_each(|block| column.extend_from_slice(&block.columns[feature]));
    });
    all
}

/// Null is NaN; an infinity is a mistake and is named.
fn refuse_infinite(history: &History, features: &[Feature], cutoffs: &[Day], panel: &Panel) -> Result<()> {
    for (feature, column) in features.iter().zip(&panel.columns) {
        if let Some(row) = column.iter().position(|value| value.is_infinite()) {
            return Err(Error::NotFinite {
                feature: feature.name(),
                customer: history.ids().text(panel.ranks[row] as usize).into_owned(),
                cutoff: cutoffs[panel.cutoffs[row] as usize].to_string(),
                value: column[row],
            });
        }
    }
    Ok(())
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
