//! How many were exposed, lost and to be expected at each value, and is that chance?

use super::panel::{Panel, PanelColumn, shows};
use crate::rates::{
    Basis, StratifiedRatio, Stratum, normal_upper_tail, score_and_variance, stratified_ratio, upper_tail,
};

/// What is counted as an event.
pub(crate) type Event<'a> = &'a dyn Fn(usize) -> bool;

/// The counts of one value against the rest of its column.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) code: u32,
    /// Distinct customers exposed, and distinct ones among the others of comparable strata.
    pub(crate) customers: usize,
    pub(crate) other_customers: usize,
    /// Customers and landmarks where each customer counts at every landmark; customers on a time basis.
    pub(crate) exposed: usize,
    pub(crate) events: usize,
    pub(crate) ratio: Option<StratifiedRatio>,
    /// Score and variance, the latter inflated.
    pub(crate) score: f64,
    pub(crate) variance: f64,
    pub(crate) inflation: f64,
    pub(crate) p: f64,
}

/// One value after another, in order of code, those of `wanted` (ascending) against all others.
pub(crate) fn tally(
    panel: &Panel,
    column: &PanelColumn,
    wanted: &[u32],
    strata: (&[u32], usize),
    event: Event<'_>,
) -> Vec<Tally> {
    let (stratum_of, count) = strata;
    let place = |code: u32| wanted.binary_search(&code).ok();
    let mut whole = vec![(0_u64, 0.0); count];
    let mut cells = vec![(0_u64, 0.0); count * wanted.len()];
    let mut exposed = vec![0; wanted.len()];
    let mut events = vec![0; wanted.len()];
    let mut customers = vec![0; wanted.len()];
    let mut everybody = 0;
    let mut last = vec![u32::MAX; wanted.len()];
    let mut last_of_all = u32::MAX;
    for record in (0..panel.records()).filter(|&record| shows(column.codes[record])) {
        let (stratum, customer) = (stratum_of[record] as usize, panel.customers[record]);
        let (happened, time) = (u64::from(event(record)), panel.time[record]);
        whole[stratum].0 += happened;
        whole[stratum].1 += time;
        everybody += usize::from(last_of_all != customer);
        last_of_all = customer;
        if let Some(place) = place(column.codes[record]) {
            let cell = &mut cells[place * count + stratum];
            cell.0 += happened;
            cell.1 += time;
            exposed[place] += 1;
            events[place] += happened as usize;
            customers[place] += usize::from(last[place] != customer);
            last[place] = customer;
        }
    }
    let strata_of = |place: usize| -> Vec<Stratum> {
        let own = &cells[place * count..(place + 1) * count];
        let pairs = own.iter().zip(&whole);
        pairs
            .map(|(own, whole)| Stratum {
                exposed_events: own.0,
                exposed: own.1,
                other_events: whole.0 - own.0,
                others: whole.1 - own.1,
            })
            .collect()
    };
    let tables: Vec<Vec<Stratum>> = (0..wanted.len()).map(strata_of).collect();
    let robust = match panel.basis {
        Basis::Customers => {
            Some(clustered_variances(panel, column, wanted, stratum_of, &whole, &tables, event))
        }
        Basis::Time => None,
    };
    let finish = |place: usize| {
        let (score, independent) = score_and_variance(&tables[place], panel.basis);
        let clustered = robust.as_ref().map_or(independent, |robust| robust[place]);
        let inflation = if independent > 0.0 { (clustered / independent).max(1.0) } else { 1.0 };
        let variance = independent * inflation;
        let exact = upper_tail(&tables[place], panel.basis);
        Tally {
            code: wanted[place],
            customers: customers[place],
            other_customers: everybody - customers[place],
            exposed: if panel.basis == Basis::Time { customers[place] } else { exposed[place] },
            events: events[place],
            ratio: stratified_ratio(&tables[place], panel.basis, inflation),
            score,
            variance,
            inflation,
            // Right where counts are few, and right where a customer's landmarks resemble each other.
            p: exact.max(if variance > 0.0 { normal_upper_tail(score / variance.sqrt()) } else { 1.0 }),
        }
    };
    (0..wanted.len()).map(finish).collect()
}

/// The variance of each value's score when whole customers are drawn, not records: Σ over customers of
/// (Σ (e − π)(y − ȳ))², where e says exposed, π is the stratum's share of exposed, y lost and ȳ its loss rate.
///
/// Who was never exposed adds (Σ π (y − ȳ))², which for all values together is a quadratic form in π.
fn clustered_variances(
    panel: &Panel,
    column: &PanelColumn,
    wanted: &[u32],
    stratum_of: &[u32],
    whole: &[(u64, f64)],
    tables: &[Vec<Stratum>],
    event: Event<'_>,
) -> Vec<f64> {
    // Strata that hold nobody take no room.
    let present: Vec<usize> = (0..whole.len()).filter(|&stratum| whole[stratum].1 > 0.0).collect();
    let mut at = vec![0; whole.len()];
    present.iter().enumerate().for_each(|(place, &stratum)| at[stratum] = place);
    let size = present.len();
    let share = |place: usize, stratum: usize| {
        let table = &tables[place][stratum];
        table.exposed / (table.exposed + table.others)
    };
    let mut products = vec![0.0; size * size];
    let mut variances = vec![0.0; wanted.len()];
    let mut residuals: Vec<(usize, usize, f64)> = Vec::new(); // value, stratum, y − ȳ
    let mut first = 0;
    for own in panel.customers.chunk_by(|a, b| a == b) {
        let records = first..first + own.len();
        first = records.end;
        residuals.clear();
        residuals.extend(records.filter(|&record| shows(column.codes[record])).map(|record| {
            let stratum = stratum_of[record] as usize;
            let rate = whole[stratum].0 as f64 / whole[stratum].1;
            let value = wanted.binary_search(&column.codes[record]).unwrap_or(usize::MAX);
            (value, stratum, f64::from(u8::from(event(record))) - rate)
        }));
        for &(_, a, x) in &residuals {
            for &(_, b, y) in &residuals {
                products[at[a] * size + at[b]] += x * y;
            }
        }
        for (position, &(value, ..)) in residuals.iter().enumerate() {
            if value == usize::MAX || residuals[..position].iter().any(|earlier| earlier.0 == value) {
                continue;
            }
            let exposed: f64 = residuals.iter().filter(|other| other.0 == value).map(|other| other.2).sum();
            let base: f64 = residuals.iter().map(|&(_, stratum, r)| share(value, stratum) * r).sum();
            variances[value] += (exposed - base).powi(2) - base * base;
        }
    }
    for (value, variance) in variances.iter_mut().enumerate() {
        for (a, row) in products.chunks(size.max(1)).enumerate() {
            let pi = share(value, present[a]);
            if pi > 0.0 {
                *variance += pi * row.iter().zip(&present).map(|(x, &b)| x * share(value, b)).sum::<f64>();
            }
        }
    }
    variances
}
