//! What do the models of rhythm do at the edges: wrong numbers, extreme customers, nothing to learn?

use winback::Error;
use winback::btyd::{BgNbd, GammaGamma, MbgNbd, Nbd, RepeatSpend, Summary};

use crate::logs::SplitMix;

fn some() -> Vec<Summary> {
    [(0.0, 0.0, 9.0), (2.0, 5.0, 9.0), (1.0, 1.0, 7.0), (0.0, 0.0, 3.0), (6.0, 8.0, 9.0)]
        .map(|(x, t_x, t)| Summary::new(x, t_x, t))
        .to_vec()
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let cases = [
        (
            Summary::new(1.0, 0.0, 9.0),
            "recency is 0, expected above 0, as there are repeat purchases, and at most the age",
        ),
        (
            Summary::new(1.0, 9.5, 9.0),
            "recency is 9.5, expected above 0, as there are repeat purchases, and at most the age",
        ),
        (
            Summary::new(2.0, f64::NAN, 9.0),
            "recency is NaN, expected above 0, as there are repeat purchases, and at most the age",
        ),
        (
            Summary::new(0.0, 3.0, 9.0),
            "recency is 3, expected 0, as nothing was bought after the first purchase",
        ),
        (Summary::new(0.0, 0.0, -1.0), "age is -1, expected a number from 0 to 1e15"),
        (Summary::new(0.0, 0.0, f64::INFINITY), "age is inf, expected a number from 0 to 1e15"),
        (Summary::new(-1.0, 0.0, 9.0), "frequency is -1, expected a whole number from 0 to 1e9"),
        (Summary::new(1.5, 1.0, 9.0), "frequency is 1.5, expected a whole number from 0 to 1e9"),
        (Summary::new(f64::NAN, 1.0, 9.0), "frequency is NaN, expected a whole number from 0 to 1e9"),
    ];
    let model = MbgNbd::new(0.5, 6.0, 0.9, 1.6).unwrap();
    for (summary, problem) in cases {
        let mut customers = some();
        customers.push(summary);
        let expected = format!("summary 6 of 6: {problem}");
        assert_eq!(MbgNbd::params().fit(&customers).unwrap_err().to_string(), expected);
        assert_eq!(BgNbd::params().fit(&customers).unwrap_err().to_string(), expected);
        assert_eq!(Nbd::params().fit(&customers).unwrap_err().to_string(), expected);
        assert!(!summary.is_valid());
        assert!(model.p_alive(summary).is_nan() && model.p_no_purchase(summary, 1.0).is_nan());
    }
    let spends = [RepeatSpend::new(1.0, 3.0), RepeatSpend::new(1.0, -3.0)];
    assert_eq!(
        GammaGamma::params().fit(&spends).unwrap_err().to_string(),
        "summary 2 of 2: mean amount is -3, expected a number from 0 to 1e15"
    );
    assert!(model.expected_purchases(some()[1], -1.0).is_nan());
}

#[test]
fn nothing_to_learn_from_is_said() {
    let message = |error: Error| error.to_string();
    assert_eq!(
        message(MbgNbd::params().fit(&[]).unwrap_err()),
        "the model cannot be fitted: no customers were given"
    );
    assert_eq!(
        message(BgNbd::params().fit(&[Summary::new(0.0, 0.0, 9.0)]).unwrap_err()),
        "the model cannot be fitted: nobody bought twice; a rhythm can only be read from repeat purchases"
    );
    assert_eq!(
        message(GammaGamma::params().fit(&[RepeatSpend::new(3.0, 0.0)]).unwrap_err()),
        "the model cannot be fitted: no customer has repeat purchases with amounts above 0"
    );
    assert_eq!(
        message(MbgNbd::new(0.5, f64::NAN, 1.0, 1.0).unwrap_err()),
        "alpha is NaN, expected a number from 1e-30 to 1e30"
    );
    assert_eq!(
        message(Nbd::params().with_most_iterations(0).fit(&some()).unwrap_err()),
        "most iterations is 0, expected at least 1"
    );
}

#[test]
fn a_search_cut_short_says_so() {
    let model = MbgNbd::params().with_most_iterations(1).fit(&some()).unwrap();
    assert!(!model.report().unwrap().converged);
    assert!(model.to_string().contains("did not converge after"), "{model}");
}

#[test]
fn saved_models_come_back_to_the_bit() {
    let model = MbgNbd::params().fit(&some()).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<MbgNbd>(&text).unwrap(), model);
    let model = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<GammaGamma>(&text).unwrap(), model);
    let damaged = text.replace("6.25", "-6.25");
    let error = serde_json::from_str::<GammaGamma>(&damaged).unwrap_err().to_string();
    assert!(error.starts_with("a parameter is -6.25, expected a number from 1e-30 to 1e30"), "{error}");
}

/// Customers who defeat naive formulas: all of them finite, whatever the model.
#[test]
fn extreme_customers_get_finite_numbers() {
    let customers = [
        // pymc-marketing and lifetimes: many purchases, recency close to age.
        (221.0, 103.42857, 103.57143),
        (254.0, 97.14286, 97.28571),
        (161.0, 94.71429, 98.0),
        (204.0, 98.57143, 99.42857),
        (132.0, 200.0, 200.0),
        (133.0, 200.0, 200.0),
        (200.0, 38.0, 40.0),
        (1.0, 1e-9, 1e15),
        (1e9, 1e15, 1e15),
        (1e9, 1e-3, 1e15),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 1e15),
    ]
    .map(|(x, t_x, t)| Summary::new(x, t_x, t));
    let parameters = [
        (0.5143, 2.8845, 0.2856, 14.1087),
        (0.25, 4.0, 0.8, 2.5),
        (1e-6, 1e-6, 1e-6, 1e-20),
        (1e6, 1e9, 1e-6, 1e6),
        (0.2, 4.0, 1.0, 1e13), // a runaway fit: nobody leaves
        (0.2, 4.0, 1e13, 1.0),
        (1e-30, 1e30, 1e30, 1e30),
        (1e30, 1e-30, 1e-30, 1e-30),
    ];
    for (r, alpha, a, b) in parameters {
        let mbg = MbgNbd::new(r, alpha, a, b).unwrap();
        let bg = BgNbd::new(r, alpha, a, b).unwrap();
        for customer in customers {
            assert!(customer.is_valid());
            let case = format!("{mbg} and {customer:?}");
            for p in [mbg.p_alive(customer), bg.p_alive(customer)] {
                assert!((0.0..=1.0).contains(&p), "{case}: {p}");
            }
            for l in [mbg.log_likelihood(customer), bg.log_likelihood(customer)] {
                assert!(l.is_finite(), "{case}: {l}");
            }
            for horizon in [0.0, 1e-300, 13.0, 1e15, 1e300] {
                for p in [mbg.p_no_purchase(customer, horizon), bg.p_no_purchase(customer, horizon)] {
                    assert!((0.0..=1.0).contains(&p), "{case}, {horizon}: {p}");
                }
                for e in [mbg.expected_purchases(customer, horizon), bg.expected_purchases(customer, horizon)]
                {
                    assert!(e >= 0.0, "{case}, {horizon}: {e}");
                }
            }
        }
    }
    // Where nobody leaves, the expectation is that of the NBD.
    let nobody = BgNbd::new(0.2, 4.0, 1.0, 1e13).unwrap().expected_purchases(customers[6], 39.0);
    let nbd = Nbd::new(0.2, 4.0).unwrap().expected_purchases(customers[6], 39.0);
    assert!((nobody / nbd - 1.0).abs() < 1e-8, "{nobody} for {nbd}");
    assert_eq!(BgNbd::new(0.25, 4.0, 0.8, 2.5).unwrap().p_alive(customers[10]), 1.0);
}

#[test]
fn a_likelihood_without_a_peak_does_not_run_away() {
    // Nobody leaves and all buy alike: r, and b over a, would grow without end.
    let steady: Vec<Summary> = (1..200).map(|i| Summary::new(10.0, 9.5, 10.0 + f64::from(i % 3))).collect();
    // One purchase each, at once or just now: the trap of ln((b + x) − 1).
    let single: Vec<Summary> =
        (0..200).map(|i| Summary::new(1.0, if i % 2 == 0 { 1e-3 } else { 39.0 }, 39.0)).collect();
    // Huge scale, recency at the age, and many purchases.
    let mut random = SplitMix(5);
    let busy: Vec<Summary> = (0..200)
        .map(|_| {
            let age = 1e9 * (1.0 + random.uniform());
            Summary::new((1e4 * random.uniform()).floor() + 1.0, age, age)
        })
        .collect();
    for customers in [steady, single, busy, some()] {
        let (mbg, bg) = (MbgNbd::params().fit(&customers).unwrap(), BgNbd::params().fit(&customers).unwrap());
        println!("{mbg}\n{bg}");
        for (own, all) in [
            (customers.iter().map(|&c| mbg.log_likelihood(c)).sum::<f64>(), mbg.report().unwrap()),
            (customers.iter().map(|&c| bg.log_likelihood(c)).sum::<f64>(), bg.report().unwrap()),
        ] {
            assert!((own / all.log_likelihood - 1.0).abs() < 1e-6, "{own} for {}", all.log_likelihood);
        }
        for &customer in &customers {
            assert!(mbg.expected_purchases(customer, 5.0).is_finite());
            assert!(bg.expected_purchases(customer, 5.0).is_finite());
        }
    }
}

#[test]
fn a_mean_without_end_is_infinite() {
    let model = GammaGamma::new(0.5, 0.4, 10.0).unwrap();
    assert_eq!(model.expected_average(RepeatSpend::new(0.0, 0.0)), f64::INFINITY);
    assert_eq!(model.expected_average(RepeatSpend::new(1.0, 5.0)), f64::INFINITY);
    assert_eq!(GammaGamma::new(0.5, 0.5, 10.0).unwrap().expected_average(RepeatSpend::new(2.0, 5.0)), 20.0);
}

#[test]
fn models_introduce_themselves() {
    assert_eq!(
        MbgNbd::new(0.5, 6.0, 0.9, 1.6).unwrap().to_string(),
        "MBG/NBD: r 0.5000, alpha 6.0000, a 0.9000, b 1.6000; parameters given, not fitted"
    );
    let fitted = Nbd::params().fit(&some()).unwrap().to_string();
    assert!(fitted.contains(" ± ") && fitted.contains("\n5 customers, log-likelihood -"), "{fitted}");
}
