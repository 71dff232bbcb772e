//! What is to be done on the day, by whom, in which words? Steps within what staff can do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use polars::prelude::{Column, DataFrame};
use serde::Serialize;

use super::dossier::{Dossier, Due, Rhythm};
use super::sheet::PlanSheet;
use super::step::StepKind;
use crate::day::Day;
use crate::error::{Error, Result, shown};
use crate::evidence::{Contact, Evidence, Incident};
use crate::history::History;
use crate::table;

/// Where neither the plan nor an earlier contact names a channel.
const DEFAULT_CHANNEL: &str = "phone";

/// When steps are due, and how many can be done.
///
/// | setting | default |
/// |---|---|
/// | from a mistake or a complaint to the apology | 1 day; after 60 days it is too late for one |
/// | from a contact to coming back to it | 7 days, after a no 14 |
/// | between any two contacts, but for promises and apologies | 5 days at least |
/// | keeping in touch | every 45 days, after a no every 90 |
/// | from a return or a parting to asking for a recommendation | 14 days |
/// | capacity per channel | no limit |
#[derive(Clone, Debug, PartialEq)]
pub struct ScheduleParams {
    rhythm: Rhythm,
    capacities: BTreeMap<String, usize>,
}

impl ScheduleParams {
    /// Sets how many steps can be done on a channel in a day; 0 closes it, for promises too.
    #[must_use]
    pub fn with_capacity(mut self, channel: impl Into<String>, steps: usize) -> Self {
        self.capacities.insert(channel.into(), steps);
        self
    }

    /// Sets the days from a contact to coming back to it, at least 1; twice as many after a no.
    #[must_use]
    pub fn with_follow_up_days(mut self, days: i32) -> Self {
        self.rhythm.follow_up_days = days;
        self
    }

    /// Sets the days between any two contacts at least, from 0 on.
    #[must_use]
    pub fn with_cool_down_days(mut self, days: i32) -> Self {
        self.rhythm.cool_down_days = days;
        self
    }

    /// Sets the days between signs of life, and those after a no, both at least 1.
    #[must_use]
    pub fn with_in_touch_days(mut self, days: i32, after_a_no: i32) -> Self {
        (self.rhythm.in_touch_days, self.rhythm.declined_days) = (days, after_a_no);
        self
    }

    /// All steps that are due on a day or before, and not done. Of contacts, incidents and orders, those up to the
    /// day count. Without a history nobody is known to have returned.
    ///
    /// Who is held out, suppressed or has opted out gets none. Who has bought since the plan was made gets none of the
    /// plan's steps. A promise that is due comes before anything else for its customer, and on the list.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a setting out of range, or a capacity of a channel that neither the plan nor a contact uses.
    pub fn due(
        &self,
        plan: &PlanSheet,
        evidence: &Evidence,
        history: Option<&History>,
        as_of: Day,
    ) -> Result<Schedule> {
        self.check()?;
        let mut contacts: BTreeMap<&str, Vec<&Contact>> = BTreeMap::new();
        let mut incidents: BTreeMap<&str, Vec<&Incident>> = BTreeMap::new();
        let mut notes = Vec::new();
        if let Some(table) = evidence.contacts() {
            let known = table.rows().iter().filter(|contact| contact.on <= as_of);
            known.for_each(|contact| contacts.entry(&contact.customer_id).or_default().push(contact));
            contacts.values_mut().for_each(|own| own.sort_by_key(|contact| contact.on));
            let later = table.rows().iter().filter(|contact| contact.on > as_of).count();
            if later > 0 {
                notes.push(format!("{later} contacts are later than {as_of}, and do not count"));
            }
        }
        if let Some(table) = evidence.incidents() {
            let known = table.rows().iter().filter(|incident| incident.occurred_on <= as_of);
            known.for_each(|incident| incidents.entry(&incident.customer_id).or_default().push(incident));
            incidents.values_mut().for_each(|own| own.sort_by_key(|incident| incident.occurred_on));
        }
        let (mut found, mut unknown) = (Vec::new(), 0);
        for (place, row) in plan.rows().iter().enumerate() {
            let id = row.customer_id.as_str();
            let rank = history.and_then(|history| history.ids().rank_of(id));
            unknown += usize::from(history.is_some() && rank.is_none());
            let run = history.zip(rank).map(|(history, rank)| history.run(rank).until(as_of));
            let dossier = Dossier {
                row,
                contacts: contacts.get(id).cloned().unwrap_or_default(),
                incidents: incidents.get(id).cloned().unwrap_or_default(),
                purchases: run.map_or(&[], |run| run.days),
                as_of,
            };
            let last = dossier.contacts.iter().rev().find_map(|contact| contact.channel.as_deref());
            let own = row.first_step.as_ref().map(|step| step.channel.as_str());
            let channel = own.or(last).unwrap_or(DEFAULT_CHANNEL);
            found.extend(dossier.due(&self.rhythm).into_iter().map(|due| (place, channel, due)));
        }
        if unknown > 0 {
            notes.push(format!(
                "{unknown} customers of the plan are not in the orders: whether they returned is not known"
            ));
        }
        if let Some(history) = history.filter(|history| history.observed_until() < as_of) {
            notes.push(format!(
                "orders are known until {}: later returns do not show",
                history.observed_until()
            ));
        }
        self.check_channels(plan, evidence, found.iter().map(|(_, channel, _)| *channel))?;
        for (channel, most) in &self.capacities {
            match (found.iter().filter(|(_, own, _)| own == channel).count(), most) {
                (0, _) => notes.push(format!("nothing is due on channel {}", shown(channel))),
                (due, 0) => {
                    notes.push(format!("channel {} is closed: {due} steps are left out", shown(channel)))
                }
                _ => {}
            }
        }
        found.retain(|(_, channel, _)| self.capacities.get(*channel) != Some(&0));
        let mut steps = self.dated(plan, found, as_of);
        steps.sort_by_key(|(place, step)| {
            (step.step != StepKind::Promise, step.due_on, step.channel.clone(), rank(step.step), *place)
        });
        Ok(Schedule { as_of, steps: steps.into_iter().map(|(_, step)| step).collect(), notes })
    }

    /// Gives each step the day it is due, or the first later one with room on its channel.
    fn dated(&self, plan: &PlanSheet, mut found: Vec<(usize, &str, Due)>, as_of: Day) -> Vec<(usize, Step)> {
        let profit = |place: usize| plan.rows()[place].expected_profit_amount.unwrap_or(0.0);
        // Whoever is waited for most, then who has waited longest, then who is worth most.
        found.sort_by(|(a, _, one), (b, _, other)| {
            (rank(one.kind), one.on)
                .cmp(&(rank(other.kind), other.on))
                .then(profit(*b).total_cmp(&profit(*a)))
                .then(a.cmp(b))
        });
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        let dated = found.into_iter().map(|(place, channel, due)| {
            let before = taken.entry(channel).or_default();
            let later = match self.capacities.get(channel) {
                // Promises are kept when they are due, whatever else has to wait.
                Some(&most) if due.kind != StepKind::Promise => *before / most,
                _ => 0,
            };
            *before += 1;
            let row = &plan.rows()[place];
            let step = Step {
                customer_id: row.customer_id.clone(),
                due_on: if later == 0 {
                    due.on
                } else {
                    as_of.plus_days(i32::try_from(later).unwrap_or(i32::MAX))
                },
                step: due.kind,
                channel: channel.to_owned(),
                offer: row.offer.clone().filter(|_| {
                    !matches!(due.kind, StepKind::Refer | StepKind::Part | StepKind::KeepInTouch)
                }),
                text: due.text,
            };
            (place, step)
        });
        dated.collect()
    }

    fn check(&self) -> Result<()> {
        let Rhythm {
            apology_days,
            open_days,
            follow_up_days,
            cool_down_days,
            in_touch_days,
            declined_days,
            refer_days,
        } = self.rhythm;
        for (name, days, least) in [
            ("apology_days", apology_days, 0),
            ("open_days", open_days, 1),
            ("follow_up_days", follow_up_days, 1),
            ("cool_down_days", cool_down_days, 0),
            ("in_touch_days", in_touch_days, 1),
            ("in_touch_days after a no", declined_days, 1),
            ("refer_days", refer_days, 0),
        ] {
            if !(least..=36_500).contains(&days) {
                return Err(Error::parameter(
                    name,
                    days,
                    "at least 1 day (0 between contacts), at most 36,500",
                ));
            }
        }
        Ok(())
    }

    /// A capacity of a channel that nobody uses is one misspelt.
    fn check_channels<'a>(
        &self,
        plan: &'a PlanSheet,
        evidence: &'a Evidence,
        due: impl Iterator<Item = &'a str>,
    ) -> Result<()> {
        let planned = plan.rows().iter().filter_map(|row| Some(row.first_step.as_ref()?.channel.as_str()));
        let contacts = evidence.contacts().into_iter().flat_map(|table| table.rows());
        let used = contacts.filter_map(|contact| contact.channel.as_deref());
        let known: BTreeSet<&str> = planned.chain(used).chain(due).collect();
        match self.capacities.keys().find(|channel| !known.contains(channel.as_str())) {
            Some(channel) => {
                let names: Vec<String> = known.into_iter().map(shown).collect();
                let names = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
                let found = format!("one of channel {}, where the channels are: {names}", shown(channel));
                Err(Error::parameter("capacity", found, "a channel that the plan or a contact uses"))
            }
            None => Ok(()),
        }
    }
}

fn rank(kind: StepKind) -> usize {
    StepKind::ALL.iter().position(|other| *other == kind).unwrap_or(usize::MAX)
}

/// One step to be done.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Step {
    /// For whom.
    pub customer_id: String,
    /// When it is due; where its channel has no room then, the first day that has. A promise keeps its own day.
    pub due_on: Day,
    /// What it is for.
    pub step: StepKind,
    /// How the customer is reached.
    pub channel: String,
    /// What is offered, where something is.
    pub offer: Option<String>,
    /// What to do.
    pub text: String,
}

/// All steps due: promises first, the others by day, channel and kind.
///
/// ```
/// use winback::evidence::Evidence;
/// use winback::winback::{Arm, Decision, FirstStep, Measured, PlanSheet, PlannedCustomer, Schedule};
///
/// let planned_on = "2024-06-30".parse()?;
/// let customer = |id: &str, arm| PlannedCustomer {
///     offer: Some("ten-off".to_owned()), arm, stratum: Some("all".to_owned()), campaign: Some("spring".to_owned()),
///     primary_outcome: Some(Measured::Returned), measure_until: "2024-09-30".parse().ok(), cost_amount: Some(1.0),
///     first_step: FirstStep::parse("invite by email until 2024-08-01: Thank them, and ask them to buy again."),
///     first_step_on: Some(planned_on),
///     ..PlannedCustomer::new(id, Decision::Pursue, planned_on)
/// };
/// let plan = PlanSheet::new(vec![customer("a", Arm::Treated), customer("b", Arm::Holdout)])?;
/// let schedule = Schedule::params().due(&plan, &Evidence::default(), None, planned_on)?;
/// assert_eq!(schedule.steps().len(), 1); // nobody speaks to who is held out
/// assert_eq!(schedule.steps()[0].customer_id, "a");
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Schedule {
    as_of: Day,
    steps: Vec<Step>,
    notes: Vec<String>,
}

impl Schedule {
    /// Begins to schedule.
    #[must_use]
    pub fn params() -> ScheduleParams {
        let rhythm = Rhythm {
            apology_days: 1,
            open_days: 60,
            follow_up_days: 7,
            cool_down_days: 5,
            in_touch_days: 45,
            declined_days: 90,
            refer_days: 14,
        };
        ScheduleParams { rhythm, capacities: BTreeMap::new() }
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What did not count, or is not known.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Writes the steps as CSV or Parquet, by the ending of its name, whole or not at all; ids as in a [`PlanSheet`].
    ///
    /// # Errors
    /// [`Error::Parameter`] and [`Error::Unwritable`], as [`table::write`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        table::write_with_ids(&self.to_frame()?, "customer_id", path)
    }

    /// `customer_id, due_on, step, channel, offer, text`.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let steps = &self.steps;
        let texts = |name: &str, of: &dyn Fn(&Step) -> Option<String>| {
            Column::new(name.into(), steps.iter().map(of).collect::<Vec<_>>())
        };
        table::frame(vec![
            texts("customer_id", &|step| Some(step.customer_id.clone())),
            table::dates("due_on", steps.iter().map(|step| step.due_on)),
            texts("step", &|step| Some(step.step.name().to_owned())),
            texts("channel", &|step| Some(step.channel.clone())),
            texts("offer", &|step| step.offer.clone()),
            texts("text", &|step| Some(step.text.clone())),
        ])
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} steps are due by {}", self.steps.len(), self.as_of)?;
        let mut counts: BTreeMap<(usize, &str), (usize, usize)> = BTreeMap::new();
        for step in &self.steps {
            let (all, waiting) = counts.entry((rank(step.step), &step.channel)).or_default();
            *all += 1;
            *waiting += usize::from(step.due_on > self.as_of);
        }
        for ((kind, channel), (all, waiting)) in counts {
            write!(f, "\n  {} by {channel}: {all}", StepKind::ALL[kind])?;
            if waiting > 0 {
                write!(f, ", {waiting} of them wait for a day with room")?;
            }
        }
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        Ok(())
    }
}
