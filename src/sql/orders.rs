//! How does a query read a log as the crate does? Which rows count, and which days are purchases.

use super::{HASHES, Part, TableName};
use crate::day::Day;
use crate::dialect::Dialect;
use crate::error::{Error, Result};
use crate::history::{Columns, HistoryParams, Refunds};
use crate::snapshot::SAMPLE_SALT;

/// Whether a merged day of amounts is a purchase.
const IS_PURCHASE: &str = "(refunded = 0 OR net > 1e-9 * absolute)";

/// A table of orders, and how it is read.
pub(super) struct Orders<'a> {
    pub(super) dialect: Dialect,
    table: String,
    /// As it was named, for people.
    said: String,
    /// Whether dates are dates and amounts are numbers.
    is_typed: bool,
    pub(super) reading: &'a HistoryParams,
}

impl<'a> Orders<'a> {
    pub(super) fn new(dialect: Dialect, table: &TableName, reading: &'a HistoryParams) -> Result<Self> {
        reading.columns.check()?;
        if let Some(format) = &reading.date_format {
            return Err(Error::NotInSql {
                what: format!("the date format `{format}`"),
                reason: "engines read formats in other ways each; make a view with a column of real dates"
                    .to_owned(),
            });
        }
        let said = table.parts.join(".");
        Ok(Orders { dialect, table: table.quoted(dialect)?, said, is_typed: table.is_typed, reading })
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.reading.columns
    }

    pub(super) fn has_amount(&self) -> bool {
        self.columns().amount.is_some()
    }

    /// What the query is and how it reads.
    pub(super) fn header(&self, what: &str) -> Vec<String> {
        let refunds = match (self.has_amount(), self.reading.refunds) {
            (false, _) => "no amounts are read",
            (true, Refunds::Net) => "refunds are set against the purchases of their day",
            (true, Refunds::Drop | Refunds::Reject) => "orders of negative amounts are left out",
        };
        vec![
            format!(
                "winback {}: {what}, for {}, from the table {}",
                env!("CARGO_PKG_VERSION"),
                self.dialect,
                self.said
            ),
            "day: days since 1970-01-01. Rows that cannot be used are left out: no id, an id such as 17850.0, no date or one".to_owned(),
            "outside 1900-01-01 to 2200-12-31, an amount that is no number or larger than 1e100.".to_owned(),
            format!(
                "purchase: the orders of one customer and day; a day with refunds only if its net exceeds 1e-9 of all amounts; {refunds}"
            ),
        ]
    }

    /// From the table to purchases; of the customers sampled, where only they are asked about.
    pub(super) fn parts(&self, fraction: Option<f64>) -> Result<Vec<Part>> {
        let mut parts = match self.is_typed {
            true => vec![self.of_types()?],
            false => vec![self.as_written()?, self.read()],
        };
        parts.extend([self.valid(), self.days(fraction), self.purchases()]);
        Ok(parts)
    }

    /// The columns of a table whose types are those that they should be.
    fn of_types(&self) -> Result<Part> {
        let dialect = self.dialect;
        let columns = self.columns();
        let customer = dialect.identifier(&columns.customer)?;
        let mut select = vec![
            format!("{customer} AS customer_id"),
            self.id(&customer),
            format!("{} AS on_day", dialect.day_of_date(&dialect.identifier(&columns.date)?)),
        ];
        if let Some(amount) = &columns.amount {
            select.push(format!("{} AS amount", dialect.float_of_number(&dialect.identifier(amount)?)));
        }
        if let Some(discount) = &columns.discount {
            let number = dialect.float_of_number(&dialect.identifier(discount)?);
            select.push(format!("abs(coalesce({number}, 0)) AS discount"));
        }
        for (place, name) in columns.segments.iter().enumerate() {
            let text = dialect.to_text(&dialect.identifier(name)?);
            select.push(format!("nullif({text}, '') AS segment_{}", place + 1));
        }
        let query = format!("SELECT {}\n  FROM {}", select.join(",\n    "), self.table);
        Ok(Part::new("orders_read", "the table's columns; the day as a number", query))
    }

    /// Null where it is empty. A bare cast would not do on Ballista: DataFusion sorts by the customer where the id is asked for,
    /// and an executor no longer knows that one follows from the other.
    fn id(&self, customer: &str) -> String {
        format!("nullif({}, '') AS id", self.dialect.to_text(customer))
    }

    fn as_written(&self) -> Result<Part> {
        let dialect = self.dialect;
        let columns = self.columns();
        let mut select = Vec::new();
        let customer = dialect.identifier(&columns.customer)?;
        select.push(format!("{customer} AS customer_id"));
        select.push(self.id(&customer));
        let text = |name: &str| -> Result<String> { Ok(dialect.to_text(&dialect.identifier(name)?)) };
        select.push(format!("trim({}) AS day_text", text(&columns.date)?));
        for (role, name) in [("amount", &columns.amount), ("discount", &columns.discount)] {
            let Some(name) = name else { continue };
            select.push(format!("{} AS {role}_as_written", dialect.identifier(name)?));
            let text = text(name)?;
            select.push(match self.reading.decimal_comma {
                // A point is then no decimal sign, and what has one is no number.
                true => format!("replace(replace(trim({text}), '.', 'x'), ',', '.') AS {role}_text"),
                false => format!("trim({text}) AS {role}_text"),
            });
        }
        for (place, name) in columns.segments.iter().enumerate() {
            select.push(format!("nullif({}, '') AS segment_{}", text(name)?, place + 1));
        }
        let query = format!("SELECT {}\n  FROM {}", select.join(",\n    "), self.table);
        Ok(Part::new("orders_as_written", "the table's columns, and their text", query))
    }

    /// Whether a customer is in the sample.
    pub(super) fn is_sampled(&self, id: &str, fraction: f64) -> String {
        format!("{} < {}", self.dialect.salted_hash(SAMPLE_SALT, id), fraction * HASHES)
    }

    fn segments(&self) -> impl Iterator<Item = String> {
        (1..=self.columns().segments.len()).map(|place| format!("segment_{place}"))
    }

    fn read(&self) -> Part {
        let dialect = self.dialect;
        let mut select = vec!["customer_id".to_owned(), "id".to_owned()];
        select.push(format!("CAST({} AS BIGINT) AS on_day", dialect.day_of_text("day_text")));
        let number = |role: &str| {
            dialect.number(
                &format!("{role}_as_written"),
                &format!("{role}_text"),
                !self.reading.decimal_comma,
            )
        };
        if self.has_amount() {
            select.push(format!("{} AS amount", number("amount")));
        }
        if self.columns().discount.is_some() {
            let is_missing =
                format!("discount_as_written IS NULL OR {} = ''", dialect.to_text("discount_as_written"));
            select.push(format!(
                "CASE WHEN {is_missing} THEN 0.0 ELSE abs({}) END AS discount",
                number("discount")
            ));
        }
        select.extend(self.segments());
        let query = format!("SELECT {}\n  FROM orders_as_written", select.join(",\n    "));
        Part::new("orders_read", "days and numbers; null where a column holds none", query)
    }

    fn valid(&self) -> Part {
        let last = self.reading.observed_until.unwrap_or(Day::LAST).min(Day::LAST);
        let mut conditions = vec![
            "id IS NOT NULL".to_owned(),
            format!("NOT ({})", self.dialect.is_float_id("id")),
            format!("on_day BETWEEN {} AND {}", Day::FIRST.days_since_epoch(), last.days_since_epoch()),
        ];
        if self.has_amount() {
            conditions.push("abs(amount) <= 1e100".to_owned());
            if self.reading.refunds != Refunds::Net {
                conditions.push("amount >= 0".to_owned());
            }
        }
        if self.columns().discount.is_some() {
            conditions.push("discount <= 1e100".to_owned());
        }
        let query = format!("SELECT * FROM orders_read\n  WHERE {}", conditions.join("\n    AND "));
        Part::new("valid_orders", "the orders that count", query)
    }

    pub(super) fn observed(&self) -> Part {
        let until = match (self.reading.observed_until, self.reading.observed_at_least_until) {
            (Some(day), _) => day.days_since_epoch().to_string(),
            (None, Some(day)) => {
                let day = day.days_since_epoch();
                format!("CASE WHEN max(on_day) > {day} THEN max(on_day) ELSE {day} END")
            }
            (None, None) => "max(on_day)".to_owned(),
        };
        let query = format!("SELECT {until} AS until_day FROM valid_orders");
        Part::new("observed", "the last day the log is complete for", query)
    }

    fn days(&self, fraction: Option<f64>) -> Part {
        let mut select = vec!["customer_id".to_owned(), "id".to_owned(), "on_day".to_owned()];
        let mut from = match fraction {
            Some(fraction) => format!("valid_orders\n  WHERE {}", self.is_sampled("id", fraction)),
            None => "valid_orders".to_owned(),
        };
        if self.has_amount() {
            let net = match self.reading.refunds {
                Refunds::Net => self.dialect.sum_in_order("amount"),
                _ => "sum(amount)".to_owned(),
            };
            select.push(format!("{net} AS net"));
            select.push("sum(CASE WHEN amount < 0 THEN -amount ELSE 0 END) AS refunded".to_owned());
            select.push("sum(abs(amount)) AS absolute".to_owned());
        }
        if self.columns().discount.is_some() {
            let of =
                if self.has_amount() { "CASE WHEN amount >= 0 THEN discount ELSE 0 END" } else { "discount" };
            select.push(format!("sum({of}) AS discount"));
        }
        let is_windowed = self.dialect == Dialect::DataFusion && self.reading.refunds == Refunds::Net;
        if self.has_amount() && (is_windowed || !self.columns().segments.is_empty()) {
            let running = match is_windowed {
                true => ",\n      sum(amount) OVER (PARTITION BY id, on_day ORDER BY amount) AS running",
                false => "",
            };
            from = format!(
                "(\n    SELECT *, max(amount) OVER (PARTITION BY id, on_day) AS largest{running}\n    FROM {}\n  ) AS \
                 ranked_orders",
                from.replace('\n', "\n  ")
            );
        }
        if !self.columns().segments.is_empty() {
            for segment in self.segments() {
                let of = match self.has_amount() {
                    true => format!("CASE WHEN amount = largest THEN {segment} END"),
                    false => segment.clone(),
                };
                select.push(format!("min({}) AS {segment}", self.dialect.bytewise(&format!("({of})"))));
            }
        }
        let query =
            format!("SELECT {}\n  FROM {from}\n  GROUP BY customer_id, id, on_day", select.join(",\n    "));
        let about = match self.columns().segments.is_empty() {
            true => "orders of a day merged",
            false => "orders of a day merged; segment values are those of its largest order, ties by text",
        };
        Part::new("customer_days", about, query)
    }

    fn purchases(&self) -> Part {
        let of = if self.has_amount() { format!("\n  WHERE {IS_PURCHASE}") } else { String::new() };
        let query = format!(
            "SELECT *,\n    on_day - lag(on_day) OVER (PARTITION BY id ORDER BY on_day) AS interval_days,\n    \
             lead(on_day) OVER (PARTITION BY id ORDER BY on_day) AS next_day\n  FROM customer_days{of}"
        );
        Part::new(
            "purchases",
            "the days on which a customer bought, each with the days since the one before",
            query,
        )
    }

    pub(super) fn returns(&self) -> Part {
        let query = format!(
            "SELECT id, on_day, CASE WHEN net < 0 THEN -net ELSE 0 END AS returned\n  FROM customer_days\n  WHERE NOT {IS_PURCHASE}"
        );
        Part::new("returns", "the days on which more went back than was bought", query)
    }
}
