//! Who may leave, and how sure are we?
//!
//! [`ChurnModel`] is a logistic regression of *churned* on what was known at each cutoff. Its worth
//! lies in its columns: logged counts and days, a rhythm shrunk towards the horizon, windowed
//! activity and a few products of them.

mod linear;
mod gram;
mod design;
mod logistic;
mod terms;
mod scorer;
mod space;
mod curves;
mod drivers;
mod strength;
mod fit;
mod rhythm;
mod season;
mod portrait;
mod doubt;
mod coefficients;
mod reference;
mod effects;
mod recalibrate;
mod words;
mod saved;

use serde::{Deserialize, Serialize};

pub(crate) use self::curves::{Curve, Curves};
pub(crate) use self::design::Design;
pub(crate) use self::drivers::IdeaWeights;
pub use self::effects::StepEffect;
pub use self::fit::{FitSummary, StrengthTried};
pub(crate) use self::logistic::fit as fit_logistic;
use self::portrait::Portrait;
pub use self::recalibrate::Recalibration;
pub use self::reference::ReferenceCustomer;
pub(crate) use self::rhythm::Rhythm;
pub(crate) use self::scorer::{Scorer, linear};
pub use self::season::Season;
pub use self::strength::StrengthChoice;
pub use self::terms::TermChoice;
pub(crate) use self::terms::{Term, TermKind};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::{Feature, Population};
use crate::history::{Columns, History, HistoryParams};
use crate::math::sigmoid;
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
/// | columns | all, a few core ones below 100 rows of the rarer class, or none but the rhythm below 40 ([`ModelKind`]) |
/// | L2 strength λ | by the evidence of the data below 1,000 rows of the rarer class ([`StrengthChoice::Evidence`]); else 30, falling to 3 as they grow, or one of 1 … 300 that does better forward in time by two standard errors |
/// | most rows fitted on | 1,000,000, whole customers by a hash of their id |
#[derive(Clone, Debug)]
pub struct ChurnModelParams {
    terms: TermChoice,
    l2: Option<f64>,
    max_rows: usize,
    left_out: Vec<String>,
}

impl ChurnModelParams {
    /// Sets the L2 strength λ ≥ 0; ½ λ ‖β‖² is added to the summed loss of the standardised columns
    /// (scikit-learn's `C` is 1/λ).
    #[must_use]
    pub fn with_l2(mut self, l2: f64) -> Self {
        self.l2 = Some(l2);
        self
    }

    /// Sets which columns are tried.
    #[must_use]
    pub fn with_terms(mut self, terms: TermChoice) -> Self {
        self.terms = terms;
        self
    }

    /// Leaves a product or square of two features out, by the name that [`ChurnModel::products`] gives it;
    /// to see what it is worth. (A feature is left out with [`FeatureSet::without`](crate::FeatureSet::without).)
    #[must_use]
    pub fn without_product(mut self, name: impl Into<String>) -> Self {
        self.left_out.push(name.into());
        self
    }

    /// Sets the most rows to fit on.
    #[must_use]
    pub fn with_max_rows(mut self, rows: usize) -> Self {
        self.max_rows = rows;
        self
    }

    /// The settings given that are about columns alone.
    fn about_columns(&self) -> Vec<String> {
        let l2 = self.l2.map(|l2| format!("L2 strength {l2}"));
        let most = (self.max_rows != DEFAULT_MAX_ROWS).then(|| format!("most rows {}", self.max_rows));
        let left_out = self.left_out.iter().map(|name| format!("without {name}"));
        l2.into_iter().chain(most).chain(left_out).collect()
    }

    /// Fits a model to labelled snapshots.
    ///
    /// Whether there is enough to learn columns from is told by all rows, before [`with_max_rows`](Self::with_max_rows)
    /// chooses some; which columns, by those chosen. Where there is not, strength, rows and products have nothing to
    /// act on: [`FitSummary::ignored`] names what was given in vain, and so does the model's `Display`.
    ///
    /// # Errors
    /// [`Error::SingleClass`] where everybody churned or nobody did and the rhythm cannot be told either (features
    /// left out, customers chosen) or columns were asked for; [`Error::NotFitted`] where columns
    /// repeat each other and the strength is 0; [`Error::Parameter`].
    pub fn fit(&self, snapshots: &Snapshots) -> Result<ChurnModel> {
        if let Some(l2) = self.l2.filter(|l2| !(l2.is_finite() && *l2 >= 0.0)) {
            return Err(Error::parameter("L2 strength", l2, "a finite number, at least 0"));
        }
        if self.max_rows == 0 {
            return Err(Error::parameter("most rows", 0, "at least 1"));
        }
        fit::refuse_unknown(&self.left_out, snapshots.features())?;
        let (rhythm, fitted) = match rhythm::fit(snapshots, self.terms)? {
            Some((rhythm, mut fitted)) => {
                fitted.summary.ignored = self.about_columns();
                (Some(rhythm), fitted)
            }
            None => (None, fit::fit(snapshots, self)?),
        };
        let probabilities = fitted.probabilities;
        let recent: Vec<f64> = (0..snapshots.rows())
            .filter(|&row| snapshots.is_recent(row))
            .map(|row| probabilities[row])
            .collect();
        let everyone = if recent.is_empty() { probabilities.clone() } else { recent };
        let cutoffs = snapshots.cutoffs();
        Ok(ChurnModel {
            features: snapshots.features().to_vec(),
            label: snapshots.label(),
            population: snapshots.population(),
            reading: snapshots.reading().clone(),
            at_risk_threshold: top_fraction_starts(everyone),
            terms: fitted.terms,
            idea_weights: fitted.idea_weights,
            beta: fitted.fit.beta,
            covariance: fitted.covariance,
            rhythm,
            curves: fitted.curves,
            season: None,
            portrait: Portrait::new(snapshots.columns(), &probabilities),
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
    let last = ((probabilities.len() as f64 * AT_RISK_FRACTION).ceil() as usize).max(1) - 1;
    *probabilities.select_nth_unstable_by(last, |a, b| b.total_cmp(a)).1
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

/// What a model answers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ModelKind {
    /// A logistic regression on many columns, or few.
    Logistic,
    /// The chance of no purchase by MBG/NBD under a stated prior ([`btyd::MbgNbdPosterior`](crate::btyd::MbgNbdPosterior)),
    /// where fewer than 40 rows churned or fewer than 40 did not: too little to learn columns from.
    Rhythm {
        /// Whether even the rhythm had next to nothing to learn from (fewer than 10 customers, or fewer than 10
        /// repeat purchases among them), so that what is said is mostly the prior's.
        is_mostly_prior: bool,
    },
}

/// A fitted model: the probability that a customer buys nothing in the label window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChurnModel {
    pub(crate) features: Vec<Feature>,
    pub(crate) label: LabelWindow,
    population: Population,
    reading: HistoryParams,
    pub(crate) terms: Vec<Term>,
    pub(crate) idea_weights: IdeaWeights,
    /// Intercept, then one coefficient per term.
    pub(crate) beta: Vec<f64>,
    covariance: Vec<f64>,
    /// What a model answers from that has no terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rhythm: Option<Rhythm>,
    pub(crate) at_risk_threshold: f64,
    pub(crate) curves: Curves,
    season: Option<Season>,
    pub(crate) portrait: Portrait,
    fit: FitSummary,
    provenance: Provenance,
}

impl ChurnModel {
    /// Begins to fit a model.
    #[must_use]
    pub fn params() -> ChurnModelParams {
        ChurnModelParams {
            terms: TermChoice::Automatic,
            l2: None,
            max_rows: DEFAULT_MAX_ROWS,
            left_out: Vec::new(),
        }
    }

    /// What the model answers from.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        match &self.rhythm {
            None => ModelKind::Logistic,
            Some(rhythm) => ModelKind::Rhythm { is_mostly_prior: rhythm.posterior.is_mostly_prior() },
        }
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

    /// The products and squares among its columns, by name.
    #[must_use]
    pub fn products(&self) -> Vec<String> {
        let products = self.terms.iter().filter(|term| matches!(term.kind, TermKind::Product(..)));
        products.map(|term| term.kind.name(&self.features)).collect()
    }

    /// How the log it was trained on was read.
    #[must_use]
    pub fn reading(&self) -> &HistoryParams {
        &self.reading
    }

    /// Recent customers at or above this probability are at risk: the top tenth of recent customers
    /// in training begins here.
    #[must_use]
    pub fn at_risk_threshold(&self) -> f64 {
        self.at_risk_threshold
    }

    /// What the model knows of the season; `None` until [`with_season`](Self::with_season).
    #[must_use]
    pub fn season(&self) -> Option<&Season> {
        self.season.as_ref()
    }

    /// The shift of everybody's log-odds on that day.
    pub(crate) fn season_offset(&self, day: Day) -> f64 {
        self.season.as_ref().map_or(0.0, |season| season.offset(day))
    }

    /// The log-odds of every row of features, given column by column, before the season.
    pub(crate) fn log_odds(&self, columns: &[Vec<f64>]) -> Vec<f64> {
        if let Some(rhythm) = &self.rhythm {
            let shares = rhythm.shares(&self.features, self.label, columns);
            return shares.map(|share| self.beta[0] + share).collect();
        }
        self.scorer().log_odds(columns)
    }

    /// The probability of every row of features, everybody's log-odds shifted by as much.
    pub(crate) fn shifted_probabilities(&self, columns: &[Vec<f64>], shift: f64) -> Vec<f64> {
        match self.rhythm {
            Some(_) => self.log_odds(columns).into_iter().map(|log_odds| sigmoid(log_odds + shift)).collect(),
            None => self.scorer().probabilities(columns, shift),
        }
    }

    /// The model, ready to score rows.
    pub(crate) fn scorer(&self) -> Scorer<'_> {
        Scorer::new(&self.features, &self.terms, &self.beta)
    }

    /// The probability of every row of labelled snapshots, each by the season of its cutoff.
    pub(crate) fn probabilities(&self, snapshots: &Snapshots) -> Vec<f64> {
        let offsets: Vec<f64> =
            snapshots.cutoffs().iter().map(|&cutoff| self.season_offset(cutoff)).collect();
        let log_odds = self.log_odds(snapshots.columns());
        let rows = log_odds.iter().zip(snapshots.positions());
        rows.map(|(log_odds, &cutoff)| sigmoid(log_odds + offsets[cutoff as usize])).collect()
    }

    /// The features, with segment columns called as in this history. Columns meet by name; one that was
    /// renamed meets the one that is left over.
    pub(crate) fn features_in(&self, history: &History) -> Result<Vec<Feature>> {
        self.features_of_columns(history.reading().columns())
    }

    /// [`features_in`](Self::features_in) a log of these columns.
    pub(crate) fn features_of_columns(&self, columns: &Columns) -> Result<Vec<Feature>> {
        let own = self.reading.columns().segments();
        let theirs = columns.segments();
        let missing: Vec<&String> = own.iter().filter(|name| !theirs.contains(name)).collect();
        let left_over: Vec<&String> = theirs.iter().filter(|name| !own.contains(name)).collect();
        match (missing.as_slice(), left_over.as_slice()) {
            ([], _) => Ok(self.features.clone()),
            ([old], [new]) => {
                let named =
                    |column: &str| if column == old.as_str() { (*new).clone() } else { column.to_owned() };
                Ok(self.features.iter().map(|feature| feature.with_column_named(&named)).collect())
            }
            _ => Err(Error::PolicyMismatch {
                trained: format!("with segment columns {}", own.join(", ")),
                found: format!("with {}", theirs.join(", ")),
            }),
        }
    }

    /// Refuses a history that was read under another policy.
    pub(crate) fn check_policy(&self, history: &History) -> Result<()> {
        self.check_reading(history.reading())
    }

    /// Refuses another policy of reading than the model's.
    pub(crate) fn check_reading(&self, theirs: &HistoryParams) -> Result<()> {
        let own = &self.reading;
        if own.reads_alike(theirs) {
            return Ok(());
        }
        Err(Error::PolicyMismatch { trained: own.policy(), found: theirs.policy() })
    }
}
