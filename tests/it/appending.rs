//! Later orders join a history: what comes out is the history of the joined log, whatever joins.

use polars::prelude::*;
use proptest::prelude::*;
use winback::history::{HistoryParams, InvalidRows, Refunds};
use winback::{Columns, History};

use crate::support::{assert_same, day, lines, orders, runner};

fn all_columns() -> HistoryParams {
    let columns = Columns::new("customer_id", "ordered_on")
        .with_amount("amount")
        .with_discount("discount")
        .with_segments(["store"]);
    History::params(columns)
}

fn frame(rows: &[(i64, i32, f64, f64, u8)]) -> DataFrame {
    df![
        "customer_id" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "ordered_on" => rows.iter().map(|row| format!("2024-01-{:02}", row.1)).collect::<Vec<_>>(),
        "amount" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "discount" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "store" => rows.iter().map(|row| (row.4 > 0).then(|| format!("store {}", row.4))).collect::<Vec<_>>(),
    ]
    .expect("columns of one length")
}

fn joined(first: &DataFrame, second: &DataFrame) -> DataFrame {
    first.vstack(second).expect("frames of one schema")
}

/// Equal in every purchase, in every notice, and in what a further append would give.
#[track_caller]
fn assert_joined(appended: &History, whole: &History) {
    assert_same(appended, whole);
    assert_eq!(appended.report(), whole.report());
    assert_eq!(appended.observed_from(), whole.observed_from());
    assert_eq!(appended.observed_until(), whole.observed_until());
    assert_eq!(appended.segment_values("store"), whole.segment_values("store"));
}

/// The first ids whose hash (SplitMix64's finaliser, top nine bits) chooses one of three partitions, so that
/// customers lie beside each other.
fn ids_of_few_partitions(many: usize) -> Vec<i64> {
    let hash = |id: i64| {
        let z = (id as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    (-9_000..).filter(|&id| hash(id) >> 55 < 3).take(many).collect()
}

#[test]
fn any_two_parts_of_a_log_join_to_the_whole() {
    const CUSTOMERS: usize = 40;
    let ids = ids_of_few_partitions(CUSTOMERS);
    let row = (0..CUSTOMERS, 1..28_i32, 0..9_u8, 0..3_u8, 0..4_u8);
    let row = row.prop_map(move |(customer, day, amount, discount, store)| {
        let amounts = [10.0, 10.0, 0.0, -0.0, -10.0, 17.4, -17.4, 192.4, -192.4];
        (ids[customer], day, amounts[usize::from(amount)], f64::from(discount), store)
    });
    let many = proptest::collection::vec(row.clone(), 1..200);
    let few = proptest::collection::vec(row, 1..20);
    let text = |frame: DataFrame| {
        let ids = frame.column("customer_id").unwrap().cast(&DataType::String).unwrap();
        frame.clone().with_column(ids).unwrap().clone()
    };
    for (params, is_text) in [
        (all_columns().with_refunds(Refunds::Net), false),
        (all_columns().with_refunds(Refunds::Drop), true),
        (History::params(Columns::new("customer_id", "ordered_on")), false),
        (orders(), true),
    ] {
        runner(60)
            .run(&(many.clone(), few.clone(), few.clone()), |parts| {
                let [first, second, third] = [parts.0, parts.1, parts.2].map(|rows| match is_text {
                    true => text(frame(&rows)),
                    false => frame(&rows),
                });
                let Ok(start) = params.from_frame(&first) else { return Ok(()) };
                let two = start.append(&second).expect("orders read alike");
                let whole = joined(&first, &second);
                assert_joined(&two, &params.from_frame(&whole).expect("the same orders"));
                let three = two.append(&third).expect("orders read alike");
                assert_joined(&three, &params.from_frame(&joined(&whole, &third)).expect("the same orders"));
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn ids_of_other_types_move_the_whole_history() {
    let integers = df!["customer_id" => [7_i64, 3], "ordered_on" => ["2024-01-01", "2024-01-02"], "amount" => [1.0, -2.0]];
    let wide = df!["customer_id" => [u64::MAX, 7], "ordered_on" => ["2024-01-03", "2024-01-01"], "amount" => [1.0, 5.0]];
    let text = df!["customer_id" => ["7", "x"], "ordered_on" => ["2024-01-03", "2024-01-01"], "amount" => [1.0, 5.0]];
    let history = orders().from_frame(&integers.unwrap()).unwrap();
    let widened = history.append(&wide.unwrap()).unwrap();
    assert_eq!(lines(&widened), ["7 2024-01-01 6 0", "18446744073709551615 2024-01-03 1 0"]);
    let spelled = widened.append(&text.unwrap()).unwrap();
    assert_eq!(
        lines(&spelled),
        ["18446744073709551615 2024-01-03 1 0", "7 2024-01-01 6 0", "7 2024-01-03 1 0", "x 2024-01-01 5 0"]
    );
    assert_eq!(spelled.customers(), 4);
}

#[test]
fn faults_of_later_orders_are_refused_or_counted() {
    let files = crate::support::TempDir::new();
    let good = files.write("good.csv", "customer_id,ordered_on,amount\n1,2024-01-01,1\n");
    let bad = files.write("bad.csv", "customer_id,ordered_on,amount\n2,2024-01-02,1\n2,never,2\n");
    let strict = orders().read_csv([&good]).unwrap();
    assert!(strict.append_csv([&bad]).unwrap_err().to_string().contains("never"));
    let lenient = orders().with_invalid_rows(InvalidRows::Drop);
    let appended = lenient.read_csv([&good]).unwrap().append_csv([&bad]).unwrap();
    assert_joined(&appended, &lenient.read_csv([&good, &bad]).unwrap());
    assert_eq!((appended.report().rows_read, appended.report().rows_dropped), (3, 1));
}

#[test]
fn nothing_new_changes_nothing() {
    let good = df!["customer_id" => [1], "ordered_on" => ["2024-01-01"], "amount" => [1.0]].unwrap();
    let history = orders().with_observed_until(day("2024-02-01")).from_frame(&good).unwrap();
    let later = df!["customer_id" => [1], "ordered_on" => ["2024-03-01"], "amount" => [1.0]].unwrap();
    assert_same(&history.append(&good.head(Some(0))).unwrap(), &history);
    // Orders after the declared end are set aside and counted.
    let appended = history.append(&later).unwrap();
    assert_same(&appended, &history);
    assert_eq!(appended.report().rows_read, 2);
}

#[test]
fn another_file_is_appended_as_it_is_read() {
    let files = crate::support::TempDir::new();
    let first = files.write("a.csv", "customer_id,ordered_on,amount\nb,2024-01-01,1\n");
    let second = files.write("b.csv", "customer_id,ordered_on,amount\na,2024-01-02,2\nb,2024-01-01,3\n");
    let appended = orders().read_csv([&first]).unwrap().append_csv([&second]).unwrap();
    assert_joined(&appended, &orders().read_csv([&first, &second]).unwrap());
}
