//! What stands on the page, in which order?

use askama::Template;

use super::section::{Card, Section, Table, lines_of};
use super::words::{between, or_dash, percent, short, whole};
use super::{brought, first, lost, planned, trust};
use crate::campaign::{Outcome, PlanOutcome};
use crate::error::{Error, Result};
use crate::evaluate::Evaluation;
use crate::history::History;
use crate::losses::{Finding, Follower, Losses, Verdict};
use crate::model::ChurnModel;
use crate::winback::WinbackPlan;

/// So many customers at risk are named, those with most at stake.
const NAMED: usize = 15;
/// So many causes and drops are listed.
const LISTED: usize = 8;

/// One page of everything: what was read, how many are lost and why, whether the model can be trusted, who may
/// follow.
///
/// Made from finished results; nothing is computed but the figures.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    title: String,
    history: &'a History,
    model: &'a ChurnModel,
    evaluation: &'a Evaluation,
    losses: &'a Losses,
    plan: Option<&'a WinbackPlan>,
    outcome: Option<&'a Outcome>,
    plan_outcome: Option<&'a PlanOutcome>,
}

#[derive(Template)]
#[template(path = "page.html", config = "src/report/askama.toml")]
struct Page {
    title: String,
    subtitle: String,
    cards: Vec<Card>,
    actions: Vec<String>,
    sections: Vec<Section>,
    version: &'static str,
}

impl<'a> Report<'a> {
    /// From results of the same log.
    #[must_use]
    pub fn new(
        history: &'a History,
        model: &'a ChurnModel,
        evaluation: &'a Evaluation,
        losses: &'a Losses,
    ) -> Self {
        let title = "Customers who stop buying".to_owned();
        Report { title, history, model, evaluation, losses, plan: None, outcome: None, plan_outcome: None }
    }

    /// Sets what stands on top.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Also shows a plan for the same day: whom to contact, with what, and what it should bring.
    #[must_use]
    pub fn with_plan(mut self, plan: &'a WinbackPlan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// Also shows what an earlier plan brought.
    #[must_use]
    pub fn with_plan_outcome(mut self, outcome: &'a PlanOutcome) -> Self {
        self.plan_outcome = Some(outcome);
        self
    }

    /// Also shows what a campaign brought.
    #[must_use]
    pub fn with_outcome(mut self, outcome: &'a Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// The page, as HTML that needs nothing else. Every text of the log is escaped.
    ///
    /// # Errors
    /// Only where a figure cannot be drawn.
    pub fn to_html(&self) -> Result<String> {
        let mut sections = vec![self.how_many()?, self.why()?, self.is_it_us(), self.who_may_follow()];
        if let Some(plan) = self.plan {
            sections.push(planned::section(plan)?);
        }
        if let Some(outcome) = self.plan_outcome {
            let effects = outcome.overall().effects().iter().chain(outcome.offers());
            let named = ("campaign", "What did the campaign bring?");
            sections.push(brought::section(named, lines_of(outcome), brought::effects(effects)?));
        }
        if let Some(outcome) = self.outcome {
            let figure = brought::effects(outcome.effects())?;
            let named = ("experiment", "What did the experiment bring?");
            sections.push(brought::section(named, lines_of(outcome), figure));
        }
        sections.extend([self.what_drives()?, self.can_it_be_trusted()?, self.what_was_read()]);
        let page = Page {
            title: self.title.clone(),
            subtitle: format!(
                "{} customers and {} purchases, {} to {}",
                whole(self.history.customers() as f64),
                whole(self.history.purchases() as f64),
                self.history.observed_from(),
                self.losses.as_of()
            ),
            cards: first::cards(self.losses, self.plan),
            actions: first::actions(self.losses, self.plan),
            sections,
            version: env!("CARGO_PKG_VERSION"),
        };
        let html = page.render().map_err(|error| Error::table("making the page", error))?;
        Ok(html + "\n")
    }

    fn how_many(&self) -> Result<Section> {
        let attrition = self.losses.attrition();
        let mut lines = lines_of(self.losses.lapses());
        match (&attrition.plain, &attrition.plain_missing) {
            (Some(plain), _) => lines.extend(lines_of(plain)),
            (None, Some(reason)) => lines.push(format!("No plain yearly number: {reason}.")),
            (None, None) => {}
        }
        Ok(Section {
            id: "how-many",
            title: "How many are lost?",
            lines,
            figures: [lost::loss_rate(attrition)?, lost::retention(attrition)?]
                .into_iter()
                .flatten()
                .collect(),
            ..Section::default()
        })
    }

    fn why(&self) -> Result<Section> {
        let mut lines = Vec::new();
        let mut figures = Vec::new();
        match self.losses.reasons() {
            Some(reasons) => {
                lines.push(format!(
                    "The cause is known of {} of {} lost customers. Who answers is no random sample: the lines show how \
                     far the shares could lie off.",
                    whole(reasons.known as f64),
                    whole(reasons.lost as f64)
                ));
                figures.extend(lost::causes(reasons)?);
            }
            None => lines.push(
                "No stated reasons were given. Ask the lost: some chosen by lot, and the most valuable by phone.".to_owned(),
            ),
        }
        let (mut tables, mut notes) = (vec![], vec![]);
        if let Some(contrast) = self.losses.contrast() {
            lines.push(format!(
                "Of {} customers who had bought lately on {}, {} bought nothing in the {} days after. Before that, they differed \
                 from those who stayed:",
                whole(contrast.customers as f64),
                contrast.landmark,
                whole(contrast.lost as f64),
                contrast.days
            ));
            let share = |(part, of): (usize, usize)| percent(part as f64 / of.max(1) as f64);
            let out = contrast.rows.iter().filter(|row| row.stands_out);
            let rows: Vec<Vec<String>> = out
                .map(|row| {
                    let ends = Some((row.difference.low, row.difference.high));
                    vec![row.what.clone(), share(row.of_lost), share(row.of_stayed), between(ends, percent)]
                })
                .collect();
            notes.push(format!(
                "{} other traits do not differ beyond chance. This tells what was common, not why they left.",
                contrast.rows.len() - rows.len()
            ));
            tables.extend(Table::of("", &["they", "lost", "stayed", "difference, all at once 95 %"], rows));
        }
        Ok(Section { id: "why", title: "Why did they leave?", lines, figures, tables, notes })
    }

    fn is_it_us(&self) -> Section {
        let (mut lines, mut notes) = (Vec::new(), Vec::new());
        let mut rows = Vec::new();
        if let Some(systemic) = self.losses.systemic() {
            let of = |verdict| {
                systemic.rows.iter().filter(|row| row.cause.is_none() && row.verdict == verdict).count()
            };
            lines.push(format!(
                "Compared with customers alike elsewhere: {} values lose more than they should, {} do not, and of {} there is \
                 too little to tell.",
                of(Verdict::Systemic),
                of(Verdict::Individual),
                of(Verdict::Insufficient)
            ));
            let is_told = |row: &&Finding| row.cause.is_none() && row.lift.is_some();
            let mut found: Vec<&Finding> = systemic.rows.iter().filter(is_told).collect();
            let lately = |row: &Finding| match &row.recent {
                Some(recent) if recent.verdict == Verdict::Systemic => {
                    format!("Systemic, lift {}", or_dash(recent.lift, |lift| format!("{lift:.2}")))
                }
                Some(recent) if recent.differs => {
                    format!("other than before, lift {}", or_dash(recent.lift, |lift| format!("{lift:.2}")))
                }
                _ => String::new(),
            };
            let place = |row: &Finding| match row.verdict {
                Verdict::Systemic => 0,
                _ if !lately(row).is_empty() => 1,
                Verdict::Individual => 2,
                Verdict::Insufficient => 3,
            };
            found.sort_by_key(|row| (place(row), std::cmp::Reverse(row.exposed)));
            rows.extend(found.iter().take(LISTED).map(|row| {
                vec![
                    format!("{} {}", row.segment, row.value),
                    whole(row.lost as f64),
                    or_dash(row.expected, |expected| format!("{expected:.0}")),
                    or_dash(row.lift, |lift| format!("{lift:.2}")),
                    format!(
                        "{} to {}",
                        or_dash(row.low, |low| format!("{low:.2}")),
                        or_dash(row.high, |high| format!("{high:.2}"))
                    ),
                    told(row.verdict),
                    lately(row),
                ]
            }));
            if found.len() > LISTED {
                notes.push(format!("{} more values are not shown.", found.len() - LISTED));
            }
        }
        lines.extend(lines_of(self.losses.drops()));
        for prevention in self.losses.prevention().iter().take(LISTED) {
            lines.push(format!("Worth preventing, per year: {prevention}."));
        }
        for change in self.losses.changes().unwrap_or_default().iter().take(LISTED) {
            lines.push(format!("What was changed: {change}."));
        }
        let head = ["where", "lost", "expected", "lift", "95 %", "verdict", "in the last half year alone"];
        let mut tables: Vec<Table> = Table::of("", &head, rows).into_iter().collect();
        if let Some(incidents) = self.losses.incidents() {
            let number = |value: Option<f64>| or_dash(value, |value| format!("{value:.2}"));
            let rows = incidents.rows.iter().take(LISTED).map(|row| {
                vec![
                    match row.overlaps {
                        true => format!("{}, of those above", row.kind.replace('_', " ")),
                        false => row.kind.replace('_', " "),
                    },
                    format!("{} of {}", row.lost, row.exposed),
                    or_dash(row.expected, |expected| format!("{expected:.0}")),
                    number(row.lift),
                    row.low.map_or_else(String::new, |low| format!("{low:.2} to {}", number(row.high))),
                    told(row.verdict),
                ]
            });
            let head = ["after", "lost", "expected", "lift", "95 %", "verdict"];
            tables.extend(Table::of(
                "After incidents, beside customers as active without one",
                &head,
                rows.collect(),
            ));
        }
        Section { id: "is-it-us", title: "Is it us?", lines, tables, notes, ..Section::default() }
    }

    fn who_may_follow(&self) -> Section {
        let followers = self.losses.followers();
        let shown = |follower: &Follower| {
            vec![
                follower.customer_id.clone(),
                percent(follower.churn_probability),
                whole(follower.at_stake_amount),
                raising(&follower.drivers),
                follower.exposed_to.join("; "),
            ]
        };
        let rows: Vec<Vec<String>> = followers.rows().iter().take(NAMED).map(shown).collect();
        let more = followers.rows().len().saturating_sub(rows.len());
        Section {
            id: "who-may-follow",
            title: "Who may follow?",
            lines: vec![format!(
                "{} customers who still buy may not do so in the next {} days. Those with most at stake:",
                whole(followers.rows().len() as f64),
                self.losses.horizon_days()
            )],
            tables: Table::of(
                "",
                &["customer", "chance to stop", "at stake", "what raises it", "exposed to"],
                rows,
            )
            .into_iter()
            .collect(),
            notes: match more {
                0 => vec![],
                more => vec![format!("and {} more", whole(more as f64))],
            },
            ..Section::default()
        }
    }

    fn what_drives(&self) -> Result<Section> {
        let reference = self.model.reference_customer();
        Ok(Section {
            id: "what-drives",
            title: "What moves the chance to stop?",
            lines: vec![format!(
                "An ordinary customer: {} purchases, every {} days, the last {} days ago. The line is their chance to stop \
                 buying; each point is what it would be after one step, and hollow points may be chance.",
                reference.n_purchases, reference.interval_days, reference.days_since_last
            )],
            figures: trust::steps(self.model)?.into_iter().collect(),
            tables: vec![],
            notes: vec![
                "What the model expects of customers who differ so; no promise of what changing a customer would do.".to_owned(),
            ],
        })
    }

    fn can_it_be_trusted(&self) -> Result<Section> {
        let (all, recency) = (&self.evaluation.all, &self.evaluation.all.baselines.recency);
        let days: Vec<String> = self.evaluation.test_cutoffs.iter().map(ToString::to_string).collect();
        let mut lines = vec![format!(
            "Tested on {} customers as of {}, whom it had not seen: ranking (AUC) {}, where days since the last purchase alone \
             have {}; {} stopped, {} were predicted.",
            whole(all.rows as f64),
            days.join(", "),
            or_dash(all.auc, short),
            or_dash(recency.auc, short),
            percent(all.churned_fraction),
            percent(all.predicted_fraction)
        )];
        if let Some(verdict) = &self.evaluation.verdict {
            lines.insert(0, format!("Verdict: {verdict}."));
        }
        let rows = self.evaluation.backtest.iter().map(|row| {
            vec![
                row.cutoff.to_string(),
                whole(row.rows as f64),
                percent(row.churned_fraction),
                percent(row.predicted_fraction),
                or_dash(row.auc, short),
                or_dash(row.recency_auc, short),
            ]
        });
        let head = ["tested as of", "customers", "stopped", "predicted", "AUC", "recency alone"];
        let tables = Table::of("", &head, rows.collect()).into_iter().collect();
        let figures = [trust::gains(self.evaluation)?, trust::calibration(self.evaluation)?];
        let notes = lines_of(self.model);
        let figures = figures.into_iter().flatten().collect();
        Ok(Section { id: "trust", title: "Can the model be trusted?", lines, figures, tables, notes })
    }

    fn what_was_read(&self) -> Section {
        let notes = self.losses.left_out().iter().map(|reason| format!("Left out: {reason}"));
        Section {
            id: "read",
            title: "What was read?",
            lines: lines_of(self.history.report()),
            notes: notes.collect(),
            ..Section::default()
        }
    }
}

/// How a verdict is told.
fn told(verdict: Verdict) -> String {
    match verdict {
        Verdict::Systemic => "loses more".to_owned(),
        Verdict::Individual => "no more than others".to_owned(),
        _ => "too little to tell".to_owned(),
    }
}

/// What raises the risk, or all drivers where nothing does.
fn raising(drivers: &[String]) -> String {
    let all: Vec<&str> =
        drivers.iter().filter_map(|driver| driver.strip_suffix(": raises the risk")).collect();
    if all.is_empty() { drivers.join("; ") } else { all.join("; ") }
}
