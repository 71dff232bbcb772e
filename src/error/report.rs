//! What did a read find, row by row?

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, plural};
use super::notice::Notice;

/// What one read found: every row is kept, or dropped under a named fault.
///
/// `rows_read == rows_kept + rows_dropped`, always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputReport {
    /// The files read, in order; empty for a frame.
    pub sources: Vec<String>,
    /// Rows found.
    pub rows_read: u64,
    /// Rows without a fault.
    pub rows_kept: u64,
    /// Rows with at least one fault.
    pub rows_dropped: u64,
    /// The faults found, in the order of [`FaultKind`](super::FaultKind).
    pub faults: Vec<Fault>,
    /// What is worth knowing of the rows kept.
    pub notices: Vec<Notice>,
}

impl fmt::Display for InputReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} read", self.rows_read, plural(self.rows_read, "row", "rows"))?;
        match self.sources.as_slice() {
            [] => {}
            [only] => write!(f, " from {only}")?,
            several => write!(f, " from {} files", several.len())?,
        }
        write!(f, ", {} without faults, {} with", self.rows_kept, self.rows_dropped)?;
        for fault in &self.faults {
            write!(f, "\n  {fault}")?;
        }
        for notice in &self.notices {
            write!(f, "\n  note: {notice}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fault::{FaultExample, FaultKind, shown};
    use super::*;

    #[test]
    fn report_reads_like_a_page() {
        let report = InputReport {
            sources: vec!["orders.csv".into()],
            rows_read: 9,
            rows_kept: 2,
            rows_dropped: 7,
            faults: vec![Fault {
                kind: FaultKind::UnparseableDate,
                column: "day".into(),
                rows: 7,
                examples: vec![FaultExample {
                    source: "orders.csv".into(),
                    row: 3,
                    value: shown("31/12/2020"),
                }],
                words: Vec::new(),
            }],
            notices: vec![Notice::ZeroAmounts { rows: 1 }],
        };
        assert_eq!(
            report.to_string(),
            "9 rows read from orders.csv, 2 without faults, 7 with\n  7 rows: date cannot be read (column `day`)\n    \
             orders.csv row 3: `31/12/2020`\n    and 6 more\n    write dates as YYYY-MM-DD, or give the date \
             format\n  note: 1 row has an amount of 0; kept as free"
        );
    }

    #[test]
    fn few_words_are_listed() {
        let fault = Fault {
            kind: FaultKind::UnknownWord,
            column: "lost".into(),
            rows: 1,
            examples: vec![FaultExample { source: String::new(), row: 2, value: shown("maybe") }],
            words: vec!["yes".into(), "no".into()],
        };
        assert_eq!(
            fault.to_string(),
            "1 row: none of the words that can stand here (column `lost`)\n    row 2: `maybe`\n    write one of \
             yes, no, or drop invalid rows"
        );
    }

    #[test]
    fn long_and_odd_values_are_cut_and_escaped() {
        assert_eq!(shown("a\nb"), "`a\\nb`");
        assert_eq!(shown(&"x".repeat(100)), format!("`{}…`", "x".repeat(60)));
    }
}
