//! Who may leave, and how sure are we?
//!
//! [`ChurnModel`] is a logistic regression of *churned* on what was known at each cutoff. Its worth
//! lies in its columns: logged counts and days, a rhythm shrunk towards the horizon, windowed
//! activity and a few products of them.

mod linear;
mod design;
mod logistic;
mod terms;
mod drivers;
mod fit;
mod coefficients;
mod saved;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::design::sigmoid;
pub(crate) use self::drivers::IdeaWeights;
pub(crate) use self::fit::Curve;
pub use self::fit::{FitSummary, StrengthTried};
pub(crate) use self::terms::Term;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::{Feature, Population};
use crate::history::{History, HistoryParams};
use crate::snapshot::{LabelWindow, Snapshots};

/// The class whose probability the model gives.
pub const POSITIVE_CLASS: &str = "churned";
/// The top share of recent customers in training that counts as at risk.
const AT_RISK_FRACTION: f64 = 0.1;
const DEFAULT_MAX_ROWS: usize = 1_000_000;

/// How to fit a model.
///
/// | setting | default |
/// |---|---|
/// | L2 strength λ | 1, or one of 0.1 … 300 that does surely better forward in time |
/// | most rows fitted on | 1,000,000, whole customers by a hash of their id |
#[derive(Clone, Debug)]
pub struct ChurnModelParams {
    l2: Option<f64>,
    max_rows: usize,
}

impl ChurnModelParams {
    /// Sets the L2 strength λ ≥ 0; ½ λ ‖β‖² is added to the summed loss of the standardised columns
    /// (scikit-learn's `C` is 1/λ).
    #[must_use]
    pub fn with_l2(mut self, l2: f64) -> Self {
        self.l2 = Some(l2);
        self
    }

    /// Sets the most rows to fit on.
    #[must_use]
    pub fn with_max_rows(mut self, rows: usize) -> Self {
        self.max_rows = rows;
        self
    }

    /// Fits a model to labelled snapshots.
    ///
    /// # Errors
    /// [`Error::SingleClass`] where everybody churned or nobody did; [`Error::NotFitted`] where
    /// columns repeat each other and the strength is 0; [`Error::Parameter`].
    pub fn fit(&self, snapshots: &Snapshots) -> Result<ChurnModel> {
        if let Some(l2) = self.l2.filter(|l2| !(l2.is_finite() && *l2 >= 0.0)) {
            return Err(Error::parameter("L2 strength", l2, "a finite number, at least 0"));
        }
        if self.max_rows == 0 {
            return Err(Error::parameter("most rows", 0, "at least 1"));
        }
        let fitted = fit::fit(snapshots, self.l2, self.max_rows)?;
        let recent: Vec<f64> = (0..snapshots.rows())
            .filter(|&row| snapshots.is_recent(row))
            .map(|row| fitted.probabilities[row])
            .collect();
        let everyone = if recent.is_empty() { fitted.probabilities } else { recent };
        let cutoffs = snapshots.cutoffs();
        Ok(ChurnModel {
            features: snapshots.features().to_vec(),
            label: snapshots.label(),
            population: snapshots.population(),
            reading: snapshots.reading().cloned(),
            at_risk_threshold: top_fraction_starts(everyone),
            terms: fitted.terms,
            idea_weights: fitted.idea_weights,
            beta: fitted.fit.beta,
            covariance: fitted.covariance,
            recency: fitted.recency,
            provenance: Provenance {
                crate_version: env!("CARGO_PKG_VERSION").to_owned(),
                rows: snapshots.rows(),
                customers: snapshots.customers(),
                first_cutoff: cutoffs[0],
                last_cutoff: snapshots.last_cutoff(),
                cutoffs: cutoffs.to_vec(),
                labelled_until: snapshots.labelled_until(),
                churned_fraction: snapshots.churned_fraction(),
                history_fingerprint: snapshots.fingerprint().to_owned(),
            },
            fit: fitted.summary,
        })
    }
}

/// The lowest of the top tenth.
fn top_fraction_starts(mut probabilities: Vec<f64>) -> f64 {
    probabilities.sort_unstable_by(|a, b| b.total_cmp(a));
    let last = ((probabilities.len() as f64 * AT_RISK_FRACTION).ceil() as usize).max(1) - 1;
    probabilities[last]
}

/// What a model was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The winback version that fitted it.
    pub crate_version: String,
    /// Rows: one per customer and cutoff.
    pub rows: usize,
    /// Different customers.
    pub customers: usize,
    /// First cutoff.
    pub first_cutoff: Day,
    /// Last cutoff.
    pub last_cutoff: Day,
    /// All cutoffs, ascending.
    pub cutoffs: Vec<Day>,
    /// Last day of any label.
    pub labelled_until: Day,
    /// Share of rows that churned, 0 to 1.
    pub churned_fraction: f64,
    /// Fingerprint of the purchase log.
    pub history_fingerprint: String,
}

/// A fitted model: the probability that a customer buys nothing in the label window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnModel {
    pub(crate) features: Vec<Feature>,
    pub(crate) label: LabelWindow,
    population: Population,
    reading: Option<HistoryParams>,
    pub(crate) terms: Vec<Term>,
    pub(crate) idea_weights: IdeaWeights,
    /// Intercept, then one coefficient per term.
    pub(crate) beta: Vec<f64>,
    covariance: Vec<f64>,
    pub(crate) at_risk_threshold: f64,
    pub(crate) recency: Curve,
    fit: FitSummary,
    provenance: Provenance,
}

impl ChurnModel {
    /// Begins to fit a model.
    #[must_use]
    pub fn params() -> ChurnModelParams {
        ChurnModelParams { l2: None, max_rows: DEFAULT_MAX_ROWS }
    }

    /// How the fit went.
    #[must_use]
    pub fn fit_summary(&self) -> &FitSummary {
        &self.fit
    }

    /// What the model was made from.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The label window.
    #[must_use]
    pub fn label(&self) -> LabelWindow {
        self.label
    }

    /// Which customers it was trained on.
    #[must_use]
    pub fn population(&self) -> Population {
        self.population
    }

    /// The features it needs, in order.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// How the log it was trained on was read; `None` for a table computed elsewhere without one.
    #[must_use]
    pub fn reading(&self) -> Option<&HistoryParams> {
        self.reading.as_ref()
    }

    /// Recent customers at or above this probability are at risk: the top tenth of recent customers
    /// in training begins here.
    #[must_use]
    pub fn at_risk_threshold(&self) -> f64 {
        self.at_risk_threshold
    }

    /// The probability of every row of features, given column by column.
    pub(crate) fn probabilities(&self, columns: &[Vec<f64>]) -> Vec<f64> {
        let transformed = terms::transform(&self.features, columns);
        let rows: Vec<u32> = (0..columns.first().map_or(0, Vec::len) as u32).collect();
        let design = terms::TermRows { terms: &self.terms, transformed: &transformed, rows: &rows };
        fit::probabilities(&design, &self.beta)
    }

    /// The features, with segment columns called as in this history: they meet by their order.
    pub(crate) fn features_in(&self, history: &History) -> Vec<Feature> {
        let own = self.reading.as_ref().map_or(&[][..], |reading| reading.columns().segments());
        let theirs = history.reading().columns().segments();
        let named = |column: &str| {
            let position = own.iter().position(|name| name == column);
            position.and_then(|position| theirs.get(position)).cloned().unwrap_or_else(|| column.to_owned())
        };
        self.features.iter().map(|feature| feature.with_column_named(&named)).collect()
    }

    /// Refuses a history that was read under another policy.
    pub(crate) fn check_policy(&self, history: &History) -> Result<()> {
        let Some(reading) = &self.reading else { return Ok(()) };
        let (trained, found) = (reading.policy(), history.reading().policy());
        if trained == found { Ok(()) } else { Err(Error::PolicyMismatch { trained, found }) }
    }
}

impl fmt::Display for ChurnModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Provenance { rows, customers, first_cutoff, last_cutoff, churned_fraction, .. } =
            &self.provenance;
        let cutoffs = self.provenance.cutoffs.len();
        write!(f, "logistic model of {POSITIVE_CLASS}: no purchase in {} days", self.label.horizon_days)?;
        if self.label.lead_days > 0 {
            write!(f, " that begin {} days after the cutoff", self.label.lead_days)?;
        }
        write!(
            f,
            "\n  trained on {rows} rows of {customers} customers at {cutoffs} cutoffs from {first_cutoff} to \
             {last_cutoff}, {:.1} % churned\n  {} columns from {} features, L2 strength {}, {} in {}",
            churned_fraction * 100.0,
            self.terms.len(),
            self.features.len(),
            self.fit.l2,
            if self.fit.converged { "converged" } else { "NOT converged" },
            match self.fit.iterations {
                1 => "1 Newton step".to_owned(),
                steps => format!("{steps} Newton steps"),
            }
        )?;
        if self.fit.rows < *rows {
            write!(f, "\n  fitted on {} of these rows, chosen by customer", self.fit.rows)?;
        }
        if self.fit.separated {
            write!(
                f,
                "\n  the classes are perfectly separated in training: probabilities are held by the shrinkage alone"
            )?;
        }
        write!(f, "\n  at risk: recent customers from {:.1} % on", self.at_risk_threshold * 100.0)
    }
}
