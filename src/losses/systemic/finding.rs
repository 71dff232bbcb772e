//! What can be found of a segment value, and whose doing is it?

use serde::Serialize;

use crate::day::Day;
use crate::evidence::Cause;

/// What is said of a value, or of a value and a cause.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Verdict {
    /// It loses more, by more than chance and by at least the minimum lift.
    Systemic,
    /// It does not lose the minimum lift more, lately either: what was lost there was lost one by one.
    Individual,
    /// Too few to tell, or explained by another finding.
    Insufficient,
}

/// Whose doing a loss is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum Whose {
    /// Service, quality, own prices.
    Ours,
    /// A rival, or the need is gone.
    Outside,
    /// No cause is attached, or causes of both kinds.
    Unknown,
}

impl Whose {
    /// Whose doing that cause is.
    #[must_use]
    pub fn of(cause: Cause) -> Self {
        match cause {
            Cause::ServiceFailure | Cause::Price | Cause::NotTheRightFit => Whose::Ours,
            Cause::Competitor | Cause::NoLongerNeeded => Whose::Outside,
            Cause::Other | Cause::Unknown => Whose::Unknown,
        }
    }
}

/// One value, or one value and cause, and what is said of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The segment column.
    pub segment: String,
    /// Its value.
    pub value: String,
    /// The cause tested; none for losses of all causes.
    pub cause: Option<Cause>,
    /// Whose doing it is, by the causes attached.
    pub whose: Whose,
    /// Customers at landmarks, each counted at every landmark; customers where a table was read. Only those whom
    /// somebody elsewhere compares with.
    pub exposed: usize,
    /// Distinct customers exposed, whether or not somebody compares.
    pub customers: usize,
    /// How many of [`exposed`](Self::exposed) were lost (for that cause).
    pub lost: usize,
    /// How many would have been at the rates of comparable customers elsewhere.
    pub expected: Option<f64>,
    /// Exposed with whom nobody elsewhere compares; in none of the other numbers.
    pub exposed_alone: usize,
    /// How many of these were lost.
    pub lost_alone: usize,
    /// The Mantel–Haenszel ratio; none where it is unbounded or nothing compares.
    pub lift: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The false discovery rate at which it would be a finding, allowing for the budget; none where it was
    /// not tested.
    pub q: Option<f64>,
    /// What is said of it.
    pub verdict: Verdict,
    /// The finding, `segment=value`, within whose strata it is none.
    pub explained_by: Option<String>,
    /// The exposed needed to find the minimum lift in 80 % of all cases.
    pub needed: Option<u64>,
    /// Spend in the year before of those lost above what was expected, where amounts were read.
    pub excess_amount: Option<f64>,
    /// Observed over expected of a model without segments, over the same elsewhere, where one was given.
    pub model_lift: Option<f64>,
    /// What the last landmarks show beside the earlier ones; none for causes, for a customer table and with one
    /// landmark.
    pub recent: Option<Recent>,
    /// A sudden drop that was found at the same value; set where both are looked for.
    pub drop: Option<DropBeside>,
}

/// A sudden drop at a value, beside what is said of its losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DropBeside {
    /// The first day of the fall.
    pub date: Day,
    /// The part of the regulars' purchases that is gone, 0 to 1.
    pub size: f64,
    /// Whether most of it went to other values.
    pub is_moved: bool,
}

/// What the last landmarks show by themselves, beside those before them.
///
/// All landmarks together hide what has begun lately. So each value is looked at twice more: from the landmarks whose
/// losses lie in the last half year (by whole horizons, and half of all landmarks at most), and from all others.
///
/// # Formula
/// ```text
/// z = (ln lift − ln lift_earlier) / √(se² + se_earlier²)      se by the widths of the intervals
/// ```
/// two-sided, and differing where q by Benjamini and Hochberg over the values is at most .05.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recent {
    /// As [`Finding::exposed`], at the recent landmarks; so are the others.
    pub exposed: usize,
    /// How many of these were lost.
    pub lost: usize,
    /// How many to expect at the rates elsewhere.
    pub expected: Option<f64>,
    /// The Mantel–Haenszel ratio.
    pub lift: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The false discovery rate at which it would be a finding by itself, within a budget of its own.
    pub q: Option<f64>,
    /// What would be said of these landmarks alone.
    pub verdict: Verdict,
    /// The ratio at the landmarks before them.
    pub lift_earlier: Option<f64>,
    /// Lower end of its 95 % interval.
    pub low_earlier: Option<f64>,
    /// Upper end.
    pub high_earlier: Option<f64>,
    /// How likely chance alone sets recent and earlier landmarks so far apart.
    pub p_differs: Option<f64>,
    /// Whether they differ, allowing for the number of values.
    pub differs: bool,
}

impl Finding {
    pub(super) fn new(segment: &str, value: &str, cause: Option<Cause>) -> Self {
        Finding {
            segment: segment.to_owned(),
            value: value.to_owned(),
            cause,
            whose: Whose::Unknown,
            exposed: 0,
            customers: 0,
            lost: 0,
            expected: None,
            exposed_alone: 0,
            lost_alone: 0,
            lift: None,
            low: None,
            high: None,
            q: None,
            verdict: Verdict::Insufficient,
            explained_by: None,
            needed: None,
            excess_amount: None,
            model_lift: None,
            recent: None,
            drop: None,
        }
    }

    /// Sets a drop beside it. A value whose regulars are lost does not lose one by one.
    pub(in crate::losses) fn beside(&mut self, drop: DropBeside) {
        if self.verdict == Verdict::Individual && !drop.is_moved {
            self.verdict = Verdict::Insufficient;
        }
        self.drop = Some(drop);
    }
}

/// What all systemic findings lost together; who is exposed to several counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SystemicTotals {
    /// Losses among the exposed whom somebody not exposed compares with, each at every landmark.
    pub losses: usize,
    /// Losses with whom nobody compares; in none of the other numbers.
    pub losses_alone: usize,
    /// Distinct customers lost.
    pub customers: usize,
    /// Losses to expect at the rates elsewhere.
    pub expected: f64,
    /// Losses above that.
    pub excess: f64,
    /// Spend of the lost in the year before, where amounts were read.
    pub amount: Option<f64>,
    /// The part of it that goes with the excess.
    pub excess_amount: Option<f64>,
}

/// Loss by tenure, all values together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TenureBand {
    /// First month of the band, from 0.
    pub from_months: u32,
    /// The month it ends before; none for the last.
    pub until_months: Option<u32>,
    /// Customer-months spent in it.
    pub customer_months: f64,
    /// Customers lost in it.
    pub lost: usize,
    /// Lost per 100 customer-months.
    pub per_100_months: Option<f64>,
}
