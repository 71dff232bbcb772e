//! How do losses and their causes look?

use super::chart::{self, Axis, Named, Series};
use super::figure::{Figure, ends, row};
use super::words::{between, or_dash, percent, whole};
use crate::error::Result;
use crate::evidence::Cause;
use crate::losses::{Attrition, Cohort, ReasonShares};

/// So many cohorts are drawn at most, the latest.
const MOST_COHORTS: usize = 6;
/// So many periods are drawn at most, the latest.
const MOST_PERIODS: usize = 12;

/// Share of the active that lapsed, by quarter, with 95 % intervals. Quarters in which few could have lapsed yet are
/// drawn grey. `None` where no quarter has customers.
///
/// # Errors
/// Only where drawing fails.
pub fn loss_rate_svg(attrition: &Attrition) -> Result<Option<String>> {
    Ok(loss_rate(attrition)?.map(|figure| figure.svg))
}

/// Share still there by days since the first purchase, one line per quarter of it. `None` where every cohort is too
/// young to have lost anyone.
///
/// # Errors
/// Only where drawing fails.
pub fn retention_svg(attrition: &Attrition) -> Result<Option<String>> {
    Ok(retention(attrition)?.map(|figure| figure.svg))
}

/// Shares of the stated causes, with the worst case for those who were not asked. `None` where no cause is known.
///
/// # Errors
/// Only where drawing fails.
pub fn causes_svg(reasons: &ReasonShares) -> Result<Option<String>> {
    Ok(causes(reasons)?.map(|figure| figure.svg))
}

pub(super) fn loss_rate(attrition: &Attrition) -> Result<Option<Figure>> {
    let quarters = &attrition.quarters;
    let shown = || quarters[quarters.len().saturating_sub(MOST_PERIODS)..].iter();
    let bars: Vec<Named> = shown()
        .filter_map(|quarter| {
            let gross = quarter.gross.as_ref()?;
            Some(Named {
                name: quarter.period.name.clone(),
                value: gross.estimate,
                ends: Some(ends(gross)),
                is_faint: !quarter.is_settled,
            })
        })
        .collect();
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return Ok(None) };
    let alt = format!(
        "Customers lost by quarter: {} of those active in {}, {} in {}.",
        percent(first.value),
        first.name,
        percent(last.value),
        last.name
    );
    let highs = bars.iter().map(|bar| bar.ends.map_or(bar.value, |(_, high)| high));
    let svg = chart::columns(&Axis::around("lost in the quarter", true, highs), &bars, &alt)?;
    let rows = shown().map(|quarter| {
        row([
            quarter.period.name.clone(),
            whole(quarter.at_risk as f64),
            whole(quarter.lost as f64),
            whole(quarter.returned as f64),
            or_dash(quarter.gross.as_ref().map(|gross| gross.estimate), percent),
            between(quarter.gross.as_ref().map(ends), percent),
            if quarter.is_settled { String::new() } else { "few could have lapsed yet".to_owned() },
        ])
    });
    Ok(Some(Figure {
        title: "Customers lost, by quarter",
        alt,
        svg,
        head: vec!["quarter", "active before", "lost", "returned", "share lost", "95 %", ""],
        rows: rows.collect(),
    }))
}

pub(super) fn retention(attrition: &Attrition) -> Result<Option<Figure>> {
    let is_shown = |cohort: &&Cohort| !cohort.is_too_young && !cohort.retention.is_empty();
    let cohorts: Vec<&Cohort> = attrition.cohorts.iter().filter(is_shown).collect();
    let cohorts = &cohorts[cohorts.len().saturating_sub(MOST_COHORTS)..];
    let name = |cohort: &Cohort| match cohort.is_left_truncated {
        true => format!("{} *", cohort.name),
        false => cohort.name.clone(),
    };
    let lines: Vec<Series> = cohorts
        .iter()
        .map(|cohort| Series {
            name: name(cohort),
            points: std::iter::once((0.0, 1.0))
                .chain(cohort.retention.iter().map(|point| (f64::from(point.age_days), point.kept.estimate)))
                .collect(),
            ends: vec![],
            is_joined: true,
        })
        .collect();
    let Some(oldest) = cohorts.first() else { return Ok(None) };
    if cohorts.iter().flat_map(|cohort| &cohort.retention).all(|point| point.kept.estimate >= 1.0) {
        return Ok(None);
    }
    let told = |cohort: &Cohort| {
        cohort.retention.last().map_or_else(String::new, |point| {
            format!("{} after {} days", percent(point.kept.estimate), point.age_days)
        })
    };
    let alt = format!(
        "Customers still there since their first purchase, {} cohorts; of {}, {}.",
        cohorts.len(),
        oldest.name,
        told(oldest)
    );
    let days = lines.iter().flat_map(|line| line.points.iter().map(|(days, _)| *days));
    let x = Axis::around("days since the first purchase", false, days);
    let svg = chart::lines(&x, &Axis::share("still there", 1.05), &lines, false, &alt)?;
    let rows = cohorts.iter().flat_map(|cohort| {
        cohort.retention.iter().map(|point| {
            row([
                name(cohort),
                whole(cohort.customers as f64),
                point.age_days.to_string(),
                percent(point.kept.estimate),
                between(Some(ends(&point.kept)), percent),
            ])
        })
    });
    Ok(Some(Figure {
        title: "Still there, by quarter of the first purchase (* may be older than the log)",
        alt,
        svg,
        head: vec!["first purchase", "customers", "after days", "still there", "95 %"],
        rows: rows.collect(),
    }))
}

pub(super) fn causes(reasons: &ReasonShares) -> Result<Option<Figure>> {
    // An unknown cause is none of those known; how many there are, the caption says.
    let shown = || reasons.causes.iter().filter(|cause| cause.count > 0 && cause.cause != Cause::Unknown);
    let named: Vec<Named> = shown()
        .map(|cause| Named {
            name: cause.cause.to_string(),
            value: cause.share,
            ends: Some((cause.low, cause.high)),
            is_faint: false,
        })
        .collect();
    let Some(first) = named.iter().max_by(|a, b| a.value.total_cmp(&b.value)) else { return Ok(None) };
    let alt = format!(
        "Stated causes, known of {} of {} lost customers; most often {}, {}.",
        reasons.known,
        reasons.lost,
        first.name,
        percent(first.value)
    );
    let x = Axis::share("share of those known; lines: at worst, of all lost", 1.0);
    let svg = chart::rows(&x, &named, None, &alt)?;
    let rows = shown().map(|cause| {
        row([
            cause.cause.to_string(),
            whole(cause.count as f64),
            percent(cause.share),
            between(Some((cause.low, cause.high)), percent),
        ])
    });
    Ok(Some(Figure {
        title: "Why they left, as stated",
        alt,
        svg,
        head: vec!["cause", "customers", "of those known", "at worst, of all lost"],
        rows: rows.collect(),
    }))
}
