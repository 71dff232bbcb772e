//! What does each idea add to a score?
//!
//! Days of silence, the usual interval and the number of purchases move together, so that the model's
//! coefficients share what they say between them in ways that nobody can read: of two columns that
//! say nearly the same, one may get a large weight and the other its opposite. Drivers therefore do
//! not read coefficients one by one. They take the ideas in order and ask what each adds to what the
//! ideas before it already tell: silence first, then the purchases given the silence, and so on.

use serde::{Deserialize, Serialize};

use super::design::{Design, correlations};
use super::linear::{cholesky, solve};
use crate::error::{Error, Result};
use crate::features::Idea;

/// Added to the correlations' diagonal, so that columns which repeat each other can be solved.
const JITTER: f64 = 1e-6;

/// Per idea, its log-odds as weights on the standardised columns.
///
/// # Formula
/// ```text
/// φ_k(z) = E[f | z_1 … z_k] − E[f | z_1 … z_{k−1}],  f = βᵀz,
/// E[f | z_A] = βᵀ R_{·A} R_{AA}⁻¹ z_A   (linear, R the correlations in training)
/// ```
/// The last idea takes what is left, so that all add up to βᵀz.
///
/// # References
/// Frye, Rowat and Feige (2020), Asymmetric Shapley values, NeurIPS 33: one order of the features, here
/// one of groups; the conditional expectation is the linear one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdeaWeights {
    /// The ideas that the model has, in order, each with one weight per term.
    ideas: Vec<(Idea, Vec<f64>)>,
}

impl IdeaWeights {
    /// From the design it was fitted on, the coefficients, and each term's idea.
    pub(super) fn new(design: &dyn Design, beta: &[f64], idea_of: &[Idea]) -> Result<Self> {
        let correlations = correlations(design);
        let mut ideas: Vec<(Idea, Vec<f64>)> = Vec::new();
        let mut before = vec![0.0; beta.len()];
        let present: Vec<Idea> = Idea::ALL.into_iter().filter(|idea| idea_of.contains(idea)).collect();
        for (position, &idea) in present.iter().enumerate() {
            let upto = match position + 1 == present.len() {
                true => beta.to_vec(),
                false => {
                    let known: Vec<usize> = (0..beta.len()).filter(|&term| idea_of[term] <= idea).collect();
                    expectation_weights(&correlations, beta, &known)?
                }
            };
            ideas.push((idea, upto.iter().zip(&before).map(|(now, before)| now - before).collect()));
            before = upto;
        }
        Ok(IdeaWeights { ideas })
    }

    /// Of a model without columns.
    pub(super) fn none() -> Self {
        IdeaWeights { ideas: Vec::new() }
    }

    /// The ideas that the model has, in order.
    pub(crate) fn ideas(&self) -> Vec<Idea> {
        self.ideas.iter().map(|(idea, _)| *idea).collect()
    }

    /// Each idea's log-odds for a standardised row.
    pub(crate) fn log_odds(&self, row: &[f64]) -> Vec<(Idea, f64)> {
        let dot = |weights: &[f64]| weights.iter().zip(row).map(|(weight, value)| weight * value).sum();
        self.ideas.iter().map(|(idea, weights)| (*idea, dot(weights))).collect()
    }

    /// Multiplies all weights, as the coefficients are multiplied.
    pub(super) fn scale(&mut self, factor: f64) {
        self.ideas.iter_mut().flat_map(|(_, weights)| weights).for_each(|weight| *weight *= factor);
    }

    /// Whether weights read from a file belong to these coefficients: they must add up to them.
    pub(super) fn check(&self, beta: &[f64]) -> std::result::Result<(), String> {
        const TOLERANCE: f64 = 1e-9;
        if let Some((idea, weights)) = self.ideas.iter().find(|(_, weights)| weights.len() != beta.len()) {
            let (found, terms) = (weights.len(), beta.len());
            return Err(format!("{found} weights of {idea:?} and {terms} terms do not belong together"));
        }
        let adds_up = |(term, beta): (usize, &f64)| {
            let sum: f64 = self.ideas.iter().map(|(_, weights)| weights[term]).sum();
            (sum - beta).abs() <= TOLERANCE * (1.0 + beta.abs())
        };
        match beta.iter().enumerate().all(adds_up) {
            true => Ok(()),
            false => Err("the weights of its ideas do not add up to its coefficients".to_owned()),
        }
    }
}

/// The weights of E[βᵀz | the known columns]; 0 on the others.
fn expectation_weights(correlations: &[f64], beta: &[f64], known: &[usize]) -> Result<Vec<f64>> {
    let width = beta.len();
    let mut matrix = Vec::with_capacity(known.len() * known.len());
    for &row in known {
        matrix.extend(
            known
                .iter()
                .map(|&column| correlations[row * width + column] + if row == column { JITTER } else { 0.0 }),
        );
    }
    let target: Vec<f64> = known
        .iter()
        .map(|&row| (0..width).map(|column| correlations[row * width + column] * beta[column]).sum())
        .collect();
    let factor = cholesky(&matrix, known.len()).ok_or_else(|| Error::NotFitted {
        reason: "the columns' correlations cannot be solved; leave out features that repeat others"
            .to_owned(),
    })?;
    let mut weights = vec![0.0; width];
    known.iter().zip(solve(&factor, &target)).for_each(|(&column, weight)| weights[column] = weight);
    Ok(weights)
}
