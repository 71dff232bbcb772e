//! How do a model and its test look?

use super::chart::{self, Axis, Named, Series};
use super::figure::{Figure, row};
use super::words::{between, percent, whole};
use crate::error::Result;
use crate::evaluate::Evaluation;
use crate::model::ChurnModel;

/// Share of the churned among the customers with the highest scores, against a choice by lot. `None` where nobody
/// churned.
///
/// # Errors
/// Only where drawing fails.
pub fn gains_svg(evaluation: &Evaluation) -> Result<Option<String>> {
    Ok(gains(evaluation)?.map(|figure| figure.svg))
}

/// Predicted against observed share of churned, by groups of predictions, with 95 % intervals. `None` for a test
/// without customers.
///
/// # Errors
/// Only where drawing fails.
pub fn calibration_svg(evaluation: &Evaluation) -> Result<Option<String>> {
    Ok(calibration(evaluation)?.map(|figure| figure.svg))
}

/// What understandable steps change at an ordinary customer. `None` where no step moves the model.
///
/// # Errors
/// Only where drawing fails.
pub fn steps_svg(model: &ChurnModel) -> Result<Option<String>> {
    Ok(steps(model)?.map(|figure| figure.svg))
}

pub(super) fn gains(evaluation: &Evaluation) -> Result<Option<Figure>> {
    let gains = &evaluation.all.gains;
    let Some(fifth) = gains.iter().find(|gain| gain.taken_fraction >= 0.2 - 1e-9) else { return Ok(None) };
    let alt = format!(
        "The {} of customers with the highest scores hold {} of all who stopped buying, {:.1} times as many as a choice \
         by lot.",
        percent(fifth.taken_fraction),
        percent(fifth.captured_fraction),
        fifth.lift
    );
    let points = std::iter::once((0.0, 0.0))
        .chain(gains.iter().map(|gain| (gain.taken_fraction, gain.captured_fraction)))
        .collect();
    let line = Series { name: String::new(), points, ends: vec![], is_joined: true };
    let x = Axis::share("customers taken, highest score first", 1.0);
    let svg = chart::lines(&x, &Axis::share("of all who stopped", 1.0), &[line], true, &alt)?;
    let rows = gains.iter().map(|gain| {
        row([
            percent(gain.taken_fraction),
            whole(gain.rows as f64),
            whole(gain.churned),
            percent(gain.captured_fraction),
            format!("{:.2}", gain.lift),
        ])
    });
    Ok(Some(Figure {
        title: "Whom the model finds",
        alt,
        svg,
        head: vec!["taken", "customers", "stopped", "of all who stopped", "lift"],
        rows: rows.collect(),
    }))
}

pub(super) fn calibration(evaluation: &Evaluation) -> Result<Option<Figure>> {
    let groups = &evaluation.all.calibration;
    if groups.is_empty() {
        return Ok(None);
    }
    let holding = groups.iter().filter(|group| group.low <= group.predicted && group.predicted <= group.high);
    let alt = format!(
        "Predicted against observed: in {} of {} groups the prediction lies within the 95 % interval of what came.",
        holding.count(),
        groups.len()
    );
    let points = groups.iter().map(|group| (group.predicted, group.observed)).collect();
    let ends = groups.iter().map(|group| (group.low, group.high)).collect();
    let series = Series { name: String::new(), points, ends, is_joined: false };
    let (x, y) = (Axis::share("predicted", 1.0), Axis::share("stopped buying", 1.0));
    let svg = chart::lines(&x, &y, &[series], true, &alt)?;
    let rows = groups.iter().map(|group| {
        row([
            whole(group.rows as f64),
            percent(group.predicted),
            percent(group.observed),
            between(Some((group.low, group.high)), percent),
        ])
    });
    Ok(Some(Figure {
        title: "What was predicted, and what came",
        alt,
        svg,
        head: vec!["customers", "predicted", "stopped", "95 %"],
        rows: rows.collect(),
    }))
}

pub(super) fn steps(model: &ChurnModel) -> Result<Option<Figure>> {
    let told = model.step_effects(&model.reference_customer())?;
    let Some(first) = told.first() else { return Ok(None) };
    let before = first.probability_before;
    let named: Vec<Named> = told
        .iter()
        .map(|step| Named {
            name: step.step.clone(),
            value: step.probability_after,
            ends: Some(step.probability_ends()),
            is_faint: step.low <= 0.0 && step.high >= 0.0,
        })
        .collect();
    let strongest = told.iter().max_by(|a, b| a.log_odds_change.abs().total_cmp(&b.log_odds_change.abs()));
    let alt = format!(
        "Chance that an ordinary customer stops buying: {}; most moved by {}, to {}.",
        percent(before),
        strongest.map_or("", |step| step.step.as_str()),
        percent(strongest.map_or(before, |step| step.probability_after))
    );
    let highs = named.iter().map(|step| step.ends.map_or(step.value, |(_, high)| high));
    let x = Axis::around("chance to stop buying", true, highs);
    let svg = chart::rows(&x, &named, Some(before), &alt)?;
    let rows = told.iter().map(|step| {
        row([
            step.step.clone(),
            percent(step.probability_before),
            percent(step.probability_after),
            between(Some(step.probability_ends()), percent),
        ])
    });
    Ok(Some(Figure {
        title: "What moves the chance to stop, one step at a time",
        alt,
        svg,
        head: vec!["step", "before", "after", "95 %"],
        rows: rows.collect(),
    }))
}
