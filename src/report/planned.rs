//! How does a plan look?

use std::collections::BTreeMap;

use super::brought;
use super::section::{Section, Table, lines_of};
use super::words::{or_dash, percent, whole};
use crate::error::Result;
use crate::winback::{Arm, Decision, PlannedCustomer, WinbackPlan};

/// So many customers are named, those who should bring most.
const NAMED: usize = 10;
/// So many first steps are listed, the earliest.
const LISTED: usize = 12;

/// The treated, who should bring most first; in order of id among equals.
pub(super) fn best(plan: &WinbackPlan) -> Vec<&PlannedCustomer> {
    let mut treated: Vec<&PlannedCustomer> =
        plan.sheet().rows().iter().filter(|row| row.arm == Arm::Treated).collect();
    let profit = |row: &PlannedCustomer| row.expected_profit_amount.unwrap_or(0.0);
    treated.sort_by(|a, b| profit(b).total_cmp(&profit(a)));
    treated
}

pub(super) fn section(plan: &WinbackPlan) -> Result<Section> {
    let rows = plan.sheet().rows();
    let count = |decision| whole(rows.iter().filter(|row| row.decision == decision).count() as f64);
    let treated = best(plan);
    let held_out = rows.iter().filter(|row| row.arm == Arm::Holdout).count();
    let outlook = &plan.outlook;
    let mut lines = vec![
        format!(
            "Campaign {}, planned on {}: {} customers are contacted, {} are held out by lot to see what it really brings.",
            plan.campaign,
            plan.as_of,
            whole(treated.len() as f64),
            whole(held_out as f64)
        ),
        format!(
            "Expected to add {} (95 of 100 cases: {} to {}) for a cost of {}{}.",
            whole(outlook.profit_amount),
            whole(outlook.profit_low_amount),
            whole(outlook.profit_high_amount),
            whole(outlook.cost_amount),
            plan.budget_amount
                .map_or_else(String::new, |budget| format!(", of a budget of {}", whole(budget)))
        ),
        format!(
            "Of {} lost and {} at risk: {} to pursue, {} to keep in touch with, {} to part with as friends, {} not to be \
             contacted.",
            whole(plan.lapsed as f64),
            whole(plan.at_risk as f64),
            count(Decision::Pursue),
            count(Decision::KeepInTouch),
            count(Decision::PartAmicably),
            count(Decision::Suppressed)
        ),
    ];
    if plan.held > 0 {
        lines.push(format!(
            "{} invitations are held until what drove customers away has been changed.",
            whole(plan.held as f64)
        ));
    }
    let curve: Vec<(f64, f64)> =
        plan.curve.iter().map(|point| (point.budget_amount, point.profit_amount)).collect();
    let tables = [offers(plan), steps(&treated), named(&treated)];
    let proposals = plan.proposals.iter().flat_map(lines_of);
    Ok(Section {
        id: "plan",
        title: "What is planned?",
        lines,
        figures: brought::budget(&curve)?.into_iter().collect(),
        tables: tables.into_iter().flatten().collect(),
        notes: plan.notes.iter().flat_map(lines_of).chain(proposals).collect(),
    })
}

fn offers(plan: &WinbackPlan) -> Option<Table> {
    let rows = plan.offers.iter().map(|line| {
        vec![
            line.offer.clone(),
            line.channel.clone(),
            whole(line.treated as f64),
            whole(line.held_out as f64),
            or_dash(line.effect, percent),
            whole(line.cost_amount),
            whole(line.profit_amount),
        ]
    });
    let head = ["offer", "by", "contacted", "held out", "more return", "cost", "profit"];
    Table::of("The offers", &head, rows.collect())
}

fn steps(treated: &[&PlannedCustomer]) -> Option<Table> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in treated {
        if let (Some(step), Some(on)) = (&row.first_step, row.first_step_on) {
            *counts.entry((on.to_string(), step.to_string())).or_default() += 1;
        }
    }
    let rows = counts.into_iter().take(LISTED).map(|((on, step), count)| vec![on, whole(count as f64), step]);
    Table::of("First steps", &["on", "customers", "step"], rows.collect())
}

fn named(treated: &[&PlannedCustomer]) -> Option<Table> {
    let rows = treated.iter().take(NAMED).map(|row| {
        vec![
            row.customer_id.clone(),
            row.offer.clone().unwrap_or_default(),
            or_dash(row.expected_profit_amount, whole),
            row.first_step_on.map_or_else(String::new, |day| day.to_string()),
            row.why.clone(),
        ]
    });
    Table::of("Whom first", &["customer", "offer", "expected profit", "on", "why"], rows.collect())
}
