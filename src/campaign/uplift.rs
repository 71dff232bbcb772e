//! Would a score have chosen well whom to contact? Qini and uplift curves of a randomised experiment.

use serde::Serialize;

use crate::metrics::{BootstrapEnds, Interval, clustered_bootstrap};

const REPLICATES: usize = 200;
const SEED: u64 = 1;

/// What choosing by the score is worth, on returns of one arm against the control.
///
/// # Formula
/// ```text
/// at the share φ of all customers, from the highest score, ties together:
/// uplift curve u(φ) = φ (R_t/N_t − R_c/N_c),   Qini curve q(φ) = (R_t − R_c N_t/N_c) / all treated
/// AUUC = ∫ u dφ,   Qini = ∫ q dφ − q(1)/2
/// ```
/// R are returns and N customers of an arm among those chosen. Both are per customer; Qini is 0 where the score
/// chooses as chance would.
///
/// # References
/// Radcliffe (2007), Using control groups to target on predicted lift, Direct Marketing Analytics Journal
/// 1:14–21; Gutierrez and Gérardy (2017), PMLR 67:1–13.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Uplift {
    /// The arm.
    pub arm: String,
    /// Area under the uplift curve.
    pub auuc: f64,
    /// Qini coefficient, with the interval of a bootstrap of customers (200 draws).
    pub qini: Option<Interval>,
}

/// Of these customers: score, whether treated, whether returned.
pub(super) fn uplift(arm: &str, score: &[f64], treated: &[bool], returned: &[bool]) -> Uplift {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[b].total_cmp(&score[a]).then(a.cmp(&b)));
    let customers: Vec<u32> = (0..score.len() as u32).collect();
    let areas = |weights: &[u32]| {
        let (auuc, qini) = areas(&order, score, treated, returned, weights);
        vec![auuc, qini]
    };
    let drawn = clustered_bootstrap(&customers, REPLICATES, SEED, areas);
    Uplift {
        arm: arm.to_owned(),
        auuc: drawn.estimates()[0],
        qini: drawn.interval(1, 0.95, BootstrapEnds::Percentile),
    }
}

/// AUUC and Qini under weights.
fn areas(order: &[usize], score: &[f64], treated: &[bool], returned: &[bool], weights: &[u32]) -> (f64, f64) {
    let all: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    let all_treated: f64 =
        weights.iter().zip(treated).filter(|(_, is)| **is).map(|(weight, _)| f64::from(*weight)).sum();
    let (mut nt, mut nc, mut rt, mut rc) = (0.0, 0.0, 0.0, 0.0);
    let (mut last, mut auuc, mut qini) = ((0.0, 0.0, 0.0), 0.0, 0.0);
    for (place, &row) in order.iter().enumerate() {
        let weight = f64::from(weights[row]);
        let back = if returned[row] { weight } else { 0.0 };
        if treated[row] {
            nt += weight;
            rt += back;
        } else {
            nc += weight;
            rc += back;
        }
        let ends = order.get(place + 1).is_none_or(|&next| score[next] != score[row]);
        if !ends {
            continue;
        }
        let share = (nt + nc) / all;
        let rate = |r: f64, n: f64| if n > 0.0 { r / n } else { 0.0 };
        let now = (share, share * (rate(rt, nt) - rate(rc, nc)), (rt - rate(rc, nc) * nt) / all_treated);
        auuc += (now.0 - last.0) * (now.1 + last.1) / 2.0;
        qini += (now.0 - last.0) * (now.2 + last.2) / 2.0;
        last = now;
    }
    (auuc, qini - last.2 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty customers in pairs; the upper half of the scores returns by treatment only, the lower never.
    #[test]
    fn areas_by_hand() {
        let score: Vec<f64> = (0..20).map(|row| f64::from(u8::from(row < 10))).collect();
        let treated: Vec<bool> = (0..20).map(|row| row % 2 == 0).collect();
        let returned: Vec<bool> = (0..20).map(|row| row < 10 && row % 2 == 0).collect();
        let order: Vec<usize> = (0..20).collect();
        let (auuc, qini) = areas(&order, &score, &treated, &returned, &[1; 20]);
        // u and q rise to ½ at ½ and stay: area ⅛ + ¼.
        assert!((auuc - 0.375).abs() < 1e-12 && (qini - 0.125).abs() < 1e-12, "{auuc} {qini}");
    }

    #[test]
    fn a_score_that_knows_nothing_is_worth_nothing() {
        let treated: Vec<bool> = (0..400).map(|row| row % 2 == 0).collect();
        let returned: Vec<bool> = (0..400).map(|row| row % 4 == 0).collect();
        let found = uplift("mail", &vec![1.0; 400], &treated, &returned);
        assert!(found.qini.unwrap().estimate.abs() < 1e-12);
    }
}
