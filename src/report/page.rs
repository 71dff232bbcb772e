//! What stands on the page, in which order?

use askama::Template;

use super::figure::Figure;
use super::words::{between, or_dash, percent, short, whole};
use super::{brought, lost, trust};
use crate::campaign::Outcome;
use crate::error::{Error, Result};
use crate::evaluate::Evaluation;
use crate::history::History;
use crate::losses::{Finding, Follower, Losses, Verdict};
use crate::model::ChurnModel;

/// So many customers at risk are named, those with most at stake.
const NAMED: usize = 15;
/// So many causes and drops are listed.
const LISTED: usize = 12;

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
    outcome: Option<&'a Outcome>,
}

/// A number that is seen first, and what it is.
struct Card {
    number: String,
    what: String,
}

/// Rows under a head.
struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// A question, what is said to it, and what shows it.
struct Section {
    id: &'static str,
    title: &'static str,
    lines: Vec<String>,
    figures: Vec<Figure>,
    table: Option<Table>,
    notes: Vec<String>,
}

#[derive(Template)]
#[template(path = "page.html", config = "src/report/askama.toml")]
struct Page {
    title: String,
    subtitle: String,
    cards: Vec<Card>,
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
        Report { title, history, model, evaluation, losses, outcome: None }
    }

    /// Sets what stands on top.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
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
        let mut sections =
            vec![self.how_many()?, self.why()?, self.is_it_us(), self.who_may_follow(), self.what_drives()?];
        sections.push(self.can_it_be_trusted()?);
        if let Some(outcome) = self.outcome {
            sections.push(what_it_brought(outcome)?);
        }
        sections.push(self.what_was_read());
        let page = Page {
            title: self.title.clone(),
            subtitle: format!(
                "{} customers and {} purchases, {} to {}",
                whole(self.history.customers() as f64),
                whole(self.history.purchases() as f64),
                self.history.observed_from(),
                self.losses.as_of()
            ),
            cards: self.cards(),
            sections,
            version: env!("CARGO_PKG_VERSION"),
        };
        let html = page.render().map_err(|error| Error::table("making the page", error))?;
        Ok(html + "\n")
    }

    fn cards(&self) -> Vec<Card> {
        let (lapses, followers) = (self.losses.lapses(), self.losses.followers());
        let (lost, customers) = (lapses.lapsed(), lapses.customers());
        let findings = self.losses.systemic().map_or(0, |systemic| systemic.findings().count());
        let drops = self.losses.drops().rows.len();
        let mut cards = vec![
            Card {
                number: whole(lost as f64),
                what: format!(
                    "of {} customers are lost ({})",
                    whole(customers as f64),
                    percent(lost as f64 / customers.max(1) as f64)
                ),
            },
            Card {
                number: whole(followers.rows().len() as f64),
                what: format!("more may not buy in the next {} days", self.losses.horizon_days()),
            },
        ];
        if let Some(amount) = followers.at_stake_amount() {
            cards
                .push(Card {
                    number: whole(amount), what: "at stake with them (chance × spend)".to_owned()
                });
        }
        cards.push(Card {
            number: (findings + drops).to_string(),
            what: match findings + drops {
                0 => "places found that lose more than chance explains".to_owned(),
                _ => "places or weeks that lose more than chance explains".to_owned(),
            },
        });
        cards
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
            table: None,
            notes: vec![],
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
        let (mut table, mut notes) = (None, vec![]);
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
            table =
                Some(Table { head: vec!["they", "lost", "stayed", "difference, all at once 95 %"], rows });
        }
        Ok(Section { id: "why", title: "Why did they leave?", lines, figures, table, notes })
    }

    fn is_it_us(&self) -> Section {
        let mut lines = Vec::new();
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
            let place = |row: &Finding| match row.verdict {
                Verdict::Systemic => 0,
                Verdict::Individual => 1,
                _ => 2,
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
                    format!("{:?}", row.verdict),
                ]
            }));
        }
        lines.extend(lines_of(self.losses.drops()));
        for prevention in self.losses.prevention().iter().take(LISTED) {
            lines.push(format!("Worth preventing, per year: {prevention}."));
        }
        let table = (!rows.is_empty())
            .then_some(Table { head: vec!["where", "lost", "expected", "lift", "95 %", "verdict"], rows });
        Section { id: "is-it-us", title: "Is it us?", lines, figures: vec![], table, notes: vec![] }
    }

    fn who_may_follow(&self) -> Section {
        let followers = self.losses.followers();
        let shown = |follower: &Follower| {
            vec![
                follower.customer_id.clone(),
                percent(follower.churn_probability),
                whole(follower.at_stake_amount),
                follower.drivers.join("; "),
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
            figures: vec![],
            table: (!rows.is_empty()).then_some(Table {
                head: vec!["customer", "chance to stop", "at stake", "why", "exposed to"],
                rows,
            }),
            notes: match more {
                0 => vec![],
                more => vec![format!("and {} more", whole(more as f64))],
            },
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
            table: None,
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
        let rows: Vec<Vec<String>> = rows.collect();
        let table = (!rows.is_empty()).then_some(Table {
            head: vec!["tested as of", "customers", "stopped", "predicted", "AUC", "recency alone"],
            rows,
        });
        let figures = [trust::gains(self.evaluation)?, trust::calibration(self.evaluation)?];
        let notes = lines_of(self.model);
        let figures = figures.into_iter().flatten().collect();
        Ok(Section { id: "trust", title: "Can the model be trusted?", lines, figures, table, notes })
    }

    fn what_was_read(&self) -> Section {
        let notes = self.losses.left_out().iter().map(|reason| format!("Left out: {reason}"));
        Section {
            id: "read",
            title: "What was read?",
            lines: lines_of(self.history.report()),
            figures: vec![],
            table: None,
            notes: notes.collect(),
        }
    }
}

fn what_it_brought(outcome: &Outcome) -> Result<Section> {
    Ok(Section {
        id: "campaign",
        title: "What did the campaign bring?",
        lines: lines_of(outcome),
        figures: brought::effects(outcome)?.into_iter().collect(),
        table: None,
        notes: vec![],
    })
}

/// What something says of itself, line by line.
fn lines_of(told: &impl std::fmt::Display) -> Vec<String> {
    told.to_string().lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}
