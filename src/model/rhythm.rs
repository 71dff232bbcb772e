//! What is answered where there is too little to learn columns from?
//!
//! The chance of no purchase by MBG/NBD under a stated prior: three numbers per customer, four parameters for
//! all of them. The labels only say how often it happened; what the answer rests on are the purchases.

use serde::{Deserialize, Serialize};

use super::curves::Curves;
use super::drivers::IdeaWeights;
use super::fit::{FitSummary, Fitted};
use super::logistic::LogisticFit;
use super::terms::{TermChoice, transform};
use crate::btyd::{MbgNbd, MbgNbdPosterior, Summary};
use crate::error::{Error, Result};
use crate::features::{Feature, Population};
use crate::math::sigmoid;
use crate::snapshot::{LabelWindow, Snapshots};

/// With fewer rows of the rarer class than this, even the core columns are not tried: on samples of every open
/// log the rhythm then had the better log-loss, up to 20 rows by far, and from 40 to 70 on two of three.
const LEAST_EVENTS: usize = 40;
/// Probabilities stay so far from 0 and 1.
const LEAST_PROBABILITY: f64 = 1e-6;
/// For the doubt they may come nearer, as what is cut off would look as if it were sure.
const LEAST_DOUBTED_PROBABILITY: f64 = 1e-12;
/// What a 95 % interval leaves out at either side.
const TAIL: f64 = 0.025;

/// An answer from the rhythm of purchases alone: log-odds of churned, counted from the average in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rhythm {
    pub(super) posterior: MbgNbdPosterior,
    /// Mean log-odds of the training rows, before any recalibration.
    average: f64,
    /// 1, but for a recalibration.
    slope: f64,
}

/// Fits the rhythm where it is asked for, or where there is too little for anything else and it can be told;
/// `None` where columns are to be tried.
pub(super) fn fit(snapshots: &Snapshots, choice: TermChoice) -> Result<Option<(Rhythm, Fitted)>> {
    let churned = snapshots.labels().iter().filter(|&&label| label).count();
    let events = churned.min(snapshots.rows() - churned);
    match (choice, summaries(snapshots)) {
        (TermChoice::Rhythm, None) => Err(Error::NotFitted {
            reason:
                "a rhythm needs all customers, and the features days_since_last, tenure_days and n_purchases"
                    .to_owned(),
        }),
        (TermChoice::Rhythm, Some(summaries)) => Ok(Some(answer(snapshots, &summaries)?)),
        (TermChoice::Automatic, Some(summaries)) if events < LEAST_EVENTS => {
            Ok(Some(answer(snapshots, &summaries)?))
        }
        _ => Ok(None),
    }
}

/// Every row's; `None` where customers were chosen or features left out, or where some row's numbers do not
/// fit each other.
fn summaries(snapshots: &Snapshots) -> Option<Vec<Summary>> {
    let [silent, tenure, purchases] =
        positions(snapshots.features())?.map(|feature| &snapshots.columns()[feature]);
    let rows = silent.iter().zip(tenure.iter().zip(purchases));
    let summaries: Vec<Summary> =
        rows.map(|(&silent, (&tenure, &purchases))| Summary::of_days(purchases, silent, tenure)).collect();
    (snapshots.population() == Population::All && summaries.iter().all(Summary::is_valid))
        .then_some(summaries)
}

/// Where days since last, tenure and purchases stand among the features.
fn positions(features: &[Feature]) -> Option<[usize; 3]> {
    let position = |wanted: Feature| features.iter().position(|feature| *feature == wanted);
    Some([position(Feature::DaysSinceLast)?, position(Feature::TenureDays)?, position(Feature::NPurchases)?])
}

fn answer(snapshots: &Snapshots, summaries: &[Summary]) -> Result<(Rhythm, Fitted)> {
    // Every customer once, by what was known last.
    let last = snapshots.positions().iter().copied().max().unwrap_or_default();
    let latest = summaries.iter().zip(snapshots.positions()).filter(|(_, cutoff)| **cutoff == last);
    let latest: Vec<Summary> = latest.map(|(summary, _)| *summary).collect();
    let posterior = MbgNbd::params().fit_held(&latest)?;
    let log_odds: Vec<f64> =
        summaries.iter().map(|&summary| log_odds(posterior.model(), summary, snapshots.label())).collect();
    let average = log_odds.iter().sum::<f64>() / log_odds.len() as f64;
    let report = posterior.model().report();
    let rows: Vec<u32> = (0..snapshots.rows() as u32).collect();
    let used = positions(snapshots.features()).unwrap_or_default();
    let unused = snapshots.features().iter().enumerate().filter(|(position, _)| !used.contains(position));
    let (converged, iterations) = report.map_or((false, 0), |report| (report.converged, report.iterations));
    let fitted = Fitted {
        terms: Vec::new(),
        idea_weights: IdeaWeights::none(),
        covariance: vec![0.0],
        summary: FitSummary {
            converged,
            iterations,
            separated: false,
            l2: 0.0,
            strength_choice: None,
            strengths_tried: Vec::new(),
            rows: latest.len(),
            terms: TermChoice::Rhythm,
            constant: Vec::new(),
            unused: unused.map(|(_, feature)| feature.name()).collect(),
            ignored: Vec::new(),
        },
        curves: Curves::fit(
            snapshots,
            &transform(snapshots.features(), snapshots.columns()),
            &rows,
            snapshots.labels(),
        )?,
        probabilities: log_odds.into_iter().map(sigmoid).collect(),
        fit: LogisticFit {
            beta: vec![average],
            inverse_hessian: vec![0.0],
            converged,
            iterations,
            separated: false,
        },
    };
    Ok((Rhythm { posterior, average, slope: 1.0 }, fitted))
}

fn log_odds(model: &MbgNbd, summary: Summary, label: LabelWindow) -> f64 {
    log_odds_within(LEAST_PROBABILITY, model, summary, label)
}

/// Log-odds of a probability that stays so far from 0 and 1.
fn log_odds_within(least: f64, model: &MbgNbd, summary: Summary, label: LabelWindow) -> f64 {
    let (lead, horizon) = (f64::from(label.lead_days), f64::from(label.horizon_days));
    let p = model.p_no_purchase_after(summary, lead, horizon).clamp(least, 1.0 - least);
    (p / (1.0 - p)).ln()
}

impl Rhythm {
    /// What a row of features adds to the intercept; 0 for one whose numbers are missing or do not fit each
    /// other, which so counts as the average.
    pub(crate) fn share(
        &self,
        features: &[Feature],
        label: LabelWindow,
        value: &dyn Fn(usize) -> f64,
    ) -> f64 {
        summary(features, value).map_or(0.0, |summary| {
            self.slope * (log_odds(self.posterior.model(), summary, label) - self.average)
        })
    }

    /// The shares of many rows.
    pub(super) fn shares<'a>(
        &'a self,
        features: &'a [Feature],
        label: LabelWindow,
        columns: &'a [Vec<f64>],
    ) -> impl Iterator<Item = f64> + 'a {
        let rows = 0..columns.first().map_or(0, Vec::len);
        rows.map(move |row| self.share(features, label, &|feature: usize| columns[feature][row]))
    }

    /// Standard errors of the shares of many rows, from the doubt about the parameters.
    pub(super) fn errors(&self, features: &[Feature], label: LabelWindow, columns: &[Vec<f64>]) -> Vec<f64> {
        let around = self.posterior.around();
        let error = |row: usize| {
            let Some(summary) = summary(features, &|feature| columns[feature][row]) else { return 0.0 };
            let log_odds = |model: &MbgNbd| log_odds_within(LEAST_DOUBTED_PROBABILITY, model, summary, label);
            let here = log_odds(self.posterior.model());
            let squares = around.iter().map(|model| (log_odds(model) - here).powi(2));
            self.slope * (squares.sum::<f64>() / around.len() as f64).sqrt()
        };
        (0..columns.first().map_or(0, Vec::len)).map(error).collect()
    }

    /// Where next to nothing was learned, what no 95 % interval may lie beyond: below `.0` its lower end, above
    /// `.1` its upper one. A uniform belief in a share that has seen all n customers do the same puts 2.5 % below
    /// 0.025^(1/(n+1)); who answers from a prior is not surer than that.
    pub(super) fn bounds(&self) -> Option<(f64, f64)> {
        let customers = self.posterior.customers() as f64;
        let least = TAIL.powf(1.0 / (customers + 1.0));
        self.posterior.is_mostly_prior().then_some((least, 1.0 - least))
    }

    /// The standard error of the change from one row to another, from the doubt about the parameters.
    pub(super) fn error_of_step(
        &self,
        features: &[Feature],
        label: LabelWindow,
        columns: &[Vec<f64>],
        rows: [usize; 2],
    ) -> f64 {
        let [Some(before), Some(after)] = rows.map(|row| summary(features, &|feature| columns[feature][row]))
        else {
            return 0.0;
        };
        let change = |model: &MbgNbd| log_odds(model, after, label) - log_odds(model, before, label);
        let here = change(self.posterior.model());
        let around = self.posterior.around();
        let squares = around.iter().map(|model| (change(model) - here).powi(2));
        self.slope * (squares.sum::<f64>() / around.len() as f64).sqrt()
    }

    /// The parameters r, α, a and b; the average and the slope; the least probability.
    pub(crate) fn numbers(&self) -> ([f64; 4], f64, f64, f64) {
        let model = self.posterior.model();
        ([model.r(), model.alpha(), model.a(), model.b()], self.average, self.slope, LEAST_PROBABILITY)
    }

    pub(super) fn scale(&mut self, factor: f64) {
        self.slope *= factor;
    }

    /// Whether one read from a file belongs to these features.
    pub(super) fn check(&self, features: &[Feature]) -> std::result::Result<[usize; 3], String> {
        let is_sound = self.average.is_finite() && self.slope.is_finite() && self.posterior.is_sound();
        positions(features).filter(|_| is_sound).ok_or_else(|| {
            "its rhythm does not fit its features, or holds a number that cannot be".to_owned()
        })
    }
}

fn summary(features: &[Feature], value: &dyn Fn(usize) -> f64) -> Option<Summary> {
    let [silent, tenure, purchases] = positions(features)?.map(value);
    Some(Summary::of_days(purchases, silent, tenure)).filter(Summary::is_valid)
}
