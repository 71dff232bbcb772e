//! The cases that `tests/engines` runs on real engines, and the crate's part in the loop with them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use polars::prelude::*;
use winback::history::{DiskHistory, HistoryParams, InvalidRows, Refunds};
use winback::model::TermChoice;
use winback::snapshot::LabelWindow;
use winback::sql::TableName;
use winback::{ChurnModel, Columns, Cutoffs, Day, FeatureSet, History, Snapshots};

use crate::logs::{SplitMix, bundled, bytes};
use crate::sql::DIALECTS;
use crate::support::day;

const NASTY_TABLE: &str = "o'rders \"2024\"";

/// Writes every log with its queries, and what the crate says, into the folder `WINBACK_ENGINES`.
#[test]
#[ignore = "tests/engines/run writes its cases with it"]
fn cases() {
    let folder = cases_folder();
    let params = bundled_params();
    let frame = params.read_csv([bundled()]).map(|_| csv(&bundled())).unwrap();
    let cutoffs = ["2011-09-01", "2011-05-01", "2011-07-15"];
    case(&folder, "bundled", "shop orders", &frame, &params, 60, &cutoffs);
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
        let cutoffs = ["2024-06-30", "2024-03-31", "2024-05-15"];
        case(&folder, name, NASTY_TABLE, &nasty(), &params, 30, &cutoffs);
    }
    let days = Columns::new("customer", "ordered at");
    let amounts = days.clone().with_amount("paid").with_discount("off").with_segments(["store"]);
    for (name, columns) in [("typed", amounts), ("typed_days", days)] {
        let params = History::params(columns).with_invalid_rows(InvalidRows::Drop);
        case(&folder, name, "typed", &typed(), &params, 30, &["1971-06-30", "1971-01-15", "1970-06-30"]);
    }
}

fn cases_folder() -> PathBuf {
    PathBuf::from(std::env::var("WINBACK_ENGINES").expect("WINBACK_ENGINES names a folder"))
}

fn bundled_params() -> HistoryParams {
    History::params(Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["country"]))
}

/// Takes the panel of the bundled log that an engine wrote, and writes the model fitted on it, and what the crate says
/// by that model.
#[test]
#[ignore = "tests/engines/run fits with it"]
fn fits() {
    let folder = cases_folder().join("bundled");
    let engine = std::env::var("WINBACK_ENGINE").expect("WINBACK_ENGINE names an engine");
    let file = |what: &str| folder.join(format!("loop.{engine}.{what}"));
    let (params, set) = (bundled_params(), FeatureSet::standard(60, &["country"]));
    let label = LabelWindow { lead_days: 0, horizon_days: 60 };
    let panel = parquet(&file("panel"));
    let snapshots = Snapshots::from_frame(&panel, &set, label, &params).unwrap();

    // The crate's own sample of so many rows is that of the same customers, with the same labels.
    let orders = folder.join("orders.parquet");
    let disk = DiskHistory::params(params.clone(), std::env::temp_dir()).read_parquet([&orders]).unwrap();
    let own = Snapshots::params(set)
        .with_horizon_days(60)
        .with_cutoffs(Cutoffs::explicit(["2011-05-01", "2011-07-15", "2011-09-01"].map(day)))
        .build_sample(&disk, panel.height())
        .unwrap();
    let keys = |snapshots: &Snapshots| {
        let frame = snapshots.to_frame().unwrap();
        bytes(&frame.select(["customer_id", "cutoff", "churned"]).unwrap())
    };
    assert_eq!(keys(&snapshots), keys(&own));

    let model = ChurnModel::params().fit(&snapshots).unwrap();
    model.save(file("json")).unwrap();
    let history = params.read_parquet([&orders]).unwrap();
    let scores = model.score(&history, day("2011-11-30")).unwrap().to_frame().unwrap();
    let mut scores = scores.select(["customer_id", "churn_probability"]).unwrap();
    ParquetWriter::new(File::create(file("scores.parquet")).unwrap()).finish(&mut scores).unwrap();
}

/// A file, or the files of a folder, as engines that work in parallel write them.
fn parquet(path: &Path) -> DataFrame {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "parquet"));
        files.sort();
    }
    let frames = files.iter().map(|file| ParquetReader::new(File::open(file).unwrap()).finish().unwrap());
    frames.reduce(|all, more| all.vstack(&more).unwrap()).unwrap()
}

/// A log of real dates and numbers, some before 1970, with what such columns can still have wrong.
fn typed() -> DataFrame {
    let mut random = SplitMix(12);
    let (mut customers, mut times, mut amounts, mut discounts, mut stores) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    const DAY_MICROSECONDS: i64 = 86_400_000_000;
    let mut push =
        |customer: Option<i64>, days: Option<f64>, amount: Option<f64>, off: Option<f64>, store| {
            customers.push(customer);
            times.push(days.map(|days| (days * DAY_MICROSECONDS as f64) as i64));
            amounts.push(amount);
            discounts.push(off);
            stores.push(store);
        };
    for customer in 0..300 {
        for _ in 0..1 + random.next() % 12 {
            let on = random.uniform() * 1_000.0 - 400.0;
            let cents = (random.uniform() * 10_000.0).round() / 100.0;
            let sign = if random.next().is_multiple_of(8) { -1.0 } else { 1.0 };
            let off = [None, Some(0.0), Some(-1.5), Some(2.0)][(random.next() % 4) as usize];
            let store = [Some("Ost"), Some("West"), Some(""), None][(random.next() % 4) as usize];
            push(Some(customer), Some(on), Some(sign * cents), off, store);
        }
    }
    for (customer, days, amount, off) in [
        (None, Some(1.0), Some(1.0), None),
        (Some(1), None, Some(1.0), None),
        (Some(1), Some(1.0), None, None),
        (Some(1), Some(1.0), Some(f64::NAN), None),
        (Some(1), Some(1.0), Some(-f64::INFINITY), None),
        (Some(1), Some(1.0), Some(2e100), None),
        (Some(1), Some(1.0), Some(1.0), Some(f64::NAN)),
        (Some(1), Some(-30_000.0), Some(1.0), None),
        (Some(1), Some(90_000.0), Some(1.0), None),
        (Some(1), Some(2.5), Some(-0.0), None),
        (Some(1), Some(2.75), Some(0.0), None),
    ] {
        push(customer, days, amount, off, Some("West"));
    }
    let time = Series::new("ordered at".into(), times);
    let time = time.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap();
    df!["customer" => customers, "ordered at" => time, "paid" => amounts, "off" => discounts, "store" => stores]
        .unwrap()
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
    table_name: &str,
    frame: &DataFrame,
    params: &HistoryParams,
    horizon_days: i32,
    cutoffs: &[&str],
) {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    // Without statistics: of a column with NaN polars writes none, and Spark then takes all its values for null.
    let write = |file: &str, frame: &DataFrame| {
        let writer = ParquetWriter::new(File::create(folder.join(file)).unwrap());
        writer.with_statistics(StatisticsOptions::empty()).finish(&mut frame.clone()).unwrap();
    };
    write("orders.parquet", frame);
    fs::write(folder.join("table"), table_name).unwrap();
    let table = TableName::from(table_name);
    let table = if table_name == "typed" { table.typed() } else { table };
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
    let sampled =
        |dialect| set.to_sql_of_sample(dialect, table.clone(), params, &cutoffs, Some(label), 0.3).unwrap();
    for (engine, dialect) in DIALECTS {
        let write = |what: &str, query: String| {
            fs::write(folder.join(format!("{what}.{engine}.sql")), query).unwrap();
        };
        write("panel", set.to_sql(dialect, table.clone(), params, &cutoffs, Some(label)).unwrap());
        write("one", set.to_sql(dialect, table.clone(), params, &cutoffs[..1], None).unwrap());
        write("sample", sampled(dialect));
        for (model_name, model) in &models {
            write(
                &format!("score_{model_name}"),
                model.to_sql(dialect, table.clone(), params, Some(as_of)).unwrap(),
            );
            write(
                &format!("score_{model_name}_last"),
                model.to_sql(dialect, table.clone(), params, None).unwrap(),
            );
        }
    }
}
