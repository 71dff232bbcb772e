//! What does a customer bring with a purchase?

use rayon::prelude::*;

use crate::btyd::{MbgNbd, Summary};
use crate::day::Day;
use crate::history::{History, Run};

/// Everyone's mean amount counts as so many purchases of a customer's own.
const MEAN_PURCHASES: f64 = 2.0;
/// Customers at a time; a constant, so that threads cannot show.
const CUSTOMERS_PER_BLOCK: usize = 1 << 10;

/// The amount of a customer's purchase, drawn to everyone's mean.
///
/// # Formula
/// ```text
/// (K + 2 M) / (n + 2)     K what the customer kept: amounts less all that was sent back; n their purchases,
///                         M = Σ K / Σ n over everyone
/// 0                       where K is not above 0: who only had free orders, or sent everything back
/// ```
/// All own purchases count, the first too: Gamma-Gamma looks at repeat purchases alone, and would call all new
/// customers worth the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnAmounts {
    /// Of everyone's purchases; `None` without amounts.
    mean: Option<f64>,
}

impl OwnAmounts {
    /// By what these customers had bought and sent back by the end of a day.
    pub(crate) fn new(history: &History, ranks: &[u32], as_of: Day) -> Self {
        if !history.reading().columns().has_amount() {
            return OwnAmounts { mean: None };
        }
        let blocks: Vec<(f64, usize)> = ranks
            .par_chunks(CUSTOMERS_PER_BLOCK)
            .map(|ranks| {
                ranks.iter().fold((0.0, 0), |(sum, count), &rank| {
                    let run = history.run(rank as usize).until(as_of);
                    (sum + kept(&run), count + run.days.len())
                })
            })
            .collect();
        let (sum, count) = blocks.iter().fold((0.0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        OwnAmounts { mean: Some(sum / count.max(1) as f64) }
    }

    /// Whether amounts were read.
    pub(crate) fn are_known(self) -> bool {
        self.mean.is_some()
    }

    /// By what is known of the customer; NaN without amounts.
    pub(crate) fn of(self, run: &Run) -> f64 {
        let Some(mean) = self.mean else { return f64::NAN };
        match kept(run) {
            kept if kept > 0.0 => (kept + MEAN_PURCHASES * mean) / (run.days.len() as f64 + MEAN_PURCHASES),
            _ => 0.0,
        }
    }
}

/// What was bought and not sent back.
fn kept(run: &Run) -> f64 {
    let bought: f64 = run.net.iter().map(|net| net.max(0.0)).sum();
    (bought - run.refund_amounts.iter().sum::<f64>()).max(0.0)
}

/// Purchases to expect in the `horizon` of a customer who comes back in it: E[N] / P(N > 0), at least 1.
pub(crate) fn purchases_if_back(rhythm: &MbgNbd, summary: Summary, horizon_days: i32) -> f64 {
    let horizon = f64::from(horizon_days);
    let comes_back = 1.0 - rhythm.p_no_purchase(summary, horizon);
    // Of who has long gone both are 0; their ratio nears 1.
    let purchases = rhythm.expected_purchases(summary, horizon) / comes_back;
    if purchases.is_finite() { purchases.clamp(1.0, horizon.max(1.0)) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use polars::df;

    use super::*;
    use crate::history::Columns;

    #[test]
    fn free_orders_and_full_returns_bring_nothing() {
        let frame = df![
            "customer_id" => ["free", "back", "half", "half", "plain", "back", "half"],
            "day" => ["2024-01-01", "2024-01-01", "2024-01-01", "2024-01-09", "2024-01-01", "2024-02-01", "2024-02-01"],
            "amount" => [0.0, 80.0, 60.0, 40.0, 50.0, -80.0, -50.0],
        ]
        .unwrap();
        let history = History::params(Columns::new("customer_id", "day").with_amount("amount"))
            .from_frame(&frame)
            .unwrap();
        let of = |as_of: Day| -> Vec<f64> {
            let ranks: Vec<u32> = (0..history.customers() as u32).collect();
            let amounts = OwnAmounts::new(&history, &ranks, as_of);
            ranks.iter().map(|&rank| amounts.of(&history.run(rank as usize).until(as_of))).collect()
        };
        // By id: back, free, half, plain. M = (50 + 50)/5.
        assert_eq!(of(history.observed_until()), [0.0, 0.0, (50.0 + 40.0) / 4.0, (50.0 + 40.0) / 3.0]);
        // Before anything was sent back: M = (80 + 100 + 50)/5.
        assert_eq!(of("2024-01-31".parse().unwrap())[0], (80.0 + 2.0 * 46.0) / 3.0);
    }
}
