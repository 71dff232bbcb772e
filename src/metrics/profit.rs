//! How many customers are worth contacting?

use serde::Serialize;

use super::ranking::cumulative;

/// Steps of a profit curve between nobody and everyone.
const STEPS: usize = 100;

/// What a campaign costs, and what it is taken to achieve. Both are the caller's to state: no log of
/// purchases tells them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CampaignTerms {
    /// Cost of contacting one customer, in the currency of the values.
    pub contact_cost_amount: f64,
    /// Share of those who would churn that a contact keeps, 0 to 1.
    pub save_fraction: f64,
}

/// Customers of one test, one entry per customer in each slice.
#[derive(Clone, Copy, Debug)]
pub struct ProfitRows<'a> {
    /// Whom to contact first: the highest.
    pub scores: &'a [f64],
    /// The chance that each churns.
    pub probabilities: &'a [f64],
    /// Who did churn.
    pub labels: &'a [bool],
    /// What each is worth if kept, an amount.
    pub values: &'a [f64],
}

/// The profit of contacting the customers of the highest scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ProfitRow {
    /// Share of all customers asked for, 0 to 1.
    pub fraction: f64,
    /// Customers contacted: that share, rounded up.
    pub rows: usize,
    /// What the probabilities promise, an amount.
    pub expected_amount: f64,
    /// What it would have been for those who did churn, an amount.
    pub realised_amount: f64,
}

/// Expected and realised profit of contacting nobody, the top hundredth, the top two … everyone. Ties
/// at the edge count by their share. Empty for no customers, or other lengths.
///
/// # Formula
/// ```text
/// expected(k) = Σ (p v s − c)      realised(k) = Σ (y v s − c)    over the k highest scores
/// ```
/// where p is the probability, y is 1 for churned, v the value, s the save fraction and c the cost of a
/// contact. The formula is winback's own, and simpler than those it is indebted to: the save fraction
/// is one number, and a contact neither costs nor saves more with those who would have stayed.
/// "Realised" is what the log would have given under these terms, not what a campaign did: only a
/// holdout tells that.
///
/// # References
/// Verbeke, Dejaeger, Martens, Hur and Baesens (2012), European Journal of Operational Research
/// 218:211–229 (the maximum profit criterion).
///
/// ```
/// use winback::metrics::{CampaignTerms, ProfitRows, best_fraction, profit_curve};
/// let p = [0.9, 0.6, 0.3, 0.1];
/// let labels = [true, true, false, false];
/// let customers = ProfitRows { scores: &p, probabilities: &p, labels: &labels, values: &[50.0; 4] };
/// let curve = profit_curve(&customers, &CampaignTerms { contact_cost_amount: 2.0, save_fraction: 0.1 });
/// assert_eq!((curve[0].rows, curve[50].rows, curve[100].rows), (0, 2, 4));
/// assert_eq!(curve[50].realised_amount, 2.0 * 50.0 * 0.1 - 2.0 * 2.0);
/// assert_eq!(best_fraction(&curve), Some(0.26)); // two of four: more than one of four
/// ```
#[must_use]
pub fn profit_curve(customers: &ProfitRows<'_>, terms: &CampaignTerms) -> Vec<ProfitRow> {
    let Some(sums) = ProfitSums::of(customers, terms) else { return Vec::new() };
    (0..=STEPS).map(|step| sums.at(step as f64 / STEPS as f64)).collect()
}

/// The smallest share of a curve whose realised profit is highest; 0 where no campaign pays, `None` for
/// an empty curve.
///
/// A maximum flatters itself: choose on the customers of an earlier cutoff, whose outcome was known by
/// then, and ask [`profit_at_fraction`] for the profit of that share among the customers to be scored.
#[must_use]
pub fn best_fraction(curve: &[ProfitRow]) -> Option<f64> {
    let mut rows = curve.iter();
    let first = rows.next()?;
    let best =
        rows.fold(first, |best, row| if row.realised_amount > best.realised_amount { row } else { best });
    Some(best.fraction)
}

/// The profit of contacting a share of the customers that was chosen elsewhere (see [`best_fraction`]).
/// `None` for no customers, other lengths, or a share outside 0 to 1.
#[must_use]
pub fn profit_at_fraction(
    customers: &ProfitRows<'_>,
    terms: &CampaignTerms,
    fraction: f64,
) -> Option<ProfitRow> {
    if !(0.0..=1.0).contains(&fraction) {
        return None;
    }
    Some(ProfitSums::of(customers, terms)?.at(fraction))
}

/// Profits of the first k, for all k.
struct ProfitSums {
    expected: Vec<f64>,
    realised: Vec<f64>,
}

impl ProfitSums {
    fn of(customers: &ProfitRows<'_>, terms: &CampaignTerms) -> Option<Self> {
        let ProfitRows { scores, probabilities, labels, values } = *customers;
        let n = scores.len();
        if n == 0 || [probabilities.len(), labels.len(), values.len()] != [n; 3] {
            return None;
        }
        let saved =
            |chance: f64, row: usize| chance * values[row] * terms.save_fraction - terms.contact_cost_amount;
        Some(Self {
            expected: cumulative(scores, |row| saved(probabilities[row], row)),
            realised: cumulative(scores, |row| saved(f64::from(u8::from(labels[row])), row)),
        })
    }

    fn at(&self, fraction: f64) -> ProfitRow {
        /// Far below one customer in any log, far above the rounding of a product.
        const SLACK: f64 = 1e-12;
        let most = self.expected.len() - 1;
        let rows = ((most as f64 * fraction * (1.0 - SLACK)).ceil() as usize).min(most);
        ProfitRow {
            fraction,
            rows,
            expected_amount: self.expected[rows],
            realised_amount: self.realised[rows],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: CampaignTerms = CampaignTerms { contact_cost_amount: 1.0, save_fraction: 0.5 };

    fn curve(p: &[f64], labels: &[bool], values: &[f64]) -> Vec<ProfitRow> {
        profit_curve(&ProfitRows { scores: p, probabilities: p, labels, values }, &TERMS)
    }

    #[test]
    fn nobody_worth_a_contact() {
        let rows = curve(&[0.9, 0.1], &[true, false], &[1.0, 1.0]);
        assert_eq!(best_fraction(&rows), Some(0.0));
        assert_eq!(rows[100].realised_amount, 0.5 - 2.0);
        assert!(curve(&[], &[], &[]).is_empty() && curve(&[0.5], &[true], &[]).is_empty());
        assert_eq!(best_fraction(&[]), None);
    }

    #[test]
    fn ties_count_by_their_share_whatever_their_order() {
        let one = curve(&[0.5; 4], &[true, false, false, false], &[8.0, 1.0, 1.0, 1.0]);
        let other = curve(&[0.5; 4], &[false, false, false, true], &[1.0, 1.0, 1.0, 8.0]);
        assert_eq!(one, other);
        assert_eq!(one[25].realised_amount, 4.0 / 4.0 - 1.0);
    }

    #[test]
    fn the_share_chosen_is_the_share_scored() {
        for n in [1, 7, 99, 100, 101, 12_345] {
            let p: Vec<f64> = (0..n).map(|i| f64::from(i) / f64::from(n)).collect();
            let labels: Vec<bool> = (0..n).map(|i| i % 3 == 0).collect();
            let values = vec![10.0; p.len()];
            let customers = ProfitRows { scores: &p, probabilities: &p, labels: &labels, values: &values };
            for (step, row) in profit_curve(&customers, &TERMS).into_iter().enumerate() {
                assert_eq!(row.rows, (p.len() * step).div_ceil(100));
                assert_eq!(profit_at_fraction(&customers, &TERMS, row.fraction), Some(row));
            }
            assert!(profit_at_fraction(&customers, &TERMS, 1.1).is_none());
            assert!(profit_at_fraction(&customers, &TERMS, f64::NAN).is_none());
        }
    }
}
