//! What could an experiment show, and how many customers should be held out?

use std::fmt;

use serde::Serialize;

use super::difference::{two_sided_p, two_sided_quantile};
use super::means::LEAST_BUYERS;
use crate::error::{Error, Result};

/// Holdout fractions that are tried: .01, .02 … .50.
const STEPS: u32 = 50;
const FRACTIONS: [f64; 6] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5];

/// What is known before the launch.
///
/// | setting | default |
/// |---|---|
/// | level of the test | .95 |
/// | power wanted | .8 |
/// | arms besides the control | 1; the treated are shared out alike, and the test is Bonferroni's |
/// | amounts | none; a mean and standard deviation per customer, returned or not, add the smallest effect on money |
#[derive(Clone, Debug)]
pub struct PowerParams {
    customers: u64,
    control_rate: f64,
    effect: f64,
    level: f64,
    power: f64,
    arms: u64,
    sd_amount: Option<f64>,
}

impl PowerParams {
    /// Sets the power wanted, between 0 and 1.
    #[must_use]
    pub fn with_power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// Sets the level, between 0 and 1.
    #[must_use]
    pub fn with_level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Sets the number of arms besides the control, at least 1.
    #[must_use]
    pub fn with_arms(mut self, arms: u64) -> Self {
        self.arms = arms;
        self
    }

    /// Gives the standard deviation of the amount per customer, who returned or not.
    #[must_use]
    pub fn with_sd_amount(mut self, sd_amount: f64) -> Self {
        self.sd_amount = Some(sd_amount);
        self
    }

    /// Computes power by holdout fraction, and recommends one: the smallest with the power wanted, one half
    /// where none has it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a setting outside its range.
    pub fn compute(&self) -> Result<Power> {
        let inside = |name, value: f64, least: f64, most: f64, expected| match value > least && value < most {
            true => Ok(()),
            false => Err(Error::parameter(name, value, expected)),
        };
        inside("control rate", self.control_rate, 0.0, 1.0, "a number between 0 and 1")?;
        inside("level", self.level, 0.0, 1.0, "a number between 0 and 1")?;
        inside("power", self.power, 0.0, 1.0, "a number between 0 and 1")?;
        let treated_rate = self.control_rate + self.effect;
        if !(0.0..=1.0).contains(&treated_rate) || self.effect == 0.0 {
            return Err(Error::parameter("effect", self.effect, "not 0, and a rate between 0 and 1 with it"));
        }
        if self.customers < 4 || self.arms == 0 {
            let found = format!("{} customers, {} arms", self.customers, self.arms);
            return Err(Error::parameter("experiment", found, "at least 4 customers and 1 arm"));
        }
        if self.sd_amount.is_some_and(|sd| !(sd > 0.0 && sd.is_finite())) {
            return Err(Error::parameter("sd_amount", format!("{:?}", self.sd_amount), "a positive number"));
        }
        let wanted = (1..=STEPS).map(|step| f64::from(step) / 100.0);
        let enough = wanted.clone().find(|&fraction| self.row(fraction).power >= self.power);
        let recommended_fraction = enough.unwrap_or(0.5);
        let rows = FRACTIONS.iter().map(|&fraction| self.row(fraction)).collect();
        // Power grows with the customers: doubled until enough, then halved down to one.
        let needed = enough.is_none().then(|| {
            let mut params = self.clone();
            while params.row(0.5).power < self.power && params.customers < 1 << 50 {
                params.customers *= 2;
            }
            let (mut few, mut many) = (params.customers / 2, params.customers);
            while many - few > 1 {
                params.customers = few + (many - few) / 2;
                if params.row(0.5).power < self.power {
                    few = params.customers
                } else {
                    many = params.customers
                }
            }
            many
        });
        Ok(Power {
            customers: self.customers,
            control_rate: self.control_rate,
            effect: self.effect,
            wanted: self.power,
            recommended: self.row(recommended_fraction),
            rows,
            customers_needed: needed,
        })
    }

    fn row(&self, fraction: f64) -> PowerRow {
        let control = (self.customers as f64 * fraction).round().max(1.0);
        let treated = ((self.customers as f64 - control) / self.arms as f64).max(1.0);
        // Bonferroni, for which Holm is never worse.
        let level = 1.0 - (1.0 - self.level) / self.arms as f64;
        let z = two_sided_quantile(level).unwrap_or(f64::INFINITY);
        let spread = |rate: f64| rate * (1.0 - rate);
        let error = |effect: f64| {
            let rate = (self.control_rate + effect).clamp(0.0, 1.0);
            (spread(rate) / treated + spread(self.control_rate) / control).sqrt()
        };
        let apart = self.effect.abs() / error(self.effect);
        let upper = |z: f64| if z >= 0.0 { two_sided_p(z) / 2.0 } else { 1.0 - two_sided_p(z) / 2.0 };
        let reach =
            z + two_sided_quantile((2.0 * self.power - 1.0).abs()).unwrap_or(0.0).copysign(self.power - 0.5);
        let mut smallest: f64 = 0.0;
        for _ in 0..50 {
            smallest = reach * error(smallest);
        }
        PowerRow {
            fraction,
            held_out: control as u64,
            power: upper(z - apart) + upper(z + apart),
            smallest_effect: smallest,
            smallest_effect_amount: self
                .sd_amount
                .filter(|_| control * self.control_rate >= LEAST_BUYERS as f64)
                .map(|sd| reach * sd * (1.0 / treated + 1.0 / control).sqrt()),
        }
    }
}

/// What holding out one share of the customers could show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PowerRow {
    /// The share held out.
    pub fraction: f64,
    /// As many customers.
    pub held_out: u64,
    /// The chance that the stated effect is shown.
    pub power: f64,
    /// The smallest effect on the rate that is shown with the power wanted.
    pub smallest_effect: f64,
    /// The smallest effect on the amount per customer; `None` without amounts, or with fewer than 100 returns
    /// to expect among those held out.
    pub smallest_effect_amount: Option<f64>,
}

/// What an experiment could show.
///
/// # Formula
/// ```text
/// power = Φ(|τ|/e − z) + Φ(−|τ|/e − z),   e² = p₁ (1 − p₁)/n₁ + p₀ (1 − p₀)/n₀,   p₁ = p₀ + τ
/// smallest effect: τ = (z + z_power) e(τ)
/// ```
/// # References
/// Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, chapter 4; Lewis and Rao
/// (2015), Quarterly Journal of Economics 130:1941–1973, on how much it takes for money.
///
/// ```
/// # fn main() -> winback::Result<()> {
/// use winback::rates::Power;
/// let power = Power::params(20_000, 0.10, 0.02).compute()?;
/// assert_eq!(power.recommended.fraction, 0.1);
/// assert!(Power::params(500, 0.10, 0.02).compute()?.customers_needed.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Power {
    /// Customers to be shared out.
    pub customers: u64,
    /// The rate expected without contact.
    pub control_rate: f64,
    /// The smallest effect worth finding.
    pub effect: f64,
    /// The power wanted.
    pub wanted: f64,
    /// The recommended fraction.
    pub recommended: PowerRow,
    /// Other fractions.
    pub rows: Vec<PowerRow>,
    /// How many customers would be enough, half of them held out; `None` where these are.
    pub customers_needed: Option<u64>,
}

impl Power {
    /// Begins with how many customers there are, the rate expected without contact, and the smallest effect on
    /// it that is worth finding.
    #[must_use]
    pub fn params(customers: u64, control_rate: f64, effect: f64) -> PowerParams {
        PowerParams { customers, control_rate, effect, level: 0.95, power: 0.8, arms: 1, sd_amount: None }
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = &self.recommended;
        writeln!(
            f,
            "to show {:+.2} points on {:.2} % with {} customers: hold out {:.0} % ({}), power {:.0} %",
            100.0 * self.effect,
            100.0 * self.control_rate,
            self.customers,
            100.0 * row.fraction,
            row.held_out,
            100.0 * row.power
        )?;
        if let Some(needed) = self.customers_needed {
            writeln!(f, "  too few: {needed} customers would be needed, half of them held out")?;
        }
        write!(f, "  held out   power   smallest effect shown")?;
        for row in &self.rows {
            write!(
                f,
                "\n  {:>6.0} %  {:>4.0} %   {:.2} points",
                100.0 * row.fraction,
                100.0 * row.power,
                100.0 * row.smallest_effect
            )?;
            if let Some(amount) = row.smallest_effect_amount {
                write!(f, ", {amount:.2} a customer")?;
            }
        }
        Ok(())
    }
}
