//! Who comes back? Learned from a table of past attempts.

use std::fmt;
use std::path::Path;

use polars::prelude::DataFrame;
use serde::Serialize;

use super::matrix::{Matrix, Scaled, fold_of};
use crate::error::{Error, Result, shown};
use crate::evidence::{TableParams, TableReport};
use crate::history::{Holds, Need, SideColumn, SideInput};
use crate::math::sigmoid;
use crate::metrics::{log_loss, roc_auc};
use crate::model::fit_logistic;
use crate::rates::two_sided_quantile;

/// ½ λ ‖β‖² is added to the summed loss of standardised columns; scikit-learn's C = 1.
const L2: f64 = 1.0;
const FOLDS: usize = 10;
const NO_VALUE: &str = "(none)";

/// How a table of attempts is read, and a model fitted to it.
///
/// | setting | default |
/// |---|---|
/// | numeric columns | none; null is the mean, and has a column of its own |
/// | categorical columns | none; each value with at least 10 attempts has a column but the most frequent one |
/// | folds | 10 |
#[derive(Clone, Debug)]
pub struct ReturnsParams {
    table: TableParams,
    returned: String,
    numeric: Vec<String>,
    categorical: Vec<String>,
    folds: usize,
}

impl ReturnsParams {
    /// Names columns of numbers, known before the attempt.
    #[must_use]
    pub fn with_numeric<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.numeric = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Names columns of text, known before the attempt.
    #[must_use]
    pub fn with_categorical<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.categorical = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the number of folds, at least 2.
    #[must_use]
    pub fn with_folds(mut self, folds: usize) -> Self {
        self.folds = folds;
        self
    }

    /// Says how the table is written.
    #[must_use]
    pub fn with_table(mut self, table: TableParams) -> Self {
        self.table = table;
        self
    }

    /// Reads a file and fits.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; faulty rows, all at once; settings out of range; fewer
    /// than two attempts of either outcome.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Returns> {
        self.take(SideInput::File(path.as_ref()))
    }

    /// Takes a frame and fits.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_frame(&self, frame: &DataFrame) -> Result<Returns> {
        self.take(SideInput::Frame(frame))
    }

    fn take(&self, input: SideInput) -> Result<Returns> {
        if self.folds < 2 {
            return Err(Error::parameter("folds", self.folds, "at least 2"));
        }
        let mut columns = vec![SideColumn::new(&self.returned, Holds::Text, Need::Value)];
        columns.extend(self.numeric.iter().map(|name| SideColumn::new(name, Holds::Numbers, Need::Column)));
        columns.extend(self.categorical.iter().map(|name| SideColumn::new(name, Holds::Text, Need::Column)));
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::parameter(
                "columns",
                format!("{} in two roles", shown(pair[0])),
                "one role per column",
            ));
        }
        if names.len() < 2 {
            return Err(Error::parameter(
                "columns",
                "nothing but who returned",
                "a numeric or categorical column",
            ));
        }
        let mut table = self.table.take(input, &columns)?;
        let flags = table.flags(&self.returned);
        let (kept, table, report) = table.finish()?;
        let labels: Vec<bool> = kept.iter().map(|&row| flags[row] == Some(true)).collect();
        let back = labels.iter().filter(|label| **label).count();
        if back < 2 || labels.len() - back < 2 {
            let found = format!("{back} of {} attempts with a return", labels.len());
            return Err(Error::parameter("attempts", found, "at least two with a return, and two without"));
        }
        let mut matrix = Matrix { rows: labels.len(), columns: Vec::new() };
        for name in &self.numeric {
            matrix.add_numbers(name, &kept.iter().map(|&row| table.numbers(name)[row]).collect::<Vec<_>>());
        }
        for name in &self.categorical {
            let values = table.texts(name);
            let of = |row: &usize| values[*row].clone().unwrap_or_else(|| NO_VALUE.to_owned());
            matrix.add_values(name, &kept.iter().map(of).collect::<Vec<_>>());
        }
        finish(&matrix, &labels, self.folds, report)
    }
}

/// Cross-validates, and fits to all.
fn finish(matrix: &Matrix, labels: &[bool], folds: usize, report: TableReport) -> Result<Returns> {
    let all: Vec<usize> = (0..matrix.rows).collect();
    // Scaled anew in each fold, on what the fold was fitted on.
    let mut predicted = vec![0.0; matrix.rows];
    for fold in 0..folds {
        let (test, train): (Vec<usize>, Vec<usize>) =
            all.iter().partition(|&&row| fold_of(row, folds) == fold);
        if test.is_empty() {
            continue;
        }
        let own: Vec<bool> = train.iter().map(|&row| labels[row]).collect();
        let back = own.iter().filter(|label| **label).count();
        if back == 0 || back == own.len() {
            let found = format!("{folds} for {} attempts", matrix.rows);
            return Err(Error::parameter("folds", found, "so many that each is fitted on both outcomes"));
        }
        let scaled = Scaled::new(matrix, &train);
        let fit = fit_logistic(&scaled, &own, L2, None)?;
        for row in test {
            predicted[row] = sigmoid(scaled.log_odds(matrix, row, &fit.beta));
        }
    }
    let scaled = Scaled::new(matrix, &all);
    let fit = fit_logistic(&scaled, labels, L2, None)?;
    let width = fit.beta.len();
    let z = two_sided_quantile(0.95).unwrap_or(1.96);
    let coefficients = matrix.columns.iter().zip(&scaled.scale).enumerate().map(|(at, (raw, &(_, sd)))| {
        let place = at + 1;
        let per_unit = |value: f64| if sd > 0.0 { value / sd } else { 0.0 };
        let estimate = per_unit(fit.beta[place]);
        let standard_error = per_unit(fit.inverse_hessian[place * width + place].sqrt());
        AttemptCoefficient {
            column: raw.name.clone(),
            unit: raw.unit.clone(),
            log_odds: estimate,
            standard_error,
            low: estimate - z * standard_error,
            high: estimate + z * standard_error,
        }
    });
    let returned = labels.iter().filter(|label| **label).count();
    Ok(Returns {
        attempts: matrix.rows,
        returned,
        folds,
        auc: roc_auc(&predicted, labels),
        log_loss: log_loss(&predicted, labels),
        converged: fit.converged,
        coefficients: coefficients.collect(),
        caution: CAUTION,
        report,
    })
}

const CAUTION: &str = "coefficients are associations: unless offers were drawn by chance, that of an offer also tells who \
                       was chosen for it, and it is no effect to plan with";

/// One column's part in the log-odds of a return.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttemptCoefficient {
    /// The column, or `column = value`.
    pub column: String,
    /// What one unit is: one more, or against which value.
    pub unit: String,
    /// Log-odds per unit.
    pub log_odds: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
}

/// Who comes back, as past attempts tell: a logistic regression, judged by cross-validation.
///
/// The penalty is ½ ‖β‖² on standardised columns. AUC and log-loss are of attempts that the fit did not see.
///
/// ```
/// use polars::df;
/// use winback::winback::Returns;
///
/// let days: Vec<f64> = (0..200).map(f64::from).collect();
/// let back: Vec<bool> = (0..200).map(|row| (row * 7) % 200 > row).collect();
/// let attempts = df!["back" => back, "days_lapsed" => days]?;
/// let returns = Returns::params("back").with_numeric(["days_lapsed"]).from_frame(&attempts)?;
/// assert!(returns.auc.is_some_and(|auc| auc > 0.7));
/// assert!(returns.coefficients[0].high < 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Returns {
    /// Attempts used.
    pub attempts: usize,
    /// Those with a return.
    pub returned: usize,
    /// Folds of the cross-validation.
    pub folds: usize,
    /// Area under the ROC curve, out of fold.
    pub auc: Option<f64>,
    /// Mean log-loss, out of fold.
    pub log_loss: f64,
    /// Whether the fit on all attempts converged.
    pub converged: bool,
    /// One per column.
    pub coefficients: Vec<AttemptCoefficient>,
    /// What coefficients are not.
    pub caution: &'static str,
    /// What the reading found.
    pub report: TableReport,
}

impl Returns {
    /// Begins with the column that says who returned: 0 or 1, true or false, yes or no, in any case.
    #[must_use]
    pub fn params(returned: impl Into<String>) -> ReturnsParams {
        ReturnsParams {
            table: TableParams::default(),
            returned: returned.into(),
            numeric: Vec::new(),
            categorical: Vec::new(),
            folds: FOLDS,
        }
    }
}

impl fmt::Display for Returns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} attempts, {} with a return", self.attempts, self.returned)?;
        write!(f, "  on attempts that the fit did not see ({} folds): AUC ", self.folds)?;
        match self.auc {
            Some(auc) => write!(f, "{auc:.4}")?,
            None => write!(f, "unknown")?,
        }
        writeln!(f, ", log-loss {:.4}", self.log_loss)?;
        for one in &self.coefficients {
            writeln!(
                f,
                "  {:<32} {:+.4} ({:+.4} to {:+.4}) log-odds, {}",
                one.column, one.log_odds, one.low, one.high, one.unit
            )?;
        }
        write!(f, "  {}", self.caution)
    }
}

/// What is taken for the chance of return before own evidence: a Beta distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ReturnPrior {
    /// Its mean, 0 to 1.
    pub mean: f64,
    /// As many customers' evidence it is worth.
    pub customers: f64,
}

impl ReturnPrior {
    /// The trade's 20 to 40 % of the *contacted*, of unverified origin: a mean of 30 %, worth ten customers, and
    /// only for who asks for it by name. Of lapsed customers whom nobody contacted as many or more return on open
    /// logs, so that it says nothing about what a contact adds.
    #[must_use]
    pub fn marketing_metrics() -> Self {
        ReturnPrior { mean: 0.3, customers: 10.0 }
    }

    /// The chance of return after `returned` of `contacted` customers did; `None` where more returned than were
    /// contacted.
    ///
    /// # Formula
    /// ```text
    /// (m k + returned) / (k + contacted)
    /// ```
    ///
    /// ```
    /// use winback::winback::ReturnPrior;
    /// assert_eq!(ReturnPrior::marketing_metrics().probability(5, 90), Some(0.08));
    /// ```
    #[must_use]
    pub fn probability(self, returned: u64, contacted: u64) -> Option<f64> {
        (returned <= contacted)
            .then(|| (self.mean * self.customers + returned as f64) / (self.customers + contacted as f64))
    }
}
