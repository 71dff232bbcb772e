//! Peer loss rates in a world where the losses of peers raise the hazard, and in one where they do not.

use winback::{ChurnModel, Cutoffs, FeatureSet, History, Snapshots};

use crate::logs::{Order, SplitMix, history};

const HORIZON_DAYS: i32 = 60;
const DAYS: i32 = 900;
const STEP_DAYS: i32 = 30;
const CUSTOMERS_PER_STORE: usize = 60;
const NAMES: [&str; 30] = [
    "s00", "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12", "s13", "s14",
    "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29",
];
/// The share of a store's customers that leaves in a month, on average, with contagion and without.
const MEAN_HAZARD: f64 = 0.06;

struct Member {
    id: i64,
    every_days: f64,
    next: f64,
}

/// Customers who leave for good at a hazard that is part their own, part what their store lost in the two months
/// before; each is followed by a new one.
fn orders(contagion: f64, seed: u64) -> Vec<Order> {
    let mut random = SplitMix(seed);
    let (mut orders, mut ids) = (Vec::new(), 0_i64);
    for store in NAMES {
        let mut join = |random: &mut SplitMix, day: f64| {
            ids += 1;
            let every_days = 8.0 + 30.0 * random.uniform();
            Member { id: ids, every_days, next: day + f64::from(STEP_DAYS) * random.uniform() }
        };
        let mut members: Vec<Member> = (0..CUSTOMERS_PER_STORE).map(|_| join(&mut random, 0.0)).collect();
        let mut lost = [MEAN_HAZARD; 2];
        for start in (0..DAYS).step_by(STEP_DAYS as usize) {
            let hazard = (1.0 - contagion) * MEAN_HAZARD + contagion * (lost[0] + lost[1]) / 2.0;
            let end = f64::from(start + STEP_DAYS);
            let mut left = 0.0;
            for member in &mut members {
                let leaves = random.uniform() < hazard;
                let until = if leaves { end - f64::from(STEP_DAYS) * random.uniform() } else { end };
                while member.next < until.min(f64::from(DAYS)) {
                    let amount = 10.0 + 20.0 * random.uniform();
                    orders.push(Order {
                        customer: member.id,
                        day: member.next as i32,
                        amount,
                        discount: 0.0,
                        store,
                    });
                    member.next -= member.every_days * (1.0 - random.uniform()).ln();
                }
                if leaves {
                    left += 1.0;
                    *member = join(&mut random, end);
                }
            }
            lost = [left / CUSTOMERS_PER_STORE as f64, lost[0]];
        }
    }
    orders
}

/// Log-loss and AUC over the last three cutoffs of a model that learned before them; of customers who bought in the
/// horizon before.
fn tried(history: &History, columns: &[&str]) -> (f64, f64) {
    let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, columns))
        .with_horizon_days(HORIZON_DAYS)
        .with_cutoffs(Cutoffs::rolling().at_most(10))
        .build(history)
        .unwrap();
    let test_cutoff = snapshots.cutoffs()[snapshots.cutoffs().len() - 3];
    let (train, test) = snapshots.split_at(test_cutoff).unwrap();
    let model = ChurnModel::params().fit(&train).unwrap();
    let recent = model.evaluate(&test).unwrap().recent.unwrap();
    (recent.log_loss, recent.auc.unwrap())
}

/// What peers bring: log-loss saved, AUC gained; means over two logs.
fn gain(contagion: f64) -> (f64, f64) {
    let mut gains = (0.0, 0.0);
    for seed in 1..=2 {
        let history = history(&orders(contagion, seed));
        let (with, without) = (tried(&history, &["store"]), tried(&history, &[]));
        gains = (gains.0 + (without.0 - with.0) / 2.0, gains.1 + (with.1 - without.1) / 2.0);
    }
    gains
}

#[test]
fn peers_pay_where_losses_spread() {
    let (log_loss, auc) = gain(0.9);
    assert!(log_loss > 0.005 && auc > 0.005, "log-loss {log_loss}, AUC {auc}");
}

#[test]
fn peers_do_no_harm_where_they_do_not() {
    let (log_loss, auc) = gain(0.0);
    assert!(log_loss > -0.001 && auc > -0.001, "log-loss {log_loss}, AUC {auc}");
}
