//! Which numbers does a column hold, and how are they written there?

use polars::prelude::*;

use super::cells::Cells;
use super::types::as_text;
use crate::error::{Result, shown};
use crate::table::guarded;

/// Amounts above this size are refused, so that no sum of them overflows.
pub(super) const LARGEST_AMOUNT: f64 = 1e100;

/// A column's numbers as floats, with the text that they were read from where there is one.
pub(super) struct Numbers {
    pub(super) values: Cells<Float64Type>,
    text: Option<StringChunked>,
}

impl Numbers {
    /// The number as the column has it.
    pub(super) fn shown(&self, row: usize) -> String {
        let value = self.values.as_slice()[row];
        match self.text.as_ref().and_then(|text| text.get(row)) {
            Some(text) => shown(text),
            None if value.abs() > LARGEST_AMOUNT => format!("`{value:e}`"),
            None => format!("`{value}`"),
        }
    }

    /// Whether this is NaN or infinite in the column already, not a number too large for a float.
    pub(super) fn is_non_finite(&self, row: usize) -> bool {
        let has_digits = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
        !self.values.as_slice()[row].is_finite()
            && !self.text.as_ref().and_then(|text| text.get(row)).is_some_and(has_digits)
    }
}

/// Numbers of a column as floats; what is missing or no number goes to `fault` with its text.
pub(super) fn numbers(
    series: &Series,
    decimal_comma: bool,
    mut fault: impl FnMut(usize, Option<&str>),
) -> Result<Numbers> {
    if matches!(
        series.dtype(),
        DataType::String | DataType::Categorical(..) | DataType::Enum(..) | DataType::Null
    ) {
        let text = as_text(series)?;
        let text = guarded("reading amounts", || text.str().cloned())?;
        let values = text
            .iter()
            .enumerate()
            .map(|(row, value)| {
                let number = value.and_then(|value| parse_number(value, decimal_comma));
                number.unwrap_or_else(|| {
                    fault(row, value.filter(|value| !value.is_empty()));
                    0.0
                })
            })
            .collect();
        return Ok(Numbers { values: Cells::Own(values), text: Some(text) });
    }
    let floats = guarded("reading amounts", || series.cast(&DataType::Float64))?;
    let floats = guarded("reading amounts", || floats.f64().cloned())?;
    if floats.null_count() > 0 {
        let missing = floats.iter().enumerate().filter(|(_, value)| value.is_none());
        missing.for_each(|(row, _)| fault(row, None));
    }
    Ok(Numbers { values: Cells::new(floats), text: None })
}

fn parse_number(text: &str, decimal_comma: bool) -> Option<f64> {
    let text = text.trim();
    if decimal_comma {
        return if text.contains('.') { None } else { text.replacen(',', ".", 1).parse().ok() };
    }
    text.parse().ok()
}
