//! Which findings is a customer exposed to?

use super::drops::{DropKind, Drops, SuddenDrop};
use super::systemic::{DropBeside, Systemic, Verdict};
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

/// Sets each drop beside what is said of the losses at the same value, and says of the drop what follows.
pub(super) fn set_beside(systemic: &mut Systemic, drops: &mut Drops) {
    for row in systemic.rows.iter_mut().filter(|row| row.cause.is_none()) {
        let is_own = |drop: &&SuddenDrop| (&drop.segment, &drop.value) == (&row.segment, &row.value);
        let Some(place) = drops.rows.iter().position(|drop| is_own(&drop)) else { continue };
        let drop = &mut drops.rows[place];
        let SuddenDrop { date, size, kind, .. } = *drop;
        drop.steady =
            row.verdict == Verdict::Systemic && row.recent.as_ref().is_some_and(|recent| !recent.differs);
        row.beside(DropBeside { date, size, is_moved: kind == DropKind::Moved });
    }
}

/// What customers may be exposed to.
pub(super) fn findings(systemic: Option<&Systemic>, drops: &Drops) -> Vec<Found> {
    let recent = systemic.into_iter().flat_map(Systemic::recent_findings).map(|(finding, recent)| Found {
        segment: finding.segment.clone(),
        value: finding.value.clone(),
        words: format!(
            "{} {} lately loses {:.1} times as many as comparable customers elsewhere",
            finding.segment,
            finding.value,
            recent.lift.unwrap_or(f64::INFINITY)
        ),
    });
    let lost = drops.rows.iter().filter(|drop| drop.kind == DropKind::Lost);
    let whole = systemic.into_iter().flat_map(Systemic::findings).filter(|finding| finding.cause.is_none());
    let of_systemic = whole.map(|finding| Found {
        segment: finding.segment.clone(),
        value: finding.value.clone(),
        words: match finding.lift {
            Some(lift) => format!(
                "{} {} loses {lift:.1} times as many as comparable customers elsewhere",
                finding.segment, finding.value
            ),
            None => format!(
                "{} {} loses more than comparable customers elsewhere",
                finding.segment, finding.value
            ),
        },
    });
    let of_drops = lost.map(|drop| Found {
        segment: drop.segment.clone(),
        value: drop.value.clone(),
        words: format!("{} {}: its regulars fell off from {} on", drop.segment, drop.value, drop.date),
    });
    of_systemic.chain(recent).chain(of_drops).collect()
}
