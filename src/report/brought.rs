//! How do a budget and what it brought look?

use super::chart::{self, Axis, Named, Series};
use super::figure::{Figure, row};
use super::section::Section;
use super::words::{between, or_dash, percent, short, whole};
use crate::campaign::{Effect, Measured, Outcome};
use crate::error::Result;

/// Expected profit by budget, both amounts. `None` for no points.
///
/// # Errors
/// Only where drawing fails.
pub fn budget_svg(curve: &[(f64, f64)]) -> Result<Option<String>> {
    Ok(budget(curve)?.map(|figure| figure.svg))
}

/// What each arm of a campaign brought, in returns per hundred customers, with 95 % intervals. `None` where there was
/// too little to say.
///
/// # Errors
/// Only where drawing fails.
pub fn effects_svg(outcome: &Outcome) -> Result<Option<String>> {
    Ok(effects(outcome.effects())?.map(|figure| figure.svg))
}

pub(super) fn budget(curve: &[(f64, f64)]) -> Result<Option<Figure>> {
    let Some(&(last_budget, last_profit)) = curve.last() else { return Ok(None) };
    let alt = format!(
        "Expected profit rises with the budget, to {} at {}.",
        whole(last_profit),
        whole(last_budget)
    );
    let line = Series { name: String::new(), points: curve.to_vec(), ends: vec![], is_joined: true };
    let x = Axis::around("budget", false, curve.iter().map(|point| point.0));
    let y = Axis::around("expected profit", false, curve.iter().map(|point| point.1));
    let svg = chart::lines(&x, &y, &[line], false, &alt)?;
    let rows = curve.iter().map(|&(budget, profit)| row([whole(budget), whole(profit)]));
    Ok(Some(Figure {
        title: "What more budget would bring",
        alt,
        svg,
        head: vec!["budget", "expected profit"],
        rows: rows.collect(),
    }))
}

pub(super) fn effects<'a>(all: impl IntoIterator<Item = &'a Effect>) -> Result<Option<Figure>> {
    let told: Vec<_> = all
        .into_iter()
        .filter(|effect| effect.outcome == Measured::Returned)
        .filter_map(|effect| Some((effect, effect.effect?, effect.low?, effect.high?)))
        .collect();
    let named: Vec<Named> = told
        .iter()
        .map(|(effect, estimate, low, high)| Named {
            name: effect.arm.clone(),
            value: *estimate,
            ends: Some((*low, *high)),
            is_faint: *low <= 0.0 && *high >= 0.0,
        })
        .collect();
    let Some(best) = named.iter().max_by(|a, b| a.value.total_cmp(&b.value)) else { return Ok(None) };
    let alt = format!(
        "What the campaign brought, in returns per customer above the holdout: at most {} ({}).",
        percent(best.value),
        best.name
    );
    let all = named.iter().flat_map(|row| row.ends.into_iter().flat_map(|(low, high)| [low, high]));
    let x = Axis::around("returned, above the holdout", true, all);
    let svg = chart::rows(&x, &named, Some(0.0), &alt)?;
    let rows = told.iter().map(|(effect, estimate, low, high)| {
        row([
            effect.arm.clone(),
            whole(effect.n_treated as f64),
            whole(effect.n_control as f64),
            percent(*estimate),
            between(Some((*low, *high)), percent),
            or_dash(effect.p_adjusted, short),
        ])
    });
    Ok(Some(Figure {
        title: "What each arm brought",
        alt,
        svg,
        head: vec!["arm", "contacted", "held out", "returned above the holdout", "95 %", "p, corrected"],
        rows: rows.collect(),
    }))
}

/// What is told of a campaign, or of another experiment.
pub(super) fn section(
    (id, title): (&'static str, &'static str),
    lines: Vec<String>,
    figure: Option<Figure>,
) -> Section {
    Section { id, title, lines, figures: figure.into_iter().collect(), ..Section::default() }
}
