//! Who was in which arm, and what came of it? A finished experiment, one row per customer.

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::DataFrame;

use crate::error::{Error, Result, shown};
use crate::evidence::{TableParams, TableReport};
use crate::history::{Holds, Need, SideColumn, SideInput};

/// More arms than any experiment has: the column holds something else.
const MOST_ARMS: usize = 100;
/// What stands for a missing value of a stratum.
const NO_VALUE: &str = "(none)";

/// Which columns of a table of results say what.
///
/// | column | holds |
/// |---|---|
/// | arm | what the customer was *assigned*, whatever came of it: text |
/// | returned | whether they came back: 0 or 1, true or false, yes or no, in any case |
/// | value (optional) | what they spent, 0 where nothing: a number, negative where they sent back more |
/// | profit (optional) | what is left of it once costs are taken off: a number |
/// | strata (optional) | what was known before the assignment: text or integers; empty is a stratum too |
/// | score (optional) | whom one would have contacted first: a number, known before |
/// | prediction (optional) | what they were expected to spend: a number, known before |
///
/// Rows are customers, equal rows too: none is taken for a copy of another.
#[derive(Clone, Debug)]
pub struct ExperimentParams {
    table: TableParams,
    arm: String,
    control: String,
    returned: String,
    value: Option<String>,
    profit: Option<String>,
    strata: Vec<String>,
    score: Option<String>,
    prediction: Option<String>,
}

impl ExperimentParams {
    /// Names the column of spend.
    #[must_use]
    pub fn with_value(mut self, column: impl Into<String>) -> Self {
        self.value = Some(column.into());
        self
    }

    /// Names the column of profit.
    #[must_use]
    pub fn with_profit(mut self, column: impl Into<String>) -> Self {
        self.profit = Some(column.into());
        self
    }

    /// Names columns known before the assignment; customers are compared within their combinations.
    #[must_use]
    pub fn with_strata<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.strata = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Names the column of a score that would choose whom to contact, high first; [`Outcome`](super::Outcome)
    /// then says what choosing by it is worth.
    #[must_use]
    pub fn with_score(mut self, column: impl Into<String>) -> Self {
        self.score = Some(column.into());
        self
    }

    /// Names the column of the spend expected before the assignment; what it explains no longer blurs the
    /// comparison.
    #[must_use]
    pub fn with_prediction(mut self, column: impl Into<String>) -> Self {
        self.prediction = Some(column.into());
        self
    }

    /// Says how the table is written.
    #[must_use]
    pub fn with_table(mut self, table: TableParams) -> Self {
        self.table = table;
        self
    }

    /// Reads a file: Parquet where its name ends in `.parquet`, else CSV with a header.
    ///
    /// # Errors
    /// A file or column that is not there or cannot serve; faulty rows, all at once; a control that nobody was
    /// in, or nobody outside it.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Experiment> {
        self.take(SideInput::File(path.as_ref()))
    }

    /// Takes a frame.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_frame(&self, frame: &DataFrame) -> Result<Experiment> {
        self.take(SideInput::Frame(frame))
    }

    fn take(&self, input: SideInput) -> Result<Experiment> {
        let mut columns = vec![
            SideColumn::new(&self.arm, Holds::Text, Need::Value),
            SideColumn::new(&self.returned, Holds::Text, Need::Value),
        ];
        let numbers = [&self.value, &self.profit, &self.score, &self.prediction].into_iter().flatten();
        columns.extend(numbers.map(|name| SideColumn::new(name, Holds::Numbers, Need::Value)));
        columns.extend(self.strata.iter().map(|name| SideColumn::new(name, Holds::Text, Need::Column)));
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::parameter(
                "columns",
                format!("{} in two roles", shown(pair[0])),
                "one role per column",
            ));
        }
        let mut table = self.table.take(input, &columns)?;
        let flags = table.flags(&self.returned);
        let (kept, table, report) = table.finish()?;
        let number = |name: &Option<String>| -> Option<Vec<f64>> {
            let values = table.numbers(name.as_deref()?);
            Some(kept.iter().map(|&row| values[row]).collect())
        };
        let text = |name: &str| -> Vec<String> {
            let values = table.texts(name);
            kept.iter().map(|&row| values[row].clone().unwrap_or_else(|| NO_VALUE.to_owned())).collect()
        };
        let (arms, arm) = coded(&text(&self.arm));
        let mut experiment = Experiment {
            arms,
            arm,
            returned: kept.iter().map(|&row| flags[row] == Some(true)).collect(),
            value: number(&self.value),
            profit: number(&self.profit),
            covariates: self.strata.iter().map(|name| (name.clone(), coded(&text(name)).1)).collect(),
            score: number(&self.score),
            prediction: number(&self.prediction),
            report,
            ..Experiment::default()
        };
        experiment.put_control_first(&self.control)?;
        Ok(experiment)
    }
}

/// The values in order of text, and each row's place among them.
pub(super) fn coded(values: &[String]) -> (Vec<String>, Vec<u32>) {
    let mut places: BTreeMap<&str, u32> = values.iter().map(|value| (value.as_str(), 0)).collect();
    for (place, code) in places.values_mut().enumerate() {
        *code = place as u32;
    }
    let codes = values.iter().map(|value| places.get(value.as_str()).copied().unwrap_or(0)).collect();
    (places.into_keys().map(str::to_owned).collect(), codes)
}

/// A finished experiment: one row per customer.
///
/// ```
/// use polars::df;
/// use winback::campaign::Experiment;
///
/// let results = df!["arm" => ["mail", "none", "mail"], "back" => ["yes", "No", "0"], "spend" => [12.5, 0.0, 0.0]]?;
/// let experiment = Experiment::params("arm", "none", "back").with_value("spend").from_frame(&results)?;
/// assert_eq!((experiment.customers(), experiment.arms()), (3, ["none".to_owned(), "mail".to_owned()].as_slice()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Experiment {
    /// The control first, the others in order of text.
    arms: Vec<String>,
    pub(super) arm: Vec<u32>,
    pub(super) returned: Vec<bool>,
    pub(super) value: Option<Vec<f64>>,
    /// What is left of the value once costs are taken off.
    pub(super) profit: Option<Vec<f64>>,
    /// Name and codes of each column known before.
    pub(super) covariates: Vec<(String, Vec<u32>)>,
    /// The same of columns that make no strata, and must be as alike in all arms.
    pub(super) alike: Vec<(String, Vec<u32>)>,
    /// Numbers known before.
    pub(super) numbers: Vec<(String, Vec<f64>)>,
    /// Rows whose arms were drawn with other shares; empty where none were.
    pub(super) drawn_otherwise: Vec<bool>,
    pub(super) score: Option<Vec<f64>>,
    pub(super) prediction: Option<Vec<f64>>,
    report: TableReport,
}

impl Experiment {
    /// Begins to read results: the column of the arm, the value there that means *not contacted*, and the
    /// column that says who returned.
    #[must_use]
    pub fn params(
        arm: impl Into<String>,
        control: impl Into<String>,
        returned: impl Into<String>,
    ) -> ExperimentParams {
        ExperimentParams {
            table: TableParams::default(),
            arm: arm.into(),
            control: control.into(),
            returned: returned.into(),
            value: None,
            profit: None,
            strata: Vec::new(),
            score: None,
            prediction: None,
        }
    }

    /// Two arms put together elsewhere: the control's name and the other's, and who was treated.
    pub(super) fn of_two(control: &str, arm: &str, treated: &[bool], returned: Vec<bool>) -> Self {
        Experiment {
            arms: vec![control.to_owned(), arm.to_owned()],
            arm: treated.iter().map(|treated| u32::from(*treated)).collect(),
            returned,
            ..Experiment::default()
        }
    }

    /// How many customers.
    #[must_use]
    pub fn customers(&self) -> usize {
        self.arm.len()
    }

    /// The arms: the control first, the others in order of text.
    #[must_use]
    pub fn arms(&self) -> &[String] {
        &self.arms
    }

    /// What the reading found.
    #[must_use]
    pub fn report(&self) -> &TableReport {
        &self.report
    }

    /// Rows whose arms were drawn with the common shares.
    pub(super) fn drawn_alike(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.customers()).filter(|&row| self.drawn_otherwise.get(row) != Some(&true))
    }

    /// Customers per arm, of those drawn with the common shares.
    pub(super) fn sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.arms.len()];
        self.drawn_alike().for_each(|row| sizes[self.arm[row] as usize] += 1);
        sizes
    }

    /// Each row's stratum, the combination of all columns known before, and how many there are.
    pub(super) fn strata(&self) -> (Vec<u32>, usize) {
        let key = |row: usize| -> Vec<u32> { self.covariates.iter().map(|(_, codes)| codes[row]).collect() };
        let mut places: BTreeMap<Vec<u32>, u32> = (0..self.customers()).map(|row| (key(row), 0)).collect();
        for (place, code) in places.values_mut().enumerate() {
            *code = place as u32;
        }
        let strata = (0..self.customers()).map(|row| places.get(&key(row)).copied().unwrap_or(0));
        (strata.collect(), places.len())
    }

    fn put_control_first(&mut self, control: &str) -> Result<()> {
        let list = || self.arms.iter().take(10).map(|arm| shown(arm)).collect::<Vec<_>>().join(", ");
        let Some(place) = self.arms.iter().position(|arm| arm == control) else {
            let found = format!("{}, where the column of arms holds {}", shown(control), list());
            return Err(Error::parameter("control", found, "a value of the column of arms"));
        };
        if self.arms.len() < 2 || self.arms.len() > MOST_ARMS {
            let found = format!("{} different values, such as {}", self.arms.len(), list());
            return Err(Error::parameter("column of arms", found, "the control and 1 to 99 other arms"));
        }
        let control = self.arms.remove(place);
        self.arms.insert(0, control);
        for arm in &mut self.arm {
            *arm = match *arm as usize {
                own if own == place => 0,
                own if own < place => *arm + 1,
                _ => *arm,
            };
        }
        Ok(())
    }
}
