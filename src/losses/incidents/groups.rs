//! Which incidents are compared together, and what becomes of the others?

use serde::Serialize;

use super::compare::state;
use crate::day::Day;
use crate::evidence::{IncidentKind, Placed};
use crate::history::History;

/// Kinds with fewer exposed are told together.
pub(super) const LEAST_EXPOSED: usize = 20;

/// What became of the rows of the table. All but [`rows`](Self::rows) add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IncidentCounts {
    /// Rows that could be used.
    pub rows: usize,
    /// Equal to an earlier row in customer, day, kind and cost: one incident, told twice, and counted once.
    pub repeated: usize,
    /// Compared: by kind, or small ones together.
    pub compared: usize,
    /// Of customers who are not in the log.
    pub not_in_log: usize,
    /// After the day up to which losses are looked at.
    pub after_as_of: usize,
    /// Less than a horizon before that day, so that what followed is not known.
    pub too_late: usize,
    /// Of customers who had bought nothing in the horizon before.
    pub not_recent: usize,
    /// Of a kind that the same customer had met less than a horizon before; they count as a second one.
    pub again: usize,
}

/// Incidents that are compared together.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) name: String,
    /// Whether its incidents stand in groups of a kind too.
    pub(super) overlaps: bool,
    /// Incidents of it up to the day, compared or not.
    pub(super) incidents: usize,
    /// What these cost, of how many it is known.
    pub(super) cost: f64,
    pub(super) costs: usize,
    /// Customers and days compared.
    pub(super) exposed: Vec<(u32, Day)>,
}

/// The window in which incidents can be compared.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) history: &'a History,
    pub(super) latest: Day,
    pub(super) horizon_days: i32,
}

impl Scope<'_> {
    fn group(&self, name: String, all: &[Placed], counts: Option<&mut IncidentCounts>) -> Group {
        // What is not counted here is in a group of its kind.
        let overlaps = counts.is_none();
        let mut group =
            Group { name, overlaps, incidents: all.len(), cost: 0.0, costs: 0, exposed: Vec::new() };
        let mut none = IncidentCounts::default();
        let counts = counts.unwrap_or(&mut none);
        for &Placed { rank, day, cost, .. } in all {
            if let Some(cost) = cost {
                group.cost += cost;
                group.costs += 1;
            }
            let near = |last: &(u32, Day)| last.0 == rank && day.days_since(last.1) < self.horizon_days;
            let tally = match () {
                () if day > self.latest => &mut counts.too_late,
                () if state(self.history, rank, day, self.horizon_days).is_none() => &mut counts.not_recent,
                () if group.exposed.last().is_some_and(near) => &mut counts.again,
                () => {
                    group.exposed.push((rank, day));
                    &mut counts.compared
                }
            };
            *tally += 1;
        }
        group
    }

    /// By kind, then patterns; `all` by customer, day and kind, up to the day.
    pub(super) fn groups(&self, all: &[Placed], counts: &mut IncidentCounts) -> Vec<Group> {
        let of = |wanted: &dyn Fn(&Placed) -> bool| -> Vec<Placed> {
            all.iter().filter(|one| wanted(one)).copied().collect()
        };
        let (mut groups, mut small) = (Vec::new(), Vec::new());
        for kind in IncidentKind::ALL {
            let own = of(&|one| one.kind == kind);
            let mut of_kind = IncidentCounts::default();
            let group = self.group(kind.name().to_owned(), &own, Some(&mut of_kind));
            if group.exposed.len() >= LEAST_EXPOSED || kind == IncidentKind::Praise {
                counts.add(&of_kind);
                groups.push(group);
            } else {
                small.push(kind);
            }
        }
        let few = of(&|one| small.contains(&one.kind));
        groups.push(self.group("small ones together".to_owned(), &few, Some(counts)));
        let bad = of(&|one| one.kind != IncidentKind::Praise);
        let again = bad.windows(2).filter(|pair| {
            let days = pair[1].day.days_since(pair[0].day);
            pair[0].rank == pair[1].rank && (0..self.horizon_days).contains(&days)
        });
        let again: Vec<Placed> = again.map(|pair| pair[1]).collect();
        groups.push(self.group("two or more".to_owned(), &again, None));
        groups.extend(self.cheap(&bad));
        groups.retain(|group| group.incidents > 0);
        groups
    }

    /// Those that cost no more than half of all do, which nobody looks at one by one.
    fn cheap(&self, bad: &[Placed]) -> Option<Group> {
        let mut costs: Vec<f64> = bad.iter().filter_map(|one| one.cost).collect();
        costs.sort_unstable_by(f64::total_cmp);
        let limit = *costs.get(costs.len().saturating_sub(1) / 2)?;
        if costs.len() < 2 * LEAST_EXPOSED || costs.last().is_none_or(|&most| most <= limit) {
            return None;
        }
        let own = bad.iter().filter(|one| one.cost.is_some_and(|cost| cost <= limit));
        let own: Vec<Placed> = own.copied().collect();
        Some(self.group(format!("cost up to {limit:.2}"), &own, None))
    }
}

impl IncidentCounts {
    fn add(&mut self, other: &IncidentCounts) {
        self.compared += other.compared;
        self.too_late += other.too_late;
        self.not_recent += other.not_recent;
        self.again += other.again;
    }
}
