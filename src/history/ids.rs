//! Who is who? Customer ids as they came in, in their order.

use std::borrow::Cow;
use std::cmp::Ordering;

use polars::prelude::*;

use super::row_ids::IdKind;
use super::types::{Role, as_text};
use crate::error::{Error, Result};
use crate::table::guarded;

/// Customer ids, unique and ascending: integers numerically, text bytewise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CustomerIds {
    /// Integers that fit 64 bits, and the type they came in.
    Int { values: Vec<i64>, dtype: DataType },
    /// Integers that need 128 bits.
    Wide { values: Vec<i128>, dtype: DataType },
    /// Text, end to end, with the position at which each id ends.
    Text { bytes: String, ends: Vec<usize> },
}

impl CustomerIds {
    pub(crate) fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut bytes, mut ends) = (String::new(), Vec::new());
        for text in texts {
            bytes.push_str(text);
            ends.push(bytes.len());
        }
        CustomerIds::Text { bytes, ends }
    }

    /// No ids, held as these are.
    pub(super) fn none(kind: &IdKind) -> Self {
        match kind.clone() {
            IdKind::Int(dtype) => CustomerIds::Int { values: Vec::new(), dtype },
            IdKind::Wide(dtype) => CustomerIds::Wide { values: Vec::new(), dtype },
            IdKind::Text => CustomerIds::from_texts([]),
        }
    }

    /// The distinct ids of a column, and each row's rank among them. Null and floats are refused.
    pub(crate) fn from_column(column: &Column) -> Result<(Self, Vec<u32>)> {
        let series = column.as_materialized_series();
        let dtype = series.dtype().clone();
        if series.null_count() > 0 || !(dtype.is_integer() || Role::Customer.check("", "", &dtype).is_ok()) {
            return Err(Error::table("reading customer ids", "null or unsuitable"));
        }
        if dtype.is_integer() {
            let wide = guarded("reading customer ids", || {
                Ok(series
                    .strict_cast(&DataType::Int128)?
                    .i128()?
                    .iter()
                    .map(Option::unwrap_or_default)
                    .collect::<Vec<_>>())
            })?;
            let (values, ranks) = distinct(wide);
            let ids = match values.iter().map(|&value| i64::try_from(value).ok()).collect() {
                Some(values) => CustomerIds::Int { values, dtype },
                None => CustomerIds::Wide { values, dtype },
            };
            return Ok((ids, ranks));
        }
        let text = as_text(series)?;
        let text = guarded("reading customer ids", || text.str().cloned())?;
        let (texts, ranks) = distinct(text.iter().map(Option::unwrap_or_default).collect());
        Ok((CustomerIds::from_texts(texts), ranks))
    }

    /// Ids that came as text, in order; none of others.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let (bytes, ends) = match self {
            CustomerIds::Text { bytes, ends } => (bytes.as_str(), ends.as_slice()),
            _ => ("", [].as_slice()),
        };
        let starts = std::iter::once(&0).chain(ends);
        starts.zip(ends).map(|(&start, &end)| &bytes[start..end])
    }

    /// How they are held.
    pub(super) fn kind(&self) -> IdKind {
        match self {
            CustomerIds::Int { dtype, .. } => IdKind::Int(dtype.clone()),
            CustomerIds::Wide { dtype, .. } => IdKind::Wide(dtype.clone()),
            CustomerIds::Text { .. } => IdKind::Text,
        }
    }

    /// The canonical text of one id: integers in decimal, text as it is.
    pub(crate) fn text(&self, rank: usize) -> Cow<'_, str> {
        match self {
            CustomerIds::Int { values, .. } => Cow::Owned(values[rank].to_string()),
            CustomerIds::Wide { values, .. } => Cow::Owned(values[rank].to_string()),
            CustomerIds::Text { bytes, ends } => {
                let start = rank.checked_sub(1).map_or(0, |before| ends[before]);
                Cow::Borrowed(&bytes[start..ends[rank]])
            }
        }
    }

    /// The rank of the id of that canonical text.
    pub(crate) fn rank_of(&self, text: &str) -> Option<usize> {
        match self {
            CustomerIds::Int { values, .. } => {
                let id = text.parse().ok().filter(|id: &i64| id.to_string() == text)?;
                values.binary_search(&id).ok()
            }
            CustomerIds::Wide { values, .. } => {
                let id = text.parse().ok().filter(|id: &i128| id.to_string() == text)?;
                values.binary_search(&id).ok()
            }
            CustomerIds::Text { ends, .. } => {
                let (mut low, mut high) = (0, ends.len());
                while low < high {
                    let middle = low + (high - low) / 2;
                    match self.text(middle).as_bytes().cmp(text.as_bytes()) {
                        Ordering::Less => low = middle + 1,
                        Ordering::Equal => return Some(middle),
                        Ordering::Greater => high = middle,
                    }
                }
                None
            }
        }
    }

    /// The ids of the given ranks, ascending.
    pub(crate) fn pick(&self, ranks: &[u32]) -> Self {
        let ranks = ranks.iter().map(|&rank| rank as usize);
        match self {
            CustomerIds::Int { values, dtype } => {
                CustomerIds::Int { values: ranks.map(|rank| values[rank]).collect(), dtype: dtype.clone() }
            }
            CustomerIds::Wide { values, dtype } => {
                CustomerIds::Wide { values: ranks.map(|rank| values[rank]).collect(), dtype: dtype.clone() }
            }
            CustomerIds::Text { .. } => {
                let mut picked = CustomerIds::from_texts([]);
                ranks.for_each(|rank| picked.push_text(&self.text(rank)));
                picked
            }
        }
    }

    /// Adds ids that are held the same way and come after all of these.
    pub(crate) fn append(&mut self, later: &CustomerIds) {
        match (self, later) {
            (CustomerIds::Int { values, .. }, CustomerIds::Int { values: more, .. }) => {
                values.extend_from_slice(more);
            }
            (CustomerIds::Wide { values, .. }, CustomerIds::Wide { values: more, .. }) => {
                values.extend_from_slice(more);
            }
            (own, more) => more.texts().for_each(|text| own.push_text(text)),
        }
    }

    fn push_text(&mut self, text: &str) {
        if let CustomerIds::Text { bytes, ends } = self {
            bytes.push_str(text);
            ends.push(bytes.len());
        }
    }

    /// The ids of the given ranks, as a column of the type they came in.
    pub(crate) fn column(&self, name: &str, ranks: &[u32]) -> Result<Column> {
        let name = PlSmallStr::from_str(name);
        match self {
            CustomerIds::Int { values, dtype } => {
                let picked: Vec<i64> = ranks.iter().map(|&rank| values[rank as usize]).collect();
                let column = Int64Chunked::from_vec(name, picked).into_column();
                guarded("casting customer ids back", || column.cast(dtype))
            }
            CustomerIds::Wide { values, dtype } => {
                let picked: Vec<i128> = ranks.iter().map(|&rank| values[rank as usize]).collect();
                let column = Int128Chunked::from_vec(name, picked).into_column();
                guarded("casting customer ids back", || column.cast(dtype))
            }
            CustomerIds::Text { .. } => {
                let texts = ranks.iter().map(|&rank| self.text(rank as usize));
                Ok(StringChunked::from_iter_values(name, texts).into_column())
            }
        }
    }
}

fn distinct<T: Ord + Copy>(values: Vec<T>) -> (Vec<T>, Vec<u32>) {
    let mut sorted = values.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let ranks = values.iter().map(|value| sorted.partition_point(|other| other < value) as u32).collect();
    (sorted, ranks)
}
