//! How good are the probabilities of some customers, and how sure is that?

use serde::Serialize;

use super::baselines::{Baselines, SimpleScores};
use crate::metrics::{
    self, BootstrapEnds, BrierDecomposition, CalibrationGroups, CalibrationLine, CalibrationRow, GainRow,
    Interval, Ranking,
};

/// Groups of the calibration table.
const CALIBRATION_GROUPS: usize = 10;
/// All intervals hold with this probability.
const LEVEL: f64 = 0.95;
/// Resampled panels for the intervals of what has no formula.
const REPLICATES: usize = 200;

/// The quality of the probabilities of some customers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// Rows: customers, once per cutoff.
    pub rows: usize,
    /// Share that churned, 0 to 1.
    pub churned_fraction: f64,
    /// Mean predicted probability.
    pub predicted_fraction: f64,
    /// Area under the ROC curve; `None` where all or none churned.
    pub auc: Option<f64>,
    /// Its 95 % interval: DeLong where every customer is there once, else bootstrapped by customer.
    pub auc_interval: Option<Interval>,
    /// AUC minus that of days since last alone, on the same customers.
    pub auc_over_recency: Option<Interval>,
    /// Area under the precision-recall curve.
    pub average_precision: Option<f64>,
    /// Mean negative log-likelihood.
    pub log_loss: f64,
    /// Its 95 % interval, bootstrapped by customer.
    pub log_loss_interval: Option<Interval>,
    /// Mean squared error of the probability.
    pub brier: f64,
    /// Its 95 % interval, bootstrapped by customer.
    pub brier_interval: Option<Interval>,
    /// What the Brier score is made of.
    pub brier_parts: Option<BrierDecomposition>,
    /// Expected calibration error: mean distance of predicted and observed over the calibration table.
    pub ece: f64,
    /// Its 95 % interval, bootstrapped by customer (basic, as resampling only adds to it).
    pub ece_interval: Option<Interval>,
    /// What it would be, by chance alone, if the probabilities were right.
    pub ece_if_calibrated: f64,
    /// Intercept and slope of what came on what was said, on the log-odds scale; 0 and 1 are right.
    pub calibration_line: Option<CalibrationLine>,
    /// Predicted against observed, in groups of ascending probability.
    pub calibration: Vec<CalibrationRow>,
    /// Cumulative gains and lift by tenths.
    pub gains: Vec<GainRow>,
    /// What simpler scores reach on the same customers.
    pub baselines: Baselines,
}

/// What is judged: probabilities, labels and customers of all rows of a test.
pub(super) struct Judged<'a> {
    pub(super) probabilities: &'a [f64],
    pub(super) labels: &'a [bool],
    pub(super) customers: &'a [u32],
    pub(super) simple: &'a SimpleScores,
    pub(super) seed: u64,
}

impl Judged<'_> {
    /// The quality on some rows, in order of customer.
    pub(super) fn quality(&self, rows: &[usize]) -> Quality {
        let labels: Vec<bool> = rows.iter().map(|&row| self.labels[row]).collect();
        let own: Vec<f64> = rows.iter().map(|&row| self.probabilities[row]).collect();
        let recency: Vec<f64> = rows.iter().map(|&row| self.simple.recency.scores[row]).collect();
        let customers: Vec<u32> = rows.iter().map(|&row| self.customers[row]).collect();
        let each_once = customers.windows(2).all(|pair| pair[0] != pair[1]);
        let resampled = Resampled::new(&own, &recency, &labels, &customers, self.seed);
        let table = metrics::calibration(&own, &labels, CALIBRATION_GROUPS);
        let churned = labels.iter().filter(|&&label| label).count();
        let delong =
            |else_by: Option<Interval>, exact: Option<Interval>| if each_once { exact } else { else_by };
        Quality {
            rows: rows.len(),
            churned_fraction: churned as f64 / rows.len() as f64,
            predicted_fraction: own.iter().sum::<f64>() / own.len() as f64,
            auc: metrics::roc_auc(&own, &labels),
            auc_interval: delong(resampled.auc, metrics::delong_interval(&own, &labels, LEVEL)),
            auc_over_recency: delong(
                resampled.auc_over_recency,
                metrics::delong_difference(&own, &recency, &labels, LEVEL),
            ),
            average_precision: metrics::average_precision(&own, &labels),
            log_loss: metrics::log_loss(&own, &labels),
            log_loss_interval: resampled.log_loss,
            brier: metrics::brier(&own, &labels),
            brier_interval: resampled.brier,
            brier_parts: metrics::brier_decomposition(&own, &labels, CALIBRATION_GROUPS),
            ece: metrics::expected_calibration_error(&table),
            ece_interval: resampled.ece,
            ece_if_calibrated: metrics::expected_ece_if_calibrated(&own, CALIBRATION_GROUPS),
            calibration_line: metrics::calibration_line(&own, &labels, Some(&customers), LEVEL),
            calibration: table,
            gains: metrics::gains(&own, &labels),
            baselines: self.simple.of(rows, &labels),
        }
    }
}

/// Intervals from panels in which customers are drawn again, all rows of each together.
struct Resampled {
    auc: Option<Interval>,
    auc_over_recency: Option<Interval>,
    log_loss: Option<Interval>,
    brier: Option<Interval>,
    ece: Option<Interval>,
}

impl Resampled {
    fn new(own: &[f64], recency: &[f64], labels: &[bool], customers: &[u32], seed: u64) -> Self {
        let (ranking, other) = (Ranking::new(own, labels), Ranking::new(recency, labels));
        let auc = |ranking: &Option<Ranking>, weights: &[u32]| {
            ranking.as_ref().and_then(|ranking| ranking.roc_auc(weights)).unwrap_or(f64::NAN)
        };
        let (losses, errors) = (metrics::log_losses(own, labels), metrics::squared_errors(own, labels));
        let groups = CalibrationGroups::new(own, labels, CALIBRATION_GROUPS);
        let bootstrap = metrics::clustered_bootstrap(customers, REPLICATES, seed, |weights| {
            let here = auc(&ranking, weights);
            vec![
                here,
                here - auc(&other, weights),
                metrics::weighted_mean(&losses, weights),
                metrics::weighted_mean(&errors, weights),
                groups.as_ref().map_or(f64::NAN, |groups| groups.expected_calibration_error(weights)),
            ]
        });
        let interval = |statistic: usize, ends| bootstrap.interval(statistic, LEVEL, ends);
        Resampled {
            auc: interval(0, BootstrapEnds::Percentile),
            auc_over_recency: interval(1, BootstrapEnds::Percentile),
            log_loss: interval(2, BootstrapEnds::Percentile),
            brier: interval(3, BootstrapEnds::Percentile),
            ece: interval(4, BootstrapEnds::Basic),
        }
    }
}
