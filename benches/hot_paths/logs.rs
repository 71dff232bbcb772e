//! Seeded logs, as slices and as frames.

use std::collections::BTreeMap;

use polars::prelude::*;
use winback::{Columns, History};

use super::{SEED, is_measured};

const FIRST_DAY: i32 = 18_000;
const DAYS: i32 = 720;
pub const ORDERS_PER_CUSTOMER: usize = 12;
/// One order in so many is a refund, where there are any.
const ORDERS_PER_REFUND: usize = 50;

/// Orders, column by column.
#[derive(Clone, Default)]
pub struct Log {
    pub ids: Vec<i64>,
    pub days: Vec<i32>,
    pub amounts: Vec<f64>,
}

/// In what order rows come.
#[derive(Clone, Copy, Debug)]
pub enum Sorting {
    Shuffled,
    Time,
    Customer,
}

impl Log {
    /// In random order, without refunds: every customer buys twelve times on average, some stop early.
    pub fn seeded(customers: usize) -> Self {
        let mut state = SEED;
        let mut log = Log::default();
        for _ in 0..customers * ORDERS_PER_CUSTOMER {
            let customer = (random(&mut state) % customers as u64) as i64;
            let stays = DAYS as u64 / (1 + customer as u64 % 3);
            log.ids.push(customer);
            log.days.push(FIRST_DAY + (random(&mut state) % stays) as i32);
            log.amounts.push((random(&mut state) % 10_000) as f64 / 100.0);
        }
        log
    }

    pub fn with_refunds(mut self) -> Self {
        self.amounts.iter_mut().step_by(ORDERS_PER_REFUND).for_each(|amount| *amount = -*amount);
        self
    }

    pub fn sorted(&self, sorting: Sorting) -> Self {
        let mut order: Vec<usize> = (0..self.ids.len()).collect();
        match sorting {
            Sorting::Shuffled => {}
            Sorting::Time => order.sort_by_key(|&row| self.days[row]),
            Sorting::Customer => order.sort_by_key(|&row| (self.ids[row], self.days[row])),
        }
        Log {
            ids: order.iter().map(|&row| self.ids[row]).collect(),
            days: order.iter().map(|&row| self.days[row]).collect(),
            amounts: order.iter().map(|&row| self.amounts[row]).collect(),
        }
    }

    pub fn joined(&self, later: &Log) -> Self {
        let mut all = self.clone();
        all.ids.extend(&later.ids);
        all.days.extend(&later.days);
        all.amounts.extend(&later.amounts);
        all
    }

    pub fn frame(&self) -> DataFrame {
        self.frame_of(Column::new("customer_id".into(), &self.ids))
    }

    pub fn frame_with_texts(&self) -> DataFrame {
        self.frame_of(Column::new("customer_id".into(), self.texts()))
    }

    pub fn texts(&self) -> Vec<String> {
        self.ids.iter().map(|id| format!("C{id:07}")).collect()
    }

    fn frame_of(&self, ids: Column) -> DataFrame {
        DataFrame::new_infer_height(vec![
            ids,
            Int32Chunked::from_slice("ordered_on".into(), &self.days).into_date().into_column(),
            Column::new("amount".into(), &self.amounts),
        ])
        .expect("columns of one length")
    }

    /// Purchases per customer, the way one writes it first.
    pub fn group_naively<K: Ord + Copy>(&self, ids: &[K]) -> BTreeMap<K, BTreeMap<i32, f64>> {
        let mut customers: BTreeMap<K, BTreeMap<i32, f64>> = BTreeMap::new();
        for ((&id, &day), amount) in ids.iter().zip(&self.days).zip(&self.amounts) {
            *customers.entry(id).or_default().entry(day).or_default() += amount;
        }
        customers
    }
}

pub fn customers() -> usize {
    if is_measured() { 100_000 } else { 500 }
}

pub fn log() -> DataFrame {
    Log::seeded(customers()).frame()
}

pub fn history(log: &DataFrame) -> History {
    History::params(Columns::new("customer_id", "ordered_on").with_amount("amount"))
        .from_frame(log)
        .expect("a clean log")
}

/// SplitMix64 (Steele, Lea and Flood 2014).
pub fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
