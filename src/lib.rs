pub mod day;
pub mod error;
pub mod history;
pub mod table;

pub use day::Day;
pub use error::{Error, Result};
pub use history::{Columns, History};
