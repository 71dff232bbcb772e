//! Whose ids may stand in a table: those of a log, or of a plan?

use std::collections::BTreeMap;

use super::table::SideTable;
use crate::history::History;

/// Whose ids are known.
pub(super) enum Known<'a> {
    /// Those of the log.
    Log(&'a History),
    /// These, each with a number of its own.
    Ids(BTreeMap<&'a str, u32>),
}

impl<'a> Known<'a> {
    pub(super) fn among(ids: impl IntoIterator<Item = &'a str>) -> Self {
        Known::Ids(ids.into_iter().zip(0..).collect())
    }

    /// Matches a column's ids, by canonical text.
    pub(super) fn match_ids(&self, table: &mut SideTable, column: &str) -> Vec<Option<u32>> {
        table.match_ids(column, self.example(), |id| self.place_of(self.plain(id)))
    }

    fn place_of(&self, id: &str) -> Option<u32> {
        match self {
            Known::Log(history) => history.ids().rank_of(id).map(|rank| rank as u32),
            Known::Ids(ids) => ids.get(id).copied(),
        }
    }

    /// The id without the `'` that plans and schedules write before it, where only that is known.
    pub(super) fn plain<'b>(&self, id: &'b str) -> &'b str {
        match id.strip_prefix('\'') {
            Some(plain) if self.place_of(id).is_none() && self.place_of(plain).is_some() => plain,
            _ => id,
        }
    }

    fn example(&self) -> Option<String> {
        match self {
            Known::Log(history) => (history.customers() > 0).then(|| history.ids().text(0).into_owned()),
            Known::Ids(ids) => ids.keys().next().map(|id| (*id).to_owned()),
        }
    }
}
