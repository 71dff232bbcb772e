//! Who follows? The customers at risk, what they are worth, and whom among the lost they resemble.

mod table;
mod words;

use std::sync::Arc;

use serde::Serialize;

use super::exposure::{Exposures, Found};
use super::lapse::{Lapses, Life, Lost};
use super::neighbours::{Boxes, Points};
use super::similar::{CausesTold, LikelyCause, LostPoints, StatedCauses};
use super::worth::Worth;
use crate::day::Day;
use crate::error::{Error, Result};
use crate::evidence::Cause;
use crate::features::{Feature, Idea};
use crate::history::{CustomerIds, History};
use crate::model::ChurnModel;
use crate::score::Driver;

/// How many of the most similar lost customers are named.
const SIMILAR: usize = 3;
const MOST_SIMILAR: usize = 20;

/// What is known when followers are looked for.
pub(crate) struct Known<'a> {
    /// Who has lapsed, and the rhythm behind it.
    pub(crate) lapses: &'a Lapses,
    pub(crate) findings: &'a [Found],
    /// Each customer's stated cause, by rank; empty where nothing was stated.
    pub(crate) stated: &'a [Option<Cause>],
}

/// How to look for who follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FollowersParams {
    pub(crate) similar: usize,
}

impl Default for FollowersParams {
    fn default() -> Self {
        FollowersParams { similar: SIMILAR }
    }
}

/// A lost customer whom another resembles.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Similar {
    /// Who.
    pub customer_id: String,
    /// How far apart the two lie: the root of the summed squares of what each column of the model adds to one's
    /// log-odds beyond the other's. 0 for customers who are the same to the model.
    pub distance: f64,
    /// The day on which the lost customer was compared: all still looked well.
    pub compared_on: Day,
    /// The day of the lapse.
    pub lapsed_on: Day,
    /// What the lost customer stated, where anything, and where such causes tell more than the shares of all.
    pub stated: Option<Cause>,
}

/// A customer at risk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Follower {
    /// Who.
    pub customer_id: String,
    /// Of no purchase in the horizon, 0 to 1.
    pub churn_probability: f64,
    /// Days since the last purchase.
    pub days_since_last: i32,
    /// What the customer would spend in the lapse rule's horizon, should they come back in it, an amount; null
    /// without amounts. Losses by money use the same.
    pub value_amount: f64,
    /// [`churn_probability`](Self::churn_probability) × [`value_amount`](Self::value_amount).
    pub at_stake_amount: f64,
    /// As much in purchases.
    pub at_stake_purchases: f64,
    /// What raises or lowers the risk, the strongest first.
    pub drivers: Vec<String>,
    /// Findings about the segment value of the last order: a store where customers are lost, and the like.
    pub exposed_to: Vec<String>,
    /// The most similar of the lost, the nearest first.
    pub similar: Vec<Similar>,
    /// The most frequent cause among similar lost customers; `None` unless [`Followers::causes`] says that such
    /// causes tell anything.
    pub likely_cause: Option<LikelyCause>,
    #[serde(skip)]
    rank: u32,
}

/// The customers at risk, by what is at stake.
///
/// At risk is who bought in the last H days, has a probability at or above the model's threshold, and has not
/// lapsed. Similarity is exact: among all lost customers, the nearest in the space of the model's standardised
/// columns, each weighted by its coefficient.
///
/// # Formula
/// ```text
/// at stake    = P(churned) × value
/// value       = E[N] / P(N > 0) · (K + 2 M) / (n + 2)     N purchases in the next H days by MBG/NBD on the present
///               life, K what was bought with n purchases and kept, M everyone's mean; 0 where nothing was kept
/// distance²   = Σ_j β_j² (z_j − z'_j)²                                       z standardised columns
/// compared at = the last weekly cutoff, back from the day, at which the lost customer's silence did not exceed
///               (days of their intervals + H) / (intervals + 1), their own usual interval shrunk to the horizon;
///               a silence that ended an earlier life is no interval
/// ```
#[derive(Clone, Debug)]
pub struct Followers {
    as_of: Day,
    horizon_days: i32,
    ids: Arc<CustomerIds>,
    similar: usize,
    rows: Vec<Follower>,
    /// Lost customers compared with.
    pub(crate) lost: usize,
    /// At risk by the model, but lapsed already.
    pub(crate) already_lost: usize,
    causes: CausesTold,
    /// Segment columns whose peer loss rates the model looks at.
    peers: Vec<String>,
}

impl Followers {
    pub(crate) fn find(
        history: &History,
        model: &ChurnModel,
        known: &Known,
        params: FollowersParams,
    ) -> Result<Self> {
        if !(1..=MOST_SIMILAR).contains(&params.similar) {
            return Err(Error::parameter("similar customers", params.similar, "1 to 20"));
        }
        let as_of = known.lapses.as_of();
        let scores = model.score(history, as_of)?;
        let all_lost = known.lapses.lost(history);
        let worth = Worth::new(known.lapses, history);
        let is_lost = |rank: u32| all_lost.binary_search_by_key(&rank, |lost| lost.rank).is_ok();
        let at_risk = || (0..scores.len()).filter(|&row| scores.at_risk()[row]);
        let rows: Vec<usize> = at_risk().filter(|&row| !is_lost(scores.ranks()[row])).collect();
        let already_lost = at_risk().count() - rows.len();

        let queries = Points { width: model.space_width(), values: model.place(scores.columns(), &rows) };
        let lost = LostPoints::new(history, model, as_of, &all_lost)?;
        let near = Boxes::new(&lost.points).nearest(&queries, params.similar);
        let (causes, told) = StatedCauses::try_out(history, &all_lost, &lost.points, known.stated);
        let likely = told.map(|told| told.around(&queries));
        let exposures = Exposures::new(history, known.findings);
        let drivers = scores.drivers_of(&rows);
        // Where causes do not tell more than the shares of all, no single one may suggest that they do.
        let is_shown = |cause: &Cause| likely.is_some() && *cause != Cause::Unknown;
        let likely_of = |place: usize| likely.as_ref().map(|likely| likely[place]);
        let mut followers: Vec<Follower> = rows
            .iter()
            .enumerate()
            .map(|(place, &row)| {
                let (rank, p) = (scores.ranks()[row], scores.probabilities()[row]);
                let life = known.lapses.life(rank);
                let (purchases, value_amount) =
                    life.map_or((0.0, f64::NAN), |life| worth.of_life(history, life));
                let similar = near.get(place).into_iter().flatten().map(|near| {
                    let Lost { rank, lapsed_on, .. } = all_lost[near.point as usize];
                    Similar {
                        customer_id: history.ids().text(rank as usize).into_owned(),
                        distance: near.squared.sqrt(),
                        compared_on: lost.cutoffs[near.point as usize],
                        lapsed_on,
                        stated: known.stated.get(rank as usize).copied().flatten().filter(is_shown),
                    }
                });
                Follower {
                    customer_id: history.ids().text(rank as usize).into_owned(),
                    churn_probability: p,
                    days_since_last: life.map_or(0, Life::days_since_last),
                    value_amount,
                    at_stake_amount: p * value_amount,
                    at_stake_purchases: p * purchases,
                    drivers: drivers[place].iter().map(|driver: &Driver| driver.words.clone()).collect(),
                    exposed_to: exposures.of(history, rank, as_of),
                    similar: similar.collect(),
                    likely_cause: likely_of(place),
                    rank,
                }
            })
            .collect();
        // Stable: equal stakes stay in order of customer.
        followers.sort_by(|a, b| b.stake().total_cmp(&a.stake()));
        Ok(Followers {
            as_of,
            horizon_days: model.label().horizon_days,
            ids: Arc::clone(history.ids()),
            similar: params.similar,
            rows: followers,
            lost: all_lost.len(),
            already_lost,
            causes,
            peers: peer_columns(model),
        })
    }

    /// The customers at risk, those with most at stake first.
    #[must_use]
    pub fn rows(&self) -> &[Follower] {
        &self.rows
    }

    /// Whether the causes of similar lost customers tell anything.
    #[must_use]
    pub fn causes(&self) -> &CausesTold {
        &self.causes
    }

    /// What is at stake with all of them, an amount; `None` without amounts.
    #[must_use]
    pub fn at_stake_amount(&self) -> Option<f64> {
        let sum: f64 = self.rows.iter().map(|row| row.at_stake_amount).sum();
        (!sum.is_nan()).then_some(sum)
    }
}

impl Follower {
    /// What it is ranked by.
    fn stake(&self) -> f64 {
        if self.at_stake_amount.is_nan() { self.at_stake_purchases } else { self.at_stake_amount }
    }
}

/// Segment columns whose peer loss rates the model looks at.
fn peer_columns(model: &ChurnModel) -> Vec<String> {
    let columns = model.features().iter().filter_map(|feature| match feature {
        Feature::PeerLoss { column, .. } if feature.idea() == Idea::Peers => Some(column.clone()),
        _ => None,
    });
    columns.collect()
}

impl Serialize for Followers {
    /// The rows.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.rows)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::features::{FeatureSet, salted_hash};
    use crate::history::Columns;
    use crate::losses::LapseRule;
    use crate::snapshot::Snapshots;

    const HORIZON_DAYS: i32 = 60;

    /// The bundled log, a model of it, and its customers, lost after half a year of silence.
    static WORLD: LazyLock<(History, ChurnModel, Lapses)> = LazyLock::new(|| {
        let columns =
            Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["country"]);
        let history = History::params(columns).read_csv(["data/online_retail_orders.csv"]).unwrap();
        let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &["country"]))
            .with_horizon_days(HORIZON_DAYS)
            .build(&history)
            .unwrap();
        let model = ChurnModel::params().fit(&snapshots).unwrap();
        let lapses = LapseRule::fixed(180).with_horizon_days(HORIZON_DAYS);
        let lapses = lapses.find(&history, history.observed_until()).unwrap();
        (history, model, lapses)
    });

    fn find(findings: &[Found], stated: &[Option<Cause>]) -> Followers {
        let (history, model, lapses) = &*WORLD;
        let known = Known { lapses, findings, stated };
        Followers::find(history, model, &known, FollowersParams::default()).unwrap()
    }

    #[test]
    fn the_lost_are_compared_while_their_silence_was_usual() {
        let (history, model, lapses) = &*WORLD;
        let as_of = history.observed_until();
        let lost = &lapses.lost(history);
        let points = LostPoints::new(history, model, as_of, lost).unwrap();
        assert_eq!(points.points.len(), lost.len());
        let mut returned = 0;
        for (&Lost { rank, lapsed_on, .. }, &cutoff) in lost.iter().zip(&points.cutoffs) {
            let days = history.run(rank as usize).days;
            let (first, last) = (days[0], days[days.len() - 1]);
            // A silence of half a year ended a life.
            let own = days.windows(2).map(|pair| pair[1] - pair[0]).filter(|&days| days <= 180);
            let own: Vec<i32> = own.collect();
            returned += usize::from(own.len() + 1 < days.len());
            let usual = (own.iter().sum::<i32>() + HORIZON_DAYS) / (own.len() as i32 + 1);
            let silent = cutoff.days_since_epoch() - last;
            assert!(silent <= usual && cutoff < lapsed_on && cutoff.days_since_epoch() >= first);
            // Nothing later would have served.
            let next = cutoff.plus_days(7);
            assert!(next.days_since_epoch() - last > usual || next >= lapsed_on || next > as_of);
        }
        assert!(returned > 0, "nobody among the lost had come back once");
        // What was found is what the model says of the customer alone on that day.
        let (row, &Lost { rank, .. }) = lost.iter().enumerate().nth(17).unwrap();
        let features = model.features_in(history).unwrap();
        let panel = crate::features::panel_at(history, &features, points.cutoffs[row]).unwrap();
        let own = panel.ranks.iter().position(|&other| other == rank).unwrap();
        assert_eq!(points.points.of(row), model.place(&panel.columns, &[own]));
    }

    #[test]
    fn followers_are_at_risk_and_not_yet_lost() {
        let (history, model, lapses) = &*WORLD;
        let lost = lapses.lost(history);
        let followers = find(&[], &[]);
        let scores = model.score(history, history.observed_until()).unwrap();
        assert_eq!(followers.rows().len() + followers.already_lost, scores.n_at_risk());
        let rows = followers.rows();
        assert!(rows.is_sorted_by(|a, b| a.at_stake_amount >= b.at_stake_amount));
        for row in rows {
            assert_eq!(row.at_stake_amount, row.churn_probability * row.value_amount);
            assert!(row.at_stake_purchases >= row.churn_probability * 0.999);
            assert_eq!(row.similar.len(), SIMILAR);
            assert!(row.similar.is_sorted_by(|a, b| a.distance <= b.distance));
            assert!(lost.binary_search_by_key(&row.rank, |one| one.rank).is_err());
            assert_eq!(row.likely_cause, None);
        }
        let frame = followers.to_frame().unwrap();
        assert_eq!((frame.height(), frame.width()), (rows.len(), 10 + 2 * SIMILAR + 2));
        let said = followers.to_string();
        assert!(said.contains("no proof that one drew the other away"), "{said}");
        assert!(said.contains("0 of the lost have a stated cause"), "{said}");
        assert_eq!(serde_json::to_value(&followers).unwrap().as_array().unwrap().len(), rows.len());
    }

    #[test]
    fn findings_are_told_to_those_whose_last_order_was_there() {
        let (history, ..) = &*WORLD;
        let found =
            Found { segment: "country".into(), value: "Germany".into(), words: "too many leave".into() };
        let codes = history.segment_values("country").unwrap();
        let followers = find(&[found], &[]);
        let mut exposed = 0;
        for row in followers.rows() {
            let last = *history.run(row.rank as usize).segment(0).last().unwrap();
            assert_eq!(codes[last as usize] == "Germany", row.exposed_to == ["too many leave"]);
            exposed += row.exposed_to.len();
        }
        assert!(exposed > 0);
    }

    /// Stated by every other lost customer: by what they spent, or by lot.
    fn stated(by_lot: bool) -> Vec<Option<Cause>> {
        let (history, _, lapses) = &*WORLD;
        let mut stated = vec![None; history.customers()];
        for &Lost { rank, .. } in lapses.lost(history).iter().step_by(2) {
            let run = history.run(rank as usize);
            let hash = salted_hash("causes", &history.ids().text(rank as usize));
            let is_price = match by_lot {
                true => hash.is_multiple_of(2),
                false => (run.net.iter().sum::<f64>() < 300.0) != hash.is_multiple_of(10),
            };
            stated[rank as usize] = Some(if is_price { Cause::Price } else { Cause::ServiceFailure });
        }
        stated
    }

    #[test]
    fn causes_of_neighbours_are_shown_only_where_they_tell() {
        let told = find(&[], &stated(false));
        assert!(
            matches!(told.causes(), CausesTold::Better { gain, .. } if *gain > 0.03),
            "{}",
            told.causes()
        );
        assert!(told.rows().iter().all(|row| row.likely_cause.is_some_and(|likely| likely.fraction > 0.4)));
        let silent = find(&[], &stated(true));
        assert!(matches!(silent.causes(), CausesTold::NoBetter { .. }), "{}", silent.causes());
        assert!(silent.rows().iter().all(|row| row.likely_cause.is_none()));
        let shown =
            |all: &Followers| all.rows().iter().flat_map(|row| &row.similar).any(|one| one.stated.is_some());
        assert!(shown(&told) && !shown(&silent));
        let one = vec![Some(Cause::Price); WORLD.0.customers()];
        assert_eq!(*find(&[], &one).causes(), CausesTold::OneCause { cause: Cause::Price });
    }
}
