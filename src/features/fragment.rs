//! How is a feature said in SQL?
//!
//! One match beside [`Feature::fill`]'s: a formula over the facts of a customer at a cutoff. Names of facts are those
//! that `sql` gives to the columns of its query.

use super::feature::Feature;
use super::{money, recency, refunds, rhythm, trend};
use crate::dialect::Dialect;
use crate::error::{Error, Result};

impl Feature {
    /// The expression of this feature; `peers` names the columns of peer counts of a segment column and horizon.
    pub(crate) fn to_sql(
        &self,
        dialect: Dialect,
        peers: impl Fn(&str, i32) -> PeerColumns,
    ) -> Result<String> {
        let float = |expression: &str| dialect.to_float(expression);
        Ok(match self {
            Feature::DaysSinceLast => float(recency::sql::DAYS_SINCE_LAST),
            Feature::TenureDays => float(recency::sql::TENURE_DAYS),
            Feature::NPurchases => float("n_purchases"),
            Feature::IsSinglePurchase => float(recency::sql::IS_SINGLE_PURCHASE),
            Feature::IntervalShrunk { horizon_days } => rhythm::sql::interval_shrunk(float, *horizon_days),
            Feature::OverdueRatio { horizon_days } => rhythm::sql::overdue_ratio(float, *horizon_days),
            Feature::PurchaseRate { horizon_days } => rhythm::sql::purchase_rate(float, *horizon_days),
            Feature::IntervalSd => rhythm::sql::interval_sd(float),
            Feature::IntervalMax => float("longest_interval"),
            Feature::IntervalLast => float("latest_interval"),
            Feature::IsSilentBeyondLongest => float(rhythm::sql::IS_SILENT_BEYOND_LONGEST),
            Feature::SilenceFraction => rhythm::sql::silence_fraction(float),
            Feature::OwnReturn { horizon_days } => rhythm::sql::own_return(float, *horizon_days),
            Feature::PurchasesIn { days } => float(&trend::sql::purchases(*days)),
            Feature::AmountMean => money::sql::AMOUNT_MEAN.to_owned(),
            Feature::AmountLast => "latest_amount".to_owned(),
            Feature::SpendIn { days } => money::sql::spend(*days),
            Feature::DiscountFraction => money::sql::DISCOUNT_FRACTION.to_owned(),
            Feature::RefundFraction => refunds::sql::REFUND_FRACTION.to_owned(),
            Feature::PeerLoss { column, horizon_days } => peers(column, *horizon_days).loss(float),
            Feature::OverallLoss { column, horizon_days } => peers(column, *horizon_days).overall(float),
            Feature::Custom(_) => {
                return Err(Error::NotInSql {
                    what: format!("feature `{}`", self.name()),
                    reason: "it is the caller's own, computed by a closure".to_owned(),
                });
            }
        })
    }
}

/// The columns of one segment column's peer counts, all without the customer's own fold.
pub(crate) struct PeerColumns {
    /// Customers who bought, of the same home value; null where a customer has no home value.
    pub(crate) bought: String,
    /// Those of them who were lost.
    pub(crate) lost: String,
    /// Customers who bought, of any home value.
    pub(crate) all_bought: String,
    /// Those of them who were lost.
    pub(crate) all_lost: String,
}

impl PeerColumns {
    fn overall(&self, float: impl Fn(&str) -> String) -> String {
        let Self { all_bought, all_lost, bought, .. } = self;
        format!(
            "CASE WHEN {bought} IS NOT NULL AND {all_bought} > 0 THEN {} / {} END",
            float(all_lost),
            float(all_bought)
        )
    }

    fn loss(&self, float: impl Fn(&str) -> String) -> String {
        let Self { bought, lost, all_bought, all_lost } = self;
        format!(
            "CASE WHEN {all_bought} > 0 THEN ({} + 50 * ({} / {})) / ({} + 50) END",
            float(lost),
            float(all_lost),
            float(all_bought),
            float(bought)
        )
    }
}
