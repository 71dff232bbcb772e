//! How does all of it look?
//!
//! [`Report`] is one page for those who would rather look than read: HTML that needs no network and no script,
//! with a figure, its description and its numbers for every question. The figures are functions too, such as
//! [`calibration_svg`]; each gives one SVG document.

mod words;
mod chart;
mod figure;
mod section;
mod lost;
mod trust;
mod brought;
mod planned;
mod first;
mod page;

pub use self::brought::{budget_svg, effects_svg};
pub use self::lost::{causes_svg, loss_rate_svg, retention_svg};
pub use self::page::Report;
pub use self::trust::{calibration_svg, gains_svg, steps_svg};
