//! How does an engine spell things? Quoting, and expressions of SQL.
//!
//! What goes into a query from outside (names of tables and columns) passes through [`Dialect::identifier`]; what
//! engines disagree on is one match each.

use std::fmt;

use crate::day::Day;
use crate::error::{Error, Result};

/// The engine that a query is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// DuckDB.
    DuckDb,
    /// Spark SQL.
    Spark,
    /// DataFusion, and Ballista, which runs its plans on several machines.
    DataFusion,
    /// PostgreSQL.
    Postgres,
}

/// The longest name that PostgreSQL does not cut, bytes.
const POSTGRES_NAME_BYTES: usize = 63;

/// A date as the crate reads it, alone or followed by a time of day, alone or followed by an offset.
const DATE_TEXT: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ] *([01][0-9]|2[0-4])(:[0-5][0-9](:([0-5][0-9]|60))?)?\
     ([.,][0-9]+)? *(Z|z|UTC|GMT|[+-][0-9]{2}(:?[0-9]{2}){0,2})?)?$";
/// A number; of longer exponents some engines make an error of the whole query.
const NUMBER_TEXT: &str = "^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?0*[0-9]{1,3})?$";
/// An integer that went through a float.
const FLOAT_ID_TEXT: &str = "^-?[0-9]+[.]0+$";

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::DuckDb => "DuckDB",
            Dialect::Spark => "Spark SQL",
            Dialect::DataFusion => "DataFusion",
            Dialect::Postgres => "PostgreSQL",
        })
    }
}

impl Dialect {
    /// The name of a table or column, quoted.
    ///
    /// ```
    /// use winback::dialect::Dialect;
    ///
    /// assert_eq!(Dialect::DuckDb.identifier("o'rders \"2024\"")?, "\"o'rders \"\"2024\"\"\"");
    /// assert_eq!(Dialect::Spark.identifier("a`b")?, "`a``b`");
    /// # Ok::<(), winback::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] for an empty name, one that holds a NUL character, or one that PostgreSQL would cut.
    pub fn identifier(self, name: &str) -> Result<String> {
        let is_cut = self == Dialect::Postgres && name.len() > POSTGRES_NAME_BYTES;
        if name.is_empty() || name.contains('\0') || is_cut {
            let expected = match is_cut {
                true => "at most 63 bytes, as PostgreSQL cuts longer names",
                false => "a name without NUL characters",
            };
            return Err(Error::parameter("a name in the query", format!("{name:?}"), expected));
        }
        Ok(match self {
            Dialect::Spark => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        })
    }

    /// A text value. Only constants of this crate are written this way.
    fn text(self, text: &str) -> String {
        match self {
            Dialect::Spark => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            _ => format!("'{}'", text.replace('\'', "''")),
        }
    }

    /// Floats of 64 bits.
    fn float(self) -> &'static str {
        match self {
            Dialect::Postgres => "DOUBLE PRECISION",
            _ => "DOUBLE",
        }
    }

    /// An expression as a float of 64 bits.
    pub(crate) fn to_float(self, expression: &str) -> String {
        format!("CAST({expression} AS {})", self.float())
    }

    /// An expression as text.
    pub(crate) fn to_text(self, expression: &str) -> String {
        let text = if self == Dialect::Spark { "STRING" } else { "VARCHAR" };
        format!("CAST({expression} AS {text})")
    }

    fn matches(self, expression: &str, pattern: &str) -> String {
        let pattern = self.text(pattern);
        match self {
            Dialect::DuckDb => format!("regexp_matches({expression}, {pattern})"),
            Dialect::Spark => format!("{expression} RLIKE {pattern}"),
            Dialect::DataFusion | Dialect::Postgres => format!("{expression} ~ {pattern}"),
        }
    }

    /// Whether text is an integer that went through a float.
    pub(crate) fn is_float_id(self, text: &str) -> String {
        self.matches(text, FLOAT_ID_TEXT)
    }

    /// The date that a text shows, as days since 1970-01-01; null where it shows none.
    pub(crate) fn day_of_text(self, text: &str) -> String {
        let shown = self.matches(text, DATE_TEXT);
        let date = format!("substr({text}, 1, 10)");
        let day = match self {
            Dialect::DuckDb => format!("date_diff('day', DATE '1970-01-01', TRY_CAST({date} AS DATE))"),
            Dialect::Spark => format!("unix_date(try_cast({date} AS DATE))"),
            Dialect::DataFusion => format!("CAST(TRY_CAST({date} AS DATE) AS INT)"),
            // PostgreSQL makes an error of 30 February; the first of the month plus 29 days is a date, and
            // shows another month.
            Dialect::Postgres => {
                let part =
                    |from: u8, length: u8| format!("CAST(substr({text}, {from}, {length}) AS INTEGER)");
                let date_of =
                    format!("(make_date({}, {}, 1) + ({} - 1))", part(1, 4), part(6, 2), part(9, 2));
                return format!(
                    "CASE WHEN {shown} AND substr({text}, 1, 4) BETWEEN '1900' AND '2200'\n           AND substr({text}, 6, 2) \
                     BETWEEN '01' AND '12' AND substr({text}, 9, 2) BETWEEN '01' AND '31'\n         THEN CASE WHEN \
                     to_char({date_of}, 'YYYY-MM-DD') = {date}\n              THEN {date_of} - DATE '1970-01-01' END END"
                );
            }
        };
        format!("CASE WHEN {shown} THEN {day} END")
    }

    /// Days since 1970-01-01 of a column of dates or timestamps.
    pub(crate) fn day_of_date(self, column: &str) -> String {
        let date = format!("CAST({column} AS DATE)");
        match self {
            Dialect::DuckDb => format!("date_diff('day', DATE '1970-01-01', {date})"),
            Dialect::Spark => format!("unix_date({date})"),
            Dialect::DataFusion => format!("CAST(CAST({date} AS INT) AS BIGINT)"),
            // Days that are infinite cannot be subtracted.
            Dialect::Postgres => {
                format!("CASE WHEN isfinite({date}) THEN {date} - DATE '1970-01-01' END")
            }
        }
    }

    /// A column of numbers as floats.
    pub(crate) fn float_of_number(self, column: &str) -> String {
        let float = self.to_float(column);
        match self {
            // To add 0 makes 0 of -0, which it holds to be smaller.
            Dialect::DataFusion => format!("{float} + 0.0"),
            _ => float,
        }
    }

    /// The number that a column holds, as a float; null where it holds none. `text` is its trimmed text, in which a
    /// decimal comma is a point already.
    pub(crate) fn number(self, column: &str, text: &str, is_typed: bool) -> String {
        let is_number = self.matches(text, NUMBER_TEXT);
        let cast = |of: &str| format!("TRY_CAST({of} AS DOUBLE)");
        let number = match self {
            // A float of 32 bits must not go through its text.
            Dialect::DuckDb | Dialect::Spark | Dialect::DataFusion if is_typed => {
                format!("coalesce({}, {})", cast(column), cast(text))
            }
            Dialect::DuckDb | Dialect::Spark | Dialect::DataFusion => cast(text),
            // Too large or too small for a float is an error in PostgreSQL.
            Dialect::Postgres => {
                let number = format!("CAST({text} AS NUMERIC)");
                return format!(
                    "CASE WHEN {is_number} THEN CASE WHEN abs({number}) <= 1e100\n         THEN CASE WHEN abs({number}) < \
                     1e-300 THEN 0 ELSE CAST({text} AS DOUBLE PRECISION) END END END"
                );
            }
        };
        // To add 0 makes 0 of -0, which DataFusion holds to be smaller.
        format!("CASE WHEN {is_number} THEN {number} + 0.0 END")
    }

    /// The first 8 hexadecimal digits of md5(salt ‖ text), as a number.
    pub(crate) fn salted_hash(self, salt: &str, text: &str) -> String {
        let digits = format!("substr(md5(concat({}, {text})), 1, 8)", self.text(salt));
        match self {
            Dialect::DuckDb => format!("CAST(concat('0x', {digits}) AS BIGINT)"),
            Dialect::Spark => format!("CAST(conv({digits}, 16, 10) AS BIGINT)"),
            Dialect::Postgres => format!("CAST(CAST(concat('x', {digits}) AS BIT(32)) AS BIGINT)"),
            // It reads no hexadecimal numbers, so that every digit is looked up.
            Dialect::DataFusion => {
                let digit = |place: u32| {
                    let weight = 1_u64 << (4 * (8 - place));
                    format!("(strpos('0123456789abcdef', substr({digits}, {place}, 1)) - 1) * {weight}")
                };
                let places: Vec<String> = (1..=8).map(digit).collect();
                format!("CAST({} AS BIGINT)", places.join("\n      + "))
            }
        }
    }

    /// A sum of floats, added in ascending order.
    pub(crate) fn sum_in_order(self, expression: &str) -> String {
        match self {
            Dialect::Spark => format!(
                "aggregate(array_sort(collect_list({expression})), CAST(0 AS DOUBLE), (total, one) -> total + one)"
            ),
            // It adds in any order, but over a window in the window's.
            Dialect::DataFusion => format!("max(CASE WHEN {expression} = largest THEN running END)"),
            _ => format!("sum({expression} ORDER BY {expression})"),
        }
    }

    /// An expression of text that is compared byte by byte.
    pub(crate) fn bytewise(self, text: &str) -> String {
        match self {
            Dialect::Postgres => format!("{text} COLLATE \"C\""),
            _ => text.to_owned(),
        }
    }

    /// A day.
    pub(crate) fn date(self, day: Day) -> String {
        format!("DATE '{day}'")
    }
}

/// A number, so that it is read back as the same.
pub(crate) fn number(value: f64) -> String {
    format!("{value:e}")
}

/// Text in a comment: nothing in it can end the line.
pub(crate) fn comment(text: &str) -> String {
    let is_safe = |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if is_safe(c) { c } else { ' ' }).collect()
}
