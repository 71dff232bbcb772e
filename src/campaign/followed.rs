//! What came of each customer of a plan? Orders and contacts after the day the clocks started on.

use std::collections::BTreeMap;

use super::experiment::{Experiment, coded};
use crate::day::{Day, Window};
use crate::error::{Error, Result};
use crate::evidence::{Contact, Contacts};
use crate::history::{History, Run};
use crate::value::Value;
use crate::winback::{Arm, Offers, PlanSheet, PlannedCustomer};

/// The end of the name of strata whose arms come from an earlier plan, maybe with other shares.
const DRAWN_BEFORE: &str = ", drawn before";
/// The end of the name of strata whose customers got an offer by lot.
const BY_LOT: &str = ", offer by lot";
/// Days of spend before the plan by which arms are compared.
const DAYS_BEFORE: i32 = 365;

/// One customer of the plan who has an arm, and whose clock has started.
pub(super) struct Followed<'a> {
    pub(super) row: &'a PlannedCustomer,
    pub(super) treated: bool,
    pub(super) rank: Option<usize>,
    pub(super) returned: bool,
    /// Spent, less what went back; NaN without amounts.
    pub(super) value: f64,
    /// Spent in the year before the plan; NaN without amounts.
    pub(super) before: f64,
    /// Expected by what was known when the plan was made; NaN where nothing was.
    pub(super) expected: f64,
    /// What contacting them cost.
    pub(super) cost: f64,
    /// Contacts since the clock started.
    pub(super) contacts: usize,
}

/// Where costs come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CostBasis {
    /// What the plan expected of each offer made.
    Planned,
    /// Redemptions as recorded, and each recorded contact at the offer's price.
    Recorded,
    /// Redemptions as recorded; what contacts cost is not known.
    RedemptionsOnly,
}

/// All of them, and what is known of the costs.
pub(super) struct Group<'a> {
    pub(super) customers: Vec<Followed<'a>>,
    pub(super) cost_basis: CostBasis,
    /// Whose clock had not started by the day.
    pub(super) not_started: usize,
    /// Why there is no prediction, where there is none.
    pub(super) unpredicted: Option<String>,
    pub(super) has_amounts: bool,
}

/// Follows the customers of one campaign up to a day.
pub(super) fn follow<'a>(
    plan: &'a PlanSheet,
    campaign: &str,
    history: &History,
    contacts: Option<&Contacts>,
    offers: Option<&Offers>,
    until: Day,
) -> Result<Group<'a>> {
    let mut of_customer: BTreeMap<&str, Vec<&Contact>> = BTreeMap::new();
    for contact in contacts.iter().flat_map(|contacts| contacts.rows()) {
        of_customer.entry(&contact.customer_id).or_default().push(contact);
    }
    let has_redemptions = of_customer.values().flatten().any(|contact| contact.redeemed_amount.is_some());
    let cost_basis = match (has_redemptions, offers) {
        (false, _) => CostBasis::Planned,
        (true, Some(_)) => CostBasis::Recorded,
        (true, None) => CostBasis::RedemptionsOnly,
    };
    let price = |name: Option<&str>| {
        let known = offers.iter().flat_map(|offers| offers.offers());
        known
            .filter(|offer| Some(offer.name.as_str()) == name)
            .map(|offer| offer.contact_cost)
            .next()
            .unwrap_or(0.0)
    };
    let has_amounts = history.reading().columns().has_amount();
    let mut expectations = Expectations { history, of_day: BTreeMap::new(), unpredicted: None };
    let (mut customers, mut not_started) = (Vec::new(), 0);
    for row in plan.rows() {
        let (Some(first), Some(last)) = (row.first_step_on, row.measure_until) else { continue };
        if row.arm == Arm::None || row.campaign.as_deref() != Some(campaign) {
            continue;
        }
        if first > until {
            not_started += 1;
            continue;
        }
        // The day of the first step counts.
        let window = Window { after: first.plus_days(-1), until: last.min(until) };
        let rank = history.ids().rank_of(&row.customer_id);
        let run = rank.map(|rank| history.run(rank));
        let own = of_customer.get(row.customer_id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let own: Vec<&Contact> = own.iter().copied().filter(|contact| window.contains(contact.on)).collect();
        let treated = row.arm == Arm::Treated;
        let cost = match cost_basis {
            _ if !treated => 0.0,
            CostBasis::Planned => row.cost_amount.unwrap_or(0.0),
            _ => {
                let redeemed: f64 = own.iter().filter_map(|contact| contact.redeemed_amount).sum();
                redeemed + own.len() as f64 * price(row.offer.as_deref())
            }
        };
        let amount = |window: Window| match (&run, has_amounts) {
            (_, false) => f64::NAN,
            (Some(run), true) => spent(run, window),
            (None, true) => 0.0,
        };
        customers.push(Followed {
            row,
            treated,
            rank,
            returned: run.is_some_and(|run| !window.range_in(run.days).is_empty()),
            value: amount(window),
            before: amount(Window::back_from(row.planned_on, DAYS_BEFORE)),
            expected: expectations.of(row.planned_on, window, rank)?,
            cost,
            contacts: own.len(),
        });
    }
    Ok(Group { customers, cost_basis, not_started, unpredicted: expectations.unpredicted, has_amounts })
}

/// Spent in the window, less what went back.
pub(super) fn spent(run: &Run, window: Window) -> f64 {
    let bought: f64 = run.net[window.range_in(run.days)].iter().sum();
    let back: f64 = run.refund_amounts[window.range_in(run.refund_days)].iter().sum();
    bought - back.abs()
}

/// What customers were expected to spend, by the day the plan was made and the days looked ahead.
struct Expectations<'a> {
    history: &'a History,
    /// By rank, NaN of who had not bought by then.
    of_day: BTreeMap<(Day, i32), Vec<f64>>,
    unpredicted: Option<String>,
}

impl Expectations<'_> {
    fn of(&mut self, planned_on: Day, window: Window, rank: Option<usize>) -> Result<f64> {
        let days = window.until.days_since(planned_on).clamp(1, 9_125);
        if !self.of_day.contains_key(&(planned_on, days)) {
            let found = Value::params().with_horizon_days(days).estimate(self.history, planned_on);
            let mut expected = vec![f64::NAN; self.history.customers()];
            match found {
                Ok(values) => {
                    for (value, &rank) in values.values().iter().zip(values.ranks()) {
                        expected[rank as usize] = value.expected_spend;
                    }
                }
                Err(Error::AfterObserved { .. } | Error::BeforeFirstPurchase { .. }) => {
                    self.unpredicted = Some(format!("nothing was known on {planned_on}"));
                }
                Err(error) => return Err(error),
            }
            self.of_day.insert((planned_on, days), expected);
        }
        let own = self.of_day.get(&(planned_on, days)).zip(rank);
        Ok(own.map_or(f64::NAN, |(expected, rank)| expected[rank]))
    }
}

impl<'a> Group<'a> {
    /// The customers of both arms that fit, as an experiment of two: strata are those of the design.
    pub(super) fn experiment(&self, arm: &str, fits: impl Fn(&Followed) -> bool) -> Experiment {
        let own: Vec<&Followed> = self.customers.iter().filter(|one| fits(one)).collect();
        let treated: Vec<bool> = own.iter().map(|one| one.treated).collect();
        self.two("holdout", arm, &own, &treated)
    }

    /// Treated customers who got one of two offers by lot; they are compared within causes too, because a cause
    /// says which offers there are to draw from.
    pub(super) fn between(&self, control: &str, arm: &str) -> Experiment {
        let is_of = |one: &&Followed| {
            let offer = one.row.offer.as_deref();
            one.treated && is_by_lot(one.row) && (offer == Some(control) || offer == Some(arm))
        };
        let own: Vec<&Followed> = self.customers.iter().filter(is_of).collect();
        let treated: Vec<bool> = own.iter().map(|one| one.row.offer.as_deref() == Some(arm)).collect();
        let mut experiment = self.two(control, arm, &own, &treated);
        let causes: Vec<String> = own.iter().map(|one| one.row.cause.name().to_owned()).collect();
        experiment.covariates.push(("cause".to_owned(), coded(&causes).1));
        experiment
    }

    fn two(&self, control: &str, arm: &str, own: &[&Followed], treated: &[bool]) -> Experiment {
        let returned = own.iter().map(|one| one.returned).collect();
        let mut experiment = Experiment::of_two(control, arm, treated, returned);
        let text =
            |of: &dyn Fn(&Followed) -> String| coded(&own.iter().map(|one| of(one)).collect::<Vec<_>>()).1;
        let numbers = |of: &dyn Fn(&Followed) -> f64| own.iter().map(|one| of(one)).collect::<Vec<f64>>();
        let all_finite = |values: Vec<f64>| values.iter().all(|value| value.is_finite()).then_some(values);
        experiment.covariates =
            vec![("stratum".to_owned(), text(&|one| one.row.stratum.clone().unwrap_or_default()))];
        experiment.alike = vec![
            ("cause".to_owned(), text(&|one| one.row.cause.name().to_owned())),
            ("in the orders".to_owned(), text(&|one| one.rank.is_some().to_string())),
        ];
        experiment.drawn_otherwise = own
            .iter()
            .map(|one| one.row.stratum.as_deref().unwrap_or_default().ends_with(DRAWN_BEFORE))
            .collect();
        experiment.score = all_finite(numbers(&|one| one.row.expected_profit_amount.unwrap_or(f64::NAN)));
        let chances = numbers(&|one| one.row.predicted_return_probability.unwrap_or(f64::NAN));
        let known = [
            ("predicted_return_probability", chances),
            ("cost_amount", numbers(&|one| one.row.cost_amount.unwrap_or(f64::NAN))),
            ("spend in the year before", numbers(&|one| one.before)),
        ];
        for (name, values) in known {
            experiment.numbers.extend(all_finite(values).map(|values| (name.to_owned(), values)));
        }
        if self.has_amounts {
            experiment.value = Some(numbers(&|one| one.value));
            let profit = |one: &Followed| one.row.margin_fraction.unwrap_or(f64::NAN) * one.value - one.cost;
            experiment.profit = all_finite(numbers(&profit));
            experiment.prediction =
                all_finite(numbers(&|one| if one.expected.is_nan() { 0.0 } else { one.expected }))
                    .filter(|values| values.iter().any(|value| *value != 0.0));
        }
        experiment
    }

    /// The offers' names, in order of text.
    pub(super) fn offers(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.customers.iter().filter_map(|one| one.row.offer.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether any offers were drawn by lot.
    pub(super) fn has_lots(&self) -> bool {
        self.customers.iter().any(|one| is_by_lot(one.row))
    }
}

fn is_by_lot(row: &PlannedCustomer) -> bool {
    row.stratum.as_deref().unwrap_or_default().trim_end_matches(DRAWN_BEFORE).ends_with(BY_LOT)
}
