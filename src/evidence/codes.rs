//! Which cause does a word stand for?

use super::cause::Cause;

/// Common words for each cause, in lower case and with single spaces. A code is one of them as a whole, never
/// in part: `price too high` says price, `price of a friend` says nothing here.
const WORDS: [(Cause, &[&str]); 7] = [
    (
        Cause::Competitor,
        &[
            "competition",
            "better offer",
            "better offer elsewhere",
            "found a better offer",
            "bought elsewhere",
            "buys elsewhere",
            "switched",
            "switched provider",
            "switched supplier",
            "went to a competitor",
            "went to competitor",
            "other provider",
            "other supplier",
        ],
    ),
    (
        Cause::ServiceFailure,
        &[
            "service failure",
            "servicefailure",
            "service",
            "bad service",
            "poor service",
            "slow service",
            "customer service",
            "support",
            "bad support",
            "poor support",
            "complaint",
            "attitude",
            "bad attitude",
            "rude",
            "rude staff",
            "unfriendly",
            "unfriendly staff",
            "impolite",
            "staff",
            "ignored",
            "no reply",
            "dissatisfaction",
            "dissatisfied",
            "service dissatisfaction",
            "poor expertise of phone support",
            "poor expertise of online support",
            "delivery",
            "late delivery",
            "slow delivery",
            "late",
            "lost parcel",
            "wrong item",
            "damaged",
            "broken",
            "defect",
            "defective",
            "faulty",
            "quality",
            "bad quality",
            "poor quality",
            "outage",
            "reliability",
            "network reliability",
        ],
    ),
    (
        Cause::Price,
        &[
            "price",
            "prices",
            "pricing",
            "price too high",
            "too expensive",
            "expensive",
            "too dear",
            "cost",
            "costs",
            "too costly",
            "price increase",
            "charges",
            "extra charges",
            "extra data charges",
            "long distance charges",
            "fees",
            "hidden fees",
            "lack of affordable download upload speed",
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
            "relocated",
            "relocation",
            "deceased",
            "died",
            "closed",
            "business closed",
            "retired",
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
            "lack of features",
            "features",
            "range",
            "limited range",
            "limited range of services",
            "assortment",
            "lack of self service on website",
        ],
    ),
    (Cause::Other, &["other", "others", "misc", "miscellaneous"]),
    (
        Cause::Unknown,
        &["unknown", "don t know", "dont know", "no answer", "no reason", "not stated", "none", "n a", "na"],
    ),
];

/// Whatever follows these, it is said of them: `competitor had better devices`, `attitude of support person`.
const OPENINGS: [(Cause, &[&str]); 2] = [
    (Cause::Competitor, &["competitor", "competitors", "rival", "rivals"]),
    (Cause::ServiceFailure, &["attitude of"]),
];

/// The cause of a plain code that is a common word, or opens with one that says enough.
pub(super) fn by_word(code: &str) -> Option<Cause> {
    let word = WORDS.iter().find(|(_, words)| words.contains(&code));
    let opens =
        |word: &&str| code.strip_prefix(*word).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let opening = || OPENINGS.iter().find(|(_, words)| words.iter().any(opens));
    word.map(|(cause, _)| *cause).or_else(|| opening().map(|(cause, _)| *cause))
}

/// Lower case, letters and digits only, single spaces.
pub(super) fn plain(code: &str) -> String {
    let code = code.to_lowercase();
    let words = code.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_of_everyday_say_a_cause() {
        for (code, cause) in [
            ("Competitor had better devices", Some(Cause::Competitor)),
            ("Competitor's offer", Some(Cause::Competitor)),
            ("Attitude of support person", Some(Cause::ServiceFailure)),
            ("Rude", Some(Cause::ServiceFailure)),
            ("Attitude", Some(Cause::ServiceFailure)),
            ("Don't know", Some(Cause::Unknown)),
            ("Lack of affordable download/upload speed", Some(Cause::Price)),
            ("Lack of self-service on Website", Some(Cause::NotTheRightFit)),
            ("price of a friend", None),
            ("competitors’ prices", Some(Cause::Competitor)),
            ("competitorial", None),
            ("late night", None),
        ] {
            assert_eq!(by_word(&plain(code)), cause, "{code}");
        }
    }
}
