//! How do those who may follow read in a terminal?

use std::fmt;

use super::super::similar::LikelyCause;
use super::Followers;
use crate::error::counted;

/// How many customers a summary names.
const SHOWN: usize = 10;

impl fmt::Display for Followers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} at risk of not buying in the {} after {}",
            counted(self.rows.len(), "customer"),
            if self.rows.len() == 1 { "is" } else { "are" },
            counted(self.horizon_days as usize, "day"),
            self.as_of
        )?;
        if self.rows.is_empty() {
            return Ok(());
        }
        if let Some(stake) = self.at_stake_amount() {
            write!(f, "; {stake:.2} at stake (probability × what they would spend)")?;
        }
        if self.already_lost > 0 {
            let (are, have) = if self.already_lost == 1 { ("is", "has") } else { ("are", "have") };
            write!(
                f,
                "\n  {} more {are} at risk by the model, but {have} lapsed already",
                self.already_lost
            )?;
        }
        let ids: Vec<String> = self.rows.iter().take(SHOWN).map(|row| row.customer_id.clone()).collect();
        let width = ids.iter().map(|id| id.chars().count()).max().unwrap_or_default().max(8);
        let stake = if self.at_stake_amount().is_some() { "at stake" } else { "purchases at stake" };
        write!(
            f,
            "\n  {:<width$}  leaves  {stake:>10}  why, and whom among the lost they resemble",
            "customer"
        )?;
        for row in self.rows.iter().take(SHOWN) {
            let why = row.drivers.iter().find(|words| words.ends_with("raises the risk"));
            let why =
                why.or(row.drivers.first()).map_or("", |words| words.trim_end_matches(": raises the risk"));
            write!(
                f,
                "\n  {:<width$}  {:>4.0} %  {:>w$.2}  {why}",
                row.customer_id,
                100.0 * row.churn_probability,
                row.stake(),
                w = stake.len().max(10),
            )?;
            let similar: Vec<String> = row
                .similar
                .iter()
                .map(|one| match one.stated {
                    Some(cause) => format!("{} (lost {}, {cause})", one.customer_id, one.lapsed_on),
                    None => format!("{} (lost {})", one.customer_id, one.lapsed_on),
                })
                .collect();
            let indent = width + 24.max(stake.len() + 14);
            if !similar.is_empty() {
                write!(f, "\n{:indent$}like {}", "", similar.join(", "))?;
            }
            for finding in &row.exposed_to {
                write!(f, "\n{:indent$}exposed to: {finding}", "")?;
            }
            if let Some(LikelyCause { cause, fraction, fraction_of_all }) = row.likely_cause {
                write!(
                    f,
                    "\n{:indent$}such customers left for {cause} in {:.0} % of cases, all in {:.0} %",
                    "",
                    100.0 * fraction,
                    100.0 * fraction_of_all
                )?;
            }
        }
        if self.rows.len() > SHOWN {
            write!(f, "\n  and {} more", self.rows.len() - SHOWN)?;
        }
        write!(
            f,
            "\n  compared with {}, each as of the last week in which their silence was still usual",
            counted(self.lost, "lost customer")
        )?;
        write!(f, "\n  {}", self.causes)?;
        if !self.peers.is_empty() {
            write!(
                f,
                "\n  where a reason speaks of the same {}, customers like these are leaving; that is no proof that one drew the other away",
                self.peers.join(" or ")
            )?;
        }
        Ok(())
    }
}
