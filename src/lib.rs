#![doc = include_str!("../README.md")]
// Nothing a user passes may panic, and the library prints nothing; clippy.toml lets tests do both.
#![warn(missing_docs)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

pub mod day;
mod math;
pub mod error;
pub mod dialect;
pub mod table;
pub mod history;
pub mod metrics;
pub mod btyd;
pub mod rates;
pub mod evidence;
pub mod features;
pub mod snapshot;
pub mod model;
pub mod score;
pub mod value;
pub mod evaluate;
pub mod losses;
pub mod winback;
pub mod campaign;
pub mod sql;
pub mod report;
pub mod guide;
#[doc(hidden)]
pub mod kernels;

pub use day::Day;
pub use error::{Error, Result};
pub use evaluate::Evaluation;
pub use features::{Feature, FeatureSet};
pub use history::{Columns, History};
pub use model::ChurnModel;
pub use score::Scores;
pub use snapshot::{Cutoffs, Snapshots};
pub use value::Values;
