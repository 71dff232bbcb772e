//! What all tests share: a folder of their own, a seed that can be repeated, a history as lines of text.

use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use polars::prelude::{AnyValue, DataFrame};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use winback::history::HistoryParams;
use winback::{Columns, Day, History};

/// A folder of the test's own, removed when the test ends.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> Self {
        // Tests run as threads of one process, so the process alone does not tell them apart.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("winback-it-{}-{number}", process::id()));
        fs::create_dir_all(&path).expect("a folder for temporary files");
        TempDir(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, with the folders it lies in.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
        fs::write(&path, content).expect("a temporary file");
        path
    }

    /// The text with this folder's path cut out, so that it can be compared.
    pub fn short(&self, text: impl Display) -> String {
        text.to_string().replace(&format!("{}/", self.0.display()), "")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Leftovers in the system's temporary folder are no reason to fail a test.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a property on random input; the seed is printed where the test fails, and
/// `PROPTEST_RNG_SEED` repeats it.
pub fn runner(cases: u32) -> TestRunner {
    let mut config = Config { cases, failure_persistence: None, ..Config::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(RandomState::new().hash_one(cases));
    }
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    TestRunner::new(config)
}

/// The log most tests read: customer, date and amount.
pub fn orders() -> HistoryParams {
    History::params(Columns::new("customer_id", "ordered_on").with_amount("amount"))
}

pub fn day(text: &str) -> Day {
    text.parse().expect("a date")
}

/// One line per purchase: id, date, and where there are amounts net and refunded.
#[track_caller]
pub fn lines(history: &History) -> Vec<String> {
    frame_lines(&history.to_frame().expect("a frame"))
}

#[track_caller]
fn frame_lines(frame: &DataFrame) -> Vec<String> {
    let text = |value: AnyValue| match value {
        AnyValue::String(text) => text.to_owned(),
        AnyValue::StringOwned(text) => text.to_string(),
        AnyValue::Float64(number) => number.to_string(),
        AnyValue::Date(day) => Day::from_days_since_epoch(day).to_string(),
        other => other.to_string(),
    };
    (0..frame.height())
        .map(|row| {
            let values =
                frame.columns().iter().map(|column| text(column.get(row).expect("a row of the frame")));
            values.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// The two hold the same purchases and refunds, to the last bit.
#[track_caller]
pub fn assert_same(left: &History, right: &History) {
    assert_eq!(lines(left), lines(right));
    assert_eq!(left.fingerprint(), right.fingerprint());
    let (left, right) = (left.to_frame().expect("a frame"), right.to_frame().expect("a frame"));
    assert_eq!(left.schema(), right.schema());
    assert!(left.equals_missing(&right));
}
