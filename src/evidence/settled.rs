//! Which cause is a customer's, where what is said of them differs?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::cause::Cause;
use crate::day::Day;
use crate::error::{counted, shown};

/// How many ids of contradicted customers are named.
const EXAMPLES: usize = 5;

/// One statement: the cause, the day of the loss, its source and whom it was said to. Who says the same again says
/// nothing more.
pub(super) type Statement<'a> = (Cause, Option<Day>, Option<&'a str>, Option<&'a str>);

/// What the statements about one customer come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Their cause: `Unknown` where none is known, or where as much speaks for one as for another; `None` where
    /// nobody said anything.
    pub(crate) cause: Option<Cause>,
    /// The known causes that are named, ascending.
    pub(crate) named: Vec<Cause>,
}

impl Settled {
    /// Of one statement, or of none.
    pub(crate) fn of_one(cause: Option<Cause>) -> Self {
        Settled { cause, named: cause.into_iter().filter(|cause| *cause != Cause::Unknown).collect() }
    }

    /// The cause of most statements; of several, that of the latest loss, where a statement without a day comes
    /// before all days. What is still even is not settled. The order of statements does not matter.
    pub(super) fn of<'a>(statements: impl IntoIterator<Item = Statement<'a>>) -> Self {
        let statements: BTreeSet<Statement<'a>> = statements.into_iter().collect();
        let mut votes: BTreeMap<Cause, (usize, Option<Day>)> = BTreeMap::new();
        for &(cause, lost_on, ..) in statements.iter().filter(|statement| statement.0 != Cause::Unknown) {
            let vote = votes.entry(cause).or_default();
            *vote = (vote.0 + 1, vote.1.max(lost_on));
        }
        let most = votes.values().max().copied();
        let mut leading = votes.iter().filter(|(_, vote)| Some(**vote) == most).map(|(cause, _)| *cause);
        let cause = match (leading.next(), leading.next()) {
            (Some(cause), None) => Some(cause),
            _ => (!statements.is_empty()).then_some(Cause::Unknown),
        };
        Settled { cause, named: votes.into_keys().collect() }
    }

    pub(crate) fn is_contradicted(&self) -> bool {
        self.named.len() > 1
    }
}

/// Customers of whom several statements name different causes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Contradictions {
    /// Customers of whom a known cause is stated.
    pub of: usize,
    /// Those of whom different ones are.
    pub customers: usize,
    /// customers / of; 0 of nobody.
    pub share: f64,
    /// Those of whom as much speaks for one cause as for another, so that it counts as `Unknown`.
    pub unsettled: usize,
    /// The ids of up to five of them, in order of text.
    pub examples: Vec<String>,
}

impl Contradictions {
    pub(crate) fn among<'a>(customers: impl IntoIterator<Item = (&'a str, &'a Settled)>) -> Self {
        let mut found = Contradictions::default();
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        for (id, settled) in customers {
            found.of += usize::from(!settled.named.is_empty());
            if settled.is_contradicted() {
                found.customers += 1;
                found.unsettled += usize::from(settled.cause == Some(Cause::Unknown));
                ids.insert(id);
            }
        }
        found.share = found.customers as f64 / found.of.max(1) as f64;
        found.examples = ids.into_iter().take(EXAMPLES).map(str::to_owned).collect();
        found
    }
}

impl fmt::Display for Contradictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Contradictions { of, customers, share, unsettled, examples } = self;
        if *customers == 0 {
            return write!(f, "no customer is said to have left for different causes");
        }
        let ids: Vec<String> = examples.iter().map(|id| shown(id)).collect();
        write!(
            f,
            "of {} with a stated cause, {customers} ({:.0} %) named different ones: {}",
            counted(*of, "customer"),
            100.0 * share,
            ids.join(", ")
        )?;
        if *customers > examples.len() {
            write!(f, " and {} more", customers - examples.len())?;
        }
        write!(f, "; the most statements count, then the latest loss")?;
        match unsettled {
            0 => Ok(()),
            _ => write!(f, ", which leaves {unsettled} of Unknown cause"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Option<Day> {
        Some(Day::from_days_since_epoch(number))
    }

    #[test]
    fn most_statements_count_then_the_latest_loss_and_order_never() {
        let price = (Cause::Price, None, Some("survey"), None);
        let service = (Cause::ServiceFailure, None, Some("call"), None);
        let cases: [(&[Statement<'_>], Cause); 6] = [
            (&[price], Cause::Price),
            (&[price, price, service], Cause::Unknown),
            (&[price, (Cause::Price, None, Some("staff"), None), service], Cause::Price),
            (&[price, (Cause::ServiceFailure, day(5), None, None)], Cause::ServiceFailure),
            (
                &[(Cause::Price, day(9), None, None), (Cause::ServiceFailure, day(5), None, None)],
                Cause::Price,
            ),
            (&[(Cause::Unknown, day(9), None, None), service], Cause::ServiceFailure),
        ];
        for (statements, cause) in cases {
            let found = Settled::of(statements.iter().copied());
            assert_eq!(found.cause, Some(cause), "{statements:?}");
            assert_eq!(found, Settled::of(statements.iter().rev().copied()), "{statements:?}");
        }
        assert_eq!(Settled::of([]), Settled::default());
        assert_eq!(Settled::of([(Cause::Unknown, None, None, None)]), Settled::of_one(Some(Cause::Unknown)));
    }

    #[test]
    fn who_is_contradicted_is_counted_and_named() {
        let even = Settled { cause: Some(Cause::Unknown), named: vec![Cause::Competitor, Cause::Price] };
        let settled = Settled { cause: Some(Cause::Price), ..even.clone() };
        let one = Settled::of_one(Some(Cause::Price));
        let silent = Settled::of_one(None);
        let found = Contradictions::among([("b", &settled), ("a", &even), ("c", &one), ("d", &silent)]);
        assert_eq!((found.of, found.customers, found.unsettled), (3, 2, 1));
        assert_eq!(
            found.to_string(),
            "of 3 customers with a stated cause, 2 (67 %) named different ones: `a`, `b`; the most statements count, \
             then the latest loss, which leaves 1 of Unknown cause"
        );
    }
}
