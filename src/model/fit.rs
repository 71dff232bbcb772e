//! How strongly to shrink, on which rows, and what comes out?

use serde::{Deserialize, Serialize};

use super::design::{Design, sigmoid};
use super::drivers::IdeaWeights;
use super::logistic::{self, LogisticFit};
use super::terms::{Term, TermKind, TermRows, candidates, standardise, transform};
use crate::error::{Error, Result};
use crate::features::{Idea, salted_hash};
use crate::metrics;
use crate::snapshot::Snapshots;

/// L2 strengths tried forward in time; scikit-learn's C is 1 over them.
const STRENGTHS: [f64; 6] = [0.1, 1.0, 10.0, 30.0, 100.0, 300.0];
/// The strength where there is no time to choose in.
const DEFAULT_STRENGTH: f64 = 1.0;
/// Another strength must do better than the default by so many standard errors.
const SURE_STANDARD_ERRORS: f64 = 2.0;
/// At most so many cutoffs serve to choose the strength, the latest ones.
const MOST_FOLDS: usize = 3;
/// At most so many rows serve to choose the strength.
const STRENGTH_ROWS: usize = 60_000;
/// Which customers are taken where not all are: the lowest md5(this ‖ id).
const SAMPLE_SALT: &str = "winback-sample-1:";

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
    /// Mean log-loss forward in time of each strength tried; empty where it was given or there was
    /// only one cutoff.
    pub strengths_tried: Vec<StrengthTried>,
    /// Rows fitted on.
    pub rows: usize,
    /// Columns that do not vary in training, and were left out.
    pub constant: Vec<String>,
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
    /// Standardised ln(1 + days since last) alone.
    pub(super) recency: Curve,
}

/// A logistic curve over one transformed feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curve {
    mean: f64,
    sd: f64,
    intercept: f64,
    slope: f64,
}

impl Curve {
    /// The probability at a value of ln(1 + x).
    pub(crate) fn probability(&self, x: f64) -> f64 {
        sigmoid(self.intercept + self.slope * (x.ln_1p() - self.mean) / self.sd)
    }
}

pub(super) fn fit(snapshots: &Snapshots, l2: Option<f64>, max_rows: usize) -> Result<Fitted> {
    refuse_single_class(snapshots)?;
    let panel = Prepared::new(snapshots);
    let rows = sample(snapshots, &all_rows(snapshots), max_rows);
    let (l2, strengths_tried) = match l2 {
        Some(l2) => (l2, Vec::new()),
        None => choose_strength(&panel, &rows)?,
    };
    let (terms, constant) = panel.standardise(&rows);
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
            strengths_tried,
            rows: rows.len(),
            constant,
        },
        recency: fit_recency(snapshots, &rows)?,
        idea_weights: IdeaWeights::new(&design, &fit.beta[1..], &ideas)?,
        terms,
        fit,
        covariance,
    })
}

/// A panel with its features transformed.
struct Prepared<'a> {
    snapshots: &'a Snapshots,
    transformed: Vec<Vec<f64>>,
    kinds: Vec<TermKind>,
}

impl<'a> Prepared<'a> {
    fn new(snapshots: &'a Snapshots) -> Self {
        let transformed = transform(snapshots.features(), snapshots.columns());
        let kinds = candidates(snapshots.features(), &transformed);
        Prepared { snapshots, transformed, kinds }
    }

    fn standardise(&self, rows: &[u32]) -> (Vec<Term>, Vec<String>) {
        standardise(&self.kinds, self.snapshots.features(), &self.transformed, rows)
    }

    fn design<'b>(&'b self, terms: &'b [Term], rows: &'b [u32]) -> TermRows<'b> {
        TermRows { terms, transformed: &self.transformed, rows }
    }

    fn labels(&self, rows: &[u32]) -> Vec<bool> {
        rows.iter().map(|&row| self.snapshots.labels()[row as usize]).collect()
    }
}

/// The strength that does best on later cutoffs than it was fitted on.
///
/// For each of the latest cutoffs that has labels ended before it, every strength is fitted on those
/// and scored there. What is standardised is learned there too. A strength other than
/// [`DEFAULT_STRENGTH`] is taken only where it is better than that by more than two standard errors of
/// the difference: below them, differences are the noise of one log.
fn choose_strength(panel: &Prepared, rows: &[u32]) -> Result<(f64, Vec<StrengthTried>)> {
    let snapshots = panel.snapshots;
    let rows = sample(snapshots, rows, STRENGTH_ROWS);
    let cutoffs = snapshots.cutoffs();
    let cutoff_of = |row: u32| snapshots.positions()[row as usize] as usize;
    let mut losses: Vec<Vec<f64>> = vec![Vec::new(); STRENGTHS.len()];
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
        return Ok((DEFAULT_STRENGTH, Vec::new()));
    }
    let tried: Vec<StrengthTried> = STRENGTHS
        .iter()
        .zip(&losses)
        .map(|(&l2, losses)| StrengthTried { l2, log_loss: mean(losses) })
        .collect();
    let default = STRENGTHS.iter().position(|l2| *l2 == DEFAULT_STRENGTH).unwrap_or_default();
    let best = (0..tried.len()).rev().min_by(|&a, &b| tried[a].log_loss.total_cmp(&tried[b].log_loss));
    let chosen = best.filter(|&best| is_surely_better(&losses[best], &losses[default])).unwrap_or(default);
    Ok((STRENGTHS[chosen], tried))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Whether the mean difference exceeds so many of its standard errors.
fn is_surely_better(losses: &[f64], others: &[f64]) -> bool {
    let gains: Vec<f64> = others.iter().zip(losses).map(|(other, own)| other - own).collect();
    let gain = mean(&gains);
    let variance = gains.iter().map(|g| (g - gain) * (g - gain)).sum::<f64>() / gains.len() as f64;
    gain > SURE_STANDARD_ERRORS * (variance / gains.len() as f64).sqrt()
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
    let mut taken = 0;
    let mut chosen: Vec<u32> = customers
        .into_iter()
        .take_while(|&(_, _, own)| {
            taken += own;
            taken <= most
        })
        .map(|(_, rank, _)| rank)
        .collect();
    chosen.sort_unstable();
    rows.iter()
        .copied()
        .filter(|&row| chosen.binary_search(&snapshots.ranks()[row as usize]).is_ok())
        .collect()
}

fn is_single_class(labels: &[bool]) -> bool {
    labels.iter().all(|&label| label) || !labels.iter().any(|&label| label)
}

fn refuse_single_class(snapshots: &Snapshots) -> Result<()> {
    if !is_single_class(snapshots.labels()) {
        return Ok(());
    }
    let class = if snapshots.labels().first() == Some(&true) { "churned" } else { "not churned" };
    Err(Error::SingleClass { rows: snapshots.rows(), class })
}

/// Probabilities of all rows of a design.
pub(super) fn probabilities(design: &dyn Design, beta: &[f64]) -> Vec<f64> {
    use rayon::prelude::*;
    const ROWS: usize = 1 << 10;
    let blocks: Vec<Vec<f64>> = (0..design.rows().div_ceil(ROWS))
        .into_par_iter()
        .map(|block| {
            let rows = block * ROWS..design.rows().min((block + 1) * ROWS);
            let mut columns = vec![0.0; design.width() * rows.len()];
            design.fill(rows.clone(), &mut columns);
            let mut eta = vec![beta[0]; rows.len()];
            for (column, b) in columns.chunks_exact(rows.len()).zip(&beta[1..]) {
                eta.iter_mut().zip(column).for_each(|(eta, x)| *eta += b * x);
            }
            eta.into_iter().map(sigmoid).collect()
        })
        .collect();
    blocks.concat()
}

/// Recency alone, calibrated on the training rows: the least a model must beat.
fn fit_recency(snapshots: &Snapshots, rows: &[u32]) -> Result<Curve> {
    let days: Vec<f64> = snapshots.days_since_last().iter().map(|&days| f64::from(days).ln_1p()).collect();
    let transformed = [days];
    let kinds = [TermKind::Value(0)];
    let (terms, _) = standardise(&kinds, &[crate::features::Feature::DaysSinceLast], &transformed, rows);
    let labels: Vec<bool> = rows.iter().map(|&row| snapshots.labels()[row as usize]).collect();
    let fit = logistic::fit(
        &TermRows { terms: &terms, transformed: &transformed, rows },
        &labels,
        DEFAULT_STRENGTH,
        None,
    )?;
    Ok(match (terms.first(), fit.beta.as_slice()) {
        (Some(term), &[intercept, slope]) => Curve { mean: term.mean, sd: term.sd, intercept, slope },
        // Everyone is silent for the same time, which then tells nothing.
        _ => Curve { mean: 0.0, sd: 1.0, intercept: fit.beta[0], slope: 0.0 },
    })
}
