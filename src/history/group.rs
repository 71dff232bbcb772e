//! What did each customer do? Rows become per-customer runs of purchases, sorted by day.
//!
//! Hot path 1. Rows are scattered by a hash of their customer id into a fixed number of partitions,
//! each small enough for the processor's cache; each partition is grouped on its own. Which thread
//! does what never shows: blocks and partitions are constants, and every sum is added in an order
//! that depends on values alone.

use rayon::prelude::*;

use super::convert::{Facts, Part};
use super::ids::CustomerIds;
use super::partition::{Partition, Runs};
use super::row_ids::{IdKind, RowIds};
use super::rows::{Beside, Block, Key, PARTITIONS, Row, Rows, Shape, Tagged, beside_partition, starts_of};

/// Days are counted into slots where they span at most so many per row.
const DAY_SLOTS_PER_ROW: usize = 4;

/// One partition's rows, sorted by key, then day.
pub(super) struct Sorted<K> {
    /// The distinct keys, ascending.
    pub(super) keys: Vec<K>,
    /// Where each key's rows end.
    pub(super) ends: Vec<u32>,
    pub(super) rows: Rows<K>,
}

impl<K: Key> Sorted<K> {
    /// Of one partition's rows in all blocks.
    pub(super) fn new(blocks: &[Block<K>], partition: usize, shape: Shape) -> Self {
        let beside = beside_partition(blocks, partition, shape);
        let pieces: Vec<&[Row<K>]> = blocks.iter().map(|block| block.of_partition(partition)).collect();
        // A log in order of time is in order of day already.
        if !shape.has_more() && are_in_order(&pieces) {
            return Self::by_key(&pieces, beside);
        }
        let mut rows = pieces.concat();
        // A row is found by its place among all of them.
        rows.iter_mut().enumerate().for_each(|(at, row)| row.key = row.key.with_at(at));
        sort_by_day(&mut rows);
        Self::by_key(&[&rows], beside)
    }

    /// Of rows in order of day.
    fn by_key(pieces: &[&[Row<K>]], beside: Beside) -> Self {
        let mut found = Slots::new();
        let mut slots: Vec<u32> = Vec::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
        for piece in pieces {
            slots.extend(piece.iter().map(|row| found.slot(row.key)));
        }
        let mut places = vec![0_u32; found.keys.len()];
        slots.iter().for_each(|&slot| places[slot as usize] += 1);
        let mut keys: Vec<(K, u32)> = found.keys.into_iter().zip(0..).collect();
        keys.sort_unstable_by_key(|&(key, _)| key);
        let mut start = 0;
        for &(_, slot) in &keys {
            let rows = places[slot as usize];
            places[slot as usize] = start;
            start += rows;
        }
        let some = pieces.iter().find_map(|piece| piece.first());
        let mut rows: Vec<Row<K>> = some.map_or_else(Vec::new, |&row| vec![row; slots.len()]);
        let mut rest = slots.as_slice();
        for piece in pieces {
            let (own, later) = rest.split_at(piece.len());
            rest = later;
            for (row, &slot) in piece.iter().zip(own) {
                let place = &mut places[slot as usize];
                rows[*place as usize] = *row;
                *place += 1;
            }
        }
        // Each place has moved to its key's end; sorted, the ends are in order of key.
        places.sort_unstable();
        let keys = keys.into_iter().map(|(key, _)| key).collect();
        Sorted { keys, ends: places, rows: Rows { rows, beside } }
    }
}

/// Whether the rows are in order of day, piece after piece.
fn are_in_order<K>(pieces: &[&[Row<K>]]) -> bool {
    let mut last = i32::MIN;
    pieces.iter().filter_map(|piece| Some((piece, piece.first()?, piece.last()?))).all(|(piece, from, to)| {
        let is_later = from.day >= last;
        last = to.day;
        is_later && piece.windows(2).fold(true, |all, pair| all & (pair[0].day <= pair[1].day))
    })
}

/// Sorts rows by day, stably: rows of a log in order of time stay where they are.
fn sort_by_day<K: Key>(rows: &mut Vec<Row<K>>) {
    if rows.is_sorted_by_key(|row| row.day) {
        return;
    }
    let days = || rows.iter().map(|row| row.day);
    let (first, last) = (days().min().unwrap_or_default(), days().max().unwrap_or_default());
    let slots = (i64::from(last) - i64::from(first)) as usize + 1;
    if slots > DAY_SLOTS_PER_ROW * rows.len() {
        rows.sort_by_key(|row| row.day);
        return;
    }
    let mut places = vec![0_u32; slots];
    days().for_each(|day| places[(day - first) as usize] += 1);
    starts_of(&mut places);
    let mut sorted = rows.clone();
    for row in rows.iter() {
        let place = &mut places[(row.day - first) as usize];
        sorted[*place as usize] = *row;
        *place += 1;
    }
    *rows = sorted;
}

/// Where a customer's runs lie, and when they first bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) partition: u32,
    /// Position within the partition.
    pub(super) position: u32,
    /// Day of the first purchase; [`i32::MAX`] without any.
    pub(super) first: i32,
}

/// Customers in order of id, with their places, and the partitions that hold them.
type Grouped<K> = (Vec<K>, Vec<Place>, Vec<Partition>);

/// Groups all rows: ids, places by rank of id, partitions.
pub(super) fn group_parts(
    parts: Vec<Part>,
    kind: IdKind,
    shape: Shape,
) -> (CustomerIds, Vec<Place>, Vec<Partition>) {
    let parts = parts.into_iter().map(|part| (part.ids, part.facts));
    match kind {
        IdKind::Int(dtype) => {
            let parts: Vec<(RowIds, Facts)> = parts.collect();
            let is_narrow = |&id: &i64| id == i64::from(id as i32);
            // Rows of half the width pass through memory in less time.
            let (values, places, partitions) = match parts
                .par_iter()
                .all(|(ids, _)| ids.ints().iter().fold(true, |all, id| all & is_narrow(id)))
            {
                true => {
                    let (keys, places, partitions) = group_by(parts, shape, RowIds::ints, |id| id as i32);
                    (keys.into_iter().map(i64::from).collect(), places, partitions)
                }
                false => group_by(parts, shape, RowIds::ints, |id| id),
            };
            (CustomerIds::Int { values, dtype }, places, partitions)
        }
        IdKind::Wide(dtype) => {
            let (values, places, partitions) = group_by(parts.collect(), shape, RowIds::wides, |id| id);
            (CustomerIds::Wide { values, dtype }, places, partitions)
        }
        IdKind::Text => {
            let parts: Vec<(RowIds, Facts)> = parts.collect();
            // The text outlives the rows that point into it.
            let (texts, facts): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let keys = texts.par_iter().map(RowIds::texts).zip(facts).collect();
            let (keys, places, partitions) = group_by(keys, shape, Vec::as_slice, |id| id);
            (CustomerIds::from_texts(keys), places, partitions)
        }
    }
}

/// Groups rows whose ids are of one type, by a key made of it.
fn group_by<A: Send, I: Copy, K: Key>(
    parts: Vec<(A, Facts)>,
    shape: Shape,
    ids: impl Fn(&A) -> &[I] + Sync,
    key: impl Fn(I) -> K + Copy + Sync,
) -> Grouped<K> {
    if !shape.has_more() {
        let blocks = parts
            .into_par_iter()
            .map(|(own, facts)| Block::scatter(ids(&own).iter().map(|&id| key(id)), &facts));
        return group_blocks(&blocks.collect::<Vec<_>>(), shape);
    }
    let blocks = parts
        .into_par_iter()
        .map(|(own, facts)| Block::scatter(ids(&own).iter().map(|&id| Tagged::new(key(id))), &facts));
    let (keys, places, partitions) = group_blocks(&blocks.collect::<Vec<_>>(), shape);
    (keys.into_iter().map(|tagged| tagged.key).collect(), places, partitions)
}

fn group_blocks<K: Key>(blocks: &[Block<K>], shape: Shape) -> Grouped<K> {
    let grouped: Vec<(Vec<(K, Place)>, Partition)> = (0..PARTITIONS)
        .into_par_iter()
        .map(|number| {
            let (keys, partition) = group_partition(Sorted::new(blocks, number, shape), shape);
            let places = (0..).zip(partition.firsts());
            let places = places.map(|(position, first)| Place { partition: number as u32, position, first });
            (keys.into_iter().zip(places).collect(), partition)
        })
        .collect();
    let mut all = Vec::with_capacity(grouped.iter().map(|(keys, _)| keys.len()).sum());
    let mut partitions = Vec::with_capacity(PARTITIONS);
    for (mut keys, partition) in grouped {
        all.append(&mut keys);
        partitions.push(partition);
    }
    all.par_sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let (keys, places) = all.into_iter().unzip();
    (keys, places, partitions)
}

/// One partition's customers, ascending, and their runs.
fn group_partition<K: Key>(mut sorted: Sorted<K>, shape: Shape) -> (Vec<K>, Partition) {
    let mut runs = Runs::new(shape, sorted.rows.rows.len(), sorted.keys.len());
    let mut start = 0;
    for &end in &sorted.ends {
        runs.push_customer(&mut sorted.rows.rows[start..end as usize], &sorted.rows.beside);
        start = end as usize;
    }
    (sorted.keys, runs.finish())
}

/// Numbers keys in order of appearance: a table with open addressing (Knuth 1998, section 6.4,
/// algorithm L), at most a quarter full.
struct Slots<K> {
    /// Slot of a key plus one; 0 where there is none.
    table: Vec<u32>,
    keys: Vec<K>,
}

impl<K: Key> Slots<K> {
    fn new() -> Self {
        Slots { table: vec![0; 1 << 13], keys: Vec::new() }
    }

    fn place(&self, key: K) -> usize {
        (key.table_hash() >> (u64::BITS - self.table.len().trailing_zeros())) as usize
    }

    fn slot(&mut self, key: K) -> u32 {
        let mask = self.table.len() - 1;
        let mut place = self.place(key);
        loop {
            match self.table[place] {
                0 => break,
                slot if self.keys[slot as usize - 1] == key => return slot - 1,
                _ => place = (place + 1) & mask,
            }
        }
        self.keys.push(key);
        self.table[place] = self.keys.len() as u32;
        if self.keys.len() * 4 > self.table.len() {
            self.grow();
        }
        self.keys.len() as u32 - 1
    }

    fn grow(&mut self) {
        self.table = vec![0; self.table.len() * 4];
        let mask = self.table.len() - 1;
        for slot in 0..self.keys.len() {
            let mut place = self.place(self.keys[slot]);
            while self.table[place] != 0 {
                place = (place + 1) & mask;
            }
            self.table[place] = slot as u32 + 1;
        }
    }
}
