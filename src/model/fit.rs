//! How strongly to shrink, on which rows, and what comes out?

use serde::{Deserialize, Serialize};

use super::ChurnModelParams;
use super::curves::Curves;
use super::design::Design;
use super::drivers::IdeaWeights;
use super::logistic::{self, LogisticFit};
use super::scorer::log_odds;
use super::strength::{StrengthChoice, by_evidence, overlap};
use super::terms::{
    Term, TermChoice, TermKind, TermRows, candidates, core, products, standardise, transform,
};
use crate::error::{Error, Result};
use crate::features::{Feature, Idea, salted_hash};
use crate::math;
use crate::metrics;
use crate::snapshot::{SAMPLE_SALT, Snapshots, taken};

/// L2 strengths tried forward in time; scikit-learn's C is 1 over them.
const STRENGTHS: [f64; 6] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// Below so many events the evidence of the data sets the strength; from there on the default falls as events
/// grow, over [`DEFAULT_RANGE`].
const EVIDENCE_EVENTS: usize = 1_000;
/// At most so many rows serve for that, if so many of the rarer outcome stand among them.
const EVIDENCE_ROWS: usize = 12_000;
const EVIDENCE_LEAST_EVENTS: usize = 40;
const DEFAULT_RANGE: (f64, f64) = (3.0, 30.0);
/// Below so many events only the core columns are tried: more cannot be learned from them. Events are
/// the rows of the rarer class.
const CORE_EVENTS: usize = 100;
/// Another strength must do better than the default by so many standard errors.
const SURE_STANDARD_ERRORS: f64 = 2.0;
/// Fewer customers than this cannot be sure of anything.
const LEAST_CUSTOMERS: usize = 30;
/// At most so many cutoffs serve to choose the strength, the latest ones.
const MOST_FOLDS: usize = 3;
/// At most so many rows serve to choose the strength forward in time.
const STRENGTH_ROWS: usize = 60_000;

/// How the fit went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitSummary {
    /// Whether Newton's method reached its tolerance, a mean gradient of 1e-10.
    pub converged: bool,
    /// Newton iterations.
    pub iterations: usize,
    /// Whether the score parts churned from others without a single error in training; the
    /// coefficients are then only held by the shrinkage.
    pub separated: bool,
    /// The L2 strength λ: ½ λ ‖β‖² is added to the summed loss.
    pub l2: f64,
    /// How it was chosen; `None` for a model of the rhythm alone, which has no columns to shrink.
    pub strength_choice: Option<StrengthChoice>,
    /// Mean log-loss forward in time of each strength tried; empty where it was given, set by the evidence,
    /// or there was only one cutoff.
    pub strengths_tried: Vec<StrengthTried>,
    /// Rows fitted on.
    pub rows: usize,
    /// Which columns were tried; [`TermChoice::Core`] where fewer than 100 rows of the rarer class were
    /// there to learn from.
    pub terms: TermChoice,
    /// Columns that do not vary in training, and were left out.
    pub constant: Vec<String>,
    /// Features that no column is made of, because theirs do not vary or were not tried.
    pub unused: Vec<String>,
    /// Settings that were given and play no part: those about columns, where a model of the rhythm alone
    /// answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// One L2 strength and how it did on cutoffs after those it was fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrengthTried {
    /// The strength λ.
    pub l2: f64,
    /// Mean log-loss.
    pub log_loss: f64,
}

/// What [`fit`] hands over.
pub(super) struct Fitted {
    pub(super) terms: Vec<Term>,
    pub(super) idea_weights: IdeaWeights,
    pub(super) fit: LogisticFit,
    pub(super) covariance: Vec<f64>,
    pub(super) summary: FitSummary,
    /// Each row's probability.
    pub(super) probabilities: Vec<f64>,
    pub(super) curves: Curves,
}

pub(super) fn fit(snapshots: &Snapshots, params: &ChurnModelParams) -> Result<Fitted> {
    let ChurnModelParams { terms: choice, l2, max_rows, ref left_out } = *params;
    let rows = sample(snapshots, &all_rows(snapshots), max_rows);
    let churned = rows.iter().filter(|&&row| snapshots.labels()[row as usize]).count();
    refuse_single_class(churned, rows.len())?;
    let events = churned.min(rows.len() - churned);
    let choice = match choice {
        TermChoice::Automatic if events < CORE_EVENTS => TermChoice::Core,
        TermChoice::Automatic => TermChoice::Full,
        chosen => chosen,
    };
    let panel = Prepared::new(snapshots, choice, left_out);
    let (terms, constant) = panel.standardise(&rows);
    let Strength { l2, choice: strength_choice, tried: strengths_tried } = match l2 {
        Some(l2) => Strength { l2, choice: StrengthChoice::Given, tried: Vec::new() },
        None if events < EVIDENCE_EVENTS => {
            // Few rows speak for all, unless the rarer outcome hardly stands among them.
            let few = sample(snapshots, &rows, EVIDENCE_ROWS);
            let labels = panel.labels(&few);
            let churned = labels.iter().filter(|&&label| label).count();
            let are_enough = churned.min(few.len() - churned) >= events.min(EVIDENCE_LEAST_EVENTS);
            let rows = if are_enough { few } else { rows.clone() };
            let overlap = overlap(snapshots.cutoffs(), snapshots.label().horizon_days);
            let (l2, determined_columns) =
                by_evidence(&panel.design(&terms, &rows), &panel.labels(&rows), overlap)?;
            let choice = StrengthChoice::Evidence { determined_columns };
            Strength { l2, choice, tried: Vec::new() }
        }
        None => choose_strength(&panel, &rows, default_strength(events))?,
    };
    let design = panel.design(&terms, &rows);
    let labels = panel.labels(&rows);
    let fit = logistic::fit(&design, &labels, l2, None)?;
    if fit.beta.iter().any(|b| !b.is_finite()) {
        return Err(Error::NotFitted { reason: "its coefficients are not finite; shrink more".to_owned() });
    }
    let groups: Vec<u32> = rows.iter().map(|&row| snapshots.ranks()[row as usize]).collect();
    let covariance = logistic::clustered_covariance(&design, &labels, &groups, &fit);
    let all = all_rows(snapshots);
    let ideas: Vec<Idea> = terms.iter().map(|term| term.kind.idea(snapshots.features())).collect();
    Ok(Fitted {
        probabilities: probabilities(&panel.design(&terms, &all), &fit.beta),
        summary: FitSummary {
            converged: fit.converged,
            iterations: fit.iterations,
            separated: fit.separated,
            l2,
            strength_choice: Some(strength_choice),
            strengths_tried,
            rows: rows.len(),
            terms: choice,
            constant,
            unused: unused(&terms, snapshots),
            ignored: Vec::new(),
        },
        curves: Curves::fit(snapshots, &panel.transformed, &rows, &labels)?,
        idea_weights: IdeaWeights::new(&design, &fit.beta[1..], &ideas)?,
        terms,
        fit,
        covariance,
    })
}

/// A strength and where it comes from.
struct Strength {
    l2: f64,
    choice: StrengthChoice,
    tried: Vec<StrengthTried>,
}

/// A panel with its features transformed.
struct Prepared<'a> {
    snapshots: &'a Snapshots,
    transformed: Vec<Vec<f64>>,
    kinds: Vec<TermKind>,
}

impl<'a> Prepared<'a> {
    fn new(snapshots: &'a Snapshots, choice: TermChoice, left_out: &[String]) -> Self {
        let transformed = transform(snapshots.features(), snapshots.columns());
        let mut kinds = match choice {
            TermChoice::Core => core(snapshots.features()),
            _ => candidates(snapshots.features(), &transformed),
        };
        kinds.retain(|kind| !left_out.contains(&kind.name(snapshots.features())));
        Prepared { snapshots, transformed, kinds }
    }

    fn standardise(&self, rows: &[u32]) -> (Vec<Term>, Vec<String>) {
        standardise(&self.kinds, self.snapshots.features(), &self.transformed, rows)
    }

    fn design<'b>(&'b self, terms: &'b [Term], rows: &'b [u32]) -> TermRows<'b, Vec<f64>> {
        TermRows { terms, transformed: &self.transformed, rows }
    }

    fn labels(&self, rows: &[u32]) -> Vec<bool> {
        rows.iter().map(|&row| self.snapshots.labels()[row as usize]).collect()
    }
}

/// The strength that does best on later cutoffs than it was fitted on.
///
/// For each of the latest cutoffs that has labels ended before it, every strength is fitted on those
/// and scored there. What is standardised is learned there too. A strength other than the default is taken
/// only where it is better than that by more than two standard errors of the difference: below them,
/// differences are the noise of one log.
fn choose_strength(panel: &Prepared, rows: &[u32], default: f64) -> Result<Strength> {
    let snapshots = panel.snapshots;
    let rows = sample(snapshots, rows, STRENGTH_ROWS);
    let cutoffs = snapshots.cutoffs();
    let cutoff_of = |row: u32| snapshots.positions()[row as usize] as usize;
    let mut losses: Vec<Vec<f64>> = vec![Vec::new(); STRENGTHS.len()];
    let mut customers: Vec<u32> = Vec::new();
    for (position, &test_cutoff) in cutoffs.iter().enumerate().rev().take(MOST_FOLDS) {
        let trained = |cutoff: usize| cutoffs[cutoff].plus_days(snapshots.label().days()) <= test_cutoff;
        let training: Vec<u32> = rows.iter().copied().filter(|&row| trained(cutoff_of(row))).collect();
        let test: Vec<u32> = rows.iter().copied().filter(|&row| cutoff_of(row) == position).collect();
        let labels = panel.labels(&training);
        if test.is_empty() || is_single_class(&labels) {
            continue;
        }
        let (terms, _) = panel.standardise(&training);
        let (design, test_design) = (panel.design(&terms, &training), panel.design(&terms, &test));
        let test_labels = panel.labels(&test);
        customers.extend(test.iter().map(|&row| snapshots.ranks()[row as usize]));
        let mut start: Option<Vec<f64>> = None;
        for (&strength, losses) in STRENGTHS.iter().zip(&mut losses).rev() {
            let fit = logistic::fit(&design, &labels, strength, start.as_deref())?;
            let own = probabilities(&test_design, &fit.beta);
            losses.extend(
                own.chunks(1).zip(test_labels.chunks(1)).map(|(p, label)| metrics::log_loss(p, label)),
            );
            start = Some(fit.beta);
        }
    }
    if losses[0].is_empty() {
        return Ok(Strength { l2: default, choice: StrengthChoice::Events, tried: Vec::new() });
    }
    let tried: Vec<StrengthTried> = STRENGTHS
        .iter()
        .zip(&losses)
        .map(|(&l2, losses)| StrengthTried { l2, log_loss: mean(losses) })
        .collect();
    let default = STRENGTHS.iter().position(|l2| *l2 == default).unwrap_or_default();
    let best = (0..tried.len()).rev().min_by(|&a, &b| tried[a].log_loss.total_cmp(&tried[b].log_loss));
    let chosen =
        best.filter(|&best| is_surely_better(&losses[best], &losses[default], &customers)).unwrap_or(default);
    let choice = match chosen == default {
        true => StrengthChoice::Events,
        false => StrengthChoice::ForwardInTime,
    };
    Ok(Strength { l2: STRENGTHS[chosen], choice, tried })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Whether the summed gain exceeds so many of its standard errors. A customer's gains at several
/// cutoffs go together, so that customers are what is counted.
fn is_surely_better(losses: &[f64], others: &[f64], customers: &[u32]) -> bool {
    let mut of_rows: Vec<(u32, f64)> = customers
        .iter()
        .zip(others.iter().zip(losses))
        .map(|(&customer, (other, own))| (customer, other - own))
        .collect();
    of_rows.sort_by_key(|&(customer, _)| customer);
    let gains: Vec<f64> =
        of_rows.chunk_by(|a, b| a.0 == b.0).map(|rows| rows.iter().map(|(_, gain)| gain).sum()).collect();
    if gains.len() < LEAST_CUSTOMERS {
        return false;
    }
    let gain = mean(&gains);
    let squares = gains.iter().map(|g| (g - gain) * (g - gain)).sum::<f64>();
    let error = (squares / (gains.len() - 1) as f64 / gains.len() as f64).sqrt();
    gain > SURE_STANDARD_ERRORS * error
}

/// The names of features that no term is made of.
fn unused(terms: &[Term], snapshots: &Snapshots) -> Vec<String> {
    let used = |position: usize| terms.iter().any(|term| term.kind.features().contains(&position));
    let features = snapshots.features().iter().enumerate();
    features.filter(|(position, _)| !used(*position)).map(|(_, feature)| feature.name()).collect()
}

fn all_rows(snapshots: &Snapshots) -> Vec<u32> {
    (0..snapshots.rows() as u32).collect()
}

/// At most about `most` of the rows: whole customers, the lowest hashes of their ids.
fn sample(snapshots: &Snapshots, rows: &[u32], most: usize) -> Vec<u32> {
    if rows.len() <= most {
        return rows.to_vec();
    }
    let mut customers: Vec<(u32, u32, usize)> = rows
        .chunk_by(|&a, &b| snapshots.ranks()[a as usize] == snapshots.ranks()[b as usize])
        .map(|own| {
            let rank = snapshots.ranks()[own[0] as usize];
            (salted_hash(SAMPLE_SALT, &snapshots.ids().text(rank as usize)), rank, own.len())
        })
        .collect();
    customers.sort_unstable();
    customers.truncate(taken(customers.iter().map(|&(_, _, own)| own), most));
    let mut chosen: Vec<u32> = customers.into_iter().map(|(_, rank, _)| rank).collect();
    chosen.sort_unstable();
    rows.iter()
        .copied()
        .filter(|&row| chosen.binary_search(&snapshots.ranks()[row as usize]).is_ok())
        .collect()
}

pub(super) fn refuse_unknown(left_out: &[String], features: &[Feature]) -> Result<()> {
    let known: Vec<String> = products(features).map(|product| product.name(features)).collect();
    match left_out.iter().find(|name| !known.contains(name)) {
        Some(unknown) => Err(Error::parameter(
            "product left out",
            format!("`{unknown}`"),
            "a product of the model, as `ChurnModel::products` names it",
        )),
        None => Ok(()),
    }
}

fn is_single_class(labels: &[bool]) -> bool {
    labels.iter().all(|&label| label) || !labels.iter().any(|&label| label)
}

fn refuse_single_class(churned: usize, rows: usize) -> Result<()> {
    match churned {
        0 => Err(Error::SingleClass { rows, class: "not churned" }),
        all if all == rows => Err(Error::SingleClass { rows, class: "churned" }),
        _ => Ok(()),
    }
}

/// The strength among those tried that is nearest to 30,000 over the events, on a log scale.
fn default_strength(events: usize) -> f64 {
    let (least, most) = DEFAULT_RANGE;
    let wanted = (most * EVIDENCE_EVENTS as f64 / events.max(1) as f64).clamp(least, most);
    let off = |l2: f64| (l2 / wanted).ln().abs();
    STRENGTHS.into_iter().min_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap_or(most)
}

/// Probabilities of all rows of a design.
fn probabilities(design: &dyn Design, beta: &[f64]) -> Vec<f64> {
    let mut probabilities = log_odds(design, beta);
    math::map(&mut probabilities, math::sigmoid);
    probabilities
}
