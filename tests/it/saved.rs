//! A model survives the program that trained it, or says why not.

use polars::prelude::*;
use winback::features::Transform;
use winback::{ChurnModel, Error, Feature, Snapshots};

use crate::logs::{bytes, first_day, frame, history, params, rhythmic, standard};

fn model() -> ChurnModel {
    let snapshots = Snapshots::params(standard(60))
        .with_horizon_days(60)
        .build(&history(&rhythmic(200, 500, 7)))
        .unwrap();
    ChurnModel::params().fit(&snapshots).unwrap()
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("winback-saved-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_model_read_back_scores_bit_for_bit() {
    let model = model();
    let folder = folder("bits");
    let path = folder.join("model.json");
    model.save(&path).unwrap();
    let loaded = ChurnModel::load(&path).unwrap();
    assert_eq!(loaded, model);
    let history = history(&rhythmic(300, 500, 8));
    let score = |model: &ChurnModel| {
        bytes(&model.score(&history, first_day().plus_days(400)).unwrap().to_frame().unwrap())
    };
    assert!(score(&model) == score(&loaded));
    // Nothing but the model is left in the folder.
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn features_computed_elsewhere_score_the_same() {
    let model = model();
    let history = history(&rhythmic(300, 500, 8));
    let at = first_day().plus_days(400);
    let features = standard(60).features_at(&history, at).unwrap();
    let mut table = features.reverse();
    table.with_column(Column::new("extra".into(), vec![1.0; table.height()])).unwrap();
    let here = model.score(&history, at).unwrap().to_frame().unwrap();
    let there = model.score_frame(&table).unwrap().to_frame().unwrap();
    assert!(bytes(&here) == bytes(&there));
    assert_eq!(
        model.score_frame(&table.drop_many(["tenure_days", "amount_mean"])).unwrap_err().to_string(),
        "features table: columns missing: tenure_days, amount_mean"
    );
}

#[track_caller]
fn check_refused(change: impl Fn(&mut serde_json::Value), expected: &str) {
    let mut value: serde_json::Value = serde_json::from_str(&model().to_json().unwrap()).unwrap();
    change(&mut value);
    let error = ChurnModel::from_json(&value.to_string()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn a_file_that_does_not_fit_is_refused() {
    check_refused(
        |file| file["format"] = 7.into(),
        "model format 7, this version reads format 1; it was written by winback 0.1.0; train again or use that version",
    );
    check_refused(
        |file| file["positive_class"] = "stayed".into(),
        "its positive class is `stayed`, expected `churned`",
    );
    check_refused(
        |file| file["model"]["beta"][3] = serde_json::Value::Null,
        "invalid type: null, expected f64",
    );
    check_refused(|file| drop(file["model"]["beta"].as_array_mut().unwrap().pop()), "do not belong together");
    check_refused(
        |file| drop(file["model"]["features"].as_array_mut().unwrap().pop()),
        "is missing; there are",
    );
    check_refused(
        |file| file["model"]["features"].as_array_mut().unwrap().push("tenure_days".into()),
        "stands twice in the set",
    );
    check_refused(|file| file["model"]["terms"][0]["sd"] = 0.into(), "is not above 0");
    check_refused(|file| file["model"]["terms"][0]["kind"]["value"] = 99.into(), "is missing; there are");
    check_refused(|file| file["model"]["at_risk_threshold"] = 2.into(), "is not a probability");
    check_refused(|file| file["model"]["surprise"] = 1.into(), "unknown field `surprise`");
    check_refused(|file| file["surprise"] = 1.into(), "unknown field `surprise`");
    check_refused(|file| file["model"]["beta"][1] = 1e308.into(), "do not add up");
    check_refused(|file| file["model"]["idea_weights"]["ideas"] = serde_json::json!([]), "do not add up");
    check_refused(|file| file["model"]["features"][1] = "days_since_last".into(), "stands twice in the set");
    let window = |file: &mut serde_json::Value| {
        file["model"]["features"][9] = serde_json::json!({"purchases_in": {"days": i32::MIN}});
    };
    check_refused(window, "expected 1 to 36,500 days");
    check_refused(|file| *file = 3.into(), "not a usable model file");
    let number_too_large = model().to_json().unwrap().replacen("\"mean\": ", "\"mean\": 1e999, \"was\": ", 1);
    assert!(matches!(ChurnModel::from_json(&number_too_large).unwrap_err(), Error::ModelDamaged { .. }));
}

fn fixture(format: u32) -> String {
    format!("{}/tests/it/fixtures/model_format_{format}.json", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_file_of_an_older_format_is_refused_with_the_version_that_wrote_it() {
    let path = fixture(0);
    let error = ChurnModel::load(&path).unwrap_err();
    assert!(matches!(error, Error::ModelFormat { found: 0, expected: 1, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "{path}: model format 0, this version reads format 1; it was written by winback 0.0.9; train again or use \
             that version"
        )
    );
    // As is one that says it is of this format, and is not.
    check_refused(
        |file| {
            file["written_by"] = "0.0.10".into();
            drop(file["model"].as_object_mut().unwrap().remove("portrait"));
        },
        "missing field `portrait` at line 1 column",
    );
    check_refused(
        |file| {
            file["written_by"] = "0.0.10".into();
            file["model"]["terms"][0]["sd"] = 0.into();
        },
        "is not above 0; it was written by winback 0.0.10",
    );
}

/// A file of the format that this version writes, as some version wrote it once: later ones read it, or the format's number
/// is raised. `WINBACK_REGENERATE` writes it anew, which is for formats that no release has written.
#[test]
fn a_file_of_the_present_format_is_read() {
    let path = fixture(1);
    let few: Vec<i64> = (0..12).collect();
    let orders: Vec<_> =
        rhythmic(200, 500, 7).into_iter().filter(|order| few.contains(&order.customer)).collect();
    let history = history(&orders);
    if std::env::var_os("WINBACK_REGENERATE").is_some() {
        let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
        let text = ChurnModel::params().fit(&snapshots).unwrap().to_json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        std::fs::write(&path, format!("{value}\n")).unwrap();
    }
    let model = ChurnModel::load(&path).unwrap();
    assert_eq!(ChurnModel::from_json(&model.to_json().unwrap()).unwrap(), model);
    let scores = model.score(&history, first_day().plus_days(400)).unwrap();
    assert!(scores.probabilities().iter().all(|chance| (0.0..=1.0).contains(chance)) && !scores.is_empty());
}

#[test]
fn a_model_file_cut_short_is_refused_at_any_length() {
    let text = model().to_json().unwrap();
    for end in (0..text.trim_end().len()).step_by(97) {
        assert!(ChurnModel::from_json(&text[..end]).is_err(), "{end}");
    }
    assert!(matches!(ChurnModel::load("no/such/model.json").unwrap_err(), Error::NoSuchFile { .. }));
}

#[test]
fn own_features_are_loaded_together_with_the_model() {
    let own = || {
        Feature::custom("weekend_fraction", "fraction", Transform::Identity, |customer| {
            let weekend =
                customer.purchase_days().filter(|day| (day.days_since_epoch() + 3).rem_euclid(7) >= 5);
            Some(weekend.count() as f64 / customer.n_purchases() as f64)
        })
    };
    let orders = rhythmic(200, 500, 7);
    let history = params().from_frame(&frame(&orders)).unwrap();
    let snapshots =
        Snapshots::params(standard(60).with(own())).with_horizon_days(60).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let folder = folder("own");
    let path = folder.join("model.json");
    model.save(&path).unwrap();
    let error = ChurnModel::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("trained with features of the caller's own that were not given: weekend_fraction"),
        "{error}"
    );
    let loaded = ChurnModel::load_with(&path, &[own()]).unwrap();
    let score = |model: &ChurnModel| {
        bytes(&model.score(&history, first_day().plus_days(400)).unwrap().to_frame().unwrap())
    };
    assert!(score(&model) == score(&loaded));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_file_that_cannot_be_written_leaves_the_old_one() {
    let folder = folder("whole");
    let error = model().save(folder.join("no/such/folder/model.json")).unwrap_err();
    assert!(matches!(error, Error::Unwritable { .. }), "{error}");
    let error = model().save(&folder).unwrap_err().to_string();
    assert!(error.contains("it is a folder"), "{error}");
    let scores = model()
        .score(&history(&rhythmic(20, 500, 8)), first_day().plus_days(400))
        .unwrap()
        .to_frame()
        .unwrap();
    let error = winback::table::write(&scores, folder.join("scores.xlsx")).unwrap_err().to_string();
    assert!(error.ends_with("scores.xlsx, expected a name that ends in .csv or .parquet"), "{error}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[cfg(unix)]
#[test]
fn links_and_devices_are_written_through() {
    let folder = folder("links");
    let (target, link) = (folder.join("target.json"), folder.join("link.json"));
    std::fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    model().save(&link).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(ChurnModel::load(&target).unwrap(), model());
    model().save("/dev/null").unwrap();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    std::fs::remove_dir_all(&folder).unwrap();
}
