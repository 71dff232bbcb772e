//! How does a plan read?

use std::fmt;

use super::plan::{OfferLine, WinbackPlan};
use super::planned::Decision;

impl fmt::Display for WinbackPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |decision| self.sheet.rows().iter().filter(|row| row.decision == decision).count();
        writeln!(
            f,
            "campaign `{}`, planned on {}: {} customers are lost, {} at risk",
            self.campaign, self.as_of, self.lapsed, self.at_risk
        )?;
        writeln!(
            f,
            "  pursue {}, keep in touch with {}, part amicably from {}, leave {} alone, {} suppressed",
            count(Decision::Pursue),
            count(Decision::KeepInTouch),
            count(Decision::PartAmicably),
            count(Decision::LeaveAlone),
            count(Decision::Suppressed)
        )?;
        if self.held > 0 {
            writeln!(
                f,
                "  {} invitations are held until what drove customers away has been changed",
                self.held
            )?;
        }
        if self.carried > 0 {
            write!(
                f,
                "  {} are still being measured in the earlier plan, and keep their arms",
                self.carried
            )?;
            match self.committed_amount > 0.0 {
                true => writeln!(f, "; {:.2} of the budget is theirs", self.committed_amount)?,
                false => writeln!(f)?,
            }
        }
        writeln!(
            f,
            "  {:<22}{:>9}{:>10}{:>9}{:>12}{:>12}",
            "offer", "treated", "held out", "effect", "cost", "profit"
        )?;
        for OfferLine { offer, channel, treated, held_out, effect, cost_amount, profit_amount } in
            &self.offers
        {
            let name = format!("{offer} ({channel})");
            let effect = effect.map_or_else(|| "–".to_owned(), |effect| format!("{:+.1}", 100.0 * effect));
            writeln!(
                f,
                "  {name:<22}{treated:>9}{held_out:>10}{effect:>9}{cost_amount:>12.2}{profit_amount:>12.2}"
            )?;
        }
        self.write_outlook(f)?;
        self.write_limits(f)?;
        writeln!(f, "  {}", self.natural)?;
        writeln!(f, "  {}", self.second_lives)?;
        if let Some(value) = &self.value_per_return {
            writeln!(
                f,
                "  an experiment showed a return to be worth {:.2} ({:.2} to {:.2}) before margin, which is weighed with that",
                value.amount, value.low, value.high
            )?;
        }
        if let Some(power) = &self.power {
            let own = power.rows.iter().min_by(|a, b| {
                let apart = |fraction: f64| (fraction - self.holdout_fraction).abs();
                apart(a.fraction).total_cmp(&apart(b.fraction))
            });
            write!(
                f,
                "  {}",
                power
                    .to_string()
                    .lines()
                    .take(2)
                    .map(str::trim)
                    .filter(|line| !line.starts_with("held"))
                    .collect::<Vec<_>>()
                    .join("; ")
            )?;
            match own.filter(|_| self.holdout_fraction > 0.0) {
                Some(row) => writeln!(
                    f,
                    "; as planned, {:.0} %: power {:.0} %, smallest effect shown {:.1} points",
                    100.0 * self.holdout_fraction,
                    100.0 * row.power,
                    100.0 * row.smallest_effect
                )?,
                None => writeln!(f, "; as planned nobody is, and nothing will be known of the effect")?,
            }
        }
        for proposal in &self.proposals {
            writeln!(f, "  {proposal}")?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        Ok(())
    }
}

impl WinbackPlan {
    fn write_outlook(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outlook = &self.outlook;
        writeln!(
            f,
            "  expected profit {:.2} (95 of 100 cases: {:.2} to {:.2}) for {:.2}",
            outlook.profit_amount, outlook.profit_low_amount, outlook.profit_high_amount, outlook.cost_amount
        )?;
        let Some(budget) = self.budget_amount else { return Ok(()) };
        writeln!(
            f,
            "  nobody knows who will redeem: it costs at most {:.2} in 95 of 100 cases, and more than {:.2} in {:.1} of 100",
            outlook.cost_high_amount,
            (budget - self.committed_amount).max(0.0),
            100.0 * outlook.overrun_probability
        )
    }

    fn write_limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for limit in &self.limits {
            let (name, most, used, price) = (&limit.name, limit.limit, limit.used, limit.price);
            match name.as_str() {
                "budget" => writeln!(
                    f,
                    "  budget: {used:.2} of {most:.2} used in 95 of 100 cases; the next 100 brings {:.2}",
                    100.0 * price
                )?,
                _ => writeln!(f, "  {name}: {used} of {most} used; one more brings {price:.2}")?,
            }
        }
        if !self.curve.is_empty() {
            write!(f, "  budget and profit:")?;
            for point in &self.curve {
                write!(f, "  {:.0} → {:.0}", point.budget_amount, point.profit_amount)?;
            }
            writeln!(f)?;
        }
        let share = if self.bound_amount > 0.0 { 100.0 * self.gap_amount / self.bound_amount } else { 0.0 };
        writeln!(f, "  no other choice of offers for as much money is better by more than {share:.3} %")
    }
}
