//! Is this the same log? A number that stands for every purchase and refund.

use rayon::prelude::*;

use super::History;
use super::rows::mix;

/// A fingerprint in the making: customers are added in order of id.
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    pub(super) fn new(segment_values: &[Vec<String>]) -> Self {
        // Lengths keep the values `1` and `12` apart from `11` and `2`.
        let words = |value: &String| {
            std::iter::once(value.len() as u64).chain(value.bytes().map(u64::from)).collect::<Vec<_>>()
        };
        let mut values = segment_values
            .iter()
            .flat_map(|values| std::iter::once(values.len() as u64).chain(values.iter().flat_map(words)));
        Fingerprint(hash(0, &mut values))
    }

    /// With more customers of the same log.
    pub(super) fn with(self, history: &History) -> Self {
        let customers = (0..history.customers()).into_par_iter().map(|rank| {
            let run = history.run(rank);
            let id = history.ids.text(rank).bytes().fold(0, |h, byte| mix(h ^ u64::from(byte)));
            let days = run.days.iter().chain(run.refund_days).map(|&day| day as u64);
            let refunded = run.refunded.dense(run.net.len());
            let amounts = run.net.iter().copied().chain(refunded).chain(run.discount.iter().copied());
            let amounts = amounts.chain(run.refund_amounts.iter().copied());
            let segments =
                (0..run.segments.len()).flat_map(|column| run.segment(column)).map(|&code| u64::from(code));
            hash(id, &mut days.chain(amounts.map(|amount| amount.to_bits())).chain(segments))
        });
        let customers: Vec<u64> = customers.collect();
        Fingerprint(hash(self.0, &mut customers.into_iter()))
    }

    /// Sixteen hexadecimal digits.
    pub(super) fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}

fn hash(start: u64, words: &mut dyn Iterator<Item = u64>) -> u64 {
    words.fold(start, |h, word| mix(h ^ word))
}
