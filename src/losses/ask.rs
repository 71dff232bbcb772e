//! Whom to ask why they left?

use std::fmt;
use std::sync::Arc;

use md5::{Digest, Md5};
use polars::prelude::{Column, DataFrame};
use serde::{Serialize, Serializer};

use super::lapse::{Lapses, lapses_of};
use super::worth::Worth;
use crate::day::Day;
use crate::error::{Error, Result, counted};
use crate::evidence::{Cause, Reasons};
use crate::history::{CustomerIds, History};
use crate::table;

/// How to choose whom to ask.
///
/// | setting | default |
/// |---|---|
/// | customers to ask | 100 |
/// | share chosen at random | half, rounded up |
/// | seed | 0 |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AskParams {
    customers: usize,
    random_fraction: f64,
    seed: u64,
}

impl Default for AskParams {
    fn default() -> Self {
        AskParams { customers: 100, random_fraction: 0.5, seed: 0 }
    }
}

impl AskParams {
    /// Sets how many to ask, at least 1.
    #[must_use]
    pub fn with_customers(mut self, customers: usize) -> Self {
        self.customers = customers;
        self
    }

    /// Sets the share chosen at random, 0 to 1; the rest are the most valuable.
    #[must_use]
    pub fn with_random_fraction(mut self, fraction: f64) -> Self {
        self.random_fraction = fraction;
        self
    }

    /// Sets the seed: another one, another random part.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Chooses among the lost whose cause is not known.
    ///
    /// The most valuable are chosen first, to be asked by phone, and with certainty: their inclusion
    /// probability is 1. Of all others so many are drawn at random, each with the same chance, which is
    /// their inclusion probability. Put both back into the table of reasons, and shares are weighted right.
    ///
    /// Value is what the customer would have spent in the H days after their last purchase, had they come back in
    /// them; without amounts nobody is chosen by value.
    ///
    /// # Formula
    /// ```text
    /// drawn: the lowest md5("winback-ask-1:" seed ":" id)      as hexadecimal text, ties by id
    /// ```
    /// # Errors
    /// [`Error::Parameter`] for a setting out of range.
    pub fn choose(&self, history: &History, lapses: &Lapses, reasons: Option<&Reasons>) -> Result<AskList> {
        if self.customers == 0 {
            return Err(Error::parameter("customers to ask", 0, "at least 1"));
        }
        if !(0.0..=1.0).contains(&self.random_fraction) {
            return Err(Error::parameter("random fraction", self.random_fraction, "0 to 1"));
        }
        let causes = reasons.map(|reasons| reasons.causes(history)).unwrap_or_default();
        let is_known =
            |rank: u32| !matches!(causes.get(rank as usize), None | Some(None | Some(Cause::Unknown)));
        let worth = Worth::new(lapses, history);
        let mut frame: Vec<(u32, f64)> = lapses
            .lives
            .iter()
            .filter(|life| life.lapsed_on.is_some() && !is_known(life.rank))
            .map(|life| (life.rank, value_when_last_seen(history, lapses, &worth, life.rank)))
            .collect();
        let of = frame.len();
        let asked = self.customers.min(of);
        let drawn = match worth.has_amounts() {
            true => ((asked as f64 * self.random_fraction).ceil() as usize).min(asked),
            false => asked,
        };
        frame.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
        let rest = frame.split_off(asked - drawn);
        let mut chosen: Vec<Asked> = frame
            .iter()
            .map(|&(rank, value)| Asked {
                rank,
                chosen_by: ChosenBy::Value,
                inclusion_probability: 1.0,
                value,
            })
            .collect();
        let inclusion_probability = drawn as f64 / rest.len().max(1) as f64;
        let mut hashed: Vec<(String, u32, f64)> = rest
            .iter()
            .map(|&(rank, value)| (self.hash(&lapses.ids.text(rank as usize)), rank, value))
            .collect();
        hashed.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.cmp(&other.1)));
        chosen.extend(hashed.into_iter().take(drawn).map(|(_, rank, value)| Asked {
            rank,
            chosen_by: ChosenBy::Random,
            inclusion_probability,
            value,
        }));
        chosen.sort_by_key(|asked| asked.rank);
        Ok(AskList { of, ids: Arc::clone(&lapses.ids), asked: chosen })
    }

    fn hash(&self, id: &str) -> String {
        let digest = Md5::digest(format!("winback-ask-1:{}:{id}", self.seed));
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a customer was worth when they had bought last.
fn value_when_last_seen(history: &History, lapses: &Lapses, worth: &Worth, rank: u32) -> f64 {
    let run = history.run(rank as usize).until(lapses.as_of);
    let Some(&last) = run.days.last() else { return 0.0 };
    let back = lapses_of(&lapses.lapses, rank).iter().filter_map(|lapse| lapse.returned_on).next_back();
    let start = back.map_or(0, |back| run.days.partition_point(|&day| day < back.days_since_epoch()));
    worth.of(&run, start, Day::from_days_since_epoch(last))
}

/// Why somebody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// Drawn.
    Random,
    /// One of the most valuable.
    Value,
}

/// Somebody to ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    rank: u32,
    /// Why.
    pub chosen_by: ChosenBy,
    /// The chance of being chosen, above 0 and at most 1.
    pub inclusion_probability: f64,
    /// What they were expected to spend; NaN without amounts.
    pub value: f64,
}

/// Whom to ask, in order of customer.
#[derive(Clone, Debug)]
pub struct AskList {
    /// Lost customers of unknown cause to choose from.
    pub of: usize,
    ids: Arc<CustomerIds>,
    /// Those chosen.
    pub asked: Vec<Asked>,
}

impl AskList {
    /// `customer_id, chosen_by, inclusion_probability, value_amount`.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        let ranks: Vec<u32> = self.asked.iter().map(|asked| asked.rank).collect();
        let by = |asked: &Asked| match asked.chosen_by {
            ChosenBy::Random => "random",
            ChosenBy::Value => "value",
        };
        let chosen_by: Vec<&str> = self.asked.iter().map(by).collect();
        table::frame(vec![
            self.ids.column("customer_id", &ranks)?,
            Column::new("chosen_by".into(), chosen_by),
            table::nullable_floats(
                "inclusion_probability",
                self.asked.iter().map(|asked| asked.inclusion_probability),
            ),
            table::nullable_floats("value_amount", self.asked.iter().map(|asked| asked.value)),
        ])
    }
}

/// One entry per customer, of the columns of the frame.
impl Serialize for AskList {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Row<'a> {
            customer_id: std::borrow::Cow<'a, str>,
            chosen_by: ChosenBy,
            inclusion_probability: f64,
            value_amount: Option<f64>,
        }
        serializer.collect_seq(self.asked.iter().map(|asked| Row {
            customer_id: self.ids.text(asked.rank as usize),
            chosen_by: asked.chosen_by,
            inclusion_probability: asked.inclusion_probability,
            value_amount: Some(asked.value).filter(|value| !value.is_nan()),
        }))
    }
}

impl fmt::Display for AskList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drawn = self.asked.iter().filter(|asked| asked.chosen_by == ChosenBy::Random).count();
        write!(
            f,
            "ask {} of {} of unknown cause: {drawn} drawn at random, {} for being worth most",
            self.asked.len(),
            counted(self.of, "lost customer"),
            self.asked.len() - drawn
        )
    }
}
