//! Which values lose more than their share, for which causes, and whose is it?

use super::panel::{Panel, shows};
use super::tally::{Tally, tally};
use super::{Finding, Systemic, SystemicParams, SystemicTotals, Verdict, Whose};
use crate::evidence::Cause;
use crate::rates::{Basis, Stratum, normal_upper_tail, overdispersed_z, q_values, upper_tail};

/// Findings hold at this false discovery rate.
const LEVEL: f64 = 0.05;
/// Within the strata of other findings a finding has to hold at this level, by itself.
const RETEST_LEVEL: f64 = 0.025;
/// Values with fewer customers are not tested, nor where fewer others are there to compare with.
const LEAST_CUSTOMERS: usize = 20;
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
    for (number, column) in panel.columns.iter().enumerate() {
        let customers = customers_by_code(panel, number);
        let wanted: Vec<u32> = codes(&customers, LEAST_IN_FUNNEL, usize::MAX);
        let tallies = tally(panel, column, &wanted, plain, &lost);
        let outlying = funnel(&tallies);
        // The smallest have no spread of their own to speak of, and are many: they get their counts only.
        let small = codes(&customers, 1, LEAST_IN_FUNNEL);
        let small =
            small.chunks(wanted.len().max(256)).flat_map(|some| tally(panel, column, some, plain, &lost));
        let tallies = tallies.into_iter().zip(outlying).chain(small.map(|tally| (tally, None)));
        for (tally, outlying) in tallies {
            let testable =
                tally.customers.min(tally.other_customers) >= LEAST_CUSTOMERS && tally.ratio.is_some();
            let p = if testable { outlying.map_or(tally.p, |p| tally.p.max(p)) } else { f64::NAN };
            let mut finding = Finding::new(&column.name, &column.values[tally.code as usize], None);
            finding.fill(&tally, panel.basis, params);
            finding.excess_amount = excess_amount(panel, number, tally.code, &finding);
            finding.model_lift = model_lift(panel, number, tally.code);
            rows.push(Row { column: number, tally, p, finding });
        }
    }
    rows.sort_by_key(|row| (row.column, row.tally.code));
    assign_q(&mut rows, params.budget_fraction);
    rows.iter_mut().for_each(|row| row.finding.decide(params));
    let found = retest(panel, params, &mut rows);
    attach_causes(panel, params, &mut rows, &found);
    let totals = totals(panel, &rows, &found);
    Systemic {
        horizon_days: None,
        landmarks: Vec::new(),
        rows: rows.into_iter().map(|row| row.finding).collect(),
        totals,
        tenure: Vec::new(),
        is_rates: panel.basis == Basis::Time,
    }
}

/// Distinct customers of each code.
fn customers_by_code(panel: &Panel, column: usize) -> Vec<usize> {
    let column = &panel.columns[column];
    let (mut customers, mut last) = (vec![0; column.values.len()], vec![u32::MAX; column.values.len()]);
    for (&code, &customer) in column.codes.iter().zip(&panel.customers).filter(|(code, _)| shows(**code)) {
        customers[code as usize] += usize::from(last[code as usize] != customer);
        last[code as usize] = customer;
    }
    customers
}

fn codes(customers: &[usize], least: usize, below: usize) -> Vec<u32> {
    let wanted = customers.iter().enumerate().filter(|&(_, &n)| (least..below).contains(&n));
    wanted.map(|(code, _)| code as u32).collect()
}

/// The tail of each value against the spread between values, where there are enough to speak of one.
fn funnel(tallies: &[Tally]) -> Vec<Option<f64>> {
    let counts = |tally: &&Tally| tally.variance >= LEAST_FUNNEL_VARIANCE;
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

/// Observed over expected of the model among the exposed, over the same among the others.
fn model_lift(panel: &Panel, column: usize, code: u32) -> Option<f64> {
    let model = panel.model.as_ref()?;
    let mut sums = [(0.0, 0.0); 2];
    for (record, &expected) in model.iter().enumerate().filter(|(_, expected)| !expected.is_nan()) {
        let own = panel.columns[column].codes[record];
        if shows(own) {
            let sum = &mut sums[usize::from(own == code)];
            sum.0 += f64::from(u8::from(panel.lost[record]));
            sum.1 += expected;
        }
    }
    let lift = (sums[1].0 / sums[1].1) / (sums[0].0 / sums[0].1);
    lift.is_finite().then_some(lift)
}

/// Spend in the year before of those lost above what was expected.
fn excess_amount(panel: &Panel, column: usize, code: u32, finding: &Finding) -> Option<f64> {
    let (amounts, expected) = (panel.amounts.as_ref()?, finding.expected?);
    let codes = &panel.columns[column].codes;
    let lost = (0..panel.records()).filter(|&record| codes[record] == code && panel.lost[record]);
    let share = (1.0 - expected / finding.lost as f64).max(0.0);
    let amount = lost.map(|record| amounts[record]).sum::<f64>() * share;
    amount.is_finite().then_some(amount)
}

fn assign_q(rows: &mut [Row], budget_fraction: f64) {
    let tested: Vec<usize> = (0..rows.len()).filter(|&row| !rows[row].p.is_nan()).collect();
    let p: Vec<f64> = tested.iter().map(|&row| rows[row].p).collect();
    for (&row, q) in tested.iter().zip(q_values(&p)) {
        rows[row].finding.q = Some((q / budget_fraction).min(1.0));
    }
}

/// Findings from the strongest on; each further one is tested again within the strata of those before it.
fn retest(panel: &Panel, params: &SystemicParams, rows: &mut [Row]) -> Vec<usize> {
    let systemic = |row: &usize| rows[*row].finding.verdict == Verdict::Systemic;
    let mut candidates: Vec<usize> = (0..rows.len()).filter(systemic).collect();
    candidates.sort_by(|&a, &b| rows[a].p.total_cmp(&rows[b].p).then(a.cmp(&b)));
    let (mut strata, mut count) = (panel.strata.clone(), panel.strata_count);
    let mut found: Vec<usize> = Vec::new();
    for candidate in candidates {
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
        for (_, row) in rows.iter_mut().enumerate().filter(|(row, _)| !found.contains(row)) {
            if row.finding.verdict != Verdict::Systemic {
                continue;
            }
            let column = &panel.columns[row.column];
            let again =
                tally(panel, column, &[row.tally.code], (&strata, count), &|record| panel.lost[record]);
            let Some(again) = again.into_iter().next() else { continue };
            let holds =
                again.ratio.is_some_and(|ratio| ratio.low > 1.0 && ratio.ratio >= params.minimum_lift);
            if !holds || again.p > RETEST_LEVEL {
                row.finding.explained_by = Some(by.clone());
                row.finding.verdict = Verdict::Insufficient;
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
    for (&row, cause) in found.iter().flat_map(|row| causes.iter().map(move |cause| (row, *cause))) {
        let (number, code) = (rows[row].column, rows[row].tally.code);
        let column = &panel.columns[number];
        let event = |record: usize| panel.lost[record] && panel.causes[record] == Some(cause);
        let strata: (&[u32], usize) = (&panel.strata, panel.strata_count);
        let Some(tally) = tally(panel, column, &[code], strata, &event).into_iter().next() else { continue };
        let mut share = Stratum::default();
        for (record, stated) in panel.causes.iter().enumerate() {
            let Some(stated) = stated.filter(|&stated| stated != Cause::Unknown) else { continue };
            if !panel.lost[record] || !shows(column.codes[record]) {
                continue;
            }
            let is_cause = u64::from(stated == cause);
            if column.codes[record] == code {
                share.exposed += 1.0;
                share.exposed_events += is_cause;
            } else {
                share.others += 1.0;
                share.other_events += is_cause;
            }
        }
        let p = tally.p.max(upper_tail(&[share], Basis::Customers));
        let mut finding = Finding::new(&column.name, &column.values[code as usize], Some(cause));
        finding.fill(&tally, panel.basis, params);
        finding.whose = Whose::of(cause);
        tests.push(Row { column: number, tally, p, finding });
    }
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
    let exposed = |record: usize| findings.iter().any(|&(c, code)| panel.columns[c].codes[record] == code);
    let mut elsewhere = vec![(0_u64, 0.0); panel.strata_count];
    for record in (0..panel.records()).filter(|&record| !exposed(record)) {
        let cell = &mut elsewhere[panel.strata[record] as usize];
        cell.0 += u64::from(panel.lost[record]);
        cell.1 += panel.time[record];
    }
    let mut last = u32::MAX;
    for record in (0..panel.records()).filter(|&record| exposed(record)) {
        let (lost, time) = elsewhere[panel.strata[record] as usize];
        if time > 0.0 {
            totals.expected += panel.time[record] * lost as f64 / time;
        }
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
    fn fill(&mut self, tally: &Tally, basis: Basis, params: &SystemicParams) {
        self.exposed = tally.exposed;
        self.customers = tally.customers;
        self.lost = tally.events;
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
