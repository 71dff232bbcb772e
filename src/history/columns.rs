//! Which column says what?

use serde::{Deserialize, Serialize};

use super::types::Role;
use crate::error::{Error, Result};

/// The columns of an orders table, by name.
///
/// Customer and date are needed; amount, discount and segments are read only where they are named.
///
/// ```
/// use winback::history::Columns;
///
/// let columns = Columns::new("customer", "ordered_at").with_amount("total").with_segments(["store"]);
/// assert_eq!(columns.names(), ["customer", "ordered_at", "total", "store"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    pub(crate) customer: String,
    pub(crate) date: String,
    pub(crate) amount: Option<String>,
    pub(crate) discount: Option<String>,
    pub(crate) segments: Vec<String>,
}

impl Columns {
    /// Names the customer id (text or integers) and the order's date (a date, a datetime, or text).
    #[must_use]
    pub fn new(customer: impl Into<String>, date: impl Into<String>) -> Self {
        Columns {
            customer: customer.into(),
            date: date.into(),
            amount: None,
            discount: None,
            segments: Vec::new(),
        }
    }

    /// Names the order's amount in the shop's currency; negative amounts are refunds.
    #[must_use]
    pub fn with_amount(mut self, name: impl Into<String>) -> Self {
        self.amount = Some(name.into());
        self
    }

    /// Names what was taken off the order's price, in the shop's currency; its sign does not matter,
    /// and a missing value is no discount.
    #[must_use]
    pub fn with_discount(mut self, name: impl Into<String>) -> Self {
        self.discount = Some(name.into());
        self
    }

    /// Names columns whose values customers share with their peers: store, country, product line.
    #[must_use]
    pub fn with_segments<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.segments = names.into_iter().map(Into::into).collect();
        self
    }

    /// All names: customer, date, amount, discount, segments.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.roles().into_iter().map(|(name, _)| name).collect()
    }

    /// All names with what they are read as.
    pub(crate) fn roles(&self) -> Vec<(&str, Role)> {
        let needed = [(self.customer.as_str(), Role::Customer), (self.date.as_str(), Role::Date)];
        let money = [&self.amount, &self.discount].into_iter().flatten();
        let segments = self.segments.iter().map(|name| (name.as_str(), Role::Segment));
        needed.into_iter().chain(money.map(|name| (name.as_str(), Role::Money))).chain(segments).collect()
    }

    /// The customer column.
    #[must_use]
    pub fn customer(&self) -> &str {
        &self.customer
    }

    /// The date column.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The amount column, where named.
    #[must_use]
    pub fn amount(&self) -> Option<&str> {
        self.amount.as_deref()
    }

    /// The discount column, where named.
    #[must_use]
    pub fn discount(&self) -> Option<&str> {
        self.discount.as_deref()
    }

    /// The segment columns.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Whether the amount was named.
    #[must_use]
    pub fn has_amount(&self) -> bool {
        self.amount.is_some()
    }

    /// Refuses one column in two roles.
    pub(crate) fn check(&self) -> Result<()> {
        let mut names = self.names();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                Err(Error::parameter("columns", format!("`{}` in two roles", pair[0]), "one role per column"))
            }
            None => Ok(()),
        }
    }
}
