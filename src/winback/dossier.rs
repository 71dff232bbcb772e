//! What is due for one customer, given all that has happened so far?

use super::phrases::{Offered, Phrase};
use super::planned::{Arm, Decision, PlannedCustomer};
use super::step::{FirstStep, StepKind};
use crate::day::Day;
use crate::evidence::{Answer, Contact, Incident, IncidentKind};

/// Days between one thing and the next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rhythm {
    /// From a mistake, or a complaint, to the apology.
    pub(super) apology_days: i32,
    /// A mistake older than this is no longer apologised for.
    pub(super) open_days: i32,
    /// From a contact to coming back to it; twice as many after a no.
    pub(super) follow_up_days: i32,
    /// Between any two contacts at least, but for promises and apologies.
    pub(super) cool_down_days: i32,
    /// Between signs of life.
    pub(super) in_touch_days: i32,
    /// The same after a no.
    pub(super) declined_days: i32,
    /// From a return, or a parting, to asking for a recommendation.
    pub(super) refer_days: i32,
}

/// A step that is due.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) kind: StepKind,
    pub(super) on: Day,
    pub(super) text: String,
}

/// All that is known of one customer on the day.
pub(super) struct Dossier<'a> {
    pub(super) row: &'a PlannedCustomer,
    /// Up to the day, by day.
    pub(super) contacts: Vec<&'a Contact>,
    /// Up to the day, by day.
    pub(super) incidents: Vec<&'a Incident>,
    /// Days of purchases up to the day, in days since 1970; empty where nothing is known.
    pub(super) purchases: &'a [i32],
    pub(super) as_of: Day,
}

impl<'a> Dossier<'a> {
    /// The steps due by the day: open promises, or else one step at most.
    pub(super) fn due(&self, rhythm: &Rhythm) -> Vec<Due> {
        if self.is_closed() {
            return Vec::new();
        }
        let promises = self.promises();
        if !promises.is_empty() {
            return promises;
        }
        let next = match self.mistake(rhythm) {
            Some((mistake, on)) => Some((
                StepKind::Apologise,
                on.plus_days(rhythm.apology_days),
                Phrase::Apologise { mistake, on },
            )),
            None => self.next(rhythm),
        };
        let due = next.filter(|(_, on, _)| *on <= self.as_of);
        due.map(|(kind, on, phrase)| Due { kind, on, text: phrase.to_string() }).into_iter().collect()
    }

    /// Who is held out, suppressed or has opted out hears nothing from us.
    fn is_closed(&self) -> bool {
        self.row.arm == Arm::Holdout
            || self.row.decision == Decision::Suppressed
            || self.contacts.iter().any(|contact| contact.answer == Answer::OptedOut)
    }

    /// Promises that are due and not kept.
    fn promises(&self) -> Vec<Due> {
        let as_of = self.as_of;
        let open = self.contacts.iter().filter_map(|contact| Some((contact.on, contact.promise.as_ref()?)));
        open.filter(|(_, promise)| promise.due <= as_of && promise.kept_on.is_none_or(|kept| kept > as_of))
            .map(|(made_on, promise)| Due {
                kind: StepKind::Promise,
                on: promise.due,
                text: Phrase::Promise { promise, made_on, as_of }.to_string(),
            })
            .collect()
    }

    /// Contacts but for kept promises.
    fn talks(&self) -> impl DoubleEndedIterator<Item = &'a Contact> + Clone {
        let is_talk = |contact: &&&Contact| kind_of(contact) != Some(StepKind::Promise);
        self.contacts.iter().filter(is_talk).copied()
    }

    /// The latest mistake that nobody has spoken to them about: what it was, and when.
    fn mistake(&self, rhythm: &Rhythm) -> Option<(Option<IncidentKind>, Day)> {
        let last = self.talks().next_back();
        if let Some(complaint) = last.filter(|contact| contact.answer == Answer::Complained) {
            return Some((None, complaint.on));
        }
        let is_ours = |kind| {
            matches!(
                kind,
                IncidentKind::ServiceFailure | IncidentKind::LateDelivery | IncidentKind::Complaint
            )
        };
        let incident = self.incidents.iter().rfind(|incident| is_ours(incident.kind))?;
        let on = incident.occurred_on;
        let is_old = self.as_of.days_since(on) > rhythm.open_days;
        let is_spoken_of = last.is_some_and(|contact| contact.on >= on);
        // What was known when the plan was made is part of its first step.
        let is_planned_for = on <= self.row.planned_on && self.row.first_step.is_some();
        (!is_old && !is_spoken_of && !is_planned_for).then_some((Some(incident.kind), on))
    }

    fn next(&self, rhythm: &Rhythm) -> Option<(StepKind, Day, Phrase<'a>)> {
        let last = self.talks().next_back();
        let Some((first, first_on)) = self.row.first_step.as_ref().zip(self.row.first_step_on) else {
            // No plan for them: an apology alone is followed up, unless they have bought since.
            let apology = last.filter(|contact| kind_of(contact) == Some(StepKind::Apologise))?;
            let on = apology.on;
            let has_bought = self.bought_after(on).is_some();
            return (!has_bought).then(|| {
                (StepKind::FollowUp, on.plus_days(rhythm.follow_up_days), Phrase::AfterApology { on })
            });
        };
        if let Some(returned_on) = self.bought_after(self.row.planned_on) {
            let has_been_asked = self.talks().any(|contact| kind_of(contact) == Some(StepKind::Refer));
            let refer = Phrase::ReferAfterReturn { returned_on };
            return (self.is_friendly() && !has_been_asked)
                .then(|| (StepKind::Refer, returned_on.plus_days(rhythm.refer_days), refer));
        }
        let since: Vec<&Contact> = self.talks().filter(|contact| contact.on >= self.row.planned_on).collect();
        let is_first = |contact: &&&Contact| {
            first.kind == StepKind::Apologise || kind_of(contact) != Some(StepKind::Apologise)
        };
        let cool = last.map_or(first_on, |contact| first_on.max(contact.on.plus_days(rhythm.cool_down_days)));
        match since.iter().filter(is_first).count() {
            0 => Some((first.kind, cool, Phrase::First { step: first, as_of: self.as_of })),
            _ => self.after(first, &since, rhythm),
        }
    }

    /// What follows the contacts of this plan.
    fn after(
        &self,
        first: &FirstStep,
        since: &[&Contact],
        rhythm: &Rhythm,
    ) -> Option<(StepKind, Day, Phrase<'a>)> {
        let last = *since.last()?;
        let kind = kind_of(last).unwrap_or(if since.len() == 1 { first.kind } else { StepKind::FollowUp });
        let days = |days: i32| last.on.plus_days(days.max(rhythm.cool_down_days));
        let has_said_no = last.answer == Answer::Declined;
        let wait = if has_said_no { 2 * rhythm.follow_up_days } else { rhythm.follow_up_days };
        let offer = Offered { name: self.row.offer.as_deref(), until: first.until, as_of: self.as_of };
        let is_invited = since.iter().any(|contact| kind_of(contact) == Some(StepKind::Invite));
        let follow_up = || {
            Some((
                StepKind::FollowUp,
                days(wait),
                Phrase::FollowUp { offer, wrote_on: last.on, answer: last.answer },
            ))
        };
        match kind {
            StepKind::Ask | StepKind::Apologise if !has_said_no && !is_invited && offer.name.is_some() => {
                let phrase = Phrase::Invite { offer, asked_on: last.on, answer: last.answer };
                let wait = if last.answer == Answer::None { rhythm.follow_up_days } else { 0 };
                Some((StepKind::Invite, days(wait), phrase))
            }
            StepKind::Ask | StepKind::Apologise | StepKind::Invite => follow_up(),
            StepKind::Part => {
                let refer = Phrase::ReferAfterParting { parted_on: last.on };
                self.is_friendly().then(|| (StepKind::Refer, days(rhythm.refer_days), refer))
            }
            StepKind::Refer if self.row.decision == Decision::PartAmicably => None,
            StepKind::FollowUp | StepKind::KeepInTouch | StepKind::Refer | StepKind::Promise => {
                let no = self.talks().rfind(|contact| contact.answer == Answer::Declined);
                let is_slow = no.is_some() || self.row.decision == Decision::KeepInTouch;
                let wait = if is_slow { rhythm.declined_days } else { rhythm.in_touch_days };
                let declined_on = no.map(|contact| contact.on);
                Some((StepKind::KeepInTouch, days(wait), Phrase::KeepInTouch { declined_on }))
            }
        }
    }

    /// The first purchase after a day.
    fn bought_after(&self, day: Day) -> Option<Day> {
        let next = self.purchases.partition_point(|&bought| bought <= day.days_since_epoch());
        self.purchases.get(next).map(|&bought| Day::from_days_since_epoch(bought))
    }

    /// The last thing they said was a yes, and they never complained.
    fn is_friendly(&self) -> bool {
        let said = self.talks().rfind(|contact| contact.answer != Answer::None);
        said.is_some_and(|contact| contact.answer == Answer::Accepted)
            && !self.contacts.iter().any(|contact| contact.answer == Answer::Complained)
    }
}

fn kind_of(contact: &Contact) -> Option<StepKind> {
    contact.step.as_deref().and_then(StepKind::parse)
}
