//! Who gets what, within which limits, and what will that bring?

use std::collections::BTreeMap;

use serde::Serialize;

use super::allocation::{CurvePoint, LimitUse};
use super::beliefs::Beliefs;
use super::cases::{Case, KINDS, Known, cases, parts_of};
use super::findings::Findings;
use super::holdout::{Candidate, EarlierArm, Holdout};
use super::keep::KeepPolicy;
use super::natural::NaturalReturns;
use super::offer::{EffectEvidence, Offers};
use super::options::Options;
use super::outlook::Outlook;
use super::planned::{Arm, Decision};
use super::proposals::{Proposal, proposals};
use super::rows::{Campaign, Rows};
use super::search::{Found, Search};
use super::second_life::{SecondLives, ValuePerReturn};
use super::settings::WinbackPlanParams;
use super::sheet::PlanSheet;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::evidence::Evidence;
use crate::history::History;
use crate::losses::Losses;
use crate::rates::Power;
use crate::score::Scores;
use crate::value::Value;

impl WinbackPlanParams {
    fn check_against(&self, history: &History, scores: &Scores, losses: &Losses) -> Result<()> {
        self.check()?;
        if scores.as_of() != Some(losses.as_of()) {
            let of = scores.as_of().map_or("another table".to_owned(), |day| day.to_string());
            let found = format!("of {of}, where losses are of {}", losses.as_of());
            return Err(Error::parameter("day of the scores", found, "scores and losses of one day"));
        }
        match history.reading().columns().has_amount() {
            true => Ok(()),
            false => Err(Error::FeatureMismatch {
                origin: "the log".to_owned(),
                problem: "it was read without amounts, and a plan weighs money; name the column of amounts"
                    .to_owned(),
            }),
        }
    }

    /// Plans for the day of the losses.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a setting out of range, scores of another day, or a limit for a channel that no offer
    /// uses; [`Error::FeatureMismatch`] for a log without amounts.
    pub fn plan(
        &self,
        scores: &Scores,
        losses: &Losses,
        evidence: &Evidence,
        history: &History,
    ) -> Result<WinbackPlan> {
        self.check_against(history, scores, losses)?;
        let (as_of, lapses) = (losses.as_of(), losses.lapses());
        let natural = NaturalReturns::learn(history, lapses, evidence)?;
        let second_lives = SecondLives::of(history, lapses, self.value_days);
        let findings = Findings::of(history, losses, evidence.changes());
        let keeps = self.keep.weigh(history, lapses, evidence, self.margin_fraction)?;
        let known = Known {
            history,
            losses,
            findings: &findings,
            natural: &natural,
            second_lives: &second_lives,
            margin_fraction: self.margin_fraction,
        };
        let mut cases = cases(&known, scores, evidence, self.value_per_return.as_ref());
        let lives = lapses.lives();
        let keep_of = |case: &Case| &keeps[lives.partition_point(|life| life.rank() < case.rank)];
        for case in &mut cases {
            case.situation.is_bought_back = keep_of(case).is_bought_back();
        }
        let carried = self.carried(as_of);
        let ids: Vec<String> =
            cases.iter().map(|case| history.ids().text(case.rank as usize).into_owned()).collect();
        let offers = self.offers.offers();
        let beliefs = Beliefs::of(offers);
        let left = self.left(&carried);
        let options = Options::of(offers, &beliefs, &cases, |case, offer| {
            let pursued = keep_of(&cases[case]).decision == Decision::Pursue && cases[case].held_by.is_none();
            pursued && !carried.contains_key(ids[case].as_str()) && left.is_open(offer as u32)
        });
        let households = evidence.customers().map(|table| table.by_rank(history)).unwrap_or_default();
        let household = |rank: u32| households.get(&rank).and_then(|facts| facts.household_id.as_deref());
        let candidates: Vec<Candidate> = cases
            .iter()
            .enumerate()
            .map(|(at, case)| Candidate {
                customer_id: &ids[at],
                risk: 1.0 - case.p0,
                value: case.margin_amount(),
                household: household(case.rank),
                earlier: None,
                offers: options.of_case(at).len(),
            })
            .collect();
        let before: Vec<Candidate> = carried
            .iter()
            .map(|(id, row)| Candidate {
                customer_id: id,
                risk: f64::NAN,
                value: f64::NAN,
                household: history.ids().rank_of(id).and_then(|rank| household(rank as u32)),
                earlier: Some(EarlierArm {
                    arm: row.arm,
                    stratum: row.stratum.as_deref().unwrap_or_default(),
                }),
                offers: 1,
            })
            .collect();
        let holdout = Holdout::params(&self.campaign)
            .with_fraction(self.holdout_fraction)
            .with_explore_fraction(self.explore_fraction)
            .with_seed(self.seed);
        let found = Search {
            offers,
            cases: &cases,
            options: &options,
            beliefs: &beliefs,
            holdout: &holdout,
            holdout_fraction: self.holdout_fraction,
            candidates: &candidates,
            before: &before,
            budget: left.budget,
            capacities: &left.capacities,
            channels: &left.channels,
            value_error: value_error(history, as_of, losses.horizon_days())?,
            seed: self.seed,
        }
        .run()?;
        let rows = Rows {
            campaign: Campaign {
                name: &self.campaign,
                planned_on: as_of,
                first_step_on: as_of.plus_days(1),
                measure_until: as_of.plus_days(1 + losses.horizon_days()),
                margin_fraction: self.margin_fraction,
            },
            offers,
            beliefs: &beliefs,
            history,
            losses,
            findings: &findings,
            keeps: &keeps,
            cases: &cases,
            options: &options,
            found: &found,
            carried: &carried,
        };
        let sheet = PlanSheet::new(rows.all())?;
        let (cases, options) = (cases.as_slice(), &options);
        let lines = self.lines(cases, &found);
        Ok(WinbackPlan {
            as_of,
            campaign: self.campaign.clone(),
            lapsed: cases.iter().filter(|case| case.is_lapsed).count(),
            at_risk: cases.iter().filter(|case| !case.is_lapsed).count(),
            held: cases.iter().filter(|case| case.held_by.is_some()).count(),
            carried: carried.len(),
            budget_amount: self.budget,
            committed_amount: left.committed,
            holdout_fraction: self.holdout_fraction,
            power: power(cases, &found),
            offers: lines,
            outlook: found.outlook,
            limits: found.limits,
            bound_amount: found.bound_amount,
            gap_amount: found.gap_amount,
            curve: found.curve,
            proposals: proposals(offers, cases, options),
            notes: self.notes(cases, &natural),
            natural,
            second_lives,
            value_per_return: self.value_per_return,
            sheet,
        })
    }

    fn lines(&self, cases: &[Case], found: &Found) -> Vec<OfferLine> {
        let offers = self.offers.offers().iter();
        let mut lines: Vec<OfferLine> = offers
            .map(|offer| OfferLine {
                offer: offer.name.clone(),
                channel: offer.channel.clone(),
                treated: 0,
                held_out: 0,
                effect: None,
                cost_amount: 0.0,
                profit_amount: 0.0,
            })
            .collect();
        for (case, chosen) in cases.iter().zip(&found.chosen) {
            let Some(chosen) = chosen else { continue };
            let line = &mut lines[chosen.pick.offer as usize];
            *line.effect.get_or_insert(0.0) += chosen.pick.probability - case.p0;
            match chosen.arm {
                Arm::Holdout => line.held_out += 1,
                _ => {
                    line.treated += 1;
                    line.cost_amount += chosen.pick.cost;
                    line.profit_amount += chosen.pick.profit;
                }
            }
        }
        for line in &mut lines {
            let n = (line.treated + line.held_out) as f64;
            line.effect = line.effect.map(|sum| sum / n);
        }
        lines
    }

    fn notes(&self, cases: &[Case], natural: &NaturalReturns) -> Vec<String> {
        let mut notes = self.offers.warnings().to_vec();
        if natural.rows == 0 && cases.iter().any(|case| case.is_lapsed) {
            notes.push(
                "natural return is not known; the chance of a purchase by the rhythm stands in. Hold out half of \
                 the lost: whoever of them returns within the horizon tells it"
                    .to_owned(),
            );
        }
        let known: Vec<&str> = (0..KINDS).flat_map(parts_of).collect();
        for offer in self.offers.offers() {
            let EffectEvidence::Measured(effects) = &offer.effect else { continue };
            for stratum in effects.iter().filter_map(|effect| effect.stratum.as_deref()) {
                if !stratum.split(", ").all(|part| known.contains(&part.trim())) {
                    notes.push(format!(
                        "no customer is in stratum `{stratum}` of {}: its effect only counts towards the offer's \
                         mean; strata are made of parts such as `{}`",
                        offer.name,
                        parts_of(0).join(", ")
                    ));
                }
            }
        }
        notes
    }
}

/// What the campaign could show of its own effect; `None` where it has no effect to show, or nobody to show it on.
fn power(cases: &[Case], found: &Found) -> Option<Power> {
    let chosen =
        || cases.iter().zip(&found.chosen).filter_map(|(case, chosen)| Some((case, chosen.as_ref()?)));
    let n = chosen().count();
    let mean = |of: &dyn Fn(&Case, f64) -> f64| {
        chosen().map(|(case, chosen)| of(case, chosen.pick.probability)).sum::<f64>() / n.max(1) as f64
    };
    Power::params(n as u64, mean(&|case, _| case.p0), mean(&|case, with| with - case.p0)).compute().ok()
}

/// The relative doubt about what all customers spend in a horizon: the standard error by the model of value, or by how
/// much it was off a horizon earlier, if that is more.
fn value_error(history: &History, as_of: Day, horizon_days: i32) -> Result<f64> {
    let values = Value::params().with_horizon_days(horizon_days).estimate(history, as_of)?;
    let stated = values.expected_spend_interval().map(|spend| spend.standard_error / spend.estimate);
    let seen = values.looked_back().and_then(|back| Some(back.spend? / back.expected_spend? - 1.0));
    let sound = |error: Option<f64>| error.filter(|error| error.is_finite()).map_or(0.0, f64::abs);
    Ok(sound(stated).max(sound(seen)).min(1.0))
}

/// What is planned with one offer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfferLine {
    /// The offer.
    pub offer: String,
    /// Its channel.
    pub channel: String,
    /// Who gets it.
    pub treated: usize,
    /// Who would have got it, and is held out.
    pub held_out: usize,
    /// What it is expected to add to the chance of a return, on average; `None` where nobody gets it.
    pub effect: Option<f64>,
    /// What it is expected to cost.
    pub cost_amount: f64,
    /// What it is expected to add.
    pub profit_amount: f64,
}

/// A plan: who gets what, and what that will bring. [`Display`](std::fmt::Display) is a page for a terminal.
///
/// # Formula
/// ```text
/// lost      Δ = τ V₂ − (p₀ + τ) c − k        V₂ by SecondLives or ValuePerReturn, p₀ by NaturalReturns
/// at risk   Δ = τ V − (p₀ + τ) c − k         V what they spend in a horizon if they stay, p₀ = 1 − P(churned)
/// ```
/// times the margin where money of customers is meant; τ is the offer's effect, c its redemption and k its contact. The
/// allocation maximises the sum of Δ at the posterior means ([`Allocator`](super::Allocator)); of the contacted a part
/// is held out ([`Holdout`]).
///
/// An effect may be measured for a stratum: parts, separated by a comma and a blank, of what a customer is: `at risk` or
/// `lapsed`; `risk 0-10 %` … `risk 90-100 %`, or `lost 0-1 horizons`, `lost 1-2 horizons`, `lost 2-4 horizons`,
/// `lost 4 horizons or more`; and a cause. The stratum with the most parts that fit is taken.
#[derive(Clone, Debug, Serialize)]
pub struct WinbackPlan {
    /// The day.
    pub as_of: Day,
    /// The campaign's name.
    pub campaign: String,
    /// Customers who are lost.
    pub lapsed: usize,
    /// Customers at risk.
    pub at_risk: usize,
    /// Of both, those whose invitation is held until something has been changed.
    pub held: usize,
    /// Those of an earlier plan who are still being measured.
    pub carried: usize,
    /// The budget.
    pub budget_amount: Option<f64>,
    /// What the earlier plan of the same campaign takes of it.
    pub committed_amount: f64,
    /// The share held out.
    pub holdout_fraction: f64,
    /// What the campaign could show of its own effect.
    pub power: Option<Power>,
    /// One per offer.
    pub offers: Vec<OfferLine>,
    /// What it will bring and cost.
    pub outlook: Outlook,
    /// The limits, what is used of them, and what one more would bring.
    pub limits: Vec<LimitUse>,
    /// No choice of offers at the same expected cost brings more, were nobody held out.
    pub bound_amount: f64,
    /// How much of that the plan may lack at most.
    pub gap_amount: f64,
    /// The best profit at other budgets.
    pub curve: Vec<CurvePoint>,
    /// Tests that would tell what is not known.
    pub proposals: Vec<Proposal>,
    /// What to know before the plan is carried out.
    pub notes: Vec<String>,
    /// Who returns by themselves.
    pub natural: NaturalReturns,
    /// What second lives bring.
    pub second_lives: SecondLives,
    /// What a return is worth, where an experiment says it.
    pub value_per_return: Option<ValuePerReturn>,
    /// One row per customer.
    #[serde(skip)]
    pub(super) sheet: PlanSheet,
}

impl WinbackPlan {
    /// Begins to plan: with what, and what is left of an amount spent after costs, above 0 and at most 1.
    ///
    /// ```
    /// use winback::evidence::Evidence;
    /// use winback::losses::Losses;
    /// use winback::winback::{Offers, WinbackPlan};
    /// use winback::{ChurnModel, Columns, FeatureSet, History, Snapshots};
    ///
    /// let columns = Columns::new("customer_id", "timestamp").with_amount("amount");
    /// let history = History::params(columns).read_csv(["data/online_retail_orders.csv"])?;
    /// let snapshots = Snapshots::params(FeatureSet::standard(60, &[])).with_horizon_days(60).build(&history)?;
    /// let model = ChurnModel::params().fit(&snapshots)?;
    /// let evidence = Evidence::default();
    /// let losses = Losses::params().analyse(&history, &model, &evidence)?;
    /// let scores = model.score_with_intervals(&history, losses.as_of())?;
    /// let offers = Offers::from_json(
    ///     r#"[{"name": "ten-off", "channel": "email", "contact_cost": 0.05, "redeem_cost": {"fixed": 10},
    ///          "effect": {"assumed": {"low": 0.0, "high": 0.06}}}]"#,
    /// )?;
    /// let plan = WinbackPlan::params(offers, 0.3).with_budget_amount(500.0).plan(&scores, &losses, &evidence, &history)?;
    /// assert!(plan.outlook.cost_high_amount <= 500.0 && plan.outlook.overrun_probability <= 0.05);
    /// assert_eq!(plan.sheet().rows().len(), 4_335);
    /// # Ok::<(), winback::Error>(())
    /// ```
    #[must_use]
    pub fn params(offers: Offers, margin_fraction: f64) -> WinbackPlanParams {
        WinbackPlanParams {
            offers,
            margin_fraction,
            budget: None,
            channels: BTreeMap::new(),
            keep: KeepPolicy::default(),
            value_days: 365,
            value_per_return: None,
            holdout_fraction: 0.1,
            explore_fraction: 0.0,
            campaign: "win-back".to_owned(),
            seed: 0,
            previous: None,
        }
    }

    /// The plan customer by customer.
    #[must_use]
    pub fn sheet(&self) -> &PlanSheet {
        &self.sheet
    }
}
