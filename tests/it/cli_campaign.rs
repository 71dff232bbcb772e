//! The programs that measure a finished campaign and learn from past attempts, as a data team runs them.

use std::fs;
use std::process::Output;

use crate::cli::{example, folder, run, run_well};
use crate::logs::outside;

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_randomised_test_of_mails_is_measured_as_documented() {
    let Some(results) = outside("hillstrom_half.parquet") else { return };
    let json = folder("measure").join("measured.json");
    let json = json.to_str().unwrap();
    let results = results.to_str().unwrap();
    let options =
        ["--arm-col", "segment", "--control", "No E-Mail", "--returned-col", "visit", "--value-col", "spend"];
    let arguments = [["--results", results, "--json", json].as_slice(), &options].concat();
    let printed = words(&run_well(&example("measure"), &arguments));
    assert!(printed.contains("31961 customers"), "duplicates are customers too: {printed}");
    let measured: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert!(measured["trust"].is_string() && measured["verdict"].is_string(), "{measured}");
    // Effects of the whole file, and three of its standard errors, wider by half the file being here.
    let documented = [
        ("Mens E-Mail", "returned", 0.0766, 0.0034),
        ("Womens E-Mail", "returned", 0.0452, 0.0032),
        ("Mens E-Mail", "value", 0.770, 0.145),
        ("Womens E-Mail", "value", 0.424, 0.130),
    ];
    let effects = measured["effects"].as_array().unwrap();
    assert_eq!(effects.len(), documented.len());
    for (effect, (arm, outcome, whole, error)) in effects.iter().zip(documented) {
        assert_eq!((effect["arm"].as_str(), effect["outcome"].as_str()), (Some(arm), Some(outcome)));
        let number = |key: &str| effect[key].as_f64().unwrap();
        assert!((number("effect") - whole).abs() < 3.0 * error, "{effect}");
        assert!(number("low") < whole && whole < number("high"), "{effect}");
        assert!(
            number("p") < 0.05 && number("n_treated") > 10_000.0 && number("n_control") > 10_000.0,
            "{effect}"
        );
    }
}

#[test]
fn results_that_do_not_fit_are_refused_in_full() {
    let folder = folder("measure-refused");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    fs::write(file("results.csv"), "arm,returned\na,yes\nb,maybe\na,1\nb,perhaps\n").unwrap();
    let options = ["--arm-col", "arm", "--returned-col", "returned"];
    let measure = |file: &str, control: &str, more: &[&str]| {
        run(
            &example("measure"),
            &[["--results", file, "--control", control].as_slice(), &options, more].concat(),
        )
    };
    let faulty = measure(&file("results.csv"), "b", &[]);
    let said = words(&faulty);
    assert_eq!(faulty.status.code(), Some(1), "{said}");
    assert!(said.contains("`maybe`") && said.contains("`perhaps`") && said.contains("row 4"), "{said}");
    fs::write(file("good.csv"), "arm,returned\na,yes\nb,NO\na,1\nb,False\n").unwrap();
    let said = words(&measure(&file("good.csv"), "c", &[]));
    assert!(said.contains("`c`") || said.contains('c'), "{said}");
    assert_eq!(measure(&file("good.csv"), "c", &[]).status.code(), Some(2), "{said}");
    let few = words(&measure(&file("good.csv"), "b", &[]));
    assert!(few.contains("verdict"), "{few}");
    let missing = measure(&file("good.csv"), "b", &["--value-col", "spent"]);
    assert!(words(&missing).contains("spent"), "{}", words(&missing));
}

#[test]
fn past_attempts_tell_who_returns() {
    let folder = folder("returns");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut text = "returned,silent_days,channel\n".to_owned();
    for row in 0..400_u32 {
        let silent = (row * 37) % 365;
        let returned = (row * 7919) % 365 > silent;
        let channel = ["email", "phone"][row as usize % 2];
        text.push_str(&format!("{},{silent},{channel}\n", if returned { "yes" } else { "no" }));
    }
    fs::write(file("attempts.csv"), text).unwrap();
    let (attempts, json) = (file("attempts.csv"), file("returns.json"));
    let options = ["--returned-col", "returned", "--numeric", "silent_days", "--categorical", "channel"];
    let arguments = [["--attempts", &attempts, "--json", &json].as_slice(), &options].concat();
    let printed = words(&run_well(&example("returns"), &arguments));
    assert!(printed.contains("association"), "{printed}");
    let told: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert!(told["auc"].as_f64().unwrap() > 0.6, "{told}");
    assert!(told["log_loss"].as_f64().unwrap() < 0.69, "{told}");
    assert!(told["coefficients"].is_array(), "{told}");
}
