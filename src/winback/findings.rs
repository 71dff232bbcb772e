//! What did the business do wrong where a customer bought, and what has it changed since?

use crate::day::Day;
use crate::evidence::{Cause, Change, Changes, Reason};
use crate::history::History;
use crate::losses::{Losses, Whose};

/// A systemic loss, by the segment value it stands for.
#[derive(Clone, Debug)]
pub(super) struct Found {
    column: usize,
    code: u32,
    /// `store Mill Lane`.
    pub(super) place: String,
    pub(super) whose: Whose,
    /// What was changed there by the day, and when.
    pub(super) changed: Option<(Day, String)>,
}

/// All of them, and all changes.
#[derive(Clone, Debug)]
pub(super) struct Findings {
    found: Vec<Found>,
    /// Column, code, what: changes that are meant for whom it did not fit.
    fits: Vec<(usize, u32, String)>,
    /// What was changed, for who wants it.
    changes: Vec<(Day, String)>,
}

impl Findings {
    pub(super) fn of(history: &History, losses: &Losses, changes: Option<&Changes>) -> Self {
        let as_of = losses.as_of();
        let known = || changes.into_iter().flat_map(Changes::rows).filter(|row| row.changed_on <= as_of);
        let place = |segment: &str, value: &str| {
            let column = history.segment_index(segment)?;
            let values = history.segment_values(segment)?;
            Some((column, values.iter().position(|other| other == value)? as u32))
        };
        let systemic = losses.systemic().into_iter().flat_map(|systemic| systemic.findings());
        let found = systemic.filter(|row| row.cause.is_none()).filter_map(|row| {
            let (column, code) = place(&row.segment, &row.value)?;
            let changed = known()
                .filter(|change| change.segment == row.segment && change.value == row.value)
                .max_by_key(|change| change.changed_on)
                .map(|change| (change.changed_on, words(change)));
            Some(Found {
                column,
                code,
                place: format!("{} {}", row.segment, row.value),
                whose: row.whose,
                changed,
            })
        });
        let fits =
            known().filter(|change| change.cause == Some(Cause::NotTheRightFit)).filter_map(|change| {
                let (column, code) = place(&change.segment, &change.value)?;
                Some((column, code, words(change)))
            });
        Findings {
            found: found.collect(),
            fits: fits.collect(),
            changes: known().map(|change| (change.changed_on, words(change))).collect(),
        }
    }

    /// Those a customer was exposed to: by the segment value of their last purchase.
    pub(super) fn of_customer<'a>(
        &'a self,
        history: &'a History,
        rank: u32,
        as_of: Day,
    ) -> impl Iterator<Item = &'a Found> {
        let run = history.run(rank as usize).until(as_of);
        self.found.iter().filter(move |found| run.segment(found.column).last() == Some(&found.code))
    }

    /// What now fits a customer whom it did not: at the segment value of their last purchase, or what they said they
    /// want.
    pub(super) fn fits(&self, history: &History, rank: u32, as_of: Day, reasons: &[&Reason]) -> Option<&str> {
        let run = history.run(rank as usize).until(as_of);
        let at_home = self
            .fits
            .iter()
            .find(|(column, code, _)| run.segment(*column).last() == Some(code))
            .map(|fit| &fit.2);
        let wanted = || {
            let wants = reasons.iter().filter_map(|reason| {
                Some((reason.lost_on, reason.wants.as_deref()?.trim().to_lowercase()))
                    .filter(|(_, w)| !w.is_empty())
            });
            let new = |lost_on: Option<Day>, on: Day| lost_on.is_none_or(|lost| on >= lost);
            wants.into_iter().find_map(|(lost_on, wants)| {
                let is =
                    |(on, what): &&(Day, String)| new(lost_on, *on) && what.to_lowercase().contains(&wants);
                self.changes.iter().find(is).map(|(_, what)| what)
            })
        };
        at_home.or_else(wanted).map(String::as_str)
    }
}

fn words(change: &Change) -> String {
    match &change.what {
        Some(what) => format!("{what} ({} {}, since {})", change.segment, change.value, change.changed_on),
        None => format!("{} {} was changed on {}", change.segment, change.value, change.changed_on),
    }
}
