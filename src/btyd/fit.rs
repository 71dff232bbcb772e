//! What is set for a fit, and what is told of it?

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::optimise::Peak;
use crate::error::{Error, Result};

/// How a model of rhythm or spend is to be fitted. Made by the `params` of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitParams<Model> {
    most_iterations: usize,
    model: PhantomData<Model>,
}

impl<Model> FitParams<Model> {
    const MOST_ITERATIONS: usize = 100;

    pub(super) fn new() -> Self {
        Self { most_iterations: Self::MOST_ITERATIONS, model: PhantomData }
    }

    /// Newton steps after which the search is given up, at least 1; 100 unless given. A fit takes about
    /// ten.
    #[must_use]
    pub fn with_most_iterations(mut self, most_iterations: usize) -> Self {
        self.most_iterations = most_iterations;
        self
    }

    pub(super) fn check(&self) -> Result<usize> {
        if self.most_iterations == 0 {
            return Err(Error::parameter("most iterations", 0, "at least 1"));
        }
        Ok(self.most_iterations)
    }
}

/// How a fit went, and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// Customers that the parameters were learned from.
    pub customers: usize,
    /// Customers left out, because they say nothing about this model.
    pub skipped: usize,
    /// The log-likelihood of all customers together, in the caller's units.
    pub log_likelihood: f64,
    /// Standard errors, in the order in which the model names its parameters. `None` for a parameter
    /// that came to rest at the bound of the search, or where the likelihood is too flat to tell.
    pub standard_errors: Vec<Option<f64>>,
    /// Steps of L-BFGS from the best start, and of Newton after it.
    pub iterations: usize,
    /// Whether the search came to rest. Where it did not, do not trust the parameters.
    pub converged: bool,
}

impl FitReport {
    /// `units` turns each parameter from the search's unit into the caller's; `log_density` is what the
    /// log-likelihood gains by it.
    pub(super) fn new<const N: usize>(
        peak: &Peak<N>,
        units: [f64; N],
        log_density: f64,
        customers: usize,
        skipped: usize,
    ) -> Self {
        let errors = peak.standard_errors.iter().zip(units);
        Self {
            customers,
            skipped,
            log_likelihood: peak.log_likelihood + log_density,
            standard_errors: errors.map(|(error, unit)| error.map(|error| error * unit)).collect(),
            iterations: peak.iterations,
            converged: peak.converged,
        }
    }
}

/// Parameters lie between this and its inverse, so that nothing computed from them overflows.
const LARGEST: f64 = 1e30;

/// Refuses parameters no model can have.
pub(super) fn check_parameters(parameters: &[(&'static str, f64)]) -> Result<()> {
    match parameters.iter().find(|(_, value)| !possible(*value)) {
        Some(&(name, found)) => Err(Error::parameter(name, found, "a number from 1e-30 to 1e30")),
        None => Ok(()),
    }
}

/// Reads a parameter from a saved model.
pub(super) fn parameter<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<f64, D::Error> {
    let found = f64::deserialize(from)?;
    match possible(found) {
        true => Ok(found),
        false => {
            Err(de::Error::custom(format!("a parameter is {found}, expected a number from 1e-30 to 1e30")))
        }
    }
}

fn possible(value: f64) -> bool {
    (1.0 / LARGEST..=LARGEST).contains(&value)
}

/// Writes a model's name, its parameters with their standard errors, and how the fit went.
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    parameters: &[(&str, f64)],
    report: Option<&FitReport>,
) -> fmt::Result {
    write!(f, "{name}:")?;
    for (i, (name, value)) in parameters.iter().enumerate() {
        let comma = if i > 0 { "," } else { "" };
        write!(f, "{comma} {name} {}", Digits(*value))?;
        if let Some(report) = report {
            match report.standard_errors.get(i).copied().flatten() {
                Some(error) => write!(f, " ± {}", Digits(error))?,
                None => write!(f, " (not determined)")?,
            }
        }
    }
    let Some(report) = report else { return write!(f, "; parameters given, not fitted") };
    let FitReport { customers, skipped, log_likelihood, iterations, converged, .. } = report;
    let skipped = if *skipped > 0 { format!(", {skipped} left out") } else { String::new() };
    let end = if *converged { "converged" } else { "did not converge" };
    write!(
        f,
        "\n{customers} customers{skipped}, log-likelihood {log_likelihood:.2}, {end} after {iterations} iterations"
    )
}

/// A number with four digits that say something.
pub(super) struct Digits(pub(super) f64);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            size if (0.01..10.0).contains(&size) => write!(f, "{:.4}", self.0),
            size if (10.0..1e5).contains(&size) => write!(f, "{:.2}", self.0),
            _ => write!(f, "{:.3e}", self.0),
        }
    }
}
