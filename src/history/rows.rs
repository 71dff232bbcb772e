//! How do rows travel to their customers? Scattered by a hash of the id, a block at a time.

use std::cmp::Ordering;
use std::ops::Range;

use fearless_simd::Simd;

use super::cells::Cells;
use super::convert::Facts;
use crate::math::{Kernel, wide};

/// How many partitions a history has.
pub(crate) const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 9;

/// What a customer id must offer to be grouped by.
pub(crate) trait Key: Copy + Eq + Ord + Send + Sync {
    /// Its partition hash.
    fn hash64(&self) -> u64;

    /// A cheaper hash for a table, of which the upper bits count.
    fn table_hash(&self) -> u64 {
        // Of the partition hash the top bits are spent.
        self.hash64() << PARTITION_BITS
    }

    /// Where its row's discount and segments stand, if it knows.
    fn at(&self) -> usize {
        0
    }

    /// The same key, and where its row's discount and segments stand.
    fn with_at(self, _at: usize) -> Self {
        self
    }
}

/// 2⁶⁴ over the golden ratio: multiplied by it, integers spread well (Knuth 1998, section 6.4).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Key for i64 {
    #[inline(always)]
    fn hash64(&self) -> u64 {
        mix(*self as u64)
    }

    fn table_hash(&self) -> u64 {
        (*self as u64).wrapping_mul(GOLDEN)
    }
}

/// An integer that fits 32 bits goes where it would go with 64.
impl Key for i32 {
    #[inline(always)]
    fn hash64(&self) -> u64 {
        i64::from(*self).hash64()
    }

    fn table_hash(&self) -> u64 {
        i64::from(*self).table_hash()
    }
}

impl Key for i128 {
    #[inline(always)]
    fn hash64(&self) -> u64 {
        mix((*self as u64) ^ mix((*self >> 64) as u64))
    }
}

impl Key for &str {
    #[inline(always)]
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

/// A key that knows where its row's discount and segments stand.
#[derive(Clone, Copy)]
pub(super) struct Tagged<K> {
    pub(super) key: K,
    at: u32,
}

impl<K> Tagged<K> {
    pub(super) fn new(key: K) -> Self {
        Tagged { key, at: 0 }
    }
}

impl<K: PartialEq> PartialEq for Tagged<K> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Eq> Eq for Tagged<K> {}

impl<K: Ord> PartialOrd for Tagged<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord> Ord for Tagged<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl<K: Key> Key for Tagged<K> {
    #[inline(always)]
    fn hash64(&self) -> u64 {
        self.key.hash64()
    }

    fn table_hash(&self) -> u64 {
        self.key.table_hash()
    }

    fn at(&self) -> usize {
        self.at as usize
    }

    fn with_at(self, at: usize) -> Self {
        Tagged { at: at as u32, ..self }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014). Version 1 of winback's partition hash.
#[inline(always)]
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A row on its way to its customer.
#[derive(Clone, Copy)]
pub(super) struct Row<K> {
    /// 0 without amounts.
    pub(super) amount: f64,
    pub(super) key: K,
    pub(super) day: i32,
}

/// Rows and what stands beside them where such columns were read.
#[derive(Clone)]
pub(super) struct Rows<K> {
    pub(super) rows: Vec<Row<K>>,
    pub(super) beside: Beside,
}

/// Columns that few logs have; a row's place among them is its key's [`Key::at`].
#[derive(Clone)]
pub(super) struct Beside {
    /// Empty without discounts.
    pub(super) discounts: Vec<f64>,
    /// Codes, one list per segment column.
    pub(super) segments: Vec<Vec<u32>>,
}

impl Beside {
    pub(super) fn none(segments: usize) -> Self {
        Beside { discounts: Vec::new(), segments: vec![Vec::new(); segments] }
    }

    /// A block's, in order of partition; `places` say where each partition's rows start.
    fn scatter(facts: &Facts, partition_of: &[u16], mut places: Vec<u32>) -> Self {
        let mut beside = Beside {
            discounts: vec![0.0; facts.discounts.as_ref().map_or(0, Vec::len)],
            segments: facts.segments.iter().map(|segment| vec![0; segment.codes.len()]).collect(),
        };
        if facts.discounts.is_none() && facts.segments.is_empty() {
            return beside;
        }
        for (item, &partition) in partition_of.iter().enumerate() {
            let place = &mut places[usize::from(partition)];
            let at = *place as usize;
            *place += 1;
            if let Some(discounts) = &facts.discounts {
                beside.discounts[at] = discounts[item];
            }
            for (to, from) in beside.segments.iter_mut().zip(&facts.segments) {
                to[at] = from.codes[item];
            }
        }
        beside
    }

    fn extend(&mut self, other: &Beside, range: Range<usize>) {
        self.discounts.extend(other.discounts.get(range.clone()).unwrap_or_default());
        for (all, some) in self.segments.iter_mut().zip(&other.segments) {
            all.extend_from_slice(&some[range.clone()]);
        }
    }
}

/// Which columns a log was read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) has_amount: bool,
    pub(super) has_discount: bool,
    pub(super) segments: usize,
}

impl Shape {
    /// Whether rows have anything beside day and amount.
    pub(super) fn has_more(self) -> bool {
        self.has_discount || self.segments > 0
    }
}

/// A block of rows, ordered by partition.
pub(super) struct Block<K> {
    rows: Rows<K>,
    ends: Vec<u32>,
}

impl<K: Key> Block<K> {
    /// Scatters a block of rows, in the order they were read.
    pub(super) fn scatter(keys: impl ExactSizeIterator<Item = K> + Clone, facts: &Facts) -> Self {
        let mut partition_of = vec![0_u16; keys.len()];
        wide(PartitionOf { keys: keys.clone(), out: &mut partition_of });
        let mut places = vec![0_u32; PARTITIONS];
        partition_of.iter().for_each(|&partition| places[usize::from(partition)] += 1);
        starts_of(&mut places);
        let beside = Beside::scatter(facts, &partition_of, places.clone());
        let Some(key) = keys.clone().next() else {
            return Block { rows: Rows { rows: Vec::new(), beside }, ends: places };
        };
        let mut rows = vec![Row { amount: 0.0, key, day: 0 }; keys.len()];
        let mut place = |partition: u16, row: Row<K>| {
            let place = &mut places[usize::from(partition)];
            rows[*place as usize] = row;
            *place += 1;
        };
        let days = facts.days.as_slice();
        let items = keys.zip(days).zip(&partition_of);
        match facts.amounts.as_ref().map(Cells::as_slice) {
            Some(amounts) => items
                .zip(amounts)
                .for_each(|(((key, &day), &to), &amount)| place(to, Row { amount, key, day })),
            None => items.for_each(|((key, &day), &to)| place(to, Row { amount: 0.0, key, day })),
        }
        Block { rows: Rows { rows, beside }, ends: places }
    }

    fn range(&self, partition: usize) -> Range<usize> {
        let start = partition.checked_sub(1).map_or(0, |before| self.ends[before]);
        start as usize..self.ends[partition] as usize
    }

    /// Its rows of one partition, in the order they were read.
    pub(super) fn of_partition(&self, partition: usize) -> &[Row<K>] {
        &self.rows.rows[self.range(partition)]
    }
}

impl<K: Key> Rows<K> {
    pub(super) fn none(segments: usize) -> Self {
        Rows { rows: Vec::new(), beside: Beside::none(segments) }
    }

    /// Adds an order with its discount and segment codes, where such columns were read.
    pub(super) fn push(&mut self, row: Row<K>, discount: Option<f64>, codes: impl Iterator<Item = u32>) {
        self.rows.push(Row { key: row.key.with_at(self.rows.len()), ..row });
        self.beside.discounts.extend(discount);
        self.beside.segments.iter_mut().zip(codes).for_each(|(own, code)| own.push(code));
    }
}

/// What stands beside one partition's rows, in the order they were read.
pub(super) fn beside_partition<K: Key>(blocks: &[Block<K>], partition: usize, shape: Shape) -> Beside {
    let mut all = Beside::none(shape.segments);
    if shape.has_more() {
        blocks.iter().for_each(|block| all.extend(&block.rows.beside, block.range(partition)));
    }
    all
}

/// Writes the partition of every key.
struct PartitionOf<'a, I> {
    keys: I,
    out: &'a mut [u16],
}

impl<K: Key, I: Iterator<Item = K>> Kernel for PartitionOf<'_, I> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (out, key) in self.out.iter_mut().zip(self.keys) {
            *out = (key.hash64() >> (u64::BITS - PARTITION_BITS)) as u16;
        }
    }
}

/// Turns counts per slot into where each slot starts.
pub(super) fn starts_of(counts: &mut [u32]) {
    let mut start = 0;
    for count in counts {
        let items = *count;
        *count = start;
        start += items;
    }
}
