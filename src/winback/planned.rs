//! What is planned for one customer?

use std::fmt;

use serde::Serialize;

use super::step::FirstStep;
use crate::day::Day;
use crate::error::FaultKind;
use crate::evidence::Cause;

/// What is to become of a customer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Decision {
    /// Win them back, or keep them.
    Pursue,
    /// Let them hear of us now and then.
    KeepInTouch,
    /// Part as friends.
    PartAmicably,
    /// They must not be contacted.
    Suppressed,
    /// Neither lost nor at risk: nothing is to be done.
    LeaveAlone,
}

impl Decision {
    /// All of them.
    pub const ALL: [Decision; 5] = [
        Decision::Pursue,
        Decision::KeepInTouch,
        Decision::PartAmicably,
        Decision::Suppressed,
        Decision::LeaveAlone,
    ];

    /// The name as it stands in files, such as `KeepInTouch`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Decision::Pursue => "Pursue",
            Decision::KeepInTouch => "KeepInTouch",
            Decision::PartAmicably => "PartAmicably",
            Decision::Suppressed => "Suppressed",
            Decision::LeaveAlone => "LeaveAlone",
        }
    }
}

/// Where a customer stands in the experiment that a campaign is.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// Gets the offer.
    Treated,
    /// Would have got it, and is left alone to compare with.
    Holdout,
    /// Is no part of it.
    #[default]
    None,
}

impl Arm {
    /// All of them.
    pub const ALL: [Arm; 3] = [Arm::Treated, Arm::Holdout, Arm::None];

    /// The name as it stands in files, such as `holdout`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Arm::Treated => "treated",
            Arm::Holdout => "holdout",
            Arm::None => "none",
        }
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// The share of customers who returned.
    Returned,
    /// The amount spent per customer, who returned or not.
    Value,
    /// What is left of it once costs are taken off.
    Profit,
}

impl Measured {
    /// All of them.
    pub const ALL: [Measured; 3] = [Measured::Returned, Measured::Value, Measured::Profit];

    /// The name as it stands in files, such as `returned`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Measured::Returned => "returned",
            Measured::Value => "value",
            Measured::Profit => "profit",
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The row of one customer: a field per column.
///
/// Treated and held out customers have the same fields filled in: what the held out would have got, what it
/// would have cost, and the day both clocks start on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedCustomer {
    /// The id as in the log, once in a plan.
    pub customer_id: String,
    /// What is to become of them.
    pub decision: Decision,
    /// The offer's name; of the held out, what they would have got.
    pub offer: Option<String>,
    /// Where they stand in the experiment.
    pub arm: Arm,
    /// Within which customers the arm was drawn.
    pub stratum: Option<String>,
    /// The campaign's name.
    pub campaign: Option<String>,
    /// The day the plan is made for: nothing later was known.
    pub planned_on: Day,
    /// What the campaign will be judged by.
    pub primary_outcome: Option<Measured>,
    /// The last day that counts; before it has passed there is no verdict.
    pub measure_until: Option<Day>,
    /// What the offer is expected to cost, an amount from 0 on.
    pub cost_amount: Option<f64>,
    /// What is left of an amount spent after costs, 0 to 1.
    pub margin_fraction: Option<f64>,
    /// The chance that they return without any contact, 0 to 1.
    pub predicted_return_probability: Option<f64>,
    /// What the offer is expected to add, costs taken off; may be below 0.
    pub expected_profit_amount: Option<f64>,
    /// Why they left.
    pub cause: Cause,
    /// Why so decided, in words.
    pub why: String,
    /// What is done first.
    pub first_step: Option<FirstStep>,
    /// When. Both arms are counted from this day on.
    pub first_step_on: Option<Day>,
}

impl PlannedCustomer {
    /// Of whom nothing but the decision is known.
    #[must_use]
    pub fn new(customer_id: impl Into<String>, decision: Decision, planned_on: Day) -> Self {
        PlannedCustomer {
            customer_id: customer_id.into(),
            decision,
            offer: None,
            arm: Arm::None,
            stratum: None,
            campaign: None,
            planned_on,
            primary_outcome: None,
            measure_until: None,
            cost_amount: None,
            margin_fraction: None,
            predicted_return_probability: None,
            expected_profit_amount: None,
            cause: Cause::Unknown,
            why: String::new(),
            first_step: None,
            first_step_on: None,
        }
    }

    /// What does not go together: column, kind and what stands there.
    pub(super) fn faults(&self) -> Vec<(&'static str, FaultKind, String)> {
        let mut found = Vec::new();
        let mut add = |column, kind, value: &dyn ToString| found.push((column, kind, value.to_string()));
        if self.customer_id.is_empty() {
            add("customer_id", FaultKind::MissingId, &"null");
        }
        for (column, share) in [
            ("margin_fraction", self.margin_fraction),
            ("predicted_return_probability", self.predicted_return_probability),
        ] {
            if let Some(share) = share.filter(|share| !(0.0..=1.0).contains(share)) {
                add(column, FaultKind::NotAShare, &share);
            }
        }
        for (column, amount) in
            [("cost_amount", self.cost_amount), ("expected_profit_amount", self.expected_profit_amount)]
        {
            match amount {
                Some(amount) if !amount.is_finite() => add(column, FaultKind::InvalidNumber, &amount),
                Some(amount) if amount < 0.0 && column == "cost_amount" => {
                    add(column, FaultKind::NegativeNumber, &amount);
                }
                _ => {}
            }
        }
        if let Some(step) = self.first_step.as_ref().filter(|step| !step.is_sound()) {
            add("first_step", FaultKind::UnknownWord, step);
        }
        let in_order = [
            ("first_step_on", Some(self.planned_on), self.first_step_on),
            ("measure_until", self.first_step_on, self.measure_until),
        ];
        for (column, earlier, later) in in_order {
            if let (Some(earlier), Some(later)) = (earlier, later)
                && later < earlier
            {
                add(column, FaultKind::DatesOutOfOrder, &format!("{later}, before {earlier}"));
            }
        }
        // Who is compared must be there to compare.
        if self.arm != Arm::None {
            let texts = [("offer", &self.offer), ("stratum", &self.stratum), ("campaign", &self.campaign)];
            for (column, _) in texts.iter().filter(|(_, text)| text.as_ref().is_none_or(String::is_empty)) {
                add(column, FaultKind::MissingText, &"null");
            }
            if self.primary_outcome.is_none() {
                add("primary_outcome", FaultKind::MissingText, &"null");
            }
            if self.cost_amount.is_none() {
                add("cost_amount", FaultKind::MissingText, &"null");
            }
            let days = [("measure_until", self.measure_until), ("first_step_on", self.first_step_on)];
            for (column, _) in days.iter().filter(|(_, day)| day.is_none()) {
                add(column, FaultKind::MissingDate, &"null");
            }
        }
        found
    }
}
