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
use super::rows::{Beside, Block, Key, PARTITIONS, Row, Shape, Tagged, beside_partition, starts_of};

/// Days are counted into slots where they span at most so many per row.
const DAY_SLOTS_PER_ROW: usize = 4;

/// One partition's rows, sorted by key, then day. Its room serves one partition after the other.
pub(super) struct Sorted<K> {
    found: Slots<K>,
    /// The distinct keys, ascending, each with its slot.
    keys: Vec<(K, u32)>,
    /// Where each key's rows end.
    pub(super) ends: Vec<u32>,
    /// At least so many rows as there are; see [`rows`](Self::rows).
    rows: Vec<Row<K>>,
    n_rows: usize,
    pub(super) beside: Beside,
    slots: Vec<u32>,
}

impl<K: Key> Sorted<K> {
    pub(super) fn new() -> Self {
        Sorted {
            found: Slots::new(),
            keys: Vec::new(),
            ends: Vec::new(),
            rows: Vec::new(),
            n_rows: 0,
            beside: Beside::none(0),
            slots: Vec::new(),
        }
    }

    /// The distinct keys, ascending.
    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = K> {
        self.keys.iter().map(|&(key, _)| key)
    }

    pub(super) fn rows(&self) -> &[Row<K>] {
        &self.rows[..self.n_rows]
    }

    /// Takes one partition's rows of all blocks.
    pub(super) fn load(&mut self, blocks: &[Block<K>], partition: usize, shape: Shape) {
        self.beside = beside_partition(blocks, partition, shape);
        let pieces: Vec<&[Row<K>]> = blocks.iter().map(|block| block.of_partition(partition)).collect();
        // A log in order of time is in order of day already.
        if !shape.has_more() && are_in_order(&pieces) {
            self.sort_by_key(&pieces);
            return;
        }
        let mut rows = pieces.concat();
        // A row is found by its place among all of them.
        rows.iter_mut().enumerate().for_each(|(at, row)| row.key = row.key.with_at(at));
        sort_by_day(&mut rows);
        self.sort_by_key(&[&rows]);
    }

    /// Takes rows in order of day.
    fn sort_by_key(&mut self, pieces: &[&[Row<K>]]) {
        let Sorted { found, keys, ends: places, rows, n_rows, slots, .. } = self;
        found.clear();
        slots.clear();
        for piece in pieces {
            slots.extend(piece.iter().map(|row| found.slot(row.key)));
        }
        places.clear();
        places.resize(found.keys.len(), 0);
        slots.iter().for_each(|&slot| places[slot as usize] += 1);
        keys.clear();
        keys.extend(found.keys.iter().copied().zip(0..));
        keys.sort_unstable_by_key(|&(key, _)| key);
        let mut start = 0;
        for &(_, slot) in &*keys {
            let rows = places[slot as usize];
            places[slot as usize] = start;
            start += rows;
        }
        *n_rows = slots.len();
        if let Some(&some) = pieces.iter().find_map(|piece| piece.first()) {
            rows.resize(rows.len().max(slots.len()), some);
        }
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
        .map_init(Sorted::new, |sorted, number| {
            sorted.load(blocks, number, shape);
            let partition = group_partition(sorted, shape);
            let places = (0..).zip(partition.firsts());
            let places = places.map(|(position, first)| Place { partition: number as u32, position, first });
            (sorted.keys().zip(places).collect(), partition)
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

/// The runs of one partition's customers.
fn group_partition<K: Key>(sorted: &mut Sorted<K>, shape: Shape) -> Partition {
    let mut runs = Runs::new(shape, sorted.n_rows, sorted.keys.len());
    let mut start = 0;
    for &end in &sorted.ends {
        runs.push_customer(&mut sorted.rows[start..end as usize], &sorted.beside);
        start = end as usize;
    }
    runs.finish()
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

    fn clear(&mut self) {
        self.table.fill(0);
        self.keys.clear();
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
