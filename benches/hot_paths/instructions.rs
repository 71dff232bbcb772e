//! Has a kernel grown? Instructions, counted by valgrind's callgrind, against a committed baseline.
//!
//!     cargo test --bench hot_paths -- --instructions                           compares
//!     cargo test --bench hot_paths -- --instructions --record                  writes the baseline
//!     cargo test --bench hot_paths -- --instructions --record --reason "…"     also where a count has grown
//!
//! Counts hold for a compiler and a set of vector instructions; the baseline may have several. A reason must stand
//! in CHANGELOG.md, word for word.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};

use super::kernel::{COUNTED, NAMES};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Counts = BTreeMap<String, u64>;

/// A kernel may grow by so much.
const ALLOWED_GROWTH: f64 = 0.05;
/// Less than this is no growth but noise, such as where memory happens to lie.
const NOISE: f64 = 0.005;
const BASELINE: &str = "benches/instructions.json";

/// What was counted, by compiler and vector instructions.
type Baseline = BTreeMap<String, Entry>;

#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// Why a count grew the last time that one did: words of CHANGELOG.md. Empty where none ever did.
    reason: String,
    instructions: Counts,
}

/// Compares or records; the table goes to standard output.
pub fn judge(arguments: &[String]) -> ExitCode {
    match judged(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn judged(arguments: &[String]) -> Result<()> {
    let (records, reason) = match arguments {
        [] => (false, ""),
        [record] if record == "--record" => (true, ""),
        [record, flag, reason] if record == "--record" && flag == "--reason" => (true, reason.as_str()),
        _ => return Err("found other arguments than `[--record [--reason TEXT]]`".into()),
    };
    let mut baseline: Baseline = match fs::read_to_string(root().join(BASELINE)) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) => Baseline::new(),
    };
    let key = key()?;
    let counts: Counts =
        NAMES.iter().map(|&name| Ok((name.to_owned(), count(name)?))).collect::<Result<_>>()?;
    let known = baseline.get(&key).cloned().unwrap_or_default();
    println!("{key}\n");
    println!("| kernel | instructions | baseline | growth |\n|---|---|---|---|");
    for name in NAMES {
        let growth = growth(&known.instructions, &counts, name);
        let growth = growth.map_or("–".to_owned(), |growth| format!("{:+.2} %", 100.0 * growth));
        let before = known.instructions.get(name).map_or("–".to_owned(), u64::to_string);
        println!("| {name} | {} | {before} | {growth} |", counts[name]);
    }
    println!();
    if records {
        let has_grown = !grown(&known.instructions, &counts, NOISE).is_empty();
        if has_grown && reason.is_empty() {
            return Err("counts have grown: say why in CHANGELOG.md, and again with `--reason`".into());
        }
        let reason = if reason.is_empty() { known.reason } else { reason.to_owned() };
        let entry = Entry { reason, instructions: counts };
        is_told(&key, &entry)?;
        baseline.insert(key, entry);
        fs::write(root().join(BASELINE), serde_json::to_string_pretty(&baseline)? + "\n")?;
        println!("written to {BASELINE}");
        return Ok(());
    }
    baseline.iter().try_for_each(|(key, entry)| is_told(key, entry))?;
    is_raised_with_reason(&baseline)?;
    if known.instructions.is_empty() {
        println!(
            "*** NOT JUDGED: {BASELINE} has no counts for {key}. Record them where the kernels are known to be"
        );
        println!("*** good: cargo test --bench hot_paths -- --instructions --record");
        return Ok(());
    }
    let missing: Vec<&str> =
        NAMES.into_iter().filter(|&name| !known.instructions.contains_key(name)).collect();
    if !missing.is_empty() {
        return Err(format!("{BASELINE} lacks {}; record it", missing.join(", ")).into());
    }
    match grown(&known.instructions, &counts, ALLOWED_GROWTH).as_slice() {
        [] => Ok(()),
        names => {
            Err(format!("more than {:.0} % above the baseline: {}", 100.0 * ALLOWED_GROWTH, names.join(", "))
                .into())
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What counts depend on beside the code.
fn key() -> Result<String> {
    let told = Command::new("rustc").arg("--version").current_dir(root()).output()?;
    if !told.status.success() {
        return Err(format!("rustc does not tell its version: {}", told.status).into());
    }
    let rustc = String::from_utf8(told.stdout)?;
    #[cfg(target_arch = "x86_64")]
    let vectors = if std::arch::is_x86_feature_detected!("avx2") { "avx2" } else { "sse" };
    #[cfg(not(target_arch = "x86_64"))]
    let vectors = "its vectors";
    Ok(format!("{}, {}, {vectors}", rustc.trim(), std::env::consts::ARCH))
}

/// The instructions of one kernel, in a process of its own.
fn count(name: &str) -> Result<u64> {
    let told = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect=*{COUNTED}*"))
        .arg(std::env::current_exe()?)
        .args(["--kernel", name])
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    let text = String::from_utf8_lossy(&told.stderr);
    if !told.status.success() {
        return Err(format!("kernel `{name}`: {}\n{text}", told.status).into());
    }
    let counted = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    match counted {
        None | Some(0) => Err(format!("kernel `{name}`: nothing was counted\n{text}").into()),
        Some(counted) => Ok(counted),
    }
}

fn growth(before: &Counts, after: &Counts, name: &str) -> Option<f64> {
    Some(*after.get(name)? as f64 / *before.get(name)? as f64 - 1.0)
}

/// The kernels that have grown by more than that.
fn grown(before: &Counts, after: &Counts, allowed: f64) -> Vec<String> {
    let is_grown = |name: &&String| growth(before, after, name).is_some_and(|growth| growth > allowed);
    before.keys().filter(is_grown).cloned().collect()
}

/// The entry's reason must stand in CHANGELOG.md.
fn is_told(key: &str, entry: &Entry) -> Result<()> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let changes = words(&fs::read_to_string(root().join("CHANGELOG.md"))?);
    match changes.contains(&words(&entry.reason)) {
        true => Ok(()),
        false => Err(format!("{BASELINE}, {key}: CHANGELOG.md does not say \"{}\"", entry.reason).into()),
    }
}

/// Counts above those of the committed version before must come with another reason. Where no such version
/// is known, as in a clone without history, nothing is checked.
fn is_raised_with_reason(baseline: &Baseline) -> Result<()> {
    let versions = git(&["log", "--format=%H", "-2", "--", BASELINE]).unwrap_or_default();
    let versions = versions.lines().filter_map(|commit| git(&["show", &format!("{commit}:{BASELINE}")]));
    let versions = versions.filter_map(|text| serde_json::from_str::<Baseline>(&text).ok());
    let Some(before) = versions.into_iter().find(|before| before != baseline) else { return Ok(()) };
    for (key, entry) in baseline {
        let Some(before) = before.get(key) else { continue };
        let names = grown(&before.instructions, &entry.instructions, NOISE);
        if !names.is_empty() && entry.reason == before.reason {
            let names = names.join(", ");
            return Err(format!("{BASELINE} was raised without a reason of its own: {names}").into());
        }
    }
    Ok(())
}

fn git(arguments: &[&str]) -> Option<String> {
    let told = Command::new("git").args(arguments).current_dir(root()).output().ok()?;
    told.status.success().then(|| String::from_utf8(told.stdout).ok())?
}
