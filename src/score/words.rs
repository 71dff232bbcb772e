//! How does a shopkeeper say what drives a score?

use crate::features::{Feature, Idea};

/// Says each idea in words, from the features of a row.
pub(super) struct Words<'a> {
    features: &'a [Feature],
    n_purchases: Option<usize>,
}

impl<'a> Words<'a> {
    pub(super) fn new(features: &'a [Feature]) -> Self {
        let n_purchases = features.iter().position(|feature| *feature == Feature::NPurchases);
        Words { features, n_purchases }
    }

    /// The facts that a model of the rhythm alone looks at, and which way they push.
    pub(super) fn rhythm(&self, log_odds: f64, value: &dyn Fn(usize) -> f64) -> String {
        let known = |wanted: &Feature| {
            let position = self.features.iter().position(|feature| feature == wanted)?;
            fact(wanted, value(position), false)
        };
        let facts: Vec<String> = [Feature::NPurchases, Feature::TenureDays, Feature::DaysSinceLast]
            .iter()
            .filter_map(known)
            .collect();
        said(&facts, log_odds)
    }

    /// The idea's facts about this row, and which way they push.
    pub(super) fn driver(&self, idea: Idea, log_odds: f64, value: &dyn Fn(usize) -> f64) -> String {
        let bought_once = self.n_purchases.is_some_and(|position| value(position) == 1.0);
        let mut facts: Vec<String> = self
            .features
            .iter()
            .enumerate()
            .filter(|(_, feature)| feature.idea() == idea)
            .filter(|(position, feature)| !contradicts(feature, value(*position), log_odds))
            .filter_map(|(position, feature)| fact(feature, value(position), bought_once))
            .collect();
        if facts.is_empty() {
            facts.push(name(idea).to_owned());
        }
        said(&facts, log_odds)
    }
}

fn said(facts: &[String], log_odds: f64) -> String {
    let push = match log_odds {
        up if up > 0.0 => "raises the risk",
        down if down < 0.0 => "lowers the risk",
        _ => "leaves the risk as it is",
    };
    format!("{}: {push}", facts.join(", "))
}

/// Whether a fact of silence would be read as pushing the other way. The rhythm's share is what is left once days
/// since last have spoken, so that a long silence may lower the risk there: less long than the days alone say.
fn contradicts(feature: &Feature, value: f64, log_odds: f64) -> bool {
    match feature {
        Feature::OverdueRatio { .. } => (log_odds < 0.0 && value > 1.0) || (log_odds > 0.0 && value < 1.0),
        Feature::IsSilentBeyondLongest => log_odds < 0.0,
        _ => false,
    }
}

fn name(idea: Idea) -> &'static str {
    match idea {
        Idea::Silence => "time since the last purchase",
        Idea::Rhythm => "buying rhythm",
        Idea::Activity => "number of purchases",
        Idea::Money => "spending",
        Idea::Refunds => "refunds",
        Idea::Peers => "similar customers",
        Idea::Own => "own features",
    }
}

/// The one or two facts of an idea that are worth saying; the others only weigh.
fn fact(feature: &Feature, value: f64, bought_once: bool) -> Option<String> {
    if value.is_nan() {
        return None;
    }
    let percent = || format!("{:.0} %", value * 100.0);
    let text = match feature {
        Feature::DaysSinceLast if value == 0.0 => "bought on the day itself".to_owned(),
        Feature::DaysSinceLast => format!("last bought {} ago", counted(value, "day", "days")),
        Feature::OverdueRatio { .. } if !bought_once => format!("silent for {value:.1} times that"),
        Feature::IsSilentBeyondLongest if value == 1.0 => "never so long before".to_owned(),
        Feature::IntervalShrunk { .. } if bought_once => "no second purchase yet".to_owned(),
        Feature::IntervalShrunk { .. } => {
            format!("buys about every {}", counted(value.round(), "day", "days"))
        }
        Feature::NPurchases => format!("{} in all", counted(value, "purchase", "purchases")),
        Feature::TenureDays => format!("customer for {}", counted(value, "day", "days")),
        Feature::AmountMean => format!("spends {value:.2} a purchase"),
        Feature::RefundFraction if value == 0.0 => "sent nothing back".to_owned(),
        Feature::RefundFraction => format!("sent back {} of what was bought", percent()),
        Feature::PeerLoss { column, .. } => {
            format!("{} of customers of the same {column} stopped buying", percent())
        }
        Feature::OverallLoss { .. } => format!("{} of all", percent()),
        Feature::Custom(_) => format!("{} is {}", feature.name(), (value * 1e4).round() / 1e4),
        _ => return None,
    };
    Some(text)
}

fn counted(value: f64, one: &str, many: &str) -> String {
    format!("{value} {}", if value == 1.0 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_said_in_plain_words() {
        let features = [
            Feature::DaysSinceLast,
            Feature::TenureDays,
            Feature::NPurchases,
            Feature::IntervalShrunk { horizon_days: 90 },
            Feature::IsSilentBeyondLongest,
        ];
        let words = Words::new(&features);
        let say = |values: [f64; 5], idea, push| words.driver(idea, push, &|position| values[position]);
        let once = [83.0, 400.0, 1.0, 90.0, f64::NAN];
        assert_eq!(say(once, Idea::Silence, 0.7), "last bought 83 days ago: raises the risk");
        assert_eq!(
            say(once, Idea::Activity, -0.1),
            "customer for 400 days, 1 purchase in all: lowers the risk"
        );
        assert_eq!(say(once, Idea::Rhythm, 0.1), "no second purchase yet: raises the risk");
        assert_eq!(say(once, Idea::Money, -0.1), "spending: lowers the risk");
        let often = [1.0, 400.0, 8.0, 41.3, 1.0];
        assert_eq!(say(often, Idea::Silence, 0.7), "last bought 1 day ago: raises the risk");
        assert_eq!(
            say(often, Idea::Rhythm, 0.1),
            "buys about every 41 days, never so long before: raises the risk"
        );
    }

    /// A long silence is no reason to be calm, nor a short one to worry.
    #[test]
    fn facts_do_not_speak_against_the_sign() {
        let features = [
            Feature::IntervalShrunk { horizon_days: 90 },
            Feature::OverdueRatio { horizon_days: 90 },
            Feature::IsSilentBeyondLongest,
        ];
        let words = Words::new(&features);
        let say = |values: [f64; 3], push| words.driver(Idea::Rhythm, push, &|position| values[position]);
        let (long, short) = ([41.0, 4.9, 1.0], [61.0, 0.0, 0.0]);
        assert_eq!(say(long, -0.1), "buys about every 41 days: lowers the risk");
        assert_eq!(
            say(long, 0.1),
            "buys about every 41 days, silent for 4.9 times that, never so long before: raises the risk"
        );
        assert_eq!(say(short, 0.1), "buys about every 61 days: raises the risk");
        assert_eq!(say(short, -0.1), "buys about every 61 days, silent for 0.0 times that: lowers the risk");
    }
}
