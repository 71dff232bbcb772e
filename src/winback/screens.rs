//! What speaks for a customer, what against, and in which words?

use std::fmt;

use serde::Serialize;

/// What speaks against a customer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScreenKind {
    /// What was earned with them after returns, unpaid bills and the cost of abuse: below the limit, an amount.
    NetMargin,
    /// Unpaid bills: more than the limit.
    Unpaid,
    /// Bills paid late: more than the limit.
    LatePayment,
    /// Cases of abuse: more than the limit.
    Abuse,
    /// Complaints: more than the limit.
    Complaint,
    /// The share of purchases with a discount: above the limit, 0 to 1.
    DiscountOnly,
    /// Lives that a discount or a redeemed offer began and that were shorter than 90 days, from the return to the last purchase: more
    /// than the limit.
    BoughtBack,
}

impl ScreenKind {
    /// All of them, in order.
    pub const ALL: [ScreenKind; 7] = [
        ScreenKind::NetMargin,
        ScreenKind::Unpaid,
        ScreenKind::LatePayment,
        ScreenKind::Abuse,
        ScreenKind::Complaint,
        ScreenKind::DiscountOnly,
        ScreenKind::BoughtBack,
    ];
}

/// When something speaks against a customer, and how much it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Screen {
    /// What is looked at.
    pub kind: ScreenKind,
    /// From where on it speaks against the customer; see [`ScreenKind`].
    pub limit: f64,
    /// Points against the customer; 0 for a screen that is not used.
    pub weight: u32,
}

/// What speaks for a customer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Favour {
    /// They are what we look for.
    Persona,
    /// They spent regularly.
    Regular,
    /// They praised us.
    Praise,
    /// They recommended us.
    Refers,
    /// They did nothing wrong before we did.
    SterlingRecord,
}

impl fmt::Display for Favour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Favour::Persona => "they are the kind of customer we look for",
            Favour::Regular => "they spent regularly",
            Favour::Praise => "they praised us",
            Favour::Refers => "they recommended us",
            Favour::SterlingRecord => "they had a sterling record before it went wrong",
        })
    }
}

/// A screen that speaks against a customer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Screened {
    /// The screen.
    pub screen: Screen,
    /// What was found.
    pub found: f64,
    /// How long each life lasted that was bought back, in days.
    pub lives: Vec<i32>,
}

impl fmt::Display for Screened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, limit) = (self.found, self.screen.limit);
        match self.screen.kind {
            ScreenKind::NetMargin => {
                write!(f, "{found:.2} was earned with them after returns, at least {limit} is wanted")
            }
            ScreenKind::Unpaid => write!(f, "unpaid bills: {found}, at most {limit} will do"),
            ScreenKind::LatePayment => write!(f, "bills paid late: {found}, at most {limit} will do"),
            ScreenKind::Abuse => write!(f, "cases of abuse: {found}, at most {limit} will do"),
            ScreenKind::Complaint => write!(f, "complaints: {found}, at most {limit} will do"),
            ScreenKind::DiscountOnly => write!(
                f,
                "{:.0} % of their purchases had a discount, at most {:.0} % will do",
                100.0 * found,
                100.0 * limit
            ),
            ScreenKind::BoughtBack => {
                let lives: Vec<String> = self.lives.iter().map(i32::to_string).collect();
                write!(
                    f,
                    "had to be bought back {} times, and stayed for {} days",
                    lives.len(),
                    lives.join(", ")
                )
            }
        }
    }
}
