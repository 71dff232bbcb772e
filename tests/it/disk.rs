//! A log that waits on disk gives what it gives in memory, to the bit, and leaves nothing behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use polars::prelude::*;
use proptest::prelude::*;
use winback::history::{DiskHistory, HistoryParams, InvalidRows, Refunds};
use winback::{ChurnModel, Columns, Cutoffs, Day, Error, FeatureSet, History, Snapshots};

use crate::support::{TempDir, day, orders, runner};

/// Enough groups that most customers stand alone.
const TINY_BYTES: usize = 200;

fn all_columns() -> HistoryParams {
    let columns = Columns::new("customer_id", "ordered_on")
        .with_amount("amount")
        .with_discount("discount")
        .with_segments(["store", "country"]);
    History::params(columns)
}

fn write(frame: &DataFrame, path: &Path) {
    let file = File::create(path).expect("a file");
    ParquetWriter::new(file).with_row_group_size(Some(7)).finish(&mut frame.clone()).expect("a Parquet file");
}

fn read(path: &Path) -> DataFrame {
    ParquetReader::new(File::open(path).expect("a file")).set_rechunk(true).finish().expect("a Parquet file")
}

/// Two files of the same rows, the second with the later ones.
fn files(folder: &TempDir, frame: &DataFrame) -> Vec<PathBuf> {
    let half = frame.height() / 2;
    let paths = ["a.parquet", "b.parquet"].map(|name| folder.path(name));
    write(&frame.head(Some(half)), &paths[0]);
    write(&frame.slice(half as i64, frame.height()), &paths[1]);
    paths.to_vec()
}

fn on_disk(params: &HistoryParams, folder: &TempDir, files: &[PathBuf]) -> winback::Result<DiskHistory> {
    let scratch = scratch(folder);
    DiskHistory::params(params.clone(), scratch).with_memory_bytes(TINY_BYTES).read_parquet(files)
}

fn scratch(folder: &TempDir) -> PathBuf {
    let scratch = folder.path("scratch");
    fs::create_dir_all(&scratch).expect("a folder");
    scratch
}

#[track_caller]
fn assert_nothing_left(folder: &TempDir) {
    assert_eq!(fs::read_dir(scratch(folder)).expect("a folder").count(), 0);
}

/// The same values to the bit, in columns of the same names and types.
#[track_caller]
fn assert_equal(left: &DataFrame, right: &DataFrame) {
    assert_eq!(left.schema(), right.schema());
    assert_eq!(left.height(), right.height());
    for (left, right) in left.columns().iter().zip(right.columns()) {
        match left.dtype() {
            DataType::Float64 => {
                let bits = |column: &Column| -> Vec<Option<u64>> {
                    column.f64().expect("floats").iter().map(|value| value.map(f64::to_bits)).collect()
                };
                assert_eq!(bits(left), bits(right), "{}", left.name());
            }
            _ => assert!(left.equals_missing(right), "{}", left.name()),
        }
    }
}

#[track_caller]
fn assert_like_memory(disk: &DiskHistory, memory: &History) {
    assert_eq!(disk.report(), memory.report());
    assert_eq!(disk.customers(), memory.customers() as u64);
    assert_eq!(disk.purchases(), memory.purchases() as u64);
    assert_eq!(disk.observed_from(), memory.observed_from());
    assert_eq!(disk.observed_until(), memory.observed_until());
    assert_eq!(disk.last_order(), memory.last_order());
    for column in memory.reading().columns().segments() {
        assert_eq!(disk.segment_values(column), memory.segment_values(column));
    }
    assert_eq!(disk.fingerprint().expect("groups"), memory.fingerprint());
}

#[track_caller]
fn assert_same_features(set: &FeatureSet, disk: &DiskHistory, memory: &History, cutoffs: &[Day], out: &Path) {
    for &cutoff in cutoffs {
        match set.features_at(memory, cutoff) {
            Ok(frame) => {
                set.write_features_at(disk, cutoff, out).expect("features");
                assert_equal(&read(out), &frame);
            }
            Err(error) => {
                let _ = fs::remove_file(out);
                let refused = set.write_features_at(disk, cutoff, out).expect_err("refused in memory");
                assert_eq!(refused.to_string(), error.to_string());
                assert!(!out.exists());
            }
        }
    }
    match set.features_at_each(memory, cutoffs) {
        Ok(frame) => {
            set.write_features_at_each(disk, cutoffs, out).expect("features");
            assert_equal(&read(out), &frame);
        }
        Err(error) => {
            let refused = set.write_features_at_each(disk, cutoffs, out).expect_err("refused in memory");
            assert_eq!(refused.to_string(), error.to_string());
        }
    }
}

type Order = (i64, i32, u8, u8, u8, u8);

fn any_orders() -> impl Strategy<Value = Vec<Order>> {
    let row = (-6..7_i64, 0..120_i32, 0..9_u8, 0..3_u8, 0..4_u8, 0..3_u8);
    proptest::collection::vec(row, 1..90)
}

fn frame(rows: &[Order], id: impl Fn(i64) -> AnyValue<'static>, kind: &DataType) -> DataFrame {
    let amounts = [10.0, 10.0, 0.0, -0.0, -10.0, 17.4, -17.4, 192.4, -192.4];
    let ids: Vec<AnyValue> = rows.iter().map(|row| id(row.0)).collect();
    let ids = Series::from_any_values_and_dtype("customer_id".into(), &ids, kind, true).expect("ids");
    let value = |name: &str, code: u8| (code > 0).then(|| format!("{name} {code}"));
    let rest = df![
        "ordered_on" => rows.iter().map(|row| (day("2024-01-01").plus_days(row.1)).to_string()).collect::<Vec<_>>(),
        "amount" => rows.iter().map(|row| amounts[usize::from(row.2)]).collect::<Vec<_>>(),
        "discount" => rows.iter().map(|row| (row.3 > 0).then(|| f64::from(row.3))).collect::<Vec<_>>(),
        "store" => rows.iter().map(|row| value("store", row.4)).collect::<Vec<_>>(),
        "country" => rows.iter().map(|row| value("country", 3 - row.5)).collect::<Vec<_>>(),
    ]
    .expect("columns of one length");
    let mut columns = vec![ids.into_column()];
    columns.extend(rest.columns().iter().cloned());
    DataFrame::new_infer_height(columns).expect("columns of one length")
}

fn integer(id: i64) -> AnyValue<'static> {
    AnyValue::Int64(id * 1_000_000_007)
}

fn text(id: i64) -> AnyValue<'static> {
    AnyValue::StringOwned(format!("{}{}", if id % 2 == 0 { "c" } else { "Übung " }, id * 37).into())
}

fn wide(id: i64) -> AnyValue<'static> {
    AnyValue::Int128(i128::from(id) << 70)
}

#[test]
fn any_log_gives_on_disk_what_it_gives_in_memory() {
    let set = FeatureSet::standard(20, &["store", "country"]);
    let cutoffs = ["2023-12-31", "2024-02-01", "2024-03-01", "2024-03-20", "2024-12-31"].map(day);
    type MakeId = fn(i64) -> AnyValue<'static>;
    let kinds: [(MakeId, DataType); 3] =
        [(integer, DataType::Int64), (text, DataType::String), (wide, DataType::Int128)];
    for (id, kind) in kinds {
        for params in [
            all_columns(),
            all_columns().with_refunds(Refunds::Drop).with_observed_until(day("2024-04-01")),
            History::params(Columns::new("customer_id", "ordered_on")),
        ] {
            let set = if params.columns().segments().is_empty() {
                FeatureSet::standard(20, &[])
            } else {
                set.clone()
            };
            runner(4)
                .run(&any_orders(), |rows| {
                    let folder = TempDir::new();
                    let files = files(&folder, &frame(&rows, id, &kind));
                    let memory = params.read_parquet(&files);
                    let disk = on_disk(&params, &folder, &files);
                    let (memory, disk) = match (memory, disk) {
                        (Ok(memory), Ok(disk)) => (memory, disk),
                        (Err(memory), Err(disk)) => {
                            assert_eq!(memory.to_string(), disk.to_string());
                            return Ok(());
                        }
                        (memory, disk) => panic!("{memory:?} in memory, {disk:?} on disk"),
                    };
                    assert_like_memory(&disk, &memory);
                    let out = folder.path("features.parquet");
                    assert_same_features(&set, &disk, &memory, &cutoffs, &out);
                    assert_same_features(&set, &disk, &memory, &cutoffs[2..4], &out);
                    drop(disk);
                    assert_nothing_left(&folder);
                    Ok(())
                })
                .unwrap();
        }
    }
}

#[test]
fn a_log_is_cut_into_many_groups() {
    let folder = TempDir::new();
    let rows: Vec<Order> = (0..150).map(|row| (row * 7 % 41, row as i32 % 100, 0, 0, 1, 1)).collect();
    let disk = on_disk(&all_columns(), &folder, &files(&folder, &frame(&rows, integer, &DataType::Int64)));
    assert!(disk.unwrap().groups() > 20);
}

#[test]
fn ids_of_several_types_are_held_as_in_memory() {
    let folder = TempDir::new();
    let rows: Vec<Order> = (0..40).map(|row| (row % 9 - 4, row as i32, 0, 0, 1, 1)).collect();
    let pairs = [
        (DataType::Int32, DataType::Int64),
        (DataType::Int16, DataType::Int16),
        (DataType::Int64, DataType::Int128),
        (DataType::Int64, DataType::String),
    ];
    for (first, second) in pairs {
        let paths = ["first.parquet", "second.parquet"].map(|name| folder.path(name));
        for (path, kind) in paths.iter().zip([first, second]) {
            let mut frame = frame(&rows, AnyValue::Int64, &DataType::Int64);
            let ids = frame.column("customer_id").unwrap().cast(&kind).unwrap();
            write(frame.with_column(ids).unwrap(), path);
        }
        let memory = all_columns().read_parquet(&paths).unwrap();
        let disk = on_disk(&all_columns(), &folder, &paths).unwrap();
        assert_like_memory(&disk, &memory);
        let set = FeatureSet::standard(10, &["store"]);
        assert_same_features(&set, &disk, &memory, &[day("2024-02-05")], &folder.path("out.parquet"));
    }
    // Whether unsigned integers fit 64 bits is known only from their values.
    for largest in [8_u64, u64::MAX] {
        let ids: Vec<u64> = (0..5_000).map(|row| if row == 4_999 { largest } else { row % 7 }).collect();
        let frame = df!["customer_id" => ids, "ordered_on" => vec!["2024-01-01"; 5_000]].unwrap();
        let path = folder.path("unsigned.parquet");
        write(&frame, &path);
        let params = History::params(Columns::new("customer_id", "ordered_on"));
        let disk = DiskHistory::params(params.clone(), scratch(&folder)).with_memory_bytes(20_000);
        assert_like_memory(&disk.read_parquet([&path]).unwrap(), &params.read_parquet([&path]).unwrap());
    }
}

#[test]
fn faults_are_those_of_the_log_in_memory() {
    let folder = TempDir::new();
    // Longer than what is read at a time, so that rows must be numbered from the first of the file.
    let rows = 150_000;
    let dates = (0..rows).map(|row| match row % 40_000 {
        39_999 => "never".to_owned(),
        row => day("2024-01-01").plus_days(row % 300).to_string(),
    });
    let amounts = (0..rows).map(|row| (row % 70_001 != 70_000).then_some(f64::from(row % 100 - 5)));
    let frame = df![
        "customer_id" => (0..rows).map(|row| row * 7_919 % 10_007).collect::<Vec<_>>(),
        "ordered_on" => dates.collect::<Vec<_>>(),
        "amount" => amounts.collect::<Vec<_>>(),
    ]
    .unwrap();
    let paths = ["first.parquet", "second.parquet"].map(|name| folder.path(name));
    for path in &paths {
        ParquetWriter::new(File::create(path).unwrap()).finish(&mut frame.clone()).unwrap();
    }
    let read = |params: &HistoryParams| {
        DiskHistory::params(params.clone(), scratch(&folder)).with_memory_bytes(1 << 20).read_parquet(&paths)
    };
    let memory = orders().read_parquet(&paths).unwrap_err();
    let disk = read(&orders()).unwrap_err();
    assert!(matches!(disk, Error::InvalidRows { .. }));
    assert_eq!(disk.to_string(), memory.to_string());
    assert_nothing_left(&folder);

    let lenient = orders().with_invalid_rows(InvalidRows::Drop);
    let (disk, memory) = (read(&lenient).unwrap(), lenient.read_parquet(&paths).unwrap());
    assert!(disk.groups() > 10);
    assert_like_memory(&disk, &memory);
    let (set, out) = (FeatureSet::standard(30, &[]), folder.path("features.parquet"));
    assert_same_features(&set, &disk, &memory, &[day("2024-06-01"), day("2024-09-01")], &out);
}

/// A log that a model can be learned from.
fn training_rows() -> Vec<Order> {
    let mut rows = Vec::new();
    for customer in 0..400_i64 {
        let step = 3 + customer % 23;
        let leaves = 40 + customer * 7 % 200;
        let days = (customer % 11..leaves).step_by(step as usize);
        rows.extend(days.map(|day| {
            let kind = ((customer + day) % 6) as u8;
            (customer - 200, day as i32, kind, (day % 3) as u8, (customer % 4) as u8, (day % 3) as u8)
        }));
    }
    rows
}

#[test]
fn scores_and_fits_are_those_of_the_log_in_memory() {
    let folder = TempDir::new();
    for (id, kind) in [(integer as fn(i64) -> AnyValue<'static>, DataType::Int64), (text, DataType::String)] {
        let files = files(&folder, &frame(&training_rows(), id, &kind));
        let params = all_columns();
        let memory = params.read_parquet(&files).unwrap();
        let disk = DiskHistory::params(params.clone(), scratch(&folder)).with_memory_bytes(30_000);
        let disk = disk.read_parquet(&files).unwrap();
        assert!(disk.groups() > 10);
        let snapshots = Snapshots::params(FeatureSet::standard(30, &["store"]))
            .with_horizon_days(30)
            .with_cutoffs(Cutoffs::rolling().at_most(4));
        let of_memory = snapshots.build(&memory).unwrap();
        let of_disk = snapshots.build_sample(&disk, usize::MAX).unwrap();
        assert_equal(&of_disk.to_frame().unwrap(), &of_memory.to_frame().unwrap());
        let model = ChurnModel::params().fit(&of_memory).unwrap();
        assert_eq!(model, ChurnModel::params().fit(&of_disk).unwrap());

        // The sample is that of the fit, also where it shrinks again and again on the way.
        for most in 190..230 {
            let fit = ChurnModel::params().with_l2(30.0).with_max_rows(most).fit(&of_memory).unwrap();
            let sample = snapshots.build_sample(&disk, most).unwrap();
            assert_eq!(sample.rows(), fit.fit_summary().rows);
        }
        let few = ChurnModel::params().with_max_rows(500).fit(&of_memory).unwrap();
        let sample = snapshots.build_sample(&disk, 500).unwrap();
        assert_eq!(sample.rows(), few.fit_summary().rows);
        assert!(sample.rows() > 450);
        let from_sample = ChurnModel::params().fit(&sample).unwrap();
        assert_eq!(from_sample.fit_summary().rows, sample.rows());
        let coefficients = |model: &ChurnModel| model.coefficients().unwrap();
        assert_equal(&coefficients(&from_sample), &coefficients(&few));

        let out = folder.path("scores.parquet");
        let as_of = day("2024-05-01");
        let scores = model.score(&memory, as_of).unwrap();
        let written = model.write_scores(&disk, as_of, &out).unwrap();
        assert_equal(&read(&out), &scores.to_frame().unwrap());
        assert_eq!(written.to_string(), scores.to_string());
        let scores = model.score_with_intervals(&memory, as_of).unwrap();
        model.write_scores_with_intervals(&disk, as_of, &out).unwrap();
        assert_equal(&read(&out), &scores.to_frame().unwrap());
    }
    assert_nothing_left(&folder);
}

#[test]
fn errors_leave_nothing_behind() {
    let folder = TempDir::new();
    let rows: Vec<Order> = (0..80).map(|row| (row % 9, row as i32, 0, 0, 1, 1)).collect();
    let good = frame(&rows, integer, &DataType::Int64);
    let files = files(&folder, &good);
    let params = all_columns();

    let nowhere =
        DiskHistory::params(params.clone(), folder.path("nowhere")).read_parquet(&files).unwrap_err();
    assert!(matches!(nowhere, Error::Unwritable { .. }), "{nowhere}");

    let missing = on_disk(&params, &folder, &[files[0].clone(), folder.path("none.parquet")]).unwrap_err();
    assert!(matches!(missing, Error::NoSuchFile { .. }), "{missing}");

    let mut bad = good.clone();
    bad.with_column(Column::new("ordered_on".into(), vec!["soon"; bad.height()])).unwrap();
    write(&bad, &folder.path("bad.parquet"));
    let faulty = on_disk(&params, &folder, &[files[0].clone(), folder.path("bad.parquet")]).unwrap_err();
    assert!(matches!(faulty, Error::InvalidRows { .. }), "{faulty}");
    assert_nothing_left(&folder);

    let none = on_disk(&params, &folder, &[folder.write("no.parquet", "no Parquet at all")]).unwrap_err();
    assert!(matches!(none, Error::Unreadable { .. }), "{none}");
    let mut broken = fs::read(&files[0]).unwrap();
    let middle = 4..broken.len() / 3;
    broken[middle].fill(0xee);
    let broken =
        on_disk(&params, &folder, &[files[1].clone(), folder.write("x.parquet", broken)]).unwrap_err();
    assert!(matches!(broken, Error::Unreadable { .. }), "{broken}");
    assert_nothing_left(&folder);

    let wide = DiskHistory::params(params.clone(), scratch(&folder)).with_memory_bytes(0);
    let many: Vec<Order> = (0..400).map(|row| (row, 1, 0, 0, 1, 1)).collect();
    write(&frame(&many, integer, &DataType::Int64), &folder.path("many.parquet"));
    let little = wide.read_parquet([folder.path("many.parquet")]).unwrap_err();
    assert!(matches!(little, Error::Parameter { .. }), "{little}");
    assert_nothing_left(&folder);
}

#[test]
fn files_that_vanish_or_break_are_an_error() {
    let folder = TempDir::new();
    let rows: Vec<Order> = (0..80).map(|row| (row % 9, row as i32, 0, 0, 1, 1)).collect();
    let files = files(&folder, &frame(&rows, integer, &DataType::Int64));
    let disk = on_disk(&all_columns(), &folder, &files).unwrap();
    let own = fs::read_dir(scratch(&folder)).unwrap().next().unwrap().unwrap().path();
    let (set, out) = (FeatureSet::standard(10, &[]), folder.path("out.parquet"));
    let groups = || fs::read_dir(&own).unwrap().map(|entry| entry.unwrap().path());
    let last = groups().max().unwrap();
    let whole = fs::read(&last).unwrap();
    let write = || set.write_features_at(&disk, day("2024-02-01"), &out);
    write().unwrap();
    let before = fs::read(&out).unwrap();
    for broken in [&whole[..whole.len() / 2], b"PAR1", b""] {
        fs::write(&last, broken).unwrap();
        let error = write().unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error}");
        assert_eq!(fs::read(&out).unwrap(), before, "an older file stays as it is");
    }
    fs::remove_file(&last).unwrap();
    assert!(matches!(write().unwrap_err(), Error::Unreadable { .. }));
    fs::remove_dir_all(&own).unwrap();
    assert!(matches!(write().unwrap_err(), Error::Unreadable { .. }));
    let misnamed = set.write_features_at(&disk, day("2024-02-01"), folder.path("out.csv")).unwrap_err();
    assert!(matches!(misnamed, Error::Parameter { .. }), "{misnamed}");
    drop(disk);
    assert_nothing_left(&folder);
    // The output's temporary neighbour is gone, too.
    let left: Vec<_> =
        fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}
