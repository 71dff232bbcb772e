//! How does an examination of losses read in a terminal?

use std::cmp::Ordering;
use std::fmt;

use super::examination::Losses;
use super::systemic::{Finding, Systemic};

/// How many values that are no findings are shown.
const SHOWN: usize = 5;

/// The values that come nearest to a finding, so that a reader sees what was looked at.
fn nearest(systemic: &Systemic, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_shown = |row: &&Finding| row.cause.is_none() && row.lift.is_some() && row.q.is_some();
    let mut rows: Vec<&Finding> = systemic.rows.iter().filter(is_shown).collect();
    let q = |row: &Finding| row.q.unwrap_or(1.0);
    rows.sort_by(|a, b| q(a).total_cmp(&q(b)).then(b.lift.partial_cmp(&a.lift).unwrap_or(Ordering::Equal)));
    for row in rows.into_iter().take(SHOWN) {
        let number = |number: Option<f64>| number.map_or("–".to_owned(), |number| format!("{number:.2}"));
        writeln!(
            f,
            "  {} {}: {} of {} lost, {:.0} expected, lift {} ({} to {}), {:?}",
            row.segment,
            row.value,
            row.lost,
            row.exposed,
            row.expected.unwrap_or(0.0),
            number(row.lift),
            number(row.low),
            number(row.high),
            row.verdict
        )?;
    }
    Ok(())
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "WHO IS LOST\n{}\n", self.lapses)?;
        writeln!(f, "{}\n", self.statuses)?;
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
            if systemic.findings().next().is_none() {
                nearest(systemic, f)?;
            }
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
