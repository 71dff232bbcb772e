//! Input that is broken, or meant to break: every reader gives a right answer or an error that says why. It never
//! panics, never hangs, and never takes memory out of proportion.
//!
//! Each target starts from the good files of `tests/corpus/TARGET` and changes them. `WINBACK_FUZZ_SECONDS=300
//! cargo test --test it hostile::fuzz -- --test-threads=1` gives every target so many seconds instead of a few
//! cases, and then watches memory too; `WINBACK_FUZZ_SEED` starts elsewhere. What is found is written to
//! `WINBACK_FUZZ_OUT`, or the temporary folder: put into the target's corpus, it is tried first ever after.

mod fuzz;
mod large;
mod mutate;
mod tables;
mod world;
mod writing;
