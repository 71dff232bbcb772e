//! What do scores reach that need no model, or hardly one?

use serde::{Deserialize, Serialize};

use crate::btyd::{MbgNbd, Summary};
use crate::features::{Feature, Population};
use crate::metrics;
use crate::model::{ChurnModel, Curve};
use crate::snapshot::Snapshots;

/// Simpler scores on the same customers, each turned into a probability on the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// Days since the last purchase: the longer, the likelier to churn.
    pub recency: Baseline,
    /// Number of purchases: the fewer, the likelier; `None` where the features leave it out.
    pub frequency: Option<Baseline>,
    /// Days since last over the shrunk interval: the higher, the likelier; `None` where the features
    /// leave it out.
    pub overdue: Option<Baseline>,
    /// P(no purchase in the label window) of an MBG/NBD fitted to what was known at each cutoff; `None` where
    /// the features leave out recency, tenure or the number of purchases, for chosen customers, or where
    /// the fit fails.
    pub mbg_nbd: Option<Baseline>,
}

/// What one simple score reaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Area under the ROC curve; `None` where all or none churned.
    pub auc: Option<f64>,
    /// Mean negative log-likelihood.
    pub log_loss: f64,
    /// Mean squared error of the probability.
    pub brier: f64,
    /// The churn rate of the top tenth over that of everyone; `None` where nobody churned.
    pub lift: Option<f64>,
}

/// A simple score of every row: the score, and its probability.
pub(super) struct SimpleScore {
    pub(super) scores: Vec<f64>,
    probabilities: Vec<f64>,
}

impl SimpleScore {
    fn new(values: &[f64], curve: &Curve, sign: f64) -> Self {
        SimpleScore {
            scores: values.iter().map(|value| sign * value).collect(),
            probabilities: values.iter().map(|&value| curve.probability(value)).collect(),
        }
    }

    pub(super) fn of(&self, rows: &[usize], labels: &[bool]) -> Baseline {
        let pick = |values: &[f64]| rows.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        let (scores, probabilities) = (pick(&self.scores), pick(&self.probabilities));
        Baseline {
            auc: metrics::roc_auc(&scores, labels),
            log_loss: metrics::log_loss(&probabilities, labels),
            brier: metrics::brier(&probabilities, labels),
            lift: metrics::gains(&scores, labels).first().map(|row| row.lift),
        }
    }
}

/// All simple scores of a test.
pub(super) struct SimpleScores {
    pub(super) recency: SimpleScore,
    frequency: Option<SimpleScore>,
    overdue: Option<SimpleScore>,
    mbg_nbd: Option<SimpleScore>,
}

impl SimpleScores {
    pub(super) fn new(model: &ChurnModel, test: &Snapshots) -> Self {
        let days: Vec<f64> = test.days_since_last().iter().map(|&days| f64::from(days)).collect();
        let curves = &model.curves;
        let score = |column: Option<&[f64]>, curve: Option<&Curve>, sign: f64| {
            Some(SimpleScore::new(column?, curve?, sign))
        };
        let count = test.column(|feature| *feature == Feature::NPurchases);
        let overdue = test.column(|feature| matches!(feature, Feature::OverdueRatio { .. }));
        SimpleScores {
            recency: SimpleScore::new(&days, &curves.recency, 1.0),
            frequency: score(count, curves.frequency.as_ref(), -1.0),
            overdue: score(overdue, curves.overdue.as_ref(), 1.0),
            mbg_nbd: rhythm_alone(test),
        }
    }

    pub(super) fn of(&self, rows: &[usize], labels: &[bool]) -> Baselines {
        let of = |score: &Option<SimpleScore>| score.as_ref().map(|score| score.of(rows, labels));
        Baselines {
            recency: self.recency.of(rows, labels),
            frequency: of(&self.frequency),
            overdue: of(&self.overdue),
            mbg_nbd: of(&self.mbg_nbd),
        }
    }
}

/// P(no purchase in the horizon) by an MBG/NBD fitted at each cutoff to all its customers.
fn rhythm_alone(test: &Snapshots) -> Option<SimpleScore> {
    let label = test.label();
    if test.population() != Population::All {
        return None;
    }
    let tenure = test.column(|feature| *feature == Feature::TenureDays)?;
    let purchases = test.column(|feature| *feature == Feature::NPurchases)?;
    let summaries: Vec<Summary> = test
        .days_since_last()
        .iter()
        .zip(tenure.iter().zip(purchases))
        .map(|(&silent, (&age, &n))| Summary::of_days(n, f64::from(silent), age))
        .collect();
    let (lead, horizon) = (f64::from(label.lead_days), f64::from(label.horizon_days));
    let mut probabilities = vec![0.0; summaries.len()];
    for cutoff in 0..test.cutoffs().len() as u32 {
        let rows: Vec<usize> = (0..summaries.len()).filter(|&row| test.positions()[row] == cutoff).collect();
        let known: Vec<Summary> = rows.iter().map(|&row| summaries[row]).collect();
        // Where nobody bought twice there is no likeliest rhythm, but still one under the stated prior.
        let params = MbgNbd::params();
        let held = || params.fit_held(&known).map(|held| held.model().clone());
        let model = params.fit(&known).or_else(|_| held()).ok()?;
        for row in rows {
            probabilities[row] = model.p_no_purchase_after(summaries[row], lead, horizon);
        }
    }
    let is_probability = |p: &f64| (0.0..=1.0).contains(p);
    probabilities
        .iter()
        .all(is_probability)
        .then(|| SimpleScore { scores: probabilities.clone(), probabilities })
}
