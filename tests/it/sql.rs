//! Queries: what they refuse, how they quote, and the cases that `tests/engines` runs on real engines.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use polars::prelude::*;
use winback::dialect::Dialect;
use winback::features::Transform;
use winback::history::{HistoryParams, InvalidRows, Refunds};
use winback::model::TermChoice;
use winback::snapshot::LabelWindow;
use winback::{ChurnModel, Columns, Cutoffs, Day, Error, Feature, FeatureSet, History, Snapshots};

use crate::logs::{SplitMix, bundled};
use crate::support::{day, orders};

const DIALECTS: [(&str, Dialect); 4] = [
    ("duckdb", Dialect::DuckDb),
    ("spark", Dialect::Spark),
    ("datafusion", Dialect::DataFusion),
    ("postgres", Dialect::Postgres),
];
const NASTY_TABLE: &str = "o'rders \"2024\"";

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

/// Writes every log with its queries, and what the crate says, into the folder `WINBACK_ENGINES`.
#[test]
#[ignore = "tests/engines/run writes its cases with it"]
fn cases() {
    let folder = PathBuf::from(std::env::var("WINBACK_ENGINES").expect("WINBACK_ENGINES names a folder"));
    let columns = Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["country"]);
    let params = History::params(columns);
    let frame = params.read_csv([bundled()]).map(|_| csv(&bundled())).unwrap();
    case(&folder, "bundled", "shop orders", &frame, &params, 60, &["2011-09-01", "2011-05-01", "2011-07-15"]);
    if let Some(data) = std::env::var_os("WINBACK_DATA") {
        let file = File::open(Path::new(&data).join("cdnow_full.parquet")).unwrap();
        let frame = ParquetReader::new(file).finish().unwrap();
        let names: Vec<String> = frame.get_column_names().iter().map(|name| name.to_string()).collect();
        let find = |part: &str| names.iter().find(|name| name.contains(part)).unwrap().clone();
        let amount =
            names.iter().find(|name| name.contains("amount") || name.contains("spend")).unwrap().clone();
        let date = names.iter().find(|name| name.contains("date") || name.contains("on")).unwrap().clone();
        let params = History::params(Columns::new(find("customer"), date).with_amount(amount));
        case(&folder, "cdnow", "cdnow", &frame, &params, 90, &["1998-03-01", "1997-12-01", "1998-01-15"]);
    }
    let columns = Columns::new("select", "or\"der's day")
        .with_amount("amount")
        .with_discount("discount")
        .with_segments(["store"]);
    let params = History::params(columns).with_invalid_rows(InvalidRows::Drop);
    for (name, params) in [("nasty", params.clone()), ("nasty_dropped", params.with_refunds(Refunds::Drop))] {
        case(&folder, name, NASTY_TABLE, &nasty(), &params, 30, &["2024-06-30", "2024-03-31", "2024-05-15"]);
    }
}

fn csv(path: &Path) -> DataFrame {
    let text = fs::read_to_string(path).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let texts = |place: usize| rows.iter().map(|row| row[place]).collect::<Vec<_>>();
    let numbers = texts(3).iter().map(|text| text.parse::<f64>().unwrap()).collect::<Vec<_>>();
    df!["customer_id" => texts(0), "timestamp" => texts(1), "amount" => numbers, "country" => texts(8)]
        .unwrap()
}

/// Every kind of fault, refunds, days that cancel out, customers of one purchase and of none, some born late.
fn nasty() -> DataFrame {
    let mut random = SplitMix(11);
    let mut rows: Vec<[Option<String>; 5]> = Vec::new();
    let mut push = |id: &str, day: &str, amount: &str, discount: &str, store: &str| {
        let some = |text: &str| (text != "null").then(|| text.to_owned());
        rows.push([some(id), some(day), some(amount), some(discount), some(store)]);
    };
    let first = day("2023-07-01");
    let stores = ["Ost", "West", "Öst", "o'st", "", "null", "west"];
    for customer in 0..400_u64 {
        let id = match customer % 4 {
            0 => format!("c'{customer}"),
            1 => format!("Ünï {customer}"),
            2 => format!("{customer:05}"),
            _ => format!("C-{customer}\\\""),
        };
        let orders = 1 + (random.next() % 12) as i32 * i32::from(customer % 5 != 0);
        let born = (random.next() % 400) as i32;
        for _ in 0..orders {
            let on = first.plus_days(born.max((random.next() % 420) as i32));
            let amount = (random.uniform() * 10_000.0).round() / 100.0;
            let time = ["", " 08:26", "T23:59:60Z", " 24:00:00.5 +02:00"][(random.next() % 4) as usize];
            let store = stores[(random.next() % 7) as usize];
            let discount = ["0", "", "null", "1.5", "-2.25", " 3 "][(random.next() % 6) as usize];
            let text =
                [format!("{amount}"), format!(" {amount} "), format!("+{amount}e0"), format!("{amount}")];
            push(&id, &format!("{on}{time}"), &text[(random.next() % 4) as usize], discount, store);
            match random.next() % 12 {
                0 => push(&id, &on.to_string(), &format!("-{amount}"), "9", "Nord"),
                1 => {
                    push(&id, &on.to_string(), "192.40", "0", "a");
                    push(&id, &on.to_string(), "17.40", "0", "b");
                    push(&id, &on.to_string(), "-192.40", "0", "c");
                    push(&id, &on.to_string(), "-17.40", "0", "d");
                    push(&id, &on.to_string(), &format!("-{amount}"), "0", "e");
                }
                2 => push(&id, &on.plus_days(1).to_string(), "-5.55", "0", "West"),
                3 => push(&id, &on.to_string(), &format!("{amount}"), "0", "Alt"),
                4 => push(&id, &on.to_string(), "-0.0", "0", "Zero"),
                5 => {
                    push(&id, &on.to_string(), "1e6", "0", "z");
                    push(&id, &on.to_string(), "-1e6", "0", "z");
                }
                _ => {}
            }
        }
        push(&format!("only returns {customer}"), "2024-01-05", "-3", "0", "West");
    }
    for (id, on, amount, discount) in [
        ("", "2024-01-01", "1", "0"),
        ("null", "2024-01-01", "1", "0"),
        ("17850.0", "2024-01-01", "1", "0"),
        ("-3.00", "2024-01-01", "1", "0"),
        ("17850.5", "2024-01-01", "1", "0"),
        ("bad date", "2024-02-30", "1", "0"),
        ("bad date", "2023-02-29", "1", "0"),
        ("bad date", "2024-13-01", "1", "0"),
        ("bad date", "2024-00-10", "1", "0"),
        ("bad date", "31.12.2023", "1", "0"),
        ("bad date", "2024-01-01 25:00", "1", "0"),
        ("bad date", "2024-01-01T", "1", "0"),
        ("bad date", "2024-01-01 10:00 nonsense", "1", "0"),
        ("bad date", "", "1", "0"),
        ("bad date", "null", "1", "0"),
        ("bad date", "1899-12-31", "1", "0"),
        ("bad date", "2201-01-01", "1", "0"),
        ("bad date", "0000-01-01", "1", "0"),
        ("bad amount", "2024-01-01", "", "0"),
        ("bad amount", "2024-01-01", "null", "0"),
        ("bad amount", "2024-01-01", "1,5", "0"),
        ("bad amount", "2024-01-01", "1_000", "0"),
        ("bad amount", "2024-01-01", "nan", "0"),
        ("bad amount", "2024-01-01", "-inf", "0"),
        ("bad amount", "2024-01-01", "Infinity", "0"),
        ("bad amount", "2024-01-01", "2e100", "0"),
        ("bad amount", "2024-01-01", "-1e400", "0"),
        ("bad amount", "2024-01-01", "0x1F", "0"),
        ("bad amount", "2024-01-01", "1.5d", "0"),
        ("bad discount", "2024-01-01", "1", "x"),
        ("bad discount", "2024-01-01", "1", "  "),
        ("bad discount", "2024-01-01", "1", "NaN"),
        ("bad discount", "2024-01-01", "1", "1e101"),
        ("numbers", "2024-01-01", ".5", "0"),
        ("numbers", "2024-01-03", "5.", "0"),
        ("numbers", "2024-01-09", "1E+2", "1e-3"),
        ("numbers", "2024-01-19", "1e-310", "0"),
        ("numbers", "2024-02-29", "0", "0"),
    ] {
        push(id, on, amount, discount, "West");
    }
    let texts = |place: usize| rows.iter().map(|row| row[place].clone()).collect::<Vec<_>>();
    df![
        "select" => texts(0), "or\"der's day" => texts(1), "amount" => texts(2), "discount" => texts(3),
        "store" => texts(4)
    ]
    .unwrap()
}

fn case(
    folder: &Path,
    name: &str,
    table: &str,
    frame: &DataFrame,
    params: &HistoryParams,
    horizon_days: i32,
    cutoffs: &[&str],
) {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    let write = |file: &str, frame: &DataFrame| {
        ParquetWriter::new(File::create(folder.join(file)).unwrap()).finish(&mut frame.clone()).unwrap();
    };
    write("orders.parquet", frame);
    fs::write(folder.join("table"), table).unwrap();
    let history = params.from_frame(frame).unwrap();
    let cutoffs: Vec<Day> = cutoffs.iter().map(|text| day(text)).collect();
    let segments: Vec<&str> = params.columns().segments().iter().map(String::as_str).collect();
    let set = FeatureSet::standard(horizon_days, &segments);
    let label = LabelWindow { lead_days: 7, horizon_days };
    let snapshots = Snapshots::params(set.clone())
        .with_horizon_days(horizon_days)
        .with_lead_days(7)
        .with_cutoffs(Cutoffs::explicit(cutoffs.iter().copied()))
        .build(&history)
        .unwrap();
    write("panel.parquet", &snapshots.to_frame().unwrap());
    write("one.parquet", &set.features_at_each(&history, &cutoffs[..1]).unwrap());
    let fit = |terms: TermChoice, lead_days: i32| {
        let snapshots = Snapshots::params(set.clone())
            .with_horizon_days(horizon_days)
            .with_lead_days(lead_days)
            .with_cutoffs(Cutoffs::explicit(cutoffs.iter().copied()))
            .build(&history)
            .unwrap();
        ChurnModel::params().with_terms(terms).fit(&snapshots).unwrap().with_season(&history).unwrap()
    };
    let models = [("full", fit(TermChoice::Full, 7)), ("rhythm", fit(TermChoice::Rhythm, 0))];
    let as_of = cutoffs[0];
    for (model_name, model) in &models {
        let scores = |day: Day| {
            let scores = model.score(&history, day).unwrap().to_frame().unwrap();
            scores.select(["customer_id", "churn_probability"]).unwrap()
        };
        write(&format!("score_{model_name}.parquet"), &scores(as_of));
        write(&format!("score_{model_name}_last.parquet"), &scores(history.observed_until()));
    }
    let sampled = |dialect| set.to_sql_of_sample(dialect, table, params, &cutoffs, Some(label), 0.3).unwrap();
    for (engine, dialect) in DIALECTS {
        let write = |what: &str, query: String| {
            fs::write(folder.join(format!("{what}.{engine}.sql")), query).unwrap();
        };
        write("panel", set.to_sql(dialect, table, params, &cutoffs, Some(label)).unwrap());
        write("one", set.to_sql(dialect, table, params, &cutoffs[..1], None).unwrap());
        write("sample", sampled(dialect));
        for (model_name, model) in &models {
            write(&format!("score_{model_name}"), model.to_sql(dialect, table, params, Some(as_of)).unwrap());
            write(&format!("score_{model_name}_last"), model.to_sql(dialect, table, params, None).unwrap());
        }
    }
}
