//! What does a feature speak of, and what does it mean?

use serde::{Deserialize, Serialize};

/// Which idea a feature speaks of. Drivers are summed per idea.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Idea {
    /// How long the customer has been silent.
    Silence,
    /// How much they bought, lately and ever.
    Activity,
    /// How often and how regularly they buy, and how the silence compares with that.
    Rhythm,
    /// What they spend.
    Money,
    /// What they send back.
    Refunds,
    /// How their peers behave.
    Peers,
    /// The caller's own features.
    Own,
}

impl Idea {
    /// All ideas, in the order in which ties are broken.
    pub const ALL: [Idea; 7] =
        [Idea::Silence, Idea::Activity, Idea::Rhythm, Idea::Money, Idea::Refunds, Idea::Peers, Idea::Own];

    /// Its name in tables: `silence`, `activity` …
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Idea::Silence => "silence",
            Idea::Activity => "activity",
            Idea::Rhythm => "rhythm",
            Idea::Money => "money",
            Idea::Refunds => "refunds",
            Idea::Peers => "peers",
            Idea::Own => "own",
        }
    }
}

/// What a feature means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its unit: `days`, `purchases`, `fraction`, `amount` …
    pub unit: String,
    /// How it is computed.
    pub formula: String,
}
