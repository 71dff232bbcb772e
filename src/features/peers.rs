//! Are customers like these leaving?
//!
//! A second pass beside the walk. For a segment column, a cutoff c and a value s: among customers
//! whose home value at c − H was s and who bought in (c − 2H, c − H], the share that did not buy in
//! (c − H, c]. Everything is known at c. A customer's own history never enters their own rate: each
//! rate, and the overall share it is shrunk to, leaves out the fold that the customer's id hashes to.

use md5::{Digest, Md5};
use rayon::prelude::*;

use super::view::State;
use crate::day::{Day, Window};
use crate::history::{History, NO_SEGMENT, Run};

/// How many folds customers fall into, by the hash of their id.
pub(crate) const FOLDS: usize = 20;
/// What is put before an id whose fold is told.
pub(crate) const FOLD_SALT: &str = "winback-fold-1:";
/// The overall share weighs as much as this many peers.
const PRIOR_PEERS: f64 = 50.0;

/// Customers who bought, and those of them who then stayed away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    bought: u32,
    lost: u32,
}

impl Count {
    fn add(&mut self, other: Count) {
        self.bought += other.bought;
        self.lost += other.lost;
    }

    fn without(self, other: Count) -> Count {
        Count { bought: self.bought - other.bought, lost: self.lost - other.lost }
    }
}

/// Peer counts of one segment column at every cutoff.
#[derive(Clone)]
pub(super) struct PeerTable {
    column: usize,
    horizon_days: i32,
    /// Per cutoff the values and folds that have peers, ascending: a column with a value per customer
    /// costs no more than its customers.
    counts: std::sync::Arc<Vec<Vec<(u32, u8, Count)>>>,
    /// Per cutoff, over all values, by fold.
    overall: Vec<[Count; FOLDS]>,
    folds: std::sync::Arc<[u8]>,
}

/// The fold of every customer: the first 8 hex digits of md5(`winback-fold-1:` ‖ id), modulo 20.
pub(super) fn folds(history: &History) -> std::sync::Arc<[u8]> {
    let ids = history.ids();
    (0..history.customers())
        .into_par_iter()
        .map(|rank| (salted_hash(FOLD_SALT, &ids.text(rank)) % FOLDS as u32) as u8)
        .collect::<Vec<_>>()
        .into()
}

/// The first 8 hexadecimal digits of md5(salt ‖ id), as a number. Engines that speak SQL can say the
/// same.
pub(crate) fn salted_hash(salt: &str, id: &str) -> u32 {
    let digest = Md5::new().chain_update(salt).chain_update(id).finalize();
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

impl PeerTable {
    pub(super) fn count(
        history: &History,
        column: usize,
        horizon_days: i32,
        cutoffs: &[Day],
        folds: &std::sync::Arc<[u8]>,
    ) -> Self {
        // One cutoff after another, so that the memory is one cutoff's; counts are integers, and add up
        // to the same in any order.
        let counts: Vec<Vec<(u32, u8, Count)>> = cutoffs
            .iter()
            .map(|&cutoff| {
                let exposed = (0..history.customers()).into_par_iter().filter_map(|rank| {
                    let (home, count) = exposure(&history.run(rank), column, cutoff, horizon_days)?;
                    Some((home, folds[rank], count))
                });
                added(exposed.collect())
            })
            .collect();
        let overall = counts
            .iter()
            .map(|counts| {
                let mut overall = [Count::default(); FOLDS];
                counts.iter().for_each(|&(_, fold, count)| overall[usize::from(fold)].add(count));
                overall
            })
            .collect();
        PeerTable { column, horizon_days, counts: std::sync::Arc::new(counts), overall, folds: folds.clone() }
    }

    /// Adds the counts of other customers of the same log.
    pub(super) fn add(&mut self, other: &PeerTable) {
        let counts = self.counts.iter().zip(other.counts.iter());
        let counts: Vec<_> = counts.map(|(own, more)| added([own.as_slice(), more].concat())).collect();
        self.counts = std::sync::Arc::new(counts);
        for (own, more) in self.overall.iter_mut().flatten().zip(other.overall.iter().flatten()) {
            own.add(*more);
        }
    }

    /// The same counts, for customers of these folds.
    pub(super) fn for_customers(&self, folds: &std::sync::Arc<[u8]>) -> Self {
        PeerTable { folds: folds.clone(), ..self.clone() }
    }

    /// The counts of one cutoff, for some customers of the same log.
    pub(super) fn at(&self, cutoff: usize, ranks: &[u32]) -> Self {
        PeerTable {
            counts: std::sync::Arc::new(vec![self.counts[cutoff].clone()]),
            overall: vec![self.overall[cutoff]],
            folds: ranks.iter().map(|&rank| self.folds[rank as usize]).collect(),
            ..*self
        }
    }

    pub(super) fn is_of(&self, column: usize, horizon_days: i32) -> bool {
        self.column == column && self.horizon_days == horizon_days
    }

    /// The loss rate among the peers of a customer, or among all customers; null where there is no home
    /// value or nobody to count.
    pub(super) fn loss_fraction(&self, state: &State, of_own_value: bool) -> f64 {
        let Some(home) = home_value(&state.known(), self.column) else { return f64::NAN };
        let fold = usize::from(self.folds[state.rank as usize]);
        let cutoff = state.cutoff_index as usize;
        let mut overall = Count::default();
        self.overall[cutoff].iter().for_each(|count| overall.add(*count));
        let overall = overall.without(self.overall[cutoff][fold]);
        if overall.bought == 0 {
            return f64::NAN;
        }
        let overall_fraction = f64::from(overall.lost) / f64::from(overall.bought);
        if !of_own_value {
            return overall_fraction;
        }
        let counts = &self.counts[cutoff];
        let start = counts.partition_point(|&(value, ..)| value < home);
        let mut peers = Count::default();
        counts[start..]
            .iter()
            .take_while(|&&(value, ..)| value == home)
            .filter(|&&(_, other, _)| usize::from(other) != fold)
            .for_each(|(_, _, count)| peers.add(*count));
        (f64::from(peers.lost) + PRIOR_PEERS * overall_fraction) / (f64::from(peers.bought) + PRIOR_PEERS)
    }
}

/// Counts of the same value and fold in one, ascending.
fn added(mut all: Vec<(u32, u8, Count)>) -> Vec<(u32, u8, Count)> {
    all.par_sort_unstable_by_key(|&(value, fold, _)| (value, fold));
    all.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .map(|same| {
            let mut sum = Count::default();
            same.iter().for_each(|(_, _, count)| sum.add(*count));
            (same[0].0, same[0].1, sum)
        })
        .collect()
}

/// The home value at c − H and the outcome by c, of a customer who bought in (c − 2H, c − H].
fn exposure(run: &Run<'_>, column: usize, cutoff: Day, horizon_days: i32) -> Option<(u32, Count)> {
    let start = cutoff.plus_days(-horizon_days);
    let before = run.until(start);
    if Window::back_from(start, horizon_days).range_in(before.days).is_empty() {
        return None;
    }
    let home = home_value(&before, column)?;
    let lost = Window::back_from(cutoff, horizon_days).range_in(run.days).is_empty();
    Some((home, Count { bought: 1, lost: u32::from(lost) }))
}

/// The value with the most purchases; ties go to the latest, then to the first in order of text.
fn home_value(run: &Run<'_>, column: usize) -> Option<u32> {
    let codes = run.segment(column);
    let first = *codes.first()?;
    if codes.iter().all(|&code| code == first) {
        return (first != NO_SEGMENT).then_some(first);
    }
    let mut values: Vec<(u32, usize, usize)> = Vec::new(); // value, purchases, position of the latest
    let mut sorted: Vec<(u32, usize)> =
        codes.iter().copied().zip(0..).filter(|&(code, _)| code != NO_SEGMENT).collect();
    sorted.sort_unstable();
    for (code, position) in sorted {
        match values.last_mut() {
            Some((value, purchases, latest)) if *value == code => {
                (*purchases, *latest) = (*purchases + 1, position)
            }
            _ => values.push((code, 1, position)),
        }
    }
    // A day has one value, so that the latest position decides and text never has to.
    values.into_iter().max_by_key(|&(_, purchases, latest)| (purchases, latest)).map(|(value, ..)| value)
}
