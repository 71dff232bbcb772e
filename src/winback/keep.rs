//! Whom do we want back? Not every customer is a keeper.

use std::fmt;

use rayon::prelude::*;
use serde::Serialize;

use super::planned::Decision;
use super::screens::{Favour, Screen, ScreenKind, Screened};
use crate::error::{Error, Result};
use crate::evidence::{Answer, Contact, Evidence, Incident, IncidentKind};
use crate::history::{History, Run};
use crate::losses::{Lapse, Lapses};

/// Purchases below which money tells too little of a customer.
const LEAST_PURCHASES: usize = 3;
/// Purchases from which on somebody spends regularly.
const REGULAR_PURCHASES: usize = 4;
/// From so many points against a customer on, we part.
const PART_FROM: i64 = 2;

/// An offer redeemed so many days after its contact at most brought the customer back.
const REDEEMED_WITHIN_DAYS: i32 = 90;
/// A life that was bought back counts as short below so many days.
const SHORT_LIFE_DAYS: i32 = 90;

/// Whom to want back: what speaks for a customer, one point each, against what speaks against them.
///
/// | for | one point each |
/// |---|---|
/// | persona | one of those wanted, where a table of customers says so |
/// | regular | 4 purchases or more |
/// | praise | they praised us |
/// | refers | they recommended us, by a table of contacts |
/// | sterling record | 4 purchases or more, and nothing bad known, before what went wrong |
///
/// | against | default limit | default weight |
/// |---|---|---|
/// | net margin below | 0 | 2 |
/// | unpaid bills above | 0 | 2 |
/// | late payments above | 2 | 1 |
/// | cases of abuse above | 0 | 3 |
/// | complaints above | 4 | 1 |
/// | share of purchases with a discount above | .9 | 1 |
/// | short lives that a discount or an offer began above | 1 | 2 |
///
/// With no more points against than for, the customer is pursued; with one more, kept in touch; with two or more, we
/// part amicably. Incidents count for two years. Money is looked at from 3 purchases on; where little is known, the
/// customer is pursued.
///
/// ```
/// use winback::winback::{KeepPolicy, ScreenKind};
/// let policy = KeepPolicy::default().with_personas(["family"]).with_screen(ScreenKind::Complaint, 2.0, 0);
/// assert_eq!(policy.screens().len(), 7);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeepPolicy {
    personas: Vec<String>,
    screens: Vec<Screen>,
    look_back_days: i32,
}

impl Default for KeepPolicy {
    fn default() -> Self {
        let of = |kind| {
            let (limit, weight) = match kind {
                ScreenKind::NetMargin | ScreenKind::Unpaid => (0.0, 2),
                ScreenKind::LatePayment => (2.0, 1),
                ScreenKind::Abuse => (0.0, 3),
                ScreenKind::Complaint => (4.0, 1),
                ScreenKind::DiscountOnly => (0.9, 1),
                ScreenKind::BoughtBack => (1.0, 2),
            };
            Screen { kind, limit, weight }
        };
        KeepPolicy { personas: Vec::new(), screens: ScreenKind::ALL.map(of).to_vec(), look_back_days: 730 }
    }
}

impl KeepPolicy {
    /// Names the personas that are wanted.
    #[must_use]
    pub fn with_personas<S: Into<String>>(mut self, personas: impl IntoIterator<Item = S>) -> Self {
        self.personas = personas.into_iter().map(Into::into).collect();
        self
    }

    /// Sets limit and weight of a screen.
    #[must_use]
    pub fn with_screen(mut self, kind: ScreenKind, limit: f64, weight: u32) -> Self {
        self.screens.iter_mut().filter(|screen| screen.kind == kind).for_each(|screen| {
            (screen.limit, screen.weight) = (limit, weight);
        });
        self
    }

    /// Sets for how many days incidents count, at least 1.
    #[must_use]
    pub fn with_look_back_days(mut self, days: i32) -> Self {
        self.look_back_days = days;
        self
    }

    /// The screens, in order of kind.
    #[must_use]
    pub fn screens(&self) -> &[Screen] {
        &self.screens
    }

    pub(crate) fn check(&self) -> Result<()> {
        if let Some(screen) = self.screens.iter().find(|screen| !screen.limit.is_finite()) {
            let found = format!("{} for {:?}", screen.limit, screen.kind);
            return Err(Error::parameter("limit of a screen", found, "a finite number"));
        }
        match self.look_back_days >= 1 {
            true => Ok(()),
            false => Err(Error::parameter("days that incidents count", self.look_back_days, "at least 1")),
        }
    }

    /// Weighs every customer who had bought by the day of the lapses, in order of customer.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a limit that is not finite, or a margin outside 0 to 1.
    pub fn weigh(
        &self,
        history: &History,
        lapses: &Lapses,
        evidence: &Evidence,
        margin_fraction: f64,
    ) -> Result<Vec<Keep>> {
        self.check()?;
        if !(0.0..=1.0).contains(&margin_fraction) {
            return Err(Error::parameter("margin", margin_fraction, "a share, 0 to 1"));
        }
        let as_of = lapses.as_of();
        let since = as_of.plus_days(-self.look_back_days);
        let mut incidents: Vec<(u32, &Incident)> = evidence.incidents().map_or_else(Vec::new, |table| {
            let known = table.rows().iter().filter(|row| row.occurred_on > since && row.occurred_on <= as_of);
            let rank = |row: &Incident| history.ids().rank_of(&row.customer_id);
            known.filter_map(|row| Some((rank(row)? as u32, row))).collect()
        });
        incidents.sort_by_key(|(rank, row)| (*rank, row.occurred_on, row.kind));
        let mut contacts: Vec<(u32, &Contact)> = evidence.contacts().map_or_else(Vec::new, |table| {
            let rank = |row: &Contact| history.ids().rank_of(&row.customer_id);
            let known = table.rows().iter().filter(|row| row.on <= as_of);
            known.filter_map(|row| Some((rank(row)? as u32, row))).collect()
        });
        contacts.sort_by_key(|(rank, row)| (*rank, row.on));
        let suppressed = evidence.suppressions().map(|list| list.by_rank(history, as_of));
        let customers = evidence.customers().map(|table| table.by_rank(history));
        let all = lapses.lapses();
        let weigh = |life: &crate::losses::Life| {
            let rank = life.rank();
            if let Some(row) = suppressed.as_ref().and_then(|list| list.get(&rank)) {
                let why = row.reason.clone().unwrap_or_default();
                return Keep {
                    decision: Decision::Suppressed,
                    favours: Vec::new(),
                    screened: Vec::new(),
                    why,
                };
            }
            let contacts = of_rank(&contacts, rank);
            if let Some(row) = contacts.iter().find(|row| row.answer == Answer::OptedOut) {
                let why = format!("they opted out on {}", row.on);
                return Keep {
                    decision: Decision::Suppressed,
                    favours: Vec::new(),
                    screened: Vec::new(),
                    why,
                };
            }
            let own = of_rank(&incidents, rank);
            let lapses = &all[all.partition_point(|lapse| lapse.rank() < rank)..];
            let lapses = &lapses[..lapses.partition_point(|lapse| lapse.rank() == rank)];
            let run = history.run(rank as usize).until(as_of);
            let persona = customers.as_ref().and_then(|table| table.get(&rank)?.persona.as_deref());
            let record =
                Record { run, incidents: &own, contacts: &contacts, lapses, persona, margin_fraction };
            self.weigh_one(&record)
        };
        Ok(lapses.lives().par_iter().map(weigh).collect())
    }

    fn weigh_one(&self, record: &Record) -> Keep {
        let favours = record.favours(&self.personas);
        let screened: Vec<Screened> = self
            .screens
            .iter()
            .filter(|screen| screen.weight > 0)
            .filter_map(|screen| record.screen(screen))
            .collect();
        let against: i64 = screened.iter().map(|one| i64::from(one.screen.weight)).sum();
        let decision = match against - favours.len() as i64 {
            _ if screened.is_empty() => Decision::Pursue,
            points if points >= PART_FROM => Decision::PartAmicably,
            points if points > 0 => Decision::KeepInTouch,
            _ => Decision::Pursue,
        };
        Keep { decision, favours, screened, why: String::new() }
    }
}

/// One customer's rows of a table in order of rank.
fn of_rank<'a, T>(rows: &[(u32, &'a T)], rank: u32) -> Vec<&'a T> {
    let from = rows.partition_point(|(other, _)| *other < rank);
    rows[from..].iter().take_while(|(other, _)| *other == rank).map(|(_, row)| *row).collect()
}

/// What is known of one customer.
struct Record<'a> {
    run: Run<'a>,
    incidents: &'a [&'a Incident],
    contacts: &'a [&'a Contact],
    lapses: &'a [Lapse],
    persona: Option<&'a str>,
    margin_fraction: f64,
}

impl Record<'_> {
    fn favours(&self, personas: &[String]) -> Vec<Favour> {
        let mut found = Vec::new();
        if self.persona.is_some_and(|persona| personas.iter().any(|wanted| wanted == persona)) {
            found.push(Favour::Persona);
        }
        if self.run.days.len() >= REGULAR_PURCHASES {
            found.push(Favour::Regular);
        }
        if self.incidents.iter().any(|incident| incident.kind == IncidentKind::Praise) {
            found.push(Favour::Praise);
        }
        if self.contacts.iter().any(|contact| contact.referred_id.is_some()) {
            found.push(Favour::Refers);
        }
        let failed = |kind| matches!(kind, IncidentKind::ServiceFailure | IncidentKind::LateDelivery);
        if let Some(failure) = self.incidents.iter().position(|incident| failed(incident.kind)) {
            let on = self.incidents[failure].occurred_on.days_since_epoch();
            let before = self.run.days.partition_point(|&day| day < on);
            let clean =
                self.incidents[..failure].iter().all(|incident| incident.kind == IncidentKind::Praise);
            if clean && before >= REGULAR_PURCHASES {
                found.push(Favour::SterlingRecord);
            }
        }
        found
    }

    fn screen(&self, screen: &Screen) -> Option<Screened> {
        let count = |kind| self.incidents.iter().filter(|incident| incident.kind == kind).count() as f64;
        let days = self.run.days.len();
        let (found, speaks) = match screen.kind {
            ScreenKind::NetMargin => {
                let returned: f64 = self.run.refund_amounts.iter().map(|amount| amount.abs()).sum();
                let sales = self.run.net.iter().sum::<f64>() - returned;
                let cost = |incident: &&&Incident| {
                    use IncidentKind::{Abuse, LatePayment, Unpaid};
                    matches!(incident.kind, Abuse | LatePayment | Unpaid)
                };
                let costs: f64 =
                    self.incidents.iter().filter(cost).filter_map(|incident| incident.cost).sum();
                let margin = self.margin_fraction * sales - costs;
                (margin, !self.run.net.is_empty() && days >= LEAST_PURCHASES && margin < screen.limit)
            }
            ScreenKind::DiscountOnly => {
                let taken = self.run.discount.iter().filter(|discount| discount.abs() > 0.0).count();
                let share = taken as f64 / days.max(1) as f64;
                (share, !self.run.discount.is_empty() && days >= LEAST_PURCHASES && share > screen.limit)
            }
            ScreenKind::BoughtBack => {
                let short = self.bought_back_days().iter().filter(|days| **days < SHORT_LIFE_DAYS).count();
                (short as f64, short as f64 > screen.limit)
            }
            ScreenKind::Unpaid => (count(IncidentKind::Unpaid), count(IncidentKind::Unpaid) > screen.limit),
            ScreenKind::LatePayment => {
                (count(IncidentKind::LatePayment), count(IncidentKind::LatePayment) > screen.limit)
            }
            ScreenKind::Abuse => (count(IncidentKind::Abuse), count(IncidentKind::Abuse) > screen.limit),
            ScreenKind::Complaint => {
                let answers =
                    self.contacts.iter().filter(|contact| contact.answer == Answer::Complained).count();
                let complaints = count(IncidentKind::Complaint) + answers as f64;
                (complaints, complaints > screen.limit)
            }
        };
        let lives = if screen.kind == ScreenKind::BoughtBack { self.bought_back_days() } else { Vec::new() };
        speaks.then_some(Screened { screen: *screen, found, lives })
    }

    /// How long each ended life lasted that a purchase with a discount began, or one for which an offer was redeemed.
    fn bought_back_days(&self) -> Vec<i32> {
        let mut found = Vec::new();
        for pair in self.lapses.windows(2) {
            let Some(back) = pair[0].returned_on else { continue };
            let at = self.run.days.partition_point(|&day| day < back.days_since_epoch());
            let has_discount = self.run.discount.get(at).is_some_and(|discount| discount.abs() > 0.0);
            let has_redeemed = self.contacts.iter().any(|contact| {
                let before = (0..=REDEEMED_WITHIN_DAYS).contains(&back.days_since(contact.on));
                before && contact.redeemed_amount.is_some_and(|amount| amount > 0.0)
            });
            if has_discount || has_redeemed {
                found.push(pair[1].last_purchase.days_since(back));
            }
        }
        found
    }
}

/// Whether a customer is wanted back, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Keep {
    /// What is to become of them: [`Decision::Pursue`], [`Decision::KeepInTouch`], [`Decision::PartAmicably`], or
    /// [`Decision::Suppressed`].
    pub decision: Decision,
    /// What speaks for them.
    pub favours: Vec<Favour>,
    /// What speaks against them.
    pub screened: Vec<Screened>,
    /// Why nobody may contact them, in the list's own words.
    pub why: String,
}

impl Keep {
    /// Whether the customer would have to be bought back every few months.
    #[must_use]
    pub fn is_bought_back(&self) -> bool {
        self.screened.iter().any(|one| one.screen.kind == ScreenKind::BoughtBack)
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |all: Vec<String>| all.join("; ");
        let against = joined(self.screened.iter().map(ToString::to_string).collect());
        let favours = joined(self.favours.iter().map(ToString::to_string).collect());
        match (self.decision, against.is_empty(), favours.is_empty()) {
            (Decision::Suppressed, ..) if self.why.is_empty() => f.write_str("nobody may contact them"),
            (Decision::Suppressed, ..) => write!(f, "nobody may contact them: {}", self.why),
            (_, true, true) => f.write_str("nothing speaks against them"),
            (_, true, false) => f.write_str(&favours),
            (_, false, true) => f.write_str(&against),
            (Decision::Pursue, ..) => write!(f, "{favours}; that outweighs: {against}"),
            (_, false, false) => write!(f, "{against}; that outweighs: {favours}"),
        }
    }
}
