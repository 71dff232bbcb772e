//! Which customers serve where all are too many? Those with the lowest hashes of their ids.

use std::cell::Cell;
use std::sync::Arc;

use rayon::prelude::*;

use super::{Snapshots, SnapshotsParams, pick};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::{DiskWalk, Feature, Panel, salted_hash};
use crate::history::{CustomerIds, DiskHistory, History};

/// Which customers are taken where not all are: the lowest md5(this ‖ id).
pub(crate) const SAMPLE_SALT: &str = "winback-sample-1:";

/// How many of the customers are taken, given the rows of each in the order in which they are: as many as have
/// at most so many rows together, and at least one.
pub(crate) fn taken(rows_of: impl IntoIterator<Item = usize>, most: usize) -> usize {
    let mut rows = 0;
    let of_sample = rows_of.into_iter().take_while(|own| {
        let is_first = rows == 0;
        rows += own;
        is_first || rows <= most
    });
    of_sample.count()
}

impl SnapshotsParams {
    /// As [`build`](Self::build), for a log that does not fit in memory: the rows of some customers, at most
    /// `most_rows` together (but of one at least). They are the customers with the lowest hashes of their ids:
    /// those that [`ChurnModel`](crate::ChurnModel) would choose from all rows. Peer rates are those of the
    /// whole log.
    ///
    /// # Errors
    /// As [`build`](Self::build); [`Error::Parameter`] for no rows;
    /// [`Error::Unreadable`] where a temporary file is gone.
    pub fn build_sample(&self, history: &DiskHistory, most_rows: usize) -> Result<Snapshots> {
        self.label.check()?;
        if most_rows == 0 {
            return Err(Error::parameter("rows of the sample", 0, "at least 1"));
        }
        let features = self.features.resolve(history.whole())?;
        let cutoffs = self.cutoffs.days(history.whole(), self.label)?;
        let population = (self.population, self.label.horizon_days);
        let walk = DiskWalk::new(history, &features, &cutoffs, population)?;
        let mut sample = Sample { most_rows, ..Sample::new(history.whole().ids(), features.len()) };
        // The lowest hash known to be left out, from which on nobody has a chance any more.
        let limit: Cell<Option<u32>> = Cell::new(None);
        walk.each(
            |group, ranks| {
                let ids = group.ids();
                let hash = |rank: &u32| salted_hash(SAMPLE_SALT, &ids.text(*rank as usize));
                let limit = limit.get();
                ranks.into_par_iter().filter(|rank| limit.is_none_or(|limit| hash(rank) < limit)).collect()
            },
            |piece, panel| {
                self.add(&mut sample, piece, panel, &cutoffs);
                if sample.ranks.len() / 2 > most_rows {
                    limit.set(sample.shrink());
                }
                Ok(())
            },
        )?;
        sample.shrink();
        if sample.ranks.is_empty() {
            return Err(history.nobody_bought_by(cutoffs[cutoffs.len() - 1]));
        }
        sample.finish(self, features, cutoffs, history)
    }

    fn add(&self, sample: &mut Sample, piece: &History, panel: Panel, cutoffs: &[Day]) {
        let Panel { ranks, cutoffs: positions, days_since_last, columns } = panel;
        let before = sample.hashes.len() as u32;
        let hash = |rank: usize| salted_hash(SAMPLE_SALT, &piece.ids().text(rank));
        sample.hashes.par_extend((0..piece.customers()).into_par_iter().map(hash));
        sample.ids.append(piece.ids());
        let rows = ranks.par_iter().zip(&positions);
        sample.churned.par_extend(rows.map(|(&rank, &position)| {
            self.label.churned(cutoffs[position as usize], piece.run(rank as usize).days)
        }));
        sample.ranks.extend(ranks.iter().map(|rank| before + rank));
        sample.positions.extend(positions);
        sample.days_since_last.extend(days_since_last);
        sample.columns.iter_mut().zip(columns).for_each(|(own, more)| own.extend(more));
    }
}

/// The rows of the customers that may be in the sample.
struct Sample {
    most_rows: usize,
    ids: CustomerIds,
    /// Per customer.
    hashes: Vec<u32>,
    /// Per row its customer, ascending, and so on.
    ranks: Vec<u32>,
    positions: Vec<u32>,
    days_since_last: Vec<i32>,
    churned: Vec<bool>,
    columns: Vec<Vec<f64>>,
}

impl Sample {
    fn new(ids: &CustomerIds, width: usize) -> Self {
        Sample {
            most_rows: 0,
            ids: ids.clone(),
            hashes: Vec::new(),
            ranks: Vec::new(),
            positions: Vec::new(),
            days_since_last: Vec::new(),
            churned: Vec::new(),
            columns: vec![Vec::new(); width],
        }
    }

    /// Leaves out customers beyond the rows wanted, and those without a row; the hash of the first one left out.
    /// More customers can only bring forward where the rows are too many.
    fn shrink(&mut self) -> Option<u32> {
        let mut customers: Vec<(u32, u32, usize)> = self
            .ranks
            .chunk_by(|a, b| a == b)
            .map(|own| (self.hashes[own[0] as usize], own[0], own.len()))
            .collect();
        let all: usize = customers.iter().map(|&(_, _, own)| own).sum();
        let mut left_out = None;
        if all > self.most_rows {
            customers.sort_unstable();
            let taken = taken(customers.iter().map(|&(_, _, own)| own), self.most_rows);
            left_out = customers.get(taken).map(|&(hash, ..)| hash);
            customers.truncate(taken);
        }
        let mut kept: Vec<u32> = customers.into_iter().map(|(_, rank, _)| rank).collect();
        kept.sort_unstable();
        let mut is_kept = vec![None; self.hashes.len()];
        (0..).zip(&kept).for_each(|(rank, &before)| is_kept[before as usize] = Some(rank));
        let rows: Vec<usize> =
            (0..self.ranks.len()).filter(|&row| is_kept[self.ranks[row] as usize].is_some()).collect();
        self.ranks = rows.iter().filter_map(|&row| is_kept[self.ranks[row] as usize]).collect();
        self.positions = pick(&self.positions, &rows);
        self.days_since_last = pick(&self.days_since_last, &rows);
        self.churned = pick(&self.churned, &rows);
        self.columns.iter_mut().for_each(|column| *column = pick(column, &rows));
        self.ids = self.ids.pick(&kept);
        self.hashes = kept.iter().map(|&rank| self.hashes[rank as usize]).collect();
        left_out
    }

    fn finish(
        self,
        params: &SnapshotsParams,
        features: Vec<Feature>,
        cutoffs: Vec<Day>,
        history: &DiskHistory,
    ) -> Result<Snapshots> {
        Ok(Snapshots {
            features,
            label: params.label,
            population: params.population,
            cutoffs,
            ids: Arc::new(self.ids),
            ranks: self.ranks,
            positions: self.positions,
            days_since_last: self.days_since_last,
            churned: self.churned,
            columns: self.columns,
            straddling: 0,
            reading: history.reading().clone(),
            fingerprint: history.fingerprint()?.to_owned(),
        })
    }
}
