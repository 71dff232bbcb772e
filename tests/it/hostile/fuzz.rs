//! The targets, and what runs them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use winback::Error;

use super::mutate::mutated;
use super::world::{self, World};
use crate::logs::SplitMix;

/// Cases per target where no time is given.
const CASES: u64 = 24;
/// No case may take more seconds of this process's processors, however slow and busy the machine.
const MOST_SECONDS: f64 = 60.0;
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Memory that a case may take beyond what was in use: so much, and so many times its file.
const MEMORY: (u64, u64) = (192 << 20, 400);

/// Reads the file; `Ok` where all that came of it is sound, which it asserts.
pub type Target = fn(&World, &Path, &mut SplitMix) -> Result<(), Error>;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// What is wrong with an error, if anything.
fn fault_of(error: &Error) -> Option<String> {
    let text = error.to_string();
    let short: String = text.chars().take(600).collect();
    let is_control = |letter: char| letter.is_control() && letter != '\n';
    if text.contains("panicked") {
        Some(format!("an error that hides a panic: {short}"))
    } else if text.len() > 60_000 {
        Some(format!("an error of {} bytes: {short}", text.len()))
    } else if text.trim().is_empty() || text.chars().any(is_control) {
        Some(format!("an error that is empty or holds control characters: {short:?}"))
    } else {
        None
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// Seconds of processor time that this process has taken; where the system does not tell, of the clock.
fn seconds_taken(started: Instant) -> f64 {
    let told = || -> Option<f64> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // After the name, which may hold anything, come the state and then numbers; ticks are hundredths.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some((fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?) / 100.0)
    };
    told().unwrap_or_else(|| started.elapsed().as_secs_f64())
}

/// The peak of this process's memory since it was last asked, where the system tells.
fn peak_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    fs::write("/proc/self/clear_refs", "5").ok()?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

/// Runs the corpus and then its mutants.
fn attack(name: &'static str, ending: &str, target: Target) {
    let seconds = number("WINBACK_FUZZ_SECONDS");
    let first = number("WINBACK_FUZZ_SEED").unwrap_or(1);
    let out = env::var_os("WINBACK_FUZZ_OUT").map_or_else(env::temp_dir, PathBuf::from);
    fs::create_dir_all(&out).unwrap();
    let world = World::shared();
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "{name} has no corpus");
    let started = Instant::now();
    let (to_worker, cases) = mpsc::channel::<(PathBuf, u64)>();
    let (to_here, outcomes) = mpsc::channel::<Option<String>>();
    thread::spawn(move || {
        for (path, seed) in cases {
            let outcome =
                catch_unwind(AssertUnwindSafe(|| target(world, &path, &mut SplitMix(seed ^ 0x5eed))));
            let fault = match outcome {
                Ok(Ok(())) => None,
                Ok(Err(error)) => fault_of(&error),
                Err(panic) => Some(format!("a panic: {}", said(panic.as_ref()))),
            };
            if to_here.send(fault).is_err() {
                return;
            }
        }
    });
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let (mut count, taken) = (0, seconds_taken(started));
    for number in 0.. {
        let as_is = corpus.get(number as usize);
        let is_over = match seconds {
            Some(seconds) => started.elapsed() >= Duration::from_secs(seconds),
            None => number >= corpus.len() as u64 + CASES,
        };
        if as_is.is_none() && is_over {
            break;
        }
        let salt = name.bytes().fold(first << 32, |salt, byte| salt.rotate_left(5) ^ u64::from(byte));
        let seed = salt.wrapping_add(number);
        let bytes = as_is.map_or_else(|| mutated(&corpus, &mut SplitMix(seed)), |(_, bytes)| bytes.clone());
        // There before it is read, so that it is still there where the whole process goes down.
        let path = out.join(format!("winback-{name}-{seed:016x}-{}{ending}", std::process::id()));
        fs::write(&path, &bytes).unwrap();
        let before = seconds.and_then(|_| peak_bytes()).and_then(|_| peak_bytes());
        to_worker.send((path.clone(), seed)).unwrap();
        let begun = seconds_taken(started);
        let outcome = loop {
            match outcomes.recv_timeout(LOOK) {
                Err(mpsc::RecvTimeoutError::Timeout) if seconds_taken(started) - begun < MOST_SECONDS => {}
                outcome => break outcome,
            }
        };
        let peak = before.and_then(|before| Some(peak_bytes()?.saturating_sub(before)));
        count += 1;
        let fault = match outcome {
            Ok(fault) => fault,
            Err(_) => panic!("{name}: no answer within {MOST_SECONDS} s to {}", path.display()),
        };
        let most = MEMORY.0 + MEMORY.1 * bytes.len() as u64;
        let greedy = peak
            .filter(|&peak| peak > most)
            .map(|peak| format!("{} MiB for {} bytes", peak >> 20, bytes.len()));
        match fault.or(greedy) {
            Some(fault) => {
                let key: String = fault.chars().filter(|letter| !letter.is_ascii_digit()).take(80).collect();
                println!("{name}: {fault}\n  {}", path.display());
                found.entry(key).or_insert(format!("{fault}\n  {}", path.display()));
            }
            None => fs::remove_file(&path).unwrap(),
        }
    }
    println!(
        "{name}: {count} cases in {:.1} s, {:.1} s of processors",
        started.elapsed().as_secs_f64(),
        seconds_taken(started) - taken
    );
    let all: Vec<String> = found.into_values().collect();
    assert!(all.is_empty(), "{name}, {} findings:\n{}", all.len(), all.join("\n"));
}

macro_rules! targets {
    ($($name:ident $ending:literal $target:ident;)*) => {
        $(#[test]
        fn $name() {
            attack(stringify!($name), $ending, world::$target);
        })*
    };
}

targets! {
    orders_csv ".csv" orders_csv;
    orders_parquet ".parquet" orders_parquet;
    model ".json" model;
    offers ".json" offers;
    reasons ".csv" reasons;
    incidents ".csv" incidents;
    changes ".csv" changes;
    contacts ".csv" contacts;
    suppressions ".csv" suppressions;
    customers ".csv" customers;
    side_parquet ".parquet" side_parquet;
    plan ".csv" plan;
    results ".csv" results;
    attempts ".csv" attempts;
    contracts ".csv" contracts;
}

/// Makes the good files anew that programs wrote, such as a model of another format.
#[test]
#[ignore = "writes into the crate"]
fn write_corpora() {
    world::write_corpora(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"));
}
