//! Features at several cutoffs in one pass.

use std::collections::BTreeSet;

use polars::prelude::*;
use proptest::test_runner::TestCaseError;
use winback::{Day, Error};

use crate::logs::{bytes, first_day, history, orders, rhythmic, standard};
use crate::support::runner;

const HORIZON_DAYS: i32 = 30;

/// The rows of one cutoff, without the column that says so.
fn rows_at(panel: &DataFrame, cutoff: Day) -> DataFrame {
    let at = panel.column("cutoff").unwrap().to_physical_repr();
    let keep: BooleanChunked =
        at.i32().unwrap().iter().map(|day| day == Some(cutoff.days_since_epoch())).collect();
    panel.filter(&keep).unwrap().drop("cutoff").unwrap()
}

#[test]
fn a_panel_holds_what_each_cutoff_holds_alone() {
    runner(64)
        .run(&orders(60), |orders| {
            let history = history(&orders);
            let first = history.observed_from();
            let span = history.observed_until().days_since(first);
            let asked = [1, 0, 3, 4, 3].map(|quarter| first.plus_days(span * quarter / 4));
            let set = standard(HORIZON_DAYS);
            match (set.features_at_each(&history, &asked), set.features_at(&history, first)) {
                (Ok(panel), Ok(_)) => {
                    let mut rows = 0;
                    for cutoff in BTreeSet::from(asked) {
                        let alone = set.features_at(&history, cutoff).unwrap();
                        assert_eq!(bytes(&rows_at(&panel, cutoff)), bytes(&alone));
                        rows += alone.height();
                    }
                    assert_eq!(rows, panel.height());
                }
                (Err(together), Err(alone)) => assert_eq!(together.to_string(), alone.to_string()),
                (together, alone) => {
                    return Err(TestCaseError::fail(format!("{together:?} but alone {alone:?}")));
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_panel_is_ordered_by_customer_then_cutoff() {
    let history = history(&rhythmic(40, 200, 3));
    let cutoffs = [150, 90, 120].map(|day| first_day().plus_days(day));
    let panel = standard(HORIZON_DAYS).features_at_each(&history, &cutoffs).unwrap();
    let order = SortMultipleOptions::default();
    let sorted = panel.sort(["customer_id", "cutoff"], order).unwrap();
    assert_eq!(bytes(&sorted), bytes(&panel));
    assert_eq!(panel.columns()[1].name(), "cutoff");
    assert_eq!(panel.column("cutoff").unwrap().dtype(), &DataType::Date);
}

#[test]
fn a_panel_without_cutoffs_or_beyond_the_log_is_refused() {
    let history = history(&rhythmic(5, 100, 1));
    let at_each = |cutoffs: &[Day]| standard(HORIZON_DAYS).features_at_each(&history, cutoffs).unwrap_err();
    assert_eq!(at_each(&[]).to_string(), "cutoffs is empty, expected at least one day");
    let late = history.observed_until().plus_days(1);
    assert!(matches!(
        at_each(&[first_day().plus_days(50), late]),
        Error::AfterObserved { as_of, .. } if as_of == late
    ));
    let early = first_day().plus_days(-400);
    assert!(matches!(
        at_each(&[first_day().plus_days(50), early]),
        Error::BeforeFirstPurchase { as_of, .. } if as_of == early
    ));
}
