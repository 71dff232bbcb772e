//! What does the model weigh, and how surely?

use polars::prelude::*;

use super::ChurnModel;
use super::doubt::{NORMAL_QUANTILE, WaldTest};
use crate::btyd::MbgNbdPosterior;
use crate::error::Result;
use crate::features::Idea;
use crate::table;

impl ChurnModel {
    /// One row per column of the model, the intercept first: `term, estimate, standard_error, low,
    /// high, training_mean, training_sd`.
    ///
    /// Estimates are log-odds of churned per training standard deviation of the (transformed) column.
    /// Standard errors are clustered by customer; they are those of the shrunken estimate, and so
    /// smaller than an unshrunken one's. `low` and `high` are the ends of the 95 % Wald interval. No row
    /// has a p-value, because columns that go together cannot be read one by one: see
    /// [`idea_tests`](Self::idea_tests) and [`effects`](Self::effects).
    ///
    /// # Formula
    /// ```text
    /// V = H⁻¹ (Σ_g (s_g − s̄)(s_g − s̄)ᵀ) H⁻¹
    /// where H is the penalised Hessian and s_g a customer's summed score
    /// low, high = β ± 1.96 √V
    /// ```
    /// A model of the rhythm alone ([`ModelKind::Rhythm`](super::ModelKind::Rhythm)) has no columns; its rows are the
    /// MBG/NBD parameters `r`, `alpha_days`, `a` and `b`, with intervals symmetric on their logarithms.
    ///
    /// # References
    /// Liang and Zeger (1986), Biometrika 73:13–22.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn coefficients(&self) -> Result<DataFrame> {
        if let Some(rhythm) = &self.rhythm {
            return rhythm_parameters(&rhythm.posterior);
        }
        let width = self.terms.len() + 1;
        let names = std::iter::once("intercept".to_owned())
            .chain(self.terms.iter().map(|term| term.kind.name(&self.features)));
        let errors: Vec<f64> = (0..width).map(|j| self.covariance[j * width + j].max(0.0).sqrt()).collect();
        let end = |side: f64| {
            let ends = self.beta.iter().zip(&errors);
            ends.map(|(beta, error)| beta + side * NORMAL_QUANTILE * error).collect::<Vec<_>>()
        };
        let of_terms = |value: fn(&super::terms::Term) -> f64| {
            std::iter::once(f64::NAN).chain(self.terms.iter().map(value)).collect::<Vec<_>>()
        };
        table::frame(vec![
            StringChunked::from_iter_values("term".into(), names).into_column(),
            table::nullable_floats("estimate", self.beta.iter().copied()),
            table::nullable_floats("standard_error", errors.iter().copied()),
            table::nullable_floats("low", end(-1.0)),
            table::nullable_floats("high", end(1.0)),
            table::nullable_floats("training_mean", of_terms(|term| term.mean)),
            table::nullable_floats("training_sd", of_terms(|term| term.sd)),
        ])
    }

    /// Does an idea tell anything? One joint Wald test per idea of the model: `idea, terms, wald_chi2,
    /// degrees_of_freedom, p_value`, in the order of [`Idea::ALL`].
    ///
    /// `terms` counts the columns that speak of the idea; a product of two ideas belongs to the later
    /// one. The question is whether the idea adds to all others in the model, so that ideas which say the
    /// same may all come out doubtful. The tests are of the shrunken estimate, with the covariance
    /// clustered by customer: shrinkage moves estimates and errors towards 0 together, and the p-values
    /// are a guide, not a licence to drop columns.
    ///
    /// # Formula
    /// ```text
    /// W = βₐᵀ Vₐ⁺ βₐ,  p = P(χ²_r ≥ W)
    /// where βₐ are the idea's coefficients and Vₐ their covariance. Vₐ is scaled to unit diagonal;
    /// eigenvalues below 1e-8 of the largest are left out of the inverse Vₐ⁺, and r counts the others
    /// ```
    /// The p-value is null where nothing varies (r = 0).
    ///
    /// # References
    /// Wald (1943), Transactions of the American Mathematical Society 54:426–482; Rao and Mitra (1971),
    /// Generalized Inverse of Matrices and its Applications, for singular V.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn idea_tests(&self) -> Result<DataFrame> {
        let width = self.beta.len();
        let tests: Vec<(Idea, usize, WaldTest)> = Idea::ALL
            .into_iter()
            .filter_map(|idea| {
                let own: Vec<usize> =
                    (1..width).filter(|&j| self.terms[j - 1].kind.idea(&self.features) == idea).collect();
                let beta: Vec<f64> = own.iter().map(|&j| self.beta[j]).collect();
                let pairs = own.iter().flat_map(|&j| own.iter().map(move |&k| j * width + k));
                let covariance: Vec<f64> = pairs.map(|at| self.covariance[at]).collect();
                (!own.is_empty()).then(|| (idea, own.len(), WaldTest::new(&beta, &covariance)))
            })
            .collect();
        let counts = |name: &str, count: fn(&(Idea, usize, WaldTest)) -> usize| {
            UInt32Chunked::from_iter_values(name.into(), tests.iter().map(|test| count(test) as u32))
                .into_column()
        };
        table::frame(vec![
            StringChunked::from_iter_values("idea".into(), tests.iter().map(|(idea, ..)| idea.name()))
                .into_column(),
            counts("terms", |(_, terms, _)| *terms),
            table::nullable_floats("wald_chi2", tests.iter().map(|(.., test)| test.chi2)),
            counts("degrees_of_freedom", |(.., test)| test.degrees_of_freedom),
            table::nullable_floats("p_value", tests.iter().map(|(.., test)| test.p_value())),
        ])
    }
}

fn rhythm_parameters(posterior: &MbgNbdPosterior) -> Result<DataFrame> {
    let model = posterior.model();
    let estimates = [model.r(), model.alpha(), model.a(), model.b()];
    let errors = posterior.log_standard_deviations();
    let rows = || estimates.iter().zip(errors);
    let end =
        |side: f64| rows().map(move |(estimate, error)| estimate * (side * NORMAL_QUANTILE * error).exp());
    table::frame(vec![
        StringChunked::from_iter_values("term".into(), ["r", "alpha_days", "a", "b"].into_iter())
            .into_column(),
        table::nullable_floats("estimate", estimates),
        table::nullable_floats("standard_error", rows().map(|(estimate, error)| estimate * error)),
        table::nullable_floats("low", end(-1.0)),
        table::nullable_floats("high", end(1.0)),
        table::nullable_floats("training_mean", [f64::NAN; 4]),
        table::nullable_floats("training_sd", [f64::NAN; 4]),
    ])
}
