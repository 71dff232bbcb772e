//! How do systemic losses read in a terminal?

use std::cmp::Ordering;
use std::fmt;

use super::judge::LEAST_CUSTOMERS;
use super::{DropBeside, Finding, Recent, Systemic, Verdict};
use crate::day::Day;
use crate::error::counted;

/// How many values that are no findings are shown.
const SHOWN: usize = 5;
/// Values of fewer customers are not even named.
const LEAST_NAMED: usize = 5;

/// Two digits after the point, or a dash.
fn short(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.2}"))
}

fn counted_losses(count: usize) -> String {
    if count == 1 { "1 loss".to_owned() } else { format!("{count} losses") }
}

/// Whether there is more to say of a value than what all landmarks together do.
fn is_told_lately(row: &Finding) -> bool {
    let recent = row.recent.as_ref();
    row.drop.is_some() || recent.is_some_and(|recent| recent.differs || recent.verdict == Verdict::Systemic)
}

impl fmt::Display for Systemic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<&Finding> = self.rows.iter().filter(|row| row.cause.is_none()).collect();
        let of = |verdict: Verdict| values.iter().filter(|row| row.verdict == verdict).count();
        let basis = if self.is_rates || self.horizon_days.is_some() { "" } else { " (shares, not rates)" };
        writeln!(
            f,
            "systemic or individual{basis}: {}; {} systemic, {} individual, {} with too little to tell",
            counted(values.len(), "value"),
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
                "  looked from {days}: {} who had bought lately by then, {} in all; lost is who bought nothing in the {horizon} days after",
                counted(self.customers, "customer"),
                counted(self.observations, "time")
            )?;
        }
        let mut findings = self.findings().peekable();
        if findings.peek().is_none() {
            self.nearest(f)?;
        }
        findings.try_for_each(|row| self.row(row, f))?;
        self.lately(f)?;
        for row in self.rows.iter().filter(|row| row.explained_by.is_some()) {
            let by = row.explained_by.as_deref().unwrap_or_default();
            writeln!(f, "  {} {}: explained by {by}", row.segment, row.value)?;
        }
        if self.totals.losses > 0 {
            write!(
                f,
                "  together {} of {}, {:.0} more than expected",
                counted_losses(self.totals.losses),
                counted(self.totals.customers, "customer"),
                self.totals.excess
            )?;
            if let Some(amount) = self.totals.excess_amount {
                write!(f, "; these {:.0} had spent {amount:.0} in the year before", self.totals.excess)?;
            }
            if self.totals.losses_alone > 0 {
                write!(f, "; {} more where nobody compares", counted_losses(self.totals.losses_alone))?;
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
        let is_shown = |row: &&Finding| {
            row.cause.is_none() && row.lift.is_some_and(|lift| lift > 1.0) && row.q.is_some()
        };
        let mut rows: Vec<&Finding> = self.rows.iter().filter(is_shown).collect();
        let q = |row: &Finding| row.q.unwrap_or(1.0);
        rows.sort_by(|a, b| {
            q(a).total_cmp(&q(b)).then(b.lift.partial_cmp(&a.lift).unwrap_or(Ordering::Equal))
        });
        rows.truncate(SHOWN);
        rows.retain(|row| !is_told_lately(row));
        if !rows.is_empty() {
            writeln!(f, "  none; nearest to it:")?;
        }
        rows.into_iter().try_for_each(|row| self.row(row, f))?;
        self.untested(f)
    }

    /// Values of too few customers that seem to lose more; so few may do so by chance.
    fn untested(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let above = |row: &&Finding| {
            let is_small = row.cause.is_none() && row.q.is_none() && row.customers >= LEAST_NAMED;
            is_small && row.lift.is_some_and(|lift| lift > 1.0)
        };
        let mut rows: Vec<&Finding> = self.rows.iter().filter(above).collect();
        rows.sort_by(|a, b| b.lift.partial_cmp(&a.lift).unwrap_or(Ordering::Equal));
        if rows.is_empty() {
            return Ok(());
        }
        write!(f, "  not tested, for fewer than {LEAST_CUSTOMERS} customers there or elsewhere:")?;
        for (place, Finding { segment, value, lost, exposed, lift, .. }) in
            rows.iter().take(SHOWN).enumerate()
        {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma} {segment} {value} {lost} of {exposed}, lift {}", short(*lift))?;
        }
        writeln!(f)
    }

    /// The values, no findings over all landmarks, whose recent losses are others than before, or whose regulars fell.
    fn lately(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |row: &&Finding| row.verdict != Verdict::Systemic && is_told_lately(row);
        let mut rows = self.rows.iter().filter(told).peekable();
        if rows.peek().is_some() {
            writeln!(f, "  not the same all along:")?;
        }
        rows.try_for_each(|row| self.row(row, f))
    }

    /// The first recent landmark, where there is one.
    fn recent_from(&self) -> Option<Day> {
        self.landmarks.get(self.landmarks.len().checked_sub(self.recent_landmarks)?).copied()
    }

    /// What the recent landmarks say beside the verdict.
    fn recent(&self, row: &Finding, recent: &Recent, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(from) = self.recent_from() else { return Ok(()) };
        let Recent { lift, low, high, .. } = *recent;
        if recent.differs {
            write!(
                f,
                "; recent loss differs: lift {} ({} to {}) from {from} on, {} ({} to {}) before",
                short(lift),
                short(low),
                short(high),
                short(recent.lift_earlier),
                short(recent.low_earlier),
                short(recent.high_earlier)
            )?;
        } else if row.verdict == Verdict::Insufficient && row.q.is_some() && lift.is_some() {
            write!(f, "; from {from} on alone {} ({} to {})", short(lift), short(low), short(high))?;
        }
        match (row.verdict, recent.verdict) {
            (Verdict::Insufficient | Verdict::Individual, Verdict::Systemic) => {
                write!(f, ", which is Systemic by itself")
            }
            _ => Ok(()),
        }
    }

    fn row(&self, row: &Finding, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = row.cause.map_or_else(String::new, |cause| format!(" for {cause}"));
        let times = |count: usize| match (self.landmarks.len() > 1, count) {
            (false, _) => "",
            (true, 1) => " time",
            (true, _) => " times",
        };
        if row.exposed == 0 {
            write!(f, "  {} {}{cause}: nobody elsewhere compares", row.segment, row.value)?;
            if row.exposed_alone > 0 {
                write!(f, ", lost {} of {}{}", row.lost_alone, row.exposed_alone, times(row.exposed_alone))?;
            }
            return writeln!(f, ", {:?}", row.verdict);
        }
        write!(
            f,
            "  {} {}{cause}: lost {} of {}{}, {} expected, lift {} ({} to {})",
            row.segment,
            row.value,
            row.lost,
            row.exposed,
            times(row.exposed),
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
                "; and {} of {}{} where nobody elsewhere compares",
                row.lost_alone,
                row.exposed_alone,
                times(row.exposed_alone)
            )?;
        }
        if let Some(recent) = &row.recent {
            self.recent(row, recent, f)?;
        }
        if let Some(DropBeside { date, size, is_moved }) = row.drop {
            let went = if is_moved { "moved to other values" } else { "lost" };
            write!(f, "; {:.0} % of its regulars' purchases {went} from {date} on", 100.0 * size)?;
        }
        writeln!(f)
    }
}
