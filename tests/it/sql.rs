//! Queries: what they refuse, and how they quote.

use winback::dialect::Dialect;
use winback::features::Transform;
use winback::history::HistoryParams;
use winback::sql::TableName;
use winback::{Columns, Day, Error, Feature, FeatureSet, History};

use crate::support::{day, orders};

pub const DIALECTS: [(&str, Dialect); 4] = [
    ("duckdb", Dialect::DuckDb),
    ("spark", Dialect::Spark),
    ("datafusion", Dialect::DataFusion),
    ("postgres", Dialect::Postgres),
];

#[test]
fn names_are_quoted_and_nothing_ends_a_comment() {
    let evil = "x\"; DROP TABLE t; --`\n'; DROP TABLE t; --";
    let reading = History::params(Columns::new("select", evil));
    for (_, dialect) in DIALECTS {
        let query = FeatureSet::standard(30, &[])
            .to_sql(dialect, evil, &reading, &[day("2024-01-31")], None)
            .unwrap();
        let quoted = match dialect {
            Dialect::Spark => format!("`{}`", evil.replace('`', "``")),
            _ => format!("\"{}\"", evil.replace('"', "\"\"")),
        };
        // Without what is quoted and without comments, nothing of it is left.
        let rest: String =
            query.replace(&quoted, "").lines().filter(|line| !line.starts_with("--")).collect();
        assert!(!rest.contains("DROP"), "{rest}");
        assert!(query.contains(&format!("FROM {quoted}")));
    }
}

#[test]
fn what_sql_cannot_say_is_refused_by_name() {
    let cutoffs = [day("2024-01-31")];
    let own = Feature::custom("moon_phase", "phase", Transform::Identity, |_| Some(0.0));
    let set = FeatureSet::empty().with(own);
    let error = set.to_sql(Dialect::DuckDb, "t", &orders(), &cutoffs, None).unwrap_err();
    assert!(matches!(&error, Error::NotInSql { what, .. } if what.contains("moon_phase")), "{error}");
    let standard = FeatureSet::standard(30, &[]);
    let formatted = orders().with_date_format("%d.%m.%Y");
    let refused = |table: &str, reading: &HistoryParams, cutoffs: &[Day]| {
        standard.to_sql(Dialect::Postgres, table, reading, cutoffs, None).unwrap_err()
    };
    assert!(matches!(refused("t", &formatted, &cutoffs), Error::NotInSql { .. }));
    for (table, cutoffs) in [
        ("", &cutoffs[..]),
        ("a\0", &cutoffs),
        ("Purchases", &cutoffs),
        ("t", &[]),
        (&"long".repeat(16), &cutoffs),
    ] {
        assert!(matches!(refused(table, &orders(), cutoffs), Error::Parameter { .. }), "{table}");
    }
    let sample = standard.to_sql_of_sample(Dialect::Spark, "t", &orders(), &cutoffs, None, 1.5);
    assert!(matches!(sample, Err(Error::Parameter { .. })));
}

#[test]
fn a_table_of_real_types_is_not_read_as_text() {
    for (_, dialect) in DIALECTS {
        let query = |table: TableName| {
            let cutoffs = [day("2024-01-31")];
            FeatureSet::standard(30, &[]).to_sql(dialect, table, &orders(), &cutoffs, None).unwrap()
        };
        let (text, typed) = (query("t".into()), query(TableName::from("t").typed()));
        assert!(text.contains("day_text") && !typed.contains("day_text"), "{dialect}");
        // What counts, and what follows from it, is the same.
        let after = |query: &str| query.split_once("-- the orders that count").unwrap().1.to_owned();
        assert_eq!(after(&text), after(&typed), "{dialect}");
    }
}
