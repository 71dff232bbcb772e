//! Is a file written whole or not at all, and never over an input?

use std::fs;

use polars::prelude::*;
use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};
use winback::Error;
use winback::table::{check_apart, check_place, check_writable, write, write_json};

use crate::support::TempDir;

/// A value that fails after so many numbers, some of which are on the disk by then.
struct Failing(u64);

impl Serialize for Failing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut numbers = serializer.serialize_seq(None)?;
        (0..self.0).try_for_each(|number| numbers.serialize_element(&number))?;
        Err(S::Error::custom("it cannot be told"))
    }
}

fn names(dir: &TempDir) -> Vec<String> {
    let folder = fs::read_dir(dir.path("")).expect("the folder");
    let mut names: Vec<String> =
        folder.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn refused(dir: &TempDir, result: Result<(), Error>, expected: &str) {
    let error = result.expect_err("a place that cannot be written");
    assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
    let unchanged = "an older file of that name, if there is one, is unchanged";
    assert_eq!(dir.short(error), format!("{expected}; {unchanged}"));
}

#[test]
fn json_is_written_whole_and_ends_its_line() {
    let dir = TempDir::new();
    let path = dir.write("numbers.json", "something longer, from an earlier run");
    write_json(&[0.1, 2.0], &path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "[\n  0.1,\n  2.0\n]\n");
    assert_eq!(names(&dir), ["numbers.json"]);
}

#[test]
fn json_that_fails_leaves_the_old_file_or_none() {
    for numbers in [0, 100_000] {
        let dir = TempDir::new();
        let path = dir.path("numbers.json");
        let expected = "numbers.json: cannot be written: it cannot be told";
        refused(&dir, write_json(&Failing(numbers), &path), expected);
        assert_eq!(names(&dir), [""; 0]);
        dir.write("numbers.json", "old");
        refused(&dir, write_json(&Failing(numbers), &path), expected);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(&dir), ["numbers.json"]);
    }
}

#[test]
fn a_place_is_a_file_or_nothing_in_a_folder_that_is_there() {
    let dir = TempDir::new();
    let file = dir.write("there.json", "old");
    for good in [file.clone(), dir.path("new.json"), "new.json".into()] {
        check_place(good).unwrap();
    }
    let (missing, folder) = (dir.path("missing/new.csv"), dir.path("folder.csv"));
    fs::create_dir(&folder).unwrap();
    let within_file = file.join("new.csv");
    let frame = df!["x" => [1]].unwrap();
    for (path, reason) in [
        (&missing, "missing/new.csv: cannot be written: its folder does not exist"),
        (&folder, "folder.csv: cannot be written: it is a folder"),
        (&within_file, "there.json/new.csv: cannot be written: its folder does not exist"),
    ] {
        refused(&dir, check_place(path), reason);
        refused(&dir, check_writable(path), reason);
        refused(&dir, write(&frame, path), reason);
        refused(&dir, write_json(&1, path), reason);
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "old");
    assert_eq!(names(&dir), ["folder.csv", "there.json"]);
}

#[test]
fn a_table_is_csv_or_parquet_by_its_name() {
    let dir = TempDir::new();
    for good in ["scores.csv", "scores.CSV", "scores.parquet", "a.b.Parquet"] {
        check_writable(dir.path(good)).unwrap();
    }
    for bad in ["scores", "scores.json", "csv", ".csv"] {
        let error = check_writable(dir.path(bad)).expect_err("another ending");
        let expected = format!("output file is {bad}, expected a name that ends in .csv or .parquet");
        assert_eq!(dir.short(error), expected);
    }
    assert_eq!(names(&dir), [""; 0]);
}

#[test]
fn an_output_that_is_an_input_is_refused_however_it_is_spelled() {
    let dir = TempDir::new();
    let (orders, other) = (dir.write("orders.csv", "x"), dir.write("folder/other.csv", "x"));
    let roundabout = dir.path("folder/../orders.csv");
    for input in [&orders, &roundabout] {
        for (output, name) in [(&orders, "orders.csv"), (&roundabout, "folder/../orders.csv")] {
            let expected = format!("{name}: cannot be written: it is one of the inputs");
            refused(&dir, check_apart(output, [&other, input]), &expected);
        }
    }
    check_apart(&orders, [&other]).unwrap();
    check_apart(&orders, [dir.path("missing.csv")]).unwrap();
    check_apart(dir.path("new.csv"), [&orders, &other]).unwrap();
    check_apart(&orders, [""; 0]).unwrap();
    assert_eq!(fs::read_to_string(orders).unwrap(), "x");
}

#[cfg(unix)]
#[test]
fn a_link_to_an_input_is_that_input() {
    let dir = TempDir::new();
    let (orders, link) = (dir.write("orders.csv", "x"), dir.path("link.csv"));
    std::os::unix::fs::symlink(&orders, &link).unwrap();
    refused(&dir, check_apart(&link, [&orders]), "link.csv: cannot be written: it is one of the inputs");
    refused(&dir, check_apart(&orders, [&link]), "orders.csv: cannot be written: it is one of the inputs");
}
