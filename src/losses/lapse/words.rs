//! How does it read, and stand in a file, who is lost?

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::super::rule::{Limit, percent};
use super::{Lapses, NaturalReturn};
use crate::error::counted;

/// Where so many times the limit came back, the rule is of no use.
const FAR: f64 = 2.0;

/// What stands above the tables: the day, the rule, how many, how many came back and whether that contradicts the
/// rule, the rhythm.
impl Serialize for Lapses {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut whole = serializer.serialize_struct("Lapses", 7)?;
        whole.serialize_field("as_of", &self.as_of)?;
        whole.serialize_field("rule", &self.rule)?;
        whole.serialize_field("customers", &self.customers())?;
        whole.serialize_field("lapsed", &self.lapsed())?;
        whole.serialize_field("natural_return", &self.natural_return)?;
        whole.serialize_field("is_contradicted", &self.is_contradicted())?;
        whole.serialize_field("rhythm", &self.rhythm)?;
        whole.end()
    }
}

impl fmt::Display for Lapses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, lost) = (self.customers(), self.lapsed());
        let (share, are) = (percent(lost, of), if lost == 1 { "is" } else { "are" });
        write!(f, "{lost} of {} ({share:.0} %) {are} lost on {}", counted(of, "customer"), self.as_of)?;
        write!(f, "\n  {}", self.rule)?;
        if let (Limit::Chance(_), Some(silence)) =
            (self.rule.limit, self.rule.first_silence(self.rhythm.model()))
        {
            write!(f, "; who has bought once is lost after {}", counted(silence.max(0) as usize, "day"))?;
        }
        match &self.natural_return {
            Some(NaturalReturn { lapsed, returned, share }) => write!(
                f,
                "\n  of {lapsed} who {} lost at least {} ago, {returned} came back within {} by themselves: {:.0} % ({:.0} to {:.0})",
                if *lapsed == 1 { "was" } else { "were" },
                counted(self.rule.horizon_days as usize, "day"),
                counted(self.rule.horizon_days as usize, "day"),
                100.0 * share.estimate,
                100.0 * share.low,
                100.0 * share.high
            )?,
            None => write!(
                f,
                "\n  nobody has been lost for {}, so that nothing is known of returns",
                counted(self.rule.horizon_days as usize, "day")
            )?,
        }
        if let (true, Some(limit)) = (self.is_contradicted(), self.rule.limit()) {
            let far = self.natural_return.is_some_and(|back| back.share.low > FAR * limit);
            write!(
                f,
                "\n  more than the {:.0} % that the rule allows: {}",
                100.0 * limit,
                match far {
                    true => "IT DOES NOT HOLD HERE, and calls customers lost who are not",
                    false => "the chances it gives are too low, and some are called lost too soon",
                }
            )?;
        }
        match self.rhythm.is_mostly_prior() {
            true => write!(
                f,
                "\n  so few customers or repeat purchases say next to nothing of the rhythm: a stated prior stands in"
            ),
            false => Ok(()),
        }
    }
}
