//! How do systemic losses read in a terminal?

use std::cmp::Ordering;
use std::fmt;

use super::{Finding, Systemic, Verdict};

/// How many values that are no findings are shown.
const SHOWN: usize = 5;

/// Two digits after the point, or a dash.
fn short(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.2}"))
}

impl fmt::Display for Systemic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<&Finding> = self.rows.iter().filter(|row| row.cause.is_none()).collect();
        let of = |verdict: Verdict| values.iter().filter(|row| row.verdict == verdict).count();
        let basis = if self.is_rates || self.horizon_days.is_some() { "" } else { " (shares, not rates)" };
        writeln!(
            f,
            "systemic or individual{basis}: {} values; {} systemic, {} individual, {} with too little to tell",
            values.len(),
            of(Verdict::Systemic),
            of(Verdict::Individual),
            of(Verdict::Insufficient)
        )?;
        if let (Some(horizon), [.., last]) = (self.horizon_days, &self.landmarks[..]) {
            let days = match self.landmarks.len() {
                1 => last.to_string(),
                days => format!("{days} days, {horizon} apart, the last {last}"),
            };
            writeln!(
                f,
                "  looked from {days}: {} customers who had bought lately by then, {} times in all; lost is who bought nothing in the {horizon} days after",
                self.customers, self.observations
            )?;
        }
        let mut findings = self.findings().peekable();
        if findings.peek().is_none() {
            self.nearest(f)?;
        }
        findings.try_for_each(|row| self.row(row, f))?;
        for row in self.rows.iter().filter(|row| row.explained_by.is_some()) {
            let by = row.explained_by.as_deref().unwrap_or_default();
            writeln!(f, "  {} {}: explained by {by}", row.segment, row.value)?;
        }
        if self.totals.losses > 0 {
            write!(
                f,
                "  together {} losses of {} customers, {:.0} more than expected",
                self.totals.losses, self.totals.customers, self.totals.excess
            )?;
            if let Some(amount) = self.totals.excess_amount {
                write!(f, "; these {:.0} had spent {amount:.0} in the year before", self.totals.excess)?;
            }
            if self.totals.losses_alone > 0 {
                write!(f, "; {} losses more where nobody compares", self.totals.losses_alone)?;
            }
            writeln!(f)?;
        }
        if !self.tenure.is_empty() {
            write!(f, "  lost per 100 customer-months")?;
            for (place, band) in self.tenure.iter().enumerate() {
                let until = band.until_months.map_or_else(|| "on".to_owned(), |until| format!("to {until}"));
                let comma = if place == 0 { ": " } else { ", " };
                write!(f, "{comma}{} in months {} {until}", short(band.per_100_months), band.from_months)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Systemic {
    /// The values that come nearest to a finding, so that a reader sees what was looked at.
    fn nearest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_shown = |row: &&Finding| row.cause.is_none() && row.lift.is_some() && row.q.is_some();
        let mut rows: Vec<&Finding> = self.rows.iter().filter(is_shown).collect();
        let q = |row: &Finding| row.q.unwrap_or(1.0);
        rows.sort_by(|a, b| {
            q(a).total_cmp(&q(b)).then(b.lift.partial_cmp(&a.lift).unwrap_or(Ordering::Equal))
        });
        if !rows.is_empty() {
            writeln!(f, "  none; nearest to it:")?;
        }
        rows.into_iter().take(SHOWN).try_for_each(|row| self.row(row, f))
    }

    fn row(&self, row: &Finding, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = row.cause.map_or_else(String::new, |cause| format!(" for {cause}"));
        let times = if self.landmarks.len() > 1 { " times" } else { "" };
        write!(
            f,
            "  {} {}{cause}: lost {} of {}{times}, {} expected, lift {} ({} to {})",
            row.segment,
            row.value,
            row.lost,
            row.exposed,
            row.expected.map_or_else(|| "–".to_owned(), |n| format!("{n:.0}")),
            short(row.lift),
            short(row.low),
            short(row.high),
        )?;
        match row.verdict {
            Verdict::Systemic => write!(f, ", Systemic, {:?}", row.whose)?,
            verdict => write!(f, ", {verdict:?}")?,
        }
        if let (Verdict::Insufficient, Some(needed)) =
            (row.verdict, row.needed.filter(|&n| n > row.exposed as u64))
        {
            write!(f, " (some {needed} would tell)")?;
        }
        if row.exposed_alone > 0 {
            write!(
                f,
                "; and {} of {}{times} where nobody elsewhere compares",
                row.lost_alone, row.exposed_alone
            )?;
        }
        writeln!(f)
    }
}
