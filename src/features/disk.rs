//! How are features of a log computed that does not fit in memory? A few customers at a time, in order of id.

use std::path::Path;

use super::feature::Feature;
use super::peers::{PeerTable, folds};
use super::set::{FeatureSet, ascending, frame_at, frame_at_each};
use super::walk::{Panel, Population, count_peers, walk_among};
use crate::day::Day;
use crate::error::Result;
use crate::history::{DiskHistory, History};
use crate::table;

/// About how many rows are computed, and written, at a time.
const ROWS_PER_PIECE: usize = 1 << 18;

/// Which customers at which cutoffs, and what of them.
pub(crate) struct DiskWalk<'a> {
    history: &'a DiskHistory,
    features: &'a [Feature],
    cutoffs: &'a [Day],
    population: (Population, i32),
    /// Of the whole log.
    peers: Vec<PeerTable>,
}

impl<'a> DiskWalk<'a> {
    /// Counts the peers, if a feature needs any: that goes through the log once more.
    pub(crate) fn new(
        history: &'a DiskHistory,
        features: &'a [Feature],
        cutoffs: &'a [Day],
        population: (Population, i32),
    ) -> Result<Self> {
        let mut peers: Vec<PeerTable> = Vec::new();
        if features.iter().any(is_of_peers) {
            for group in 0..history.groups() {
                let more = count_peers(&history.group(group)?, features, cutoffs);
                match peers.is_empty() {
                    true => peers = more,
                    false => peers.iter_mut().zip(&more).for_each(|(all, more)| all.add(more)),
                }
            }
        }
        Ok(DiskWalk { history, features, cutoffs, population, peers })
    }

    /// Hands over every customer wanted, a piece of the log at a time, in order of id; `wanted` is asked for
    /// the ranks of a piece of so many customers of a group.
    pub(crate) fn each(
        &self,
        wanted: impl Fn(&History, std::ops::Range<u32>) -> Vec<u32>,
        mut take: impl FnMut(&History, Panel) -> Result<()>,
    ) -> Result<()> {
        let most = (ROWS_PER_PIECE / self.cutoffs.len().max(1)).max(1) as u32;
        for group in 0..self.history.groups() {
            let group = self.history.group(group)?;
            let customers = group.customers() as u32;
            for start in (0..customers).step_by(most as usize) {
                let ranks = wanted(&group, start..customers.min(start.saturating_add(most)));
                let piece = group.of_customers(&ranks);
                let panel = self.walk(&piece)?;
                take(&piece, panel)?;
            }
        }
        Ok(())
    }

    fn walk(&self, piece: &History) -> Result<Panel> {
        let peers: Vec<PeerTable> = match self.peers.as_slice() {
            [] => Vec::new(),
            peers => {
                let folds = folds(piece);
                peers.iter().map(|table| table.for_customers(&folds)).collect()
            }
        };
        walk_among(piece, self.features, self.cutoffs, self.population, &peers)
    }
}

/// Everybody in a piece.
pub(crate) fn everybody(_: &History, ranks: std::ops::Range<u32>) -> Vec<u32> {
    ranks.collect()
}

fn is_of_peers(feature: &Feature) -> bool {
    matches!(feature, Feature::PeerLoss { .. } | Feature::OverallLoss { .. })
}

impl FeatureSet {
    /// Writes what [`features_at`](Self::features_at) gives to a Parquet file, whole or not at all, for a log
    /// that does not fit in memory.
    ///
    /// # Errors
    /// As [`features_at`](Self::features_at); [`Error::Unwritable`](crate::Error::Unwritable);
    /// [`Error::Parameter`](crate::Error::Parameter) where the name does not end in `.parquet`;
    /// [`Error::Unreadable`](crate::Error::Unreadable) where a temporary file is gone.
    pub fn write_features_at(
        &self,
        history: &DiskHistory,
        cutoff: Day,
        path: impl AsRef<Path>,
    ) -> Result<()> {
        let features = self.resolve(history.whole())?;
        let cutoffs = ascending(&[cutoff], history.whole())?;
        write(history, &features, &cutoffs, path.as_ref(), |piece, panel| frame_at(piece, &features, panel))
    }

    /// Writes what [`features_at_each`](Self::features_at_each) gives to a Parquet file, whole or not at all, for
    /// a log that does not fit in memory.
    ///
    /// # Errors
    /// As [`write_features_at`](Self::write_features_at), and without a cutoff.
    pub fn write_features_at_each(
        &self,
        history: &DiskHistory,
        cutoffs: &[Day],
        path: impl AsRef<Path>,
    ) -> Result<()> {
        let features = self.resolve(history.whole())?;
        let cutoffs = ascending(cutoffs, history.whole())?;
        write(history, &features, &cutoffs, path.as_ref(), |piece, panel| {
            frame_at_each(piece, &features, &cutoffs, panel)
        })
    }
}

fn write(
    history: &DiskHistory,
    features: &[Feature],
    cutoffs: &[Day],
    path: &Path,
    frame: impl Fn(&History, Panel) -> Result<polars::prelude::DataFrame>,
) -> Result<()> {
    table::check_parquet(path)?;
    let walk = DiskWalk::new(history, features, cutoffs, (Population::All, 0))?;
    let mut anybody = false;
    table::write_pieces(path, |write| {
        walk.each(everybody, |piece, panel| {
            anybody |= panel.cutoffs.contains(&0);
            write(&frame(piece, panel)?)
        })?;
        // Whoever had bought by the first cutoff had by all.
        if anybody { Ok(()) } else { Err(history.nobody_bought_by(cutoffs[0])) }
    })
}
