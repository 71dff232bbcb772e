//! All integration tests: one binary, because each would link polars again.

mod ageing;
mod cdnow;
mod cli;
mod determinism;
mod edges;
mod evaluation;
mod grouping;
mod grouping_laws;
mod grouping_notices;
mod layers;
mod leaks;
mod logs;
mod messages;
mod metrics;
mod model;
mod reading_csv;
mod reading_dates;
mod reading_faults;
mod reading_files;
mod reading_types;
mod reference;
mod saved;
mod season;
mod simulated;
mod snapshots;
mod support;
