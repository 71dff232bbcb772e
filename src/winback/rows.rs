//! How does a plan stand in its file, customer by customer?

use std::collections::{BTreeMap, BTreeSet};

use super::beliefs::Beliefs;
use super::cases::Case;
use super::findings::Findings;
use super::keep::Keep;
use super::offer::{EffectEvidence, Offer};
use super::options::Options;
use super::planned::{Arm, Decision, Measured, PlannedCustomer};
use super::search::{Chosen, Found};
use super::step::{FirstStep, StepKind};
use super::tactic::{Message, Tactic};
use crate::day::Day;
use crate::evidence::Cause;
use crate::history::History;
use crate::losses::{Losses, Whose};

/// What all rows share.
pub(super) struct Campaign<'a> {
    pub(super) name: &'a str,
    pub(super) planned_on: Day,
    pub(super) first_step_on: Day,
    pub(super) measure_until: Day,
    pub(super) margin_fraction: f64,
}

/// What the rows are made of.
pub(super) struct Rows<'a> {
    pub(super) campaign: Campaign<'a>,
    pub(super) offers: &'a [Offer],
    pub(super) beliefs: &'a Beliefs,
    pub(super) history: &'a History,
    pub(super) losses: &'a Losses,
    pub(super) findings: &'a Findings,
    /// In order of customer, as the lives of the losses.
    pub(super) keeps: &'a [Keep],
    pub(super) cases: &'a [Case],
    pub(super) options: &'a Options,
    pub(super) found: &'a Found,
    /// Rows of an earlier plan that stay, by id, in the order of the arms drawn before.
    pub(super) carried: &'a BTreeMap<&'a str, &'a PlannedCustomer>,
}

impl Rows<'_> {
    /// One row per customer of the log, in order of customer; then those of an earlier plan who are not in it.
    pub(super) fn all(&self) -> Vec<PlannedCustomer> {
        let mut rows = Vec::with_capacity(self.keeps.len());
        let mut cases = self.cases.iter().enumerate().peekable();
        let strata: BTreeMap<&str, &str> = self
            .carried
            .keys()
            .zip(&self.found.before)
            .map(|(id, (_, stratum))| (*id, stratum.as_str()))
            .collect();
        let mut seen = BTreeSet::new();
        for (life, keep) in self.losses.lapses().lives().iter().zip(self.keeps) {
            let rank = life.rank();
            let case = cases.next_if(|(_, case)| case.rank == rank);
            let id = self.history.ids().text(rank as usize).into_owned();
            if let Some(earlier) = self.carried.get(id.as_str()) {
                seen.insert(id.clone());
                rows.push(carried(earlier, strata.get(id.as_str()).copied(), keep));
                continue;
            }
            let mut row = PlannedCustomer::new(id, keep.decision, self.campaign.planned_on);
            match case {
                Some((at, case)) => self.fill(&mut row, at, case, keep),
                None => self.fill_buying(&mut row, rank, keep),
            }
            rows.push(row);
        }
        let rest = self.carried.iter().filter(|(id, _)| !seen.contains(**id));
        rows.extend(rest.map(|(id, row)| PlannedCustomer {
            stratum: strata.get(id).map(|stratum| (*stratum).to_owned()),
            ..(*row).clone()
        }));
        rows
    }

    /// Of who is lost or at risk.
    fn fill(&self, row: &mut PlannedCustomer, at: usize, case: &Case, keep: &Keep) {
        row.cause = case.cause;
        row.margin_fraction = Some(self.campaign.margin_fraction);
        row.predicted_return_probability = Some(case.p0.clamp(0.0, 1.0));
        let state = match case.is_lapsed {
            true => format!("lost for {:.0} days", case.risk),
            false => {
                format!("{:.0} % likely not to buy in {} days", 100.0 * case.risk, self.losses.horizon_days())
            }
        };
        let what = match (keep.decision, &self.found.chosen[at]) {
            (Decision::Pursue, Some(chosen)) => self.offered(row, case, chosen),
            (Decision::Pursue, None) if case.held_by.is_some() => format!(
                "the invitation is held: {} loses customers by our own doing, and nothing has been changed there yet",
                case.held_by.as_deref().unwrap_or_default()
            ),
            (Decision::Pursue, None) if case.cause == Cause::NotTheRightFit && !case.situation.fits_now => {
                row.decision = Decision::KeepInTouch;
                row.first_step = self
                    .step(StepKind::KeepInTouch, "Let them hear of us, and write when something new fits.");
                "it was not the right fit, and nothing new fits yet".to_owned()
            }
            (Decision::Pursue, None) => self.not_offered(at),
            (Decision::KeepInTouch, _) => {
                row.first_step =
                    self.step(StepKind::KeepInTouch, "Let them hear of us now and then; offer nothing.");
                keep.to_string()
            }
            (Decision::PartAmicably, _) => {
                row.first_step = self
                    .step(StepKind::Part, "Thank them for the time they were with us, and part as friends.");
                keep.to_string()
            }
            _ => keep.to_string(),
        };
        row.why = format!("{state}; {what}");
        if row.first_step.is_some() {
            row.first_step_on = Some(self.campaign.first_step_on);
        }
    }

    /// Of who still buys: nothing is to be done, but that who was exposed to what has been mended should hear of it.
    fn fill_buying(&self, row: &mut PlannedCustomer, rank: u32, keep: &Keep) {
        if keep.decision == Decision::Suppressed {
            row.why = keep.to_string();
            return;
        }
        let as_of = self.campaign.planned_on;
        let days = self.history.run(rank as usize).until(as_of).days;
        let last = days.last().copied().unwrap_or_default();
        let mended = self.findings.of_customer(self.history, rank, as_of).find_map(|found| {
            // Who bought there since has seen it.
            let (on, what) = found.changed.as_ref()?;
            (found.whose == Whose::Ours && last < on.days_since_epoch()).then_some(what)
        });
        match mended {
            Some(what) => {
                row.decision = Decision::KeepInTouch;
                row.first_step = self.step(StepKind::KeepInTouch, &format!("Say what has changed: {what}."));
                row.first_step_on = row.first_step.is_some().then_some(self.campaign.first_step_on);
                row.why = "still buys, and was exposed to what has been mended since".to_owned();
            }
            None => {
                row.decision = Decision::LeaveAlone;
                row.why = "neither lost nor at risk".to_owned();
            }
        }
    }

    fn offered(&self, row: &mut PlannedCustomer, case: &Case, chosen: &Chosen) -> String {
        let Campaign { name, first_step_on, measure_until, .. } = self.campaign;
        let Chosen { pick, arm, stratum, is_by_lot } = chosen;
        let offer = &self.offers[pick.offer as usize];
        let until =
            first_step_on.plus_days(i32::try_from(offer.valid_days).unwrap_or(i32::MAX / 2).min(36_500));
        let message = Message {
            cause: case.cause,
            is_lapsed: case.is_lapsed,
            offer,
            amount: pick.amount,
            until,
            changed: case.changed.as_deref(),
            figures: case.figures,
        };
        let tactic = Tactic::of(case.cause);
        row.offer = Some(offer.name.clone());
        row.arm = *arm;
        row.stratum = Some(stratum.clone());
        row.campaign = Some(name.to_owned());
        row.primary_outcome = Some(Measured::Returned);
        row.measure_until = Some(measure_until);
        row.cost_amount = Some(pick.cost.max(0.0));
        row.expected_profit_amount = Some(pick.profit);
        let kind = match tactic {
            Tactic::Apology => StepKind::Apologise,
            Tactic::AskFirst if case.is_lapsed => StepKind::Ask,
            _ => StepKind::Invite,
        };
        row.first_step = Some(FirstStep {
            kind,
            channel: offer.channel.replace(':', " "),
            until: Some(until),
            text: message.to_string(),
        });
        row.first_step_on = Some(first_step_on);
        let evidence = match offer.effect {
            EffectEvidence::Assumed { .. } => "assumed",
            EffectEvidence::Measured(_) => "measured",
        };
        let p0 = match case.is_p0_known {
            true => "return by themselves",
            false => "may return by themselves (not known: a guess by the rhythm)",
        };
        let lot = if *is_by_lot { ", the offer by lot" } else { "" };
        format!(
            "{tactic}: {} adds {:+.1} points ({evidence}) to the {:.1} % who {p0}{lot}; a return is worth {:.2}",
            offer.name,
            100.0 * (pick.probability - case.p0),
            100.0 * case.p0,
            case.margin_amount()
        )
    }

    fn not_offered(&self, at: usize) -> String {
        let best = self.options.of_case(at).iter().max_by(|a, b| a.profit.total_cmp(&b.profit));
        match best {
            None => format!("no offer is for {}", self.cases[at].cause),
            Some(pick) => {
                let name = &self.offers[pick.offer as usize].name;
                let effect = self.beliefs.cells[pick.cell as usize].mean;
                match pick.profit > 0.0 {
                    true => {
                        format!("within the limits others bring more; {name} would bring {:.2}", pick.profit)
                    }
                    false => format!(
                        "no offer pays: {name}, the best, adds {:+.1} points and would bring {:.2}",
                        100.0 * effect,
                        pick.profit
                    ),
                }
            }
        }
    }

    /// On the channel on which a word costs least: that of an offer that gives no money away, where there is one.
    fn step(&self, kind: StepKind, text: &str) -> Option<FirstStep> {
        let cheapest = self
            .offers
            .iter()
            .min_by(|a, b| a.money.cmp(&b.money).then(a.contact_cost.total_cmp(&b.contact_cost)))?;
        Some(FirstStep {
            kind,
            channel: cheapest.channel.replace(':', " "),
            until: None,
            text: text.to_owned(),
        })
    }
}

/// The row of an earlier plan, as it was; a suppression since stops what would be done.
fn carried(earlier: &PlannedCustomer, stratum: Option<&str>, keep: &Keep) -> PlannedCustomer {
    let mut row = earlier.clone();
    row.stratum = stratum.map(str::to_owned).or(row.stratum);
    if keep.decision == Decision::Suppressed {
        row.decision = Decision::Suppressed;
        row.first_step = None;
        row.why = keep.to_string();
    }
    row
}

/// Whether a row is treated in this campaign.
pub(super) fn is_treated_in(row: &PlannedCustomer, campaign: &str) -> bool {
    row.arm == Arm::Treated && row.campaign.as_deref() == Some(campaign)
}
