//! What does a customer bring, and which findings are they exposed to?

use crate::day::Day;
use crate::history::History;

/// Everyone's mean amount counts as so many purchases of a customer's own.
const MEAN_PURCHASES: f64 = 2.0;

/// A finding that some customers are exposed to: a segment value, by column and text, and what was found there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) segment: String,
    pub(crate) value: String,
    pub(crate) words: String,
}

/// Findings by segment column and code.
pub(crate) struct Exposures<'a> {
    found: Vec<(usize, u32, &'a str)>,
}

impl<'a> Exposures<'a> {
    pub(crate) fn new(history: &History, findings: &'a [Found]) -> Self {
        let found = findings.iter().filter_map(|finding| {
            let column = history.segment_index(&finding.segment)?;
            let values = history.segment_values(&finding.segment)?;
            let code = values.iter().position(|value| *value == finding.value)? as u32;
            Some((column, code, finding.words.as_str()))
        });
        Exposures { found: found.collect() }
    }

    /// By the value of the last order, which is how findings count exposure.
    pub(crate) fn of(&self, history: &History, rank: u32, as_of: Day) -> Vec<String> {
        let run = history.run(rank as usize).until(as_of);
        let is_exposed = |&&(column, code, _): &&(usize, u32, &str)| {
            run.segment(column).last().is_some_and(|&last| last == code)
        };
        self.found.iter().filter(is_exposed).map(|(.., words)| (*words).to_owned()).collect()
    }
}

/// What a purchase brings.
pub(crate) struct Amounts {
    /// Of everyone's purchases; NaN without amounts.
    mean: f64,
}

impl Amounts {
    pub(crate) fn new(history: &History, ranks: &[u32], as_of: Day) -> Self {
        let known = |&rank: &u32| history.run(rank as usize).until(as_of);
        let purchases: usize = ranks.iter().map(|rank| known(rank).days.len()).sum();
        if !history.reading().columns().has_amount() {
            return Amounts { mean: f64::NAN };
        }
        // Shares first, so that no sum of amounts overflows.
        let share = |amount: &f64| amount.max(0.0) / purchases as f64;
        Amounts { mean: ranks.iter().map(|rank| known(rank).net.iter().map(share).sum::<f64>()).sum() }
    }

    /// The customer's mean amount, drawn to everyone's.
    pub(crate) fn of(&self, history: &History, rank: u32, as_of: Day) -> f64 {
        let net = history.run(rank as usize).until(as_of).net;
        let weight = net.len() as f64 + MEAN_PURCHASES;
        net.iter().map(|amount| amount.max(0.0) / weight).sum::<f64>() + self.mean * (MEAN_PURCHASES / weight)
    }
}
