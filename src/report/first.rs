//! What is seen first: how much is lost, what it costs, and what to do about it.

use super::planned;
use super::section::Card;
use super::words::{percent, whole};
use crate::losses::Losses;
use crate::winback::WinbackPlan;

/// So many customers are named.
const NAMED: usize = 3;

pub(super) fn cards(losses: &Losses, plan: Option<&WinbackPlan>) -> Vec<Card> {
    let (lapses, followers) = (losses.lapses(), losses.followers());
    let (lost, customers) = (lapses.lapsed(), lapses.customers());
    let card = |number: String, what: String| Card { number, what };
    let mut cards = vec![
        card(
            percent(lost as f64 / customers.max(1) as f64),
            format!("of customers are lost: {} of {}", whole(lost as f64), whole(customers as f64)),
        ),
        card(
            whole(followers.rows().len() as f64),
            format!("more may not buy in the next {} days", losses.horizon_days()),
        ),
    ];
    if let Some(amount) = followers.at_stake_amount() {
        cards.push(card(whole(amount), "of their expected spend is at stake".to_owned()));
    }
    match plan {
        Some(plan) => cards.push(card(
            whole(plan.outlook.profit_amount),
            format!("is what the plan should add, for a cost of {}", whole(plan.outlook.cost_amount)),
        )),
        None => {
            let findings = losses
                .systemic()
                .map_or(0, |systemic| systemic.findings().count() + systemic.recent_findings().count());
            let found = findings + losses.drops().rows.len();
            cards.push(card(
                found.to_string(),
                "places or weeks found that lose more than chance explains".to_owned(),
            ));
        }
    }
    cards
}

/// What to do first, the most pressing on top.
pub(super) fn actions(losses: &Losses, plan: Option<&WinbackPlan>) -> Vec<String> {
    let mut actions = Vec::new();
    let best = plan.map(planned::best).unwrap_or_default();
    let followers = losses.followers().rows();
    if let Some(first) = best.first() {
        let ids: Vec<&str> = best.iter().take(NAMED).map(|row| row.customer_id.as_str()).collect();
        let on = first.first_step_on.map_or_else(String::new, |day| format!(" from {day} on"));
        let customers = if best.len() == 1 { "customer" } else { "customers" };
        actions.push(format!(
            "Contact the {} {customers} of the plan{on}, first {}.",
            whole(best.len() as f64),
            list(&ids)
        ));
    }
    if !followers.is_empty() {
        let ids: Vec<&str> = followers.iter().take(NAMED).map(|row| row.customer_id.as_str()).collect();
        let at_stake: f64 = followers.iter().take(NAMED).map(|row| row.at_stake_amount).sum();
        let stake = losses
            .followers()
            .at_stake_amount()
            .map_or_else(String::new, |_| format!(": {} of spend is at stake with them", whole(at_stake)));
        actions.push(format!("Of those who still buy, look after {} first{stake}.", list(&ids)));
    }
    if let Some(worst) = losses.prevention().first() {
        let amount =
            worst.amount_per_year.map_or_else(String::new, |amount| format!(", who spent {}", whole(amount)));
        actions.push(format!(
            "Find out what is wrong with {}: {:.0} customers a year more than expected are lost there{amount}.",
            worst.what, worst.customers_per_year
        ));
    }
    if let Some((row, _)) = losses.systemic().and_then(|systemic| systemic.recent_findings().next()) {
        actions.push(format!(
            "Find out what happened lately at {} {}: more are lost there than before.",
            row.segment, row.value
        ));
    }
    if let Some(drop) = losses.drops().rows.iter().find(|drop| !drop.steady) {
        actions.push(format!(
            "Look into what happened at {} {} about {}: sales to regulars fell there.",
            drop.segment, drop.value, drop.date
        ));
    }
    if losses.reasons().is_none() {
        actions.push("Ask some of the lost why they left: no reasons are on record.".to_owned());
    }
    if plan.is_none() {
        actions.push(
            "Plan a campaign, and hold some customers out by lot: only that shows what it brings.".to_owned(),
        );
    }
    actions
}

/// `a, b and c`.
fn list(ids: &[&str]) -> String {
    match ids {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}
