//! Which values lose more than their share, for which causes, and whose is it?

use super::finding::{Finding, SystemicTotals, Verdict, Whose};
use super::panel::{Panel, PanelColumn, shows};
use super::recent::{self, Halves, RECENT_FRACTION};
use super::tally::{Tally, tally};
use super::{Systemic, SystemicParams};
use crate::evidence::Cause;
use crate::rates::{Basis, Stratum, normal_upper_tail, overdispersed_z, q_values, upper_tail};

/// Findings hold at this false discovery rate.
const LEVEL: f64 = 0.05;
/// Within the strata of other findings a finding has to hold at this level, by itself.
const RETEST_LEVEL: f64 = 0.025;
/// Values with fewer customers are not tested, nor where fewer others are there to compare with.
pub(super) const LEAST_CUSTOMERS: usize = 20;
/// Values with fewer customers do not count in the spread between values either.
const LEAST_IN_FUNNEL: usize = 5;
/// From so many values on they are judged against their spread.
const LEAST_VALUES_IN_FUNNEL: usize = 20;
/// A value whose loss count varies by less says nothing of the spread.
const LEAST_FUNNEL_VARIANCE: f64 = 1.0;
/// A cause is tested where at least so many lost customers stated it.
const LEAST_STATED: usize = 5;
/// Normal quantiles of 97.5 % and 80 %: the number needed finds the minimum lift in 80 % of all cases.
const NEEDED_QUANTILES: f64 = 1.959_963_984_540_054 + 0.841_621_233_572_914;

/// The places of a finding in the panel, beside its row.
struct Row {
    column: usize,
    tally: Tally,
    p: f64,
    finding: Finding,
}

pub(crate) fn judge(panel: &Panel, params: &SystemicParams) -> Systemic {
    let plain: (&[u32], usize) = (&panel.strata, panel.strata_count);
    let lost = |record: usize| panel.lost[record];
    let mut rows = Vec::new();
    let halves = recent::halves(panel);
    let (mut recents, mut earlier): (Vec<Row>, Vec<Tally>) = (Vec::new(), Vec::new());
    for (number, column) in panel.columns.iter().enumerate() {
        let codes = present(column);
        let all = tally(panel, column, &codes, plain, &lost);
        rows.extend(tested(panel, number, all, params));
        if let Some(halves) = &halves {
            let (now, then): (Vec<Tally>, Vec<Tally>) =
                recent::tallies(halves, number, &codes).into_iter().unzip();
            recents.extend(tested(&halves[0], number, now, params));
            earlier.extend(then);
        }
    }
    let of_recent = if halves.is_some() { RECENT_FRACTION } else { 0.0 };
    assign_q(&mut rows, params.budget_fraction * (1.0 - of_recent));
    rows.iter_mut().for_each(|row| row.finding.decide(params));
    let found = retest(panel, params, &mut rows, &[]);
    if let Some([recent, _]) = &halves {
        assign_q(&mut recents, params.budget_fraction * of_recent);
        recents.iter_mut().for_each(|row| row.finding.decide(params));
        // What holds over all landmarks explains what is recent too.
        retest(recent, params, &mut recents, &found);
        let halves =
            recents.into_iter().zip(earlier).map(|(row, earlier)| Halves { recent: row.finding, earlier });
        recent::attach(rows.iter_mut().map(|row| &mut row.finding).zip(halves), params);
    }
    attach_causes(panel, params, &mut rows, &found);
    let totals = totals(panel, &rows, &found);
    let customers = panel.customers.chunk_by(|a, b| a == b).count();
    Systemic {
        horizon_days: None,
        landmarks: Vec::new(),
        recent_landmarks: 0,
        customers,
        observations: if panel.basis == Basis::Time { customers } else { panel.records() },
        rows: rows.into_iter().map(|row| row.finding).collect(),
        totals,
        tenure: Vec::new(),
        is_rates: panel.basis == Basis::Time,
    }
}

/// One row per value of a column, tested but not judged.
fn tested(panel: &Panel, number: usize, tallies: Vec<Tally>, params: &SystemicParams) -> Vec<Row> {
    let column = &panel.columns[number];
    let outlying = funnel(&tallies);
    let model_lifts = model_lifts(panel, column);
    let row = |(tally, outlying): (Tally, Option<f64>)| {
        let testable = tally.customers.min(tally.other_customers) >= LEAST_CUSTOMERS && tally.ratio.is_some();
        let p = if testable { outlying.map_or(tally.p, |p| tally.p.max(p)) } else { f64::NAN };
        let mut finding = Finding::new(&column.name, &column.values[tally.code as usize], None);
        finding.fill(&tally, panel.basis, params);
        finding.excess_amount =
            finding.excess().filter(|_| panel.amounts.is_some()).map(|share| tally.amount * share);
        finding.model_lift = model_lifts[tally.code as usize];
        Row { column: number, tally, p, finding }
    };
    tallies.into_iter().zip(outlying).map(row).collect()
}

/// The codes that any record shows, ascending.
fn present(column: &PanelColumn) -> Vec<u32> {
    let mut is_present = vec![false; column.values.len()];
    column.codes.iter().filter(|code| shows(**code)).for_each(|&code| is_present[code as usize] = true);
    (0..).zip(is_present).filter(|(_, is_present)| *is_present).map(|(code, _)| code).collect()
}

/// The tail of each value against the spread between values, where there are enough to speak of one.
fn funnel(tallies: &[Tally]) -> Vec<Option<f64>> {
    // The smallest have no spread of their own to speak of.
    let counts =
        |tally: &&Tally| tally.customers >= LEAST_IN_FUNNEL && tally.variance >= LEAST_FUNNEL_VARIANCE;
    if tallies.iter().filter(counts).count() < LEAST_VALUES_IN_FUNNEL {
        return vec![None; tallies.len()];
    }
    // The logarithm of the ratio, in one step from 1: score over information.
    let estimate = |tally: &Tally| match counts(&tally) {
        true => (tally.score * tally.inflation / tally.variance, tally.inflation / tally.variance.sqrt()),
        false => (f64::NAN, f64::NAN),
    };
    let (estimates, errors): (Vec<f64>, Vec<f64>) = tallies.iter().map(estimate).unzip();
    let z = overdispersed_z(&estimates, &errors);
    z.into_iter().map(|z| (!z.is_nan()).then(|| normal_upper_tail(z))).collect()
}

/// Observed over expected of the model among the exposed to each code, over the same among the others.
fn model_lifts(panel: &Panel, column: &PanelColumn) -> Vec<Option<f64>> {
    let Some(model) = panel.model.as_ref() else { return vec![None; column.values.len()] };
    let mut sums = vec![(0_u64, 0.0); column.values.len()];
    let mut whole = (0_u64, 0.0);
    for (record, &expected) in model.iter().enumerate().filter(|(_, expected)| !expected.is_nan()) {
        let own = column.codes[record];
        if shows(own) {
            for sum in [&mut sums[own as usize], &mut whole] {
                sum.0 += u64::from(panel.lost[record]);
                sum.1 += expected;
            }
        }
    }
    let lift = |(observed, expected): (u64, f64)| {
        let elsewhere = (whole.0 - observed) as f64 / (whole.1 - expected);
        let lift = (observed as f64 / expected) / elsewhere;
        lift.is_finite().then_some(lift)
    };
    sums.into_iter().map(lift).collect()
}

fn assign_q(rows: &mut [Row], budget_fraction: f64) {
    let tested: Vec<usize> = (0..rows.len()).filter(|&row| !rows[row].p.is_nan()).collect();
    let p: Vec<f64> = tested.iter().map(|&row| rows[row].p).collect();
    for (&row, q) in tested.iter().zip(q_values(&p)) {
        rows[row].finding.q = Some((q / budget_fraction).min(1.0));
    }
}

/// Findings from the strongest on, after those that are `known`; each further one is tested again within the strata of
/// those before it.
fn retest(panel: &Panel, params: &SystemicParams, rows: &mut [Row], known: &[usize]) -> Vec<usize> {
    let systemic = |row: &usize, rows: &[Row]| rows[*row].finding.verdict == Verdict::Systemic;
    let mut candidates: Vec<usize> =
        (0..rows.len()).filter(|row| systemic(row, rows) && !known.contains(row)).collect();
    candidates.sort_by(|&a, &b| rows[a].p.total_cmp(&rows[b].p).then(a.cmp(&b)));
    let (mut strata, mut count) = (panel.strata.clone(), panel.strata_count);
    let mut found: Vec<usize> = Vec::new();
    for candidate in known.iter().copied().chain(candidates) {
        if rows[candidate].finding.explained_by.is_some() {
            continue;
        }
        found.push(candidate);
        let codes = &panel.columns[rows[candidate].column].codes;
        for (stratum, &code) in strata.iter_mut().zip(codes) {
            *stratum += if code == rows[candidate].tally.code { count as u32 } else { 0 };
        }
        count = compact(&mut strata, 2 * count);
        let by = format!("{}={}", rows[candidate].finding.segment, rows[candidate].finding.value);
        let open = (0..rows.len()).filter(|row| !found.contains(row) && systemic(row, rows));
        let open: Vec<(usize, usize)> = open.map(|row| (rows[row].column, row)).collect();
        // One pass per column; rows stand in order of column and code.
        for own in open.chunk_by(|a, b| a.0 == b.0) {
            let column = &panel.columns[own[0].0];
            let codes: Vec<u32> = own.iter().map(|&(_, row)| rows[row].tally.code).collect();
            let again = tally(panel, column, &codes, (&strata, count), &|record| panel.lost[record]);
            for (&(_, row), again) in own.iter().zip(again) {
                let holds =
                    again.ratio.is_some_and(|ratio| ratio.low > 1.0 && ratio.ratio >= params.minimum_lift);
                if !holds || again.p > RETEST_LEVEL {
                    rows[row].finding.explained_by = Some(by.clone());
                    rows[row].finding.verdict = Verdict::Insufficient;
                }
            }
        }
    }
    found
}

/// Strata numbered anew, those that hold nobody left out; returns how many there are.
fn compact(strata: &mut [u32], count: usize) -> usize {
    let mut names = vec![u32::MAX; count];
    let mut next = 0;
    for stratum in strata {
        let name = &mut names[*stratum as usize];
        if *name == u32::MAX {
            *name = next;
            next += 1;
        }
        *stratum = *name;
    }
    next as usize
}

/// Tests the causes at values that lose more than their share, and says whose each finding is.
///
/// A cause is attached where more were lost for it than elsewhere, and where it is a larger share of what the
/// lost state than elsewhere: were reasons random, every cause would lose more wherever more are lost.
fn attach_causes(panel: &Panel, params: &SystemicParams, rows: &mut Vec<Row>, found: &[usize]) {
    let stated = |cause: Cause| panel.causes.iter().filter(|&&other| other == Some(cause)).count();
    let causes: Vec<Cause> =
        Cause::ALL.into_iter().filter(|&c| c != Cause::Unknown && stated(c) >= LEAST_STATED).collect();
    let mut tests: Vec<Row> = Vec::new();
    for (number, column) in panel.columns.iter().enumerate() {
        let own = found.iter().filter(|&&row| rows[row].column == number);
        let mut codes: Vec<u32> = own.map(|&row| rows[row].tally.code).collect();
        codes.sort_unstable();
        if codes.is_empty() {
            continue;
        }
        for &cause in &causes {
            let event = |record: usize| panel.lost[record] && panel.causes[record] == Some(cause);
            let tallies = tally(panel, column, &codes, (&panel.strata, panel.strata_count), &event);
            for (tally, share) in tallies.into_iter().zip(stated_shares(panel, column, &codes, cause)) {
                let p = tally.p.max(upper_tail(&[share], Basis::Customers));
                let mut finding =
                    Finding::new(&column.name, &column.values[tally.code as usize], Some(cause));
                finding.fill(&tally, panel.basis, params);
                finding.whose = Whose::of(cause);
                tests.push(Row { column: number, tally, p, finding });
            }
        }
    }
    tests.sort_by_key(|row| (row.column, row.tally.code, row.finding.cause));
    assign_q(&mut tests, 1.0);
    tests.iter_mut().for_each(|row| row.finding.decide(params));
    for &row in found {
        let (column, code) = (rows[row].column, rows[row].tally.code);
        let own = tests.iter().filter(|test| test.column == column && test.tally.code == code);
        let mut whose: Vec<Whose> = own
            .filter(|test| test.finding.verdict == Verdict::Systemic)
            .map(|test| test.finding.whose)
            .collect();
        whose.dedup();
        rows[row].finding.whose = if let [one] = whose[..] { one } else { Whose::Unknown };
    }
    rows.extend(tests);
    rows.sort_by_key(|row| (row.column, row.tally.code, row.finding.cause));
}

/// Of the lost who stated a cause, those who stated this one: at each code (ascending) against all others.
fn stated_shares(panel: &Panel, column: &PanelColumn, codes: &[u32], cause: Cause) -> Vec<Stratum> {
    let mut whole = (0_u64, 0.0);
    let mut shares = vec![Stratum::default(); codes.len()];
    for (record, stated) in panel.causes.iter().enumerate() {
        let Some(stated) = stated.filter(|&stated| stated != Cause::Unknown) else { continue };
        if !panel.lost[record] || !shows(column.codes[record]) {
            continue;
        }
        let is_cause = u64::from(stated == cause);
        whole = (whole.0 + is_cause, whole.1 + 1.0);
        if let Ok(place) = codes.binary_search(&column.codes[record]) {
            shares[place].exposed += 1.0;
            shares[place].exposed_events += is_cause;
        }
    }
    for share in &mut shares {
        (share.other_events, share.others) = (whole.0 - share.exposed_events, whole.1 - share.exposed);
    }
    shares
}

/// Each record counts at the first finding that it is exposed to, so that nobody is counted twice.
fn totals(panel: &Panel, rows: &[Row], found: &[usize]) -> SystemicTotals {
    let mut totals =
        SystemicTotals { amount: panel.amounts.as_ref().map(|_| 0.0), ..SystemicTotals::default() };
    if found.is_empty() {
        return totals;
    }
    let findings: Vec<(usize, u32)> = rows
        .iter()
        .filter(|row| row.finding.cause.is_none() && row.finding.verdict == Verdict::Systemic)
        .map(|row| (row.column, row.tally.code))
        .collect();
    let mut is_found: Vec<Vec<bool>> =
        panel.columns.iter().map(|column| vec![false; column.values.len()]).collect();
    findings.iter().for_each(|&(column, code)| is_found[column][code as usize] = true);
    let exposed = |record: usize| {
        panel.columns.iter().zip(&is_found).any(|(column, is_found)| {
            let code = column.codes[record];
            shows(code) && is_found[code as usize]
        })
    };
    let mut elsewhere = vec![(0_u64, 0.0); panel.strata_count];
    for record in (0..panel.records()).filter(|&record| !exposed(record)) {
        let cell = &mut elsewhere[panel.strata[record] as usize];
        cell.0 += u64::from(panel.lost[record]);
        cell.1 += panel.time[record];
    }
    let mut last = u32::MAX;
    for record in (0..panel.records()).filter(|&record| exposed(record)) {
        let (lost, time) = elsewhere[panel.strata[record] as usize];
        if time <= 0.0 {
            totals.losses_alone += usize::from(panel.lost[record]);
            continue;
        }
        totals.expected += panel.time[record] * lost as f64 / time;
        if panel.lost[record] {
            totals.losses += 1;
            totals.customers += usize::from(last != panel.customers[record]);
            last = panel.customers[record];
            if let (Some(amount), Some(amounts)) = (totals.amount.as_mut(), &panel.amounts) {
                *amount += amounts[record];
            }
        }
    }
    totals.excess = totals.losses as f64 - totals.expected;
    let share = (totals.excess / totals.losses as f64).clamp(0.0, 1.0);
    totals.excess_amount = totals.amount.map(|amount| amount * share);
    totals
}

impl Finding {
    /// The part of the lost that is above what was expected.
    fn excess(&self) -> Option<f64> {
        let share = 1.0 - self.expected? / self.lost as f64;
        share.is_finite().then(|| share.max(0.0))
    }

    fn fill(&mut self, tally: &Tally, basis: Basis, params: &SystemicParams) {
        self.exposed = tally.exposed;
        self.customers = tally.customers;
        self.lost = tally.events;
        (self.exposed_alone, self.lost_alone) = (tally.alone, tally.events_alone);
        let Some(ratio) = tally.ratio else { return };
        let finite = |x: f64| x.is_finite().then_some(x);
        self.expected = finite(ratio.expected);
        (self.lift, self.low, self.high) = (finite(ratio.ratio), finite(ratio.low), finite(ratio.high));
        let risk = ratio.expected / tally.exposed as f64;
        let spread = if basis == Basis::Customers { (1.0 - risk).max(0.0) } else { 1.0 };
        let needed =
            NEEDED_QUANTILES.powi(2) * spread * tally.inflation / (params.minimum_lift.ln().powi(2) * risk);
        self.needed = needed.is_finite().then(|| needed.ceil().min(1e15) as u64);
    }

    fn decide(&mut self, params: &SystemicParams) {
        let m = params.minimum_lift;
        let Some(q) = self.q else { return };
        let above = self.low.is_some_and(|low| low > 1.0);
        // Without any loss among the others the lift is unbounded.
        let lifted = self.lift.is_none_or(|lift| lift >= m);
        let model_agrees = self.model_lift.is_none_or(|lift| lift > 1.0);
        self.verdict = if q <= LEVEL && above && lifted && model_agrees {
            Verdict::Systemic
        } else if self.high.is_some_and(|high| high < m) {
            Verdict::Individual
        } else {
            Verdict::Insufficient
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Customers of four records each, at values of their own choice.
    fn panel(customers: usize, values: usize) -> Panel {
        let records = 4 * customers;
        // Multiples of an odd number, so that neither values nor losses follow the strata.
        let mixed = |record: usize, of: usize| record.wrapping_mul(0x9e37_79b9_7f4a_7c15) % of;
        Panel {
            basis: Basis::Customers,
            customers: (0..records).map(|record| (record / 4) as u32).collect(),
            strata: (0..records).map(|record| (record % 60) as u32).collect(),
            strata_count: 60,
            time: vec![1.0; records],
            lost: (0..records).map(|record| mixed(record, 97) < 25).collect(),
            causes: (0..records).map(|record| Some(Cause::ALL[record % 7])).collect(),
            amounts: Some(vec![10.0; records]),
            model: Some(vec![0.25; records]),
            columns: vec![PanelColumn {
                name: "store".into(),
                values: (0..values).map(|value| value.to_string()).collect(),
                codes: (0..records).map(|record| mixed(record, values) as u32).collect(),
            }],
            recent_from: None,
        }
    }

    fn fastest(panel: &Panel) -> Duration {
        let once = |_| {
            let begun = Instant::now();
            assert!(judge(panel, &Systemic::params()).rows.len() >= panel.columns[0].values.len());
            begun.elapsed()
        };
        (0..3).map(once).min().unwrap_or_default()
    }

    #[test]
    fn lost_expected_and_excess_are_of_the_same_customers() {
        let mut panel = panel(4_000, 5);
        for record in 0..panel.records() {
            // Store 0 loses twice as many, and one stratum is its alone.
            let code = &mut panel.columns[0].codes[record];
            if panel.strata[record] == 59 {
                *code = 0;
            }
            panel.lost[record] =
                record.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 101 < if *code == 0 { 50 } else { 25 };
        }
        let found = judge(&panel, &Systemic::params());
        let row = found.findings().next().unwrap();
        assert_eq!((row.value.as_str(), row.exposed_alone), ("0", panel.records() / 60));
        let (totals, expected) = (found.totals, row.expected.unwrap());
        assert_eq!((totals.losses, totals.losses_alone), (row.lost, row.lost_alone));
        assert!(row.lost_alone > 0 && (totals.expected - expected).abs() < 1e-9 * expected);
        assert!((totals.excess - (row.lost as f64 - expected)).abs() < 1e-6);
        // Ten spent by each of the lost in excess.
        let amounts = [row.excess_amount.unwrap(), totals.excess_amount.unwrap()];
        assert!(amounts.iter().all(|amount| (amount - 10.0 * totals.excess).abs() < 1e-6), "{amounts:?}");
        assert!(found.to_string().contains("where nobody elsewhere compares"), "{found}");
    }

    #[test]
    fn what_began_lately_is_told_of_the_store_and_not_of_its_region() {
        let mut panel = panel(4_000, 8);
        panel.recent_from = Some(30);
        for record in 0..panel.records() {
            let fails = panel.columns[0].codes[record] == 0 && panel.strata[record] >= 30;
            panel.lost[record] =
                record.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 101 < if fails { 60 } else { 25 };
        }
        let store = &panel.columns[0];
        panel.columns.push(PanelColumn {
            name: "region".into(),
            values: (0..4).map(|value| value.to_string()).collect(),
            codes: store.codes.iter().map(|code| code / 2).collect(),
        });
        let found = judge(&panel, &Systemic::params().with_minimum_lift(1.25));
        let lately =
            |row: &Finding| row.recent.as_ref().is_some_and(|recent| recent.verdict == Verdict::Systemic);
        let told: Vec<(&str, &str)> =
            found.rows.iter().filter(|row| lately(row)).map(|row| (&*row.segment, &*row.value)).collect();
        assert_eq!(told, [("store", "0")], "{found}");
        // The region seems to lose more, too, until its store is taken out.
        let region = found.rows.iter().find(|row| row.segment == "region" && row.value == "0").unwrap();
        assert!(region.recent.as_ref().unwrap().low.unwrap() > 1.25, "{found}");
    }

    #[test]
    fn a_hundred_times_the_values_do_not_take_a_hundred_times_as_long() {
        let (few, many) = (fastest(&panel(50_000, 200)), fastest(&panel(50_000, 20_000)));
        // A pass over the records for every value, or for every 256, would take far more than that.
        assert!(many < 12 * few, "{few:?} for 200 values, {many:?} for 20,000");
    }
}
