//! How does a fitted model become a query?

use md5::{Digest, Md5};

use super::facts::Facts;
use super::orders::Orders;
use super::{Part, TableName, assemble, definitions};
use crate::day::Day;
use crate::dialect::{Dialect, number};
use crate::error::{Error, Result};
use crate::features::{Feature, Transform};
use crate::history::HistoryParams;
use crate::model::{ChurnModel, TermKind};

/// Larger log-odds are 1 to the last bit, and some engines make an error of their exponential.
const LARGEST_LOG_ODDS: i32 = 700;
/// Where the day of scoring is the log's last, the season is known from so many days before the model's last cutoff …
const SEASON_BEFORE_DAYS: i32 = 366;
/// … to so many days after it.
const SEASON_AFTER_DAYS: i32 = 1_096;

impl ChurnModel {
    /// The query that scores every customer with a purchase on or before `as_of`: `customer_id, churn_probability`, in
    /// no order. Without `as_of`, the day of the last order that counts.
    ///
    /// `reading` says how the table is read; the model's own ([`reading`](Self::reading)) serves where names are the same. The
    /// log is taken to be complete until the day of scoring. For a model with a season and no `as_of`, days later than
    /// three years after the model's last cutoff, or earlier than a year before it, have no probability (null).
    ///
    /// # Errors
    /// [`Error::PolicyMismatch`] for another way of reading than the model's; [`Error::NotInSql`] for a model with the caller's
    /// own features, or of the rhythm alone with a lead; [`Error::Parameter`] for a name that cannot be quoted.
    pub fn to_sql(
        &self,
        dialect: Dialect,
        table: impl Into<TableName>,
        reading: &HistoryParams,
        as_of: Option<Day>,
    ) -> Result<String> {
        self.check_reading(reading)?;
        let features = self.features_of_columns(reading.columns())?;
        let orders = Orders::new(dialect, &table.into(), reading)?;
        let mut parts = orders.parts(None)?;
        let cutoff = match as_of {
            Some(day) => {
                format!("SELECT {} AS cutoff, {} AS cutoff_day", dialect.date(day), day.days_since_epoch())
            }
            None => "SELECT max(on_day) AS cutoff, max(on_day) AS cutoff_day FROM valid_orders".to_owned(),
        };
        parts.push(Part::new("cutoffs", "the day at whose end customers are looked at", cutoff));
        parts.extend(
            Facts { dialect, orders: &orders, features: &features, fraction: None, looks_once: true }
                .parts(None)?,
        );
        parts.push(self.transformed(dialect, &features)?);
        let (season, join) = self.season_of(as_of);
        parts.extend(season.0);
        let log_odds = match self.rhythm.is_some() {
            true => self.rhythm_log_odds(dialect)?,
            false => self.log_odds_of_terms(&features),
        };
        let scored = format!(
            "SELECT customer_id,\n    {log_odds}{}\n    AS log_odds\n  FROM transformed{join}",
            season.1
        );
        parts.push(Part::new(
            "scored",
            "log-odds of churned: coefficient x (value - mean in training); 0 where undefined",
            scored,
        ));
        let mut header = orders.header("churn probability of every customer");
        header.push(format!(
            "model {}: log {}, trained at cutoffs {} to {}; churned: no purchase in the {}",
            self.sql_fingerprint()?,
            self.provenance().history_fingerprint,
            self.provenance().first_cutoff,
            self.provenance().last_cutoff,
            self.label
        ));
        header.extend(definitions(&features));
        let most = LARGEST_LOG_ODDS;
        let select = format!(
            "SELECT customer_id,\n  CASE WHEN log_odds > {most} THEN 1.0 WHEN log_odds < -{most} THEN 0.0 ELSE 1 / (1 + \
             exp(-log_odds)) END AS churn_probability\nFROM scored"
        );
        Ok(assemble(&header, &parts, &select))
    }

    /// Sixteen hexadecimal digits of md5 of the saved model.
    fn sql_fingerprint(&self) -> Result<String> {
        let digest = Md5::new().chain_update(self.to_json()?).finalize();
        Ok(digest[..8].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Features after their transforms, those that the model uses.
    fn transformed(&self, dialect: Dialect, features: &[Feature]) -> Result<Part> {
        let mut select = vec!["customer_id".to_owned(), "cutoff_day".to_owned()];
        for (position, feature) in features.iter().enumerate() {
            let is_used = self.terms.iter().any(|term| term.kind.features().contains(&position));
            let name = dialect.identifier(&feature.name())?;
            let is_of_rhythm = self.rhythm.is_some()
                && matches!(feature, Feature::DaysSinceLast | Feature::TenureDays | Feature::NPurchases);
            if is_of_rhythm {
                select.push(name);
            } else if is_used {
                let value = match feature.transform() {
                    Transform::Identity => name,
                    Transform::Log1p => format!("ln(1 + CASE WHEN {name} < 0 THEN 0 ELSE {name} END)"),
                    Transform::Log => format!("ln(CASE WHEN {name} < 1e-300 THEN 1e-300 ELSE {name} END)"),
                };
                select.push(format!("{value} AS x{}", position + 1));
            }
        }
        let query = format!("SELECT {}\n  FROM features", select.join(",\n    "));
        Ok(Part::new("transformed", "the features as they enter the model, numbered in its order", query))
    }

    fn log_odds_of_terms(&self, features: &[Feature]) -> String {
        let mut sum = number(self.beta[0]);
        for (term, beta) in self.terms.iter().zip(&self.beta[1..]) {
            let [a, b] = term.kind.features().map(|feature| format!("x{}", feature + 1));
            let raw = match term.kind {
                TermKind::Value(_) => a,
                TermKind::Missing(_) => format!("CASE WHEN {a} IS NULL THEN 1.0 ELSE 0.0 END"),
                TermKind::Product(..) => format!("{a} * {b}"),
                TermKind::Excess(..) => format!("({a} - {b})"),
            };
            // The standard deviation is folded into the coefficient.
            let (coefficient, mean) = (number(beta / term.sd), number(term.mean));
            sum += &format!(
                "\n    -- {}\n    + coalesce(({coefficient}) * ({raw} - ({mean})), 0)",
                crate::dialect::comment(&term.kind.name(features))
            );
        }
        sum
    }

    /// What the season adds, and the part it comes from.
    fn season_of(&self, as_of: Option<Day>) -> ((Option<Part>, String), &'static str) {
        let Some(season) = self.season() else { return ((None, String::new()), "") };
        if let Some(day) = as_of {
            let shift = number(season.offset(day));
            return ((None, format!("\n    -- the time of year\n    + ({shift})")), "");
        }
        let last = self.provenance().last_cutoff;
        let days: Vec<(i32, f64)> = (-SEASON_BEFORE_DAYS..=SEASON_AFTER_DAYS)
            .map(|days| last.plus_days(days))
            .map(|day| (day.days_since_epoch(), season.offset(day)))
            .collect();
        if days.iter().all(|(_, offset)| *offset == 0.0) {
            return ((None, String::new()), "");
        }
        let rows: Vec<String> =
            days.iter().map(|(day, offset)| format!("({day}, {})", number(*offset))).collect();
        let query =
            format!("SELECT * FROM (VALUES\n    {}\n  ) AS listed (season_day, shift)", rows.join(", "));
        let part = Part::new("season", "what the time of year adds to everybody's log-odds", query);
        (
            (Some(part), "\n    -- the time of year\n    + season.shift".to_owned()),
            "\n  LEFT JOIN season ON season.season_day = transformed.cutoff_day",
        )
    }

    fn rhythm_log_odds(&self, dialect: Dialect) -> Result<String> {
        let Some(rhythm) = &self.rhythm else { return Ok(number(self.beta[0])) };
        if self.label.lead_days > 0 {
            return Err(Error::NotInSql {
                what: "a model of the rhythm alone with a lead".to_owned(),
                reason: "its probability is an integral".to_owned(),
            });
        }
        let ([r, alpha, a, b], average, slope, least) = rhythm.numbers();
        let [silent, tenure, purchases] = [Feature::DaysSinceLast, Feature::TenureDays, Feature::NPurchases]
            .map(|feature| dialect.identifier(&feature.name()));
        let (silent, tenure, purchases) = (silent?, tenure?, purchases?);
        let [r, alpha, a, b] = [r, alpha, a, b].map(number);
        let h = self.label.horizon_days;
        let bounded =
            |x: &str| format!("CASE WHEN {x} > 700 THEN 700 WHEN {x} < -700 THEN -700 ELSE {x} END");
        let gone = format!(
            "(ln({a}) - ln({b} + {purchases} - 1) + ({r} + {purchases} - 1) * ln(1 + {silent} / ({alpha} + {tenure} - {silent})))"
        );
        let none = format!("(-({r} + {purchases} - 1) * ln(1 + {h} / ({alpha} + {tenure})))");
        let p = format!("(1 - (1 - exp({})) / (1 + exp({})))", bounded(&none), bounded(&gone));
        let (low, high) = (number(least), number(1.0 - least));
        let p = format!("CASE WHEN {p} < {low} THEN {low} WHEN {p} > {high} THEN {high} ELSE {p} END");
        Ok(format!(
            "({}) + ({}) * (ln(({p}) / (1 - ({p}))) - ({}))",
            number(self.beta[0]),
            number(slope),
            number(average)
        ))
    }
}
