//! What did each customer do? Rows become per-customer runs of purchases, sorted by day.
//!
//! Hot path 1. Rows are scattered by a hash of their customer id into a fixed number of partitions,
//! each small enough for the processor's cache; each partition is grouped on its own. Which thread
//! does what never shows: blocks and partitions are constants, and every sum is added in an order
//! that depends on values alone.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use rayon::prelude::*;

use super::check::CleanRows;
use super::convert::NO_SEGMENT;

/// How many partitions a history has.
pub(crate) const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 9;
/// How many rows are scattered at a time.
const ROWS_PER_BLOCK: usize = 1 << 16;
/// A day with refunds is a purchase when its net exceeds this share of its absolute amounts.
const NET_PURCHASE_FRACTION: f64 = 1e-9;

/// The customers of one hash partition, ordered by id, with their runs end to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Partition {
    /// Where each customer's purchases end; customer k's begin where k − 1's end.
    pub(crate) purchase_ends: Vec<u32>,
    /// Purchase days, ascending within a customer.
    pub(crate) days: Vec<i32>,
    /// Net amount of each purchase day; empty without amounts.
    pub(crate) net: Vec<f64>,
    /// Refunded on each purchase day, as a positive amount; empty without amounts.
    pub(crate) refunded: Vec<f64>,
    /// Discount of each purchase day; empty without discounts.
    pub(crate) discount: Vec<f64>,
    /// Per segment column the value's code on each purchase day.
    pub(crate) segments: Vec<Vec<u32>>,
    /// Where each customer's refund-only days end.
    pub(crate) refund_ends: Vec<u32>,
    /// Refund-only days, ascending within a customer.
    pub(crate) refund_days: Vec<i32>,
    /// What went back on each refund-only day, net, as a positive amount.
    pub(crate) refund_amounts: Vec<f64>,
    /// Orders beyond the first of their customer and day.
    pub(crate) merged_orders: u64,
    /// Rows equal to an earlier one in everything read.
    pub(crate) duplicate_rows: u64,
}

/// What a customer id must offer to be grouped by.
pub(crate) trait Key: Copy + Eq + Ord + Send + Sync {
    fn hash64(&self) -> u64;
}

impl Key for i64 {
    fn hash64(&self) -> u64 {
        mix(*self as u64)
    }
}

impl Key for i128 {
    fn hash64(&self) -> u64 {
        mix((*self as u64) ^ mix((*self >> 64) as u64))
    }
}

impl Key for &str {
    fn hash64(&self) -> u64 {
        let mut hash = self.len() as u64;
        for chunk in self.as_bytes().chunks(8) {
            let mut word = [0_u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = mix(hash ^ u64::from_le_bytes(word));
        }
        hash
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014). Version 1 of winback's partition hash.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A row on its way to its customer.
#[derive(Clone, Copy)]
struct Row<K> {
    key: K,
    amount: f64,
    day: i32,
    row: u32,
}

/// Groups rows by customer: per partition its customers' keys, ascending, and their runs.
pub(crate) fn group<K: Key>(keys: &[K], rows: &CleanRows) -> Vec<(Vec<K>, Partition)> {
    let blocks: Vec<Block<K>> = keys
        .par_chunks(ROWS_PER_BLOCK)
        .enumerate()
        .map(|(block, keys)| scatter(keys, block * ROWS_PER_BLOCK, rows))
        .collect();
    (0..PARTITIONS)
        .into_par_iter()
        .map(|partition| {
            let mine: Vec<Row<K>> =
                blocks.iter().flat_map(|block| block.of_partition(partition).iter().copied()).collect();
            group_partition(&mine, rows)
        })
        .collect()
}

/// A block of rows, ordered by partition.
struct Block<K> {
    rows: Vec<Row<K>>,
    ends: Vec<u32>,
}

impl<K> Block<K> {
    fn of_partition(&self, partition: usize) -> &[Row<K>] {
        let start = partition.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.rows[start as usize..self.ends[partition] as usize]
    }
}

fn scatter<K: Key>(keys: &[K], first_row: usize, rows: &CleanRows) -> Block<K> {
    let partition_of: Vec<u16> =
        keys.iter().map(|key| (key.hash64() >> (u64::BITS - PARTITION_BITS)) as u16).collect();
    let mut ends = vec![0_u32; PARTITIONS];
    partition_of.iter().for_each(|&partition| ends[partition as usize] += 1);
    let order = counting_order(&mut ends, partition_of.iter().map(|&partition| usize::from(partition)));
    let rows = order
        .into_iter()
        .map(|index| {
            let row = first_row + index as usize;
            Row {
                key: keys[index as usize],
                amount: rows.amounts.as_ref().map_or(0.0, |amounts| amounts[row]),
                day: rows.days[row],
                row: row as u32,
            }
        })
        .collect();
    Block { rows, ends }
}

/// Turns counts per slot into ends per slot, and returns the items' positions in order of slot.
fn counting_order(counts: &mut [u32], slots: impl ExactSizeIterator<Item = usize>) -> Vec<u32> {
    let mut start = 0;
    for count in counts.iter_mut() {
        let items = *count;
        *count = start;
        start += items;
    }
    let mut order = vec![0_u32; slots.len()];
    for (item, slot) in slots.enumerate() {
        order[counts[slot] as usize] = item as u32;
        counts[slot] += 1;
    }
    order
}

fn group_partition<K: Key>(rows: &[Row<K>], clean: &CleanRows) -> (Vec<K>, Partition) {
    let (keys, slots) = customers_of(rows);
    let mut ends = vec![0_u32; keys.len()];
    slots.iter().for_each(|&slot| ends[slot as usize] += 1);
    let order = counting_order(&mut ends, slots.iter().map(|&slot| slot as usize));
    let mut sorted: Vec<Row<K>> = order.into_iter().map(|index| rows[index as usize]).collect();

    let mut partition =
        Partition { segments: vec![Vec::new(); clean.segments.len()], ..Partition::default() };
    let mut start = 0;
    for &end in &ends {
        let run = &mut sorted[start..end as usize];
        let before = |a: &Row<K>, b: &Row<K>| a.day.cmp(&b.day).then(a.amount.total_cmp(&b.amount));
        if !run.is_sorted_by(|a, b| before(a, b).is_le()) {
            run.sort_unstable_by(before);
        }
        for day in run.chunk_by_mut(|a, b| a.day == b.day) {
            partition.push_day(day, clean);
        }
        partition.purchase_ends.push(partition.days.len() as u32);
        partition.refund_ends.push(partition.refund_days.len() as u32);
        start = end as usize;
    }
    (keys, partition)
}

/// The distinct keys, ascending, and each row's position among them.
fn customers_of<K: Key>(rows: &[Row<K>]) -> (Vec<K>, Vec<u32>) {
    let mut found: HashMap<Hashed<K>, u32, BuildHasherDefault<PassThrough>> = HashMap::default();
    let mut slots: Vec<u32> = rows
        .iter()
        .map(|row| {
            let next = found.len() as u32;
            *found.entry(Hashed(row.key)).or_insert(next)
        })
        .collect();
    let mut keys: Vec<(K, u32)> = found.into_iter().map(|(key, slot)| (key.0, slot)).collect();
    keys.sort_unstable_by_key(|&(key, _)| key);
    let mut rank = vec![0_u32; keys.len()];
    keys.iter().zip(0..).for_each(|(&(_, slot), position)| rank[slot as usize] = position);
    slots.iter_mut().for_each(|slot| *slot = rank[*slot as usize]);
    (keys.into_iter().map(|(key, _)| key).collect(), slots)
}

impl Partition {
    /// Merges one customer's orders of one day, sorted by amount, into a purchase or a refund.
    fn push_day<K>(&mut self, day: &mut [Row<K>], clean: &CleanRows) {
        self.merged_orders += day.len() as u64 - 1;
        if day.len() > 1 {
            self.duplicate_rows += duplicates(day, clean);
        }
        let (mut net, mut gross, mut refunded) = (0.0, 0.0, 0.0);
        for order in day.iter() {
            net += order.amount;
            if order.amount < 0.0 { refunded -= order.amount } else { gross += order.amount }
        }
        let is_purchase = refunded == 0.0 || net > NET_PURCHASE_FRACTION * (gross + refunded);
        if !is_purchase {
            self.refund_days.push(day[0].day);
            self.refund_amounts.push(if net < 0.0 { -net } else { 0.0 });
            return;
        }
        self.days.push(day[0].day);
        if clean.amounts.is_some() {
            self.net.push(net);
            self.refunded.push(refunded);
        }
        if let Some(discounts) = &clean.discounts {
            let mut of_day: Vec<f64> = day
                .iter()
                .filter(|order| order.amount >= 0.0)
                .map(|order| discounts[order.row as usize])
                .collect();
            of_day.sort_unstable_by(f64::total_cmp);
            self.discount.push(of_day.iter().sum());
        }
        for (column, segment) in self.segments.iter_mut().zip(&clean.segments) {
            // Of the largest orders the first value in order of text; "no value" is the last code.
            let largest = day[day.len() - 1].amount;
            let value = day
                .iter()
                .rev()
                .take_while(|order| order.amount == largest)
                .map(|order| segment.codes[order.row as usize])
                .min();
            column.push(value.unwrap_or(NO_SEGMENT));
        }
    }
}

/// Rows of one customer and day that equal another in amount, discount and segments.
fn duplicates<K>(day: &mut [Row<K>], clean: &CleanRows) -> u64 {
    let rest = |row: u32| {
        let discount = clean.discounts.as_ref().map(|discounts| discounts[row as usize].to_bits());
        (discount, clean.segments.iter().map(move |segment| segment.codes[row as usize]))
    };
    let compare = |a: &Row<K>, b: &Row<K>| {
        let (a, b) = (rest(a.row), rest(b.row));
        a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1))
    };
    let mut found = 0;
    for equal_amounts in day.chunk_by_mut(|a, b| a.amount.to_bits() == b.amount.to_bits()) {
        if equal_amounts.len() > 1 {
            equal_amounts.sort_unstable_by(compare);
            found +=
                equal_amounts.windows(2).filter(|pair| compare(&pair[0], &pair[1]).is_eq()).count() as u64;
        }
    }
    found
}

/// A key that hashes by its own 64-bit hash.
#[derive(PartialEq, Eq)]
struct Hashed<K>(K);

impl<K: Key> Hash for Hashed<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash64());
    }
}

/// Takes a hash as it is. The top bits chose the partition, so the halves are swapped.
#[derive(Default)]
struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0.rotate_left(u64::BITS / 2)
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = mix(self.0 ^ u64::from(byte)));
    }
}
