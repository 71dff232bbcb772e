//! What did customers do since? Later orders join a history without its being read again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use polars::prelude::*;
use rayon::prelude::*;

use super::History;
use super::cells::Cells;
use super::check::{CleanRows, SetAside, Span, check, join_faults, refuse_too_many};
use super::convert::{Facts, NO_SEGMENT, Part, SegmentRows};
use super::group::{Place, Sorted, group_parts};
use super::ids::CustomerIds;
use super::partition::{Partition, Runs};
use super::read::{Source, expand};
use super::row_ids::{IdKind, RowIds};
use super::rows::{Block, Key, PARTITIONS, Rows, Shape, Tagged};
use crate::error::{InputReport, Result};

impl History {
    /// The history of this log and more orders, read the same way: exactly what reading both logs at
    /// once gives, at the cost of the partitions that the orders fall into.
    ///
    /// Orders may be of any day; one of a day that is known already is merged with it. In the report of faults,
    /// rows are numbered within each frame or file, as if all had been read side by side.
    ///
    /// ```
    /// use polars::df;
    /// use winback::{Columns, History};
    ///
    /// let monday = df!["customer_id" => [7, 3], "ordered_on" => ["2024-01-01", "2024-01-01"]]?;
    /// let tuesday = df!["customer_id" => [7], "ordered_on" => ["2024-01-02"]]?;
    /// let history = History::params(Columns::new("customer_id", "ordered_on")).from_frame(&monday)?;
    /// let history = history.append(&tuesday)?;
    /// assert_eq!(history.purchases(), 3);
    /// assert_eq!(history.observed_until().to_string(), "2024-01-02");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`HistoryParams::from_frame`](super::HistoryParams::from_frame), but that no order at all is no error.
    pub fn append(&self, orders: &DataFrame) -> Result<History> {
        self.append_sources(vec![Source::from_frame(orders, &self.params.columns)?])
    }

    /// As [`append`](Self::append), from CSV files: paths or patterns.
    ///
    /// # Errors
    /// As [`HistoryParams::read_csv`](super::HistoryParams::read_csv), but that no order at all is no error.
    pub fn append_csv<P: AsRef<Path>>(&self, paths: impl IntoIterator<Item = P>) -> Result<History> {
        let files = expand(paths)?;
        let sources = files.iter().map(|path| Source::from_csv(path, &self.params));
        self.append_sources(sources.collect::<Result<_>>()?)
    }

    /// As [`append`](Self::append), from Parquet files: paths or patterns.
    ///
    /// # Errors
    /// As [`HistoryParams::read_parquet`](super::HistoryParams::read_parquet), but that no order at all is no error.
    pub fn append_parquet<P: AsRef<Path>>(&self, paths: impl IntoIterator<Item = P>) -> Result<History> {
        let files = expand(paths)?;
        let sources = files.iter().map(|path| Source::from_parquet(path, &self.params.columns));
        self.append_sources(sources.collect::<Result<_>>()?)
    }

    fn append_sources(&self, sources: Vec<Source>) -> Result<History> {
        let (mut new, report) = check(sources, &self.params, Some(self.ids.kind()))?;
        let report = joined_report(&self.report, report);
        let own_rows: u64 = self.partitions.iter().map(|partition| partition.rows()).sum();
        refuse_too_many(
            own_rows + new.parts.iter().map(|part| part.facts.days.as_slice().len() as u64).sum::<u64>(),
        )?;
        let (segment_values, recoded) = self.join_segments(&mut new);
        let shape = self.params.shape();
        let own = recoded.as_deref().unwrap_or(&self.partitions);
        let (ids, places, partitions) = match (&*self.ids, &new.kind) {
            (CustomerIds::Int { values, .. }, IdKind::Int(dtype)) => {
                let joined = join(values, &self.places, own, &scatter(&new.parts, RowIds::ints), shape);
                (
                    CustomerIds::Int { values: joined.keys, dtype: dtype.clone() },
                    joined.places,
                    joined.partitions,
                )
            }
            (CustomerIds::Wide { values, .. }, IdKind::Wide(dtype)) => {
                let joined = join(values, &self.places, own, &scatter(&new.parts, RowIds::wides), shape);
                (
                    CustomerIds::Wide { values: joined.keys, dtype: dtype.clone() },
                    joined.places,
                    joined.partitions,
                )
            }
            (CustomerIds::Text { .. }, _) => {
                let keys: Vec<&str> = self.ids.texts().collect();
                let joined = join(&keys, &self.places, own, &scatter(&new.parts, RowIds::texts), shape);
                (CustomerIds::from_texts(joined.keys), joined.places, joined.partitions)
            }
            _ => {
                // The ids are no longer held as they were, and hash to other partitions.
                let mut parts = self.parts(own, &new.kind);
                parts.append(&mut new.parts);
                let (ids, places, partitions) = group_parts(parts, new.kind.clone(), shape);
                (ids, places, partitions.into_iter().map(Arc::new).collect())
            }
        };
        let mut aside: SetAside = self.aside.clone();
        aside.add(&new.aside);
        Ok(History {
            params: self.params.clone(),
            ids: Arc::new(ids),
            places,
            partitions,
            segment_values: Arc::new(segment_values),
            span: new.span.map_or(self.span, |span| Span::join(self.span, span)),
            aside,
            report,
            fingerprint: OnceLock::new(),
        }
        .noted())
    }

    /// The values of both, with the new rows' codes among them; and this history's partitions, where
    /// codes among them have moved.
    fn join_segments(&self, new: &mut CleanRows) -> (Vec<Vec<String>>, Option<Vec<Arc<Partition>>>) {
        let mut all = Vec::with_capacity(self.segment_values.len());
        let mut moved: Vec<Vec<u32>> = Vec::new();
        for (column, (own, other)) in self.segment_values.iter().zip(&new.segment_values).enumerate() {
            let mut values: Vec<String> = own.iter().chain(other).cloned().collect();
            values.sort_unstable();
            values.dedup();
            let codes = |values_of: &[String]| -> Vec<u32> {
                values_of.iter().map(|value| values.partition_point(|other| other < value) as u32).collect()
            };
            let of_new = codes(other);
            new.parts.iter_mut().for_each(|part| recode(&mut part.facts.segments[column].codes, &of_new));
            moved.push(codes(own));
            all.push(values);
        }
        if moved.iter().all(|codes| codes.iter().zip(0..).all(|(&code, place)| code == place)) {
            return (all, None);
        }
        let partitions = self.partitions.par_iter().map(|partition| {
            let mut partition = Partition::clone(partition);
            for (column, codes) in moved.iter().enumerate() {
                recode(&mut partition.segments[column], codes);
                recode(&mut partition.orders.segments[column], codes);
            }
            Arc::new(partition)
        });
        (all, Some(partitions.collect()))
    }

    /// All orders as they were read, one part per partition.
    fn parts(&self, partitions: &[Arc<Partition>], kind: &IdKind) -> Vec<Part> {
        let shape = self.params.shape();
        let mut ranks: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS];
        (0..).zip(&self.places).for_each(|(rank, place)| ranks[place.partition as usize].push(rank));
        let part = |(partition, ranks): (&Arc<Partition>, &Vec<u32>)| {
            let mut rows = Rows::none(shape.segments);
            for (place, &rank) in ranks.iter().enumerate() {
                partition.orders_of(place, Tagged::new(i64::from(rank)), &mut rows);
            }
            let ids = rows.rows.iter().map(|row| row.key.key as usize);
            let ids = match &*self.ids {
                CustomerIds::Int { values, .. } => {
                    RowIds::Int(Cells::Own(ids.map(|rank| values[rank]).collect()))
                }
                CustomerIds::Wide { values, .. } => RowIds::Wide(ids.map(|rank| values[rank]).collect()),
                CustomerIds::Text { .. } => {
                    let texts = ids.map(|rank| self.ids.text(rank));
                    RowIds::Text(StringChunked::from_iter_values("customer_id".into(), texts))
                }
            };
            let segments = rows
                .beside
                .segments
                .into_iter()
                .map(|codes| SegmentRows { values: Vec::new(), codes })
                .collect();
            let facts = Facts {
                days: Cells::Own(rows.rows.iter().map(|row| row.day).collect()),
                amounts: shape
                    .has_amount
                    .then(|| Cells::Own(rows.rows.iter().map(|row| row.amount).collect())),
                discounts: shape.has_discount.then_some(rows.beside.discounts),
                segments,
            };
            Part { ids: kind.hold(ids), facts }
        };
        partitions.par_iter().zip(&ranks).map(part).collect()
    }
}

fn recode(codes: &mut [u32], moved: &[u32]) {
    codes.iter_mut().filter(|code| **code != NO_SEGMENT).for_each(|code| *code = moved[*code as usize]);
}

pub(super) fn joined_report(before: &InputReport, after: InputReport) -> InputReport {
    let mut faults: BTreeMap<_, _> = before.faults.iter().map(|fault| (fault.kind, fault.clone())).collect();
    join_faults(&mut faults, after.faults.into_iter().map(|fault| (fault.kind, fault)).collect());
    InputReport {
        sources: before.sources.iter().cloned().chain(after.sources).collect(),
        rows_read: before.rows_read + after.rows_read,
        rows_kept: before.rows_kept + after.rows_kept,
        rows_dropped: before.rows_dropped + after.rows_dropped,
        faults: faults.into_values().collect(),
        notices: Vec::new(),
    }
}

fn scatter<'a, K: Key, Ids: AsRef<[K]>>(
    parts: &'a [Part],
    keys: impl Fn(&'a RowIds) -> Ids + Sync,
) -> Vec<Block<Tagged<K>>> {
    let block = |part: &'a Part| {
        let keys = keys(&part.ids);
        Block::scatter(keys.as_ref().iter().map(|&key| Tagged::new(key)), &part.facts)
    };
    parts.par_iter().map(block).collect()
}

/// A history's customers and their runs, with more orders.
struct Joined<K> {
    keys: Vec<K>,
    places: Vec<Place>,
    partitions: Vec<Arc<Partition>>,
}

fn join<K: Key>(
    keys: &[K],
    places: &[Place],
    partitions: &[Arc<Partition>],
    blocks: &[Block<Tagged<K>>],
    shape: Shape,
) -> Joined<K> {
    let is_touched: Vec<bool> = (0..PARTITIONS)
        .map(|partition| blocks.iter().any(|block| !block.of_partition(partition).is_empty()))
        .collect();
    let mut keys_of: Vec<Vec<K>> = vec![Vec::new(); PARTITIONS];
    for (&key, place) in keys.iter().zip(places) {
        if is_touched[place.partition as usize] {
            keys_of[place.partition as usize].push(key);
        }
    }
    let joined: Vec<(Arc<Partition>, Vec<K>)> = partitions
        .par_iter()
        .zip(keys_of)
        .enumerate()
        .map_init(Sorted::new, |new, (number, (partition, keys))| match is_touched[number] {
            true => {
                new.load(blocks, number, shape);
                let (partition, strangers) = join_partition(partition, &keys, new, shape);
                (Arc::new(partition), strangers)
            }
            false => (Arc::clone(partition), Vec::new()),
        })
        .collect();
    let mut strangers: Vec<(K, u32)> = Vec::new();
    let mut partitions = Vec::with_capacity(PARTITIONS);
    for (number, (partition, keys)) in (0..).zip(joined) {
        strangers.extend(keys.into_iter().map(|key| (key, number)));
        partitions.push(partition);
    }
    strangers.sort_unstable_by_key(|&(key, _)| key);
    let firsts: Vec<Vec<i32>> = partitions
        .iter()
        .zip(&is_touched)
        .map(|(partition, &is_touched)| if is_touched { partition.firsts().collect() } else { Vec::new() })
        .collect();
    let (keys, places) = number(keys, places, &strangers, &firsts);
    Joined { keys, places, partitions }
}

/// All keys in order, and each one's place: partitions hold theirs in the same order.
fn number<K: Key>(
    keys: &[K],
    places: &[Place],
    strangers: &[(K, u32)],
    firsts: &[Vec<i32>],
) -> (Vec<K>, Vec<Place>) {
    let mut all = (Vec::new(), Vec::new());
    all.0.reserve_exact(keys.len() + strangers.len());
    all.1.reserve_exact(keys.len() + strangers.len());
    // Nearly all are taken over in stretches from one stranger to the next.
    let mut start = 0;
    for &(key, partition) in strangers {
        let end = start + keys[start..].partition_point(|own| *own < key);
        all.0.extend_from_slice(&keys[start..end]);
        all.1.extend_from_slice(&places[start..end]);
        all.0.push(key);
        all.1.push(Place { partition, position: 0, first: i32::MAX });
        start = end;
    }
    all.0.extend_from_slice(&keys[start..]);
    all.1.extend_from_slice(&places[start..]);
    // Only partitions that were touched have other positions and first days.
    let mut next = vec![0_usize; PARTITIONS];
    for place in &mut all.1 {
        let partition = place.partition as usize;
        if let Some(&first) = firsts[partition].get(next[partition]) {
            *place = Place { position: next[partition] as u32, first, ..*place };
            next[partition] += 1;
        }
    }
    all
}

/// A partition with more orders, and the keys that are new in it.
///
/// Customers without a new order are copied as they are; the others' orders are merged again.
fn join_partition<K: Key>(
    own: &Partition,
    keys: &[K],
    new: &Sorted<Tagged<K>>,
    shape: Shape,
) -> (Partition, Vec<K>) {
    let orders = own.days.len() + new.rows().len();
    let mut runs = Runs::new(shape, orders, keys.len() + new.keys().len());
    let mut strangers = Vec::new();
    let (mut place, mut start) = (0, 0);
    // What the customers that are merged again had counted for before.
    let mut again = Runs::new(shape, 0, 0);
    for (Tagged { key, .. }, &end) in new.keys().zip(&new.ends) {
        let orders = start..end as usize;
        start = end as usize;
        let at = place + keys[place..].partition_point(|own| *own < key);
        runs.copy(own, place..at);
        place = at;
        let mut all = Rows::none(shape.segments);
        if keys.get(at) == Some(&key) {
            own.orders_of(at, Tagged::new(key), &mut all);
            again.push_customer(&mut all.rows.clone(), &all.beside);
            place += 1;
        } else {
            strangers.push(key);
        }
        for &row in &new.rows()[orders] {
            let (at, beside) = (row.key.at(), &new.beside);
            let codes = beside.segments.iter().map(|codes| codes[at]);
            all.push(row, beside.discounts.get(at).copied(), codes);
        }
        all.rows.sort_by_key(|row| row.day);
        runs.push_customer(&mut all.rows, &all.beside);
    }
    runs.copy(own, place..keys.len());
    let (merged_orders, duplicate_rows) = again.counts();
    runs.add_counts(own.merged_orders - merged_orders, own.duplicate_rows - duplicate_rows);
    (runs.finish(), strangers)
}
