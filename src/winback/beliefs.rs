//! What do we believe of each offer's effect, and how sure are we, of all of them together?

use super::draws::Draws;
use super::effects::{ShrunkEffect, ShrunkEffects, StratumEffect};
use super::offer::{EffectEvidence, Offer};

/// The middle of what the spread between offers may be, in root mean standard errors. Less than between strata: the best
/// offer is chosen, and of five equal ones it overstates itself by 0.26 standard errors, with 4 by 0.37.
const OFFER_SPREAD: f64 = 1.0;

/// An offer's effect in one kind of customer.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) offer: usize,
    /// What a customer must be; empty for everybody.
    pub(super) parts: Vec<String>,
    /// Posterior mean.
    pub(super) mean: f64,
    spread: Spread,
}

/// How an effect moves when everything is drawn anew.
#[derive(Clone, Copy, Debug)]
enum Spread {
    /// Anywhere in a range, alike for all customers of the offer.
    Range { low: f64, high: f64 },
    /// With what all offers share, with what the offer's strata share, and by itself: standard deviations.
    Shared { all: f64, offer: f64, own: f64 },
}

/// Effects of all offers: those measured are shrunk, strata to their offer and offers to each other, so that the
/// best of several is not believed merely for having been lucky. Offers are shrunk downwards only. They are no draws
/// from one urn: the cheap one among dear ones is likely to do less than these, and their mean would speak for it where
/// it has not done so itself; as its cost is low, it would be chosen for that.
///
/// # Formula
/// ```text
/// strata of an offer      θ_s = B_s estimate_s + (1 − B_s) m         by ShrunkEffects, m ± e the offer's mean
/// offers, each as m ± e   M = min(m, B m + (1 − B) grand mean)       by ShrunkEffects
/// effect                  θ_s + (1 − B_s)(M − m)
/// ```
#[derive(Clone, Debug)]
pub(super) struct Beliefs {
    pub(super) cells: Vec<Cell>,
    offers: usize,
}

/// What one offer's measurements say by themselves.
struct OfferMean {
    mean: f64,
    error: f64,
    /// Own share, deviation beside the mean's, and strata.
    strata: Vec<(Vec<String>, ShrunkEffect)>,
    between: f64,
}

impl Beliefs {
    pub(super) fn of(offers: &[Offer]) -> Self {
        let means: Vec<Option<OfferMean>> = offers.iter().map(measured).collect();
        let known: Vec<StratumEffect> = means
            .iter()
            .flatten()
            .map(|own| StratumEffect {
                stratum: String::new(),
                estimate: own.mean,
                standard_error: own.error,
            })
            .collect();
        let shrunk = ShrunkEffects::of_spread(&known, OFFER_SPREAD);
        let mut cells = Vec::new();
        let mut place = 0;
        for (offer, evidence) in offers.iter().enumerate() {
            let own = match (&means[offer], &shrunk) {
                (Some(own), Some(shrunk)) => (own, shrunk),
                _ => {
                    let (low, high) = match evidence.effect {
                        EffectEvidence::Assumed { low, high } => (low, high),
                        EffectEvidence::Measured(_) => (0.0, 0.0),
                    };
                    let spread = Spread::Range { low, high };
                    cells.push(Cell { offer, parts: Vec::new(), mean: 0.5 * (low + high), spread });
                    continue;
                }
            };
            let (own, shrunk) = own;
            let to = &shrunk.effects[place];
            place += 1;
            // A product of averages, where the average of products is meant: never more than the whole doubt.
            let shared = ((1.0 - to.own_share) * shrunk.mean_standard_error).min(to.sd);
            let beside = (to.sd * to.sd - shared * shared).max(0.0).sqrt();
            // What others do is no reason to believe more of this one than it has shown.
            let (mean, shared, beside) = match own.mean < to.mean {
                true => (own.mean, 0.0, own.error),
                false => (to.mean, shared, beside),
            };
            for (parts, stratum) in &own.strata {
                let pull = 1.0 - stratum.own_share;
                // What is left of the stratum's own doubt once that about its offer's mean is taken off.
                let rest = (stratum.sd.powi(2) - (pull * own.error).powi(2)).max(0.0).sqrt();
                let from_offer = pull * shared.hypot(beside);
                let pull_of_doubt =
                    if from_offer > stratum.sd { pull * stratum.sd / from_offer } else { pull };
                let spread =
                    Spread::Shared { all: pull_of_doubt * shared, offer: pull_of_doubt * beside, own: rest };
                let mean = stratum.mean + pull * (mean - own.mean);
                cells.push(Cell { offer, parts: parts.clone(), mean, spread });
            }
            // Everybody else, or everybody.
            let spread = Spread::Shared { all: shared, offer: beside, own: own.between };
            cells.push(Cell { offer, parts: Vec::new(), mean, spread });
        }
        Beliefs { cells, offers: offers.len() }
    }

    /// The cell of an offer that says most of a customer who is all of these.
    pub(super) fn cell(&self, offer: usize, is: &[&str]) -> usize {
        let fits =
            |cell: &Cell| cell.offer == offer && cell.parts.iter().all(|part| is.contains(&part.as_str()));
        let mut best = None;
        for (at, cell) in self.cells.iter().enumerate().filter(|(_, cell)| fits(cell)) {
            let most: Option<usize> = best.map(|best: usize| self.cells[best].parts.len());
            if most.is_none_or(|most| cell.parts.len() > most) {
                best = Some(at);
            }
        }
        best.unwrap_or(0)
    }

    /// All effects, drawn together.
    pub(super) fn draw(&self, draws: &mut Draws) -> Vec<f64> {
        let all = draws.normal();
        let by_offer: Vec<(f64, f64)> = (0..self.offers).map(|_| (draws.normal(), draws.uniform())).collect();
        self.cells
            .iter()
            .map(|cell| {
                let (normal, uniform) = by_offer[cell.offer];
                match cell.spread {
                    Spread::Range { low, high } => low + uniform * (high - low),
                    Spread::Shared { all: on_all, offer, own } => {
                        let effect = cell.mean + on_all * all + offer * normal + own * draws.normal();
                        effect.clamp(-1.0, 1.0)
                    }
                }
            })
            .collect()
    }
}

/// What an offer's own measurements say; `None` where there are none.
fn measured(offer: &Offer) -> Option<OfferMean> {
    let EffectEvidence::Measured(effects) = &offer.effect else { return None };
    let raw: Vec<StratumEffect> = effects.iter().map(StratumEffect::from).collect();
    if let [one] = raw.as_slice()
        && effects[0].stratum.is_none()
    {
        let (mean, error) = (one.estimate, one.standard_error);
        return Some(OfferMean { mean, error, strata: Vec::new(), between: 0.0 });
    }
    let shrunk = ShrunkEffects::of(&raw)?;
    let parts = |stratum: &str| stratum.split(", ").map(|part| part.trim().to_owned()).collect();
    let strata = shrunk.effects.iter().map(|one| (parts(&one.stratum), one.clone())).collect();
    Some(OfferMean {
        mean: shrunk.mean,
        error: shrunk.mean_standard_error,
        strata,
        between: shrunk.between_sd,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::winback::Offers;

    /// Offers measured in strata: estimate and standard error.
    fn offers(effects: &[Vec<(&str, f64, f64)>]) -> Vec<Offer> {
        let one = |(stratum, estimate, error): &(&str, f64, f64)| {
            let (low, high) = (estimate - 1.959964 * error, estimate + 1.959964 * error);
            let stratum =
                if stratum.is_empty() { String::new() } else { format!(r#", "stratum": "{stratum}""#) };
            format!(r#"{{"estimate": {estimate}, "low": {low}, "high": {high}{stratum}}}"#)
        };
        let offer = |(at, list): (usize, &Vec<(&str, f64, f64)>)| {
            let all: Vec<String> = list.iter().map(one).collect();
            format!(
                r#"{{"name": "o{at}", "channel": "email", "effect": {{"measured": [{}]}}}}"#,
                all.join(",")
            )
        };
        let all: Vec<String> = effects.iter().enumerate().map(offer).collect();
        Offers::from_json(&format!("[{}]", all.join(","))).unwrap().offers().to_vec()
    }

    /// Five offers, measured with one standard error each, whose true effects have this spread: by how many
    /// standard errors the best overstates itself, as measured and as believed, and how often the interval of
    /// its draws covers the truth.
    fn overstated(spread: f64, runs: u64) -> (f64, f64, f64) {
        const ERROR: f64 = 0.01;
        let mut draws = Draws::new(5, 0);
        let (mut raw, mut believed, mut covered) = (0.0, 0.0, 0);
        for run in 0..runs {
            let truth: Vec<f64> = (0..5).map(|_| 0.03 + spread * ERROR * draws.normal()).collect();
            let found: Vec<f64> = truth.iter().map(|truth| truth + ERROR * draws.normal()).collect();
            let best = |of: &dyn Fn(usize) -> f64| (0..5).max_by(|&a, &b| of(a).total_cmp(&of(b))).unwrap();
            let at = best(&|offer| found[offer]);
            raw += (found[at] - truth[at]) / ERROR;
            let beliefs =
                Beliefs::of(&offers(&found.iter().map(|&one| vec![("", one, ERROR)]).collect::<Vec<_>>()));
            let mean = |offer: usize| beliefs.cells[beliefs.cell(offer, &[])].mean;
            let at = best(&mean);
            believed += (mean(at) - truth[at]) / ERROR;
            let mut again = Draws::new(9, run);
            let cell = beliefs.cell(at, &[]);
            let mut drawn: Vec<f64> = (0..400).map(|_| beliefs.draw(&mut again)[cell]).collect();
            drawn.sort_by(f64::total_cmp);
            covered += u64::from(drawn[10] <= truth[at] && truth[at] <= drawn[389]);
        }
        (raw / runs as f64, believed / runs as f64, covered as f64 / runs as f64)
    }

    #[test]
    fn the_best_of_five_does_not_overstate_itself() {
        let (raw, believed, covered) = overstated(0.0, 400);
        println!("equal: {raw:.3} as measured, {believed:.3} as believed, {covered:.3} covered");
        // The mean of the largest of five standard normal numbers.
        assert!((raw - 1.163).abs() < 0.1, "{raw}");
        assert!(believed < 0.35 && covered > 0.93, "{believed} {covered}");
        let (raw, believed, covered) = overstated(1.0, 400);
        println!("spread of one error: {raw:.3}, {believed:.3}, {covered:.3}");
        assert!(raw > 0.6 && believed < 0.1 && covered > 0.85, "{raw} {believed} {covered}");
    }

    #[test]
    fn the_most_telling_stratum_is_taken() {
        let all =
            offers(&[vec![("lapsed", 0.02, 0.01), ("lapsed, Price", 0.06, 0.01), ("at risk", -0.02, 0.01)]]);
        let beliefs = Beliefs::of(&all);
        let of = |is: &[&str]| beliefs.cells[beliefs.cell(0, is)].parts.join("+");
        assert_eq!(of(&["lapsed", "Price"]), "lapsed+Price");
        assert_eq!(of(&["lapsed", "Other"]), "lapsed");
        assert_eq!(of(&["elsewhere"]), "");
        let means: Vec<f64> = beliefs.cells.iter().map(|cell| cell.mean).collect();
        assert!(means[2] < means[0] && means[0] < means[1], "{means:?}");
    }
}
