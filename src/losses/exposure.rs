//! Which findings is a customer exposed to?

use crate::day::Day;
use crate::history::History;

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
