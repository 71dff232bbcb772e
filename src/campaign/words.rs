//! How does an outcome read?

use std::fmt;

use super::effect::Effect;
use super::outcome::{Outcome, Verdict};
use super::trust::{BROKEN_P, Trust};
use crate::winback::Measured;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Works => "works: at least one arm does better than the control, and none worse",
            Verdict::Harms => "harms: at least one arm does worse than the control; what it cost is a loss",
            Verdict::Mixed => "mixed: some arms do better than the control, others worse",
            Verdict::Null => "null: no effect was shown; what it cost is a loss until one is",
            Verdict::Insufficient => "insufficient: too little to compare",
            Verdict::DoNotTrust => {
                "do not trust: find out what went wrong in the assignment or the counting before reading effects"
            }
            Verdict::Interim => "interim: the last day that counts has not passed, and there is no verdict before it has",
        })
    }
}

/// A rate in points of per cent, money as it is.
fn number(measured: Measured, value: f64) -> String {
    match measured {
        Measured::Returned => format!("{:.2} %", 100.0 * value),
        Measured::Value | Measured::Profit => format!("{value:.4}"),
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.outcome;
        let (treated, control) = (number(of, self.treated), number(of, self.control));
        write!(f, "{:<9}{:<18}{treated:>10} against {control:>9}", of, self.arm)?;
        if let (Some(effect), Some(low), Some(high)) = (self.effect, self.low, self.high) {
            let (effect, low, high) = match of {
                Measured::Returned => (100.0 * effect, 100.0 * low, 100.0 * high),
                Measured::Value | Measured::Profit => (effect, low, high),
            };
            let digits = if of == Measured::Returned { 2 } else { 4 };
            write!(f, "   {effect:+.digits$} ({low:+.digits$} to {high:+.digits$})")?;
            match self.p_adjusted {
                Some(p) if p < 0.0001 => write!(f, "  p < .0001")?,
                Some(p) => write!(f, "  p {p:.4}")?,
                None => {}
            }
        }
        if let Some(note) = &self.note {
            write!(f, "\n           {note}")?;
        }
        if self.left_out > 0 {
            write!(f, "\n           {} customers are in strata that cannot compare", self.left_out)?;
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} customers, by the arm they were assigned to; the control is `{}`, the primary outcome `{}`",
            self.customers, self.control, self.primary
        )?;
        let percent = (self.level * 1e6).round() / 1e4;
        writeln!(f, "  effects, with {percent} % intervals; p corrected for the number of arms")?;
        for effect in &self.effects {
            writeln!(f, "  {effect}")?;
        }
        for uplift in &self.uplift {
            write!(f, "  choosing by the score, {}: AUUC {:.5}", uplift.arm, uplift.auuc)?;
            match &uplift.qini {
                Some(qini) => writeln!(f, ", Qini {qini:.5}")?,
                None => writeln!(f)?,
            }
        }
        let ratio = &self.trust_checks.sample_ratio;
        let shares: Vec<String> =
            ratio.planned.iter().map(|share| format!("{:.1} %", 100.0 * share)).collect();
        writeln!(
            f,
            "  split: {} customers against {} {}: p {:.4}{}",
            ratio.sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(" / "),
            if ratio.stated { "the planned" } else { "the nearest common split," },
            shares.join(" / "),
            ratio.p,
            if ratio.p < BROKEN_P { "  BROKEN" } else { "" }
        )?;
        for check in &self.trust_checks.balance {
            writeln!(f, "  balance of `{}`: p {:.4}", check.column, check.p)?;
        }
        match self.trust {
            Trust::Trusted if ratio.stated => {
                writeln!(f, "  trust: the arms look as an assignment by chance would leave them")?
            }
            Trust::Trusted => writeln!(
                f,
                "  trust: the arms look as an assignment by chance would leave them, if that is how they were to be split; state \
                 the split to be sure"
            )?,
            Trust::Doubtful if ratio.p < BROKEN_P => {
                writeln!(f, "  trust: doubtful, the sizes fit no common split; state the planned one")?;
            }
            Trust::Doubtful => {
                writeln!(f, "  trust: doubtful, too many who were held out have been contacted")?;
            }
            Trust::DoNotTrust => {
                writeln!(
                    f,
                    "  trust: no, the arms were not split as planned, or differ in what was known before"
                )?;
            }
        }
        write!(f, "  verdict: {}", self.verdict)
    }
}
