//! What are all answers together, for a log of orders?

use super::attrition::{Attrition, attrition};
use super::changes::{ChangeEffect, Prevention, change_effects, preventions};
use super::contrast::{Contrast, contrast};
use super::drops::{DropParams, Drops};
use super::exposure::{findings, set_beside};
use super::followers::{Followers, FollowersParams, Known};
use super::incidents::IncidentLosses;
use super::inputs::Inputs;
use super::lapse::Lapses;
use super::profile::{Profiles, profiles};
use super::reasons::{ReasonShares, reason_shares};
use super::rule::LapseRule;
use super::status::Statuses;
use super::systemic::{ModelRisk, Systemic, SystemicParams};
use super::tune::Tuning;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::evidence::{Cause, Evidence};
use crate::features::FeatureSet;
use crate::history::History;
use crate::model::ChurnModel;
use crate::snapshot::{Cutoffs, Snapshots};

/// After so many days without an order the page says so.
const QUIET_DAYS: i32 = 7;

/// How many similar lost customers are named.
const SIMILAR: usize = 3;

/// How to examine losses.
///
/// | setting | default |
/// |---|---|
/// | day | the last day the log is complete for |
/// | lapse rule | [`LapseRule::default`], at the model's horizon |
/// | similar lost customers named | 3 |
/// | systemic losses and sudden drops | [`Systemic::params`] at the model's horizon, [`Drops::params`] |
#[derive(Clone, Debug)]
pub struct LossesParams {
    as_of: Option<Day>,
    rule: Option<LapseRule>,
    similar: usize,
    systemic: SystemicParams,
    drops: DropParams,
}

impl LossesParams {
    /// Sets the day at whose end the losses are looked at; later orders play no part.
    #[must_use]
    pub fn with_as_of(mut self, day: Day) -> Self {
        self.as_of = Some(day);
        self
    }

    /// Sets when a customer counts as lost.
    #[must_use]
    pub fn with_lapse_rule(mut self, rule: LapseRule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Sets how many similar lost customers are named for each customer at risk, 1 to 20.
    #[must_use]
    pub fn with_similar(mut self, similar: usize) -> Self {
        self.similar = similar;
        self
    }

    /// Sets how systemic losses are looked for; the horizon is the model's, whatever it says there.
    #[must_use]
    pub fn with_systemic(mut self, systemic: SystemicParams) -> Self {
        self.systemic = systemic;
        self
    }

    /// Sets how sudden drops are looked for.
    #[must_use]
    pub fn with_drops(mut self, drops: DropParams) -> Self {
        self.drops = drops;
        self
    }

    /// Examines the losses of a log: who is lost, how many, why, whether it is systemic, and who may follow.
    ///
    /// What a log is too short for is left out, and told with the reason ([`Losses::left_out`]).
    ///
    /// # Errors
    /// A setting out of range; [`Error::AfterObserved`] for a day the log does not reach, [`Error::SilentSince`] for
    /// one more than a horizon after the last order,
    /// [`Error::BeforeFirstPurchase`] where nobody had bought, [`Error::PolicyMismatch`] for a log that was read
    /// another way than the model's.
    pub fn analyse(&self, history: &History, model: &ChurnModel, evidence: &Evidence) -> Result<Losses> {
        let as_of = self.as_of.unwrap_or(history.observed_until());
        let horizon_days = model.label().horizon_days;
        history.check_silence(as_of, horizon_days)?;
        let rule = self.rule.unwrap_or(LapseRule::default().with_horizon_days(horizon_days));
        let mut left_out = Vec::new();

        let lapses = rule.find(history, as_of)?;
        let tuning = match rule.tune_by(history, as_of) {
            Ok(tuning) => Some(tuning),
            Err(error @ Error::NoCutoffs { .. }) => {
                left_out.push(format!("other limits of the lapse rule: {error}"));
                None
            }
            Err(error) => return Err(error),
        };
        let silent = as_of.days_since(history.last_order());
        if silent > QUIET_DAYS {
            left_out.push(format!(
                "orders after {}: the log has none in the {silent} days up to {as_of}, so that all customers look silent for as long",
                history.last_order()
            ));
        }
        let learned = model.provenance().labelled_until;
        if learned > as_of {
            left_out.push(format!(
                "a model of that day: this one has learned from orders up to {learned}, which nobody knew on {as_of}"
            ));
        }
        let statuses = lapses.statuses(history);
        let attrition = attrition(history, &lapses);
        let profiles = profiles(history, &lapses);
        let contrast = match contrast(history, &lapses) {
            Ok(contrast) => Some(contrast),
            Err(error @ (Error::NoCutoffs { .. } | Error::BeforeFirstPurchase { .. })) => {
                left_out.push(format!("what the lost had in common: {error}"));
                None
            }
            Err(error) => return Err(error),
        };
        let reasons = evidence.reasons().map(|reasons| reason_shares(history, &lapses, reasons));
        let causes = evidence.reasons().map(|reasons| reasons.known_by(as_of).causes(history));

        let mut systemic = self.systemic(history, as_of, horizon_days, causes.as_deref(), &mut left_out)?;
        let mut drops = self.drops.find(history, as_of)?;
        if let Some(systemic) = &mut systemic {
            set_beside(systemic, &mut drops);
        }

        let find = |incidents| IncidentLosses::find(history, as_of, horizon_days, incidents);
        let incidents = evidence.incidents().map(find).transpose()?;
        let effects = |changes| change_effects(history, as_of, horizon_days, changes);
        let changes = evidence.changes().map(effects).transpose()?;
        let prevention = preventions(systemic.as_ref(), incidents.as_ref());

        let findings = findings(systemic.as_ref(), &drops);
        let known =
            Known { lapses: &lapses, findings: &findings, stated: causes.as_deref().unwrap_or_default() };
        let params = FollowersParams { similar: self.similar };
        let followers = Followers::find(history, model, &known, params)?;
        Ok(Losses {
            as_of,
            horizon_days,
            lapses,
            tuning,
            statuses,
            attrition,
            profiles,
            contrast,
            reasons,
            systemic,
            drops,
            incidents,
            changes,
            prevention,
            followers,
            inputs: Inputs::of(evidence),
            left_out,
        })
    }

    fn systemic(
        &self,
        history: &History,
        as_of: Day,
        horizon_days: i32,
        causes: Option<&[Option<Cause>]>,
        left_out: &mut Vec<String>,
    ) -> Result<Option<Systemic>> {
        if history.reading().columns().segments().is_empty() {
            left_out.push(
                "systemic losses and sudden drops of a value: the log was read without a segment column"
                    .to_owned(),
            );
            return Ok(None);
        }
        // What follows may not see a later order: the model without segments learns up to the day.
        let last = as_of.plus_days(-horizon_days);
        let without = Snapshots::params(FeatureSet::standard(horizon_days, &[]))
            .with_horizon_days(horizon_days)
            .with_cutoffs(Cutoffs::rolling().ending(last))
            .build(history)
            .and_then(|snapshots| ChurnModel::params().fit(&snapshots));
        let without = match without {
            Ok(model) => Some(model),
            Err(error) => {
                left_out.push(format!("systemic losses beside a model without segments: {error}"));
                None
            }
        };
        let risks = |landmark: Day| -> Result<Vec<f64>> {
            let mut risks = vec![f64::NAN; history.customers()];
            if let Some(model) = &without {
                let scores = model.score(history, landmark)?;
                let rows = scores.ranks().iter().zip(scores.probabilities());
                rows.for_each(|(&rank, &p)| risks[rank as usize] = p);
            }
            Ok(risks)
        };
        let risks: ModelRisk<'_> = &risks;
        let params = self.systemic.with_horizon_days(horizon_days);
        match params.find_beside(history, as_of, causes, without.is_some().then_some(risks)) {
            Ok(systemic) => Ok(Some(systemic)),
            Err(error @ Error::NoCutoffs { .. }) => {
                left_out.push(format!("systemic losses: {error}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What an examination of losses found.
///
/// [`Display`](std::fmt::Display) is a page for a terminal. Serialised, it is a map with the keys `as_of`,
/// `horizon_days`, `lapses` (the rule, how many, and whether it holds), `tuning` (other limits), `attrition`,
/// `statuses`, `profile`, `reasons`, `reasons_known`, `systemic`, `systemic_totals`, `drops`, `business_drop`,
/// `incidents`, `changes`, `prevention`, `followers`, `similar_causes`, `inputs` (what the reading of each table found) and `left_out`.
#[derive(Clone, Debug)]
pub struct Losses {
    pub(super) as_of: Day,
    pub(super) horizon_days: i32,
    pub(super) lapses: Lapses,
    pub(super) tuning: Option<Tuning>,
    pub(super) statuses: Statuses,
    pub(super) attrition: Attrition,
    pub(super) profiles: Profiles,
    pub(super) contrast: Option<Contrast>,
    pub(super) reasons: Option<ReasonShares>,
    pub(super) systemic: Option<Systemic>,
    pub(super) drops: Drops,
    pub(super) incidents: Option<IncidentLosses>,
    pub(super) changes: Option<Vec<ChangeEffect>>,
    pub(super) prevention: Vec<Prevention>,
    pub(super) followers: Followers,
    pub(super) inputs: Inputs,
    pub(super) left_out: Vec<String>,
}

impl Losses {
    /// Begins to examine losses.
    ///
    /// ```
    /// use winback::evidence::Evidence;
    /// use winback::losses::Losses;
    /// use winback::{ChurnModel, Columns, FeatureSet, History, Snapshots};
    ///
    /// let columns = Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["country"]);
    /// let history = History::params(columns).read_csv(["data/online_retail_orders.csv"])?;
    /// let snapshots = Snapshots::params(FeatureSet::standard(60, &["country"])).with_horizon_days(60).build(&history)?;
    /// let model = ChurnModel::params().fit(&snapshots)?;
    /// let losses = Losses::params().analyse(&history, &model, &Evidence::default())?;
    /// assert!(losses.lapses().lapsed() > 100);
    /// assert!(losses.followers().rows().iter().all(|row| row.similar.len() == 3));
    /// println!("{losses}");
    /// # Ok::<(), winback::Error>(())
    /// ```
    #[must_use]
    pub fn params() -> LossesParams {
        LossesParams {
            as_of: None,
            rule: None,
            similar: SIMILAR,
            systemic: Systemic::params(),
            drops: Drops::params(),
        }
    }

    /// The day the losses were looked at.
    #[must_use]
    pub fn as_of(&self) -> Day {
        self.as_of
    }

    /// The model's horizon, days.
    #[must_use]
    pub fn horizon_days(&self) -> i32 {
        self.horizon_days
    }

    /// Who is lost, since when, and who came back.
    #[must_use]
    pub fn lapses(&self) -> &Lapses {
        &self.lapses
    }

    /// What other limits of the lapse rule would have done; `None` where it is [left out](Self::left_out).
    #[must_use]
    pub fn tuning(&self) -> Option<&Tuning> {
        self.tuning.as_ref()
    }

    /// How every customer stands.
    #[must_use]
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// How many are lost.
    #[must_use]
    pub fn attrition(&self) -> &Attrition {
        &self.attrition
    }

    /// Every customer's habits, and what changed in them.
    #[must_use]
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// What the lost had in common, against those who stayed; `None` where it is [left out](Self::left_out).
    #[must_use]
    pub fn contrast(&self) -> Option<&Contrast> {
        self.contrast.as_ref()
    }

    /// Why the lost left, by what was said; `None` without a table of reasons.
    #[must_use]
    pub fn reasons(&self) -> Option<&ReasonShares> {
        self.reasons.as_ref()
    }

    /// Which segment values lose more than comparable customers elsewhere; `None` where it is
    /// [left out](Self::left_out).
    #[must_use]
    pub fn systemic(&self) -> Option<&Systemic> {
        self.systemic.as_ref()
    }

    /// Weeks in which the regulars of a segment value fell and stayed down.
    #[must_use]
    pub fn drops(&self) -> &Drops {
        &self.drops
    }

    /// What came after incidents; `None` without a table of them.
    #[must_use]
    pub fn incidents(&self) -> Option<&IncidentLosses> {
        self.incidents.as_ref()
    }

    /// Whether the changes helped; `None` without a table of them.
    #[must_use]
    pub fn changes(&self) -> Option<&[ChangeEffect]> {
        self.changes.as_deref()
    }

    /// What could be prevented, the dearest first.
    #[must_use]
    pub fn prevention(&self) -> &[Prevention] {
        &self.prevention
    }

    /// The customers at risk, those with most at stake first.
    #[must_use]
    pub fn followers(&self) -> &Followers {
        &self.followers
    }

    /// What could not be answered, and why.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }
}
