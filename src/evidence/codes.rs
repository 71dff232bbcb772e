//! Which cause does a word stand for?

use super::cause::Cause;

/// Common words for each cause, in lower case and with single spaces. A code is one of them as a whole, never
/// in part: `price too high` says price, `price of a friend` says nothing here.
const WORDS: [(Cause, &[&str]); 7] = [
    (
        Cause::Competitor,
        &["competitor", "competition", "rival", "competitor offer", "better offer elsewhere", "switched"],
    ),
    (
        Cause::ServiceFailure,
        &[
            "service failure",
            "service",
            "servicefailure",
            "bad service",
            "poor service",
            "customer service",
            "support",
            "complaint",
            "attitude",
            "dissatisfaction",
            "dissatisfied",
            "delivery",
            "late delivery",
            "damaged",
            "defect",
            "quality",
            "outage",
            "staff",
        ],
    ),
    (
        Cause::Price,
        &[
            "price",
            "pricing",
            "price too high",
            "too expensive",
            "expensive",
            "cost",
            "costs",
            "price increase",
        ],
    ),
    (
        Cause::NoLongerNeeded,
        &[
            "no longer needed",
            "nolongerneeded",
            "not needed",
            "no need",
            "moved",
            "moved away",
            "deceased",
            "closed",
            "business closed",
        ],
    ),
    (
        Cause::NotTheRightFit,
        &[
            "not the right fit",
            "nottherightfit",
            "wrong fit",
            "poor fit",
            "bad fit",
            "product dissatisfaction",
            "missing features",
            "features",
            "range",
            "assortment",
        ],
    ),
    (Cause::Other, &["other", "others", "misc", "miscellaneous"]),
    (
        Cause::Unknown,
        &["unknown", "don t know", "dont know", "no answer", "no reason", "not stated", "none", "n a", "na"],
    ),
];

/// The cause of a plain code that is a common word.
pub(super) fn by_word(code: &str) -> Option<Cause> {
    WORDS.iter().find(|(_, words)| words.contains(&code)).map(|(cause, _)| *cause)
}

/// Lower case, letters and digits only, single spaces.
pub(super) fn plain(code: &str) -> String {
    let code = code.to_lowercase();
    let words = code.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}
