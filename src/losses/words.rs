//! How does an examination of losses read in a terminal?

use std::fmt;

use super::examination::Losses;
use super::tune::Tuning;

impl Losses {
    /// Where the limit in force is recommended although more came back than it reckons with, why that is no
    /// contradiction.
    fn both_questions(&self, tuning: &Tuning, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, back) = (self.lapses.rule().limit(), self.lapses.natural_return());
        let (Some(limit), Some(back), true) = (limit, back, self.lapses.is_contradicted()) else {
            return Ok(());
        };
        let own = tuning.rows.iter().find(|row| row.limit == limit && tuning.recommended == Some(limit));
        let Some(tried) = own.and_then(|row| row.back) else { return Ok(()) };
        writeln!(
            f,
            "  it is the limit in force: of those tried here {:.0} % came back, of all it ever called lost {:.0} %, where it allows {:.0} %",
            100.0 * tried.estimate,
            100.0 * back.share.estimate,
            100.0 * limit
        )
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "WHO IS LOST\n{}\n", self.lapses)?;
        if let Some(tuning) = &self.tuning {
            writeln!(f, "{tuning}")?;
            self.both_questions(tuning, f)?;
            writeln!(f)?;
        }
        writeln!(f, "HOW THEY STAND\n{}\n", self.statuses)?;
        writeln!(f, "HOW MANY\n{}\n", self.attrition)?;
        if let Some(contrast) = &self.contrast {
            writeln!(f, "WHAT THE LOST HAD IN COMMON\n{contrast}\n")?;
        }
        if let Some(reasons) = &self.reasons {
            writeln!(f, "WHY\n{reasons}\n")?;
        }
        writeln!(f, "IS IT US?")?;
        if let Some(systemic) = &self.systemic {
            write!(f, "{systemic}")?;
        }
        writeln!(f, "{}", self.drops)?;
        if let Some(incidents) = &self.incidents {
            writeln!(f, "INCIDENTS\n{incidents}")?;
        }
        if let Some(changes) = &self.changes {
            writeln!(f, "DID THE CHANGES HELP?")?;
            changes.iter().try_for_each(|effect| writeln!(f, "  {effect}"))?;
            writeln!(f)?;
        }
        if !self.prevention.is_empty() {
            writeln!(f, "WORTH PREVENTING, per year")?;
            self.prevention.iter().try_for_each(|one| writeln!(f, "  {one}"))?;
            writeln!(f)?;
        }
        write!(f, "WHO MAY FOLLOW\n{}", self.followers)?;
        if !self.left_out.is_empty() {
            write!(f, "\n\nLEFT OUT")?;
        }
        for reason in &self.left_out {
            write!(f, "\n{reason}")?;
        }
        Ok(())
    }
}
