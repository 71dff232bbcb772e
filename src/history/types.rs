//! Can a column of this type serve in this role?

use polars::prelude::{ArrowDataType, ArrowField, DataType, Series};

use super::dates::Zone;
use crate::error::{Error, Result, shown};
use crate::table::guarded;

/// What a column is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Customer,
    Date,
    Money,
    Segment,
    /// Free words or codes.
    Text,
}

impl Role {
    fn accepts(self, dtype: &DataType) -> bool {
        let text = matches!(
            dtype,
            DataType::String | DataType::Categorical(..) | DataType::Enum(..) | DataType::Null
        );
        text || match self {
            Role::Customer => dtype.is_integer(),
            Role::Date => match dtype {
                DataType::Date => true,
                DataType::Datetime(_, zone) => Zone::parse(zone.as_ref().map(|zone| zone.as_str())).is_some(),
                _ => false,
            },
            // Half floats cannot hold cents.
            Role::Money => {
                dtype.is_integer() || (dtype.is_float() && *dtype != DataType::Float16) || is_decimal(dtype)
            }
            Role::Segment | Role::Text => dtype.is_integer() || *dtype == DataType::Boolean,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Role::Customer => "text or integers",
            Role::Date => "a date, a datetime in a known time zone, or text",
            Role::Money => "integers, floats of 32 or 64 bits, decimals or text",
            Role::Segment | Role::Text => "text, integers or booleans",
        }
    }

    fn advice(self, dtype: &DataType) -> &'static str {
        match self {
            Role::Customer if dtype.is_float() => {
                "write ids as integers or text (17850, not 17850.0): a float cannot hold every id"
            }
            Role::Date if dtype.is_integer() || dtype.is_float() => {
                "write real dates, or text with a date format"
            }
            Role::Money if dtype.is_decimal() => {
                "cast it to a decimal of at most 38 digits, or to floats of 64 bits, first"
            }
            Role::Segment if dtype.is_float() => "group the numbers into a few named values first",
            _ => "cast it first, or name another column",
        }
    }

    /// Refuses a type that cannot serve, by name.
    pub(crate) fn check(self, origin: &str, column: &str, dtype: &DataType) -> Result<()> {
        if self.accepts(dtype) {
            return Ok(());
        }
        Err(Error::ColumnType {
            origin: origin.to_owned(),
            column: column.to_owned(),
            found: dtype.to_string(),
            expected: self.expected(),
            advice: self.advice(dtype),
        })
    }

    /// Refuses an Arrow type that cannot serve, before a row is read.
    pub(crate) fn check_arrow(self, origin: &str, field: &ArrowField) -> Result<()> {
        // polars panics on zones it does not know, so that they are looked at first.
        if let ArrowDataType::Timestamp(_, Some(zone)) = &field.dtype
            && !is_polars_zone(zone)
        {
            return Err(Error::ColumnType {
                origin: origin.to_owned(),
                column: field.name.to_string(),
                found: format!("a datetime in zone {}", shown(zone)),
                expected: self.expected(),
                advice: "convert it to UTC or to a named zone such as Europe/Berlin first",
            });
        }
        match guarded("understanding the type", || Ok(DataType::from_arrow_field(field))) {
            Ok(dtype) => self.check(origin, &field.name, &dtype),
            Err(_) => Err(Error::ColumnType {
                origin: origin.to_owned(),
                column: field.name.to_string(),
                found: format!("{:?}", field.dtype),
                expected: self.expected(),
                advice: "cast it first, or name another column",
            }),
        }
    }
}

/// Whether these are decimals that polars can read: Arrow's may have up to 76 digits.
fn is_decimal(dtype: &DataType) -> bool {
    matches!(dtype, DataType::Decimal(1..=38, _))
}

/// Whether polars takes this zone: an IANA name, or an offset of whole hours.
fn is_polars_zone(zone: &str) -> bool {
    let is_name = zone.parse::<chrono_tz::Tz>().is_ok();
    is_name || (Zone::parse(Some(zone)).is_some() && zone.ends_with(":00") && zone.len() == "+02:00".len())
}

/// The column as text: text as it is, categories by their names, integers in decimal.
pub(crate) fn as_text(series: &Series) -> Result<Series> {
    if *series.dtype() == DataType::String {
        return Ok(series.clone());
    }
    guarded("reading a column as text", || series.cast(&DataType::String))
}
