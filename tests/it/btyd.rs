//! Do the models of rhythm find the published parameters, and do their numbers mean what they say?

use serde_json::Value;
use winback::btyd::{BgNbd, FitReport, GammaGamma, MbgNbd, Nbd, RepeatSpend, Summary};
use winback::metrics::{log_loss, roc_auc};
use winback::{Columns, Feature, FeatureSet, History};

use crate::logs::{SplitMix, floats, outside};

/// Six significant digits.
const PARAMETERS: f64 = 5e-6;
const LOG_LIKELIHOOD: f64 = 1e-4;
/// Published values are rounded.
const PUBLISHED: f64 = 5e-4;

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs() / expected.abs();
    assert!(error <= tolerance, "{found} for {expected}: off by {error:e}");
}

fn goldens() -> Option<Value> {
    let text = std::fs::read_to_string(outside("goldens.json")?).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// The customers of the CDNOW sample in weeks, and their mean repeat spend.
fn cdnow() -> Option<Vec<(Summary, f64)>> {
    let mut reader = csv::Reader::from_path(outside("cdnow_sample_summary_1997-09-30.csv")?).unwrap();
    let customer = |row: csv::StringRecord| {
        let field = |i: usize| row[i].parse::<f64>().unwrap();
        (Summary::new(field(1), field(2), field(3)), field(4))
    };
    Some(reader.records().map(|row| customer(row.unwrap())).collect())
}

fn summaries() -> Option<Vec<Summary>> {
    Some(cdnow()?.into_iter().map(|(summary, _)| summary).collect())
}

fn spends() -> Option<Vec<RepeatSpend>> {
    Some(cdnow()?.into_iter().map(|(summary, mean)| RepeatSpend::new(summary.frequency, mean)).collect())
}

#[track_caller]
fn check_fit(golden: &Value, names: &[&str], found: &[f64], report: &FitReport) {
    for (name, &found) in names.iter().zip(found) {
        close(found, number(&golden["reproduced_here"][name]), PARAMETERS);
    }
    let error = report.log_likelihood - number(&golden["reproduced_LL"]);
    assert!(error.abs() < LOG_LIKELIHOOD, "log-likelihood off by {error}");
    assert!(report.converged, "{report:?}");
}

fn four(model: &MbgNbd) -> [f64; 4] {
    [model.r(), model.alpha(), model.a(), model.b()]
}

#[test]
fn cdnow_parameters_to_six_digits() {
    let (Some(goldens), Some(customers)) = (goldens(), summaries()) else { return };
    let names = ["r", "alpha", "a", "b"];
    let model = BgNbd::params().fit(&customers).unwrap();
    let found = [model.r(), model.alpha(), model.a(), model.b()];
    check_fit(&goldens["cdnow_sample_bgnbd"], &names, &found, model.report().unwrap());
    let model = MbgNbd::params().fit(&customers).unwrap();
    check_fit(&goldens["cdnow_sample_mbgnbd"], &names, &four(&model), model.report().unwrap());
    assert_eq!(model.report().unwrap().customers, 2_357);
}

#[test]
fn cdnow_without_leaving() {
    // Fitted intervals, the open one censored.
    let Some(customers) = summaries() else { return };
    let model = Nbd::params().fit(&customers).unwrap();
    close(model.r(), 0.3848, PUBLISHED);
    close(model.alpha(), 12.072, PUBLISHED);
    close(model.report().unwrap().log_likelihood, -9_763.66, 1e-6);
    assert!(model.report().unwrap().converged);
}

#[test]
fn cdnow_spend() {
    let (Some(goldens), Some(spends)) = (goldens(), spends()) else { return };
    let model = GammaGamma::params().fit(&spends).unwrap();
    let report = model.report().unwrap();
    let found = [model.p(), model.q(), model.v()];
    check_fit(&goldens["cdnow_sample_gamma_gamma"], &["p", "q", "v"], &found, report);
    assert_eq!((report.customers, report.skipped), (946, 2_357 - 946));

    let golden = &goldens["point_values"]["gamma_gamma_first_10_customers"];
    let parameters = numbers(&golden["params"]);
    let model = GammaGamma::new(parameters[0], parameters[1], parameters[2]).unwrap();
    for (&spend, expected) in spends.iter().zip(numbers(&golden["E"])) {
        let found = model.expected_average(spend);
        assert!((found - expected).abs() <= number(&golden["tol"]), "{found} for {expected}");
    }
}

#[test]
fn published_point_values() {
    let (Some(goldens), Some(customers)) = (goldens(), summaries()) else { return };
    let points = &goldens["point_values"];
    let fitted = BgNbd::params().fit(&customers).unwrap();
    let times = numbers(&points["bgnbd_E_t"]["t"]);
    for (time, expected) in times.into_iter().zip(numbers(&points["bgnbd_E_t"]["E"])) {
        let found = fitted.expected_purchases_of_new(time);
        let tolerance = 5e-5 + PUBLISHED * expected; // four decimals, from parameters of their own
        assert!((found - expected).abs() <= tolerance, "{found} for {expected}");
    }
    let golden = &points["bgnbd_conditional"];
    let of = |name| number(&golden[name]);
    let found = fitted.expected_purchases(Summary::new(of("x"), of("tx"), of("T")), of("t"));
    close(found, of("E"), PUBLISHED);

    let golden = &points["bgnbd_pmf"];
    let [r, alpha, a, b] = numbers(&golden["params"])[..] else { panic!("four parameters") };
    let model = BgNbd::new(r, alpha, a, b).unwrap();
    close(model.p_purchases_of_new(0, 39.0), number(&golden["P(X(39)=0)"]), 1e-6);
    close(model.p_purchases_of_new(10, 2.0), number(&golden["P(X(2)=10)"]), 1e-5);
    for (n, expected) in (11..).zip(numbers(&golden["P(X(30)=11..20)"])) {
        close(model.p_purchases_of_new(n, 30.0), expected, 1e-6);
    }

    let golden = &points["bgnbd_logp"];
    let of = |name| number(&golden["params"][name]);
    let model = BgNbd::new(of("r"), of("alpha"), of("a"), of("b")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let summary = Summary::new(number(&case["x"]), number(&case["tx"]), number(&golden["T"]));
        close(model.log_likelihood(summary), number(&case["ll"]), 1e-6);
    }
}

#[test]
fn expectations_agree_with_gauss_in_sixty_digits() {
    let reference = include_str!("fixtures/btyd_expectation.csv");
    let mut worst = 0.0_f64;
    for line in reference.lines().skip(1) {
        let values: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let [shape, horizon, a, c, expected] = values[..] else { panic!("{line}") };
        let found = BgNbd::new(shape, 1.0, a, c).unwrap().expected_purchases_of_new(horizon);
        let error = (found - expected).abs() / expected;
        assert!(error < 1e-10, "{line}: {found}");
        worst = worst.max(error);
    }
    println!("worst relative error {worst:e}");
}

/// Marsaglia and Tsang (2000), ACM Transactions on Mathematical Software 26:363–372.
pub fn gamma(shape: f64, random: &mut SplitMix) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, random) * (1.0 - random.uniform()).powf(1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    loop {
        let z = random.normal();
        let v = (1.0 + z / (9.0 * d).sqrt()).powi(3);
        if v > 0.0 && (1.0 - random.uniform()).ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return d * v;
        }
    }
}

pub fn beta(a: f64, b: f64, random: &mut SplitMix) -> f64 {
    let (x, y) = (gamma(a, random), gamma(b, random));
    x / (x + y)
}

/// Times of repeat purchases until `end` of someone who may leave after every purchase; where
/// `after_first` is false, not after the first.
pub fn purchases(rate: f64, p: f64, after_first: bool, end: f64, random: &mut SplitMix) -> Vec<f64> {
    let mut times = Vec::new();
    let (mut time, mut gone) = (0.0, after_first && random.uniform() < p);
    while !gone {
        time -= (1.0 - random.uniform()).ln() / rate;
        if time > end {
            break;
        }
        times.push(time);
        gone = random.uniform() < p;
    }
    times
}

fn simulate([r, alpha, a, b]: [f64; 4], after_first: bool, customers: usize, seed: u64) -> Vec<Summary> {
    let mut random = SplitMix(seed);
    let customer = |_| {
        let age = 20.0 + 60.0 * random.uniform();
        let (rate, p) = (gamma(r, &mut random) / alpha, beta(a, b, &mut random));
        let times = purchases(rate, p, after_first, age, &mut random);
        Summary::new(times.len() as f64, times.last().copied().unwrap_or(0.0), age)
    };
    (0..customers).map(customer).collect()
}

const SIMULATED: [f64; 4] = [0.8, 6.0, 0.9, 2.5];

#[test]
fn simulated_parameters_are_recovered() {
    let seed = 2024;
    let model = MbgNbd::params().fit(&simulate(SIMULATED, true, 200_000, seed)).unwrap();
    println!("seed {seed}: {model}");
    four(&model).into_iter().zip(SIMULATED).for_each(|(found, truth)| close(found, truth, 0.05));
    let errors = &model.report().unwrap().standard_errors;
    for ((found, truth), error) in four(&model).into_iter().zip(SIMULATED).zip(errors) {
        assert!((found - truth).abs() < 4.0 * error.unwrap(), "{found} for {truth}, error {error:?}");
    }
    let model = BgNbd::params().fit(&simulate(SIMULATED, false, 200_000, seed)).unwrap();
    println!("seed {seed}: {model}");
    let found = [model.r(), model.alpha(), model.a(), model.b()];
    found.into_iter().zip(SIMULATED).for_each(|(found, truth)| close(found, truth, 0.05));
}

#[test]
fn simulated_spend_is_recovered() {
    let (seed, truth) = (7, [4.0, 3.5, 20.0]);
    let mut random = SplitMix(seed);
    let spends: Vec<RepeatSpend> = (0..100_000)
        .map(|_| {
            let x = (4.0 * random.uniform()).floor();
            let nu = gamma(truth[1], &mut random) / truth[2];
            // The sum of x amounts ~ Gamma(p, ν) is Gamma(px, ν).
            let mean = if x > 0.0 { gamma(truth[0] * x, &mut random) / nu / x } else { 0.0 };
            RepeatSpend::new(x, mean)
        })
        .collect();
    let model = GammaGamma::params().fit(&spends).unwrap();
    println!("seed {seed}: {model}");
    [model.p(), model.q(), model.v()].into_iter().zip(truth).for_each(|(found, t)| close(found, t, 0.05));
}

#[test]
fn neither_unit_nor_order_shows() {
    let customers = simulate(SIMULATED, true, 2_000, 3);
    let model = MbgNbd::params().fit(&customers).unwrap();
    let mut turned = customers.clone();
    turned.reverse();
    assert_eq!(MbgNbd::params().fit(&turned).unwrap(), model);
    let purchases: f64 = customers.iter().map(|customer| customer.frequency).sum();
    for unit in [7.0, 1e-6, 86_400.0 * 7e3] {
        let scale = |customer: &Summary| {
            Summary::new(customer.frequency, customer.recency * unit, customer.age * unit)
        };
        let scaled = MbgNbd::params().fit(&customers.iter().map(scale).collect::<Vec<_>>()).unwrap();
        let expected = [model.r(), model.alpha() * unit, model.a(), model.b()];
        four(&scaled).into_iter().zip(expected).for_each(|(found, expected)| close(found, expected, 1e-7));
        let density = model.report().unwrap().log_likelihood - purchases * f64::ln(unit);
        close(scaled.report().unwrap().log_likelihood, density, 1e-10);
        let customer = Summary::new(3.0, 20.0, 35.0);
        close(
            scaled.expected_purchases(scale(&customer), 13.0 * unit),
            model.expected_purchases(customer, 13.0),
            1e-7,
        );
    }
}

/// Future purchases of a customer known by their summary, drawn from what the model believes of them.
#[test]
fn probabilities_and_expectations_agree_with_simulation() {
    const DRAWS: usize = 200_000;
    let [r, alpha, a, b] = SIMULATED;
    let mbg = MbgNbd::new(r, alpha, a, b).unwrap();
    let bg = BgNbd::new(r, alpha, a, b).unwrap();
    let mut random = SplitMix(11);
    for (x, t_x, age, horizon) in [(0.0, 0.0, 30.0, 13.0), (1.0, 4.0, 30.0, 26.0), (6.0, 35.0, 39.0, 13.0)] {
        let customer = Summary::new(x, t_x, age);
        for after_first in [true, false] {
            let (alive, none, expected) = match after_first {
                true => (
                    mbg.p_alive(customer),
                    mbg.p_no_purchase(customer, horizon),
                    mbg.expected_purchases(customer, horizon),
                ),
                false => (
                    bg.p_alive(customer),
                    bg.p_no_purchase(customer, horizon),
                    bg.expected_purchases(customer, horizon),
                ),
            };
            let stayed = if after_first { x + 1.0 } else { x };
            let (mut silent, mut sum, mut squares) = (0.0, 0.0, 0.0);
            for _ in 0..DRAWS {
                let bought = if random.uniform() < alive {
                    let rate = gamma(r + x, &mut random) / (alpha + age);
                    let p = beta(a, b + stayed, &mut random);
                    purchases(rate, p, false, horizon, &mut random).len() as f64
                } else {
                    0.0
                };
                silent += f64::from(u8::from(bought == 0.0));
                sum += bought;
                squares += bought * bought;
            }
            let draws = DRAWS as f64;
            let (share, mean) = (silent / draws, sum / draws);
            let share_error = (none * (1.0 - none) / draws).sqrt();
            assert!((share - none).abs() < 4.0 * share_error, "{customer:?}: {none}, drawn {share}");
            let mean_error = ((squares / draws - mean * mean) / draws).sqrt();
            assert!((mean - expected).abs() < 4.0 * mean_error, "{customer:?}: {expected}, drawn {mean}");
        }
    }
}

#[test]
fn closed_forms_agree_with_integrals_over_rates() {
    // By the trapezoidal rule over ln λ: the likelihood of the history, and of the history and silence.
    let [r, alpha, a, b] = SIMULATED;
    let mbg = MbgNbd::new(r, alpha, a, b).unwrap();
    let bg = BgNbd::new(r, alpha, a, b).unwrap();
    for (x, t_x, age, horizon) in [(0.0, 0.0, 30.0, 13.0), (1.0, 4.0, 30.0, 26.0), (9.0, 20.0, 39.0, 8.0)] {
        let customer = Summary::new(x, t_x, age);
        for (chances, closed) in
            [(x + 1.0, mbg.p_no_purchase(customer, horizon)), (x, bg.p_no_purchase(customer, horizon))]
        {
            // E[(1−p)^c] over E[p (1−p)^(c−1)] of p ~ Beta(a, b) is (b + c − 1) / a.
            let (stays, leaves) = if chances > 0.0 { (b + chances - 1.0, a) } else { (1.0, 0.0) };
            let (mut history, mut silence) = (0.0, 0.0);
            for step in -12_000..4_000 {
                let ln_rate = f64::from(step) * 0.005;
                let rate = ln_rate.exp();
                let weight = ((r + x) * ln_rate - alpha * rate).exp();
                let gone = leaves * (-rate * t_x).exp();
                history += weight * (stays * (-rate * age).exp() + gone);
                silence += weight * (stays * (-rate * (age + horizon)).exp() + gone);
            }
            close(closed, silence / history, 1e-10);
        }
    }
}

#[test]
fn longer_horizons_never_make_a_purchase_less_likely() {
    let [r, alpha, a, b] = SIMULATED;
    for frequency in [0.0, 1.0, 4.0, 40.0] {
        let recency = if frequency > 0.0 { 25.0 } else { 0.0 };
        let customer = Summary::new(frequency, recency, 39.0);
        let mbg = MbgNbd::new(r, alpha, a, b).unwrap();
        let bg = BgNbd::new(r, alpha, a, b).unwrap();
        let (mut none, mut expected) = ([1.0; 2], [0.0; 2]);
        for horizon in [0.0, 1e-9, 0.1, 1.0, 5.0, 20.0, 100.0, 1e3, 1e4, 1e6, 1e12, 1e300, f64::INFINITY] {
            let next = [mbg.p_no_purchase(customer, horizon), bg.p_no_purchase(customer, horizon)];
            let more = [mbg.expected_purchases(customer, horizon), bg.expected_purchases(customer, horizon)];
            for i in 0..2 {
                assert!((0.0..=1.0).contains(&next[i]) && next[i] <= none[i], "{horizon}: {next:?} {none:?}");
                assert!(more[i] >= expected[i] * (1.0 - 1e-12), "{horizon}: {more:?} after {expected:?}");
            }
            (none, expected) = (next, more);
        }
    }
}

#[test]
fn numbers_of_purchases_are_a_distribution() {
    let [r, alpha, a, b] = SIMULATED;
    let mbg = MbgNbd::new(r, alpha, a, b).unwrap();
    let bg = BgNbd::new(r, alpha, a, b).unwrap();
    for horizon in [0.0, 0.5, 30.0] {
        let of_mbg: Vec<f64> = (0..200).map(|n| mbg.p_purchases_of_new(n, horizon)).collect();
        let of_bg: Vec<f64> = (0..200).map(|n| bg.p_purchases_of_new(n, horizon)).collect();
        let mean = |chances: &[f64]| chances.iter().zip(0..).map(|(p, n)| p * f64::from(n)).sum::<f64>();
        close(of_mbg.iter().sum(), 1.0, 1e-10);
        close(of_bg.iter().sum(), 1.0, 1e-10);
        if horizon > 0.0 {
            close(mean(&of_mbg), mbg.expected_purchases_of_new(horizon), 1e-8);
            close(mean(&of_bg), bg.expected_purchases_of_new(horizon), 1e-8);
        }
        close(mbg.p_no_purchase(Summary::new(0.0, 0.0, 0.0), horizon), of_mbg[0], 1e-12);
    }
}

/// Measured once with other software: MBG/NBD and BG/NBD fitted up to the cutoff, scored on all customers.
#[test]
fn whole_cdnow_log_in_ninety_days() {
    const HORIZON_DAYS: i32 = 90;
    let Some(path) = outside("cdnow_full.parquet") else { return };
    let columns = Columns::new("customer_id", "date").with_amount("amount");
    let history = History::params(columns).read_parquet([path]).unwrap();
    let until = history.observed_until();
    let cutoff = until.plus_days(-HORIZON_DAYS);
    let features =
        FeatureSet::empty().with(Feature::DaysSinceLast).with(Feature::TenureDays).with(Feature::NPurchases);
    let (before, after) =
        (features.features_at(&history, cutoff).unwrap(), features.features_at(&history, until).unwrap());
    let column = |name| floats(&before, name).into_iter().map(Option::unwrap);
    let customers: Vec<Summary> = column("n_purchases")
        .zip(column("tenure_days"))
        .zip(column("days_since_last"))
        .map(|((count, tenure), silent)| Summary::new(count - 1.0, tenure - silent, tenure))
        .collect();
    let later = floats(&after, "n_purchases").into_iter().map(Option::unwrap);
    let churned: Vec<bool> =
        later.zip(&customers).map(|(count, customer)| count - 1.0 == customer.frequency).collect();
    assert_eq!((customers.len(), churned.len()), (23_570, 23_570)); // all first bought before the cutoff

    let horizon = f64::from(HORIZON_DAYS);
    let bg = BgNbd::params().fit(&customers).unwrap();
    let mbg = MbgNbd::params().fit(&customers).unwrap();
    let closed: Vec<f64> = customers.iter().map(|&one| bg.p_no_purchase(one, horizon)).collect();
    let naive: Vec<f64> = customers.iter().map(|&one| (-bg.expected_purchases(one, horizon)).exp()).collect();
    let best: Vec<f64> = customers.iter().map(|&one| mbg.p_no_purchase(one, horizon)).collect();
    let gone: Vec<f64> = customers.iter().map(|&one| 1.0 - bg.p_alive(one)).collect();
    let loss = |scores: &[f64]| log_loss(scores, &churned);
    // Rounded to four decimals there.
    assert!((loss(&closed) - 0.3029).abs() < 5e-5 && (loss(&best) - 0.3009).abs() < 5e-5);
    assert!(loss(&naive) > loss(&closed) + 0.003, "exp(-E) is no probability of silence");
    assert!(roc_auc(&gone, &churned).unwrap() < 0.4, "P(alive) is no churn score");
    assert!(roc_auc(&best, &churned).unwrap() > 0.83);
}
