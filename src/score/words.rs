//! How does a shopkeeper say what drives a score?

use crate::features::{Feature, Idea};

/// Says each idea in words, from the features of a row.
pub(super) struct Words<'a> {
    features: &'a [Feature],
}

impl<'a> Words<'a> {
    pub(super) fn new(features: &'a [Feature]) -> Self {
        Words { features }
    }

    /// The idea's facts about this row, and which way they push.
    pub(super) fn driver(&self, idea: Idea, log_odds: f64, value: &dyn Fn(usize) -> f64) -> String {
        let mut facts: Vec<String> = self
            .features
            .iter()
            .enumerate()
            .filter(|(_, feature)| feature.idea() == idea)
            .filter_map(|(position, feature)| fact(feature, value(position)))
            .collect();
        facts.dedup();
        let push = if log_odds > 0.0 { "raises the risk" } else { "lowers the risk" };
        match facts.is_empty() {
            true => format!("{}: {push}", name(idea)),
            false => format!("{}: {push}", facts.join(", ")),
        }
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
fn fact(feature: &Feature, value: f64) -> Option<String> {
    if value.is_nan() {
        return None;
    }
    let percent = || format!("{:.0} %", value * 100.0);
    let text = match feature {
        Feature::DaysSinceLast if value == 0.0 => "bought on the day itself".to_owned(),
        Feature::DaysSinceLast => format!("last bought {} ago", counted(value, "day", "days")),
        Feature::OverdueRatio { .. } => format!("silent for {value:.1} times the usual interval"),
        Feature::NPurchases => format!("{} in all", counted(value, "purchase", "purchases")),
        Feature::TenureDays => format!("customer for {}", counted(value, "day", "days")),
        Feature::AmountMean => format!("spends {value:.2} a purchase"),
        Feature::RefundFraction => format!("sent back {} of what was bought", percent()),
        Feature::PeerLoss { column, .. } => format!("{} of customers with the same {column} stopped buying", percent()),
        Feature::Custom(_) => format!("{} = {value:.4}", feature.name()),
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
        let features = [Feature::DaysSinceLast, Feature::TenureDays, Feature::NPurchases, Feature::IntervalSd];
        let words = Words::new(&features);
        let values = [83.0, 400.0, 1.0, f64::NAN];
        let say = |idea, push| words.driver(idea, push, &|position| values[position]);
        assert_eq!(say(Idea::Silence, 0.7), "last bought 83 days ago: raises the risk");
        assert_eq!(say(Idea::Activity, -0.1), "customer for 400 days, 1 purchase in all: lowers the risk");
        assert_eq!(say(Idea::Rhythm, -0.1), "buying rhythm: lowers the risk");
    }
}
