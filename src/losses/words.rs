//! How does an examination of losses read in a terminal?

use std::fmt;

use super::examination::Losses;

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "WHO IS LOST\n{}\n", self.lapses)?;
        if let Some(tuning) = &self.tuning {
            writeln!(f, "{tuning}\n")?;
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
