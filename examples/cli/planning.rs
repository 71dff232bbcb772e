//! How a campaign is planned, and when a customer is lost: the options.

use std::path::PathBuf;

use clap::Args;
use winback::losses::{LapseRule, LossesParams};
use winback::winback::{Offers, PlanSheet, WinbackPlan, WinbackPlanParams};

use super::Progress;

/// What a plan is made of.
#[derive(Args, Clone, Debug)]
pub struct PlanOptions {
    /// The offers, as JSON: a list of objects with name, channel, effect, and more where known
    #[arg(long, value_name = "FILE", requires_all = ["budget", "margin"])]
    pub offers: Option<PathBuf>,
    /// What the plan may cost, an amount
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "offers")]
    pub budget: Option<f64>,
    /// What is left of an amount spent after costs, above 0 and at most 1
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true, requires = "offers")]
    pub margin: Option<f64>,
    /// An earlier plan, whose arms are kept as long as they are measured
    #[arg(long, value_name = "FILE", requires = "offers")]
    pub previous_plan: Option<PathBuf>,
    /// Share of those who would be contacted that is held out, from 0 to below 1
    #[arg(long, value_name = "FRACTION", default_value_t = 0.1, allow_negative_numbers = true)]
    pub holdout_fraction: f64,
    /// Share of those who would be contacted that gets one of the offers for them by lot, 0 to 1
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0, allow_negative_numbers = true)]
    pub explore_fraction: f64,
    /// Seed of everything that is drawn by lot
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Name of the campaign; arms are drawn by it
    #[arg(long, value_name = "NAME", default_value = "win-back")]
    pub campaign: String,
}

impl PlanOptions {
    /// The files that are read.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.offers.iter().chain(&self.previous_plan)
    }

    /// How to plan, checked; `None` without offers.
    pub fn params(&self, progress: &Progress) -> winback::Result<Option<WinbackPlanParams>> {
        let (Some(offers), Some(budget), Some(margin)) = (&self.offers, self.budget, self.margin) else {
            return Ok(None);
        };
        let mut params = WinbackPlan::params(Offers::read(offers)?, margin)
            .with_budget_amount(budget)
            .with_holdout_fraction(self.holdout_fraction)
            .with_explore_fraction(self.explore_fraction)
            .with_seed(self.seed)
            .with_campaign(&self.campaign);
        if let Some(path) = &self.previous_plan {
            let sheet = PlanSheet::read(path)?;
            progress.say(&format!("earlier plan: {}", sheet.report()));
            params = params.with_previous(sheet);
        }
        params.check()?;
        Ok(Some(params))
    }
}

/// Sets when a customer is lost, where that is said: below a chance to buy in the horizon, or after so many days.
pub fn with_lapse(
    params: LossesParams,
    limit: Option<f64>,
    days: Option<i32>,
    horizon_days: i32,
) -> LossesParams {
    match (days, limit) {
        (Some(days), _) => params.with_lapse_rule(LapseRule::fixed(days).with_horizon_days(horizon_days)),
        (None, Some(limit)) => {
            params.with_lapse_rule(LapseRule::default().with_limit(limit).with_horizon_days(horizon_days))
        }
        (None, None) => params,
    }
}
