//! How many were exposed, lost and to be expected at each value, and is that chance?
//!
//! Records are sorted by value once, so that a column of many values costs no more than one of few.

use super::panel::{Panel, PanelColumn, shows};
use crate::rates::{
    Basis, StratifiedRatio, Stratum, normal_upper_tail, score_and_variance, stratified_ratio, upper_tail,
};

/// What is counted as an event.
pub(crate) type Event<'a> = &'a dyn Fn(usize) -> bool;

/// No value that is wanted.
const NOT_WANTED: u32 = u32::MAX;

/// The counts of one value against the rest of its column.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) code: u32,
    /// Distinct customers exposed, and distinct ones who never were.
    pub(crate) customers: usize,
    pub(crate) other_customers: usize,
    /// Customers and landmarks, in strata that hold others too; distinct customers on a time basis.
    pub(crate) exposed: usize,
    pub(crate) events: usize,
    /// The same in strata that hold nobody else.
    pub(crate) alone: usize,
    pub(crate) events_alone: usize,
    /// What the events among the exposed cost, in strata that hold others too; 0 without amounts.
    pub(crate) amount: f64,
    pub(crate) ratio: Option<StratifiedRatio>,
    /// Score and variance, the latter inflated.
    pub(crate) score: f64,
    pub(crate) variance: f64,
    pub(crate) inflation: f64,
    pub(crate) p: f64,
}

/// The strata of one value in which somebody is exposed, ascending.
type Table = Vec<(usize, Stratum)>;

/// One value after another, in order of code, those of `wanted` (ascending) against all others.
pub(crate) fn tally(
    panel: &Panel,
    column: &PanelColumn,
    wanted: &[u32],
    (stratum_of, count): (&[u32], usize),
    event: Event<'_>,
) -> Vec<Tally> {
    // Told once per record, whatever the number of values.
    let happened: Vec<bool> = (0..panel.records()).map(event).collect();
    let mut whole = vec![(0_u64, 0.0); count];
    let (mut everybody, mut last) = (0, u32::MAX);
    for record in (0..panel.records()).filter(|&record| shows(column.codes[record])) {
        let cell = &mut whole[stratum_of[record] as usize];
        cell.0 += u64::from(happened[record]);
        cell.1 += panel.time[record];
        everybody += usize::from(last != panel.customers[record]);
        last = panel.customers[record];
    }
    let places = places(column, wanted);
    let (starts, records) = by_place(column, &places, wanted.len());
    let own = |place: usize| &records[starts[place]..starts[place + 1]];
    let mut scratch = vec![(0_u64, 0.0); count];
    let tables: Vec<Table> = (0..wanted.len())
        .map(|place| table(panel, own(place), stratum_of, &happened, &whole, &mut scratch))
        .collect();
    let robust = (panel.basis == Basis::Customers)
        .then(|| clustered_variances(panel, column, &places, stratum_of, &whole, &tables, &happened));
    let finish = |place: usize| {
        let strata: Vec<Stratum> = tables[place].iter().map(|(_, stratum)| *stratum).collect();
        let (score, independent) = score_and_variance(&strata, panel.basis);
        let clustered = robust.as_ref().map_or(independent, |robust| robust[place]);
        let inflation = if independent > 0.0 { (clustered / independent).max(1.0) } else { 1.0 };
        let variance = independent * inflation;
        let exact = upper_tail(&strata, panel.basis);
        let mut found = Tally {
            code: wanted[place],
            customers: 0,
            other_customers: 0,
            exposed: 0,
            events: 0,
            alone: 0,
            events_alone: 0,
            amount: 0.0,
            ratio: stratified_ratio(&strata, panel.basis, inflation),
            score,
            variance,
            inflation,
            // Right where counts are few, and right where a customer's landmarks resemble each other.
            p: exact.max(if variance > 0.0 { normal_upper_tail(score / variance.sqrt()) } else { 1.0 }),
        };
        found.count(panel, own(place), stratum_of, &happened, &tables[place]);
        found.other_customers = everybody - found.customers;
        found
    };
    (0..wanted.len()).map(finish).collect()
}

/// The place of every code among those wanted.
fn places(column: &PanelColumn, wanted: &[u32]) -> Vec<u32> {
    let mut places = vec![NOT_WANTED; column.values.len()];
    wanted.iter().enumerate().for_each(|(place, &code)| places[code as usize] = place as u32);
    places
}

fn place_of(places: &[u32], code: u32) -> Option<usize> {
    let place = *places.get(code as usize)?;
    (place != NOT_WANTED).then_some(place as usize)
}

/// The records of each place, in their order: where each begins, and all of them.
fn by_place(column: &PanelColumn, places: &[u32], wanted: usize) -> (Vec<usize>, Vec<usize>) {
    let mut starts = vec![0; wanted + 1];
    for place in column.codes.iter().filter_map(|&code| place_of(places, code)) {
        starts[place + 1] += 1;
    }
    for place in 0..wanted {
        starts[place + 1] += starts[place];
    }
    let (mut next, mut records) = (starts.clone(), vec![0; starts[wanted]]);
    for (record, &code) in column.codes.iter().enumerate() {
        if let Some(place) = place_of(places, code) {
            records[next[place]] = record;
            next[place] += 1;
        }
    }
    (starts, records)
}

/// The strata of one value. `scratch` holds zeros, and does so again afterwards.
fn table(
    panel: &Panel,
    own: &[usize],
    stratum_of: &[u32],
    happened: &[bool],
    whole: &[(u64, f64)],
    scratch: &mut [(u64, f64)],
) -> Table {
    let mut touched = Vec::new();
    for &record in own {
        let stratum = stratum_of[record] as usize;
        let cell = &mut scratch[stratum];
        if *cell == (0, 0.0) {
            touched.push(stratum);
        }
        cell.0 += u64::from(happened[record]);
        cell.1 += panel.time[record];
    }
    touched.sort_unstable();
    touched.dedup();
    let stratum = |stratum: usize| {
        let (own, whole) = (std::mem::take(&mut scratch[stratum]), whole[stratum]);
        let table = Stratum {
            exposed_events: own.0,
            exposed: own.1,
            other_events: whole.0 - own.0,
            others: whole.1 - own.1,
        };
        (stratum, table)
    };
    touched.into_iter().map(stratum).collect()
}

fn stratum_in(table: &Table, stratum: usize) -> Option<&Stratum> {
    let place = table.binary_search_by_key(&stratum, |&(stratum, _)| stratum).ok()?;
    Some(&table[place].1)
}

impl Tally {
    /// Counts the records of one value, those that can be compared and the others.
    fn count(&mut self, panel: &Panel, own: &[usize], stratum_of: &[u32], happened: &[bool], table: &Table) {
        let (mut last, mut last_compared) = (u32::MAX, u32::MAX);
        let (mut records, mut compared_customers) = ([0, 0], 0);
        for &record in own {
            let customer = panel.customers[record];
            self.customers += usize::from(last != customer);
            last = customer;
            let compares = stratum_in(table, stratum_of[record] as usize).is_some_and(Stratum::compares);
            records[usize::from(!compares)] += 1;
            if !compares {
                self.events_alone += usize::from(happened[record]);
                continue;
            }
            compared_customers += usize::from(last_compared != customer);
            last_compared = customer;
            self.events += usize::from(happened[record]);
            if let (true, Some(amounts)) = (happened[record], &panel.amounts) {
                self.amount += amounts[record];
            }
        }
        (self.exposed, self.alone) = match panel.basis {
            Basis::Time => (compared_customers, self.customers - compared_customers),
            Basis::Customers => (records[0], records[1]),
        };
    }
}

/// The variance of each value's score when whole customers are drawn, not records: Σ over customers of
/// (Σ (e − π)(y − ȳ))², where e says exposed, π is the stratum's share of exposed, y lost and ȳ its loss rate.
///
/// Who was never exposed adds (Σ π (y − ȳ))², which for all values together is a quadratic form in π.
fn clustered_variances(
    panel: &Panel,
    column: &PanelColumn,
    places: &[u32],
    stratum_of: &[u32],
    whole: &[(u64, f64)],
    tables: &[Table],
    happened: &[bool],
) -> Vec<f64> {
    // Strata that hold nobody take no room.
    let present: Vec<usize> = (0..whole.len()).filter(|&stratum| whole[stratum].1 > 0.0).collect();
    let mut at = vec![0; whole.len()];
    present.iter().enumerate().for_each(|(place, &stratum)| at[stratum] = place);
    let size = present.len();
    let share_of = |table: &Stratum| table.exposed / (table.exposed + table.others);
    let share = |place: usize, stratum: usize| stratum_in(&tables[place], stratum).map_or(0.0, share_of);
    let mut products = vec![0.0; size * size];
    let mut variances = vec![0.0; tables.len()];
    let mut residuals: Vec<(Option<usize>, usize, f64)> = Vec::new(); // value, stratum, y − ȳ
    let mut first = 0;
    for own in panel.customers.chunk_by(|a, b| a == b) {
        let records = first..first + own.len();
        first = records.end;
        residuals.clear();
        residuals.extend(records.filter(|&record| shows(column.codes[record])).map(|record| {
            let stratum = stratum_of[record] as usize;
            let rate = whole[stratum].0 as f64 / whole[stratum].1;
            let value = place_of(places, column.codes[record]);
            (value, stratum, f64::from(u8::from(happened[record])) - rate)
        }));
        for &(_, a, x) in &residuals {
            for &(_, b, y) in &residuals {
                products[at[a] * size + at[b]] += x * y;
            }
        }
        for (position, &(value, ..)) in residuals.iter().enumerate() {
            let Some(place) = value else { continue };
            if residuals[..position].iter().any(|earlier| earlier.0 == value) {
                continue;
            }
            let exposed: f64 = residuals.iter().filter(|other| other.0 == value).map(|other| other.2).sum();
            let base: f64 = residuals.iter().map(|&(_, stratum, r)| share(place, stratum) * r).sum();
            variances[place] += (exposed - base).powi(2) - base * base;
        }
    }
    for (table, variance) in tables.iter().zip(&mut variances) {
        for (stratum, one) in table {
            let row = &products[at[*stratum] * size..][..size];
            let across = table.iter().map(|(other, two)| row[at[*other]] * share_of(two));
            *variance += share_of(one) * across.sum::<f64>();
        }
    }
    variances
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Customers of one record each in three strata, handed out to so many values.
    fn panel(customers: usize, values: usize) -> Panel {
        let codes: Vec<u32> = (0..customers).map(|customer| (customer % values) as u32).collect();
        Panel {
            basis: Basis::Customers,
            customers: (0..customers as u32).collect(),
            strata: (0..customers).map(|customer| (customer / values % 3) as u32).collect(),
            strata_count: 3,
            time: vec![1.0; customers],
            lost: (0..customers).map(|customer| customer % 7 < 2).collect(),
            causes: vec![None; customers],
            amounts: Some((0..customers).map(|customer| customer as f64).collect()),
            model: None,
            columns: vec![PanelColumn {
                name: "store".into(),
                values: (0..values).map(|value| value.to_string()).collect(),
                codes,
            }],
            recent_from: None,
        }
    }

    #[test]
    fn every_record_is_looked_at_once_however_many_values_there_are() {
        for values in [2, 20_000] {
            let panel = panel(60_000, values);
            let asked = Cell::new(0);
            let event = |record: usize| {
                asked.set(asked.get() + 1);
                panel.lost[record]
            };
            let wanted: Vec<u32> = (0..values as u32).collect();
            let found = tally(&panel, &panel.columns[0], &wanted, (&panel.strata, 3), &event);
            assert_eq!((found.len(), asked.get()), (values, panel.records()));
            assert_eq!(found.iter().map(|one| one.exposed + one.alone).sum::<usize>(), panel.records());
        }
    }

    #[test]
    fn a_value_counts_alike_alone_and_among_all() {
        let panel = panel(4_000, 16);
        let strata: (&[u32], usize) = (&panel.strata, 3);
        let event = |record: usize| panel.lost[record];
        let all = tally(&panel, &panel.columns[0], &(0..16).collect::<Vec<u32>>(), strata, &event);
        for (code, one) in all.iter().enumerate() {
            let alone = tally(&panel, &panel.columns[0], &[code as u32], strata, &event);
            assert_eq!(format!("{:?}", alone[0]), format!("{one:?}"));
        }
    }

    #[test]
    fn who_cannot_be_compared_is_counted_apart() {
        let mut panel = panel(400, 2);
        // In the third stratum everybody is of value 0.
        for record in 0..400 {
            if panel.columns[0].codes[record] == 0 && record % 4 == 0 {
                panel.strata[record] = 2;
            } else if panel.strata[record] == 2 {
                panel.strata[record] = 0;
            }
        }
        let found =
            tally(&panel, &panel.columns[0], &[0, 1], (&panel.strata, 3), &|record| panel.lost[record]);
        let [own, other] = &found[..] else { panic!("two values") };
        assert_eq!((own.exposed, own.alone, other.exposed, other.alone), (100, 100, 200, 0));
        let lost = |is_own: &dyn Fn(usize) -> bool| (0..400).filter(|&r| is_own(r) && panel.lost[r]).count();
        let alone = lost(&|record| panel.strata[record] == 2);
        assert_eq!(own.events_alone, alone);
        assert_eq!(own.events, lost(&|record| panel.columns[0].codes[record] == 0) - alone);
        assert_eq!(own.events, own.ratio.unwrap().observed as usize);
    }
}
