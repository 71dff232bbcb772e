//! Who could be contacted, and what is known of each?

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::findings::Findings;
use super::natural::NaturalReturns;
use super::second_life::{SecondLives, ValuePerReturn};
use super::tactic::{OwnFigures, Situation};
use crate::day::Day;
use crate::evidence::{Cause, Evidence, IncidentKind, Reason};
use crate::history::History;
use crate::losses::{Follower, Losses, Whose};
use crate::score::Scores;

/// Bands of the risk of those at risk, and of how long the others have been lost. What an effect may be stated for.
const RISK_BANDS: [&str; 10] = [
    "risk 0-10 %",
    "risk 10-20 %",
    "risk 20-30 %",
    "risk 30-40 %",
    "risk 40-50 %",
    "risk 50-60 %",
    "risk 60-70 %",
    "risk 70-80 %",
    "risk 80-90 %",
    "risk 90-100 %",
];
const LOST_BANDS: [&str; 4] =
    ["lost 0-1 horizons", "lost 1-2 horizons", "lost 2-4 horizons", "lost 4 horizons or more"];
const BANDS: usize = RISK_BANDS.len() + LOST_BANDS.len();
/// Kinds of customers that effects tell apart: a band and a cause.
pub(super) const KINDS: usize = BANDS * Cause::ALL.len();
/// The doubt about the log-odds of a return where the log has nothing to say: a factor of 7 to both sides.
const UNKNOWN_LOG_ODDS: f64 = 1.0;

/// What a customer of a kind is.
pub(super) fn parts_of(kind: usize) -> [&'static str; 3] {
    let (band, cause) = (kind / Cause::ALL.len(), Cause::ALL[kind % Cause::ALL.len()]);
    match band < RISK_BANDS.len() {
        true => ["at risk", RISK_BANDS[band], cause.name()],
        false => ["lapsed", LOST_BANDS[band - RISK_BANDS.len()], cause.name()],
    }
}

/// One who could be contacted.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) rank: u32,
    pub(super) is_lapsed: bool,
    pub(super) cause: Cause,
    /// Band and cause.
    pub(super) kind: usize,
    /// Of no purchase in the horizon, for who is at risk; days since the lapse for who is lost.
    pub(super) risk: f64,
    /// The chance of a return without any contact.
    pub(super) p0: f64,
    /// The standard error of its log-odds.
    pub(super) p0_error: f64,
    pub(super) is_p0_known: bool,
    /// The least and the most margin that a return is worth.
    pub(super) margin: (f64, f64),
    pub(super) situation: Situation,
    pub(super) figures: OwnFigures,
    /// A finding of our own doing that has not been changed yet.
    pub(super) held_by: Option<String>,
    /// What has changed since, or fits now.
    pub(super) changed: Option<String>,
}

impl Case {
    /// What a return is worth to the best of our knowledge.
    pub(super) fn margin_amount(&self) -> f64 {
        0.5 * (self.margin.0 + self.margin.1)
    }
}

/// Everything that is looked up per customer.
pub(super) struct Known<'a> {
    pub(super) history: &'a History,
    pub(super) losses: &'a Losses,
    pub(super) findings: &'a Findings,
    pub(super) natural: &'a NaturalReturns,
    pub(super) second_lives: &'a SecondLives,
    pub(super) margin_fraction: f64,
}

/// Everybody who is lost or at risk, in order of customer.
pub(super) fn cases(
    known: &Known,
    scores: &Scores,
    evidence: &Evidence,
    measured: Option<&ValuePerReturn>,
) -> Vec<Case> {
    let Known { history, losses, .. } = known;
    let as_of = losses.as_of();
    let reasons = evidence.reasons().map(|reasons| reasons.known_by(as_of));
    let stated = reasons.as_ref().map(|reasons| reasons.causes(history)).unwrap_or_default();
    let told = reasons.as_ref().map(|reasons| reasons.by_rank(history)).unwrap_or_default();
    let harms = harms(history, evidence, as_of);
    let row = |place: usize| (scores.ranks()[place], place);
    let places: BTreeMap<u32, usize> =
        (0..scores.len()).filter(|&at| scores.at_risk()[at]).map(row).collect();
    let at_risk: BTreeMap<u32, &Follower> =
        losses.followers().rows().iter().map(|follower| (follower.rank(), follower)).collect();
    let mut all: Vec<Case> = losses
        .lapses()
        .lives()
        .par_iter()
        .filter_map(|life| {
            let rank = life.rank();
            let follower = at_risk.get(&rank);
            if life.lapsed_on.is_none() && follower.is_none() {
                return None;
            }
            let reasons = told.get(&(rank as usize)).map_or(&[][..], Vec::as_slice);
            let harm = harms.get(&rank);
            let stated =
                stated.get(rank as usize).copied().flatten().filter(|cause| *cause != Cause::Unknown);
            let cause = stated
                .or(harm.map(|_| Cause::ServiceFailure))
                .or(follower.and_then(|follower| Some(follower.likely_cause?.cause)))
                .unwrap_or(Cause::Unknown);
            let order_amount = known.second_lives.order_amount(history, losses.lapses(), rank);
            let (risk, chance, amounts) = match life.lapsed_on {
                Some(lapsed_on) => (
                    f64::from(as_of.days_since(lapsed_on)),
                    known.natural.of(rank),
                    known.second_lives.amounts(history, losses.lapses(), life),
                ),
                None => {
                    let at = places.get(&rank)?;
                    let p = scores.probabilities()[*at];
                    let log_odds = |p: f64| (p / (1.0 - p)).ln();
                    let error = scores
                        .intervals()
                        .map_or(0.0, |ends| (log_odds(ends[*at].1) - log_odds(ends[*at].0)) / (2.0 * 1.96));
                    let value = follower.map_or(f64::NAN, |follower| follower.value_amount);
                    (p, Some((1.0 - p, if error.is_finite() { error } else { 0.0 })), (value, value))
                }
            };
            let is_lapsed = life.lapsed_on.is_some();
            let (p0, p0_error) = chance.unwrap_or((losses.lapses().p_purchase(life), UNKNOWN_LOG_ODDS));
            let margin = (known.margin_fraction * amounts.0, known.margin_fraction * amounts.1);
            let fits = match cause {
                Cause::NotTheRightFit => known.findings.fits(history, rank, as_of, reasons),
                _ => None,
            };
            let exposed = || known.findings.of_customer(history, rank, as_of);
            // Who left for a rival will not wait for what is being mended here.
            let ours =
                || exposed().filter(|found| found.whose == Whose::Ours && Whose::of(cause) != Whose::Outside);
            let held_by = ours().find(|found| found.changed.is_none()).map(|found| found.place.clone());
            let changed = exposed().find_map(|found| found.changed.as_ref().map(|(_, what)| what.clone()));
            Some(Case {
                rank,
                is_lapsed,
                cause,
                kind: kind(is_lapsed, risk, losses.horizon_days(), cause),
                risk,
                p0,
                p0_error,
                is_p0_known: chance.is_some(),
                margin,
                situation: Situation {
                    margin_amount: 0.5 * (margin.0 + margin.1),
                    order_amount,
                    harm_amount: harm.copied().filter(|harm| *harm > 0.0),
                    rival_amount: rival_price(reasons),
                    is_bought_back: false,
                    fits_now: fits.is_some(),
                },
                figures: figures(history, rank, as_of),
                held_by,
                changed: fits.map(str::to_owned).or(changed),
            })
        })
        .collect();
    if let Some(measured) = measured {
        level(&mut all, measured, known.margin_fraction);
    }
    all
}

fn kind(is_lapsed: bool, risk: f64, horizon_days: i32, cause: Cause) -> usize {
    let band = match is_lapsed {
        false => ((risk * 10.0) as usize).min(RISK_BANDS.len() - 1),
        true => {
            let horizons = risk / f64::from(horizon_days);
            let band = [1.0, 2.0, 4.0].iter().filter(|from| horizons >= **from).count();
            RISK_BANDS.len() + band
        }
    };
    band * Cause::ALL.len() + cause as usize
}

/// The mean worth of a return becomes that of an experiment, weighed with what second lives say by how sure each is;
/// who is worth more than others stays so.
fn level(cases: &mut [Case], measured: &ValuePerReturn, margin_fraction: f64) {
    // A range is as wide as so many of its standard deviations.
    let width = 12.0_f64.sqrt();
    let lost = || cases.iter().filter(|case| case.is_lapsed);
    let n = lost().count().max(1) as f64;
    let known = lost().map(Case::margin_amount).sum::<f64>() / n;
    if known.is_nan() || known <= 0.0 {
        return;
    }
    let known_error = lost().map(|case| case.margin.1 - case.margin.0).sum::<f64>() / n / width;
    // Of a ratio: its interval may be far wider than its standard error says.
    let error = margin_fraction * measured.standard_error.max((measured.high - measured.low) / (2.0 * 1.96));
    let (mean, sd) = match (known_error > 0.0, error > 0.0) {
        (true, true) => {
            let (own, other) = (error.powi(-2), known_error.powi(-2));
            let share = own / (own + other);
            (share * margin_fraction * measured.amount + (1.0 - share) * known, (own + other).powf(-0.5))
        }
        _ => (margin_fraction * measured.amount, error),
    };
    for case in cases.iter_mut().filter(|case| case.is_lapsed) {
        let share = case.margin_amount() / known;
        let reach = 0.5 * width * sd;
        case.margin = (share * (mean - reach).max(0.0), share * (mean + reach));
        case.situation.margin_amount = case.margin_amount();
    }
}

/// What went wrong for each customer in the year up to the day, and what it cost them.
fn harms(history: &History, evidence: &Evidence, as_of: Day) -> BTreeMap<u32, f64> {
    const DAYS: i32 = 365;
    let mut harms = BTreeMap::new();
    let since = as_of.plus_days(-DAYS);
    for row in evidence.incidents().into_iter().flat_map(|table| table.rows()) {
        let is_harm = matches!(
            row.kind,
            IncidentKind::ServiceFailure | IncidentKind::LateDelivery | IncidentKind::Complaint
        );
        if is_harm
            && row.occurred_on > since
            && row.occurred_on <= as_of
            && let Some(rank) = history.ids().rank_of(&row.customer_id)
        {
            *harms.entry(rank as u32).or_insert(0.0) += row.cost.unwrap_or(0.0);
        }
    }
    harms
}

/// The latest price of a rival that was said.
fn rival_price(reasons: &[&Reason]) -> Option<f64> {
    reasons.iter().rev().find_map(|reason| reason.rival_price)
}

fn figures(history: &History, rank: u32, as_of: Day) -> OwnFigures {
    let run = history.run(rank as usize).until(as_of);
    OwnFigures {
        orders: run.days.len(),
        since: Day::from_days_since_epoch(run.days.first().copied().unwrap_or_default()),
        spent_amount: run.net.iter().sum(),
        saved_amount: run
            .discount
            .iter()
            .map(|discount| discount.abs())
            .filter(|saved| !saved.is_nan())
            .sum(),
    }
}
