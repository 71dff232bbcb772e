//! Why do customers leave? The seven causes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a customer left.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Cause {
    /// A rival made the better offer.
    Competitor,
    /// Something went wrong: late, broken, rude, ignored.
    ServiceFailure,
    /// It became, or was, too dear.
    Price,
    /// Moved, grown up, closed, dead: the need is gone.
    NoLongerNeeded,
    /// It was never quite what they wanted.
    NotTheRightFit,
    /// A stated cause that is none of these.
    Other,
    /// Not known.
    Unknown,
}

impl Cause {
    /// All seven, in order.
    pub const ALL: [Cause; 7] = [
        Cause::Competitor,
        Cause::ServiceFailure,
        Cause::Price,
        Cause::NoLongerNeeded,
        Cause::NotTheRightFit,
        Cause::Other,
        Cause::Unknown,
    ];

    /// The name as it stands in files, such as `ServiceFailure`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Cause::Competitor => "Competitor",
            Cause::ServiceFailure => "ServiceFailure",
            Cause::Price => "Price",
            Cause::NoLongerNeeded => "NoLongerNeeded",
            Cause::NotTheRightFit => "NotTheRightFit",
            Cause::Other => "Other",
            Cause::Unknown => "Unknown",
        }
    }

    /// The cause of that name, in any case; blanks, hyphens and underscores do not matter.
    ///
    /// ```
    /// use winback::evidence::Cause;
    ///
    /// assert_eq!(Cause::parse("service failure"), Some(Cause::ServiceFailure));
    /// assert_eq!(Cause::parse("too dear"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: String = text.chars().filter(|letter| !" -_".contains(*letter)).collect();
        Self::ALL.into_iter().find(|cause| cause.name().eq_ignore_ascii_case(&letters))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
