//! What does the model weigh, and how surely?

use polars::prelude::*;

use super::ChurnModel;
use crate::error::Result;
use crate::table;

impl ChurnModel {
    /// One row per column of the model, the intercept first: `term, estimate, standard_error,
    /// training_mean, training_sd`.
    ///
    /// Estimates are log-odds of churned per training standard deviation of the (transformed) column.
    /// Standard errors are clustered by customer; they are those of the shrunken estimate, and so
    /// smaller than an unshrunken one's.
    ///
    /// # Formula
    /// ```text
    /// V = H⁻¹ (Σ_g (s_g − s̄)(s_g − s̄)ᵀ) H⁻¹
    /// where H is the penalised Hessian and s_g a customer's summed score
    /// ```
    /// # References
    /// Liang and Zeger (1986), Biometrika 73:13–22.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn coefficients(&self) -> Result<DataFrame> {
        let width = self.terms.len() + 1;
        let names = std::iter::once("intercept".to_owned())
            .chain(self.terms.iter().map(|term| term.kind.name(&self.features)));
        let errors = (0..width).map(|j| self.covariance[j * width + j].max(0.0).sqrt());
        let of_terms = |value: fn(&super::terms::Term) -> f64| {
            std::iter::once(f64::NAN).chain(self.terms.iter().map(value)).collect::<Vec<_>>()
        };
        table::frame(vec![
            StringChunked::from_iter_values("term".into(), names).into_column(),
            table::nullable_floats("estimate", self.beta.iter().copied()),
            table::nullable_floats("standard_error", errors),
            table::nullable_floats("training_mean", of_terms(|term| term.mean)),
            table::nullable_floats("training_sd", of_terms(|term| term.sd)),
        ])
    }
}
