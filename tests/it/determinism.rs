//! The same input gives the same bytes: in any order of rows, on any number of threads.

use winback::{ChurnModel, Snapshots};

use crate::logs::{Order, SplitMix, bytes, frame, params, rhythmic, standard};

/// Everything from orders to scores, as bytes.
fn whole_way(orders: &[Order]) -> Vec<u8> {
    let history = params().from_frame(&frame(orders)).unwrap();
    let snapshots = Snapshots::params(standard(60)).with_horizon_days(60).build(&history).unwrap();
    let model = ChurnModel::params().fit(&snapshots).unwrap();
    let scores = model.score(&history, history.observed_until()).unwrap();
    let mut all = bytes(&snapshots.to_frame().unwrap());
    all.extend(model.to_json().unwrap().bytes());
    all.extend(bytes(&scores.to_frame().unwrap()));
    all
}

#[test]
fn shuffled_rows_give_the_same_bytes() {
    let mut orders = rhythmic(300, 500, 5);
    let sorted = whole_way(&orders);
    let mut random = SplitMix(9);
    for last in (1..orders.len()).rev() {
        orders.swap(last, random.next() as usize % (last + 1));
    }
    assert!(sorted == whole_way(&orders));
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    // Enough rows for several blocks of every kind.
    let orders = rhythmic(3_000, 500, 6);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| whole_way(&orders))
    };
    let one = on(1);
    assert!(one == on(2));
    assert!(one == on(16));
}
