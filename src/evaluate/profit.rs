//! Would a campaign pay, and how large should it be?

use std::fmt;

use serde::Serialize;

use crate::day::Day;
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::metrics::{CampaignTerms, ProfitRow, ProfitRows, best_fraction, profit_at_fraction, profit_curve};
use crate::model::{ChurnModel, ChurnModelParams};
use crate::snapshot::Snapshots;

/// Sums of the same amounts in another order differ by less than this share.
const ROUNDING: f64 = 1e-9;

/// What a campaign is taken to cost and to bring. No log of purchases tells it: all three are the caller's
/// to state, and the defaults are placeholders, not findings.
///
/// | setting | default |
/// |---|---|
/// | cost of a contact | 1, in the log's currency |
/// | share of those who would churn that a contact keeps | 0.1 |
/// | margin on what a kept customer spends | 0.3 |
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Campaign {
    /// Cost of contacting one customer, at least 0, an amount.
    pub contact_cost_amount: f64,
    /// Share of those who would churn that a contact keeps, 0 to 1.
    pub save_fraction: f64,
    /// Margin on spend, 0 to 1.
    pub margin_fraction: f64,
}

impl Default for Campaign {
    fn default() -> Self {
        Campaign { contact_cost_amount: 1.0, save_fraction: 0.1, margin_fraction: 0.3 }
    }
}

impl Campaign {
    /// Whether all three are in their ranges.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self) -> Result<()> {
        let cost = self.contact_cost_amount;
        if !(cost.is_finite() && cost >= 0.0) {
            return Err(Error::parameter("contact cost", cost, "an amount, at least 0"));
        }
        for (name, share) in
            [("save fraction", self.save_fraction), ("margin fraction", self.margin_fraction)]
        {
            if !(0.0..=1.0).contains(&share) {
                return Err(Error::parameter(name, share, "a share from 0 to 1"));
            }
        }
        Ok(())
    }

    fn terms(&self) -> CampaignTerms {
        CampaignTerms { contact_cost_amount: self.contact_cost_amount, save_fraction: self.save_fraction }
    }
}

/// The profit of contacting the customers with the most at stake, at the test's cutoffs.
///
/// # Formula
/// ```text
/// value     v = margin × spend in the last 2H days: a kept customer goes on as before
/// ranking   p × v, the highest first
/// expected  Σ (p v s − c),  realised  Σ (y v s − c)    over those contacted
/// ```
/// where p is the probability of churning, y is 1 for who did, s the share kept and c the cost of a contact.
///
/// The share to contact is the one that paid best at an earlier cutoff, whose outcome was known by the time of
/// the test, under a model fitted before that. "Realised" is what the log would have given under these
/// terms; what a campaign does, only a holdout tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Profit {
    /// The terms.
    pub campaign: Campaign,
    /// The days of spend that a kept customer is taken to be worth.
    pub value_days: i32,
    /// The earlier cutoff at which the share was chosen; `None` where there was none to choose at, and the
    /// share is the one that the probabilities promise most of.
    pub chosen_at: Option<Day>,
    /// Why there was none.
    pub not_chosen_because: Option<String>,
    /// The share chosen, 0 (no campaign pays) to 1.
    pub fraction: f64,
    /// What it brings at the test.
    pub chosen: ProfitRow,
    /// As many contacts, chosen by days since last instead: its probability, calibrated in training, × value, so that
    /// both know the same of what a customer is worth.
    pub by_recency: ProfitRow,
    /// Everyone contacted.
    pub everyone: ProfitRow,
    /// Nobody, the top hundredth, the top two … everyone.
    pub curve: Vec<ProfitRow>,
}

impl Profit {
    /// From a model, the settings and the snapshots it was trained with, and a later test; `None` where the
    /// features leave out the spend in the last 2H days, or the log has no amounts.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a campaign out of range; what [`ChurnModel::evaluate`] refuses. A fit that fails at
    /// the earlier cutoff only leaves the share unchosen there.
    pub fn run(
        campaign: Campaign,
        model: &ChurnModel,
        params: &ChurnModelParams,
        train: &Snapshots,
        test: &Snapshots,
    ) -> Result<Option<Self>> {
        campaign.check()?;
        model.check_test(test)?;
        let Some(stakes) = Stakes::new(model, test, campaign) else { return Ok(None) };
        let curve = stakes.curve();
        let (chosen_at, fraction, not_chosen_because) = match choose(campaign, params, train) {
            Ok(fraction) => (Some(train.last_cutoff()), fraction, None),
            Err(reason) => (None, most_promised(&curve), Some(reason)),
        };
        let at = |scores: &[f64], fraction: f64| {
            profit_at_fraction(&stakes.rows(scores), &campaign.terms(), fraction)
        };
        let rows =
            (at(&stakes.scores, fraction), at(&stakes.recency_scores, fraction), at(&stakes.scores, 1.0));
        let (Some(chosen), Some(by_recency), Some(everyone)) = rows else { return Ok(None) };
        Ok(Some(Profit {
            campaign,
            value_days: value_days(test),
            chosen_at,
            not_chosen_because,
            fraction,
            chosen,
            by_recency,
            everyone,
            curve,
        }))
    }
}

impl Profit {
    /// Whether as many contacts by days since last brought as much, but for the rounding of sums in another order.
    pub(super) fn is_no_better(&self) -> bool {
        let (own, recency) = (self.chosen.realised_amount, self.by_recency.realised_amount);
        own - recency <= ROUNDING * own.abs().max(recency.abs())
    }
}

/// The share that paid best at the last training cutoff, under a model fitted before it; or why there is none.
fn choose(
    campaign: Campaign,
    params: &ChurnModelParams,
    train: &Snapshots,
) -> std::result::Result<f64, String> {
    let (older, latest) = train.split_at(train.last_cutoff()).map_err(|error| match error {
        Error::EmptySplit { .. } => "training is too short for an earlier cutoff".to_owned(),
        other => other.to_string(),
    })?;
    let model = params.fit(&older).map_err(|error| format!("at {}, {error}", train.last_cutoff()))?;
    let curve = Stakes::new(&model, &latest, campaign).map(|stakes| stakes.curve());
    curve
        .as_deref()
        .and_then(best_fraction)
        .ok_or_else(|| format!("at {} nothing was at stake", train.last_cutoff()))
}

/// The share that the probabilities promise most of.
fn most_promised(curve: &[ProfitRow]) -> f64 {
    let best =
        curve.iter().reduce(|best, row| if row.expected_amount > best.expected_amount { row } else { best });
    best.map_or(0.0, |row| row.fraction)
}

fn value_days(snapshots: &Snapshots) -> i32 {
    snapshots.label().horizon_days.saturating_mul(2)
}

/// What is at stake with each customer of some snapshots.
struct Stakes<'a> {
    campaign: Campaign,
    labels: &'a [bool],
    probabilities: Vec<f64>,
    values: Vec<f64>,
    scores: Vec<f64>,
    recency_scores: Vec<f64>,
}

impl<'a> Stakes<'a> {
    fn new(model: &ChurnModel, snapshots: &'a Snapshots, campaign: Campaign) -> Option<Self> {
        let days = value_days(snapshots);
        let spend = snapshots.column(|feature| *feature == Feature::SpendIn { days })?;
        // A spend that is not known is none to be kept.
        let values: Vec<f64> = spend.iter().map(|spend| campaign.margin_fraction * spend.max(0.0)).collect();
        let probabilities = model.probabilities(snapshots);
        let times_value =
            |p: &mut dyn Iterator<Item = f64>| p.zip(&values).map(|(p, value)| p * value).collect();
        let recency = &model.curves.recency;
        Some(Stakes {
            campaign,
            labels: snapshots.labels(),
            scores: times_value(&mut probabilities.iter().copied()),
            recency_scores: times_value(
                &mut snapshots.days_since_last().iter().map(|&days| recency.probability(f64::from(days))),
            ),
            probabilities,
            values,
        })
    }

    fn rows<'b>(&'b self, scores: &'b [f64]) -> ProfitRows<'b> {
        ProfitRows { scores, probabilities: &self.probabilities, labels: self.labels, values: &self.values }
    }

    fn curve(&self) -> Vec<ProfitRow> {
        profit_curve(&self.rows(&self.scores), &self.campaign.terms())
    }
}

impl fmt::Display for Profit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Campaign { contact_cost_amount, save_fraction, margin_fraction } = self.campaign;
        writeln!(
            f,
            "  a campaign, IF a contact costs {contact_cost_amount:.2} and keeps {:.0} % of those who would leave, at a \
             margin of {:.0} %\n  on what they spent in the last {} days (all three are assumptions: state your own):",
            100.0 * save_fraction,
            100.0 * margin_fraction,
            self.value_days
        )?;
        writeln!(f, "  {:<44}{:>10}{:>14}{:>14}", "contacts", "customers", "expected", "realised")?;
        let chosen = match self.chosen_at {
            Some(day) => format!("the {:.0} % that paid best at {day}", 100.0 * self.fraction),
            None => format!("the {:.0} % that promise most", 100.0 * self.fraction),
        };
        let rows = [
            (chosen.as_str(), &self.chosen),
            ("as many, by days since last", &self.by_recency),
            ("everyone", &self.everyone),
        ];
        for (name, row) in rows {
            let ProfitRow { rows, expected_amount, realised_amount, .. } = row;
            writeln!(f, "    {name:<42}{rows:>10}{expected_amount:>14.2}{realised_amount:>14.2}")?;
        }
        if self.fraction > 0.0 && self.is_no_better() {
            writeln!(f, "    on these terms the model's choice was no better than that by days since last")?;
        }
        if let Some(reason) = &self.not_chosen_because {
            writeln!(f, "    not chosen at an earlier cutoff: {reason}")?;
        }
        Ok(())
    }
}
