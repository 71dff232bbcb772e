//! Metrics against scikit-learn and scipy, DeLong against all pairs, the bootstrap against what it promises.

use serde::Deserialize;
use winback::metrics::{self, BootstrapEnds, Ranking, clustered_bootstrap};

use crate::logs::SplitMix;

const TOLERANCE: f64 = 1e-12;
/// Of iterated solutions.
const SOLVED: f64 = 1e-9;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
    calibration_of_plain: Curve,
    line_of_plain: Line,
    line_of_shifted: Line,
    wilson: Vec<Share>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    scores: Vec<f64>,
    labels: Vec<u8>,
    weights: Vec<u32>,
    plain: Metrics,
    weighted: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    roc_auc: f64,
    average_precision: f64,
    log_loss: f64,
    brier: f64,
}

#[derive(Deserialize)]
struct Curve {
    predicted: Vec<f64>,
    observed: Vec<f64>,
}

#[derive(Deserialize)]
struct Line {
    intercept: f64,
    slope: f64,
    in_the_large: f64,
    standard_errors: [f64; 3],
}

#[derive(Deserialize)]
struct Share {
    successes: usize,
    trials: usize,
    level: f64,
    low: f64,
    high: f64,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap()
}

impl Case {
    fn labels(&self) -> Vec<bool> {
        self.labels.iter().map(|&label| label == 1).collect()
    }
}

#[track_caller]
fn close(name: &str, found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{name}: {found} is not {expected}");
}

#[test]
fn metrics_equal_scikit_learn() {
    for case in fixture().cases {
        let (scores, labels) = (&case.scores, case.labels());
        let Metrics { roc_auc, average_precision, log_loss, brier } = case.plain;
        close(&case.name, metrics::roc_auc(scores, &labels).unwrap(), roc_auc, TOLERANCE);
        close(&case.name, metrics::average_precision(scores, &labels).unwrap(), average_precision, TOLERANCE);
        close(&case.name, metrics::log_loss(scores, &labels), log_loss, TOLERANCE);
        close(&case.name, metrics::brier(scores, &labels), brier, TOLERANCE);
    }
}

#[test]
fn weighted_metrics_equal_scikit_learn() {
    for case in fixture().cases {
        let (scores, labels, weights) = (&case.scores, case.labels(), &case.weights);
        let Metrics { roc_auc, average_precision, log_loss, brier } = case.weighted;
        let ranking = Ranking::new(scores, &labels).unwrap();
        let mean = |values: Vec<f64>| metrics::weighted_mean(&values, weights);
        close(&case.name, ranking.roc_auc(weights).unwrap(), roc_auc, TOLERANCE);
        close(&case.name, ranking.average_precision(weights).unwrap(), average_precision, TOLERANCE);
        close(&case.name, mean(metrics::log_losses(scores, &labels)), log_loss, TOLERANCE);
        close(&case.name, mean(metrics::squared_errors(scores, &labels)), brier, TOLERANCE);
    }
}

#[test]
fn calibration_without_ties_equals_scikit_learn() {
    let Fixture { cases, calibration_of_plain: curve, .. } = fixture();
    let rows = metrics::calibration(&cases[0].scores, &cases[0].labels(), 10);
    assert_eq!(rows.len(), curve.observed.len());
    for (row, (predicted, observed)) in rows.iter().zip(curve.predicted.iter().zip(&curve.observed)) {
        close("predicted", row.predicted, *predicted, TOLERANCE);
        close("observed", row.observed, *observed, TOLERANCE);
        assert!(row.low <= row.observed && row.observed <= row.high);
    }
}

#[test]
fn the_parts_of_the_brier_score_add_up() {
    for case in fixture().cases {
        for groups in [1, 2, 10, 1000] {
            let parts = metrics::brier_decomposition(&case.scores, &case.labels(), groups).unwrap();
            let sum = parts.reliability - parts.resolution + parts.uncertainty + parts.within;
            close(&case.name, sum, case.plain.brier, TOLERANCE);
            // Probabilities that do not differ within groups leave nothing there (Murphy 1973).
            if groups == 1000 || case.name == "constant" {
                close(&case.name, parts.within, 0.0, TOLERANCE);
            }
        }
    }
}

#[test]
fn lines_equal_scikit_learn() {
    let Fixture { cases, line_of_plain, line_of_shifted, .. } = fixture();
    let (plain, labels) = (&cases[0].scores, cases[0].labels());
    let shifted: Vec<f64> =
        plain.iter().map(|p| 1.0 / (1.0 + (-0.4 - 1.7 * (p / (1.0 - p)).ln()).exp())).collect();
    for (probabilities, expected) in [(plain, line_of_plain), (&shifted, line_of_shifted)] {
        let found = metrics::calibration_line(probabilities, &labels, None, 0.95).unwrap();
        close("intercept", found.intercept.estimate, expected.intercept, SOLVED);
        close("slope", found.slope.estimate, expected.slope, SOLVED);
        close("in the large", found.in_the_large.estimate, expected.in_the_large, SOLVED);
        let [intercept, slope, shift] = expected.standard_errors;
        close("error of the intercept", found.intercept.standard_error, intercept, SOLVED);
        close("error of the slope", found.slope.standard_error, slope, SOLVED);
        close("error in the large", found.in_the_large.standard_error, shift, SOLVED);
    }
}

#[test]
fn wilson_equals_scipy() {
    for Share { successes, trials, level, low, high } in fixture().wilson {
        let found = metrics::wilson(successes, trials, level).unwrap();
        close("low", found.low, low, TOLERANCE);
        close("high", found.high, high, TOLERANCE);
    }
}

/// DeLong et al. (1988), equations 4 to 6, by all pairs.
fn pairs(scores: &[f64], labels: &[bool]) -> [Vec<f64>; 2] {
    let of = |class: bool| -> Vec<f64> {
        scores.iter().zip(labels).filter(|&(_, &label)| label == class).map(|(&s, _)| s).collect()
    };
    let (churned, stayed) = (of(true), of(false));
    let kernel = |x: f64, y: f64| if x > y { 1.0 } else { f64::from(u8::from(x == y)) / 2.0 };
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    [
        churned.iter().map(|&x| mean(stayed.iter().map(|&y| kernel(x, y)).collect())).collect(),
        stayed.iter().map(|&y| mean(churned.iter().map(|&x| kernel(x, y)).collect())).collect(),
    ]
}

fn covariance_by_pairs(a: &[f64], b: &[f64], labels: &[bool]) -> f64 {
    pairs(a, labels)
        .iter()
        .zip(&pairs(b, labels))
        .map(|(a, b)| {
            let n = a.len() as f64;
            let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
            a.iter().zip(b).map(|(a, b)| (a - mean_a) * (b - mean_b)).sum::<f64>() / (n - 1.0) / n
        })
        .sum()
}

#[test]
fn delong_equals_all_pairs() {
    let mut compared = 0;
    for case in fixture().cases {
        let (a, labels) = (&case.scores, case.labels());
        // A second score that follows the first in part, with ties.
        let b: Vec<f64> =
            a.iter().enumerate().map(|(i, s)| (s * 4.0 + (i % 7) as f64 / 3.0).round()).collect();
        let found = metrics::delong(a, &b, &labels).unwrap();
        let (variance_a, variance_b) =
            (covariance_by_pairs(a, a, &labels), covariance_by_pairs(&b, &b, &labels));
        let covariance = covariance_by_pairs(a, &b, &labels);
        close(&case.name, found.variance_a, variance_a, TOLERANCE);
        close(&case.name, found.variance_b, variance_b, TOLERANCE);
        close(&case.name, found.covariance, covariance, TOLERANCE);
        close(&case.name, found.auc_a, case.plain.roc_auc, TOLERANCE);
        let difference = metrics::delong_difference(a, &b, &labels, 0.9).unwrap();
        let variance = variance_a + variance_b - 2.0 * covariance;
        close(&case.name, difference.standard_error.powi(2), variance, TOLERANCE);
        close(&case.name, difference.estimate, found.auc_a - found.auc_b, TOLERANCE);
        compared += 1;
    }
    assert_eq!(compared, 6);
}

#[test]
fn the_error_expected_of_true_probabilities_is_that_of_simulated_ones() {
    const DRAWS: u32 = 4_000;
    let mut random = SplitMix(17);
    for (n, scale) in [(60, 1.0), (400, 0.05), (3_000, 1.0)] {
        let p: Vec<f64> = (0..n).map(|_| random.uniform() * scale).collect();
        let expected = metrics::expected_ece_if_calibrated(&p, 10);
        let sum: f64 = (0..DRAWS)
            .map(|_| {
                let labels: Vec<bool> = p.iter().map(|p| random.uniform() < *p).collect();
                metrics::expected_calibration_error(&metrics::calibration(&p, &labels, 10))
            })
            .sum();
        // The errors vary by about a quarter of their mean: four standard errors.
        close("error", sum / f64::from(DRAWS) / expected, 1.0, 4.0 * 0.25 / f64::from(DRAWS).sqrt());
    }
}

/// Rows of some customers, each at `cutoffs` cutoffs, with scores and labels that a customer's rows share in part.
struct Panel {
    customers: Vec<u32>,
    scores: Vec<f64>,
    labels: Vec<bool>,
}

fn panel(customers: u32, cutoffs: usize, random: &mut SplitMix) -> Panel {
    let mut panel = Panel { customers: Vec::new(), scores: Vec::new(), labels: Vec::new() };
    for customer in 0..customers {
        let (score, fate) = (random.uniform(), random.uniform());
        for _ in 0..cutoffs {
            panel.customers.push(customer);
            panel.scores.push(score + 0.2 * random.uniform());
            panel.labels.push(0.8 * fate + 0.2 * random.uniform() < 0.2 + 0.6 * score);
        }
    }
    panel
}

#[test]
fn clustered_intervals_cover_and_delong_does_not() {
    const PANELS: usize = 1_000;
    let mut random = SplitMix(29);
    let auc = |panel: &Panel| metrics::roc_auc(&panel.scores, &panel.labels).unwrap();
    let truth = auc(&panel(200_000, 1, &mut random));
    let covered = |interval: metrics::Interval| usize::from(interval.low <= truth && truth <= interval.high);
    let [mut percentile, mut basic, mut delong] = [0; 3];
    for seed in 0..PANELS as u64 {
        let panel = panel(400, 5, &mut random);
        let ranking = Ranking::new(&panel.scores, &panel.labels).unwrap();
        let drawn = clustered_bootstrap(&panel.customers, 200, seed, |weights| {
            vec![ranking.roc_auc(weights).unwrap_or(f64::NAN)]
        });
        percentile += covered(drawn.interval(0, 0.9, BootstrapEnds::Percentile).unwrap());
        basic += covered(drawn.interval(0, 0.9, BootstrapEnds::Basic).unwrap());
        delong += covered(metrics::delong_interval(&panel.scores, &panel.labels, 0.9).unwrap());
    }
    println!("{percentile}, {basic}, {delong} of {PANELS}");
    // 900 are due, 10 either way; three times that, and some more for the quantiles of 200 replicates.
    for covered in [percentile, basic] {
        assert!((860..=930).contains(&covered), "{percentile}, {basic} of {PANELS}");
    }
    assert!(delong < 700, "DeLong takes rows for customers, and yet covers {delong} of {PANELS}");
}

#[test]
fn bootstrap_and_delong_agree_where_each_customer_appears_once() {
    let panel = panel(3_000, 1, &mut SplitMix(31));
    let ranking = Ranking::new(&panel.scores, &panel.labels).unwrap();
    let drawn = clustered_bootstrap(&panel.customers, 1_000, 3, |weights| {
        vec![ranking.roc_auc(weights).unwrap_or(f64::NAN)]
    });
    let bootstrap = drawn.interval(0, 0.95, BootstrapEnds::Percentile).unwrap();
    let delong = metrics::delong_interval(&panel.scores, &panel.labels, 0.95).unwrap();
    assert_eq!(bootstrap.estimate, delong.estimate);
    // A standard deviation from 1,000 draws is good to 2.2 %.
    close("standard error", bootstrap.standard_error / delong.standard_error, 1.0, 0.08);
    close("low", bootstrap.low, delong.low, 0.3 * delong.standard_error);
    close("high", bootstrap.high, delong.high, 0.3 * delong.standard_error);
}

#[test]
fn the_bootstrap_does_not_know_its_threads() {
    let panel = panel(500, 3, &mut SplitMix(37));
    let losses = metrics::squared_errors(&panel.scores, &panel.labels);
    let draw = |seed: u64, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mean = |weights: &[u32]| vec![metrics::weighted_mean(&losses, weights)];
        pool.install(|| clustered_bootstrap(&panel.customers, 64, seed, mean))
    };
    assert_eq!(draw(1, 1), draw(1, 4));
    assert_ne!(draw(1, 1), draw(2, 1));
    // Replicates do not depend on how many follow.
    let first = clustered_bootstrap(&panel.customers, 3, 1, |w| vec![metrics::weighted_mean(&losses, w)]);
    assert_eq!(first.replicates(0), draw(1, 2).replicates(0)[..3]);
}

#[test]
fn the_order_of_rows_and_the_scale_of_scores_do_not_matter() {
    let panel = panel(400, 1, &mut SplitMix(41));
    let reversed = |values: &[f64]| values.iter().rev().copied().collect::<Vec<_>>();
    let labels: Vec<bool> = panel.labels.iter().rev().copied().collect();
    let scores = reversed(&panel.scores);
    let scaled: Vec<f64> = panel.scores.iter().map(|score| score.exp()).collect();
    assert_eq!(metrics::roc_auc(&scores, &labels), metrics::roc_auc(&panel.scores, &panel.labels));
    assert_eq!(metrics::roc_auc(&scaled, &panel.labels), metrics::roc_auc(&panel.scores, &panel.labels));
    assert_eq!(
        metrics::average_precision(&scores, &labels),
        metrics::average_precision(&scaled, &panel.labels)
    );
    let interval = |scores: &[f64], labels: &[bool]| metrics::delong_interval(scores, labels, 0.95).unwrap();
    close("DeLong", interval(&scores, &labels).low, interval(&scaled, &panel.labels).low, TOLERANCE);
}

#[test]
fn an_index_without_drift_is_as_small_as_expected() {
    const DRAWS: usize = 400;
    let mut random = SplitMix(43);
    let mut sample = |n: usize| (0..n).map(|_| random.uniform()).collect::<Vec<f64>>();
    let mut ratio = 0.0;
    for _ in 0..DRAWS {
        let (first, second) = (sample(600), sample(400));
        let found = metrics::population_stability_index(&first, &second, 10).unwrap();
        ratio += found.index / found.expected_if_stable / DRAWS as f64;
    }
    println!("{ratio}");
    // Bins come from the first sample, so that its shares are exact: 1/m counts in full, and 1/n almost.
    close("ratio", ratio, 1.0, 0.1);
}

#[test]
fn intervals_are_written_with_their_names() {
    let share = metrics::wilson(1, 4, 0.9).unwrap();
    let json = serde_json::to_value(share).unwrap();
    assert_eq!(json["method"], "wilson");
    assert_eq!(json["estimate"], 0.25);
    let auc = metrics::delong_interval(&[0.1, 0.2, 0.3, 0.4], &[false, true, false, true], 0.9).unwrap();
    assert_eq!(serde_json::to_value(auc).unwrap()["method"], "delong");
}
