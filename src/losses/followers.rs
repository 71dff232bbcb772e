//! Who follows? The customers at risk, what they are worth, and whom among the lost they resemble.

use std::fmt;
use std::sync::Arc;

use polars::prelude::*;
use serde::Serialize;

use super::exposure::{Amounts, Exposures, Found};
use super::neighbours::{Boxes, Points};
use super::similar::{CausesTold, LikelyCause, Lost, LostPoints, StatedCauses};
use crate::day::Day;
use crate::error::{Error, Result};
use crate::evidence::Cause;
use crate::features::{Feature, Idea};
use crate::history::{CustomerIds, History};
use crate::model::ChurnModel;
use crate::score::Driver;
use crate::table;
use crate::value::Value;

/// How many of the most similar lost customers are named.
const SIMILAR: usize = 3;
const MOST_SIMILAR: usize = 20;
/// How many customers a summary names.
const SHOWN: usize = 10;

/// What is known when followers are looked for.
pub(crate) struct Known<'a> {
    /// Who has lapsed and not come back by the day, ascending by rank.
    pub(crate) lost: &'a [Lost],
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
    /// Spend to expect in the horizon of a customer who comes back, an amount; null without amounts. It draws the
    /// customer's own mean to that of all as two more purchases would, as losses by money do.
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
/// value       = E[purchases in H] / (1 − P(no purchase in H)) · (Σ own amounts + 2 M) / (n + 2)
///               by MBG/NBD ([`Values`](crate::value::Values)), M the mean amount of everyone's purchases
/// distance²   = Σ_j β_j² (z_j − z'_j)²                                       z standardised columns
/// compared at = the last weekly cutoff, back from the day, at which the lost customer's silence did not exceed
///               (last − first + H) / n, their own usual interval shrunk to the horizon
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
        as_of: Day,
        known: &Known,
        params: FollowersParams,
    ) -> Result<Self> {
        if !(1..=MOST_SIMILAR).contains(&params.similar) {
            return Err(Error::parameter("similar customers", params.similar, "1 to 20"));
        }
        let scores = model.score(history, as_of)?;
        let horizon_days = model.label().horizon_days;
        let values = Value::params().with_horizon_days(horizon_days).estimate(history, as_of)?;
        let is_lost = |rank: u32| known.lost.binary_search_by_key(&rank, |&(rank, _)| rank).is_ok();
        let at_risk = || (0..scores.len()).filter(|&row| scores.at_risk()[row]);
        let rows: Vec<usize> = at_risk().filter(|&row| !is_lost(scores.ranks()[row])).collect();
        let already_lost = at_risk().count() - rows.len();

        let queries = Points { width: model.space_width(), values: model.place(scores.columns(), &rows) };
        let lost = LostPoints::new(history, model, as_of, known.lost)?;
        let near = Boxes::new(&lost.points).nearest(&queries, params.similar);
        let (causes, told) = StatedCauses::try_out(history, known.lost, &lost.points, known.stated);
        let likely = told.map(|told| told.around(&queries));
        let exposures = Exposures::new(history, known.findings);
        let drivers = scores.drivers_of(&rows);
        let amounts = Amounts::new(history, scores.ranks(), as_of);
        // Where causes do not tell more than the shares of all, no single one may suggest that they do.
        let is_shown = |cause: &Cause| likely.is_some() && *cause != Cause::Unknown;
        let likely_of = |place: usize| likely.as_ref().map(|likely| likely[place]);
        let mut followers: Vec<Follower> = rows
            .iter()
            .enumerate()
            .map(|(place, &row)| {
                let (rank, p, value) =
                    (scores.ranks()[row], scores.probabilities()[row], &values.values()[row]);
                let comes_back = (1.0 - value.p_no_purchase).max(f64::MIN_POSITIVE);
                let purchases = value.expected_purchases / comes_back;
                let value_amount = purchases * amounts.of(history, rank, as_of);
                let similar = near.get(place).into_iter().flatten().map(|near| {
                    let (rank, lapsed_on) = known.lost[near.point as usize];
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
                    days_since_last: value.days_since_last as i32,
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
            horizon_days,
            ids: Arc::clone(history.ids()),
            similar: params.similar,
            rows: followers,
            lost: known.lost.len(),
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

    /// `customer_id, churn_probability, days_since_last, value_amount, at_stake_amount, at_stake_purchases,
    /// driver_1 … driver_3, exposed_to` (findings, joined by `; `), then `similar_1, similar_1_distance` and so
    /// on, and `likely_cause, likely_cause_fraction`; those with most at stake first.
    ///
    /// # Errors
    /// Only where polars refuses to build the table.
    pub fn to_frame(&self) -> Result<DataFrame> {
        const DRIVERS: usize = 3;
        let ranks: Vec<u32> = self.rows.iter().map(|row| row.rank).collect();
        let floats = |name: &str, of: &dyn Fn(&Follower) -> f64| {
            table::nullable_floats(name, self.rows.iter().map(of))
        };
        let texts = |name: &str, of: &dyn Fn(&Follower) -> Option<String>| {
            StringChunked::from_iter_options(name.into(), self.rows.iter().map(of)).into_column()
        };
        let silent = self.rows.iter().map(|row| row.days_since_last);
        let mut columns = vec![
            self.ids.column("customer_id", &ranks)?,
            floats("churn_probability", &|row| row.churn_probability),
            Int32Chunked::from_iter_values("days_since_last".into(), silent).into_column(),
            floats("value_amount", &|row| row.value_amount),
            floats("at_stake_amount", &|row| row.at_stake_amount),
            floats("at_stake_purchases", &|row| row.at_stake_purchases),
        ];
        for place in 0..DRIVERS {
            columns.push(texts(&format!("driver_{}", place + 1), &|row| row.drivers.get(place).cloned()));
        }
        columns.push(texts("exposed_to", &|row| {
            (!row.exposed_to.is_empty()).then(|| row.exposed_to.join("; "))
        }));
        for place in 0..self.similar {
            let name = format!("similar_{}", place + 1);
            columns.push(texts(&name, &|row| row.similar.get(place).map(|one| one.customer_id.clone())));
            let distance = |row: &Follower| row.similar.get(place).map_or(f64::NAN, |one| one.distance);
            columns.push(floats(&format!("{name}_distance"), &distance));
        }
        columns.push(texts("likely_cause", &|row| {
            row.likely_cause.map(|likely| likely.cause.name().to_owned())
        }));
        let fraction = |row: &Follower| row.likely_cause.map_or(f64::NAN, |likely| likely.fraction);
        columns.push(floats("likely_cause_fraction", &fraction));
        table::frame(columns)
    }
}

impl Follower {
    pub(crate) fn rank(&self) -> u32 {
        self.rank
    }

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

impl fmt::Display for Followers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} customers are at risk of not buying in the {} days after {}",
            self.rows.len(),
            self.horizon_days,
            self.as_of
        )?;
        if self.rows.is_empty() {
            return Ok(());
        }
        if let Some(stake) = self.at_stake_amount() {
            write!(f, "; {stake:.2} at stake (probability × what they would spend)")?;
        }
        if self.already_lost > 0 {
            write!(f, "\n  {} more are at risk by the model, but have lapsed already", self.already_lost)?;
        }
        let ids: Vec<String> = self.rows.iter().take(SHOWN).map(|row| row.customer_id.clone()).collect();
        let width = ids.iter().map(|id| id.chars().count()).max().unwrap_or_default().max(8);
        let stake = if self.at_stake_amount().is_some() { "at stake" } else { "purchases at stake" };
        write!(
            f,
            "\n  {:<width$}  leaves  {stake:>10}  why, and whom among the lost they resemble",
            "customer"
        )?;
        for row in self.rows.iter().take(SHOWN) {
            let why = row.drivers.iter().find(|words| words.ends_with("raises the risk"));
            let why =
                why.or(row.drivers.first()).map_or("", |words| words.trim_end_matches(": raises the risk"));
            write!(
                f,
                "\n  {:<width$}  {:>4.0} %  {:>w$.2}  {why}",
                row.customer_id,
                100.0 * row.churn_probability,
                row.stake(),
                w = stake.len().max(10),
            )?;
            let similar: Vec<String> = row
                .similar
                .iter()
                .map(|one| match one.stated {
                    Some(cause) => format!("{} (lost {}, {cause})", one.customer_id, one.lapsed_on),
                    None => format!("{} (lost {})", one.customer_id, one.lapsed_on),
                })
                .collect();
            let indent = width + 24.max(stake.len() + 14);
            if !similar.is_empty() {
                write!(f, "\n{:indent$}like {}", "", similar.join(", "))?;
            }
            for finding in &row.exposed_to {
                write!(f, "\n{:indent$}exposed to: {finding}", "")?;
            }
            if let Some(LikelyCause { cause, fraction, fraction_of_all }) = row.likely_cause {
                write!(
                    f,
                    "\n{:indent$}such customers left for {cause} in {:.0} % of cases, all in {:.0} %",
                    "",
                    100.0 * fraction,
                    100.0 * fraction_of_all
                )?;
            }
        }
        if self.rows.len() > SHOWN {
            write!(f, "\n  and {} more", self.rows.len() - SHOWN)?;
        }
        write!(
            f,
            "\n  compared with {} lost customers, each as of the last week in which their silence was still usual",
            self.lost
        )?;
        write!(f, "\n  {}", self.causes)?;
        if !self.peers.is_empty() {
            write!(
                f,
                "\n  where a reason speaks of the same {}, customers like these are leaving; that is no proof that one drew the other away",
                self.peers.join(" or ")
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::features::{FeatureSet, salted_hash};
    use crate::history::Columns;
    use crate::snapshot::Snapshots;

    const HORIZON_DAYS: i32 = 60;

    /// The bundled log, a model of it, and the customers of it who were silent for half a year, as if they had
    /// lapsed 90 days after their last purchase.
    static WORLD: LazyLock<(History, ChurnModel, Vec<Lost>)> = LazyLock::new(|| {
        let columns =
            Columns::new("customer_id", "timestamp").with_amount("amount").with_segments(["country"]);
        let history = History::params(columns).read_csv(["data/online_retail_orders.csv"]).unwrap();
        let snapshots = Snapshots::params(FeatureSet::standard(HORIZON_DAYS, &["country"]))
            .with_horizon_days(HORIZON_DAYS)
            .build(&history)
            .unwrap();
        let model = ChurnModel::params().fit(&snapshots).unwrap();
        let lost = (0..history.customers() as u32).filter_map(|rank| {
            let last = Day::from_days_since_epoch(*history.run(rank as usize).days.last()?);
            (history.observed_until().days_since(last) > 180).then(|| (rank, last.plus_days(90)))
        });
        let lost = lost.collect();
        (history, model, lost)
    });

    fn find(findings: &[Found], stated: &[Option<Cause>]) -> Followers {
        let (history, model, lost) = &*WORLD;
        let known = Known { lost, findings, stated };
        Followers::find(history, model, history.observed_until(), &known, FollowersParams::default()).unwrap()
    }

    #[test]
    fn the_lost_are_compared_while_their_silence_was_usual() {
        let (history, model, lost) = &*WORLD;
        let as_of = history.observed_until();
        let points = LostPoints::new(history, model, as_of, lost).unwrap();
        assert_eq!(points.points.len(), lost.len());
        for (&(rank, lapsed_on), &cutoff) in lost.iter().zip(&points.cutoffs) {
            let days = history.run(rank as usize).days;
            let (first, last) = (days[0], days[days.len() - 1]);
            let usual = (last - first + HORIZON_DAYS) / days.len() as i32;
            let silent = cutoff.days_since_epoch() - last;
            assert!(silent <= usual && cutoff < lapsed_on && cutoff.days_since_epoch() >= first);
            // Nothing later would have served.
            let next = cutoff.plus_days(7);
            assert!(next.days_since_epoch() - last > usual || next >= lapsed_on || next > as_of);
        }
        // What was found is what the model says of the customer alone on that day.
        let (row, &(rank, _)) = lost.iter().enumerate().nth(17).unwrap();
        let features = model.features_in(history).unwrap();
        let panel = crate::features::panel_at(history, &features, points.cutoffs[row]).unwrap();
        let own = panel.ranks.iter().position(|&other| other == rank).unwrap();
        assert_eq!(points.points.of(row), model.place(&panel.columns, &[own]));
    }

    #[test]
    fn followers_are_at_risk_and_not_yet_lost() {
        let (history, model, lost) = &*WORLD;
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
            assert!(lost.binary_search_by_key(&row.rank, |&(rank, _)| rank).is_err());
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
        let (history, _, lost) = &*WORLD;
        let mut stated = vec![None; history.customers()];
        for &(rank, _) in lost.iter().step_by(2) {
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
